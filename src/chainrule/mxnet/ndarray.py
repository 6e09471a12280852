"""mxnet.nd: arrays. `NDArray` holds a tensor; calls are recorded only inside ``autograd.record``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.core import spec
from chainrule.core.spec import DType
from chainrule.eager import creation, modes
from chainrule.eager.tensor import Tensor
from chainrule.errors import missing, times
from chainrule.mxnet import autograd
from chainrule.mxnet.context import Context, cpu
from chainrule.mxnet.operators import FUNCTIONS, named


def dtype_named(dtype: Any) -> DType:
    return spec.float32 if dtype is None else spec.of_numpy(np.dtype(dtype))


def unwrapped(value: Any) -> Any:
    """The tensor of an NDArray; anything else as it is."""
    return value.tensor if isinstance(value, NDArray) else value


def checked_request(grad_req: str) -> str:
    """What is to be done with a gradient: "write" it, "add" it, or nothing ("null")."""
    if grad_req not in ("write", "add", "null"):
        raise ValueError(f"grad_req must be in ['write', 'add', 'null'], not {grad_req!r}")
    return grad_req


def call(fun: Callable[..., Any], *args: Any, **kwargs: Any) -> NDArray:
    """``fun`` on the tensors of its arguments, recorded if that is asked for; a single number has the shape (1,)."""
    outer = modes.state()
    modes.enter(modes.changed(grad=autograd.is_recording(), inference=False))
    try:
        out = fun(*map(unwrapped, args), **{name: unwrapped(value) for name, value in kwargs.items()})
        return NDArray(out if out.ndim else out.reshape(1))
    finally:
        modes.enter(outer)


class NDArray:
    """An array of MXNet's kind: made by `array`, `zeros` and their kin.

    >>> array([[1, 2], [3, 4]])
    <BLANKLINE>
    [[1. 2.]
     [3. 4.]]
    <NDArray 2x2 @cpu(0)>
    """

    __array_priority__ = 2000.0
    context: Context = cpu()
    ctx: Context = context

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor
        self.grad_req = "null"

    # What it is

    @property
    def shape(self) -> tuple[int, ...]:
        """The lengths of the axes."""
        return tuple(self.tensor.array.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return int(self.tensor.array.size)

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self.tensor.ndim

    @property
    def dtype(self) -> Any:
        """The element type, as NumPy has it."""
        return self.tensor.array.dtype.type

    @property
    def T(self) -> NDArray:
        """All axes in reverse order."""
        return call(FUNCTIONS["transpose"], self)

    def asnumpy(self) -> np.ndarray:
        """A copy as a NumPy array."""
        return np.array(self.tensor.array)

    def asscalar(self) -> Any:
        """The one element."""
        if self.size != 1:
            raise ValueError("The current array is not a scalar")
        return self.tensor.array.reshape(())[()]

    def astype(self, dtype: Any) -> NDArray:
        """The array in another dtype."""
        return call(lambda t: t.to(dtype_named(dtype)), self)

    def copy(self) -> NDArray:
        """The array on memory of its own."""
        return call(lambda t: t.clone(), self)

    def __len__(self) -> int:
        return len(self.tensor)

    def __bool__(self) -> bool:
        return bool(self.tensor)

    def __float__(self) -> float:
        return float(self.asscalar())

    def __int__(self) -> int:
        return int(self.asscalar())

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self.asnumpy().astype(dtype or self.tensor.array.dtype)

    def __repr__(self) -> str:
        return f"\n{self.tensor.array}\n<NDArray {times(self.shape)} @{self.context}>"

    # Its gradient

    def attach_grad(self, grad_req: str = "write") -> None:
        """Have backward passes write the gradient of this array to ``grad`` (add it for "add", leave it for "null")."""
        self.grad_req = checked_request(grad_req)
        self.tensor = self.tensor.detach()
        if grad_req != "null":
            self.tensor.requires_grad_()
            self.tensor._grad = creation.zeros_like(self.tensor)
            autograd.attached.add(self)

    @property
    def grad(self) -> NDArray | None:
        """The gradient, or None if none was attached."""
        return None if self.tensor._grad is None else NDArray(self.tensor._grad)

    def detach(self) -> NDArray:
        """The same memory without the history."""
        return NDArray(self.tensor.detach())

    def backward(self, out_grad: NDArray | None = None, retain_graph: bool = False, train_mode: bool = True) -> None:
        """Compute the gradients of this array, whose elements are added up unless ``out_grad`` weighs them."""
        autograd.backward(self, out_grad, retain_graph)

    # Its elements

    def __neg__(self) -> NDArray:
        return call(lambda t: -t, self)

    def __abs__(self) -> NDArray:
        return call(abs, self)

    def __getitem__(self, key: Any) -> NDArray:
        return call(lambda t: t[unwrapped(key)], self)

    def __setitem__(self, key: Any, value: Any) -> None:
        with modes.no_grad():
            self.tensor[unwrapped(key)] = unwrapped(value)

    def reshape(self, *shape: Any) -> NDArray:
        """The elements in another shape."""
        return call(lambda t: t.reshape(*shape), self)


def _operator(name: str) -> Callable[..., Any]:
    def method(self: NDArray, other: Any) -> NDArray:
        return call(lambda a, b: getattr(a, name)(b), self, other)

    return method


def _comparison(name: str) -> Callable[..., Any]:
    def method(self: NDArray, other: Any) -> Any:
        if other is None:
            return NotImplemented
        return call(lambda a, b: getattr(a, name)(b).to(spec.float32), self, other)

    return method


def _in_place(name: str) -> Callable[..., Any]:
    def method(self: NDArray, other: Any) -> NDArray:
        with modes.no_grad():
            getattr(self.tensor, name)(unwrapped(other))
        return self

    return method


def _method(name: str) -> Callable[..., Any]:
    def method(self: NDArray, *args: Any, **kwargs: Any) -> NDArray:
        return call(FUNCTIONS[name], self, *args, **kwargs)

    return named(name, method)


for _name in ("add", "sub", "mul", "truediv", "pow", "mod"):
    for _prefix in ("", "r"):
        setattr(NDArray, f"__{_prefix}{_name}__", _operator(f"__{_prefix}{_name}__"))
    setattr(NDArray, f"__i{_name}__", _in_place(f"__i{_name}__"))
for _name in ("lt", "le", "gt", "ge", "eq", "ne"):
    setattr(NDArray, f"__{_name}__", _comparison(f"__{_name}__"))
NDArray.__hash__ = object.__hash__  # type: ignore[method-assign]  # defining __eq__ took it away
for _name in ("sum", "mean", "max", "min", "prod", "norm", "exp", "log", "sqrt", "square", "abs", "sin", "cos", "tanh", "relu",
              "sigmoid", "softmax", "log_softmax", "clip", "transpose", "dot"):  # fmt: skip
    setattr(NDArray, _name, _method(_name))


# Making arrays


def array(source_array: Any, ctx: Context | None = None, dtype: Any = None) -> NDArray:
    """An array with a copy of the numbers, in float32 (an array keeps its dtype but for float64)."""
    values = np.array(unwrapped(source_array) if not isinstance(source_array, NDArray) else source_array.asnumpy())
    kept = dtype is None and isinstance(source_array, (np.ndarray, NDArray)) and values.dtype != np.float64
    return NDArray(creation.from_numpy(values if kept else values.astype(dtype_named(dtype).numpy)))


def sizes(shape: Any) -> tuple[int, ...]:
    return (shape,) if isinstance(shape, int) else tuple(shape)


def zeros(shape: Any, ctx: Context | None = None, dtype: Any = None) -> NDArray:
    """Zeros."""
    return NDArray(creation.zeros(sizes(shape), dtype=dtype_named(dtype)))


def ones(shape: Any, ctx: Context | None = None, dtype: Any = None) -> NDArray:
    """Ones."""
    return NDArray(creation.ones(sizes(shape), dtype=dtype_named(dtype)))


def full(shape: Any, val: float, ctx: Context | None = None, dtype: Any = None) -> NDArray:
    """One number in every element."""
    return NDArray(creation.full(sizes(shape), val, dtype=dtype_named(dtype)))


def arange(start: float, stop: float | None = None, step: float = 1.0, ctx: Context | None = None,
           dtype: Any = None) -> NDArray:  # fmt: skip
    """Numbers in steps, up to but without ``stop``."""
    return NDArray(creation.arange(start, stop, step, dtype=dtype_named(dtype)))


def zeros_like(data: NDArray) -> NDArray:
    """Zeros in the shape of another array."""
    return NDArray(creation.zeros_like(data.tensor))


def ones_like(data: NDArray) -> NDArray:
    """Ones in the shape of another array."""
    return NDArray(creation.ones_like(data.tensor))


_MADE = [
    "NDArray", "arange", "array", "full", "ones", "ones_like", "random", "zeros", "zeros_like",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in FUNCTIONS:
        raise missing(__name__, name, [*_MADE, *FUNCTIONS])

    def function(*args: Any, **kwargs: Any) -> NDArray:
        return call(FUNCTIONS[name], *args, **kwargs)

    found = globals()[name] = named(name, function)
    return found


def __dir__() -> list[str]:
    return sorted([*_MADE, *FUNCTIONS])
