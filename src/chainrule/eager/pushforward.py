"""Custom Functions in forward mode: the user's jvp called, its tangents checked and put on the outputs."""

from __future__ import annotations

from typing import Any

from chainrule.eager import duals, modes, views
from chainrule.eager.context import FunctionCtx, Pushing, keep_tangent
from chainrule.eager.levels import Level
from chainrule.eager.pullback import type_text
from chainrule.eager.tensor import Tensor, zeros_of
from chainrule.errors import shape_text
from chainrule.ops.strided import owner_of


def push(cls: Any, ctx: FunctionCtx, saved: tuple[Any, ...], args: tuple[Any, ...], outputs: tuple[Any, ...]) -> None:
    """Give the outputs of a call their tangents, at every level that an argument has one of."""
    for level in duals.active_levels(args):
        given = [tangent_of(ctx, x, level) for x in args]
        versions = {id(t): t._version for t in given if t is not None}
        outer = modes.state()
        modes.enter(modes.changed(tangents=False))
        try:
            found = cls.jvp(ctx.on(Pushing(saved)), *given)
        finally:
            modes.enter(outer)
        found = found if isinstance(found, tuple) else (found,)
        if len(found) != len(outputs):
            raise RuntimeError(
                f"Function's jvp returned an invalid number of forward gradients (expected {len(outputs)} but got "
                f"{len(found)})"
            )
        for k, (out, tangent) in enumerate(zip(outputs, found, strict=True)):
            if tangent is not None and (not isinstance(out, Tensor) or k in constants(ctx, outputs)):
                raise RuntimeError(
                    f"Function's jvp returned a gradient at position {k}, but the corresponding forward output is not a "
                    "differentiable Tensor. You should return None at that position instead."
                )
            if isinstance(out, Tensor) and out.dtype.differentiable:
                put(k, out, tangent, level, args, given, versions)


def tangent_of(ctx: FunctionCtx, x: Any, level: Level) -> Tensor | None:
    """What jvp gets for an argument: its tangent, zeros if it could have one, None."""
    if not isinstance(x, Tensor) or not x.dtype.differentiable:
        return None
    tangent = duals.tangent_of(x, level)
    return zeros_of(x) if tangent is None and ctx.materialize_grads else tangent


def put(k: int, out: Tensor, tangent: Any, level: Level, args: tuple[Any, ...], given: list[Any],
        versions: dict[int, int]) -> None:  # fmt: skip
    """The tangent of output ``k``, validated and attached; ``versions`` are those of the given ones before jvp was called."""
    if tangent is None:
        return
    if not isinstance(tangent, Tensor):
        raise RuntimeError(f"expected Variable or None (got {type_text(tangent)}) for grad output {k}.")
    if not tangent.dtype.differentiable:
        raise RuntimeError(f"Function's jvp returned a tangent of {tangent.dtype} for output {k}, which is of {out.dtype}.")
    if tangent.array.shape != out.array.shape:
        raise RuntimeError(
            "Trying to set a forward gradient that has a different size than that of the original Tensor, this is not "
            f"supported. Tensor is of size {shape_text(out.array.shape)} while the given forward gradient is of size "
            f"{shape_text(tangent.array.shape)}."
        )
    before = duals.tangent_of(out, level)
    if before is not None:  # an input that forward wrote to
        if tangent is not before or tangent._version == versions.get(id(tangent)):
            raise RuntimeError(
                "An inplace custom Function is not modifying the forward mode gradients inplace. If the forward is modifying "
                "an input inplace, then the jvp function must modify the corresponding gradient inplace."
            )
        return
    base = views.base_of(out)
    seen = [t for x, t in zip(args, given, strict=True)
            if base is not None and isinstance(x, Tensor) and (base is x or base is views.base_of(x))]  # fmt: skip
    if seen:
        check_view(tangent, [t for t in seen if t is not None])
    duals.attach(out, level, tangent)
    keep_tangent(out, k, level, tangent)


def check_view(tangent: Tensor, seen: list[Tensor]) -> None:
    """Refuse a tangent that is no view of that of the input which the output is a view of."""
    if not views.is_view(tangent) or any(tangent is t for t in seen):
        raise RuntimeError(
            "A custom Function's forward is returning a view (or an input as-is) but the jvp is not returning a view."
        )
    if seen and not any(owner_of(tangent.array) is owner_of(t.array) for t in seen):
        what = "the same base as the given" if any(map(views.is_view, seen)) else "the given"
        raise RuntimeError(
            f"A custom Function is returning a view but the jvp is not returning a view of {what} grad input."
        )


def constants(ctx: FunctionCtx, outputs: tuple[Any, ...]) -> set[int]:
    """The places of the outputs that were marked as not differentiable."""
    named = ctx.__dict__.get("_constant", ())
    return {*ctx.__dict__.get("constants", ()), *(k for k, out in enumerate(outputs) if any(out is t for t in named))}
