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
from chainrule.core.box import NUMBERS, Box, dispatch
from chainrule.core.primitive import TABLE, Primitive
from chainrule.eager import array_methods, engine, functions, hooks, levels, mutating, random, views, writes
from chainrule.eager.functions import products
from chainrule.eager.functions.arithmetic import where
from chainrule.eager.functions.assigning import setitem
from chainrule.eager.functions.indexing import getitem
from chainrule.eager.functions.shapes import H, T, mH, mT
from chainrule.eager.gradfn import public_edge
from chainrule.eager.out import into, with_out
from chainrule.eager.specialise import OPERATORS, F, Functions, function_of, operate
from chainrule.eager.tensor import Tensor, edge_of

TABLE_NAMES: Final = {
    name: p for p in TABLE.values() if not p.variadic for name in p.torch.split() if name not in functions.ALL
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


PUBLIC: Final = Functions(on_tensors, into)


def function_named(name: str) -> Callable[..., Any] | None:
    """The function that torch has under ``name``, or None."""
    name = ALIASES.get(name, name)
    if name in IN_PLACE:
        return getattr(Tensor, name)  # type: ignore[no-any-return]
    if name in TABLE_NAMES:
        return getattr(PUBLIC, TABLE_NAMES[name].name)  # type: ignore[no-any-return]
    if name in functions.METHODS_ONLY or name not in functions.ALL:
        return None
    return with_out(name, functions.ALL[name]) if name in functions.STORED else functions.ALL[name]


def public_names() -> list[str]:
    """Every name that `function_named` knows."""
    return sorted(name for name in {*TABLE_NAMES, *functions.ALL, *ALIASES, *IN_PLACE} if function_named(name))


# Attaching to Tensor

IN_PLACE: Final = frozenset(f"{name}_" for name in (
    "abs", "acos", "acosh", "addmv", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctanh", "as_strided", "asin",
    "asinh", "atan", "atanh", "ceil", "clamp", "clamp_max", "clamp_min", "clip", "conj_physical", "cos", "cosh", "deg2rad",
    "detach", "erf", "erfc", "exp2", "exp", "expm1", "fill", "fix", "floor", "frac", "index_put", "ldexp", "log10", "log1p",
    "log2", "log", "logit", "nan_to_num", "neg", "negative", "rad2deg", "reciprocal", "relu", "resize_as", "round", "rsqrt",
    "sigmoid", "sin", "sinc", "sinh", "sqrt", "square", "tan", "tanh", "trunc", "xlogy", "zero",
))  # fmt: skip; the in-place methods that torch has as functions too

CASTS: Final = {
    "double": spec.float64, "float": spec.float32, "half": spec.float16, "bfloat16": spec.bfloat16, "long": spec.int64,
    "int": spec.int32, "short": spec.int16, "char": spec.int8, "byte": spec.uint8, "bool": spec.bool_,
    "cfloat": spec.complex64, "cdouble": spec.complex128,
}  # fmt: skip
BINARY: Final = {
    "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "divide", "floordiv": "floor_divide",
    "mod": "remainder", "pow": "power", "and": "bitwise_and", "or": "bitwise_or", "xor": "bitwise_xor",
    "lshift": "left_shift", "rshift": "right_shift",
}  # fmt: skip
COMPARISONS: Final = {
    "lt": "less",
    "le": "less_equal",
    "gt": "greater",
    "ge": "greater_equal",
    "eq": "equal",
    "ne": "not_equal",
}
UNARY: Final = {"neg": "negative", "abs": "absolute", "invert": "invert"}
COMMUTATIVE: Final = ("add", "mul", "and", "or", "xor")


def when_called(name: str, source: Functions, primitive: str) -> Callable[..., Any]:
    """A method that replaces itself by the specialised function of ``primitive`` when first called."""

    def method(*args: Any, **kwargs: Any) -> Any:
        fun = getattr(source, primitive)
        setattr(Tensor, name, fun)
        return fun(*args, **kwargs)

    method.__name__ = name
    return method


def reflected(primitive: str) -> Callable[[Any, Any], Any]:
    """The operator with self on the right."""
    return lambda self, other: getattr(OPERATORS, primitive)(other, self)


def casting(dtype: spec.DType) -> Callable[[Tensor], Any]:
    """The method that casts to ``dtype``."""
    return lambda self: self.cast(dtype)


def operators() -> dict[str, Any]:
    """The operators of `Tensor`, by their special names."""
    found: dict[str, Any] = {f"__{n}__": when_called(f"__{n}__", OPERATORS, p) for n, p in (BINARY | COMPARISONS).items()}
    for name, p in BINARY.items():
        right = f"__r{name}__"
        found[right] = when_called(right, OPERATORS, p) if name in COMMUTATIVE else reflected(p)
    found |= {f"__{n}__": when_called(f"__{n}__", F, p) for n, p in UNARY.items()}
    return found | {
        "__rtruediv__": lambda self, other: F.reciprocal(self) * other,  # as torch has it, to the last bit
        "__matmul__": matmul,
        "__rmatmul__": lambda self, other: matmul(other, self),
        "__pos__": lambda self: F.copy(self) if levels.differentiating.get() else self,
        "__hash__": object.__hash__,  # defining __eq__ took it away; C's is called five times per edge
        "__getitem__": getitem,
        "__setitem__": setitem,
    }


def methods() -> dict[str, Any]:
    """The methods of `Tensor`, by name."""
    found: dict[str, Any] = {name: when_called(name, F, p.name) for name, p in TABLE_NAMES.items()}
    found |= {name: fun for name, fun in functions.ALL.items() if name not in functions.FUNCTIONS_ONLY}
    found["where"] = lambda self, condition, other: where(condition, self, other)
    found |= {alias: found[name] for alias, name in ALIASES.items() if name in found}
    found |= {name: casting(dtype) for name, dtype in CASTS.items()}
    return array_methods.among(found) | {
        "register_hook": hooks.register_hook, "retain_grad": retain_grad, "backward": backward,
        "register_post_accumulate_grad_hook": hooks.register_post_accumulate_grad_hook, "_is_view": views.is_view,
        "cpu": lambda self: self, "apply": apply, "bernoulli": random.bernoulli, "multinomial": random.multinomial,
    }  # fmt: skip


def properties() -> dict[str, property]:
    """The properties of `Tensor` that compute."""
    return {
        "T": property(T), "mT": property(mT), "H": property(H), "mH": property(mH),
        "real": property(real, lambda self, value: store_part(self.real, value)),
        "imag": property(imag, lambda self, value: store_part(self.imag, value)),
        "grad_fn": property(grad_fn), "_grad_fn": property(grad_fn, None, not_deleted("_grad_fn")),
        "_backward_hooks": property(hooks.hooks_dict, hooks.set_hooks_dict, not_deleted("_backward_hooks")),
        "_version": property(writes.version_of),
        "_base": property(views.base_of),
    }  # fmt: skip


def not_deleted(name: str) -> Callable[[Tensor], None]:
    """What refuses to delete this attribute."""

    def refuse(self: Tensor) -> None:
        raise RuntimeError(f"Deleting tensor.{name} is not allowed.")

    return refuse


def real(self: Tensor) -> Any:
    """The real part: a view of a complex tensor, a real tensor itself."""
    return F.real(self) if self.is_complex() else self


def store_part(part: Tensor, value: Any) -> None:
    """``x.real = value``, unless the value is that part already, as after ``x.real += y``."""
    if not (isinstance(value, Tensor) and value.data_ptr() == part.data_ptr() and value.stride() == part.stride()):
        part.copy_(value)


def imag(self: Tensor) -> Any:
    """The imaginary part."""
    if not self.is_complex():
        raise RuntimeError("imag is not implemented for tensors with non-complex dtypes.")
    return F.imag(self)


def matmul(x: Any, y: Any) -> Any:
    """``x @ y``."""
    if isinstance(x, Tensor) and isinstance(y, Tensor):
        return products.matmul(x, y)
    if isinstance(x, NUMBERS) or isinstance(y, NUMBERS):
        return NotImplemented
    return operate(TABLE[np.matmul], (x, y), {})


def backward(self: Tensor, gradient: Any = None, retain_graph: bool | None = None, create_graph: bool = False,
             inputs: Any = None) -> None:  # fmt: skip
    """Compute the gradient of this tensor with respect to the leaves it depends on, adding to their ``.grad``.

    ``gradient`` is the cotangent of a tensor that is no scalar; ``retain_graph`` allows another pass;
    ``create_graph`` records the pass itself; ``inputs`` limits it to these tensors.
    """
    if levels.present() and levels.are_transforms():
        raise RuntimeError(
            "backward() called inside a functorch transform. This is not supported, please use functorch.grad or "
            "functorch.vjp instead or call backward() outside of functorch transforms."
        )
    engine.backward(self, gradient, retain_graph, create_graph, inputs)


def retain_grad(self: Tensor) -> None:
    """Let a backward pass fill ``.grad`` of this non-leaf too."""
    levels.refuse("retain_grad")
    hooks.retain_grad(self)


def grad_fn(self: Tensor) -> Any:
    """The recorded call that made this tensor, or None for a leaf."""
    if self.lane.stale:
        views.check_stale(self)
    return None if self.node is None else public_edge(edge_of(self))[0]


def apply(self: Tensor, primitive: Primitive, operands: Any, params: dict[str, Any]) -> Any:
    """A primitive called through NumPy."""
    return function_of(primitive)(*operands, **params)


for _name, _value in (operators() | methods() | mutating.methods() | properties()).items():
    setattr(Tensor, _name, _value)
