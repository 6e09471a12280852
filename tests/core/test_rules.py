"""What is saved for a rule, and what its kind derives from it: vjp, jvp, replay, transposition."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.core import rules, spec
from chainrule.core.box import dispatch, function
from chainrule.core.primitive import COMPOSITE, ELEMENTWISE, GENERAL, LINEAR, MULTILINEAR, TABLE, Primitive
from chainrule.core.spec import Spec
from chainrule.core.sweep import Node
from chainrule.errors import GraphError
from chainrule.testing.numeric import directional
from chainrule.testing.samples import samples

X = np.array([0.5, -1.5, 2.0])
Y = np.array([2.0, 0.25, 3.0])
G = np.array([1.0, 10.0, 100.0])
Z = X + 1j * Y


def leaf(value: Any = X, requires_grad: bool = True) -> cr.Tensor:
    return cr.tensor(value, requires_grad=requires_grad)


def arrays(node: Node) -> list[np.ndarray]:
    """The data that a node keeps alive by itself (not by its edges)."""
    found: list[Any] = [node.x, node.y, node.out, node.params]
    kept = []
    while found:
        value = found.pop()
        if isinstance(value, (tuple, list)):
            found += value
        elif isinstance(value, dict):
            found += value.values()
        elif isinstance(value, (np.ndarray, cr.Tensor)):
            kept.append(value)
    return kept


# What is saved

NO_DATA: dict[str, Callable[[Any], Any]] = {
    "sum": lambda x: x.sum(),
    "sum axis": lambda x: x.sum(0, keepdim=True),
    "mean": lambda x: x.mean(),
    "add": lambda x: x + x,
    "subtract a number": lambda x: x - 2.0,
    "negative": lambda x: -x,
    "reshape": lambda x: x.reshape(1, -1),
    "transpose": lambda x: x[None].T,
    "expand": lambda x: x.expand(2, *x.shape),
    "slice": lambda x: x[1:],
    "cat": lambda x: cr.cat([x, x]),
    "stack": lambda x: cr.stack([x, x]),
    "cumsum": lambda x: x.cumsum(0),
    "flip": lambda x: x.flip(0),
    "times a number": lambda x: x * 3.0,
    "cast": lambda x: x.to(cr.float32),
}


@pytest.mark.parametrize("name", NO_DATA)
def test_linear_functions_keep_shapes_and_no_data(name: str) -> None:
    node = NO_DATA[name](leaf()).node
    assert [a for a in arrays(node) if a.ndim > 0] == []  # but perhaps a number


def test_the_sum_of_a_million_numbers_keeps_a_shape() -> None:
    x = cr.ones(1_000_000, requires_grad=True)
    y = (x + 0.0).sum()  # of an intermediate, which nothing else holds
    assert arrays(y.node) == arrays(y.node.edge_x) == []
    half = cr.zeros(1_000_000, dtype=cr.float16, requires_grad=True).sum()  # on the generic path
    assert arrays(half.node) == []
    assert half.node.x == (Spec((1_000_000,), spec.float16),)


SAVED_BY_EDGES: list[tuple[Callable[[Any, Any], Any], list[str], list[str]]] = [  # kept if only x, only y needs it
    (lambda x, y: x * y, ["y"], ["x"]),
    (lambda x, y: x + y, [], []),
    (lambda x, y: x / y, ["y"], ["x", "y"]),
    (lambda x, y: x @ y, ["y"], ["x"]),
    (lambda x, y: x**y, ["x", "y"], ["x", "y", "out"]),
]


@pytest.mark.parametrize("case", SAVED_BY_EDGES, ids=["mul", "add", "div", "matmul", "pow"])
@pytest.mark.parametrize("dtype", [cr.float64, cr.float16], ids=["specialised", "generic"])
def test_saved_only_for_the_operand_that_needs_a_gradient(case: Any, dtype: Any) -> None:
    f, for_x, for_y = case
    for needs, names in (((True, False), for_x), ((False, True), for_y), ((True, True), sorted({*for_x, *for_y}))):
        x, y = (cr.tensor(np.abs(v), dtype=dtype, requires_grad=r) for v, r in zip((X, Y), needs, strict=True))
        out = f(x, y)
        values = {"x": x.array, "y": y.array, "out": out.array}
        kept = [name for name, value in values.items() if any(a is value for a in arrays(out.node))]
        assert sorted(kept) == sorted(names)


def test_saved_values_are_the_arrays_themselves() -> None:
    x = leaf()
    y = x.exp()
    assert y.node.out is y.array
    assert (y * y).node.x is y.array


def test_linear_rules_see_specs() -> None:
    seen: list[Any] = []

    def transpose(g: Any, x: Any, y: Any, *, k: int) -> Any:
        seen.extend((x, y, k))
        return g * y

    p = Primitive(function(lambda x, y, *, k: x * y), LINEAR, (transpose, None))
    out = dispatch(p, (leaf(), cr.tensor(Y)), {"k": 7})
    out.sum().backward()
    x, y, k = seen
    assert x == Spec((3,), spec.float64)
    assert y is not None
    np.testing.assert_array_equal(y, Y)  # it is not linear in y: data
    assert k == 7


def test_a_transpose_sees_the_spec_of_its_own_operand() -> None:
    seen: list[Any] = []

    def for_x(g: Any, x: Any, y: Any) -> Any:
        seen.append(("x", type(x), type(y)))
        return g * y

    def for_y(g: Any, x: Any, y: Any) -> Any:
        seen.append(("y", type(x), type(y)))
        return g * x

    p = Primitive(function(lambda x, y: x * y), MULTILINEAR, (for_x, for_y))
    dispatch(p, (leaf(), cr.tensor(Y)), {}).sum().backward()
    assert seen == [("x", Spec, np.ndarray)]
    dispatch(p, (cr.tensor(X), leaf(Y)), {}).sum().backward()
    assert seen[1:] == [("y", np.ndarray, Spec)]


def test_only_what_was_saved_is_spent() -> None:
    x = leaf()
    linear, curved = (x + 1).sum(), (x * x).sum()
    for _ in range(3):
        linear.backward()
    assert x.grad.tolist() == [3.0] * 3
    curved.backward()
    with pytest.raises(GraphError, match="second time"):
        curved.backward()


# vjp


def primitive(kind: str, body: Callable[..., Any], *given: Any, **columns: Any) -> Primitive:
    """A primitive that is not in the table."""
    return Primitive(function(body), kind, given, **columns)


def test_an_elementwise_rule_gives_the_partial_or_the_product() -> None:
    partial = primitive(ELEMENTWISE, lambda x: x * x, lambda x: 2 * x)
    product = primitive(ELEMENTWISE, lambda x: x * x, lambda g, x: g * 2 * x)
    for p in (partial, product):
        np.testing.assert_array_equal(rules.vjp(p, 0, G, (X,), X * X, {}), 2 * X * G)
        np.testing.assert_array_equal(rules.jvp(p, (X,), (G,), X * X, {}), 2 * X * G)


def test_complex_cotangents_are_conjugated_by_the_caller() -> None:
    """The adjoint of ``t -> 2 z t`` is ``g -> conj(2 z) g``; the differential has no conjugate."""
    g = G * (1 + 1j)
    for p in (primitive(ELEMENTWISE, lambda x: x * x, lambda x: 2 * x),
              primitive(ELEMENTWISE, lambda x: x * x, lambda g, x: g * 2 * x),
              primitive(MULTILINEAR, lambda x: x * 2 * Z, lambda g: g * 2 * Z),
              primitive(GENERAL, lambda x: x * x, lambda g, x: g * 2 * x, holomorphic=True)):  # fmt: skip
        np.testing.assert_allclose(rules.vjp(p, 0, g, (Z,), Z * Z, {}), np.conj(2 * Z) * g, rtol=1e-15)
    linear = primitive(LINEAR, lambda x: x * 1j, lambda g: g * -1j)  # writes the adjoint itself
    np.testing.assert_array_equal(rules.vjp(linear, 0, g, (Z,), Z * 1j, {}), -1j * g)


def test_real_calls_are_not_conjugated() -> None:
    assert rules.conj(X) is X
    assert rules.conj([None, X])[1] is X
    np.testing.assert_array_equal(rules.conj((Z, None))[0], Z.conj())


def test_flat_and_underivable_functions() -> None:
    np.testing.assert_array_equal(rules.vjp(TABLE[np.floor], 0, G, (X,), np.floor(X), {}), 0 * G)
    np.testing.assert_array_equal(rules.jvp(TABLE[np.floor], (X,), (G,), np.floor(X), {}), 0 * G)
    assert rules.vjp(TABLE[np.where], 0, G, (X > 0, X, Y), X, {}) is None
    assert rules.vjp(TABLE[np.equal], 0, G, (X, Y), X == Y, {}) is None


def test_rules_of_variadic_primitives_get_the_number_of_the_operand() -> None:
    p = primitive(LINEAR, lambda *xs: sum(xs), lambda g, i, *xs: g * (i + len(xs)))
    out = dispatch(p, (leaf(), cr.tensor(Y), x := leaf(Y)), {})
    out.sum().backward()
    assert x.grad.tolist() == [5.0] * 3


# Composites


COMPOSITES: dict[str, Callable[[Any], Any]] = {
    "products": lambda x: np.sum(np.exp(x) * x),
    "choice": lambda x: np.where(x > 0, x * x, np.sin(x)),
    "constants and steps": lambda x: x - np.max(x) + np.sign(x),
    "shapes": lambda x: np.reshape(np.tile(x, 2), (2, 3)),
    "zero": lambda x: np.zeros_like(x),
    "its operand": lambda x: x,
}


@pytest.mark.parametrize("body", COMPOSITES.values(), ids=COMPOSITES)
def test_a_composite_without_a_rule_is_replayed(body: Callable[[Any], Any]) -> None:
    p = primitive(COMPOSITE, body)
    out = body(X)
    g = np.ones_like(out) * 1.5
    want = np.sum(g * directional(body, [X], [Y]))
    np.testing.assert_allclose(np.sum(rules.vjp(p, 0, g, (X,), out, {}) * Y), want, rtol=1e-10)
    x = leaf()
    dispatch(p, (x,), {}).backward(cr.tensor(g))
    np.testing.assert_allclose(np.sum(x.grad.numpy() * Y), want, rtol=1e-10)


def test_a_replayed_composite_can_be_differentiated_twice() -> None:
    p = primitive(COMPOSITE, lambda x, y: np.sum(np.exp(x) * y * y), arity=2)
    x, y = leaf(), leaf(Y)
    (slope,) = cr.autograd.grad(dispatch(p, (x, y), {}), x, create_graph=True)
    (second,) = cr.autograd.grad(slope.sum(), y)
    np.testing.assert_allclose(second.numpy(), np.exp(X) * 2 * Y, rtol=1e-14)


# jvp


def test_an_elementwise_tangent_sums_over_operands_and_skips_absent_ones() -> None:
    p = TABLE[np.multiply]
    np.testing.assert_array_equal(rules.jvp(p, (X, Y), (G, None), X * Y, {}), G * Y)
    np.testing.assert_array_equal(rules.jvp(p, (X, Y), (None, G), X * Y, {}), X * G)
    np.testing.assert_array_equal(rules.jvp(p, (X, Y), (G, G), X * Y, {}), G * Y + G * X)


def test_a_linear_function_is_its_own_tangent_with_zeros_for_constants() -> None:
    p = TABLE[np.concatenate]
    got = rules.jvp(p, (X, Y), (None, G), np.concatenate([X, Y]), {"axis": 0})
    assert got.tolist() == [0, 0, 0, *G]


def test_an_integer_constant_has_no_tangent() -> None:
    out = np.concatenate([X, [1, 2]])
    assert rules.jvp(TABLE[np.concatenate], (X, np.array([1, 2])), (G, None), out, {"axis": 0}).tolist() == [*G, 0, 0]


def test_a_general_function_without_jvp_is_transposed() -> None:
    p = primitive(GENERAL, lambda x, y: np.sum(x * y * y), lambda g, y: g * y * y, lambda g, x, y: g * 2 * x * y)
    got = rules.jvp(p, (X, Y), (G, X), np.sum(X * Y * Y), {})
    np.testing.assert_allclose(got, np.sum(G * Y * Y + 2 * X * Y * X), rtol=1e-15)


def test_a_given_jvp_comes_first() -> None:
    p = primitive(LINEAR, lambda x, *, k: x * k, lambda g, x, *, k: g * k, jvp=lambda t, out, *, k: (t, out, k))
    assert rules.jvp(p, (X,), (G,), "out", {"k": 3})[1:] == ("out", 3)


@pytest.mark.parametrize("p", [p for p in TABLE.values() if p.keeping], ids=lambda p: p.name)
def test_what_is_kept_only_saves_work(p: Primitive) -> None:
    """The rules give the same with what the primal computed on the way and without."""
    for operands, params in samples(p):
        out, kept = p.keeping(*operands, **params)
        np.testing.assert_array_equal(out, p.raw(*operands, **params))
        g, t = np.cos(out), np.sin(operands[0])
        found = p.rule(0)(g, operands, out, params, 0, kept)
        np.testing.assert_allclose(found, rules.vjp(p, 0, g, operands, out, params), rtol=1e-12)
        again = rules.jvp(p, operands, (t,), out, params)
        np.testing.assert_allclose(rules.jvp(p, operands, (t,), out, params, kept), again, rtol=1e-12)


@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (0,), (1, 1)])
def test_a_multiple_of_one_number_all_over_takes_no_memory(shape: tuple[int, ...]) -> None:
    everywhere = np.broadcast_to(np.array(1.5), shape)
    found = rules.multiple(everywhere, 2)
    assert found.shape == shape
    assert np.all(found == 3.0)
    assert not any(np.asarray(found).strides) or found.size == 1
    np.testing.assert_array_equal(rules.multiple(X, 2), X * 2)


@pytest.mark.parametrize("p", [p for p in TABLE.values() if p.outputs != 1], ids=lambda p: p.name)
def test_absent_cotangents_of_several_outputs(p: Primitive) -> None:
    """The cotangents of the outputs add up, whichever are absent."""
    operands, params = samples(p)[0]
    out = p.raw(*operands, **params)
    floats = [k for k, part in enumerate(out) if part.dtype.kind == "f"]
    gs = [np.full(part.shape, k + 1.0) if k in floats else None for k, part in enumerate(out)]
    alone = [rules.vjp(p, 0, [g if j == k else None for j, g in enumerate(gs)], operands, out, params) for k in floats]
    total = rules.vjp(p, 0, gs, operands, out, params)
    np.testing.assert_array_equal(total, sum(part for part in alone if part is not None))
