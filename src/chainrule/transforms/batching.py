"""`vmap`: a function of samples as a function of batches.

The function is called once, with tensors that look like one sample and hold all (`eager.batching`). What looks at values on
the way, as `if x > 0` does, is refused; a function of chainrule's that does so is called for one sample after the other.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from chainrule.eager import levels
from chainrule.eager.batching import rules as rules  # which `Batched` computes by
from chainrule.eager.batching.tensor import Batched, Unbatched, batched, values_of
from chainrule.eager.functions.indexing import narrow, select
from chainrule.eager.functions.shapes import cat, stack
from chainrule.eager.generator import default_generator
from chainrule.eager.specialise import F
from chainrule.eager.tensor import Tensor, wrap
from chainrule.eager.trees import Structure, flatten, spread, unflatten
from chainrule.ops.strided import owner_of

RANDOM = (
    "vmap: called random operation while in randomness error mode. Please either use the 'same' or 'different' randomness "
    "flags on vmap or perform the randomness operation out of vmap"
)


OUT_DIMS = (
    "vmap({}, ..., out_dims={}): `out_dims` must be an int, None or a python collection of ints representing where in the "
    "outputs the vmapped dimension should appear."
)


def vmap(func: Callable[..., Any], in_dims: Any = 0, out_dims: Any = 0, randomness: str = "error", *,
         chunk_size: int | None = None) -> Callable[..., Any]:  # fmt: skip
    """``func`` mapped over axis ``in_dims`` of its arguments, the results stacked along axis ``out_dims``.

    in_dims is a number for all arguments, or a tuple with one for each (None: the argument is the same for all samples),
    nested as the arguments are; out_dims likewise. With ``randomness="error"`` random functions are refused inside,
    "different" draws anew for each sample, "same" repeats the numbers. Raises ValueError for axes that are not there, batches
    of different sizes, and results that are no tensors.

    >>> import chainrule as cr
    >>> vmap(lambda x, y: (x * y).sum(), in_dims=(0, None))(cr.tensor([[1.0, 2.0], [3.0, 4.0]]), cr.tensor([10.0, 1.0]))
    tensor([12., 34.])
    """
    if randomness not in ("error", "different", "same"):
        raise RuntimeError(f"Only allowed values for randomness are 'error', 'different', or 'same'. Got {randomness}")
    if chunk_size is not None and chunk_size <= 0:
        raise ValueError(f"vmap: chunk_size should be None or greater than 0. (got {chunk_size})")
    name = getattr(func, "__name__", type(func).__name__)

    @functools.wraps(func)
    def mapped(*args: Any, **kwargs: Any) -> Any:
        leaves, axes, structure = mapped_axes(name, in_dims, args)
        size = batch_size(leaves, axes)
        how = Mapping(name, lambda given: func(*unflatten(structure, given), **kwargs), out_dims, randomness)
        return how.in_chunks(leaves, axes, size, chunk_size or size)

    return mapped


def debug_unwrap(tensor: Tensor, *, recurse: bool = True) -> Tensor:
    """The values of all samples that ``tensor``, one of them within `vmap`, belongs to; of all batches with ``recurse``.

    It is for looking at them only: what is computed from it is no part of the batch.

    >>> import chainrule as cr
    >>> cr.func.vmap(lambda x: print(debug_unwrap(x)) or x * 2)(cr.tensor([1.0, 2.0]))
    tensor([1., 2.])
    tensor([2., 4.])
    """
    while isinstance(tensor, Batched):
        tensor = tensor.values
        if not recurse:
            break
    return tensor


def for_each(name: str, fun: Callable[[Tensor], Any], rows: Tensor, chunk_size: int | None) -> Any:
    """``fun`` of each row (of which there is one at least), `vmap` without its questions."""
    size = len(rows.array)
    return Mapping(name, lambda given: fun(*given), 0, "error").in_chunks([rows], [0], size, chunk_size or size)


class Mapping(NamedTuple):
    """A function of the leaves of one sample, and how its results are put together."""

    name: str
    fun: Callable[[list[Any]], Any]
    out_dims: Any
    randomness: str

    def in_chunks(self, leaves: list[Any], axes: list[int | None], size: int, chunk: int) -> Any:
        """The results for all samples, of which ``chunk`` are computed at once."""
        if chunk >= size:
            return self.at_once(leaves, axes, size)
        parts = []
        for start in drawn(range(0, size, chunk), self.randomness):
            n = min(chunk, size - start)
            part = [x if axis is None else narrow(x, axis, start, n) for x, axis in zip(leaves, axes, strict=True)]
            parts.append(flatten(self.at_once(part, axes, n)))
        structure = parts[0][1]
        out_axes = checked_spread(self.name, self.out_dims, structure)
        return unflatten(structure, [
            rows[0] if axis is None else cat(rows, axis)
            for rows, axis in zip(zip(*(leaves for leaves, _ in parts), strict=True), out_axes, strict=True)
        ])  # fmt: skip

    def at_once(self, leaves: list[Any], axes: list[int | None], size: int) -> Any:
        """The results for all samples in one call, or in one for each where that cannot be."""
        if size == 0:
            return self.one_by_one(leaves, axes, size)
        batch = levels.Batch(levels.next_number(), size, self.randomness)
        levels.begin(batch)
        try:
            batch.given = {id(owner_of(x._bottom().array)) for x in leaves if isinstance(x, Tensor)}
            given = [x if axis is None else batched(moved(x, axis, 0), batch) for x, axis in zip(leaves, axes, strict=True)]
            outputs, structure = flatten(self.fun(given))
            places = checked_spread(self.name, self.out_dims, structure)
            found = [self.whole(y, axis, batch) for y, axis in zip(outputs, places, strict=True)]
            return unflatten(structure, found)
        except Unbatched as fault:
            if batch.wrote:
                raise
            warnings.warn(f"There is a performance drop: {fault} The function is called for one sample after the other.",
                          UserWarning, stacklevel=4)  # fmt: skip
        finally:
            levels.leave(batch)
        return self.one_by_one(leaves, axes, size)

    def whole(self, y: Any, axis: Any, batch: levels.Batch) -> Any:
        """One result of all samples, with their axis where it is asked for."""
        mine = isinstance(y, Batched) and y.batch is batch
        if axis is None:
            if mine:
                raise ValueError(f"vmap({self.name}, ...): `{self.name}` can not return a BatchedTensor when out_dim is None")
            return y
        if not isinstance(y, Tensor):
            raise ValueError(
                f"vmap({self.name}, ...): `{self.name}` must only return Tensors, got type {type(y)}. Did you mean to set "
                "out_dims= to None for output?"
            )
        rank = y.ndim + 1
        if not -rank <= axis < rank:
            raise IndexError(f"Dimension out of range (expected to be in range of [{-rank}, {rank - 1}], but got {axis})")
        return moved(values_of(y, batch), 0, axis % rank)

    def one_by_one(self, leaves: list[Any], axes: list[int | None], size: int) -> Any:
        """The results of one call for each sample."""
        samples_seen = drawn(range(size) if size else [None], self.randomness)
        results = [self.fun(samples(leaves, axes, sample)) for sample in samples_seen]
        return stacked(self.name, self.out_dims, results, size)


def moved(x: Tensor, source: int, to: int) -> Any:
    """``x`` with one axis elsewhere, as a view."""
    if source == to:
        return x
    order = [k for k in range(x.ndim) if k != source]
    order.insert(to, source)
    return F.transpose(x, axes=tuple(order))


def checked_spread(name: str, out_dims: Any, structure: Structure) -> list[Any]:
    """The axis that the samples have in each result. ValueError if ``out_dims`` does not fit the results."""
    if type(out_dims) is int:
        return [out_dims] * structure.size
    if not (out_dims is None or isinstance(out_dims, (int, tuple, list, dict))):
        raise ValueError(OUT_DIMS.format(name, out_dims))
    wanted = out_dims
    if structure.kind is None and isinstance(out_dims, tuple) and len(out_dims) == 1:
        (wanted,) = out_dims
    axes = spread(wanted, structure)
    if axes is not None and not all(axis is None or isinstance(axis, int) for axis in axes):
        raise ValueError(OUT_DIMS.format(name, out_dims))
    if axes is None:
        raise ValueError(
            f"vmap({name}, ..., out_dims={out_dims})(<inputs>): out_dims is not compatible with the structure of `outputs`. "
            f"out_dims has structure {flatten(out_dims)[1]} but outputs has structure {structure}."
        )
    return axes


def drawn(numbers: Sequence[Any], randomness: str) -> Iterator[Any]:
    """The sample numbers, the random stream being treated as asked for between them."""
    start = default_generator.get_state().array.tobytes()
    for k, number in enumerate(numbers):
        if randomness == "same" and k:
            default_generator.set_state(wrap(np.frombuffer(start, np.uint8).copy()))
        yield number
        if randomness == "error" and k == 0 and default_generator.get_state().array.tobytes() != start:
            raise RuntimeError(RANDOM)


# What goes in


def mapped_axes(name: str, in_dims: Any, args: tuple[Any, ...]) -> tuple[list[Any], list[int | None], Structure]:
    """The leaves of the arguments, and the axis of each that is mapped over."""
    told = f"vmap({name}, in_dims={in_dims}, ...)(<inputs>)"
    if not isinstance(in_dims, (int, tuple)) or isinstance(in_dims, bool):
        raise ValueError(
            f"{told}: expected `in_dims` to be int or a (potentially nested) tuple matching the structure of inputs, got: "
            f"{type(in_dims)}."
        )
    if not args:
        raise ValueError(
            f"vmap({name})(<inputs>): got no inputs. Maybe you forgot to add inputs, or you are trying to vmap over a "
            "function with no inputs. The latter is unsupported."
        )
    leaves, structure = flatten(args)
    found = spread(in_dims, structure)
    if found is None:
        raise ValueError(
            f"{told}: in_dims is not compatible with the structure of `inputs`. in_dims has structure {flatten(in_dims)[1]} "
            f"but inputs has structure {structure}."
        )
    return leaves, [axis_of(told, x, axis) for x, axis in zip(leaves, found, strict=True)], structure


def axis_of(told: str, x: Any, axis: Any) -> int | None:
    """The axis of one argument, counted from the front. ValueError if it has none such."""
    if axis is None:
        return None
    if not isinstance(axis, int):
        raise ValueError(f"{told}: Got in_dim={axis} for an input but in_dim must be either an integer dimension or None.")
    if not isinstance(x, Tensor):
        raise ValueError(
            f"{told}: Got in_dim={axis} for an input but the input is of type {type(x)}. We cannot vmap over non-Tensor "
            "arguments, please use None as the respective in_dim"
        )
    if not -x.ndim <= axis < x.ndim:
        raise ValueError(
            f"{told}: Got in_dim={axis} for some input, but that input is a Tensor of dimensionality {x.ndim} so expected "
            f"in_dim to satisfy -{x.ndim} <= in_dim < {x.ndim}."
        )
    return axis % x.ndim


def batch_size(leaves: Sequence[Any], axes: Sequence[int | None]) -> int:
    """How many samples there are. ValueError if the arguments do not agree, or none is mapped over."""
    sizes = [x.array.shape[axis] for x, axis in zip(leaves, axes, strict=True) if axis is not None]
    if not sizes:
        raise ValueError("vmap: Expected at least one Tensor to vmap over")
    if len(set(sizes)) > 1:
        raise ValueError(
            f"vmap: Expected all tensors to have the same size in the mapped dimension, got sizes {sizes} for the mapped "
            "dimension"
        )
    return sizes[0]  # type: ignore[no-any-return]


def samples(leaves: Sequence[Any], axes: Sequence[int | None], number: int | None) -> list[Any]:
    """The leaves of one sample; without a number, of one that only has the right shapes."""
    return [
        x if axis is None else blank(x, axis) if number is None else select(x, axis, number)
        for x, axis in zip(leaves, axes, strict=True)
    ]


def blank(x: Tensor, axis: int) -> Tensor:
    """Zeros shaped like a sample of an empty batch."""
    shape = x.array.shape
    return wrap(np.zeros((*shape[:axis], *shape[axis + 1 :]), x.array.dtype))


# What comes out


class Column(NamedTuple):
    """One result of all samples."""

    values: list[Any]
    axis: Any


def stacked(name: str, out_dims: Any, results: list[Any], size: int) -> Any:
    """The results of all samples as one."""
    rows = [flatten(result) for result in results]
    structure = rows[0][1]
    axes = checked_spread(name, out_dims, structure)
    columns = [Column([row[0][k] for row in rows], axis) for k, axis in enumerate(axes)]
    return unflatten(structure, [joined(name, column, size) for column in columns])


def joined(name: str, column: Column, size: int) -> Any:
    """One result of all samples, stacked along its axis."""
    first = column.values[0]
    if column.axis is None:
        if isinstance(first, Tensor) and any(not np.array_equal(first.array, y.array) for y in column.values[1:]):
            raise ValueError(f"vmap({name}, ...): `{name}` can not return a BatchedTensor when out_dim is None")
        return first
    for y in column.values:
        if not isinstance(y, Tensor):
            raise ValueError(
                f"vmap({name}, ...): `{name}` must only return Tensors, got type {type(y)}. Did you mean to set out_dims= to "
                "None for output?"
            )
    return stack(column.values, column.axis) if size else empty(first, column.axis)


def empty(sample: Tensor, axis: int) -> Any:
    """No samples, along this axis."""
    shape = list(sample.array.shape)
    shape.insert(axis if axis >= 0 else axis + len(shape) + 1, 0)
    return wrap(np.zeros(shape, sample.array.dtype))
