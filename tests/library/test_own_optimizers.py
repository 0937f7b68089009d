"""Optimizers that a user writes as for Keras 3: `build`, `update_step`, `apply`. Numbers are whole or dyadic, so results are exact."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from refnet import Variable, ops, optimizers
from refnet.errors import ArgumentError
from refnet.layers import Dense, Input
from refnet.models import Sequential, load_model

X, Y = np.array([[1.0, 2.0], [3.0, -1.0]], "float32"), np.array([[2.0], [4.0]], "float32")


class Heavy(optimizers.Optimizer):
    """velocity = beta * velocity + gradient;  weight -= rate * velocity, which reads the new velocity."""

    def __init__(self, learning_rate: Any = 0.25, beta: float = 0.5, **more: Any):
        super().__init__(learning_rate=learning_rate, **more)
        self.beta = beta

    def build(self, variables: Any) -> None:
        if self.built:
            return
        super().build(variables)
        self.velocities = self.add_optimizer_variables(variables, "velocity")
        self.seen = self.add_variable((), name="seen")

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        velocity = self.velocities[self._get_variable_index(variable)]
        rate = ops.cast(learning_rate, variable.dtype)
        self.assign(velocity, self.beta * velocity + gradient)
        self.assign_sub(variable, rate * velocity)
        self.assign_add(self.seen, 1.0)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "beta": self.beta}


def line(optimizer: Any) -> Any:
    model = Sequential([Input((2,)), Dense(1, kernel_initializer="ones")])
    model.compile(optimizer, "mse")
    return model


def by_hand(kernel: Any, bias: Any, velocity: Any, steps: int) -> tuple[Any, ...]:
    for _ in range(steps):
        error = X @ kernel + bias - Y
        slopes = X.T @ error, error.sum(0)  # of the mean of two squares
        velocity = [0.5 * v + slope for v, slope in zip(velocity, slopes)]
        kernel, bias = kernel - 0.25 * velocity[0], bias - 0.25 * velocity[1]
    return kernel, bias, velocity


ONES, NONE = np.ones((2, 1)), np.zeros(1)
STILL = [np.zeros((2, 1)), np.zeros(1)]


def test_fit_takes_the_steps_of_update_step() -> None:
    model = line(Heavy())
    model.fit(X, Y, batch_size=2, epochs=3, shuffle=False, verbose=0)
    kernel, bias, velocity = by_hand(ONES, NONE, STILL, 3)
    np.testing.assert_array_equal(model.get_weights()[0], kernel)
    np.testing.assert_array_equal(model.get_weights()[1], bias)
    optimizer = model.optimizer
    assert [v.shape for v in optimizer.variables] == [(), (), (2, 1), (1,), ()]
    np.testing.assert_array_equal(optimizer.velocities[0].numpy(), velocity[0])
    assert int(optimizer.iterations.numpy()) == 3
    assert optimizer.seen.numpy() == 6.0


def test_one_step_by_apply_is_the_same() -> None:
    weight = Variable(np.ones(2, "float32"), name="weight")
    optimizer = Heavy()
    for _ in range(2):
        optimizer.apply([np.array([2.0, 4.0])], [weight])
    np.testing.assert_array_equal(weight.numpy(), [1 - 0.5 - 0.75, 1 - 1 - 1.5])


def test_what_was_added_is_kept_in_files(tmp_path: Path) -> None:
    model = line(Heavy())
    model.fit(X, Y, batch_size=2, epochs=2, shuffle=False, verbose=0)
    model.save(tmp_path / "model.keras")
    again = load_model(tmp_path / "model.keras", custom_objects={"Heavy": Heavy})
    for one in (model, again):
        one.fit(X, Y, batch_size=2, epochs=1, shuffle=False, verbose=0)
    np.testing.assert_array_equal(again.get_weights()[0], model.get_weights()[0])
    np.testing.assert_array_equal(again.get_weights()[0], by_hand(ONES, NONE, STILL, 3)[0])


def test_decay_comes_first_and_averages_last() -> None:
    weight = Variable(np.array([4.0], "float32"), name="weight")
    optimizer = Heavy(weight_decay=0.5, use_ema=True, ema_momentum=0.5)
    optimizer.apply([np.array([2.0])], [weight])
    np.testing.assert_array_equal(weight.numpy(), [4.0 - 0.25 * 0.5 * 4.0 - 0.5])
    optimizer.finalize_variable_values([weight])
    np.testing.assert_array_equal(weight.numpy(), [3.0])  # the first average is the weight itself


class Doubling(optimizers.SGD):
    """A rule of ours with a step of its own around it."""

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        super().update_step(2.0 * gradient, variable, learning_rate)


class Centred(optimizers.SGD):
    """Gradients without their mean, as `apply` gets them."""

    def apply(self, grads: Any, trainable_variables: Any = None) -> None:
        centred = [g - ops.mean(g, axis=0, keepdims=True) if len(g.shape) > 1 else g for g in grads]
        super().apply(centred, trainable_variables)


def test_a_rule_of_ours_may_be_called_from_update_step() -> None:
    mine, plain = line(Doubling(0.25, momentum=0.5)), line(optimizers.SGD(0.25, momentum=0.5))
    mine.fit(X, Y, batch_size=2, epochs=1, verbose=0)
    plain.fit(X, Y, batch_size=2, epochs=1, verbose=0)
    for one, other, start in zip(mine.get_weights(), plain.get_weights(), (ONES, NONE)):
        np.testing.assert_array_equal(one - start, 2 * (other - start))


@pytest.mark.parametrize("eagerly", [False, True])
def test_fit_goes_through_an_apply_of_the_users(eagerly: bool) -> None:
    model = line(Centred(0.25))
    model.compile(Centred(0.25), "mse", run_eagerly=eagerly)
    model.fit(X, Y, batch_size=2, epochs=1, verbose=0)
    slope = X.T @ (X @ ONES - Y)
    np.testing.assert_array_equal(model.get_weights()[0], ONES - 0.25 * (slope - slope.mean(0)))


def test_accumulated_gradients_need_a_step_that_assigns_nothing() -> None:
    with pytest.raises(ArgumentError, match="heavy: gradient_accumulation_steps needs an optimizer that says"):
        line(Heavy(gradient_accumulation_steps=2)).fit(X, Y, verbose=0)


def test_an_optimizer_without_an_update_says_so() -> None:
    with pytest.raises(NotImplementedError, match="neither `step` nor `update_step`"):
        line(optimizers.Optimizer(0.25)).fit(X, Y, verbose=0)
