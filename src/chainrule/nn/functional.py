"""torch.nn.functional: activations, losses and layers as functions."""

from __future__ import annotations

from typing import Any

from chainrule.eager.losses import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    l1_loss,
    linear,
    log_softmax,
    mse_loss,
    nll_loss,
    pad,
    softmax,
)  # fmt: skip
from chainrule.eager.namespace import function_named

ACTIVATIONS = ("relu", "gelu", "silu", "sigmoid", "tanh", "softplus", "logsigmoid", "leaky_relu", "elu")

__all__ = [
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "cross_entropy", "l1_loss", "linear", "log_softmax",
    "mse_loss", "nll_loss", "pad", "softmax",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in ACTIVATIONS:
        raise AttributeError(f"module 'chainrule.nn.functional' has no attribute {name!r}")
    found = globals()[name] = function_named(name)
    return found
