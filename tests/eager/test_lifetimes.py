"""Memory dies with its last user: no reference cycles on the ordinary path, no recursion, gradients that are owned."""

from __future__ import annotations

import gc
import sys
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.core.sweep import Node, Port
from chainrule.utils.checkpoint import checkpoint


@pytest.fixture(autouse=True)
def no_collector() -> Iterator[None]:
    """What dies here dies by its reference count."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


class Watched:
    """Weak references to tensors, their arrays and all nodes behind them."""

    def __init__(self, *tensors: Any) -> None:
        self.refs: dict[str, weakref.ref[Any]] = {}
        seen: set[int] = set()
        stack: list[Any] = list(tensors)
        while stack:
            thing = stack.pop()
            if thing is None or id(thing) in seen:
                continue
            seen.add(id(thing))
            if isinstance(thing, cr.Tensor):
                self.watch(f"tensor {tuple(thing.shape)}", thing)
                self.watch("array", thing.array)
                stack += [thing.node, thing._grad]
            elif type(thing) is Port:
                stack.append(thing.node)
            elif type(thing) is Node:
                self.watch(thing.name(), thing)
                for name, value in (("x", thing.x), ("y", thing.y), ("out", thing.out)):
                    for part in value if isinstance(value, tuple) else (value,):
                        if type(part) is np.ndarray and part.ndim:  # numbers are remembered for the next call
                            self.watch(f"{thing.name()}.{name}", part)
                stack += thing.form.edges(thing)

    def watch(self, name: str, thing: Any) -> None:
        self.refs[f"{len(self.refs)}: {name}"] = weakref.ref(thing)

    def alive(self) -> list[str]:
        return [name for name, ref in self.refs.items() if ref() is not None]


def leaf(*shape: int) -> cr.Tensor:
    return cr.tensor(np.random.default_rng(0).uniform(0.5, 1.5, shape), requires_grad=True)


def arithmetic(x: Any) -> Any:
    return ((x * x + 1.5) / x.exp() - x.sin() ** 2).sum()


def network(x: Any) -> Any:
    w = leaf(3, 4)
    return cr.tanh(x @ w).softmax(1).log().mean()


def parts(x: Any) -> Any:
    a, b = x.split([1, 1])
    values, _ = cr.cat([a * 2, b]).max(1)
    return values.sum()


def indexed(x: Any) -> Any:
    return (x[:1] * x[cr.tensor([1])] + x.T.reshape(-1)[:3]).prod()


def narrow(x: Any) -> Any:
    return (x.half() * x.float() + x.to(cr.complex128).real).sum()


def written(x: Any) -> Any:
    y = x * 1.0
    y += 1.0
    y.mul_(2.0)
    y[0] = x[1]
    return y.sum()


def of_numpy(x: Any) -> Any:
    return np.sum(np.where(x.detach().numpy() > 1, x, np.sin(x)))


def through_views(x: Any) -> Any:
    y = x * 1.0
    rows, turned = [y[0], y[1]], y.t()
    rows[0].mul_(2.0)
    turned[0] += rows[1].sum()
    y.add_(1.0)
    rows[1].zero_()
    return (turned * rows[0][0]).sum() + y.as_strided((2,), (1,)).prod() + rows[0].sum()


class Product(cr.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Any, y: Any, factor: float) -> Any:
        out = x * y * factor
        ctx.save_for_backward(x, y, out)
        ctx.factor = factor
        return out, x + y

    @staticmethod
    def backward(ctx: Any, g: Any, h: Any) -> Any:
        x, y, _ = ctx.saved_tensors
        return g * y * ctx.factor + h, g * x * ctx.factor + h, None


def custom(x: Any) -> Any:
    a, b = Product.apply(x, x + 1.0, 3.0)
    return (a * b).sum()


def hooked(x: Any) -> Any:
    y = x * 2.0
    z = y.exp()
    z.retain_grad()
    y.register_hook(lambda g: g * 2)
    z.grad_fn.register_hook(lambda gi, go: None)
    z.grad_fn.register_prehook(lambda go: None)
    cr.autograd.graph.register_multi_grad_hook((y, z), lambda grads: None)
    z.grad_fn.metadata["note"] = "of the user"
    return z.sum()


def packed(x: Any) -> Any:
    with cr.autograd.graph.saved_tensors_hooks(lambda t: [t.numpy(force=True)], lambda found: cr.from_numpy(found[0])):
        y = (x * x).exp()
    with cr.autograd.graph.save_on_cpu():
        return (y.sin() * x).sum()


def checkpointed(x: Any) -> Any:
    y = checkpoint(lambda t: (t * t).exp().sin(), x * 1.0, use_reentrant=False)
    return y.sum()


GRAPHS = (arithmetic, network, parts, indexed, narrow, written, of_numpy, through_views, custom, hooked, packed, checkpointed)


@pytest.mark.parametrize("graph", GRAPHS)
def test_a_dropped_graph_dies(graph: Callable[[Any], Any]) -> None:
    x = leaf(2, 3)
    y = graph(x)
    watched = Watched(y)
    del x, y
    assert watched.alive() == []


@pytest.mark.parametrize("graph", GRAPHS)
def test_after_backward_too(graph: Callable[[Any], Any]) -> None:
    x = leaf(2, 3)
    y = graph(x)
    before = Watched(y)
    y.backward()
    after = Watched(y, x.grad)
    del y
    assert [name for name in before.alive() if name.endswith(("0", "Slices"))] == [], "nodes outlive the graph"
    del x
    assert before.alive() == after.alive() == []


@pytest.mark.parametrize("graph", GRAPHS)
def test_after_a_second_derivative_too(graph: Callable[[Any], Any]) -> None:
    x = leaf(2, 3)
    y = graph(x)
    (slope,) = cr.autograd.grad(y, x, create_graph=True)
    watched = Watched(y, slope)
    if slope.requires_grad:
        (second,) = cr.autograd.grad(slope.sum(), x, allow_unused=True, create_graph=True)
        watched_too = Watched(second)
        del second
    else:
        watched_too = Watched()
    del x, y, slope
    assert watched.alive() == watched_too.alive() == []


def test_intermediate_values_die_before_the_graph_if_no_rule_wants_them() -> None:
    x = leaf(100)
    a = x + 1.0
    array = weakref.ref(a.array)
    y = a - x
    del a
    assert array() is None
    y.sum().backward()
    assert x.grad.tolist() == [0.0] * 100


def test_saved_values_die_with_the_pass() -> None:
    x = leaf(10)
    y = x.exp()
    saved = weakref.ref(y.array)
    z = y * y
    del y
    assert saved() is not None
    z.sum().backward(retain_graph=True)
    assert saved() is not None
    z.sum().backward()
    assert saved() is None
    assert z.node is not None


def test_hooks_and_retained_gradients_make_no_cycle() -> None:
    x = leaf(3)
    y = x * x
    seen: list[Any] = []
    x.register_hook(lambda g: seen.append(1))
    y.register_hook(lambda g: g * 2)
    y.retain_grad()
    a, b = (y * y).split([1, 2])
    a.register_hook(lambda g: None)
    b.retain_grad()
    z = a.sum() + b.sum()
    z.backward()
    watched = Watched(x, y, a, b, z, y.grad, b.grad)
    assert seen == [1]
    del x, y, z, a, b
    assert watched.alive() == []


def test_a_retaining_tensor_is_not_kept_by_its_node() -> None:
    x = leaf(3)
    y = x * x
    y.retain_grad()
    tensor = weakref.ref(y)
    z = y.sum()
    del y
    assert tensor() is None
    z.backward()
    assert x.grad is not None


def test_a_failed_pass_leaves_nothing_behind() -> None:
    x = leaf(3)
    y = x.exp()
    y.register_hook(lambda g: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        y.sum().backward()
    watched = Watched(x, y)
    del x, y
    assert watched.alive() == []


def test_1000_hessian_vector_products_leave_the_collector_nothing() -> None:
    x, v = leaf(4), cr.ones(4, dtype=cr.float64)
    for k in range(1001):
        y = (x * x * x.sin()).sum()
        (slope,) = cr.autograd.grad(y, x, create_graph=True)
        (product,) = cr.autograd.grad((slope * v).sum(), x)
        if k == 0:
            gc.collect()  # code is generated for the calls when they are first made
    del y, slope, product
    assert gc.collect() == 0


@pytest.mark.parametrize("graph", GRAPHS)
def test_the_collector_finds_nothing(graph: Callable[[Any], Any]) -> None:
    for k in range(20):
        x = leaf(2, 3)
        y = graph(x)
        assert repr(y)
        assert y.grad_fn.next_functions
        y.backward()
        if k == 0:
            gc.collect()  # what is made once, at a first call
    del x, y
    assert gc.collect() == 0


# Long chains


@pytest.mark.parametrize("length", [200_000])
def test_a_long_chain_needs_no_recursion(length: int) -> None:
    assert sys.getrecursionlimit() <= 10_000
    x = cr.ones((), requires_grad=True)
    y = x
    for _ in range(length // 2):
        y = y * 1.0
        y = y + 0.0
    assert repr(y) == "tensor(1., grad_fn=<AddBackward0>)"
    assert "MulBackward0" in repr(y.grad_fn.next_functions)
    y.backward(retain_graph=True)
    assert x.grad.item() == 1.0
    (slope,) = cr.autograd.grad(y, x, retain_graph=True)
    assert slope.item() == 1.0
    first = weakref.ref(y.node.edge_x)
    del y
    assert first() is None


def test_a_long_chain_of_the_generic_path() -> None:
    x = cr.ones(1, requires_grad=True)
    y = x
    for _ in range(20_000):
        y = cr.cat([y])
        y = y.clamp(0, 2)
    y.backward()
    assert x.grad.tolist() == [1.0]
    del y


def test_a_long_chain_under_create_graph() -> None:
    x = cr.tensor(1.0, dtype=cr.float64, requires_grad=True)
    y = x
    for _ in range(5_000):
        y = y * x
    (slope,) = cr.autograd.grad(y, x, create_graph=True)
    (second,) = cr.autograd.grad(slope, x)
    assert (slope.item(), second.item()) == (5001.0, 5001.0 * 5000.0)
    del y, slope


# Identity


def test_grad_fn_is_one_object_while_someone_holds_it() -> None:
    x = leaf(3)
    y = x * 2.0
    fn = y.grad_fn
    assert y.grad_fn is y.grad_fn is fn
    z = y + y
    assert z.grad_fn.next_functions[0][0] is z.grad_fn.next_functions[1][0] is fn
    ref = weakref.ref(fn)
    del fn
    assert ref() is None


def test_accumulate_grad_is_one_per_leaf_and_holds_it() -> None:
    x = leaf(3)
    ends = [f(x).grad_fn.next_functions[0][0] for f in (lambda x: x * 2.0, cr.sin, lambda x: x[1:])]
    assert ends[0] is ends[1] is ends[2]
    assert ends[0].variable is x
    other = leaf(3)
    assert (other * 2.0).grad_fn.next_functions[0][0] is not ends[0]
    tensor = weakref.ref(x)
    del x
    assert tensor() is not None  # the accumulator holds its leaf
    ends.clear()
    assert tensor() is None


def test_a_new_leaf_at_an_old_address_is_another() -> None:
    for _ in range(100):
        x = leaf(1)
        assert (x * 1.0).grad_fn.next_functions[0][0].variable is x


# Gradients are owned


def owned(*leaves: cr.Tensor, others: tuple[Any, ...] = ()) -> None:
    """Every gradient is writable and shares no memory with anything else."""
    arrays = [leaf.grad.array for leaf in leaves]
    for k, array in enumerate(arrays):
        assert array.flags.writeable
        assert array.flags.owndata
        for other in (*arrays[:k], *(o.array if isinstance(o, cr.Tensor) else o for o in others)):
            assert not np.shares_memory(array, other)


PASSED_ON: dict[str, Callable[[Any, Any], Any]] = {  # each hands the same cotangent to both leaves
    "a + b": lambda a, b: a + b,
    "a + b + a": lambda a, b: a + b + a,
    "reshape": lambda a, b: a.reshape(3, 2).reshape(2, 3) + b.T.T,
    "slices": lambda a, b: cr.cat([a, b])[:2] + cr.cat([a, b])[2:],
    "clone": lambda a, b: a.clone() + b.clone(),
    "stack": lambda a, b: cr.stack([a, b]).sum(0),
    "where": lambda a, b: cr.where(cr.tensor(True), a, 0.0) + cr.where(cr.tensor(True), b, 0.0),
}


@pytest.mark.parametrize("name", PASSED_ON)
def test_gradients_share_no_memory(name: str) -> None:
    a, b, g = leaf(2, 3), leaf(2, 3), cr.ones(2, 3, dtype=cr.float64)
    PASSED_ON[name](a, b).backward(g)
    owned(a, b, others=(g, a, b))
    a.grad.zero_()
    b.grad += 5
    assert g.tolist() == [[1.0] * 3] * 2
    assert a.grad.tolist() == [[0.0] * 3] * 2


BROADCAST: dict[str, tuple[tuple[int, ...], Callable[[Any], Any]]] = {
    "sum": ((3,), lambda a: a.sum()),
    "sum of many": ((100, 100), lambda a: a.sum()),
    "sum axis": ((3, 2), lambda a: a.sum(0).sum()),
    "mean": ((2, 2), lambda a: a.mean()),
    "expand": ((3,), lambda a: a.expand(2, 3).sum()),
    "expand of one": ((1,), lambda a: a.expand(1).sum()),
    "itself": ((), lambda a: a),
    "view": ((1,), lambda a: a.view(())),
    "transpose": ((2, 3), lambda a: (a.T * cr.ones(3, 2, dtype=cr.float64)).sum()),
    "diagonal": ((2, 2), lambda a: a.diagonal().sum()),
}


@pytest.mark.parametrize("name", BROADCAST)
def test_the_gradient_of_one_leaf_is_an_array_of_its_own(name: str) -> None:
    shape, f = BROADCAST[name]
    a = leaf(*shape)
    for _ in range(2):
        a.grad = None
        f(a).backward()
        owned(a, others=(a,))
        a.grad.fill_(9.0)  # must not be seen by the next pass
    (g,) = cr.autograd.grad(f(a), a)
    assert g.array.flags.writeable
    assert float(g.array.ravel()[0]) != 9.0


def test_two_gradients_of_one_pass_are_two_arrays() -> None:
    a, b = leaf(2), leaf(2)
    g, h = cr.autograd.grad((a + b).sum(), (a, b))
    assert not np.shares_memory(g.array, h.array)
    y = a + b
    (k,) = cr.autograd.grad(y, y, seed := cr.ones(2, dtype=cr.float64))
    assert not np.shares_memory(k.array, seed.array)


def test_accumulation_adds_in_place_into_what_the_user_holds() -> None:
    a = leaf(2)
    a.sum().backward()
    held = a.grad
    a.sum().backward()
    assert a.grad is held
    assert held.tolist() == [2.0, 2.0]


def test_an_assigned_gradient_may_be_read_only() -> None:
    a = leaf(2)
    fixed = np.broadcast_to(np.float64(1.0), (2,))
    a.grad = cr.from_numpy(fixed) if fixed.flags.writeable else cr.tensor([1.0, 1.0], dtype=cr.float64).expand(2)
    a.sum().backward()
    assert a.grad.tolist() == [2.0, 2.0]
