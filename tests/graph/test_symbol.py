"""Explicit graphs: building, order, evaluation on arrays and on tensors."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule.graph.symbol import Symbol
from chainrule.ops import linalg, shaping


def test_a_graph_is_what_was_done_with_symbols() -> None:
    a, b = Symbol("a"), Symbol("b")
    c = np.sin(2 * a) / b - a
    assert c.variables() == ["a", "b"]
    assert [s.primitive.name if s.primitive else s.name for s in c.order()] == [
        "a", "multiply", "sin", "b", "divide", "subtract",
    ]  # fmt: skip
    values = {"a": np.array([0.3, 1.0]), "b": np.array([2.0, 3.0])}
    np.testing.assert_allclose(c.evaluate(values), np.sin(2 * values["a"]) / values["b"] - values["a"])


def test_a_shared_part_is_computed_once() -> None:
    a = Symbol("a")
    square = a * a
    both = square + square
    assert len(both.order()) == 3
    assert both.evaluate({"a": np.array(3.0)}) == 18.0


def test_evaluating_on_tensors_records() -> None:
    x, w = Symbol("x"), Symbol("w")
    loss = np.sum((linalg.mv(x, w) - 1.0) ** 2)
    leaf = cr.tensor([1.0, -1.0], dtype=cr.float64, requires_grad=True)
    matrix = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    out = loss.evaluate({"x": cr.from_numpy(matrix), "w": leaf})
    out.backward()
    np.testing.assert_allclose(leaf.grad.numpy(), 2 * matrix.T @ (matrix @ np.array([1.0, -1.0]) - 1))


def test_a_long_chain_needs_no_recursion() -> None:
    a = Symbol("a")
    b = a
    for _ in range(20_000):
        b = b + 1
    assert b.evaluate({"a": np.array(0.0)}) == 20_000


def test_a_missing_value_is_named() -> None:
    with pytest.raises(KeyError, match="no value for b"):
        (Symbol("a") + Symbol("b")).evaluate({"a": 1.0})


def test_several_results_are_refused() -> None:
    with pytest.raises(NotImplementedError, match="several results"):
        shaping.unbind(Symbol("a"), axis=0)
