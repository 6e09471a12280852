"""no_grad, enable_grad, set_grad_enabled and inference_mode: as contexts, decorators and calls."""

from __future__ import annotations

import asyncio
import tracemalloc
from typing import Any

import pytest

import chainrule as cr
from tests.oracle import agree, raises

HEAD = "x = torch.tensor([1.], requires_grad=True)\n"
PROGRAMS = """
with torch.no_grad():
    y = x * 2
y.requires_grad, torch.is_grad_enabled()

with torch.no_grad():
    with torch.enable_grad():
        y = x * 2
print(y.requires_grad)
y.backward()
x.grad

@torch.no_grad()
def doubler(x):
    return x * 2
doubler(x).requires_grad

@torch.no_grad
def doubler(x):
    return x * 2
doubler(x).requires_grad, doubler.__name__

@torch.enable_grad()
def doubler(x):
    return x * 2
with torch.no_grad():
    z = doubler(x)
z.requires_grad

with torch.set_grad_enabled(False):
    y = x * 2
y.requires_grad, torch.is_grad_enabled()

torch.set_grad_enabled(False)
y = x * 2
print(y.requires_grad)
torch.set_grad_enabled(True)
(x * 2).requires_grad

@torch.set_grad_enabled(False)
def doubler(x):
    return x * 2
doubler(x).requires_grad, torch.is_grad_enabled()

with torch.inference_mode():
    y = x * x
y.requires_grad, y.is_inference(), torch.is_inference_mode_enabled()

with torch.inference_mode():
    print(torch.is_inference_mode_enabled(), torch.is_grad_enabled())

@torch.inference_mode()
def func(x):
    return x * x
func(x).requires_grad

@torch.inference_mode
def func(x):
    return x * x
func(x).is_inference()

with torch.inference_mode(False):
    y = x * x
y.requires_grad

with torch.inference_mode(mode=True):
    y = x * x
y.requires_grad

with torch.inference_mode():
    y = torch.ones(1)
    y += 1
    y.requires_grad_()
y, y.is_inference()

with torch.inference_mode():
    with torch.inference_mode(False):
        y = x * 2
y.requires_grad, y.is_inference()

with torch.inference_mode():
    with torch.enable_grad():
        y = x * 2
y.requires_grad, y.is_inference()

with torch.inference_mode():
    y = torch.ones(1)
(y + 1).is_inference(), (y + x).requires_grad

with torch.inference_mode():
    y = torch.ones(1)
y.clone().is_inference(), (y.clone() * x).requires_grad

with torch.no_grad() as m:
    print(m)
m

g = torch.no_grad()
with g:
    pass
with g:
    print(torch.is_grad_enabled())
torch.is_grad_enabled()

try:
    with torch.no_grad():
        raise KeyError('a')
except KeyError:
    print(torch.is_grad_enabled())

@torch.no_grad()
def numbers():
    yield torch.is_grad_enabled()
    yield (x * 2).requires_grad
for n in numbers():
    print(n, torch.is_grad_enabled())

@torch.no_grad()
def echo():
    got = yield 1
    print(got, torch.is_grad_enabled())
    yield 2
e = echo()
next(e)
e.send('hello')

class Model:
    @torch.no_grad()
    def f(self, x):
        return x * 2
Model().f(x).requires_grad

with torch.no_grad():
    w = torch.ones(2, requires_grad=True)
    y = w * 2
w.requires_grad, w.is_leaf, y.requires_grad

with torch.no_grad():
    y = x * 2
    y.requires_grad_()
y.is_leaf, y.requires_grad

y = x * 2
with torch.no_grad():
    y += 1
y.requires_grad, y.grad_fn

y = x * 2
with torch.no_grad():
    y.sum()
z = y.sum()
z.requires_grad

y = (x * 2).sum()
with torch.no_grad():
    y.backward()
x.grad

with torch.no_grad():
    print(x, x.requires_grad, x.numpy())

torch.set_grad_enabled(mode=True)

str(torch.set_grad_enabled(True))

torch.autograd.no_grad is torch.no_grad, torch.autograd.enable_grad is torch.enable_grad
torch.autograd.set_grad_enabled is torch.set_grad_enabled
torch.autograd.inference_mode is torch.inference_mode

torch.autograd.grad_mode.no_grad is torch.no_grad

x.is_inference(), torch.is_inference(x)

a = torch.ones(2, 3, requires_grad=True) * 2
b = torch.ones(2, 3, requires_grad=True) * 3
c1 = a + b
print(c1)
with torch.no_grad():
    c2 = a + b
print(c2)
print(a * b)
""".strip().split("\n\n")
ERRORS = """
with torch.inference_mode():
    y = x * x
y._version

with torch.inference_mode():
    y = torch.ones(1)
y * x

with torch.inference_mode():
    y = torch.ones(1)
y.requires_grad_()

with torch.inference_mode():
    y = torch.ones(1)
y.add_(1)

with torch.inference_mode():
    y = torch.ones(1)
y.backward()

with torch.inference_mode():
    y = x * 2
y.backward()

with torch.no_grad():
    y = x * 2
y.backward()

torch.set_grad_enabled()

torch.set_grad_enabled('no')
""".strip().split("\n\n")


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


@pytest.mark.parametrize("mode", [cr.no_grad, cr.inference_mode, lambda: cr.set_grad_enabled(False)])
def test_the_peak_memory_that_not_recording_saves(mode: Any) -> None:
    size, steps = 100_000, 40

    def peak() -> int:
        x = cr.ones(size, requires_grad=True)
        tracemalloc.start()
        y = x
        for _ in range(steps):
            y = y.sin()
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    recorded = peak()
    with mode():
        unrecorded = peak()
    array = 4 * size
    assert recorded > (steps - 1) * array  # each step keeps its operand
    assert unrecorded < 3 * array
