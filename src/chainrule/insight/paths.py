"""The chain rule as products: one for each path from the result to an input, bracketed as a sweep multiplies."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from chainrule.insight.figures import times
from chainrule.insight.sweeps import Local
from chainrule.insight.trace import Step, Value

MOST_FACTORS: Final = 6
GAP_IN_PATH: Final = ("…", "…")

Factor = tuple[str, str]  # what is written, and its shape below it


def bar(name: str) -> str:
    """The cotangent of the value called ``name``: v̄."""
    return marked(name, "\u0304")


def dot(name: str) -> str:
    """The tangent of the value called ``name``: v̇."""
    return marked(name, "\u0307")


def marked(name: str, mark: str) -> str:
    return unicodedata.normalize("NFC", name[:1] + mark) + name[1:]


def by_output(by_step: Mapping[Step, Iterable[Local]]) -> dict[Value, list[Local]]:
    """The local derivatives by the value they are derivatives of."""
    found: dict[Value, list[Local]] = {}
    for locals_ in by_step.values():
        for local in locals_:
            found.setdefault(local.output, []).append(local)
    return found


def path_counts(by_step: Mapping[Step, Iterable[Local]], x: Value) -> dict[Value, int]:
    """How many paths lead from each value to ``x``."""
    counts = {x: 1}
    for locals_ in by_step.values():  # in the order in which they were computed
        for local in locals_:
            if local.operand in counts:
                counts[local.output] = counts.get(local.output, 0) + counts[local.operand]
    return counts


def paths(
    result: Value, x: Value, locals_of: Mapping[Value, list[Local]], counts: Mapping[Value, int]
) -> Iterator[list[Local]]:
    """The paths from ``result`` to ``x``, each as its local derivatives; without recursion, one after the other."""
    stack: list[Link] = [(local, None) for local in reversed(locals_of.get(result, [])) if local.operand in counts]
    while stack:
        link = stack.pop()
        here = link[0].operand
        if here is x:
            yield unlinked(link)
            continue
        stack += [(local, link) for local in reversed(locals_of.get(here, [])) if local.operand in counts]


Link = tuple[Local, Any]  # a local derivative, and the link before it


def unlinked(link: Link | None) -> list[Local]:
    """The local derivatives of a chain of links, from the first on."""
    path = []
    while link is not None:
        path.append(link[0])
        link = link[1]
    return path[::-1]


def factors(path: list[Local]) -> list[Factor]:
    """What is multiplied along a path, a long one with a gap in the middle."""
    shown = [(local.name, times(*local.shape)) for local in path]
    if len(shown) > MOST_FACTORS:
        return [*shown[: MOST_FACTORS // 2], GAP_IN_PATH, *shown[1 - MOST_FACTORS // 2 :]]
    return shown


def product(items: list[Factor], mode: str) -> list[tuple[str, str]]:
    """Factors with their brackets, as pairs of what is written above and below.

    >>> "".join(above for above, _ in product([("a", ""), ("b", ""), ("c", "")], "reverse"))
    '(a · b) · c'
    >>> "".join(above for above, _ in product([("a", ""), ("b", ""), ("c", "")], "forward"))
    'a · (b · c)'
    """
    depth = max(0, len(items) - 2)
    pieces: list[tuple[str, str]] = []
    if mode == "reverse":
        pieces += [("(", "(")] * depth
        for k, item in enumerate(items):
            pieces += [(" · ", " · "), item] if k else [item]
            pieces += [(")", ")")] if 0 < k <= depth else []
        return pieces
    for k, item in enumerate(items):
        pieces += [(" · ", " · ")] if k else []
        pieces += [("(", "(")] if 0 < k <= depth else []
        pieces.append(item)
    return pieces + [(")", ")")] * depth
