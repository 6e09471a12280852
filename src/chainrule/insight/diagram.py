"""A computational graph as plain data: what the drawing side of chainrule is handed."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

KINDS = ("leaf", "constant", "operation", "result")
_MORE = "more"


@dataclass(frozen=True)
class Vertex:
    """One box: a heading, and further lines below it in smaller type.

    `kind` is one of "leaf", "constant", "operation" and "result"; it decides the colour and the shape.
    """

    key: str
    kind: str
    title: str
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class Arrow:
    """Data flowing from the vertex keyed `tail` to the one keyed `head`, with an optional label."""

    tail: str
    head: str
    label: str = ""


@dataclass(frozen=True)
class Diagram:
    """Vertices and the arrows between them. Parallel arrows are kept: `x * x` has two from x."""

    vertices: tuple[Vertex, ...]
    arrows: tuple[Arrow, ...]
    title: str = ""


def checked(diagram: Diagram) -> Diagram:
    """Return the diagram unchanged, or raise ValueError for the first thing that cannot be drawn."""
    if not diagram.vertices:
        raise ValueError("a diagram needs at least one vertex")
    keys: set[str] = set()
    for vertex in diagram.vertices:
        if vertex.kind not in KINDS:
            raise ValueError(f"vertex {vertex.key!r}: kind {vertex.kind!r} is none of {', '.join(KINDS)}")
        if vertex.key in keys:
            raise ValueError(f"two vertices share the key {vertex.key!r}")
        keys.add(vertex.key)
    for arrow in diagram.arrows:
        for end in (arrow.tail, arrow.head):
            if end not in keys:
                raise ValueError(f"arrow {arrow.tail!r} -> {arrow.head!r}: there is no vertex {end!r}")
    return diagram


def nearest(diagram: Diagram, limit: int) -> Diagram:
    """Keep the `limit` vertices nearest to the results; one grey vertex stands for all the others.

    Arrows that leave the hidden part come out of the grey vertex, one for each vertex they reach.
    Arrows into it are left out: they would draw cycles that the graph does not have.

    >>> chain = Diagram(
    ...     tuple(Vertex(str(i), "result" if i == 9 else "operation", f"op {i}") for i in range(10)),
    ...     tuple(Arrow(str(i), str(i + 1)) for i in range(9)),
    ... )
    >>> [vertex.title for vertex in nearest(chain, 3).vertices]
    ['op 7', 'op 8', 'op 9', '… 7 more']
    """
    if len(diagram.vertices) <= limit:
        return diagram
    kept = set(_by_distance(diagram)[:limit])
    vertices = [vertex for vertex in diagram.vertices if vertex.key in kept]
    more = Vertex(_unused_key(diagram), _MORE, f"… {len(diagram.vertices) - limit} more")
    shown = [arrow for arrow in diagram.arrows if arrow.tail in kept and arrow.head in kept]
    entered = dict.fromkeys(a.head for a in diagram.arrows if a.tail not in kept and a.head in kept)
    stubs = [Arrow(more.key, head) for head in entered]
    return Diagram((*vertices, more), (*shown, *stubs), diagram.title)


def _by_distance(diagram: Diagram) -> list[str]:
    """All keys, breadth first from the results against the arrows; unreachable vertices come last."""
    tails: dict[str, list[str]] = {vertex.key: [] for vertex in diagram.vertices}
    for arrow in diagram.arrows:
        tails[arrow.head].append(arrow.tail)
    order = dict.fromkeys(_ends(diagram))
    queue = deque(order)
    while queue:
        for tail in tails[queue.popleft()]:
            if tail not in order:
                order[tail] = None
                queue.append(tail)
    return list(order | dict.fromkeys(tails))


def _ends(diagram: Diagram) -> Iterable[str]:
    """Where to start walking: the results, or the vertices nothing is computed from if none is marked."""
    results = [vertex.key for vertex in diagram.vertices if vertex.kind == "result"]
    used = {arrow.tail for arrow in diagram.arrows}
    return results or [vertex.key for vertex in diagram.vertices if vertex.key not in used]


def _unused_key(diagram: Diagram) -> str:
    keys = {vertex.key for vertex in diagram.vertices}
    return next(key for n in range(len(keys) + 1) if (key := f"more {n}") not in keys)
