"""The logarithm of the gamma function and its derivatives."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from chainrule.core.box import function
from chainrule.core.primitive import elementwise

BERNOULLI: Final = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6)  # B_2, B_4, …
FAR: Final = 10.0  # from here on the asymptotic series are exact to float64


def _lgamma_of(x: float) -> float:
    if not math.isfinite(x):
        return abs(x)
    if x <= 0 and x == math.floor(x):
        return math.inf
    return math.lgamma(x) if abs(x) < 1e300 else math.inf if x > 1e305 else x * (math.log(abs(x)) - 1)


_lgamma = np.frompyfunc(_lgamma_of, 1, 1)


@function
def lgamma(x: Any) -> Any:
    """``log |gamma(x)|``."""
    return np.asarray(_lgamma(x)).astype(x.dtype)


@function
def digamma(x: Any) -> Any:
    """The derivative of `lgamma`: reflected to x > 0, shifted up, then the asymptotic series (Abramowitz & Stegun 6.3.18)."""
    x64 = np.asarray(x, np.float64)
    pole = (x64 == 0) | ((x64 < 0) & (x64 == np.floor(x64)))
    reflected = x64 < 0
    z = np.where(pole, 1.0, np.where(reflected, 1 - x64, x64))
    total = np.zeros_like(z)
    for _ in range(int(FAR)):
        near = z < FAR
        total = total - np.where(near, 1 / z, 0.0)
        z = np.where(near, z + 1, z)
    square = 1 / (z * z)
    tail = sum(b / (2 * k) * square**k for k, b in enumerate(BERNOULLI, 1))
    total = total + np.log(z) - 0.5 / z - tail
    turn = np.where(reflected & ~pole, x64 - np.floor(x64), 0.5)  # psi(1 - x) - psi(x) = pi / tan(pi x)
    total = np.where(reflected & ~pole, total - math.pi / np.tan(math.pi * turn), total)
    at_pole = np.where(x64 == 0, -np.copysign(np.inf, x64), np.nan)
    return np.asarray(np.where(pole, at_pole, total)).astype(x.dtype)


@function
def polygamma(x: Any, *, order: int) -> Any:
    """The derivative of `digamma` of this order, ``(-1)**(order+1) order! zeta(order+1, x)``."""
    if order == 0:
        return digamma(x)
    return ((-1) ** (order + 1) * math.factorial(order) * zeta(order + 1, np.asarray(x, np.float64))).astype(x.dtype)


def zeta(s: int, x: np.ndarray) -> Any:
    """Hurwitz's ``sum 1/(x + k)**s``: the first terms, and Euler and Maclaurin's formula for the rest (A&S 23.1.30)."""
    pole = (x <= 0) & (x == np.floor(x))
    z = np.where(pole | np.isneginf(x), 1.0, x)
    total = np.zeros_like(z)
    while (low := z < FAR).any():
        total = total + np.where(low, np.power(np.where(low, z, 1.0), -float(s)), 0.0)
        z = np.where(low, z + 1, z)
    power = np.power(z, -float(s))
    total = total + power * (z / (s - 1) + 0.5)
    factor = s * power / z
    for k, b in enumerate(BERNOULLI, 1):
        total = total + b / math.factorial(2 * k) * factor
        factor = factor * (s + 2 * k - 1) * (s + 2 * k) / (z * z)
    return np.where(pole, np.inf, total)


elementwise(lgamma, lambda x: digamma(x))
elementwise(digamma, lambda x: polygamma(x, order=1))
elementwise(polygamma, lambda x, *, order: polygamma(x, order=order + 1), torch="")
