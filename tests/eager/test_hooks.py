"""Hooks on tensors: when they run, in which order, what they may return, what survives one that raises."""

from __future__ import annotations

import pytest

import chainrule as cr
from tests.oracle import agree, raises

HEAD = "x = torch.tensor([1., 2.], requires_grad=True)\n"
PROGRAMS = """
h = x.register_hook(lambda g: g * 10)
(x * 3).sum().backward()
x.grad

x.register_hook(lambda g: print(g))
(x * 3).sum().backward()
x.grad

x.register_hook(lambda g: print('first', g))
x.register_hook(lambda g: g + 1)
x.register_hook(lambda g: print('third', g))
(x * 3).sum().backward()
x.grad

h = x.register_hook(lambda g: g * 10)
h.remove()
h.remove()
(x * 3).sum().backward()
x.grad

with x.register_hook(lambda g: g * 10):
    x.sum().backward()
x.sum().backward()
x.grad

y = x * 2
y.register_hook(lambda g: print('y', g))
x.register_hook(lambda g: print('x', g))
(y * y).sum().backward()
x.grad

y = x * 2
y.register_hook(lambda g: g * 0)
(y + x).sum().backward()
x.grad

y = x * 2
y.retain_grad()
y.register_hook(lambda g: g * 10)
(y * y).sum().backward()
y.grad, x.grad

y = x * 2
y.register_hook(lambda g: g * 10)
y.retain_grad()
(y * y).sum().backward()
y.grad, x.grad

x.register_hook(lambda g: print('sum of both', g))
(x * 3 + x * 4).sum().backward()
x.grad

x.register_hook(lambda g: g * 10)
torch.autograd.grad((x * 3).sum(), x)

y = x * 2
y.register_hook(lambda g: g * 10)
torch.autograd.grad((y * 3).sum(), [y, x])

y = x * 2
y.register_hook(lambda g: print('y'))
z = x * 3
z.register_hook(lambda g: print('z'))
(y + z).sum().backward()

a, b = (x * 1).unbind()
b.register_hook(lambda g: print('b', g))
a.register_hook(lambda g: g * 5)
(a * 2 + b * 3).backward()
x.grad

x.register_hook(lambda g: print(g.requires_grad, g.grad_fn))
(x * 3).sum().backward()

x.register_hook(lambda g: print(torch.is_grad_enabled()))
(x * 3).sum().backward()

x.register_hook(lambda g: print(torch.is_grad_enabled(), g.requires_grad))
(x ** 3).sum().backward(create_graph=True)

x.register_hook(lambda g: g * 2)
(x ** 3).sum().backward(create_graph=True)
g = x.grad
x.grad = None
g.sum().backward()
x.grad

seen = []
x.register_hook(seen.append)
x.sum().backward()
(2 * x).sum().backward()
seen, x.grad

x.register_hook(lambda g: torch.ones(2, dtype=torch.float32))
(x * 3).sum().backward()
x.grad

h = x.register_hook(print)
type(h).__name__

x.sum().backward()
x.register_hook(lambda g: g * 10)
x.sum().backward()
x.grad

y = x * 2
y.register_hook(lambda g: print('hook', g))
y.sum().backward(inputs=[x])
x.grad

w = torch.ones(2, requires_grad=True)
w.register_hook(lambda g: print('w'))
(x * w).sum().backward(inputs=[x])
w.grad

x.register_hook(lambda g: g.clamp_(0, 1))
(x * 3).sum().backward()
x.grad

x.register_hook(lambda g: x.sum().backward() if x.grad is None else None)
(x * 3).sum().backward()
x.grad
""".strip().split("\n\n")
ERRORS = """
x.register_hook(lambda g: torch.ones(3))
(x * 3).sum().backward()

x.register_hook(lambda g: g.double())
(x * 3).sum().backward()

x.register_hook(lambda g: 5)
(x * 3).sum().backward()

def hook(g):
    raise KeyError('mine')
x.register_hook(hook)
(x * 3).sum().backward()

x.detach().register_hook(print)

with torch.no_grad():
    (x * 2).register_hook(print)
""".strip().split("\n\n")


@pytest.mark.torch
@pytest.mark.parametrize("program", PROGRAMS)
def test_as_torch(program: str) -> None:
    agree(HEAD + program)


@pytest.mark.torch
@pytest.mark.parametrize("program", ERRORS)
def test_errors_as_torch(program: str) -> None:
    raises(HEAD + program)


def test_a_hook_that_raises_leaves_graph_and_modes_usable() -> None:
    x = cr.tensor([1.0, 2.0], requires_grad=True)
    y = x * x
    z = y.exp().sum()

    def fail(g: cr.Tensor) -> None:
        raise ZeroDivisionError("mine")

    handle = y.register_hook(fail)
    with cr.no_grad():
        for _ in range(2):
            with pytest.raises(ZeroDivisionError, match="mine"):
                z.backward(retain_graph=True)
            assert not cr.is_grad_enabled()
    assert cr.is_grad_enabled()
    assert x.grad is None
    handle.remove()
    z.backward()
    assert x.grad is not None
    assert x.grad.tolist() == pytest.approx([2 * 2.718281828, 4 * 54.59815], rel=1e-5)
    assert (x * 2).requires_grad
