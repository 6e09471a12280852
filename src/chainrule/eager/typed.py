"""torch's old names of tensors of one dtype: ``FloatTensor([1, 2])``, ``isinstance(t, LongTensor)``."""

from __future__ import annotations

from typing import Any

from chainrule.core import spec
from chainrule.core.spec import DType
from chainrule.eager.creation import empty, tensor
from chainrule.eager.tensor import Tensor
from chainrule.errors import type_name


class Typed(type):
    """The class of these names. Called with a sequence they make a tensor of its numbers, with sizes an empty one.

    >>> FloatTensor([1, 2]), LongTensor(2, 3).shape, isinstance(tensor([1]), LongTensor)
    (tensor([1., 2.]), torch.Size([2, 3]), True)
    """

    dtype: DType

    def __call__(cls, *args: Any) -> Tensor:
        if len(args) == 1 and not isinstance(args[0], int):
            return tensor(args[0], dtype=cls.dtype)
        return empty(*(args or (0,)), dtype=cls.dtype)  # type: ignore[no-any-return]

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, Tensor) and instance.dtype is cls.dtype

    def __repr__(cls) -> str:
        return f"<class 'torch.{cls.__name__}'>"


def _typed(dtype: DType) -> Any:
    return Typed(f"{type_name(dtype)}Tensor", (), {"dtype": dtype})


FloatTensor, DoubleTensor, HalfTensor = map(_typed, (spec.float32, spec.float64, spec.float16))
LongTensor, IntTensor, ShortTensor = map(_typed, (spec.int64, spec.int32, spec.int16))
ByteTensor, CharTensor, BoolTensor = map(_typed, (spec.uint8, spec.int8, spec.bool_))
