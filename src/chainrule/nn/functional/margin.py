"""Losses that ask for a margin: between classes, between pairs, between triplets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.core import spec
from chainrule.eager.refusing import refuse_derivative
from chainrule.eager.specialise import F
from chainrule.errors import Refusal, ShapeError, broadcast_error, shape_text, type_name
from chainrule.nn.functional.activation import logsigmoid
from chainrule.nn.functional.distance import pairwise_distance
from chainrule.nn.functional.loss import checked_reduction, reduced


def hinge_embedding_loss(input: Any, target: Any, margin: float = 1.0, size_average: Any = None, reduce: Any = None,
                         reduction: str = "mean") -> Any:  # fmt: skip
    """``input`` where the target is 1, ``max(0, margin - input)`` where it is -1."""
    reduction = checked_reduction(size_average, reduce, reduction)
    apart = F.where(target != 1, F.clip(margin - input, 0, None), 0.0)
    return reduced(apart + F.where(target != -1, input, 0.0), reduction)


def margin_ranking_loss(input1: Any, input2: Any, target: Any, margin: float = 0, size_average: Any = None,
                        reduce: Any = None, reduction: str = "mean") -> Any:  # fmt: skip
    """``max(0, margin - target (input1 - input2))``: the first is to rank higher where the target is 1."""
    reduction = checked_reduction(size_average, reduce, reduction)
    if not input1.ndim == input2.ndim == target.ndim:
        raise ShapeError(
            "margin_ranking_loss : All input tensors should have same dimension but got sizes: "
            f"input1: {input1.shape}, input2: {input2.shape}, target: {target.shape} "
        )
    return reduced(F.clip(-target * (input1 - input2) + margin, 0, None), reduction)


def soft_margin_loss(input: Any, target: Any, size_average: Any = None, reduce: Any = None, reduction: str = "mean") -> Any:
    """``log(1 + exp(-target input))`` for targets of 1 and -1."""
    shapes = input.array.shape, target.array.shape
    error = broadcast_error(*shapes)
    if error is not None:
        raise error
    whole = np.broadcast_shapes(*shapes)
    if whole != shapes[0]:
        raise ShapeError(f"output with shape {shape_text(shapes[0])} doesn't match the broadcast shape {shape_text(whole)}")
    return F.soft_margin_loss(input, target, reduction=checked_reduction(size_average, reduce, reduction))


def multi_margin_loss(input: Any, target: Any, p: int = 1, margin: float = 1.0, weight: Any = None,
                      size_average: Any = None, reduce: Any = None, reduction: str = "mean") -> Any:  # fmt: skip
    """The mean over classes of ``max(0, margin - input[target] + input[class])**p``, times the target's weight."""
    reduction = checked_reduction(size_average, reduce, reduction)
    if p not in (1, 2):
        raise Refusal("only p == 1 and p == 2 supported")
    if target.dtype is not spec.int64:
        raise Refusal(f"expected scalar type Long but found {type_name(target.dtype)}")
    if input.ndim == 2 and target.array.shape != input.array.shape[:1]:
        raise ShapeError(f"inconsistent target size, expected {input.array.shape[0]} but got {shape_text(target.array.shape)}")
    if input.ndim < 2:
        target = target.reshape(())
    refuse_derivative("multi_margin_loss", weight=weight)
    return F.multi_margin_loss(input, target, weight, p=p, margin=margin, reduction=reduction)


def multilabel_margin_loss(input: Any, target: Any, size_average: Any = None, reduce: Any = None,
                           reduction: str = "mean") -> Any:  # fmt: skip
    """The mean of ``max(0, 1 - input[t] + input[c])`` over the targets t (up to the first -1) and the other classes c."""
    reduction = checked_reduction(size_average, reduce, reduction)
    if target.array.shape != input.array.shape:
        raise ShapeError(f"inconsistent target size: {shape_text(target.array.shape)} for input of size: "
                         f"{shape_text(input.array.shape)}")  # fmt: skip
    return F.multilabel_margin_loss(input, target, reduction=reduction)


def multilabel_soft_margin_loss(input: Any, target: Any, weight: Any = None, size_average: Any = None, reduce: Any = None,
                                reduction: str = "mean") -> Any:  # fmt: skip
    """Binary cross entropy with logits, averaged over the classes (the last axis)."""
    reduction = checked_reduction(size_average, reduce, reduction)
    losses = -(target * logsigmoid(input) + (1 - target) * logsigmoid(-input))
    if weight is not None:
        losses = losses * weight
    return reduced(F.sum(losses, input.ndim - 1) / input.array.shape[-1], reduction)


NEAR_ZERO = 1e-12


def cosine_embedding_loss(input1: Any, input2: Any, target: Any, margin: float = 0, size_average: Any = None,
                          reduce: Any = None, reduction: str = "mean") -> Any:  # fmt: skip
    """``1 - cos`` of the angle between the inputs where the target is 1, ``max(0, cos - margin)`` where it is -1."""
    reduction = checked_reduction(size_average, reduce, reduction)
    if target.ndim not in (0, 1):
        raise ShapeError("0D or 1D target tensor expected, multi-target not supported")
    if input1.ndim != target.ndim + 1 or input2.ndim != target.ndim + 1:
        d = target.ndim
        wanted = f"{d}D target tensor expects {d + 1}D input tensors"
        raise ShapeError(f"{wanted}, but found inputs with sizes {shape_text(input1.array.shape)} and "
                         f"{shape_text(input2.array.shape)}.")  # fmt: skip
    axis = target.ndim
    lengths = (F.sum(input1 * input1, axis) + NEAR_ZERO) * (F.sum(input2 * input2, axis) + NEAR_ZERO)
    cosine = F.sum(input1 * input2, axis) / F.sqrt(lengths)
    alike = F.where(target == 1, 1 - cosine, 0.0)
    return reduced(alike + F.where(target == -1, F.clip(cosine - margin, 0, None), 0.0), reduction)


def triplet_margin_loss(anchor: Any, positive: Any, negative: Any, margin: float = 1.0, p: float = 2, eps: float = 1e-6,
                        swap: bool = False, size_average: Any = None, reduce: Any = None,
                        reduction: str = "mean") -> Any:  # fmt: skip
    """``max(0, margin + |anchor - positive|_p - |anchor - negative|_p)``."""
    reduction = checked_reduction(size_average, reduce, reduction)
    a, p_, n = anchor.ndim, positive.ndim, negative.ndim
    if not a == p_ == n:
        raise ShapeError(
            "The anchor, positive, and negative tensors are expected to have the same number of dimensions, but got: anchor "
            f"{a}D, positive {p_}D, and negative {n}D inputs"
        )

    def distance(x: Any, y: Any) -> Any:
        return pairwise_distance(x, y, p, eps)

    return triplet_margin_with_distance_loss(anchor, positive, negative, distance_function=distance, margin=margin, swap=swap,
                                             reduction=reduction)  # fmt: skip


def triplet_margin_with_distance_loss(anchor: Any, positive: Any, negative: Any, *,
                                      distance_function: Callable[[Any, Any], Any] | None = None, margin: float = 1.0,
                                      swap: bool = False, reduction: str = "mean") -> Any:  # fmt: skip
    """``max(0, margin + d(anchor, positive) - d(anchor, negative))``; ``swap`` takes the nearer of the two positives."""
    reduction = checked_reduction(None, None, reduction)
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")
    distance = pairwise_distance if distance_function is None else distance_function
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = F.minimum(far, distance(positive, negative))
    return reduced(F.clip(margin + near - far, 0, None), reduction)
