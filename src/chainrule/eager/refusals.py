"""What torch refuses, or computes in a dtype of its own, because of the dtypes of the operands.

NumPy has an answer for most of these calls. The generic path asks `check` once per call, the specialised
functions never: their operands have one floating-point dtype. `explain` is for the errors whose words depend on
the values of the operands.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from chainrule.core import spec
from chainrule.core.box import NUMBERS
from chainrule.core.primitive import Primitive
from chainrule.core.rules import dtype_of
from chainrule.core.spec import DType
from chainrule.eager.levels import differentiating
from chainrule.eager.tensor import Tensor
from chainrule.errors import LinAlgError, Refusal, c_type_name, type_name

Instead = Callable[..., Any]


def check(p: Primitive, operands: Sequence[Any], common: DType | None) -> Instead | None:
    """Raise what torch raises for operands of these dtypes.

    Returns None, or the function of the raw operands to run instead of ``p.raw``, whose result has torch's dtype
    (boolean or integer: there is nothing to record).
    """
    refuse = REFUSALS.get(p.name)
    if refuse is not None:
        refuse(p.name, operands, common)
    if common is None or common.category > spec.INTEGER:
        return None
    return INSTEAD.get((p.name, common.category))


def _dtype(operand: Any) -> DType:
    if isinstance(operand, (list, tuple)):
        operand = np.asarray(operand)
    return spec.weak_dtype(operand) if isinstance(operand, NUMBERS) else dtype_of(operand)


def _is_bool(operand: Any) -> bool:
    return _dtype(operand) is spec.bool_


def _subtraction(name: str, operands: Sequence[Any], common: DType | None) -> None:
    bools = sum(map(_is_bool, operands))
    if bools == 2:
        raise Refusal(
            "Subtraction, the `-` operator, with two bool tensors is not supported. Use the `^` or `logical_xor()` "
            "operator instead."
        )
    if bools and not differentiating.get():
        raise Refusal(
            "Subtraction, the `-` operator, with a bool tensor is not supported. If you are trying to invert a mask, "
            "use the `~` or `logical_not()` operator instead."
        )


def _negation(name: str, operands: Sequence[Any], common: DType | None) -> None:
    if _is_bool(operands[0]):
        raise Refusal(
            "Negation, the `-` operator, on a bool tensor is not supported. If you are trying to invert a mask, use "
            "the `~` or `logical_not()` operator instead."
        )


def _plus(name: str, operands: Sequence[Any], common: DType | None) -> None:
    if _is_bool(operands[0]):
        raise Refusal("The `+` operator, on a bool tensor is not supported.")


def _relu(name: str, operands: Sequence[Any], common: DType | None) -> None:
    if _is_bool(operands[0]):
        raise Refusal("Boolean inputs not supported for relu")
    if common is not None and common.is_complex:
        raise NotImplementedError("clamp is not supported for complex types")


def _integer_division(name: str, operands: Sequence[Any], common: DType | None) -> None:
    if common is None or common.category > spec.INTEGER:
        return
    divisor = operands[1].array if isinstance(operands[1], Tensor) else operands[1]
    if isinstance(divisor, (np.ndarray, *NUMBERS)) and not np.all(divisor):
        raise Refusal("ZeroDivisionError")


def _is_negative(number: Any) -> bool:
    return isinstance(number, NUMBERS) and bool(np.less(number, 0))


def _power(name: str, operands: Sequence[Any], common: DType | None) -> None:
    exponent = operands[1]
    if common is not None and common.category <= spec.INTEGER and _is_negative(exponent):
        raise Refusal("Integers to negative integer powers are not allowed.")


def _integer_power(x: Any, y: Any) -> Any:
    """NumPy's power, but 0 for the fractions that an array of negative exponents would give (1 and -1 are their own)."""
    try:
        return np.power(x, y)
    except ValueError:
        unit = np.where(x == 1, 1, np.where(x == -1, 1 - 2 * (y % 2), 0))
        return np.where(y < 0, unit, np.power(x, np.where(y < 0, 0, y))).astype(np.result_type(x, y))


def _factorisation(name: str, operands: Sequence[Any], common: DType | None) -> None:
    dtypes = [_dtype(x) for x in operands]
    if not dtypes[0].differentiable:
        raise Refusal(f"linalg.{name}: Expected a floating point or complex tensor as input. Got {type_name(dtypes[0])}")
    if dtypes[-1] is not dtypes[0]:
        raise Refusal(
            f"linalg.{name}: Expected A and B to have the same dtype, but found A of type {type_name(dtypes[0])} and B of "
            f"type {type_name(dtypes[1])} instead"
        )


def _product(name: str, operands: Sequence[Any], common: DType | None) -> None:
    """Products of tensors of two dtypes (a NumPy array beside a tensor is brought to the common one)."""
    x, y = operands
    if not (isinstance(x, Tensor) and isinstance(y, Tensor)) or x.dtype is y.dtype or differentiating.get():
        return
    if x.level and y.level:
        raise Refusal(f"expected scalar type {type_name(x.dtype)} but found {type_name(y.dtype)}")
    if name == "dot":
        raise Refusal(
            f"dot : expected both vectors to have same dtype, but found {type_name(x.dtype)} and {type_name(y.dtype)}"
        )
    if y.ndim == 1:
        a, b = type_name(x.dtype), type_name(y.dtype)
        raise Refusal(f"addmv input tensors must have the same dtype, but got {b}, {a}, and {b}")
    if y.ndim == 2:
        raise Refusal(f"expected m1 and m2 to have the same dtype, but got: {c_type_name(x.dtype)} != {c_type_name(y.dtype)}")
    raise Refusal(f"expected scalar type {type_name(x.dtype)} but found {type_name(y.dtype)}")


def _product_added(name: str, operands: Sequence[Any], common: DType | None) -> None:
    added, x, y = operands
    if isinstance(added, Tensor) and isinstance(y, Tensor) and added.dtype is not y.dtype and x.dtype is y.dtype:
        raise Refusal(f"self and mat2 must have the same dtype, but got {type_name(added.dtype)} and {type_name(y.dtype)}")
    if isinstance(x, Tensor) and isinstance(y, Tensor) and x.dtype is not y.dtype:
        if x.level and y.level:
            raise Refusal(f"expected scalar type {type_name(x.dtype)} but found {type_name(y.dtype)}")
        raise Refusal(f"mat1 and mat2 must have the same dtype, but got {type_name(x.dtype)} and {type_name(y.dtype)}")


def _unordered(words: str) -> Callable[[str, Sequence[Any], DType | None], None]:
    """What refuses complex operands in these words."""

    def refuse(name: str, operands: Sequence[Any], common: DType | None) -> None:
        if common is not None and common.is_complex:
            raise NotImplementedError(words.format(type_name(common)))

    return refuse


def _no_bool(name: str, operands: Sequence[Any], common: DType | None) -> None:
    if _is_bool(operands[0]):
        raise NotImplementedError(f"\"{name}_cpu\" not implemented for 'Bool'")


def _of_floats(name: str, operands: Sequence[Any], common: DType | None) -> None:
    if not isinstance(operands[0], Tensor):
        return
    dtype = operands[0].dtype
    if not dtype.differentiable or (dtype.is_complex and name in ("softmax", "log_softmax", "mse_loss")):
        raise NotImplementedError(f"\"{KERNELS[name]}\" not implemented for '{type_name(dtype)}'")


KERNELS: Final = {
    "softplus": "softplus_cpu", "elu": "elu_cpu", "celu": "elu_cpu", "gelu": "GeluKernelImpl", "silu": "silu_cpu",
    "mish": "mish_cpu", "hardswish": "hardswish_cpu", "hardsigmoid": "hardsigmoid_cpu", "hardshrink": "hardshrink_cpu",
    "softshrink": "softshrink_check", "leaky_relu": "leaky_relu_cpu", "prelu": "prelu_cpu", "glu": "glu_cpu",
    "rrelu": "rrelu_with_noise_out_cpu", "logsigmoid": "log_sigmoid_cpu", "softmax": "softmax_lastdim_kernel_impl",
    "log_softmax": "log_softmax_lastdim_kernel_impl", "layer_norm": "LayerNormKernelImpl", "group_norm": "GroupNormKernelImpl",
    "batch_norm": "batch_norm", "mse_loss": "mse_cpu", "huber_loss": "huber_cpu", "smooth_l1_loss": "smooth_l1_cpu",
    "nll_loss": "nll_loss_out_frame", "multi_margin_loss": "multi_margin_loss_cpu_kernel",
    "multilabel_margin_loss": "multilabel_margin_loss_forward_out_frame", "adaptive_max_pool": "adaptive_max_pool2d",
    "adaptive_avg_pool": "adaptive_avg_pool2d",
}  # what torch has for floating-point numbers only, by the names that it calls these


def _heaviside(name: str, operands: Sequence[Any], common: DType | None) -> None:
    x, y = operands
    if common is not None and common.is_complex:
        raise Refusal("heaviside is not yet implemented for complex tensors.")
    if isinstance(x, Tensor) and isinstance(y, Tensor) and x.dtype is not y.dtype:
        raise Refusal("heaviside is not yet implemented for tensors with different dtypes.")


def _shift(name: str, operands: Sequence[Any], common: DType | None) -> None:
    if common is not None and common.category != spec.INTEGER:
        raise NotImplementedError(f"\"{name[0]}shift_cpu\" not implemented for '{type_name(common)}'")


def _convolution(name: str, operands: Sequence[Any], common: DType | None) -> None:
    x, weight, bias = operands
    if _is_bool(x):
        raise NotImplementedError("\"slow_conv2d_cpu\" not implemented for 'Bool'")
    if isinstance(weight, Tensor) and weight.dtype is not _dtype(x):
        raise Refusal(f"expected scalar type {type_name(_dtype(x))} but found {type_name(weight.dtype)}")
    if isinstance(bias, Tensor) and bias.dtype is not _dtype(x):
        raise Refusal(
            f"Input type ({c_type_name(_dtype(x))}) and bias type ({c_type_name(bias.dtype)}) should be the same"
        )


def _extremum(name: str, operands: Sequence[Any], common: DType | None) -> None:
    if common is not None and common.is_complex:
        raise Refusal(f"{name} not implemented for complex tensors.")


REFUSALS: Final[dict[str, Callable[[str, Sequence[Any], DType | None], None]]] = {
    "subtract": _subtraction, "negative": _negation, "positive": _plus, "relu": _relu,
    "floor_divide": _integer_division, "remainder": _integer_division, "fmod": _integer_division,
    "power": _power, "inv": _factorisation, "det": _factorisation, "solve": _factorisation,
    "less": _unordered("\"lt_cpu\" not implemented for '{}'"), "less_equal": _unordered("\"le_cpu\" not implemented for '{}'"),
    "greater": _unordered("\"gt_cpu\" not implemented for '{}'"),
    "greater_equal": _unordered("\"ge_cpu\" not implemented for '{}'"),
    "clip": _unordered("clamp is not supported for complex types"),
    "sign": _unordered("Unlike NumPy, torch.sign is not intended to support complex numbers. Please use torch.sgn instead."),
    "median": _unordered("\"median_cpu\" not implemented for '{}'"),
    "floor": _unordered("floor is not supported for complex inputs"),
    "ceil": _unordered("ceil is not supported for complex inputs"), "maximum": _extremum, "minimum": _extremum,
    "dot": _product, "mv": _product, "mm": _product, "matmul": _product, "addmm": _product_added,
    "threshold": _no_bool, "heaviside": _heaviside, "left_shift": _shift, "right_shift": _shift,
    "convolution": _convolution, **dict.fromkeys(KERNELS, _of_floats),
}  # fmt: skip


def _same(x: Any, **params: Any) -> Any:
    return x.copy()


INSTEAD: Final[dict[tuple[str, int], Instead]] = {
    ("power", spec.BOOL): lambda x, y: x | ~y,
    ("power", spec.INTEGER): _integer_power,
    ("square", spec.BOOL): lambda x: x.astype(np.int64),
    ("sign", spec.BOOL): _same,
    ("conjugate", spec.BOOL): _same,
    ("rint", spec.INTEGER): _same,
    ("threshold", spec.INTEGER): lambda x, threshold, value: np.where(x <= int(threshold), x.dtype.type(value), x),
    ("hardtanh", spec.INTEGER): lambda x, min_val=-1, max_val=1: np.clip(x, int(min_val), int(max_val)),
    ("addcmul", spec.INTEGER): lambda x, y, z, value=1: x + int(value) * y * z,
    ("heaviside", spec.BOOL): lambda x, y: np.where(x, True, y),
    ("heaviside", spec.INTEGER): lambda x, y: np.where(x == 0, y, x > 0).astype(np.result_type(x, y)),
}  # where NumPy's result has another dtype than torch's, by the category of the common dtype


def explain(fault: Exception, p: Primitive, arrays: Sequence[Any]) -> Exception | None:
    """The error in torch's words where these depend on the operands' values, or None."""
    if type(fault).__name__ != "LinAlgError" or "ingular" not in str(fault):
        return None
    matrices = np.asarray(arrays[0])
    stack = matrices.reshape(-1, *matrices.shape[-2:])
    pivots = [zero_pivot(matrix) for matrix in stack]
    k = next((k for k, pivot in enumerate(pivots) if pivot), 0)
    where = f"(Batch element {k}): " if matrices.ndim > 2 else ""
    if p.name == "inv":
        return LinAlgError(
            f"linalg.inv: {where}The diagonal element {pivots[k]} is zero, the inversion could not be completed because "
            "the input matrix is singular."
        )
    return LinAlgError(f"torch.linalg.{p.name}: {where}The solver failed because the input matrix is singular.")


def zero_pivot(matrix: np.ndarray) -> int:
    """The number, from 1, of the first diagonal element that is 0 after elimination with pivoting; 0 if none is."""
    rest = matrix.copy()
    first = 0
    for k in range(len(rest)):
        row = k + int(np.abs(rest[k:, k]).argmax())
        rest[[k, row]] = rest[[row, k]]
        if rest[k, k] == 0:
            first = first or k + 1
            continue
        rest[k + 1 :, k:] -= np.outer(rest[k + 1 :, k] / rest[k, k], rest[k, k:])
    return first
