"""The hooks of a module: what users have called before and after its forward and backward pass."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

from chainrule.core.box import dispatch
from chainrule.core.primitive import TABLE
from chainrule.eager import modes
from chainrule.eager.hooks import PortHooks, RemovableHandle, register
from chainrule.eager.notice import notice
from chainrule.eager.tensor import Tensor, wrap
from chainrule.ops.shaping import together

HOOKS = (
    "_forward_pre_hooks", "_forward_hooks", "_backward_pre_hooks", "_backward_hooks", "_state_dict_hooks",
    "_state_dict_pre_hooks", "_load_state_dict_pre_hooks", "_load_state_dict_post_hooks",
)  # fmt: skip
MARKS = ("_forward_hooks_with_kwargs", "_forward_hooks_always_called", "_forward_pre_hooks_with_kwargs")


class Hooked:
    """What a module does with hooks. They are kept as torch keeps them, in dictionaries by number."""

    _forward_pre_hooks: OrderedDict[int, Any]
    _forward_hooks: OrderedDict[int, Any]
    _forward_hooks_with_kwargs: OrderedDict[int, bool]
    _forward_hooks_always_called: OrderedDict[int, bool]
    _forward_pre_hooks_with_kwargs: OrderedDict[int, bool]
    _backward_pre_hooks: OrderedDict[int, Any]
    _backward_hooks: OrderedDict[int, Any]
    _state_dict_hooks: OrderedDict[int, Any]
    _state_dict_pre_hooks: OrderedDict[int, Any]
    _load_state_dict_pre_hooks: OrderedDict[int, Any]
    _load_state_dict_post_hooks: OrderedDict[int, Any]
    forward: Callable[..., Any]

    def _add_hook(self, table: str, hook: Any, prepend: bool = False, marks: tuple[str, ...] = ()) -> RemovableHandle:
        hooks = getattr(self, table)
        key = register(hooks, hook).id
        if prepend:
            hooks.move_to_end(key, last=False)
        for mark in marks:
            getattr(self, mark)[key] = True
        return RemovableHandle(hooks, *(getattr(self, mark) for mark in marks), key=key)

    def register_forward_pre_hook(self, hook: Callable[..., Any], *, prepend: bool = False,
                                  with_kwargs: bool = False) -> RemovableHandle:  # fmt: skip
        """Call ``hook(module, args)`` before each forward pass; what it returns replaces the arguments."""
        marks = ("_forward_pre_hooks_with_kwargs",) if with_kwargs else ()
        return self._add_hook("_forward_pre_hooks", hook, prepend, marks)

    def register_forward_hook(self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False,
                              always_call: bool = False) -> RemovableHandle:  # fmt: skip
        """Call ``hook(module, args, output)`` after each forward pass; what it returns replaces the output."""
        marks = ("_forward_hooks_with_kwargs",) * with_kwargs + ("_forward_hooks_always_called",) * always_call
        return self._add_hook("_forward_hooks", hook, prepend, marks)

    def register_full_backward_pre_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call ``hook(module, grad_output)`` when the gradients of the outputs are known; it may return others."""
        return self._add_hook("_backward_pre_hooks", hook, prepend)

    def register_full_backward_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call ``hook(module, grad_input, grad_output)`` when those of the inputs are; it may return others for them."""
        return self._add_hook("_backward_hooks", hook, prepend)

    def register_backward_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """torch's older name of `register_full_backward_hook`, which is what it does here."""
        return self.register_full_backward_hook(hook)

    def _call_hooked(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The forward pass with everything that was registered."""
        called: set[int] = set()
        try:
            return self._call_steps(args, kwargs, called)
        except Exception:
            for key in [k for k in self._forward_hooks_always_called if k not in called]:
                try:
                    self._after(key, self._forward_hooks[key], args, kwargs, None)
                except Exception as fault:
                    warnings.warn("module forward hook with ``always_call=True`` raised an exception that was silenced as "
                                  f"another error was raised in forward: {fault}", stacklevel=2)  # fmt: skip
            raise

    def _call_steps(self, args: tuple[Any, ...], kwargs: dict[str, Any], called: set[int]) -> Any:
        for key, hook in list(self._forward_pre_hooks.items()):
            if key in self._forward_pre_hooks_with_kwargs:
                args, kwargs = _both(hook(self, args, kwargs), args, kwargs)
            elif (found := hook(self, args)) is not None:
                args = found if isinstance(found, tuple) else (found,)
        watch = BackwardWatch(self) if self._backward_hooks or self._backward_pre_hooks else None
        if watch is not None:
            args = watch.inputs(args)
        result = self.forward(*args, **kwargs)
        for key, hook in list(self._forward_hooks.items()):
            called.add(key)
            found = self._after(key, hook, args, kwargs, result)
            result = result if found is None else found
        return result if watch is None else watch.outputs(result)

    def _after(self, key: int, hook: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> Any:
        if key in self._forward_hooks_with_kwargs:
            return hook(self, args, kwargs, result)
        return hook(self, args, result)


def _both(found: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments that a hook before the forward pass gave back."""
    if found is None:
        return args, kwargs
    if not (isinstance(found, tuple) and len(found) == 2):
        raise RuntimeError(f"forward pre-hook must return None or a tuple of (new_args, new_kwargs), but got {found}.")
    return found


NO_INPUTS: Final = (
    "Full backward hook is firing when gradients are computed with respect to module outputs since no inputs require "
    "gradients. See https://docs.pytorch.org/docs/main/generated/torch.nn.Module.html#torch.nn.Module.register_full_"
    "backward_hook for more details."
)


class BackwardWatch:
    """One forward pass whose backward pass is watched: by a node around the inputs and one around the outputs."""

    def __init__(self, module: Hooked) -> None:
        self.module = module
        self.after = list(module._backward_hooks.values())
        self.before = list(module._backward_pre_hooks.values())
        self.count = 0  # of the arguments
        self.places: list[int] = []  # of the tensors among them
        self.watching = False
        self.grad_outputs: tuple[Any, ...] | None = None  # those of the pass that is under way

    def inputs(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """The arguments, the tensors among them made results of a node that reports their gradients."""
        self.count = len(args)
        self.places = [k for k, arg in enumerate(args) if isinstance(arg, Tensor)]
        tensors = [args[k] for k in self.places]
        self.watching = modes.is_grad_enabled() and any(t.requires_grad for t in tensors)
        if not self.watching:
            return args
        out = list(args)
        for k, t in zip(self.places, _watched(tensors, self._inputs_known), strict=True):
            out[k] = t
        return tuple(out)

    def outputs(self, result: Any) -> Any:
        """The result, its tensors made results of a node that reports their gradients."""
        several = isinstance(result, tuple)
        parts = list(result) if several else [result]
        places = [k for k, part in enumerate(parts) if isinstance(part, Tensor)]
        if not any(parts[k].requires_grad for k in places):
            return result

        def known(g: list[Any]) -> list[Any]:
            return self._outputs_known(g, places, len(parts))

        for k, t in zip(places, _watched([parts[k] for k in places], known), strict=True):
            parts[k] = t
        return tuple(parts) if several else parts[0]

    def _outputs_known(self, g: list[Any], places: list[int], count: int) -> list[Any]:
        grads: list[Any] = [None] * count
        for k, part in zip(places, g, strict=True):
            grads[k] = part
        self.grad_outputs = tuple(grads)
        for hook in self.before:
            found = hook(self.module, self.grad_outputs)
            if found is not None:
                self.grad_outputs = found if isinstance(found, tuple) else (found,)
                if len(self.grad_outputs) != count:
                    raise RuntimeError("Backward pre hook returned an invalid number of grad_output, got "
                                       f"{len(self.grad_outputs)}, but expected {count}")  # fmt: skip
        if not self.watching and self.after:
            notice(NO_INPUTS)
            self._report((None,) * self.count)
        return [self.grad_outputs[k] for k in places]

    def _inputs_known(self, g: list[Any]) -> list[Any]:
        if self.grad_outputs is None:  # a second derivative: it does not come by way of the outputs
            return g
        grads: list[Any] = [None] * self.count
        for k, part in zip(self.places, g, strict=True):
            grads[k] = part
        final = self._report(tuple(grads))
        self.grad_outputs = None
        return [final[k] for k in self.places]

    def _report(self, grads: tuple[Any, ...]) -> tuple[Any, ...]:
        for hook in self.after:
            found = hook(self.module, grads, self.grad_outputs)
            if found is not None:
                if not self.watching:
                    raise RuntimeError(
                        "Backward hooks returned a value when no input requires gradient, which cannot be used"
                    )
                grads = found if isinstance(found, tuple) else (found,)
                if len(grads) != self.count:
                    raise RuntimeError(
                        f"Backward hook returned an invalid number of grad_input, got {len(grads)}, but expected {self.count}"
                    )
        return grads


def _watched(tensors: list[Tensor], known: Callable[[list[Any]], list[Any]]) -> list[Tensor]:
    """The same tensors as results of one node, which hands ``known`` their gradients and goes on with what it returns."""
    out = dispatch(TABLE[together], tensors, {})
    node = next(t.node.node for t in out if t.node is not None)

    def whole(g: list[Any]) -> list[Any]:
        boxed = [part if part is None or isinstance(part, Tensor) else wrap(part) for part in g]
        raw = not any(isinstance(part, Tensor) for part in g)
        found = known(boxed)
        return [part.array if raw and isinstance(part, Tensor) else part for part in found]

    node.hooks = PortHooks(whole)
    return list(out)
