"""The functions that an expression may call."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from chainrule.eager.namespace import function_named
from chainrule.eager.specialise import F

CONSTANTS: Final = {"pi": math.pi}
OUTER: Final = "i,j->ij"  # einsum makes one step of what torch's outer does in two


class Function(NamedTuple):
    """One function of the vocabulary: how it is called, with how many arguments, and whether it takes ``dim``."""

    call: Callable[..., Any]
    least: int = 1
    most: int = 1
    dim: bool = False


def _elementwise(name: str) -> Function:
    return Function(lambda x: getattr(F, name)(x))


def _binary(name: str) -> Function:
    return Function(lambda x, y: getattr(F, name)(x, y), 2, 2)


def _reduction(name: str) -> Function:
    return Function(lambda x, dim=None: getattr(F, name)(x, axis=dim), dim=True)


def _along(name: str) -> Function:
    """A function along one axis, the last unless another is given; of a number, along the only one there is."""

    def call(x: Any, dim: int = -1) -> Any:
        along = getattr(F, name)
        return along(x, axis=dim) if x.ndim else F.reshape(along(F.reshape(x, (1,)), axis=0), ())

    return Function(call, dim=True)


def _torch(name: str, *how: Any) -> Function:
    """A function with torch's signature, looked up when it is called."""

    def call(x: Any, *others: Any, **options: Any) -> Any:
        fun = function_named(name)
        assert fun is not None
        return fun(x, *others, **options)

    return Function(call, *how)


def _extremum(among: str, between: str) -> Function:
    def call(x: Any, y: Any = None, dim: int | None = None) -> Any:
        return getattr(F, among)(x, axis=dim) if y is None else getattr(F, between)(x, y)

    return Function(call, 1, 2, dim=True)


def transposed(x: Any) -> Any:
    """The transpose of a matrix; a vector or a number as it is."""
    return F.transpose(x) if x.ndim == 2 else x


SAME_NAME: Final = (
    "sin", "cos", "tan", "sinh", "cosh", "tanh", "exp", "log", "log2", "log10", "log1p", "expm1", "sqrt",
    "sigmoid", "relu", "gelu", "silu", "softplus", "erf", "square", "reciprocal", "sign", "det", "inv", "trace",
)  # fmt: skip
FUNCTIONS: Final[dict[str, Function]] = {
    **{name: _elementwise(name) for name in SAME_NAME},
    "asin": _elementwise("arcsin"),
    "acos": _elementwise("arccos"),
    "atan": _elementwise("arctan"),
    "abs": _elementwise("absolute"),
    "ln": _elementwise("log"),
    "dot": _binary("dot"),
    "matmul": _torch("matmul", 2, 2),
    "outer": Function(lambda x, y: F.einsum(x, y, subscripts=OUTER), 2, 2),
    "solve": _binary("solve"),
    "maximum": _binary("maximum"),
    "minimum": _binary("minimum"),
    "max": _extremum("max", "maximum"),
    "min": _extremum("min", "minimum"),
    "sum": _reduction("sum"),
    "mean": _reduction("mean"),
    "prod": _reduction("prod"),
    "norm": _reduction("vector_norm"),
    "logsumexp": _reduction("logsumexp"),
    "var": _torch("var", 1, 1, True),
    "std": _torch("std", 1, 1, True),
    "softmax": _along("softmax"),
    "log_softmax": _along("log_softmax"),
    "transpose": Function(transposed),
}
