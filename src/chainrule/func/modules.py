"""`functional_call` and `stack_module_state`: modules as functions of their parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chainrule.eager.functions.shapes import stack
from chainrule.eager.tensor import Tensor
from chainrule.nn import Module


def functional_call(
    module: Module,
    parameter_and_buffer_dicts: Mapping[str, Tensor] | Sequence[Mapping[str, Tensor]],
    args: Any = None,
    kwargs: Mapping[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """``module(*args, **kwargs)`` with other parameters and buffers, given by name; the module stays as it is.

    ``args`` that is no tuple is one argument. With ``strict`` raises RuntimeError unless all of them are given, and no others.

    >>> import chainrule as cr
    >>> layer = cr.nn.Linear(2, 1, bias=False)
    >>> functional_call(layer, {"weight": cr.tensor([[1.0, 2.0]])}, cr.tensor([1.0, 1.0]))
    tensor([3.])
    """
    several = parameter_and_buffer_dicts
    given: dict[str, Tensor] = {}
    for part in [several] if isinstance(several, Mapping) else several:
        for name in part:
            if name in given:
                raise ValueError(f"{name!r} appears in several of the dictionaries")
        given.update(part)
    places = {name: place for name, place in everything(module).items() if name in given}
    if strict:
        _check_all(module, given)
    if tie_weights:
        for name, place in everything(module).items():
            shared = [other for other, known in places.items() if known[0][known[1]] is place[0][place[1]]]
            if name not in places and shared:
                given[name], places[name] = given[shared[0]], place
    before = [(table, key, table[key]) for table, key in places.values()]
    try:
        for name, (table, key) in places.items():
            table[key] = given[name]
        return module(*(() if args is None else args if isinstance(args, tuple) else (args,)), **(kwargs or {}))
    finally:
        for table, key, value in before:
            table[key] = value


def everything(module: Module) -> dict[str, tuple[dict[str, Any], str]]:
    """Where each parameter and buffer is kept: the table of its module and the key there, by its whole name."""
    found = {}
    for prefix, part in module.named_modules(remove_duplicate=False):
        for table in (part._parameters, part._buffers):
            for key, value in table.items():
                if value is not None:
                    found[f"{prefix}.{key}" if prefix else key] = (table, key)
    return found


def _check_all(module: Module, given: Mapping[str, Any]) -> None:
    names = everything(module)
    missing = [name for name in names if name not in given]
    unexpected = [name for name in given if name not in names]
    told = [
        f"{what} key(s): {', '.join(map(repr, keys))}."
        for what, keys in (("Missing", missing), ("Unexpected", unexpected))
        if keys
    ]
    if told:
        raise RuntimeError(f"Error(s) in reparametrizing for {type(module).__name__}:\n\t" + "\n\t".join(told))


def stack_module_state(models: Sequence[Module]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The parameters, and the buffers, of several modules of one kind, each stacked along a new first axis.

    Raises RuntimeError for no modules, modules of several classes or modes, or parameters only some of which require grad.
    """
    if not models:
        raise RuntimeError("stack_module_state: Expected at least one model, got 0.")
    if len({type(m) for m in models}) > 1:
        raise RuntimeError("stack_module_state: Expected all models to be of the same class.")
    if len({m.training for m in models}) > 1:
        raise RuntimeError("stack_module_state: Expected all models to have the same training/eval mode.")
    for name, p in models[0].named_parameters():
        if any(dict(m.named_parameters())[name].requires_grad != p.requires_grad for m in models):
            raise RuntimeError(f"Expected {name} from each model to have the same .requires_grad")
    parameters = {
        name: stack([dict(m.named_parameters())[name] for m in models]).detach().requires_grad_(p.requires_grad)
        for name, p in models[0].named_parameters()
    }
    buffers = {name: stack([dict(m.named_buffers())[name] for m in models]) for name, _ in models[0].named_buffers()}
    return parameters, buffers
