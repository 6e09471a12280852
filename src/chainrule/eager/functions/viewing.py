"""Other looks at the same memory: steps of one's own, windows, parts."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.eager import views
from chainrule.eager.functions.axes import axis_of, sizes_of
from chainrule.eager.functions.indexing import narrow
from chainrule.eager.functions.shapes import diag, flip, split, transpose
from chainrule.eager.specialise import F
from chainrule.errors import Refusal, ShapeError
from chainrule.ops import shaping, strided
from chainrule.ops.strided import Window, owner_of, reach


def check_strides(size: Any, stride: Any, at: int, room: int, itemsize: int) -> None:
    """Refuse what does not stay within ``room`` elements of memory, beginning ``at``, or goes backwards."""
    shape, steps = tuple(size), tuple(stride)
    if len(shape) != len(steps):
        raise Refusal("mismatch in length of strides and shape")
    if any(step < 0 for step in steps):
        raise Refusal(f"as_strided: Negative strides are not supported at the moment, got strides: {list(steps)}")
    low, high = reach(shape, steps, at)
    if math.prod(shape) and not (low >= 0 and high < room):
        raise ShapeError(
            f"setStorage: sizes {list(shape)}, strides {list(steps)}, storage offset {at}, and itemsize {itemsize} "
            f"requiring a storage size of {(high + 1) * itemsize} are out of bounds for storage of size {room * itemsize}"
        )


def as_strided(input: Any, size: Any, stride: Any, storage_offset: int | None = None) -> Any:
    """The elements of the memory of ``input`` that ``stride`` leads to, ``storage_offset`` counting from its beginning."""
    shape, steps = tuple(size), tuple(stride)
    if len(shape) != len(steps):
        raise Refusal(
            "Tensor.as_strided(size, stride, ...): size and stride must have the same length! Got size "
            f"{list(shape)} and stride {list(steps)}" if input.level else "mismatch in length of strides and shape"
        )  # fmt: skip
    held = input._bottom()
    start = held.storage_offset()
    at = start if storage_offset is None else storage_offset
    base = views.base_of(input)
    first = 0 if base is None else base.storage_offset()
    own = tuple(step // input.itemsize for step in input.array.strides)
    inside, reached = reach(input.array.shape, own, start), reach(shape, steps, at)
    goes_beyond = math.prod(shape) > 0 and not inside[0] <= reached[0] <= reached[1] <= inside[1]
    if input.level and goes_beyond:
        raise _beyond_sample(shape, steps, at, reached, inside if input.array.size else None)
    check_strides(shape, steps, at, owner_of(held.array).nbytes // input.itemsize, input.itemsize)
    source = input
    if base is not None and base.dtype is input.dtype and goes_beyond:
        source, start = base, first  # the look goes beyond the view: it is one at the base
        own = tuple(step // base.itemsize for step in base.array.strides)
    return F.as_strided(source, window=Window(shape, steps, at - start, own))


def _beyond_sample(
    shape: tuple[int, ...], steps: tuple[int, ...], at: int, reached: tuple[int, int], inside: tuple[int, int] | None
) -> Refusal:
    """The error for a look that goes beyond the memory of a sample, which is ``inside`` (None: it has no elements)."""
    told = (
        "`tensor` has no storage but the passed-in (size, stride, storage_offset) imply a result with some storage"
        if inside is None else
        f"`result` can access some memory in range [{reached[0]}, {reached[1] + 1}], but `tensor` can only access some memory "
        f"in range [{inside[0]}, {inside[1] + 1}]"
    )  # fmt: skip
    return Refusal(
        f"result = tensor.as_strided({list(shape)}, {list(steps)}, {at}) can access memory outside of `tensor`. {told}. This "
        "is not supported inside of vmap, please try to rewrite the `as_strided` call as a sequence of PyTorch view operations"
    )


def unfold(input: Any, dimension: int, size: int, step: int) -> Any:
    """Windows of ``size`` elements, ``step`` apart, along ``dimension``; their elements are the last axis."""
    axis = axis_of(dimension, input.ndim)
    shape = input.array.shape or (1,)
    if size > shape[axis]:
        raise Refusal(f"maximum size for tensor at dimension {axis} is {shape[axis]} but size is {size}")
    if step <= 0:
        raise Refusal(f"step is {step} but must be > 0")
    own = tuple(s // input.itemsize for s in input.array.strides) or (1,)
    count = (shape[axis] - size) // step + 1
    lengths = (*shape[:axis], count, *shape[axis + 1 :], size)
    steps = (*own[:axis], own[axis] * step, *own[axis + 1 :], own[axis])
    if input.ndim == 0:
        lengths, steps = lengths[1:], steps[1:]
    window = Window(lengths, steps, 0, own[: input.ndim])
    return F.as_strided(input, window=window)


def unflatten(input: Any, dim: int, sizes: Any) -> Any:
    """One axis as several, of lengths ``sizes`` (one of which may be -1)."""
    axis = axis_of(dim, input.ndim)
    shape = input.array.shape
    known = math.prod(n for n in sizes if n != -1)
    if (-1 not in sizes and known != shape[axis]) or (-1 in sizes and (known == 0 or shape[axis] % known)):
        raise Refusal(
            f"unflatten: Provided sizes {list(sizes)} don't multiply up to the size of dim {axis} ({shape[axis]}) in the "
            "input tensor"
        )
    lengths = tuple(shape[axis] // known if n == -1 else n for n in sizes)
    return F.reshape(input, (*shape[:axis], *lengths, *shape[axis + 1 :]))


def adjoint(input: Any) -> Any:
    """The last two axes exchanged, and the complex conjugate."""
    out = transpose(input, -2, -1)
    return F.conjugate(out) if input.is_complex() else out


def tensor_split(input: Any, indices_or_sections: Any, dim: int = 0) -> tuple[Any, ...]:
    """Parts of nearly one size, or the parts between ``indices``."""
    axis = axis_of(dim, input.ndim)
    n = input.array.shape[axis]
    if hasattr(indices_or_sections, "tolist"):
        indices_or_sections = indices_or_sections.tolist()
    if isinstance(indices_or_sections, int):
        k = indices_or_sections
        if k <= 0:
            raise Refusal(f"number of sections must be larger than 0, got {k}")
        ends = np.cumsum([n // k + (j < n % k) for j in range(k)]).tolist()
        bounds = list(zip([0, *ends], ends, strict=False))
    else:
        cuts = [slice(None, i).indices(n)[1] for i in indices_or_sections]
        bounds = [(a, max(a, b)) for a, b in zip([0, *cuts], [*cuts, n], strict=True)]
    return tuple(narrow(input, axis, a, b - a) for a, b in bounds)


def hsplit(input: Any, indices_or_sections: Any) -> tuple[Any, ...]:
    """`tensor_split` of the columns (of a vector: of its elements)."""
    return _equal_parts("hsplit", input, indices_or_sections, 1, 0 if input.ndim == 1 else 1)


def vsplit(input: Any, indices_or_sections: Any) -> tuple[Any, ...]:
    """`tensor_split` of the rows."""
    return _equal_parts("vsplit", input, indices_or_sections, 2, 0)


def dsplit(input: Any, indices_or_sections: Any) -> tuple[Any, ...]:
    """`tensor_split` along the third axis."""
    return _equal_parts("dsplit", input, indices_or_sections, 3, 2)


def _equal_parts(name: str, input: Any, indices_or_sections: Any, least: int, axis: int) -> tuple[Any, ...]:
    """`tensor_split` along this axis, into parts of one size if their number is given."""
    if input.ndim < least:
        raise ShapeError(
            f"torch.{name} requires a tensor with at least {least} dimension, but got a tensor with {input.ndim} dimensions!"
        )
    n, k = input.array.shape[axis], indices_or_sections
    if isinstance(k, int) and (k <= 0 or n % k):
        raise ShapeError(
            f"torch.{name} attempted to split along dimension {axis}, but the size of the dimension {n} is not divisible by "
            f"the split_size {k}!"
        )
    return tensor_split(input, k, axis)


def split_with_sizes(input: Any, split_sizes: Any, dim: int = 0) -> tuple[Any, ...]:
    """Parts of the given sizes."""
    return split(input, list(split_sizes), dim)


def unsafe_split(input: Any, split_size: int, dim: int = 0) -> tuple[Any, ...]:
    """`split` into copies."""
    return tuple(part.clone() for part in split(input, split_size, dim))


def unsafe_split_with_sizes(input: Any, split_sizes: Any, dim: int = 0) -> tuple[Any, ...]:
    """`split_with_sizes` into copies."""
    return tuple(part.clone() for part in split_with_sizes(input, split_sizes, dim))


def unsafe_chunk(input: Any, chunks: int, dim: int = 0) -> tuple[Any, ...]:
    """`chunk` into copies."""
    return tuple(part.clone() for part in input.chunk(chunks, dim))


def diag_embed(input: Any, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Any:
    """Zeros with ``input`` as the diagonal of two new axes."""
    n = input.array.shape[-1] + abs(offset)
    ndim = input.ndim + 1
    axis1, axis2 = axis_of(dim1, ndim), axis_of(dim2, ndim)
    rest = iter(input.array.shape[:-1])
    shape = tuple(n if k in (axis1, axis2) else next(rest) for k in range(ndim))
    return F.place_diagonal(input, shape=shape, offset=offset, axis1=axis1, axis2=axis2)


def diagflat(input: Any, offset: int = 0) -> Any:
    """A matrix with all elements as its diagonal."""
    return diag(input.reshape(-1), offset)


def fliplr(input: Any) -> Any:
    """Columns in reverse order."""
    return flip(input, 1)


def flipud(input: Any) -> Any:
    """Rows in reverse order."""
    return flip(input, 0)


def rot90(input: Any, k: int = 1, dims: Any = (0, 1)) -> Any:
    """``k`` quarter turns in the plane of two axes."""
    first, second = dims
    if axis_of(first, input.ndim) == axis_of(second, input.ndim):
        raise Refusal(f"expected rotation dims to be different, but got dim0 = {first} and dim1 = {second}")
    turned = {
        0: lambda: input, 1: lambda: transpose(flip(input, second), first, second),
        2: lambda: flip(input, first, second), 3: lambda: flip(transpose(input, first, second), second),
    }  # fmt: skip
    return turned[k % 4]().clone()


def sum_to_size(input: Any, *size: Any) -> Any:
    """Summed along the axes that would have to be stretched from ``size``."""
    wanted = sizes_of(size)
    if shaping.broadcastable(wanted, input.array.shape):
        lead = input.ndim - len(wanted)
        axes = tuple(range(lead)) + tuple(
            k + lead for k, n in enumerate(wanted) if n == 1 and input.array.shape[k + lead] != 1
        )
        return F.reshape(F.sum(input, axes, True) if axes else input, wanted)
    raise Refusal(f"size {{{list(wanted)}}} is not expandable to size {{{list(input.array.shape)}}}.")


def storage_offset(input: Any) -> int:
    """Where the first element lies in the memory that owns it, in elements."""
    owner = strided.owner_of(input.array)
    return (input.data_ptr() - owner.__array_interface__["data"][0]) // input.itemsize  # type: ignore[no-any-return]


def alias(input: Any) -> Any:
    """The same elements, as a view."""
    return F.reshape(input, tuple(input.array.shape))
