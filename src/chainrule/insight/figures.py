"""Numbers, arrays and shapes as people write them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from chainrule.insight.scanner import Word

WHOLE: Final = 1e9  # up to here a whole number is written out
SHOWN: Final = 16  # more entries than these are abbreviated in any case


def figure(x: Any, digits: int = 6) -> str:
    """One number, to six digits.

    >>> figure(2.0), figure(1 / 3), figure(-0.0), figure(1234567.0), figure(float("nan"))
    ('2', '0.333333', '0', '1234567', 'nan')
    """
    x = float(x)
    if math.isfinite(x) and abs(x) < WHOLE and x == int(x):
        return str(int(x))
    return f"{x:.{digits}g}"


def figures(array: Any, width: int = 60) -> str:
    """An array in one line no longer than ``width`` if that is possible; rows of a matrix end with ``;``.

    >>> figures(np.array([[1.0, 2.0], [3.0, 4.5]]))
    '[1, 2; 3, 4.5]'
    >>> figures(np.arange(100.0), 24)
    '[0, 1, 2, 3, 4, …, 99]'
    >>> figures(np.array([1 / 3, 2 / 3]), 16)
    '[0.3333, 0.6667]'
    """
    array = np.asarray(array)
    if array.ndim == 0:
        return figure(array)
    if array.ndim > 2:
        array = array.reshape(array.shape[0], -1)
    text = ""
    for digits, kept in _ways(array):
        text = f"[{_row(array, kept, digits) if array.ndim == 1 else _rows(array, kept, digits)}]"
        if len(text) <= width:
            return text
    flat = array.reshape(-1)
    return f"[{figure(flat[0], 3)}, …, {figure(flat[-1], 3)}]" if flat.size > 2 else text


def _ways(array: np.ndarray) -> Iterator[tuple[int, int]]:
    """How an array may be written, best first: to how many digits, and how many entries before the gap."""
    longest = max(array.shape)
    if longest <= SHOWN:
        yield 6, longest
        if array.size <= SHOWN:
            yield 4, longest
    yield from ((6, kept) for kept in range(min(longest, SHOWN), 1, -1))
    yield from ((4, kept) for kept in (3, 2, 1))
    yield 3, 1


def _chosen(n: int, kept: int) -> list[int]:
    """Which of n entries are shown: the first ``kept`` and the last; -1 marks the gap."""
    return list(range(n)) if n <= kept + 2 else [*range(kept), -1, n - 1]


def _row(row: Any, kept: int, digits: int) -> str:
    return ", ".join("…" if k < 0 else figure(row[k], digits) for k in _chosen(len(row), kept))


def _rows(array: Any, kept: int, digits: int) -> str:
    return "; ".join("…" if k < 0 else _row(array[k], kept, digits) for k in _chosen(len(array), kept))


def times(*lengths: int) -> str:
    """A shape with its lengths: ``3×2``."""
    return "×".join(map(str, lengths))


def shape_word(shape: tuple[int, ...]) -> Word:
    """A shape in words, to be translated: a scalar, a vector of 3, a 3×2 matrix.

    >>> str(shape_word((3,))), str(shape_word((3, 2)))
    ('a vector of 3', 'a 3×2 matrix')
    """
    if not shape:
        return Word("shape-scalar")
    if len(shape) == 1:
        return Word("shape-vector", n=shape[0])
    return Word("shape-matrix", shape=times(*shape))


def memory(n: int) -> str:
    """A number of bytes.

    >>> memory(24), memory(80_000)
    ('24 B', '80 kB')
    """
    for unit, size in (("MB", 10**6), ("kB", 10**3)):
        if n >= 10 * size:
            return f"{n / size:.4g} {unit}"
    return f"{n} B"
