"""The tensor: an array, where it came from, and what torch's users read off it.

Methods that compute are attached by `namespace`, one row above the table; here stands what needs no op.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Final

import numpy as np

from chainrule.core import spec
from chainrule.core.box import Box
from chainrule.core.primitive import Primitive
from chainrule.core.spec import DType
from chainrule.core.sweep import Node, Port
from chainrule.eager import exports, leaving, levels, modes
from chainrule.eager.lane import INFERENCE_LANES, LANES, Lane, lane_of, own_lane, remembered, scalar
from chainrule.eager.layout import CONTIGUOUS_FORMAT, CPU, STRIDED, Device, Layout, MemoryFormat, Named, Size, require_cpu
from chainrule.eager.notice import notice
from chainrule.eager.printing import tensor_text
from chainrule.errors import ShapeError, axis_error, c_type_name, shape_text, type_name

__all__ = [
    "CPU", "INFERENCE_LANES", "LANES", "Device", "Lane", "Parameter", "Size", "Tensor", "lane_of", "leaf",
    "remembered", "scalar", "wrap",
]  # fmt: skip


class Tensor(Box, metaclass=Named):
    """An n-dimensional array that remembers how it was computed.

    ``array`` is the raw array; ``node`` the recorded call that made it (None for a leaf), ``leaf`` whether it is
    a leaf that asks for its gradient. Tensors are made by `tensor`, `zeros` and their kin.
    """

    # No __getattr__ here, however kind its message: with one, Python reads every slot the slow way.
    __slots__ = ("__weakref__", "_grad", "array", "base", "hooks", "lane", "leaf", "node", "uncounted")

    array: Any
    lane: Lane
    node: Any  # Node, Port or None
    leaf: bool
    hooks: Any
    base: Any  # the tensor this one is a view of
    uncounted: bool  # whether it came from `.data`: writes through it are not counted
    is_cuda: ClassVar[bool] = False
    is_sparse: ClassVar[bool] = False
    is_quantized: ClassVar[bool] = False
    is_nested: ClassVar[bool] = False
    device: ClassVar[Device] = CPU
    layout: ClassVar[Layout] = STRIDED
    torch_name: ClassVar[str] = "torch.Tensor"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Everything is done by ``__new__``, which `creation` installs."""

    def _catch_up(self) -> None:
        """Of a view: find out the history that it has since its base was written to (`inplace` knows how)."""
        raise NotImplementedError

    def _process_dual(self, p: Primitive, operands: Sequence[Any], params: dict[str, Any]) -> Any:
        """A call with operands that have tangents (`forward` knows how)."""
        raise NotImplementedError

    def attached(self, level: Any, tangent: Tensor) -> Tensor:
        """Of a batched tensor: self, its values having this tangent."""
        raise NotImplementedError

    def tangent_at(self, level: Any) -> Tensor | None:
        """Of a batched tensor: the tangent that its values have."""
        raise NotImplementedError

    def _store(self, t: Tensor, result: Tensor, since: int | None) -> Tensor:
        """Of a batched tensor: store ``result`` in ``t``, one of which it is."""
        raise NotImplementedError

    def _for_each(self, made: Tensor) -> Tensor:
        """What was made to go with this tensor: of a batched one, for each sample its own."""
        return made

    def _bottom(self) -> Tensor:
        """The tensor that holds the values: of a batched one, those of all samples."""
        return self

    def _detached(self) -> Tensor:
        """The same memory without the history."""
        t = leaf(self.array, own_lane(self.lane))
        t.uncounted = self.uncounted
        return t

    # What it is

    @property
    def dtype(self) -> DType:
        """The element type."""
        return self.lane.dtype

    @property
    def shape(self) -> Size:
        """The lengths of the axes."""
        return Size(self.array.shape)

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self.array.ndim  # type: ignore[no-any-return]

    @property
    def itemsize(self) -> int:
        """Bytes per element."""
        return self.lane.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return self.array.size * self.lane.dtype.itemsize  # type: ignore[no-any-return]

    def size(self, dim: int | None = None) -> Any:
        """The shape, or the length of axis ``dim``."""
        if dim is None:
            return Size(self.array.shape)
        if not -self.ndim <= dim < self.ndim:
            raise axis_error(dim, self.ndim)
        return self.array.shape[dim]

    def dim(self) -> int:
        """The number of axes."""
        return self.array.ndim  # type: ignore[no-any-return]

    def numel(self) -> int:
        """The number of elements."""
        return self.array.size  # type: ignore[no-any-return]

    ndimension = dim
    nelement = numel

    def element_size(self) -> int:
        """Bytes per element."""
        return self.itemsize

    def stride(self, dim: int | None = None) -> Any:
        """Steps between neighbours along each axis, in elements."""
        steps = tuple(s // self.itemsize for s in self.array.strides)
        return steps if dim is None else steps[dim]

    def is_contiguous(self, memory_format: MemoryFormat = CONTIGUOUS_FORMAT) -> bool:
        """Whether the elements lie in memory in row-major order (or that of ``memory_format``)."""
        array = self.array
        if memory_format is not CONTIGUOUS_FORMAT:
            array = array.transpose(memory_format.axes(array.ndim))
        return bool(array.flags.c_contiguous)

    def is_floating_point(self) -> bool:
        """Whether the dtype is a real floating-point type."""
        return self.dtype.is_floating_point

    def is_complex(self) -> bool:
        """Whether the dtype is complex."""
        return self.dtype.is_complex

    def is_inference(self) -> bool:
        """Whether it was made under `inference_mode`."""
        return self.lane.inference

    def is_signed(self) -> bool:
        """Whether the dtype can hold negative numbers."""
        return self.dtype.is_signed

    def type(self, dtype: Any = None, non_blocking: bool = False) -> Any:
        """torch's old name of this tensor's type; with ``dtype`` (an element type or such a name) the tensor in it."""
        if dtype is None:
            return f"torch.{type_name(self.dtype)}Tensor"
        if isinstance(dtype, str):
            found = [d for d in spec.DTYPES if f"torch.{type_name(d)}Tensor" == dtype]
            if not found:
                raise ValueError(f"invalid type: '{dtype}'")
            dtype = found[0]
        return self.cast(getattr(dtype, "dtype", dtype))  # a name like torch.FloatTensor has one

    def cuda(self, device: Any = None, non_blocking: bool = False) -> Tensor:
        """Raises as torch does without a GPU."""
        require_cpu("cuda" if device is None or isinstance(device, int) else device)
        return self

    def data_ptr(self) -> int:
        """The address of the first element."""
        return self.array.__array_interface__["data"][0]  # type: ignore[no-any-return]

    def get_device(self) -> int:
        """-1: the CPU."""
        return -1

    # Its place in the graph

    @property
    def requires_grad(self) -> bool:
        """Whether calls with this tensor are recorded."""
        return self.leaf or self.node is not None or self.lane.stale

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        if not isinstance(wanted, bool):
            raise RuntimeError("requires_grad must be a bool")
        if self.node is not None and wanted:
            raise RuntimeError("you can only change requires_grad flags of leaf variables.")
        self._require(wanted, "floating point and complex dtype")

    @requires_grad.deleter
    def requires_grad(self) -> None:
        raise RuntimeError("Deleting tensor.requires_grad is not allowed.")

    def _require(self, wanted: bool, differentiable: str) -> None:
        if self.node is not None:
            if not wanted:
                raise RuntimeError(
                    "you can only change requires_grad flags of leaf variables. If you want to use a computed "
                    "variable in a subgraph that doesn't require differentiation use var_no_grad = var.detach()."
                )
            return
        if wanted:
            if not self.dtype.differentiable:
                raise RuntimeError(f"only Tensors of {differentiable} can require gradients")
            if self.lane.inference and not modes.is_inference_mode_enabled():
                raise RuntimeError("Setting requires_grad=True on inference tensor outside InferenceMode is not allowed.")
        self.leaf = wanted

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Ask for the gradient of this leaf (or no longer); returns self."""
        if not isinstance(requires_grad, bool):
            raise TypeError(
                f"requires_grad_(): argument 'requires_grad' (position 1) must be bool, not {type(requires_grad).__name__}"
            )
        levels.refuse("requires_grad_", levels.FUNCTIONAL)
        self._require(requires_grad, "floating point dtype")
        return self

    @property
    def is_leaf(self) -> bool:
        """Whether the user made it: no recorded call did."""
        return self.node is None

    @property
    def output_nr(self) -> int:
        """Which output of its node it is."""
        return self.node.index if type(self.node) is Port else 0

    @property
    def retains_grad(self) -> bool:
        """Whether `retain_grad` was called on this non-leaf."""
        hooks = getattr(self.node, "hooks", None)
        return hooks is not None and hooks.retained is not None

    @property
    def grad(self) -> Tensor | None:
        """The gradient that backward passes have added up, or None."""
        if self._grad is None and self.node is not None and not self.retains_grad:
            notice(NON_LEAF_GRAD)
        return self._grad  # type: ignore[no-any-return]

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if value is not None:
            self._check_grad(value)
        self._grad = value

    @grad.deleter
    def grad(self) -> None:
        self._grad = None

    def _check_grad(self, value: Any) -> None:
        if not isinstance(value, Tensor):
            raise TypeError(f"assigned grad expected to be a Tensor or None but got grad of type {type(value).__name__}")
        if value is self:
            raise RuntimeError("can't assign Variable as its own grad")
        if value.dtype is not self.dtype:
            raise RuntimeError(
                f"attempting to assign a gradient with dtype '{c_type_name(value.dtype)}' to a tensor with grad_dtype "
                f"'{type_name(self.dtype)}'. {GRAD_DTYPE}"
            )
        if value.array.shape != self.array.shape:
            raise ShapeError(
                f"attempting to assign a gradient of size '{shape_text(value.array.shape)}' to a tensor of size "
                f"'{shape_text(self.array.shape)}'. Please ensure that the gradient and the tensor are the same size"
            )

    @property
    def data(self) -> Tensor:
        """The same memory as a tensor of its own, whose writes the tape does not see."""
        alias = leaf(self.array, own_lane(self.lane))
        alias.uncounted = True
        return alias

    @data.deleter
    def data(self) -> None:
        raise RuntimeError("Deleting tensor.data is not allowed. Delete tensor or set it to an empty one instead.")

    # Its values in Python and NumPy

    @property
    def carries(self) -> bool:
        """Whether there is a derivative about it: a history, a tangent, or that it is to have a gradient."""
        return self.lane.dual or (self.requires_grad and modes.is_grad_enabled())

    def item(self) -> Any:
        """The one element as a Python number."""
        if self.array.size != 1:
            raise RuntimeError(f"a Tensor with {self.array.size} elements cannot be converted to Scalar")
        if self.carries:
            leaving.check(2)
        return _python(self.array.reshape(()))

    def tolist(self) -> Any:
        """The elements as (nested lists of) Python numbers."""
        if self.carries:
            leaving.check(2)
        return _python(self.array)

    def numpy(self, *, force: bool = False) -> np.ndarray:
        """The raw array itself, sharing memory; with ``force`` also of a tensor that requires grad."""
        if not force and self.requires_grad and modes.is_grad_enabled():
            raise RuntimeError("Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.")
        exports.note()
        return self.array  # type: ignore[no-any-return]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if self.carries:
            leaving.check(2)
        array = self.numpy()
        if dtype is not None and array.dtype != dtype:
            return array.astype(dtype)
        return array.copy() if copy else array

    def __len__(self) -> int:
        if self.array.ndim == 0:
            raise TypeError("len() of a 0-d tensor")
        return len(self.array)

    def __iter__(self) -> Iterator[Tensor]:
        if self.array.ndim == 0:
            raise TypeError("iteration over a 0-d tensor")
        if self.array.ndim == 1 and levels.differentiating.get():  # NumPy's elements are no views
            return iter(self.clone().unbind(0))  # type: ignore[attr-defined]
        return iter(self.unbind(0))  # type: ignore[attr-defined]

    def __reversed__(self) -> Tensor:
        """With the first axis backwards."""
        return self.flip(0) if self.array.ndim else self  # type: ignore[attr-defined, no-any-return]

    def __bool__(self) -> bool:
        if self.array.size != 1:
            kind = "no values" if self.array.size == 0 else "more than one value"
            raise RuntimeError(f"Boolean value of Tensor with {kind} is ambiguous")
        return bool(self.array)

    def _scalar(self) -> Any:
        if self.array.size != 1:
            raise ValueError("only one element tensors can be converted to Python scalars")
        return _python(self.array.reshape(()))

    def _watched_scalar(self) -> Any:
        if self.carries:
            leaving.check(3)
        if (self.leaf or self.node is not None) and modes.is_grad_enabled():
            notice(SCALAR_OF_GRAD)
        return self._scalar()

    def __float__(self) -> float:
        return float(self._watched_scalar())

    def __int__(self) -> int:
        return int(self._scalar())

    def __complex__(self) -> complex:
        return complex(self._watched_scalar())

    def __index__(self) -> int:
        if self.array.size != 1 or self.dtype.differentiable:
            raise TypeError("only integer tensors of a single element can be converted to an index")
        return int(self._scalar())

    def __contains__(self, value: Any) -> bool:
        return bool((self.array == (value.array if isinstance(value, Tensor) else value)).any())

    # Its text

    def text_of_values(self) -> str:
        """Its text without a word about gradients."""
        return tensor_text(self.array, self.dtype.name, default_dtype_name=spec.default_float().name)

    def __repr__(self) -> str:
        if levels.present() and (text := levels.shown(self)):
            return text
        grad_fn = None
        if self.node is not None:
            edge = edge_of(self)
            node = edge.node if type(edge) is Port else edge
            grad_fn = node.name().rpartition(":")[2]
        if self.lane.stale:
            grad_fn = "Invalid"
        lane: Any = self.lane
        tangent = (f"tangent={lane.tangent}",) if lane.dual and lane.level.alive and modes.present().tangents else ()
        return tensor_text(self.array, self.dtype.name, default_dtype_name=spec.default_float().name,
                           grad_fn=grad_fn, requires_grad=self.leaf, suffixes=tangent)  # fmt: skip

    def __format__(self, how: str) -> str:
        if self.array.ndim or type(self) is not Tensor:
            return object.__format__(self, how)
        return format(_python(self.array), how)


class Parameter(Tensor):
    """A tensor that a module trains: a leaf that asks for its gradient from the start."""

    __slots__ = ("__dict__",)
    torch_name: ClassVar[str] = "torch.nn.parameter.Parameter"

    def __repr__(self) -> str:
        return "Parameter containing:\n" + super().__repr__()


def _python(array: Any) -> Any:
    """Python numbers; half types by way of float32, which holds them exactly."""
    if array.dtype.kind == "V" or (array.dtype.itemsize == 2 and array.dtype.name == "bfloat16"):
        array = array.astype(np.float32)
    return array.tolist()


def edge_of(t: Any) -> Any:
    """What a cotangent of ``t`` is delivered to: its node, or itself where it is a leaf; None for a constant."""
    if t.lane.behind:
        t._catch_up()
    return t.node or (t if t.leaf else None)


def wrap(array: Any, node: Node | Port | None = None) -> Tensor:
    """A tensor around a raw array (a NumPy scalar becomes a 0-d array)."""
    if isinstance(array, np.generic):
        array = np.asarray(array)
    t = leaf(array, lane_of(array))
    t.node = node
    return t


def zeros_of(t: Tensor) -> Tensor:
    """Zeros shaped like ``t``: of a batched tensor, for each sample."""
    return t._for_each(wrap(np.zeros(t.array.shape, t.array.dtype)))


def leaf(array: Any, lane: Lane) -> Tensor:
    """A tensor around an array whose lane is known."""
    t = object.__new__(Tensor)
    t.array = array
    t.lane = lane
    t.leaf = t.uncounted = False
    t.node = t._grad = t.base = t.hooks = None
    return t


NON_LEAF_GRAD: Final = (
    "The .grad attribute of a Tensor that is not a leaf Tensor is being accessed. Its .grad attribute won't be "
    "populated during autograd.backward(). If you indeed want the .grad field to be populated for a non-leaf Tensor, "
    "use .retain_grad() on the non-leaf Tensor. If you access the non-leaf Tensor by mistake, make sure you access "
    "the leaf Tensor instead. See github.com/pytorch/pytorch/pull/30531 for more information."
)
GRAD_DTYPE: Final = (
    "The gradient must match the tensor's grad_dtype (defaults to the tensor's dtype). You can set the tensor's "
    "grad_dtype attribute with a specific dtype, or None to allow any dtype. Set grad_dtype with caution. Diverging the "
    "dtypes of a tensor and its gradient may break downstream systems that assume they match."
)
SCALAR_OF_GRAD: Final = (
    "Converting a tensor with requires_grad=True to a scalar may lead to unexpected behavior.\n"
    "Consider using tensor.detach() first."
)
