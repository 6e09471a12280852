"""NumPy's ways to put arrays together and to take them apart, from those that the table has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.core.box import Box, derived, not_in_table
from chainrule.ops.shaping import copy, even_split


def newer(*names: str) -> list[Any]:
    """NumPy's functions of these names, of which older versions lack some."""
    return [getattr(np, name) for name in names if hasattr(np, name)]


def places(condition: Any) -> Any:
    """Where the elements of ``condition`` hold, counted through."""
    return np.nonzero(np.ravel(condition))[0]


# Apart


@derived(np.hsplit)
def hsplit(ary: Any, indices_or_sections: Any) -> Any:
    """Parts along the second axis (the first of vectors)."""
    return even_split(ary, indices_or_sections, 0 if ary.ndim == 1 else 1)


@derived(np.vsplit)
def vsplit(ary: Any, indices_or_sections: Any) -> Any:
    """Parts along the first axis."""
    return even_split(ary, indices_or_sections, 0)


@derived(np.dsplit)
def dsplit(ary: Any, indices_or_sections: Any) -> Any:
    """Parts along the third axis."""
    return even_split(ary, indices_or_sections, 2)


@derived(np.delete)
def delete(arr: Any, obj: Any, axis: int | None = None) -> Any:
    """What is left along ``axis`` (of all elements) without the places ``obj``."""
    x, axis = (np.ravel(arr), 0) if axis is None else (arr, axis)
    obj = np.asarray(obj) if isinstance(obj, Box) else obj
    return np.take(x, np.delete(np.arange(x.shape[axis]), obj), axis=axis)


@derived(np.compress)
def compress(condition: Any, a: Any, axis: int | None = None) -> Any:
    """The slices along ``axis`` (the elements) where ``condition``."""
    return np.take(np.ravel(a) if axis is None else a, places(condition), axis=axis or 0)


@derived(np.extract)
def extract(condition: Any, arr: Any) -> Any:
    """The elements where ``condition``."""
    return np.take(np.ravel(arr), places(condition), axis=0)


@derived(*newer("unstack"))
def unstack(x: Any, /, *, axis: int = 0) -> tuple[Any, ...]:
    """The slices along ``axis``."""
    return tuple(np.moveaxis(x, axis, 0))


# Together


@derived(np.dstack)
def dstack(tup: Any) -> Any:
    """One behind the other along the third axis."""
    return np.concatenate([atleast_3d(x) for x in tup], axis=2)


@derived(np.atleast_3d)
def atleast_3d(*arys: Any) -> Any:
    """NumPy's atleast_3d: vectors in the middle axis."""
    found = tuple(_three(x if isinstance(x, Box) else np.asarray(x)) for x in arys)
    return found[0] if len(found) == 1 else found


def _three(x: Any) -> Any:
    return x if x.ndim > 2 else np.expand_dims(x, 2) if x.ndim == 2 else np.reshape(x, (1, -1, 1))


@derived(np.block)
def block(arrays: Any) -> Any:
    """Nested lists of blocks as one: the innermost along the last axis."""
    depth = _depth(arrays)
    if not depth:
        return np.copy(arrays)
    return _joined(arrays, depth, max(depth, _rank(arrays)))


def _depth(arrays: Any) -> int:
    return 1 + _depth(arrays[0]) if isinstance(arrays, list) else 0


def _rank(arrays: Any) -> int:
    return max(map(_rank, arrays)) if isinstance(arrays, list) else np.ndim(arrays)


def _joined(arrays: Any, depth: int, rank: int) -> Any:
    if not isinstance(arrays, list):
        return np.reshape(arrays, (1,) * (rank - np.ndim(arrays)) + np.shape(arrays))
    return np.concatenate([_joined(part, depth - 1, rank) for part in arrays], axis=-depth)


@derived(np.insert)
def insert(arr: Any, obj: Any, values: Any, axis: int | None = None) -> Any:
    """``arr`` with ``values`` before the place ``obj`` along ``axis`` (of all elements)."""
    if isinstance(obj, Box):
        obj = np.asarray(obj)[()]
    if not isinstance(obj, (int, np.integer)):
        raise not_in_table(np.insert, " at several places")
    x, axis = (np.ravel(arr), 0) if axis is None else (arr, axis % arr.ndim)
    before = (slice(None),) * axis
    n = x.shape[axis]
    place = int(obj) + n * (obj < 0)
    if not 0 <= place <= n:
        raise IndexError(f"index {obj} is out of bounds for axis {axis} with size {n}")
    shape = (*x.shape[:axis], 1, *x.shape[axis + 1 :])
    given = np.reshape(values, (-1,)) if x.ndim == 1 else np.broadcast_to(_in_line(values, axis, x.ndim), shape)
    return np.concatenate([x[(*before, slice(place))], given, x[(*before, slice(place, None))]], axis=axis)


def _in_line(values: Any, axis: int, rank: int) -> Any:
    """Values of one slice, with the axis that is missing in it."""
    return np.expand_dims(values, axis) if np.ndim(values) == rank - 1 else values


@derived(np.diagflat)
def diagflat(v: Any, k: int = 0) -> Any:
    """A matrix with these elements on a diagonal."""
    return np.diag(np.ravel(v), k)


@derived(np.meshgrid)
def meshgrid(*xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> Any:
    """Coordinates of a grid, an array for each axis."""
    if indexing not in ("xy", "ij"):
        raise ValueError("Valid values for `indexing` are 'xy' and 'ij'.")
    n = len(xi)
    order = [1, 0, *range(2, n)] if indexing == "xy" and n > 1 else list(range(n))
    lines = [np.reshape(x, tuple(-1 if k == order[i] else 1 for k in range(n))) for i, x in enumerate(xi)]
    found = lines if sparse else np.broadcast_arrays(*lines)
    return tuple(np.copy(x) for x in found) if copy else tuple(found)


@derived(np.rot90)
def rot90(m: Any, k: int = 1, axes: tuple[int, int] = (0, 1)) -> Any:
    """Turned by ``k`` right angles."""
    first, second = axes
    if k % 4 == 0:
        return m[...]
    if k % 4 == 2:
        return np.flip(m, axes)
    turned = np.flip(m, second) if k % 4 == 1 else m
    turned = np.swapaxes(turned, first, second)
    return turned if k % 4 == 1 else np.flip(turned, second)


@derived(np.rollaxis)
def rollaxis(a: Any, axis: int, start: int = 0) -> Any:
    """One axis before another."""
    axis, start = axis % a.ndim, start + a.ndim * (start < 0)
    return np.moveaxis(a, axis, start - (axis < start))


# Chosen


@derived(np.select)
def select(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    """Of the choices, the first whose condition holds."""
    out = default
    for condition, choice in zip(reversed(condlist), reversed(choicelist), strict=True):
        out = np.where(condition, choice, out)
    return out


@derived(np.piecewise)
def piecewise(x: Any, condlist: Any, funclist: Any, *args: Any, **kw: Any) -> Any:
    """Of the functions (or numbers) the last whose condition holds, each computed where that is; one more for elsewhere."""
    conditions = list(condlist) if isinstance(condlist, (list, tuple)) or np.ndim(condlist) > np.ndim(x) else [condlist]
    if len(funclist) == len(conditions) + 1:
        elsewhere = np.logical_not(conditions[0])
        for condition in conditions[1:]:
            elsewhere = np.logical_and(elsewhere, np.logical_not(condition))
        conditions.append(elsewhere)
    out = np.zeros_like(x)
    for condition, fun in zip(conditions, funclist, strict=True):
        where = places(condition)
        if where.size:  # NumPy calls nothing for nothing
            out = np.where(condition, _applied(fun, x, where, args, kw) if callable(fun) else fun, out)
    return out


def _applied(fun: Callable[..., Any], x: Any, where: Any, args: Any, kw: Any) -> Any:
    """``fun`` of the elements at these places, each in its own."""
    flat = np.zeros_like(np.ravel(x))
    flat[where] = fun(np.take(np.ravel(x), where, axis=0), *args, **kw)
    return np.reshape(flat, x.shape)


@derived(np.apply_along_axis)
def apply_along_axis(func1d: Callable[..., Any], axis: int, arr: Any, *args: Any, **kwargs: Any) -> Any:
    """``func1d`` of each line along ``axis``, the results in its place."""
    lines = np.moveaxis(arr, axis, -1)
    around = lines.shape[:-1]
    found = [func1d(line, *args, **kwargs) for line in np.reshape(lines, (-1, lines.shape[-1]))]
    stacked = np.stack(found)
    out = np.reshape(stacked, around + tuple(stacked.shape[1:]))
    own = range(stacked.ndim - 1)
    return np.moveaxis(out, [len(around) + k for k in own], [axis % arr.ndim + k for k in own])


derived(np.linalg.matrix_transpose, np.matrix_transpose)(lambda x, /: np.swapaxes(x, -1, -2))
derived(np.linalg.diagonal)(lambda x, /, *, offset=0: np.diagonal(x, offset, -2, -1))
derived(np.linalg.trace)(lambda x, /, *, offset=0, dtype=None: np.trace(x, offset, -2, -1))
derived(np.copy)(lambda a, order="K", subok=False: copy(a))
