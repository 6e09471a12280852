"""Numeric differentiation of a recorded computation: run it again in float64 with an input moved a little."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from chainrule.core.rules import dtype_of
from chainrule.insight.trace import Trace, Value

EPSILON: Final = float(np.finfo(np.float64).eps)
# The error of a central difference is about h² + eps/h, least at the cube root of eps.
STEP: Final = EPSILON ** (1 / 3)
MOST_WORK: Final = 50_000_000  # numbers computed again, over all entries
OVERHEAD: Final = 1000  # what an operation costs beside its numbers
MOST_CHECKED: Final = 200
SIZES: Final = tuple(8.0**-j for j in range(9))  # of the step, where the first is too large for the function
TOLERANCES: Final = {"float64": 1e-5, "float32": 1e-3, "float16": 5e-2, "bfloat16": 2e-1}


@dataclass(frozen=True)
class Check:
    """A gradient beside its numeric value: ``agrees`` is None where there is nothing to compare.

    ``entries`` are the flat numbers of the entries compared; ``kink`` the slopes on the left and on the right
    of one where they differ, and the gradient there.
    """

    numeric: np.ndarray
    entries: tuple[int, ...]
    error: float
    agrees: bool | None
    kink: tuple[float, float, float] | None = None

    @property
    def conventional(self) -> bool:
        """Whether the gradient, at a kink, is one of the slopes between those on its sides."""
        if self.kink is None:
            return False
        left, right, taken = self.kink
        slack = 1e-3 * max(abs(left), abs(right))
        return min(left, right) - slack <= taken <= max(left, right) + slack


def replayable(trace: Trace) -> bool:
    """Whether every operand that the computation needs is known."""
    return all(x.array is not None for step in trace.steps for x in step.operands if x.kind != "operation")


def replay(trace: Trace, moved: dict[Value, np.ndarray]) -> float:
    """The sum of the result's entries, with these inputs in place of the recorded ones, in float64."""
    arrays: dict[Value, Any] = {}
    with np.errstate(all="ignore"):
        for step in trace.steps:
            operands = [arrays[x] if x in arrays else widened(moved.get(x, x.array)) for x in step.operands]
            out = step.node.form.primitive.raw(*operands, **step.node.form.params(step.node))
            for value in step.outputs:
                arrays[value] = np.asarray(out[value.edge.index] if isinstance(out, tuple) else out)
        return float(np.sum(arrays[trace.result]))


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
        self.largest = 0.0  # of the result's values met
        self.middle = self.value(self.start)

    def value(self, point: np.ndarray) -> float:
        found = replay(self.trace, {self.x: point})
        self.largest = max(self.largest, abs(found)) if math.isfinite(found) else self.largest
        return found

    def at(self, k: int, right: float = 1.0, left: float = -1.0) -> float:
        """The slope by entry ``k`` between ``left`` and ``right`` times the step."""
        h = STEP * max(1.0, abs(float(self.start.flat[k])))
        ends = []
        for side in (right, left):
            point = self.start.copy()
            point.flat[k] += side * h
            ends.append((float(point.flat[k]), self.value(point) if side else self.middle))
        # The distance that was really moved, which is rounded, not the one that was asked for.
        apart = ends[0][0] - ends[1][0]
        return (ends[0][1] - ends[1][1]) / apart if apart else math.nan

    def refined(self, k: int) -> float:
        """The slope by entry ``k`` with the step that its neighbours in size agree with best."""
        slopes = [self.at(k, size, -size) for size in SIZES]
        pairs = [(abs(a - b), b) for a, b in itertools.pairwise(slopes) if math.isfinite(a - b)]
        return min(pairs)[1] if pairs else math.nan

    def kink(self, k: int) -> tuple[float, float] | None:
        """The slopes on either side of entry ``k`` if they differ however near one looks."""
        left, right = self.at(k, 0, -1), self.at(k, 1, 0)
        near = self.at(k, 0.1, 0) - self.at(k, 0, -0.1)
        return (left, right) if abs(near) > 0.5 * abs(right - left) > 0 else None


def check(trace: Trace, x: Value, gradient: np.ndarray) -> Check:
    """Compare ``gradient``, the derivative of the sum of the result by ``x``, with central differences."""
    tolerance = TOLERANCES.get(dtype_of(x.array).name, TOLERANCES["float64"])
    work = sum(OVERHEAD + value.size for step in trace.steps for value in step.outputs)
    names = chosen_entries(x, work)
    slopes = Slopes(trace, x)
    exact = np.asarray(widened(gradient)).reshape(-1)[names]
    numeric = np.array([slopes.at(k) for k in names])
    if not (math.isfinite(slopes.middle) and np.isfinite(exact).all()):
        return Check(numeric, tuple(names), math.nan, None)
    # Below this a gradient drowns in the rounding of the function's own value.
    floor = max(1e6 * EPSILON * slopes.largest / STEP, 1e-300)

    def errors() -> np.ndarray:
        scale = max(float(np.abs(exact).max()), float(np.abs(numeric).max()), floor)
        return np.asarray(np.abs(exact - numeric) / scale)

    for j in np.flatnonzero(~(errors() <= tolerance)):
        numeric[j] = slopes.refined(names[j])
    if not np.isfinite(numeric).all():
        return Check(numeric, tuple(names), math.nan, None)
    error = errors()
    agrees = bool(error.max() <= tolerance)
    worst = int(error.argmax())
    sides = None if agrees else slopes.kink(names[worst])
    kink = None if sides is None else (*sides, float(exact[worst]))
    return Check(numeric, tuple(names), float(error.max()), agrees, kink)
