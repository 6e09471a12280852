"""The cells of a report: arrays, factors and local derivatives as they are written."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from chainrule.core.primitive import ELEMENTWISE
from chainrule.insight.blocks import Cell, Numbers, padded
from chainrule.insight.figures import figure, figures
from chainrule.insight.formulas import ONES, atom
from chainrule.insight.numeric import Check
from chainrule.insight.scanner import columns
from chainrule.insight.sweeps import Local
from chainrule.insight.trace import Value

LONGEST_FACTOR: Final = 30
SAID_BY_NUMBERS: Final = ("1", "-1", "1·I", "(-1)·I", ONES)  # formulas that would only repeat them


def compared(checked: Check | None, x: Value) -> Cell:
    """The numeric gradient, or how many of its entries were computed."""
    if checked is None:
        return "–"
    if len(checked.entries) < x.size:
        return f"({len(checked.entries)}/{x.size})"
    return Numbers(checked.numeric.reshape(x.shape or ()))


def cut(text: str, width: int) -> str:
    """``text`` without its middle, if it is wider than ``width``."""
    if columns(text) <= width:
        return text
    half = width // 2 if text.isascii() else width // 4
    return f"{text[:half]} … {text[-half:]}"


def column(tangent: np.ndarray) -> np.ndarray:
    """A vector as a column, to be written ``[1; 2]``; anything else as it is."""
    return tangent.reshape(-1, 1) if tangent.ndim == 1 else tangent


def many(n: int) -> str:
    """A number that may be astronomical."""
    return str(n) if n < 10**9 else f"10^{int(n.bit_length() * 0.30103)}"


def factor_text(factor: Local | np.ndarray) -> str:
    """A local derivative or an array as a factor of a product, nothing if it is too long for that."""
    if isinstance(factor, Local):
        cell = number_cell(factor, "")
        text = "…" if cell is None else cell.fit(LONGEST_FACTOR)
    else:
        text = figures(factor.reshape(()) if factor.size == 1 else factor, LONGEST_FACTOR)
    return "" if "…" in text else text


def bracketed(text: str) -> str:
    """A factor that is not the first one, in brackets if it needs them."""
    return f"({text})" if text.startswith("-") or "·" in text else text


def number_cell(local: Local, before: str) -> Numbers | None:
    """The numbers of a local derivative behind ``before``, None if they are many."""
    d, j = local.diagonal, local.jacobian
    if d is not None:
        if not d.size or (d != d[0]).any():
            return Numbers(d, f"{before}diag", round=True)
        factor = {"1": "", "-1": "-"}.get(figure(d[0]), f"{figure(d[0])}·")
        return Numbers(None, f"{before}{factor}I")
    if j is None:
        return None
    return Numbers(j.reshape(()) if j.size == 1 else j, before)


def local_cell(local: Local, width: int) -> Cell:
    """A local derivative as its name, its formula and its numbers."""
    name = f"{padded(local.name, width)} = "
    text = local.formula
    if local.diagonal is not None:
        by_itself = local.output.name in text or local.operand.name in text
        if text:
            text = f"diag({text})" if by_itself or not uniform(local.diagonal) else f"{atom(text)}·I"
    elif is_stretched(local):
        text = ""
    numbers = number_cell(local, "")
    if numbers is None:
        return name + (text or "…")
    shown = numbers.fit(60)
    if not text or text in (shown, f"({shown})", *SAID_BY_NUMBERS):
        return replace(numbers, before=name + numbers.before)
    return replace(numbers, before=f"{name}{text} = {numbers.before}")


def uniform(d: np.ndarray) -> bool:
    """Whether all numbers on a diagonal are the same."""
    return bool((d == d[:1]).all())


def is_stretched(local: Local) -> bool:
    """Whether the formula, meant for scalars, does not describe the Jacobian: some axis was stretched."""
    elementwise = local.step.node.form.primitive.kind == ELEMENTWISE
    return elementwise and local.operand.shape not in ((), local.output.shape)
