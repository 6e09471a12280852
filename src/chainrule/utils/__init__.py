"""torch.utils: what stands around training; for now the loading of data."""

from __future__ import annotations

from typing import Any

from chainrule.errors import missing
from chainrule.utils import data

__all__ = ["data"]


def __getattr__(name: str) -> Any:
    raise missing(__name__, name, __all__)
