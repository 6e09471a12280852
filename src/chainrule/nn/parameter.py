"""torch.nn.parameter: tensors that a module knows by name."""

from __future__ import annotations

from typing import Any, ClassVar

from chainrule.eager.tensor import Parameter, Tensor, leaf
from chainrule.errors import missing

__all__ = ["Buffer", "Parameter"]


def __getattr__(name: str) -> Any:
    raise missing(__name__, name, __all__)


class Buffer(Tensor):
    """A tensor that becomes a buffer of the module it is assigned to."""

    __slots__ = ("persistent",)
    persistent: bool
    torch_name: ClassVar[str] = "torch.nn.parameter.Buffer"

    def __new__(cls, data: Tensor | None = None, *, persistent: bool = True) -> Any:
        made = Tensor.__new__(cls) if data is None else Tensor.__new__(cls, data)  # type: ignore[call-arg]
        made.persistent = persistent
        return made

    def plain(self) -> Tensor:
        """The same memory as an ordinary tensor."""
        return leaf(self.array, self.lane)
