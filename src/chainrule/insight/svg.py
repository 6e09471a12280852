"""Writes a layout as SVG."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from html import escape

from chainrule.insight.diagram import Vertex
from chainrule.insight.layout import Box, Card, Layout, Point, Route, TextLine
from chainrule.insight.look import (
    ARROW,
    BACKGROUND,
    BORDER,
    FONTS,
    HALO,
    HEADING,
    LABEL,
    SHADOW,
    SHADOW_DROP,
    SHADOW_OPACITY,
    STROKE,
    STYLES,
    text_lines,
)

_FAMILY = ", ".join(f"'{font}'" if " " in font else font for font in FONTS) + ", sans-serif"

_HINT_LONGEST = 2000
_HALO = f' stroke="{BACKGROUND}" stroke-width="{HALO:g}" stroke-linejoin="round" paint-order="stroke"'


def svg_text(layout: Layout) -> str:
    """Return a complete SVG document.

    It holds neither style sheet nor ids: a notebook puts many into one page, where those would meddle.
    """
    width, height = f"{layout.width:g}", f"{layout.height:g}"
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="{_FAMILY}" text-anchor="middle">',
            f'<rect width="100%" height="100%" fill="{BACKGROUND}"/>',
            *_texts(layout.heading, HEADING),
            *(_route(route) for route in layout.routes),
            *(_text(line, LABEL, _HALO) for route in layout.routes for line in route.label),
            *(_card(card) for card in layout.cards),
            "</svg>",
            "",
        ]
    )


def _route(route: Route) -> str:
    start, *rest = route.curve
    barb = " L".join(_pair(point) for point in route.barb)
    return (
        f'<path d="M{_pair(start)} C{" ".join(map(_pair, rest))}" fill="none" stroke="{ARROW}" '
        f'stroke-width="{STROKE}"/><path d="M{barb} Z" fill="{ARROW}"/>'
    )


def _pair(point: Point) -> str:
    return f"{point[0]:g},{point[1]:g}"


def _card(card: Card) -> str:
    style = STYLES[card.vertex.kind]
    shadow = replace(card.box, y=card.box.y + SHADOW_DROP)
    return "\n".join(
        [
            f'<g class="chainrule-{card.vertex.kind}"><title>{escape(_hint(card.vertex))}</title>',
            _rect(shadow, f'fill="{SHADOW}" fill-opacity="{SHADOW_OPACITY}"'),
            _rect(card.box, f'fill="{style.fill}" stroke="{style.border}" stroke-width="{BORDER}"'),
            *_texts(card.title, style.title),
            *_texts(card.lines, style.lines),
            "</g>",
        ]
    )


def _hint(vertex: Vertex) -> str:
    """Return what the browser shows under the mouse: the text again, in full where the card cuts it."""
    texts = (vertex.title, *vertex.lines)
    return "\n".join(line for text in texts for line in text_lines(text, _HINT_LONGEST))


def _rect(box: Box, paint: str) -> str:
    place = f'x="{box.x:.2f}" y="{box.y:.2f}" width="{box.width:.2f}" height="{box.height:.2f}"'
    return f'<rect {place} rx="{box.corner:g}" {paint}/>'


def _texts(lines: Iterable[TextLine], colour: str) -> list[str]:
    return [_text(line, colour) for line in lines]


def _text(line: TextLine, colour: str, more: str = "") -> str:
    weight = ' font-weight="600"' if line.bold else ""
    place = f'x="{line.x:g}" y="{line.y:g}" font-size="{line.size:g}"{weight} fill="{colour}"'
    return f'<text {place}{more} xml:space="preserve">{escape(line.text)}</text>'
