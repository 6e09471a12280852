"""Shapes and dtypes without data: promotion by fixed expectations, and against torch where it is installed."""

from __future__ import annotations

import importlib
import itertools
import pickle
from typing import Any

import numpy as np
import pytest

from chainrule.core import spec
from chainrule.core.spec import DTYPES, DType, Spec, by_name, of_numpy, promote, result_type, weak_dtype

SHORT = {"b": "bool", "u": "uint8", "i": "int8", "s": "int16", "n": "int32", "l": "int64", "h": "float16", "H": "bfloat16",
         "f": "float32", "d": "float64", "c": "complex64", "z": "complex128"}  # fmt: skip
PROMOTED = """\
  b u i s n l h H f d c z
b b u i s n l h H f d c z
u u u s s n l h H f d c z
i i s i s n l h H f d c z
s s s s s n l h H f d c z
n n n n n n l h H f d c z
l l l l l l l h H f d c z
h h h h h h h h f f d c z
H H H H H H H f H f d c z
f f f f f f f f f f d c z
d d d d d d d d d d d z z
c c c c c c c c c c z c z
z z z z z z z z z z z z z""".splitlines()
TABLE = [
    (row[0], column, cell) for row in PROMOTED[1:] for column, cell in zip(PROMOTED[0].split(), row.split()[1:], strict=True)
]


@pytest.mark.parametrize(("a", "b", "common"), TABLE)
def test_promotion(a: str, b: str, common: str) -> None:
    assert promote(by_name(SHORT[a]), by_name(SHORT[b])) is by_name(SHORT[common])


UNSIGNED = [("uint16", "uint8", "uint16"), ("uint32", "bool", "uint32"), ("uint64", "float16", "float16"),
            ("uint16", "float32", "float32")]  # fmt: skip


@pytest.mark.parametrize(("a", "b", "common"), UNSIGNED)
def test_wide_unsigned_numbers(a: str, b: str, common: str) -> None:
    assert promote(by_name(a), by_name(b)) is promote(by_name(b), by_name(a)) is by_name(common)


# The groups of a call: arrays with dimensions, 0-d arrays, Python numbers
GROUPS: list[tuple[str, str, tuple[type, ...], str]] = [
    ("f", "d", (), "float32"),
    ("f", "", (float,), "float32"),
    ("d", "f", (int,), "float64"),
    ("l", "", (float,), "float32"),
    ("l", "d", (), "float64"),
    ("l", "h", (float,), "float16"),
    ("u", "l", (), "uint8"),
    ("b", "", (int,), "int64"),
    ("b", "u", (), "uint8"),
    ("i", "", (bool,), "int8"),
    ("f", "", (complex,), "complex64"),
    ("d", "", (complex,), "complex128"),
    ("h", "z", (), "complex64"),
    ("d", "c", (), "complex128"),
    ("l", "", (complex,), "complex64"),
    ("hH", "", (float,), "float32"),
    ("", "f", (float,), "float32"),
    ("", "fd", (), "float64"),
    ("", "", (int, float), "float32"),
]


@pytest.mark.parametrize(("arrays", "zero_dim", "numbers", "common"), GROUPS)
def test_lower_groups_count_by_category_only(arrays: str, zero_dim: str, numbers: Any, common: str) -> None:
    def dtypes(letters: str) -> list[DType]:
        return [by_name(SHORT[letter]) for letter in letters]

    weak = [weak_dtype(kind(1)) for kind in numbers]
    assert result_type(dtypes(arrays), dtypes(zero_dim), weak) is by_name(common)


WEAK = [(True, "bool"), (1, "int64"), (1.0, "float32"), (1j, "complex64"), (np.float64(1), "float32"), (np.int8(1), "int64"),
        (np.bool_(True), "bool"), (np.complex128(1), "complex64"), (np.float16(1), "float32")]  # fmt: skip


@pytest.mark.parametrize(("number", "dtype"), WEAK, ids=lambda v: f"{type(v).__name__}")
def test_numbers_are_weak(number: Any, dtype: str) -> None:
    assert weak_dtype(number) is by_name(dtype)


def test_the_default_type_is_what_python_floats_become() -> None:
    spec.set_default_float(spec.float64)
    try:
        assert weak_dtype(1.0) is spec.float64
        assert weak_dtype(1j) is spec.complex128
        assert result_type([spec.int64], [], [weak_dtype(0.5)]) is spec.float64
    finally:
        spec.set_default_float(spec.float32)
    for wrong in (spec.int64, spec.complex64, "float32", np.float32):
        with pytest.raises(TypeError, match="floating-point"):
            spec.set_default_float(wrong)  # type: ignore[arg-type]
    assert spec.default_float() is spec.float32


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_one_object_per_dtype(dtype: DType) -> None:
    assert by_name(dtype.name) is of_numpy(dtype.numpy) is dtype
    assert pickle.loads(pickle.dumps(dtype)) is dtype
    assert repr(dtype) == f"torch.{dtype.name}"
    assert dtype.differentiable is (dtype.is_floating_point or dtype.is_complex)
    assert dtype.to_real().is_complex is False
    assert dtype.to_complex().is_complex is True


def test_numpy_dtypes_that_no_tensor_holds() -> None:
    assert of_numpy(np.dtype(">f8")) is spec.float64
    for wrong in ("U3", "O", "M8[s]", "S1"):
        with pytest.raises(TypeError, match=r"can't convert np.ndarray of type .*float64"):
            of_numpy(np.dtype(wrong))


def test_spec() -> None:
    a = Spec((2, 3), spec.float32)
    assert a == Spec((2, 3), spec.float32)
    assert hash(a) == hash(Spec((2, 3), spec.float32))
    assert a not in (Spec((3, 2), spec.float32), Spec((2, 3), spec.float64), (2, 3))
    assert (a.ndim, repr(a)) == (2, "Spec((2, 3), float32)")
    assert not hasattr(a, "__dict__")


@pytest.mark.torch
def test_promotion_is_torchs() -> None:
    torch = importlib.import_module("torch")
    for a, b in itertools.product(DTYPES, DTYPES):
        try:
            want = torch.promote_types(getattr(torch, a.name), getattr(torch, b.name))
        except RuntimeError:  # wide unsigned with signed integers: torch has no answer
            continue
        assert repr(promote(a, b)) == str(want), (a, b)


@pytest.mark.torch
def test_mixed_groups_are_torchs() -> None:
    torch = importlib.import_module("torch")
    narrow = [d for d in DTYPES if d.name not in ("uint16", "uint32", "uint64")]

    def theirs(*operands: Any) -> str:
        return str(torch.result_type(*operands)).replace("complex32", "complex64")  # there is no complex32 here

    for a, b in itertools.product(narrow, narrow):
        one, zero = torch.ones(2, dtype=getattr(torch, a.name)), torch.ones((), dtype=getattr(torch, b.name))
        assert repr(result_type([a], [b], [])) == theirs(one, zero), (a, b)
    for number, a in itertools.product((True, 1, 1.0, 1j), narrow):
        weak, dtype = [weak_dtype(number)], getattr(torch, a.name)
        assert repr(result_type([a], [], weak)) == theirs(torch.ones(2, dtype=dtype), number), (a, number)
        assert repr(result_type([], [a], weak)) == theirs(torch.ones((), dtype=dtype), number), (a, number)
