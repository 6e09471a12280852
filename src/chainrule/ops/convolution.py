"""Convolution (as networks say: correlation) with any number of spatial axes, and its two adjoints.

``size`` is the spatial size of the input, ``kernel`` that of the weight; both are given as parameters, so that
no rule keeps an array for its shape.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.core.box import function
from chainrule.core.primitive import general, multilinear
from chainrule.ops.windows import Geometry, overlap_add, padded, steps, view


def _columns(x: Any, kernel: Geometry, stride: Geometry, padding: Geometry, dilation: Geometry, groups: int) -> Any:
    """The windows of ``x`` as columns: (n, groups, channels per group times kernel, steps)."""
    d = len(kernel)
    seen = view(padded(x, padding), kernel, stride, dilation)
    n, channels = x.shape[:2]
    order = (0, 1, *range(2 + d, 2 + 2 * d), *range(2, 2 + d))
    return seen.transpose(order).reshape(n, groups, channels // groups * math.prod(kernel), math.prod(seen.shape[2 : 2 + d]))


@function
def convolution(x: Any, y: Any, z: Any = None, *, size: Geometry, kernel: Geometry, stride: Geometry, padding: Geometry,
                dilation: Geometry, groups: int) -> Any:  # fmt: skip
    """``out[n, o, p] = z[o] + sum over c, k of x[n, c, stride p + dilation k - padding] y[o, c, k]``."""
    columns = _columns(x, kernel, stride, padding, dilation, groups)
    out = steps([n + 2 * p for n, p in zip(size, padding, strict=True)], kernel, stride, dilation)
    weight = y.reshape(groups, y.shape[0] // groups, math.prod(y.shape[1:]))
    product = np.matmul(weight, columns).reshape(x.shape[0], y.shape[0], *out)
    return product if z is None else product + z.reshape(-1, *(1,) * len(kernel))


@function
def convolution_input(x: Any, y: Any, *, size: Geometry, kernel: Geometry, stride: Geometry, padding: Geometry,
                      dilation: Geometry, groups: int) -> Any:  # fmt: skip
    """The adjoint of `convolution` in its input: cotangents x of the output, weight y."""
    n, out = x.shape[0], x.shape[2:]
    weight = y.reshape(groups, y.shape[0] // groups, math.prod(y.shape[1:]))
    columns = np.matmul(weight.swapaxes(1, 2), x.reshape(n, groups, y.shape[0] // groups, math.prod(out)))
    d = len(kernel)
    seen = columns.reshape(n, groups * y.shape[1], *kernel, *out)
    order = (0, 1, *range(2 + d, 2 + 2 * d), *range(2, 2 + d))
    return overlap_add.raw(seen.transpose(order), size=size, kernel=kernel, stride=stride, dilation=dilation, padding=padding)


@function
def convolution_weight(x: Any, y: Any, *, size: Geometry, kernel: Geometry, stride: Geometry, padding: Geometry,
                       dilation: Geometry, groups: int) -> Any:  # fmt: skip
    """The adjoint of `convolution` in its weight: input x, cotangents y of the output."""
    n, outputs = y.shape[:2]
    columns = _columns(x, kernel, stride, padding, dilation, groups)
    cotangents = y.reshape(n, groups, outputs // groups, math.prod(y.shape[2:]))
    product = np.matmul(cotangents, columns.swapaxes(2, 3)).sum(0)
    return product.reshape(outputs, x.shape[1] // groups, *kernel)


def _bias(g: Any) -> Any:
    return np.sum(g, axis=(0, *range(2, len(g.shape))))


general(
    convolution,
    lambda g, y, *, size, kernel, stride, padding, dilation, groups: convolution_input(
        g, y, size=size, kernel=kernel, stride=stride, padding=padding, dilation=dilation, groups=groups),
    lambda g, x, *, size, kernel, stride, padding, dilation, groups: convolution_weight(
        x, g, size=size, kernel=kernel, stride=stride, padding=padding, dilation=dilation, groups=groups),
    lambda g: _bias(g),
    holomorphic=True, torch="",
    node="ConvolutionBackward0",
)  # fmt: skip
multilinear(
    convolution_input,
    lambda g, y, *, size, kernel, stride, padding, dilation, groups: convolution(
        g, y, size=size, kernel=kernel, stride=stride, padding=padding, dilation=dilation, groups=groups),
    lambda g, x, *, size, kernel, stride, padding, dilation, groups: convolution_weight(
        g, x, size=size, kernel=kernel, stride=stride, padding=padding, dilation=dilation, groups=groups),
    torch="", node="ConvolutionBackward0",
)  # fmt: skip
multilinear(
    convolution_weight,
    lambda g, y, *, size, kernel, stride, padding, dilation, groups: convolution_input(
        y, g, size=size, kernel=kernel, stride=stride, padding=padding, dilation=dilation, groups=groups),
    lambda g, x, *, size, kernel, stride, padding, dilation, groups: convolution(
        x, g, size=size, kernel=kernel, stride=stride, padding=padding, dilation=dilation, groups=groups),
    torch="", node="ConvolutionBackward0",
)  # fmt: skip
