"""Calls on values: nothing is changed, and gradients go through."""

from typing import Any

import numpy as np
import pytest

from refnet import Sequential, layers, losses, metrics, optimizers, value_and_grad
from refnet.errors import ArgumentError
from refnet.testing.closeness import close

RANDOM = np.random.default_rng(0)
X = RANDOM.standard_normal((4, 3)).astype("float32")
Y = np.ones((4, 1), "float32")


def net() -> Any:
    inner = [layers.BatchNormalization(momentum=0.5), layers.Dense(2, "tanh", kernel_regularizer="l2"), layers.Dense(1)]
    return Sequential([layers.Input((3,)), *inner])


def values(variables: Any) -> list[Any]:
    return [v.numpy() for v in variables]


def test_a_call_with_its_own_values_is_the_call() -> None:
    model = net()
    trained, kept = model.trainable_variables, model.non_trainable_variables
    outputs, after = model.stateless_call(trained, kept, X)
    np.testing.assert_array_equal(outputs, model(X))
    for a, b in zip(after, values(kept)):
        np.testing.assert_array_equal(a, b)


def test_training_gives_the_new_values_and_keeps_the_old() -> None:
    model = net()
    trained, kept = values(model.trainable_variables), values(model.non_trainable_variables)
    _, after, added = model.stateless_call(trained, kept, X, training=True, return_losses=True)
    close(after[0], 0.5 * X.mean(0), 2 * (len(X) + 2), abs(X).mean(0))
    assert all((a == b).all() for a, b in zip(kept, values(model.non_trainable_variables)))
    (penalty,) = added
    squares = model.layers[1].kernel.numpy() ** 2
    close(penalty, 0.01 * squares.sum(), 2 * (squares.size + 3))
    model(X, training=True)
    np.testing.assert_array_equal(after[0], model.non_trainable_variables[0].value)


def test_other_values_are_used() -> None:
    layer = layers.Dense(1)
    layer.build((None, 3))
    (outputs, _) = layer.stateless_call([np.ones((3, 1)), np.full(1, 5.0)], [], X)
    close(outputs, X.sum(1, keepdims=True) + 5, 2 * (X.shape[1] + 1), abs(X).sum(1, keepdims=True) + 5)


def test_a_whole_training_in_values() -> None:
    """The same three steps, once by fit's own step and once by functions of values."""
    model = net()
    model.compile(optimizers.Adam(0.1), "mse")
    optimizer = optimizers.Adam(0.1)
    optimizer.build(model.trainable_variables)

    def loss(trained: Any, kept: Any) -> Any:
        outputs, _, added = model.stateless_call(trained, kept, X, training=True, return_losses=True)
        return losses.MeanSquaredError()(Y, outputs) + added[0]

    trained, kept = values(model.trainable_variables), values(model.non_trainable_variables)
    state, seen = values(optimizer.variables), []
    for _ in range(3):
        value, gradients = value_and_grad(loss)(trained, kept)
        kept = model.stateless_call(trained, kept, X, training=True)[1]
        trained, state = optimizer.stateless_apply(state, gradients, trained)
        seen.append(float(value))
    assert int(optimizer.iterations) == 0 and int(state[0]) == 3
    expected = [model.train_on_batch(X, Y) for _ in range(3)]
    np.testing.assert_array_equal(seen, expected)
    for a, b in zip([*trained, *kept], values([*model.trainable_variables, *model.non_trainable_variables])):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("made", [metrics.MeanSquaredError(), metrics.AUC(), metrics.F1Score(threshold=0.5)])
def test_metrics(made: Any) -> None:
    true, near = np.array([[0.0], [1.0], [1.0]]), np.array([[0.1], [0.8], [0.3]])
    if isinstance(made, metrics.F1Score):
        with pytest.raises(ArgumentError, match="call it once on data before"):
            made.stateless_update_state([], true, near)
        made.update_state(true, near)
        made.reset_state()
    state = made.stateless_reset_state()
    for a in (near, 1 - near):
        state = made.stateless_update_state(state, true, a)
    got = made.stateless_result(state)
    assert all(not v.numpy().any() for v in made.variables)
    made.update_state(true, near)
    made.update_state(true, 1 - near)
    np.testing.assert_array_equal(got, made.result())


def test_what_a_stateful_layer_keeps_cannot_be_fed() -> None:
    layer = layers.SimpleRNN(2, stateful=True)
    steps = np.ones((1, 3, 2), "float32")
    layer(steps)
    with pytest.raises(ArgumentError, match="rnn_state, which is none of its variables.*stateful=False"):
        layer.stateless_call(values(layer.trainable_variables), [], steps)


def test_what_is_refused() -> None:
    with pytest.raises(ArgumentError, match="it is not built yet"):
        layers.Dense(1).stateless_call([], [], X)
    with pytest.raises(ArgumentError, match="6 trainable and 2 other variables; got 1 and 0 values"):
        net().stateless_call([X], [], X)
    with pytest.raises(ArgumentError, match=r"call build\(trainable_variables\) first"):
        optimizers.SGD().stateless_apply([], [], [])
    with pytest.raises(ArgumentError, match="got 1 values for 2 variables"):
        metrics.MeanSquaredError().stateless_result([0.0])


@pytest.mark.parametrize(
    "trained, message",
    [
        ([np.ones((3, 2)), np.ones(1)], r"shape \(3, 1\) for the variable \w+/kernel is needed; got shape \(3, 2\)"),
        ([None, np.ones(1)], r"shape \(3, 1\) for the variable \w+/kernel is needed; got None"),
        (["a", np.ones(1)], "got 'a'"),
        ([np.full((3, 1), "a"), np.ones(1)], "got dtype <U1"),
        (None, "trainable_variables is a list of values; got None"),
    ],
)
def test_values_that_are_none_of_the_variables(trained: Any, message: str) -> None:
    layer = layers.Dense(1)
    layer.build((None, 3))
    with pytest.raises(ValueError, match=message):
        layer.stateless_call(trained, [], X)
