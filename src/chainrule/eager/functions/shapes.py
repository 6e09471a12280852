"""Shapes: reshaping, moving axes, joining, splitting, repeating."""

from __future__ import annotations

import builtins
import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.core import spec
from chainrule.core.box import Box, dispatch
from chainrule.core.primitive import TABLE
from chainrule.core.spec import DType
from chainrule.eager.functions.axes import axes_of, axis_of, sizes_of
from chainrule.eager.specialise import F
from chainrule.eager.tensor import Tensor, wrap
from chainrule.errors import IndexRefusal, Refusal, ShapeError, axis_error, expand_error, reshape_error, shape_text
from chainrule.ops import shaping


def reshape(input: Any, *shape: Any) -> Any:
    """The elements in another shape; one length may be -1."""
    wanted = sizes_of(shape)
    try:
        if min(wanted, default=0) < -1:  # which NumPy takes for -1
            raise ShapeError
        return F.reshape(input, wanted)
    except ShapeError:
        raise reshape_error(wanted, input.array.size) from None


def view(input: Any, *shape: Any) -> Any:
    """The elements in another shape, on the same memory; or in another dtype of the same width."""
    if len(shape) == 1 and isinstance(shape[0], DType):
        return wrap(input.array.view(shape[0].numpy))
    out = reshape(input, *shape)
    if input.numel() and not np.shares_memory(out._bottom().array, input._bottom().array):
        raise Refusal(
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
    if first > last:
        raise Refusal("flatten() has invalid args: start_dim cannot come after end_dim")
    if first == last:
        return input
    shape = input.array.shape
    return F.reshape(input, (*shape[:first], math.prod(shape[first : last + 1]), *shape[last + 1 :]))


def ravel(input: Any) -> Any:
    """All elements along one axis."""
    return F.reshape(input, (-1,))


def transpose(input: Any, dim0: int, dim1: int) -> Any:
    """Two axes exchanged."""
    ndim = input.array.ndim
    axis0, axis1 = axis_of(dim0, ndim), axis_of(dim1, ndim)
    return F.swapaxes(input, axis0, axis1) if ndim else F.reshape(input, ())


def permute(input: Any, *dims: Any) -> Any:
    """The axes in another order."""
    axes = sizes_of(dims)
    if len(axes) != input.ndim:
        raise Refusal(
            "permute(sparse_coo): number of dimensions in the tensor input does not match the length of the desired "
            f"ordering of dimensions i.e. input.dim() = {input.ndim} is not equal to len(dims) = {len(axes)}"
        )
    return F.transpose(input, axes)


def movedim(input: Any, source: Any, destination: Any) -> Any:
    """Some axes moved to other places."""
    ours, theirs = (list(d) if isinstance(d, (tuple, list)) else [d] for d in (source, destination))
    if len(ours) != len(theirs):
        raise Refusal(
            f"movedim: Invalid source or destination dims: source ({ours} dims) should contain the same number of dims as "
            f"destination ({theirs} dims)"
        )
    for name, dims in (("source", ours), ("destination", theirs)):
        if len({axis_of(d, input.ndim) for d in dims}) != len(dims):
            raise Refusal(f"movedim: repeated dim in `{name}` ({dims})")
    if input.ndim == 0:
        return F.reshape(input, ())
    return shaping.moveaxis(input, source, destination)


def t(input: Any) -> Any:
    """The transpose of a matrix; a vector as it is."""
    if input.ndim > 2:
        raise Refusal(f"t() expects a tensor with <= 2 dimensions, but self is {input.ndim}D")
    return F.t(input)


def _identity_of_scalar(name: str, advice: str = "This function is the identity in these cases.") -> None:
    warnings.warn(f"Tensor.{name} is deprecated on 0-D tensors. {advice}", UserWarning, stacklevel=3)


def T(input: Any) -> Any:
    """All axes in reverse order (deprecated in torch for other than two axes)."""
    if input.ndim == 0:
        _identity_of_scalar("T")
    elif input.ndim != 2:
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
        if input.ndim == 0:
            _identity_of_scalar("mT")
            return F.transpose(input)
        raise Refusal(f"tensor.mT is only supported on matrices or batches of matrices. Got {input.ndim}-D tensor.")
    return F.swapaxes(input, -2, -1)


def mH(input: Any) -> Any:
    """The last two axes exchanged, and the complex conjugate."""
    if input.ndim < 2:
        if input.ndim == 0:
            _identity_of_scalar("mH", "Consider using x.conj().")
            return F.conjugate(input)
        raise Refusal(f"tensor.mH is only supported on matrices or batches of matrices. Got {input.ndim}-D tensor.")
    return F.swapaxes(F.conjugate(input), -2, -1)


def H(input: Any) -> Any:
    """The conjugate transpose of a matrix."""
    if input.ndim != 2:
        if input.ndim == 0:
            _identity_of_scalar("H", "Consider using x.conj().")
            return F.conjugate(input)
        more = " For batches of matrices, consider using tensor.mH" if input.ndim > 2 else ""
        raise Refusal(f"tensor.H is only supported on matrices (2-D tensors). Got {input.ndim}-D tensor.{more}")
    return F.swapaxes(F.conjugate(input), 0, 1)


def expand(input: Any, *sizes: Any) -> Any:
    """Axes of length 1 stretched, and new ones in front; -1 keeps a length."""
    wanted = sizes_of(sizes)
    have = tuple(input.array.shape)
    new = len(wanted) - len(have)
    target = wanted
    if -1 in wanted and new >= 0:
        target = tuple(have[k - new] if n == -1 and k >= new else n for k, n in enumerate(wanted))
    try:
        return F.broadcast_to(input, target)
    except ShapeError as fault:
        raise expand_error(have, wanted, input.dtype) or fault from None


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
    if isinstance(tensors, Box):
        raise TypeError("cat(): argument 'tensors' (position 1) must be tuple of Tensors, not Tensor")
    try:
        parts = [x for x in tensors if not (x.ndim == 1 and x.numel() == 0)] or list(tensors)
    except (AttributeError, TypeError):
        raise _no_tensors("cat", tensors) from None
    if not parts:
        raise Refusal("torch.cat(): expected a non-empty list of Tensors")
    first = parts[0].array.shape
    if not first:
        raise Refusal("zero-dimensional tensor (at position 0) cannot be concatenated")
    axis = axis_of(dim, len(first))
    if len(parts) < len(tensors):  # what has no elements may still be part of a history
        nothing = (*first[:axis], 0, *first[axis + 1 :])
        parts += [F.reshape(x, nothing) for x in tensors if x.requires_grad and not any(x is part for part in parts)]
    try:
        return dispatch(TABLE[np.concatenate], parts, {"axis": axis})
    except ShapeError as fault:
        raise _cat_error(parts, axis) or fault from None


def _cat_error(parts: Sequence[Any], axis: int) -> ShapeError | None:
    """Why these tensors cannot be joined along ``axis``; None if they can."""
    first = parts[0].array.shape
    for k, x in enumerate(parts):
        if x.ndim != len(first):
            return ShapeError(f"Tensors must have same number of dimensions: got {len(first)} and {x.ndim}")
        for a, (m, n) in enumerate(zip(first, x.array.shape, strict=True)):
            if m != n and a != axis:
                return ShapeError(
                    f"Sizes of tensors must match except in dimension {axis}. Expected size {m} but got size {n} for tensor "
                    f"number {k} in the list."
                )
    return None


def _no_tensors(name: str, tensors: Any) -> TypeError:
    """The error for an argument that is no list of tensors; for use in ``except``."""
    if not isinstance(tensors, (list, tuple)):
        return TypeError(f"{name}(): argument 'tensors' (position 1) must be tuple of Tensors, not {type(tensors).__name__}")
    k = next((k for k, x in enumerate(tensors) if not isinstance(x, Box)), 0)
    return TypeError(f"expected Tensor as element {k} in argument 0, but got {type(tensors[k]).__name__}")


def hstack(tensors: Sequence[Any]) -> Any:
    """Tensors joined along their second axis, vectors along their only one."""
    return shaping.hstack(tensors)


def vstack(tensors: Sequence[Any]) -> Any:
    """Tensors joined along their first axis, vectors being rows."""
    return shaping.vstack(tensors)


def column_stack(tensors: Sequence[Any]) -> Any:
    """Tensors joined along their second axis, vectors being columns."""
    return shaping.column_stack(tensors)


def diff(input: Any, n: int = 1, dim: int = -1, prepend: Any = None, append: Any = None) -> Any:
    """The differences of neighbours along ``dim``, ``n`` times over; of bools, whether they differ.

    ``prepend`` and ``append`` are joined to ``input`` first.
    """
    if n < 0:
        raise Refusal(f"order must be non-negative but got {n}")
    axis = axis_of(dim, input.ndim)
    parts = [x for x in (prepend, input, append) if x is not None]
    whole = cat(parts, axis) if len(parts) > 1 else input
    n = min(n, whole.array.shape[axis])
    if n == 0:
        return F.copy(whole)
    if whole.dtype is not spec.bool_:
        return shaping.diff(whole, n, axis)
    for _ in range(n):
        count = whole.array.shape[axis]
        whole = F.not_equal(whole.narrow(axis, 1, count - 1), whole.narrow(axis, 0, count - 1))
    return whole


def stack(tensors: Sequence[Any], dim: int = 0) -> Any:
    """Tensors of one shape along a new axis ``dim``."""
    try:
        parts = list(tensors)
        shapes = [x.array.shape for x in parts]
    except (AttributeError, TypeError):
        raise _no_tensors("stack", tensors) from None
    if not parts:
        raise Refusal("stack expects a non-empty TensorList")
    for k, shape in enumerate(shapes):
        if shape != shapes[0]:
            raise ShapeError(
                f"stack expects each tensor to be equal size, but got {shape_text(shapes[0])} at entry 0 and "
                f"{shape_text(shape)} at entry {k}"
            )
    return dispatch(TABLE[np.stack], parts, {"axis": axis_of(dim, parts[0].ndim + 1)})


def split(tensor: Any, split_size_or_sections: Any, dim: int = 0) -> tuple[Any, ...]:
    """Parts of a size (the last may be smaller), or of the given sizes."""
    axis = axis_of(dim, tensor.ndim)
    if tensor.ndim == 0:
        raise Refusal("split expects at least a 1-dimensional tensor")
    n = tensor.array.shape[axis]
    sizes = split_size_or_sections
    if isinstance(sizes, int):
        if sizes < 0:
            raise Refusal(f"split expects split_size be non-negative, but got split_size={sizes}")
        if sizes == 0:
            if n:
                raise Refusal(f"split_size can only be 0 if dimension size is 0, but got dimension size of {n}")
            sizes = 1
        sizes = [builtins.min(sizes, n - start) for start in range(0, n, sizes)] or [0]
    elif builtins.any(size < 0 for size in sizes):
        raise Refusal(
            f"split_with_sizes expects split_sizes have only non-negative entries, but got split_sizes={list(sizes)}"
        )
    elif builtins.sum(sizes) != n:
        raise Refusal(
            f"split_with_sizes expects split_sizes to sum exactly to {n} (input tensor's size at dimension {axis}), but got "
            f"split_sizes={list(sizes)}"
        )
    return F.split(tensor, sizes=tuple(sizes), axis=axis)  # type: ignore[no-any-return]


def chunk(input: Any, chunks: int, dim: int = 0) -> tuple[Any, ...]:
    """At most ``chunks`` parts of one size (the last may be smaller)."""
    if input.ndim == 0:
        raise Refusal("chunk expects at least a 1-dimensional tensor")
    if chunks <= 0:
        raise Refusal(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    n = input.array.shape[axis_of(dim, input.ndim)]
    return split(input, -(-n // chunks), dim) if n else tuple(F.reshape(input, input.array.shape) for _ in range(chunks))


def unbind(input: Any, dim: int = 0) -> tuple[Any, ...]:
    """The slices along ``dim``."""
    axis = axis_of(dim, input.ndim)
    if input.ndim == 0:
        raise IndexRefusal(f"Dimension specified as {dim} but tensor has no dimensions")
    return F.unbind(input, axis=axis)  # type: ignore[no-any-return]


def flip(input: Any, *size: Any, dims: Any = None) -> Any:
    """The order along ``dims`` reversed."""
    if not size and dims is None:
        raise TypeError('flip() missing 1 required positional arguments: "dims"')
    wanted = sizes_of(size or (dims,))
    axes = axes_of(wanted, input.ndim) if wanted else ()
    return F.flip(input, axes if input.ndim else ())


def roll(input: Any, shifts: Any, dims: Any = None) -> Any:
    """Elements moved along ``dims``, those pushed out coming in again."""
    if dims is None or dims == ():
        if isinstance(shifts, (tuple, list)) and len(shifts) != 1:
            raise Refusal(f"shifts and dimensions must align. shifts: {len(shifts)}, dims:0")
        return F.roll(input, shifts[0] if isinstance(shifts, (tuple, list)) else shifts, None)
    steps, axes = (tuple(v) if isinstance(v, (tuple, list)) else (v,) for v in (shifts, dims))
    if len(steps) != len(axes):
        raise Refusal(f"shifts and dimensions must align. shifts: {len(steps)}, dims:{len(axes)}")
    if input.ndim == 0:
        raise IndexRefusal(f"Dimension specified as {axes[0]} but tensor has no dimensions")
    return F.roll(input, steps, tuple(axis_of(axis, input.ndim) for axis in axes))


def repeat(input: Any, *sizes: Any) -> Any:
    """Copies of the whole along each axis."""
    reps = sizes_of(sizes)
    if len(reps) < input.ndim:
        raise Refusal("Number of dimensions of repeat dims can not be smaller than number of dimensions of tensor")
    return F.tile(input, reps)


def tile(input: Any, *dims: Any) -> Any:
    """Copies of the whole along each axis."""
    return F.tile(input, sizes_of(dims))


def repeat_interleave(input: Any, repeats: Any, dim: int | None = None) -> Any:
    """Each element ``repeats`` times in a row."""
    count = repeats.array if isinstance(repeats, Tensor) else repeats
    return F.repeat(input, count, dim)


def diagonal(input: Any, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Any:
    """The diagonal of two axes, as the last axis."""
    axis1, axis2 = axis_of(dim1, input.ndim), axis_of(dim2, input.ndim)
    if axis1 == axis2:
        raise Refusal(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    return F.diagonal(input, offset, axis1, axis2)


def diag(input: Any, diagonal: int = 0) -> Any:
    """The diagonal of a matrix, or the matrix with a vector as its diagonal."""
    if input.ndim not in (1, 2):
        raise Refusal(f"diag(): Supports 1D or 2D tensors. Got {input.ndim}D")
    return shaping.diag(input, diagonal)


def tril(input: Any, diagonal: int = 0) -> Any:
    """The lower triangle, zeros above."""
    if input.array.ndim < 2:
        raise Refusal("tril: input tensor must have at least 2 dimensions")
    return F.tril(input, diagonal)


def triu(input: Any, diagonal: int = 0) -> Any:
    """The upper triangle, zeros below."""
    if input.array.ndim < 2:
        raise Refusal("triu: input tensor must have at least 2 dimensions")
    return F.triu(input, diagonal)


def meshgrid(*tensors: Any, indexing: str = "ij") -> tuple[Any, ...]:
    """Coordinate grids of the given vectors."""
    vectors = tensors[0] if len(tensors) == 1 and isinstance(tensors[0], (list, tuple)) else tensors
    n = len(vectors)
    for v in vectors:
        if v.ndim > 1:
            raise Refusal(f"torch.meshgrid: Expected 0D or 1D tensor in the tensor list but got: {v}")
    order = list(range(n))
    if indexing == "xy" and n > 1:
        order[0], order[1] = 1, 0
    shape = tuple(vectors[k].numel() for k in order)
    return tuple(
        F.broadcast_to(F.reshape(v, tuple(-1 if order[j] == k else 1 for j in range(n))), shape) for k, v in enumerate(vectors)
    )
