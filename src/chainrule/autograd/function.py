"""torch.autograd.function: functions with a derivative of their own."""

from __future__ import annotations

from typing import Any

from chainrule.eager.context import FunctionCtx
from chainrule.eager.custom import Function, FunctionMeta, once_differentiable
from chainrule.errors import missing

BackwardCFunction = FunctionCtx

__all__ = [
    "BackwardCFunction", "Function", "FunctionCtx", "FunctionMeta", "InplaceFunction", "once_differentiable",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    raise missing(__name__, name, __all__)


class InplaceFunction(Function):
    """A `Function` that may work in place: torch keeps the name for old code."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace
