"""What torch refuses because of dtypes, shapes or keys, and the results whose dtype is not NumPy's: the same here."""

from __future__ import annotations

import doctest

import numpy as np
import pytest

import chainrule as cr
from chainrule import errors
from chainrule.core import spec
from chainrule.core.primitive import TABLE
from chainrule.eager import refusals
from tests.oracle import agree

B, I = "torch.tensor([True, False])", "torch.tensor([2, -3])"
DTYPES = f"""
{B} - 3
3 - {B}
{B} - True
{B} - {B}
{I} - True
torch.tensor(True) - torch.ones(2)
torch.sub(torch.ones(2), {B}, alpha=2)
torch.rsub({B}, 1)
-{B}
{B}.neg()
{I} // 0
{I} % 0
5 // torch.tensor([0])
torch.fmod({I}, torch.tensor([1, 0]))
torch.fmod({I}, 0.0)
torch.div({I}, 0, rounding_mode='trunc')
torch.div({I}, 2, rounding_mode='trunc')
{I} ** -1
{I} ** torch.tensor([-1, 2])
torch.tensor([1, -1, -1, 0]) ** torch.tensor([-5, -2, -3, -1])
{B} ** True
{B} ** False
{B} ** 2
{B}.square()
{B}.sign()
{B}.conj()
torch.tensor([1], dtype=torch.int8).round()
{B}.relu()
torch.det(torch.eye(2).long())
torch.inverse(torch.eye(2).long())
linalg.solve(torch.eye(2), torch.ones(2).double())
linalg.solve(torch.eye(2), torch.ones(3))
linalg.solve(torch.zeros(3, 2, 2), torch.ones(3, 2))
torch.inverse(torch.stack([torch.eye(2), torch.zeros(2, 2)]))
torch.inverse(torch.tensor([[1., 2], [2, 4]]))
torch.mv(torch.ones(2, 2), torch.ones(2).double())
torch.ones(2, 2) @ torch.ones(2, 2).long()
torch.ones(2, 2).half() @ torch.ones(2, 2)
torch.bmm(torch.ones(2, 2, 2), torch.ones(2, 2, 2).double())
torch.allclose(torch.ones(2), torch.ones(2).double())
torch.isclose(torch.ones(2), torch.ones(3))
""".strip().splitlines()
SHAPES = """
torch.bmm(torch.ones(2, 2, 2), torch.ones(3, 2, 2))
torch.ones(2, 2, 2) @ torch.ones(3, 2)
torch.ones(2, 2, 2) @ torch.ones(3)
torch.ones(2, 2, 2) @ torch.ones(2, 3, 2)
torch.outer(torch.ones(2, 2), torch.ones(2))
torch.outer(torch.ones(2), 2)
torch.mm(torch.ones(2, 2), [1])
torch.trace(torch.ones(2))
torch.tensordot(torch.ones(2, 3), torch.ones(2, 3), 1)
torch.tensordot(torch.ones(2, 3), torch.ones(2, 3), ([1], [0]))
torch.einsum('ij,jk', torch.ones(2, 2))
torch.einsum('ij', torch.ones(2, 2), torch.ones(2, 2))
torch.einsum('i...', torch.ones(()))
torch.einsum('ij->ik', torch.ones(2, 2))
torch.einsum('ij->ii', torch.ones(2, 2))
torch.einsum('ii', torch.ones(2, 3))
torch.einsum('i1', torch.ones(2, 3))
torch.einsum('i.j', torch.ones(2, 3))
torch.einsum('ij,jk', torch.ones(2, 2), 3)
torch.tensor(1.).flip(0)
torch.tensor(1.).flip(1)
torch.ones(2, 3).flip(0, 0)
torch.tensor(1.).roll(1, 0)
torch.tensor(1.).roll(1)
torch.ones(2, 2).roll((1, 2), (0,))
torch.ones(2, 2).roll((1, 2))
torch.arange(6).reshape(2, 3).roll((1, -1), (0, 1))
torch.tensor(1.).unbind(0)
torch.tensor(1.).split(1)
torch.ones(3).split(-1)
torch.ones(0).split(0)
torch.ones(3).split([1, -1, 3])
torch.ones(3).chunk(0)
torch.tensor(1.).transpose(0, 0)
torch.tensor(1.).transpose(0, 1)
torch.ones(2, 2).movedim((0, 0), (0, 1))
torch.ones(2, 2).movedim((0,), (0, 1))
torch.ones(2, 2).diagonal(0, 0, 0)
torch.ones(3).tril()
torch.ones(2, 2, 2).diag()
torch.ones(2, 2).repeat(2)
torch.ones(3).repeat_interleave(torch.tensor([1, 2]))
torch.ones(0).reshape(0, -1)
torch.ones(2, 3).expand(3, -1, 3).shape
torch.ones(2, 3).expand(-1, 2, 3)
torch.ones(2).expand(-2)
torch.ones(1, dtype=torch.float64).expand(())
torch.flatten(torch.ones(2, 2), 1, 0)
torch.cat([torch.ones(2, 3), torch.ones(3, 2)], 1)
torch.cat([torch.ones(2), 3])
torch.cat(3)
torch.stack([torch.ones(2), 1])
torch.tensor(1.).T
torch.tensor(1.).mT
torch.tensor(1.).H
torch.tensor(1.).mH
torch.ones(2, 2, 2).H
torch.ones(3).mH
torch.numel(3)
""".strip().splitlines()
KEYS = """
torch.ones(2, 2).gather(0, torch.tensor([[0, 2, 1]]))
torch.ones(2, 2).gather(0, torch.tensor([[True]]))
torch.ones(2, 2).scatter(0, torch.tensor([[0.5]]), torch.ones(1, 1))
torch.ones(2, 2).scatter(0, torch.tensor([[2]]), torch.ones(1, 1))
torch.ones(2, 2).scatter_add(0, torch.tensor([0]), torch.ones(1, 1))
torch.ones(2, 2).index_select(0, torch.tensor([2]))
torch.ones(2, 2).index_select(0, torch.tensor([0.5]))
torch.ones(2, 2).index_select(0, torch.tensor([[0]]))
torch.ones(2, 2).take(torch.tensor([9]))
torch.ones(2, 2).index_add(0, torch.tensor([2]), torch.ones(1, 2))
torch.ones(2, 2).narrow(0, 1, 5)
torch.ones(2, 2).narrow(0, -1, 1)
torch.ones(2, 2).select(0, 5)
torch.tensor(1.).select(0, 0)
torch.ones(2, 2).masked_select(torch.tensor([0, 1]))
torch.ones(2, 2).masked_fill(torch.tensor([0, 1]), 0)
torch.ones(2, 2).masked_fill(torch.tensor([True, False]), torch.ones(2))
torch.ones(2, 3)[:, torch.tensor([True, False])]
torch.ones(2, 3)[..., torch.tensor([True, False])]
torch.ones(2, 3)[torch.ones(2, 2).bool()]
torch.ones(2, 3)[torch.ones(2, 3, 2).bool()]
torch.tensor(1.)[0, 0]
torch.tensor(1.)[:]
torch.ones(2, 2)[torch.tensor([0, 1]), torch.tensor([0, 1, 1])]
torch.ones(2)[1.5:]
torch.ones(2)[(0.5,)]
x = torch.ones(3); x['a'] = 1
x = torch.ones(3); x[0.5] = 1
x = torch.ones(3); x[0] = None
x = torch.ones(3); x[0] = 1j
x = torch.ones(3); x[0] = torch.full((1,), 5.); x
x = torch.ones(3); x[:2] = torch.full((1, 2), 5.); x
x = torch.ones(3, requires_grad=True) * 1; x[:2] = torch.full((1, 2), 5.); x.tolist()
x = torch.ones(3, requires_grad=True) * 1; x[:2] = torch.ones(3)
x = torch.ones(3, 2); x[0] = torch.ones(3, 2)
x = torch.ones(3); x[torch.tensor([0, 1])] = torch.ones(3)
x = torch.ones(3); x[torch.tensor([True, False])] = 1
x = torch.ones(3); x[torch.tensor([5])] = 1
x = torch.ones(3); x[0, 0] = 1
x = torch.tensor(1.); x[0] = 1
x = torch.ones(2, requires_grad=True); x[torch.tensor([0])] = 1
x = torch.ones(2, requires_grad=True); x[...] = 1
""".strip().splitlines()


@pytest.mark.torch
@pytest.mark.parametrize("program", [*DTYPES, *SHAPES, *KEYS])
def test_as_torch(program: str) -> None:
    agree(program.replace("; ", "\n"))


def test_a_numpy_array_beside_a_tensor_is_brought_to_the_common_dtype() -> None:
    product = np.matmul(cr.ones(2, 2), np.ones((2, 2)))
    assert product.dtype is cr.float64


def test_check_leaves_what_torch_computes_alone() -> None:
    floats, bools = cr.ones(2), cr.tensor([True, False])
    assert refusals.check(TABLE[np.subtract], (floats, 1.5), spec.float32) is None
    assert refusals.check(TABLE[np.multiply], (bools, bools), spec.bool_) is None
    instead = refusals.check(TABLE[np.square], (bools,), spec.bool_)
    assert instead is not None
    assert instead(bools.array).dtype == np.int64


ZERO_PIVOTS = [
    ([[0, 0], [0, 0]], 1),
    ([[1, 2], [2, 4]], 2),
    ([[0, 1], [1, 0]], 0),
    ([[0, 0, 1], [0, 0, 2], [0, 1, 1]], 1),
]


@pytest.mark.parametrize(("rows", "pivot"), ZERO_PIVOTS)
def test_the_first_zero_pivot(rows: list[list[float]], pivot: int) -> None:
    assert refusals.zero_pivot(np.array(rows, float)) == pivot


def test_own_errors_pass_unchanged_and_numpys_name_the_operation() -> None:
    own = errors.ShapeError("linalg.det: A must be square")
    assert errors.translate(own, "det", [(2, 3)]) is own
    told = errors.translate(ValueError("odd"), "tile", [(2, 3)])
    assert str(told) == "tile(): odd (operand shapes [2, 3])"


def test_type_names() -> None:
    assert [errors.type_name(d) for d in (spec.float32, spec.int64, np.dtype("float64"))] == ["Float", "Long", "Double"]
    assert [errors.c_type_name(d) for d in (spec.float32, spec.int64, spec.float16)] == ["float", "long int", "c10::Half"]


def test_examples() -> None:
    assert doctest.testmod(errors).failed == 0
