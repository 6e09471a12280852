"""MXNet's face: ``nd`` (arrays), ``autograd`` (recording on request), ``sym`` (graphs that are built first).

It has what a course on automatic differentiation uses. `chainrule.install("mxnet")` makes ``import mxnet`` find it.
"""

from __future__ import annotations

from typing import Any

from chainrule.errors import missing
from chainrule.mxnet import autograd, ndarray, random, symbol
from chainrule.mxnet.context import Context, cpu, current_context, gpu

nd, sym = ndarray, symbol
nd.random = random  # MXNet has it in both places; the module there stands above its arrays
__all__ = [
    "Context", "autograd", "cpu", "current_context", "gpu", "nd", "ndarray", "random", "sym", "symbol",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    raise missing(__name__, name, __all__)
