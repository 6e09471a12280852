"""Jacobians, block by block: by rows or by columns, one by one or all in one pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule.autograd.passes import CONSTANT, Func, Given, called, pushed
from chainrule.eager import engine
from chainrule.eager.functions.shapes import stack
from chainrule.eager.tensor import Tensor, wrap, zeros_of
from chainrule.transforms.batching import vmap

STRATEGIES = ("forward-mode", "reverse-mode")
Blocks = tuple[Given, list[list[Any]]]  # the outputs, and for each the blocks by input


def check_strategy(strategy: str, create_graph: bool, strict: bool, vectorize: bool) -> None:
    """Raise what torch raises for settings that do not go together."""
    name = "torch.autograd.functional.jacobian:"
    if strategy not in STRATEGIES:
        raise AssertionError(
            'Expected strategy to be either "forward-mode" or "reverse-mode". Hint: If your function has more outputs than '
            'inputs, "forward-mode" tends to be more performant. Otherwise, prefer to use "reverse-mode".'
        )
    if strategy == "forward-mode":
        if create_graph:
            raise NotImplementedError(
                f'{name} `create_graph=True` and `strategy="forward-mode"` are not supported together (yet). Please either '
                'set `create_graph=False` or `strategy="reverse-mode"`.'
            )
        if strict:
            raise RuntimeError(
                f'{name} `strict=True` and `strategy="forward-mode"` are not supported together (yet). Please either set '
                '`strict=False` or `strategy="reverse-mode"`.'
            )
    elif vectorize and strict:
        raise RuntimeError(
            f"{name} `strict=True` and `vectorized=True` are not supported together. Please either set `strict=False` or "
            "`vectorize=False`."
        )


def reverse_blocks(func: Func, xs: Given, strict: bool, rows_of: Callable[[Tensor, int], list[Any]]) -> Blocks:
    """The Jacobian by its rows, which ``rows_of`` gives for an output."""
    ys = called(func, xs, "jacobian", strict)
    rows = [
        [part.reshape((*y.array.shape, *x.array.shape)) for part, x in zip(rows_of(y, k), xs.parts, strict=True)]
        for k, y in enumerate(ys.parts)
    ]
    return ys, rows


def all_rows(y: Tensor, xs: Given, create_graph: bool) -> list[Any]:
    """The gradients of all elements of an output, by one pass."""
    if not y.requires_grad or not y.array.size:
        return [wrap(np.zeros((y.array.size, *x.array.shape), x.array.dtype)) for x in xs.parts]

    def pull(unit: Tensor) -> list[Tensor]:
        found = engine.grad(y, xs.parts, unit, retain_graph=True, create_graph=create_graph, allow_unused=True)
        return [zeros_of(x) if g is None else g for g, x in zip(found, xs.parts, strict=True)]

    return vmap(pull)(unit_rows(y))  # type: ignore[no-any-return]


def each_row(y: Tensor, xs: Given, create_graph: bool, strict: bool, k: int) -> list[Any]:
    """The gradients of the elements of output ``k``, one by one."""
    if y.dtype.is_complex and y.requires_grad:
        engine.implicit_seed(y.reshape(-1)[0])  # raises: there is no one gradient of a complex number
    found = [one_row(y, unit, xs, create_graph, strict, k) for unit in units(y)]
    return [joined([row[i] for row in found], y, 0) for i in range(len(xs.parts))]


def one_row(y: Tensor, unit: Tensor, xs: Given, create_graph: bool, strict: bool, k: int) -> list[Tensor]:
    """The gradients of one element of output ``k``."""
    found: Sequence[Any] = [None] * len(xs.parts)
    if y.requires_grad:
        found = engine.grad(y, xs.parts, unit, retain_graph=True, create_graph=create_graph, allow_unused=True)
    for i, g in enumerate(found):
        if strict and g is None:
            raise RuntimeError(
                f"Output {k} of the user-provided function is independent of input {i}. This is not allowed in strict mode."
            )
        if strict and create_graph and not g.requires_grad:
            raise RuntimeError(CONSTANT.format("jacobian", i))
    return [zeros_of(x) if g is None else g for g, x in zip(found, xs.parts, strict=True)]


def forward_blocks(func: Func, xs: Given, columns_of: Callable[[Push, Tensor], list[Any]]) -> Blocks:
    """The Jacobian by its columns, which ``columns_of`` gives for an input."""
    outputs: list[Given] = [Given([], False)]
    columns = []  # by input and output
    for i, x in enumerate(xs.parts):

        def push(unit: Tensor, i: int = i) -> list[Tensor]:
            directions = [unit if k == i else None for k in range(len(xs.parts))]
            outputs[0], tangents = pushed(func, xs, directions, "jacobian", False)
            return tangents

        if x.array.size:
            columns.append(columns_of(push, x))
        else:
            outputs[0], tangents = pushed(func, xs, [None] * len(xs.parts), "jacobian", False)
            columns.append([wrap(np.zeros((*t.array.shape, 0), t.array.dtype)) for t in tangents])
    rows = [
        [columns[i][k].reshape((*y.array.shape, *x.array.shape)) for i, x in enumerate(xs.parts)]
        for k, y in enumerate(outputs[0].parts)
    ]
    return outputs[0], rows


Push = Callable[[Tensor], list[Tensor]]  # from a direction of one input to the derivatives of the outputs


def all_columns(push: Push, x: Tensor) -> list[Any]:
    """The derivatives along all elements of an input, by one pass."""
    return vmap(push, out_dims=-1)(unit_rows(x))  # type: ignore[no-any-return]


def each_column(push: Push, x: Tensor) -> list[Any]:
    """The derivatives along the elements of an input, one by one."""
    found = [push(unit) for unit in units(x)]
    return [joined(list(parts), parts[0], -1) for parts in zip(*found, strict=True)]


def joined(parts: list[Tensor], y: Tensor, axis: int) -> Any:
    """The parts stacked along a new axis; nothing of the dtype of ``y`` where there are none."""
    return stack(parts, axis) if parts else wrap(np.zeros(0, y.array.dtype))


def unit_rows(y: Tensor) -> Tensor:
    """The unit vectors of the space of ``y``, along a first axis."""
    return wrap(np.eye(y.array.size, dtype=y.array.dtype).reshape(y.array.size, *y.array.shape))


def units(y: Tensor) -> list[Tensor]:
    """The unit vectors of the space of ``y``."""
    rows = np.eye(y.array.size, dtype=y.array.dtype)
    return [wrap(row.reshape(y.array.shape)) for row in rows]
