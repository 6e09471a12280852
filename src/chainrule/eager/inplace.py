"""Writing in place, and finding out whether a saved value was overwritten.

A write is logged under the array that owns the memory, with the number the next node would get: whatever a node
with a smaller number saved of that memory is stale. Recording pays nothing for this.
"""

from __future__ import annotations

import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np

from chainrule.core.rules import next_seq
from chainrule.core.sweep import Node
from chainrule.eager import modes
from chainrule.eager.tensor import Tensor
from chainrule.errors import GraphError, ShapeError, shape_text

KEPT: Final = 64  # writes remembered one by one, for the message


class Writes:
    """The writes to one block of memory."""

    __slots__ = ("count", "owner", "seqs")

    def __init__(self, owner: weakref.ref[np.ndarray]) -> None:
        self.owner = owner
        self.count = 0
        self.seqs: deque[int] = deque(maxlen=KEPT)


_log: Final[dict[int, Writes]] = {}
_lock: Final = threading.Lock()
last_write = 0


def owner_of(array: Any) -> Any:
    """The array whose memory ``array`` is a view of."""
    while type(array.base) is np.ndarray:
        array = array.base
    return array


def log_write(tensor: Tensor) -> None:
    """Note that the memory of ``tensor`` has been written to (writes through ``.data`` are not noted)."""
    global last_write
    if tensor.version is not None:
        return
    owner = owner_of(tensor.array)
    key = id(owner)
    with _lock:
        writes = _log.get(key)
        if writes is None:
            writes = _log[key] = Writes(weakref.ref(owner, lambda _: _log.pop(key, None)))
        last_write = next_seq()
        writes.count += 1
        writes.seqs.append(last_write)


def version_of(tensor: Tensor) -> int:
    """How often the memory of ``tensor`` has been written to."""
    if tensor.lane.inference:
        raise RuntimeError("Inference tensors do not track version counter.")
    writes = _log.get(id(owner_of(tensor.array)))
    return 0 if writes is None or tensor.version is not None else writes.count


def saved_arrays(node: Node) -> Iterator[np.ndarray]:
    """The arrays that a node has saved."""
    for value in (*node.form.saved(node), *(node.out if isinstance(node.out, tuple) else (node.out,))):
        if type(value) is np.ndarray:
            yield value


def check_saved(node: Node) -> None:
    """Raise GraphError if a value that ``node`` saved has been overwritten since."""
    for array in saved_arrays(node):
        writes = _log.get(id(owner_of(array)))
        if writes is not None and writes.seqs[-1] > node.seq:
            later = sum(seq > node.seq for seq in writes.seqs)
            is_out = array is node.out
            origin = f", which is output 0 of {node.name()}" if is_out else ""
            raise GraphError(
                "one of the variables needed for gradient computation has been modified by an inplace operation: "
                f"[{type_name(array)} {shape_text(array.shape)}]{origin}, is at version {writes.count}; expected version "
                f"{writes.count - later} instead. {node.name()} saved it. Hint: write y = y + 1 instead of y += 1, or "
                "clone() the value before changing it."
            )


def type_name(array: np.ndarray) -> str:
    """torch's old name of a tensor type: ``torch.FloatTensor``."""
    names = {"float32": "Float", "float64": "Double", "float16": "Half", "bfloat16": "BFloat16", "int64": "Long",
             "int32": "Int", "int16": "Short", "int8": "Char", "uint8": "Byte", "bool": "Bool",
             "complex64": "ComplexFloat", "complex128": "ComplexDouble"}  # fmt: skip
    return f"torch.{names.get(array.dtype.name, array.dtype.name)}Tensor"


def refuse_leaf(t: Tensor) -> None:
    """Raise if writing to ``t`` now would lose its history."""
    if not modes.is_grad_enabled():
        return
    if t.leaf:
        raise RuntimeError("a leaf Variable that requires grad is being used in an in-place operation.")
    if t.base is not None and t.base.leaf:
        raise RuntimeError("a view of a leaf Variable that requires grad is being used in an in-place operation.")


def adopt(t: Tensor, result: Tensor) -> Tensor:
    """Store ``result`` in the memory of ``t`` and let its history be that of t; returns t."""
    refuse_leaf(t)
    if t.lane.inference is False and result.lane.inference and not modes.is_inference_mode_enabled():
        raise RuntimeError("Inplace update to inference tensor outside InferenceMode is not allowed.")
    if result.array.shape != t.array.shape:
        try:
            shape = np.broadcast_shapes(t.array.shape, result.array.shape)
        except ValueError:
            shape = result.array.shape
        if shape != t.array.shape:
            raise ShapeError(f"output with shape {shape_text(t.array.shape)} doesn't match the broadcast shape "
                             f"{shape_text(shape)}")  # fmt: skip
    if result.dtype.category > t.dtype.category:
        raise RuntimeError(f"result type {result.dtype.name} can't be cast to the desired output type {t.dtype.name}")
    result = result.cast(t.dtype)
    recorded = result.node is not None or t.node is not None
    if recorded and modes.is_grad_enabled() and t.base is not None and t.base.requires_grad:
        raise NotImplementedError(
            "writing in place to a view of a recorded tensor is not there yet: write to the whole tensor, "
            "or build the new one with chainrule.where or chainrule.cat"
        )
    t.array[...] = result.array
    log_write(t)
    if modes.is_grad_enabled():
        t.node = result.node
    return t


def ufunc_inplace(ufunc: np.ufunc, compute: Callable[[Any, Any], Any]) -> Callable[[Tensor, Any], Tensor]:
    """The in-place form of a binary ufunc; without recording it writes straight into the memory."""

    def method(self: Tensor, other: Any) -> Tensor:
        if modes.is_grad_enabled():
            return adopt(self, compute(self, other))
        y = other.array if isinstance(other, Tensor) else other
        plain = self.lane.plain and (type(y) is float or getattr(y, "dtype", None) == self.array.dtype)
        if not plain or getattr(y, "ndim", 0) > self.array.ndim:
            return adopt(self, compute(self, other))
        try:
            ufunc(self.array, y, out=self.array)
        except RuntimeWarning:  # raised after the last element, where warnings are errors
            log_write(self)
            return self
        except ValueError:
            return adopt(self, compute(self, other))
        log_write(self)
        return self

    return method
