"""Custom Functions of batched tensors: by their own ``vmap``, or one sample after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from chainrule.eager.batching.tensor import Batched, batched
from chainrule.eager.levels import Batch
from chainrule.eager.specialise import F
from chainrule.eager.tensor import Tensor
from chainrule.eager.trees import Structure, flatten, spread, unflatten

MORE: Final = "For more details, please see https://pytorch.org/docs/main/notes/extending.func.html"


class VmapInfo(NamedTuple):
    """What a Function's ``vmap`` is told about the batch."""

    batch_size: int
    randomness: str


def apply(name: str, own: Callable[..., Any] | None, generated: bool, call: Callable[..., Any], args: Sequence[Any],
          batch: Batch) -> Any:  # fmt: skip
    """The Function called ``name`` for all samples: ``own`` is its ``vmap`` if it has one, ``call`` applies it to one sample.

    Raises RuntimeError if it has no ``vmap`` and does not ask for a generated one, or has both.
    """
    if own is not None and generated:
        raise RuntimeError(
            f"You tried to vmap over {name}, but it has both generate_vmap_rule=True and an overriden vmap staticmethod. "
            f"Please set generate_vmap_rule=False or delete the overriden vmap staticmethod to avoid ambiguity. {MORE}"
        )
    if own is None and not generated:
        raise RuntimeError(
            f"You tried to vmap over {name}, but it does not have vmap support. Please override and implement the vmap "
            f"staticmethod or set generate_vmap_rule=True. {MORE}"
        )
    leaves, structure = flatten(list(args))
    mine = [isinstance(x, Batched) and x.batch is batch for x in leaves]
    if own is None:
        return one_by_one(call, leaves, structure, mine, batch)
    info = VmapInfo(batch.size, batch.randomness)
    values = [x.values if held else x for x, held in zip(leaves, mine, strict=True)]
    result = own(info, tuple(unflatten(structure, [0 if held else None for held in mine])), *unflatten(structure, values))
    if not isinstance(result, tuple):
        raise RuntimeError(
            f"Expected the vmap staticmethod to have two returns, outputs and out_dims, with pytree structure compatible with "
            f"the output of the {name}. Got a {type(result)} instead"
        )
    if len(result) != 2:
        raise RuntimeError(
            f"Expected the vmap staticmethod to have two returns, outputs and out_dims. Got {len(result)} returns."
        )
    outputs, shape = flatten(result[0])
    dims = spread(result[1], shape)
    if dims is None:
        raise RuntimeError(
            "The autograd.Function's vmap staticmethod returned an incompatible (output, out_dims) tuple. Expected "
            f"out_dims={result[1]} to be compatible with the structure of `output`. out_dims has structure "
            f"{flatten(result[1])[1]} but output has structure {shape}. {MORE}"
        )
    given = {id(value): x for x, value in zip(leaves, values, strict=True)}  # what is handed on is the argument itself
    return unflatten(shape, [given[id(y)] if id(y) in given else rebatched(y, dim, batch)
                             for y, dim in zip(outputs, dims, strict=True)])  # fmt: skip


def one_by_one(call: Callable[..., Any], leaves: list[Any], structure: Structure, mine: list[bool], batch: Batch) -> Any:
    """The Function of one sample after the other."""
    rows = [call(*unflatten(structure, [F.getitem(x.values, k) if held else x for x, held in zip(leaves, mine, strict=True)]))
            for k in range(batch.size)]  # fmt: skip
    if not isinstance(rows[0], tuple):
        return batched(F.stack(*rows, axis=0), batch)
    return tuple(
        batched(F.stack(*column, axis=0), batch) if isinstance(column[0], Tensor) else column[0]
        for column in zip(*rows, strict=True)
    )


def rebatched(y: Any, dim: int | None, batch: Batch) -> Any:
    """A result of ``vmap`` as that of one sample; ``dim`` is the axis of the samples, None for one that is alike for all."""
    if dim is None or not isinstance(y, Tensor):
        return y
    n = y.ndim
    order = (dim % n, *(k for k in range(n) if k != dim % n))
    return batched(y if order[0] == 0 else F.transpose(y, axes=order), batch)
