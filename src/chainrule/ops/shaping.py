"""Moving elements about: shapes, axes, joining, splitting, repeating, triangles and diagonals."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.core.box import Box, derived, function, not_in_table
from chainrule.core.primitive import general, linear
from chainrule.core.sweep import unbroadcast
from chainrule.ops.indexing import HOLE, getitem, place, place_items
from chainrule.ops.reduction import axes_of
from chainrule.ops.strided import on_memory

# Shapes and axes

linear(np.reshape, lambda g, x, *, shape: g.reshape(x.shape), raw=lambda x, *, shape: x.reshape(shape),
       moves="maybe view", node="ViewBackward0")  # fmt: skip


def _expanded(x: Any, *, shape: tuple[int, ...]) -> Any:
    """NumPy's broadcast_to, but writable where ``x`` is (each place then stands for several elements)."""
    if type(x) is np.ndarray and x.ndim == 0:
        return np.ndarray(shape, x.dtype, x, 0, (0,) * len(shape))
    lead = len(shape) - x.ndim
    if type(x) is np.ndarray and lead >= 0 and all(n in (1, m) for n, m in zip(x.shape, shape[lead:], strict=True)):
        steps = (0,) * lead + tuple(0 if n == 1 else step // x.itemsize for n, step in zip(x.shape, x.strides, strict=True))
        return on_memory(x, shape, steps, 0)
    return np.broadcast_to(x, shape)


linear(np.broadcast_to, lambda g, x, *, shape: unbroadcast(g, x.shape), raw=_expanded, moves="view", node="ExpandBackward0")
linear(np.expand_dims, lambda g, x, *, axis: g.reshape(x.shape), moves="view", node="UnsqueezeBackward0")
linear(np.squeeze, lambda g, x, *, axis=None: g.reshape(x.shape), moves="view",
       node=lambda axis: f"SqueezeBackward{0 if axis is None else 2 if isinstance(axis, tuple) else 1}")  # fmt: skip


def inverse(axes: Any) -> Any:
    """The permutation that undoes ``axes``."""
    if axes is None:
        return None
    n = len(axes)
    return tuple(sorted(range(n), key=lambda k: axes[k] % n))


linear(np.transpose, lambda g, x, *, axes=None: np.transpose(g, inverse(axes)), moves="view", node="PermuteBackward0")
linear(np.swapaxes, lambda g, x, *, axis1, axis2: np.swapaxes(g, axis1, axis2), moves="view", node="TransposeBackward0")


@function
def t(x: Any) -> Any:
    """The transpose of a matrix; a vector or a number as it is."""
    return x.T


linear(t, lambda g, x: t(g), moves="view", node="TBackward0")


@function
def copy(x: Any) -> Any:
    """A copy in memory of its own."""
    return np.array(x)


linear(copy, lambda g, x: g, moves="copy", torch="clone", node="CloneBackward0")
linear(np.ascontiguousarray, lambda g, x: g, raw=lambda x: np.ascontiguousarray(x)[...], moves="maybe view", torch="",
       node="CloneBackward0")  # fmt: skip


@derived(np.moveaxis)
def moveaxis(x: Any, source: Any, destination: Any) -> Any:
    """NumPy's moveaxis."""
    source, destination = axes_of(source, x.ndim), axes_of(destination, x.ndim)
    order = [k for k in range(x.ndim) if k not in source]
    for to, axis in sorted(zip(destination, source, strict=True)):
        order.insert(to, axis)
    return np.transpose(x, tuple(order))


@derived(np.ravel)
def ravel(x: Any, order: str = "C") -> Any:
    """NumPy's ravel."""
    if order == "F":
        return np.reshape(np.transpose(x), (-1,))
    if order != "C":
        raise not_in_table(np.ravel, f" with order={order!r}")
    return np.reshape(x, (-1,))


# Joining and splitting


def row_major(x: np.ndarray) -> np.ndarray:
    """``x`` with its elements in row-major order: NumPy would keep that of the parts, but `reshape` is to give a view."""
    return x if x.flags.c_contiguous else np.ascontiguousarray(x)


def _segment(g: Any, i: int, xs: Any, axis: int | None) -> Any:
    """The part of ``g`` that came from operand ``i`` of a concatenation (without an axis, of what was flattened)."""
    if axis is None:
        start = sum(math.prod(x.shape) for x in xs[:i])
        return getitem(g, key=slice(start, start + math.prod(xs[i].shape))).reshape(xs[i].shape)
    axis = axis % xs[0].ndim
    start = sum(x.shape[axis] for x in xs[:i])
    return getitem(g, key=(slice(None),) * axis + (slice(start, start + xs[i].shape[axis]),))


linear(np.concatenate, lambda g, i, *xs, axis=0: _segment(g, i, xs, axis), listed=True, torch="cat",
       raw=lambda *xs, axis=0: row_major(np.concatenate(xs, axis)))  # fmt: skip
linear(np.stack, lambda g, i, *xs, axis=0: getitem(g, key=(slice(None),) * (axis % (xs[0].ndim + 1)) + (i,)), listed=True,
       raw=lambda *xs, axis=0: row_major(np.stack(xs, axis)))  # fmt: skip


@function
def unbind(x: Any, *, axis: int = 0) -> Any:
    """The slices along ``axis``: views, of single elements too."""
    rows = np.moveaxis(x, axis, 0)
    return tuple(rows[k, ...] for k in range(len(rows)))


@function
def together(*xs: Any) -> Any:
    """The operands as they are, as the results of one node."""
    return xs


@function
def split(x: Any, *, sizes: Any, axis: int = 0) -> Any:
    """Parts of the given ``sizes`` along ``axis``."""
    ends = np.cumsum(sizes)
    if ends[-1] != x.shape[axis]:
        raise ValueError(f"split sizes {list(sizes)} do not sum to {x.shape[axis]}, the length of axis {axis}")
    return tuple(np.split(x, ends[:-1], axis=axis))


def _present(g: Any, shape: tuple[int, ...]) -> Any:
    """The parts of a cotangent, zeros of ``shape`` for the absent ones."""
    like = next(part for part in g if part is not None)
    return [np.zeros_like(like, shape=shape) if part is None else part for part in g]


def _even(sizes: Any) -> bool:
    """Whether all parts but perhaps the last have one size."""
    return len({*sizes[:-1]}) <= 1 and sizes[-1] <= sizes[0]


def _split_pullback(g: Any, x: Any, sizes: Any, axis: int) -> Any:
    axis = axis % x.ndim
    total = None
    for k, part in enumerate(g):
        if part is not None:
            start = sum(sizes[:k])
            key = (slice(None),) * axis + (slice(start, start + sizes[k]),)
            full = place(part, shape=x.shape, key=key)
            total = full if total is None else total + full
    return total


linear(unbind, lambda g, x, *, axis=0: np.stack(_present(g, x.shape[: axis % x.ndim] + x.shape[axis % x.ndim + 1 :]), axis),
       outputs=-1, moves="view")  # fmt: skip
general(together, lambda g, i: g[i], outputs=-1, promoted=0, moves="view",
        jvp=lambda t, *xs: tuple(np.zeros_like(x) if s is None else s for s, x in zip(t, xs, strict=True)),
        torch="", node="BackwardHookFunctionBackward")  # fmt: skip
linear(split, lambda g, x, *, sizes, axis=0: _split_pullback(g, x, sizes, axis), outputs=-1, moves="view",
       node=lambda sizes: "SplitBackward0" if _even(sizes) else "SplitWithSizesBackward0")  # fmt: skip

# Reversing, rolling, padding, repeating

linear(np.flip, lambda g, x, *, axis=None: np.flip(g, axis), raw=lambda x, *, axis=None: np.flip(x, axis).copy())
linear(np.roll, lambda g, x, *, shift, axis=None: np.roll(g, _negated(shift), axis))


def _negated(shift: Any) -> Any:
    return tuple(-s for s in shift) if isinstance(shift, (tuple, list)) else -shift


@function
def pad(x: Any, *, width: Any, value: float = 0) -> Any:
    """``x`` with ``width[k] = (before, after)`` copies of ``value`` around it along each axis k."""
    return np.pad(x, width, constant_values=value)


def _unpadded(g: Any, x: Any, width: Any) -> Any:
    return getitem(g, key=tuple(slice(before, before + n) for (before, _), n in zip(width, x.shape, strict=True)))


linear(pad, lambda g, x, *, width, value=0: _unpadded(g, x, width), jvp=lambda t, *, width, value=0: pad(t, width=width),
       node="ConstantPadNdBackward0", torch="")  # fmt: skip


@derived(np.pad)
def numpy_pad(x: Any, pad_width: Any, mode: str = "constant", *, constant_values: float = 0) -> Any:
    """NumPy's pad: with a constant, or with elements from inside."""
    width = np.broadcast_to(pad_width, (x.ndim, 2)).tolist()
    if mode == "constant":
        return pad(x, width=tuple(map(tuple, width)), value=constant_values)
    if mode not in ("edge", "reflect", "symmetric", "wrap"):
        raise not_in_table(np.pad, f" with mode={mode!r}")
    for axis, (before, after) in enumerate(width):
        places = np.pad(np.arange(x.shape[axis]), (before, after), mode)  # type: ignore[call-overload]
        x = np.take(x, places, axis=axis)
    return x


def _tile_pullback(g: Any, x: Any, reps: Any) -> Any:
    reps = (1,) * (x.ndim - len(reps)) + tuple(reps)
    shape = (1,) * (len(reps) - x.ndim) + tuple(x.shape)
    pairs = tuple(n for pair in zip(reps, shape, strict=True) for n in pair)
    return np.reshape(np.sum(np.reshape(g, pairs), axis=tuple(range(0, len(pairs), 2))), x.shape)


linear(np.tile, lambda g, x, *, reps: _tile_pullback(g, x, np.atleast_1d(reps).tolist()),
       node="RepeatBackward0")  # fmt: skip


def _repeat_pullback(g: Any, x: Any, repeats: Any, axis: int | None) -> Any:
    n = math.prod(x.shape) if axis is None else x.shape[axis]
    origin = np.repeat(np.arange(n), repeats)
    if axis is None:
        return np.reshape(place_items(g, origin, shape=(n,), key=(HOLE,)), x.shape)
    return place_items(g, origin, shape=x.shape, key=(slice(None),) * (axis % x.ndim) + (HOLE,))


linear(np.repeat, lambda g, x, *, repeats, axis=None: _repeat_pullback(g, x, repeats, axis),
       torch="repeat_interleave", node="ViewBackward0")  # fmt: skip

# Triangles and diagonals

linear(np.tril, lambda g, x, *, k=0: np.tril(g, k))
linear(np.triu, lambda g, x, *, k=0: np.triu(g, k))
@function
def place_diagonal(x: Any, *, shape: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """Zeros with ``x`` on a diagonal."""
    out = np.zeros(shape, x.dtype)
    diagonal = np.diagonal(out, offset, axis1, axis2)
    diagonal.flags.writeable = True
    diagonal[...] = x
    return out


def _diagonal(x: Any, *, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """NumPy's diagonal, but writable where ``x`` is."""
    view = np.diagonal(x, offset, axis1, axis2)
    view.flags.writeable = x.flags.writeable
    return view


linear(np.diagonal, lambda g, x, *, offset=0, axis1=0, axis2=1:
       place_diagonal(g, shape=x.shape, offset=offset, axis1=axis1, axis2=axis2), raw=_diagonal, moves="view")  # fmt: skip


linear(place_diagonal, lambda g, x, *, shape, offset=0, axis1=0, axis2=1: np.diagonal(g, offset, axis1, axis2),
       torch="", node="DiagEmbedBackward0")  # fmt: skip


@function
def diagonal_copy(x: Any, *, offset: int = 0) -> Any:
    """The diagonal of a matrix, in memory of its own."""
    return np.diagonal(x, offset).copy()


linear(diagonal_copy, lambda g, x, *, offset=0: place_diagonal(g, shape=x.shape, offset=offset), torch="",
       node="DiagonalBackward0_copy")  # fmt: skip


@function
def trace(x: Any) -> Any:
    """The sum of the diagonal of a matrix."""
    return np.trace(x)


linear(trace, lambda g, x: g * np.eye(*x.shape, dtype=np.bool_))


@derived(np.trace)
def numpy_trace(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """NumPy's trace."""
    return np.sum(np.diagonal(x, offset, axis1, axis2), axis=-1)


@derived(np.diag)
def diag(x: Any, k: int = 0) -> Any:
    """The diagonal of a matrix, or the matrix with a vector as its diagonal."""
    if x.ndim == 1:
        n = x.shape[0] + abs(k)
        return place_diagonal(x, shape=(n, n), offset=k)
    return diagonal_copy(x, offset=k)


# NumPy functions that are other ones in disguise


def broadcastable(shape: tuple[int, ...], to: tuple[int, ...]) -> bool:
    """Whether ``shape`` can be stretched to ``to``."""
    return len(shape) <= len(to) and all(n in (1, m) for n, m in zip(shape[::-1], to[::-1], strict=False))


def _at_least(n: int, x: Any) -> Any:
    """``x`` with new axes in front until it has ``n``."""
    short = n - np.ndim(x)
    return np.reshape(x, (1,) * short + tuple(x.shape)) if short > 0 else x


def _each(fun: Callable[[Any], Any], arrays: tuple[Any, ...]) -> Any:
    """``fun`` of each array, in a tuple if there are several."""
    found = tuple(fun(x if isinstance(x, Box) else np.asarray(x)) for x in arrays)
    return found[0] if len(found) == 1 else found


@derived(np.atleast_1d)
def atleast_1d(*arys: Any) -> Any:
    """NumPy's atleast_1d."""
    return _each(lambda x: _at_least(1, x), arys)


@derived(np.atleast_2d)
def atleast_2d(*arys: Any) -> Any:
    """NumPy's atleast_2d."""
    return _each(lambda x: _at_least(2, x), arys)


@derived(np.broadcast_arrays)
def broadcast_arrays(*args: Any, subok: bool = False) -> Any:
    """NumPy's broadcast_arrays: all stretched to one shape."""
    shape = np.broadcast_shapes(*map(np.shape, args))
    return tuple(np.broadcast_to(x, shape) for x in args)


@derived(np.vstack)
def vstack(tup: Any) -> Any:
    """Rows on top of each other."""
    return np.concatenate([atleast_2d(x) for x in tup], axis=0)


@derived(np.hstack)
def hstack(tup: Any) -> Any:
    """Side by side along the second axis (the first of vectors)."""
    parts = [atleast_1d(x) for x in tup]
    return np.concatenate(parts, axis=0 if parts[0].ndim == 1 else 1)


@derived(np.column_stack)
def column_stack(tup: Any) -> Any:
    """Vectors as the columns of a matrix."""
    return np.concatenate([np.reshape(x, (-1, 1)) if x.ndim < 2 else x for x in tup], axis=1)


@derived(np.append)
def append(x: Any, values: Any, axis: int | None = None) -> Any:
    """NumPy's append."""
    return np.concatenate([np.ravel(x), np.ravel(values)]) if axis is None else np.concatenate([x, values], axis=axis)


@derived(np.split)
def even_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> Any:
    """NumPy's split, into parts of one size. ValueError if there are none such."""
    if isinstance(indices_or_sections, (int, np.integer)) and ary.shape[axis] % indices_or_sections:
        raise ValueError("array split does not result in an equal division")
    return numpy_split(ary, indices_or_sections, axis)


@derived(np.array_split)
def numpy_split(x: Any, indices_or_sections: Any, axis: int = 0) -> Any:
    """NumPy's array_split."""
    n = x.shape[axis]
    if isinstance(indices_or_sections, (int, np.integer)):
        k = int(indices_or_sections)
        sizes = [n // k + (j < n % k) for j in range(k)]
    else:
        ends = [*(min(int(e), n) for e in indices_or_sections), n]
        sizes = [b - a for a, b in zip([0, *ends], ends, strict=False)]
    return list(split(x, sizes=tuple(sizes), axis=axis))


def _slice_of(end: Any, x: Any, axis: int) -> Any:
    """``end`` as something to join to ``x`` along an axis: a number is as many as are needed."""
    return end if np.ndim(end) else np.broadcast_to(end, (*x.shape[: axis % x.ndim], 1, *x.shape[axis % x.ndim + 1 :]))


@derived(np.diff)
def diff(x: Any, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Any:
    """Differences of neighbours along ``axis``, ``n`` times, of x between what is to be prepended and appended."""
    if n < 0:
        raise ValueError(f"order must be non-negative but got {n}")
    ends = [None if end is None or end is np._NoValue else _slice_of(end, x, axis) for end in (prepend, append)]
    if any(end is not None for end in ends):
        x = np.concatenate([part for part in (ends[0], x, ends[1]) if part is not None], axis=axis)
    before = (slice(None),) * (axis % x.ndim)
    for _ in range(n):
        x = getitem(x, key=(*before, slice(1, None))) - getitem(x, key=(*before, slice(None, -1)))
    return x


@derived(np.fliplr)
def fliplr(x: Any) -> Any:
    """Columns in reverse order."""
    return np.flip(x, 1)


@derived(np.flipud)
def flipud(x: Any) -> Any:
    """Rows in reverse order."""
    return np.flip(x, 0)
