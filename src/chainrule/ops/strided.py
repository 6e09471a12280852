"""Looking at memory with other steps, and storing through such a look: what views are when their base is rewritten.

A `Window` names elements of an array by their place in memory, in elements counted from the array's first.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from chainrule.core.box import apply, function
from chainrule.core.primitive import linear


class Window(NamedTuple):
    """Which elements of the memory under an array: ``shape`` and ``strides`` from ``offset`` on.

    ``layout`` holds the strides of the array itself.
    """

    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int
    layout: tuple[int, ...]


def reach(shape: tuple[int, ...], strides: tuple[int, ...], offset: int = 0) -> tuple[int, int]:
    """The lowest and the highest place that such an array has an element at."""
    ends = [(n - 1) * step for n, step in zip(shape, strides, strict=True)] if 0 not in shape else []
    return offset + sum(end for end in ends if end < 0), offset + sum(end for end in ends if end > 0)


def distinct(shape: tuple[int, ...], strides: tuple[int, ...]) -> bool:
    """Whether no two elements share a place (False where that is not plain to see)."""
    covered = 0
    for step, n in sorted((abs(step), n) for n, step in zip(shape, strides, strict=True) if n > 1):
        if step <= covered:
            return False
        covered += (n - 1) * step
    return True


def seen(memory: np.ndarray, shape: tuple[int, ...], strides: tuple[int, ...], start: int) -> np.ndarray:
    """One-dimensional ``memory`` looked at with these steps."""
    size = memory.itemsize
    return np.ndarray(shape, memory.dtype, memory, start * size, tuple(step * size for step in strides))


def opened(x: Any, shape: tuple[int, ...], window: Window) -> tuple[np.ndarray, np.ndarray, int]:
    """``x``, stretched to ``shape``, in fresh memory of the window's layout; that memory; where in it the window begins."""
    inside, outside = reach(shape, window.layout), reach(window.shape, window.strides, window.offset)
    low = min(inside[0], outside[0])
    memory = np.zeros(max(inside[1], outside[1]) - low + 1, x.dtype)
    whole = seen(memory, shape, window.layout, -low)
    whole[...] = x
    return whole, memory, window.offset - low


def owner_of(x: np.ndarray) -> np.ndarray:
    """The array whose memory ``x`` is a view of."""
    while type(x.base) is np.ndarray:
        x = x.base
    return x


def memory_of(x: np.ndarray) -> np.ndarray:
    """The array whose memory ``x`` is a view of, as one in row-major order."""
    owner = owner_of(x)
    if owner.flags.c_contiguous:
        return owner
    return owner.transpose(sorted(range(owner.ndim), key=lambda axis: -owner.strides[axis]))


@function
def as_strided(x: Any, *, window: Window) -> Any:
    """The elements that ``window`` names: of the memory of ``x`` itself, where x has the window's layout."""
    if x.strides == tuple(step * x.itemsize for step in window.layout):
        return on_memory(x, window.shape, window.strides, window.offset)
    _, memory, start = opened(x, x.shape, window)
    return seen(memory, window.shape, window.strides, start).copy()


def on_memory(x: np.ndarray, shape: tuple[int, ...], strides: tuple[int, ...], offset: int) -> np.ndarray:
    """A view of the memory of ``x``, whose base is the array that owns it. Raises ValueError if it would leave it."""
    owner, size = memory_of(x), x.itemsize
    if 0 in shape:
        return np.ndarray(shape, x.dtype, owner, 0, tuple(step * size for step in strides))
    start = (x.__array_interface__["data"][0] - owner.__array_interface__["data"][0]) + offset * size
    return np.ndarray(shape, x.dtype, owner, start, tuple(step * size for step in strides))


@function
def copy_slices(x: Any, y: Any, *, window: Window) -> Any:
    """A copy of ``x`` with ``y`` stored at the elements that ``window`` names."""
    whole, memory, start = opened(x, x.shape, window)
    seen(memory, window.shape, window.strides, start)[...] = y
    return whole


@function
def add_slices(x: Any, *, shape: tuple[int, ...], window: Window) -> Any:
    """Zeros of ``shape`` with ``x`` added at the elements that ``window`` names, as often as each is named.

    Where elements of the result share a place, they share evenly what is added there.
    """
    whole, memory, start = opened(np.zeros((), x.dtype), shape, window)
    if distinct(window.shape, window.strides):
        seen(memory, window.shape, window.strides, start)[...] = x
    else:
        np.add.at(memory, seen(np.arange(memory.size), window.shape, window.strides, start), x)
    if distinct(shape, window.layout):
        return whole
    places = seen(np.arange(memory.size), shape, window.layout, start - window.offset)
    return whole / np.bincount(places.reshape(-1), minlength=memory.size)[places].astype(whole.real.dtype)


linear(as_strided, lambda g, x, *, window: add_slices(g, shape=x.shape, window=window), moves="view", torch="")
linear(add_slices, lambda g, x, *, shape, window: as_strided(g, window=window), moves="copy", torch="")
linear(copy_slices, lambda g, x, *, window: copy_slices(g, np.zeros_like(as_strided(g, window=window)), window=window),
       lambda g, y, *, window: as_strided(g, window=window), torch="", node="torch::autograd::CopySlices")  # fmt: skip


# Complex numbers as pairs


def retyped(x: np.ndarray, dtype: np.dtype[Any], shape: tuple[int, ...], strides: tuple[int, ...]) -> np.ndarray:
    """The memory of ``x``, from its first element on, as elements of another dtype."""
    owner = memory_of(x)
    start = x.__array_interface__["data"][0] - owner.__array_interface__["data"][0]
    return np.ndarray(shape, dtype, owner, start, strides)


@function
def view_as_real(x: Any) -> Any:
    """Complex numbers as pairs of real ones along a new last axis."""
    size = x.itemsize // 2
    return retyped(x, x.real.dtype, (*x.shape, 2), (*x.strides, size))


@function
def view_as_complex(x: Any) -> Any:
    """Pairs along the last axis as complex numbers."""
    if not x.ndim:
        raise ValueError("Input tensor must have one or more dimensions")
    if x.shape[-1] != 2:
        raise ValueError("Tensor must have a last dimension of size 2")
    dtype = np.result_type(x.dtype, np.complex64)
    if x.size and x.strides[-1] != x.itemsize:
        raise ValueError("Tensor must have a last dimension with stride 1")
    if x.size and any(step % (2 * x.itemsize) for step in x.strides[:-1]):
        raise ValueError("Tensor must have a stride divisible by 2 for all but last dimension")
    return retyped(x, dtype, x.shape[:-1], x.strides[:-1])


linear(view_as_real, lambda g, x: view_as_complex(apply(np.ascontiguousarray, g)), moves="view", retypes=True)
linear(view_as_complex, lambda g, x: view_as_real(g), moves="view", retypes=True)
