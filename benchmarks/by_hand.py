"""Derivatives beside the same ones written by hand in NumPy, at 1e5 numbers: value and gradient, jvp, Hessian times vector."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import chainrule


class Derivatives(NamedTuple):
    """A function of ``x``, and by hand its value with the gradient, and with the derivative along ``v``."""

    name: str
    f: Callable[[Any], Any]
    x: Any
    v: Any
    gradient: Callable[[], Any]
    along: Callable[[], Any]

    def rows(self) -> list[tuple[str, Callable[[], Any], Callable[[], Any], float]]:
        """What is timed: a name, ours, the one by hand, and the ratio asked for."""
        both, product = chainrule.value_and_grad(self.f), chainrule.hvp(self.f)
        return [
            (f"{self.name}: gradient", lambda: both(self.x), self.gradient, 1.3),
            (f"{self.name}: jvp", lambda: chainrule.jvp(self.f, (self.x,), (self.v,)), self.along, 1.3),
            (f"{self.name}: hvp / gradient", lambda: product(self.x, self.v), self.gradient, 2.5),
        ]


def all_derivatives() -> list[Derivatives]:
    rng = np.random.default_rng(0)
    x, v = rng.standard_normal(100_000) * 0.5, rng.standard_normal(100_000)
    return [logsumexp(x, v), product(x, v), rosenbrock(x, v), squares(x, v), perceptron(rng)]


def logsumexp(x: Any, v: Any) -> Derivatives:
    def parts() -> Any:
        top = x.max()
        e = np.exp(x - top)
        total = e.sum()
        return top + np.log(total), e, total

    def gradient() -> Any:
        value, e, total = parts()
        return value, e / total

    def along() -> Any:
        value, e, total = parts()
        return value, (e @ v) / total

    return Derivatives("logsumexp", lambda t: t.logsumexp(0), x, v, gradient, along)


def product(x: Any, v: Any) -> Derivatives:
    def slope() -> Any:
        s, c, e = np.sin(x), np.cos(x), np.exp(x)
        return (s * e).sum(), (c + s) * e

    def along() -> Any:
        value, g = slope()
        return value, g @ v

    return Derivatives("sum(sin x exp x)", lambda t: (t.sin() * t.exp()).sum(), x, v, slope, along)


def rosenbrock(x: Any, v: Any) -> Derivatives:
    def gradient() -> Any:
        a = x[:-1]
        d, e = x[1:] - a * a, 1 - a
        g = np.zeros_like(x)
        q = 200 * d
        g[1:] = q
        g[:-1] -= 2 * a * q + 2 * e
        return (100 * d * d + e * e).sum(), g

    def along() -> Any:
        a, u = x[:-1], v[:-1]
        d, e = x[1:] - a * a, 1 - a
        return (100 * d * d + e * e).sum(), (200 * d * (v[1:] - 2 * a * u) - 2 * e * u).sum()

    def f(t: Any) -> Any:
        return (100 * (t[1:] - t[:-1] ** 2) ** 2 + (1 - t[:-1]) ** 2).sum()

    return Derivatives("Rosenbrock", f, x, v, gradient, along)


def squares(x: Any, v: Any) -> Derivatives:
    def value() -> Any:
        return (x * x).sum()

    return Derivatives("sum(x x)", lambda t: (t * t).sum(), x, v, lambda: (value(), 2 * x), lambda: (value(), 2 * (x @ v)))


def perceptron(rng: Any) -> Derivatives:
    """Three layers with 97,240 weights, 64 samples."""
    shapes = ((200, 250), (250,), (250, 180), (180,), (180, 10), (10,))
    w, u = [rng.standard_normal(s) / np.sqrt(s[0]) for s in shapes], [rng.standard_normal(s) for s in shapes]
    inputs, target = rng.standard_normal((64, 200)), rng.standard_normal((64, 10))
    x, y = chainrule.from_numpy(inputs), chainrule.from_numpy(target)

    def f(p: Any) -> Any:
        h = (x @ p[0] + p[1]).tanh()
        h = (h @ p[2] + p[3]).tanh()
        d = h @ p[4] + p[5] - y
        return (d * d).sum()

    def gradient() -> Any:
        h1 = np.tanh(inputs @ w[0] + w[1])
        h2 = np.tanh(h1 @ w[2] + w[3])
        d = h2 @ w[4] + w[5] - target
        g = 2 * d
        g4, g5, g = h2.T @ g, g.sum(0), (g @ w[4].T) * (1 - h2 * h2)
        g2, g3, g = h1.T @ g, g.sum(0), (g @ w[2].T) * (1 - h1 * h1)
        return (d * d).sum(), [inputs.T @ g, g.sum(0), g2, g3, g4, g5]

    def along() -> Any:
        h1 = np.tanh(inputs @ w[0] + w[1])
        t1 = (inputs @ u[0] + u[1]) * (1 - h1 * h1)
        h2 = np.tanh(h1 @ w[2] + w[3])
        t2 = (t1 @ w[2] + h1 @ u[2] + u[3]) * (1 - h2 * h2)
        d = h2 @ w[4] + w[5] - target
        return (d * d).sum(), 2 * (d * (t2 @ w[4] + h2 @ u[4] + u[5])).sum()

    return Derivatives("3-layer MLP", f, w, u, gradient, along)
