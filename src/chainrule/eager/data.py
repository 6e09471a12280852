"""What the user's data mean as an array: numbers, nested sequences, arrays and tensors, in torch's dtype for them."""

from __future__ import annotations

import operator
from typing import Any, Final

import numpy as np

from chainrule.core import spec
from chainrule.core.spec import DType
from chainrule.eager.notice import REAL_PART, notice
from chainrule.eager.quiet import quietly
from chainrule.eager.tensor import Tensor


def array_of(data: Any, wanted: DType | None = None) -> np.ndarray:
    """A new array with the values of ``data``, cast once: to ``wanted``, or to the dtype that torch infers.

    Python floats become the default dtype, whole numbers int64; arrays and tensors keep theirs.
    """
    if isinstance(data, Tensor):
        return cast_copy(data.array, wanted)
    if isinstance(data, (np.ndarray, np.generic)):
        return cast_copy(np.asarray(data), wanted or spec.of_numpy(data.dtype))
    sizes = sizes_of(data)
    if not sizes:
        return from_numbers([data], wanted).reshape(())
    if 0 in sizes:
        return np.empty(sizes, (wanted or spec.default_float()).numpy)
    if contains_arrays(data):
        notice(SLOW)
        if same_arrays(data):
            return cast_copy(np.array(data), wanted or spec.of_numpy(np.result_type(*data)))
    numbers: list[Any] = []
    flatten(data, sizes, 0, numbers)
    return from_numbers(numbers, wanted).reshape(sizes)


def cast_copy(array: np.ndarray, dtype: DType | None) -> np.ndarray:
    """A copy of ``array`` in ``dtype`` (its own), which may drop the imaginary part."""
    if dtype is None or array.dtype == dtype.numpy:
        return np.array(array)
    if array.dtype.kind == "c" and dtype.category < spec.COMPLEX and dtype is not spec.bool_:
        notice(REAL_PART)
        array = array.real
    return quietly(lambda: array.astype(dtype.numpy))  # type: ignore[no-any-return]


# Nested sequences


def is_sequence(data: Any) -> bool:
    """Whether torch looks inside ``data`` for numbers: not inside tensors, mappings and sets."""
    if isinstance(data, (list, tuple, range)):
        return True
    if isinstance(data, (Tensor, np.generic, str, bytes, dict)):
        return False
    if isinstance(data, np.ndarray):
        return data.ndim > 0
    return hasattr(data, "__getitem__") and hasattr(data, "__len__")


def sizes_of(data: Any) -> tuple[int, ...]:
    """The shape of nested sequences, read off the first of each."""
    sizes = []
    while is_sequence(data):
        sizes.append(len(data))
        if not sizes[-1]:
            break
        data = data[0]
        if isinstance(data, (str, bytes)):
            raise ValueError(f"too many dimensions '{type(data).__name__}'")
    return tuple(sizes)


def contains_arrays(data: Any) -> bool:
    """Whether a list has arrays among its items."""
    return isinstance(data, (list, tuple)) and np.ndarray in set(map(type, data))


def same_arrays(data: Any) -> bool:
    """Whether every item is an array of one shape."""
    return all(type(part) is np.ndarray and part.shape == data[0].shape for part in data)


def flatten(data: Any, sizes: tuple[int, ...], depth: int, numbers: list[Any]) -> None:
    """Append the items of nested sequences to ``numbers``; ValueError if neighbours differ in length."""
    if len(data) != sizes[depth]:
        raise ValueError(f"expected sequence of length {sizes[depth]} at dim {depth} (got {len(data)})")
    if depth == len(sizes) - 1:
        numbers.extend(data)
        return
    for part in data:
        if not is_sequence(part):
            raise TypeError("not a sequence")
        flatten(part, sizes, depth + 1, numbers)


# Numbers


def from_numbers(numbers: list[Any], wanted: DType | None) -> np.ndarray:
    """A flat array of numbers: Python's and NumPy's, and tensors of one element."""
    kinds = set(map(type, numbers))
    if kinds <= PYTHON_NUMBERS:
        inferred = wanted or _common(kinds)
    else:
        inferred = wanted or _promoted(numbers)
        numbers = [_python_number(number, inferred) for number in numbers]
        kinds = set(map(type, numbers))
    if complex in kinds and inferred.category < spec.COMPLEX and inferred is not spec.bool_:
        raise TypeError("must be real number, not complex")
    if inferred.category == spec.INTEGER:
        return _integers(numbers, inferred, float in kinds)
    exact = COMPLEX128 if complex in kinds else FLOAT64 if inferred.category >= spec.FLOAT else None
    try:
        array = np.array(numbers, exact)
    except OverflowError as fault:
        raise RuntimeError(f"value cannot be converted to type {inferred.name} without overflow") from fault
    if array.dtype == inferred.numpy:
        return array
    return quietly(lambda: array.astype(inferred.numpy))  # type: ignore[no-any-return]


PYTHON_NUMBERS: Final = {bool, int, float, complex}
FLOAT64: Final = np.dtype(np.float64)
COMPLEX128: Final = np.dtype(np.complex128)


def _common(kinds: set[type]) -> DType:
    if complex in kinds:
        return spec.default_float().to_complex()
    if float in kinds:
        return spec.default_float()
    return spec.int64 if int in kinds else spec.bool_


def _promoted(numbers: list[Any]) -> DType:
    """The dtype that items of several kinds have in common."""
    common: DType | None = None
    for number in numbers:
        dtype = _dtype_of(number)
        common = dtype if common is None else spec.promote(common, dtype)
    assert common is not None
    return common


def _dtype_of(number: Any) -> DType:
    if isinstance(number, Tensor):
        return number.dtype
    if isinstance(number, (np.generic, np.ndarray)):
        return spec.of_numpy(number.dtype)
    if isinstance(number, (list, tuple)):
        return _promoted(list(number)) if number else spec.default_float()
    if isinstance(number, (str, bytes)):
        raise TypeError(f"new(): invalid data type '{type(number).__name__}'")
    for kind in (bool, int, float, complex):
        if isinstance(number, kind):
            return _common({kind})
    raise RuntimeError(f"Could not infer dtype of {type(number).__name__}")


def _python_number(number: Any, dtype: DType) -> Any:
    if isinstance(number, Tensor):
        if dtype.category == spec.INTEGER:
            return operator.index(number)
        return complex(number) if number.dtype.is_complex else float(number)
    if isinstance(number, np.generic) or (isinstance(number, np.ndarray) and number.ndim == 0):
        value = number.item()
        return value if type(value) in PYTHON_NUMBERS else float(value)
    if isinstance(number, (bool, int, float, complex)):
        kinds: tuple[Any, ...] = (bool, int, float, complex)
        return next(kind(number) for kind in kinds if isinstance(number, kind))
    if dtype.category == spec.INTEGER:
        raise TypeError(f"'{type(number).__name__}' object cannot be interpreted as an integer")
    raise TypeError(f"must be real number, not {type(number).__name__}")


def _integers(numbers: list[Any], dtype: DType, floats: bool) -> np.ndarray:
    """Whole numbers in ``dtype``; RuntimeError for one that it cannot hold."""
    if dtype is spec.uint64:
        return np.array([int(number) for number in numbers], np.uint64)
    try:
        array = np.array([int(number) for number in numbers] if floats else numbers, np.int64)
    except (OverflowError, ValueError) as fault:
        if floats:
            raise RuntimeError(f"value cannot be converted to type {dtype.name} without overflow") from fault
        raise ValueError("Overflow when unpacking long long") from fault
    if dtype is spec.int64:
        return array
    limits = np.iinfo(dtype.numpy)
    lowest = limits.min or -limits.max  # torch lets negative numbers wrap around
    if array.min() < lowest or array.max() > limits.max:
        raise RuntimeError(f"value cannot be converted to type {dtype.name} without overflow")
    return array.astype(dtype.numpy)


SLOW: Final = (
    "Creating a tensor from a list of numpy.ndarrays is extremely slow. Please consider converting the list to a single "
    "numpy.ndarray with numpy.array() before converting to a tensor."
)


def number_for(t: Tensor, value: Any) -> Any:
    """A number as the elements of ``t`` can hold it: whole for integers, True or False for booleans.

    Raises RuntimeError for one that no element of an integer dtype can be.
    """
    dtype = t.dtype
    if dtype.category > spec.INTEGER or isinstance(value, complex) or not isinstance(value, (int, float)):
        return value
    if dtype is spec.bool_:
        return bool(value)
    check_fits(value, dtype)
    return int(np.asarray(int(value)).astype(dtype.numpy))


C_INTEGERS: Final = {"uint8": "uint8_t", "int8": "int8_t", "int16": "int16_t", "int32": "int", "int64": "int64_t"}


def check_fits(value: Any, dtype: DType) -> None:
    """Raise RuntimeError for a number that is none of an integer dtype's: too large, not finite, complex."""
    if dtype.name in C_INTEGERS:
        most = int(np.iinfo(dtype.numpy).max)
        least = -most - (dtype.name != "uint8")  # negative whole numbers wrap around in unsigned ones
        if dtype.name == "uint8" and isinstance(value, float):
            least = 0
        if isinstance(value, (complex, np.complexfloating)) or not least <= value <= most:
            raise RuntimeError(f"value cannot be converted to type {C_INTEGERS[dtype.name]} without overflow")
