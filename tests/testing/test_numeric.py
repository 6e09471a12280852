"""The yardstick itself: numeric derivatives against formulas that are known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from chainrule.testing.numeric import directional, gradient

X = np.array([[0.3, -1.2], [0.7, 2.0]])
V = np.array([[1.0, -0.5], [0.25, 2.0]])

ONE: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {  # a function, its derivative along V
    "sin": (np.sin, lambda x, v: np.cos(x) * v),
    "exp": (np.exp, lambda x, v: np.exp(x) * v),
    "sixth power": (lambda x: x**6, lambda x, v: 6 * x**5 * v),
    "sum": (np.sum, lambda x, v: np.sum(v)),
    "product": (lambda x: x @ x, lambda x, v: x @ v + v @ x),
    "constant": (lambda x: np.ones(3), lambda x, v: np.zeros(3)),
    "shape": (lambda x: x.T[0], lambda x, v: v.T[0]),
}


@pytest.mark.parametrize("name", ONE)
def test_directional(name: str) -> None:
    f, slope = ONE[name]
    np.testing.assert_allclose(directional(f, [X], [V]), slope(X, V), rtol=1e-11, atol=1e-11)


def test_exact_for_polynomials_of_degree_six() -> None:
    x, v = np.array([0.5]), np.array([1.0])
    for degree in range(7):
        got = directional(lambda x, d=degree: x**d, [x], [v], h=0.25)
        np.testing.assert_allclose(got, degree * x ** max(degree - 1, 0), rtol=1e-13)


def test_several_operands_and_outputs() -> None:
    got = directional(lambda x, y: (x * y, x + y, np.argmax(x)), [X, 2 * X], [V, None])
    assert isinstance(got, tuple)
    np.testing.assert_allclose(got[0], V * 2 * X, rtol=1e-11)
    np.testing.assert_allclose(got[1], V, rtol=1e-11)
    assert got[2].shape == ()
    assert got[2] == 0  # an integer output has no derivative


@pytest.mark.parametrize("shape", [(), (0,), (1,), (2, 0, 3)])
def test_shapes(shape: tuple[int, ...]) -> None:
    x = np.full(shape, 0.5)
    got = directional(np.square, [x], [np.ones(shape)])
    assert np.shape(got) == shape
    np.testing.assert_allclose(got, np.ones(shape))
    assert gradient(lambda x: np.square(x).sum(), x).shape == shape


def test_complex_steps_are_real_directions() -> None:
    z, v = np.array([1 + 2j]), np.array([1j])
    np.testing.assert_allclose(directional(np.square, [z], [v]), 2 * z * v, rtol=1e-11)
    np.testing.assert_allclose(directional(np.abs, [z], [v]), (np.conj(z) * v).real / abs(z), rtol=1e-11)


def test_gradient_agrees_with_its_formula() -> None:
    np.testing.assert_allclose(gradient(lambda x: np.sum(np.sin(x) * V), X), np.cos(X) * V, rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(gradient(lambda x: x**2, 3), 6.0, rtol=1e-11)


def test_the_operands_stay_as_they_are() -> None:
    x, v = X.copy(), V.copy()
    directional(np.sin, [x], [v])
    gradient(lambda x: np.sum(x * x), x)
    assert (x == X).all()
    assert (v == V).all()
