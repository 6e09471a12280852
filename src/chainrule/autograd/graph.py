"""torch.autograd.graph: hooks on what is saved and on nodes, and edges of the graph as objects."""

from __future__ import annotations

from typing import Any

from chainrule.eager.edges import GradientEdge, get_gradient_edge, register_multi_grad_hook
from chainrule.eager.gradfn import GraphNode as Node
from chainrule.eager.mutation import allow_mutation_on_saved_tensors
from chainrule.eager.saved import disable_saved_tensors_hooks, save_on_cpu, saved_tensors_hooks
from chainrule.eager.tensor import Tensor
from chainrule.eager.writes import log_write
from chainrule.errors import missing

__all__ = [
    "GradientEdge", "Node", "allow_mutation_on_saved_tensors", "disable_saved_tensors_hooks", "get_gradient_edge",
    "increment_version", "register_multi_grad_hook", "save_on_cpu", "saved_tensors_hooks",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    raise missing(__name__, name, __all__)


def increment_version(tensor: Any) -> None:
    """Say that a tensor (or each of several) was written to by means that chainrule does not see, as through NumPy.

    >>> import chainrule as cr
    >>> x = cr.zeros(2)
    >>> x.numpy()[0] = 1
    >>> increment_version(x)
    >>> x._version
    1
    """
    for t in (tensor,) if isinstance(tensor, Tensor) else tensor:
        log_write(t)
