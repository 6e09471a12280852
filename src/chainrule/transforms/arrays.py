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

from chainrule.eager import engine, levels, modes
from chainrule.eager.leaving import DerivativeLost
from chainrule.eager.tensor import Tensor, wrap
from chainrule.eager.trees import LEAF, Structure, flatten, mapped, unflatten
from chainrule.transforms import forward, jacobians, reverse
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
    which = (argnums,) if isinstance(argnums, int) else tuple(argnums)

    @functools.wraps(f)
    def both(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        given = Arguments(args, which)
        if levels.present() or any(isinstance(x, Tensor) for x in given.leaves):
            value, slopes = given.through_transforms(f, kwargs)
        else:
            value, slopes = given.by_one_pass(f, kwargs)
        found = given.like_arguments(slopes)
        return plain(value, 0.0), found[0] if isinstance(argnums, int) else tuple(found)

    return both


def jvp(f: Callable[..., Any], primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
    """``f(*primals)``, and its derivative along ``tangents``: the Jacobian times these, in forward mode.

    >>> import numpy as np
    >>> jvp(lambda x: x * x, (np.array([1.0, 2.0]),), (np.array([1.0, 0.0]),))
    (array([1., 4.]), array([2., 0.]))
    """
    given, ways = with_tangents("jvp", primals, tangents)
    value, slope = forward.jvp(tensorial(f), given.trees, ways.trees)
    like = representative(given.leaves)
    return plain_tree(value, like), plain_tree(slope, like)


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

    return plain_tree(value, like), pulled


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

    @functools.wraps(f)
    def whole(*args: Any, **kwargs: Any) -> Any:
        given = Arguments(args, (argnums,))
        inner = tensorial(functools.partial(f, **kwargs))
        chosen = mode
        if chosen != "forward" or verbose:
            n = sum(x.array.size for x in given.tensors)
            with modes.no_grad():
                outputs = flatten(inner(*given.inner))[0]
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

    @functools.wraps(f)
    def whole(*args: Any, **kwargs: Any) -> Any:
        given = Arguments(args, (argnums,))
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
            y = inner(t)
        rows = t.array.shape[0] if t.ndim else 0
        if not t.ndim or y.array.shape[:1] != (rows,):
            raise TypeError(f"batch_jacobian needs a result for each of the {rows} rows, but got shape {tuple(y.array.shape)}")
        wide, tall = t.array[:1].size, y.array[:1].size
        if wide < tall:
            units = wrap(np.eye(wide, dtype=t.array.dtype).reshape(wide, *t.array.shape[1:]))
            found = vmap(lambda unit: forward.jvp(inner, (t,), (unit.expand(t.shape),))[1], out_dims=-1)(units)
        else:
            _, pull = reverse.vjp(inner, t)
            units = wrap(np.eye(tall, dtype=y.array.dtype).reshape(tall, *y.array.shape[1:]))
            found = vmap(lambda unit: pull(unit.expand(y.shape))[0], out_dims=1)(units)
        return plain_tree(found.reshape(*y.array.shape, *t.array.shape[1:]), representative(given.leaves))

    return whole


# What goes in and what comes out


class Arguments:
    """The arguments of a call; those to differentiate by as tensors."""

    def __init__(self, args: Sequence[Any], which: Sequence[int]) -> None:
        self.args = args
        self.which = which
        self.leaves: list[Any] = []
        self.structures: list[Structure] = []
        self.places: list[int] = []  # the argument that each leaf belongs to
        for k in which:
            if not -len(args) <= k < len(args):
                raise TypeError(f"the function was called with {len(args)} arguments, but argnums is {k}")
            x = args[k]
            leaves, structure = ([x], LEAF) if type(x) is np.ndarray or is_array(x) else flatten(x)
            self.leaves += leaves
            self.places += [k] * len(leaves)
            self.structures.append(structure)
        self.tensors = [tensor_of(x, f"argument {k}") for x, k in zip(self.leaves, self.places, strict=True)]

    @property
    def trees(self) -> tuple[Any, ...]:
        """The arguments to differentiate by, with tensors for leaves."""
        return tuple(self.shaped(self.tensors))

    @property
    def inner(self) -> tuple[Any, ...]:
        """All arguments, those to differentiate by with tensors for leaves."""
        return self.replaced(self.tensors)

    def shaped(self, leaves: Sequence[Any]) -> list[Any]:
        """Leaves as trees like the arguments to differentiate by."""
        if len(self.structures) == 1:
            return [unflatten(self.structures[0], leaves)]
        rest = iter(leaves)
        return [unflatten(structure, [next(rest) for _ in range(structure.size)]) for structure in self.structures]

    def replaced(self, leaves: Sequence[Any]) -> tuple[Any, ...]:
        """All arguments, those to differentiate by with these leaves."""
        inner = list(self.args)
        for k, tree in zip(self.which, self.shaped(leaves), strict=True):
            inner[k] = tree
        return tuple(inner)

    def like_arguments(self, slopes: Sequence[Any]) -> list[Any]:
        """Slopes as the caller's kinds of numbers, in trees like the arguments."""
        return self.shaped([plain(s, x) for s, x in zip(slopes, self.leaves, strict=True)])

    def as_leaves(self) -> list[Tensor]:
        """New leaves with the values to differentiate by."""
        leaves = [wrap(x.array) for x in self.tensors]
        for x in leaves:
            x.leaf = True
        return leaves

    def by_one_pass(self, f: Callable[..., Any], kwargs: dict[str, Any]) -> tuple[Any, list[Any]]:
        """The value of ``f`` and its slopes, by one backward pass: nothing around it is differentiated otherwise."""
        leaves = self.as_leaves()
        with modes.enable_grad():
            value = watched(f, self.replaced(leaves), kwargs)
            return value, slopes_of(value, leaves, create_graph=levels.differentiating.get())

    def through_transforms(self, f: Callable[..., Any], kwargs: dict[str, Any]) -> tuple[Any, list[Any]]:
        """The same within another derivative, or a batch."""

        def value(*leaves: Tensor) -> Any:
            found = watched(f, self.replaced(leaves), kwargs)
            checked_number(found)
            y = found if isinstance(found, Tensor) else wrap(np.asarray(found))
            return y.reshape(()) if y.ndim else y

        slopes, y = reverse.grad_and_value(value, tuple(range(len(self.tensors))))(*self.tensors)
        return y, list(slopes)


def with_tangents(name: str, primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Arguments, Arguments]:
    """Primals and their tangents. TypeError unless these have the structure, the shapes and the realness of those."""
    given, ways = Arguments(primals, range(len(primals))), Arguments(tangents, range(len(tangents)))
    if given.structures != ways.structures:
        raise TypeError(f"{name} needs a tangent for each primal: primals and tangents are of one structure")
    for x, t in zip(given.tensors, ways.tensors, strict=True):
        if x.shape != t.shape:
            raise TypeError(
                f"{name} needs tangents shaped like the primals, but got shape {tuple(t.shape)} for {tuple(x.shape)}"
            )
        if t.dtype.is_complex and not x.dtype.is_complex:
            raise TypeError(f"{name} needs real tangents for real primals, but got {t.dtype.numpy} for {x.dtype.numpy}")
    return given, ways


def is_array(x: Any) -> bool:
    """Whether a list (or a tuple) is one of numbers, or of lists of them, which counts as an array."""
    if not isinstance(x, (list, tuple)) or not x:
        return False
    return all(is_array(part) or isinstance(part, (int, float, complex, str, np.number)) for part in x)


def tensor_of(x: Any, name: str) -> Tensor:
    """A number, an array or a tensor as a tensor; whole numbers as float64. TypeError for anything else."""
    if isinstance(x, Tensor):
        return x
    array = np.asarray(x)
    kind = array.dtype.kind
    if kind in "iub":
        array = array.astype(np.float64)
    elif kind not in "fc":
        raise TypeError(f"{name} must be a number or an array of numbers, not {type(x).__name__}")
    return wrap(array)


def tensorial(f: Callable[..., Any]) -> Callable[..., Any]:
    """``f`` with tensors for whatever numbers it returns."""
    return lambda *args: mapped(lambda y: tensor_of(y, "the result"), watched(f, args, {}))


def watched(f: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """``f`` of these arguments, it being known that it is differentiated."""
    outer = levels.differentiating.get()
    levels.differentiating.set(True)
    try:
        return f(*args, **kwargs)
    except ValueError as fault:
        if isinstance(fault.__cause__, DerivativeLost):  # NumPy says "setting an array element with a sequence" instead
            raise fault.__cause__ from None
        raise
    finally:
        levels.differentiating.set(outer)


def checked_number(value: Any) -> None:
    """Raise TypeError unless ``value`` is one number."""
    if not isinstance(value, (Tensor, int, float, np.number)):
        raise TypeError(f"grad needs a function that returns one number, but this one returned {type(value).__name__}")
    if isinstance(value, Tensor) and value.array.size != 1:
        raise TypeError(
            f"grad needs a function that returns one number, but this one returned shape {tuple(value.array.shape)}: "
            "differentiate one element, or the sum"
        )


def slopes_of(value: Any, leaves: list[Tensor], create_graph: bool) -> list[Any]:
    """The gradients of ``value``, zero for what it does not depend on."""
    checked_number(value)
    if not isinstance(value, Tensor) or not value.requires_grad:
        return [wrap(np.zeros_like(x.array)) for x in leaves]
    number = value.sum() if value.array.ndim else value
    return list(engine.grad(number, leaves, create_graph=create_graph, allow_unused=True, materialize_grads=True))


def pulled_back(outputs: list[Any], leaves: list[Tensor], cotangents: list[Tensor], create_graph: bool) -> list[Any]:
    """The cotangents of the leaves for these of the outputs, zero for what does not depend on them."""
    live = [(y, g) for y, g in zip(outputs, cotangents, strict=True) if y.requires_grad]
    if not live:
        return [wrap(np.zeros_like(x.array)) for x in leaves]
    ys, gs = (list(part) for part in zip(*live, strict=True))
    return list(engine.grad(ys, leaves, gs, create_graph=create_graph, allow_unused=True, materialize_grads=True))


def representative(leaves: Sequence[Any]) -> Any:
    """What decides whether results are tensors or plain: a tensor among the arguments, or else an array."""
    return next((x for x in leaves if isinstance(x, Tensor)), np.empty(0))


def plain_tree(tree: Any, like: Any) -> Any:
    """A tree of results with plain leaves: numbers where there are no axes."""
    return mapped(lambda y: plain(y, like if y.array.ndim or isinstance(like, Tensor) else 0.0), tree)


def plain(result: Any, like: Any) -> Any:
    """A result as the caller's kind of number: a float for a number, a contiguous array for an array.

    Within another derivative, or a batch, one that depends on what that is about stays a tensor.
    """
    if not isinstance(result, Tensor) or isinstance(like, Tensor):
        return result
    if result.level or result.lane.dual or (result.requires_grad and (levels.differentiating.get() or levels.present())):
        return result
    if isinstance(like, (np.ndarray, list, tuple)):
        return np.asarray(result.array, order="C")
    return result.item()
