"""Short programs, run by chainrule and by torch: everything that a user can see of them is the same.

Each file of `corpus` holds programs on one subject, separated by lines of ``%%``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.oracle import agree

CORPUS = Path(__file__).parent / "corpus"


def programs() -> Iterator[Any]:
    for path in sorted(CORPUS.glob("*.txt")):
        for k, program in enumerate(path.read_text(encoding="utf-8").split("\n%%\n")):
            yield pytest.param(program.strip(), id=f"{path.stem}-{k}")


@pytest.mark.torch
@pytest.mark.parametrize("program", list(programs()))
def test_same_as_torch(program: str) -> None:
    agree(program)
