"""Arithmetic with more to it than the operator, choices, and comparisons of whole tensors."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.core import spec
from chainrule.core.box import Box
from chainrule.core.primitive import TABLE
from chainrule.core.spec import DType
from chainrule.eager import refusals
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
    return F.masked_fill(input, mask, value)


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
