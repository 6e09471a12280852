"""The derivative table, a module per family. Importing this package fills `core.primitive.TABLE`."""

from chainrule.ops import (
    activation,
    composite,
    convolution,
    elementwise,
    fourier,
    gamma,
    indexing,
    linalg,
    losses,
    pooling,
    reduction,
    scan,
    scipy_special,
    shaping,
    special,
    strided,
    windows,
)

__all__ = [
    "activation", "composite", "convolution", "elementwise", "fourier", "gamma", "indexing", "linalg", "losses", "pooling",
    "reduction", "scan", "scipy_special", "shaping", "special", "strided", "windows",
]  # fmt: skip
