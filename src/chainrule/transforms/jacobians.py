"""`jacrev`, `jacfwd` and `hessian`: whole derivatives, all rows or columns at once (or in chunks)."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.eager import modes
from chainrule.eager.tensor import Tensor, wrap
from chainrule.eager.trees import flatten, unflatten
from chainrule.transforms.batching import for_each, vmap
from chainrule.transforms.captured import Derivative, outside_inference
from chainrule.transforms.forward import checked_primal, dual, parted, primal_tree
from chainrule.transforms.reverse import (
    Argnums,
    called,
    checked_differentiable,
    checked_outputs,
    chosen,
    freed,
    has_more,
    parts_of,
    pulled,
    replaced,
    watched,
)


def jacrev(func: Callable[..., Any], argnums: Argnums = 0, *, has_aux: bool = False, chunk_size: int | None = None,
           _preallocate_and_copy: bool = False) -> Callable[..., Any]:  # fmt: skip
    """The Jacobian of ``func`` by argument ``argnums``, in reverse mode: one pass back per element of the outputs.

    For outputs of shape (m, …) and an argument of shape (n, …) it has shape (m, …, n, …); for trees it is a tree like the
    outputs of trees like the argument.

    >>> import chainrule as cr
    >>> jacrev(lambda x: x * x)(cr.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])

    Raises ValueError for a ``chunk_size`` that is not positive, RuntimeError for complex numbers.
    """
    if chunk_size is not None and not chunk_size > 0:
        raise ValueError("jacrev: `chunk_size` should be greater than 0.")
    return functools.wraps(func)(by_rows(of_real_numbers("jacrev", func, has_aux), argnums, has_aux, chunk_size))


def by_rows(
    func: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False, chunk_size: int | None = None
) -> Callable[..., Any]:
    """`jacrev`, whatever the numbers."""

    @outside_inference
    def jacobian(*args: Any, **kwargs: Any) -> Any:
        which = chosen(argnums, args)
        inputs, structure = flatten([args[k] for k in which])
        mine = watched(inputs)
        with Derivative(mine, mine) as level:
            inner = replaced(args, which, unflatten(structure, mine))
            if len(args) > len(which) or kwargs:
                inner, kwargs = level.own((inner, kwargs))
            result, aux = called(func, inner, kwargs, has_aux, "jacrev(f)(*args)")
            level.check(result, aux)
        outputs, shape = flatten(result)
        checked_outputs("vjp(f, *primals)", outputs)
        checked_differentiable(outputs)
        more = has_more(outputs, mine)
        blocks = []
        for y in outputs:
            pull = functools.partial(rows_of, y, mine, more)
            rows = pull(np.ones_like(y)) if y.array.size == 1 else for_each("jacrev", pull, units(y), chunk_size)
            parts = [shaped(row, (*y.array.shape, *x.array.shape)) for row, x in zip(rows, mine, strict=True)]
            found = unflatten(structure, parts)
            blocks.append(found[0] if isinstance(argnums, int) else tuple(found))
        jacobians = unflatten(shape, blocks)
        return (jacobians, freed(aux, mine)) if has_aux else jacobians

    return jacobian


def jacfwd(func: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False, *, randomness: str = "error"
           ) -> Callable[..., Any]:  # fmt: skip
    """`jacrev` in forward mode: one pass per element of the argument.

    >>> import chainrule as cr
    >>> jacfwd(lambda x: x * x)(cr.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])

    Raises RuntimeError for complex numbers.
    """
    return functools.wraps(func)(by_columns(of_real_numbers("jacfwd", func, has_aux), argnums, has_aux, randomness))


def by_columns(
    func: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False, randomness: str = "error"
) -> Callable[..., Any]:
    """`jacfwd`, whatever the numbers: of complex ones, the derivative along the real axis."""

    @outside_inference
    def jacobian(*args: Any, **kwargs: Any) -> Any:
        which = chosen(argnums, args)
        inputs, structure = flatten([args[k] for k in which])
        for x in inputs:
            checked_primal(x)
        columns: list[list[Tensor]] = []  # by input and output
        beside: list[Any] = []

        def push(i: int, unit: Tensor) -> list[Tensor]:
            with Derivative([*inputs, unit]) as level, modes.carry_tangents():
                mine = [dual(x, unit, level) if k == i else x for k, x in enumerate(inputs)]
                inner, named = level.own((replaced(args, which, unflatten(structure, mine)), kwargs))
                result, aux = parts_of(func(*inner, **named), has_aux, "jacfwd(f)(*args)")
                outputs, shape = flatten(result)
                checked_outputs("jvp(f, primals, tangents)", outputs)
                level.check(result, aux, mine)
                beside[:] = shape, None if aux is None else primal_tree(aux, level)
                return [parted(y, level, strict=False)[1] for y in outputs]

        for i, x in enumerate(inputs):
            columns.append(vmap(functools.partial(push, i), out_dims=-1, randomness=randomness)(units(x)))
        blocks = []
        for row in zip(*columns, strict=True):
            parts = [shaped(part, (*part.array.shape[:-1], *x.array.shape)) for part, x in zip(row, inputs, strict=True)]
            found = unflatten(structure, parts)
            blocks.append(found[0] if isinstance(argnums, int) else tuple(found))
        jacobians, aux = unflatten(beside[0], blocks), beside[1]
        return (jacobians, aux) if has_aux else jacobians

    return jacobian


def hessian(func: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """The second derivative of ``func``: reverse over reverse, all rows at once.

    Where the outputs are more than one number their rows would be many: then ``func`` is called once more, and the Jacobian
    taken forward over reverse.

    >>> import chainrule as cr
    >>> hessian(lambda x: (x**3).sum())(cr.tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    real = of_real_numbers("jacfwd", func, False)
    single = by_rows(by_rows(_single(real), argnums), argnums)
    several = by_columns(by_rows(real, argnums), argnums)

    @functools.wraps(func)
    def second(*args: Any, **kwargs: Any) -> Any:
        if are_mixed(argnums, args):
            return several(*args, **kwargs)
        try:
            return single(*args, **kwargs)
        except _Several:
            return several(*args, **kwargs)

    return second


def are_mixed(argnums: Argnums, args: tuple[Any, ...]) -> bool:
    """Whether the arguments to differentiate by are of several dtypes: rows of rows would have each other's."""
    leaves = flatten([args[k] for k in chosen(argnums, args)])[0]
    return len({x.lane.dtype for x in leaves if isinstance(x, Tensor)}) > 1


class _Several(Exception):
    """The outputs of a function are more than one number."""


def _single(func: Callable[..., Any]) -> Callable[..., Any]:
    """``func``, but `_Several` if its outputs are more than one number."""

    def single(*args: Any, **kwargs: Any) -> Any:
        result = func(*args, **kwargs)
        if sum(y.array.size for y in flatten(result)[0] if isinstance(y, Tensor)) > 1:
            raise _Several
        return result

    return single


def of_real_numbers(name: str, func: Callable[..., Any], has_aux: bool) -> Callable[..., Any]:
    """``func``, but RuntimeError for complex numbers, of which ``name`` would not give the derivative."""

    def real(*args: Any, **kwargs: Any) -> Any:
        refuse_complex(f"{name}: Expected all inputs", args)
        result = func(*args, **kwargs)
        refuse_complex(f"{name}: Expected all outputs", result[:1] if has_aux and isinstance(result, tuple) else result)
        return result

    return real


def refuse_complex(told: str, tree: Any) -> None:
    """Raise RuntimeError if there is a complex tensor in the tree."""
    for k, x in enumerate(flatten(tree)[0]):
        if isinstance(x, Tensor) and x.lane.dtype.is_complex:
            raise RuntimeError(f"{told} to be real but received complex tensor at flattened input idx: {k}")


def units(y: Tensor) -> Tensor:
    """The unit vectors of the space of ``y``, along a first axis."""
    n = y.array.size
    rows = np.zeros((n, *y.array.shape), y.array.dtype)
    rows.reshape(-1)[:: n + 1] = 1
    return wrap(rows)


def shaped(x: Any, shape: tuple[int, ...]) -> Any:
    """``x`` in this shape."""
    return x if x.array.shape == shape else x.reshape(shape)


def rows_of(y: Tensor, mine: list[Tensor], more: bool, unit: Tensor) -> list[Tensor]:
    """The gradients of the inputs for one cotangent of an output, which may depend on ``more`` than these inputs."""
    return pulled([y], mine, [unit], more and modes.is_grad_enabled(), alone=not more)
