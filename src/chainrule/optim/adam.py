"""Descent by moments of the gradient."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from chainrule.eager.tensor import wrap
from chainrule.optim.optimizer import Optimizer, checked, count, decayed, not_differentiable, real, zeros


class Adam(Optimizer):
    """``x -= lr m / (sqrt(v) + eps)``, m and v being the running means of g and g**2, corrected for their start.

    ``amsgrad`` takes the largest v so far; ``weight_decay`` adds to the gradient, or with ``decoupled_weight_decay``
    shrinks the parameter. Sources: Kingma and Ba (2015), Loshchilov and Hutter (2019), Reddi et al. (2018).
    """

    def __init__(self, params: Iterable[Any], lr: Any = 1e-3, betas: tuple[Any, Any] = (0.9, 0.999), eps: float = 1e-8,
                 weight_decay: float = 0, amsgrad: bool = False, *, foreach: bool | None = None, maximize: bool = False,
                 capturable: bool = False, differentiable: bool = False, fused: bool | None = None,
                 decoupled_weight_decay: bool = False) -> None:  # fmt: skip
        checked(lr=lr, eps=eps)
        for k, beta in enumerate(betas):
            if not 0 <= beta < 1:
                raise ValueError(f"Invalid beta parameter at index {k}: {beta}")
        checked(weight_decay=weight_decay)
        not_differentiable(differentiable)
        super().__init__(params, {
            "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "amsgrad": amsgrad, "maximize": maximize,
            "foreach": foreach, "capturable": capturable, "differentiable": differentiable, "fused": fused,
            "decoupled_weight_decay": decoupled_weight_decay,
        })  # fmt: skip

    def update(self, x: np.ndarray, g: np.ndarray, state: dict[str, Any], settings: dict[str, Any]) -> None:
        """One step of descent."""
        if not state:
            state |= {"step": wrap(np.zeros((), np.float32)), "exp_avg": zeros(x), "exp_avg_sq": zeros(x)}
            if settings["amsgrad"]:
                state["max_exp_avg_sq"] = zeros(x)
        step, lr = count(state), settings["lr"]
        decay = settings["weight_decay"]
        if decay and settings["decoupled_weight_decay"]:
            x *= 1 - lr * decay
        elif decay:
            g = decayed(g, x, decay)
        x, g, m, v = real(x, g, state["exp_avg"].array, state["exp_avg_sq"].array)
        beta1, beta2 = settings["betas"]
        work = np.subtract(g, m, out=np.empty_like(m))  # an array even without axes
        work *= 1 - beta1
        m += work
        v *= beta2
        np.multiply(g, g, out=work)
        work *= 1 - beta2
        v += work
        if settings["amsgrad"]:
            (largest,) = real(state["max_exp_avg_sq"].array)
            np.maximum(largest, v, out=largest)
            v = largest
        # m / c1 / (sqrt(v / c2) + eps), with both corrections in the factors
        root = math.sqrt(1 - beta2**step)
        np.sqrt(v, out=work)
        work += settings["eps"] * root
        np.divide(m, work, out=work)
        work *= lr * root / (1 - beta1**step)
        x -= work


class AdamW(Adam):
    """`Adam` whose ``weight_decay`` shrinks the parameter (Loshchilov and Hutter 2019)."""

    def __init__(self, params: Iterable[Any], lr: Any = 1e-3, betas: tuple[Any, Any] = (0.9, 0.999), eps: float = 1e-8,
                 weight_decay: float = 1e-2, amsgrad: bool = False, *, maximize: bool = False, foreach: bool | None = None,
                 capturable: bool = False, differentiable: bool = False, fused: bool | None = None) -> None:  # fmt: skip
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, foreach=foreach, maximize=maximize,
                         capturable=capturable, differentiable=differentiable, fused=fused,
                         decoupled_weight_decay=True)  # fmt: skip
