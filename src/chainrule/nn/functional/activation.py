"""Activations: torch's names and arguments for the functions of the table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.eager import inplace as writing
from chainrule.eager import modes, random, sampling
from chainrule.eager.dtypes import finfo
from chainrule.eager.functions import reductions
from chainrule.eager.functions.axes import axis_of
from chainrule.eager.generator import default_generator
from chainrule.eager.namespace import PUBLIC
from chainrule.eager.notice import notice
from chainrule.eager.specialise import F
from chainrule.eager.tensor import Tensor, wrap
from chainrule.errors import Refusal, not_a_tensor, type_name


def _stored(input: Any, result: Any, inplace: bool) -> Any:
    """``result``, written over ``input`` if that was asked for."""
    return writing.adopt(input, result) if inplace else result


def _simple(name: str) -> Callable[..., Any]:
    """A function of the table with torch's further argument ``inplace``."""

    def function(input: Any, inplace: bool = False) -> Any:
        return _stored(input, getattr(PUBLIC, name)(input), inplace)

    function.__name__ = function.__qualname__ = name
    return function


relu = _simple("relu")
silu = _simple("silu")
mish = _simple("mish")
hardsigmoid = _simple("hardsigmoid")
hardswish = _simple("hardswish")
sigmoid = PUBLIC.sigmoid
tanh = PUBLIC.tanh
logsigmoid = PUBLIC.logsigmoid
gelu = PUBLIC.gelu
softplus = PUBLIC.softplus
hardshrink = PUBLIC.hardshrink


def relu_(input: Any) -> Any:
    """`relu`, written over its input."""
    return relu(input, inplace=True)


def relu6(input: Any, inplace: bool = False) -> Any:
    """``min(max(x, 0), 6)``."""
    return hardtanh(input, 0, 6, inplace)


def hardtanh(input: Any, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Any:
    """x, limited to [min_val, max_val]."""
    if min_val > max_val:
        raise ValueError("min_val cannot be greater than max_val")
    return _stored(input, PUBLIC.hardtanh(input, min_val, max_val), inplace)


def threshold(input: Any, threshold: float, value: float, inplace: bool = False) -> Any:
    """x where it is above ``threshold``, else ``value``."""
    return _stored(input, PUBLIC.threshold(input, threshold, value), inplace)


def elu(input: Any, alpha: float = 1.0, inplace: bool = False) -> Any:
    """x where positive, else ``alpha (exp(x) - 1)``."""
    return _stored(input, PUBLIC.elu(input, alpha), inplace)


SELU_ALPHA, SELU_SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946


def selu(input: Any, inplace: bool = False) -> Any:
    """``scale elu(x)`` with the two constants that keep mean and variance (Klambauer et al. 2017)."""
    return _stored(input, PUBLIC.elu(input, SELU_ALPHA, SELU_SCALE), inplace)


def celu(input: Any, alpha: float = 1.0, inplace: bool = False) -> Any:
    """x where positive, else ``alpha (exp(x / alpha) - 1)``."""
    if alpha == 0:
        raise Refusal("ZeroDivisionError: alpha cannot be 0 for CELU")
    return _stored(input, PUBLIC.celu(input, alpha), inplace)


def leaky_relu(input: Any, negative_slope: float = 0.01, inplace: bool = False) -> Any:
    """x where positive, else ``negative_slope x``."""
    return _stored(input, PUBLIC.leaky_relu(input, negative_slope), inplace)


def prelu(input: Any, weight: Any) -> Any:
    """x where positive, else ``weight x``; one weight, or one for each channel (axis 1)."""
    channels = input.array.shape[1] if input.ndim > 1 else 1
    if weight.ndim > 1:
        raise Refusal(f"prelu: Expected `weight` to be a scalar or 1D tensor, but got: ndim = {weight.ndim}")
    if weight.numel() not in (1, channels):
        raise Refusal(
            "Mismatch of parameter numbers and input channel size. Found parameter numbers = "
            f"{weight.numel()} and channel size = {channels}."
        )
    return F.prelu(input, weight.reshape((-1,) + (1,) * (input.ndim - 2)) if input.ndim > 1 else weight)


def rrelu(input: Any, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False, inplace: bool = False) -> Any:
    """x where positive, else x times a slope: random in [lower, upper] while training, their mean otherwise."""
    if not training:
        return leaky_relu(input, (lower + upper) / 2, inplace)
    negative = input.array <= 0
    slopes = np.ones(input.array.shape, input.array.dtype)
    slopes[negative] = sampling.unit(default_generator, int(negative.sum())) * (upper - lower) + lower
    return _stored(input, F.rrelu(input, wrap(slopes)), inplace)


def softshrink(input: Any, lambd: float = 0.5) -> Any:
    """x moved towards 0 by ``lambd``, and 0 where it would pass it."""
    if lambd < 0:
        largest, name = finfo(input.dtype).max, type_name(input.dtype)
        raise Refusal(f"lambda must be in range [0, {largest:g}] for input dtype {name}, but found {lambd:g}")
    return PUBLIC.softshrink(input, lambd)


def tanhshrink(input: Any) -> Any:
    """``x - tanh(x)``."""
    return input - F.tanh(input)


def softsign(input: Any) -> Any:
    """``x / (1 + |x|)``."""
    return input / (F.absolute(input) + 1)


def glu(input: Any, dim: int = -1) -> Any:
    """``a sigmoid(b)``, a and b being the halves of the input along ``dim``."""
    if input.ndim == 0:
        raise Refusal("glu does not support scalars because halving size must be even")
    axis = axis_of(dim, input.ndim)
    if input.array.shape[axis] % 2:
        raise Refusal(f"Halving dimension must be even, but dimension {axis} is size {input.array.shape[axis]}")
    return F.glu(input, axis)


def softmax(input: Any, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Any:
    """``exp(input) / sum(exp(input))`` along ``dim``."""
    return reductions.softmax(input, _implicit_dim("softmax", input) if dim is None else dim, dtype)


def log_softmax(input: Any, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Any:
    """The logarithm of `softmax`, without overflow."""
    return reductions.log_softmax(input, _implicit_dim("log_softmax", input) if dim is None else dim, dtype)


def softmin(input: Any, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Any:
    """`softmax` of ``-input``."""
    return reductions.softmax(-input, _implicit_dim("softmin", input) if dim is None else dim, dtype)


def _implicit_dim(name: str, input: Any) -> int:
    if not isinstance(input, Tensor):
        raise not_a_tensor(name, "input", 1, input)
    notice(f"Implicit dimension choice for {name} has been deprecated. Change the call to include dim=X as an argument.")
    return 0 if input.ndim in (0, 1, 3) else 1


def gumbel_softmax(logits: Any, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1) -> Any:
    """`softmax` of ``(logits + Gumbel noise) / tau``; with ``hard`` rounded to one choice, the gradient staying soft."""
    noise = random.exponential_(wrap(np.empty(logits.array.shape, logits.array.dtype)))
    with modes.no_grad():
        gumbels = -noise.log()
    soft = softmax((logits + gumbels) / tau, dim)
    if not hard:
        return soft
    chosen = np.zeros(soft.array.shape, soft.array.dtype)
    np.put_along_axis(chosen, np.argmax(soft.array, axis=dim, keepdims=True), 1, axis=dim)
    return wrap(chosen) - soft.detach() + soft


