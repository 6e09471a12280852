"""What a primitive's kind derives from its rules: vjp, jvp, and the replay of composites.

A rule never un-broadcasts, projects or conjugates: the callers here do. Complex cotangents follow torch
(conjugate Wirtinger): where a rule is complex-linear in ``g``, its adjoint is conj(rule(conj(g))).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from typing import Any, Final

import numpy as np

from chainrule.core.box import Box, dispatch
from chainrule.core.primitive import (
    COMPOSITE,
    ELEMENTWISE,
    LINEAR,
    MULTILINEAR,
    OPERANDS,
    ZERO_DERIVATIVE,
    Primitive,
)  # fmt: skip
from chainrule.core.sparse import settled
from chainrule.core.spec import DType, Spec, of_numpy
from chainrule.core.sweep import Node, Port, project, sweep
from chainrule.errors import GraphError

next_seq = count(1).__next__


def dtype_of(x: Any) -> DType:
    """The DType of an array, box or NumPy scalar."""
    dtype = x.dtype
    return dtype if isinstance(dtype, DType) else of_numpy(dtype)


def is_complex(x: Any) -> bool:
    """Whether ``x`` is a complex number, or an array or box of them."""
    dtype = getattr(x, "dtype", None)
    if dtype is None:
        return isinstance(x, complex)
    return dtype.is_complex if isinstance(dtype, DType) else getattr(dtype, "kind", "") == "c"


def conj(g: Any) -> Any:
    """``g`` with every array in it conjugated."""
    if isinstance(g, (tuple, list)):
        return [None if part is None else conj(part) for part in g]
    return np.conjugate(g) if is_complex(g) else g


def multiple(g: Any, n: float) -> Any:
    """``n g``; what is one number all over is that still, and takes no memory."""
    if type(g) is np.ndarray and g.ndim and not any(g.strides):
        return np.broadcast_to(g[(slice(0, 1),) * g.ndim] * n, g.shape)
    return g * n


def vjp(p: Primitive, i: int, g: Any, operands: Sequence[Any], out: Any, params: dict[str, Any]) -> Any:
    """The cotangent of operand ``i``, before projection; None if there is no derivative."""
    if p.kind == ZERO_DERIVATIVE:
        return np.zeros_like(g)
    rule = p.rule(i)
    if rule is None:
        return replay(p, i, g, operands, params) if p.differentiates(i) else None
    if "g" not in rule.mentions:
        partial = rule(g, operands, out, params, i)
        return g * (np.conjugate(partial) if is_complex(partial) else partial)
    if p.holomorphic and any(map(is_complex, (*operands, out))):
        return conj(rule(conj(g), operands, out, params, i))
    return rule(g, operands, out, params, i)


def jvp(
    p: Primitive, operands: Sequence[Any], tangents: Sequence[Any], out: Any, params: dict[str, Any], kept: Any = None
) -> Any:
    """The tangent of the output (a tuple for several), given each operand's tangent or None."""
    live = [i for i, t in enumerate(tangents) if t is not None]
    if p.pushforward is not None:
        return p.pushforward(tangents[0] if p.arity == 1 else list(tangents), operands, out, params, live[0], kept)
    if p.kind == ZERO_DERIVATIVE:
        return np.zeros_like(out)
    if p.kind == ELEMENTWISE:
        return _elementwise_tangent(p, live, operands, tangents, out, params)
    if p.kind == LINEAR:
        return dispatch(p, [moved(p, i, t, operands[i]) for i, t in enumerate(tangents)], params)
    if p.kind == MULTILINEAR:
        return _sum(dispatch(p, [*operands[:i], tangents[i], *operands[i + 1 :]], params) for i in live)
    return transpose_vjp(p, operands, tangents, out, params)


def _elementwise_tangent(
    p: Primitive, live: Sequence[int], operands: Sequence[Any], tangents: Sequence[Any], out: Any, params: dict[str, Any]
) -> Any:
    if len(live) == p.arity == 2 and operands[0] is operands[1] and tangents[0] is tangents[1]:  # x * x
        partial = _total_partial(p, operands, out, params)
        if partial is not None:
            return tangents[0] * partial
    total = None
    for i in live:
        rule = p.rule(i)
        if rule is not None:
            t = tangents[i]
            term = rule(t, operands, out, params, i)
            if "g" not in rule.mentions:  # a number takes a faster path
                term = t * (term.item() if type(term) is np.ndarray and not term.ndim else term)
            total = term if total is None else total + term
    return total


def _total_partial(p: Primitive, operands: Sequence[Any], out: Any, params: dict[str, Any]) -> Any:
    """The derivative by both operands together; None if it is not given as a factor."""
    rules = [p.rule(0), p.rule(1)]
    if any(rule is None or "g" in rule.mentions for rule in rules):
        return None
    return _sum(rule(None, operands, out, params, i) for i, rule in enumerate(rules) if rule is not None)


def moved(p: Primitive, i: int, t: Any, x: Any) -> Any:
    """What stands for operand ``i`` when a linear function is applied to the tangents."""
    if t is not None:
        return t
    return np.zeros_like(x) if p.is_active(i) else x


def _sum(terms: Any) -> Any:
    total = None
    for term in terms:
        if term is not None:
            total = term if total is None else total + term
    return total


class Recorded(Box):
    """A value on a private tape: what replays a composite, and transposes a rule."""

    __slots__ = ("array", "dtype", "edge", "level", "shape")
    levels = count(1_000_000)

    def __init__(self, array: Any, level: int, edge: Any = None) -> None:
        self.array = array
        self.level = level
        self.edge = edge
        self.shape = array.shape
        self.dtype = dtype_of(array)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def cast(self, dtype: Any) -> Recorded:
        raise TypeError("a composite may not change dtypes")

    def process(self, primitive: Primitive, operands: Sequence[Any], params: dict[str, Any]) -> Any:
        inner = [x.array if self._mine(x) else x for x in operands]
        out = dispatch(primitive, inner, params)
        if not primitive.differentiable:
            return out
        edges = tuple((x.edge or x) if self._mine(x) else None for x in operands)
        return record(form_of(primitive), edges, inner, out, params,
                      lambda array, edge: Recorded(array, self.level, edge))  # fmt: skip

    def _mine(self, x: Any) -> bool:
        return type(x) is Recorded and x.level == self.level


def overload(name: Callable[..., str], given: dict[str, Any]) -> str:
    """The name that a column ``node`` computes from what it mentions: parameters, and which operands are numbers."""
    code = name.__code__
    return name(**{key: given[key] for key in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]})


class Form:
    """How calls of a primitive are laid out on the tape and pulled back; this one fits every primitive.

    The saved operands and the edges are tuples in ``x`` and ``edge_x``; params is the dict of the call.
    """

    __slots__ = ("primitive", "scalars", "spent")

    def __init__(self, primitive: Primitive, scalars: tuple[int, ...] = ()) -> None:
        self.primitive = primitive
        self.scalars = scalars  # which operands were Python numbers, or left out
        needs = any(True for i in range(max(1, len(primitive.rules))) for _ in primitive.saves(i))
        indices = primitive.variadic and 0 < primitive.promoted < 1000  # operands that are kept as they are
        self.spent: Any = Spent(self) if needs or indices or primitive.kind == COMPOSITE else self

    def name(self, node: Node) -> str:
        """torch's name of the node, by the overload that was called."""
        name = self.primitive.node
        if isinstance(name, str):
            return name
        return overload(name, {"scalars": self.scalars, **self.params(node)})

    def edges(self, node: Node) -> tuple[Any, ...]:
        """Where each operand came from."""
        return node.edge_x  # type: ignore[no-any-return]

    def saved(self, node: Node) -> tuple[Any, ...]:
        """The saved operands by position, None where nothing was saved."""
        return node.x  # type: ignore[no-any-return]

    def params(self, node: Node) -> dict[str, Any]:
        """The static parameters of the call."""
        return node.params  # type: ignore[no-any-return]

    def output_spec(self, node: Node, number: int) -> tuple[Any, Any]:
        """The shape and dtype of one output of a node that has several."""
        spec = node.edge_y[number]
        return spec.shape, spec.dtype

    def with_saved(self, node: Node, operands: Sequence[Any], out: Any) -> Node:
        """A copy of ``node`` that holds these values instead of what it saved."""
        return copied(node, tuple(operands), None, out)

    def pull(self, node: Node, g: Any) -> list[tuple[Any, Any]]:
        """The contributions of ``node`` to its operands' cotangents, as pairs of edge and cotangent."""
        p = self.primitive
        operands = self.saved(node)
        return [
            (edge, project(c, *space_of(edge)))
            for i, edge in enumerate(node.edge_x)
            if edge is not None and (c := vjp(p, i, g, operands, node.out, node.params)) is not None
        ]


class Spent:
    """The form of a node whose saved values have been released."""

    __slots__ = ("form",)

    def __init__(self, form: Form) -> None:
        self.form = form

    def __getattr__(self, name: str) -> Any:
        return getattr(self.form, name)

    @property
    def spent(self) -> Spent:
        return self

    def revive(self, node: Node, *origin: Node) -> Node:
        return node

    def pull(self, node: Node, g: Any) -> Any:
        raise GraphError(SPENT)


SPENT: Final = (
    "Trying to backward through the graph a second time (or directly access saved tensors after they have already been "
    "freed). Saved intermediate values of the graph are freed when you call .backward() or autograd.grad(). Specify "
    "retain_graph=True if you need to backward through the graph a second time or if you need to access saved tensors after "
    "calling backward."
)


_FORMS: dict[Primitive, Form] = {}


def form_of(primitive: Primitive) -> Form:
    """The general form of ``primitive``."""
    form = _FORMS.get(primitive)
    if form is None:
        form = _FORMS[primitive] = Form(primitive)
    return form


def space_of(edge: Any) -> tuple[tuple[int, ...], DType]:
    """The shape and dtype that a cotangent of ``edge`` has."""
    if type(edge) is Node or type(edge) is Port:
        return edge.shape, edge.dtype
    return edge.array.shape, dtype_of(edge.array)


def copied(node: Node, x: Any, y: Any, out: Any) -> Node:
    """A copy of ``node`` with other saved values."""
    copy = Node.__new__(Node)
    copy.form, copy.params, copy.seq, copy.shape = node.form, node.params, node.seq, node.shape
    copy.dtype, copy.edge_x, copy.edge_y, copy.hooks = node.dtype, node.edge_x, node.edge_y, None
    copy.x, copy.y, copy.out = x, y, out
    return copy


def apart(node: Node) -> Node:
    """``node``, or a copy of it whose pull gives two operands that are one (``x * x``) a contribution each."""
    return copied(node, node.x, node.y.view(), node.out) if type(node.y) is np.ndarray and node.y is node.x else node


def record(form: Form, edges: tuple[Any, ...], operands: Sequence[Any], out: Any, params: Any, wrap: Any) -> Any:
    """Make the node of a call and the boxes of its outputs; ``wrap(array, edge)`` makes one."""
    p = form.primitive
    wanted = {name for i, edge in enumerate(edges) if edge is not None for name in p.saves(i)}
    everything = "xs" in wanted or (p.kind == COMPOSITE and not p.rules)
    node = Node.__new__(Node)
    node.form, node.params, node.edge_x, node.edge_y, node.hooks = form, params, edges, None, None
    node.y = None
    node.x = tuple(
        x if everything or (i < len(OPERANDS) and OPERANDS[i] in wanted) or (p.variadic and not is_float(x)) else spec_of(x)
        for i, x in enumerate(operands)
    )
    if p.kind == MULTILINEAR and "xs" in wanted:
        lone = [i for i, edge in enumerate(edges) if edge is not None]
        if len(lone) == 1:  # its own transpose needs no more of it than the shape
            node.x = (*node.x[: lone[0]], spec_of(operands[lone[0]]), *node.x[lone[0] + 1 :])
    kept = tuple(None if is_float(part) else part for part in out) if p.selects else out
    node.out, node.seq = kept if "out" in wanted else None, next_seq()
    if p.outputs == 1:
        node.shape, node.dtype = out.shape, dtype_of(out)
        return wrap(out, node)
    node.shape, node.dtype = len(out), None
    node.edge_y = tuple(map(spec_of, out))
    return tuple(
        wrap(part, Port(node, k, part.shape, dtype_of(part)) if dtype_of(part).differentiable else None)
        for k, part in enumerate(out)
    )


def is_float(x: Any) -> bool:
    """Whether ``x`` could carry a derivative."""
    return isinstance(x, (Box, np.ndarray, np.generic)) and dtype_of(x).differentiable


def spec_of(x: Any) -> Spec | None:
    """What stands on the tape for an operand whose data no rule mentions."""
    shape = getattr(x, "shape", None)
    return None if shape is None else Spec(shape, dtype_of(x))


def replay(p: Primitive, i: int, g: Any, operands: Sequence[Any], params: dict[str, Any]) -> Any:
    """The vjp of a composite for operand ``i``: run its body on a private tape, then sweep that."""
    level = next(Recorded.levels)
    leaf = Recorded(operands[i], level)
    out = p.raw(*operands[:i], leaf, *operands[i + 1 :], **params)
    found = sweep([(out.edge or out, g)]) if type(out) is Recorded and out.level == level else {}
    return found[leaf] if leaf in found else np.zeros_like(operands[i])


def transpose_vjp(p: Primitive, operands: Sequence[Any], tangents: Sequence[Any], out: Any, params: dict[str, Any]) -> Any:
    """The jvp of a primitive that gives only a vjp: the vjp is linear in g, and its transpose is the jvp."""
    outs = out if p.outputs != 1 else (out,)
    level = next(Recorded.levels)
    leaves = [Recorded(np.zeros_like(o), level) if dtype_of(o).differentiable else None for o in outs]
    pulled = []
    for i, t in enumerate(tangents):
        if t is not None:
            bar = settled(vjp(p, i, leaves if p.outputs != 1 else leaves[0], operands, out, params))
            if type(bar) is Recorded:
                pulled.append((bar.edge or bar, t if t.shape == bar.shape else np.broadcast_to(t, bar.shape)))
    found = sweep(pulled)
    result = tuple(found.get(leaf, np.zeros_like(o)) for leaf, o in zip(leaves, outs, strict=True))
    return result if p.outputs != 1 else result[0]
