"""The text of a tensor, as torch prints it.

Works on NumPy arrays and names of dtypes, and knows no tensor class: the tensor hands over its array, the
name of its dtype and what is to be said of its gradient, and gets the text back.

A text is made in three steps: every number becomes a *cell* (its characters, and the width that all cells
of the tensor are aligned to), the cells are laid out in nested brackets, and labels such as
``dtype=torch.float64`` are put after them.
"""

from __future__ import annotations

import math
import operator
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, SupportsIndex

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["get_printoptions", "set_printoptions", "tensor_text"]

_MOST_DIGITS = 1074
"""No double has more digits than this after its decimal point."""


# --------------------------------------------------------------------------------------------------------
# Options


class _Options(NamedTuple):
    """One state of the print options; never changed, only replaced, so that a reader sees no half state."""

    precision: int = 4
    threshold: float = 1000
    edgeitems: int = 3
    linewidth: int = 80
    sci_mode: bool | None = None


_PROFILES = {
    "default": _Options(),
    "short": _Options(precision=2, edgeitems=2),
    "full": _Options(threshold=math.inf),
}

_options = _Options()
_options_lock = threading.Lock()


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Choose how tensors are printed, in every thread.

    Args:
        precision: digits after the decimal point (4 at first).
        threshold: a tensor of more elements than this is summarised (1000 at first; ``math.inf`` for never).
        edgeitems: how many items a summary shows at each end of each dimension (3 at first).
        linewidth: characters to a line, past which rows and labels are broken (80 at first).
        profile: ``"default"``, ``"short"`` or ``"full"``: values for all of the above, which those given
            beside it replace.
        sci_mode: True for scientific notation, False for none, None to choose by the tensor's values. As
            in torch, a call that leaves it out sets it back to None.

    Raises:
        ValueError: an option is not usable; no option has changed then.

    >>> set_printoptions(precision=2)
    >>> print(tensor_text(np.array([1.12345], np.float32), "float32"))
    tensor([1.12])
    >>> set_printoptions(profile="default")
    """
    global _options
    given: dict[str, Any] = {}
    if precision is not None:
        given["precision"] = _count("precision", precision, most=_MOST_DIGITS)
    if threshold is not None:
        given["threshold"] = _number("threshold", threshold)
    if edgeitems is not None:
        given["edgeitems"] = _count("edgeitems", edgeitems)
    if linewidth is not None:
        given["linewidth"] = _count("linewidth", linewidth)
    if profile is not None and not (isinstance(profile, str) and profile in _PROFILES):
        raise ValueError(f"profile must be one of {', '.join(map(repr, _PROFILES))}, not {profile!r}")
    if sci_mode is not None and not isinstance(sci_mode, (bool, np.bool_)):
        raise ValueError(f"sci_mode must be True, False or None, not {sci_mode!r}")
    given["sci_mode"] = None if sci_mode is None else bool(sci_mode)

    with _options_lock:  # two threads setting different options must both have their way
        _options = (_options if profile is None else _PROFILES[profile])._replace(**given)


def get_printoptions() -> dict[str, Any]:
    """The options now in force, as keyword arguments for :func:`set_printoptions`.

    >>> get_printoptions()["edgeitems"]
    3
    """
    return _options._asdict()


def _count(name: str, value: SupportsIndex, most: int | None = None) -> int:
    try:
        count = -1 if isinstance(value, (bool, np.bool_)) else operator.index(value)
    except TypeError:
        count = -1
    if count < 0 or (most is not None and count > most):
        limit = "" if most is None else f" and at most {most}"
        raise ValueError(f"{name} must be an integer of at least 0{limit}, not {value!r}")
    return count


def _number(name: str, value: float) -> float:
    real = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    if not real or math.isnan(value):
        raise ValueError(f"{name} must be a number, not {value!r}")
    return value


# --------------------------------------------------------------------------------------------------------
# Numbers to cells


class _Cells(NamedTuple):
    """The texts of a tensor's numbers, in order, and the width reckoned for each.

    A text may be longer than the width: torch takes the width from the finite, nonzero numbers alone.
    """

    texts: list[str]
    width: int

    def aligned(self) -> _Cells:
        return _Cells([text.rjust(self.width) for text in self.texts], self.width)


class _FloatFormat(NamedTuple):
    """How the floats of one tensor are written: one format for all of them, chosen by their values."""

    spec: str
    whole: bool = False
    """All numbers are integers: they are written as ``1.``, the point telling them from ints."""

    @classmethod
    def choose(cls, values: npt.NDArray[np.float64], options: _Options) -> _FloatFormat:
        """The format for a tensor whose finite, nonzero numbers are ``values``."""
        if values.size == 0:
            return cls(".0f", whole=True)  # even where sci_mode is True
        scientific = _wide_range(values) if options.sci_mode is None else options.sci_mode
        if scientific:
            return cls(f".{options.precision}e")
        if np.array_equal(values, np.ceil(values)):
            return cls(".0f", whole=True)
        return cls(f".{options.precision}f")

    def texts(self, values: list[float]) -> list[str]:
        texts = [format(value, self.spec) for value in values]
        if self.whole:
            return [f"{t}." if math.isfinite(v) else t for t, v in zip(texts, values, strict=True)]
        return texts


def _wide_range(values: npt.NDArray[np.float64]) -> bool:
    """Whether fixed-point notation would lose too much of these finite, nonzero numbers."""
    magnitudes = np.abs(values)
    # Python floats: their quotient may overflow to infinity without a warning.
    low, high = float(magnitudes.min()), float(magnitudes.max())
    return high / low > 1000.0 or high > 1e8 or low < 1e-4


def _float_cells(array: npt.NDArray[Any], options: _Options) -> _Cells:
    with np.errstate(invalid="ignore"):  # a signalling nan would warn as it is widened
        values = array.astype(np.float64).reshape(-1)
    sizing = np.isfinite(values) & (values != 0)
    texts = _FloatFormat.choose(values[sizing], options).texts(values.tolist())
    width = max((len(texts[i]) for i in np.flatnonzero(sizing)), default=1)
    return _Cells(texts, width)


def _complex_cells(array: npt.NDArray[Any], options: _Options) -> _Cells:
    real, imag = _float_cells(array.real, options), _float_cells(array.imag, options)
    # Only the real parts are aligned; an imaginary part follows its real part at once.
    texts = [
        f"{re}{im}j" if im.startswith("-") else f"{re}+{im}j" for re, im in zip(real.aligned().texts, imag.texts, strict=True)
    ]
    return _Cells(texts, real.width + imag.width + 1)


def _cells(array: npt.NDArray[Any], options: _Options) -> _Cells:
    """One cell, aligned, for each number of an array that is not empty."""
    kind = array.dtype.kind
    if kind == "c":
        return _complex_cells(array, options)
    if kind in "biu":
        texts = [str(value) for value in array.reshape(-1).tolist()]
        return _Cells(texts, max(map(len, texts))).aligned()
    return _float_cells(array, options).aligned()  # NumPy's own floats, and those of ml_dtypes (of kind "V")


# --------------------------------------------------------------------------------------------------------
# Cells to brackets


class _Edges(NamedTuple):
    """What a summary keeps of an array, and where it left something out."""

    kept: npt.NDArray[Any]
    cut: tuple[bool, ...]


def _edges(array: npt.NDArray[Any], edgeitems: int) -> _Edges:
    cut = tuple(size > 2 * edgeitems for size in array.shape)
    picks = [
        np.r_[0:edgeitems, size - edgeitems : size] if short else np.arange(size)
        for size, short in zip(array.shape, cut, strict=True)
    ]
    return _Edges(array[np.ix_(*picks)], cut)


def _groups(items: list[str], size: int) -> Iterator[list[str]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _brackets(array: npt.NDArray[Any], indent: int, options: _Options) -> str:
    """The numbers of the array in nested brackets, the first of which stands at column ``indent``."""
    if array.size == 0:
        return "[]"
    cut: tuple[bool, ...] = (False,) * array.ndim
    if array.size > options.threshold and array.ndim > 0:
        if options.edgeitems == 0:
            return "[...]"
        array, cut = _edges(array, options.edgeitems)

    cells = _cells(array, options)
    blocks = cells.texts
    # From the innermost dimension out: each step joins the blocks along one dimension into larger blocks.
    for depth in reversed(range(array.ndim)):
        innermost = depth == array.ndim - 1
        margin = " " * (indent + depth + 1)
        joined = []
        for group in _groups(blocks, array.shape[depth]):
            if cut[depth]:
                group.insert(options.edgeitems, " ..." if innermost else "...")
            if innermost:
                room = options.linewidth - indent - depth
                per_line = max(1, room // (cells.width + len(", ")))
                text = f",\n{margin}".join(map(", ".join, _groups(group, per_line)))
            else:
                # Matrices are set apart by a blank line, what holds them by two, and so on.
                newlines = "\n" * (array.ndim - depth - 1)
                text = f",{newlines}{margin}".join(group)
            joined.append(f"[{text}]")
        blocks = joined
    return blocks[0]


# --------------------------------------------------------------------------------------------------------
# Labels, and the whole


def _shape_and_dtype(array: npt.NDArray[Any], dtype_name: str, default_dtype_name: str, options: _Options) -> Iterator[str]:
    """The labels for what the numbers alone do not show."""
    if array.size == 0:
        shown = {default_dtype_name}  # with no number to look at, not even int64 can be told
        shape_unclear = array.ndim != 1
    else:
        default_complex = "complex128" if default_dtype_name == "float64" else "complex64"
        shown = {default_dtype_name, default_complex, "int64", "bool"}
        shape_unclear = options.edgeitems == 0
    if shape_unclear:
        yield f"size={array.shape}"
    if dtype_name not in shown:
        yield f"dtype=torch.{dtype_name}"


def _with_labels(text: str, labels: list[str], indent: int, linewidth: int) -> str:
    """Put the labels after the text, each on the line there is or, past the line's end, on a new one."""
    # Two columns are kept free on the text's own last line (torch counts so), none on those begun here.
    column = len(text) - (text.rfind("\n") + 1) + 2
    parts = [text]
    for label in labels:
        if column + len(", ") + len(label) > linewidth:
            parts.append(f",\n{' ' * indent}{label}")
            column = indent + len(label)
        else:
            parts.append(f", {label}")
            column += len(", ") + len(label)
    return "".join(parts) + ")"


def tensor_text(
    array: npt.NDArray[Any],
    dtype_name: str,
    *,
    default_dtype_name: str = "float32",
    grad_fn: str | None = None,
    requires_grad: bool = False,
    prefix: str = "tensor(",
    suffixes: tuple[str, ...] = (),
) -> str:
    """The text that torch prints for a tensor, as its ``repr``.

    Args:
        array: the tensor's numbers.
        dtype_name: the tensor's dtype, such as ``"bfloat16"``; shown where the numbers do not tell it.
        default_dtype_name: the floating-point dtype that goes without saying.
        grad_fn: the name of the node that made the tensor, such as ``"MulBackward0"``.
        requires_grad: whether to say so, for a tensor without ``grad_fn``.
        prefix: what comes before the numbers, up to and with the opening parenthesis.
        suffixes: further labels, put last (such as ``tangent=...`` of a dual tensor).

    >>> print(tensor_text(np.array([0., 1.], np.float32), "float32"))
    tensor([0., 1.])
    >>> print(tensor_text(np.array([[0.5, -2.]]), "float64", requires_grad=True))
    tensor([[ 0.5000, -2.0000]], dtype=torch.float64, requires_grad=True)
    """
    options = _options  # read once: another thread may replace them meanwhile
    indent = len(prefix)
    labels = list(_shape_and_dtype(array, dtype_name, default_dtype_name, options))
    if grad_fn is not None:
        labels.append(f"grad_fn=<{grad_fn}>")
    elif requires_grad:
        labels.append("requires_grad=True")
    labels.extend(suffixes)
    return _with_labels(prefix + _brackets(array, indent, options), labels, indent, options.linewidth)
