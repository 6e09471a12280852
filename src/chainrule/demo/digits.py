"""The data: 1,797 handwritten digits of 8 by 8 pixels, which scikit-learn brings along."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import chainrule as cr

TEST_SHARE = 0.2
BRIGHTEST = 16.0
SIDE = 8


@dataclass(frozen=True)
class Digits:
    """One split of the data: pixels (n, 64) and what they show, to learn from and to be tested on."""

    train_x: cr.Tensor
    train_y: cr.Tensor
    test_x: cr.Tensor
    test_y: cr.Tensor
    test_numbers: np.ndarray  # which of all the digits the test ones are


def load() -> tuple[np.ndarray, np.ndarray]:
    """Read all images, brightness from 0 to 1, as (n, 64) float32; and the digits they show."""
    from sklearn.datasets import load_digits

    images, shown = load_digits(return_X_y=True)
    return (images / BRIGHTEST).astype(np.float32), shown.astype(np.int64)


def split(images: np.ndarray, shown: np.ndarray, seed: int) -> Digits:
    """Keep a fifth for the test, each digit with its share; centre all pixels by the mean of the others."""
    from sklearn.model_selection import train_test_split

    train, test = train_test_split(
        np.arange(len(shown)), test_size=TEST_SHARE, stratify=shown, random_state=seed
    )
    middle = images[train].mean(0)
    return Digits(
        cr.tensor(images[train] - middle),
        cr.tensor(shown[train]),
        cr.tensor(images[test] - middle),
        cr.tensor(shown[test]),
        test,
    )
