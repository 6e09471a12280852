"""Finds where everything in a picture goes.

Graphviz only places boxes and routes arrows here. It is told the size of every box, sees none of the text,
and the result is drawn by `chainrule.insight.svg` and `chainrule.insight.raster`. So both look alike, every
Graphviz gives the same picture whatever fonts it has, and no label needs escaping on its way to it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from chainrule.insight.diagram import Arrow, Diagram, Vertex
from chainrule.insight.dot_text import flow, weights
from chainrule.insight.graphviz import run_graphviz
from chainrule.insight.look import (
    ARROW_HALF_WIDTH,
    HEADING_GAP,
    HEADING_SIZE,
    LABEL_SIZE,
    LEADING,
    LINE_SIZE,
    MARGIN,
    MIN_CARD_WIDTH,
    PADDING,
    STYLES,
    TITLE_SIZE,
    text_lines,
    text_width,
)

Point = tuple[float, float]

_POINTS_PER_INCH = 72.0
_LABEL_LONGEST = 32
_COURIER_EM = 0.6


@dataclass(frozen=True)
class TextLine:
    """One line of text, centred on `x`, its baseline at `y`."""

    text: str
    x: float
    y: float
    size: float
    bold: bool = False


@dataclass(frozen=True)
class Box:
    """A rounded rectangle: its upper left corner, its size and the radius of its corners."""

    x: float
    y: float
    width: float
    height: float
    corner: float


@dataclass(frozen=True)
class Card:
    """One vertex as it is drawn: its box, and its text inside."""

    vertex: Vertex
    box: Box
    title: tuple[TextLine, ...]
    lines: tuple[TextLine, ...]


@dataclass(frozen=True)
class Route:
    """One arrow: a start point and Bézier control points in threes, the triangle at its end, the label."""

    curve: tuple[Point, ...]
    barb: tuple[Point, Point, Point]
    label: tuple[TextLine, ...]


@dataclass(frozen=True)
class Layout:
    """A whole picture in coordinates whose y axis points down."""

    width: float
    height: float
    heading: tuple[TextLine, ...]
    cards: tuple[Card, ...]
    routes: tuple[Route, ...]


@dataclass(frozen=True)
class _Frame:
    """Turns Graphviz's points, y upwards from the lower left corner, into the picture's."""

    left: float
    bottom: float

    def point(self, pair: str) -> Point:
        x, y = map(float, pair.split(","))
        return (round(self.left + x, 2), round(self.bottom - y, 2))


def lay_out(diagram: Diagram) -> Layout:
    """Place a checked diagram by means of Graphviz."""
    sizes = [_card_size(vertex) for vertex in diagram.vertices]
    placed = json.loads(run_graphviz(_skeleton(diagram, sizes), "json0"))
    edges = {edge["id"]: edge for edge in placed.get("edges", ())}
    heading = text_lines(diagram.title) if diagram.title else ()
    above = len(heading) * HEADING_SIZE * LEADING + (HEADING_GAP if heading else 0.0)
    left, bottom, right, top = _extent(placed["bb"], (edge["pos"] for edge in edges.values()))
    inner = max([right - left, *(text_width(line, HEADING_SIZE, bold=True) for line in heading)])
    width = math.ceil(inner + 2 * MARGIN)
    frame = _Frame((width - left - right) / 2, MARGIN + above + top)
    at = {item["name"]: frame.point(item["pos"]) for item in placed["objects"]}
    return Layout(
        width,
        math.ceil(top - bottom + above + 2 * MARGIN),
        _stack(heading, width / 2, MARGIN, HEADING_SIZE, bold=True),
        tuple(_card(v, at[f"n{i}"], sizes[i]) for i, v in enumerate(diagram.vertices)),
        tuple(_route(a, edges[f"e{i}"], frame) for i, a in enumerate(diagram.arrows)),
    )


def _extent(bounds: str, splines: Iterable[str]) -> tuple[float, float, float, float]:
    """Return left, bottom, right and top: Graphviz's own bounds leave out the odd wide detour."""
    corners = [float(number) for number in bounds.split(",")]
    pairs = [pair.split(",") for spline in splines for pair in _controls(spline)]
    xs = [corners[0], corners[2], *(float(x) for x, _ in pairs)]
    ys = [corners[1], corners[3], *(float(y) for _, y in pairs)]
    return min(xs), min(ys), max(xs), max(ys)


def _controls(spline: str) -> list[str]:
    """Return the point pairs of "e,x,y p0 p1 p2 p3 …": the tip of the arrow, then the control points."""
    return spline.split(";", 1)[0].removeprefix("e,").split()


def _skeleton(diagram: Diagram, sizes: Iterable[Point]) -> str:
    """Return DOT text with the structure and the sizes alone, under names of our own."""
    names = {vertex.key: f"n{index}" for index, vertex in enumerate(diagram.vertices)}
    rows = [
        f'graph [{flow(diagram)}, splines="spline"]',
        'node [shape="box", fixedsize="true", label=""]',
        f'edge [arrowsize=0.6, fontname="Courier", fontsize={LABEL_SIZE:g}]',
    ]
    for name, (width, height) in zip(names.values(), sizes, strict=True):
        rows.append(f"{name} [width={width / _POINTS_PER_INCH:.4f}, height={height / _POINTS_PER_INCH:.4f}]")
    for index, (arrow, weight) in enumerate(zip(diagram.arrows, weights(diagram), strict=True)):
        label = f', label="{_stand_in(arrow.label)}"' if arrow.label else ""
        rows.append(f'{names[arrow.tail]} -> {names[arrow.head]} [id="e{index}", weight={weight}{label}]')
    return "digraph {" + ";\n".join(rows) + "}"


def _stand_in(label: str) -> str:
    """Return letters that take, in the monospaced Courier every Graphviz can measure, the label's room."""
    lines = text_lines(label, _LABEL_LONGEST)
    widest = max(text_width(line, LABEL_SIZE) for line in lines)
    letters = math.ceil(widest / (_COURIER_EM * LABEL_SIZE)) + 1
    return "\\n".join("x" * letters for _ in lines)


def _card_size(vertex: Vertex) -> Point:
    title, lines = text_lines(vertex.title), _small_lines(vertex)
    widths = [text_width(line, TITLE_SIZE, bold=True) for line in title]
    widths += [text_width(line, LINE_SIZE) for line in lines]
    height = (len(title) * TITLE_SIZE + len(lines) * LINE_SIZE) * LEADING
    return (max(MIN_CARD_WIDTH, max(widths) + 2 * PADDING[0]), height + 2 * PADDING[1])


def _small_lines(vertex: Vertex) -> tuple[str, ...]:
    return tuple(part for line in vertex.lines for part in text_lines(line))


def _card(vertex: Vertex, centre: Point, size: Point) -> Card:
    (x, y), (width, height) = centre, size
    top = y - height / 2
    title = _stack(text_lines(vertex.title), x, top + PADDING[1], TITLE_SIZE, bold=True)
    below = top + PADDING[1] + len(title) * TITLE_SIZE * LEADING
    lines = _stack(_small_lines(vertex), x, below, LINE_SIZE)
    corner = min(STYLES[vertex.kind].corner, height / 2)
    return Card(vertex, Box(x - width / 2, top, width, height, corner), title, lines)


def _stack(
    texts: Iterable[str], x: float, top: float, size: float, *, bold: bool = False
) -> tuple[TextLine, ...]:
    """Set lines of text one below the other, from `top` down."""
    # Digits and capitals reach about 0.73 em above the baseline: this centres them in their line.
    baseline = top + size * (LEADING + 0.73) / 2
    return tuple(
        TextLine(text, round(x, 2), round(baseline + index * size * LEADING, 2), size, bold)
        for index, text in enumerate(texts)
    )


def _route(arrow: Arrow, edge: Mapping[str, str], frame: _Frame) -> Route:
    tip, *controls = _controls(edge["pos"])
    curve = tuple(frame.point(pair) for pair in controls)
    label = _label(arrow.label, frame.point(edge["lp"])) if arrow.label else ()
    return Route(curve, _barb(curve[-1], frame.point(tip)), label)


def _barb(base: Point, tip: Point) -> tuple[Point, Point, Point]:
    dx, dy = tip[0] - base[0], tip[1] - base[1]
    length = math.hypot(dx, dy) or 1.0
    across = (-dy / length * ARROW_HALF_WIDTH, dx / length * ARROW_HALF_WIDTH)
    left = (round(base[0] + across[0], 2), round(base[1] + across[1], 2))
    right = (round(base[0] - across[0], 2), round(base[1] - across[1], 2))
    return (left, tip, right)


def _label(label: str, centre: Point) -> tuple[TextLine, ...]:
    lines = text_lines(label, _LABEL_LONGEST)
    return _stack(lines, centre[0], centre[1] - len(lines) * LABEL_SIZE * LEADING / 2, LABEL_SIZE)
