"""torch.nn.utils: gradients of bounded size, parameters as one vector."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from chainrule.eager.functions.shapes import cat
from chainrule.eager.tensor import Tensor, wrap
from chainrule.eager.writes import about_to_write, log_write
from chainrule.errors import missing

__all__ = [
    "clip_grad_norm_", "clip_grad_value_", "clip_grads_with_norm_", "get_total_norm", "parameters_to_vector",
    "vector_to_parameters",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    raise missing(__name__, name, __all__)


def _gradients(parameters: Any) -> list[Tensor]:
    given = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    return [p._grad for p in given if p._grad is not None]


def get_total_norm(tensors: Iterable[Tensor], norm_type: float = 2.0, error_if_nonfinite: bool = False,
                   foreach: bool | None = None) -> Tensor:  # fmt: skip
    """The norm of the norms of ``tensors``: that of all their elements together."""
    given = list(tensors)
    order = float(norm_type)
    if not given:
        return wrap(np.zeros((), np.float32))
    norms = np.array([np.linalg.norm(t.array.reshape(-1), order) for t in given], given[0].array.dtype)
    total = np.asarray(np.linalg.norm(norms, order), norms.dtype)
    if error_if_nonfinite and not np.isfinite(total):
        raise RuntimeError(
            f"The total norm of order {order} for gradients from `parameters` is non-finite, so it cannot be clipped. To "
            "disable this error and scale the gradients by the non-finite norm anyway, set `error_if_nonfinite=False`"
        )
    return wrap(total)


def clip_grads_with_norm_(parameters: Any, max_norm: float, total_norm: Tensor, foreach: bool | None = None) -> None:
    """Scale the gradients by ``max_norm / total_norm`` where that is below 1."""
    scale = min(float(max_norm) / (float(total_norm) + 1e-6), 1.0)
    for gradient in _gradients(parameters):
        about_to_write(gradient)
        gradient.array *= gradient.array.dtype.type(scale)
        log_write(gradient)


def clip_grad_norm_(parameters: Any, max_norm: float, norm_type: float = 2.0, error_if_nonfinite: bool = False,
                    foreach: bool | None = None) -> Tensor:  # fmt: skip
    """Scale the gradients so that the norm of all together is ``max_norm`` at most; returns what it was.

    >>> weight = Tensor([0.0, 0.0]).requires_grad_()
    >>> (3 * weight[0] + 4 * weight[1]).backward()
    >>> clip_grad_norm_(weight, 1.0), weight.grad
    (tensor(5.), tensor([0.6000, 0.8000]))
    """
    given = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    total = get_total_norm(_gradients(given), norm_type, error_if_nonfinite)
    clip_grads_with_norm_(given, max_norm, total)
    return total


def clip_grad_value_(parameters: Any, clip_value: float, foreach: bool | None = None) -> None:
    """Limit every element of the gradients to ``[-clip_value, clip_value]``."""
    limit = float(clip_value)
    for gradient in _gradients(parameters):
        about_to_write(gradient)
        np.clip(gradient.array, -limit, limit, out=gradient.array)
        log_write(gradient)


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """All elements of the parameters, in a row."""
    return cat([p.reshape(-1) for p in parameters])  # type: ignore[no-any-return]


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Let the parameters be views of the parts of ``vec``."""
    if not isinstance(vec, Tensor):
        raise TypeError(f"expected torch.Tensor, but got: {type(vec)}")
    start = 0
    for parameter in parameters:
        n = parameter.numel()
        parameter.data = wrap(vec.array[start : start + n].reshape(parameter.array.shape))
        start += n
