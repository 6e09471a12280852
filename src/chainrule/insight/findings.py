"""What an explanation finds out about a computation: its local derivatives, a sweep, the gradients, the checks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chainrule.insight.numeric import Check, check, replayable
from chainrule.insight.sweeps import (
    MOST_PASSES,
    Local,
    Move,
    active_values,
    entries,
    forward_pass,
    locals_of,
    reverse_sweep,
)  # fmt: skip
from chainrule.insight.trace import Step, Trace, Value


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


def findings_of(found: Trace, wrt: list[Value], mode: str, source: str = "") -> Findings:
    """Everything that the report is about."""
    active = active_values(found, wrt)
    by_step = {step: locals_of(step, active) for step in found.steps}
    findings = Findings(found, wrt, mode, source, by_step)
    if mode == "forward":
        total = sum(x.size for x in wrt)
        for x, k in list(entries(wrt))[:MOST_PASSES]:
            findings.passes.append(Pass(x, k, list(forward_pass(found, by_step, x, k))))
        findings.gradients = assembled(findings.passes, found.result, wrt)
        if total > MOST_PASSES:
            findings.gradients = bars(list(reverse_sweep(found, by_step, active)), wrt)
    else:
        findings.moves = list(reverse_sweep(found, by_step, active))
        findings.gradients = bars(findings.moves, wrt)
    if replayable(found):
        findings.checks = {x: check(found, x, findings.gradients[x]) for x in wrt}
    return findings


def bars(moves: Sequence[Move], wrt: list[Value]) -> dict[Value, np.ndarray]:
    """The gradients that a reverse sweep ended with."""
    last = {move.value: move.total for move in moves}
    return {x: last.get(x, np.zeros_like(x.array)) for x in wrt}


def assembled(passes: Sequence[Pass], result: Value, wrt: list[Value]) -> dict[Value, np.ndarray]:
    """The gradients, entry by entry, from the passes forward."""
    found = {x: np.zeros_like(x.array) for x in wrt}
    for one in passes:
        tangent = one.tangent(result)
        found[one.x].flat[one.k] = 0 if tangent is None else tangent.sum()
    return found
