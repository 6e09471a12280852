"""Sample inputs for every primitive of the table: a line where the default does not fit.

A sample is operands and parameters; operands that are float arrays are differentiated. Elementwise primitives
get theirs from a domain; everything else says its own.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from chainrule.core import spec
from chainrule.core.primitive import ELEMENTWISE, NON_DIFFERENTIABLE, ZERO_DERIVATIVE, Primitive
from chainrule.eager.tape import cast
from chainrule.ops import (
    activation,
    composite,
    convolution,
    elementwise,
    gamma,
    indexing,
    linalg,
    losses,
    pooling,
    reduction,
    scan,
    shaping,
    special,
    strided,
    windows,
)  # fmt: skip
from chainrule.ops.indexing import HOLE
from chainrule.ops.strided import Window


class Sample(NamedTuple):
    """One call of a primitive."""

    operands: tuple[Any, ...]
    params: dict[str, Any]


class Maker:
    """Random arrays, the same for the same primitive in every run."""

    def __init__(self, seed: str, low: float = -2.0, high: float = 2.0) -> None:
        self.rng = np.random.default_rng(zlib.crc32(seed.encode()))
        self.low, self.high = low, high

    def __call__(self, *shape: int, low: float | None = None, high: float | None = None) -> np.ndarray:
        """Uniform numbers of the domain."""
        return np.asarray(
            self.rng.uniform(self.low if low is None else low, self.high if high is None else high, shape)
        )

    def distinct(self, *shape: int) -> np.ndarray:
        """Numbers that differ by 0.1 at least, in random order: safe for maxima and sorting."""
        n = int(np.prod(shape))
        return np.asarray((self.rng.permutation(n) * 0.3 - 0.1 * n + 0.05).reshape(shape))

    def strided(self, *shape: int) -> np.ndarray:
        """Neither contiguous nor in ascending memory order."""
        wide = self(*shape[:-1], 2 * shape[-1])
        return wide[::-1, ..., ::2] if len(shape) > 1 else wide[::-2]

    def whole(self, high: int, *shape: int) -> np.ndarray:
        """Whole numbers from 0 up to but without ``high``."""
        return np.asarray(self.rng.integers(0, high, shape))


SHAPES: dict[int, list[tuple[tuple[int, ...], ...]]] = {  # of elementwise operands, by arity: broadcasting, 0-d, size-1, empty
    1: [((),), ((3,),), ((2, 3),), ((1,),), ((0,),), ((2, 0, 3),)],
    2: [
        ((), ()),
        ((3,), (3,)),
        ((2, 3), (3,)),
        ((2, 1), (1, 3)),
        ((), (3,)),
        ((2, 3), ()),
        ((0,), (1,)),
        ((1,), (2, 1)),
    ],
    3: [((3,), (3,), (3,)), ((2, 3), (3,), ()), ((), (2, 1), (3,)), ((0,), (), (1,))],
}

DOMAINS: dict[Any, list[tuple[float, float]]] = {  # where -2 to 2 for every operand will not do
    np.divide: [(-2, 2), (0.5, 2)], np.remainder: [(3.1, 3.2), (0.56, 0.58)], np.fmod: [(3.1, 3.2), (0.56, 0.58)],
    np.power: [(0.3, 2), (-2, 2)], np.sqrt: [(0.3, 2)], np.cbrt: [(0.3, 2)], np.reciprocal: [(0.5, 2)],
    np.hypot: [(0.5, 2), (0.5, 2)], elementwise.rsqrt: [(0.5, 2)], np.log: [(0.3, 2)], np.log2: [(0.3, 2)],
    np.log10: [(0.3, 2)], np.log1p: [(-0.5, 2)], np.tan: [(-1, 1)], np.arcsin: [(-0.8, 0.8)], np.arccos: [(-0.8, 0.8)],
    np.arccosh: [(1.3, 2.5)], np.arctanh: [(-0.8, 0.8)], np.arctan2: [(0.5, 2), (0.5, 2)], elementwise.sinc: [(0.2, 2)],
    np.absolute: [(0.2, 2)], np.copysign: [(0.2, 2), (0.2, 2)], np.maximum: [(-2, -0.1), (0.1, 2)],
    np.minimum: [(-2, -0.1), (0.1, 2)], np.fmax: [(0.1, 2), (-2, -0.1)], np.fmin: [(0.1, 2), (-2, -0.1)],
    activation.relu: [(0.2, 2)], activation.leaky_relu: [(-2, -0.2)], activation.elu: [(-2, -0.2)], activation.celu: [(-2, -0.2)],
    activation.prelu: [(-2, -0.2), (-2, 2)], activation.hardtanh: [(-0.9, 0.9)], activation.hardsigmoid: [(-2, 2)],
    activation.hardswish: [(-2.5, 2.5)], activation.hardshrink: [(0.6, 2)], activation.softshrink: [(-2, -0.6)],
    activation.threshold: [(0.4, 2)], elementwise.logit: [(0.2, 0.8)], elementwise.xlogy: [(-2, 2), (0.3, 2)], elementwise.addcdiv: [(-2, 2), (-2, 2), (0.5, 2)],
    elementwise.frac: [(1.1, 1.9)], special.erfinv: [(-0.8, 0.8)], gamma.lgamma: [(0.5, 2)], gamma.digamma: [(0.5, 2)], gamma.polygamma: [(0.5, 2)], np.floor: [(1.1, 1.9)], np.ceil: [(1.1, 1.9)],
    np.trunc: [(1.1, 1.9)], np.rint: [(1.1, 1.4)], np.round: [(1.1, 1.4)], np.sign: [(0.2, 2)],
    np.floor_divide: [(3.1, 3.2), (0.56, 0.58)], elementwise.div_rounded: [(3.1, 3.2), (0.56, 0.58)],
}  # fmt: skip

MORE_PARAMS: dict[Any, list[dict[str, Any]]] = {
    activation.softplus: [{"beta": 2.0, "threshold": 1.0}], activation.leaky_relu: [{"negative_slope": 0.3}],
    activation.elu: [{"alpha": 0.7}, {"alpha": 1.7, "scale": 1.05}], activation.celu: [{"alpha": 0.6}],
    activation.hardtanh: [{"min_val": 0.0, "max_val": 6.0}], activation.threshold: [{"threshold": 0.3, "value": 9.0}],
    activation.hardshrink: [{"lambd": 0.1}], activation.softshrink: [{"lambd": 0.1}],
    elementwise.add_scaled: [{"alpha": 2.0}], elementwise.sub_scaled: [{"alpha": 2.0}],
    elementwise.div_rounded: [{"rounding_mode": "floor"}, {"rounding_mode": "trunc"}],
    special.gelu: [{"approximate": "tanh"}], gamma.polygamma: [{"order": 1}, {"order": 2}], np.round: [{"decimals": 1}],
}  # fmt: skip


def elementwise_samples(p: Primitive) -> Iterator[Sample]:
    """Samples over shapes and memory layouts in the primitive's domain."""
    make = Maker(p.name)
    domains = DOMAINS.get(p.fun, [(-2.0, 2.0)] * p.arity)

    def operand(i: int, *shape: int) -> np.ndarray:
        return make(*shape, low=domains[i][0], high=domains[i][1])

    every: list[dict[str, Any]] = [{}, *MORE_PARAMS.get(p.fun, [])]
    if ... in p.params.values():  # a parameter must be given
        del every[0]
    for params in every:
        for shapes in SHAPES[p.arity]:
            yield Sample(tuple(operand(i, *shape) for i, shape in enumerate(shapes)), params)
    strided = [operand(i, 3, 8)[::-1, ::2] for i in range(p.arity)]
    yield Sample(tuple(strided), every[0])


AXES: tuple[dict[str, Any], ...] = (
    {},
    {"axis": 0},
    {"axis": -1},
    {"axis": (0, 1)},
    {"axis": 1, "keepdims": True},
    {"axis": None, "keepdims": True},
)


def _reductions(make: Maker, distinct: bool = False, empty: bool = True) -> Iterator[Sample]:
    draw = make.distinct if distinct else make
    for params in AXES:
        yield Sample((draw(2, 3, 2),), dict(params))
    yield Sample((draw(),), {})
    yield Sample((draw(1, 1),), {"axis": 0})
    if not distinct:
        yield Sample((make.strided(3, 4),), {"axis": 1})
    if empty:
        yield Sample((draw(0, 3),), {"axis": 1})


def _scan(make: Maker) -> Iterator[Sample]:
    yield from (Sample((make(2, 3, 2),), {"axis": axis}) for axis in (0, 1, -1))
    yield Sample((make(2, 3),), {"axis": None})
    yield Sample((make(),), {"axis": 0})
    yield Sample((make(0, 2),), {"axis": 0})
    yield Sample((make.strided(3, 4),), {"axis": 0})


def _with_zeros(make: Maker, **params: Any) -> Iterator[Sample]:
    x = make(3, 4)
    x[0, 1] = x[2, 1] = x[1, 3] = 0
    yield Sample((x,), params)


def _one(*operands: Any, **params: Any) -> Iterator[Sample]:
    yield Sample(operands, params)


def _each(operands: tuple[Any, ...], *params: dict[str, Any]) -> Iterator[Sample]:
    for given in params:
        yield Sample(operands, given)


def _many(*samples: tuple[tuple[Any, ...], dict[str, Any]]) -> Iterator[Sample]:
    for operands, params in samples:
        yield Sample(operands, params)


def _matrix(make: Maker, n: int = 3, *batch: int) -> np.ndarray:
    return make(*batch, n, n, low=-1, high=1) + 2 * np.eye(n)


def _choose(make: Maker, fun: str) -> Iterator[Sample]:
    for condition, a, b in (((3,), (3,), (3,)), ((2, 1), (3,), ()), ((), (2,), (2, 1)), ((0,), (1,), ())):
        yield Sample((make(*condition) > 0, make(*a), make(*b)), {})


def _clip(make: Maker) -> Iterator[Sample]:
    x = make(4, 5)
    yield from _many(((x, -0.51, 0.73), {}), ((x, None, 0.73), {}), ((x, -0.51, None), {}))
    yield Sample((x, make(5, low=-1, high=-0.5), make(4, 1, low=0.5, high=1)), {})
    yield Sample((x, make(5, low=0.5, high=1), make(4, 1, low=-1, high=-0.5)), {})


def _indices(make: Maker) -> list[tuple[Any, list[Any]]]:
    return [
        ((HOLE,), [make.whole(4, 5)]),
        ((slice(None), HOLE), [make.whole(3, 2, 2)]),
        ((HOLE, HOLE), [make.whole(4, 3), make.whole(3, 3)]),
        ((HOLE, slice(1, None)), [np.array([True, False, True, False])]),
        ((HOLE,), [make(4, 3) > 0]),
        ((None, HOLE, 0), [make.whole(4, 2)]),
        ((HOLE,), [np.zeros(0, int)]),
    ]


KEYS: tuple[Any, ...] = (0, -1, slice(1, 3), slice(None, None, -2), (1, 2), (slice(None), 1), (Ellipsis, slice(0, 2)),
                         None, Ellipsis, (slice(0, 0), 1))  # fmt: skip


def _getitem(make: Maker) -> Iterator[Sample]:
    yield from _each((make(4, 3),), *({"key": key} for key in KEYS))
    yield Sample((make(),), {"key": ()})


def _place(make: Maker) -> Iterator[Sample]:
    for key in KEYS:
        yield Sample((make(*np.zeros((4, 3))[key].shape),), {"shape": (4, 3), "key": key})


def _take_items(make: Maker) -> Iterator[Sample]:
    for key, arrays in _indices(make):
        yield Sample((make(4, 3), *arrays), {"key": key})


def _place_items(make: Maker) -> Iterator[Sample]:
    for key, arrays in _indices(make):
        shape = indexing.take_items(np.zeros((4, 3)), *arrays, key=key).shape
        yield Sample((make(*shape), *arrays), {"shape": (4, 3), "key": key})


def _setitem(make: Maker) -> Iterator[Sample]:
    for key in KEYS:
        yield Sample((make(4, 3), make(*np.zeros((4, 3))[key].shape)), {"key": key})
    yield Sample((make(4, 3), make()), {"key": slice(1, 3)})
    yield Sample((make(4, 3), make(3)), {"key": slice(1, 3)})
    yield Sample((make(4, 3), make(2, 3), np.array([2, 0])), {"key": (HOLE,)})
    yield Sample((make(4, 3), make(), make(4, 3) > 0), {"key": (HOLE,)})


def _gather(make: Maker, third: bool) -> Iterator[Sample]:
    for axis, shape in ((0, (4, 3)), (1, (4, 3)), (-1, (2, 2)), (0, (5, 2))):
        x = make(4, 3)
        index = make.whole(x.shape[axis], *shape) if axis == 0 else make.whole(3, *shape)
        if third:
            yield Sample((x, index, make(*(n + 1 for n in shape))), {"axis": axis})
        else:
            yield Sample((x, index), {"axis": axis})
    if not third:
        yield Sample((make(), make.whole(1)), {"axis": 0})


def _scatter(make: Maker) -> Iterator[Sample]:
    yield Sample((make(4, 3), np.array([[0, 1, 2], [3, 2, 0]]), make(3, 3)), {"axis": 0})
    yield Sample((make(4, 3), np.array([[0, 1], [2, 1]]), make(2, 2)), {"axis": 1})
    yield Sample((make(4, 3), np.array([[0, 1], [2, 1]]), make()), {"axis": 1})


def _place_along(make: Maker) -> Iterator[Sample]:
    yield Sample((make(2, 3), make.whole(4, 2, 3)), {"shape": (4, 3), "axis": 0})
    yield Sample((make(4, 2), make.whole(3, 4, 2)), {"shape": (4, 3), "axis": -1})


def _take(make: Maker) -> Iterator[Sample]:
    yield from _many(((make(4, 3), make.whole(4, 5)), {"axis": 0}), ((make(4, 3), make.whole(3, 2, 2)), {"axis": -1}),
                     ((make(4, 3), make.whole(12, 5)), {"axis": None}))  # fmt: skip


def _matmul(make: Maker) -> Iterator[Sample]:
    shapes = [((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 3), (3, 4)), ((5, 2, 3), (3, 4)), ((2, 3), (5, 3, 4)),
              ((5, 1, 2, 3), (4, 3, 2)), ((3,), (5, 3, 2)), ((5, 2, 3), (3,)), ((0, 3), (3, 2)), ((2, 0), (0, 3))]  # fmt: skip
    for a, b in shapes:
        yield Sample((make(*a), make(*b)), {})
    yield Sample((make.strided(3, 4), make.strided(4, 2)), {})


def _einsum(make: Maker) -> Iterator[Sample]:
    cases = [("ij,jk->ik", (2, 3), (3, 4)), ("ij,j->i", (2, 3), (3,)), ("ii->i", (3, 3)), ("ii->", (3, 3)), ("ij->j", (2, 3)),
             ("i,i->", (3,), (3,)), ("i,j->ij", (2,), (3,)), ("bij,bjk->bik", (2, 2, 3), (2, 3, 2)), ("ij,ij->", (2, 3), (2, 3)),
             ("ij,jk,kl->il", (2, 3), (3, 2), (2, 2)), ("iji->j", (2, 3, 2)), ("ij,kl->ik", (2, 3), (2, 2))]  # fmt: skip
    for subscripts, *shapes in cases:
        yield Sample(tuple(make(*shape) for shape in shapes), {"subscripts": subscripts})


def _solve(make: Maker) -> Iterator[Sample]:
    yield from _many(((_matrix(make), make(3)), {}), ((_matrix(make), make(3, 2)), {}),
                     ((_matrix(make, 2, 4), make(4, 2, 3)), {}), ((_matrix(make, 2, 4), make(4, 2)), {}))  # fmt: skip


def _geometries(d: int) -> list[dict[str, Any]]:
    """Strides, paddings and dilations for ``d`` spatial axes, and the size and kernel they go with."""
    plain = {"size": (5, 6)[:d], "kernel": (3, 2)[:d], "stride": (1,) * d, "padding": (0,) * d, "dilation": (1,) * d}
    return [plain, plain | {"stride": (2, 3)[:d], "padding": (1, 2)[:d]}, plain | {"dilation": (2, 1)[:d], "padding": (1,) * d},
            plain | {"stride": (3, 4)[:d]}]  # fmt: skip


def _convolutions(make: Maker, which: str) -> Iterator[Sample]:
    for d, groups in ((1, 1), (2, 1), (2, 2)):
        for geometry in _geometries(d):
            x, w = make(2, 4, *geometry["size"]), make(6, 4 // groups, *geometry["kernel"])
            params = {**geometry, "groups": groups}
            out = make(*convolution.convolution(x, w, **params).shape, low=-1, high=1)
            given = {"": (x, w, make(6)), "no bias": (x, w), "input": (out, w), "weight": (x, out)}[which]
            yield Sample(given, params)


def _windows(make: Maker, back: bool) -> Iterator[Sample]:
    for geometry in (*_geometries(1), *_geometries(2)):
        size = geometry.pop("size")
        x = make(2, 1, *size)
        yield Sample((windows.windows(x, **geometry),), {"size": size, **geometry}) if back else Sample((x,), geometry)


def _max_pools(make: Maker) -> Iterator[Sample]:
    for geometry in (*_geometries(1), *_geometries(2)):
        size = geometry.pop("size")
        geometry["padding"] = tuple(min(p, 1) for p in geometry["padding"])
        yield from _each((make.distinct(2, 2, *size),), {**geometry, "ceil": False}, {**geometry, "ceil": True})


def _avg_pools(make: Maker, back: bool) -> Iterator[Sample]:
    for geometry in (*_geometries(1), *_geometries(2)):
        size = geometry.pop("size")
        del geometry["dilation"]
        geometry["padding"] = tuple(min(p, 1) for p in geometry["padding"])
        for more in ({"ceil": False, "counting_padding": True}, {"ceil": True, "counting_padding": False},
                     {"ceil": True, "counting_padding": True, "divisor": 5}):  # fmt: skip
            params = {**geometry, "divisor": None, **more}
            x = make(2, 2, *size)
            yield Sample((pooling.avg_pool(x, **params),), {"size": size, **params}) if back else Sample((x,), params)


def _norm_layers(make: Maker) -> Iterator[Sample]:
    yield Sample((make(3, 4),), {})
    yield Sample((make(3, 4), make(4), make(4)), {})
    yield Sample((make(2, 3, 4), make(3, 4)), {"dims": 2, "eps": 0.1})


def _batch_norms(make: Maker) -> Iterator[Sample]:
    yield Sample((make(5, 3),), {})
    yield Sample((make(3, 2, 4), make(2), make(2)), {"eps": 0.1})
    yield Sample((make(3, 2, 2, 2), make(2), make(2), np.stack([make(2), make(2, low=0.5)])), {})


def _margins(make: Maker) -> Iterator[Sample]:
    x, y = make.distinct(4, 3), np.array([0, 2, 1, 2])
    yield from _losses(make, x, y)
    yield from _each((x, y, np.array([0.5, 2.0, 1.0])), {"p": 2, "margin": 0.77}, {"p": 2, "reduction": "none"})
    yield Sample((make.distinct(3), np.array(1)), {})


def _multilabel(make: Maker) -> Iterator[Sample]:
    yield from _losses(make, make.distinct(3, 4), np.array([[3, 0, -1, 1], [2, -1, -1, -1], [-1, 0, 0, 0]]))
    yield Sample((make.distinct(4), np.array([1, 3, -1, 0])), {})


def _losses(make: Maker, *operands: Any) -> Iterator[Sample]:
    yield from _each(operands, *({"reduction": r} for r in ("mean", "sum", "none")))


def _nll(make: Maker) -> Iterator[Sample]:
    weight = np.array([0.5, 2.0, 1.0])
    yield from _losses(make, make(4, 3), np.array([0, 2, 1, 2]))
    yield from _losses(make, make(4, 3), np.array([0, 2, -100, 2]), weight)
    yield from _losses(make, make(2, 3, 4), make.whole(3, 2, 4))
    yield from _losses(make, make(3), np.array(1))


def _bce(make: Maker) -> Iterator[Sample]:
    probability = make(2, 3, low=0.1, high=0.9)
    target = make(2, 3, low=0.1, high=0.9)
    yield from _losses(make, probability, target)
    yield from _losses(make, probability, target, np.array([0.5, 2.0, 1.0]))


def _bce_logits(make: Maker) -> Iterator[Sample]:
    target = make(2, 3, low=0.1, high=0.9)
    yield from _losses(make, make(2, 3), target)
    yield from _losses(make, make(2, 3), target, np.array([0.5, 2.0, 1.0]), np.array([2.0, 0.5, 3.0]))


def _softmax(make: Maker) -> Iterator[Sample]:
    yield from _each((make(2, 3, 2),), {"axis": 0}, {"axis": 1}, {"axis": -1})
    yield from _many(((make(3),), {"axis": 0}), ((make(1),), {"axis": -1}), ((make(0, 3),), {"axis": 1}))


def _norms(make: Maker) -> Iterator[Sample]:
    for order in (2, 1, 3, 0.5 + 1, np.inf, -np.inf):
        for params in AXES:
            yield Sample((make.distinct(2, 3, 2),), {"ord": order, **params})
    yield Sample((make(3),), {"ord": 0})
    yield Sample((make(),), {"ord": 2})


def _spreads(make: Maker) -> Iterator[Sample]:
    for params in AXES:
        yield Sample((make(2, 3, 2),), {"ddof": 1, **params})
        yield Sample((make(2, 3, 2),), dict(params))


def _fills(make: Maker) -> Iterator[Sample]:
    yield Sample((make(2, 3), make()), {})
    yield Sample((make(2, 3), make(3)), {})
    yield Sample((make(0, 3), make(3)), {})


WINDOWS: tuple[Window, ...] = (
    Window((2, 2), (4, 2), 1, (4, 1)), Window((4, 3), (1, 4), 0, (4, 1)), Window((2,), (3,), 2, (1, 3)),
    Window((2, 3), (0, 4), 3, (4, 1)), Window((3, 3), (1, 1), 0, (4, 1)),
)  # fmt: skip

SAMPLES: dict[Any, Callable[[Maker], Iterator[Sample]]] = {
    np.where: lambda m: _choose(m, "where"), np.clip: _clip,
    np.conjugate: lambda m: _one(m(2, 3)), np.real: lambda m: _one(m(2, 3)), np.imag: lambda m: _one(m(2, 3) + 1j * m(2, 3)),
    np.absolute: lambda m: _many(((m(2, 3, low=0.2),), {}), ((m(),), {}), ((m(0),), {})),
    np.sum: _reductions, np.mean: _reductions, np.prod: lambda m: _chain(_each((m(2, 3, 2),), {}, {"axis": 0}, {"axis": -1, "keepdims": True}), _one(m(0, 3), axis=1),
                              _one(m()), _with_zeros(m, axis=0), _with_zeros(m, axis=None)),
    np.cumsum: _scan, np.cumprod: lambda m: _chain(_scan(m), _with_zeros(m, axis=0), _with_zeros(m, axis=1)),
    scan.recurrence: lambda m: _each((m(5, 3), m(5, 3)), {"axis": 0}, {"axis": -1}),
    np.max: lambda m: _reductions(m, distinct=True), np.min: lambda m: _reductions(m, distinct=True),
    reduction.max_with_index: lambda m: _each((m.distinct(3, 4),), {"axis": 0}, {"axis": -1, "keepdims": True}),
    reduction.min_with_index: lambda m: _each((m.distinct(3, 4),), {"axis": 1}, {"axis": 0, "keepdims": True}),
    reduction.sort_with_index: lambda m: _each((m.distinct(3, 4),), {}, {"axis": 0}, {"axis": 1, "descending": True}),
    np.var: _spreads, np.std: _spreads, reduction.vector_norm: _norms, reduction.logsumexp: _reductions,
    np.reshape: lambda m: _many(((m(2, 3),), {"shape": (3, 2)}), ((m(2, 3),), {"shape": (-1,)}), ((m(),), {"shape": (1,)}),
                                ((m(0, 2),), {"shape": (2, 0)}), ((m.strided(3, 4),), {"shape": (2, 6)})),
    np.broadcast_to: lambda m: _many(((m(3),), {"shape": (2, 3)}), ((m(2, 1),), {"shape": (4, 2, 3)}), ((m(),), {"shape": (2,)})),
    np.expand_dims: lambda m: _each((m(2, 3),), {"axis": 0}, {"axis": -1}, {"axis": (0, 2)}),
    np.squeeze: lambda m: _each((m(1, 2, 1),), {}, {"axis": 0}, {"axis": (0, -1)}),
    np.transpose: lambda m: _each((m(2, 3, 4),), {}, {"axes": (1, 2, 0)}, {"axes": (-1, 0, 1)}),
    np.swapaxes: lambda m: _each((m(2, 3, 4),), {"axis1": 0, "axis2": 2}, {"axis1": -1, "axis2": 1}),
    shaping.t: lambda m: _many(((m(2, 3),), {}), ((m(3),), {}), ((m(),), {})), shaping.copy: lambda m: _one(m(2, 3)),
    np.ascontiguousarray: lambda m: _one(m(2, 3)),
    np.concatenate: lambda m: _many(((m(2, 3), m(1, 3)), {"axis": 0}), ((m(2, 3), m(2, 0), m(2, 1)), {"axis": -1})),
    np.stack: lambda m: _each((m(2, 3), m(2, 3)), {"axis": 0}, {"axis": -1}, {"axis": 1}),
    shaping.together: lambda m: _one(m(2, 3), m(2)),
    shaping.unbind: lambda m: _each((m(2, 3),), {"axis": 0}, {"axis": -1}),
    shaping.split: lambda m: _each((m(5, 3),), {"sizes": (2, 3), "axis": 0}, {"sizes": (1, 0, 2), "axis": -1}),
    np.flip: lambda m: _each((m(2, 3),), {}, {"axis": 0}, {"axis": (0, 1)}),
    np.roll: lambda m: _each((m(2, 3),), {"shift": 1}, {"shift": -2, "axis": 1}, {"shift": (1, 2), "axis": (0, 1)}),
    shaping.pad: lambda m: _each((m(2, 3),), {"width": ((1, 0), (2, 3))}, {"width": ((0, 0), (1, 1)), "value": 7.0}),
    np.tile: lambda m: _each((m(2, 3),), {"reps": 2}, {"reps": (2, 1, 3)}, {"reps": (3,)}),
    np.repeat: lambda m: _each((m(2, 3),), {"repeats": 2}, {"repeats": 2, "axis": 1}, {"repeats": (0, 2), "axis": 0}),
    np.tril: lambda m: _each((m(3, 3),), {}, {"k": 1}), np.triu: lambda m: _each((m(2, 3, 4),), {}, {"k": -1}),
    np.diagonal: lambda m: _each((m(3, 4, 2),), {}, {"offset": 1}, {"offset": -1, "axis1": 1, "axis2": 2}),
    shaping.place_diagonal: lambda m: _many(((m(3),), {"shape": (3, 4)}), ((m(2, 2),), {"shape": (2, 3, 2), "axis1": 1, "axis2": 2})),
    shaping.trace: lambda m: _many(((m(3, 3),), {}), ((m(2, 4),), {})),
    indexing.getitem: _getitem, indexing.place: _place,
    indexing.place_all: lambda m: _one(m(3), m(2), m(), shape=(4, 3), keys=((0,), (slice(1, 3), 1), (0, 2))),
    indexing.take_items: _take_items, indexing.place_items: _place_items,
    indexing.setitem: _setitem, indexing.gather: lambda m: _gather(m, False), indexing.place_along: _place_along,
    indexing.scatter_add: lambda m: _gather(m, True), indexing.scatter: _scatter, np.take: _take,
    indexing.masked_select: lambda m: _many(((m(4, 3), m(4, 3) > 0), {}), ((m(4, 3), m(3) > 0), {})),
    shaping.diagonal_copy: lambda m: _each((m(3, 4),), {}, {"offset": 1}),
    indexing.index_add: lambda m: _each((m(4, 3), np.array([0, 2, 2]), m(3, 3)), {"axis": 0}, {"axis": 0, "alpha": -2.0}),
    elementwise.masked_fill: lambda m: _one(m(2, 3), m(2, 3) > 0, m()), elementwise.fill: _fills,
    elementwise.overwrite: _fills, linalg.addmm: lambda m: _one(m(4), m(2, 3), m(3, 4)),
    elementwise.exp_known: lambda m: _one(m(2, 3), None),
    elementwise.complex_of: lambda m: _many(((m(2, 3), m(3)), {}), ((m(), m()), {})),
    linalg.dot: lambda m: _one(m(3), m(3)), linalg.mv: lambda m: _one(m(2, 3), m(3)), linalg.mm: lambda m: _one(m(2, 3), m(3, 4)),
    np.matmul: _matmul, linalg.einsum: _einsum, linalg.solve: _solve,
    linalg.inv: lambda m: _many(((_matrix(m),), {}), ((_matrix(m, 2, 3),), {})),
    linalg.det: lambda m: _many(((_matrix(m),), {}), ((_matrix(m, 2, 3),), {}), ((_matrix(m, 1),), {})),
    linalg.slogdet: lambda m: _many(((_matrix(m),), {}), ((_matrix(m, 2, 3),), {}), ((_matrix(m, 1),), {})),
    linalg.cofactor: lambda m: _one(_matrix(m)),
    composite.softmax: _softmax, composite.log_softmax: _softmax,
    composite.layer_norm: _norm_layers, composite.batch_norm: _batch_norms,
    composite.group_norm: lambda m: _many(((m(2, 4, 3), m(4), m(4)), {"groups": 2}), ((m(3, 4), None, None), {"groups": 1}),
                                          ((m(2, 4, 2, 2), m(4), None), {"groups": 4, "eps": 1e-3})),

    activation.glu: lambda m: _each((m(2, 4, 3),), {"axis": 1}, {"axis": -2}),
    activation.rrelu: lambda m: _one(m(2, 3), m(2, 3)),
    losses.mse_loss: lambda m: _losses(m, m(2, 3), m(2, 3)), losses.nll_loss: _nll,
    losses.binary_cross_entropy: _bce, losses.binary_cross_entropy_with_logits: _bce_logits,
    losses.smooth_l1_loss: lambda m: _each((m(3, 4), m(3, 4)), {}, {"beta": 0.37}, {"reduction": "none"}),
    losses.huber_loss: lambda m: _each((m(3, 4), m(3, 4)), {}, {"delta": 0.37}, {"reduction": "sum"}),
    losses.soft_margin_loss: lambda m: _losses(m, m(3, 4), np.sign(m(3, 4))),
    losses.ctc_loss: lambda m: _one(m(5, 2, 4), np.array([[1, 1, 3], [2, 0, 0]]), np.array([5, 4]), np.array([3, 1])),
    losses.multi_margin_loss: _margins, losses.multilabel_margin_loss: _multilabel,
    windows.windows: lambda m: _windows(m, False), windows.overlap_add: lambda m: _windows(m, True),
    convolution.convolution: lambda m: _chain(_convolutions(m, ""), _convolutions(m, "no bias")),
    convolution.convolution_input: lambda m: _convolutions(m, "input"),
    convolution.convolution_weight: lambda m: _convolutions(m, "weight"),
    pooling.max_pool: _max_pools, pooling.avg_pool: lambda m: _avg_pools(m, False),
    pooling.avg_unpool: lambda m: _avg_pools(m, True),
    pooling.adaptive_max_pool: lambda m: _many(((m.distinct(2, 2, 5),), {"size": (3,)}), ((m.distinct(2, 1, 5, 4),), {"size": (2, 3)})),
    pooling.adaptive_avg_pool: lambda m: _many(((m(2, 2, 5),), {"size": (3,)}), ((m(2, 1, 5, 4),), {"size": (2, 6)})),
    pooling.adaptive_avg_unpool: lambda m: _many(((m(2, 2, 3),), {"size": (5,)}), ((m(2, 1, 2, 3),), {"size": (5, 4)})),
    indexing.embedding: lambda m: _one(m(5, 2), np.array([[1, 3, 3], [0, 4, 1]])),
    indexing.index_fill: lambda m: _many(((m(4, 3), np.array([0, 2]), m()), {"axis": 0}), ((m(4, 3), np.array([1]), m()), {"axis": 1})),
    indexing.index_copy: lambda m: _many(((m(4, 3), np.array([0, 2]), m(2, 3)), {"axis": 0}), ((m(4, 3), np.array([1]), m(4, 1)), {"axis": 1})),
    indexing.index_put: lambda m: _each((m(4, 3), m(2), np.array([0, 2]), np.array([1, 1])), {"key": (HOLE, HOLE)}, {"key": (HOLE, HOLE), "accumulate": True}),
    indexing.masked_scatter: lambda m: _many(((m(4, 3), m(4, 3) > 0, m(15)), {}), ((m(4, 3), m(3) > 0, m(4, 4)), {})),
    indexing.scatter_extreme: lambda m: _each((m(3, 2), np.array([[0, 0], [2, 0]]), m(2, 3)), *({"axis": 0, "largest": large, "include_self": own} for large in (True, False) for own in (True, False))),
    reduction.median: lambda m: _many(((m.distinct(7),), {}), ((m.distinct(2, 3),), {})),
    reduction.var_mean: lambda m: _each((m(3, 4),), {}, {"axis": 1}, {"axis": (0, 1), "ddof": 1, "keepdims": True}),
    strided.as_strided: lambda m: _each((m(3, 4),), *({"window": w} for w in WINDOWS)),
    strided.add_slices: lambda m: _many(*(((m(*w.shape),), {"shape": (3, 4), "window": w}) for w in WINDOWS)),
    strided.copy_slices: lambda m: _many(*(((m(3, 4), m(*w.shape)), {"window": w}) for w in WINDOWS[:3])),
    strided.view_as_real: lambda m: _one(m(2, 3) + 1j * m(2, 3)), strided.view_as_complex: lambda m: _one(m(3, 2)),
    cast: lambda m: _one(m(3), dtype=spec.float64),
    np.fft.fft: lambda m: _transforms(m, m(3, 4) + 1j * m(3, 4)), np.fft.ifft: lambda m: _transforms(m, m(3, 4) + 1j * m(3, 4)),
    np.fft.rfft: lambda m: _transforms(m, m(3, 4)), np.fft.irfft: lambda m: _transforms(m, m(3, 4) + 1j * m(3, 4)),
}  # fmt: skip


def _transforms(m: Maker, x: Any) -> Iterator[Sample]:
    return _each((x,), {}, {"axis": 0, "norm": "ortho"}, {"n": 3, "norm": "forward"}, {"n": 7}, {"n": 6, "axis": 0})


def _chain(*parts: Iterator[Sample]) -> Iterator[Sample]:
    for part in parts:
        yield from part


def samples(p: Primitive) -> list[Sample]:
    """The samples of ``p``; LookupError if nobody has written any."""
    if p.fun in SAMPLES:
        return [Sample(s.operands, dict(p.params) | s.params) for s in SAMPLES[p.fun](Maker(p.name))]
    ufunc_like = p.kind == ELEMENTWISE or (p.kind in (ZERO_DERIVATIVE, NON_DIFFERENTIABLE))
    if ufunc_like and p.arity in SHAPES:
        return [Sample(s.operands, dict(p.params) | s.params) for s in elementwise_samples(p)]
    raise LookupError(f"{p.name} has no samples: add a line to chainrule/testing/samples.py")
