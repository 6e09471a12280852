"""Reductions, running sums, sorting, and softmax, with torch's names of axes."""

from __future__ import annotations

from typing import Any, NamedTuple

from chainrule.core import spec
from chainrule.core.box import Box
from chainrule.core.spec import DType
from chainrule.eager.functions.axes import axes_of, axis_of, no_tensor
from chainrule.eager.levels import differentiating
from chainrule.eager.notice import notice
from chainrule.eager.specialise import F
from chainrule.errors import IndexRefusal, Refusal, not_a_tensor, type_name
from chainrule.ops.reduction import count as reduced_count


def _tensor(name: str, input: Any) -> None:
    if not isinstance(input, Box):
        raise not_a_tensor(name, "input", 1, input)


def _reduce(fun: Any, input: Any, dim: Any, keepdim: bool, dtype: DType | None = None) -> Any:
    if dtype is not None:
        input = input.cast(dtype)
    if dim is None:
        found = fun(input, None, keepdim)
    elif input.ndim == 0:
        axes_of(dim, 0)
        found = fun(input, 0, False)
    else:
        found = fun(input, axes_of(dim, input.ndim), keepdim)
    return found if dtype is None else found.cast(dtype)  # NumPy adds small integers up as large ones


def sum(input: Any, dim: Any = None, keepdim: bool = False, *, dtype: DType | None = None, axis: Any = None,
        keepdims: bool = False) -> Any:  # fmt: skip
    """The sum over ``dim`` (all elements)."""
    try:
        if dim is None and axis is None and dtype is None and not (keepdim or keepdims) and input.lane.plain:
            return F.sum(input)
    except AttributeError:
        raise no_tensor("sum", input=input) from None
    if dtype is None and input.dtype.category < spec.FLOAT:
        dtype = spec.int64
    return _reduce(F.sum, input, axis if dim is None else dim, keepdim or keepdims, dtype)


def mean(input: Any, dim: Any = None, keepdim: bool = False, *, dtype: DType | None = None, axis: Any = None,
         keepdims: bool = False) -> Any:  # fmt: skip
    """The mean over ``dim`` (all elements)."""
    _tensor("mean", input)
    if dtype is None and not input.dtype.differentiable and not differentiating.get():
        raise Refusal(
            "mean(): could not infer output dtype. Input dtype must be either a floating point or complex dtype. "
            f"Got: {type_name(input.dtype)}"
        )
    return _reduce(F.mean, input, axis if dim is None else dim, keepdim or keepdims, dtype)


def prod(input: Any, dim: Any = None, keepdim: bool = False, *, dtype: DType | None = None) -> Any:
    """The product over ``dim`` (all elements)."""
    _tensor("prod", input)
    if dtype is None and input.dtype.category < spec.FLOAT:
        dtype = spec.int64
    return _reduce(F.prod, input, dim, keepdim, dtype)


class MaxResult(NamedTuple):
    """The largest values and where they stand."""

    values: Any
    indices: Any

    def __repr__(self) -> str:
        return result_text("max", self)


class MinResult(NamedTuple):
    """The smallest values and where they stand."""

    values: Any
    indices: Any

    def __repr__(self) -> str:
        return result_text("min", self)


class SortResult(NamedTuple):
    """Sorted values and where they stood."""

    values: Any
    indices: Any

    def __repr__(self) -> str:
        return result_text("sort", self)


def result_text(name: str, result: Any) -> str:
    """Several results as torch prints them."""
    parts = ",\n".join(f"{field}={value!r}" for field, value in result._asdict().items())
    return f"torch.return_types.{name}(\n{parts})"


def _extremum(name: str, input: Any, dim: Any, keepdim: bool, other: Any) -> Any:
    pairwise, along, all_of, result = EXTREMA[name]
    _tensor(name, input)
    if other is None and isinstance(dim, Box):
        other, dim = dim, None
    if other is not None:
        return getattr(F, pairwise)(input, other)
    if dim is None:
        if input.numel() == 0:
            raise Refusal(
                f"{name}(): Expected reduction dim to be specified for input.numel() == 0. "
                "Specify the reduction dim with the 'dim' argument."
            )
        if input.dtype.is_complex:
            raise not_implemented_for(f"{name}_all", input.dtype)
        return getattr(F, all_of)(input)
    _real(name, input)
    axis = axis_of(dim, input.ndim)
    _not_empty(name, input, axis)
    return result(*getattr(F, along)(input, axis=axis, keepdims=keepdim and input.ndim > 0))


EXTREMA = {
    "max": ("maximum", "max_with_index", "max", MaxResult),
    "min": ("minimum", "min_with_index", "min", MinResult),
}


def _real(name: str, input: Any) -> None:
    """Refuse complex numbers, which have no order."""
    if input.dtype.is_complex:
        raise Refusal(f"{name}(): does not support complex input")


def not_implemented_for(kernel: str, dtype: DType) -> NotImplementedError:
    """The error for a dtype that torch has no kernel for."""
    return NotImplementedError(f"\"{kernel}\" not implemented for '{type_name(dtype)}'")


def _not_empty(name: str, input: Any, axis: Any) -> None:
    """Refuse an extremum over no elements."""
    for a in axis if isinstance(axis, tuple) else (axis,):
        if input.ndim and input.array.shape[a] == 0:
            raise IndexRefusal(f"{name}(): Expected reduction dim {a} to have non-zero size.")


def max(input: Any, dim: Any = None, keepdim: bool = False, *, other: Any = None) -> Any:
    """The largest element; along ``dim`` with its index; or elementwise of two tensors."""
    return _extremum("max", input, dim, keepdim, other)


def min(input: Any, dim: Any = None, keepdim: bool = False, *, other: Any = None) -> Any:
    """The smallest element; along ``dim`` with its index; or elementwise of two tensors."""
    return _extremum("min", input, dim, keepdim, other)


def amax(input: Any, dim: Any = (), keepdim: bool = False) -> Any:
    """The largest element over ``dim``; equal ones share the gradient."""
    return _reduce(F.max, input, _extreme_axes("amax", input, dim), keepdim)


def amin(input: Any, dim: Any = (), keepdim: bool = False) -> Any:
    """The smallest element over ``dim``; equal ones share the gradient."""
    return _reduce(F.min, input, _extreme_axes("amin", input, dim), keepdim)


def _extreme_axes(name: str, input: Any, dim: Any) -> Any:
    _tensor(name, input)
    if input.dtype.is_complex:
        raise not_implemented_for(f"{name[1:]}_values_cpu", input.dtype)
    if dim == () and input.numel() == 0:
        raise Refusal(
            f"{name}(): Expected reduction dim to be specified for input.numel() == 0. Specify the reduction dim with the "
            "'dim' argument."
        )
    axes = axes_of(dim, input.ndim)
    if axes is not None:
        _not_empty(name, input, axes)
    return axes


def argmax(input: Any, dim: int | None = None, keepdim: bool = False) -> Any:
    """The index of the largest element (the first of several)."""
    return _arg(F.argmax, "argmax", input, dim, keepdim)


def argmin(input: Any, dim: int | None = None, keepdim: bool = False) -> Any:
    """The index of the smallest element (the first of several)."""
    return _arg(F.argmin, "argmin", input, dim, keepdim)


def _arg(fun: Any, name: str, input: Any, dim: int | None, keepdim: bool) -> Any:
    _tensor(name, input)
    _real(name, input)
    if input.dtype is spec.bool_:
        raise Refusal(f"{name}(): does not support bool input")
    if dim is not None:
        _not_empty(name, input, axis_of(dim, input.ndim))
    elif input.numel() == 0:
        raise IndexRefusal(f"{name}(): Expected reduction dim to be specified for input.numel() == 0.")
    return _reduce(lambda x, axis, keep: fun(x, axis=axis, keepdims=keep), input, dim, keepdim)


def any(input: Any, dim: Any = None, keepdim: bool = False) -> Any:
    """Whether any element is nonzero."""
    return _logical("any", input, dim, keepdim)


def all(input: Any, dim: Any = None, keepdim: bool = False) -> Any:
    """Whether all elements are nonzero."""
    return _logical("all", input, dim, keepdim)


def _logical(name: str, input: Any, dim: Any, keepdim: bool) -> Any:
    _tensor(name, input)
    fun = getattr(F, name)
    found = _reduce(lambda x, axis, keep: fun(x, axis=axis, keepdims=keep), input, dim, keepdim)
    return found.cast(spec.uint8) if input.dtype is spec.uint8 else found


def count_nonzero(input: Any, dim: Any = None) -> Any:
    """How many elements are not zero."""
    _tensor("count_nonzero", input)
    return F.count_nonzero(input, axis=axes_of(dim, input.ndim))


def var(input: Any, dim: Any = None, unbiased: Any = None, keepdim: bool = False, *, correction: float | None = 1) -> Any:
    """The variance over ``dim``, divided by ``n - correction``."""
    return _var("var", input, dim, unbiased, keepdim, correction)


def std(input: Any, dim: Any = None, unbiased: Any = None, keepdim: bool = False, *, correction: float | None = 1) -> Any:
    """The standard deviation over ``dim``, with ``n - correction``."""
    return _var("std", input, dim, unbiased, keepdim, correction)


def correction_of(correction: float | None, unbiased: bool | None) -> float:
    """What is taken from the number of elements: 1 unless it is said."""
    if unbiased is not None:
        return int(unbiased)
    return 1 if correction is None else correction


def _var(name: str, input: Any, dim: Any, unbiased: Any, keepdim: bool, correction: float | None) -> Any:
    _tensor(name, input)
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    if not input.dtype.differentiable:
        raise Refusal("std and var only support floating point and complex dtypes")
    ddof = correction_of(correction, unbiased)
    axes = axes_of(dim, input.ndim)
    if reduced_count(input.array.shape, axes) <= ddof:
        notice(
            f"{name}(): degrees of freedom is <= 0. Correction should be strictly less than the reduction factor (input "
            "numel divided by output numel)."
        )
    return getattr(F, name)(input, axes, ddof, keepdim)


def norm(input: Any, p: Any = "fro", dim: Any = None, keepdim: bool = False, dtype: DType | None = None) -> Any:
    """The vector norm of order ``p`` ("fro" is 2) over ``dim`` (all elements)."""
    _tensor("norm", input)
    if dtype is not None:
        input = input.cast(dtype)
    if not input.dtype.differentiable:
        raise Refusal(
            f"linalg.vector_norm: Expected a floating point or complex tensor as input. Got {type_name(input.dtype)}"
        )
    order = 2 if p == "fro" or p is None else p
    return F.vector_norm(input, order, None if dim is None else axes_of(dim, input.ndim), keepdim)


def vector_norm(x: Any, ord: float = 2, dim: Any = None, keepdim: bool = False) -> Any:
    """The vector norm of order ``ord`` over ``dim`` (all elements)."""
    return norm(x, ord, dim, keepdim)


def logsumexp(input: Any, dim: Any, keepdim: bool = False) -> Any:
    """``log(sum(exp(input)))`` over ``dim``."""
    _tensor("logsumexp", input)
    return _reduce(F.logsumexp, input, dim, keepdim)


def cumsum(input: Any, dim: int, *, dtype: DType | None = None) -> Any:
    """Running sums along ``dim``."""
    return F.cumsum(_accumulated("cumsum", input, dtype), axis_of(dim, input.ndim))


def cumprod(input: Any, dim: int, *, dtype: DType | None = None) -> Any:
    """Running products along ``dim``."""
    return F.cumprod(_accumulated("cumprod", input, dtype), axis_of(dim, input.ndim))


def _accumulated(name: str, input: Any, dtype: DType | None) -> Any:
    _tensor(name, input)
    if dtype is None and input.dtype.category < spec.FLOAT:
        dtype = spec.int64
    return input if dtype is None or dtype is input.dtype else input.cast(dtype)


def sort(input: Any, dim: int = -1, descending: bool = False, stable: bool = False) -> SortResult:
    """The elements in order along ``dim``, and where they stood."""
    _tensor("sort", input)
    if input.dtype.is_complex:
        raise Refusal(" Sort does not support complex dtypes on CPU")
    return SortResult(*F.sort_with_index(input, axis=axis_of(dim, input.ndim), descending=descending))


def argsort(input: Any, dim: int = -1, descending: bool = False, stable: bool = False) -> Any:
    """Where the elements in order along ``dim`` stand."""
    _tensor("argsort", input)
    return sort(input.detach(), dim, descending).indices


def softmax(input: Any, dim: int, dtype: DType | None = None) -> Any:
    """``exp(input) / sum(exp(input))`` along ``dim``."""
    return _softmax("softmax", input, dim, dtype)


def log_softmax(input: Any, dim: int, dtype: DType | None = None) -> Any:
    """The logarithm of `softmax`, without overflow."""
    return _softmax("log_softmax", input, dim, dtype)


def _softmax(name: str, input: Any, dim: int, dtype: DType | None) -> Any:
    _tensor(name, input)
    fun = getattr(F, name)
    if dtype is not None:
        input = input.cast(dtype)
    return fun(input, axis_of(dim, input.ndim))
