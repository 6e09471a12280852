"""Hooks: functions of the user that see, and may replace, what passes through the graph.

On an edge (a tensor's `register_hook`), on a node as a whole (before and after its rule), on a leaf after its
gradient was added up.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from chainrule.core.rules import apart, copied, next_seq, space_of
from chainrule.core.sparse import settled
from chainrule.core.sweep import Node, Port, project
from chainrule.eager.accumulating import lock, store
from chainrule.eager.refusing import Absent
from chainrule.eager.tensor import Tensor, edge_of, wrap
from chainrule.errors import ShapeError, type_name


class RemovableHandle:
    """What registering a hook returns: ``remove()`` takes the hook away, from every table that knows its number."""

    def __init__(self, *tables: dict[int, Any], key: int) -> None:
        self._tables = tables
        self.id = key

    def remove(self) -> None:
        for table in self._tables:
            table.pop(self.id, None)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *exc: object) -> None:
        self.remove()


def register(table: dict[int, Any], hook: Any) -> RemovableHandle:
    """Put ``hook`` at the end of ``table``; returns what takes it away."""
    key = next_seq()
    table[key] = hook
    return RemovableHandle(table, key=key)


class Hooks:
    """The hooks on one edge: called with its complete cotangent, in order of registration."""

    __slots__ = ("accumulated", "after", "before", "functions", "retained")

    def __init__(self) -> None:
        self.functions: dict[int, Callable[[Tensor], Tensor | None]] = {}
        self.retained: weakref.ref[Tensor] | None = None  # the tensor that asked to keep its gradient
        self.before: dict[int, Any] = {}  # of a leaf: before its gradient is added up, and after that
        self.after: dict[int, Any] = {}
        self.accumulated: dict[int, Any] = {}

    def add(self, hook: Callable[[Tensor], Tensor | None]) -> RemovableHandle:
        return register(self.functions, hook)

    def __call__(self, g: Any) -> Any:
        if g is None or type(g) is Absent:  # of an output that nothing came back for
            for hook in list(self.functions.values()):
                if hook(None) is not None:  # type: ignore[arg-type]
                    raise RuntimeError("can't replace a None gradient with a non-None value")
            return g
        t = g if isinstance(g, Tensor) else wrap(g)
        for hook in list(self.functions.values()):
            t = _replaced(hook, hook(t), t)
        keeper = self.retained() if self.retained is not None else None
        if keeper is not None:
            with lock:
                store(keeper, {keeper: t if isinstance(g, Tensor) else bare(t)})
        return t if isinstance(g, Tensor) else bare(t)

    def arriving(self, g: Any) -> Any:
        """The cotangent of a leaf after the hooks that its node runs before adding it up."""
        for hook in list(self.before.values()):
            t = g if isinstance(g, Tensor) else wrap(g)
            (t,) = _all_replaced(hook, hook((t,)), (t,))
            g = t if isinstance(g, Tensor) else bare(t)
        return g

    def stored(self, leaf: Tensor, g: Any) -> None:
        """Run the hooks on a leaf whose gradient has just been added to (its first: the same memory)."""
        for hook in list(self.accumulated.values()):
            found = hook(leaf)
            if found is not None and not isinstance(found, Tensor):
                raise TypeError(f"expected Variable, but hook returned '{type(found).__name__}'")
            if found is not None and found is not leaf:
                raise RuntimeError("Tensor post accumulate grad hooks should return None.")
        for hook in list(self.after.values()):
            hook((), (g if isinstance(g, Tensor) else wrap(g),))


class PortHooks:
    """The hooks on the outputs of a node that has several, and the one on all of them together."""

    __slots__ = ("ports", "whole")
    retained = None

    def __init__(self, whole: Callable[[list[Any]], list[Any]] | None = None) -> None:
        self.ports: dict[int, Hooks] = {}
        self.whole = whole

    def __call__(self, g: list[Any]) -> list[Any]:
        g = [self.ports[k](part) if k in self.ports else part for k, part in enumerate(g)]
        return g if self.whole is None else self.whole(g)


def _replaced(hook: Any, value: Any, t: Tensor) -> Tensor:
    """What a hook made of the cotangent ``t``, validated."""
    if value is None:
        return t
    if not isinstance(value, Tensor):
        raise TypeError(f"expected Variable, but hook returned '{type(value).__name__}'")
    if value.array.shape != t.array.shape:
        raise ShapeError(f"hook '{getattr(hook, '__name__', hook)}' has changed the size of value")
    if value.dtype is not t.dtype:
        raise RuntimeError(
            f"hook '{getattr(hook, '__name__', hook)}' has changed the type of value "
            f"(was torch.{type_name(t.dtype)}Tensor got torch.{type_name(value.dtype)}Tensor)"
        )
    return value


def _all_replaced(hook: Any, found: Any, before: tuple[Any, ...]) -> tuple[Any, ...]:
    """What a hook on a node made of several cotangents, validated."""
    if found is None:
        return before
    if not isinstance(found, tuple):
        raise TypeError(f"expected tuple, but hook returned '{type(found).__name__}'")
    if len(found) != len(before):
        raise RuntimeError(
            f"hook '{getattr(hook, '__name__', hook)}' has returned an incorrect number of values (got {len(found)}, but "
            f"expected {len(before)})"
        )
    if any(new is not None and old is None for new, old in zip(found, before, strict=True)):
        raise RuntimeError("can't replace a None gradient with a non-None value")
    return tuple(
        new if old is None or new is None else _replaced(hook, new, old) for new, old in zip(found, before, strict=True)
    )


def hooks_of(tensor: Tensor) -> Hooks:
    """The hooks on the edge of ``tensor``, made if there are none."""
    return hooks_of_edge(tensor if tensor.node is None else edge_of(tensor))


def hooks_of_edge(edge: Any) -> Hooks:
    """The hooks on an edge, made if there are none."""
    if edge.hooks is None:
        edge.hooks = Hooks()
        if type(edge) is Port:
            if edge.node.hooks is None:
                edge.node.hooks = PortHooks()
            edge.node.hooks.ports[edge.index] = edge.hooks
    return edge.hooks  # type: ignore[no-any-return]


class HookedForm:
    """The form of a node with hooks of its own: they run before and after the node's rule."""

    __slots__ = ("after", "before", "inner")

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.before: dict[int, Any] = {}
        self.after: dict[int, Any] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    @property
    def spent(self) -> Any:
        return self if self.inner.spent is self.inner else self.inner.spent

    def revive(self, node: Node) -> Node:
        """The inner form's node with tensors for what was saved, running the same hooks."""
        revived = self.inner.revive(node)
        copy = copied(revived, revived.x, revived.y, revived.out)
        copy.form = self
        return copy

    def pull(self, node: Node, g: Any) -> Any:
        single = not isinstance(g, list)
        boxed = any(isinstance(part, Tensor) for part in ([g] if single else g))
        seen = _boxed([g] if single else g)
        for hook in list(self.before.values()):
            seen = _all_replaced(hook, hook(seen), seen)
        if self.before:
            if all(part is None for part in seen):
                return []
            g = _unboxed(seen, boxed)
            g = g[0] if single else g
        if not self.after:
            return self.inner.pull(node, g)
        pulled = list(self.inner.pull(apart(node), g))
        shown, places = arranged(node, pulled)
        for hook in list(self.after.values()):
            shown = _all_replaced(hook, hook(shown, seen), shown)
        raw = _unboxed(shown, boxed)
        found = [(edge, raw[places[k]] if k in places else part) for k, (edge, part) in enumerate(pulled)]
        return [(edge, part) for edge, part in found if part is not None]


def arranged(node: Node, pulled: list[tuple[Any, Any]]) -> tuple[tuple[Any, ...], dict[int, int]]:
    """What a node sends back, as tensors in the order of ``next_functions``; and the place there of each part."""
    edges = node.form.shown_edges(node)
    found: list[Any] = [None] * len(edges)
    places: dict[int, int] = {}
    for k, (edge, part) in enumerate(pulled):
        free = [j for j, other in enumerate(edges) if other is edge and found[j] is None]
        if free:
            places[k] = free[0]
            found[free[0]] = project(part, *space_of(edge))
    return _boxed(found), places


def _boxed(parts: Any) -> tuple[Any, ...]:
    return tuple(_boxed_part(part) for part in parts)


def _boxed_part(part: Any) -> Any:
    if part is None or type(part) is Absent:
        return None
    return part if isinstance(part, Tensor) else wrap(settled(part))


def _unboxed(parts: Any, boxed: bool) -> list[Any]:
    return list(parts) if boxed else [bare(part) if isinstance(part, Tensor) else part for part in parts]


def bare(t: Tensor) -> Any:
    """The array of a cotangent, unless it is more than that: has a tangent, or a value for each sample of a batch."""
    return t if t.level or t.lane.dual else t.array


def hooked_form(node: Node) -> HookedForm:
    """The form of ``node`` as one that runs hooks."""
    if type(node.form) is not HookedForm:
        node.form = HookedForm(node.form)
    return node.form


def hooks_dict(tensor: Tensor) -> dict[int, Any] | None:
    """The hooks on a tensor, by number; None if there never were any."""
    found = getattr(tensor if tensor.node is None else edge_of(tensor), "hooks", None)
    return None if found is None else found.functions


def set_hooks_dict(tensor: Tensor, table: dict[Any, Any] | None) -> None:
    """Let these be the hooks on a tensor."""
    hooks_of(tensor).functions = {} if table is None else table


def register_hook(tensor: Tensor, hook: Callable[[Tensor], Tensor | None]) -> RemovableHandle:
    """Call ``hook(grad)`` whenever the gradient of this tensor is computed; what it returns replaces it."""
    if not tensor.requires_grad:
        raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
    return hooks_of(tensor).add(hook)


def retain_grad(tensor: Tensor) -> None:
    """Let a backward pass fill ``.grad`` of this non-leaf too."""
    if not tensor.requires_grad:
        raise RuntimeError("can't retain_grad on Tensor that has requires_grad=False")
    if tensor.node is not None:
        hooks_of(tensor).retained = weakref.ref(tensor)


def register_post_accumulate_grad_hook(tensor: Tensor, hook: Callable[[Tensor], None]) -> RemovableHandle:
    """Call ``hook(leaf)`` whenever a backward pass has added to ``leaf.grad``."""
    if not tensor.requires_grad:
        raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
    if tensor.node is not None:
        raise RuntimeError("post accumulate grad hooks cannot be registered on non-leaf tensors")
    return register(hooks_of(tensor).accumulated, hook)
