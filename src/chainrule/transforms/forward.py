"""`jvp` and `linearize`: forward mode for functions of nested containers of tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from chainrule.eager import duals, levels, modes
from chainrule.eager.batching.tensor import Batched, batched
from chainrule.eager.functions.viewing import alias
from chainrule.eager.generator import default_generator
from chainrule.eager.specialise import F
from chainrule.eager.tensor import Tensor, zeros_of
from chainrule.eager.trees import Structure, flatten, unflatten
from chainrule.transforms.captured import Derivative, normal_alias, outside_inference
from chainrule.transforms.reverse import checked_outputs, parts_of


@outside_inference
def jvp(func: Callable[..., Any], primals: tuple[Any, ...], tangents: tuple[Any, ...], *, strict: bool = False,
        has_aux: bool = False) -> Any:  # fmt: skip
    """``func(*primals)``, and its derivative along ``tangents``: the Jacobian times these.

    Raises RuntimeError if primals and tangents are not tuples of one structure and of equal shapes, or func returns anything
    but tensors; with ``strict`` also if an output does not depend on the inputs.

    >>> import chainrule as cr
    >>> jvp(cr.sin, (cr.tensor([0.0, 1.0]),), (cr.tensor([1.0, 1.0]),))
    (tensor([0.0000, 0.8415]), tensor([1.0000, 0.5403]))
    """
    inputs, directions, structure = checked("jvp(f, primals, tangents)", primals, tangents)
    return along(func, [normal_alias(x) for x in inputs], directions, structure, strict, has_aux)


def along(func: Callable[..., Any], mine: list[Any], directions: list[Any], structure: Structure, strict: bool = False,
          has_aux: bool = False) -> Any:  # fmt: skip
    """`jvp` of inputs in this structure, tensors that nobody else has."""
    with Derivative([*mine, *directions]) as level, modes.carry_tangents():
        for x, t in zip(mine, directions, strict=True):
            duals.attach(x, level, duals.laid_out(x, t))
        result = func(*unflatten(structure, mine))
        result, aux = parts_of(result, has_aux, "jvp(f, primals, tangents)")
        outputs, shape = flatten(result)
        checked_outputs("jvp(f, primals, tangents)", outputs)
        level.check(result, aux)
        parts = [parted(y, level, strict) for y in outputs]
        aux = None if aux is None else primal_tree(aux, level)
    value, slope = (unflatten(shape, [part[k] for part in parts]) for k in (0, 1))
    return (value, slope, aux) if has_aux else (value, slope)


@outside_inference
def linearize(func: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[..., Any]]:
    """``func(*primals)``, and its derivative there as a linear function of tangents: `jvp` at these primals.

    Each call of it runs ``func`` on copies of the primals and tangents, with the random numbers of the first time: later
    writes to a primal change nothing. Raises RuntimeError for tangents of another structure, shape or dtype.

    >>> import chainrule as cr
    >>> value, push = linearize(cr.sin, cr.tensor([0.0, 1.0]))
    >>> push(cr.tensor([2.0, 0.0]))
    tensor([2., 0.])
    """
    inputs, structure = flatten(primals)
    for x in inputs:
        checked_primal(x)
    kept = [F.copy(x) for x in inputs]
    start = default_generator.get_state()

    def pushed(directions: list[Any]) -> Any:
        return along(func, [F.copy(x) for x in kept], [F.copy(t) for t in directions], structure)

    def push(*tangents: Any) -> Any:
        directions, like = flatten(tangents)
        if like != structure:
            raise RuntimeError(f"Expected the tangents to have the structure of the primals, {structure}, but got {like}")
        checked_like(inputs, directions)
        now = default_generator.get_state()
        default_generator.set_state(start)
        try:
            return pushed(directions)[1]
        finally:
            default_generator.set_state(now)

    return pushed([zeros_of(x) for x in inputs])[0], push


def checked_like(inputs: Sequence[Tensor], directions: Sequence[Any]) -> None:
    """Raise RuntimeError unless each tangent has the shape and the dtype of its primal."""
    for k, (x, t) in enumerate(zip(inputs, directions, strict=True)):
        if not isinstance(t, Tensor):
            raise RuntimeError(f"tangent:{k} in flattened pytree is not a Tensor but {type(t)}")
        for what, given, wanted in (("shape", t.shape, x.shape), ("dtype", t.dtype, x.dtype)):
            if given != wanted:
                raise RuntimeError(
                    f"tangent:{k} with {what} {given} in flattened pytree doesn't match the {what} {wanted} of the "
                    "corresponding primal."
                )


def checked(name: str, primals: Any, tangents: Any) -> tuple[list[Any], list[Any], Structure]:
    """The leaves of primals and tangents, and their structure, validated."""
    if not isinstance(primals, tuple):
        raise RuntimeError(f"{name}: Expected primals to be a tuple. E.g. it should be valid to call f(*primals).")
    inputs, structure = flatten(primals)
    directions, like = flatten(tangents)
    if like != structure:
        raise RuntimeError(
            f"{name}: Expected primals and tangents to have the same python structure. For example, if primals is a tuple of "
            f"3 tensors, tangents also must be. Got primals with structure {structure} and tangents with structure {like}"
        )
    if not inputs:
        raise RuntimeError(f"{name}: Expected primals to contain at least one Tensor.")
    for what, leaves in (("primals", inputs), ("tangents", directions)):
        for x in leaves:
            if not isinstance(x, Tensor):
                raise RuntimeError(f"{name}: Expected {what} to only contain Tensors, got {type(x)}")
    for x, t in zip(inputs, directions, strict=True):
        duals.check_pair(x, t)
    return inputs, directions, structure


def checked_primal(x: Any) -> None:
    """Raise RuntimeError for a primal that is no tensor, ValueError for one of whole numbers."""
    if not isinstance(x, Tensor):
        raise RuntimeError(f"expected only tensors, but got a value of type {type(x)}")
    duals.check_has_tangents("primal", x)


def dual(x: Tensor, tangent: Tensor, level: levels.Level) -> Tensor:
    """A view of ``x`` with this tangent."""
    return duals.attach(normal_alias(x), level, duals.laid_out(x, tangent))


def parted(y: Tensor, level: levels.Level, strict: bool) -> tuple[Tensor, Tensor]:
    """The primal and the tangent of an output, zeros where it has none."""
    tangent = duals.tangent_of(y, level)
    if tangent is None and strict:
        raise RuntimeError(
            "jvp(f, primals, tangents, strict=True): The output of f is independent of the inputs. This is not allowed with "
            "strict=True."
        )
    return primal(y, level), zeros_of(y) if tangent is None else tangent


def primal(y: Tensor, level: levels.Level) -> Tensor:
    """``y`` without the tangent of this level."""
    if isinstance(y, Batched):
        return batched(primal(y.values, level), y.batch)
    if not y.lane.dual:
        return y
    with duals.stripped((y,), level):
        return alias(y)  # type: ignore[no-any-return]


def primal_tree(tree: Any, level: levels.Level) -> Any:
    """The tree without tangents of this level."""
    leaves, structure = flatten(tree)
    return unflatten(structure, [primal(y, level) if isinstance(y, Tensor) else y for y in leaves])
