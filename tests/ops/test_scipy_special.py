"""SciPy's special functions on tensors: first and second derivatives, either way, beside differences."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.ops import scipy_special

special = pytest.importorskip("scipy.special")

POINTS = {
    "zeta": (2.5, 1.7), "gammainc": (1.3, 0.8), "gammaincc": (1.3, 0.8), "betainc": (1.2, 2.3, 0.4),
    "jv": (1.5, 2.0), "yv": (1.5, 2.0), "iv": (1.5, 2.0), "kv": (1.5, 2.0), "ive": (1.5, 2.0), "pseudo_huber": (1.2, 0.7),
    "rel_entr": (0.7, 1.2), "kl_div": (0.7, 1.2), "xlogy": (0.7, 1.2), "xlog1py": (0.7, 1.2), "beta": (0.7, 1.2),
    "betaln": (0.7, 1.2),
}  # fmt: skip
OF_ONE = [
    "erf", "erfc", "erfcx", "erfi", "erfinv", "erfcinv", "dawsn", "ndtr", "log_ndtr", "ndtri", "expit", "log_expit", "logit",
    "gamma", "gammaln", "psi", "expi",
    "exp1", "j0", "j1", "y0", "y1", "i0", "i1", "k0", "k1", "i0e", "i1e", "ellipk", "ellipe",
    "entr", "exp10", "cbrt",
]  # fmt: skip
BY = {  # the operands that there is a derivative by, where not all
    "gammainc": (1,), "gammaincc": (1,), "betainc": (2,), "jv": (1,), "yv": (1,), "iv": (1,), "kv": (1,),
    "ive": (1,), "zeta": (1,),
}  # fmt: skip
CASES = [(name, i) for name in (*OF_ONE, *POINTS) for i in BY.get(name, range(len(POINTS.get(name, "x"))))]


def test_each_is_tested():
    cr.grad(special.expit)(0.3)  # the first one has all of them declared
    names = {p.name.lstrip("_") for p in scipy_special.DECLARED}
    assert names == {name for name, _ in CASES}


@pytest.mark.parametrize(("name", "i"), CASES)
def test_derivatives(name, i):
    point = POINTS.get(name, (0.4,))
    f = lambda x: getattr(special, name)(*point[:i], x, *point[i + 1 :])  # noqa: E731
    slope = cr.grad(f)
    x, step = point[i], 1e-5
    assert slope(x) == pytest.approx((f(x + step) - f(x - step)) / (2 * step), rel=1e-7)
    assert cr.grad(slope)(x) == pytest.approx((slope(x + step) - slope(x - step)) / (2 * step), rel=1e-6, abs=1e-9)
    assert cr.jvp(f, (x,), (1.0,))[1] == pytest.approx(slope(x), rel=1e-12)


def test_arrays_and_batches():
    x = np.linspace(0.1, 2, 5)
    np.testing.assert_allclose(cr.grad(lambda x: np.sum(special.gammaln(x)))(x), special.psi(x), rtol=1e-12)
    np.testing.assert_allclose(cr.jacobian(special.j0, mode="forward")(x), np.diag(-special.j1(x)), atol=1e-15)


@pytest.mark.parametrize("name", [name for name in BY if name != "betainc"])
def test_what_there_is_no_derivative_by_is_refused(name):
    order, x = POINTS[name]
    f = lambda t: getattr(special, name)(t, x)  # noqa: E731
    for derivative in (lambda: cr.grad(f)(order), lambda: cr.jvp(f, (order,), (1.0,))):
        with pytest.raises(cr.errors.NotInTable, match=f"special.{name.lstrip('_')} by this argument"):
            derivative()
