"""Some steps of training by hand: what the optimizer of a model makes of the gradient of its loss."""

import math
from typing import Any

import numpy as np
import pytest

from refnet import ops, optimizers
from refnet.layers import Dense, Input
from refnet.models import Sequential
from refnet.testing.conformance import agree


def linear(optimizer: Any, start: Any, **more: Any) -> Any:
    """y = x @ kernel, whose mse gradient is easily written down."""
    model = Sequential([Input((2,)), Dense(1, use_bias=False, **more)])
    model.set_weights([np.array(start, "float32").reshape(2, 1)])
    model.compile(optimizer, "mse")
    return model


A = np.array([[1.0, 2.0], [3.0, -1.0], [0.5, 0.25]], "float32")
B = np.array([[1.0], [0.0], [2.0]], "float32")
START = np.array([[0.5], [-1.0]], "float32")


def gradient(w: Any) -> Any:
    return 2 / 3 * ops.matmul(A.T, ops.matmul(A, w) - B)


def trained(optimizer: Any, steps: int) -> Any:
    """The kernel after so many steps from START."""
    model = linear(optimizer, START)
    for _ in range(steps):
        model.train_on_batch(A, B)
    assert int(model.optimizer.iterations) == steps
    return model.get_weights()[0]


@pytest.mark.api("SGD, momentum, mini-batch variants", "argument `rho`, `momentum`, `nesterov`")
def test_sgd_by_hand() -> None:
    def by_hand(w: Any) -> Any:
        v = 0.0
        for _ in range(3):
            g = gradient(w)
            v = 0.9 * v - 0.1 * g
            w = w + 0.9 * v - 0.1 * g
        return w

    agree(by_hand, trained(optimizers.SGD(0.1, momentum=0.9, nesterov=True), 3), START)


@pytest.mark.api("optimizers.RMSprop", "argument `rho`, `momentum`, `nesterov`")
def test_rmsprop_by_hand() -> None:
    def by_hand(w: Any) -> Any:
        v = m = a = 0.0
        for _ in range(3):
            g = gradient(w)
            v, a = 0.8 * v + 0.2 * g**2, 0.8 * a + 0.2 * g
            m = 0.5 * m + 0.1 * g / ops.sqrt(v - a**2 + 1e-7)
            w = w - m
        return w

    agree(by_hand, trained(optimizers.RMSprop(0.1, rho=0.8, momentum=0.5, centered=True), 3), START)


def test_adam_by_hand() -> None:
    def by_hand(w: Any) -> Any:
        v = m = 0.0
        for t in range(1, 4):
            g = gradient(w)
            m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
            w = w - 0.1 * math.sqrt(1 - 0.999**t) / (1 - 0.9**t) * m / (ops.sqrt(v) + 1e-7)
        return w

    agree(by_hand, trained(optimizers.Adam(0.1), 3), START)


@pytest.mark.api("arguments `clipvalue`, (`clipnorm`)")
@pytest.mark.parametrize(
    ("more", "change"),
    [
        ({"clipvalue": 0.5}, lambda g, w: ops.clip(g, -0.5, 0.5)),
        ({"clipnorm": 0.5}, lambda g, w: g * 0.5 / ops.sqrt(ops.sum(g**2))),  # which is above 0.5
        ({"global_clipnorm": 0.5}, lambda g, w: g * 0.5 / ops.sqrt(ops.sum(g**2))),
        ({"weight_decay": 0.2}, lambda g, w: g + 0.2 * w),
    ],
)
def test_clipping_and_weight_decay(more: Any, change: Any) -> None:
    agree(lambda w: w - 0.1 * change(gradient(w), w), trained(optimizers.SGD(0.1, **more), 1), START)


def test_the_learning_rate_can_be_changed_and_scheduled() -> None:
    optimizer = optimizers.SGD(0.1)
    optimizer.learning_rate = 0.25
    agree(lambda w: w - 0.25 * gradient(w), trained(optimizer, 1), START)

    def by_hand(w: Any) -> Any:
        for t in range(3):
            w = w - 0.1 / (t + 1) * gradient(w)
        return w

    agree(by_hand, trained(optimizers.SGD(lambda step: 0.1 / (ops.cast(step, "float32") + 1)), 3), START)


def test_a_constraint_is_applied_after_the_update() -> None:
    model = linear(optimizers.SGD(0.1), [0.5, -1.0], kernel_constraint=ops.relu)
    model.train_on_batch(A, B)
    assert np.all(model.get_weights()[0] >= 0)
