"""Batching rules of indexing: samples are taken along, or named by an index of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from chainrule.eager.batching.shapes import lengthened, past
from chainrule.eager.batching.tensor import Call, Rule
from chainrule.eager.specialise import F
from chainrule.eager.tensor import Tensor, wrap
from chainrule.ops.indexing import HOLE, filled


def with_batch(key: Any) -> tuple[Any, ...]:
    """A key for one sample as one for all."""
    return (slice(None), *(key if isinstance(key, tuple) else (key,)))


def getitem(call: Call) -> Any:
    return F.getitem(call.values(0), with_batch(call.params["key"]))


def place(call: Call) -> Any:
    return call.run(call.values(0), shape=(call.size, *call.params["shape"]), key=with_batch(call.params["key"]))


def place_all(call: Call) -> Any:
    return call.run(
        *(call.values(i) for i in range(len(call.operands))),
        shape=(call.size, *call.params["shape"]), keys=tuple(map(with_batch, call.params["keys"])),
    )  # fmt: skip


class Layout(NamedTuple):
    """How the axes of ``x[key]`` come about: ``before`` slices, then those of the index arrays (or these in front)."""

    before: int
    indices: int
    together: bool


def layout_of(key: tuple[Any, ...], arrays: Sequence[Any], ndim: int) -> Layout:
    """The layout of indexing something of ``ndim`` axes."""
    parts: list[Any] = []
    ranks = iter([_rank(a) for a in arrays])
    used = 0
    for part in key:
        used += next(ranks)[1] if part is HOLE else int(part is not None and part is not Ellipsis)
    for part in key:
        parts += [slice(None)] * (ndim - used) if part is Ellipsis else [part]
    holes = [k for k, part in enumerate(key) if part is HOLE]
    together = holes == list(range(holes[0], holes[-1] + 1))  # dots that stand for no axis count as well
    return Layout(parts.index(HOLE), max(_rank(a)[0] for a in arrays), together)


def _rank(array: Any) -> tuple[int, int]:
    """How many axes an index array adds to the result, and how many it uses up."""
    rank = array.ndim if isinstance(array, Tensor) else np.ndim(array)
    return (1, rank) if is_mask(array) else (rank, 1)


def is_mask(array: Any) -> bool:
    """Whether an index array is a mask."""
    return bool((array.array.dtype if isinstance(array, Tensor) else np.asarray(array).dtype).kind == "b")


class Indexing(NamedTuple):
    """A key for all samples, its arrays, and where in the result the axes of a sample are to be found."""

    key: tuple[Any, ...]
    arrays: list[Any]
    order: list[int] | None  # the axes of the result, batch axis first; None if they stand so


def for_all(call: Call, key: Any, numbers: Sequence[int], ndim: int) -> Indexing | None:
    """The indexing of all samples, whose index arrays are the operands of these numbers; None for masks that differ."""
    key = key if isinstance(key, tuple) else (key,)
    arrays = [call.operands[i] for i in numbers]
    if not arrays:
        return Indexing(with_batch(key), [], None)
    if any(call.holds(i) and is_mask(call.operands[i]) for i in numbers):
        return None
    before, indices, together = layout_of(key, arrays, ndim)
    if not any(call.holds(i) for i in numbers):
        order = None if together else [indices, *range(indices)]
        return Indexing((slice(None), *key), arrays, order)
    samples = np.arange(call.size).reshape(call.size, *(1,) * indices)
    given = [lengthened(call, i, indices) if call.holds(i) else call.operands[i] for i in numbers]
    if any(is_mask(a) for a in arrays):
        return None
    own = [0, *range(indices + 1, indices + 1 + before), *range(1, indices + 1)] if together and before else None
    return Indexing((HOLE, *key), [wrap(samples), *given], own)


def ordered(out: Any, order: list[int] | None) -> Any:
    """The axes in this order, the rest behind them."""
    if order is None:
        return out
    return F.transpose(out, axes=(*order, *range(len(order), out.array.ndim)))


def disordered(values: Any, order: list[int] | None) -> Any:
    """The inverse of `ordered`."""
    if order is None:
        return values
    full = [*order, *range(len(order), values.array.ndim)]
    return F.transpose(values, axes=tuple(sorted(range(len(full)), key=lambda k: full[k])))


def take_items(call: Call) -> Any:
    how = for_all(call, call.params["key"], range(1, len(call.operands)), call.ndim(0))
    if how is None:
        return NotImplemented
    return ordered(F.take_items(call.values(0), *how.arrays, key=how.key), how.order)


def place_items(call: Call) -> Any:
    shape = tuple(call.params["shape"])
    how = for_all(call, call.params["key"], range(1, len(call.operands)), len(shape))
    if how is None:
        return NotImplemented
    return F.place_items(disordered(call.values(0), how.order), *how.arrays, shape=(call.size, *shape), key=how.key)


def setitem(call: Call) -> Any:
    """`setitem` and `index_put`."""
    arrays = list(call.operands[2:])
    shape = selected_shape(call.shape(0), call.params["key"], arrays)
    key = call.params["key"]
    how = for_all(call, key, range(2, len(call.operands)), call.ndim(0))
    if how is None:
        return NotImplemented
    y = call.operands[1]
    if how.order is not None or call.holds(1):
        y = spread(call, 1, shape)
    return call.run(call.values(0), disordered(y, how.order), *how.arrays, key=how.key)


def spread(call: Call, i: int, shape: tuple[int, ...]) -> Any:
    """Operand ``i`` for all samples, broadcast to ``shape``."""
    own = call.shape(i)
    if len(own) > len(shape):
        own = own[len(own) - len(shape) :]
        values = F.reshape(call.values(i), (call.size, *own))
    else:
        values = lengthened(call, i, len(shape))
    return F.broadcast_to(values, (call.size, *shape))


def selected_shape(shape: tuple[int, ...], key: Any, arrays: Sequence[Any]) -> tuple[int, ...]:
    """The shape of what a key selects of a sample."""
    stand_ins = tuple(a if not isinstance(a, Tensor) else a.array if isinstance(a.array, np.ndarray)
                      else np.zeros(a.array.shape, np.intp) for a in arrays)  # fmt: skip
    selected: tuple[int, ...] = np.broadcast_to(np.False_, shape)[filled(key, stand_ins)].shape
    return selected


def along_axis(call: Call) -> Any:
    """`gather` and its kin: positions along one axis, everything else in its place."""
    n = call.ndim(0)
    index = call.shape(1)
    if n == 0 and call.primitive.name == "gather":
        return F.copy(call.values(0))
    if n == 0 or not index:
        return NotImplemented
    values = [call.values(0), call.values(1)]
    if len(call.operands) > 2:
        values.append(spread(call, 2, index) if call.ndim(2) == 0 and call.holds(2) else
                      call.bare(2) if call.ndim(2) == 0 else call.values(2))  # fmt: skip
    changed: dict[str, Any] = {"axis": past(call.params["axis"], n)}
    if "shape" in call.params:
        changed["shape"] = (call.size, *call.params["shape"])
    return call.run(*values, **changed)


def by_slices(call: Call) -> Any:
    """`index_add` and its kin: whole slices along one axis."""
    n = call.ndim(0)
    if n == 0:
        return NotImplemented
    if call.holds(1) or (call.ndim(2) == 0 and call.holds(2)):
        return _slices_apart(call, call.params["axis"] % n)
    z = call.bare(2) if call.ndim(2) == 0 else call.values(2)
    return call.run(call.values(0), call.bare(1), z, axis=past(call.params["axis"], n))


def _slices_apart(call: Call, axis: int) -> Any:
    """`by_slices` where each sample names slices of its own."""
    shape = call.shape(0)
    how: Any = for_all(call, (slice(None),) * axis + (HOLE,), (1,), len(shape))
    z = disordered(spread(call, 2, (*shape[:axis], *call.shape(1), *shape[axis + 1 :])), how.order)
    if call.primitive.name == "index_add":
        z = F.multiply(z, call.params["alpha"])
        return F.index_put(call.values(0), z, *how.arrays, key=how.key, accumulate=True)
    return F.setitem(call.values(0), z, *how.arrays, key=how.key)


def take(call: Call) -> Any:
    axis = call.params["axis"]
    n = call.ndim(0)
    if axis is not None and n == 0:
        return NotImplemented
    if axis is None:
        if not call.holds(0):
            return F.take(call.bare(0), call.bare(1), axis=None)
        flat = F.reshape(call.values(0), (call.size, -1))
        if not call.holds(1):
            return F.take(flat, call.bare(1), axis=1)
        return items(flat, call, (HOLE,))
    if not call.holds(1):
        return F.take(call.values(0), call.bare(1), axis=past(axis, n))
    if not call.holds(0):
        before = axis % n
        out = F.take(call.bare(0), call.bare(1), axis=axis)
        return F.transpose(out, axes=(before, *range(before), *range(before + 1, out.array.ndim))) if before else out
    return items(call.values(0), call, (slice(None),) * (axis % n) + (HOLE,))


def items(values: Any, call: Call, key: tuple[Any, ...]) -> Any:
    """What the index array that operand 1 is takes of the samples ``values``, each of its own."""
    indices = call.ndim(1)
    samples = wrap(np.arange(call.size).reshape(call.size, *(1,) * indices))
    before = len(key) - 1
    order = [0, *range(indices + 1, indices + 1 + before), *range(1, indices + 1)] if before else None
    return ordered(F.take_items(values, samples, call.values(1), key=(HOLE, *key)), order)


def embedding(call: Call) -> Any:
    if not call.holds(0):
        return call.run(call.bare(0), call.bare(1))
    if call.params["padding_idx"] >= 0 or call.params["by_frequency"]:
        return NotImplemented
    return items(call.values(0), call, (HOLE,))


RULES: Final[dict[str, Rule]] = {
    "getitem": getitem, "place": place, "place_all": place_all, "take_items": take_items, "place_items": place_items,
    "setitem": setitem, "index_put": setitem, "take": take, "embedding": embedding,
    **dict.fromkeys(("gather", "place_along", "scatter_add", "scatter", "scatter_extreme"), along_axis),
    **dict.fromkeys(("index_add", "index_copy", "index_fill"), by_slices),
}  # fmt: skip
