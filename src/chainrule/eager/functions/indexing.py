"""Indexing, and assignment by index."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.core.box import Box, dispatch
from chainrule.core.primitive import TABLE
from chainrule.eager import modes
from chainrule.eager.functions.axes import axis_of
from chainrule.eager.inplace import adopt, log_write
from chainrule.eager.specialise import F
from chainrule.eager.tensor import Tensor
from chainrule.errors import ShapeError
from chainrule.ops import indexing


def getitem(input: Any, key: Any) -> Any:
    """``input[key]``."""
    kind = type(key)
    if kind is int or kind is slice:
        return F.getitem(input, key)
    basic, arrays = indexing.split_key(normal_key(key))
    if not arrays:
        return F.getitem(input, basic)
    return F.take_items(input, *arrays, key=basic)


def normal_key(key: Any) -> Any:
    """A key in NumPy's terms: index tensors as arrays (a single whole number as that number), lists as arrays."""
    if isinstance(key, tuple):
        return tuple(_normal_part(part) for part in key)
    return _normal_part(key)


def _normal_part(part: Any) -> Any:
    if isinstance(part, Tensor):
        if part.array.ndim == 0 and part.array.dtype.kind in "iu":
            return int(part.array)
        if part.dtype.differentiable:
            raise IndexError("tensors used as indices must be long, int, byte or bool tensors")
        return part.array
    if isinstance(part, (list, range)):
        return np.asarray(
            [p.item() if isinstance(p, Tensor) else p for p in part], dtype=None if len(part) else np.int64
        )
    return part


def setitem(input: Any, key: Any, value: Any) -> None:
    """``input[key] = value``, the gradient flowing to what was kept and to ``value``."""
    static, arrays = indexing.split_key(normal_key(key))
    recording = modes.is_grad_enabled() and (input.requires_grad or getattr(value, "requires_grad", False))
    if not recording:
        raw = value.array if isinstance(value, Tensor) else value
        try:
            input.array[indexing.filled(static, tuple(arrays))] = raw
        except (ValueError, IndexError) as fault:
            kind = IndexError if isinstance(fault, IndexError) else ShapeError
            raise kind(f"setitem(): {fault}") from None
        log_write(input)
        return
    if not isinstance(value, Box):
        value = np.asarray(value, input.lane.numpy)
    adopt(input, dispatch(TABLE[indexing.setitem], (input, value, *arrays), {"key": static}))


def gather(input: Any, dim: int, index: Any) -> Any:
    """``out[i, j] = input[index[i, j], j]`` for dim 0, and so on."""
    return F.gather(input, index, axis=axis_of(dim, input.ndim))


def scatter(input: Any, dim: int, index: Any, src: Any) -> Any:
    """A copy of ``input`` with ``src`` stored at ``index`` along ``dim``."""
    return F.scatter(input, index, src, axis=axis_of(dim, input.ndim))


def scatter_add(input: Any, dim: int, index: Any, src: Any) -> Any:
    """A copy of ``input`` with ``src`` added at ``index`` along ``dim``."""
    return F.scatter_add(input, index, src, axis=axis_of(dim, input.ndim))


def index_add(input: Any, dim: int, index: Any, source: Any, *, alpha: float = 1) -> Any:
    """A copy of ``input`` with ``alpha source`` added to its slices ``index`` along ``dim``."""
    return F.index_add(input, index, source, axis=axis_of(dim, input.ndim), alpha=alpha)


def index_select(input: Any, dim: int, index: Any) -> Any:
    """The slices number ``index`` along ``dim``."""
    return F.take(input, index, axis_of(dim, input.ndim))


def take(input: Any, index: Any) -> Any:
    """The elements number ``index`` of the flattened tensor."""
    return F.take(input, index, None)


def take_along_dim(input: Any, indices: Any, dim: int | None = None) -> Any:
    """`gather` along ``dim``."""
    return indexing.take_along_axis(input, indices, dim)


def masked_select(input: Any, mask: Any) -> Any:
    """The elements where ``mask``."""
    return getitem(input, mask)


def narrow(input: Any, dim: int, start: int, length: int) -> Any:
    """The slices from ``start``, ``length`` of them, along ``dim``."""
    return getitem(input, (slice(None),) * axis_of(dim, input.ndim) + (slice(start, start + length),))


def select(input: Any, dim: int, index: int) -> Any:
    """The slice number ``index`` along ``dim``."""
    return getitem(input, (slice(None),) * axis_of(dim, input.ndim) + (index,))
