"""Products of vectors and matrices; what torch shows as several nodes is several here."""

from __future__ import annotations

from typing import Any

from chainrule.core.box import dispatch
from chainrule.core.primitive import TABLE
from chainrule.eager.specialise import F
from chainrule.ops import linalg


def matmul(input: Any, other: Any) -> Any:
    """The matrix product: dot, mv and mm for one and two axes, stacks of matrices beyond."""
    ndims = input.array.ndim, other.array.ndim
    if ndims == (2, 2):
        return F.mm(input, other)
    if ndims == (2, 1):
        return F.mv(input, other)
    if ndims == (1, 1):
        return F.dot(input, other)
    if ndims == (1, 2):
        return F.squeeze(F.mm(F.reshape(input, (1, -1)), other), 0)
    if 0 in ndims:
        raise RuntimeError(f"both arguments to matmul need to be at least 1D, but they are {ndims[0]}D and {ndims[1]}D")
    return F.matmul(input, other)


def dot(input: Any, tensor: Any) -> Any:
    """The inner product of two vectors."""
    if input.array.ndim != 1 or tensor.array.ndim != 1:
        raise RuntimeError(f"1D tensors expected, but got {input.ndim}D and {tensor.ndim}D tensors")
    return F.dot(input, tensor)


def mm(input: Any, mat2: Any) -> Any:
    """The product of two matrices."""
    if input.array.ndim != 2 or mat2.array.ndim != 2:
        raise RuntimeError("self must be a matrix" if input.array.ndim != 2 else "mat2 must be a matrix")
    return F.mm(input, mat2)


def mv(input: Any, vec: Any) -> Any:
    """A matrix times a vector."""
    if input.array.ndim != 2 or vec.array.ndim != 1:
        raise RuntimeError(f"vector + matrix @ vector expected, got {vec.ndim}, {input.ndim}, {vec.ndim}")
    return F.mv(input, vec)


def bmm(input: Any, mat2: Any) -> Any:
    """The products of two stacks of matrices."""
    if input.ndim != 3 or mat2.ndim != 3:
        raise RuntimeError("batch1 must be a 3D tensor" if input.ndim != 3 else "batch2 must be a 3D tensor")
    return F.matmul(input, mat2)


def outer(input: Any, vec2: Any) -> Any:
    """``out[i, j] = input[i] vec2[j]``."""
    return F.multiply(F.reshape(input, (-1, 1)), vec2)


def einsum(equation: str, *operands: Any) -> Any:
    """Einstein's sum convention."""
    if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
        operands = tuple(operands[0])
    try:
        spelled = linalg.explicit(equation, [x.ndim for x in operands])
    except ValueError as fault:
        raise RuntimeError(str(fault)) from None
    return dispatch(TABLE[linalg.einsum], operands, {"subscripts": spelled})


def tensordot(a: Any, b: Any, dims: Any = 2) -> Any:
    """Sum of products over pairs of axes."""
    return linalg.tensordot(a, b, dims)


def trace(input: Any) -> Any:
    """The sum of the diagonal of a matrix."""
    return F.trace(input)
