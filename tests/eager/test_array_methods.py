"""What methods, indices, numbers and writes mean in functions of arrays: what NumPy means by them."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from tests.ops.test_numerical import central

A = np.array([[1.25, 0.5, 0.3], [0.35, 2.25, 0.7]])


def written(x: Any, write: Callable[[Any, Any], Any]) -> Any:
    """What ``write`` makes of a copy."""
    y = x.copy()
    out = write(x, y)
    return y if out is None else out


def trajectory(x: Any, axis: int) -> Any:
    """Steps of an integration, stored row by row or column by column."""
    shape = (4, 3) if axis == 0 else (3, 4)
    y = np.zeros(shape, like=x) if isinstance(x, cr.Tensor) else np.zeros(shape)
    place = (lambda k: k) if axis == 0 else (lambda k: (slice(None), k))
    y[place(0)] = x[0]
    for k in range(3):
        y[place(k + 1)] = y[place(k)] + 0.1 * np.sin(y[place(k)]) * x[1]
    return y


def cholesky(x: Any) -> Any:
    """A factorisation, stored element by element."""
    a = np.matmul(x, x.T) + np.eye(2)
    lower = np.zeros_like(a)
    for i in range(2):
        for j in range(i + 1):
            rest = a[i, j] - np.dot(lower[i, :j], lower[j, :j])
            lower[i, j] = np.sqrt(rest) if i == j else rest / lower[j, j]
    return lower


FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "std": lambda x: x.std(), "std axis": lambda x: x.std(0), "var ddof": lambda x: x.var(axis=1, ddof=1),
    "standardised": lambda x: (x - x.mean(0)) / x.std(0), "max": lambda x: x.max(axis=1),
    "min kept": lambda x: x.min(keepdims=True),
    "max axes": lambda x: x.max(axis=(0, 1)), "softmax": lambda x: np.exp(x - x.max(axis=1, keepdims=True)),
    "sum kept": lambda x: x.sum(keepdims=True), "prod axes": lambda x: x.prod(axis=(0, 1)), "mean": lambda x: x.mean(axis=0),
    "transpose": lambda x: x.transpose(),
    "transpose named": lambda x: x.transpose(0, 1), "transpose tuple": lambda x: x.transpose((1, 0)),
    "repeat": lambda x: x.repeat(2), "repeat axis": lambda x: x.repeat(2, 1), "cumsum": lambda x: x.cumsum(),
    "cumprod": lambda x: x.cumprod(axis=1),
    "dot": lambda x: x.dot(x.T), "take": lambda x: x.take([0, 4]), "round": lambda x: (x * 1.13).round(1) * x,
    "argsort": lambda x: x[0][x[0].argsort()], "nonzero": lambda x: x[(x > 0.6).nonzero()], "ravel F": lambda x: x.ravel("F"),
    "flatten": lambda x: written(x, lambda x, y: [z := y.flatten(), z.__imul__(2), y][2]), "trace": lambda x: x.trace(1),
    "astype": lambda x: x.astype(float) * 2, "size": lambda x: x.sum() / x.size, "size called": lambda x: x.sum() * x.shape[0],
    "conjugate": lambda x: x.conjugate(), "compress": lambda x: x.compress([False, True], axis=0),
    "diagonal": lambda x: x.diagonal(),
    "sort": lambda x: written(x, lambda x, y: y.sort()), "fill": lambda x: written(x, lambda x, y: y.fill(2.0)),
    "plus": lambda x: written(x, lambda x, y: [z := +y, z.__imul__(2), y][2]),
    "copy.copy": lambda x: copy.copy(x) ** 2, "deepcopy": lambda x: copy.deepcopy([x])[0] ** 2,
    "deepcopy of a result": lambda x: copy.deepcopy(x * 2) ** 2, "dtype": lambda x: x * np.ones(3, dtype=x.dtype),
    "eps": lambda x: x + np.finfo(x.dtype).eps, "issubdtype": lambda x: x * np.issubdtype(x.dtype, np.floating),
    "list": lambda x: x * [1.0, 2.0, 3.0] + [1, 2, 3], "list first": lambda x: [1.0, 2.0, 3.0] * x,
    "dot list": lambda x: np.dot(x, [1, 2, 3]),
    "list of lists as index": lambda x: x[[[0, 1], [1, 0]]],
    "number beside a list": lambda x: np.stack([x, x])[0, :, [0, 2]],
    "dots between lists": lambda x: x[[0, 1], ..., [1, 0]], "format": lambda x: x * len(f"{x[0, 0]:.3f}"),
    "bool mean": lambda x: x * (x > 0.6).mean(), "bools less one": lambda x: x * ((x > 0.6) - 1),
    "where of numbers": lambda x: np.where(x > 0.6, 0.1, 0.2) * x, "share": lambda x: np.mean(x > 0.6) + 0 * x,
    "count": lambda x: np.sum(x > 0.6) / 7 + 0 * x, "argmax": lambda x: np.argmax(x) * 0.1 + 0 * x,
    "number and float32": lambda x: x[0, 0] * np.array([0.1, 0.2], np.float32),
    "number and float16": lambda x: x.sum() * np.ones(2, np.float16),
    "elements kept": lambda x: written(x[0], lambda x, y: [parts := list(y), y.__iadd__(1), parts[0] * parts[1]][2]),
    "store with dots": lambda x: written(x, lambda x, y: y.__setitem__((0, 1, Ellipsis), x[1, 1:2].sum())),
    "store longer": lambda x: written(x[0], lambda x, y: y.__setitem__((0, Ellipsis), x[1:2])),
    "einsum view": lambda x: written(x, lambda x, y: [np.einsum("ij->ji", y).__setitem__(0, 5.0), y * y][1]),
    "conj": lambda x: written(x, lambda x, y: [z := np.conj(y), z.__setitem__(0, 5.0), y][2]),
    "tril of a vector": lambda x: np.tril(x[0]),
    "ones like": lambda x: x * (np.ones(3, like=x) if isinstance(x, cr.Tensor) else 1.0),
    "rows": lambda x: trajectory(x, 0), "columns": lambda x: trajectory(x, 1), "cholesky": cholesky,
    "astype is a copy": lambda x: written(x, lambda x, y: [z := y.astype(float), z.__setitem__(0, 5.0), y][2]),
    "bools times": lambda x: (x > 0.6) @ x.T, "whole numbers times": lambda x: np.dot(np.argsort(x[0]), x.T),
    "no places": lambda x: x[[]],
    "concatenate all": lambda x: np.concatenate([x, x * 2], axis=None),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_values_and_derivatives_are_those_of_numpy(name: str) -> None:
    f = FUNCTIONS[name]
    expected, slopes = f(A.copy()), central(f, A)
    x = A.copy()
    for mode in ("forward", "reverse"):
        np.testing.assert_allclose(cr.jacobian(f, mode=mode)(x), slopes, rtol=1e-6, atol=1e-7)
    value, slope = cr.jvp(f, (x,), (np.ones_like(x),))
    np.testing.assert_allclose(value, expected, rtol=1e-14)
    assert np.asarray(value).dtype == np.asarray(expected).dtype
    np.testing.assert_allclose(slope, slopes.sum((-2, -1)), rtol=1e-6, atol=1e-7)
    assert np.array_equal(x, A)


def test_torchs_words_ask_for_torchs_meaning() -> None:
    def f(x: Any) -> Any:
        values, places = x.max(dim=1)
        assert places.tolist() == [0, 1]
        return values.sum() + x.std(unbiased=True) + x.sum(dim=0, keepdim=True).sum()

    assert cr.value_and_grad(f)(A)[0] == pytest.approx(1.25 + 2.25 + A.std(ddof=1) + A.sum())


def test_outside_of_them_methods_are_torchs() -> None:
    t = cr.tensor(A)
    assert t.std().item() == pytest.approx(A.std(ddof=1))
    assert t.repeat(2, 1).shape == (4, 3)
    assert t.transpose(0, 1).shape == (3, 2)
    assert t.size() == (2, 3)
    assert t.size(1) == 3
    for name in ("copy", "astype", "fill", "conjugate"):
        assert not hasattr(t, name)


VIEWS = [(1, slice(1, None)), 1, (slice(None), 2), (slice(None, None, -1), slice(None, None, 2)), ..., (..., 0), (None, 1)]
ELEMENTS = [(1, 2), (-1, -1, ...), [1], ([0, 1], [1, 2]), A > 0.6]
STORES = ["y[key] = 2.0", "y[key] = x[0, 1]", "y[key] *= 2.0"]
HIT = [(key, write) for key in (*VIEWS, *ELEMENTS) for write in STORES] + [(key, "z = y[key]; z *= 2.0") for key in VIEWS]
MISSED = [0, (0, 1), (0, slice(None, None, -1)), (0, ...), (..., slice(1, 1)), slice(0, 1), -2]


def saved_and_written(key: Any, write: str) -> Callable[[Any], Any]:
    """A function that saves row 1 of an array, and writes to the array."""

    def f(x: Any) -> Any:
        y = x * 1.0
        saved = np.sin(y[1])
        exec(write, {"x": x, "y": y, "key": key})
        return saved.sum()

    return f


@pytest.mark.parametrize(("key", "write"), HIT, ids=str)
def test_what_was_overwritten_is_told(key: Any, write: str) -> None:
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        cr.grad(saved_and_written(key, write))(A)


@pytest.mark.parametrize("write", STORES)
@pytest.mark.parametrize("key", MISSED, ids=str)
def test_what_was_not_overwritten_may_be_gone_back_through(key: Any, write: str) -> None:
    np.testing.assert_allclose(cr.grad(saved_and_written(key, write))(A), [[0, 0, 0], np.cos(A[1])], rtol=1e-14)


@pytest.mark.parametrize(("call", "kind", "words"), [
    (lambda: cr.grad(lambda a, b: a * b, (0, -2))(2.0, 3.0), ValueError, "twice"),
    (lambda: cr.jvp(np.sin, A, A), TypeError, "tuple of primals"),
    (lambda: cr.hessian(lambda a, b: a * b, (0, 1))(1.0, 2.0), TypeError, "number of one argument"),
    (lambda: cr.jacobian(lambda a, b: a * b, (0, 1)), TypeError, "number of one argument"),
], ids=["twice", "no tuple", "hessian by two", "jacobian by two"])  # fmt: skip
def test_bad_input(call: Callable[[], Any], kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        call()


def test_matrices_are_refused() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy advises against them
        matrix = np.matrix(A)
    with pytest.raises(TypeError, match="is a matrix"):
        cr.grad(lambda x: x.sum())(matrix)


def test_a_function_of_scipys_that_wants_plain_numbers_is_named_with_the_users_line() -> None:
    import scipy.special

    with pytest.raises(TypeError, match=r"'cr\.grad\(lambda x: scipy.*test_array_methods.*calls logsumexp of scipy"):
        cr.grad(lambda x: scipy.special.logsumexp(x))(A)
