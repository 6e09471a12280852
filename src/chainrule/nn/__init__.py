"""torch.nn: for now its functions; modules and parameters come next."""

from __future__ import annotations

from chainrule.eager.tensor import Parameter
from chainrule.nn import functional

__all__ = ["Parameter", "functional"]
