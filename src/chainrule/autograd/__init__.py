"""torch.autograd: backward passes and modes as functions."""

from __future__ import annotations

import importlib
import warnings
from typing import TYPE_CHECKING, Any

from chainrule.autograd import grad_mode, variable
from chainrule.autograd.grad_mode import (
    _unsafe_preserve_version_counter as _unsafe_preserve_version_counter,
)  # fmt: skip
from chainrule.autograd.grad_mode import is_multithreading_enabled, set_multithreading_enabled
from chainrule.autograd.variable import Variable
from chainrule.eager import engine, tasks
from chainrule.eager.modes import enable_grad, inference_mode, no_grad, set_grad_enabled
from chainrule.eager.saved import SavedTensor
from chainrule.eager.tensor import Tensor, edge_of
from chainrule.errors import ShapeError, missing

if TYPE_CHECKING:
    from chainrule.autograd import anomaly_mode, forward_ad, function, functional, graph
    from chainrule.autograd.anomaly_mode import detect_anomaly, set_detect_anomaly
    from chainrule.autograd.function import Function
    from chainrule.autograd.gradcheck import gradcheck, gradgradcheck

__all__ = [
    "Function", "SavedTensor", "Variable", "anomaly_mode", "backward", "detect_anomaly", "enable_grad", "forward_ad",
    "function", "functional", "grad", "grad_mode", "gradcheck", "gradgradcheck", "graph", "inference_mode",
    "is_multithreading_enabled", "no_grad", "set_detect_anomaly", "set_grad_enabled", "set_multithreading_enabled",
    "variable",
]  # fmt: skip

_SUBMODULES = ("anomaly_mode", "forward_ad", "function", "functional", "graph")
_LATER = {
    "Function": "function", "detect_anomaly": "anomaly_mode", "gradcheck": "gradcheck", "gradgradcheck": "gradcheck",
    "set_detect_anomaly": "anomaly_mode",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    """What is only imported when it is first asked for: many programs never do."""
    if name in _SUBMODULES:
        return importlib.import_module(f"chainrule.autograd.{name}")
    if name not in _LATER:
        raise missing(__name__, name, __all__)
    found = globals()[name] = getattr(importlib.import_module(f"chainrule.autograd.{_LATER[name]}"), name)
    return found


def backward(
    tensors: Any,
    grad_tensors: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    grad_variables: Any = None,
    inputs: Any = None,
) -> None:
    """Add the gradients of ``tensors`` to ``.grad`` of the leaves they depend on.

    ``grad_tensors`` holds a cotangent for each tensor that is no scalar. Raises RuntimeError where nothing was
    recorded, a cotangent is missing or of another shape, or the graph has been freed.

    >>> import chainrule as cr
    >>> x = cr.tensor([1.0, 2.0], requires_grad=True)
    >>> cr.autograd.backward([(x * x).sum()])
    >>> x.grad
    tensor([2., 4.])
    """
    if grad_variables is not None:
        warnings.warn("`grad_variables` is deprecated. Use `grad_tensors` instead.", FutureWarning, stacklevel=2)
        if grad_tensors is not None:
            raise RuntimeError("`grad_tensors` and `grad_variables` (deprecated) arguments both passed to `backward()`. "
                               "Please only use `grad_tensors`.")  # fmt: skip
        grad_tensors = grad_variables
    engine.backward(tensors, grad_tensors, retain_graph, create_graph, inputs)


def grad(
    outputs: Any,
    inputs: Any,
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> Any:
    """The gradients of ``outputs`` with respect to ``inputs``, as a tuple (a dict for a dict); no ``.grad`` is touched.

    ``create_graph`` records the pass, so that the result can be differentiated again.

    >>> import chainrule as cr
    >>> x = cr.tensor(3.0, requires_grad=True)
    >>> (slope,) = cr.autograd.grad(x**3, x, create_graph=True)
    >>> slope, cr.autograd.grad(slope, x)
    (tensor(27., grad_fn=<MulBackward0>), (tensor(18.),))
    """
    if not only_inputs:
        warnings.warn("only_inputs argument is deprecated and is ignored now (defaults to True). To accumulate gradient "
                      "for other parts of the graph, please use torch.autograd.backward.",
                      FutureWarning, stacklevel=2)  # fmt: skip
    settings = create_graph, allow_unused, materialize_grads
    if is_grads_batched:
        found = by_row(outputs, inputs, grad_outputs, retain_graph, settings)
    else:
        found = engine.grad(outputs, inputs, grad_outputs, retain_graph, *settings)
    return dict(zip(inputs, found, strict=True)) if isinstance(inputs, dict) else found


def by_row(outputs: Any, inputs: Any, grad_outputs: Any, retain_graph: bool | None, settings: tuple[Any, ...]) -> Any:
    """`grad` for each entry of the first axis of ``grad_outputs``, the results stacked along a new first axis."""
    rows = engine.as_list(grad_outputs)
    for k, (y, g) in enumerate(zip(engine.as_list(outputs), rows, strict=False)):
        if isinstance(y, Tensor) and isinstance(g, Tensor) and (not g.ndim or g.array.shape[1:] != y.array.shape):
            raise ShapeError(
                "If `is_grads_batched=True`, we interpret the first dimension of each grad_output as the batch dimension. The "
                "sizes of the remaining dimensions are expected to match the shape of corresponding output, but a mismatch "
                f"was detected: grad_output[{k}] has a shape of {g.shape} and output[{k}] has a shape of {y.shape}. If you "
                "only want some tensors in `grad_output` to be considered batched, consider using vmap."
            )
    create_graph = settings[0]
    retain = create_graph if retain_graph is None else retain_graph
    axes = tuple(None if g is None else 0 for g in rows)
    unused: list[int] = []

    def of_row(*row: Any) -> tuple[Any, ...]:
        found = engine.grad(outputs, inputs, row, True, *settings)
        unused[:] = [i for i, g in enumerate(found) if g is None]
        return tuple(g for g in found if g is not None)

    vmap = importlib.import_module("chainrule.transforms.batching").vmap
    found = list(vmap(of_row, axes)(*rows))
    for i in unused:
        found.insert(i, None)
    if not retain:
        tasks.release([edge_of(y) for y in engine.as_list(outputs)])
    return tuple(found)
