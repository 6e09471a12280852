"""What the tape has kept of the values of a computation, and what can be worked out from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.core.rules import dtype_of
from chainrule.core.sweep import Node


def saved_values(nodes: Iterable[Node]) -> dict[Any, Any]:
    """What the tape has kept of each value, by the edge to it."""
    found: dict[Any, Any] = {}
    for node in nodes:
        for edge, x in zip(node.form.edges(node), node.form.saved(node)):
            if edge is not None and isinstance(x, np.ndarray):
                found.setdefault(edge, x)
        if isinstance(node.out, np.ndarray):
            found[node] = node.out
    return found


def recovered(node: Node, i: int, operands: Sequence[Any], saved: Mapping[Any, Any]) -> Any:
    """A constant operand that no rule asked for, from the result and the other operand."""
    out, name = saved.get(node), node.form.primitive.name
    other = operands[1 - i] if len(operands) == 2 else None
    if out is None or other is None:
        return None
    if name == "add":
        return out - other
    if name == "subtract":
        return other - out if i else out + other
    return None


def computed(node: Node, arrays: Sequence[Any]) -> Any:
    """The result of a node computed again from its operands, or None if one of them is."""
    if any(array is None for array in arrays):
        return None
    try:
        with np.errstate(all="ignore"):
            out = node.form.primitive.raw(*arrays, **node.form.params(node))
    except (TypeError, ValueError, IndexError, RuntimeError):
        return None
    if isinstance(out, tuple):
        return out
    out = np.asarray(out)
    return out.astype(node.dtype.numpy) if dtype_of(out) is not node.dtype else out
