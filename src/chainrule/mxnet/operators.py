"""MXNet's names for functions of the table; ``nd`` and ``sym`` both have them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from chainrule.core.box import apply
from chainrule.ops import activation, composite, elementwise, reduction


def _over(fun: Any) -> Callable[..., Any]:
    """A reduction with MXNet's arguments."""
    return lambda data, axis=None, keepdims=False: apply(fun, data, axis=axis, keepdims=keepdims)


def _of(fun: Any) -> Callable[..., Any]:
    """A function of operands only."""
    return lambda *operands: apply(fun, *operands)


def _along(fun: Any) -> Callable[..., Any]:
    return lambda data, axis=-1: apply(fun, data, axis=axis)


FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {
    **{name: _of(getattr(np, name)) for name in (
        "exp", "log", "log2", "log10", "log1p", "expm1", "sqrt", "cbrt", "square", "reciprocal", "sin", "cos", "tan", "arcsin",
        "arccos", "arctan", "sinh", "cosh", "tanh", "arcsinh", "arccosh", "arctanh", "negative", "floor", "ceil", "trunc",
        "sign", "where", "maximum", "minimum", "power",
    )},
    "abs": _of(np.absolute), "rsqrt": _of(elementwise.rsqrt), "sigmoid": _of(elementwise.sigmoid),
    "relu": _of(activation.relu), "dot": _of(np.matmul),
    **{f"{kind}_{name}": _of(fun) for kind in ("elemwise", "broadcast") for name, fun in (
        ("add", np.add), ("sub", np.subtract), ("mul", np.multiply), ("div", np.divide),
    )},
    "broadcast_maximum": _of(np.maximum), "broadcast_minimum": _of(np.minimum), "broadcast_power": _of(np.power),
    "sum": _over(np.sum), "mean": _over(np.mean), "prod": _over(np.prod), "max": _over(np.max), "min": _over(np.min),
    "softmax": _along(composite.softmax), "log_softmax": _along(composite.log_softmax),
    "norm": lambda data, ord=2, axis=None, keepdims=False:
        apply(reduction.vector_norm, data, ord=ord, axis=axis, keepdims=keepdims),
    "transpose": lambda data, axes=None: apply(np.transpose, data, axes=axes),
    "reshape": lambda data, shape: apply(np.reshape, data, shape=tuple(shape)),
    "clip": lambda data, a_min, a_max: apply(np.clip, data, a_min, a_max),
    "concat": lambda *data, dim=1: apply(np.concatenate, *data, axis=dim),
    "stack": lambda *data, axis=0: apply(np.stack, *data, axis=axis),
}  # fmt: skip


def named(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
    """``call`` under MXNet's name of the function."""
    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"MXNet's ``{name}``."
    return call
