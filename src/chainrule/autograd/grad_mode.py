"""torch.autograd.grad_mode: the modes by the name of their module."""

from typing import Any

from chainrule.eager.modes import enable_grad, inference_mode, no_grad, set_grad_enabled
from chainrule.errors import missing

__all__ = ["enable_grad", "inference_mode", "no_grad", "set_grad_enabled"]


def __getattr__(name: str) -> Any:
    raise missing(__name__, name, __all__)
