"""draw(y): that the picture has the operations, leaves, constants and gradients of what was recorded."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.insight.diagram import Diagram, Vertex
from chainrule.insight.draw import draw
from chainrule.insight.picture import Picture
from chainrule.nn.functional import cross_entropy


def diagram(drawn: Picture) -> Diagram:
    return drawn._diagram


def vertices(drawn: Picture) -> dict[str, Vertex]:
    """The vertices by title; a title that several have is not looked up."""
    return {vertex.title: vertex for vertex in diagram(drawn).vertices}


def titles(drawn: Picture, kind: str) -> list[str]:
    return sorted(vertex.title for vertex in diagram(drawn).vertices if vertex.kind == kind)


def arrows(drawn: Picture) -> Counter[tuple[str, str]]:
    title = {vertex.key: vertex.title for vertex in diagram(drawn).vertices}
    return Counter((title[arrow.tail], title[arrow.head]) for arrow in diagram(drawn).arrows)


def leaf(*values: float) -> Any:
    return cr.tensor(values[0] if len(values) == 1 else list(values), requires_grad=True)


def test_a_formula() -> None:
    x1, x2 = leaf(3.0), leaf(4.0)
    y = 2 * x1 + x2**3
    drawn = draw(y)
    assert titles(drawn, "leaf") == ["x1", "x2"]
    assert titles(drawn, "constant") == ["2", "3"]
    assert titles(drawn, "operation") == ["Mul", "Pow"]
    assert vertices(drawn)["y"] == Vertex("v0", "result", "y", ("Add", "70.0"))
    assert vertices(drawn)["x1"].lines == ("3.0",)
    assert arrows(drawn) == Counter(
        [("x1", "Mul"), ("2", "Mul"), ("x2", "Pow"), ("3", "Pow"), ("Mul", "y"), ("Pow", "y")]
    )


def test_operands_stand_in_their_order() -> None:
    a, b = leaf(1.0), leaf(2.0)
    tails = [arrow.tail for arrow in diagram(draw(a / b)).arrows]
    title = {vertex.key: vertex.title for vertex in diagram(draw(a / b)).vertices}
    assert [title[tail] for tail in tails] == ["a", "b"]


def test_a_leaf_used_twice_is_one_vertex_with_two_arrows() -> None:
    x = leaf(3.0)
    y = x * x
    assert arrows(draw(y)) == Counter({("x", "y"): 2})


def test_the_same_number_in_two_places_is_two_vertices() -> None:
    x = leaf(3.0)
    assert titles(draw((x * 2) * 2), "constant") == ["2", "2"]


def test_a_constant_tensor_used_twice_is_one_vertex() -> None:
    x, c = leaf(1.0, 2.0, 3.0), cr.tensor([4.0, 5.0, 6.0])
    assert titles(draw(x * c * c), "constant") == ["c"]


def test_a_network_before_and_after_backward() -> None:
    X, target = cr.ones(32, 64), cr.zeros(32, dtype=cr.int64)
    w, b = cr.randn(64, 10, requires_grad=True), cr.zeros(10, requires_grad=True)
    logits = X @ w + b
    loss = cross_entropy(logits, target)
    before = draw(loss)
    assert titles(before, "leaf") == ["b", "w"]
    assert titles(before, "constant") == ["X", "target"]
    assert titles(before, "operation") == ["Add", "LogSoftmax", "Mm"]
    assert vertices(before)["loss"].lines[0] == "NllLoss"
    assert vertices(before)["target"].lines == ("(32,) int64",)
    assert vertices(before)["X"].lines == ("(32, 64)",)
    assert vertices(before)["Add"].lines == ("logits  (32, 10)",)
    assert vertices(before)["w"].lines == ("(64, 10)",)

    loss.backward()
    after = draw(loss)
    assert vertices(after)["w"].lines == ("(64, 10)", f"grad norm {np.linalg.norm(w.grad.numpy()):.3g}")
    assert [vertex.lines for vertex in diagram(after).vertices if vertex.kind == "constant"] == [
        ("freed by backward",),
        ("freed by backward",),
    ]


def test_small_gradients_are_shown_by_element() -> None:
    x = leaf(1.0, 2.0)
    y = (x * x).sum()
    y.backward()
    assert vertices(draw(y))["x"].lines == ("[1.0, 2.0]", "grad [2.0, 4.0]")


def test_a_retained_gradient_of_an_intermediate_result() -> None:
    x = leaf(1.0, 2.0)
    h = x * 3
    h.retain_grad()
    y = h.sum()
    y.backward()
    assert vertices(draw(y))["Mul"].lines == ("h  [3.0, 6.0]", "grad [1.0, 1.0]")


def test_given_names_come_before_variables() -> None:
    x = leaf(3.0)
    y = x.exp()
    drawn = draw(y, names={"weight": x, "outcome": y})
    assert titles(drawn, "leaf") == ["weight"]
    assert titles(drawn, "result") == ["outcome"]


GLOBAL = cr.ones(5, requires_grad=True)


def test_names_are_found_among_globals_and_else_the_shape_stands() -> None:
    assert titles(draw(GLOBAL * cr.zeros(6, 5, requires_grad=True)), "leaf") == ["(6, 5)", "GLOBAL"]


def test_a_detached_tensor_is_not_called_by_the_name_of_its_leaf() -> None:
    w = cr.ones(5, requires_grad=True)
    assert titles(draw(w * w.detach()), "constant") == ["(5,)"]


def test_unusual_dtypes_are_said() -> None:
    x = leaf(1.0, 2.0, 3.0)
    rows = cr.tensor([0, 2])
    drawn = draw(x[rows].exp())
    assert vertices(drawn)["rows"].lines == ("[0, 2] int64",)
    assert vertices(drawn)["x"].lines == ("[1.0, 2.0, 3.0]",)


def test_several_outputs_are_told_apart() -> None:
    x = cr.ones(6, 2, requires_grad=True)
    parts = x.split(2)
    first = parts[0]
    drawn = draw(first * parts[2])
    assert vertices(drawn)["Split"].lines == ("3 outputs",)
    assert [arrow.label for arrow in diagram(drawn).arrows] == ["first (2, 2)", "[2] (2, 2)", ""]
    alone = draw(first)
    assert vertices(alone)["first"].lines == ("Split", "(2, 2)")


def test_constants_that_the_tape_does_not_keep() -> None:
    x, c = leaf(1.0, 2.0), cr.tensor([1.0, 1.0])
    drawn = draw((x + 1) - c)
    assert titles(drawn, "constant") == ["constant", "number"]
    assert {vertex.lines for vertex in diagram(drawn).vertices if vertex.kind == "constant"} == {("value not kept",)}


def test_optional_operands_that_were_left_out_are_not_drawn() -> None:
    scores = cr.zeros(3, 4, requires_grad=True)
    loss = cross_entropy(scores, cr.tensor([0, 1, 2]))
    assert len(titles(draw(loss), "constant")) == 1
    loss.backward()
    assert len(titles(draw(loss), "constant")) == 1


def test_half_precision() -> None:
    x = leaf(1.0, 2.0).bfloat16()
    drawn = draw(x * 2)
    assert titles(drawn, "constant") == ["2"]
    assert vertices(drawn)["ToCopy"].lines == ("x  [1.0, 2.0]",)


def test_a_value_written_over_is_not_shown() -> None:
    x, c = leaf(1.0, 2.0), cr.tensor([5.0, 6.0])
    y = x * c
    c.fill_(0.0)
    assert vertices(draw(y))["(2,)"].kind == "constant"


def test_numbers_keep_their_digits() -> None:
    x = leaf(1.0)
    assert titles(draw(x * 1.0001), "constant") == ["1.0001"]


def test_the_way_back() -> None:
    x, w = cr.ones(3, 4), cr.ones(4, 2, requires_grad=True)
    y = (x @ w).tanh().sum()
    drawn = draw(y, kind="backward")
    assert titles(drawn, "constant") == []
    assert vertices(drawn)["MmBackward0"].lines == ("(3, 2)", "keeps (3, 4)")
    assert vertices(drawn)["TanhBackward0"].lines == ("(3, 2)", "keeps (3, 2)")
    assert vertices(drawn)["SumBackward0"] == Vertex("v0", "result", "SumBackward0", ("y  scalar",))
    assert arrows(drawn) == Counter(
        [("SumBackward0", "TanhBackward0"), ("TanhBackward0", "MmBackward0"), ("MmBackward0", "w")]
    )


@pytest.mark.parametrize("kind", ["forward", "backward"])
def test_of_a_huge_graph_the_nearest_part_is_drawn(kind: str) -> None:
    x = leaf(1.0, 2.0)
    for _ in range(200_000):
        x = x * 1.0
    start = time.perf_counter()
    drawn = draw(x, max_vertices=7, kind=kind)
    assert time.perf_counter() - start < 20  # a recursion would have ended long before; seconds on a busy machine
    hidden = 400_002 - 1 - 7 if kind == "forward" else 200_001 - 7
    assert titles(drawn, "more") == [f"… {hidden:,} more"]
    assert len(diagram(drawn).vertices) == 8
    reached = {arrow.head for arrow in diagram(drawn).arrows} | {arrow.tail for arrow in diagram(drawn).arrows}
    assert reached == {vertex.key for vertex in diagram(drawn).vertices}
    assert f"{hidden:,} more" in drawn.svg()


def test_drawing_changes_nothing() -> None:
    x = leaf(1.0, 2.0)
    y = (x * x).sum()
    draw(y)
    draw(y, kind="backward")
    y.backward()
    assert x.grad.tolist() == [2.0, 4.0]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: leaf(1.0), "leaf"),
        (lambda: cr.tensor(1.0) * 2, "requires_grad=True"),
        (lambda: leaf(1.0).exp().detach(), "detached"),
    ],
)
def test_nothing_recorded(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        draw(make())


def test_arguments_are_checked() -> None:
    x = leaf(1.0)
    y = x * 2
    with pytest.raises(TypeError, match="takes a tensor, not ndarray"):
        draw(np.ones(2))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="'sideways'"):
        draw(y, kind="sideways")
    with pytest.raises(ValueError, match="at least 1"):
        draw(y, max_vertices=0)
    with pytest.raises(TypeError, match="max_vertices"):
        draw(y, max_vertices=True)
    with pytest.raises(TypeError, match="names\\['a'\\]"):
        draw(y, names={"a": 3.0})  # type: ignore[dict-item]
