"""Writing in place, differentiated: every method, on a whole tensor and through every kind of view, beside torch.

Each program writes to a recorded tensor `y` or to a view of it, then sums things up with different weights, so that
the gradients of the old and of the new values, through the base, the view and a view made before, all count.
"""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule.eager import inplace
from tests.oracle import agree, raises

METHODS = (
    "add_(w)", "add_(2.0)", "add_(w, alpha=3)", "sub_(w)", "sub_(w, alpha=2)", "mul_(w)", "mul_(3)", "div_(w)",
    "div_(w, rounding_mode='floor')", "pow_(2)", "pow_(w)", "remainder_(0.7)", "fmod_(w)", "neg_()", "exp_()", "log_()",
    "log2_()", "log10_()", "log1p_()", "expm1_()", "exp2_()", "sqrt_()", "rsqrt_()", "reciprocal_()", "sin_()", "cos_()",
    "tan_()", "sinh_()", "cosh_()", "tanh_()", "asin_()", "acos_()", "atan_()", "atan2_(w)",
    "sigmoid_()", "relu_()", "abs_()", "absolute_()", "square_()", "floor_()", "ceil_()", "round_()", "trunc_()", "frac_()",
    "sign_()", "erf_()", "erfc_()", "sinc_()", "hypot_(w)", "copysign_(w)", "lerp_(w, 0.3)", "clamp_(0.3, 0.6)",
    "clamp_min_(0.4)", "clamp_max_(0.4)", "clip_(max=0.5)", "nan_to_num_()", "logit_()", "xlogy_(w)", "float_power_(2)",
    "deg2rad_()", "rad2deg_()", "addcmul_(w, w, value=2)", "addcdiv_(w, w + 1)", "fill_(2.0)", "fill_(w.sum())", "zero_()",
    "copy_(w)", "masked_fill_(m, 7.0)", "masked_fill_(m, w.sum())", "cumsum_(0)", "cumprod_(0)", "tril_()", "triu_()",
    "eq_(0.5)", "lt_(0.5)", "ge_(0.5)", "multiply_(w)", "subtract_(w)", "divide_(w)", "negative_()",
    "index_add_(0, i, w[:2])", "index_add_(0, i, w[:2], alpha=2)", "index_fill_(0, i, 3.0)", "index_fill_(0, i, w.sum())",
    "index_copy_(0, i, w[:2])", "index_put_((i,), w[:2])", "index_put_((i,), w[:2], accumulate=True)",
    "masked_scatter_(m, w)", "put_(i, w.reshape(-1)[:2])", "scatter_(0, g, w)", "scatter_(0, g, 2.0)", "scatter_add_(0, g, w)",
    "scatter_reduce_(0, g, w, 'amax')", "renorm_(2, 0, 0.5)", "addmm_(w, w.T)", "fill_diagonal_(0.0)",
)  # fmt: skip
HEAD = """torch.manual_seed(0)
x = (torch.rand(3, 3, dtype=torch.float64) * 0.8 + 0.1).requires_grad_()
w = (torch.rand(3, 3, dtype=torch.float64) * 0.5 + 0.2).requires_grad_()
m = torch.tensor([[True, False, True], [False, True, True], [False, False, True]])
i = torch.tensor([2, 0])
g = torch.tensor([[0, 1, 2], [2, 0, 1], [1, 1, 0]])
y = x * 1.5 - 0.1
other = y.view(9)
"""
TAIL = """
k = torch.arange(9, dtype=torch.float64).view(3, 3) + 1
((y * k).sum() + (other * k.view(9)).sum() * 2 + (t * 3).sum()).backward()
print(y.detach().numpy().round(10).tolist())
print(None if x.grad is None else x.grad.numpy().round(8).tolist())
print(None if w.grad is None else w.grad.numpy().round(8).tolist())
y._version, t._version, y.requires_grad, t._is_view(), y._is_view()
"""


@pytest.mark.torch
@pytest.mark.parametrize("method", METHODS)
def test_of_a_whole_tensor(method: str) -> None:
    agree(f"{HEAD}t = y\nr = t.{method}\nprint(r is t)\n{TAIL}")


VIEWS = {
    "transposed": "y.T", "reshaped": "y.view(1, 9).view(3, 3)", "slice of all": "y[:]", "unsqueezed": "y.unsqueeze(0)[0]",
    "permuted twice": "y.permute(1, 0).permute(1, 0)",
    "strided": "y.as_strided((3, 3), (1, 3))", "narrow": "y.narrow(0, 0, 3)",
    "flattened": "y.flatten().view(3, 3)", "swapped": "y.swapaxes(0, 1)", "detached and back": "y.expand(3, 3)",
}  # fmt: skip


@pytest.mark.torch
@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("method", METHODS)
def test_through_a_view(method: str, view: str) -> None:
    seen = "print(r is t, type(y.grad_fn).__name__, type(t.grad_fn).__name__)"
    agree(f"{HEAD}t = {VIEWS[view]}\nr = t.{method}\n{seen}\n{TAIL}")


PARTS = (
    "y[1]", "y[:, 0]", "y[::2]", "y[1:, :2]", "y.diagonal()", "y.select(1, 2)", "y.view(-1)[2:7]", "y.T[0]", "y[0][1:]",
    "y[0, 0]",
)  # fmt: skip
ON_PARTS = ("add_(2.0)", "mul_(w[0, 0])", "exp_()", "copy_(w[1, 1])", "zero_()", "sin_()", "fill_(w.sum())", "sub_(w.mean())")


@pytest.mark.torch
@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("method", ON_PARTS)
def test_through_a_part(method: str, part: str) -> None:
    agree(f"{HEAD}t = {part}\nt.{method}\nprint(type(y.grad_fn).__name__)\n{TAIL}")


AUGMENTED = ("+= w", "-= w", "*= w", "/= w", "+= 1", "*= 2.0", "**= 2", "%= 0.7")


@pytest.mark.torch
@pytest.mark.parametrize("assignment", AUGMENTED)
@pytest.mark.parametrize("target", ["t", "y[1]", "y[1:, :2]", "y[m]"])
def test_augmented_assignment(assignment: str, target: str) -> None:
    value = {"t": "w", "y[1]": "w[1]", "y[1:, :2]": "w[1:, :2]", "y[m]": "w[m]"}[target]
    agree(f"{HEAD}t = y\n{target} {assignment.replace('w', value)}\n{TAIL}")


ASSIGNED = (
    "y[0] = w[1]", "y[0] = 2.0", "y[:, 1] = w[0]", "y[1:] = w[:2]", "y[m] = 1.0", "y[m] = w[m]",
    "y[m] = w.sum()", "y[i] = w[:2]", "y[i, i] = w[0, :2]", "y[[0, 2]] = w[1]", "y[0, 0] = w[2, 2]", "y[None, 1] = w[0]",
    "y[1, i] = w[0, :2]", "y[:, i] = w[:, :2]", "y[i, 1] = w[0, :2]", "y[-1] = y[0]", "y[:, [1, 0]] = y[:, [0, 1]]",
    "y.T[0] = w[0]", "y[0][1] = w[0, 0]", "y[m[0]] = w[:2]", "y[torch.tensor(1)] = w[0]", "y[:0] = 3.0", "y[2][m[0]] = 5.0",
)  # fmt: skip


@pytest.mark.torch
@pytest.mark.parametrize("assignment", ASSIGNED)
def test_assignment_by_index(assignment: str) -> None:
    agree(f"{HEAD}t = y\n{assignment}\nprint(type(y.grad_fn).__name__)\n{TAIL}")


@pytest.mark.torch
@pytest.mark.parametrize("write", ["mul_(w)", "exp_()", "copy_(w)", "add_(w)"])
@pytest.mark.parametrize("view", ["y", "y.T", "y.view(9).view(3, 3)"])
def test_second_derivatives(write: str, view: str) -> None:
    agree(f"""{HEAD}t = {view}
t.{write}
(d,) = torch.autograd.grad((y ** 3).sum() + (other * t.reshape(9)).sum(), x, create_graph=True)
(d * k).sum().backward() if (k := torch.arange(9, dtype=torch.float64).view(3, 3)) is not None and d.requires_grad else None
print(d.detach().numpy().round(8).tolist())
None if w.grad is None else w.grad.numpy().round(8).tolist(), None if x.grad is None else x.grad.numpy().round(8).tolist()
""")


COMPLEX = """x = torch.tensor([[1 + 2j, 3 - 1j], [0.5j, 2 + 0j]], dtype=torch.complex128, requires_grad=True)
w = torch.tensor([[1.5, 0.5], [2.0, -1.0]], dtype=torch.float64, requires_grad=True)
y = x * (1 - 1j)
"""


@pytest.mark.torch
@pytest.mark.parametrize("write", [
    "y.real.mul_(w)", "y.imag.add_(w)", "y.real.copy_(w)", "torch.view_as_real(y).mul_(2)",
    "torch.view_as_real(y)[..., 0].mul_(w)",
    "y.real[0] = w[0]", "y.imag.zero_()", "y.T.real.mul_(w)", "y[0].imag.exp_()", "y.mul_(w)", "y[0] = w[1]", "y.real += w",
])  # fmt: skip
def test_parts_of_complex_numbers(write: str) -> None:
    agree(f"""{COMPLEX}before = y.real
{write}
loss = (y * torch.tensor([[1 - 1j, 2], [3j, 1 + 1j]], dtype=torch.complex128)).sum()
(loss.real + 2 * loss.imag + (before * w).sum()).backward()
print(x.grad.numpy().round(8).tolist())
None if w.grad is None else w.grad.numpy().round(8).tolist()
""")


REFUSED = """
x.add_(1)
x[0].add_(1)
x[0] = 1.0
x[torch.tensor([0])] = 1.0
x.zero_()
x.copy_(w)
x.T.mul_(2)
x.view(9).exp_()
x.fill_(1.0)
x += 1
x.transpose_(0, 1)
y.unbind(0)[0].add_(1)
y.split(1)[0].mul_(2)
y.chunk(3)[1].exp_()
y.split([1, 2])[1].zero_()
y.unbind(0)[0][1:].add_(1)
[row.add_(1) for row in y]
torch.zeros(3, 3, dtype=torch.float64).unbind()[0].copy_(w[0])
a, b = torch.zeros(2, 3, dtype=torch.float64).unbind(0); a.mul_(w[0])
y[0].expand(3, 3).add_(1)
torch.zeros(1, dtype=torch.float64).expand(3).add_(1)
torch.zeros(3, 1, dtype=torch.float64).expand(3, 3).copy_(w)
y.add_(torch.zeros(2, 3, 3, dtype=torch.float64))
torch.zeros(3, dtype=torch.int64).add_(1.5)
torch.zeros(3, dtype=torch.float64).mul_(1j)
torch.zeros(3).copy_(torch.zeros(4))
y[0:2] = w
y.fill_(w)
y.resize_(9)
y.T.detach_()
with torch.no_grad():
    v = y[0]
v.add_(1)
with torch.no_grad():
    v = y[0]
y.add_(1)
v * 2
with torch.no_grad():
    v = y[0]
v[1:].mul_(2)
with torch.no_grad():
    v = y[0]
    v.add_(1)
v * 2
with torch.inference_mode():
    v = y[0]
v.add_(1)
with torch.inference_mode():
    v = y[0]
y.mul_(2)
v.grad_fn
rows = y.unbind(0)
y.mul_(2)
rows[0] * 1
torch.exp(x, out=torch.empty(3, 3))
torch.add(w, 1, out=y.detach())
torch.add(torch.ones(3), torch.ones(3), out=torch.empty(3, dtype=torch.int64))
torch.add(torch.ones(3), torch.ones(3), out=[1])
torch.mul(torch.ones(3), torch.ones(3), out=x)
z = y.exp()
z[0] = 0.0
z.sum().backward()
z = y.exp()
z.view(9)[0] = 0.0
z.sum().backward()
z = y * y
y.T.add_(1)
z.sum().backward()
z = y.sigmoid()
z.detach().zero_()
z.sum().backward()
"""
STARTS = ("x", "y", "[", "torch", "a,", "with", "rows", "z", "w2")


def refused() -> list[str]:
    """The programs above: lines that begin a new one, and those that belong to it."""
    found: list[list[str]] = []
    opened = False
    for line in REFUSED.strip().splitlines():
        begins = line.startswith(("with", "rows =", "z =")) and not (found and found[-1][-1].startswith("with"))
        if begins or not opened:
            found.append([])
            opened = begins
        found[-1].append(line)
        if opened and (line.endswith(("backward()", "* 2", "* 1", "grad_fn")) or line in ("v.add_(1)", "v[1:].mul_(2)")):
            opened = False
    return ["\n".join(lines) for lines in found]


@pytest.mark.torch
@pytest.mark.parametrize("program", refused())
def test_refused(program: str) -> None:
    raises(HEAD + program, part="" if "backward()" in program else None)


OUT = """
c = torch.empty(3); r = torch.add(torch.ones(3), 1, out=c); r is c, c, c._version
c = torch.empty(0); torch.exp(torch.zeros(2, 2), out=c); c
c = torch.empty(5); torch.exp(torch.zeros(2), out=c); c
c = torch.empty(3, dtype=torch.float64); torch.mul(torch.ones(3), 2, out=c); c
v, n = torch.empty(0), torch.empty(0, dtype=torch.int64); torch.max(torch.eye(3), 0, out=(v, n)); v, n
c = torch.zeros(2, 2); torch.matmul(torch.ones(2, 3), torch.ones(3, 2), out=c); c
c = torch.zeros(4); torch.cat([torch.ones(2), torch.zeros(2)], out=c); c
c = torch.zeros(3); torch.sum(torch.ones(2, 3), 0, out=c); c
c = torch.zeros(4); torch.sin(torch.ones(2), out=c[:2]); c
c = torch.ones(3, dtype=torch.bool); torch.lt(torch.arange(3), 1, out=c); c
c = torch.zeros(2); x = torch.ones(2, requires_grad=True)\nwith torch.no_grad():\n    torch.exp(x, out=c)\nc
torch.clamp(torch.arange(4.0), 1, 2, out=(c := torch.zeros(4))), c
"""


@pytest.mark.torch
@pytest.mark.parametrize("program", OUT.strip().splitlines())
def test_out(program: str) -> None:
    agree("\n".join(program.replace("\\n", "\n").split("; ")))


def test_negative_steps_are_views_too() -> None:
    """NumPy's x[::-1], which torch does not have."""
    x = cr.arange(4.0, requires_grad=True)
    y = x * 1.0
    back = y[::-1]
    back.mul_(cr.tensor([1.0, 2.0, 3.0, 4.0]))
    (y * y).sum().backward()
    assert y.tolist() == [0.0, 3.0, 4.0, 3.0]
    assert x.grad is not None
    assert x.grad.tolist() == [0.0, 18.0, 16.0, 6.0]


def test_a_view_is_known_to_its_base_only_while_it_lives() -> None:
    y = cr.ones(4, requires_grad=True) * 2
    kept = y[:2]
    for i in range(1000):
        y[i % 4]
    assert len(y.base) < 200
    y.mul_(3)
    assert type(kept.grad_fn).__name__ == "AsStridedBackward0"


def test_no_primitive_gives_memory_of_its_operand_unless_it_says_so() -> None:
    """What is no view for torch may not share memory: a write to it would be a write to the operand."""
    from chainrule.core.primitive import TABLE
    from chainrule.testing.samples import samples

    for p in TABLE.values():
        if p.moves in ("view", "maybe view") or p.variadic or not p.differentiable:
            continue
        for sample in samples(p):
            operands = [x.copy() if isinstance(x, np.ndarray) else x for x in sample.operands]
            with np.errstate(all="ignore"):
                out = p.raw(*operands, **sample.params)
            for part in out if isinstance(out, tuple) else (out,):
                for x in operands:
                    if isinstance(x, np.ndarray) and isinstance(part, np.ndarray) and part.size:
                        assert not np.shares_memory(part, x), p


def test_views_that_are_not_used_cost_nothing_when_their_base_is_written() -> None:
    y = cr.ones(300, requires_grad=True) * 1
    rows = [y[k] for k in range(300)]
    made: list[object] = []
    original = inplace.history_of
    inplace.history_of = lambda view, base: made.append(view) or original(view, base)  # type: ignore[func-returns-value]
    try:
        for row in rows:
            row.mul_(2.0)
    finally:
        inplace.history_of = original
    assert len(made) == 299  # each but the first for its own write, not 300 for each
    (rows[0] * 3 + y.sum()).backward()


@pytest.mark.torch
@pytest.mark.parametrize(
    "use",
    [
        "v.grad_fn",
        "(v * 2).sum().backward(); x.grad",
        "v.sum().backward(); x.grad",
        "torch.autograd.grad(y.sum(), v, allow_unused=True)",
        "torch.autograd.grad(v.sum(), x)",
        "v.grad_fn; h = v.register_hook(lambda g: print(g)); v.sum().backward()",
        "v.retain_grad(); (v * 3).sum().backward(); v.grad",
        "v.detach(), v.detach() * 2",
        "v",
        "v.data, v._version, v.is_leaf, v.requires_grad, v._base is y",
        "v.mul_(3); v.sum().backward(); x.grad",
        "v[0] = 7; v.sum().backward(); x.grad",
        "v.zero_(); v.grad_fn, x",
        "v.t_(); v.sum().backward(); x.grad",
        "torch.autograd.graph.get_gradient_edge(v).node.name()",
        "v.view(2).sum().backward(); x.grad",
        "v.data = torch.zeros(2); v.requires_grad, v.grad_fn is None",
        "torch.autograd.backward(v, torch.ones(2), inputs=[x]); x.grad",
        "F.apply(v).sum().backward(); x.grad",
        "torch.stack([v, v]).sum().backward(); x.grad",
        "with torch.no_grad(): v.add_(1)\nv.sum().backward(); x.grad, v",
        "y.data = torch.ones(4); v.requires_grad",
        "v += v; v.sum().backward(); x.grad",
        "torch.exp(v, out=torch.empty(2).copy_(v).detach())",
    ],
)
def test_a_view_whose_base_was_written_to(use: str) -> None:
    agree("class F(torch.autograd.Function):\n"
          "    @staticmethod\n    def forward(ctx, t):\n        ctx.save_for_backward(t)\n        return t * t\n"
          "    @staticmethod\n    def backward(ctx, g):\n        return 2 * g * ctx.saved_tensors[0]\n"
          "x = torch.arange(4.0, requires_grad=True)\ny = x * 1\nv = y[1:3]\nw = y[2:]\nw.mul_(5)\n" + use)  # fmt: skip
