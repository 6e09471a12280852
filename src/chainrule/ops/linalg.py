"""Products and factorisations of matrices."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from chainrule.core.box import Box, apply, derived, function, not_in_table
from chainrule.core.primitive import general, multilinear
from chainrule.core.rules import dtype_of, is_complex
from chainrule.errors import ShapeError


def mT(x: Any) -> Any:
    """The matrix transpose (of the last two axes)."""
    return x.swapaxes(-1, -2) if type(x) is np.ndarray else np.swapaxes(x, -1, -2)


# Products


@function
def dot(x: Any, y: Any) -> Any:
    """The inner product of two vectors."""
    return np.dot(x, y)


@function
def mv(x: Any, y: Any) -> Any:
    """A matrix times a vector."""
    return np.dot(x, y)


@function
def mm(x: Any, y: Any) -> Any:
    """A matrix times a matrix."""
    return np.dot(x, y)


# raw=np.dot: on one and two axes the same as matmul, and called in less time
multilinear(dot, lambda g, y: g * y, lambda g, x: x * g, raw=np.dot)
multilinear(mv, lambda g, y: np.reshape(g, (-1, 1)) * y, lambda g, x: np.dot(mT(x), g), raw=np.dot)
multilinear(mm, lambda g, y: np.dot(g, mT(y)), lambda g, x: np.dot(mT(x), g), raw=np.dot)


# A few rows times the transpose of a layer's weight: OpenBLAS for AVX-512 takes half as long over the transposed product.
FEW_ROWS = 32


@function
def addmm(x: Any, y: Any, z: Any) -> Any:
    """``x + y @ z``."""
    if len(y) <= FEW_ROWS < z.shape[1] and z.flags.f_contiguous:
        return np.add(x, np.dot(z.T, y.T).T, order="C")
    return x + np.dot(y, z)


general(addmm, lambda g: g, lambda g, z: np.dot(g, mT(z)), lambda g, y: mT(np.dot(mT(g), y)),
        holomorphic=True, torch="", node="AddmmBackward0")  # fmt: skip
# (the last so that z = w.T of a layer gives w a gradient in w's own order of memory)


def _as_matrices(g: Any, x: Any, y: Any) -> tuple[Any, tuple[int, ...], tuple[int, ...]]:
    """``g`` and the shapes of the operands of a matmul, vectors having become matrices."""
    row, column = len(x.shape) == 1, len(y.shape) == 1
    shape = list(g.shape)
    if column:
        shape.append(1)
    if row:
        shape.insert(len(shape) - 1, 1)
    x_shape = (1, *x.shape) if row else tuple(x.shape)
    y_shape = (*y.shape, 1) if column else tuple(y.shape)
    return np.reshape(g, tuple(shape)), x_shape, y_shape


def _product(x: Any, y: Any) -> Any:
    """``x @ y``; where only one product adds to each element, many small calls of BLAS would take longer."""
    return x * y if x.shape[-1] == 1 else np.matmul(x, y)


def _matmul_x(g: Any, x: Any, y: Any) -> Any:
    if len(x.shape) == 1 and len(y.shape) == 2:
        return np.matmul(g, mT(y))
    full, _, y_shape = _as_matrices(g, x, y)
    out = _product(full, mT(np.reshape(y, y_shape)))
    return np.reshape(out, (*out.shape[:-2], out.shape[-1])) if len(x.shape) == 1 else out


def _matmul_y(g: Any, x: Any, y: Any) -> Any:
    if len(x.shape) == 2 and len(y.shape) == 1:
        return np.matmul(g, x)
    full, x_shape, _ = _as_matrices(g, x, y)
    out = _product(mT(np.reshape(x, x_shape)), full)
    return np.reshape(out, out.shape[:-1]) if len(y.shape) == 1 else out


multilinear(np.matmul, lambda g, x, y: _matmul_x(g, x, y), lambda g, x, y: _matmul_y(g, x, y), node="BmmBackward0")


def as_array(x: Any) -> Any:
    """What is no array, such as a list, as one."""
    return x if isinstance(x, (Box, np.ndarray)) else np.asarray(x)


@derived(np.dot)
def numpy_dot(x: Any, y: Any) -> Any:
    """NumPy's dot: over the last axis of x and the last but one of y."""
    x, y = map(as_array, (x, y))
    if np.ndim(x) == 0 or np.ndim(y) == 0:
        return np.multiply(x, y)
    if x.ndim == y.ndim == 1:
        return dot(x, y)
    if x.ndim == 2 and y.ndim <= 2 and dtype_of(x) is dtype_of(y):
        return mm(x, y) if y.ndim == 2 else mv(x, y)
    if y.ndim <= 2:
        return np.matmul(x, y)
    return np.tensordot(x, y, axes=((-1,), (-2,)))


@derived(np.outer)
def outer(x: Any, y: Any) -> Any:
    """``out[i, j] = x[i] y[j]`` of the flattened operands."""
    return np.reshape(x, (-1, 1)) * np.reshape(y, (-1,))


@derived(np.inner)
def inner(x: Any, y: Any) -> Any:
    """NumPy's inner: over the last axis of both."""
    x, y = map(as_array, (x, y))
    if np.ndim(x) == 0 or np.ndim(y) == 0:
        return np.multiply(x, y)
    return dot(x, y) if x.ndim == y.ndim == 1 else np.tensordot(x, y, axes=((-1,), (-1,)))


@derived(np.vdot)
def vdot(x: Any, y: Any) -> Any:
    """The inner product with the first operand conjugated."""
    return dot(np.conjugate(np.reshape(x, -1)), np.reshape(y, -1))


@derived(np.tensordot)
def tensordot(x: Any, y: Any, axes: Any = 2) -> Any:
    """Sum of products over pairs of axes."""
    x, y = map(as_array, (x, y))
    if isinstance(axes, (int, np.integer)):
        ours, theirs = tuple(range(x.ndim - axes, x.ndim)), tuple(range(axes))
    else:
        ours, theirs = ((a,) if isinstance(a, (int, np.integer)) else tuple(a) for a in axes)
        ours, theirs = tuple(a % x.ndim for a in ours), tuple(a % y.ndim for a in theirs)
    free_x = tuple(a for a in range(x.ndim) if a not in ours)
    free_y = tuple(a for a in range(y.ndim) if a not in theirs)
    n = int(np.prod([x.shape[a] for a in ours], dtype=int))
    left = np.reshape(
        np.transpose(x, (*free_x, *ours)), (-1, n) if n else (int(np.prod([x.shape[a] for a in free_x])), 0)
    )
    right = np.reshape(
        np.transpose(y, (*theirs, *free_y)), (n, -1) if n else (0, int(np.prod([y.shape[a] for a in free_y])))
    )
    return np.reshape(mm(left, right), tuple(x.shape[a] for a in free_x) + tuple(y.shape[a] for a in free_y))


@function
def einsum(*xs: Any, subscripts: str) -> Any:
    """Einstein's sum convention; ``subscripts`` in explicit form, without ellipsis."""
    return np.einsum(subscripts, *xs, optimize=len(xs) > 2)


def summed(*xs: Any, subscripts: str) -> Any:
    """`einsum`, of one operand whose axes all stay the view that torch and NumPy give."""
    left, _, right = subscripts.partition("->")
    if len(xs) > 1 or set(left) != set(right) or not left.isalpha():
        return apply(einsum, *xs, subscripts=subscripts)
    (x,) = xs
    for letter in dict.fromkeys(left):
        while left.count(letter) > 1:
            first = left.index(letter)
            second = left.index(letter, first + 1)
            x = np.diagonal(x, 0, first, second)
            left = left[:first] + left[first + 1 : second] + left[second + 1 :] + letter
    return np.transpose(x, tuple(map(left.index, right)))


LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def explicit(subscripts: str, ndims: list[int]) -> str:
    """``subscripts`` with its output spelled out and letters for the ellipsis.

    >>> explicit("ij,jk", [2, 2]), explicit("...i->...", [3])
    ('ij,jk->ik', 'abi->ab')
    """
    left, arrow, right = subscripts.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(ndims):
        raise ShapeError(f"einsum(): {len(terms)} subscripts for {len(ndims)} operands")
    free = [c for c in LETTERS if c not in subscripts]
    reach = max(
        [n - len(term.replace("...", "")) for term, n in zip(terms, ndims, strict=True) if "..." in term], default=0
    )
    dots = "".join(free[:reach])
    spelled = []
    for term, n in zip(terms, ndims, strict=True):
        extra = n - len(term.replace("...", ""))
        if (extra and "..." not in term) or extra < 0:
            raise ShapeError(f"einsum(): the subscripts {term!r} do not fit an operand with {n} axes")
        spelled.append(term.replace("...", dots[reach - extra :] if extra else ""))
    if not arrow:
        joined = "".join(term.replace("...", "") for term in terms)
        right = ("..." if "..." in left else "") + "".join(sorted(c for c in set(joined) if joined.count(c) == 1))
    return ",".join(spelled) + "->" + right.replace("...", dots)


def _einsum_pullback(g: Any, i: int, xs: Any, subscripts: str) -> Any:
    """Einsum of ``g`` with the other operands; ones for axes summed alone, identities for repeated ones."""
    left, _, right = subscripts.partition("->")
    terms = left.split(",")
    free = iter(c for c in LETTERS if c not in subscripts)
    operands, given = [g], [right]
    for k, x in enumerate(xs):
        if k != i:
            operands.append(x)
            given.append(terms[k])
    wanted = ""
    for axis, letter in enumerate(terms[i]):
        n = xs[i].shape[axis]
        if letter in wanted:
            fresh = next(free)
            operands.append(np.eye(n, dtype=bool))
            given.append(letter + fresh)
            letter = fresh
        elif not any(letter in term for term in given):
            operands.append(np.ones(n, dtype=bool))
            given.append(letter)
        wanted += letter
    return einsum(*operands, subscripts=",".join(given) + "->" + wanted)


multilinear(einsum, lambda g, i, *xs, subscripts: _einsum_pullback(g, i, xs, subscripts))


@derived(np.einsum)
def numpy_einsum(subscripts: str, *operands: Any, optimize: Any = False) -> Any:
    """NumPy's einsum with the subscripts as text."""
    if not isinstance(subscripts, str):
        raise not_in_table(np.einsum, " with lists of axes")
    return summed(*operands, subscripts=explicit(subscripts, [np.ndim(x) for x in operands]))


# Inverses and determinants


@function
def inv(x: Any) -> Any:
    """The inverse of a matrix, or of each in a stack."""
    _square("linalg.inv", x)
    return np.linalg.inv(x)


@function
def det(x: Any) -> Any:
    """The determinant."""
    _square("linalg.det", x)
    return np.linalg.det(x)


@function
def slogdet(x: Any) -> Any:
    """The sign of the determinant, and the logarithm of its size."""
    _square("linalg.slogdet", x)
    return tuple(np.linalg.slogdet(x))


@derived(np.linalg.slogdet)
def numpy_slogdet(a: Any) -> Any:
    """NumPy's slogdet."""
    return SlogdetResult(*slogdet(a))


class SlogdetResult(NamedTuple):
    """What NumPy's slogdet returns."""

    sign: Any
    logabsdet: Any


@function
def cofactor(x: Any) -> Any:
    """The matrix of cofactors, ``det(x) inv(x).T``; by singular values, so that x may be singular."""
    if not np.isfinite(x).all():
        return np.full_like(x, np.nan)
    u, s, vh = np.linalg.svd(x)
    n = s.shape[-1]
    others = np.where(np.eye(n, dtype=bool), 1.0, s[..., None, :]).prod(-1)
    sign = np.linalg.det(u) * np.linalg.det(vh)
    return np.conjugate((u * (others * np.conjugate(sign)[..., None])[..., None, :]) @ vh).astype(x.dtype)


@function
def solve(x: Any, y: Any) -> Any:
    """``out`` with ``x @ out = y``, y being a vector or a matrix (or a stack)."""
    _square("linalg.solve", x)
    return np.linalg.solve(x, y[..., None])[..., 0] if _is_vector(x, y) else np.linalg.solve(x, y)


def _square(name: str, x: Any) -> None:
    if x.ndim < 2:
        raise ShapeError(f"{name}: The input tensor A must have at least 2 dimensions.")
    if x.shape[-1] != x.shape[-2]:
        raise ShapeError(
            f"{name}: A must be batches of square matrices, but they are {x.shape[-2]} by {x.shape[-1]} matrices"
        )


def _is_vector(x: Any, y: Any) -> bool:
    return y.ndim == 1 or (y.ndim == x.ndim - 1 and tuple(y.shape) == tuple(x.shape[:-1]))


def _column(g: Any) -> Any:
    return np.reshape(g, (*g.shape, 1))


def _solve_x(g: Any, x: Any, y: Any, out: Any) -> Any:
    bar = solve(mT(x), g)
    if _is_vector(x, y):
        return -np.matmul(_column(bar), mT(_column(out)))
    return -np.matmul(bar, mT(out))


general(inv, lambda g, out: -np.matmul(mT(out), np.matmul(g, mT(out))), node="LinalgInvExBackward0",
        integers="float", holomorphic=True)  # fmt: skip
general(det, lambda g, x: np.reshape(g, (*g.shape, 1, 1)) * cofactor(x), node="LinalgDetBackward0",
        integers="float", holomorphic=True)  # fmt: skip
general(slogdet, lambda g, x, out: _slogdet_pullback(g[0], g[1], x, out[0]), outputs=2,
        torch="", node="LinalgSlogdetBackward0", integers="float")  # fmt: skip
general(cofactor, lambda g, x, out: _cofactor_pullback(g, x, out), holomorphic=True, torch="")
general(solve, lambda g, x, y, out: _solve_x(g, x, y, out), lambda g, x, y: solve(mT(x), g), node="LinalgSolveExBackward0",
        integers="float", holomorphic=True)  # fmt: skip


def _slogdet_pullback(g_sign: Any, g_size: Any, x: Any, sign: Any) -> Any:
    """From ``d log det = tr(inv(x) dx)``: its real part is that of the size; the sign turns by the imaginary one."""
    if not is_complex(x):  # whose sign is flat
        return None if g_size is None else np.reshape(g_size, (*g_size.shape, 1, 1)) * mT(inv(x))
    turn = 0.0 if g_sign is None else 1j * np.real(1j * sign * np.conjugate(g_sign))
    g = turn if g_size is None else g_size + turn
    return np.reshape(g, (*x.shape[:-2], 1, 1)) * np.conjugate(mT(inv(x)))


def _cofactor_pullback(g: Any, x: Any, out: Any) -> Any:
    """From ``out = det inv.T``: each change of x changes det by <out, dx> and inv by ``-inv dx inv``."""
    inverse = inv(x)
    along = np.sum(g * mT(inverse), axis=(-1, -2), keepdims=True)
    return out * along - np.matmul(mT(inverse), np.matmul(mT(g), out))


derived(np.linalg.inv)(inv)
derived(np.linalg.det)(det)


@derived(np.linalg.solve)
def numpy_solve(a: Any, b: Any) -> Any:
    """NumPy's solve, whose operands agree on a dtype, and where only a b with one axis is a vector."""
    a, b = map(as_array, (a, b))
    if b.ndim > 1 and b.ndim == a.ndim - 1:
        b = np.expand_dims(b, 0)
    common = np.result_type(*(dtype_of(x).numpy for x in (a, b)))
    common = np.result_type(common, np.float64) if common.kind in "iub" else common
    return solve(*(x.cast(common) if isinstance(x, Box) else np.asarray(x, common) for x in (a, b)))
