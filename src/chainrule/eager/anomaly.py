"""Finding where things went wrong: nodes that remember the line that made them, and a check for NaN on the way back."""

from __future__ import annotations

import sys
import traceback
import warnings
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Final, NamedTuple

import numpy as np

from chainrule.core.rules import copied
from chainrule.core.sparse import settled
from chainrule.core.sweep import Node
from chainrule.eager import modes, writes
from chainrule.eager.gradfn import metadata_of
from chainrule.eager.hooks import arranged
from chainrule.eager.notice import user_frame
from chainrule.eager.tensor import Tensor
from chainrule.errors import GraphError


class Anomaly(NamedTuple):
    """What `detect_anomaly` asks for."""

    check_nan: bool

    def recorded(self, node: Node) -> None:
        """Note on ``node`` the lines that recorded it, and in whose backward pass."""
        data = metadata_of(node)
        data["traceback_"] = user_stack()
        if pulling := _pulling.get():
            data["parent_"] = pulling[-1]

    def line(self) -> str:
        """The user's line that is running."""
        return user_stack()[-1]

    def checked(self, node: Node) -> None:
        """`check_saved`, with the lines of the call and of the write in its error."""
        try:
            writes.check_saved(node)
        except GraphError as fault:
            report(node)
            saved = (metadata_of(node).get("traceback_") or [""])[-1]
            written = writes.line_of_write(node)
            told = "".join(
                f"\n{what}:\n{line.rstrip()}" for what, line in (("Saved at", saved), ("Written to at", written)) if line
            )
            raise GraphError(f"{fault}{told}") from None

    def watched(self, revive: Callable[[Node], Node] | None) -> Callable[[Node], Node]:
        """What makes the nodes of a sweep watched ones, after ``revive``."""

        def watch(node: Node) -> Node:
            revived = node if revive is None else revive(node)
            copy = copied(revived, revived.x, revived.y, revived.out)
            copy.form = WatchedForm(node, node.form, self.check_nan)
            return copy

        return watch


def user_stack() -> list[str]:
    """The lines that led here, without chainrule's own frames at the end."""
    return traceback.format_stack(user_frame())


_pulling: Final[ContextVar[tuple[Node, ...]]] = ContextVar("chainrule_pulling", default=())  # innermost last


class WatchedForm:
    """The form of a node in an anomaly-checked sweep: its rule's errors and NaNs come with the lines of the call."""

    __slots__ = ("check_nan", "inner", "node")

    def __init__(self, node: Node, inner: Any, check_nan: bool) -> None:
        self.node = node  # as recorded: the key of its metadata
        self.inner = inner
        self.check_nan = check_nan

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def pull(self, node: Node, g: Any) -> Any:
        around = _pulling.get()
        _pulling.set((*around, self.node))
        try:
            pulled = list(self.inner.pull(node, g))
        except Exception:
            report(self.node)
            raise
        finally:
            _pulling.set(around)
        if self.check_nan:
            for k, (edge, part) in enumerate(pulled):
                if edge is not None and _has_nan(part):
                    report(self.node)
                    place = arranged(node, pulled)[1].get(k, k)
                    raise RuntimeError(f"Function '{self.node.name()}' returned nan values in its {place}th output.")
        return pulled


def _has_nan(part: Any) -> bool:
    part = settled(part)
    array = part.array if isinstance(part, Tensor) else np.asarray(part)
    return array.dtype.kind in "fcV" and bool(np.isnan(array).any())


def report(node: Node) -> None:
    """Warn with the lines of the call that made ``node``, and of those in whose backward pass it was made."""
    lines = metadata_of(node).get("traceback_")
    if lines is None:
        _tell(
            f"Error detected in {node.name()}. No forward pass information available. Enable detect anomaly during forward "
            "pass for more information."
        )
        return
    _tell(f"Error detected in {node.name()}. Traceback of forward call that caused the error:\n{''.join(lines)}")
    parent = metadata_of(node).get("parent_")
    while parent is not None:
        lines = metadata_of(parent).get("traceback_")
        told = (
            f"Traceback of forward call that induced the previous calculation:\n{''.join(lines)}"
            if lines
            else ("No forward pass information available. Enable detect anomaly during forward pass for more information.")
        )
        _tell(f"\n\nPrevious calculation was induced by {parent.name()}. {told}")
        parent = metadata_of(parent).get("parent_")


def _tell(message: str) -> None:
    """Warn; where warnings are errors, print it: the error that it is about is still to come."""
    try:
        warnings.warn(message, stacklevel=3)
    except Warning as warning:
        print(f"{type(warning).__name__}: {warning}", file=sys.stderr)


class detect_anomaly:
    """Inside, every recorded call remembers its line, and a backward pass stops at the first NaN.

    >>> import warnings
    >>> import chainrule as cr
    >>> with warnings.catch_warnings(action="ignore"), detect_anomaly():
    ...     x = cr.tensor(-1.0, requires_grad=True)
    ...     (x.sqrt() * 0).backward()
    Traceback (most recent call last):
    RuntimeError: Function 'SqrtBackward0' returned nan values in its 0th output.
    """

    def __init__(self, check_nan: bool = True) -> None:
        self.check_nan = check_nan
        warnings.warn(
            "Anomaly Detection has been enabled. This mode will increase the runtime and should only be enabled for "
            "debugging.",
            stacklevel=2,
        )

    def __enter__(self) -> None:
        self._outer = modes.present().anomaly
        modes.enter(modes.changed(anomaly=Anomaly(self.check_nan)))

    def __exit__(self, *exc: object) -> None:
        modes.enter(modes.changed(anomaly=self._outer))


class set_detect_anomaly:
    """`detect_anomaly` on or off by ``mode``: at once as a call, for the block as a context manager."""

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        self._outer = modes.present().anomaly
        modes.enter(modes.changed(anomaly=Anomaly(check_nan) if mode else None))

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exc: object) -> None:
        modes.enter(modes.changed(anomaly=self._outer))


def is_anomaly_enabled() -> bool:
    """Whether `detect_anomaly` is on here."""
    return modes.present().anomaly is not None


def is_anomaly_check_nan_enabled() -> bool:
    """Whether backward passes here stop at NaN."""
    anomaly = modes.present().anomaly
    return anomaly is not None and anomaly.check_nan
