"""Descent by the root mean square of the gradient."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from chainrule.eager.tensor import wrap
from chainrule.optim.optimizer import Optimizer, checked, count, decayed, not_differentiable, real, zeros


class RMSprop(Optimizer):
    """``x -= lr g / (sqrt(v) + eps)``, v being the running mean of g**2 (``centered``: of its variance).

    Source: Hinton's lecture 6 (2012); ``centered`` is Graves (2013).
    """

    def __init__(self, params: Iterable[Any], lr: Any = 1e-2, alpha: float = 0.99, eps: float = 1e-8, weight_decay: float = 0,
                 momentum: float = 0, centered: bool = False, capturable: bool = False, foreach: bool | None = None,
                 maximize: bool = False, differentiable: bool = False) -> None:  # fmt: skip
        checked(lr=lr, eps=eps, momentum=momentum, weight_decay=weight_decay, alpha=alpha)
        not_differentiable(differentiable)
        super().__init__(params, {
            "lr": lr, "momentum": momentum, "alpha": alpha, "eps": eps, "centered": centered, "weight_decay": weight_decay,
            "capturable": capturable, "foreach": foreach, "maximize": maximize, "differentiable": differentiable,
        })  # fmt: skip

    def update(self, x: np.ndarray, g: np.ndarray, state: dict[str, Any], settings: dict[str, Any]) -> None:
        """One step of descent."""
        if not state:
            state |= {"step": wrap(np.zeros((), np.float32)), "square_avg": zeros(x)}
            if settings["momentum"] > 0:
                state["momentum_buffer"] = zeros(x)
            if settings["centered"]:
                state["grad_avg"] = zeros(x)
        count(state)
        g = decayed(g, x, settings["weight_decay"])
        x, g, v = real(x, g, state["square_avg"].array)
        alpha = settings["alpha"]
        v *= alpha
        v += (1 - alpha) * (g * g)
        if settings["centered"]:
            (mean,) = real(state["grad_avg"].array)
            mean += (1 - alpha) * (g - mean)
            spread = np.sqrt(v - mean * mean)
        else:
            spread = np.sqrt(v)
        spread += settings["eps"]
        move = g / spread
        if settings["momentum"] > 0:
            (before,) = real(state["momentum_buffer"].array)
            before *= settings["momentum"]
            before += move
            move = before
        x -= settings["lr"] * move
