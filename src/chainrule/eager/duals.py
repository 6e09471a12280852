"""Where tangents are: in the lane of a tensor, one for each level.

A call with a tensor that has one takes the generic path; ordinary tensors pay nothing. What calls do with tangents is in
`forward`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from chainrule.eager import modes
from chainrule.eager.lane import Lane
from chainrule.eager.levels import Level, enter, leave
from chainrule.eager.specialise import F
from chainrule.eager.tensor import Tensor
from chainrule.errors import shape_text

# Levels


manual: Final[list[Level]] = []  # the level of `forward_ad`: torch has one for all threads


def enter_manual() -> Level:
    """Begin the level of `forward_ad`. RuntimeError if it has begun already."""
    if manual:
        raise RuntimeError("Nested forward mode AD is not supported at the moment")
    manual.append(enter())
    return manual[0]


def leave_manual() -> None:
    """End it. RuntimeError if it has not begun."""
    if not manual:
        raise RuntimeError("Dual level must be a positive number.")
    leave(manual.pop())


class DualLane(Lane):
    """The lane of a tensor with a tangent; ``under`` is the one it would have without."""

    __slots__ = ("level", "tangent", "under")
    dual = True
    native = plain = False

    def __init__(self, level: Level, tangent: Tensor, under: Lane) -> None:
        self.dtype, self.numpy, self.scalars = under.dtype, under.numpy, under.scalars
        self.inference, self.stale, self.behind = under.inference, under.stale, under.behind
        self.level = level
        self.tangent = tangent
        self.under = under


def layers(t: Tensor) -> Iterator[DualLane]:
    """The lanes of ``t`` that hold tangents of living levels, the innermost level first."""
    lane: Any = t.lane
    while lane.dual:
        if lane.level.alive:
            yield lane
        lane = lane.under


def tangents(t: Tensor) -> Iterator[Tensor]:
    """The tangents that ``t`` has at living levels."""
    return (lane.tangent for lane in layers(t))


def tangent_of(t: Any, level: Level) -> Tensor | None:
    """The tangent that ``t`` has at ``level``."""
    if isinstance(t, Tensor):
        if t.level:
            return t.tangent_at(level)
        for lane in layers(t):
            if lane.level is level:
                return lane.tangent
    return None


def without(lane: Any, level: Level) -> Lane:
    """``lane`` without the tangents of ``level`` and of those inside it."""
    while lane.dual and (not lane.level.alive or lane.level.number >= level.number):
        lane = lane.under
    return lane  # type: ignore[no-any-return]


def bare(lane: Any) -> Lane:
    """``lane`` without any tangent."""
    while lane.dual:
        lane = lane.under
    return lane  # type: ignore[no-any-return]


def levels_of(operands: Iterable[Any]) -> list[Level]:
    """The living levels that the operands have tangents at, the innermost first."""
    found = {lane.level for x in operands if isinstance(x, Tensor) and x.lane.dual for lane in layers(x)}
    return sorted(found, key=lambda level: -level.number)


def are_carried() -> bool:
    """Whether calls carry tangents on at all."""
    mode = modes.state()
    return mode is None or (mode.tangents and not mode.inference)


def active_levels(operands: Iterable[Any]) -> list[Level]:
    """`levels_of`, where calls carry tangents on."""
    return levels_of(operands) if are_carried() else []


def innermost(operands: Iterable[Any]) -> Level | None:
    """The innermost living level that the operands have tangents at."""
    found: Level | None = None
    for x in operands:
        if isinstance(x, Tensor) and x.lane.dual:
            for lane in layers(x):
                if found is None or lane.level.number > found.number:
                    found = lane.level
                break
    return found


def attach(t: Tensor, level: Level, tangent: Tensor) -> Tensor:
    """Let ``t`` have this tangent at ``level``, below those of levels inside it; returns t."""
    if t.level:
        return t.attached(level, tangent)
    inner = [lane for lane in layers(t) if lane.level.number > level.number] if t.lane.dual else ()
    t.lane = DualLane(level, tangent, without(t.lane, level))
    for lane in reversed(inner):
        t.lane = DualLane(lane.level, lane.tangent, t.lane)
    return t


def check_has_tangents(what: str, x: Tensor) -> None:
    """Raise ValueError for a tensor of whole numbers."""
    if not x.is_floating_point() and not x.is_complex():
        raise ValueError(f"Expected {what} to be floating point or complex, but got: {x.dtype}")


def check_pair(x: Tensor, tangent: Tensor) -> None:
    """Raise ValueError for a primal or a tangent of whole numbers, RuntimeError unless they are of one shape.

    A complex tangent of a real primal is refused with TypeError: half of it would get lost.
    """
    check_has_tangents("primal", x)
    check_has_tangents("tangent", tangent)
    if x.array.shape != tangent.array.shape:
        raise RuntimeError(
            "Trying to set a forward gradient that has a different size than that of the original Tensor, this is not "
            f"supported. Tensor is of size {shape_text(x.array.shape)} while the given forward gradient is of size "
            f"{shape_text(tangent.array.shape)}."
        )
    if tangent.lane.dtype.is_complex and not x.lane.dtype.is_complex:
        raise TypeError(f"Expected a real tangent for a real primal, but got {tangent.dtype} for {x.dtype}")


def laid_out(x: Tensor, tangent: Tensor) -> Tensor:
    """``tangent``, in memory as ``x`` is: what looks at the memory of the one looks at that of the other alike."""
    if x.array.flags.c_contiguous:
        return tangent if tangent.array.flags.c_contiguous else F.ascontiguousarray(tangent)
    strides = x.array.strides
    if strides == tangent.array.strides or 0 in strides:
        return tangent
    order = sorted(range(len(strides)), key=lambda axis: -abs(strides[axis]))
    rows = F.copy(F.ascontiguousarray(F.transpose(tangent, axes=tuple(order))))
    return F.transpose(rows, axes=tuple(map(order.index, range(len(order)))))  # type: ignore[no-any-return]


class stripped:
    """A context in which the operands have no tangents of ``level`` (None: of any level)."""

    __slots__ = ("kept", "level")

    def __init__(self, operands: Iterable[Any], level: Level | None) -> None:
        self.level = level
        self.kept = [(x, x.lane) for x in operands if isinstance(x, Tensor) and x.lane.dual]

    def __enter__(self) -> None:
        for x, lane in self.kept:
            x.lane = bare(lane) if self.level is None else without(lane, self.level)

    def __exit__(self, *fault: Any) -> None:
        for x, lane in self.kept:
            x.lane = lane
