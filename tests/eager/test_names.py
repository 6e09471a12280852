"""A table of expressions: value, dtype, node names and both derivatives are torch's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.oracle import Disagreement, Library, chainrule_library, differences, graph, plain, torch_library

pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore:The use of `x.T`")]

INPUTS = {
    "x": [0.3, 1.2, 2.5],
    "y": [1.5, 0.4, 0.9],
    "z": [-1.5, 0.25, 2.0],
    "s": 0.7,
    "u": 1.9,
    "p": [0.2, 0.5, 0.9],
    "q": [0.6, 0.1, 0.3],
    "M": [[2.0, 0.3, -0.5], [0.1, 1.5, 0.4], [-0.2, 0.6, 3.0]],
    "N": [[0.5, -1.0, 2.0], [1.5, 0.7, -0.3]],
    "B": [
        [[1.0, 0.2, 0.3], [0.4, 2.0, 0.6], [0.7, 0.8, 3.0]],
        [[2.0, -0.2, 0.3], [0.4, 1.0, -0.6], [0.7, 0.8, 2.5]],
    ],
    "E": [[1.5, 0.2, -0.4, 0.9], [0.3, -1.1, 0.8, 0.1], [0.6, 0.5, 1.2, -0.7]],
}
CONSTANTS = {
    "m": [True, False, True],
    "mm": [[True, False, True], [False, True, True], [False, False, True]],
    "i": [2, 0],
    "ii": [[0, 2, 1], [1, 1, 0]],
    "c": [0, 2, 1],
    "k": [1, 2, 3],
}

TABLE = {
    "arithmetic": """
        x + y; x - y; x * y; x / y; x + 1; 1 + x; x - 1; 1 - x; 2 * x; x * 2; x / 2; 2 / x; -x; +x; x + s;
        s * x; x * s; x + k; x * k; k * x; k - x; k / x; x / k; s + 1; s * u; s / u; s - u; 1 - s; 2 / s;
        N + x; x + N; M * x; s * M; torch.add(x, y, alpha=2); torch.sub(x, y, alpha=2); torch.rsub(x, y);
        x.add(1, alpha=3); torch.mul(x, 3); torch.div(x, y); torch.div(x, y, rounding_mode='floor');
        torch.div(x, y, rounding_mode='trunc'); x // y; x // 2; x % y; x % 2; z % 2; 5 % x;
        torch.remainder(z, y); torch.fmod(z, y); torch.fmod(z, 2); x.neg(); torch.negative(x);
        x + np.float64(2); x * np.float32(2); x * True; x.square(); torch.square(x);
        torch.addcmul(x, y, z, value=2); torch.addcdiv(x, y, z, value=2); torch.true_divide(x, y)
    """,
    "powers": """
        x ** 2; x ** 3; x ** 0; x ** 1; x ** 0.5; x ** -1; x ** y; 2 ** x; 2.5 ** x; x ** s; s ** 2; s ** u;
        0 ** x; x.pow(2); torch.pow(x, 3); torch.pow(2, x); torch.pow(x, y); x.sqrt(); torch.sqrt(x);
        torch.rsqrt(x); x.reciprocal(); torch.hypot(x, y); torch.lerp(x, y, 0.3); torch.lerp(x, y, s);
        torch.lerp(x, y, p); torch.logaddexp(x, z); F.softplus(z); torch.sinc(x); z ** 2; z ** 3; k ** x;
        torch.float_power(x, 2)
    """,
    "elementary": """
        x.exp(); torch.exp(x); torch.exp2(x); torch.expm1(x); x.log(); torch.log2(x); torch.log10(x);
        torch.log1p(x); x.sin(); x.cos(); x.tan(); torch.asin(p); torch.acos(p); torch.atan(x);
        torch.atan2(x, y); x.sinh(); x.cosh(); x.tanh(); torch.asinh(x); torch.acosh(x + 1); torch.atanh(p);
        torch.erf(x); torch.arcsin(p); torch.arctan2(x, y); torch.erfc(x); torch.sigmoid(z); z.sigmoid();
        torch.logit(p); torch.deg2rad(x); torch.special.expit(z)
    """,
    "choices": """
        torch.where(m, x, y); torch.where(m, x, 0); torch.where(m, 0.0, x); torch.where(m, x, s);
        torch.minimum(x, y); torch.maximum(x, y); torch.max(x, y); torch.min(x, y); torch.clamp(z, 0, 1);
        z.clamp(min=0); z.clamp(max=1.0); torch.clip(z, -1, 1); z.clamp(min=x); torch.clamp(z, x, y);
        z.abs(); abs(z); torch.absolute(z); z.sign(); torch.floor(x); x.ceil(); x.round(); x.trunc();
        torch.round(x, decimals=1); torch.fmax(x, y); torch.fmin(x, y); x.masked_fill(m, 2.0);
        x.masked_fill(m, s); torch.frac(z); torch.sgn(z); torch.copysign(x, z); torch.nan_to_num(x);
        torch.heaviside(z, y.detach())
    """,
    "reductions": """
        x.sum(); M.sum(0); M.sum(1, keepdim=True); M.sum((0, 1)); M.sum(dim=-1); torch.sum(M, dim=[0]);
        M.sum(axis=0); s.sum(); x.mean(); M.mean(1); M.mean(dim=0, keepdim=True); s.mean(); x.prod();
        M.prod(1); M.prod(0, keepdim=True); x.max(); x.min(); M.max(1)[0]; M.max(1).values; M.min(0)[0];
        M.max(dim=0, keepdim=True)[0]; M.amax(1); M.amax((0, 1)); M.amin(); x.amax(); x.var(); x.std();
        M.var(0); M.std(1, keepdim=True); x.var(unbiased=False); torch.var(M, dim=1, correction=0);
        x.norm(); x.norm(1); x.norm(3); x.norm(float('inf')); M.norm(); M.norm(dim=1); M.norm(2, 0, True);
        torch.norm(x); torch.norm(x, p=1); linalg.vector_norm(x); linalg.norm(x); linalg.norm(M);
        linalg.norm(M, 1, dim=1); s.norm(); x.logsumexp(0); torch.logsumexp(M, 1);
        torch.logsumexp(M, (0, 1)); x.cumsum(0); M.cumsum(1); x.cumprod(0); M.cumprod(-1); x.sort()[0];
        M.sort(0, descending=True)[0]; torch.sort(M)[0]; M.median(); torch.median(M, 1)[0]; M.trace();
        x.nansum(); torch.topk(x, 2)[0]; torch.std_mean(x)[0]; torch.var_mean(x)[1]; torch.aminmax(x)[0];
        M.sum(0, dtype=torch.float64); torch.cummax(x, 0)[0]; torch.logcumsumexp(x, 0); torch.dist(x, y);
        torch.mean(M, (0, 1)); torch.std(M); M.max()
    """,
    "products": """
        x @ y; M @ x; x @ M; M @ N.T; M @ M; B @ M; B @ x; B @ B; x @ B; torch.matmul(M, x);
        torch.dot(x, y); torch.mv(M, x); torch.mm(N, M); torch.bmm(B, B); torch.outer(x, y);
        torch.einsum('ij,j->i', M, x); torch.einsum('ij,jk', M, M); torch.einsum('i,i->', x, y);
        torch.einsum('i,j->ij', x, y); torch.einsum('bij,bjk->bik', B, B); torch.einsum('ii', M);
        torch.tensordot(M, N.T, 1); torch.tensordot(M, M, dims=([0, 1], [0, 1])); torch.det(M);
        linalg.det(M); linalg.inv(M); torch.inverse(M); M.inverse(); linalg.solve(M, x); linalg.solve(M, M);
        M.det(); B.det(); torch.addmm(M, M, M); torch.vdot(x, y); torch.linalg.multi_dot([M, M, x]);
        torch.kron(x, y); torch.cross(x, y, dim=0); torch.trace(M); torch.logdet(M); F.linear(N, M);
        F.linear(N, M, x); F.linear(x, M); F.linear(x, M, y); linalg.matrix_power(M, 3)
    """,
    "shapes": """
        N.reshape(3, 2); N.reshape(-1); N.view(6); N.view(3, -1); N.flatten(); N.ravel(); N.T; N.t();
        N.transpose(0, 1); N.permute(1, 0); B.permute(2, 0, 1); B.transpose(1, 2); N.mT;
        torch.movedim(B, 0, 2); B.swapaxes(0, 1); x.expand(2, 3); x.expand(2, -1); s.expand(3);
        x.unsqueeze(0); x.unsqueeze(-1); x[None]; x.reshape(1, 3).squeeze(0); x.reshape(1, 3, 1).squeeze();
        torch.cat([x, y]); torch.cat([N, M], 0); torch.cat((x, x)); torch.concatenate([x, y]);
        torch.stack([x, y]); torch.stack([x, y], 1); torch.stack([x[0], x[1] * 2]); N.split(1)[0];
        N.split(2, 1)[1]; torch.split(E, [1, 3], dim=1)[1]; E.chunk(2, 1)[0]; N.unbind()[1]; N.unbind(1)[0];
        torch.unbind(x)[2]; x.flip(0); N.flip(0, 1); torch.flip(N, (1,)); x.roll(1); N.roll(1, 0);
        N.roll((1, 1), (0, 1)); F.pad(x, (1, 2)); F.pad(N, (0, 1, 2, 0)); F.pad(N, (1, 1), value=3.0);
        x.tile(2); torch.tile(N, (2, 2)); x.repeat(2); x.repeat(2, 2); N.repeat(1, 2);
        x.repeat_interleave(2); torch.broadcast_to(x, (2, 3)); M.diagonal(); M.diagonal(1); torch.diag(M);
        torch.diag(x); M.tril(); M.triu(1); torch.tril(M, -1); x.clone(); torch.clone(x); x.contiguous();
        N.expand_as(N); s.reshape(1); N.unflatten(1, (3, 1)); x.view_as(y); torch.hstack([x, y]);
        torch.vstack([x, y]); torch.atleast_2d(x); x.diag_embed(); torch.broadcast_tensors(x, N)[0];
        torch.meshgrid(x, y, indexing='ij')[0]; torch.rot90(N); torch.fliplr(N); N.narrow(1, 0, 2);
        x.double(); x.to(torch.float64); x.float(); x.half(); x.type(torch.float64);
        x.to(torch.complex64).real; torch.complex(x, y).abs(); torch.complex(x, y).real;
        torch.complex(x, y).imag; torch.complex(x, y).angle()
    """,
    "indexing": """
        x[0]; x[-1]; M[0, 1]; M[0]; M[:, 1]; M[1:]; M[:2, 1:]; M[..., 0]; x[::2]; x[:]; x[...]; x[None];
        M[:, None]; M[0][1]; s[()]; x[m]; M[mm]; M[m]; x[i]; M[i]; M[:, i]; M[i, i]; M[i, 1]; M[0, i];
        M[[0, 2]]; x[[2, 0, 0]]; x[torch.tensor(1)]; M[mm.any(1)]; M[k - 1, c]; N[ii[:, 0], ii[:, 1]];
        x[ii]; x[True]; N.gather(1, ii); torch.gather(N, 0, ii[:, :2] % 2); N.scatter_add(1, ii, N);
        N.scatter(1, ii[:, :1], 5.0); N.scatter(1, ii[:, :1], N[:, :1] * 2); x.index_add(0, i, y[:2]);
        M.index_select(0, i); torch.index_select(M, 1, i); M.select(0, 1); torch.take(M, i);
        torch.take_along_dim(N, ii, 1); torch.masked_select(M, mm); x.index_fill(0, i, 2.0);
        x.index_copy(0, i, y[:2]); x.index_put((i,), y[:2]); x.masked_scatter(m, y); E[1, 1:3]; M.T[0];
        torch.tensor_split(x, 2)[0]; x.unfold(0, 2, 1); M.narrow(0, 1, 2)
    """,
    "activations and losses": """
        torch.softmax(x, 0); F.softmax(M, dim=1); M.softmax(-1); F.log_softmax(x, dim=0); M.log_softmax(1);
        torch.log_softmax(M, 0); torch.relu(z); z.relu(); F.relu(z); F.gelu(z);
        F.gelu(z, approximate='tanh'); F.silu(z); F.sigmoid(z); F.tanh(z); F.logsigmoid(z);
        F.leaky_relu(z, 0.1); F.elu(z); F.softplus(z, beta=2); F.mish(z); F.selu(z); F.hardtanh(z);
        F.relu6(z); F.mse_loss(x, y); F.mse_loss(x, y, reduction='sum'); F.mse_loss(x, y, reduction='none');
        F.l1_loss(x, y); F.l1_loss(x, y, reduction='sum'); F.l1_loss(x, y, reduction='none');
        F.cross_entropy(M, c); F.cross_entropy(x, c[1]); F.cross_entropy(M, c, reduction='none');
        F.cross_entropy(M, c, reduction='sum'); F.cross_entropy(M, c, label_smoothing=0.1);
        F.cross_entropy(M, c, weight=y.detach()); F.cross_entropy(M, c, ignore_index=2);
        F.cross_entropy(M, F.softmax(M.detach(), 1)); F.nll_loss(M, c); F.nll_loss(M, c, reduction='sum');
        F.nll_loss(M, c, y.detach()); F.nll_loss(x, c[0]); F.nll_loss(M, c, ignore_index=0);
        F.binary_cross_entropy(p, q.detach()); F.binary_cross_entropy(p, q);
        F.binary_cross_entropy(p, q.detach(), reduction='sum');
        F.binary_cross_entropy(p, q.detach(), weight=y.detach());
        F.binary_cross_entropy_with_logits(z, q.detach()); F.binary_cross_entropy_with_logits(z, q);
        F.binary_cross_entropy_with_logits(z, q.detach(), reduction='none');
        F.binary_cross_entropy_with_logits(z, q.detach(), pos_weight=y.detach());
        F.binary_cross_entropy_with_logits(M @ x, q.detach()); F.smooth_l1_loss(x, y); F.huber_loss(x, y);
        F.kl_div(x, q.detach(), reduction='sum')
    """,
    "where and which": """
        x.pow(exponent=2); torch.pow(2, x); torch.diff(x); M.diff(dim=0); M.diff(2, 1); torch.hstack([M, M]); M.diff(9);
        torch.topk(M, 2)[0] * 2; M.topk(1, 0, largest=False)[0] * 2; torch.hstack([x, y]);
        torch.vstack([x, y]); torch.vstack([M, M]); torch.column_stack([x, y]); torch.column_stack([M, x]);
        torch.nonzero(m); m.nonzero(as_tuple=True)[0]; torch.argwhere(M.detach() > 0); torch.unique(i);
        i.unique(return_counts=True)[1];
        torch.bincount(i); torch.bincount(i, minlength=9); x.type_as(x.double())
    """,
    "NumPy's names of axes": """
        M.argmax(axis=1); M.max(axis=1)[0]; M.min(axis=0)[0]; M.std(axis=0); M.var(axis=0, keepdims=True); M.prod(axis=1);
        (M > 0).all(axis=1); (M > 0).any(axis=0); M.cumsum(axis=0); M.cumprod(axis=0); M.softmax(axis=1);
        M.log_softmax(axis=1); M.logsumexp(axis=1); M.sort(axis=1)[0]; M.argsort(axis=1);
        M.unsqueeze(axis=0).squeeze(axis=0); M.unbind(axis=0)[0]; M.amax(axis=1); torch.cat([M, M], axis=1);
        torch.stack([M, M], axis=1); torch.chunk(M, 2, axis=1)[0];
        torch.softmax(M, axis=1); torch.flip(M, dims=(0,)); M.T.contiguous()
    """,
    "several steps": """
        2 * torch.dot(x, x); 2 * x.T @ x; (x * x).sum(); 2 * (x[0] ** 3) + 3 * x[0] * x[1] + 4 * x[1];
        x.sin() * 2 + 1; (x.exp() + y).mean(); (M @ x - y).pow(2).sum(); ((x - y) ** 2).mean().sqrt();
        (x * y.detach()).sum(); x.sum() / 3; torch.where(m, x * 2, y / 3).sum();
        (torch.matmul(x, M) + y).sigmoid(); x * x * x; (x + 1).pow(2); s * s + s; s ** 3 * 2;
        torch.exp(-x ** 2 / 2) / math.sqrt(2 * math.pi); (x - x.mean()) / x.std()
    """,
}
BEYOND = [
    "addcmul",
    "addcdiv",
    "float_power",
    "logit",
    "special.expit",
    "sgn",
    "nan_to_num",
    "heaviside",
    "median",
    "nansum",
    "topk",
    "std_mean",
    "var_mean",
    "aminmax",
    "cummax",
    "logcumsumexp",
    "dist",
    "vdot",
    "multi_dot",
    "kron",
    "cross",
    "logdet",
    "matrix_power",
    "unflatten",
    "vstack",
    "atleast_2d",
    "diag_embed",
    "broadcast_tensors",
    "rot90",
    "fliplr",
    "complex",
    "index_fill",
    "index_copy",
    "index_put",
    "masked_scatter",
    "tensor_split",
    "unfold",
]  # names that are still to come
ROWS = [
    pytest.param(text, id=text.replace(" ", ""))
    for block in TABLE.values()
    for text in (" ".join(row.split()) for row in block.split(";"))
    if not any(name in text for name in BEYOND)
]


def leaves(library: Library, dtype: str) -> dict[str, Any]:
    torch = library.torch
    return {name: torch.tensor(np.array(value, dtype), requires_grad=True) for name, value in INPUTS.items()}


def evaluate(text: str, library: Library, xs: dict[str, Any]) -> Any:
    constants = {name: library.torch.tensor(value) for name, value in CONSTANTS.items()}
    return eval(text, library.namespace() | constants | xs)


def weights(library: Library, like: Any) -> Any:
    """A cotangent that treats no two elements alike."""
    values = np.linspace(1.0, 2.0, int(np.prod(like.shape))).reshape(tuple(like.shape))
    return library.torch.tensor(values).to(like.dtype)


def first_derivatives(text: str, library: Library, dtype: str) -> Any:
    xs = leaves(library, dtype)
    out = evaluate(text, library, xs)
    try:
        out.backward(weights(library, out))
    except RuntimeError as error:  # what torch cannot differentiate, chainrule need not
        return {"value": plain(out), "error": str(error)}
    return {
        "value": plain(out),
        "graph": graph(out.grad_fn),
        **{name: plain(x.grad) for name, x in xs.items()},
    }


# What torch decomposes for its own kernels (copies, folded batches): its nodes are its own affair.
DECOMPOSED = (
    "einsum(",
    "tensordot(",
    "B @ M",
    "B @ x",
    "B @ B",
    "x @ B",
    "repeat_interleave",
    "take_along_dim",
    "F.linear(x, M, y)",
)
# One node here where torch takes several steps; the last step's name is the same.
ONE_NODE = ("M[0, 1]", "M[:2, 1:]", "M[i, 1]", "M[0, i]", "x[True]", "E[1, 1:3]", "dtype=torch.float64")
# A vector times a matrix: the steps are the same, and have torch's names but for those of its private overloads.
ROW_TIMES_MATRIX = ("x @ M", "torch.matmul(x, M)", "F.linear(x, M)")
NO_SECOND = ("0 ** x",)  # torch's second derivative is nan; ours is the right one


def second_derivatives(text: str, library: Library) -> Any:
    xs = leaves(library, "float64")
    out = evaluate(text, library, xs)
    grad = library.torch.autograd.grad
    once = grad(out, list(xs.values()), weights(library, out), create_graph=True, allow_unused=True)
    recorded = [g for g in once if g is not None and g.requires_grad]
    twice = [None] * len(xs)
    if recorded:
        twice = grad(recorded, list(xs.values()), [weights(library, g) for g in recorded], allow_unused=True)
    # A second derivative that is zero may also be absent; which of them are is nobody's business.
    return {name: plain(xs[name] * 0 if g is None else g + 0) for name, g in zip(xs, twice)}


def compare(text: str, theirs: dict[str, Any], ours: dict[str, Any]) -> None:
    if "error" in theirs:
        theirs, ours = {"value": theirs["value"]}, {"value": ours["value"]}
    found = [
        line for key in theirs if key != "graph" for line in differences(theirs[key], ours.get(key), key)
    ]
    if any(name in text for name in ONE_NODE) and "graph" in theirs:
        theirs, ours = theirs | {"graph": theirs["graph"][0]}, ours | {"graph": ours["graph"][0]}
    if theirs.get("graph") != ours.get("graph") and not any(name in text for name in DECOMPOSED + ROW_TIMES_MATRIX):
        found.append(f"graph:\n  torch {theirs['graph']}\n  here  {ours['graph']}")
    if found:
        raise Disagreement(f"{text}\n" + "\n".join(found))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("text", ROWS)
def test_value_names_and_gradients(text: str, dtype: str) -> None:
    compare(
        text,
        first_derivatives(text, torch_library(), dtype),
        first_derivatives(text, chainrule_library(), dtype),
    )


@pytest.mark.parametrize("text", [row for row in ROWS if row.values[0] not in NO_SECOND])
def test_second_derivatives(text: str) -> None:
    try:
        theirs = second_derivatives(text, torch_library())
    except RuntimeError:  # torch has no derivative here, or no second one
        return
    compare(text, theirs, second_derivatives(text, chainrule_library()))


def test_the_table_is_large() -> None:
    assert len(ROWS) > 180


def test_no_helper_is_taken_for_a_function_of_torch() -> None:
    import torch

    from chainrule.eager import functions

    assert [n for n in functions.ALL if not hasattr(torch, n) and not hasattr(torch.Tensor, n)] == []
