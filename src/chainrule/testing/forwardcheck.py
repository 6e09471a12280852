"""The part of `gradcheck` about forward mode: tangents of the outputs beside differences along the same directions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from chainrule.eager import duals
from chainrule.eager.functions.viewing import alias
from chainrule.eager.tensor import Tensor, wrap
from chainrule.testing.backwardcheck import Check, floats, mismatch_text, unit_vector


def check_forward(check: Check) -> None:
    """GradcheckError unless the derivative of every output along every direction of every input is what differences say.

    In fast mode one random direction of each input is taken; a complex input has real and imaginary ones.
    """
    for j, x in enumerate(check.checked):
        for part, factor in (("real", 1.0), ("imaginary", 1j)) if x.is_complex() else (("", 1.0),):
            along = [factor * unit for unit in directions(x, check.settings.fast)]
            differences = [check.numeric(check.func, x, direction) for direction in along]
            tangents = [pushed(check, j, direction) for direction in along]
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


def pushed(check: Check, j: int, direction: np.ndarray) -> list[np.ndarray]:
    """The tangents of the outputs, that of checked input ``j`` being ``direction`` and those of the others zero."""
    level = duals.enter_manual()
    try:
        inputs = list(check.inputs)
        for k, place in enumerate(check.places):
            x = check.checked[k]
            tangent = wrap((direction if k == j else np.zeros(x.array.shape)).astype(x.array.dtype))
            inputs[place] = duals.attach(alias(x.detach()), level, tangent)
        found = []
        for y in floats(check.func(*inputs)):
            tangent_of_y = duals.tangent_of(y, level)
            found.append(np.zeros_like(y.array) if tangent_of_y is None else tangent_of_y.array)
        return found
    finally:
        duals.leave_manual()
