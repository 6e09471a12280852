"""One function per primitive for the everyday call: tensors of one plain dtype, no mode but no_grad.

``specialise(p)`` compiles and returns that function, whose text `source` writes: it checks its operands, calls
NumPy, and makes the tensor and its node, without another frame in between. What it does not take goes to the generic
path. Source is compiled once per *pattern* (operands, parameters, what the rules mention), so that importing costs
nothing and a primitive's first call a millisecond at most.
"""

from __future__ import annotations

import linecache
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Final
from weakref import ref

import numpy as np

from chainrule.core.box import KNOWN, dispatch
from chainrule.core.primitive import ELEMENTWISE, NON_DIFFERENTIABLE, OPERANDS, TABLE, Primitive
from chainrule.core.rules import copied, multiple, next_seq
from chainrule.core.sweep import Node, Port
from chainrule.eager.levels import differentiating
from chainrule.eager.modes import NO_GRAD, state
from chainrule.eager.source import ARGUMENTS, Pattern, source_of
from chainrule.eager.tape import RECOVERABLE, TensorForm, recover
from chainrule.eager.tensor import LANES, Parameter, Tensor, scalar
from chainrule.eager.views import Views, enter, prune, views_of


def spec(edge: Any) -> Any:
    """What knows the shape that an edge other than a node leads to: a leaf's array, quicker than the leaf itself."""
    return edge if type(edge) is Port else edge.array


SCOPE: Final[dict[str, Any]] = {  # the global names of the functions written here
    "__name__": __name__,  # so that the warning filter of `quiet` knows them
    "NO_GRAD": NO_GRAD, "Node": Node, "Parameter": Parameter, "Tensor": Tensor, "asarray": np.asarray,
    "bool_lane": LANES[np.dtype(bool)], "multiple": multiple, "ndarray": np.ndarray, "new": object.__new__,
    "next_seq": next_seq, "prune": prune, "ref": ref, "enter": enter, "Views": Views, "views_of": views_of,
    "recover": recover, "recoverable": RECOVERABLE, "scalar": scalar, "spec": spec,
    "state": state,
}  # fmt: skip


class SlotForm(TensorForm):
    """The layout of a specialised call: saved operands and edges in slots of their own, params a tuple."""

    __slots__ = ("pull",)
    pull: Any

    def edges(self, node: Node) -> tuple[Any, ...]:
        return (node.edge_x, node.edge_y)[: self.primitive.arity]

    def saved(self, node: Node) -> tuple[Any, ...]:
        return (node.x, node.y)[: self.primitive.arity]

    def params(self, node: Node) -> dict[str, Any]:
        return dict(zip(self.primitive.params, node.params or (), strict=True))

    def with_saved(self, node: Node, operands: Any, out: Any) -> Node:
        return copied(node, operands[0], operands[1] if len(operands) > 1 else None, out)


class TupleForm(TensorForm):
    """The layout of a specialised call with three operands: the general one, pulled back by a function of its own."""

    __slots__ = ("pull",)
    pull: Any


def pattern_of(p: Primitive, out: bool = False) -> Pattern:
    """The pattern of a primitive that can be specialised."""
    signature = "".join(f", {k}" if v is ... else f", {k}={v!r}" for k, v in p.params.items())
    rules = tuple(None if (r := p.rule(i)) is None else (r.mentions, r.params) for i in range(p.arity))
    saves = tuple(frozenset(p.saves(i)) for i in range(p.arity))
    specs = tuple(
        frozenset(n for n in (r[0] if r else ()) if n in OPERANDS and n not in saves[i]) for i, r in enumerate(rules)
    )
    elementwise = p.kind in (ELEMENTWISE, NON_DIFFERENTIABLE)
    required = p.arity - len(getattr(p.raw, "__defaults__", None) or ())
    arguments = ", ".join(name if i < required else f"{name}=None" for i, name in enumerate(ARGUMENTS[: p.arity]))
    if required < p.arity and ... in p.params.values():
        signature = ", *" + signature
    if out:
        signature += ", out=None" if "*" in signature else ", *, out=None"
    lane, compares = "native" if p.moves else "plain", p.kind == NON_DIFFERENTIABLE
    return Pattern(p.arity, arguments, signature, tuple(p.params), rules, saves, specs, elementwise and p.arity == 2,
                   lane, p.moves, compares, out, p.keeping is not None)  # fmt: skip


def specialise(
    p: Primitive, general: Callable[..., Any] = dispatch, into: Callable[..., Any] | None = None
) -> Callable[..., Any]:
    """The specialised function of ``p``. It takes NumPy's parameter names; ``general`` takes what it leaves.

    With ``into`` it takes ``out=`` as well, which that function sees to.
    """
    if not can_specialise(p):
        return generic(p, general, into)
    pattern = pattern_of(p, into is not None)
    make = factory(pattern)
    forms: list[Any] = [SlotForm(p, scalars) if p.arity < 3 else TupleForm(p) for scalars in ((), (0,), (1,))]
    rules = ((rule.fun if (rule := p.rule(i)) else None) for i in range(p.arity))
    fun, pull = make(p, general, into, *forms, p.keeping or p.raw, *rules)
    for form in forms:
        form.pull = pull
    for inner in (fun, pull):  # a code object of its own: the interpreter adapts it to this primitive
        inner.__code__ = inner.__code__.replace(co_name=p.name)
    fun.__name__ = fun.__qualname__ = (p.torch or p.name).split()[0]
    fun.__doc__ = p.fun.__doc__
    return fun  # type: ignore[no-any-return]


def can_specialise(p: Primitive) -> bool:
    """Whether ``p`` has a function of its own: up to three operands, one output, rules that are given."""
    compares = p.kind == NON_DIFFERENTIABLE and isinstance(p.fun, np.ufunc) and p.fun.types[0].endswith("?")
    ruled = bool(p.rules) and p.rules[0] is not None
    few = p.arity in (1, 2) or (p.arity == 3 and not p.moves)
    return few and p.outputs == 1 and not p.retypes and (ruled or compares)


def generic(
    p: Primitive, general: Callable[..., Any] = dispatch, into: Callable[..., Any] | None = None
) -> Callable[..., Any]:
    """The function of a primitive that always takes the generic path."""
    names = list(p.params)

    def fun(*args: Any, **params: Any) -> Any:
        if into is not None and params.get("out") is not None:
            return into(params.pop("out"), fun.__name__, fun, args, params)
        operands = args if p.variadic else args[: p.arity]
        params = dict(p.params) | dict(zip(names, args[len(operands) :], strict=False)) | params
        return general(p, operands, params)

    fun.__name__ = fun.__qualname__ = (p.torch or p.name).split()[0]
    fun.__doc__ = p.fun.__doc__
    return fun


@cache
def factory(pattern: Pattern) -> Callable[..., Any]:
    """Compile the maker of all functions of one pattern."""
    source = source_of(pattern)
    filename = f"<chainrule {pattern.arity}-ary pattern {len(linecache.cache)}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)  # for tracebacks
    scope: dict[str, Any] = {}
    exec(compile(source, filename, "exec"), SCOPE, scope)
    return scope["make"]  # type: ignore[no-any-return]


class Functions:
    """The specialised functions by the primitive's name, each made when it is first asked for."""

    def __init__(self, general: Callable[..., Any] = dispatch, into: Callable[..., Any] | None = None) -> None:
        self._general = general
        self._into = into

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name not in PRIMITIVES:
            for p in TABLE.values():
                PRIMITIVES.setdefault(p.name, p)
        if name not in PRIMITIVES:
            raise AttributeError(f"the table has no primitive {name!r}")
        fun = specialise(PRIMITIVES[name], self._general, self._into)
        setattr(self, name, fun)
        return fun


def operate(p: Primitive, operands: Sequence[Any], params: dict[str, Any]) -> Any:
    """What an operator does off the fast path: leave it to the other operand if its type is foreign."""
    for operand in operands:
        if not isinstance(operand, KNOWN) and not (isinstance(operand, list) and differentiating.get()):
            return NotImplemented
    return dispatch(p, operands, params)


def function_of(p: Primitive) -> Callable[..., Any]:
    """The specialised function of ``p``, whose name another primitive may have too."""
    found = _functions.get(p)
    if found is None:
        found = getattr(F, p.name)
        if PRIMITIVES[p.name] is not p:
            found = specialise(p)
        _functions[p] = found
    return found


PRIMITIVES: Final[dict[str, Primitive]] = {}
_functions: Final[dict[Primitive, Callable[..., Any]]] = {}
F: Final = Functions()
OPERATORS: Final = Functions(operate)
