"""How often a tensor was handed over to NumPy: what a custom backward computes there, the tape does not see."""

from __future__ import annotations

import threading
from typing import Final

_here: Final = threading.local()


def note() -> None:
    """Count one more."""
    _here.count = count() + 1


def count() -> int:
    """How often so far, in this thread."""
    return getattr(_here, "count", 0)
