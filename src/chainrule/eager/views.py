"""Views: tensors on the memory of another one, its base.

A write through any of them changes the values of all, so it has to give all of them a new history. A base knows its
views weakly, by `Views` in its slot ``base``; a view holds its base there. What torch forbids to write to after the
fact is known by the kind of the reference.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from typing import Any, Final
from weakref import ref

import numpy as np

from chainrule.core.primitive import CUSTOM
from chainrule.core.sweep import Port
from chainrule.eager.lane import BEHIND_LANES, STALE_LANES
from chainrule.eager.tensor import Tensor, edge_of
from chainrule.errors import Refusal
from chainrule.ops.strided import Window


class Unrecorded(ref):  # type: ignore[type-arg]
    """A view made under `no_grad`."""

    __slots__ = ()
    where = "no_grad mode"
    how = "modified inplace with grad mode enabled."
    advice = (
        " Given that this use case is ambiguous and error-prone, it is forbidden. You can clarify your code by moving both "
        "the view and the inplace either both inside the no_grad block (if you don't want the inplace to be tracked) or "
        "both outside (if you want the inplace to be tracked)."
    )


class Inferred(ref):  # type: ignore[type-arg]
    """A view made under `inference_mode`."""

    __slots__ = ()
    where = "inference mode"
    how = "modified inplace in normal mode."
    advice = Unrecorded.advice.replace("no_grad", "inference_mode")


class Several(ref):  # type: ignore[type-arg]
    """A view that came with others out of one call."""

    __slots__ = ()
    advice = (
        " This view is the output of a function that returns multiple views. Such functions do not allow the output views "
        "to be modified inplace. You should replace the inplace operation by an out-of-place one."
    )


class Custom(ref):  # type: ignore[type-arg]
    """A view that a custom Function returned."""

    __slots__ = ()
    advice = (
        " This view was created inside a custom Function (or because an input was returned as-is) and the autograd logic to "
        "handle view+inplace would override the custom backward associated with the custom Function, leading to incorrect "
        "gradients. This behavior is forbidden. You can fix this by cloning the output of the custom Function."
    )


class Views(list):  # type: ignore[type-arg]
    """References to the views of one base, the dead ones swept out now and then."""

    __slots__ = ("limit", "mixed")

    def __init__(self) -> None:
        self.limit = 32
        self.mixed = False  # whether there may be views of other kinds than the plain one


_lock: Final = threading.RLock()  # held where more is done to `Views` than to append to them


def views_of(base: Tensor) -> Views:
    """The registry of ``base``, made if there is none."""
    with _lock:
        if base.base is None:
            base.base = Views()
        return base.base  # type: ignore[no-any-return]


def prune(views: Views) -> None:
    """Forget the views that are gone."""
    with _lock:
        n = len(views)  # what other threads append meanwhile stays
        views[:n] = [r for r in views[:n] if r() is not None]
        views.limit = 2 * len(views) + 32


PLAIN: Final = ref


def base_of(t: Tensor) -> Tensor | None:
    """The tensor whose memory ``t`` is a view of, or None."""
    base = t.base
    return None if base is None or type(base) is Views else base


def is_view(t: Tensor) -> bool:
    """Whether ``t`` is a view."""
    return base_of(t) is not None


def link(t: Tensor, input: Tensor, kind: Any = ref) -> None:
    """Make ``t`` known as a view of ``input``: by the kind of input's own reference, if that is not the plain one."""
    base = base_of(input)
    if base is None:
        base = input
        views = views_of(base)
    else:
        views = base.base
        if kind is ref and views.mixed:
            kind = kind_of(input, base)
    t.base = base
    t.uncounted = input.uncounted
    if kind is not ref:
        views.mixed = True
    views.append(kind(t))
    if len(views) > views.limit:
        prune(views)


def enter(views: Views, t: Tensor, input: Tensor, mode: Any) -> None:
    """What `link` does for a view made without recording, or where not all views are plain ones."""
    kind = ref if mode is None else Unrecorded
    if kind is ref and input.base is not views:
        kind = kind_of(input, t.base)
    if kind is not ref:
        views.mixed = True
    views.append(kind(t))


def unlink(t: Tensor) -> None:
    """Let ``t``, whose memory is about to be other memory, have nothing to do with the views of its old one."""
    base = base_of(t)
    if base is not None:
        edge_of(t)
        with _lock:
            n = len(base.base)
            base.base[:n] = [r for r in base.base[:n] if r() is not t]
    else:
        for _, view in live(t):
            edge_of(view)
            view.base = None
    t.base = None


def set_kind(view: Tensor, base: Tensor, kind: Any) -> None:
    """Make ``view`` known to its base as one of this kind."""
    with _lock:
        n = len(base.base)
        base.base.mixed = True
        base.base[:n] = [kind(view) if r() is view else r for r in base.base[:n]]


def kind_of(view: Tensor, base: Tensor) -> Any:
    """What kind of view of ``base`` this is: a class of references."""
    for r in base.base:
        if r() is view:
            return type(r)
    return ref


def live(base: Tensor) -> Iterator[tuple[Any, Tensor]]:
    """The views of ``base`` that still are, each with its kind."""
    if type(base.base) is Views:
        for r in list(base.base):
            view = r()
            if view is not None:
                yield type(r), view


def window_of(view: np.ndarray, base: np.ndarray) -> Window | None:
    """Where ``view`` lies in the memory of ``base``, of the same dtype; None if it does not."""
    size = base.itemsize
    start = view.__array_interface__["data"][0] - base.__array_interface__["data"][0]
    if start % size or (not np.may_share_memory(view, base) and view.size):
        return None
    strides = tuple(step // size for step in view.strides)
    return Window(view.shape, strides, start // size, tuple(step // size for step in base.strides))


def check_kind(kind: Any, view: Tensor, indirect: bool) -> None:
    """Refuse to write to a view of this kind (``indirect``: to use it, its base having been written to)."""
    if kind is ref:
        return
    done = "its base or another view of its base has been" if indirect else "is being"
    edge_of(view)  # its node is to be the present one
    node, number = (view.node.node, view.node.index) if type(view.node) is Port else (view.node, 0)
    output = "" if node is None else f"Output {number} of {operation_name(node)} is a view "
    if node is None or kind in (Unrecorded, Inferred):
        origin = kind if kind in (Unrecorded, Inferred) else Unrecorded
        made = f"{output}of a view which was created in" if output else "A view was created in"
        raise Refusal(f"{made} {origin.where} and {done} {origin.how}{kind.advice}")
    raise Refusal(f"{output}and {done} modified inplace.{kind.advice}")


def operation_name(node: Any) -> str:
    """The name of a node without what says that it is a backward."""
    return re.sub(r"Backward\d*$", "", node.name())


def make_stale(view: Tensor) -> None:
    """From now on using ``view`` where something is recorded is refused: its lane sends every call past `check_stale`."""
    view.lane = STALE_LANES[view.lane.numpy]


class Behind:
    """What stands for the node of a view whose base was written to, until `edge_of` asks for it."""

    __slots__ = ()


BEHIND: Final = Behind()


def fall_behind(view: Tensor) -> None:
    """The history of ``view`` is no longer what it was: it is found out when it is needed."""
    view.node = BEHIND
    view.lane = BEHIND_LANES[view.lane.numpy]


def check_all(operands: Any) -> None:
    """`check_stale` for every tensor among the operands."""
    for x in operands:
        if isinstance(x, Tensor):
            check_stale(x)


def inherited_kind(view: Tensor, base: Tensor, kind: Any, until: Any = None) -> Any:
    """The kind of a view, ``kind`` or that of the views it was made through (``until`` is the node of the base itself)."""
    edge_of(view)
    at = view.node
    while kind is ref and at is not None and at is not (until or base.node):
        if type(at) is Port:
            primitive = at.node.form.primitive
            return ref if not primitive.moves else Custom if primitive.variadic else Several
        if isinstance(at, Tensor):
            return kind_of(at, base) if base_of(at) is base else ref
        if at.form.primitive.kind == CUSTOM:
            return Custom
        if at.form.primitive.moves not in ("view", "maybe view"):
            return ref
        at = at.form.edges(at)[0]
    return kind


def written(t: Tensor) -> None:
    """After a write to ``t`` that was not recorded: those views of its base that torch cannot give a history are refused."""
    base = t if type(t.base) is Views else base_of(t)
    if base is not None and base.requires_grad:
        for kind, view in live(base):
            if kind is not ref:
                make_stale(view)


def check_stale(t: Tensor) -> None:
    """Refuse the use of a view that cannot be given the history of its rewritten base."""
    base = base_of(t)
    if base is not None and t.lane.stale:
        check_kind(kind_of(t, base), t, indirect=True)
