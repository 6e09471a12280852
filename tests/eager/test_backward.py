"""Backward passes and what surrounds them: programs run by both libraries, everything printed compared."""

from __future__ import annotations

import pytest

from tests.oracle import agree

pytestmark = pytest.mark.torch

GRAPH = """
x = torch.ones(3, requires_grad=True); y = x * 2; y.grad_fn
x = torch.ones(3, requires_grad=True); y = x * 2; y.grad_fn.next_functions
x = torch.ones(3, requires_grad=True); y = x.sin(); d = 2 * y + 1; d.grad_fn.next_functions[0][0].next_functions[0][0].next_functions
x = torch.ones(3, requires_grad=True); a = (x * x).grad_fn.next_functions; a[0][0] is a[1][0], a[0][0].variable is x, a[0][0].name()
x = torch.ones(3, requires_grad=True); (x * 2).grad_fn.next_functions[0][0].next_functions
x = torch.ones(3, requires_grad=True); str(x.exp().grad_fn).split()[0], (x.exp()).grad_fn.name()
x = torch.ones(3, requires_grad=True); y = x + 1; y.grad_fn is y.grad_fn, y.is_leaf, x.is_leaf, y.requires_grad, y.output_nr
x = torch.ones(3); y = x * 2; y.grad_fn, y.requires_grad, y.is_leaf
x = torch.ones(4, requires_grad=True); a, b = x.split(2); a.grad_fn, b.grad_fn, a.output_nr, b.output_nr, a.grad_fn is b.grad_fn
x = torch.ones(4, requires_grad=True); v, i = x.max(0); v.grad_fn, i.requires_grad, i.grad_fn
x = torch.ones(2, requires_grad=True); z = (x > 0); z.requires_grad, z.grad_fn, x.argmax().grad_fn, (x == x).requires_grad
x = torch.ones(2, requires_grad=True); x.int().requires_grad, x.bool().grad_fn, x.long().float().requires_grad
x = torch.ones(2, 2, requires_grad=True); x.T.grad_fn, x.t().grad_fn, x.mT.grad_fn, x[0].grad_fn, x[:1].grad_fn, x.view(4).grad_fn
x = torch.tensor([2.], requires_grad=True); y = x.clone(); y, y.detach(), y.detach().is_leaf, y.data.requires_grad
x = torch.ones(2, requires_grad=True); (x * 2).grad_fn(torch.ones(2))
x = torch.ones(2, requires_grad=True); (x * 2).grad_fn.metadata
x = torch.ones(2, requires_grad=True); type((x * 2).grad_fn).__name__, type((x * 2).grad_fn.next_functions[0][0]).__name__
""".strip().splitlines()  # noqa: E501

PASSES = """
x = torch.arange(4.0, requires_grad=True); y = 2 * torch.dot(x, x); y.backward(); x.grad
x = torch.arange(4.0, requires_grad=True); print(x.grad); (x * x).sum().backward(); x.grad == 2 * x
x = torch.ones(2, requires_grad=True); x.sum().backward(); x.sum().backward(); x.grad
x = torch.ones(2, requires_grad=True); x.sum().backward(); g = x.grad; x.sum().backward(); g, g is x.grad
x = torch.ones(2, requires_grad=True); x.sum().backward(); print(x.grad.zero_()); x.prod().backward(); x.grad
x = torch.ones(2, requires_grad=True); x.sum().backward(); x.grad = None; x.exp().sum().backward(); x.grad
x = torch.ones(2, requires_grad=True); y = x * 3; y.backward(torch.tensor([1., 10.])); x.grad
x = torch.ones(2, requires_grad=True); y = x * 3; y.backward(gradient=torch.tensor([1., 10.])); x.grad
x = torch.ones(2, requires_grad=True); y = x ** 2; y.backward(torch.ones_like(y), retain_graph=True); y.backward(torch.ones(2)); x.grad
x = torch.ones(1, requires_grad=True); y = x * 3; y.backward(); x.grad
x = torch.ones(1, 1, requires_grad=True); y = x * 3; y.backward(); x.grad, y.shape
x = torch.tensor(2., requires_grad=True); x.backward(); x.grad
x = torch.tensor(2., requires_grad=True); x.backward(torch.tensor(5.)); x.grad
x = torch.tensor(3., requires_grad=True); y = x ** 3; y.backward(create_graph=True); g = x.grad; print(g); x.grad = None; g.backward(); x.grad
x = torch.tensor(3., requires_grad=True); torch.autograd.grad(x ** 3, x)
x = torch.tensor(3., requires_grad=True); g, = torch.autograd.grad(x ** 3, x, create_graph=True); print(g.requires_grad); torch.autograd.grad(g, x)
x = torch.tensor(3., requires_grad=True); g, = torch.autograd.grad(x ** 4, [x], create_graph=True); h, = torch.autograd.grad(g, x, create_graph=True); torch.autograd.grad(h, x)
x = torch.ones(2, requires_grad=True); w = torch.ones(2, requires_grad=True); (x * w * 2).sum().backward(inputs=[x]); x.grad, w.grad
x = torch.ones(2, requires_grad=True); w = torch.ones(2, requires_grad=True); (x * w * 2).sum().backward(inputs=x); x.grad, w.grad
x = torch.ones(2, requires_grad=True); y = x * 2; z = (y * y).sum(); z.backward(inputs=[y]); y.grad, x.grad
x = torch.ones(2, requires_grad=True); y = x * 2; y.retain_grad(); print(y.retains_grad, x.retains_grad); (y * y).sum().backward(); y.grad, x.grad
x = torch.ones(2, requires_grad=True); x.retain_grad(); x.sum().backward(); x.grad, x.retains_grad
x = torch.ones(2, requires_grad=True); y = x * 2; y.grad
x = torch.ones(2, requires_grad=True); y = x * 2; z = y.sum(); z.backward(); y.grad
x = torch.ones(2, requires_grad=True); a = x * 2; b = x * 3; torch.autograd.backward([a.sum(), b.sum()]); x.grad
x = torch.ones(2, requires_grad=True); a = x * 2; torch.autograd.backward((a,), (torch.tensor([1., 2.]),)); x.grad
x = torch.ones(2, requires_grad=True); a = x * 2; torch.autograd.backward(a, torch.tensor([1., 2.])); x.grad
x = torch.ones(2, requires_grad=True); a = x * 2; torch.autograd.backward(a, grad_tensors=[torch.ones(2)], retain_graph=True); x.grad
x = torch.ones(2, requires_grad=True); a = x * 2; torch.autograd.backward([a, a.sum()], [torch.ones(2), None]); x.grad
x = torch.ones(2, requires_grad=True); torch.autograd.backward([x * 2], grad_variables=[torch.ones(2)]); x.grad
x = torch.ones(2, requires_grad=True); torch.autograd.grad((x * x).sum(), x, only_inputs=True)
x = torch.ones(2, requires_grad=True); torch.autograd.grad((x * x).sum(), x, only_inputs=False)
x = torch.ones(2, requires_grad=True); torch.autograd.grad([x * 2, x * 3], [x], [torch.ones(2), torch.ones(2)])
x = torch.ones(2, requires_grad=True); w = torch.ones(2, requires_grad=True); torch.autograd.grad(x.sum(), [x, w], allow_unused=True)
x = torch.ones(2, requires_grad=True); w = torch.ones(3, requires_grad=True); torch.autograd.grad(x.sum(), [x, w], materialize_grads=True)
x = torch.ones(2, requires_grad=True); y = x * 2; torch.autograd.grad((y * y).sum(), [y, x]), x.grad
x = torch.ones(2, requires_grad=True); y = x * 2; torch.autograd.grad(y, y, torch.tensor([3., 4.]))
x = torch.ones(2, requires_grad=True); torch.autograd.grad(x, x, torch.tensor([3., 4.]))
x = torch.ones(2, requires_grad=True); y = x * 2; torch.autograd.grad(y.sum(), (x,))
x = torch.tensor([1., 2.], requires_grad=True); y = x * x; u = y.detach(); z = u * x; z.sum().backward(); x.grad == u, u.requires_grad
x = torch.ones(2, requires_grad=True); y = x * 2; y.detach_(); y.requires_grad, y.is_leaf, y.grad_fn
x = torch.ones(2); x.requires_grad_(); print(x); x.requires_grad = False; x
x = torch.ones(2, requires_grad=True); print(2 * x); x.requires_grad = False; 2 * x
x = torch.ones(2).requires_grad_(True); x.requires_grad_(False).requires_grad
x = torch.ones(2, requires_grad=True); x.grad = torch.full((2,), 5.); x.sum().backward(); x.grad
x = torch.ones(2, requires_grad=True); x.sum().backward(); del x.grad; x.grad
x = torch.ones(2, 3, requires_grad=True); b = torch.zeros(3, requires_grad=True); (x + b).sum().backward(); x.grad, b.grad
x = torch.ones(2, 1, requires_grad=True); b = torch.ones(3, requires_grad=True); (x * b).backward(torch.arange(6.).reshape(2, 3)); x.grad, b.grad
x = torch.ones(3, requires_grad=True); x.expand(2, 3).backward(torch.arange(6.).reshape(2, 3)); x.grad, x.grad.is_contiguous()
x = torch.ones(2, requires_grad=True); y = x.double() * 2; y.sum().backward(); x.grad, x.grad.dtype
x = torch.ones(2, requires_grad=True); s = torch.tensor(2., dtype=torch.float64, requires_grad=True); (x * s).sum().backward(); x.grad, s.grad
x = torch.ones(2, dtype=torch.half, requires_grad=True); (x * 2).sum().backward(); x.grad
x = torch.tensor([1 + 2j], requires_grad=True); (x * x.conj()).real.sum().backward(); x.grad
x = torch.tensor([1 + 2j], requires_grad=True); y = x * (3 - 1j); y.backward(torch.tensor([1 + 0j])); x.grad
x = torch.tensor([3 + 4j], requires_grad=True); x.abs().sum().backward(); x.grad
x = torch.tensor([1.5, 0.5], requires_grad=True); z = x * (1 + 2j); (z * z).real.sum().backward(); x.grad
x = torch.tensor([1 + 2j, 0.5j], requires_grad=True); torch.exp(x).imag.sum().backward(); x.grad
x = torch.ones(2, requires_grad=True); y = x; y.sum().backward(); y.grad is x.grad
a = torch.randn(size=(), requires_grad=True); a.shape, a.requires_grad
x = torch.zeros(3, requires_grad=True); x.norm().backward(); x.grad
x = torch.zeros(3, requires_grad=True); x.abs().sum().backward(); x.grad
x = torch.tensor([1., 3., 3.], requires_grad=True); x.max().backward(); x.grad
x = torch.tensor([1., 3., 3.], requires_grad=True); x.max(0).values.backward(); x.grad
x = torch.tensor([1., 3., 3.], requires_grad=True); x.amax().backward(); x.grad
x = torch.tensor([2., 3.], requires_grad=True); torch.maximum(x, torch.tensor([2., 1.])).sum().backward(); x.grad
x = torch.tensor([0., -1., 1.], requires_grad=True); (torch.relu(x) + x.clamp(0, 1) + x.sign()).sum().backward(); x.grad
x = torch.tensor([0., 2., 3.], requires_grad=True); x.prod().backward(); x.grad
x = torch.tensor([0., 0., 3.], requires_grad=True); x.prod().backward(); x.grad
x = torch.tensor([0., 4.], requires_grad=True); x.sqrt().sum().backward(); x.grad
x = torch.tensor([0., 1.], requires_grad=True); (x ** 0).sum().backward(); x.grad
x = torch.tensor([0., 1.], requires_grad=True); (x ** torch.tensor([0., 2.])).sum().backward(); x.grad
x = torch.tensor([0., 2.], requires_grad=True); (0 ** x).sum().backward(); x.grad
x = torch.tensor([0., 2.], requires_grad=True); torch.sinc(x).sum().backward(); x.grad
x = torch.tensor([0., math.inf, -math.inf, math.nan], requires_grad=True); y = torch.sigmoid(x); y.sum().backward(); y, x.grad
x = torch.tensor([0., math.inf, -math.inf, math.nan], requires_grad=True); y = torch.logaddexp(x, x); y.sum().backward(); y, x.grad
x = torch.tensor([-math.inf, -math.inf], requires_grad=True); y = x.logsumexp(0); y.backward(); y, x.grad
x = torch.tensor([1., -1., 0.], requires_grad=True); (1 / x).sum().backward(); x.grad
x = torch.tensor([1., -1., 0.], requires_grad=True); x.log().sum().backward(); x.grad
x = torch.zeros(0, requires_grad=True); x.sum().backward(); x.sum(), x.grad
x = torch.zeros(0, 3, requires_grad=True); x.sum(0).sum().backward(); x.sum(0), x.grad
x = torch.zeros(0, requires_grad=True); x.prod().backward(); x.prod(), x.grad, x.detach().mean(), x.detach().var()
x = torch.zeros(2, 0, requires_grad=True); (x @ torch.ones(0, 3)).sum().backward(); x.grad, x @ torch.ones(0, 3)
x = torch.tensor(5., requires_grad=True); x.sum(0).backward(); x.grad, x.mean(-1), x.max(0), x.cumsum(0), x.softmax(0), x.sort()
x = torch.tensor([4., 1., 1.], requires_grad=True); v, i = x.sort(); v.backward(torch.tensor([1., 2., 3.])); x.grad, i
x = torch.ones(3, requires_grad=True); x.std().backward(); x.grad
x = torch.ones(1, requires_grad=True); x.var()
""".strip().splitlines()  # noqa: E501

IN_PLACE = """
x = torch.ones(2, requires_grad=True); y = x * 2; y += 1; y *= 3; y.sum().backward(); y, x.grad
x = torch.ones(2, requires_grad=True); y = x * 2; y -= 1; y /= 2; y, y.grad_fn.next_functions
x = torch.ones(2, requires_grad=True); y = x * 2; z = y.add_(1); z is y, y._version, y.grad_fn
x = torch.ones(2, requires_grad=True); y = x.exp(); y **= 2; y
x = torch.ones(2); x += torch.ones(2, requires_grad=True); x.requires_grad, x.grad_fn, x.is_leaf
x = torch.ones(2, requires_grad=True); torch.no_grad().__enter__(); x -= 0.1; x, x._version
x = torch.ones(2, requires_grad=True)\nwith torch.no_grad():\n    x -= 0.5\n    x.add_(1).mul_(2)\nx, x.is_leaf, x.grad_fn, x._version
x = torch.ones(2, requires_grad=True)\n(x * x).sum().backward()\nwith torch.no_grad():\n    x -= 0.1 * x.grad\nx.grad.zero_()\nx, x.grad
x = torch.ones(3); x.zero_(), x.fill_(2), x.copy_(torch.arange(3)), x._version
x = torch.ones(3); x[0] = 5; x[1:] = torch.tensor([7., 8.]); x, x._version
x = torch.ones(3, requires_grad=True); y = x * 1; y[0] = 5; y.sum().backward(); y, x.grad
x = torch.ones(3, requires_grad=True); y = x * 1; y[1:] = x[:2] * 4; y.sum().backward(); y, x.grad
x = torch.ones(3, requires_grad=True); y = torch.zeros(3); y[0] = x[1] * 2; y.sum().backward(); y, x.grad
x = torch.ones(3, requires_grad=True); y = x * 1; y[y > 0] = 0; y.sum().backward(); y, x.grad
x = torch.ones(3, requires_grad=True); y = x * 1; y[torch.tensor([0, 0])] = torch.tensor([3., 4.]); y.sum().backward(); x.grad
x = torch.ones(3, requires_grad=True); y = x * 2; y.zero_(); y.sum().backward(); y, x.grad
x = torch.ones(3, requires_grad=True); y = x * 2; y.copy_(x * 5); y.sum().backward(); y, x.grad
x = torch.arange(4); x += 1; x *= 2; x //= 3; x %= 2; x
x = torch.arange(4.); x.clamp_(1, 2), x.neg_(), x.abs_(), x.sqrt_(), x.pow_(3), x.exp_().log_(), x.sub_(1, alpha=2), x.div_(2)
x = torch.arange(4.); y = x; y += 1; x is y, x
x = torch.tensor([True, False]); x &= True; x |= True; x
x = torch.ones(2, 2); x @= x
x = torch.ones(2); x.data += 3; x, x._version
x = torch.ones(2, requires_grad=True); y = x.tanh(); y.detach().zero_(); y
""".strip().splitlines()  # noqa: E501

PROGRAMS = {
    "control flow": """
def f(a):
    b = a * 2
    while b.norm() < 1000:
        b = b * 2
    if b.sum() > 0:
        c = b
    else:
        c = 100 * b
    return c
for start in (0.3, -0.7, 12.5):
    a = torch.tensor(start, requires_grad=True)
    d = f(a)
    d.backward()
    print(a.grad, d, d / a, a.grad == d / a)
""",
    "training": """
x = torch.linspace(-1, 1, 20).reshape(-1, 1)
t = 3 * x + 0.5
w = torch.zeros(1, 1, requires_grad=True)
b = torch.zeros(1, requires_grad=True)
for step in range(30):
    loss = ((x @ w + b - t) ** 2).mean()
    loss.backward()
    with torch.no_grad():
        w -= 0.5 * w.grad
        b -= 0.5 * b.grad
    w.grad.zero_()
    b.grad = None
    if step % 10 == 0:
        print(step, loss)
print(w, b)
""",
    "sharing": """
a = torch.ones(2, requires_grad=True)
b = torch.ones(2, requires_grad=True)
g = torch.full((2,), 3.0)
(a + b).backward(g)
a.grad[0] = 100
print(a.grad, b.grad, g)
""",
    "gradient is not aliased by a later pass": """
x = torch.ones(2, requires_grad=True)
(x * 1).sum().backward()
kept = x.grad.clone()
y = x.grad * 2
x.grad.zero_()
print(kept, y)
""",
    "printing through a graph": """
a = torch.linspace(0., 2. * math.pi, steps=25, requires_grad=True)
b = torch.sin(a)
c = 2 * b
d = c + 1
out = d.sum()
print(a, b, c, d, out, sep='\\n')
print('d:')
print(d.grad_fn)
print(d.grad_fn.next_functions)
print(d.grad_fn.next_functions[0][0].next_functions)
print(d.grad_fn.next_functions[0][0].next_functions[0][0].next_functions)
print(d.grad_fn.next_functions[0][0].next_functions[0][0].next_functions[0][0].next_functions)
print('a:', a.grad_fn)
out.backward()
print(a.grad)
""",
    "hessian by hand": """
x = torch.tensor([1., 2., 3.], requires_grad=True)
y = (x ** 3).sum() * x[0]
g, = torch.autograd.grad(y, x, create_graph=True)
rows = [torch.autograd.grad(g[i], x, retain_graph=True)[0] for i in range(3)]
print(torch.stack(rows))
""",
    "grad through grad penalty": """
x = torch.tensor([[0.5, -1.0], [2.0, 0.3]], requires_grad=True)
w = torch.tensor([0.7, -0.2], requires_grad=True)
y = torch.tanh(x @ w).sum()
g, = torch.autograd.grad(y, x, create_graph=True)
(g.norm(dim=1) - 1).pow(2).mean().backward()
print(x.grad, w.grad)
""",
    "a gradient that is created with a graph is a leaf's": """
x = torch.tensor(2., requires_grad=True)
(x ** 2).backward(create_graph=True)
print(x.grad, x.grad.requires_grad, x.grad.grad_fn is not None)
""",
    "retain_graph=False frees only what was saved": """
x = torch.ones(2, requires_grad=True)
y = (x + 1).sum()
y.backward()
y.backward()
print(x.grad)
""",
    "partial second pass": """
x = torch.ones(2, requires_grad=True)
h = x.exp()
a, b = h.sum(), (h * 2).sum()
a.backward(retain_graph=True)
b.backward()
print(x.grad)
""",
}


@pytest.mark.parametrize("program", [*GRAPH, *PASSES, *IN_PLACE])
def test_line(program: str) -> None:
    agree(program.replace("; ", "\n").replace("\\n", "\n"))


@pytest.mark.parametrize("name", PROGRAMS)
def test_program(name: str) -> None:
    agree(PROGRAMS[name].strip())
