"""Losses: torch's names, arguments and words for what the table computes.

``reduction`` is "mean", "sum" or "none"; the older arguments ``size_average`` and ``reduce`` say the same.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from chainrule.core import spec
from chainrule.eager import modes
from chainrule.eager.notice import notice
from chainrule.eager.refusing import refuse_derivative
from chainrule.eager.specialise import F
from chainrule.eager.tensor import Tensor, wrap
from chainrule.errors import Refusal, ShapeError, broadcast_error, not_a_tensor, shape_text, type_name


def checked_reduction(size_average: Any, reduce: Any, reduction: str, *more: str) -> str:
    """The reduction that these arguments mean; ValueError for one that there is not."""
    if size_average is not None or reduce is not None:
        average, some = size_average is None or bool(size_average), reduce is None or bool(reduce)
        reduction = "none" if not some else "mean" if average else "sum"
        notice(f"size_average and reduce args will be deprecated, please use reduction='{reduction}' instead.")
    if reduction not in ("mean", "sum", "none", *more):
        raise ValueError(f"{reduction} is not a valid value for reduction")
    return reduction


def reduced(losses: Any, reduction: str) -> Any:
    """All losses, their sum or their mean."""
    return losses if reduction == "none" else F.sum(losses) if reduction == "sum" else F.mean(losses)


def _broadcasting(input: Any, target: Any) -> None:
    """Warn that a loss of two sizes is rarely meant."""
    if input.array.shape != target.array.shape:
        notice(
            f"Using a target size ({target.shape}) that is different to the input size ({input.shape}). This will likely "
            "lead to incorrect results due to broadcasting. Please ensure they have the same size."
        )
        error = broadcast_error(input.array.shape, target.array.shape)
        if error is not None:
            raise error


def _weighted(losses: Any, weight: Any, reduction: str) -> Any:
    """Losses with a weight each, the mean being over the weights. ValueError unless there are as many."""
    if weight.array.shape != losses.array.shape:
        raise ShapeError("Weights and input must have the same size.")
    total = reduced(losses * weight, "none" if reduction == "none" else "sum")
    return total / F.sum(weight) if reduction == "mean" else total


# Distances


def mse_loss(input: Any, target: Any, size_average: Any = None, reduce: Any = None, reduction: str = "mean",
             weight: Any = None) -> Any:  # fmt: skip
    """The mean of ``(input - target)**2``."""
    _broadcasting(input, target)
    reduction = checked_reduction(size_average, reduce, reduction)
    if weight is None:
        return F.mse_loss(input, target, reduction)
    return _weighted(F.mse_loss(input, target, "none"), weight, reduction)


def l1_loss(input: Any, target: Any, size_average: Any = None, reduce: Any = None, reduction: str = "mean",
            weight: Any = None) -> Any:  # fmt: skip
    """The mean of ``|input - target|``."""
    _broadcasting(input, target)
    reduction = checked_reduction(size_average, reduce, reduction)
    losses = F.absolute(F.subtract(input, target))
    return reduced(losses, reduction) if weight is None else _weighted(losses, weight, reduction)


def smooth_l1_loss(input: Any, target: Any, size_average: Any = None, reduce: Any = None, reduction: str = "mean",
                   beta: float = 1.0) -> Any:  # fmt: skip
    """The mean of ``(input - target)**2 / (2 beta)`` near 0 and ``|input - target| - beta / 2`` beyond ``beta``."""
    _broadcasting(input, target)
    reduction = checked_reduction(size_average, reduce, reduction)
    if beta < 0:
        raise Refusal("smooth_l1_loss does not support negative values for beta.")
    if beta == 0:
        return l1_loss(input, target, reduction=reduction)
    return F.smooth_l1_loss(input, target, reduction=reduction, beta=beta)


def huber_loss(input: Any, target: Any, reduction: str = "mean", delta: float = 1.0, weight: Any = None) -> Any:
    """The mean of ``(input - target)**2 / 2`` near 0 and ``delta (|input - target| - delta / 2)`` beyond ``delta``."""
    _broadcasting(input, target)
    reduction = checked_reduction(None, None, reduction)
    if delta <= 0:
        raise Refusal("huber_loss does not support non-positive values for delta.")
    if weight is None:
        return F.huber_loss(input, target, reduction=reduction, delta=delta)
    return reduced(F.huber_loss(input, target, reduction="none", delta=delta) * weight, reduction)


# Classes


def nll_loss(input: Any, target: Any, weight: Any = None, size_average: Any = None, ignore_index: int = -100,
             reduce: Any = None, reduction: str = "mean") -> Any:  # fmt: skip
    """``-weight[target] input[target]`` for log-probabilities, averaged by the weights."""
    reduction = checked_reduction(size_average, reduce, reduction)
    _check_classes(input, target)
    _check_weight(weight, input.array.shape[0 if input.ndim == 1 else 1])
    return F.nll_loss(input, target, weight, reduction=reduction, ignore_index=ignore_index, planes=input.ndim == 4)


def _check_classes(input: Any, target: Any) -> None:
    scores, classes = input.array.shape, target.array.shape
    if len(scores) == 1:
        if target.array.size != 1:
            raise ShapeError(f"For 1D input, 1D target must have size 1, but got target size: {classes[0]}")
    elif not classes or scores[0] != classes[0]:
        raise ShapeError(
            f"Expected input batch_size ({scores[0]}) to match target batch_size ({classes[0] if classes else 0})."
        )
    elif len(scores) == 2 and len(classes) > 1:
        raise ShapeError("0D or 1D target tensor expected, multi-target not supported")
    elif scores[2:] != classes[1:]:
        wanted = (scores[0], *scores[2:])
        raise ShapeError(f"Expected target size {shape_text(wanted)}, got {shape_text(classes)}")
    if target.dtype not in (spec.int64, spec.uint8):
        raise Refusal(f"expected target dtype to be Long or Byte, but got {type_name(target.dtype)}")


def _check_weight(weight: Any, classes: int) -> None:
    refuse_derivative("nll_loss_forward", weight=weight)
    if weight is not None and weight.array.shape != (classes,):
        raise ShapeError(f"weight tensor should be defined either for all {classes} classes or no classes but got weight "
                         f"tensor of shape: {shape_text(weight.array.shape)}")  # fmt: skip


def cross_entropy(input: Any, target: Any, weight: Any = None, size_average: Any = None, ignore_index: int = -100,
                  reduce: Any = None, reduction: str = "mean", label_smoothing: float = 0.0) -> Any:  # fmt: skip
    """`nll_loss` of `log_softmax`, for class numbers; for class probabilities ``-sum(target log_softmax(input))``."""
    reduction = checked_reduction(size_average, reduce, reduction)
    if not 0 <= label_smoothing <= 1:
        raise Refusal(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing:g}")
    for position, (name, given) in enumerate((("input", input), ("target", target)), 1):
        if not isinstance(given, Tensor):
            raise not_a_tensor("cross_entropy_loss", name, position, given)
    if not input.dtype.differentiable:
        raise NotImplementedError(f"\"log_softmax_lastdim_kernel_impl\" not implemented for '{type_name(input.dtype)}'")
    axis = 0 if input.ndim == 1 else 1
    logs = F.log_softmax(input, axis)
    if input.array.shape == target.array.shape:
        return _of_probabilities(logs, target, weight, reduction, label_smoothing, axis)
    loss = nll_loss(logs, target, weight, ignore_index=ignore_index, reduction=reduction)
    if not label_smoothing:
        return loss
    share = label_smoothing / input.array.shape[axis]
    smooth = _smoothed(logs, target, weight, ignore_index, reduction, axis)
    return (1 - label_smoothing) * loss + smooth * share


def _smoothed(logs: Any, target: Any, weight: Any, ignore_index: int, reduction: str, axis: int) -> Any:
    """The loss against all classes alike."""
    if weight is not None:
        logs = logs * weight.reshape((-1,) + (1,) * (logs.ndim - axis - 1))
    keep = target != ignore_index
    losses = -F.sum(logs, axis) * keep.to(logs.dtype)
    if reduction != "mean":
        return reduced(losses, reduction)
    count = keep.sum() if weight is None else (weight[F.where(keep, target, 0)] * keep).sum()
    return losses.sum() / count


def _of_probabilities(logs: Any, target: Any, weight: Any, reduction: str, smoothing: float, axis: int) -> Any:
    if not target.dtype.is_floating_point:
        raise Refusal(f"Expected floating point type for target with class probabilities, got {type_name(target.dtype)}")
    classes = logs.array.shape[axis]
    if smoothing:
        target = target * (1 - smoothing) + smoothing / classes
    if weight is not None:
        logs = logs * weight.reshape((-1,) + (1,) * (logs.ndim - axis - 1))
    losses = -F.sum(logs * target, axis)
    return losses.sum() / (losses.numel() or 1) if reduction == "mean" else reduced(losses, reduction)


def kl_div(input: Any, target: Any, size_average: Any = None, reduce: Any = None, reduction: str = "mean",
           log_target: bool = False) -> Any:  # fmt: skip
    """``target (log(target) - input)`` for log-probabilities ``input``; "batchmean" divides the sum by the batch."""
    reduction = checked_reduction(size_average, reduce, reduction, "batchmean")
    if reduction == "mean":
        notice(KL_MEAN)
    if log_target:
        losses = F.exp(target) * (target - input)
    else:
        known = F.where(target == 0, 1.0, target)  # 0 log 0 = 0
        losses = target * F.log(known) - target * input
    if reduction == "batchmean":
        return F.sum(losses) / (input.array.shape[0] if input.ndim else 1)
    return reduced(losses, reduction)


KL_MEAN: Final = (
    "reduction: 'mean' divides the total loss by both the batch size and the support size.'batchmean' divides only by the "
    "batch size, and aligns with the KL div math definition.'mean' will be changed to behave the same as 'batchmean' in the "
    "next major release."
)


def binary_cross_entropy(input: Any, target: Any, weight: Any = None, size_average: Any = None, reduce: Any = None,
                         reduction: str = "mean") -> Any:  # fmt: skip
    """``-weight (target log(input) + (1 - target) log(1 - input))``, averaged."""
    reduction = checked_reduction(size_average, reduce, reduction)
    if input.array.shape != target.array.shape:
        raise ShapeError(
            f"Using a target size ({target.shape}) that is different to the input size ({input.shape}) is deprecated. "
            "Please ensure they have the same size."
        )
    if target.dtype is not input.dtype:
        raise Refusal(f"Found dtype {type_name(target.dtype)} but expected {type_name(input.dtype)}")
    return F.binary_cross_entropy(input, target, weight, reduction=reduction)


def binary_cross_entropy_with_logits(input: Any, target: Any, weight: Any = None, size_average: Any = None,
                                     reduce: Any = None, reduction: str = "mean", pos_weight: Any = None) -> Any:  # fmt: skip
    """`binary_cross_entropy` of ``sigmoid(input)``, without overflow."""
    reduction = checked_reduction(size_average, reduce, reduction)
    if input.array.shape != target.array.shape:
        raise ShapeError(f"Target size ({target.shape}) must be the same as input size ({input.shape})")
    if not target.dtype.differentiable:
        raise Refusal(
            f"result type {type_name(input.dtype)} can't be cast to the desired output type {type_name(target.dtype)}"
        )
    return F.binary_cross_entropy_with_logits(input, target, weight, pos_weight, reduction=reduction)


# Counts and spreads


def poisson_nll_loss(input: Any, target: Any, log_input: bool = True, full: bool = False, size_average: Any = None,
                     eps: float = 1e-8, reduce: Any = None, reduction: str = "mean") -> Any:  # fmt: skip
    """``exp(input) - target input`` of counts ``target`` (``input - target log(input)`` unless ``log_input``).

    ``full`` adds Stirling's approximation of ``log(target!)``, for targets above 1.
    """
    reduction = checked_reduction(size_average, reduce, reduction)
    losses = F.exp(input) - target * input if log_input else input - target * F.log(input + eps)
    if full:
        many = F.where(target > 1, target, 1.0)
        stirling = many * F.log(many) - many + 0.5 * F.log(2 * math.pi * many)
        losses = losses + F.where(target > 1, stirling, 0.0)
    return reduced(losses, reduction)


def gaussian_nll_loss(input: Any, target: Any, var: Any, full: bool = False, eps: float = 1e-6,
                      reduction: str = "mean") -> Any:  # fmt: skip
    """``(log(var) + (input - target)**2 / var) / 2``; ``full`` adds ``log(2 pi) / 2``."""
    reduction = checked_reduction(None, None, reduction)
    if not isinstance(var, Tensor):
        if var < 0:
            raise ValueError("var has negative entry/entries")
        var = var * wrap(np.ones_like(input.array))
    elif bool((var.array < 0).any()):
        raise ValueError("var has negative entry/entries")
    if var.array.shape != input.array.shape:
        if var.array.shape == input.array.shape[:-1]:
            var = var.unsqueeze(-1)
        elif var.array.shape[:-1] != input.array.shape[:-1] or var.array.shape[-1] != 1:
            raise ValueError("var is of incorrect size")
    with modes.no_grad():
        rise = (var.detach().clamp(min=eps) - var.detach()).detach()
    var = var + rise  # not below eps, the gradient passing as if it were
    losses = 0.5 * (F.log(var) + (input - target) ** 2 / var)
    if full:
        losses = losses + 0.5 * math.log(2 * math.pi)
    return reduced(losses, reduction)


# Sequences


def ctc_loss(log_probs: Any, targets: Any, input_lengths: Any, target_lengths: Any, blank: int = 0, reduction: str = "mean",
             zero_infinity: bool = False) -> Any:  # fmt: skip
    """Connectionist temporal classification (Graves et al. 2006) of log-probabilities (time, batch, classes).

    ``targets`` is (batch, longest), or all of them in a row. The mean divides each loss by the length of its target.
    """
    reduction = checked_reduction(None, None, reduction)
    alone = log_probs.ndim == 2
    scores = log_probs.unsqueeze(1) if alone else log_probs
    inputs = _lengths("input_lengths", input_lengths, scores.array.shape[1], scores.array.shape[0])
    lengths = _lengths("target_lengths", target_lengths, scores.array.shape[1], None)
    _check_labels(targets.array.shape, lengths, blank, scores.array.shape[2])
    losses = F.ctc_loss(scores, _padded_targets(targets.array, lengths), inputs, lengths, blank=blank)
    impossible = losses.array > LARGEST
    if impossible.any():
        losses = F.where(wrap(impossible), 0.0 if zero_infinity else math.inf, losses)
    if reduction == "mean":
        return F.mean(losses / wrap(np.maximum(lengths, 1).astype(losses.array.dtype)))
    found = reduced(losses, reduction)
    return found.squeeze(0) if alone and reduction == "none" else found


def _lengths(name: str, given: Any, batch: int, most: int | None) -> Any:
    """The lengths of a batch, none of them negative or above ``most``."""
    lengths = np.asarray(given.array if isinstance(given, Tensor) else given).reshape(-1)
    if lengths.size and lengths.dtype.kind not in "iu":
        raise Refusal(f"{name} must be integral")
    if lengths.size != batch:
        raise ShapeError(f"{name} must be of size batch_size")
    bounds = [(lengths < 0, "least 0")] + ([] if most is None else [(lengths > most, f"most {most}")])
    for wrong, bound in bounds:
        if wrong.any():
            raise Refusal(f"Expected {name} to have value at {bound}, but got value {lengths[wrong][0]} "
                          "(while checking arguments for ctc_loss_allocate_outputs)")  # fmt: skip
    return lengths.astype(np.int64)


def _check_labels(shape: tuple[int, ...], lengths: Any, blank: int, classes: int) -> None:
    if not 0 <= blank < classes:
        raise Refusal("blank must be in label range")
    where = "for argument #2 'targets' (while checking arguments for ctc_loss_allocate_outputs)"
    if len(shape) == 1 and lengths.size > 1 and shape[0] != lengths.sum():
        raise ShapeError(f"Expected tensor to have size {lengths.sum()} at dimension 0, but got size {shape[0]} {where}")
    if len(shape) == 2 and shape[1] < lengths.max(initial=0):
        raise ShapeError(f"Expected tensor to have size at least {lengths.max()} at dimension 1, but got size {shape[1]} "
                         f"{where}")  # fmt: skip


LARGEST: Final = 1e29  # a loss above this is one of an impossible target


def _padded_targets(targets: Any, lengths: Any) -> Any:
    """Targets as (batch, longest), what is behind the end of each being 0."""
    longest = int(lengths.max(initial=0))
    out = np.zeros((lengths.size, longest), np.int64)
    rows = targets.reshape(-1) if targets.ndim == 1 else None
    start = 0
    for k, n in enumerate(lengths):
        out[k, :n] = targets[k, :n] if rows is None else rows[start : start + n]
        start += n
    return out
