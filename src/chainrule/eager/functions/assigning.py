"""Assignment by index."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from chainrule.core.box import NUMBERS, Box
from chainrule.core.primitive import TABLE
from chainrule.eager import modes
from chainrule.eager.data import number_for
from chainrule.eager.functions.indexing import differentiating, has_numbers, index_error, is_simple, normal_key, numbers_among
from chainrule.eager.inplace import adopt, assign, check_writable, is_recorded, refused, unrecorded
from chainrule.eager.modes import NO_GRAD
from chainrule.eager.specialise import F
from chainrule.eager.tensor import Tensor, wrap
from chainrule.eager.views import is_view
from chainrule.eager.writes import guards, log_write, touch
from chainrule.errors import Refusal, ShapeError, c_type_name, expand_error, index_fault, shape_text, type_name
from chainrule.ops import indexing
from chainrule.ops.strided import distinct, on_memory


def setitem(input: Any, key: Any, value: Any) -> None:
    """``input[key] = value``, the gradient flowing to what was kept and to ``value``."""
    if stored_at_once(input, key, value):
        return
    try:
        static, arrays = indexing.split_key(normal_key(key))
        if value is None:
            raise TypeError
        value = number_for(input, value)
        if arrays and has_numbers(static):
            if differentiating():
                setitem(input, indexing.filled(indexing.holes(static), tuple(numbers_among(static, arrays))), value)
                return
            first, static = indexing.in_two_steps(static, arrays)
            setitem(F.getitem(input, first), indexing.filled(static, tuple(arrays)), value)
            return
        if isinstance(value, (list, tuple)):
            raise TypeError
        if input.level or getattr(value, "level", 0) or (arrays and any(isinstance(a, Tensor) for a in arrays)):
            store_batched(input, static, arrays, value)
            return
        if not arrays and is_view(input):
            place: Any = F.getitem(input, static)  # where several elements may share a place, all of these are written
            if not isinstance(value, Tensor) or not same_place(value.array, place.array):
                store_all(place, value)
            else:
                check_writable(place, recording=modes.is_grad_enabled() and is_recorded(place), whole=False)
                touch(input)
            return
        if input.leaf and not arrays and key is not Ellipsis and modes.is_grad_enabled():
            raise refused("a view of a leaf Variable that requires grad is being used in an in-place operation.")
        if arrays and isinstance(value, Tensor) and value.dtype is not input.dtype and value.ndim and not differentiating():
            raise Refusal(
                f"Index put requires the source and destination dtypes match, got {type_name(input.dtype)} for the "
                f"destination and {type_name(value.dtype)} for the source."
            )
        if arrays and isinstance(value, Tensor) and differentiating():  # torch leaves open which of several counts
            stay = indexing.those_that_stay(input.array.shape, indexing.filled(static, tuple(arrays)))
            value = value if stay is None else F.where(stay, value, value.detach())
        operand = value.cast(input.dtype) if isinstance(value, Tensor) else value
        raw = operand.array if isinstance(value, Tensor) else value
        full = indexing.filled(static, tuple(arrays))
        if arrays and isinstance(operand, Tensor) and operand.requires_grad and operand.ndim > np.ndim(input.array[full]):
            raise ValueError("more axes than there is room for")
        if isinstance(raw, np.ndarray) and np.may_share_memory(raw, input.array):
            if not arrays and same_place(raw, input.array[full]):
                check_writable(input, recording=modes.is_grad_enabled() and is_recorded(input), whole=False)
                touch(input)  # x[i] += y, which has written already
                return
            raw = raw.copy()

        def store() -> None:
            writable(input.array, full)[full] = raw

        assign(input, SETITEM, [operand if isinstance(value, Tensor) else np.asarray(value), *arrays], {"key": static}, store,
               None if arrays else full)  # fmt: skip
    except (ValueError, IndexError, TypeError) as fault:
        smaller = _trimmed(input, key, value)
        if smaller is None:
            raise _assignment_error(fault, input, key, value) from None
        setitem(input, key, smaller)


def stored_at_once(input: Any, key: Any, value: Any) -> bool:
    """Store ``value`` if there is nothing else to it. False if there is, or it does not fit: nothing was done then."""
    kind = type(key)
    if not (kind is int or kind is slice or (kind is tuple and is_simple(key))) or not stores_only(input, value):
        return False
    try:
        input.array[key] = value.array if type(value) is Tensor else value
    except (ValueError, IndexError, TypeError):
        return False
    log_write(input, key)
    return True


def stores_only(input: Any, value: Any) -> bool:
    """Whether storing ``value`` in ``input`` is nothing else: no history, no views to tell, no cast, no memory in common."""
    if type(input) is not Tensor or input.base is not None or not input.lane.plain or guards:
        return False
    if modes.state() is not NO_GRAD and not unrecorded(input, value):
        return False
    if type(value) is Tensor:
        return value.lane is input.lane and value.base is None and value is not input
    return type(value) is float or type(value) is int


def store_batched(input: Tensor, key: Any, arrays: list[Any], value: Any) -> None:
    """``input[key] = value`` where any of these has a value for each sample of a batch."""
    if arrays:
        y = value.cast(input.dtype) if isinstance(value, Tensor) else wrap(np.asarray(value, input.array.dtype))
        adopt(input, F.setitem(input, y, *arrays, key=key))
    else:
        store_all(F.getitem(input, key), value)


def store_all(place: Tensor, value: Any) -> None:
    """``place[...] = value``."""
    array = value.array if isinstance(value, Tensor) else np.asarray(value)
    extra = array.ndim - place.ndim
    if extra > 0 and array.shape[:extra] == (1,) * extra:
        value = F.reshape(value, array.shape[extra:]) if isinstance(value, Tensor) else array.reshape(array.shape[extra:])
    elif np.broadcast_shapes(array.shape, place.array.shape) != place.array.shape:
        raise ValueError("does not fit")
    source = value.cast(place.dtype) if isinstance(value, Tensor) else np.asarray(value, place.array.dtype)
    adopt(place, F.overwrite(place, source))


def same_place(a: np.ndarray, b: Any) -> bool:
    """Whether two arrays are the same elements of the same memory."""
    if not isinstance(b, np.ndarray) or a.shape != b.shape or a.dtype != b.dtype or a.strides != b.strides:
        return False
    return bool(a.__array_interface__["data"] == b.__array_interface__["data"])


def writable(array: np.ndarray, key: Any) -> np.ndarray:
    """``array``, which may be an expanded one as long as the places that ``key`` names are not."""
    if array.flags.writeable and 0 not in array.strides:
        return array
    place = array[key]
    if isinstance(place, np.ndarray) and place.size and not distinct(place.shape, place.strides):
        raise Refusal(
            "unsupported operation: more than one element of the written-to tensor refers to a single memory location. Please "
            "clone() the tensor before performing the operation."
        )
    return on_memory(array, array.shape, tuple(step // array.itemsize for step in array.strides), 0)


SETITEM: Final = TABLE[indexing.setitem]


def _assignment_error(fault: Exception, input: Any, key: Any, value: Any) -> Exception:
    """The error for ``input[key] = value``, in torch's words."""
    if not isinstance(value, (Box, np.ndarray, *NUMBERS)):
        return TypeError(f"can't assign a {type(value).__name__} to a torch.{type_name(input.dtype)}Tensor")
    try:
        place = input.array[indexing.filled(*_split(key))].shape
    except IndexError as refused:
        fault = refused
    else:
        raw: Any = value.array if isinstance(value, Tensor) else value
        have = np.shape(raw)
        if _split(key)[1]:
            return ShapeError(
                f"shape mismatch: value tensor of shape {shape_text(have)} cannot be broadcast to indexing result of shape "
                f"{shape_text(place)}"
            )
        error = expand_error(have, place, getattr(value, "dtype", input.dtype))
        if error is None and isinstance(fault, TypeError):
            return Refusal(f"value cannot be converted to type {c_type_name(input.dtype)} without overflow")
        return error or fault
    shape = input.array.shape
    return index_error(index_fault(fault, "setitem", [shape]), key, shape, 4)


def _trimmed(input: Any, key: Any, value: Any) -> Any:
    """``value`` without leading axes of length 1 that ``input[key]`` lacks (torch drops them), or None."""
    if not isinstance(value, Tensor):
        return None
    try:
        extra = value.array.ndim - np.ndim(input.array[indexing.filled(*_split(key))])
    except (IndexError, TypeError):
        return None
    shape = value.array.shape
    return F.reshape(value, shape[extra:]) if extra > 0 and shape[:extra] == (1,) * extra else None


def _split(key: Any) -> tuple[Any, tuple[Any, ...]]:
    static, arrays = indexing.split_key(normal_key(key))
    return static, tuple(arrays)
