"""Activations as modules: each calls its function with the settings it was made with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from chainrule.core.spec import DType
from chainrule.nn import functional as F
from chainrule.nn.modules.linear import new_parameter
from chainrule.nn.modules.module import Module


class Activation(Module):
    """A function of one tensor and of settings, which are attributes by their names."""

    function: ClassVar[Callable[..., Any]]

    def __init__(self, **settings: Any) -> None:
        super().__init__()
        self._settings = tuple(settings)
        self.__dict__.update(settings)

    def forward(self, input: Any) -> Any:
        return self.function(input, **{name: self.__dict__[name] for name in self._settings})

    def extra_repr(self) -> str:
        shown = [name for name in self._settings if name != "inplace" or self.__dict__[name]]
        return ", ".join(f"{name}={self.__dict__[name]!r}" for name in shown)


class Simple(Activation):
    """A function without settings."""

    def __init__(self) -> None:
        super().__init__()


class InPlace(Activation):
    """A function that may overwrite its input."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__(inplace=inplace)


class AlongDim(Activation):
    """A function along one axis."""

    def __init__(self, dim: int | None = None) -> None:
        super().__init__(dim=dim)


class Sigmoid(Simple):
    """``1 / (1 + exp(-x))``."""

    function = staticmethod(F.sigmoid)


class Tanh(Simple):
    """The hyperbolic tangent."""

    function = staticmethod(F.tanh)


class LogSigmoid(Simple):
    """``log(1 / (1 + exp(-x)))``."""

    function = staticmethod(F.logsigmoid)


class Softsign(Simple):
    """``x / (1 + |x|)``."""

    function = staticmethod(F.softsign)


class Tanhshrink(Simple):
    """``x - tanh(x)``."""

    function = staticmethod(F.tanhshrink)


class ReLU(InPlace):
    """``max(x, 0)``.

    >>> ReLU(), ReLU(inplace=True)
    (ReLU(), ReLU(inplace=True))
    """

    function = staticmethod(F.relu)


class SiLU(InPlace):
    """``x sigmoid(x)``."""

    function = staticmethod(F.silu)


class Mish(InPlace):
    """``x tanh(log(1 + exp(x)))``."""

    function = staticmethod(F.mish)


class SELU(InPlace):
    """`ELU`, scaled so that mean and variance stay (Klambauer et al. 2017)."""

    function = staticmethod(F.selu)


class Hardsigmoid(InPlace):
    """``x/6 + 1/2``, limited to [0, 1]."""

    function = staticmethod(F.hardsigmoid)

    def extra_repr(self) -> str:
        return ""


class Hardswish(InPlace):
    """``x hardsigmoid(x)``."""

    function = staticmethod(F.hardswish)

    def extra_repr(self) -> str:
        return ""


class Hardtanh(Activation):
    """x, limited to [min_val, max_val]."""

    function = staticmethod(F.hardtanh)

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> None:
        if max_val <= min_val:
            raise AssertionError(f"max_val ({max_val}) must be greater than min_val ({min_val})")
        super().__init__(min_val=min_val, max_val=max_val, inplace=inplace)


class ReLU6(Hardtanh):
    """x, limited to [0, 6]."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__(0.0, 6.0, inplace)

    def extra_repr(self) -> str:
        return "inplace=True" if self.__dict__["inplace"] else ""


class Threshold(Activation):
    """x where it is above ``threshold``, else ``value``."""

    function = staticmethod(F.threshold)

    def __init__(self, threshold: float, value: float, inplace: bool = False) -> None:
        super().__init__(threshold=threshold, value=value, inplace=inplace)


class WithAlpha(Activation):
    """What approaches ``-alpha`` on the left."""

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__(alpha=alpha, inplace=inplace)


class ELU(WithAlpha):
    """x where positive, else ``alpha (exp(x) - 1)``."""

    function = staticmethod(F.elu)


class CELU(WithAlpha):
    """x where positive, else ``alpha (exp(x / alpha) - 1)``."""

    function = staticmethod(F.celu)


class LeakyReLU(Activation):
    """x where positive, else ``negative_slope x``."""

    function = staticmethod(F.leaky_relu)

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        super().__init__(negative_slope=negative_slope, inplace=inplace)


class RReLU(Module):
    """x where positive, else x times a slope, random in [lower, upper] while training."""

    def __init__(self, lower: float = 1 / 8, upper: float = 1 / 3, inplace: bool = False) -> None:
        super().__init__()
        self.lower, self.upper, self.inplace = lower, upper, inplace

    def forward(self, input: Any) -> Any:
        return F.rrelu(input, self.lower, self.upper, self.training, self.inplace)

    def extra_repr(self) -> str:
        return f"lower={self.lower}, upper={self.upper}" + (", inplace=True" if self.inplace else "")


class PReLU(Module):
    """x where positive, else ``weight x``, the weight being learnt: one, or one for each channel."""

    def __init__(self, num_parameters: int = 1, init: float = 0.25, device: Any = None, dtype: DType | None = None) -> None:
        super().__init__()
        self.num_parameters = num_parameters
        self.init = init
        self.weight = new_parameter((num_parameters,), device, dtype, init)

    def forward(self, input: Any) -> Any:
        return F.prelu(input, self.weight)

    def extra_repr(self) -> str:
        return f"num_parameters={self.num_parameters}"


class Softplus(Activation):
    """``log(1 + exp(beta x)) / beta``; x itself where ``beta x > threshold``."""

    function = staticmethod(F.softplus)

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__(beta=beta, threshold=threshold)


class GELU(Activation):
    """``x Phi(x)``, Phi being the normal distribution; or its approximation by "tanh"."""

    function = staticmethod(F.gelu)

    def __init__(self, approximate: str = "none") -> None:
        super().__init__(approximate=approximate)


class WithThreshold(Activation):
    """What is 0 up to a threshold."""

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__(lambd=lambd)

    def extra_repr(self) -> str:
        return str(self.__dict__["lambd"])


class Hardshrink(WithThreshold):
    """x, and 0 where ``|x| <= lambd``."""

    function = staticmethod(F.hardshrink)


class Softshrink(WithThreshold):
    """x moved towards 0 by ``lambd``, and 0 where it would pass it."""

    function = staticmethod(F.softshrink)


class GLU(Activation):
    """``a sigmoid(b)``, a and b being the halves of the input along ``dim``."""

    function = staticmethod(F.glu)

    def __init__(self, dim: int = -1) -> None:
        super().__init__(dim=dim)


class Softmax(AlongDim):
    """``exp(x) / sum(exp(x))`` along ``dim``."""

    function = staticmethod(F.softmax)


class LogSoftmax(AlongDim):
    """The logarithm of `Softmax`, without overflow."""

    function = staticmethod(F.log_softmax)


class Softmin(AlongDim):
    """`Softmax` of ``-x``."""

    function = staticmethod(F.softmin)


class Softmax2d(Module):
    """`Softmax` over the channels of (n, channels, height, width)."""

    def forward(self, input: Any) -> Any:
        if input.ndim not in (3, 4):
            raise ValueError(f"Softmax2d: expected input to be 3D or 4D, got {input.ndim}D instead")
        return F.softmax(input, -3)
