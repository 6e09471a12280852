"""Numeric differentiation of a recorded computation: run it again in float64 with an input moved a little."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from chainrule.core.primitive import CUSTOM
from chainrule.core.rules import dtype_of
from chainrule.insight.trace import Trace, Value

EPSILON: Final = float(np.finfo(np.float64).eps)
# The error of a central difference is about h² + eps/h, least at the cube root of eps.
STEP: Final[float] = EPSILON ** (1 / 3)
MOST_WORK: Final = 50_000_000  # numbers computed again, over all entries
OVERHEAD: Final = 1000  # what an operation costs beside its numbers
MOST_CHECKED: Final = 200
SIZES: Final = tuple(8.0**-j for j in range(-3, 9))  # of the step, where its usual one does not suit
TOLERANCES: Final = {"float64": 1e-5, "float32": 1e-3, "float16": 5e-2, "bfloat16": 2e-1}


@dataclass(frozen=True)
class Check:
    """A gradient beside its numeric value: ``agrees`` is None where there is nothing to compare.

    ``entries`` are the flat numbers of the entries compared; ``kink`` the slopes on the left and on the right
    of one where they differ, and the gradient there; ``jumps`` whether the function itself jumps there.
    """

    numeric: np.ndarray
    entries: tuple[int, ...]
    error: float
    agrees: bool | None
    kink: tuple[float, float, float] | None = None
    jumps: bool = False

    @property
    def conventional(self) -> bool:
        """Whether there is no derivative, but a gradient that is a matter of convention: at a jump, or between
        the slopes on the sides of a kink."""
        if self.kink is None or self.jumps:
            return self.jumps
        left, right, taken = self.kink
        slack = 1e-3 * max(abs(left), abs(right))
        return min(left, right) - slack <= taken <= max(left, right) + slack


def replayable(trace: Trace) -> bool:
    """Whether every operand that the computation needs is known, and every step has a function to call again."""
    if any(step.node.form.primitive.kind == CUSTOM for step in trace.steps):
        return False
    return all(x.array is not None for step in trace.steps for x in step.operands if x.kind != "operation")


def replay(trace: Trace, moved: dict[Value, np.ndarray]) -> dict[Value, np.ndarray]:
    """The results of all steps with these inputs in place of the recorded ones, in float64."""
    arrays: dict[Value, Any] = {}
    with np.errstate(all="ignore"):
        for step in trace.steps:
            operands = [arrays[x] if x in arrays else widened(moved.get(x, x.array)) for x in step.operands]
            out = step.node.form.primitive.raw(*operands, **step.node.form.params(step.node))
            for value in step.outputs:
                arrays[value] = np.asarray(out[value.edge.index] if isinstance(out, tuple) else out)
    return arrays


def widened(array: Any) -> Any:
    """A floating-point array in float64."""
    return array.astype(np.float64) if dtype_of(array).differentiable else array


def chosen_entries(x: Value, work: int) -> list[int]:
    """The entries of ``x`` to compare: all, or an even selection where that would take too long."""
    most = max(1, min(MOST_CHECKED, MOST_WORK // (2 * max(work, 1))))
    return sorted({round(k) for k in np.linspace(0, x.size - 1, min(most, x.size))})


class Slopes:
    """Difference quotients of the result by the entries of one input."""

    def __init__(self, trace: Trace, x: Value) -> None:
        self.trace = trace
        self.x = x
        self.start = np.array(widened(x.array))
        arrays = replay(trace, {})
        self.middle = float(np.sum(arrays[trace.result]))
        # Every step rounds to within this times epsilon, or less.
        met = np.concatenate([np.abs(a).reshape(-1) for a in (self.start, *arrays.values())])
        self.largest = float(np.max(met, initial=0.0, where=np.isfinite(met)))

    def step(self, k: int) -> float:
        """How far entry ``k`` is moved."""
        return STEP * max(1.0, abs(float(self.start.flat[k])))

    def at(self, k: int, right: float = 1.0, left: float = -1.0) -> float:
        """The slope by entry ``k`` between ``left`` and ``right`` times the step."""
        ends = []
        for side in (right, left):
            point = self.start.copy()
            point.flat[k] += side * self.step(k)
            value = float(np.sum(replay(self.trace, {self.x: point})[self.trace.result])) if side else self.middle
            ends.append((float(point.flat[k]), value))
        # The distance that was really moved, which is rounded, not the one that was asked for.
        apart = ends[0][0] - ends[1][0]
        return float((ends[0][1] - ends[1][1]) / apart) if apart else math.nan

    def doubt(self, k: int, size: float = 1.0) -> float:
        """How far rounding may put off a slope by entry ``k`` with ``size`` times the step."""
        h = size * self.step(k)
        return 10 * EPSILON * max(self.largest, h) / h

    def refined(self, k: int) -> tuple[float, float]:
        """The slope by entry ``k`` with the size of step that suits the function best, and its doubt."""
        slopes = [self.at(k, size, -size) for size in SIZES]
        choices = [
            (abs(a - b) + self.doubt(k, size), b, self.doubt(k, size))
            for (a, b), size in zip(itertools.pairwise(slopes), SIZES[1:])
            if math.isfinite(a - b)
        ]
        return min(choices)[1:] if choices else (math.nan, math.nan)

    def kink(self, k: int) -> tuple[float, float] | None:
        """The slopes on either side of entry ``k`` if they differ however near one looks."""
        left, right = self.at(k, 0, -1), self.at(k, 1, 0)
        near = self.at(k, 0.1, 0) - self.at(k, 0, -0.1)
        return (left, right) if abs(near) > 0.5 * abs(right - left) > 0 else None

    def jumps(self, k: int) -> bool:
        """Whether the result jumps at entry ``k``: the nearer one looks, the steeper it is."""
        sides = ((1, 0), (0, -1))
        return any(abs(self.at(k, 0.1 * a, 0.1 * b)) > 5 * abs(self.at(k, a, b)) > 1 for a, b in sides)


def check(trace: Trace, x: Value, gradient: np.ndarray) -> Check:
    """Compare ``gradient``, the derivative of the sum of the result by ``x``, with central differences."""
    tolerance = TOLERANCES.get(dtype_of(x.array).name, TOLERANCES["float64"])
    work = sum(OVERHEAD + value.size for step in trace.steps for value in step.outputs)
    names = chosen_entries(x, work)
    slopes = Slopes(trace, x)
    exact = np.asarray(widened(gradient)).reshape(-1)[names]
    numeric = np.array([slopes.at(k) for k in names])
    doubts = np.array([slopes.doubt(k) for k in names])
    if not (math.isfinite(slopes.middle) and np.isfinite(exact).all()):
        return Check(numeric, tuple(names), math.nan, None)

    def errors() -> np.ndarray:
        # What drowns in rounding is compared with the doubt, not with itself.
        scale = max(float(np.abs(exact).max()), float(np.abs(numeric).max()), float(doubts.max()) / tolerance, 1e-300)
        return np.asarray(np.abs(exact - numeric) / scale)

    for j in np.flatnonzero(~(errors() <= tolerance)):
        numeric[j], doubts[j] = slopes.refined(names[j])
    if not np.isfinite(numeric).all():
        return Check(numeric, tuple(names), math.nan, None)
    error = errors()
    worst = int(error.argmax())
    if error[worst] <= tolerance:
        return Check(numeric, tuple(names), float(error[worst]), True)
    sides = slopes.kink(names[worst])
    kink = None if sides is None else (*sides, float(exact[worst]))
    return Check(numeric, tuple(names), float(error[worst]), False, kink, slopes.jumps(names[worst]))
