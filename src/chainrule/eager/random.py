"""torch's random tensors: new ones, and those written over the numbers of a tensor that is there."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.core import spec
from chainrule.core.spec import DType
from chainrule.eager import inplace, levels, modes, sampling
from chainrule.eager.batching.tensor import INPLACE, Batched, batched, values_of
from chainrule.eager.creation import checked_dtype, finish, listed_shape, only_known, size_given
from chainrule.eager.generator import Generator, default_generator
from chainrule.eager.out import filling
from chainrule.eager.specialise import F
from chainrule.eager.tensor import Tensor, wrap
from chainrule.errors import Refusal, c_type_name, not_a_tensor, type_name
from chainrule.ops.strided import distinct


def _floats(kernel: str, dtype: DType) -> None:
    """Refuse a dtype that holds no fractions, in the words of torch's kernel."""
    if not dtype.differentiable:
        raise NotImplementedError(f"\"{kernel}\" not implemented for '{type_name(dtype)}'")


def _real(distribution: str, dtype: DType) -> None:
    """Refuse a complex dtype, which a distribution over the real numbers cannot fill."""
    _require(not dtype.is_complex, f"{distribution} distribution is a continuous probability distribution. dtype must be a "
             f"floating point but you specified {type_name(dtype)}")  # fmt: skip


def _within(dtype: DType, low: int, high: int) -> None:
    """Refuse bounds that an integer dtype does not hold."""
    if dtype.category == spec.INTEGER:
        bounds = np.iinfo(dtype.numpy)
        for name, value in (("from", low), ("to - 1", high - 1)):
            _require(bounds.min <= value <= bounds.max, f"{name} is out of bounds for {c_type_name(dtype)}")


def _not_complex(kernel: str, dtype: DType) -> None:
    if dtype.is_complex:
        raise NotImplementedError(f"\"{kernel}\" not implemented for '{type_name(dtype)}'")


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise Refusal(message)


RANDOM = (
    "vmap: called random operation while in randomness error mode. Please either use the 'same' or 'different' randomness "
    "flags on vmap or perform the randomness operation out of vmap"
)
UNBATCHED = (
    "vmap: Cannot ask for different inplace randomness on an unbatched tensor. This will appear like same randomness. If this "
    "is necessary for your usage, please file an issue with functorch."
)


def drawn(shape: tuple[int, ...], dtype: DType, draw: Callable[[int], np.ndarray]) -> Tensor:
    """Numbers of this shape, ``draw(n)`` giving n of them; under `vmap` for each sample its own, where that is asked for."""
    batches = levels.batches()
    if any(batch.randomness == "error" for batch in batches):
        raise RuntimeError(RANDOM)
    varied = [batch for batch in batches if batch.randomness == "different"]
    whole = (*(batch.size for batch in varied), *shape)
    made = wrap(draw(math.prod(whole)).astype(dtype.numpy, copy=False).reshape(whole))
    for batch in varied:
        made = batched(made, batch)
    return made


SAME = (
    "Vmap does not currently support same randomness with a batched tensor input. Please file an issue with functorch"
)


def of_tensors(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A random function of tensors, as it is under `vmap`: drawn for the values of all samples at once, or once for all."""

    @functools.wraps(function)
    def drawing(*args: Any, **kwargs: Any) -> Tensor:
        batches = levels.batches()
        if not batches or not any(isinstance(x, Tensor) for x in args):
            return function(*args, **kwargs)
        batch = asked_of(batches[-1], args)
        with levels.outside(batch):
            if batch.randomness == "same":
                return drawing(*args, **kwargs)
            values = [values_of(x, batch) if isinstance(x, Tensor) else x for x in args]
            return batched(drawing(*values, **kwargs), batch)

    return drawing


def in_place(method: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A method that overwrites a tensor with random numbers, as it is under `vmap`."""

    @functools.wraps(method)
    def drawing(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        batches = levels.batches()
        if not batches:
            return method(self, *args, **kwargs)
        batch = asked_of(batches[-1], args)
        mine = isinstance(self, Batched) and self.batch is batch
        if not mine and any(isinstance(x, Batched) and x.batch is batch for x in args):
            raise RuntimeError(INPLACE)
        if not mine and batch.randomness == "different":
            raise RuntimeError(UNBATCHED)
        with levels.outside(batch):
            if not isinstance(self, Batched) or not mine:
                return drawing(self, *args, **kwargs)
            if batch.randomness == "same":
                self.values.copy_(drawing(wrap(np.zeros(self.array.shape, self.array.dtype)), *args, **kwargs))
            else:
                drawing(self.values, *(values_of(x, batch) if isinstance(x, Tensor) else x for x in args), **kwargs)
            return self

    return drawing


def asked_of(batch: levels.Batch, args: Any) -> levels.Batch:
    """The batch, if it lets random numbers be drawn for these arguments; RuntimeError if not."""
    if batch.randomness == "error":
        raise RuntimeError(RANDOM)
    if batch.randomness == "same" and any(isinstance(x, Batched) and x.batch is batch for x in args):
        raise RuntimeError(SAME)
    return batch


# New tensors


def _random(name: str, kernel: str, draw: Callable[[Generator, int, DType], np.ndarray]) -> Any:
    def make(*size: Any, generator: Generator | None = None, dtype: DType | None = None, device: Any = None,
             requires_grad: bool = False, **same: Any) -> Tensor:  # fmt: skip
        shape = size_given(name, size, same)
        only_known(name, same)
        found = checked_dtype(name, dtype, spec.default_float())
        _floats(kernel, found)
        made = drawn(shape, found, lambda n: draw(generator or default_generator, n, found))
        return finish(made, requires_grad, device)

    make.__name__ = make.__qualname__ = name
    return make


rand = filling(_random("rand", "check_uniform_bounds", sampling.uniform))
rand.__doc__ = "Uniform random numbers in [0, 1)."
randn = filling(_random("randn", "normal_kernel_cpu", sampling.normal))
randn.__doc__ = "Standard normal random numbers."


def rand_like(input: Tensor, *, dtype: DType | None = None, requires_grad: bool = False, **same: Any) -> Tensor:
    """`rand` with the size and dtype of ``input``."""
    found = dtype or input.dtype
    made = in_memory_order(input, found, lambda shape: rand(shape, dtype=found, **same), lambda t: t.uniform_())
    return made.requires_grad_() if requires_grad else made


def randn_like(input: Tensor, *, dtype: DType | None = None, requires_grad: bool = False, **same: Any) -> Tensor:
    """`randn` with the size and dtype of ``input``."""
    found = dtype or input.dtype
    made = in_memory_order(input, found, lambda shape: randn(shape, dtype=found, **same), lambda t: t.normal_())
    return made.requires_grad_() if requires_grad else made


def in_memory_order(
    input: Tensor, dtype: DType, make: Callable[[tuple[int, ...]], Tensor], fill: Callable[[Any], Tensor]
) -> Tensor:
    """What ``make`` makes of the shape of ``input``; where its axes lie in another order, what ``fill`` makes of its like."""
    shape = tuple(input.array.shape)
    if input.level or input.array.flags.c_contiguous or not distinct(shape, input.array.strides):
        return make(shape)
    return fill(wrap(np.empty_like(input.array, dtype.numpy)))


@filling
def randint(low: Any = None, high: Any = None, size: Any = None, *, generator: Generator | None = None,
            dtype: DType | None = None, device: Any = None, requires_grad: bool = False) -> Tensor:  # fmt: skip
    """Random whole numbers in [low, high); ``randint(high, size)`` starts at 0."""
    where = " (position 3)"
    if low is None:
        low = 0
    elif size is None:
        low, high, size, where = 0, low, high, " (position 2)"
    elif high is None:
        low, high = 0, low
    shape = listed_shape("randint", size, where)
    _require(low < high, f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}")
    found = checked_dtype("randint", dtype, spec.int64)
    _within(found, low, high)
    made = drawn(shape, found, lambda n: sampling.whole(generator or default_generator, n, low, high))
    return finish(made, requires_grad, device)


def randint_like(input: Tensor, low: int | None = None, high: int | None = None, *, dtype: DType | None = None) -> Tensor:
    """`randint` with the size and dtype of ``input``."""
    if high is None:
        low, high = 0, low
    found = dtype or input.dtype
    return in_memory_order(input, found, lambda shape: randint(low or 0, high, shape, dtype=found),
                           lambda t: t.random_(low or 0, high))  # fmt: skip


@filling
def randperm(n: int, *, generator: Generator | None = None, dtype: DType | None = None, device: Any = None) -> Tensor:
    """The numbers 0 to n-1 in random order."""
    if n < 0:
        raise Refusal(f"Trying to create tensor with negative dimension {n}: [{n}]")
    source = generator or default_generator

    def draw(size: int) -> np.ndarray:
        return np.concatenate([sampling.permutation(source, n) for _ in range(size // n)]) if n else np.zeros(0, np.int64)

    return finish(drawn((n,), checked_dtype("randperm", dtype, spec.int64), draw), False, device)


@filling
@of_tensors
def normal(mean: Any = 0.0, std: Any = 1.0, size: Any = None, *, generator: Generator | None = None,
           dtype: DType | None = None, device: Any = None, requires_grad: bool = False) -> Tensor:  # fmt: skip
    """Normal random numbers: of one ``mean`` and ``std`` in a given ``size``, or of those that tensors name."""
    given = [x for x in (mean, std) if isinstance(x, Tensor)]
    if not given:
        if size is None:
            raise TypeError('normal() missing 1 required positional arguments: "size"')
        _require(std >= 0, f"normal expects std >= 0.0, but found std {std:g}")
        found = checked_dtype("normal", dtype, spec.default_float())
        _floats("normal_kernel_cpu", found)
        shape = listed_shape("normal", size, " (position 3)")
        made = drawn(shape, found, lambda n: sampling.normal(generator or default_generator, n, found, mean, std))
        return finish(made, requires_grad, device)
    for x in given:
        _floats("normal_kernel_cpu", x.dtype)
    spread = std.array if isinstance(std, Tensor) else np.asarray(std)
    _require(bool((spread >= 0).all()), "normal expects all elements of std >= 0.0" if isinstance(std, Tensor)
             else f"normal expects std >= 0.0, but found std {std}")  # fmt: skip
    noise = randn(np.broadcast_shapes(*(x.array.shape for x in given)), dtype=given[0].dtype, generator=generator)
    with modes.no_grad():
        return noise * std + mean  # type: ignore[no-any-return]


@of_tensors
def bernoulli(input: Tensor, p: float | None = None, *, generator: Generator | None = None) -> Tensor:
    """1 with the probability that ``input`` says of each element (or with ``p``), else 0."""
    if not isinstance(input, Tensor):
        raise not_a_tensor("bernoulli", "input", 1, input)
    fresh = wrap(np.empty(input.array.shape, input.array.dtype))
    return bernoulli_(fresh, input.detach() if p is None else p, generator=generator)


@of_tensors
def binomial(count: Tensor, prob: Tensor, generator: Generator | None = None) -> Tensor:
    """How many of ``count`` events of probability ``prob`` happen; broadcast, with the dtype of count. Not torch's numbers."""
    if not (isinstance(count, Tensor) and isinstance(prob, Tensor)):
        raise not_a_tensor("binomial", "count", 1, count if not isinstance(count, Tensor) else prob)
    if not count.dtype.is_floating_point:
        raise Refusal("binomial only supports floating-point dtypes for count, got: " + type_name(count.dtype))
    n, p = np.broadcast_arrays(count.array, prob.array)
    _require(bool((n >= 0).all()), "binomial: all elements of count must be >= 0")
    found = sampling.binomial(generator or default_generator, n.astype(np.float64), p.astype(np.float64))
    return wrap(found.astype(count.array.dtype))


@of_tensors
def multinomial(input: Tensor, num_samples: int, replacement: bool = False, *, generator: Generator | None = None) -> Tensor:
    """``num_samples`` column numbers for each row of weights ``input`` (n,) or (m, n), as int64.

    Raises RuntimeError for weights that are no distribution, or too few of them.
    """
    if not isinstance(input, Tensor):
        raise not_a_tensor("multinomial", "input", 1, input)
    weights = input.array
    if not input.dtype.is_floating_point:
        raise Refusal(f"multinomial only supports floating-point dtypes for input, got: {type_name(input.dtype)}")
    if weights.ndim == 3 and levels.suspended():  # rows for each sample of a batch
        rows = multinomial(input.reshape(-1, weights.shape[-1]), num_samples, replacement, generator=generator)
        return rows.reshape(*weights.shape[:-1], num_samples)
    _require(weights.ndim in (1, 2), "prob_dist must be 1 or 2 dim")
    _require(num_samples > 0, "cannot sample n_sample <= 0 samples")
    _require(replacement or num_samples <= weights.shape[-1],
             "cannot sample n_sample > prob_dist.size(-1) samples without replacement")  # fmt: skip
    _require(bool((np.isfinite(weights) & (weights >= 0)).all()),
             "probability tensor contains either `inf`, `nan` or element < 0")  # fmt: skip
    _require(bool((weights.sum(-1) > 0).all()), "invalid multinomial distribution (sum of probabilities <= 0)")
    rows = weights.reshape(-1, weights.shape[-1])
    found = sampling.choices(generator or default_generator, rows, num_samples, replacement) if len(rows) else np.empty(0)
    return wrap(found.reshape(*weights.shape[:-1], num_samples).astype(np.int64))


# Over the numbers of a tensor


def _redrawn(t: Tensor, draw: Callable[[int], np.ndarray]) -> Tensor:
    """Store random numbers in ``t``, in the order of its memory; returns t."""
    numbers = draw(t.array.size)
    shape, strides = t.array.shape, t.array.strides
    order = sorted(range(len(shape)), key=lambda axis: -strides[axis])
    fresh = np.empty(shape, t.array.dtype)
    fresh.transpose(order)[...] = numbers.reshape([shape[axis] for axis in order])
    result = wrap(fresh)
    return inplace.adopt(t, F.overwrite(t, result) if t.requires_grad else result)


@in_place
def uniform_(self: Tensor, a: float = 0.0, b: float = 1.0, *, generator: Generator | None = None, **bounds: float) -> Tensor:
    """Uniform random numbers in [a, b), which may also be named ``from`` and ``to``; returns self."""
    a, b = bounds.pop("from", a), bounds.pop("to", b)
    if bounds:
        raise TypeError(f"uniform_() got an unexpected keyword argument {next(iter(bounds))!r}")
    _floats("check_uniform_bounds", self.dtype)
    _require(a <= b, f"uniform_ expects to return a [from, to) range, but found from={a:g} > to={b:g}")
    return _redrawn(self, lambda n: sampling.uniform(generator or default_generator, n, self.dtype, a, b))


@in_place
def normal_(self: Tensor, mean: float = 0.0, std: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """Normal random numbers; returns self."""
    _floats("normal_kernel_cpu", self.dtype)
    _require(std >= 0, f"normal expects std >= 0.0, but found std {std:g}")
    source, dense = generator or default_generator, self.is_contiguous()
    return _redrawn(self, lambda n: sampling.normal(source, n, self.dtype, mean, std, dense=dense))


@in_place
def bernoulli_(self: Tensor, p: Any = 0.5, *, generator: Generator | None = None) -> Tensor:
    """1 with probability ``p`` (a number, or a tensor of one for each element), else 0; returns self."""
    _not_complex("bernoulli_scalar_cpu_", self.dtype)
    source = generator or default_generator
    if isinstance(p, Tensor):
        _floats("bernoulli_tensor_cpu_p_", p.dtype)
        shares = np.broadcast_to(p.array, self.array.shape).reshape(-1)
        _require(bool(((shares >= 0) & (shares <= 1)).all()), BAD_PROBABILITY)
        return _redrawn(self, lambda n: sampling.bernoulli_each(source, shares))
    _require(0 <= p <= 1, f"bernoulli_ expects p to be in [0, 1], but got p={p:g}")
    return _redrawn(self, lambda n: sampling.bernoulli(source, n, p))


BAD_PROBABILITY = (
    "Expected p_in >= 0 && p_in <= 1 to be true, but got false.  (Could this error message be improved?  If so, please "
    "report an enhancement request to PyTorch.)"
)


@in_place
def exponential_(self: Tensor, lambd: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """Random numbers of the density ``lambd exp(-lambd x)``; returns self."""
    _floats("exponential_cpu", self.dtype)
    _real("Exponential", self.dtype)
    _require(lambd > 0, f"exponential_ expects lambda > 0.0, but found lambda={lambd:g}")
    return _redrawn(self, lambda n: sampling.exponential(generator or default_generator, n, lambd))


@in_place
def geometric_(self: Tensor, p: float, *, generator: Generator | None = None) -> Tensor:
    """How many trials of probability ``p`` it takes to succeed; returns self."""
    _require(0 < p < 1, f"geometric_ expects p to be in (0, 1), but got p={p:g}")
    return _redrawn(self, lambda n: sampling.geometric(generator or default_generator, n, p))


@in_place
def cauchy_(self: Tensor, median: float = 0.0, sigma: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """Random numbers of the Cauchy distribution; returns self."""
    _floats("cauchy_cpu", self.dtype)
    _real("Cauchy", self.dtype)
    _require(sigma > 0, f"cauchy_ expects sigma > 0.0, but found sigma={sigma:g}")
    return _redrawn(self, lambda n: sampling.cauchy(generator or default_generator, n, median, sigma))


@in_place
def log_normal_(self: Tensor, mean: float = 1.0, std: float = 2.0, *, generator: Generator | None = None) -> Tensor:
    """Numbers whose logarithms are normal; returns self."""
    _floats("log_normal_cpu", self.dtype)
    _not_complex("log_normal_cpu", self.dtype)
    _require(std > 0, f"log_normal_ expects std > 0.0, but found std={std:g}")
    return _redrawn(self, lambda n: np.exp(sampling.pairs(generator or default_generator, n) * std + mean))


@in_place
def random_(self: Tensor, *limits: int, generator: Generator | None = None) -> Tensor:
    """Whole numbers in [from, to), in [0, to), or in all the range that the dtype holds exactly; returns self."""
    _not_complex("random_kernel_cpu", self.dtype)
    source = generator or default_generator
    if not limits:
        return _redrawn(self, lambda n: sampling.full_range(source, n, self.dtype))
    low, high = (0, limits[0]) if len(limits) == 1 else limits
    _require(low < high, f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}")
    _within(self.dtype, low, high)
    return _redrawn(self, lambda n: sampling.whole(source, n, low, high).astype(self.array.dtype))
