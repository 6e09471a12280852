"""`Optimizer`: groups of parameters with settings, and a state for each parameter."""

from __future__ import annotations

import copy
import functools
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any, Final

import numpy as np

from chainrule.eager import modes
from chainrule.eager.dtypes import typename
from chainrule.eager.hooks import RemovableHandle, register
from chainrule.eager.notice import notice
from chainrule.eager.quiet import quietly
from chainrule.eager.tensor import Tensor, wrap
from chainrule.eager.writes import about_to_write, log_write
from chainrule.nn.modules.module import clear_grad

required: Final = object()  # the value of a setting that every group has to give


class Optimizer:
    """What all optimizers have in common.

    A subclass gives the defaults of its settings to ``__init__`` and says in `update` what a step does to one parameter.
    ``param_groups`` holds the parameters with their settings, ``state`` what is remembered of each.
    """

    _step_count = 0  # for the schedulers, which ask whether there has been a step

    def __init__(self, params: Iterable[Any], defaults: dict[str, Any]) -> None:
        if isinstance(params, Tensor):
            raise TypeError(
                "params argument given to the optimizer should be an iterable of Tensors or dicts, but got "
                + typename(params.detach())
            )
        self.defaults = defaults
        self.state: defaultdict[Tensor, dict[str, Any]] = defaultdict(dict)
        self.param_groups: list[dict[str, Any]] = []
        self._pre_hooks: OrderedDict[int, Any] = OrderedDict()
        self._post_hooks: OrderedDict[int, Any] = OrderedDict()
        given = list(params)
        if not given:
            raise ValueError("optimizer got an empty parameter list")
        for group in given if isinstance(given[0], dict) else [{"params": given}]:
            self.add_param_group(group)

    def __init_subclass__(cls) -> None:
        """Let every ``step`` that a subclass defines call the hooks and be counted."""
        if "step" in cls.__dict__:
            cls.step = _hooked(cls.__dict__["step"])  # type: ignore[method-assign]

    # Groups

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters with settings of their own; the rest are the defaults. Nothing is added if any is refused."""
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
        params = param_group["params"]
        if isinstance(params, set):
            raise TypeError(
                "optimizer parameters need to be organized in ordered collections, but the ordering of tensors in sets will "
                "change between runs. Please use a list instead."
            )
        given = [params] if isinstance(params, Tensor) else list(params)
        group = dict(param_group)
        names = [p[0] for p in given if isinstance(p, tuple)]
        if names:
            if len(names) != len(given):
                raise ValueError("all optimizer params should be with/without names. Some param names are missing")
            given = [p for _, p in given]
            group["param_names"] = names
        _check_parameters(given)
        group["params"] = given
        for name, default in self.defaults.items():
            if default is required and name not in group:
                raise ValueError(f"parameter group didn't specify a value of required optimization parameter {name}")
            group.setdefault(name, default)
        if len(set(given)) != len(given):
            notice(DUPLICATES)
        if not {p for g in self.param_groups for p in g["params"]}.isdisjoint(given):
            raise ValueError("some parameters appear in more than one parameter group")
        self.param_groups.append(group)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters, or set them to zero."""
        for group in self.param_groups:
            for p in group["params"]:
                clear_grad(p, set_to_none)

    # Steps

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move every parameter that has a gradient. ``closure`` computes loss and gradients first; returns the loss."""
        loss = None
        if closure is not None:
            with modes.enable_grad():
                loss = closure()
        quietly(self._move)
        return loss

    def _move(self) -> None:
        for group in self.param_groups:
            settings = self.settings(group)
            for p in group["params"]:
                gradient = p._grad
                if gradient is not None:
                    about_to_write(p)
                    g = gradient.array
                    self.update(p.array, -g if group.get("maximize") else g, self.state[p], settings)
                    log_write(p)

    def settings(self, group: dict[str, Any]) -> dict[str, Any]:
        """The settings of a group as `update` wants them: numbers, not tensors."""
        return {name: value.item() if isinstance(value, Tensor) else value for name, value in group.items()}

    def update(self, x: np.ndarray, g: np.ndarray, state: dict[str, Any], settings: dict[str, Any]) -> None:
        """Move the parameter ``x`` in place, ``g`` being its gradient and ``state`` what was remembered of it."""
        raise NotImplementedError

    def register_step_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(optimizer, args, kwargs)`` before each step; it may return other arguments."""
        return register(self._pre_hooks, hook)

    def register_step_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(optimizer, args, kwargs)`` after each step."""
        return register(self._post_hooks, hook)

    # State

    def state_dict(self) -> dict[str, Any]:
        """Settings and state, the parameters being numbered in the order of the groups."""
        number: dict[Tensor, int] = {}
        groups = []
        for group in self.param_groups:
            for p in group["params"]:
                number.setdefault(p, len(number))
            packed = {name: value for name, value in group.items() if name != "params"}
            groups.append(packed | {"params": [number[p] for p in group["params"]]})
        state = {number.get(p, p): value for p, value in self.state.items() if value}
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take settings and state from `state_dict` of another optimizer with groups of the same sizes."""
        theirs = state_dict["param_groups"]
        if len(theirs) != len(self.param_groups):
            raise ValueError("loaded state dict has a different number of parameter groups")
        if any(len(a["params"]) != len(b["params"]) for a, b in zip(theirs, self.param_groups, strict=True)):
            raise ValueError("loaded state dict contains a parameter group that doesn't match the size of optimizer's group")
        ours = chain.from_iterable(group["params"] for group in self.param_groups)
        parameter = dict(zip(chain.from_iterable(group["params"] for group in theirs), ours, strict=True))
        state: defaultdict[Tensor, dict[str, Any]] = defaultdict(dict)
        for key, value in state_dict["state"].items():
            p = parameter.get(key, key)
            state[p] = {name: _taken(name, part, p) for name, part in value.items()} if key in parameter else value
        self.param_groups = [
            copy.deepcopy({name: value for name, value in new.items() if name != "params"}) | {"params": old["params"]}
            for new, old in zip(theirs, self.param_groups, strict=True)
        ]
        self.state = state

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for k, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {k}" if k == 0 else f"\nParameter Group {k}")
            lines += [f"    {name}: {_shown(group[name])}" for name in sorted(group) if name != "params"]
        return "\n".join([*lines, ")"])


DUPLICATES: Final = (
    "optimizer contains a parameter group with duplicate parameters; in future, this will cause an error; see "
    "github.com/pytorch/pytorch/issues/40967 for more information"
)


def _shown(value: Any) -> Any:
    return value.item() if isinstance(value, Tensor) and value.numel() == 1 else value


def _hooked(step: Callable[..., Any]) -> Callable[..., Any]:
    """A step with what was registered to be called before and after it."""

    @functools.wraps(step)
    def hooked(*args: Any, **kwargs: Any) -> Any:
        self: Optimizer = args[0]
        if self._pre_hooks:
            for hook in list(self._pre_hooks.values()):
                found = hook(self, args, kwargs)
                if found is not None:
                    args, kwargs = found
        result = step(*args, **kwargs)
        self._step_count += 1
        if self._post_hooks:
            for hook in list(self._post_hooks.values()):
                hook(self, args, kwargs)
        return result

    return hooked


Optimizer.step = _hooked(Optimizer.step)  # type: ignore[method-assign]


def _check_parameters(parameters: list[Any]) -> None:
    for p in parameters:
        if not isinstance(p, Tensor):
            raise TypeError(f"optimizer can only optimize Tensors, but one of the params is {typename(p)}")
        if p.node is not None:
            raise ValueError("can't optimize a non-leaf Tensor")


def _taken(name: str, value: Any, p: Tensor) -> Any:
    """A copy of a piece of state for the parameter ``p``, in its dtype (but for the count of steps)."""
    if not isinstance(value, Tensor):
        return copy.deepcopy(value)
    return value.detach().clone() if name == "step" or not p.dtype.differentiable else value.detach().clone().to(p.dtype)


# What the algorithms share


def checked(**settings: Any) -> None:
    """ValueError, in torch's words, for a setting that may not be negative and is."""
    for name, value in settings.items():
        if not (value.item() if isinstance(value, Tensor) else value) >= 0.0:
            raise ValueError(f"Invalid {NAMES.get(name, f'{name} value')}: {value}")


NAMES: Final = {"lr": "learning rate", "eps": "epsilon value"}


def not_differentiable(differentiable: bool) -> None:
    """Refuse the setting that asks for steps which are themselves recorded."""
    if differentiable:
        raise NotImplementedError("differentiable=True is not there yet: an optimizer's step is not recorded")


def real(*arrays: np.ndarray) -> tuple[np.ndarray, ...]:
    """Complex arrays as real ones twice as long, on the same memory; real ones as they are."""
    return tuple(a.reshape(a.shape or (1,)).view(a.real.dtype) if a.dtype.kind == "c" else a for a in arrays)


def decayed(g: np.ndarray, x: np.ndarray, weight_decay: float) -> np.ndarray:
    """The gradient of the loss plus ``weight_decay |x|**2 / 2``."""
    return g + weight_decay * x if weight_decay else g


def zeros(x: np.ndarray) -> Tensor:
    """State shaped like the parameter ``x``."""
    return wrap(np.zeros_like(x))


def count(state: dict[str, Any]) -> float:
    """Count a step; returns its number."""
    step = state["step"].array
    step += 1
    return float(step)
