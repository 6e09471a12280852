"""Batching rules of products: of matrices, by Einstein's convention, and of equations solved."""

from __future__ import annotations

from typing import Any, Final

from chainrule.eager.batching.indexing import take
from chainrule.eager.batching.shapes import lengthened
from chainrule.eager.batching.tensor import Call, Rule, batched
from chainrule.eager.specialise import F
from chainrule.ops.linalg import LETTERS


def product(call: Call, i: int = 0, j: int = 1) -> Any:
    """The matrix product of operands ``i`` and ``j``, vectors being rows on the left and columns on the right."""
    left, right = call.ndim(i), call.ndim(j)
    if call.holds(i) and not call.holds(j) and right <= 2:
        return _rows_times(call.bare(i), call.bare(j), left == right == 2)
    if call.holds(j) and not call.holds(i) and left == 1:
        return F.matmul(*((call.bare(j), call.bare(i)) if right == 1 else (call.bare(i), call.bare(j))))
    if call.holds(j) and not call.holds(i) and left == 2 and right == 1:
        return F.matmul(call.bare(j), F.swapaxes(call.bare(i), axis1=-1, axis2=-2))
    x, y = (call.bare(k) for k in (i, j))
    rank = max(left, right, 2)
    if call.holds(i):
        x = F.expand_dims(x, axis=1) if left == 1 else x
        x = _ranked(x, rank)
    if call.holds(j):
        y = F.expand_dims(y, axis=-1) if right == 1 else y
        y = _ranked(y, rank)
    elif right == 1:
        y = F.expand_dims(y, axis=-1)
    out = F.matmul(x, y)
    if right == 1:
        out = F.squeeze(out, axis=-1)
    if left == 1:
        out = F.squeeze(out, axis=-1 if right == 1 else -2)
    return out


def _rows_times(x: Any, y: Any, fold: bool) -> Any:
    """``x @ y`` for a y that all samples share: with ``fold`` one product of all their rows."""
    if not fold:
        return F.matmul(x, y)
    n, rows, columns = x.array.shape
    return F.reshape(F.mm(F.reshape(x, (n * rows, columns)), y), (n, rows, y.array.shape[1]))


def _ranked(x: Any, rank: int) -> Any:
    """Values of samples with ``rank`` axes each."""
    shape = tuple(x.array.shape)
    missing = rank + 1 - len(shape)
    return F.reshape(x, (shape[0], *(1,) * missing, *shape[1:])) if missing else x


def addmm(call: Call) -> Any:
    """``x + y @ z``."""
    x = lengthened(call, 0, 2) if call.holds(0) else call.bare(0)
    return F.add(x, product(call, 1, 2) if call.holds(1) or call.holds(2) else F.matmul(call.bare(1), call.bare(2)))


def einsum(call: Call) -> Any:
    """One more letter."""
    subscripts = call.params["subscripts"]
    terms, _, result = subscripts.partition("->")
    letter = next(c for c in LETTERS if c not in subscripts)
    spelled = [letter + term if call.holds(i) else term for i, term in enumerate(terms.split(","))]
    return F.einsum(*(call.bare(i) for i in range(len(call.operands))), subscripts=f"{','.join(spelled)}->{letter}{result}")


def solve(call: Call) -> Any:
    """Equations, each sample its own."""
    a, b = call.shape(0), call.shape(1)
    if len(b) == 1 and len(a) > 2:  # of a stack of matrices: the vector for each
        columns = F.expand_dims(lengthened(call, 1, len(a) - 1), axis=-1)
        return F.squeeze(F.solve(call.values(0), F.broadcast_to(columns, (call.size, *a[:-1], 1))), axis=-1)
    if len(b) == 1 or b == a[:-1]:
        return F.squeeze(F.solve(lengthened(call, 0, len(b) + 1), F.expand_dims(call.values(1), axis=-1)), axis=-1)
    rank = max(len(a), len(b))
    return F.solve(lengthened(call, 0, rank), lengthened(call, 1, rank))


def nll_loss(call: Call) -> Any:
    """The losses of all samples, which are then summed or averaged over each."""
    x, y = call.shape(0), call.shape(1)
    params = call.params
    flat_x = call.values(0) if len(x) == 1 else F.reshape(call.values(0), (call.size * x[0], *x[1:]))
    flat_y = call.values(1) if len(x) == 1 else F.reshape(call.values(1), (call.size * y[0], *y[1:]))
    losses = F.reshape(F.nll_loss(flat_x, flat_y, None, **{**params, "reduction": "none"}), (call.size, *y))
    counted = F.not_equal(call.values(1), params["ignore_index"])
    weight = counted.cast(losses.dtype)
    if call.operands[2] is not None:
        chosen = F.where(counted, call.values(1), 0)
        one = Call(call.primitive, [call.operands[2], batched(chosen, call.batch)], {"axis": None}, call.batch)
        weight = F.multiply(weight, take(one))
        losses = F.multiply(losses, weight)
    if params["reduction"] == "none":
        return losses
    axes = tuple(range(1, len(y) + 1))
    total = F.sum(losses, axis=axes)
    return total if params["reduction"] == "sum" else F.divide(total, F.sum(weight, axis=axes))


RULES: Final[dict[str, Rule]] = {
    **dict.fromkeys(("dot", "mv", "mm", "matmul"), product),
    "addmm": addmm, "einsum": einsum, "solve": solve, "nll_loss": nll_loss,
}  # fmt: skip
