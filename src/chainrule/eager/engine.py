"""Backward passes: from validated outputs through the sweep to the gradients of leaves."""

from __future__ import annotations

import contextvars
import threading
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from chainrule.core.sweep import Node, Port, project, sweep
from chainrule.eager import modes, tasks, views, writes
from chainrule.eager.accumulating import lock, owned, store
from chainrule.eager.edges import GradientEdge, edge_at
from chainrule.eager.hooks import retain_grad
from chainrule.eager.quiet import is_quiet
from chainrule.eager.tasks import Task, behind
from chainrule.eager.tensor import Tensor, remembered, wrap, zeros_of
from chainrule.errors import GraphError, ShapeError


def accumulate(leaves: dict[Tensor, Any]) -> None:
    """Add the cotangents of leaves to their ``.grad``, one sweep at a time."""
    hooked = []
    with lock:
        for tensor in list(leaves):
            if tensor.hooks is None:
                store(tensor, leaves)
            else:
                hooked.append(tensor)
    for tensor in hooked:
        accumulate_one(tensor, leaves)


def accumulate_one(tensor: Tensor, leaves: dict[Tensor, Any]) -> None:
    """Take the cotangent of one leaf out of ``leaves``, through its hooks, to its ``.grad``."""
    hooks: Any = tensor.hooks
    if hooks is not None:
        g = leaves[tensor] = hooks.arriving(hooks(leaves[tensor]))
    with lock:  # not around hooks, which may wait for other threads
        first = tensor._grad is None
        store(tensor, leaves)
        leaves.pop(tensor, None)
    if hooks is not None:
        hooks.stored(tensor, tensor._grad.detach() if first else g)


def seeds(outputs: Sequence[Any], gradients: Any, tensors: bool) -> list[tuple[Any, Any]]:
    """Pairs of edge and cotangent, a tensor or an array, to start from; GraphError or ShapeError if they cannot be."""
    if gradients is None and len(outputs) == 1 and not tensors:
        y = outputs[0]
        if type(y) is Tensor and y.node is not None and y.lane.plain and y.array.ndim == 0:  # a loss, nearly always
            return [(y.node, remembered(y.lane, 1.0))]
    given = [None] * len(outputs) if gradients is None else as_list(gradients)
    if len(given) < len(outputs):
        raise RuntimeError(f"got {len(outputs)} tensors and {len(given)} gradients")
    roots = []
    for i, y in enumerate(outputs):
        if type(y) is GradientEdge:
            y = stand_in(y)
        seed = implicit_seed(y) if given[i] is None else checked_seed(i, y, given[i])
        if not y.requires_grad:
            raise GraphError(f"element {i} of tensors does not require grad and does not have a grad_fn")
        if y.lane.stale:
            views.check_stale(y)
        edge = edge_at(y)
        if tensors:
            roots.append((edge, seed if isinstance(seed, Tensor) else wrap(seed)))
        else:
            roots.append((edge, seed.array if isinstance(seed, Tensor) else seed))
    return roots


def stand_in(where: GradientEdge) -> Tensor:
    """A tensor at an edge, of the shape and dtype of its cotangents, whose values are never looked at."""
    edge = edge_at(where)
    if isinstance(edge, Tensor):
        return edge
    return wrap(np.broadcast_to(np.zeros((), edge.dtype.numpy), edge.shape), edge)


def implicit_seed(y: Tensor) -> Any:
    """The cotangent 1 of a scalar; GraphError for anything else that could have one."""
    if y.array.size != 1 and y.requires_grad:
        raise GraphError("grad can be implicitly created only for scalar outputs")
    if y.lane.dtype.is_complex:
        raise GraphError(f"grad can be implicitly created only for real scalar outputs but got {y.dtype!r}")
    return remembered(y.lane, 1.0) if y.array.ndim == 0 else np.ones_like(y.array)


def checked_seed(i: int, y: Tensor, g: Any) -> Tensor:
    """A user's gradient for output ``i``, in the dtype of that output."""
    if not isinstance(g, Tensor):
        raise TypeError(f"gradients can be either Tensors or None, but got {type(g).__name__}")
    if g.array.shape != y.array.shape:
        raise ShapeError(
            f"Mismatch in shape: grad_output[{i}] has a shape of {g.shape} and output[{i}] has a shape of {y.shape}."
        )
    if g.dtype.is_complex != y.dtype.is_complex:
        raise RuntimeError(
            "For complex Tensors, both grad_output and output are required to have the same dtype. Mismatch in dtype: "
            f"grad_output[{i}] has a dtype of {g.dtype} and output[{i}] has a dtype of {y.dtype}."
        )
    return project(g, y.array.shape, y.dtype) if g.dtype is not y.dtype else g


def needed_for(roots: Iterable[Any], nodes: Iterable[Node], targets: set[Any]) -> dict[Any, bool]:
    """The edges on a way from ``roots`` through ``nodes`` to ``targets``; for nodes, whether there is a target beyond them."""
    needed: dict[Any, bool] = {}
    for node in sorted(nodes, key=lambda node: node.seq):
        beyond = False
        for edge in node.form.edges(node):
            if edge is not None and (edge in targets or edge in needed or (type(edge) is Port and edge.node in needed)):
                needed.setdefault(edge, False)
                beyond = True
        if beyond or node in targets or any(type(t) is Port and t.node is node for t in targets):
            needed[node] = beyond
    for edge in roots:
        if edge in targets or (type(edge) is Port and edge.node in needed):
            needed.setdefault(edge, False)
    return needed


def no_watch(node: Node, g: Any) -> None:
    """Nobody asked for the cotangents of non-leaves."""


def run(
    roots: list[tuple[Any, Any]],
    retain: bool,
    create_graph: bool,
    arrived: Any,
    finish: Any,
    needed: Any = None,
    watch: Any = no_watch,
    apart: bool = False,
    to_inputs: bool = False,
) -> Any:
    """Sweep from ``roots``, recording only under ``create_graph``; returns ``finish`` of the leaves' cotangents.

    ``arrived`` takes one as soon as it is complete, if leaves have hooks. ``apart``: this is a thread of its own already.
    ``to_inputs``: the gradients of some inputs are asked for, whether or not that limits the way.
    """
    around = tasks.present()
    task = Task(roots, needed, to_inputs or needed is not None)
    if around is not None:
        task.depth = around.depth + 1
        if task.depth % NESTED == 0 and not apart:
            return elsewhere(lambda: run(roots, retain, create_graph, arrived, finish, needed, watch, True, to_inputs))
    tasks.enter(task)
    outer = modes.state()
    reviving = revive if create_graph else None
    check: Any = writes.check_saved
    if outer is None:
        modes.enter(None if create_graph else modes.NO_GRAD)
    else:
        modes.enter(outer if outer.grad == create_graph else modes.changed(grad=create_graph))
        if outer.anomaly is not None:
            reviving, check = outer.anomaly.watched(reviving), outer.anomaly.checked
    silence = None if is_quiet() else np.errstate(all="ignore")
    try:
        if silence is not None:
            silence.__enter__()
        leaves = sweep(roots, retain=retain, needed=needed, watch=watch, revive=reviving, written=writes.latest, check=check,
                       arrived=arrived)  # fmt: skip
        result = finish(leaves)
        if task.callbacks is not None:
            modes.enter(outer)
            task.finish()
    finally:
        if silence is not None:
            silence.__exit__(None, None, None)
        modes.enter(outer)
        tasks.enter(around)
    return result


NESTED: Final = 20  # backward passes within backward passes before the stack of another thread is used


def elsewhere(fun: Any) -> Any:
    """Call ``fun`` in a thread of its own, where Python's limit of recursion counts from zero again."""
    outcome: list[Any] = []

    def call() -> None:
        try:
            outcome.append((fun(), None))
        except BaseException as error:
            outcome.append((None, error))

    context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=(call,))
    thread.start()
    thread.join()
    result, error = outcome[0]
    if error is not None:
        raise error
    return result


def revive(node: Node) -> Node:
    """``node`` with its saved arrays as tensors, so that its rule is recorded."""
    return node.form.revive(node)  # type: ignore[no-any-return]


def _limits(roots: list[Any], nodes: Iterable[Node], edges: set[Any], captured: dict[Any, Any]) -> tuple[Any, Any]:
    """What keeps a sweep to the ways to these edges, and puts the cotangents of those of non-leaves into ``captured``."""
    ports = {(e.node, e.index): e for e in edges if type(e) is Port}

    def watch(node: Node, g: Any) -> None:
        if node in edges:
            captured[node] = g
        elif ports and isinstance(g, list):
            captured.update((ports[node, k], part) for k, part in enumerate(g) if (node, k) in ports)

    return needed_for(roots, nodes, edges), watch


def as_list(value: Any) -> list[Any]:
    """A tensor as a list of one; a sequence, or the values of a mapping, as a list."""
    if isinstance(value, Tensor) or value is None or type(value) is GradientEdge:
        return [value]
    return list(value.values() if isinstance(value, Mapping) else value)


CYCLE: Final = (
    "Using backward() with create_graph=True will create a reference cycle between the parameter and its gradient which "
    "can cause a memory leak. We recommend using autograd.grad when creating the graph to avoid this. If you have to use "
    "this function, make sure to reset the .grad fields of your parameters to None after use to break the cycle and avoid "
    "the leak."
)


def backward(
    tensors: Any,
    gradients: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Any = None,
) -> None:
    """Add the gradients of ``tensors`` to ``.grad`` of the leaves they depend on (or of ``inputs``)."""
    retain = create_graph if retain_graph is None else retain_graph
    roots = seeds(as_list(tensors), gradients, create_graph)
    if create_graph:
        warnings.warn(CYCLE, UserWarning, stacklevel=1)
    if inputs is None:
        run(roots, retain, create_graph, accumulate_one, accumulate)
        return
    targets = as_list(inputs)
    if not targets:
        raise RuntimeError("`inputs` argument to `backward()` cannot be empty.")
    for t in targets:
        if isinstance(t, Tensor) and not t.requires_grad:
            raise RuntimeError("can't retain_grad on Tensor that has requires_grad=False")
    for t in targets:
        if isinstance(t, Tensor) and t.node is not None:
            retain_grad(t)
    ends = [edge for edge, _ in roots]
    needed, watch = _limits(ends, behind(ends)[0], {edge_at(t) for t in targets}, {})
    for t in targets:
        if edge_at(t) in needed:
            needed[edge_at(t)] = True  # torch runs the node of what it accumulates into, with its hooks
    run(roots, retain, create_graph, accumulate_one, accumulate, needed, watch)


def grad(
    outputs: Any, inputs: Any, grad_outputs: Any = None, retain_graph: bool | None = None, create_graph: bool = False,
    allow_unused: bool | None = None, materialize_grads: bool = False,
) -> tuple[Tensor | None, ...]:  # fmt: skip
    """The gradients of ``outputs`` with respect to ``inputs``; no ``.grad`` is touched."""
    if materialize_grads and allow_unused is False:
        raise ValueError("Expected allow_unused to be True or not passed when materialize_grads=True, but got: "
                         "allow_unused=False.")  # fmt: skip
    xs = as_list(inputs)
    if not xs:
        raise RuntimeError("`inputs` argument to `grad()` cannot be empty.")
    roots = seeds(as_list(outputs), grad_outputs, create_graph or are_more(grad_outputs))
    if not all(isinstance(x, GradientEdge) or x.requires_grad for x in xs):
        raise RuntimeError("One of the differentiated Tensors does not require grad")
    captured: dict[Any, Any] = {}
    retain = create_graph if retain_graph is None else retain_graph
    arrived, finish = collecting(captured)
    edges = [edge_at(x) for x in xs]
    ends, targets = [edge for edge, _ in roots], set(edges)
    nodes, leaves = behind(ends)
    if leaves <= targets and not any(type(edge) is Node or type(edge) is Port for edge in targets):
        run(roots, retain, create_graph, arrived, finish, to_inputs=True)  # every way leads to a target
    else:
        run(roots, retain, create_graph, arrived, finish, *_limits(ends, nodes, targets, captured))
    found = own_tensors(captured, edges)
    for i, g in enumerate(found):
        if g is None and not (allow_unused or materialize_grads):
            raise RuntimeError(
                f"The differentiated Tensor at index {i} appears to not have been used in the graph. "
                "Set allow_unused=True if this is the desired behavior."
            )
    if materialize_grads:
        if any(g is None and isinstance(x, GradientEdge) for g, x in zip(found, xs, strict=True)):
            raise RuntimeError("materialize_grads cannot be used when the given input is a GradientEdge")
        found = [zeros_for(x, create_graph) if g is None else g for g, x in zip(found, xs, strict=True)]
    return tuple(found)


def collecting(captured: dict[Any, Any]) -> tuple[Any, Any]:
    """What a sweep does with the cotangents of leaves as they are complete, and at its end, to put them into ``captured``."""

    def arrived(tensor: Tensor, leaves: dict[Tensor, Any]) -> None:
        captured[tensor] = leaves.pop(tensor) if tensor.hooks is None else tensor.hooks(leaves.pop(tensor))

    def finish(leaves: dict[Tensor, Any]) -> None:
        for tensor in list(leaves):
            arrived(tensor, leaves)

    return arrived, finish


def grad_by_all(
    outputs: Sequence[Tensor], inputs: Sequence[Tensor], checked: Sequence[Any], retain_graph: bool
) -> list[Tensor]:
    """`grad` where ``inputs`` are all the leaves there are: no way has to be looked for, and nothing is recorded.

    ``checked``: a cotangent of each output that `checked_seed` has let through, or None for 1.
    """
    captured: dict[Any, Any] = {}
    arrived, finish = collecting(captured)
    tensors = are_more(checked)
    if any(g is None for g in checked):
        roots = seeds(outputs, checked, tensors)
    else:
        views.check_all(outputs)
        roots = [(edge_at(y), g if tensors else g.array) for y, g in zip(outputs, checked, strict=True)]
    run(roots, retain_graph, False, arrived, finish, to_inputs=True)
    found = own_tensors(captured, inputs)
    return [zeros_for(x, False) if g is None else g for g, x in zip(found, inputs, strict=True)]


def are_more(gradients: Any) -> bool:
    """Whether any of these cotangents is more than its array: has a value for each sample of a batch, or a tangent."""
    return any(isinstance(g, Tensor) and (g.level or g.lane.dual) for g in as_list(gradients))


def zeros_for(x: Tensor, requires_grad: bool) -> Tensor:
    """The gradient of what was not used."""
    zeros = zeros_of(x)
    zeros.leaf = requires_grad
    return zeros


def own_tensors(captured: dict[Any, Any], edges: Sequence[Any]) -> list[Any]:
    """The cotangents of these edges as tensors, whose memory is theirs alone; None where there is none."""
    several = len(set(edges)) < len(edges)
    found: list[Any] = []
    for edge in edges:
        if captured.get(edge) is None:
            found.append(None)
        else:
            g = captured[edge] if several else owned(captured, edge)
            found.append(g if isinstance(g, Tensor) else wrap(np.array(g) if several else g))
    return found
