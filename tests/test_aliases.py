"""chainrule under foreign names: in a process of its own each time, as `install` is for a whole program."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import chainrule

FACES = ["nn", "nn.functional", "nn.init", "nn.utils", "nn.modules.linear", "nn.parameter", "optim", "optim.lr_scheduler",
         "autograd", "autograd.grad_mode", "linalg", "utils", "utils.data", "random", "cuda", "backends",
         "accelerator"]  # fmt: skip


def python(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONWARNINGS": "error"}
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def output(program: str) -> str:
    done = python(program)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", FACES)
def test_faces_are_real_modules(name: str) -> None:
    module = importlib.import_module(f"chainrule.{name}")
    assert module.__spec__ is not None
    assert module.__spec__.name == f"chainrule.{name}"


def test_every_spelling_of_an_import_finds_the_same_module() -> None:
    program = """
import chainrule
chainrule.install("torch")
import torch
import torch.nn as nn, torch.nn.functional as F
from torch import optim, Tensor, nn as again
from torch.autograd import grad
from torch.utils.data import DataLoader, TensorDataset
from torch.nn.modules.module import Module
import torch.optim.lr_scheduler
assert torch is chainrule and nn is again is chainrule.nn is torch.nn and F is nn.functional is chainrule.nn.functional
assert Module is nn.Module and torch.optim.lr_scheduler is chainrule.optim.lr_scheduler and optim.SGD is chainrule.optim.SGD
assert nn.__spec__.name == nn.__name__ == "chainrule.nn"
import importlib
assert importlib.reload(nn) is nn
print("torch" in __import__("sys").modules, isinstance(torch.ones(1), Tensor))
"""
    assert output(program) == "True True\n"


def test_no_module_is_loaded_twice() -> None:
    program = """
import chainrule, sys
chainrule.install("torch")
import torch.nn.modules.conv, torch.utils.data.sampler
ours = {name: module for name, module in sys.modules.items() if name.startswith("chainrule")}
theirs = {name: module for name, module in sys.modules.items() if name.split(".")[0] == "torch"}
print(len(theirs) >= 5, all(module in ours.values() for module in theirs.values()))
"""
    assert output(program) == "True True\n"


def test_the_real_package_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("real = True\n")
    program = f"""
import sys
sys.path.insert(0, {str(tmp_path)!r})
import torch, chainrule
for names in (("torch",), ("mxnet", "torch"), ()):
    try:
        chainrule.install(*names)
    except ImportError as refusal:
        print(str(refusal).replace({str(tmp_path)!r}, "..."))
print(torch.real, "mxnet" in sys.modules)
"""
    sentence = (
        "cannot install chainrule as 'torch': the real torch is already imported (from .../torch.py). Install before anything "
        "imports it: in a notebook, restart the kernel and do so in the first cell.\n"
    )
    assert output(program) == 3 * sentence + "True False\n"


def test_uninstall_takes_everything_back(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("real = True\n")
    program = f"""
import sys, chainrule
chainrule.install("torch"); chainrule.install("torch")
import torch.nn, torch.utils.data
chainrule.uninstall()
finders = [f for f in sys.meta_path if "chainrule" in type(f).__module__]
print([m for m in sys.modules if m.split(".")[0] == "torch"], len(finders))
sys.path.insert(0, {str(tmp_path)!r})
import torch
print(torch.real, chainrule.nn.Linear(1, 1))
"""
    assert output(program) == "[] 0\nTrue Linear(in_features=1, out_features=1, bias=True)\n"


def test_what_is_missing_says_so_and_names_the_nearest() -> None:
    program = """
import chainrule
chainrule.install()
import torch
def say(f):
    try: f()
    except (ImportError, AttributeError, ValueError) as fault:
        kind = AttributeError if isinstance(fault, AttributeError) else type(fault)
        print(kind.__name__ + ":", fault)
say(lambda: __import__("torch.distributed"))
say(lambda: __import__("torch.optimm"))
say(lambda: __import__("torch.eager"))
say(lambda: __import__("torch.nn.quantized"))
say(lambda: torch.relux)
say(lambda: __import__("mxnet.gluon"))
say(lambda: chainrule.install("jax"))
"""
    assert output(program) == """\
ModuleNotFoundError: No module named 'torch.distributed': chainrule, which stands for torch here, does not have it.
ModuleNotFoundError: No module named 'torch.optimm': chainrule, which stands for torch here, does not have it. The nearest: torch.optim.
ModuleNotFoundError: No module named 'torch.eager': chainrule, which stands for torch here, does not have it.
ModuleNotFoundError: No module named 'torch.nn.quantized': chainrule, which stands for torch here, does not have it.
AttributeError: module 'chainrule' has no attribute 'relux': chainrule does not have it. The nearest: relu, rrelu, relu_.
ModuleNotFoundError: No module named 'mxnet.gluon': chainrule, which stands for mxnet here, does not have it.
ValueError: chainrule has no face for 'jax'; it has those of torch and mxnet
"""  # noqa: E501


@pytest.mark.parametrize("name", [face for face in FACES if face != "nn.modules.linear"])
def test_no_module_pretends(name: str) -> None:
    module = importlib.import_module(f"chainrule.{name}")
    known = getattr(module, "__all__", None) or chainrule.nn.__all__
    near = next(k for k in known if len(k) > 3)
    with pytest.raises(AttributeError, match=f"(?i)chainrule does not have it. The nearest: .*{near}"):
        getattr(module, near + "x")


def test_asking_whether_a_module_is_there() -> None:
    program = """
import importlib.util, chainrule
chainrule.install()
print([importlib.util.find_spec(name) is not None for name in ("torch", "torch.nn", "torch.distributed", "mxnet.gluon")])
"""
    assert output(program) == "[True, True, False, False]\n"


def test_python_itself_names_the_nearest_method() -> None:
    done = python("import chainrule\nchainrule.ones(1).backwards")
    assert done.stderr.endswith("AttributeError: 'Tensor' object has no attribute 'backwards'. Did you mean: 'backward'?\n")


def test_the_ipython_extension() -> None:
    program = """
import chainrule
chainrule.load_ipython_extension(None)
import torch, mxnet
chainrule.unload_ipython_extension(None)
import sys
print("torch" in sys.modules, "mxnet" in sys.modules)
"""
    assert output(program) == "False False\n"


# chainrule run


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "chainrule", "run", *arguments], capture_output=True, text=True, check=False)


def notebook(path: Path, *cells: str) -> Path:
    made = [{"cell_type": "code", "source": cell.splitlines(keepends=True), "metadata": {}, "outputs": []} for cell in cells]
    path.write_text(json.dumps({"cells": [{"cell_type": "markdown", "source": "# Title"}, *made], "nbformat": 4}))
    return path


def test_running_a_program(tmp_path: Path) -> None:
    (tmp_path / "helper.py").write_text("import torch\nsize = torch.ones(2).shape\n")
    file = tmp_path / "program.py"
    file.write_text("import sys\nimport torch\nfrom helper import size\n"
                    "if __name__ == '__main__':\n    print(sys.argv[1:], size, torch.arange(3.0))\n")  # fmt: skip
    done = run(str(file), "a", "--b")
    assert (done.stdout, done.stderr, done.returncode) == ("['a', '--b'] torch.Size([2]) tensor([0., 1., 2.])\n", "", 0)


def test_a_program_that_fails_shows_its_own_lines_only(tmp_path: Path) -> None:
    file = tmp_path / "program.py"
    file.write_text("def half():\n    return 1 / 0\nhalf()\n")
    done = run(str(file))
    assert done.returncode == 1
    assert done.stderr.splitlines()[1:3] == [f'  File "{file}", line 3, in <module>', "    half()"]
    assert "runpy" not in done.stderr


def test_a_programs_own_exit_code_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "program.py"
    file.write_text("raise SystemExit(7)\n")
    assert run(str(file)).returncode == 7


def test_running_a_notebook(tmp_path: Path) -> None:
    file = notebook(tmp_path / "lecture.ipynb", "%matplotlib inline\nimport torch\nx = torch.arange(4.0)\nx",
                    "x.requires_grad_(True)\nx.grad", "y = 2 * torch.dot(x, x)\ny", "y.backward()\nx.grad == 4 * x",
                    "!ls\n'text', x.shape", "%%bash\nls", "x;")  # fmt: skip
    done = run(str(file))
    assert done.returncode == 0
    assert done.stdout == """\
tensor([0., 1., 2., 3.])
tensor(28., grad_fn=<MulBackward0>)
tensor([True, True, True, True])
('text', torch.Size([4]))
"""
    assert done.stderr.splitlines() == [
        "chainrule: lecture.ipynb, cell 5: left out, since only IPython understands it: !ls",
        "chainrule: lecture.ipynb, cell 6: left out, since only IPython understands it: %%bash",
    ]


def test_a_notebooks_own_text_and_classes(tmp_path: Path) -> None:
    program = "import pickle\nclass Kept: pass\ntype(pickle.loads(pickle.dumps(Kept()))) is Kept"
    done = run(str(notebook(tmp_path / "n.ipynb", 'text = """\n%d\n!\n"""\nprint(text % 3)', program)))
    assert done.stdout == "\n3\n!\n\nTrue\n"


def test_a_cell_that_fails_is_named(tmp_path: Path) -> None:
    done = run(str(notebook(tmp_path / "n.ipynb", "import torch", "x = 1\ntorch.ones(2).backward()")))
    assert done.returncode == 1
    assert done.stderr.splitlines()[1:3] == ['  File "n.ipynb, cell 2", line 2, in <module>', "    torch.ones(2).backward()"]
    assert done.stderr.splitlines()[-1] == (
        "chainrule.errors.GraphError: element 0 of tensors does not require grad and does not have a grad_fn"
    )


@pytest.mark.parametrize(("name", "text", "complaint"), [
    ("missing.py", None, "no such file"), ("bad.ipynb", "{}", "is no Jupyter notebook"), ("worse.ipynb", "x", "is no Jupyter"),
])  # fmt: skip
def test_what_cannot_be_run(tmp_path: Path, name: str, text: str | None, complaint: str) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    done = run(str(tmp_path / name))
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("chainrule run: ")
    assert complaint in done.stderr


def test_the_faces_are_in_dir() -> None:
    assert {"nn", "optim", "linalg", "utils", "random", "autograd", "install"} <= set(dir(chainrule))
