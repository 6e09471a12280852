"""mxnet.random, and nd.random: random arrays."""

from __future__ import annotations

from typing import Any

from chainrule.eager import creation, random
from chainrule.eager.generator import manual_seed
from chainrule.errors import missing
from chainrule.mxnet.context import Context
from chainrule.mxnet.ndarray import NDArray, dtype_named, sizes

__all__ = ["normal", "seed", "uniform"]


def __getattr__(name: str) -> Any:
    raise missing(__name__, name, __all__)


def seed(seed_state: int, ctx: Any = "all") -> None:
    """Start the stream that belongs to a seed (the numbers are chainrule's, not MXNet's)."""
    manual_seed(seed_state)


def normal(loc: float = 0.0, scale: float = 1.0, shape: Any = 1, ctx: Context | None = None,
                  dtype: Any = None) -> NDArray:  # fmt: skip
    """Normal numbers."""
    return NDArray(random.normal(loc, scale, sizes(shape), dtype=dtype_named(dtype)))


def uniform(low: float = 0.0, high: float = 1.0, shape: Any = 1, ctx: Context | None = None,
                   dtype: Any = None) -> NDArray:  # fmt: skip
    """Uniform numbers in [low, high)."""
    return NDArray(creation.empty(sizes(shape), dtype=dtype_named(dtype)).uniform_(low, high))
