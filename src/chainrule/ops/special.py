"""The error function and its kin."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.core.box import function
from chainrule.core.primitive import elementwise

SLOPE = 2 / math.sqrt(math.pi)
ROOT_HALF = math.sqrt(0.5)
_erf = np.frompyfunc(math.erf, 1, 1)
_erfc = np.frompyfunc(math.erfc, 1, 1)


@function
def erf(x: Any) -> Any:
    """``2/sqrt(pi)`` times the integral of ``exp(-t**2)`` from 0 to x."""
    return np.asarray(_erf(x)).astype(x.dtype)


@function
def erfc(x: Any) -> Any:
    """``1 - erf(x)``, accurate where that is tiny."""
    return np.asarray(_erfc(x)).astype(x.dtype)


@function
def erfinv(x: Any) -> Any:
    """The inverse of `erf`: Winitzki's approximation (2008), then Halley steps in float64."""
    x64 = np.asarray(x, np.float64)
    inside = np.where(np.abs(x64) < 1, x64, 0.0)
    tail = np.log1p(-inside * inside)
    half = 2 / (math.pi * 0.147) + tail / 2
    y = np.copysign(np.sqrt(np.sqrt(half * half - tail / 0.147) - half), inside)
    for _ in range(3):
        step = (np.asarray(_erf(y)).astype(np.float64) - inside) * np.exp(y * y) / SLOPE
        y = y - step / (1 + y * step)
    edge = np.where(np.abs(x64) == 1, np.copysign(np.inf, x64), np.nan)
    return np.where(np.abs(x64) < 1, y, edge).astype(x.dtype)


@function
def gelu(x: Any, *, approximate: str = "none") -> Any:
    """``x Phi(x)``, Phi being the normal distribution; or its approximation by "tanh"."""
    if approximate == "tanh":
        return 0.5 * x * (1 + np.tanh(_inner(x)))
    return 0.5 * x * (1 + erf(x * ROOT_HALF))


ROOT_TWO_OVER_PI = math.sqrt(2 / math.pi)


def _inner(x: Any) -> Any:
    return ROOT_TWO_OVER_PI * (x + 0.044715 * x * x * x)


def gelu_slope(x: Any, approximate: str) -> Any:
    """d gelu / dx."""
    if approximate == "tanh":
        tanh = np.tanh(_inner(x))
        return 0.5 * (1 + tanh) + 0.5 * x * (1 - tanh * tanh) * ROOT_TWO_OVER_PI * (1 + 3 * 0.044715 * x * x)
    return 0.5 * (1 + erf(x * ROOT_HALF)) + x * np.exp(-0.5 * x * x) * (ROOT_HALF * SLOPE / 2)


elementwise(erf, lambda x: np.exp(-x * x) * SLOPE)
elementwise(erfc, lambda x: np.exp(-x * x) * -SLOPE)
elementwise(erfinv, lambda out: np.exp(out * out) * (1 / SLOPE))
elementwise(gelu, lambda g, x, *, approximate="none": g * gelu_slope(x, approximate))
