"""torch.autograd.graph: hooks on what is saved and on nodes, and edges of the graph as objects."""

from __future__ import annotations

from typing import Any

from chainrule.eager.saved import disable_saved_tensors_hooks, save_on_cpu, saved_tensors_hooks
from chainrule.errors import missing

__all__ = ["disable_saved_tensors_hooks", "save_on_cpu", "saved_tensors_hooks"]


def __getattr__(name: str) -> Any:
    raise missing(__name__, name, __all__)
