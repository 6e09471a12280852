"""Eight threads, on graphs of their own and on shared ones: the sums are exact, the modes their own."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator

import pytest

import chainrule as cr

THREADS, ROUNDS = 8, 60


@pytest.fixture(autouse=True)
def frequent_switches() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def in_threads(work: Callable[[int], None]) -> None:
    """Run ``work(number)`` in every thread at once; what one raises is raised here."""
    errors: list[BaseException] = []
    gate = threading.Barrier(THREADS)

    def guarded(number: int) -> None:
        gate.wait()
        try:
            work(number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(n,)) for n in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def test_separate_graphs() -> None:
    def work(number: int) -> None:
        x = cr.full((3,), float(number), requires_grad=True)
        for k in range(ROUNDS):
            (x * x + 3 * x).sum().backward()
            assert x.grad.tolist() == [(2.0 * number + 3) * (k + 1)] * 3

    in_threads(work)


def test_one_leaf_in_the_graphs_of_all() -> None:
    w = cr.zeros(4, requires_grad=True)

    def work(number: int) -> None:
        for _ in range(ROUNDS):
            (w * float(number + 1)).sum().backward()

    in_threads(work)
    assert w.grad.tolist() == [float(ROUNDS * sum(range(1, THREADS + 1)))] * 4


def test_one_graph_swept_by_all() -> None:
    x = cr.full((3,), 2.0, requires_grad=True)
    h = x * x
    loss = (h * h + h).sum()

    def work(number: int) -> None:
        for _ in range(ROUNDS):
            loss.backward(retain_graph=True)

    in_threads(work)
    assert x.grad.tolist() == [(4 * 8.0 + 4.0) * ROUNDS * THREADS] * 3


def test_a_shared_trunk_with_a_head_for_each() -> None:
    x = cr.full((3,), 1.0, requires_grad=True)
    trunk = x * 2

    def work(number: int) -> None:
        for _ in range(ROUNDS):
            (trunk * float(number)).sum().backward(retain_graph=True)

    in_threads(work)
    assert x.grad.tolist() == [2.0 * sum(range(THREADS)) * ROUNDS] * 3


def test_autograd_grad_on_a_shared_graph() -> None:
    x = cr.full((3,), 2.0, requires_grad=True)
    loss = (x * x * x).sum()

    def work(number: int) -> None:
        for _ in range(ROUNDS):
            (g,) = cr.autograd.grad(loss, x, retain_graph=True)
            assert g.tolist() == [12.0] * 3

    in_threads(work)
    assert x.grad is None


def test_hooks_on_a_shared_leaf() -> None:
    x = cr.ones(2, requires_grad=True)
    seen: list[float] = []
    x.register_hook(lambda g: seen.append(g[0].item()))

    def work(number: int) -> None:
        for _ in range(ROUNDS):
            (x * 1.0).sum().backward()

    in_threads(work)
    assert len(seen) == THREADS * ROUNDS
    assert x.grad.tolist() == [float(THREADS * ROUNDS)] * 2


def test_every_thread_has_its_own_modes() -> None:
    x = cr.ones(2, requires_grad=True)

    def work(number: int) -> None:
        assert cr.is_grad_enabled()
        modes = [cr.no_grad, cr.enable_grad, cr.inference_mode]
        for k in range(ROUNDS):
            mode = modes[(number + k) % 3]
            with mode():
                assert (x * 2).requires_grad is (mode is cr.enable_grad)

    with cr.no_grad():
        in_threads(work)
        assert not cr.is_grad_enabled()


def test_first_calls_at_once() -> None:
    """Functions are specialised when first called: here by eight threads in the same moment."""
    results: list[object] = [None] * THREADS

    def work(number: int) -> None:
        x = cr.tensor([0.5, 0.25], requires_grad=True)
        y = cr.asinh(x) + cr.atanh(x) + x.cosh().tan().expm1().log1p()
        y.sum().backward()
        results[number] = x.grad.tolist()

    in_threads(work)
    assert all(result == results[0] for result in results)


def test_the_generator_gives_every_number_once() -> None:
    cr.manual_seed(3)
    expected = sorted(cr.rand(1).item() for _ in range(THREADS * ROUNDS))
    cr.manual_seed(3)
    drawn: list[float] = []

    def work(number: int) -> None:
        for _ in range(ROUNDS):
            drawn.append(cr.rand(1).item())

    in_threads(work)
    assert sorted(drawn) == expected


def test_writes_are_noticed_across_threads() -> None:
    def work(number: int) -> None:
        x, w = cr.ones(2, requires_grad=True), cr.ones(2)
        for k in range(ROUNDS):
            loss = (x * w).sum()
            if k % 2:
                w.add_(1)
                with pytest.raises(RuntimeError, match="modified by an inplace operation"):
                    loss.backward()
            else:
                loss.backward()

    in_threads(work)


def test_tasks_share_a_leaf_and_keep_their_modes() -> None:
    w = cr.zeros(2, requires_grad=True)

    async def work(number: int) -> None:
        mode = cr.no_grad() if number % 2 else cr.enable_grad()
        with mode:
            for _ in range(5):
                loss = (w * 2).sum()
                await asyncio.sleep(0)
                assert loss.requires_grad is (number % 2 == 0)
                if loss.requires_grad:
                    loss.backward()

    async def main() -> None:
        await asyncio.gather(*(work(n) for n in range(THREADS)))

    asyncio.run(main())
    assert w.grad.tolist() == [2.0 * 5 * THREADS / 2] * 2
