"""Indexing. A key is split into what is static (slices, whole numbers, None, Ellipsis) and index arrays,
which are operands: ``key`` holds HOLE where they go. Each way of taking has a way of placing as its adjoint.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from chainrule.core.box import derived, function
from chainrule.core.primitive import general, linear
from chainrule.core.sparse import Pile, Placed

new: Final = tuple.__new__


class _Hole:
    def __repr__(self) -> str:
        return "HOLE"


HOLE: Final = _Hole()  # where an index array goes


def split_key(key: Any) -> tuple[Any, list[Any]]:
    """A key with HOLE for every index array in it, and these arrays."""
    parts = key if isinstance(key, tuple) else (key,)
    arrays = [part for part in parts if is_index_array(part)]
    if not arrays:
        return key, []
    return tuple(HOLE if is_index_array(part) else part for part in parts), arrays


def is_index_array(part: Any) -> bool:
    """Whether a part of a key selects by its elements."""
    return not (part is None or part is Ellipsis or isinstance(part, (int, np.integer, slice))) or isinstance(
        part, bool
    )


def in_two_steps(key: Any, arrays: list[Any]) -> tuple[Any, Any]:
    """A key with numbers and holes as two: slices and numbers first, then the index arrays."""
    first: list[Any] = []
    second: list[Any] = []
    rest = iter(arrays)
    for part in key:
        if part is HOLE:
            array = next(rest)
            is_mask = isinstance(array, bool) or getattr(array, "dtype", np.dtype(int)).name == "bool"
            first += [slice(None)] * (np.ndim(array) if is_mask else 1)
            second.append(HOLE)
        elif part is Ellipsis:
            first.append(part)
            second.append(part)
        else:
            first.append(part)
            if part is None or isinstance(part, slice):
                second.append(slice(None))
    return tuple(first), tuple(second)


def holes(key: tuple[Any, ...]) -> tuple[Any, ...]:
    """A key with holes for its numbers as well."""
    return tuple(HOLE if part is not None and isinstance(part, (int, np.integer)) else part for part in key)


def filled(key: Any, arrays: tuple[Any, ...]) -> Any:
    """``key`` with ``arrays`` put back in its holes."""
    if not arrays:
        return key
    rest = iter(arrays)
    return tuple(next(rest) if part is HOLE else part for part in key)


def _last_step(key: Any) -> str:
    """torch takes a key apart into one node per part and shows the last."""
    parts = [part for part in (key if isinstance(key, tuple) else (key,)) if part is not Ellipsis]
    moved = [part for part in parts if part != slice(None)] if len(parts) > 1 else parts
    if not moved:
        return "AliasBackward0"
    last = moved[-1]
    return "UnsqueezeBackward0" if last is None else "SliceBackward0" if isinstance(last, slice) else "SelectBackward0"


@function
def getitem(x: Any, *, key: Any) -> Any:
    """``x[key]`` by slices and whole numbers: a view, of a single element too."""
    if type(key) is int:
        return x[key, ...]
    out = x[key]
    return out if isinstance(out, np.ndarray) else x[(*key, ...)]


@function
def place(x: Any, *, shape: Any, key: Any) -> Any:
    """Zeros with ``x`` at ``key``."""
    out = np.zeros(shape, x.dtype)
    out[key] = x
    return out


def placed(g: Any, shape: tuple[int, ...], key: Any) -> Any:
    """`place`, as key and value only: loops over elements come here often."""
    return new(Placed, (g, shape, key))


@function
def take_items(x: Any, *indices: Any, key: Any) -> Any:
    """``x[key]`` by index arrays and masks: a copy, in row-major order."""
    return np.array(x[filled(key, indices)], order="C", copy=None)


@function
def place_items(x: Any, *indices: Any, shape: Any, key: Any) -> Any:
    """Zeros with ``x`` added at ``key``, as often as each position is named."""
    out = np.zeros(shape, x.dtype)
    full = filled(key, indices)
    if all(np.asarray(index).dtype == bool for index in indices):
        out[full] = x
    else:
        np.add.at(out, full, x)
    return out


@function
def setitem(x: Any, y: Any, *indices: Any, key: Any) -> Any:
    """A copy of ``x`` with ``y`` stored at ``key``."""
    out = x.copy()
    out[filled(key, indices)] = y
    return out


def _take(x: Any, indices: tuple[Any, ...], key: Any) -> Any:
    return take_items(x, *indices, key=key) if indices else getitem(x, key=key)


def those_that_stay(shape: tuple[int, ...], key: Any) -> np.ndarray | None:
    """Which elements of what is stored at ``key`` stay: the last of those in one place. None if all do."""
    owner = np.empty(shape, np.int64)
    number = np.arange(owner[key].size).reshape(owner[key].shape)
    owner[key] = number
    last: np.ndarray = owner[key] == number
    return None if last.all() else last


@function
def place_all(*xs: Any, shape: Any, keys: Any) -> Any:
    """Zeros with each of ``xs`` added at its key."""
    out = place(xs[0], shape=shape, key=keys[0])
    for x, key in zip(xs[1:], keys[1:], strict=True):
        out[key] += x
    return out


def _placed_all(shape: tuple[int, ...], items: list[Placed]) -> Any:
    if len(items) == 1:
        return place(items[0].g, shape=shape, key=items[0].key)
    return place_all(*(item.g for item in items), shape=shape, keys=tuple(item.key for item in items))


Pile.placed_all = staticmethod(_placed_all)

linear(getitem, lambda g, x, *, key: placed(g, x.shape, key), moves="view",
       node=lambda key: _last_step(key), torch="")  # fmt: skip
linear(place_all, lambda g, i, *xs, shape, keys: getitem(g, key=keys[i]), torch="")
linear(place, lambda g, x, *, shape, key: getitem(g, key=key), moves="copy", torch="")
linear(take_items, lambda g, i, *xs, key: place_items(g, *xs[1:], shape=xs[0].shape, key=key) if i == 0 else None,
       promoted=1, node="IndexBackward0", torch="")  # fmt: skip
linear(
    place_items, lambda g, i, *xs, shape, key: take_items(g, *xs[1:], key=key) if i == 0 else None, promoted=1, torch=""
)
linear(setitem, lambda g, i, *xs, key: setitem(g, 0.0, *xs[2:], key=key) if i == 0 else _take(g, xs[2:], key),
       promoted=2, torch="",
       node=lambda key: "IndexPutBackward0" if HOLE in _parts(key) else "torch::autograd::CopySlices")  # fmt: skip


def _parts(key: Any) -> tuple[Any, ...]:
    return key if isinstance(key, tuple) else (key,)


# Along one axis, as torch's gather and scatter


def _grid(index: Any, axis: int) -> tuple[Any, ...]:
    """The full index of each element of ``index``, which names positions along ``axis``."""
    grid = list(np.ix_(*map(np.arange, index.shape)))
    grid[axis] = index
    return tuple(grid)


def unraveled(flat: Any, shape: tuple[int, ...]) -> tuple[Any, ...]:
    """The index along each axis of positions counted in row-major order.

    NumPy's unravel_index (2.4.6) is wrong beyond 8,192 positions, if their array has a last axis of length 1.
    """
    found: list[Any] = []
    for n in reversed(shape):
        flat, within = np.divmod(flat, n)
        found.insert(0, within)
    return tuple(found)


@function
def gather(x: Any, y: Any, *, axis: int) -> Any:
    """``out[i, j] = x[y[i, j], j]`` for axis 0, and so on."""
    return x[_grid(y, axis)] if x.ndim else x + 0


@function
def place_along(x: Any, y: Any, *, shape: Any, axis: int) -> Any:
    """Zeros with ``x`` added at the positions ``y`` along ``axis``."""
    return _added(np.zeros(shape, x.dtype), y, x, axis)


@function
def scatter_add(x: Any, y: Any, z: Any, *, axis: int) -> Any:
    """A copy of ``x`` with ``z`` added at the positions ``y`` along ``axis``."""
    return _added(x.copy(), y, z, axis)


def _added(out: Any, index: Any, values: Any, axis: int) -> Any:
    values = values[tuple(map(slice, index.shape))]
    if out.ndim == 0:
        return out + values.sum()
    np.add.at(out, _grid(index, axis), values)
    return out


@function
def scatter(x: Any, y: Any, z: Any, *, axis: int) -> Any:
    """A copy of ``x`` with ``z`` stored at the positions ``y`` along ``axis``."""
    out = x.copy()
    out[_grid(y, axis)] = np.broadcast_to(z, y.shape) if np.ndim(z) == 0 else z[tuple(map(slice, y.shape))]
    return out


@function
def index_add(x: Any, y: Any, z: Any, *, axis: int, alpha: float = 1) -> Any:
    """A copy of ``x`` with ``alpha z`` added to its slices number ``y`` along ``axis``."""
    out = x.copy()
    np.add.at(out, (slice(None),) * (axis % x.ndim) + (y,), alpha * z)
    return out


@function
def masked_select(x: Any, y: Any) -> Any:
    """The elements of ``x`` where the mask ``y``."""
    return x[np.broadcast_to(y, x.shape)]


def _within(g: Any, z: Any, index: Any) -> Any:
    """``g``, shaped like ``index``, as a cotangent of the possibly larger ``z``."""
    if z.ndim == 0:
        return np.sum(g)
    return g if z.shape == index.shape else place(g, shape=z.shape, key=tuple(map(slice, index.shape)))


linear(gather, lambda g, x, y, *, axis: place_along(g, y, shape=x.shape, axis=axis))
linear(place_along, lambda g, x, y, *, shape, axis: _within(gather(g, y, axis=axis), x, y), torch="")
linear(scatter_add, lambda g, x, *, axis: g, None, lambda g, y, z, *, axis: _within(gather(g, y, axis=axis), z, y))
linear(masked_select, lambda g, x, y: place_items(g, np.broadcast_to(y, x.shape), shape=x.shape, key=(HOLE,)))
linear(scatter, lambda g, x, y, *, axis: scatter(g, y, np.zeros_like(gather(g, y, axis=axis)), axis=axis), None,
       lambda g, y, z, *, axis: _within(gather(g, y, axis=axis), z, y),
       node=lambda scalars: "ScatterBackward1" if 2 in scalars else "ScatterBackward0")  # fmt: skip
linear(
    index_add,
    lambda g, x, *, axis, alpha=1: g,
    None,
    lambda g, y, z, *, axis, alpha=1: alpha * np.take(g, y, axis=axis),
)


def _take_pullback(g: Any, x: Any, y: Any, axis: int | None) -> Any:
    if axis is None:
        return np.reshape(place_items(g, y, shape=(_size(x.shape),), key=(HOLE,)), x.shape)
    key = (slice(None),) * (axis % len(x.shape)) + (HOLE,)
    return place_items(g, y, shape=x.shape, key=key)


def _size(shape: tuple[int, ...]) -> int:
    size = 1
    for n in shape:
        size *= n
    return size


linear(np.take, lambda g, x, y, *, axis=None: _take_pullback(g, x, y, axis),
       node=lambda axis: "TakeBackward0" if axis is None else "IndexSelectBackward0")  # fmt: skip


@derived(np.take_along_axis)
def take_along_axis(x: Any, indices: Any, axis: int | None = -1) -> Any:
    """NumPy's take_along_axis."""
    if axis is None:
        return gather(np.reshape(x, -1), indices, axis=0)
    axis %= x.ndim
    ours, theirs = (tuple(np.delete(np.shape(y), axis).tolist()) for y in (x, indices))
    if ours == theirs:
        return gather(x, indices, axis=axis)
    around = np.broadcast_shapes(ours, theirs)
    x, indices = (np.broadcast_to(y, (*around[:axis], np.shape(y)[axis], *around[axis:])) for y in (x, indices))
    return gather(x, indices, axis=axis)


@function
def embedding(x: Any, y: Any, *, padding_idx: int = -1, by_frequency: bool = False) -> Any:
    """The rows ``y`` of the table ``x``; row ``padding_idx`` is given no gradient."""
    return np.take(x, y, axis=0)


def _embedding_pullback(g: Any, x: Any, y: Any, padding_idx: int, by_frequency: bool) -> Any:
    if padding_idx >= 0:
        g = np.where(np.expand_dims(y == padding_idx, -1), 0.0, g)
    if by_frequency:
        _, place, counts = np.unique(y, return_inverse=True, return_counts=True)
        g = g / np.expand_dims(counts[place].reshape(y.shape), -1)
    return place_items(g, y, shape=x.shape, key=(HOLE,))


linear(embedding, lambda g, x, y, *, padding_idx=-1, by_frequency=False:
       _embedding_pullback(g, x, y, padding_idx, by_frequency), torch="", node="EmbeddingBackward0")  # fmt: skip


# Storing along one axis, by masks, and anywhere


def _along(axis: int) -> tuple[Any, ...]:
    """The key of slices along ``axis``."""
    return (slice(None),) * axis + (HOLE,)


@function
def index_fill(x: Any, y: Any, z: Any, *, axis: int) -> Any:
    """A copy of ``x`` with the number ``z`` in its slices number ``y`` along ``axis``."""
    return setitem.raw(x, z, y, key=_along(axis))


@function
def index_copy(x: Any, y: Any, z: Any, *, axis: int) -> Any:
    """A copy of ``x`` with the slices of ``z`` as its slices number ``y`` along ``axis``."""
    return setitem.raw(x, z, y, key=_along(axis))


@function
def index_put(x: Any, y: Any, *indices: Any, key: Any, accumulate: bool = False) -> Any:
    """A copy of ``x`` with ``y`` stored at ``key``, or added there as often as each place is named."""
    out = x.copy()
    if accumulate:
        np.add.at(out, filled(key, indices), y)
    else:
        out[filled(key, indices)] = y
    return out


@function
def masked_scatter(x: Any, y: Any, z: Any) -> Any:
    """A copy of ``x`` with the elements of ``z``, in order, where the mask ``y``."""
    out = x.copy()
    places = np.broadcast_to(y, x.shape)
    out[places] = z.reshape(-1)[: np.count_nonzero(places)]
    return out


def _unmasked(g: Any, y: Any, z: Any) -> Any:
    """The cotangent of what `masked_scatter` took its elements from."""
    taken = masked_select(g, y)
    return np.reshape(place(taken, shape=(_size(z.shape),), key=slice(0, taken.shape[0])), z.shape)


linear(index_fill, lambda g, y, *, axis: index_fill(g, y, 0.0, axis=axis), None,
       lambda g, y, *, axis: np.sum(take_items(g, y, key=_along(axis))),
       node=lambda scalars: "IndexFillBackward0" if 2 in scalars else "IndexFillBackward1")  # fmt: skip
linear(index_copy, lambda g, y, *, axis: index_fill(g, y, 0.0, axis=axis), None,
       lambda g, y, *, axis: take_items(g, y, key=_along(axis)))  # fmt: skip
linear(index_put, lambda g, i, *xs, key, accumulate=False: (g if accumulate else setitem(g, 0.0, *xs[2:], key=key))
       if i == 0 else take_items(g, *xs[2:], key=key), promoted=2)  # fmt: skip
linear(masked_scatter, lambda g, y: np.where(y, 0.0, g), None, lambda g, y, z: _unmasked(g, y, z))


@function
def scatter_extreme(x: Any, y: Any, z: Any, *, axis: int, largest: bool, include_self: bool = True) -> Any:
    """The largest (or smallest) of ``x`` and of what ``z`` brings to each position ``y`` along ``axis``."""
    out = x.copy()
    grid, values = _grid(y, axis), z[tuple(map(slice, y.shape))]
    if not include_self:
        limits = np.iinfo(x.dtype) if x.dtype.kind in "iu" else np.finfo(x.dtype)
        lowest, highest = (limits.min, limits.max) if x.dtype.kind in "iu" else (-np.inf, np.inf)
        out[grid] = lowest if largest else highest
    (np.maximum if largest else np.minimum).at(out, grid, values)
    return out


def _shares(g: Any, x: Any, y: Any, z: Any, out: Any, axis: int, include_self: bool) -> tuple[Any, Any]:
    """The cotangents of x and z: equal parts for all that attain the extreme."""
    mine = np.where(x == out, np.ones_like(g), 0.0)
    if not include_self:
        mine = scatter(mine, y, np.zeros_like(gather(mine, y, axis=axis)), axis=axis)
    taken = getitem(z, key=tuple(map(slice, y.shape)))
    theirs = np.where(taken == gather(out, y, axis=axis), np.ones_like(taken), 0.0)
    part = g / np.maximum(scatter_add(mine, y, theirs, axis=axis), 1.0)
    return mine * part, theirs * gather(part, y, axis=axis)


general(scatter_extreme,
        lambda g, x, y, z, out, *, axis, largest, include_self=True: _shares(g, x, y, z, out, axis, include_self)[0], None,
        lambda g, x, y, z, out, *, axis, largest, include_self=True:
        _within(_shares(g, x, y, z, out, axis, include_self)[1], z, y),
        torch="", node="ScatterReduceBackward0", kinks="a tie is shared")  # fmt: skip
