"""torch.linalg: norms, inverses, determinants, linear systems."""

from __future__ import annotations

from typing import Any

from chainrule.eager.functions.products import Slogdet, matmul, multi_dot
from chainrule.eager.functions.products import slogdet as _slogdet
from chainrule.eager.functions.reductions import result_text, vector_norm
from chainrule.eager.namespace import function_named
from chainrule.errors import missing

__all__ = ["matmul", "multi_dot", "norm", "slogdet", "vector_norm"]
FROM_TABLE = ("inv", "det", "solve")


class LinalgSlogdet(Slogdet):
    """`torch.slogdet`'s result under its other name."""

    __slots__ = ()

    def __repr__(self) -> str:
        return result_text("linalg_slogdet", self)


def slogdet(A: Any) -> LinalgSlogdet:
    """The sign of the determinant, and the logarithm of its size."""
    return LinalgSlogdet(*_slogdet(A))


def norm(A: Any, ord: Any = None, dim: Any = None, keepdim: bool = False) -> Any:
    """The 2-norm of all elements or over ``dim``; other orders for vectors, "fro" for matrices."""
    matrix = (A.ndim == 2 and dim is None and ord is not None) or (isinstance(dim, tuple) and len(dim) == 2)
    if matrix and ord not in (None, "fro"):
        raise NotImplementedError(f"the matrix norm of order {ord!r} is not there yet; 'fro' is")
    return vector_norm(A, 2 if ord in (None, "fro") else ord, dim, keepdim)


def __getattr__(name: str) -> Any:
    if name not in FROM_TABLE:
        raise missing(__name__, name, [*__all__, *FROM_TABLE])
    found = globals()[name] = function_named(name)
    return found
