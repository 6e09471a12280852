"""Expressions as text: `parse` reads them with Python's `ast` against a white list; nothing is ever eval'ed."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from chainrule.insight.scanner import ExpressionError, Word, scan
from chainrule.insight.vocabulary import CONSTANTS, FUNCTIONS

MOST_LEVELS: Final = 150

OPERATORS: Final[dict[type[ast.operator], str]] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**", ast.MatMult: "@", ast.Mod: "%",
}  # fmt: skip


@dataclass(frozen=True)
class Expression:
    """A checked expression: the whole text, what is right of a leading ``name =``, that name, the tree, and the
    variables with the place of each."""

    text: str
    body: str
    result: str | None
    tree: ast.expr
    variables: dict[str, int]


def parse(text: str) -> Expression:
    """Read ``text``; ExpressionError, with the place, for whatever is not on the white list.

    >>> parse("(dot(x, w) - y)**2").variables
    {'x': 5, 'w': 8, 'y': 13}
    >>> parse("sine(x)")
    Traceback (most recent call last):
    chainrule.insight.scanner.ExpressionError: there is no function 'sine': did you mean sin?
    """
    flat = "".join(" " if char in "\r\n\t\v\f" else char for char in text)
    result, body = scan(flat)
    tree = python_tree(flat, body)
    check_depth(flat, tree)
    variables: dict[str, int] = {}
    for name, place in names_of(flat, tree):
        variables.setdefault(name, place)
    if result is not None and (result in variables or result in FUNCTIONS):
        place = variables.get(result, flat.index(result))
        raise ExpressionError("result-name", flat, place, name=result)
    ordered = dict(sorted(variables.items(), key=lambda item: item[1]))
    return Expression(flat, body.strip(), result, tree, ordered)


def python_tree(text: str, body: str) -> ast.expr:
    """The tree of ``body``, which is ``text`` with perhaps its beginning blanked out."""
    try:
        # In brackets, so that blanks in front are no indentation; they shift all columns by one.
        return ast.parse(f"({body})", mode="eval").body
    except SyntaxError as fault:
        place = min(max((fault.offset or 2) - 2, 0), max(len(text) - 1, 0))
        raise ExpressionError("unreadable", text, place) from None
    except (RecursionError, MemoryError, ValueError):
        raise ExpressionError("too-deep", text, 0) from None


def place_of(text: str, node: ast.AST) -> int:
    """Where ``node`` begins in ``text``, in characters (ast counts bytes)."""
    return span(text, node)[0]


def span(text: str, node: ast.AST) -> tuple[int, int]:
    """Where ``node`` begins and ends in ``text``, in characters."""
    data = text.encode()
    start, end = node.col_offset - 1, node.end_col_offset - 1  # type: ignore[attr-defined]
    return len(data[:start].decode()), len(data[:end].decode())


def operator_place(text: str, node: ast.BinOp) -> int:
    """Where the operator of ``node`` stands: between its operands, outside their brackets."""
    start = span(text, node.left)[1]
    return text.index(OPERATORS[type(node.op)], start)


def check_depth(text: str, tree: ast.expr) -> None:
    """Raise ExpressionError if evaluating the tree could exhaust Python's stack."""
    level: list[ast.AST] = [tree]
    for _ in range(MOST_LEVELS):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
        if not level:
            return
    deep = next((node for node in level if hasattr(node, "col_offset")), tree)
    raise ExpressionError("too-deep", text, place_of(text, deep))


def names_of(text: str, node: ast.expr) -> Iterator[tuple[str, int]]:
    """The variables of the tree, each with its place; ExpressionError for a node that is not on the white list."""
    match node:
        case ast.Constant(value=int() | float()) if not isinstance(node.value, bool):
            return
        case ast.Name(id=name):
            if name in FUNCTIONS:
                raise ExpressionError("function-alone", text, place_of(text, node), name=name)
            yield name, place_of(text, node)
        case ast.UnaryOp(op=ast.UAdd() | ast.USub(), operand=operand):
            yield from names_of(text, operand)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
            yield from names_of(text, left)
            yield from names_of(text, right)
        case ast.Attribute(value=value, attr=attr):
            check_attribute(text, node, attr)
            yield from names_of(text, value)
        case ast.Subscript(value=value, slice=key):
            check_index(text, key)
            yield from names_of(text, value)
        case ast.Call():
            check_call(text, node)
            for argument in node.args:
                yield from names_of(text, argument)
        case _:
            raise ExpressionError("unreadable", text, place_of(text, node))


def check_attribute(text: str, node: ast.Attribute, attr: str) -> None:
    if attr != "T":
        place = text.index(attr, span(text, node.value)[1]) - 1
        raise ExpressionError("method" if attr in FUNCTIONS else "dot-name", text, place, name=attr)


def check_index(text: str, key: ast.expr) -> None:
    """Raise ExpressionError unless ``key`` is made of whole numbers and ranges of them."""
    for part in key.elts if isinstance(key, ast.Tuple) else [key]:
        bounds = [part.lower, part.upper, part.step] if isinstance(part, ast.Slice) else [part]
        for bound in bounds:
            if bound is not None and whole_number(bound) is None:
                raise ExpressionError("index", text, place_of(text, bound))


def whole_number(node: ast.expr) -> int | None:
    """The whole number that ``node`` spells, or None."""
    match node:
        case ast.Constant(value=int(n)) if not isinstance(n, bool):
            return n
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int(n))):
            return -n
    return None


def check_call(text: str, node: ast.Call) -> None:
    """Raise ExpressionError unless the call is one of a listed function with arguments that it takes."""
    place = place_of(text, node.func)
    if not isinstance(node.func, ast.Name):
        if isinstance(node.func, ast.Attribute):
            check_attribute(text, node.func, node.func.attr)
        raise ExpressionError("call-what", text, place)
    name = node.func.id
    if name not in FUNCTIONS:
        near = nearest(name, FUNCTIONS)
        if near:
            raise ExpressionError("unknown-function-near", text, place, name=name, near=near)
        short = len(name) == 1 or name in CONSTANTS
        raise ExpressionError("not-a-function" if short else "unknown-function", text, place, name=name)
    function = FUNCTIONS[name]
    given = len(node.args)
    if not function.least <= given <= function.most:
        wanted = "–".join(map(str, sorted({function.least, function.most})))
        raise ExpressionError("arguments", text, place, name=name, wanted=wanted, given=given)
    for option in node.keywords:
        at = place_of(text, option)
        if option.arg not in ("dim", "axis") or not function.dim or len(node.keywords) > 1 or given > 1:
            accepted = Word("accepted-dim") if function.dim else ""
            raise ExpressionError("keyword-argument", text, at, name=name, given=option.arg, accepted=accepted)
        if whole_number(option.value) is None:
            raise ExpressionError("dim-number", text, place_of(text, option.value))


def nearest(name: str, known: object) -> str:
    """The known name that ``name`` is most likely meant to be, or nothing."""
    names = list(known)  # type: ignore[call-overload]
    folded = [other for other in names if other.lower() == name.lower()]
    close = folded or difflib.get_close_matches(name, names, n=1, cutoff=0.66)
    return close[0] if close else ""
