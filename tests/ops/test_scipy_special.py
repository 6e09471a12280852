"""SciPy's special functions on tensors: first and second derivatives, either way, beside differences."""

import numpy as np
import pytest

import chainrule as cr
from chainrule.core.primitive import TABLE
from chainrule.ops import scipy_special

special = pytest.importorskip("scipy.special")
scipy_special.arrive(special.expit)

POINTS = {
    "_zeta": (2.5, 1.7), "zeta": (2.5, 1.7), "gammainc": (1.3, 0.8), "gammaincc": (1.3, 0.8), "betainc": (1.2, 2.3, 0.4),
    "jv": (1.5, 2.0), "yv": (1.5, 2.0), "iv": (1.5, 2.0), "kv": (1.5, 2.0), "ive": (1.5, 2.0), "pseudo_huber": (1.2, 0.7),
    "rel_entr": (0.7, 1.2), "kl_div": (0.7, 1.2), "xlogy": (0.7, 1.2), "xlog1py": (0.7, 1.2), "beta": (0.7, 1.2),
    "betaln": (0.7, 1.2),
}  # fmt: skip
OURS = [p for f, p in TABLE.items() if isinstance(f, np.ufunc) and getattr(np, p.name, None) is not f]
CASES = [(p, i) for p in OURS for i in range(p.arity) if p.rule(i) is not None]


def test_there_are_many():
    assert len(OURS) > 40


@pytest.mark.parametrize(("p", "i"), CASES, ids=lambda x: getattr(x, "name", x))
def test_derivatives(p, i):
    point = POINTS.get(p.name, (0.4,))
    f = lambda x: p.fun(*point[:i], x, *point[i + 1 :])  # noqa: E731
    slope = cr.grad(f)
    x, step = point[i], 1e-5
    assert slope(x) == pytest.approx((f(x + step) - f(x - step)) / (2 * step), rel=1e-7)
    assert cr.grad(slope)(x) == pytest.approx((slope(x + step) - slope(x - step)) / (2 * step), rel=1e-6, abs=1e-9)
    assert cr.jvp(f, (x,), (1.0,))[1] == pytest.approx(slope(x), rel=1e-12)


def test_arrays_and_batches():
    x = np.linspace(0.1, 2, 5)
    np.testing.assert_allclose(cr.grad(lambda x: np.sum(special.gammaln(x)))(x), special.psi(x), rtol=1e-12)
    np.testing.assert_allclose(cr.jacobian(special.j0, mode="forward")(x), np.diag(-special.j1(x)), atol=1e-15)
