"""torch.accelerator on a machine without one: the questions have answers."""

from __future__ import annotations

from typing import Any

from chainrule.errors import missing

__all__ = ["current_accelerator", "device_count", "is_available"]


def __getattr__(name: str) -> Any:
    raise missing(__name__, name, __all__)


def is_available() -> bool:
    """False: chainrule computes on the CPU."""
    return False


def current_accelerator(check_available: bool = False) -> None:
    """None."""


def device_count() -> int:
    """0."""
    return 0
