"""The explanation: its numbers against independent ones, its text in both languages and at any width."""

import html
import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import chainrule as cr
from chainrule.insight.evaluate import Evaluation
from chainrule.insight.explain import Explanation, explain, explain_expression
from chainrule.insight.expression import parse
from chainrule.insight.numeric import check
from chainrule.insight.scanner import columns
from chainrule.insight.values import parse_values

SQUARE = ("(dot(x,w)-y)**2", "x=1,2,3", "w=0.5,-1,2", "y=1")
NORM = ("norm(X@w-y)**2", "X=1,2;3,4;5,6", "w=1,-1", "y=1,0,2")
SCALARS = ("2*x1 + 5*x2 + x3**2", "x1=3", "x2=4", "x3=2")


def explained(text: str, *at: str, wrt: str = "", mode: str = "reverse", lang: str = "en") -> Explanation:
    return explain_expression(Evaluation(parse(text), parse_values(at), wrt.split()), mode=mode, lang=lang)


def lines_of(explanation: Explanation) -> list[str]:
    return str(explanation).splitlines()


def test_the_first_example_reads_as_on_the_blackboard() -> None:
    text = str(explained(*SQUARE, wrt="w"))
    assert text.startswith("z = (dot(x,w)-y)**2 = 12.25\n")
    for line in (
        "  v1     = dot(x, w)   4.5            scalar",
        "  z      = v2 ** 2     12.25          scalar",
        "  ∂v1/∂w  = xᵀ = [1, 2, 3]        1×3",
        "  ∂z/∂v2  = 2·v2 = 7              1×1",
        "  ∂z/∂w = (∂z/∂v2 · ∂v2/∂v1) · ∂v1/∂w",
        "   1×3  = ( 1×1   ·   1×1  ) ·  1×3",
        "  w̄ = v̄1 · ∂v1/∂w     7 · [1, 2, 3] = [7, 14, 21]   1×3 = 1×1 · 1×3     0 B",
        "  ∂z/∂w        [7, 14, 21]   [7, 14, 21]      2e-11 ✓",
    ):
        assert f"\n{line}\n" in text, line


def test_the_second_example_reads_as_on_the_blackboard() -> None:
    text = str(explained(*NORM, wrt="w", lang="zh"))
    for line in (
        "  X      常量         [1, 2; 3, 4; 5, 6]   3×2",
        "  v1     = X @ w      [-1, -1, -1]         3",
        "  ∂z/∂w = ((∂z/∂v3 · ∂v3/∂v2) · ∂v2/∂v1) · ∂v1/∂w",
        "   1×2  = (( 1×1   ·   1×3  ) ·   3×3  ) ·  3×2",
        "  w̄ = v̄1 · ∂v1/∂w     [-4, -2, -6] · [1, 2; 3, 4; 5, 6] = [-40, -52]   1×2 = 1×3 · 3×2          0 B",
    ):
        assert f"\n{line}\n" in text, line


def test_forward_mode_brackets_from_the_right_and_counts_the_passes() -> None:
    text = str(explained(*SCALARS, mode="forward", lang="zh"))
    assert "  ∂y/∂x1 = ∂y/∂v3 · (∂v3/∂v1 · ∂v1/∂x1)\n" in text
    assert "第 1 遍（共 3 遍）：ẋ1 = 1" in text
    assert "  3   ẋ3 = 1   ẏ = 4\n" in text
    assert "3 个分量要走 3 遍" in text


EXPRESSIONS = [
    SQUARE, NORM, ("sum((X@w-y)**2)", *NORM[1:]), SCALARS,
    ("2*dot(x, x)", "x=0,1,2,3"), ("x + x*x", "x=3"), ("x", "x=3"), ("x", "x=1,2"), ("-x", "x=1,2"), ("x**x", "x=1.5"),
    ("sin(x)*x + x", "x=1,2"), ("c*x", "x=1,2", "c=2"), ("x/c", "x=1,2", "c=2"), ("2**x", "x=0.5,1"), ("1/x", "x=2,4"),
    ("exp(x*W) / c", "x=1,2", "W=0.1,0.2;0.3,0.4", "c=2"), ("x @ W", "x=1,2", "W=1,2;3,4"), ("W @ W.T", "W=1,2;3,4"),
    ("outer(x, y)", "x=1,2", "y=3,4,5"), ("softmax(x)[0]", "x=1,2,3"), ("log_softmax(W)", "W=1,2;3,4"),
    ("logsumexp(x)", "x=1,2,3"), ("det(W)", "W=1,2;3,5"), ("inv(W)", "W=1,2;3,5"), ("solve(W, x)", "W=1,2;3,5", "x=1,2"),
    ("trace(W @ W)", "W=1,2;3,5"), ("prod(x)", "x=1,2,3"), ("prod(x)", "x=0,2,3"), ("max(x) - min(x)", "x=1,2,3"),
    ("max(x, 2.5) + minimum(y, x)", "x=1,2,3", "y=1.5"), ("mean(x)", "x=1,2"), ("var(x) + std(x)", "x=1,2,4"),
    ("sum(W, dim=0) * mean(W, dim=1)", "W=1,2;3,5"), ("norm(W, dim=1)", "W=1,2;3,5"), ("abs(x) % 2", "x=1.5,-2.5"),
    ("W[0, 1] * W[:, 0]", "W=1,2;3,5"), ("sigmoid(x)*relu(x) + gelu(x) - silu(x)", "x=0.5,-1"), ("log(sqrt(x))", "x=0.001"),
    ("sin(x)", "x=10000"), ("x**50", "x=1.01"), ("(x-1)**2", "x=1"), ("exp(3)*x + pi*x", "x=1"), ("(2*y)*x", "x=1,2", "y=3"),
]  # fmt: skip


def differences(text: str, at: tuple[str, ...], name: str) -> np.ndarray:
    """The gradient of the sum of an expression by complex-free means: five points, far from the engine."""
    values = parse_values(at)
    expression = parse(text)

    def total(point: np.ndarray) -> float:
        return float(Evaluation(expression, {**values, name: point}).result.array.sum())

    start = values[name]
    found = np.zeros_like(start)
    for k in range(start.size):
        h = 1e-3 * (abs(start.flat[k]) if 0 < abs(start.flat[k]) < 1 else 1)
        ends = []
        for steps in (2, 1, -1, -2):
            point = start.copy()
            point.flat[k] += steps * h
            ends.append(total(point))
        found.flat[k] = (-ends[0] + 8 * ends[1] - 8 * ends[2] + ends[3]) / (12 * h)
    return found


@pytest.mark.parametrize("mode", ["reverse", "forward"])
@pytest.mark.parametrize("example", EXPRESSIONS, ids=lambda example: example[0])
def test_gradients(example: tuple[str, ...], mode: str) -> None:
    text, *at = example
    found = explained(text, *at, mode=mode)
    for name, gradient in found.gradients.items():
        np.testing.assert_allclose(gradient, differences(text, tuple(at), name), rtol=2e-7, atol=1e-9)
        checked = found.checks[name]
        assert checked.agrees, checked
        np.testing.assert_allclose(gradient.reshape(-1), checked.numeric, rtol=2e-5, atol=1e-7)
    assert "✗" not in str(found)
    np.testing.assert_array_equal(found.value, Evaluation(parse(text), parse_values(at)).result.array)


@pytest.mark.parametrize("example", EXPRESSIONS, ids=lambda example: example[0])
def test_the_local_derivatives_multiply_to_the_gradient(example: tuple[str, ...]) -> None:
    found = explained(*example)
    totals = {found.findings.trace.result: np.ones((1, found.value.size))}
    for local in reversed(found.locals):
        matrix = np.diag(local.diagonal) if local.diagonal is not None else local.jacobian
        assert matrix is not None
        assert matrix.shape == local.shape
        totals[local.operand] = totals.get(local.operand, 0) + totals[local.output] @ matrix
    for x in found.findings.wrt:
        np.testing.assert_allclose(totals[x].reshape(-1), found.gradients[x.name].reshape(-1), rtol=1e-12, atol=1e-14)


SCALAR_EXPRESSIONS = [
    *(f"{f}(x)" for f in ("sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "exp", "expm1")),
    *(f"{f}(x)" for f in ("log", "log2", "log10", "log1p", "sqrt", "abs", "sigmoid", "gelu", "silu", "softplus", "erf")),
    *(f"{f}(x)" for f in ("square", "reciprocal", "sign", "prod", "mean", "norm")),
    *("x+y", "x-y", "x*y", "x/y", "x**y", "x**2", "x**3", "x**4", "x**0.5", "x**-1", "x**1"),
    *("x**0", "2**x", "-x", "x%y", "x*x"),
]  # fmt: skip


@pytest.mark.parametrize("text", SCALAR_EXPRESSIONS)
def test_formulas_are_what_they_say(text: str) -> None:
    """Each formula, evaluated as an expression, gives the derivative."""
    at = ["x=0.3", "y=0.7"]
    found = explained(text, *at)
    out = found.findings.trace.result.name
    for local in found.locals:
        if text != "x%y" or local.operand.name == "x":
            assert local.formula, local.name
            spelled = local.formula.replace("·", "*").replace("²", "**2").replace("³", "**3").replace("^", "**")
            spelled = re.sub(rf"\b{out}\b", f"({text})", spelled) + " + 0*x"
            derivative = Evaluation(parse(spelled), parse_values(at)).result.array
            assert local.jacobian is not None
            assert derivative == pytest.approx(local.jacobian.item(), rel=1e-12)


@pytest.mark.parametrize("mode", ["reverse", "forward"])
@pytest.mark.parametrize("example", EXPRESSIONS, ids=lambda example: example[0])
def test_both_languages_have_the_same_numbers(example: tuple[str, ...], mode: str) -> None:
    texts = [explained(*example, mode=mode, lang=lang).text(400).replace("全 1", "") for lang in ("en", "zh")]
    english, chinese = (re.findall(r"\d+(?:\.\d+)?(?:e[-+]?\d+)?", text) for text in texts)
    assert set(english) == set(chinese)


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("width", [100, 80, 60])
@pytest.mark.parametrize("mode", ["reverse", "forward"])
def test_tables_are_aligned_and_fit(lang: str, width: int, mode: str) -> None:
    found = explained("norm(X@w - y)**2 + sum(exp(w))*度", *NORM[1:], "度=1e-3", lang=lang, mode=mode)
    lines = found.text(width).splitlines()
    if width > 60:  # five factors with their shapes take more
        assert max(map(columns, lines)) <= width
    start = next(k for k, line in enumerate(lines) if line.startswith("1. "))
    head = lines[start + 1]
    # Where the second column begins, in columns of the terminal, all rows have two blanks before and a sign there.
    begin = columns(head[: len(head) - len(head.lstrip().split("   ", 1)[1].lstrip())])
    for line in lines[start + 1 : lines.index("", start)]:
        before, k = 0, 0
        while before < begin:
            before += columns(line[k])
            k += 1
        assert before == begin
        assert line[k - 2 : k] == "  "
        assert line[k] != " "


def test_a_notebook_shows_the_same() -> None:
    found = explained(*SQUARE, wrt="w", lang="zh")
    page = found._repr_html_()
    seen = html.unescape(re.sub(r"<style>.*?</style>|<[^>]*>", "", page, flags=re.S))
    assert re.sub(r"\s", "", seen) == re.sub(r"\s", "", str(found))
    assert page.count("<table") == page.count("</table>") == 5


def test_html_is_escaped() -> None:
    a = cr.tensor(2.0, requires_grad=True)
    page = explain(a * a, wrt={"<b>&": a}, lang="en")._repr_html_()
    assert "<b>&<" not in page.replace("<b>y", "")
    assert "&lt;b&gt;&amp;" in page


# Recorded tensors, without what the command line knows


def test_a_recorded_tensor_with_the_names_of_its_caller() -> None:
    x = cr.tensor([1.0, 2.0, 3.0])
    w = cr.tensor([0.5, -1.0, 2.0], requires_grad=True)
    loss = (cr.dot(x, w) - 1) ** 2
    found = explain(loss, lang="en")
    assert found.gradients.keys() == {"w"}
    np.testing.assert_allclose(found.gradients["w"], [7, 14, 21], rtol=1e-6)
    assert [f"{value.name} = {step.text}" for step in found.steps for value in step.outputs] == [
        "v1 = dot(x, w)", "v2 = v1 - 1", "loss = v2 ** 2",
    ]  # fmt: skip
    assert [value.array.item() for step in found.steps for value in step.outputs] == [4.5, 3.5, 12.25]
    assert found.checks["w"].agrees
    assert repr(found) == "<Explanation of loss: 3 steps, reverse>"
    loss.backward()
    np.testing.assert_array_equal(w.grad.numpy(), found.gradients["w"])


def test_names_and_inputs_can_be_given() -> None:
    a, b = cr.tensor(2.0, requires_grad=True), cr.tensor(3.0, requires_grad=True)
    found = explain(a * b, wrt={"weight": a}, name="out", lang="en")
    assert found.gradients == {"weight": 3.0}
    assert "out = weight * b" in re.sub(r" +", " ", str(found))
    assert "b constant 3 scalar" in re.sub(r" +", " ", str(found))
    assert explain(a * b, wrt=[b]).gradients == {"b": 2.0}
    assert explain(a * b, wrt=b).gradients == {"b": 2.0}


def test_nameless_leaves_get_names() -> None:
    def made() -> cr.Tensor:
        leaves = [cr.tensor(float(k), requires_grad=True) for k in (2, 3)]
        return leaves[0] * leaves[1]

    v3 = made()  # the steps must then be called otherwise
    found = explain(v3, lang="en")
    assert found.gradients == {"x1": 3.0, "x2": 2.0}
    assert explain(made() * v3, lang="en").steps[0].outputs[0].name == "u1"


def test_several_outputs() -> None:
    a = cr.tensor([3.0, 1.0, 2.0], requires_grad=True)
    largest, _ = cr.max(a, 0)
    ordered, _ = cr.sort(a)
    first, _, last = a.unbind(0)
    y = largest * ordered.sum() + first * last
    for mode in ("reverse", "forward"):
        found = explain(y, mode=mode, lang="en")
        np.testing.assert_allclose(found.gradients["a"], [11, 3, 6])
        assert found.checks["a"].agrees
    assert "= unbind(a)[2]" in str(found)
    assert "= max(a, dim=0)[0]" in str(found)


def test_a_constant_that_the_tape_has_not_kept() -> None:
    a = cr.tensor([3.0, 1.0], requires_grad=True)
    found = explain(cr.relu(a - 2.0).sum(), lang="en")
    np.testing.assert_array_equal(found.gradients["a"], [1, 0])
    assert found.checks == {}
    assert re.search(r"c1 +constant +– +–\n", str(found))
    assert "not checked" in str(found)
    np.testing.assert_array_equal(explain(cr.relu(a - 2.0).sum(), mode="forward").gradients["a"], [1, 0])


@pytest.mark.parametrize("dtype", [cr.float32, cr.float16, cr.bfloat16])
def test_narrow_types(dtype: object) -> None:
    a = cr.tensor([0.5, 1.5], requires_grad=True, dtype=dtype)
    found = explain((a * a).sum() * 2, lang="en")
    np.testing.assert_allclose(found.gradients["a"].astype(float), [2, 6], rtol=1e-2)
    assert found.checks["a"].agrees


def test_refusals_say_why() -> None:
    a = cr.tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(TypeError, match="takes a recorded tensor, not int"):
        explain(3)
    with pytest.raises(ValueError, match="made by hand"):
        explain(a)
    with pytest.raises(ValueError, match="no operand had requires_grad"):
        explain(a.detach() * 2)
    with pytest.raises(ValueError, match="mode must be one of"):
        explain(a * 2, mode="sideways")
    with pytest.raises(ValueError, match="lang must be one of"):
        explain(a * 2, lang="fr")
    with pytest.raises(ValueError, match="does not depend on this tensor"):
        explain(a * 2, wrt=cr.tensor(1.0, requires_grad=True))
    with pytest.raises(TypeError, match="wrt takes tensors"):
        explain(a * 2, wrt=["a"])
    with pytest.raises(ValueError, match="complex"):
        explain(cr.tensor([1j], requires_grad=True) * 2)
    y = (a * a).sum()
    y.backward()
    with pytest.raises(ValueError, match="freed by a backward pass"):
        explain(y)
    b = a * 1
    y = (b * b).sum()
    b += 1
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        explain(y)


def test_explaining_changes_nothing() -> None:
    a = cr.tensor([1.0, 2.0], requires_grad=True)
    y = (a.exp() * a).sum()
    first, second = str(explain(y)), str(explain(y))
    assert first == second
    assert a.grad is None
    y.backward()
    assert a.grad is not None


# Sizes and edges


def test_a_long_chain_is_abbreviated() -> None:
    a = cr.tensor(1.0, requires_grad=True)
    y = a
    for _ in range(3000):
        y = y * 0.999 + a * 1e-3
    found = explain(y, lang="en")
    text = str(found)
    assert len(text.splitlines()) < 170
    assert "more …" in text
    assert max(map(columns, text.splitlines())) <= 100
    assert found.checks["a"].agrees


def test_astronomically_many_paths() -> None:
    a = cr.tensor(1.0, requires_grad=True)
    y = a
    for _ in range(40):
        y = y * 0.5 + y * 0.5
    text = str(explain(y, lang="zh"))
    assert "另有 10^12 条路径" in text


def test_large_arrays_are_abbreviated_and_sampled() -> None:
    m = cr.tensor(np.linspace(0, 1, 1200).reshape(30, 40), requires_grad=True)
    text = str(explain((m @ m.T).exp().mean(), lang="en"))
    assert max(map(columns, text.splitlines())) <= 100
    assert "(200/1200)" in text
    assert "✓" in text
    forward = str(explain((m * m).sum(), mode="forward", lang="en"))
    assert "Only 100 of the 1200 passes were run" in forward


def test_a_kink_is_named() -> None:
    found = explained("relu(x)", "x=0")
    assert found.checks["x"].kink == pytest.approx((0, 1, 0))
    assert "slope 0 on the left and 1 on the right; 0 is taken" in str(found)
    assert "✗" not in str(found)
    assert "不可导" in str(explained("relu(x)", "x=0", lang="zh"))
    assert explained("abs(x)", "x=0").checks["x"].agrees  # the central difference is 0 too


def test_a_jump_is_named() -> None:
    found = explained("sign(x) + x", "x=0")
    assert found.checks["x"].jumps
    assert "jumps here" in str(found)
    assert "✗" not in str(found)


@pytest.mark.parametrize(("text", "at"), [("log(x)", "x=-1"), ("x**x", "x=0"), ("1/x", "x=0"), ("exp(x)", "x=1e4")])
def test_what_is_not_finite_is_not_checked(text: str, at: str) -> None:
    for mode in ("reverse", "forward"):
        found = explained(text, at, mode=mode)
        assert found.checks["x"].agrees is None
        assert "nothing to compare" in str(found)


def test_a_wrong_gradient_is_found() -> None:
    x = cr.tensor([1.0, 2.0], requires_grad=True)
    y = (x.detach() * x).sum()  # what depends on x by way of detach is not differentiated ...
    assert explain(y).checks["x"].agrees  # ... nor moved when the computation is run again
    found = explain((x * x).sum(), lang="en")
    (entry,) = found.findings.wrt
    found.findings.checks[entry] = check(found.findings.trace, entry, found.gradients["x"] * np.array([1, 1.01]))
    assert not found.checks["x"].agrees
    assert "✗" in str(found)
    assert "do not agree" in str(found)


def test_memory() -> None:
    held = [move.held for move in explained(*NORM, wrt="w").moves]
    # X (48), the difference (24) and its norm twice, as the norm's result and the square's operand (8).
    assert held == [80, 80, 48, 48, 0]
    assert [move.held for move in explained(*NORM, wrt="w", mode="forward").moves] == [16, 24, 24, 8, 8]
    assert explained("2*x + 3", "x=1").moves[0].held == 0  # a Python number is no saved value


def test_seeds_of_results_with_entries() -> None:
    found = explained("x*x", "x=1,2,3")
    np.testing.assert_array_equal(found.gradients["x"], [2, 4, 6])
    assert "y has 3 entries, so the seed ȳ is all ones (a row, 1×3)" in str(found)


@given(
    st.lists(st.floats(-3, 3), min_size=1, max_size=4),
    st.sampled_from(["sum(sin(x)*x)", "logsumexp(x)", "dot(x, exp(x))", "norm(x - 5)", "sum(softmax(x)*x)", "tanh(x)/2"]),
)
def test_forward_and_reverse_agree(x: list[float], text: str) -> None:
    at = "x=" + ",".join(map(repr, x)) + ","
    reverse, forward = (explained(text, at, mode=mode) for mode in ("reverse", "forward"))
    np.testing.assert_allclose(reverse.gradients["x"], forward.gradients["x"], rtol=1e-9, atol=1e-12)
    assert reverse.checks["x"].agrees
    assert math.isclose(float(reverse.value.sum()), float(forward.value.sum()), rel_tol=1e-15, abs_tol=1e-300)
