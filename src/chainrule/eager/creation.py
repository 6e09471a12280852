"""Making tensors: from data, filled, ranges. Arguments and defaults are torch's."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from chainrule.core import spec
from chainrule.core.box import NUMBERS
from chainrule.core.spec import DType
from chainrule.eager import levels, numpy_creation, numpy_values  # noqa: F401  (declare NumPy's names)
from chainrule.eager.copying import of_class
from chainrule.eager.data import array_of, check_fits, is_sequence
from chainrule.eager.lane import own_lane
from chainrule.eager.layout import Size, require_cpu
from chainrule.eager.notice import notice
from chainrule.eager.out import filling
from chainrule.eager.tensor import Parameter, Tensor, wrap
from chainrule.ops.strided import distinct, reach, seen


def finish(array: Any, requires_grad: bool = False, device: Any = None) -> Tensor:
    """A leaf around ``array``. Raises if ``device`` is not there, or the dtype can have no gradient."""
    if device is not None:
        require_cpu(device)
    t = array if isinstance(array, Tensor) else wrap(array)
    if requires_grad:
        if not t.dtype.differentiable:
            raise RuntimeError("Only Tensors of floating point and complex dtype can require gradients")
        t.requires_grad = True
    if levels.present():
        levels.remember(t)
    return t


def checked_dtype(name: str, dtype: Any, otherwise: DType) -> DType:
    """``dtype``, or the default; TypeError if it is not one of chainrule's."""
    if dtype is None:
        return otherwise
    if isinstance(dtype, type):
        dtype = spec.PYTHON_TYPES.get(dtype, dtype)
    if not isinstance(dtype, DType):
        raise TypeError(f"{name}(): argument 'dtype' must be torch.dtype, not {type(dtype).__name__}")
    return dtype


def tensor(data: Any, *, dtype: DType | None = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor with a copy of ``data``: numbers, nested sequences, arrays or tensors.

    Python floats become the default dtype, whole numbers int64; arrays keep theirs.

    >>> tensor([1.0, 2.0])
    tensor([1., 2.])
    """
    if isinstance(data, Tensor):
        notice(COPY_CONSTRUCT.format("torch.tensor"))
    wanted = None if dtype is None else checked_dtype("tensor", dtype, spec.float32)
    return finish(array_of(data, wanted), requires_grad, device)


COPY_CONSTRUCT: Final = (
    "To copy construct from a tensor, it is recommended to use sourceTensor.detach().clone() or "
    "sourceTensor.detach().clone().requires_grad_(True), rather than {}(sourceTensor)."
)


def as_tensor(data: Any, dtype: DType | None = None, device: Any = None) -> Tensor:
    """``data`` as a tensor, sharing memory where that is possible."""
    if device is not None:
        require_cpu(device)
    if isinstance(data, Tensor):
        return data if dtype is None else data.cast(dtype)
    if isinstance(data, np.ndarray):
        t = from_numpy(data)
        return t if dtype is None else t.cast(dtype)
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
    only = args[0] if len(args) == 1 else None
    if not args:
        array = np.empty(0, spec.default_float().numpy)
    elif isinstance(only, Tensor):
        array = only.array
    elif isinstance(only, (str, bytes)):
        raise TypeError(f"new(): invalid data type '{type(only).__name__}'")
    elif isinstance(only, Size) or (isinstance(args[0], (int, np.integer)) and not isinstance(args[0], bool)):
        array = np.zeros(shape_of("new", args), spec.default_float().numpy)
    elif isinstance(only, np.ndarray) or (not isinstance(only, np.generic) and is_sequence(only)):
        array = array_of(only, spec.default_float())
    else:
        raise TypeError(f"new(): data must be a sequence (got {_type_text(args[0])})")
    return of_class(cls, wrap(array))


def _type_text(value: Any) -> str:
    cls = type(value)
    return cls.__name__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__name__}"


def new_parameter(data: Tensor | None = None, requires_grad: bool = True) -> Parameter:
    """A Parameter on the memory of ``data``."""
    t = object.__new__(Parameter)
    source = tensor([]) if data is None else data
    t.array, t.lane = source.array, own_lane(source.lane)
    t.leaf = t.uncounted = False
    t.node = t._grad = t.base = t.hooks = None
    t.requires_grad = requires_grad
    levels.remember_as(source, t)
    return t


Tensor.__new__ = new_tensor  # type: ignore[method-assign, assignment]


def shape_of(name: str, size: tuple[Any, ...], where: str = " (position 1)") -> tuple[int, ...]:
    """The shape that ``f(2, 3)`` or ``f((2, 3))`` asks for; TypeError for what is no size."""
    nested = len(size) == 1 and isinstance(size[0], (tuple, list))
    given = tuple(size[0]) if nested else size
    shape = []
    for k, n in enumerate(given):
        try:
            if type(n) is bool:
                raise TypeError
            shape.append(operator.index(n))
        except TypeError:
            raise TypeError(_bad_size(name, n, k, nested, where)) from None
    if shape and min(shape) < 0:
        raise RuntimeError(f"{name}: Dimension size must be non-negative.")
    return tuple(shape)


def _bad_size(name: str, n: Any, k: int, nested: bool, where: str) -> str:
    found = type(n).__name__
    if k:
        return (
            f"{name}(): argument 'size' failed to unpack the object at pos {k + 1} with error "
            f'"type must be tuple of ints,but got {found}"'
        )
    but = f"but found element of type {found} at pos 0" if nested else f"not {found}"
    return f"{name}(): argument 'size'{where} must be tuple of ints, {but}"


def listed_shape(name: str, size: Any, where: str = " (position 1)") -> tuple[int, ...]:
    """The shape where torch takes no single number for it."""
    if not isinstance(size, (tuple, list)):
        raise TypeError(f"{name}(): argument 'size'{where} must be tuple of ints, not {type(size).__name__}")
    return shape_of(name, (size,), where)


def _filled(name: str, value: float) -> Any:
    def make(*size: Any, dtype: DType | None = None, device: Any = None, requires_grad: bool = False, **same: Any) -> Tensor:
        shape = size_given(name, size, same)
        only_known(name, same)
        return finish(np.full(shape, value, checked_dtype(name, dtype, spec.default_float()).numpy), requires_grad, device)

    make.__name__ = make.__qualname__ = name
    make.__doc__ = f"A tensor of the given size, filled with {value:g}."
    return make


def size_given(name: str, size: tuple[Any, ...], same: dict[str, Any]) -> tuple[int, ...]:
    """The shape, given as arguments or as ``size=``."""
    if size:
        return shape_of(name, size)
    if "size" not in same:
        raise TypeError(f'{name}() missing 1 required positional arguments: "size"')
    return listed_shape(name, same.pop("size"), "")


def only_known(name: str, options: dict[str, Any]) -> None:
    """Refuse a keyword that torch's creation functions do not have."""
    for key in options:
        if key not in ("layout", "pin_memory", "memory_format"):
            raise TypeError(f"{name}() got an unexpected keyword argument '{key}'")


zeros = filling(_filled("zeros", 0))
ones = filling(_filled("ones", 1))
empty = filling(_filled("empty", 0))


def empty_strided(size: Sequence[int], stride: Sequence[int], *, dtype: DType | None = None, device: Any = None,
                  requires_grad: bool = False) -> Tensor:  # fmt: skip
    """A tensor of any values whose elements lie ``stride`` apart."""
    kind = checked_dtype("empty_strided", dtype, spec.default_float())
    _, last = reach(tuple(size), tuple(stride))
    memory = np.zeros(last + 1, kind.numpy)
    return finish(seen(memory, tuple(size), tuple(stride), 0), requires_grad, device)


@filling
def full(size: Sequence[int], fill_value: Any, *, dtype: DType | None = None, device: Any = None,
         requires_grad: bool = False) -> Tensor:  # fmt: skip
    """A tensor of ``size``, filled with ``fill_value``."""
    value = fill_value.item() if isinstance(fill_value, Tensor) else fill_value
    if isinstance(value, str) or not isinstance(value, NUMBERS):
        raise TypeError(f"full(): argument 'fill_value' (position 2) must be Number, not {type(value).__name__}")
    found = checked_dtype("full", dtype, spec.weak_dtype(value))
    return finish(filled(listed_shape("full", size), value, found), requires_grad, device)


def filled(shape: tuple[int, ...], value: Any, dtype: DType) -> np.ndarray:
    """An array of ``value``, cast to ``dtype`` by way of the dtype it suggests."""
    check_fits(value, dtype)
    return np.full(shape, array_of(value, dtype if dtype.category > spec.INTEGER else None).astype(dtype.numpy))


def _like(name: str, value: Any) -> Any:
    def make(input: Tensor, *, dtype: DType | None = None, device: Any = None, requires_grad: bool = False,
             **same: Any) -> Tensor:  # fmt: skip
        only_known(name, same)
        if input.level:
            zeros = full(input.array.shape, value, dtype=checked_dtype(name, dtype, input.dtype), device=device)
            return input._for_each(zeros)
        like = input.array
        order: Any = "K" if distinct(like.shape, like.strides) else "C"  # the axes as they lie in memory
        array = np.empty_like(like, checked_dtype(name, dtype, input.dtype).numpy, order)
        array.fill(value)
        return finish(array, requires_grad, device)

    make.__name__ = make.__qualname__ = name
    make.__doc__ = f"A tensor shaped like ``input``, filled with {value}."
    return make


zeros_like = _like("zeros_like", 0)
ones_like = _like("ones_like", 1)
empty_like = _like("empty_like", 0)


def full_like(input: Tensor, fill_value: Any, *, dtype: DType | None = None, device: Any = None,
              requires_grad: bool = False) -> Tensor:  # fmt: skip
    """A tensor shaped like ``input``, filled with ``fill_value``."""
    made = full(input.array.shape, fill_value, dtype=dtype or input.dtype, device=device, requires_grad=requires_grad)
    return input._for_each(made)


@filling
def arange(start: Any, end: Any = None, step: Any = 1, *, dtype: DType | None = None, device: Any = None,
           requires_grad: bool = False) -> Tensor:  # fmt: skip
    """The numbers from ``start`` (0) in steps, up to but without ``end``.

    >>> arange(4.0)
    tensor([0., 1., 2., 3.])
    """
    if end is None:
        start, end = 0, start
    start, end, step = _number("arange", start), _number("arange", end), _number("arange", step)
    whole = all(isinstance(n, (int, np.integer)) for n in (start, end, step))
    found = checked_dtype("arange", dtype, spec.int64 if whole else spec.default_float())
    if step == 0:
        raise RuntimeError("step must be nonzero")
    if (end - start) * step < 0:
        raise RuntimeError("upper bound and lower bound inconsistent with step sign")
    n = max(math.ceil((end - start) / step), 0)
    values = start + step * np.arange(n, dtype=np.int64 if whole else np.float64)
    return finish(values.astype(found.numpy), requires_grad, device)


def _number(name: str, value: Any) -> Any:
    """``value`` as a number that NumPy takes; TypeError if it is none."""
    if isinstance(value, Tensor):
        return value.item()
    if not isinstance(value, NUMBERS):
        raise TypeError(f"{name}(): argument 'end' (position 1) must be Number, not {type(value).__name__}")
    return value


@filling
def linspace(start: float, end: float, steps: int, *, dtype: DType | None = None, device: Any = None,
             requires_grad: bool = False) -> Tensor:  # fmt: skip
    """``steps`` numbers from ``start`` to ``end`` inclusive, computed from both ends in the dtype, as torch does."""
    found = checked_dtype("linspace", dtype, spec.default_float())
    if steps < 0:
        raise RuntimeError("number of steps must be non-negative")
    start, end = _number("linspace", start), _number("linspace", end)
    kind = np.dtype(np.float32) if found.half else found.numpy
    if found.category < spec.FLOAT:  # torch truncates the ends first
        start, end, kind = int(start), int(end), np.dtype(np.float64)
    first, last = kind.type(start), kind.type(end)
    step = (last - first) / kind.type(max(steps - 1, 1))
    i = np.arange(steps, dtype=kind)
    if found.category < spec.FLOAT:  # torch's compiler fuses multiply and add, which decides where numbers are cut off
        i = i.astype(np.longdouble)
    up, down = first + step * i, last - step * (kind.type(steps - 1) - i)
    values = np.where(np.arange(steps) < steps // 2, up, down) if steps > 1 else np.full(steps, first)
    values = values.astype(kind)
    return finish(values.astype(found.numpy), requires_grad, device)


@filling
def logspace(start: float, end: float, steps: int, base: float = 10.0, *, dtype: DType | None = None,
             requires_grad: bool = False) -> Tensor:  # fmt: skip
    """``base`` to the powers of `linspace`."""
    powers = linspace(start, end, steps, dtype=spec.float64).array
    return finish((base**powers).astype(checked_dtype("logspace", dtype, spec.default_float()).numpy), requires_grad)


@filling
def eye(
    n: int, m: int | None = None, *, dtype: DType | None = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """The identity matrix."""
    for name, size in (("n", n), ("m", m)):
        if size is not None and not isinstance(size, (int, np.integer)):
            position = 1 if name == "n" else 2
            raise TypeError(f"eye(): argument '{name}' (position {position}) must be int, not {type(size).__name__}")
        if size is not None and size < 0:
            raise RuntimeError(f"{name} must be greater or equal to 0, got {size}")
    return finish(np.eye(n, m, dtype=checked_dtype("eye", dtype, spec.default_float()).numpy), requires_grad, device)


# Like a tensor that is there


def _new(name: str, value: float) -> Any:
    def method(self: Tensor, *size: Any, dtype: DType | None = None, device: Any = None, requires_grad: bool = False,
               **same: Any) -> Tensor:  # fmt: skip
        shape = size_given(name, size, same)
        only_known(name, same)
        made = finish(np.full(shape, value, checked_dtype(name, dtype, self.dtype).numpy), requires_grad, device)
        return self._for_each(made)

    method.__name__ = method.__qualname__ = name
    method.__doc__ = f"A tensor of the given size and this one's dtype, filled with {value:g}."
    return method


def new_full(self: Tensor, size: Sequence[int], fill_value: Any, *, dtype: DType | None = None, device: Any = None,
             requires_grad: bool = False) -> Tensor:  # fmt: skip
    """A tensor of ``size`` and this one's dtype, filled with ``fill_value``."""
    return self._for_each(full(size, fill_value, dtype=dtype or self.dtype, device=device, requires_grad=requires_grad))


def new_like(self: Tensor, data: Any, *, dtype: DType | None = None, device: Any = None,
             requires_grad: bool = False) -> Tensor:  # fmt: skip
    """A tensor with a copy of ``data`` in this one's dtype."""
    if isinstance(data, Tensor):
        notice(COPY_CONSTRUCT.format("tensor.new_tensor"))
    return finish(array_of(data, checked_dtype("new_tensor", dtype, self.dtype)), requires_grad, device)


def new_empty_strided(self: Tensor, size: Sequence[int], stride: Sequence[int], *, dtype: DType | None = None,
                      device: Any = None, requires_grad: bool = False) -> Tensor:  # fmt: skip
    """A tensor of this one's dtype and any values whose elements lie ``stride`` apart."""
    if self.level:  # the samples as they would lie one by one, one after the other
        return self._for_each(empty_strided(size, stride, dtype=dtype or self.dtype))
    return empty_strided(size, stride, dtype=dtype or self.dtype, device=device, requires_grad=requires_grad)


def new(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """torch's old way to make a tensor of this one's dtype: of a size, or with the numbers of a sequence."""
    made = new_tensor(Tensor, *args, **kwargs)
    return wrap(made.array.astype(self.array.dtype))


Tensor.new = new  # type: ignore[method-assign]
Tensor.new_empty_strided = new_empty_strided  # type: ignore[method-assign]
Tensor.new_zeros = _new("new_zeros", 0)  # type: ignore[method-assign]
Tensor.new_ones = _new("new_ones", 1)  # type: ignore[method-assign]
Tensor.new_empty = _new("new_empty", 0)  # type: ignore[method-assign]
Tensor.new_full = new_full  # type: ignore[method-assign]
Tensor.new_tensor = new_like  # type: ignore[method-assign]
