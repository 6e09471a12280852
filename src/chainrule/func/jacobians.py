"""`jacrev`, `jacfwd` and `hessian`: whole derivatives, a row or a column at a time."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from chainrule.eager import forward
from chainrule.eager.functions.shapes import stack
from chainrule.eager.tensor import Tensor, wrap
from chainrule.func.forward import dual, parted, primal_tree
from chainrule.func.reverse import Argnums, called, chosen, depends_on_more, freed, pulled, replaced, watched
from chainrule.func.trees import flatten, unflatten


def jacrev(func: Callable[..., Any], argnums: Argnums = 0, *, has_aux: bool = False, chunk_size: int | None = None,
           _preallocate_and_copy: bool = False) -> Callable[..., Any]:  # fmt: skip
    """The Jacobian of ``func`` by argument ``argnums``, in reverse mode: one pass back per element of the outputs.

    For outputs of shape (m, …) and an argument of shape (n, …) it has shape (m, …, n, …); for trees it is a tree like the
    outputs of trees like the argument.

    >>> import chainrule as cr
    >>> jacrev(lambda x: x * x)(cr.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """

    @functools.wraps(func)
    def jacobian(*args: Any, **kwargs: Any) -> Any:
        which = chosen(argnums, args)
        inputs, structure = flatten([args[k] for k in which])
        mine = [watched(x) for x in inputs]
        result, aux = called(func, replaced(args, which, unflatten(structure, mine)), kwargs, has_aux, "jacrev(f)(*args)")
        outputs, shape = flatten(result)
        recorded = depends_on_more([checked(y) for y in outputs], mine)
        blocks = []
        for y in outputs:
            rows = [pulled([y], mine, [unit], recorded) for unit in units(y)]
            parts = [joined([row[i] for row in rows], (*y.array.shape, *x.array.shape), x) for i, x in enumerate(mine)]
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
    """

    @functools.wraps(func)
    def jacobian(*args: Any, **kwargs: Any) -> Any:
        which = chosen(argnums, args)
        inputs, structure = flatten([args[k] for k in which])
        columns: list[list[list[Tensor]]] = []  # by input, direction and output
        shape, aux = None, None
        outputs: list[Tensor] = []
        for i, x in enumerate(inputs):
            columns.append([])
            for unit in units(checked(x)):
                level = forward.enter()
                try:
                    mine = [dual(t, unit, level) if k == i else t for k, t in enumerate(inputs)]
                    result = func(*replaced(args, which, unflatten(structure, mine)), **kwargs)
                    result, aux = result if has_aux else (result, None)
                    outputs, shape = flatten(result)
                    columns[-1].append([parted(y, level, strict=False)[1] for y in outputs])
                    aux = None if aux is None else primal_tree(aux, level)
                finally:
                    forward.leave(level)
        blocks = []
        for k, y in enumerate(outputs):
            parts = [
                turned(joined([column[k] for column in columns[i]], (*x.array.shape, *y.array.shape), y), x.ndim)
                for i, x in enumerate(inputs)
            ]
            found = unflatten(structure, parts)
            blocks.append(found[0] if isinstance(argnums, int) else tuple(found))
        jacobians = None if shape is None else unflatten(shape, blocks)
        return (jacobians, aux) if has_aux else jacobians

    return jacobian


def hessian(func: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """The second derivative of ``func``: forward over reverse.

    >>> import chainrule as cr
    >>> hessian(lambda x: (x**3).sum())(cr.tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    return jacfwd(jacrev(func, argnums), argnums)


def checked(y: Any) -> Tensor:
    """``y`` if it is a tensor; RuntimeError for anything else."""
    if not isinstance(y, Tensor):
        raise RuntimeError(f"expected only tensors, but got a value of type {type(y)}")
    return y


def units(y: Tensor) -> Iterator[Tensor]:
    """The unit vectors of the space of ``y``."""
    for index in np.ndindex(y.array.shape):
        unit = np.zeros_like(y.array)
        unit[index] = 1
        yield wrap(unit)


def joined(parts: list[Tensor], shape: tuple[int, ...], like: Tensor) -> Any:
    """The parts stacked into one tensor of this shape."""
    return stack(parts).reshape(shape) if parts else wrap(np.zeros(shape, like.array.dtype))


def turned(block: Any, ndim: int) -> Any:
    """A block whose first ``ndim`` axes belong to the input, with these last."""
    return block.permute(*range(ndim, block.ndim), *range(ndim)) if ndim and block.ndim > ndim else block
