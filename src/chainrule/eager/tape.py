"""Recording: the one generic path, by which every primitive can be applied to tensors.

What the specialised functions do not take (mixed dtypes, half types, complex numbers, other array types,
NumPy's keywords, more than two operands) comes here: bring the operands to a common dtype, run the primitive
on raw arrays, make the tensors and the node.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from chainrule.core import rules, spec
from chainrule.core.box import NUMBERS, Box, function
from chainrule.core.primitive import ELEMENTWISE, OPERANDS, Primitive, linear
from chainrule.core.rules import Form, copied, dtype_of, overload, record
from chainrule.core.spec import DType
from chainrule.core.sweep import Node, Port
from chainrule.eager import modes, refusals, views
from chainrule.eager.levels import differentiating
from chainrule.eager.notice import REAL_PART, notice
from chainrule.eager.tensor import INFERENCE_LANES, LANES, Tensor, edge_of, wrap
from chainrule.errors import broadcast_error, translate


class TensorForm(Form):
    """The general layout on the tape of tensors."""

    __slots__ = ()

    def shown_edges(self, node: Node) -> list[Any]:
        """The edges of the operands that can carry a derivative, in torch's order."""
        hidden = self.scalars if self.scalars and self.is_overload(node) else ()
        shown = [e for i, e in enumerate(self.edges(node)) if self.primitive.is_active(i) and i not in hidden]
        if self.scalars == (0,) and not hidden:
            shown.reverse()  # torch computes 2 * x as x * 2
        return shown

    def is_overload(self, node: Node) -> bool:
        """Whether torch has a node of its own for a call with these numbers."""
        name = self.primitive.node
        return not isinstance(name, str) and self.name(node) != overload(name, {"scalars": (), **self.params(node)})

    def revive(self, node: Node, origin: Node | None = None) -> Node:
        """A copy of ``node`` whose saved arrays are tensors again, each on the edge it came from.

        ``origin`` is the node that edges lead to, where ``node`` is a copy itself.
        """
        made = origin or node
        edges = self.edges(node)
        constant = self.scalars  # numbers stay what they are
        operands = [
            revived(x, edges[i])
            if isinstance(x, np.ndarray) and i not in constant and self.primitive.differentiates(i)
            else x
            for i, x in enumerate(self.saved(node))
        ]
        out = node.out
        if isinstance(out, tuple):
            out = tuple(part if part is None else
                        wrap(part, Port(made, k, part.shape, dtype_of(part)) if dtype_of(part).differentiable else None)
                        for k, part in enumerate(out))  # fmt: skip
        elif out is not None:
            out = wrap(out, made)
        copy = self.with_saved(node, operands, out)
        if self.primitive.keeping:
            copy.y = node.y
        return copy


class HalfForm(TensorForm):
    """The layout of half-precision calls: the rule runs on float32 copies, its result is rounded once."""

    __slots__ = ()

    def pull(self, node: Node, g: Any) -> list[tuple[Any, Any]]:
        copy = copied(node, tuple(map(widened, node.x)), None, widened(node.out))
        return super().pull(copy, widened(g))


_forms: dict[tuple[Primitive, type[TensorForm]], TensorForm] = {}


def form_for(p: Primitive, half: bool) -> TensorForm:
    """The general form of ``p`` for tensors."""
    kind = HalfForm if half else TensorForm
    form = _forms.get((p, kind))
    if form is None:
        form = _forms[p, kind] = kind(p)
    return form


def widened(x: Any) -> Any:
    """Half precision as float32; anything else as it is."""
    if isinstance(x, (tuple, list)):
        return type(x)(map(widened, x))
    if isinstance(x, (Box, np.ndarray, np.generic)) and dtype_of(x).half:
        return x.cast(spec.float32) if isinstance(x, Box) else x.astype(np.float32)
    return x


def revived(array: np.ndarray, edge: Any) -> Tensor:
    """A saved array as the tensor it was: the leaf itself, or a tensor on the edge it came from."""
    if edge is None:
        return wrap(array)
    if isinstance(edge, Tensor):
        if edge.array is array:
            return edge
        if edge.array.dtype == array.dtype:
            alias = wrap(array)
            alias.node = alias_node(edge)
            return alias
    if dtype_of(array) is not rules.space_of(edge)[1]:
        return wrap(array, alias_node(edge, dtype_of(array)))
    return wrap(array, edge)


def alias_node(edge: Any, dtype: DType | None = None) -> Node:
    """A node that passes its cotangent on to ``edge``, cast where the dtypes differ."""
    node = Node.__new__(Node)
    node.form, node.params = form_for(CAST, half=False), {"dtype": dtype}
    node.x, node.y, node.out, node.edge_x, node.edge_y, node.hooks = (None,), None, None, (edge,), None, None
    node.shape, found = rules.space_of(edge)
    node.dtype = dtype or found
    node.seq = rules.next_seq()
    return node


@function
def cast(x: Any, *, dtype: DType) -> Any:
    """``x`` in another dtype; from complex to real the imaginary part is dropped."""
    return (x.real if x.dtype.kind == "c" and not dtype.is_complex else x).astype(dtype.numpy)


CAST: Final = linear(cast, lambda g, x: g, params={"dtype": ...}, torch="", node="ToCopyBackward0", retypes=True)


def process(tensor: Tensor, p: Primitive, operands: Sequence[Any], params: dict[str, Any]) -> Any:
    """Apply ``p`` to operands of which ``tensor`` is one, recording if any of them requires grad."""
    if tensor.lane.dual:
        return tensor._process_dual(p, operands, params)
    mode = modes.state()
    special = not tensor.lane.native or any(isinstance(x, Tensor) and not x.lane.native for x in operands)
    if special and any(isinstance(x, Tensor) and x.lane.dual for x in operands):
        return tensor._process_dual(p, operands, params)
    edges = tuple(edge_of(x) if isinstance(x, Tensor) else None for x in operands)
    common = common_dtype(p, operands)
    half = common is not None and common.half and not p.moves and not p.retypes
    with np.errstate(all="ignore"):
        raws, out = computed(p, operands, params, common, half)
    recording = mode is None or (mode.grad and not mode.inference)
    if special and recording:
        views.check_all(operands)
    of_inference = p.moves in VIEWS and tensor.lane.inference  # a view of such a tensor is one too
    if p.differentiable and recording and not of_inference and any(e is not None for e in edges) and _floats(p, out):
        check_inference(p, operands, edges)
        scalars = tuple(i for i, x in enumerate(operands) if x is None or isinstance(x, NUMBERS))
        form = form_for(p, half)
        if scalars:
            form = scalar_form(form, scalars)
        result = record(form, edges, raws, out, params, wrap)
        if mode is not None:
            tell(mode, node_of(result), operands)
    else:
        result = wrap(out) if p.outputs == 1 else tuple(map(wrap, out))
    if of_inference:
        for part in result if isinstance(result, tuple) else (result,):
            part.lane = INFERENCE_LANES[part.array.dtype]
    elif p.moves in VIEWS:
        link(p, result, operands, raws, mode)
    return result


VIEWS: Final = ("view", "maybe view")


def node_of(result: Any) -> Node:
    """The node of a recorded call, given its result or results."""
    edge = result.node if isinstance(result, Tensor) else next(t.node for t in result if t.node is not None)
    return edge.node if type(edge) is Port else edge


def tell(mode: modes.Mode, node: Node, operands: Sequence[Any]) -> None:
    """Show a node that was just recorded to what the mode has watching."""
    if mode.saving:
        mode.saving[-1].recorded(node, operands)
    if mode.anomaly is not None:
        mode.anomaly.recorded(node)


def link(p: Primitive, result: Any, operands: Sequence[Any], raws: Sequence[Any], mode: modes.Mode | None) -> None:
    """Make the results of a call known as views of its operand, where they share its memory (or each of its own)."""
    kind = views.PLAIN if mode is None or mode.grad else views.Inferred if mode.inference else views.Unrecorded
    input, raw = operands[0], raws[0]
    if p.variadic:
        for part, x in zip(result, operands, strict=True):
            views.link(part, x, views.Custom if kind is views.PLAIN else kind)
            part.leaf = unrecorded_leaf(part, x)
    elif isinstance(result, tuple):
        kind = views.Several if kind is views.PLAIN else kind
        for part in result:
            views.link(part, input, kind)
            part.leaf = unrecorded_leaf(part, input)
            part.lane = LANES[part.array.dtype]
    elif np.may_share_memory(result.array, raw):
        views.link(result, input, kind)
        result.leaf = unrecorded_leaf(result, input)
        if not input.lane.stale:
            result.lane = LANES[result.array.dtype]  # a normal tensor, in inference mode too


def unrecorded_leaf(view: Tensor, input: Tensor) -> bool:
    """Whether a view asks for a gradient of its own: its base does, but the call was not recorded (torch has it so)."""
    return view.node is None and input.requires_grad and view.dtype.differentiable


def computed(
    p: Primitive, operands: Sequence[Any], params: dict[str, Any], common: DType | None, half: bool
) -> tuple[list[Any], Any]:
    """The operands as raw arrays of the common dtype, and the primitive's result on them."""
    instead = refusals.check(p, operands, common)
    number = spec.float32 if half else common  # numbers beside half precision are rounded with the result only
    raws = [
        raw_operand(x, None if not p.promotes(i) else number if isinstance(x, NUMBERS) else common)
        for i, x in enumerate(operands)
    ]
    if instead is not None:
        return raws, instead(*raws, **params)
    out = run(p, list(map(widened, raws)) if half else raws, params)
    return raws, narrowed(out, common) if common is not None and half else out


_scalar_forms: dict[tuple[TensorForm, tuple[int, ...]], TensorForm] = {}


def scalar_form(form: TensorForm, scalars: tuple[int, ...]) -> TensorForm:
    """``form`` for calls in which these operands were Python numbers (torch names such nodes apart)."""
    key = form, scalars
    if key not in _scalar_forms:
        _scalar_forms[key] = type(form)(form.primitive, scalars)
    return _scalar_forms[key]


def _floats(p: Primitive, out: Any) -> bool:
    parts = out if p.outputs != 1 else (out,)
    return any(part.dtype.kind in "fcV" for part in parts)


def common_dtype(p: Primitive, operands: Sequence[Any]) -> DType | None:
    """torch's common dtype of the operands that take part, or None if there is nothing to agree on."""
    parts = promoting(p)
    if parts is not None and len(operands) <= len(parts) and all(parts[: len(operands)]):
        first = operands[0]
        if isinstance(first, Tensor) and first.dtype.differentiable:
            dtype = first.dtype
            for x in operands:
                if type(x) not in (float, int) and not (isinstance(x, Tensor) and x.dtype is dtype):
                    break
            else:
                return dtype
    if differentiating.get():
        return numpys_dtype(p, operands)
    dimensioned: list[DType] = []
    zero_dim: list[DType] = []
    weak: list[DType] = []
    for i, x in enumerate(operands):
        if not p.promotes(i) or x is None:
            continue
        if isinstance(x, (Tensor, np.ndarray)):
            (dimensioned if x.ndim else zero_dim).append(dtype_of(x))
        elif isinstance(x, NUMBERS):
            weak.append(spec.weak_dtype(x))
        else:
            raise TypeError(f"{p.name}(): operand {i} must be a tensor, an array or a number, not {type(x).__name__}")
    if not (dimensioned or zero_dim or weak):
        return None
    common = spec.result_type(dimensioned, zero_dim, weak)
    return spec.default_float() if p.integers == "float" and not common.differentiable else common


def numpys_dtype(p: Primitive, operands: Sequence[Any]) -> DType | None:
    """NumPy's common dtype: numbers of Python's are weak, and nothing else is."""
    parts: list[Any] = []
    for i, x in enumerate(operands):
        if p.promotes(i) and x is not None:
            parts.append(x.dtype.numpy if isinstance(x, Tensor) else x if type(x) in WEAK else np.asarray(x).dtype)
    if not parts:
        return None
    common = spec.of_numpy(np.result_type(*parts))
    return spec.float64 if p.integers == "float" and not common.differentiable else common


WEAK: Final = (bool, int, float, complex)
_promoting: dict[Primitive, tuple[bool, ...] | None] = {}


def promoting(p: Primitive) -> tuple[bool, ...] | None:
    """Which operands take part in promotion; None where their number is open."""
    if p not in _promoting:
        _promoting[p] = None if p.variadic else tuple(p.promotes(i) for i in range(p.arity))
    return _promoting[p]


def raw_operand(x: Any, dtype: DType | None) -> Any:
    """The raw array of an operand, in ``dtype`` where one is given."""
    if isinstance(x, Tensor):
        x = x.array
    elif dtype is not None and isinstance(x, NUMBERS):
        return np.asarray(x).astype(dtype.numpy)
    elif isinstance(x, (list, tuple)) and dtype is not None:  # beside a tensor in a function of arrays
        return np.asarray(x, dtype.numpy)
    if dtype is None or x is None or x.dtype == dtype.numpy:
        return x
    return x.astype(dtype.numpy)


def narrowed(out: Any, dtype: DType) -> Any:
    """float32 results back in the half type."""
    if isinstance(out, tuple):
        return tuple(narrowed(part, dtype) for part in out)
    return out.astype(dtype.numpy) if out.dtype == np.float32 else out


def run(p: Primitive, arrays: Sequence[Any], params: dict[str, Any]) -> Any:
    """The primitive on raw arrays, its errors in torch's words."""
    try:
        out = p.raw(*arrays, **params)
    except (ValueError, IndexError, TypeError) as fault:
        raise explained(fault, p, arrays) from None
    if p.outputs != 1:
        return tuple(map(np.asarray, out))
    return np.asarray(out) if isinstance(out, (np.generic, float, int, bool, complex)) else out


RECOVERABLE: Final = (RuntimeWarning, ValueError, IndexError, TypeError)  # what a fast function leaves to a slower one


def recover(fault: Exception, p: Primitive, arrays: Sequence[Any], params: dict[str, Any]) -> Any:
    """What a specialised function does when NumPy raises: warnings are silenced, errors explained."""
    if isinstance(fault, RuntimeWarning):
        with np.errstate(all="ignore"):
            return run(p, arrays, params)
    raise explained(fault, p, arrays) from None


def explained(fault: Exception, p: Primitive, arrays: Sequence[Any]) -> Exception:
    """NumPy's error as torch's users know it: type and words."""
    if p.kind == ELEMENTWISE or not p.differentiable:
        shapes = [x.shape for x in arrays if hasattr(x, "shape")]
        for other in shapes[1:]:
            error = broadcast_error(shapes[0], other)
            if error is not None:
                return error
    return refusals.explain(fault, p, arrays) or translate(fault, p.name, [getattr(x, "shape", ()) for x in arrays])


def check_inference(p: Primitive, operands: Sequence[Any], edges: Sequence[Any]) -> None:
    """Refuse to save a tensor made under inference_mode for a recorded call."""
    wanted = {name for i, edge in enumerate(edges) if edge is not None for name in p.saves(i)}
    for i, x in enumerate(operands):
        named = "xs" if p.variadic else OPERANDS[i]
        if named in wanted and isinstance(x, Tensor) and x.lane.inference:
            raise RuntimeError(
                "Inference tensors cannot be saved for backward. Please do not use Tensors created in inference mode "
                "in computation tracked by autograd. To work around this, you can make a clone to get a normal tensor "
                "and use it in autograd, or use `torch.no_grad()` instead of `torch.inference_mode()`."
            )


def tensor_cast(tensor: Tensor, dtype: Any) -> Tensor:
    """``tensor`` in ``dtype`` (chainrule's or NumPy's), recorded; itself if it has it already."""
    if not isinstance(dtype, DType):
        dtype = spec.of_numpy(np.dtype(dtype))
    if tensor.lane.dtype is dtype:
        return tensor
    if tensor.lane.dtype.is_complex and not dtype.is_complex and dtype is not spec.bool_:
        notice(REAL_PART)
    return process(tensor, CAST, (tensor,), {"dtype": dtype})  # type: ignore[no-any-return]


Tensor.process = process  # type: ignore[assignment, method-assign]
Tensor.cast = tensor_cast  # type: ignore[assignment, method-assign]
