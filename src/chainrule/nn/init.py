"""torch.nn.init: initial values, written over tensors without being recorded.

Fans are the numbers of inputs and outputs of a unit: (out, in, *kernel) is a weight's shape.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.eager import modes, random
from chainrule.eager.generator import Generator
from chainrule.eager.tensor import Tensor, wrap
from chainrule.errors import missing

__all__ = [
    "calculate_gain", "constant_", "dirac_", "eye_", "kaiming_normal_", "kaiming_uniform_", "normal_", "ones_",
    "orthogonal_", "sparse_", "trunc_normal_", "uniform_", "xavier_normal_", "xavier_uniform_", "zeros_",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    raise missing(__name__, name, __all__)


GAINS = {"tanh": 5 / 3, "relu": math.sqrt(2), "selu": 3 / 4}
LINEAR = (
    "linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "sigmoid",
)  # fmt: skip


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """How much a layer has to spread its outputs for this nonlinearity behind it.

    >>> calculate_gain("leaky_relu", 0.2) ** 2
    1.923076923076923
    """
    if nonlinearity in LINEAR:
        return 1
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        if isinstance(slope, bool) or not isinstance(slope, (int, float)):
            raise ValueError(f"negative_slope {param} not a valid number")
        return math.sqrt(2 / (1 + slope**2))
    if nonlinearity not in GAINS:
        raise ValueError(f"Unsupported nonlinearity {nonlinearity}")
    return GAINS[nonlinearity]


def _fans(tensor: Tensor) -> tuple[int, int]:
    if tensor.ndim < 2:
        raise ValueError("Fan in and fan out can not be computed for tensor with fewer than 2 dimensions")
    outputs, inputs, *kernel = tensor.array.shape
    return inputs * math.prod(kernel), outputs * math.prod(kernel)


def _fan(tensor: Tensor, mode: str) -> int:
    if mode.lower() not in ("fan_in", "fan_out"):
        raise ValueError(f"Mode {mode.lower()} not supported, please use one of ['fan_in', 'fan_out']")
    return _fans(tensor)[mode.lower() == "fan_out"]


def _unrecorded(tensor: Tensor, write: Callable[[Tensor], Any]) -> Tensor:
    with modes.no_grad():
        write(tensor)
    return tensor


def _set(tensor: Tensor, values: Any) -> Tensor:
    return _unrecorded(tensor, lambda t: t.copy_(wrap(np.asarray(values))))


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Uniform numbers in [a, b); returns the tensor."""
    return _unrecorded(tensor, lambda t: t.uniform_(a, b, generator=generator))


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Normal numbers; returns the tensor."""
    return _unrecorded(tensor, lambda t: t.normal_(mean, std, generator=generator))


def trunc_normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0,
                  generator: Generator | None = None) -> Tensor:  # fmt: skip
    """Normal numbers that lie in [a, b]; returns the tensor."""
    if mean < a - 2 * std or mean > b + 2 * std:
        warnings.warn("mean is more than 2 std from [a, b] in nn.init.trunc_normal_. The distribution of values may be "
                      "incorrect.", stacklevel=2)  # fmt: skip
    low, high = ((1 + math.erf((end - mean) / std / math.sqrt(2))) / 2 for end in (a, b))
    draw = _normal_inside if high - low > 0.3 else _uniform_accepted
    return _unrecorded(tensor, lambda t: draw(t, mean, std, a, b, generator))


def _normal_inside(t: Tensor, mean: float, std: float, a: float, b: float, generator: Generator | None) -> None:
    """Normal numbers, those outside [a, b] drawn anew until none is."""
    t.normal_(mean, std, generator=generator)
    x = t.array
    least, largest = x.dtype.type(a), x.dtype.type(b)
    while (outside := (x < least) | (x > largest)).any():
        fresh = random.normal_(wrap(np.empty_like(x)), mean, std, generator=generator).array
        x[outside] = fresh[outside]


def _uniform_accepted(t: Tensor, mean: float, std: float, a: float, b: float, generator: Generator | None) -> None:
    """Uniform numbers in [a, b], each accepted with a probability in proportion to the density."""
    highest = -0.5 * ((max(a, min(mean, b)) - mean) / std) ** 2
    x = t.array
    pending = np.ones(x.shape, bool)
    while pending.any():
        fresh = random.uniform_(wrap(np.empty_like(x)), a, b, generator=generator).array
        x[pending] = fresh[pending]
        chance = np.log(random.uniform_(wrap(np.empty_like(x)), generator=generator).array)
        pending &= chance > ((fresh - mean) / std) ** 2 * -0.5 - highest


def constant_(tensor: Tensor, val: float) -> Tensor:
    """``val`` everywhere; returns the tensor."""
    return _unrecorded(tensor, lambda t: t.fill_(val))


def ones_(tensor: Tensor) -> Tensor:
    """Ones; returns the tensor."""
    return constant_(tensor, 1.0)


def zeros_(tensor: Tensor) -> Tensor:
    """Zeros; returns the tensor."""
    return constant_(tensor, 0.0)


def eye_(tensor: Tensor) -> Tensor:
    """The identity matrix; returns the tensor."""
    if tensor.ndim != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    return _set(tensor, np.eye(*tensor.array.shape))


def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """The kernel of a convolution that leaves its input as it is; returns the tensor."""
    if tensor.ndim not in (3, 4, 5):
        raise ValueError("Only tensors with 3, 4, or 5 dimensions are supported")
    shape = tensor.array.shape
    if shape[0] % groups:
        raise ValueError("dim 0 must be divisible by groups")
    values = np.zeros(shape)
    share = shape[0] // groups
    for g in range(groups):
        for k in range(min(share, shape[1])):
            values[(g * share + k, k, *(n // 2 for n in shape[2:]))] = 1
    return _set(tensor, values)


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Uniform in ``gain sqrt(6 / (fan_in + fan_out))`` either side of 0 (Glorot and Bengio 2010); returns the tensor."""
    bound = math.sqrt(3.0) * gain * math.sqrt(2.0 / sum(_fans(tensor)))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Normal with deviation ``gain sqrt(2 / (fan_in + fan_out))`` (Glorot and Bengio 2010); returns the tensor."""
    return normal_(tensor, 0.0, gain * math.sqrt(2.0 / sum(_fans(tensor))), generator)


def kaiming_uniform_(tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu",
                     generator: Generator | None = None) -> Tensor:  # fmt: skip
    """Uniform in ``gain sqrt(3 / fan)`` either side of 0 (He et al. 2015); returns the tensor."""
    if 0 in tensor.array.shape:
        warnings.warn("Initializing zero-element tensors is a no-op", stacklevel=2)
        return tensor
    bound = math.sqrt(3.0) * calculate_gain(nonlinearity, a) / math.sqrt(_fan(tensor, mode))
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu",
                    generator: Generator | None = None) -> Tensor:  # fmt: skip
    """Normal with deviation ``gain / sqrt(fan)`` (He et al. 2015); returns the tensor."""
    if 0 in tensor.array.shape:
        warnings.warn("Initializing zero-element tensors is a no-op", stacklevel=2)
        return tensor
    return normal_(tensor, 0.0, calculate_gain(nonlinearity, a) / math.sqrt(_fan(tensor, mode)), generator)


def orthogonal_(tensor: Tensor, gain: float = 1, generator: Generator | None = None) -> Tensor:
    """Orthonormal rows or columns times ``gain`` (Saxe et al. 2013), by QR of normal numbers; returns the tensor."""
    if tensor.ndim < 2:
        raise ValueError("Only tensors with 2 or more dimensions are supported")
    if not tensor.numel():
        return tensor
    rows = tensor.array.shape[0]
    noise = normal_(Tensor(rows, tensor.numel() // rows), generator=generator).array
    tall = noise if noise.shape[0] >= noise.shape[1] else noise.T
    q, r = np.linalg.qr(tall)
    q = q * np.sign(np.diag(r))  # makes the factor unique
    q = q if noise.shape[0] >= noise.shape[1] else q.T
    return _set(tensor, q.reshape(tensor.array.shape) * gain)


def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01, generator: Generator | None = None) -> Tensor:
    """Normal numbers, of which a share ``sparsity`` of each column is 0 (Martens 2010); returns the tensor."""
    if tensor.ndim != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    rows, columns = tensor.array.shape
    zeros = math.ceil(sparsity * rows)
    normal_(tensor, 0, std, generator)
    values = tensor.array.copy()
    for column in range(columns):
        values[random.randperm(rows, generator=generator).array[:zeros], column] = 0
    return _set(tensor, values)
