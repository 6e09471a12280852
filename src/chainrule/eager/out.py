"""``out=``: a result stored in a tensor that the caller has ready. Nothing of this is recorded, as in torch."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, Final

import numpy as np

from chainrule.eager import duals, inplace, modes, writes
from chainrule.eager.notice import notice
from chainrule.eager.specialise import F
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
    refuse_gradients(name, (*targets, *tensors_in(args), *tensors_in(kwargs.values())))
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


def filling(fun: Callable[..., Any]) -> Callable[..., Any]:
    """A creation function, taking ``out=`` too: what it makes is stored there, in the dtype of that tensor."""
    name = fun.__name__

    @wraps(fun)
    def make(*args: Any, out: Any = None, **kwargs: Any) -> Any:
        if out is None:
            return fun(*args, **kwargs)
        if not isinstance(out, Tensor):
            raise TypeError(f"{name}(): argument 'out' must be Tensor, not {type(out).__name__}")
        dtype = kwargs.pop("dtype", None)
        if dtype is not None and dtype is not out.dtype:
            raise Refusal(f"dtype {type_name(dtype)} does not match dtype of out parameter ({type_name(out.dtype)})")
        refuse_gradients(f"aten::{name}", (out, *tensors_in(args)))
        requires_grad = kwargs.pop("requires_grad", False)
        fill(out, fun(*args, dtype=out.dtype, **kwargs), name)
        if out.node is None:
            out.requires_grad = requires_grad  # torch has it so
        return out

    return make


def fill(target: Tensor, made: Tensor, name: str) -> None:
    """Make ``target`` hold the numbers of ``made``; for some functions it is enough that there are as many of them."""
    if name in LINES and made.array.size == target.array.size:
        made = F.reshape(made, tuple(target.array.shape))
    elif made.array.shape != target.array.shape:
        if name == "arange" and target.array.size:
            notice(
                f"The number of elements in the out tensor of shape {shape_text(target.array.shape)} is "
                f"{target.array.size} which does not match the computed number of elements {made.array.size}. Note that this "
                "may occur as a result of rounding error. The out tensor will be resized to a tensor of shape "
                f"({made.array.size},)."
            )
        take_room(target, made.array.shape)
    elif name == "empty":
        return
    with modes.no_grad():
        inplace.adopt(target, made)


LINES: Final = ("arange", "linspace", "logspace")


def refuse_gradients(name: str, tensors: Iterable[Tensor]) -> None:
    """Raise RuntimeError if a gradient is asked for of one of these tensors, NotImplementedError if one has a tangent."""
    tensors = list(tensors)
    if any(t.lane.dual and duals.levels_of((t,)) for t in tensors):
        raise NotImplementedError(
            f"Trying to use forward AD with {name}_out that does not support it because it is an out= function"
        )
    if modes.is_grad_enabled() and any(t.requires_grad for t in tensors):
        raise Refusal(
            f"{name}(): functions with out=... arguments don't support automatic differentiation, but one of the arguments "
            "requires grad."
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
        take_room(target, result.array.shape)
    with modes.no_grad():
        inplace.adopt(target, result)


def take_room(target: Tensor, shape: tuple[int, ...]) -> None:
    """Let ``target`` have new memory for this shape."""
    room = np.empty(shape, target.array.dtype)
    writes.carry_over(target.array, room)
    inplace.replace_memory(target, room)
