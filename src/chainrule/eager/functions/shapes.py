"""Shapes: reshaping, moving axes, joining, splitting, repeating."""

from __future__ import annotations

import builtins
import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.core.box import dispatch
from chainrule.core.primitive import TABLE
from chainrule.core.spec import DType
from chainrule.eager.functions.axes import axes_of, axis_of, sizes_of
from chainrule.eager.specialise import F
from chainrule.eager.tensor import Tensor, wrap
from chainrule.errors import ShapeError, axis_error, shape_text
from chainrule.ops import shaping


def reshape(input: Any, *shape: Any) -> Any:
    """The elements in another shape; one length may be -1."""
    wanted = sizes_of(shape)
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
    axes = sizes_of(dims)
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
        raise RuntimeError(
            f"tensor.mT is only supported on matrices or batches of matrices. Got {input.ndim}-D tensor."
        )
    return F.swapaxes(input, -2, -1)


def expand(input: Any, *sizes: Any) -> Any:
    """Axes of length 1 stretched, and new ones in front; -1 keeps a length."""
    wanted = sizes_of(sizes)
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
    return F.flip(input, axes_of(sizes_of(dims), input.ndim) if sizes_of(dims) else ())


def roll(input: Any, shifts: Any, dims: Any = None) -> Any:
    """Elements moved along ``dims``, those pushed out coming in again."""
    return F.roll(input, shifts, dims)


def repeat(input: Any, *sizes: Any) -> Any:
    """Copies of the whole along each axis."""
    return F.tile(input, sizes_of(sizes))


def tile(input: Any, *dims: Any) -> Any:
    """Copies of the whole along each axis."""
    return F.tile(input, sizes_of(dims))


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
