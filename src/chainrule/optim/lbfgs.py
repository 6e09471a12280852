"""Quasi-Newton descent with limited memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from chainrule.eager import modes
from chainrule.eager.quiet import quietly
from chainrule.eager.tensor import Tensor, wrap
from chainrule.eager.writes import about_to_write, log_write
from chainrule.optim.line_search import Point, strong_wolfe
from chainrule.optim.optimizer import Optimizer, checked, real


class LBFGS(Optimizer):
    """L-BFGS (Nocedal 1980): steps by an inverse Hessian that is built from the last ``history_size`` steps.

    `step` takes a closure that computes loss and gradients, and calls it up to ``max_eval`` times. With
    ``line_search_fn="strong_wolfe"`` the length of each step is searched for; else it is ``lr``.
    """

    def __init__(self, params: Iterable[Any], lr: Any = 1, max_iter: int = 20, max_eval: int | None = None,
                 tolerance_grad: float = 1e-7, tolerance_change: float = 1e-9, history_size: int = 100,
                 line_search_fn: str | None = None) -> None:  # fmt: skip
        checked(lr=lr)
        super().__init__(params, {
            "lr": lr, "max_iter": max_iter, "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad, "tolerance_change": tolerance_change, "history_size": history_size,
            "line_search_fn": line_search_fn,
        })  # fmt: skip
        if len(self.param_groups) != 1:
            raise ValueError("LBFGS doesn't support per-parameter options (parameter groups)")

    def step(self, closure: Callable[[], Any]) -> Any:  # type: ignore[override]
        """Up to ``max_iter`` iterations; returns the loss before the first."""
        return quietly(lambda: self._iterate(closure))

    def _iterate(self, closure: Callable[[], Any]) -> Any:
        settings = self.settings(self.param_groups[0])
        if settings["line_search_fn"] not in (None, "strong_wolfe"):
            raise RuntimeError("only 'strong_wolfe' is supported")
        state = self.state[self.param_groups[0]["params"][0]]
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)
        with modes.enable_grad():
            first = closure()
        loss, g = float(first.item()), self._gradient()
        evaluations = 1
        state["func_evals"] += 1
        if np.abs(g).max() <= settings["tolerance_grad"]:
            return first
        smallest = settings["tolerance_change"]
        for k in range(1, settings["max_iter"] + 1):
            state["n_iter"] += 1
            d = self._direction(g, state, settings["history_size"])
            before = loss
            t = settings["lr"]
            if state["n_iter"] == 1:
                t *= min(1.0, 1.0 / float(np.abs(g).sum()))
            slope = float(g @ d)
            state |= {"d": wrap(d), "t": t, "prev_flat_grad": wrap(g.copy()), "prev_loss": before}
            if slope > -smallest:
                break
            more = 0
            if settings["line_search_fn"]:
                found, more = self._search(closure, d, Point(0.0, loss, g, slope), t, settings["max_eval"] - evaluations)
                t, loss, g = found.t, found.value, found.gradient
                self._add(t, d)
            else:
                self._add(t, d)
                if k < settings["max_iter"]:  # what the last iteration led to is the next step's affair
                    loss, g = self._evaluate(closure)
                    more = 1
            state["t"] = t
            evaluations += more
            state["func_evals"] += more
            if evaluations >= settings["max_eval"] or np.abs(g).max() <= settings["tolerance_grad"]:
                break
            if np.abs(d * t).max() <= smallest or abs(loss - before) < smallest:
                break
        return first

    def _direction(self, g: np.ndarray, state: dict[str, Any], longest: int) -> np.ndarray:
        """Minus the inverse Hessian times the gradient, by the two loops over the remembered steps."""
        if state["n_iter"] == 1:
            state |= {"old_dirs": [], "old_stps": [], "ro": [], "H_diag": 1.0}
            return -g
        ys, ss, rs = state["old_dirs"], state["old_stps"], state["ro"]
        y, s = g - state["prev_flat_grad"].array, state["d"].array * state["t"]
        curvature = float(y @ s)
        if curvature > 1e-10:
            if len(ys) == longest:
                for memory in (ys, ss, rs):
                    memory.pop(0)
            ys.append(wrap(y))
            ss.append(wrap(s))
            rs.append(1 / curvature)
            state["H_diag"] = curvature / float(y @ y)
        d = -g
        shares = [0.0] * len(ys)
        for i in reversed(range(len(ys))):
            shares[i] = float(ss[i].array @ d) * rs[i]
            d -= shares[i] * ys[i].array
        d *= state["H_diag"]
        for i in range(len(ys)):
            d += (shares[i] - float(ys[i].array @ d) * rs[i]) * ss[i].array
        return d

    def _search(self, closure: Callable[[], Any], d: np.ndarray, start: Point, t: float, most: int) -> tuple[Point, int]:
        """The line search along ``d``; the parameters are where they were afterwards."""
        origin = [p.array.copy() for p in self._parameters()]

        def evaluate(t: float) -> tuple[float, np.ndarray]:
            self._add(t, d)
            found = self._evaluate(closure)
            for p, x in zip(self._parameters(), origin, strict=True):
                about_to_write(p)
                p.array[...] = x
                log_write(p)
            return found

        return strong_wolfe(evaluate, d, start, t, most, self.param_groups[0]["tolerance_change"])

    def _parameters(self) -> list[Tensor]:
        return self.param_groups[0]["params"]  # type: ignore[no-any-return]

    def _evaluate(self, closure: Callable[[], Any]) -> tuple[float, np.ndarray]:
        with modes.enable_grad():
            loss = closure()
        return float(loss.item()), self._gradient()

    def _gradient(self) -> np.ndarray:
        """The gradients of all parameters in a row; zeros where there is none."""
        found = (np.zeros_like(p.array) if p._grad is None else p._grad.array for p in self._parameters())
        return np.concatenate([real(np.ascontiguousarray(g))[0].reshape(-1) for g in found])

    def _add(self, t: float, d: np.ndarray) -> None:
        """Move all parameters by ``t d``."""
        start = 0
        for p in self._parameters():
            about_to_write(p)
            (x,) = real(p.array)
            x += t * d[start : start + x.size].reshape(x.shape)
            start += x.size
            log_write(p)
