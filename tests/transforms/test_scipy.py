"""SciPy takes our functions as they stand: floats, and contiguous float64 arrays, come out."""

import warnings

import numpy as np
import pytest

import chainrule as cr

optimize = pytest.importorskip("scipy.optimize")
integrate = pytest.importorskip("scipy.integrate")

START = np.array([1.3, 0.7, 0.8, 1.9, 1.2])


def rosenbrock(x):
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


METHODS = {
    "CG": {}, "BFGS": {}, "L-BFGS-B": {}, "TNC": {}, "SLSQP": {},
    "Newton-CG": {"hessp": cr.hvp(rosenbrock)}, "trust-ncg": {"hessp": cr.hvp(rosenbrock)},
    "trust-krylov": {"hessp": cr.hvp(rosenbrock)}, "trust-constr": {"hessp": cr.hvp(rosenbrock)},
    "trust-exact": {"hess": cr.hessian(rosenbrock)}, "dogleg": {"hess": cr.hessian(rosenbrock)},
}  # fmt: skip


@pytest.mark.parametrize("method", METHODS)
def test_every_method_that_uses_derivatives_finds_the_minimum_of_rosenbrock(method):
    start = START if method != "dogleg" else 1 + 0.02 * (START - 1)  # it needs a convex neighbourhood
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = optimize.minimize(cr.value_and_grad(rosenbrock), start, jac=True, method=method, tol=1e-9,
                                  options={"maxiter": 5000} if method != "TNC" else {"maxfun": 5000},
                                  **METHODS[method])  # fmt: skip
    np.testing.assert_allclose(found.x, 1, atol=2e-3)


def test_a_curve_is_fitted():
    t = np.linspace(0, 4, 60)
    y = 2.5 * np.exp(-1.3 * t) + 0.5 + 0.01 * np.sin(37 * t)
    residuals = lambda p: p[0] * np.exp(-p[1] * t) + p[2] - y  # noqa: E731
    found = optimize.least_squares(residuals, [1.0, 1.0, 0.0], jac=cr.jacobian(residuals))
    wanted, _ = optimize.curve_fit(lambda t, a, b, c: a * np.exp(-b * t) + c, t, y, p0=[1, 1, 0])
    np.testing.assert_allclose(found.x, wanted, rtol=1e-5)


def test_a_root_is_found():
    f = lambda x: np.stack([x[0] ** 2 + x[1] ** 2 - 1, x[0] - x[1] ** 3])  # noqa: E731
    found = optimize.root(f, [0.5, 0.5], jac=cr.jacobian(f))
    assert found.success
    np.testing.assert_allclose(np.asarray(f(found.x)), 0, atol=1e-10)


def test_a_stiff_equation_is_solved():
    pol = lambda t, y: np.stack([y[1], 100 * (1 - y[0] ** 2) * y[1] - y[0]])  # noqa: E731
    ours = integrate.solve_ivp(pol, (0, 50), [2.0, 0.0], method="Radau", jac=cr.jacobian(pol, argnums=1), rtol=1e-8)
    theirs = integrate.solve_ivp(pol, (0, 50), [2.0, 0.0], method="Radau", rtol=1e-8)
    assert ours.success
    np.testing.assert_allclose(ours.y[:, -1], theirs.y[:, -1], rtol=1e-5)


def test_slsqp_with_a_constraint_stays_in_float64():
    f = lambda x: np.sum(x**4) - np.sum(x)  # noqa: E731
    on_the_plane = lambda x: np.sum(x) - 1  # noqa: E731
    constraint = {"type": "eq", "fun": on_the_plane, "jac": cr.grad(on_the_plane)}
    found = optimize.minimize(cr.value_and_grad(f), [0.8, 0.1, 0.1], jac=True, method="SLSQP", constraints=[constraint])
    assert found.success
    np.testing.assert_allclose(found.x, 1 / 3, atol=1e-4)


def test_logistic_regression_on_the_breast_cancer_set_is_scikit_learns():
    datasets = pytest.importorskip("sklearn.datasets")
    linear_model = pytest.importorskip("sklearn.linear_model")
    x, y = datasets.load_breast_cancer(return_X_y=True)
    x = (x - x.mean(0)) / x.std(0)

    def loss(w):
        z = x @ w[:-1] + w[-1]
        return np.sum(np.logaddexp(0, z) - y * z) + 0.5 * np.sum(w[:-1] ** 2)

    options = {"maxiter": 2000, "ftol": 1e-15, "gtol": 1e-9}
    found = optimize.minimize(cr.value_and_grad(loss), np.zeros(31), jac=True, method="L-BFGS-B", options=options)
    theirs = linear_model.LogisticRegression(C=1.0, tol=1e-10, max_iter=10_000).fit(x, y)
    np.testing.assert_allclose(found.x[:-1], theirs.coef_[0], atol=1e-4)
    np.testing.assert_allclose(found.x[-1], theirs.intercept_[0], atol=1e-4)
