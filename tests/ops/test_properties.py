"""Properties of every rule, on its samples and on random shapes: adjointness, linearity, purity, what it may look at."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, basic_indices, integer_array_indices, mutually_broadcastable_shapes

import chainrule as cr
from chainrule.core import rules
from chainrule.core.primitive import ELEMENTWISE, LINEAR, MULTILINEAR, NON_DIFFERENTIABLE, OPERANDS, TABLE, Primitive
from chainrule.core.spec import Spec, of_numpy
from chainrule.core.sweep import project
from chainrule.eager.specialise import F
from chainrule.ops import indexing, shaping
from chainrule.ops.indexing import HOLE
from chainrule.testing.numeric import directional
from chainrule.testing.samples import DOMAINS, Sample, samples

PRIMITIVES = sorted((p for p in TABLE.values() if p.kind != NON_DIFFERENTIABLE), key=lambda p: p.name)
by_name = {"ids": lambda p: p.name}


def call(p: Primitive, operands: Any, params: dict[str, Any]) -> tuple[Any, ...]:
    with np.errstate(all="ignore"):
        out = p.raw(*operands, **params)
    return tuple(map(np.asarray, out)) if p.outputs != 1 else (np.asarray(out),)


def joined(p: Primitive, parts: Any) -> Any:
    """As a rule sees it: a tuple for several outputs."""
    return tuple(parts) if p.outputs != 1 else parts[0]


def active(p: Primitive, sample: Sample) -> list[int]:
    return [i for i, x in enumerate(sample.operands)
            if isinstance(x, np.ndarray) and x.dtype.kind in "fc" and (p.rule(i) is not None or not p.rules)]  # fmt: skip


def like(seed: int, arrays: Any) -> list[Any]:
    """Random arrays shaped like these; None for integers."""
    rng = np.random.default_rng(seed)
    made: list[Any] = []
    for x in arrays:
        real, imaginary = rng.uniform(-1, 1, (2, *np.shape(x)))
        kind = np.asarray(x).dtype.kind
        made.append(np.asarray(real + 1j * imaginary if kind == "c" else real) if kind in "fc" else None)
    return made


def pulled(p: Primitive, i: int, gs: Any, operands: Any, outs: Any, params: dict[str, Any]) -> Any:
    """The cotangent of operand ``i`` in the space of that operand."""
    with np.errstate(all="ignore"):
        c = rules.vjp(p, i, list(gs) if p.outputs != 1 else gs[0], operands, joined(p, outs), params)
    return project(np.asarray(c), operands[i].shape, of_numpy(operands[i].dtype))


def pushed(p: Primitive, tangents: Any, operands: Any, outs: Any, params: dict[str, Any]) -> tuple[Any, ...]:
    with np.errstate(all="ignore"):
        t = rules.jvp(p, operands, tangents, joined(p, outs), params)
    return t if p.outputs != 1 else (t,)


def inner(a: Any, b: Any) -> float:
    return float(sum(np.sum(np.conj(x) * y).real for x, y in zip(a, b, strict=True) if x is not None))


def close(a: float, b: float, rtol: float = 1e-11) -> None:
    assert a == pytest.approx(b, rel=rtol, abs=rtol * max(1.0, abs(a)))


def adjoint(p: Primitive, sample: Sample) -> None:
    """<g, jvp(t)> = <vjp(g), t>, operand by operand and all together."""
    which = active(p, sample)
    outs = call(p, sample.operands, sample.params)
    gs = like(1, outs)
    if not which or all(g is None for g in gs):
        return
    vs = dict(zip(which, like(2, [sample.operands[i] for i in which]), strict=True))
    left = []
    for i in which:
        c = pulled(p, i, gs, sample.operands, outs, sample.params)
        left.append(inner([c], [vs[i]]))
        tangents = [vs[i] if k == i else None for k in range(len(sample.operands))]
        close(left[-1], inner(gs, pushed(p, tangents, sample.operands, outs, sample.params)))
    tangents = [vs.get(k) for k in range(len(sample.operands))]
    close(sum(left), inner(gs, pushed(p, tangents, sample.operands, outs, sample.params)))


# On the samples


@pytest.mark.parametrize("p", PRIMITIVES, **by_name)
def test_vjp_is_the_adjoint_of_jvp(p: Primitive) -> None:
    for sample in samples(p):
        adjoint(p, sample)


@pytest.mark.parametrize("p", PRIMITIVES, **by_name)
def test_vjp_and_jvp_are_linear_to_the_bit(p: Primitive) -> None:
    """Doubling is exact, so that twice the cotangent gives twice the result, bit for bit."""
    for sample in samples(p):
        outs = call(p, sample.operands, sample.params)
        gs = like(3, outs)
        which = active(p, sample)
        if all(g is None for g in gs) or not which:
            continue
        twice = [None if g is None else 2 * g for g in gs]
        for i in which:
            one = pulled(p, i, gs, sample.operands, outs, sample.params)
            two = pulled(p, i, twice, sample.operands, outs, sample.params)
            np.testing.assert_array_equal(two, 2 * one)
        vs = dict(zip(which, like(4, [sample.operands[i] for i in which]), strict=True))
        slopes = [
            pushed(p, [None if v is None else f * v for v in map(vs.get, range(len(sample.operands)))], sample.operands, outs,
                   sample.params)
            for f in (1, 2)
        ]  # fmt: skip
        for one, two, out in zip(*slopes, outs, strict=True):
            if out.dtype.kind in "fc":
                np.testing.assert_array_equal(two, 2 * np.asarray(one))


@pytest.mark.parametrize("p", PRIMITIVES, **by_name)
def test_nothing_is_written_to(p: Primitive) -> None:
    """Function and rules run on read-only arrays."""
    for sample in samples(p):
        operands = [x.copy() if isinstance(x, np.ndarray) else x for x in sample.operands]
        for x in operands:
            if isinstance(x, np.ndarray):
                x.flags.writeable = False
        outs = call(p, operands, sample.params)
        gs = like(5, outs)
        for array in (*outs, *gs):
            if array is not None:
                array.flags.writeable = False
        if all(g is None for g in gs):
            continue
        for i in active(p, sample):
            pulled(p, i, gs, operands, outs, sample.params)


class Shape:
    """All that a rule may see of an operand it has not asked the data of."""

    def __init__(self, x: Any) -> None:
        self.shape, self.ndim = x.shape, x.ndim


@pytest.mark.parametrize("p", [p for p in PRIMITIVES if p.rules], **by_name)
def test_a_rule_uses_what_it_saves_and_else_only_shapes(p: Primitive) -> None:
    for sample in samples(p):
        outs = call(p, sample.operands, sample.params)
        gs = like(6, outs)
        if all(g is None for g in gs):
            continue
        for i in active(p, sample):
            saved = set(p.saves(i))
            kept = [
                x if "xs" in saved or (k < 4 and OPERANDS[k] in saved) or not isinstance(x, np.ndarray)
                or (p.variadic and x.dtype.kind != "f") else Shape(x)
                for k, x in enumerate(sample.operands)
            ]  # fmt: skip
            out = joined(p, outs) if "out" in saved else None
            with np.errstate(all="ignore"):
                bare = rules.vjp(p, i, list(gs) if p.outputs != 1 else gs[0], kept, out, sample.params)
            want = pulled(p, i, gs, sample.operands, outs, sample.params)
            x = sample.operands[i]
            np.testing.assert_array_equal(project(np.asarray(bare), x.shape, of_numpy(x.dtype)), want)


@pytest.mark.parametrize("p", [p for p in PRIMITIVES if p.kind == LINEAR], **by_name)
def test_linear_functions_are_linear(p: Primitive) -> None:
    if p.name == "pad":  # affine where the value is not 0: its jvp is given
        assert p.pushforward is not None
        return
    for sample in samples(p):
        which = active(p, sample)
        doubled = [2 * x if i in which else x for i, x in enumerate(sample.operands)]
        for one, two in zip(*(call(p, xs, sample.params) for xs in (sample.operands, doubled)), strict=True):
            np.testing.assert_array_equal(two, 2 * one)


@pytest.mark.parametrize("p", [p for p in PRIMITIVES if p.kind == MULTILINEAR], **by_name)
def test_multilinear_functions_are_linear_in_each_operand(p: Primitive) -> None:
    for sample in samples(p):
        for i in active(p, sample):
            doubled = [2 * x if k == i else x for k, x in enumerate(sample.operands)]
            for one, two in zip(*(call(p, xs, sample.params) for xs in (sample.operands, doubled)), strict=True):
                np.testing.assert_array_equal(two, 2 * one)


# On random shapes


def drawn(data: Any, *shapes: Any, domains: Any = None) -> list[np.ndarray]:
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    return [np.asarray(rng.uniform(*(domains[k] if domains else (-2, 2)), shape)) for k, shape in enumerate(shapes)]


def agree(p: Primitive, *operands: Any, **params: Any) -> None:
    """The adjoint property, and a backward pass that gives each operand a gradient of its shape."""
    params = dict(p.params) | params
    adjoint(p, Sample(operands, params))
    leaves = [cr.tensor(x, requires_grad=x.dtype.kind == "f") if isinstance(x, np.ndarray) else x for x in operands]
    out = getattr(F, p.name)(*leaves, **params)
    want = call(p, operands, params)[0]
    np.testing.assert_array_equal(out.array, want)
    if out.requires_grad:
        out.backward(cr.ones_like(out))
        for leaf in leaves:
            if isinstance(leaf, cr.Tensor) and leaf.grad is not None:
                assert leaf.grad.shape == leaf.shape
                assert leaf.grad.dtype is leaf.dtype


BINARY = [p for p in PRIMITIVES
          if p.kind == ELEMENTWISE and isinstance(p.fun, np.ufunc) and p.arity == 2 and p.fun is not np.copysign]  # fmt: skip


@settings(max_examples=150)
@given(st.data())
def test_broadcasting(data: Any) -> None:
    p = data.draw(st.sampled_from(BINARY))
    shapes = data.draw(mutually_broadcastable_shapes(num_shapes=2, min_side=0, max_side=3, max_dims=4)).input_shapes
    agree(p, *drawn(data, *shapes, domains=DOMAINS.get(p.fun)))


@settings(max_examples=100)
@given(st.data(), array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=3))
def test_reducing_any_axes(data: Any, shape: tuple[int, ...]) -> None:
    axes = st.lists(st.integers(0, max(len(shape) - 1, 0)), unique=True, max_size=len(shape)).map(tuple)
    one = [st.integers(-len(shape), len(shape) - 1)] if shape else []
    axis = data.draw(st.one_of(st.none(), axes, *one))
    fun = data.draw(st.sampled_from([np.sum, np.mean, np.var, np.max, np.min]))
    if 0 in shape and fun is not np.sum:
        return
    agree(TABLE[fun], *drawn(data, shape), axis=axis, keepdims=data.draw(st.booleans()))


@settings(max_examples=40)
@given(st.data(), array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3))
def test_products_over_any_axis(data: Any, shape: tuple[int, ...]) -> None:
    one = [st.integers(-len(shape), len(shape) - 1)] if shape else []
    axis = data.draw(st.one_of(st.none(), *one))
    agree(TABLE[np.prod], *drawn(data, shape), axis=axis, keepdims=data.draw(st.booleans()))


@pytest.mark.parametrize("axis", [(0, 1), (0, -1), (-1,), ()])
@pytest.mark.parametrize("fun", [np.prod, np.sum, np.mean, np.var, np.max, np.min], ids=lambda f: f.__name__)
def test_numpys_tuples_of_axes(fun: Any, axis: tuple[int, ...]) -> None:
    x, v = np.random.default_rng(0).uniform(0.5, 1.5, (2, 2, 3, 2))
    leaf = cr.tensor(x, requires_grad=True)
    out = fun(leaf, axis=axis)
    np.testing.assert_allclose(out.detach().numpy(), fun(x, axis=axis), rtol=1e-14)
    out.backward(cr.ones_like(out))
    slope = directional(lambda x: np.sum(fun(x, axis=axis)), [x], [v])
    np.testing.assert_allclose(np.sum(leaf.grad.numpy() * v), slope, rtol=1e-9, atol=1e-9)


@settings(max_examples=100)
@given(st.data(), array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
def test_basic_indices(data: Any, shape: tuple[int, ...]) -> None:
    key = data.draw(basic_indices(shape, allow_newaxis=True, max_dims=6))
    (x,) = drawn(data, shape)
    agree(TABLE[indexing.getitem], x, key=key)
    (part,) = drawn(data, np.shape(x[key]))
    agree(TABLE[indexing.place], part, shape=shape, key=key)
    leaf = cr.tensor(x, requires_grad=True)
    leaf[key].sum().backward()
    want = np.zeros(shape)
    want[key] += 1
    np.testing.assert_array_equal(leaf.grad.numpy(), want)


@settings(max_examples=100)
@given(st.data(), array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=4))
def test_index_arrays(data: Any, shape: tuple[int, ...]) -> None:
    """Every position is named any number of times, on one axis or several, also from the end."""
    indices = data.draw(integer_array_indices(shape, result_shape=array_shapes(max_dims=2, max_side=4)))
    (x,) = drawn(data, shape)
    key = (HOLE,) * len(indices)
    agree(TABLE[indexing.take_items], x, *indices, key=key)
    leaf = cr.tensor(x, requires_grad=True)
    leaf[tuple(map(cr.from_numpy, map(np.asarray, indices)))].sum().backward()
    want = np.zeros(shape)
    np.add.at(want, indices, 1)
    np.testing.assert_array_equal(leaf.grad.numpy(), want)


@settings(max_examples=60)
@given(st.data())
def test_matmul_of_any_ranks(data: Any) -> None:
    shapes = mutually_broadcastable_shapes(signature=np.matmul.signature, min_side=0, max_side=3, max_dims=2)
    agree(TABLE[np.matmul], *drawn(data, *data.draw(shapes).input_shapes))


@settings(max_examples=60)
@given(st.data(), array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=3))
def test_moving_elements(data: Any, shape: tuple[int, ...]) -> None:
    (x,) = drawn(data, shape)
    n = len(shape)
    agree(TABLE[np.transpose], x, axes=tuple(data.draw(st.permutations(range(n)))))
    agree(TABLE[np.reshape], x, shape=tuple(data.draw(st.permutations(shape))))
    agree(TABLE[np.broadcast_to], x, shape=(*data.draw(array_shapes(min_dims=0, max_dims=2, max_side=2)), *shape))
    agree(TABLE[np.tile], x, reps=tuple(data.draw(st.lists(st.integers(0, 2), max_size=4))))
    if n:
        axis = data.draw(st.integers(-n, n - 1))
        agree(TABLE[np.flip], x, axis=axis)
        agree(TABLE[np.roll], x, shift=data.draw(st.integers(-5, 5)), axis=axis)
        agree(TABLE[np.repeat], x, repeats=data.draw(st.integers(0, 2)), axis=axis)
        agree(TABLE[np.cumsum], x, axis=axis)
        agree(TABLE[np.concatenate], x, x, axis=axis)
        agree(TABLE[np.stack], x, x, axis=axis)
        agree(TABLE[shaping.pad], x, width=tuple(data.draw(st.tuples(*[st.tuples(*[st.integers(0, 2)] * 2)] * n))))


def test_a_spec_is_all_that_restore_needs() -> None:
    spec = Spec((2, 3), of_numpy(np.float64))
    for g, axis in ((np.ones(2), 1), (np.ones(()), None), (np.ones(3), (0,))):
        out = TABLE[np.sum].rule(0)(g, (spec,), None, {"axis": axis, "keepdims": False})
        np.testing.assert_array_equal(out, np.ones((2, 3)))
