"""torch.utils.data beside torch: the same programs, the same random orders, the same refusals."""

from __future__ import annotations

import pytest

import chainrule as cr
from chainrule.utils.data import DataLoader, TensorDataset
from tests.oracle import agree, raises

SET_UP = """
from torch.utils.data import *
X, y = torch.arange(20.0).reshape(10, 2), torch.arange(10)
ds = TensorDataset(X, y)
class Squares(Dataset):
    def __len__(self): return 5
    def __getitem__(self, i): return i, i * i
class Stream(IterableDataset):
    def __iter__(self): return iter(range(5))
torch.manual_seed(7)
"""
EPOCHS = "\nfor _ in range(3):\n    for batch in loader: print(batch)\nprint(len(loader), torch.rand(2))"
LOADERS = [
    "DataLoader(ds)", "DataLoader(ds, batch_size=4)", "DataLoader(ds, batch_size=4, shuffle=True)",
    "DataLoader(ds, 3, True, drop_last=True)", "DataLoader(ds, 4, shuffle=True, generator=torch.Generator().manual_seed(3))",
    "DataLoader(Squares(), batch_size=2, shuffle=True)", "DataLoader(Squares(), batch_size=None)",
    "DataLoader(ds, batch_size=4, sampler=SubsetRandomSampler([1, 3, 5, 7]))",
    "DataLoader(ds, batch_sampler=BatchSampler(RandomSampler(ds), 3, True))",
    "DataLoader(ds, 4, sampler=WeightedRandomSampler([0.1, 0.9, 0.4], 6))", "DataLoader(ConcatDataset([ds, ds]), 7, True)",
    "DataLoader(random_split(ds, [7, 3])[0], 3, True)", "DataLoader(range(5), 2)", "DataLoader([1.5, 2.5, 3.0], 2)",
    "DataLoader(Squares(), 2, collate_fn=lambda samples: sum(a for a, b in samples))",
]  # fmt: skip
PROGRAMS = [
    "a, b = random_split(ds, [7, 3]); print(a.indices, b.indices, len(a), a[0], b[1])",
    "print([s.indices for s in random_split(range(10), [0.3, 0.3, 0.4], torch.Generator().manual_seed(42))])",
    "print([len(s) for s in random_split(range(11), [0.5, 0.5])]); len(random_split(range(1), [0.5, 0.5]))",
    "print(list(RandomSampler(ds, replacement=True, num_samples=40)), list(RandomSampler(ds, num_samples=25)))",
    "print(list(WeightedRandomSampler([0.1, 0.9, 0.4], 5)), list(WeightedRandomSampler([0.1, 0.9, 0.4], 2, False)))",
    "print(list(SubsetRandomSampler([3, 5, 7])), list(BatchSampler(SequentialSampler(ds), 3, True)), len(RandomSampler(ds)))",
    "default_collate([{'a': torch.ones(2), 'b': 1.5}, {'a': torch.zeros(2), 'b': 2}])",
    "print(default_collate([[1, 'x'], [2, 'y']]), default_collate([1.5, 2.5]), default_collate([True, False]), default_collate(['a', 'b']))",
    "import collections\nP = collections.namedtuple('P', 'u v'); print(default_collate([P(1, np.ones(2)), P(2, np.zeros(2))]))",
    "print(default_collate([np.float32(1), np.float32(2)]), default_convert([np.ones(2), (1, 'a'), {'k': np.int64(3)}]))",
    "print(len(Squares() + Squares()), (Squares() + Squares())[7], (ds + ds)[-1], list(Stream() + Stream()))",
    "for batch in DataLoader(Stream(), batch_size=2): print(batch)\nfor x in DataLoader(Stream(), batch_size=None): print(x)",
    "print(Subset(ds, [4, 2])[1], len(Subset(ds, [4, 2])), ds[2:4], len(ds))",
    "loader = DataLoader(ds, batch_size=3); x, t = next(iter(loader)); print(x, t, loader.batch_size, loader.dataset is ds)",
]
REFUSED = [
    "random_split(ds, [3, 3])", "random_split(ds, [1.5, -0.5])", "TensorDataset(X, y[:3])", "DataLoader(ds, batch_size=0)",
    "DataLoader(ds, num_workers=-1)", "DataLoader(ds, sampler=SequentialSampler(ds), shuffle=True)",
    "DataLoader(ds, batch_sampler=BatchSampler(SequentialSampler(ds), 2, False), shuffle=True)",
    "DataLoader(ds, batch_size=None, drop_last=True)", "DataLoader([], shuffle=True)", "DataLoader(Stream(), shuffle=True)",
    "default_collate([object()])", "default_collate([[1], [1, 2]])", "Dataset()[0]", "RandomSampler(ds, replacement=3)",
    "WeightedRandomSampler([1.0], 0)", "WeightedRandomSampler([1.0], 1, replacement=2)", "BatchSampler(ds, 0, False)",
    "BatchSampler(ds, 2, 3)", "(ds + ds)[99]", "ConcatDataset([])",
]  # fmt: skip


@pytest.mark.torch
@pytest.mark.parametrize("loader", LOADERS)
def test_loaders(loader: str) -> None:
    agree(f"{SET_UP}loader = {loader}{EPOCHS}")


@pytest.mark.torch
@pytest.mark.parametrize("source", PROGRAMS)
def test_programs(source: str) -> None:
    agree(SET_UP + source)


@pytest.mark.torch
@pytest.mark.parametrize("source", REFUSED)
def test_refusals(source: str) -> None:
    raises(SET_UP + source, part="" if "object()" in source or "BatchSampler(ds, 2, 3" in source else None)


def test_workers_are_not_pretended() -> None:
    with pytest.raises(NotImplementedError, match="num_workers"):
        DataLoader(TensorDataset(cr.ones(3)), num_workers=2)


@pytest.mark.torch
def test_batches_of_mappings_keep_their_kind() -> None:
    agree(SET_UP + """
from collections import OrderedDict, defaultdict
from torch.utils.data import default_collate
made = defaultdict(list); made["a"] = 1.5
print(default_collate([made, made]), default_collate([OrderedDict(b=1), OrderedDict(b=2)]))
""")


@pytest.mark.torch
@pytest.mark.parametrize("size", [0, -1])
def test_batches_of_no_size(size: int) -> None:
    raises(SET_UP + f"""
class Stream(torch.utils.data.IterableDataset):
    def __iter__(self): return iter(range(3))
list(torch.utils.data.DataLoader(Stream(), batch_size={size}))
""")
