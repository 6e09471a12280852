"""mxnet.random: random arrays."""

from __future__ import annotations

from typing import Any

from chainrule.eager.generator import manual_seed
from chainrule.errors import missing
from chainrule.mxnet.ndarray import random_normal as normal
from chainrule.mxnet.ndarray import random_uniform as uniform

__all__ = ["normal", "seed", "uniform"]


def __getattr__(name: str) -> Any:
    raise missing(__name__, name, __all__)


def seed(seed_state: int, ctx: Any = "all") -> None:
    """Start the stream that belongs to a seed (the numbers are chainrule's, not MXNet's)."""
    manual_seed(seed_state)
