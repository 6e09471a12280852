"""chainrule.grad and value_and_grad on plain arrays."""

import numpy as np
import pytest

import chainrule as cr


def test_array_in_array_out_in_float64():
    x = np.linspace(0, 1, 5)
    g = cr.grad(lambda x: np.sum(np.sin(x) * np.exp(x)))(x)
    assert type(g) is np.ndarray and g.dtype == np.float64 and g.flags.c_contiguous and g.flags.writeable
    np.testing.assert_allclose(g, np.exp(x) * (np.sin(x) + np.cos(x)), rtol=1e-14)


def test_float32_stays():
    assert cr.grad(np.sum)(np.ones(3, np.float32)).dtype == np.float32


def test_whole_numbers_become_float64():
    assert cr.grad(lambda x: x**3)(3) == 27.0
    np.testing.assert_array_equal(cr.grad(lambda x: np.sum(x * x))(np.array([1, 2])), [2.0, 4.0])


def test_value_and_grad_is_a_float_and_an_array():
    value, slope = cr.value_and_grad(lambda x, y: np.dot(x, y), argnums=(0, 1))(np.ones(2), np.arange(2.0))
    assert type(value) is float and value == 1.0
    np.testing.assert_array_equal(slope[0], [0, 1])
    np.testing.assert_array_equal(slope[1], [1, 1])


@pytest.mark.parametrize("order", range(1, 7))
def test_orders(order):
    f = lambda x: np.exp(2 * x)  # noqa: E731
    for _ in range(order):
        f = cr.grad(f)
    np.testing.assert_allclose(f(0.3), 2**order * np.exp(0.6), rtol=1e-12)


def test_no_perturbation_confusion():
    assert cr.grad(lambda x: x * cr.grad(lambda y: x + 0 * y)(1.0))(1.0) == 0.0
    assert cr.grad(lambda x: x * cr.grad(lambda y: x * y)(2.0))(3.0) == 6.0


def test_constant_function_has_zero_gradient():
    np.testing.assert_array_equal(cr.grad(lambda x: 3.0)(np.ones(2)), [0, 0])


def test_under_no_grad():
    with cr.no_grad():
        assert cr.grad(lambda x: x * x)(3.0) == 6.0
        assert not cr.is_grad_enabled()


@pytest.mark.parametrize(
    ("f", "x", "words"),
    [
        (lambda x: x, np.ones(3), r"returned shape \(3,\)"),
        (lambda x: "no", 1.0, "returned str"),
        (lambda x: x, "no", "argument 0 must be a number"),
        (lambda x: x, [1.0, "a"], "argument 0"),
    ],
)
def test_bad_input_is_named(f, x, words):
    with pytest.raises(TypeError, match=words):
        cr.grad(f)(x)
