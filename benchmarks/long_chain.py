"""A chain of 1,000,000 operations in a process of its own: build, backward, release; prints seconds and megabytes."""

from __future__ import annotations

import importlib
import sys
import time


def resident() -> float:
    """Megabytes of this process in memory."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 / 1e6


def main(library: str, n: int = 1_000_000) -> None:
    t = importlib.import_module(library)
    if library == "torch":
        t.set_num_threads(1)
    x, w = t.ones(4, requires_grad=True), t.ones(4, requires_grad=True)
    (x * w).sum().backward()
    before, start = resident(), time.perf_counter()
    y = x
    for _ in range(n):
        y = y * w
    held = resident() - before
    y.sum().backward()
    del y
    print(time.perf_counter() - start, held)


if __name__ == "__main__":
    main(sys.argv[1])
