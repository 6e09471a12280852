"""Writing in place, and finding out whether a saved value was overwritten.

A write is logged under the array that owns the memory, with the number the next node would get: whatever a node
with a smaller number saved of that memory is stale. Recording pays nothing for this.
"""

from __future__ import annotations

import re
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np

from chainrule.core.rules import next_seq
from chainrule.core.sweep import Node, Port
from chainrule.eager import modes
from chainrule.eager.modes import NO_GRAD
from chainrule.eager.tensor import Tensor
from chainrule.errors import GraphError, ShapeError, broadcast_error, shape_text, type_name

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
    array = tensor.array
    if array.base is not None:
        array = owner_of(array)
    writes = _log.get(id(array)) or first_write(array)
    with _lock:  # last_write never goes back
        last_write = seq = next_seq()
        writes.count += 1
        writes.seqs.append(seq)


def first_write(owner: np.ndarray) -> Writes:
    """A log for the memory of ``owner``, which ends with it."""
    key = id(owner)
    with _lock:
        return _log.setdefault(key, Writes(weakref.ref(owner, lambda _: _log.pop(key, None))))


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
            raise GraphError(
                "one of the variables needed for gradient computation has been modified by an inplace operation: "
                f"[torch.{type_name(array.dtype)}Tensor {shape_text(array.shape)}]{origin(node, array)} is at version "
                f"{writes.count}; expected version {writes.count - later} instead. Hint: {node.name()} saved this value for "
                "its derivative: "
                "write y = y + 1 instead of y += 1, or clone() the value before changing it."
            )


def origin(node: Node, array: np.ndarray) -> str:
    """Which operation made a value that ``node`` saved, in torch's words; nothing for a leaf or a constant."""
    if array is node.out:
        return f", which is output 0 of {operation(node)},"
    for saved, edge in zip(node.form.saved(node), node.form.edges(node), strict=True):
        if saved is array and type(edge) in (Node, Port):
            maker, k = (edge, 0) if type(edge) is Node else (edge.node, edge.index)
            return f", which is output {k} of {operation(maker)},"
    return ""


def operation(node: Node) -> str:
    """The name of a node without what says that it is a backward."""
    return re.sub(r"Backward\d*$", "", node.name())


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
    if t.lane.inference and not modes.is_inference_mode_enabled():
        raise RuntimeError(
            "Inplace update to inference tensor outside InferenceMode is not allowed.You can make a clone to get a normal "
            "tensor before doing inplace update.See https://github.com/pytorch/rfcs/pull/17 for more details."
        )
    if result.array.shape != t.array.shape:
        error = broadcast_error(t.array.shape, result.array.shape)
        if error is not None or np.broadcast_shapes(t.array.shape, result.array.shape) != t.array.shape:
            raise explained_broadcast(t.array.shape, result.array.shape)
    if result.dtype.category > t.dtype.category:
        raise RuntimeError(
            f"result type {type_name(result.dtype)} can't be cast to the desired output type {type_name(t.dtype)}"
        )
    result = result.cast(t.dtype)
    recorded = result.node is not None or t.node is not None
    if recorded and modes.is_grad_enabled() and t.base is not None and t.base.requires_grad:
        raise NotImplementedError(
            "writing in place to a view of a recorded tensor is not there yet: write to the whole tensor, "
            "or build the new one with chainrule.where or chainrule.cat"
        )
    if not t.array.flags.writeable:
        raise RuntimeError(
            "unsupported operation: more than one element of the written-to tensor refers to a single memory location. "
            "Please clone() the tensor before performing the operation."
        )
    if type(result.node) is Node:
        keep_original(result.node, t.array)
    t.array[...] = result.array
    log_write(t)
    if modes.is_grad_enabled():
        t.node = result.node
    return t


def keep_original(node: Node, array: np.ndarray) -> None:
    """Let ``node`` hold a copy of what it saved of ``array``, which is about to be overwritten by its own result."""
    if node.x is array:
        node.x = array.copy()
    elif isinstance(node.x, tuple):
        node.x = tuple(x.copy() if x is array else x for x in node.x)
    if node.y is array:
        node.y = node.x if node.edge_x is node.edge_y else array.copy()


def write(t: Tensor, ufunc: np.ufunc, y: Any) -> Tensor:
    """``ufunc(t, y)`` straight into the memory of ``t``; returns t."""
    try:
        ufunc(t.array, y, t.array)
    except RuntimeWarning:
        pass  # where warnings are errors it is raised after the last element was written
    except ValueError:
        raise explained_broadcast(t.array.shape, y.shape) from None
    log_write(t)
    return t


def explained_broadcast(have: tuple[int, ...], other: tuple[int, ...]) -> ShapeError:
    """The error for a result of another shape than that of the tensor it was to be stored in."""
    error = broadcast_error(have, other)
    if error is not None:
        return error
    shape = np.broadcast_shapes(have, other)
    return ShapeError(f"output with shape {shape_text(have)} doesn't match the broadcast shape {shape_text(shape)}")


def ufunc_inplace(ufunc: np.ufunc, compute: Callable[[Any, Any], Any]) -> Callable[[Tensor, Any], Any]:
    """The in-place form of a binary ufunc; without recording it writes straight into the memory."""

    def method(self: Tensor, other: Any) -> Any:
        if modes.state() is NO_GRAD and self.lane.plain:
            y = other.array if isinstance(other, Tensor) else other
            x = self.array
            if type(y) is float or (type(y) is np.ndarray and y.dtype == x.dtype and y.ndim <= x.ndim):
                return write(self, ufunc, y)
        result = compute(self, other)
        return result if result is NotImplemented else adopt(self, result)

    return method
