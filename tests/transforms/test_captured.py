"""Writes to captured tensors, and what else is refused while a function is transformed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import chainrule as cr
from chainrule import func, nn
from chainrule.eager import levels, writes

X = cr.tensor([1.0, 2.0])
TRANSFORMS: dict[str, Callable[[Any, Any], Any]] = {
    "grad": lambda f, x: func.grad(f)(x),
    "vjp": lambda f, x: func.vjp(f, x),
    "jvp": lambda f, x: func.jvp(f, (x,), (cr.ones(2),)),
    "jacrev": lambda f, x: func.jacrev(f)(x),
    "jacfwd": lambda f, x: func.jacfwd(f)(x),
    "hessian": lambda f, x: func.hessian(f)(x),
    "linearize": lambda f, x: func.linearize(f, x),
}
WRITES: dict[str, Callable[[Any, Any], Any]] = {
    "copy_": lambda c, x: c.copy_(x),
    "setitem": lambda c, x: c.__setitem__(0, x[0]),
    "a constant": lambda c, x: c.add_(1),
    "through a view": lambda c, x: c[1:].mul_(x[0]),
    "unrecorded": lambda c, x: c.mul_(2.0),
    "zero_": lambda c, x: c.zero_(),
}


@pytest.mark.parametrize("name", TRANSFORMS)
@pytest.mark.parametrize("write", WRITES)
def test_captured_tensors_are_as_they_were(name: str, write: str) -> None:
    c = cr.tensor([3.0, 4.0])
    view = c[:1]

    def f(x: Any) -> Any:
        WRITES[write](c, x)
        return (x * x).sum()

    with pytest.raises(RuntimeError, match="would mutate a captured Tensor") as caught:
        TRANSFORMS[name](f, X)
    assert "WRITES[write](c, x)" in str(caught.value) or "lambda c, x" in str(caught.value)
    assert c.tolist() == [3.0, 4.0]
    assert not c.requires_grad and not view.requires_grad and c.is_leaf and view.tolist() == [3.0]
    assert not levels.present() and not writes.guards


def test_captured_tensors_with_a_history_are_refused_at_the_write() -> None:
    w = cr.tensor([3.0, 4.0], requires_grad=True)
    c = w * 2
    reached = []

    def f(x: Any) -> Any:
        c.mul_(x)
        reached.append(c)
        return x.sum()

    with pytest.raises(RuntimeError, match="captured Tensor"):
        func.grad(f)(X)
    assert not reached and c.tolist() == [6.0, 8.0]
    c.sum().backward()
    assert w.grad.tolist() == [2.0, 2.0]


@pytest.mark.parametrize("name", TRANSFORMS)
def test_what_was_made_inside_may_be_written_to(name: str) -> None:
    kept = []

    def f(x: Any) -> Any:
        y = cr.zeros(2)
        y[0] = x[0] * x[1]
        kept.append(y)  # it outlives the function
        z = x * 3
        z.mul_(x)
        u = cr.ones(2) * 2
        u.add_(x)
        z[1:] = y[:1]
        return (z + u).sum()

    TRANSFORMS[name](f, X)
    assert func.grad(f)(X).tolist() == [9.0, 2.0]


def test_a_result_may_have_been_written_to() -> None:
    def f(x: Any) -> Any:
        y = cr.ones(2) * 2
        y.copy_(x * x)
        return y

    assert func.jacrev(f)(X).tolist() == [[2.0, 0.0], [0.0, 4.0]]
    assert func.jvp(f, (X,), (cr.ones(2),))[1].tolist() == [2.0, 4.0]


def test_arguments_in_forward_mode_may_be_written_to() -> None:
    def f(x: Any) -> Any:
        x.mul_(2)
        return x.sum()

    x, v = cr.tensor([1.0, 2.0]), cr.tensor([1.0, 10.0])
    assert [y.item() for y in func.jvp(f, (x,), (v,))] == [6.0, 22.0]
    assert x.tolist() == [2.0, 4.0] and v.tolist() == [2.0, 20.0]  # as in torch


def test_another_thread_may_write_meanwhile() -> None:
    import threading

    c = cr.zeros(2)

    def f(x: Any) -> Any:
        thread = threading.Thread(target=lambda: c.add_(1))
        thread.start()
        thread.join()
        return (x * x).sum()

    assert func.grad(f)(X).tolist() == [2.0, 4.0]
    assert c.tolist() == [1.0, 1.0]


class Doubled(cr.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        return x * 2

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        return g * 2


REFUSED: dict[str, tuple[Callable[[Any], Any], str]] = {
    "requires_grad_": (lambda x: x.requires_grad_().sum(), r"attempting to call Tensor.requires_grad_\(\) \(or perhaps using"),
    "of a new tensor": (lambda x: (cr.ones(2).requires_grad_() * x).sum(), "attempting to call Tensor.requires_grad_"),
    "retain_grad": (lambda x: ((x * 2).retain_grad(), x.sum())[1], r"attempting to call Tensor.retain_grad\(\) inside"),
    "backward": (lambda x: (x.sum().backward(), x.sum())[1], r"backward\(\) called inside a functorch transform"),
    "functional": (lambda x: cr.autograd.functional.jacobian(cr.sin, x).sum(), "torch.autograd.functional"),
    "Function": (lambda x: Doubled.apply(x).sum(), "must override the setup_context staticmethod"),
}


@pytest.mark.parametrize("name", [*TRANSFORMS, "vmap"])
@pytest.mark.parametrize("what", REFUSED)
def test_refused_inside(name: str, what: str) -> None:
    f, words = REFUSED[what]
    with pytest.raises(RuntimeError, match=words):
        func.vmap(f)(cr.ones(3, 2)) if name == "vmap" else TRANSFORMS[name](f, X)
    assert not levels.present()


def test_manual_forward_mode_is_no_transform() -> None:
    with cr.autograd.forward_ad.dual_level():
        assert cr.ones(2).requires_grad_().requires_grad
        assert Doubled.apply(X).tolist() == [2.0, 4.0]


@pytest.mark.parametrize("name", ["grad", "vjp", "jacrev"])
def test_short_forms_are_for_transforms(name: str) -> None:
    square = cr.custom_vjp(lambda g, x: 2 * g * x)(lambda x: x * x)
    TRANSFORMS[name](lambda x: square(x).sum(), X)
    assert func.vmap(func.grad(lambda x: square(x).sum()))(cr.ones(3, 2)).tolist() == [[2.0, 2.0]] * 3


def test_modules_made_inside_are_their_own() -> None:
    """Their parameters are filled in place when they are made, which writes to nothing that was captured."""
    x = cr.ones(3)
    for make in (lambda: nn.Linear(3, 2), lambda: nn.LayerNorm(3), lambda: nn.Sequential(nn.Linear(3, 4), nn.Tanh())):
        assert func.grad(lambda x, make=make: make()(x).sum() * 0)(x).tolist() == [0, 0, 0]
        assert func.jvp(lambda x, make=make: make()(x) * 0, (x,), (x,))[1].abs().sum() == 0
    captured = cr.ones(3)
    with pytest.raises(RuntimeError, match="would mutate a captured Tensor"):
        func.grad(lambda x: (nn.init.zeros_(nn.Parameter(captured)) * x).sum())(x)
    assert captured.tolist() == [1, 1, 1]
