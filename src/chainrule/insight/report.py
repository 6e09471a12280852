"""The report of an explanation: what was found, as blocks in the words of a language."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeVar

import numpy as np

from chainrule.insight.blocks import Block, Cell, Formula, Heading, Numbers, Paragraph, Table, Title, padded
from chainrule.insight.cells import bracketed, column, compared, cut, factor_text, local_cell, many
from chainrule.insight.figures import figure, memory, times
from chainrule.insight.findings import Findings, Pass
from chainrule.insight.numeric import STEP, Check
from chainrule.insight.paths import bar, by_output, dot, factors, path_counts, paths, product
from chainrule.insight.scanner import columns
from chainrule.insight.sweeps import Local, Move
from chainrule.insight.trace import Step, Value
from chainrule.insight.words import say

MOST_ROWS: Final = 30
MOST_PATHS: Final = 4
MOST_RESULTS: Final = 10
MOST_SOURCE: Final = 60


def blocks(found: Findings, lang: str) -> list[Block]:
    """The whole report."""
    return list(Report(found, lang).all())


Row = tuple[Cell, ...]
Item = TypeVar("Item")


def middle_left_out(items: Sequence[Item]) -> tuple[list[Item], int]:
    """The items of which a table shows a row, and how many are missing from their middle."""
    if len(items) <= MOST_ROWS:
        return list(items), 0
    half = MOST_ROWS // 2
    return [*items[:half], *items[-half:]], len(items) - 2 * half


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
        source = cut(self.found.source, MOST_SOURCE)
        yield Title(Numbers(y.array, f"{y.name} = {source} = " if source else f"{y.name} = "))
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
        inputs = [(value, None) for value in (*self.found.trace.inputs, *self.found.trace.constants)]
        steps = [(value, step) for step in self.found.trace.steps for value in step.outputs]
        shown, gap = middle_left_out([*inputs, *steps])
        width = max(columns(value.name) for value, _ in shown)
        head = (self.say("name"), self.say("operation"), self.say("value"), self.say("shape"))
        yield self.table(head, [self.graph_row(value, step, width) for value, step in shown], gap, "llll")

    def graph_row(self, value: Value, step: Step | None, width: int) -> Row:
        role = "variable" if value in self.found.wrt else "constant"
        what = self.say(role) if step is None else f"= {step.text_of(value)}"
        return padded(value.name, width), what, self.value(value), self.shape(value)

    def table(self, head: tuple[str, ...], rows: list[Row], gap: int, align: str) -> Table:
        """A table; ``gap`` rows are missing from its middle."""
        if gap:
            rows.insert(len(rows) // 2, (self.say("more-rows", n=gap), *[""] * (len(align) - 1)))
        return Table(head, tuple(rows), align)

    def value(self, value: Value) -> Cell:
        return "–" if value.array is None else Numbers(value.array)

    # Local derivatives

    def locals(self) -> Iterator[Block]:
        yield self.heading("locals")
        locals_ = [local for found in self.found.by_step.values() for local in found]
        if not self.plain:
            matrix = any(len(value.shape or ()) > 1 for value in self.values)
            yield Paragraph(self.say("matrices" if matrix else "vectors"))
        shown, gap = middle_left_out(locals_)
        width = max((columns(local.name) for local in shown), default=0)
        rows: list[Row] = [(local_cell(local, width), times(*local.shape)) for local in shown]
        yield self.table((self.say("derivative"), self.say("jacobian")), rows, gap, "lr")

    # The chain rule

    def derivative(self, x: Value) -> str:
        """The name of the gradient by ``x``."""
        return f"∂{self.result.name}/∂{x.name}" if self.scalar else bar(x.name)

    def chain(self) -> Iterator[Block]:
        yield self.heading("chain")
        if self.scalar and all(local.output is self.result for found in self.found.by_step.values() for local in found):
            yield Paragraph(self.say("no-chain"))
            return
        yield Paragraph(self.say(f"chain-{self.found.mode}"))
        locals_of = by_output(self.found.by_step)
        width = max(columns(self.derivative(x)) for x in self.found.wrt)
        for x in self.found.wrt[:MOST_RESULTS]:
            counts = path_counts(self.found.by_step, x)
            routes = itertools.islice(paths(self.result, x, locals_of, counts), MOST_PATHS)
            for number, path in enumerate(routes):
                yield self.product_line(x, path, number, width)
            more = counts.get(self.result, 0) - MOST_PATHS
            if more > 0:
                yield Formula(((" " * width, " + … ", self.say("paths", more=many(more))),))
        if len(self.found.wrt) > MOST_RESULTS:
            yield Paragraph(self.say("more-rows", n=len(self.found.wrt) - MOST_RESULTS))

    def product_line(self, x: Value, path: list[Local], number: int, width: int) -> Formula:
        items = factors(path)
        if not self.scalar:
            items.insert(0, (bar(self.result.name), times(1, self.result.size)))
        pieces = product(items, self.found.mode)
        if len(items) == 1:
            pieces.append((f"   {self.say('one-step')}", ""))
        if number == 0:
            name, below = padded(self.derivative(x), width), padded(times(1, x.size), width, "c")
            pieces[:0] = [(name, below), (" = ", " = ")]
        else:
            pieces[:0] = [(" " * width, ""), (" + ", "")]
        above, shapes = zip(*pieces)
        return Formula((above,) if self.plain else (above, shapes))

    # The sweeps

    def reverse(self) -> Iterator[Block]:
        yield self.heading("reverse")
        first = self.found.moves[1].value if len(self.found.moves) > 1 else self.result
        y, seed = self.result.name, self.result.array
        start = f"{bar(y)} = {Numbers(np.ones_like(seed)).fit(30)}"
        key = "bar" if self.scalar else "bar-sum"
        meet = self.say("meet") if any(move.before is not None for move in self.found.moves) else ""
        yield Paragraph(self.say(key, v=bar(first.name), plain=first.name, y=y, seed=start, meet=meet))
        yield self.sweep_table(self.found.moves, self.reverse_row, "saved")
        n = sum(x.size for x in self.found.wrt)
        if n == 1:
            yield Paragraph(self.say("passes-reverse-1"))
        else:
            yield Paragraph(self.say("passes-reverse", n=n) + self.space + self.say("saved-reverse"))

    @property
    def space(self) -> str:
        return "" if self.lang == "zh" else " "

    def sweep_table(self, moves: list[Move], row: Callable[[Move], Row], last: str) -> Table:
        head = (self.say("step"), self.say("value"), self.say("product"), self.say(last))
        shown, gap = middle_left_out(moves)
        rows = [row(move) for move in shown]
        if self.plain:  # nothing but 1×1
            return self.table((head[0], head[1], head[3]), [(a, b, d) for a, b, _, d in rows], gap, "llr")
        return self.table(head, rows, gap, "lllr")

    def reverse_row(self, move: Move) -> Row:
        target = bar(move.value.name)
        if not move.by:
            shape = times(1, move.value.size)
            return f"{target} = {self.say('seed')}", Numbers(move.total), shape, memory(move.held)
        local = move.by[0]
        m, n = local.shape
        sign = "=" if move.before is None else "+="
        step = f"{target} {sign} {bar(local.output.name)} · {local.name}"
        shapes = f"{times(1, n)} = {times(1, m)} · {times(m, n)}"
        parts = [factor_text(move.factors[0].reshape(-1)), factor_text(local)]
        work = f"{parts[0]} · {bracketed(parts[1])} = "
        if move.before is not None:
            parts.append(factor_text(move.before.reshape(-1)))
            work = f"{parts[2]} + {bracketed(parts[0])} · {bracketed(parts[1])} = "
        work = work if all(parts) else ""
        return step, Numbers(move.total, work=work), shapes, memory(move.held)

    def forward(self) -> Iterator[Block]:
        yield self.heading("forward")
        total = sum(x.size for x in self.found.wrt)
        first = self.found.passes[0]
        target = next((move.value for move in first.moves if move.by), self.result)
        yield Paragraph(self.say("dot", v=dot(target.name), plain=target.name))
        if total > 1:
            yield Heading(self.say("pass", k=1, n=total, seed=self.seed_text(first)), 3)
        yield self.sweep_table(first.moves, self.forward_row, "held")
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
        return f"{dot(one.x.name)} = {Numbers(column(one.moves[0].total)).fit(40)}"

    def forward_row(self, move: Move) -> Row:
        target = dot(move.value.name)
        if not move.by:
            shape = times(move.value.size, 1)
            return f"{target} = {self.say('seed')}", Numbers(column(move.total)), shape, memory(move.held)
        terms = " + ".join(f"{local.name} · {dot(local.operand.name)}" for local in move.by)
        m, n = move.by[0].shape
        shapes = f"{times(m, 1)} = {times(m, n)} · {times(n, 1)}" + (" + …" if len(move.by) > 1 else "")
        factors_ = [(factor_text(local), factor_text(t.reshape(-1, 1))) for local, t in zip(move.by, move.factors)]
        products = [f"{bracketed(a) if k else a} · {bracketed(b)}" for k, (a, b) in enumerate(factors_)]
        work = " + ".join(products) + " = " if all(map(all, factors_)) else ""
        return f"{target} = {terms}", Numbers(column(move.total), work=work), shapes, memory(move.held)

    def other_passes(self) -> Table:
        rows: list[Row] = []
        rest = self.found.passes[1:]
        for number, one in enumerate(rest[:MOST_RESULTS], 2):
            tangent = one.tangent(self.result)
            if tangent is None:
                tangent = np.zeros(self.result.shape or ())
            shown = Numbers(column(tangent), f"{dot(self.result.name)} = ")
            rows.append((str(number), self.seed_text(one), shown))
        if len(rest) > MOST_RESULTS:
            rows.append(("…", self.say("more-rows", n=len(rest) - MOST_RESULTS), ""))
        return Table((), tuple(rows), "rll")

    # The gradients

    def gradients(self) -> Iterator[Block]:
        yield self.heading("gradients")
        rows: list[Row] = []
        notes: list[str] = []
        shown, gap = middle_left_out(self.found.wrt)
        for x in shown:
            checked = self.found.checks.get(x)
            numeric = compared(checked, x)
            rows.append((self.derivative(x), Numbers(self.found.gradients[x]), numeric, self.verdict(checked)))
            notes += self.notes(x, checked)
        head = (self.say("derivative"), self.say("gradient"), self.say("numeric"), self.say("error"))
        yield self.table(head, rows, gap, "lllr")
        for note in dict.fromkeys(notes):
            yield Paragraph(note)
        if self.found.checks:
            yield Paragraph(self.say("check", h=STEP))

    def verdict(self, checked: Check | None) -> str:
        """The relative error, and whether the two agree."""
        if checked is None or checked.agrees is None:
            return "–"
        if checked.conventional:
            return self.say("at-kink")
        error = f"{checked.error:.0e}" if 0 < checked.error < 0.1 else f"{checked.error:.1g}"
        return f"{error} {'✓' if checked.agrees else '✗'}"

    def notes(self, x: Value, checked: Check | None) -> list[str]:
        name = self.derivative(x)
        if checked is None:
            return [self.say("unchecked", name=name)]
        if checked.agrees is None:
            return [self.say("not-finite", name=name)]
        notes = []
        if len(checked.entries) < x.size:
            notes.append(self.say("sampled", name=name, n=len(checked.entries), all=x.size))
        if checked.jumps:
            notes.append(self.say("jump", name=name))
        elif checked.kink is not None:
            left, right, taken = map(figure, checked.kink)
            notes.append(self.say("kink", name=name, left=left, right=right, taken=taken))
        elif not checked.agrees:
            notes.append(self.say("disagrees", name=name))
        return notes
