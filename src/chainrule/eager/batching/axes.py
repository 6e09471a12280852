"""Batching rules of what runs along axes: sums, extremes, running sums, sorting."""

from __future__ import annotations

from typing import Any, Final

from chainrule.eager.batching.tensor import Call, Rule
from chainrule.eager.specialise import F


def from_end(axis: Any, ndim: int) -> Any:
    """An axis, or several, counted from the end."""
    if isinstance(axis, (tuple, list)):
        return tuple(from_end(a, ndim) for a in axis)
    return axis if axis < 0 else axis - ndim


def over_axes(call: Call) -> Any:
    """A reduction over any number of axes; None stands for all of one sample."""
    n = call.ndim(0)
    if n == 0:
        return _single(call)
    axis = call.params["axis"]
    return call.run(call.values(0), axis=tuple(range(-n, 0)) if axis is None else from_end(axis, n))


def over_axis(call: Call) -> Any:
    """A reduction over one axis; None stands for that of the flattened sample."""
    n = call.ndim(0)
    if n == 0:
        return _single(call)
    axis = call.params["axis"]
    if axis is not None:
        return call.run(call.values(0), axis=from_end(axis, n))
    kept = call.params.get("keepdims", False)
    out = call.run(F.reshape(call.values(0), (call.size, -1)), axis=-1)
    return F.reshape(out, (call.size, *(1,) * n)) if kept else out


def argsort(call: Call) -> Any:
    """NumPy gives the order of a single element as one of one element."""
    return along(call) if call.ndim(0) else call.run(F.reshape(call.values(0), (call.size, 1)), axis=-1)


def _single(call: Call) -> Any:
    """Samples of one element without axes: they are given one, which does not outlive the call."""
    out = call.run(F.reshape(call.values(0), (call.size, 1)), axis=-1)
    parts = [F.reshape(part, (call.size,)) for part in (out if isinstance(out, tuple) else (out,))]
    return tuple(parts) if isinstance(out, tuple) else parts[0]


def along(call: Call) -> Any:
    """What runs along one axis and keeps the shape; None stands for that of the flattened sample."""
    n = call.ndim(0)
    if n == 0:
        return _single(call)
    axis = call.params["axis"]
    values = [call.values(i) for i in range(len(call.operands))]
    if axis is None:
        return call.run(*(F.reshape(x, (call.size, -1)) for x in values), axis=-1)
    return call.run(*values, axis=from_end(axis, n))


RULES: Final[dict[str, Rule]] = {
    **dict.fromkeys(("sum", "mean", "max", "min", "any", "all", "count_nonzero", "var", "std", "var_mean", "vector_norm",
                     "logsumexp", "amax", "amin"), over_axes),
    **dict.fromkeys(("prod", "argmax", "argmin", "max_with_index", "min_with_index"), over_axis),
    **dict.fromkeys(("softmax", "log_softmax", "cumsum", "cumprod", "sort_with_index", "recurrence", "glu"), along),
    "argsort": argsort,
    **dict.fromkeys(("fft", "ifft", "rfft", "irfft"), along),
}  # fmt: skip
