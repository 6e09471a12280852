"""NumPy's functions on tensors are recorded; tensors become arrays and numbers; arrays take part."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.special

import chainrule as cr
from tests.oracle import agree, raises

A = np.array([[0.5, -1.5, 2.0], [1.0, 0.25, 3.0]])
V = np.array([0.5, 1.5, 2.5])

# A function of arrays: the tensor's result has the array's values, its gradient that of central differences.
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "sin": lambda a: np.sin(a),
    "exp": lambda a: np.exp(a),
    "abs": lambda a: np.abs(a),
    "square": lambda a: np.square(a),
    "sqrt": lambda a: np.sqrt(a * a + 1),
    "tanh": lambda a: np.tanh(a),
    "negative": lambda a: np.negative(a),
    "log1p": lambda a: np.log1p(a * a),
    "arctan": lambda a: np.arctan(a),
    "maximum": lambda a: np.maximum(a, 0.3),
    "power": lambda a: np.power(a, 3),
    "multiply": lambda a: np.multiply(a, A),
    "arctan2": lambda a: np.arctan2(a, A + 4),
    "sum": lambda a: np.sum(a),
    "sum axis": lambda a: np.sum(a, axis=0),
    "sum keepdims": lambda a: np.sum(a, axis=1, keepdims=True),
    "mean": lambda a: np.mean(a, axis=1),
    "prod": lambda a: np.prod(a, axis=0),
    "max": lambda a: np.max(a, axis=1),
    "min": lambda a: np.min(a),
    "var": lambda a: np.var(a),
    "std": lambda a: np.std(a, axis=0),
    "cumsum": lambda a: np.cumsum(a),
    "cumsum axis": lambda a: np.cumsum(a, axis=1),
    "where": lambda a: np.where(A > 0, a, 0.0),
    "dot": lambda a: np.dot(a, V),
    "where of itself": lambda a: np.where(a > 0, a * 2, -a),
    "matmul": lambda a: np.matmul(a, V),
    "outer": lambda a: np.outer(a, V),
    "einsum": lambda a: np.einsum("ij,j->i", a, V),
    "tensordot": lambda a: np.tensordot(a, A.T, 1),
    "transpose": lambda a: np.transpose(a),
    "reshape": lambda a: np.reshape(a, (3, 2)),
    "ravel": lambda a: np.ravel(a),
    "concatenate": lambda a: np.concatenate([a, a]),
    "concatenate with arrays": lambda a: np.concatenate([A, a], axis=1),
    "stack": lambda a: np.stack([a, A]),
    "clip": lambda a: np.clip(a, 0, 2.5),
    "expand_dims": lambda a: np.expand_dims(a, 0),
    "squeeze": lambda a: np.squeeze(a[None]),
    "flip": lambda a: np.flip(a, 1),
    "roll": lambda a: np.roll(a, 1, axis=0),
    "tile": lambda a: np.tile(a, (2, 1)),
    "repeat": lambda a: np.repeat(a, 2, axis=0),
    "broadcast_to": lambda a: np.broadcast_to(a, (2, 2, 3)),
    "diagonal": lambda a: np.diagonal(a),
    "tril": lambda a: np.tril(a),
    "triu": lambda a: np.triu(a, 1),
    "pad": lambda a: np.pad(a, ((0, 1), (1, 0))),
    "sort": lambda a: np.sort(a, axis=1),
    "norm": lambda a: np.linalg.norm(a),
    "swapaxes": lambda a: np.swapaxes(a, 0, 1),
    "moveaxis": lambda a: np.moveaxis(a, 0, 1),
    "split": lambda a: np.split(a, 3, axis=1)[1],
    "det": lambda a: np.linalg.det(a @ a.T + np.eye(2)),
    "inv": lambda a: np.linalg.inv(a @ a.T + np.eye(2)),
    "solve": lambda a: np.linalg.solve(np.eye(2) * 2 + a @ a.T, a),
    "array * tensor": lambda a: A * a,
    "array + tensor": lambda a: A + a,
    "array - tensor": lambda a: A - a,
    "array / tensor": lambda a: A / a,
    "array @ tensor": lambda a: A.T @ a,
    "tensor @ array": lambda a: a @ A.T,
    "array ** tensor": lambda a: (A * A) ** a,
    "scalar * tensor": lambda a: np.float64(2) * a,
    "tensor - scalar": lambda a: a - np.float64(2),
}


PROGRAMS = """
torch.tensor(2.5).item(), torch.tensor([3]).item(), torch.tensor(True).item(), torch.tensor(1j).item()

torch.tensor([[1, 2], [3, 4]]).tolist(), torch.tensor(1.5).tolist(), torch.tensor([]).tolist()

torch.tensor([0.1]).item(), torch.tensor([0.1], dtype=torch.half).item(), torch.tensor([0.1], dtype=torch.bfloat16).item()

torch.ones(2).numpy(), torch.ones(2).numpy().dtype, torch.tensor([1]).numpy().dtype, torch.tensor([True]).numpy()

np.array(torch.ones(2)), np.asarray(torch.ones(2, 2)), np.array(torch.tensor([1, 2])).dtype

np.array(torch.ones(2), dtype=np.float64).dtype

x = torch.ones(2, requires_grad=True)
x.detach().numpy(), x.numpy(force=True)

[t for t in torch.tensor([1., 2.], requires_grad=True)]

a, b = torch.tensor([1., 2.], requires_grad=True)
(a * b).backward()
a.grad_fn

for row in torch.arange(4).reshape(2, 2):
    print(row)

list(torch.arange(3)), sum(torch.arange(4)), max(torch.tensor([1, 3, 2]))

float(torch.tensor(2.5)), int(torch.tensor(2.9)), bool(torch.tensor(0.)), complex(torch.tensor(1.5))

float(torch.tensor([[2.5]])), int(torch.tensor([7])), bool(torch.tensor([[1]]))

'{}'.format(torch.tensor(2.5, requires_grad=True) * 2), f'{torch.tensor(2.567, requires_grad=True):.1f}', '%.2f' % torch.tensor(2.567), f'{torch.tensor(2.567):.1f}', f'{torch.ones(2)}', f'{torch.tensor(3)}', '{:5d}'.format(torch.tensor(3))

[10, 20, 30][torch.tensor(1)], list(range(torch.tensor(3))), 'a' * torch.tensor(2)

2 in torch.tensor([1, 2]), 5 in torch.tensor([1, 2]), torch.tensor(2) in torch.tensor([1, 2])

len(torch.ones(3, 2)), len(torch.ones(0))

hash(x := torch.ones(1)) == hash(y := torch.ones(1)), {x: y} is None

x = torch.ones(2)
x == None, x != None, x == 'a'

x = torch.tensor([1., 2.])
x == np.array([1., 3.]), x == 1, x != x, x is x

round(torch.tensor(2.7)), divmod(torch.tensor(7), 2), abs(torch.tensor(-2)), math.sqrt(torch.tensor(4.)), math.floor(torch.tensor(2.5))

torch.tensor([1., 2.]).numpy() @ torch.tensor([1., 2.]).numpy()

torch.from_numpy(np.array([1., 2.])) * np.array([3., 4.])

torch.ones(2) * np.array([3., 4.], np.float32)

torch.ones(2) + np.float32(1), torch.ones(2) + np.int64(1), torch.tensor([1]) + np.float64(0.5)

torch.ones(2).data.numpy(), torch.ones(2).cpu().numpy(), torch.ones(2).detach().cpu().numpy()

sorted([torch.tensor(3), torch.tensor(1)])

str(torch.ones(2)), repr(torch.ones(2, requires_grad=True) * 2)

torch.tensor(3).__index__(), torch.tensor(True).__index__()

import copy
x = torch.ones(2, requires_grad=True)
y = copy.deepcopy(x)
y, y is x, y.is_leaf, copy.copy(x) is x

import pickle
x = torch.ones(2, requires_grad=True)
pickle.loads(pickle.dumps(x))
""".strip().split("\n\n")  # noqa: E501


@pytest.mark.parametrize("name", FUNCTIONS)
def test_numpy_functions_are_recorded(name: str) -> None:
    fun = FUNCTIONS[name]
    x = cr.tensor(A, requires_grad=True)
    out, expected = fun(x), fun(A)
    assert isinstance(out, cr.Tensor)
    assert out.requires_grad
    assert out.dtype is cr.float64
    np.testing.assert_allclose(out.detach().numpy(), expected, rtol=1e-12)
    weight = np.linspace(1, 2, expected.size).reshape(expected.shape)
    out.backward(cr.tensor(weight))
    slopes = np.empty_like(A)
    for place in np.ndindex(*A.shape):
        step = np.zeros_like(A)
        step[place] = 1e-6
        slopes[place] = ((fun(A + step) - fun(A - step)) * weight).sum() / 2e-6
    np.testing.assert_allclose(x.grad.numpy(), slopes, rtol=1e-6, atol=1e-8)


def test_comparisons_and_rounding_give_tensors_without_history() -> None:
    x = cr.tensor(A, requires_grad=True)
    for out in (np.greater(x, 0), x > A, np.isnan(x), np.argmax(x), np.argsort(x), np.equal(x, A)):
        assert isinstance(out, cr.Tensor)
        assert not out.requires_grad
    assert np.less(x, A).dtype is cr.bool


def test_what_is_not_in_the_table_says_its_name() -> None:
    x = cr.tensor(A)
    with pytest.raises(TypeError, match=r"numpy\.unique"):
        np.unique(x)
    with pytest.raises(TypeError, match=r"numpy\.quantile with method='nearest'"):
        np.quantile(x, 0.5, method="nearest")
    with pytest.raises(TypeError, match=r"scipy\.special\.ellipkm1"):
        scipy.special.ellipkm1(x)


def test_a_float32_tensor_stays_float32_with_python_and_numpy_numbers() -> None:
    x = cr.ones(2, requires_grad=True)
    for out in (
        x * 2.0,
        x * np.float64(2),
        np.float64(2) * x,
        np.multiply(x, 2.0),
        np.sin(x),
        np.sum(x),
        np.where(x > 0, x, 0.0),
    ):
        assert isinstance(out, cr.Tensor)
        assert out.dtype is cr.float32
    assert (x * np.ones(2)).dtype is cr.float64


def test_arrays_are_never_changed_by_arithmetic_with_tensors() -> None:
    a = np.ones(2)
    x = cr.ones(2, dtype=cr.float64, requires_grad=True)
    (a * x + a).sum().backward()
    assert a.tolist() == [1.0, 1.0]


def test_an_array_does_not_swallow_a_tensor_in_place() -> None:
    a = np.ones(2)
    x = cr.ones(2, dtype=cr.float64, requires_grad=True)
    try:
        a += x
    except (TypeError, RuntimeError):
        return
    assert isinstance(a, cr.Tensor)  # rebound, and recorded
    assert a.requires_grad


@pytest.mark.torch
@pytest.mark.parametrize(
    "program",
    PROGRAMS,
)
def test_as_torch(program: str) -> None:
    agree(program)


@pytest.mark.torch
@pytest.mark.parametrize(
    "program",
    [
        "np.array(torch.ones(2, requires_grad=True))",
        "np.asarray(torch.ones(2, requires_grad=True) * 2)",
        "torch.ones(2, requires_grad=True).numpy()",
    ],
)
def test_refused_as_torch_does(program: str) -> None:
    raises(
        program, part="Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead."
    )
