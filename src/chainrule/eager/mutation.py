"""`allow_mutation_on_saved_tensors`: a saved tensor that is written to is copied first."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np

from chainrule.eager import writes
from chainrule.eager.saved import saved_tensors_hooks
from chainrule.eager.tensor import Tensor, wrap
from chainrule.ops.strided import owner_of

OUTSIDE = (
    "Trying to backward outside of the 'allow_mutation_on_saved_tensors' context in which the graph was originally recorded."
)


class Handle:
    """A saved array, or the copy that was made of it before a write."""

    __slots__ = ("__weakref__", "array", "context")

    def __init__(self, array: np.ndarray, context: Saved) -> None:
        self.array = array
        self.context = context


class Saved:
    """The tensors saved in one such context: how many of them, and how many had to be copied."""

    def __init__(self) -> None:
        self.handles: weakref.WeakValueDictionary[Any, Handle] = weakref.WeakValueDictionary()
        self.cloned: weakref.WeakKeyDictionary[Handle, Tensor] = weakref.WeakKeyDictionary()

    @property
    def tid_to_weakhandle(self) -> Any:
        """The saved tensors, by torch's name."""
        return self.handles

    def clear(self) -> None:
        """Forget everything."""
        self.handles.clear()
        self.cloned.clear()

    def keep(self, t: Tensor) -> Handle:
        """The handle of a saved tensor, one for each version of it."""
        array = t.array
        key = (id(owner_of(array)), t.data_ptr(), array.shape, array.strides, writes.version_of(t))
        handle = self.handles.get(key)
        if handle is None:
            handle = self.handles[key] = Handle(array, self)
        return handle

    def before_write(self, t: Tensor) -> None:
        """Copy what is saved of the memory of ``t``."""
        owner = owner_of(t.array)
        for handle in list(self.handles.values()):
            if handle not in self.cloned and owner_of(handle.array) is owner:
                handle.array = handle.array.copy()
                self.cloned[handle] = wrap(handle.array)


class allow_mutation_on_saved_tensors(saved_tensors_hooks):
    """Inside, tensors that were saved for a backward pass may be written to; the pass has to happen inside too.

    >>> import chainrule as cr
    >>> with allow_mutation_on_saved_tensors():
    ...     a = cr.ones(2, requires_grad=True)
    ...     b = a.clone()
    ...     out = (b**2).sum()
    ...     _ = b.sin_()
    ...     out.backward()
    >>> a.grad
    tensor([2., 2.])
    """

    def __init__(self) -> None:
        self.context = Saved()
        super().__init__(self.context.keep, self._back)

    def _back(self, handle: Handle) -> Tensor:
        if self.context.before_write not in writes.guards:
            raise AssertionError(OUTSIDE)
        return wrap(handle.array)

    def __enter__(self) -> Saved:  # type: ignore[override]
        if writes.guards:
            raise RuntimeError("allow_mutation_on_saved_tensors contexts cannot be nested")
        super().__enter__()
        writes.guards.append(self.context.before_write)
        return self.context

    def __exit__(self, *exc: object) -> None:
        writes.guards.remove(self.context.before_write)
        self.context.clear()
        super().__exit__(*exc)
