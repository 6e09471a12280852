"""What a node saved, as the user may see it, keep elsewhere, and bring back: hooks on saved tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from chainrule.core.primitive import CUSTOM, Primitive
from chainrule.core.rules import Spent
from chainrule.core.sweep import Node
from chainrule.eager import modes
from chainrule.eager.hooks import HookedForm
from chainrule.eager.layout import Size
from chainrule.eager.tape import revived
from chainrule.eager.tensor import Tensor, wrap
from chainrule.eager.writes import check_unwritten, origin
from chainrule.ops.indexing import HOLE

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
            raise TypeError(
                f"Output of saved tensor unpack_hook expected to be a Tensor but got result of type {type(t).__name__}"
            )
        return t.array  # type: ignore[no-any-return]


def writes_to(t: Tensor) -> int:
    """How often the memory of ``t`` has been written to."""
    return t._version  # type: ignore[no-any-return]


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
        copy: Node = self.inner.with_saved(node, found, out)
        copy.form = self.inner
        return copy

    def pull(self, node: Node, g: Any) -> Any:
        return self.inner.pull(self.unpacked(node), g)

    def revive(self, node: Node) -> Any:
        return self.inner.revive(self.unpacked(node), node)


def array_in(value: Any) -> Any:
    """The array that a saved value stands for."""
    return value.array() if type(value) is Packed else value


_forms: dict[Any, PackedForm] = {}


def packed_form(inner: Any) -> PackedForm | HookedForm:
    """The packed variant of a form."""
    if type(inner) is PackedForm:
        return inner
    if type(inner) is HookedForm:  # one node's own
        inner.inner = packed_form(inner.inner)
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
    """One value that a node saved, before it is unpacked: what ``grad_fn._raw_saved_...`` shows."""

    def __init__(self, node: Node | None = None, number: int = 0) -> None:
        if node is None:
            raise RuntimeError("Trying to create a SavedTensor object from Python is forbidden.")
        self._node = node
        self._number = number  # of the operand; -1 for the output

    def register_hooks(self, *hooks: Hook) -> None:
        """``register_hooks(pack_hook, unpack_hook)``: pack the value now, and unpack it when it is needed."""
        if len(hooks) != 2 or not all(map(callable, hooks)):
            raise TypeError("register_hooks(): incompatible function arguments: a function to pack and one to unpack wanted")
        self._register(*hooks)

    def _register(self, pack_hook: Hook, unpack_hook: Hook) -> None:
        node = self._node
        if isinstance(node.form, Spent):
            raise RuntimeError(FREED)
        values = list(node.form.saved(node))
        value = node.out if self._number < 0 else values[self._number]
        if type(value) is Packed:
            raise RuntimeError(TWICE)
        if not isinstance(value, np.ndarray):
            raise RuntimeError(NOTHING)
        packed = Packed(pack_hook, unpack_hook, value)
        if self._number < 0:
            place(node, tuple(values), packed)
        else:
            values[self._number] = packed
            place(node, tuple(values), node.out)


FREED: Final = (
    "Calling register_hooks on a saved tensor after it has been freed. Saved intermediate values of the graph are freed when "
    "you call .backward() or autograd.grad(). Specify retain_graph=True if you need to backward through the graph a second "
    "time or if you need to access saved variables after calling backward."
)
TWICE: Final = (
    "Calling register_hooks on a saved tensor whose hooks have already been set. Hint: only one pair of hooks is allowed at a "
    "time."
)
NOTHING: Final = "Calling register_hooks on a saved tensor with value None is forbidden"


def saved_value(node: Node, name: str) -> Any:
    """What ``grad_fn._saved_NAME`` or ``_raw_saved_NAME`` shows; AttributeError if such a node saves nothing of that name."""
    raw = name.startswith("_raw_")
    wanted = name.removeprefix("_raw").removeprefix("_saved_")
    form = node.form
    primitive = form.primitive
    if primitive.kind == CUSTOM:
        raise AttributeError(f"{node.name()} has no attribute {name!r}")
    if wanted in ("result", "output"):
        return SavedTensor(node, -1) if raw else unpacked(node, -1)
    if wanted == "self_sym_sizes":
        return Size(form.edges(node)[0].shape if form.edges(node)[0] is not None else ())
    if wanted == "indices" and primitive.variadic:
        return tuple(_index(node, k, raw) for k in range(len(form.params(node)["key"])))
    for i, known in enumerate(operand_names(primitive)):
        if known == wanted:
            return SavedTensor(node, i) if raw else unpacked(node, i)
    params = {TORCH_PARAMS.get(key, key): value for key, value in form.params(node).items()}
    if wanted in params:
        return params[wanted]
    raise AttributeError(f"'{node.name()}' object has no attribute '{name}'")


def operand_names(primitive: Primitive) -> tuple[str, ...]:
    """torch's names of the operands."""
    own = SAVED.get(primitive.name, ())
    return (*own, *USUAL[len(own) :])[: max(primitive.arity, 0)]


def saved_names(node: Node) -> list[str]:
    """The names under which the values that ``node`` saved are shown."""
    form = node.form
    if form.primitive.kind == CUSTOM or isinstance(form, Spent):
        return []
    found = [
        name for name, value in zip(operand_names(form.primitive), form.saved(node), strict=False) if value is not None
    ]
    return found if node.out is None else [*found, "result"]


def _index(node: Node, k: int, raw: bool) -> Any:
    """What part ``k`` of a key was, as torch keeps it: an index tensor, or None for a slice."""
    key = node.form.params(node)["key"]
    if key[k] is not HOLE:
        return SavedTensor(node, 0) if raw else None
    number = len(node.form.saved(node)) - sum(part is HOLE for part in key[k:])
    return SavedTensor(node, number) if raw else unpacked(node, number)


def unpacked(node: Node, number: int) -> Any:
    """A saved value as the user gets it: on the edge it came from, checked for writes since."""
    form = node.form
    if isinstance(form, Spent):
        form.pull(node, None)  # raises
    value = node.out if number < 0 else form.saved(node)[number]
    if type(value) is Packed:
        value = value.array()
    elif isinstance(value, np.ndarray):
        check_unwritten(node, value, origin(node, value))
    if not isinstance(value, np.ndarray):
        return None
    if number in form.scalars:
        return value.item()
    return wrap(value, node) if number < 0 else revived(value, form.edges(node)[number])


USUAL: Final = ("self", "other", "third")
SAVED: Final = {  # torch's names of what is saved, by operand, where they are not the usual ones
    "power": ("self", "exponent"), "mm": ("self", "mat2"), "mv": ("self", "vec"), "dot": ("self", "tensor"),
    "where": ("condition",), "masked_fill": ("self", "mask", "value"), "gather": ("self", "index"),
    "scatter": ("self", "index", "src"), "scatter_add": ("self", "index", "src"), "take": ("self", "index"),
    "clip": ("self", "min", "max"), "addmm": ("self", "mat1", "mat2"), "lerp": ("self", "end", "weight"),
    "nll_loss": ("self", "target", "weight"), "mse_loss": ("self", "target"), "embedding": ("weight", "indices"),
    "layer_norm": ("input", "weight", "bias"), "convolution": ("input", "weight", "bias"),
    "addcmul": ("self", "tensor1", "tensor2"), "addcdiv": ("self", "tensor1", "tensor2"),
}  # fmt: skip
TORCH_PARAMS: Final = {"axis": "dim", "keepdims": "keepdim", "k": "diagonal", "reps": "repeats", "shape": "self_sym_sizes"}


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


def disabled() -> str | None:
    """Why hooks on saved tensors are not allowed here, or None."""
    reasons = modes.present().unpacked
    return reasons[-1] if reasons else None


class disable_saved_tensors_hooks:
    """Inside, `saved_tensors_hooks` raises RuntimeError with ``error_message``."""

    def __init__(self, error_message: str) -> None:
        self.error_message = error_message

    def __enter__(self) -> None:
        if modes.present().saving:
            raise RuntimeError(self.error_message)
        modes.enter(modes.changed(unpacked=(*modes.present().unpacked, self.error_message)))

    def __exit__(self, *exc: object) -> None:
        modes.enter(modes.changed(unpacked=modes.present().unpacked[:-1]))
