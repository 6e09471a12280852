"""Schedulers beside torch: the rates of 40 epochs, state, resuming, refusals."""

from __future__ import annotations

import pytest

from tests.oracle import agree, raises

pytestmark = pytest.mark.torch

SET_UP = """
import torch.optim.lr_scheduler as S
p = nn.Parameter(torch.ones(1)); r = nn.Parameter(torch.ones(1))
q = torch.optim.SGD([{'params': [p]}, {'params': [r], 'lr': 0.5}], lr=0.1)
"""
EPOCHS = """
rates = []
for epoch in range(40):
    q.step(); s.step(); rates.append([round(g['lr'], 10) for g in q.param_groups])
print(rates); print(s.get_last_lr() == [g['lr'] for g in q.param_groups], s.last_epoch)
"""
SCHEDULERS = [
    "S.StepLR(q, 7)", "S.StepLR(q, 3, gamma=0.5)", "S.MultiStepLR(q, [3, 8, 8, 20], gamma=0.3)", "S.ExponentialLR(q, 0.9)",
    "S.CosineAnnealingLR(q, 10)", "S.CosineAnnealingLR(q, 7, eta_min=0.01)", "S.LambdaLR(q, lambda e: 0.95 ** e)",
    "S.LambdaLR(q, [lambda e: 1 / (e + 1), lambda e: 1 + e])",
]  # fmt: skip


@pytest.mark.parametrize("make", SCHEDULERS)
def test_rates(make: str) -> None:
    agree(f"{SET_UP}s = {make}{EPOCHS}")


@pytest.mark.parametrize("make", SCHEDULERS)
def test_resuming(make: str) -> None:
    agree(f"{SET_UP}s = {make}\nfor _ in range(5): q.step(); s.step()\nkept = s.state_dict(), q.state_dict()\n"
          f"s = {make}\nq.load_state_dict(kept[1]); s.load_state_dict(kept[0]){EPOCHS}")  # fmt: skip


@pytest.mark.parametrize(
    "arguments",
    ["patience=2", "patience=0, factor=0.5, cooldown=2", "mode='max', patience=1, threshold=0.2",
     "patience=1, threshold=0.5, threshold_mode='abs'", "mode='max', patience=0, threshold_mode='abs', min_lr=[0.01, 0.2]", "patience=0, min_lr=0.03"],
)  # fmt: skip
def test_plateau(arguments: str) -> None:
    agree(SET_UP + f"""
s = S.ReduceLROnPlateau(q, {arguments})
rates = []
for epoch in range(40):
    q.step(); s.step(torch.tensor(math.sin(epoch) + 1 / (epoch + 1))); rates.append([round(g['lr'], 12) for g in q.param_groups])
print(rates); print(s.get_last_lr(), s.num_bad_epochs, s.best); print(sorted(s.state_dict()))
""")


@pytest.mark.parametrize(
    "source",
    ["s = S.StepLR(q, 2); s.step()", "s = S.StepLR(q, 2); q.step(); s.step(); s.step(7)\nq.param_groups[0]['lr']",
     "s = S.ExponentialLR(q, 0.5); q.step(); s.step(3); print(q.param_groups[1]['lr'])",
     "print(S.LambdaLR(q, lambda e: 1).state_dict()['lr_lambdas'], S.StepLR(q, 2).base_lrs)"],
)  # fmt: skip
def test_programs(source: str) -> None:
    agree(SET_UP + source)


@pytest.mark.parametrize(
    "source",
    ["S.ReduceLROnPlateau(q, factor=2.0)", "S.ReduceLROnPlateau(q, mode='x')", "S.ReduceLROnPlateau(q, threshold_mode='x')",
     "S.LambdaLR(q, [lambda e: 1])", "S.StepLR(3, 1)", "S.StepLR(q, 1, last_epoch=3)", "S.ReduceLROnPlateau(q, min_lr=[1])",
     "S.ReduceLROnPlateau(3)",
     ("q.add_param_group({'params': [nn.Parameter(torch.ones(1))]})\ns = S.ReduceLROnPlateau(q, patience=0, min_lr=[0, 0, 0])\n"
      "q.param_groups.pop(); s.step(1.0); s.step(2.0)")],
)  # fmt: skip
def test_refusals(source: str) -> None:
    raises(SET_UP + source)
