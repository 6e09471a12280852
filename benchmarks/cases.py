"""What is timed. A case takes a library with torch's face and returns the function to time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple


class Case(NamedTuple):
    """A program, how many times to run it in one timing, and the ratio to torch that it must not exceed."""

    name: str
    make: Callable[[Any], Callable[[], Any]]
    number: int
    ceiling: float


def product(t: Any) -> Callable[[], Any]:
    x, y = t.ones(4, requires_grad=True), t.ones(4, requires_grad=True)
    return lambda: x * y


def scalar_product(t: Any) -> Callable[[], Any]:
    x = t.ones(4, requires_grad=True)
    return lambda: x * 2.0


def unrecorded(t: Any) -> Callable[[], Any]:
    x, y = t.ones(4, requires_grad=True), t.ones(4, requires_grad=True)

    def run() -> None:
        with t.no_grad():
            for _ in range(50):
                x * y

    return run


def chain(t: Any) -> Callable[[], Any]:
    x, y, g = t.ones(4, requires_grad=True), t.ones(4, requires_grad=True), t.ones(4)

    def run() -> None:
        z = x
        for _ in range(50):
            z = z * y
        z.backward(g)

    return run


def dot(t: Any) -> Callable[[], Any]:
    x = t.arange(4.0, requires_grad=True)

    def run() -> None:
        y = 2 * t.dot(x, x)
        y.backward()

    return run


def mlp(t: Any) -> Callable[[], Any]:
    t.manual_seed(0)
    x, target = t.randn(16, 1000), t.randn(16, 10)
    w1 = (t.randn(1000, 100) * 0.03).requires_grad_()
    w2 = (t.randn(100, 10) * 0.1).requires_grad_()
    b1, b2 = t.zeros(100, requires_grad=True), t.zeros(10, requires_grad=True)
    parameters = [w1, b1, w2, b2]

    def run() -> None:
        out = t.relu(x @ w1 + b1) @ w2 + b2
        loss = (target - out).pow(2).sum()
        loss.backward()
        with t.no_grad():
            for p in parameters:
                p -= 1e-5 * p.grad
                p.grad = None

    return run


def modules(t: Any) -> Callable[[], Any]:
    t.manual_seed(0)
    nn = t.nn
    net = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 10))
    x, target = t.randn(16, 64), t.randint(0, 10, (16,))
    loss_of, optimizer = nn.CrossEntropyLoss(), t.optim.Adam(net.parameters())

    def run() -> None:
        optimizer.zero_grad()
        loss_of(net(x), target).backward()
        optimizer.step()

    return run


def control_flow(t: Any) -> Callable[[], Any]:
    a = t.tensor([0.3, 0.1, 0.2, 0.5], requires_grad=True)

    def run() -> None:
        b = a * 2
        while b.norm() < 1000:
            b = b * 2
        c = b if b.sum() > 0 else 100 * b
        c.sum().backward()

    return run


def mixed(t: Any) -> Callable[[], Any]:
    x = t.tensor([0.3, 0.1, 0.2, 0.5], requires_grad=True)
    w = t.tensor([1.0, 2.0, 3.0, 4.0], requires_grad=True)

    def run() -> None:
        h = t.tanh(x * w + 1.0)
        k = t.exp(-h) / (1.0 + h * h)
        m = (k - k.mean()).abs().sqrt() + t.sin(x) * t.log(w)
        m.sum().backward()

    return run


def indexing(t: Any) -> Callable[[], Any]:
    x = t.arange(200.0, requires_grad=True)

    def run() -> None:
        total = x[0]
        for i in range(1, 200):
            total = total + x[i]
        total.backward()

    return run


def double_backward(t: Any) -> Callable[[], Any]:
    x = t.tensor([0.3, 0.1, 0.2, 0.5], requires_grad=True)

    def run() -> None:
        y = (t.sin(x) * x).sum()
        (g,) = t.autograd.grad(y, x, create_graph=True)
        (g * g).sum().backward()

    return run


def large(t: Any) -> Callable[[], Any]:
    t.manual_seed(0)
    x = t.rand(1_000_000, requires_grad=True)

    def run() -> None:
        y = t.sin(x)
        y = y * x
        y = y + 1.0
        y = t.exp(y)
        y = t.tanh(y)
        y = y * 2.0
        y.sum().backward()
        x.grad = None

    return run


def hessian(t: Any) -> Callable[[], Any]:
    x = t.linspace(-1, 1, 50, dtype=t.float64)

    def rosenbrock(x: Any) -> Any:
        return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()

    return lambda: t.func.hessian(rosenbrock)(x)


def jacobian(mode: str) -> Callable[[Any], Callable[[], Any]]:
    def case(t: Any) -> Callable[[], Any]:
        t.manual_seed(0)
        w, b, x = t.randn(100, 100) / 10, t.randn(100), t.randn(100)
        return lambda: getattr(t.func, mode)(lambda x: t.tanh(x @ w + b))(x)

    return case


def sample_gradients(t: Any, n: int = 1000) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """The gradient of a loss of one sample, and parameters, samples and targets."""
    t.manual_seed(0)
    shapes = ((10, 20), (20,), (20, 20), (20,), (20, 1), (1,))
    parameters = [t.randn(*shape) * 0.3 for shape in shapes]

    def loss(p: Any, x: Any, y: Any) -> Any:
        h = t.tanh(x @ p[0] + p[1])
        h = t.tanh(h @ p[2] + p[3])
        return ((h @ p[4] + p[5] - y) ** 2).sum()

    return t.func.grad(loss), (parameters, t.randn(n, 10), t.randn(n, 1))


def per_sample(t: Any) -> Callable[[], Any]:
    gradient, inputs = sample_gradients(t)
    return lambda: t.func.vmap(gradient, in_dims=(None, 0, 0))(*inputs)


def one_by_one(t: Any) -> Callable[[], Any]:
    gradient, (p, xs, ys) = sample_gradients(t)
    return lambda: [gradient(p, x, y) for x, y in zip(xs, ys, strict=True)]


CASES = [
    Case("recorded x*y, 4 floats", product, 20_000, 0.55),
    Case("x*2.0", scalar_product, 20_000, 0.6),
    Case("50 x*y under no_grad", unrecorded, 400, 0.8),
    Case("50-op chain, forward + backward", chain, 200, 0.45),
    Case("y = 2 dot(x,x), forward + backward", dot, 4_000, 0.2),
    Case("MLP step 1000-100-10, batch 16, SGD", mlp, 60, 0.55),
    Case("nn + Adam step 64-128-128-10, batch 16", modules, 60, 0.7),
    Case("while b.norm() < 1000", control_flow, 300, 0.6),
    Case("mixed expression of 15 small ops", mixed, 500, 0.6),
    Case("200 scalar indexings", indexing, 30, 0.6),
    Case("double backward", double_backward, 300, 0.6),
    Case("6-op chain on 1e6 floats", large, 3, 1.0),
    Case("hessian, 50-variable Rosenbrock", hessian, 20, 0.5),
    Case("jacrev, tanh layer 100 -> 100", jacobian("jacrev"), 60, 0.5),
    Case("jacfwd, tanh layer 100 -> 100", jacobian("jacfwd"), 60, 0.5),
    Case("vmap(grad), 1,000 samples of an MLP", per_sample, 5, 1.0),
]
