"""torch.autograd.gradcheck: derivatives beside differences. Calling the module is calling `gradcheck`."""

from __future__ import annotations

from typing import Any

from chainrule.errors import missing
from chainrule.testing.gradcheck import GradcheckError, gradcheck, gradgradcheck

__all__ = ["GradcheckError", "gradcheck", "gradgradcheck"]


def __getattr__(name: str) -> Any:
    raise missing(__name__, name, __all__)
