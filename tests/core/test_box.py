"""`Box`: operators and NumPy's two protocols end in one dispatch; what cannot be done says what it was."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.core import rules
from chainrule.core.box import Box, apply, dispatch
from chainrule.core.primitive import TABLE, Primitive
from chainrule.errors import NotInTable
from chainrule.ops import elementwise, shaping
from chainrule.testing.samples import DOMAINS


class Spy(Box):
    """A box that tells what it was asked to do."""

    def __init__(self, level: int = 0, shape: tuple[int, ...] = (2, 3)) -> None:
        self.level = level
        self.shape = shape
        self.ndim = len(shape)

    def process(self, primitive: Primitive, operands: Sequence[Any], params: dict[str, Any]) -> Any:
        return self, primitive.name, tuple(operands), params

    def cast(self, dtype: Any) -> Any:
        return Spy(self.level + 1, self.shape)


class Dual(Box):
    """Forward mode in ten lines: a value and a tangent."""

    def __init__(self, value: Any, tangent: Any) -> None:
        self.value, self.tangent = value, tangent
        self.shape, self.ndim, self.dtype = value.shape, value.ndim, value.dtype

    def process(self, primitive: Primitive, operands: Sequence[Any], params: dict[str, Any]) -> Any:
        values = [x.value if isinstance(x, Dual) else x for x in operands]
        tangents = [x.tangent if isinstance(x, Dual) else None for x in operands]
        out = dispatch(primitive, values, params)
        if not primitive.differentiable:
            return out
        return Dual(np.asarray(out), np.asarray(rules.jvp(primitive, values, tangents, out, params)))


A = np.ones((2, 3))
s = Spy()

# An expression with a box, the primitive it ends in, and its operands

OPERATORS: dict[str, tuple[Callable[[], Any], str, tuple[Any, ...]]] = {
    "s + 1": (lambda: s + 1, "add", (s, 1)),
    "1 + s": (lambda: 1 + s, "add", (1, s)),
    "s - 1.5": (lambda: s - 1.5, "subtract", (s, 1.5)),
    "1.5 - s": (lambda: 1.5 - s, "subtract", (1.5, s)),
    "s * A": (lambda: s * A, "multiply", (s, A)),
    "A * s": (lambda: A * s, "multiply", (A, s)),
    "A / s": (lambda: A / s, "divide", (A, s)),
    "s ** 2": (lambda: s**2, "power", (s, 2)),
    "2 ** s": (lambda: 2**s, "power", (2, s)),
    "s // 2": (lambda: s // 2, "floor_divide", (s, 2)),
    "s % 2": (lambda: s % 2, "remainder", (s, 2)),
    "A @ s": (lambda: A @ s, "matmul", (A, s)),
    "s @ A": (lambda: s @ A, "matmul", (s, A)),
    "s < 1": (lambda: s < 1, "less", (s, 1)),
    "1 < s": (lambda: operator.lt(1, s), "greater", (s, 1)),
    "A <= s": (lambda: operator.le(A, s), "less_equal", (A, s)),
    "s == A": (lambda: s == A, "equal", (s, A)),
    "A != s": (lambda: operator.ne(A, s), "not_equal", (A, s)),
    "s & s": (lambda: s & s, "bitwise_and", (s, s)),
    "~s": (lambda: ~s, "invert", (s,)),
    "-s": (lambda: -s, "negative", (s,)),
    "+s": (lambda: +s, "positive", (s,)),
    "abs(s)": (lambda: abs(s), "absolute", (s,)),
    "np.float64(2) * s": (lambda: np.float64(2) * s, "multiply", (np.float64(2), s)),
    "s * np.float64(2)": (lambda: s * np.float64(2), "multiply", (s, np.float64(2))),
    "np.sin(s)": (lambda: np.sin(s), "sin", (s,)),
    "np.arctan2(A, s)": (lambda: np.arctan2(A, s), "arctan2", (A, s)),
    "np.where(A, s, 0)": (lambda: np.where(A, s, 0), "where", (A, s, 0)),
    "np.concatenate([A, s])": (lambda: np.concatenate([A, s]), "concatenate", (A, s)),
    "np.clip(s, 0, 1)": (lambda: np.clip(s, 0, 1), "clip", (s, 0, 1)),
    "sigmoid(s)": (lambda: elementwise.sigmoid(s), "sigmoid", (s,)),
}


@pytest.mark.parametrize("name", OPERATORS)
def test_operators_and_functions_end_in_dispatch(name: str) -> None:
    expression, primitive, operands = OPERATORS[name]
    box, got, given, _ = expression()
    assert box is s
    assert got == primitive
    assert len(given) == len(operands)
    assert all(a is b or (np.isscalar(b) and a == b) for a, b in zip(given, operands, strict=True))


# A call, the primitive it ends in, its parameters

CALLS: dict[str, tuple[Callable[[Any], Any], str, dict[str, Any]]] = {
    "sum": (lambda x: np.sum(x), "sum", {"axis": None, "keepdims": False}),
    "sum(x, 0)": (lambda x: np.sum(x, 0), "sum", {"axis": 0, "keepdims": False}),
    "sum(axis=, keepdims=)": (lambda x: np.sum(x, axis=1, keepdims=True), "sum", {"axis": 1, "keepdims": True}),
    "transpose(x, axes)": (lambda x: np.transpose(x, (1, 0)), "transpose", {"axes": (1, 0)}),
    "concatenate axis": (lambda x: np.concatenate((x, x), axis=1), "concatenate", {"axis": 1}),
    "round": (lambda x: np.round(x, 2), "round", {"decimals": 2}),
    "add.reduce": (lambda x: np.add.reduce(x), "sum", {"axis": 0, "keepdims": False}),
    "add.reduce(axis=None)": (lambda x: np.add.reduce(x, axis=None), "sum", {"axis": None, "keepdims": False}),
    "add.reduce(keepdims)": (lambda x: np.add.reduce(x, axis=1, keepdims=True), "sum", {"axis": 1, "keepdims": True}),
    "multiply.reduce": (lambda x: np.multiply.reduce(x), "prod", {"axis": 0, "keepdims": False}),
    "maximum.reduce": (lambda x: np.maximum.reduce(x, axis=1), "max", {"axis": 1, "keepdims": False}),
    "minimum.reduce": (lambda x: np.minimum.reduce(x, axis=1), "min", {"axis": 1, "keepdims": False}),
    "add.accumulate": (lambda x: np.add.accumulate(x, axis=1), "cumsum", {"axis": 1}),
    "multiply.accumulate": (lambda x: np.multiply.accumulate(x), "cumprod", {"axis": 0}),
    "a function of the table": (lambda x: shaping.pad(x, width=((1, 1),)), "pad", {"width": ((1, 1),), "value": 0}),
    "apply": (lambda x: apply(np.cumsum, x, axis=1), "cumsum", {"axis": 1}),
}


@pytest.mark.parametrize("name", CALLS)
def test_parameters_have_numpys_names_and_defaults(name: str) -> None:
    call, primitive, params = CALLS[name]
    box, got, operands, given = call(s)
    assert (box, got) == (s, primitive)
    assert operands[0] is s
    assert given == params


def test_the_highest_level_processes() -> None:
    low, high = Spy(1), Spy(5)
    for out in (low + high, high + low, np.multiply(low, high), np.where(low, high, A), np.concatenate([low, high])):
        assert out[0] is high
    first, second = Spy(3), Spy(3)
    assert (first + second)[0] is first


def test_without_a_box_numpy_runs() -> None:
    assert type(elementwise.sigmoid(np.zeros(2))) is np.ndarray
    assert dispatch(TABLE[np.add], (A, A), {}).tolist() == (A + A).tolist()


# What cannot be done

REFUSED: dict[str, tuple[Callable[[Any], Any], str]] = {
    "a function": (lambda x: np.unique(x), r"numpy\.unique is not in chainrule's derivative table"),
    "a function of a submodule": (lambda x: np.linalg.qr(x), r"linalg\.qr is not in chainrule's derivative table"),
    "a ufunc": (lambda x: np.nextafter(x, x), "nextafter is not in chainrule's derivative table"),
    "reduce": (lambda x: np.subtract.reduce(x), r"subtract\.reduce is not in"),
    "accumulate": (lambda x: np.maximum.accumulate(x), r"maximum\.accumulate is not in"),
    "at": (lambda x: np.add.at(x, [0], 1.0), r"add\.at is not in"),
    "reduceat": (lambda x: np.add.reduceat(x, [0]), r"add\.reduceat is not in"),
    "where=": (lambda x: np.add(x, x, where=A > 0), r"add with \['where'\]"),
    "a keyword": (lambda x: np.quantile(x, 0.5, method="nearest"), r"numpy\.quantile with method='nearest' is not in"),
    "a keyword of the table's": (lambda x: np.argsort(x, order="a"), r"numpy\.argsort with order='a' is not in"),
    "order=": (lambda x: np.reshape(x, (3, 2), order="F"), r"reshape with order='F'"),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("box", [Spy(), cr.ones(2, 3)], ids=["box", "tensor"])
def test_what_is_not_in_the_table_is_named(name: str, box: Any) -> None:
    call, message = REFUSED[name]
    with pytest.raises(NotInTable, match=message):
        call(box)


def test_the_error_is_a_type_error_that_says_what_to_do() -> None:
    with pytest.raises(TypeError, match="detach"):
        np.unique(cr.ones(3))


def test_too_many_arguments() -> None:
    with pytest.raises(TypeError, match="sum"):
        np.sum(cr.ones(3), 0, None, None, False, 0, True, 1)


# out= and dtype=


def test_out_of_a_plain_array_is_refused_and_leaves_it_alone() -> None:
    target = np.zeros(3)
    for call in (lambda t: np.sin(t, out=target), lambda t: np.add(t, t, target), lambda t: np.add.reduce(t, out=target)):
        with pytest.raises(TypeError, match="out="):
            call(cr.ones(3, dtype=cr.float64))
        assert target.tolist() == [0, 0, 0]
    with pytest.raises(TypeError, match="out="):
        np.sum(cr.ones(3), out=target)


def test_out_of_a_tensor_is_written_to() -> None:
    x, target = cr.ones(3, requires_grad=True), cr.zeros(3)
    memory = target.array
    assert np.multiply(x, 2.0, out=target) is target
    assert target.array is memory
    assert memory.tolist() == [2.0] * 3
    target.sum().backward()
    assert x.grad.tolist() == [2.0] * 3


def test_dtype_casts_the_result() -> None:
    x = cr.ones(2, requires_grad=True)
    y = np.add(x, 1.0, dtype=np.float64)
    assert y.dtype is cr.float64
    assert np.sum(x, dtype=np.float64).dtype is cr.float64
    y.sum().backward()
    assert x.grad.dtype is cr.float32


def test_outer() -> None:
    x = cr.tensor([1.0, 2.0], requires_grad=True)
    out = np.multiply.outer(x, np.array([1.0, 10.0, 100.0], np.float32))
    assert out.tolist() == [[1, 10, 100], [2, 20, 200]]
    out.sum().backward()
    assert x.grad.tolist() == [111.0, 111.0]
    assert np.add.outer(np.zeros((2, 1), np.float32), x).shape == (2, 1, 2)


# Foreign types

BINARY: dict[str, Callable[[Any, Any], Any]] = {
    name: getattr(operator, name)
    for name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and_", "or_", "xor",
                 "lt", "le", "gt", "ge")
}  # fmt: skip
SWAPPED = {"lt": "gt", "gt": "lt", "le": "ge", "ge": "le"}


class Foreign:
    """A type with every operator on its right side."""


for _name in BINARY:
    _method = SWAPPED[_name] if _name in SWAPPED else "r" + _name.rstrip("_")
    setattr(Foreign, f"__{_method}__", (lambda name: lambda self, other: (name, other))(_name))


@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize("box", [Spy(), cr.ones(2, 2), cr.ones(2, 2, requires_grad=True)], ids=["box", "tensor", "leaf"])
def test_a_foreign_type_gets_its_turn(name: str, box: Any) -> None:
    got, other = BINARY[name](box, Foreign())
    assert got == name
    assert other is box
    with pytest.raises(TypeError):
        BINARY[name](box, object())
    with pytest.raises(TypeError):
        BINARY[name](object(), box)


def test_foreign_types_are_unequal() -> None:
    t = cr.ones(2)
    for other in (None, "text", object(), [1]):
        assert (Spy() == other) is False
        assert (t == other) is False
        assert (t != other) is True


@pytest.mark.parametrize("name", ["iadd", "isub", "imul", "itruediv"])
def test_augmented_assignment_leaves_foreign_types_their_turn(name: str) -> None:
    plain = name[1:]
    assert getattr(operator, name)(cr.ones(2), Foreign())[0] == plain


# A box that computes: forward mode, with arrays and tensors on the other side


DUALS: dict[str, Callable[[Any], Any]] = {
    "operators": lambda x: (2.0 * x - 1.0) / (x * x + 2.0) ** 1.5,
    "functions": lambda x: np.sum(np.exp(np.sin(x)) * A, axis=1),
    "reshape": lambda x: np.reshape(x, (3, 2)) @ A,
    "where": lambda x: np.where(x > 0, x, x * x),
    "methods of ufuncs": lambda x: np.add.reduce(x, axis=0) * np.multiply.reduce(x, axis=0),
    "sigmoid": lambda x: elementwise.sigmoid(x),
    "derived": lambda x: np.vstack([x, x]) - np.outer(np.ones(4), np.ones(3)),
}


@pytest.mark.parametrize("name", DUALS)
def test_a_dual_number_needs_nothing_but_process(name: str) -> None:
    f = DUALS[name]
    rng = np.random.default_rng(1)
    x, v = rng.uniform(0.5, 1.5, (2, 3)), rng.normal(size=(2, 3))
    out = f(Dual(x, v))
    np.testing.assert_array_equal(out.value, f(x))
    np.testing.assert_allclose(out.tangent, (f(x + 1e-6 * v) - f(x - 1e-6 * v)) / 2e-6, rtol=1e-6, atol=1e-7)


# The smallest duck array: NumPy's protocols and operators, no Box


class Duck(np.lib.mixins.NDArrayOperatorsMixin):
    """Another library's array, in which a rule must find its way by NumPy alone."""

    def __init__(self, array: Any) -> None:
        self.array = np.asarray(array)
        self.shape, self.ndim, self.dtype = self.array.shape, self.array.ndim, self.array.dtype

    def __array__(self, *_: Any, **__: Any) -> np.ndarray:
        raise AssertionError("a duck array was turned into a plain one")

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return Duck(getattr(ufunc, method)(*map(bare, inputs), **kwargs))

    def __array_function__(self, fun: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return Duck(fun(*map(bare, args), **{k: bare(v) for k, v in kwargs.items()}))


def bare(x: Any) -> Any:
    if isinstance(x, (list, tuple)):
        return type(x)(map(bare, x))
    return x.array if isinstance(x, Duck) else x


ON_DUCKS = [p for p in TABLE.values() if p.kind == "elementwise" and p.arity < 3 and isinstance(p.fun, np.ufunc)]


@pytest.mark.parametrize("p", ON_DUCKS, ids=lambda p: p.name)
def test_elementwise_rules_run_on_a_duck_array(p: Primitive) -> None:
    rng = np.random.default_rng(2)
    domains = DOMAINS.get(p.fun, [(-2.0, 2.0)] * p.arity)
    operands = [rng.uniform(low, high, (2, 3)) for low, high in domains]
    ducks = list(map(Duck, operands))
    out, g = p.fun(*operands), rng.normal(size=(2, 3))
    duck_out = p.fun(*ducks)
    assert type(duck_out) is Duck
    for i in range(p.arity):
        want, got = (rules.vjp(p, i, *given) for given in ((g, operands, out, {}), (Duck(g), ducks, duck_out, {})))
        assert (want is None) is (got is None)
        if want is not None:
            assert type(got) is Duck
            np.testing.assert_array_equal(got.array, want)
