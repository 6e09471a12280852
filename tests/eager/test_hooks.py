"""Hooks on tensors: when they run, in which order, what they may return, and what survives one that raises."""

from __future__ import annotations

import pytest

import chainrule as cr
from tests.oracle import agree, raises

HEAD = "x = torch.tensor([1., 2.], requires_grad=True)\n"
PROGRAMS = [
    "h = x.register_hook(lambda g: g * 10)\n(x * 3).sum().backward()\nx.grad",
    "x.register_hook(lambda g: print(g))\n(x * 3).sum().backward()\nx.grad",
    (
        "x.register_hook(lambda g: print('first', g))\nx.register_hook(lambda g: g + 1)\nx.register_hook(lambda g: print('third', g))\n"
        "(x * 3).sum().backward()\nx.grad"
    ),
    "h = x.register_hook(lambda g: g * 10)\nh.remove()\nh.remove()\n(x * 3).sum().backward()\nx.grad",
    "with x.register_hook(lambda g: g * 10):\n    x.sum().backward()\nx.sum().backward()\nx.grad",
    "y = x * 2\ny.register_hook(lambda g: print('y', g))\nx.register_hook(lambda g: print('x', g))\n(y * y).sum().backward()\nx.grad",
    "y = x * 2\ny.register_hook(lambda g: g * 0)\n(y + x).sum().backward()\nx.grad",
    "y = x * 2\ny.retain_grad()\ny.register_hook(lambda g: g * 10)\n(y * y).sum().backward()\ny.grad, x.grad",
    "y = x * 2\ny.register_hook(lambda g: g * 10)\ny.retain_grad()\n(y * y).sum().backward()\ny.grad, x.grad",
    "x.register_hook(lambda g: print('sum of both', g))\n(x * 3 + x * 4).sum().backward()\nx.grad",
    "x.register_hook(lambda g: g * 10)\ntorch.autograd.grad((x * 3).sum(), x)",
    "y = x * 2\ny.register_hook(lambda g: g * 10)\ntorch.autograd.grad((y * 3).sum(), [y, x])",
    "y = x * 2\ny.register_hook(lambda g: print('y'))\nz = x * 3\nz.register_hook(lambda g: print('z'))\n(y + z).sum().backward()",
    "a, b = (x * 1).unbind()\nb.register_hook(lambda g: print('b', g))\na.register_hook(lambda g: g * 5)\n(a * 2 + b * 3).backward()\nx.grad",
    "x.register_hook(lambda g: print(g.requires_grad, g.grad_fn))\n(x * 3).sum().backward()",
    "x.register_hook(lambda g: print(torch.is_grad_enabled()))\n(x * 3).sum().backward()",
    "x.register_hook(lambda g: print(torch.is_grad_enabled(), g.requires_grad))\n(x ** 3).sum().backward(create_graph=True)",
    "x.register_hook(lambda g: g * 2)\n(x ** 3).sum().backward(create_graph=True)\ng = x.grad\nx.grad = None\ng.sum().backward()\nx.grad",
    "seen = []\nx.register_hook(seen.append)\nx.sum().backward()\n(2 * x).sum().backward()\nseen, x.grad",
    "x.register_hook(lambda g: torch.ones(2, dtype=torch.float32))\n(x * 3).sum().backward()\nx.grad",
    "h = x.register_hook(print)\ntype(h).__name__",
    "x.sum().backward()\nx.register_hook(lambda g: g * 10)\nx.sum().backward()\nx.grad",
    "y = x * 2\ny.register_hook(lambda g: print('hook', g))\ny.sum().backward(inputs=[x])\nx.grad",
    "w = torch.ones(2, requires_grad=True)\nw.register_hook(lambda g: print('w'))\n(x * w).sum().backward(inputs=[x])\nw.grad",
    "x.register_hook(lambda g: g.clamp_(0, 1))\n(x * 3).sum().backward()\nx.grad",
    "x.register_hook(lambda g: x.sum().backward() if x.grad is None else None)\n(x * 3).sum().backward()\nx.grad",
]
ERRORS = [
    "x.register_hook(lambda g: torch.ones(3))\n(x * 3).sum().backward()",
    "x.register_hook(lambda g: g.double())\n(x * 3).sum().backward()",
    "x.register_hook(lambda g: 5)\n(x * 3).sum().backward()",
    "def hook(g):\n    raise KeyError('mine')\nx.register_hook(hook)\n(x * 3).sum().backward()",
    "x.detach().register_hook(print)",
    "with torch.no_grad():\n    (x * 2).register_hook(print)",
]


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
