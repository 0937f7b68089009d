"""Sums that fit and its helpers make of losses, penalties, folds and windows, beside what they are by hand."""

from typing import Any

import h5py
import numpy as np
import pytest

from refnet import initializers, metrics, optimizers, random, utils
from refnet.ensemble import Ensemble
from refnet.evaluation import hold_out_indices, majority_class
from refnet.evaluation.protocols import Scores
from refnet.layers import Dense, Input
from refnet.models import Model, Sequential
from refnet.preprocessing.sequence import TimeseriesGenerator
from refnet.testing.closeness import ELEMENTARY, close

X = np.array([[1.0], [2.0], [3.0], [6.0]], "float32")
ZEROS = np.zeros((4, 1), "float32")


class Own(Model):
    def train_step(self, data: Any) -> Any:
        return super().train_step(data)

    def test_step(self, data: Any) -> Any:
        return super().test_step(data)


def same(name: str, **more: Any) -> Dense:
    return Dense(1, use_bias=False, kernel_initializer="ones", name=name, **more)


@pytest.mark.parametrize("kind", [Model, Own])
def test_losses_of_outputs_are_weighted_and_penalties_of_frozen_layers_left_out(kind: Any) -> None:
    x = Input((1,))
    frozen = same("frozen", kernel_regularizer="l2", trainable=False)
    model = kind(x, [same("p", kernel_regularizer="l2")(frozen(x)), same("q")(x)])
    model.compile(optimizers.SGD(0.0), ["mse", "mae"], loss_weights=[0.5, 2.0])
    history = model.fit(X, [ZEROS, ZEROS], batch_size=3, shuffle=False, epochs=2, verbose=0).history
    squares, sizes = (1 + 4 + 9 + 36) / 4, (1 + 2 + 3 + 6) / 4  # means over samples, though the last batch has one
    close(history["loss"], [0.5 * squares + 2 * sizes + 0.01] * 2, 2 * 12)  # the penalty of p's weight alone
    close(history["p_loss"], [squares] * 2, 2 * 8)
    close(history["q_loss"], [sizes] * 2, 2 * 8)
    close(
        model.evaluate(X, [ZEROS, ZEROS], batch_size=3, verbose=0, return_dict=True)["loss"], history["loss"][0], 2 * 12
    )


@pytest.mark.parametrize("kind", [Model, Own])
def test_some_metrics_are_weighted_and_some_are_not(kind: Any) -> None:
    x = Input((1,))
    model = kind(x, same("out")(x))
    model.compile(optimizers.SGD(0.0), "mse", metrics=["mae"], weighted_metrics=["mae"])
    weight = np.array([1.0, 0.0, 3.0, 0.0])
    history = model.fit(X, ZEROS, batch_size=4, sample_weight=weight, verbose=0).history
    assert history == {"loss": [(1 + 3 * 9) / 4], "mae": [3.0], "weighted_mae": [(1 + 3 * 3) / 4]}


def test_a_metric_itself_may_be_what_a_step_shows() -> None:
    class Shows(Model):
        def train_step(self, data: Any) -> Any:
            self.seen.update_state(data[0])
            return {"seen": self.seen}

    for eagerly in (False, True):
        x = Input((1,))
        model = Shows(x, same("out")(x))
        model.seen = metrics.Mean("seen")
        model.compile("sgd", "mse", run_eagerly=eagerly)
        assert model.fit(X, ZEROS, batch_size=2, epochs=2, verbose=0).history == {"seen": [3.0, 3.0]}


def test_steps_per_epoch_go_on_where_the_last_epoch_stopped() -> None:
    """Three batches make a pass, two an epoch: losses of 1 and 4, of 9 and 1, of 4 and 9."""
    model = Sequential([Input((1,)), same("out")])
    model.compile(optimizers.SGD(0.0), "mse")
    history = model.fit(X[:3], ZEROS[:3], batch_size=1, steps_per_epoch=2, epochs=3, shuffle=False, verbose=0).history
    assert history["loss"] == [2.5, 5, 6.5]
    history = model.fit(X, ZEROS, validation_split=0.3, batch_size=4, verbose=0).history  # 4 * 0.7 = 2.8: two train
    assert history == {"loss": [2.5], "val_loss": [(9 + 36) / 2]}


def test_an_optimizers_state_without_slots_is_taken(tmp_path: Any) -> None:
    """As Keras writes it before the first step."""
    model = Sequential([Input((1,)), same("out")])
    model.compile(optimizers.Adam(0.25), "mse")
    model.train_on_batch(X, ZEROS)
    model.save_weights(tmp_path / "model.weights.h5")
    with h5py.File(tmp_path / "model.weights.h5", "r+") as file:
        for name in ("2", "3"):
            del file["optimizer/vars"][name]
    other = Sequential([Input((1,)), same("out")])
    other.compile(optimizers.Adam(0.5), "mse")
    other.load_weights(tmp_path / "model.weights.h5")
    assert int(other.optimizer.iterations) == 1 and float(other.optimizer.learning_rate) == 0.25
    np.testing.assert_array_equal(other.get_weights()[0], model.get_weights()[0])


def test_an_orthogonal_start_is_the_factor_whose_triangle_is_positive() -> None:
    """Else its rows would not be spread evenly: the sign that an algorithm happens to choose is not by chance."""
    draws = np.asarray(random.normal((5, 3), dtype="float64", seed=4))
    q = initializers.Orthogonal(seed=4)((5, 3), "float64")
    triangle = q.T @ draws
    assert (np.diag(triangle) > 0).all()
    close(np.tril(triangle, -1), np.zeros((3, 3)), 2 * 5 * 10, np.linalg.norm(draws), dtype="float64")


def test_windows_of_a_series_to_its_last_row() -> None:
    series = np.arange(10)
    windows = TimeseriesGenerator(series, series, length=3, batch_size=2)
    assert [targets.tolist() for _, targets in windows] == [[3, 4], [5, 6], [7, 8], [9]]
    drawn = TimeseriesGenerator(series, series, length=3, start_index=5, shuffle=True, batch_size=64, seed=1)
    assert set(drawn[0][1].tolist()) == {8, 9}


def test_small_evaluations() -> None:
    scores = Scores([{"loss": 1.0}, {"loss": 3.0}], [{"loss": [1.0, 2.0]}, {"loss": [3.0]}])
    assert scores.mean == {"loss": 2} and scores.std == {"loss": 1} and scores.history == {"loss": [2.0]}
    assert [part.tolist() for part in hold_out_indices(3, 0.25, shuffle=False)] == [[0, 1], [2]]
    assert majority_class([0, 0, 1], [1, 1, 0]) == 1 / 3  # of the training labels
    chances = np.array([[0.25], [0.875]])
    close(
        Ensemble([lambda x: x]).fit_weights(chances, [0, 1]), -(np.log(0.75) + np.log(0.875)) / 2, 2 * (ELEMENTARY + 6)
    )


def test_a_progress_bar_averages_over_steps_but_for_what_stands_for_itself(capsys: Any) -> None:
    bar = utils.Progbar(4, verbose=0, stateful_metrics=["now"])
    bar.update(1, [("now", 1.0), ("mean", 1.0)])
    bar.add(1, [("now", 3.0), ("mean", 3.0)])
    assert bar.values() == {"now": 3, "mean": 2}
    bar.update(4, [("now", 7.0), ("mean", 5.0)])  # of two steps
    assert bar.values() == {"now": 7, "mean": 3.5} and capsys.readouterr().out == ""
    only = utils.Progbar(None, verbose=0, stateless_metrics=["mean"])
    for value in (1.0, 3.0):
        only.add(1, [("now", value), ("mean", value)])
    assert only.values() == {"now": 3, "mean": 2}
