"""The sweep over graphs made by hand: order, what meets adds up, ports, shapes, what is released."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.core import spec
from chainrule.core.sweep import Node, Port, add_to_port, project, sweep, unbroadcast

A = np.asarray


class Leaf:
    """The end of a path: anything with an array."""

    def __init__(self, *shape: int) -> None:
        self.array = np.zeros(shape)


class ByHand:
    """The form of a node that multiplies its cotangent by one factor per edge, and notes that it was visited."""

    def __init__(self, name: str, log: list[str], *factors: float) -> None:
        self.label, self.log, self.factors, self.spent = name, log, factors, "spent"

    def pull(self, node: Node, g: Any) -> list[tuple[Any, Any]]:
        self.log.append(self.label)
        return [(edge, g * f) for edge, f in zip(node.edge_x, self.factors, strict=True)]


def node(seq: int, edges: tuple[Any, ...], form: Any, shape: Any = ()) -> Node:
    n = Node.__new__(Node)
    n.form, n.seq, n.shape, n.dtype, n.edge_x, n.hooks = form, seq, shape, spec.float64, edges, None
    n.x = n.y = n.out = n.params = n.edge_y = None
    return n


# Order


def test_most_recent_first() -> None:
    """Two branches of different length: by number, not by distance from the root."""
    log: list[str] = []
    leaf = Leaf()
    a = node(1, (leaf,), ByHand("a", log, 1))
    b = node(2, (a,), ByHand("b", log, 1))
    c = node(3, (leaf,), ByHand("c", log, 1))
    d = node(4, (b,), ByHand("d", log, 1))
    root = node(5, (c, d), ByHand("root", log, 1, 1))
    assert sweep([(root, A(1.0))])[leaf] == 2
    assert log == ["root", "d", "c", "b", "a"]


def test_each_node_once_however_many_paths() -> None:
    """A ladder of 60 diamonds has 2**60 paths."""
    log: list[str] = []
    leaf = Leaf()
    top: Any = leaf
    for k in range(60):
        top = node(k + 1, (top, top), ByHand(str(k), log, 1, 1))
    assert sweep([(top, A(1.0))])[leaf] == 2.0**60
    assert log == [str(k) for k in reversed(range(60))]


def test_diamond_with_a_shortcut() -> None:
    log: list[str] = []
    leaf = Leaf()
    a = node(1, (leaf,), ByHand("a", log, 3))
    b = node(2, (a,), ByHand("b", log, 5))
    c = node(3, (a,), ByHand("c", log, 7))
    root = node(4, (b, c, a, leaf), ByHand("root", log, 1, 1, 1, 1))
    assert sweep([(root, A(1.0))])[leaf] == 3 * (5 + 7 + 1) + 1
    assert log == ["root", "c", "b", "a"]


def test_several_roots_one_of_them_inside() -> None:
    log: list[str] = []
    leaf, other = Leaf(), Leaf()
    a = node(1, (leaf,), ByHand("a", log, 2))
    b = node(2, (a, other), ByHand("b", log, 3, 5))
    found = sweep([(a, A(10.0)), (b, A(1.0)), (leaf, A(0.5)), (b, A(1.0))])
    assert found == {leaf: 2 * (10 + 3 + 3) + 0.5, other: 10.0}
    assert log == ["b", "a"]


def test_a_long_chain_does_not_recurse() -> None:
    leaf = Leaf()
    form = ByHand("", [], 1)
    top: Any = leaf
    for k in range(20_000):
        top = node(k, (top,), form)
    assert sweep([(top, A(1.0))])[leaf] == 1


# Tensors: the same with recorded graphs

GRAPHS: dict[str, tuple[Callable[[Any], Any], Callable[[float], float]]] = {
    "b = a + a; c = b + b": (lambda a: (lambda b: b + b)(a + a), lambda a: 4.0),
    "a * a * a": (lambda a: a * a * a, lambda a: 3 * a * a),
    "b = a * a; b * a + b": (lambda a: (lambda b: b * a + b)(a * a), lambda a: 3 * a * a + 2 * a),
    "sin(b) * cos(b), b = a * a": (
        lambda a: (lambda b: b.sin() * b.cos())(a * a),
        lambda a: np.cos(2 * a * a) * 2 * a,
    ),
    "a - a": (lambda a: a - a, lambda a: 0.0),
    "a": (lambda a: a, lambda a: 1.0),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_diamonds_add_up(name: str) -> None:
    f, slope = GRAPHS[name]
    x = cr.tensor(0.75, dtype=cr.float64, requires_grad=True)
    f(x).backward()
    np.testing.assert_allclose(x.grad.item(), slope(0.75), rtol=1e-14)


# Several outputs


def two(log: list[Any], leaf: Leaf) -> Node:
    class Form:
        spent = "spent"

        def pull(self, node: Node, g: Any) -> Any:
            log.append(g)
            return [(leaf, part) for part in g if part is not None]

    n = node(1, (leaf,), Form(), 2)
    n.dtype = None
    return n


def test_absent_cotangents_are_none() -> None:
    for k in (0, 1):
        log: list[Any] = []
        leaf = Leaf()
        port = Port(two(log, leaf), k, (), spec.float64)
        assert sweep([(port, A(3.0))])[leaf] == 3
        assert log == [[3.0, None] if k == 0 else [None, 3.0]]


def test_what_meets_at_a_port_adds_up_per_output() -> None:
    log: list[Any] = []
    leaf = Leaf()
    n = two(log, leaf)
    first, second = (Port(n, k, (), spec.float64) for k in (0, 1))
    same_as_first = Port(n, 0, (), spec.float64)
    assert sweep([(first, A(1.0)), (second, A(10.0)), (same_as_first, A(100.0))])[leaf] == 111
    assert log == [[101.0, 10.0]]


def test_a_port_takes_the_shape_of_its_output() -> None:
    waiting = [None, None]
    add_to_port(waiting, Port(Node(), 1, (1, 2), spec.float64), np.ones((3, 2)))
    assert waiting[0] is None
    assert waiting[1].tolist() == [[3.0, 3.0]]  # type: ignore[attr-defined]


def test_multi_output_functions_of_tensors() -> None:
    x = cr.arange(6.0, dtype=cr.float64).reshape(2, 3).requires_grad_()
    a, b, c = x.unbind(1)
    assert a.grad_fn is c.grad_fn
    ((a * a).sum() + (c * 3).sum()).backward()  # b has no cotangent
    assert x.grad.tolist() == [[0.0, 0.0, 3.0], [6.0, 0.0, 3.0]]
    assert (a.output_nr, b.output_nr, c.output_nr) == (0, 1, 2)


def test_the_integer_output_has_no_edge() -> None:
    x = cr.tensor([1.0, 3.0, 2.0], requires_grad=True)
    values, places = x.sort(descending=True)
    assert places.node is None
    (values * cr.tensor([1.0, 10.0, 100.0])).sum().backward()
    assert x.grad.tolist() == [100.0, 1.0, 10.0]


# Shapes and dtypes

UNBROADCAST = [  # the shape of g, that of the operand
    ((), ()), ((3,), (3,)), ((3,), ()), ((2, 3), ()), ((2, 3), (3,)), ((2, 3), (1, 3)), ((2, 3), (2, 1)), ((2, 3), (1, 1)),
    ((4, 2, 3), (2, 1)), ((5, 4, 2, 3), (3,)), ((6, 5, 4, 2, 3), (1, 3)), ((0, 3), (1, 3)), ((0,), ()), ((2, 0), (2, 1)),
    ((1, 1), (1,)), ((1, 1), ()),
]  # fmt: skip


@pytest.mark.parametrize(("have", "want"), UNBROADCAST)
def test_unbroadcast_is_the_adjoint_of_broadcasting(have: Any, want: Any) -> None:
    rng = np.random.default_rng(0)
    g, x = rng.normal(size=have), rng.normal(size=want)
    back = unbroadcast(g, want)
    assert back.shape == want
    np.testing.assert_allclose(np.sum(back * x), np.sum(g * np.broadcast_to(x, have)), rtol=1e-12, atol=1e-12)
    boxed = unbroadcast(cr.tensor(g, requires_grad=True), want)
    assert tuple(boxed.shape) == want
    np.testing.assert_array_equal(boxed.detach().numpy(), back)


def test_unbroadcast_returns_g_itself_where_nothing_was_stretched() -> None:
    g = np.ones((2, 1))
    assert unbroadcast(g, (2, 1)) is g


PROJECTED = [  # cotangent, dtype of the operand, result
    (A([1.0, 2.0]), spec.float64, A([1.0, 2.0])),
    (A([1.0, 2.0]), spec.float32, A([1.0, 2.0], np.float32)),
    (A([1 + 2j, 3j]), spec.float64, A([1.0, 0.0])),
    (A([1 + 2j, 3j]), spec.complex64, A([1 + 2j, 3j], np.complex64)),
    (A([1.0, 2.0], np.float32), spec.complex128, A([1 + 0j, 2 + 0j])),
    (A([1.5, 2.0], np.float32), spec.float16, A([1.5, 2.0], np.float16)),
]


@pytest.mark.parametrize(("g", "dtype", "want"), PROJECTED)
def test_project(g: Any, dtype: Any, want: Any) -> None:
    got = project(g, (2,), dtype)
    assert got.dtype == want.dtype
    np.testing.assert_array_equal(got, want)
    boxed = project(cr.from_numpy(g).requires_grad_(), (2,), dtype)
    assert boxed.dtype is dtype
    assert boxed.requires_grad
    np.testing.assert_array_equal(boxed.detach().numpy(), want)
    assert project(np.stack([g, g]), (2,), dtype).shape == (2,)


def test_leaves_receive_their_own_shape() -> None:
    leaf = Leaf(1, 3)
    n = node(1, (leaf,), ByHand("", [], 1), (2, 3))
    assert sweep([(n, np.ones((2, 3)))])[leaf].tolist() == [[2.0, 2.0, 2.0]]


# What is released, what is skipped


def test_saved_values_are_released_unless_retained() -> None:
    for retain in (True, False):
        leaf = Leaf()
        form = ByHand("", [], 1)
        n = node(1, (leaf,), form)
        n.x = n.y = n.out = A(1.0)
        sweep([(n, A(1.0))], retain=retain)
        held = (n.x, n.y, n.out) != (None, None, None)
        assert held is retain
        assert (n.form is form) is retain


def test_only_needed_edges_are_followed() -> None:
    log: list[str] = []
    wanted, other = Leaf(), Leaf()
    a = node(1, (wanted,), ByHand("a", log, 1))
    b = node(2, (other,), ByHand("b", log, 1))
    root = node(3, (a, b), ByHand("root", log, 1, 1))
    seen: list[Any] = []
    found = sweep([(root, A(1.0))], needed={root: True, a: True, wanted: False}, watch=lambda n, g: seen.append(n))
    assert list(found) == [wanted]
    assert log == ["root", "a"]
    assert seen == [root, a]


def test_a_needed_node_with_nothing_beyond_is_watched_and_not_pulled() -> None:
    log: list[str] = []
    leaf = Leaf()
    a = node(1, (leaf,), ByHand("a", log, 1))
    seen: list[Any] = []
    found = sweep([(a, A(2.0))], needed={a: False}, watch=lambda n, g: seen.append((n, float(g))))
    assert (found, log, seen) == ({}, [], [(a, 2.0)])


def test_hooks_see_the_complete_cotangent_and_may_replace_it() -> None:
    log: list[str] = []
    leaf = Leaf()
    a = node(1, (leaf,), ByHand("a", log, 1))
    a.hooks = lambda g: g * 10
    b = node(2, (a,), ByHand("b", log, 1))
    root = node(3, (a, b), ByHand("root", log, 1, 1))
    assert sweep([(root, A(1.0))])[leaf] == 20


def test_only_nodes_older_than_the_last_write_are_checked() -> None:
    leaf = Leaf()
    top: Any = leaf
    for k in (1, 2, 3, 4):
        top = node(k, (top,), ByHand("", [], 1))
    seen: list[int] = []
    sweep([(top, A(1.0))], written=[3], check=lambda n: seen.append(n.seq))
    assert seen == [2, 1]
