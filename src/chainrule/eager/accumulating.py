"""Where gradients are kept: ``.grad`` of a leaf, or of a tensor that asked to retain it."""

from __future__ import annotations

import sys
import threading
from typing import Any, Final

import numpy as np

from chainrule.eager.specialise import F
from chainrule.eager.tensor import Tensor, leaf, wrap
from chainrule.eager.writes import log_write
from chainrule.errors import ShapeError, shape_text


def _references() -> tuple[int, int]:
    """How often an array counts as held by a local variable only, and by a tensor and a local variable."""
    holder = object.__new__(Tensor)
    array = np.empty(1)
    local = sys.getrefcount(array)
    holder.array = array
    return local, sys.getrefcount(array)


LOCAL, SLOT = _references()


def owned(arrays: dict[Any, Any], key: Any) -> Any:
    """Take a cotangent out of ``arrays`` as an array that nobody else holds."""
    g = arrays.pop(key)
    if type(g) is np.ndarray and g.base is None and sys.getrefcount(g) <= LOCAL:
        return g
    return g if isinstance(g, Tensor) else np.array(g, order="C")


def laid_out_as(array: np.ndarray, g: np.ndarray) -> np.ndarray:
    """``g`` with its elements in the order of ``array``, as far as that has no gaps."""
    out = np.empty_like(array)
    out[...] = g
    return out


def add_to(grad: Tensor, g: Any) -> Tensor:
    """``grad + g``: in place, unless the sum is to be differentiated, or nobody may write there."""
    array = grad.array
    if isinstance(g, Tensor) or not array.flags.writeable:
        total: Tensor = grad + g
        return total
    if grad.requires_grad or sys.getrefcount(array) > SLOT:  # someone else, perhaps a node, knows this memory
        log_write(grad)
    try:
        np.add(array, g, array)
    except ValueError:
        raise ShapeError(
            f"the gradient of shape {shape_text(g.shape)} does not fit .grad of shape {shape_text(array.shape)}: the tensor "
            "has got memory of another shape since. Set its .grad to None."
        ) from None
    return grad


lock: Final = threading.RLock()  # held while gradients are stored: threads may add to the same one


def store(tensor: Tensor, cotangents: dict[Tensor, Any]) -> None:
    """Add the cotangent of ``tensor`` to its ``.grad``: the first becomes an array of its own. The `lock` is held."""
    before = tensor._grad
    if before is not None:
        tensor._grad = add_to(before, cotangents[tensor])
    else:
        g = owned(cotangents, tensor)
        if not tensor.array.flags.c_contiguous and not isinstance(g, Tensor):
            g = laid_out_as(tensor.array, g)
        tensor._grad = F.overwrite(wrap(g.array), g) if isinstance(g, Tensor) else leaf(g, tensor.lane)
