"""Statistics that are several steps: medians, variances with means, running extremes, what leaves NaN out."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from chainrule.core import spec
from chainrule.eager.functions.arithmetic import clamp
from chainrule.eager.functions.axes import axes_of, axis_of
from chainrule.eager.functions.indexing import gather, masked_select
from chainrule.eager.functions.products import matmul
from chainrule.eager.functions.reductions import (
    amax,
    amin,
    correction_of,
    mean,
    not_implemented_for,
    result_text,
    sort,
    std,
    sum,
)
from chainrule.eager.functions.shapes import diag
from chainrule.eager.notice import notice
from chainrule.eager.specialise import F
from chainrule.eager.tensor import wrap
from chainrule.errors import Refusal, type_name


def named_pair(name: str) -> Any:
    """A class of results with torch's name: ``values`` and ``indices``."""
    return type(name, (Pair,), {"__slots__": (), "torch_name": name})


class Pair(NamedTuple):
    """Values and where they stand."""

    values: Any
    indices: Any

    def __repr__(self) -> str:
        return result_text(type(self).torch_name, self)  # type: ignore[attr-defined]


class Extremes(NamedTuple):
    """The smallest and the largest element."""

    min: Any
    max: Any

    def __repr__(self) -> str:
        return result_text("aminmax", self)


MedianResult, NanmedianResult, CummaxResult, CumminResult, KthResult = map(
    named_pair, ("median", "nanmedian", "cummax", "cummin", "kthvalue")
)


def var_mean(
    input: Any, dim: Any = None, unbiased: Any = None, keepdim: bool = False, *, correction: float | None = 1
) -> Any:
    """`var` and `mean` over ``dim``."""
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    ddof = correction_of(correction, unbiased)
    return F.var_mean(input, axis=axes_of(dim, input.ndim), ddof=ddof, keepdims=keepdim)


def std_mean(
    input: Any, dim: Any = None, unbiased: Any = None, keepdim: bool = False, *, correction: float | None = 1
) -> Any:
    """`std` and `mean` over ``dim``."""
    return std(input, dim, unbiased, keepdim, correction=correction), _mean(input, dim, keepdim)


def _mean(input: Any, dim: Any, keepdim: bool) -> Any:
    return mean(input) if dim is None or isinstance(dim, bool) else mean(input, dim, keepdim)


def nansum(input: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """The sum of what is not NaN."""
    there = F.where(F.isnan(input), 0.0, input) if input.is_floating_point() else input
    return sum(there, dim, keepdim, dtype=dtype) if dim is not None else sum(there, dtype=dtype)


def nanmean(input: Any, dim: Any = None, keepdim: bool = False) -> Any:
    """The mean of what is not NaN."""
    if not input.dtype.differentiable:
        raise Refusal(f"nanmean(): expected input to have floating point or complex dtype but got {type_name(input.dtype)}")
    there = F.logical_not(F.isnan(input)).cast(input.dtype)
    return nansum(input, dim, keepdim) / (sum(there, dim, keepdim) if dim is not None else sum(there))


def aminmax(input: Any, *, dim: int | None = None, keepdim: bool = False) -> Any:
    """The smallest and the largest element, over all or along ``dim``."""
    which = () if dim is None else dim
    return Extremes(amin(input, which, keepdim), amax(input, which, keepdim))


def kthvalue(input: Any, k: int, dim: int = -1, keepdim: bool = False) -> Any:
    """The ``k``-th smallest element along ``dim`` (counted from 1), and where it stands."""
    axis = axis_of(dim, input.ndim)
    n = input.array.shape[axis] if input.ndim else 1
    if not 1 <= k <= n:
        raise Refusal(f"kthvalue(): selected number k out of range for dimension {axis}")
    found = sort(input, axis)
    parts = (part.select(axis, k - 1) if input.ndim else part for part in found)
    return KthResult(*(part.unsqueeze(axis) if keepdim and input.ndim else part for part in parts))


def median(input: Any, dim: int | None = None, keepdim: bool = False) -> Any:
    """The middle element, the lower one of two; along ``dim`` with its index."""
    if dim is None:
        return F.median(input)
    axis = axis_of(dim, input.ndim)
    n = input.array.shape[axis] if input.ndim else 1
    if input.ndim and input.is_floating_point() and (lost := np.isnan(input.array)).any():
        order = np.argsort(input.array, axis=axis, kind="stable")
        index = np.where(lost.any(axis, keepdims=True), lost.argmax(axis, keepdims=True), order.take([(n - 1) // 2], axis))
        return MedianResult(*_chosen(input, wrap(index), axis, keepdim))
    return MedianResult(*kthvalue(input, (n + 1) // 2, dim, keepdim))


def nanmedian(input: Any, dim: int | None = None, keepdim: bool = False) -> Any:
    """The `median` of what is not NaN; NaN where nothing is."""
    there = np.logical_not(np.isnan(input.array))
    if dim is None:
        return F.median(masked_select(input, wrap(there)) if there.any() else input)
    axis = axis_of(dim, input.ndim)
    order = np.argsort(input.array, axis=axis, kind="stable")  # NaN last
    middle = np.maximum(there.sum(axis, keepdims=True) - 1, 0) // 2
    return NanmedianResult(*_chosen(input, wrap(np.take_along_axis(order, middle, axis)), axis, keepdim))


def _chosen(input: Any, index: Any, axis: int, keepdim: bool) -> tuple[Any, Any]:
    """The elements at ``index`` along ``axis``, and the index."""
    values = gather(input, axis, index)
    return (values, index) if keepdim else (values.squeeze(axis), index.squeeze(axis))


def cummax(input: Any, dim: int) -> Any:
    """The largest element so far along ``dim``, and where it stands."""
    return CummaxResult(*_running("cummax", input, dim, np.maximum))


def cummin(input: Any, dim: int) -> Any:
    """The smallest element so far along ``dim``, and where it stands."""
    return CumminResult(*_running("cummin", input, dim, np.minimum))


def _running(name: str, input: Any, dim: int, extremes: np.ufunc) -> tuple[Any, Any]:
    if input.is_complex():
        raise not_implemented_for(f"{name}_cpu", input.dtype)
    axis = axis_of(dim, input.ndim)
    if input.ndim == 0 or input.array.shape[axis] == 0:
        return input.clone(), wrap(np.zeros(input.array.shape, np.int64))
    x = input.array
    best = extremes.accumulate(x, axis=axis)
    number = np.arange(x.shape[axis]).reshape(tuple(-1 if k == axis else 1 for k in range(x.ndim)))
    places = wrap(np.maximum.accumulate(np.where((x == best) | np.isnan(x), number, 0), axis=axis))
    return F.gather(input, places, axis=axis), places


def dist(input: Any, other: Any, p: float = 2) -> Any:
    """The ``p``-norm of the difference."""
    return (input - other).norm(p)


def renorm(input: Any, p: float, dim: int, maxnorm: float) -> Any:
    """The slices along ``dim`` whose ``p``-norm exceeds ``maxnorm``, shortened to it."""
    axis = axis_of(dim, input.ndim)
    size = input.norm(p, dim=[k for k in range(input.ndim) if k != axis], keepdim=True)
    return input * F.where(size > maxnorm, maxnorm / (size + 1e-7), 1.0)


def cov(input: Any, *, correction: int = 1, fweights: Any = None, aweights: Any = None) -> Any:
    """The covariances of the rows, whose columns are observations: counted ``fweights`` times, weighed by ``aweights``."""
    if input.ndim > 2:
        raise Refusal(f"cov(): expected input to have two or fewer dimensions but got an input with {input.ndim} dimensions")
    x = input if input.dtype.differentiable else input.cast(spec.default_float())
    x = F.reshape(x, (1, -1)) if x.ndim < 2 else x
    given = [w.cast(x.dtype.to_real()) for w in (fweights, aweights) if w is not None]
    if not given:
        away = weighed = x - mean(x, 1, True)
        freedom: Any = x.array.shape[1] - correction
    else:
        weights = given[0] if len(given) == 1 else given[0] * given[1]
        total = sum(weights)
        away = x - F.reshape(sum(x * weights, 1) / total, (-1, 1))
        weighed = away * weights
        freedom = total - correction * (1 if aweights is None else sum(weights * given[-1]) / total)
    if freedom <= 0:
        notice("cov(): degrees of freedom is <= 0. Correction should be strictly less than the number of observations.")
        freedom = freedom * 0
    mirrored = F.conjugate(weighed) if x.dtype.is_complex else weighed
    found = matmul(away, F.swapaxes(mirrored, axis1=0, axis2=1)) / freedom
    return F.reshape(found, ()) if x.array.shape[0] == 1 else found


def corrcoef(input: Any) -> Any:
    """The coefficients of correlation of the rows."""
    if input.ndim > 2:
        raise Refusal(
            f"corrcoef(): expected input to have two or fewer dimensions but got an input with {input.ndim} dimensions"
        )
    found = cov(input)
    if not found.ndim:
        return found / found
    spread = F.sqrt(F.real(diag(found)) if found.dtype.is_complex else diag(found))
    found = found / F.reshape(spread, (-1, 1)) / F.reshape(spread, (1, -1))
    return found if found.dtype.is_complex else clamp(found, -1, 1)
