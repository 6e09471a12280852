"""Cotangents that are zero but at a few places: their sums, and that loops over elements cost no square."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

import chainrule as cr
from chainrule.core.sparse import Gathered, Placed, settled


def test_sums() -> None:
    a = Placed(np.array([1.0, 2.0]), (4,), slice(1, 3))
    b = Placed(np.array(5.0), (4,), 0)
    dense = np.arange(4.0)
    before = dense.copy()
    assert settled(a + b).tolist() == [5.0, 1.0, 2.0, 0.0]
    assert settled(dense + a).tolist() == [0.0, 2.0, 4.0, 3.0]
    assert settled((a + b) + dense).tolist() == [5.0, 2.0, 4.0, 3.0]
    assert settled(dense + (a + b)).tolist() == [5.0, 2.0, 4.0, 3.0]
    assert settled(Gathered(np.ones(4)) + Gathered(np.ones(4))).tolist() == [2.0] * 4
    assert np.array_equal(dense, before)
    assert a.astype(np.float32).dense().dtype == np.float32
    assert np.asarray(b).tolist() == [5.0, 0.0, 0.0, 0.0]


@pytest.mark.parametrize("pick", [lambda x, i: x[i], lambda x, i: x[i : i + 1].sum(), lambda x, i: x.select(0, i)])
def test_a_loop_over_elements_never_makes_an_array_for_each(pick: object) -> None:
    n, size = 300, 200_000
    x = cr.zeros(size, requires_grad=True)
    total = pick(x, 0) * 1.0  # type: ignore[operator]
    for i in range(1, n):
        total = total + pick(x, i) * float(i)  # type: ignore[operator]
    tracemalloc.start()
    total.backward()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 6 * size * 4  # n of them would be 300 times that of x
    assert x.grad is not None
    assert x.grad[:4].tolist() == [1.0, 1.0, 2.0, 3.0]
    assert x.grad.sum().item() == 1.0 + sum(range(1, n))


def test_with_hooks_and_views_on_the_way() -> None:
    x = cr.arange(6.0, requires_grad=True)
    y = x.view(2, 3) * 2
    seen = []
    y.register_hook(lambda g: seen.append(g.tolist()))
    (y[0, 1] * 3 + y[1].sum() + y[0, 1]).backward()
    assert seen == [[[0.0, 4.0, 0.0], [1.0, 1.0, 1.0]]]
    assert x.grad is not None
    assert x.grad.tolist() == [0.0, 8.0, 0.0, 2.0, 2.0, 2.0]


def test_nor_does_a_loop_whose_derivative_is_recorded() -> None:
    n, size = 200, 200_000
    x = cr.zeros(size, requires_grad=True)
    with cr.no_grad():
        x[:n] = cr.arange(float(n))
    total = x[0] ** 3
    for i in range(1, n):
        total = total + x[i] ** 3
    tracemalloc.start()
    (first,) = cr.autograd.grad(total, x, create_graph=True)
    (second,) = cr.autograd.grad(first.sum(), x)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10 * size * 4
    assert first[:4].tolist() == [0.0, 3.0, 12.0, 27.0]
    assert second[:4].tolist() == [0.0, 6.0, 12.0, 18.0]


def test_where_ufuncs_made_scalars_of_cotangents() -> None:
    x = cr.tensor(0.5, dtype=cr.float64, requires_grad=True)
    (x.tanh() + x[()].arccos()).backward()
    assert x.grad is not None
    assert x.grad.item() == pytest.approx(1 - np.tanh(0.5) ** 2 - 1 / np.sqrt(0.75))
