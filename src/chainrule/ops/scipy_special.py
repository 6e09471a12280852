"""SciPy's special functions, which are ufuncs: declared when the first of them meets a tensor, and SciPy is there for sure."""

from __future__ import annotations

import math
import sys
from typing import Any, Final

import numpy as np

from chainrule.core.box import LATE
from chainrule.core.primitive import TABLE, Primitive, elementwise
from chainrule.errors import NotInTable

ROOT_TWO_PI: Final = math.sqrt(2 * math.pi)
ROOT_PI: Final = math.sqrt(math.pi)
SQUARED: Final = [math.comb(2 * n, n) ** 2 / 16**n for n in range(14)]  # the coefficients of 2/pi K(m) in powers of m


def power_series(x: Any, coefficients: Any) -> Any:
    """The sum of ``coefficients[n] x**n``."""
    out: Any = x * 0
    for c in reversed(coefficients):
        out = out * x + c
    return out


def elliptic(x: Any, formula: Any, coefficients: Any) -> Any:
    """``formula``, which cancels near 0, or there the power series."""
    near = np.abs(x) < 0.05
    return np.where(near, math.pi / 2 * power_series(np.where(near, x, 0.0), coefficients), formula(np.where(near, 0.5, x)))


TAIL: Final = [math.prod(range(3, 2 * n + 2, 2)) / 2**n for n in range(7)]  # 1, 3/2, 15/4, 105/8, ...


def _erfcx_slope(sp: Any, x: Any) -> Any:
    """``2 x erfcx(x) - 2/sqrt(pi)``, which is ``-1/(x**2 sqrt(pi)) (1 - 3/(2 x**2) + 15/(4 x**4) - ...)`` for large x."""
    signed = [c * (-1) ** n for n, c in enumerate(TAIL)]
    away = x > 50
    u, y = np.where(away, x, 100.0), np.where(away, 0.0, x)
    return np.where(away, -power_series(1 / (u * u), signed) / (u * u * ROOT_PI), 2 * y * sp.erfcx(y) - 2 / ROOT_PI)


def _dawsn_slope(sp: Any, x: Any) -> Any:
    """``1 - 2 x dawsn(x)``, which is ``-1/(2 x**2) (1 + 3/(2 x**2) + 15/(4 x**4) + ...)`` for large x."""
    away = np.abs(x) > 50
    u, y = np.where(away, x, 100.0), np.where(away, 0.0, x)
    return np.where(away, -power_series(1 / (u * u), TAIL) / (2 * u * u), 1 - 2 * y * sp.dawsn(y))


DECLARED: Final[list[Primitive]] = []


def arrive(fun: Any) -> None:
    """Declare SciPy's functions, one of which ``fun`` may be."""
    special = sys.modules.get("scipy.special")
    if special is not None and special.expit not in TABLE:
        declare(special)


def declare(sp: Any) -> None:
    """The lines of the table; ``sp`` is `scipy.special`."""
    before = set(TABLE)
    of_error(sp)
    of_gamma(sp)
    of_bessel(sp)
    of_information(sp)
    DECLARED.extend(p for fun, p in TABLE.items() if fun not in before)


def of_error(sp: Any) -> None:
    """The error function, the normal distribution, and what is made of them."""
    slope = 2 / ROOT_PI
    elementwise(sp.erf, lambda x: slope * np.exp(-x * x), torch="")
    elementwise(sp.erfc, lambda x: -slope * np.exp(-x * x), torch="")
    elementwise(sp.erfcx, lambda x: _erfcx_slope(sp, x), torch="")
    elementwise(sp.erfi, lambda x: slope * np.exp(x * x), torch="")
    elementwise(sp.erfinv, lambda out: np.exp(out * out) / slope, torch="")
    elementwise(sp.erfcinv, lambda out: -np.exp(out * out) / slope, torch="")
    elementwise(sp.dawsn, lambda x: _dawsn_slope(sp, x), torch="")
    elementwise(sp.ndtr, lambda x: np.exp(-0.5 * x * x) / ROOT_TWO_PI, torch="")
    elementwise(sp.log_ndtr, lambda x, out: np.exp(-0.5 * x * x - out) / ROOT_TWO_PI, torch="")
    elementwise(sp.ndtri, lambda out: ROOT_TWO_PI * np.exp(0.5 * out * out), torch="")
    elementwise(sp.expit, lambda out: out * (1 - out), torch="")
    elementwise(sp.log_expit, lambda x: sp.expit(-x), torch="")
    elementwise(sp.logit, lambda x: 1 / (x * (1 - x)), torch="")


def of_gamma(sp: Any) -> None:
    """The gamma and beta functions; by the orders of the incomplete ones there is no derivative."""
    elementwise(sp.gamma, lambda x, out: out * sp.psi(x), torch="")
    elementwise(sp.gammaln, lambda x: sp.psi(x), torch="")
    elementwise(sp.psi, lambda x: sp.zeta(2.0, x), torch="")
    zeta = sp.zeta if isinstance(sp.zeta, np.ufunc) else sp._ufuncs._zeta  # which a function of SciPy's calls
    elementwise(zeta, unknown("zeta"), lambda x, y: -x * sp.zeta(x + 1, y), torch="")
    elementwise(sp.gammainc, unknown("gammainc"), lambda x, y: np.exp(sp.xlogy(x - 1, y) - y - sp.gammaln(x)), torch="")
    elementwise(sp.gammaincc, unknown("gammaincc"), lambda x, y: -np.exp(sp.xlogy(x - 1, y) - y - sp.gammaln(x)), torch="")
    elementwise(sp.beta, lambda x, y, out: out * (sp.psi(x) - sp.psi(x + y)),
                lambda x, y, out: out * (sp.psi(y) - sp.psi(x + y)), torch="")  # fmt: skip
    elementwise(sp.betaln, lambda x, y: sp.psi(x) - sp.psi(x + y), lambda x, y: sp.psi(y) - sp.psi(x + y), torch="")
    elementwise(sp.betainc, unknown("betainc"), unknown("betainc"),
                lambda x, y, z: np.exp(sp.xlogy(x - 1, z) + sp.xlog1py(y - 1, -z) - sp.betaln(x, y)), torch="")  # fmt: skip
    elementwise(sp.expi, lambda x: np.exp(x) / x, torch="")
    elementwise(sp.exp1, lambda x: -np.exp(-x) / x, torch="")


def unknown(name: str) -> Any:
    """The rule for an argument that there is no derivative by here, such as the order of a Bessel function."""

    def rule(g: Any) -> Any:
        raise NotInTable(
            f"the derivative of scipy.special.{name} by this argument is not in chainrule's derivative table. Where it is a "
            "constant, pass a number, or t.detach()."
        )

    return rule


def of_bessel(sp: Any) -> None:
    """Bessel functions, by their argument, and elliptic integrals."""
    elementwise(sp.j0, lambda x: -sp.j1(x), torch="")
    elementwise(sp.j1, lambda x: 0.5 * (sp.j0(x) - sp.jv(2.0, x)), torch="")
    elementwise(sp.y0, lambda x: -sp.y1(x), torch="")
    elementwise(sp.y1, lambda x: 0.5 * (sp.y0(x) - sp.yv(2.0, x)), torch="")
    elementwise(sp.i0, lambda x: sp.i1(x), torch="")
    elementwise(sp.i1, lambda x: 0.5 * (sp.i0(x) + sp.iv(2.0, x)), torch="")
    elementwise(sp.k0, lambda x: -sp.k1(x), torch="")
    elementwise(sp.k1, lambda x: -0.5 * (sp.k0(x) + sp.kv(2.0, x)), torch="")
    elementwise(sp.jv, unknown("jv"), lambda x, y: 0.5 * (sp.jv(x - 1, y) - sp.jv(x + 1, y)), torch="")
    elementwise(sp.yv, unknown("yv"), lambda x, y: 0.5 * (sp.yv(x - 1, y) - sp.yv(x + 1, y)), torch="")
    elementwise(sp.iv, unknown("iv"), lambda x, y: 0.5 * (sp.iv(x - 1, y) + sp.iv(x + 1, y)), torch="")
    elementwise(sp.kv, unknown("kv"), lambda x, y: -0.5 * (sp.kv(x - 1, y) + sp.kv(x + 1, y)), torch="")
    elementwise(sp.i0e, lambda x, out: sp.i1e(x) - np.sign(x) * out, torch="")
    elementwise(sp.i1e, lambda x, out: 0.5 * (sp.i0e(x) + sp.ive(2.0, x)) - np.sign(x) * out, torch="")
    elementwise(sp.ive, unknown("ive"),
                lambda x, y, out: 0.5 * (sp.ive(x - 1, y) + sp.ive(x + 1, y)) - np.sign(y) * out, torch="")  # fmt: skip
    elementwise(sp.ellipk, lambda x: elliptic(x, lambda m: (sp.ellipe(m) / (1 - m) - sp.ellipk(m)) / (2 * m),
                [n * SQUARED[n] for n in range(1, 14)]), torch="")  # fmt: skip
    elementwise(sp.ellipe, lambda x: elliptic(x, lambda m: (sp.ellipe(m) - sp.ellipk(m)) / (2 * m),
                [n * SQUARED[n] / (1 - 2 * n) for n in range(1, 14)]), torch="")  # fmt: skip


def _huber_by_delta(x: Any, y: Any, root: Any) -> Any:
    return 2 * x * (root - 1) - y * y / (x * root)


def of_information(sp: Any) -> None:
    """Entropies, and products with logarithms."""
    elementwise(sp.entr, lambda x: -np.log(x) - 1, torch="")
    elementwise(sp.rel_entr, lambda x, y: np.log(x / y) + 1, lambda x, y: -x / y, torch="")
    elementwise(sp.kl_div, lambda x, y: np.log(x / y), lambda x, y: 1 - x / y, torch="")
    elementwise(sp.xlogy, lambda y: np.log(y), lambda x, y: np.where(x == 0, 0.0, x / y), torch="")
    elementwise(sp.xlog1py, lambda y: np.log1p(y), lambda x, y: np.where(x == 0, 0.0, x / (1 + y)), torch="")
    elementwise(sp.exp10, lambda out: out * math.log(10), torch="")
    elementwise(sp.pseudo_huber, lambda x, y: _huber_by_delta(x, y, np.sqrt(1 + (y / x) ** 2)),
                lambda x, y: y / np.sqrt(1 + (y / x) ** 2), torch="")  # fmt: skip
    if sp.cbrt is not np.cbrt:
        elementwise(sp.cbrt, lambda out: 1 / (3 * out * out), torch="")


LATE.append(arrive)
