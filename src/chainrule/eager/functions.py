"""torch's functions where their signature is not that of a primitive: names of axes, overloads, several steps.

Each is its Python body: the primitives do the work, and what torch shows as several nodes is several here.
"""

from __future__ import annotations

import builtins
import math
import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from chainrule.core import spec
from chainrule.core.box import Box, dispatch
from chainrule.core.primitive import TABLE
from chainrule.core.spec import DType
from chainrule.eager import modes
from chainrule.eager.inplace import adopt, log_write
from chainrule.eager.specialise import F
from chainrule.eager.tensor import Device, Tensor, wrap
from chainrule.errors import ShapeError, axis_error, shape_text
from chainrule.ops import indexing, linalg, shaping


def axis_of(dim: int, ndim: int) -> int:
    """``dim`` counted from the front; AxisError if there is no such axis."""
    reach = ndim or 1
    if not -reach <= dim < reach:
        raise axis_error(dim, ndim)
    return dim % reach


def axes_of(dim: Any, ndim: int) -> Any:
    """``dim`` as NumPy's axis: None for all, a number or a tuple; torch's empty tuple means all too."""
    if dim is None:
        return None
    if isinstance(dim, (tuple, list)):
        axes = tuple(axis_of(d, ndim) for d in dim)
        if len(set(axes)) != len(axes):
            raise RuntimeError(f"dim {axes[-1]} appears multiple times in the list of dims")
        return axes or tuple(range(ndim))
    return axis_of(dim, ndim)


def _reduce(fun: Any, input: Any, dim: Any, keepdim: bool, dtype: DType | None = None) -> Any:
    if dtype is not None:
        input = input.cast(dtype)
    if dim is None:
        return fun(input, None, keepdim)
    if input.ndim == 0:
        axes_of(dim, 0)
        return fun(input, None, False)
    return fun(input, axes_of(dim, input.ndim), keepdim)


# Arithmetic with more to it than the operator


def _scaled(name: str, other: Any, alpha: float) -> Any:
    if alpha == 1:
        return other
    return other * alpha


def add(input: Any, other: Any, *, alpha: float = 1) -> Any:
    """``input + alpha * other``."""
    check_operand("add", other)
    return F.add(input, _scaled("add", other, alpha))


def sub(input: Any, other: Any, *, alpha: float = 1) -> Any:
    """``input - alpha * other``."""
    check_operand("sub", other)
    return F.subtract(input, _scaled("sub", other, alpha))


def check_operand(name: str, other: Any) -> None:
    """TypeError, in torch's words, for an operand that is no tensor and no number."""
    if not isinstance(other, (Box, np.ndarray, np.generic, int, float, complex)):
        raise TypeError(f"{name}(): argument 'other' (position 1) must be Tensor, not {type(other).__name__}")


def rsub(input: Any, other: Any, *, alpha: float = 1) -> Any:
    """``other - alpha * input``."""
    return F.subtract(other, _scaled("rsub", input, alpha))


def div(input: Any, other: Any, *, rounding_mode: str | None = None) -> Any:
    """``input / other``, rounded "trunc" or "floor" if asked for."""
    if rounding_mode is None:
        return F.divide(input, other)
    if rounding_mode == "floor":
        return F.floor_divide(input, other)
    if rounding_mode == "trunc":
        return F.trunc(F.divide(input, other))
    raise RuntimeError(f"div expected rounding_mode to be one of None, 'trunc', or 'floor' but found '{rounding_mode}'")


def clamp(input: Any, min: Any = None, max: Any = None) -> Any:
    """``input`` limited to [min, max]; None for no limit."""
    if min is None and max is None:
        raise RuntimeError("torch.clamp: At least one of 'min' or 'max' must not be None")
    return F.clip(input, min, max)


def round(input: Any, *, decimals: int = 0) -> Any:
    """``input`` rounded to even at ``decimals`` places."""
    return F.rint(input) if decimals == 0 else F.round(input, decimals)


def where(condition: Any, input: Any = None, other: Any = None) -> Any:
    """``input`` where ``condition``, else ``other``; with the condition alone, the indices where it holds."""
    if input is None and other is None:
        return tuple(wrap(index) for index in np.nonzero(condition.array))
    if condition.dtype is not spec.bool_:
        raise RuntimeError(f"where expected condition to be a boolean tensor, but got a tensor with dtype {condition.dtype.name}")
    return F.where(condition, input, other)


def masked_fill(input: Any, mask: Any, value: Any) -> Any:
    """``input`` with ``value`` where ``mask``."""
    return F.where(mask, value, input)


# Reductions


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
        raise RuntimeError(f"linalg.vector_norm: Expected a floating point or complex tensor as input. Got {input.dtype.name}")
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


# Products

def matmul(input: Any, other: Any) -> Any:
    """The matrix product: dot, mv and mm for one and two axes, stacks of matrices beyond."""
    ndims = input.array.ndim, other.array.ndim
    if ndims == (2, 2):
        return F.mm(input, other)
    if ndims == (2, 1):
        return F.mv(input, other)
    if ndims == (1, 1):
        return F.dot(input, other)
    if ndims == (1, 2):
        return F.squeeze(F.mm(F.reshape(input, (1, -1)), other), 0)
    if 0 in ndims:
        raise RuntimeError(f"both arguments to matmul need to be at least 1D, but they are {ndims[0]}D and {ndims[1]}D")
    return F.matmul(input, other)


def dot(input: Any, tensor: Any) -> Any:
    """The inner product of two vectors."""
    if input.array.ndim != 1 or tensor.array.ndim != 1:
        raise RuntimeError(f"1D tensors expected, but got {input.ndim}D and {tensor.ndim}D tensors")
    return F.dot(input, tensor)


def mm(input: Any, mat2: Any) -> Any:
    """The product of two matrices."""
    if input.array.ndim != 2 or mat2.array.ndim != 2:
        raise RuntimeError("self must be a matrix" if input.array.ndim != 2 else "mat2 must be a matrix")
    return F.mm(input, mat2)


def mv(input: Any, vec: Any) -> Any:
    """A matrix times a vector."""
    if input.array.ndim != 2 or vec.array.ndim != 1:
        raise RuntimeError(f"vector + matrix @ vector expected, got {vec.ndim}, {input.ndim}, {vec.ndim}")
    return F.mv(input, vec)


def bmm(input: Any, mat2: Any) -> Any:
    """The products of two stacks of matrices."""
    if input.ndim != 3 or mat2.ndim != 3:
        raise RuntimeError("batch1 must be a 3D tensor" if input.ndim != 3 else "batch2 must be a 3D tensor")
    return F.matmul(input, mat2)


def outer(input: Any, vec2: Any) -> Any:
    """``out[i, j] = input[i] vec2[j]``."""
    return F.multiply(F.reshape(input, (-1, 1)), vec2)


def einsum(equation: str, *operands: Any) -> Any:
    """Einstein's sum convention."""
    if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
        operands = tuple(operands[0])
    try:
        spelled = linalg.explicit(equation, [x.ndim for x in operands])
    except ValueError as fault:
        raise RuntimeError(str(fault)) from None
    return dispatch(TABLE[linalg.einsum], operands, {"subscripts": spelled})


def tensordot(a: Any, b: Any, dims: Any = 2) -> Any:
    """Sum of products over pairs of axes."""
    return linalg.tensordot(a, b, dims)


def trace(input: Any) -> Any:
    """The sum of the diagonal of a matrix."""
    return F.trace(input)


# Shapes


def _size(shape: tuple[Any, ...]) -> tuple[int, ...]:
    given = shape[0] if len(shape) == 1 and isinstance(shape[0], (tuple, list)) else shape
    return tuple(int(n) for n in given)


def reshape(input: Any, *shape: Any) -> Any:
    """The elements in another shape; one length may be -1."""
    wanted = _size(shape)
    try:
        return F.reshape(input, wanted)
    except ShapeError:
        raise ShapeError(f"shape '{shape_text(wanted)}' is invalid for input of size {input.numel()}") from None


def view(input: Any, *shape: Any) -> Any:
    """The elements in another shape, on the same memory; or in another dtype of the same width."""
    if len(shape) == 1 and isinstance(shape[0], DType):
        return wrap(input.array.view(shape[0].numpy))
    out = reshape(input, *shape)
    if input.numel() and not np.shares_memory(out.array, input.array):
        raise RuntimeError(
            "view size is not compatible with input tensor's size and stride (at least one dimension spans across two "
            "contiguous subspaces). Use .reshape(...) instead."
        )
    return out


def view_as(input: Any, other: Any) -> Any:
    """`view` with the shape of ``other``."""
    return view(input, tuple(other.shape))


def reshape_as(input: Any, other: Any) -> Any:
    """`reshape` with the shape of ``other``."""
    return reshape(input, tuple(other.shape))


def flatten(input: Any, start_dim: int = 0, end_dim: int = -1) -> Any:
    """The axes from ``start_dim`` to ``end_dim`` as one."""
    if input.ndim == 0:
        return F.reshape(input, (1,))
    first, last = axis_of(start_dim, input.ndim), axis_of(end_dim, input.ndim)
    if first >= last:
        return input
    shape = input.array.shape
    return F.reshape(input, (*shape[:first], math.prod(shape[first : last + 1]), *shape[last + 1 :]))


def ravel(input: Any) -> Any:
    """All elements along one axis."""
    return F.reshape(input, (-1,))


def transpose(input: Any, dim0: int, dim1: int) -> Any:
    """Two axes exchanged."""
    if input.ndim == 0:
        return F.reshape(input, ())
    return F.swapaxes(input, axis_of(dim0, input.ndim), axis_of(dim1, input.ndim))


def permute(input: Any, *dims: Any) -> Any:
    """The axes in another order."""
    axes = _size(dims)
    if len(axes) != input.ndim:
        raise RuntimeError(
            "permute(sparse_coo): number of dimensions in the tensor input does not match the length of the desired "
            f"ordering of dimensions i.e. input.dim() = {input.ndim} is not equal to len(dims) = {len(axes)}"
        )
    return F.transpose(input, axes)


def movedim(input: Any, source: Any, destination: Any) -> Any:
    """Some axes moved to other places."""
    return shaping.moveaxis(input, source, destination)


def t(input: Any) -> Any:
    """The transpose of a matrix; a vector as it is."""
    if input.ndim > 2:
        raise RuntimeError(f"t() expects a tensor with <= 2 dimensions, but self is {input.ndim}D")
    return F.t(input)


def T(input: Any) -> Any:
    """All axes in reverse order (deprecated in torch for other than two axes)."""
    if input.ndim != 2:
        warnings.warn(
            "The use of `x.T` on tensors of dimension other than 2 to reverse their shape is deprecated and it will "
            "throw an error in a future release. Consider `x.mT` to transpose batches of matrices or "
            "`x.permute(*torch.arange(x.ndim - 1, -1, -1))` to reverse the dimensions of a tensor.",
            UserWarning,
            stacklevel=2,
        )
    return F.transpose(input)


def mT(input: Any) -> Any:
    """The last two axes exchanged."""
    if input.ndim < 2:
        raise RuntimeError(f"tensor.mT is only supported on matrices or batches of matrices. Got {input.ndim}-D tensor.")
    return F.swapaxes(input, -2, -1)


def expand(input: Any, *sizes: Any) -> Any:
    """Axes of length 1 stretched, and new ones in front; -1 keeps a length."""
    wanted = _size(sizes)
    have = (1,) * (len(wanted) - input.ndim) + tuple(input.array.shape)
    target = tuple(h if w == -1 else w for h, w in zip(have, wanted, strict=False))
    for k, (h, w) in enumerate(zip(have, target, strict=False)):
        if h not in (1, w):
            raise ShapeError(
                f"The expanded size of the tensor ({w}) must match the existing size ({h}) at non-singleton dimension {k}.  "
                f"Target sizes: {shape_text(wanted)}.  Tensor sizes: {shape_text(input.array.shape)}"
            )
    return F.broadcast_to(input, target)


def expand_as(input: Any, other: Any) -> Any:
    """`expand` to the shape of ``other``."""
    return expand(input, tuple(other.shape))


def broadcast_to(input: Any, size: Sequence[int]) -> Any:
    """`expand` to ``size``."""
    return expand(input, tuple(size))


def unsqueeze(input: Any, dim: int) -> Any:
    """A new axis of length 1 at ``dim``."""
    if not -input.ndim - 1 <= dim <= input.ndim:
        raise axis_error(dim, input.ndim + 1)
    return F.expand_dims(input, dim)


def squeeze(input: Any, dim: Any = None) -> Any:
    """Without the axes of length 1 (or those of ``dim`` that have it)."""
    if dim is None:
        return F.squeeze(input)
    axes = axes_of(dim, input.ndim)
    shape = input.array.shape
    if isinstance(axes, tuple):
        return F.squeeze(input, tuple(a for a in axes if shape[a] == 1))
    if input.ndim and shape[axes] == 1:
        return F.squeeze(input, axes)
    return F.reshape(input, shape)


def cat(tensors: Sequence[Any], dim: int = 0) -> Any:
    """Tensors joined along ``dim``."""
    parts = [x for x in tensors if not (x.ndim == 1 and x.numel() == 0)] or list(tensors)
    if not parts:
        raise RuntimeError("torch.cat(): expected a non-empty list of Tensors")
    for x in parts:
        if x.ndim != parts[0].ndim:
            raise ShapeError(f"Tensors must have same number of dimensions: got {parts[0].ndim} and {x.ndim}")
    if parts[0].ndim == 0:
        raise RuntimeError("zero-dimensional tensor (at position 0) cannot be concatenated")
    return dispatch(TABLE[np.concatenate], parts, {"axis": axis_of(dim, parts[0].ndim)})


def stack(tensors: Sequence[Any], dim: int = 0) -> Any:
    """Tensors of one shape along a new axis ``dim``."""
    parts = list(tensors)
    if not parts:
        raise RuntimeError("stack expects a non-empty TensorList")
    for k, x in enumerate(parts):
        if x.array.shape != parts[0].array.shape:
            raise ShapeError(
                f"stack expects each tensor to be equal size, but got {shape_text(parts[0].array.shape)} at entry 0 and "
                f"{shape_text(x.array.shape)} at entry {k}"
            )
    return dispatch(TABLE[np.stack], parts, {"axis": axis_of(dim, parts[0].ndim + 1)})


def split(tensor: Any, split_size_or_sections: Any, dim: int = 0) -> tuple[Any, ...]:
    """Parts of a size (the last may be smaller), or of the given sizes."""
    axis = axis_of(dim, tensor.ndim)
    n = tensor.array.shape[axis]
    sizes = split_size_or_sections
    if isinstance(sizes, int):
        sizes = [builtins.min(sizes, n - start) for start in range(0, n, sizes)] or [0]
    elif builtins.sum(sizes) != n:
        raise RuntimeError(
            f"split_with_sizes expects split_sizes to sum exactly to {n} (input tensor's size at dimension {axis}), but got "
            f"split_sizes={list(sizes)}"
        )
    return F.split(tensor, sizes=tuple(sizes), axis=axis)  # type: ignore[no-any-return]


def chunk(input: Any, chunks: int, dim: int = 0) -> tuple[Any, ...]:
    """At most ``chunks`` parts of one size (the last may be smaller)."""
    n = input.array.shape[axis_of(dim, input.ndim)]
    return split(input, -(-n // chunks) or 1, dim)


def unbind(input: Any, dim: int = 0) -> tuple[Any, ...]:
    """The slices along ``dim``."""
    return F.unbind(input, axis=axis_of(dim, input.ndim))  # type: ignore[no-any-return]


def flip(input: Any, *dims: Any) -> Any:
    """The order along ``dims`` reversed."""
    return F.flip(input, axes_of(_size(dims), input.ndim) if _size(dims) else ())


def roll(input: Any, shifts: Any, dims: Any = None) -> Any:
    """Elements moved along ``dims``, those pushed out coming in again."""
    return F.roll(input, shifts, dims)


def repeat(input: Any, *sizes: Any) -> Any:
    """Copies of the whole along each axis."""
    return F.tile(input, _size(sizes))


def tile(input: Any, *dims: Any) -> Any:
    """Copies of the whole along each axis."""
    return F.tile(input, _size(dims))


def repeat_interleave(input: Any, repeats: Any, dim: int | None = None) -> Any:
    """Each element ``repeats`` times in a row."""
    count = repeats.array if isinstance(repeats, Tensor) else repeats
    return F.repeat(input, count, dim)


def diagonal(input: Any, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Any:
    """The diagonal of two axes, as the last axis."""
    return F.diagonal(input, offset, dim1, dim2)


def diag(input: Any, diagonal: int = 0) -> Any:
    """The diagonal of a matrix, or the matrix with a vector as its diagonal."""
    return shaping.diag(input, diagonal)


def tril(input: Any, diagonal: int = 0) -> Any:
    """The lower triangle, zeros above."""
    return F.tril(input, diagonal)


def triu(input: Any, diagonal: int = 0) -> Any:
    """The upper triangle, zeros below."""
    return F.triu(input, diagonal)


def narrow(input: Any, dim: int, start: int, length: int) -> Any:
    """The slices from ``start``, ``length`` of them, along ``dim``."""
    return getitem(input, (slice(None),) * axis_of(dim, input.ndim) + (slice(start, start + length),))


def select(input: Any, dim: int, index: int) -> Any:
    """The slice number ``index`` along ``dim``."""
    return getitem(input, (slice(None),) * axis_of(dim, input.ndim) + (index,))


# Indexing


def getitem(input: Any, key: Any) -> Any:
    """``input[key]``."""
    kind = type(key)
    if kind is int or kind is slice:
        return F.getitem(input, key)
    basic, arrays = indexing.split_key(normal_key(key))
    if not arrays:
        return F.getitem(input, basic)
    return F.take_items(input, *arrays, key=basic)


def normal_key(key: Any) -> Any:
    """A key in NumPy's terms: index tensors as arrays (a single whole number as that number), lists as arrays."""
    if isinstance(key, tuple):
        return tuple(_normal_part(part) for part in key)
    return _normal_part(key)


def _normal_part(part: Any) -> Any:
    if isinstance(part, Tensor):
        if part.array.ndim == 0 and part.array.dtype.kind in "iu":
            return int(part.array)
        if part.dtype.differentiable:
            raise IndexError("tensors used as indices must be long, int, byte or bool tensors")
        return part.array
    if isinstance(part, (list, range)):
        return np.asarray([p.item() if isinstance(p, Tensor) else p for p in part], dtype=None if len(part) else np.int64)
    return part


def setitem(input: Any, key: Any, value: Any) -> None:
    """``input[key] = value``, the gradient flowing to what was kept and to ``value``."""
    static, arrays = indexing.split_key(normal_key(key))
    recording = modes.is_grad_enabled() and (input.requires_grad or getattr(value, "requires_grad", False))
    if not recording:
        raw = value.array if isinstance(value, Tensor) else value
        try:
            input.array[indexing.filled(static, tuple(arrays))] = raw
        except (ValueError, IndexError) as fault:
            kind = IndexError if isinstance(fault, IndexError) else ShapeError
            raise kind(f"setitem(): {fault}") from None
        log_write(input)
        return
    if not isinstance(value, Box):
        value = np.asarray(value, input.lane.numpy)
    adopt(input, dispatch(TABLE[indexing.setitem], (input, value, *arrays), {"key": static}))


def gather(input: Any, dim: int, index: Any) -> Any:
    """``out[i, j] = input[index[i, j], j]`` for dim 0, and so on."""
    return F.gather(input, index, axis=axis_of(dim, input.ndim))


def scatter(input: Any, dim: int, index: Any, src: Any) -> Any:
    """A copy of ``input`` with ``src`` stored at ``index`` along ``dim``."""
    return F.scatter(input, index, src, axis=axis_of(dim, input.ndim))


def scatter_add(input: Any, dim: int, index: Any, src: Any) -> Any:
    """A copy of ``input`` with ``src`` added at ``index`` along ``dim``."""
    return F.scatter_add(input, index, src, axis=axis_of(dim, input.ndim))


def index_add(input: Any, dim: int, index: Any, source: Any, *, alpha: float = 1) -> Any:
    """A copy of ``input`` with ``alpha source`` added to its slices ``index`` along ``dim``."""
    return F.index_add(input, index, source, axis=axis_of(dim, input.ndim), alpha=alpha)


def index_select(input: Any, dim: int, index: Any) -> Any:
    """The slices number ``index`` along ``dim``."""
    return F.take(input, index, axis_of(dim, input.ndim))


def take(input: Any, index: Any) -> Any:
    """The elements number ``index`` of the flattened tensor."""
    return F.take(input, index, None)


def take_along_dim(input: Any, indices: Any, dim: int | None = None) -> Any:
    """`gather` along ``dim``."""
    return indexing.take_along_axis(input, indices, dim)


def masked_select(input: Any, mask: Any) -> Any:
    """The elements where ``mask``."""
    return getitem(input, mask)


# dtype, memory, history


def to(input: Any, *args: Any, dtype: DType | None = None, device: Any = None, copy: bool = False, **same: Any) -> Any:
    """``input`` in another dtype (or that of another tensor); the device can only be the CPU."""
    for arg in args:
        if isinstance(arg, DType):
            dtype = arg
        elif isinstance(arg, Tensor):
            dtype = arg.dtype
        elif isinstance(arg, (str, Device)):
            device = arg
    if device is not None:
        Device(device)
    out = input if dtype is None else input.cast(dtype)
    return clone(input) if copy and out is input else out


def clone(input: Any, *, memory_format: Any = None) -> Any:
    """A copy, part of the same history."""
    return F.copy(input)


def contiguous(input: Any) -> Any:
    """``input`` itself if its elements lie in row-major order, else a copy."""
    return input if input.is_contiguous() else clone(input)


def detach(input: Any) -> Tensor:
    """The same memory without the history."""
    t = wrap(input.array)
    t.lane = input.lane
    t.version = input.version
    return t


def detach_(input: Any) -> Any:
    """Forget the history of this tensor; returns it."""
    if input.base is not None and input.node is not None:
        raise RuntimeError("Can't detach views in-place. Use detach() instead.")
    input.node = None
    input.leaf = False
    return input


def result_type(tensor1: Any, tensor2: Any) -> DType:
    """The dtype of an operation between the two."""
    groups: tuple[list[DType], list[DType], list[DType]] = ([], [], [])
    for x in (tensor1, tensor2):
        if isinstance(x, Tensor):
            groups[0 if x.ndim else 1].append(x.dtype)
        else:
            groups[2].append(spec.weak_dtype(x))
    return spec.result_type(*groups)


def equal(input: Any, other: Any) -> bool:
    """Whether both have the same shape and elements."""
    return input.array.shape == other.array.shape and bool((input.array == other.array).all())


def allclose(input: Any, other: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> bool:
    """Whether ``|input - other| <= atol + rtol |other|`` everywhere."""
    return bool(np.allclose(input.array, other.array, rtol, atol, equal_nan))


def isclose(input: Any, other: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Any:
    """Where ``|input - other| <= atol + rtol |other|``."""
    return wrap(np.isclose(input.array, other.array, rtol, atol, equal_nan))


def numel(input: Any) -> int:
    """The number of elements."""
    return int(input.array.size)


def is_tensor(obj: Any) -> bool:
    """Whether ``obj`` is a tensor."""
    return isinstance(obj, Tensor)


def meshgrid(*tensors: Any, indexing: str = "ij") -> tuple[Any, ...]:
    """Coordinate grids of the given vectors."""
    vectors = tensors[0] if len(tensors) == 1 and isinstance(tensors[0], (list, tuple)) else tensors
    n = len(vectors)
    order = list(range(n))
    if indexing == "xy" and n > 1:
        order[0], order[1] = 1, 0
    shape = tuple(vectors[k].numel() for k in order)
    return tuple(
        F.broadcast_to(F.reshape(v, tuple(-1 if order[j] == k else 1 for j in range(n))), shape)
        for k, v in enumerate(vectors)
    )
