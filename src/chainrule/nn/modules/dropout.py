"""Dropout as modules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from chainrule.nn import functional as F
from chainrule.nn.modules.module import Module


class _DropoutNd(Module):
    """What the kinds of dropout share; none of them is an instance of another."""

    function: ClassVar[Callable[..., Any]]

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
        self.p = p
        self.inplace = inplace

    def forward(self, input: Any) -> Any:
        return self.function(input, self.p, self.training, self.inplace)

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(_DropoutNd):
    """While training each element is 0 with probability ``p``, else over ``1 - p``."""

    function = staticmethod(F.dropout)


class Dropout1d(_DropoutNd):
    """`Dropout` of whole channels of (n, channels, length)."""

    function = staticmethod(F.dropout1d)


class Dropout2d(_DropoutNd):
    """`Dropout` of whole channels of (n, channels, height, width)."""

    function = staticmethod(F.dropout2d)


class Dropout3d(_DropoutNd):
    """`Dropout` of whole channels of (n, channels, depth, height, width)."""

    function = staticmethod(F.dropout3d)


class AlphaDropout(_DropoutNd):
    """`Dropout` to selu's lowest value, scaled so that mean and variance stay."""

    function = staticmethod(F.alpha_dropout)


class FeatureAlphaDropout(_DropoutNd):
    """`AlphaDropout` of whole channels."""

    function = staticmethod(F.feature_alpha_dropout)
