"""Primitives: what one line of the derivative table becomes, and the registry that holds them.

A *rule* is plain NumPy code whose parameter names say what it wants:

=================  ====================================================================
``x, y, z, w``     operands by position (in a linear rule, and for the operand that a
                   transpose belongs to, only their `Spec`)
``xs``, ``i``      all operands of a variadic primitive, and the number of the one served
``out``            the primal output (a tuple for several outputs)
``kept``           what the column ``keeping`` computed on the way; None where that is not known
``g``              the cotangent (a tuple for several outputs, an absent one is None)
keyword-only       static parameters, with NumPy's names and defaults
=================  ====================================================================

What a rule mentions is what the tape saves. Nothing here knows a tensor or declares a primitive.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

OPERANDS: Final = "xyzw"

ELEMENTWISE: Final = "elementwise"
LINEAR: Final = "linear"
MULTILINEAR: Final = "multilinear"
GENERAL: Final = "general"
COMPOSITE: Final = "composite"
ZERO_DERIVATIVE: Final = "zero derivative"
NON_DIFFERENTIABLE: Final = "non-differentiable"
CUSTOM: Final = "custom"  # no line of the table: a user's function that differentiates itself


class Rule:
    """One derivative formula and the names it mentions, read once from its code object."""

    __slots__ = ("fun", "mentions", "params", "read")

    def __init__(self, fun: Callable[..., Any]) -> None:
        code = fun.__code__
        end = code.co_argcount
        self.fun = fun
        self.mentions: tuple[str, ...] = code.co_varnames[:end]
        self.params: tuple[str, ...] = code.co_varnames[end : end + code.co_kwonlyargcount]
        if code.co_flags & 0x04:  # *xs
            self.mentions += ("xs",)
        unknown = set(self.mentions) - set(EVERYTHING)
        if unknown:
            raise TypeError(f"a rule may mention x, y, z, w, xs, i, out, kept, g and t, not {sorted(unknown)}")
        self.read: Any = None  # the formula as a function of all that it might mention, made when it is asked for

    def __call__(
        self, along: Any, operands: Sequence[Any], out: Any, params: dict[str, Any], i: int = 0, kept: Any = None
    ) -> Any:
        """The formula with what it mentions; ``along`` is the cotangent, or the tangents."""
        if self.read is None:
            args = [EVERYTHING[name] for name in self.mentions] + [f"{name}=params[{name!r}]" for name in self.params]
            text = f"lambda along, operands, out, params, i, kept: fun({', '.join(args)})"
            self.read = eval(text, {"fun": self.fun})  # noqa: S307 (of names of our own)
        return self.read(along, operands, out, params, i, kept)


EVERYTHING: Final = {  # what a rule may mention, as it is found among the arguments of a rule's call
    "g": "along", "t": "along", "xs": "*operands", "out": "out", "i": "i", "kept": "kept", "x": "operands[0]",
    **{name: f"operands[{k}] if len(operands) > {k} else None" for k, name in enumerate(OPERANDS) if k},  # or left out
}  # fmt: skip


class Primitive:
    """An op of the table: the function it stands for, its kind, its rules, and columns for each face."""

    __slots__ = (
        "arity", "fun", "holomorphic", "integers", "keeping", "kind", "kinks", "listed", "moves",
        "name", "node", "outputs", "params", "promoted", "pushforward", "raw", "retypes", "rules", "selects", "torch",
    )  # fmt: skip

    def __init__(
        self,
        fun: Callable[..., Any],
        kind: str,
        rules: tuple[Callable[..., Any] | None, ...],
        *,
        raw: Callable[..., Any] | None = None,
        keeping: Callable[..., Any] | None = None,
        jvp: Callable[..., Any] | None = None,
        arity: int | None = None,
        params: dict[str, Any] | None = None,
        outputs: int = 1,  # -1: as many as the call gives
        integers: str = "keep",
        promoted: int = 1_000,
        listed: bool = False,
        torch: str | None = None,
        node: str | Callable[..., str] | None = None,
        kinks: str = "",
        moves: str = "",
        retypes: bool = False,
        selects: bool = False,
        holomorphic: bool | None = None,
    ) -> None:
        self.fun: Final = fun
        self.name: Final = fun.__name__
        self.kind: Final = kind
        self.rules: Final = tuple(None if rule is None else Rule(rule) for rule in rules)
        self.pushforward: Final = None if jvp is None else Rule(jvp)
        body = getattr(fun, "raw", None)  # a function that the table itself declares
        self.raw: Final = raw or body or fun
        self.keeping: Final = keeping  # of one operand: what raw gives, and what its rules would compute again without it
        self.params: Final = _defaults((*rules, body)) if params is None else params
        self.arity: Final = _arity(self.rules, body) if arity is None else arity
        self.outputs: Final = outputs
        self.integers: Final = integers
        self.promoted: Final = promoted  # how many leading operands agree on a dtype (those with a rule)
        self.listed: Final = listed
        self.torch: Final = self.name if torch is None else torch  # torch's names; none for what only serves others
        self.node: Final = node or node_name((self.torch or self.name).split()[0])
        self.kinks: Final = kinks
        self.retypes: Final = retypes  # the result has another dtype than the operands
        natural = kind in (ELEMENTWISE, MULTILINEAR)
        self.selects: Final = selects  # of operands its rules need the shape only, of outputs the integers
        self.holomorphic: Final = natural if holomorphic is None else holomorphic  # rules without conjugation
        self.moves: Final = moves  # "view" or "copy" for ops that only move elements: any dtype, no arithmetic

    @property
    def variadic(self) -> bool:
        """Whether the number of operands is open (concatenate, einsum)."""
        return self.arity < 0

    @property
    def differentiable(self) -> bool:
        """Whether a call is recorded at all."""
        return self.kind != NON_DIFFERENTIABLE

    def rule(self, i: int) -> Rule | None:
        """The rule that serves operand ``i``."""
        if self.variadic:
            return self.rules[0]
        return self.rules[i] if i < len(self.rules) else None

    def differentiates(self, i: int) -> bool:
        """Whether there is a derivative by operand ``i``: a rule, or the replay of a composite."""
        rules = self.rules
        if i < len(rules) and rules[i] is not None:
            return True
        return self.rule(i) is not None or (self.kind == COMPOSITE and not rules)

    def promotes(self, i: int) -> bool:
        """Whether operand ``i`` takes part in promotion: those with a rule do; all, where none has one."""
        return not (self.moves and not self.variadic) and self.is_active(i)

    def is_active(self, i: int) -> bool:
        """Whether operand ``i`` is one that derivatives are about, and no index, mask or weight."""
        return i < self.promoted and (self.variadic or not self.rules or self.rule(i) is not None)

    def saves(self, i: int) -> Iterator[str]:
        """The names whose *data* the rule of operand ``i`` wants to find on the tape."""
        rule = self.rule(i)
        if rule is None:
            return
        for name in rule.mentions:
            if name in ("g", "i", "kept"):
                continue
            if self.kind == LINEAR and (name == "xs" or self.rule_is_spec(name)):
                continue
            if self.kind == MULTILINEAR and name in OPERANDS and OPERANDS.index(name) == i:
                continue
            if self.selects and name in OPERANDS:
                continue
            yield name

    def rule_is_spec(self, name: str) -> bool:
        """Whether a linear rule sees only the Spec of the operand ``name``: those it is linear in."""
        return name in OPERANDS and self.rule(OPERANDS.index(name)) is not None

    def __repr__(self) -> str:
        return f"<primitive {self.name}: {self.kind}>"


def _arity(rules: tuple[Rule | None, ...], body: Callable[..., Any] | None) -> int:
    """As many operands as there are rules, or as rules and body name; -1 if one takes ``*xs``."""
    reach = len(rules)
    for rule in (*rules, body and Rule(body)):
        for name in rule.mentions if rule else ():
            if name == "xs":
                return -1
            if name in OPERANDS:
                reach = max(reach, OPERANDS.index(name) + 1)
    return reach


def _defaults(rules: tuple[Callable[..., Any] | None, ...]) -> dict[str, Any]:
    """The static parameters that the rules name, with their defaults (... where one must be given)."""
    params: dict[str, Any] = {}
    for fun in rules:
        if fun is not None:
            code = fun.__code__
            names = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
            params |= {name: (fun.__kwdefaults__ or {}).get(name, ...) for name in names}
    return params


def node_name(torch_name: str) -> str:
    """torch's name for the node of a function: ``log_softmax`` gives ``LogSoftmaxBackward0``."""
    return "".join(part[:1].upper() + part[1:] for part in re.split("_", torch_name)) + "Backward0"


TABLE: Final[dict[Callable[..., Any], Primitive]] = {}


def register(primitive: Primitive) -> Primitive:
    """Enter ``primitive`` into the table. Raises ValueError if its function has an entry already."""
    if primitive.fun in TABLE:
        raise ValueError(f"{primitive.name} is declared twice")
    TABLE[primitive.fun] = primitive
    return primitive


def elementwise(fun: Callable[..., Any], *partials: Callable[..., Any] | None, **columns: Any) -> Primitive:
    """A broadcasting function; ``partials[i]`` is d out / d operand i, or the product if it mentions ``g``.

    Integer operands become floats (``integers="float"``) unless the column says "keep".
    """
    columns.setdefault("integers", "float")
    return register(Primitive(fun, ELEMENTWISE, partials, **columns))


def linear(fun: Callable[..., Any], *transposes: Callable[..., Any] | None, **columns: Any) -> Primitive:
    """A function linear in every operand that has a rule; each rule is the adjoint."""
    return register(Primitive(fun, LINEAR, transposes, **columns))


def multilinear(fun: Callable[..., Any], *transposes: Callable[..., Any] | None, **columns: Any) -> Primitive:
    """A function linear in each operand for itself; one transpose per operand (conjugation is the engine's)."""
    return register(Primitive(fun, MULTILINEAR, transposes, **columns))


def general(fun: Callable[..., Any], *pullbacks: Callable[..., Any] | None, **columns: Any) -> Primitive:
    """A function with its vjp given; its jvp is the column ``jvp``, or the transpose of the vjp."""
    return register(Primitive(fun, GENERAL, pullbacks, **columns))


def composite(fun: Callable[..., Any], *pullbacks: Callable[..., Any] | None, **columns: Any) -> Primitive:
    """One node for a function written with other primitives; without a rule its vjp replays it."""
    return register(Primitive(fun, COMPOSITE, pullbacks, **columns))


def zero_derivative(*funs: Callable[..., Any], **columns: Any) -> None:
    """Functions that are flat almost everywhere: recorded, with a derivative of zero."""
    for fun in funs:
        arity = columns.get("arity", getattr(fun, "nin", 1))
        register(Primitive(fun, ZERO_DERIVATIVE, (), **{**columns, "arity": arity}))


def non_differentiable(*funs: Callable[..., Any], **columns: Any) -> None:
    """Functions whose results carry no derivative: never recorded."""
    for fun in funs:
        arity = columns.get("arity", getattr(fun, "nin", 1))
        register(Primitive(fun, NON_DIFFERENTIABLE, (), **{**columns, "arity": arity}))
