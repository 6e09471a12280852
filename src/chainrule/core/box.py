"""`Box`: an array type that intercepts NumPy.

Operators and NumPy's two override protocols (NEP 13, NEP 18) all end in `dispatch`, which hands the call
to the operand of the highest level. Whatever a box type does with a primitive is its `process`.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule.core.primitive import TABLE, Primitive
from chainrule.errors import NotInTable

DERIVED: dict[Callable[..., Any], Callable[..., Any]] = {}  # NumPy functions written with those of the table
LATE: list[Callable[[Any], None]] = []  # called with a function that is not in the table, which they may then enter
NUMBERS = (int, float, complex, np.generic)


class Box:
    """Base of every array type that a rule may meet instead of a plain array."""

    __slots__ = ()
    __array_priority__ = 1000.0
    level: int = 0

    def process(self, primitive: Primitive, operands: Sequence[Any], params: dict[str, Any]) -> Any:
        """Apply ``primitive``, self being the operand of the highest level."""
        raise NotImplementedError

    def apply(self, primitive: Primitive, operands: Sequence[Any], params: dict[str, Any]) -> Any:
        """Apply ``primitive`` as NumPy was asked to, self being one of the operands."""
        return dispatch(primitive, operands, primitive.params | params)

    def cast(self, dtype: Any) -> Any:
        """self in another dtype, differentiably."""
        raise NotImplementedError

    def reshape(self, shape: Any) -> Any:
        """self in another shape: what rules call, an array's method taking a quarter of the time of NumPy's function."""
        box: Any = self
        return np.reshape(box, shape)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method == "__call__" and not kwargs and ufunc in TABLE:
            return self.apply(TABLE[ufunc], inputs, {})
        if ufunc not in TABLE:
            for look in LATE:
                look(ufunc)
        return call_ufunc(ufunc, method, inputs, kwargs)

    def __array_function__(self, fun: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if kwargs and fun in PARTIAL and not PARTIAL_WORDS.isdisjoint(kwargs):
            return PARTIAL[fun](*args, **kwargs)
        derived = DERIVED.get(fun)
        if derived is not None:
            return derived(*args, **kwargs)
        primitive = TABLE.get(fun)
        if primitive is None:
            raise not_in_table(fun)
        return self.apply(primitive, *bind(primitive, args, kwargs))


KNOWN = (Box, np.ndarray, *NUMBERS)  # what an operator computes with


def dispatch(primitive: Primitive, operands: Sequence[Any], params: dict[str, Any]) -> Any:
    """Let the operand of the highest level apply ``primitive``; without any box, NumPy does."""
    top = None
    for operand in operands:
        if isinstance(operand, Box) and (top is None or operand.level > top.level):
            top = operand
    if top is None:
        return primitive.raw(*operands, **params)
    return top.process(primitive, operands, params)


def apply(fun: Callable[..., Any], *operands: Any, **params: Any) -> Any:
    """Apply the primitive that stands for ``fun``."""
    primitive = TABLE[fun]
    return dispatch(primitive, operands, primitive.params | params)


class Function:
    """A function that NumPy lacks, declared by the table: arrays run its body, boxes intercept it."""

    def __init__(self, body: Callable[..., Any]) -> None:
        self.raw = self.__wrapped__ = body
        self.__name__ = body.__name__
        self.__doc__ = body.__doc__

    def __call__(self, *operands: Any, **params: Any) -> Any:
        for operand in operands:
            if isinstance(operand, Box):
                return operand.apply(TABLE[self], operands, params)
        return self.raw(*operands, **params)

    def __repr__(self) -> str:
        return f"<function {self.__name__} of the table>"


function = Function


def derived(*numpy_functions: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare the decorated function as what these NumPy functions do with boxes."""

    def enter(body: Callable[..., Any]) -> Callable[..., Any]:
        for fun in numpy_functions:
            DERIVED[fun] = body
        return body

    return enter


def not_in_table(fun: Any, detail: str = "") -> NotInTable:
    """The error for a NumPy function, or a use of one, that chainrule has no derivative for."""
    module = getattr(fun, "__module__", None) or ("numpy" if getattr(np, fun.__name__, None) is fun else "scipy.special")
    name = f"{module}.{fun.__name__}"
    return NotInTable(
        f"{name}{detail} is not in chainrule's derivative table. Write it with functions that are, "
        "or call it on x.detach().numpy() where no gradient is needed."
    )


def call_ufunc(ufunc: np.ufunc, method: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A ufunc's ``__call__``, ``reduce``, ``accumulate`` or ``outer``, with the keywords that mean something here."""
    primitive = TABLE.get(ufunc)
    if primitive is None:
        if method == "__call__" and ufunc in DERIVED and not kwargs:
            return DERIVED[ufunc](*inputs)
        raise not_in_table(ufunc)
    out = kwargs.pop("out", None)
    dtype = kwargs.pop("dtype", None)
    if method == "__call__":
        if kwargs:
            raise not_in_table(ufunc, f" with {sorted(kwargs)}")
        result = dispatch(primitive, inputs, dict(primitive.params))
    elif method in METHODS and ufunc in METHODS[method]:
        axis = kwargs.pop("axis", 0)
        if kwargs.get("keepdims") is False:
            del kwargs["keepdims"]
        result = METHODS[method][ufunc](*inputs, axis=axis, **kwargs)
    elif method == "outer":
        x, y = inputs
        result = ufunc(np.reshape(x, np.shape(x) + (1,) * np.ndim(y)), y)
    else:
        raise not_in_table(ufunc, f".{method}")
    if dtype is not None:
        result = result.cast(dtype)
    return result if out is None else write_out(out, result)


PARTIAL: dict[Callable[..., Any], Callable[..., Any]] = {}  # reductions of chosen elements, from a first value on
PARTIAL_WORDS = frozenset(("where", "initial"))
METHODS: dict[str, dict[Any, Callable[..., Any]]] = {
    "reduce": {np.add: np.sum, np.multiply: np.prod, np.maximum: np.max, np.minimum: np.min},
    "accumulate": {np.add: np.cumsum, np.multiply: np.cumprod},
}


def write_out(out: Any, result: Any) -> Any:
    """Store ``result`` where the caller's ``out=`` asked for it."""
    target = out[0] if isinstance(out, tuple) else out
    if not isinstance(target, Box):
        raise TypeError(
            "out= is a plain ndarray, which cannot hold a value with a derivative. "
            "Leave out= away, or pass a tensor (np.empty_like(t))."
        )
    target[...] = result  # type: ignore[index]
    return target


@functools.cache
def names_of(fun: Any) -> tuple[str, ...]:
    """The parameters of a function of NumPy's."""
    return tuple(inspect.signature(fun).parameters)


def bind(primitive: Primitive, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """Split a call with NumPy's signature into operands and the static parameters that were given.

    Raises NotInTable for a keyword that no rule knows, and TypeError for a call NumPy would refuse.
    """
    names = names_of(primitive.fun)
    if len(args) > len(names):
        raise TypeError(f"{primitive.name}() takes at most {len(names)} arguments, got {len(args)}")
    if primitive.variadic and not primitive.listed:
        raise not_in_table(primitive.fun, " called through NumPy")
    leading = 1 if primitive.listed else primitive.arity
    operands = list(args[:leading])
    given = dict(zip(names[leading:], args[leading:], strict=False))
    if kwargs:
        given |= kwargs
        operands += [given.pop(name) for name in names[len(operands) : leading] if name in given]
    if primitive.listed:
        operands = list(operands[0])
    params = {}
    for name, value in given.items():
        if name in primitive.params:
            params[name] = value
        elif name == "dtype" and value is not None:
            operands = [x.cast(value) if isinstance(x, Box) else x for x in operands]
        elif value is not None and value is not np._NoValue:
            shown = repr(value) if isinstance(value, (str, int, float)) else "..."
            raise not_in_table(primitive.fun, f" with {name}={shown}")
    return operands, params


def _operator(fun: Callable[..., Any], reflected: bool = False) -> Callable[[Any, Any], Any]:
    def method(self: Any, other: Any) -> Any:
        if not isinstance(other, KNOWN):
            return NotImplemented
        return fun(other, self) if reflected else fun(self, other)

    return method


for _name, _fun in {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "truediv": np.true_divide, "pow": np.power,
    "floordiv": np.floor_divide, "mod": np.remainder, "matmul": np.matmul, "lshift": np.left_shift, "rshift": np.right_shift,
}.items():  # fmt: skip
    setattr(Box, f"__{_name}__", _operator(_fun))
    setattr(Box, f"__r{_name}__", _operator(_fun, reflected=True))
for _name, _fun in {
    "lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal, "eq": np.equal, "ne": np.not_equal,
    "and": np.bitwise_and, "or": np.bitwise_or, "xor": np.bitwise_xor,
}.items():  # fmt: skip
    setattr(Box, f"__{_name}__", _operator(_fun))
for _name, _fun in {"neg": np.negative, "pos": np.positive, "abs": np.absolute, "invert": np.invert}.items():
    setattr(Box, f"__{_name}__", (lambda fun: lambda self: fun(self))(_fun))
Box.__hash__ = object.__hash__  # type: ignore[method-assign]  # defining __eq__ took it away
