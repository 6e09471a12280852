"""Nested containers as lists of their leaves: tuples, named tuples, lists and dictionaries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple


class Structure(NamedTuple):
    """The shape of a nested container: its class, the keys of a dictionary, the structures of its parts."""

    kind: type | None
    keys: tuple[Any, ...] | None
    parts: tuple[Structure, ...]

    @property
    def size(self) -> int:
        """The number of leaves."""
        return 1 if self.kind is None else sum(part.size for part in self.parts)

    def __str__(self) -> str:
        if self.kind is None:
            return "*"
        inner = ", ".join(map(str, self.parts))
        return f"({inner},)" if self.kind is tuple and len(self.parts) == 1 else f"({inner})"


LEAF = Structure(None, None, ())


def flatten(tree: Any) -> tuple[list[Any], Structure]:
    """The leaves of a tree in order, and its structure."""
    if not isinstance(tree, (dict, tuple, list)):
        return [tree], LEAF
    keys, values = (tuple(tree), tuple(tree.values())) if isinstance(tree, dict) else (None, tree)
    leaves: list[Any] = []
    parts = []
    for value in values:
        found, structure = flatten(value)
        leaves += found
        parts.append(structure)
    return leaves, Structure(type(tree), keys, tuple(parts))


def unflatten(structure: Structure, leaves: Sequence[Any]) -> Any:
    """The tree of a structure with these leaves."""
    return leaves[0] if structure is LEAF else _built(structure, iter(leaves))


def _built(structure: Structure, leaves: Any) -> Any:
    kind: Any = structure.kind
    if kind is None:
        return next(leaves)
    values = [_built(part, leaves) for part in structure.parts]
    if structure.keys is not None:
        return kind(zip(structure.keys, values, strict=True))
    return kind(*values) if hasattr(kind, "_fields") else kind(values)


def mapped(fun: Callable[[Any], Any], tree: Any) -> Any:
    """The tree with ``fun`` of each leaf."""
    leaves, structure = flatten(tree)
    return unflatten(structure, [fun(leaf) for leaf in leaves])


def spread(dims: Any, structure: Structure) -> list[Any] | None:
    """One entry of ``dims`` for each leaf: a number stands for all leaves below. None if the two do not fit."""
    if structure.kind is None:
        return None if isinstance(dims, (tuple, list, dict)) else [dims]
    if not isinstance(dims, (tuple, list, dict)):
        return [dims] * len(leaves_of(structure))
    if type(dims) is not structure.kind or len(dims) != len(structure.parts):
        return None
    if structure.keys is not None and set(structure.keys) != set(dims):
        return None
    parts = dims if structure.keys is None else [dims[key] for key in structure.keys]
    found: list[Any] = []
    for part, below in zip(parts, structure.parts, strict=True):
        inner = spread(part, below)
        if inner is None:
            return None
        found += inner
    return found


def leaves_of(structure: Structure) -> list[Structure]:
    """The leaves of a structure."""
    return [LEAF] if structure.kind is None else [leaf for part in structure.parts for leaf in leaves_of(part)]
