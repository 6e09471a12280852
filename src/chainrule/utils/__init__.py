"""torch.utils: what stands around training: the loading of data, and checkpoints of activations."""

from __future__ import annotations

from typing import Any

from chainrule.errors import missing
from chainrule.utils import checkpoint, data

__all__ = ["checkpoint", "data"]


def __getattr__(name: str) -> Any:
    raise missing(__name__, name, __all__)
