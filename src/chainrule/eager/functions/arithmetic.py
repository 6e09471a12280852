"""Arithmetic with more to it than the operator, choices, and comparisons of whole tensors."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.core import spec
from chainrule.core.box import Box
from chainrule.core.primitive import TABLE
from chainrule.core.spec import DType
from chainrule.eager import refusals
from chainrule.eager.data import number_for
from chainrule.eager.dtypes import finfo
from chainrule.eager.functions.axes import no_tensor
from chainrule.eager.specialise import F
from chainrule.eager.tensor import Tensor, wrap
from chainrule.errors import Refusal, broadcast_error, c_type_name, not_a_tensor, type_name


def add(input: Any, other: Any, *, alpha: float = 1) -> Any:
    """``input + alpha * other``."""
    _check_operand("add", other)
    return F.add(input, other) if alpha == 1 else F.add_scaled(input, other, alpha=alpha)


def sub(input: Any, other: Any, *, alpha: float = 1) -> Any:
    """``input - alpha * other``."""
    _check_operand("sub", other)
    if alpha == 1:
        return F.subtract(input, other)
    refusals.check(TABLE[np.subtract], (input, other), None)
    return F.sub_scaled(input, other, alpha=alpha)


def _check_operand(name: str, other: Any) -> None:
    """TypeError, in torch's words, for an operand that is no tensor and no number."""
    if not isinstance(other, (Box, np.ndarray, np.generic, int, float, complex)):
        raise TypeError(f"{name}(): argument 'other' (position 1) must be Tensor, not {type(other).__name__}")


def rsub(input: Any, other: Any, *, alpha: float = 1) -> Any:
    """``other - alpha * input``."""
    if alpha == 1 and isinstance(other, Tensor):
        return F.rsub(input, other)
    return F.subtract(other, input if alpha == 1 else input * alpha)


def div(input: Any, other: Any, *, rounding_mode: str | None = None) -> Any:
    """``input / other``, rounded "trunc" or "floor" if asked for."""
    if rounding_mode is None:
        return F.divide(input, other)
    if rounding_mode in ("floor", "trunc"):
        if result_type(input, other).category > spec.INTEGER:
            return F.div_rounded(input, other, rounding_mode=rounding_mode)
        whole = input if rounding_mode == "floor" else F.subtract(input, F.fmod(input, other))
        return F.floor_divide(whole, other)
    raise RuntimeError(f"div expected rounding_mode to be one of None, 'trunc', or 'floor' but found '{rounding_mode}'")


def pow(input: Any, exponent: Any) -> Any:
    """``input ** exponent``."""
    if not (isinstance(input, Box) or isinstance(exponent, Box)):
        raise not_a_tensor("pow", "input", 1, input)
    return F.power(input, exponent)


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
    try:
        if input is None and other is None:
            return tuple(wrap(index) for index in np.nonzero(condition.array))
        dtype = condition.dtype
    except AttributeError:
        raise not_a_tensor("where", "condition", 1, condition) from None
    if dtype is not spec.bool_:
        raise Refusal(f"where expected condition to be a boolean tensor, but got a tensor with dtype {type_name(dtype)}")
    return F.where(condition, input, other)


def masked_fill(input: Any, mask: Any, value: Any) -> Any:
    """``input`` with ``value`` where ``mask``."""
    if mask.dtype is not spec.bool_:
        raise Refusal(f"masked_fill_ only supports boolean masks, but got mask with dtype {c_type_name(mask.dtype)}")
    if getattr(value, "ndim", 0):
        raise Refusal(
            f"masked_fill_ only supports a 0-dimensional value tensor, but got tensor with {value.ndim} dimension(s)."
        )
    if isinstance(value, complex) and not input.is_complex():
        raise Refusal(f"value cannot be converted to type {c_type_name(input.dtype)} without overflow")
    return F.masked_fill(input, mask, value.cast(input.dtype) if isinstance(value, Tensor) else number_for(input, value))


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
    try:
        return input.array.shape == other.array.shape and bool((input.array == other.array).all())
    except AttributeError:
        raise no_tensor("equal", input=input, other=other) from None


def allclose(input: Any, other: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> bool:
    """Whether ``|input - other| <= atol + rtol |other|`` everywhere."""
    return bool(_close("allclose", input, other, rtol, atol, equal_nan).all())


def isclose(input: Any, other: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Any:
    """Where ``|input - other| <= atol + rtol |other|``."""
    return wrap(_close("isclose", input, other, rtol, atol, equal_nan))


def _close(name: str, input: Any, other: Any, rtol: float, atol: float, equal_nan: bool) -> Any:
    try:
        x, y = input.array, other.array
    except AttributeError:
        raise no_tensor(name, input=input, other=other) from None
    if x.dtype != y.dtype:
        raise Refusal(f"{type_name(input.dtype)} did not match {type_name(other.dtype)}")
    try:
        return np.asarray(np.isclose(x, y, rtol, atol, equal_nan))
    except ValueError as fault:
        raise broadcast_error(x.shape, y.shape) or fault from None


# Made of the others


def clamp_min(input: Any, min: Any) -> Any:
    """``input``, at least ``min``."""
    return F.clip(input, min, None)


def clamp_max(input: Any, max: Any) -> Any:
    """``input``, at most ``max``."""
    return F.clip(input, None, max)


def polygamma(n: Any, input: Any = None) -> Any:
    """The n-th derivative of `digamma`; as a method ``input.polygamma(n)``."""
    if isinstance(n, Tensor):
        n, input = input, n
    if n < 0:
        raise Refusal("polygamma(n, x) does not support negative n.")
    return F.polygamma(input, order=n)


def nan_to_num(input: Any, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> Any:
    """``input`` with numbers for what is none: for infinities the largest and smallest of the dtype."""
    if input.dtype.half:  # whose numbers are computed with as float32
        most = finfo(input.dtype).max
        posinf, neginf = most if posinf is None else posinf, -most if neginf is None else neginf
    return F.nan_to_num(input, nan=nan, posinf=posinf, neginf=neginf)


def float_power(input: Any, exponent: Any) -> Any:
    """``input ** exponent`` in double precision."""
    first, second = (x.cast(spec.complex128 if x.is_complex() else spec.float64) if isinstance(x, Tensor) else x
                     for x in (input, exponent))  # fmt: skip
    return pow(first, second)


def ldexp(input: Any, other: Any) -> Any:
    """``input * 2 ** other``."""
    out = input * F.exp2(other)
    return out.cast(input.dtype) if input.is_floating_point() and not other.is_floating_point() else out


def sgn(input: Any) -> Any:
    """The sign; of a complex number the number of length 1 in its direction, 0 of 0."""
    if not input.is_complex():
        return F.sign(input)
    size = F.absolute(input)
    return input / F.where(size == 0, 1.0, size)


def angle(input: Any) -> Any:
    """The angle of a complex number; 0 or pi of a real one."""
    if input.is_complex():
        return F.arctan2(F.imag(input), F.real(input))
    return F.where(input < 0, np.pi, input * 0.0)


def conj_physical(input: Any) -> Any:
    """The complex conjugate."""
    return F.conjugate(input) if input.is_complex() else input


def conj(input: Any) -> Any:
    """The complex conjugate; a real tensor is its own."""
    return conj_physical(input)


def resolve_conj(input: Any) -> Any:
    """``input`` itself: conjugates are computed at once here."""
    return input


def resolve_neg(input: Any) -> Any:
    """``input`` itself: negatives are computed at once here."""
    return input


def is_conj(input: Any) -> bool:
    """False: conjugates are computed at once here."""
    return False


def is_neg(input: Any) -> bool:
    """False: negatives are computed at once here."""
    return False


def is_nonzero(input: Any) -> bool:
    """Whether the one element is not 0."""
    return bool(input)


def is_same_size(input: Any, other: Any) -> bool:
    """Whether both have the same shape."""
    return bool(input.array.shape == other.array.shape)
