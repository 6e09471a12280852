"""The random stream: torch's CPU generator is NumPy's MT19937, read its own way."""

from __future__ import annotations

import threading
from typing import Any, ClassVar

import numpy as np

from chainrule.eager.layout import CPU, Device, Named, require_cpu

DEFAULT_SEED = 67280421310721


class Generator(metaclass=Named):
    """A source of random numbers with a seed.

    >>> Generator().manual_seed(0).initial_seed()
    0
    """

    torch_name: ClassVar[str] = "torch._C.Generator"

    def __init__(self, device: Any = "cpu") -> None:
        require_cpu(device)
        self._lock = threading.Lock()
        self._seed = DEFAULT_SEED
        self._stream: Any = None  # made when first read: importing numpy.random takes longer than chainrule itself
        self._spare: float | None = None  # the second of a pair of normal numbers, for the next small draw

    @property
    def device(self) -> Device:
        """The CPU."""
        return CPU

    def manual_seed(self, seed: int) -> Generator:
        """Start the stream that belongs to ``seed``; returns self."""
        with self._lock:
            self._seed = int(seed) % 2**64
            self._stream = None
            self._spare = None
        return self

    def seed(self) -> int:
        """Start a stream from the system's entropy; returns its seed."""
        fresh = int(np.random.SeedSequence().generate_state(1)[0])
        self.manual_seed(fresh)
        return fresh

    def initial_seed(self) -> int:
        """The seed of the stream."""
        return self._seed

    def raw32(self, n: int) -> np.ndarray:
        """The next ``n`` 32-bit words."""
        with self._lock:
            if self._stream is None:
                self._stream = np.random.MT19937()
                self._stream._legacy_seeding(self._seed % 2**32)
            return self._stream.random_raw(n).astype(np.uint32)  # type: ignore[no-any-return]

    def raw64(self, n: int) -> np.ndarray:
        """The next ``n`` 64-bit words, each of two 32-bit ones (the first one high)."""
        words = self.raw32(2 * n).astype(np.uint64)
        return (words[0::2] << np.uint64(32)) | words[1::2]

    def uniform(self, n: int, double: bool = False) -> np.ndarray:
        """``n`` numbers in [0, 1): of 24 random bits, or 53 for doubles."""
        if double:
            return (self.raw64(n) & np.uint64(2**53 - 1)).astype(np.float64) * 2.0**-53
        return (self.raw32(n) & np.uint32(2**24 - 1)).astype(np.float32) * np.float32(2.0**-24)

    def normal(self, n: int, double: bool = False) -> np.ndarray:
        """``n`` standard normal numbers by Box and Muller."""
        return self._normal_few(n) if n < 16 else self._normal_many(n, double)

    def _normal_few(self, n: int) -> np.ndarray:
        """Pairs of doubles; where a pair is only half used the other number waits for the next small draw."""
        spare = self._spare
        first = np.array([] if spare is None or not n else [spare])
        missing = n - first.size
        pairs = self.uniform(2 * ((missing + 1) // 2), double=True).reshape(-1, 2)
        radius = np.sqrt(-2 * np.log1p(-pairs[:, 1]))
        angle = 2 * np.pi * pairs[:, 0]
        drawn = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1).reshape(-1)
        if n:
            self._spare = drawn[-1] if missing % 2 else None
        return np.concatenate([first, drawn[:missing]])

    def _normal_many(self, n: int, double: bool) -> np.ndarray:
        u = self.uniform(n, double)
        whole = n - n % 16
        out = _blocks(u[:whole])
        if n % 16:  # the last 16 are drawn anew, overlapping the block before
            out = np.concatenate([out, np.empty(n - whole, out.dtype)])
            out[n - 16 :] = _blocks(self.uniform(16, double))
        return out

    def integers(self, n: int, low: int, high: int) -> np.ndarray:
        """``n`` whole numbers in [low, high)."""
        span = high - low
        if span >= 2**32:
            return (self.raw64(n) % np.uint64(span)).astype(np.int64) + low
        return (self.raw32(n) % np.uint32(span) if span < 2**32 else self.raw32(n)).astype(np.int64) + low

    def permutation(self, n: int) -> np.ndarray:
        """The numbers 0 to n-1 in random order (Fisher and Yates)."""
        order = np.arange(n)
        draws = self.raw32(max(n - 1, 0)).astype(np.int64)
        for i in range(n - 1):
            j = i + int(draws[i] % (n - i))
            order[i], order[j] = order[j], order[i]
        return order


def _blocks(u: np.ndarray) -> np.ndarray:
    """Box and Muller on blocks of 16: the first eight numbers with the last eight."""
    block = u.reshape(-1, 2, 8)
    radius = np.sqrt(-2 * np.log(1 - block[:, 0]))
    angle = (2 * np.pi * block[:, 1]).astype(u.dtype)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1).reshape(-1)


default_generator = Generator()


def manual_seed(seed: int) -> Generator:
    """Seed the default generator."""
    return default_generator.manual_seed(seed)


def seed() -> int:
    """Seed the default generator from the system's entropy; returns the seed."""
    return default_generator.seed()


def initial_seed() -> int:
    """The seed of the default generator."""
    return default_generator.initial_seed()
