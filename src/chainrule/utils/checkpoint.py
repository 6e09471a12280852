"""torch.utils.checkpoint: memory for time. What a function saves is thrown away, and computed again when it is needed.

Without reentrance (the better way) hooks on saved tensors do it: what would be saved is counted, and the first value
that the backward pass asks for runs the function once more, which saves the same values in the same order. The
reentrant way is a custom `Function` whose backward runs the function on the tape and sweeps that.
"""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from typing import Any, Final

from chainrule.core.rules import next_seq
from chainrule.eager import engine, modes, tasks
from chainrule.eager.custom import Function
from chainrule.eager.generator import default_generator
from chainrule.eager.notice import notice
from chainrule.eager.saved import Packed, saved_tensors_hooks
from chainrule.eager.tensor import Tensor, edge_of, wrap
from chainrule.eager.writes import check_since, output_of
from chainrule.errors import missing

__all__ = ["CheckpointError", "checkpoint", "checkpoint_sequential", "set_checkpoint_early_stop"]


def __getattr__(name: str) -> Any:
    raise missing(__name__, name, __all__)


class CheckpointError(RuntimeError):
    """A function that did not do the same when it was run again."""


Contexts = tuple[AbstractContextManager[Any], AbstractContextManager[Any]]


def noop_context_fn() -> Contexts:
    """No contexts around the two runs."""
    return nullcontext(), nullcontext()


def checkpoint(
    function: Callable[..., Any],
    *args: Any,
    use_reentrant: bool | None = None,
    context_fn: Callable[[], Contexts] = noop_context_fn,
    determinism_check: str = "default",
    debug: bool = False,
    early_stop: bool = True,
    preserve_rng_state: bool = True,
    **kwargs: Any,
) -> Any:
    """``function(*args)``, saving nothing but its arguments; it is run again in the backward pass.

    ``use_reentrant=False`` is the way that works with everything. Random numbers are the same in both runs, with
    ``preserve_rng_state``. Raises CheckpointError if the second run saves other tensors than the first.

    >>> import chainrule as cr
    >>> x = cr.ones(3, requires_grad=True)
    >>> checkpoint(lambda x: x.exp().sin(), x, use_reentrant=False).sum().backward()
    >>> x.grad
    tensor([-2.4784, -2.4784, -2.4784])
    """
    if use_reentrant is None:
        notice(NOT_SAID)
        use_reentrant = True
    if not use_reentrant:
        if determinism_check not in ("default", "none"):
            raise ValueError(f"determinism_check should be one of ['default', 'none'], but got {determinism_check}")
        if not modes.is_grad_enabled():
            return function(*args, **kwargs)
        first, second = context_fn()
        frame = Frame(function, args, kwargs, second, early_stop and _early_stop.get(), preserve_rng_state, determinism_check)
        with frame.hooks(), first:
            out = function(*args, **kwargs)
        frame.completed = True
        return out
    if kwargs:
        raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))
    if context_fn is not noop_context_fn or debug:
        raise ValueError("Passing `context_fn` or `debug` is only supported when use_reentrant=False.")
    if not any(isinstance(x, Tensor) and x.requires_grad for x in args):
        notice("None of the inputs have requires_grad=True. Gradients will be None")
    return CheckpointFunction.apply(function, preserve_rng_state, *args)


NOT_SAID: Final = (
    "torch.utils.checkpoint: the use_reentrant parameter should be passed explicitly. Starting in PyTorch 2.9, calling "
    "checkpoint without use_reentrant will raise an exception. use_reentrant=False is recommended, but if you need to "
    "preserve the current default behavior, you can pass use_reentrant=True. Refer to docs for more details on the "
    "differences between the two variants."
)


def checkpoint_sequential(
    functions: Any, segments: int, input: Any, use_reentrant: bool | None = None, preserve_rng_state: bool = True
) -> Any:
    """A sequence of functions in ``segments``, all but the last of them checkpointed."""
    chain: Sequence[Callable[[Any], Any]] = list(functions)

    def part(start: int, end: int) -> Callable[[Any], Any]:
        def run(x: Any) -> Any:
            for fun in chain[start:end]:
                x = fun(x)
            return x

        return run

    size = len(chain) // segments
    for k in range(segments - 1):
        input = checkpoint(
            part(k * size, (k + 1) * size), input, use_reentrant=use_reentrant, preserve_rng_state=preserve_rng_state
        )
    return part(size * (segments - 1), len(chain))(input)


_early_stop: ContextVar[bool] = ContextVar("chainrule_early_stop", default=True)


@contextlib.contextmanager
def set_checkpoint_early_stop(enable: bool) -> Iterator[None]:
    """Whether, inside, a second run stops as soon as all that is needed has been computed."""
    before = _early_stop.get()
    _early_stop.set(enable)
    try:
        yield
    finally:
        _early_stop.set(before)


# Without reentrance


class Stop(Exception):
    """Everything that was saved the first time has been saved again."""


class Holder:
    """What stands on the tape for a saved tensor: its number."""

    __slots__ = ("__weakref__", "frame", "like", "number")

    def __init__(self, frame: Frame, number: int, like: tuple[Any, ...]) -> None:
        self.frame = frame
        self.number = number
        self.like = like


class Frame:
    """One checkpointed call."""

    def __init__(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any],
                 context: AbstractContextManager[Any], early_stop: bool, preserve: bool, check: str) -> None:  # fmt: skip
        self.function = function
        self.inputs = [Input(x) for x in args]
        self.named = {name: Input(x) for name, x in kwargs.items()}
        self.context = context
        self.early_stop = early_stop
        self.random = default_generator.get_state() if preserve else None
        self.check = check
        self.completed = False  # whether the first run has come to its end: it may hold backward passes of its own
        self.holders: list[weakref.ref[Holder]] = []
        self.count_again = 0  # how many tensors the last run saved
        self.found: weakref.WeakKeyDictionary[Any, dict[int, Tensor]] = weakref.WeakKeyDictionary()  # by backward pass

    def hooks(self) -> saved_tensors_hooks:
        """What counts the tensors saved in the first run."""
        return saved_tensors_hooks(self.count, lambda holder: holder.frame.restore(holder))

    def count(self, t: Tensor) -> Holder:
        holder = Holder(self, len(self.holders), (t.shape, t.dtype))
        self.holders.append(weakref.ref(holder))
        return holder

    def restore(self, holder: Holder) -> Tensor:
        """The saved tensor, computed again if this pass has not done so; each can be had once in a pass."""
        task = tasks.present()
        found = None if task is None else self.found.get(task)
        if found is None:
            found = self.run_again()
            if task is not None:
                self.found[task] = found
        if holder.number not in found:
            if holder.number < self.count_again:
                raise CheckpointError(UNPACKED)
            raise CheckpointError(
                "torch.utils.checkpoint: A different number of tensors was saved during the original forward and "
                f"recomputation.\nNumber of tensors saved during forward: {len(self.holders)}\nNumber of tensors saved during "
                f"recomputation: {self.count_again}."
            )
        return found.pop(holder.number)

    def run_again(self) -> dict[int, Tensor]:
        """Run the function once more, and return what it saves, by number."""
        found: dict[int, Tensor] = {}
        counted = [0]

        def keep(t: Tensor) -> Tensor:
            number = counted[0]
            counted[0] += 1
            if number >= len(self.holders) and not self.completed:
                return t  # what the rest of the first run is still going to save
            if number >= len(self.holders):
                raise CheckpointError(
                    "torch.utils.checkpoint: trying to save more tensors during recomputation than during the original "
                    "forward pass."
                )
            found[number] = t
            if self.early_stop and counted[0] == len(self.holders):
                raise Stop
            return t

        random = default_generator.get_state() if self.random is not None else None
        try:
            if self.random is not None:
                default_generator.set_state(self.random)
            with contextlib.suppress(Stop), modes.enable_grad(), saved_tensors_hooks(keep, lambda t: t), self.context:
                self.function(*(x.value() for x in self.inputs), **{name: x.value() for name, x in self.named.items()})
        finally:
            if random is not None:
                default_generator.set_state(random)
        self.count_again = counted[0]
        if self.completed:
            self.compare(found)
        return found

    def compare(self, found: dict[int, Tensor]) -> None:
        """CheckpointError unless what was saved again is like what was saved the first time."""
        if self.check == "none":
            return
        wrong = []
        for number, reference in enumerate(self.holders):
            holder = reference()
            if holder is not None and number in found:
                like = (found[number].shape, found[number].dtype)
                if like != holder.like:
                    wrong.append(f"tensor at position {number}:\nsaved metadata: {holder.like}\nrecomputed metadata: {like}\n")
        if wrong:
            raise CheckpointError(
                "torch.utils.checkpoint: Recomputed values for the following tensors have different metadata than during the "
                f"forward pass.\n{''.join(wrong)}"
            )


UNPACKED: Final = (
    "torch.utils.checkpoint: Unpack is being triggered for a tensor that was already unpacked once. If you are calling "
    "ctx.saved_tensors in backward, make sure to do so only once. Otherwise please open an issue with details on your use "
    "case."
)


class Input:
    """An argument: tensors go through the hooks around the call, as everything does that is saved."""

    __slots__ = ("packed", "since", "x")

    def __init__(self, x: Any) -> None:
        saving = modes.present().saving
        kept = saving and isinstance(x, Tensor)
        self.packed = Packed(saving[-1].pack, saving[-1].unpack, x.array) if kept else None
        self.x = x if self.packed is None else (x.requires_grad,)
        self.since = next_seq()

    def value(self) -> Any:
        """The argument for the second run."""
        if self.packed is None:
            x = self.x
            if isinstance(x, Tensor):
                check_since(self.since, x.array, "checkpoint()", output_of(edge_of(x)))
            if not isinstance(x, Tensor) or x.node is None:
                return x
            t = x.detach()
            t.leaf = x.requires_grad
            return t
        t = wrap(self.packed.array())
        t.leaf = self.x[0]
        return t


# The reentrant way


class CheckpointFunction(Function):
    """A call whose backward runs it again, on the tape."""

    @staticmethod
    def forward(ctx: Any, function: Callable[..., Any], preserve: bool, *args: Any) -> Any:
        ctx.function = function
        ctx.random = default_generator.get_state() if preserve else None
        ctx.places = [k for k, x in enumerate(args) if isinstance(x, Tensor)]
        ctx.inputs = [None if isinstance(x, Tensor) else x for x in args]
        ctx.save_for_backward(*(args[k] for k in ctx.places))
        return function(*args)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        task = tasks.present()
        if task is not None and task.to_inputs:
            raise RuntimeError(
                "When use_reentrant=True, torch.utils.checkpoint is incompatible with .grad() or passing an `inputs` "
                "parameter to .backward(). To resolve this error, you can either set use_reentrant=False, or call "
                ".backward() without "
                "passing the `inputs` argument."
            )
        inputs = list(ctx.inputs)
        for k, t in zip(ctx.places, ctx.saved_tensors, strict=True):
            inputs[k] = t.detach().requires_grad_(t.requires_grad)
        random = default_generator.get_state() if ctx.random is not None else None
        try:
            if ctx.random is not None:
                default_generator.set_state(ctx.random)
            with modes.enable_grad():
                outputs = ctx.function(*inputs)
        finally:
            if random is not None:
                default_generator.set_state(random)
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        pairs = [(y, g) for y, g in zip(outputs, grads, strict=True) if isinstance(y, Tensor) and y.requires_grad]
        if not pairs:
            raise RuntimeError("none of output has requires_grad=True, this checkpoint() is not necessary")
        engine.backward([y for y, _ in pairs], [g for _, g in pairs])
        return (None, None, *(x._grad if isinstance(x, Tensor) else None for x in inputs))
