"""Anomaly mode: the call whose derivative went wrong, and the lines that saved and overwrote a value."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator

import pytest

import chainrule as cr
from tests.oracle import raises

HEAD = """import warnings
warnings.simplefilter('ignore')
x = torch.tensor([-1.0, 4.0], requires_grad=True)
"""


@contextlib.contextmanager
def told_of() -> Iterator[list[warnings.WarningMessage]]:
    """What is warned of inside."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        yield told


@pytest.mark.torch
@pytest.mark.parametrize("program", [
    "with torch.autograd.detect_anomaly():\n    (x.sqrt() * 0).sum().backward()",
    "with torch.autograd.set_detect_anomaly(True):\n    x.log().sum().backward(torch.tensor(float('nan')))",
    "with torch.autograd.set_detect_anomaly(True):\n    (x * float('nan')).sum().backward()",
    "with torch.autograd.detect_anomaly():\n    y = x.pow(0.5)\n    (y / y.detach()).sum().backward()",
])  # fmt: skip
def test_the_first_nan_is_an_error(program: str) -> None:
    raises(HEAD + program)


def test_without_the_check_for_nan() -> None:
    with warnings.catch_warnings(action="ignore"), cr.autograd.detect_anomaly(check_nan=False):
        x = cr.tensor([-1.0], requires_grad=True)
        x.sqrt().backward()
    assert x.grad is not None
    assert x.grad.isnan().all()


def test_the_lines_of_save_and_write() -> None:
    with told_of() as told, cr.autograd.detect_anomaly():
        x = cr.ones(2, requires_grad=True)
        y = x.exp()  # the line of save
        y.add_(1.0)  # the line of write
        words = r"(?s)modified by an inplace operation: .torch.FloatTensor .2...*is at version 1; expected version 0"
        with pytest.raises(RuntimeError, match=rf"{words}.*the line of save.*the line of write"):
            y.sum().backward()
    assert any("Error detected in ExpBackward0" in str(w.message) and "the line of save" in str(w.message) for w in told)


def test_the_line_of_the_call_is_told() -> None:
    with told_of() as told, cr.autograd.detect_anomaly():
        x = cr.tensor([-1.0], requires_grad=True)
        y = x.sqrt()  # here it begins
        with pytest.raises(RuntimeError, match="SqrtBackward0"):
            (y * 2).backward()
    messages = [str(w.message) for w in told]
    assert "Anomaly Detection has been enabled" in messages[0]
    assert "Traceback of forward call that caused the error" in messages[1]
    assert "here it begins" in messages[1]
    assert "chainrule" not in messages[1].splitlines()[-2]


def test_second_derivatives_tell_of_both_calls() -> None:
    with told_of() as told, cr.autograd.detect_anomaly():
        x = cr.tensor([0.0], requires_grad=True)
        (g,) = cr.autograd.grad(x**1.5, x, create_graph=True)
        with pytest.raises(RuntimeError, match="nan values"):
            (g * cr.tensor([0.0])).backward()
    assert any("Previous calculation was induced by" in str(w.message) for w in told)


def test_an_error_in_a_hook_or_function_is_told_too() -> None:
    failing = type("Failing", (cr.autograd.Function,), {
        "forward": staticmethod(lambda ctx, x: x * 2), "backward": staticmethod(lambda ctx, g: 1 / 0),
    })  # fmt: skip
    with told_of() as told, cr.autograd.detect_anomaly():
        x = cr.ones(1, requires_grad=True)
        y = failing.apply(x)  # type: ignore[attr-defined]
        with pytest.raises(ZeroDivisionError):
            y.backward()
    assert any("Error detected in FailingBackward" in str(w.message) for w in told)


def test_off_again_afterwards() -> None:
    with warnings.catch_warnings(action="ignore"), cr.autograd.detect_anomaly():
        assert cr.is_anomaly_enabled()
    assert not cr.is_anomaly_enabled()
    x = cr.tensor([-1.0], requires_grad=True)
    x.sqrt().backward()  # no error
