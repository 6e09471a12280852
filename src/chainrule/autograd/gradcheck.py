"""torch.autograd.gradcheck: derivatives beside differences. Calling the module is calling `gradcheck`."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from chainrule.errors import missing
from chainrule.testing.gradcheck import GradcheckError, gradcheck, gradgradcheck

__all__ = ["GradcheckError", "gradcheck", "gradgradcheck"]


class _Callable(ModuleType):
    """A module that is a function of its own name too: importing it puts it in the place of that in its package."""

    def __call__(self, *args: Any, **kwargs: Any) -> bool:
        return gradcheck(*args, **kwargs)


sys.modules[__name__].__class__ = _Callable


def __getattr__(name: str) -> Any:
    raise missing(__name__, name, __all__)
