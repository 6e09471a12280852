"""Making tensors: printed text, dtype and exact values as torch's."""

from __future__ import annotations

import math

import numpy as np
import pytest

import chainrule as cr
from tests.oracle import agree, both

EXPRESSIONS = """
    tensor([1, 2]); tensor([1., 2]); tensor(1); tensor(1.5); tensor(True); tensor([True, False]);
    tensor([]); tensor([[]]); tensor([[1, 2], [3, 4]]); tensor((1, 2)); tensor([1, 2.5]); tensor([True, 2]);
    tensor([1j]); tensor([1, 2j, 0.5]); tensor(range(3)); tensor(np.array([1, 2]));
    tensor(np.array([1., 2])); tensor(np.float32(2)); tensor(np.int16([3])); tensor(np.array([True]));
    tensor([np.float64(1.5)]); tensor([np.float32(1.5), 2]); tensor([np.array([1, 2])]);
    tensor([torch.tensor(1), torch.tensor(2)]); tensor([torch.tensor(1.5), 2]);
    tensor([torch.tensor([1.]), torch.tensor([2.])]); tensor([0.1], dtype=torch.float64).item();
    tensor([0.1, 1e300], dtype=torch.double); tensor(1, dtype=torch.float16);
    tensor([1.7], dtype=torch.int32); tensor([1, 0], dtype=torch.bool);
    tensor([1e-3], dtype=torch.bfloat16); tensor([1], dtype=torch.complex64); tensor(2**40); tensor(1e50);
    tensor(0.1, dtype=torch.float64).item(); tensor([1., 2], requires_grad=True);
    tensor(1., requires_grad=True); tensor([1.], dtype=torch.float64, requires_grad=True);
    tensor([1.], device='cpu'); tensor([1.], device=torch.device('cpu')); tensor(math.pi);
    tensor([math.nan, math.inf]); tensor([0.1 + 0.2j], dtype=torch.complex128).tolist();
    tensor([2**31 - 1, -2**63]); Tensor([1, 2]); Tensor(2, 3).shape; Tensor().shape;
    Tensor([[1, 2], [3, 4]]); Tensor((1, 2)); Tensor([1.5]).dtype; Tensor([True]); Tensor(torch.ones(2));
    Tensor(np.array([1., 2.], np.float32)); Tensor([]); Tensor(3).shape; type(torch.Tensor([1])); zeros(2);
    zeros(2, 3); zeros((2, 3)); zeros([2]); zeros(()); zeros(0); zeros(2, dtype=torch.int64);
    zeros(2, 0, 3).shape; zeros(size=(2,)); ones(2, 3); ones(3, requires_grad=True);
    ones(2, dtype=torch.bool); ones(torch.Size([2, 2])); ones(2, dtype=torch.complex64);
    ones(2, device='cpu'); empty(2, 3).shape; empty((4,), dtype=torch.int8).dtype; full((2,), 7);
    full((2, 2), 1.5); full((), True); full((2,), 1, dtype=torch.float64); full((2,), 2j);
    full([1], 3.0, requires_grad=True); zeros_like(torch.ones(2, 2)); ones_like(torch.tensor([1, 2]));
    ones_like(torch.tensor([1, 2]), dtype=torch.float32); ones_like(torch.ones(2, requires_grad=True));
    full_like(torch.ones(2), 5); empty_like(torch.ones(2, 3)).shape;
    zeros_like(torch.ones(2), requires_grad=True); full_like(torch.tensor([1]), 2.5); arange(4);
    arange(4.0); arange(1, 4); arange(1, 4, 2); arange(0, 1, 0.25); arange(5, 0, -2); arange(0);
    arange(1.5, 4); arange(4, dtype=torch.float32); arange(4.0, requires_grad=True); arange(0, 1, 0.1);
    arange(3, dtype=torch.int8); arange(-2, 2); arange(4., dtype=torch.float64); arange(start=1, end=3);
    arange(torch.tensor(3)); arange(0, 2, step=0.5); linspace(0, 1, 5);
    linspace(0., 2. * math.pi, steps=25); linspace(0, 1, 1); linspace(0, 1, 0); linspace(3, 10, steps=5);
    linspace(-10, 10, steps=5, dtype=torch.int64); linspace(0, 10, 4, dtype=torch.int32);
    linspace(0, 1, 3, dtype=torch.float64); linspace(0., 2. * math.pi, steps=25, requires_grad=True);
    linspace(start=1, end=2, steps=3); linspace(0, 1, 5, dtype=torch.float16); linspace(1, 0, 7).tolist();
    logspace(0, 2, 3); logspace(0, 1, 5, base=2); eye(3); eye(2, 3); eye(5, requires_grad=True);
    eye(2, dtype=torch.int64); as_tensor([1, 2]); as_tensor(np.array([1.])); as_tensor(torch.ones(2));
    as_tensor([1], dtype=torch.float32); from_numpy(np.arange(3.)); asarray([1, 2.]);
    tril(torch.ones(3, 3)); triu(torch.ones(2, 3)); diag(torch.arange(3)); scalar_tensor(2.5); Size([2, 3]);
    Size((1,)); Size([]); Size([2, 3]).numel(); Size([2, 3])[0]; Size([2, 3])[:1]; Size([2]) == (2,);
    Size([2]) + Size([3]); Size([2]) + (3,); (3,) + Size([2]); Size([2]) * 2; 2 * Size([2]);
    tensor([1.5, 2.7]).to(int); tensor([1]).to(float); tensor([1]).to(bool); zeros(2, dtype=bool); tensor([1], dtype=float);
    arange(3, dtype=float); zeros_like(torch.ones(2), dtype=int); full((1,), 2, dtype=float); ones(1).to('cpu', float);
    FloatTensor([1, 2]); LongTensor([1, 2]); DoubleTensor([1.5]); BoolTensor([True]); IntTensor([[1], [2]]); LongTensor([1.5]);
    FloatTensor(2, 3).shape; LongTensor(2).shape; FloatTensor(); ByteTensor([1]); FloatTensor; FloatTensor(np.ones(2));
    autograd.Variable(torch.ones(2), requires_grad=True); autograd.Variable(torch.ones(2)); autograd.Variable(3);
    Size([2]) + [1]; [1] + Size([2]);
    ones(2, 3).shape; ones(2, 3).size(); ones(2, 3).size(0); ones(2, 3).size(-1); ones(2, 3).shape[1];
    len(torch.ones(2, 3)); ones(2, 3).numel(); ones(2, 3).dim(); ones(2, 3).ndim; ones(2, 3).stride();
    ones(2).element_size(); ones(2).nbytes; ones(2).is_contiguous(); ones(2).dtype; ones(2).device;
    ones(2).layout; ones(2).is_floating_point(); tensor([1j]).is_complex(); ones(2).data; ones(2).type();
    ones(2).double().type(); tensor([1]).type(); ones(2).new_zeros(3); ones(2).new_tensor([1, 2]);
    ones(2).new_ones((2,), dtype=torch.int64); ones(2).new_full((2,), 3.5); ones(2).new_empty(3).shape;
    device('cpu'); device('cpu').type; device('cpu', 0); device('cpu:0');
    device('cpu') == torch.device('cpu'); str(torch.device('cpu')); cuda.is_available();
    cuda.device_count(); is_tensor(1); is_tensor(torch.ones(1)); finfo(torch.float32).eps;
    finfo(torch.float32).max; iinfo(torch.int8).max; float32; bfloat16; cdouble; bool; long; half;
    get_default_dtype(); is_grad_enabled(); float32.is_floating_point; int8.itemsize; ones(2).is_leaf;
    ones(2).grad; ones(2).grad_fn; ones(2).requires_grad; ones(2).is_cuda; ones(2).to('cpu'); ones(2).cpu();
    ones(2).to(torch.float64); ones(2).to(torch.device('cpu'), torch.int64);
    ones(2).to(torch.ones(1, dtype=torch.int8)); pi; inf; nan; ones(2).to(dtype=torch.half); ones(2).long();
    tensor([1.9, -1.9]).int(); ones(2).bool(); tensor([0., 2]).bool(); numel(torch.ones(2, 3));
    is_floating_point(torch.ones(1)); is_complex(torch.ones(1)); promote_types(torch.int8, torch.float16);
    can_cast(torch.float32, torch.int8); complex(torch.ones(2), torch.zeros(2)); ones(3, 2).T;
    ones(1, 2, 3).mT.shape; tensor([3, 1, 2]).sort(); tensor([[1, 5], [7, 2]]).max(1);
    tensor([1., 3., 3.]).max(0); topk(torch.tensor([1., 5., 3.]), 2); ones(2).storage_offset();
    seed() is None; meshgrid(torch.arange(2)); initial_seed(); tensor(1e300, dtype=torch.float16);
    tensor([300], dtype=torch.uint8); tensor([-1], dtype=torch.uint8); tensor([2**40], dtype=torch.int32);
    tensor([math.nan], dtype=torch.int32); tensor([1j], dtype=torch.float32); tensor([2**63]);
    tensor([2**63], dtype=torch.uint64); tensor([2, np.float64(1.5)]); tensor([np.int8(1), 1.5]);
    tensor([np.int8(1)]); tensor([torch.tensor(1, dtype=torch.int8), torch.tensor(2, dtype=torch.int16)]);
    tensor([[torch.tensor([1.]), 2], [3, 4]]); tensor([torch.ones(2), torch.ones(2)]);
    tensor([torch.tensor(1., requires_grad=True)]); tensor([np.array([1., 2]), [3, 4]]);
    tensor(np.array([1 + 2j]), dtype=torch.float32);
    tensor(['a']); tensor([1, None]); tensor([1., [2]]); tensor([[1, 2], [3, [4]]]); tensor([[], []]);
    tensor([1, None], dtype=torch.float32); tensor([True, 2.5], dtype=torch.bool);
    Tensor(True); Tensor(1.5); Tensor([1j]); Tensor(None); Tensor(np.ones(2)); Tensor(np.float32(2));
    zeros(True); zeros(2, 2.5); zeros((2.5,)); zeros([[2]]); zeros(); zeros(torch.tensor(2)); zeros(size=2);
    rand('a'); full((2,), 'a'); full((2,), torch.tensor(2.)); eye(2, -1); eye(2.5); randint(5, (2.5,));
    linspace(0.9, 6.9, 4, dtype=torch.int64); linspace(torch.tensor(0.), 1, 3); arange(np.float32(3));
    arange(torch.tensor(1), torch.tensor(4)); ones(1, requires_grad=None); device('cuda'); device('cuda:1');
    device('cuda', 1); device(torch.device('cuda:1')); device('cpu:0', 1); device('cpu:x');
    zeros(2, device='cuda'); ones(2).to(torch.device('cuda')); as_tensor([1.], device='cuda:0');
    ones(2).type('torch.DoubleTensor'); ones(2).type(torch.int64); ones(2).type('a'); tensor([1j]).type();
    ones(2).to(torch.uint16).type(); tensor([1]).new_tensor([1.5]); ones(2).new_tensor(torch.ones(2));
    tensor([1]).new_full((2,), 3.5); ones(2).new_ones(2, requires_grad=True);
    complex(torch.ones(2), 1.0); complex(torch.ones(1), torch.ones(1).double());
    complex(torch.ones(1).int(), torch.ones(1)); complex(torch.ones(1), torch.tensor([math.inf]));
    complex(torch.ones(2, requires_grad=True), torch.ones(2)); is_floating_point(1); is_signed(torch.ones(1));
    finfo(torch.float32); finfo(torch.bfloat16); finfo(torch.float64).tiny; finfo(torch.int8); finfo();
    finfo(torch.complex64).eps; finfo(torch.float16).max; iinfo(torch.float32); iinfo(torch.uint8);
    iinfo(torch.bool); cuda.current_device(); cuda.memory_allocated(); tensor([3, 1]).min(0);
    tensor(5.).max(0); Size; layout; device; ones(2).cuda(); ones(0).std(); ones(2, 1).var(1);
    ones(3).var(correction=5); ones(0, 2).argmax(0); ones(0).amax(); ones(0, 2).amin(0); ones(0, 2).max(1);
    tensor([1j]).amax(); tensor([1j]).max(); tensor([1j]).sort()
"""
BEYOND = ("storage_offset", "meshgrid", "topk")
ROWS = [row for block in EXPRESSIONS.split(";") if (row := " ".join(block.split())) and not any(n in row for n in BEYOND)]
TORCH = pytest.mark.torch


@TORCH
@pytest.mark.parametrize("row", ROWS)
def test_expression(row: str) -> None:
    agree(row if row.startswith(("type(", "str(", "len(")) else f"torch.{row}")


@TORCH
@pytest.mark.parametrize(
    "program",
    [
        "torch.manual_seed(0)\ntorch.rand(5)",
        "torch.manual_seed(1)\ntorch.randn(5)",
        "torch.manual_seed(2)\ntorch.randn(40)[:5]",
        "torch.randn(size=(), requires_grad=True)",
        "torch.randint(10, (5,))",
        "torch.randint(3, 9, (2, 2))",
        "torch.randperm(7)",
        "torch.rand(2, 3, dtype=torch.float64)",
        "torch.randn(17, dtype=torch.float64)[::4]",
        "torch.rand_like(torch.ones(3))",
        "torch.randn_like(torch.ones(3))",
        "torch.randn(3, 3, requires_grad=True)",
        "torch.empty(4).uniform_(-1, 1)",
        "torch.empty(20).normal_(2, 3)[:4]",
        "g = torch.Generator().manual_seed(7)\ntorch.rand(3, generator=g), torch.rand(3)",
        "torch.rand(2), torch.randn(3), torch.randn(3), torch.randn(20)[:3]",
        "torch.randn(3), torch.randint(5, (3,)), torch.rand(2), torch.randn(2)",
        "torch.randn(5, 3), torch.randn(3)",
        "torch.randn(3); torch.manual_seed(0); torch.randn(2)",
    ],
)
def test_random_numbers(program: str) -> None:
    agree(program)


@TORCH
@pytest.mark.parametrize(
    "program",
    [
        "a = np.ones(2)\nt = torch.from_numpy(a)\na[0] = 5\nt",
        "a = np.ones(2)\nt = torch.tensor(a)\na[0] = 5\nt",
        "a = np.ones(2)\nt = torch.as_tensor(a)\na[0] = 5\nt",
        "a = np.ones(2, np.float32)\nt = torch.as_tensor(a, dtype=torch.float64)\na[0] = 5\nt",
        "t = torch.ones(2)\na = t.numpy()\nt.add_(1)\na",
        "t = torch.ones(2)\nu = torch.as_tensor(t)\nu is t",
        "t = torch.ones(2)\nt.to(torch.float32) is t, t.cpu() is t, t.contiguous() is t, t.float() is t",
        "x = torch.ones(2, requires_grad=True)\nu = x.data\nu[0] = 7\nx",
        "x = torch.ones(2)\nu = x.clone()\nu[0] = 7\nx",
        "x = torch.ones(2, requires_grad=True)\nu = x.detach()\nu[0] = 7\nx",
    ],
)
def test_which_memory_is_shared(program: str) -> None:
    agree(program)


@TORCH
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16", "int64", "int32"])
def test_linspace_to_the_last_place(dtype: str) -> None:
    """The ends are exact; between them torch's vector kernels fuse multiply and add, moving the last bit."""
    program = f"""
for start, end in ((0, 1), (0, 2 * math.pi), (-3.3, 7.7), (1, -1), (0, 1000)):
    for steps in (2, 3, 4, 10, 25, 101):
        print(torch.linspace(start, end, steps, dtype=torch.{dtype}).tolist())
"""
    theirs, ours = both(program)
    for i, (a, b) in enumerate(zip(theirs.out.splitlines(), ours.out.splitlines(), strict=True)):
        a, b = np.array(eval(a)), np.array(eval(b))
        assert (a[0], a[-1], len(a)) == (b[0], b[-1], len(b))
        ulp = {"float16": 2**-11, "bfloat16": 2**-8, "float32": 2**-23, "float64": 2**-52}.get(dtype, 0)
        np.testing.assert_allclose(b, a, rtol=2 * ulp, atol=ulp * np.abs(a).max(), err_msg=f"line {i}")


def test_old_names_of_types() -> None:
    t = cr.ones(2)
    assert isinstance(t, cr.FloatTensor)
    assert not isinstance(t, cr.LongTensor)
    assert isinstance(t, cr.autograd.Variable)
    assert cr.autograd.Variable(t).data_ptr() == t.data_ptr()


def test_linspace_without_torch() -> None:

    values = cr.linspace(0.0, 2.0 * math.pi, steps=25)
    step = np.float32(2.0 * math.pi) / np.float32(24)
    assert values[0].item() == 0.0
    assert values[-1].item() == np.float32(2.0 * math.pi)
    assert values[1].item() == step
    assert values[23].item() == np.float32(2.0 * math.pi) - step


SMALL_DRAWS = """
draws = (lambda n, d: torch.randn(n, dtype=d), lambda n, d: torch.rand(n, dtype=d),
         lambda n, d: torch.randint(0, 7, (n,)), lambda n, d: torch.randn(16 + n % 3, dtype=d))
for dtype in (torch.float32, torch.float64):
    for n in (0, 1, 2, 3, 14, 15, 16, 17, 33):
        torch.manual_seed({seed})
        for k in (0, 0, 1, 0, 2, 0, 3, 0, 0):
            print([round(x, 4) for x in draws[k](n, dtype).tolist()])
"""


@TORCH
@pytest.mark.parametrize("seed", [0, 1, 42])
def test_half_used_pairs_of_normal_numbers(seed: int) -> None:
    """The second of a pair waits for the next small draw, whatever is drawn in between."""
    agree(SMALL_DRAWS.replace("{seed}", str(seed)))


@TORCH
@pytest.mark.parametrize(
    "program",
    [
        "y = copy.deepcopy(x)\ny, y.grad, y.grad is x.grad, y.is_leaf, x is y",
        "y = copy.deepcopy(x)\ny.data[0] = 9\nx",
        "y = copy.copy(x)\ny.data[0] = 9\nx, y.grad",
        "y = pickle.loads(pickle.dumps(x))\ny, y.grad, y.is_leaf",
        "y = pickle.loads(pickle.dumps(x * 2))\ny, y.is_leaf",
        "copy.deepcopy(x * 2)",
        "a, b = copy.deepcopy([x, x])\na is b",
        "v = torch.ones(3)\na, b = copy.deepcopy([v, v[1:]])\na[1] = 7\nb",
        "v = torch.arange(6.).reshape(2, 3)\na, b = copy.deepcopy([v, v.t()])\na[0, 1] = 7\nb, b.stride()",
        "p = torch.nn.Parameter(torch.ones(2))\np.tag = 'w'\nq = copy.deepcopy(p)\nq, type(q), hasattr(q, 'tag')",
        "p = torch.nn.Parameter(torch.ones(2))\np.tag = 'w'\nq = pickle.loads(pickle.dumps(p))\nq, type(q), q.tag",
        "[pickle.loads(pickle.dumps(o)) for o in (torch.Size([2]), torch.float32, torch.ones(2, dtype=torch.bfloat16))]",
        "[type(o) for o in (x, x.shape, x.device, x.layout)], pickle.loads(pickle.dumps(torch.Tensor)) is torch.Tensor",
    ],
)
def test_copies(program: str) -> None:
    setup = "import copy\nimport pickle\nx = torch.ones(2, requires_grad=True)\n(x * 3).sum().backward()\n"
    agree(setup + program)
