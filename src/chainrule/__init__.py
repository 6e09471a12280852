"""chainrule: automatic differentiation for Python.

``import chainrule as torch`` runs notebooks written for torch; ``chainrule.grad(f)`` differentiates NumPy code.
"""

from __future__ import annotations

from typing import Any

from chainrule import autograd
from chainrule.core.spec import (
    DType as dtype, bfloat16, bool_ as bool, complex64, complex128, float16, float32, float64, int8, int16, int32, int64,
    uint8, uint16, uint32, uint64,
)  # fmt: skip
from chainrule.core.spec import default_float as get_default_dtype
from chainrule.core.spec import set_default_float as set_default_dtype
from chainrule.eager import namespace as _namespace
from chainrule.eager.creation import (
    arange, as_tensor, asarray, empty, empty_like, eye, from_numpy, full, full_like, linspace, logspace, ones, ones_like, rand,
    rand_like, randint, randn, randn_like, randperm, tensor, zeros, zeros_like,
)  # fmt: skip
from chainrule.eager.generator import Generator, default_generator, manual_seed
from chainrule.eager.modes import (
    enable_grad, inference_mode, is_grad_enabled, is_inference_mode_enabled, no_grad, set_grad_enabled,
)  # fmt: skip
from chainrule.eager.printing import get_printoptions, set_printoptions
from chainrule.eager.tensor import Device as device
from chainrule.eager.tensor import Size, Tensor
from chainrule.transforms.reverse import grad, value_and_grad

__version__ = "0.1.0"
half = float16
float = float32  # noqa: A001
double = float64
cfloat = complex64
cdouble = complex128
short = int16
int = int32  # noqa: A001
long = int64
strided = "torch.strided"
pi = 3.141592653589793
inf = 1e400
nan = inf - inf
e = 2.718281828459045


def __getattr__(name: str) -> Any:
    found = _namespace.function_named(name)
    if found is None:
        raise AttributeError(f"module 'chainrule' has no attribute {name!r}")
    globals()[name] = found
    return found
