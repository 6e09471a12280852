"""Numbers of a distribution from the words of a `Generator`, as torch's kernels for the CPU make them.

Each function takes the generator and how many numbers, and returns them flat. torch has two streams for normal
numbers: blocks of 16 uniform ones where memory is contiguous and long enough, and pairs of doubles elsewhere.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from chainrule.core import spec
from chainrule.core.spec import DType
from chainrule.eager.generator import Generator

BLOCK: Final = 16  # fewer normal numbers than this are drawn in pairs
WIDE: Final = 2**28  # whole numbers from a range as wide as this take 64 bits each


def unit(source: Generator, n: int) -> np.ndarray:
    """``n`` doubles in [0, 1), of 53 random bits."""
    return (source.double_words(n) & np.uint64(2**53 - 1)).astype(np.float64) * 2.0**-53


def unit_float(source: Generator, n: int) -> np.ndarray:
    """``n`` floats in [0, 1), of 24 random bits."""
    return (source.words(n) & np.uint32(2**24 - 1)).astype(np.float32) * np.float32(2.0**-24)


def uniform(source: Generator, n: int, dtype: DType, low: float = 0.0, high: float = 1.0) -> np.ndarray:
    """``n`` numbers in [low, high)."""
    if dtype.is_complex:
        return uniform(source, 2 * n, dtype.to_real(), low, high).view(dtype.numpy)
    if dtype is spec.float64:
        return unit(source, n) * (high - low) + low
    begin, width = np.float32(low), np.float32(high) - np.float32(low)
    drawn = unit_float(source, n).astype(np.float64)  # in doubles, since torch multiplies and adds in one step
    scaled = (drawn * float(width) + float(begin)).astype(dtype.numpy)
    if dtype.half:
        scaled[scaled == dtype.numpy.type(high)] = low  # rounding may have reached the end that is left out
    return scaled


def normal(source: Generator, n: int, dtype: DType, mean: float = 0.0, std: float = 1.0, *, dense: bool = True) -> np.ndarray:
    """``n`` normal numbers by Box and Muller; ``dense`` where they go into contiguous memory."""
    if dtype.is_complex:
        return normal(source, 2 * n, dtype.to_real(), 0.0, std / math.sqrt(2), dense=dense).view(dtype.numpy) + mean
    if n < BLOCK or not dense:
        return (pairs(source, n) * std + mean).astype(dtype.numpy)
    drawn = _blocks(source, n, dtype)
    if (mean, std) != (0.0, 1.0):
        drawn = drawn.astype(np.float64) * std + mean
    return drawn.astype(dtype.numpy)


def pairs(source: Generator, n: int) -> np.ndarray:
    """``n`` standard normal doubles; where a pair is only half used the other number waits for the next draw."""
    with source.lock:
        first = np.array([] if source.spare is None or not n else [source.spare])
        missing = n - first.size
        u = unit(source, 2 * ((missing + 1) // 2)).reshape(-1, 2)
        radius, angle = np.sqrt(-2 * np.log1p(-u[:, 1])), 2 * np.pi * u[:, 0]
        drawn = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1).reshape(-1)
        if n:
            source.spare = drawn[-1] if missing % 2 else None
    return np.concatenate([first, drawn[:missing]])


def _blocks(source: Generator, n: int, dtype: DType) -> np.ndarray:
    """``n`` standard normal numbers in blocks of 16; the last 16 are drawn anew, overlapping the block before."""
    draw = unit if dtype is spec.float64 else unit_float
    whole, rest = n - n % BLOCK, n % BLOCK
    with source.lock:
        u = draw(source, whole if dtype.half else n)
        last = draw(source, BLOCK if rest else 0)
    out = np.empty(n, u.dtype)
    out[:whole] = _box_muller(u[:whole])
    if rest:
        out[-BLOCK:] = _box_muller(last)
    return out


def _box_muller(u: np.ndarray) -> np.ndarray:
    """Normal numbers from uniform ones: the first eight of a block with its last eight."""
    block = u.reshape(-1, 2, 8)
    radius = np.sqrt(-2 * np.log(1 - block[:, 0]))
    angle = (2 * np.pi * block[:, 1]).astype(u.dtype)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1).reshape(-1)


def whole(source: Generator, n: int, low: int, high: int) -> np.ndarray:
    """``n`` whole numbers in [low, high), as int64."""
    span = high - low
    if span >= 2**64:
        return source.double_words(n).astype(np.int64)
    drawn = source.double_words(n) % np.uint64(span) if span >= WIDE else source.words(n) % np.uint32(span)
    return (drawn.astype(np.uint64) + np.uint64(low % 2**64)).astype(np.int64)


def full_range(source: Generator, n: int, dtype: DType) -> np.ndarray:
    """``n`` whole numbers from 0 to the largest up to which ``dtype`` holds every one."""
    if dtype.is_floating_point:
        span = 2 ** {"float64": 53, "float32": 24, "float16": 11, "bfloat16": 8}[dtype.name] + 1
    else:
        span = 2 if dtype is spec.bool_ else int(np.iinfo(dtype.numpy).max) + 1
    words = source.double_words(n) if dtype.itemsize == 8 else source.words(n).astype(np.uint64)
    return (words % np.uint64(span) if span < 2**64 else words).astype(dtype.numpy)


def permutation(source: Generator, n: int) -> np.ndarray:
    """The numbers 0 to n-1 in random order (Fisher and Yates)."""
    order = list(range(n))
    steps = source.words(max(n - 1, 0)).astype(np.int64) % np.arange(n, 1, -1)
    for i, step in enumerate(steps.tolist()):
        j = i + step
        order[i], order[j] = order[j], order[i]
    return np.array(order, np.int64)


def bernoulli(source: Generator, n: int, p: float) -> np.ndarray:
    """``n`` times whether an event of probability ``p`` happened."""
    return np.less(unit(source, n), p)  # type: ignore[no-any-return]


def bernoulli_each(source: Generator, p: np.ndarray) -> np.ndarray:
    """Whether each event of the flat probabilities ``p`` happened."""
    wide = p.dtype == np.float64
    return np.less((unit if wide else unit_float)(source, p.size), p if wide else p.astype(np.float32))  # type: ignore[no-any-return]


def exponential(source: Generator, n: int, rate: float = 1.0) -> np.ndarray:
    """``n`` doubles of the density ``rate exp(-rate x)``."""
    return np.log1p(-unit(source, n)) * (-1 / rate)  # type: ignore[no-any-return]


def geometric(source: Generator, n: int, p: float) -> np.ndarray:
    """``n`` times how many trials of probability ``p`` it took to succeed, as doubles."""
    return np.ceil(np.log(unit(source, n)) / math.log1p(-p))  # type: ignore[no-any-return]


def cauchy(source: Generator, n: int, median: float, sigma: float) -> np.ndarray:
    """``n`` doubles of the Cauchy distribution."""
    return median + sigma * np.tan(np.pi * (unit(source, n) - 0.5))


def binomial(source: Generator, count: np.ndarray, p: np.ndarray) -> np.ndarray:
    """How many of ``count`` events of probability ``p`` happen, one uniform number giving one count: not torch's stream."""
    u = unit(source, count.size).reshape(count.shape)
    rare = np.minimum(p, 1 - p).astype(np.float64)
    with np.errstate(all="ignore"):
        share, ratio = (1 - rare) ** count, rare / (1 - rare)
    below, found = share.copy(), np.zeros(count.shape)
    for k in range(int(count.max(initial=0))):
        more = (u > below) & (k < count)
        if not more.any():
            break
        share = share * ratio * (count - k) / (k + 1)
        found[more] += 1
        below = below + share
    return np.where(p > 0.5, count - found, found)


def choices(source: Generator, weights: np.ndarray, k: int, replacement: bool) -> np.ndarray:
    """``k`` column numbers for each row of ``weights``, drawn in proportion to them."""
    if replacement and k > 1:
        sums = np.cumsum(weights, axis=1, dtype=weights.dtype)
        shares = sums / sums[:, -1:]
        return np.stack([np.searchsorted(row, unit(source, k)) for row in shares])
    races = weights / exponential(source, weights.size).astype(weights.dtype).reshape(weights.shape)
    return np.argsort(-races, axis=1, kind="stable")[:, :k]
