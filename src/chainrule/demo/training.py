"""The network and how it learns: layers of nn, a loss, its gradient, and the steps of an optimizer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

import chainrule as cr
from chainrule import nn
from chainrule.demo.digits import SIDE, Digits
from chainrule.nn.functional import cross_entropy
from chainrule.optim import SGD
from chainrule.optim.lr_scheduler import LambdaLR

HIDDEN = 128
CLASSES = 10
BATCH = 64
RATE = 0.2
MOMENTUM = 0.9
DECAY = 1e-3


class Network(nn.Module):
    """Two layers: 64 pixels, 128 hidden units, 10 logits."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Linear(SIDE * SIDE, HIDDEN)
        self.output = nn.Linear(HIDDEN, CLASSES)

    def forward(self, x: cr.Tensor) -> Any:
        """How much each row of pixels looks like each of the ten digits."""
        return self.output(cr.relu(self.hidden(x)))


def seeded(seed: int) -> Network:
    """A network that is not trained yet; equal seeds make equal ones, and leave the random stream as it was."""
    with cr.random.fork_rng():
        cr.manual_seed(seed)
        return Network()


@dataclass(frozen=True)
class Epoch:
    """How good a network is after so many epochs, on what it learns from and on the test digits."""

    number: int
    train_loss: float
    train_accuracy: float
    test_loss: float
    test_accuracy: float


@dataclass(frozen=True)
class Misread:
    """A test digit that the network takes for another, and how sure it is of that."""

    number: int
    shown: int
    read_as: int
    probability: float


def train(network: Network, digits: Digits, epochs: int, seed: int) -> Iterator[Epoch]:
    """Train by gradient descent with momentum, one minibatch after the other; yields once per epoch.

    The first value is from before any training; `seed` is that of the order of the digits.
    """
    yield judge(network, digits, 0)
    shuffling = cr.Generator().manual_seed(seed)
    optimizer = SGD(network.parameters(), lr=RATE, momentum=MOMENTUM, weight_decay=DECAY)
    slower = LambdaLR(optimizer, lambda epoch: 1 - epoch / epochs)
    for epoch in range(epochs):
        order = cr.randperm(len(digits.train_y), generator=shuffling)
        for batch in order.split(BATCH):
            optimizer.zero_grad()
            loss = cross_entropy(network(digits.train_x[batch]), digits.train_y[batch])
            loss.backward()
            optimizer.step()
        slower.step()
        yield judge(network, digits, epoch + 1)


def judge(network: Network, digits: Digits, epoch: int) -> Epoch:
    """Measure loss and accuracy on both parts of the data."""
    measured = []
    with cr.no_grad():
        for x, y in ((digits.train_x, digits.train_y), (digits.test_x, digits.test_y)):
            logits = network(x)
            right = logits.argmax(1) == y
            measured += [cross_entropy(logits, y).item(), right.double().mean().item()]
    return Epoch(epoch, *measured)


def misread(network: Network, digits: Digits) -> list[Misread]:
    """Find the test digits that the network reads wrongly."""
    with cr.no_grad():
        probabilities = cr.softmax(network(digits.test_x), 1).numpy()
    guesses, shown = probabilities.argmax(1), digits.test_y.numpy()
    return [
        Misread(int(digits.test_numbers[i]), int(shown[i]), int(guesses[i]), float(probabilities[i].max()))
        for i in np.flatnonzero(guesses != shown)
    ]
