"""Every layer beside torch: initial parameters for the same seed, text, state, forward pass, gradients, a second pass."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.oracle import Disagreement, Library, chainrule_library, differences, plain, torch_library

pytestmark = pytest.mark.torch

LAYERS = """
Linear(4, 3) | 5,4 ; Linear(4, 3, bias=False) | 2,5,4 ; Linear(4, 3, dtype=torch.float64) | d5,4 ; Bilinear(4, 4, 3) | 5,4 5,4
Identity(3, a=1) | 5,4 ; Flatten() | 2,3,4 ; Flatten(0, 1) | 2,3,4 ; Unflatten(1, (2, 2)) | 5,4 ; Unflatten(-1, (-1, 2)) | 5,4
Sequential(Linear(4, 8), ReLU(), Linear(8, 1)) | 5,4 ; Embedding(6, 3) | i5,2 ; Embedding(6, 3, padding_idx=2) | i5,2
Embedding(6, 3, max_norm=1.0) | i5,2 ; Embedding(6, 3, padding_idx=-1, scale_grad_by_freq=True) | i5,2
ReLU() | 5,4 ; ReLU(inplace=True) | 5,4 ; ReLU6() | 5,4 ; LeakyReLU() | 5,4 ; LeakyReLU(0.2, inplace=True) | 5,4 ; ELU() | 5,4 ; ELU(0.5) | 5,4
CELU() | 5,4 ; SELU() | 5,4 ; GELU() | 5,4 ; GELU('tanh') | 5,4 ; SiLU() | 5,4 ; Mish() | 5,4 ; Sigmoid() | 5,4 ; Tanh() | 5,4 ; LogSigmoid() | 5,4
Softplus() | 5,4 ; Softplus(beta=2) | 5,4 ; Softsign() | 5,4 ; Softshrink() | 5,4 ; Hardshrink(0.3) | 5,4 ; Tanhshrink() | 5,4 ; Hardtanh(-0.5, 0.7) | 5,4
Hardsigmoid() | 5,4 ; Hardswish() | 5,4 ; Threshold(0.1, 20) | 5,4 ; PReLU() | 5,4 ; PReLU(4, init=0.1) | 5,4 ; RReLU() | 5,4 ; GLU() | 5,4
Softmax(dim=1) | 5,4 ; LogSoftmax(dim=0) | 5,4 ; Softmin(dim=1) | 5,4 ; Softmax2d() | 2,3,4,4 ; Dropout(0.3) | 5,4 ; Dropout() | 5,4 ; Dropout2d(0.5) | 2,3,4,4
Dropout1d(0.4) | 2,3,4 ; AlphaDropout(0.2) | 5,4 ; LayerNorm(4) | 5,4 ; LayerNorm((3, 4), eps=0.1, elementwise_affine=False) | 2,3,4
LayerNorm(4, bias=False) | 5,4 ; BatchNorm1d(4) | 5,4 ; BatchNorm1d(3) | 5,3,4 ; BatchNorm2d(3) | 2,3,4,4 ; BatchNorm2d(3, affine=False, momentum=None) | 2,3,4,4
BatchNorm1d(4, track_running_stats=False) | 5,4 ; BatchNorm3d(2) | 2,2,3,3,3 ; Conv1d(3, 4, 2) | 2,3,5 ; Conv1d(4, 4, 3, padding='same', groups=2, bias=False) | 2,4,5
Conv2d(3, 4, 3) | 2,3,6,5 ; Conv2d(3, 4, (3, 2), stride=2, padding=(1, 0), dilation=(1, 2)) | 2,3,6,5 ; Conv2d(4, 4, 3, padding=1, padding_mode='reflect', groups=4) | 2,4,6,5
Conv2d(3, 2, 3, padding='same', padding_mode='circular') | 2,3,6,5 ; Conv3d(2, 3, 2) | 1,2,3,3,3 ; MaxPool1d(2) | 2,3,5 ; MaxPool2d(2) | 2,3,6,5
MaxPool2d(3, stride=2, padding=1, ceil_mode=True) | 2,3,6,5 ; MaxPool2d((2, 1), return_indices=True) | 2,3,6,5 ; AvgPool1d(2) | 2,3,5 ; AvgPool2d(2, 1, 1) | 2,3,6,5
AvgPool2d(3, count_include_pad=False, divisor_override=2) | 2,3,6,5 ; AdaptiveAvgPool1d(2) | 2,3,5 ; AdaptiveAvgPool2d((2, None)) | 2,3,6,5 ; AdaptiveAvgPool2d(1) | 2,3,6,5
AdaptiveMaxPool1d(2) | 2,3,5 ; AdaptiveMaxPool2d((3, 2)) | 2,3,6,5 ; MaxPool3d(2) | 1,2,4,4,4 ; AvgPool3d(2) | 1,2,4,4,4
PairwiseDistance(p=1) | 5,4 5,4 ; CosineSimilarity(dim=0) | 5,4 5,4
L1Loss() | 5,4 5,4 ; MSELoss(reduction='sum') | 5,4 5,4 ; SmoothL1Loss(beta=0.5) | 5,4 5,4 ; HuberLoss(delta=0.3) | 5,4 5,4
CrossEntropyLoss() | 5,4 t5 ; CrossEntropyLoss(weight=torch.arange(1.0, 5.0), label_smoothing=0.1) | 5,4 t5 ; NLLLoss(ignore_index=2) | 5,4 t5
BCELoss() | p5,4 p5,4 ; BCEWithLogitsLoss(pos_weight=torch.arange(1.0, 5.0)) | 5,4 p5,4 ; KLDivLoss(reduction='batchmean') | 5,4 p5,4
PoissonNLLLoss() | 5,4 p5,4 ; GaussianNLLLoss(full=True) | 5,4 5,4 p5,4 ; HingeEmbeddingLoss(margin=0.5) | 5,4 s5,4 ; MarginRankingLoss(margin=0.1) | 5,4 5,4 s5,4
SoftMarginLoss() | 5,4 s5,4 ; MultiMarginLoss(p=2, weight=torch.arange(1.0, 5.0)) | 5,4 t5 ; MultiLabelMarginLoss() | 5,4 m5,4 ; MultiLabelSoftMarginLoss() | 5,4 p5,4
CosineEmbeddingLoss(margin=0.1) | 5,4 5,4 s5 ; TripletMarginLoss(swap=True) | 5,4 5,4 5,4 ; TripletMarginWithDistanceLoss(margin=0.5) | 5,4 5,4 5,4
"""
ROWS = [row.split("|") for line in LAYERS.strip().splitlines() for row in line.split(";")]


def drawn(kind: str, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    match kind:
        case "i" | "t":  # numbers of rows, of classes
            return rng.integers(0, 6 if kind == "i" else 4, shape)
        case "m":  # several classes, up to the first -1
            return np.tile([2, 0, -1, 1], (5, 1))
        case "p":
            return rng.uniform(0.1, 0.9, shape).astype(np.float32)
        case "s":
            return np.sign(rng.uniform(-1, 1, shape)).astype(np.float32)
        case "d":
            return rng.uniform(-2, 2, shape)
    return rng.uniform(-2, 2, shape).astype(np.float32)


def inputs(text: str, torch: Any) -> list[Any]:
    """Tensors by a short text: kind and shape, as in ``i5,2``."""
    rng = np.random.default_rng(8)
    out = []
    for part in text.split():
        kind = part[0] if part[0].isalpha() else ""
        shape = tuple(map(int, part.removeprefix(kind).split(",")))
        values = drawn(kind, shape, rng)
        out.append(torch.tensor(values, requires_grad=values.dtype.kind == "f" and kind != "s"))
    return out


def outcome(text: str, shapes: str, library: Library) -> dict[str, Any]:
    torch = library.torch
    names = library.namespace()
    torch.manual_seed(11)
    module = eval("nn." + text.strip().replace("Linear(8", "nn.Linear(8").replace(" ReLU()", " nn.ReLU()").replace("Sequential(Linear", "Sequential(nn.Linear"), names)
    found: dict[str, Any] = {"text": repr(module), "state": {k: plain(v) for k, v in module.state_dict().items()}}
    found["parameters"] = [name for name, _ in module.named_parameters()]
    for step in ("training", "again", "evaluation"):
        if step == "evaluation":
            module.eval()
        xs = inputs(shapes, torch)
        given = [x * 1 if "inplace=True" in text else x for x in xs]
        out = module(*given)
        outs = list(out) if isinstance(out, tuple) else [out]
        found[step] = [plain(y) for y in outs]
        y = outs[0]
        if y.requires_grad:
            y.backward(torch.linspace(1, 2, y.numel()).reshape(y.shape).to(y.dtype))
            found[step + " gradients"] = [plain(x.grad) for x in xs if x.grad is not None]
            found[step + " of parameters"] = [plain(p.grad) for p in module.parameters() if p.grad is not None]
    found["state after"] = {k: plain(v) for k, v in module.state_dict().items()}
    return found


def unequal(theirs: Any, ours: Any, where: str) -> list[str]:
    if isinstance(theirs, dict):
        lines = [] if list(theirs) == list(ours) else [f"{where}: {list(theirs)} in torch, {list(ours)} here"]
        return lines + [line for key in theirs if key in ours for line in unequal(theirs[key], ours[key], f"{where}.{key}")]
    return list(differences(theirs, ours, where))


@pytest.mark.parametrize(("text", "shapes"), ROWS, ids=[row[0].strip() for row in ROWS])
def test_as_torch(text: str, shapes: str) -> None:
    theirs, ours = (outcome(text, shapes, library) for library in (torch_library(), chainrule_library()))
    found = unequal(theirs, ours, text.strip())
    if found:
        raise Disagreement("\n".join(found))


INITS = """
uniform_(w); uniform_(w, -1, 2); normal_(w); normal_(w, 1, 0.1); trunc_normal_(w); trunc_normal_(w, 0.5, 0.2, -0.1, 0.6); trunc_normal_(w, 0, 1, 0.9, 1.1); constant_(w, 0.3)
ones_(w); zeros_(w); eye_(w); dirac_(k); dirac_(k4, 2); xavier_uniform_(w); xavier_uniform_(k, gain=2); xavier_normal_(w); kaiming_uniform_(w)
kaiming_uniform_(w, mode='fan_out', nonlinearity='relu'); kaiming_normal_(k, a=0.2); kaiming_normal_(w, nonlinearity='tanh')
orthogonal_(w); orthogonal_(w.t().contiguous(), gain=2); orthogonal_(k); sparse_(w, 0.4)
"""
INITS_TEXTS = [text.strip() for text in INITS.replace("\n", ";").split(";") if text.strip()]


@pytest.mark.parametrize("text", INITS_TEXTS)
def test_initial_values(text: str) -> None:
    def run(library: Library) -> Any:
        torch = library.torch
        names = {"w": torch.empty(4, 6), "k": torch.empty(4, 3, 3), "k4": torch.empty(4, 2, 3, 3)}
        torch.manual_seed(3)
        return plain(eval("nn.init." + text, library.namespace() | names))

    found = list(differences(run(torch_library()), run(chainrule_library()), text))
    assert not found, found
