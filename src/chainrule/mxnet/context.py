"""Where data is: on the CPU."""

from __future__ import annotations

from typing import NamedTuple


class Context(NamedTuple):
    """A place for data."""

    device_type: str
    device_id: int = 0

    def __repr__(self) -> str:
        return f"{self.device_type}({self.device_id})"


def cpu(device_id: int = 0) -> Context:
    """The CPU."""
    return Context("cpu", device_id)


def gpu(device_id: int = 0) -> Context:
    """Raises RuntimeError: chainrule computes on the CPU."""
    raise RuntimeError(f"gpu({device_id}) is not available: chainrule computes on the CPU")


def current_context() -> Context:
    """The CPU."""
    return cpu()
