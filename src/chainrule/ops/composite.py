"""Functions of several steps that are one node, with torch's name: softmax and normalisation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.core.box import function
from chainrule.core.primitive import composite
from chainrule.ops.indexing import getitem


@function
def softmax(x: Any, *, axis: int = -1) -> Any:
    """``exp(x) / sum(exp(x))`` along ``axis``."""
    e = np.exp(x - np.max(x, axis=axis, keepdims=True)) if x.size else x
    return e / np.sum(e, axis=axis, keepdims=True)


@function
def log_softmax(x: Any, *, axis: int = -1) -> Any:
    """``x - log(sum(exp(x)))`` along ``axis``."""
    away = x - np.max(x, axis=axis, keepdims=True) if x.size else x
    return away - np.log(np.sum(np.exp(away), axis=axis, keepdims=True))


composite(softmax, lambda g, out, *, axis=-1: out * (g - np.sum(g * out, axis=axis, keepdims=True)), integers="float")
composite(log_softmax, lambda g, out, *, axis=-1: g - np.exp(out) * np.sum(g, axis=axis, keepdims=True),
          integers="float")  # fmt: skip

# Normalisation: x less its mean, over its spread. Both are computed anew in the rules, since what is saved must be
# an operand or a result for second derivatives to be right.


def _standard(x: Any, axes: tuple[int, ...], eps: float) -> tuple[Any, Any]:
    """``x`` with mean 0 and variance 1 over ``axes``, and 1 over its standard deviation."""
    away = x - np.mean(x, axis=axes, keepdims=True)
    rate = 1 / np.sqrt(np.mean(away * away, axis=axes, keepdims=True) + eps)
    return away * rate, rate


def _standard_pullback(g: Any, x: Any, axes: tuple[int, ...], eps: float) -> Any:
    """The cotangent of x, given that of the standardised x."""
    standard, rate = _standard(x, axes, eps)
    along = np.mean(g * standard, axis=axes, keepdims=True)
    return rate * (g - np.mean(g, axis=axes, keepdims=True) - standard * along)


def _scaled(x: Any, weight: Any, bias: Any) -> Any:
    x = x if weight is None else x * weight
    return x if bias is None else x + bias


def _last(dims: int) -> tuple[int, ...]:
    return tuple(range(-dims, 0))


@function
def layer_norm(x: Any, y: Any = None, z: Any = None, *, dims: int = 1, eps: float = 1e-5) -> Any:
    """``(x - mean) / sqrt(variance + eps) y + z`` over the last ``dims`` axes."""
    return _scaled(_standard(x, _last(dims), eps)[0], y, z)


composite(layer_norm,
          lambda g, x, y, *, dims=1, eps=1e-5: _standard_pullback(_scaled(g, y, None), x, _last(dims), eps),
          lambda g, x, *, dims=1, eps=1e-5: g * _standard(x, _last(dims), eps)[0], lambda g: g,
          integers="float", torch="", node="NativeLayerNormBackward0")  # fmt: skip


def _channels(v: Any, ndim: int) -> Any:
    """A number for each channel, to stand beside (n, channels, *size)."""
    return v if v is None else np.reshape(v, (-1,) + (1,) * (ndim - 2))


def _grouped(x: Any, like: Any, groups: int) -> Any:
    """``x``, shaped like ``like``, with the channels of a group along one last axis."""
    return np.reshape(x, (like.shape[0], groups, math.prod(like.shape[1:]) // groups))


@function
def group_norm(x: Any, y: Any = None, z: Any = None, *, groups: int, eps: float = 1e-5) -> Any:
    """``(x - mean) / sqrt(variance + eps) y + z`` over the channels of each group."""
    standard = np.reshape(_standard(_grouped(x, x, groups), (-1,), eps)[0], tuple(x.shape))
    return _scaled(standard, _channels(y, len(x.shape)), _channels(z, len(x.shape)))


def _group_norm_x(g: Any, x: Any, y: Any, groups: int, eps: float) -> Any:
    g = _grouped(_scaled(g, _channels(y, len(x.shape)), None), x, groups)
    return np.reshape(_standard_pullback(g, _grouped(x, x, groups), (-1,), eps), tuple(x.shape))


def _group_norm_y(g: Any, x: Any, groups: int, eps: float) -> Any:
    standard = np.reshape(_standard(_grouped(x, x, groups), (-1,), eps)[0], tuple(x.shape))
    return np.sum(g * standard, axis=_batch(x))


composite(group_norm, lambda g, x, y, *, groups, eps=1e-5: _group_norm_x(g, x, y, groups, eps),
          lambda g, x, *, groups, eps=1e-5: _group_norm_y(g, x, groups, eps), lambda g: np.sum(g, axis=_batch(g)),
          integers="float", torch="", node="NativeGroupNormBackward0")  # fmt: skip


def _batch(x: Any) -> tuple[int, ...]:
    return (0, *range(2, len(x.shape)))


def _given_standard(x: Any, w: Any, eps: float) -> tuple[Any, Any]:
    """As `_standard`, by the means ``w[0]`` and variances ``w[1]`` of the channels."""
    mean, variance = (_channels(getitem(w, key=k), len(x.shape)) for k in (0, 1))
    rate = 1 / np.sqrt(variance + eps)
    return (x - mean) * rate, rate


@function
def batch_norm(x: Any, y: Any = None, z: Any = None, w: Any = None, *, eps: float = 1e-5) -> Any:
    """``(x - mean) / sqrt(variance + eps) y + z`` for each channel: over the batch, or with the statistics ``w``."""
    standard, _ = _standard(x, _batch(x), eps) if w is None else _given_standard(x, w, eps)
    return _scaled(standard, _channels(y, x.ndim), _channels(z, x.ndim))


def _batch_norm_x(g: Any, x: Any, y: Any, w: Any, eps: float) -> Any:
    scaled = _scaled(g, _channels(y, len(x.shape)), None)
    if w is None:
        return _standard_pullback(scaled, x, _batch(x), eps)
    return scaled * _given_standard(x, w, eps)[1]


def _batch_norm_y(g: Any, x: Any, w: Any, eps: float) -> Any:
    standard, _ = _standard(x, _batch(x), eps) if w is None else _given_standard(x, w, eps)
    return np.sum(g * standard, axis=_batch(x))


composite(batch_norm,
          lambda g, x, y, w, *, eps=1e-5: _batch_norm_x(g, x, y, w, eps),
          lambda g, x, w, *, eps=1e-5: _batch_norm_y(g, x, w, eps),
          lambda g: np.sum(g, axis=_batch(g)),
          integers="float", torch="", node="NativeBatchNormBackward0", arity=4)  # fmt: skip
