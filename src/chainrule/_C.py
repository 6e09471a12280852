"""The few names of torch's extension module that programs written for torch reach for."""

from __future__ import annotations

import weakref
from types import SimpleNamespace
from typing import Any

from chainrule.autograd.forward_ad import _is_fwd_grad_enabled as _is_fwd_grad_enabled
from chainrule.autograd.grad_mode import is_multithreading_enabled
from chainrule.core.sweep import Node
from chainrule.eager import modes, tasks
from chainrule.eager.context import FunctionCtx
from chainrule.eager.custom import Function
from chainrule.eager.edges import edge_of_node
from chainrule.eager.gradfn import AccumulateGrad, public_edge
from chainrule.eager.modes import is_grad_enabled
from chainrule.eager.refusing import refusing, undefined
from chainrule.eager.saved import SavedTensor, disabled
from chainrule.eager.tensor import Tensor, edge_of
from chainrule.eager.writes import set_versions
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
            refused = tuple(refusing(message, [edge_of(t)], t.array) for t in tensors)
            return refused[0] if num_inputs == 1 else refused

        return delayed


class UndefinedGrad(FunctionCtx):
    """``UndefinedGrad()(t)``: the tensor, any gradient that comes back to it being dropped."""

    def __new__(cls) -> Any:
        return undefined


_functions = SimpleNamespace(AccumulateGrad=AccumulateGrad, DelayedError=DelayedError, UndefinedGrad=UndefinedGrad)
_autograd = SimpleNamespace(
    SavedTensor=SavedTensor,
    _saved_tensors_hooks_is_enabled=lambda: disabled() is None,
    _unsafe_set_version_counter=set_versions,
)


def _current_graph_task_id() -> int:
    """A number for the backward pass that is running, -1 outside of one."""
    task = tasks.present()
    return -1 if task is None else task.number


def _current_graph_task_execution_order() -> list[Any]:
    """The nodes in the order in which the backward pass that is running comes, or came, to them."""
    task = tasks.present()
    if task is None:
        raise RuntimeError("_current_graph_task_execution_order should only be called during the backward pass")
    if is_multithreading_enabled():
        raise RuntimeError(
            "_current_graph_task_execution_order expects the current backward to be executed with multithreading disabled, "
            "e.g. by running: with torch.autograd.set_multithreading_enabled(False):"
        )
    return [public_edge(at)[0] for at in task.order()]


def _set_fwd_grad_enabled(enabled: bool) -> None:
    """From here on, calls carry on the tangents of their operands, or do not."""
    modes.enter(modes.changed(tangents=enabled))


class _WeakTensorRef:
    """A weak reference to a tensor."""

    def __init__(self, tensor: Tensor) -> None:
        self._tensor = weakref.ref(tensor)

    def expired(self) -> bool:
        """Whether the tensor is gone."""
        return self._tensor() is None


def _will_engine_execute_node(node: Any) -> bool:
    """Whether the backward pass that is running comes, or came, to ``node``. Raises RuntimeError outside of one."""
    if isinstance(node, Tensor):
        raise RuntimeError("_will_engine_execute_node expects an grad_fn, but got a Tensor")
    task = tasks.present()
    if task is None:
        raise RuntimeError("_get_should_execute_nodes should only be called during the backward pass")
    at = edge_of_node(node)
    if task.to_inputs and not isinstance(at, Node):
        if task.will_reach(at):
            raise RuntimeError(
                "A leaf node was passed to _will_engine_execute_node but we are currently running autograd.grad(). "
                "This is currently not supported."
            )
        return False
    return task.will_reach(at)


_fallback_warnings = [True]


def _debug_only_are_vmap_fallback_warnings_enabled() -> bool:
    """What was last asked for: here `vmap` always says when it goes sample by sample."""
    return _fallback_warnings[0]


def _debug_only_display_vmap_fallback_warnings(enabled: bool) -> None:
    """Accepted, for programs that ask for these warnings."""
    _fallback_warnings[0] = enabled
