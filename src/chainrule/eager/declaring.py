"""Derivatives of one's own in a line: `custom_vjp`, `custom_jvp`, `linear` and `numeric`.

As in the table, the parameter names of a rule are the contract: ``g`` (or ``t``) and ``out``, and the names of the
function's own arguments. What a rule mentions is what is saved.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.eager import engine, modes
from chainrule.eager.custom import Function
from chainrule.eager.tensor import Tensor, wrap

Rule = Callable[..., Any]


def custom_vjp(*rules: Rule | None) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give the decorated function these vjps: one for each argument (None for no derivative; missing ones at the end are
    none either), or one for all of them.

    A rule takes the cotangent ``g`` (a tuple for several outputs), ``out`` and arguments of the function, by these names,
    and returns the cotangent of its argument; a rule for all returns a tuple. Written with chainrule's functions, it can
    be differentiated again. Called without tensors, the function is what it was.

    >>> import numpy as np
    >>> import chainrule as cr
    >>> @custom_vjp(lambda g, out: g * out)
    ... def exp(x):
    ...     return np.exp(x)
    >>> x = cr.tensor([0.0, 1.0], requires_grad=True)
    >>> exp(x).sum().backward()
    >>> x.grad
    tensor([1.0000, 2.7183])
    """
    return lambda body: declared(body, rules, pulled)


def custom_jvp(*rules: Rule | None) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give the decorated function these jvps: one for each argument (None for no derivative).

    A rule takes the tangent ``t`` of its argument, ``out`` and arguments of the function, by these names, and returns the
    tangent of the output. It has to be linear in t, and written with chainrule's functions: the vjp is its transpose.

    >>> import chainrule as cr
    >>> @custom_jvp(lambda t, x: t * x.cos())
    ... def sine(x):
    ...     return x.sin()
    >>> x = cr.tensor(0.0, requires_grad=True)
    >>> sine(x).backward()
    >>> x.grad
    tensor(1.)
    """
    return lambda body: declared(body, rules, transposed)


def linear(op: Callable[[Any], Any], adjoint: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The linear map ``op``, whose vjp is ``adjoint``: two functions of arrays, as a solver or a transform offers them.

    Derivatives of any order follow. ``linear(op, adjoint).check(x)`` raises ValueError unless
    <op(x), y> = <x, adjoint(y)> for a random y.

    >>> import numpy as np
    >>> import chainrule as cr
    >>> total = linear(np.cumsum, lambda g: np.cumsum(g[::-1])[::-1])
    >>> x = cr.tensor([1.0, 2.0, 3.0], requires_grad=True)
    >>> total.check(np.ones(3))
    >>> total(x).sum().backward()
    >>> x.grad
    tensor([3., 2., 1.])
    """
    return LinearMap(op, adjoint)


def numeric(f: Callable[..., Any], step: float | None = None, *, complex_step: bool = False) -> Callable[..., Any]:
    """The black box ``f``, a function of float arrays, with its derivative from differences.

    Central differences of sixth order with steps of ``step * max(1, |x|)`` (1e-3 by default), 6 calls of f per element of
    the arguments; with ``complex_step`` Im f(x + ih) / h with h = 1e-30, one call and full accuracy, for f that take complex
    numbers. f is called with float64 (complex128) arrays. The derivative is not differentiable again: trying to raises
    RuntimeError.

    >>> import math
    >>> import chainrule as cr
    >>> x = cr.tensor(0.5, dtype=cr.float64, requires_grad=True)
    >>> numeric(math.erf)(x).backward()
    >>> abs(x.grad.item() - 2 / math.sqrt(math.pi) * math.exp(-0.25)) < 1e-10
    True
    """

    def forward(ctx: Any, *args: Any) -> Any:
        ctx.save_for_backward(*(x if isinstance(x, Tensor) else None for x in args))
        ctx.numbers = [None if isinstance(x, Tensor) else x for x in args]
        out = np.asarray(f(*(x.detach().numpy() if isinstance(x, Tensor) else x for x in args)))
        dtype = next(x.array.dtype for x in args if isinstance(x, Tensor))
        return wrap(out.astype(dtype))

    def backward(ctx: Any, g: Any) -> Any:
        args = [number if x is None else x.detach().numpy() for x, number in zip(ctx.saved_tensors, ctx.numbers, strict=True)]
        arrays = [np.asarray(x, np.float64) for x in args]
        cotangent = g.detach().numpy()
        return tuple(
            wrap(slopes(f, arrays, i, cotangent, step or 1e-3, complex_step).astype(args[i].dtype)) if needed else None
            for i, needed in enumerate(ctx.needs_input_grad)
        )

    function = function_class(f, forward, backward)

    @functools.wraps(f)
    def call(*args: Any) -> Any:
        return function.apply(*args) if any(isinstance(x, Tensor) for x in args) else f(*args)

    return call


def slopes(
    f: Callable[..., Any], arrays: list[np.ndarray], i: int, g: np.ndarray, step: float, complex_step: bool
) -> np.ndarray:
    """``sum_k g_k df_k / dx`` for every element x of argument ``i``."""
    x = arrays[i]
    found = np.empty(x.shape)
    for index in np.ndindex(x.shape):

        def at(shift: complex, index: tuple[int, ...] = index) -> np.ndarray:
            moved = x.astype(np.complex128 if complex_step else np.float64)
            moved[index] += shift
            return np.asarray(f(*arrays[:i], moved if moved.ndim else moved[()], *arrays[i + 1 :]))

        if complex_step:
            found[index] = np.sum(g * at(1e-30j).imag) / 1e-30
            continue
        h = step * max(1.0, abs(float(x[index])))
        total = sum(weight * (at(k * h) - at(-k * h)) for k, weight in ((1, 3 / 4), (2, -3 / 20), (3, 1 / 60)))
        found[index] = np.sum(g * total) / h
    return found


# What they have in common


def function_class(body: Callable[..., Any], forward: Callable[..., Any], backward: Callable[..., Any]) -> type[Function]:
    """A Function with the name of ``body``."""
    name = getattr(body, "__name__", "function")
    title = "".join(part[:1].upper() + part[1:] for part in name.strip("<>").split("_"))
    own = {"forward": staticmethod(forward), "backward": staticmethod(backward)}
    return type(title, (Function,), {**own, "generate_vmap_rule": True, "_for_transforms": True})


def declared(body: Callable[..., Any], rules: tuple[Rule | None, ...], derive: Callable[..., Any]) -> Callable[..., Any]:
    """``body`` as a function that is recorded with these rules; ``derive(rule, ...)`` makes a cotangent with one."""
    signature = inspect.signature(body)
    names = list(signature.parameters)
    for rule in rules:
        unknown = [name for name in parameters(rule) if name not in ("g", "t", "out", *names)]
        if unknown:
            raise TypeError(
                f"a rule of {body.__name__} may mention g (or t), out and {', '.join(names)}, not {', '.join(unknown)}"
            )
    wanted = {name for rule in rules for name in parameters(rule)}

    def forward(ctx: Any, *args: Any) -> Any:
        out = body(*args)
        outputs = tuple(
            y if isinstance(y, Tensor) else wrap(np.asarray(y)) for y in (out if isinstance(out, tuple) else (out,))
        )
        ctx.several = isinstance(out, tuple)
        kept = [x if name in wanted else None for name, x in zip(names, args, strict=True)]
        ctx.static = [None if isinstance(x, Tensor) else x for x in kept]
        ctx.save_for_backward(*(x if isinstance(x, Tensor) else None for x in kept), *(outputs if "out" in wanted else ()))
        ctx.like = [(x.shape, x.dtype) if isinstance(x, Tensor) else None for x in args]
        return outputs if ctx.several else outputs[0]

    def backward(ctx: Any, *gs: Any) -> Any:
        saved = ctx.saved_tensors
        values = {name: saved[k] if saved[k] is not None else ctx.static[k] for k, name in enumerate(names)}
        outputs = saved[len(names) :]
        values["out"] = outputs if ctx.several else (outputs[0] if outputs else None)
        g = gs if ctx.several else gs[0]
        if len(rules) == 1 < len(names) and derive is pulled:
            found = called(rules[0], {**values, "g": g})
            return found if isinstance(found, tuple) else (found, *(None,) * (len(names) - 1))
        return tuple(
            derive(rules[i], values, g, ctx.like[i])
            if i < len(rules) and rules[i] is not None and ctx.needs_input_grad[i]
            else None
            for i in range(len(names))
        )

    function = function_class(body, forward, backward)

    @functools.wraps(body)
    def call(*args: Any, **kwargs: Any) -> Any:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        given = tuple(bound.arguments[name] for name in names)
        return function.apply(*given) if any(isinstance(x, Tensor) for x in given) else body(*given)

    return call


def parameters(rule: Rule | None) -> tuple[str, ...]:
    """The names that a rule mentions."""
    return () if rule is None else tuple(inspect.signature(rule).parameters)


def called(rule: Any, values: dict[str, Any]) -> Any:
    """The rule with the values that its parameters name."""
    return rule(**{name: values[name] for name in parameters(rule)})


def pulled(rule: Rule, values: dict[str, Any], g: Any, like: Any) -> Any:
    """The cotangent that a vjp gives."""
    return called(rule, {**values, "g": g})


def transposed(rule: Rule, values: dict[str, Any], g: Any, like: Any) -> Any:
    """The cotangent that the transpose of a jvp gives: the derivative of <rule(t), g> by t."""
    shape, dtype = like
    again = modes.is_grad_enabled()
    with modes.enable_grad():
        t = wrap(np.zeros(shape, dtype.numpy))
        t.leaf = True
        tangent = called(rule, {**values, "t": t})
        (found,) = engine.grad(tangent, t, g, create_graph=again, allow_unused=True)
    return found


class LinearMap:
    """A linear function of one array, and its adjoint."""

    def __init__(self, op: Callable[[Any], Any], adjoint: Callable[[Any], Any]) -> None:
        self.op = op
        self.adjoint = adjoint
        self.transposed: LinearMap | None = None  # made when it is first needed

        def forward(ctx: Any, x: Tensor) -> Tensor:
            return wrap(np.array(op(x.array)))

        def backward(ctx: Any, g: Tensor) -> Any:
            if self.transposed is None:
                self.transposed = LinearMap(adjoint, op)
                self.transposed.transposed = self
            return self.transposed(g)

        self.function = function_class(op, forward, backward)

    def __call__(self, x: Any) -> Any:
        return self.function.apply(x) if isinstance(x, Tensor) else self.op(x)

    def check(self, x: Any, rtol: float = 1e-6) -> None:
        """Raise ValueError unless <op(x), y> = <x, adjoint(y)> for a random y."""
        x = np.asarray(x)
        out = np.asarray(self.op(x))
        y = np.random.default_rng(0).standard_normal(out.shape).astype(out.dtype)
        left, right = np.vdot(y, out), np.vdot(np.asarray(self.adjoint(y)), x)
        if abs(left - right) > rtol * (np.linalg.norm(y) * np.linalg.norm(out) + 1e-300):
            raise ValueError(f"adjoint is not the adjoint of op: <op(x), y> = {left:g}, but <x, adjoint(y)> = {right:g}")
