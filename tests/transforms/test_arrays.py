"""chainrule.grad and value_and_grad on plain arrays."""

import collections
import math

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


# Trees, and the other derivatives


def test_dictionaries_and_lists():
    p = {"a": np.ones(2), "b": [np.arange(2.0), 3.0]}
    g = cr.grad(lambda p: np.sum(p["a"] * p["b"][0]) + p["b"][1] ** 2)(p)
    np.testing.assert_array_equal(g["a"], [0, 1])
    np.testing.assert_array_equal(g["b"][0], [1, 1])
    assert g["b"][1] == 6.0 and type(g["b"][1]) is float
    h = cr.hessian(lambda p: np.sum(p["a"] ** 3) * p["b"])({"a": np.ones(2), "b": 2.0})
    np.testing.assert_array_equal(h["a"]["a"], 12 * np.eye(2))
    np.testing.assert_array_equal(h["b"]["a"], [3, 3])


def test_a_list_of_numbers_is_an_array():
    np.testing.assert_array_equal(cr.grad(lambda x: np.sum(x * x))([1.0, 2.0]), [2, 4])


MATRIX = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])


@pytest.mark.parametrize("mode", [None, "forward", "reverse"])
def test_jacobian(mode):
    x = np.array([0.3, -0.7])
    found = cr.jacobian(lambda x: np.tanh(MATRIX @ x), mode=mode)(x)
    assert type(found) is np.ndarray and found.dtype == np.float64 and found.flags.c_contiguous
    np.testing.assert_allclose(found, (1 - np.tanh(MATRIX @ x) ** 2)[:, None] * MATRIX, rtol=1e-14)


@pytest.mark.parametrize(("matrix", "words"), [(MATRIX, "forward mode, 2 columns"), (MATRIX.T, "reverse mode, 2 rows")])
def test_jacobian_takes_the_shorter_way(matrix, words, capsys):
    cr.jacobian(lambda x: matrix @ x, verbose=True)(np.ones(matrix.shape[1]))
    assert words in capsys.readouterr().out


@pytest.mark.parametrize("mode", [None, "forward"])
def test_jacobian_of_complex_numbers_is_that_along_the_real_axis(mode):
    z, x = np.array([1 + 1j, 2.0]), np.array([1.0, 2.0])
    np.testing.assert_allclose(cr.jacobian(lambda z: z * z, mode=mode)(z), np.diag(2 * z))
    np.testing.assert_allclose(cr.jacobian(lambda x: x * 1j, mode=mode)(x), 1j * np.eye(2))
    for argument in (z, x):
        with pytest.raises(TypeError, match="forward mode only"):
            cr.jacobian(lambda z: z * 1j, mode="reverse")(argument)


def test_jacobian_of_numbers_and_shapes():
    assert cr.jacobian(lambda x: x**3)(2.0) == 12.0
    assert cr.jacobian(lambda x: np.outer(x, x))(np.ones(3)).shape == (3, 3, 3)
    with pytest.raises(ValueError, match="mode is"):
        cr.jacobian(np.sum, mode="sideways")


def test_hessian_and_its_products():
    rosenbrock = lambda x: np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)  # noqa: E731
    x, v = np.array([1.3, 0.7, 0.8, 1.9]), np.array([1.0, -2.0, 0.5, 3.0])
    h = cr.hessian(rosenbrock)(x)
    from scipy.optimize import rosen_hess, rosen_hess_prod

    np.testing.assert_allclose(h, rosen_hess(x), rtol=1e-12)
    np.testing.assert_allclose(cr.hvp(rosenbrock)(x, v), rosen_hess_prod(x, v), rtol=1e-12)
    np.testing.assert_allclose(cr.jacobian(cr.grad(rosenbrock))(x), h, rtol=1e-12)
    np.testing.assert_allclose(cr.jacobian(cr.grad(rosenbrock), mode="forward")(x), h, rtol=1e-12)


def test_jvp_and_vjp():
    f = lambda x, y: np.sin(x) * y  # noqa: E731
    x, y = np.array([0.1, 0.2]), np.array([3.0, 4.0])
    value, slope = cr.jvp(f, (x, y), (np.ones(2), np.zeros(2)))
    np.testing.assert_allclose(value, np.sin(x) * y)
    np.testing.assert_allclose(slope, np.cos(x) * y)
    value, pull = cr.vjp(f, x, y)
    by_x, by_y = pull(np.ones(2))
    np.testing.assert_allclose(by_x, np.cos(x) * y)
    np.testing.assert_allclose(by_y, np.sin(x))
    assert type(by_x) is np.ndarray and cr.jvp(lambda x: x * x, (3.0,), (2.0,)) == (9.0, 12.0)
    with pytest.raises(TypeError, match=r"shape \(3,\) for \(2,\)"):
        cr.jvp(f, (x, y), (np.ones(3), y))


@pytest.mark.parametrize("wide", [False, True])
def test_batch_jacobian(wide):
    f = (lambda x: np.stack([x[:, 0], x[:, 1] ** 2, x[:, 0] * x[:, 1]], 1)) if wide else (lambda x: np.sum(x**2, 1))
    x = np.arange(8.0).reshape(4, 2)
    found = cr.batch_jacobian(f)(x)
    for row, block in zip(x, found, strict=True):
        np.testing.assert_allclose(block, cr.jacobian(lambda r: f(r[None])[0])(row))
    with pytest.raises(TypeError, match="for each of the 4 rows"):
        cr.batch_jacobian(np.sum)(x)


def test_derivatives_of_derivatives_through_what_is_captured():
    x = np.array([1.0, 2.0])
    inner = lambda x: cr.grad(lambda y: y * y * np.sum(x**2))(3.0)  # noqa: E731  # 6 sum x^2
    np.testing.assert_allclose(cr.grad(inner)(x), 12 * x)
    np.testing.assert_allclose(cr.jacobian(inner)(x), 12 * x)
    np.testing.assert_allclose(cr.jacobian(inner, mode="forward")(x), 12 * x)
    assert cr.jvp(inner, (x,), (np.ones(2),))[1] == pytest.approx(36.0)


# What would lose its derivative says so


def assigned(x):
    table = np.zeros(3)
    table[0] = x[0]
    return table.sum()


def assigned_block(x):
    table = np.zeros((4, 4))
    table[:2, :2] = x
    return table.sum()


@pytest.mark.parametrize("derivative", [cr.grad, cr.jacobian, lambda f: cr.jacobian(f, mode="forward"), cr.hessian])
@pytest.mark.parametrize(("f", "x"), [(assigned, np.ones(2)), (assigned_block, np.ones((2, 2)))])
def test_a_tensor_stored_in_a_plain_array(derivative, f, x):
    with pytest.raises(TypeError) as caught:
        derivative(f)(x)
    message = str(caught.value)
    for words in ("test_arrays.py, line", "table[", "np.zeros(n, like=t)", "np.zeros_like(t)", "np.stack([t0, t1, ...])"):
        assert words in message


@pytest.mark.parametrize("f", [lambda x: math.sin(x[0]), lambda x: float(x[0]), lambda x: np.array([x[0], x[1]]).sum()])
@pytest.mark.parametrize("derivative", [cr.grad, lambda f: cr.jacobian(f, mode="forward")])
def test_a_number_taken_out_of_a_tensor(derivative, f):
    with pytest.raises(TypeError, match="takes the plain number out of a tensor"):
        derivative(f)(np.ones(2))


def test_outside_of_derivatives_of_arrays_torch_decides():
    x = cr.tensor(2.0, requires_grad=True)
    table = np.zeros(1)
    with pytest.warns(UserWarning, match="Converting a tensor with requires_grad=True to a scalar"):
        table[0] = x
    assert table[0] == 2.0


# The programs that HIPS autograd's users ask for (their issues 58, 177, 375, 515, 556, 559): assignment


def into_zeros_like(x):
    y = np.zeros_like(x)
    y[0] = x[1] ** 2
    y[1] = x[0] * x[1]
    return np.sum(y)


def into_a_block(x):
    table = np.zeros((4, 4), like=x)
    table[:2, :2] = np.outer(x[:2], x[:2])
    table[2:, 2:] = 2 * table[:2, :2]
    return np.sum(table @ table)


def by_mask(x):
    y = x * 1.0
    y[y < 0] = 0.0
    return np.sum(y**2)


def added_in_place(x):
    y = np.ones_like(x) * x
    y[1:] += y[:-1] * 1.0
    return np.sum(y**2)


def into_a_triangle(x):
    lower = np.zeros((3, 3), like=x)
    lower[np.tril_indices(3)] = np.concatenate([x, x])
    return np.sum(lower @ lower.T)


def in_a_loop(x):
    y = np.empty_like(x)
    total = 1.0
    for i in range(len(x)):
        total = total * np.sin(x[i])
        y[i] = total
    return np.sum(y)


@pytest.mark.parametrize("f", [into_zeros_like, into_a_block, by_mask, added_in_place, into_a_triangle, in_a_loop])
def test_assignment(f):
    x = np.array([0.7, -1.3, 0.4])
    step = 1e-6
    numeric = [(float(f(x + step * unit)) - float(f(x - step * unit))) / (2 * step) for unit in np.eye(3)]
    np.testing.assert_allclose(cr.grad(f)(x), numeric, rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(cr.jacobian(f, mode="forward")(x), numeric, rtol=1e-7, atol=1e-7)
    slopes = cr.jacobian(cr.grad(f))(x)
    np.testing.assert_allclose(slopes, slopes.T, atol=1e-12)
    np.testing.assert_allclose(cr.hessian(f)(x), slopes, atol=1e-12)


def swapped(x):
    y = x * 1.0
    t = y[0]
    y[0] = y[1]
    y[1] = t
    return y


def summed_up(x):
    s = x[0]
    s += x[1]
    return np.stack([s, s * x[0], s**2])


def powers(x):
    found, s = [], x[0] * 1.0
    for _ in range(3):
        s *= x[1]
        found.append(s)
    return np.stack(found)


NUMBERS = [
    (swapped, [[0, 1], [1, 0]]),
    (summed_up, [[1, 1], [7, 2], [10, 10]]),
    (powers, [[3, 2], [9, 12], [27, 54]]),
]


@pytest.mark.parametrize("mode", ["forward", "reverse"])
@pytest.mark.parametrize(("f", "expected"), NUMBERS, ids=["swap", "add to an element", "keep what is multiplied"])
def test_elements_are_numbers(f, expected, mode):
    """As in NumPy, `y[i]` is no view of y, and `s += …` of a number makes another."""
    x = np.array([2.0, 3.0])
    assert cr.jacobian(f, mode=mode)(x).tolist() == expected
    assert x.tolist() == [2, 3]
    np.testing.assert_array_equal(cr.jvp(f, (x,), (np.array([1.0, 0.0]),))[0], f(x))


def test_writes_to_arguments_are_refused_in_every_mode_and_nothing_is_written():
    def f(x):
        x *= 2
        return np.tile(x, 2) ** 2

    x, along = np.ones(2), np.ones(2)
    for derivative in (
        lambda: cr.jacobian(f)(x), lambda: cr.jacobian(f, mode="forward")(x), lambda: cr.jacobian(f, mode="reverse")(x),
        lambda: cr.jvp(f, (x,), (along,)), lambda: cr.vjp(f, x), lambda: cr.grad(lambda x: f(x)[0])(x),
        lambda: cr.hessian(lambda x: f(x[:1])[0])(x), lambda: cr.hvp(lambda x: f(x)[0])(x, along),
    ):  # fmt: skip
        with pytest.raises(RuntimeError, match=r"'x \*= 2' .* writes to an argument .*: write to a copy, x = x\.copy\(\)"):
            derivative()
        assert (x == 1).all() and (along == 1).all()


def test_results_are_nobody_elses():
    x = np.array([0.5, 1.0])
    y, pull = cr.vjp(np.exp, x)
    expected = y.copy()
    y *= 0
    np.testing.assert_array_equal(pull(np.ones(2))[0], expected)
    direction = np.ones(2)
    value, slope = cr.jvp(lambda x: x, (x,), (direction,))
    value *= 5
    slope *= 5
    assert direction.tolist() == [1, 1] and x.tolist() == [0.5, 1]


def test_batch_jacobian_of_complex_numbers_is_that_along_the_real_axis():
    z = np.array([[1 + 1j]])
    np.testing.assert_allclose(cr.batch_jacobian(lambda z: z**2)(z), [[[2 + 2j]]])
    np.testing.assert_allclose(cr.batch_jacobian(lambda x: np.exp(1j * x))(np.ones((1, 1))), [[[1j * np.exp(1j)]]])


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda x: cr.grad(lambda a, b: a * b, argnums=(0, 0))(2.0, 3.0), ValueError, "twice"),
        (lambda x: cr.jacobian(lambda x: x, chunk_size=0), ValueError, "chunk_size"),
        (lambda x: cr.grad(np.sum)(np.ma.array(x, mask=x > 1)), TypeError, "masked array"),
        (lambda x: cr.grad(lambda x: np.sum(np.ravel(x, order="K")))(x), cr.errors.NotInTable, "order='K'"),
        (lambda x: cr.grad(lambda x: x[0].item() * x[1])(x), TypeError, "derivative would be lost"),
        (lambda x: cr.grad(lambda x: x.tolist()[0] * x[1])(x), TypeError, "derivative would be lost"),
    ],
)
def test_what_would_be_wrong_is_refused(call, error, words):
    with pytest.raises(error, match=words):
        call(np.array([1.0, 2.0]))


def test_joined_without_an_axis_and_raveled_by_columns():
    x = np.arange(1.0, 5.0).reshape(2, 2)
    slope = cr.grad(lambda x: np.concatenate([x, x**2], axis=None) @ np.arange(8.0))
    np.testing.assert_array_equal(slope(x), np.arange(4.0).reshape(2, 2) + 2 * x * np.arange(4.0, 8.0).reshape(2, 2))
    np.testing.assert_array_equal(cr.grad(lambda x: np.ravel(x, order="F") @ np.arange(4.0))(x), [[0, 2], [1, 3]])


def test_slogdet_of_complex_matrices():
    z, d = np.array([[1 + 2j, 0.5], [0.3j, 2 - 1j]]), np.array([[1j, 0.3], [0.2 - 1j, 0.5]])
    _, (turn, size) = cr.jvp(np.linalg.slogdet, (z,), (d,))
    along = np.trace(np.linalg.solve(z, d))
    np.testing.assert_allclose(size, along.real)
    np.testing.assert_allclose(turn, 1j * along.imag * np.linalg.slogdet(z).sign)
    slope = cr.vjp(lambda z: np.linalg.slogdet(z).logabsdet, z)[1](1.0)[0]
    np.testing.assert_allclose(slope, np.linalg.inv(z).conj().T)


def test_solve_promotes_as_numpy_does():
    x, b = np.array([0.5, 2.0]), np.array([1, 2])
    np.testing.assert_allclose(cr.grad(lambda x: np.sum(np.linalg.solve(np.diag(x), b)))(x), -b / x**2)
    np.testing.assert_allclose(cr.grad(lambda x: np.sum(np.linalg.solve(np.eye(2, dtype=int), x)))(x), [1, 1])


def test_inference_mode_is_refused():
    with cr.inference_mode(), pytest.raises(RuntimeError, match="inference_mode"):
        cr.grad(np.sum)(np.ones(2))


def test_where_a_condition_holds():
    x = np.array([0.5, 2.0, 3.0])
    assert cr.grad(lambda x: np.sum(x[np.where(x > 1)] ** 2))(x).tolist() == [0, 4, 6]
    assert cr.grad(lambda x: np.sum(x[np.nonzero(x)] ** 2))(x).tolist() == [1, 4, 6]


def test_named_tuples_are_trees_and_constants_have_no_slope():
    point = collections.namedtuple("point", "a b")
    assert cr.grad(lambda p: p.a**2 * p.b)(point(2.0, 3.0)) == point(12.0, 4.0)
    assert cr.value_and_grad(lambda x: np.where(True, 1.0, 2.0))(1.0) == (1.0, 0.0)


def named_twice(x):
    y = x * 1.0
    y[[0, 0]] = x[1:] ** 2
    return y


def test_of_what_is_stored_in_one_place_the_last_counts():
    x = np.arange(1.0, 4.0)
    by_columns, by_rows = (cr.jacobian(named_twice, mode=mode)(x) for mode in ("forward", "reverse"))
    assert by_columns.tolist() == by_rows.tolist() == [[0, 0, 6], [0, 1, 0], [0, 0, 1]]


def test_whole_numbers_in_functions_of_arrays_count_as_float64() -> None:
    i = cr.tensor([1, 2, 3])
    assert cr.jacobian(lambda x: x.argmax(), mode="reverse")(np.arange(3.0)).tolist() == [0, 0, 0]
    value, pull = cr.vjp(lambda x: x * x, i)
    assert value.dtype is cr.float64
    assert pull(np.ones(3))[0].tolist() == [2, 4, 6]
