"""`grad` and `value_and_grad`: the derivative of a function of plain arrays, as a function of plain arrays."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any

import numpy as np

from chainrule.core import spec
from chainrule.eager import engine, modes
from chainrule.eager.functions.history import clone
from chainrule.eager.tensor import Tensor, wrap


def grad(f: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """The gradient of the scalar function ``f`` with respect to argument ``argnums`` (or several).

    The result takes what ``f`` takes (arrays, numbers) and returns df/dx with the shape and dtype of the argument;
    whole numbers count as float64. It can be differentiated again. Raises TypeError if ``f`` does not return one
    number, or if the argument is not numeric.

    >>> import numpy as np
    >>> grad(lambda x: np.sum(np.sin(x)))(np.array([0.0, np.pi]))
    array([ 1., -1.])
    >>> grad(grad(lambda x: x**3))(2)
    12.0
    """

    @functools.wraps(f)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        return value_and_grad(f, argnums)(*args, **kwargs)[1]

    return gradient


def value_and_grad(f: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Callable[..., tuple[Any, Any]]:
    """``f`` and its gradient in one pass: what ``scipy.optimize.minimize(..., jac=True)`` asks for.

    >>> import numpy as np
    >>> value_and_grad(lambda x: np.sum(x * x))(np.array([1.0, 2.0]))
    (5.0, array([2., 4.]))
    """
    which = (argnums,) if isinstance(argnums, int) else tuple(argnums)

    @functools.wraps(f)
    def both(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        leaves = [leaf_for(args, k) for k in which]
        inner = list(args)
        for k, leaf in zip(which, leaves, strict=True):
            inner[k] = leaf
        outer = _inside.get()
        _inside.set(True)
        try:
            with modes.enable_grad():
                value = f(*inner, **kwargs)
                slopes = slopes_of(value, leaves, create_graph=outer)
        finally:
            _inside.set(outer)
        slopes = [plain(s, args[k]) for s, k in zip(slopes, which, strict=True)]
        return plain(value, 0.0), slopes[0] if isinstance(argnums, int) else tuple(slopes)

    return both


_inside: ContextVar[bool] = ContextVar("chainrule_inside_grad", default=False)  # then the pass itself is recorded


def leaf_for(args: tuple[Any, ...], k: int) -> Tensor:
    """Argument ``k`` as something to differentiate by: a leaf, or within another derivative a copy on its tape."""
    if not -len(args) <= k < len(args):
        raise TypeError(f"the function was called with {len(args)} arguments, but argnums is {k}")
    x = args[k]
    if isinstance(x, Tensor):
        if x.requires_grad:
            return clone(x)  # type: ignore[no-any-return]
        return wrap(x.array).requires_grad_()
    array = np.asarray(x)
    if array.dtype.kind in "iub":
        array = array.astype(np.float64)
    if array.dtype.kind in "OUSM" or not spec.of_numpy(array.dtype).differentiable:
        raise TypeError(f"argument {k} must be a number or an array of numbers, not {type(x).__name__}")
    return wrap(array).requires_grad_()


def slopes_of(value: Any, leaves: list[Tensor], create_graph: bool) -> list[Any]:
    """The gradients of ``value``, zero for what it does not depend on."""
    if not isinstance(value, (Tensor, int, float, np.number)):
        raise TypeError(f"grad needs a function that returns one number, but this one returned {type(value).__name__}")
    if isinstance(value, Tensor) and value.array.size != 1:
        raise TypeError(
            f"grad needs a function that returns one number, but this one returned shape {tuple(value.array.shape)}: "
            "differentiate one element, or the sum"
        )
    if not isinstance(value, Tensor) or not value.requires_grad:
        return [wrap(np.zeros_like(x.array)) for x in leaves]
    return list(engine.grad(value.sum(), leaves, create_graph=create_graph, allow_unused=True, materialize_grads=True))


def plain(result: Any, like: Any) -> Any:
    """A result as the caller's kind of number: a float for a number, a contiguous array for an array.

    Within another derivative one that depends on what that differentiates by stays a tensor.
    """
    if not isinstance(result, Tensor) or isinstance(like, Tensor) or (_inside.get() and result.requires_grad):
        return result
    if isinstance(like, (np.ndarray, list, tuple)):
        return np.ascontiguousarray(result.array).reshape(result.array.shape)
    return result.item()
