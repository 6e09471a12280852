"""Numeric differentiation in float64, accurate enough to judge rules by: a central stencil of sixth order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

WEIGHTS = ((1, 3 / 4), (2, -3 / 20), (3, 1 / 60))  # f'(0) ~ sum of w (f(k h) - f(-k h)) / h


def directional(f: Callable[..., Any], xs: Sequence[Any], vs: Sequence[Any], h: float = 1e-3) -> Any:
    """d/de f(x + e v) at e = 0, v being zero where None; a tuple if ``f`` returns one.

    The error is about ``h**6`` times a seventh derivative, plus 1e-16 / h of rounding.

    >>> float(directional(np.sin, [np.float64(0.0)], [np.float64(1.0)])).__round__(12)
    1.0
    """

    def at(step: float) -> Any:
        moved = [x if v is None else np.asarray(x + step * v) for x, v in zip(xs, vs, strict=True)]
        out = f(*moved)
        return out if isinstance(out, tuple) else (out,)

    total: list[Any] | None = None
    for k, weight in WEIGHTS:
        ahead, behind = at(k * h), at(-k * h)
        terms = [weight / h * (np.asarray(a) - np.asarray(b)) if np.asarray(a).dtype.kind in "fc" else np.zeros(np.shape(a))
                 for a, b in zip(ahead, behind, strict=True)]  # fmt: skip
        total = terms if total is None else [s + t for s, t in zip(total, terms, strict=True)]
    assert total is not None
    return total[0] if len(total) == 1 else tuple(total)


def gradient(f: Callable[[np.ndarray], Any], x: Any, h: float = 1e-3) -> np.ndarray:
    """The gradient of a scalar function of one array, element by element.

    >>> gradient(lambda x: (x * x).sum(), np.array([1.0, 2.0])).round(9)
    array([2., 4.])
    """
    x = np.asarray(x, np.float64)
    out: np.ndarray = np.empty_like(x)
    for index in np.ndindex(x.shape):
        unit = np.zeros_like(x)
        unit[index] = 1
        out[index] = directional(f, [x], [unit], h)
    return out
