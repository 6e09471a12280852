"""The state of a module as a dictionary, and back: `state_dict`, `load_state_dict`."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from typing import Any, NamedTuple

from chainrule.eager import modes
from chainrule.eager.hooks import RemovableHandle, register
from chainrule.eager.tensor import Parameter, Tensor

EXTRA = "_extra_state"


class IncompatibleKeys(NamedTuple):
    """The names that a state dict lacks, and those that the module does not know."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return f"_IncompatibleKeys(missing_keys={self.missing_keys}, unexpected_keys={self.unexpected_keys})"


class Complaints(list[str]):
    """What is wrong with a state dict, and the copies that are to be made if nothing is."""

    def __init__(self) -> None:
        super().__init__()
        self.copies: list[Callable[[], None]] = []


class Stateful:
    """What a module does with its state."""

    _version: int = 1
    _parameters: dict[str, Any]
    _buffers: dict[str, Any]
    _modules: dict[str, Any]
    _non_persistent_buffers_set: set[str]
    _state_dict_hooks: OrderedDict[int, Any]
    _state_dict_pre_hooks: OrderedDict[int, Any]
    _load_state_dict_pre_hooks: OrderedDict[int, Any]
    _load_state_dict_post_hooks: OrderedDict[int, Any]

    def get_extra_state(self) -> Any:
        """State beside parameters and buffers, to be defined together with `set_extra_state`."""
        raise RuntimeError("Reached a code path in Module.get_extra_state() that should never be called.")

    def set_extra_state(self, state: Any) -> None:
        """Take what `get_extra_state` gave."""
        raise RuntimeError("Reached a code path in Module.set_extra_state() that should never be called.")

    def _has_extra(self, method: str) -> bool:
        return getattr(type(self), method) is not getattr(Stateful, method)

    # Out

    def state_dict(self, *args: Any, destination: Any = None, prefix: str = "", keep_vars: bool = False) -> Any:
        """Parameters and persistent buffers by their names, detached (unless ``keep_vars``) but on the same memory."""
        given: tuple[Any, ...] = (*args, *(destination, prefix, keep_vars)[len(args) :])
        destination, prefix, keep_vars = given
        if destination is None:
            destination = OrderedDict()
            destination._metadata = OrderedDict()
        metadata = {"version": self._version}
        if hasattr(destination, "_metadata"):
            destination._metadata[prefix[:-1]] = metadata
        for hook in self._state_dict_pre_hooks.values():
            hook(self, prefix, keep_vars)
        self._save_to_state_dict(destination, prefix, keep_vars)
        for name, module in self._modules.items():
            if module is not None:
                module.state_dict(destination=destination, prefix=f"{prefix}{name}.", keep_vars=keep_vars)
        for hook in self._state_dict_hooks.values():
            found = hook(self, destination, prefix, metadata)
            destination = destination if found is None else found
        return destination

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        for name, value in self._state():
            destination[prefix + name] = value if keep_vars else value.detach()
        if self._has_extra("get_extra_state"):
            destination[prefix + EXTRA] = self.get_extra_state()

    def _state(self) -> Iterable[tuple[str, Tensor]]:
        """This module's own parameters and persistent buffers."""
        for name, value in chain(self._parameters.items(), self._buffers.items()):
            if value is not None and name not in self._non_persistent_buffers_set:
                yield name, value

    def register_state_dict_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(module, state_dict, prefix, local_metadata)`` when a state dict is complete."""
        return register(self._state_dict_hooks, hook)

    _register_state_dict_hook = register_state_dict_post_hook

    def register_state_dict_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(module, prefix, keep_vars)`` before a state dict is made."""
        return register(self._state_dict_pre_hooks, hook)

    # In

    def register_load_state_dict_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(module, state_dict, prefix, local_metadata, strict, missing, unexpected, errors)`` before loading."""
        return register(self._load_state_dict_pre_hooks, lambda *args: hook(self, *args))

    def _register_load_state_dict_pre_hook(self, hook: Callable[..., Any], with_module: bool = False) -> RemovableHandle:
        if with_module:
            return self.register_load_state_dict_pre_hook(hook)
        return register(self._load_state_dict_pre_hooks, hook)

    def register_load_state_dict_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(module, incompatible_keys)`` after loading."""
        return register(self._load_state_dict_post_hooks, hook)

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> IncompatibleKeys:
        """Copy the numbers of ``state_dict`` into parameters and buffers (or with ``assign`` take its tensors).

        Raises RuntimeError, with every complaint, for sizes that differ and, if ``strict``, for names that are missing
        or unknown; nothing has been copied then.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"Expected state_dict to be dict-like, got {type(state_dict)}.")
        missing: list[str] = []
        unexpected: list[str] = []
        complaints = Complaints()
        state = OrderedDict(state_dict)
        metadata = getattr(state_dict, "_metadata", {})
        visited: list[tuple[Stateful, str]] = []
        self._load("", state, metadata, assign, missing, unexpected, complaints, visited)
        if strict:
            for kind, names in (("Unexpected", unexpected), ("Missing", missing)):
                if names:
                    quoted = ", ".join(f'"{name}"' for name in names)
                    complaints.insert(0, f"{kind} key(s) in state_dict: {quoted}. ")
        if not complaints:
            for copy in complaints.copies:
                copy()
        found = IncompatibleKeys(missing, unexpected)
        for module, prefix in reversed(visited):
            own = IncompatibleKeys(*([k for k in names if k.startswith(prefix)] for names in found))
            for hook in module._load_state_dict_post_hooks.values():
                hook(module, own)
        if complaints:
            text = "\n\t".join(complaints)
            raise RuntimeError(f"Error(s) in loading state_dict for {type(self).__name__}:\n\t{text}")
        return found

    def _load(self, prefix: str, state: dict[str, Any], metadata: Mapping[str, Any], assign: bool,
              missing: list[str], unexpected: list[str], complaints: Complaints, visited: Any) -> None:  # fmt: skip
        visited.append((self, prefix))
        local = dict(metadata.get(prefix[:-1], {}))
        if assign:
            local["assign_to_params_buffers"] = True
        self._load_from_state_dict(state, prefix, local, True, missing, unexpected, complaints)
        for name, module in self._modules.items():
            if module is not None:
                module._load(f"{prefix}{name}.", state, metadata, assign, missing, unexpected, complaints, visited)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, local_metadata: dict[str, Any], strict: bool,
                              missing_keys: list[str], unexpected_keys: list[str], error_msgs: list[str]) -> None:  # fmt: skip
        """Take this module's own part of ``state_dict``, noting what is wrong with it."""
        for hook in self._load_state_dict_pre_hooks.values():
            hook(state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)
        copies = error_msgs.copies if isinstance(error_msgs, Complaints) else None
        for name, value in self._state():
            key = prefix + name
            if key not in state_dict:
                missing_keys.append(key)
                continue
            assign = local_metadata.get("assign_to_params_buffers", False)
            problem = _mismatch(key, value, state_dict[key], assign)
            if problem is not None:
                error_msgs.append(problem)
                continue
            copy = self._copying(name, value, state_dict[key], assign)
            copy() if copies is None else copies.append(copy)
        self._load_extra(state_dict, prefix + EXTRA, missing_keys, unexpected_keys, copies)
        if strict:
            unexpected_keys += self._unknown(state_dict, prefix)

    def _load_extra(self, state_dict: dict[str, Any], key: str, missing: list[str], unexpected: list[str],
                    copies: list[Callable[[], None]] | None) -> None:  # fmt: skip
        takes, given = self._has_extra("set_extra_state"), key in state_dict
        if takes and given:
            extra = state_dict[key]
            self.set_extra_state(extra) if copies is None else copies.append(lambda: self.set_extra_state(extra))
        elif takes or given:
            (missing if takes else unexpected).append(key)

    def _unknown(self, state_dict: dict[str, Any], prefix: str) -> Iterable[str]:
        """The names below ``prefix`` that belong neither to this module nor to one of its children."""
        own = {name for name, _ in self._state()} | {EXTRA}
        for key in state_dict:
            if key.startswith(prefix):
                name, _, deeper = key[len(prefix) :].partition(".")
                if (deeper and name not in self._modules) or (not deeper and name not in own):
                    yield key

    def _copying(self, name: str, value: Tensor, source: Tensor, assign: bool) -> Callable[[], None]:
        """What puts ``source`` in the place of the tensor ``value`` called ``name``."""

        def copy() -> None:
            with modes.no_grad():
                value.copy_(source.reshape(value.shape))

        def take() -> None:
            if isinstance(value, Parameter):
                taken = source if isinstance(source, Parameter) else Parameter(source, requires_grad=value.requires_grad)
                taken.requires_grad_(value.requires_grad)
                self._parameters[name] = taken
            else:
                self._buffers[name] = source

        return take if assign else copy


def _mismatch(key: str, value: Tensor, source: Any, assign: bool) -> str | None:
    """Why ``source`` cannot be copied into ``value``; None if it can."""
    if not isinstance(source, Tensor):
        return (
            f'While copying the parameter named "{key}", expected torch.Tensor or Tensor-like object from checkpoint but '
            f"received {type(source)}"
        )
    if source.shape != value.shape and not (value.ndim == 0 and source.shape == (1,)):
        return (
            f"size mismatch for {key}: copying a param with shape {source.shape} from checkpoint, the shape in current "
            f"model is {value.shape}."
        )
    if assign and value.requires_grad and not source.dtype.differentiable:
        return (
            f'While copying the parameter named "{key}", whose dimensions in the model are {value.shape} and whose '
            f"dimensions in the checkpoint are {source.shape}, an exception occurred : ('Only Tensors of floating point and "
            "complex dtype can require gradients',)."
        )
    return None


