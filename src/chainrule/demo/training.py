"""The network and how it learns: tensors, a loss, its gradient, and steps against it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

import chainrule as cr
from chainrule.demo.digits import SIDE, Digits
from chainrule.nn.functional import cross_entropy

HIDDEN = 128
CLASSES = 10
BATCH = 64
RATE = 0.2
MOMENTUM = 0.9
DECAY = 1e-3


class Network:
    """Two layers: 64 pixels, 128 hidden units, 10 logits. Equal seeds make equal networks."""

    def __init__(self, seed: int) -> None:
        self.random = cr.Generator().manual_seed(seed)
        self.w1 = self._weights(SIDE * SIDE, HIDDEN, gain=2.0)  # relu lets half of the variance through
        self.b1 = cr.zeros(HIDDEN, requires_grad=True)
        self.w2 = self._weights(HIDDEN, CLASSES, gain=1.0)
        self.b2 = cr.zeros(CLASSES, requires_grad=True)

    def _weights(self, inputs: int, outputs: int, gain: float) -> cr.Tensor:
        noise = cr.randn(inputs, outputs, generator=self.random)
        return (noise * math.sqrt(gain / inputs)).requires_grad_()  # type: ignore[no-any-return]

    @property
    def parameters(self) -> tuple[cr.Tensor, ...]:
        """What is learnt."""
        return self.w1, self.b1, self.w2, self.b2

    def logits(self, x: cr.Tensor) -> Any:
        """How much each row of pixels looks like each of the ten digits."""
        hidden = cr.relu(x @ self.w1 + self.b1)
        return hidden @ self.w2 + self.b2


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


def train(network: Network, digits: Digits, epochs: int) -> Iterator[Epoch]:
    """Train by gradient descent with momentum, one minibatch after the other; yields once per epoch.

    The first value is from before any training.
    """
    yield judge(network, digits, 0)
    velocities = [cr.zeros_like(p) for p in network.parameters]
    for epoch in range(epochs):
        rate = RATE * (1 - epoch / epochs)
        order = cr.randperm(len(digits.train_y), generator=network.random)
        for batch in order.split(BATCH):
            loss = cross_entropy(network.logits(digits.train_x[batch]), digits.train_y[batch])
            loss.backward()
            step(network.parameters, velocities, rate)
        yield judge(network, digits, epoch + 1)


def step(parameters: tuple[cr.Tensor, ...], velocities: list[cr.Tensor], rate: float) -> None:
    """Move the parameters against their gradients, with momentum and weight decay, and clear the gradients."""
    with cr.no_grad():
        for p, v in zip(parameters, velocities, strict=True):
            v *= MOMENTUM
            v += p.grad + DECAY * p
            p -= rate * v
            p.grad = None


def judge(network: Network, digits: Digits, epoch: int) -> Epoch:
    """Measure loss and accuracy on both parts of the data."""
    measured = []
    with cr.no_grad():
        for x, y in ((digits.train_x, digits.train_y), (digits.test_x, digits.test_y)):
            logits = network.logits(x)
            right = logits.argmax(1) == y
            measured += [cross_entropy(logits, y).item(), right.double().mean().item()]
    return Epoch(epoch, *measured)


def misread(network: Network, digits: Digits) -> list[Misread]:
    """Find the test digits that the network reads wrongly."""
    with cr.no_grad():
        probabilities = cr.softmax(network.logits(digits.test_x), 1).numpy()
    guesses, shown = probabilities.argmax(1), digits.test_y.numpy()
    return [
        Misread(int(digits.test_numbers[i]), int(shown[i]), int(guesses[i]), float(probabilities[i].max()))
        for i in np.flatnonzero(guesses != shown)
    ]
