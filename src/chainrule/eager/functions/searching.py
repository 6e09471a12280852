"""Where elements are, which there are and how often, with torch's names of axes."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from chainrule.core import spec
from chainrule.eager.functions.axes import axis_of
from chainrule.eager.functions.reductions import result_text, sort
from chainrule.eager.refusing import underived
from chainrule.eager.tensor import Tensor, wrap
from chainrule.errors import Refusal, not_a_tensor, type_name


def _array(name: str, input: Any) -> np.ndarray:
    if not isinstance(input, Tensor):
        raise not_a_tensor(name, "input", 1, input)
    return input.array  # type: ignore[no-any-return]


def nonzero(input: Any, *, as_tuple: bool = False) -> Any:
    """A row of indices for each element that is not zero; with ``as_tuple`` a tensor of them for each axis."""
    array = _array("nonzero", input)
    if as_tuple:
        return tuple(map(wrap, np.nonzero(array if array.ndim else array[None])))
    return wrap(np.argwhere(array))


def argwhere(input: Any) -> Tensor:
    """A row of indices for each element that is not zero."""
    return wrap(np.argwhere(_array("argwhere", input)))


def unique(input: Any, sorted: bool = True, return_inverse: bool = False, return_counts: bool = False,
           dim: int | None = None) -> Any:  # fmt: skip
    """The different elements (or slices along ``dim``) in order, on request which of them stands where, and how often."""
    array = _array("unique", input)
    axis = None if dim is None else axis_of(dim, array.ndim)
    settings: Any = {"return_inverse": return_inverse, "return_counts": return_counts, "axis": axis, "equal_nan": False}
    found = np.unique(array, **settings)
    several = found if isinstance(found, tuple) else (found,)
    values = underived("_unique2" if dim is None else "unique_dim", input, several[0])
    return (values, *map(wrap, several[1:])) if isinstance(found, tuple) else values


def unique_consecutive(input: Any, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None) -> Any:
    """The elements (or slices along ``dim``) without those that equal the one before, on request as in `unique`."""
    array = _array("unique_consecutive", input)
    axis = 0 if dim is None else axis_of(dim, array.ndim)
    rows = array.reshape(-1) if dim is None else np.moveaxis(array, axis, 0)
    changes = (rows[1:] != rows[:-1]).any(tuple(range(1, rows.ndim)))
    first = np.flatnonzero(np.concatenate([np.ones(min(len(rows), 1), bool), changes]))
    values = underived("unique_consecutive", input, np.moveaxis(rows[first], 0, axis))
    if not (return_inverse or return_counts):
        return values
    counts = np.diff(np.append(first, len(rows)))
    inverse = np.repeat(np.arange(len(first)), counts)
    extra = [inverse if dim is not None else inverse.reshape(array.shape)] if return_inverse else []
    return (values, *map(wrap, [*extra, counts] if return_counts else extra))


def bincount(input: Any, weights: Any = None, minlength: int = 0) -> Tensor:
    """How often each whole number from 0 on occurs; or the sum of the ``weights`` that stand where it does."""
    array = _array("bincount", input)
    if input.dtype.category != spec.INTEGER:
        raise NotImplementedError(f"\"bincount_cpu\" not implemented for '{type_name(input.dtype)}'")
    if array.ndim != 1 or np.any(array < 0):
        raise Refusal("bincount only supports 1-d non-negative integral inputs.")
    if weights is None:
        return wrap(np.bincount(array, minlength=minlength))
    kept = weights.array.dtype if weights.dtype.is_floating_point else np.dtype(np.float64)
    return wrap(np.bincount(array, weights.array, minlength).astype(kept))


class TopResult(NamedTuple):
    """The largest (or smallest) elements and where they stood."""

    values: Any
    indices: Any

    def __repr__(self) -> str:
        return result_text("topk", self)


def isin(elements: Any, test_elements: Any, *, assume_unique: bool = False, invert: bool = False) -> Any:
    """Where ``elements`` are among ``test_elements``."""
    values, tests = (x.array if isinstance(x, Tensor) else np.asarray(x) for x in (elements, test_elements))
    return wrap(np.isin(values, tests, invert=invert))


def searchsorted(
    sorted_sequence: Any, input: Any, *, out_int32: bool = False, right: bool = False, side: str | None = None,
    sorter: Any = None,
) -> Any:  # fmt: skip
    """Where ``input`` would have to be inserted for the sequences along the last axis to stay in order.

    With ``sorter`` they are in order when taken by it. The places are int64, or int32 with ``out_int32``.
    """
    rows = _array("searchsorted", sorted_sequence)
    if sorter is not None:
        rows = np.take_along_axis(rows, _array("searchsorted", sorter), -1)
    values = input.array if isinstance(input, Tensor) else np.asarray(input)
    where: Any = side or ("right" if right else "left")
    kind = np.int32 if out_int32 else np.int64
    if rows.ndim == 1:
        return wrap(np.asarray(np.searchsorted(rows, values, where), kind))
    if rows.shape[:-1] != values.shape[:-1]:
        raise Refusal("torch.searchsorted(): boundaries tensor should be 1 dimension or the first N-1 dimensions of "
                      "boundaries tensor and input value tensor must match")  # fmt: skip
    flat = zip(rows.reshape(-1, rows.shape[-1]), values.reshape(-1, values.shape[-1]), strict=True)
    return wrap(np.array([np.searchsorted(row, value, where) for row, value in flat], kind).reshape(values.shape))


def bucketize(input: Any, boundaries: Any, *, out_int32: bool = False, right: bool = False) -> Any:
    """The number of the interval between ``boundaries`` that each element lies in, as int64 (or int32)."""
    return searchsorted(boundaries, input, out_int32=out_int32, right=right)


def topk(input: Any, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> TopResult:
    """The ``k`` largest elements along ``dim`` (or smallest), in order, and where they stood; equal ones in theirs."""
    array = _array("topk", input)
    axis = axis_of(dim, array.ndim)
    if not 0 <= k <= (array.shape[axis] if array.ndim else 1):
        raise Refusal("selected index k out of range")
    found = sort(input, dim, descending=largest)
    if array.ndim == 0:
        return TopResult(*found)
    return TopResult(*(part.narrow(axis, 0, k) for part in found))
