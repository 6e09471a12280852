"""The functions of torch's namespace, and the methods of `Tensor`.

The plain ones come from the table by their column ``torch``; those with a signature of their own from
`functions`. Both are attached to `Tensor` here, one row above the table, so that tensor and ops need not know
each other. A method is specialised when it is first called.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from chainrule.core import spec
from chainrule.core.box import Box, dispatch
from chainrule.core.primitive import TABLE, Primitive
from chainrule.eager import creation, engine, functions, inplace
from chainrule.eager.functions import products
from chainrule.eager.functions.arithmetic import where
from chainrule.eager.functions.indexing import getitem, setitem
from chainrule.eager.functions.shapes import T, expand, mT
from chainrule.eager.specialise import OPERATORS, F, Functions, operate
from chainrule.eager.tape import public_edge
from chainrule.eager.tensor import Tensor

TABLE_NAMES: Final = {
    name: p
    for p in TABLE.values()
    if not p.variadic
    for name in p.torch.split()
    if name not in functions.ALL
}
ALIASES: Final = {
    "clip": "clamp", "subtract": "sub", "divide": "div", "true_divide": "div", "swapaxes": "transpose",
    "swapdims": "transpose", "moveaxis": "movedim", "concat": "cat", "concatenate": "cat", "inverse": "inv", "ger": "outer",
    "fix": "trunc",
}  # fmt: skip


def on_tensors(p: Primitive, operands: Any, params: dict[str, Any]) -> Any:
    """A primitive called through torch's face, which takes tensors only. Raises TypeError for anything else."""
    if not any(isinstance(x, Box) for x in operands):
        raise TypeError(
            f"{p.torch.split()[0]}(): argument 'input' (position 1) must be Tensor, not {type(operands[0]).__name__}"
        )
    return dispatch(p, operands, params)


PUBLIC: Final = Functions(on_tensors)


def function_named(name: str) -> Callable[..., Any] | None:
    """The function that torch has under ``name``, or None."""
    name = ALIASES.get(name, name)
    if name in TABLE_NAMES:
        return getattr(PUBLIC, TABLE_NAMES[name].name)  # type: ignore[no-any-return]
    return None if name in functions.METHODS_ONLY else functions.ALL.get(name)


def public_names() -> list[str]:
    """Every name that `function_named` knows."""
    return sorted(name for name in {*TABLE_NAMES, *functions.ALL, *ALIASES} if function_named(name))


# Attaching to Tensor


def _first_call(cls: type, name: str, make: Callable[[], Callable[..., Any]]) -> Callable[..., Any]:
    """A method that replaces itself by what ``make`` makes, when first called."""

    def method(*args: Any, **kwargs: Any) -> Any:
        fun = make()
        setattr(cls, name, fun)
        return fun(*args, **kwargs)

    method.__name__ = name
    return method


def attach() -> None:
    """Give `Tensor` its methods and operators."""
    for name, p in TABLE_NAMES.items():
        setattr(Tensor, name, _first_call(Tensor, name, lambda p=p: getattr(F, p.name)))
    for name, fun in functions.ALL.items():
        if name not in functions.FUNCTIONS_ONLY:
            setattr(Tensor, name, fun)
    Tensor.where = lambda self, condition, other: where(condition, self, other)
    for alias, name in ALIASES.items():
        if hasattr(Tensor, name):
            setattr(Tensor, alias, getattr(Tensor, name))
    _attach_operators()
    _attach_inplace()
    for name, dtype in CASTS.items():
        setattr(Tensor, name, lambda self, dtype=dtype: self.cast(dtype or spec.float32))
    for name, value in {
        "register_hook": engine.register_hook, "retain_grad": engine.retain_grad, "__getitem__": getitem,
        "__setitem__": setitem, "backward": backward, "cpu": lambda self: self, "apply": apply,
    }.items():  # fmt: skip
        setattr(Tensor, name, value)
    Tensor.T, Tensor.mT = property(T), property(mT)
    Tensor.H = Tensor.mH = property(lambda self: mT(F.conjugate(self)))
    Tensor.real, Tensor.imag = property(lambda self: self if not self.is_complex() else F.real(self)), property(F.imag)
    Tensor.grad_fn = property(grad_fn)
    Tensor._version = property(inplace.version_of)


CASTS: Final = {
    "double": spec.float64, "float": spec.float32, "half": spec.float16, "bfloat16": spec.bfloat16, "long": spec.int64,
    "int": spec.int32, "short": spec.int16, "char": spec.int8, "byte": spec.uint8, "bool": spec.bool_,
    "cfloat": spec.complex64, "cdouble": spec.complex128,
}  # fmt: skip
OPERATOR_PRIMITIVES: Final = {
    "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "divide", "floordiv": "floor_divide",
    "mod": "remainder", "pow": "power", "lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal",
    "eq": "equal", "ne": "not_equal", "and": "bitwise_and", "or": "bitwise_or", "xor": "bitwise_xor",
}  # fmt: skip
COMMUTATIVE: Final = ("add", "mul", "and", "or", "xor")


def _attach_operators() -> None:
    for name, primitive in OPERATOR_PRIMITIVES.items():
        first = _first_call(Tensor, f"__{name}__", lambda primitive=primitive: getattr(OPERATORS, primitive))
        setattr(Tensor, f"__{name}__", first)
        if name in COMMUTATIVE:
            reflected = _first_call(Tensor, f"__r{name}__", lambda primitive=primitive: getattr(OPERATORS, primitive))
        else:
            reflected = lambda self, other, primitive=primitive: getattr(OPERATORS, primitive)(other, self)  # noqa: E731
        if name not in ("lt", "le", "gt", "ge", "eq", "ne"):
            setattr(Tensor, f"__r{name}__", reflected)
    Tensor.__rtruediv__ = lambda self, other: F.reciprocal(self) * other
    Tensor.__matmul__ = matmul
    Tensor.__rmatmul__ = lambda self, other: matmul(other, self)
    for name, primitive in {"neg": "negative", "abs": "absolute", "invert": "invert"}.items():
        setattr(
            Tensor, f"__{name}__", _first_call(Tensor, f"__{name}__", lambda primitive=primitive: getattr(F, primitive))
        )
    Tensor.__pos__ = lambda self: self
    Tensor.__hash__ = object.__hash__  # defining __eq__ took it away; C's is called five times per edge


def matmul(x: Any, y: Any) -> Any:
    """``x @ y``."""
    if isinstance(x, Tensor) and isinstance(y, Tensor):
        return products.matmul(x, y)
    return operate(TABLE[np.matmul], (x, y), {})


INPLACE: Final = {"add": np.add, "sub": np.subtract, "mul": np.multiply, "truediv": np.divide}
INPLACE_BY_FUNCTION: Final = (
    "pow", "remainder", "fmod", "clamp", "masked_fill", "neg", "exp", "log", "sqrt", "rsqrt", "reciprocal", "sin", "cos",
    "tan", "tanh", "sigmoid", "relu", "abs", "floor", "ceil", "round", "trunc", "sign", "square", "tril", "triu", "scatter",
    "scatter_add", "index_add", "cumsum", "cumprod", "lerp", "erf", "clip", "log1p", "expm1",
)  # fmt: skip


def _attach_inplace() -> None:
    for name, ufunc in INPLACE.items():
        method = inplace.ufunc_inplace(ufunc, lambda a, b, p=TABLE[ufunc]: getattr(F, p.name)(a, b))
        setattr(Tensor, f"__i{name}__", method)
        setattr(Tensor, f"{name.removeprefix('true')}_", _with_alpha(method) if name in ("add", "sub") else method)
    Tensor.__ipow__ = lambda self, other: inplace.adopt(self, self**other)
    for name in INPLACE_BY_FUNCTION:
        setattr(Tensor, f"{name}_", _by_function(name))
    for name, change in {
        "zero_": zero_,
        "fill_": fill_,
        "copy_": copy_,
        "normal_": normal_,
        "uniform_": uniform_,
    }.items():
        setattr(Tensor, name, change)


def _with_alpha(method: Any) -> Any:
    def inplace_method(self: Tensor, other: Any, *, alpha: float = 1) -> Tensor:
        return method(self, other if alpha == 1 else other * alpha)  # type: ignore[no-any-return]

    return inplace_method


def _by_function(name: str) -> Any:
    def method(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return inplace.adopt(self, getattr(self, name)(*args, **kwargs))

    method.__name__ = f"{name}_"
    return method


def fill_(self: Tensor, value: Any) -> Tensor:
    """Every element becomes ``value``; returns self."""
    return inplace.adopt(self, F.fill(self, value.cast(self.dtype) if isinstance(value, Tensor) else value))


def zero_(self: Tensor) -> Tensor:
    """Every element becomes 0; returns self."""
    if self.requires_grad or not self.lane.native:
        return inplace.adopt(self, F.zero(self))
    self.array.fill(0)
    inplace.log_write(self)
    return self


def copy_(self: Tensor, src: Any, non_blocking: bool = False) -> Tensor:
    """The elements become those of ``src``, broadcast and cast; returns self."""
    source = src if isinstance(src, Tensor) else creation.tensor(src)
    expand(source, tuple(self.array.shape))  # refuses what does not broadcast
    return inplace.adopt(self, F.overwrite(self, source.cast(self.dtype)))


def normal_(self: Tensor, mean: float = 0.0, std: float = 1.0, *, generator: Any = None) -> Tensor:
    """Normal random numbers; returns self."""
    draws = creation.randn(tuple(self.array.shape), dtype=self.dtype, generator=generator)
    return inplace.adopt(self, draws * std + mean)


def uniform_(self: Tensor, a: float = 0.0, b: float = 1.0, *, generator: Any = None) -> Tensor:
    """Uniform random numbers in [a, b); returns self."""
    draws = creation.rand(tuple(self.array.shape), dtype=self.dtype, generator=generator)
    return inplace.adopt(self, draws * (b - a) + a)


def backward(self: Tensor, gradient: Any = None, retain_graph: bool | None = None, create_graph: bool = False,
             inputs: Any = None) -> None:  # fmt: skip
    """Compute the gradient of this tensor with respect to the leaves it depends on, adding to their ``.grad``.

    ``gradient`` is the cotangent of a tensor that is no scalar; ``retain_graph`` allows another pass;
    ``create_graph`` records the pass itself; ``inputs`` limits it to these tensors.
    """
    engine.backward(self, gradient, retain_graph, create_graph, inputs)


def grad_fn(self: Tensor) -> Any:
    """The recorded call that made this tensor, or None for a leaf."""
    return None if self.node is None else public_edge(self.node)[0]


def apply(self: Tensor, primitive: Primitive, operands: Any, params: dict[str, Any]) -> Any:
    """A primitive called through NumPy."""
    return getattr(F, primitive.name)(*operands, **params)


attach()
