"""Expressions and values as text: what they mean, and where a fault is said to be."""

import math
import string
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.insight.evaluate import Evaluation
from chainrule.insight.expression import parse
from chainrule.insight.scanner import MOST_CHARACTERS, ExpressionError, columns
from chainrule.insight.values import MOST_NUMBERS, parse_value, parse_values
from chainrule.insight.vocabulary import FUNCTIONS
from chainrule.insight.words import TEXTS


def value(text: str, *at: str) -> np.ndarray:
    array = Evaluation(parse(text), parse_values(at)).result.array
    assert array.dtype == np.float64
    return array


def fault(text: str, *at: str, wrt: tuple[str, ...] = ()) -> ExpressionError:
    with pytest.raises(ExpressionError) as found:
        Evaluation(parse(text), parse_values(at), wrt)
    return found.value


def caret(error: ExpressionError, lang: str = "en") -> str:
    """What stands above the caret."""
    _, shown, pointer = error.report(lang).splitlines()
    assert pointer.strip() == "^"
    column = len(pointer) - 1
    before = next(k for k in range(len(shown) + 1) if columns(shown[:k]) == column)
    return shown[before : before + 1]


X = np.array([0.3, 1.2, 0.7])
M = np.array([[2.0, 1.0], [0.5, 3.0]])
AT = ("x=0.3,1.2,0.7", "M=2,1;0.5,3", "a=2", "b=-3")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a + b*a - 2", 2 + -3 * 2 - 2),
        ("-a**2", -4.0),
        ("a**-1", 0.5),
        ("a**3**0", 2.0),
        ("2 / a / 2", 0.5),
        ("(a - b) % a", 1.0),
        ("+a", 2.0),
        ("--a", 2.0),
        (".5e1*a + 1.", 11.0),
        ("pi*a", math.tau),
        ("x @ x", X @ X),
        ("x.T @ x", X @ X),
        ("M @ M.T", M @ M.T),
        ("M @ x[:2]", M @ X[:2]),
        ("x[:2] @ M", X[:2] @ M),
        ("x[0] + x[-1] + M[0, 1]", 0.3 + 0.7 + 1.0),
        ("M[:, 1]", M[:, 1]),
        ("x[::2]", X[::2]),
        ("sum(M, dim=0)", M.sum(0)),
        ("sum(M, axis=-1)", M.sum(-1)),
        ("max(x)", 1.2),
        ("max(x, 0.5)", np.maximum(X, 0.5)),
        ("min(M, dim=1)", M.min(1)),
        ("norm(M)", np.sqrt((M * M).sum())),
        ("softmax(M)", np.exp(M) / np.exp(M).sum(1, keepdims=True)),
        ("softmax(M, dim=0)", np.exp(M) / np.exp(M).sum(0)),
        ("softmax(a)", 1.0),
        ("logsumexp(x)", np.log(np.exp(X).sum())),
        ("solve(M, x[:2])", np.linalg.solve(M, X[:2])),
        ("det(M) + trace(inv(M))", np.linalg.det(M) + np.trace(np.linalg.inv(M))),
        ("outer(x, x[1:])", np.outer(X, X[1:])),
        ("transpose(M)", M.T),
        ("var(x) + std(x)**2", 2 * X.var(ddof=1)),
        ("ln(a) - log(a) + sin(1)", math.sin(1)),
        ("z = a", 2.0),
        ("a\n*\ta", 4.0),
    ],
)
def test_value(text: str, expected: object) -> None:
    np.testing.assert_allclose(value(text, *AT), expected, rtol=1e-14)


SCALAR_ARGUMENT = {"acos": 0.3, "asin": 0.3}
PYTHON = {
    **{name: getattr(math, name) for name in ("sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh")},
    **{name: getattr(math, name) for name in ("exp", "log", "log2", "log10", "log1p", "expm1", "sqrt", "erf")},
    "abs": abs,
    "square": lambda x: x * x,
    "reciprocal": lambda x: 1 / x,
    "sign": lambda x: math.copysign(1, x),
    "sigmoid": lambda x: 1 / (1 + math.exp(-x)),
    "relu": lambda x: max(x, 0),
    "silu": lambda x: x / (1 + math.exp(-x)),
    "softplus": lambda x: math.log(1 + math.exp(x)),
    "gelu": lambda x: x * (1 + math.erf(x / math.sqrt(2))) / 2,
}


@pytest.mark.parametrize("name", PYTHON)
def test_functions_of_one_number(name: str) -> None:
    x = SCALAR_ARGUMENT.get(name, 1.3)
    assert value(f"{name}(x)", f"x={x}") == pytest.approx(PYTHON[name](x), rel=1e-14)


def test_every_function_can_be_called() -> None:
    for name, function in FUNCTIONS.items():
        at = ["M=0.9,0.1;0.2,0.7", "x=0.1,0.3"]
        arguments = "x, x" if name in ("dot", "outer") else ", ".join(["M"] * function.least)
        assert np.isfinite(value(f"{name}({arguments})", *at)).all(), name


@pytest.mark.parametrize(
    ("text", "problem", "above"),
    [
        ("", "empty", ""),
        ("   ", "empty", " "),
        ("z =", "empty", ""),
        ("2x", "no-operator", "x"),
        ("x x", "no-operator", "x"),
        ("2(x)", "no-operator", "("),
        ("(x)(x)", "no-operator", "("),
        ("x 2", "no-operator", "2"),
        ("1_000*x", "no-operator", "_"),
        ("sin x", "no-brackets", "x"),
        ("x +", "no-operand-end", "+"),
        ("x + * x", "no-operand", "*"),
        ("x**", "no-operand-end", "*"),
        ("dot(x,,x)", "no-operand", ","),
        ("()", "empty-brackets", ")"),
        ("x[]", "empty-brackets", "]"),
        ("(x", "not-closed", "("),
        ("sin(x", "not-closed", "("),
        ("x)", "not-opened", ")"),
        ("(x]", "mismatch", "]"),
        ("x^2", "caret", "^"),
        ("|x|", "bars", "|"),
        ("x == 2", "comparison", "="),
        ("x < 2", "comparison", "<"),
        ("x // 2", "floor-division", "/"),
        ("x, x", "comma", ","),
        ("(x, x)", "comma", ","),
        ("x : 2", "colon", ":"),
        ("x + y = 2", "equals", "="),
        ("[1, 2]", "list", "["),
        ("'x'", "character", "'"),
        ("x; x", "character", ";"),
        ("lambda*x", "keyword", "l"),
        ("x.sum()", "method", "."),
        ("x.foo", "dot-name", "."),
        ("x.__class__", "dot-name", "."),
        ("x[x]", "index", "x"),
        ("x[0.5]", "index", "0"),
        ("x[9]", "index-range", "9"),
        ("sine(x)", "unknown-function-near", "s"),
        ("1 + Sin(x)", "unknown-function-near", "S"),
        ("qwertz(x)", "unknown-function", "q"),
        ("x(x)", "not-a-function", "x"),
        ("x.T(x)", "call-what", "x"),
        ("sin * x", "function-alone", "s"),
        ("sin()", "arguments", "s"),
        ("dot(x)", "arguments", "d"),
        ("sum(x, x)", "arguments", "s"),
        ("sum(x, foo=1)", "keyword-argument", "f"),
        ("sin(x, dim=1)", "keyword-argument", "d"),
        ("max(x, x, dim=0)", "keyword-argument", "d"),
        ("sum(x, dim=x)", "dim-number", "x"),
        ("sum(x, dim=7)", "dim-range", "7"),
        ("1e999 * x", "number-size", "1"),
        ("9**9**9**9 * x", "number-size", "*"),
        (f"{'9' * 1000} * x", "number-size", "9"),
        ("1/0 * x", "zero-division", "/"),
        ("(-8)**(1/3) * x", "not-real", "*"),
        ("x = x", "result-name", "x"),
        ("sin = x", "result-name", "s"),
        ("x + q", "no-value", "q"),
        ("x + abz", "no-value", "a"),
        ("2 + 3", "nothing", "2"),
        ("sin(2)", "nothing", "s"),
        ("x @ 2", "matmul-scalar", "@"),
        ("x @ y", "shapes", "@"),
        ("(x + 1) + (y)", "shapes", "+"),
        ("dot(x, y)", "shapes", "d"),
        ("maximum(x, y)", "shapes", "m"),
        ("dot(x, 1)", "needs-vectors", "d"),
        ("inv(x)", "needs-square", "i"),
        ("inv(outer(x, x))", "singular", "i"),
        ("007 * x", "unreadable", "0"),
        ("sum(2=x)", "unreadable", "2"),
        ("(" * 60 + "x" + ")" * 60, "too-deep", "("),
        ("-" * 500 + "x", "too-deep", "-"),
        ("x" + "+x" * 300, "too-deep", "x"),
        ("x*" * MOST_CHARACTERS + "x", "too-long", "x"),
    ],
)
def test_fault(text: str, problem: str, above: str) -> None:
    found = fault(text, "x=1,2,3", "y=1,2")
    assert found.problem == problem, found.report("en")
    for lang in ("en", "zh"):
        report = found.report(lang)
        assert "{" not in report.splitlines()[0]
        assert caret(found, lang).strip() == above.strip()


@pytest.mark.parametrize(
    ("char", "meant"),
    [*zip("，（）×＋－＊／。＝［］＾ｘ２·−", ",()*+-*/.=[]^x2*-"),
     ("²", "**2"), ("π", "pi"), ("ᵀ", ".T"), ("√", "sqrt(…)")],
)  # fmt: skip
def test_full_width_characters_are_named_with_the_ascii_one(char: str, meant: str) -> None:
    for found in (fault(f"梯度 + x {char} 2", "x=1"), fault("x", f"x=1{char}2")):
        assert found.problem == "full-width"
        assert found.fields == {"char": char, "ascii": meant}
        assert caret(found) == char


def test_names_may_be_of_any_alphabet() -> None:
    assert value("θ * 损失", "θ=2", "损失=3") == 6


def test_the_caret_counts_wide_characters_twice() -> None:
    report = fault("损失 + ^", "损失=1").report("en").splitlines()
    assert report[1:] == ["  损失 + ^", "         ^"]


def test_a_long_expression_is_shown_in_part() -> None:
    found = fault("x + " * 100 + "^" + " + x" * 100, "x=1")
    _, shown, _ = found.report("en").splitlines()
    assert columns(shown) <= 100
    assert shown.strip().startswith("…")
    assert shown.endswith("…")
    assert caret(found) == "^"


@pytest.mark.parametrize(
    ("text", "near"),
    [("learning_rate*x", "learning_rat"), ("X*x", None), ("Y*x", "y")],
)
def test_missing_values_suggest_a_given_name(text: str, near: str | None) -> None:
    found = fault(text, "x=1", *([f"{near}=2"] if near else []))
    assert found.fields["near"] == (near or "")


def test_wrt_has_to_occur() -> None:
    found = fault("weight*x", "x=1", "weight=2", wrt=("weigth",))
    assert "did you mean weight?" in found.report("en")
    assert "weight" in found.report("zh")


def test_wrt_chooses_what_is_differentiated() -> None:
    evaluation = Evaluation(parse("w*x"), parse_values(["x=1", "w=2"]), ["w"])
    assert evaluation.wrt == ["w"]
    assert {name: t.requires_grad for name, t in evaluation.inputs.items()} == {"w": True, "x": False}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x=3", 3.0),
        (" x = -.5e1 ", -5.0),
        ("x=0,1,2,3", [0.0, 1, 2, 3]),
        ("x=3,", [3.0]),
        ("x=[1,2]", [1.0, 2]),
        ("x=[3]", [3.0]),
        ("x=1,2;3,4", [[1.0, 2], [3, 4]]),
        ("x=[1,2;3,4]", [[1.0, 2], [3, 4]]),
        ("x=[[1,2],[3,4]]", [[1.0, 2], [3, 4]]),
        ("x=[[1, 2, 3]]", [[1.0, 2, 3]]),
        ("x=1;2;", [[1.0], [2]]),
    ],
)
def test_values(text: str, expected: object) -> None:
    name, array = parse_value(text)
    assert name == "x"
    assert array.dtype == np.float64
    np.testing.assert_array_equal(array, expected, strict=False)
    assert array.shape == np.shape(expected)


@pytest.mark.parametrize(
    ("text", "problem", "above"),
    [
        ("x", "value-form", "x"),
        ("=3", "value-form", "="),
        ("x=", "value-empty", ""),
        ("2x=3", "value-name", "2"),
        ("sin=3", "value-function", "s"),
        ("x=a", "value-number", "a"),
        ("x=1,b,3", "value-number", "b"),
        ("x=0x10", "value-number", "0"),
        ("x=1,,2", "value-missing", ","),
        ("x=1 2", "value-spaces", "2"),
        ("x=1,2;3", "value-ragged", "3"),
        ("x=[[1,2],[3]]", "value-ragged", "3"),
        ("x=[[1,2],3]", "value-number", "3"),
        ("x=[[[1]]]", "value-nested", "["),
        ("x=[1", "value-number", "["),
        ("x=nan", "value-finite", "n"),
        ("x=-inf", "value-finite", "-"),
        ("x=1e999", "value-finite", "1"),
        ("x=" + "1," * (MOST_NUMBERS + 1), "value-many", "1"),
        ("x=" + "1,1;" * MOST_NUMBERS, "value-many", "1"),
        ("x=1,\udcff", "character", "\ufffd"),
    ],
)
def test_faults_of_values(text: str, problem: str, above: str) -> None:
    found = fault("x", text)
    assert found.problem == problem
    assert caret(found).strip() == above


def test_a_value_is_given_once() -> None:
    found = fault("x", "x=1", " x=2")
    assert found.problem == "value-twice"
    assert caret(found) == "x"


def test_too_large_results_are_refused() -> None:
    column, row = "X=" + "1;" * 1000, "y=" + ",".join(["1"] * 1000)
    assert fault("sum(X*y)", column, row).problem == "too-large"
    assert fault("X @ X.T", column).problem == "too-large"
    assert fault("outer(y, y)", row).problem == "too-large"
    assert value("sum(X*y[:100])", column, row) == 1e5


def fault_or_none(call: Callable[[], object]) -> ExpressionError | None:
    try:
        call()
    except ExpressionError as found:
        return found
    return None


WORDS = st.sampled_from(["x", "y", "2", "1.5", "+", "-", "*", "/", "**", "@", "%", "(", ")", "[", "]", ",", ":", "=", ".T",
                         "sin(", "sum(", "dot(", "norm(", "dim=0", "x[0]", "，", "^", " ", "if", "lambda"])  # fmt: skip


ANYTHING = st.one_of(
    st.text(max_size=40), st.text(alphabet=string.printable, max_size=40), st.lists(WORDS, max_size=12).map("".join)
)


@given(ANYTHING)
def test_any_text_has_a_value_or_a_fault(text: str) -> None:
    found = fault_or_none(lambda: value(text, "x=1,2,3", "y=2"))
    if found is not None:
        for lang in ("en", "zh"):
            report = found.report(lang).splitlines()
            assert len(report) == 3
            assert all(line.isprintable() for line in report)
            assert len(caret(found, lang)) < 2


@given(st.text(max_size=30))
def test_any_text_is_a_value_or_a_fault(text: str) -> None:
    for candidate in (text, f"x={text}"):
        found = fault_or_none(lambda candidate=candidate: parse_value(candidate))
        if found is None:
            name, array = parse_value(candidate)
            assert name.isidentifier()
            assert np.isfinite(array).all()
        else:
            assert len(found.report("zh").splitlines()) == 3


def test_both_languages_have_the_same_fields() -> None:
    for key, (english, chinese) in TEXTS.items():
        fields = [{name for _, name, _, _ in string.Formatter().parse(text) if name} for text in (english, chinese)]
        assert fields[0] == fields[1], key
