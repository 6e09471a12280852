"""Random programs over the derivative table: every way of differentiating them gives the same numbers.

A program is a list of calls of primitives, each of earlier values and constants; inputs are float64 arrays of
small shapes. Values are squashed into the domain of the primitive that takes them (by further calls), so that
everything stays finite, smooth and small.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import basic_indices

import chainrule as cr
from chainrule.core import rules
from chainrule.core.box import dispatch
from chainrule.core.primitive import ELEMENTWISE, TABLE, ZERO_DERIVATIVE, Primitive
from chainrule.eager.specialise import F
from chainrule.ops import composite, elementwise, indexing, linalg, losses, reduction, shaping
from chainrule.ops.indexing import HOLE
from chainrule.testing.numeric import directional
from chainrule.testing.samples import DOMAINS

RTOL = 1e-8
BIGGEST = 64  # elements that an operand of a call that enlarges may have


class Slot(int):
    """The number of an earlier value."""


class Call(NamedTuple):
    """A primitive, its operands (slots and constants) and its parameters."""

    primitive: Primitive
    operands: tuple[Any, ...]
    params: dict[str, Any]

    def __repr__(self) -> str:
        given = [f"v{x:d}" if isinstance(x, Slot) else repr(x) for x in self.operands]
        given += [f"{k}={v!r}" for k, v in self.params.items() if v != self.primitive.params.get(k)]
        return f"{self.primitive.name}({', '.join(given)})"


class Program(NamedTuple):
    """Inputs, and calls whose values are numbered after them; the last is the result."""

    inputs: list[np.ndarray]
    calls: list[Call]

    def __repr__(self) -> str:
        lines = [f"v{k} = array{x.shape}" for k, x in enumerate(self.inputs)]
        return "\n".join(lines + [f"v{k + len(self.inputs)} = {call}" for k, call in enumerate(self.calls)])

    def run(self, inputs: Sequence[Any], call: Callable[[Primitive, list[Any], dict[str, Any]], Any]) -> Any:
        """The result, ``call`` applying a primitive."""
        values = list(inputs)
        for p, operands, params in self.calls:
            values.append(call(p, [values[x] if isinstance(x, Slot) else x for x in operands], params))
        return values[-1]


# Making programs

PLAIN = (-2.0, 2.0)
OTHERWISE = {np.clip, np.where, elementwise.fill, elementwise.overwrite, elementwise.masked_fill}
POINTWISE = sorted(
    (p for p in TABLE.values()
     if p.fun not in OTHERWISE and p.arity in (1, 2, 3) and ... not in p.params.values()
     and (p.kind == ELEMENTWISE or p.fun is np.absolute or (p.kind == ZERO_DERIVATIVE and p.fun in DOMAINS))),
    key=lambda p: p.name,
)  # fmt: skip
DRAWN_SHAPES = [(), (1,), (3,), (0,), (2, 3), (2, 1), (1, 3), (2, 2), (0, 3), (2, 1, 3)]


class Maker:
    """A program that grows, and the values it has had so far."""

    def __init__(self, draw: Any) -> None:
        self.draw = draw
        self.rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
        shapes = draw(st.lists(st.sampled_from(DRAWN_SHAPES), min_size=1, max_size=3))
        self.program = Program([np.asarray(self.rng.uniform(*PLAIN, shape)) for shape in shapes], [])
        self.values = list(self.program.inputs)

    def pick(self, *options: Any) -> Any:
        return self.draw(st.sampled_from(options))

    def call(self, fun: Any, *operands: Any, **params: Any) -> Slot:
        p = TABLE[fun]
        step = Call(p, operands, dict(p.params) | params)
        self.program.calls.append(step)
        self.values.append(raw(p, [self.values[x] if isinstance(x, Slot) else x for x in operands], step.params))
        return Slot(len(self.values) - 1)

    def slot(self, suits: Callable[[np.ndarray], bool] = lambda x: True) -> Any:
        """An earlier float value that suits, later ones rather; None if there is none."""
        found = [Slot(k) for k, x in enumerate(self.values) if x.dtype == np.float64 and suits(x)]
        return self.pick(*reversed(found)) if found else None

    def within(self, slot: Slot, low: float, high: float) -> Slot:
        """A value brought into a domain."""
        x = self.values[slot]
        if x.size == 0 or (x.min() >= low and x.max() <= high):
            return slot
        bounded = self.call(np.tanh, slot)
        scaled = self.call(np.multiply, bounded, np.asarray((high - low) / 2.1))
        return self.call(np.add, scaled, np.asarray((high + low) / 2))

    def tamed(self, slot: Slot) -> Slot:
        return self.within(slot, *PLAIN)

    def axis(self, ndim: int) -> int:
        return self.draw(st.integers(-ndim, ndim - 1)) if ndim else 0


def broadcasts(*shapes: tuple[int, ...]) -> bool:
    try:
        return int(np.prod(np.broadcast_shapes(*shapes))) <= BIGGEST
    except ValueError:
        return False


def pointwise(m: Maker) -> None:
    p = m.draw(st.sampled_from(POINTWISE))
    shapes: list[tuple[int, ...]] = []
    operands: list[Any] = []
    for low, high in DOMAINS.get(p.fun, [PLAIN] * p.arity):
        other = m.slot(lambda x: broadcasts(*shapes, x.shape))
        if other is None or (operands and m.pick(False, False, True)):
            operands.append(np.asarray(m.rng.uniform(low, high)))
        else:
            shapes.append(m.values[other].shape)
            operands.append(m.within(other, low, high))
    m.call(p.fun, *operands)


def choice(m: Maker) -> None:
    x = m.tamed(m.slot())
    shape = m.values[x].shape
    y = m.slot(lambda v: broadcasts(shape, v.shape))
    if m.pick(True, False):
        m.call(np.where, m.rng.uniform(size=shape) > 0.5, x, y)
    elif m.pick(True, False):
        m.call(np.where, m.call(np.greater, x, np.asarray(0.1)), x, y)
    else:
        m.call(np.clip, x, *m.pick((np.asarray(-0.51), np.asarray(0.73)), (None, np.asarray(0.4)), (np.asarray(-1.1), None)))


def reduce(m: Maker) -> None:
    fun = m.pick(np.sum, np.mean, np.prod, np.max, np.min, np.var, reduction.logsumexp, reduction.vector_norm)
    needs_some = fun in (np.mean, np.max, np.min, np.var, reduction.vector_norm, reduction.logsumexp)
    x = m.slot(lambda x: x.size > 0 or not needs_some)
    if x is None:
        return
    x = m.within(x, 0.2, 2) if fun is reduction.vector_norm else m.tamed(x)
    ndim = m.values[x].ndim
    m.call(fun, x, axis=m.axis(ndim) if ndim and m.pick(True, False) else None, keepdims=m.pick(False, True))


def scan(m: Maker) -> None:
    fun = m.pick(np.cumsum, np.cumprod, composite.softmax, composite.log_softmax)
    x = m.slot(lambda x: x.ndim > 0)
    if x is not None:
        x = m.tamed(x)
        m.call(fun, x, axis=m.axis(m.values[x].ndim))


def reshape(m: Maker) -> None:
    x = m.slot()
    shape = m.values[x].shape
    m.call(np.reshape, x, shape=m.pick((m.values[x].size,), shape[::-1], (*shape, 1), (1, *shape)))


def move(m: Maker) -> None:
    x = m.slot(lambda x: x.ndim > 0)
    if x is None:
        return
    ndim = m.values[x].ndim
    fun, params = m.pick(
        (np.transpose, {"axes": tuple(m.draw(st.permutations(range(ndim))))}),
        (np.swapaxes, {"axis1": m.axis(ndim), "axis2": m.axis(ndim)}),
        (np.expand_dims, {"axis": m.axis(ndim)}),
        (np.squeeze, {"axis": None}),
        (np.flip, {"axis": m.axis(ndim)}),
        (np.roll, {"shift": m.pick(1, -2), "axis": m.axis(ndim)}),
        (shaping.copy, {}),
    )
    m.call(fun, x, **params)


def enlarge(m: Maker) -> None:
    x = m.slot(lambda x: x.size <= BIGGEST / 3 and x.ndim <= 3)
    if x is None:
        return
    shape = m.values[x].shape
    fun, params = m.pick(
        (np.broadcast_to, {"shape": (2, *shape)}),
        (np.tile, {"reps": m.pick(2, (2, 1))}),
        (np.repeat, {"repeats": 2}),
        (shaping.pad, {"width": ((1, 0),) * len(shape), "value": 0.5}) if shape else (np.tile, {"reps": (3,)}),
    )
    m.call(fun, x, **params)


def matrix_part(m: Maker) -> None:
    x = m.slot(lambda x: x.ndim >= 2)
    if x is not None:
        fun, params = m.pick((np.tril, {"k": 1}), (np.triu, {}), (np.diagonal, {}), (np.diagonal, {"offset": 1}))
        m.call(fun, x, **params)


def index(m: Maker) -> None:
    x = m.slot()
    shape = m.values[x].shape
    if not shape or m.pick(True, False):
        m.call(indexing.getitem, x, key=m.draw(basic_indices(shape, allow_newaxis=True, max_dims=4)))
        return
    mask = m.rng.uniform(size=shape) > 0.4
    if shape[0] == 0 or m.pick(True, False):
        m.call(indexing.take_items, x, mask, key=(HOLE,))
        return
    numbers = m.rng.integers(0, shape[0], m.pick((2,), (), (2, 2), (0,)))
    if m.pick(True, False):
        m.call(np.take, x, numbers, axis=0)
    else:
        m.call(indexing.take_items, x, numbers, key=(HOLE,))


def store(m: Maker) -> None:
    """A part replaced by another value."""
    x = m.slot(lambda x: x.ndim > 0)
    if x is not None:
        key = m.draw(basic_indices(m.values[x].shape, allow_newaxis=False))
        part = m.values[x][key].shape
        y = m.slot(lambda y: y.shape == part or y.ndim == 0)
        m.call(indexing.setitem, x, np.asarray(0.5) if y is None else y, key=key)


def join(m: Maker) -> None:
    x = m.slot(lambda x: 0 < x.ndim < 4 and x.size <= BIGGEST)
    if x is None:
        return
    shape = m.values[x].shape
    y = m.slot(lambda y: y.shape == shape)
    m.call(m.pick(np.concatenate, np.stack), x, y, axis=m.axis(len(shape)))


def multiply(m: Maker) -> None:
    x = m.slot(lambda x: x.ndim > 0 and x.size <= BIGGEST)
    if x is None:
        return
    x = m.tamed(x)
    shape = m.values[x].shape
    if len(shape) == 1:
        y = m.tamed(m.slot(lambda y: y.shape == shape))
        m.pick(
            lambda: m.call(np.matmul, x, y),
            lambda: m.call(linalg.dot, x, y),
            lambda: m.call(linalg.einsum, x, y, subscripts="i,j->ij"),
        )()
    elif len(shape) == 2:
        y = m.tamed(m.slot(lambda y: y.shape == shape))
        m.pick(
            lambda: m.call(np.matmul, x, m.call(np.swapaxes, y, axis1=0, axis2=1)),
            lambda: m.call(linalg.mm, m.call(shaping.t, x), y),
            lambda: m.call(linalg.einsum, x, y, subscripts="ij,ij->j"),
            lambda: m.call(linalg.einsum, x, y, subscripts="ij,kj->ik"),
            lambda: m.call(losses.mse_loss, x, y, reduction=m.pick("none", "sum")),
        )()
    else:
        m.call(np.matmul, x, m.call(np.swapaxes, x, axis1=-1, axis2=-2))


STEPS = (
    pointwise,
    pointwise,
    pointwise,
    choice,
    reduce,
    scan,
    reshape,
    move,
    enlarge,
    matrix_part,
    index,
    store,
    join,
    multiply,
)


@st.composite
def programs(draw: Any) -> Program:
    """Programs of up to 12 steps, and the calls that tame their operands."""
    m = Maker(draw)
    for _ in range(draw(st.integers(1, 12))):
        draw(st.sampled_from(STEPS))(m)
    if not m.program.calls:
        m.call(np.tanh, Slot(0))
    return m.program


# Running them


def raw(p: Primitive, operands: list[Any], params: dict[str, Any]) -> np.ndarray:
    with np.errstate(all="ignore"):
        return np.asarray(p.raw(*operands, **params))


def special(p: Primitive, operands: list[Any], params: dict[str, Any]) -> Any:
    return getattr(F, p.name)(*map(held, operands), **params)


def general(p: Primitive, operands: list[Any], params: dict[str, Any]) -> Any:
    return dispatch(p, list(map(held, operands)), params)


def held(x: Any) -> Any:
    return cr.from_numpy(x) if isinstance(x, np.ndarray) else x


def pushed(p: Primitive, operands: list[Any], params: dict[str, Any]) -> tuple[np.ndarray, Any]:
    """One call on pairs of value and tangent (None for a constant)."""
    pairs = [x if isinstance(x, tuple) else (x, None) for x in operands]
    values, tangents = [v for v, _ in pairs], [t for _, t in pairs]
    out = raw(p, values, params)
    if out.dtype.kind != "f" or all(t is None for t in tangents):
        return out, None
    with np.errstate(all="ignore"):
        tangent = rules.jvp(p, values, tangents, out, params)
    return out, None if tangent is None else np.asarray(np.broadcast_to(tangent, out.shape))


def leaves_of(program: Program) -> list[cr.Tensor]:
    return [cr.tensor(x, requires_grad=True) for x in program.inputs]


def directions(program: Program, seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [np.asarray(rng.uniform(-1, 1, x.shape)) for x in program.inputs]


def inner(grads: Sequence[Any], vs: Sequence[np.ndarray]) -> float:
    return float(sum(np.sum(np.asarray(g.numpy()) * v) for g, v in zip(grads, vs, strict=True) if g is not None))


def size_of(*numbers: float) -> float:
    return max(1.0, *map(abs, numbers))


def weights_for(out: Any) -> np.ndarray:
    return np.asarray(np.random.default_rng(5).uniform(0.5, 1.5, out.shape))


# The properties


@settings(max_examples=250)
@given(programs())
def test_both_paths_give_the_same_bits(program: Program) -> None:
    want = program.run(program.inputs, raw)
    for call in (special, general):
        out = program.run(leaves_of(program), call)
        assert out.array.dtype == want.dtype
        assert out.array.shape == want.shape
        assert out.array.tobytes() == want.tobytes()


@settings(max_examples=300)
@given(programs())
def test_reverse_is_forward_is_numeric(program: Program) -> None:
    vs = directions(program, 1)
    with_tangents = program.run(list(zip(program.inputs, vs, strict=True)), pushed)
    weights = weights_for(with_tangents[0])
    forward = 0.0 if with_tangents[1] is None else float(np.sum(weights * with_tangents[1]))

    def loss(*inputs: np.ndarray) -> Any:
        return np.sum(weights * program.run(inputs, raw))

    numeric, rougher = (float(directional(loss, program.inputs, vs, h)) for h in (1e-3, 1.5e-3))
    scale = size_of(numeric, float(loss(*program.inputs)))
    assume(abs(numeric - rougher) < RTOL * scale)  # no kink nearby

    for call in (special, general):
        leaves = leaves_of(program)
        out = program.run(leaves, call)
        if out.requires_grad:
            out.backward(cr.from_numpy(weights))
        reverse = inner([leaf.grad for leaf in leaves], vs)
        assert all(leaf.grad is None or leaf.grad.shape == leaf.shape for leaf in leaves)
        assert reverse == pytest.approx(numeric, rel=RTOL, abs=RTOL * scale)
        assert forward == pytest.approx(reverse, rel=1e-11, abs=1e-11 * scale)


@settings(max_examples=250)
@given(programs())
def test_second_derivatives_are_symmetric(program: Program) -> None:
    leaves = leaves_of(program)
    out = program.run(leaves, special)
    if not out.requires_grad:
        return
    weights = cr.from_numpy(weights_for(out))
    plain = cr.autograd.grad(out, leaves, weights, retain_graph=True, allow_unused=True)
    grads = cr.autograd.grad(out, leaves, weights, create_graph=True, allow_unused=True)
    for a, b in zip(plain, grads, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            np.testing.assert_allclose(b.detach().numpy(), a.numpy(), rtol=1e-13, atol=1e-13)

    def hessian_times(vs: list[np.ndarray]) -> list[Any]:
        slope = sum((g * cr.from_numpy(v)).sum() for g, v in zip(grads, vs, strict=True) if g is not None)
        if not slope.requires_grad:
            return [None] * len(leaves)
        return list(cr.autograd.grad(slope, leaves, retain_graph=True, allow_unused=True))

    us, vs = directions(program, 2), directions(program, 3)
    left, right = inner(hessian_times(us), vs), inner(hessian_times(vs), us)
    assert left == pytest.approx(right, rel=RTOL, abs=RTOL * size_of(left, right))
