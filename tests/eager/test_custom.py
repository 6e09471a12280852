"""`autograd.Function`: its errors beside torch (what works is in the corpus), and the truth where torch is silently wrong."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from tests.oracle import raises

HEAD = """from torch.autograd import Function
x = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64, requires_grad=True)
y = torch.tensor([0.5, 1.5, -1.0], dtype=torch.float64, requires_grad=True)
class Mul(Function):
    @staticmethod
    def forward(ctx, a, b):
        ctx.save_for_backward(a, b)
        return a * b
    @staticmethod
    def backward(ctx, g):
        a, b = ctx.saved_tensors
        return g * b, g * a
def F1(forward, backward, **more):
    return type('F1', (Function,), {'forward': staticmethod(forward), 'backward': staticmethod(backward), **more})
"""
ERRORS = """
F1(lambda ctx, a: a * 2, lambda ctx, g: (g, g)).apply(x).sum().backward()

F1(lambda ctx, a, b: a * 2, lambda ctx, g: g).apply(x, y).sum().backward()

F1(lambda ctx, a, b: a * 2, lambda ctx, g: (g, g)).apply(x, 3).sum().backward()

F1(lambda ctx, a: a * 2, lambda ctx, g: g[:2]).apply(x).sum().backward()

F1(lambda ctx, a: a * 2, lambda ctx, g: g.sum()).apply(x).sum().backward()

F1(lambda ctx, a: a * 2, lambda ctx, g: 3).apply(x).sum().backward()

F1(lambda ctx, a: a * 2, lambda ctx, g: [g]).apply(x).sum().backward()

F1(lambda ctx, a: a * 2, lambda ctx, g: g.numpy()).apply(x).sum().backward()

F1(lambda ctx, a: ctx.save_for_backward(3) or a * 2, lambda ctx, g: g).apply(x)

F1(lambda ctx, a: ctx.mark_dirty(a) or a * 2, lambda ctx, g: g).apply(x * 1)

F1(lambda ctx, a: ctx.mark_dirty(a) or a.mul_(2), lambda ctx, g: g).apply(x)

type('G', (Function,), {}).apply(x)

type('G', (Function,), {'forward': staticmethod(lambda ctx, a: a * 2)}).apply(x).sum().backward()

z = Mul.apply(x, y); z.sum().backward(); z.sum().backward()

z = Mul.apply(x, y); z.sum().backward(); z.grad_fn.saved_tensors

F1(lambda ctx, a: a, lambda ctx, g: g).apply(x * 1).add_(1)

F1(lambda ctx, a: a[:2], lambda ctx, g: g).apply(x * 1).add_(1)

F1(lambda ctx, a: a * 2, lambda ctx, g: 1 / 0).apply(x).sum().backward()

w = x * 1; z = Mul.apply(w, y); w.add_(1); z.sum().backward()

E = F1(lambda ctx, a: ctx.save_for_backward(r := a.exp()) or r, lambda ctx, g: g * ctx.saved_tensors[0])
e = E.apply(x); e.add_(1); e.sum().backward()

Mul.apply(x, y).grad_fn.nothing
"""


def programs(text: str) -> list[str]:
    return [program.replace("; ", "\n") for program in text.strip().split("\n\n")]


@pytest.mark.torch
@pytest.mark.parametrize("program", programs(ERRORS))
def test_errors_as_torch(program: str) -> None:
    raises(
        HEAD + program,
        part="modified by an inplace operation" if ".add_(1)\nz.sum" in program or "e.add_" in program else None,
    )


# Where torch is silently wrong


def once(backward: Any) -> Any:
    def forward(ctx: Any, x: Any) -> Any:
        ctx.save_for_backward(x)
        return x.sin()

    return type("Sine", (cr.autograd.Function,), {"forward": staticmethod(forward), "backward": staticmethod(backward)})


def by_numpy(ctx: Any, g: Any) -> Any:
    (x,) = ctx.saved_tensors
    return g * cr.from_numpy(np.cos(x.detach().numpy()))


def wholly_by_numpy(ctx: Any, g: Any) -> Any:
    (x,) = ctx.saved_tensors
    return cr.from_numpy(g.detach().numpy() * np.cos(x.detach().numpy()))


@cr.autograd.function.once_differentiable
def once_only(ctx: Any, g: Any) -> Any:
    (x,) = ctx.saved_tensors
    return g * x.cos()


@pytest.mark.parametrize("backward", [by_numpy, wholly_by_numpy, once_only])
@pytest.mark.parametrize("mixed", [False, True])
def test_a_second_derivative_that_is_not_known_is_refused(backward: Any, mixed: bool) -> None:
    x = cr.tensor([0.5, 1.0], dtype=cr.float64, requires_grad=True)
    y = once(backward).apply(x).sum()
    if mixed:
        y = y + (x**3).sum()
    (g,) = cr.autograd.grad(y, x, create_graph=True)
    assert np.allclose(g.detach().numpy(), np.cos(x.detach().numpy()) + (3 * x.detach().numpy() ** 2 if mixed else 0))
    with pytest.raises(RuntimeError, match=r"outside of the tape|differentiate twice"):
        g.sum().backward()


def test_a_linear_function_has_a_second_derivative_of_zero() -> None:
    double = type("Double", (cr.autograd.Function,), {
        "forward": staticmethod(lambda ctx, x: x * 2), "backward": staticmethod(lambda ctx, g: g * 2),
    })  # fmt: skip
    x = cr.tensor([0.5, 1.0], requires_grad=True)
    (g,) = cr.autograd.grad(double.apply(x).sum(), x, create_graph=True)  # type: ignore[attr-defined]
    assert not g.requires_grad
    (h,) = cr.autograd.grad((double.apply(x) * x).sum(), x, create_graph=True)  # type: ignore[attr-defined]
    (k,) = cr.autograd.grad(h.sum(), x)
    assert k.tolist() == [4.0, 4.0]


def test_the_exponential_of_the_course_as_printed() -> None:
    class Exp(cr.autograd.Function):
        @staticmethod
        def forward(ctx: Any, i: Any) -> Any:
            result = i.exp()
            ctx.save_for_backward(result)
            return result

        @staticmethod
        def backward(ctx: Any, grad_output: Any) -> Any:
            (result,) = ctx.saved_tensors
            return grad_output * result

    x = cr.tensor([1.0], requires_grad=True)
    ret = Exp.apply(x)
    assert repr(ret) == "tensor([2.7183], grad_fn=<ExpBackward>)"
    ret.backward()
    assert repr(x.grad) == "tensor([2.7183])"


def test_nothing_is_kept_alive() -> None:
    gc.collect()
    gc.disable()
    try:
        x = cr.ones(3, requires_grad=True)
        y = once(lambda ctx, g: g * ctx.saved_tensors[0].cos()).apply(x)
        node, result = weakref.ref(y.node), weakref.ref(y)
        y.sum().backward()
        del y
        assert node() is None
        assert result() is None
        z = type("Keep", (cr.autograd.Function,), {
            "forward": staticmethod(lambda ctx, a: ctx.save_for_backward(r := a.exp()) or r),
            "backward": staticmethod(lambda ctx, g: g * ctx.saved_tensors[0]),
        }).apply(x)  # type: ignore[attr-defined]  # fmt: skip
        node = weakref.ref(z.node)
        del z
        assert node() is None
    finally:
        gc.enable()


def test_an_error_in_backward_leaves_everything_as_it_was() -> None:
    count = [0]

    def backward(ctx: Any, g: Any) -> Any:
        count[0] += 1
        if count[0] == 1:
            raise ZeroDivisionError("mine")
        return g * ctx.saved_tensors[0].cos()

    x = cr.tensor([0.5], requires_grad=True)
    y = once(backward).apply(x)
    with pytest.raises(ZeroDivisionError, match="mine"):
        y.backward(retain_graph=True)
    assert cr.is_grad_enabled()
    assert x.grad is None
    y.backward()
    assert x.grad is not None
    assert x.grad.item() == pytest.approx(np.cos(0.5))
