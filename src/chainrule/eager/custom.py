"""Functions that differentiate themselves: `Function`, as torch's users write it.

The node of such a call has the user's context (`FunctionCtx`) for its parameters and what the context saved in ``x``.
The context never holds the node, so there is no cycle; in a backward pass, and as ``grad_fn``, the user gets another
object with the same attributes that knows the node.
"""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable, Sequence
from typing import Any, Final

from chainrule.core.rules import next_seq
from chainrule.core.spec import Spec
from chainrule.core.sweep import Node
from chainrule.eager import inplace, levels, modes, pushforward, views
from chainrule.eager.batching import functions
from chainrule.eager.batching.tensor import innermost
from chainrule.eager.context import FunctionCtx, check_saved_type, kept_value
from chainrule.eager.functions.history import detach
from chainrule.eager.lane import own_lane
from chainrule.eager.notice import notice
from chainrule.eager.pullback import CustomForm
from chainrule.eager.refusing import new_node, refusing
from chainrule.eager.tensor import Tensor, edge_of, leaf
from chainrule.eager.trees import flatten
from chainrule.eager.writes import log_write


class FunctionMeta(type):
    """Gives every `Function` the class of its contexts, and the form of its nodes."""

    def __init__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> None:
        super().__init__(name, bases, namespace)
        cls._backward_cls = type(
            f"{name}Backward", (FunctionCtx,), {"_forward_cls": cls, "__module__": "torch.autograd.function"}
        )
        cls._form = CustomForm(cls)

    def context_class(cls) -> type[FunctionCtx]:
        """The class of the contexts here; torch has another within functions that are being transformed."""
        if not (levels.present() and levels.are_transforms()):
            return cls._backward_cls
        if "_generated_cls" not in cls.__dict__:
            cls._generated_cls = type(f"{cls.__name__}GeneratedBackward", (cls._backward_cls,),
                                      {"__module__": "torch.autograd.function"})  # fmt: skip
        return cls._generated_cls


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
    _generated_cls: type[FunctionCtx]
    _form: CustomForm
    generate_vmap_rule = False
    _for_transforms = False  # whether it is for functions that are transformed, though it has no setup_context

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
            refuse_keyword_only(bound.kwargs if kwargs else {}, args)
            bound.apply_defaults()
            args = bound.args
        elif kwargs:
            bound = inspect.signature(cls.forward).bind(None, *args, **kwargs)
            refuse_keyword_only(bound.kwargs, args)
            args = bound.args[1:]
        if levels.present() and not (separate or cls._for_transforms) and levels.are_transforms():
            raise RuntimeError(
                "In order to use an autograd.Function with functorch transforms (vmap, grad, jvp, jacrev, ...), it must "
                "override the setup_context staticmethod. For more details, please see "
                "https://pytorch.org/docs/main/notes/extending.func.html"
            )
        batch = innermost(flatten(args)[0]) if levels.present() else None
        if batch is not None:
            own = None if cls.vmap is Function.vmap else cls.vmap
            generated = cls.generate_vmap_rule or (batch.lenient and own is None)
            return functions.apply(cls.__name__, own, generated, cls.apply, args, batch)
        ctx: Any = object.__new__(cls.context_class())
        ctx.node = None
        needs = ctx.needs_input_grad = tuple(isinstance(x, Tensor) and x.requires_grad for x in args)
        pushing = any(isinstance(x, Tensor) and x.lane.dual for x in args)
        with modes.no_grad():
            if pushing:
                modes.enter(modes.changed(tangents=False))
            if separate:
                output = cls.forward(*args)
                cls.setup_context(ctx, args, output)
                check_returned(ctx, args, output if isinstance(output, tuple) else (output,))
            else:
                output = cls.forward(ctx, *args)
        recording = modes.is_grad_enabled() and any(needs)
        several = isinstance(output, tuple)
        saved = ctx.__dict__.get("saved_for_forward", ())
        outputs = finished(cls, ctx, args, output if several else (output,), recording)
        if pushing:
            pushforward.push(cls, ctx, saved, args, outputs)
        return outputs if several else outputs[0]


def refuse_keyword_only(given: dict[str, Any], args: Sequence[Any]) -> None:
    """TypeError for arguments of ``forward`` that have no place among the positional ones, where gradients go."""
    if innermost(flatten(args)[0]) is not None and any(isinstance(x, Tensor) for x in given.values()):
        raise NotImplementedError(
            "Run vmap on autograd.Function with kwarg-only Tensor args. Please do not pass kwarg-only Tensors to "
            f"autograd.Function. Got: {given}"
        )
    for name in given:
        raise TypeError(f"forward() got an unexpected keyword argument '{name}'")


def check_returned(ctx: Any, args: tuple[Any, ...], outputs: tuple[Any, ...]) -> None:
    """Refuse to save an argument that is an output too, unless it was written to."""
    for t in (*(ctx.to_save or ()), *ctx.__dict__.get("saved_for_forward", ())):
        if _untouched_input(t, ctx, args) and any(t is out for out in outputs):
            raise RuntimeError(
                "An input that has been returned as-is as output is being saved for backward. This is not supported if you "
                "override setup_context. You should return and save a view of the input instead, e.g. with x.view_as(x) or "
                "setup ctx inside the forward function itself."
            )


def finished(
    cls: type[Function], ctx: Any, args: tuple[Any, ...], outputs: tuple[Any, ...], recording: bool
) -> tuple[Any, ...]:
    """The outputs of a call as the caller gets them, on the tape if the call is recorded."""
    for t in ctx.dirty_tensors:
        check_declared_dirty(t, args, outputs, recording)
        if not recording:
            log_write(t)
    if not recording:
        return tuple(_unrecorded(out, ctx, args) for out in outputs)
    for k, t in enumerate(ctx.to_save or ()):
        check_saved_type(k, t)
    for t in ctx.dirty_tensors:
        if any(t is x for x in args):
            inplace.check_dirty(t)
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
    node.x = tuple(kept_value(k, t, result, outputs) for k, t in enumerate(ctx.to_save or ()))
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
    alias = leaf(t.array, own_lane(t.lane))
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
        inplace.rebase(out, edge)
        log_write(out)
    else:
        base = views.base_of(out)
        if base is not None:
            views.set_kind(out, base, views.Custom if len(node.params.results) == 1 else views.Several)
        out.node, out.leaf = edge, False
    return out


def once_differentiable(fn: Callable[..., Any]) -> Callable[..., Any]:
    """A `backward` that is not to be differentiated: it runs without recording, and its results refuse."""

    @functools.wraps(fn)
    def wrapper(ctx: FunctionCtx, *args: Any) -> Any:
        with modes.no_grad():
            found = fn(ctx, *args)
        if not modes.is_grad_enabled():
            return found
        shown = ctx.node.edge_x
        edges = [*shown, *(edge_of(g) for g in args if isinstance(g, Tensor))]
        several = found if isinstance(found, tuple) else (found,)
        refused = tuple(
            refusing(ONCE, edges, value.array, len(shown)) if isinstance(value, Tensor) else value for value in several
        )
        return refused if isinstance(found, tuple) else refused[0]

    return wrapper


ONCE: Final = "trying to differentiate twice a function that was marked with @once_differentiable"
