"""A tensor's dtype, memory and history."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from chainrule.core import spec
from chainrule.core.spec import DType
from chainrule.eager import duals, views
from chainrule.eager.creation import checked_dtype
from chainrule.eager.layout import CONTIGUOUS_FORMAT, PRESERVE_FORMAT, Device, MemoryFormat, require_cpu
from chainrule.eager.specialise import F
from chainrule.eager.tensor import Tensor
from chainrule.errors import Refusal, not_a_tensor


def dtype_asked(args: Sequence[Any], dtype: Any, device: Any, same: Collection[str]) -> DType | None:
    """What the arguments of ``to`` ask for: a dtype, that of a tensor, or None. The device can only be the CPU.

    Raises TypeError for anything else, and for names among ``same`` other than those that change nothing here.
    """
    unknown = [name for name in same if name not in ("non_blocking", "memory_format", "other")]
    if unknown:
        raise TypeError(f"to() received an invalid combination of arguments: it has no {unknown[0]!r}")
    for arg in args:
        if isinstance(arg, (DType, type)):
            dtype = arg
        elif isinstance(arg, Tensor):
            dtype = arg.dtype
        elif isinstance(arg, (str, Device)):
            device = arg
        elif arg is not None and not isinstance(arg, bool):  # a bool is non_blocking, or copy
            raise TypeError(f"to() received an invalid combination of arguments: {arg!r} is no dtype, tensor or device")
    require_cpu(device)
    return None if dtype is None else checked_dtype("to", dtype, spec.float32)


def to(input: Any, *args: Any, dtype: DType | None = None, device: Any = None, copy: bool = False, **same: Any) -> Any:
    """``input`` in another dtype (or that of another tensor); the device can only be the CPU."""
    dtype = dtype_asked(args, dtype, device, same)
    out = input if dtype is None else input.cast(dtype)
    if same.get("memory_format", PRESERVE_FORMAT) is not PRESERVE_FORMAT:
        out = laid_out(out, same["memory_format"])
    return clone(input) if copy and out is input else out


def type_as(input: Any, other: Any) -> Any:
    """``input`` in the dtype of ``other``."""
    return input.cast(other.dtype)


def clone(input: Any, *, memory_format: Any = None) -> Any:
    """A copy, part of the same history."""
    if input.level and memory_format not in (None, PRESERVE_FORMAT, CONTIGUOUS_FORMAT):
        raise RuntimeError(
            "NYI: Tensor.clone(memory_format) inside vmap is only supported with memory_format torch.preserve_format or "
            "torch.contiguous_format"
        )
    return F.copy(input) if memory_format in (None, PRESERVE_FORMAT) else laid_out(F.copy(input), memory_format)


def contiguous(input: Any, memory_format: MemoryFormat = CONTIGUOUS_FORMAT) -> Any:
    """``input`` itself if its elements lie in row-major order (or that of ``memory_format``), else a copy in which they do."""
    if memory_format is PRESERVE_FORMAT:
        raise RuntimeError("preserve memory format is unsupported by the contiguous operator")
    return input if input.is_contiguous(memory_format) else laid_out(input, memory_format)


def laid_out(x: Any, memory_format: MemoryFormat) -> Any:
    """``x`` with its elements in the order of ``memory_format``."""
    axes = memory_format.axes(x.ndim)
    if axes == tuple(range(x.ndim)):
        return x if x.is_contiguous() else F.ascontiguousarray(x)
    turned = F.transpose(x, axes)
    if turned.is_contiguous():
        return x
    return F.transpose(F.ascontiguousarray(turned), tuple(axes.index(k) for k in range(x.ndim)))


def to_dense(input: Any, dtype: DType | None = None, *, masked_grad: bool | None = None) -> Any:
    """``input`` itself (in ``dtype``): every tensor is dense here."""
    return input if dtype is None else input.cast(dtype)


def detach(input: Any) -> Tensor:
    """The same memory without the history."""
    return input._detached()  # type: ignore[no-any-return]


def detach_(input: Any) -> Any:
    """Forget the history of this tensor; returns it."""
    if views.is_view(input):
        raise Refusal(
            "Can't detach views in-place. Use detach() instead. If you are using DistributedDataParallel (DDP) for training, "
            "and gradient_as_bucket_view is set as True, gradients are views of DDP buckets, and hence detach_() cannot be "
            "called on these gradients. To fix this error, please refer to the Optimizer.zero_grad() function in "
            "torch/optim/optimizer.py as the solution."
        )
    input.node = None
    input.leaf = False
    input.lane = duals.bare(input.lane)
    return input


def numel(input: Any) -> int:
    """The number of elements."""
    try:
        return int(input.array.size)
    except AttributeError:
        raise not_a_tensor("numel", "input", 1, input) from None


def is_tensor(obj: Any) -> bool:
    """Whether ``obj`` is a tensor."""
    return isinstance(obj, Tensor)
