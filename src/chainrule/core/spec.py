"""Shapes and dtypes without data: `DType`, `Spec`, and torch's promotion rules."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any, Final

import ml_dtypes
import numpy as np

BOOL, INTEGER, FLOAT, COMPLEX = range(4)  # categories, in the order in which promotion climbs


class DType:
    """An element type. One object per type, so that two are equal exactly when they are identical.

    >>> float32, float32.itemsize, float32.is_floating_point
    (torch.float32, 4, True)
    """

    __slots__ = ("category", "half", "is_complex", "is_floating_point", "is_signed", "itemsize", "name", "numpy")

    def __init__(self, name: str, numpy_type: Any, category: int) -> None:
        self.name: Final = name
        self.numpy: Final[np.dtype[Any]] = np.dtype(numpy_type)
        self.category: Final = category
        self.is_floating_point: Final = category == FLOAT
        self.is_complex: Final = category == COMPLEX
        self.is_signed: Final = category != BOOL and not name.startswith("uint")
        self.itemsize: Final = self.numpy.itemsize
        self.half: Final = name in ("float16", "bfloat16")

    @property
    def dtype(self) -> np.dtype[Any]:
        """NumPy's dtype, which NumPy looks for here: ``np.zeros(3, dtype=t.dtype)``."""
        return self.numpy

    @property
    def kind(self) -> str:
        """NumPy's letter for the kind of the elements."""
        return self.numpy.kind

    @property
    def differentiable(self) -> bool:
        """Whether a tensor of this type can have a gradient."""
        return self.category >= FLOAT

    def to_real(self) -> DType:
        """The type of the real part."""
        return {"complex64": float32, "complex128": float64}.get(self.name, self)

    def to_complex(self) -> DType:
        """The complex type whose parts have this type."""
        return complex128 if self.name in ("float64", "complex128") else complex64

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __reduce__(self) -> tuple[Any, ...]:
        return by_name, (self.name,)


bool_ = DType("bool", np.bool_, BOOL)
uint8 = DType("uint8", np.uint8, INTEGER)
uint16 = DType("uint16", np.uint16, INTEGER)
uint32 = DType("uint32", np.uint32, INTEGER)
uint64 = DType("uint64", np.uint64, INTEGER)
int8 = DType("int8", np.int8, INTEGER)
int16 = DType("int16", np.int16, INTEGER)
int32 = DType("int32", np.int32, INTEGER)
int64 = DType("int64", np.int64, INTEGER)
float16 = DType("float16", np.float16, FLOAT)
bfloat16 = DType("bfloat16", ml_dtypes.bfloat16, FLOAT)
float32 = DType("float32", np.float32, FLOAT)
float64 = DType("float64", np.float64, FLOAT)
complex64 = DType("complex64", np.complex64, COMPLEX)
complex128 = DType("complex128", np.complex128, COMPLEX)

DTYPES: Final = (bool_, uint8, uint16, uint32, uint64, int8, int16, int32, int64,
                 float16, bfloat16, float32, float64, complex64, complex128)  # fmt: skip
PYTHON_TYPES: Final[dict[Any, DType]] = {float: float64, int: int64, bool: bool_, complex: complex128}  # as dtypes
_BY_NAME: Final = {d.name: d for d in DTYPES}
_BY_NUMPY: Final[dict[Any, DType]] = {d.numpy: d for d in DTYPES}


def by_name(name: str) -> DType:
    """The DType called ``name``, as in ``by_name("float32")``."""
    return _BY_NAME[name]


def of_numpy(dtype: Any) -> DType:
    """The DType of a NumPy dtype; TypeError for one that no tensor can hold.

    >>> of_numpy(np.dtype("float64"))
    torch.float64
    """
    found = _BY_NUMPY.get(dtype)
    if found is None:
        found = _BY_NUMPY.get(np.dtype(dtype).newbyteorder("="))
        if found is None:
            raise TypeError(
                f"can't convert np.ndarray of type {np.dtype(dtype)}. The only supported types are: "
                + ", ".join(d.name for d in DTYPES)
                + "."
            )
    return found


class Spec:
    """The shape and dtype of an array without its data: what a linear rule gets to see of its operand."""

    __slots__ = ("dtype", "shape")

    def __init__(self, shape: tuple[int, ...], dtype: DType) -> None:
        self.shape = shape
        self.dtype = dtype

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def __repr__(self) -> str:
        return f"Spec({self.shape}, {self.dtype.name})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Spec) and self.shape == other.shape and self.dtype is other.dtype

    def __hash__(self) -> int:
        return hash((self.shape, self.dtype))


@cache
def promote(a: DType, b: DType) -> DType:
    """The common type of two arrays with dimensions.

    >>> promote(int64, float16), promote(float16, bfloat16), promote(int8, uint8)
    (torch.float16, torch.float32, torch.int16)
    """
    if a is b:
        return a
    if a.category != b.category:
        high, low = (a, b) if a.category > b.category else (b, a)
        return _BY_NUMPY[np.promote_types(high.numpy, low.numpy)] if low.category == FLOAT else high
    if a.half and b.half:
        return float32
    return _BY_NUMPY[np.promote_types(a.numpy, b.numpy)]


def _combine(high: DType | None, low: DType | None) -> DType | None:
    """`high` decides unless `low` is of a higher category."""
    if high is None or low is None:
        return high or low
    if high.category >= low.category:
        return high
    if low.is_complex and high.is_floating_point:
        return high.to_complex()
    return low


_WEAK: Final = {bool: bool_, int: int64}
_default: DType = float32


def default_float() -> DType:
    """The dtype that Python floats become, and integers in a function such as `sin`."""
    return _default


def set_default_float(dtype: DType) -> None:
    """Change what `default_float` returns. Raises TypeError unless ``dtype`` is a floating-point type."""
    global _default
    if not isinstance(dtype, DType) or not dtype.is_floating_point:
        raise TypeError("only floating-point types are supported as the default type")
    _default = dtype


def weak_dtype(number: Any) -> DType:
    """The dtype that a Python or NumPy number suggests: its category counts, its width does not."""
    kind = type(number)
    if kind in _WEAK:
        return _WEAK[kind]
    if isinstance(number, (float, np.floating)):
        return _default
    if isinstance(number, (complex, np.complexfloating)):
        return _default.to_complex()
    if isinstance(number, np.bool_):
        return bool_
    return int64


def result_type(dimensioned: Iterable[DType], zero_dim: Iterable[DType], weak: Iterable[DType]) -> DType:
    """torch's common dtype: arrays with dimensions first, then 0-d arrays, then Python numbers.

    A lower group only matters when its category (bool < integer < float < complex) is higher.
    """
    groups: list[DType | None] = []
    for dtypes in (dimensioned, zero_dim, weak):
        common: DType | None = None
        for dtype in dtypes:
            common = dtype if common is None else promote(common, dtype)
        groups.append(common)
    result = _combine(groups[0], _combine(groups[1], groups[2]))
    assert result is not None
    return result
