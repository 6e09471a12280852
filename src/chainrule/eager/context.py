"""The context of a custom `Function`: what it saved, and what the user put there."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np

from chainrule.core.rules import SPENT
from chainrule.core.sweep import Node, Port
from chainrule.eager import duals, modes, saved
from chainrule.eager.gradfn import GradFn
from chainrule.eager.levels import Level
from chainrule.eager.tensor import Tensor, edge_of, wrap
from chainrule.eager.writes import check_unwritten, numbered_output, output_of
from chainrule.errors import GraphError


class Output(NamedTuple):
    """A saved output: without its history, which would be a cycle."""

    array: np.ndarray
    number: int
    tangents: tuple[tuple[Level, Tensor], ...] = ()


class Pushing:
    """What the context of a jvp has for a node: the tensors that were saved for it."""

    __slots__ = ("saved",)

    def __init__(self, saved: tuple[Any, ...]) -> None:
        self.saved = saved


class FunctionCtx(GradFn):
    """What a `Function` remembers between forward and backward; attributes of one's own are welcome."""

    __slots__ = ("__dict__",)

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Keep tensors for `backward`, which finds them in ``saved_tensors``."""
        self._to_save = tensors

    def save_for_forward(self, *tensors: Tensor | None) -> None:
        """Keep tensors for `jvp`."""
        for t in tensors:
            if t is not None and not isinstance(t, Tensor):
                raise TypeError("save_for_forward expects all arguments to be tensors; you should save non-tensors as "
                                "attributes on ctx.")  # fmt: skip
        self.saved_for_forward = tensors

    def mark_dirty(self, *tensors: Tensor) -> None:
        """Say that `forward` wrote to these inputs in place (it has to return them too)."""
        self._dirty = tensors

    def mark_non_differentiable(self, *tensors: Tensor) -> None:
        """Say that these outputs have no derivative."""
        self._constant = tensors

    def mark_shared_storage(self, *pairs: Any) -> None:
        """Deprecated: does nothing."""
        warnings.warn("mark_shared_storage is deprecated. Tensors with shared storages are automatically tracked. Note that "
                      "calls to `set_()` are not tracked", FutureWarning, stacklevel=2)  # fmt: skip

    def set_materialize_grads(self, value: bool) -> None:
        """Whether `backward` gets zeros (the default) or None for outputs that nothing depends on."""
        self._materialize = value

    @property
    def materialize_grads(self) -> bool:
        """Whether absent cotangents come as zeros."""
        return self.__dict__.get("_materialize", True)  # type: ignore[no-any-return]

    @property
    def dirty_tensors(self) -> tuple[Tensor, ...]:
        """What `mark_dirty` named."""
        return self.__dict__.get("_dirty", ())  # type: ignore[no-any-return]

    @property
    def non_differentiable(self) -> tuple[Tensor, ...]:
        """What `mark_non_differentiable` named."""
        return self.__dict__.get("_constant", ())  # type: ignore[no-any-return]

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """What `save_for_backward` kept, checked for writes since."""
        node: Any = self.node
        if node is None:
            return ()
        if type(node) is Pushing:
            return node.saved
        if node.x is None:
            if self.saved_count:
                raise GraphError(SPENT)
            return ()
        return tuple(_unpacked(node, kept) for kept in node.x)

    def on(self, node: Node | Pushing) -> FunctionCtx:
        """The same context, knowing its node."""
        other = object.__new__(type(self))
        other.__dict__ = self.__dict__
        other.node = node  # type: ignore[assignment]
        return other

    def __repr__(self) -> str:
        return f"<torch.autograd.function.{type(self).__name__} object at {id(self):#x}>"

    @property
    def saved_variables(self) -> tuple[Any, ...]:
        """The old name of ``saved_tensors``."""
        warnings.warn("'saved_variables' is deprecated; use 'saved_tensors'", DeprecationWarning, stacklevel=2)
        return self.saved_tensors

    @property
    def _raw_saved_tensors(self) -> tuple[Any, ...]:
        if self.node.x is None and self.saved_count:
            raise GraphError(SPENT)
        return tuple(SavedInFunction(self.node, k) for k in range(len(self.node.x)))

    @property
    def to_save(self) -> Any:
        """What is going to be saved."""
        return self.__dict__.get("_to_save")

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")


class Pair(NamedTuple):
    """A value given to hooks on saved tensors, and what it was."""

    packed: saved.Packed
    value: Any


def check_saved_type(k: int, value: Any) -> None:
    """TypeError for anything but tensors and None."""
    if value is not None and not isinstance(value, Tensor):
        raise TypeError(f"save_for_backward can only save variables, but argument {k} is of type {type(value).__name__}")


def kept_value(k: int, value: Any, *outputs: tuple[Any, ...]) -> Any:
    """A value as it is saved: an output without its history, anything else as it is."""
    if value is None:
        return None
    check_saved_type(k, value)
    kept: Any = value
    for several in outputs:
        for number, out in enumerate(several):
            if out is value and out.node is not None and not out.leaf:
                kept = Output(out.array, number)
    hooks = modes.present().saving
    return Pair(saved.Packed(hooks[-1].pack, hooks[-1].unpack, value.array), kept) if hooks else kept


def keep_tangent(out: Tensor, number: int, level: Level, tangent: Tensor) -> None:
    """Let the node that made ``out``, and saved it, know its tangent."""

    def knowing(kept: Any) -> Any:
        if isinstance(kept, Pair):
            return Pair(kept.packed, knowing(kept.value))
        if isinstance(kept, Output) and kept.number == number:
            return kept._replace(tangents=(*kept.tangents, (level, tangent)))
        return kept

    edge = out._bottom().node
    node = edge.node if type(edge) is Port else edge
    if type(node) is Node and isinstance(node.params, FunctionCtx) and node.x is not None:
        node.x = tuple(map(knowing, node.x))


def _unpacked(node: Node, kept: Any) -> Tensor | None:
    """A saved value as the user gets it."""
    if kept is None:
        return None
    if isinstance(kept, Pair):
        array, kept = kept.packed.array(), kept.value
    else:
        array = kept.array
        origin = numbered_output(node, kept.number) if isinstance(kept, Output) else output_of(edge_of(kept))
        check_unwritten(node, array, origin)
    if isinstance(kept, Output):
        t = wrap(array, node.form.port(node, kept.number))
        for level, tangent in kept.tangents:
            if level.alive:
                duals.attach(t, level, tangent)
        return t
    if array is kept.array:
        return kept  # type: ignore[no-any-return]
    t = wrap(array, edge_of(kept) if kept.node is not None else None)
    t.leaf = kept.leaf
    return t


class SavedInFunction(saved.SavedTensor):
    """A tensor that a custom Function saved, before it is unpacked."""

    def _register(self, pack_hook: Any, unpack_hook: Any) -> None:
        node, k = self._node, self._number
        if node.x is None:
            raise RuntimeError(saved.FREED)
        kept = node.x[k]
        if kept is None:
            raise RuntimeError(saved.NOTHING)
        if isinstance(kept, Pair):
            raise RuntimeError(saved.TWICE)
        pair = Pair(saved.Packed(pack_hook, unpack_hook, kept.array), kept)
        node.x = (*node.x[:k], pair, *node.x[k + 1 :])
