"""The pictures: learning curves, the digits that were misread, the graph of the loss."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.demo.digits import SIDE, Digits
from chainrule.demo.training import Epoch, Misread, seeded
from chainrule.insight.draw import draw
from chainrule.insight.look import FONTS
from chainrule.insight.picture import Picture
from chainrule.nn.functional import cross_entropy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, MUTED, GRID = "#1e293b", "#64748b", "#e6eaf0"
COLOURS = {"train": "#4f5bd5", "test": "#c8450c"}
WRONG = "#c8450c"
LOOK: dict[Any, Any] = {
    "font.size": 9.5,
    "axes.edgecolor": MUTED, "axes.labelcolor": MUTED, "axes.titlecolor": INK, "axes.titlesize": 11,
    "axes.titlelocation": "left", "axes.titlepad": 9, "axes.grid": True, "axes.axisbelow": True,
    "axes.spines.top": False, "axes.spines.right": False, "axes.spines.left": False,
    "grid.color": GRID, "grid.linewidth": 0.8,
    "xtick.color": MUTED, "ytick.color": MUTED, "ytick.left": False, "ytick.minor.left": False,
}  # fmt: skip
DRAWN = 32  # digits in the minibatch whose loss is drawn
COLUMNS, MOST_TILES = 8, 40
HEADING, TILE, TILE_HEIGHT = 0.98, 1.06, 1.58  # inches
LINE_HEIGHT = 13.0  # points


def loss_graph(digits: Digits, seed: int) -> Picture:
    """Draw how the loss of one minibatch is computed, with the gradients of an untrained network."""
    X, target = digits.train_x[:DRAWN], digits.train_y[:DRAWN]
    network = seeded(seed)
    loss = cross_entropy(network(X), target)
    loss.backward(retain_graph=True)
    return draw(loss, names=dict(network.named_parameters()))  # the others are the variables here


def learning_curve(runs: Sequence[Sequence[Epoch]]) -> bytes:
    """Plot loss and accuracy over the epochs as PNG: a thin line per run, a thick one for their mean."""
    from matplotlib.ticker import LogLocator, MaxNLocator

    with _style():
        figure = _figure(10.0, 4.6)
        left, right = figure.subplots(1, 2)
        figure.subplots_adjust(left=0.06, right=0.93, top=0.755, bottom=0.12, wspace=0.34)
        left.set_title("Loss (cross entropy)")
        left.set_yscale("log")
        left.yaxis.set_major_locator(LogLocator(subs=(1.0, 3.0)))
        left.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        right.set_title("Accuracy, %")
        right.set_ylim(_lowest_accuracy(runs), 100.6)
        for axes, measure, unit in ((left, "loss", 1.0), (right, "accuracy", 100.0)):
            axes.set_xlabel("epoch")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
            parts = {part: [[unit * getattr(e, f"{part}_{measure}") for e in run] for run in runs] for part in COLOURS}
            ends = {part: _lines(axes, np.array(ys), COLOURS[part]) for part, ys in parts.items()}
            _label_ends(axes, len(runs[0]) - 1, ends)
        many = "One seed." if len(runs) == 1 else f"Thin lines are the {len(runs)} seeds, thick ones their mean."
        _heading(figure, "Learning to read handwritten digits", f"No test digit is ever trained on. {many}")
        return _png(figure)


def _lowest_accuracy(runs: Sequence[Sequence[Epoch]]) -> float:
    """Leave out the first, steep part of the curve, as far as the rest is above it."""
    worst = 100 * min(run[-1].test_accuracy for run in runs)
    return 85.0 if worst > 90.0 else 0.0


def _lines(axes: Axes, ys: np.ndarray, colour: str) -> float:
    """Plot a row per run and their mean; returns where that ends."""
    if len(ys) > 1:
        axes.plot(ys.T, color=colour, linewidth=0.8, alpha=0.35)
    mean = ys.mean(0)
    axes.plot(mean, color=colour, linewidth=2.2, solid_capstyle="round")
    return float(mean[-1])


def _label_ends(axes: Axes, x: int, ends: Mapping[str, float]) -> None:
    """Write the name and the last value of each of two lines to their right, kept apart."""
    points = 72 / axes.figure.dpi
    heights = {part: points * axes.transData.transform((x, y))[1] for part, y in ends.items()}
    low, high = sorted(heights, key=lambda part: heights[part])
    apart = max(0.0, LINE_HEIGHT - (heights[high] - heights[low])) / 2
    for part, shift in ((low, -apart), (high, apart)):
        axes.annotate(
            f"{part} {ends[part]:.3g}", (x, ends[part]), (6, shift), textcoords="offset points",
            va="center", color=COLOURS[part], fontweight="bold", annotation_clip=False,
        )  # fmt: skip


def misread_sheet(images: np.ndarray, found: Iterable[Misread], tested: Sequence[int]) -> bytes:
    """Show the digits misread in tests of so many digits each as PNG, the surest mistakes first."""
    different: dict[int, Misread] = {}
    for one in sorted(found, key=lambda one: -one.probability):
        different.setdefault(one.number, one)  # several networks may have misread it
    shown = list(different.values())[:MOST_TILES]
    rows = max(1, math.ceil(len(shown) / COLUMNS))
    with _style():
        height = HEADING + rows * TILE_HEIGHT
        figure = _figure(10.0, height)
        for place, one in enumerate(shown):
            row, column = divmod(place, COLUMNS)
            bottom = height - HEADING - row * TILE_HEIGHT - TILE
            axes = figure.add_axes((0.022 + column * 0.1215, bottom / height, TILE / 10, TILE / height))
            _tile(axes, images[one.number].reshape(SIDE, SIDE), one)
        _heading(figure, "Misread digits", _counted(len(different), len(shown), tested))
        return _png(figure)


def _counted(different: int, shown: int, tested: Sequence[int]) -> str:
    tests = f"a test of {tested[0]} digits" if len(tested) == 1 else f"{len(tested)} tests of {tested[0]} digits each"
    if not different:
        return f"None in {tests}."
    part = f"the {shown} surest of {different}" if shown < different else f"all {different}, the surest first"
    return f"The mistakes in {tests}: {part}. Percentages say how sure the network was."


def _tile(axes: Axes, image: np.ndarray, one: Misread) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    # Smoothed, with some room around: 64 bare squares are harder to read for a person than for a network.
    ink = LinearSegmentedColormap.from_list("ink", ("white", INK))
    axes.imshow(np.pad(image, 1), ink, interpolation="catrom", vmin=0, vmax=1)
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set(visible=True, color=GRID)
    below: dict[str, Any] = dict(xycoords="axes fraction", textcoords="offset points", fontsize=8.5, va="top")
    axes.annotate(f"read as {one.read_as}", (0, 0), (0, -4), color=WRONG, fontweight="bold", **below)
    axes.annotate(f"is {one.shown}", (0, 0), (0, -16), color=INK, **below)
    axes.annotate(f"{one.probability:.0%}", (1, 0), (0, -4), color=MUTED, ha="right", **below)


def _heading(figure: Figure, title: str, below: str) -> None:
    inch = 1 / figure.get_figheight()
    left = 0.022
    figure.text(left, 1 - 0.22 * inch, title, fontsize=15, fontweight="bold", color=INK, va="top")
    figure.text(left, 1 - 0.55 * inch, below, fontsize=10, color=MUTED, va="top")


@contextmanager
def _style() -> Iterator[None]:
    """Apply the look of all plots here, whatever the user's own settings are."""
    from matplotlib import rc_context, rcdefaults, rcParams
    from matplotlib.font_manager import fontManager

    installed = {font.name for font in fontManager.ttflist}
    with rc_context():
        rcdefaults()
        rcParams.update(LOOK)
        rcParams["font.family"] = [font for font in FONTS if font in installed] or "sans-serif"
        yield


def _figure(width: float, height: float) -> Any:
    """A figure drawn by Agg, which needs no display; pyplot, and its windows, stay out of it."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=160, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def _png(figure: Figure) -> bytes:
    target = BytesIO()
    figure.savefig(target, format="png")
    return target.getvalue()
