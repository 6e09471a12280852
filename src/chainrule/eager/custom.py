"""Functions that differentiate themselves: `Function`, as torch's users write it.

The node of such a call has the user's context (`FunctionCtx`) for its parameters and what the context saved in ``x``.
The context never holds the node, so there is no cycle; in a backward pass, and as ``grad_fn``, the user gets another
object with the same attributes that knows the node.
"""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy as np

from chainrule.core.primitive import CUSTOM, Primitive
from chainrule.core.rules import SPENT, next_seq, record, space_of
from chainrule.core.spec import Spec, of_numpy
from chainrule.core.sweep import Node, Port, project
from chainrule.eager import exports, inplace, modes, saved, views
from chainrule.eager.functions.history import detach
from chainrule.eager.gradfn import GradFn, shown
from chainrule.eager.notice import notice
from chainrule.eager.tape import CAST, form_for
from chainrule.eager.tensor import Tensor, leaf, wrap
from chainrule.eager.views import operation_name
from chainrule.eager.writes import check_unwritten, log_write
from chainrule.errors import GraphError, ShapeError, shape_text


class Output(NamedTuple):
    """A saved output: without its history, which would be a cycle."""

    array: np.ndarray
    number: int


class FunctionCtx(GradFn):
    """What a `Function` remembers between forward and backward; attributes of one's own are welcome."""

    __slots__ = ("__dict__",)

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Keep tensors for `backward`, which finds them in ``saved_tensors``."""
        self._to_save = tensors

    def save_for_forward(self, *tensors: Tensor | None) -> None:
        """Keep tensors for `jvp`."""
        for t in tensors:
            if t is not None and not isinstance(t, Tensor):
                raise TypeError("save_for_forward expects all arguments to be tensors; you should save non-tensors as "
                                "attributes on ctx.")  # fmt: skip
        self.saved_for_forward = tensors

    def mark_dirty(self, *tensors: Tensor) -> None:
        """Say that `forward` wrote to these inputs in place (it has to return them too)."""
        self._dirty = tensors

    def mark_non_differentiable(self, *tensors: Tensor) -> None:
        """Say that these outputs have no derivative."""
        self._constant = tensors

    def mark_shared_storage(self, *pairs: Any) -> None:
        """Deprecated: does nothing."""
        warnings.warn("mark_shared_storage is deprecated. Tensors with shared storages are automatically tracked. Note that "
                      "calls to `set_()` are not tracked", FutureWarning, stacklevel=2)  # fmt: skip

    def set_materialize_grads(self, value: bool) -> None:
        """Whether `backward` gets zeros (the default) or None for outputs that nothing depends on."""
        self._materialize = value

    @property
    def materialize_grads(self) -> bool:
        """Whether absent cotangents come as zeros."""
        return self.__dict__.get("_materialize", True)  # type: ignore[no-any-return]

    @property
    def dirty_tensors(self) -> tuple[Tensor, ...]:
        """What `mark_dirty` named."""
        return self.__dict__.get("_dirty", ())  # type: ignore[no-any-return]

    @property
    def non_differentiable(self) -> tuple[Tensor, ...]:
        """What `mark_non_differentiable` named."""
        return self.__dict__.get("_constant", ())  # type: ignore[no-any-return]

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """What `save_for_backward` kept, checked for writes since."""
        node = self.node
        if node is None:
            return ()
        if node.x is None:
            if self.saved_count:
                raise GraphError(SPENT)
            return ()
        return tuple(_unpacked(node, kept) for kept in node.x)

    def on(self, node: Node) -> FunctionCtx:
        """The same context, knowing its node."""
        other = object.__new__(type(self))
        other.__dict__ = self.__dict__
        other.node = node
        return other

    def __repr__(self) -> str:
        return f"<torch.autograd.function.{type(self).__name__} object at {id(self):#x}>"

    @property
    def saved_variables(self) -> tuple[Any, ...]:
        """The old name of ``saved_tensors``."""
        warnings.warn("'saved_variables' is deprecated; use 'saved_tensors'", DeprecationWarning, stacklevel=2)
        return self.saved_tensors

    @property
    def _raw_saved_tensors(self) -> tuple[Any, ...]:
        if self.node.x is None and self.saved_count:
            raise GraphError(SPENT)
        return tuple(SavedInFunction(self.node, k) for k in range(len(self.node.x)))

    @property
    def to_save(self) -> Any:
        """What is going to be saved."""
        return self.__dict__.get("_to_save")

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")


class Pair(NamedTuple):
    """A value given to hooks on saved tensors, and what it was."""

    packed: saved.Packed
    value: Any


def _kept(k: int, value: Any, *outputs: tuple[Any, ...]) -> Any:
    """A value as it is saved: an output without its history, anything else as it is."""
    if value is None:
        return None
    if not isinstance(value, Tensor):
        raise TypeError(f"save_for_backward can only save variables, but argument {k} is of type {type(value).__name__}")
    kept: Any = value
    for several in outputs:
        for number, out in enumerate(several):
            if out is value and out.node is not None and not out.leaf:
                kept = Output(out.array, number)
    hooks = modes.present().saving
    return Pair(saved.Packed(hooks[-1].pack, hooks[-1].unpack, value.array), kept) if hooks else kept


def _unpacked(node: Node, kept: Any) -> Tensor | None:
    """A saved value as the user gets it."""
    if kept is None:
        return None
    if isinstance(kept, Pair):
        array, kept = kept.packed.array(), kept.value
    else:
        array = kept.array
        origin = f", which is output {kept.number} of {operation_name(node)}," if isinstance(kept, Output) else ""
        check_unwritten(node, array, origin)
    if isinstance(kept, Output):
        return wrap(array, node.form.port(node, kept.number))
    if array is kept.array:
        return kept  # type: ignore[no-any-return]
    t = wrap(array, kept.node)
    t.leaf = kept.leaf
    return t


class SavedInFunction(saved.SavedTensor):
    """A tensor that a custom Function saved, before it is unpacked."""

    def register_hooks(self, pack_hook: Any, unpack_hook: Any) -> None:
        """Give the value to ``pack_hook`` now, and ask ``unpack_hook`` for it when it is needed."""
        node, k = self._node, self._number
        if node.x is None:
            raise RuntimeError(saved.FREED)
        kept = node.x[k]
        if kept is None:
            raise RuntimeError(saved.NOTHING)
        if isinstance(kept, Pair):
            raise RuntimeError(saved.TWICE)
        pair = Pair(saved.Packed(pack_hook, unpack_hook, kept.array), kept)
        node.x = (*node.x[:k], pair, *node.x[k + 1 :])


def named(name: str) -> Callable[..., Any]:
    """A function of this name, for a primitive that is in no table."""

    def function(*args: Any) -> Any:
        raise NotImplementedError(f"{name} can only be called through apply")

    function.__name__ = name
    return function


class CustomForm:
    """How the calls of one `Function` lie on the tape."""

    __slots__ = ("function", "primitive", "spent")
    scalars = ()

    def __init__(self, function: type[Function], released: bool = False) -> None:
        self.function = function
        self.spent: CustomForm = self if released else CustomForm(function, released=True)  # of a node that has let go
        self.primitive = Primitive(named(function.__name__), CUSTOM, (), arity=-1, torch="")

    def name(self, node: Node) -> str:
        return f"{self.function.__name__}Backward"

    def edges(self, node: Node) -> tuple[Any, ...]:
        return node.edge_x  # type: ignore[no-any-return]

    def shown_edges(self, node: Node) -> list[Any]:
        return [edge for edge, spec in zip(node.edge_x, node.params.arguments, strict=True) if spec is not None]

    def saved(self, node: Node) -> tuple[Any, ...]:
        return ()  # looked at when the user asks for them

    def params(self, node: Node) -> dict[str, Any]:
        return {}

    def port(self, node: Node, number: int) -> Any:
        """The edge to one output."""
        spec = node.params.results[number]
        if type(node.shape) is tuple:
            return node
        return None if spec is None or not spec.dtype.differentiable else Port(node, number, spec.shape, spec.dtype)

    def output_spec(self, node: Node, number: int) -> tuple[Any, Any]:
        """The shape and dtype of one output."""
        spec = node.params.results[number]
        return spec.shape, spec.dtype

    def revive(self, node: Node) -> Node:
        return node

    def pull(self, node: Node, g: Any) -> list[tuple[Any, Any]]:
        return pull(self.function, node, g)


def pull(function: type[Function], node: Node, g: Any) -> list[tuple[Any, Any]]:
    """Call the user's backward; check, project and account for what it returns."""
    parts = [g] if type(node.shape) is tuple else g
    recording = modes.is_grad_enabled()
    ctx = shown(node)
    grads = [
        _cotangent(ctx, k, part, spec, recording)
        for k, (part, spec) in enumerate(zip(parts, node.params.results, strict=True))
    ]
    started, exported = next_seq(), exports.count()
    found = function.user_backward()(ctx, *grads)
    found = found if isinstance(found, tuple) else (found,)
    pulled = []
    for i, (edge, value) in enumerate(zip(node.edge_x, _counted(node, found), strict=True)):
        if value is None:
            continue
        _check_gradient(node, i, value)
        if edge is not None:
            value = project(value, *space_of(edge))
            if recording:
                value = _accounted(node, value, started, exports.count() != exported)
            pulled.append((edge, value if recording else value.array))
    return pulled


def _cotangent(ctx: Any, k: int, g: Any, spec: Spec | None, recording: bool) -> Tensor | None:
    """The cotangent of output ``k`` as the user's backward gets it."""
    if g is None or type(g) is Absent:
        constant = not ctx.__dict__.get("_materialize_non_diff_grads", True) and k in ctx.constants
        if spec is None or not ctx.materialize_grads or constant:
            return None
        return wrap(np.zeros(spec.shape, spec.dtype.numpy))
    t = g if isinstance(g, Tensor) else wrap(g)
    return origin_marked(t) if recording and t.node is None and not t.leaf else t


def origin_marked(t: Tensor) -> Tensor:
    """``t`` with a node that leads nowhere: what has one too was computed from it on the tape."""
    marked = wrap(t.array)
    marked.node = record(form_for(CAST, half=False), (None,), [t.array], t.array, {"dtype": t.dtype}, wrap).node
    return marked


def _counted(node: Node, found: tuple[Any, ...]) -> tuple[Any, ...]:
    """One gradient per argument; more than that may only be None."""
    n = len(node.edge_x)
    if len(found) < n or any(value is not None for value in found[n:]):
        raise RuntimeError(
            f"function {node.name()} returned an incorrect number of gradients (expected {n}, got {len(found)})"
        )
    return found[:n]


def _check_gradient(node: Node, i: int, value: Any) -> None:
    """Refuse what cannot be the gradient of argument ``i``."""
    if not isinstance(value, Tensor):
        raise RuntimeError(f"expected Variable or None (got {_type_text(value)})")
    spec = node.params.arguments[i]
    if spec is None:
        raise RuntimeError(
            f"function {node.name()} returned a gradient different than None at position {i + 1}, but the corresponding "
            "forward input was not a Variable"
        )
    shape = value.array.shape
    if (
        node.edge_x[i] is not None
        and shape != spec.shape
        and (len(shape) < len(spec.shape) or broadcast(shape, spec.shape) != shape)
    ):
        raise ShapeError(
            f"Function {node.name()} returned an invalid gradient at index {i} - got {shape_text(shape)} but expected shape "
            f"compatible with {shape_text(spec.shape)}"
        )
    if value.dtype.is_complex and not spec.dtype.is_complex:
        raise RuntimeError(
            f"Function {node.name()} returned an invalid gradient at index {i} - got a complex gradient for a real argument"
        )


def broadcast(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...] | None:
    """The common shape, or None."""
    try:
        return np.broadcast_shapes(a, b)
    except ValueError:
        return None


def _type_text(value: Any) -> str:
    cls = type(value)
    return cls.__name__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__name__}"


# Differentiating a backward again


def _accounted(node: Node, value: Tensor, started: int, exported: bool) -> Tensor:
    """A gradient from a recorded backward, made to raise when differentiated if it was computed off the tape."""
    reach = _reach(value, started)
    if reach == "inputs" and not exported:
        return value
    if not exported and (reach == "cotangents" or not value.array.any()):
        return wrap(value.array)  # a constant
    return refusing(f"{node.name()} computed a gradient outside of the tape (with NumPy, or from detached tensors): the "
                    "second derivative is not known. Write its backward with recorded functions.",
                    [*node.edge_x, value.node], value.array)  # fmt: skip


def _reach(value: Tensor, started: int) -> str:
    """What a result of a backward depends on: "inputs" of the tape before it, only "cotangents", or "nothing"."""
    if value.leaf:
        return "inputs"
    stack, seen = [value.node], set()
    while stack:
        edge = stack.pop()
        node = edge.node if type(edge) is Port else edge
        if node is None or node in seen:
            continue
        if type(node) is not Node or (node.seq < started and any(e is not None for e in node.form.edges(node))):
            return "inputs"
        seen.add(node)
        stack += node.form.edges(node)
    return "cotangents" if seen else "nothing"


class RefusingForm:
    """A node that raises when a cotangent gets there."""

    __slots__ = ("message",)
    primitive = Primitive(named("error"), CUSTOM, (), arity=-1, torch="")
    scalars = ()

    def __init__(self, message: str) -> None:
        self.message = message

    @property
    def spent(self) -> RefusingForm:
        return self

    def name(self, node: Node) -> str:
        return "torch::autograd::Error"

    def edges(self, node: Node) -> tuple[Any, ...]:
        return node.edge_x  # type: ignore[no-any-return]

    def shown_edges(self, node: Node) -> list[Any]:
        return list(node.edge_x)

    def saved(self, node: Node) -> tuple[Any, ...]:
        return ()

    def params(self, node: Node) -> dict[str, Any]:
        return {}

    def revive(self, node: Node) -> Node:
        return node

    def pull(self, node: Node, g: Any) -> Any:
        raise RuntimeError(self.message)


class UndefinedForm(RefusingForm):
    """A node that sends nothing back: a custom `Function` is told so, anything else is not reached."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("")

    def name(self, node: Node) -> str:
        return "torch::autograd::UndefinedGrad"

    def pull(self, node: Node, g: Any) -> Any:
        edges = node.edge_x
        for edge in edges:
            hooks = getattr(edge, "hooks", None)
            if hooks is not None and type(edge) is not Port:
                hooks(None)
        return [(edge, Absent(edge.shape)) for edge in edges if type(edge) is Node and type(edge.form) is CustomForm]


class Absent:
    """The cotangent that is none: adding it changes nothing."""

    __slots__ = ("shape",)
    __array_ufunc__ = None

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape

    def __add__(self, other: Any) -> Any:
        return other

    __radd__ = __add__


def undefined(t: Tensor) -> Tensor:
    """``t``, its cotangents being thrown away."""
    node = new_node(UndefinedForm(), (edge_of(t),), None)
    node.shape, node.dtype = t.array.shape, t.dtype
    return wrap(t.array, node)


def refusing(message: str, edges: list[Any], array: np.ndarray) -> Tensor:
    """A tensor that depends on ``edges`` in a way that nobody knows: differentiating it raises ``message``."""
    node = new_node(RefusingForm(message), tuple(edges), None)
    node.shape, node.dtype = array.shape, of_numpy(array.dtype)
    return wrap(array, node)


def new_node(form: Any, edges: tuple[Any, ...], params: Any) -> Node:
    """A node without saved values."""
    node = Node.__new__(Node)
    node.form, node.params, node.edge_x, node.seq = form, params, edges, next_seq()
    node.x = node.y = node.out = node.edge_y = node.hooks = None
    return node


def once_differentiable(fn: Callable[..., Any]) -> Callable[..., Any]:
    """A `backward` that is not to be differentiated: it runs without recording, and its results refuse."""

    @functools.wraps(fn)
    def wrapper(ctx: FunctionCtx, *args: Any) -> Any:
        with modes.no_grad():
            found = fn(ctx, *args)
        if not modes.is_grad_enabled():
            return found
        edges = [*ctx.node.edge_x, *(edge_of(g) for g in args if isinstance(g, Tensor))]
        several = found if isinstance(found, tuple) else (found,)
        refused = tuple(value if value is None else refusing(ONCE, edges, value.array) for value in several)
        return refused if isinstance(found, tuple) else refused[0]

    return wrapper


def edge_of(t: Tensor) -> Any:
    """What a cotangent of ``t`` is delivered to, or None."""
    return t.node or (t if t.leaf else None)


ONCE: Final = "trying to differentiate twice a function that was marked with @once_differentiable"


# The class


class FunctionMeta(type):
    """Gives every `Function` the class of its contexts, and the form of its nodes."""

    def __init__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> None:
        super().__init__(name, bases, namespace)
        cls._backward_cls = type(
            f"{name}Backward", (FunctionCtx,), {"_forward_cls": cls, "__module__": "torch.autograd.function"}
        )
        cls._form = CustomForm(cls)  # type: ignore[arg-type]


class Function(metaclass=FunctionMeta):
    """A function with a derivative of its own: subclass it, write ``forward`` and ``backward``, call ``apply``.

    ``forward(ctx, *args)`` computes with plain tensors, nothing being recorded (or ``forward(*args)`` beside
    ``setup_context(ctx, inputs, output)``); ``backward(ctx, *grads)`` takes a cotangent per output and returns a gradient
    per argument, None for what has none. Raises RuntimeError for a wrong number, shape or type of gradients.

    >>> import chainrule as cr
    >>> class Exp(Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         y = x.exp()
    ...         ctx.save_for_backward(y)
    ...         return y
    ...     @staticmethod
    ...     def backward(ctx, g):
    ...         (y,) = ctx.saved_tensors
    ...         return g * y
    >>> x = cr.tensor([0.0, 1.0], requires_grad=True)
    >>> Exp.apply(x).sum().backward()
    >>> x.grad
    tensor([1.0000, 2.7183])
    """

    _backward_cls: type[FunctionCtx]
    _form: CustomForm
    generate_vmap_rule = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        warnings.warn(
            f"{self.__class__} should not be instantiated. Methods on autograd functions are all static, so you should "
            "invoke them on the class itself. Instantiating an autograd function will raise an error in a future version of "
            "PyTorch.",
            DeprecationWarning,
            stacklevel=2,
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError(
            "Legacy autograd function with non-static forward method is deprecated. Please use new-style autograd function "
            "with static forward method. (Example: https://pytorch.org/docs/stable/autograd.html#torch.autograd.Function)"
        )

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """Compute the outputs: a tensor or a tuple."""
        raise NotImplementedError("You must implement the forward function for custom autograd.Function.")

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> Any:
        """Save what `backward` needs, where ``forward`` does not take the context."""
        raise NotImplementedError("setup_context is not implemented.")

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """The gradients of the arguments, given the cotangents of the outputs."""
        raise NotImplementedError(
            "You must implement either the backward or vjp method for your custom autograd.Function to use it with backward "
            "mode AD."
        )

    vjp = backward

    @staticmethod
    def jvp(ctx: Any, *grad_inputs: Any) -> Any:
        """The tangents of the outputs, given those of the arguments."""
        raise NotImplementedError(
            "You must implement the jvp function for custom autograd.Function to use it with forward mode AD."
        )

    @staticmethod
    def vmap(info: Any, in_dims: Any, *args: Any) -> Any:
        """How a batch is computed."""
        raise NotImplementedError(
            "To use autograd.Function with vmap, you must either override the vmap staticmethod or set "
            "generate_vmap_rule=True."
        )

    @classmethod
    def user_backward(cls) -> Callable[..., Any]:
        """The user's ``backward``, or ``vjp``; RuntimeError if there are both."""
        if cls.vjp is Function.vjp:
            return cls.backward
        if cls.backward is not Function.backward:
            raise RuntimeError(
                "Implementing both 'backward' and 'vjp' for a custom Function is not allowed. You should only implement one "
                "of them."
            )
        return cls.vjp

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Call ``forward`` and record the call."""
        separate = cls.setup_context is not Function.setup_context
        if separate:
            bound = inspect.signature(cls.forward).bind(*args, **kwargs)
            bound.apply_defaults()
            args, kwargs = bound.args, {}
        elif kwargs:
            args = inspect.signature(cls.forward).bind(None, *args, **kwargs).args[1:]
        ctx: Any = object.__new__(cls._backward_cls)
        ctx.node = None
        needs = ctx.needs_input_grad = tuple(isinstance(x, Tensor) and x.requires_grad for x in args)
        with modes.no_grad():
            if separate:
                output = cls.forward(*args)
                cls.setup_context(ctx, args, output)
            else:
                output = cls.forward(ctx, *args)
        recording = modes.is_grad_enabled() and any(needs)
        several = isinstance(output, tuple)
        outputs = finished(cls, ctx, args, output if several else (output,), recording)
        return outputs if several else outputs[0]


def finished(
    cls: type[Function], ctx: Any, args: tuple[Any, ...], outputs: tuple[Any, ...], recording: bool
) -> tuple[Any, ...]:
    """The outputs of a call as the caller gets them, on the tape if the call is recorded."""
    for t in ctx.dirty_tensors:
        check_declared_dirty(t, args, outputs, recording)
    if not recording:
        return tuple(_unrecorded(out, ctx, args) for out in outputs)
    constant = [isinstance(out, Tensor) and any(out is t for t in ctx.non_differentiable) for out in outputs]
    node = new_node(cls._form, tuple(edge_of(x) if isinstance(x, Tensor) else None for x in args), ctx)
    ctx.constants = [k for k, is_constant in enumerate(constant) if is_constant]
    ctx.arguments = tuple(Spec(x.array.shape, x.dtype) if isinstance(x, Tensor) else None for x in args)
    ctx.results = tuple(Spec(out.array.shape, out.dtype) if isinstance(out, Tensor) else None for out in outputs)
    lone = len(outputs) == 1 and isinstance(outputs[0], Tensor) and outputs[0].dtype.differentiable
    node.shape, node.dtype = (outputs[0].array.shape, outputs[0].dtype) if lone else (len(outputs), None)
    result = tuple(
        _attached(out, k, node, ctx, args, constant[k]) if isinstance(out, Tensor) else out for k, out in enumerate(outputs)
    )
    ctx.saved_count = len(ctx.to_save or ())
    node.x = tuple(_kept(k, t, result, outputs) for k, t in enumerate(ctx.to_save or ()))
    for name in ("_to_save", "_dirty", "_constant"):  # an output among them would hold the node that holds the context
        ctx.__dict__.pop(name, None)
    mode = modes.state()
    if mode is not None and mode.anomaly is not None:
        mode.anomaly.recorded(node)
    node.seq = next_seq()  # later than the writes of forward itself
    return result


def check_declared_dirty(t: Any, args: tuple[Any, ...], outputs: tuple[Any, ...], recording: bool) -> None:
    """Refuse, or warn of, a tensor that `mark_dirty` should not have named."""
    if not any(t is x for x in args):
        notice("ctx.mark_dirty() received a tensor that was not an input. Only input Tensors that have been mutated should be "
               "passed to ctx.mark_dirty().")  # fmt: skip
    if not any(t is out for out in outputs):
        raise RuntimeError(
            "Some elements marked as dirty during the forward method were not returned as output. The inputs that are "
            "modified inplace must all be outputs of the Function."
        )
    if len(outputs) > 1 and recording and views.is_view(t):
        raise RuntimeError(DIRTY_VIEW)


DIRTY_VIEW: Final = (
    "If your Function modifies inplace an input that is a view of another Tensor, your Function cannot return more than one "
    "Tensor. This is not supported by the current autograd engine. You should either make sure the input is not a view (using "
    ".clone() for example) or make your Function only return one Tensor (potentially splitting it into two Functions: one "
    "doing the inplace that returns a single Tensor and a second one that does the other operations). You can ask on the "
    "forum https://discuss.pytorch.org/ if you need help to do this change."
)


def _unrecorded(out: Any, ctx: FunctionCtx, args: tuple[Any, ...]) -> Any:
    """One output of a call that is not recorded."""
    if _untouched_input(out, ctx, args):
        return _alias(out)
    if isinstance(out, Tensor) and not any(out is x for x in args):
        base = views.base_of(out)
        if base is not None:
            views.set_kind(out, base, views.Custom)
        elif out.requires_grad:
            out.node, out.leaf = None, False
    return out


def _untouched_input(out: Any, ctx: FunctionCtx, args: tuple[Any, ...]) -> bool:
    """Whether an output is an argument that was not declared as written to."""
    return isinstance(out, Tensor) and any(out is x for x in args) and not any(out is t for t in ctx.dirty_tensors)


def _alias(t: Tensor) -> Tensor:
    """Another tensor on the memory of ``t``: a view that a custom Function returned."""
    alias = leaf(t.array, t.lane)
    views.link(alias, t, views.Custom)
    return alias


def _attached(out: Tensor, k: int, node: Node, ctx: Any, args: tuple[Any, ...], constant: bool) -> Tensor:
    """One output with its place on the tape."""
    untouched = _untouched_input(out, ctx, args)
    if constant or not out.dtype.differentiable:
        if untouched:
            return detach(out) if out.requires_grad else _alias(out)
        out.node, out.leaf = None, False
        return out
    edge = node.form.port(node, k)
    if untouched:
        out = _alias(out)
        out.node = edge
    elif any(out is x for x in args):  # dirty
        inplace.check_dirty(out)
        inplace.rebase(out, edge)
        log_write(out)
    else:
        base = views.base_of(out)
        if base is not None:
            views.set_kind(out, base, views.Custom if len(node.params.results) == 1 else views.Several)
        out.node, out.leaf = edge, False
    return out
