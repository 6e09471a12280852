"""`Symbol`: a value without data. What is done with symbols builds a graph, which can be evaluated later.

A symbol is one more array type: NumPy's functions and operators on it end in `process`, which notes the primitive. The
graph is evaluated by applying the same primitives to what is put in for its variables: arrays, or tensors, which record.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from chainrule.core.box import Box, dispatch
from chainrule.core.primitive import Primitive

_made: Counter[str] = Counter()


class Symbol(Box):
    """A variable (``primitive`` is None), or a primitive applied to symbols and constants.

    >>> a, b = Symbol("a"), Symbol("b")
    >>> c = 2 * a + b
    >>> c.variables(), float(c.evaluate({"a": 3.0, "b": 1.0}))
    (['a', 'b'], 7.0)
    """

    __slots__ = ("name", "operands", "params", "primitive")

    def __init__(self, name: str, primitive: Primitive | None = None, operands: Sequence[Any] = (),
                 params: Mapping[str, Any] | None = None) -> None:  # fmt: skip
        self.name = name
        self.primitive = primitive
        self.operands = tuple(operands)
        self.params = dict(params or {})

    def process(self, primitive: Primitive, operands: Sequence[Any], params: dict[str, Any]) -> Symbol:
        if primitive.outputs != 1:
            raise NotImplementedError(f"{primitive.name} has several results, which a symbol cannot stand for yet")
        return Symbol(numbered(primitive.name), primitive, operands, params)

    def order(self) -> list[Symbol]:
        """All symbols that this one is computed from, each after its operands, itself the last."""
        done: dict[Symbol, None] = {}
        stack = [(self, False)]
        while stack:
            symbol, ready = stack.pop()
            if ready:
                done[symbol] = None
            elif symbol not in done:
                stack.append((symbol, True))
                stack += [(x, False) for x in reversed(symbol.operands) if isinstance(x, Symbol) and x not in done]
        return list(done)

    def variables(self) -> list[str]:
        """The names of the variables, in the order in which they are needed."""
        return list(dict.fromkeys(s.name for s in self.order() if s.primitive is None))

    def evaluate(self, values: Mapping[str, Any]) -> Any:
        """The value for given ``values`` of the variables. Raises KeyError if one is missing."""
        missing = [name for name in self.variables() if name not in values]
        if missing:
            raise KeyError(f"no value for {', '.join(missing)}")
        found: dict[Symbol, Any] = {}
        for s in self.order():
            if s.primitive is None:
                found[s] = values[s.name]
            else:
                found[s] = dispatch(s.primitive, [found[x] if isinstance(x, Symbol) else x for x in s.operands], s.params)
        return found[self]

    def __repr__(self) -> str:
        return f"<Symbol {self.name}>"


def numbered(name: str) -> str:
    """A name that no other symbol has: ``add0``, ``add1``, …"""
    number = _made[name]
    _made[name] += 1
    return f"{name}{number}"
