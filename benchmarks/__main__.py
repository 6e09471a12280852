"""``python -m benchmarks [NAME ...]``: one table, peers side by side in one process, medians of ratios.

Times are of one thread. A ratio below 1 means that chainrule is faster. With names only the cases that contain
one of them are run (``vmap`` and ``"by hand"`` name the tables at the end); ``--quick`` takes fewer repetitions.
"""

from __future__ import annotations

import os

for _variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_variable] = "1"  # before NumPy is loaded

import ctypes
import importlib.util
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import chainrule
from benchmarks import by_hand
from benchmarks.cases import CASES, Case, one_by_one, per_sample

TORCH = importlib.util.find_spec("torch") is not None
AUTOGRAD = importlib.util.find_spec("autograd") is not None


def seconds(run: Callable[[], Any], number: int) -> float:
    """The time of one run, the best of three timings."""
    best = float("inf")
    for _ in range(3):
        start = time.perf_counter()
        for _ in range(number):
            run()
        best = min(best, (time.perf_counter() - start) / number)
    return best


def compare(case: Case, torch: Any, rounds: int) -> None:
    """One row: our time, torch's, and the median of the ratios of interleaved timings."""
    ours = case.make(chainrule)
    ours()
    if torch is None:
        print(f"{case.name:40} {seconds(ours, case.number) * 1e6:10.2f} us")
        return
    theirs = case.make(torch)
    theirs()
    pairs = [(seconds(ours, case.number), seconds(theirs, case.number)) for _ in range(rounds)]
    ratio = statistics.median(a / b for a, b in pairs)
    mine, other = (statistics.median(column) * 1e6 for column in zip(*pairs, strict=True))
    verdict = "ok" if ratio <= case.ceiling else "OVER"
    print(f"{case.name:40} {mine:10.2f} us {other:10.2f} us {ratio:8.3f} {case.ceiling:8.2f}  {verdict}", flush=True)


def long_chain(rounds: int) -> None:
    """Time and memory of a chain of a million operations, each library in a process of its own."""
    figures: dict[str, list[tuple[float, float]]] = {"chainrule": [], "torch": []}
    for _ in range(rounds):
        for library in figures if TORCH else ("chainrule",):
            command = [sys.executable, "-m", "benchmarks.long_chain", library]
            out = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
            figures[library].append((float(out[0]), float(out[1])))
    ours = [statistics.median(column) for column in zip(*figures["chainrule"], strict=True)]
    if not TORCH:
        print(f"{'1,000,000-op chain':40} {ours[0]:10.2f} s  {ours[1]:.0f} MB")
        return
    theirs = [statistics.median(column) for column in zip(*figures["torch"], strict=True)]
    for name, unit, k, ceiling in (("time", "s ", 0, 0.4), ("memory", "MB", 1, 0.35)):
        ratio = statistics.median(a[k] / b[k] for a, b in zip(figures["chainrule"], figures["torch"], strict=True))
        verdict = "ok" if ratio <= ceiling else "OVER"
        print(f"{'1,000,000-op chain, ' + name:40} {ours[k]:10.2f} {unit} {theirs[k]:10.2f} {unit} {ratio:8.3f} "
              f"{ceiling:8.2f}  {verdict}", flush=True)  # fmt: skip


def import_time(rounds: int) -> None:
    """Milliseconds that ``import chainrule`` adds to ``import numpy``, bytecode compiled."""
    code = "import numpy, time; t = time.perf_counter(); import chainrule; print(time.perf_counter() - t)"
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-c", code]
    runs = [
        float(subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout)
        for _ in range(2 * rounds + 1)
    ]
    milliseconds = statistics.median(runs[1:]) * 1e3
    verdict = "ok" if milliseconds <= 40 else "OVER"
    print(f"{'import chainrule over NumPy':40} {milliseconds:10.2f} ms {'':14} {'':8} {40:5} ms  {verdict}")


def hips() -> None:
    """HIPS autograd on what it can do: gradients of NumPy functions."""
    import autograd
    import autograd.numpy as anp

    x = np.linspace(0.1, 1, 4)
    pairs: list[tuple[str, Callable[[], Any], Callable[[], Any]]] = [
        ("grad of sum(sin(x) exp(x) x)", lambda f=chainrule.grad(lambda x: np.sum(np.sin(x) * np.exp(x) * x)): f(x),
         lambda f=autograd.grad(lambda x: anp.sum(anp.sin(x) * anp.exp(x) * x)): f(x)),
        ("grad of logsumexp by hand", lambda f=chainrule.grad(lambda x: np.log(np.sum(np.exp(x)))): f(x),
         lambda f=autograd.grad(lambda x: anp.log(anp.sum(anp.exp(x)))): f(x)),
    ]  # fmt: skip
    print(f"\n{'':40} {'chainrule':>13} {'autograd':>13} {'ratio':>8}")
    for name, ours, theirs in pairs:
        ratios = [(seconds(ours, 300), seconds(theirs, 300)) for _ in range(3)]
        mine, other = (statistics.median(column) * 1e6 for column in zip(*ratios, strict=True))
        print(f"{name:40} {mine:10.2f} us {other:10.2f} us {statistics.median(a / b for a, b in ratios):8.3f}")


def batch_beside_loop(rounds: int) -> None:
    """`vmap(grad)` over 1,000 samples, beside one call of the gradient for each."""
    together, alone = per_sample(chainrule), one_by_one(chainrule)
    together()
    pairs = [(seconds(alone, 1), seconds(together, 5)) for _ in range(rounds)]
    factor = statistics.median(a / b for a, b in pairs)
    mine, other = (statistics.median(column) * 1e6 for column in zip(*pairs, strict=True))
    verdict = "ok" if factor >= 50 else "OVER"
    print(f"\n{'':40} {'loop':>13} {'vmap':>13} {'factor':>8} {'at least':>8}")
    print(f"{'vmap(grad), 1,000 samples':40} {mine:10.2f} us {other:10.2f} us {factor:8.1f} {50:8}  {verdict}", flush=True)


def keep_memory() -> None:
    """Let the C library keep the memory that arrays free, for us and our peers: page faults are not what is timed."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:  # glibc's
        mallopt(-1, 1 << 30)  # M_TRIM_THRESHOLD
        mallopt(-3, 1 << 30)  # M_MMAP_THRESHOLD


def beside_hand(rounds: int) -> None:
    """Derivatives beside those written by hand in NumPy."""
    keep_memory()
    print(f"\n{'':40} {'chainrule':>13} {'by hand':>13} {'ratio':>8} {'at most':>8}")
    for case in by_hand.all_derivatives():
        for name, ours, theirs, ceiling in case.rows():
            ours()
            pairs = [(seconds(ours, 5), seconds(theirs, 5)) for _ in range(rounds)]
            ratio = statistics.median(a / b for a, b in pairs)
            mine, other = (statistics.median(column) * 1e6 for column in zip(*pairs, strict=True))
            verdict = "ok" if ratio <= ceiling else "OVER"
            print(f"{name:40} {mine:10.2f} us {other:10.2f} us {ratio:8.3f} {ceiling:8.2f}  {verdict}", flush=True)


def main(arguments: list[str]) -> None:
    quick = "--quick" in arguments
    names = [name for name in arguments if not name.startswith("-")]
    rounds = 3 if quick else 7
    torch = None
    if TORCH:
        import torch

        torch.set_num_threads(1)
    print(f"{'':40} {'chainrule':>13} {'torch' if torch else '':>13} {'ratio':>8} {'at most':>8}")
    for case in CASES:
        if not names or any(name in case.name for name in names):
            compare(case, torch, rounds)
    if not names:
        long_chain(1 if quick else 3)
        import_time(rounds)
        if AUTOGRAD:
            hips()
    if not names or "vmap" in names:
        batch_beside_loop(rounds)
    if not names or "by hand" in names:
        beside_hand(rounds)


if __name__ == "__main__":
    main(sys.argv[1:])
