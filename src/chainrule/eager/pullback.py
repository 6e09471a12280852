"""How the calls of custom Functions lie on the tape: their backward called, its gradients checked and accounted for."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.core.primitive import CUSTOM, Primitive
from chainrule.core.rules import space_of
from chainrule.core.spec import Spec
from chainrule.core.sweep import Node, Port, project
from chainrule.eager import exports, modes
from chainrule.eager.gradfn import shown
from chainrule.eager.refusing import Absent, named, refusing
from chainrule.eager.tensor import Tensor, wrap
from chainrule.errors import ShapeError, shape_text


class CustomForm:
    """How the calls of one `Function` lie on the tape."""

    __slots__ = ("function", "primitive", "spent")
    scalars = ()

    def __init__(self, function: Any, released: bool = False) -> None:
        self.function = function
        self.spent: CustomForm = self if released else CustomForm(function, released=True)  # of a node that has let go
        self.primitive = Primitive(named(function.__name__), CUSTOM, (), arity=-1, torch="")

    def name(self, node: Node) -> str:
        return type(node.params).__name__

    def edges(self, node: Node) -> tuple[Any, ...]:
        return node.edge_x  # type: ignore[no-any-return]

    def shown_edges(self, node: Node) -> list[Any]:
        return [edge for edge, spec in zip(node.edge_x, node.params.arguments, strict=True) if spec is not None]

    def saved(self, node: Node) -> tuple[Any, ...]:
        return ()  # looked at when the user asks for them

    def params(self, node: Node) -> dict[str, Any]:
        return {}

    def port(self, node: Node, number: int) -> Any:
        """The edge to one output."""
        spec = node.params.results[number]
        if type(node.shape) is tuple:
            return node
        return None if spec is None or not spec.dtype.differentiable else Port(node, number, spec.shape, spec.dtype)

    def output_spec(self, node: Node, number: int) -> tuple[Any, Any]:
        """The shape and dtype of one output."""
        spec = node.params.results[number]
        return spec.shape, spec.dtype

    def revive(self, node: Node) -> Node:
        return node

    def pull(self, node: Node, g: Any) -> list[tuple[Any, Any]]:
        return pull(self.function, node, g)


def pull(function: Any, node: Node, g: Any) -> list[tuple[Any, Any]]:
    """Call the user's backward; check, project and account for what it returns."""
    parts = [g] if type(node.shape) is tuple else g
    recording = modes.is_grad_enabled()
    ctx = shown(node)
    grads = [_cotangent(ctx, k, part, spec) for k, (part, spec) in enumerate(zip(parts, node.params.results, strict=True))]
    exported = exports.count()
    found = function.user_backward()(ctx, *grads)
    found = found if isinstance(found, tuple) else (found,)
    pulled = []
    for i, (edge, value) in enumerate(zip(node.edge_x, _counted(node, found), strict=True)):
        if value is None:
            continue
        _check_gradient(node, i, value)
        if edge is not None:
            value = project(value, *space_of(edge))
            if recording:
                value = _refusing(node, value) if exports.count() != exported else value
            pulled.append((edge, value if recording or value.level or value.lane.dual else value.array))
    return pulled


def _cotangent(ctx: Any, k: int, g: Any, spec: Spec | None) -> Tensor | None:
    """The cotangent of output ``k`` as the user's backward gets it."""
    if g is None or type(g) is Absent:
        constant = not ctx.__dict__.get("_materialize_non_diff_grads", True) and k in ctx.constants
        if spec is None or not ctx.materialize_grads or constant:
            return None
        return wrap(np.zeros(spec.shape, spec.dtype.numpy))
    return g if isinstance(g, Tensor) else wrap(g)


def _counted(node: Node, found: tuple[Any, ...]) -> tuple[Any, ...]:
    """One gradient per argument; more than that may only be None."""
    n = len(node.edge_x)
    if len(found) < n or any(value is not None for value in found[n:]):
        raise RuntimeError(
            f"function {node.name()} returned an incorrect number of gradients (expected {n}, got {len(found)})"
        )
    return found[:n]


def _check_gradient(node: Node, i: int, value: Any) -> None:
    """Refuse what cannot be the gradient of argument ``i``."""
    if not isinstance(value, Tensor):
        raise RuntimeError(f"expected Variable or None (got {type_text(value)})")
    spec = node.params.arguments[i]
    if spec is None:
        raise RuntimeError(
            f"function {node.name()} returned a gradient different than None at position {i + 1}, but the corresponding "
            "forward input was not a Variable"
        )
    shape = value.array.shape
    if (
        node.edge_x[i] is not None
        and shape != spec.shape
        and (len(shape) < len(spec.shape) or broadcast(shape, spec.shape) != shape)
    ):
        raise ShapeError(
            f"Function {node.name()} returned an invalid gradient at index {i} - got {shape_text(shape)} but expected shape "
            f"compatible with {shape_text(spec.shape)}"
        )
    if value.dtype.is_complex and not spec.dtype.is_complex:
        raise RuntimeError(
            f"Function {node.name()} returned an invalid gradient at index {i} - got a complex gradient for a real argument"
        )


def broadcast(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...] | None:
    """The common shape, or None."""
    try:
        return np.broadcast_shapes(a, b)
    except ValueError:
        return None


def type_text(value: Any) -> str:
    cls = type(value)
    return cls.__name__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__name__}"


def _refusing(node: Node, value: Tensor) -> Tensor:
    """A gradient from a recorded backward that has seen arrays off the tape: differentiating it raises."""
    return refusing(f"{node.name()} computed a gradient outside of the tape (with NumPy): the second derivative is not known. "
                    "Write its backward with recorded functions.", [*node.edge_x, value.node], value.array)  # fmt: skip
