"""chainrule beside torch: one program, run by both, and everything a user can see of it compared.

    agree("x = torch.ones(2, requires_grad=True)\n(x * 2).sum().backward()\nx.grad")

A program is a text, so that both read the same source line; `torch`, `nn`, `F`, `np` and `math` are at hand, an
`import torch` in it finds the library it is run with, and the value of its last line is printed as a notebook
prints it. torch itself is imported only when it is asked for.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import functools
import importlib
import io
import math
import re
import traceback
import types
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

import chainrule

FILENAME = "<program>"
TRIGGERED = r" \(Triggered internally at .*\)"
TOLERANCE = {"bfloat16": 2e-2, "float16": 3e-3, "float32": 2e-5, "complex64": 2e-5}


@dataclass(frozen=True)
class Library:
    """torch, or what stands for it."""

    name: str
    torch: Any

    def module(self, name: str) -> Any:
        """What ``import NAME`` finds, NAME beginning with "torch"."""
        return importlib.import_module(self.torch.__name__ + name.removeprefix("torch"))

    def namespace(self) -> dict[str, Any]:
        """What a program finds defined."""

        def load(name: str, where: Any = None, local: Any = None, fromlist: Any = (), level: int = 0) -> Any:
            if name.partition(".")[0] != "torch":
                return builtins.__import__(name, where, local, fromlist, level)
            module = self.module(name)
            return module if fromlist else self.torch

        return {
            "__builtins__": {**vars(builtins), "__import__": load}, "__name__": "__main__", "torch": self.torch,
            "nn": self.module("torch.nn"), "F": self.module("torch.nn.functional"), "linalg": self.torch.linalg,
            "np": np, "math": math,
        }  # fmt: skip


@functools.cache
def chainrule_library() -> Library:
    """chainrule under torch's names."""
    return Library("chainrule", chainrule)


@functools.cache
def torch_library() -> Library:
    """torch itself; a warning that it gives once is given each time."""
    torch = importlib.import_module("torch")
    torch.set_warn_always(True)
    return Library("torch", torch)


# One run


@dataclass
class Run:
    """What a program did."""

    out: str = ""
    error: BaseException | None = None
    warnings: list[tuple[str, str, int]] = field(default_factory=list)
    names: dict[str, Any] = field(default_factory=dict)

    def text(self) -> str:
        """The printed text, addresses left out, and the error with its first line."""
        lines = re.sub(r"0x[0-9a-f]+", "0x...", self.out)
        for category, message, line in self.warnings:
            lines += f"line {line}: {category}: {message}\n"
        if self.error is not None:
            lines += f"{kind(self.error).__name__}: {self.error}\n"
        return lines


def kind(error: BaseException) -> type[BaseException]:
    """The type that a user names in `except`: the nearest that Python has."""
    return next(c for c in type(error).__mro__ if c.__module__ == "builtins")


def same_kind(theirs: BaseException, ours: BaseException) -> bool:
    """Whether ``ours`` is caught wherever ``theirs`` is, and no less specific."""
    return isinstance(ours, kind(theirs))


def same_error(theirs: BaseException | None, ours: BaseException | None) -> bool:
    """Whether both raised, to the same effect and with the same words."""
    return theirs is not None and ours is not None and same_kind(theirs, ours) and str(theirs) == str(ours)


def shown(source: str) -> types.CodeType:
    """The program, its last line printed as a notebook prints it."""
    tree = ast.parse(source)
    if tree.body and isinstance(tree.body[-1], ast.Expr):
        last = tree.body[-1]
        show = ast.Call(ast.Name("__show__", ast.Load()), [last.value], [])
        tree.body[-1] = ast.copy_location(ast.Expr(ast.copy_location(show, last)), last)
    return compile(ast.fix_missing_locations(tree), FILENAME, "exec")


def run(source: str, library: Library, **extra: Any) -> Run:
    """Run a program with a library, catching what it prints, warns and raises."""
    result, written = Run(), io.StringIO()
    names = library.namespace() | extra
    names["__show__"] = lambda value: value is not None and print(repr(value))
    grad, default = library.torch.is_grad_enabled(), library.torch.get_default_dtype()
    library.torch.manual_seed(0)
    with warnings.catch_warnings(record=True) as caught, contextlib.redirect_stdout(written):
        warnings.simplefilter("always")
        warnings.filterwarnings("ignore", category=RuntimeWarning, module=r"chainrule\.")  # as on import
        try:
            exec(shown(source), names)
        except BaseException as error:
            result.error = error
    library.torch.set_grad_enabled(grad)
    library.torch.set_default_dtype(default)
    result.out, result.names = written.getvalue(), names
    result.warnings = [
        (
            w.category.__name__,
            re.sub(TRIGGERED, "", str(w.message)),
            w.lineno if w.filename == FILENAME else 0,
        )
        for w in caught
        if library.name == "chainrule" or w.category is not DeprecationWarning  # torch's about NumPy 2
    ]
    return result


# Values


def plain(value: Any) -> Any:
    """A value of either library without the library: dtype, shape and numbers; containers kept."""
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if not hasattr(value, "detach"):
        return value
    name = str(value.dtype).removeprefix("torch.")
    wide = value.detach()
    if name == "bfloat16":
        wide = wide.float()
    if hasattr(wide, "resolve_conj"):
        wide = wide.resolve_conj()
    return name, np.array(wide.tolist()).reshape(tuple(value.shape))


def differences(theirs: Any, ours: Any, where: str = "value") -> Iterator[str]:
    """In what two `plain` values differ; floats may differ by rounding."""
    if isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
        for i, (a, b) in enumerate(zip(theirs, ours)):
            yield from differences(a, b, f"{where}[{i}]")
    elif isinstance(theirs, tuple) and isinstance(ours, tuple) and len(theirs) == len(ours) == 2:
        (name, a), (other, b) = theirs, ours
        tolerance = TOLERANCE.get(name, 1e-10)
        if name != other:
            yield f"{where}: dtype {name} in torch, {other} here"
        if a.shape != b.shape:
            yield f"{where}: shape {a.shape} in torch, {b.shape} here"
        elif not np.allclose(a, b, rtol=tolerance, atol=tolerance, equal_nan=True):
            yield f"{where}: {a.tolist()} in torch, {b.tolist()} here"
    elif isinstance(theirs, float) and isinstance(ours, float):
        if not np.allclose(theirs, ours, rtol=2e-5, atol=2e-5, equal_nan=True):
            yield f"{where}: {theirs} in torch, {ours} here"
    elif type(theirs) is not type(ours) or theirs != ours:
        yield f"{where}: {theirs!r} in torch, {ours!r} here"


def graph(node: Any, depth: int = 30) -> Any:
    """The names of a node and of those behind it, with output numbers."""
    if node is None:
        return None
    name = node.name().removeprefix("torch::autograd::")
    if depth == 0:
        return name
    return name, *((graph(behind, depth - 1), number) for behind, number in node.next_functions)


# The comparisons


class Disagreement(AssertionError):
    """The two libraries did not do the same; both sides are in the text."""


def report(source: str, theirs: str, ours: str) -> Disagreement:
    return Disagreement(f"\n--- program\n{source}\n--- torch\n{theirs}\n--- chainrule\n{ours}")


def both(source: str, **extra: Any) -> tuple[Run, Run]:
    """A program run by torch and by chainrule."""
    return run(source, torch_library(), **extra), run(source, chainrule_library(), **extra)


def agree(source: str, *, part: str | None = None) -> None:
    """Require the same printed text, warnings and error of both.

    ``part`` is what the message of an error has to contain in both, where it need not be the same otherwise.
    """
    theirs, ours = both(source)
    if "Found no NVIDIA driver" in str(theirs.error):
        pytest.skip("this torch is a build for CUDA; the words compared are those of the build for the CPU")
    if part is not None and theirs.error is not None:
        if ours.error is None or not same_kind(theirs.error, ours.error):
            raise report(source, theirs.text(), ours.text() + _trace(ours))
        if part not in str(theirs.error) or part not in str(ours.error):
            raise report(source, f"{theirs.text()}(expected to contain {part!r})", ours.text())
        theirs.error = ours.error = None
    elif same_error(theirs.error, ours.error):
        theirs.error = ours.error = None
    if theirs.text() != ours.text() or (theirs.error is None) != (ours.error is None):
        raise report(source, theirs.text(), ours.text() + _trace(ours))


def _trace(result: Run) -> str:
    if result.error is None or isinstance(result.error, SystemExit):
        return ""
    return "".join(traceback.format_tb(result.error.__traceback__)[-3:])


def raises(source: str, part: str | None = None) -> None:
    """Require that both raise: types that one `except` catches, and the same message, or ``part`` of it."""
    theirs, ours = both(source)
    if theirs.error is None:
        raise report(source, "no error: this program does not belong here\n" + theirs.text(), ours.text())
    agree(source, part=part)


def agree_on(fun: Callable[[Library], Any], what: str = "") -> None:
    """Require that a function of the library returns the same values for both, or the same kind of error."""
    results = []
    for library in (torch_library(), chainrule_library()):
        try:
            results.append(plain(fun(library)))
        except Exception as error:
            results.append(error)
    theirs, ours = results
    if isinstance(theirs, Exception) or isinstance(ours, Exception):
        if not (isinstance(theirs, Exception) and isinstance(ours, Exception) and same_kind(theirs, ours)):
            raise report(what, repr(theirs), repr(ours))
        return
    found = list(differences(theirs, ours))
    if found:
        raise Disagreement(f"{what}\n" + "\n".join(found))
