"""Passes as the engine prepares them: validated before anything changes, kept to the ways that lead to the targets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.core.sweep import Node
from chainrule.eager.edges import edge_at
from chainrule.eager.engine import needed_for, seeds
from chainrule.eager.tasks import behind


def leaf(*values: float) -> cr.Tensor:
    return cr.tensor(values, dtype=cr.float64, requires_grad=True)


def names(edges: Any) -> list[str]:
    return sorted(e.name() for e in edges if type(e) is Node)


# Which part of the graph a pass visits


def needed_from(root: Any, targets: set[Any]) -> dict[Any, bool]:
    return needed_for([root], behind([root])[0], targets)


def test_only_the_ways_to_the_targets_are_needed() -> None:
    x, w = leaf(1.0), leaf(2.0)
    a, b = x.exp(), w.sin()
    root = (a * b).node
    needed = needed_from(root, {x})
    assert names(needed) == ["ExpBackward0", "MulBackward0"]
    assert needed[root] is needed[a.node] is True
    assert w not in needed
    assert names(needed_from(root, {w})) == ["MulBackward0", "SinBackward0"]
    assert needed_from(root, {leaf(3.0)}) == {}


def test_an_inner_target_is_reached_but_not_passed() -> None:
    x = leaf(1.0)
    a = x.exp()
    root = (a * 2.0).node
    assert needed_from(root, {a.node}) == {root: True, a.node: False}
    assert needed_from(root, {a.node, x})[a.node] is True
    assert needed_from(root, {root}) == {root: False}


def test_rules_off_the_way_do_not_run() -> None:
    x, w = leaf(1.0), leaf(2.0)
    seen: list[str] = []
    a, b = x.exp(), w.sin()
    a.register_hook(lambda g: seen.append("a"))
    b.register_hook(lambda g: seen.append("b"))
    y = (a * b).sum()
    cr.autograd.grad(y, x, retain_graph=True)
    y.backward(inputs=[w])
    assert seen == ["a", "b"]
    assert x.grad is None


# Targets of every sort


TARGETS: dict[str, tuple[Callable[[Any], tuple[Any, Any]], list[float]]] = {  # (output, target) of a leaf; the gradient
    "a leaf": (lambda x: ((x * x).sum(), x), [2.0, 4.0]),
    "the output itself": (lambda x: (y := x.sum(), y), 1.0),
    "an inner tensor": (lambda x: (y := x * 3.0, (y * y).sum())[::-1], [6.0, 12.0]),
    "one output of several": (lambda x: (lambda a, b: ((a * b).sum(), b))(*x.unbind(0)), 1.0),
    "a tensor on two ways": (lambda x: (lambda y: ((y + y * y).sum(), y))(x * 1.0), [3.0, 5.0]),
    "a leaf that is the output": (lambda x: (y := leaf(7.0), y), [1.0]),
}


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("create_graph", [False, True])
def test_targets(name: str, create_graph: bool) -> None:
    make, want = TARGETS[name]
    out, target = make(leaf(1.0, 2.0))
    (got,) = cr.autograd.grad(out, target, create_graph=create_graph)
    assert got.tolist() == want


def test_the_same_target_twice_and_several_outputs() -> None:
    x = leaf(1.0, 2.0)
    y, z = (x * x).sum(), x.sum()
    a, b = cr.autograd.grad([y, z, y], [x, x])
    assert a.tolist() == b.tolist() == [5.0, 9.0]
    assert not np.shares_memory(a.array, b.array)


# Validated first


REFUSED: dict[str, Callable[[Any, Any], Any]] = {
    "a cotangent is missing": lambda y, x: cr.autograd.backward([y.sum(), y]),
    "too few cotangents": lambda y, x: cr.autograd.backward([y, y], [cr.ones(2)]),
    "a cotangent of another shape": lambda y, x: cr.autograd.backward([y.sum(), y], [None, cr.ones(3)]),
    "a cotangent that is no tensor": lambda y, x: cr.autograd.backward([y.sum(), y], [None, 1.0]),
    "an output without history": lambda y, x: cr.autograd.backward([y.sum(), cr.ones(())]),
    "no inputs": lambda y, x: y.sum().backward(inputs=[]),
    "an input that needs no gradient": lambda y, x: cr.autograd.grad(y.sum(), [x, cr.ones(2)]),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_refused_pass_changes_nothing(name: str) -> None:
    x = leaf(1.0, 2.0)
    y = x.exp()
    with pytest.raises((RuntimeError, TypeError, ValueError)):
        REFUSED[name](y, x)
    assert x.grad is None
    y.sum().backward()  # nothing was released
    np.testing.assert_array_equal(x.grad.numpy(), np.exp([1.0, 2.0]))


def test_seeds() -> None:
    x = leaf(1.0)
    y = x * 2.0
    ((edge, g),) = seeds([y], None, False)
    assert edge is y.node is edge_at(y)
    assert (type(g), g.tolist()) == (np.ndarray, [1.0])
    ((edge, g),) = seeds([x], None, True)
    assert edge is x is edge_at(x)
    assert type(g) is cr.Tensor
    ((_, g),) = seeds([y], cr.ones(1, dtype=cr.float32), False)
    assert g.dtype == np.float64  # in the dtype of the output


def test_a_pass_under_no_grad_and_the_mode_afterwards() -> None:
    x = leaf(1.0, 2.0)
    y = (x * x).sum()
    with cr.no_grad():
        (g,) = cr.autograd.grad(y, x, create_graph=True)
        assert not cr.is_grad_enabled()
    assert g.requires_grad
    with pytest.raises(ZeroDivisionError):
        x.register_hook(lambda g: 1 / 0) and y.backward()
    assert cr.is_grad_enabled()
