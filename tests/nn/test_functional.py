"""torch.nn.functional beside torch: values, gradients, second derivatives, and the node of the last step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.oracle import Disagreement, Library, chainrule_library, differences, plain, torch_library

pytestmark = pytest.mark.torch

RNG = np.random.default_rng(3)
INPUTS: dict[str, Any] = {
    name: np.asarray(RNG.uniform(-2, 2, shape))
    for name, shape in {
        "x": (3, 4), "y": (3, 4), "v": (4,), "w": (5, 4), "b": (5,), "s": (), "W": (2, 3, 4), "row": (6,),
        "c1": (2, 4, 7), "c2": (2, 4, 6, 5), "c3": (1, 2, 4, 4, 3), "one": (4, 6, 5), "k1": (6, 4, 3), "k2": (6, 4, 3, 2),
        "g2": (6, 2, 2, 2), "d2": (4, 1, 3, 3), "k3": (3, 2, 2, 2, 2), "bias": (6,), "chan": (4,), "table": (5, 3),
        "three": (3, 3), "time": (6, 2, 5), "var": (3, 4),
    }.items()
}  # fmt: skip
INPUTS["p"] = RNG.uniform(0.1, 0.9, (3, 4))
INPUTS["q"] = RNG.uniform(0.1, 0.9, (3, 4))
INPUTS["var"] = RNG.uniform(0.2, 2, (3, 4))
CONSTANTS = {
    "t": np.array([0, 3, 1]), "t3": np.array([2, 0, 1]), "ignored": np.array([0, -100, 1]), "sign": np.sign(RNG.uniform(-1, 1, (3, 4))),
    "sign1": np.array([1.0, -1.0, 1.0]), "images": RNG.integers(0, 4, (2, 6, 5)), "many": np.array([[3, 0, -1, 1], [2, -1, 1, 0], [-1, 0, 1, 2]]),
    "hot": (RNG.uniform(0, 1, (3, 4)) > 0.5).astype(float), "numbers": np.array([[1, 4, 4], [0, 2, 1]]), "cw": np.array([0.5, 2.0, 1.0, 3.0]),
    "counts": RNG.integers(0, 5, (3, 4)).astype(float), "words": np.array([[1, 1, 3], [2, 4, 0]]), "il": np.array([6, 5]), "tl": np.array([3, 2]),
    "rm": RNG.uniform(-1, 1, 4), "rv": RNG.uniform(0.5, 2, 4), "wt": RNG.uniform(0.5, 2, (3, 4)),
}  # fmt: skip

ROWS = """
F.relu(x); F.relu6(x * 4); F.elu(x); F.elu(x, 0.7); F.selu(x); F.celu(x); F.celu(x, 0.5); F.leaky_relu(x); F.leaky_relu(x, 0.3)
F.prelu(x, s.reshape(1)); F.prelu(x, chan); F.prelu(c2, chan); F.rrelu(x); F.gelu(x); F.gelu(x, approximate='tanh'); F.silu(x)
F.mish(x); F.softplus(x); F.softplus(x, 2, 1); F.softshrink(x); F.softshrink(x, 0.2); F.hardshrink(x); F.hardshrink(x, 0.3)
F.hardtanh(x); F.hardtanh(x, -0.5, 1.5); F.hardsigmoid(x.detach() * 3); F.hardswish(x * 3); F.threshold(x, 0.1, 20.0); F.glu(x); F.glu(c2, 1)
F.logsigmoid(x); F.tanhshrink(x); F.softsign(x); F.softmin(x, 1); F.softmax(x, 1); F.log_softmax(x, 0); F.sigmoid(x); F.tanh(x)
F.normalize(x); F.normalize(x, p=1, dim=0); F.cosine_similarity(x, y); F.cosine_similarity(x, v, dim=-1); F.pairwise_distance(x, y)
F.pairwise_distance(x, y, p=1, keepdim=True); F.linear(x, w); F.linear(x, w, b); F.linear(W, w, b); F.linear(v, w, b)
F.bilinear(x, y, RNGW, bias=None); F.bilinear(x, y, RNGW, v[:2])
F.mse_loss(x, y); F.mse_loss(x, y, reduction='sum'); F.mse_loss(x, y, reduction='none'); F.mse_loss(x, y, weight=wt); F.l1_loss(x, y)
F.l1_loss(x, y, reduction='none'); F.smooth_l1_loss(x, y); F.smooth_l1_loss(x, y, beta=0.3); F.smooth_l1_loss(x, y, beta=0)
F.huber_loss(x, y); F.huber_loss(x, y, delta=0.4, reduction='sum'); F.huber_loss(x, y, weight=wt); F.kl_div(F.log_softmax(x, 1), p, reduction='batchmean')
F.kl_div(x, y, log_target=True, reduction='sum'); F.kl_div(x, hot, reduction='none'); F.poisson_nll_loss(x, counts)
F.poisson_nll_loss(p, counts, log_input=False, full=True); F.poisson_nll_loss(x, counts, full=True, reduction='none'); F.gaussian_nll_loss(x, y, var)
F.gaussian_nll_loss(x, y, var, full=True, reduction='sum'); F.gaussian_nll_loss(x, y, var[:, :1]); F.hinge_embedding_loss(x, sign)
F.hinge_embedding_loss(x, sign, margin=0.3, reduction='none'); F.margin_ranking_loss(x, y, sign); F.margin_ranking_loss(x, y, sign, 0.5, reduction='sum')
F.soft_margin_loss(x, sign); F.soft_margin_loss(x, sign, reduction='none'); F.multi_margin_loss(x, t); F.multi_margin_loss(x, t, p=2, margin=0.7, weight=cw)
F.multi_margin_loss(x, t, reduction='none'); F.multi_margin_loss(v, t[1]); F.multilabel_margin_loss(x, many); F.multilabel_margin_loss(x, many, reduction='none')
F.multilabel_margin_loss(v, many[0]); F.multilabel_soft_margin_loss(x, hot); F.multilabel_soft_margin_loss(x, hot, cw, reduction='none')
F.cosine_embedding_loss(x, y, sign1); F.cosine_embedding_loss(x, y, sign1, margin=0.2, reduction='sum'); F.cosine_embedding_loss(v, w[0], sign1[1])
F.triplet_margin_loss(x, y, p); F.triplet_margin_loss(x, y, p, swap=True, p=1, margin=2.0, reduction='none')
F.triplet_margin_with_distance_loss(x, y, p, margin=0.4); F.binary_cross_entropy(p, q); F.binary_cross_entropy(p, q, weight=wt, reduction='sum')
F.binary_cross_entropy_with_logits(x, q); F.binary_cross_entropy_with_logits(x, q, pos_weight=cw, reduction='none'); F.nll_loss(x, t)
F.nll_loss(x, t, cw); F.nll_loss(x, ignored, reduction='sum'); F.nll_loss(c2, images); F.cross_entropy(x, t); F.cross_entropy(x, p)
F.cross_entropy(x, t, cw, label_smoothing=0.2); F.cross_entropy(x, ignored, label_smoothing=0.1); F.cross_entropy(c2, images, cw, reduction='none')
F.cross_entropy(x, t, label_smoothing=0.3, reduction='sum'); F.cross_entropy(x, p, cw, label_smoothing=0.3); F.cross_entropy(v, t[1])
F.cross_entropy(x, ignored, cw, label_smoothing=0.2, reduction='none'); F.ctc_loss(F.log_softmax(time, 2), words, il, tl)
F.ctc_loss(F.log_softmax(time, 2), words, il, tl, reduction='none'); F.ctc_loss(F.log_softmax(time, 2), words.reshape(-1)[:5], il, tl, reduction='sum')
F.conv1d(c1, k1); F.conv1d(c1, k1, bias, stride=2, padding=1, dilation=2); F.conv1d(c1, k1, padding='same'); F.conv1d(c1[0], k1, bias)
F.conv2d(c2, k2); F.conv2d(c2, k2, bias); F.conv2d(c2, k2, bias, stride=(2, 1), padding=(1, 2)); F.conv2d(c2, g2, groups=2); F.conv2d(c2, d2, groups=4, padding=1)
F.conv2d(c2, k2, padding='same', dilation=(1, 2)); F.conv2d(one, k2, bias); F.conv2d(c2, k2, padding='valid'); F.conv3d(c3, k3); F.conv3d(c3, k3, stride=2)
F.max_pool1d(c1, 3); F.max_pool1d(c1, 2, stride=1, padding=1); F.max_pool2d(c2, 2); F.max_pool2d(c2, (3, 2), stride=(2, 1), padding=1, dilation=(1, 2))
F.max_pool2d(c2, 3, 2, ceil_mode=True); F.max_pool2d(c2, 2, return_indices=True)[1]; F.max_pool2d(one, 2); F.max_pool1d(c1, 3, dilation=2)
F.avg_pool1d(c1, 3); F.avg_pool1d(c1, 2, 1, 1, count_include_pad=False); F.avg_pool2d(c2, 2); F.avg_pool2d(c2, 3, 2, 1); F.avg_pool2d(c2, 3, 2, ceil_mode=True)
F.avg_pool2d(c2, 3, 2, 1, ceil_mode=True, count_include_pad=False); F.avg_pool2d(c2, 2, divisor_override=3); F.avg_pool2d(one, 2); F.max_pool2d(c2, 3, 2, 1, ceil_mode=True)
F.adaptive_avg_pool1d(c1, 3); F.adaptive_avg_pool2d(c2, (4, 2)); F.adaptive_avg_pool2d(c2, 1); F.adaptive_avg_pool2d(c2, (None, 2)); F.adaptive_avg_pool2d(one, 3)
F.adaptive_max_pool1d(c1, 3); F.adaptive_max_pool2d(c2, (4, 2)); F.adaptive_max_pool2d(c2, 3, return_indices=True)[1]
F.layer_norm(x, (4,)); F.layer_norm(x, [4], v, w[0]); F.layer_norm(c2, (6, 5)); F.layer_norm(x, (3, 4), eps=0.1); F.batch_norm(x, None, None, training=True)
F.batch_norm(c2, None, None, chan, v, training=True); F.batch_norm(c2, rm, rv, chan, v); F.batch_norm(x, rm, rv, eps=0.1); F.batch_norm(c1, None, None, chan, None, True)
F.embedding(numbers, table); F.embedding(numbers, table, padding_idx=4); F.embedding(numbers, table, scale_grad_by_freq=True); F.embedding(numbers[0, 0], table)
F.pad(c2, (1, 2)); F.pad(c2, (1, 0, 2, 1), value=3.0); F.pad(c2, (1, 2, 2, 1), mode='reflect'); F.pad(c2, (1, 2, 0, 3), mode='replicate'); F.pad(c1, (2, 1), mode='circular')
F.pad(c2, (-1, 0)); F.dropout(x, 0.4); F.dropout(x, 0.5, training=False); F.dropout(x, 1.0); F.dropout1d(c1, 0.5); F.dropout2d(c2, 0.5); F.dropout3d(c3, 0.5)
F.alpha_dropout(x, 0.3, True); F.rrelu(x, training=True); F.gumbel_softmax(x); F.gumbel_softmax(x, tau=0.5, hard=True); F.one_hot(t3); F.one_hot(numbers, 7)
"""
TEXTS = [text.strip() for line in ROWS.strip().splitlines() for text in line.split(";")]
# torch takes a pooling or a padding apart into steps of its own, and an embedding's table is no operand of ours.
OTHER_NODES = ("pool1d", "pool2d(one", "reflect", "replicate", "circular", "bilinear", "linear(W", "linear(v",
               "conv1d(c1[0]", "conv2d(one", "normalize", "cosine", "kl_div", "poisson", "gaussian", "hinge", "triplet",
               "multilabel_soft", "F.cross_entropy(x, p", "label_smoothing", "weight=wt", "pairwise", "adaptive_avg_pool2d(c2, 1",
               "margin_ranking", "ctc", "alpha", "gumbel", "rrelu(x)", "softmin", "dropout(x, 1.0", "batch_norm(c1", "pad(c2, (-1")  # fmt: skip


def evaluate(text: str, library: Library) -> tuple[Any, dict[str, Any]]:
    torch = library.torch
    xs = {name: torch.tensor(value, requires_grad=True) for name, value in INPUTS.items()}
    constants = {name: torch.tensor(value) for name, value in CONSTANTS.items()}
    constants["RNGW"] = torch.tensor(np.random.default_rng(5).uniform(-1, 1, (2, 4, 4)))
    torch.manual_seed(0)
    return eval(text, library.namespace() | constants | xs), xs


def outcome(text: str, library: Library) -> dict[str, Any]:
    """The value, the gradients and, where there are any, the second derivatives."""
    torch = library.torch
    out, xs = evaluate(text, library)
    found: dict[str, Any] = {"value": plain(out)}
    if not out.requires_grad:
        return found
    if out.grad_fn is not None and not any(part in text for part in OTHER_NODES):
        found["node"] = out.grad_fn.name()
    seed = torch.tensor(np.linspace(1, 2, int(np.prod(out.shape))).reshape(tuple(out.shape)))
    once = torch.autograd.grad(out, list(xs.values()), seed, create_graph=True, allow_unused=True)
    found |= {name: plain(g) for name, g in zip(xs, once, strict=True) if g is not None}
    return found | {"second": second(text, torch, xs, once)}


NO_SECOND = ("max_pool", "ctc", "multi_margin", "multilabel_margin")  # torch has none


def second(text: str, torch: Any, xs: dict[str, Any], once: Any) -> list[Any]:
    """The derivatives of the gradients; one that is zero may also be absent."""
    if any(name in text for name in NO_SECOND):
        return []
    recorded = [g for g in once if g is not None and g.requires_grad]
    twice: Any = [None] * len(xs)
    if recorded:
        seeds = [torch.tensor(np.cos(np.arange(g.numel())).reshape(tuple(g.shape))) for g in recorded]
        twice = torch.autograd.grad(recorded, list(xs.values()), seeds, allow_unused=True)
    return [plain(x.detach() * 0 if g is None else g + 0) for x, g in zip(xs.values(), twice, strict=True)]


@pytest.mark.parametrize("text", TEXTS)
def test_as_torch(text: str) -> None:
    theirs, ours = outcome(text, torch_library()), outcome(text, chainrule_library())
    found = [line for key in theirs for line in differences(theirs[key], ours.get(key), key)]
    if found:
        raise Disagreement(f"{text}\n" + "\n".join(found))
