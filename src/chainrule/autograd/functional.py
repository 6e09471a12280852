"""torch.autograd.functional: derivatives of functions of tensors, or of tuples of tensors, by name."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from chainrule.eager import engine, forward, levels, modes
from chainrule.eager.functions.shapes import stack
from chainrule.eager.functions.viewing import alias
from chainrule.eager.tensor import Tensor, wrap, zeros_of
from chainrule.errors import missing
from chainrule.transforms.batching import vmap

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]

Func = Callable[..., Any]


def recording(function: Func) -> Func:
    """``function``, everything in it being recorded: what comes out is taken off the tape where it is not asked for."""

    @functools.wraps(function)
    def within(*args: Any, **kwargs: Any) -> Any:
        with modes.enable_grad():
            return function(*args, **kwargs)

    return within


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
    if strict:
        check_dependence(ys.parts, xs, "The output of the user-provided function is independent of input {}. This is not "
                         "allowed in strict mode.")  # fmt: skip
        if create_graph:
            check_dependence(tangents, xs, JACOBIAN_CONSTANT)
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
        slopes = gradients([y], xs, None, True, strict)
        if strict:
            check_dependence_each(slopes, xs)
        return tuple(slopes)

    found = jacobian(slope, tuple(given(inputs, "inputs", "hessian").parts), create_graph, False, vectorize,
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
    products = gradients(slopes, xs, directions, create_graph, strict)
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
    values[0] = Given([plain(y) for y in values[0].parts], values[0].several)
    return values[0].result(create_graph), Given(tangents, xs.several).result(create_graph)


# What is given, and what comes back


class Given(NamedTuple):
    """Tensors, and whether the user has them as a tuple."""

    parts: list[Any]
    several: bool

    def result(self, recorded: bool) -> Any:
        """The tensors as the user gets them; without ``recorded`` off the tape."""
        found = tuple(t if recorded or not isinstance(t, Tensor) else t.detach() for t in self.parts)
        return found if self.several else found[0]


def given(value: Any, what: str, name: str) -> Given:
    """A tensor, or a tuple of tensors. TypeError for anything else."""
    told = f"The {what} given to {name} must be either a Tensor or a tuple of Tensors but the"
    if isinstance(value, Tensor):
        return Given([value], False)
    if not isinstance(value, tuple):
        raise TypeError(f"{told} given {what} has type {type(value)}.")
    for i, x in enumerate(value):
        if not isinstance(x, Tensor):
            raise TypeError(f"{told} value at index {i} has type {type(x)}.")
    return Given(list(value), True)


def prepared(xs: Given, create_graph: bool) -> Given:
    """Views of the inputs that ask for a gradient: on the caller's tape with ``create_graph``, else off it."""
    with modes.enable_grad():
        parts = [alias(x if create_graph else x.detach()) for x in xs.parts]
        return Given([x if x.requires_grad else x.requires_grad_() for x in parts], xs.several)


def called(func: Func, xs: Given, name: str, strict: bool) -> Given:
    """What ``func`` returns, recorded."""
    with modes.enable_grad():
        ys = given(func(*xs.parts), "outputs of the user-provided function", name)
    if strict:
        for i, y in enumerate(ys.parts):
            if not y.requires_grad:
                raise RuntimeError(
                    f"Output {i} of the user-provided function does not require gradients. The outputs must be computed in a "
                    "differentiable manner from the input when running in strict mode."
                )
    return ys


def scalar(ys: Given, name: str) -> Tensor:
    """The one number that a function returned; RuntimeError for anything else."""
    if ys.several:
        raise RuntimeError(f"The function given to {name} should return a single Tensor")
    if ys.parts[0].array.size != 1:
        raise RuntimeError(f"The Tensor returned by the function given to {name} should contain a single element")
    return ys.parts[0].reshape(())  # type: ignore[no-any-return]


def matching(v: Given, like: Given) -> list[Tensor]:
    """Vectors shaped like the tensors that they go with. RuntimeError if they are not."""
    if len(v.parts) != len(like.parts):
        if like.several:
            raise RuntimeError(f"v is a tuple of invalid length: should be {len(like.parts)} but got {len(v.parts)}.")
        raise RuntimeError("The given v should contain a single Tensor.")
    for i, (have, wanted) in enumerate(zip(v.parts, like.parts, strict=True)):
        if have.array.shape != wanted.array.shape:
            prefix = f"Entry {i} in " if like.several else ""
            raise RuntimeError(f"{prefix}v has invalid size: should be {wanted.shape} but got {have.shape}.")
    return v.parts


def directions_for(xs: Given, v: Any, name: str, told: str) -> list[Tensor]:
    """The vectors to multiply with: those given, or one for a single number."""
    if v is not None:
        return matching(given(v, "v", name), xs)
    if len(xs.parts) != 1 or xs.parts[0].array.size != 1:
        raise RuntimeError(f"The vector v can only be None if {told}")
    return [wrap(np.ones_like(xs.parts[0].array))]


SINGLE_INPUT = "the input to the user-provided function is a single Tensor with a single element."
JACOBIAN_CONSTANT = (
    "The jacobian of the user-provided function is independent of input {}. This is not allowed in strict mode when "
    "create_graph=True."
)


# The passes


def gradients(ys: Sequence[Tensor], xs: Given, seeds: Any, create_graph: bool, strict: bool) -> list[Tensor]:
    """The gradients of the outputs by the inputs, zeros where there is none (with ``strict`` RuntimeError)."""
    pairs = [(y, g) for y, g in zip(ys, seeds or [None] * len(ys), strict=True) if y.requires_grad]
    found: Sequence[Any] = [None] * len(xs.parts)
    if pairs:
        found = engine.grad([y for y, _ in pairs], xs.parts, [g for _, g in pairs], retain_graph=True,
                            create_graph=create_graph, allow_unused=True)  # fmt: skip
    if strict:
        for i, g in enumerate(found):
            if g is None:
                raise RuntimeError(
                    f"The output of the user-provided function is independent of input {i}. This is not allowed in strict "
                    "mode."
                )
            if create_graph and seeds is not None and not g.requires_grad:
                raise RuntimeError(JACOBIAN_CONSTANT.format(i))
    return [zeros_of(x) if g is None else g for g, x in zip(found, xs.parts, strict=True)]


def pushed(func: Func, xs: Given, directions: Sequence[Any], name: str, strict: bool) -> tuple[Given, list[Tensor]]:
    """The outputs, and their derivatives along these directions (None: none)."""
    level = levels.enter()
    try:
        duals = [
            x if t is None else forward.attach(alias(x), level, t) for x, t in zip(xs.parts, directions, strict=True)
        ]
        ys = called(func, Given(duals, xs.several), name, strict)
        tangents = [forward.tangent_of(y, level) for y in ys.parts]
        with forward.stripped(ys.parts, level):
            parts = [alias(y) if y.lane.dual else plain(y) for y in ys.parts]
    finally:
        levels.leave(level)
    slopes = [zeros_of(y) if t is None else t for y, t in zip(parts, tangents, strict=True)]
    return Given(parts, ys.several), slopes


def plain(y: Tensor) -> Tensor:
    """``y`` without tangents."""
    with forward.stripped((y,), None):
        return wrap(y.array, y.node)


def check_dependence(ys: Sequence[Tensor], xs: Given, told: str) -> None:
    """RuntimeError, in these words, for an input that none of the ``ys`` depends on."""
    live = [y for y in ys if y.requires_grad]
    found: Sequence[Any] = [None] * len(xs.parts)
    if live:
        ones = [wrap(np.ones_like(y.array)) for y in live]
        found = engine.grad(live, xs.parts, ones, retain_graph=True, allow_unused=True)
    for i, g in enumerate(found):
        if g is None:
            raise RuntimeError(told.format(i))


def check_dependence_each(slopes: Sequence[Tensor], xs: Given) -> None:
    """RuntimeError for a gradient that does not depend on the inputs."""
    for i, g in enumerate(slopes):
        if not g.requires_grad:
            raise RuntimeError(
                "While computing the hessian, found that the jacobian of the user-provided function with respect to input "
                f"{i} is independent of the input. This is not allowed in strict mode. You should ensure that your function "
                "is twice differentiable and that the jacobian depends on the inputs (this would be violated by a linear "
                "function for example)."
            )


# Jacobians

STRATEGIES = ("forward-mode", "reverse-mode")
Blocks = tuple[Given, list[list[Any]]]  # the outputs, and for each the blocks by input


def check_strategy(strategy: str, create_graph: bool, strict: bool, vectorize: bool) -> None:
    """Raise what torch raises for settings that do not go together."""
    name = "torch.autograd.functional.jacobian:"
    if strategy not in STRATEGIES:
        raise AssertionError(
            'Expected strategy to be either "forward-mode" or "reverse-mode". Hint: If your function has more outputs than '
            'inputs, "forward-mode" tends to be more performant. Otherwise, prefer to use "reverse-mode".'
        )
    if strategy == "forward-mode":
        if create_graph:
            raise NotImplementedError(
                f'{name} `create_graph=True` and `strategy="forward-mode"` are not supported together (yet). Please either '
                'set `create_graph=False` or `strategy="reverse-mode"`.'
            )
        if strict:
            raise RuntimeError(
                f'{name} `strict=True` and `strategy="forward-mode"` are not supported together (yet). Please either set '
                '`strict=False` or `strategy="reverse-mode"`.'
            )
    elif vectorize and strict:
        raise RuntimeError(
            f"{name} `strict=True` and `vectorized=True` are not supported together. Please either set `strict=False` or "
            "`vectorize=False`."
        )


def reverse_blocks(func: Func, xs: Given, strict: bool, rows_of: Callable[[Tensor, int], list[Any]]) -> Blocks:
    """The Jacobian by its rows, which ``rows_of`` gives for an output."""
    ys = called(func, xs, "jacobian", strict)
    rows = [
        [part.reshape((*y.array.shape, *x.array.shape)) for part, x in zip(rows_of(y, k), xs.parts, strict=True)]
        for k, y in enumerate(ys.parts)
    ]
    return ys, rows


def all_rows(y: Tensor, xs: Given, create_graph: bool) -> list[Any]:
    """The gradients of all elements of an output, by one pass."""
    if not y.requires_grad or not y.array.size:
        return [wrap(np.zeros((y.array.size, *x.array.shape), x.array.dtype)) for x in xs.parts]

    def pull(unit: Tensor) -> list[Tensor]:
        found = engine.grad(y, xs.parts, unit, retain_graph=True, create_graph=create_graph, allow_unused=True)
        return [zeros_of(x) if g is None else g for g, x in zip(found, xs.parts, strict=True)]

    return vmap(pull)(unit_rows(y))  # type: ignore[no-any-return]


def each_row(y: Tensor, xs: Given, create_graph: bool, strict: bool, k: int) -> list[Any]:
    """The gradients of the elements of output ``k``, one by one."""
    found = [one_row(y, unit, xs, create_graph, strict, k) for unit in units(y)]
    return [joined([row[i] for row in found], y, 0) for i in range(len(xs.parts))]


def one_row(y: Tensor, unit: Tensor, xs: Given, create_graph: bool, strict: bool, k: int) -> list[Tensor]:
    """The gradients of one element of output ``k``."""
    found: Sequence[Any] = [None] * len(xs.parts)
    if y.requires_grad:
        found = engine.grad(y, xs.parts, unit, retain_graph=True, create_graph=create_graph, allow_unused=True)
    for i, g in enumerate(found):
        if strict and g is None:
            raise RuntimeError(
                f"Output {k} of the user-provided function is independent of input {i}. This is not allowed in strict mode."
            )
        if strict and create_graph and not g.requires_grad:
            raise RuntimeError(JACOBIAN_CONSTANT.format(i))
    return [zeros_of(x) if g is None else g for g, x in zip(found, xs.parts, strict=True)]


def forward_blocks(func: Func, xs: Given, columns_of: Callable[[Push, Tensor], list[Any]]) -> Blocks:
    """The Jacobian by its columns, which ``columns_of`` gives for an input."""
    outputs: list[Given] = [Given([], False)]
    columns = []  # by input and output
    for i, x in enumerate(xs.parts):

        def push(unit: Tensor, i: int = i) -> list[Tensor]:
            directions = [unit if k == i else None for k in range(len(xs.parts))]
            outputs[0], tangents = pushed(func, xs, directions, "jacobian", False)
            return tangents

        if x.array.size:
            columns.append(columns_of(push, x))
        else:
            outputs[0], tangents = pushed(func, xs, [None] * len(xs.parts), "jacobian", False)
            columns.append([wrap(np.zeros((*t.array.shape, 0), t.array.dtype)) for t in tangents])
    rows = [
        [columns[i][k].reshape((*y.array.shape, *x.array.shape)) for i, x in enumerate(xs.parts)]
        for k, y in enumerate(outputs[0].parts)
    ]
    return outputs[0], rows


Push = Callable[[Tensor], list[Tensor]]  # from a direction of one input to the derivatives of the outputs


def all_columns(push: Push, x: Tensor) -> list[Any]:
    """The derivatives along all elements of an input, by one pass."""
    return vmap(push, out_dims=-1)(unit_rows(x))  # type: ignore[no-any-return]


def each_column(push: Push, x: Tensor) -> list[Any]:
    """The derivatives along the elements of an input, one by one."""
    found = [push(unit) for unit in units(x)]
    return [joined(list(parts), parts[0], -1) for parts in zip(*found, strict=True)]


def joined(parts: list[Tensor], y: Tensor, axis: int) -> Any:
    """The parts stacked along a new axis; nothing of the dtype of ``y`` where there are none."""
    return stack(parts, axis) if parts else wrap(np.zeros(0, y.array.dtype))


def unit_rows(y: Tensor) -> Tensor:
    """The unit vectors of the space of ``y``, along a first axis."""
    return wrap(np.eye(y.array.size, dtype=y.array.dtype).reshape(y.array.size, *y.array.shape))


def units(y: Tensor) -> list[Tensor]:
    """The unit vectors of the space of ``y``."""
    rows = np.eye(y.array.size, dtype=y.array.dtype)
    return [wrap(row.reshape(y.array.shape)) for row in rows]
