"""Pooling: torch's arguments, checked, for the primitives of the table."""

from __future__ import annotations

from typing import Any

from chainrule.core.box import dispatch
from chainrule.core.primitive import TABLE
from chainrule.eager.specialise import F
from chainrule.errors import Refusal, ShapeError, shape_text
from chainrule.nn.functional.conv import per_axis, with_batch
from chainrule.ops import pooling
from chainrule.ops.windows import reach


def _geometry(d: int, kernel_size: Any, stride: Any, padding: Any, dilation: Any = 1) -> dict[str, Any]:
    kernel = per_axis(kernel_size, d, "kernel_size")
    no_stride = stride is None or stride == () or stride == []
    steps = kernel if no_stride else per_axis(stride, d, "stride")
    around, spread = per_axis(padding, d, "padding"), per_axis(dilation, d, "dilation")
    for name, given in (("kernel size", kernel), ("stride", steps), ("dilation", spread)):
        if min(given) <= 0:
            raise Refusal(f"{name} should be greater than zero, but got {list(given)}")
    if min(around) < 0:
        raise Refusal(f"pad must be non-negative, but got pad: {min(around)}")
    for p, k, r in zip(around, kernel, spread, strict=True):
        if p > (r * (k - 1) + 1) // 2:
            raise Refusal(
                f"pad should be at most half of effective kernel size, but got pad={p}, kernel_size={k} and dilation={r}"
            )
    return {"kernel": kernel, "stride": steps, "padding": around, "dilation": spread}


def _room(name: str, input: Any, d: int, geometry: dict[str, Any]) -> None:
    """Refuse an input that no window fits into."""
    if input.ndim not in (d + 1, d + 2):
        raise ShapeError(f"{name}: Expected {d + 1}D or {d + 2}D input tensor, but got {shape_text(input.array.shape)}")
    size, padding, kernel = input.array.shape[-d:], geometry["padding"], geometry["kernel"]
    seen = reach(kernel, geometry["dilation"])
    if any(n + 2 * p < r for n, p, r in zip(size, padding, seen, strict=True)):
        raise ShapeError(f"{name}: input of size {shape_text(size)} is smaller than kernel {shape_text(kernel)} with padding "
                         f"{shape_text(padding)}: output size is too small")  # fmt: skip


def _max_pool(d: int) -> Any:
    def function(input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
                 ceil_mode: bool = False, return_indices: bool = False) -> Any:  # fmt: skip
        geometry = _geometry(d, kernel_size, stride, padding, dilation)
        _room(f"max_pool{d}d", input, d, geometry)
        found = with_batch(input, d, lambda x: dispatch(TABLE[pooling.max_pool], (x,), {**geometry, "ceil": ceil_mode}))
        return found if return_indices else found[0]

    function.__name__ = function.__qualname__ = f"max_pool{d}d"
    function.__doc__ = "The largest element of each window, and with ``return_indices`` its flat place."
    return function


def _avg_pool(d: int) -> Any:
    def function(input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
                 count_include_pad: bool = True, divisor_override: int | None = None) -> Any:  # fmt: skip
        if divisor_override == 0:
            raise Refusal("divisor must be not zero")
        geometry = _geometry(d, kernel_size, stride, padding)
        _room(f"avg_pool{d}d", input, d, geometry)
        del geometry["dilation"]  # the windows of a mean have none
        params = {**geometry, "ceil": ceil_mode, "counting_padding": count_include_pad, "divisor": divisor_override}
        return with_batch(input, d, lambda x: dispatch(TABLE[pooling.avg_pool], (x,), params))

    function.__name__ = function.__qualname__ = f"avg_pool{d}d"
    function.__doc__ = "The mean of each window."
    return function


max_pool1d, max_pool2d, max_pool3d = map(_max_pool, (1, 2, 3))
avg_pool1d, avg_pool2d, avg_pool3d = map(_avg_pool, (1, 2, 3))


def _out_size(kind: str, input: Any, output_size: Any, d: int) -> tuple[int, ...]:
    """The wanted size, None meaning the input's own. RuntimeError for one, or an input, of another rank."""
    name = f"adaptive_{kind}_pool{d}d"
    if input.ndim not in (d + 1, d + 2):
        raise ShapeError(
            f"Expected {d + 1} to {d + 2} dimensions, but got {input.ndim}-dimensional tensor for argument #1 'self' (while "
            f"checking arguments for {name})"
        )
    given = (output_size,) * d if output_size is None or isinstance(output_size, int) else tuple(output_size)
    if len(given) != d:
        raise Refusal(f"{name}: output_size must be {d}")
    if any(k is not None and k < 0 for k in given):
        raise Refusal(f"{name}: elements of output_size must be greater than or equal to 0 but received "
                      f"{{{', '.join(map(str, given))}}}")  # fmt: skip
    return tuple(n if k is None else k for k, n in zip(given, input.array.shape[-d:], strict=True))


def _adaptive_avg_pool(d: int) -> Any:
    def function(input: Any, output_size: Any) -> Any:
        size = _out_size("avg", input, output_size, d)
        if d > 1 and size == (1,) * d:
            return F.mean(input, tuple(range(-d, 0)), True)
        return with_batch(input, d, lambda x: dispatch(TABLE[pooling.adaptive_avg_pool], (x,), {"size": size}))

    function.__name__ = function.__qualname__ = f"adaptive_avg_pool{d}d"
    function.__doc__ = "The means of ``output_size`` parts along the trailing axes."
    return function


def _adaptive_max_pool(d: int) -> Any:
    def function(input: Any, output_size: Any, return_indices: bool = False) -> Any:
        size = _out_size("max", input, output_size, d)
        found = with_batch(input, d, lambda x: dispatch(TABLE[pooling.adaptive_max_pool], (x,), {"size": size}))
        return found if return_indices else found[0]

    function.__name__ = function.__qualname__ = f"adaptive_max_pool{d}d"
    function.__doc__ = "The largest elements of ``output_size`` parts along the trailing axes."
    return function


adaptive_avg_pool1d, adaptive_avg_pool2d = map(_adaptive_avg_pool, (1, 2))
adaptive_max_pool1d, adaptive_max_pool2d = map(_adaptive_max_pool, (1, 2))
