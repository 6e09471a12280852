"""no_grad, enable_grad, set_grad_enabled and inference_mode: as contexts, decorators and calls."""

from __future__ import annotations

import asyncio

import pytest

import chainrule as cr
from tests.oracle import agree, raises

HEAD = "x = torch.tensor([1.], requires_grad=True)\n"
PROGRAMS = [
    "with torch.no_grad():\n    y = x * 2\ny.requires_grad, torch.is_grad_enabled()",
    "with torch.no_grad():\n    with torch.enable_grad():\n        y = x * 2\nprint(y.requires_grad)\ny.backward()\nx.grad",
    "@torch.no_grad()\ndef doubler(x):\n    return x * 2\ndoubler(x).requires_grad",
    "@torch.no_grad\ndef doubler(x):\n    return x * 2\ndoubler(x).requires_grad, doubler.__name__",
    "@torch.enable_grad()\ndef doubler(x):\n    return x * 2\nwith torch.no_grad():\n    z = doubler(x)\nz.requires_grad",
    "with torch.set_grad_enabled(False):\n    y = x * 2\ny.requires_grad, torch.is_grad_enabled()",
    "torch.set_grad_enabled(False)\ny = x * 2\nprint(y.requires_grad)\ntorch.set_grad_enabled(True)\n(x * 2).requires_grad",
    "@torch.set_grad_enabled(False)\ndef doubler(x):\n    return x * 2\ndoubler(x).requires_grad, torch.is_grad_enabled()",
    "with torch.inference_mode():\n    y = x * x\ny.requires_grad, y.is_inference(), torch.is_inference_mode_enabled()",
    "with torch.inference_mode():\n    print(torch.is_inference_mode_enabled(), torch.is_grad_enabled())",
    "@torch.inference_mode()\ndef func(x):\n    return x * x\nfunc(x).requires_grad",
    "@torch.inference_mode\ndef func(x):\n    return x * x\nfunc(x).is_inference()",
    "with torch.inference_mode(False):\n    y = x * x\ny.requires_grad",
    "with torch.inference_mode(mode=True):\n    y = x * x\ny.requires_grad",
    "with torch.inference_mode():\n    y = torch.ones(1)\n    y += 1\n    y.requires_grad_()\ny, y.is_inference()",
    "with torch.inference_mode():\n    with torch.inference_mode(False):\n        y = x * 2\ny.requires_grad, y.is_inference()",
    "with torch.inference_mode():\n    with torch.enable_grad():\n        y = x * 2\ny.requires_grad, y.is_inference()",
    "with torch.inference_mode():\n    y = torch.ones(1)\n(y + 1).is_inference(), (y + x).requires_grad",
    "with torch.inference_mode():\n    y = torch.ones(1)\ny.clone().is_inference(), (y.clone() * x).requires_grad",
    "with torch.no_grad() as m:\n    print(m)\nm",
    "g = torch.no_grad()\nwith g:\n    pass\nwith g:\n    print(torch.is_grad_enabled())\ntorch.is_grad_enabled()",
    "try:\n    with torch.no_grad():\n        raise KeyError('a')\nexcept KeyError:\n    print(torch.is_grad_enabled())",
    (
        "@torch.no_grad()\ndef numbers():\n    yield torch.is_grad_enabled()\n    yield (x * 2).requires_grad\n"
        "for n in numbers():\n    print(n, torch.is_grad_enabled())"
    ),
    (
        "@torch.no_grad()\ndef echo():\n    got = yield 1\n    print(got, torch.is_grad_enabled())\n    yield 2\n"
        "e = echo()\nnext(e)\ne.send('hello')"
    ),
    "class Model:\n    @torch.no_grad()\n    def f(self, x):\n        return x * 2\nModel().f(x).requires_grad",
    "with torch.no_grad():\n    w = torch.ones(2, requires_grad=True)\n    y = w * 2\nw.requires_grad, w.is_leaf, y.requires_grad",
    "with torch.no_grad():\n    y = x * 2\n    y.requires_grad_()\ny.is_leaf, y.requires_grad",
    "y = x * 2\nwith torch.no_grad():\n    y += 1\ny.requires_grad, y.grad_fn",
    "y = x * 2\nwith torch.no_grad():\n    y.sum()\n    z = y.view(1)\nz.requires_grad",
    "y = (x * 2).sum()\nwith torch.no_grad():\n    y.backward()\nx.grad",
    "with torch.no_grad():\n    print(x, x.requires_grad, x.numpy())",
    "torch.set_grad_enabled(mode=True)",
    "str(torch.set_grad_enabled(True))",
    (
        "torch.autograd.no_grad is torch.no_grad, torch.autograd.enable_grad is torch.enable_grad, "
        "torch.autograd.set_grad_enabled is torch.set_grad_enabled, torch.autograd.inference_mode is torch.inference_mode"
    ),
    "torch.autograd.grad_mode.no_grad is torch.no_grad",
    "x.is_inference(), torch.is_inference(x)",
    (
        "a = torch.ones(2, 3, requires_grad=True) * 2\nb = torch.ones(2, 3, requires_grad=True) * 3\n"
        "c1 = a + b\nprint(c1)\nwith torch.no_grad():\n    c2 = a + b\nprint(c2)\nprint(a * b)"
    ),
]
ERRORS = [
    "with torch.inference_mode():\n    y = x * x\ny._version",
    "with torch.inference_mode():\n    y = torch.ones(1)\ny * x",
    "with torch.inference_mode():\n    y = torch.ones(1)\ny.requires_grad_()",
    "with torch.inference_mode():\n    y = torch.ones(1)\ny.add_(1)",
    "with torch.inference_mode():\n    y = torch.ones(1)\ny.backward()",
    "with torch.inference_mode():\n    y = x * 2\ny.backward()",
    "with torch.no_grad():\n    y = x * 2\ny.backward()",
    "torch.set_grad_enabled()",
    "torch.set_grad_enabled('no')",
]


@pytest.mark.torch
@pytest.mark.parametrize("program", PROGRAMS)
def test_as_torch(program: str) -> None:
    agree(HEAD + program)


@pytest.mark.torch
@pytest.mark.parametrize("program", ERRORS)
def test_errors_as_torch(program: str) -> None:
    raises(HEAD + program)


def test_coroutines_keep_the_mode_of_their_decorator() -> None:
    @cr.no_grad()
    async def inside() -> tuple[bool, bool]:
        before = cr.is_grad_enabled()
        await asyncio.sleep(0)
        return before, cr.is_grad_enabled()

    async def main() -> None:
        assert await inside() == (False, False)
        assert cr.is_grad_enabled()

    asyncio.run(main())


def test_tasks_have_their_own_modes() -> None:
    seen: dict[str, list[bool]] = {"off": [], "on": [], "inference": []}

    async def work(name: str, mode: cr.no_grad) -> None:
        with mode:
            for _ in range(5):
                seen[name].append((cr.ones(1, requires_grad=True) * 2).requires_grad)
                await asyncio.sleep(0)

    async def main() -> None:
        await asyncio.gather(
            work("off", cr.no_grad()), work("on", cr.enable_grad()), work("inference", cr.inference_mode())
        )
        assert cr.is_grad_enabled()
        assert not cr.is_inference_mode_enabled()

    asyncio.run(main())
    assert seen == {"off": [False] * 5, "on": [True] * 5, "inference": [False] * 5}


def test_contexts_may_be_left_in_any_order() -> None:
    a, b = cr.no_grad(), cr.enable_grad()
    a.__enter__()
    b.__enter__()
    assert cr.is_grad_enabled()
    b.__exit__(None, None, None)
    assert not cr.is_grad_enabled()
    a.__exit__(None, None, None)
    assert cr.is_grad_enabled()


def test_a_generator_that_is_not_finished_leaves_the_mode_alone() -> None:
    @cr.no_grad()
    def steps() -> object:
        yield cr.is_grad_enabled()
        yield cr.is_grad_enabled()

    first, second = steps(), steps()
    assert (next(first), next(second)) == (False, False)
    first.close()
    assert cr.is_grad_enabled()
    assert next(second) is False
    assert cr.is_grad_enabled()
