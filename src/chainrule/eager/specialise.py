"""One function per primitive for the everyday call: tensors of one plain dtype, no mode but no_grad.

``specialise(p)`` writes, compiles and returns that function: it checks its operands, calls NumPy, and makes the
tensor and its node, without another frame in between. What it does not take goes to the generic path. Source is
compiled once per *pattern* (operands, parameters, what the rules mention), so that importing costs nothing and a
primitive's first call a millisecond at most.
"""

from __future__ import annotations

import linecache
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Final, NamedTuple
from weakref import ref

import numpy as np

from chainrule.core.box import KNOWN, dispatch
from chainrule.core.primitive import ELEMENTWISE, NON_DIFFERENTIABLE, OPERANDS, TABLE, Primitive
from chainrule.core.rules import copied, multiple, next_seq
from chainrule.core.sweep import Node, Port
from chainrule.eager.modes import NO_GRAD, state
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


ARGUMENTS: Final = ("input", "other", "third")


class Pattern(NamedTuple):
    """What the source of a specialised function depends on."""

    arity: int
    arguments: str  # "input, other, third=None"
    signature: str  # ", axis=None, keepdims=False"
    params: tuple[str, ...]
    rules: tuple[tuple[tuple[str, ...], tuple[str, ...]] | None, ...]  # mentions and params of each rule
    saves: tuple[frozenset[str], ...]
    specs: tuple[frozenset[str], ...]  # mentioned, but only as a Spec
    scalars: bool
    lane: str  # "plain" or "native"
    moves: str
    compares: bool
    out: bool  # whether it takes out=
    keeps: bool  # whether its rules get what it computes on the way


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


def source_of(pattern: Pattern) -> str:
    """The maker's text. Read one with ``print(source_of(pattern_of(TABLE[np.multiply])))``."""
    operands = list(OPERANDS[: pattern.arity])
    arguments = ", ".join(ARGUMENTS[: pattern.arity])
    keep = "{" + ", ".join(f"{n!r}: {n}" for n in pattern.params) + "}"
    fallback = f"return general(primitive, ({arguments},), {keep})"
    take = (_take_one, _take_two, _take_three)[pattern.arity - 1](pattern, fallback)
    call = "".join(f", {n}={n}" for n in pattern.params)
    result, nothing = ("r, kept", ", None") if pattern.keeps else ("r", "")
    tail = _no_node() if pattern.compares else _make_node(pattern, operands)
    stored = f"    if out is not None:\n        return into(out, fun.__name__, fun, ({arguments},), {keep})\n"
    fun = f"""
{stored if pattern.out else ""}    mode = state()
    if mode is not None and mode is not NO_GRAD:
        {fallback}
{take}
    try:
        {result} = raw({", ".join(operands)}{call})
    except recoverable as fault:
        {result} = recover(fault, primitive, ({", ".join(operands)},), {keep}){nothing}
    if type(r) is not ndarray:
        r = asarray(r)
    t = new(Tensor)
    t.array = r
    t.lane = {"bool_lane" if pattern.compares else "lane"}
    t.leaf = t.uncounted = False
    t._grad = t.hooks = None
{_link(pattern)}
{tail}"""
    rules = ", ".join(f"rule_{n}" for n in operands)
    return (
        f"def make(primitive, general, into, form, form_x, form_y, raw, {rules}):\n"
        f"  def fun({pattern.arguments}{pattern.signature}):{fun}\n"
        f"  def pull(n, g):\n{_pull(pattern, operands)}\n"
        "  return fun, pull\n"
    )


def _take_one(pattern: Pattern, fallback: str) -> str:
    return f"""\
    if type(input) is not Tensor and type(input) is not Parameter:
        {fallback}
    lane = input.lane
    if not lane.{pattern.lane}:
        {fallback}
    x = input.array
    ex = input.node
    if ex is None and input.leaf:
        ex = input"""


def _take_two(pattern: Pattern, fallback: str) -> str:
    numbers = """\
        elif (kind is float or kind is int) and lane.plain:
            y = lane.scalars.get(other)
            if y is None:
                y = scalar(lane, other)
            ey = None
            chosen = form_y
"""
    reflected = """\
    elif (kind is float or kind is int) and (type(other) is Tensor or type(other) is Parameter) and other.lane.plain:
        lane = other.lane
        x = lane.scalars.get(input)
        if x is None:
            x = scalar(lane, input)
        ex = None
        y = other.array
        ey = other.node
        if ey is None and other.leaf:
            ey = other
        chosen = form_x
"""
    return f"""\
    kind = type(input)
    if kind is Tensor or kind is Parameter:
        lane = input.lane
        kind = type(other)
        if kind is Tensor or kind is Parameter:
            if other.lane is not lane or not lane.{pattern.lane}:
                {fallback}
            y = other.array
            ey = other.node
            if ey is None and other.leaf:
                ey = other
            chosen = form
{numbers if pattern.scalars else ""}\
        else:
            {fallback}
        x = input.array
        ex = input.node
        if ex is None and input.leaf:
            ex = input
{reflected if pattern.scalars else ""}\
    else:
        {fallback}"""


def _take_three(pattern: Pattern, fallback: str) -> str:
    """Three operands: tensors of one lane where there is a derivative; anything that needs none, or None, elsewhere."""
    lines = ["    lane = getattr(input, 'lane', None)", f"    if lane is None or not lane.plain:\n        {fallback}"]
    for name, argument, rule in zip(OPERANDS, ARGUMENTS, pattern.rules, strict=False):
        lines.append(_take_active(name, argument, fallback) if rule else _take_passive(name, argument, fallback))
    return "\n".join(lines)


def _take_active(name: str, argument: str, fallback: str) -> str:
    return f"""\
    if (type({argument}) is not Tensor and type({argument}) is not Parameter) or {argument}.lane is not lane:
        {fallback}
    {name} = {argument}.array
    e{name} = {argument}.node
    if e{name} is None and {argument}.leaf:
        e{name} = {argument}"""


def _take_passive(name: str, argument: str, fallback: str) -> str:
    return f"""\
    e{name} = None
    if {argument} is None:
        {name} = None
    elif type({argument}) is Tensor and {argument}.node is None and not {argument}.leaf:
        {name} = {argument}.array
    else:
        {fallback}"""


def _link(pattern: Pattern) -> str:
    """What makes the result known as a view of its base, or says that it is none."""
    if pattern.moves not in ("view", "maybe view"):
        return "    t.base = None"
    lines = """\
    t.uncounted = input.uncounted
    base = input.base
    if type(base) is Views:
        t.base = input
        views = base
    elif base is None:
        t.base = input
        views = views_of(input)
    else:
        t.base = base
        views = base.base
    if mode is None and not views.mixed:
        views.append(ref(t))
    else:
        enter(views, t, input, mode)
    if len(views) > views.limit:
        prune(views)"""
    if pattern.moves == "view":
        return lines
    return "    if r.base is x or (r.base is not None and r.base is x.base):\n" + "\n".join(
        "    " + line for line in lines.splitlines()) + "\n    else:\n        t.base = None"


def _no_node() -> str:
    return "    t.node = None\n    return t"


def _make_node(pattern: Pattern, operands: list[str]) -> str:
    nothing = " and ".join(f"e{name} is None" for name in operands)
    lines = [
        f"    if mode is not None or ({nothing}):",
        "        t.node = None",
        *(["        t.leaf = ex is not None"] if pattern.moves in ("view", "maybe view") else []),
        "        return t",
        "    n = new(Node)",
        *(_fill_tuples(pattern, operands) if pattern.arity == 3 else _fill_slots(pattern, operands)),
        "    shape = r.shape  # the tuple of the operand's node where they are equal: one object less per call",
        "    n.shape = ex.shape if type(ex) is Node and ex.shape == shape else shape",
        "    n.dtype = lane.dtype",
        "    n.hooks = None",
        "    n.seq = next_seq()",
        "    t.node = n",
        "    return t",
    ]
    return "\n".join(lines)


def _fill_slots(pattern: Pattern, operands: list[str]) -> list[str]:
    two = pattern.arity == 2
    return [
        f"    n.form = {'chosen' if two else 'form'}",
        "    n.edge_x = ex",
        f"    n.edge_y = {'ey' if two else 'None'}",
        *(f"    n.{name} = {_saved(pattern, name, operands)}" for name in ("x", "y", "out")),
        *(["    n.y = kept"] if pattern.keeps else []),
        f"    n.params = {'(' + ', '.join(pattern.params) + ',)' if pattern.params else 'None'}",
    ]


def _fill_tuples(pattern: Pattern, operands: list[str]) -> list[str]:
    return [
        "    n.form = form",
        f"    n.edge_x = ({', '.join(f'e{name}' for name in operands)})",
        f"    n.x = ({', '.join(_saved(pattern, name, operands) for name in operands)})",
        f"    n.out = {_saved(pattern, 'out', operands)}",
        "    n.edge_y = n.y = None",
        f"    n.params = {{{', '.join(f'{n!r}: {n}' for n in pattern.params)}}}",
    ]


def _saved(pattern: Pattern, name: str, operands: list[str]) -> str:
    """The expression for slot ``name``: the value only if an operand that needs a gradient asks for it."""
    by = [operand for operand, saves in zip(operands, pattern.saves, strict=True) if name in saves]
    if not by:
        return "None"
    value = "r" if name == "out" else name
    if len(by) == len(operands):
        return value
    return f"{value} if {' or '.join(f'e{operand} is not None' for operand in by)} else None"


def _pull(pattern: Pattern, operands: list[str]) -> str:
    if pattern.compares:
        return "    return ()"
    if pattern.arity == 3:
        return _pull_three(pattern, operands)
    parts = [_contribution(pattern, i, name) for i, name in enumerate(operands)]
    if len(parts) == 1:
        return f"    return ((n.edge_x, {parts[0]}),)"
    x, y = parts
    if y is None:
        return f"    return ((n.edge_x, {x}),)"
    twice = ""
    if pattern.scalars and not any("g" in rule[0] for rule in pattern.rules if rule):
        first, second = (str(part).removeprefix("g * ") for part in (x, y))
        twice = f"""\
    if ex is ey and n.x is n.y and type(g) is ndarray:  # x * x: one product, not two and their sum
        a = {first}
        b = {second}
        return ((ex, multiple(g, 2) * a if a is b else g * (a + b)),)
"""
    return (
        "    ex = n.edge_x\n    ey = n.edge_y\n"
        f"    if ey is None:\n        return ((ex, {x}),)\n"
        f"    if ex is None:\n        return ((ey, {y}),)\n{twice}"
        f"    return ((ex, {x}), (ey, {y}))"
    )


def _pull_three(pattern: Pattern, operands: list[str]) -> str:
    lines = ["    ex, ey, ez = n.edge_x", "    x, y, z = n.x", "    found = []"]
    for i, name in enumerate(operands):
        part = _contribution(pattern, i, name)
        if part is not None:
            lines += [f"    if e{name} is not None:", f"        found.append((e{name}, {part}))"]
    return "\n".join([*lines, "    return found"])


def _contribution(pattern: Pattern, i: int, operand: str) -> str | None:
    rule = pattern.rules[i]
    if rule is None:
        return None
    mentions, params = rule
    slots = pattern.arity < 3
    edge = "n.edge_" if slots else "e"
    values = [
        "g" if n == "g"
        else f"({edge}{n} if type({edge}{n}) is Node else spec({edge}{n}))" if n in pattern.specs[i]
        else n if n in OPERANDS and not slots
        else "n.y" if n == "kept"
        else f"n.{n}"
        for n in mentions
    ]  # fmt: skip
    values += [f"{n}=n.params[{pattern.params.index(n) if slots else repr(n)}]" for n in params]
    call = f"rule_{operand}({', '.join(values)})"
    return call if "g" in mentions else f"g * {call}"


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
        if not isinstance(operand, KNOWN):
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
