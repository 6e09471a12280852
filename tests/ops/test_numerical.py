"""NumPy's functions that are made of the table's: values beside NumPy's own, derivatives beside central differences."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.special as sp

import chainrule as cr

A = np.array([[1.1, 0.5, 0.25], [0.3, 2.1, 0.72], [0.2, 0.1, 2.9]])
B = np.array([[2.0, -1.0, 0.5], [0.1, 1.5, -0.3], [1.0, 0.4, 0.6]])


def holed(a: Any) -> Any:
    return np.where(A > 2.5, np.nan, a)


FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    # numerical
    "amax": lambda a: np.amax(a, axis=1), "amin": lambda a: np.amin(a), "fabs": lambda a: np.fabs(a - 0.4),
    "degrees": np.degrees, "radians": np.radians, "sinc": np.sinc, "around": lambda a: np.around(a * 3.3) * a,
    "fix": lambda a: np.fix(a) * a, "float_power": lambda a: np.float_power(a, 3), "divmod": lambda a: np.divmod(a, 0.37)[1],
    "modf": lambda a: np.modf(a * 3)[0], "ldexp": lambda a: np.ldexp(a, 2), "vecdot": lambda a: np.vecdot(a, B * a),
    "linalg.vecdot": lambda a: np.linalg.vecdot(a, B, axis=0), "linalg.outer": lambda a: np.linalg.outer(a[0], a[1]),
    "linalg.matmul": lambda a: np.linalg.matmul(a, a), "linalg.tensordot": lambda a: np.linalg.tensordot(a, B, axes=1),
    "nan_to_num": np.nan_to_num, "ediff1d": lambda a: np.ediff1d(a, to_begin=1.0), "angle": lambda a: np.angle(a + 1j * a * a),
    "average": np.average, "average axis": lambda a: np.average(a, axis=0), "ptp": lambda a: np.ptp(a, axis=1),
    "average weights": lambda a: np.average(a, axis=0, weights=[1.0, 2.0, 3.0]),
    "average by itself": lambda a: np.average(B, weights=a), "average returned": lambda a: np.average(a, returned=True)[0],
    "quantile": lambda a: np.quantile(a, 0.3), "quantiles": lambda a: np.quantile(a, [0.1, 0.5, 0.9], axis=0),
    "quantile kept": lambda a: np.quantile(a, 0.77, axis=(0, 1), keepdims=True), "median": np.median,
    "percentile": lambda a: np.percentile(a, 30, axis=1), "median axis": lambda a: np.median(a, axis=0, keepdims=True),
    "cov": np.cov, "cov of two": lambda a: np.cov(a[0], a[1] * a[2]), "cov columns": lambda a: np.cov(a, rowvar=False, ddof=0),
    "corrcoef": lambda a: np.corrcoef(a + B), "nansum": lambda a: np.nansum(holed(a), axis=0),
    "nanmean": lambda a: np.nanmean(holed(a), axis=1), "nanvar": lambda a: np.nanvar(holed(a)),
    "nanstd": lambda a: np.nanstd(holed(a), axis=0, ddof=1), "nanprod": lambda a: np.nanprod(holed(a)),
    "nanmax": lambda a: np.nanmax(holed(a), axis=1), "nanmin": lambda a: np.nanmin(holed(a), axis=0),
    "nancumsum": lambda a: np.nancumsum(holed(a)), "nancumprod": lambda a: np.nancumprod(holed(a), axis=1),
    "linspace": lambda a: np.linspace(a[0], a[1], 5),
    "linspace open": lambda a: np.linspace(a[0, 0], 2.0, 4, endpoint=False),
    "linspace axis": lambda a: np.linspace(0.0, a[1], 3, axis=-1), "logspace": lambda a: np.logspace(a[0, 0], a[0, 1], 4),
    "linspace step": lambda a: np.linspace(a[0, 0], 2.0, 4, retstep=True)[1],
    "trapezoid": lambda a: np.trapezoid(a, dx=0.5), "trapezoid of places": lambda a: np.trapezoid(B, np.cumsum(a[0])),
    "gradient": lambda a: np.gradient(a)[1], "gradient of places": lambda a: np.gradient(B[0], np.cumsum(a[0])),
    "gradient second order": lambda a: np.gradient(a, 0.5, axis=0, edge_order=2),
    "gradient places second order": lambda a: np.gradient(a[0], np.array([0.0, 0.4, 1.0]), edge_order=2),
    "interp": lambda a: np.interp(a, [0.0, 1.0, 2.5], [1.0, 3.0, -1.0]),
    "interp of values": lambda a: np.interp(0.7, [0, 1, 2], a[0]),
    "interp of places": lambda a: np.interp([0.4, 1.3, 9.0], np.cumsum(a[0]), a[1], left=-1.0),
    "unwrap": lambda a: np.unwrap(np.cumsum(a * 4, axis=1)), "convolve": lambda a: np.convolve(a[0], a[1, :2]),
    "convolve same": lambda a: np.convolve(a[0], np.ravel(a), "same"),
    "convolve valid": lambda a: np.convolve(np.ravel(a), a[0], "valid"),
    "correlate": lambda a: np.correlate(np.ravel(a), a[0]), "correlate full": lambda a: np.correlate(a[0], a[1], "full"),
    "correlate same": lambda a: np.correlate(a[0], a[1, :2], "same"), "polyval": lambda a: np.polyval(a[0], a[1]),
    "polyval of numbers": lambda a: np.polyval([1.0, -2.0, 0.5], a), "vander": lambda a: np.vander(a[0]),
    "vander up": lambda a: np.vander(a[0], 4, increasing=True), "kron": lambda a: np.kron(a, B),
    "kron vector": lambda a: np.kron(a[0], a),
    "cross": lambda a: np.cross(a[0], a[1]), "cross axis": lambda a: np.cross(a, B, axis=0),
    "linalg.cross": lambda a: np.linalg.cross(a, B),
    "matrix_power": lambda a: np.linalg.matrix_power(a, 5), "matrix_power inverse": lambda a: np.linalg.matrix_power(a, -2),
    "multi_dot": lambda a: np.linalg.multi_dot([a[0], a, B, a[:, 1]]), "vector_norm": lambda a: np.linalg.vector_norm(a),
    "vector_norm axis": lambda a: np.linalg.vector_norm(a, axis=0, ord=3), "matrix_norm": lambda a: np.linalg.matrix_norm(a),
    "sum where": lambda a: np.sum(a, where=B > 0), "sum initial": lambda a: np.sum(a * a, axis=0, initial=2.0),
    "prod initial": lambda a: np.prod(a, initial=2.0), "max initial": lambda a: np.max(a, axis=0, initial=0.4),
    "min where": lambda a: np.min(a, where=B > 0, initial=9.0), "mean where": lambda a: np.mean(a, axis=1, where=B > 0),
    "logaddexp.reduce": lambda a: np.logaddexp.reduce(a), "logaddexp.reduce axis": lambda a: np.logaddexp.reduce(a, axis=1),
    # assembling
    "hsplit": lambda a: np.hsplit(a, 3)[1], "vsplit": lambda a: np.vsplit(a, [1])[1], "dstack": lambda a: np.dstack([a, B]),
    "dsplit": lambda a: np.dsplit(np.stack([a, B], axis=2), 2)[0], "atleast_3d": lambda a: np.atleast_3d(a[0]),
    "delete": lambda a: np.delete(a, 1), "delete axis": lambda a: np.delete(a, [0, 2], axis=1),
    "compress": lambda a: np.compress([True, False, True], a, axis=1), "extract": lambda a: np.extract(a > 0.6, a),
    "insert": lambda a: np.insert(a[0], 1, a[1, 1]), "insert row": lambda a: np.insert(B, 2, a[1], axis=0),
    "insert column": lambda a: np.insert(a, -1, 5.0, axis=1), "block": lambda a: np.block([[a, B], [a[:1], B[1:2]]]),
    "block of numbers": lambda a: np.block([a[0, 0], 2.0]), "diagflat": lambda a: np.diagflat(a, 1),
    "meshgrid": lambda a: np.meshgrid(a[0], a[1])[0] * np.meshgrid(a[0], a[1])[1],
    "meshgrid ij": lambda a: np.meshgrid(a[0], [1.0, 2.0], indexing="ij")[0], "rot90": lambda a: np.rot90(a),
    "rot90 thrice": lambda a: np.rot90(a, 3), "rollaxis": lambda a: np.rollaxis(np.stack([a, B]), 2),
    "select": lambda a: np.select([a > 1, a > 0.4], [a * a, -a], 7.0), "tile": lambda a: np.tile(a, np.array([2, 1])),
    "piecewise": lambda a: np.piecewise(a, [a > 1, a < 0.4], [lambda x: x * x, 3.0, lambda x: -x]),
    "apply_along_axis": lambda a: np.apply_along_axis(lambda x: x[::-1] * x[0], 0, a),
    "apply_along_axis to numbers": lambda a: np.apply_along_axis(np.prod, 1, a), "matrix_transpose": np.matrix_transpose,
    "linalg.diagonal": lambda a: np.linalg.diagonal(a, offset=1), "linalg.trace": np.linalg.trace, "copy": np.copy,
    "pad edge": lambda a: np.pad(a, 2, mode="edge"), "pad reflect": lambda a: np.pad(a, ((1, 0), (2, 1)), mode="reflect"),
    "pad wrap": lambda a: np.pad(a, 1, mode="wrap"), "diff prepend": lambda a: np.diff(a, prepend=0.0, append=a[:, :1]),
    "take_along_axis stretched": lambda a: np.take_along_axis(a, np.array([[2]]), 0),
    "median of inf": lambda a: np.median(np.append(a[0], np.inf)),
    "unwrap half": lambda a: np.unwrap(np.array([0.0, 6.0, 0.0]) + a[0] * 0, period=4),
    "apply_along_axis to matrices": lambda a: np.apply_along_axis(lambda x: np.outer(x, x), 0, a[:, :2]),
    "minus a list": lambda a: [1, 2, 3] - (a - [1.0, 2.0, 3.0]), "delete the largest": lambda a: np.delete(a, np.argmax(a)),
    "delete by a mask": lambda a: np.delete(a[0], a[0] > 1),
    "insert at the largest": lambda a: np.insert(a[0], np.argmax(a[1]), 2.0),
    "piecewise of nothing": lambda a: np.piecewise(a, [a < -9, a >= -9], [lambda x: x[0], lambda x: x * x]),
    "meshgrid of its own": lambda a: [z := np.meshgrid(a[0], a[1])[0], z.__setitem__((0, 0), 5.0), z][2],
    "einsum view": lambda a: np.einsum("iji->ji", np.stack([a, B, a])),
    "solve stack": lambda a: np.linalg.solve(np.stack([B, B, B]), a),
}  # fmt: skip


OF_VALUES = ("delete the largest", "delete by a mask", "insert at the largest", "minus a list")  # which vmap refuses


def central(f: Callable[[Any], Any], x: np.ndarray, h: float = 1e-6) -> np.ndarray:
    """The Jacobian by central differences."""
    columns = []
    for k in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[k] = h
        columns.append((np.asarray(f(x + step)) - np.asarray(f(x - step))) / (2 * h))
    return np.reshape(np.stack(columns, axis=-1), (*np.shape(columns[0]), *x.shape))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_values_and_derivatives(name: str) -> None:
    f = FUNCTIONS[name]
    expected, slopes = f(A), central(f, A)
    for mode in ("forward", "reverse"):
        np.testing.assert_allclose(cr.jacobian(f, mode=mode)(A), slopes, rtol=1e-6, atol=1e-7)
    value, slope = cr.jvp(f, (A,), (B,))
    np.testing.assert_allclose(value, expected, rtol=1e-13, atol=1e-14)
    assert np.shape(value) == np.shape(expected)
    np.testing.assert_allclose(slope, np.tensordot(slopes, B, 2), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name not in OF_VALUES])
def test_batches(name: str) -> None:
    f = FUNCTIONS[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # places are looked for sample by sample
        found = cr.func.vmap(lambda t: cr.from_numpy(np.ones(())) * f(t))(cr.from_numpy(np.stack([A, A + 0.01])))
    np.testing.assert_allclose(found.numpy(), np.stack([f(A), f(A + 0.01)]), rtol=1e-12)


@pytest.mark.parametrize("name", OF_VALUES)
def test_what_asks_for_values_is_refused_in_batches(name: str) -> None:
    with pytest.raises((RuntimeError, TypeError)):
        cr.func.vmap(FUNCTIONS[name])(cr.from_numpy(np.stack([A, A])))


def test_answers_and_places() -> None:
    def f(x: Any) -> Any:
        assert np.allclose(x, A)
        assert not np.array_equal(x, A + 1)
        assert np.array_equal(holed(x), holed(A), equal_nan=True)
        assert np.isclose(x, A).all()
        assert np.searchsorted(np.sort(x[0]), 0.4) == 1
        assert np.digitize(x[0], [0.3, 1.0]).tolist() == [2, 1, 0]
        assert np.argwhere(x > 2.5).tolist() == [[2, 2]]
        assert np.flatnonzero(x > 1.5).tolist() == [4, 8]
        assert np.isin(x, [2.1]).sum() == 1
        assert np.result_type(x, np.float32) == np.float64
        assert np.isrealobj(x)
        return np.sum(x)

    assert (cr.grad(f)(A) == 1).all()


def test_what_numpy_refuses() -> None:
    refused: list[tuple[Callable[[Any], Any], type[Exception]]] = [
        (lambda a: np.split(a, 2), ValueError), (lambda a: np.diff(a, -1), ValueError),
        (lambda a: np.insert(a, 7, 1.0, 0), IndexError),
        (lambda a: np.gradient(a[:1, 0]), ValueError), (lambda a: np.convolve(a[0], a[1], "all"), ValueError),
        (lambda a: np.interp(0.5, a[0], a[1, :2]), ValueError), (lambda a: np.average(a, axis=0, weights=[1.0]), ValueError),
        (lambda a: np.meshgrid(a[0], indexing="ab"), ValueError), (lambda a: np.quantile(a, 1.2), ValueError),
    ]  # fmt: skip
    for f, kind in refused:
        with pytest.raises(kind):
            f(A)
        with pytest.raises(kind):
            cr.grad(lambda a, f=f: np.sum(f(a)[0]))(A)


@pytest.mark.parametrize(("f", "x", "orders"), [
    (sp.ellipk, 0.0, [np.pi / 8, 9 * np.pi / 64]), (sp.ellipe, 0.0, [-np.pi / 8, -3 * np.pi / 64]),
    (sp.ellipk, 1e-9, [np.pi / 8, 9 * np.pi / 64]), (sp.ellipe, -1e-9, [-np.pi / 8, -3 * np.pi / 64]),
    (sp.erfcx, 1e7, [-1e-14 / np.sqrt(np.pi), 2e-21 / np.sqrt(np.pi)]), (sp.dawsn, -1e7, [-0.5e-14, -1e-21]),
    (lambda x: sp.xlogy(0.0, x), 0.0, [0.0]), (lambda x: sp.xlog1py(0.0, x), -1.0, [0.0]),
    (lambda x: sp.gammainc(1.0, x), 0.0, [1.0, -1.0]), (lambda x: sp.betainc(1.0, 1.0, x), 0.0, [1.0, 0.0]),
], ids=["ellipk", "ellipe", "ellipk near 0", "ellipe near 0", "erfcx", "dawsn", "xlogy", "xlog1py", "gammainc",
        "betainc"])  # fmt: skip
def test_special_functions_where_their_formulas_fail(f: Callable[[Any], Any], x: float, orders: list[float]) -> None:
    slope: Any = f
    for expected in orders:
        slope = cr.grad(slope)
        assert slope(x) == pytest.approx(expected, rel=1e-8, abs=1e-30)
