"""The one reverse sweep, over anything with edges and a vjp.

A graph is made of `Node`s. An edge is what an operand came from: a `Node`, a `Port` (one output of a node
with several), or a leaf, which is any other object with an ``array``. The sweep takes nodes in the order of
their ``seq``, most recent first, brings every cotangent to the shape and dtype of the operand it belongs to,
and adds up what meets.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from heapq import heappop, heappush
from typing import Any

import numpy as np
from numpy import ndarray

from chainrule.core.box import Box
from chainrule.core.sparse import settled
from chainrule.core.spec import DType


class Node:
    """One recorded call. It never holds its output tensor, so a graph has no cycles.

    ``form`` knows the primitive and the layout of the other slots: ``x``, ``y`` and ``out`` are saved values,
    ``edge_x`` and ``edge_y`` where the operands came from (tuples of both where there are more than two).
    """

    __slots__ = (
        "__weakref__",
        "dtype",
        "edge_x",
        "edge_y",
        "form",
        "hooks",
        "out",
        "params",
        "seq",
        "shape",
        "x",
        "y",
    )  # fmt: skip

    form: Any
    seq: int
    shape: Any  # of the output; the number of outputs where there are several
    dtype: Any
    params: Any
    x: Any
    y: Any
    out: Any
    edge_x: Any
    edge_y: Any
    hooks: Any

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def name(self) -> str:
        """torch's name for the kind of node, as in ``MulBackward0``."""
        return self.form.name(self)  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        return f"<{self.name()} object at {id(self):#x}>"


class Port:
    """An edge to output ``index`` of a node that has several outputs."""

    __slots__ = ("dtype", "hooks", "index", "node", "shape")

    def __init__(self, node: Node, index: int, shape: tuple[int, ...], dtype: DType) -> None:
        self.node = node
        self.index = index
        self.shape = shape
        self.dtype = dtype
        self.hooks: Any = None

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def __eq__(self, other: object) -> bool:
        return type(other) is Port and self.node is other.node and self.index == other.index

    def __hash__(self) -> int:
        return hash((self.node, self.index))


def unbroadcast(g: Any, shape: tuple[int, ...]) -> Any:
    """The adjoint of broadcasting to ``g.shape`` from ``shape``: sums over the axes that were stretched."""
    have = g.shape
    lead = len(have) - len(shape)
    if lead < 0:  # what was stored had axes of length 1 more
        return unbroadcast(g, shape[-lead:]).reshape(shape)
    axes = LEADING[lead] if lead < len(LEADING) else tuple(range(lead))
    stretched = () if have[lead:] == shape else tuple(lead + k for k, n in enumerate(shape) if n == 1 and have[lead + k] != 1)
    axes += stretched
    if not axes:
        return g
    total = np.add.reduce(g, axis=axes) if type(g) is ndarray else np.sum(g, axis=axes)
    return total.reshape(shape) if stretched else total


LEADING = ((), (0,), (0, 1), (0, 1, 2))  # the axes in front, by their number


def cast(g: Any, dtype: DType) -> Any:
    """``g`` in ``dtype``; the imaginary part is dropped where a real operand asks for it."""
    if isinstance(g, Box):
        part: Any = g
        if part.dtype.is_complex and not dtype.is_complex:
            part = np.real(part)
        return part.cast(dtype)
    if g.dtype.kind == "c" and not dtype.is_complex:
        g = g.real
    return g.astype(dtype.numpy)


def project(g: Any, shape: tuple[int, ...], dtype: DType) -> Any:
    """Bring a cotangent (or tangent) to the space of its operand: shape, dtype and realness."""
    if g.shape != shape:
        g = unbroadcast(g, shape)
    if g.dtype != (dtype if isinstance(g, Box) else dtype.numpy):
        g = cast(g, dtype)
    return g


def sweep(
    roots: Iterable[tuple[Any, Any]],
    *,
    retain: bool = False,
    needed: Mapping[Any, bool] | None = None,
    watch: Callable[[Node, Any], None] = lambda node, g: None,
    revive: Callable[[Node], Any] | None = None,
    written: Sequence[int] = (0,),
    check: Callable[[Node], None] = lambda node: None,
    arrived: Callable[[Any, dict[Any, Any]], None] | None = None,
) -> dict[Any, Any]:
    """Pull the cotangents of ``roots`` (pairs of edge and cotangent) back to the leaves; returns theirs.

    ``retain`` keeps what nodes saved; ``needed`` limits the way to these edges, and says of each node whether
    to go on beyond it, ``watch`` then seeing the complete cotangent of each node; ``revive`` turns a node's saved
    arrays into boxes, so that the rules record themselves; ``check`` looks at nodes older than the last write
    in place, ``written[0]``, which hooks may change; ``arrived`` takes leaves out of those found as soon as nothing
    more is to come to them, if one of them has hooks. Iterative: no recursion limit.
    """
    leaves: dict[Any, Any] = {}
    pending: dict[Node, Any] = {}
    heap: list[tuple[int, Node]] = []
    dense = True  # whether only plain arrays came to the leaves
    lone: Node | None = None  # while nothing else waits, the next node skips the heap
    lone_g: Any = None
    contributions: Any = roots
    awaited: Counter[Any] | None = None  # from the first leaf with hooks on: of how many nodes each awaits something
    deliver = False
    while True:
        for edge, g in contributions:
            if needed is not None and edge not in needed:
                continue
            if type(edge) is Node:
                if g.shape != edge.shape:
                    g = unbroadcast(g, edge.shape)
                if lone is None and not heap:
                    lone = edge
                    lone_g = g
                elif edge is lone:
                    lone_g = lone_g + g
                elif edge in pending:
                    pending[edge] = pending[edge] + g
                else:
                    pending[edge] = g
                    heappush(heap, (-edge.seq, edge))
            elif type(edge) is Port:
                node = edge.node
                if node not in pending:
                    pending[node] = [None] * node.shape
                    heappush(heap, (-node.seq, node))
                add_to_port(pending[node], edge, g)
            else:
                shape = edge.array.shape
                if g.shape != shape:
                    g = unbroadcast(g, shape)
                if type(g) is not ndarray:
                    dense = False
                before = leaves.get(edge)
                leaves[edge] = g if before is None else before + g
                if arrived is not None and (awaited is not None or edge.hooks is not None):
                    deliver = True
        if awaited is not None:
            awaited.subtract({edge for edge, _ in contributions})
        if deliver:
            if awaited is None:
                awaited = arrivals([*pending, lone], needed)
            deliver = False
            for edge in [edge for edge in leaves if awaited[edge] == 0]:
                leaves[edge] = settled(leaves[edge])
                arrived(edge, leaves)  # type: ignore[misc]  # deliver is never set where it is None
        if lone is not None:
            if heap:
                pending[lone] = lone_g
                heappush(heap, (-lone.seq, lone))
                node = heappop(heap)[1]
                g = pending.pop(node)
            else:
                node = lone
                g = lone_g
            lone = lone_g = None
        elif heap:
            node = heappop(heap)[1]
            g = pending.pop(node)
        else:
            return leaves if dense else {edge: settled(g) for edge, g in leaves.items()}
        if type(g) is not ndarray:
            g = np.asarray(g) if isinstance(g, np.generic) else settled(g)  # a 0-d array is twice as fast as a scalar
        if needed is not None and needed[node]:
            watch(node, g)
        if node.hooks is not None:
            g = node.hooks(g)
        if needed is not None and not needed[node]:  # as in torch, hooks act on what is asked for only where the way ends
            watch(node, g)
            contributions = ()
            continue
        if node.seq < written[0]:
            check(node)
        form = node.form
        alive = node if revive is None else revive(node)
        contributions = alive.form.pull(alive, g)
        if not retain and form.spent is not form:
            node.form = form.spent
            node.x = node.y = node.out = None


def arrivals(roots: Iterable[Any], needed: Mapping[Any, bool] | None) -> Counter[Any]:
    """From how many of the nodes behind ``roots`` something may come to each leaf."""
    found: Counter[Any] = Counter()
    seen: set[Node] = set()
    stack = list(roots)
    while stack:
        edge = stack.pop()
        if edge is None or (needed is not None and edge not in needed):
            continue
        node = edge.node if type(edge) is Port else edge
        if type(node) is not Node:
            found[edge] += 1
        elif node not in seen:
            seen.add(node)
            if needed is None or needed[node]:
                stack += set(node.form.edges(node))
    return found


def add_to_port(waiting: list[Any], port: Port, g: Any) -> None:
    """Add ``g`` to what waits for one output of a node with several."""
    if g.shape != port.shape:
        g = unbroadcast(g, port.shape)
    before = waiting[port.index]
    waiting[port.index] = g if before is None else before + g
