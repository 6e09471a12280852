"""What is wrong is refused as torch refuses it: the same `except` catches it, the words are the same."""

from __future__ import annotations

import pytest

from tests.oracle import agree, both, raises

pytestmark = pytest.mark.torch

PROGRAMS = """
x = torch.ones(2, requires_grad=True); y = x.exp().sum(); y.backward(); y.backward()
x = torch.ones(2, requires_grad=True); y = x.exp().sum(); torch.autograd.grad(y, x); torch.autograd.grad(y, x)
x = torch.ones(2, requires_grad=True); (x * 2).backward()
x = torch.ones(2, requires_grad=True); x.backward()
x = torch.zeros(0, requires_grad=True); x.backward()
x = torch.ones(2); x.sum().backward()
x = torch.ones(()); x.backward()
x = torch.tensor(3); x.backward()
x = torch.ones(2, requires_grad=True); x.int().sum().backward()
x = torch.ones(2, requires_grad=True); (x > 0).sum().backward()
x = torch.ones(2, requires_grad=True); x.argmax().backward()
x = torch.ones(2, requires_grad=True); (x * 2).backward(torch.ones(3))
x = torch.ones(2, requires_grad=True); (x * 2).backward(torch.ones(1, 2))
x = torch.ones(2, requires_grad=True); (x * 2).backward(torch.tensor(1.))
x = torch.ones(2, requires_grad=True); (x * 2).backward([1., 1.])
x = torch.ones(2, requires_grad=True); (x * 2).backward(np.ones(2))
x = torch.ones(2, requires_grad=True); (x * 2).backward(1.0)
x = torch.ones(2, requires_grad=True); (x * 2).sum().backward(inputs=[])
x = torch.ones(2, requires_grad=True); torch.autograd.backward([x.sum()], [torch.ones(2)])
x = torch.ones(2, requires_grad=True); torch.autograd.backward([x * 2, x * 3], [torch.ones(2)])
x = torch.ones(2, requires_grad=True); torch.autograd.backward([x * 2], [torch.ones(2)], grad_variables=[torch.ones(2)])
x = torch.ones(2, requires_grad=True); torch.autograd.grad((x * 2).sum(), torch.ones(2))
x = torch.ones(2, requires_grad=True); w = torch.ones(2, requires_grad=True); torch.autograd.grad(x.sum(), w)
x = torch.ones(2, requires_grad=True); w = torch.ones(2, requires_grad=True); torch.autograd.grad(x.sum(), [x, w])
x = torch.ones(2, requires_grad=True); torch.autograd.grad(x.sum(), x, materialize_grads=True, allow_unused=False)
x = torch.ones(2, requires_grad=True); torch.autograd.grad(x * 2, x)
x = torch.ones(2, requires_grad=True); torch.autograd.grad(x.sum(), [])
x = torch.tensor([1j], requires_grad=True); (x * 2).backward()
x = torch.tensor(1j, requires_grad=True); (x * 2).backward()
x = torch.ones(2, requires_grad=True); x.requires_grad = 1.5
x = torch.ones(2, requires_grad=True); y = x * 2; y.requires_grad = False
x = torch.ones(2, requires_grad=True); y = x * 2; y.requires_grad_(False)
torch.tensor([1, 2], requires_grad=True)
torch.tensor([True], requires_grad=True)
torch.ones(2, dtype=torch.int64, requires_grad=True)
torch.arange(4, requires_grad=True)
torch.tensor([1, 2]).requires_grad_()
torch.tensor([1, 2]).requires_grad = True
x = torch.ones(2); x.grad = torch.ones(3)
x = torch.ones(2); x.grad = torch.ones(2, dtype=torch.float64)
x = torch.ones(2); x.grad = 1.0
x = torch.ones(2); x.grad = x
x = torch.ones(2, requires_grad=True); x += 1
x = torch.ones(2, requires_grad=True); x.add_(1)
x = torch.ones(2, requires_grad=True); x.zero_()
x = torch.ones(2, requires_grad=True); x[0] = 1
x = torch.ones(2); x += torch.ones(3)
x = torch.ones(2); x += torch.ones(2, 2)
x = torch.ones(2, dtype=torch.int64); x += 1.5
x = torch.ones(2, dtype=torch.int64); x /= 2
x = torch.tensor([True]); x += 1
torch.ones(2) + torch.ones(3)
torch.ones(2, 3) * torch.ones(2, 4)
torch.ones(2, 3) + torch.ones(2)
torch.ones(2, 3) @ torch.ones(2, 3)
torch.ones(2, 3) @ torch.ones(2)
torch.ones(2) @ torch.ones(3)
torch.ones(3) @ torch.ones(2, 3)
torch.ones(2) @ torch.tensor(1.)
torch.ones(2, 2, 3) @ torch.ones(3, 4, 2)
torch.dot(torch.ones(2), torch.ones(3))
torch.dot(torch.ones(2, 2), torch.ones(2))
torch.dot(torch.ones(2), torch.ones(2, dtype=torch.float64))
torch.ones(2, 2) @ torch.ones(2, 2, dtype=torch.float64)
torch.mm(torch.ones(2), torch.ones(2))
torch.mm(torch.ones(2, 2), torch.ones(2))
torch.mv(torch.ones(2, 3), torch.ones(2))
torch.mv(torch.ones(2), torch.ones(2))
torch.bmm(torch.ones(2, 2), torch.ones(2, 2))
torch.cat([torch.ones(2), torch.ones(2, 2)])
torch.cat([torch.ones(2, 3), torch.ones(2, 2)])
torch.cat([])
torch.cat([torch.tensor(1.), torch.tensor(2.)])
torch.cat([torch.ones(2)], dim=1)
torch.stack([torch.ones(2), torch.ones(3)])
torch.stack([])
torch.ones(2, 3).reshape(5)
torch.ones(2, 3).view(4)
torch.ones(2, 3).t().view(6)
torch.ones(2, 3).reshape(-1, -1)
torch.ones(2, 3).view(-1, 4)
torch.ones(2, 3).sum(2)
torch.ones(2, 3).sum(-3)
torch.ones(2, 3).sum((0, 0))
torch.ones(2, 3).mean(5)
torch.tensor([1, 2]).mean()
torch.tensor([1, 2]).norm()
torch.tensor([1, 2]).std()
torch.ones(0).max()
torch.ones(0).argmax()
torch.ones(0, 2).max(0)
torch.ones(2, 2).transpose(0, 2)
torch.ones(2, 2).permute(0)
torch.ones(2, 2).permute(0, 0)
torch.ones(2, 2, 2).t()
torch.ones(2).expand(3)
torch.ones(2, 2).expand(2)
torch.ones(2).unsqueeze(3)
torch.ones(2).squeeze(2)
torch.ones(2)[2]
torch.ones(2)[-3]
torch.ones(2, 2)[0, 0, 0]
torch.ones(2, 2)[5, 0]
torch.ones(2)[0.5]
torch.ones(2)['a']
torch.ones(2)[torch.tensor([3])]
torch.ones(2)[torch.tensor([-3])]
torch.ones(2)[torch.tensor([0.5])]
torch.ones(2)[torch.tensor([True, False, True])]
torch.tensor(1.)[0]
torch.ones(3)[torch.tensor([0, 1]), torch.tensor([0])]
torch.ones(2)[0] = torch.ones(3)
x = torch.ones(3); x[0] = torch.ones(2)
x = torch.ones(3); x[5] = 1
x = torch.ones(3); x[:2] = torch.ones(3)
x = torch.ones(3); x[0] = 'a'
torch.ones(2).gather(0, torch.tensor([2]))
torch.ones(2).gather(0, torch.tensor([0.5]))
torch.ones(2, 2).gather(0, torch.tensor([0]))
torch.ones(2, 3).split(0)
torch.ones(5).split([2, 2])
torch.ones(2).unbind(1)
torch.ones(2).flip(1)
torch.ones(2).roll(1, 1)
torch.ones(2).item()
torch.ones(0).item()
float(torch.ones(2))
int(torch.ones(0))
bool(torch.ones(2))
bool(torch.ones(0))
torch.ones(2) or 1
len(torch.tensor(1.))
iter(torch.tensor(1.))
list(range(torch.tensor(1.5)))
range(torch.ones(2))
hash(torch.ones(2)) == 1 or torch.ones(2).nothing
x = torch.ones(2, requires_grad=True); x.numpy()
x = torch.ones(2, requires_grad=True); np.array(x)
x = torch.ones(2, requires_grad=True); y = x * 2; y.numpy()
torch.ones(2) + 'a'
torch.ones(2) + None
torch.ones(2) + [1, 2]
'a' * torch.ones(2)
torch.ones(2) @ 2
torch.add(torch.ones(2), 'a')
torch.sin(1.0)
torch.sin()
torch.sin('a')
torch.exp([1.0])
torch.sum(1)
torch.ones(2).sum('a')
torch.ones(2).sum(0, 1, 2)
torch.ones(2).sum(nothing=1)
torch.matmul(torch.ones(2), [1, 2])
torch.where(torch.ones(2), 1, 0)
torch.where([True], torch.ones(1), torch.ones(1))
torch.tensor('a')
torch.tensor(None)
torch.tensor([[1, 2], [3]])
torch.tensor([1, 'a'])
torch.tensor([1, [2]])
torch.tensor([[1], 2])
torch.tensor(object())
torch.tensor([1], dtype='float32')
torch.tensor([1], dtype=np.float32)
torch.tensor([1], dtype=float32)
torch.tensor({1: 2})
torch.tensor()
torch.tensor([1], nothing=1)
torch.zeros(-1)
torch.zeros(2.5)
torch.zeros('a')
torch.ones(2, dtype='f')
torch.full(2, 1)
torch.arange(0, 1, 0)
torch.arange(1, 0)
torch.arange(0, 1, -1)
torch.linspace(0, 1, -1)
torch.linspace(0, 1)
torch.eye(-1)
torch.device('nothing')
torch.ones(2, device='nothing')
torch.randint(5, 5, (2,))
torch.no_such_function
torch.ones(2).T.nothing
torch.einsum('ij,jk', torch.ones(2, 2), torch.ones(3, 3))
torch.einsum('ij', torch.ones(2))
torch.inverse(torch.zeros(2, 2))
torch.inverse(torch.ones(2, 3))
torch.det(torch.ones(2, 3))
torch.det(torch.ones(2))
torch.clamp(torch.ones(2))
torch.div(torch.ones(2), 2, rounding_mode='up')
torch.ones(2).softmax(1)
torch.sub(torch.tensor([True]), torch.tensor([True]))
-torch.tensor([True])
torch.tensor([1]) // 0
torch.tensor([1]) % 0
torch.tensor([2]) ** -1
torch.tensor([1.]).to('nothing')
torch.tensor([1.]).to('cuda')
torch.tensor([1.]).cuda()
F.mse_loss(torch.ones(2), torch.ones(2), reduction='nothing')
F.l1_loss(torch.ones(2), torch.ones(2), reduction='nothing')
F.cross_entropy(torch.ones(2, 3), torch.tensor([0]))
F.cross_entropy(torch.ones(2, 3), torch.tensor([0, 3]))
F.cross_entropy(torch.ones(2, 3), torch.tensor([0, -1]))
F.cross_entropy(torch.ones(2, 3), torch.ones(2, 2))
F.nll_loss(torch.ones(2, 3), torch.tensor([0, 1, 2]))
F.binary_cross_entropy(torch.ones(2) * 2, torch.ones(2))
F.binary_cross_entropy(torch.ones(2), torch.ones(3))
F.binary_cross_entropy_with_logits(torch.ones(2), torch.ones(3))
torch.ones(2).register_hook(print)
torch.ones(2).retain_grad()
torch.set_default_dtype(torch.int64)
torch.set_default_dtype('a')
x = torch.ones(2, requires_grad=True); v = x[:1]; v += 1
x = torch.ones(2, requires_grad=True); v = x.view(2); v.detach_()
x = torch.ones(2); x.data = 5
import copy; x = torch.ones(2, requires_grad=True) * 2; copy.deepcopy(x)
""".strip().splitlines()

OVERWRITTEN = """
x = torch.ones(2, requires_grad=True); y = x.exp(); y += 1; y.sum().backward()
x = torch.ones(2, requires_grad=True); y = x * 2; z = y * y; y.data; y.mul_(1); z.sum().backward()
x = torch.ones(2, requires_grad=True); w = torch.ones(2); z = x * w; w.mul_(2); z.sum().backward()
x = torch.ones(2, requires_grad=True); w = torch.ones(2); z = x * w; w[0] = 5; z.sum().backward()
x = torch.ones(2, 2, requires_grad=True); w = torch.ones(2, 2); z = x @ w; w.zero_(); z.sum().backward()
x = torch.ones(2, requires_grad=True); y = x.sigmoid(); y.mul_(2); y.sum().backward()
x = torch.ones(2, requires_grad=True); z = x ** 2; torch.no_grad().__enter__(); x.add_(1); torch.set_grad_enabled(True); z.sum().backward()
x = torch.ones(2, requires_grad=True); w = torch.ones(4); v = w[:2]; z = x * v; w.add_(1); z.sum().backward()
x = torch.ones(2, requires_grad=True); i = torch.tensor([0, 1]); z = x[i]; i.zero_(); z.sum().backward()
x = torch.ones(2, requires_grad=True); y = x.tanh(); z = y.exp(); y.zero_(); z.sum().backward()
""".strip().splitlines()  # noqa: E501

# Both refuse, in different words where torch's are about its own insides: only the type is compared.
TYPE_ONLY = dict.fromkeys(
    (
        "torch.sin()",
        "torch.sin(1.0)",
        "torch.sin('a')",
        "torch.exp([1.0])",
        "torch.sum(1)",
        "torch.ones(2).sum('a')",
        "torch.ones(2).sum(0, 1, 2)",
        "torch.ones(2).sum(nothing=1)",
        "torch.zeros(2.5)",
        "torch.zeros('a')",
        "torch.full(2, 1)",
        "torch.linspace(0, 1)",
        "torch.tensor()",
        "torch.tensor([1], nothing=1)",
        "torch.tensor([1], dtype=float32)",
        "torch.ones(2).softmax(1)",
        "torch.ones(2)['a']",
        "torch.ones(2)[0.5]",
        "torch.no_such_function",
        "torch.ones(2).T.nothing",
        "hash(torch.ones(2)) == 1 or torch.ones(2).nothing",
        "torch.tensor([1.]).to('cuda')",
        "torch.tensor([1.]).cuda()",
        "torch.tensor([1.]).to('nothing')",
        "torch.device('nothing')",
        "torch.ones(2, device='nothing')",
        "torch.ones(2) + 'a'",
        "torch.ones(2) + None",
        "torch.ones(2) + [1, 2]",
        "torch.ones(2) @ 2",
        "'a' * torch.ones(2)",
        "torch.tensor({1: 2})",
        "torch.where([True], torch.ones(1), torch.ones(1))",
        "torch.matmul(torch.ones(2), [1, 2])",
        "torch.add(torch.ones(2), 'a')",
        "x = torch.ones(3); x[0] = 'a'",
        "torch.set_default_dtype('a')",
        "torch.randint(5, 5, (2,))",
        "F.cross_entropy(torch.ones(2, 3), torch.tensor([0, 3]))",
        "F.cross_entropy(torch.ones(2, 3), torch.tensor([0, -1]))",
        "x = torch.ones(2); x.data = 5",
        "F.binary_cross_entropy(torch.ones(2) * 2, torch.ones(2))",
    ),
    "",
)


@pytest.mark.parametrize("program", PROGRAMS)
def test_refused_as_torch_does(program: str) -> None:
    raises(program.replace("; ", "\n"), part=TYPE_ONLY.get(program))


@pytest.mark.parametrize("program", OVERWRITTEN)
def test_an_overwritten_value(program: str) -> None:
    """torch's words up to the version numbers; then chainrule names the operation, and torch anomaly mode."""
    theirs, ours = both(program.replace("; ", "\n"))
    assert str(ours.error).partition(" instead.")[0] == str(theirs.error).partition(" instead.")[0]


@pytest.mark.parametrize(
    "program",
    [
        "torch.arange(4.0).T",
        "torch.ones(2, 2, 2).T",
        "torch.tensor(1.).T",
        "y = 1\n\nx = torch.arange(3.)\ny = x.T",
        "def f(x):\n    return x.T\nf(torch.ones(3))",
        "2 * torch.ones(3).T @ torch.ones(3)",
        "F.mse_loss(torch.ones(2), torch.ones(2, 1))",
        "F.l1_loss(torch.ones(2), torch.ones(1))",
        "F.softmax(torch.ones(2))",
        "F.log_softmax(torch.ones(2, 2))",
        "float(torch.ones(1, requires_grad=True))",
        "torch.tensor(torch.ones(2))",
        "torch.tensor([1 + 2j]).float()",
        "torch.ones(3).H",
        "torch.ones(1, 3).mT",
    ],
)
def test_warnings(program: str) -> None:
    agree(program)


def test_an_error_leaves_everything_usable() -> None:
    agree("""
x = torch.ones(2, requires_grad=True)
a, b = torch.ones(3), torch.ones(4)
for wrong in (lambda: (x * 2).backward(), lambda: x + a, lambda: x.backward(b), lambda: x[5]):
    try:
        wrong()
    except (RuntimeError, IndexError) as error:
        print(type(error).__mro__[-3].__name__ in ('Exception', 'BaseException'), torch.is_grad_enabled())
x.sum().backward()
print(x.grad)
""")
