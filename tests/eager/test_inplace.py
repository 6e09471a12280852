"""Writing in place: a saved value that was overwritten is found out; a refused write changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import GraphError

MODIFIED = "modified by an inplace operation"


def leaf(*shape: int) -> cr.Tensor:
    return cr.tensor(np.random.default_rng(3).uniform(0.5, 1.5, shape), requires_grad=True)


def plain(*shape: int) -> cr.Tensor:
    return cr.tensor(np.random.default_rng(4).uniform(0.5, 1.5, shape))


# Ways to reach the memory of a tensor

VIEWS: dict[str, Callable[[Any], Any]] = {
    "itself": lambda t: t,
    "slice": lambda t: t[1:],
    "row": lambda t: t[0],
    "strided": lambda t: t[::2, 1:],
    "reshape": lambda t: t.reshape(-1),
    "view": lambda t: t.view(3, 2),
    "transpose": lambda t: t.T,
    "unsqueeze": lambda t: t.unsqueeze(0),
    "detach": lambda t: t.detach(),
    "view of a view": lambda t: t.T[1:].reshape(-1)[:1] if t.T[1:].is_contiguous() else t.T[1:][0],
    "detach of a slice": lambda t: t[1:].detach()[:, :1],
    "split": lambda t: t.split(1)[1],
    "unbind": lambda t: t.unbind(1)[0],
    "diagonal": lambda t: t.diagonal(),
    "from_numpy": lambda t: t[:1].view(-1),
}


def augmented(t: Any) -> None:
    t += 1.0


def multiplied(t: Any) -> None:
    t *= 2.0


def stored(t: Any) -> None:
    t[...] = 3.0


def item(t: Any) -> None:
    t[0] = 3.0


WRITES: dict[str, Callable[[Any], Any]] = {
    "t += 1": augmented,
    "t *= 2": multiplied,
    "t[...] = 3": stored,
    "t[0] = 3": item,
    "add_": lambda t: t.add_(1.0),
    "zero_": lambda t: t.zero_(),
    "fill_": lambda t: t.fill_(2.0),
    "copy_": lambda t: t.copy_(t * 2),
    "exp_": lambda t: t.exp_(),
    "clamp_": lambda t: t.clamp_(0.0, 0.1),
}


@pytest.mark.parametrize("view", VIEWS)
def test_a_write_through_any_view_is_detected(view: str) -> None:
    w, x = plain(2, 3), leaf(2, 3)
    y = w * x  # saves w
    VIEWS[view](w).add_(1.0)
    with pytest.raises(GraphError, match=MODIFIED):
        y.sum().backward()
    assert x.grad is None


@pytest.mark.parametrize("view", VIEWS)
def test_a_saved_view_is_watched_through_its_base(view: str) -> None:
    w = plain(2, 3)
    seen = VIEWS[view](w)
    x = leaf(*seen.shape)
    y = seen * x
    w += 1.0
    with pytest.raises(GraphError, match=MODIFIED):
        y.sum().backward()


@pytest.mark.parametrize("write", WRITES)
def test_every_way_of_writing_is_detected(write: str) -> None:
    for no_grad in (False, True):
        w, x = plain(2, 3), leaf(2, 3)
        y = w * x
        if no_grad:
            with cr.no_grad():
                WRITES[write](w)
        else:
            WRITES[write](w)
        with pytest.raises(GraphError, match=MODIFIED):
            y.sum().backward()


@pytest.mark.parametrize("write", WRITES)
def test_a_leaf_written_under_no_grad_is_detected(write: str) -> None:
    x = leaf(2, 3)
    y = (x * x).sum()
    with cr.no_grad():
        WRITES[write](x)
    with pytest.raises(GraphError, match=MODIFIED):
        y.backward()


# A saved value of each kind of rule, and whether overwriting it matters

OVERWRITTEN: dict[str, tuple[Callable[[Any], Any], bool]] = {
    "exp saves its result": (lambda a: a.exp(), True),
    "tanh saves its result": (lambda a: a.tanh(), True),
    "add saves nothing": (lambda a: a + 1.0, False),
    "a number times saves the number": (lambda a: a * 2.0, False),
    "sin saves its operand": (lambda a: a.sin(), False),
}


@pytest.mark.parametrize("name", OVERWRITTEN)
def test_only_what_was_saved_matters(name: str) -> None:
    f, matters = OVERWRITTEN[name]
    x = leaf(2, 3)
    y = f(x)
    y += 1.0
    if matters:
        with pytest.raises(GraphError, match=MODIFIED):
            y.sum().backward()
        return
    y.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), cr.autograd.grad(f(x).sum(), x)[0].numpy())


def test_both_orders_of_tape_and_both_paths() -> None:
    for dtype in (cr.float32, cr.float16, cr.complex64):
        w = cr.ones(3, dtype=dtype)
        x = cr.ones(3, dtype=dtype, requires_grad=True)
        y = w * x
        w += 1
        with pytest.raises(GraphError, match=MODIFIED):
            y.backward(cr.ones(3, dtype=dtype))


MORE_OPERANDS: dict[str, Callable[[Any, Any], Any]] = {
    "einsum": lambda w, x: cr.einsum("i,i->", w, x),
    "lerp": lambda w, x: cr.lerp(x, x, w).sum(),
    "where": lambda w, x: cr.where(w > 0, x * w, x).sum(),
    "addmm": lambda w, x: cr.addmm(x, w[None], x[:, None]).sum(),
}


@pytest.mark.parametrize("name", MORE_OPERANDS)
def test_generic_calls_with_more_operands(name: str) -> None:
    w, x = plain(3), leaf(3)
    y = MORE_OPERANDS[name](w, x)
    w += 1.0
    with pytest.raises(GraphError, match=MODIFIED):
        y.backward()


def test_an_index_that_was_overwritten() -> None:
    index, x = cr.tensor([0, 1]), leaf(3)
    y = x[index]
    index[0] = 2
    with pytest.raises(GraphError, match=MODIFIED):
        y.sum().backward()


# What is no harm


HARMLESS: dict[str, Callable[[Any, Any], Any]] = {
    "through .data": lambda w, other: w.data.add_(1.0),
    "a slice of .data": lambda w, other: w.data[1:].zero_(),
    "unrelated memory": lambda w, other: other.add_(1.0),
    "a clone": lambda w, other: w.clone().add_(1.0),
    "a copy by indices": lambda w, other: w[cr.tensor([0])].add_(1.0),
    "the result of an op": lambda w, other: (w * 1.0).zero_(),
    "reading": lambda w, other: other.copy_(w),
}


@pytest.mark.parametrize("name", HARMLESS)
def test_no_false_alarm(name: str) -> None:
    w, x, other = plain(2, 3), leaf(2, 3), plain(2, 3)
    y = w * x
    HARMLESS[name](w, other)
    y.sum().backward()
    assert x.grad is not None


def test_disjoint_parts_of_one_memory_are_one_version() -> None:
    """torch counts per storage: a write next to what was saved is refused too."""
    w, x = plain(4), leaf(2)
    y = w[:2] * x
    w[2:] += 1.0
    with pytest.raises(GraphError, match=MODIFIED):
        y.sum().backward()


def test_a_write_before_the_call_is_no_harm() -> None:
    w, x = plain(3), leaf(3)
    for _ in range(100):
        w += 1.0
        y = (w * x).sum()
    y.backward()
    np.testing.assert_array_equal(x.grad.numpy(), w.numpy())


def test_a_released_graph_is_not_checked_again() -> None:
    w, x = plain(3), leaf(3)
    y = x + 1.0
    (w * y).sum().backward()
    w += 1.0
    z = y + 1.0
    z.sum().backward()


def test_memory_reused_after_a_tensor_died_is_no_harm() -> None:
    x = leaf(3)
    for _ in range(200):
        w = plain(3)
        w += 1.0
        del w
        w = plain(3)
        (w * x).sum().backward()


def test_more_writes_than_are_remembered() -> None:
    w, x = plain(3), leaf(3)
    y = w * x
    for _ in range(200):
        w += 1.0
    with pytest.raises(GraphError, match="is at version 200"):
        y.sum().backward()


def test_writing_between_two_passes() -> None:
    w, x = plain(3), leaf(3)
    y = (w * x).sum()
    y.backward(retain_graph=True)
    w.mul_(2.0)
    for again in (lambda: y.backward(), lambda: cr.autograd.grad(y, x), lambda: cr.autograd.grad(y, x, create_graph=True)):
        with pytest.raises(GraphError, match=MODIFIED):
            again()


def test_the_step_of_an_optimizer_is_no_harm() -> None:
    w = leaf(3)
    for _ in range(5):
        (w * w).sum().backward()
        with cr.no_grad():
            w -= 0.1 * w.grad
        w.grad.zero_()
    assert w.is_leaf
    assert w._version == 5


def test_numbers_of_every_kind_under_no_grad() -> None:
    for dtype in (cr.float32, cr.float64):
        t = cr.ones(2, dtype=dtype)
        with cr.no_grad():
            t += 1
            t -= 1
            t *= np.float64(3.0)
            t /= 2
            t.add_(1, alpha=2)
        assert t.tolist() == [3.5, 3.5]
        assert t.dtype is dtype


def test_a_stretched_tensor_is_not_written_to() -> None:
    t = cr.ones(2)
    with pytest.raises(RuntimeError, match="more than one element of the written-to tensor refers to a single memory"):
        t.expand(3, 2).add_(1.0)
    assert t.tolist() == [1.0, 1.0]


# What the message says


def test_the_message_names_type_shape_operation_and_versions() -> None:
    x = leaf(2, 3)
    a = x.exp()
    y = a.sin()
    y = y * 1.0
    a += 1.0
    with pytest.raises(GraphError) as caught:
        y.sum().backward()
    text = str(caught.value)
    for part in (
        "torch.DoubleTensor [2, 3]",
        "which is output 0 of Exp",
        "is at version 1; expected version 0",
        "SinBackward0",
    ):
        assert part in text


def test_the_error_is_the_one_that_torch_raises() -> None:
    assert issubclass(GraphError, RuntimeError)


# _version


def test_versions_count_writes_and_are_shared_by_views() -> None:
    t = plain(2, 3)
    views = [VIEWS[name](t) for name in VIEWS]
    assert {v._version for v in views} == {0}
    for k, view in enumerate(views, 1):
        view.add_(1.0)
        assert t._version == view._version == k
    assert {v._version for v in views} == {len(views)}
    assert t.clone()._version == (t * 1.0)._version == 0


def test_data_has_its_own_version() -> None:
    t = plain(3)
    t.data.add_(1.0)
    assert t._version == 0
    t.add_(1.0)
    assert (t._version, t.data._version) == (1, 0)


# Refusals: validate, then act


def test_a_leaf_is_refused() -> None:
    x = leaf(2, 3)
    before = x.tolist()
    for name, write in WRITES.items():
        with pytest.raises(RuntimeError, match="a leaf Variable that requires grad"):
            write(x)
        assert x.tolist() == before, name
        assert (x._version, x.is_leaf) == (0, True)
    with pytest.raises(RuntimeError, match="a view of a leaf Variable that requires grad"):
        x[0].add_(1.0)
    assert x.tolist() == before


REFUSED: dict[str, Callable[[Any], Any]] = {
    "shape": lambda t: t.add_(cr.ones(4, dtype=t.dtype)),
    "a shape that would grow": lambda t: t.add_(cr.ones(5, 2, 3, dtype=t.dtype)),
    "a shape that would stretch": lambda t: t[:1].mul_(cr.ones(2, 3, dtype=t.dtype)),
    "item of another shape": lambda t: t.__setitem__(0, cr.ones(4, dtype=t.dtype)),
    "index out of range": lambda t: t.__setitem__(7, 1.0),
    "array index out of range": lambda t: t.__setitem__(cr.tensor([0, 9]), 1.0),
    "copy_ of another shape": lambda t: t.copy_(cr.ones(2, 4)),
    "complex into real": lambda t: t.mul_(cr.ones(3, dtype=cr.complex64)),
    "a complex number": lambda t: t.add_(1j),
    "a foreign type": lambda t: t.add_("text"),
    "fill with an array": lambda t: t.fill_(cr.ones(3)),
    "masked_fill_ with a wrong mask": lambda t: t.masked_fill_(cr.tensor([True, False]), 1.0),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("recorded", [False, True])
@pytest.mark.parametrize("no_grad", [False, True])
def test_a_refused_write_changes_nothing(name: str, recorded: bool, no_grad: bool) -> None:
    x = leaf(2, 3)
    t = x * 1.0 if recorded else plain(2, 3)
    before, node = t.tolist(), t.node
    with cr.set_grad_enabled(not no_grad), pytest.raises((RuntimeError, TypeError, IndexError, ValueError)):
        REFUSED[name](t)
    assert t.tolist() == before
    assert t.node is node
    assert t._version == 0
    assert t.shape == (2, 3)
    assert t.dtype is cr.float64


def test_integers_do_not_become_floats_in_place() -> None:
    t = cr.tensor([1, 2, 3])
    for write in (lambda: t.mul_(1.5), lambda: t.div_(2), lambda: t.add_(cr.ones(3)), lambda: t.exp_()):
        with pytest.raises(RuntimeError, match=r"result type .* can't be cast to the desired output type"):
            write()
        assert t.tolist() == [1, 2, 3]
    b = cr.tensor([True, False])
    with pytest.raises(RuntimeError, match="can't be cast"):
        b.add_(1)
    assert b.tolist() == [True, False]


def test_floats_take_integers_and_wider_floats() -> None:
    t = cr.zeros(2, dtype=cr.float32)
    t += cr.tensor([1, 2])
    t += cr.ones(2, dtype=cr.float64)
    t += True
    assert t.tolist() == [3.0, 4.0]
    assert t.dtype is cr.float32


# Recorded writes have the right gradient


RECORDED: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {  # in place, and out of place
    "+=": (lambda y: y.add_(2.0), lambda y: y + 2.0),
    "*= itself": (lambda y: y.mul_(y), lambda y: y * y),
    "exp_": (lambda y: y.exp_(), lambda y: y.exp()),
    "item": (lambda y: y.__setitem__(0, y[1] * 2) or y, lambda y: cr.stack([y[1] * 2, y[1]])),
    "zero_": (lambda y: y.zero_(), lambda y: y * 0.0),
    "+= broadcast": (lambda y: y.add_(y[0].clone()), lambda y: y + y[0]),
    "sin_": (lambda y: y.sin_(), lambda y: y.sin()),
    "pow_": (lambda y: y.pow_(2), lambda y: y**2),
    "log_": (lambda y: y.log_(), lambda y: y.log()),
    "abs_": (lambda y: y.abs_(), lambda y: y.abs()),
    "clamp_": (lambda y: y.clamp_(0.0, 1.5), lambda y: y.clamp(0.0, 1.5)),
    "*= a leaf": (lambda y: y.mul_(leaf(2, 3)), lambda y: y * leaf(2, 3)),
    "chain": (lambda y: y.sin_().mul_(3.0).add_(1.0), lambda y: y.sin() * 3.0 + 1.0),
}


@pytest.mark.parametrize("name", RECORDED)
def test_a_recorded_write_is_differentiated(name: str) -> None:
    inplace, out_of_place = RECORDED[name]
    grads = []
    for f in (inplace, out_of_place):
        x = leaf(2, 3)
        y = x * 1.5
        (f(y) * plain(2, 3)).sum().backward()
        grads.append(x.grad.numpy())
    np.testing.assert_allclose(*grads, rtol=1e-14)
