"""torch.autograd.variable: the name that tensors had when only variables were recorded."""

from __future__ import annotations

from typing import Any

from chainrule.eager.tasks import queue_callback
from chainrule.eager.tensor import Tensor
from chainrule.errors import missing

__all__ = ["Variable"]


def __getattr__(name: str) -> Any:
    raise missing(__name__, name, __all__)


class _Tensors(type):
    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, Tensor)


class _Engine:
    """What old programs reach for as ``Variable._execution_engine``."""

    queue_callback = staticmethod(queue_callback)


class Variable(metaclass=_Tensors):
    """``Variable(t)`` is a tensor on the memory of ``t`` without its history; every tensor is an instance."""

    _execution_engine = _Engine()

    def __new__(cls, data: Tensor, requires_grad: bool = False) -> Any:
        if not isinstance(data, Tensor):
            raise TypeError(f"Variable data has to be a tensor, but got {type(data).__name__}")
        return data.detach().requires_grad_(requires_grad)
