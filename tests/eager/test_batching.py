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
        return x * (1 - 0.05 * k)
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


def same_shapes(p: Primitive, sample: Sample) -> bool:
    """Whether samples may differ at all: the results of masks and of data-dependent sizes do not."""
    return p.name not in ("masked_select",)


@pytest.mark.parametrize("p", PRIMITIVES, **by_name)
def test_all_samples_at_once_are_each_of_them(p: Primitive) -> None:
    for sample in samples(p):
        for batched in choices(sample):
            found, wanted, seen = both_ways(p, sample, batched)
            for y, want in zip(found, wanted, strict=True):
                assert y.shape == want.shape
                assert y.dtype is want.dtype
                close(y.detach().numpy(), want.detach().numpy())
            if p.name not in LOOPED:
                assert not seen, (p.name, batched, str(seen[0].message))


def test_what_has_no_rule_says_so() -> None:
    x = cr.randn(3, 4)
    with pytest.warns(UserWarning, match="There is a performance drop because we have not yet implemented the batching rule for"):
        assert vmap(lambda a: a.median())(x).tolist() == x.median(1)[0].tolist()
