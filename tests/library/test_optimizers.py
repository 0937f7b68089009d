"""The options that all optimizers have, schedules and averages; each optimizer's own rule is in test_optimizer_rules.py."""

from typing import Any

import numpy as np
import pytest

from refnet import Variable, callbacks, ops, optimizers
from refnet.errors import ArgumentError
from refnet.layers import Dense, Input
from refnet.models import Sequential
from refnet.optimizers import schedules
from refnet.testing.closeness import ELEMENTARY, close
from refnet.testing.conformance import agree

RANDOM = np.random.default_rng(0)
MATRIX, VECTOR = RANDOM.standard_normal((3, 2)), RANDOM.standard_normal(2)
SLOPES = RANDOM.standard_normal((4, 3, 2)), RANDOM.standard_normal((4, 2))
RATE = 0.125


def variables() -> list[Variable]:
    return [
        Variable(MATRIX, dtype="float64", name="dense/kernel"),
        Variable(VECTOR, dtype="float64", name="dense/bias"),
    ]


def after(optimizer: Any, steps: int = 4) -> list[Any]:
    weights = variables()
    for t in range(steps):
        optimizer.apply([g[t] for g in SLOPES], weights)
    return [w.numpy() for w in weights]


def test_gradients_of_several_batches_make_one_step() -> None:
    """The mean of two gradients, clipped after it was taken; between steps nothing moves."""
    together = optimizers.Adam(RATE, gradient_accumulation_steps=2, clipvalue=0.5)
    weights = variables()
    together.apply([g[0] for g in SLOPES], weights)
    assert np.array_equal(weights[0].numpy(), MATRIX) and int(together.iterations) == 0
    for t in (1, 2, 3):
        together.apply([g[t] for g in SLOPES], weights)
    alone, others = optimizers.Adam(RATE, clipvalue=0.5), variables()
    for t in (0, 2):
        alone.apply([(g[t] + g[t + 1]) / 2 for g in SLOPES], others)
    for a, b in zip(weights, others):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    assert int(together.iterations) == 2 and not together.slot(weights[0], "gradient_accumulator").numpy().any()


def test_moving_averages() -> None:
    optimizer, weights = optimizers.SGD(RATE, use_ema=True, ema_momentum=0.75), variables()
    due = None
    for t in range(3):
        optimizer.apply([g[t] for g in SLOPES], weights)
        due = weights[0].numpy() if due is None else 0.75 * due + 0.25 * weights[0].numpy()
    average = optimizer.slot(weights[0], "average").numpy()
    close(average, due, 2 * 3 * 3, abs(MATRIX) + RATE * abs(SLOPES[0][:3]).sum(0))
    optimizer.finalize_variable_values(weights)
    np.testing.assert_array_equal(weights[0].numpy(), average)


def test_averages_overwrite_the_weights_after_so_many_steps() -> None:
    optimizer, weights = optimizers.SGD(RATE, use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=2), variables()
    w = MATRIX
    for t in range(2):
        w = w - RATE * SLOPES[0][t]
        optimizer.apply([g[t] for g in SLOPES], weights)
    first = MATRIX - RATE * SLOPES[0][0]
    np.testing.assert_array_equal(weights[0].numpy(), (first + w) / 2)


def test_fit_ends_with_the_averages() -> None:
    x, y = np.ones((4, 2), "float32"), np.ones((4, 1), "float32")
    model = Sequential([Input((2,)), Dense(1, kernel_initializer="ones")])
    optimizer = optimizers.SGD(0.125, use_ema=True, ema_momentum=0.5)
    model.compile(optimizer, "mse")
    model.fit(x, y, epochs=2, batch_size=2, verbose=0)
    for weight in model.trainable_weights:
        assert np.array_equal(weight.numpy(), optimizer.slot(weight, "average").numpy())


def test_a_scaled_loss_gives_the_same_steps() -> None:
    scaled = optimizers.SGD(RATE, loss_scale_factor=8.0)
    assert float(scaled.scale_loss(np.float32(2))) == 16
    weights = variables()
    scaled.apply([8 * g[0] for g in SLOPES], weights)
    np.testing.assert_array_equal(weights[0].numpy(), MATRIX - RATE * SLOPES[0][0])


def test_loss_scale_optimizer_leaves_out_steps_that_overflow() -> None:
    optimizer = optimizers.LossScaleOptimizer(optimizers.SGD(RATE), initial_scale=4.0, dynamic_growth_steps=2)
    weights = variables()
    optimizer.apply([4 * g[0] for g in SLOPES], weights)
    first = MATRIX - RATE * SLOPES[0][0]
    np.testing.assert_array_equal(weights[0].numpy(), first)
    optimizer.apply([np.full((3, 2), np.inf), SLOPES[1][1]], weights)
    np.testing.assert_array_equal(weights[0].numpy(), first)
    assert float(optimizer.dynamic_scale) == 2 and int(optimizer.iterations) == 1
    assert optimizer.name == "loss_scale_optimizer"
    for t in (1, 2):
        optimizer.apply([2 * g[t] for g in SLOPES], weights)
    assert float(optimizer.dynamic_scale) == 4 and int(optimizer.iterations) == 3 and int(optimizer.step_counter) == 0
    size = abs(MATRIX) + RATE * abs(SLOPES[0][:3]).sum(0)
    close(weights[0].numpy(), first - RATE * (SLOPES[0][1] + SLOPES[0][2]), 2 * 3, size)


def test_a_model_trains_with_a_scaled_loss() -> None:
    x, y = RANDOM.standard_normal((6, 2)).astype("float32"), np.ones((6, 1), "float32")
    trained = []
    for wrap in (lambda o: o, lambda o: optimizers.LossScaleOptimizer(o, initial_scale=8.0)):
        model = Sequential([Input((2,)), Dense(1, kernel_initializer="ones")])
        model.compile(wrap(optimizers.SGD(0.125)), "mse")
        history = model.fit(x, y, epochs=2, batch_size=6, verbose=0)
        trained.append((model.get_weights(), history.history["loss"]))
    for a, b in zip(trained[0][0], trained[1][0]):
        np.testing.assert_array_equal(a, b)
    assert trained[0][1] == trained[1][1]


def test_weight_decay_leaves_some_weights_alone() -> None:
    still = [np.zeros((3, 2)), np.zeros(2)]
    optimizer, weights = optimizers.SGD(0.5, weight_decay=0.5), variables()
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    optimizer.apply(still, weights)
    np.testing.assert_array_equal(weights[0].numpy(), 0.75 * MATRIX)
    assert np.array_equal(weights[1].numpy(), VECTOR)
    with pytest.raises(ArgumentError, match="before the first step"):
        optimizer.exclude_from_weight_decay(var_names=["kernel"])
    other, weights = optimizers.SGD(0.5, weight_decay=0.5), variables()
    other.exclude_from_weight_decay(var_list=[weights[0]])
    other.apply(still, weights)
    assert np.array_equal(weights[0].numpy(), MATRIX) and not np.array_equal(weights[1].numpy(), VECTOR)


def test_weights_without_a_gradient_stay() -> None:
    optimizer, weights = optimizers.Adam(RATE), variables()
    optimizer.apply([None, SLOPES[1][0]], weights)
    assert np.array_equal(weights[0].numpy(), MATRIX) and not np.array_equal(weights[1].numpy(), VECTOR)
    assert int(optimizer.apply_gradients([(SLOPES[0][0], weights[0])])) == 2


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: optimizers.SGD(-1.0), "learning_rate must be a number of at least 0"),
        (lambda: optimizers.Adam(clipnorm=1.0, clipvalue=1.0), "at most one of clipnorm"),
        (lambda: optimizers.Adam(use_ema=True, ema_momentum=2.0), "ema_momentum lies in 0..1"),
        (lambda: optimizers.Adam(gradient_accumulation_steps=1), "at least 2, or None"),
        (lambda: optimizers.AdamW(weight_decay=None), "without decay use Adam"),
        (lambda: optimizers.Ftrl(learning_rate_power=1.0), "learning_rate_power must not be above 0"),
        (lambda: optimizers.Lion(beta_1=0.0), "beta_1 lies in 0..1"),
        (lambda: optimizers.LossScaleOptimizer("sgd"), "inner_optimizer must be another optimizer"),
        (lambda: optimizers.LossScaleOptimizer(optimizers.SGD(), clipnorm=1.0), "give clipnorm to the inner"),
        (lambda: optimizers.SGD().apply([np.zeros(2)]), "Call build"),
        (lambda: optimizers.get("adamm"), "Did you mean 'adam"),
        (lambda: schedules.ExponentialDecay(0.1, 0, 0.5), "decay_steps must be above 0"),
        (lambda: schedules.PiecewiseConstantDecay([1], [1.0]), "one value more than boundaries"),
    ],
)
def test_errors(make: Any, words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        make()


# ---- schedules


def test_schedules_by_hand() -> None:
    halving = schedules.ExponentialDecay(1.0, decay_steps=2, decay_rate=0.5, staircase=True)
    assert [float(halving(t)) for t in range(5)] == [1, 1, 0.5, 0.5, 0.25]
    inverse = schedules.InverseTimeDecay(1.0, 1, 1.0)
    assert [float(inverse(t)) for t in (0, 1, 3)] == [1, 0.5, 0.25]
    line = schedules.PolynomialDecay(1.0, 4, end_learning_rate=0.5, cycle=True)
    assert [float(line(t)) for t in (0, 2, 4, 6, 8)] == [1, 0.75, 0.5, 0.625, 0.5]
    warm = schedules.CosineDecay(0.0, 4, alpha=0.5, warmup_target=1.0, warmup_steps=2)
    np.testing.assert_array_equal([float(warm(t)) for t in (0, 1, 2, 4, 6, 9)], [0, 0.5, 1, 0.75, 0.5, 0.5])
    again = schedules.CosineDecayRestarts(1.0, 2, t_mul=1.0, m_mul=0.5)
    close([float(again(t)) for t in (0, 1, 2, 3, 4)], [1, 0.5, 0.5, 0.25, 0.25], 2 * (ELEMENTARY + 4), 1)


class Own(schedules.LearningRateSchedule):
    def __call__(self, step: Any) -> Any:
        return ops.divide(0.5, ops.add(ops.cast(step, "float32"), 1.0))


@pytest.mark.parametrize("schedule", [Own(), lambda step: 0.5 / (ops.cast(step, "float32") + 1.0)])
def test_the_rate_follows_the_steps_within_the_program(schedule: Any) -> None:
    optimizer = optimizers.SGD(schedule)
    (w, _) = after(optimizer, steps=3)
    changes = np.array([SLOPES[0][t] * 0.5 / (t + 1) for t in range(3)])
    # the rates are, the weights are float64
    close(w, MATRIX - changes.sum(0), 2 * 2, abs(changes).sum(0), dtype="float32")
    assert float(optimizer.learning_rate) == 0.125
    with pytest.raises(ArgumentError, match="a schedule cannot be set"):
        optimizer.learning_rate = 0.1


def test_the_rate_stands_in_the_logs() -> None:
    x, y = np.ones((4, 2), "float32"), np.ones((4, 1), "float32")
    model = Sequential([Input((2,)), Dense(1)])
    model.compile("sgd", "mse")
    schedule = callbacks.LearningRateScheduler(lambda epoch: 0.5 / (epoch + 1))
    history = model.fit(x, y, epochs=2, verbose=0, callbacks=[schedule])
    assert history.history["learning_rate"] == [0.5, 0.25] == history.history["lr"]
    plateau = callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1, min_delta=100.0)
    history = model.fit(x, y, epochs=3, verbose=0, callbacks=[plateau])
    assert history.history["learning_rate"] == [0.25, 0.25, 0.125]


def test_configs_of_wrapped_and_old_ones_come_back() -> None:
    first = optimizers.LossScaleOptimizer(optimizers.Adam(schedules.CosineDecay(0.1, 10)))
    again = optimizers.deserialize(optimizers.serialize(first))
    assert again.inner_optimizer.schedule.get_config() == first.inner_optimizer.schedule.get_config()
    old = optimizers.RMSprop(lr=0.5, decay=0.25)
    assert float(old.lr) == 0.5 and optimizers.RMSprop.from_config(old.get_config()).decay == 0.25


def test_evaluation_with_the_averages() -> None:
    x, y = RANDOM.standard_normal((6, 2)).astype("float32"), np.ones((6, 1), "float32")
    model = Sequential([Input((2,)), Dense(1)])
    optimizer = optimizers.SGD(0.125, use_ema=True, ema_momentum=0.5)
    model.compile(optimizer, "mse")
    model.train_on_batch(x, y)
    model.train_on_batch(x, y)
    kernel, bias = model.get_weights()
    averages = [optimizer.slot(w, "average").numpy() for w in model.trainable_weights]
    swap = callbacks.SwapEMAWeights()
    loss = model.evaluate(x, y, verbose=0, callbacks=[swap])
    size = np.mean((abs(x) @ abs(averages[0]) + abs(averages[1]) + y) ** 2)
    close(loss, np.mean((x @ averages[0] + averages[1] - y) ** 2), 2 * (2 * 4 + 6 + 2), size)
    assert np.array_equal(model.get_weights()[0], kernel) and np.array_equal(model.get_weights()[1], bias)
    seen: list[Any] = []
    look = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(model.get_weights()[0]))
    model.fit(x, y, epochs=2, batch_size=6, shuffle=False, verbose=0, callbacks=[callbacks.SwapEMAWeights(True), look])

    def by_hand(x: Any, y: Any, w: Any, b: Any, average: Any) -> Any:
        kernels = []
        for _ in range(2):
            error = ops.matmul(x, w) + b - y
            w, b = w - 0.125 / 3 * ops.matmul(ops.transpose(x), error), b - 0.125 / 3 * ops.sum(error, 0)
            average = 0.5 * average + 0.5 * w
            kernels.append(average)
        return kernels

    agree(by_hand, seen, x, y, kernel, bias, averages[0])
    np.testing.assert_array_equal(model.get_weights()[0], seen[-1])  # as every fit with averages ends
    plain = Sequential([Input((2,)), Dense(1)])
    plain.compile("sgd", "mse")
    with pytest.raises(ArgumentError, match="use_ema=True"):
        plain.evaluate(x, y, verbose=0, callbacks=[callbacks.SwapEMAWeights()])
