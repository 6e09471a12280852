"""Descent by the sum of squares of the gradient."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from chainrule.eager.tensor import wrap
from chainrule.optim.optimizer import Optimizer, checked, count, decayed, not_differentiable, real


class Adagrad(Optimizer):
    """``x -= lr / (1 + (t - 1) lr_decay) g / (sqrt(s) + eps)``, s being the sum of all g**2 (Duchi et al. 2011)."""

    def __init__(self, params: Iterable[Any], lr: Any = 1e-2, lr_decay: float = 0, weight_decay: float = 0,
                 initial_accumulator_value: float = 0, eps: float = 1e-10, foreach: bool | None = None, *,
                 maximize: bool = False, differentiable: bool = False, fused: bool | None = None) -> None:  # fmt: skip
        checked(lr=lr, lr_decay=lr_decay, weight_decay=weight_decay)
        checked(initial_accumulator_value=initial_accumulator_value, eps=eps)
        not_differentiable(differentiable)
        super().__init__(params, {
            "lr": lr, "lr_decay": lr_decay, "eps": eps, "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value, "foreach": foreach, "maximize": maximize,
            "differentiable": differentiable, "fused": fused,
        })  # fmt: skip
        for group in self.param_groups:
            for p in group["params"]:
                self._begin(p.array, self.state[p], group["initial_accumulator_value"])

    def _begin(self, x: np.ndarray, state: dict[str, Any], value: float) -> None:
        start = complex(value, value) if x.dtype.kind == "c" else value
        state |= {"step": wrap(np.zeros((), np.float32)), "sum": wrap(np.full_like(x, start))}

    def update(self, x: np.ndarray, g: np.ndarray, state: dict[str, Any], settings: dict[str, Any]) -> None:
        """One step of descent."""
        if not state:
            self._begin(x, state, settings["initial_accumulator_value"])
        rate = settings["lr"] / (1 + (count(state) - 1) * settings["lr_decay"])
        g = decayed(g, x, settings["weight_decay"])
        x, g, total = real(x, g, state["sum"].array)
        total += g * g
        x -= rate * (g / (np.sqrt(total) + settings["eps"]))
