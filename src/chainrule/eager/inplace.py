"""Writing in place: the values, and the history that the tensor, its base and all views of that have from then on."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from chainrule.core import rules
from chainrule.core.primitive import TABLE, Primitive
from chainrule.core.rules import next_seq
from chainrule.core.sweep import Node, Port
from chainrule.eager import duals, forward, levels, modes, tape, views, writes
from chainrule.eager.hooks import hooks_of_edge
from chainrule.eager.leaving import writes_to_argument
from chainrule.eager.modes import NO_GRAD
from chainrule.eager.tensor import LANES, Tensor, edge_of, wrap
from chainrule.eager.views import window_of
from chainrule.eager.writes import log_write
from chainrule.errors import ShapeError, broadcast_error, shape_text, type_name
from chainrule.ops import elementwise, strided
from chainrule.ops.strided import Window, distinct


def is_recorded(t: Tensor) -> bool:
    """Whether the values of ``t`` have a history that matters: its own, or that of the tensor it is a view of."""
    base = views.base_of(t)
    return t.requires_grad or (base is not None and base.requires_grad)


def check_writable(t: Tensor, recording: bool, whole: bool = True) -> None:
    """Raise what torch raises for a write to ``t``, ``recording`` being whether its history is to change."""
    if t.lane.inference and not modes.is_inference_mode_enabled():
        raise RuntimeError(
            "Inplace update to inference tensor outside InferenceMode is not allowed.You can make a clone to get a normal "
            "tensor before doing inplace update.See https://github.com/pytorch/rfcs/pull/17 for more details."
        )
    if recording:
        base = views.base_of(t)
        if base is not None:
            views.check_kind(views.inherited_kind(t, base, views.kind_of(t, base)), t, indirect=False)
            if base.leaf or (base.node is None and t.requires_grad):
                raise refused("a view of a leaf Variable that requires grad is being used in an in-place operation.")
        if t.leaf:
            raise refused("a leaf Variable that requires grad is being used in an in-place operation.")
    writes.about_to_write(t)
    array = t.array
    if not whole:
        return
    if (t.base is not None or not array.flags.writeable) and array.size and not distinct(array.shape, array.strides):
        raise RuntimeError(
            "unsupported operation: more than one element of the written-to tensor refers to a single memory location. "
            "Please clone() the tensor before performing the operation."
        )
    if not array.flags.writeable:
        raise RuntimeError("the memory of this tensor is read-only: clone() the tensor before writing to it.")


def refused(words: str) -> RuntimeError:
    """The error for a write to a leaf: in torch's words, or in a function of arrays in those for its argument."""
    return RuntimeError(writes_to_argument() if levels.differentiating.get() else words)


def replace_memory(t: Tensor, array: np.ndarray) -> None:
    """Let ``array`` be the memory of ``t``: for whoever saved the old one a write. Raises as torch for inference tensors."""
    check_writable(t, recording=False, whole=False)
    log_write(t)
    views.unlink(t)
    t.array = array


def operand(t: Tensor) -> Tensor:
    """What an in-place operation computes with: ``t``, or a copy where hooks are to keep what is about to be overwritten."""
    if not (modes.present().saving and t.node is not None):
        return t
    alias = wrap(t.array.copy(), edge_of(t))
    alias.lane = t.lane
    return alias


def check_dirty(t: Tensor) -> None:
    """Refuse an input that a custom Function wrote to and that may not have a new history."""
    base = views.base_of(t)
    if base is not None:
        views.check_kind(views.inherited_kind(t, base, views.kind_of(t, base)), t, indirect=False)
        if base.leaf:
            raise RuntimeError("a view of a leaf Variable that requires grad is being used in an in-place operation.")
    if t.leaf:
        raise RuntimeError("a leaf Variable that requires grad has been used in an in-place operation.")


def adopt(t: Tensor, result: Tensor, since: int | None = None) -> Tensor:
    """Store ``result`` in the memory of ``t`` and let its history be that of t; returns t.

    ``since`` is a number from before the computation of the result, where that took more than one call.
    """
    if t.level or result.level:
        return (t if t.level >= result.level else result)._store(t, result, since)
    recording = modes.is_grad_enabled() and (result.node is not None or result.leaf or is_recorded(t))
    check_writable(t, recording)
    if result.array.shape != t.array.shape:
        error = broadcast_error(t.array.shape, result.array.shape)
        if error is not None or np.broadcast_shapes(t.array.shape, result.array.shape) != t.array.shape:
            raise explained_broadcast(t.array.shape, result.array.shape)
    if result.dtype.category > t.dtype.category:
        raise RuntimeError(
            f"result type {type_name(result.dtype)} can't be cast to the desired output type {type_name(t.dtype)}"
        )
    result = result.cast(t.dtype)
    node = result.node
    dual = t.lane.dual or result.lane.dual
    if dual:
        made, at_risk = forward.everything(result), forward.everything(t)
        keep_original([x.node for x in made], [x.array for x in at_risk], getattr(node, "seq", 0) if since is None else since)
    elif type(node) is Node:
        keep_original([node], [t.array], node.seq if since is None else since)
    t.array[...] = result.array
    log_write(t)
    if recording:
        if type(node) is Node:
            if node.out is result.array:
                node.out = t.array
            if dual:
                renumber([x.node for x in made], getattr(node, "seq", 0) if since is None else since)
            else:
                node.seq = next_seq()
        rebase(t, zeroed(t) if node is None else node)
    elif t.base is not None:
        views.written(t)
    if dual:
        forward.written(t, result)
    return t


def assign(t: Tensor, p: Primitive, others: list[Any], params: dict[str, Any], store: Callable[[], None],
           key: Any = None) -> None:  # fmt: skip
    """Write to ``t`` by ``store`` what the linear primitive ``p`` gives of it and ``others``: no copy of t is made.

    ``key`` says where in t, if it is not all over.
    """
    edges = tuple(edge_of(x) if isinstance(x, Tensor) else None for x in others)
    recording = modes.is_grad_enabled() and (is_recorded(t) or any(e is not None for e in edges))
    check_writable(t, recording, whole=False)
    pushed = forward.assigned(p, [t, *others], params)
    store()
    log_write(t, key)
    if recording:
        raws = [x.array if isinstance(x, Tensor) else x for x in others]
        rebase(t, record(p, (edge_of(t), *edges), [t.array, *raws], t.array, params))
    elif t.base is not None:
        views.written(t)
    for level, tangent in pushed:
        forward.store(t, level, tangent)


def look_as(t: Tensor, seen: Tensor) -> Tensor:
    """Let ``t`` be what ``seen`` is, another look at the same memory; returns t."""
    recording = modes.is_grad_enabled() and is_recorded(t)
    check_writable(t, recording, whole=False)
    t.array = seen.array
    if seen.lane.dual:
        t.lane = seen.lane
    log_write(t)
    if recording:
        move_retained(t, seen.node)
        t.node = seen.node
    if t.base is not None:
        views.written(t)
    return t


def goes_unrecorded(t: Tensor, source: Tensor | None = None) -> bool:
    """Whether storing ``source`` (or a number) in ``t`` is nothing but storing it: no history, no tangents, no other dtype."""
    if not t.lane.native or (source is not None and source.lane is not t.lane):
        return False
    return not (modes.is_grad_enabled() and (is_recorded(t) or (source is not None and source.requires_grad)))


def store(t: Tensor, value: Any) -> Tensor:
    """Store ``value`` in ``t``, nothing being recorded; returns t."""
    check_writable(t, recording=False)
    t.array[...] = value
    log_write(t)
    if t.base is not None:
        views.written(t)
    return t


def zeroed(t: Tensor) -> Any:
    """The node of a write of values that do not depend on ``t`` or anything else: it stays recorded, with derivative 0."""
    return record(ZERO, (edge_of(t),), [t.array], t.array, {})


def rebase(t: Tensor, node: Any) -> None:
    """``node`` is now the history of the memory of ``t``: of t, of the tensor it is a view of, and of all its other views."""
    base = views.base_of(t)
    old = t.node if base is None else base.node
    if base is None:
        move_retained(t, node)
        base, t.node = t, node
    else:
        found = seen_as(base, t)
        if found is None:
            raise NotImplementedError(f"writing to a view with dtype {t.dtype} of a tensor with dtype {base.dtype}")
        array, edge, window = found
        inner = record(COPY_SLICES, (edge, node), [array, t.array], array, {"window": window})
        outer = (
            inner
            if array.dtype == base.array.dtype
            else record(RETYPED[base.dtype.is_complex], (inner,), [array], base.array, {})
        )
        move_retained(base, outer)
        base.node = outer
    for kind, view in list(views.live(base)):
        if view.lane.behind:
            continue
        if views.inherited_kind(view, base, kind, old) is not views.PLAIN:
            views.make_stale(view)
        elif retains(view) or view.lane.dual:
            history = history_of(view, base)
            move_retained(view, history)
            view.node = history
        else:
            views.fall_behind(view)


def record(p: Primitive, edges: tuple[Any, ...], operands: list[Any], out: Any, params: dict[str, Any]) -> Any:
    """The node of a call of ``p`` whose result is already there."""
    node = rules.record(tape.form_for(p, half=False), edges, operands, out, params, wrap).node
    mode = modes.state()
    if mode is not None:
        tape.tell(mode, node, [x if edge is None else wrap(x) for x, edge in zip(operands, edges, strict=True)])
    return node


def seen_as(base: Tensor, view: Tensor) -> tuple[np.ndarray, Any, Window] | None:
    """The base in the dtype of its view, the edge that leads to it, and where in it the view lies."""
    array, edge = base.array, base.node or (base if base.leaf else None)
    if base.dtype is not view.dtype:
        if not (base.dtype.differentiable and view.dtype.differentiable) or base.dtype.to_real() is not view.dtype.to_real():
            return None
        retype = RETYPED[view.dtype.is_complex]
        array = retype.raw(base.array)
        edge = None if edge is None else record(retype, (edge,), [base.array], array, {})
    window = window_of(view.array, array)
    return None if window is None else (array, edge, window)


def history_of(view: Tensor, base: Tensor) -> Any:
    """The node of a view whose base has been rewritten."""
    found = seen_as(base, view)
    if found is None:
        return None
    array, edge, window = found
    return record(AS_STRIDED, (edge,), [array], view.array, {"window": window})


def catch_up(view: Tensor) -> None:
    """Give a view whose base has been rewritten its history. Its tangents stay."""
    tangents = list(duals.layers(view))
    view.lane = LANES[view.array.dtype]
    for lane in reversed(tangents):
        duals.attach(view, lane.level, lane.tangent)
    base = views.base_of(view)
    if base is not None:
        view.node = history_of(view, base)


Tensor._catch_up = catch_up  # type: ignore[assignment]


def retains(t: Tensor) -> bool:
    """Whether ``t`` keeps its gradient, which is that of its present values, under its new history too."""
    hooks = getattr(t.node, "hooks", None)
    return hooks is not None and hooks.retained is not None and hooks.retained() is t


def move_retained(t: Tensor, node: Any) -> None:
    """Let a tensor that retains its gradient do so under its new history: it is the gradient of its present values."""
    if retains(t) and node is not None:
        t.node.hooks.retained = None
        hooks_of_edge(node).retained = weakref.ref(t)


ZERO: Final = TABLE[elementwise.zero]
AS_STRIDED, COPY_SLICES = TABLE[strided.as_strided], TABLE[strided.copy_slices]
RETYPED: Final = {False: TABLE[strided.view_as_real], True: TABLE[strided.view_as_complex]}  # by whether it makes complex


def keep_original(roots: list[Any], arrays: list[np.ndarray], since: int) -> None:
    """Let the nodes made since then, from these down, hold copies of what they saved of ``arrays``, written to next."""
    copies: dict[int, np.ndarray] = {}

    def at_risk(x: Any) -> bool:
        return type(x) is np.ndarray and any(np.may_share_memory(x, array) for array in arrays)

    def original(x: Any) -> Any:
        if not at_risk(x):
            return x
        if id(x) not in copies:
            copies[id(x)] = x.copy()
        return copies[id(x)]

    stack = list(roots)
    while stack:
        at = stack.pop()
        at = at.node if type(at) is Port else at
        if type(at) is not Node or at.seq < since:
            continue
        saved = at.form.saved(at)
        if any(map(at_risk, saved)):
            kept = at.form.with_saved(at, tuple(map(original, saved)), at.out)
            at.x, at.y = kept.x, kept.y
        forward.keep_tangents(at, at_risk)
        stack += at.form.edges(at)


def renumber(roots: list[Any], since: int) -> None:
    """Let the nodes made since then, from these down, be newer than the last write, in the order that they have."""
    found: dict[Node, None] = {}
    stack = list(roots)
    while stack:
        at = stack.pop()
        at = at.node if type(at) is Port else at
        if type(at) is Node and at.seq >= since and at not in found:
            found[at] = None
            stack += at.form.edges(at)
    for node in sorted(found, key=lambda node: node.seq):
        node.seq = next_seq()


def write(t: Tensor, ufunc: np.ufunc, y: Any) -> Tensor:
    """``ufunc(t, y)`` straight into the memory of ``t``; returns t."""
    if t.base is not None or not t.array.flags.writeable:
        check_writable(t, recording=False)
    try:
        ufunc(t.array, y, t.array)
    except RuntimeWarning:
        pass  # where warnings are errors it is raised after the last element was written
    except ValueError:
        raise explained_broadcast(t.array.shape, y.shape) from None
    log_write(t)
    if t.base is not None:
        views.written(t)
    return t


def unrecorded(t: Tensor, other: Any) -> bool:
    """Whether a write of ``other`` to ``t`` is nothing for the tape."""
    return (
        t.node is None
        and not t.leaf
        and t.base is None
        and (type(other) is float or not getattr(other, "requires_grad", False))
    )


def explained_broadcast(have: tuple[int, ...], other: tuple[int, ...]) -> ShapeError:
    """The error for a result of another shape than that of the tensor it was to be stored in."""
    error = broadcast_error(have, other)
    if error is not None:
        return error
    shape = np.broadcast_shapes(have, other)
    return ShapeError(f"output with shape {shape_text(have)} doesn't match the broadcast shape {shape_text(shape)}")


def is_number(t: Tensor) -> bool:
    """Whether ``t`` is a number to NumPy's users, which ``+=`` replaces: a tensor without axes in a function of arrays."""
    return t.array.ndim == 0 and levels.differentiating.get()


def ufunc_inplace(ufunc: np.ufunc, compute: Callable[[Any, Any], Any]) -> Callable[[Tensor, Any], Any]:
    """The in-place form of a binary ufunc; without recording it writes straight into the memory."""

    def method(self: Tensor, other: Any) -> Any:
        if is_number(self):
            return compute(self, other)
        if self.lane.plain and not writes.guards and (modes.state() is NO_GRAD or unrecorded(self, other)):
            y = other.array if isinstance(other, Tensor) and other.lane is self.lane else other
            x = self.array
            if type(y) is float or (type(y) is np.ndarray and y.dtype == x.dtype and y.ndim <= x.ndim):
                return write(self, ufunc, y)
        result = compute(operand(self), other)
        return result if result is NotImplemented else adopt(self, result)

    return method
