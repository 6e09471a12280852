"""mxnet.autograd: calls are recorded where that is asked for, inside `record`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple
from weakref import WeakSet

from chainrule.eager import creation, engine
from chainrule.errors import GraphError, missing

__all__ = ["backward", "grad", "is_recording", "is_training", "pause", "predict_mode", "record", "train_mode"]


def __getattr__(name: str) -> Any:
    raise missing(__name__, name, __all__)


class State(NamedTuple):
    """Whether calls are recorded, and whether layers behave as in training."""

    recording: bool = False
    training: bool = False


_OFF = State()
_state: ContextVar[State] = ContextVar("chainrule_mxnet", default=_OFF)
attached: WeakSet[Any] = WeakSet()  # the arrays with a gradient attached


@contextmanager
def _within(recording: bool | None, training: bool | None) -> Iterator[None]:
    outer = _state.get()
    _state.set(State(outer.recording if recording is None else recording, outer.training if training is None else training))
    try:
        yield
    finally:
        _state.set(outer)


def record(train_mode: bool = True) -> Any:
    """Calls inside are recorded.

    >>> from chainrule.mxnet import nd
    >>> x = nd.arange(4)
    >>> x.attach_grad()
    >>> with record():
    ...     y = 2 * nd.dot(x, x)
    >>> y.backward()
    >>> x.grad
    <BLANKLINE>
    [ 0.  4.  8. 12.]
    <NDArray 4 @cpu(0)>
    """
    return _within(True, train_mode)


def pause(train_mode: bool = False) -> Any:
    """Calls inside are not recorded."""
    return _within(False, train_mode)


def train_mode() -> Any:
    """Layers inside behave as in training."""
    return _within(None, True)


def predict_mode() -> Any:
    """Layers inside behave as in prediction."""
    return _within(None, False)


def is_recording() -> bool:
    """Whether calls are recorded here."""
    return _state.get().recording


def is_training() -> bool:
    """Whether layers behave as in training here."""
    return _state.get().training


NOT_RECORDED = (
    "Cannot differentiate node because it is not in a computational graph. You need to set is_recording to true or use "
    "autograd.record() to save computational graphs for backward."
)


def _roots(heads: Any, head_grads: Any) -> tuple[list[Any], list[Any]]:
    """The tensors to start from and their cotangents: ones, where none are given."""
    outputs = list(heads) if isinstance(heads, Sequence) else [heads]
    given = list(head_grads) if isinstance(head_grads, Sequence) else [head_grads] * len(outputs)
    for y in outputs:
        if not y.tensor.requires_grad:
            raise GraphError(NOT_RECORDED)
    seeds = [creation.ones_like(y.tensor) if g is None else g.tensor for y, g in zip(outputs, given, strict=True)]
    return [y.tensor for y in outputs], seeds


def backward(heads: Any, head_grads: Any = None, retain_graph: bool = False, train_mode: bool = True) -> None:
    """Compute the gradients of ``heads``, into the arrays attached by ``attach_grad``: written, or added for "add"."""
    outputs, seeds = _roots(heads, head_grads)
    before = {x: x.tensor._grad for x in attached}
    for x in before:
        x.tensor._grad = None
    try:
        engine.backward(outputs, seeds, retain_graph)
    finally:
        for x, old in before.items():
            new = x.tensor._grad
            if new is None:
                x.tensor._grad = old
            elif x.grad_req == "add" and old is not None:
                x.tensor._grad = old + new


def grad(heads: Any, variables: Any, head_grads: Any = None, retain_graph: bool | None = None, create_graph: bool = False,
         train_mode: bool = True) -> Any:  # fmt: skip
    """The gradients of ``heads`` by ``variables``; none are stored."""
    outputs, seeds = _roots(heads, head_grads)
    several = isinstance(variables, Sequence)
    xs = list(variables) if several else [variables]
    found = engine.grad(outputs, [x.tensor for x in xs], seeds, retain_graph, create_graph)
    arrays = [type(x)(g) for x, g in zip(xs, found, strict=True)]
    return arrays if several else arrays[0]
