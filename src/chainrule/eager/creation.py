"""Making tensors: from data, filled, ranges, random. Arguments and defaults are torch's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.core import spec
from chainrule.core.box import derived
from chainrule.core.spec import DType
from chainrule.eager.generator import Generator, default_generator
from chainrule.eager.tensor import Device, Parameter, Size, Tensor, wrap


def finish(array: Any, requires_grad: bool = False, device: Any = None) -> Tensor:
    """A leaf around ``array``. Raises if ``device`` is not there, or the dtype can have no gradient."""
    if device is not None:
        Device(device)
    t = wrap(array)
    if requires_grad:
        if not t.dtype.differentiable:
            raise RuntimeError("Only Tensors of floating point and complex dtype can require gradients")
        t.requires_grad = True
    return t


def checked_dtype(name: str, dtype: Any, otherwise: DType) -> DType:
    """``dtype``, or the default; TypeError if it is not one of chainrule's."""
    if dtype is None:
        return otherwise
    if not isinstance(dtype, DType):
        raise TypeError(f"{name}(): argument 'dtype' must be torch.dtype, not {type(dtype).__name__}")
    return dtype


def tensor(data: Any, *, dtype: DType | None = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor with a copy of ``data``: numbers, nested sequences, arrays or tensors.

    Python floats become the default dtype, whole numbers int64; arrays keep theirs.

    >>> tensor([1.0, 2.0])
    tensor([1., 2.])
    """
    wanted = checked_dtype("tensor", dtype, None) if dtype is not None else None  # type: ignore[arg-type]
    array = np.array(raw_data(data))
    if wanted is not None:
        array = array.astype(wanted.numpy)
    return finish(array, requires_grad, device)


def raw_data(data: Any) -> np.ndarray:
    """The array that ``data`` means, in torch's dtype for it."""
    if isinstance(data, Tensor):
        return data.array  # type: ignore[no-any-return]
    if isinstance(data, (np.ndarray, np.generic)):
        array = np.asarray(data)
        return array.astype(spec.of_numpy(array.dtype).numpy)
    if isinstance(data, (str, bytes)) or data is None:
        raise TypeError(f"new(): invalid data type '{type(data).__name__}'")
    if isinstance(data, (list, tuple)):
        check_rectangle(data, 0)
        first = _first(data)
        if isinstance(first, (Tensor, np.ndarray, np.generic)):
            return np.asarray(_plain(data))
        array = np.asarray(_plain(data))
    else:
        array = np.asarray(data)
    if array.dtype == object:
        raise TypeError(f"new(): invalid data type '{type(_first(data)).__name__}'")
    if array.size == 0 and array.dtype == np.float64:
        return array.astype(spec.default_float().numpy)
    kind = array.dtype.kind
    if kind == "f":
        return array.astype(spec.default_float().numpy)
    return array.astype(spec.default_float().to_complex().numpy) if kind == "c" else array


def _first(data: Any) -> Any:
    while isinstance(data, (list, tuple)) and data:
        data = data[0]
    return data


def _plain(data: Any) -> Any:
    """Nested sequences with the tensors in them as arrays."""
    if isinstance(data, (list, tuple)):
        return [_plain(part) for part in data]
    return data.array if isinstance(data, Tensor) else data


def check_rectangle(data: Any, depth: int) -> int | None:
    """The length of nested sequences; ValueError if neighbours differ in length, TypeError for what is no number."""
    if isinstance(data, (str, bytes)):
        raise TypeError(f"new(): invalid data type '{type(data).__name__}'")
    if not isinstance(data, (list, tuple)):
        return None
    lengths = [check_rectangle(part, depth + 1) for part in data]
    for n in lengths[1:]:
        if n != lengths[0]:
            if n is None:
                raise TypeError("not a sequence")
            raise ValueError(f"expected sequence of length {lengths[0]} at dim {depth + 1} (got {n})")
    return len(data)


def as_tensor(data: Any, dtype: DType | None = None, device: Any = None) -> Tensor:
    """``data`` as a tensor, sharing memory where that is possible."""
    if isinstance(data, Tensor):
        return data if dtype is None else data.cast(dtype)  # type: ignore[no-any-return]
    if isinstance(data, np.ndarray):
        t = from_numpy(data)
        return t if dtype is None else t.cast(dtype)  # type: ignore[no-any-return]
    return tensor(data, dtype=dtype, device=device)


asarray = as_tensor


def from_numpy(array: np.ndarray) -> Tensor:
    """A tensor on the memory of ``array``."""
    if not isinstance(array, np.ndarray):
        raise TypeError(f"expected np.ndarray (got {type(array).__name__})")
    dtype = spec.of_numpy(array.dtype)
    return wrap(array if array.dtype == dtype.numpy else array.astype(dtype.numpy))


def new_tensor(cls: type[Tensor], *args: Any, **kwargs: Any) -> Tensor:
    """`Tensor([1, 2])` holds these numbers as floats, `Tensor(2, 3)` has that size; `Parameter(t)` shares t's memory."""
    if cls is Parameter:
        return new_parameter(*args, **kwargs)
    if not args:
        array = np.empty(0, spec.default_float().numpy)
    elif len(args) == 1 and isinstance(args[0], float):
        raise TypeError("new(): data must be a sequence (got float)")
    elif len(args) == 1 and isinstance(args[0], Size) or isinstance(args[0], int):
        array = np.zeros(args[0] if isinstance(args[0], Size) else args, spec.default_float().numpy)
    elif isinstance(args[0], Tensor):
        array = args[0].array
    else:
        array = np.array(raw_data(args[0])).astype(spec.default_float().numpy)
    t = wrap(array)
    if cls is not Tensor:
        other = object.__new__(cls)
        for slot in Tensor.__slots__[1:]:
            setattr(other, slot, getattr(t, slot))
        return other
    return t


def new_parameter(data: Tensor | None = None, requires_grad: bool = True) -> Parameter:
    """A Parameter on the memory of ``data``."""
    t = object.__new__(Parameter)
    source = tensor([]) if data is None else data
    t.array, t.lane, t.node, t.leaf = source.array, source.lane, None, False
    t._grad = t.base = t.hooks = t.version = None
    t.requires_grad = requires_grad
    return t


Tensor.__new__ = new_tensor  # type: ignore[method-assign, assignment]


def shape_of(name: str, size: tuple[Any, ...]) -> tuple[int, ...]:
    """The shape that ``f(2, 3)`` or ``f((2, 3))`` asks for."""
    shape = tuple(size[0]) if len(size) == 1 and isinstance(size[0], (tuple, list)) else size
    shape = tuple(int(n) for n in shape)
    if any(n < 0 for n in shape):
        raise RuntimeError(f"{name}: Dimension size must be non-negative.")
    return shape


def _filled(name: str, value: float) -> Any:
    def make(
        *size: Any, dtype: DType | None = None, device: Any = None, requires_grad: bool = False, **same: Any
    ) -> Tensor:
        shape = shape_of(name, size or (same.pop("size"),))
        _only_known(name, same)
        return finish(
            np.full(shape, value, checked_dtype(name, dtype, spec.default_float()).numpy), requires_grad, device
        )

    make.__name__ = make.__qualname__ = name
    make.__doc__ = f"A tensor of the given size, filled with {value:g}."
    return make


def _only_known(name: str, options: dict[str, Any]) -> None:
    for key in options:
        if key not in ("layout", "pin_memory", "memory_format", "out"):
            raise TypeError(f"{name}() got an unexpected keyword argument '{key}'")


zeros = _filled("zeros", 0)
ones = _filled("ones", 1)
empty = _filled("empty", 0)


def full(size: Sequence[int], fill_value: Any, *, dtype: DType | None = None, device: Any = None,
         requires_grad: bool = False) -> Tensor:  # fmt: skip
    """A tensor of ``size``, filled with ``fill_value``."""
    value = fill_value.item() if isinstance(fill_value, Tensor) else fill_value
    found = checked_dtype("full", dtype, spec.weak_dtype(value))
    return finish(np.full(shape_of("full", (tuple(size),)), value, found.numpy), requires_grad, device)


def _like(name: str, value: Any) -> Any:
    def make(input: Tensor, *, dtype: DType | None = None, device: Any = None, requires_grad: bool = False,
             **same: Any) -> Tensor:  # fmt: skip
        _only_known(name, same)
        return finish(
            np.full(input.array.shape, value, checked_dtype(name, dtype, input.dtype).numpy), requires_grad, device
        )

    make.__name__ = make.__qualname__ = name
    make.__doc__ = f"A tensor shaped like ``input``, filled with {value}."
    return make


zeros_like = _like("zeros_like", 0)
ones_like = _like("ones_like", 1)
empty_like = _like("empty_like", 0)


def full_like(input: Tensor, fill_value: Any, *, dtype: DType | None = None, device: Any = None,
              requires_grad: bool = False) -> Tensor:  # fmt: skip
    """A tensor shaped like ``input``, filled with ``fill_value``."""
    return full(input.array.shape, fill_value, dtype=dtype or input.dtype, device=device, requires_grad=requires_grad)


def arange(start: Any, end: Any = None, step: Any = 1, *, dtype: DType | None = None, device: Any = None,
           requires_grad: bool = False) -> Tensor:  # fmt: skip
    """The numbers from ``start`` (0) in steps, up to but without ``end``.

    >>> arange(4.0)
    tensor([0., 1., 2., 3.])
    """
    if end is None:
        start, end = 0, start
    whole = all(isinstance(n, (int, np.integer)) for n in (start, end, step))
    found = checked_dtype("arange", dtype, spec.int64 if whole else spec.default_float())
    if step == 0:
        raise RuntimeError("step must be nonzero")
    if (end - start) * step < 0:
        raise RuntimeError("upper bound and lower bound inconsistent with step sign")
    n = max(math.ceil((end - start) / step), 0)
    values = start + step * np.arange(n, dtype=np.int64 if whole else np.float64)
    return finish(values.astype(found.numpy), requires_grad, device)


def linspace(start: float, end: float, steps: int, *, dtype: DType | None = None, device: Any = None,
             requires_grad: bool = False) -> Tensor:  # fmt: skip
    """``steps`` numbers from ``start`` to ``end`` inclusive, computed from both ends in the dtype, as torch does."""
    found = checked_dtype("linspace", dtype, spec.default_float())
    if steps < 0:
        raise RuntimeError("number of steps must be non-negative")
    kind = (
        found.numpy
        if found.differentiable and not found.half
        else np.dtype(np.float64 if not found.half else np.float32)
    )
    first, last = kind.type(start), kind.type(end)
    step = (last - first) / kind.type(max(steps - 1, 1))
    i = np.arange(steps, dtype=kind)
    up, down = first + step * i, last - step * (kind.type(steps - 1) - i)
    values = np.where(np.arange(steps) < steps // 2, up, down) if steps > 1 else np.full(steps, first)
    return finish(values.astype(found.numpy), requires_grad, device)


def logspace(start: float, end: float, steps: int, base: float = 10.0, *, dtype: DType | None = None,
             requires_grad: bool = False) -> Tensor:  # fmt: skip
    """``base`` to the powers of `linspace`."""
    powers = linspace(start, end, steps, dtype=spec.float64).array
    return finish((base**powers).astype(checked_dtype("logspace", dtype, spec.default_float()).numpy), requires_grad)


def eye(
    n: int, m: int | None = None, *, dtype: DType | None = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """The identity matrix."""
    return finish(np.eye(n, m, dtype=checked_dtype("eye", dtype, spec.default_float()).numpy), requires_grad, device)


# Random numbers


def _random(name: str, draw: Any) -> Any:
    def make(*size: Any, generator: Generator | None = None, dtype: DType | None = None, device: Any = None,
             requires_grad: bool = False, **same: Any) -> Tensor:  # fmt: skip
        shape = shape_of(name, size if size or "size" not in same else (same.pop("size"),))
        _only_known(name, same)
        found = checked_dtype(name, dtype, spec.default_float())
        numbers = draw(generator or default_generator, math.prod(shape), found is spec.float64)
        return finish(numbers.astype(found.numpy).reshape(shape), requires_grad, device)

    make.__name__ = make.__qualname__ = name
    return make


rand = _random("rand", lambda source, n, double: source.uniform(n, double))
rand.__doc__ = "Uniform random numbers in [0, 1)."
randn = _random("randn", lambda source, n, double: source.normal(n, double))
randn.__doc__ = "Standard normal random numbers."


def rand_like(input: Tensor, *, dtype: DType | None = None, requires_grad: bool = False) -> Tensor:
    """`rand` with the size and dtype of ``input``."""
    return rand(tuple(input.array.shape), dtype=dtype or input.dtype, requires_grad=requires_grad)  # type: ignore[no-any-return]


def randn_like(input: Tensor, *, dtype: DType | None = None, requires_grad: bool = False) -> Tensor:
    """`randn` with the size and dtype of ``input``."""
    return randn(tuple(input.array.shape), dtype=dtype or input.dtype, requires_grad=requires_grad)  # type: ignore[no-any-return]


def randint(low: int, high: Any = None, size: Any = None, *, generator: Generator | None = None,
            dtype: DType | None = None) -> Tensor:  # fmt: skip
    """Random whole numbers in [low, high); ``randint(high, size)`` starts at 0."""
    if size is None:
        low, high, size = 0, low, high
    if high <= low:
        raise RuntimeError(f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}")
    shape = shape_of("randint", (tuple(size),))
    numbers = (generator or default_generator).integers(math.prod(shape), low, high)
    return finish(numbers.astype(checked_dtype("randint", dtype, spec.int64).numpy).reshape(shape))


def randperm(n: int, *, generator: Generator | None = None) -> Tensor:
    """The numbers 0 to n-1 in random order."""
    return finish((generator or default_generator).permutation(n))


# NumPy's names


@derived(np.zeros_like)
def numpy_zeros_like(a: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None) -> Any:
    """NumPy's zeros_like, a tensor."""
    return _numpy_like(a, 0, dtype, shape)


@derived(np.ones_like)
def numpy_ones_like(a: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None) -> Any:
    """NumPy's ones_like, a tensor."""
    return _numpy_like(a, 1, dtype, shape)


@derived(np.full_like)
def numpy_full_like(
    a: Any, fill_value: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None
) -> Any:
    """NumPy's full_like, a tensor."""
    return _numpy_like(a, fill_value, dtype, shape)


def _numpy_like(a: Any, value: Any, dtype: Any, shape: Any) -> Any:
    found = getattr(a.dtype, "numpy", a.dtype) if dtype is None else dtype
    array = np.full(tuple(a.shape) if shape is None else shape, value, found)
    return wrap(array) if isinstance(a, Tensor) else array


@derived(np.zeros)
def numpy_zeros(shape: Any, dtype: Any = float, order: str = "C", *, like: Any = None) -> Tensor:
    """``np.zeros(shape, like=t)``, a tensor."""
    return wrap(np.zeros(shape, dtype))


@derived(np.ones)
def numpy_ones(shape: Any, dtype: Any = float, order: str = "C", *, like: Any = None) -> Tensor:
    """``np.ones(shape, like=t)``, a tensor."""
    return wrap(np.ones(shape, dtype))


@derived(np.shape)
def numpy_shape(a: Any) -> tuple[int, ...]:
    """NumPy's shape."""
    return tuple(a.shape)


@derived(np.ndim)
def numpy_ndim(a: Any) -> int:
    """NumPy's ndim."""
    return len(a.shape)


@derived(np.size)
def numpy_size(a: Any, axis: int | None = None) -> int:
    """NumPy's size."""
    return math.prod(a.shape) if axis is None else a.shape[axis]
