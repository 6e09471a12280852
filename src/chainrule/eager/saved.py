"""What a node saved, as the user may see it, keep elsewhere, and bring back: hooks on saved tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from chainrule.core.rules import Spent
from chainrule.core.sweep import Node
from chainrule.eager import modes
from chainrule.eager.tensor import Tensor, wrap

Hook = Callable[[Any], Any]


class Packed:
    """What a pair of hooks made of a saved array, and how to have it back."""

    __slots__ = ("unpack", "value")

    def __init__(self, pack: Hook, unpack: Hook, array: np.ndarray) -> None:
        self.unpack = unpack
        t = wrap(array)
        before = writes_to(t)
        with modes.no_grad():
            self.value = pack(t)
        if writes_to(t) != before:
            raise RuntimeError(
                "A saved tensor pack hook is modifying its input in place. Tensors passed as input to pack hook can not be "
                "modified in place."
            )

    def array(self) -> np.ndarray:
        """The array that the unpack hook gives back; TypeError if it is no tensor."""
        t = self.unpack(self.value)
        if not isinstance(t, Tensor):
            raise TypeError(f"Output of saved tensor unpack_hook expected to be a Tensor but got result of type {type(t)}")
        return t.array


def writes_to(t: Tensor) -> int:
    """How often the memory of ``t`` has been written to."""
    return t._version  # type: ignore[attr-defined, no-any-return]


class PackedForm:
    """The form of a node that holds packed values: they are unpacked when it is pulled back."""

    __slots__ = ("inner", "spent")

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.spent = Spent(inner)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def unpacked(self, node: Node) -> Node:
        """A copy of ``node`` in the inner form, with arrays for what was packed."""
        found = tuple(map(array_in, self.inner.saved(node)))
        out = tuple(map(array_in, node.out)) if isinstance(node.out, tuple) else array_in(node.out)
        copy = self.inner.with_saved(node, found, out)
        copy.form = self.inner
        return copy

    def pull(self, node: Node, g: Any) -> Any:
        return self.inner.pull(self.unpacked(node), g)

    def revive(self, node: Node) -> Any:
        return self.inner.revive(self.unpacked(node))


def array_in(value: Any) -> Any:
    """The array that a saved value stands for."""
    return value.array() if type(value) is Packed else value


_forms: dict[Any, PackedForm] = {}


def packed_form(inner: Any) -> PackedForm:
    """The packed variant of a form."""
    if type(inner) is PackedForm:
        return inner
    if inner not in _forms:
        _forms[inner] = PackedForm(inner)
    return _forms[inner]


class Hooks(NamedTuple):
    """A pair of hooks on all that is saved."""

    pack: Hook
    unpack: Hook

    def packed(self, value: Any) -> Any:
        """An array packed, and the arrays in a tuple; anything else as it is."""
        if isinstance(value, tuple):
            return tuple(map(self.packed, value))
        return Packed(self.pack, self.unpack, value) if isinstance(value, np.ndarray) else value

    def recorded(self, node: Node, operands: Sequence[Any]) -> None:
        """Pack what ``node`` saved of tensors."""
        saved = node.form.saved(node)
        found = tuple(self.packed(value) if isinstance(x, Tensor) else value for value, x in zip(saved, operands, strict=True))
        place(node, found, self.packed(node.out))


def place(node: Node, saved: tuple[Any, ...], out: Any) -> None:
    """Let ``node`` hold these values, some of them packed, instead of what it saved."""
    copy = node.form.with_saved(node, saved, out)
    node.x, node.y, node.out = copy.x, copy.y, copy.out
    node.form = packed_form(node.form)


class SavedTensor:
    """One value that a node saved, before it is unpacked: what ``grad_fn._raw_saved_…`` shows."""

    def __init__(self, node: Node, number: int) -> None:
        self._node = node
        self._number = number  # of the operand; -1 for the output

    def register_hooks(self, pack_hook: Hook, unpack_hook: Hook) -> None:
        """Give the value to ``pack_hook`` now, and ask ``unpack_hook`` for it when it is needed."""
        node = self._node
        if isinstance(node.form, Spent):
            raise RuntimeError(
                "Trying to use a saved tensor that has been released. This is probably because you're trying to register "
                "hooks on a saved tensor after the graph has been freed."
            )
        saved = list(node.form.saved(node))
        value = node.out if self._number < 0 else saved[self._number]
        if type(value) is Packed:
            raise RuntimeError("Calling register_hooks on a saved tensor with hooks that have already been set is not allowed.")
        if value is None:
            raise RuntimeError("Calling register_hooks on a saved tensor with value None is forbidden")
        packed = Packed(pack_hook, unpack_hook, value)
        if self._number < 0:
            place(node, tuple(saved), packed)
        else:
            saved[self._number] = packed
            place(node, tuple(saved), node.out)


class saved_tensors_hooks:
    """Inside, everything a recorded call saves goes through ``pack_hook`` when saved and ``unpack_hook`` when needed.

    >>> import chainrule as cr
    >>> x = cr.tensor([2.0], requires_grad=True)
    >>> with saved_tensors_hooks(lambda t: print("pack", t) or t, lambda t: print("unpack", t) or t):
    ...     y = x.exp()
    pack tensor([7.3891])
    >>> y.backward()
    unpack tensor([7.3891])
    """

    def __init__(self, pack_hook: Hook, unpack_hook: Hook) -> None:
        self.pack_hook = pack_hook
        self.unpack_hook = unpack_hook

    def __enter__(self) -> None:
        if disabled() is not None:
            raise RuntimeError(disabled())
        modes.enter(modes.changed(saving=(*modes.present().saving, Hooks(self.pack_hook, self.unpack_hook))))

    def __exit__(self, *exc: object) -> None:
        modes.enter(modes.changed(saving=modes.present().saving[:-1]))


class save_on_cpu(saved_tensors_hooks):
    """Inside, what is saved is copied (in torch from the GPU to the CPU; here everything is on the CPU already)."""

    def __init__(self, pin_memory: bool = False, device_type: str = "cuda") -> None:
        super().__init__(lambda t: t.clone(), lambda t: t)


_disabled: list[str] = []  # the messages of disable_saved_tensors_hooks, innermost last


def disabled() -> str | None:
    """Why hooks on saved tensors are not allowed here, or None."""
    return _disabled[-1] if _disabled else None


class disable_saved_tensors_hooks:
    """Inside, `saved_tensors_hooks` raises RuntimeError with ``error_message``."""

    def __init__(self, error_message: str) -> None:
        self.error_message = error_message

    def __enter__(self) -> None:
        if modes.present().saving:
            raise RuntimeError(self.error_message)
        _disabled.append(self.error_message)

    def __exit__(self, *exc: object) -> None:
        _disabled.pop()
