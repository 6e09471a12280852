"""The values of ``--at``: numbers, vectors and matrices as text."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Final, NamedTuple

import numpy as np

from chainrule.insight.scanner import ExpressionError, check_characters, printable
from chainrule.insight.vocabulary import FUNCTIONS

MOST_NUMBERS: Final = 1000
_NUMBER: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\Z", re.ASCII)
_SPECIAL: Final = ("inf", "infinity", "nan")


def parse_value(text: str) -> tuple[str, np.ndarray]:
    """The name and the float64 array that ``NAME=VALUE`` means; rows of a matrix are separated by ``;``.

    >>> parse_value("x=3")
    ('x', array(3.))
    >>> parse_value("X=1,2;3,4")
    ('X', array([[1., 2.],
           [3., 4.]]))
    >>> parse_value("x=1,2;3")
    Traceback (most recent call last):
    chainrule.insight.scanner.ExpressionError: rows must be equally long: 1 here, 2 in the first
    """
    check_characters(text)
    left, sign, right = text.partition("=")
    name = left.strip()
    start = len(left) - len(left.lstrip())
    if not sign or not name:
        raise ExpressionError("value-form", text, start if name else 0)
    if not name.isidentifier():
        raise ExpressionError("value-name", text, start, name=printable(name))
    if name in FUNCTIONS:
        raise ExpressionError("value-function", text, start, name=name)
    if not right.strip():
        raise ExpressionError("value-empty", text, len(text), name=name)
    return name, array_of(text, len(left) + 1)


def parse_values(texts: Iterable[str]) -> dict[str, np.ndarray]:
    """The values by name; ExpressionError for a name that is given twice."""
    values: dict[str, np.ndarray] = {}
    for text in texts:
        name, array = parse_value(text)
        if name in values:
            raise ExpressionError("value-twice", text, text.index(name), name=name)
        values[name] = array
    return values


class Part(NamedTuple):
    """A piece of the text of a value, and where it begins."""

    text: str
    place: int

    def stripped(self) -> Part:
        front = len(self.text) - len(self.text.lstrip())
        return Part(self.text.strip(), self.place + front)

    def split(self, separator: str) -> list[Part]:
        parts, place = [], self.place
        for piece in self.text.split(separator):
            parts.append(Part(piece, place).stripped())
            place += len(piece) + 1
        return parts

    def within_brackets(self) -> Part | None:
        """What stands between brackets around the whole, or None."""
        if not (self.text.startswith("[") and self.text.endswith("]")) or len(self.text) < 2:
            return None
        return Part(self.text[1:-1], self.place + 1).stripped()


def array_of(text: str, start: int) -> np.ndarray:
    """The array that ``text`` from ``start`` on means."""
    whole = Part(text[start:], start).stripped()
    inner = whole.within_brackets()
    if inner is not None and inner.text.startswith("["):
        rows = bracketed_rows(text, inner)
        return matrix(text, rows)
    body = whole if inner is None else inner
    if ";" in body.text:
        rows = body.split(";")
        if not rows[-1].text:
            rows.pop()
        return matrix(text, rows)
    if inner is None and "," not in body.text:
        return np.array(number(text, body))
    return np.array(numbers(text, body))


def bracketed_rows(text: str, inner: Part) -> list[Part]:
    """The rows of ``[1,2],[3,4]``."""
    rows = []
    for piece in re.finditer(r"\[([^\[\]]*)\]|[^\[\]\s,;]|\[", inner.text):
        place = inner.place + piece.start()
        if piece.group(1) is None:
            problem = "value-nested" if piece.group() == "[" else "value-number"
            raise ExpressionError(problem, text, place, shown=printable(piece.group()))
        rows.append(Part(piece.group(1), place + 1).stripped())
    return rows


def matrix(text: str, rows: list[Part]) -> np.ndarray:
    """The matrix of these rows; ExpressionError if they differ in length."""
    filled: list[list[float]] = []
    for row in rows:
        entries = numbers(text, row.within_brackets() or row)
        if filled and len(entries) != len(filled[0]):
            raise ExpressionError("value-ragged", text, row.place, n=len(entries), first=len(filled[0]))
        filled.append(entries)
        if len(filled) * len(entries) > MOST_NUMBERS:
            raise ExpressionError("value-many", text, row.place, most=MOST_NUMBERS)
    return np.array(filled)


def numbers(text: str, row: Part) -> list[float]:
    """The numbers of a row; a comma after the last is allowed, as in ``3,`` for a vector of one."""
    parts = row.split(",")
    if len(parts) > 1 and not parts[-1].text:
        parts.pop()
    if len(parts) > MOST_NUMBERS:
        raise ExpressionError("value-many", text, parts[MOST_NUMBERS].place, most=MOST_NUMBERS)
    return [number(text, part) for part in parts]


def number(text: str, part: Part) -> float:
    """The number that ``part`` spells."""
    if not part.text:
        raise ExpressionError("value-missing", text, part.place)
    if not _NUMBER.match(part.text):
        if part.text.lstrip("+-").lower() in _SPECIAL:
            raise ExpressionError("value-finite", text, part.place, shown=part.text)
        pieces = part.text.split()
        if len(pieces) > 1 and all(map(_NUMBER.match, pieces)):
            place = part.place + part.text.index(pieces[1], len(pieces[0]))
            raise ExpressionError("value-spaces", text, place)
        raise ExpressionError("value-number", text, part.place, shown=part.text)
    found = float(part.text)
    if not math.isfinite(found):
        raise ExpressionError("value-finite", text, part.place, shown=part.text)
    return found
