"""The batching rule of every primitive: from its kind, from one of the rooms beside this one, or a loop.

A rule is given a `Call` and returns the values of all samples. The batch axis stands in front, so what counts its axes from
the end needs nothing; what broadcasts needs its operands' axes in line.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from chainrule.core.primitive import COMPOSITE, ELEMENTWISE, Primitive
from chainrule.eager import duals, refusals, tape
from chainrule.eager.batching import axes, images, indexing, products, shapes
from chainrule.eager.batching.tensor import Batched, Call, Rule, batched, layers, rank_of, values_of
from chainrule.eager.levels import Batch, differentiating
from chainrule.eager.specialise import F
from chainrule.eager.tensor import Tensor, wrap
from chainrule.errors import ShapeError


def aligned(call: Call) -> list[Any]:
    """The operands with their axes in line: short ones that are batched have new axes behind the batch axis."""
    ranks = [rank_of(x) for x in call.operands]
    top = max(ranks)
    return [
        x if not mine else x.values if rank == top else shapes.lengthened(call, i, top)
        for i, (x, mine, rank) in enumerate(zip(call.operands, call.mine, ranks, strict=True))
    ]


def elementwise(call: Call) -> Any:
    """Broadcast as samples would be."""
    return call.run(*aligned(call))


def filling(call: Call) -> Any:
    """What has the shape of its first operand: that one is repeated for each sample."""
    rest = [shapes.lengthened(call, i, call.ndim(0)) if call.holds(i) else x for i, x in enumerate(call.operands)]
    return call.run(call.values(0), *rest[1:])


def same(call: Call) -> Any:
    """What counts no axes, or the last ones only."""
    return call.run(*(call.values(i) for i in range(len(call.operands))))


def loss(call: Call) -> Any:
    """The losses of all elements, which are then summed or averaged over each sample."""
    losses = call.run(*aligned(call), reduction="none")
    how = call.params["reduction"]
    if how == "none":
        return losses
    axis = tuple(range(1, losses.ndim))
    return F.sum(losses, axis=axis) if how == "sum" else F.mean(losses, axis=axis)


def conjugate(call: Call) -> Any:
    """What is real is its own conjugate (to NumPy's users a copy)."""
    x = call.values(0)
    return same(call) if x.is_complex() else F.copy(x) if differentiating.get() else x


def square(call: Call) -> Any:
    """Each matrix, or each in a stack."""
    if call.ndim(0) < 2:
        raise ShapeError(f"linalg.{call.primitive.name}: The input tensor A must have at least 2 dimensions.")
    return same(call)


def triangle(call: Call) -> Any:
    """Part of each matrix; NumPy makes a vector the rows of one."""
    x = call.values(0)
    n = x.array.shape[-1]
    return call.run(x if call.ndim(0) != 1 else F.broadcast_to(F.expand_dims(x, axis=1), (call.size, n, n)))


def view_as_complex(call: Call) -> Any:
    """Pairs along the last axis of a sample."""
    if not call.ndim(0):
        raise ShapeError("Input tensor must have one or more dimensions")
    return same(call)


def cast(call: Call) -> Any:
    """Another dtype."""
    return call.values(0).cast(call.params["dtype"])


def body(call: Call) -> Any:
    """A composite is what it is made of."""
    return _collected(call.primitive.raw(*call.operands, **call.params), call)


def _collected(result: Any, call: Call) -> Any:
    if isinstance(result, (tuple, list)):
        return tuple(values_of(part, call.batch) for part in result)
    return values_of(result, call.batch)


def process(self: Batched, p: Primitive, operands: Sequence[Any], params: dict[str, Any]) -> Any:
    """Apply ``p`` to all samples at once."""
    if not self.batch.alive:
        raise RuntimeError(
            "vmap: your tensor may have escaped from inside a function being vmapped: it was used after that vmap had ended. "
            "Return it from the function instead."
        )
    given = operands
    operands, alike = looked_through(self, operands)
    if not alike:
        common = tape.common_dtype(p, operands)
        refusals.check(p, given, common)
        if common is not None and not p.retypes:
            operands = [brought(x, common) if p.promotes(i) else x for i, x in enumerate(operands)]
        operands = [lifted(x, self.batch) if isinstance(x, Tensor) and x._bottom().lane.dual else x for x in operands]
    call = Call(p, operands, params, self.batch)
    rule = found.get(p) or found.setdefault(p, find(p))
    result = rule(call)
    if result is NotImplemented:
        result = loop(call)
    if isinstance(result, Tensor):
        return batched(result, self.batch)
    return tuple(batched(part, self.batch) for part in result)


def looked_through(self: Batched, operands: Sequence[Any]) -> tuple[list[Any], bool]:
    """The operands, arrays as tensors; whether all are of one floating dtype, and none has tangents or is of another batch."""
    dtype, batch = self.lane.dtype, self.batch
    alike = dtype.differentiable
    found = []
    for x in operands:
        kind = type(x)
        if kind is Batched:
            alike = alike and x.batch is batch and x.lane.dtype is dtype
        elif kind is np.ndarray:
            x = wrap(x)
            alike = alike and x.lane.dtype is dtype
        elif kind is not float and kind is not int:
            alike = alike and isinstance(x, Tensor) and x.lane.dtype is dtype and not (x.lane.dual or x.level)
        found.append(x)
    return found, alike


def brought(x: Any, common: Any) -> Any:
    """An operand in the common dtype."""
    return x.cast(common) if isinstance(x, Tensor) and x.dtype is not common else x


def lifted(x: Any, batch: Batch) -> Any:
    """An operand that is the same for all samples, but whose tangents need not be."""
    differ = batch not in layers(x) and any(batch in layers(tangent) for tangent in duals.tangents(x._bottom()))
    return batched(values_of(x, batch), batch) if differ else x


def loop(call: Call) -> Any:
    """One sample after the other, with a warning that says so: right for every primitive."""
    name = (call.primitive.torch or call.primitive.name).split()[0]
    warnings.warn(
        f"There is a performance drop because we have not yet implemented the batching rule for {name}: it is called for one "
        "sample after the other.",
        UserWarning,
        stacklevel=2,
    )
    return looped(call)


def looped(call: Call) -> Any:
    """One sample after the other."""
    rows = [call.run(*call.sample(k)) for k in range(call.size)] or [call.run(*blanks(call))]
    if isinstance(rows[0], (tuple, list)):
        return tuple(_stacked([row[k] for row in rows], call.size) for k in range(len(rows[0])))
    return _stacked(rows, call.size)


def _stacked(rows: list[Any], size: int) -> Any:
    return F.stack(*rows, axis=0) if size else F.getitem(F.stack(*rows, axis=0), slice(0, 0))


def blanks(call: Call) -> list[Any]:
    """Operands of the shapes that those of one sample would have, where there is none."""
    return [
        wrap(np.zeros(x.array.shape, x.array.dtype)) if call.holds(i) else x for i, x in enumerate(call.operands)
    ]


BY_NAME: Final[dict[str, Rule]] = {
    **dict.fromkeys(("fill", "overwrite", "zero"), filling),
    "conjugate": conjugate, "view_as_complex": view_as_complex,
    **dict.fromkeys(("real", "imag", "copy", "ascontiguousarray", "view_as_real",
                     "together"), same),
    "tril": triangle, "triu": triangle,
    **dict.fromkeys(("inv", "det", "slogdet", "cofactor"), square),
    "cast": cast,
    "complex_of": elementwise, "exp_known": elementwise, "binary_cross_entropy": loss,
    **axes.RULES, **shapes.RULES, **indexing.RULES, **products.RULES, **images.RULES,
}  # fmt: skip
LOOPED: Final = ("ctc_loss",)  # composites whose bodies want arrays


def find(p: Primitive) -> Rule:
    """The batching rule of ``p``."""
    if p.name in BY_NAME:
        return BY_NAME[p.name]
    if p.kind == ELEMENTWISE or isinstance(p.fun, np.ufunc) or p.name in ("round", "div_rounded", "frac", "zero"):
        return elementwise
    if p.kind == COMPOSITE and p.name not in LOOPED:
        return body
    return loop


found: Final[dict[Primitive, Rule]] = {}  # the rules that were asked for
Batched.process = process  # type: ignore[assignment, method-assign]
