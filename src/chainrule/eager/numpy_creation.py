"""NumPy's names for making tensors like others, and for asking their size."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.core.box import derived
from chainrule.eager import levels
from chainrule.eager.tensor import Tensor, wrap


def made(array: np.ndarray) -> Tensor:
    """A new tensor, which derivatives that are under way know as theirs."""
    t = wrap(array)
    if levels.present():
        levels.remember(t)
    return t


@derived(np.zeros_like)
def numpy_zeros_like(a: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None) -> Any:
    """NumPy's zeros_like, a tensor."""
    return _numpy_like(a, 0, dtype, shape)


@derived(np.ones_like)
def numpy_ones_like(a: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None) -> Any:
    """NumPy's ones_like, a tensor."""
    return _numpy_like(a, 1, dtype, shape)


@derived(np.empty_like)
def numpy_empty_like(prototype: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None) -> Any:
    """NumPy's empty_like, a tensor (of zeros)."""
    return _numpy_like(prototype, 0, dtype, shape)


@derived(np.empty)
def numpy_empty(shape: Any, dtype: Any = float, order: str = "C", *, device: Any = None, like: Any = None) -> Tensor:
    """``np.empty(shape, like=t)``, a tensor (of zeros)."""
    return made(np.zeros(shape, dtype))


@derived(np.full)
def numpy_full(shape: Any, fill_value: Any, dtype: Any = None, order: str = "C", *, device: Any = None,
               like: Any = None) -> Tensor:  # fmt: skip
    """``np.full(shape, fill_value, like=t)``, a tensor."""
    return made(np.full(shape, fill_value, dtype))


@derived(np.full_like)
def numpy_full_like(
    a: Any, fill_value: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None
) -> Any:
    """NumPy's full_like, a tensor."""
    return _numpy_like(a, fill_value, dtype, shape)


def _numpy_like(a: Any, value: Any, dtype: Any, shape: Any) -> Any:
    found = getattr(a.dtype, "numpy", a.dtype) if dtype is None else dtype
    array = np.full(tuple(a.shape) if shape is None else shape, value, found)
    return a._for_each(made(array)) if isinstance(a, Tensor) else array


@derived(np.zeros)
def numpy_zeros(shape: Any, dtype: Any = float, order: str = "C", *, device: Any = None, like: Any = None) -> Tensor:
    """``np.zeros(shape, like=t)``, a tensor."""
    return made(np.zeros(shape, dtype))


@derived(np.ones)
def numpy_ones(shape: Any, dtype: Any = None, order: str = "C", *, device: Any = None, like: Any = None) -> Tensor:
    """``np.ones(shape, like=t)``, a tensor."""
    return made(np.ones(shape, float if dtype is None else dtype))


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
