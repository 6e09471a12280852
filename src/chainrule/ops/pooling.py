"""Pooling: the largest element or the mean of each window over the trailing axes of (n, channels, *size)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np

from chainrule.core.box import function
from chainrule.core.primitive import general, linear
from chainrule.ops.indexing import place_along, unraveled
from chainrule.ops.windows import Geometry, overlap_add, padded, view


def extended(size: Sequence[int], kernel: Sequence[int], stride: Sequence[int], padding: Sequence[int],
             dilation: Sequence[int], ceil: bool) -> Geometry:  # fmt: skip
    """What has to be added behind each axis, beyond the padding, so that a last window may hang over (``ceil``)."""
    if not ceil:
        return (0,) * len(size)
    extra = []
    for n, k, s, p, d in zip(size, kernel, stride, padding, dilation, strict=True):
        room = n + 2 * p - (d * (k - 1) + 1)
        last = -(-room // s)
        if last * s >= n + p:  # a window that would begin in the padding behind
            last -= 1
        extra.append(max(last * s - room, 0))
    return tuple(extra)


# The largest


@function
def max_pool(x: Any, *, kernel: Geometry, stride: Geometry, padding: Geometry, dilation: Geometry, ceil: bool) -> Any:
    """The largest element of each window, and its flat place in (*size)."""
    d = len(kernel)
    size = x.shape[-d:]
    lowest = -np.inf if x.dtype.kind in "fV" else np.iinfo(x.dtype).min
    extra = extended(size, kernel, stride, padding, dilation, ceil)
    seen = view(padded(x, padding, lowest, extra), kernel, stride, dilation)
    out = seen.shape[-2 * d : -d]
    flat = seen.reshape(*seen.shape[:-d], math.prod(kernel))
    best = np.argmax(flat, axis=-1)
    values = np.take_along_axis(flat, best[..., None], axis=-1)[..., 0]
    place: Any = 0
    for axis, within in enumerate(unraveled(best, kernel)):
        start = np.arange(out[axis]).reshape(-1, *(1,) * (d - axis - 1)) * stride[axis] - padding[axis]
        at = start + within * dilation[axis]
        if padding[axis]:  # where nothing is larger than it, the first element stands for the window
            at = np.where(at < 0, start - np.minimum(start, 0) // dilation[axis] * dilation[axis], at)
        place = place * size[axis] + at
    return values, place


def _unpooled(g: Any, x: Any, places: Any, d: int) -> Any:
    front, windows = x.shape[:-d], math.prod(places.shape[-d:])
    flat = place_along(np.reshape(g, (*front, windows)), np.reshape(places, (*front, windows)),
                       shape=(*front, math.prod(x.shape[-d:])), axis=-1)  # fmt: skip
    return np.reshape(flat, x.shape)


general(
    max_pool,
    lambda g, x, out, *, kernel, stride, padding, dilation, ceil: _unpooled(g[0], x, out[1], len(kernel)),
    outputs=2, torch="", selects=True, kinks="all to the first of several equal",
    node=lambda kernel: f"MaxPool{len(kernel)}DWithIndicesBackward0",
)  # fmt: skip


@function
def adaptive_max_pool(x: Any, *, size: Geometry) -> Any:
    """The largest element of each of ``size`` parts along the trailing axes, and its flat place."""
    d, front = len(size), x.shape[: -len(size)]
    flat_size = x.shape[-d:]
    values, places = np.empty((*front, *size), x.dtype), np.empty((*front, *size), np.int64)
    if not values.size:
        return values, places
    for at in np.ndindex(*size):
        cells = [part(i, n, k) for i, n, k in zip(at, flat_size, size, strict=True)]
        block = x[(Ellipsis, *cells)]
        best = np.argmax(block.reshape(*front, -1), axis=-1)
        values[(Ellipsis, *at)] = np.take_along_axis(block.reshape(*front, -1), best[..., None], axis=-1)[..., 0]
        within = unraveled(best, block.shape[-d:])
        places[(Ellipsis, *at)] = np.ravel_multi_index(
            tuple(w + cell.start for w, cell in zip(within, cells, strict=True)), flat_size
        )
    return values, places


general(adaptive_max_pool, lambda g, x, out, *, size: _unpooled(g[0], x, out[1], len(size)), outputs=2, torch="",
        selects=True, kinks="all to the first of several equal",
        node=lambda size: f"AdaptiveMaxPool{len(size)}DBackward0")  # fmt: skip

# The mean


def part(i: int, n: int, k: int) -> slice:
    """Part ``i`` of ``n`` elements in ``k`` parts, which may overlap."""
    return slice(i * n // k, -(-(i + 1) * n // k))


def _shares(size: Geometry, kernel: Geometry, stride: Geometry, padding: Geometry, extra: Geometry,
            counting_padding: bool, divisor: int | None) -> Any:  # fmt: skip
    """1 / the number of elements that each window's sum is divided by."""
    if divisor is not None:
        return np.asarray(1 / divisor)
    counts = []
    for n, k, s, p, e in zip(size, kernel, stride, padding, extra, strict=True):
        start = np.arange((n + 2 * p + e - k) // s + 1) * s - p
        end = np.minimum(start + k, n + p)
        counts.append(end - start if counting_padding else np.minimum(end, n) - np.maximum(start, 0))
    return 1 / reduce(np.multiply.outer, counts)


@function
def avg_pool(x: Any, *, kernel: Geometry, stride: Geometry, padding: Geometry, ceil: bool, counting_padding: bool,
             divisor: int | None) -> Any:  # fmt: skip
    """The mean of each window."""
    d = len(kernel)
    extra = extended(x.shape[-d:], kernel, stride, padding, (1,) * d, ceil)
    shares = _shares(x.shape[-d:], kernel, stride, padding, extra, counting_padding, divisor)
    seen = view(padded(x, padding, 0, extra), kernel, stride, (1,) * d)
    total = seen.sum(axis=tuple(range(-d, 0)))
    if x.dtype.kind in "iu":
        return np.trunc(total / np.rint(1 / shares)).astype(x.dtype)
    return total * shares.astype(x.dtype)


@function
def avg_unpool(x: Any, *, size: Geometry, kernel: Geometry, stride: Geometry, padding: Geometry, ceil: bool,
               counting_padding: bool, divisor: int | None) -> Any:  # fmt: skip
    """The adjoint of `avg_pool`: each element shared out over the window it was the mean of."""
    d = len(kernel)
    extra = extended(size, kernel, stride, padding, (1,) * d, ceil)
    shares = _shares(size, kernel, stride, padding, extra, counting_padding, divisor)
    shared = (x * shares.astype(x.dtype)).reshape(*x.shape, *(1,) * d)
    return overlap_add.raw(np.broadcast_to(shared, (*x.shape, *kernel)), size=size, kernel=kernel, stride=stride,
                           dilation=(1,) * d, padding=padding)  # fmt: skip


linear(avg_pool, lambda g, x, *, kernel, stride, padding, ceil, counting_padding, divisor: avg_unpool(
    g, size=x.shape[-len(kernel):], kernel=kernel, stride=stride, padding=padding, ceil=ceil,
    counting_padding=counting_padding, divisor=divisor),
    torch="", node=lambda kernel: f"AvgPool{len(kernel)}DBackward0")  # fmt: skip
linear(avg_unpool, lambda g, x, *, size, kernel, stride, padding, ceil, counting_padding, divisor: avg_pool(
    g, kernel=kernel, stride=stride, padding=padding, ceil=ceil, counting_padding=counting_padding, divisor=divisor),
    torch="", node=lambda kernel: f"AvgPool{len(kernel)}DBackwardBackward0")  # fmt: skip


def _means(x: Any, axis: int, k: int) -> Any:
    """The means of ``k`` parts of ``x`` along ``axis``."""
    cells = [(slice(None),) * axis + (part(i, x.shape[axis], k),) for i in range(k)]
    return np.concatenate([x[cell].mean(axis, keepdims=True) for cell in cells], axis)


def _shared_out(x: Any, axis: int, n: int) -> Any:
    """The adjoint of `_means`, of ``n`` elements."""
    out = np.zeros((*x.shape[:axis], n, *x.shape[axis + 1 :]), x.dtype)
    for i in range(x.shape[axis]):
        cell, front = part(i, n, x.shape[axis]), (slice(None),) * axis
        out[(*front, cell)] += x[(*front, slice(i, i + 1))] / (cell.stop - cell.start)
    return out


@function
def adaptive_avg_pool(x: Any, *, size: Geometry) -> Any:
    """The mean of each of ``size`` parts along the trailing axes."""
    for axis, k in enumerate(size, x.ndim - len(size)):
        x = _means(x, axis, k)
    return x


@function
def adaptive_avg_unpool(x: Any, *, size: Geometry) -> Any:
    """The adjoint of `adaptive_avg_pool`, back to trailing axes of ``size``."""
    for axis, n in enumerate(size, x.ndim - len(size)):
        x = _shared_out(x, axis, n)
    return x


linear(adaptive_avg_pool, lambda g, x, *, size: adaptive_avg_unpool(g, size=x.shape[-len(size):]), torch="",
       node=lambda size: f"AdaptiveAvgPool{len(size)}DBackward0")  # fmt: skip
linear(adaptive_avg_unpool, lambda g, x, *, size: adaptive_avg_pool(g, size=x.shape[-len(size):]), torch="",
       node=lambda size: f"AdaptiveAvgPool{len(size)}DBackwardBackward0")  # fmt: skip
