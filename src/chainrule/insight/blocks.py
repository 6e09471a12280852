"""A report as blocks, headings, paragraphs, tables and formulas, and the two ways of writing them: text and HTML."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from chainrule.insight.figures import figures
from chainrule.insight.scanner import columns

GAP: Final = 3
NARROWEST: Final = 12
WIDEST: Final = 60
INDENT: Final = "  "


@dataclass(frozen=True)
class Numbers:
    """A cell that shows an array, as much of it as there is room for, behind ``before``.

    ``work`` is how it was computed, left out where there is no room for all of it; ``round`` brackets are those
    of ``diag(1, 2)``.
    """

    array: Any
    before: str = ""
    work: str = ""
    round: bool = False

    def fit(self, width: int) -> str:
        """The text of the cell, if possible in ``width`` columns."""
        for start in (self.before + self.work, self.before):
            text = "" if self.array is None else figures(self.array, width - columns(start))
            if self.round:
                text = f"({text[1:-1]})"
            if columns(start + text) <= width:
                break
        return start + text


Cell = str | Numbers


@dataclass(frozen=True)
class Heading:
    """The title of a section; of the whole report at level 1."""

    text: str
    level: int = 2


@dataclass(frozen=True)
class Paragraph:
    """A sentence or two."""

    text: str


@dataclass(frozen=True)
class Title:
    """The first line of the report: what is explained, and its value."""

    cell: Numbers


@dataclass(frozen=True)
class Table:
    """Rows under a head (none if empty), columns aligned to the left or, marked "r", to the right."""

    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    align: str


@dataclass(frozen=True)
class Formula:
    """Rows of pieces that stand above each other, each centred in its column: factors, and below them shapes."""

    rows: tuple[tuple[str, ...], ...]


Block = Heading | Paragraph | Title | Table | Formula


def padded(text: str, width: int, side: str = "l") -> str:
    """``text`` filled up to ``width`` columns of the terminal.

    >>> padded("梯度", 6) + "|", padded("1", 3, "r"), padded("1", 3, "c")
    ('梯度  |', '  1', ' 1 ')
    """
    missing = max(0, width - columns(text))
    left = {"l": 0, "r": missing, "c": missing // 2}[side]
    return " " * left + text + " " * (missing - left)


def written(cell: Cell, width: int) -> str:
    """A cell as text, cut to ``width`` if it must be.

    >>> written("a long word", 7)
    'a long…'
    """
    text = cell.fit(width) if isinstance(cell, Numbers) else cell
    if columns(text) <= width:
        return text
    kept = text
    while columns(kept) > width - 1:
        kept = kept[:-1]
    return kept + "…"


# Text


def as_text(blocks: Iterable[Block], width: int = 100) -> list[str]:
    """The report as lines of plain text, none longer than ``width``."""
    lines: list[str] = []
    for block in blocks:
        match block:
            case Title(cell):
                lines.append(written(cell, width))
            case Heading(text, level):
                lines += ["", text] if level == 2 else [f"{INDENT}{text}"]
            case Paragraph(text):
                lines += [INDENT + line for line in wrapped(text, width - len(INDENT))]
            case Table():
                lines += [(INDENT + line).rstrip() for line in table_lines(block, width - len(INDENT))]
            case Formula(rows):
                lines += [(INDENT + line).rstrip() for line in formula_lines(rows, width - len(INDENT))]
    return lines


def wrapped(text: str, width: int) -> list[str]:
    """A paragraph in lines; Chinese may be broken between any two characters but before punctuation."""
    lines, line = [], ""
    for word in pieces(text):
        if line and columns((line + word).rstrip()) > width:
            lines.append(line.rstrip())
            line = ""
        line += word if line else word.lstrip()
    return [*lines, line.rstrip()] if line else lines


def pieces(text: str) -> list[str]:
    """The parts of a paragraph between which a line may end."""
    parts: list[str] = []
    for char in text:
        wide = columns(char) == 2
        opens_new = not parts or parts[-1].endswith(" ") or (wide and char not in "，。：；、）”？")
        if opens_new or (columns(parts[-1][-1]) == 2 and not wide and char not in " )]"):
            parts.append(char)
        else:
            parts[-1] += char
    return parts


def table_lines(table: Table, width: int) -> list[str]:
    """The lines of a table, its columns narrowed until it fits, those of numbers first."""
    head = [table.head] if table.head else []
    rows = [*head, *table.rows]
    widths = [max(columns(written(row[k], width)) for row in rows) for k in range(len(table.align))]
    elastic = [any(isinstance(row[k], Numbers) for row in table.rows) for k in range(len(widths))]
    room = width - GAP * (len(widths) - 1)
    for kind in (True, False):
        while sum(widths) > room:
            wide = [k for k, w in enumerate(widths) if w > NARROWEST and elastic[k] is kind]
            if not wide:
                break
            widths[max(wide, key=lambda k: widths[k])] -= 1
    lines = [[written(cell, w) for cell, w in zip(row, widths)] for row in rows]
    # Narrowed cells often need less than they were given.
    widths = [max(columns(line[k]) for line in lines) for k in range(len(widths))]
    return [
        (" " * GAP).join(padded(text, w, side) for text, w, side in zip(line, widths, table.align)) for line in lines
    ]


def formula_lines(rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """The lines of a formula."""
    widths = [max(columns(row[k]) for row in rows) for k in range(len(rows[0]))]
    lines = ["".join(padded(text, w, "c") for text, w in zip(row, widths)) for row in rows]
    return [written(line.rstrip(), width) for line in lines]


# HTML

# Named twice, the class outweighs the style of a notebook, which would align every cell to the right.
STYLE: Final = (
    "<style>.chainrule{font-size:90%;line-height:1.5}.chainrule h4{margin:1em 0 .3em}.chainrule p{margin:.3em 0}"
    ".chainrule table{border-collapse:collapse;margin:.3em 0}div.chainrule.chainrule :is(td,th){padding:.1em .9em .1em 0;"
    "text-align:left;white-space:nowrap}div.chainrule.chainrule .r{text-align:right}div.chainrule.chainrule .formula td{"
    "padding:0 .15em;text-align:center}.chainrule th{font-weight:normal;opacity:.6}</style>"
)


def as_html(blocks: Iterable[Block]) -> str:
    """The same report as HTML."""
    parts = [STYLE, '<div class="chainrule">']
    for block in blocks:
        match block:
            case Title(cell):
                parts.append(f"<p><b>{html.escape(cell.fit(90))}</b></p>")
            case Heading(text, level):
                parts.append(f"<h4>{html.escape(text)}</h4>" if level == 2 else f"<p>{html.escape(text)}</p>")
            case Paragraph(text):
                parts.append(f"<p>{html.escape(text)}</p>")
            case Table(head, rows, align):
                parts.append(html_table(head, rows, align))
            case Formula(rows):
                lines = "".join("<tr>" + "".join(f"<td>{html.escape(t)}</td>" for t in row) + "</tr>" for row in rows)
                parts.append(f'<table class="formula">{lines}</table>')
    return "\n".join([*parts, "</div>"])


def html_table(head: Sequence[str], rows: Sequence[Sequence[Cell]], align: str) -> str:
    """One table as HTML."""
    marks = ['<{0} class="r">' if side == "r" else "<{0}>" for side in align]

    def line(tag: str, cells: Iterable[str]) -> str:
        inside = "".join(f"{mark.format(tag)}{html.escape(cell.strip())}</{tag}>" for mark, cell in zip(marks, cells))
        return f"<tr>{inside}</tr>"

    body = "".join(line("td", [written(cell, WIDEST) for cell in row]) for row in rows)
    return f"<table>{line('th', head) if head else ''}{body}</table>"
