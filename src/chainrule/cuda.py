"""torch.cuda on a machine without a GPU: the questions have answers, the commands say what is missing."""

from __future__ import annotations

from typing import Any

from chainrule.eager.layout import Device, require_cpu
from chainrule.errors import missing

__all__ = [
    "current_device", "device_count", "empty_cache", "get_device_name", "is_available", "is_bf16_supported",
    "is_initialized", "manual_seed", "manual_seed_all", "max_memory_allocated", "memory_allocated", "set_device",
    "synchronize",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    raise missing(__name__, name, __all__)


def is_available() -> bool:
    """False: chainrule computes on the CPU.

    >>> is_available(), device_count()
    (False, 0)
    """
    return False


def is_initialized() -> bool:
    """False."""
    return False


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """False."""
    return False


def device_count() -> int:
    """0."""
    return 0


def memory_allocated(device: Any = None) -> int:
    """0 bytes."""
    return 0


def max_memory_allocated(device: Any = None) -> int:
    """0 bytes."""
    return 0


def manual_seed(seed: int) -> None:
    """Nothing to seed."""


def manual_seed_all(seed: int) -> None:
    """Nothing to seed."""


def empty_cache() -> None:
    """Nothing to empty."""


def current_device() -> int:
    """Raises AssertionError: there is none."""
    require_cpu(Device("cuda"))
    return -1


def get_device_name(device: Any = None) -> str:
    """Raises AssertionError: there is none."""
    require_cpu(Device("cuda"))
    return ""


def set_device(device: Any) -> None:
    """Raises AssertionError: there is none."""
    require_cpu(Device("cuda"))


def synchronize(device: Any = None) -> None:
    """Raises AssertionError: there is nothing to wait for."""
    require_cpu(Device("cuda"))
