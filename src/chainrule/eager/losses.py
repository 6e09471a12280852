"""torch's losses and the functions of ``nn.functional`` that need more than a primitive."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chainrule.core import spec
from chainrule.core.box import dispatch
from chainrule.core.primitive import TABLE
from chainrule.eager.functions import products, reductions
from chainrule.eager.notice import notice
from chainrule.eager.specialise import F
from chainrule.errors import Refusal, ShapeError, shape_text, type_name
from chainrule.ops import shaping


def _reduced(losses: Any, reduction: str) -> Any:
    if reduction == "none":
        return losses
    if reduction == "sum":
        return F.sum(losses)
    if reduction == "mean":
        return F.mean(losses)
    raise _bad_reduction(reduction)


def _bad_reduction(reduction: Any) -> ValueError:
    return ValueError(f"{reduction} is not a valid value for reduction")


def _check_reduction(reduction: Any) -> None:
    if reduction not in ("mean", "sum", "none"):
        raise _bad_reduction(reduction)


def _broadcasting(input: Any, target: Any) -> None:
    """Warn that a loss of two sizes is rarely meant."""
    if input.array.shape != target.array.shape:
        notice(
            f"Using a target size ({target.shape}) that is different to the input size ({input.shape}). This will likely "
            "lead to incorrect results due to broadcasting. Please ensure they have the same size."
        )


def mse_loss(input: Any, target: Any, *, reduction: str = "mean") -> Any:
    """The mean of ``(input - target)**2``."""
    _broadcasting(input, target)
    _check_reduction(reduction)
    return F.mse_loss(input, target, reduction)


def l1_loss(input: Any, target: Any, *, reduction: str = "mean") -> Any:
    """The mean of ``|input - target|``."""
    _broadcasting(input, target)
    _check_reduction(reduction)
    return _reduced(F.absolute(F.subtract(input, target)), reduction)


def nll_loss(input: Any, target: Any, weight: Any = None, *, ignore_index: int = -100, reduction: str = "mean") -> Any:
    """``-weight[target] input[target]`` for log-probabilities, averaged by the weights."""
    _check_reduction(reduction)
    _check_classes(input, target)
    return F.nll_loss(input, target, weight, reduction=reduction, ignore_index=ignore_index)


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


def cross_entropy(input: Any, target: Any, weight: Any = None, *, ignore_index: int = -100, reduction: str = "mean",
                  label_smoothing: float = 0.0) -> Any:  # fmt: skip
    """`nll_loss` of `log_softmax`, for class numbers; for class probabilities ``-sum(target log_softmax(input))``."""
    _check_reduction(reduction)
    axis = 0 if input.ndim == 1 else 1
    logs = F.log_softmax(input, axis)
    if input.array.shape != target.array.shape:
        loss = nll_loss(logs, target, weight, ignore_index=ignore_index, reduction=reduction)
        if not label_smoothing:
            return loss
        if weight is not None:
            raise NotImplementedError("cross_entropy with both weight and label_smoothing is not there yet")
        keep = (target != ignore_index).to(input.dtype)
        smooth = -F.sum(logs, axis) * keep / input.array.shape[axis]
        flat = smooth if reduction == "none" else smooth.sum() / (keep.sum() if reduction == "mean" else 1)
        return (1 - label_smoothing) * loss + label_smoothing * flat
    if not target.dtype.is_floating_point:
        raise Refusal(f"Expected floating point type for target with class probabilities, got {type_name(target.dtype)}")
    if label_smoothing:
        target = target * (1 - label_smoothing) + label_smoothing / input.array.shape[axis]
    if weight is not None:
        logs = logs * weight.reshape((-1,) + (1,) * (input.ndim - axis - 1))
    losses = -F.sum(logs * target, axis)
    return losses.sum() / (losses.numel() or 1) if reduction == "mean" else _reduced(losses, reduction)


def binary_cross_entropy(input: Any, target: Any, weight: Any = None, *, reduction: str = "mean") -> Any:
    """``-weight (target log(input) + (1 - target) log(1 - input))``, averaged."""
    _check_reduction(reduction)
    if input.array.shape != target.array.shape:
        raise ShapeError(
            f"Using a target size ({target.shape}) that is different to the input size ({input.shape}) is deprecated. "
            "Please ensure they have the same size."
        )
    return F.binary_cross_entropy(input, target, weight, reduction=reduction)


def binary_cross_entropy_with_logits(input: Any, target: Any, weight: Any = None, *, reduction: str = "mean",
                                     pos_weight: Any = None) -> Any:  # fmt: skip
    """`binary_cross_entropy` of ``sigmoid(input)``, without overflow."""
    _check_reduction(reduction)
    if input.array.shape != target.array.shape:
        raise ShapeError(f"Target size ({target.shape}) must be the same as input size ({input.shape})")
    return F.binary_cross_entropy_with_logits(input, target, weight, pos_weight, reduction=reduction)


def softmax(input: Any, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Any:
    """``exp(input) / sum(exp(input))`` along ``dim``."""
    return reductions.softmax(input, _implicit_dim("softmax", input) if dim is None else dim, dtype)


def log_softmax(input: Any, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Any:
    """The logarithm of `softmax`, without overflow."""
    return reductions.log_softmax(input, _implicit_dim("log_softmax", input) if dim is None else dim, dtype)


def _implicit_dim(name: str, input: Any) -> int:
    notice(f"Implicit dimension choice for {name} has been deprecated. Change the call to include dim=X as an argument.")
    return 0 if input.ndim in (0, 1, 3) else 1


def linear(input: Any, weight: Any, bias: Any = None) -> Any:
    """``input @ weight.T + bias``."""
    if bias is not None and input.ndim == weight.ndim == 2:
        return F.addmm(bias, input, F.t(weight))
    out = products.matmul(input, F.t(weight))
    return out if bias is None else F.add(out, bias)


def pad(input: Any, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Any:
    """``input`` with ``pad`` = (before, after) of the last axis, then of the one before it, and so on."""
    if mode != "constant":
        raise NotImplementedError(f"pad with mode={mode!r} is not there yet; 'constant' is")
    pairs = [(pad[k], pad[k + 1]) for k in range(0, len(pad), 2)]
    width = ((0, 0),) * (input.ndim - len(pairs)) + tuple(reversed(pairs))
    return dispatch(TABLE[shaping.pad], (input,), {"width": width, "value": value or 0})
