"""Derivatives along a trace: the local ones of each step, and what forward and reverse accumulation do with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from chainrule.core import rules
from chainrule.core.primitive import ELEMENTWISE
from chainrule.core.sweep import Node, Port, project
from chainrule.eager import modes
from chainrule.insight.formulas import formula
from chainrule.insight.trace import Step, Trace, Value
from chainrule.ops.strided import owner_of

SMALL: Final = 64  # a Jacobian of more entries is not computed
MOST_PASSES: Final = 100


@dataclass(eq=False)
class Local:
    """The derivative of one step's output by one of its operands.

    ``jacobian`` holds its m×n numbers (None if they are many), ``diagonal`` those on its diagonal where all
    others are zero; ``formula`` is text, empty where there is no short one.
    """

    step: Step
    output: Value
    operand: Value
    formula: str
    jacobian: np.ndarray | None = None
    diagonal: np.ndarray | None = None

    @property
    def name(self) -> str:
        """``∂v3/∂x``."""
        return f"∂{self.output.name}/∂{self.operand.name}"

    @property
    def shape(self) -> tuple[int, int]:
        """How many numbers go out, and how many come in."""
        return self.output.size, self.operand.size


@dataclass(eq=False)
class Move:
    """One line of a sweep: ``value`` gets the contribution of ``by`` (nothing: it is where the sweep begins).

    ``factors`` are what the local derivatives are multiplied with; ``before`` is what was there, ``total`` what
    is there now; ``held`` the bytes of memory after the step.
    """

    value: Value
    by: tuple[Local, ...]
    factors: tuple[np.ndarray, ...]
    before: np.ndarray | None
    total: np.ndarray
    held: int


def active_values(trace: Trace, wrt: Iterable[Value]) -> set[Value]:
    """The values that depend on one of ``wrt``."""
    active = set(wrt)
    for step in trace.steps:
        if any(x in active for x in step.operands):
            active.update(step.outputs)
    return active


# Local derivatives


def contributions(step: Step, bars: dict[Value, np.ndarray]) -> list[tuple[int, np.ndarray]]:
    """What each operand's cotangent gets, by its number, given those of the outputs."""
    node = step.node
    g: Any = bars.get(step.outputs[0])
    if any(type(value.edge) is Port for value in step.outputs):
        g = [None] * node.shape
        for value in step.outputs:
            if value in bars:
                g[value.edge.index] = bars[value]
    with np.errstate(all="ignore"):
        with modes.no_grad():  # a user's own backward runs as it would in a sweep
            pulled = list(node.form.pull(rules.apart(node), g))
        found = []
        for i, edge in enumerate(node.form.edges(node)):
            if edge is not None and pulled and pulled[0][0] is edge:
                c = np.asarray(pulled.pop(0)[1])
                found.append((i, np.asarray(project(c, *rules.space_of(edge)))))
    return found


def unit(value: Value, k: int) -> np.ndarray:
    """The cotangent of ``value`` that is 1 at entry ``k`` and 0 elsewhere."""
    e = np.zeros(value.shape or (), dtype_of(value))
    e.flat[k] = 1
    return e


def dtype_of(value: Value) -> Any:
    """The NumPy dtype of a recorded value."""
    return rules.space_of(value.edge)[1].numpy


def locals_of(step: Step, active: set[Value]) -> list[Local]:
    """The derivatives of a step's outputs by those of its operands that matter, one per pair."""
    found: list[Local] = []
    for output in step.outputs:
        members: dict[Value, list[int]] = {}
        for i, x in enumerate(step.operands):
            if x in active:
                members.setdefault(x, []).append(i)
        numbers = jacobians(step, output, members)
        for operand, positions in members.items():
            texts = [formula_of(step, output, i) for i in positions]
            text = " + ".join(texts) if all(texts) else ""
            found.append(Local(step, output, operand, text, *numbers.get(operand, (None, None))))
    return found


def formula_of(step: Step, output: Value, i: int) -> str:
    form = step.node.form
    names = [x.name for x in step.operands]
    shapes = [x.shape for x in step.operands]
    return formula(form.primitive, i, names, output.name, form.params(step.node), shapes)


def jacobians(step: Step, output: Value, members: dict[Value, list[int]]) -> dict[Value, tuple[Any, Any]]:
    """The Jacobian and the diagonal of each operand, where they are small enough to be shown."""
    found: dict[Value, tuple[Any, Any]] = {}
    diagonal = [x for x in members if output.shape and x.shape == output.shape and is_elementwise(step)]
    if diagonal:
        sums = summed(step, {output: np.ones(output.shape or (), dtype_of(output))}, members)
        found = {x: (None, sums[x].reshape(-1)) for x in diagonal if x in sums}
    rest = [x for x in members if x not in diagonal and 0 < output.size * x.size <= SMALL]
    if rest:
        rows = [summed(step, {output: unit(output, k)}, members) for k in range(output.size)]
        for x in rest:
            if all(x in row for row in rows):
                found[x] = (np.stack([row[x].reshape(-1) for row in rows]), None)
    return found


def is_elementwise(step: Step) -> bool:
    p = step.node.form.primitive
    return p.kind == ELEMENTWISE or p.name in ("absolute", "sign", "copy")


def summed(step: Step, bars: dict[Value, Any], members: dict[Value, list[int]]) -> dict[Value, Any]:
    """The contributions to each operand; to one that occurs twice, their sum."""
    by_number = dict(contributions(step, bars))
    sums = {}
    for x, positions in members.items():
        parts = [by_number[i] for i in positions if i in by_number]
        if parts:
            sums[x] = sum(parts[1:], start=parts[0])
    return sums


# Reverse accumulation


def saved_bytes(node: Node) -> dict[int, int]:
    """The bytes of each block of memory that a node has saved (a Python number among its operands not counted)."""
    saved = [x for i, x in enumerate(node.form.saved(node)) if i not in node.form.scalars]
    outs = node.out if isinstance(node.out, tuple) else (node.out,)
    return {id(owner_of(x)): x.nbytes for x in (*saved, *outs) if isinstance(x, np.ndarray)}


def reverse_sweep(trace: Trace, by_step: dict[Step, list[Local]], active: set[Value]) -> Iterator[Move]:
    """From the seed of ones back to the inputs, most recent step first."""
    saved = {step: saved_bytes(step.node) for step in trace.steps}
    holders = Counter(key for blocks in saved.values() for key in blocks)
    held = sum({key: n for blocks in saved.values() for key, n in blocks.items()}.values())
    seed = np.ones(trace.result.shape or (), dtype_of(trace.result))
    bars = {trace.result: seed}
    yield Move(trace.result, (), (), None, seed, held)
    for step in reversed(trace.steps):
        ready = {value: bars[value] for value in step.outputs if value in bars}
        held -= released(saved[step], holders)
        for output in ready:
            positions: dict[Value, list[int]] = {}
            for i, x in enumerate(step.operands):
                if x in active:
                    positions.setdefault(x, []).append(i)
            parts = summed(step, {output: ready[output]}, positions)
            for local in by_step[step]:
                if local.output is output and local.operand in parts:
                    before = bars.get(local.operand)
                    part = parts[local.operand]
                    bars[local.operand] = part if before is None else before + part
                    yield Move(local.operand, (local,), (ready[output],), before, bars[local.operand], held)


def released(blocks: dict[int, int], holders: Counter[int]) -> int:
    """How many bytes nobody holds any more once the holder of ``blocks`` is gone."""
    freed = 0
    for key, n in blocks.items():
        holders[key] -= 1
        freed += 0 if holders[key] else n
    return freed


# Forward accumulation


def forward_pass(trace: Trace, by_step: dict[Step, list[Local]], x: Value, k: int) -> Iterator[Move]:
    """The tangents of all values, that of entry ``k`` of the input ``x`` being 1."""
    users = Counter(local.operand for locals_ in by_step.values() for local in locals_)
    seed = unit(x, k)
    dots = {x: seed}
    yield Move(x, (), (), None, seed, seed.nbytes)
    for step in trace.steps:
        live = [local for local in by_step[step] if local.operand in dots]
        if not live:
            continue
        for value, tangent in zip(step.outputs, push(step, dots)):
            dots[value] = tangent
        for local in by_step[step]:
            users[local.operand] -= 1
        held = sum(t.nbytes for value, t in dots.items() if users[value] or value is trace.result)
        for value in step.outputs:
            by = tuple(local for local in live if local.output is value)
            yield Move(value, by, tuple(dots[local.operand] for local in by), None, dots[value], held)


def push(step: Step, dots: dict[Value, np.ndarray]) -> list[np.ndarray]:
    """The tangents of a step's outputs, given those of its operands. ValueError if the tape lacks an operand."""
    node = step.node
    p, params = node.form.primitive, node.form.params(node)
    operands = [x.array for x in step.operands]
    tangents = [dots.get(x) for x in step.operands]
    many = any(type(value.edge) is Port for value in step.outputs)
    out = p.raw(*operands, **params) if many else step.outputs[0].array
    try:
        with np.errstate(all="ignore"):
            tangent = rules.jvp(p, operands, tangents, out, params)
    except (TypeError, AttributeError) as fault:
        if all(x is not None for x in operands):
            raise
        raise ValueError(f"forward mode needs an operand of {step.text} that the tape has not kept") from fault
    parts = [tangent[value.edge.index] for value in step.outputs] if many else [tangent]
    return [spread(part, value) for part, value in zip(parts, step.outputs)]


def spread(tangent: Any, value: Value) -> np.ndarray:
    """A tangent in the shape and dtype of its value."""
    return np.broadcast_to(np.asarray(tangent), value.shape or ()).astype(dtype_of(value))


def entries(wrt: Sequence[Value]) -> Iterator[tuple[Value, int]]:
    """Every input number, as the input and the number of the entry."""
    return ((x, k) for x in wrt for k in range(x.size))
