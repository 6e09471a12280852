"""Gradient descent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from chainrule.eager.tensor import wrap
from chainrule.optim.optimizer import Optimizer, checked, decayed, not_differentiable


class SGD(Optimizer):
    """``x -= lr v`` with ``v = momentum v + (1 - dampening) g``, or with ``nesterov`` ``x -= lr (g + momentum v)``.

    >>> from chainrule.eager.tensor import Tensor
    >>> x = Tensor([1.0, 2.0]).requires_grad_()
    >>> optimizer = SGD([x], lr=0.25)
    >>> (x * x).sum().backward()
    >>> optimizer.step()
    >>> x
    tensor([0.5000, 1.0000], requires_grad=True)
    """

    def __init__(self, params: Iterable[Any], lr: Any = 1e-3, momentum: float = 0, dampening: float = 0,
                 weight_decay: float = 0, nesterov: bool = False, *, maximize: bool = False, foreach: bool | None = None,
                 differentiable: bool = False, fused: bool | None = None) -> None:  # fmt: skip
        checked(lr=lr, momentum=momentum, weight_decay=weight_decay)
        not_differentiable(differentiable)
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        super().__init__(params, {
            "lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay, "nesterov": nesterov,
            "maximize": maximize, "foreach": foreach, "differentiable": differentiable, "fused": fused,
        })  # fmt: skip

    def update(self, x: np.ndarray, g: np.ndarray, state: dict[str, Any], settings: dict[str, Any]) -> None:
        """One step of descent."""
        g = decayed(g, x, settings["weight_decay"])
        momentum = settings["momentum"]
        if momentum:
            before = state.get("momentum_buffer")
            if before is None:
                v = g.copy()
                state["momentum_buffer"] = wrap(v)
            else:
                v = before.array
                v *= momentum
                v += (1 - settings["dampening"]) * g if settings["dampening"] else g
            g = g + momentum * v if settings["nesterov"] else v
        x -= settings["lr"] * g
