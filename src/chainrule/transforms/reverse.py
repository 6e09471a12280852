"""`grad`, `grad_and_value` and `vjp`: reverse mode for functions of nested containers of tensors.

Every derivative has inputs of its own, views of the caller's: nested ones cannot be confused. The pass is recorded only
if the result depends on something else that asks for a gradient.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule.eager import duals, engine, levels, modes, tasks
from chainrule.eager.batching.tensor import Batched, Unbatched, batched, innermost, layers, values_of
from chainrule.eager.specialise import F
from chainrule.eager.tensor import Tensor, edge_of, wrap, zeros_of
from chainrule.eager.trees import flatten, mapped, unflatten
from chainrule.transforms.captured import Derivative, normal_alias, outside_inference

Argnums = int | tuple[int, ...]


def grad(func: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False) -> Callable[..., Any]:
    """The gradient of ``func``, which returns a scalar, by argument ``argnums`` (or several): trees like the arguments.

    With ``has_aux`` func returns a pair, of which the second part is passed on. Raises RuntimeError if func returns
    anything else, or argnums names no argument.

    >>> import chainrule as cr
    >>> grad(lambda x: (x**3).sum())(cr.tensor([1.0, 2.0]))
    tensor([ 3., 12.])
    """

    both = grad_and_value(func, argnums, has_aux)

    @functools.wraps(func)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        slopes, value = both(*args, **kwargs)
        return (slopes, value[1]) if has_aux else slopes

    return gradient


def grad_and_value(func: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False) -> Callable[..., Any]:
    """`grad`, with the value of ``func`` as second result.

    >>> import chainrule as cr
    >>> grad_and_value(lambda x: (x * x).sum())(cr.tensor([1.0, 2.0]))
    (tensor([2., 4.]), tensor(5.))
    """

    @functools.wraps(func)
    @outside_inference
    def both(*args: Any, **kwargs: Any) -> Any:
        which = chosen(argnums, args)
        inputs, structure = flatten([args[k] for k in which])
        mine = watched(inputs)
        inner = replaced(args, which, unflatten(structure, mine))
        with Derivative(mine, mine) as level:
            if len(args) > len(which) or kwargs:
                inner, kwargs = level.own((inner, kwargs))
            result, aux = called(func, inner, kwargs, has_aux, "grad_and_value(f)(*args)")
            level.check(result, aux)
        if not isinstance(result, Tensor):
            raise RuntimeError(f"grad_and_value(f)(*args): Expected f(*args) to return a Tensor, got {type(result)}")
        if result.ndim:
            raise RuntimeError(
                f"grad_and_value(f)(*args): Expected f(*args) to return a scalar Tensor, got tensor with {result.ndim} dims. "
                "Maybe you wanted to use the vjp or jacrev APIs instead?"
            )
        alone = not has_more([result], mine)
        slopes = pulled([result], mine, None, not alone and modes.is_grad_enabled(), alone, last=alone and not has_aux)
        value = cut(result, mine) if alone else freed(result, mine)
        found = unflatten(structure, slopes)
        return found[0] if isinstance(argnums, int) else tuple(found), (value, freed(aux, mine)) if has_aux else value

    return both


@outside_inference
def vjp(func: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """``func(*primals)``, and the function that takes cotangents of the outputs back to a tuple of those of the inputs.

    Raises RuntimeError if func returns anything but tensors, or the cotangents are not like the outputs.

    >>> import chainrule as cr
    >>> value, pull = vjp(cr.sin, cr.tensor([0.0, 1.0]))
    >>> pull(cr.ones(2))
    (tensor([1.0000, 0.5403]),)
    """
    inputs, structure = flatten(primals)
    mine = watched(inputs)
    with Derivative(mine, mine) as level:
        result, aux = called(func, unflatten(structure, mine), {}, has_aux, "vjp(f, *primals)")
        level.check(result, aux)
    outputs, shape = flatten(result)
    checked_outputs("vjp(f, *primals)", outputs)
    checked_differentiable(outputs)
    more = has_more(outputs, mine)

    def pull(cotangents: Any, retain_graph: bool = True, create_graph: bool | None = None) -> Any:
        given, like = flatten(cotangents)
        if like != shape:
            raise RuntimeError(
                "Expected pytree structure of cotangents to be the same as pytree structure of outputs to the function. "
                f"cotangents: {like}, primal output: {shape}"
            )
        if create_graph is None:
            create_graph = modes.is_grad_enabled() and (more or any(g.requires_grad for g in given))
        return unflatten(structure, pulled(outputs, mine, given, create_graph, alone=not (more or create_graph)))

    value = freed(unflatten(shape, outputs), mine)
    return (value, pull, freed(aux, mine)) if has_aux else (value, pull)


# The steps


def chosen(argnums: Argnums, args: Sequence[Any]) -> tuple[int, ...]:
    """The places of the arguments to differentiate by. Raises RuntimeError for what names none."""
    if not isinstance(argnums, (int, tuple)) or isinstance(argnums, bool):
        raise RuntimeError(f"argnums must be int or Tuple[int, ...], got: {type(argnums)}")
    which = (argnums,) if isinstance(argnums, int) else argnums
    if not which:
        raise RuntimeError("argnums must be non-empty")
    for k in which:
        if not isinstance(k, int):
            raise RuntimeError(f"argnum must be int, got: {type(k)}")
        if not -len(args) <= k < len(args):
            raise RuntimeError(f"Got argnum={k}, but only {len(args)} positional inputs")
    which = tuple(k % len(args) for k in which)
    if len(set(which)) != len(which):
        raise RuntimeError(f"argnums elements must be unique, got {which}")
    return which


def replaced(args: Sequence[Any], which: Sequence[int], values: Sequence[Any]) -> tuple[Any, ...]:
    """``args`` with other values at these places."""
    found = list(args)
    for k, value in zip(which, values, strict=True):
        found[k] = value
    return tuple(found)


def watched(inputs: Sequence[Any]) -> list[Tensor]:
    """Views of the inputs that a derivative is to be taken by, on the tape of the caller's if there is one.

    Under `vmap` an input that is the same for all samples has a derivative for each of them, unless it is only its tangents
    that differ from sample to sample.
    """
    for x in inputs:
        if not isinstance(x, Tensor):
            raise ValueError(f"Thing passed to transform API must be Tensor, got {type(x)}")
        if not x.dtype.differentiable:
            raise RuntimeError("only Tensors of floating point dtype can require gradients")
    among = [batch for batch in levels.batches() if tells_samples_apart(batch, inputs)]
    with modes.enable_grad():
        return [in_batches(x, among) for x in inputs]


def tells_samples_apart(batch: levels.Batch, inputs: Sequence[Tensor]) -> bool:
    """Whether the derivative by these inputs is to be one for each sample of a batch."""
    if any(batch in layers(x) for x in inputs):
        return True
    return not any(batch in layers(tangent) for x in inputs for tangent in duals.tangents(x._bottom()))


def in_batches(x: Any, batches: Sequence[levels.Batch]) -> Tensor:
    """An alias of ``x`` that records, with a value for each sample of all these batches."""
    if not batches:
        t = normal_alias(x)
        t.leaf = t.leaf or t.node is None
        return t
    *around, batch = batches
    return batched(in_batches(values_of(x, batch), around), batch)


def called(func: Callable[..., Any], args: Any, kwargs: Any, has_aux: bool, name: str) -> tuple[Any, Any]:
    """What ``func`` returns, recorded, and the part beside it that is passed on."""
    with modes.enable_grad():
        result = func(*args, **kwargs)
    return parts_of(result, has_aux, name)


def parts_of(result: Any, has_aux: bool, name: str) -> tuple[Any, Any]:
    """The output of a function, and the tensors beside it; RuntimeError if it is no such pair."""
    if not has_aux:
        return result, None
    if not (isinstance(result, tuple) and len(result) == 2):
        raise RuntimeError(f"{name}: output of function f should be a tuple: (output, aux) if has_aux is True")
    for x in flatten(result[1])[0]:
        if not isinstance(x, Tensor):
            raise RuntimeError(f"Expected tensors, got unsupported type {type(x)}")
    return result


def checked_outputs(name: str, outputs: Sequence[Any]) -> None:
    """Raise RuntimeError unless the outputs of a function are tensors, and there is one at least."""
    if not outputs or list(outputs) == [None]:
        raise RuntimeError(f"{name}: Expected f to be a function that has non-empty output (got output = {list(outputs)})")
    for y in outputs:
        if not isinstance(y, Tensor):
            raise RuntimeError(f"{name}: expected f(*primals) to return only tensors, got unsupported type {type(y)}")


def checked_differentiable(outputs: Sequence[Tensor]) -> None:
    """Raise RuntimeError if an output has no derivative, for its dtype."""
    for y in outputs:
        if not y.lane.dtype.differentiable:
            raise RuntimeError(
                f"vjp(f, ...): All outputs of f must be floating-point or complex Tensors, got Tensor with dtype {y.dtype}"
            )


def depends_on_more(outputs: Sequence[Tensor], mine: Sequence[Tensor]) -> bool:
    """Whether anything but the inputs of this derivative asks for a gradient of the outputs, here and now."""
    return modes.is_grad_enabled() and has_more(outputs, mine)


def has_more(outputs: Sequence[Tensor], mine: Sequence[Tensor]) -> bool:
    """Whether the outputs depend on anything that asks for a gradient, other than the inputs of this derivative."""
    own = {id(t._bottom()) for t in mine}
    ends = [edge_of(t._bottom()) for y in outputs for t in (y, *duals.tangents(y._bottom()))]
    return any(id(leaf) not in own for leaf in tasks.behind(ends)[1])


def pulled(
    outputs: Sequence[Tensor], mine: Sequence[Tensor], cotangents: Any, recorded: bool, alone: bool = False,
    last: bool = False,
) -> list[Tensor]:  # fmt: skip
    """The gradients of the outputs by the inputs, zeros where there is none.

    ``alone``: nothing but these inputs asks for a gradient of the outputs, so that all that was recorded is gone through.
    ``last``: it is not gone through again, and can be let go of.
    """
    pairs = zip(outputs, cotangents or [None] * len(outputs), strict=True)
    given = [None if g is None else engine.checked_seed(k, y, g) for k, (y, g) in enumerate(pairs)]
    if any(batch not in layers(mine[0]) for y in outputs for batch in layers(y)):
        raise Unbatched("a derivative by what is the same for all samples")
    return pulled_for_each(outputs, mine, given, recorded, alone, last)


def pulled_for_each(
    outputs: Sequence[Tensor], mine: Sequence[Tensor], given: Sequence[Any], recorded: bool, alone: bool, last: bool
) -> list[Tensor]:
    """`pulled`, for each sample where the inputs have a value for each."""
    batch = innermost(mine)
    if batch is not None:
        seeds = [F.broadcast_to(wrap(np.ones((), y.array.dtype)), y.array.shape) if g is None else g
                 for y, g in zip(outputs, given, strict=True)]  # fmt: skip
        below = [[values_of(t, batch) for t in group] for group in (outputs, mine, seeds)]
        return [batched(g, batch) for g in pulled_for_each(below[0], below[1], below[2], recorded, alone, last)]
    live = [(y, g) for y, g in zip(outputs, given, strict=True) if y.requires_grad]
    if not live:
        return [zeros_of(t) for t in mine]
    ys, gs = (list(part) for part in zip(*live, strict=True))
    if alone:
        return engine.grad_by_all(ys, mine, gs, retain_graph=not last)
    found = engine.grad(ys, mine, gs, retain_graph=True, create_graph=recorded, materialize_grads=True)
    return [g for g in found if g is not None]


def freed(tree: Any, mine: Sequence[Tensor]) -> Any:
    """The tree without what hangs on the inputs of this derivative alone."""
    return mapped(lambda y: _freed(y, mine), tree)


def _freed(y: Any, mine: Sequence[Tensor]) -> Any:
    if not isinstance(y, Tensor) or depends_on_more([y], mine):
        return y
    return cut(y, mine)


def cut(y: Tensor, mine: Sequence[Tensor]) -> Tensor:
    """``y``, which depends on the inputs of this derivative alone, without its history."""
    if not y.requires_grad:
        return y
    if isinstance(y, Batched):
        return batched(cut(y.values, mine), y.batch)
    t = y.detach()
    for lane in reversed(list(duals.layers(y))):  # the caller's tangents stay
        duals.attach(t, lane.level, _freed(lane.tangent, mine))
    return t
