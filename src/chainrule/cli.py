"""The command ``chainrule``: `explain` shows how a derivative comes about, `demo` what the library can do, `run` runs
a program or notebook that was written for torch."""

from __future__ import annotations

import argparse
import importlib
import os
import re
import runpy
import shutil
import sys
import traceback
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NoReturn, TextIO

import numpy as np

import chainrule
from chainrule import notebook
from chainrule.errors import NotANotebook
from chainrule.insight.evaluate import Evaluation
from chainrule.insight.explain import MODES, explain_expression
from chainrule.insight.expression import parse
from chainrule.insight.scanner import ExpressionError, printable
from chainrule.insight.values import parse_values
from chainrule.insight.words import LANGUAGES, language

WIDEST: Final = 100
FAULT: Final = 2
INTERRUPTED: Final = 130
PIPE_CLOSED: Final = 141  # as a program that the signal ends

EXAMPLES: Final = """\
examples:
  chainrule explain "2*x1 + 5*x2 + x3**2" --at x1=3 --at x2=4 --at x3=2
  chainrule explain "(dot(x,w)-y)**2" --at x=1,2,3 --at w=0.5,-1,2 --at y=1 --wrt w
  chainrule explain "norm(X@w-y)**2" --at "X=1,2;3,4;5,6" --at w=1,-1 --at y=1,0,2 --wrt w --mode forward
"""


class Parser(argparse.ArgumentParser):
    """argparse, with its complaints in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(FAULT, f"{self.prog}: {printable(message)}\n")


def parser() -> Parser:
    """The command line."""
    main = Parser(
        prog="chainrule",
        description="Automatic differentiation, shown step by step.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    main.add_argument("--version", action="version", version=f"chainrule {chainrule.__version__}")
    commands = main.add_subparsers(dest="command", metavar="COMMAND", parser_class=Parser)
    explain = commands.add_parser(
        "explain",
        help="show how the derivatives of an expression come about",
        description="Show how the derivatives of an expression come about: the computational graph,\n"
        "the local derivatives, the chain rule, the sweep, and a numeric check.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    explain.add_argument("expression", metavar="EXPR", nargs="*", help='such as "x**2 + sin(x)"; quote it')
    several: dict[str, Any] = {"action": "append", "default": []}
    explain.add_argument("--at", metavar="NAME=VALUE", **several,
                         help="a value: x=3, a vector: x=0,1,2 or a matrix: X=1,2;3,4 (one for each name)")  # fmt: skip
    explain.add_argument("--wrt", metavar="NAME", **several,
                         help="differentiate with respect to this variable only (may be repeated)")  # fmt: skip
    explain.add_argument("--mode", choices=MODES, default="reverse", help="how to accumulate (default: reverse)")
    explain.add_argument("--lang", choices=LANGUAGES, help="language of the text (default: that of the environment)")
    commands.add_parser("demo", help="see what the library can do", add_help=False)
    program = commands.add_parser(
        "run",
        help="run a program or notebook written for torch or MXNet",
        description="Run FILE.py or FILE.ipynb with chainrule in place of torch and MXNet.",
    )
    program.add_argument("file", metavar="FILE", help="a Python program (.py) or a Jupyter notebook (.ipynb)")
    program.add_argument("arguments", metavar="ARG", nargs=argparse.REMAINDER, help="arguments of the program")
    return main


VALUED: Final = ("--at", "--wrt", "--mode", "--lang")
FLAGS: Final = ("-h", "--help")
_ASSIGNMENT: Final = re.compile(r"\s*[^\W\d]\w*\s*=(?!=)")


def arranged(args: Sequence[str]) -> list[str]:
    """The arguments of ``explain`` with the options first, so that an expression may begin with a minus sign.

    ``--at`` and ``--wrt`` may be followed by several values.

    >>> arranged(["-x**2", "--at", "x=3", "y=4"])
    ['--at=x=3', '--at=y=4', '--', '-x**2']
    """
    options: list[str] = []
    expressions: list[str] = []
    rest = list(args)
    last = ""
    while rest:
        arg = rest.pop(0)
        if arg == "--":
            expressions += rest
            break
        if arg in VALUED:
            last = arg
            options.append(f"{arg}={rest.pop(0)}" if rest and rest[0] not in (*VALUED, *FLAGS) else arg)
        elif arg in FLAGS or arg.startswith(tuple(f"{option}=" for option in VALUED)):
            options.append(arg)
        elif last == "--at" and _ASSIGNMENT.match(arg):
            options.append(f"--at={arg}")
        elif last == "--wrt" and expressions and arg.isidentifier():
            options.append(f"--wrt={arg}")
        elif re.match(r"--[a-z]", arg):  # a misspelt option, not an expression
            options.append(arg)
        else:
            expressions.append(arg)
    return [*options, "--", *expressions]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code: 0, or 2 for a fault in what was asked."""
    args = list(sys.argv[1:] if argv is None else argv)
    try:
        code = run(args)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # Whoever read the output has gone. Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    except KeyboardInterrupt:
        return INTERRUPTED


def run(args: list[str]) -> int:
    """Carry out one command line."""
    if args[:1] == ["demo"]:
        return int(importlib.import_module("chainrule.demo").main(args[1:]) or 0)
    if args[:1] == ["explain"]:
        args = ["explain", *arranged(args[1:])]
    command_line = parser()
    try:
        given = command_line.parse_args(args)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else FAULT
    if given.command is None:
        command_line.print_help()
        return 0
    return run_file(Path(given.file), given.arguments) if given.command == "run" else explain(given)


def run_file(path: Path, arguments: Sequence[str]) -> int:
    """``chainrule run``: the program as ``python FILE`` would run it, but that chainrule stands for torch and MXNet."""
    if not path.is_file():
        print(f"chainrule run: no such file: {printable(str(path))}", file=sys.stderr)
        return FAULT
    try:
        chainrule.install()
    except ImportError as fault:
        print(f"chainrule run: {fault}", file=sys.stderr)
        return FAULT
    sys.argv = [str(path), *arguments]
    sys.path.insert(0, str(path.resolve().parent))
    try:
        if path.suffix == ".ipynb":
            notebook.run(path)
        else:
            runpy.run_path(str(path), run_name="__main__")
    except NotANotebook as fault:
        print(f"chainrule run: {fault}", file=sys.stderr)
        return FAULT
    except Exception as fault:
        return _failed(fault)
    return 0


RUNNERS: Final = (__file__, notebook.__file__, "<frozen runpy>")


def _failed(fault: BaseException) -> int:
    """Print the traceback of a program, beginning where the program begins."""
    trace = fault.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename in RUNNERS:
        trace = trace.tb_next
    traceback.print_exception(type(fault), fault, trace)
    return 1


def explain(given: argparse.Namespace) -> int:
    """``chainrule explain``."""
    lang = language(given.lang)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal that lacks a character shows a question mark
            stream.reconfigure(errors="replace")
    try:
        text = explanation(given, lang)
    except ExpressionError as fault:
        print(painted_fault(fault.report(lang), sys.stderr), file=sys.stderr)
        return FAULT
    print("\n".join(painted(line, sys.stdout) for line in text.splitlines()))
    return 0


def explanation(given: argparse.Namespace, lang: str) -> str:
    """The text that answers the command."""
    if len(given.expression) != 1:
        raise ExpressionError("two-expressions" if given.expression else "no-expression")
    expression = parse(given.expression[0])
    values = parse_values(given.at)
    wrt = [name.strip() for names in given.wrt for name in names.split(",") if name.strip()]
    width = min(WIDEST, shutil.get_terminal_size((WIDEST, 24)).columns) if sys.stdout.isatty() else WIDEST
    with warnings.catch_warnings(), np.errstate(all="ignore"):  # nan and inf are in the report, where they belong
        warnings.simplefilter("ignore")
        evaluation = Evaluation(expression, values, wrt)
        try:
            return explain_expression(evaluation, mode=given.mode, lang=lang).text(width)
        except (ValueError, RuntimeError, ArithmeticError, MemoryError) as fault:
            raise ExpressionError("no-derivative", why=" ".join(str(fault).split())) from fault


# Colour


def coloured(stream: TextIO) -> bool:
    """Whether to colour what is written to ``stream``: on a terminal, unless NO_COLOR is set."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def paint(text: str, code: str) -> str:
    return f"\033[{code}m{text}\033[0m"


def painted(line: str, stream: TextIO) -> str:
    """A line of the report: headings bold, the verdict green or red."""
    if not coloured(stream):
        return line
    if line[:1].strip():
        return paint(line, "1")
    return line.replace("✓", paint("✓", "32")).replace("✗", paint("✗", "31"))


def painted_fault(report: str, stream: TextIO) -> str:
    """A complaint after the name of the command, its caret red."""
    message, *rest = report.splitlines()
    if rest and coloured(stream):
        rest[-1] = paint(rest[-1], "31")
    return "\n".join([f"chainrule: {message}", *rest])
