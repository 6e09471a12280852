"""`Batched`: a tensor that looks like one sample and holds the values of all, along an axis in front that nobody sees.

The values are a tensor of the level below: recorded by its tape, with its tangents, or batched itself. So reverse and
forward mode go through a batch without knowing of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NoReturn

import numpy as np

from chainrule.core import spec
from chainrule.core.box import Box
from chainrule.core.primitive import Primitive
from chainrule.eager import duals, inplace, leaving, levels, tape
from chainrule.eager.lane import Lane
from chainrule.eager.layout import CONTIGUOUS_FORMAT, MemoryFormat
from chainrule.eager.levels import Batch, Level
from chainrule.eager.specialise import F, function_of
from chainrule.eager.tensor import Tensor, wrap
from chainrule.errors import type_name
from chainrule.ops.shaping import broadcastable
from chainrule.ops.strided import owner_of


class Flags:
    """What NumPy tells about the memory of an array, as far as a sample has it."""

    __slots__ = ("c_contiguous",)
    writeable = True

    def __init__(self, c_contiguous: bool) -> None:
        self.c_contiguous = c_contiguous


class Sample:
    """What can be known of the array of a batched tensor: everything but its values."""

    __slots__ = ("dtype", "ndim", "shape", "values")

    def __init__(self, values: Any) -> None:
        self.values = values
        self.shape: tuple[int, ...] = values.shape[1:]
        self.dtype = values.dtype
        self.ndim = len(self.shape)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def strides(self) -> tuple[int, ...]:
        return self.values.strides[1:]  # type: ignore[no-any-return]

    @property
    def itemsize(self) -> int:
        return self.values.itemsize  # type: ignore[no-any-return]

    @property
    def flags(self) -> Flags:
        expected = self.itemsize
        for n, step in zip(reversed(self.shape), reversed(self.strides), strict=True):
            if n != 1 and step != expected:
                return Flags(self.size == 0)
            expected *= n
        return Flags(True)

    def __len__(self) -> int:
        return self.shape[0]

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__") and name not in ("__array__", "__array_interface__"):
            raise AttributeError(name)
        raise Unbatched(name)

    def __array_ufunc__(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise Unbatched("a NumPy function")

    def __array_function__(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise Unbatched("a NumPy function")

    def _refuse(self, *args: Any) -> NoReturn:
        raise Unbatched("an operator")

    __getitem__ = __setitem__ = __add__ = __radd__ = __mul__ = __rmul__ = __sub__ = __rsub__ = __truediv__ = __neg__ = _refuse
    __eq__ = __ne__ = __lt__ = __gt__ = __le__ = __ge__ = __and__ = __or__ = __invert__ = _refuse
    __bool__ = __float__ = __int__ = __array__ = __iter__ = _refuse
    __hash__ = None  # type: ignore[assignment]


class Unbatched(RuntimeError):
    """Something asked for the values of a batched tensor, which has those of all samples."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"vmap: something in the function looks at the values of a sample ({what}), which are those of all samples at "
            "once here. Use functions of tensors for it."
        )


class BatchedLane(Lane):
    """The lane of batched tensors: no call with them takes a fast path."""

    __slots__ = ()

    def __init__(self, dtype: spec.DType) -> None:
        super().__init__(dtype)
        self.native = self.plain = False


BATCHED_LANES: Final = {d.numpy: BatchedLane(d) for d in spec.DTYPES}
FLOW: Final = (
    "vmap: It looks like you're attempting to use a Tensor in some data-dependent control flow. We don't support that yet, "
    "please file an issue at https://github.com/pytorch/pytorch/issues ."
)
ITEM: Final = (
    "vmap: It looks like you're calling .item() on a Tensor. We don't support vmap over calling .item() on a Tensor, please "
    "try to rewrite what you're doing with other operations. If error is occurring somewhere inside PyTorch internals, please "
    "file a bug report."
)

INPLACE: Final = (
    "vmap: inplace arithmetic(self, *extra_args) is not possible because there exists a Tensor `other` in extra_args that has "
    "more elements than `self`. This happened due to `other` being vmapped over but `self` not being vmapped over in a vmap. "
    "Please try to use out-of-place operators instead of inplace arithmetic. If said operator is being called inside the "
    "PyTorch framework, please file a bug report instead."
)


class Batched(Tensor):
    """One sample to whoever computes with it; ``values`` are those of all, sample by sample along the first axis."""

    __slots__ = ("batch", "values")
    batch: Batch
    values: Tensor
    apply = Box.apply  # a tensor's goes by the fast functions, which leave a batched one to `process` anyway

    @property
    def level(self) -> int:  # type: ignore[override]
        """The number of its level: calls go to the operand with the highest."""
        return self.batch.number

    def cast(self, dtype: Any) -> Any:
        """The samples in another dtype."""
        dtype = dtype if isinstance(dtype, spec.DType) else spec.of_numpy(np.dtype(dtype))
        return self if self.lane.dtype is dtype else self.process(tape.CAST, (self,), {"dtype": dtype})

    def attached(self, level: Level, tangent: Tensor) -> Tensor:
        """self, its values having this tangent: a derivative of all samples is that of each."""
        own = values_of(tangent, self.batch)
        if self.batch not in layers(tangent):  # one that all samples share is to have room for each of them
            own = duals.laid_out(self.values, F.copy(own))
        duals.attach(self.values, level, own)
        return self

    def tangent_at(self, level: Level) -> Tensor | None:
        """The tangent that the values have."""
        found = duals.tangent_of(self.values, level)
        return None if found is None else batched(found, self.batch)

    # What torch refuses here

    def item(self) -> Any:
        raise RuntimeError(ITEM)

    def tolist(self) -> Any:
        raise RuntimeError(ITEM)

    def _scalar(self) -> Any:
        if self._bottom().carries:
            leaving.check(4)
        raise RuntimeError(ITEM)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        leaving.check(2)
        return self.numpy()

    def __bool__(self) -> bool:
        raise RuntimeError(FLOW)

    def __index__(self) -> int:
        raise RuntimeError(ITEM)

    def numpy(self, *, force: bool = False) -> Any:
        raise RuntimeError("Cannot access data pointer of Tensor that doesn't have storage")

    def backward(self, *args: Any, **kwargs: Any) -> None:
        raise RuntimeError(
            "backward() called inside a functorch transform. This is not supported, please use functorch.grad or "
            "functorch.vjp instead or call backward() outside of functorch transforms."
        )

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        levels.refuse("requires_grad_", levels.FUNCTIONAL)
        return self

    def retain_grad(self) -> None:
        levels.refuse("retain_grad")

    @property
    def data(self) -> NoReturn:
        raise RuntimeError("accessing `data` under vmap transform is not allowed")

    @data.setter
    def data(self, value: Any) -> None:
        raise RuntimeError("mutating directly with `.data` under vmap transform is not allowed.")

    def is_contiguous(self, memory_format: MemoryFormat = CONTIGUOUS_FORMAT) -> bool:
        """Whether the elements of a sample lie in row-major order. RuntimeError for another order."""
        if memory_format is not CONTIGUOUS_FORMAT:
            raise RuntimeError(
                "NYI: querying is_contiguous inside of vmap for memory_format other than torch.contiguous_format"
            )
        return super().is_contiguous()

    # What the values know

    @property
    def requires_grad(self) -> bool:
        """Whether calls with this tensor are recorded."""
        return self.values.requires_grad

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        self.requires_grad_(wanted)

    @property
    def is_leaf(self) -> bool:
        """Whether the values were made by no recorded call."""
        return self.values.is_leaf

    @property
    def grad_fn(self) -> Any:
        """The node of the values."""
        return self.values.grad_fn

    @property
    def _version(self) -> int:
        return self.values._version  # type: ignore[no-any-return]

    def _for_each(self, made: Tensor) -> Tensor:
        one = self.values._for_each(made)
        n, strides = made.array.ndim, made.array.strides
        order = sorted(range(n), key=lambda axis: -strides[axis])  # each sample is to lie in memory as ``made`` does
        rows = F.transpose(one, axes=tuple(order))
        whole = F.copy(F.ascontiguousarray(F.broadcast_to(rows, (self.batch.size, *rows.array.shape))))
        return batched(F.transpose(whole, axes=(0, *(1 + order.index(axis) for axis in range(n)))), self.batch)

    def _bottom(self) -> Tensor:
        return self.values._bottom()

    def _detached(self) -> Tensor:
        return batched(self.values.detach(), self.batch)

    def register_hook(self, hook: Callable[[Tensor], Any]) -> Any:
        """Call ``hook`` with the gradient of this tensor, for all samples at once."""
        return self.values.register_hook(lambda g: values_of(hook(batched(g, self.batch)), self.batch))

    # Writes

    def _store(self, t: Tensor, result: Tensor, since: int | None) -> Tensor:
        """Store ``result`` in the values of ``t``, self being the one of the higher level; returns t. ``since``: as `adopt`.

        RuntimeError where t has no room for the values of all samples.
        """
        if t is not self and not (isinstance(t, Batched) and t.batch is self.batch):
            raise RuntimeError(INPLACE)
        have, given = t.array.shape, result.array.shape
        if not broadcastable(given, have):
            raise inplace.explained_broadcast(have, given)
        if result.dtype.category > t.dtype.category:
            raise RuntimeError(
                f"result type {type_name(result.dtype)} can't be cast to the desired output type {type_name(t.dtype)}"
            )
        plain: Any = result
        if isinstance(result, Batched) and result.batch is self.batch:
            missing = len(have) - len(given)
            since = getattr(result._bottom().node, "seq", None) if since is None else since
            plain = F.reshape(result.values, (self.batch.size, *(1,) * missing, *given)) if missing else result.values
        inplace.adopt(t.values, plain, since)
        self.batch.wrote = self.batch.wrote or id(owner_of(t._bottom().array)) in self.batch.given
        return t

    def __repr__(self) -> str:
        if text := levels.shown(self):
            return text
        inner = repr(self.values).replace("\n", "\n    ")
        return f"BatchedTensor(lvl={self.batch.number}, bdim=0, value=\n    {inner}\n)"

    __format__ = object.__format__  # type: ignore[assignment]
    __hash__ = Tensor.__hash__


class Call:
    """A call that some operands of which are batched: what a batching rule is given."""

    __slots__ = ("batch", "mine", "operands", "params", "primitive", "size")

    def __init__(self, primitive: Primitive, operands: Sequence[Any], params: dict[str, Any], batch: Batch) -> None:
        self.primitive = primitive
        self.operands = operands
        self.params = params
        self.batch = batch
        self.size = batch.size
        self.mine = [type(x) is Batched and x.batch is batch for x in operands]

    def holds(self, i: int) -> bool:
        """Whether operand ``i`` has a value for each sample."""
        return self.mine[i]

    def bare(self, i: int) -> Any:
        """Operand ``i``: the values of all samples, if it is batched, or what it is."""
        return self.operands[i].values if self.mine[i] else self.operands[i]

    def values(self, i: int) -> Any:
        """Operand ``i`` with the batch axis in front, repeated without a copy where it is the same for all samples."""
        return self.operands[i].values if self.mine[i] else values_of(self.operands[i], self.batch)

    def ndim(self, i: int) -> int:
        """The number of axes of operand ``i`` of one sample."""
        return rank_of(self.operands[i])

    def shape(self, i: int) -> tuple[int, ...]:
        """The shape of operand ``i`` of one sample."""
        return tuple(self.operands[i].array.shape if isinstance(self.operands[i], Tensor) else np.shape(self.operands[i]))

    def run(self, *operands: Any, **params: Any) -> Any:
        """The primitive on these operands, with these parameters changed."""
        return function_of(self.primitive)(*operands, **{**self.params, **params})

    def sample(self, k: int) -> list[Any]:
        """The operands of sample ``k``."""
        return [F.getitem(x.values, k) if self.holds(i) else x for i, x in enumerate(self.operands)]


Rule = Callable[[Call], Any]  # gives the values of all samples; NotImplemented for calls that it does not know


def batched(values: Any, batch: Batch) -> Batched:
    """The tensor of one sample for the values of all (which may themselves belong to a batch around or inside this one)."""
    if values.level > batch.number:
        return batched(batched(F.swapaxes(values.values, axis1=0, axis2=1), batch), values.batch)
    t = object.__new__(Batched)
    t.array = Sample(values.array)
    t.lane = BATCHED_LANES[values.array.dtype]
    t.leaf = t.uncounted = False
    t.node = t._grad = t.base = t.hooks = None
    t.values, t.batch = values, batch
    return t


def values_of(x: Any, batch: Batch) -> Any:
    """The values of all samples, the batch axis in front; without a copy where ``x`` is the same for all."""
    if isinstance(x, Batched):
        if x.batch is batch:
            return x.values
        return batched(F.swapaxes(values_of(x.values, batch), axis1=0, axis2=1), x.batch)
    if not isinstance(x, Tensor):
        x = wrap(np.asarray(x))
    with duals.stripped((x,), None):
        whole = F.broadcast_to(x, (batch.size, *x.array.shape))
    for lane in reversed(list(duals.layers(x))):  # whose tangents may differ from sample to sample
        duals.attach(whole, lane.level, values_of(lane.tangent, batch))
    return whole


def rank_of(x: Any) -> int:
    """The number of axes of an operand: a tensor, an array or a number."""
    return x.array.ndim if isinstance(x, Tensor) else np.ndim(x)


def innermost(tensors: Any) -> Batch | None:
    """The innermost batch that any of these belongs to."""
    found: Batch | None = None
    for x in tensors:
        if isinstance(x, Batched) and (found is None or x.batch.number > found.number):
            found = x.batch
    return found


def layers(x: Any) -> Iterator[Batch]:
    """The batches that ``x`` belongs to, the innermost first."""
    while isinstance(x, Batched):
        yield x.batch
        x = x.values
