"""NumPy's functions whose results have no derivative, such as counts, places and answers: computed from the values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.core.box import derived
from chainrule.eager.tensor import Tensor
from chainrule.eager.trees import mapped


def values(x: Any) -> Any:
    """The array of a tensor; anything else as it is."""
    return x.array if isinstance(x, Tensor) else x


def of_values(fun: Callable[..., Any]) -> Callable[..., Any]:
    """``fun`` of arrays, tensors being taken for theirs."""
    return lambda *args, **kwargs: fun(*mapped(values, list(args)), **mapped(values, kwargs))


for _fun in (
    np.searchsorted, np.digitize, np.argwhere, np.flatnonzero, np.isin, np.lexsort, np.argpartition, np.array_equiv,
    np.iscomplexobj, np.isrealobj, np.iscomplex, np.isreal, np.may_share_memory, np.shares_memory, np.bincount, np.nanargmax,
    np.nanargmin, np.nonzero, np.isneginf, np.isposinf,
):  # fmt: skip
    derived(_fun)(of_values(_fun))


@derived(np.result_type)
def result_type(*arrays_and_dtypes: Any) -> Any:
    """NumPy's common dtype."""
    return np.result_type(*(x.array.dtype if isinstance(x, Tensor) else x for x in arrays_and_dtypes))
