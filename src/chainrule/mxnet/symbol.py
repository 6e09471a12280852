"""mxnet.sym: the graph first, the numbers later.

>>> a, b = var("a"), var("b")
>>> c = 2 * a + b
>>> c.list_arguments()
['a', 'b']
>>> from chainrule.mxnet import nd
>>> c.eval(a=nd.ones(2), b=nd.ones(2))
[
[3. 3.]
<NDArray 2 @cpu(0)>]
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.core.primitive import Primitive
from chainrule.eager import creation, engine, modes
from chainrule.errors import missing
from chainrule.graph import symbol as graph
from chainrule.mxnet.context import Context
from chainrule.mxnet.ndarray import NDArray, checked_request, unwrapped
from chainrule.mxnet.operators import FUNCTIONS, named

NAMES = {"add": "_plus", "subtract": "_minus", "multiply": "_mul", "divide": "_div", "power": "_power", "matmul": "dot"}


class Symbol(graph.Symbol):
    """A symbol with MXNet's methods."""

    __slots__ = ()

    def process(self, primitive: Primitive, operands: Sequence[Any], params: dict[str, Any]) -> Symbol:
        name = NAMES.get(primitive.name, primitive.name)
        if name.startswith("_") and not all(isinstance(x, graph.Symbol) for x in operands):
            name += "scalar"
        return Symbol(graph.numbered(name), primitive, operands, params)

    def list_arguments(self) -> list[str]:
        """The names of the variables."""
        return self.variables()

    def list_outputs(self) -> list[str]:
        """The name of what is computed."""
        return [self.name if self.primitive is None else f"{self.name}_output"]

    def get_internals(self) -> list[graph.Symbol]:
        """Every symbol that this one is computed from, in order."""
        return self.order()

    def infer_shape(self, **shapes: tuple[int, ...]) -> tuple[Any, Any, Any]:
        """The shapes of the arguments, of the result, and of auxiliary states (there are none)."""
        arguments = self.variables()
        if any(name not in shapes for name in arguments):
            return None, None, None
        out = self.evaluate({name: np.ones(shapes[name], np.float32) for name in arguments})
        return [tuple(shapes[name]) for name in arguments], [np.shape(out)], []

    def eval(self, ctx: Context | None = None, **values: NDArray) -> list[NDArray]:
        """The value for given values of the variables, in a list."""
        return self.bind(ctx, values).forward()

    def bind(self, ctx: Context | None = None, args: Any = None, args_grad: Any = None, grad_req: str = "write") -> Executor:
        """The graph with arrays for its variables, ready to run; gradients go to those of ``args_grad``."""
        return Executor(self, self._by_name(args), self._by_name(args_grad), grad_req)

    def simple_bind(self, ctx: Context | None = None, grad_req: str = "write", **shapes: tuple[int, ...]) -> Executor:
        """`bind` to arrays of zeros with the given shapes."""
        zeros = ({name: NDArray(creation.zeros(shape)) for name, shape in shapes.items()} for _ in range(2))
        return self.bind(ctx, next(zeros), next(zeros), grad_req)

    def _by_name(self, arrays: Any) -> dict[str, NDArray]:
        if arrays is None:
            return {}
        return dict(arrays) if isinstance(arrays, Mapping) else dict(zip(self.variables(), arrays, strict=True))


class Executor:
    """A graph whose variables have values: `forward` computes it, `backward` its gradients."""

    def __init__(self, symbol: Symbol, args: dict[str, NDArray], grads: dict[str, NDArray], grad_req: str) -> None:
        checked_request(grad_req)
        missing_values = [name for name in symbol.variables() if name not in args]
        if missing_values:
            raise ValueError(f"no value for {', '.join(missing_values)}")
        self.symbol = symbol
        self.arg_dict, self.grad_dict = args, grads
        self.grad_req = grad_req
        self.outputs: list[NDArray] = []
        self._leaves: dict[str, Any] = {}

    def forward(self, is_train: bool = False, **values: NDArray) -> list[NDArray]:
        """The result, in a list; ``values`` replace those of variables. With ``is_train`` `backward` may follow."""
        for name, value in values.items():
            if name not in self.arg_dict:
                raise TypeError(f"forward() has no variable {name!r}; the graph has {', '.join(self.arg_dict)}")
            if value.shape != self.arg_dict[name].shape:
                raise ValueError(f"{name} has the shape {self.arg_dict[name].shape}, and was given {value.shape}")
        for name, value in values.items():
            self.arg_dict[name][:] = value
        self._leaves = {name: unwrapped(value).detach() for name, value in self.arg_dict.items()}
        if is_train:
            for name in self.grad_dict:
                self._leaves[name].requires_grad_()
        with modes.set_grad_enabled(is_train):
            out = self.symbol.evaluate(self._leaves)
            self.outputs = [NDArray(out if out.ndim else out.reshape(1))]
        return self.outputs

    def backward(self, out_grads: Any = None) -> None:
        """Write the gradients of the result (or of its sum with ``out_grads``) to the arrays of ``args_grad``."""
        if not self.outputs or not self.outputs[0].tensor.requires_grad:
            raise RuntimeError("call forward(is_train=True) before backward(), with args_grad given to bind()")
        y = self.outputs[0].tensor
        given = out_grads[0] if isinstance(out_grads, (list, tuple)) else out_grads
        seed = creation.ones_like(y) if given is None else unwrapped(given)
        if self.grad_req == "null":
            return
        leaves = [self._leaves[name] for name in self.grad_dict]
        found = engine.grad(y, leaves, seed, allow_unused=True, materialize_grads=True)
        for name, g in zip(self.grad_dict, found, strict=True):
            target = self.grad_dict[name]
            target[:] = NDArray(unwrapped(target) + g) if self.grad_req == "add" else NDArray(g)  # type: ignore[arg-type]


def var(name: str, **attributes: Any) -> Symbol:
    """A variable."""
    return Symbol(name)


Variable = var
_MADE = ["Executor", "Symbol", "Variable", "var"]


def __getattr__(name: str) -> Callable[..., Any]:
    if name not in FUNCTIONS:
        raise missing(__name__, name, [*_MADE, *FUNCTIONS])

    def function(*args: Any, **kwargs: Any) -> Any:
        return FUNCTIONS[name](*args, **kwargs)

    found = globals()[name] = named(name, function)
    return found


def __dir__() -> list[str]:
    return sorted([*_MADE, *FUNCTIONS])
