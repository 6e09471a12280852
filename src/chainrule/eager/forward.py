"""Forward mode: what calls do with tangents, the derivatives of values along a direction.

A tangent lives in the lane of a tensor (`duals`). The call is made without the tangents, on whatever the operands are
otherwise; then the rule of the table gives the tangent of the result, in calls that are recorded like any others: reverse
over forward is nothing special. What a recorded call saves keeps its tangents too (`DualForm`), so that a sweep carries them
on: forward over reverse.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np

from chainrule.core import rules
from chainrule.core.box import dispatch
from chainrule.core.primitive import ELEMENTWISE, LINEAR, MULTILINEAR, NON_DIFFERENTIABLE, ZERO_DERIVATIVE, Primitive
from chainrule.core.sweep import Node, Port
from chainrule.eager import modes, tape, views
from chainrule.eager.duals import (
    DualLane,
    active_levels,
    are_carried,
    attach,
    innermost,
    laid_out,
    stripped,
    tangent_of,
    tangents,
    without,
)
from chainrule.eager.lane import Lane, remembered
from chainrule.eager.levels import Level, remember
from chainrule.eager.quiet import is_quiet
from chainrule.eager.saved import Packed
from chainrule.eager.specialise import F, function_of
from chainrule.eager.tensor import Parameter, Tensor, leaf, wrap
from chainrule.ops import strided

# Calls


def process_dual(self: Tensor, p: Primitive, operands: Sequence[Any], params: dict[str, Any]) -> Any:
    """Apply ``p`` to operands some of which have tangents."""
    if is_plain(p) and (parts := plain_parts(operands)) is not None:
        arrays, slopes, lane = parts
        try:
            raw, kept = p.keeping(*arrays, **params) if p.keeping else (p.raw(*arrays, **params), None)
            slope = rules.jvp(p, arrays, slopes, raw, params, kept)
        except tape.RECOVERABLE:
            pass  # what goes wrong is told on the general path
        else:
            return dual_of(raw, slope, slopes, lane)
    level = innermost(operands) if are_carried() else None
    if level is None or p.kind == NON_DIFFERENTIABLE:
        with stripped(operands, None):
            return dispatch(p, operands, params)
    if p.arity == 1 and p.kind == LINEAR and p.outputs == 1 and p.pushforward is None and type(self) is Tensor:
        return moved_along(self, p, level, params)
    tangents = [tangent_of(x, level) for x in operands]
    with stripped(operands, level):
        result = function_of(p)(*operands, **params)
        pushed = push(p, operands, tangents, result, params)
    for k, (part, tangent) in enumerate(zip(several(result), several(pushed), strict=True)):
        if tangent is not None and part.dtype.differentiable:
            slope = fitted(tangent, part)
            if p.moves not in tape.VIEWS:
                if is_seen(slope) or any(slope is other for other in tangents):
                    slope = F.copy(slope)  # it may be written to
                slope = laid_out(part, slope) if part.array.ndim > 1 else slope
            attach(part, level, slope)
            if k == 0:
                keep(part, level, operands, tangents)
    return result


def is_seen(tangent: Tensor) -> bool:
    """Whether a tangent is a view of another tensor."""
    return (tangent._bottom() if tangent.level else tangent).base is not None


def is_plain(p: Primitive) -> bool:
    """Whether the rules of ``p`` push plain arrays forward as they stand."""
    pushed = p.kind in (ELEMENTWISE, LINEAR, MULTILINEAR) or p.keeping is not None
    return pushed and p.outputs == 1 and not p.moves and not p.retypes


def plain_parts(operands: Sequence[Any]) -> tuple[list[np.ndarray], list[np.ndarray | None], DualLane] | None:
    """The arrays of the operands, those of their tangents, and the lane of one that has a tangent.

    None unless these are all there is: nothing to record, no other level, one plain dtype.
    """
    mode = modes.state()
    if mode is not None and mode is not modes.NO_GRAD:
        return None
    common: Any = None
    dual: Any = None
    numbers = []
    arrays: list[Any] = []
    slopes: list[Any] = []
    for x in operands:
        slope = None
        if type(x) is Tensor or type(x) is Parameter:
            lane: Any = x.lane
            if mode is None and (x.leaf or x.node is not None):
                return None
            if lane.dual:
                t = lane.tangent
                if t.lane is not lane.under or (mode is None and (t.leaf or t.node is not None)):
                    return None
                if dual is None:
                    dual = lane
                if lane.level is not dual.level:
                    return None
                lane, slope = lane.under, t.array
            if (common is not None and lane is not common) or not lane.plain:
                return None
            common = lane
            arrays.append(x.array)
        elif type(x) is float or type(x) is int:
            numbers.append(len(arrays))
            arrays.append(x)
        else:
            return None
        slopes.append(slope)
    if dual is None or not dual.level.alive:
        return None
    for k in numbers:
        arrays[k] = remembered(common, arrays[k])
    return arrays, slopes, dual


def dual_of(raw: Any, slope: Any, slopes: Sequence[Any], like: DualLane) -> Tensor:
    """A tensor of these values, with this tangent in memory of its own where there is one; ``like``: an operand's lane."""
    t = wrapped(raw, like.under)
    if slope is not None:
        tangent = fitted(wrapped(slope, like.under), t)
        for other in slopes:
            if tangent.array is other or tangent.array.base is not None:
                tangent = wrap(tangent.array.copy())
        t.lane = DualLane(like.level, tangent, t.lane)
    return t


def wrapped(raw: Any, lane: Lane) -> Tensor:
    """A result as a tensor; ``lane`` is most likely its own."""
    return leaf(raw, lane) if type(raw) is np.ndarray and raw.dtype is lane.numpy else wrap(np.asarray(raw))


def moved_along(x: Tensor, p: Primitive, level: Level, params: dict[str, Any]) -> Any:
    """A linear function of one tensor: that of its values, and that of its tangent."""
    fun, lane = function_of(p), x.lane
    tangent = tangent_of(x, level)
    x.lane = without(lane, level)
    try:
        result = fun(x, **params)
    finally:
        x.lane = lane
    if result.dtype.differentiable:
        attach(result, level, fitted(fun(tangent, **params), result))
        if result.node is not None:
            keep(result, level, (x,), (tangent,))
    return result


def several(result: Any) -> tuple[Any, ...]:
    """The results of a call, as a tuple."""
    return tuple(result) if isinstance(result, (tuple, list)) else (result,)


def push(p: Primitive, operands: Sequence[Any], tangents: Sequence[Any], result: Any, params: dict[str, Any]) -> Any:
    """The tangents of the results, given those of the operands."""
    common = tape.common_dtype(p, operands)
    live = [i for i, t in enumerate(tangents) if t is not None and (p.differentiates(i) or p.kind == ZERO_DERIVATIVE)]
    if not live:
        return tuple(None for _ in several(result))
    moved: list[Any] = [None] * len(tangents)
    for i in live:
        t: Any = tangents[i]
        moved[i] = t if common is None or t.dtype is common or not p.promotes(i) else t.cast(tangent_dtype(t, common))
    if common is not None:
        operands = [
            x if (isinstance(x, Tensor) and x.dtype is common) or not p.promotes(i) else brought(x, common)
            for i, x in enumerate(operands)
        ]
    with nullcontext() if is_quiet() else np.errstate(all="ignore"):
        if p.kind == LINEAR and p.pushforward is None:  # as `rules.jvp` has it, without a detour
            return function_of(p)(*(rules.moved(p, i, t, operands[i]) for i, t in enumerate(moved)), **params)
        return rules.jvp(p, operands, moved, result, params)


def tangent_dtype(t: Tensor, common: Any) -> Any:
    """What a tangent is cast to beside primals of the dtype ``common``."""
    return common if common.differentiable else t.dtype


def brought(x: Any, common: Any) -> Any:
    """An operand in the common dtype, as an array or tensor."""
    if isinstance(x, Tensor):
        return x.cast(common) if x.dtype is not common else x
    return tape.raw_operand(x, common) if x is not None else None


def fitted(tangent: Any, primal: Tensor) -> Tensor:
    """A tangent as a tensor of the shape and dtype of its primal."""
    t: Any = tangent if isinstance(tangent, Tensor) else wrap(np.asarray(tangent))
    if t.array.shape != primal.array.shape:
        t = F.broadcast_to(t, primal.array.shape)
    return t if t.dtype is primal.dtype else t.cast(primal.dtype)  # type: ignore[no-any-return]


# What the tape saves


class DualForm:
    """The form of a recorded call whose operands or result had tangents: its rule meets them again."""

    __slots__ = ("inner", "level", "result", "tangents")

    def __init__(self, inner: Any, level: Level, tangents: Sequence[Tensor | None], result: Tensor | None) -> None:
        self.inner = inner
        self.level = level
        self.tangents = tangents
        self.result = result

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    @property
    def spent(self) -> Any:
        return self.inner.spent

    def pull(self, node: Node, g: Any) -> Any:
        return self.inner.pull(self.carrying(node) if self.level.alive else node, g)

    def revive(self, node: Node, origin: Node | None = None) -> Node:
        """The inner form's node with tensors for what was saved, with their tangents."""
        revived = self.inner.revive(node) if origin is None else self.inner.revive(node, origin)
        return self.carrying(revived) if self.level.alive else revived

    def carrying(self, node: Node) -> Node:
        """A copy of ``node`` in the inner form, what it saved having its tangents."""
        saved = self.inner.saved(node)
        operands = tuple(self._with(x, t) for x, t in zip(saved, (*self.tangents, *[None] * len(saved)), strict=False))
        out = self._with(node.out, self.result) if not isinstance(node.out, tuple) else node.out
        copy: Node = self.inner.with_saved(node, operands, out)
        copy.form = node.form if node.form is not self else self.inner
        return copy

    def _with(self, x: Any, tangent: Tensor | None) -> Any:
        if tangent is not None and type(x) is Packed:
            x = x.array()
        if tangent is None or not isinstance(x, (Tensor, np.ndarray)):
            return x
        if isinstance(x, Tensor):
            alias = wrap(x.array, tape.alias_node(x) if x.leaf else x.node)
            alias.lane = x.lane
            return attach(alias, self.level, tangent)
        return attach(wrap(x), self.level, tangent)


def keep(result: Tensor, level: Level, operands: Sequence[Any], tangents: Sequence[Tensor | None]) -> None:
    """Let the node of a call remember the tangents of what it saved."""
    edge = result.node
    node = edge.node if type(edge) is Port else edge
    if type(node) is Node:
        shown = tangent_of(result, level) if type(edge) is Node and node.out is not None else None
        node.form = DualForm(node.form, level, tuple(tangents), shown)


# Writes in place


def everything(t: Tensor) -> list[Tensor]:
    """The tensors that hold the values of ``t``, of its tangents, and of theirs."""
    held = t._bottom()
    return [held, *(other for tangent in tangents(held) for other in everything(tangent))]


def keep_tangents(node: Node, at_risk: Callable[[np.ndarray], bool]) -> None:
    """Let ``node`` hold copies of those tangents that are about to be overwritten."""
    form = node.form
    while type(form) is DualForm:
        form.tangents = tuple(
            F.copy(x) if x is not None and any(at_risk(part.array) for part in everything(x)) else x for x in form.tangents
        )
        form = form.inner


def written(t: Tensor, result: Tensor) -> None:
    """After the values of ``result`` were stored in ``t``: store its tangents too, zeros where it has none."""
    for level in active_levels((t, result)):
        tangent = tangent_of(result, level)
        store(t, level, tangent if tangent is not None else wrap(np.zeros((), t.array.dtype)))


def assigned(p: Primitive, operands: Sequence[Any], params: dict[str, Any]) -> list[tuple[Level, Tensor]]:
    """The tangents that the first operand is to have when it holds what ``p`` gives of all."""
    found = []
    for level in active_levels(operands):
        tangents = [tangent_of(x, level) for x in operands]
        with stripped(operands, level):
            pushed = push(p, operands, tangents, operands[0], params)
        found.append((level, fitted(pushed, operands[0])))
    return found


def store(t: Tensor, level: Level, value: Tensor) -> None:
    """Let ``t``, and through its base its other views, have ``value`` for tangent from now on."""
    have = tangent_of(t, level)
    if have is None or value.level > have.level:
        have = with_room(t, level, value)
    held = have._bottom()
    base = views.base_of(held)
    remember(held if base is None else base)  # tangents belong to derivatives: only writes to primals are of interest there
    have.copy_(value)


def with_room(t: Tensor, level: Level, value: Tensor) -> Any:
    """A tangent of ``t`` that ``value`` can be stored in; its base and all views get theirs of the same memory."""
    base = views.base_of(t)
    root = t if base is None else base
    have = tangent_of(root, level)
    whole = value._for_each(wrap(zeros_laid_like(root.array)) if have is None else have)
    attach(root, level, whole)
    for _, view in list(views.live(root)):
        array, shown = root.array, whole
        if view.dtype is not root.dtype:  # the real numbers that complex ones consist of, or the other way
            retype = strided.view_as_complex if view.dtype.is_complex else strided.view_as_real
            array, shown = retype.raw(array), getattr(F, retype.__name__)(whole)
        window = views.window_of(view.array, array)
        if window is not None:
            seen = F.as_strided(shown, window=window)
            if view.array.size and not np.may_share_memory(seen._bottom().array, whole._bottom().array):
                raise NotImplementedError("a tangent that differs from sample to sample, of a view of memory in another order")
            attach(view, level, seen)
    return tangent_of(t, level)


def zeros_laid_like(array: np.ndarray) -> np.ndarray:
    """Zeros in memory of their own, laid out as ``array`` is, gaps included."""
    if array.flags.forc:
        return np.zeros_like(array)
    reach = [step * (n - 1) for n, step in zip(array.shape, array.strides, strict=True)]
    start = -sum(min(far, 0) for far in reach)
    memory = np.zeros((start + sum(max(far, 0) for far in reach)) // array.itemsize + 1, array.dtype)
    return np.ndarray(array.shape, array.dtype, memory, start, array.strides)


Tensor._process_dual = process_dual  # type: ignore[method-assign]
