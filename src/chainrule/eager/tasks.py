"""What is known about the backward pass that is running: where it began, what it is after, what comes when it is done."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from functools import cached_property
from typing import Any, Final

from chainrule.core.sweep import Node, Port, arrivals

_task: ContextVar[Task | None] = ContextVar("chainrule_backward", default=None)
present: Final = _task.get
enter: Final = _task.set


_numbers: Final = itertools.count()


class Task:
    """One backward pass. What few passes need is made when it is asked for."""

    depth = 0  # how many passes this one is nested in
    callbacks: list[Callable[[], None]] | None = None
    reach: tuple[set[Node], set[Any]] | None = None

    def __init__(self, roots: list[tuple[Any, Any]], needed: Any, to_inputs: bool) -> None:
        self.roots = roots
        self.needed = needed
        self.to_inputs = to_inputs  # whether gradients of some inputs only are asked for

    @cached_property
    def shared(self) -> dict[Any, Any]:
        """What hooks that work together want to remember during this pass."""
        return {}

    @cached_property
    def number(self) -> int:
        """Another number for each pass that is asked for it."""
        return next(_numbers)

    def will_reach(self, edge: Any) -> bool:
        """Whether a cotangent can come to this edge in this pass."""
        node = edge.node if type(edge) is Port else edge
        if self.reach is None:
            self.reach = behind(edge for edge, _ in self.roots)
        nodes, leaves = self.reach
        return (node in nodes or node in leaves) and (self.needed is None or edge in self.needed or node in self.needed)

    def order(self) -> list[Any]:
        """The nodes and leaves of this pass, in its order: the latest call first, leaves as soon as they are complete."""
        awaited = arrivals([edge for edge, _ in self.roots], self.needed)
        nodes, _ = behind(edge for edge, _ in self.roots)
        found: list[Any] = []
        for node in sorted(nodes, key=lambda node: -node.seq):
            if self.needed is not None and node not in self.needed:
                continue
            found.append(node)
            for edge in node.form.edges(node) if self.needed is None or self.needed[node] else ():
                if edge in awaited:
                    awaited[edge] -= 1
                    if awaited[edge] == 0:
                        found.append(edge)
        return found

    def finish(self) -> None:
        """Call what was queued for the end, and what that queues."""
        while self.callbacks:
            self.callbacks.pop(0)()


def behind(edges: Iterable[Any]) -> tuple[set[Node], set[Any]]:
    """The nodes and the leaves that these edges lead to."""
    nodes: set[Node] = set()
    leaves: set[Any] = set()
    stack = list(edges)
    while stack:
        at = stack.pop()
        if type(at) is Port:
            at = at.node
        if type(at) is Node:
            if at not in nodes:
                nodes.add(at)
                stack += at.form.edges(at)
        else:
            leaves.add(at)
    leaves.discard(None)
    return nodes, leaves


def release(edges: Iterable[Any]) -> None:
    """Let go of what the nodes behind these edges have saved, as a pass that need not be repeated does."""
    for node in behind(edges)[0]:
        if node.form.spent is not node.form:
            node.form = node.form.spent
            node.x = node.y = node.out = None


def queue_callback(callback: Callable[[], None]) -> None:
    """Call ``callback`` when the backward pass that is running is done. Raises RuntimeError if none is."""
    task = present()
    if task is None:
        raise RuntimeError("Final callbacks can only be installed during backward pass.")
    if task.callbacks is None:
        task.callbacks = []
    task.callbacks.append(callback)
