"""`Module`: parameters, buffers and other modules under names, and a forward pass."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any, Final, Self

from chainrule.core import spec
from chainrule.core.spec import DType
from chainrule.eager import modes
from chainrule.eager.dtypes import typename
from chainrule.eager.functions.history import dtype_asked
from chainrule.eager.layout import require_cpu
from chainrule.eager.tensor import Parameter, Tensor
from chainrule.errors import Unknown
from chainrule.nn.modules.hooks import HOOKS, MARKS, Hooked
from chainrule.nn.modules.state import Stateful
from chainrule.nn.parameter import Buffer

TABLES: Final = ("_parameters", "_buffers", "_modules")  # where the parts of a module are, by name


class Module(Hooked, Stateful):
    """The base of everything that has parameters.

    A subclass makes its parts in ``__init__`` and says in ``forward`` what it computes. Parameters, buffers and modules
    that are assigned to attributes are known by these names.

    >>> class Scale(Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.factor = Parameter(Tensor([2.0]))
    ...     def forward(self, x):
    ...         return self.factor * x
    >>> Scale()(Tensor([3.0]))
    tensor([6.], grad_fn=<MulBackward0>)
    """

    training: bool

    def __init__(self) -> None:
        state = self.__dict__
        state["training"] = True
        state["_parameters"], state["_buffers"], state["_modules"] = {}, {}, {}
        state["_non_persistent_buffers_set"] = set()
        state["_is_full_backward_hook"] = None
        for table in (*HOOKS, *MARKS):
            state[table] = OrderedDict()

    def forward(self, *args: Any) -> Any:
        """What the module computes; every subclass defines it."""
        raise NotImplementedError(f'Module [{type(self).__name__}] is missing the required "forward" function')

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._forward_hooks or self._forward_pre_hooks or self._backward_hooks or self._backward_pre_hooks:
            return self._call_hooked(args, kwargs)
        return self.forward(*args, **kwargs)

    # Attributes

    def __getattr__(self, name: str) -> Any:
        own = self.__dict__
        for table in TABLES:
            if table in own and name in own[table]:
                return own[table][name]
        raise Unknown(f"'{type(self).__name__}' object", name, lambda: Module.__dir__(self))

    def __setattr__(self, name: str, value: Any) -> None:
        own = self.__dict__
        if isinstance(value, Parameter):
            self._before_init("parameters")
            self._forget(name, "_buffers", "_modules")
            self.register_parameter(name, value)
        elif isinstance(value, Module):
            self._before_init("module")
            self._forget(name, "_parameters", "_buffers")
            own["_modules"][name] = value
        elif isinstance(value, Buffer):
            self._before_init("buffer")
            self._forget(name, "_parameters", "_modules")
            self.register_buffer(name, value.plain(), value.persistent)
        elif "_parameters" not in own:
            object.__setattr__(self, name, value)
        elif name in own["_parameters"]:
            self._only_none(value, f"parameter '{name}' (torch.nn.Parameter or None expected)")
            own["_parameters"][name] = None
        elif name in own["_modules"]:
            self._only_none(value, f"child module '{name}' (torch.nn.Module or None expected)")
            own["_modules"][name] = None
        elif name in own["_buffers"]:
            if not isinstance(value, Tensor):
                self._only_none(value, f"buffer '{name}' (torch.nn.Buffer, torch.Tensor or None expected)")
            own["_buffers"][name] = value
        else:
            object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        for table in TABLES:
            if name in self.__dict__[table]:
                del self.__dict__[table][name]
                self._non_persistent_buffers_set.discard(name)
                return
        object.__delattr__(self, name)

    def __dir__(self) -> list[str]:
        own = self.__dict__
        names = {*dir(type(self)), *own, *(name for table in TABLES for name in own.get(table, ()))}
        return sorted(name for name in names if not name[:1].isdigit())

    def _before_init(self, what: str) -> None:
        if "_parameters" not in self.__dict__:
            raise AttributeError(f"cannot assign {what} before Module.__init__() call")

    def _forget(self, name: str, *tables: str) -> None:
        """Make room for ``name`` in another table."""
        self.__dict__.pop(name, None)
        for table in tables:
            self.__dict__[table].pop(name, None)
        self._non_persistent_buffers_set.discard(name)

    def _only_none(self, value: Any, place: str) -> None:
        if value is not None:
            raise TypeError(f"cannot assign '{typename(value)}' as {place}")

    # Registering

    def _check_name(self, kind: str, name: Any, table: str, found: str = "") -> None:
        if not isinstance(name, str):
            raise TypeError(f"{kind} name should be a string. Got {typename(name)}")
        if "." in name:
            raise KeyError(f'{kind} name can\'t contain "."{found}')
        if name == "":
            raise KeyError(f'{kind} name can\'t be empty string ""')
        taken = name in self.__dict__ or hasattr(type(self), name) or any(name in self.__dict__[t] for t in TABLES)
        if taken and name not in self.__dict__[table]:
            raise KeyError(f"attribute '{name}' already exists")

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Add a parameter under ``name``; None for one that could be there."""
        self._before_init("parameter")
        self._check_name("parameter", name, "_parameters")
        if param is not None and not isinstance(param, Parameter):
            raise TypeError(
                f"cannot assign '{typename(param)}' object to parameter '{name}' (torch.nn.Parameter or None required)"
            )
        if param is not None and param.node is not None:
            raise ValueError(
                f"Cannot assign non-leaf Tensor to parameter '{name}'. Model parameters must be created explicitly. To "
                f"express '{name}' as a function of another Tensor, compute the value in the forward() method."
            )
        self._parameters[name] = param

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Add a tensor that is part of the state (unless not ``persistent``) but is not trained."""
        self._before_init("buffer")
        self._check_name("buffer", name, "_buffers")
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(f"cannot assign '{typename(tensor)}' object to buffer '{name}' (torch Tensor or None required)")
        self._buffers[name] = tensor
        if persistent:
            self._non_persistent_buffers_set.discard(name)
        else:
            self._non_persistent_buffers_set.add(name)

    def add_module(self, name: str, module: Module | None) -> None:
        """Add a module under ``name``."""
        if not isinstance(module, Module) and module is not None:
            raise TypeError(f"{typename(module)} is not a Module subclass")
        self._check_name("module", name, "_modules", f", got: {name}")
        self._modules[name] = module

    register_module = add_module

    # What is inside

    def named_modules(self, memo: set[Module] | None = None, prefix: str = "",
                      remove_duplicate: bool = True) -> Iterator[tuple[str, Module]]:  # fmt: skip
        """This module and all in it, each once, with their names."""
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, module in self._modules.items():
            if module is not None:
                yield from module.named_modules(memo, f"{prefix}.{name}" if prefix else name, remove_duplicate)

    def modules(self) -> Iterator[Module]:
        """This module and all in it, each once."""
        return (module for _, module in self.named_modules())

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The modules directly in this one, each once, with their names."""
        seen: set[Module] = set()
        for name, module in self._modules.items():
            if module is not None and module not in seen:
                seen.add(module)
                yield name, module

    def children(self) -> Iterator[Module]:
        """The modules directly in this one, each once."""
        return (module for _, module in self.named_children())

    def _named_members(self, table: str, prefix: str, recurse: bool, unique: bool) -> Iterator[tuple[str, Any]]:
        seen: set[Any] = set()
        for path, module in self.named_modules(prefix=prefix, remove_duplicate=unique) if recurse else [(prefix, self)]:
            for name, member in module.__dict__[table].items():
                if member is None or member in seen:
                    continue
                if unique:
                    seen.add(member)
                yield (f"{path}.{name}" if path else name), member

    def named_parameters(self, prefix: str = "", recurse: bool = True,
                         remove_duplicate: bool = True) -> Iterator[tuple[str, Parameter]]:  # fmt: skip
        """The parameters here and (``recurse``) in all modules inside, each once, with their names."""
        return self._named_members("_parameters", prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """The parameters here and (``recurse``) in all modules inside, each once."""
        return (parameter for _, parameter in self.named_parameters(recurse=recurse))

    def named_buffers(self, prefix: str = "", recurse: bool = True,
                      remove_duplicate: bool = True) -> Iterator[tuple[str, Tensor]]:  # fmt: skip
        """The buffers here and (``recurse``) in all modules inside, each once, with their names."""
        return self._named_members("_buffers", prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """The buffers here and (``recurse``) in all modules inside, each once."""
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    def get_submodule(self, target: str) -> Module:
        """The module that a dotted name such as "encoder.0" means."""
        module = self
        for name in target.split(".") if target else ():
            if not hasattr(module, name):
                raise AttributeError(f"{type(module).__name__} has no attribute `{name}`")
            found = getattr(module, name)
            if not isinstance(found, Module):
                raise AttributeError(f"`{name}` is not an nn.Module")
            module = found
        return module

    def set_submodule(self, target: str, module: Module, strict: bool = False) -> None:
        """Put ``module`` where a dotted name points; with ``strict`` only where there is one already."""
        if not target:
            raise ValueError("Cannot set the submodule without a target name!")
        path, _, name = target.rpartition(".")
        parent = self.get_submodule(path)
        if strict and not hasattr(parent, name):
            raise AttributeError(f"{type(parent).__name__} has no attribute `{name}`")
        setattr(parent, name, module)

    def _member(self, target: str, table: str, kind: str) -> Any:
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        if not hasattr(module, name):
            raise AttributeError(f"{type(module).__name__} has no attribute `{name}`")
        if name not in module.__dict__[table]:
            raise AttributeError(f"`{name}` is not {kind}")
        return module.__dict__[table][name]

    def get_parameter(self, target: str) -> Parameter:
        """The parameter that a dotted name means."""
        return self._member(target, "_parameters", "an nn.Parameter")  # type: ignore[no-any-return]

    def get_buffer(self, target: str) -> Tensor:
        """The buffer that a dotted name means."""
        return self._member(target, "_buffers", "a buffer")  # type: ignore[no-any-return]

    # Changing all of it

    def apply(self, fn: Callable[[Module], None]) -> Self:
        """Call ``fn`` on every module inside, then on this one; returns self."""
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    def train(self, mode: bool = True) -> Self:
        """Switch to training (or, with False, to evaluation), here and inside; returns self."""
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        self.training = mode
        for module in self.children():
            module.train(mode)
        return self

    def eval(self) -> Self:
        """Switch to evaluation; returns self."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Train all parameters, or freeze them; returns self."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters, or set them to zero."""
        for parameter in self.parameters():
            clear_grad(parameter, set_to_none)

    def _apply(self, change: Callable[[Tensor], Tensor]) -> Self:
        """Replace the numbers of every parameter, gradient and buffer by what ``change`` makes of them."""
        for module in self.children():
            module._apply(change)
        with modes.no_grad():
            for parameter in self._parameters.values():
                if parameter is not None:
                    gradient = parameter._grad
                    parameter.data = change(parameter)
                    parameter._grad = None if gradient is None else change(gradient)
            for name, buffer in self._buffers.items():
                if buffer is not None:
                    self._buffers[name] = change(buffer)
        return self

    def _cast(self, dtype: DType) -> Self:
        return self._apply(lambda t: t.cast(dtype) if t.dtype.is_floating_point else t)

    def to(self, *args: Any, device: Any = None, dtype: DType | None = None, non_blocking: bool = False, **same: Any) -> Self:
        """Cast floating-point parameters and buffers to a dtype, here and inside; returns self."""
        dtype = dtype_asked(args, dtype, device, same)
        if dtype is None:
            return self
        if not dtype.differentiable:
            raise TypeError(f"nn.Module.to only accepts floating point or complex dtypes, but got desired dtype={dtype}")
        return self._apply(lambda t: t.cast(dtype) if t.dtype.differentiable else t)

    def float(self) -> Self:
        """Cast floating-point parameters and buffers to float32; returns self."""
        return self._cast(spec.float32)

    def double(self) -> Self:
        """Cast floating-point parameters and buffers to float64; returns self."""
        return self._cast(spec.float64)

    def half(self) -> Self:
        """Cast floating-point parameters and buffers to float16; returns self."""
        return self._cast(spec.float16)

    def bfloat16(self) -> Self:
        """Cast floating-point parameters and buffers to bfloat16; returns self."""
        return self._cast(spec.bfloat16)

    def type(self, dst_type: DType) -> Self:
        """Cast all parameters and buffers; returns self."""
        return self._apply(lambda t: t.cast(dst_type))

    def cpu(self) -> Self:
        """Nothing to do; returns self."""
        return self

    def cuda(self, device: Any = None) -> Self:
        """Raises as torch does without a GPU."""
        require_cpu("cuda")
        return self

    # Its text

    def extra_repr(self) -> str:
        """What stands in the parentheses of the text; to be defined by subclasses."""
        return ""

    def _get_name(self) -> str:
        return type(self).__name__

    def __repr__(self) -> str:
        extra = self.extra_repr().split("\n") if self.extra_repr() else []
        inner = [f"({name}): {indented(repr(module))}" for name, module in self._modules.items()]
        if not inner and len(extra) <= 1:
            return f"{self._get_name()}({''.join(extra)})"
        return "\n  ".join([f"{self._get_name()}(", *extra, *inner]) + "\n)"


def indented(text: str) -> str:
    """``text`` with all lines but the first moved in."""
    return text.replace("\n", "\n  ")


def clear_grad(parameter: Tensor, set_to_none: bool) -> None:
    """Forget the gradient of ``parameter``, or set it to zero."""
    gradient = parameter._grad
    if set_to_none:
        parameter._grad = None
    elif gradient is not None:
        if gradient.node is not None:
            gradient.detach_()
        else:
            gradient.requires_grad_(False)
        gradient.zero_()
