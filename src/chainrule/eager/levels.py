"""Levels: the transforms that are under way, one inside the other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final


class Level:
    """One transform that is under way: what belongs to different ones never mixes."""

    __slots__ = ("alive", "number")

    def __init__(self, number: int) -> None:
        self.number = number
        self.alive = True


# Whether a function of plain arrays is being differentiated: then no value may leave the tensors unseen.
differentiating: Final[ContextVar[bool]] = ContextVar("chainrule_differentiating", default=False)


class Batch(Level):
    """The level of one `vmap`: how many samples there are, and how random numbers are drawn for them."""

    __slots__ = ("randomness", "size", "wrote")

    def __init__(self, number: int, size: int, randomness: str) -> None:
        super().__init__(number)
        self.size = size
        self.randomness = randomness  # "error", "different" or "same"
        self.wrote = False  # whether anything was written in place: then the function cannot be called a second time


_levels: Final[ContextVar[tuple[Level, ...]]] = ContextVar("chainrule_levels", default=())
present: Final = _levels.get


def batches() -> list[Batch]:
    """The levels of `vmap` that are under way, the outermost first."""
    return [level for level in present() if type(level) is Batch]


_suspended: Final[ContextVar[bool]] = ContextVar("chainrule_suspended", default=False)
suspended: Final = _suspended.get  # whether this is done for all samples of a batch, its level being out of sight


@contextmanager
def outside(batch: Batch) -> Iterator[None]:
    """A context in which this level is not there."""
    inside = present()
    before = suspended()
    _levels.set(tuple(level for level in inside if level is not batch))
    _suspended.set(True)
    try:
        yield
    finally:
        _levels.set(inside)
        _suspended.set(before)


def next_number() -> int:
    """The number of a level inside those that are there."""
    levels = present()
    return levels[-1].number + 1 if levels else 1


def begin(level: Level) -> None:
    """Put a level inside those that are there."""
    _levels.set((*present(), level))


def enter() -> Level:
    """A new level, inside those that are there."""
    level = Level(next_number())
    begin(level)
    return level


def leave(level: Level) -> None:
    """End a level: what belongs to it is forgotten."""
    level.alive = False
    _levels.set(tuple(other for other in present() if other is not level))
