"""The methods that write in place, ``add_`` and its kin: the function, stored in the tensor's own memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from chainrule.core.primitive import TABLE
from chainrule.eager import creation, inplace, random, writes
from chainrule.eager.functions.shapes import expand
from chainrule.eager.specialise import OPERATORS, F, Functions
from chainrule.eager.tensor import Tensor

BY_UFUNC: Final = {"add": np.add, "sub": np.subtract, "mul": np.multiply, "truediv": np.divide}
BY_FUNCTION: Final = (
    "pow", "remainder", "fmod", "clamp", "masked_fill", "neg", "exp", "log", "sqrt", "rsqrt", "reciprocal", "sin", "cos",
    "tan", "tanh", "sigmoid", "relu", "abs", "floor", "ceil", "round", "trunc", "sign", "square", "tril", "triu", "scatter",
    "scatter_add", "index_add", "cumsum", "cumprod", "lerp", "erf", "clip", "log1p", "expm1",
)  # fmt: skip

RANDOM: Final = ("uniform_", "normal_", "bernoulli_", "exponential_", "geometric_", "cauchy_", "log_normal_", "random_")


def methods() -> dict[str, Callable[..., Any]]:
    """Every in-place method and operator of `Tensor`."""
    found: dict[str, Callable[..., Any]] = {
        "zero_": zero_, "fill_": fill_, "copy_": copy_, "__ipow__": ipow,
        **{name: getattr(random, name) for name in RANDOM},
    }  # fmt: skip
    for name, ufunc in BY_UFUNC.items():
        found[f"__i{name}__"] = inplace.ufunc_inplace(ufunc, _out_of_place(OPERATORS, TABLE[ufunc].name))
        method = inplace.ufunc_inplace(ufunc, _out_of_place(F, TABLE[ufunc].name))
        found[f"{name.removeprefix('true')}_"] = _with_alpha(method) if name in ("add", "sub") else method
    return found | {f"{name}_": _by_function(name) for name in BY_FUNCTION}


def _out_of_place(source: Functions, name: str) -> Callable[[Any, Any], Any]:
    return lambda a, b: getattr(source, name)(a, b)


def _with_alpha(method: Any) -> Any:
    def inplace_method(self: Tensor, other: Any, *, alpha: float = 1) -> Tensor:
        return method(self, other if alpha == 1 else other * alpha)  # type: ignore[no-any-return]

    return inplace_method


def _by_function(name: str) -> Any:
    def method(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return inplace.adopt(self, getattr(self, name)(*args, **kwargs))

    method.__name__ = f"{name}_"
    return method


def ipow(self: Tensor, other: Any) -> Tensor:
    """``self **= other``."""
    return inplace.adopt(self, self**other)


def fill_(self: Tensor, value: Any) -> Tensor:
    """Every element becomes ``value``; returns self."""
    if getattr(value, "ndim", 0):
        raise RuntimeError(f"fill_ only supports 0-dimension value tensor but got tensor with {value.ndim} dimensions.")
    return inplace.adopt(self, F.fill(self, value.cast(self.dtype) if isinstance(value, Tensor) else value))


def zero_(self: Tensor) -> Tensor:
    """Every element becomes 0; returns self."""
    if self.requires_grad or not self.lane.native:
        return inplace.adopt(self, F.zero(self))
    self.array.fill(0)
    writes.log_write(self)
    return self


def copy_(self: Tensor, src: Any, non_blocking: bool = False) -> Tensor:
    """The elements become those of ``src``, broadcast and cast; returns self."""
    source = src if isinstance(src, Tensor) else creation.tensor(src)
    expand(source, tuple(self.array.shape))  # refuses what does not broadcast
    return inplace.adopt(self, F.overwrite(self, source.cast(self.dtype)))
