"""The random stream: torch's CPU generator is NumPy's MT19937, read its own way.

Here are the words of the stream and its state; `sampling` makes numbers of a distribution from them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, ClassVar, Final

import numpy as np

from chainrule.core import spec
from chainrule.eager.layout import CPU, Device, Named, require_cpu
from chainrule.eager.tensor import Tensor, wrap

DEFAULT_SEED: Final = 67280421310721
STATE: Final = np.dtype(  # the bytes of torch's state; only the named fields are ever set
    [("seed", "u8"), ("left", "i4"), ("seeded", "i4"), ("next", "u8"), ("key", "u8", 624), ("x", "f8"), ("spare", "f8"),
     ("rho", "f8"), ("has_spare", "i4"), ("padding", "i4"), ("float_spare", "f4"), ("has_float_spare", "i4")]
)  # fmt: skip


class Generator(metaclass=Named):
    """A source of random numbers with a seed.

    >>> Generator().manual_seed(0).initial_seed()
    0
    """

    torch_name: ClassVar[str] = "torch._C.Generator"
    spare: float | None  # the second of a pair of normal numbers, for the next small draw

    def __init__(self, device: Any = "cpu") -> None:
        require_cpu(device)
        self.lock = threading.RLock()
        self._start(DEFAULT_SEED)

    def _start(self, seed: int) -> None:
        self._seed = seed
        self._stream: Any = None  # made when first read: importing numpy.random takes longer than chainrule itself
        self.spare = None

    @property
    def device(self) -> Device:
        """The CPU."""
        return CPU

    def manual_seed(self, seed: int) -> Generator:
        """Start the stream that belongs to ``seed``; returns self. Raises ValueError beyond 64 bits."""
        number = int(seed)
        if not -(2**63) <= number < 2**64:
            raise ValueError("Overflow when unpacking long long")
        with self.lock:
            self._start(number % 2**64)
        return self

    def seed(self) -> int:
        """Start a stream from the system's entropy; returns its seed."""
        fresh = int(np.random.SeedSequence().generate_state(1, np.uint64)[0]) >> 11
        self.manual_seed(fresh)
        return fresh

    def initial_seed(self) -> int:
        """The seed of the stream."""
        return self._seed

    def words(self, n: int) -> np.ndarray:
        """The next ``n`` 32-bit words of the stream."""
        with self.lock:
            return self._source().random_raw(n).astype(np.uint32)  # type: ignore[no-any-return]

    def double_words(self, n: int) -> np.ndarray:
        """The next ``n`` 64-bit words, each of two 32-bit ones (the first one high)."""
        words = self.words(2 * n).astype(np.uint64)
        return (words[0::2] << np.uint64(32)) | words[1::2]

    def _source(self) -> Any:
        if self._stream is None:
            self._stream = np.random.MT19937()
            self._stream._legacy_seeding(self._seed % 2**32)
        return self._stream

    def get_state(self) -> Tensor:
        """Where the stream is, as torch's 5,056 bytes."""
        with self.lock:
            twister = self._source().state["state"]
            state = np.zeros((), STATE)
            state["seed"], state["seeded"], state["key"] = self._seed, 1, twister["key"]
            fresh = np.array_equal(twister["key"], _seeded_key(self._seed))
            state["next"], state["left"] = (0, 1) if fresh else (twister["pos"], 625 - twister["pos"])
            state["spare"], state["has_spare"] = self.spare or 0.0, self.spare is not None
        return wrap(np.frombuffer(state.tobytes(), np.uint8).copy())

    def set_state(self, new_state: Tensor) -> Generator:
        """Continue where `get_state` was called; returns self. Raises TypeError or RuntimeError for anything else."""
        if not isinstance(new_state, Tensor) or new_state.dtype is not spec.uint8:
            raise TypeError("RNG state must be a torch.ByteTensor")
        if new_state.numel() != STATE.itemsize:
            raise RuntimeError(
                f"Expected a CPUGeneratorImplState of size {STATE.itemsize} but found the input RNG state size to be "
                f"{new_state.numel()}"
            )
        state = np.frombuffer(new_state.array.tobytes(), STATE)[0]
        if not state["seeded"] or not 0 <= state["next"] <= 624:
            raise RuntimeError("Invalid mt19937 state")
        stream = np.random.MT19937()
        position = int(state["next"]) if state["left"] > 1 or state["next"] else 624
        stream.state = {"bit_generator": "MT19937",
                        "state": {"key": state["key"].astype(np.uint32), "pos": position}}  # fmt: skip
        with self.lock:
            self._seed, self._stream = int(state["seed"]), stream
            self.spare = float(state["spare"]) if state["has_spare"] else None
        return self

    def clone_state(self) -> Generator:
        """Another generator, at the same place of the same stream."""
        return Generator().set_state(self.get_state())

    def __repr__(self) -> str:
        return f"<{self.torch_name} object at {id(self):#x}>"

    def __reduce__(self) -> tuple[Callable[[Tensor], Generator], tuple[Tensor]]:
        return _restored, (self.get_state(),)


def _restored(state: Tensor) -> Generator:
    return Generator().set_state(state)


def _seeded_key(seed: int) -> Any:
    stream: Any = np.random.MT19937()
    stream._legacy_seeding(seed % 2**32)
    return stream.state["state"]["key"]


default_generator: Final = Generator()


def manual_seed(seed: int) -> Generator:
    """Seed the default generator."""
    return default_generator.manual_seed(seed)


def seed() -> int:
    """Seed the default generator from the system's entropy; returns the seed."""
    return default_generator.seed()


def initial_seed() -> int:
    """The seed of the default generator."""
    return default_generator.initial_seed()


def get_rng_state() -> Tensor:
    """Where the default generator is, as a tensor of bytes."""
    return default_generator.get_state()


def set_rng_state(new_state: Tensor) -> None:
    """Let the default generator continue where `get_rng_state` was called."""
    default_generator.set_state(new_state)
