"""Elementwise functions: arithmetic, powers, exponentials, trigonometry, choices, rounding, comparisons.

A rule is d out / d operand; one that mentions ``g`` is the product with it. Where g's dtype could be lost
(a mask times a float is float64) the rule chooses with `np.where`, whose Python numbers are weak.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from chainrule.core.box import apply, derived, function
from chainrule.core.primitive import elementwise, general, linear, non_differentiable, zero_derivative
from chainrule.core.rules import is_complex, multiple

TWO: Final = np.array(2.0)
LN2 = math.log(2.0)
LN10 = math.log(10.0)
PI = math.pi

# Arithmetic

elementwise(np.add, lambda g: g, lambda g: g, integers="keep", torch="add")
elementwise(np.subtract, lambda g: g, lambda g: -g, integers="keep", torch="sub subtract",
            node=lambda scalars: "RsubBackward1" if scalars == (0,) else "SubBackward0")  # fmt: skip
elementwise(np.multiply, lambda y: y, lambda x: x, integers="keep", torch="mul multiply")
elementwise(np.divide, lambda g, y: g / y, lambda g, x, y: -g * (x / y) / y, torch="div divide true_divide")


@function
def add_scaled(x: Any, y: Any, *, alpha: float) -> Any:
    """``x + alpha y``."""
    return x + alpha * y


@function
def sub_scaled(x: Any, y: Any, *, alpha: float) -> Any:
    """``x - alpha y``."""
    return x - alpha * y


@function
def rsub(x: Any, y: Any) -> Any:
    """``y - x``."""
    return y - x


elementwise(rsub, lambda g: -g, lambda g: g, integers="keep", torch="", node="RsubBackward0")
elementwise(add_scaled, lambda g: g, lambda g, *, alpha: g * alpha, integers="keep", node="AddBackward0", torch="")
elementwise(sub_scaled, lambda g: g, lambda g, *, alpha: g * -alpha, integers="keep", node="SubBackward0", torch="")
elementwise(np.negative, lambda g: -g, integers="keep", torch="neg negative")
elementwise(np.positive, lambda g: g, integers="keep", node="AliasBackward0")
elementwise(np.remainder, lambda g: g, lambda g, x, y: -g * np.floor_divide(x, y), integers="keep",
            node=lambda scalars: "RemainderBackward0" if scalars else "RemainderBackward1",
            kinks="d out/d x = 1 also at multiples of y")  # fmt: skip
elementwise(np.fmod, lambda g: g, lambda g, x, y: -g * np.trunc(x / y), integers="keep",
            node=lambda scalars: "FmodBackward0" if scalars else "FmodBackward1",
            kinks="d out/d x = 1 also at multiples of y")  # fmt: skip


@function
def lerp(x: Any, y: Any, z: Any) -> Any:
    """``x + z (y - x)``, counted from the nearer end."""
    if z.ndim == 0:
        return x + z * (y - x) if z < 0.5 else y - (y - x) * (1 - z)
    return np.where(z < 0.5, x + z * (y - x), y - (y - x) * (1 - z))


elementwise(lerp, lambda g, z: g * (1 - z), lambda g, z: g * z, lambda g, x, y: g * (y - x),
            node=lambda scalars: "LerpBackward0" if 2 in scalars else "LerpBackward1")  # fmt: skip

# Powers and roots


def _power(x: Any, y: Any) -> Any:
    """NumPy's power, but with the multiplications that a whole exponent of 0, 1 or 2 comes to."""
    if type(y) is np.ndarray and y.ndim == 0 and x.dtype.kind in "fc":
        exponent = y.item()
        if exponent == 2:
            return x * x
        if exponent == 1:
            return x + 0
        if exponent == 0:
            return np.ones_like(x)
    return np.power(x, y)


def _power_cotangent(g: Any, x: Any, y: Any) -> Any:
    """``g y x**(y-1)``, and 0 where y is 0: a constant, where y is a number."""
    if type(y) is np.ndarray and y.ndim == 0:
        exponent = y.item()
        if exponent == 0:
            return np.zeros(g.shape, y.dtype)
        if type(x) is not np.ndarray:
            return g * (exponent * x ** (exponent - 1))
        if exponent == 1:
            return g
        return multiple(g, 2) * x if exponent == 2 else g * (exponent * _power(x, y - 1))
    return g * (y * np.power(x, y - np.sign(np.absolute(y))))  # y - 1, but 0 at 0


elementwise(
    np.power,
    lambda g, x, y: _power_cotangent(g, x, y),
    lambda g, x, y, out: g * out * np.log(np.where((x == 0) & ((np.real(y) if is_complex(y) else y) >= 0), 1.0, x)),
    raw=_power, integers="keep", torch="pow",
    node=lambda scalars: {(1,): "PowBackward0", (0,): "PowBackward2"}.get(scalars, "PowBackward1"),
    kinks="d 0**y / d y = 0 for y >= 0",
)  # fmt: skip
elementwise(np.square, lambda g, x: _power_cotangent(g, x, TWO), integers="keep", node="PowBackward0")
elementwise(np.sqrt, lambda g, out: g / (out + out), kinks="infinite at 0")
elementwise(np.cbrt, lambda g, out: g / (3 * out * out))
elementwise(np.reciprocal, lambda g, out: -g * out * out)
elementwise(np.hypot, lambda g, x, out: g * (x / out), lambda g, y, out: g * (y / out), kinks="nan at (0, 0), as torch")


@function
def rsqrt(x: Any) -> Any:
    """``1 / sqrt(x)``."""
    return 1 / np.sqrt(x)


elementwise(rsqrt, lambda g, out: -0.5 * g * out * out * out)

# Exponentials and logarithms


@function
def exp_known(x: Any, y: Any = None) -> Any:
    """``exp(x)``, which is ``y`` where that is known already."""
    return np.exp(x) if y is None else y


general(exp_known, lambda g, out: g * out, None, holomorphic=True, integers="float", torch="")
elementwise(np.exp, lambda out: out)
elementwise(np.exp2, lambda out: out * LN2)
elementwise(np.expm1, lambda out: out + 1)
elementwise(np.log, lambda g, x: g / x)
elementwise(np.log2, lambda g, x: g / (x * LN2))
elementwise(np.log10, lambda g, x: g / (x * LN10))
elementwise(np.log1p, lambda g, x: g / (1 + x), node="Log1PBackward0")


@function
def sigmoid(x: Any) -> Any:
    """``1 / (1 + exp(-x))``, without overflow."""
    if x.dtype.kind == "c":
        return 1 / (1 + np.exp(-x))
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1.0, e) / (1 + e)


elementwise(sigmoid, lambda out: out * (1 - out))
elementwise(np.logaddexp, lambda g, x, y: g * sigmoid(x - y), lambda g, x, y: g * sigmoid(y - x))
elementwise(np.logaddexp2, lambda g, x, y: g * sigmoid((x - y) * LN2), lambda g, x, y: g * sigmoid((y - x) * LN2))

# Trigonometric and hyperbolic functions

elementwise(np.sin, lambda x: np.cos(x))
elementwise(np.cos, lambda x: -np.sin(x))
elementwise(np.tan, lambda out: 1 + out * out)
elementwise(np.arcsin, lambda g, x: g / np.sqrt(1 - x * x), torch="asin arcsin")
elementwise(np.arccos, lambda g, x: -g / np.sqrt(1 - x * x), torch="acos arccos")
elementwise(np.arctan, lambda g, x: g / (1 + x * x), torch="atan arctan")


def _squared_length(x: Any, y: Any) -> Any:
    """``x**2 + y**2``, 1 at the origin, where both derivatives of the angle are taken as 0."""
    square = x * x + y * y
    return np.where(square == 0, 1.0, square)


elementwise(np.arctan2, lambda g, x, y: g * y / _squared_length(x, y), lambda g, x, y: -g * x / _squared_length(x, y),
            torch="atan2 arctan2", kinks="0 at the origin")  # fmt: skip
elementwise(np.sinh, lambda x: np.cosh(x))
elementwise(np.cosh, lambda x: np.sinh(x))
elementwise(np.tanh, lambda out: 1 - out * out)
elementwise(np.arcsinh, lambda g, x: g / np.sqrt(1 + x * x), torch="asinh arcsinh")
elementwise(np.arccosh, lambda g, x: g / (np.sqrt(x - 1) * np.sqrt(x + 1)), torch="acosh arccosh")
elementwise(np.arctanh, lambda g, x: g / (1 - x * x), torch="atanh arctanh")
elementwise(np.deg2rad, lambda g: g * (PI / 180), node="Deg2RadBackward0")
elementwise(np.rad2deg, lambda g: g * (180 / PI), node="Rad2DegBackward0")


def _sinc_slope(x: Any, out: Any) -> Any:
    near = x == 0  # there its series, which has the right derivative
    return np.where(near, 0.0 - PI * PI / 3 * x, (np.cos(PI * x) - out) / np.where(near, 1.0, x))


@function
def sinc(x: Any) -> Any:
    """``sin(pi x) / (pi x)``, and 1 at 0."""
    turn = PI * np.where(x == 0, 1e-20, x)
    return np.sin(turn) / turn


elementwise(sinc, lambda x: _sinc_slope(x, sinc(x)))

# Absolute value, sign, complex parts


def direction(x: Any) -> Any:
    """``x / |x|``, and 0 at 0: the sign of a real number, which is flat, but not that of a complex one."""
    if type(x) is np.ndarray or not is_complex(x):
        return np.sign(x)
    size = np.absolute(x)
    return x / np.where(size == 0, 1.0, size)


general(np.absolute, lambda g, x: g * direction(x), jvp=lambda t, x: np.real(np.conjugate(direction(x)) * t), arity=1,
        torch="abs absolute", kinks="0 at 0")  # fmt: skip
linear(np.conjugate, lambda g, x: np.conjugate(g), torch="conj", node="ConjBackward0")
linear(np.real, lambda g, x: g, torch="real", moves="view", node="SelectBackward0", retypes=True)
linear(np.imag, lambda g, x: g * 1j, torch="imag", moves="view", node="SelectBackward0", retypes=True)


@function
def complex_of(x: Any, y: Any) -> Any:
    """``x + 1j y``, also where a part is infinite."""
    out = np.empty(np.broadcast_shapes(x.shape, y.shape), np.result_type(x.dtype, np.complex64))
    out.real, out.imag = x, y
    return out


linear(complex_of, lambda g, x: np.real(g), lambda g, y: np.imag(g), torch="", node="ComplexBackward0", retypes=True)


@derived(np.imag)
def imag(x: Any) -> Any:
    """The imaginary part; zeros of real numbers."""
    return apply(np.imag, x) if x.dtype.is_complex else np.zeros_like(x)


elementwise(np.copysign, lambda g, x, out: g * np.sign(x) * np.sign(out), lambda g: np.zeros_like(g), kinks="0 at x = 0")
zero_derivative(np.sign, integers="keep")

# Choices. Operands that tie share the derivative.

elementwise(
    np.maximum,
    lambda g, x, y: np.where(x == y, g / 2, np.where(x > y, g, 0.0)),
    lambda g, x, y: np.where(x == y, g / 2, np.where(x < y, g, 0.0)),
    integers="keep", kinks="1/2 each where x = y",
)  # fmt: skip
elementwise(
    np.minimum,
    lambda g, x, y: np.where(x == y, g / 2, np.where(x < y, g, 0.0)),
    lambda g, x, y: np.where(x == y, g / 2, np.where(x > y, g, 0.0)),
    integers="keep", kinks="1/2 each where x = y",
)  # fmt: skip
elementwise(np.fmax, lambda g, x, y: np.where((x >= y) | np.isnan(y), g, 0.0),
            lambda g, x, y: np.where((x >= y) | np.isnan(y), 0.0, g),
            integers="keep", kinks="all to x where x = y")  # fmt: skip
elementwise(np.fmin, lambda g, x, y: np.where((x <= y) | np.isnan(y), g, 0.0),
            lambda g, x, y: np.where((x <= y) | np.isnan(y), 0.0, g),
            integers="keep", kinks="all to x where x = y")  # fmt: skip
elementwise(np.where, None, lambda g, x: np.where(x, g, 0.0), lambda g, x: np.where(x, 0.0, g), integers="keep")


@derived(np.where)
def where(condition: Any, *chosen: Any) -> Any:
    """NumPy's where: one of two, or (of a condition alone) where that holds."""
    return apply(np.where, condition, *chosen) if chosen else np.nonzero(condition)


def _below(x: Any, bound: Any) -> Any:
    return False if bound is None else x < bound


def _clip(x: Any, y: Any = None, z: Any = None) -> Any:
    """NumPy's clip: as two ufuncs, which is faster, and takes None for no bound."""
    low = x if y is None else np.maximum(x, y)
    return low if z is None else np.minimum(low, z)


elementwise(
    np.clip,
    lambda g, x, y, z: np.where(_below(x, y) | _below(np.negative(x), None if z is None else np.negative(z)), 0.0, g),
    lambda g, x, y, z: np.where(_below(x, y) & ~np.asarray(_below(z, y) if z is not None else False), g, 0.0),
    lambda g, x, y, z: np.where((x > z) | (_below(z, y)), g, 0.0),
    raw=_clip, integers="keep", torch="clamp clip", kinks="1 for x at a bound",
    node=lambda scalars: "ClampBackward1" if {1, 2} <= {*scalars} else "ClampBackward0",
)  # fmt: skip


@function
def masked_fill(x: Any, y: Any, z: Any) -> Any:
    """``z`` where the mask ``y``, else ``x``."""
    return np.where(y, z, x)


elementwise(masked_fill, lambda g, y: np.where(y, 0.0, g), None, lambda g, y: np.where(y, g, 0.0), integers="keep",
            node=lambda scalars: "MaskedFillBackward0" if 2 in scalars else "MaskedFillBackward1")  # fmt: skip


# Several steps in one


@function
def addcmul(x: Any, y: Any, z: Any, *, value: float = 1) -> Any:
    """``x + value y z``."""
    return x + value * y * z


@function
def addcdiv(x: Any, y: Any, z: Any, *, value: float = 1) -> Any:
    """``x + value y / z``."""
    return x + value * y / z


@function
def xlogy(x: Any, y: Any) -> Any:
    """``x log(y)``, 0 for x = 0."""
    return np.where((x == 0) & ~np.isnan(y), 0.0, x * np.log(y)).astype(np.result_type(x, y))


@function
def nan_to_num(x: Any, *, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> Any:
    """``x`` with numbers for what is none."""
    return np.nan_to_num(x, copy=True, nan=nan, posinf=posinf, neginf=neginf)


@function
def logit(x: Any, *, eps: float | None = None) -> Any:
    """``log(x / (1 - x))``, x being limited to [eps, 1 - eps] first."""
    x = x if eps is None else np.clip(x, eps, 1 - eps)
    return np.log(x / (1 - x))


def _outside(x: Any, eps: float | None) -> Any:
    return (x < 0.0) | (x > 1.0) if eps is None else (x < eps) | (x > 1 - eps)


elementwise(addcmul, lambda g: g, lambda z, *, value=1: value * z, lambda y, *, value=1: value * y, integers="keep")
elementwise(addcdiv, lambda g: g, lambda g, z, *, value=1: value * (g / z),
            lambda g, y, z, *, value=1: -value * (g * y / z) / z)  # fmt: skip
elementwise(xlogy, lambda x, y: np.where((x == 0) & (y <= 0), 0.0, np.log(y)), lambda g, x, y: g * x / y)
elementwise(nan_to_num, lambda g, x, *, nan=0.0, posinf=None, neginf=None: np.where(np.isfinite(x), g, 0.0), integers="keep")
elementwise(logit, lambda g, x, *, eps=None:
            np.where(_outside(x, eps), 0.0 if eps is not None else np.nan, g / (x * (1.0 - x))))  # fmt: skip
non_differentiable(np.heaviside)

# Overwriting: what `zero_`, `fill_` and `copy_` leave of a tensor's history


@function
def zero(x: Any) -> Any:
    """Zeros shaped like ``x``."""
    return np.zeros_like(x)


def tied(c: Any, x: Any) -> Any:
    """``c``, which depends on ``x`` with derivative 0: a recorded pass is to know that it does."""
    return c if type(x) is np.ndarray else c + zero(x)


@function
def fill(x: Any, y: Any) -> Any:
    """``y`` in every element of ``x``."""
    return np.broadcast_to(y, x.shape).copy()


@function
def overwrite(x: Any, y: Any) -> Any:
    """``y``, broadcast to the shape of ``x``."""
    return np.broadcast_to(y, x.shape).copy()


zero_derivative(zero, integers="keep", torch="")
elementwise(fill, lambda g: np.zeros_like(g), lambda g: g, integers="keep",
            node=lambda scalars: "FillBackward2" if scalars else "FillBackward3", torch="")  # fmt: skip
elementwise(overwrite, lambda g: np.zeros_like(g), lambda g: g, integers="keep", torch="", node="CopyBackwards")

# Rounding and steps: recorded, with derivative 0

zero_derivative(np.floor, np.ceil, np.trunc, integers="keep")
zero_derivative(np.rint, integers="keep", torch="rint", node="RoundBackward0")
zero_derivative(np.round, integers="keep", torch="round", arity=1, params={"decimals": 0},
                node=lambda decimals: "RoundBackward1" if decimals else "RoundBackward0")  # fmt: skip
zero_derivative(np.floor_divide, integers="keep", node="torch::autograd::NotImplemented")


@function
def div_rounded(x: Any, y: Any, *, rounding_mode: str) -> Any:
    """The quotient rounded down ("floor") or towards zero ("trunc")."""
    return np.floor_divide(x, y) if rounding_mode == "floor" else np.trunc(np.divide(x, y)).astype(x.dtype)


zero_derivative(div_rounded, integers="keep", arity=2, node="DivBackward2", torch="")


@function
def frac(x: Any) -> Any:
    """``x - trunc(x)``."""
    return x - np.trunc(x)


elementwise(frac, lambda g: g)

# Comparisons and predicates

non_differentiable(np.equal, torch="eq")
non_differentiable(np.not_equal, torch="ne not_equal")
non_differentiable(np.less, torch="lt less")
non_differentiable(np.less_equal, torch="le less_equal")
non_differentiable(np.greater, torch="gt greater")
non_differentiable(np.greater_equal, torch="ge greater_equal")
non_differentiable(np.isnan, np.isfinite, np.isinf, np.signbit,
                   np.logical_and, np.logical_or, np.logical_xor, np.logical_not)  # fmt: skip
non_differentiable(np.bitwise_and, np.bitwise_or, np.bitwise_xor)
non_differentiable(np.left_shift, torch="bitwise_left_shift")
non_differentiable(np.right_shift, torch="bitwise_right_shift")
non_differentiable(np.invert, torch="bitwise_not")
