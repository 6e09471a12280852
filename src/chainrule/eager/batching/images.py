"""Batching rules of convolutions and pools: samples are more images, or more channels in groups of their own."""

from __future__ import annotations

from typing import Any, Final

from chainrule.eager.batching.tensor import Call, Rule
from chainrule.eager.specialise import F


def folded(call: Call, i: int = 0) -> Any:
    """The values of operand ``i``, samples and images being one axis."""
    n, *rest = call.shape(i)
    return F.reshape(call.values(i), (call.size * n, *rest))


def unfolded(out: Any, size: int) -> Any:
    """Samples and images as two axes."""
    n, *rest = out.array.shape
    return F.reshape(out, (size, n // size if size else 0, *rest))


def by_image(call: Call) -> Any:
    """What takes one image after the other."""
    out = call.run(folded(call))
    return tuple(unfolded(part, call.size) for part in out) if isinstance(out, tuple) else unfolded(out, call.size)


def as_channels(call: Call, i: int) -> Any:
    """Operand ``i``, (n, channels, …) for each sample, with the channels of all samples side by side."""
    n, channels, *rest = call.shape(i)
    values = F.transpose(call.values(i), axes=(1, 0, *range(2, len(rest) + 3)))
    return F.reshape(values, (n, call.size * channels, *rest))


def of_channels(out: Any, size: int) -> Any:
    """The samples of what has their channels side by side."""
    n, channels, *rest = out.array.shape
    parts = F.reshape(out, (n, size, channels // size, *rest))
    return F.transpose(parts, axes=(1, 0, *range(2, len(rest) + 3)))


def weighted(call: Call, run: Any) -> Any:
    """A convolution, or its adjoint in the input, of operand 0 with the weight that operand 1 is."""
    if not call.holds(1):
        return unfolded(run(folded(call), call.bare(1), groups=call.params["groups"]), call.size)
    out = run(as_channels(call, 0), folded(call, 1), groups=call.params["groups"] * call.size)
    return of_channels(out, call.size)


def convolution(call: Call) -> Any:
    """With the bias added where it is not the same for all samples."""
    out = weighted(call, lambda x, y, groups: call.run(x, y, groups=groups))
    if len(call.operands) < 3 or call.operands[2] is None:
        return out
    d = len(call.params["kernel"])
    bias = call.bare(2)
    shape = (call.size, 1, -1, *(1,) * d) if call.holds(2) else (-1, *(1,) * d)
    return F.add(out, F.reshape(bias, shape))


def convolution_input(call: Call) -> Any:
    return weighted(call, lambda x, y, groups: call.run(x, y, groups=groups))


def convolution_weight(call: Call) -> Any:
    out = call.run(as_channels(call, 0), as_channels(call, 1), groups=call.params["groups"] * call.size)
    return unfolded(out, call.size)


RULES: Final[dict[str, Rule]] = {
    "convolution": convolution, "convolution_input": convolution_input, "convolution_weight": convolution_weight,
    **dict.fromkeys(("windows", "overlap_add", "max_pool", "adaptive_max_pool", "avg_pool", "avg_unpool", "adaptive_avg_pool",
                     "adaptive_avg_unpool"), by_image),
}  # fmt: skip
