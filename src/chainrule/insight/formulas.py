"""How operations and their local derivatives are written, by the primitive's name.

In a formula ``{x}`` and ``{y}`` are the operands, ``{out}`` the result and ``{n}`` the number of the operand's
entries. Those of elementwise functions are for scalars; for arrays they stand on the diagonal of the Jacobian.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any, Final

from chainrule.core.primitive import Primitive
from chainrule.insight.figures import times
from chainrule.ops.indexing import HOLE

INFIX: Final = {
    "add": "+", "subtract": "-", "multiply": "*", "divide": "/", "power": "**", "remainder": "%",
    "matmul": "@", "mm": "@", "mv": "@",
}  # fmt: skip
SPELLED: Final = {
    "arcsin": "asin", "arccos": "acos", "arctan": "atan", "absolute": "abs", "vector_norm": "norm",
    "max": "max", "min": "min", "max_with_index": "max", "min_with_index": "min", "sort_with_index": "sort",
}  # fmt: skip

ONES: Final = "[1, …, 1]"
FORMULAS: Final[dict[str, tuple[str, ...]]] = {
    "add": ("1", "1"),
    "subtract": ("1", "-1"),
    "multiply": ("{y}", "{x}"),
    "divide": ("1/{y}", "-{x}/{y}²"),
    "negative": ("-1",),
    "copy": ("1",),
    "power": ("{y}·{x}^({y}-1)", "{x}^{y}·ln({x})"),
    "remainder": ("1", ""),
    "square": ("2·{x}",),
    "sqrt": ("1/(2·{out})",),
    "reciprocal": ("-1/{x}²",),
    "exp": ("exp({x})",),
    "expm1": ("exp({x})",),
    "log": ("1/{x}",),
    "log2": ("1/({x}·ln(2))",),
    "log10": ("1/({x}·ln(10))",),
    "log1p": ("1/(1+{x})",),
    "sin": ("cos({x})",),
    "cos": ("-sin({x})",),
    "tan": ("1+{out}²",),
    "arcsin": ("1/sqrt(1-{x}²)",),
    "arccos": ("-1/sqrt(1-{x}²)",),
    "arctan": ("1/(1+{x}²)",),
    "sinh": ("cosh({x})",),
    "cosh": ("sinh({x})",),
    "tanh": ("1-{out}²",),
    "sigmoid": ("{out}·(1-{out})",),
    "softplus": ("sigmoid({x})",),
    "silu": ("sigmoid({x})·(1+{x}·(1-sigmoid({x})))",),
    "gelu": ("(1+erf({x}/sqrt(2)))/2 + {x}·exp(-{x}²/2)/sqrt(2·pi)",),
    "erf": ("2·exp(-{x}²)/sqrt(pi)",),
    "absolute": ("sign({x})",),
    "sign": ("0",),
    "dot": ("{y}ᵀ", "{x}ᵀ"),
    "mv": ("I ⊗ {y}ᵀ", "{x}"),
    "mm": ("I ⊗ {y}ᵀ", "{x} ⊗ I"),
    "outer": ("I ⊗ {y}", "{x} ⊗ I"),
    "row": ("{y}ᵀ", "I ⊗ {x}ᵀ"),
    "sum": (ONES,),
    "mean": ("1/{n}·[1, …, 1]",),
    "prod": ("{out}/{x}",),
    "vector_norm": ("{x}ᵀ/{out}",),
    "logsumexp": ("softmax({x})ᵀ",),
    "softmax": ("diag({out}) - {out}·{out}ᵀ",),
    "log_softmax": ("I - [1; …; 1]·softmax({x})ᵀ",),
    "det": ("{out}·inv({x}).T",),
    "inv": ("-{out} ⊗ {out}ᵀ",),
    "solve": ("-inv({x}) ⊗ {out}ᵀ", "inv({x})"),
    "reshape": ("I",),
}
OUTER: Final = "i,j->ij"
WHOLE_ONLY: Final = ("sum", "mean", "logsumexp", "prod", "vector_norm")  # the formula is for no single axis
LONGEST: Final = {"prod": 0, "softmax": 1, "log_softmax": 1, "logsumexp": 1}  # how many axes it is for, at most
_ATOM: Final = re.compile(r"[^\W\d]\w*(?:\([^()]*\)|\[[^\[\]]*\]|\.T)?\Z|\d+(?:\.\d+)?(?:e[+-]?\d+)?\Z")
_NUMBER: Final = re.compile(r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?\Z")


def kind_of(p: Primitive, params: dict[str, Any], ndims: Sequence[int]) -> str:
    """The key of ``p`` in the tables: its name, but for what is one primitive and several things to a reader."""
    if p.name == "einsum" and params.get("subscripts") == OUTER:
        return "outer"
    if p.name == "matmul" and tuple(ndims) == (1, 2):
        return "row"
    return p.name


def atom(name: str) -> str:
    """``name`` as part of a larger expression: in brackets, unless it holds together by itself.

    >>> atom("x1"), atom("exp(2)"), atom("2*y"), atom("-3")
    ('x1', 'exp(2)', '(2*y)', '(-3)')
    """
    return name if _ATOM.match(name) else f"({name})"


def operation_text(p: Primitive, names: Sequence[str], params: dict[str, Any]) -> str:
    """A call as it would be written."""
    kind = kind_of(p, params, ())
    if kind in INFIX and len(names) == 2:
        left = names[0] if kind != "power" and _NUMBER.match(names[0]) else atom(names[0])
        return f"{left} {INFIX[kind]} {atom(names[1])}"
    x = names[0] if names else ""
    if kind == "negative":
        return f"-{atom(x)}"
    if kind == "reciprocal":
        return f"1 / {atom(x)}"
    if kind == "copy":
        return x
    if kind in ("transpose", "t") and not params.get("axes"):
        return f"{atom(x)}.T"
    if kind in ("getitem", "take_items"):
        indices = iter(names[1:])
        key = params["key"] if isinstance(params["key"], tuple) else (params["key"],)
        return f"{atom(x)}[{', '.join(next(indices) if part is HOLE else key_text(part) for part in key)}]"
    if kind == "outer":
        return f"outer({', '.join(names)})"
    shown = [option_text(name, value) for name, value in params.items() if value != p.params.get(name)]
    name = SPELLED.get(kind) or (p.torch.split() or [kind])[0]
    return f"{name}({', '.join([*names, *shown])})"


def option_text(name: str, value: Any) -> str:
    """A parameter of a call, under torch's name for axes."""
    if name == "shape":
        return times(*value) if isinstance(value, tuple) else str(value)
    return f"{'dim' if name == 'axis' else name}={value}"


def key_text(key: Any) -> str:
    """One part of an index as it would be written between the brackets."""
    if isinstance(key, slice):
        ends = ["" if part is None else str(part) for part in (key.start, key.stop)]
        return ":".join(ends if key.step is None else [*ends, str(key.step)])
    return "..." if key is Ellipsis else str(key)


def formula(p: Primitive, i: int, names: Sequence[str], out: str, params: dict[str, Any], shapes: Sequence[Any]) -> str:
    """The derivative by operand ``i`` as text, or nothing where there is no short formula.

    ``shapes`` are those of the operands. What is a vector or matrix as a whole is given as such.
    """
    kind = kind_of(p, params, [len(shape or ()) for shape in shapes])
    if kind == "power" and i == 0 and len(names) == 2:
        return power_rule(atom(names[0]), names[1])
    templates = FORMULAS.get(kind, ())
    if i >= len(templates) or (kind in WHOLE_ONLY and params.get("axis") is not None):
        return ""
    if kind in LONGEST and len(shapes[0] or ()) > LONGEST[kind]:
        return ""
    x, y = (atom(names[k]) if k < len(names) else "" for k in (0, 1))
    text = templates[i].format(x=x, y=y, out=out, n=math.prod(shapes[0] or ()))
    if any(shapes):
        return text
    return "1" if kind in ("sum", "mean") else text.replace("ᵀ", "")  # of numbers


def power_rule(x: str, exponent: str) -> str:
    """``n·x^(n-1)`` for a number n, tidied up: ``2·x``, ``3·x²``."""
    if not _NUMBER.match(exponent):
        y = atom(exponent)
        return f"{y}·{x}^({y}-1)"
    n = float(exponent)
    if n in (0.0, 1.0):
        return str(int(n))
    rest = {1.0: x, 2.0: f"{x}²", 3.0: f"{x}³"}.get(n - 1, f"{x}^{atom(f'{n - 1:g}')}")
    return f"{atom(f'{n:g}')}·{rest}"
