"""Every exception of chainrule, and the helpers that phrase shapes, operations and source lines.

Each class is at once the type that torch's users catch and the one that NumPy's users catch.
"""

from __future__ import annotations

import re
from collections.abc import Iterable


class ShapeError(RuntimeError, ValueError):
    """Shapes that do not fit together (torch raises RuntimeError, NumPy ValueError)."""


class AxisError(IndexError, ValueError):
    """An axis that the array does not have (torch raises IndexError, NumPy AxisError)."""


class GraphError(RuntimeError):
    """A backward pass that cannot be done: nothing recorded, already freed, a saved value overwritten."""


class NotInTable(TypeError, NotImplementedError):
    """A NumPy function without a declaration in the derivative table."""


class LinAlgError(RuntimeError, ValueError):
    """A matrix that cannot be factorised or inverted."""


def shape_text(shape: Iterable[int]) -> str:
    """A shape as torch's messages write it.

    >>> shape_text((2, 3))
    '[2, 3]'
    """
    return "[" + ", ".join(map(str, shape)) + "]"


def broadcast_error(a: tuple[int, ...], b: tuple[int, ...]) -> ShapeError | None:
    """The error for two shapes that do not broadcast; None if they do.

    >>> print(broadcast_error((3,), (4,)))
    The size of tensor a (3) must match the size of tensor b (4) at non-singleton dimension 0
    """
    ndim = max(len(a), len(b))
    for back in range(1, ndim + 1):
        m = a[-back] if back <= len(a) else 1
        n = b[-back] if back <= len(b) else 1
        if m != n and 1 not in (m, n):
            return ShapeError(
                f"The size of tensor a ({m}) must match the size of tensor b ({n}) "
                f"at non-singleton dimension {ndim - back}"
            )
    return None


def axis_error(axis: int, ndim: int) -> AxisError:
    """The error for an axis outside ``[-ndim, ndim)`` (a 0-d array accepts -1 and 0).

    >>> print(axis_error(1, 1))
    Dimension out of range (expected to be in range of [-1, 0], but got 1)
    """
    reach = max(ndim, 1)
    return AxisError(f"Dimension out of range (expected to be in range of [{-reach}, {reach - 1}], but got {axis})")


def translate(fault: Exception, op: str, shapes: list[tuple[int, ...]]) -> Exception:
    """NumPy's error in the types and words that torch's users look for, with the operation and its shapes."""
    text = str(fault)
    if type(fault).__name__ == "AxisError":
        found = re.search(r"axis (-?\d+) is out of bounds for array of dimension (\d+)", text)
        if found:
            return axis_error(int(found[1]), int(found[2]))
    found = re.search(r"index (-?\d+) is out of bounds for axis (\d+) with size (\d+)", text)
    if found:
        return IndexError(f"index {found[1]} is out of bounds for dimension {found[2]} with size {found[3]}")
    if isinstance(fault, IndexError) and "too many indices" in text:
        return IndexError(f"too many indices for tensor of dimension {len(shapes[0])}")
    if isinstance(fault, TypeError):
        return TypeError(f"{op}(): {text}")
    if isinstance(fault, IndexError):
        return IndexError(f"{op}(): {text}")
    where = ", ".join(map(shape_text, shapes))
    kind = LinAlgError if type(fault).__name__ == "LinAlgError" else ShapeError
    return kind(f"{op}(): {text} (operand shapes {where})")
