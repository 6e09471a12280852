"""The specialised functions do what the generic path does, faster: same values, dtypes, nodes; never a warning."""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.core.box import dispatch
from chainrule.core.primitive import ELEMENTWISE, NON_DIFFERENTIABLE, TABLE, Primitive
from chainrule.eager.source import source_of
from chainrule.eager.specialise import F, SlotForm, can_specialise, pattern_of, specialise
from chainrule.ops import elementwise
from chainrule.testing.samples import samples

ON_INTEGERS = (np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.invert)
SPECIAL = sorted((p for p in TABLE.values() if can_specialise(p) and p.fun not in ON_INTEGERS), key=lambda p: p.name)
POINTWISE = [p for p in SPECIAL if p.kind == ELEMENTWISE and ... not in p.params.values()]
BINARY = [p for p in POINTWISE if p.arity == 2 and p.fun not in (elementwise.fill, elementwise.overwrite)]
COMPARISONS = [p for p in SPECIAL if p.kind == NON_DIFFERENTIABLE and p.arity == 2]
by_name = {"ids": lambda p: p.name}


def same(a: Any, b: Any) -> None:
    """Two tensors that a user cannot tell apart, but for who made them."""
    assert a.array.shape == b.array.shape
    assert a.dtype is b.dtype
    np.testing.assert_array_equal(a.array, b.array)
    assert a.array.tobytes() == b.array.tobytes()  # signs of zeros too
    assert (a.node is None) is (b.node is None)
    assert a.is_leaf is b.is_leaf
    if a.node is not None:
        assert a.grad_fn.name() == b.grad_fn.name()
        assert sorted(map(str, a.grad_fn.next_functions)) == sorted(map(str, b.grad_fn.next_functions))
        assert tuple(a.node.shape) == tuple(b.node.shape)
        assert a.node.dtype is b.node.dtype


def both(p: Primitive, operands: Any, params: dict[str, Any]) -> tuple[Any, Any]:
    absent = [None] * (p.arity - len(operands))
    return getattr(F, p.name)(*operands, **params), dispatch(p, [*operands, *absent], params)


def tensors(operands: Any, dtype: Any, needs: tuple[bool, ...]) -> list[Any]:
    made = []
    for x, r in zip(operands, needs, strict=True):
        t = cr.from_numpy(x) if isinstance(x, np.ndarray) else x
        if isinstance(t, cr.Tensor) and t.is_floating_point():
            t = t.to(dtype)
            t.requires_grad_(r)
        made.append(t)
    return made


def test_most_of_the_table_is_specialised() -> None:
    assert len(SPECIAL) > 100
    assert type(F.multiply(cr.ones(2, requires_grad=True), 2.0).node.form) is SlotForm


@pytest.mark.parametrize("p", SPECIAL, **by_name)
@pytest.mark.parametrize("dtype", [cr.float32, cr.float64], ids=str)
def test_as_the_generic_path(p: Primitive, dtype: Any) -> None:
    for sample in samples(p):
        for needs in itertools.product((False, True), repeat=len(sample.operands)):
            operands = tensors(sample.operands, dtype, needs)
            a, b = both(p, operands, sample.params)
            same(a, b)
            if a.node is None:
                continue
            leaves = [x for x in operands if isinstance(x, cr.Tensor) and x.requires_grad]
            g = cr.from_numpy(np.asarray(np.random.default_rng(0).uniform(-1, 1, a.shape))).to(a.dtype)
            pulled = [cr.autograd.grad(y, leaves, g, allow_unused=True) for y in (a, b)]
            for left, right in zip(*pulled, strict=True):
                assert (left is None) is (right is None)
                if left is not None:
                    assert left.dtype is right.dtype
                    np.testing.assert_allclose(left.array, right.array, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("p", SPECIAL, **by_name)
def test_no_grad_records_nothing(p: Primitive) -> None:
    sample = samples(p)[0]
    operands = tensors(sample.operands, cr.float64, (True,) * len(sample.operands))
    with cr.no_grad():
        a, b = both(p, operands, sample.params)
    same(a, b)
    assert a.node is None
    assert a.requires_grad == a._is_view()  # as in torch, a view of what requires grad does so itself


# Numbers

NUMBERS = [0, 1, 2, 3, -1, 0.0, -0.0, 0.5, -1.5, 1e300, -1e300, 2**40, 10**30, math.inf, -math.inf, math.nan, True, False,
           np.float64(0.5), np.float32(0.1), np.int64(3), np.bool_(True), np.float64(-0.0)]  # fmt: skip


@pytest.mark.parametrize("p", [*BINARY, *COMPARISONS], **by_name)
@pytest.mark.parametrize("number", NUMBERS, ids=repr)
def test_numbers_on_either_side(p: Primitive, number: Any) -> None:
    for dtype in (cr.float32, cr.float64):
        for x in (cr.tensor([-0.0, 0.0, 0.5, -2.0], dtype=dtype, requires_grad=True), cr.tensor(1.5, dtype=dtype)):
            for operands in ((x, number), (number, x)):
                if p.fun is np.subtract and isinstance(number, (bool, np.bool_)):
                    with pytest.raises(RuntimeError, match="with a bool tensor is not supported"):
                        both(p, operands, {})
                    continue
                with np.errstate(all="ignore"):  # warnings have their own tests below
                    a, b = both(p, operands, dict(p.params))
                same(a, b)
                assert a.dtype is (dtype if p.kind == ELEMENTWISE else cr.bool)


def test_numbers_that_are_equal_are_not_confused() -> None:
    """Python's dictionaries take 0.0 for -0.0 and True for 1."""
    x = cr.ones(1, dtype=cr.float64)
    for first, second in ((0.0, -0.0), (-0.0, 0.0), (0, -0.0), (-0.0, 0)):
        for number in (first, second):
            want = math.copysign(1.0, number)
            assert math.copysign(1.0, (x * number).item()) == want
            assert (x / number).item() == math.inf * want
    for number in (1, 1.0, True, 1, True):
        assert (x + number).item() == 2.0
        assert (x + number).dtype is cr.float64
    n = cr.tensor([1])
    assert (n + True).dtype is (n + 1).dtype is cr.int64
    assert (n + 1.0).dtype is cr.float32


def test_numbers_are_rounded_to_the_dtype_of_the_tensor() -> None:
    for number in (0.1, 1 / 3, 16777217, 2**60 + 1):
        assert (cr.zeros((), dtype=cr.float32) + number).item() == float(np.float32(number))
        assert (cr.zeros((), dtype=cr.float64) + number).item() == float(number)
        assert (cr.zeros((), dtype=cr.float32) + number).item() == float(np.float32(number))  # as remembered too


def test_remembered_numbers_are_bounded_and_not_written_to() -> None:
    x = cr.ones(2, requires_grad=True)
    for k in range(3000):
        x + (k + 0.25)
    assert len(x.lane.scalars) <= 1024
    y = x * 5.0
    y.backward(cr.ones(2))
    x.grad.zero_()
    y = x * 5.0
    y.backward(cr.ones(2))
    assert x.grad.tolist() == [5.0, 5.0]


def test_nan_as_a_number_is_not_remembered_for_ever() -> None:
    x = cr.ones(1)
    before = len(x.lane.scalars)
    for _ in range(50):
        assert math.isnan((x + float("nan")).item())
    assert len(x.lane.scalars) - before <= 1


def test_a_number_on_the_left_comes_second_in_next_functions() -> None:
    """torch computes ``2 * x`` as ``x * 2``."""
    x = cr.ones(2, requires_grad=True)
    for number in (2.0, 2, True, np.float64(2), np.int64(2)):
        for y in (number * x, number + x, x * number, x + number):
            assert [edge is None for edge, _ in y.grad_fn.next_functions] == [False, True], (number, y)


def test_numpy_numbers_are_weak_in_every_function() -> None:
    x = cr.ones(2)
    for p in BINARY:
        if p.fun is not np.subtract:
            assert getattr(F, p.name)(x, np.float64(0.5), **p.params).dtype is cr.float32, p


@pytest.mark.parametrize("p", BINARY, **by_name)
def test_an_operand_without_a_rule_may_require_grad_alone(p: Primitive) -> None:
    x, y = cr.full((2,), 0.5), cr.full((2,), 0.25, requires_grad=True)
    for call in (getattr(F, p.name), lambda *xs: dispatch(p, xs, dict(p.params))):
        out = call(x, y)
        if out.requires_grad:
            assert cr.autograd.grad(out.sum(), y, allow_unused=True, materialize_grads=True)[0].shape == (2,)


# Warnings


EDGES = [0.0, -0.0, 1.0, -1.0, 1e-300, 1e300, -1e300, math.inf, -math.inf, math.nan, 800.0, -800.0]
SHAPED: dict[str, Callable[[], np.ndarray]] = {
    "1-d": lambda: np.array(EDGES),
    "0-d zero": lambda: np.array(0.0),
    "0-d infinite": lambda: np.array(math.inf),
    "0-d huge": lambda: np.array(1e300),
    "empty": lambda: np.zeros((0, 2)),
    "negative": lambda: np.array([[-2.5]]),
}


@pytest.fixture
def errors() -> Iterator[None]:
    """Every warning is an error, and NumPy's settings are its own."""
    with warnings.catch_warnings(), np.errstate(all="warn"):
        warnings.simplefilter("error")
        yield


def everything(fun: Callable[..., Any], operands: list[Any], params: dict[str, Any]) -> None:
    """The value, its gradient and the gradient's gradient."""
    out = fun(*operands, **params)
    leaves = [x for x in operands if isinstance(x, cr.Tensor) and x.requires_grad]
    if not out.requires_grad:
        return
    g = cr.ones_like(out)
    cr.autograd.grad(out, leaves, g, retain_graph=True, allow_unused=True)
    grads = cr.autograd.grad(out, leaves, g, create_graph=True, allow_unused=True)
    wanted = [d for d in grads if d is not None and d.requires_grad]
    if wanted:
        cr.autograd.grad(wanted, leaves, [cr.ones_like(d) for d in wanted], allow_unused=True)


@pytest.mark.usefixtures("errors")
@pytest.mark.parametrize("p", POINTWISE, **by_name)
@pytest.mark.parametrize("shaped", SHAPED)
def test_numpys_warnings_never_surface(p: Primitive, shaped: str) -> None:
    for dtype in (cr.float64, cr.float32):
        with np.errstate(all="ignore"):
            values = SHAPED[shaped]().astype(dtype.numpy)
        for second in (values, values[::-1] if values.ndim else values, np.zeros_like(values)):
            if p.fun is elementwise.masked_fill:
                continue  # its mask is no number
            operands = [cr.tensor(x.copy(), requires_grad=True) for x in (values, second, second)[: p.arity]]
            everything(getattr(F, p.name), operands, dict(p.params))
            everything(lambda *xs, p=p, **params: dispatch(p, xs, params), operands, dict(p.params))


@pytest.mark.usefixtures("errors")
@pytest.mark.parametrize("dtype", [cr.float64, cr.float32, cr.float16], ids=str)
@pytest.mark.parametrize("number", [0, 0.0, -0.0, 1e300, 10**30, math.inf, math.nan], ids=repr)
def test_warnings_from_numbers(number: Any, dtype: Any) -> None:
    for p in BINARY:
        x = cr.tensor([0.0, 1.0, -3.0], dtype=dtype, requires_grad=True)
        everything(getattr(F, p.name), [x, number], dict(p.params))
        if p.is_active(1):
            everything(getattr(F, p.name), [number, x], dict(p.params))


QUIET: dict[str, Callable[[Any], Any]] = {
    "x / 0": lambda x: x / 0,
    "1 / x": lambda x: 1 / x,
    "log": lambda x: x.log(),
    "sqrt": lambda x: (-x).sqrt(),
    "power": lambda x: x**-1.5,
    "exp": lambda x: (x + 800).exp(),
    "mean of nothing": lambda x: x[:0].mean(),
    "logsumexp": lambda x: (x / 0).logsumexp(0),
    "norm of zeros": lambda x: (x * 0).norm(),
    "prod": lambda x: (x + 1e300).prod(),
    "sum": lambda x: (x + 1e308).sum(),
    "softmax": lambda x: (x / 0).softmax(0),
    "matmul": lambda x: (x / 0) @ x,
    "cumprod": lambda x: (x + 1e300).cumprod(0),
    "half overflow": lambda x: x.half() + 7e4,
    "half sum": lambda x: (x.half() + 6e4).sum(),
    "cast": lambda x: (x + 1e300).float().half(),
    "to integers": lambda x: (x / 0).int().float() + x,
    "in place": lambda x: (x * 1.0).div_(0.0),
    "number of another width": lambda x: x.float() + 1e300,
    "numpy": lambda x: np.log(x) + np.divide(x, 0.0),
    "maximum": lambda x: cr.maximum(x / 0, x),
}


@pytest.mark.usefixtures("errors")
@pytest.mark.parametrize("name", QUIET)
def test_silent_where_torch_is(name: str) -> None:
    x = cr.zeros(3, dtype=cr.float64, requires_grad=True)
    out = QUIET[name](x)
    out.backward(cr.ones_like(out))
    assert x.grad.shape == (3,)


@pytest.mark.usefixtures("errors")
def test_numpys_own_warnings_are_the_users() -> None:
    cr.ones(1) / 0
    with pytest.raises(RuntimeWarning):
        np.ones(1) / 0


# What is left to the generic path


def test_views_know_their_base() -> None:
    x = cr.ones(2, 3, requires_grad=True)
    y = x.T
    assert y.base is x
    assert y.T.base is x
    assert (x * 1.0).base is None


def test_errors_come_in_torchs_words_from_both_paths() -> None:
    x, y = cr.ones(3), cr.ones(4)
    for call in (lambda: F.add(x, y), lambda: dispatch(TABLE[np.add], (x, y), {})):
        with pytest.raises(RuntimeError, match=r"The size of tensor a \(3\) must match the size of tensor b \(4\)"):
            call()


def test_mixed_dtypes_take_the_generic_path() -> None:
    x = cr.ones(2, requires_grad=True)
    for other in (cr.ones(2, dtype=cr.float64), cr.tensor([1, 2]), cr.ones(2, dtype=cr.float16), np.ones(2), 1j):
        y = x * other
        assert type(y.node.form) is not SlotForm
        assert y.dtype is dispatch(TABLE[np.multiply], (x, other), {}).dtype


def test_the_source_can_be_read() -> None:
    text = source_of(pattern_of(TABLE[np.multiply]))
    assert "n.x = x if ey is not None else None" in text
    fun = specialise(TABLE[np.multiply])
    assert fun.__name__ == "mul"
    assert fun.__doc__ == np.multiply.__doc__
    assert fun.__code__.co_name == "multiply"


def test_unknown_names() -> None:
    with pytest.raises(AttributeError, match="the table has no primitive 'nothing'"):
        F.nothing  # noqa: B018
