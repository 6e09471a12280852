"""torch's ``dim`` as NumPy's ``axis``, and sizes however they are given."""

from __future__ import annotations

from operator import index
from typing import Any

from chainrule.core.box import Box
from chainrule.errors import Refusal, axis_error, not_tensors


def axis_of(dim: int, ndim: int) -> int:
    """``dim`` counted from the front; AxisError if there is no such axis."""
    reach = ndim or 1
    if not -reach <= dim < reach:
        raise axis_error(dim, ndim)
    return dim % reach


def axes_of(dim: Any, ndim: int) -> Any:
    """``dim`` as NumPy's axis: None for all, a number or a tuple; torch's empty tuple means all too."""
    if dim is None:
        return None
    if isinstance(dim, (tuple, list)):
        axes = tuple(axis_of(d, ndim) for d in dim)
        if len(set(axes)) != len(axes):
            raise Refusal(f"dim {axes[-1]} appears multiple times in the list of dims")
        return axes or tuple(range(ndim))
    return axis_of(dim, ndim)


def no_tensor(name: str, **arguments: Any) -> Exception:
    """The error for a function that failed because one of ``arguments`` is no tensor; for use in ``except``."""
    error = not_tensors(name, arguments, lambda value: isinstance(value, Box))
    return error or AttributeError(f"{name}(): an operand lacks an attribute of tensors")


def sizes_of(shape: tuple[Any, ...]) -> tuple[int, ...]:
    """The sizes that ``f(2, 3)`` or ``f((2, 3))`` names."""
    given = shape[0] if len(shape) == 1 and isinstance(shape[0], (tuple, list)) else shape
    return tuple(map(index, given))
