"""Forward mode on tensors: every primitive of the table, alone and together with reverse mode, either way round."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.autograd.forward_ad import dual_level, make_dual, unpack_dual
from chainrule.core import rules
from chainrule.core.primitive import Primitive
from chainrule.testing.samples import samples
from tests.ops.test_table import DIFFERENTIABLE, by_name, close, draws, inner, is_float, live, on_tensors, outputs, raw


def tensor(x: Any) -> Any:
    return cr.from_numpy(x) if isinstance(x, np.ndarray) else x


def tangents_of(p: Primitive, operands: Any) -> Any:
    return dict(zip(live(p, operands), draws(p, [operands.operands[i] for i in live(p, operands)]), strict=True))


@pytest.mark.parametrize("p", DIFFERENTIABLE, **by_name)
def test_the_tangent_of_a_call_is_what_the_rule_says(p: Primitive) -> None:
    for sample in samples(p):
        directions = tangents_of(p, sample)
        if not directions:
            continue
        out = raw(p, sample)(*sample.operands)
        tangents = [directions.get(i) for i in range(len(sample.operands))]
        with np.errstate(all="ignore"):
            wanted = rules.jvp(p, sample.operands, tangents, out, sample.params)
        with dual_level():
            operands = [
                make_dual(tensor(x), tensor(directions[i])) if i in directions else tensor(x)
                for i, x in enumerate(sample.operands)
            ]
            for part, value, want in zip(outputs(on_tensors(p, sample, operands)), outputs(out), outputs(wanted), strict=True):
                primal, tangent = unpack_dual(part)
                close(primal.numpy(), value)
                if is_float(value):
                    assert tangent is not None
                    assert tangent.shape == primal.shape
                    assert tangent.dtype == primal.dtype
                    close(tangent.numpy(), np.broadcast_to(want, value.shape))


def weighted(out: list[Any], weights: list[np.ndarray]) -> Any:
    """A real number made of all outputs."""
    total: Any = 0.0
    for y, w in zip(out, weights, strict=True):
        term = (y * cr.from_numpy(w)).sum()
        total = total + (term.real if term.is_complex() else term)
    return total


@pytest.mark.parametrize("p", DIFFERENTIABLE, **by_name)
def test_reverse_over_forward_and_forward_over_reverse_agree_with_reverse_twice(p: Primitive) -> None:
    for sample in samples(p):
        places = live(p, sample)
        directions = tangents_of(p, sample)
        if not places or any(np.iscomplexobj(x) for x in sample.operands):
            continue
        floats = [y for y in outputs(raw(p, sample)(*sample.operands)) if is_float(y)]
        if not floats or any(np.iscomplexobj(y) for y in floats):
            continue
        weights = [np.asarray(np.cos(w)) for w in draws(p, floats)]

        def value(xs: dict[int, Any]) -> Any:
            out = outputs(on_tensors(p, sample, [xs.get(i, tensor(x)) for i, x in enumerate(sample.operands)]))  # noqa: B023
            return weighted([y for y in out if y.dtype.is_floating_point], weights).sin()  # noqa: B023

        leaves = {i: cr.tensor(sample.operands[i], requires_grad=True) for i in places}
        slopes = cr.autograd.grad(value(leaves), list(leaves.values()), create_graph=True, materialize_grads=True)
        along = sum((g * cr.from_numpy(directions[i])).sum() for i, g in zip(places, slopes, strict=True))
        twice = [
            g.numpy()
            for g in (
                cr.autograd.grad(along, list(leaves.values()), materialize_grads=True)
                if along.requires_grad
                else [cr.zeros_like(x) for x in leaves.values()]
            )
        ]
        with dual_level():  # forward over reverse
            duals = {i: make_dual(x, cr.from_numpy(directions[i])) for i, x in leaves.items()}
            found = cr.autograd.grad(value(duals), list(leaves.values()), materialize_grads=True)
            for g, want in zip(found, twice, strict=True):
                tangent = unpack_dual(g).tangent
                close(np.zeros_like(want) if tangent is None else tangent.numpy(), want, rtol=1e-7)
        with dual_level():  # reverse over forward
            duals = {i: make_dual(x, cr.from_numpy(directions[i])) for i, x in leaves.items()}
            slope = unpack_dual(value(duals)).tangent
            first = sum(inner(g.detach().numpy(), directions[i]) for i, g in zip(places, slopes, strict=True))
            close(slope.detach().numpy(), first)
            if slope.requires_grad:
                found = cr.autograd.grad(slope, list(leaves.values()), materialize_grads=True)
                for g, want in zip(found, twice, strict=True):
                    close(g.numpy(), want, rtol=1e-7)
            else:
                assert all(not np.any(want) for want in twice)
