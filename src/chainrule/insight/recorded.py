"""Reads the tape: what a tensor was computed from, and what its parts are called."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import numpy as np

from chainrule.core.primitive import OPERANDS, Primitive
from chainrule.core.rules import Spent, dtype_of
from chainrule.core.spec import Spec
from chainrule.core.sweep import Node, Port
from chainrule.eager import writes
from chainrule.eager.specialise import SlotForm
from chainrule.eager.tensor import Tensor, edge_of
from chainrule.errors import GraphError

FEW: Final = 4  # arrays of so many elements are shown element by element


class Constant(NamedTuple):
    """An operand without a derivative: its array or Spec, or, where the tape has neither, why not."""

    content: Any
    missing: str = ""
    number: bool = False


class Link(NamedTuple):
    """An operand of the node `user`: its key, what it is, and the Port by which it came, if any."""

    key: Any
    origin: Node | Tensor | Constant
    port: Port | None
    user: Node


class History(NamedTuple):
    """What stands behind a result: everything by its key, the nearest first, and who uses what."""

    things: dict[Any, Any]
    links: list[Link]


class Names:
    """The names that tensors go by, and the small values known of recorded ones."""

    def __init__(self, given: Mapping[str, Any], *scopes: Mapping[str, Any]) -> None:
        self.values: dict[int, Any] = {}
        self._names: dict[int, str] = {}
        for name, value in given.items():
            if not isinstance(value, (Tensor, np.ndarray)):
                raise TypeError(f"names[{name!r}] must be a tensor, not {type(value).__name__}")
            self._add(name, value)
        for scope in scopes:
            for name, value in list(scope.items()):
                if isinstance(value, (Tensor, np.ndarray)) and name.isidentifier() and name[0] != "_":
                    self._add(name, value)  # IPython and pytest have variables of their own among the user's

    def _add(self, name: str, value: Any) -> None:
        """Note a name, unless there is one already, under the node, the leaf or the bare array of `value`."""
        held = value
        if isinstance(value, Tensor) and not value.leaf:
            held = value.array if value.node is None else edge_of(value)
            if is_small(value.array):
                self.values[id(held)] = value.array
        self._names.setdefault(id(held), name)

    def of(self, held: Any) -> str:
        """The name of an edge or an array, or nothing."""
        return self._names.get(id(held), "")


def history(root: Node, values: dict[int, Any]) -> History:
    """Go back from `root` breadth first. Small arrays that nodes saved go into `values`: they are results."""
    things: dict[Any, Any] = {id(root): root}
    links: list[Link] = []
    queue = deque([root])
    while queue:
        node = queue.popleft()
        out = node.out
        if is_small(out) and not overwritten(node):
            values.setdefault(id(node), out)
        for link in _operands(node, values):
            links.append(link)
            if link.key not in things:
                things[link.key] = link.origin
                if type(link.origin) is Node:
                    queue.append(link.origin)
    return History(things, links)


def _operands(node: Node, values: dict[int, Any]) -> Iterator[Link]:
    saved = kept_operands(node)
    for i, edge in enumerate(node.form.edges(node)):
        kept = saved[i] if saved else None
        if type(edge) is Node:
            if is_small(kept) and dtype_of(kept) is edge.dtype and not overwritten(node):
                values.setdefault(id(edge), kept)
            yield Link(id(edge), edge, None, node)
        elif type(edge) is Port:
            yield Link(id(edge.node), edge.node, edge, node)
        elif edge is not None:
            yield Link(id(edge), edge, None, node)
        elif (constant := _constant(node, i, kept)) is not None:
            # A tensor is one thing however often it is used; a number stands beside each of its uses.
            shared = isinstance(kept, np.ndarray) and kept.ndim > 0
            yield Link(id(kept) if shared else (id(node), i), constant, None, node)


def kept_operands(node: Node) -> tuple[Any, ...]:
    """What a node holds of its operands by position; nothing if a backward pass released it."""
    return node.form.saved(node) or ()


def kept_arrays(node: Node) -> list[np.ndarray]:
    """The arrays that a node holds for its rule, Python numbers aside."""
    return [array for array in writes.saved_arrays(node) if array.ndim] if kept_operands(node) else []


def _constant(node: Node, i: int, kept: Any) -> Constant | None:
    """Say what is known of operand `i`, which has no edge; None if the call had no such operand."""
    number = i in node.form.scalars
    if kept is not None:
        stale = is_small(kept) and overwritten(node)
        return Constant(Spec(kept.shape, dtype_of(kept)) if stale else kept, number=number)
    released = isinstance(node.form, Spent)
    slots = isinstance(node.form.form if released else node.form, SlotForm)
    if not slots and (not released or _is_optional(node.form.primitive, i)):
        return None  # the general form has a Spec even of an operand that it does not keep
    freed = released and _is_wanted(node, i)
    return Constant(None, "freed by backward" if freed else "value not kept", number)


def _is_wanted(node: Node, i: int) -> bool:
    """Tell whether a rule that was to run needs the value of operand `i`."""
    edges, primitive = node.form.edges(node), node.form.primitive
    names = {name for k, edge in enumerate(edges) if edge is not None for name in primitive.saves(k)}
    return "xs" in names or (i < len(OPERANDS) and OPERANDS[i] in names)


def _is_optional(primitive: Primitive, i: int) -> bool:
    """Tell whether operand `i` may be left out of a call."""
    code, defaults = getattr(primitive.raw, "__code__", None), getattr(primitive.raw, "__defaults__", None)
    return code is not None and i >= code.co_argcount - len(defaults or ())


def overwritten(node: Node) -> bool:
    """Tell whether something the node saved was written to since, and so is no longer what it was."""
    if node.seq >= writes.latest[0] or not kept_operands(node):
        return False
    try:
        writes.check_saved(node)
    except GraphError:
        return True
    return False


def is_small(array: Any) -> bool:
    """Tell whether this is an array to show element by element."""
    return isinstance(array, np.ndarray) and array.ndim <= 1 and array.size <= FEW
