"""Indexing."""

from __future__ import annotations

import warnings
from typing import Any, Final

import numpy as np

from chainrule.core import spec
from chainrule.eager.functions.axes import axis_of
from chainrule.eager.levels import differentiating as function_of_arrays
from chainrule.eager.notice import notice
from chainrule.eager.specialise import F
from chainrule.eager.tensor import Tensor
from chainrule.errors import (
    AxisError,
    IndexRefusal,
    Refusal,
    ShapeError,
    mask_error,
    shape_text,
    type_name,
)
from chainrule.ops import indexing


def getitem(input: Any, key: Any) -> Any:
    """``input[key]``."""
    try:
        kind = type(key)
        if kind is int or kind is slice or (kind is tuple and is_simple(key)):
            found = F.getitem(input, key)
            return found if found.array.ndim or not differentiating() else F.copy(found)  # NumPy's elements are no views
        basic, arrays = indexing.split_key(normal_key(key))
        if not arrays:
            return F.getitem(input, basic)
        if has_numbers(basic):
            if differentiating():
                return F.take_items(input, *numbers_among(basic, arrays), key=indexing.holes(basic))
            first, basic = indexing.in_two_steps(basic, arrays)
            input = F.getitem(input, first)
        return F.take_items(input, *arrays, key=basic)
    except (IndexError, TypeError) as fault:
        raise index_error(fault, key, input.array.shape) from None


differentiating: Final = function_of_arrays.get


def is_simple(key: tuple[Any, ...]) -> bool:
    """Whether a key consists of whole numbers and slices."""
    return SIMPLE.issuperset(map(type, key))


SIMPLE: Final = frozenset((int, slice))


def normal_key(key: Any) -> Any:
    """A key in NumPy's terms: index tensors as arrays (a single whole number as that number), lists as arrays."""
    if isinstance(key, list) and differentiating():
        return np.asarray(key, None if key else np.intp)
    if isinstance(key, list) and len(key) < 32 and any(_is_part(part) for part in key):
        notice(AS_SEQUENCE)
        key = tuple(key)
    if isinstance(key, tuple):
        if all(map(_is_plain, key)) and key.count(Ellipsis) > 1:
            first = key.index(Ellipsis)
            key = (*key[: first + 1], *(part for part in key[first + 1 :] if part is not Ellipsis))
        return tuple(_normal_part(part) for part in key)
    return _normal_part(key)


def _is_part(part: Any) -> bool:
    """Whether an item of a list shows that the list is meant as a tuple of parts."""
    return part is None or part is Ellipsis or isinstance(part, (slice, list, tuple, Tensor, np.ndarray))


def _is_plain(part: Any) -> bool:
    """Whether a part of a key may be compared with ``==``."""
    return part is None or part is Ellipsis or isinstance(part, (int, slice))


def has_numbers(key: Any) -> bool:
    """Whether a key has whole numbers beside index arrays (torch, unlike NumPy, takes what they name first)."""
    return isinstance(key, tuple) and any(map(is_number, key))


def numbers_among(key: tuple[Any, ...], arrays: list[Any]) -> list[Any]:
    """The index arrays of a key, its whole numbers being some as well: to NumPy they are."""
    rest = iter(arrays)
    return [next(rest) if part is indexing.HOLE else np.asarray(part) for part in key
            if part is indexing.HOLE or is_number(part)]  # fmt: skip


def is_number(part: Any) -> bool:
    """Whether a part of a key is a whole number."""
    return type(part) is int or isinstance(part, np.integer)


def _normal_part(part: Any) -> Any:
    if isinstance(part, Tensor):
        if part.dtype is spec.uint8:
            notice("indexing with dtype torch.uint8 is now deprecated, please use a dtype torch.bool instead.")
            return part.array.astype(bool)
        if part.level:  # one index for each sample
            return _checked_index(part)
        if part.array.ndim == 0 and part.array.dtype.kind in "iu":
            return int(part.array)
        return _checked_index(part).array
    if isinstance(part, np.integer):
        return int(part)
    if isinstance(part, (list, range)):
        return np.asarray([p.item() if isinstance(p, Tensor) else p for p in part], dtype=None if len(part) else np.int64)
    return part


def _checked_index(part: Tensor) -> Tensor:
    if part.dtype.differentiable:
        raise IndexRefusal("tensors used as indices must be long, int, byte or bool tensors")
    return part


# What was wrong with a key, found when indexing has failed

AS_SEQUENCE: Final = (
    "Using a non-tuple sequence for multidimensional indexing is deprecated and will be changed in pytorch 2.9; use "
    "x[tuple(seq)] instead of x[seq]. In pytorch 2.9 this will be interpreted as tensor index, x[torch.tensor(seq)], which "
    "will result either in an error or a different result"
)


def index_error(fault: Exception, key: Any, shape: tuple[int, ...], stacklevel: int = 3) -> Exception:
    """The error for ``key`` on a tensor of ``shape``, in torch's words."""
    parts = key if isinstance(key, tuple) else (key,)
    if not shape and len(parts) == 1:
        if isinstance(parts[0], int):
            return IndexRefusal(
                "invalid index of a 0-dim tensor. Use `tensor.item()` in Python or `tensor.item<T>()` in C++ to convert a "
                "0-dim tensor to a number"
            )
        if isinstance(parts[0], slice):
            return IndexRefusal("slice() cannot be applied to a 0-dim tensor.")
    if isinstance(fault, TypeError) and "slice indices" in str(fault):
        return TypeError("slice indices must be integers or None or have an __index__ method")
    axis = 0
    for part in parts:
        if isinstance(part, str):
            if part is key:  # torch takes it for a sequence
                warnings.warn(AS_SEQUENCE, UserWarning, stacklevel=stacklevel)
            return TypeError("new(): invalid data type 'str'")
        if isinstance(part, float):
            return _not_an_index("float")
        if isinstance(part, (set, dict, complex)):
            return _not_an_index(type(part).__name__)
        if part is Ellipsis:
            covered = sum(_width(other) for other in parts if other is not Ellipsis)
            axis += len(shape) - covered
            continue
        mask = part.array if isinstance(part, Tensor) else part
        if isinstance(mask, np.ndarray) and mask.dtype == bool and axis + mask.ndim <= len(shape):
            for at, (m, n) in enumerate(zip(mask.shape, shape[axis:], strict=False)):
                if m != n:
                    return mask_error(mask.shape, at, shape, axis + at)
        axis += _width(part)
    return fault


def _not_an_index(name: str) -> IndexRefusal:
    return IndexRefusal(
        f"only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid indices (got {name})"
    )


def _width(part: Any) -> int:
    """The number of the tensor's axes that a part of a key stands for."""
    if part is None or isinstance(part, bool):
        return 0
    array = part.array if isinstance(part, Tensor) else part
    return int(array.ndim) if isinstance(array, np.ndarray) and array.dtype == bool else 1


# Along one axis


def gather(input: Any, dim: int, index: Any, *, sparse_grad: bool = False) -> Any:
    """``out[i, j] = input[index[i, j], j]`` for dim 0, and so on."""
    axis = axis_of(dim, input.ndim)
    if isinstance(index, Tensor) and not index.array.size:
        return F.reshape(input, (-1,)).narrow(0, 0, 0).reshape(index.array.shape)
    check_index("gather", input, index, "input")
    if input.ndim == 0 or index.ndim == 0:
        return F.reshape(gather(F.reshape(input, (-1,)), 0, F.reshape(index, (-1,))), index.array.shape)
    large = too_large(input, index, axis)
    if large is not None:
        raise large
    check_range(input, index, axis)
    try:
        return F.gather(input, index, axis=axis)
    except (Refusal, IndexRefusal) as fault:
        raise too_large(input, index, axis) or fault from None


def check_index(name: str, input: Any, index: Any, whose: str) -> None:
    """Refuse an index tensor of another dtype or number of axes."""
    if index.array.dtype.kind not in "iu":
        raise Refusal(f"{name}(): Expected dtype int32/int64 for index")
    if (index.array.ndim or 1) != (input.array.ndim or 1):
        raise Refusal(f"Index tensor must have the same number of dimensions as {whose} tensor")


def check_range(input: Any, index: Any, axis: int) -> None:
    """Refuse an index that names no place along ``axis``: torch counts from the front only here."""
    n = input.array.shape[axis] if input.ndim else 1
    places = index._bottom().array
    if places.size and not (places.min() >= 0 and places.max() < n):
        wrong = next(int(i) for i in places.ravel() if not 0 <= i < n)
        raise Refusal(f"index {wrong} is out of bounds for dimension {axis} with size {n}")


def too_large(input: Any, index: Any, axis: int) -> Refusal | None:
    for k, (n, have) in enumerate(zip(index.array.shape, input.array.shape, strict=False)):
        if k != axis and n > have:
            return Refusal(
                f"Size does not match at dimension {k} expected index {shape_text(index.array.shape)} to be no larger than "
                f"self {shape_text(input.array.shape)} apart from dimension {axis}"
            )
    return None


def index_select(input: Any, dim: int, index: Any) -> Any:
    """The slices number ``index`` along ``dim``."""
    if index.array.dtype.kind not in "iu":
        raise Refusal("index_select(): Expected dtype int32 or int64 for index")
    if index.array.ndim > 1:
        raise IndexRefusal("index_select(): Index is supposed to be a vector")
    if index.array.size and index._bottom().array.min() < 0:
        raise IndexRefusal("index out of range in self")
    if index.array.size == 1:
        index = F.reshape(index, (1,) if input.ndim else ())
    try:
        return F.take(input, index, axis_of(dim, input.ndim))
    except AxisError:
        raise
    except IndexError:
        raise IndexRefusal("index out of range in self") from None


def take(input: Any, index: Any) -> Any:
    """The elements number ``index`` of the flattened tensor."""
    if index.array.dtype.kind not in "iu":
        raise Refusal(f"take(): Expected a long tensor for index, but got {type_name(index.dtype)}")
    try:
        return F.take(input, index, None)
    except IndexError:
        n = input.array.size
        wrong = next(int(i) for i in index.array.ravel() if not -n <= i < n)
        raise IndexRefusal(f"out of range: tried to access index {wrong} on a tensor of {n} elements.") from None


def take_along_dim(input: Any, indices: Any, dim: int | None = None) -> Any:
    """`gather` along ``dim`` (of the flattened tensor without one), the other axes stretched to each other."""
    if dim is None:
        return F.gather(F.reshape(input, (-1,)), F.reshape(indices, (-1,)), axis=0)
    axis = axis_of(dim, input.ndim)
    if input.ndim != indices.ndim:
        raise ShapeError(
            "torch.take_along_dim(): input and indices should have the same number of dimensions, but got "
            f"{input.ndim} dimensions for input, and {indices.ndim} dimensions for indices"
        )
    ours, theirs = list(input.array.shape), list(indices.array.shape)
    common = list(np.broadcast_shapes((*ours[:axis], 1, *ours[axis + 1 :]), (*theirs[:axis], 1, *theirs[axis + 1 :])))
    x = input.expand(*common[:axis], ours[axis], *common[axis + 1 :])
    return F.gather(x, indices.expand(*common[:axis], theirs[axis], *common[axis + 1 :]), axis=axis)


def masked_select(input: Any, mask: Any) -> Any:
    """The elements where ``mask``."""
    if mask.array.dtype != bool:
        raise Refusal("masked_select: expected BoolTensor for mask")
    shape = np.broadcast_shapes(input.array.shape, mask.array.shape)
    return F.masked_select(input if input.array.shape == shape else input.expand(shape), mask)


def narrow(input: Any, dim: int, start: int, length: int) -> Any:
    """The slices from ``start``, ``length`` of them, along ``dim``."""
    axis = axis_of(dim, input.ndim)
    n = input.array.shape[axis]
    if not -n <= start <= n:
        raise IndexRefusal(f"start out of range (expected to be in range of [-{n}, {n}], but got {start})")
    start = start + n if start < 0 else start
    if length < 0:
        raise Refusal("narrow(): length must be non-negative.")
    if start + length > n:
        raise Refusal(f"start ({start}) + length ({length}) exceeds dimension size ({n}).")
    return getitem(input, (slice(None),) * axis + (slice(start, start + length),))


def select(input: Any, dim: int, index: int) -> Any:
    """The slice number ``index`` along ``dim``."""
    axis = axis_of(dim, input.ndim)
    shape = input.array.shape
    if not shape:
        raise IndexRefusal("select() cannot be applied to a 0-dim tensor.")
    if not -shape[axis] <= index < shape[axis]:
        raise IndexRefusal(f"select(): index {index} out of range for tensor of size {shape_text(shape)} at dimension {axis}")
    return getitem(input, (slice(None),) * axis + (index,))
