"""Optimizers beside torch: the same trajectories over 100 steps, the same state, text and refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from tests.oracle import Disagreement, Library, agree, chainrule_library, differences, plain, raises, torch_library

OPTIMIZERS = """
SGD(ps, lr=0.1); SGD(ps, lr=0.05, momentum=0.9); SGD(ps, lr=0.05, momentum=0.9, nesterov=True); SGD(ps, lr=0.05, momentum=0.8, dampening=0.3, weight_decay=0.01)
SGD(ps, lr=0.1, weight_decay=0.1); SGD(ps, lr=0.001, maximize=True); SGD([{'params': ps[:2], 'lr': 0.01}, {'params': ps[2:]}], lr=0.1)
SGD(ps, lr=torch.tensor(0.1)); Adam(ps); Adam(ps, lr=0.05); Adam(ps, lr=0.05, betas=(0.5, 0.9), eps=0.1); Adam(ps, lr=0.05, weight_decay=0.1); Adam(ps, lr=0.05, amsgrad=True)
Adam(ps, lr=0.01, maximize=True); Adam(ps, lr=0.05, weight_decay=0.1, decoupled_weight_decay=True); AdamW(ps, lr=0.05); AdamW(ps, lr=0.05, weight_decay=0.3, amsgrad=True)
RMSprop(ps); RMSprop(ps, lr=0.02, momentum=0.5); RMSprop(ps, lr=0.02, centered=True, alpha=0.8); RMSprop(ps, lr=0.02, weight_decay=0.1, eps=0.01, centered=True, momentum=0.3)
Adagrad(ps, lr=0.1); Adagrad(ps, lr=0.1, lr_decay=0.05, weight_decay=0.01, initial_accumulator_value=0.2); Adagrad(ps, lr=0.05, maximize=True, eps=0.1)
LBFGS(ps); LBFGS(ps, lr=0.1, max_iter=5); LBFGS(ps, line_search_fn='strong_wolfe', max_iter=4); LBFGS(ps, history_size=2, max_iter=3, line_search_fn='strong_wolfe')
LBFGS(ps, lr=0.5, tolerance_grad=0.01, tolerance_change=0.001)
"""
TEXTS = [text.strip() for text in OPTIMIZERS.replace("\n", ";").split(";") if text.strip()]


def trajectory(text: str, library: Library, dtype: str, nudge: float = 0.0, steps: int = 100) -> dict[str, Any]:
    """The parameters of a small network after every tenth step, and the state at the end.

    ``nudge`` moves the start by so much, relatively: what rounding may do to a trajectory is what that does.
    """
    torch = library.torch
    names = library.namespace()
    torch.manual_seed(5)
    net = names["nn"].Sequential(names["nn"].Linear(3, 4), names["nn"].Tanh(), names["nn"].Linear(4, 1)).to(getattr(torch, dtype))
    rng = np.random.default_rng(2)
    x, y = torch.tensor(rng.uniform(-1, 1, (8, 3))), torch.tensor(rng.uniform(-1, 1, (8, 1)))
    x, y = x.to(getattr(torch, dtype)), y.to(getattr(torch, dtype))
    with torch.no_grad():
        for p in net.parameters():
            p *= 1 + nudge
    optimizer = eval(f"torch.optim.{text}", names | {"ps": list(net.parameters())})
    kept = []

    def closure() -> Any:
        optimizer.zero_grad()
        loss = ((net(x) - y) ** 2).mean()
        loss.backward()
        return loss

    for step in range(steps if "LBFGS" not in text else 12):
        loss = optimizer.step(closure)
        if step % 10 == 0 or "LBFGS" in text:
            kept.append([plain(loss.detach()), *(plain(p.detach()) for p in net.parameters())])
    state = optimizer.state_dict()
    kinds = {k: sorted(v) for k, v in state["state"].items()} if "LBFGS" not in text else {}
    return {"trajectory": kept, "state": kinds, "text": repr(optimizer), "groups": plain(state["param_groups"])}


@pytest.mark.torch
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("text", TEXTS)
def test_trajectories(text: str, dtype: str) -> None:
    theirs, ours = (trajectory(text, library, dtype) for library in (torch_library(), chainrule_library()))
    ulp = 1e-15 if dtype == "float64" else 1e-6
    nudged = [trajectory(text, torch_library(), dtype, nudge)["trajectory"] for nudge in (ulp, -ulp, 2 * ulp)]
    found = []
    for key in ("state", "text", "groups"):
        if str(theirs[key]) != str(ours[key]):
            found.append(f"{key}: {theirs[key]} in torch, {ours[key]} here")
    for k, steps in enumerate(zip(theirs["trajectory"], ours["trajectory"], *nudged, strict=True)):
        found += list(near(f"step {k}", dtype, *steps))
    if found:
        raise Disagreement("\n".join(found[:3]))


def near(where: str, dtype: str, *parameters: Any) -> Any:
    """Equal to rounding: some ulps, or thirty times as far as torch's own trajectories go from starts moved by a few."""
    ulps = 1e-13 if dtype == "float64" else 1e-5
    for (_, theirs), (_, ours), *nudged in zip(*parameters, strict=True):
        apart = np.abs(theirs - ours).max()
        usual = max(np.abs(theirs - values).max() for _, values in nudged)
        if not apart <= ulps * (1 + np.abs(theirs).max()) + 30 * usual:
            yield f"{where}: {theirs.tolist()} in torch, {ours.tolist()} here: {apart:.1e} apart, {usual:.1e} when nudged"


@pytest.mark.torch
@pytest.mark.parametrize("text", ["SGD(ps, lr=0.1)", "SGD(ps, lr=0.1, momentum=0.9)", "Adam(ps, lr=0.1)", "RMSprop(ps, lr=0.1)", "Adagrad(ps)"])
def test_complex_and_narrow_parameters(text: str) -> None:
    for dtype in ("complex64", "float16", "bfloat16"):
        def run(library: Library, dtype: str = dtype) -> Any:
            torch = library.torch
            p = torch.tensor([1.0, -2.0]).to(getattr(torch, dtype)).requires_grad_()
            optimizer = eval(f"torch.optim.{text}", library.namespace() | {"ps": [p]})
            for _ in range(5):
                optimizer.zero_grad()
                (p * p.conj() if dtype == "complex64" else p * p).real.sum().backward()
                optimizer.step()
            return plain(p.detach())

        found = list(differences(run(torch_library()), run(chainrule_library()), dtype))
        assert not found, found


@pytest.mark.torch
@pytest.mark.parametrize("value", ["1.0", "1 + 2j"])
@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "LBFGS"])
def test_parameters_without_axes(name: str, value: str) -> None:
    agree(f"""
p = nn.Parameter(torch.tensor({value}))
o = torch.optim.{name}([p], lr=0.1)
def loss():
    o.zero_grad(); found = (p * p.conj()).real if p.is_complex() else p * p; found.backward(); return found
for _ in range(3): o.step(loss)
p
""")


SET_UP = """
p = nn.Parameter(torch.ones(2)); r = nn.Parameter(torch.zeros(1))
q = torch.optim.SGD([p, r], lr=0.1, momentum=0.9)
def backward():
    q.zero_grad(); loss = (p * p).sum() + r.sum(); loss.backward(); return loss
"""
PROGRAMS = [
    "print(q)\nprint(q.state_dict())\nbackward(); q.step(); print(q.state_dict()); q.defaults",
    "print(q.step(backward)); print(p, r); q.zero_grad(set_to_none=False); print(p.grad); q.zero_grad(); p.grad",
    "torch.optim.SGD([('w', p), ('b', r)], lr=1)",
    "torch.optim.SGD([{'params': [p], 'lr': 3}, {'params': [r]}], lr=0.1)",
    "torch.optim.SGD([{'params': [('w', p)]}, {'params': [('b', r)]}], lr=0.1).state_dict()",
    "q.add_param_group({'params': nn.Parameter(torch.ones(1)), 'lr': 5}); print(q); len(q.param_groups)",
    "backward(); q.step(); other = torch.optim.SGD([nn.Parameter(torch.ones(2)), nn.Parameter(torch.zeros(1))], lr=7)\nother.load_state_dict(q.state_dict()); print(other.state_dict()); other.param_groups[0]['lr']",
    "a = torch.optim.Adam([p]); backward(); a.step(); b = torch.optim.Adam([p]); b.load_state_dict(a.state_dict()); backward(); b.step(); print(b.state_dict()); p",
    "h = q.register_step_pre_hook(lambda o, a, k: print('before', len(a))); g = q.register_step_post_hook(lambda o, a, k: print('after'))\nbackward(); q.step(); h.remove(); q.step(); g.remove(); q.step()",
    "for group in q.param_groups: group['lr'] *= 2\nbackward(); q.step(); p",
    "p.grad = None; r.grad = torch.ones(1); q.step(); print(p, r); list(q.state)[0] is r",
    "print(torch.optim.Adagrad([p]).state_dict()); torch.optim.Adam([p], lr=torch.tensor(0.1))",
    "print([torch.optim.AdamW([p]), torch.optim.RMSprop([p]), torch.optim.Adagrad([p]), torch.optim.LBFGS([p])])",
    "v = p._version; backward(); q.step(); p._version > v",
]
REFUSED = """
torch.optim.SGD(p) | torch.optim.SGD([]) | torch.optim.SGD([3]) | torch.optim.SGD([p * 2]) | torch.optim.SGD([p], lr=-1) | torch.optim.SGD([p], momentum=-1)
torch.optim.SGD([p], weight_decay=-1) | torch.optim.SGD([p], nesterov=True) | torch.optim.SGD([{'params': [p]}, {'params': [p]}]) | torch.optim.SGD([{'lr': 1}])
torch.optim.Adam([p], betas=(1.5, 0)) | torch.optim.Adam([p], betas=(0, 1.5)) | torch.optim.Adam([p], eps=-1) | torch.optim.Adam([p], weight_decay=-1)
torch.optim.RMSprop([p], alpha=-1) | torch.optim.RMSprop([p], momentum=-1) | torch.optim.RMSprop([p], eps=-1) | torch.optim.LBFGS([{'params': [p]}, {'params': [r]}])
torch.optim.SGD([{'params': {p}}]) | torch.optim.SGD([('w', p), r]) | q.load_state_dict({'state': {}, 'param_groups': []}) | q.load_state_dict({'state': {}, 'param_groups': [{'params': [0, 1, 2]}]})
q.add_param_group(3) | q.add_param_group({'params': p}) | torch.optim.SGD([p], bogus=1) | torch.optim.SGD([p]).step(3) | torch.optim.LBFGS([p]).step()
torch.optim.LBFGS([p], line_search_fn='x').step(backward)
"""


@pytest.mark.torch
@pytest.mark.parametrize("source", PROGRAMS)
def test_programs(source: str) -> None:
    agree(SET_UP + source)


@pytest.mark.torch
@pytest.mark.parametrize("source", [text.strip() for text in REFUSED.replace("\n", "|").split("|") if text.strip()])
def test_refusals(source: str) -> None:
    raises(SET_UP + source)


def test_a_refused_group_changes_nothing() -> None:
    p = nn.Parameter(cr.ones(2))
    optimizer = optim.SGD([p], lr=0.1)
    with pytest.raises(ValueError, match="non-leaf"):
        optimizer.add_param_group({"params": [nn.Parameter(cr.ones(1)), p * 2]})
    assert len(optimizer.param_groups) == 1


def test_an_optimizer_of_ones_own() -> None:
    class SignDescent(optim.Optimizer):
        def __init__(self, params: Any, lr: float) -> None:
            super().__init__(params, {"lr": lr})

        def update(self, x: Any, g: Any, state: Any, settings: Any) -> None:
            x -= settings["lr"] * np.sign(g)

    p = nn.Parameter(cr.tensor([1.0, -1.0]))
    optimizer = SignDescent([p], lr=0.25)
    (p * p).sum().backward()
    optimizer.step()
    assert p.tolist() == [0.75, -0.75]


def test_what_is_not_there_says_so() -> None:
    with pytest.raises(NotImplementedError, match="differentiable"):
        optim.SGD([nn.Parameter(cr.ones(1))], differentiable=True)
    with pytest.raises(AttributeError, match=r"no attribute 'Adamm'.*Adam"):
        _ = optim.Adamm
