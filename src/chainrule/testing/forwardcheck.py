"""The part of `gradcheck` about forward mode: tangents of the outputs beside differences along the same directions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from chainrule.eager import duals
from chainrule.eager.functions.viewing import alias
from chainrule.eager.tensor import Tensor, wrap
from chainrule.testing.backwardcheck import Check, GradcheckError, floats, mismatch_text, unit_vector


def check_forward(check: Check) -> None:
    """GradcheckError unless the derivative of every output along every direction of every input is what differences say.

    In fast mode one random direction of each input is taken; a complex input has real and imaginary ones.
    """
    for j, x in enumerate(check.checked):
        for part, factor in (("real", 1.0), ("imaginary", 1j)) if x.is_complex() else (("", 1.0),):
            along = [factor * unit for unit in directions(x, check.settings.fast)]
            differences = [check.numeric(check.func, x, direction) for direction in along]
            tangents = [alone(check, j, direction) for direction in along]
            scale = float(np.sum(np.abs(along))) if check.settings.fast else 1.0
            for i in range(len(tangents[0]) if tangents else 0):
                numeric = np.array([row[i].reshape(-1) for row in differences])
                analytic = np.array([row[i].reshape(-1) for row in tangents])
                prefix = f"While considering the {part} part of complex inputs only, " if part else ""
                check.judge(analytic, numeric, check.settings.atol * abs(scale), _told(prefix, i, j))


def _told(prefix: str, i: int, j: int) -> Any:
    return lambda analytic, numeric: mismatch_text(f"{prefix}Jacobian computed with forward mode", i, j, analytic, numeric)


def directions(x: Tensor, fast: bool) -> Iterator[np.ndarray]:
    """The directions to differentiate along: the axes, or a random one."""
    if fast:
        yield unit_vector(np.random.default_rng(0), x.array.size).reshape(x.array.shape)
        return
    for index in np.ndindex(x.array.shape):
        unit = np.zeros(x.array.shape)
        unit[index] = 1
        yield unit


def alone(check: Check, j: int, direction: np.ndarray) -> list[np.ndarray]:
    """The tangents of the outputs, that of checked input ``j`` being ``direction`` and those of the others zero."""
    tangents = [direction if k == j else np.zeros(x.array.shape) for k, x in enumerate(check.checked)]
    return [np.zeros_like(y.array) if t is None else t.array for y, t in pushed(check, tangents)]


def pushed(check: Check, tangents: Sequence[np.ndarray | None]) -> list[tuple[Tensor, Tensor | None]]:
    """The outputs and their tangents, those of the checked inputs being these."""
    level = duals.enter_manual()
    try:
        inputs = list(check.inputs)
        for x, place, tangent in zip(check.checked, check.places, tangents, strict=True):
            inputs[place] = alias(x.detach())
            if tangent is not None:
                duals.attach(inputs[place], level, wrap(tangent.astype(x.array.dtype)))
        return [(y, duals.tangent_of(y, level)) for y in floats(check.func(*inputs))]
    finally:
        duals.leave_manual()


def check_no_tangents(check: Check) -> None:
    """GradcheckError unless an input without a tangent counts as one whose tangent is zero."""
    rng = np.random.default_rng(0)
    tangents: list[np.ndarray | None] = [rng.standard_normal(x.array.shape) for x in check.checked]
    for j, x in enumerate(check.checked):
        rest, others = tangents[:j], tangents[j + 1 :]
        zero = pushed(check, [*rest, np.zeros(x.array.shape), *others])
        absent = pushed(check, [*rest, None, *others])
        for i, ((_, expected), (_, found)) in enumerate(zip(zero, absent, strict=True)):
            if expected is not None and found is not None and not np.allclose(expected.array, found.array):
                raise GradcheckError(
                    f"Mismatch in tangent values for output with index: {i} when input {j} has an undefined tangent value. "
                    f"Got: {found.array} but expected: {expected.array}"
                )
