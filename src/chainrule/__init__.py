"""chainrule: automatic differentiation for Python.

``import chainrule as torch`` runs notebooks written for torch; ``chainrule.grad(f)`` differentiates NumPy code.
"""

from __future__ import annotations

import importlib as _importlib
from typing import Any

from chainrule import autograd, cuda
from chainrule.aliases import install, uninstall
from chainrule.core.spec import (
    DType as dtype,
)  # fmt: skip
from chainrule.core.spec import (
    bfloat16,
    complex64,
    complex128,
    float16,
    float32,
    float64,
    int8,
    int16,
    int32,
    int64,
    uint8,
    uint16,
    uint32,
    uint64,
)
from chainrule.core.spec import (
    bool_ as bool,
)
from chainrule.core.spec import default_float as get_default_dtype
from chainrule.core.spec import set_default_float as set_default_dtype
from chainrule.eager import namespace as _namespace
from chainrule.eager.creation import (
    arange,
    as_tensor,
    asarray,
    empty,
    empty_like,
    empty_strided,
    eye,
    from_numpy,
    full,
    full_like,
    linspace,
    logspace,
    ones,
    ones_like,
    tensor,
    zeros,
    zeros_like,
)  # fmt: skip
from chainrule.eager.dtypes import (
    can_cast,
    finfo,
    iinfo,
    is_complex,
    is_floating_point,
    is_inference,
    is_signed,
    promote_types,
    scalar_tensor,
    typename,
)  # fmt: skip
from chainrule.eager.dtypes import (
    complex_ as complex,
)
from chainrule.eager.generator import (
    Generator,
    default_generator,
    get_rng_state,
    initial_seed,
    manual_seed,
    seed,
    set_rng_state,
)  # fmt: skip
from chainrule.eager.layout import CHANNELS_LAST as channels_last
from chainrule.eager.layout import CHANNELS_LAST_3D as channels_last_3d
from chainrule.eager.layout import CONTIGUOUS_FORMAT as contiguous_format
from chainrule.eager.layout import PRESERVE_FORMAT as preserve_format
from chainrule.eager.layout import STRIDED as strided
from chainrule.eager.layout import Device as device
from chainrule.eager.layout import Layout as layout
from chainrule.eager.layout import MemoryFormat as memory_format
from chainrule.eager.layout import Size
from chainrule.eager.modes import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)  # fmt: skip
from chainrule.eager.printing import get_printoptions, set_printoptions
from chainrule.eager.random import (
    bernoulli,
    binomial,
    multinomial,
    normal,
    rand,
    rand_like,
    randint,
    randint_like,
    randn,
    randn_like,
    randperm,
)  # fmt: skip
from chainrule.eager.tensor import Tensor
from chainrule.errors import missing as _missing

__version__ = "0.1.0"
half = float16
float = float32
double = float64
cfloat = complex64
cdouble = complex128
short = int16
int = int32
long = int64
pi = 3.141592653589793
inf = 1e400
nan = inf - inf
e = 2.718281828459045


def load_ipython_extension(ipython: Any) -> None:
    """What ``%load_ext chainrule`` does: `install` all faces in the notebook."""
    install()


def unload_ipython_extension(ipython: Any) -> None:
    """What ``%unload_ext chainrule`` does."""
    uninstall()


_SUBMODULES = ("_C", "accelerator", "backends", "func", "insight", "linalg", "nn", "optim", "random", "utils")
_TYPED = ("Float", "Double", "Half", "Long", "Int", "Short", "Byte", "Char", "Bool")
_LATER = {"draw": "chainrule.insight.draw", "explain": "chainrule.insight.explain"}
_LATER |= dict.fromkeys(("custom_jvp", "custom_vjp", "linear", "numeric"), "chainrule.eager.declaring")
_LATER |= dict.fromkeys(("is_anomaly_check_nan_enabled", "is_anomaly_enabled"), "chainrule.eager.anomaly")
_LATER["vmap"] = "chainrule.func"
_LATER |= dict.fromkeys(
    ("batch_jacobian", "grad", "hessian", "hvp", "jacobian", "jvp", "value_and_grad", "vjp"), "chainrule.transforms.arrays"
)
_LATER |= dict.fromkeys(
    ("adaptive_avg_pool1d", "avg_pool1d", "bilinear", "conv1d", "conv2d", "conv3d", "cosine_similarity", "group_norm",
     "layer_norm", "max_pool1d", "max_pool2d", "max_pool3d", "pairwise_distance", "prelu", "rrelu", "selu"),
    "chainrule.nn.functional",
)  # fmt: skip
_LATER |= {f"{name}Tensor": "chainrule.eager.typed" for name in _TYPED}


def __getattr__(name: str) -> Any:
    """What is only made, or imported, when first asked for: importing chainrule stays a matter of milliseconds."""
    if name in _SUBMODULES:
        return _importlib.import_module(f"chainrule.{name}")
    if name in _LATER:
        found = getattr(_importlib.import_module(_LATER[name]), name)
    else:
        found = _namespace.function_named(name)
    if found is None:
        raise _missing("chainrule", name, __dir__())
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_namespace.public_names(), *_SUBMODULES, *_LATER})
