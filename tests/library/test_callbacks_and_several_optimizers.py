"""Callbacks that ask for the optimizer, where the model's weights have several: by hand, as in Keras 3."""

from typing import Any

import numpy as np
import pytest

from refnet import callbacks, optimizers, utils
from refnet.errors import ArgumentError
from refnet.layers import Dense, Input
from refnet.models import Sequential
from refnet.testing.closeness import close

X, Y = np.ones((4, 2), "float32"), np.zeros((4, 1), "float32")


def model(first: float = 0.5, second: float = 0.25, wrapped: bool = False) -> Sequential:
    """Its layers are trained by SGD of these rates, which have the same name."""
    utils.set_random_seed(1)
    made = Sequential([Input((2,)), Dense(2, name="hidden"), Dense(1, name="out")])
    chosen = optimizers.OptimizerMap(optimizers.SGD(second), {".*hidden/.*": optimizers.SGD(first)})
    optimizer: Any = optimizers.MultiOptimizer(chosen)
    made.compile(optimizers.LossScaleOptimizer(optimizer) if wrapped else optimizer, "mse")
    return made


def rates_of(made: Sequential, *told: Any, epochs: int = 3) -> list[list[float]]:
    """What a history has as learning rates, in the order of the optimizers."""
    history = made.fit(X, Y, epochs=epochs, verbose=0, callbacks=list(told)).history
    names = sorted(name for name in history if name.startswith("learning_rate"))
    assert names == ["learning_rate_sgd", "learning_rate_sgd_1"]
    return [history[name] for name in names]


def test_a_plateau_lowers_the_rate_of_each() -> None:
    plateau = callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1, min_delta=1e9, min_lr=0.125)
    made = model()
    assert rates_of(made, plateau, epochs=4) == [[0.5, 0.5, 0.25, 0.125], [0.25, 0.25, 0.125, 0.125]]
    assert [float(part.learning_rate) for part in made.optimizer.optimizers] == [0.125, 0.125]


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_schedule_is_asked_for_each(wrapped: bool) -> None:
    halve = callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)
    assert rates_of(model(wrapped=wrapped), halve) == [[0.25, 0.125, 0.0625], [0.125, 0.0625, 0.03125]]
    by_epoch = callbacks.LearningRateScheduler(lambda epoch: 0.5 / (epoch + 1))
    assert rates_of(model(), by_epoch, epochs=2) == [[0.5, 0.25]] * 2


def test_names_differ_whatever_the_optimizers_are_called() -> None:
    parts = [optimizers.SGD(name=name) for name in ("a", "a_1", "a")]
    several = optimizers.MultiOptimizer(optimizers.OptimizerMap(parts[2], {"x": parts[0], "y": parts[1]}))
    made = Sequential([Input((2,)), Dense(1)])
    made.compile(several, "mse")
    history = made.fit(X, Y, verbose=0, callbacks=[callbacks.LearningRateScheduler(lambda epoch: 0.5)]).history
    assert sorted(history) == ["learning_rate_a", "learning_rate_a_1", "learning_rate_a_2", "loss"]


def test_a_value_of_theirs_may_be_watched_and_is_no_column_of_validation(tmp_path: Any) -> None:
    told = [
        callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2),
        callbacks.EarlyStopping("learning_rate_sgd_1", mode="max", patience=1),
        callbacks.CSVLogger(tmp_path / "log.csv"),
    ]
    history = model().fit(X, Y, epochs=4, verbose=0, callbacks=told, validation_data=(X, Y), validation_freq=4).history
    assert history["learning_rate_sgd_1"] == [0.125, 0.0625]
    assert (tmp_path / "log.csv").read_text().splitlines()[0].split(",") == [
        "epoch",
        "learning_rate_sgd",
        "learning_rate_sgd_1",
        "loss",
        "val_loss",
    ]


@pytest.mark.peers  # the package of TensorBoard
def test_tensorboard_shows_each(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: dict[str, float] = {}

    class File:
        def scalar(self, name: str, value: Any, step: int) -> None:
            shown[name] = float(value)

    monkeypatch.setattr(callbacks.TensorBoard, "file", lambda self, run: File())
    model().fit(X, Y, verbose=0, callbacks=[callbacks.TensorBoard(tmp_path, write_graph=False)])
    assert (shown["epoch_learning_rate_sgd"], shown["epoch_learning_rate_sgd_1"]) == (0.5, 0.25)


@pytest.mark.parametrize("wrapped", [False, True])
def test_the_averages_of_one_are_swapped_and_the_others_weights_stay(wrapped: bool) -> None:
    made = model(wrapped=wrapped)
    with pytest.raises(ArgumentError, match="needs an optimizer with use_ema=True; the model's is multi_optimizer"):
        made.fit(X, Y, verbose=0, callbacks=[callbacks.SwapEMAWeights()])
    chosen = optimizers.OptimizerMap(
        optimizers.SGD(0.25), {".*hidden/.*": optimizers.SGD(0.5, use_ema=True, ema_momentum=0.75)}
    )
    inner = optimizers.MultiOptimizer(chosen)
    made.compile(optimizers.LossScaleOptimizer(inner) if wrapped else inner, "mse")
    seen: dict[str, list[Any]] = {"trained": [], "tested": []}
    look = callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: seen["trained"].append(made.get_weights()),
        on_test_batch_end=lambda batch, logs: seen["tested"].append(made.get_weights()),
    )
    told = {"validation_data": (X, Y), "verbose": 0, "callbacks": [callbacks.SwapEMAWeights(), look]}
    made.fit(X, Y, epochs=2, **told)
    (first, second), tested = seen["trained"], seen["tested"][1]
    kernels = [steps[0] for steps in (first, second)]
    assert not np.array_equal(*kernels)  # else their average would say nothing
    average = kernels[0] + np.float32(0.25) * (kernels[1] - kernels[0])
    # the optimizer's 0.75 * a + 0.25 * b rounds twice, and so does the line above: a quarter is exact
    close(tested[0], average, 4, abs(kernels[0]) + abs(kernels[1]))
    assert not np.array_equal(tested[0], second[0])
    assert np.array_equal(tested[2], second[2])
