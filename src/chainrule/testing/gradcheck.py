"""`gradcheck` and `gradgradcheck`: derivatives beside central differences, in torch's words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.eager import engine
from chainrule.eager.tensor import Tensor, wrap
from chainrule.testing import batchedcheck
from chainrule.testing.backwardcheck import Check, GradcheckError, Settings, as_tuple, differentiable
from chainrule.testing.forwardcheck import check_forward, check_no_tangents

__all__ = ["GradcheckError", "gradcheck", "gradgradcheck"]


def gradcheck(
    func: Callable[..., Any],
    inputs: Any,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_batched_forward_grad: bool = False,
    check_forward_ad: bool = False,
    check_backward_ad: bool = True,
    fast_mode: bool = False,
    masked: bool | None = None,
) -> bool:
    """Compare the backward pass of ``func`` with ``(f(x + eps) - f(x - eps)) / (2 eps)``.

    All inputs that require grad are checked; they should be float64 or complex128. With ``fast_mode`` one random
    projection of each Jacobian is compared, else every element. Returns True; raises GradcheckError (or returns False,
    with ``raise_exception=False``) where they differ by more than ``atol + rtol |numeric|``.

    >>> import chainrule as cr
    >>> gradcheck(lambda x: x.sin(), cr.tensor([0.5, 1.0], dtype=cr.float64, requires_grad=True))
    True
    """
    if not (check_forward_ad or check_backward_ad):
        raise AssertionError("Expected at least one of check_forward_ad or check_backward_ad to be True")
    if check_batched_grad and not check_backward_ad:
        raise AssertionError("Setting check_batched_grad=True requires check_backward_ad to be True")
    if check_batched_forward_grad and not check_forward_ad:
        raise AssertionError("Setting check_batched_forward_grad=True requires check_forward_ad to be True")
    settings = Settings(eps, atol, rtol, nondet_tol, check_grad_dtypes, fast_mode, bool(masked))
    check = Check(func, as_tuple(inputs), settings)
    try:
        check.check_inputs()
        if check_backward_ad:
            check.run(check_undefined_grad)
        if check_batched_grad:
            batchedcheck.check_batched_grad(check)
        if check_forward_ad:
            check_forward(check)
            if check_undefined_grad:
                check_no_tangents(check)
        if check_batched_forward_grad:
            batchedcheck.check_batched_forward_grad(check)
        return True
    except GradcheckError:
        if raise_exception:
            raise
        return False


def gradgradcheck(
    func: Callable[..., Any],
    inputs: Any,
    grad_outputs: Any = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    gen_non_contig_grad_outputs: bool = False,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_fwd_over_rev: bool = False,
    check_rev_over_rev: bool = True,
    fast_mode: bool = False,
    masked: bool = False,
) -> bool:
    """`gradcheck` of the gradients of ``func``, for random (or the given) cotangents of its outputs.

    >>> import chainrule as cr
    >>> gradgradcheck(lambda x: x**3, cr.tensor([0.5, 1.0], dtype=cr.float64, requires_grad=True))
    True
    """
    if not (check_fwd_over_rev or check_rev_over_rev):
        raise AssertionError("Expected at least one of check_fwd_over_rev or check_rev_over_rev to be True")
    if check_undefined_grad and not check_rev_over_rev:
        raise AssertionError("Setting check_undefined_grad=True requires check_rev_over_rev to be True")
    if check_batched_grad and not check_rev_over_rev:
        raise AssertionError("Setting check_batched_grad=True requires check_rev_over_rev to be True")
    xs = as_tuple(inputs)
    if grad_outputs is None:
        outputs = differentiable(func(*xs))
        seeds = tuple(random_like(y, gen_non_contig_grad_outputs) for y in outputs)
    else:
        seeds = as_tuple(grad_outputs)
    wanted = [i for i, x in enumerate(xs) if isinstance(x, Tensor) and x.requires_grad]

    def gradients(*args: Any) -> tuple[Any, ...]:
        given, cotangents = list(args[: len(xs)]), args[len(xs) :]
        for i in wanted:
            given[i] = given[i] if given[i].requires_grad else given[i].requires_grad_()
        outputs = differentiable(func(*given))
        found = engine.grad(outputs, [given[i] for i in wanted], cotangents, create_graph=True, allow_unused=True)
        return tuple(g for g in found if g is not None)

    return gradcheck(
        gradients, (*xs, *seeds), eps=eps, atol=atol, rtol=rtol, raise_exception=raise_exception, nondet_tol=nondet_tol,
        check_undefined_grad=check_undefined_grad, check_grad_dtypes=check_grad_dtypes, check_batched_grad=check_batched_grad,
        fast_mode=fast_mode, check_forward_ad=check_fwd_over_rev, check_backward_ad=check_rev_over_rev, masked=masked,
    )  # fmt: skip


def random_like(y: Tensor, spread: bool) -> Tensor:
    """A random cotangent of ``y`` that requires grad; with ``spread`` not contiguous."""
    rng = np.random.default_rng()
    shape = (*y.array.shape[:-1], 2 * y.array.shape[-1]) if spread and y.ndim else y.array.shape
    values = rng.uniform(-1, 1, shape)
    if y.is_complex():
        values = values + 1j * rng.uniform(-1, 1, shape)
    array = np.asarray(values).astype(y.array.dtype)
    return wrap(array[..., ::2] if spread and y.ndim else array).requires_grad_()
