"""Elementwise functions at the points where their formulas are taken apart."""

from __future__ import annotations

import math

import numpy as np

import chainrule as cr


def test_sinc_has_its_derivatives_at_0() -> None:
    x = cr.tensor([0.0, 0.5], dtype=cr.float64, requires_grad=True)
    (first,) = cr.autograd.grad(cr.sinc(x).sum(), x, create_graph=True)
    (second,) = cr.autograd.grad(first.sum(), x)
    pi = math.pi
    np.testing.assert_allclose(first.detach().numpy(), [0, -4 / pi], atol=1e-15)  # of sin(pi x) / (pi x)
    np.testing.assert_allclose(second.numpy(), [-pi * pi / 3, 16 / pi - 2 * pi], rtol=1e-14)
