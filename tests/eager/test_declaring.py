"""Derivatives of one's own in a line: what they compute, to second order, and what is refused."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.autograd import grad, gradcheck, gradgradcheck


def leaf(*values: float) -> cr.Tensor:
    return cr.tensor(list(values), dtype=cr.float64, requires_grad=True)


PRODUCTS = {
    "a vjp each": cr.custom_vjp(lambda g, y: g * y, lambda g, x: g * x)(lambda x, y: x * y),
    "one vjp for all": cr.custom_vjp(lambda g, x, y: (g * y, g * x))(lambda x, y: x * y),
    "a jvp each": cr.custom_jvp(lambda t, y: t * y, lambda t, x: t * x)(lambda x, y: x * y),
    "by the output": cr.custom_vjp(lambda g, out, x: g * out / x, lambda g, out, y: g * out / y)(lambda x, y: x * y),
}


@pytest.mark.parametrize("product", PRODUCTS.values(), ids=PRODUCTS)
def test_to_second_order(product: Any) -> None:
    x, y = leaf(1.0, 2.0), leaf(3.0, -0.5)
    assert gradcheck(product, (x, y))
    assert gradgradcheck(product, (x, y))
    assert product(2.0, 4.0) == 8.0  # without tensors it is what it was
    assert np.array_equal(product(np.ones(2), np.ones(2)), np.ones(2))


def test_the_node_has_the_name_of_the_function() -> None:
    @cr.custom_vjp(lambda g, out: g * out)
    def my_exp(x: Any) -> Any:
        """The exponential."""
        return np.exp(x)

    x = leaf(0.0, 1.0)
    y = my_exp(x)
    assert y.grad_fn.name() == "MyExpBackward"
    assert my_exp.__doc__ == "The exponential."
    assert gradgradcheck(my_exp, (x,))


def test_static_arguments_and_defaults() -> None:
    @cr.custom_vjp(lambda g, x, n: g * n * x ** (n - 1))
    def power(x: Any, n: int = 2) -> Any:
        return x**n

    x = leaf(1.5)
    for n, expected in ((2, 3.0), (3, 6.75)):
        (g,) = grad(power(x, n=n).sum(), x)
        assert g.item() == pytest.approx(expected)
    (g,) = grad(power(x).sum(), x)
    assert g.item() == pytest.approx(3.0)


def test_only_what_a_rule_mentions_is_saved() -> None:
    doubled = cr.custom_vjp(lambda g: 2 * g)(lambda x: 2 * x)
    x = leaf(1.0)
    y = doubled(x)
    assert y.grad_fn.saved_tensors == (None,)


def test_several_outputs() -> None:
    both = cr.custom_vjp(lambda g, x: g[0] * x.cos() - g[1] * x.sin())(lambda x: (x.sin(), x.cos()))
    x = leaf(0.3, 0.7)
    assert gradcheck(both, (x,))
    s, c = both(x)
    (g,) = grad((s * 2 + c).sum(), x)
    assert np.allclose(g.numpy(), 2 * np.cos(x.detach().numpy()) - np.sin(x.detach().numpy()))


def test_a_rule_may_mention_arguments_only() -> None:
    with pytest.raises(TypeError, match=r"may mention g \(or t\), out and x, not q"):
        cr.custom_vjp(lambda g, q: g)(lambda x: x)


def test_linear_maps() -> None:
    matrix = np.arange(6.0).reshape(2, 3)
    product = cr.linear(lambda v: matrix @ v, lambda g: matrix.T @ g)
    product.check(np.ones(3))
    x = leaf(1.0, -1.0, 0.5)
    assert gradcheck(product, (x,))
    assert gradgradcheck(product, (x,))
    (g,) = grad((product(x) ** 2).sum(), x, create_graph=True)
    (h,) = grad(g.sum(), x)
    assert np.allclose(h.numpy(), 2 * matrix.T @ matrix @ np.ones(3))
    assert np.array_equal(product(np.ones(3)), matrix @ np.ones(3))
    with pytest.raises(ValueError, match="not the adjoint"):
        cr.linear(lambda v: matrix @ v, lambda g: 2 * matrix.T @ g).check(np.ones(3))


def test_black_boxes() -> None:
    x, y = leaf(0.5, 1.5), leaf(2.0, 1.0)
    box = cr.numeric(lambda a, b: np.sin(a) * b[::-1])
    assert gradcheck(box, (x, y), atol=1e-7)
    exact = cr.numeric(lambda a, b: np.exp(a) * b, complex_step=True)
    (g,) = grad(exact(x, y).sum(), x)
    assert np.allclose(g.numpy(), np.exp(x.detach().numpy()) * y.detach().numpy(), rtol=1e-15)
    scalar = cr.numeric(math.erf)
    z = cr.tensor(0.5, dtype=cr.float64, requires_grad=True)
    scalar(z).backward()
    assert z.grad is not None
    assert z.grad.item() == pytest.approx(2 / math.sqrt(math.pi) * math.exp(-0.25), rel=1e-9)
    assert scalar(0.5) == math.erf(0.5)
    (first,) = grad(box(x, y).sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="outside of the tape"):
        first.sum().backward()


def test_float32_stays() -> None:
    x = cr.tensor([0.5], requires_grad=True)
    y = cr.numeric(np.sin)(x)
    y.backward()
    assert y.dtype is cr.float32
    assert x.grad is not None
    assert x.grad.dtype is cr.float32
