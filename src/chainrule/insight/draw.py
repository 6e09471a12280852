"""Draws what a tensor was computed from: `draw(y)` turns the tape behind it into a picture."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from chainrule.core.rules import dtype_of
from chainrule.core.spec import Spec
from chainrule.core.sweep import Node, Port
from chainrule.eager.tensor import Tensor, edge_of
from chainrule.insight.diagram import Arrow, Diagram, Vertex
from chainrule.insight.picture import Picture
from chainrule.insight.recorded import Constant, History, Names, history, is_small, kept_arrays

__all__ = ["draw"]


def draw(
    y: Tensor, *, names: Mapping[str, Tensor] | None = None, kind: str = "forward", max_vertices: int = 400
) -> Picture:
    """Draw how `y` was computed, or with kind="backward" how its gradient travels back.

    Tensors appear under their names: those in `names`, else the caller's variables that hold them. Gradients
    are shown where a leaf has one. Of more than `max_vertices` vertices those nearest to y are drawn. The
    backward picture has torch's names of the nodes, and says what each keeps until the backward pass.

    Constants are known from what the tape keeps, so draw before backward() frees it, or pass that
    retain_graph=True. Raises ValueError for a tensor behind which nothing is recorded.
    """
    _check(y, kind, max_vertices)
    caller = sys._getframe(1)
    known = Names(names or {}, caller.f_locals, caller.f_globals)
    del caller  # a frame that a traceback holds would hold everything in it
    write = {"forward": _Forward, "backward": _Backward}[kind](y, known)
    return Picture(_diagram(history(write.root, known.values), write, max_vertices))


def _check(y: Any, kind: str, max_vertices: int) -> None:
    if not isinstance(y, Tensor):
        raise TypeError(f"draw() takes a tensor, not {type(y).__name__}")
    if kind not in ("forward", "backward"):
        raise ValueError(f"kind must be 'forward' or 'backward', not {kind!r}")
    if isinstance(max_vertices, bool) or not isinstance(max_vertices, int):
        raise TypeError(f"max_vertices must be an int, not {type(max_vertices).__name__}")
    if max_vertices < 1:
        raise ValueError(f"max_vertices must be at least 1, not {max_vertices}")
    edge_of(y)  # a view may have to find out its history
    if y.node is None and y.leaf:
        raise ValueError("nothing is recorded behind a leaf; draw what is computed from it")
    if y.node is None:
        raise ValueError(
            "nothing is recorded behind this tensor: nothing it was computed from has requires_grad=True, "
            "or it was computed under no_grad(), or it was detached"
        )


def _diagram(past: History, write: _Forward, limit: int) -> Diagram:
    """Put the nearest `limit` things into a diagram; a grey vertex stands for all the others."""
    keys = [key for key, thing in past.things.items() if write.shows(thing)]
    kept = {key: f"v{index}" for index, key in enumerate(keys[:limit])}
    write.notice(past.things[key] for key in kept)
    vertices = [write.vertex(name, past.things[key]) for key, name in kept.items()]
    shown = [link for link in past.links if id(link.user) in kept and write.shows(link.origin)]
    arrows = [write.arrow(kept[at.key], kept[id(at.user)], at.port) for at in shown if at.key in kept]
    if len(keys) > limit:
        vertices.append(Vertex("more", "more", f"… {len(keys) - limit:,} more"))
        users = dict.fromkeys(id(link.user) for link in shown if link.key not in kept)
        arrows += [write.arrow("more", kept[user], None) for user in users]
    return Diagram(tuple(vertices), tuple(arrows))


class _Forward:
    """Data flows from the leaves and constants through the operations to the result."""

    def __init__(self, y: Tensor, names: Names) -> None:
        self._y = y
        self._names = names
        self.root: Node = y.node.node if type(y.node) is Port else y.node
        self._usual = y.dtype
        if self.root is y.node:
            names.values[id(self.root)] = y.array

    def notice(self, things: Iterable[Node | Tensor | Constant]) -> None:
        """Note the dtype that most nodes have: only others are worth saying."""
        dtypes = Counter(thing.dtype for thing in things if type(thing) is Node and thing.dtype is not None)
        self._usual = dtypes.most_common(1)[0][0] if dtypes else self._y.dtype

    def shows(self, thing: Node | Tensor | Constant) -> bool:
        """Tell whether this appears in the picture."""
        return True

    def arrow(self, origin: str, user: str, port: Port | None) -> Arrow:
        """Draw that `user` was computed from `origin`."""
        return Arrow(origin, user, self._port(port))

    def _port(self, port: Port | None) -> str:
        """Label what comes out of a node with several outputs; all others state their one shape."""
        return "" if port is None else f"{self._names.of(port) or f'[{port.index}]'} {_shape(port.shape)}"

    def vertex(self, key: str, thing: Node | Tensor | Constant) -> Vertex:
        """Write down one thing."""
        if isinstance(thing, Constant):
            return self._constant(key, thing)
        return self._leaf(key, thing) if isinstance(thing, Tensor) else self._node(key, thing)

    def _node(self, key: str, node: Node) -> Vertex:
        operation, content = _operation(node.name()), self._content(node)
        edge = self._edge(node)
        name, gradient = self._names.of(edge), _gradient(_keeper(edge))
        if node is self.root:
            lines = (operation, content) if name else (content,)
            return Vertex(key, "result", name or operation, (*lines, *gradient))
        return Vertex(key, "operation", operation, (f"{name}  {content}" if name else content, *gradient))

    def _edge(self, node: Node) -> Any:
        """The node, or of the one behind the result the edge that the result itself has."""
        return self._y.node if node is self.root else node

    def _content(self, node: Node) -> str:
        if node.dtype is None and node is not self.root:
            return f"{node.shape} outputs"
        edge = self._edge(node)
        return self._text(self._names.values.get(id(edge), Spec(edge.shape, edge.dtype)))

    def _text(self, content: Any) -> str:
        """The elements of a small array, else the shape; and the dtype where it is an unusual one."""
        dtype = dtype_of(content)
        text = _elements(content) if is_small(content) else _shape(content.shape)
        return text if dtype is self._usual else f"{text} {dtype.name}"

    def _leaf(self, key: str, leaf: Tensor) -> Vertex:
        name, content = self._names.of(leaf), self._text(leaf.array)
        return Vertex(key, "leaf", name or content, (*([content] if name else []), *_gradient(leaf)))

    def _constant(self, key: str, constant: Constant) -> Vertex:
        if constant.content is None:
            return Vertex(key, "constant", "number" if constant.number else "constant", (constant.missing,))
        if constant.number and isinstance(constant.content, np.ndarray):
            return Vertex(key, "constant", str(constant.content).removesuffix(".0"))  # as it was written: 2 * x
        name, text = self._names.of(constant.content), self._text(constant.content)
        return Vertex(key, "constant", name or text, (text,) if name else ())


class _Backward(_Forward):
    """Cotangents flow from the result to the leaves; constants have no part in it."""

    def shows(self, thing: Node | Tensor | Constant) -> bool:
        return not isinstance(thing, Constant)

    def arrow(self, origin: str, user: str, port: Port | None) -> Arrow:
        return Arrow(user, origin, self._port(port))

    def _node(self, key: str, node: Node) -> Vertex:
        name = self._names.of(self._edge(node))
        shape = f"{node.shape} outputs" if node.dtype is None else _shape(node.shape)
        keeps = [f"keeps {_shape(array.shape)}" for array in kept_arrays(node)]
        kind = "result" if node is self.root else "operation"
        return Vertex(key, kind, node.name(), (f"{name}  {shape}" if name else shape, *keeps))


def _keeper(edge: Any) -> Tensor | None:
    """The tensor on this edge that retain_grad() was called on, if it still exists."""
    retained = getattr(edge.hooks, "retained", None)
    return None if retained is None else retained()


def _gradient(tensor: Tensor | None) -> tuple[str, ...]:
    """The elements of a tensor's gradient or else its norm; the shape is known, it is the tensor's."""
    g = None if tensor is None else tensor.grad
    if g is None or not isinstance(g.array, np.ndarray):
        return ()
    if is_small(g.array):
        return (f"grad {_elements(g.array)}",)
    return (f"grad norm {np.linalg.norm(_wide(g.array).ravel()):.3g}",)


def _operation(name: str) -> str:
    """torch's name of an operation without what makes it that of a node: MulBackward0 is Mul."""
    return name.rpartition("::")[2].partition("Backward")[0]


def _shape(shape: Iterable[int]) -> str:
    lengths = tuple(shape)
    return str(lengths) if lengths else "scalar"


def _elements(array: np.ndarray) -> str:
    values = _wide(array).tolist()
    return f"[{', '.join(map(_number, values))}]" if array.ndim else _number(values)


def _wide(array: np.ndarray) -> np.ndarray:
    """Half precision as float32: Python and NumPy's linear algebra know no bfloat16."""
    return array.astype(np.float32) if dtype_of(array).half else array


def _number(value: Any) -> str:
    """A number to four digits; floats keep looking like floats.

    >>> _number(3.0), _number(2/3), _number(7), _number(1e-9), _number(float("nan"))
    ('3.0', '0.6667', '7', '1e-09', 'nan')
    """
    if isinstance(value, complex):
        return f"{value:.4g}"
    if not isinstance(value, float):
        return str(value)
    text = f"{value:.4g}"
    return text if any(mark in text for mark in ".en") else f"{text}.0"
