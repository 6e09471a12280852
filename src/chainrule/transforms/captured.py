"""The level of a derivative, at which writes to captured tensors are refused.

A tensor that a function captures would keep a history of the derivative it was written to in, when that is over. What was
made outside is known at the write by its history. A tensor without one may have been made outside or inside: what creation
functions make inside is remembered; anything else is kept as it was, and put back if it has outlived the function.
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable, Sequence
from typing import Any

from chainrule.core.rules import next_seq
from chainrule.core.sweep import Node, Port
from chainrule.eager import duals, levels, modes, notice, tasks, views, writes
from chainrule.eager.batching.tensor import Batched, batched
from chainrule.eager.functions.viewing import alias
from chainrule.eager.lane import LANES, own_lane
from chainrule.eager.leaving import source_line, writes_to_argument
from chainrule.eager.tensor import Tensor, edge_of, leaf
from chainrule.eager.trees import flatten, mapped


class Derivative(levels.Transform):
    """The level of one derivative by ``inputs``, as a context around the call of the function."""

    __slots__ = ("before", "inputs", "since", "tracked", "written")

    def __init__(self, inputs: Sequence[Tensor], tracked: Sequence[Tensor] = ()) -> None:
        super().__init__(levels.next_number())
        self.inputs = inputs
        self.tracked = tracked  # those that are on the tape
        self.since = next_seq()
        self.written: dict[int, tuple[weakref.ref[Tensor], Any, str]] = {}  # with the values from before
        self.before = self.about_to_write

    def __enter__(self) -> Derivative:
        levels.begin(self)
        writes.guards.append(self.before)
        return self

    def __exit__(self, *fault: object) -> None:
        writes.guards.remove(self.before)
        levels.leave(self)

    def own(self, tree: Any) -> Any:
        """Arguments that are not differentiated, as tensors of the function's own: writes change their memory alone."""
        return mapped(self._own, tree)

    def _own(self, x: Any) -> Any:
        if isinstance(x, Batched):
            values = self._own(x.values)
            return x if values is x.values else batched(values, x.batch)
        if type(x) is not Tensor or x.leaf or x.node is not None or not x.lane.native:
            return x
        alias = leaf(x.array, x.lane)
        self.remember(alias)
        return alias

    def holds(self, t: Tensor) -> bool:
        held = t._bottom()
        if any(lane.level is self for lane in duals.layers(held)):
            return True
        ends = [edge_of(x._bottom()) for x in self.tracked]
        nodes, leaves = tasks.behind([edge_of(held)]) if ends else ((), ())
        return any(edge in nodes or edge in leaves for edge in ends)

    def about_to_write(self, t: Tensor) -> None:
        """Raise RuntimeError if ``t`` was made outside, and remember it if that is not known."""
        if self not in levels.present():
            return
        root = root_of(t)
        noted = self.written.get(id(root))
        if self.was_made(root) or (noted is not None and noted[0]() is root):
            return
        if any(root is root_of(x._bottom()) for x in self.inputs):
            if levels.differentiating.get():
                raise RuntimeError(writes_to_argument())
            return
        node: Any = root.node.node if type(root.node) is Port else root.node
        line = source_line(notice.user_frame())
        if type(node) is Node:
            if node.seq < self.since:
                raise RuntimeError(CAPTURED.format(line))
        elif root.leaf:
            raise RuntimeError(CAPTURED.format(line))
        else:
            self.written[id(root)] = weakref.ref(root), root.array.copy(), line

    def check(self, *results: Any) -> None:
        """After the call: RuntimeError if a tensor that was written to is still there, which has its old values again."""
        if not self.written:
            return
        ends = [y._bottom() for y in flatten(results)[0] if isinstance(y, Tensor)]
        returned = [root_of(t) for y in ends for t in (y, *(part._bottom() for part in duals.tangents(y)))]
        captured = [(t, values, line) for r, values, line in self.written.values()
                    if (t := r()) is not None and not any(t is y for y in returned)]  # fmt: skip
        for t, values, _ in captured:
            restore(t, values)
        if captured:
            raise RuntimeError(CAPTURED.format(captured[0][2]))


def outside_inference(fun: Callable[..., Any]) -> Callable[..., Any]:
    """``fun``, a derivative, as it is outside of inference_mode: what it records is its own affair."""

    @functools.wraps(fun)
    def outside(*args: Any, **kwargs: Any) -> Any:
        if not modes.is_inference_mode_enabled():
            return fun(*args, **kwargs)
        with modes.inference_mode(False):
            return fun(*args, **kwargs)

    return outside


def normal_alias(x: Tensor) -> Tensor:
    """A view of ``x``, a normal tensor even if x is one of inference_mode's."""
    t: Tensor = alias(x)
    if t.lane.inference and not t.lane.dual:
        t = leaf(t.array, LANES[t.array.dtype])
    return t


CAPTURED = (
    "During a grad (vjp, jvp, grad, etc) transform, the function provided attempted to call in-place operation ({}) that "
    "would mutate a captured Tensor. This is not supported; please rewrite the function being transformed to explicitly "
    "accept the mutated Tensor(s) as inputs."
)


def root_of(t: Tensor) -> Tensor:
    """The tensor whose memory ``t`` looks at."""
    base = views.base_of(t)
    return t if base is None else base


def restore(t: Tensor, values: Any) -> None:
    """Let ``t``, which had no history, be as it was."""
    t.array[...] = values
    writes.log_write(t)
    for part in (t, *(view for _, view in views.live(t))):
        part.node, part.lane = None, own_lane(part.lane)
