"""How often a tensor was handed over to NumPy: what a custom backward computes there, the tape does not see."""

from __future__ import annotations

_count = 0


def note() -> None:
    """Count one more."""
    global _count
    _count += 1


def count() -> int:
    """How often so far, in all threads."""
    return _count
