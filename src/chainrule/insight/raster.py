"""Draws a layout as PNG with matplotlib, stroke for stroke like the SVG."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from importlib.util import find_spec
from io import BytesIO
from typing import TYPE_CHECKING

from chainrule.insight.layout import Box, Card, Layout, Point, Route, TextLine
from chainrule.insight.look import (
    ARROW,
    BACKGROUND,
    BORDER,
    FONTS,
    HALO,
    HEADING,
    LABEL,
    SHADOW,
    SHADOW_DROP,
    SHADOW_OPACITY,
    STROKE,
    STYLES,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.path import Path

# Looked into for characters that the first family lacks; a browser finds such fonts by itself.
_FURTHER_FONTS = (
    "DejaVu Sans",
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Source Han Sans SC",
    "PingFang SC",
    "Hiragino Sans GB",
    "Microsoft YaHei",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "Droid Sans Fallback",
    "SimHei",
    "Arial Unicode MS",
)
# How far Bézier handles reach for a quarter of a circle, in radii.
_QUARTER = 0.5523
_FAST = {"compress_level": 4}
_MOST_PIXELS_A_SIDE = 30_000
_MOST_PIXELS = 64_000_000


def has_matplotlib() -> bool:
    """Tell whether matplotlib is installed, without importing it."""
    return find_spec("matplotlib") is not None


def png_bytes(layout: Layout, scale: float) -> bytes:
    """Return the PNG at `scale` pixels to a unit, or at fewer where it would take hundreds of megabytes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    fitting = min(
        scale,
        _MOST_PIXELS_A_SIDE / max(layout.width, layout.height),
        math.sqrt(_MOST_PIXELS / (layout.width * layout.height)),
    )
    target = BytesIO()
    with _own_settings():
        # At 72 units an inch, matplotlib's line widths and type sizes are ours.
        figure = Figure(figsize=(layout.width / 72, layout.height / 72), dpi=72 * fitting)
        FigureCanvasAgg(figure)
        _draw(figure, layout)
        figure.savefig(target, format="png", dpi="figure", facecolor=BACKGROUND, pil_kwargs=_FAST)
    return target.getvalue()


def _draw(figure: Figure, layout: Layout) -> None:
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_axis_off()
    axes.set_xlim(0.0, layout.width)
    axes.set_ylim(layout.height, 0.0)
    _texts(axes, layout.heading, HEADING, 1.0)
    # matplotlib goes by kind of artist unless told: arrows, then labels, then cards, as in the SVG.
    for route in layout.routes:
        _route(axes, route)
        _texts(axes, route.label, LABEL, 3.0, halo=True)
    for card in layout.cards:
        _card(axes, card)


def _route(axes: Axes, route: Route) -> None:
    from matplotlib.path import Path

    curve = Path(route.curve, [Path.MOVETO] + [Path.CURVE4] * (len(route.curve) - 1))
    _paint(axes, curve, 2.0, facecolor="none", edgecolor=ARROW, linewidth=STROKE)
    _paint(axes, Path(route.barb), 2.0, facecolor=ARROW)


def _card(axes: Axes, card: Card) -> None:
    style = STYLES[card.vertex.kind]
    shadow = replace(card.box, y=card.box.y + SHADOW_DROP)
    _paint(axes, _rounded(shadow), 4.0, facecolor=SHADOW, alpha=SHADOW_OPACITY)
    _paint(axes, _rounded(card.box), 4.1, facecolor=style.fill, edgecolor=style.border, linewidth=BORDER)
    _texts(axes, card.title, style.title, 4.2)
    _texts(axes, card.lines, style.lines, 4.2)


def _rounded(box: Box) -> Path:
    """Return a box with corners as round as SVG's rx makes them; matplotlib's own are squarer."""
    from matplotlib.path import Path

    def corner(x: float, y: float, ahead: Point, aside: Point) -> list[Point]:
        """Turn at (x, y) from the direction `ahead` to `aside`, both as long as the radius."""
        reach = 1 - _QUARTER
        return [
            (x - ahead[0], y - ahead[1]),
            (x - ahead[0] * reach, y - ahead[1] * reach),
            (x + aside[0] * reach, y + aside[1] * reach),
            (x + aside[0], y + aside[1]),
        ]

    left, top, r = box.x, box.y, box.corner
    right, bottom = left + box.width, top + box.height
    points = [
        (left + r, top),
        *corner(right, top, (r, 0.0), (0.0, r)),
        *corner(right, bottom, (0.0, r), (-r, 0.0)),
        *corner(left, bottom, (-r, 0.0), (0.0, -r)),
        *corner(left, top, (0.0, -r), (r, 0.0)),
    ]
    side = [Path.LINETO, Path.CURVE4, Path.CURVE4, Path.CURVE4]
    return Path(points, [Path.MOVETO, *side * 4])


def _paint(axes: Axes, path: Path, zorder: float, **paint: str | float) -> None:
    from matplotlib.patches import PathPatch

    style = {"edgecolor": "none", "linewidth": 0.0, "capstyle": "butt", **paint}
    # add_patch would work out data limits, which takes most of the time and serves nothing here.
    axes.add_artist(PathPatch(path, zorder=zorder, **style))


def _texts(axes: Axes, lines: Iterable[TextLine], colour: str, zorder: float, *, halo: bool = False) -> None:
    from matplotlib.patheffects import withStroke

    effects = [withStroke(linewidth=HALO, foreground=BACKGROUND)] if halo else None
    for line in lines:
        axes.text(
            line.x,
            line.y,
            line.text,
            fontsize=line.size,
            fontweight="bold" if line.bold else "normal",
            fontfamily=_families(),
            color=colour,
            ha="center",
            va="baseline",
            parse_math=False,
            path_effects=effects,
            zorder=zorder,
        )


@cache
def _families() -> list[str]:
    """Return the installed families to set text in: a usual one, then those with more characters."""
    from matplotlib.font_manager import fontManager

    installed = set(fontManager.get_font_names())
    main = [name for name in FONTS if name in installed][:1]
    return list(dict.fromkeys([*main, *(name for name in _FURTHER_FONTS if name in installed)]))


@contextmanager
def _own_settings() -> Iterator[None]:
    """Draw by matplotlib's defaults, whatever style the user has set, and without a word about fonts.

    A character that no font has becomes a hollow box, and a regular face serves where there is no bold one.
    """
    import matplotlib

    logger = logging.getLogger("matplotlib.font_manager")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with matplotlib.rc_context(), warnings.catch_warnings():
            matplotlib.rcdefaults()
            warnings.filterwarnings("ignore", r"Glyph .* missing from", UserWarning)
            yield
    finally:
        logger.setLevel(level)
