"""Levels: the transforms that are under way, one inside the other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final
from weakref import ref


class Level:
    """One transform that is under way: what belongs to different ones never mixes."""

    __slots__ = ("alive", "number")

    wrapper = ""  # how torch shows what belongs to it

    def __init__(self, number: int) -> None:
        self.number = number
        self.alive = True

    def holds(self, t: Any) -> bool:
        """Whether the tensor ``t`` belongs to it."""
        return False


# Whether a function of plain arrays is being differentiated: then no value may leave the tensors unseen.
differentiating: Final[ContextVar[bool]] = ContextVar("chainrule_differentiating", default=False)


class Transform(Level):
    """The level of one derivative that is under way: what was made within it may be written to."""

    __slots__ = ("made",)
    wrapper = "GradTrackingTensor(lvl={}, value="

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.made: dict[int, ref[Any]] = {}

    def remember(self, t: Any) -> None:
        """``t`` was made within it."""
        key = id(t)
        self.made[key] = ref(t, lambda _: self.made.pop(key, None))

    def was_made(self, t: Any) -> bool:
        """Whether ``t`` is known to have been made within it."""
        found = self.made.get(id(t))
        return found is not None and found() is t


class Batch(Level):
    """The level of one `vmap`: how many samples there are, and how random numbers are drawn for them."""

    __slots__ = ("given", "lenient", "randomness", "size", "wrote")
    wrapper = "BatchedTensor(lvl={}, bdim=0, value="

    def __init__(self, number: int, size: int, randomness: str) -> None:
        super().__init__(number)
        self.size = size
        self.randomness = randomness  # "error", "different" or "same"
        self.lenient = False  # whether Functions that are not for transforms are called for one sample after the other
        self.given: set[int] = set()  # the memory of the arguments
        self.wrote = False  # whether that was written to: then the function cannot be called a second time


    def holds(self, t: Any) -> bool:
        while t.level:
            if t.batch is self:
                return True
            t = t.values
        return False


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


def remember(t: Any) -> None:
    """``t`` was made within the derivatives that are under way."""
    for level in present():
        if isinstance(level, Transform):
            level.remember(t)


def remember_as(source: Any, t: Any) -> None:
    """``t``, on the memory of ``source``, was made within those derivatives in which that was made."""
    for level in present():
        if isinstance(level, Transform) and level.was_made(source):
            level.remember(t)


def are_transforms() -> bool:
    """Whether a function is being transformed here (which the levels of `forward_ad` are not about)."""
    return any(type(level) is not Level and not (type(level) is Batch and level.lenient) for level in present())


def refuse(name: str, instead: str = "") -> None:
    """Raise RuntimeError if a function is being transformed here: ``name`` is not for that."""
    if present() and are_transforms():
        raise RuntimeError(f"You are attempting to call Tensor.{name}() {instead}{FORBIDDEN.format(name)}")


FORBIDDEN: Final = (
    "inside of a function being transformed by a functorch transform. This is unsupported, please attempt to use the "
    "functorch transforms (e.g. grad, vjp, jacrev, jacfwd, hessian) or call {}() outside of a function being transformed "
    "instead."
)
FUNCTIONAL: Final = "(or perhaps using torch.autograd.functional.* APIs) "


def shown(t: Any) -> str:
    """What torch prints for a tensor that belongs to functions that are being transformed; nothing for any other."""
    around = [level for level in present() if level.holds(t)]
    if not around:
        return ""
    text: str = t._bottom().text_of_values()
    for level in around:
        inner = text.replace("\n", "\n    ")
        text = f"{level.wrapper.format(level.number)}\n    {inner}\n)"
    return text


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
