"""The printed text of tensors: each rule against a fixed text, and all of them against torch's own repr."""

from __future__ import annotations

import math
import os
import threading
import warnings
from collections.abc import Iterator
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chainrule.eager.printing import get_printoptions, set_printoptions, tensor_text

# A longer run against torch: CHAINRULE_PRINTING_EXAMPLES=5000 pytest tests/eager/test_printing.py
EXAMPLES = int(os.environ.get("CHAINRULE_PRINTING_EXAMPLES", "2000"))


@pytest.fixture(autouse=True)
def default_options() -> Iterator[None]:
    set_printoptions(profile="default")
    yield
    set_printoptions(profile="default")


def text(values: Any, dtype: str = "float32", **keywords: Any) -> str:
    numpy_dtype = ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype
    return tensor_text(np.array(values, numpy_dtype), dtype, **keywords)


# --------------------------------------------------------------------------------------------------------
# Fixed texts


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.0, 1.0], "tensor([0., 1.])"),
        ([-0.0, 1.0], "tensor([-0., 1.])"),
        ([-1.0, 10.0, 100.0], "tensor([ -1.,  10., 100.])"),
        ([0.5, -2.0, 10.0], "tensor([ 0.5000, -2.0000, 10.0000])"),
        ([1.123456], "tensor([1.1235])"),
        (2.0, "tensor(2.)"),
        (-0.125, "tensor(-0.1250)"),
        ([[1.0, 2.0], [3.0, 4.0]], "tensor([[1., 2.],\n        [3., 4.]])"),
        (
            [[[1.0], [2.0]], [[3.0], [4.0]]],
            "tensor([[[1.],\n         [2.]],\n\n        [[3.],\n         [4.]]])",
        ),
        ([[[[1.0]]], [[[2.0]]]], "tensor([[[[1.]]],\n\n\n        [[[2.]]]])"),
    ],
)
def test_floats(values: Any, expected: str) -> None:
    assert text(values) == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1.0, 1000.0], "tensor([   1., 1000.])"),
        ([1.0, 1001.0], "tensor([1.0000e+00, 1.0010e+03])"),
        ([1e8], "tensor([100000000.])"),
        ([2e8], "tensor([2.0000e+08])"),
        ([2.0**-13, 0.0], "tensor([0.0001, 0.0000])"),
        ([2.0**-14, 0.0], "tensor([6.1035e-05, 0.0000e+00])"),
        ([1e-5, math.nan, -math.inf], "tensor([1.0000e-05,        nan,       -inf])"),
        ([5e-324, 1e308], "tensor([4.9407e-324, 1.0000e+308])"),
    ],
)
def test_when_floats_are_scientific(values: list[float], expected: str) -> None:
    assert text(values, "float64", default_dtype_name="float64") == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([math.nan], "tensor([nan])"),
        (math.inf, "tensor(inf)"),
        ([math.nan, 0.0, -math.inf], "tensor([nan, 0., -inf])"),
        ([math.inf, 1.0], "tensor([inf, 1.])"),
        ([math.inf, -10.0], "tensor([ inf, -10.])"),
        ([math.inf, 0.5, -math.inf], "tensor([   inf, 0.5000,   -inf])"),
    ],
)
def test_nonfinite_floats(values: Any, expected: str) -> None:
    assert text(values) == expected


@pytest.mark.parametrize(
    ("values", "dtype", "expected"),
    [
        ([1, -20, 300], "int64", "tensor([  1, -20, 300])"),
        (7, "int64", "tensor(7)"),
        ([True, False], "bool", "tensor([ True, False])"),
        ([True], "bool", "tensor([True])"),
        ([1, 255], "uint8", "tensor([  1, 255], dtype=torch.uint8)"),
        ([2**64 - 1], "uint64", "tensor([18446744073709551615], dtype=torch.uint64)"),
    ],
)
def test_integers_and_booleans(values: Any, dtype: str, expected: str) -> None:
    assert text(values, dtype) == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (1 + 2j, "tensor(1.+2.j)"),
        ([1 + 2j, -10.5 - 0.25j], "tensor([  1.0000+2.0000j, -10.5000-0.2500j])"),
        ([complex(0.5, -0.0), 1j], "tensor([0.5000-0.j, 0.0000+1.j])"),
        ([complex(math.nan, -math.inf), 1 + 1j], "tensor([nan-infj, 1.+1.j])"),
        ([complex(1, math.nan)], "tensor([1.+nanj])"),
        ([1e-6 + 100j], "tensor([1.0000e-06+100.j])"),
    ],
)
def test_complex_parts_have_formats_of_their_own(values: Any, expected: str) -> None:
    assert text(values, "complex64") == expected


def test_half_precisions_show_the_value_they_hold() -> None:
    assert text([0.1, 3.0], "float16") == "tensor([0.1000, 3.0000], dtype=torch.float16)"
    assert text([0.1, 3.3], "bfloat16") == "tensor([0.1001, 3.2969], dtype=torch.bfloat16)"
    assert text([65504.0], "float16") == "tensor([65504.], dtype=torch.float16)"


def test_dtype_is_shown_unless_it_goes_without_saying() -> None:
    assert text([1.0], "float64") == "tensor([1.], dtype=torch.float64)"
    assert text([1.0], "float64", default_dtype_name="float64") == "tensor([1.])"
    assert text([1.0], "float32", default_dtype_name="float64") == "tensor([1.], dtype=torch.float32)"
    assert text([1j], "complex64") == "tensor([0.+1.j])"
    assert text([1j], "complex128") == "tensor([0.+1.j], dtype=torch.complex128)"
    assert text([1j], "complex128", default_dtype_name="float64") == "tensor([0.+1.j])"
    assert text([1j], "complex64", default_dtype_name="float16") == "tensor([0.+1.j])"
    assert text([1], "int32") == "tensor([1], dtype=torch.int32)"


@pytest.mark.parametrize(
    ("shape", "dtype", "expected"),
    [
        ((0,), "float32", "tensor([])"),
        ((2, 0), "float32", "tensor([], size=(2, 0))"),
        ((0,), "int64", "tensor([], dtype=torch.int64)"),
        ((0,), "bool", "tensor([], dtype=torch.bool)"),
        ((0,), "complex64", "tensor([], dtype=torch.complex64)"),
        ((0, 3, 1), "float64", "tensor([], size=(0, 3, 1), dtype=torch.float64)"),
    ],
)
def test_empty(shape: tuple[int, ...], dtype: str, expected: str) -> None:
    assert text(np.empty(shape), dtype) == expected


def test_labels_follow_in_torch_order() -> None:
    assert text([1.0], requires_grad=True) == "tensor([1.], requires_grad=True)"
    assert text([1.0], requires_grad=True, grad_fn="MulBackward0") == "tensor([1.], grad_fn=<MulBackward0>)"
    assert text(np.empty((0, 1)), "float64", grad_fn="F", suffixes=("a=1", "b=2")) == (
        "tensor([], size=(0, 1), dtype=torch.float64, grad_fn=<F>, a=1, b=2)"
    )


def test_labels_past_the_line_go_to_a_new_one() -> None:
    prefix = "t" * 54 + "("  # and "[1.]": 59 columns, and torch leaves two free
    assert text([1.0], prefix=prefix, suffixes=("x" * 17,)) == f"{prefix}[1.], {'x' * 17})"
    assert text([1.0], prefix=prefix, suffixes=("x" * 18,)) == f"{prefix}[1.],\n{' ' * 55}{'x' * 18})"
    # None are free on a line that a label began.
    assert text([1.0], suffixes=("p" * 70, "q")) == f"tensor([1.],\n       {'p' * 70}, q)"
    assert text([1.0], suffixes=("p" * 70, "qq")) == f"tensor([1.],\n       {'p' * 70},\n       qq)"
    # Only the last line of the numbers counts.
    rows = text(np.full((2, 9), 0.5), requires_grad=True)
    assert rows.endswith(
        "0.5000, 0.5000],\n        [" + "0.5000, " * 8 + "0.5000]],\n       requires_grad=True)"
    )


def test_rows_are_broken_at_the_line_width() -> None:
    assert text(np.arange(30), "int64") == (
        "tensor([ 0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14, 15, 16, 17,\n"
        "        18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29])"
    )
    set_printoptions(linewidth=20)
    assert text([[1.5, 2.5], [3.5, 4.5]]) == (
        "tensor([[1.5000,\n         2.5000],\n        [3.5000,\n         4.5000]])"
    )
    set_printoptions(linewidth=0)
    assert text([1.0, 2.0]) == "tensor([1.,\n        2.])"


def test_prefix_sets_the_indentation() -> None:
    assert text([[1.0], [2.0]], prefix="Wide(") == "Wide([[1.],\n      [2.]])"


def test_summary() -> None:
    assert text(np.arange(1001), "int64") == "tensor([   0,    1,    2,  ...,  998,  999, 1000])"
    assert "..." not in text(np.arange(1000), "int64")
    assert text(np.ones((334, 3))) == (
        "tensor([[1., 1., 1.],\n        [1., 1., 1.],\n        [1., 1., 1.],\n        ...,\n"
        "        [1., 1., 1.],\n        [1., 1., 1.],\n        [1., 1., 1.]])"
    )
    set_printoptions(threshold=5, edgeitems=1)
    assert text(np.arange(27).reshape(3, 3, 3), "int64") == (
        "tensor([[[ 0,  ...,  2],\n         ...,\n         [ 6,  ...,  8]],\n\n        ...,\n\n"
        "        [[18,  ..., 20],\n         ...,\n         [24,  ..., 26]]])"
    )


def test_summary_takes_its_format_from_the_numbers_shown() -> None:
    values = np.ones(2000)
    values[1000] = 1e-9
    assert text(values) == "tensor([1., 1., 1.,  ..., 1., 1., 1.])"


def test_no_edgeitems_leaves_the_size() -> None:
    set_printoptions(edgeitems=0)
    assert text(np.ones(1001)) == "tensor([...], size=(1001,))"
    assert text(np.ones((40, 40)), "float64") == "tensor([...], size=(40, 40), dtype=torch.float64)"
    assert text(1.0) == "tensor(1., size=())"


def test_options_change_the_text() -> None:
    set_printoptions(sci_mode=True)
    assert text([1.0, 0.0]) == "tensor([1.0000e+00, 0.0000e+00])"
    assert text([0.0]) == "tensor([0.])"
    set_printoptions(sci_mode=False, precision=2)
    assert text([1e-6, 1e9]) == "tensor([         0.00, 1000000000.00])"
    set_printoptions(precision=0)
    assert text([1.5, 2.0]) == "tensor([2, 2])"


def test_profiles_and_what_a_call_leaves_out() -> None:
    default = dict(precision=4, threshold=1000, edgeitems=3, linewidth=80, sci_mode=None)
    assert get_printoptions() == default
    set_printoptions(profile="short", linewidth=100, sci_mode=True)
    assert get_printoptions() == default | dict(precision=2, edgeitems=2, linewidth=100, sci_mode=True)
    set_printoptions(precision=3)
    assert get_printoptions() == default | dict(precision=3, edgeitems=2, linewidth=100)
    set_printoptions(profile="full")
    assert get_printoptions() == default | dict(threshold=math.inf)
    set_printoptions(**get_printoptions())
    assert get_printoptions() == default | dict(threshold=math.inf)


@pytest.mark.parametrize(
    "bad",
    [
        {"precision": -1},
        {"precision": 2.5},
        {"precision": True},
        {"precision": 10**10},
        {"threshold": math.nan},
        {"threshold": "many"},
        {"threshold": True},
        {"threshold": np.True_},
        {"edgeitems": -1},
        {"linewidth": "80"},
        {"profile": "tall"},
        {"profile": ["short"]},
        {"sci_mode": "yes"},
    ],
)
def test_bad_options_change_nothing(bad: dict[str, Any]) -> None:
    set_printoptions(precision=3, sci_mode=True)
    before = get_printoptions()
    with pytest.raises(ValueError, match=next(iter(bad))):
        set_printoptions(**({"precision": 7, "linewidth": 33, "profile": "full"} | bad))
    assert get_printoptions() == before


def test_options_are_seen_whole_by_other_threads() -> None:
    values, texts, done = np.full(3, 0.5), set(), threading.Event()

    def read() -> None:
        while not done.is_set():
            texts.add(tensor_text(values, "float32"))

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(300):
        set_printoptions(precision=1, linewidth=5)
        set_printoptions(profile="default")
    done.set()
    reader.join()
    assert texts <= {"tensor([0.5000, 0.5000, 0.5000])", "tensor([0.5,\n        0.5,\n        0.5])"}


def test_views_and_odd_values_print_without_warnings() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        view = np.broadcast_to(np.float32(1), (10**6, 10**6))  # far more than memory: only the edges are read
        assert tensor_text(view, "float32").startswith("tensor([[1., 1., 1.,  ..., 1., 1., 1.],")
        assert tensor_text(np.arange(6, dtype=np.float32)[::-2], "float32") == "tensor([5., 3., 1.])"
        signalling = np.array([0x7F800001], np.uint32).view(np.float32)
        assert tensor_text(signalling, "float32") == "tensor([nan])"


# --------------------------------------------------------------------------------------------------------
# Against torch

FLOATS = ["float16", "float32", "float64", "bfloat16", "complex64", "complex128"]
INTEGERS = ["uint8", "int8", "int16", "int32", "int64", "bool"]
ODD_FLOATS = [0.0, -0.0, math.nan, math.inf, -math.inf, 1e-4, 1e8, 1000.0, 5e-324, 1e-40, 1e308]


def real_numbers(draw: st.DrawFn, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Floats of drawn magnitudes, whole or not, with odd ones among them."""
    low = draw(st.floats(-12, 12))
    high = low + draw(st.sampled_from([0, 1, 2.9, 3.1, 24]))
    values = 10 ** rng.uniform(low, min(high, 12), shape) * rng.choice([1, 1, 1, -1], shape)
    match draw(st.sampled_from(["as is", "whole", "one digit"])):
        case "whole":
            values = np.rint(values)
        case "one digit":
            values = np.round(values, 1)
    share = draw(st.sampled_from([0, 0, 0.2, 1]))
    if share:
        odd = draw(st.lists(st.sampled_from(ODD_FLOATS), min_size=1, max_size=4))
        values = np.where(rng.random(shape) < share, rng.choice(odd, shape), values)
    return np.asarray(values)


@st.composite
def arrays(draw: st.DrawFn) -> tuple[np.ndarray, str]:
    dtype = draw(st.sampled_from(FLOATS * 2 + INTEGERS))
    size = st.integers(0, 7) if draw(st.integers(0, 3)) == 0 else st.integers(1, 7)
    shapes = st.lists(size, max_size=4)
    long = st.sampled_from([(61,), (2, 33), (1001,), (9, 112), (2, 600), (7, 3, 50), (7, 8, 9, 2), (1, 1200)])
    shape = tuple(draw(long if draw(st.integers(0, 4)) == 0 else shapes))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    if dtype == "bool":
        return np.asarray(rng.random(shape) < draw(st.sampled_from([0, 0.5, 1]))), dtype
    if dtype in INTEGERS:
        info = np.iinfo(dtype)
        low, high = sorted([draw(st.integers(info.min, info.max)), draw(st.sampled_from([0, 9, info.max]))])
        return np.asarray(rng.integers(low, high, shape, dtype, endpoint=True)), dtype
    with np.errstate(over="ignore", under="ignore"):
        values = real_numbers(draw, rng, shape)
        if dtype.startswith("complex"):
            both = np.empty(shape, dtype)
            both.real, both.imag = values, real_numbers(draw, rng, shape)
            return both, dtype
        return np.asarray(values.astype(ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype)), dtype


OPTIONS = st.one_of(
    st.just({}),
    st.just({}),
    st.fixed_dictionaries(
        {},
        optional={
            "precision": st.integers(0, 12),
            "threshold": st.sampled_from([0, 5, 20, 20.5, math.inf]),
            "edgeitems": st.integers(0, 5),
            "linewidth": st.integers(0, 200),
            "profile": st.sampled_from(["default", "short", "full"]),
            "sci_mode": st.sampled_from([None, True, False]),
        },
    ),
)


def as_torch(torch: Any, array: np.ndarray, dtype: str) -> Any:
    if dtype == "bfloat16":
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array)


@pytest.mark.torch
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    case=arrays(),
    options=OPTIONS,
    grad=st.sampled_from(["", "leaf", "node"]),
    default=st.sampled_from(["float32"] * 3 + ["float64", "float16", "bfloat16"]),
)
def test_same_text_as_torch(
    case: tuple[np.ndarray, str], options: dict[str, Any], grad: str, default: str
) -> None:
    torch = pytest.importorskip("torch")
    array, dtype = case
    tensor = as_torch(torch, array, dtype)
    keywords: dict[str, Any] = {"default_dtype_name": default}
    if grad and dtype in FLOATS:
        tensor = tensor.requires_grad_()
        keywords["requires_grad"] = True
        if grad == "node":
            tensor = tensor.clone()
            keywords["grad_fn"] = type(tensor.grad_fn).__name__
    try:
        torch.set_default_dtype(getattr(torch, default))
        torch.set_printoptions(**{"profile": "default", **options})
        set_printoptions(**{"profile": "default", **options})
        assert get_printoptions() == torch._tensor_str.get_printoptions()
        assert tensor_text(array, dtype, **keywords) == repr(tensor)
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_printoptions(profile="default")


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")  # torch's own, on forward mode
def test_same_prefix_and_tangent_as_torch() -> None:
    torch = pytest.importorskip("torch")

    class Wide(torch.Tensor):  # type: ignore[misc, name-defined]
        pass

    array = np.arange(40, dtype=np.float32).reshape(2, 20)
    assert tensor_text(array, "float32", prefix="Wide(") == repr(torch.from_numpy(array).as_subclass(Wide))
    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual(torch.ones(2), torch.ones(2))
        tangent = f"tangent={text([1, 1])}"
        assert text([1, 1], suffixes=(tangent,)) == repr(dual)


@pytest.mark.torch
@pytest.mark.parametrize("dtype", ["float8_e5m2", "float8_e4m3fn", "uint16", "uint32", "uint64"])
def test_same_text_as_torch_for_rarer_dtypes(dtype: str) -> None:
    torch = pytest.importorskip("torch")
    if dtype.startswith("float8"):
        array = np.arange(256, dtype=np.uint8).view(getattr(ml_dtypes, dtype))
        tensor = torch.from_numpy(array.view(np.uint8)).view(getattr(torch, dtype))
    else:
        array = np.array([[0, 1], [np.iinfo(dtype).max, 2]], dtype)
        tensor = torch.from_numpy(array)
    assert tensor_text(array, dtype) == repr(tensor)
