"""What has no derivative: nodes that refuse whatever comes back or let nothing through, operands that must not ask for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.core.primitive import CUSTOM, Primitive
from chainrule.core.rules import next_seq
from chainrule.core.spec import of_numpy
from chainrule.core.sweep import Node, Port
from chainrule.eager import duals, modes
from chainrule.eager.tensor import Tensor, edge_of, wrap
from chainrule.errors import Refusal


def named(name: str) -> Callable[..., Any]:
    """A function of this name, for a primitive that is in no table."""

    def function(*args: Any) -> Any:
        raise NotImplementedError(f"{name} can only be called through apply")

    function.__name__ = name
    return function


def refuse_derivative(function: str, **operands: Any) -> None:
    """Refuse operands, given by name, whose derivative is asked for: the function has none by them."""
    for name, x in operands.items():
        if not isinstance(x, Tensor):
            continue
        if (x.requires_grad and modes.is_grad_enabled()) or any(True for _ in duals.tangents(x._bottom())):
            raise Refusal(
                f"The function '{function}' is not differentiable with respect to argument '{name}'. This input cannot have "
                "requires_grad True."
            )


class RefusingForm:
    """A node that raises when a cotangent gets there."""

    __slots__ = ("message",)
    primitive = Primitive(named("error"), CUSTOM, (), arity=-1, torch="")
    scalars = ()

    def __init__(self, message: str) -> None:
        self.message = message

    @property
    def spent(self) -> RefusingForm:
        return self

    def name(self, node: Node) -> str:
        return "torch::autograd::Error"

    def edges(self, node: Node) -> tuple[Any, ...]:
        return node.edge_x  # type: ignore[no-any-return]

    def shown_edges(self, node: Node) -> list[Any]:
        return list(node.edge_x[: node.params])

    def saved(self, node: Node) -> tuple[Any, ...]:
        return ()

    def params(self, node: Node) -> dict[str, Any]:
        return {}

    def revive(self, node: Node) -> Node:
        return node

    def pull(self, node: Node, g: Any) -> Any:
        raise RuntimeError(self.message)


class Underived(RefusingForm):
    """A node of a function that torch has no derivative for."""

    __slots__ = ("shown_name",)

    def __init__(self, function: str) -> None:
        super().__init__(f"the derivative for '{function}' is not implemented.")
        self.shown_name = f"{function.title().replace('_', '')}Backward0"

    def name(self, node: Node) -> str:
        return self.shown_name

    def pull(self, node: Node, g: Any) -> Any:
        raise NotImplementedError(self.message)


class UndefinedForm(RefusingForm):
    """A node that sends nothing back: a custom `Function` is told so, anything else is not reached."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("")

    def name(self, node: Node) -> str:
        return "torch::autograd::UndefinedGrad"

    def pull(self, node: Node, g: Any) -> Any:
        edges = node.edge_x
        for edge in edges:
            hooks = getattr(edge, "hooks", None)
            if hooks is not None and type(edge) is not Port:
                hooks(None)
        return [(edge, Absent(edge.shape)) for edge in edges if type(edge) is Node and edge.form.primitive.kind == CUSTOM]


class Absent:
    """The cotangent that is none: adding it changes nothing."""

    __slots__ = ("shape",)
    __array_ufunc__ = None

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape

    def __add__(self, other: Any) -> Any:
        return other

    __radd__ = __add__


def undefined(t: Tensor) -> Tensor:
    """``t``, its cotangents being thrown away."""
    node = new_node(UndefinedForm(), (edge_of(t),), None)
    node.shape, node.dtype = t.array.shape, t.dtype
    return wrap(t.array, node)


def refusing(message: str, edges: list[Any], array: np.ndarray, shown: int | None = None) -> Tensor:
    """A tensor that depends on ``edges`` in a way that nobody knows: differentiating it raises ``message``.

    ``shown`` is how many of the edges torch has too.
    """
    node = new_node(RefusingForm(message), tuple(edges), shown)
    node.shape, node.dtype = array.shape, of_numpy(array.dtype)
    return wrap(array, node)


def underived(function: str, x: Tensor, array: np.ndarray) -> Tensor:
    """The result of a function of ``x`` without a derivative: NotImplementedError when it is asked for."""
    if not (x.requires_grad and modes.is_grad_enabled()):
        return wrap(array)
    node = new_node(Underived(function), (edge_of(x),), None)
    node.shape, node.dtype = array.shape, of_numpy(array.dtype)
    return wrap(array, node)


def new_node(form: Any, edges: tuple[Any, ...], params: Any) -> Node:
    """A node without saved values."""
    node = Node.__new__(Node)
    node.form, node.params, node.edge_x, node.seq = form, params, edges, next_seq()
    node.x = node.y = node.out = node.edge_y = node.hooks = None
    return node


