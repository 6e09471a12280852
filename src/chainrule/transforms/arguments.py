"""What functions of plain arrays are given, as tensors, and what they give back, as plain again."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule.core import spec
from chainrule.eager import engine, levels, modes, tasks
from chainrule.eager.functions.viewing import alias
from chainrule.eager.leaving import DerivativeLost
from chainrule.eager.tensor import Tensor, edge_of, wrap
from chainrule.eager.trees import LEAF, Structure, flatten, mapped, unflatten
from chainrule.transforms import reverse


class Arguments:
    """The arguments of a call; those to differentiate by as tensors."""

    def __init__(self, args: Sequence[Any], which: Sequence[int]) -> None:
        self.args = args
        self.which = which
        self.leaves: list[Any] = []
        self.tensors: list[Tensor] = []
        self.structures: list[Structure] = []
        mode = modes.state()
        if mode is not None and mode.inference:
            raise RuntimeError("inside inference_mode() nothing can be differentiated; inside no_grad() it can")
        if len({k % max(len(args), 1) for k in which}) < len(which):
            raise ValueError(f"argnums names an argument twice: {tuple(which)}")
        for k in which:
            if not -len(args) <= k < len(args):
                raise TypeError(f"the function was called with {len(args)} arguments, but argnums is {k}")
            x = args[k]
            leaves, structure = ([x], LEAF) if type(x) is np.ndarray or is_array(x) else flatten(x)
            name = f"argument {k}"
            self.leaves += leaves
            self.tensors += [tensor_of(part, name) for part in leaves]
            self.structures.append(structure)

    @property
    def trees(self) -> tuple[Any, ...]:
        """The arguments to differentiate by, with tensors for leaves."""
        return tuple(self.shaped(self.tensors))

    @property
    def structure(self) -> Structure:
        """That of `trees`."""
        return Structure(tuple, None, tuple(self.structures))

    @property
    def inner(self) -> tuple[Any, ...]:
        """All arguments, those to differentiate by with tensors for leaves."""
        return self.replaced(self.tensors)

    def shaped(self, leaves: Sequence[Any]) -> list[Any]:
        """Leaves as trees like the arguments to differentiate by."""
        if len(self.structures) == 1:
            return [unflatten(self.structures[0], leaves)]
        rest = iter(leaves)
        return [unflatten(structure, [next(rest) for _ in range(structure.size)]) for structure in self.structures]

    def replaced(self, leaves: Sequence[Any]) -> tuple[Any, ...]:
        """All arguments, those to differentiate by with these leaves."""
        inner = list(self.args)
        for k, tree in zip(self.which, self.shaped(leaves), strict=True):
            inner[k] = tree
        return tuple(inner)

    def like_arguments(self, slopes: Sequence[Any]) -> list[Any]:
        """Slopes as the caller's kinds of numbers, in trees like the arguments."""
        return self.shaped([plain(s, x) for s, x in zip(slopes, self.leaves, strict=True)])

    def own_tensors(self) -> list[Tensor]:
        """What is to be differentiated by, views of the caller's tensors."""
        return [alias(t) if t is x else t for t, x in zip(self.tensors, self.leaves, strict=True)]

    def on_trial(self) -> tuple[Any, ...]:
        """All arguments, those to differentiate by as copies: for a call of which only the shapes are of interest."""
        return self.replaced([t.clone() for t in self.tensors])

    def as_leaves(self) -> list[Tensor]:
        """New leaves with the values to differentiate by."""
        leaves = [wrap(x.array) for x in self.tensors]
        for x in leaves:
            x.leaf = True
        return leaves

    def by_one_pass(self, f: Callable[..., Any], kwargs: dict[str, Any]) -> tuple[Any, list[Any]]:
        """The value of ``f`` and its slopes, by one backward pass: nothing around it is differentiated otherwise."""
        leaves = self.as_leaves()
        with modes.enable_grad():
            value = watched(f, self.replaced(leaves), kwargs)
            return value, slopes_of(value, leaves, create_graph=levels.differentiating.get())

    def through_transforms(self, f: Callable[..., Any], kwargs: dict[str, Any]) -> tuple[Any, list[Any]]:
        """The same within another derivative, or a batch."""

        def value(*leaves: Tensor) -> Any:
            found = watched(f, self.replaced(leaves), kwargs)
            checked_number(found)
            y = found if isinstance(found, Tensor) else wrap(np.asarray(found))
            return y.reshape(()) if y.ndim else y

        slopes, y = reverse.grad_and_value(value, tuple(range(len(self.tensors))))(*self.tensors)
        return y, list(slopes)


def numbered(argnums: Any) -> tuple[int, ...]:
    """The arguments to differentiate by. TypeError for what is no number, ValueError if one is there twice."""
    which = tuple(operator.index(k) for k in argnums) if isinstance(argnums, (tuple, list)) else (operator.index(argnums),)
    if len(set(which)) < len(which):
        raise ValueError(f"argnums names an argument twice: {which}")
    return which


def one_number(argnums: Any) -> int:
    """The argument to differentiate by, where there is to be one."""
    if isinstance(argnums, (tuple, list)):
        raise TypeError(f"argnums is the number of one argument here, not {argnums!r}: ask for one derivative each")
    return operator.index(argnums)


def with_tangents(name: str, primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Arguments, Arguments]:
    """Primals and their tangents. TypeError unless these have the structure, the shapes and the realness of those."""
    for what, given_as in (("primals", primals), ("tangents", tangents)):
        if not isinstance(given_as, (tuple, list)):
            raise TypeError(f"{name} needs a tuple of {what}, one for each argument, not {type(given_as).__name__}")
    given, ways = Arguments(primals, range(len(primals))), Arguments(tangents, range(len(tangents)))
    if given.structures != ways.structures:
        raise TypeError(f"{name} needs a tangent for each primal: primals and tangents are of one structure")
    for x, t in zip(given.tensors, ways.tensors, strict=True):
        if x.shape != t.shape:
            raise TypeError(
                f"{name} needs tangents shaped like the primals, but got shape {tuple(t.shape)} for {tuple(x.shape)}"
            )
        if t.dtype.is_complex and not x.dtype.is_complex:
            raise TypeError(f"{name} needs real tangents for real primals, but got {t.dtype.numpy} for {x.dtype.numpy}")
    return given, ways


def is_array(x: Any) -> bool:
    """Whether a list (or a tuple) is one of numbers, or of lists of them, which counts as an array."""
    if not isinstance(x, (list, tuple)) or not x or hasattr(x, "_fields"):
        return False
    return all(is_array(part) or isinstance(part, (int, float, complex, str, np.number)) for part in x)


def tensor_of(x: Any, name: str) -> Tensor:
    """A number, an array or a tensor as a tensor; whole numbers as float64. TypeError for anything else."""
    if isinstance(x, Tensor):
        return x if x.lane.dtype.differentiable else x.cast(spec.float64)
    if isinstance(x, np.ma.MaskedArray):
        raise TypeError(f"{name} is a masked array, whose mask would be lost: pass np.where(mask, 0, data) or x.compressed()")
    if isinstance(x, np.matrix):
        raise TypeError(f"{name} is a matrix, whose * is another product: pass np.asarray(x)")
    array = np.asarray(x)
    kind = array.dtype.kind
    if kind in "iub":
        array = array.astype(np.float64)
    elif kind not in "fc":
        raise TypeError(f"{name} must be a number or an array of numbers, not {type(x).__name__}")
    return wrap(array)


def tensorial(f: Callable[..., Any]) -> Callable[..., Any]:
    """``f`` with tensors for whatever numbers it returns."""
    return lambda *args: mapped(lambda y: tensor_of(y, "the result"), watched(f, args, {}))


def watched(f: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """``f`` of these arguments, it being known that it is differentiated."""
    outer = levels.differentiating.get()
    levels.differentiating.set(True)
    try:
        return f(*args, **kwargs)
    except ValueError as fault:
        if isinstance(fault.__cause__, DerivativeLost):  # NumPy says "setting an array element with a sequence" instead
            raise fault.__cause__ from None
        raise
    finally:
        levels.differentiating.set(outer)


def checked_number(value: Any) -> None:
    """Raise TypeError unless ``value`` is one number."""
    one = isinstance(value, (np.generic, np.ndarray)) and value.ndim == 0
    if not (one or isinstance(value, (Tensor, int, float))):
        raise TypeError(f"grad needs a function that returns one number, but this one returned {type(value).__name__}")
    if isinstance(value, Tensor) and value.array.size != 1:
        raise TypeError(
            f"grad needs a function that returns one number, but this one returned shape {tuple(value.array.shape)}: "
            "differentiate one element, or the sum"
        )


def slopes_of(value: Any, leaves: list[Tensor], create_graph: bool) -> list[Any]:
    """The gradients of ``value``, zero for what it does not depend on."""
    checked_number(value)
    if not isinstance(value, Tensor) or not value.requires_grad:
        return [wrap(np.zeros_like(x.array)) for x in leaves]
    number = value.sum() if value.array.ndim else value
    if not create_graph and tasks.behind([edge_of(number)])[1].issubset(leaves):
        return engine.grad_by_all([number], leaves, [None], retain_graph=False)
    return list(engine.grad(number, leaves, create_graph=create_graph, allow_unused=True, materialize_grads=True))


def pulled_back(outputs: list[Any], leaves: list[Tensor], cotangents: list[Tensor], create_graph: bool) -> list[Any]:
    """The cotangents of the leaves for these of the outputs, zero for what does not depend on them."""
    live = [(y, g) for y, g in zip(outputs, cotangents, strict=True) if y.requires_grad]
    if not live:
        return [wrap(np.zeros_like(x.array)) for x in leaves]
    ys, gs = (list(part) for part in zip(*live, strict=True))
    return list(engine.grad(ys, leaves, gs, create_graph=create_graph, allow_unused=True, materialize_grads=True))


def representative(leaves: Sequence[Any]) -> Any:
    """What decides whether results are tensors or plain: a tensor among the arguments, or else an array."""
    return next((x for x in leaves if isinstance(x, Tensor)), np.empty(0))


def plain_tree(tree: Any, like: Any) -> Any:
    """A tree of results with plain leaves: numbers where there are no axes."""
    return mapped(lambda y: plain(y, like if y.array.ndim or isinstance(like, Tensor) else 0.0), tree)


def apart(tree: Any, given: Arguments) -> Any:
    """A tree of results, arrays of the caller's copied: what is written to a result changes no argument."""
    theirs = [t.array for t in given.tensors if type(t.array) is np.ndarray]
    return mapped(
        lambda y: y.copy() if type(y) is np.ndarray and any(np.may_share_memory(y, x) for x in theirs) else y, tree
    )


def plain(result: Any, like: Any) -> Any:
    """A result as the caller's kind of number: a float for a number, a contiguous array for an array.

    Within another derivative, or a batch, one that depends on what that is about stays a tensor.
    """
    if not isinstance(result, Tensor) or isinstance(like, Tensor):
        return result
    if result.level or result.lane.dual or (result.requires_grad and (levels.differentiating.get() or levels.present())):
        return result
    if isinstance(like, (np.ndarray, list, tuple)):
        return np.asarray(result.array, order="C")
    return result.item()
