"""The course: both notebooks run in a fresh kernel, show what is stored in them, and have the same programs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tools import course

nbformat = pytest.importorskip("nbformat")
NUMBER = re.compile(r"[-+]?\d+\.?\d*(?:e[-+]?\d+)?")
ENGLISH, CHINESE = course.NOTEBOOKS
FONTS = "building the font cache"  # what matplotlib says the first time on a machine
VARIES = "varies"  # the tag of a cell that shows times or memory


def cells(path: Path, kind: str) -> list[Any]:
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == kind]


def shown(cell: Any) -> str:
    """All text that a cell shows, and the kinds of pictures."""
    parts = []
    for output in cell.outputs:
        if output.output_type == "stream":
            parts.append(output.text)
        else:
            parts.append(" ".join(sorted(output.data)) + "\n" + output.data["text/plain"])
    return "\n".join(parts)


def same(a: str, b: str) -> bool:
    """Whether texts differ in the last digits of their numbers only, which depend on the processor."""
    if "".join(NUMBER.sub("#", a).split()) != "".join(NUMBER.sub("#", b).split()):
        return False
    numbers = zip(map(float, NUMBER.findall(a)), map(float, NUMBER.findall(b)), strict=True)
    return all(x == pytest.approx(y, rel=1e-3, abs=2e-4) for x, y in numbers)


@pytest.mark.parametrize("path", course.NOTEBOOKS, ids=lambda path: path.name)
def test_it_shows_what_is_stored(path: Path) -> None:
    done = [cell for cell in course.executed(path).cells if cell.cell_type == "code"]
    for stored, cell in zip(cells(path, "code"), done, strict=True):
        cell.outputs = [output for output in cell.outputs if FONTS not in output.get("text", "")]
        assert [output.output_type for output in cell.outputs] == [output.output_type for output in stored.outputs]
        assert "stderr" not in [output.get("name") for output in cell.outputs]
        if VARIES not in cell.metadata.get("tags", ()):
            assert same(shown(cell), shown(stored)), cell.source


def test_both_languages_have_the_same_programs() -> None:
    english, chinese = ([cell.source for cell in cells(path, "code")] for path in (ENGLISH, CHINESE))
    assert english[0] == chinese[0].replace('"zh"', '"en"')
    assert english[1:] == chinese[1:]
    assert len(cells(ENGLISH, "markdown")) == len(cells(CHINESE, "markdown"))


def test_texts_are_compared() -> None:
    assert same("tensor([1.0000, 2.5])", "tensor([ 1.0001, 2.5])")
    assert not same("tensor([1.0, 2.5])", "tensor([1.0, 2.6])")
    assert not same("tensor([1.0])", "tensor([1.0], requires_grad=True)")
    assert not same("1.0 2.0", "1.0")
