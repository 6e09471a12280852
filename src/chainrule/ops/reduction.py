"""Reductions. ``restore`` brings a reduced cotangent back to the operand's shape."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.core.box import Box, derived, function
from chainrule.core.primitive import general, linear, non_differentiable
from chainrule.ops.elementwise import direction, exp_known
from chainrule.ops.indexing import place_along

add_up: Any = np.add.reduce  # np.sum of a plain array, in half the time
SMALL = 4096  # elements up to which filling is cheaper than a broadcast view


def axes_of(axis: Any, ndim: int) -> tuple[int, ...]:
    """The axes that ``axis`` (None, a number or several) means, each in ``[0, ndim)``."""
    if axis is None:
        return tuple(range(ndim))
    given = axis if isinstance(axis, (tuple, list)) else (axis,)
    return tuple(a % ndim if ndim else 0 for a in given)


def kept_shape(shape: tuple[int, ...], axis: Any) -> tuple[int, ...]:
    """The shape after reducing over ``axis`` with keepdims."""
    axes = axes_of(axis, len(shape))
    return tuple(1 if k in axes else n for k, n in enumerate(shape))


def count(shape: tuple[int, ...], axis: Any) -> int:
    """How many elements are reduced to one."""
    return math.prod(shape[a] for a in axes_of(axis, len(shape)) if shape)


def restore(g: Any, x: Any, axis: Any, keepdims: bool) -> Any:
    """``g``, a result of reducing something shaped like ``x`` over ``axis``, stretched to x's shape."""
    shape = x.shape
    if not isinstance(g, Box) and (axis is None or keepdims) and math.prod(shape) <= SMALL:
        full = np.empty(shape, g.dtype)
        full[...] = g
        return full
    if not keepdims and axis is not None:
        g = g.reshape(kept_shape(shape, axis))
    return np.broadcast_to(g, shape)


def _mean(x: Any, *, axis: Any = None, keepdims: bool = False) -> Any:
    return add_up(x, axis=axis, keepdims=keepdims) / (count(x.shape, axis) or math.nan)


def by_axis(name: str) -> Any:
    """torch numbers its overloads: 0 for all elements, 1 for given axes."""
    return lambda *, axis: f"{name}Backward0" if axis is None else f"{name}Backward1"


linear(
    np.sum,
    lambda g, x, *, axis=None, keepdims=False: restore(g, x, axis, keepdims),
    raw=add_up,
    node=by_axis("Sum"),
)
linear(np.mean, lambda g, x, *, axis=None, keepdims=False: restore(g / count(x.shape, axis), x, axis, keepdims),
       raw=_mean, node=by_axis("Mean"), integers="float")  # fmt: skip


# Extrema: ties share evenly


def _at_the(out: Any, x: Any) -> Any:
    """Where ``x`` is ``out``, a scalar, NaN being NaN."""
    return (x == out) | (np.isnan(x) & np.isnan(out))


def extremum_pullback(g: Any, x: Any, out: Any, axis: Any, keepdims: bool) -> Any:
    """``g`` shared evenly among the elements that equal the extremum."""
    equal = _at_the(out, x) if axis is None else x == restore(out, x, axis, keepdims)
    ties = np.where(equal, np.ones_like(x), 0.0)
    return restore(g / np.sum(ties, axis=axis, keepdims=keepdims), x, axis, keepdims) * ties


general(np.max, lambda g, x, out, *, axis=None, keepdims=False: extremum_pullback(g, x, out, axis, keepdims),
        raw=np.maximum.reduce, torch="amax", kinks="ties share evenly",
        node=lambda *, axis: "MaxBackward1" if axis is None else "AmaxBackward0")  # fmt: skip
general(np.min, lambda g, x, out, *, axis=None, keepdims=False: extremum_pullback(g, x, out, axis, keepdims),
        raw=np.minimum.reduce, torch="amin", kinks="ties share evenly",
        node=lambda *, axis: "MinBackward1" if axis is None else "AminBackward0")  # fmt: skip


@function
def max_with_index(x: Any, *, axis: int, keepdims: bool = False) -> Any:
    """The largest element along ``axis`` and where it first stands."""
    return _with_index(x, np.argmax(x, axis=axis, keepdims=True), axis, keepdims)


@function
def min_with_index(x: Any, *, axis: int, keepdims: bool = False) -> Any:
    """The smallest element along ``axis`` and where it first stands."""
    return _with_index(x, np.argmin(x, axis=axis, keepdims=True), axis, keepdims)


def _with_index(x: Any, where: Any, axis: int, keepdims: bool) -> Any:
    value = np.take_along_axis(x, where, axis=axis) if x.ndim else x
    return (value, where) if keepdims or not x.ndim else (value.squeeze(axis), where.squeeze(axis))


def _chosen(g: Any, x: Any, indices: Any, axis: int, keepdims: bool) -> Any:
    kept = kept_shape(x.shape, axis)
    return place_along(np.reshape(g, kept), np.reshape(indices, kept), shape=x.shape, axis=axis)


for _fun, _name in ((max_with_index, "Max"), (min_with_index, "Min")):
    general(_fun, lambda g, x, out, *, axis, keepdims=False: _chosen(g[0], x, out[1], axis, keepdims), outputs=2, torch="",
            selects=True, node=f"{_name}Backward0", kinks="all to the first of several equal")  # fmt: skip


@function
def sort_with_index(x: Any, *, axis: int = -1, descending: bool = False) -> Any:
    """The elements in order along ``axis`` and where each stood; equal elements keep their order."""
    if x.ndim == 0:
        return x.copy(), np.zeros((), np.int64)
    if descending:
        order = np.flip(x.shape[axis] - 1 - np.argsort(np.flip(x, axis), axis=axis, kind="stable"), axis).copy()
    else:
        order = np.argsort(x, axis=axis, kind="stable")
    return np.take_along_axis(x, order, axis=axis), order


general(sort_with_index, lambda g, x, out, *, axis=-1, descending=False:
        place_along(g[0], out[1], shape=x.shape, axis=axis), outputs=2, selects=True,
        torch="", node="SortBackward0", kinks="equal elements keep their order")  # fmt: skip


@derived(np.sort)
def sort(x: Any, axis: int | None = -1, **how: Any) -> Any:
    """NumPy's sort."""
    return sort_with_index(np.reshape(x, (-1,)), axis=0)[0] if axis is None else sort_with_index(x, axis=axis)[0]


# Spread and norms


def _spread(x: Any, axis: Any, ddof: float) -> tuple[Any, float]:
    mean = np.sum(x, axis=axis, keepdims=True) / (count(x.shape, axis) or math.nan)  # np.mean warns of no elements
    return x - mean, max(count(x.shape, axis) - ddof, 0)


def _var(x: Any, *, axis: Any = None, ddof: float = 0, keepdims: bool = False) -> Any:
    away, n = x - _mean(x, axis=axis, keepdims=True), max(count(x.shape, axis) - ddof, 0)
    square = np.real(away * np.conjugate(away)) if x.dtype.kind == "c" else away * away
    return add_up(square, axis=axis, keepdims=keepdims) / (n or np.float64(0).astype(square.dtype))


def var_pullback(g: Any, x: Any, axis: Any, ddof: float, keepdims: bool) -> Any:
    """``2 g (x - mean) / (n - ddof)``."""
    away, n = _spread(x, axis, ddof)
    return restore(g * (2 / n if n else math.inf), x, axis, keepdims) * away


general(np.var, lambda g, x, *, axis=None, ddof=0, keepdims=False: var_pullback(g, x, axis, ddof, keepdims), raw=_var,
        integers="float")  # fmt: skip
general(
    np.std,
    lambda g, x, out, *, axis=None, ddof=0, keepdims=False:
        var_pullback(np.where(out == 0, 0.0, g / np.where(out == 0, 1.0, 2 * out)), x, axis, ddof, keepdims),
    raw=lambda x, **params: np.sqrt(_var(x, **params)), integers="float", kinks="0 where all elements are equal",
)  # fmt: skip


@function
def var_mean(x: Any, *, axis: Any = None, ddof: float = 0, keepdims: bool = False) -> Any:
    """The variance and the mean, as two results of one call."""
    return _var(x, axis=axis, ddof=ddof, keepdims=keepdims), np.mean(x, axis=axis, keepdims=keepdims)


def _var_mean_pullback(g: Any, x: Any, axis: Any, ddof: float, keepdims: bool) -> Any:
    by_var, by_mean = g
    total = None if by_var is None else var_pullback(by_var, x, axis, ddof, keepdims)
    if by_mean is None:
        return total
    part = restore(by_mean / count(x.shape, axis), x, axis, keepdims)
    return part if total is None else total + part


general(var_mean, lambda g, x, *, axis=None, ddof=0, keepdims=False: _var_mean_pullback(g, x, axis, ddof, keepdims),
        outputs=2, integers="float", torch="")  # fmt: skip


@function
def median(x: Any) -> Any:
    """The middle element of all, the lower one of two; NaN if there is one."""
    flat = x.reshape(-1)
    if flat.dtype.kind == "f" and (np.isnan(flat).any() or not flat.size):
        return np.asarray(np.nan, x.dtype)
    return np.asarray(np.partition(flat, (flat.size - 1) // 2)[(flat.size - 1) // 2])


def _median_pullback(g: Any, x: Any, out: Any) -> Any:
    mine = np.where(_at_the(out, x), np.ones_like(x), 0.0)
    return g * mine / np.sum(mine)


general(median, lambda g, x, out: _median_pullback(g, x, out), torch="", kinks="equal elements share evenly")


@function
def vector_norm(x: Any, *, ord: float = 2, axis: Any = None, keepdims: bool = False) -> Any:
    """``(sum |x|**ord)**(1/ord)`` over ``axis`` (the largest or smallest |x| for +-inf, the count of nonzeros for 0)."""
    if ord == 2 and axis is None and not keepdims and x.dtype.kind == "f":
        flat = x.reshape(-1)
        return np.sqrt(np.dot(flat, flat))
    size = np.absolute(x)
    if ord == math.inf or ord == -math.inf:
        extreme: Any = np.maximum if ord > 0 else np.minimum
        return extreme.reduce(size, axis=axis, keepdims=keepdims)
    if ord == 0:
        return add_up(np.where(size == 0, 0.0, np.ones_like(size)), axis=axis, keepdims=keepdims)
    if ord == 1:
        return add_up(size, axis=axis, keepdims=keepdims)
    if ord == 2:
        return np.sqrt(add_up(size * size, axis=axis, keepdims=keepdims))
    return add_up(size**ord, axis=axis, keepdims=keepdims) ** (1 / ord)


def norm_pullback(g: Any, x: Any, out: Any, ord: float, axis: Any, keepdims: bool) -> Any:
    """The derivative of `vector_norm`; 0 at the origin."""
    if ord == 2:
        return x * restore(g / (out + (out == 0)), x, axis, keepdims)
    if ord == 1:
        return direction(x) * restore(g, x, axis, keepdims)
    if ord == 0:
        return np.zeros_like(x)
    if math.isinf(ord):
        return direction(x) * extremum_pullback(g, np.absolute(x), out, axis, keepdims)
    size = np.absolute(x)
    away = np.where(size == 0, 1.0, size)
    scale = restore(g / (out + (out == 0)) ** (ord - 1), x, axis, keepdims)
    return np.where(size == 0, 0.0, scale * direction(x) * away ** (ord - 1))


general(vector_norm, lambda g, x, out, *, ord=2, axis=None, keepdims=False: norm_pullback(g, x, out, ord, axis, keepdims),
        node="LinalgVectorNormBackward0", integers="float", kinks="0 at the origin", torch="")  # fmt: skip


@derived(np.linalg.norm)
def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """NumPy's norm of vectors, and the Frobenius norm of matrices."""
    matrix = (axis is None and x.ndim == 2) or (isinstance(axis, tuple) and len(axis) == 2)
    if ord == "fro" or ord is None:
        return vector_norm(x, ord=2, axis=axis, keepdims=keepdims)
    if matrix or isinstance(ord, str):
        raise NotImplementedError(f"the matrix norm of order {ord!r} is not there yet; 'fro' is")
    return vector_norm(x, ord=ord, axis=axis, keepdims=keepdims)


@function
def logsumexp(x: Any, *, axis: Any = None, keepdims: bool = False) -> Any:
    """``log(sum(exp(x)))`` over ``axis``, without overflow."""
    return _logsumexp(x, axis=axis, keepdims=keepdims)[0]


def _logsumexp(x: Any, *, axis: Any = None, keepdims: bool = False) -> tuple[Any, Any]:
    """`logsumexp`, and the softmax as what is divided by what."""
    axis = tuple(axis) if isinstance(axis, list) else axis
    top = np.maximum.reduce(x.real, axis=axis, keepdims=True) if x.size else np.zeros(kept_shape(x.shape, axis), x.dtype)
    top = np.where(np.isfinite(top), top, 0.0)
    e = np.exp(x - top)
    total = add_up(e, axis=axis, keepdims=True)
    out = np.log(total) + top
    return out if keepdims else np.squeeze(out, axis=axis), (e, total)


def _logsumexp_pullback(g: Any, x: Any, out: Any, kept: Any, axis: Any, keepdims: bool) -> Any:
    """``g`` times the softmax, whose exponentials are not computed again where the rule is recorded either."""
    if kept is not None and not isinstance(x, Box):
        e, total = kept
        return g.reshape(total.shape) / total * e
    softmax = exp_known(x - restore(out, x, axis, keepdims), None if kept is None else kept[0] / kept[1])
    return restore(g, x, axis, keepdims) * softmax


def _logsumexp_pushforward(t: Any, x: Any, out: Any, kept: Any, axis: Any, keepdims: bool) -> Any:
    """The sum of ``t`` times the softmax."""
    if kept is None:
        return np.sum(t * np.exp(x - restore(out, x, axis, keepdims)), axis=axis, keepdims=keepdims)
    e, total = kept
    along = np.dot(t, e) if t.ndim == 1 else add_up(t * e, axis=axis, keepdims=keepdims)
    return along / total.reshape(np.shape(along))


general(logsumexp, lambda g, x, out, kept, *, axis=None, keepdims=False:
        _logsumexp_pullback(g, x, out, kept, axis, keepdims),
        jvp=lambda t, x, out, kept, *, axis=None, keepdims=False:
        _logsumexp_pushforward(t, x, out, kept, axis, keepdims), keeping=_logsumexp, integers="float",
        holomorphic=True)  # fmt: skip

# Questions without a derivative

non_differentiable(np.argmax, np.argmin, arity=1, params={"axis": None, "keepdims": False})
non_differentiable(np.any, np.all, arity=1, params={"axis": None, "keepdims": False})
non_differentiable(np.count_nonzero, arity=1, params={"axis": None, "keepdims": False})
non_differentiable(np.argsort, arity=1, params={"axis": -1, "kind": "stable"})
