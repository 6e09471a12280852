"""Copies of tensors: ``copy.deepcopy``, ``copy.copy`` and ``pickle``, which keep leaves only."""

from __future__ import annotations

import copy
from typing import Any, Final

import numpy as np

from chainrule.eager.lane import own_lane
from chainrule.eager.levels import differentiating
from chainrule.eager.specialise import F
from chainrule.eager.tensor import Parameter, Tensor, lane_of, leaf


def deepcopy(self: Tensor, memo: dict[int, Any]) -> Tensor:
    """A leaf with copies of the numbers (and of the gradient, but for a Parameter); RuntimeError for what was computed."""
    if differentiating.get() and self.carries:
        return F.copy(self)  # type: ignore[no-any-return]
    if self.node is not None:
        raise RuntimeError(DEEPCOPY)
    if id(self) in memo:
        return memo[id(self)]  # type: ignore[no-any-return]
    t = rebuild(type(self), copied(self.array, memo), self.leaf, {})
    t.lane = own_lane(self.lane)
    memo[id(self)] = t
    if type(self) is not Parameter:  # torch leaves a Parameter's gradient and own attributes behind
        t._grad = copy.deepcopy(self._grad, memo)
        vars_of(t).update(copy.deepcopy(vars_of(self), memo))
    return t


def shallow(self: Tensor) -> Any:
    """What ``copy.copy`` gives: a leaf as pickled ones are, in a function of arrays what NumPy's copy is."""
    if differentiating.get():
        return F.copy(self)
    make, parts = reduce_ex(self, 4)
    return make(*parts)


def reduce_ex(self: Tensor, protocol: Any) -> tuple[Any, ...]:
    """As torch: the numbers, whether they ask for a gradient, the user's attributes; no history, no gradient."""
    return rebuild, (type(self), self.array, self.requires_grad, vars_of(self))


def vars_of(t: Tensor) -> dict[str, Any]:
    """The attributes that the user gave a tensor, where its class lets him."""
    return getattr(t, "__dict__", {})


def rebuild(cls: type[Tensor], array: np.ndarray, requires_grad: bool, attributes: dict[str, Any]) -> Tensor:
    """A leaf of the class ``cls``: what a pickled tensor becomes again."""
    t = of_class(cls, leaf(array, lane_of(array)))
    t.leaf = requires_grad
    vars_of(t).update(attributes)
    return t


def of_class(cls: type[Tensor], t: Tensor) -> Tensor:
    """``t`` as an object of a class derived from Tensor."""
    if cls is Tensor:
        return t
    other = object.__new__(cls)
    slots: tuple[str, ...] = Tensor.__slots__
    for slot in slots[1:]:
        setattr(other, slot, getattr(t, slot))
    return other


def copied(array: np.ndarray, memo: dict[int, Any]) -> np.ndarray:
    """A deep copy; views of one array become views of its copy."""
    owner = array
    while type(owner.base) is np.ndarray:
        owner = owner.base
    if not owner.flags.c_contiguous or owner.dtype != array.dtype:
        return array.copy(order="K")
    if id(owner) not in memo:
        memo[id(owner)] = owner.copy()
    copy_of_owner = memo[id(owner)]
    if owner is array:
        return copy_of_owner  # type: ignore[no-any-return]
    start = array.__array_interface__["data"][0] - owner.__array_interface__["data"][0]
    return np.ndarray(array.shape, array.dtype, copy_of_owner, start, array.strides)


DEEPCOPY: Final = (
    "Only Tensors created explicitly by the user (graph leaves) support the deepcopy protocol at the moment.  If you were "
    "attempting to deepcopy a module, this may be because of a torch.nn.utils.weight_norm usage, see "
    "https://github.com/pytorch/pytorch/pull/103001"
)

Tensor.__copy__ = shallow  # type: ignore[attr-defined]
Tensor.__deepcopy__ = deepcopy  # type: ignore[attr-defined]
Tensor.__reduce_ex__ = reduce_ex  # type: ignore[method-assign, assignment]
