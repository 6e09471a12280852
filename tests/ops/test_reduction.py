"""Reductions: what the generated tests cannot see."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.ops import elementwise, reduction

X, V = np.array([0.3, -1.2, 0.7, 2.1]), np.array([1.0, -0.5, 0.25, 2.0])
P = np.exp(X) / np.exp(X).sum()


class Counting:
    """NumPy, but it counts the calls of exp."""

    def __init__(self) -> None:
        self.times = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)

    def exp(self, x: Any) -> Any:
        self.times += 1
        return np.exp(x)


def value(t: Any) -> Any:
    return t.logsumexp(0)


@pytest.mark.parametrize(
    ("derivative", "expected"),
    [
        (lambda: cr.grad(value)(X), P),
        (lambda: cr.jvp(value, (X,), (V,))[1], P @ V),
        (lambda: cr.hvp(value)(X, V), P * V - P * (P @ V)),
        (lambda: cr.hessian(value)(X), np.diag(P) - np.outer(P, P)),
    ],
    ids=["grad", "jvp", "hvp", "hessian"],
)
def test_logsumexp_takes_its_exponentials_once(
    derivative: Callable[[], Any], expected: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    counting = Counting()
    for module in (reduction, elementwise):
        monkeypatch.setattr(module, "np", counting)
    found = derivative()
    np.testing.assert_allclose(found, expected, rtol=1e-14, atol=1e-16)
    assert counting.times == 1
