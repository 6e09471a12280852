"""Cotangents that are zero but at a few places: what `x[i]` sends back.

A loop over the elements of ``x`` sends back as many of them as there are elements. Each as an array of the size of x
would cost the square of that; so they travel as key and value, and meet in one array.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from chainrule.core.box import Box


class _Parts(NamedTuple):
    g: np.ndarray
    shape: tuple[int, ...]
    key: Any


class Placed(_Parts):
    """Zeros of ``shape`` with ``g`` at ``key``, by slices and whole numbers (a tuple: the quickest object to make)."""

    __slots__ = ()
    __array_ufunc__ = None  # NumPy leaves additions to us

    @property
    def dtype(self) -> Any:
        dtype = self.g.dtype
        return getattr(dtype, "numpy", dtype)  # of a box: the face's

    def astype(self, dtype: Any) -> Placed:
        return Placed(self.g.cast(dtype) if isinstance(self.g, Box) else self.g.astype(dtype), self.shape, self.key)

    def dense(self) -> Any:
        """As an array, or a box."""
        if isinstance(self.g, Box):
            return Pile.placed_all(self.shape, [self])
        out = np.zeros(self.shape, self.g.dtype)
        out[self.key] = self.g
        return out

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return self.dense() if dtype is None else self.dense().astype(dtype)

    def __add__(self, other: Any) -> Any:
        if isinstance(self.g, Box):
            return Pile(self.shape).__add__(self).__add__(other)
        return Gathered(self.dense()).__add__(other)

    def __radd__(self, other: Any) -> Any:
        return self + other if isinstance(other, Box) else Gathered(np.array(other)) + self  # of NumPy's scalars too


class Gathered:
    """A sum that is added to in place, in an array that nobody else knows."""

    __slots__ = ("array",)
    __array_ufunc__ = None

    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape

    @property
    def dtype(self) -> Any:
        return self.array.dtype

    def dense(self) -> np.ndarray:
        """The array itself."""
        return self.array

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self.array if dtype is None else self.array.astype(dtype)

    def __add__(self, other: Any) -> Any:
        if isinstance(other, Box):
            return other + self.array
        if type(other) is Placed:
            g, _, key = other
            if isinstance(g, Box):
                return other.dense() + self.array
            self.array[key] += g if g.shape else g.item()  # NumPy is slow with its scalar beside an array
        else:
            self.array += other.dense() if type(other) is Gathered else other
        return self

    __radd__ = __add__


class Pile:
    """Boxes at their places, to be stored by one call that is recorded, and what else was added to them."""

    __slots__ = ("items", "rest", "shape")
    __array_ufunc__ = None
    placed_all: Callable[[tuple[int, ...], list[Placed]], Any]  # given by the table, which has the primitive

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape
        self.items: list[Placed] = []
        self.rest: Any = None

    def dense(self) -> Any:
        """As a box."""
        total = Pile.placed_all(self.shape, self.items)
        return total if self.rest is None else total + self.rest

    def __add__(self, other: Any) -> Pile:
        if type(other) is Placed:
            self.items.append(other)
        elif type(other) is Pile:
            self.items += other.items
            self._add(other.rest)
        else:
            self._add(other)
        return self

    __radd__ = __add__

    def _add(self, box: Any) -> None:
        self.rest = box if self.rest is None else self.rest if box is None else self.rest + box


def settled(g: Any) -> Any:
    """A cotangent as an array (or box): 0-d arrays for NumPy's scalars, arrays for what is sparse, each part of a list."""
    if isinstance(g, Box):
        return g
    if isinstance(g, np.generic):
        return np.asarray(g)
    if type(g) in (Placed, Gathered, Pile):
        return g.dense()
    if type(g) is list:
        return [settled(part) for part in g]
    return g
