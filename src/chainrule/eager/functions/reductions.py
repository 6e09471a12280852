"""Reductions, running sums, sorting, and softmax, with torch's names of axes."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from chainrule.core import spec
from chainrule.core.box import Box
from chainrule.core.spec import DType
from chainrule.eager.functions.axes import axes_of, axis_of
from chainrule.eager.specialise import F
from chainrule.eager.tensor import wrap


def _reduce(fun: Any, input: Any, dim: Any, keepdim: bool, dtype: DType | None = None) -> Any:
    if dtype is not None:
        input = input.cast(dtype)
    if dim is None:
        return fun(input, None, keepdim)
    if input.ndim == 0:
        axes_of(dim, 0)
        return fun(input, None, False)
    return fun(input, axes_of(dim, input.ndim), keepdim)


def sum(input: Any, dim: Any = None, keepdim: bool = False, *, dtype: DType | None = None, axis: Any = None,
        keepdims: bool = False) -> Any:  # fmt: skip
    """The sum over ``dim`` (all elements)."""
    if dim is None and axis is None and dtype is None and input.lane.plain:
        return F.sum(input)
    if dtype is None and input.dtype.category < spec.FLOAT:
        dtype = spec.int64
    return _reduce(F.sum, input, axis if dim is None else dim, keepdim or keepdims, dtype)


def mean(input: Any, dim: Any = None, keepdim: bool = False, *, dtype: DType | None = None, axis: Any = None,
         keepdims: bool = False) -> Any:  # fmt: skip
    """The mean over ``dim`` (all elements)."""
    if dtype is None and not input.dtype.differentiable:
        raise RuntimeError(
            "mean(): could not infer output dtype. Input dtype must be either a floating point or complex dtype. "
            f"Got: {TYPE_NAMES.get(input.dtype.name, input.dtype.name)}"
        )
    return _reduce(F.mean, input, axis if dim is None else dim, keepdim or keepdims, dtype)


TYPE_NAMES = {"int64": "Long", "int32": "Int", "int16": "Short", "int8": "Char", "uint8": "Byte", "bool": "Bool"}


def prod(input: Any, dim: Any = None, keepdim: bool = False, *, dtype: DType | None = None) -> Any:
    """The product over ``dim`` (all elements)."""
    if dtype is None and input.dtype.category < spec.FLOAT:
        dtype = spec.int64
    return _reduce(F.prod, input, dim, keepdim, dtype)


class MaxResult(NamedTuple):
    """Extreme values and where they stand."""

    values: Any
    indices: Any


class SortResult(NamedTuple):
    """Sorted values and where they stood."""

    values: Any
    indices: Any


def _extremum(name: str, input: Any, dim: Any, keepdim: bool, other: Any) -> Any:
    pairwise, along, all_of = EXTREMA[name]
    if other is None and isinstance(dim, Box):
        other, dim = dim, None
    if other is not None:
        return getattr(F, pairwise)(input, other)
    if dim is None:
        if input.numel() == 0:
            raise RuntimeError(
                f"{name}(): Expected reduction dim to be specified for input.numel() == 0. "
                "Specify the reduction dim with the 'dim' argument."
            )
        return getattr(F, all_of)(input)
    axis = axis_of(dim, input.ndim)
    if input.ndim == 0:
        return MaxResult(getattr(F, all_of)(input), wrap(np.zeros((), np.int64)))
    return MaxResult(*getattr(F, along)(input, axis=axis, keepdims=keepdim))


EXTREMA = {"max": ("maximum", "max_with_index", "max"), "min": ("minimum", "min_with_index", "min")}


def max(input: Any, dim: Any = None, keepdim: bool = False, *, other: Any = None) -> Any:
    """The largest element; along ``dim`` with its index; or elementwise of two tensors."""
    return _extremum("max", input, dim, keepdim, other)


def min(input: Any, dim: Any = None, keepdim: bool = False, *, other: Any = None) -> Any:
    """The smallest element; along ``dim`` with its index; or elementwise of two tensors."""
    return _extremum("min", input, dim, keepdim, other)


def amax(input: Any, dim: Any = (), keepdim: bool = False) -> Any:
    """The largest element over ``dim``; equal ones share the gradient."""
    return _reduce(F.max, input, axes_of(dim, input.ndim), keepdim)


def amin(input: Any, dim: Any = (), keepdim: bool = False) -> Any:
    """The smallest element over ``dim``; equal ones share the gradient."""
    return _reduce(F.min, input, axes_of(dim, input.ndim), keepdim)


def argmax(input: Any, dim: int | None = None, keepdim: bool = False) -> Any:
    """The index of the largest element (the first of several)."""
    return _arg(F.argmax, "argmax", input, dim, keepdim)


def argmin(input: Any, dim: int | None = None, keepdim: bool = False) -> Any:
    """The index of the smallest element (the first of several)."""
    return _arg(F.argmin, "argmin", input, dim, keepdim)


def _arg(fun: Any, name: str, input: Any, dim: int | None, keepdim: bool) -> Any:
    if input.numel() == 0 and dim is None:
        raise IndexError(f"{name}(): Expected reduction dim to be specified for input.numel() == 0.")
    return _reduce(lambda x, axis, keep: fun(x, axis=axis, keepdims=keep), input, dim, keepdim)


def any(input: Any, dim: Any = None, keepdim: bool = False) -> Any:
    """Whether any element is nonzero."""
    return _reduce(lambda x, axis, keep: F.any(x, axis=axis, keepdims=keep), input, dim, keepdim)


def all(input: Any, dim: Any = None, keepdim: bool = False) -> Any:
    """Whether all elements are nonzero."""
    return _reduce(lambda x, axis, keep: F.all(x, axis=axis, keepdims=keep), input, dim, keepdim)


def count_nonzero(input: Any, dim: Any = None) -> Any:
    """How many elements are not zero."""
    return F.count_nonzero(input, axis=axes_of(dim, input.ndim))


def var(input: Any, dim: Any = None, unbiased: Any = None, keepdim: bool = False, *, correction: float = 1) -> Any:
    """The variance over ``dim``, divided by ``n - correction``."""
    return _var(F.var, input, dim, unbiased, keepdim, correction)


def std(input: Any, dim: Any = None, unbiased: Any = None, keepdim: bool = False, *, correction: float = 1) -> Any:
    """The standard deviation over ``dim``, with ``n - correction``."""
    return _var(F.std, input, dim, unbiased, keepdim, correction)


def _var(fun: Any, input: Any, dim: Any, unbiased: Any, keepdim: bool, correction: float) -> Any:
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    ddof = correction if unbiased is None else int(unbiased)
    return fun(input, axes_of(dim, input.ndim), ddof, keepdim)


def norm(input: Any, p: Any = "fro", dim: Any = None, keepdim: bool = False, dtype: DType | None = None) -> Any:
    """The vector norm of order ``p`` ("fro" is 2) over ``dim`` (all elements)."""
    if dtype is not None:
        input = input.cast(dtype)
    if not input.dtype.differentiable:
        raise RuntimeError(
            f"linalg.vector_norm: Expected a floating point or complex tensor as input. Got {input.dtype.name}"
        )
    order = 2 if p == "fro" or p is None else p
    return F.vector_norm(input, order, None if dim is None else axes_of(dim, input.ndim), keepdim)


def vector_norm(x: Any, ord: float = 2, dim: Any = None, keepdim: bool = False) -> Any:
    """The vector norm of order ``ord`` over ``dim`` (all elements)."""
    return norm(x, ord, dim, keepdim)


def logsumexp(input: Any, dim: Any, keepdim: bool = False) -> Any:
    """``log(sum(exp(input)))`` over ``dim``."""
    return _reduce(F.logsumexp, input, dim, keepdim)


def cumsum(input: Any, dim: int) -> Any:
    """Running sums along ``dim``."""
    if input.dtype.category < spec.FLOAT:
        input = input.cast(spec.int64)
    return F.cumsum(input, axis_of(dim, input.ndim))


def cumprod(input: Any, dim: int) -> Any:
    """Running products along ``dim``."""
    return F.cumprod(input, axis_of(dim, input.ndim))


def sort(input: Any, dim: int = -1, descending: bool = False, stable: bool = False) -> SortResult:
    """The elements in order along ``dim``, and where they stood."""
    return SortResult(*F.sort_with_index(input, axis=axis_of(dim, input.ndim), descending=descending))


def argsort(input: Any, dim: int = -1, descending: bool = False, stable: bool = False) -> Any:
    """Where the elements in order along ``dim`` stand."""
    return sort(input.detach(), dim, descending).indices


def softmax(input: Any, dim: int | None = None, dtype: DType | None = None) -> Any:
    """``exp(input) / sum(exp(input))`` along ``dim``."""
    return _softmax(F.softmax, input, dim, dtype)


def log_softmax(input: Any, dim: int | None = None, dtype: DType | None = None) -> Any:
    """The logarithm of `softmax`, without overflow."""
    return _softmax(F.log_softmax, input, dim, dtype)


def _softmax(fun: Any, input: Any, dim: int | None, dtype: DType | None) -> Any:
    if dim is None:
        dim = 0 if input.ndim in (0, 1, 3) else 1
    if dtype is not None:
        input = input.cast(dtype)
    axis = axis_of(dim, input.ndim)
    return fun(input, axis) if input.ndim else fun(input.reshape(1), 0).reshape(())
