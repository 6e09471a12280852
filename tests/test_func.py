"""torch.func: derivatives of functions of trees, nested in each other, against closed forms and torch."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

import chainrule as cr
from chainrule import func

Scalar = Callable[[Any], Any]

FUNCTIONS: dict[str, tuple[Scalar, list[Callable[[float], float]]]] = {  # with their derivatives, by order
    "sin": (cr.sin, [math.sin, math.cos, lambda x: -math.sin(x), lambda x: -math.cos(x)]),
    "exp": (cr.exp, [math.exp] * 4),
    "cube": (lambda x: x**3, [lambda x: x**3, lambda x: 3 * x**2, lambda x: 6 * x, lambda x: 6.0]),
    "log": (cr.log, [math.log, lambda x: 1 / x, lambda x: -1 / x**2, lambda x: 2 / x**3]),
    "reciprocal": (lambda x: 1 / x, [lambda x: 1 / x, lambda x: -1 / x**2, lambda x: 2 / x**3, lambda x: -6 / x**4]),
    "sqrt": (cr.sqrt, [math.sqrt, lambda x: 0.5 * x**-0.5, lambda x: -0.25 * x**-1.5, lambda x: 0.375 * x**-2.5]),
    "product": (lambda x: x * cr.sin(x), [lambda x: x * math.sin(x), lambda x: math.sin(x) + x * math.cos(x),
                lambda x: 2 * math.cos(x) - x * math.sin(x), lambda x: -3 * math.sin(x) - x * math.cos(x)]),
    "tanh": (cr.tanh, [math.tanh, lambda x: 1 - math.tanh(x) ** 2, lambda x: -2 * math.tanh(x) * (1 - math.tanh(x) ** 2),
                       lambda x: (1 - math.tanh(x) ** 2) * (6 * math.tanh(x) ** 2 - 2)]),
    "through a view": (lambda x: (x.expand(3) * cr.arange(3.0, dtype=cr.float64)).sum(), [lambda x: 3 * x, lambda x: 3.0,
                       lambda x: 0.0, lambda x: 0.0]),
    "in place": (lambda x: _in_place(x), [lambda x: x**4, lambda x: 4 * x**3, lambda x: 12 * x**2, lambda x: 24 * x]),
    "matrix": (lambda x: cr.stack([x, x * x]) @ cr.stack([x, x * x]), [lambda x: x**2 + x**4, lambda x: 2 * x + 4 * x**3,
               lambda x: 2 + 12 * x**2, lambda x: 24 * x]),
    "choice": (lambda x: cr.where(x > 0, x * x, -x), [lambda x: x * x, lambda x: 2 * x, lambda x: 2.0, lambda x: 0.0]),
}  # fmt: skip


def _in_place(x: Any) -> Any:
    y = cr.zeros(2, dtype=cr.float64)
    y[0] = x * x
    y[1:] = y[0]
    y.mul_(y[0])
    return y[1]


def along(f: Scalar) -> Scalar:
    """The derivative in forward mode."""
    return lambda x: func.jvp(f, (x,), (cr.ones_like(x),))[1]


def pulled(f: Scalar) -> Scalar:
    """The derivative by way of `vjp`."""

    def slope(x: Any) -> Any:
        value, back = func.vjp(f, x)
        return back(cr.ones_like(value))[0]

    return slope


def linearized(f: Scalar) -> Scalar:
    """The derivative by way of `linearize`."""
    return lambda x: func.linearize(f, x)[1](cr.ones_like(x))


def recorded(f: Scalar) -> Scalar:
    """The derivative by autograd.grad, the caller's tape being kept."""

    def slope(x: Any) -> Any:
        with cr.enable_grad():
            t = x if x.requires_grad else x.clone()
            t.requires_grad = True
            return cr.autograd.grad(f(t), t, create_graph=True, materialize_grads=True)[0]

    return slope


MODES = {
    "grad": func.grad, "jvp": along, "vjp": pulled, "jacrev": func.jacrev, "jacfwd": func.jacfwd, "linearize": linearized,
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("inner", MODES)
def test_first_order(name: str, inner: str) -> None:
    f, wanted = FUNCTIONS[name]
    x = cr.tensor(0.7, dtype=cr.float64)
    found = MODES[inner](f)(x)
    assert found.item() == pytest.approx(wanted[1](0.7), rel=1e-12)
    assert not found.requires_grad


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("outer", MODES)
@pytest.mark.parametrize("inner", [*MODES, "recorded"])
def test_every_pair_of_modes(name: str, outer: str, inner: str) -> None:
    f, wanted = FUNCTIONS[name]
    x = cr.tensor(0.7, dtype=cr.float64)
    found = MODES[outer](MODES.get(inner, recorded)(f))(x)
    assert found.item() == pytest.approx(wanted[2](0.7), rel=1e-10, abs=1e-12)
    if inner != "recorded":
        assert not found.requires_grad


@pytest.mark.parametrize("name", ["sin", "cube", "product", "in place"])
@pytest.mark.parametrize("first", ["grad", "jvp", "linearize"])
@pytest.mark.parametrize("second", ["grad", "jvp", "vjp"])
@pytest.mark.parametrize("third", ["grad", "jvp", "jacfwd"])
def test_three_deep(name: str, first: str, second: str, third: str) -> None:
    f, wanted = FUNCTIONS[name]
    found = MODES[third](MODES[second](MODES[first](f)))(cr.tensor(0.7, dtype=cr.float64))
    assert found.item() == pytest.approx(wanted[3](0.7), rel=1e-10)


@pytest.mark.parametrize("outer", MODES)
@pytest.mark.parametrize("inner", MODES)
def test_perturbations_are_not_confused(outer: str, inner: str) -> None:
    one = cr.tensor(1.0, dtype=cr.float64)

    def f(x: Any) -> Any:  # d/dx (x d/dy (x + y)) = 1
        return x * MODES[inner](lambda y: x + y)(one)

    def g(x: Any) -> Any:  # d/dx (x d/dy (x y)) = 2x
        return x * MODES[inner](lambda y: x * y)(one)

    x = cr.tensor(3.0, dtype=cr.float64)
    assert MODES[outer](f)(x).item() == 1.0
    assert MODES[outer](g)(x).item() == 6.0


@pytest.mark.parametrize("order", range(1, 11))
def test_high_orders_forward(order: int) -> None:
    f: Scalar = cr.sin
    for _ in range(order):
        f = along(f)
    wanted = [math.sin, math.cos, lambda x: -math.sin(x), lambda x: -math.cos(x)][order % 4](0.7)
    assert f(cr.tensor(0.7, dtype=cr.float64)).item() == pytest.approx(wanted, rel=1e-10)


@pytest.mark.parametrize("order", range(1, 7))
def test_high_orders_in_reverse(order: int) -> None:
    f: Scalar = cr.sin
    for _ in range(order):
        f = func.grad(f)
    wanted = [math.sin, math.cos, lambda x: -math.sin(x), lambda x: -math.cos(x)][order % 4](0.7)
    assert f(cr.tensor(0.7, dtype=cr.float64)).item() == pytest.approx(wanted, rel=1e-10)


def test_captured_tensors_get_the_gradient_through_every_mode() -> None:
    x = cr.tensor([1.0, 2.0], dtype=cr.float64)
    for mode in (func.grad, lambda f: lambda x: func.jvp(f, (x,), (cr.ones_like(x),))[1], func.jacrev):
        w = cr.tensor([3.0, 4.0], dtype=cr.float64, requires_grad=True)
        mode(lambda x, w=w: (w * w * x).sum())(x).sum().backward()
        assert w.grad is not None
        assert w.grad.tolist() == [6.0, 8.0]


def test_a_level_ends_when_the_function_raises_and_its_tangents_with_it() -> None:
    kept: list[Any] = []

    def f(x: Any) -> Any:
        kept.append(x * 2)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        func.jvp(f, (cr.ones(2),), (cr.ones(2),))
    assert repr(kept[0]) == "tensor([2., 2.])"
    assert (kept[0] * 3).tolist() == [6.0, 6.0]
    assert func.jvp(lambda x: x * kept[0], (cr.ones(2),), (cr.ones(2),))[1].tolist() == [2.0, 2.0]


def test_products_of_the_jacobian_with_vectors_agree() -> None:
    cr.manual_seed(0)
    a = cr.randn(5, 3, dtype=cr.float64)

    def f(x: Any) -> Any:
        return cr.softmax(a @ x.sin(), 0) * (a @ x).exp()

    for _ in range(20):
        x, v, u = (cr.randn(n, dtype=cr.float64) for n in (3, 3, 5))
        _, push = func.jvp(f, (x,), (v,))
        _, back = func.vjp(f, x)
        (pull,) = back(u)
        assert (push * u).sum().item() == pytest.approx((v * pull).sum().item(), rel=1e-10)
        assert func.linearize(f, x)[1](v).tolist() == pytest.approx(push.tolist(), rel=1e-10)


def test_leaves_nothing_on_the_callers_tensors() -> None:
    x = cr.ones(2)
    func.grad(lambda x: (x * x).sum())(x)
    func.jvp(cr.sin, (x,), (x,))
    func.hessian(lambda x: (x**3).sum())(x)
    assert not x.requires_grad
    assert x.grad is None
    assert repr(x) == "tensor([1., 1.])"


@pytest.mark.parametrize("layout", [lambda: cr.zeros(2, 3, dtype=cr.float64), lambda: cr.zeros(3, 2, dtype=cr.float64).t()])
@pytest.mark.parametrize("way", [func.jacfwd, func.jacrev])
def test_views_from_before_a_write(layout: Any, way: Any) -> None:
    def f(x: Any) -> Any:
        y = layout()
        v = y[:, 1]
        y[0] = x * x
        y.mul_(x[2])
        return v

    x = cr.tensor([1.0, 2.0, 3.0], dtype=cr.float64)
    assert way(f)(x).tolist() == [[0.0, 12.0, 4.0], [0.0, 0.0, 0.0]]


def test_tangents_of_different_tensors_are_apart() -> None:
    def f(x: Any) -> Any:
        y = x + 1
        z = cr.stack([x])[0]
        y.mul_(3)
        z.mul_(5)
        return x * 1.0, y, z

    found = func.jvp(f, (cr.tensor([1.0, 2.0]),), (cr.tensor([1.0, 10.0]),))[1]
    assert [t.tolist() for t in found] == [[1.0, 10.0], [3.0, 30.0], [5.0, 50.0]]
    recorded = func.jvp(func.grad(lambda x: (f(x)[1] * x).sum()), (cr.tensor([1.0, 2.0]),), (cr.tensor([1.0, 10.0]),))[1]
    assert recorded.tolist() == [6.0, 60.0]


def test_hessian_of_several_outputs() -> None:
    found = func.hessian(lambda x: cr.stack([x[0] ** 3, x[0] * x[1]]))(cr.tensor([2.0, 3.0]))
    assert found.tolist() == [[[12.0, 0.0], [0.0, 0.0]], [[0.0, 1.0], [1.0, 0.0]]]


def test_what_is_passed_on_keeps_its_way_to_others() -> None:
    w = cr.tensor([3.0], requires_grad=True)

    def f(x: Any) -> Any:
        h = x.exp()
        return h.sum(), h * w

    slope, (value, aux) = func.grad_and_value(f, has_aux=True)(cr.tensor([0.0]))
    assert slope.tolist() == [1.0] and not value.requires_grad
    aux.sum().backward()
    assert w.grad.tolist() == [1.0]


@pytest.mark.parametrize("look", [lambda x: x.select(0, 1), lambda x: x[1:3], lambda x: x.view(2, 3).t()[1]])
def test_batched_cotangents_of_a_view_whose_base_was_written_to(look: Any) -> None:
    r, g = (cr.tensor([a], dtype=cr.float64, requires_grad=True) for a in (1.0, 0.7))
    x = cr.ones(6, dtype=cr.float64)
    v = look(x)
    x.add_(r)
    (slope,) = cr.autograd.grad(v, r, g.sum() * cr.ones(v.shape, dtype=cr.float64), create_graph=True)
    directions = cr.tensor([[2.0], [3.0]], dtype=cr.float64)
    (together,) = cr.autograd.grad(slope, g, directions, is_grads_batched=True, retain_graph=True)
    alone = [cr.autograd.grad(slope, g, d, retain_graph=True)[0].tolist() for d in directions]
    assert together.tolist() == alone


@pytest.mark.parametrize("layout", ["C", "F", "broadcast"])
def test_windows_on_samples_in_any_order_of_memory(layout: str) -> None:
    from chainrule.eager.specialise import F
    from chainrule.ops.strided import Window

    window = Window((2,), (2,), 1, (1,))
    values = cr.arange(10.0).reshape(2, 5)
    values = {"C": values, "F": values.t().contiguous().t(), "broadcast": values[:, :1].expand(2, 5)}[layout]
    found = func.vmap(lambda t: F.as_strided(t, window=window))(values)
    assert found.tolist() == [[row[1], row[3]] for row in values.tolist()]


KEYS = [0, slice(0, 1), [0], (0, slice(None)), (slice(0, 1), slice(None))]


@pytest.mark.parametrize("key", KEYS, ids=str)
@pytest.mark.parametrize("many", [False, True], ids=["one value", "a value for each sample"])
def test_what_is_stored_under_vmap_has_its_gradient(key: Any, many: bool) -> None:
    """Stored is the input of the derivative itself, whose history is none, not the result of a call."""

    def stored(x: Any, v: Any) -> Any:
        y = x.clone()
        y[key] = v
        return y

    x = cr.tensor([[[1.0, 2.0], [3.0, 4.0]]] * 2)
    v = cr.tensor([[5.0, 6.0], [7.0, 8.0]])
    axes, given = (((0, 0), v)) if many else (((0, None), v[0]))
    slope = func.vmap(lambda x, v: func.grad(lambda v: (stored(x, v) ** 2).sum())(v), axes)(x, given)
    assert slope.tolist() == [[10, 12], [14, 16] if many else [10, 12]]
    outside = func.grad(lambda v: (func.vmap(stored, axes)(x, v) ** 2).sum())(given)
    assert outside.tolist() == ([[10, 12], [14, 16]] if many else [20, 24])


def test_storing_leaves_the_history_of_what_is_stored_alone() -> None:
    x, v = cr.zeros(2, 2, 2), cr.tensor([1.0, 2.0])

    def both(x: Any, v: Any) -> Any:
        product, y = v * 3, x.clone()
        y[0] = product
        y[0] *= 2
        return (y * 10).sum() + product.sum()

    assert func.vmap(lambda x: func.grad(lambda v: both(x, v))(v))(x).tolist() == [[63, 63], [63, 63]]


def test_forward_mode_goes_through_what_vjp_and_linearize_return() -> None:
    x, along = cr.tensor([1.0, 2.0, 3.0], dtype=cr.float64), cr.tensor([1.0, 0.5, 2.0], dtype=cr.float64)
    _, pull = func.vjp(cr.sin, x)
    _, push = func.linearize(cr.sin, x)
    for line in (lambda q: pull(q * q)[0], lambda q: push(q * q)):
        assert cr.allclose(func.jvp(line, (x,), (along,))[1], x.cos() * 2 * x * along)
        assert cr.allclose(func.jacfwd(line)(x), cr.diag(x.cos() * 2 * x))
        assert cr.allclose(func.jacfwd(func.jacfwd(line))(x).sum((1, 2)), 2 * x.cos())
        assert cr.allclose(func.jacrev(func.jacfwd(line))(x).sum((1, 2)), 2 * x.cos())
    leaf = x.clone().requires_grad_()
    with cr.autograd.forward_ad.dual_level():
        seed = cr.autograd.forward_ad.make_dual(x, along)
        (slope,) = cr.autograd.grad(leaf.sin(), leaf, seed)
        assert cr.allclose(cr.autograd.forward_ad.unpack_dual(slope).tangent, x.cos() * along)


def test_a_complex_tangent_of_a_real_primal_is_refused() -> None:
    x = cr.tensor([1.0, 2.0])
    for tangent in (x * 1j, (x * 1j).to(cr.complex128)):
        with pytest.raises(TypeError, match=r"real tangent for a real primal, but got torch.complex"):
            func.jvp(lambda t: t * t, (x,), (tangent,))
        with cr.autograd.forward_ad.dual_level(), pytest.raises(TypeError, match="real tangent"):
            cr.autograd.forward_ad.make_dual(x, tangent)
    assert func.jvp(lambda t: t * t, (x * 1j,), (x,))[1].tolist() == [2j, 8j]  # a real one of a complex primal is no loss


def test_linearize_takes_tangents_like_its_primals_only() -> None:
    x = cr.tensor([1.0, 2.0])
    _, push = func.linearize(lambda t: t * t, x)
    for tangent, words in ((x.double(), r"dtype torch.float64 .* dtype torch.float32"), (cr.ones(3), r"shape .*3.* shape .*2"),
                           (1.0, "not a Tensor")):  # fmt: skip
        with pytest.raises(RuntimeError, match=words):
            push(tangent)
    with pytest.raises(RuntimeError, match="structure of the primals"):
        push(x, x)
    assert push(x).tolist() == [2, 8]


@pytest.mark.parametrize("loss", ["nll_loss", "cross_entropy", "multi_margin_loss"])
def test_class_weights_have_no_derivative_in_any_mode(loss: str) -> None:
    """Zero would be wrong, and nobody would see it."""
    x, target, weight = cr.eye(3), cr.tensor([0, 1, 2]), cr.tensor([1.0, 2.0, 3.0])

    def f(w: Any) -> Any:
        return getattr(cr.nn.functional, loss)(x, target, weight=w)

    leaf = weight.clone().requires_grad_()
    for asked in (lambda: f(leaf), lambda: func.grad(f)(weight), lambda: func.jvp(f, (weight,), (weight,)),
                  lambda: func.jacfwd(f)(weight), lambda: func.vmap(func.grad(f))(weight.expand(2, 3))):  # fmt: skip
        with pytest.raises(RuntimeError, match="is not differentiable with respect to argument 'weight'"):
            asked()
    with cr.no_grad():
        assert f(leaf).item() == f(weight).item()


def test_running_statistics_have_no_derivative_in_any_mode() -> None:
    x, m = cr.eye(3), cr.tensor([1.0, 2.0, 3.0])
    for f in (lambda w: cr.nn.functional.batch_norm(x, w, m).sum(), lambda w: cr.nn.functional.batch_norm(x, m, w).sum()):
        for asked in (lambda f=f: func.grad(f)(m), lambda f=f: func.jvp(f, (m,), (m,))):
            with pytest.raises(RuntimeError, match=r"'native_batch_norm' is not differentiable .* argument 'running_"):
                asked()


def test_an_ensemble_with_batch_norm_trains_its_running_statistics() -> None:
    layers = [cr.nn.BatchNorm1d(2) for _ in range(3)]
    parameters, buffers = func.stack_module_state(layers)
    x = cr.arange(24.0).reshape(3, 4, 2) ** 2

    def model(parameters: Any, buffers: Any, x: Any) -> Any:
        return func.functional_call(layers[0], (parameters, buffers), (x,))

    found = func.vmap(model)(parameters, buffers, x)
    for k, layer in enumerate(layers):
        assert cr.allclose(found[k], layer(x[k]), atol=1e-6)
        for name, buffer in layer.named_buffers():
            assert cr.allclose(buffers[name][k], buffer), name
    evaluated = func.vmap(lambda m, s, x: cr.nn.functional.batch_norm(x, m, s), in_dims=(0, 0, None))(
        buffers["running_mean"], buffers["running_var"], x[0])  # fmt: skip
    assert cr.allclose(evaluated[1], layers[1].eval()(x[0]), atol=1e-5)
    with pytest.raises(RuntimeError, match="inplace arithmetic"):
        func.vmap(lambda x: cr.nn.functional.batch_norm(x, cr.zeros(2), cr.ones(2), training=True))(x)


def test_equations_of_a_stack_with_a_vector_of_each_sample() -> None:
    stack, right = cr.stack([cr.eye(3) * 2, cr.eye(3) * 4]), cr.arange(6.0).reshape(2, 3)
    found = func.vmap(lambda b: cr.linalg.solve(stack, b))(right)
    assert found.tolist() == [cr.linalg.solve(stack, b).tolist() for b in right]
    slopes = func.vmap(func.grad(lambda b: (cr.linalg.solve(stack, b) ** 2).sum()))(right)
    assert cr.allclose(slopes, right * (2 / 4 + 2 / 16))


def test_after_a_write_to_what_it_made_a_function_is_still_called_sample_by_sample_where_it_must() -> None:
    def places(x: Any) -> Any:
        y = x * 1
        y[0] = 5.0
        return y.median(0).values

    x = cr.arange(6.0).reshape(2, 3)
    with pytest.warns(UserWarning, match="one sample after the other"):
        assert func.vmap(places)(x).tolist() == [places(row).item() for row in x]

    def to_argument(x: Any) -> Any:
        x[0] = x[0] + 1
        return x.median(0).values

    with pytest.raises(RuntimeError, match="looks at the values"):
        func.vmap(to_argument)(x)


def unrecorded(x: Any) -> Any:
    with cr.no_grad():
        return x * x


def stored_twice(x: Any) -> Any:
    y = x.clone()
    y[[0, 0]] = x[:2]
    return y


def overwritten(x: Any) -> Any:
    y = x.exp()
    return y.mul_(2) * y


AS_FORWARD = [unrecorded, stored_twice, overwritten, lambda x: x.mul_(2).sin(), lambda x: cr.nn.functional.dropout(x * x, 0.5),
              lambda x: cr.nn.functional.embedding(cr.tensor([0, 1]), x[:, None], padding_idx=1)]  # fmt: skip


@pytest.mark.parametrize("f", AS_FORWARD, ids=["no_grad", "places twice", "overwritten", "argument", "random", "padding"])
def test_linearize_is_the_forward_derivative(f: Any) -> None:
    x, along = cr.tensor([1.0, -2.0, 3.0]), cr.tensor([0.5, 1.5, -1.0])
    kept = x.clone()
    cr.manual_seed(0)
    value, push = func.linearize(f, x)
    assert x.equal(kept)
    state = cr.get_rng_state()
    x.zero_()
    value.zero_()
    slope = push(along)
    assert cr.get_rng_state().equal(state)
    cr.manual_seed(0)
    assert slope.equal(func.jvp(f, (kept.clone(),), (along.clone(),))[1])
    assert push(along).equal(slope)


def test_unfold_of_interleaved_samples_is_a_view() -> None:
    """Samples along the last axis lie between each other in memory: still each has its own."""

    def f(x: Any) -> Any:
        y = x * 1
        windows = y.unfold(0, 2, 1)
        y.tanh_()
        return (windows * cr.arange(1.0, 5.0).reshape(2, 2)).sum()

    x = cr.arange(6.0).reshape(3, 2)
    assert cr.allclose(func.vmap(f, in_dims=-1)(x), cr.stack([f(x[:, k]) for k in range(2)]))
    slopes = func.vmap(func.grad(f), in_dims=-1)(x)
    assert cr.allclose(slopes, cr.stack([func.grad(f)(x[:, k]) for k in range(2)]))
