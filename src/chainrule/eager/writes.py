"""The log of writes in place, and finding out whether a saved value was overwritten.

A write is logged under the array that owns the memory, with the number the next node would get: whatever a node
with a smaller number saved of that memory is stale. Recording pays nothing for this.

In a function of arrays it is logged which part was written to, as well: ``Y[i + 1] = Y[i] + h * f(Y[i])`` leaves the rows
alone that f has saved. (torch's users are told that ``Y`` was written to, as by torch.)
"""

from __future__ import annotations

import bisect
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import numpy as np
from numpy.lib.array_utils import byte_bounds

from chainrule.core.rules import next_seq
from chainrule.core.sweep import Node, Port
from chainrule.eager import modes
from chainrule.eager.levels import differentiating
from chainrule.eager.tensor import Tensor
from chainrule.eager.views import operation_name
from chainrule.errors import GraphError, shape_text, type_name
from chainrule.ops.strided import owner_of

KEPT: Final = 64  # writes remembered one by one, for the message


class Writes:
    """The writes to one block of memory."""

    __slots__ = ("count", "lines", "owner", "parts", "seqs")

    def __init__(self, owner: weakref.ref[np.ndarray]) -> None:
        self.owner = owner
        self.count = 0
        self.parts: Parts | None = None  # where each write went, if that is known of all
        self.seqs: deque[int] = deque(maxlen=KEPT)
        self.lines: deque[str] = deque(maxlen=KEPT)  # of the writes in anomaly mode


class Memory:
    """Memory that is only compared with other memory: what an array of its kind says of itself."""

    __slots__ = ("__array_interface__",)

    def __init__(self, array: np.ndarray) -> None:
        self.__array_interface__ = array.__array_interface__


class Parts:
    """Where in a block of memory each write to it went."""

    def __init__(self) -> None:
        self.seqs: list[int] = []
        self.places: list[Memory] = []
        self.bounds: list[tuple[int, int]] = []
        self.table = np.empty((0, 2), np.intp)  # the same, as far as it was asked for

    def add(self, seq: int, part: np.ndarray) -> None:
        """One more write."""
        self.seqs.append(seq)
        self.places.append(Memory(part))
        self.bounds.append(byte_bounds(part))

    def hit(self, array: np.ndarray, start: int) -> bool:
        """Whether a write since ``start`` went to memory of ``array``."""
        if len(self.table) < len(self.bounds):
            self.table = np.array(self.bounds, np.intp)
        first = bisect.bisect_right(self.seqs, start)
        low, high = byte_bounds(array)
        starts, ends = self.table[first:].T
        near = np.flatnonzero((starts < high) & (ends > low))
        return any(np.shares_memory(array, np.asarray(self.places[first + int(k)])) for k in near)


_log: Final[dict[int, Writes]] = {}
_lock: Final = threading.Lock()
latest: Final = [0]  # the number of the last write
guards: Final[list[Callable[[Tensor], None]]] = []  # called with a tensor before it is written to


def log_write(tensor: Tensor, key: Any = None) -> None:
    """Note that the memory of ``tensor``, or of ``tensor[key]``, has been written to (writes through ``.data`` are not)."""
    if tensor.uncounted:
        return
    array = tensor.array
    if array.base is not None:
        array = owner_of(array)
    writes = _log.get(id(array)) or first_write(array)
    with _lock:  # the latest never goes back
        latest[0] = seq = next_seq()
        writes.count += 1
        writes.seqs.append(seq)
    if differentiating.get() or writes.parts is not None:
        log_part(writes, seq, tensor.array if key is None else part_of(tensor.array, key))
    mode = modes.state()
    if mode is not None and mode.anomaly is not None:
        writes.lines.append(mode.anomaly.line())


def part_of(array: np.ndarray, key: Any) -> np.ndarray:
    """What a key of slices and numbers names, as a view, of a single element too."""
    parts = key if isinstance(key, tuple) else (key,)
    return array[parts if any(part is Ellipsis for part in parts) else (*parts, ...)]


def log_part(writes: Writes, seq: int, part: np.ndarray) -> None:
    """Note where a write went, if it is known of those before."""
    if writes.parts is None and len(writes.seqs) == writes.count == 1:
        writes.parts = Parts()
    if writes.parts is not None:
        writes.parts.add(seq, part)


def about_to_write(tensor: Tensor) -> None:
    """Let those who keep copies of what is overwritten make theirs."""
    for guard in guards:
        guard(tensor)


def touch(tensor: Tensor) -> None:
    """Count a write that changed no value: nothing that was saved is stale for it."""
    if not tensor.uncounted:
        owner = owner_of(tensor.array)
        (_log.get(id(owner)) or first_write(owner)).count += 1


def first_write(owner: np.ndarray) -> Writes:
    """A log for the memory of ``owner``, which ends with it."""
    key = id(owner)
    with _lock:
        return _log.setdefault(key, Writes(weakref.ref(owner, lambda _: _log.pop(key, None))))


def carry_over(old: np.ndarray, new: np.ndarray) -> None:
    """Let the memory of ``new`` count as that of ``old``, written to as often."""
    before = _log.get(id(owner_of(old)))
    if before is not None and owner_of(new) is not owner_of(old):
        after = first_write(owner_of(new))
        after.count += before.count
        after.seqs.extend(before.seqs)
        after.parts = None


def version_of(tensor: Tensor) -> int:
    """How often the memory of ``tensor`` has been written to."""
    if tensor.lane.inference:
        raise RuntimeError("Inference tensors do not track version counter.")
    writes = _log.get(id(owner_of(tensor.array)))
    return 0 if writes is None or tensor.uncounted else writes.count


def set_versions(tensors: Sequence[Tensor], versions: Sequence[int]) -> None:
    """Let these tensors count as written to so often, the later writes as none. RuntimeError for negative numbers."""
    if len(tensors) != len(versions):
        raise RuntimeError(f"tensors_len={len(tensors)}, versions_len={len(versions)}")
    for version in versions:
        if version < 0:
            raise RuntimeError(f"Cannot set a version_counter to a negative value: {version}")
    for tensor, version in zip(tensors, versions, strict=True):
        writes = first_write(owner_of(tensor.array))
        dropped = writes.count - version
        writes.count = version
        for _ in range(min(dropped, len(writes.seqs))):
            writes.seqs.pop()


def saved_arrays(node: Node) -> Iterator[np.ndarray]:
    """The arrays that a node has saved."""
    for value in (*(node.form.saved(node) or ()), *(node.out if isinstance(node.out, tuple) else (node.out,))):
        if type(value) is np.ndarray and value.size:
            yield value


def check_saved(node: Node) -> None:
    """Raise GraphError if a value that ``node`` saved has been overwritten since."""
    for array in saved_arrays(node):
        check_unwritten(node, array, origin(node, array))


def line_of_write(node: Node) -> str:
    """The last line that wrote to something that ``node`` saved, as far as anomaly mode saw it."""
    for array in saved_arrays(node):
        writes = _log.get(id(owner_of(array)))
        if writes is not None and writes.seqs and writes.seqs[-1] > node.seq and writes.lines:
            return writes.lines[-1]
    return ""


def check_unwritten(node: Node, array: np.ndarray, origin: str) -> None:
    """Raise GraphError if an array that ``node`` saved has been overwritten since."""
    check_since(node.seq, array, node.name(), origin)


def check_since(start: int, array: np.ndarray, saver: str, origin: str = "") -> None:
    """Raise GraphError if an array that ``saver`` kept at ``start`` has been overwritten since."""
    writes = _log.get(id(owner_of(array)))
    if writes is not None and writes.seqs and writes.seqs[-1] > start:
        if writes.parts is not None and not writes.parts.hit(array, start):
            return
        later = sum(seq > start for seq in writes.seqs)
        raise GraphError(
            "one of the variables needed for gradient computation has been modified by an inplace operation: "
            f"[torch.{type_name(array.dtype)}Tensor {shape_text(array.shape)}]{origin} is at version {writes.count}; "
            f"expected version {writes.count - later} instead. Hint: enable anomaly detection to find the operation "
            f"that failed to compute its gradient, with torch.autograd.set_detect_anomaly(True). {saver} saved this value for "
            "its derivative: write y = y + 1 instead of y += 1, clone() the value before changing it, or step the optimizer "
            "only after the last backward()."
        )


def origin(node: Node, array: np.ndarray) -> str:
    """Which operation made a value that ``node`` saved, in torch's words; nothing for a leaf or a constant."""
    if array is node.out:
        return output_of(node)
    for saved, edge in zip(node.form.saved(node), node.form.edges(node), strict=True):
        if saved is array:
            return output_of(edge)
    return ""


def output_of(edge: Any) -> str:
    """Which output of which operation is at an edge, for the middle of a sentence; nothing for a leaf."""
    if type(edge) is Port:
        return numbered_output(edge.node, edge.index)
    return numbered_output(edge, 0) if type(edge) is Node else ""


def numbered_output(node: Node, k: int) -> str:
    """The words for output ``k`` of a node."""
    return f", which is output {k} of {operation_name(node)},"
