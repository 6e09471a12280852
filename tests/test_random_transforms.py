"""Random functions with writes in place and views, differentiated by both libraries in every way: the numbers are the same."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr

SIZE = 6
STEPS = (
    "{v} = {a} * {b}", "{v} = {a} + 1", "{v} = {a} * 2.5", "{v} = -{a}", "{v} = {a}.sin()", "{v} = {a}.exp() - {b}",
    "{v} = {a}.view(3, 2).t().reshape(6)", "{v} = T.cat([{a}[1:] + {b}[:-1], {a}[:1]])", "{v} = {a}.cumsum(0)",
    "{v} = {a}.clone(); {v}.mul_({b})", "{v} = {a}.clone(); {v}.add_(1)", "{v} = {a} * 1; {v}[2] = {b}[0]",
    "{v} = {a} * 1; {v}[1:3] = {b}[3:5]", "{v} = T.zeros(6, dtype=T.float64); {v}[0] = {a}[1]",
    "{v} = {a} + {b}; w = {v}[2:]; w.mul_({a}[:4])", "{v} = ({a} * {a}).sum() * {b}", "{v} = {a}.expand(2, 6).sum(0)",
    "{v} = T.where({a} > 0, {a}, {b} * 3)", "{v} = {a}.clone(); {v}[::2] = 1.0", "{v} = {a}.logsumexp(0) * {b}",
    "{v} = {b} * 1; {v}.copy_({a})", "{v} = {b} + 0; {v}.view(2, 3)[0].sub_({a}[:3])", "{v} = {a}.softmax(0) * {b}",
)  # fmt: skip
WAYS: dict[str, Callable[..., Any]] = {
    "jvp": lambda T, f, x, v: T.func.jvp(f, (x,), (v,))[1],
    "grad": lambda T, f, x, v: T.func.grad(f)(x),
    "forward over reverse": lambda T, f, x, v: T.func.jvp(T.func.grad(f), (x,), (v,))[1],
    "hessian": lambda T, f, x, v: T.func.hessian(f)(x),
    "jacfwd": lambda T, f, x, v: T.func.jacfwd(f)(x),
    "gradients of samples": lambda T, f, x, v: T.func.vmap(T.func.grad(f))(T.stack([x, v])),
    "tangents together": lambda T, f, x, v: T.func.vmap(lambda t: T.func.jvp(f, (x,), (t,))[1])(T.stack([x, v])),
}


def program(seed: int) -> str:
    """The text of a function of one vector."""
    draw = random.Random(seed)
    names, lines = ["x"], []
    for k in range(draw.randint(3, 9)):
        step = draw.choice(STEPS).format(v=f"v{k}", a=draw.choice(names), b=draw.choice(names))
        lines.append(f"    {step}")
        names.append(f"v{k}")
    return "def f(x):\n" + "\n".join(lines) + f"\n    return ({draw.choice(names[1:])} * {draw.choice(names)}).sum()\n"


def outcome(library: Any, source: str, way: str, seed: int) -> Any:
    """The numbers, or None where the library refuses the function."""
    scope: dict[str, Any] = {"T": library}
    exec(source, scope)
    rng = np.random.default_rng(seed)
    x, v = (library.tensor(rng.uniform(0.2, 1.5, SIZE) * rng.choice([1, -1], SIZE)) for _ in range(2))
    try:
        return np.array(WAYS[way](library, scope["f"], x, v).tolist())
    except RuntimeError:
        return None


@pytest.mark.torch
@pytest.mark.parametrize("seed", range(60))
def test_same_as_torch(seed: int) -> None:
    import torch

    source = program(seed)
    for way in WAYS:
        wanted, found = outcome(torch, source, way, seed), outcome(cr, source, way, seed)
        assert (wanted is None) == (found is None), f"{way} of\n{source}"
        if wanted is not None:
            np.testing.assert_allclose(found, wanted, rtol=1e-8, atol=1e-10, err_msg=f"{way} of\n{source}")
