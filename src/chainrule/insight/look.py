"""How pictures look: colours, type and sizes. Lengths are in SVG units, 1/72 inch for Graphviz."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

# The first installed family is used, in the browser as in matplotlib.
FONTS = (
    *("Inter", "Segoe UI", "Roboto", "Helvetica Neue"),
    *("Arial", "Liberation Sans", "Noto Sans", "DejaVu Sans"),
)

TITLE_SIZE = 13.0
LINE_SIZE = 10.5
LABEL_SIZE = 9.5
HEADING_SIZE = 15.0
LEADING = 1.4
PADDING = (14.0, 9.0)
MARGIN = 20.0
HEADING_GAP = 16.0
MIN_CARD_WIDTH = 56.0
BORDER = 1.1
STROKE = 1.1
HALO = 3.0
ARROW_HALF_WIDTH = 2.9

BACKGROUND = "#ffffff"
HEADING = "#1e293b"
ARROW = "#94a3b8"
LABEL = "#475569"
SHADOW = "#0f172a"
SHADOW_OPACITY = 0.06
SHADOW_DROP = 1.6

_LONGEST = 64
# Lone surrogates and the two characters that no XML document may hold.
_UNENCODABLE = re.compile("[\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True)
class Style:
    """The colours of one kind of vertex, and how round its corners are."""

    fill: str
    border: str
    title: str
    lines: str
    corner: float


# Shape repeats what colour says, for readers who tell colours apart badly: operations are the round ones,
# the result is the solid one.
STYLES = {
    "leaf": Style("#ecfdf5", "#6cc3a0", "#04694b", "#47695d", 5.0),
    "constant": Style("#f6f7f9", "#cbd2dc", "#4b5565", "#6b7585", 5.0),
    "operation": Style("#f3f4ff", "#a9b0f0", "#3730a3", "#5d5f86", 14.0),
    "result": Style("#c8450c", "#b43c08", "#ffffff", "#ffeee3", 5.0),
    "more": Style("#eceef1", "#d5d9df", "#6b7280", "#6b7280", 14.0),
}

# Advance widths of DejaVu Sans in em, rounded up. It is the widest family of the stack, so text that fits
# by this table fits in the others as well. Graphviz cannot measure for us: the WebAssembly build has no
# fonts, and the `dot` binary has other ones than the reader.
_WIDTHS = {
    char: width
    for width, chars in {
        0.30: "' ,.IJijl",
        0.37: "-/:;\\f|",
        0.42: "!()[]rt",
        0.47: '"',
        0.53: "*_`sz",
        0.57: "?Lc",
        0.62: "FPTYaekovxy",
        0.65: "$0123456789EKSbdghnpqu{}",
        0.70: "ABCRVXZ",
        0.77: "DGHNU",
        0.80: "&OQw",
        0.85: "#+<=>M^~",
        0.98: "%m",
        1.00: "@W…",
    }.items()
    for char in chars
}
_BOLD = 1.12


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """Estimate how wide one line of text is set, on the generous side.

    >>> text_width("il", 10) < text_width("WM", 10) < text_width("张量", 10)
    True
    """
    em = sum(_WIDTHS.get(char) or _unusual_width(char) for char in text)
    return em * size * (_BOLD if bold else 1.0)


def _unusual_width(char: str) -> float:
    if unicodedata.combining(char):
        return 0.0
    return 1.0 if unicodedata.east_asian_width(char) in "WF" else 0.7


def text_lines(text: str, longest: int = _LONGEST) -> tuple[str, ...]:
    r"""Split text for display: no control characters, nothing XML forbids, no line that is overlong.

    >>> text_lines("loss\n\ta\0b")
    ('loss', ' ab')
    """
    lines = re.split(r"\r\n|[\n\r\v\f\x85\u2028\u2029]", text)
    cleaned = [_printable(line) for line in lines]
    return tuple(line if len(line) <= longest else line[: longest - 1] + "…" for line in cleaned)


def _printable(line: str) -> str:
    shown = (char for char in line.replace("\t", " ") if unicodedata.category(char) != "Cc")
    return "".join("\ufffd" if _UNENCODABLE.match(char) else char for char in shown)
