"""The rule contract: what the names of a rule mean, what is saved for it, and how a primitive is entered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.core import primitive as kinds
from chainrule.core.primitive import LINEAR, NON_DIFFERENTIABLE, TABLE, Primitive, Rule, node_name, register
from chainrule.ops import composite, indexing, linalg, reduction, shaping

assert cr.Tensor  # the table is full once the package is imported

READ = [  # a rule, what it mentions, its static parameters
    (lambda: 1.0, (), ()),
    (lambda out: out, ("out",), ()),
    (lambda g, x: g * x, ("g", "x"), ()),
    (lambda g, x, *, axis=None, keepdims=False: g, ("g", "x"), ("axis", "keepdims")),
    (lambda g, i, *xs, key: g, ("g", "i", "xs"), ("key",)),
    (lambda t, x, y, z, w, out: t, ("t", "x", "y", "z", "w", "out"), ()),
]


@pytest.mark.parametrize(("fun", "mentions", "params"), READ)
def test_a_rule_is_read_from_its_parameter_names(fun: Callable[..., Any], mentions: Any, params: Any) -> None:
    rule = Rule(fun)
    assert (rule.mentions, rule.params) == (mentions, params)


def test_local_variables_of_a_rule_are_not_mentioned() -> None:
    def rule(g: Any, x: Any, *, axis: Any) -> Any:
        unrelated = [g, x]
        return unrelated[0]

    assert Rule(rule).mentions == ("g", "x")
    assert Rule(rule).params == ("axis",)


@pytest.mark.parametrize("fun", [lambda a: a, lambda g, input: g, lambda grad, x: x, lambda g, x, key: g])
def test_an_unknown_name_is_refused(fun: Callable[..., Any]) -> None:
    with pytest.raises(TypeError, match="a rule may mention"):
        Rule(fun)


def test_a_rule_is_called_with_what_it_names() -> None:
    assert Rule(lambda out, g: (out, g))(2, (3, 5), 7, {}) == (7, 2)
    assert Rule(lambda g, i, *xs, k: (g, i, xs, k))(2, (3, 5), 7, {"k": "K", "other": 0}, 1) == (2, 1, (3, 5), "K")
    assert Rule(lambda t, y, z, kept: (t, y, z, kept))(2, (3, 5), 7, {}, 0, 9) == (2, 5, None, 9)


def body(fun: Any) -> Any:
    """A function as the table declares it: its code is in ``raw``."""

    def stands_for(*xs: Any) -> Any:
        return fun(*xs)

    stands_for.raw = fun  # type: ignore[attr-defined]
    return stands_for


ARITIES = [
    ((lambda g: g,), 1),
    ((lambda g: g, lambda g: g), 2),
    ((lambda g, y: g,), 2),
    ((lambda g, x, w: g, None), 4),
    ((lambda g, *xs: g,), -1),
]


@pytest.mark.parametrize(("rules", "arity"), ARITIES)
def test_arity_follows_from_the_rules(rules: Any, arity: int) -> None:
    assert Primitive(body(lambda x: x), LINEAR, rules).arity == arity


def test_arity_follows_from_the_body_too() -> None:
    assert Primitive(body(lambda x, y, z=None: x), kinds.COMPOSITE, ()).arity == 3


def test_parameters_and_their_defaults_come_from_the_rules() -> None:
    p = Primitive(body(lambda x, *, axis, width=2: x), LINEAR, (lambda g, x, *, axis, keepdims=False: g,))
    assert p.params == {"axis": ..., "keepdims": False, "width": 2}


def test_a_function_is_declared_once() -> None:
    before = dict(TABLE)
    with pytest.raises(ValueError, match="multiply is declared twice"):
        register(Primitive(np.multiply, LINEAR, (lambda g: g,)))
    with pytest.raises(ValueError, match="twice"):
        kinds.elementwise(np.exp, lambda out: out)
    with pytest.raises(ValueError, match="twice"):
        kinds.non_differentiable(np.equal)
    assert before == TABLE


def test_a_refused_rule_leaves_the_table_alone() -> None:
    fun = body(lambda x: x)
    with pytest.raises(TypeError, match="may mention"):
        kinds.elementwise(fun, lambda slope: slope)
    assert fun not in TABLE


NAMES = [("mul", "MulBackward0"), ("log_softmax", "LogSoftmaxBackward0"), ("atan2", "Atan2Backward0")]


@pytest.mark.parametrize(("torch", "node"), NAMES)
def test_node_names(torch: str, node: str) -> None:
    assert node_name(torch) == node


# The names whose data the rule of an operand wants on the tape
SAVED: list[tuple[Any, list[list[str]]]] = [
    (np.add, [[], []]),
    (np.subtract, [[], []]),
    (np.multiply, [["y"], ["x"]]),
    (np.divide, [["y"], ["x", "y"]]),
    (np.exp, [["out"]]),
    (np.tanh, [["out"]]),
    (np.sin, [["x"]]),
    (np.where, [[], ["x"], ["x"]]),
    (np.sum, [[]]),
    (np.mean, [[]]),
    (np.reshape, [[]]),
    (np.transpose, [[]]),
    (np.broadcast_to, [[]]),
    (shaping.pad, [[]]),
    (indexing.getitem, [[]]),
    (indexing.gather, [["y"], []]),
    (linalg.mm, [["y"], ["x"]]),
    (np.matmul, [["y"], ["x"]]),
    (reduction.logsumexp, [["x", "out"]]),
    (composite.softmax, [["out"]]),
    (np.floor, [[]]),
    (np.equal, [[], []]),
]


@pytest.mark.parametrize(("fun", "names"), SAVED, ids=lambda v: getattr(v, "__name__", None))
def test_what_is_mentioned_is_what_is_saved(fun: Any, names: list[list[str]]) -> None:
    p = TABLE[fun]
    assert [sorted(p.saves(i)) for i in range(p.arity)] == [sorted(n) for n in names]


@pytest.mark.parametrize("p", TABLE.values(), ids=lambda p: p.name)
def test_every_entry_keeps_the_contract(p: Primitive) -> None:
    assert TABLE[p.fun] is p
    assert p.arity == -1 or p.arity >= 1
    assert p.differentiable is (p.kind != NON_DIFFERENTIABLE)
    for rule in (*p.rules, p.pushforward):
        if rule is not None:
            assert set(rule.params) <= set(p.params)
            assert ("t" in rule.mentions) is (rule is p.pushforward)
    if p.kind == LINEAR:
        served = {kinds.OPERANDS[i] for i, rule in enumerate(p.rules) if rule is not None}
        for i in range(len(p.rules)):
            assert not served & set(p.saves(i)), "a linear rule sees only the Spec of what it is linear in"


def test_repr_names_function_and_kind() -> None:
    assert repr(TABLE[np.matmul]) == "<primitive matmul: multilinear>"
