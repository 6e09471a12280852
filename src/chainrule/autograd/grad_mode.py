"""torch.autograd.grad_mode: the modes by the name of their module."""

from contextvars import ContextVar
from typing import Any

from chainrule.eager.modes import enable_grad, inference_mode, no_grad, set_grad_enabled
from chainrule.eager.tensor import Tensor
from chainrule.eager.writes import set_versions
from chainrule.errors import missing

__all__ = [
    "enable_grad", "inference_mode", "is_multithreading_enabled", "no_grad", "set_grad_enabled",
    "set_multithreading_enabled",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    raise missing(__name__, name, __all__)


_multithreading: ContextVar[bool] = ContextVar("chainrule_multithreading", default=True)


def is_multithreading_enabled() -> bool:
    """What `set_multithreading_enabled` has set."""
    return _multithreading.get()


class set_multithreading_enabled:
    """Accepted for torch's programs: a backward pass always runs in the thread that asks for it."""

    def __init__(self, mode: bool) -> None:
        self.mode = mode
        self.before = _multithreading.get()
        _multithreading.set(mode)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exc: object) -> None:
        _multithreading.set(self.before)


class _unsafe_preserve_version_counter:
    """Inside, writes to these tensors leave their versions what they are: what was saved of them counts as unwritten."""

    def __init__(self, tensors: Any) -> None:
        self.tensors = (tensors,) if isinstance(tensors, Tensor) else tuple(tensors)
        self.versions = [t._version for t in self.tensors]

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exc: object) -> None:
        set_versions(self.tensors, self.versions)
