"""The command `chainrule demo`: trains, reports, writes the pictures."""

from __future__ import annotations

import argparse
import os
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter

import numpy as np

from chainrule.demo import digits, pictures, training
from chainrule.demo.digits import Digits
from chainrule.demo.training import Epoch, Misread
from chainrule.insight.picture import write_whole

NEEDED = {"sklearn": "scikit-learn", "matplotlib": "matplotlib", "rich": "rich"}
ADVICE = 'pip install "chainrule[demo]"'
INTERRUPTED = 130  # what a shell reports of a command that Ctrl-C ended


@dataclass(frozen=True)
class Run:
    """What one seed came to."""

    seed: int
    epochs: tuple[Epoch, ...]
    misread: tuple[Misread, ...]
    tested: int

    @property
    def accuracy(self) -> float:
        """The share of test digits that were read right, in percent."""
        return 100 * self.epochs[-1].test_accuracy


class Unusable(Exception):
    """Something outside of the program is not as the demo needs it; the message is for the user."""


def main(argv: list[str] | None = None) -> int:
    """Run the demo; returns 0, or 1 with one line on stderr that says what is missing, or 130 for Ctrl-C."""
    options = parsed(argv)
    try:
        demonstrate(options)
    except Unusable as reason:
        print(f"chainrule demo: {reason}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nchainrule demo: interrupted", file=sys.stderr)
        return INTERRUPTED
    return 0


def parsed(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="chainrule demo",
        description="Train a small network on 1,797 real handwritten digits and draw what happened.",
    )
    parser.add_argument("--out", type=Path, default=Path("chainrule-demo"), metavar="DIR",
                        help="where to write the pictures (default: %(default)s)")  # fmt: skip
    parser.add_argument("--seeds", type=positive, default=3, metavar="N",
                        help="how many networks to train, each on its own split (default: %(default)s)")  # fmt: skip
    parser.add_argument("--epochs", type=positive, default=30, metavar="N",
                        help="how often to go through the training digits (default: %(default)s)")  # fmt: skip
    parser.add_argument("--quiet", action="store_true", help="print the last line only")
    return parser.parse_args(argv)


def positive(text: str) -> int:
    """Read a whole number above 0."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not at least 1")
    return number


def demonstrate(options: argparse.Namespace) -> None:
    """Train, report and write; raises Unusable where that is not possible."""
    start = perf_counter()
    missing = [package for module, package in NEEDED.items() if find_spec(module) is None]
    if missing:
        raise Unusable(f"{' and '.join(missing)} not installed; run: {ADVICE}")
    make_folder(options.out)
    say = silent if options.quiet else print
    images, shown = digits.load()
    say(f"{len(shown):,} handwritten digits, {training.HIDDEN} hidden units, gradient descent with momentum")
    splits = [digits.split(images, shown, seed) for seed in range(options.seeds)]
    runs = list(train_all(splits, options.epochs, quiet=options.quiet))
    for told in write_pictures(options.out, images, splits[0], runs):
        say(told)
    print(summary(runs, perf_counter() - start))


def silent(text: str) -> None:
    """Stand in for print under --quiet."""


def make_folder(folder: Path) -> None:
    """Make the folder now: to fail after the training would be a pity."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Unusable(f"cannot write to {folder}: {error.strerror}") from error


def train_all(splits: Sequence[Digits], epochs: int, *, quiet: bool) -> Iterator[Run]:
    """Train one network per split, seeded with the number of the split."""
    # Matrices this small gain nothing from a second thread, and on a busy machine wait long for it.
    # threadpoolctl comes with scikit-learn.
    single = import_module("threadpoolctl").threadpool_limits(1, user_api="blas")
    with single, progress(len(splits), epochs, quiet=quiet) as note:
        for seed, split in enumerate(splits):
            network = training.seeded(seed)
            history = []
            for epoch in training.train(network, split, epochs, seed):
                history.append(epoch)
                note(seed, epoch)
            yield Run(seed, tuple(history), tuple(training.misread(network, split)), len(split.test_y))


@contextmanager
def progress(seeds: int, epochs: int, *, quiet: bool) -> Iterator[Callable[[int, Epoch], None]]:
    """Give a function to call after each epoch: it moves bars on a terminal, and elsewhere writes lines."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    console = Console(highlight=False)
    if quiet or not console.is_terminal:
        yield lambda seed, epoch: print(line(seed, epoch)) if epoch.number == epochs and not quiet else None
        return
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=18), MofNCompleteColumn())
    with Progress(*columns, console=console) as bars:
        tasks = [bars.add_task(f"seed {seed}", total=epochs) for seed in range(seeds)]
        yield lambda seed, epoch: bars.update(
            tasks[seed], completed=epoch.number, description=line(seed, epoch), refresh=epoch.number == epochs
        )


def line(seed: int, epoch: Epoch) -> str:
    """How good a network is, in one line."""
    training_share, test_share = 100 * epoch.train_accuracy, 100 * epoch.test_accuracy
    return f"seed {seed}   loss {epoch.train_loss:.4f}   training {training_share:5.1f} %   test {test_share:5.1f} %"


def summary(runs: Sequence[Run], seconds: float) -> str:
    """The result in one line: the mean over the seeds and their standard deviation."""
    accuracies = [run.accuracy for run in runs]
    if len(runs) == 1:
        return f"test accuracy {accuracies[0]:.2f} % (one seed), {seconds:.1f} s in all"
    spread = f"{statistics.mean(accuracies):.2f} ± {statistics.stdev(accuracies):.2f} %"
    return f"test accuracy {spread} (mean and standard deviation of {len(runs)} seeds), {seconds:.1f} s in all"


def write_pictures(folder: Path, images: np.ndarray, split: Digits, runs: Sequence[Run]) -> list[str]:
    """Write all pictures; returns what there is to say about them, line by line."""
    misread = [one for run in runs for one in run.misread]
    contents = {
        "learning-curve.png": pictures.learning_curve([run.epochs for run in runs]),
        "misread-digits.png": pictures.misread_sheet(images, misread, [run.tested for run in runs]),
    }
    graph = pictures.loss_graph(split, seed=0)
    notes = []
    try:
        contents |= {"graph.svg": graph.svg().encode(), "graph.png": graph.png()}
    except (ImportError, RuntimeError) as error:
        reason = f"Graphviz is missing; run: {ADVICE}" if isinstance(error, ImportError) else error
        notes = [f"graph.dot instead of graph.svg and graph.png: {reason}"]
        contents["graph.dot"] = graph.dot.encode()
    for name, content in contents.items():
        try:
            write_whole(folder / name, content)
        except OSError as error:
            raise Unusable(f"cannot write {folder / name}: {error.strerror}") from error
    return [*notes, f"wrote {', '.join(contents)} into {folder}{os.sep}"]
