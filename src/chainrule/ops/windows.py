"""Sliding windows over the trailing axes of (n, channels, *size), what convolution and pooling look through.

A geometry is one number per trailing axis: the window's ``kernel``, its ``stride``, the ``dilation`` between the
elements it sees, and the ``padding`` on both sides.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np

from chainrule.core.box import function
from chainrule.core.primitive import linear

Geometry = tuple[int, ...]


def reach(kernel: Sequence[int], dilation: Sequence[int]) -> Geometry:
    """How far a window extends."""
    return tuple(d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True))


def steps(size: Sequence[int], kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]) -> Geometry:
    """How many windows fit along each axis of ``size``, padding included."""
    return tuple((n - r) // s + 1 for n, r, s in zip(size, reach(kernel, dilation), stride, strict=True))


def padded(x: Any, padding: Sequence[int], value: float = 0, extra: Sequence[int] | None = None) -> Any:
    """A plain array with ``value`` around its trailing axes, and ``extra`` more behind them."""
    more = extra or (0,) * len(padding)
    if not (any(padding) or any(more)):
        return x
    front, size = x.shape[: x.ndim - len(padding)], x.shape[x.ndim - len(padding) :]
    out = np.full((*front, *(n + 2 * p + e for n, p, e in zip(size, padding, more, strict=True))), value, x.dtype)
    out[inside(size, padding)] = x
    return out


def inside(size: Sequence[int], padding: Sequence[int]) -> tuple[Any, ...]:
    """The key of what `padded` was given."""
    return (Ellipsis, *(slice(p, p + n) for n, p in zip(size, padding, strict=True)))


def view(x: Any, kernel: Geometry, stride: Geometry, dilation: Geometry) -> Any:
    """All windows of a plain array, (n, channels, *steps, *kernel), on its memory."""
    d = len(kernel)
    ours = x.strides[-d:]
    return np.lib.stride_tricks.as_strided(
        x,
        (*x.shape[:-d], *steps(x.shape[-d:], kernel, stride, dilation), *kernel),
        (*x.strides[:-d], *(s * k for s, k in zip(ours, stride, strict=True)),
         *(s * k for s, k in zip(ours, dilation, strict=True))),
        writeable=False,
    )  # fmt: skip


def places(kernel: Geometry, out: Sequence[int], stride: Geometry, dilation: Geometry) -> Iterator[tuple[Any, Any]]:
    """For each element of a window: its key within the window, and where the windows put it in the padded array."""
    for at in product(*map(range, kernel)):
        yield (Ellipsis, *at), (
            Ellipsis,
            *(slice(k * d, k * d + s * (n - 1) + 1, s) for k, n, s, d in zip(at, out, stride, dilation, strict=True)),
        )


@function
def windows(x: Any, *, kernel: Geometry, stride: Geometry, dilation: Geometry, padding: Geometry) -> Any:
    """All windows of ``x``, (n, channels, *steps, *kernel)."""
    return view(padded(x, padding), kernel, stride, dilation).copy()


@function
def overlap_add(x: Any, *, size: Geometry, kernel: Geometry, stride: Geometry, dilation: Geometry, padding: Geometry) -> Any:
    """Windows (n, channels, *steps, *kernel) added up where they came from, (n, channels, *size)."""
    d, out = len(kernel), x.shape[x.ndim - 2 * len(kernel) : x.ndim - len(kernel)]
    reached = [r + s * (m - 1) for r, s, m in zip(reach(kernel, dilation), stride, out, strict=True)]
    room = [max(n + 2 * p, r) for n, p, r in zip(size, padding, reached, strict=True)]
    total = np.zeros((*x.shape[: x.ndim - 2 * d], *room), x.dtype)
    for element, place in places(kernel, out, stride, dilation):
        total[place] += x[element]
    return total[inside(size, padding)]


linear(windows, lambda g, x, *, kernel, stride, dilation, padding: overlap_add(
    g, size=x.shape[-len(kernel):], kernel=kernel, stride=stride, dilation=dilation, padding=padding), torch="")  # fmt: skip
linear(overlap_add, lambda g, x, *, size, kernel, stride, dilation, padding: windows(
    g, kernel=kernel, stride=stride, dilation=dilation, padding=padding), torch="")  # fmt: skip
