"""Every primitive of the table, in every mode, against numeric differentiation in float64.

Generated: a primitive without samples fails here, and a new line of the table is tested by being there.
"""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule.core import rules
from chainrule.core.primitive import NON_DIFFERENTIABLE, TABLE, Primitive
from chainrule.core.spec import DTYPES
from chainrule.eager.specialise import F
from chainrule.testing.numeric import directional
from chainrule.testing.samples import Sample, samples

PRIMITIVES = sorted(TABLE.values(), key=lambda p: p.name)
DIFFERENTIABLE = [p for p in PRIMITIVES if p.kind != NON_DIFFERENTIABLE]
RTOL = 1e-9

by_name = {"ids": lambda p: p.name}


def close(got, want, rtol=RTOL):
    want = np.asarray(want)
    scale = max(1.0, float(np.max(np.abs(want), initial=0.0)))
    np.testing.assert_allclose(np.asarray(got), want, rtol=rtol, atol=rtol * scale)


def is_float(x) -> bool:
    return isinstance(x, np.ndarray) and x.dtype.kind in "fc"


def live(p: Primitive, sample: Sample) -> list[int]:
    """The operands that a derivative reaches."""
    return [i for i, x in enumerate(sample.operands) if is_float(x) and (p.rule(i) is not None or not p.rules)]


def raw(p: Primitive, sample: Sample):
    def call(*operands):
        with np.errstate(all="ignore"):
            return p.raw(*operands, **sample.params)

    return call


def draws(p: Primitive, like):
    rng = np.random.default_rng(len(p.name))
    parts = [rng.uniform(-1, 1, (2, *np.shape(x))) for x in like]
    return [np.asarray(a + 1j * b if np.asarray(x).dtype.kind == "c" else a) for x, (a, b) in zip(like, parts, strict=True)]


def outputs(out) -> list:
    return list(out) if isinstance(out, tuple) else [out]


def on_tensors(p: Primitive, sample: Sample, operands):
    fun = getattr(F, p.name)
    return fun(*operands, **sample.params)


def recorded(p: Primitive, sample: Sample):
    """The call on tensors: the leaves that are differentiated, and the float outputs."""
    leaves = {i: cr.tensor(sample.operands[i], requires_grad=True) for i in live(p, sample)}
    for i, leaf in leaves.items():
        leaf.array = sample.operands[i]  # keeps strides
    operands = [leaves.get(i, cr.from_numpy(x) if isinstance(x, np.ndarray) else x) for i, x in enumerate(sample.operands)]
    out = outputs(on_tensors(p, sample, operands))
    return leaves, out


def inner(a, b) -> float:
    return float(np.real(np.sum(np.conjugate(a) * b)))


@pytest.mark.parametrize("p", PRIMITIVES, **by_name)
def test_has_samples(p):
    assert samples(p)


@pytest.mark.parametrize("p", DIFFERENTIABLE, **by_name)
def test_value_is_the_functions(p):
    for sample in samples(p):
        _, out = recorded(p, sample)
        for got, want in zip(out, outputs(raw(p, sample)(*sample.operands)), strict=True):
            np.testing.assert_array_equal(got.detach().numpy(), want)


@pytest.mark.parametrize("p", DIFFERENTIABLE, **by_name)
def test_reverse(p):
    for sample in samples(p):
        leaves, out = recorded(p, sample)
        floats = [y for y in out if y.requires_grad]
        if not floats:
            assert not leaves or p.name in ("conjugate",) or not any(y.is_floating_point() for y in out), p
            continue
        gs = draws(p, [y.array for y in floats])
        cr.autograd.backward(floats, [cr.from_numpy(g) for g in gs])
        for i, leaf in leaves.items():
            (v,) = draws(p, [leaf.array])
            slope = outputs(
                directional(raw(p, sample), sample.operands, [v if k == i else None for k in range(len(sample.operands))])
            )
            kept = [s for s, y in zip(slope, out, strict=True) if y.requires_grad]
            close(inner(leaf.grad.numpy(), v), sum(inner(g, s) for g, s in zip(gs, kept, strict=True)))
            assert leaf.grad.shape == leaf.shape and leaf.grad.dtype is leaf.dtype


@pytest.mark.parametrize("p", DIFFERENTIABLE, **by_name)
def test_forward(p):
    for sample in samples(p):
        which = live(p, sample)
        if not which:
            continue
        vs = draws(p, [sample.operands[i] for i in which])
        tangents = [vs[which.index(i)] if i in which else None for i in range(len(sample.operands))]
        with np.errstate(all="ignore"):
            out = raw(p, sample)(*sample.operands)
            got = outputs(rules.jvp(p, sample.operands, tangents, out, sample.params))
        want = outputs(directional(raw(p, sample), sample.operands, tangents))
        for a, b, y in zip(got, want, outputs(out), strict=True):
            if np.asarray(y).dtype.kind in "fc":
                close(np.broadcast_to(a, np.shape(b)), b)


@pytest.mark.parametrize("p", DIFFERENTIABLE, **by_name)
def test_second_order(p):
    """d/de of the gradient itself, from create_graph and from numeric differentiation of the first order."""
    for sample in samples(p):
        which = live(p, sample)
        if not which or np.asarray(sample.operands[which[0]]).size == 0:
            continue
        gs = draws(p, outputs(raw(p, sample)(*sample.operands)))
        vs = draws(p, [sample.operands[i] for i in which])

        def slope(*operands, create_graph=False, p=p, sample=sample, gs=gs, vs=vs, which=which):
            """<gradient, v>, and the leaves it depends on."""
            leaves, out = recorded(p, Sample(operands, sample.params))
            pairs = [(y, cr.tensor(g, requires_grad=create_graph)) for y, g in zip(out, gs, strict=True) if y.requires_grad]
            if not pairs:
                return None, leaves, []
            grads = cr.autograd.grad(
                [y for y, _ in pairs], list(leaves.values()), [g for _, g in pairs], create_graph=create_graph
            )
            total = sum((np.real(np.conjugate(v) * d)).sum() for v, d in zip(vs, grads, strict=True))
            return total, leaves, [g for _, g in pairs]

        total, leaves, seeds = slope(*sample.operands, create_graph=True)
        if total is None or not total.requires_grad:
            continue
        hessian = cr.autograd.grad(total, [*leaves.values(), *seeds], allow_unused=True, materialize_grads=True)
        u = [v + 0.1 for v in vs]
        moved = [u[which.index(i)] if i in which else None for i in range(len(sample.operands))]
        want = directional(lambda *xs: np.asarray(slope(*xs)[0].item()), sample.operands, moved)
        close(sum(inner(h.numpy(), w) for h, w in zip(hessian, u, strict=False)), want, rtol=1e-8)


REAL = [d for d in DTYPES if d.name in ("float16", "bfloat16", "float32")]
NARROW = [p for p in DIFFERENTIABLE if not p.retypes and p.name != "imag"]


@pytest.mark.parametrize("p", NARROW, **by_name)
@pytest.mark.parametrize("dtype", REAL, ids=lambda d: d.name)
def test_narrow_dtypes_round_once(p, dtype):
    """In half precision and float32: the dtype is kept, and value and gradient are float64's up to rounding."""
    eps = {"float16": 2**-10, "bfloat16": 2**-7, "float32": 2**-22}[dtype.name]
    for sample in samples(p)[:6]:
        which = live(p, sample)
        narrow = [cr.tensor(x).to(dtype) if i in which else x for i, x in enumerate(sample.operands)]
        wide = [x.double().numpy() if isinstance(x, cr.Tensor) else x for x in narrow]
        leaves = [x.requires_grad_() for x in narrow if isinstance(x, cr.Tensor)]
        operands = [x if isinstance(x, cr.Tensor) or not isinstance(x, np.ndarray) else cr.from_numpy(x) for x in narrow]
        if any(isinstance(x, np.ndarray) and x.dtype.kind == "f" for i, x in enumerate(sample.operands) if i not in which):
            continue
        got = outputs(on_tensors(p, sample, operands))
        want_leaves, want = recorded(p, Sample(tuple(wide), sample.params))
        for a, b in zip(got, want, strict=True):
            if b.is_floating_point():
                assert a.dtype is dtype
                np.testing.assert_allclose(a.detach().double().numpy(), b.detach().numpy(), rtol=8 * eps, atol=8 * eps)
        floats = [(a, b) for a, b in zip(got, want, strict=True) if b.requires_grad]
        if floats and leaves:
            cr.autograd.backward([a for a, _ in floats], [cr.ones_like(a) for a, _ in floats])
            cr.autograd.backward([b for _, b in floats], [cr.ones_like(b) for _, b in floats])
            for leaf, other in zip(leaves, want_leaves.values(), strict=True):
                assert leaf.grad.dtype is dtype
                scale = 1 + np.abs(other.grad.numpy()).max(initial=0)
                np.testing.assert_allclose(
                    leaf.grad.double().numpy(), other.grad.numpy(), rtol=16 * eps, atol=16 * eps * scale
                )


COMPLEX = [
    "add",
    "subtract",
    "multiply",
    "divide",
    "negative",
    "positive",
    "square",
    "reciprocal",
    "sqrt",
    "power",
    "exp",
    "expm1",
    "log",
    "sin",
    "cos",
    "tan",
    "sinh",
    "cosh",
    "tanh",
    "arctan",
    "arcsinh",
    "absolute",
    "conjugate",
    "real",
    "imag",
    "where",
    "sum",
    "mean",
    "prod",
    "cumsum",
    "cumprod",
    "vector_norm",
    "var",
    "reshape",
    "transpose",
    "swapaxes",
    "broadcast_to",
    "expand_dims",
    "squeeze",
    "concatenate",
    "stack",
    "split",
    "unbind",
    "flip",
    "roll",
    "tile",
    "getitem",
    "place",
    "take_items",
    "setitem",
    "gather",
    "dot",
    "mv",
    "mm",
    "matmul",
    "einsum",
    "inv",
    "det",
    "solve",
    "trace",
    "tril",
    "diagonal",
    "copy",
    "rsqrt",
    "lerp",
]


def complex_samples(p: Primitive):
    rng = np.random.default_rng(7)
    for sample in samples(p):
        which = live(p, sample)
        yield Sample(tuple(np.asarray(x + 0.3j * rng.uniform(0.2, 1, x.shape)) if i in which else x
                           for i, x in enumerate(sample.operands)), sample.params)  # fmt: skip


@pytest.mark.parametrize("p", [p for p in DIFFERENTIABLE if p.name in COMPLEX], **by_name)
def test_complex(p):
    """torch's convention: dL = Re <grad, dx> with conjugated grad; the jvp is the complex differential."""
    for sample in complex_samples(p):
        leaves, out = recorded(p, sample)
        floats = [y for y in out if y.requires_grad]
        gs = draws(p, [y.array for y in floats])
        cr.autograd.backward(floats, [cr.from_numpy(g) for g in gs])
        for i, leaf in leaves.items():
            (v,) = draws(p, [leaf.array])
            tangents = [v if k == i else None for k in range(len(sample.operands))]
            slope = outputs(directional(raw(p, sample), sample.operands, tangents))
            close(inner(leaf.grad.numpy(), v), sum(inner(g, s) for g, s in zip(gs, slope, strict=True)), rtol=1e-8)
            with np.errstate(all="ignore"):
                pushed = rules.jvp(p, sample.operands, tangents, raw(p, sample)(*sample.operands), sample.params)
            for a, b in zip(outputs(pushed), slope, strict=True):
                close(np.broadcast_to(a, np.shape(b)), b, rtol=1e-8)
