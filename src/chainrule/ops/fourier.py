"""Fourier transforms along one axis, and those along several that they make up.

Each is linear, and so is the transform of its adjoint: the other direction, with the norm on the other side.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from chainrule.core.box import derived
from chainrule.core.primitive import linear
from chainrule.ops.indexing import getitem
from chainrule.ops.shaping import pad

SWAPPED: Final[dict[Any, Any]] = {  # the norm of the adjoint
    None: "forward", "backward": "forward", "forward": "backward", "ortho": "ortho",
}  # fmt: skip


def fitted(g: Any, n: int, axis: int) -> Any:
    """``g`` cut off, or followed by zeros, to have ``n`` elements along ``axis``: the adjoint of doing so to the input."""
    axis = axis % len(g.shape)
    have = g.shape[axis]
    if have > n:
        return getitem(g, key=(slice(None),) * axis + (slice(n),))
    return g if have == n else pad(g, width=tuple((0, n - have if k == axis else 0) for k in range(len(g.shape))))


def _twice_inside(m: int, n: int, axis: int, ndim: int) -> Any:
    """How often each of ``m`` frequencies stands in a real signal of ``n``: once at 0 and at n/2, else twice."""
    weights = np.full(m, 2.0, np.float32)
    weights[0] = 1.0
    if n % 2 == 0:
        weights[-1] = 1.0
    return weights.reshape([m if k == axis % ndim else 1 for k in range(ndim)])


def _of_real(g: Any, x: Any, n: int | None, axis: int, norm: Any) -> Any:
    length = x.shape[axis] if n is None else n
    return fitted(np.fft.ifft(fitted(g, length, axis), axis=axis, norm=SWAPPED[norm]), x.shape[axis], axis)


def _to_real(g: Any, x: Any, axis: int, norm: Any) -> Any:
    n = g.shape[axis]
    found = np.fft.rfft(g, axis=axis, norm=SWAPPED[norm])
    return fitted(found * _twice_inside(n // 2 + 1, n, axis, len(g.shape)), x.shape[axis], axis)


linear(np.fft.fft, lambda g, x, *, n=None, axis=-1, norm=None:
       fitted(np.fft.ifft(g, axis=axis, norm=SWAPPED[norm]), x.shape[axis], axis), retypes=True, torch="")  # fmt: skip
linear(np.fft.ifft, lambda g, x, *, n=None, axis=-1, norm=None:
       fitted(np.fft.fft(g, axis=axis, norm=SWAPPED[norm]), x.shape[axis], axis), retypes=True, torch="")  # fmt: skip
linear(np.fft.rfft, lambda g, x, *, n=None, axis=-1, norm=None: _of_real(g, x, n, axis, norm), retypes=True, torch="")
linear(np.fft.irfft, lambda g, x, *, n=None, axis=-1, norm=None: _to_real(g, x, axis, norm), retypes=True, torch="")


# Along several axes


def _sizes(x: Any, s: Any, axes: Any) -> list[tuple[int, int | None]]:
    """The axes to transform along, and the length asked for along each."""
    if axes is None:
        axes = range(x.ndim) if s is None else range(x.ndim - len(s), x.ndim)
    return list(zip(axes, [None] * len(axes) if s is None else s, strict=True))


@derived(np.fft.fftn)
def fftn(a: Any, s: Any = None, axes: Any = None, norm: Any = None, out: Any = None) -> Any:
    """NumPy's fftn."""
    for axis, n in reversed(_sizes(a, s, axes)):
        a = np.fft.fft(a, n, axis, norm)
    return a


@derived(np.fft.ifftn)
def ifftn(a: Any, s: Any = None, axes: Any = None, norm: Any = None, out: Any = None) -> Any:
    """NumPy's ifftn."""
    for axis, n in reversed(_sizes(a, s, axes)):
        a = np.fft.ifft(a, n, axis, norm)
    return a


@derived(np.fft.rfftn)
def rfftn(a: Any, s: Any = None, axes: Any = None, norm: Any = None, out: Any = None) -> Any:
    """NumPy's rfftn."""
    *others, (axis, n) = _sizes(a, s, axes)
    a = np.fft.rfft(a, n, axis, norm)
    for axis, n in reversed(others):
        a = np.fft.fft(a, n, axis, norm)
    return a


@derived(np.fft.irfftn)
def irfftn(a: Any, s: Any = None, axes: Any = None, norm: Any = None, out: Any = None) -> Any:
    """NumPy's irfftn."""
    *others, (last, length) = _sizes(a, s, axes)
    for axis, n in others:
        a = np.fft.ifft(a, n, axis, norm)
    return np.fft.irfft(a, length, last, norm)


@derived(np.fft.fft2)
def fft2(a: Any, s: Any = None, axes: Any = (-2, -1), norm: Any = None, out: Any = None) -> Any:
    """NumPy's fft2."""
    return fftn(a, s, axes, norm)


@derived(np.fft.ifft2)
def ifft2(a: Any, s: Any = None, axes: Any = (-2, -1), norm: Any = None, out: Any = None) -> Any:
    """NumPy's ifft2."""
    return ifftn(a, s, axes, norm)


@derived(np.fft.rfft2)
def rfft2(a: Any, s: Any = None, axes: Any = (-2, -1), norm: Any = None, out: Any = None) -> Any:
    """NumPy's rfft2."""
    return rfftn(a, s, axes, norm)


@derived(np.fft.irfft2)
def irfft2(a: Any, s: Any = None, axes: Any = (-2, -1), norm: Any = None, out: Any = None) -> Any:
    """NumPy's irfft2."""
    return irfftn(a, s, axes, norm)


def _rolled(x: Any, axes: Any, back: bool) -> Any:
    axes = tuple(range(x.ndim)) if axes is None else (axes,) if isinstance(axes, int) else tuple(axes)
    return np.roll(x, tuple(-(x.shape[a] // 2) if back else x.shape[a] // 2 for a in axes), axes)


@derived(np.fft.fftshift)
def fftshift(x: Any, axes: Any = None) -> Any:
    """NumPy's fftshift."""
    return _rolled(x, axes, back=False)


@derived(np.fft.ifftshift)
def ifftshift(x: Any, axes: Any = None) -> Any:
    """NumPy's ifftshift."""
    return _rolled(x, axes, back=True)
