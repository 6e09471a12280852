"""Layers as functions: linear maps, embeddings, dropout, normalisation, padding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from chainrule.core import spec
from chainrule.core.box import dispatch
from chainrule.core.primitive import TABLE
from chainrule.eager import inplace as writing
from chainrule.eager import modes, random, sampling
from chainrule.eager.functions import products
from chainrule.eager.generator import default_generator
from chainrule.eager.notice import notice
from chainrule.eager.refusing import refuse_derivative
from chainrule.eager.specialise import F
from chainrule.eager.tensor import Tensor, wrap
from chainrule.eager.writes import about_to_write, log_write
from chainrule.errors import Refusal, ShapeError, not_a_tensor, shape_text, type_name
from chainrule.ops import shaping

# Linear maps


def linear(input: Any, weight: Any, bias: Any = None) -> Any:
    """``input @ weight.T + bias``."""
    if not isinstance(input, Tensor):
        raise not_a_tensor("linear", "input", 1, input)
    if bias is not None and input.ndim == weight.ndim == 2:
        return F.addmm(bias, input, F.t(weight))
    out = products.matmul(input, F.t(weight))
    return out if bias is None else F.add(out, bias)


def bilinear(input1: Any, input2: Any, weight: Any, bias: Any = None) -> Any:
    """``out[o] = input1 @ weight[o] @ input2 + bias[o]`` along the last axes."""
    if input1.array.shape[:-1] != input2.array.shape[:-1]:
        raise ShapeError(f"bilinear(): input batch dimensions do not match: got {shape_text(input1.array.shape[:-1])} and "
                         f"{shape_text(input2.array.shape[:-1])}")  # fmt: skip
    (outputs, n, m), batch = weight.array.shape, input1.array.shape[:-1]
    out = F.einsum(input1.reshape(-1, n), weight, input2.reshape(-1, m), subscripts="bi,oij,bj->bo").reshape(*batch, outputs)
    return out if bias is None else out + bias


def embedding(input: Any, weight: Any, padding_idx: int | None = None, max_norm: float | None = None,
              norm_type: float = 2.0, scale_grad_by_freq: bool = False, sparse: bool = False) -> Any:  # fmt: skip
    """The rows ``input`` of ``weight``; row ``padding_idx`` gets no gradient, rows longer than ``max_norm`` are cut first."""
    if not isinstance(input, Tensor):
        raise not_a_tensor("embedding", "indices", 2, input)
    if input.dtype not in (spec.int64, spec.int32):
        raise Refusal(
            "Expected tensor for argument #1 'indices' to have one of the following scalar types: Long, Int; but got "
            f"torch.{type_name(input.dtype)}Tensor instead (while checking arguments for embedding)"
        )
    if sparse:
        raise NotImplementedError("embedding(sparse=True): chainrule has no sparse tensors; leave it out")
    rows, numbers = weight.array.shape[0], input.array
    if padding_idx is not None and not -rows <= padding_idx < rows:
        raise AssertionError("Padding_idx must be within num_embeddings")
    if numbers.size and (numbers.min() < 0 or numbers.max() >= rows):
        raise IndexError("index out of range in self")
    if max_norm is not None:
        _shorten(weight, np.unique(numbers), max_norm, norm_type)
    place = -1 if padding_idx is None else padding_idx % rows
    return F.embedding(weight, input, padding_idx=place, by_frequency=scale_grad_by_freq)


def _shorten(weight: Any, rows: Any, longest: float, order: float) -> None:
    """Scale these rows of ``weight`` down to the length ``longest``, in place."""
    lengths = np.linalg.norm(weight.array[rows], order, axis=-1)
    long = lengths > longest
    if long.any():
        about_to_write(weight)
        weight.array[rows[long]] *= (longest / (lengths[long] + 1e-7))[:, None].astype(weight.array.dtype)
        log_write(weight)


# Dropout


def dropout(input: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
    """Each element 0 with probability ``p``, else over ``1 - p``; as it is unless ``training``."""
    return _dropped(input, p, training, inplace, input.array.shape)


def _per_channel(d: int) -> Any:
    name = f"dropout{d}d"

    def function(input: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
        n = input.ndim
        if n not in (d + 1, d + 2):
            _unexpected_axes(name, d, n)
        if (d, n) == (2, 3):
            notice(AS_1D)
        lead = 1 if n == d + 1 and d != 2 else 2  # the axes up to the channels
        shape = input.array.shape
        return _dropped(input, p, training, inplace, shape[:lead] + (1,) * (n - lead))

    function.__name__ = function.__qualname__ = name
    function.__doc__ = "`dropout` of whole channels."
    return function


AS_1D: Final = (
    "dropout2d: Received a 3D input to dropout2d and assuming that channel-wise 1D dropout behavior is desired - input is "
    "interpreted as shape (N, C, L), where C is the channel dim. This behavior will change in a future release to interpret "
    "the input as one without a batch dimension, i.e. shape (C, H, W). To maintain the 1D channel-wise dropout behavior, "
    "please switch to using dropout1d instead."
)


def _unexpected_axes(name: str, d: int, n: int) -> None:
    """Say that an input of ``n`` axes has too few or too many: torch refuses it in one case and warns in the others."""
    spatial = f"{d} spatial dimension{'s' if d > 1 else ''}"
    purpose = (
        f"Note that {name} exists to provide channel-wise dropout on inputs with {spatial}, a channel dimension, and an "
        f"optional batch dimension (i.e. {d + 1}D or {d + 2}D inputs)."
    )
    if d == 1:
        raise Refusal(f"{name}: Expected 2D or 3D input, but received a {n}D input. {purpose}")
    notice(
        f"{name}: Received a {n}-D input to {name}, which is deprecated and will result in an error in a future release. To "
        f"retain the behavior and silence this warning, please use dropout instead. {purpose}"
    )


dropout1d, dropout2d, dropout3d = map(_per_channel, (1, 2, 3))


def _dropped(input: Any, p: float, training: bool, inplace: bool, shape: tuple[int, ...]) -> Any:
    if not 0 <= p <= 1:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
    if not training or p == 0 or not input.array.size:
        return input
    if not input.dtype.differentiable:
        raise RuntimeError(f"result type Float can't be cast to the desired output type {type_name(input.dtype)}")
    if p == 1:
        noise = wrap(np.zeros((), input.array.dtype))
    else:
        noise = random.drawn(shape, input.dtype, lambda n: sampling.bernoulli(default_generator, n, 1 - p) / (1 - p))
    return writing.adopt(input, input * noise) if inplace else input * noise


ALPHA = 1.7580993408473766  # selu's value far to the left, negated


def alpha_dropout(input: Any, p: float = 0.5, training: bool = False, inplace: bool = False) -> Any:
    """`dropout` to selu's lowest value instead of 0, scaled and shifted so that mean and variance stay."""
    if not 0 <= p <= 1:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
    if not training or p == 0 or not input.array.size:
        return input
    return _alpha_dropped(input, p, inplace, input.array.shape)


def feature_alpha_dropout(input: Any, p: float = 0.5, training: bool = False, inplace: bool = False) -> Any:
    """`alpha_dropout` of whole channels."""
    if not 0 <= p <= 1:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
    if not training or p == 0 or not input.array.size:
        return input
    if input.ndim < 2:
        raise Refusal("Feature dropout requires at least 2 dimensions in the input")
    return _alpha_dropped(input, p, inplace, (*input.array.shape[:2], *(1,) * (input.ndim - 2)))


def _alpha_dropped(input: Any, p: float, inplace: bool, shape: tuple[int, ...]) -> Any:
    if p == 1:
        return writing.adopt(input, input * 0) if inplace else input * 0
    kept = random.drawn(shape, input.dtype, lambda n: sampling.bernoulli(default_generator, n, 1 - p))
    scale = 1 / ((ALPHA**2 * p + 1) * (1 - p)) ** 0.5
    with modes.no_grad():
        noise, shift = kept * scale, (kept - 1) * (ALPHA * scale) + ALPHA * scale * p
    out = input * noise + shift
    return writing.adopt(input, out) if inplace else out


# Normalisation


def layer_norm(input: Any, normalized_shape: Sequence[int], weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Any:
    """``(input - mean) / sqrt(variance + eps) weight + bias``, mean and variance being over the last axes."""
    wanted = tuple(normalized_shape)
    if not wanted:
        raise Refusal(
            "Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one element, but got "
            "normalized_shape = []"
        )
    if input.array.shape[-len(wanted) :] != wanted:
        axes = ", ".join(["*", *map(str, wanted)])
        raise ShapeError(f"Given normalized_shape={shape_text(wanted)}, expected input with shape [{axes}], but got input of "
                         f"size{shape_text(input.array.shape)}")  # fmt: skip
    for name, given in (("weight", weight), ("bias", bias)):
        if given is not None and given.array.shape != wanted:
            raise ShapeError(f"Expected {name} to be of same shape as normalized_shape, but got {name} of shape "
                             f"{shape_text(given.array.shape)} and normalized_shape = {shape_text(wanted)}")  # fmt: skip
    return _in_dtype_of(input, F.layer_norm(input, weight, bias, dims=len(wanted), eps=eps))


def _in_dtype_of(input: Any, out: Any) -> Any:
    """The result of normalising: half precision stays where weights or statistics have more."""
    return out if out.dtype is input.dtype else out.cast(input.dtype)


def group_norm(input: Any, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Any:
    """``(input - mean) / sqrt(variance + eps) weight + bias``, mean and variance being over the channels of each group."""
    shape = input.array.shape
    if len(shape) < 2:
        raise Refusal(f"Expected at least 2 dimensions for input tensor but received {len(shape)}")
    channels = shape[1]
    if num_groups <= 0 or channels % num_groups:
        raise Refusal(f"Expected number of channels in input to be divisible by num_groups, but got input of shape "
                      f"{shape_text(shape)} and num_groups={num_groups}")  # fmt: skip
    for name, given in (("weight", weight), ("bias", bias)):
        if given is not None and given.array.shape != (channels,):
            raise ShapeError(
                f"Expected {name} to be a vector of size equal to the number of channels in input, but got {name} of shape "
                f"{shape_text(given.array.shape)} and input of shape {shape_text(shape)}"
            )
    return _in_dtype_of(input, F.group_norm(input, weight, bias, groups=num_groups, eps=eps))


def batch_norm(input: Any, running_mean: Any, running_var: Any, weight: Any = None, bias: Any = None,
               training: bool = False, momentum: float = 0.1, eps: float = 1e-5) -> Any:  # fmt: skip
    """``(input - mean) / sqrt(variance + eps) weight + bias`` for each channel (axis 1).

    While ``training`` mean and variance are those of the batch, and the running ones move towards them by ``momentum``.
    """
    x = input.array
    named = {"running_mean": running_mean, "running_var": running_var, "weight": weight, "bias": bias}
    for name, given in named.items():
        if given is not None and given.array.size != x.shape[1]:
            raise ShapeError(f"{name} should contain {x.shape[1]} elements not {given.array.size}")
    if training:
        if x.size // (x.shape[1] or 1) <= 1:
            raise ValueError(f"Expected more than 1 value per channel when training, got input size {input.shape}")
        out = _in_dtype_of(input, F.batch_norm(input, weight, bias, None, eps=eps))
        track = _track_samples if any(t is not None and t.level for t in (input, running_mean, running_var)) else _track
        track(input, running_mean, running_var, momentum)
        return out
    if running_mean is None or running_var is None:
        raise Refusal("Expected running_mean and running_var to be defined when training=False")
    refuse_derivative("native_batch_norm", running_mean=running_mean, running_var=running_var)
    statistics = F.stack(running_mean.detach(), running_var.detach(), axis=0)
    return _in_dtype_of(input, F.batch_norm(input, weight, bias, statistics, eps=eps))


def _track_samples(input: Any, running_mean: Any, running_var: Any, momentum: float) -> None:
    """`_track` within `vmap`, where each sample is a batch."""
    axes = (0, *range(2, input.ndim))
    with modes.no_grad():
        x = input.detach()
        for running, now in ((running_mean, x.mean(axes)), (running_var, x.var(axes, correction=1))):
            if running is not None:
                running.copy_(running * (1 - momentum) + now * momentum)


def _track(input: Any, running_mean: Any, running_var: Any, momentum: float) -> None:
    """Move the running statistics towards those of the batch (the variance divided by n - 1)."""
    x = input.array
    axes = (0, *range(2, x.ndim))
    for running, now in ((running_mean, x.mean(axes)), (running_var, x.var(axes, ddof=1))):
        if running is not None:
            about_to_write(running)
            running.array[...] = (1 - momentum) * running.array + momentum * now
            log_write(running)


# Padding


def pad(input: Any, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Any:
    """``input`` with ``pad`` = (before, after) of the last axis, then of the one before it, and so on."""
    if len(pad) % 2:
        raise Refusal("Padding length must be divisible by 2")
    if len(pad) > 2 * input.ndim:
        raise Refusal("Padding length should be less than or equal to two times the input dimension but got padding length "
                      f"{len(pad)} and input of dimension {input.ndim}")  # fmt: skip
    pairs = [(pad[k], pad[k + 1]) for k in range(0, len(pad), 2)]
    width = ((0, 0),) * (input.ndim - len(pairs)) + tuple(reversed(pairs))
    if any(n < 0 for n in pad):  # negative padding cuts off
        ends = zip(width, input.array.shape, strict=True)
        input = input[tuple(slice(max(-before, 0), n - max(-after, 0)) for (before, after), n in ends)]
        width = tuple((max(before, 0), max(after, 0)) for before, after in width)
    if mode != "constant":
        return _padded_from_within(input, pad, width, mode)
    return dispatch(TABLE[shaping.pad], (input,), {"width": width, "value": value or 0})


PLACES = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}


UNSUPPORTED_PADDING: Final = """\
Padding size {} is not supported for {}D input tensor.
Supported combinations for non-constant padding:
  - 2D or 3D input: padding size = 2 (pads last dimension)
  - 3D or 4D input: padding size = 4 (pads last 2 dimensions)
  - 4D or 5D input: padding size = 6 (pads last 3 dimensions)"""


def _padded_from_within(input: Any, pads: Sequence[int], width: tuple[tuple[int, int], ...], mode: str) -> Any:
    """``input`` continued by its own elements along each axis."""
    if mode not in PLACES:
        raise NotImplementedError(f"Unrecognised padding mode {mode}")
    if input.ndim not in (len(pads) // 2 + 1, len(pads) // 2 + 2):
        raise NotImplementedError(UNSUPPORTED_PADDING.format(len(pads), input.ndim))
    for axis, (before, after) in enumerate(width):
        if before or after:
            n = input.array.shape[axis]
            if mode == "reflect" and max(before, after) >= n:
                raise Refusal(
                    "Argument #4: Padding size should be less than the corresponding input dimension, but got: padding "
                    f"({before}, {after}) at dimension {axis} of input {shape_text(input.array.shape)}"
                )
            places: Any = np.pad(np.arange(n), (before, after), mode=PLACES[mode])  # type: ignore[call-overload]
            input = F.take(input, places, axis)
    return input if any(pads) else F.copy(input)
