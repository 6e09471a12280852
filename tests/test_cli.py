"""The command line: exit codes, languages, colour, and that no input ends in a traceback."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import chainrule
from chainrule import cli

SQUARE = ["explain", "(dot(x,w)-y)**2", "--at", "x=1,2,3", "--at", "w=0.5,-1,2", "--at", "y=1", "--wrt", "w"]


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]):
    def call(*args: str) -> tuple[int, str, str]:
        code = cli.main(args)
        return code, *capsys.readouterr()

    return call


def test_an_example(run) -> None:
    code, out, err = run(*SQUARE)
    assert (code, err) == (0, "")
    assert out.startswith("z = (dot(x,w)-y)**2 = 12.25\n")
    assert "[7, 14, 21]" in out
    assert "✓" in out
    assert "\033" not in out


def test_the_examples_of_the_help_run(run) -> None:
    lines = [line.strip() for line in cli.EXAMPLES.splitlines() if line.startswith("  ")]
    assert len(lines) == 3
    for line in lines:
        code, out, err = run(*shlex.split(line)[1:])
        assert (code, err) == (0, "")
        assert out.count("✓") >= 1


@pytest.mark.parametrize("name", ["LC_ALL", "LC_MESSAGES", "LANG"])
def test_the_language_is_that_of_the_environment(run, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "zh_CN.UTF-8")
    assert "反向累积" in run(*SQUARE)[1]
    assert "缺少运算符" in run("explain", "2x", "--at", "x=1")[2]
    assert "Reverse accumulation" in run(*SQUARE, "--lang", "en")[1]


def test_the_first_variable_that_is_set_decides(run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "en_GB.UTF-8")
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    assert "Reverse accumulation" in run(*SQUARE)[1]
    monkeypatch.setenv("LC_ALL", "")
    assert "反向累积" in run(*SQUARE)[1]


@pytest.mark.parametrize(
    "args",
    [
        ["-x**2", "--at", "x=3"],
        ["--at", "x=3", "--", "-x**2"],
        ["--at", "x=3", "-x**2"],
        ["--at=x=3", "-x**2", "--mode=forward"],
        ["-x**2 + 0*y", "--at", "x=3", "y=4", "--wrt", "x", "y"],
        ["--wrt", "x,y", "-x**2 + 0*y", "--at", "x=3", "y=4"],
        ["--at", "x=3", "y=4", "-x**2 + 0*y", "--wrt", "x", "--wrt", "y"],
    ],
)
def test_ways_to_say_it(run, args: list[str]) -> None:
    code, out, err = run("explain", *args)
    assert (code, err) == (0, "")
    assert "= -9\n" in out


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["x^2", "--at", "x=3"], "chainrule: '^' is not a power here: write **, as in x**2\n  x^2\n   ^\n"),
        (["x", "--at", "x=1,,2"], "chainrule: a number is missing here\n  x=1,,2\n      ^\n"),
        (["x"], "chainrule: 'x' has no value: add --at x=…\n  x\n  ^\n"),
        ([], 'chainrule: the expression is missing, as in: chainrule explain "x**2" --at x=3\n'),
        (["x", "+", "y"], "chainrule: there are two expressions: put the expression in quotes\n"),
        (["x", "--at", "x=3", "--wrt", "q"], "chainrule: --wrt q: the expression has no variable 'q'\n"),
        (["x", "--at"], "chainrule explain: argument --at: expected one argument\n"),
        (["x", "--att", "x=3"], "chainrule: unrecognized arguments: --att\n"),
        (["x", "--mode", "up"], None),
        (["x", "--lang", "fr"], None),
    ],
)
def test_faults_are_one_line_and_a_caret(run, args: list[str], message: str | None) -> None:
    code, out, err = run("explain", *args)
    assert (code, out) == (2, "")
    if message is None:
        assert len(err.splitlines()) == 1
    else:
        assert err == message


def test_a_derivative_that_cannot_be_computed(run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **options: object) -> None:
        raise ValueError("SVD did not converge")  # as numpy.linalg does, on some machines, for infinite matrices

    monkeypatch.setattr(cli, "explain_expression", fail)
    assert run(*SQUARE) == (2, "", "chainrule: the derivative cannot be computed here: SVD did not converge\n")


def test_other_commands(run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("--version") == (0, f"chainrule {chainrule.__version__}\n", "")
    assert run()[0] == 0
    assert "explain" in run("--help")[1]
    assert "--wrt" in run("explain", "--help")[1]
    code, out, err = run("explian")
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1


def test_the_demo_gets_its_arguments(run, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[list[str]] = []

    class Demo:
        @staticmethod
        def main(args: list[str]) -> int:
            given.append(args)
            return 3

    monkeypatch.setattr(cli.importlib, "import_module", lambda name: Demo)
    assert run("demo", "--quick", "-h")[0] == 3
    assert given == [["--quick", "-h"]]


class Terminal:
    """What the command finds where a terminal is."""

    def __init__(self, stream: object) -> None:
        self.stream = stream

    def isatty(self) -> bool:
        return True

    def __getattr__(self, name: str) -> object:
        return getattr(self.stream, name)


def test_colour_on_a_terminal_only(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "70")
    monkeypatch.setattr(sys, "stdout", Terminal(sys.stdout))
    monkeypatch.setattr(sys, "stderr", Terminal(sys.stderr))
    assert cli.main(SQUARE) == 0
    coloured = capsys.readouterr().out
    assert "\033[1m1. Computational graph\033[0m" in coloured
    assert "\033[32m✓\033[0m" in coloured
    assert cli.main(["explain", "x^2"]) == 2
    assert capsys.readouterr().err.endswith("\033[31m   ^\033[0m\n")
    monkeypatch.setenv("NO_COLOR", "1")
    assert cli.main(SQUARE) == 0
    assert "\033" not in capsys.readouterr().out


def subprocess_run(*args: str, **options: object) -> subprocess.CompletedProcess:
    source = str(Path(chainrule.__file__).parents[1])
    env = {**os.environ, "PYTHONPATH": source, **options.pop("env", {})}
    return subprocess.run([sys.executable, "-m", "chainrule", *args], env=env, capture_output=True, **options)


def test_as_a_module_with_a_poor_encoding() -> None:
    done = subprocess_run(*SQUARE, env={"PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"[7, 14, 21]" in done.stdout


def test_an_argument_that_is_no_text() -> None:
    if os.name == "posix":
        done = subprocess_run("explain", b"\xff + x", "--at", "x=1")
        assert done.returncode == 2
        assert len(done.stderr.splitlines()) == 3


def test_a_closed_pipe_is_quiet() -> None:
    source = str(Path(chainrule.__file__).parents[1])
    reader, writer = os.pipe()
    os.close(reader)
    env = {**os.environ, "PYTHONPATH": source}
    with os.fdopen(writer, "wb") as pipe:
        done = subprocess.run(
            [sys.executable, "-m", "chainrule", *SQUARE], env=env, stdout=pipe, stderr=subprocess.PIPE, check=False
        )
    assert done.stderr == b""
    assert done.returncode == cli.PIPE_CLOSED


@given(st.text(st.characters(codec="utf-8"), max_size=30), st.text(max_size=10), st.sampled_from(["en", "zh"]))
def test_garbage_never_ends_in_a_traceback(text: str, value: str, lang: str) -> None:
    for args in ([text, "--at", "x=1"], ["x", "--at", value], ["x", "--at", f"x={value}"], ["x", text], ["x", "--wrt", text]):
        assert cli.main(["explain", *args, "--lang", lang]) in (0, 2)
    if text != "demo":
        assert cli.main([text]) in (0, 2)
