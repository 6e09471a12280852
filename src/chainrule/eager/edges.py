"""Edges of the graph as objects of their own, and hooks on several at once."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, NamedTuple

from chainrule.core.rules import next_seq
from chainrule.core.sweep import Node, Port
from chainrule.eager import tasks
from chainrule.eager.gradfn import AccumulateGrad, GradFn, public_edge
from chainrule.eager.hooks import RemovableHandle, hooks_of
from chainrule.eager.tensor import Tensor, edge_of


class GradientEdge(NamedTuple):
    """The place in the graph that a tensor's gradient is delivered to: output ``output_nr`` of ``node``."""

    node: Any
    output_nr: int
    ownership_token: Any = None


def get_gradient_edge(tensor: Tensor) -> GradientEdge:
    """The edge of a tensor that requires grad: it stays what it is when the tensor is written to.

    >>> import chainrule as cr
    >>> x = cr.ones(2, requires_grad=True)
    >>> edge = get_gradient_edge(x * 2)
    >>> edge.node.name(), edge.output_nr
    ('MulBackward0', 0)
    """
    if not tensor.requires_grad:
        raise RuntimeError("It is not possible to get the gradient edge for a Tensor that does not require gradients")
    return GradientEdge(*public_edge(edge_of(tensor)))


def edge_at(where: Any) -> Any:
    """The edge that a tensor or a GradientEdge stands for; TypeError for anything else."""
    if isinstance(where, Tensor):
        edge = edge_of(where)
        return where if edge is None else edge
    if not isinstance(where, GradientEdge):
        raise TypeError(f"expected a Tensor or a GradientEdge, but got {type(where).__name__}")
    at = edge_of_node(where.node)
    return at if isinstance(at, Tensor) or type(at.shape) is tuple else port_of(at, where.output_nr)


def edge_of_node(node: Any) -> Any:
    """The leaf that an AccumulateGrad belongs to, or the recorded node of a grad_fn; TypeError for anything else."""
    if isinstance(node, AccumulateGrad):
        return node.variable
    if not isinstance(node, GradFn):
        raise TypeError(f"expected a node of the graph, a grad_fn, but got {type(node).__name__}")
    return node.node


def port_of(node: Node, number: int) -> Port:
    """The edge to output ``number`` of a node with several: equal to any other of that output."""
    return Port(node, number, *node.form.output_spec(node, number))


def register_multi_grad_hook(tensors: Sequence[Any], fn: Callable[..., None], *, mode: str = "all") -> RemovableHandle:
    """Call ``fn`` once in a backward pass: with the gradients of all ``tensors`` (None for those without one) when the last
    of them is there, or, with ``mode="any"``, with the first that comes.

    Raises ValueError for another mode.
    """
    if mode not in ("all", "any"):
        raise ValueError(f"Expects mode to be one of ('all', 'any') but got {mode}")
    watched = list(tensors)
    key = next_seq()
    tables: list[tuple[dict[Any, Any], Any]] = []
    for i, t in enumerate(watched):
        if t.requires_grad:
            table: dict[Any, Any] = hooks_of(t).functions
            table[key + i / (len(watched) + 1)] = (_gathering if mode == "all" else _first)(i, watched, fn, key)
            tables.append((table, key + i / (len(watched) + 1)))
    return SeveralHandles(tables)


class SeveralHandles(RemovableHandle):
    """What takes the hooks on several tensors away."""

    def __init__(self, entries: list[tuple[dict[Any, Any], Any]]) -> None:
        super().__init__(key=next_seq())
        self._entries = entries

    def remove(self) -> None:
        for table, key in self._entries:
            table.pop(key, None)


def _gathering(i: int, tensors: Sequence[Any], fn: Callable[..., None], key: int) -> Callable[[Any], None]:
    """The hook on tensor ``i``: collects, and calls ``fn`` when nothing more is to come."""
    count = len(tensors)
    edges = [edge_at(t) for t in tensors if t.requires_grad]
    ends = [weakref.ref(e.node if type(e) is Port else e) for e in edges]  # weakly: they hold this hook

    def hook(grad: Any) -> None:
        task = tasks.present()
        if task is None:
            return
        state = task.shared.get(key)
        if state is None:
            coming = sum(task.will_reach(end()) for end in ends)
            state = task.shared[key] = {"grads": [None] * count, "left": coming}
        state["grads"][i] = grad
        state["left"] -= 1
        if state["left"] == 0:
            fn(state["grads"])

    return hook


def _first(i: int, tensors: Sequence[Any], fn: Callable[..., None], key: int) -> Callable[[Any], None]:
    """The hook on each tensor: calls ``fn`` unless another one did."""

    @wraps(fn)
    def hook(grad: Any) -> None:
        task = tasks.present()
        if task is not None and not task.shared.get(key):
            task.shared[key] = True
            fn(grad)

    return hook
