"""MXNet's face: recording on request, gradients written or added, and graphs that are built first."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule.mxnet as mx
from chainrule.mxnet import autograd, nd, sym


def test_the_lecture_with_an_explicit_graph() -> None:
    a, b = sym.var("a"), sym.var("b")
    c = 2 * a + b
    assert repr(c).startswith("<Symbol _plus")
    assert c.list_arguments() == ["a", "b"]
    assert c.infer_shape(a=(2, 1), b=(2, 1)) == ([(2, 1), (2, 1)], [(2, 1)], [])
    (value,) = c.eval(a=nd.ones((2, 1)), b=nd.ones((2, 1)))
    assert repr(value) == "\n[[3.]\n [3.]]\n<NDArray 2x1 @cpu(0)>"


def test_the_lecture_with_an_implicit_graph() -> None:
    with autograd.record():
        a = nd.ones((2, 1))
        b = nd.ones((2, 1))
        c = 2 * a + b
    assert c.asnumpy().tolist() == [[3.0], [3.0]]


def test_gradients_are_written() -> None:
    x = nd.arange(4)
    x.attach_grad()
    assert x.grad.asnumpy().tolist() == [0, 0, 0, 0]
    for _ in range(2):
        with autograd.record():
            y = 2 * nd.dot(x, x)
        assert y.shape == (1,)
        assert y.asscalar() == 28.0
        y.backward()
        assert x.grad.asnumpy().tolist() == [0, 4, 8, 12]


def test_gradients_are_added_on_request() -> None:
    x = nd.array([1.0, 2.0])
    x.attach_grad(grad_req="add")
    for _ in range(3):
        with autograd.record():
            y = (x * x).sum()
        y.backward()
    assert x.grad.asnumpy().tolist() == [6, 12]


def test_other_gradients_stay() -> None:
    x, z = nd.array([1.0]), nd.array([5.0])
    x.attach_grad()
    z.attach_grad()
    with autograd.record():
        y = x * x
    y.backward()
    with autograd.record():
        y = z * 3
    y.backward()
    assert (x.grad.asscalar(), z.grad.asscalar()) == (2.0, 3.0)


def test_nothing_is_recorded_outside() -> None:
    x = nd.ones(2)
    x.attach_grad()
    y = x * 2
    with pytest.raises(RuntimeError, match="not in a computational graph"):
        y.backward()
    with autograd.record():
        assert autograd.is_recording()
        assert autograd.is_training()
        with autograd.pause():
            assert not autograd.is_recording()
            z = x * 2
        w = x * 3
        with autograd.predict_mode():
            assert not autograd.is_training()
    assert not z.tensor.requires_grad
    w.backward()
    assert x.grad.asnumpy().tolist() == [3, 3]


def test_detach_head_gradients_and_control_flow() -> None:
    x = nd.array([1.0, 2.0])
    x.attach_grad()
    with autograd.record():
        u = (x * x).detach()
        y = u * x
    y.backward()
    assert (x.grad == u).asnumpy().tolist() == [1, 1]
    with autograd.record():
        y = x * x
    y.backward(nd.array([1.0, 10.0]))
    assert x.grad.asnumpy().tolist() == [2, 40]

    def f(a: nd.NDArray) -> nd.NDArray:
        b = a * 2
        while b.norm() < 1000:
            b = b * 2
        return b if b.sum() > 0 else 100 * b

    a = nd.array([0.37])
    a.attach_grad()
    with autograd.record():
        d = f(a)
    d.backward()
    assert a.grad == d / a


def test_gradients_as_values() -> None:
    x = nd.array([3.0])
    x.attach_grad()
    with autograd.record():
        (slope,) = autograd.grad([x * x * x], [x], create_graph=True)
        y = slope * 1
    y.backward()
    assert (slope.asscalar(), x.grad.asscalar()) == (27.0, 18.0)


def test_binding_a_graph() -> None:
    x, w = sym.var("x"), sym.var("w")
    loss = sym.sum(sym.square(sym.dot(x, w)))
    matrix, weights = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([1.0, -1.0])
    args = {"x": nd.array(matrix), "w": nd.array(weights)}
    grads = {"w": nd.zeros(2)}
    executor = loss.bind(mx.cpu(), args, args_grad=grads)
    (out,) = executor.forward(is_train=True)
    assert out.asscalar() == 2.0
    executor.backward()
    np.testing.assert_allclose(grads["w"].asnumpy(), 2 * matrix.T @ (matrix @ weights))
    (out,) = executor.forward(w=nd.array([0.0, 0.0]))
    assert out.asscalar() == 0.0
    with pytest.raises(RuntimeError, match="is_train=True"):
        executor.backward()
    with pytest.raises(ValueError, match="no value for x"):
        loss.bind(mx.cpu(), {"w": args["w"]})
    simple = loss.simple_bind(mx.cpu(), x=(2, 2), w=(2,))
    assert simple.forward()[0].asscalar() == 0.0


def test_arrays() -> None:
    x = nd.array([[1, 2], [3, 4]])
    assert (x.dtype, x.shape, x.size, x.ndim, x.context) == (np.float32, (2, 2), 4, 2, mx.cpu())
    assert nd.array(np.array([1, 2])).dtype is np.int64
    assert x.T.asnumpy().tolist() == [[1, 3], [2, 4]]
    x[0] = 9
    x += 1
    assert x.asnumpy().tolist() == [[10, 10], [4, 5]]
    assert (x > 4).asnumpy().tolist() == [[1, 1], [0, 1]]
    assert nd.full((1, 2), 3.0).asnumpy().tolist() == [[3, 3]]
    assert x.astype("float64").dtype is np.float64
    assert repr(nd.relu(-x).sum()) == "\n[0.]\n<NDArray 1 @cpu(0)>"
    mx.random.seed(3)
    first = mx.random.uniform(shape=(2, 2)).asnumpy().tolist()
    mx.random.seed(3)
    assert mx.random.uniform(shape=(2, 2)).asnumpy().tolist() == first
    with pytest.raises(RuntimeError, match="not available"):
        mx.gpu()


@pytest.mark.parametrize(("owner", "name", "near"), [(nd, "onez", "ones"), (sym, "vari", "var"), (mx, "nb", ""), (autograd, "recrd", "record")])
def test_what_is_missing_says_so(owner: object, name: str, near: str) -> None:
    with pytest.raises(AttributeError, match=f"does not have it.*{near}"):
        getattr(owner, name)


def test_keywords_random_arrays_and_requests() -> None:
    x = nd.array([1.0, 2.0])
    assert nd.sum(data=x).asscalar() == 3
    assert nd.random.normal(shape=(2, 3)).shape == (2, 3)
    assert (x == None) is False  # noqa: E711
    x.attach_grad("null")
    assert x.grad is None
    for request in (lambda: x.attach_grad("foo"), lambda: sym.var("a").bind(None, {"a": x}, grad_req="foo")):
        with pytest.raises(ValueError, match="grad_req"):
            request()


def test_values_of_another_shape_change_nothing() -> None:
    bound = (sym.var("a") + sym.var("b")).bind(None, {"a": nd.ones(2), "b": nd.ones(2)})
    with pytest.raises(ValueError, match="b has the shape"):
        bound.forward(a=nd.zeros(2), b=nd.ones(3))
    assert bound.arg_dict["a"].asnumpy().tolist() == [1, 1]


def test_what_a_symbol_says_of_itself() -> None:
    c = 2 * sym.var("a") + sym.var("b")
    assert sym.var("a").list_outputs() == ["a"]
    assert c.list_outputs() == [f"{c.name}_output"]
    assert [s.name for s in c.get_internals()][-1] == c.name
    assert {"a", "b"} < {s.name for s in c.get_internals()}
