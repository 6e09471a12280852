"""Methods that NumPy's arrays have as well, and mean something else by: in a function of arrays they mean that.

``t.std()`` divides by n there, ``t.repeat(2)`` repeats each element, ``t.max(axis=0)`` is the values alone. A word of torch's
among the arguments (``dim=``, ``keepdim=``) asks for torch's meaning.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from chainrule.core import spec
from chainrule.eager.levels import differentiating
from chainrule.eager.specialise import F
from chainrule.eager.tensor import Tensor

TORCHS: Final = frozenset(("dim", "keepdim", "unbiased", "correction", "dim0", "dim1", "descending", "stable", "as_tuple",
                           "start_dim", "end_dim"))  # fmt: skip


def transpose(t: Any, *axes: Any) -> Any:
    """``t.transpose()``, ``t.transpose(1, 0)`` or ``t.transpose((1, 0))``."""
    given = axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes
    return np.transpose(t, tuple(given) if given else None)


def astype(t: Any, dtype: spec.DType, copy: bool = True, **how: Any) -> Any:
    """In another dtype; a copy if it is that already, unless asked for none."""
    return t.cast(dtype) if t.dtype is not dtype or not copy else F.copy(t)


def sort(t: Any, axis: int = -1, **how: Any) -> None:
    """Sorts in place."""
    t[...] = np.sort(t, axis, **how)


MEANT: Final[dict[str, Callable[..., Any]]] = {
    "std": np.std, "var": np.var, "max": np.max, "min": np.min, "prod": np.prod, "dot": np.dot,
    "cumsum": np.cumsum, "cumprod": np.cumprod, "round": np.round, "repeat": np.repeat, "take": np.take, "argsort": np.argsort,
    "nonzero": np.nonzero, "ravel": np.ravel, "transpose": transpose, "sort": sort,
    "flatten": lambda t, order="C": F.copy(np.ravel(t, order)), "diagonal": np.diagonal, "trace": np.trace,
}  # fmt: skip; by arrays
ALONE: Final[dict[str, Callable[..., Any]]] = {
    "copy": lambda t, order="C": F.copy(t),
    "astype": lambda t, dtype, *args, **kwargs: astype(t, spec.of_numpy(np.dtype(dtype)), **kwargs),
    "conjugate": lambda t: np.conjugate(t) if t.dtype.is_complex else t,
    "fill": lambda t, value: t.fill_(value),
    "searchsorted": np.searchsorted, "compress": lambda t, condition, axis=None: np.compress(condition, t, axis),
}  # what torch's tensors do not have


def meaning_both(name: str, torchs: Callable[..., Any]) -> Callable[..., Any]:
    """The method called ``name``: torch's, or in a function of arrays that of arrays."""
    arrays = MEANT[name]

    @functools.wraps(torchs)
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        if differentiating.get() and not (kwargs and TORCHS.intersection(kwargs)):
            return arrays(self, *args, **kwargs)
        return torchs(self, *args, **kwargs)

    return method


class OfArrays:
    """A method that is there in functions of arrays only."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, t: Any, owner: type) -> Any:
        if t is None or not differentiating.get():
            raise AttributeError(f"{owner.__name__!r} object has no attribute {self.name!r}")
        return functools.partial(ALONE[self.name], t)


class Count(int):
    """How many elements there are; called, the shape, as torch has it."""

    shape: Any

    def __call__(self, dim: int | None = None) -> Any:
        return self.shape if dim is None else self.shape[dim]


class SizeOf:
    """``t.size()`` as torch has it; in a function of arrays a number too."""

    def __init__(self, torchs: Callable[..., Any]) -> None:
        self.torchs = torchs

    def __get__(self, t: Any, owner: type) -> Any:
        if t is None:
            return self.torchs
        if not differentiating.get():
            return self.torchs.__get__(t, owner)
        found = Count(t.array.size)
        found.shape = t.shape
        return found


def among(methods: dict[str, Any]) -> dict[str, Any]:
    """Torch's methods, those with two meanings having both."""
    both = {name: meaning_both(name, methods[name]) for name in MEANT}
    return methods | both | {name: OfArrays(name) for name in ALONE} | {"size": SizeOf(Tensor.size)}
