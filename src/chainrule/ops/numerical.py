"""NumPy's numerical recipes: averages and order statistics, sums that leave NaN out, integrals and slopes of samples,
interpolation, convolution, polynomials. All of them from what the table has.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from chainrule.core.box import METHODS, PARTIAL, derived, not_in_table
from chainrule.ops.assembling import newer
from chainrule.ops.elementwise import nan_to_num, sinc
from chainrule.ops.linalg import as_array
from chainrule.ops.reduction import axes_of, logsumexp

# The same by another name

SAME: Final[dict[Any, Any]] = {
    np.amax: np.max, np.amin: np.min, np.around: np.round, np.fix: np.trunc, np.fabs: np.abs, np.degrees: np.rad2deg,
    np.radians: np.deg2rad, np.linalg.outer: np.outer, np.linalg.tensordot: np.tensordot, np.linalg.matmul: np.matmul,
}  # fmt: skip
for _alias, _fun in SAME.items():
    derived(_alias)(_fun)
derived(np.sinc)(sinc)
derived(np.float_power)(lambda x, y: np.power(x * 1.0, y * 1.0))
derived(np.divmod)(lambda x, y: (np.floor_divide(x, y), np.remainder(x, y)))
derived(np.modf)(lambda x: (x - np.trunc(x), np.trunc(x)))
derived(np.ldexp)(lambda x, y: x * np.exp2(y * 1.0))
derived(np.vecdot, np.linalg.vecdot)(lambda x, y, axis=-1: np.sum(np.conjugate(x) * y, axis=axis))
derived(*newer("matvec"))(lambda x, y: np.einsum("...ij,...j->...i", x, y))
derived(*newer("vecmat"))(lambda x, y: np.einsum("...i,...ij->...j", np.conjugate(x), y))
derived(*newer("cumulative_sum"))(lambda x, /, *, axis=None, dtype=None: np.cumsum(x, axis))
derived(*newer("cumulative_prod"))(lambda x, /, *, axis=None, dtype=None: np.cumprod(x, axis))
derived(np.nan_to_num)(lambda x, copy=True, nan=0.0, posinf=None, neginf=None:
                       nan_to_num(x, nan=nan, posinf=posinf, neginf=neginf))  # fmt: skip
derived(np.angle)(lambda z, deg=False: np.arctan2(np.imag(z), np.real(z)) * (180 / math.pi if deg else 1.0))
derived(np.ediff1d)(lambda ary, to_end=None, to_begin=None: np.concatenate(
    [np.ravel(part) for part in (to_begin, np.diff(np.ravel(ary)), to_end) if part is not None]))  # fmt: skip


# Reductions of chosen elements, from a first value on


def partial(fun: Any, neutral: float, join: Any) -> None:
    """Declare the reduction ``fun`` with ``where`` and ``initial``: other elements are ``neutral``."""

    def reduce(a: Any, axis: Any = None, *, initial: Any = None, where: Any = True, keepdims: bool = False) -> Any:
        found = fun(a if where is True else np.where(where, a, neutral), axis=axis, keepdims=keepdims)
        return found if initial is None else join(found, initial)

    PARTIAL[fun] = reduce


partial(np.sum, 0.0, np.add)
partial(np.prod, 1.0, np.multiply)
partial(np.max, -math.inf, np.maximum)
partial(np.min, math.inf, np.minimum)


def mean_where(a: Any, axis: Any = None, *, where: Any, keepdims: bool = False) -> Any:
    """The mean of the elements where ``where``."""
    chosen = np.broadcast_to(where, np.shape(a))
    total = np.sum(np.where(chosen, a, 0.0), axis=axis, keepdims=keepdims)
    return total / np.sum(np.where(chosen, 1.0, 0.0), axis=axis, keepdims=keepdims)


PARTIAL[np.mean] = mean_where
METHODS["reduce"] |= {np.logaddexp: lambda x, axis=0, keepdims=False: logsumexp(x, axis=axis, keepdims=keepdims),
                      np.logical_and: np.all, np.logical_or: np.any}  # fmt: skip


# Comparisons


@derived(np.isclose)
def isclose(a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Any:
    """Where ``|a - b| <= atol + rtol |b|``."""
    near = np.logical_and(np.less_equal(np.abs(a - b), atol + rtol * np.abs(b)), np.isfinite(b))
    close = np.logical_or(near, np.equal(a, b))
    return np.logical_or(close, np.logical_and(np.isnan(a), np.isnan(b))) if equal_nan else close


@derived(np.allclose)
def allclose(a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> bool:
    """Whether all are close."""
    return bool(np.all(isclose(a, b, rtol, atol, equal_nan)))


@derived(np.array_equal)
def array_equal(a1: Any, a2: Any, equal_nan: bool = False) -> bool:
    """Whether shapes and elements are the same."""
    if np.shape(a1) != np.shape(a2):
        return False
    same = np.equal(a1, a2)
    return bool(np.all(np.logical_or(same, np.logical_and(np.isnan(a1), np.isnan(a2))) if equal_nan else same))


# Averages and order


@derived(np.average)
def average(a: Any, axis: Any = None, weights: Any = None, returned: bool = False, *, keepdims: bool = False) -> Any:
    """The mean, or ``sum(weights a) / sum(weights)``."""
    if weights is None:
        mean = np.mean(a, axis=axis, keepdims=keepdims)
        return (mean, np.full_like(mean, np.size(a) / np.size(mean))) if returned else mean
    w = as_array(weights)
    if w.ndim == 1 and a.ndim > 1:
        if not isinstance(axis, (int, np.integer)):
            raise TypeError("Axis must be specified when shapes of a and weights differ.")
        if w.shape[0] != a.shape[axis]:
            raise ValueError("Shape of weights must be consistent with shape of a along specified axis.")
        w = np.reshape(w, tuple(-1 if k == axis % a.ndim else 1 for k in range(a.ndim)))
    w = np.broadcast_to(w, a.shape)
    total = np.sum(w, axis=axis, keepdims=keepdims)
    mean = np.sum(a * w, axis=axis, keepdims=keepdims) / total
    return (mean, total) if returned else mean


@derived(np.ptp)
def ptp(a: Any, axis: Any = None, out: None = None, keepdims: bool = False) -> Any:
    """The largest minus the smallest."""
    return np.max(a, axis=axis, keepdims=keepdims) - np.min(a, axis=axis, keepdims=keepdims)


@derived(np.quantile)
def quantile(a: Any, q: Any, axis: Any = None, out: None = None, overwrite_input: bool = False, method: str = "linear",
             keepdims: bool = False) -> Any:  # fmt: skip
    """What a share ``q`` of the elements is below, linearly between two of them; NaN if one is."""
    if method != "linear":
        raise not_in_table(np.quantile, f" with method={method!r}")
    axes = axes_of(axis, a.ndim)
    rest = [k for k in range(a.ndim) if k not in axes]
    ordered = np.sort(np.reshape(np.transpose(a, (*rest, *axes)), (*(a.shape[k] for k in rest), -1)), axis=-1)
    n = ordered.shape[-1]
    if not np.all((np.asarray(q) >= 0) & (np.asarray(q) <= 1)):
        raise ValueError("Quantiles must be in the range [0, 1]")
    at = np.asarray(q) * (n - 1)
    low = np.floor(at).astype(int)
    below, above = (np.take(ordered, np.ravel(k), axis=-1) for k in (low, np.minimum(low + 1, n - 1)))
    last = ordered[..., -1:]
    between = np.where(np.ravel(at == low), below, below + (above - below) * np.ravel(at - low))
    found = np.moveaxis(np.where(np.isnan(last), last, between), -1, 0)
    kept = tuple(1 if k in axes else m for k, m in enumerate(a.shape)) if keepdims else tuple(a.shape[k] for k in rest)
    return np.reshape(found, np.shape(q) + kept)


derived(np.percentile)(lambda a, q, axis=None, out=None, overwrite_input=False, method="linear", keepdims=False:
                       quantile(a, np.asarray(q) / 100, axis, method=method, keepdims=keepdims))  # fmt: skip
derived(np.median)(lambda a, axis=None, out=None, overwrite_input=False, keepdims=False:
                   quantile(a, 0.5, axis, keepdims=keepdims))  # fmt: skip


@derived(np.cov)
def cov(m: Any, y: Any = None, rowvar: bool = True, bias: bool = False, ddof: int | None = None) -> Any:
    """The covariances of the rows (of the columns unless ``rowvar``)."""
    rows = np.atleast_2d(m)
    rows = rows if rowvar or np.ndim(m) < 2 else rows.T
    if y is not None:
        other = np.atleast_2d(y)
        rows = np.concatenate([rows, other if rowvar or np.ndim(y) < 2 else other.T])
    away = rows - np.mean(rows, axis=1, keepdims=True)
    free = rows.shape[1] - ((0 if bias else 1) if ddof is None else ddof)
    found = np.matmul(away, np.conjugate(away).T) / free
    return np.squeeze(found)


@derived(np.corrcoef)
def corrcoef(x: Any, y: Any = None, rowvar: bool = True) -> Any:
    """The correlations of the rows."""
    c = cov(x, y, rowvar)
    if c.ndim == 0:
        return c / c
    size = np.sqrt(np.real(np.diagonal(c)))
    return c / size / np.expand_dims(size, 1)


# Leaving NaN out


def _without(a: Any, instead: float) -> Any:
    return np.where(np.isnan(a), instead, a)


def _there(a: Any, axis: Any, keepdims: bool) -> Any:
    """How many are not NaN."""
    return np.sum(np.where(np.isnan(a), 0.0, 1.0), axis=axis, keepdims=keepdims)


@derived(np.nansum)
def nansum(a: Any, axis: Any = None, dtype: Any = None, out: None = None, keepdims: bool = False) -> Any:
    """The sum of what is not NaN."""
    return np.sum(_without(a, 0.0), axis=axis, keepdims=keepdims)


@derived(np.nanprod)
def nanprod(a: Any, axis: Any = None, dtype: Any = None, out: None = None, keepdims: bool = False) -> Any:
    """The product of what is not NaN."""
    return np.prod(_without(a, 1.0), axis=axis, keepdims=keepdims)


@derived(np.nanmean)
def nanmean(a: Any, axis: Any = None, dtype: Any = None, out: None = None, keepdims: bool = False) -> Any:
    """The mean of what is not NaN."""
    return nansum(a, axis, keepdims=keepdims) / _there(a, axis, keepdims)


@derived(np.nanvar)
def nanvar(a: Any, axis: Any = None, dtype: Any = None, out: None = None, ddof: float = 0, keepdims: bool = False) -> Any:
    """The variance of what is not NaN."""
    away = np.where(np.isnan(a), 0.0, _without(a, 0.0) - nanmean(a, axis, keepdims=True))
    return np.sum(np.real(away * np.conjugate(away)), axis=axis, keepdims=keepdims) / (_there(a, axis, keepdims) - ddof)


derived(np.nanstd)(lambda a, axis=None, dtype=None, out=None, ddof=0, keepdims=False:
                   np.sqrt(nanvar(a, axis, ddof=ddof, keepdims=keepdims)))  # fmt: skip
derived(np.nancumsum)(lambda a, axis=None, dtype=None, out=None: np.cumsum(_without(a, 0.0), axis=axis))
derived(np.nancumprod)(lambda a, axis=None, dtype=None, out=None: np.cumprod(_without(a, 1.0), axis=axis))


def _nan_extremum(fun: Any, instead: float) -> Any:
    def extremum(a: Any, axis: Any = None, out: None = None, keepdims: bool = False) -> Any:
        """NaN where there is nothing else."""
        found = fun(_without(a, instead), axis=axis, keepdims=keepdims)
        return np.where(np.equal(_there(a, axis, keepdims), 0), math.nan, found)

    return extremum


derived(np.nanmax)(_nan_extremum(np.max, -math.inf))
derived(np.nanmin)(_nan_extremum(np.min, math.inf))


# Samples of functions


@derived(np.linspace)
def linspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, retstep: bool = False, dtype: Any = None,
             axis: int = 0) -> Any:  # fmt: skip
    """``num`` numbers at equal distances."""
    parts = num - 1 if endpoint else num
    step = (stop - start) / parts if parts else math.nan * (stop - start)
    share = np.arange(num) / max(parts, 1)
    share = np.reshape(share, (-1,) + (1,) * np.ndim(step))
    found = start * (1 - share) + stop * share
    found = np.moveaxis(found, 0, axis) if axis else found
    return (found, step) if retstep else found


@derived(np.logspace)
def logspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, base: Any = 10.0, dtype: Any = None,
             axis: int = 0) -> Any:  # fmt: skip
    """Powers of ``base`` whose exponents are at equal distances."""
    return np.power(base, linspace(start, stop, num, endpoint, axis=axis))


@derived(np.trapezoid)
def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    """The integral of samples, linear between them."""
    y = np.moveaxis(as_array(y), axis, -1)
    if x is not None:
        dx = np.diff(x if np.ndim(x) == 1 else np.moveaxis(x, axis, -1))
    return np.sum(dx * (y[..., 1:] + y[..., :-1]) / 2.0, axis=-1)


@derived(np.gradient)
def gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    """The slopes of samples, by central differences (of first or second order at the ends): one array for each axis."""
    axes = axes_of(axis, np.ndim(f))
    spacings = [1.0] * len(axes) if not varargs else list(varargs) * len(axes) if len(varargs) == 1 else list(varargs)
    if len(spacings) != len(axes):
        raise TypeError("invalid number of arguments")
    f = as_array(f)
    found = [np.moveaxis(_slopes(np.moveaxis(f, k, 0), h, edge_order), 0, k) for k, h in zip(axes, spacings, strict=True)]
    return found[0] if len(found) == 1 else tuple(found)


def _slopes(f: Any, spacing: Any, edge_order: int) -> Any:
    """Along the first axis; ``spacing`` is one distance, or the places."""
    n = f.shape[0]
    if n < edge_order + 1:
        raise ValueError("Shape of array too small to calculate a numerical gradient, at least (edge_order + 1) elements are "
                         "required.")  # fmt: skip
    h = np.diff(spacing) if np.ndim(spacing) else np.ones(n - 1) * spacing
    h = np.reshape(h, (-1,) + (1,) * (f.ndim - 1))
    a, b = h[:-1], h[1:]
    inner = (f[2:] * a / b - f[:-2] * b / a + f[1:-1] * (b / a - a / b)) / (a + b)
    if edge_order == 1:
        first, last = (f[1:2] - f[:1]) / h[:1], (f[-1:] - f[-2:-1]) / h[-1:]
    else:
        first = _end(f[:1], f[1:2], f[2:3], h[:1], h[1:2])
        last = -_end(f[-1:], f[-2:-1], f[-3:-2], h[-1:], h[-2:-1])
    return np.concatenate([first, inner, last])


def _end(f0: Any, f1: Any, f2: Any, a: Any, b: Any) -> Any:
    """The slope at the end of the parabola through three samples, at distances a and b."""
    return -(2 * a + b) / (a * (a + b)) * f0 + (a + b) / (a * b) * f1 - a / (b * (a + b)) * f2


@derived(np.interp)
def interp(x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: float | None = None) -> Any:
    """Linear between the points (xp, fp), ``left`` and ``right`` beyond them (their end values at first)."""
    if period is not None:
        raise not_in_table(np.interp, " with a period")
    xp, fp, x = map(as_array, (xp, fp, x))
    if xp.ndim != 1 or xp.shape != fp.shape:
        raise ValueError("fp and xp are not of the same length.")
    n = xp.shape[0]
    if n == 1:
        inside = np.broadcast_to(fp, np.shape(x)) if x.ndim else fp[0]
    else:
        k = np.clip(np.searchsorted(xp, x, "right") - 1, 0, n - 2)
        x0, x1, f0, f1 = (np.take(v, i, axis=0) for v in (xp, fp) for i in (k, k + 1))
        inside = f0 + (f1 - f0) / (x1 - x0) * (x - x0)
    below = np.where(np.less(x, xp[0]), fp[0] if left is None else left, inside)
    return np.where(np.greater(x, xp[-1]), fp[-1] if right is None else right, below)


@derived(np.unwrap)
def unwrap(p: Any, discont: float | None = None, axis: int = -1, *, period: float = 2 * math.pi) -> Any:
    """Angles without jumps of more than half a period: whole periods are added."""
    before = (slice(None),) * (axis % p.ndim)
    step = np.diff(p, axis=axis)
    half = period / 2
    inside = np.remainder(step + half, period) - half
    inside = np.where(np.logical_and(np.equal(inside, -half), np.greater(step, 0)), half, inside)
    turned = np.where(np.less(np.abs(step), max(discont or 0, half)), 0.0, inside - step)
    start = np.zeros_like(p[(*before, slice(0, 1))])
    return p + np.concatenate([start, np.cumsum(turned, axis=axis)], axis=axis)


@derived(np.convolve)
def convolve(a: Any, v: Any, mode: str = "full") -> Any:
    """``out[k] = sum over i of a[i] v[k - i]``."""
    a, v = (np.ravel(as_array(x)) for x in (a, v))
    if np.size(v) > np.size(a):
        a, v = v, a
    n, m = a.shape[0], v.shape[0]
    cut = {"full": (0, n + m - 1), "same": ((m - 1) // 2, (m - 1) // 2 + n), "valid": (m - 1, n)}
    if mode not in cut:
        raise ValueError(f"mode must be one of 'valid', 'same', or 'full' (got {mode!r})")
    rows = np.take(np.pad(a, m - 1), np.arange(n + m - 1)[:, None] + np.arange(m), axis=0)
    return np.matmul(rows, np.flip(v))[slice(*cut[mode])]


@derived(np.correlate)
def correlate(a: Any, v: Any, mode: str = "valid") -> Any:
    """``out[k] = sum over i of a[i + k] conj(v[i])``."""
    swapped = np.size(v) > np.size(a)
    found = convolve(a, np.flip(np.conjugate(v)), mode)
    if swapped and mode == "same" and (np.size(a) % 2 == 0):
        found = convolve(a, np.flip(np.conjugate(v)), "full")[np.size(a) // 2 :][: np.size(v)]
    return found


@derived(np.polyval)
def polyval(p: Any, x: Any) -> Any:
    """The polynomial with these coefficients, the highest power's first."""
    out: Any = x * 0
    for k in range(np.shape(p)[0]):
        out = out * x + p[k]
    return out


@derived(np.vander)
def vander(x: Any, N: int | None = None, increasing: bool = False) -> Any:
    """The powers of x as columns, the highest first."""
    n = x.shape[0] if N is None else N
    powers = np.stack([x**k if k else np.ones_like(x) for k in range(n)], axis=1)
    return powers if increasing else np.flip(powers, 1)


# Products


@derived(np.kron)
def kron(a: Any, b: Any) -> Any:
    """Kronecker's product."""
    rank = max(np.ndim(a), np.ndim(b))
    m, n = ((1,) * (rank - np.ndim(x)) + np.shape(x) for x in (a, b))
    x = np.reshape(a, tuple(k for i in m for k in (i, 1)))
    y = np.reshape(b, tuple(k for j in n for k in (1, j)))
    return np.reshape(x * y, tuple(i * j for i, j in zip(m, n, strict=True)))


@derived(np.cross, np.linalg.cross)
def cross(a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Any:
    """The vector product along axes of length 3."""
    if axis is not None:
        axisa = axisb = axisc = axis
    x, y = np.moveaxis(a, axisa, 0), np.moveaxis(b, axisb, 0)
    if x.shape[0] != 3 or y.shape[0] != 3:
        raise ValueError(f"Both input arrays must be (arrays of) 3-dimensional vectors, but they are {x.shape[0]} and "
                         f"{y.shape[0]} dimensional instead.")  # fmt: skip
    parts = [x[i] * y[j] - x[j] * y[i] for i, j in ((1, 2), (2, 0), (0, 1))]
    return np.stack(parts, axis=axisc)


@derived(np.linalg.matrix_power)
def matrix_power(a: Any, n: int) -> Any:
    """The matrix times itself, ``n`` times (its inverse for negative n), by squaring."""
    if n < 0:
        return matrix_power(np.linalg.inv(a), -n)
    if n == 0:
        return a * 0 + np.eye(a.shape[-1])
    half = a if n == 1 else matrix_power(np.matmul(a, a), n // 2)
    return np.matmul(half, a) if n % 2 and n > 1 else half


@derived(np.linalg.multi_dot)
def multi_dot(arrays: Any, *, out: None = None) -> Any:
    """The product of several matrices, one after the other."""
    first, *others = arrays
    for x in others:
        first = np.dot(first, x)
    return first


derived(np.linalg.vector_norm)(lambda x, /, *, axis=None, keepdims=False, ord=2:
    np.linalg.norm(np.ravel(x) if axis is None and not keepdims else x, ord, axis, keepdims))  # fmt: skip
derived(np.linalg.matrix_norm)(lambda x, /, *, keepdims=False, ord="fro": np.linalg.norm(x, ord, (-2, -1), keepdims))
