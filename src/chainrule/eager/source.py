"""The source of the specialised functions (`specialise`): a text for each pattern of operands, parameters and rules."""

from __future__ import annotations

from typing import Final, NamedTuple

from chainrule.core.primitive import OPERANDS

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
