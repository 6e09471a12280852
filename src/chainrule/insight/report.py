"""The report of an explanation: what was found, as blocks in the words of a language."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from chainrule.insight.blocks import Block, Cell, Formula, Heading, Numbers, Paragraph, Table, Title, padded
from chainrule.insight.figures import figure, memory, times
from chainrule.insight.numeric import STEP, Check
from chainrule.insight.paths import bar, by_output, dot, factors, path_counts, paths, product
from chainrule.insight.scanner import columns
from chainrule.insight.sweeps import Local, Move
from chainrule.insight.trace import Step, Trace, Value
from chainrule.insight.words import say

MOST_ROWS: Final = 30
MOST_PATHS: Final = 4
MOST_RESULTS: Final = 10


@dataclass
class Pass:
    """One pass forward, for entry ``k`` of the input ``x``."""

    x: Value
    k: int
    moves: list[Move]

    def tangent(self, value: Value) -> Any:
        """The tangent of ``value``, None if it does not depend on the input."""
        return next((move.total for move in self.moves if move.value is value), None)


@dataclass
class Findings:
    """What the report is about."""

    trace: Trace
    wrt: list[Value]
    mode: str
    source: str
    by_step: dict[Step, list[Local]]
    moves: list[Move] = field(default_factory=list)
    passes: list[Pass] = field(default_factory=list)
    gradients: dict[Value, np.ndarray] = field(default_factory=dict)
    checks: dict[Value, Check] = field(default_factory=dict)


def blocks(found: Findings, lang: str) -> list[Block]:
    """The whole report."""
    return list(Report(found, lang).all())


class Report:
    """Writes the sections of one report."""

    def __init__(self, found: Findings, lang: str) -> None:
        self.found = found
        self.lang = lang
        self.result = found.trace.result
        self.scalar = not self.result.shape
        values = [self.result, *(local.operand for locals_ in found.by_step.values() for local in locals_)]
        self.values = values
        self.plain = all(value.size == 1 for value in values)  # every Jacobian is one number
        self.numbers = itertools.count(1)

    def say(self, key: str, **fields: Any) -> str:
        return say(self.lang, key, **fields)

    def heading(self, key: str) -> Heading:
        return Heading(f"{next(self.numbers)}. {self.say(key)}")

    def all(self) -> Iterator[Block]:
        """The sections in order."""
        y = self.result
        source = f"{self.found.source} = " if self.found.source else ""
        yield Title(Numbers(y.array, f"{y.name} = {source}"))
        if not self.scalar:
            yield Paragraph(self.say("sum-of-entries", y=y.name, n=y.size, seed=bar(y.name)))
        yield from self.graph()
        yield from self.locals()
        yield from self.chain()
        yield from self.reverse() if self.found.mode == "reverse" else self.forward()
        yield from self.gradients()

    # The graph

    def shape(self, value: Value) -> str:
        if value.shape is None:
            return "–"
        return times(*value.shape) if value.shape else self.say("scalar")

    def graph(self) -> Iterator[Block]:
        yield self.heading("graph")
        rows: list[tuple[Cell, ...]] = []
        inputs = [*self.found.trace.inputs, *self.found.trace.constants]
        steps = [(value, step) for step in self.found.trace.steps for value in step.outputs]
        names = [value.name for value in inputs] + [value.name for value, _ in steps]
        width = max(map(columns, names))
        for value in inputs:
            role = self.say("variable" if value in self.found.wrt else "constant")
            rows.append((padded(value.name, width), role, self.value(value), self.shape(value)))
        for value, step in steps:
            rows.append((padded(value.name, width), f"= {step.text}", self.value(value), self.shape(value)))
        head = (self.say("name"), self.say("operation"), self.say("value"), self.say("shape"))
        yield Table(head, tuple(self.shortened(rows)), "llll")

    def value(self, value: Value) -> Cell:
        return "–" if value.array is None else Numbers(value.array)

    def shortened(self, rows: list[tuple[Cell, ...]]) -> list[tuple[Cell, ...]]:
        """Many rows with a gap in the middle."""
        if len(rows) <= MOST_ROWS:
            return rows
        kept = MOST_ROWS // 2
        gap = (self.say("more-rows", n=len(rows) - 2 * kept), *[""] * (len(rows[0]) - 1))
        return [*rows[:kept], gap, *rows[-kept:]]

    # Local derivatives

    def locals(self) -> Iterator[Block]:
        yield self.heading("locals")
        locals_ = [local for found in self.found.by_step.values() for local in found]
        if not self.plain:
            matrix = any(len(value.shape or ()) > 1 for value in self.values)
            yield Paragraph(self.say("matrices" if matrix else "vectors"))
        width = max((columns(local.name) for local in locals_), default=0)
        rows = [(local_cell(local, width), times(*local.shape)) for local in locals_]
        yield Table((self.say("derivative"), self.say("jacobian")), tuple(self.shortened(rows)), "lr")

    # The chain rule

    def derivative(self, x: Value) -> str:
        """The name of the gradient by ``x``."""
        return f"∂{self.result.name}/∂{x.name}" if self.scalar else bar(x.name)

    def chain(self) -> Iterator[Block]:
        yield self.heading("chain")
        yield Paragraph(self.say(f"chain-{self.found.mode}"))
        if not self.scalar:
            yield Paragraph(self.say("seed-shape", seed=bar(self.result.name), y=self.result.name, n=self.result.size))
        locals_of = by_output(self.found.by_step)
        width = max(columns(self.derivative(x)) for x in self.found.wrt)
        for x in self.found.wrt[:MOST_RESULTS]:
            counts = path_counts(self.found.by_step, x)
            routes = itertools.islice(paths(self.result, x, locals_of, counts), MOST_PATHS)
            for number, path in enumerate(routes):
                yield self.product_line(x, path, number, width)
            more = counts.get(self.result, 0) - MOST_PATHS
            if more > 0:
                yield Paragraph(" " * width + " + … " + self.say("paths", more=more if more < 10**9 else f"{more:.1e}"))

    def product_line(self, x: Value, path: list[Local], number: int, width: int) -> Formula:
        items = factors(path)
        if not self.scalar:
            items.insert(0, (bar(self.result.name), times(1, self.result.size)))
        name, sign = (self.derivative(x), " = ") if number == 0 else ("", " + ")
        below = times(1, x.size) if number == 0 else ""
        pieces = [(padded(name, width), padded(below, width, "c")), (sign, sign), *product(items, self.found.mode)]
        above, shapes = zip(*pieces)
        return Formula((above,) if self.plain else (above, shapes))

    # The sweeps

    def reverse(self) -> Iterator[Block]:
        yield self.heading("reverse")
        first = self.found.moves[1].value if len(self.found.moves) > 1 else self.result
        y, seed = self.result.name, self.result.array
        start = f"{bar(y)} = {Numbers(np.ones_like(seed)).fit(30)}"
        key = "bar" if self.scalar else "bar-sum"
        yield Paragraph(self.say(key, v=bar(first.name), plain=first.name, y=y, seed=start))
        rows = [self.reverse_row(move) for move in self.found.moves]
        yield self.sweep_table(self.shortened(rows), "saved")
        n = sum(x.size for x in self.found.wrt)
        if n == 1:
            yield Paragraph(self.say("passes-reverse-1"))
        else:
            yield Paragraph(self.say("passes-reverse", n=n) + self.space + self.say("saved-reverse"))

    @property
    def space(self) -> str:
        return "" if self.lang == "zh" else " "

    def sweep_table(self, rows: Sequence[tuple[Cell, ...]], last: str) -> Table:
        head = (self.say("step"), self.say("value"), self.say("product"), self.say(last))
        if self.plain:  # nothing but 1×1
            return Table((head[0], head[1], head[3]), tuple((a, b, d) for a, b, _, d in rows), "llr")
        return Table(head, tuple(rows), "lllr")

    def reverse_row(self, move: Move) -> tuple[Cell, ...]:
        target = bar(move.value.name)
        if not move.by:
            shape = times(1, move.value.size)
            return f"{target} = {self.say('seed')}", Numbers(move.total), shape, memory(move.held)
        local = move.by[0]
        m, n = local.shape
        sign = "=" if move.before is None else "+="
        step = f"{target} {sign} {bar(local.output.name)} · {local.name}"
        shapes = f"{times(1, n)} = {times(1, m)} · {times(m, n)}"
        before = ""
        if move.before is not None and move.value.size == 1:
            before = f"{figure(move.before.item())} + {figure(move.contribution.item())} = ".replace("+ -", "- ")
        return step, Numbers(move.total, before), shapes, memory(move.held)

    def forward(self) -> Iterator[Block]:
        yield self.heading("forward")
        total = sum(x.size for x in self.found.wrt)
        first = self.found.passes[0]
        target = next((move.value for move in first.moves if move.by), self.result)
        yield Paragraph(self.say("dot", v=dot(target.name), plain=target.name))
        if total > 1:
            yield Heading(self.say("pass", k=1, n=total, seed=self.seed_text(first)), 3)
        yield self.sweep_table(self.shortened([self.forward_row(move) for move in first.moves]), "held")
        if len(self.found.passes) > 1:
            yield Paragraph(self.say("other-passes"))
            yield self.other_passes()
        if total > len(self.found.passes):
            yield Paragraph(self.say("not-run", run=len(self.found.passes), n=total))
        if total == 1:
            yield Paragraph(self.say("passes-forward-1"))
        else:
            yield Paragraph(self.say("passes-forward", n=total) + self.space + self.say("held-forward"))

    def seed_text(self, one: Pass) -> str:
        return f"{dot(one.x.name)} = {Numbers(one.moves[0].total).fit(40)}"

    def forward_row(self, move: Move) -> tuple[Cell, ...]:
        target = dot(move.value.name)
        if not move.by:
            shape = times(move.value.size, 1)
            return f"{target} = {self.say('seed')}", Numbers(move.total), shape, memory(move.held)
        terms = " + ".join(f"{local.name} · {dot(local.operand.name)}" for local in move.by)
        m, n = move.by[0].shape
        shapes = f"{times(m, 1)} = {times(m, n)} · {times(n, 1)}" + (" + …" if len(move.by) > 1 else "")
        return f"{target} = {terms}", Numbers(move.total), shapes, memory(move.held)

    def other_passes(self) -> Table:
        rows: list[tuple[Cell, ...]] = []
        rest = self.found.passes[1:]
        for number, one in enumerate(rest[:MOST_RESULTS], 2):
            tangent = one.tangent(self.result)
            shown = Numbers(np.zeros(self.result.shape or ()) if tangent is None else tangent, f"{dot(self.result.name)} = ")
            rows.append((str(number), self.seed_text(one), shown))
        if len(rest) > MOST_RESULTS:
            rows.append(("…", self.say("more-rows", n=len(rest) - MOST_RESULTS), ""))
        return Table((), tuple(rows), "rll")

    # The gradients

    def gradients(self) -> Iterator[Block]:
        yield self.heading("gradients")
        rows: list[tuple[Cell, ...]] = []
        notes: list[str] = []
        for x in self.found.wrt:
            checked = self.found.checks.get(x)
            numeric: Cell = "–" if checked is None else Numbers(compared(checked, x))
            error = "–" if checked is None or checked.agrees is None else f"{checked.error:.0e} {'✓' if checked.agrees else '✗'}"
            rows.append((self.derivative(x), Numbers(self.found.gradients[x]), numeric, error))
            notes += self.notes(x, checked)
        head = (self.derivative_head(), self.say("gradient"), self.say("numeric"), self.say("error"))
        yield Table(head, tuple(self.shortened(rows)), "lllr")
        for note in dict.fromkeys(notes):
            yield Paragraph(note)
        if self.found.checks:
            yield Paragraph(self.say("check", h=STEP))

    def derivative_head(self) -> str:
        return self.say("derivative")

    def notes(self, x: Value, checked: Check | None) -> list[str]:
        name = self.derivative(x)
        if checked is None:
            return [self.say("unchecked", name=name)]
        if checked.agrees is None:
            return [self.say("not-finite")]
        notes = []
        if len(checked.entries) < x.size:
            notes.append(self.say("sampled", name=name, n=len(checked.entries), all=x.size))
        if checked.kink is not None:
            left, right = map(figure, checked.kink)
            notes.append(self.say("kink", name=name, left=left, right=right))
        elif not checked.agrees:
            notes.append(self.say("disagrees", name=name))
        return notes


def compared(checked: Check, x: Value) -> np.ndarray:
    """The numeric gradient in the shape of the input, or the entries that were checked."""
    whole = len(checked.entries) == x.size
    return checked.numeric.reshape(x.shape or ()) if whole else checked.numeric


def local_cell(local: Local, width: int) -> Cell:
    """A local derivative as its name, its formula and its numbers."""
    before = f"{padded(local.name, width)} = "
    if local.diagonal is not None:
        return diagonal_cell(local, before)
    text = local.formula
    scalars = local.shape == (1, 1) and not local.output.shape and not local.operand.shape
    if is_elementwise_broadcast(local):
        text = ""
    if local.jacobian is None:
        return before + (text or "…")
    numbers = local.jacobian.reshape(()) if scalars else local.jacobian
    shown = Numbers(numbers).fit(60)
    if not text or text == shown or text in ("1", "-1", "I"):
        return before + "I" if text == "I" and not scalars else Numbers(numbers, before)
    return Numbers(numbers, f"{before}{text} = ")


def is_elementwise_broadcast(local: Local) -> bool:
    """Whether the formula, meant for scalars, does not describe the Jacobian: some axis was stretched."""
    p = local.step.node.form.primitive
    return p.kind == "elementwise" and local.operand.shape not in ((), local.output.shape)


def diagonal_cell(local: Local, before: str) -> Cell:
    """The derivative of an elementwise function: what stands on the diagonal."""
    assert local.diagonal is not None
    text, d = local.formula, local.diagonal
    if d.size and (d == d[0]).all() and local.output.name not in text and local.operand.name not in text:
        number = figure(d[0])
        factor = {"1": "", "-1": "-"}.get(number, f"{number}·")
        start = "" if not text or text == number else f"{text}·I = "
        return f"{before}{start}{factor}I"
    start = f"diag({text}) = " if text else ""
    return Numbers(d, f"{before}{start}diag", "")
