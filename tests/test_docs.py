"""The documents: their programs are run, their commands too, their links lead somewhere, the two READMEs agree."""

from __future__ import annotations

import doctest
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
README, CHINESE = ROOT / "README.md", ROOT / "README.zh-CN.md"

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


class Block(NamedTuple):
    """A fenced block: its language, its text, and the line of the document that the text begins on."""

    language: str
    text: str
    line: int


def blocks(document: Path) -> list[Block]:
    text = document.read_text(encoding="utf-8")
    return [Block(m[1], m[2], text.count("\n", 0, m.start(2)) + 1) for m in FENCE.finditer(text)]


def programs(document: Path) -> list[Block]:
    return [block for block in blocks(document) if block.language == "python"]


def commands() -> list[Any]:
    """Every `$ chainrule ...` of the documents: the files that `$ cat ...` above it shows, and what is printed below it."""
    found = []
    for document in DOCUMENTS:
        for block in blocks(document):
            files: dict[str, str] = {}
            if block.language == "console" and document != CHINESE:
                for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
                    command, _, printed = part.partition("\n")
                    if command.startswith("cat "):
                        files[command.removeprefix("cat ")] = printed
                    elif command.startswith("chainrule "):
                        found.append(pytest.param(command, files, printed, id=f"{document.name}: {command[:40]}"))
    return found


def name_of(document: Path) -> str:
    return str(document.relative_to(ROOT))


WITH_PROGRAMS = [d for d in DOCUMENTS if d != CHINESE and programs(d)]


@pytest.mark.parametrize("document", WITH_PROGRAMS, ids=name_of)
def test_programs_run(document, tmp_path, monkeypatch):
    """The python blocks of a document are one program; those with >>> are sessions within it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LANG", "C.UTF-8")
    names: dict[str, Any] = {"__name__": "document"}
    runner = doctest.DocTestRunner(verbose=False, optionflags=doctest.ELLIPSIS)
    for block in programs(document):
        if ">>>" in block.text:
            test = doctest.DocTestParser().get_doctest(block.text, names, document.name, str(document), block.line - 1)
            report: list[str] = []
            runner.run(test, out=report.append, clear_globs=False)
            names.update(test.globs)
            assert not report, "".join(report)
        else:
            source = "\n" * (block.line - 1) + block.text  # so that tracebacks name the document's lines
            exec(compile(source, str(document), "exec"), names)


def masked(text: str) -> list[str]:
    """The lines of an output, without what differs from machine to machine: rounding errors and the spaces around."""
    return [re.sub(r"\s+", " ", re.sub(r"\b\d(\.\d+)?e-\d+ ", "# ", line)).strip() for line in text.strip().splitlines()]


DEMO = [
    r"1,797 handwritten digits, .*",
    *[r"seed \d +loss \d\.\d{4} +training +\d+\.\d % +test +\d+\.\d %"] * 3,
    r"wrote .*learning-curve\.png.* into .*",
    r"test accuracy \d\d\.\d\d ± \d\.\d\d % \(mean and standard deviation of 3 seeds\), \d+\.\d s in all",
]


@pytest.mark.parametrize(("command", "files", "printed"), commands())
def test_commands_print_what_is_shown(command, files, printed, tmp_path):
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    arguments = shlex.split(command)[1:]
    if arguments[0] == "demo":  # only the form: it trains for seconds, and test_demo runs it
        lines = printed.strip().splitlines()
        assert len(lines) == len(DEMO)
        for line, form in zip(lines, DEMO, strict=True):
            assert re.fullmatch(form, line)
        return
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("LC_", "LANG"))}
    environment |= {"LANG": "C.UTF-8", "PYTHONIOENCODING": "utf-8", "PYTHONPATH": str(ROOT / "src")}
    ran = subprocess.run([sys.executable, "-m", "chainrule", *arguments], capture_output=True, encoding="utf-8",
                         env=environment, cwd=tmp_path)  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert masked(ran.stdout) == masked(printed)


ADDED = """
import chainrule as cr
x = cr.tensor([-0.5, 0.25], requires_grad=True)
np.fabs(x).sum().backward()
assert x.grad.tolist() == [-1.0, 1.0]
y = cr.tensor([0.5], requires_grad=True)
logit(y).backward()
assert y.grad.tolist() == [4.0]
"""


def test_the_op_added_in_one_line(tmp_path):
    """What CONTRIBUTING.md adds to the table works, and is not in it yet. In a process of its own: there is one table."""
    line, _, body = (block.text for block in blocks(ROOT / "CONTRIBUTING.md") if block.language == "text")
    program = f"from chainrule.ops.elementwise import *\n{line}\n{body}\n{ADDED}"
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, encoding="utf-8", env=environment, cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr


def test_the_readmes_show_the_same_code():
    assert [block[:2] for block in blocks(README)] == [block[:2] for block in blocks(CHINESE)]


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_links_lead_somewhere(document):
    targets = LINK.findall(FENCE.sub("", document.read_text(encoding="utf-8")))
    missing = [t for t in targets if "://" not in t and not (document.parent / t).exists()]
    assert not missing
