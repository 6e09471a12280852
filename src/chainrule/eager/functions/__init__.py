"""torch's functions where their signature is not that of a primitive: names of axes, overloads, several steps.

Each is its Python body: the primitives do the work. Every public function here is in torch's namespace, and a
method of `Tensor` too, but for those that `FUNCTIONS_ONLY` and `METHODS_ONLY` name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from chainrule.eager.functions import arithmetic, history, indexing, products, reductions, shapes

FUNCTIONS_ONLY: Final = ("einsum", "tensordot", "cat", "stack", "is_tensor", "result_type", "meshgrid", "where")
METHODS_ONLY: Final = ("view", "view_as", "reshape_as", "expand", "expand_as", "repeat", "to", "contiguous", "detach_")
HELPERS: Final = ("getitem", "setitem", "vector_norm", "dtype_asked", "H", "T", "mH", "mT")  # of operators, properties, other faces


def defined() -> dict[str, Callable[..., Any]]:
    """The functions of the modules here, by name."""
    return {
        name: value
        for module in (arithmetic, reductions, products, shapes, indexing, history)
        for name, value in vars(module).items()
        if callable(value) and value.__module__ == module.__name__ and not isinstance(value, type)
        and not name.startswith("_") and name not in HELPERS
    }  # fmt: skip


ALL: Final = defined()
