"""A recorded tensor as a list of steps: what was computed from what, under names, with the values that are known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from chainrule.core.sweep import Node, Port
from chainrule.eager import writes
from chainrule.eager.tensor import Tensor, edge_of
from chainrule.insight.figures import figure
from chainrule.insight.formulas import operation_text
from chainrule.insight.kept import computed, recovered, saved_values

INPUT: Final = "input"
CONSTANT: Final = "constant"
OPERATION: Final = "operation"


@dataclass(eq=False)
class Value:
    """One quantity of a computation: an input, a constant, or what an operation gave.

    ``array`` is None where the tape has not kept it; ``edge`` is the leaf, the node or the port on the tape.
    """

    name: str
    kind: str
    array: Any
    shape: tuple[int, ...] | None
    edge: Any = None

    @property
    def size(self) -> int:
        """The number of entries (1 for a scalar)."""
        return int(np.prod(self.shape or (), dtype=int))

    def __repr__(self) -> str:
        return f"<{self.kind} {self.name}>"


@dataclass(eq=False)
class Step:
    """One recorded operation: its node, its operands in order, and those of its outputs that are used."""

    node: Node
    operands: tuple[Value, ...]
    outputs: tuple[Value, ...]

    @property
    def text(self) -> str:
        """The operation as it would be written: ``x3 ** 2``."""
        form = self.node.form
        return operation_text(form.primitive, [x.name for x in self.operands], form.params(self.node))

    def text_of(self, output: Value) -> str:
        """The operation that gave ``output``, which may be one of several results: ``sort(x, dim=0)[0]``."""
        return f"{self.text}[{output.edge.index}]" if type(output.edge) is Port else self.text


@dataclass(eq=False)
class Trace:
    """A computation in the order in which it was made."""

    inputs: list[Value] = field(default_factory=list)
    constants: list[Value] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    result: Value = field(default_factory=lambda: Value("", OPERATION, None, None))


@dataclass
class Known:
    """What a caller knows beyond the tape: names of leaves and of arrays, values of nodes, their constants."""

    leaves: Mapping[Tensor, str] = field(default_factory=dict)
    arrays: Mapping[int, str] = field(default_factory=dict)  # by id
    values: Mapping[Node, Any] = field(default_factory=dict)
    constants: Mapping[Node, list[tuple[str, Any]]] = field(default_factory=dict)


def trace(y: Tensor, result: str, known: Known) -> Trace:
    """The computation that made ``y``. ValueError if there is none on the tape, or no longer."""
    refuse(y)
    edge_of(y)  # a view may have to find out its history
    nodes, leaves = reachable(y)
    saved = saved_values(nodes)
    builder = Builder(known, saved, result)
    builder.root = y.node
    names = builder.leaf_names(leaves)
    for leaf in leaves:
        builder.input(leaf, names[leaf])
    builder.prefix = free_prefix({*names.values(), *known.leaves.values(), *known.arrays.values(), result})
    saved[y.node] = y.array
    ports = used_ports(y, nodes)
    for node in nodes:
        builder.step(node, ports.get(node, {}))
    builder.trace.result = builder.values[y.node]
    return builder.trace


def refuse(y: Tensor) -> None:
    """Raise ValueError if there is nothing to explain about ``y``, saying why."""
    if not isinstance(y, Tensor):
        raise TypeError(f"explain() takes a recorded tensor, not {type(y).__name__}")
    if y.node is None and y.leaf:
        raise ValueError("nothing has been recorded: this tensor was made by hand, not computed from others")
    if y.node is None:
        raise ValueError(
            "nothing has been recorded: no operand had requires_grad=True, "
            "or the computation ran under no_grad(), or the tensor was detached"
        )
    if not isinstance(y.array, np.ndarray):
        raise ValueError(f"explain() looks at plain arrays; inside a transform this is a {type(y.array).__name__}")
    if y.dtype.is_complex:
        raise ValueError("explain() covers real tensors; this one is complex")


def reachable(y: Tensor) -> tuple[list[Node], list[Tensor]]:
    """The nodes that ``y`` depends on, oldest first, and the leaves in the order in which they were first used."""
    found: set[Node] = set()
    stack = [node_of(y.node)]
    while stack:
        node = stack.pop()
        if node in found:
            continue
        found.add(node)
        check_alive(node)
        stack += [node_of(edge) for edge in node.form.edges(node) if type(edge) in (Node, Port)]
    nodes = sorted(found, key=lambda node: node.seq)
    edges = [edge for node in nodes for edge in node.form.edges(node)]
    leaves = list(dict.fromkeys(edge for edge in edges if isinstance(edge, Tensor)))
    return nodes, leaves


def check_alive(node: Node) -> None:
    """Raise ValueError if what ``node`` saved is gone, GraphError if it was overwritten."""
    form = node.form
    if getattr(form, "form", None) is not None:  # what a backward pass leaves behind
        raise ValueError(
            "the graph has been freed by a backward pass: explain the result before backward(), "
            "or call backward(retain_graph=True)"
        )
    writes.check_saved(node)


def node_of(edge: Any) -> Node:
    """The node that an edge leads to."""
    return edge.node if type(edge) is Port else edge


def used_ports(y: Tensor, nodes: Iterable[Node]) -> dict[Node, dict[int, Port]]:
    """The outputs of nodes with several that something was computed from."""
    ports: dict[Node, dict[int, Port]] = {}
    for edge in (y.node, *(edge for node in nodes for edge in node.form.edges(node))):
        if type(edge) is Port:
            ports.setdefault(edge.node, {})[edge.index] = edge
    return ports


def free_prefix(taken: Iterable[str]) -> str:
    """A letter for the intermediate values such that no name in ``taken`` is that letter and a number."""
    used = {name.rstrip("0123456789") for name in taken if name[-1:].isdigit()}
    return next(letter for letter in ("v", "u", "t", "s", "v_", "u_", "t_", "tmp_", "step_", "·") if letter not in used)


class Builder:
    """Names the values of a computation and finds their arrays, one node after the other."""

    prefix = "v"
    root: Any = None

    def __init__(self, known: Known, saved: dict[Any, Any], result: str) -> None:
        self.known = known
        self.saved = saved
        self.result = result
        self.trace = Trace()
        self.values: dict[Any, Value] = {}
        self.constants: dict[Any, Value] = {}
        self.taken = {result}
        self.count = 0

    def leaf_names(self, leaves: list[Tensor]) -> dict[Tensor, str]:
        """A name for each leaf: the caller's, else x1, x2 and so on (x alone, if there is one)."""
        names: dict[Tensor, str] = {}
        for leaf in leaves:
            if leaf in self.known.leaves:
                names[leaf] = unused(self.known.leaves[leaf], {*names.values(), self.result})
        nameless = [leaf for leaf in leaves if leaf not in names]
        for number, leaf in enumerate(nameless, 1):
            names[leaf] = unused("x" if len(nameless) == 1 else f"x{number}", {*names.values(), self.result})
        return names

    def input(self, leaf: Tensor, name: str) -> None:
        value = Value(name, INPUT, leaf.array, tuple(leaf.array.shape), leaf)
        self.values[leaf] = value
        self.taken.add(name)
        self.trace.inputs.append(value)

    def step(self, node: Node, ports: dict[int, Port]) -> None:
        form = node.form
        operands: list[Value | None] = [
            None if edge is None else self.values[edge] for edge in form.edges(node)
        ]
        given = list(self.known.constants.get(node, ()))
        saved = form.saved(node)
        for i, x in enumerate(operands):
            if x is None:
                array = saved[i] if isinstance(saved[i], np.ndarray) else None
                operands[i] = self.constant(node, i, array, given, operands)
        complete = tuple(x for x in operands if x is not None)
        outputs = self.outputs(node, ports, complete)
        self.trace.steps.append(Step(node, complete, outputs))

    def constant(self, node: Node, i: int, array: Any, given: list[tuple[str, Any]], operands: list[Any]) -> Value:
        """The constant operand ``i``: under the caller's name for it, as a number, or as c1, c2 and so on."""
        name = None
        if given:
            # The caller knows the constants in order; where the tape has kept one, it says which is meant.
            here = next((k for k, (_, other) in enumerate(given) if array is None or same(array, other)), None)
            if here is not None:
                name, array = given.pop(here)
        if array is None:
            array = recovered(node, i, [None if x is None else x.array for x in operands], self.saved)
        if not name:
            name = self.known.arrays.get(id(array))
        if not name and array is not None and array.size == 1:
            return Value(figure(array.reshape(())), CONSTANT, array, tuple(array.shape))
        key = name or (id(array) if array is not None else (node, i))
        if key not in self.constants:
            label = name or unused(f"c{len(self.constants) + 1}", self.taken)
            self.taken.add(label)
            shape = None if array is None else tuple(array.shape)
            self.constants[key] = Value(label, CONSTANT, array, shape)
            self.trace.constants.append(self.constants[key])
        return self.constants[key]

    def outputs(self, node: Node, ports: dict[int, Port], operands: tuple[Value, ...]) -> tuple[Value, ...]:
        if not ports:
            array = self.known.values.get(node)
            array = self.saved.get(node, array) if array is None else array
            if array is None:
                array = computed(node, [x.array for x in operands])
            return (self.output(node, array, tuple(node.shape)),)
        out = node.out if isinstance(node.out, tuple) else computed(node, [x.array for x in operands])
        found = []
        for index, port in sorted(ports.items()):
            array = self.saved.get(port)
            if array is None and out is not None:
                array = out[index]
            found.append(self.output(port, array, tuple(port.shape)))
        return tuple(found)

    def output(self, edge: Any, array: Any, shape: tuple[int, ...]) -> Value:
        self.count += 1
        name = self.result if edge is self.root else f"{self.prefix}{self.count}"
        self.values[edge] = Value(name, OPERATION, array, shape, edge)
        return self.values[edge]


def same(a: Any, b: Any) -> bool:
    return a is b or (a.shape == b.shape and bool(np.array_equal(a, b, equal_nan=True)))


def unused(name: str, taken: Iterable[str]) -> str:
    """``name``, with underscores behind it if it is taken."""
    taken = set(taken)
    while name in taken:
        name += "_"
    return name
