"""The methods that write in place, ``add_`` and its kin: the function, stored in the tensor's own memory."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from chainrule.core.primitive import TABLE
from chainrule.core.rules import next_seq
from chainrule.eager import creation, inplace, modes, random, views, writes
from chainrule.eager.data import number_for
from chainrule.eager.functions.shapes import expand
from chainrule.eager.lane import own_lane
from chainrule.eager.specialise import OPERATORS, F, Functions
from chainrule.eager.tensor import Tensor
from chainrule.errors import Refusal, ShapeError, broadcast_error, c_type_name, shape_text
from chainrule.ops import indexing
from chainrule.ops.shaping import broadcastable
from chainrule.ops.strided import memory_of

BY_UFUNC: Final = {"add": np.add, "sub": np.subtract, "mul": np.multiply, "truediv": np.divide}
BY_FUNCTION: Final = (
    "pow", "remainder", "fmod", "clamp", "neg", "exp", "log", "sqrt", "rsqrt", "reciprocal", "sin", "cos", "tan", "tanh",
    "sigmoid", "relu", "abs", "floor", "ceil", "round", "trunc", "sign", "square", "tril", "triu", "cumsum", "cumprod",
    "lerp", "erf", "clip", "log1p", "expm1", "absolute", "acos", "acosh", "addmm", "addmv", "addr", "baddbmm", "addbmm",
    "addcmul", "addcdiv", "arccos", "arccosh", "arcsin", "arcsinh", "arctan2", "arctan", "arctanh", "asin", "asinh", "atan2",
    "atan", "atanh", "bitwise_and", "bitwise_not", "bitwise_or", "bitwise_xor", "clamp_min", "clamp_max", "conj_physical",
    "copysign", "cosh", "deg2rad", "digamma", "divide", "eq", "erfc", "erfinv", "exp2", "fix", "float_power", "floor_divide",
    "frac", "ge", "greater", "greater_equal", "gt", "heaviside", "hypot", "ldexp", "le", "lgamma", "less", "less_equal",
    "log10", "log2", "logical_and", "logical_not", "logical_or", "logical_xor", "logit", "lt", "multiply", "nan_to_num",
    "ne", "negative", "not_equal", "rad2deg", "renorm", "sgn", "sinc", "sinh", "subtract", "true_divide", "xlogy",
)  # fmt: skip
STORING: Final = (
    "masked_fill", "scatter", "scatter_add", "scatter_reduce", "index_reduce", "index_add", "index_fill", "index_copy",
    "index_put", "masked_scatter", "put",
)  # fmt: skip
MOVING: Final = ("transpose", "t", "squeeze", "unsqueeze", "swapaxes", "swapdims", "as_strided")
OPERATED: Final = ("pow", "floordiv", "mod", "and", "or", "xor")  # augmented assignments by the operator

RANDOM: Final = ("uniform_", "normal_", "bernoulli_", "exponential_", "geometric_", "cauchy_", "log_normal_", "random_")


def methods() -> dict[str, Callable[..., Any]]:
    """Every in-place method and operator of `Tensor`."""
    found: dict[str, Callable[..., Any]] = {
        "zero_": zero_, "fill_": fill_, "copy_": copy_, "fill_diagonal_": fill_diagonal_, "resize_": resize_,
        "resize_as_": resize_as_, "set_": set_, **{name: getattr(random, name) for name in RANDOM},
    }  # fmt: skip
    for name, ufunc in BY_UFUNC.items():
        found[f"__i{name}__"] = inplace.ufunc_inplace(ufunc, _out_of_place(OPERATORS, TABLE[ufunc].name))
        method = inplace.ufunc_inplace(ufunc, _out_of_place(F, TABLE[ufunc].name))
        found[f"{name.removeprefix('true')}_"] = _with_alpha(method) if name in ("add", "sub") else method
    found["div_"] = _rounded(found["div_"])
    found |= {f"{name}_": _by_function(name) for name in (*BY_FUNCTION, *STORING)}
    found |= {f"{name}_": _filling(found[f"{name}_"]) for name in ("masked_fill", "index_fill")}
    found |= {f"{name}_": _moved(name) for name in MOVING}
    return found | {f"__i{name}__": _augmented(f"__{name}__") for name in OPERATED}


def _out_of_place(source: Functions, name: str) -> Callable[[Any, Any], Any]:
    return lambda a, b: getattr(source, name)(a, b)


def _with_alpha(method: Any) -> Any:
    def inplace_method(self: Tensor, other: Any, *, alpha: float = 1) -> Tensor:
        return method(self, other if alpha == 1 else other * alpha)  # type: ignore[no-any-return]

    return inplace_method


def _rounded(method: Any) -> Any:
    def inplace_method(self: Tensor, other: Any, *, rounding_mode: str | None = None) -> Tensor:
        if rounding_mode is None:
            return method(self, other)  # type: ignore[no-any-return]
        return inplace.adopt(self, self.div(other, rounding_mode=rounding_mode))

    return inplace_method


def _by_function(name: str) -> Any:
    def method(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        since = next_seq()
        return inplace.adopt(self, getattr(inplace.operand(self), name)(*args, **kwargs), since)

    method.__name__ = f"{name}_"
    return method


def _filling(method: Any) -> Any:
    """``method``, its last argument a number that is cast as `fill_` casts it."""

    def inplace_method(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        before, value = (args, kwargs.pop("value")) if "value" in kwargs else (args[:-1], args[-1])
        return method(self, *before, number_for(self, value), **kwargs)  # type: ignore[no-any-return]

    return inplace_method


def _augmented(operator: str) -> Any:
    def method(self: Tensor, other: Any) -> Any:
        result = getattr(inplace.operand(self), operator)(other)
        return result if result is NotImplemented or inplace.is_number(self) else inplace.adopt(self, result)

    return method


def _moved(name: str) -> Any:
    def method(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return inplace.look_as(self, getattr(self, name)(*args, **kwargs))

    method.__name__ = f"{name}_"
    return method


def fill_(self: Tensor, value: Any) -> Tensor:
    """Every element becomes ``value``; returns self."""
    if getattr(value, "ndim", 0):
        raise RuntimeError(f"fill_ only supports 0-dimension value tensor but got tensor with {value.ndim} dimensions.")
    number = value.cast(self.dtype) if isinstance(value, Tensor) else number_for(self, value)
    if not isinstance(number, Tensor) and inplace.goes_unrecorded(self):
        return inplace.store(self, number)
    return inplace.adopt(self, F.fill(self, number))


def zero_(self: Tensor) -> Tensor:
    """Every element becomes 0; returns self."""
    return inplace.store(self, 0) if inplace.goes_unrecorded(self) else inplace.adopt(self, F.zero(self))


def copy_(self: Tensor, src: Any, non_blocking: bool = False) -> Tensor:
    """The elements become those of ``src``, broadcast and cast; returns self."""
    source = src if isinstance(src, Tensor) else creation.tensor(src)
    if not broadcastable(source.array.shape, self.array.shape):
        error = broadcast_error(self.array.shape, source.array.shape)
        if error is not None:
            raise error
        expand(source, tuple(self.array.shape))  # refuses it
    if inplace.goes_unrecorded(self, source):
        return inplace.store(self, source.array)
    return inplace.adopt(self, F.overwrite(self, source.cast(self.dtype)))


def fill_diagonal_(self: Tensor, fill_value: float, wrap: bool = False) -> Tensor:
    """The main diagonal becomes ``fill_value``; with ``wrap`` it starts again below the square. Returns self."""
    if self.ndim < 2:
        raise Refusal("dimensions must larger than 1")
    if self.ndim > 2 and len(set(self.array.shape)) > 1:
        raise Refusal("all dimensions of input must be of equal length")
    n = min(self.array.shape)
    places = np.arange(n)
    if wrap and self.ndim == 2:
        flat = np.arange(0, self.array.size, self.array.shape[1] + 1)
        index: tuple[Any, ...] = indexing.unraveled(flat, self.array.shape)
    else:
        index = (places,) * self.ndim
    value = np.asarray(fill_value, self.array.dtype)
    result = F.setitem(self, value, *index, key=(indexing.HOLE,) * self.ndim)
    return inplace.adopt(self, result)


def resize_(self: Tensor, *sizes: Any, memory_format: Any = None) -> Tensor:
    """Another shape, on new memory if it does not fit; elements beyond the old ones are arbitrary. Returns self."""
    shape = tuple(sizes[0]) if len(sizes) == 1 and not isinstance(sizes[0], int) else sizes
    if self.requires_grad and not modes.is_inference_mode_enabled():
        raise Refusal("cannot resize variables that require grad")
    if not all(isinstance(n, int) for n in shape):
        raise TypeError(f"resize_(): argument 'size' (position 1) must be tuple of ints, not {type(shape[0]).__name__}")
    if any(n < 0 for n in shape):
        raise ShapeError(f"resize_(): sizes cannot be negative, but got {shape_text(shape)}")
    if shape != self.array.shape:
        count, start = math.prod(shape), self.storage_offset()
        memory = memory_of(self.array).reshape(-1)
        if start + count <= memory.size:  # there is room, perhaps from before it was made smaller
            inplace.check_writable(self, recording=False, whole=False)
            self.array = memory[start : start + count].reshape(shape)
            writes.log_write(self)
            return self
        room = np.zeros(count, memory.dtype)
        room[: memory.size - start] = memory[start:]
        old = self.array
        inplace.replace_memory(self, room.reshape(shape))
        writes.carry_over(old, self.array)
    return self


def resize_as_(self: Tensor, other: Tensor, memory_format: Any = None) -> Tensor:
    """`resize_` to the shape of ``other``."""
    return resize_(self, tuple(other.array.shape))


def set_data(self: Tensor, value: Tensor) -> None:
    """``self.data = value``: look at the memory of ``value`` from now on, the history staying what it is."""
    if not isinstance(value, Tensor):
        raise TypeError(f"Variable data has to be a tensor, but got {type(value).__name__}")
    if self.requires_grad and not value.dtype.differentiable:
        raise RuntimeError("data set to a tensor that requires gradients must be floating point or complex dtype")
    if value.array is not self.array:
        views.unlink(self)
    self.array = value.array
    self.lane = own_lane(value.lane)


Tensor.data = Tensor.data.setter(set_data)


def set_(self: Tensor, source: Tensor | None = None) -> Tensor:
    """Look at the memory of ``source`` from now on; returns self."""
    if source is not None and not isinstance(source, Tensor):
        raise TypeError(f"set_() takes a tensor, or nothing, but got {type(source).__name__}")
    if source is not None and source.dtype is not self.dtype:
        raise Refusal(
            f"Could not set tensor of type {c_type_name(source.dtype)} to a tensor of type {c_type_name(self.dtype)}"
        )
    if self.leaf and modes.is_grad_enabled():
        raise RuntimeError("a leaf Variable that requires grad is being used in an in-place operation.")
    if views.is_view(self) and self.requires_grad:
        raise Refusal("set_ on a view that requires grad is not supported")
    inplace.replace_memory(self, np.empty(0, self.array.dtype) if source is None else source.array)
    return self
