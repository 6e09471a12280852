"""Pools: where the largest element of a window is, also beyond the size of NumPy's buffers."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule.ops.indexing import unraveled


@pytest.mark.parametrize("shape", [(7,), (5, 1), (8_193, 1), (3, 3_000, 1), (129, 64, 1, 1), (1, 9_000)])
def test_positions_along_each_axis(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    index = tuple(rng.integers(0, n, shape) for n in (3, 4, 5))
    flat = (index[0] * 4 + index[1]) * 5 + index[2]
    assert all(np.array_equal(a, b) for a, b in zip(unraveled(flat, (3, 4, 5)), index, strict=True))


@pytest.mark.parametrize("n", [2, 150])  # 9,600 windows: NumPy's unravel_index is wrong there
def test_the_gradient_goes_to_the_largest_element(n: int) -> None:
    rng = np.random.default_rng(0)
    values, g = rng.standard_normal((n, 64, 3, 3)), rng.standard_normal((n, 64, 1, 1))
    x = cr.tensor(values, requires_grad=True)
    y, places = cr.nn.functional.max_pool2d(x, 2, return_indices=True)
    y.backward(cr.tensor(g))
    windows = values[:, :, :2, :2].reshape(n, 64, 4)
    expected = np.zeros((n, 64, 9))
    where = np.array([0, 1, 3, 4])[windows.argmax(-1)][..., None]
    np.put_along_axis(expected, where, g[..., 0], -1)
    assert np.array_equal(places.numpy()[..., 0], where)
    assert np.array_equal(x.grad.numpy().reshape(n, 64, 9), expected)
