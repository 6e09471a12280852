"""Storing at places named by index tensors and masks: torch's scatter and index families, as functions."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.core.box import dispatch
from chainrule.core.primitive import TABLE
from chainrule.eager.creation import tensor
from chainrule.eager.data import number_for
from chainrule.eager.functions.axes import axis_of
from chainrule.eager.functions.indexing import check_index, check_range, normal_key, too_large
from chainrule.eager.functions.viewing import check_strides
from chainrule.eager.specialise import F
from chainrule.eager.tensor import Tensor, wrap
from chainrule.eager.views import window_of
from chainrule.errors import IndexRefusal, Refusal, ShapeError, c_type_name, shape_text, type_name
from chainrule.ops import indexing, strided


def scatter(input: Any, dim: int, index: Any, src: Any = None, value: Any = None, reduce: str | None = None) -> Any:
    """A copy of ``input`` with ``src`` (or ``value``) stored, or by ``reduce`` added or multiplied in, at ``index``."""
    src = value if src is None else src
    if isinstance(index, Tensor) and not index.array.size:
        return F.copy(input)
    check_index("scatter", input, index, "self")
    axis = axis_of(dim, input.ndim)
    if isinstance(src, Tensor) and src.dtype is not input.dtype:
        raise Refusal("scatter(): Expected self.dtype to be equal to src.dtype")
    if reduce is not None:
        if reduce not in ("add", "multiply"):
            raise Refusal("reduce argument must be either add or multiply.")
        spread = src if isinstance(src, Tensor) else tensor(src, dtype=input.dtype).expand(index.shape)
        return scatter_reduce(input, dim, index, spread, "sum" if reduce == "add" else "prod")
    return _placed(F.scatter, input, index, src if isinstance(src, Tensor) else cast_for(input, src), axis)


def cast_for(input: Any, value: Any) -> Any:
    """A number or tensor in the dtype of ``input``: what is stored there."""
    if isinstance(value, Tensor):
        return value.cast(input.dtype)
    if isinstance(value, complex) and not input.is_complex():
        raise Refusal(f"value cannot be converted to type {c_type_name(input.dtype)} without overflow")
    return number_for(input, value)


def check_dtype(name: str, input: Any, source: Any) -> None:
    """Refuse a source of another dtype than the tensor that it is stored in."""
    if source.dtype is not input.dtype:
        raise Refusal(f"{name}: self and source expected to have the same dtype, but got (self) {type_name(input.dtype)} and "
                      f"(source) {type_name(source.dtype)}")  # fmt: skip


def _placed(fun: Any, input: Any, index: Any, src: Any, axis: int) -> Any:
    if input.ndim == 0 or index.ndim == 0:
        flat = F.reshape(src, (-1,)) if isinstance(src, Tensor) else src
        return F.reshape(_placed(fun, F.reshape(input, (-1,)), F.reshape(index, (-1,)), flat, 0), input.array.shape)
    check_range(input, index, axis)
    if isinstance(src, Tensor) and src.ndim and any(n > m for n, m in zip(index.array.shape, src.array.shape, strict=False)):
        raise Refusal(
            f"Expected index {shape_text(index.array.shape)} to be no larger than src {shape_text(src.array.shape)} in all "
            "dimensions"
        )
    try:
        return fun(input, index, src, axis=axis)
    except (Refusal, IndexRefusal) as fault:
        raise too_large(input, index, axis) or fault from None


def scatter_add(input: Any, dim: int, index: Any, src: Any) -> Any:
    """A copy of ``input`` with ``src`` added at ``index`` along ``dim``."""
    check_index("scatter", input, index, "self")
    if src.dtype is not input.dtype:
        raise Refusal("scatter(): Expected self.dtype to be equal to src.dtype")
    return _placed(F.scatter_add, input, index, src, axis_of(dim, input.ndim))


def scatter_reduce(input: Any, dim: int, index: Any, src: Any, reduce: str, *, include_self: bool = True) -> Any:
    """A copy of ``input`` with ``src`` brought to ``index`` along ``dim``: their "sum", "mean", "prod", "amax" or "amin"."""
    check_index("scatter_reduce", input, index, "self")
    axis = axis_of(dim, input.ndim)
    check_dtype("scatter_reduce()", input, src)
    if input.ndim == 0 or index.ndim == 0:
        x, i, s = (F.reshape(t, (-1,)) for t in (input, index, src))
        return F.reshape(scatter_reduce(x, 0, i, s, reduce, include_self=include_self), input.array.shape)
    wanted, have = index.array.shape, src.array.shape
    if too_large(input, index, axis) or len(have) != len(wanted) or any(n > m for n, m in zip(wanted, have, strict=True)):
        raise Refusal(
            f"Expected index {shape_text(wanted)} to be no larger than self {shape_text(input.array.shape)} apart from "
            f"dimension {axis} and to be no larger size than src {shape_text(have)}"
        )
    check_range(input, index, axis)
    if reduce in ("amax", "amin"):
        return F.scatter_extreme(input, index, src, axis=axis, largest=reduce == "amax", include_self=include_self)
    if reduce not in ("sum", "mean", "prod"):
        raise Refusal(f"reduce argument must be either sum, prod, mean, amax or amin, got {reduce}.")
    neutral = 1.0 if reduce == "prod" else 0.0
    start = input if include_self else F.scatter(input, index, tensor(neutral, dtype=input.dtype), axis=axis)
    if reduce == "prod":
        return _scatter_product(start, index, src, axis)
    total = F.scatter_add(start, index, src, axis=axis)
    if reduce == "sum":
        return total
    ones = np.ones(index.array.shape, input.array.dtype)
    counts = indexing.scatter_add.raw(
        np.full(input.array.shape, float(include_self), input.array.dtype), index.array, ones, axis=axis
    )
    divisor = wrap(np.maximum(counts, 1).astype(input.array.dtype))
    return total / divisor if input.dtype.differentiable else total // divisor


def _scatter_product(input: Any, index: Any, src: Any, axis: int) -> Any:
    """The product of what is at each place: one factor per round, so that no place is named twice in one."""
    taken = src[tuple(map(slice, index.array.shape))]
    places = np.moveaxis(index.array, axis, 0)
    for k in range(places.shape[0]):
        row = index.narrow(axis, k, 1)
        input = F.scatter(input, row, F.gather(input, row, axis=axis) * taken.narrow(axis, k, 1), axis=axis)
    return input


def index_reduce(input: Any, dim: int, index: Any, source: Any, reduce: str, *, include_self: bool = True) -> Any:
    """`scatter_reduce` of whole slices: those of ``source`` to the slices ``index`` of ``input``."""
    axis = axis_of(dim, input.ndim)
    places = index.reshape(tuple(-1 if k == axis else 1 for k in range(input.ndim))).expand(tuple(source.shape))
    return scatter_reduce(input, dim, places, source, reduce, include_self=include_self)


def index_add(input: Any, dim: int, index: Any, source: Any, *, alpha: float = 1) -> Any:
    """A copy of ``input`` with ``alpha source`` added to its slices ``index`` along ``dim``."""
    axis = axis_of(dim, input.ndim)
    check_dtype("index_add_()", input, source)
    if input.ndim == 0:
        return F.reshape(
            index_add(F.reshape(input, (1,)), 0, F.reshape(index, (-1,)), F.reshape(source, (-1,)), alpha=alpha), ()
        )
    if index.ndim > 1:
        raise IndexRefusal(f"index_add_(): Index is supposed to be a vector, but got dim: {index.ndim} with type: "
                           f"{type_name(index.dtype)} and size: {shape_text(index.array.shape)}")  # fmt: skip
    have, slices = source.array.shape, (*input.array.shape[:axis], *input.array.shape[axis + 1 :])
    if (*have[:axis], *have[axis + 1 :]) != slices:
        raise Refusal("source tensor shape must match self tensor shape, excluding the specified dimension. Got self.shape = "
                      f"{shape_text(input.array.shape)} source.shape = {shape_text(have)}")  # fmt: skip
    if have[axis] != index.array.size:
        raise Refusal(f"index_add_(): Number of indices ({index.array.size}) should be equal to source.size(dim): "
                      f"({have[axis]}), for dim: {axis}")  # fmt: skip
    check_range(input, index, axis)
    return F.index_add(input, index, source, axis=axis, alpha=alpha)


def index_fill(input: Any, dim: int, index: Any, value: Any) -> Any:
    """A copy of ``input`` with the number ``value`` in its slices ``index`` along ``dim``."""
    if index.array.dtype.kind not in "iu":
        raise IndexRefusal("index_fill_(): Expected dtype int64 for index.")
    if getattr(value, "ndim", 0):
        raise Refusal(
            f"index_fill_ only supports a 0-dimensional value tensor, but got tensor with {value.ndim} dimension(s)."
        )
    axis = axis_of(dim, input.ndim)
    if input.ndim == 0:
        return F.reshape(index_fill(F.reshape(input, (1,)), 0, F.reshape(index, (-1,)), value), ())
    n = input.array.shape[axis]
    index = index + ((index < 0) & (index >= -n)).to(index.dtype) * n  # counted from the end, here alone
    try:
        check_range(input, index, axis)
    except Refusal as fault:
        raise IndexRefusal(*fault.args) from None
    return F.index_fill(input, index, cast_for(input, value), axis=axis)


def index_copy(input: Any, dim: int, index: Any, source: Any) -> Any:
    """A copy of ``input`` with the slices of ``source`` as its slices ``index`` along ``dim``."""
    axis = axis_of(dim, input.ndim)
    if index.array.dtype.kind not in "iu":
        raise IndexRefusal("index_copy_(): Expected a long tensor for index, but got " + type_name(index.dtype))
    if source.dtype is not input.dtype:
        raise Refusal(
            f"index_copy_(): self and source expected to have the same dtype, but got (self) {type_name(input.dtype)} and "
            f"(source) {type_name(source.dtype)}"
        )
    if index.ndim > 1:
        raise IndexRefusal(f"index_copy_(): Index should have dimension 1 or 0 (got {index.ndim})")
    if index.ndim == 0 or input.ndim == 0:
        flat = [t if t.ndim else F.reshape(t, (1,)) for t in (input, index, source)]
        return F.reshape(index_copy(flat[0], dim, flat[1], flat[2]), input.array.shape)
    if source.ndim and source.array.shape[axis] != index.array.size:
        raise IndexRefusal(
            f"index_copy_(): Number of indices ({index.array.size}) should be equal to source.size(dim) "
            f"({source.array.shape[axis]})"
        )
    for k, (n, m) in enumerate(zip(input.array.shape, source.array.shape, strict=False)):
        if k != axis and n != m:
            raise Refusal("index_copy_(): Source/destination tensor must have same slice shapes. Destination slice shape: "
                          f"{n} at dimension {axis} and source slice shape: {m} at dimension 0.")  # fmt: skip
    check_range(input, index, axis)
    return F.index_copy(input, index, source, axis=axis)


def index_put(input: Any, indices: Any, values: Any, accumulate: bool = False) -> Any:
    """A copy of ``input`` with ``values`` stored at (or added to) ``input[indices]``."""
    if values.dtype is not input.dtype:
        raise Refusal(
            f"Index put requires the source and destination dtypes match, got {type_name(input.dtype)} for the destination "
            f"and {type_name(values.dtype)} for the source."
        )
    key, arrays = indexing.split_key(normal_key(tuple(indices)))
    return dispatch(TABLE[indexing.index_put], (input, values, *arrays), {"key": key, "accumulate": accumulate})


def masked_scatter(input: Any, mask: Any, source: Any) -> Any:
    """A copy of ``input`` with the elements of ``source``, in order, where ``mask``."""
    if mask.array.dtype != bool:
        raise Refusal(f"masked_scatter_ only supports boolean masks, but got mask with dtype {c_type_name(mask.dtype)}")
    if source.dtype is not input.dtype:
        raise Refusal(f"masked_scatter: expected self and source to have same dtypes but got {type_name(input.dtype)} and "
                      f"{type_name(source.dtype)}")  # fmt: skip
    shape = np.broadcast_shapes(input.array.shape, mask.array.shape)
    if np.count_nonzero(np.broadcast_to(mask.array, shape)) > source.array.size:
        raise Refusal("masked_scatter: Number of elements of source < number of ones in mask")
    return F.masked_scatter(input if shape == input.array.shape else input.expand(shape), mask, source)


def put(input: Any, index: Any, source: Any, accumulate: bool = False) -> Any:
    """A copy of ``input`` with ``source`` stored at (or added to) the elements ``index`` of the flattened tensor."""
    if index.array.dtype.kind not in "iu":
        raise Refusal(f"put_(): Expected a long tensor for index, but got {type_name(index.dtype)}")
    if index.array.size != source.array.size:
        raise Refusal(
            f"put_(): Expected source and index to have the same number of elements, but got source.numel() = "
            f"{source.array.size}, index.numel() = {index.array.size}"
        )
    flat = index_put(input.reshape(-1), (index.reshape(-1),), source.reshape(-1), accumulate)
    return flat.reshape(input.array.shape)


# A part replaced


def _check_part(src: Any, wanted: tuple[int, ...]) -> None:
    have = src.array.shape
    if have != wanted:
        raise ShapeError(
            f"expected src to have a size equal to the slice of self. src size = {shape_text(have)}, slice size = "
            f"{shape_text(wanted)}"
        )


def _with_part(input: Any, src: Any, key: Any) -> Any:
    _check_part(src, input.array[key].shape)
    return dispatch(TABLE[indexing.setitem], (input, cast_for(input, src)), {"key": key})


def select_scatter(input: Any, src: Any, dim: int, index: int) -> Any:
    """A copy of ``input`` with ``src`` as its slice number ``index`` along ``dim``."""
    return _with_part(input, src, (slice(None),) * axis_of(dim, input.ndim) + (index,))


def slice_scatter(input: Any, src: Any, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1) -> Any:
    """A copy of ``input`` with ``src`` as its slices from ``start`` to ``end`` along ``dim``."""
    return _with_part(input, src, (slice(None),) * axis_of(dim, input.ndim) + (slice(start, end, step),))


def diagonal_scatter(input: Any, src: Any, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Any:
    """A copy of ``input`` with ``src`` as a diagonal."""
    whole = np.empty(input.array.shape, np.int8)
    part = np.diagonal(whole, offset, dim1, dim2)
    _check_part(src, part.shape)
    window = window_of(part, whole)
    return dispatch(TABLE[strided.copy_slices], (input, src), {"window": window})


def as_strided_scatter(input: Any, src: Any, size: Any, stride: Any, storage_offset: int | None = None) -> Any:
    """A copy of ``input`` with ``src`` stored where `as_strided` looks."""
    whole = np.empty(input.array.shape, np.int8)
    window = strided.Window(tuple(size), tuple(stride), storage_offset or 0, whole.strides)
    check_strides(size, stride, storage_offset or 0, input.array.size, input.itemsize)
    _check_part(src, window.shape)
    return dispatch(TABLE[strided.copy_slices], (input, src), {"window": window})
