"""Batching rules of what moves elements about: shapes, joining, splitting, windows on memory."""

from __future__ import annotations

import math
from typing import Any, Final

from chainrule.eager.batching.axes import from_end
from chainrule.eager.batching.tensor import Call, Rule
from chainrule.eager.specialise import F
from chainrule.ops.strided import Window, distinct, reach


def lengthened(call: Call, i: int, rank: int) -> Any:
    """The values of operand ``i`` with new axes behind the batch axis, ``rank`` axes in a sample."""
    values, shape = call.values(i), call.shape(i)
    missing = rank - len(shape)
    return F.reshape(values, (call.size, *(1,) * missing, *shape)) if missing > 0 else values


def past(axis: int, ndim: int) -> int:
    """Where an axis of a sample stands among those of all samples."""
    return axis % ndim + 1 if ndim else 1


def unchanged(call: Call) -> Any:
    """What is done to no axes."""
    return call.values(0)


def reshape(call: Call) -> Any:
    shape = call.params["shape"]
    shape = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
    if -1 in shape:
        known = math.prod(n for n in shape if n != -1)
        size = math.prod(call.shape(0))
        if known == 0 or size % known:
            raise ValueError(f"cannot reshape array of size {size} into shape {shape}")
        shape = tuple(size // known if n == -1 else n for n in shape)
    elif math.prod(shape) != math.prod(call.shape(0)):
        raise ValueError(f"cannot reshape array of size {math.prod(call.shape(0))} into shape {shape}")
    return F.reshape(call.values(0), (call.size, *shape))


def broadcast_to(call: Call) -> Any:
    shape = tuple(call.params["shape"])
    return F.broadcast_to(lengthened(call, 0, len(shape)), (call.size, *shape))


def expand_dims(call: Call) -> Any:
    axis = call.params["axis"]
    given = axis if isinstance(axis, tuple) else (axis,)
    rank = call.ndim(0) + len(given)
    places = tuple(a % rank + 1 for a in given)
    return F.expand_dims(call.values(0), axis=places if isinstance(axis, tuple) else places[0])


def looked_at(call: Call) -> Any:
    """Another look at the same elements."""
    return F.reshape(call.values(0), (call.size, *call.shape(0)))


def squeeze(call: Call) -> Any:
    axis, shape = call.params["axis"], call.shape(0)
    if not shape:
        return looked_at(call)
    if axis is None:
        axis = tuple(k for k, n in enumerate(shape) if n == 1)
    if not isinstance(axis, tuple):
        return F.squeeze(call.values(0), axis=past(axis, len(shape)))
    return F.squeeze(call.values(0), axis=tuple(past(a, len(shape)) for a in axis)) if axis else looked_at(call)


def transpose(call: Call) -> Any:
    n = call.ndim(0)
    axes = call.params["axes"]
    order = range(n - 1, -1, -1) if axes is None else axes
    return F.transpose(call.values(0), axes=(0, *(past(a, n) for a in order)))


def swapaxes(call: Call) -> Any:
    n = call.ndim(0)
    if n == 0:
        return unchanged(call)
    return F.swapaxes(call.values(0), axis1=past(call.params["axis1"], n), axis2=past(call.params["axis2"], n))


def t(call: Call) -> Any:
    return F.swapaxes(call.values(0), axis1=1, axis2=2) if call.ndim(0) == 2 else unchanged(call)


def concatenate(call: Call) -> Any:
    n = max(call.ndim(i) for i in range(len(call.operands)))
    if call.params["axis"] is None:
        rows = [F.reshape(call.values(i), (call.size, -1)) if call.holds(i) else F.reshape(call.values(i), (1, -1))
                for i in range(len(call.operands))]  # fmt: skip
        return F.concatenate(*(F.broadcast_to(x, (call.size, x.array.shape[1])) for x in rows), axis=1)
    return F.concatenate(*(call.values(i) for i in range(len(call.operands))), axis=past(call.params["axis"], n))


def stack(call: Call) -> Any:
    return F.stack(*(call.values(i) for i in range(len(call.operands))), axis=past(call.params["axis"], call.ndim(0) + 1))


def one_axis(call: Call) -> Any:
    return call.run(call.values(0), axis=past(call.params["axis"], call.ndim(0)))


def flip(call: Call) -> Any:
    n = call.ndim(0)
    if n == 0:
        return F.copy(call.values(0))
    axis = call.params["axis"]
    return F.flip(call.values(0), axis=tuple(range(-n, 0)) if axis is None else from_end(axis, n))


def roll(call: Call) -> Any:
    n, axis, shift = call.ndim(0), call.params["axis"], call.params["shift"]
    if n and axis is not None:
        return F.roll(call.values(0), shift=shift, axis=from_end(axis, n))
    flat = F.roll(F.reshape(call.values(0), (call.size, -1)), shift=shift, axis=-1)
    return F.reshape(flat, (call.size, *call.shape(0)))


def pad(call: Call) -> Any:
    return call.run(call.values(0), width=((0, 0), *call.params["width"]))


def tile(call: Call) -> Any:
    reps = call.params["reps"]
    reps = tuple(reps) if hasattr(reps, "__len__") else (reps,)
    rank = max(len(reps), call.ndim(0))
    return F.tile(lengthened(call, 0, rank), reps=(1, *(1,) * (rank - len(reps)), *reps))


def repeat(call: Call) -> Any:
    axis = call.params["axis"]
    if axis is None:
        return call.run(F.reshape(call.values(0), (call.size, -1)), axis=1)
    return call.run(call.values(0), axis=past(axis, call.ndim(0)))


def diagonal(call: Call) -> Any:
    n = call.ndim(0)
    first, second = (from_end(call.params.get(name, k), n) for k, name in enumerate(("axis1", "axis2")))
    return F.diagonal(call.values(0), offset=call.params["offset"], axis1=first, axis2=second)


def diagonal_copy(call: Call) -> Any:
    return F.copy(diagonal(call))


def place_diagonal(call: Call) -> Any:
    shape = tuple(call.params["shape"])
    axis1, axis2 = (past(call.params[name], len(shape)) for name in ("axis1", "axis2"))
    return call.run(call.values(0), shape=(call.size, *shape), axis1=axis1, axis2=axis2)


def trace(call: Call) -> Any:
    return F.sum(F.diagonal(call.values(0), offset=0, axis1=1, axis2=2), axis=-1)


# Windows on memory: that of a sample, once for each


def as_strided(call: Call) -> Any:
    window, values = call.params["window"], call.values(0)
    step, *layout = (stride // values.array.itemsize for stride in values.array.strides)
    shared = not distinct(values.array.shape, values.array.strides)  # as where all samples are the same memory
    if tuple(layout) != window.layout or shared:  # the samples will be laid out apart, as it says
        step = _apart(call, window)
    return F.as_strided(values, window=for_each(window, call.size, step))


def add_slices(call: Call) -> Any:
    window = call.params["window"]
    return call.run(
        call.values(0), shape=(call.size, *call.params["shape"]), window=for_each(window, call.size, _apart(call, window))
    )


def copy_slices(call: Call) -> Any:
    window, values = call.params["window"], call.values(0)
    return F.copy_slices(
        values, lengthened(call, 1, len(window.shape)), window=for_each(window, call.size, _apart(call, window))
    )


def for_each(window: Window, size: int, step: int) -> Window:
    """A window on one sample as one on ``size`` of them, ``step`` elements apart."""
    return Window((size, *window.shape), (step, *window.strides), window.offset, (step, *window.layout))


def _apart(call: Call, window: Window) -> int:
    """How far apart samples may lie so that neither they nor what is seen of them overlap."""
    shape = tuple(call.params["shape"] if "shape" in call.params else call.shape(0))
    inside, seen = reach(shape, window.layout), reach(window.shape, window.strides, window.offset)
    return max(inside[1], seen[1]) - min(inside[0], seen[0]) + 1


RULES: Final[dict[str, Rule]] = {
    "reshape": reshape, "broadcast_to": broadcast_to, "expand_dims": expand_dims, "squeeze": squeeze, "transpose": transpose,
    "swapaxes": swapaxes, "t": t, "concatenate": concatenate, "stack": stack, "unbind": one_axis, "split": one_axis,
    "flip": flip, "roll": roll, "pad": pad, "tile": tile, "repeat": repeat, "diagonal": diagonal,
    "diagonal_copy": diagonal_copy, "place_diagonal": place_diagonal, "trace": trace, "as_strided": as_strided,
    "add_slices": add_slices, "copy_slices": copy_slices,
}  # fmt: skip
