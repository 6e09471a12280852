"""Running a notebook without Jupyter: its cells one after the other, what they show printed."""

from __future__ import annotations

import ast
import json
import linecache
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, Final, NamedTuple

from chainrule.errors import NotANotebook

HARMLESS: Final = ("%matplotlib", "%load_ext", "%config", "%autoreload", "%reload_ext")  # nothing to do outside a notebook


class Cell(NamedTuple):
    """A cell of code."""

    number: int
    source: str


def cells(path: Path) -> list[Cell]:
    """The cells of code in the notebook at ``path``; NotANotebook if it is none."""
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        sources = [cell["source"] for cell in notebook["cells"] if cell["cell_type"] == "code"]
    except (json.JSONDecodeError, KeyError, TypeError, UnicodeDecodeError) as fault:
        raise NotANotebook(f"{path} is no Jupyter notebook of version 4: {fault}") from fault
    return [Cell(number, source if isinstance(source, str) else "".join(source)) for number, source in enumerate(sources, 1)]


def run(path: Path) -> None:
    """Run the notebook at ``path``: a cell's last expression is shown as a notebook shows it, by its text."""
    found, before = cells(path), sys.modules["__main__"]
    main = sys.modules["__main__"] = ModuleType("__main__")  # where what it defines is looked for, by pickle for one
    main.__dict__["display"] = _display
    try:
        for cell in found:
            _run(cell, path.name, main.__dict__)
    finally:
        sys.modules["__main__"] = before


def _run(cell: Cell, notebook: str, names: dict[str, Any]) -> None:
    filename = f"{notebook}, cell {cell.number}"
    source = _plain(cell.source, filename)
    linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)  # for tracebacks
    tree = ast.parse(source, filename)
    quiet = cell.source.rstrip().endswith(";")  # IPython's way to say that nothing is to be shown
    shown = tree.body[-1:] if tree.body and isinstance(tree.body[-1], ast.Expr) and not quiet else []
    exec(compile(ast.Module(tree.body[: len(tree.body) - len(shown)], []), filename, "exec"), names)
    exec(compile(ast.Interactive(list(shown)), filename, "single"), names)  # prints what an expression gives


def _plain(source: str, filename: str) -> str:
    """A cell without the lines that only IPython understands; those that would have done something are named."""
    try:
        ast.parse(source)
    except SyntaxError:
        pass  # it has lines of another kind
    else:
        return source
    lines = source.splitlines()
    if lines and lines[0].startswith("%%"):
        if lines[0].split()[0] in ("%%time", "%%capture"):
            lines[0] = ""
        else:
            _skipped(filename, lines[0])
            return ""
    for k, line in enumerate(lines):
        stripped = line.strip()
        if stripped.startswith(("%", "!")):
            if not stripped.startswith(HARMLESS):
                _skipped(filename, stripped)
            lines[k] = line[: len(line) - len(line.lstrip())] + "pass"
    return "\n".join(lines) + "\n"


def _skipped(filename: str, line: str) -> None:
    print(f"chainrule: {filename}: left out, since only IPython understands it: {line}", file=sys.stderr)


def _display(*values: Any) -> None:
    for value in values:
        if value is not None:
            print(repr(value))
