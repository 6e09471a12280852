"""Lengths and angles of vectors along an axis."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.core import spec
from chainrule.eager.functions.axes import axis_of
from chainrule.eager.functions.reductions import norm
from chainrule.eager.functions.shapes import broadcast_to, expand_as
from chainrule.eager.specialise import F
from chainrule.eager.tensor import wrap
from chainrule.errors import Refusal


def pairwise_distance(x1: Any, x2: Any, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Any:
    """The p-norm of ``x1 - x2 + eps`` along the last axis."""
    return norm(x1 - x2 + eps, p, -1, keepdim)


def cosine_similarity(x1: Any, x2: Any, dim: int = 1, eps: float = 1e-8) -> Any:
    """``x1 x2 / (max(|x1|, eps) max(|x2|, eps))``, summed along ``dim``."""
    shape = np.broadcast_shapes(x1.array.shape, x2.array.shape)
    axis = axis_of(dim, len(shape))
    wide = (x if x.array.shape == shape else broadcast_to(x, shape) for x in (x1, x2))
    first, second = (x / F.clip(norm(x, 2, axis, True), eps, None) for x in wide)
    return F.sum(first * second, axis)


def normalize(input: Any, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Any:
    """``input`` over its p-norm along ``dim``, which counts as ``eps`` at least."""
    return input / expand_as(F.clip(norm(input, p, dim, True), eps, None), input)


def one_hot(tensor: Any, num_classes: int = -1) -> Any:
    """Zeros with a 1 at each class number, along a new last axis."""
    numbers = tensor.array
    if tensor.dtype is not spec.int64:
        raise Refusal("one_hot is only applicable to index tensor of type LongTensor.")
    if num_classes <= 0 and numbers.size == 0:
        raise Refusal("Can not infer total number of classes from empty tensor.")
    if numbers.size and numbers.min() < 0:
        raise Refusal("Class values must be non-negative.")
    classes = int(numbers.max()) + 1 if num_classes == -1 else num_classes
    if numbers.size and numbers.max() >= classes:
        raise Refusal("Class values must be smaller than num_classes.")
    return wrap((np.expand_dims(numbers, -1) == np.arange(classes)).astype(np.int64))
