"""torch.autograd.forward_ad: tangents put on tensors by hand, inside a level."""

from __future__ import annotations

from typing import Any, NamedTuple

from chainrule.eager import duals, levels, modes
from chainrule.eager.functions.viewing import alias
from chainrule.eager.tensor import Tensor
from chainrule.errors import missing

__all__ = ["UnpackedDualTensor", "dual_level", "enter_dual_level", "exit_dual_level", "make_dual", "unpack_dual"]


def __getattr__(name: str) -> Any:
    if name == "_current_level":
        return len(duals.manual) - 1
    raise missing(__name__, name, __all__)


class UnpackedDualTensor(NamedTuple):
    """A primal and its tangent, None for zero."""

    primal: Tensor
    tangent: Tensor | None


def enter_dual_level() -> int:
    """Begin a level: tensors may get tangents. RuntimeError inside another one."""
    duals.enter_manual()
    return 0


def exit_dual_level(*, level: int | None = None) -> None:
    """End the level: all tangents are forgotten. RuntimeError outside of one."""
    duals.leave_manual()


class dual_level:
    """The context of a level.

    >>> import chainrule as cr
    >>> with dual_level():
    ...     x = make_dual(cr.tensor([1.0, 2.0]), cr.tensor([1.0, 0.0]))
    ...     unpack_dual(x * x).tangent
    tensor([2., 0.])
    """

    def __enter__(self) -> int:
        return enter_dual_level()

    def __exit__(self, *exc: object) -> None:
        exit_dual_level()


def _level(level: int | None, name: str) -> levels.Level:
    if not duals.manual:
        raise RuntimeError(
            "Trying to create a dual Tensor for forward AD but no level exists, make sure to enter_dual_level() first."
        )
    if level not in (None, 0):
        raise RuntimeError(f"Invalid level given to {name}")
    return duals.manual[0]


def make_dual(tensor: Tensor, tangent: Tensor, *, level: int | None = None) -> Tensor:
    """A view of ``tensor`` with ``tangent``, of the same shape."""
    here = _level(level, "_make_dual")
    duals.check_pair(tensor, tangent)
    if duals.tangent_of(tensor, here) is not None:
        raise RuntimeError(
            "Making a dual Tensor based on a Tensor that already has a forward gradient at the same level 0 is not supported."
        )
    if duals.tangent_of(tangent, here) is not None:
        raise RuntimeError("Setting a forward grad that itself has a forward gradient at the same level 0 is not supported.")
    return duals.attach(alias(tensor), here, duals.laid_out(tensor, tangent))


def unpack_dual(tensor: Tensor, *, level: int | None = None) -> UnpackedDualTensor:
    """The primal (a view) and the tangent of ``tensor``."""
    if not duals.manual:
        return UnpackedDualTensor(tensor, None)
    here = _level(level, "_unpack_dual")
    tangent = duals.tangent_of(tensor, here) if modes.present().tangents else None
    with duals.stripped((tensor,), here):
        return UnpackedDualTensor(alias(tensor), tangent)


def _is_fwd_grad_enabled() -> bool:
    return modes.present().tangents


class _set_fwd_grad_enabled:
    """Whether, inside, calls carry on the tangents of their operands."""

    def __init__(self, mode: bool) -> None:
        self.before = modes.present().tangents
        modes.enter(modes.changed(tangents=mode))

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exc: object) -> None:
        modes.enter(modes.changed(tangents=self.before))
