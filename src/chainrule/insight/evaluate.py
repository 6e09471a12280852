"""Evaluates a checked expression on tensors, and remembers the value of every step for the report."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import numpy as np

from chainrule.core.sweep import Node
from chainrule.eager.specialise import F
from chainrule.eager.tensor import Tensor, wrap
from chainrule.insight.expression import OPERATORS, Expression, nearest, operator_place, place_of, span, whole_number
from chainrule.insight.figures import shape_word
from chainrule.insight.scanner import ExpressionError, Word
from chainrule.insight.vocabulary import CONSTANTS, FUNCTIONS, transposed

MOST_ENTRIES: Final = 100_000

ON_NUMBERS: Final[dict[str, Callable[[float, float], Any]]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv,
    "**": operator.pow, "%": operator.mod,
}  # fmt: skip
ON_TENSORS: Final = {"+": "add", "-": "subtract", "*": "multiply", "/": "divide", "**": "power", "%": "remainder"}
NEED_SQUARE: Final = ("det", "inv", "solve", "trace")
NEED_VECTORS: Final = ("dot", "outer")


class Evaluation:
    """The value of an expression as a recorded tensor, and what its tape does not keep.

    ``values`` are those of the recorded steps, ``constants`` the text and array of each operand of a step that
    no derivative was asked for.
    """

    def __init__(self, expression: Expression, values: Mapping[str, np.ndarray], wrt: Iterable[str] = ()) -> None:
        self.expression = expression
        self.text = expression.text
        self.values: dict[Node, np.ndarray] = {}
        self.constants: dict[Node, list[tuple[str, np.ndarray]]] = {}
        wanted = list(dict.fromkeys(wrt))
        self._check_names(values, wanted)
        names = [name for name in expression.variables if name in values]
        self.inputs: dict[str, Tensor] = {}
        for name in names:
            self.inputs[name] = wrap(np.asarray(values[name], np.float64))
        self.wrt = [name for name in names if not wanted or name in wanted]
        for name in self.wrt:
            self.inputs[name].requires_grad = True
        result = self._value(expression.tree)
        if not self.wrt or not isinstance(result, Tensor):
            raise ExpressionError("nothing", self.text, place_of(self.text, expression.tree))
        if result.node is None:  # the expression is a variable: there is to be something to show
            result = F.copy(result)
            self.values[result.node] = result.array
        self.result: Tensor = result

    def _check_names(self, values: Mapping[str, np.ndarray], wrt: list[str]) -> None:
        variables = self.expression.variables
        for name, place in variables.items():
            if name not in values and name not in CONSTANTS:
                near = nearest(name, [*(given for given in values if given not in variables), *CONSTANTS])
                problem = "no-value-near" if near else "no-value"
                raise ExpressionError(problem, self.text, place, name=name, near=near)
        for name in wrt:
            if name not in variables or name not in values:
                near = nearest(name, variables)
                raise ExpressionError("not-in-expression", name=name, near=Word("near", near=near) if near else "")

    def _value(self, node: ast.expr) -> Any:
        match node:
            case ast.Constant():
                return self._number(node)
            case ast.Name(id=name):
                return self.inputs[name] if name in self.inputs else CONSTANTS[name]
            case ast.UnaryOp(op=op, operand=inner):
                x = self._value(inner)
                if isinstance(op, ast.UAdd):
                    return x
                return -x if isinstance(x, float) else self._record(F.negative(x), [(inner, x)])
            case ast.BinOp():
                return self._operation(node)
            case ast.Attribute(value=inner):
                x = self._tensor(inner)
                return self._record(transposed(x), [(inner, x)])
            case ast.Subscript():
                return self._subscript(node)
            case ast.Call():
                return self._call(node)
        raise AssertionError(f"the white list lets {type(node).__name__} through")

    def _number(self, node: ast.Constant) -> float:
        try:
            found = float(node.value)  # type: ignore[arg-type]
        except OverflowError:
            found = math.inf
        if not math.isfinite(found):
            raise ExpressionError("number-size", self.text, place_of(self.text, node))
        return found

    def _tensor(self, node: ast.expr) -> Tensor:
        """The value of ``node``; of a number, as a tensor."""
        x = self._value(node)
        return x if isinstance(x, Tensor) else wrap(np.asarray(x))

    def _record(self, out: Any, operands: list[tuple[ast.expr, Any]]) -> Any:
        """``out``, after noting its value and the operands that the tape treats as constants."""
        if out.node is not None and out.node not in self.values:
            self.values[out.node] = out.array
            self.constants[out.node] = [
                (self._source(node), x.array if isinstance(x, Tensor) else np.asarray(x))
                for node, x in operands
                if not (isinstance(x, Tensor) and x.requires_grad)
            ]
        return out

    def _source(self, node: ast.expr) -> str:
        """What was written; nothing for a number, which is written anew."""
        if isinstance(node, ast.Constant) or (isinstance(node, ast.UnaryOp) and isinstance(node.operand, ast.Constant)):
            return ""
        start, end = span(self.text, node)
        return self.text[start:end]

    # Operators

    def _operation(self, node: ast.BinOp) -> Any:
        sign = OPERATORS[type(node.op)]
        x, y = self._value(node.left), self._value(node.right)
        place = operator_place(self.text, node)
        if sign == "@":
            return self._record(self._product(x, y, place), [(node.left, x), (node.right, y)])
        if isinstance(x, float) and isinstance(y, float):
            return self._on_numbers(sign, x, y, place)
        self._check_broadcast(x, y, sign, place)
        out = self._guarded(lambda: getattr(F, ON_TENSORS[sign])(x, y), f"'{sign}'", place)
        return self._record(out, [(node.left, x), (node.right, y)])

    def _on_numbers(self, sign: str, x: float, y: float, place: int) -> float:
        try:
            found = ON_NUMBERS[sign](x, y)
        except OverflowError:
            raise ExpressionError("number-size", self.text, place) from None
        except ZeroDivisionError:
            raise ExpressionError("zero-division", self.text, place) from None
        if isinstance(found, complex):
            raise ExpressionError("not-real", self.text, place)
        if not math.isfinite(found):
            raise ExpressionError("number-size", self.text, place)
        return float(found)

    def _product(self, x: Any, y: Any, place: int) -> Any:
        if not (isinstance(x, Tensor) and isinstance(y, Tensor) and x.ndim and y.ndim):
            raise ExpressionError("matmul-scalar", self.text, place, op="@")
        a, b = x.array.shape, y.array.shape
        if a[-1] != b[0]:
            raise self._misfit("@", x, y, place)
        self._check_size(math.prod(a[:-1]) * math.prod(b[1:]), place)
        # One step, where torch's matmul of a vector and a matrix takes three.
        return F.matmul(x, y) if (x.ndim, y.ndim) == (1, 2) else FUNCTIONS["matmul"].call(x, y)

    def _misfit(self, op: str, x: Tensor, y: Tensor, place: int) -> ExpressionError:
        a, b = shape_word(x.array.shape), shape_word(y.array.shape)
        return ExpressionError("shapes", self.text, place, op=op, a=a, b=b)

    def _check_broadcast(self, x: Any, y: Any, op: str, place: int) -> None:
        if isinstance(x, Tensor) and isinstance(y, Tensor):
            try:
                shape = np.broadcast_shapes(x.array.shape, y.array.shape)
            except ValueError:
                raise self._misfit(op, x, y, place) from None
            self._check_size(math.prod(shape), place)

    def _check_size(self, n: int, place: int) -> None:
        if n > MOST_ENTRIES:
            raise ExpressionError("too-large", self.text, place, n=n)

    def _guarded(self, compute: Callable[[], Any], name: str, place: int) -> Any:
        try:
            return compute()
        except (RuntimeError, ValueError, IndexError, TypeError, ArithmeticError, MemoryError) as fault:
            if type(fault).__name__ == "LinAlgError":
                raise ExpressionError("singular", self.text, place) from None
            why = " ".join(str(fault).split())
            raise ExpressionError("fails", self.text, place, name=name, why=why) from None

    # Indexing and calls

    def _subscript(self, node: ast.Subscript) -> Any:
        x = self._tensor(node.value)
        key = _key(node.slice)
        try:
            size = x.array[key].size
        except IndexError:
            size = 0
        if not size:
            shape = shape_word(x.array.shape)
            raise ExpressionError("index-range", self.text, place_of(self.text, node.slice), shape=shape)
        return self._record(F.getitem(x, key), [(node.value, x)])

    def _call(self, node: ast.Call) -> Any:
        assert isinstance(node.func, ast.Name)
        name, place = node.func.id, place_of(self.text, node)
        operands = [self._tensor(argument) for argument in node.args]
        options = {}
        for option in node.keywords:
            dim = whole_number(option.value)
            assert dim is not None
            if not -operands[0].ndim <= dim < operands[0].ndim:
                at = place_of(self.text, option.value)
                shape = shape_word(operands[0].array.shape)
                raise ExpressionError("dim-range", self.text, at, dim=dim, shape=shape)
            options["dim"] = dim
        self._check_shapes(name, operands, place)
        out = self._guarded(lambda: FUNCTIONS[name].call(*operands, **options), name, place)
        return self._record(out, list(zip(node.args, operands)))

    def _check_shapes(self, name: str, operands: list[Tensor], place: int) -> None:
        shapes = [x.array.shape for x in operands]
        if name in NEED_SQUARE and (len(shapes[0]) != 2 or shapes[0][0] != shapes[0][1]):
            raise ExpressionError("needs-square", self.text, place, name=name, shape=shape_word(shapes[0]))
        if name in NEED_VECTORS:
            other = next((shape for shape in shapes if len(shape) != 1), None)
            if other is not None:
                raise ExpressionError("needs-vectors", self.text, place, name=name, shape=shape_word(other))
        if name == "outer":
            self._check_size(math.prod(map(math.prod, shapes)), place)
        elif name == "matmul":
            self._product(operands[0], operands[1], place)
        elif name in ("dot", "solve"):
            if shapes[0][-1] != shapes[1][0] if shapes[1] else True:
                raise self._misfit(name, operands[0], operands[1], place)
        elif len(operands) == 2:
            self._check_broadcast(operands[0], operands[1], name, place)


def _key(node: ast.expr) -> Any:
    """The index that ``node`` spells."""
    if isinstance(node, ast.Tuple):
        return tuple(_key(part) for part in node.elts)
    if isinstance(node, ast.Slice):
        return slice(*(None if b is None else whole_number(b) for b in (node.lower, node.upper, node.step)))
    return whole_number(node)
