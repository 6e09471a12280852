"""Functions of several steps that are one node, with torch's name: softmax and the losses.

``reduction`` is "mean", "sum" or "none", as in torch.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.core.box import function
from chainrule.core.primitive import composite, linear
from chainrule.errors import IndexRefusal, Refusal
from chainrule.ops.elementwise import sigmoid
from chainrule.ops.indexing import gather, place_along


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


def reduced(losses: Any, reduction: str) -> Any:
    """All losses, their sum or their mean."""
    if reduction == "none":
        return losses
    if reduction == "sum":
        return np.sum(losses)
    if reduction == "mean":
        return np.sum(losses) / (math.prod(losses.shape) or math.nan)
    raise Refusal(f"{reduction} is not a valid value for reduction")


def spread(g: Any, shape: tuple[int, ...], reduction: str) -> Any:
    """The cotangent of each loss, given that of their reduction."""
    return g * (1 / math.prod(shape) if math.prod(shape) else math.nan) if reduction == "mean" else g


@function
def mse_loss(x: Any, y: Any, *, reduction: str = "mean") -> Any:
    """The squared differences."""
    away = x - y
    return reduced(away * away, reduction)


composite(mse_loss, lambda g, x, y, *, reduction="mean": spread(g, np.shape(x), reduction) * (2 * (x - y)),
          lambda g, x, y, *, reduction="mean": spread(g, np.shape(x), reduction) * (2 * (y - x)))  # fmt: skip


def _weighted(losses: Any, weight: Any) -> Any:
    return losses if weight is None else losses * weight


LEAST = -100.0  # torch's floor for a logarithm in binary cross entropy


@function
def binary_cross_entropy(x: Any, y: Any, z: Any = None, *, reduction: str = "mean") -> Any:
    """``-z (y log x + (1 - y) log(1 - x))`` for probabilities x, targets y and optional weights z."""
    if np.any((x < 0) | (x > 1)):
        raise Refusal("all elements of input should be between 0 and 1")
    losses = -(y * np.maximum(np.log(x), LEAST) + (1 - y) * np.maximum(np.log1p(-x), LEAST))
    return reduced(_weighted(losses, z), reduction)


def _bce_x(g: Any, x: Any, y: Any, z: Any, reduction: str) -> Any:
    slope = (x - y) / np.maximum(x * (1 - x), 1e-12)
    return spread(g, np.shape(x), reduction) * _weighted(slope, z)


def _bce_y(g: Any, x: Any, z: Any, reduction: str) -> Any:
    slope = np.maximum(np.log1p(-x), LEAST) - np.maximum(np.log(x), LEAST)
    return spread(g, np.shape(x), reduction) * _weighted(slope, z)


composite(binary_cross_entropy, lambda g, x, y, z, *, reduction="mean": _bce_x(g, x, y, z, reduction),
          lambda g, x, z, *, reduction="mean": _bce_y(g, x, z, reduction), arity=3)  # fmt: skip


@function
def binary_cross_entropy_with_logits(x: Any, y: Any, z: Any = None, w: Any = None, *, reduction: str = "mean") -> Any:
    """Binary cross entropy of ``sigmoid(x)``, without overflow; weights z, weight of positives w."""
    positive = 1.0 if w is None else 1 + (w - 1) * y
    losses = (1 - y) * x + positive * (np.logaddexp(0, -np.abs(x)) + np.maximum(-x, 0))
    return reduced(_weighted(losses, z), reduction)


def _logits_x(g: Any, x: Any, y: Any, z: Any, w: Any, reduction: str) -> Any:
    probability = sigmoid(x)
    slope = probability - y if w is None else (1 - y) - (1 + (w - 1) * y) * (1 - probability)
    return spread(g, np.shape(x), reduction) * _weighted(slope, z)


def _logits_y(g: Any, x: Any, z: Any, w: Any, reduction: str) -> Any:
    slope = -x if w is None else (w - 1) * np.logaddexp(0, -x) - x
    return spread(g, np.shape(x), reduction) * _weighted(slope, z)


composite(binary_cross_entropy_with_logits,
          lambda g, x, y, z, w, *, reduction="mean": _logits_x(g, x, y, z, w, reduction),
          lambda g, x, z, w, *, reduction="mean": _logits_y(g, x, z, w, reduction), arity=4)  # fmt: skip


def _picked(x: Any, y: Any, z: Any, ignore_index: int) -> tuple[Any, Any, Any]:
    """Where each target stands, with a class axis of length one, its weight, and what all weights add up to."""
    keep = y != ignore_index
    target = np.where(keep, y, 0)
    classes = x.shape[0 if len(x.shape) == 1 else 1]
    wrong = (target < 0) | (target >= classes)
    if np.any(wrong):
        raise IndexRefusal(f"Target {int(np.asarray(target)[wrong].ravel()[0])} is out of bounds.")
    weight = keep * (1.0 if z is None else np.take(z, target, axis=None))
    axis = 0 if len(x.shape) == 1 else 1
    return np.expand_dims(target, axis), np.expand_dims(weight, axis), np.sum(weight)


@function
def nll_loss(x: Any, y: Any, z: Any = None, *, reduction: str = "mean", ignore_index: int = -100) -> Any:
    """``-z[y] x[y]`` for log-probabilities x (n, classes, ...), class numbers y (n, ...) and class weights z."""
    target, weight, total = _picked(x, y, z, ignore_index)
    axis = 0 if x.ndim == 1 else 1
    losses = -(np.take_along_axis(x, target, axis=axis) * weight.astype(x.dtype)).squeeze(axis)
    if reduction == "mean":
        return np.sum(losses) / np.asarray(total).astype(x.dtype)
    return reduced(losses, reduction)


def _nll_pullback(g: Any, x: Any, y: Any, z: Any, reduction: str, ignore_index: int) -> Any:
    target, weight, total = _picked(x, y, z, ignore_index)
    axis = 0 if len(x.shape) == 1 else 1
    if reduction == "none":
        g = np.expand_dims(g, axis)
    scaled = -weight / total if reduction == "mean" else -weight
    return place_along(g * _like(scaled, g), target, shape=x.shape, axis=axis)


def _like(constant: Any, g: Any) -> Any:
    """A constant array in the dtype of ``g``."""
    dtype = getattr(g.dtype, "numpy", g.dtype)
    return constant.astype(dtype)


linear(nll_loss, lambda g, x, y, z, *, reduction="mean", ignore_index=-100:
       _nll_pullback(g, x, y, z, reduction, ignore_index), arity=3)  # fmt: skip
_ = gather
