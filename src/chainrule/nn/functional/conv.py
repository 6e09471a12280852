"""Convolution: torch's arguments, checked, for the primitive of the table."""

from __future__ import annotations

from collections.abc import Callable
from operator import index
from typing import Any

from chainrule.eager.specialise import F
from chainrule.errors import Refusal, ShapeError, shape_text
from chainrule.nn.functional.layers import pad
from chainrule.ops.windows import reach


def per_axis(value: Any, d: int, name: str) -> tuple[int, ...]:
    """One whole number for each of ``d`` axes, given as one or as a sequence."""
    given = tuple(value) if isinstance(value, (tuple, list)) else (value,) * d
    try:
        given = tuple(map(index, given))
    except TypeError:
        raise TypeError(f"{name} must be an int or a tuple of ints, not {value!r}") from None
    if len(given) == 1:
        given *= d
    if len(given) != d:
        raise Refusal(f"{name} must be a single int or a tuple of {d} ints, but got {list(given)}")
    return given


def with_batch(input: Any, d: int, call: Callable[[Any], Any]) -> Any:
    """``call`` on (n, channels, *size), also where the batch axis was left out."""
    if input.ndim == d + 2:
        return call(input)
    out = call(input.unsqueeze(0))
    return tuple(part.squeeze(0) for part in out) if isinstance(out, tuple) else out.squeeze(0)


def _conv(d: int) -> Any:
    def function(input: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
                 groups: int = 1) -> Any:  # fmt: skip
        return convolve(d, input, weight, bias, stride, padding, dilation, groups)

    function.__name__ = function.__qualname__ = f"conv{d}d"
    function.__doc__ = f"Convolution over {d} axes: ``out[n, o] = bias[o] + sum over c of weight[o, c] * input[n, c]``."
    return function


def convolve(d: int, input: Any, weight: Any, bias: Any, stride: Any, padding: Any, dilation: Any, groups: int) -> Any:
    """The convolution over ``d`` axes; ``padding`` may be "valid" or "same"."""
    if input.ndim not in (d + 1, d + 2):
        raise ShapeError(
            f"Expected {d + 1}D (unbatched) or {d + 2}D (batched) input to conv{d}d, but got input of size: "
            f"{shape_text(input.array.shape)}"
        )
    if weight.ndim != d + 2:
        raise ShapeError(f"Expected {d + 2}-dimensional weight for conv{d}d, but got weight of size "
                         f"{shape_text(weight.array.shape)}")  # fmt: skip
    steps, spread = per_axis(stride, d, "stride"), per_axis(dilation, d, "dilation")
    kernel = weight.array.shape[2:]
    _check_geometry(kernel, steps, spread, groups)
    if isinstance(padding, str):
        input, around = _named_padding(input, padding, kernel, steps, spread)
    else:
        around = per_axis(padding, d, "padding")
        if min(around) < 0:
            raise Refusal("negative padding is not supported")
    _check(input, weight, bias, d, groups, around, spread)

    def call(x: Any) -> Any:
        return F.convolution(x, weight, bias, size=x.array.shape[2:], kernel=kernel, stride=steps, padding=around,
                             dilation=spread, groups=groups)  # fmt: skip

    return with_batch(input, d, call)


def _named_padding(input: Any, name: str, kernel: Any, stride: Any, dilation: Any) -> tuple[Any, tuple[int, ...]]:
    """The input, and the padding that "valid" or "same" means; an odd total gets its rest behind."""
    d = len(kernel)
    if name == "valid":
        return input, (0,) * d
    if name != "same":
        raise Refusal(f"Invalid padding string: '{name}'")
    if any(s != 1 for s in stride):
        raise Refusal("padding='same' is not supported for strided convolutions")
    total = [r - 1 for r in reach(kernel, dilation)]
    if any(t % 2 for t in total):
        input = pad(input, [n for t in reversed(total) for n in (0, t % 2)])
    return input, tuple(t // 2 for t in total)


def _check_geometry(kernel: Any, stride: Any, dilation: Any, groups: int) -> None:
    if groups <= 0:
        raise Refusal("non-positive groups is not supported")
    if min(stride) <= 0:
        raise Refusal("non-positive stride is not supported")
    if min(dilation) <= 0:
        raise Refusal(f"dilation should be greater than zero, but got {list(dilation)}")
    if min(kernel) <= 0:
        raise Refusal(f"kernel size should be greater than zero, but got {list(kernel)}")


def _check(input: Any, weight: Any, bias: Any, d: int, groups: int, padding: Any, dilation: Any) -> None:
    shape, kernel = input.array.shape, weight.array.shape
    channels = shape[-d - 1]
    if kernel[1] * groups != channels:
        raise ShapeError(
            f"Given groups={groups}, weight of size {shape_text(kernel)}, expected input{shape_text(shape)} to have "
            f"{kernel[1] * groups} channels, but got {channels} channels instead"
        )
    if kernel[0] < groups:
        raise ShapeError(f"Given groups={groups}, expected weight to be at least {groups} at dimension 0, but got weight of "
                         f"size {shape_text(kernel)} instead")  # fmt: skip
    if kernel[0] % groups:
        raise ShapeError(
            f"Given groups={groups}, expected weight to be divisible by {groups} at dimension 0, but got weight of size "
            f"[{shape_text(kernel)}] instead"
        )
    if bias is not None and bias.array.shape != kernel[:1]:
        raise ShapeError(
            f"Given weight of size {shape_text(kernel)}, expected bias to be 1-dimensional with {kernel[0]} elements, but "
            f"got bias of size {shape_text(bias.array.shape)} instead"
        )
    room = tuple(n + 2 * p for n, p in zip(shape[-d:], padding, strict=True))
    seen = reach(kernel[2:], dilation)
    if any(n < r for n, r in zip(room, seen, strict=True)):
        times = " x ".join
        raise ShapeError(
            f"Calculated padded input size per channel: ({times(map(str, room))}). Kernel size: "
            f"({times(map(str, seen))}). Kernel size can't be greater than actual input size"
        )


conv1d, conv2d, conv3d = _conv(1), _conv(2), _conv(3)
