"""torch.backends: what there is to compute with besides NumPy: nothing. The settings can be set, and change nothing."""

from __future__ import annotations

from typing import Any

from chainrule.backends import cuda, cudnn, mps
from chainrule.errors import missing

__all__ = ["cuda", "cudnn", "mps"]


def __getattr__(name: str) -> Any:
    raise missing(__name__, name, __all__)
