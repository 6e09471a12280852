"""torch.func: derivatives as functions of functions."""

from __future__ import annotations

from typing import Any

from chainrule.errors import missing
from chainrule.func.modules import functional_call, stack_module_state
from chainrule.transforms.batching import debug_unwrap, vmap
from chainrule.transforms.forward import jvp, linearize
from chainrule.transforms.jacobians import hessian, jacfwd, jacrev
from chainrule.transforms.reverse import grad, grad_and_value, vjp

__all__ = [
    "debug_unwrap", "functional_call", "grad", "grad_and_value", "hessian", "jacfwd", "jacrev", "jvp", "linearize",
    "stack_module_state", "vjp", "vmap",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    raise missing(__name__, name, __all__)
