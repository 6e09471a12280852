"""Products and running sums and products. No rule here divides, so that zeros are as good as other numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.core.box import apply, derived, function
from chainrule.core.primitive import general, linear
from chainrule.ops.indexing import getitem
from chainrule.ops.reduction import axes_of, by_axis, restore
from chainrule.ops.shaping import pad


def shifted(x: Any, axis: int, fill: float) -> Any:
    """The elements moved on by one along ``axis``; the last falls out, ``fill`` comes in."""
    axis = axis % len(x.shape)
    if x.shape[axis] == 0:
        return x
    width = tuple((1, 0) if k == axis else (0, 0) for k in range(len(x.shape)))
    return pad(getitem(x, key=(slice(None),) * axis + (slice(None, -1),)), width=width, value=fill)


def reversed_along(fun: Any, *xs: Any, axis: int) -> Any:
    """``fun`` of the operands, running from the end of ``axis`` to its beginning."""
    return np.flip(fun(*(np.flip(x, axis) for x in xs)), axis)


def _cumulative(ufunc: np.ufunc) -> Any:
    def raw(x: Any, *, axis: Any = None) -> Any:
        if axis is None:
            return ufunc.accumulate(x.reshape(-1))
        return ufunc.accumulate(x, axis=axis) if x.ndim else x + 0

    return raw


def reverse_cumsum(g: Any, axis: int) -> Any:
    """Sums from each element to the end."""
    return reversed_along(lambda x: np.cumsum(x, axis=axis), g, axis=axis)


linear(
    np.cumsum,
    lambda g, x, *, axis=None: (
        g if x.ndim == 0 else np.reshape(reverse_cumsum(g, 0 if axis is None else axis), x.shape)
    ),
    raw=_cumulative(np.add),
)


@function
def recurrence(x: Any, y: Any, *, axis: int) -> Any:
    """``out[k] = y[k] + x[k] out[k-1]`` along ``axis``, by doubling: log2(n) passes over the arrays."""
    a, b = np.moveaxis(x, axis, 0).copy(), np.moveaxis(y, axis, 0).copy()
    reach = 1
    while reach < len(b):
        b[reach:] = b[reach:] + a[reach:] * b[:-reach]
        a[reach:] = a[reach:] * a[:-reach]
        reach *= 2
    return np.moveaxis(b, 0, axis)


def _after(g: Any, x: Any, axis: int) -> Any:
    """The cotangent of each step, what it passes on to later ones included."""
    return np.flip(recurrence(shifted(np.flip(x, axis), axis, 0.0), np.flip(g, axis), axis=axis), axis)


general(
    recurrence,
    lambda g, x, out, *, axis: _after(g, x, axis) * shifted(out, axis, 0.0),
    lambda g, x, *, axis: _after(g, x, axis),
    holomorphic=True,
    torch="",
)


def cumprod_pullback(g: Any, x: Any, out: Any, axis: Any) -> Any:
    """``sum_{j>=k} g_j prod_{i<=j, i!=k} x_i``: what comes before k times what comes after."""
    if x.ndim == 0:
        return g
    along = 0 if axis is None else axis
    flat = np.reshape(x, (-1,)) if axis is None else x
    return np.reshape(_after(g, flat, along) * shifted(out, along, 1.0), x.shape)


general(np.cumprod, lambda g, x, out, *, axis=None: cumprod_pullback(g, x, out, axis), raw=_cumulative(np.multiply),
        holomorphic=True)  # fmt: skip


def prod_pullback(g: Any, x: Any, axis: Any, keepdims: bool) -> Any:
    """``g`` times the product of the other elements."""
    if x.ndim == 0:
        return g
    along = 0 if axis is None else axis
    flat = np.reshape(x, (-1,)) if axis is None else x
    before = shifted(np.cumprod(flat, axis=along), along, 1.0)
    after = reversed_along(lambda x: shifted(np.cumprod(x, axis=along), along, 1.0), flat, axis=along)
    return restore(g, x, axis, keepdims) * np.reshape(before * after, x.shape)


general(np.prod, lambda g, x, *, axis=None, keepdims=False: prod_pullback(g, x, axis, keepdims),
        raw=np.multiply.reduce, node=by_axis("Prod"), holomorphic=True)  # fmt: skip


@derived(np.prod)
def prod(x: Any, axis: Any = None, dtype: Any = None, out: None = None, keepdims: bool = False) -> Any:
    """NumPy's prod; over several axes one after the other."""
    x = x if dtype is None else x.cast(dtype)
    if not isinstance(axis, tuple):
        return apply(np.prod, x, axis=axis, keepdims=keepdims)
    for a in sorted(axes_of(axis, x.ndim), reverse=True):
        x = apply(np.prod, x, axis=a, keepdims=keepdims)
    return x
