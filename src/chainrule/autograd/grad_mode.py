"""torch.autograd.grad_mode: the modes by the name of their module."""

from typing import Any

from chainrule.eager.modes import enable_grad, inference_mode, no_grad, set_grad_enabled
from chainrule.errors import missing

__all__ = ["enable_grad", "inference_mode", "no_grad", "set_grad_enabled", "set_multithreading_enabled"]


def __getattr__(name: str) -> Any:
    raise missing(__name__, name, __all__)


class set_multithreading_enabled:
    """Accepted for torch's programs: a backward pass always runs in the thread that asks for it."""

    def __init__(self, mode: bool) -> None:
        self.mode = mode

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exc: object) -> None:
        pass
