"""Derivatives of functions of plain arrays, as functions of plain arrays.

What goes in is what NumPy's users have: arrays, numbers, and dictionaries, lists and tuples of them. What comes out has the
structure, the shapes and the dtypes of what it is the derivative by; whole numbers count as float64. Within another
derivative everything can be differentiated again. A list of nothing but numbers counts as an array.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule.eager import levels, modes
from chainrule.eager.tensor import Tensor, wrap
from chainrule.eager.trees import flatten, mapped
from chainrule.transforms import forward, jacobians, reverse
from chainrule.transforms.arguments import (
    Arguments,
    apart,
    numbered,
    one_number,
    plain,
    plain_tree,
    pulled_back,
    representative,
    slopes_of,
    tensor_of,
    tensorial,
    watched,
    with_tangents,
)
from chainrule.transforms.batching import vmap

Argnums = int | Sequence[int]


def grad(f: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """The gradient of the scalar function ``f`` with respect to argument ``argnums`` (or several).

    The result takes what ``f`` takes and returns df/dx, shaped like the argument. Raises TypeError if ``f`` does not return
    one number, or if the argument is not numeric.

    >>> import numpy as np
    >>> grad(lambda x: np.sum(np.sin(x)))(np.array([0.0, np.pi]))
    array([ 1., -1.])
    >>> grad(grad(lambda x: x**3))(2)
    12.0
    >>> grad(lambda p: np.sum(p["w"] * p["w"]) + p["b"])({"w": np.array([1.0, 2.0]), "b": 3.0})
    {'w': array([2., 4.]), 'b': 1.0}
    """

    @functools.wraps(f)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        return value_and_grad(f, argnums)(*args, **kwargs)[1]

    return gradient


def value_and_grad(f: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., tuple[Any, Any]]:
    """``f`` and its gradient in one pass: what ``scipy.optimize.minimize(..., jac=True)`` asks for.

    >>> import numpy as np
    >>> value_and_grad(lambda x: np.sum(x * x))(np.array([1.0, 2.0]))
    (5.0, array([2., 4.]))
    """
    which, several = numbered(argnums), isinstance(argnums, (tuple, list))

    @functools.wraps(f)
    def both(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        given = Arguments(args, which)
        if levels.present() or any(isinstance(x, Tensor) for x in given.leaves):
            value, slopes = given.through_transforms(f, kwargs)
        else:
            value, slopes = given.by_one_pass(f, kwargs)
        found = given.like_arguments(slopes)
        return plain(value, 0.0), tuple(found) if several else found[0]

    return both


def jvp(f: Callable[..., Any], primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
    """``f(*primals)``, and its derivative along ``tangents``: the Jacobian times these, in forward mode.

    >>> import numpy as np
    >>> jvp(lambda x: x * x, (np.array([1.0, 2.0]),), (np.array([1.0, 0.0]),))
    (array([1., 4.]), array([2., 0.]))
    """
    given, ways = with_tangents("jvp", primals, tangents)
    value, slope = forward.along(tensorial(f), given.own_tensors(), ways.tensors, given.structure)
    like = representative(given.leaves)
    return apart(plain_tree(value, like), given), apart(plain_tree(slope, like), ways)


def vjp(f: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[..., Any]]:
    """``f(*primals)``, and the function that takes a cotangent of the output back to a tuple of those of the inputs.

    >>> import numpy as np
    >>> value, pull = vjp(lambda x: x * x, np.array([1.0, 2.0]))
    >>> pull(np.array([1.0, 1.0]))
    (array([2., 4.]),)
    """
    given = Arguments(primals, range(len(primals)))
    value, pull = reverse.vjp(tensorial(f), *given.trees)
    like = representative(given.leaves)

    def pulled(cotangent: Any) -> tuple[Any, ...]:
        g = mapped(lambda part: tensor_of(part, "the cotangent"), cotangent)
        return tuple(given.like_arguments(flatten(pull(g))[0]))

    return mapped(lambda y: y.copy() if isinstance(y, np.ndarray) else y, plain_tree(value, like)), pulled  # the tape has it


def jacobian(f: Callable[..., Any], argnums: int = 0, *, mode: str | None = None, chunk_size: int | None = None,
             verbose: bool = False) -> Callable[..., Any]:  # fmt: skip
    """The Jacobian of ``f`` by one argument: for x of shape (n, …) and f(x) of shape (m, …) an array of shape (m, …, n, …).

    With ``mode`` "forward" its columns are computed together, with "reverse" its rows (``chunk_size`` of them at a time);
    left out, whichever are fewer, for which f is called once more to see the size of its result. ``verbose`` prints the
    choice. For dictionaries and lists as argument or result it is a tree of blocks. Of complex numbers it is the derivative
    along the real axis (that of a holomorphic function), in forward mode. Raises ValueError for another mode, TypeError for
    complex numbers in reverse mode.

    >>> import numpy as np
    >>> jacobian(lambda x: np.array([1.0, 2.0]) * x[0] * x, verbose=True)(np.array([3.0, 4.0]))
    jacobian: reverse mode, 2 rows at once (f takes 2 numbers to 2)
    array([[6., 0.],
           [8., 6.]])
    """
    if mode not in (None, "forward", "reverse"):
        raise ValueError(f'mode is "forward", "reverse" or None, not {mode!r}')
    if chunk_size is not None and chunk_size <= 0:
        raise ValueError(f"chunk_size is a number of rows, not {chunk_size}")
    argnums = one_number(argnums)

    @functools.wraps(f)
    def whole(*args: Any, **kwargs: Any) -> Any:
        given = Arguments(args, (argnums,))
        inner = tensorial(functools.partial(f, **kwargs))
        chosen = mode
        if chosen != "forward" or verbose:
            n = sum(x.array.size for x in given.tensors)
            with modes.no_grad():
                outputs = flatten(inner(*given.on_trial()))[0]
            m = sum(y.array.size for y in outputs)
            is_complex = any(t.dtype.is_complex for t in (*given.tensors, *outputs))
            if is_complex and mode == "reverse":
                raise TypeError("jacobian of complex numbers is the derivative along the real axis, by forward mode only")
            chosen = chosen or ("forward" if n < m or is_complex else "reverse")
            if verbose:
                count, what = (n, "columns") if chosen == "forward" else (min(m, chunk_size or m), "rows")
                print(f"jacobian: {chosen} mode, {count} {what} at once (f takes {n} numbers to {m})")
        if chosen == "forward":
            found = jacobians.by_columns(inner, argnums)(*given.inner)
        else:
            found = jacobians.by_rows(inner, argnums, chunk_size=chunk_size)(*given.inner)
        return plain_tree(found, representative(given.leaves))

    return whole


def hessian(f: Callable[..., Any], argnums: int = 0) -> Callable[..., Any]:
    """The second derivatives of the scalar function ``f`` by one argument: shape (n, …, n, …).

    >>> import numpy as np
    >>> hessian(lambda x: np.sum(x**3))(np.array([1.0, 2.0]))
    array([[ 6.,  0.],
           [ 0., 12.]])
    """

    argnums = one_number(argnums)

    @functools.wraps(f)
    def whole(*args: Any, **kwargs: Any) -> Any:
        given = Arguments(args, (argnums,))
        if any(x.dtype.is_complex for x in given.tensors):
            raise TypeError("hessian needs real numbers: of complex ones there is no one second derivative")
        found = jacobians.hessian(tensorial(functools.partial(f, **kwargs)), argnums)(*given.inner)
        return plain_tree(found, representative(given.leaves))

    return whole


def hvp(f: Callable[..., Any]) -> Callable[..., Any]:
    """The Hessian of the scalar function ``f`` times a vector, without the Hessian: ``hvp(f)(x, v, *others)``.

    It is the derivative of <grad f, v>, reverse over reverse, and what ``scipy.optimize.minimize(..., hessp=)`` asks for. (The
    derivative of the gradient along v, ``jvp(grad(f), (x,), (v,))``, is the same; it takes longer, and less memory.)

    >>> import numpy as np
    >>> hvp(lambda x: np.sum(x**3))(np.array([1.0, 2.0]), np.array([1.0, 1.0]))
    array([ 6., 12.])
    """

    @functools.wraps(f)
    def product(x: Any, v: Any, *others: Any, **kwargs: Any) -> Any:
        given, ways = with_tangents("hvp", (x,), (v,))
        if levels.present() or any(isinstance(part, Tensor) for part in (*given.leaves, *ways.leaves)):
            _, pull = reverse.vjp(tensorial(lambda y: grad(f)(y, *others, **kwargs)), *given.trees)
            return given.like_arguments(flatten(pull(*ways.trees))[0])[0]
        leaves = given.as_leaves()
        with modes.enable_grad():
            value = watched(f, (*given.shaped(leaves), *others), kwargs)
            slopes = slopes_of(value, leaves, create_graph=True)
            again = levels.differentiating.get()
            return given.like_arguments(pulled_back(slopes, leaves, ways.tensors, again))[0]

    return product


def batch_jacobian(f: Callable[..., Any]) -> Callable[..., Any]:
    """The Jacobian of each row: for x of shape (b, n, …), row by row taken to f(x) of shape (b, m, …), shape (b, m, …, n, …).

    f takes all rows at once, and no row of its result may depend on another row of x: one pass for each of the m numbers, or
    one for each of the n where these are fewer.

    >>> import numpy as np
    >>> batch_jacobian(lambda x: x * x)(np.array([[1.0, 2.0], [3.0, 4.0]])).shape
    (2, 2, 2)
    """

    @functools.wraps(f)
    def whole(x: Any, *others: Any, **kwargs: Any) -> Any:
        given = Arguments((x,), (0,))
        inner = tensorial(lambda y: f(y, *others, **kwargs))
        (t,) = given.tensors
        with modes.no_grad():
            y = inner(*given.on_trial())
        rows = t.array.shape[0] if t.ndim else 0
        if not t.ndim or y.array.shape[:1] != (rows,):
            raise TypeError(f"batch_jacobian needs a result for each of the {rows} rows, but got shape {tuple(y.array.shape)}")
        wide, tall = t.array[:1].size, y.array[:1].size
        if wide < tall or t.dtype.is_complex or y.dtype.is_complex:  # of complex numbers, along the real axis
            units = wrap(np.eye(wide, dtype=t.array.dtype).reshape(wide, *t.array.shape[1:]))
            found = vmap(lambda unit: forward.jvp(inner, (t,), (unit.expand(t.shape),))[1], out_dims=-1)(units)
        else:
            _, pull = reverse.vjp(inner, t)
            units = wrap(np.eye(tall, dtype=y.array.dtype).reshape(tall, *y.array.shape[1:]))
            found = vmap(lambda unit: pull(unit.expand(y.shape))[0], out_dims=1)(units)
        return plain_tree(found.reshape(*y.array.shape, *t.array.shape[1:]), representative(given.leaves))

    return whole
