"""The derivative table, a module per family. Importing this package fills `core.primitive.TABLE`."""

from chainrule.ops import (
    activation,
    assembling,
    composite,
    convolution,
    elementwise,
    fourier,
    gamma,
    indexing,
    linalg,
    losses,
    numerical,
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
    "activation", "assembling", "composite", "convolution", "elementwise", "fourier", "gamma", "indexing", "linalg", "losses",
    "numerical", "pooling", "reduction", "scan", "scipy_special", "shaping", "special", "strided", "windows",
]  # fmt: skip
