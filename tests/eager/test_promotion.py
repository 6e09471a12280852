"""Every pair of dtypes, as arrays, 0-d tensors and Python numbers: dtype and value are torch's."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from tests.oracle import Library, chainrule_library, differences, kind, plain, torch_library

pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore")]  # complex to real: torch warns

DTYPES = (
    "bool",
    "uint8",
    "int8",
    "int16",
    "int32",
    "int64",
    "float16",
    "bfloat16",
    "float32",
    "float64",
    "complex64",
    "complex128",
)
NUMBERS = (True, 3, 2.5, 1 + 2j)
BINARY: dict[str, Callable[[Any, Any, Any], Any]] = {
    "add": lambda torch, a, b: a + b,
    "sub": lambda torch, a, b: a - b,
    "mul": lambda torch, a, b: a * b,
    "div": lambda torch, a, b: a / b,
    "floordiv": lambda torch, a, b: a // b,
    "mod": lambda torch, a, b: a % b,
    "pow": lambda torch, a, b: a**b,
    "eq": lambda torch, a, b: a == b,
    "lt": lambda torch, a, b: a < b,
    "and": lambda torch, a, b: a & b,
}
TENSORS_ONLY: dict[str, Callable[[Any, Any, Any], Any]] = {
    "where": lambda torch, a, b: torch.where(torch.tensor([True, False]), a, b),
    "maximum": lambda torch, a, b: torch.maximum(a, b),
    "atan2": lambda torch, a, b: torch.atan2(a, b),
    "hypot": lambda torch, a, b: torch.hypot(a, b),
    "fmod": lambda torch, a, b: torch.fmod(a, b),
    "cat": lambda torch, a, b: torch.cat([a, b]),
    "stack": lambda torch, a, b: torch.stack([a, b]),
    "matmul": lambda torch, a, b: a @ b,
    "result_type": lambda torch, a, b: str(torch.result_type(a, b)),
    "mul_": lambda torch, a, b: a.mul_(b),
    "iadd": lambda torch, a, b: a.__iadd__(b),
    "div_": lambda torch, a, b: a.div_(b),
    "copy_": lambda torch, a, b: a.copy_(b),
}
UNARY = (
    "exp",
    "log",
    "sqrt",
    "rsqrt",
    "reciprocal",
    "sin",
    "asin",
    "tanh",
    "erf",
    "sigmoid",
    "neg",
    "abs",
    "sign",
    "floor",
    "ceil",
    "round",
    "trunc",
    "square",
    "sum",
    "mean",
    "prod",
    "max",
    "min",
    "amax",
    "var",
    "std",
    "norm",
    "any",
    "all",
    "logical_not",
    "isnan",
    "argmax",
    "argsort",
    "relu",
    "expm1",
    "sinc",
    "count_nonzero",
    "sort",
    "det",
    "bitwise_not",
    "conj",
)
WITH_AXIS = (
    "cumsum",
    "cumprod",
    "softmax",
    "log_softmax",
    "logsumexp",
    "sum",
    "mean",
    "prod",
    "max",
    "any",
    "all",
    "flip",
)


def outcome(library: Library, compute: Callable[[Any], Any]) -> Any:
    try:
        return plain(compute(library.torch))
    except Exception as error:
        return error


def mismatches(cases: dict[str, Callable[[Any], Any]]) -> list[str]:
    """The cases in which the libraries differ, one line each."""
    found = []
    for name, compute in cases.items():
        theirs, ours = outcome(torch_library(), compute), outcome(chainrule_library(), compute)
        if isinstance(theirs, Exception):
            if isinstance(theirs, NotImplementedError) or "not implemented for" in str(theirs):
                continue  # a kernel that torch lacks may exist here
            if not isinstance(ours, kind(theirs)):
                found.append(f"{name}: torch raises {kind(theirs).__name__}: {theirs}; here {ours!r}")
        elif isinstance(ours, Exception):
            found.append(f"{name}: {theirs!r} in torch, {type(ours).__name__}: {ours} here")
        else:
            found += [f"{name} {line}" for line in differences(theirs, ours) if "complex32" not in line]
    return found


def values(dtype: str) -> list[Any]:
    return [True, False] if dtype == "bool" else [2, 3]


def tensor(torch: Any, dtype: str, dim: bool) -> Any:
    data = values(dtype)
    return torch.tensor(data if dim else data[0]).to(getattr(torch, dtype))


def fail_with(found: list[str]) -> None:
    assert not found, f"{len(found)} differences\n" + "\n".join(found)


@pytest.mark.parametrize("op", [*BINARY, *TENSORS_ONLY])
def test_two_tensors(op: str) -> None:
    compute = (BINARY | TENSORS_ONLY)[op]
    shapes = (
        [(True, True)] if op in ("cat", "stack", "matmul") else [(True, True), (True, False), (False, True)]
    )
    fail_with(
        mismatches(
            {
                f"{a}{'' if i else ' 0-d'} {op} {b}{'' if j else ' 0-d'}": lambda torch, a=a, b=b, i=i, j=j: (
                    compute(torch, tensor(torch, a, i), tensor(torch, b, j))
                )
                for (a, b), (i, j) in itertools.product(itertools.product(DTYPES, DTYPES), shapes)
            }
        )
    )


@pytest.mark.parametrize("op", BINARY)
def test_tensor_and_number(op: str) -> None:
    cases = {}
    for dtype, dim, number in itertools.product(DTYPES, (True, False), NUMBERS):
        name = f"{dtype}{'' if dim else ' 0-d'}"
        cases[f"{name} {op} {number}"] = lambda torch, a=dtype, d=dim, n=number: BINARY[op](
            torch, tensor(torch, a, d), n
        )
        cases[f"{number} {op} {name}"] = lambda torch, a=dtype, d=dim, n=number: BINARY[op](
            torch, n, tensor(torch, a, d)
        )
    fail_with(mismatches(cases))


@pytest.mark.parametrize("method", UNARY)
def test_one_tensor(method: str) -> None:
    def call(torch: Any, dtype: str) -> Any:
        x = tensor(torch, dtype, True)
        return getattr(torch.stack([x, x + x]) if method == "det" else x, method)()

    fail_with(mismatches({f"{method} {d}": lambda torch, d=d: call(torch, d) for d in DTYPES}))


@pytest.mark.parametrize("method", WITH_AXIS)
def test_one_tensor_along_an_axis(method: str) -> None:
    fail_with(
        mismatches(
            {f"{method} {d}": lambda torch, d=d: getattr(tensor(torch, d, True), method)(0) for d in DTYPES}
        )
    )


def test_casts() -> None:
    fail_with(
        mismatches(
            {
                f"{a} to {b}": lambda torch, a=a, b=b: (
                    torch.tensor([0, 1, 2.75 if "float" in a else 2])
                    .to(getattr(torch, a))
                    .to(getattr(torch, b))
                )
                for a, b in itertools.product(DTYPES, DTYPES)
            }
        )
    )


@pytest.mark.parametrize(
    "names",
    [
        "half float16",
        "float float32",
        "double float64",
        "bfloat16 bfloat16",
        "cfloat complex64",
        "cdouble complex128",
        "short int16",
        "int int32",
        "long int64",
    ],
)
def test_aliases(names: str) -> None:
    alias, name = names.split()
    for library in (torch_library(), chainrule_library()):
        assert getattr(library.torch, alias) is getattr(library.torch, name)
        assert repr(getattr(library.torch, alias)) == f"torch.{name}"


def test_gradients_have_the_dtype_of_their_leaf() -> None:
    floats = DTYPES[6:]

    def gradients(torch: Any, a: str, b: str) -> Any:
        x, y = (torch.tensor([0.5, 2.0]).to(getattr(torch, d)).requires_grad_() for d in (a, b))
        out = x * y + x / y - y
        out.backward(torch.ones_like(out))
        return [x.grad, y.grad]

    fail_with(
        mismatches(
            {
                f"{a} and {b}": lambda torch, a=a, b=b: gradients(torch, a, b)
                for a, b in itertools.product(floats, floats)
            }
        )
    )


def test_the_default_dtype() -> None:
    def made(torch: Any) -> Any:
        before = torch.get_default_dtype()
        torch.set_default_dtype(torch.float64)
        try:
            return [
                torch.tensor(1.5),
                torch.ones(2),
                torch.arange(3.0),
                torch.tensor([1]) / 2,
                torch.tensor(1j),
                torch.tensor([1]) + 1.5,
                torch.linspace(0, 1, 3),
                torch.tensor(2).sqrt(),
                torch.eye(2),
            ]
        finally:
            torch.set_default_dtype(before)

    fail_with(mismatches({"float64": made}))
