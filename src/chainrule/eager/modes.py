"""Whether calls are recorded: one ContextVar, right in threads and in coroutines.

It holds None (record: the usual state, cheapest to ask for) or an immutable `Mode`. Leaving a mode sets the
value found on entering; it never resets a token, so that generators and coroutines may interleave.
"""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Final, NamedTuple


class Mode(NamedTuple):
    """A state other than the usual one."""

    grad: bool
    inference: bool = False
    saving: tuple[Any, ...] = ()  # the pairs of hooks on saved tensors, innermost last
    anomaly: Any = None  # what detect_anomaly asks for
    unpacked: tuple[str, ...] = ()  # why hooks on saved tensors are not allowed, the innermost reason last
    tangents: bool = True  # whether calls carry on the tangents of their operands


USUAL: Final = Mode(grad=True)
NO_GRAD: Final = Mode(grad=False)
_mode: ContextVar[Mode | None] = ContextVar("chainrule_mode", default=None)
state: Final = _mode.get
enter: Final = _mode.set


def present() -> Mode:
    """The state here, spelled out."""
    return state() or USUAL


def changed(**fields: Any) -> Mode | None:
    """The state here with other ``fields``; the two usual ones as the objects that the fast functions know."""
    mode = present()._replace(**fields)
    return None if mode == USUAL else NO_GRAD if mode == NO_GRAD else mode


def is_grad_enabled() -> bool:
    """Whether calls are being recorded here."""
    mode = state()
    return mode is None or mode.grad


def is_inference_mode_enabled() -> bool:
    """Whether `inference_mode` is on here."""
    mode = state()
    return mode is not None and mode.inference


class _Context:
    """Common to the modes: a context manager, and a decorator of functions, generators and coroutines."""

    def _target(self) -> Mode | None:
        raise NotImplementedError

    def __enter__(self) -> None:
        self._outer = state()
        enter(self._target())

    def __exit__(self, *exc: object) -> None:
        enter(self._outer)

    def clone(self) -> _Context:
        return type(self)()

    def __call__(self, fun: Any) -> Any:
        if inspect.isclass(fun):
            warnings.warn(DECORATED_CLASS, FutureWarning, stacklevel=2)
            return _around_construction(self, fun)
        if inspect.isgeneratorfunction(fun):
            return functools.wraps(fun)(_around_generator(self, fun))
        if inspect.iscoroutinefunction(fun):

            async def wrapper_async(*args: Any, **kwargs: Any) -> Any:
                with self.clone():
                    return await fun(*args, **kwargs)

            return functools.wraps(fun)(wrapper_async)

        def wrapper(*args: Any, **kwargs: Any) -> Any:
            with self.clone():
                return fun(*args, **kwargs)

        return functools.wraps(fun)(wrapper)


DECORATED_CLASS: Final = (
    "Decorating classes is deprecated and will be disabled in future versions. You should only decorate functions or methods. "
    "To preserve the current behavior of class decoration, you can directly decorate the `__init__` method and nothing else."
)


def _around_construction(context: _Context, cls: type) -> Callable[..., Any]:
    """Enter the mode while an object of the class is made."""

    def construct(*args: Any, **kwargs: Any) -> Any:
        with context.clone():
            return cls(*args, **kwargs)

    return functools.wraps(cls)(construct)


def _around_generator(context: _Context, fun: Callable[..., Any]) -> Callable[..., Any]:
    """Enter the mode for each step of the generator only, so that its caller keeps his own between steps."""

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        generator = fun(*args, **kwargs)
        step, value = generator.send, None
        while True:
            with context.clone():
                try:
                    item = step(value)
                except StopIteration as stop:
                    return stop.value
            step = generator.send
            try:
                value = yield item
            except GeneratorExit:
                with context.clone():
                    generator.close()
                raise
            except BaseException as error:
                step, value = generator.throw, error

    return wrapper


class _Switch(_Context):
    """A mode without arguments, which torch also accepts as a decorator without parentheses."""

    def __new__(cls, fun: Callable[..., Any] | None = None) -> Any:
        context = super().__new__(cls)
        return context if fun is None else context(fun)


class no_grad(_Switch):
    """Calls inside are not recorded.

    >>> import chainrule as cr
    >>> x = cr.ones(2, requires_grad=True)
    >>> with cr.no_grad():
    ...     (x * 2).requires_grad
    False
    """

    def _target(self) -> Mode | None:
        mode = state()
        return NO_GRAD if mode is None else changed(grad=False)


class enable_grad(_Switch):
    """Calls inside are recorded, also within `no_grad`."""

    def _target(self) -> Mode | None:
        return None if state() is None else changed(grad=True)


class carry_tangents(_Context):
    """Calls inside carry on the tangents of their operands."""

    def _target(self) -> Mode | None:
        return None if state() is None else changed(tangents=True)


class set_grad_enabled(_Context):
    """Recording on or off by ``mode``: at once as a call, for the block as a context manager."""

    def __init__(self, mode: bool) -> None:
        if not isinstance(mode, bool):
            raise TypeError(f"set_grad_enabled(): argument 'enabled' (position 1) must be bool, not {type(mode).__name__}")
        self.mode = mode
        self._outer = state()
        enter(self._target())

    def _target(self) -> Mode | None:
        return changed(grad=self.mode)

    def __enter__(self) -> None:
        enter(self._target())

    def __call__(self, fun: Any) -> Any:
        enter(self._outer)  # as a decorator it acts inside the function only
        return super().__call__(fun)

    def clone(self) -> _Context:
        copy = type(self).__new__(type(self))
        copy.mode, copy._outer = self.mode, state()
        return copy

    def __repr__(self) -> str:
        return f"torch.autograd.grad_mode.set_grad_enabled(mode={self.mode})"


class inference_mode(_Context):
    """Nothing is recorded inside, and the tensors made there can never be part of a recorded call."""

    def __new__(cls, mode: Any = True) -> Any:
        context = super().__new__(cls)
        if callable(mode):
            context.mode = True
            return context(mode)
        return context

    def __init__(self, mode: bool = True) -> None:
        self.mode = bool(mode)

    def _target(self) -> Mode | None:
        return changed(grad=not self.mode, inference=self.mode)

    def clone(self) -> _Context:
        return type(self)(self.mode)
