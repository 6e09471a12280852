"""Activations: elementwise functions between the layers of a network.

At its corners each has the derivative that torch gives it, which the column ``kinks`` says.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.core.box import function
from chainrule.core.primitive import elementwise, general
from chainrule.ops.elementwise import sigmoid, tied
from chainrule.ops.indexing import getitem


@function
def logsigmoid(x: Any) -> Any:
    """``log(sigmoid(x))``."""
    return -np.logaddexp(0, -x)


@function
def softplus(x: Any, *, beta: float = 1.0, threshold: float = 20.0) -> Any:
    """``log(1 + exp(beta x)) / beta``; x itself where ``beta x > threshold``."""
    return np.where(x * beta > threshold, x, np.logaddexp(0, x * beta) / beta)


elementwise(logsigmoid, lambda g, x: g * sigmoid(-x), torch="logsigmoid", node="LogSigmoidBackward0")
elementwise(
    softplus, lambda g, x, *, beta=1.0, threshold=20.0: g * np.where(x * beta > threshold, 1.0, sigmoid(x * beta))
)

# Straight for large x, smooth before


@function
def silu(x: Any) -> Any:
    """``x sigmoid(x)``."""
    return x * sigmoid(x)


@function
def mish(x: Any) -> Any:
    """``x tanh(log(1 + exp(x)))``."""
    return x * np.tanh(softplus(x))


@function
def elu(x: Any, *, alpha: float = 1.0, scale: float = 1.0) -> Any:
    """``scale x`` where positive, else ``scale alpha (exp(x) - 1)``: elu and selu."""
    return np.where(x > 0, scale * x, (scale * alpha) * np.expm1(np.minimum(x, 0)))


@function
def celu(x: Any, *, alpha: float = 1.0) -> Any:
    """x where positive, else ``alpha (exp(x / alpha) - 1)``."""
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0) / alpha))


def _mish_slope(x: Any) -> Any:
    bend = np.tanh(softplus(x))
    return bend + x * sigmoid(x) * (1 - bend * bend)


elementwise(silu, lambda x: sigmoid(x) * (1 + x * (1 - sigmoid(x))))
elementwise(mish, lambda x: _mish_slope(x))
elementwise(elu, lambda g, x, *, alpha=1.0, scale=1.0: g * np.where(x > 0, scale, scale * alpha * np.exp(np.minimum(x, 0.0))),
            kinks="alpha at 0")  # fmt: skip
elementwise(celu, lambda g, x, *, alpha=1.0: g * np.where(x > 0, 1.0, np.exp(np.minimum(x, 0.0) / alpha)))

# Pieces of straight lines


@function
def relu(x: Any) -> Any:
    """``max(x, 0)``."""
    return np.maximum(x, 0)


@function
def leaky_relu(x: Any, *, negative_slope: float = 0.01) -> Any:
    """x where positive, else ``negative_slope x``."""
    return np.where(x > 0, x, negative_slope * x)


@function
def prelu(x: Any, y: Any) -> Any:
    """x where positive, else ``y x``."""
    return np.where(x > 0, x, y * x)


@function
def rrelu(x: Any, y: Any) -> Any:
    """``y x``, y being 1 where x is positive and a random slope elsewhere."""
    return x * y


@function
def threshold(x: Any, *, threshold: float, value: float) -> Any:
    """x where it is above ``threshold``, else ``value``."""
    return np.where(x <= threshold, value, x)


@function
def hardtanh(x: Any, *, min_val: float = -1.0, max_val: float = 1.0) -> Any:
    """x, limited to [min_val, max_val]."""
    return np.minimum(np.maximum(x, min_val), max_val)


@function
def hardsigmoid(x: Any) -> Any:
    """``x/6 + 1/2``, limited to [0, 1]."""
    return np.minimum(np.maximum(x + 3, 0), 6) / 6


@function
def hardswish(x: Any) -> Any:
    """``x hardsigmoid(x)``."""
    return x * np.minimum(np.maximum(x + 3, 0), 6) / 6


@function
def hardshrink(x: Any, *, lambd: float = 0.5) -> Any:
    """x, and 0 where ``|x| <= lambd``."""
    return np.where(np.abs(x) <= lambd, 0, x)


@function
def softshrink(x: Any, *, lambd: float = 0.5) -> Any:
    """x moved towards 0 by ``lambd``, and 0 where it would pass it."""
    return np.where(x > lambd, x - lambd, np.where(x < -lambd, x + lambd, x * 0))


def _inside(g: Any, x: Any, low: float, high: float) -> Any:
    return tied(np.where((x > low) & (x < high), g, 0.0), x)


def _outside(g: Any, x: Any, lambd: float) -> Any:
    return tied(np.where((x >= -lambd) & (x <= lambd), 0.0, g), x)


elementwise(relu, lambda g, out: tied(np.where(out > 0, g, 0.0), out), integers="keep", kinks="0 at 0")
elementwise(leaky_relu, lambda g, x, *, negative_slope=0.01: tied(np.where(x > 0, g, negative_slope * g), x),
            kinks="negative_slope at 0")  # fmt: skip
elementwise(prelu, lambda g, x, y: tied(np.where(x > 0, g, y * g), x), lambda g, x: np.where(x > 0, 0.0, x * g),
            kinks="y at x = 0", torch="", node="PreluKernelBackward0")  # fmt: skip
elementwise(rrelu, lambda y: y, lambda x: x, torch="", node="RreluWithNoiseBackward0")
elementwise(threshold, lambda g, x, *, threshold, value: tied(np.where(x <= threshold, 0.0, g), x), integers="keep",
            kinks="0 at the threshold")  # fmt: skip
elementwise(hardtanh, lambda g, x, *, min_val=-1.0, max_val=1.0: _inside(g, x, min_val, max_val), integers="keep",
            kinks="0 at both ends")  # fmt: skip
elementwise(hardsigmoid, lambda g, x: _inside(g, x, -3, 3) / 6, kinks="0 at -3 and 3")
elementwise(hardswish, lambda g, x: np.where(x <= -3, 0.0, np.where(x < 3, g * (x / 3 + 0.5), g)),
            kinks="0 at -3, 1 at 3")  # fmt: skip
elementwise(hardshrink, lambda g, x, *, lambd=0.5: _outside(g, x, lambd), kinks="0 at -lambd and lambd")
elementwise(softshrink, lambda g, x, *, lambd=0.5: _outside(g, x, lambd), kinks="0 at -lambd and lambd")


# A gate


def _halves(x: Any, axis: int) -> tuple[Any, Any]:
    half = x.shape[axis] // 2
    before = (slice(None),) * (axis % len(x.shape))
    return getitem(x, key=(*before, slice(0, half))), getitem(x, key=(*before, slice(half, None)))


@function
def glu(x: Any, *, axis: int = -1) -> Any:
    """``a sigmoid(b)``, a and b being the halves of x along ``axis``."""
    a, b = _halves(x, axis)
    return a * sigmoid(b)


def _glu_pullback(g: Any, x: Any, axis: int) -> Any:
    a, b = _halves(x, axis)
    open_ = sigmoid(b)
    return np.concatenate([g * open_, g * a * open_ * (1 - open_)], axis=axis)


general(glu, lambda g, x, *, axis=-1: _glu_pullback(g, x, axis), integers="float")
