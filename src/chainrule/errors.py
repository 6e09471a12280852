"""Every exception of chainrule, and the helpers that phrase shapes, operations and source lines.

Each class is at once the type that torch's users catch and the one that NumPy's users catch.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from typing import Any, Final


class Refusal(RuntimeError, ValueError):
    """What torch refuses as well, in torch's words (torch raises RuntimeError, NumPy ValueError)."""


class IndexRefusal(IndexError, ValueError):
    """A place that does not exist, in torch's words."""


class ShapeError(Refusal):
    """Shapes that do not fit together."""


class AxisError(IndexRefusal):
    """An axis that the array does not have (torch raises IndexError, NumPy AxisError)."""


class GraphError(RuntimeError):
    """A backward pass that cannot be done: nothing recorded, already freed, a saved value overwritten."""


class NotInTable(TypeError, NotImplementedError):
    """A NumPy function without a declaration in the derivative table."""


class NotANotebook(ValueError):
    """A file that is no Jupyter notebook."""


class LinAlgError(Refusal):
    """A matrix that cannot be factorised or inverted."""


class Unknown(AttributeError):
    """A name that an object of the user's does not have; the message, made when it is read, says which come nearest."""

    def __init__(self, owner: str, name: str, known: Callable[[], Iterable[str]]) -> None:
        super().__init__(owner, name)
        self._known = known

    def __str__(self) -> str:
        owner, name = self.args
        text = f"{owner} has no attribute {name!r}"
        return text if name.startswith("__") else text + self.hint(nearest(name, self._known()))

    def hint(self, near: list[str]) -> str:
        """What to say of the nearest names."""
        return f". Did you mean: {', '.join(map(repr, near))}?" if near else ""


class Missing(Unknown):
    """A name that torch may have and chainrule does not."""

    def hint(self, near: list[str]) -> str:
        return ": chainrule does not have it." + (f" The nearest: {', '.join(near)}." if near else "")


def missing(module: str, name: str, known: Iterable[str]) -> Missing:
    """The error for a name that a module does not have, naming the nearest of ``known``.

    >>> print(missing("chainrule.nn", "Lineal", ["Linear", "Bilinear", "ReLU"]))
    module 'chainrule.nn' has no attribute 'Lineal': chainrule does not have it. The nearest: Linear, Bilinear.
    """
    return Missing(f"module {module!r}", name, lambda: known)


def nearest(name: str, known: Iterable[str]) -> list[str]:
    """The other names most like ``name``, the most like it first."""
    import difflib

    by_lower = {k.lower(): k for k in known if not k.startswith("_") and k != name}
    return [by_lower[k] for k in difflib.get_close_matches(name.lower(), by_lower, 3, 0.7)]


# Names

TYPE_NAMES: Final = {
    "float32": ("Float", "float"), "float64": ("Double", "double"), "float16": ("Half", "c10::Half"),
    "bfloat16": ("BFloat16", "c10::BFloat16"), "int64": ("Long", "long int"), "int32": ("Int", "int"),
    "int16": ("Short", "short int"), "int8": ("Char", "signed char"), "uint8": ("Byte", "unsigned char"),
    "bool": ("Bool", "bool"), "complex64": ("ComplexFloat", "c10::complex<float>"),
    "complex128": ("ComplexDouble", "c10::complex<double>"),
    "uint16": ("UInt16", "short unsigned int"), "uint32": ("UInt32", "unsigned int"),
    "uint64": ("UInt64", "long unsigned int"),
}  # fmt: skip  # by the dtype's name: torch's, and that of its C++ type, which some messages use


def type_name(dtype: Any) -> str:
    """torch's name of an element type (chainrule's or NumPy's) in messages: "Float", "Long"."""
    return TYPE_NAMES.get(dtype.name, (dtype.name,))[0]


def c_type_name(dtype: Any) -> str:
    """The C++ name of an element type, which some of torch's messages use: "float", "long int"."""
    return TYPE_NAMES.get(dtype.name, (dtype.name,))[-1]


def times(shape: Iterable[int]) -> str:
    """A shape as torch's messages about products write it.

    >>> times((2, 3))
    '2x3'
    """
    return "x".join(map(str, shape))


def not_a_tensor(name: str, argument: str, position: int, value: Any) -> TypeError:
    """The error for an argument that should have been a tensor.

    >>> print(not_a_tensor("sin", "input", 1, 0.5))
    sin(): argument 'input' (position 1) must be Tensor, not float
    """
    return TypeError(f"{name}(): argument '{argument}' (position {position}) must be Tensor, not {type(value).__name__}")


def not_tensors(name: str, arguments: dict[str, Any], is_tensor: Callable[[Any], bool]) -> TypeError | None:
    """The error for the first of ``arguments`` (by name, in order) that is no tensor; None if all are."""
    for position, (argument, value) in enumerate(arguments.items(), 1):
        if not is_tensor(value):
            return not_a_tensor(name, argument, position, value)
    return None


# Shapes and axes


def shape_text(shape: Iterable[int]) -> str:
    """A shape as torch's messages write it.

    >>> shape_text((2, 3))
    '[2, 3]'
    """
    return "[" + ", ".join(map(str, shape)) + "]"


def broadcast_error(a: tuple[int, ...], b: tuple[int, ...]) -> ShapeError | None:
    """The error for two shapes that do not broadcast; None if they do.

    >>> print(broadcast_error((3,), (4,)))
    The size of tensor a (3) must match the size of tensor b (4) at non-singleton dimension 0
    """
    ndim = max(len(a), len(b))
    for back in range(1, ndim + 1):
        m = a[-back] if back <= len(a) else 1
        n = b[-back] if back <= len(b) else 1
        if m != n and 1 not in (m, n):
            return ShapeError(
                f"The size of tensor a ({m}) must match the size of tensor b ({n}) at non-singleton dimension {ndim - back}"
            )
    return None


def axis_error(axis: int, ndim: int) -> AxisError:
    """The error for an axis outside ``[-ndim, ndim)`` (a 0-d array accepts -1 and 0).

    >>> print(axis_error(1, 1))
    Dimension out of range (expected to be in range of [-1, 0], but got 1)
    """
    reach = max(ndim, 1)
    return AxisError(f"Dimension out of range (expected to be in range of [{-reach}, {reach - 1}], but got {axis})")


def expand_error(have: tuple[int, ...], wanted: tuple[int, ...], dtype: Any) -> ShapeError | None:
    """The error for an array of shape ``have`` that cannot be stretched to ``wanted`` (-1 keeps a length), or None."""
    sizes = f"Target sizes: {shape_text(wanted)}.  Tensor sizes: {shape_text(have)}"
    if len(wanted) < len(have):
        return ShapeError(
            f"expand(torch.{type_name(dtype)}Tensor{{{shape_text(have)}}}, size={shape_text(wanted)}): the number of sizes "
            f"provided ({len(wanted)}) must be greater or equal to the number of dimensions in the tensor ({len(have)})"
        )
    new = len(wanted) - len(have)
    for k, size in enumerate(wanted):
        if k < new and size < 0:
            return ShapeError(
                f"The expanded size of the tensor ({size}) isn't allowed in a leading, non-existing dimension {k}"
            )
        if k >= new and size != -1 and have[k - new] not in (1, size):
            return ShapeError(
                f"The expanded size of the tensor ({size}) must match the existing size ({have[k - new]}) at non-singleton "
                f"dimension {k}.  {sizes}"
            )
    return None


def reshape_error(wanted: tuple[int, ...], size: int) -> ShapeError:
    """The error for ``size`` elements that do not fit into the shape ``wanted``."""
    if wanted.count(-1) > 1:
        return ShapeError("only one dimension can be inferred")
    for k, n in enumerate(wanted):
        if n < -1:
            return ShapeError(f"invalid shape dimension {n} at index {k} of shape {shape_text(wanted)}")
    if size == 0 and -1 in wanted and 0 in wanted:
        return ShapeError(
            f"cannot reshape tensor of 0 elements into shape {shape_text(wanted)} because the unspecified dimension size "
            "-1 can be any value and is ambiguous"
        )
    return ShapeError(f"shape '{shape_text(wanted)}' is invalid for input of size {size}")


# NumPy's errors in torch's words. All of this runs when an operation has failed already.

Shapes = list[tuple[int, ...]]


def translate(fault: Exception, op: str, shapes: Shapes) -> Exception:
    """NumPy's error in the types and words that torch's users look for, with the operation and its shapes."""
    if isinstance(fault, (Refusal, IndexRefusal)):
        return fault
    text = str(fault)
    if op in WORDS:
        error = WORDS[op](text, op, shapes)
        if error is not None:
            return error
    if isinstance(fault, IndexError):
        return index_fault(fault, op, shapes)
    if isinstance(fault, TypeError):
        return TypeError(f"{op}(): {text}")
    where = ", ".join(map(shape_text, shapes))
    kind = LinAlgError if type(fault).__name__ == "LinAlgError" else ShapeError
    return kind(f"{op}(): {text} (operand shapes {where})")


def index_fault(fault: Exception, op: str, shapes: Shapes) -> Exception:
    """NumPy's error about an axis or an index in torch's words."""
    text = str(fault)
    found = re.search(r"axis (-?\d+) is out of bounds for array of dimension (\d+)", text)
    if found:
        return axis_error(int(found[1]), int(found[2]))
    found = re.search(r"index (-?\d+) is out of bounds for axis (\d+) with size (\d+)", text)
    if found:
        return IndexRefusal(f"index {found[1]} is out of bounds for dimension {found[2]} with size {found[3]}")
    found = re.search(r"boolean index did not match .* along axis (\d+); size of axis is", text)
    if found and len(shapes) == 2:  # one mask: it starts where the axes that it covers allow
        axis, mask = int(found[1]), shapes[1]
        at = next((k for k in range(len(mask)) if shapes[0][axis] != mask[k] and k <= axis), 0)
        return mask_error(mask, at, shapes[0], axis)
    if "too many indices" in text:
        return IndexRefusal(f"too many indices for tensor of dimension {len(shapes[0])}")
    found = re.search(r"could not be broadcast together with shapes (.*)", text)
    if found and "indexing arrays" in text:
        parts = ", ".join(f"[{part.strip(',').replace(',', ', ')}]" for part in re.findall(r"\(([\d,]*)\)", found[1]))
        return IndexRefusal(f"shape mismatch: indexing tensors could not be broadcast together with shapes {parts}")
    return IndexRefusal(f"{op}(): {text}")


def mask_error(mask: tuple[int, ...], at: int, shape: tuple[int, ...], axis: int) -> IndexRefusal:
    """The error for a mask whose axis ``at`` is not as long as the tensor's ``axis``."""
    return IndexRefusal(
        f"The shape of the mask {shape_text(mask)} at index {at} does not match the shape of the indexed tensor "
        f"{shape_text(shape)} at index {axis}"
    )


def _mm(text: str, op: str, shapes: Shapes) -> Exception | None:
    (a, b) = shapes
    return ShapeError(f"mat1 and mat2 shapes cannot be multiplied ({times(a)} and {times(b)})")


def _addmm(text: str, op: str, shapes: Shapes) -> Exception | None:
    bias, a, b = shapes
    return _mm(text, op, [a, b]) if a[-1:] != b[:1] else expand_error(bias, (a[0], b[1]), None)


def _mv(text: str, op: str, shapes: Shapes) -> Exception | None:
    (rows, columns), (n,) = shapes
    return ShapeError(f"size mismatch, got input ({rows}), mat ({rows}x{columns}), vec ({n})")


def _dot(text: str, op: str, shapes: Shapes) -> Exception | None:
    a, b = shapes
    return ShapeError(
        f"inconsistent tensor size, expected tensor {shape_text(a)} and src {shape_text(b)} to have the same number of "
        f"elements, but got {math.prod(a)} and {math.prod(b)} elements respectively"
    )


def _matmul(text: str, op: str, shapes: Shapes) -> Exception | None:
    a, b = shapes
    if not a or not b:
        return ShapeError(f"both arguments to matmul need to be at least 1D, but they are {len(a)}D and {len(b)}D")
    if len(b) <= 2:  # torch folds the stack into one matrix
        a = (math.prod(a[:-1]), a[-1])
        return _mm(text, op, [a, b]) if len(b) == 2 else _mv(text, op, [a, b])
    error = broadcast_error(a[:-2], b[:-2])
    if error is not None:
        return error
    stacks = max(math.prod(a[:-2]), math.prod(b[:-2]))
    return ShapeError(
        f"Expected size for first two dimensions of batch2 tensor to be: {shape_text((stacks, a[-1]))} but got: "
        f"{shape_text((stacks, b[-2]))}."
    )


def _transpose(text: str, op: str, shapes: Shapes) -> Exception | None:
    return ShapeError("permute(): duplicate dims are not allowed.") if "repeated axis" in text else None


def _solve(text: str, op: str, shapes: Shapes) -> Exception | None:
    if "mismatch" not in text:
        return None
    a, b = shapes
    b = (*b, 1) if len(b) < len(a) else b
    return ShapeError(
        f"linalg.solve: Incompatible shapes of A and B for the equation AX = B ({times(a[-2:])} and {times(b[-2:])})"
    )


def _repeat(text: str, op: str, shapes: Shapes) -> Exception | None:
    found = re.search(r"broadcast together with shape \((\d+),\) \((\d+),\)", text)
    if found:
        return ShapeError(
            f"repeats must have the same size as input along dim, but got repeats.size(0) = {found[2]} and "
            f"input.size(0) = {found[1]}"
        )
    return Refusal("Repeats must be non-negative") if "negative" in text else None


def _power(text: str, op: str, shapes: Shapes) -> Exception | None:
    return Refusal(text) if "negative integer powers" in text else None


def _by_index(text: str, op: str, shapes: Shapes) -> Exception | None:
    """torch's gather and scatter raise RuntimeError where indexing raises IndexError."""
    found = re.search(r"index (-?\d+) is out of bounds for axis (\d+) with size (\d+)", text)
    if found:
        return Refusal(f"index {found[1]} is out of bounds for dimension {found[2]} with size {found[3]}")
    if "must be of integer" in text:
        return Refusal(f"{op.removesuffix('_add')}(): Expected dtype int32/int64 for index")
    return None


WORDS: Final[dict[str, Callable[[str, str, Shapes], Exception | None]]] = {
    "mm": _mm, "addmm": _addmm, "mv": _mv, "dot": _dot, "matmul": _matmul, "transpose": _transpose, "power": _power,
    "gather": _by_index,
    "solve": _solve, "repeat": _repeat, "scatter": _by_index, "scatter_add": _by_index, "index_add": _by_index,
}  # fmt: skip  # what an operation's name says about NumPy's message
