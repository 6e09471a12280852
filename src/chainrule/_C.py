"""The few names of torch's extension module that programs written for torch reach for."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from chainrule.core.sweep import Node
from chainrule.eager import tasks
from chainrule.eager.context import FunctionCtx
from chainrule.eager.custom import Function
from chainrule.eager.edges import edge_of_node
from chainrule.eager.gradfn import AccumulateGrad
from chainrule.eager.modes import is_grad_enabled
from chainrule.eager.refusing import refusing, undefined
from chainrule.eager.saved import SavedTensor, disabled
from chainrule.eager.tensor import Tensor
from chainrule.errors import missing

__all__ = ["_autograd", "_functions", "has_lapack", "is_grad_enabled"]

has_lapack = True
_FunctionBase = Function


def __getattr__(name: str) -> Any:
    raise missing(__name__, name, __all__)


class DelayedError(FunctionCtx):
    """``DelayedError(message, n)(*tensors)``: the tensors, raising ``message`` when a gradient comes back to them."""

    def __new__(cls, message: str, num_inputs: int) -> Any:
        def delayed(*tensors: Tensor) -> Any:
            refused = tuple(refusing(message, [t.node or (t if t.leaf else None)], t.array) for t in tensors)
            return refused[0] if num_inputs == 1 else refused

        return delayed


class UndefinedGrad(FunctionCtx):
    """``UndefinedGrad()(t)``: the tensor, any gradient that comes back to it being dropped."""

    def __new__(cls) -> Any:
        return undefined


_functions = SimpleNamespace(AccumulateGrad=AccumulateGrad, DelayedError=DelayedError, UndefinedGrad=UndefinedGrad)
_autograd = SimpleNamespace(SavedTensor=SavedTensor, _saved_tensors_hooks_is_enabled=lambda: disabled() is None)


def _current_graph_task_id() -> int:
    """A number for the backward pass that is running, -1 outside of one."""
    task = tasks.present()
    return -1 if task is None else id(task)


def _will_engine_execute_node(node: Any) -> bool:
    """Whether the backward pass that is running comes, or came, to ``node``. Raises RuntimeError outside of one."""
    task = tasks.present()
    if task is None:
        raise RuntimeError("_get_should_execute_nodes should only be called during the backward pass")
    at = edge_of_node(node)
    if task.needed is not None and isinstance(at, Node) and not task.needed.get(at, False):
        if task.will_reach(at):
            raise RuntimeError(
                "A leaf node was passed to _will_engine_execute_node but we are currently running autograd.grad()"
            )
        return False
    return task.will_reach(at)
