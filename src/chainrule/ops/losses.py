"""Losses: functions of several steps that are one node, with torch's name.

``reduction`` is "mean", "sum" or "none", as in torch.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.core.box import function
from chainrule.core.primitive import composite, general, linear
from chainrule.errors import IndexRefusal, Refusal
from chainrule.ops.elementwise import sigmoid
from chainrule.ops.indexing import gather, getitem, place_along


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


def _mse_x(g: Any, away: Any, reduction: str) -> Any:
    return spread(g, np.shape(away), reduction) * (2 * away)


composite(mse_loss, lambda g, x, y, *, reduction="mean": _mse_x(g, x - y, reduction),
          lambda g, x, y, *, reduction="mean": _mse_x(g, y - x, reduction))  # fmt: skip


def _weighted(losses: Any, weight: Any) -> Any:
    return losses if weight is None else losses * weight


LEAST = -100.0  # torch's floor for a logarithm in binary cross entropy


@function
def binary_cross_entropy(x: Any, y: Any, z: Any = None, *, reduction: str = "mean") -> Any:
    """``-z (y log x + (1 - y) log(1 - x))`` for probabilities x, targets y and optional weights z."""
    if not np.all((x >= 0) & (x <= 1)):
        raise Refusal("all elements of input should be between 0 and 1")
    return reduced(_weighted(_bce_each(x, y), z), reduction)


def _bce_each(x: Any, y: Any) -> Any:
    return -(y * np.maximum(np.log(x), LEAST) + (1 - y) * np.maximum(np.log1p(-x), LEAST))


def _bce_x(g: Any, x: Any, y: Any, z: Any, reduction: str) -> Any:
    slope = (x - y) / np.maximum(x * (1 - x), 1e-12)
    return spread(g, np.shape(x), reduction) * _weighted(slope, z)


def _bce_y(g: Any, x: Any, z: Any, reduction: str) -> Any:
    slope = np.maximum(np.log1p(-x), LEAST) - np.maximum(np.log(x), LEAST)
    return spread(g, np.shape(x), reduction) * _weighted(slope, z)


composite(binary_cross_entropy, lambda g, x, y, z, *, reduction="mean": _bce_x(g, x, y, z, reduction),
          lambda g, x, z, *, reduction="mean": _bce_y(g, x, z, reduction),
          lambda g, x, y, *, reduction="mean": spread(g, np.shape(x), reduction) * _bce_each(x, y), arity=3)  # fmt: skip


@function
def binary_cross_entropy_with_logits(x: Any, y: Any, z: Any = None, w: Any = None, *, reduction: str = "mean") -> Any:
    """Binary cross entropy of ``sigmoid(x)``, without overflow; weights z, weight of positives w."""
    return reduced(_weighted(_logits_each(x, y, w), z), reduction)


def _logits_each(x: Any, y: Any, w: Any) -> Any:
    positive = 1.0 if w is None else 1 + (w - 1) * y
    return (1 - y) * x + positive * (np.logaddexp(0, -np.abs(x)) + np.maximum(-x, 0))


def _logits_x(g: Any, x: Any, y: Any, z: Any, w: Any, reduction: str) -> Any:
    probability = sigmoid(x)
    slope = probability - y if w is None else (1 - y) - (1 + (w - 1) * y) * (1 - probability)
    return spread(g, np.shape(x), reduction) * _weighted(slope, z)


def _logits_y(g: Any, x: Any, z: Any, w: Any, reduction: str) -> Any:
    slope = -x if w is None else (w - 1) * np.logaddexp(0, -x) - x
    return spread(g, np.shape(x), reduction) * _weighted(slope, z)


def _logits_w(g: Any, x: Any, y: Any, z: Any, reduction: str) -> Any:
    return spread(g, np.shape(x), reduction) * _weighted(y * np.logaddexp(0, -x), z)


composite(binary_cross_entropy_with_logits,
          lambda g, x, y, z, w, *, reduction="mean": _logits_x(g, x, y, z, w, reduction),
          lambda g, x, z, w, *, reduction="mean": _logits_y(g, x, z, w, reduction),
          lambda g, x, y, w, *, reduction="mean": spread(g, np.shape(x), reduction) * _logits_each(x, y, w),
          lambda g, x, y, z, *, reduction="mean": _logits_w(g, x, y, z, reduction), arity=4)  # fmt: skip


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


def _everyday(x: Any, y: Any, z: Any, ignore_index: int) -> bool:
    """Whether there is one class number per row, all of them count, and none has a weight: that takes few steps."""
    classes = x.shape[-1]
    few = z is None and type(y) is np.ndarray and y.ndim == 1 and len(x.shape) == 2 and y.size > 0
    return few and np.minimum.reduce(y) >= 0 and np.maximum.reduce(y) < classes and not 0 <= ignore_index < classes


@function
def nll_loss(x: Any, y: Any, z: Any = None, *, reduction: str = "mean", ignore_index: int = -100,
             planes: bool = False) -> Any:  # fmt: skip
    """``-z[y] x[y]`` for log-probabilities x (n, classes, ...), class numbers y (n, ...) and class weights z.

    ``planes`` says that x has two more axes, for which torch has another node.
    """
    if _everyday(x, y, z, ignore_index):
        losses = -x[np.arange(y.size), y]
        return losses if reduction == "none" else np.add.reduce(losses) / (y.size if reduction == "mean" else 1)
    target, weight, total = _picked(x, y, z, ignore_index)
    axis = 0 if x.ndim == 1 else 1
    losses = -(np.take_along_axis(x, target, axis=axis) * weight.astype(x.dtype)).squeeze(axis)
    if reduction == "mean":
        return np.sum(losses) / np.asarray(total).astype(x.dtype)
    return reduced(losses, reduction)


def _nll_pullback(g: Any, x: Any, y: Any, z: Any, reduction: str, ignore_index: int) -> Any:
    if type(g) is np.ndarray and _everyday(x, y, z, ignore_index):
        out = np.zeros(x.shape, g.dtype)
        out[np.arange(y.size), y] = -g / y.size if reduction == "mean" else -g
        return out
    target, weight, total = _picked(x, y, z, ignore_index)
    axis = 0 if len(x.shape) == 1 else 1
    if reduction == "none":
        g = np.expand_dims(g, axis)
    if reduction == "mean" and np.all(total == 0):  # all are ignored: the loss is nan, its slope nowhere
        total = np.ones_like(total)
    scaled = -weight / total if reduction == "mean" else -weight
    return place_along(g * _like(scaled, g), target, shape=x.shape, axis=axis)


def _like(constant: Any, g: Any) -> Any:
    """A constant array in the dtype of ``g``."""
    dtype = getattr(g.dtype, "numpy", g.dtype)
    return constant.astype(dtype)


linear(nll_loss, lambda g, x, y, z, *, reduction="mean", ignore_index=-100, planes=False:
       _nll_pullback(g, x, y, z, reduction, ignore_index), arity=3,
       node=lambda planes: "NllLoss2DBackward0" if planes else "NllLossBackward0")  # fmt: skip

# Distances


@function
def smooth_l1_loss(x: Any, y: Any, *, reduction: str = "mean", beta: float = 1.0) -> Any:
    """``(x - y)**2 / (2 beta)`` where that is below ``beta / 2``, else ``|x - y| - beta / 2``."""
    away = np.abs(x - y)
    return reduced(np.where(away < beta, 0.5 * away * away / beta, away - 0.5 * beta), reduction)


@function
def huber_loss(x: Any, y: Any, *, reduction: str = "mean", delta: float = 1.0) -> Any:
    """``(x - y)**2 / 2`` where ``|x - y| <= delta``, else ``delta (|x - y| - delta / 2)``."""
    away = np.abs(x - y)
    return reduced(np.where(away <= delta, 0.5 * away * away, delta * (away - 0.5 * delta)), reduction)


def _bounded(away: Any, beta: float) -> Any:
    return np.where(np.abs(away) < beta, away / beta, np.sign(away))


def _limited(away: Any, delta: float) -> Any:
    return np.where(np.abs(away) <= delta, away, delta * np.sign(away))


composite(smooth_l1_loss,
          lambda g, x, y, *, reduction="mean", beta=1.0: spread(g, np.shape(x - y), reduction) * _bounded(x - y, beta),
          lambda g, x, y, *, reduction="mean", beta=1.0: spread(g, np.shape(x - y), reduction) * _bounded(y - x, beta),
          torch="")  # fmt: skip
composite(huber_loss,
          lambda g, x, y, *, reduction="mean", delta=1.0: spread(g, np.shape(x - y), reduction) * _limited(x - y, delta),
          lambda g, x, y, *, reduction="mean", delta=1.0: spread(g, np.shape(x - y), reduction) * _limited(y - x, delta),
          torch="")  # fmt: skip

# Margins


@function
def soft_margin_loss(x: Any, y: Any, *, reduction: str = "mean") -> Any:
    """``log(1 + exp(-y x))`` for targets y of 1 and -1."""
    return reduced(np.logaddexp(0, -y * x), reduction)


def _soft_margin_x(g: Any, x: Any, y: Any, reduction: str) -> Any:
    away = -y * x
    return spread(g, np.shape(away), reduction) * -y * sigmoid(away)


composite(soft_margin_loss,
          lambda g, x, y, *, reduction="mean": _soft_margin_x(g, x, y, reduction),
          lambda g, x, y, *, reduction="mean": _soft_margin_x(g, y, x, reduction), torch="")  # fmt: skip


@function
def multi_margin_loss(x: Any, y: Any, z: Any = None, *, p: int = 1, margin: float = 1.0, reduction: str = "mean") -> Any:
    """Per row: the mean over classes c other than the target t of ``max(0, margin - x[t] + x[c])**p``, times ``z[t]``."""
    short = np.maximum(_shortfall(x, y, margin), 0)
    return reduced(np.mean(_of_class(z, y, x) * (short if p == 1 else short * short), axis=-1), reduction)


def _shortfall(x: Any, y: Any, margin: float) -> Any:
    """How far each class comes too near the target's score; the target itself not at all."""
    if np.any((y < 0) | (y >= x.shape[-1])):
        raise Refusal("target out of range")
    target = np.expand_dims(y, -1)
    short = margin - np.take_along_axis(x, target, axis=-1) + x
    return np.where(np.arange(x.shape[-1]) == target, 0.0, short)


def _of_class(z: Any, y: Any, x: Any) -> Any:
    return 1.0 if z is None else np.expand_dims(np.take(z, y, axis=None), -1)


def _multi_margin_pullback(g: Any, x: Any, y: Any, z: Any, p: int, margin: float, reduction: str) -> Any:
    short = _shortfall(x, y, margin)
    slope = np.where(short > 0, np.ones_like(x), 0.0) if p == 1 else 2 * np.maximum(short, 0)
    slope = slope * _of_class(z, y, x)
    g = spread(g, x.shape[:-1], reduction) / x.shape[-1]
    slope = slope * (np.expand_dims(g, -1) if reduction == "none" else g)
    back = np.sum(slope, axis=-1, keepdims=True)
    return slope - place_along(back, np.expand_dims(y, -1), shape=x.shape, axis=-1)


general(multi_margin_loss, lambda g, x, y, z, *, p=1, margin=1.0, reduction="mean":
        _multi_margin_pullback(g, x, y, z, p, margin, reduction), arity=3, promoted=1, torch="")  # fmt: skip


@function
def multilabel_margin_loss(x: Any, y: Any, *, reduction: str = "mean") -> Any:
    """Per row: the mean of ``max(0, 1 - x[t] + x[c])`` over targets t (up to the first -1 in y) and other classes c."""
    losses = np.sum(np.maximum(_pairs(x, y), 0), axis=(-2, -1)) / x.shape[-1]
    return reduced(losses, reduction)


def _pairs(x: Any, y: Any) -> Any:
    """``1 - x[t] + x[c]`` of each target and each class that is none; 0 of what does not count."""
    counts = np.cumsum(y < 0, axis=-1) == 0
    place = np.where(counts, y, 0)
    classes = np.arange(x.shape[-1])
    others = np.all((place[..., None] != classes) | ~counts[..., None], axis=-2)
    valid = counts[..., None] & others[..., None, :]
    return np.where(valid, 1 - np.expand_dims(np.take_along_axis(x, place, axis=-1), -1) + np.expand_dims(x, -2), 0.0)


def _multilabel_pullback(g: Any, x: Any, y: Any, reduction: str) -> Any:
    g = spread(g, x.shape[:-1], reduction) / x.shape[-1]
    g = np.reshape(g, (*g.shape, 1, 1)) if reduction == "none" else g
    slope = np.where(_pairs(x, y) > 0, g, 0.0)
    place = np.where(np.cumsum(y < 0, axis=-1) == 0, y, 0)
    return np.sum(slope, axis=-2) - place_along(np.sum(slope, axis=-1), place, shape=x.shape, axis=-1)


general(multilabel_margin_loss, lambda g, x, y, *, reduction="mean": _multilabel_pullback(g, x, y, reduction), arity=2,
        promoted=1, torch="")  # fmt: skip

# Sequences

NEVER = -1e30  # the logarithm of what cannot be; finite, since a derivative has to pass it


@function
def ctc_loss(x: Any, y: Any, z: Any, w: Any, *, blank: int = 0) -> Any:
    """Connectionist temporal classification (Graves et al. 2006): -log P(target) for each sequence of a batch.

    Log-probabilities x (time, batch, classes), targets y (batch, longest), lengths z of the inputs, w of the targets.
    """
    batch, longest = y.shape
    symbols = np.full((batch, 2 * longest + 1), blank)  # the target with a blank before, between and behind
    symbols[:, 1::2] = y
    place = np.arange(symbols.shape[1])
    before = {k: np.broadcast_to(np.maximum(place - k, 0), symbols.shape) for k in (1, 2)}
    skips = np.zeros(symbols.shape, bool)  # where the blank before may be left out
    skips[:, 2:] = (symbols[:, 2:] != blank) & (symbols[:, 2:] != symbols[:, :-2])
    outside = place > 2 * np.expand_dims(w, -1)
    scores = gather(x, np.broadcast_to(symbols, (x.shape[0], *symbols.shape)), axis=2)
    now = np.where((place > 1) | outside, NEVER, getitem(scores, key=0))
    for t in range(1, x.shape[0]):
        one, two = (np.where(place < k, NEVER, gather(now, before[k], axis=1)) for k in (1, 2))
        paths = np.logaddexp(np.logaddexp(now, one), np.where(skips, two, NEVER))
        then = np.where(outside, NEVER, paths + getitem(scores, key=t))
        now = np.where(np.expand_dims(z, -1) > t, then, now)
    last = np.expand_dims(2 * w, -1)
    ends = gather(now, np.concatenate([last, np.maximum(last - 1, 0)], axis=1), axis=1)
    final = np.where(np.expand_dims(w, -1) == 0, np.array([True, False]), True)
    ends = np.where(final, ends, NEVER)
    return -np.logaddexp(getitem(ends, key=(slice(None), 0)), getitem(ends, key=(slice(None), 1)))


composite(ctc_loss, arity=4, params={"blank": 0}, promoted=1, torch="")
