"""A line search for the strong Wolfe conditions (Nocedal and Wright 2006, section 3.5)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

DECREASE, CURVATURE = 1e-4, 0.9  # the constants of the two conditions


class Point(NamedTuple):
    """A place on the line: how far, the value there, the gradient, and the slope along the line."""

    t: float
    value: float
    gradient: np.ndarray
    slope: float


def strong_wolfe(evaluate: Callable[[float], tuple[float, np.ndarray]], d: np.ndarray, start: Point, t: float, most: int,
                 smallest: float = 1e-9) -> tuple[Point, int]:  # fmt: skip
    """A point along ``d`` from ``start`` that fulfils the conditions, trying ``t`` first; and how often it evaluated.

    ``most`` limits the evaluations, ``smallest`` how far apart points are worth telling.
    """

    def at(t: float) -> Point:
        value, gradient = evaluate(t)
        return Point(t, value, gradient, float(gradient @ d))

    new, calls = at(t), 1
    low, high, found = _bracket(at, start, new, most)
    calls += found
    if high is None:
        return low, calls
    stuck = False
    reach = float(np.abs(d).max())
    while calls - 1 < most and abs(high.t - low.t) * reach >= smallest:
        t, stuck = _between(low, high, stuck)
        new = at(t)
        calls += 1
        if new.value > start.value + DECREASE * t * start.slope or new.value >= low.value:
            low, high = (low, new) if low.value <= new.value else (new, low)
            continue
        if abs(new.slope) <= -CURVATURE * start.slope:
            return new, calls
        if new.slope * (high.t - low.t) >= 0:
            high = low
        low = new
    return low, calls


def _bracket(at: Callable[[float], Point], start: Point, new: Point, most: int) -> tuple[Point, Point | None, int]:
    """The better and the worse end of an interval with a suitable point in it; no worse one if the first is suitable."""
    before, calls = start, 0
    while calls < most:
        too_high = new.value > start.value + DECREASE * new.t * start.slope or (calls > 1 and new.value >= before.value)
        if not too_high and abs(new.slope) <= -CURVATURE * start.slope:
            return new, None, calls
        if too_high or new.slope >= 0:
            return *_ordered(before, new), calls
        t = _cubic(before, new, new.t + 0.01 * (new.t - before.t), 10 * new.t)
        before, new, calls = new, at(t), calls + 1
    return *_ordered(start, new), calls


def _ordered(a: Point, b: Point) -> tuple[Point, Point]:
    return (a, b) if a.value <= b.value else (b, a)


def _between(low: Point, high: Point, stuck: bool) -> tuple[float, bool]:
    """Where to look between two points, and whether it is so near an end that the next try should not be."""
    first, last = sorted((low.t, high.t))
    t = _cubic(low, high, first, last)
    margin = 0.1 * (last - first)
    if min(last - t, t - first) >= margin:
        return t, False
    if not stuck and first < t < last:
        return t, True
    return (last - margin if abs(t - last) < abs(t - first) else first + margin), False


def _cubic(a: Point, b: Point, least: float, largest: float) -> float:
    """Where the cubic through two points with their slopes is least, within limits."""
    d1 = a.slope + b.slope - 3 * (a.value - b.value) / (a.t - b.t)
    square = d1 * d1 - a.slope * b.slope
    if not square >= 0:
        return (least + largest) / 2
    near, far = (a, b) if a.t <= b.t else (b, a)
    d2 = math.sqrt(square)
    t = far.t - (far.t - near.t) * ((far.slope + d2 - d1) / (far.slope - near.slope + 2 * d2))
    return min(max(t, least), largest)


