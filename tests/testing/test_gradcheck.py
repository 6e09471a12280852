"""`gradcheck` and `gradgradcheck`: right gradients pass, wrong ones are found out, in torch's words."""

from __future__ import annotations

from typing import Any

import pytest

import chainrule as cr
from chainrule.autograd import gradcheck, gradgradcheck
from tests.oracle import agree, raises

HEAD = """from torch.autograd import Function, gradcheck, gradgradcheck
torch.manual_seed(0)
x = torch.tensor([0.3, -0.7, 1.2], dtype=torch.float64, requires_grad=True)
y = torch.tensor([[0.5], [2.0]], dtype=torch.float64, requires_grad=True)
z = torch.tensor([1 + 2j, -0.5j], dtype=torch.complex128, requires_grad=True)
def F1(forward, backward):
    return type('F1', (Function,), {'forward': staticmethod(forward), 'backward': staticmethod(backward)}).apply
"""
PASS = """
gradcheck(torch.sin, (x,)), gradgradcheck(torch.sin, (x,))
gradcheck(lambda a, b: a * b, (x, y)), gradgradcheck(lambda a, b: a * b, (x, y))
gradcheck(lambda a, b: (a * b, a + 1), (x, y)), gradcheck(lambda a, b: [a * b, b.sum()], [x, y])
gradcheck(torch.sin, x), gradcheck(torch.sin, x, fast_mode=True), gradgradcheck(torch.sin, x, fast_mode=True)
gradcheck(lambda a: a * a.conj(), (z,)), gradcheck(lambda a: a.abs(), (z,)), gradcheck(lambda a: a ** 2, (z,), fast_mode=True)
gradcheck(lambda a: torch.view_as_real(a) ** 2, (z,)), gradgradcheck(lambda a: a ** 3, (z,))
gradcheck(lambda a, b: a * 2, (x, y)), gradcheck(lambda a, n: a ** n, (x, 2)), gradcheck(lambda a: a.detach() * 0 + 1, (x,))
gradgradcheck(lambda a: a ** 2, (x,), torch.ones(3, dtype=torch.float64, requires_grad=True))
gradgradcheck(lambda a: a.exp(), (x,), gen_non_contig_grad_outputs=True)
gradcheck(F1(lambda ctx, a: a * 2, lambda ctx, g: g * 3), (x,), raise_exception=False)
gradcheck(F1(lambda ctx, a: a * 2, lambda ctx, g: g * 3), (x,), raise_exception=False, fast_mode=True)
gradcheck(lambda a: a[0:0], (x,)), gradcheck(lambda a: a.sum(), (torch.zeros(0, dtype=torch.float64, requires_grad=True),))
torch.autograd.gradcheck(torch.exp, (x,)), torch.autograd.gradgradcheck(torch.exp, (x,))
"""
FAIL = """
gradcheck(F1(lambda ctx, a: a * 2, lambda ctx, g: g * 3), (x,))
gradcheck(F1(lambda ctx, a, b: a * b, lambda ctx, g: (g.expand(2, 3).sum(0), g)), (x, y))
gradcheck(F1(lambda ctx, a: a * 2, lambda ctx, g: torch.ones_like(g)), (x,))
gradcheck(F1(lambda ctx, a: a * 2, lambda ctx, g: g * 2 + torch.rand(3)), (x,))
gradcheck(lambda a: a.detach() * 2 + 0 * a.sum().detach(), (x,))
gradcheck(lambda a: a, (x.detach(),))
gradcheck(lambda a: a * 2, (torch.ones(1, dtype=torch.float64).expand(3).requires_grad_(),))
gradcheck(lambda a: torch.cat([a, a]) if a[0] > 0.3 else a, (x,))
gradcheck(torch.sin, (x,), check_forward_ad=False, check_backward_ad=False)
gradgradcheck(torch.sin, (x,), check_fwd_over_rev=False, check_rev_over_rev=False)
gradgradcheck(F1(lambda c, a: c.save_for_backward(a) or a ** 3, lambda c, g: g * 3 * c.saved_tensors[0].detach() ** 2), (x,))
"""


def lines(text: str) -> list[str]:
    return text.strip().splitlines()


@pytest.mark.torch
@pytest.mark.parametrize("program", lines(PASS))
def test_as_torch(program: str) -> None:
    agree(HEAD + program)


@pytest.mark.torch
@pytest.mark.parametrize("program", lines(FAIL))
def test_errors_as_torch(program: str) -> None:
    """The numbers of a mismatch depend on rounding; its words do not."""
    words = {"* 3), (x,))": "Jacobian mismatch for output 0 with respect to input 0", "ones_like": "Jacobian mismatch",
             "sum(0), g)": "Jacobian mismatch for output 0 with respect to input 0", "torch.rand": "Backward is not reentrant",
             "detach() ** 2": "Jacobian mismatch"}  # fmt: skip
    raises(HEAD + program, part=next((part for sign, part in words.items() if sign in program), None))


def test_the_fast_mode_shows_what_the_slow_one_finds() -> None:
    wrong = type("Wrong", (cr.autograd.Function,), {
        "forward": staticmethod(lambda ctx, x: x * 2), "backward": staticmethod(lambda ctx, g: g * 3),
    })  # fmt: skip
    x = cr.tensor([0.5, 1.0], dtype=cr.float64, requires_grad=True)
    with pytest.raises(RuntimeError, match=r"(?s)in fast mode.*Numerical:.*Analytical:.*difference .* is: 1\.0"):
        gradcheck(wrong.apply, (x,), fast_mode=True)  # type: ignore[attr-defined]


def test_undefined_cotangents_are_tried() -> None:
    def hooked(x: Any) -> Any:
        y = x.clone()

        def hook(g: Any) -> None:
            if g is None:
                raise RuntimeError("undefined")

        y.register_hook(hook)
        return y

    x = cr.ones(1, dtype=cr.float64, requires_grad=True)
    with (
        pytest.warns(UserWarning, match="New undefined gradient support checking"),
        pytest.raises(RuntimeError, match="Expected backward function to handle undefined output grads"),
    ):
        gradcheck(hooked, (x,))
    assert gradcheck(hooked, (x,), check_undefined_grad=False)


class WrongWithoutTangent(cr.autograd.Function):
    """A product, whose derivative is wrong where only the first factor has a tangent."""

    @staticmethod
    def forward(ctx: Any, x: Any, y: Any) -> Any:
        ctx.set_materialize_grads(False)
        ctx.factors = x, y
        return x * y

    @staticmethod
    def jvp(ctx: Any, along_x: Any, along_y: Any) -> Any:
        x, y = ctx.factors
        return along_x * 5 if along_y is None else x * along_y if along_x is None else along_x * y + x * along_y


def test_inputs_without_tangents_are_tried() -> None:
    x, y = (cr.tensor([value], dtype=cr.float64, requires_grad=True) for value in (0.5, 2.0))
    only_forward = {"check_forward_ad": True, "check_backward_ad": False}
    with pytest.raises(RuntimeError, match="output with index: 0 when input 1 has an undefined tangent value"):
        gradcheck(WrongWithoutTangent.apply, (x, y), **only_forward)
    assert gradcheck(WrongWithoutTangent.apply, (x, y), check_undefined_grad=False, **only_forward)


def test_the_inputs_are_as_before() -> None:
    x = cr.tensor([0.5, 1.0], dtype=cr.float64, requires_grad=True)

    def fails(a: Any) -> Any:
        if a[0] > 0.5:
            raise ZeroDivisionError
        return a

    with pytest.raises(ZeroDivisionError):
        gradcheck(fails, (x,))
    assert x.tolist() == [0.5, 1.0]
    assert x.grad is None
    assert gradgradcheck(cr.exp, (x,))
    assert x.grad is None
    assert x._version == 0
