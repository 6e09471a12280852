"""Writes a diagram in Graphviz's DOT language."""

from __future__ import annotations

from chainrule.insight.diagram import Diagram, Vertex
from chainrule.insight.look import (
    ARROW,
    FONTS,
    HEADING,
    HEADING_SIZE,
    LABEL,
    LABEL_SIZE,
    LINE_SIZE,
    STYLES,
    text_lines,
)

# Operands stand from left to right, a / b with a first. Beyond this many vertices that costs more in
# crossings and detours than it explains.
_MOST_IN_ORDER = 40


def dot_text(diagram: Diagram) -> str:
    r"""Return DOT text that any Graphviz renders, styled like the pictures.

    Labels are plain ones: builds without an XML parser, like the WebAssembly one, know no HTML-like labels.

    >>> print(dot_text(Diagram((Vertex("x", "leaf", 'a "b"', ("c\\n",)),), ())).splitlines()[-2])
      n0 [class="leaf", label="a \"b\"\nc\\n", color="#6cc3a0", fillcolor="#ecfdf5", fontcolor="#04694b"];
    """
    names = {vertex.key: f"n{index}" for index, vertex in enumerate(diagram.vertices)}
    statements = [
        *_defaults(diagram),
        *(_vertex(names[vertex.key], vertex) for vertex in diagram.vertices),
        *(
            _arrow(names[arrow.tail], names[arrow.head], arrow.label, weight)
            for arrow, weight in zip(diagram.arrows, weights(diagram), strict=True)
        ),
    ]
    return "\n".join(["digraph {", *(f"  {statement};" for statement in statements), "}", ""])


def quoted(text: str) -> str:
    r"""Return text as a DOT string that is shown as it is, whatever it holds.

    Besides the quote and the backslash that is the ampersand: Graphviz decodes HTML entities in labels.

    >>> quoted('R&D "\\N"\n2')
    '"R&amp;D \\"\\\\N\\"\\n2"'
    """
    escaped = (
        line.replace("\\", "\\\\").replace('"', '\\"').replace("&", "&amp;") for line in text_lines(text)
    )
    return '"' + "\\n".join(escaped) + '"'


def flow(diagram: Diagram) -> str:
    """Return the graph attributes that decide the arrangement; of use for boxes of any look."""
    order = ', ordering="in"' if len(diagram.vertices) <= _MOST_IN_ORDER else ""
    return f'rankdir="TB", nodesep=0.36, ranksep=0.42{order}'


def weights(diagram: Diagram) -> list[int]:
    """Return how straight each arrow is to be: results run straight down, inputs join aside."""
    computed = {vertex.key for vertex in diagram.vertices if vertex.kind == "operation"}
    return [4 if arrow.tail in computed else 1 for arrow in diagram.arrows]


def _defaults(diagram: Diagram) -> list[str]:
    title = f'label={quoted(diagram.title)}, labelloc="t", ' if diagram.title else ""
    font = f'fontname="{",".join(FONTS)}"'
    look = f'{font}, fontsize={HEADING_SIZE:g}, fontcolor="{HEADING}", bgcolor="white"'
    return [
        f"graph [{title}{look}, {flow(diagram)}]",
        f'node [shape="box", style="rounded,filled", margin="0.18,0.1", {font}, fontsize={LINE_SIZE:g}]',
        f'edge [color="{ARROW}", fontcolor="{LABEL}", arrowsize=0.6, {font}, fontsize={LABEL_SIZE:g}]',
    ]


def _vertex(name: str, vertex: Vertex) -> str:
    style = STYLES[vertex.kind]
    attributes = {
        "class": quoted(vertex.kind),
        "label": quoted("\n".join((vertex.title, *vertex.lines))),
        "color": quoted(style.border),
        "fillcolor": quoted(style.fill),
        "fontcolor": quoted(style.title),
    }
    return f"{name} [{', '.join(f'{key}={value}' for key, value in attributes.items())}]"


def _arrow(tail: str, head: str, label: str, weight: int) -> str:
    # The spaces keep the text off the line, to whose right Graphviz puts it.
    text = quoted("\n".join(f"  {line}" for line in text_lines(label))) if label else ""
    attributes = [f"label={text}"] * bool(label) + [f"weight={weight}"] * (weight > 1)
    return f"{tail} -> {head}" + (f" [{', '.join(attributes)}]" if attributes else "")
