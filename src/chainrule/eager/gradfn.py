"""Nodes as the user sees them: ``tensor.grad_fn``, its ``next_functions``, and where a path ends."""

from __future__ import annotations

import weakref
from functools import cache
from typing import Any, Final, NamedTuple

from chainrule.core.spec import DType
from chainrule.core.sweep import Node, Port
from chainrule.eager.hooks import RemovableHandle, arranged, hooked_form, hooks_of, register
from chainrule.eager.layout import CPU, Device, Size
from chainrule.eager.saved import saved_names, saved_value
from chainrule.eager.tensor import Tensor
from chainrule.eager.writes import check_saved


class _Nodes(type):
    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, (GradFn, AccumulateGrad))

    def __subclasscheck__(cls, subclass: type) -> bool:
        return subclass is cls or issubclass(subclass, (GradFn, AccumulateGrad))


class GraphNode(metaclass=_Nodes):
    """What every node that the user sees is an instance of: `torch.autograd.graph.Node`."""


class AccumulateGrad:
    """The end of a path: where a leaf's gradient is added up. It holds its leaf, which finds it weakly."""

    __slots__ = ("__weakref__", "variable")

    def __init__(self, variable: Tensor) -> None:
        self.variable = variable

    next_functions: tuple[Any, ...] = ()

    def name(self) -> str:
        return "torch::autograd::AccumulateGrad"

    @property
    def metadata(self) -> dict[Any, Any]:
        """A dictionary for the user's notes on this node."""
        return notes_on(self.variable)

    _sequence_nr = 2**64 - 1  # as soon as everything has arrived

    def register_hook(self, hook: Any) -> RemovableHandle:
        """Call ``hook((), grad_outputs)`` after the gradient was added up."""
        return register(hooks_of(self.variable).after, hook)

    def register_prehook(self, hook: Any) -> RemovableHandle:
        """Call ``hook(grad_outputs)`` before the gradient is added up; what it returns replaces it."""
        return register(hooks_of(self.variable).before, hook)

    def __repr__(self) -> str:
        return f"<AccumulateGrad object at {id(self):#x}>"


_accumulators: Final[weakref.WeakValueDictionary[int, AccumulateGrad]] = weakref.WeakValueDictionary()  # by id


def accumulator(leaf: Tensor) -> AccumulateGrad:
    """The one AccumulateGrad of a leaf, as long as someone holds it."""
    node = _accumulators.get(id(leaf))
    if node is None:
        node = _accumulators[id(leaf)] = AccumulateGrad(leaf)
    return node


class GradFn:
    """A node as torch shows it, ``tensor.grad_fn``: of a class named after the operation."""

    __slots__ = ("__weakref__", "node")

    def __init__(self, node: Node) -> None:
        self.node = node

    def name(self) -> str:
        """torch's name for the kind of node, as in ``MulBackward0``."""
        return self.node.name()

    @property
    def next_functions(self) -> tuple[tuple[Any, int], ...]:
        """Pairs of the node each operand came from (None for a constant) and the number of its output."""
        return tuple(map(public_edge, self.node.form.shown_edges(self.node)))

    @property
    def metadata(self) -> dict[Any, Any]:
        """A dictionary for the user's notes on this node."""
        return metadata_of(self.node)

    @property
    def _sequence_nr(self) -> int:
        """When the call was recorded: later calls have higher numbers."""
        return self.node.seq

    def register_hook(self, hook: Any) -> RemovableHandle:
        """Call ``hook(grad_inputs, grad_outputs)`` after the rule; what it returns replaces ``grad_inputs``."""
        return register(hooked_form(self.node).after, hook)

    def register_prehook(self, hook: Any) -> RemovableHandle:
        """Call ``hook(grad_outputs)`` before the rule; what it returns replaces them."""
        return register(hooked_form(self.node).before, hook)

    def __call__(self, *cotangents: Tensor | None) -> Any:
        """The cotangents of the operands, given those of the outputs."""
        count = 1 if type(self.node.shape) is tuple else self.node.shape
        if len(cotangents) != count:
            raise TypeError(f"{self.name()} expected {count} arguments, got {len(cotangents)} instead")
        for k, g in enumerate(cotangents):
            if g is not None and not isinstance(g, Tensor):
                raise TypeError(f"argument {k} is not a Variable")
        check_saved(self.node)
        raw = [None if g is None else g.array for g in cotangents]
        found, _ = arranged(self.node, list(self.node.form.pull(self.node, raw[0] if type(self.node.shape) is tuple else raw)))
        return found if len(found) != 1 else found[0]

    @property
    def _input_metadata(self) -> list[Metadata]:
        """The shape and dtype of the cotangent of each output."""
        node = self.node
        if type(node.shape) is tuple:
            return [Metadata(Size(node.shape), node.dtype)]
        return [Metadata(Size(shape), dtype) for shape, dtype in (node.form.output_spec(node, k) for k in range(node.shape))]

    def __getattr__(self, name: str) -> Any:
        if name.startswith(("_saved_", "_raw_saved_")):
            return saved_value(self.node, name)
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")

    def __dir__(self) -> list[str]:
        found = ((f"_saved_{name}", f"_raw_saved_{name}") for name in saved_names(self.node))
        return sorted({*object.__dir__(self), *(name for pair in found for name in pair)})

    def __repr__(self) -> str:
        return f"<{type(self).__name__} object at {id(self):#x}>"


class Metadata(NamedTuple):
    """What a cotangent looks like."""

    shape: Size
    dtype: DType
    device: Device = CPU
    is_nested_tensor: bool = False
    is_cpp_nested_tensor: bool = False


def metadata_of(node: Any) -> dict[Any, Any]:
    """The notes on a node."""
    return _metadata.setdefault(node, {})


def notes_on(leaf: Tensor) -> dict[Any, Any]:
    """The notes on the AccumulateGrad of a leaf: they live as long as the leaf."""
    key = id(leaf)
    if key not in _leaf_notes:
        _leaf_notes[key] = weakref.ref(leaf, lambda _: _leaf_notes.pop(key, None)), {}
    return _leaf_notes[key][1]


_leaf_notes: Final[dict[int, tuple[weakref.ref[Tensor], dict[Any, Any]]]] = {}
_metadata: Final[weakref.WeakKeyDictionary[Any, dict[Any, Any]]] = weakref.WeakKeyDictionary()
_shown: Final[weakref.WeakValueDictionary[int, GradFn]] = weakref.WeakValueDictionary()  # by id of the node


@cache
def grad_fn_class(name: str) -> type[GradFn]:
    """The class of the nodes called ``name``."""
    return type(name, (GradFn,), {"__slots__": ()})


def shown(node: Node) -> GradFn:
    """The one GradFn of a node, as long as someone holds it."""
    found = _shown.get(id(node))
    if found is None:
        context = node.params
        found = context.on(node) if isinstance(context, GradFn) else grad_fn_class(node.name().rpartition(":")[2])(node)
        _shown[id(node)] = found
    return found


def public_edge(edge: Any) -> tuple[Any, int]:
    """An edge as torch shows it in ``next_functions``."""
    if edge is None:
        return None, 0
    if type(edge) is Port:
        return shown(edge.node), edge.index
    return (shown(edge) if type(edge) is Node else accumulator(edge)), 0
