"""What `autograd.functional` is given, and the passes it makes: on tensors or tuples of them, off the tape if not asked."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from chainrule.eager import duals, engine, levels, modes
from chainrule.eager.functions.viewing import alias
from chainrule.eager.tensor import Tensor, wrap, zeros_of

Func = Callable[..., Any]


def recording(function: Func) -> Func:
    """``function``, everything in it being recorded: what comes out is taken off the tape where it is not asked for."""

    @functools.wraps(function)
    def within(*args: Any, **kwargs: Any) -> Any:
        with modes.enable_grad():
            return function(*args, **kwargs)

    return within


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
        vectors = matching(given(v, "v", name), xs)
        return [t if t.dtype is x.dtype or t.dtype.is_complex else t.cast(x.dtype)
                for t, x in zip(vectors, xs.parts, strict=True)]  # fmt: skip
    if len(xs.parts) != 1 or xs.parts[0].array.size != 1:
        raise RuntimeError(f"The vector v can only be None if {told}")
    return [wrap(np.ones_like(xs.parts[0].array))]


SINGLE_INPUT = "the input to the user-provided function is a single Tensor with a single element."
INDEPENDENT = "The {} of the user-provided function is independent of input {}. This is not allowed in strict mode"
CONSTANT = INDEPENDENT + " when create_graph=True."


def check_recorded(what: str, slopes: Sequence[Tensor]) -> None:
    """RuntimeError, in torch's words for ``what``, for a slope that depends on nothing."""
    for i, g in enumerate(slopes):
        if not g.requires_grad:
            raise RuntimeError(CONSTANT.format(what, i))


# The passes


def gradients(ys: Sequence[Tensor], xs: Given, seeds: Any, create_graph: bool, strict: bool, what: str = "output"
              ) -> list[Tensor]:  # fmt: skip
    """The gradients of the outputs by the inputs, zeros where there is none (with ``strict`` RuntimeError).

    ``what`` the outputs are to the user is for the error.
    """
    pairs = [(y, g) for y, g in zip(ys, seeds or [None] * len(ys), strict=True) if y.requires_grad]
    found: Sequence[Any] = [None] * len(xs.parts)
    if pairs:
        found = engine.grad([y for y, _ in pairs], xs.parts, [g for _, g in pairs], retain_graph=True,
                            create_graph=create_graph, allow_unused=True)  # fmt: skip
    if strict:
        for i, g in enumerate(found):
            if g is None:
                raise RuntimeError(INDEPENDENT.format(what, i) + ".")
    return [zeros_of(x) if g is None else g for g, x in zip(found, xs.parts, strict=True)]


def pushed(func: Func, xs: Given, directions: Sequence[Any], name: str, strict: bool) -> tuple[Given, list[Tensor]]:
    """The outputs, and their derivatives along these directions (None: none)."""
    level = levels.enter()
    try:
        mine = [x if t is None else duals.attach(alias(x), level, t) for x, t in zip(xs.parts, directions, strict=True)]
        ys = called(func, Given(mine, xs.several), name, strict)
        tangents = [duals.tangent_of(y, level) for y in ys.parts]
        with duals.stripped(ys.parts, level):
            parts = [alias(y) if y.lane.dual else plain(y) for y in ys.parts]
    finally:
        levels.leave(level)
    slopes = [zeros_of(y) if t is None else t for y, t in zip(parts, tangents, strict=True)]
    return Given(parts, ys.several), slopes


def plain(y: Tensor) -> Tensor:
    """``y`` without tangents."""
    with duals.stripped((y,), None):
        return wrap(y.array, y.node)


def check_dependence(ys: Sequence[Tensor], xs: Given) -> None:
    """RuntimeError for an input that none of the outputs depends on."""
    live = [y for y in ys if y.requires_grad]
    found: Sequence[Any] = [None] * len(xs.parts)
    if live:
        ones = [wrap(np.ones_like(y.array)) for y in live]
        found = engine.grad(live, xs.parts, ones, retain_graph=True, allow_unused=True)
    for i, g in enumerate(found):
        if g is None:
            raise RuntimeError(INDEPENDENT.format("output", i) + ".")


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
