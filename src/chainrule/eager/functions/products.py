"""Products of vectors and matrices; what torch shows as several nodes is several here."""

from __future__ import annotations

import math
import string
from typing import Any, NamedTuple

import numpy as np

from chainrule.core import spec
from chainrule.core.box import Box
from chainrule.eager.functions.axes import no_tensor
from chainrule.eager.functions.reductions import result_text
from chainrule.eager.functions.shapes import stack
from chainrule.eager.out import into
from chainrule.eager.specialise import F
from chainrule.errors import Refusal, ShapeError, c_type_name, shape_text
from chainrule.ops import linalg


def matmul(input: Any, other: Any, *, out: Any = None) -> Any:
    """The matrix product: dot, mv and mm for one and two axes, stacks of matrices beyond."""
    if out is not None:
        return into(out, "matmul", matmul, (input, other), {})
    try:
        ndims = input.array.ndim, other.array.ndim
    except AttributeError:
        raise no_tensor("matmul", input=input, other=other) from None
    if ndims == (2, 2):
        return F.mm(input, other)
    if ndims == (2, 1):
        return F.mv(input, other)
    if ndims == (1, 1):
        return F.dot(input, other)
    if ndims == (1, 2):
        return F.squeeze(F.mm(F.reshape(input, (1, -1)), other), 0)
    if 0 in ndims:
        raise Refusal(f"both arguments to matmul need to be at least 1D, but they are {ndims[0]}D and {ndims[1]}D")
    return F.matmul(input, other)


def dot(input: Any, tensor: Any, *, out: Any = None) -> Any:
    """The inner product of two vectors."""
    if out is not None:
        return into(out, "dot", dot, (input, tensor), {})
    try:
        ndims = input.array.ndim, tensor.array.ndim
    except AttributeError:
        raise no_tensor("dot", input=input, tensor=tensor) from None
    if ndims != (1, 1):
        if input.level or tensor.level:
            raise Refusal("Got wrong shapes for dot")
        raise Refusal(f"1D tensors expected, but got {ndims[0]}D and {ndims[1]}D tensors")
    return F.dot(input, tensor)


def _refuse_in_batch(name: str, x: Any, y: Any, wanted: tuple[int, int]) -> None:
    """Within `vmap`: refuse operands that have not so many axes, in torch's words for that."""
    if x.level or y.level:
        raise Refusal(
            f"Shape mismatch: Got incorrect dims for {name}(a, b). a has dim {x.array.ndim}and b has dim {y.array.ndim}but "
            f"expected them to have dim {wanted[0]} and dim {wanted[1]}"
        )


def mm(input: Any, mat2: Any, *, out: Any = None) -> Any:
    """The product of two matrices."""
    if out is not None:
        return into(out, "mm", mm, (input, mat2), {})
    try:
        ndims = input.array.ndim, mat2.array.ndim
    except AttributeError:
        raise no_tensor("mm", input=input, mat2=mat2) from None
    if ndims != (2, 2):
        _refuse_in_batch("mm", input, mat2, (2, 2))
        raise Refusal("self must be a matrix" if ndims[0] != 2 else "mat2 must be a matrix")
    return F.mm(input, mat2)


def mv(input: Any, vec: Any) -> Any:
    """A matrix times a vector."""
    try:
        ndims = input.array.ndim, vec.array.ndim
    except AttributeError:
        raise no_tensor("mv", input=input, vec=vec) from None
    if ndims != (2, 1):
        _refuse_in_batch("mv", input, vec, (2, 1))
        raise Refusal(f"vector + matrix @ vector expected, got 1, {ndims[0]}, {ndims[1]}")
    return F.mv(input, vec)


def bmm(input: Any, mat2: Any) -> Any:
    """The products of two stacks of matrices."""
    try:
        a, b = input.array.shape, mat2.array.shape
    except AttributeError:
        raise no_tensor("bmm", input=input, mat2=mat2) from None
    if len(a) != 3 or len(b) != 3:
        _refuse_in_batch("bmm", input, mat2, (3, 3))
        raise Refusal("batch1 must be a 3D tensor" if len(a) != 3 else "batch2 must be a 3D tensor")
    if a[0] != b[0]:
        raise ShapeError(
            f"Expected size for first two dimensions of batch2 tensor to be: {shape_text((a[0], a[2]))} but got: "
            f"{shape_text(b[:2])}."
        )
    return F.matmul(input, mat2)


def outer(input: Any, vec2: Any) -> Any:
    """``out[i, j] = input[i] vec2[j]``."""
    try:
        ndims = input.array.ndim, vec2.array.ndim
    except AttributeError:
        raise no_tensor("outer", input=input, vec2=vec2) from None
    for name, ndim in zip(("self", "vec2"), ndims, strict=True):
        if ndim != 1:
            raise Refusal(f"outer: Expected 1-D argument {name}, but got {ndim}-D")
    return F.multiply(F.reshape(input, (-1, 1)), vec2)


def einsum(equation: Any, *operands: Any) -> Any:
    """Einstein's sum convention: an equation and its operands, or each operand followed by the numbers of its axes."""
    if not isinstance(equation, str):
        equation, operands = _spelled(equation, *operands)
    if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
        operands = tuple(operands[0])
    try:
        spelled = linalg.explicit(equation, [x.ndim for x in operands])
        return linalg.summed(*operands, subscripts=spelled)
    except (ValueError, AttributeError):
        error = _einsum_error(equation, operands)
        if error is None:
            raise
        raise error from None


AXES = string.ascii_uppercase + string.ascii_lowercase


def _spelled(*given: Any) -> tuple[str, tuple[Any, ...]]:
    """The equation and the operands of a call with lists of axes."""
    operands, lists = given[::2], given[1::2]
    shown = [_letters(numbers) for numbers in lists]
    if len(operands) > len(lists):  # the last one is of the output
        return f"{','.join(shown)}->{_letters(operands[-1])}", operands[:-1]
    return ",".join(shown), operands


def _letters(numbers: Any) -> str:
    for k in numbers:
        if k is not Ellipsis and not 0 <= k < len(AXES):
            raise ValueError("einsum(): subscript in subscript list is not within the valid range [0, 52)")
    return "".join("..." if k is Ellipsis else AXES[k] for k in numbers)


def _einsum_error(equation: str, operands: tuple[Any, ...]) -> Exception | None:
    """Why torch refuses this call of `einsum`; None if it does not."""
    for k, x in enumerate(operands):
        if not isinstance(x, Box):
            return TypeError(f"expected Tensor as element {k} in argument 1, but got {type(x).__name__}")
    left, _, right = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if not operands:
        return Refusal("einsum(): must specify the equation string and at least one operand, or at least one operand and "
                       "its subscripts list")  # fmt: skip
    if len(terms) != len(operands):
        more = "fewer" if len(operands) < len(terms) else "more"
        return Refusal(f"einsum(): {more} operands were provided than specified in the equation")
    seen: dict[str, int] = {}
    for k, (term, x) in enumerate(zip(terms, operands, strict=True)):
        error = _term_error(equation, term, k, tuple(x.shape), seen)
        if error is not None:
            return error
    for letter in right.replace("...", ""):
        if letter not in seen:
            return Refusal(f"einsum(): output subscript {letter} does not appear in the equation for any input operand")
        if right.count(letter) > 1:
            return Refusal(f"einsum(): output subscript {letter} appears more than once in the output")
    return None


def _term_error(equation: str, term: str, k: int, shape: tuple[int, ...], seen: dict[str, int]) -> Exception | None:
    """What is wrong with the subscripts of operand ``k``; the sizes of its letters go into ``seen``."""
    before, dots, after = term.partition("...")
    letters = before + after
    for letter in letters:
        if letter == ".":
            return Refusal(f"einsum(): found '.' for operand {k} that is not part of any ellipsis")
        if not (letter.isascii() and letter.isalpha()):
            return Refusal(
                f"einsum(): invalid subscript given at index {equation.index(letter)} in the equation string, subscripts must "
                "be in [a-zA-Z]"
            )
    if len(letters) > len(shape) or (not dots and len(letters) < len(shape)):
        how = "is more than" if dots else "does not match"
        end = "" if dots else " and no ellipsis was given"
        return Refusal(
            f"einsum(): the number of subscripts in the equation ({len(letters)}) {how} the number of dimensions "
            f"({len(shape)}) for operand {k}{end}"
        )
    sizes = [*shape[: len(before)], *shape[len(shape) - len(after) :]]
    own: dict[str, int] = {}
    for letter, n in zip(letters, sizes, strict=True):
        if own.setdefault(letter, n) != n:
            return Refusal(
                f"einsum(): subscript {letter} is repeated for operand {k} but the sizes don't match, {n} != {own[letter]}"
            )
        if seen.get(letter, 1) not in (1, n) and n != 1:
            return Refusal(
                f"einsum(): subscript {letter} has size {n} for operand {k} which does not broadcast with previously seen "
                f"size {seen[letter]}"
            )
        seen[letter] = max(seen.get(letter, 1), n)
    return None


def tensordot(a: Any, b: Any, dims: Any = 2) -> Any:
    """Sum of products over pairs of axes."""
    if not isinstance(dims, int):
        pairs = [(d,) if isinstance(d, int) else tuple(d) for d in dims]
        if len(pairs[0]) != len(pairs[1]):
            raise ShapeError("both dimension lists should have same length")
    else:
        if dims > min(a.ndim, b.ndim):
            raise ShapeError(f"tensordot expects dims < ndim_a or ndim_b, but got dims={dims}")
        pairs = [tuple(range(-dims, 0)), tuple(range(dims))]
    for i, j in zip(*pairs, strict=True):
        m, n = a.array.shape[i], b.array.shape[j]
        if m == 1 or n == 1:  # stretched to the other
            a, b = (F.sum(a, i, True) if n == 1 else a), (F.sum(b, j, True) if m == 1 else b)
        elif m != n:
            raise ShapeError(
                f"contracted dimensions need to match, but first has size {m} in dim {i} and second has size {n} in dim {j}"
            )
    return linalg.tensordot(a, b, dims)


def trace(input: Any) -> Any:
    """The sum of the diagonal of a matrix."""
    if input.array.ndim != 2:
        raise Refusal(f"trace: expected a matrix, but got tensor with dim {input.ndim}")
    found = F.trace(input)
    return found if input.dtype.category >= spec.FLOAT else found.cast(spec.int64)


def inner(input: Any, other: Any) -> Any:
    """The sums of products along the last axis."""
    return tensordot(input, other, ([-1], [-1])) if input.ndim and other.ndim else input * other


def vdot(input: Any, other: Any) -> Any:
    """The inner product of two vectors, the first conjugated."""
    return dot(F.conjugate(input) if input.is_complex() else input, other)


def kron(input: Any, other: Any) -> Any:
    """The Kronecker product."""
    n = max(input.ndim, other.ndim)
    a, b = ((1,) * (n - x.ndim) + x.array.shape for x in (input, other))
    x = F.reshape(input, tuple(m for pair in a for m in (pair, 1)))
    y = F.reshape(other, tuple(m for pair in b for m in (1, pair)))
    return F.reshape(x * y, tuple(m * k for m, k in zip(a, b, strict=True)))


def cross(input: Any, other: Any, dim: int | None = None) -> Any:
    """The vector product along an axis of length 3."""
    if dim is None:
        dim = next((k for k, n in enumerate(input.array.shape) if n == 3), -1)
    (x0, x1, x2), (y0, y1, y2) = input.unbind(dim), other.unbind(dim)
    return stack([x1 * y2 - x2 * y1, x2 * y0 - x0 * y2, x0 * y1 - x1 * y0], dim)


def matrix_power(input: Any, n: int) -> Any:
    """The matrix times itself ``n`` times (its inverse for negative n)."""
    if n < 0:
        return matrix_power(F.inv(input), -n)
    out = None
    for _ in range(n):
        out = F.copy(input) if out is None else matmul(out, input)
    return F.multiply(input, 0.0) + np.eye(input.array.shape[-1], dtype=input.array.dtype) if out is None else out


class Slogdet(NamedTuple):
    """A determinant as its sign and the logarithm of its size."""

    sign: Any
    logabsdet: Any

    def __repr__(self) -> str:
        return result_text("slogdet", self)


def slogdet(input: Any) -> Any:
    """The sign of the determinant, and the logarithm of its size."""
    if input.dtype.is_complex:
        raise NotImplementedError("slogdet of complex matrices is not there yet: torch.linalg.det(A) is")
    return Slogdet(*F.slogdet(input))


def logdet(input: Any) -> Any:
    """The logarithm of the determinant, NaN where that is negative."""
    sign, size = slogdet(input)
    return F.where(sign < 0, math.nan, size)


def multi_dot(tensors: Any) -> Any:
    """The product of several matrices (the first may be a row, the last a column), in the order that takes least work."""
    parts = list(tensors)
    if len(parts) < 2:
        raise Refusal(f"multi_dot(): expected at least 2 tensors but got {len(parts)}")
    row, column = parts[0].ndim == 1, parts[-1].ndim == 1
    for k, x in enumerate(parts):
        wanted = "1D or 2D" if k in (0, len(parts) - 1) else "2D"
        if x.ndim != 2 and not (x.ndim == 1 and k in (0, len(parts) - 1)):
            raise Refusal(f"multi_dot(): tensor {k} must be {wanted} but got {x.ndim}D")
    if row:
        parts[0] = F.reshape(parts[0], (1, -1))
    if column:
        parts[-1] = F.reshape(parts[-1], (-1, 1))
    sizes = [x.array.shape[0] for x in parts] + [parts[-1].array.shape[1]]
    for k in range(1, len(parts)):
        if parts[k - 1].array.shape[1] != parts[k].array.shape[0]:
            shapes = [shape_text(parts[j].array.shape) for j in (k - 1, k)]
            raise ShapeError(
                f"multi_dot(): tensors {k - 1} and {k} with shapes {shapes[0]} and {shapes[1]} cannot be multiplied"
            )
    out = _in_order(parts, _splits(sizes), 0, len(parts) - 1)
    shape = out.array.shape
    return F.reshape(out, (*(() if row else shape[:1]), *(() if column else shape[1:]))) if row or column else out


def _splits(sizes: list[int]) -> dict[tuple[int, int], int]:
    """Where to split each run of matrices so that their product takes the fewest multiplications."""
    n = len(sizes) - 1
    cost = {(i, i): 0 for i in range(n)}
    best: dict[tuple[int, int], int] = {}
    for length in range(1, n):
        for i in range(n - length):
            j = i + length
            found = [(cost[i, k] + cost[k + 1, j] + sizes[i] * sizes[k + 1] * sizes[j + 1], k) for k in range(i, j)]
            cost[i, j], best[i, j] = min(found)
    return best


def _in_order(parts: list[Any], split: dict[tuple[int, int], int], i: int, j: int) -> Any:
    if i == j:
        return parts[i]
    k = split[i, j]
    return F.mm(_in_order(parts, split, i, k), _in_order(parts, split, k + 1, j))


def addmm(input: Any, mat1: Any, mat2: Any, *, beta: float = 1, alpha: float = 1) -> Any:
    """``beta input + alpha mat1 @ mat2``."""
    for name, x in (("mat1", mat1), ("mat2", mat2)):
        if x.ndim != 2:
            raise ShapeError(f"{name} must be a matrix, got {x.ndim}-D tensor")
    shape = (mat1.array.shape[0], mat2.array.shape[1])
    if input.ndim > 2:
        raise ShapeError(f"expand(torch.{c_type_name(input.dtype).title()}Tensor{{{shape_text(input.array.shape)}}}, "
                         f"size={shape_text(shape)}): the number of sizes provided (2) must be greater or equal to the number "
                         f"of dimensions in the tensor ({input.ndim})")  # fmt: skip
    if alpha == 1:
        return F.addmm(_scaled(input, beta), mat1, mat2)
    return _scaled(input, beta) + _scaled(F.mm(mat1, mat2), alpha)


def addmv(input: Any, mat: Any, vec: Any, *, beta: float = 1, alpha: float = 1) -> Any:
    """``beta input + alpha mat @ vec``."""
    return _scaled(input, beta) + _scaled(mv(mat, vec), alpha)


def addr(input: Any, vec1: Any, vec2: Any, *, beta: float = 1, alpha: float = 1) -> Any:
    """``beta input + alpha outer(vec1, vec2)``."""
    return _scaled(input, beta) + _scaled(outer(vec1, vec2), alpha)


def baddbmm(input: Any, batch1: Any, batch2: Any, *, beta: float = 1, alpha: float = 1) -> Any:
    """``beta input + alpha batch1 @ batch2`` for stacks of matrices."""
    return _scaled(input, beta) + _scaled(bmm(batch1, batch2), alpha)


def addbmm(input: Any, batch1: Any, batch2: Any, *, beta: float = 1, alpha: float = 1) -> Any:
    """``beta input + alpha`` times the sum of ``batch1 @ batch2`` over the stack."""
    return _scaled(input, beta) + _scaled(F.sum(bmm(batch1, batch2), 0), alpha)


def _scaled(x: Any, by: float) -> Any:
    return x if by == 1 else F.zero(x) if by == 0 else x * by  # NaN times 0 counts for nothing
