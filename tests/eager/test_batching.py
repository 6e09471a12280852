"""Batched mode on tensors: every primitive of the table, for all samples at once as for one after the other."""

from __future__ import annotations

import warnings
from itertools import combinations
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.core.primitive import Primitive
from chainrule.func import grad, jvp, vmap
from chainrule.testing.samples import Sample, samples
from tests.ops.test_table import DIFFERENTIABLE, PRIMITIVES, by_name, close, draws, is_float, live, on_tensors, outputs

SIZE = 3
LOOPED = {
    "ctc_loss", "masked_scatter", "masked_select", "median", "multi_margin_loss", "multilabel_margin_loss",
}  # fmt: skip


def variants(sample: Sample) -> list[list[Any]]:
    """The operands of each sample of a batch: floats scaled a little, whole numbers and masks turned round."""
    return [[varied(x, k) for x in sample.operands] for k in range(SIZE)]


def varied(x: Any, k: int) -> Any:
    if is_float(x):
        return np.asarray(x * (1 - 0.05 * k))
    if isinstance(x, np.ndarray) and x.ndim and x.dtype != bool:
        return np.roll(x, k, axis=-1)
    return x


def choices(sample: Sample) -> list[tuple[int, ...]]:
    """Which operands are batched: each alone, and all of them."""
    arrays = [i for i, x in enumerate(sample.operands) if isinstance(x, np.ndarray)]
    return [c for n in {1, len(arrays)} if n for c in combinations(arrays, n)]


def both_ways(p: Primitive, sample: Sample, batched: tuple[int, ...]) -> tuple[list[Any], list[Any], list[Any]]:
    """The results of all samples at once and of one after the other, and what was warned of."""
    rows = variants(sample)

    def call(*xs: Any) -> Any:
        given = dict(zip(batched, xs, strict=True))
        operands = [given.get(i, cr.from_numpy(x) if isinstance(x, np.ndarray) else x) for i, x in enumerate(rows[0])]
        return on_tensors(p, sample, operands)

    stacks = [cr.from_numpy(np.stack([row[i] for row in rows])) for i in batched]
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        found = outputs(vmap(call)(*stacks))
    alone = [outputs(call(*(x[k] for x in stacks))) for k in range(SIZE)]
    return found, [cr.stack([row[j] for row in alone]) for j in range(len(alone[0]))], seen


def of_whole_numbers(p: Primitive, sample: Sample) -> Sample:
    """The sample, as whole numbers where the function takes no others."""
    takes_floats = not isinstance(p.fun, np.ufunc) or any("d" in signature for signature in p.fun.types)
    if takes_floats:
        return sample
    return sample._replace(operands=tuple(np.rint(3 * np.abs(x)).astype(int) for x in sample.operands))


@pytest.mark.parametrize("p", PRIMITIVES, **by_name)
def test_all_samples_at_once_are_each_of_them(p: Primitive) -> None:
    for sample in (of_whole_numbers(p, s) for s in samples(p)):
        if p.name in ("argmax", "argmin") and not sample.operands[0].size:
            continue  # refused, one or many
        for batched in choices(sample):
            found, wanted, seen = both_ways(p, sample, batched)
            for y, want in zip(found, wanted, strict=True):
                assert y.shape == want.shape
                assert y.dtype is want.dtype
                close(y.detach().numpy(), want.detach().numpy())
            by_mask = ("item" in p.name or p.name == "index_put") and any(sample.operands[i].dtype == bool for i in batched)
            if p.name not in LOOPED and not by_mask:
                assert not seen, (p.name, batched, str(seen[0].message))


def scalar_of(p: Primitive, sample: Sample, places: list[int]) -> Any:
    """A number that depends on all float outputs, as a function of the operands at these places."""

    def value(*xs: Any) -> Any:
        given = dict(zip(places, xs, strict=True))
        operands = [given.get(i, cr.from_numpy(x) if isinstance(x, np.ndarray) else x) for i, x in enumerate(sample.operands)]
        total: Any = cr.zeros((), dtype=cr.float64)
        for k, y in enumerate(outputs(on_tensors(p, sample, operands))):
            if y.dtype.is_floating_point:
                total = total + (y * cr.arange(1.0 + k, y.numel() + 1 + k, dtype=cr.float64).reshape(y.shape).cos()).sum()
        return total

    return value


def stacked(direction: np.ndarray) -> Any:
    """A direction for each sample."""
    return cr.from_numpy(np.asarray(np.stack([direction * (k + 1) for k in range(SIZE)])))


REAL = [p for p in DIFFERENTIABLE if p.name not in ("masked_select", "ctc_loss")]


def real_samples(p: Primitive) -> list[tuple[Sample, list[int]]]:
    """The samples with operands to differentiate by, without complex numbers."""
    found = [(s, live(p, s)) for s in samples(p) if not any(np.iscomplexobj(x) for x in s.operands)]
    return [(s, places) for s, places in found if places and p.kind != "zero derivative" and "dtype" not in s.params]


@pytest.mark.filterwarnings("ignore:There is a performance drop")
@pytest.mark.parametrize("p", REAL, **by_name)
def test_gradients_of_all_samples_are_those_of_each(p: Primitive) -> None:
    for sample, places in real_samples(p):
        value = scalar_of(p, sample, places)
        rows = variants(sample)
        stacks = [cr.from_numpy(np.stack([row[i] for row in rows])) for i in places]
        slope = grad(value, tuple(range(len(places))))
        found = vmap(slope)(*stacks)
        alone = [slope(*(x[k] for x in stacks)) for k in range(SIZE)]
        for j, g in enumerate(found):
            close(g.numpy(), cr.stack([row[j] for row in alone]).numpy())
        if len(places) > 1:  # the first alike for all samples, with a gradient for each of them
            axes = (None, *[0] * (len(places) - 1))
            found = vmap(slope, axes)(stacks[0][0], *stacks[1:])
            alone = [slope(stacks[0][0], *(x[k] for x in stacks[1:])) for k in range(SIZE)]
            for j, g in enumerate(found):
                close(g.numpy(), cr.stack([row[j] for row in alone]).numpy())


@pytest.mark.filterwarnings("ignore:There is a performance drop")
@pytest.mark.parametrize("p", REAL, **by_name)
def test_tangents_of_all_samples_are_those_of_each(p: Primitive) -> None:
    for sample, places in real_samples(p):
        value = scalar_of(p, sample, places)
        primals = tuple(cr.from_numpy(sample.operands[i]) for i in places)
        ways = tuple(map(stacked, draws(p, [sample.operands[i] for i in places])))

        def along(*tangents: Any) -> Any:
            return jvp(value, primals, tangents)[1]  # noqa: B023

        found = vmap(along)(*ways)
        for k in range(SIZE):
            close(found[k].numpy(), along(*(t[k] for t in ways)).numpy())


@pytest.mark.filterwarnings("ignore:There is a performance drop")
@pytest.mark.parametrize("p", REAL, **by_name)
def test_cotangents_of_all_rows_are_pulled_back_as_each(p: Primitive) -> None:
    for sample, places in real_samples(p):
        leaves = [cr.tensor(sample.operands[i], requires_grad=True) for i in places]
        given = dict(zip(places, leaves, strict=True))
        operands = [given.get(i, cr.from_numpy(x) if isinstance(x, np.ndarray) else x) for i, x in enumerate(sample.operands)]
        out = [y for y in outputs(on_tensors(p, sample, operands)) if y.requires_grad and y.dtype.is_floating_point]
        if not out:
            continue
        seeds = [stacked(d) for d in draws(p, [y.detach().numpy() for y in out])]
        settings: Any = {"retain_graph": True, "materialize_grads": True}
        found = cr.autograd.grad(out, leaves, seeds, is_grads_batched=True, **settings)
        for k in range(SIZE):
            for g, want in zip(found, cr.autograd.grad(out, leaves, [s[k] for s in seeds], **settings), strict=True):
                close(g[k].numpy(), want.numpy())


def test_what_has_no_rule_says_so() -> None:
    x = cr.randn(3, 4)
    with pytest.warns(UserWarning, match="we have not yet implemented the batching rule for median"):
        assert vmap(lambda a: a.median())(x).tolist() == x.median(1)[0].tolist()
