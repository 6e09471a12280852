"""``out=``: a result stored in a tensor that the caller has ready. Nothing of this is recorded, as in torch."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any

import numpy as np

from chainrule.eager import inplace, modes, writes
from chainrule.eager.tensor import Tensor
from chainrule.errors import Refusal, c_type_name, shape_text, type_name


def with_out(name: str, fun: Callable[..., Any]) -> Callable[..., Any]:
    """``fun``, taking ``out=`` too."""

    @wraps(fun)
    def function(*args: Any, out: Any = None, **kwargs: Any) -> Any:
        if out is None:
            return fun(*args, **kwargs)
        return into(out, name, fun, args, kwargs)

    return function


def into(out: Any, name: str, fun: Callable[..., Any], args: Iterable[Any], kwargs: dict[str, Any]) -> Any:
    """Call ``fun`` and store its result in ``out`` (its results in a tuple of tensors). Returns ``out``.

    Raises RuntimeError if anything that takes part requires grad, or the result is of a higher kind of dtype.
    """
    targets = out if isinstance(out, (tuple, list)) else (out,)
    for target in targets:
        if not isinstance(target, Tensor):
            raise TypeError(f"{name}(): argument 'out' must be Tensor, not {type(out).__name__}")
    if modes.is_grad_enabled() and any(t.requires_grad for t in (*targets, *tensors_in(args), *tensors_in(kwargs.values()))):
        raise Refusal(
            f"{name}(): functions with out=... arguments don't support automatic differentiation, but one of the arguments "
            "requires grad."
        )
    results = fun(*args, **kwargs)
    results = tuple(results) if isinstance(out, (tuple, list)) else (results,)
    if len(results) != len(targets):
        raise Refusal(f"{name}(): argument 'out': expected tuple of {len(results)} elements but got {len(targets)}")
    for target, result in zip(targets, results, strict=True):
        check(target, result, several=len(results) > 1)
    for target, result in zip(targets, results, strict=True):
        store(target, result)
    return out


def check(target: Tensor, result: Tensor, several: bool) -> None:
    """Refuse a result of another kind of dtype: indices beside values have to be whole numbers."""
    if several and not result.dtype.differentiable and target.dtype is not result.dtype:
        raise Refusal(
            f"Expected out tensor to have dtype {c_type_name(result.dtype)}, but got {c_type_name(target.dtype)} instead"
        )
    if result.dtype.category > target.dtype.category:
        raise Refusal(
            f"result type {type_name(result.dtype)} can't be cast to the desired output type {type_name(target.dtype)}"
        )


def tensors_in(values: Iterable[Any]) -> Iterable[Tensor]:
    """The tensors among ``values`` and in the lists among them."""
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, (tuple, list)):
            yield from tensors_in(value)


def store(target: Tensor, result: Tensor) -> None:
    """Make ``target`` hold ``result``, in memory of its own where the sizes differ."""
    if result.array.shape != target.array.shape:
        if target.array.size:
            warnings.warn(
                f"An output with one or more elements was resized since it had shape {shape_text(target.array.shape)}, which "
                f"does not match the required output shape {shape_text(result.array.shape)}. This behavior is deprecated, and "
                "in a future PyTorch release outputs will not be resized unless they have zero elements. You can explicitly "
                "reuse an out tensor t by resizing it, inplace, to zero elements with t.resize_(0).",
                UserWarning,
                stacklevel=4,
            )
        room = np.empty(result.array.shape, target.array.dtype)
        writes.carry_over(target.array, room)
        inplace.replace_memory(target, room)
    with modes.no_grad():
        inplace.adopt(target, result)
