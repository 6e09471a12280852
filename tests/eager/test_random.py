"""The random stream: torch's numbers for the same seed. Equal where whole, to the last rounding elsewhere."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import chainrule as cr
from chainrule.eager.generator import Generator
from tests.oracle import Library, agree, agree_on, raises

SEEDS = (0, 1, 42, 2**31, 2**32 + 5, 2**63 - 1, -1)
SIZES = (0, 1, 2, 3, 15, 16, 17, 31, 32, 33, 47, 48, 100, 623, 624, 625, 1000)  # around the blocks of 16 and of 624
DTYPES = ("float32", "float64", "float16", "bfloat16", "complex64", "complex128")


def drawn(library: Library, seed: int, source: str, **names: object) -> object:
    library.torch.manual_seed(seed)
    found = eval(source, library.namespace() | names)
    return [found, library.torch.rand(2)]  # and the stream goes on from the same place


@pytest.mark.torch
@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["rand", "randn"])
def test_floats(name: str, dtype: str, n: int) -> None:
    for seed in SEEDS:
        source = f"torch.{name}(n, dtype=torch.{dtype})"
        agree_on(lambda library, s=seed, t=source: drawn(library, s, t, n=n), f"{source}, seed {seed}")


WHOLE = [
    "torch.randint(10, (n,))", "torch.randint(-5, 7, (n,))", "torch.randint(2**28 - 1, (n,))", "torch.randint(2**28, (n,))",
    "torch.randint(2**40, (n,))", "torch.randint(-2**62, 2**62, (n,))", "torch.randint(0, 9, (n,), dtype=torch.float32)",
    "torch.randint(0, 2, (n, 2), dtype=torch.uint8)", "torch.randperm(n)", "torch.empty(n).bernoulli_(0.3)",
    "torch.bernoulli(torch.linspace(0, 1, n))", "torch.bernoulli(torch.linspace(0, 1, n, dtype=torch.float64))",
    "torch.bernoulli(torch.zeros(n), 0.5)", "torch.empty(n, dtype=torch.bool).bernoulli_(0.5)",
    "F.dropout(torch.ones(n), 0.4)", "F.dropout(torch.ones(n, dtype=torch.float64), 0.2)",
    "torch.multinomial(torch.arange(1.0, n + 2), n + 1)", "torch.multinomial(torch.arange(1.0, n + 2), 50, True)",
    "torch.multinomial(torch.ones(3, n + 2, dtype=torch.float64), 2)", "torch.empty(n).geometric_(0.3)",
    "torch.randint_like(torch.ones(n), 5)",
    *(f"torch.empty(n, dtype=torch.{d}).random_()" for d in (
        "int64", "int32", "int16", "int8", "uint8", "bool", "float32", "float64", "float16", "bfloat16")),
    "torch.empty(n, dtype=torch.int64).random_(5)", "torch.empty(n).random_(-3, 4)",
]  # fmt: skip


@pytest.mark.torch
@pytest.mark.parametrize("source", WHOLE)
def test_whole_numbers_are_equal(source: str) -> None:
    for seed in SEEDS:
        for n in (0, 1, 15, 16, 17, 100, 625):
            agree_on(lambda library, s=seed, n=n: drawn(library, s, source, n=n), f"{source}, n = {n}, seed {seed}")


OTHER = [
    "torch.empty(n).uniform_(-2, 3)", "torch.empty(n, dtype=torch.float16).uniform_(-2, 3)",
    "torch.empty(n, dtype=torch.bfloat16).uniform_(0, 0.1)", "torch.empty(n).normal_(1, 3)",
    "torch.empty(n, dtype=torch.float64).normal_(-1, 0.1)", "torch.normal(2.0, 0.5, (n,))",
    "torch.normal(torch.arange(float(n)), 2.0)", "torch.normal(0.0, torch.arange(float(n)))",
    "torch.normal(torch.zeros(n, 1), torch.ones(3))", "torch.empty(n).exponential_()",
    "torch.empty(n, dtype=torch.float64).exponential_(2.5)", "torch.empty(n).log_normal_(0.5, 0.2)",
    "torch.empty(n, dtype=torch.float64).cauchy_(1, 0.1)", "torch.rand_like(torch.ones(n, 2))",
    "torch.randn_like(torch.ones(n, dtype=torch.float64))", "torch.empty(n, 3).t().uniform_()",
    "torch.empty(n, 3).t().normal_()", "torch.empty(2, n, 3).permute(2, 0, 1).normal_(1, 2)",
    "torch.multinomial(torch.ones(2, n + 1), 1, replacement=True) + torch.rand(1)", "torch.empty(n).uniform_(to=3)",
    "torch.cat([torch.randn(3), torch.rand(2), torch.randn(2), torch.randn(16), torch.randn(1)])",
]  # fmt: skip


@pytest.mark.torch
@pytest.mark.parametrize("source", OTHER)
def test_other_distributions(source: str) -> None:
    for seed in SEEDS:
        for n in (0, 1, 7, 16, 33, 300):
            agree_on(lambda library, s=seed, n=n: drawn(library, s, source, n=n), f"{source}, n = {n}, seed {seed}")


@pytest.mark.torch
@pytest.mark.parametrize(
    "source",
    [
        ("torch.manual_seed(3); torch.randn(5); s = torch.get_rng_state(); a = torch.randn(3); torch.set_rng_state(s)\n"
         "(a == torch.randn(3)).all(), s.dtype, s.shape"),
        "torch.manual_seed(3); torch.rand(700); torch.randn(1)\ntorch.get_rng_state().tolist()",
        "torch.Generator().manual_seed(5).get_state().tolist()",
        ("g = torch.Generator(); g.manual_seed(1); torch.randn(3, generator=g)\n"
         "h = torch.Generator(); h.set_state(g.get_state())\ntorch.randn(5, generator=g), torch.randn(5, generator=h)"),
        "torch.manual_seed(0)\nwith torch.random.fork_rng():\n    a = torch.rand(2)\na, torch.rand(2)",
        "torch.manual_seed(1.5), torch.initial_seed(), torch.Generator().initial_seed()",
        "torch.manual_seed(-1)\ntorch.initial_seed()",
        "torch.manual_seed(7)\ntorch.random.initial_seed(), torch.default_generator.initial_seed()",
        "x = torch.ones(3, requires_grad=True); y = x * 2\ny.uniform_()\ny.sum().backward()\nx.grad",
    ],
)  # fmt: skip
def test_state_and_seeds(source: str) -> None:
    agree(source)


@pytest.mark.torch
@pytest.mark.parametrize(
    "source",
    """
    torch.randint(5, 2, (3,)); torch.bernoulli(torch.tensor([2.0])); torch.empty(2).bernoulli_(2.0)
    torch.empty(2).uniform_(3, 1); torch.empty(2).normal_(0, -1); torch.multinomial(torch.tensor([1, 2]), 1)
    torch.multinomial(torch.tensor([1.0, 2]), 3); torch.multinomial(torch.tensor([-1.0, 2]), 1)
    torch.multinomial(torch.tensor([0.0, 0]), 1); torch.multinomial(torch.ones(2, 2, 2), 1)
    torch.multinomial(torch.ones(2), 0); torch.normal(torch.tensor([1.0]), torch.tensor([-1.0])); torch.manual_seed(2**64)
    torch.empty(2, dtype=torch.int64).uniform_(); torch.empty(2, dtype=torch.int64).normal_(); torch.empty(2).exponential_(-1)
    torch.empty(2).random_(5, 2); torch.empty(3, dtype=torch.uint8).random_(300); torch.randperm(-1)
    torch.bernoulli(torch.tensor([1, 0])); torch.empty(2).geometric_(2); torch.normal(0.0, -1.0, (2,))
    torch.rand_like(torch.ones(2, dtype=torch.int64)); torch.randn(2, dtype=torch.int64); torch.empty(2).cauchy_(0, -1)
    torch.empty(2).log_normal_(0, -1); torch.Generator().set_state(torch.zeros(3)); torch.randint(0, 3)
    torch.zeros(2, dtype=torch.complex64).exponential_();
    torch.zeros(2, dtype=torch.complex64).random_(); torch.zeros(2, dtype=torch.complex64).bernoulli_()
    torch.zeros(2, dtype=torch.complex64).log_normal_(); torch.randint(5, 1000, (2,), dtype=torch.uint8)
    torch.ones(2, requires_grad=True).uniform_(); torch.Generator().set_state(torch.zeros(3, dtype=torch.uint8))
    """.replace("\n", ";").split(";"),
)  # fmt: skip
def test_refusals(source: str) -> None:
    if source.strip():
        raises(source.strip())


def test_a_generator_is_copied_and_pickled_with_its_place() -> None:
    g = Generator().manual_seed(4)
    cr.randn(3, generator=g)
    copies = [copy.deepcopy(g), pickle.loads(pickle.dumps(g)), g.clone_state()]
    want = cr.randn(20, generator=g).numpy()
    for other in copies:
        np.testing.assert_array_equal(cr.randn(20, generator=other).numpy(), want)


def test_seeding_from_entropy_gives_its_seed() -> None:
    g = Generator()
    seed = g.seed()
    assert g.initial_seed() == seed
    first = cr.rand(5, generator=g).tolist()
    assert cr.rand(5, generator=Generator().manual_seed(seed)).tolist() == first


def test_what_is_refused_leaves_the_stream_where_it_was() -> None:
    cr.manual_seed(0)
    before = cr.get_rng_state().tolist()
    for bad in (lambda: cr.randint(5, 2, (3,)), lambda: cr.multinomial(cr.ones(2), 5), lambda: cr.empty(2).uniform_(3, 1)):
        with pytest.raises(RuntimeError):
            bad()
    assert cr.get_rng_state().tolist() == before


def test_binomial_has_its_mean_and_spread_and_repeats():
    count, p = cr.full((20_000,), 12.0), cr.full((20_000,), 0.7)
    cr.manual_seed(3)
    found = cr.binomial(count, p)
    assert found.dtype is cr.float32 and found.min().item() >= 0 and found.max().item() <= 12
    assert found.mean().item() == pytest.approx(8.4, abs=0.05)
    assert found.var().item() == pytest.approx(12 * 0.7 * 0.3, rel=0.05)
    cr.manual_seed(3)
    assert (cr.binomial(count, p) == found).all()
    assert cr.binomial(cr.tensor([5.0, 5.0, 0.0]), cr.tensor([0.0, 1.0, 0.5])).tolist() == [0.0, 5.0, 0.0]
    with pytest.raises(RuntimeError, match="floating-point"):
        cr.binomial(cr.tensor([1]), cr.tensor([0.5]))
    with pytest.raises(RuntimeError, match="must be >= 0"):
        cr.binomial(cr.tensor([-1.0]), cr.tensor([0.5]))


def test_feature_alpha_dropout_drops_whole_channels():
    cr.manual_seed(0)
    out = cr.nn.functional.feature_alpha_dropout(cr.randn(4, 8, 5), 0.5, training=True)
    flat = out.std(2) < 1e-6
    assert 0 < flat.sum().item() < 32
