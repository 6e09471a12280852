"""torch.linalg: norms, inverses, determinants, linear systems."""

from __future__ import annotations

import math
from typing import Any

from chainrule.eager.functions.axes import axis_of
from chainrule.eager.functions.products import Slogdet, matmul, multi_dot
from chainrule.eager.functions.products import slogdet as _slogdet
from chainrule.eager.functions.reductions import result_text, vector_norm
from chainrule.eager.namespace import function_named
from chainrule.eager.out import into
from chainrule.eager.specialise import F
from chainrule.errors import ShapeError, missing

__all__ = ["matmul", "matrix_norm", "multi_dot", "norm", "slogdet", "solve", "vector_norm"]
FROM_TABLE = ("inv", "det")


class LinalgSlogdet(Slogdet):
    """`torch.slogdet`'s result under its other name."""

    __slots__ = ()

    def __repr__(self) -> str:
        return result_text("linalg_slogdet", self)


def slogdet(A: Any) -> LinalgSlogdet:
    """The sign of the determinant, and the logarithm of its size."""
    return LinalgSlogdet(*_slogdet(A))


def norm(A: Any, ord: Any = None, dim: Any = None, keepdim: bool = False) -> Any:
    """The 2-norm of all elements or over ``dim``; of other orders, that of vectors or `matrix_norm`."""
    matrix = (A.ndim == 2 and dim is None and ord is not None) or (isinstance(dim, tuple) and len(dim) == 2)
    if matrix and ord is not None:
        return matrix_norm(A, ord, dim or (-2, -1), keepdim)
    return vector_norm(A, 2 if ord in (None, "fro") else ord, dim, keepdim)


def matrix_norm(A: Any, ord: Any = "fro", dim: tuple[int, int] = (-2, -1), keepdim: bool = False) -> Any:
    """The norm of each matrix along two axes: "fro", or the largest (-1, -inf: smallest) sum of a column (1) or row (inf).

    Raises NotImplementedError for the orders 2, -2 and "nuc".
    """
    if ord == "fro":
        return vector_norm(A, 2, dim, keepdim)
    if ord not in (1, -1, math.inf, -math.inf):
        raise NotImplementedError(f"the matrix norm of order {ord!r} is not there yet; 'fro', 1, -1, inf and -inf are")
    row, column = (axis_of(d, A.ndim) for d in dim)
    along, over = (row, column) if abs(ord) == 1 else (column, row)
    sums = vector_norm(A, 1, along, True)
    found = (sums.amax if ord > 0 else sums.amin)(over, True)
    return found if keepdim else found.squeeze((row, column))


def solve(A: Any, B: Any, *, left: bool = True, out: Any = None) -> Any:
    """``X`` with ``A X = B``, or ``X A = B`` unless ``left``; B is a vector, a matrix or a stack."""
    if out is not None:
        return into(out, "linalg_solve", solve, (A, B), {"left": left})
    if left:
        return F.solve(A, B)
    if B.ndim < 2 or A.array.shape[-1] != B.array.shape[-1]:
        sizes = [f"{x.array.shape[-2]}x{x.array.shape[-1]}" if x.ndim > 1 else f"{x.array.shape[0]}x1" for x in (A, B)]
        raise ShapeError(f"linalg.solve: Incompatible shapes of A and B for the equation XA = B ({sizes[0]} and {sizes[1]})")
    return F.solve(A.mT, B.mT).mT


def __getattr__(name: str) -> Any:
    if name not in FROM_TABLE:
        raise missing(__name__, name, [*__all__, *FROM_TABLE])
    found = globals()[name] = function_named(name)
    return found
