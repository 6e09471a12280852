"""torch.autograd.functional: derivatives of functions of tensors, or of tuples of tensors, by name."""

from __future__ import annotations

from typing import Any

from chainrule.autograd.blocks import (
    STRATEGIES,
    all_columns,
    all_rows,
    check_strategy,
    each_column,
    each_row,
    forward_blocks,
    reverse_blocks,
)
from chainrule.autograd.passes import (
    SINGLE_INPUT,
    Func,
    Given,
    called,
    check_dependence,
    check_dependence_each,
    check_recorded,
    directions_for,
    given,
    gradients,
    matching,
    plain,
    prepared,
    pushed,
    recording,
    scalar,
)
from chainrule.errors import missing

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]


def __getattr__(name: str) -> Any:
    raise missing(__name__, name, __all__)


@recording
def vjp(func: Func, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> tuple[Any, Any]:
    """``func(*inputs)``, and ``v`` times its Jacobian: the gradients of the inputs for the cotangent v of the output.

    v can be left out for an output of one element. With ``create_graph`` the result can be differentiated; with ``strict``
    raises RuntimeError where output and inputs do not depend on each other, instead of giving zeros.

    >>> import chainrule as cr
    >>> vjp(lambda x: x * x, cr.tensor([1.0, 2.0]), cr.tensor([1.0, 10.0]))
    (tensor([1., 4.]), tensor([ 2., 40.]))
    """
    xs = prepared(given(inputs, "inputs", "vjp"), create_graph)
    ys = called(func, xs, "vjp", strict)
    if v is None and (len(ys.parts) != 1 or ys.parts[0].array.size != 1):
        raise RuntimeError(
            "The vector v can only be None if the user-provided function returns a single Tensor with a single element."
        )
    seeds = None if v is None else matching(given(v, "v", "vjp"), ys)
    slopes = gradients(ys.parts, xs, seeds, create_graph, strict)
    if strict and create_graph:
        check_recorded("jacobian", slopes)
    return ys.result(create_graph), Given(slopes, xs.several).result(create_graph)


@recording
def jvp(func: Func, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> tuple[Any, Any]:
    """``func(*inputs)``, and its Jacobian times ``v``: the derivative along the tangents v of the inputs, in forward mode.

    v can be left out for an input of one element; ``create_graph`` and ``strict`` as for `vjp`.

    >>> import chainrule as cr
    >>> jvp(lambda x: x * x, cr.tensor([1.0, 2.0]), cr.tensor([1.0, 10.0]))
    (tensor([1., 4.]), tensor([ 2., 40.]))
    """
    xs = prepared(given(inputs, "inputs", "jvp"), create_graph)
    directions = directions_for(xs, v, "jvp", SINGLE_INPUT)
    ys, tangents = pushed(func, xs, directions, "jvp", strict)
    if not all(y.dtype.differentiable for y in ys.parts):
        raise RuntimeError("Only Tensors of floating point and complex dtype can require gradients")
    if strict:
        check_dependence(ys.parts, xs)
        if create_graph:
            check_recorded("jacobian", tangents)
    return ys.result(create_graph), Given(tangents, ys.several).result(create_graph)


@recording
def jacobian(func: Func, inputs: Any, create_graph: bool = False, strict: bool = False, vectorize: bool = False,
             strategy: str = "reverse-mode") -> Any:  # fmt: skip
    """The Jacobian of ``func``: for an output of shape (m, …) and an input of shape (n, …) a tensor of shape (m, …, n, …).

    For several outputs or inputs a tuple of them. ``strategy`` is "reverse-mode", a pass back per element of the output, or
    "forward-mode", a pass per element of the input; with ``vectorize`` all these are one pass, by `vmap`. Raises what torch
    raises for settings that do not go together.

    >>> import chainrule as cr
    >>> jacobian(lambda x: x * x, cr.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """
    check_strategy(strategy, create_graph, strict, vectorize)
    xs = prepared(given(inputs, "inputs", "jacobian"), create_graph)
    if strategy == "forward-mode":
        ys, rows = forward_blocks(func, xs, all_columns if vectorize else each_column)
    elif vectorize:
        ys, rows = reverse_blocks(func, xs, strict, lambda y, k: all_rows(y, xs, create_graph))
    else:
        ys, rows = reverse_blocks(func, xs, strict, lambda y, k: each_row(y, xs, create_graph, strict, k))
    return Given([Given(row, xs.several).result(create_graph) for row in rows], ys.several).result(True)


@recording
def hessian(func: Func, inputs: Any, create_graph: bool = False, strict: bool = False, vectorize: bool = False,
            outer_jacobian_strategy: str = "reverse-mode") -> Any:  # fmt: skip
    """The second derivatives of ``func``, which returns one number: a tuple of tuples for several inputs.

    >>> import chainrule as cr
    >>> hessian(lambda x: (x**3).sum(), cr.tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    if outer_jacobian_strategy not in STRATEGIES:
        raise AssertionError('Expected strategy to be either "forward-mode" or "reverse-mode".')
    check_strategy(outer_jacobian_strategy, create_graph, strict, vectorize)
    several = given(inputs, "inputs", "hessian").several

    def slope(*args: Any) -> Any:
        xs = Given([x if x.requires_grad else x.requires_grad_() for x in args], several)
        y = scalar(called(func, xs, "hessian", strict), "hessian")
        slopes = gradients([y], xs, None, True, False)  # zeros are seen to depend on nothing
        if strict:
            check_dependence_each(slopes, xs)
        return tuple(slopes)

    found = jacobian(slope, tuple(given(inputs, "inputs", "hessian").parts), create_graph, strict, vectorize,
                     outer_jacobian_strategy)  # fmt: skip
    return found if several else found[0][0]


@recording
def vhp(func: Func, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> tuple[Any, Any]:
    """``func(*inputs)``, one number, and ``v`` times its Hessian: two passes back.

    >>> import chainrule as cr
    >>> vhp(lambda x: (x**3).sum(), cr.tensor([1.0, 2.0]), cr.tensor([1.0, 1.0]))
    (tensor(9.), tensor([ 6., 12.]))
    """
    xs = prepared(given(inputs, "inputs", "vhp"), create_graph)
    directions = directions_for(xs, v, "vhp", SINGLE_INPUT)
    ys = called(func, xs, "vhp", strict)
    slopes = gradients([scalar(ys, "vhp")], xs, None, True, strict)
    if strict:
        check_dependence_each(slopes, xs)
    products = gradients(slopes, xs, directions, create_graph, strict, "jacobian")
    if strict and create_graph:
        check_recorded("hessian", products)
    return ys.result(create_graph), Given(products, xs.several).result(create_graph)


@recording
def hvp(func: Func, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> tuple[Any, Any]:
    """``func(*inputs)``, one number, and its Hessian times ``v``: the derivative of the gradient along v.

    >>> import chainrule as cr
    >>> hvp(lambda x: (x**3).sum(), cr.tensor([1.0, 2.0]), cr.tensor([1.0, 1.0]))
    (tensor(9.), tensor([ 6., 12.]))
    """
    xs = prepared(given(inputs, "inputs", "hvp"), create_graph)
    directions = directions_for(xs, v, "hvp", SINGLE_INPUT)
    values: list[Given] = []

    def slope(*args: Any) -> Any:
        inner = Given(list(args), xs.several)
        values.append(called(func, inner, "hvp", strict))
        slopes = gradients([scalar(values[0], "hvp")], inner, None, True, strict)
        if strict:
            check_dependence_each(slopes, inner)
        return tuple(slopes)

    _, tangents = pushed(slope, xs, directions, "hvp", False)
    if strict and create_graph:
        check_recorded("hessian", tangents)
    values[0] = Given([plain(y) for y in values[0].parts], values[0].several)
    return values[0].result(create_graph), Given(tangents, xs.several).result(create_graph)
