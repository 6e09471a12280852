"""Arithmetic with more to it than the operator, choices, and comparisons of whole tensors."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.core import spec
from chainrule.core.box import Box
from chainrule.core.spec import DType
from chainrule.eager.specialise import F
from chainrule.eager.tensor import Tensor, wrap


def _scaled(name: str, other: Any, alpha: float) -> Any:
    if alpha == 1:
        return other
    return other * alpha


def add(input: Any, other: Any, *, alpha: float = 1) -> Any:
    """``input + alpha * other``."""
    check_operand("add", other)
    return F.add(input, _scaled("add", other, alpha))


def sub(input: Any, other: Any, *, alpha: float = 1) -> Any:
    """``input - alpha * other``."""
    check_operand("sub", other)
    return F.subtract(input, _scaled("sub", other, alpha))


def check_operand(name: str, other: Any) -> None:
    """TypeError, in torch's words, for an operand that is no tensor and no number."""
    if not isinstance(other, (Box, np.ndarray, np.generic, int, float, complex)):
        raise TypeError(f"{name}(): argument 'other' (position 1) must be Tensor, not {type(other).__name__}")


def rsub(input: Any, other: Any, *, alpha: float = 1) -> Any:
    """``other - alpha * input``."""
    return F.subtract(other, _scaled("rsub", input, alpha))


def div(input: Any, other: Any, *, rounding_mode: str | None = None) -> Any:
    """``input / other``, rounded "trunc" or "floor" if asked for."""
    if rounding_mode is None:
        return F.divide(input, other)
    if rounding_mode == "floor":
        return F.floor_divide(input, other)
    if rounding_mode == "trunc":
        return F.trunc(F.divide(input, other))
    raise RuntimeError(f"div expected rounding_mode to be one of None, 'trunc', or 'floor' but found '{rounding_mode}'")


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
    if input is None and other is None:
        return tuple(wrap(index) for index in np.nonzero(condition.array))
    if condition.dtype is not spec.bool_:
        raise RuntimeError(
            f"where expected condition to be a boolean tensor, but got a tensor with dtype {condition.dtype.name}"
        )
    return F.where(condition, input, other)


def masked_fill(input: Any, mask: Any, value: Any) -> Any:
    """``input`` with ``value`` where ``mask``."""
    return F.where(mask, value, input)


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
    return input.array.shape == other.array.shape and bool((input.array == other.array).all())


def allclose(input: Any, other: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> bool:
    """Whether ``|input - other| <= atol + rtol |other|`` everywhere."""
    return bool(np.allclose(input.array, other.array, rtol, atol, equal_nan))


def isclose(input: Any, other: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Any:
    """Where ``|input - other| <= atol + rtol |other|``."""
    return wrap(np.isclose(input.array, other.array, rtol, atol, equal_nan))
