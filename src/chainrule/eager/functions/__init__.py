"""torch's functions where their signature is not that of a primitive: names of axes, overloads, several steps.

Each is its Python body: the primitives do the work. Every public function here is in torch's namespace, and a
method of `Tensor` too, but for those that `FUNCTIONS_ONLY` and `METHODS_ONLY` name.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Final

from chainrule.eager.functions import (
    arithmetic,
    history,
    indexing,
    products,
    reductions,
    scattering,
    searching,
    shapes,
    statistics,
    viewing,
)

FUNCTIONS_ONLY: Final = (
    "einsum", "var_mean", "std_mean", "tensordot", "cat", "stack", "hstack", "vstack", "column_stack", "is_tensor",
    "result_type", "meshgrid", "where", "isin", "searchsorted", "bucketize",
)  # fmt: skip
METHODS_ONLY: Final = (
    "storage_offset", "sum_to_size", "split_with_sizes", "view", "view_as", "reshape_as", "expand", "expand_as", "repeat",
    "to", "type_as", "to_dense", "contiguous", "detach_",
)  # fmt: skip
HELPERS: Final = (
    "getitem", "index_error", "normal_key", "check_index", "check_range", "too_large", "cast_for", "check_dtype",
    "vector_norm", "dtype_asked", "alias", "result_text", "named_pair", "H", "T", "mH", "mT",
    "multi_dot", "is_simple", "has_numbers", "is_number", "numbers_among", "check_strides", "laid_out", "correction_of",
    "not_implemented_for",
)  # fmt: skip; for other rooms
STORED: Final = {  # which take out=
    "add", "sub", "rsub", "div", "pow", "clamp", "round", "where", "masked_fill", "sum", "mean", "prod", "max", "min",
    "amax", "amin", "argmax", "argmin", "any", "all", "count_nonzero", "var", "std", "norm", "logsumexp", "cumsum",
    "cumprod", "argsort", "softmax", "log_softmax", "nonzero", "bincount", "mv", "bmm", "outer", "tensordot", "trace",
    "cat", "hstack", "vstack", "column_stack", "diff", "stack", "roll", "diag", "tril", "triu", "gather", "scatter",
    "scatter_add", "index_add", "index_select", "take", "take_along_dim", "masked_select", "sort", "topk", "addcmul",
    "addcdiv", "addmm", "baddbmm", "addbmm", "addmv", "addr", "clamp_min", "clamp_max", "index_copy", "index_reduce",
    "scatter_reduce", "kron", "inner", "vdot", "nansum", "float_power", "nan_to_num", "renorm", "conj", "conj_physical", "sgn",
    "angle", "median", "cummax", "cummin",
}  # fmt: skip
OWN_NAMES: Final = ("norm", "sum", "mean")  # whose ``dim`` has no other name, or which know both themselves


def parameters(fun: Callable[..., Any]) -> tuple[str, ...]:
    """The names of what ``fun`` takes (inspect.signature would take its time, and this is read at import)."""
    code = fun.__code__
    return code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]


def numpy_named(fun: Callable[..., Any]) -> Callable[..., Any]:
    """``fun``, taking NumPy's ``axis`` and ``keepdims`` for ``dim`` and ``keepdim`` too, as torch's functions do."""

    @wraps(fun)
    def function(*args: Any, **kwargs: Any) -> Any:
        if "axis" in kwargs:
            kwargs["dim"] = kwargs.pop("axis")
        if "keepdims" in kwargs:
            kwargs["keepdim"] = kwargs.pop("keepdims")
        return fun(*args, **kwargs)

    return function


def defined() -> dict[str, Callable[..., Any]]:
    """The functions of the modules here, by name."""
    return {
        name: numpy_named(value) if "dim" in parameters(value) and name not in OWN_NAMES else value
        for module in (arithmetic, reductions, searching, products, shapes, indexing, scattering, statistics, viewing, history)
        for name, value in vars(module).items()
        if callable(value) and value.__module__ == module.__name__ and not isinstance(value, type)
        and not name.startswith("_") and name not in HELPERS
    }  # fmt: skip


ALL: Final = defined()
