"""Functions about dtypes: what one can hold, of which kind a tensor's is, complex numbers from real ones."""

from __future__ import annotations

from typing import Any, ClassVar

import ml_dtypes
import numpy as np

from chainrule.core import spec
from chainrule.core.box import dispatch
from chainrule.core.primitive import TABLE
from chainrule.core.spec import DType
from chainrule.eager.layout import Named
from chainrule.eager.tensor import Tensor
from chainrule.errors import Refusal, not_a_tensor, type_name
from chainrule.ops.elementwise import complex_of


class finfo(metaclass=Named):
    """The limits of a floating-point dtype (of the parts of a complex one).

    >>> finfo(spec.float16).max
    65504.0
    """

    __slots__ = ("bits", "dtype", "eps", "max", "min", "resolution", "smallest_normal", "tiny")
    torch_name: ClassVar[str] = "torch.finfo"

    def __init__(self, type: DType | None = None) -> None:
        dtype = (spec.default_float() if type is None else type).to_real()
        if not dtype.is_floating_point:
            raise TypeError("torch.finfo() requires a floating point input type. Use torch.iinfo to handle 'torch.finfo'")
        find: Any = ml_dtypes.finfo if dtype is spec.bfloat16 else np.finfo
        limits = find(dtype.numpy)
        self.dtype = dtype.name
        self.bits = int(limits.bits)
        self.max, self.min, self.eps = float(limits.max), float(limits.min), float(limits.eps)
        self.tiny = self.smallest_normal = float(limits.smallest_normal)
        self.resolution = float(f"1e-{limits.precision}")

    def __repr__(self) -> str:
        names = ("resolution", "min", "max", "eps", "smallest_normal", "tiny")
        return "finfo(" + ", ".join(f"{n}={getattr(self, n):g}" for n in names) + f", dtype={self.dtype})"


class iinfo(metaclass=Named):
    """The limits of an integer dtype.

    >>> iinfo(spec.int8)
    iinfo(min=-128, max=127, dtype=int8)
    """

    __slots__ = ("bits", "dtype", "max", "min")
    torch_name: ClassVar[str] = "torch.iinfo"

    def __init__(self, type: DType) -> None:
        if type is spec.bool_:
            raise TypeError("torch.bool is not supported by torch.iinfo")
        if type.category != spec.INTEGER:
            raise TypeError("torch.iinfo() requires an integer input type. Use torch.finfo to handle 'torch.iinfo'")
        limits = np.iinfo(type.numpy)
        self.dtype, self.bits = type.name, limits.bits
        self.max, self.min = int(limits.max), int(limits.min)

    def __repr__(self) -> str:
        return f"iinfo(min={self.min}, max={self.max}, dtype={self.dtype})"


def is_floating_point(input: Tensor) -> bool:
    """Whether the dtype is a real floating-point type."""
    return _tensor("is_floating_point", input).is_floating_point()


def is_complex(input: Tensor) -> bool:
    """Whether the dtype is complex."""
    return _tensor("is_complex", input).is_complex()


def is_inference(input: Tensor) -> bool:
    """Whether the tensor was made under `inference_mode`."""
    return _tensor("is_inference", input).is_inference()


def is_signed(input: Tensor) -> bool:
    """Whether the dtype can hold negative numbers."""
    return _tensor("is_signed", input).is_signed()


def _tensor(name: str, input: Any) -> Tensor:
    if not isinstance(input, Tensor):
        raise not_a_tensor(name, "input", 1, input)
    return input


def scalar_tensor(s: Any, *, dtype: DType | None = None) -> Tensor:
    """A 0-d tensor with the number ``s``, in the default dtype."""
    return Tensor([s]).reshape(()).to(dtype or spec.default_float())


def promote_types(type1: DType, type2: DType) -> DType:
    """The smallest dtype that holds the numbers of both."""
    return spec.promote(type1, type2)


def can_cast(from_: DType, to: DType) -> bool:
    """Whether torch's rules for in-place operations allow the cast: never to a lower category."""
    return to.category >= from_.category


def typename(obj: Any) -> str:
    """The name of the type of ``obj``, that of a tensor saying what is in it.

    >>> typename(Tensor([1.0])), typename(1)
    ('torch.FloatTensor', 'int')
    """
    if isinstance(obj, Tensor) and type(obj) is Tensor:
        return f"torch.{type_name(obj.dtype)}Tensor"
    cls = type(obj)
    named = vars(cls).get("torch_name")
    if isinstance(named, str):
        return named
    return cls.__qualname__ if cls.__module__ in ("builtins", "") else f"{cls.__module__}.{cls.__qualname__}"


def complex_(real: Tensor, imag: Tensor) -> Tensor:
    """``real + 1j imag``.

    >>> complex_(Tensor([1.0]), Tensor([2.0]))
    tensor([1.+2.j])
    """
    for k, (name, part) in enumerate((("real", real), ("imag", imag)), 1):
        if not isinstance(part, Tensor):
            raise not_a_tensor("complex", name, k, part)
    kinds = type_name(real.dtype), type_name(imag.dtype)
    if not set(kinds) <= {"Half", "Float", "Double"}:
        raise Refusal(f"Expected both inputs to be Half, Float or Double tensors but got {kinds[0]} and {kinds[1]}")
    if kinds[0] != kinds[1]:
        raise Refusal(f"Expected object of scalar type {kinds[0]} but got scalar type {kinds[1]} for second argument")
    return dispatch(TABLE[complex_of], (real, imag), {})  # type: ignore[no-any-return]
