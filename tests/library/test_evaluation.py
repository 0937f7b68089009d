"""Protocols, baselines and checks of a split, by hand."""

import pathlib
import warnings
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from refnet import evaluation, layers, models, seeds
from refnet.errors import ArgumentError, DataError, ShapeError
from refnet.testing.closeness import close

X = np.arange(24.0).reshape(12, 2)
Y = np.arange(12.0)


class Recorder:
    """A model that writes down what it is trained and judged on; its score is the first target it is judged on."""

    made: list["Recorder"] = []

    def __init__(self) -> None:
        self.drawn = seeds.next_seed()
        Recorder.made.append(self)

    def fit(self, x: Any, y: Any, validation_data: Any, **more: Any) -> Any:
        self.x, self.y, self.validation, self.more = x, y, validation_data, more
        self.history = {"loss": [2.0, 1.0], "val_loss": [float(len(y)), 1.0]}
        return self

    def evaluate(self, x: Any, y: Any, verbose: int, return_dict: bool) -> dict[str, float]:
        assert x is self.validation[0] and return_dict
        return {"loss": float(np.ravel(y)[0]), "mae": 1.0}


@pytest.fixture(autouse=True)
def forgotten() -> None:
    Recorder.made = []


def network() -> Any:
    model = models.Sequential([layers.Input((2,)), layers.Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"])
    return model


def test_folds_hold_every_sample_out_once() -> None:
    parts = evaluation.fold_indices(10, 3)
    assert [len(test) for _, test in parts] == [4, 3, 3]
    assert np.array_equal(np.concatenate([test for _, test in parts]), np.arange(10))
    for train, test in parts:
        assert np.array_equal(np.sort(np.concatenate([train, test])), np.arange(10))
    shuffled = evaluation.fold_indices(10, 3, shuffle=True, seed=1)
    assert sorted(np.concatenate([test for _, test in shuffled])) == list(range(10))
    assert not np.array_equal(shuffled[0][1], parts[0][1])
    assert all(np.array_equal(a[1], b[1]) for a, b in zip(shuffled, evaluation.fold_indices(10, 3, True, 1)))


def test_k_fold_trains_a_new_model_for_each_fold() -> None:
    scores = evaluation.k_fold(Recorder, X, Y, k=4, epochs=2, batch_size=3)
    assert len(Recorder.made) == 4
    assert [fold["loss"] for fold in scores.folds] == [0.0, 3.0, 6.0, 9.0]
    assert scores.mean == {"loss": 4.5, "mae": 1.0} and scores.std["loss"] == np.std([0, 3, 6, 9])
    assert scores.history == {"loss": [2.0, 1.0], "val_loss": [9.0, 1.0]}
    assert Recorder.made[0].more == {"verbose": 0, "epochs": 2, "batch_size": 3}
    assert Recorder.made[1].y.tolist() == [0, 1, 2, 6, 7, 8, 9, 10, 11]
    assert str(scores) == "loss 4.5000 +- 3.3541, mae 1.0000 +- 0.0000 (4 parts)"


def test_statistics_come_from_what_is_trained_on() -> None:
    evaluation.k_fold(Recorder, X, Y, k=3, prepare=evaluation.standardized)
    for model in Recorder.made:
        count, features = model.x.shape
        close(model.x.mean(0), np.zeros(features), 4 + 2 * count, np.abs(X).max(0) / X.std(0))
        close(model.x.std(0), np.ones(features), 4 + 4 * count, np.abs(X).max(0) / X.std(0))
    assert Recorder.made[0].validation[0].max() < -0.9


def test_a_constant_feature_becomes_zero() -> None:
    train, test = evaluation.standardized([[1.0, 5.0], [3.0, 5.0]], [[2.0, 7.0]])
    assert train.tolist() == [[-1, 0], [1, 0]] and test.tolist() == [[0, 2]]


def test_hold_out_keeps_time_in_order_if_asked() -> None:
    evaluation.hold_out(Recorder, X, Y, share=0.25, shuffle=False)
    assert Recorder.made[0].validation[1].tolist() == [9, 10, 11]
    evaluation.hold_out(Recorder, X, Y, share=0.25, seed=3)
    assert sorted([*Recorder.made[1].y, *Recorder.made[1].validation[1]]) == Y.tolist()
    assert Recorder.made[1].validation[1].tolist() != [9, 10, 11]


def test_iterated_k_fold_shuffles_each_time() -> None:
    scores = evaluation.iterated_k_fold(Recorder, X, Y, k=3, iterations=2, seed=5)
    held = [model.validation[1].tolist() for model in Recorder.made]
    assert len(scores.folds) == 6
    assert sorted(sum(held[:3], [])) == sorted(sum(held[3:], [])) == Y.tolist()
    assert held[:3] != held[3:]


def test_several_inputs_go_along() -> None:
    evaluation.k_fold(Recorder, {"a": X, "b": X + 1}, [Y, Y * 2], k=2)
    assert Recorder.made[0].x["b"].shape == (6, 2)
    assert Recorder.made[0].y[1].tolist() == [12, 14, 16, 18, 20, 22]
    evaluation.k_fold(Recorder, [[1.0, 2.0], [3.0, 4.0]], [0, 1], k=2)
    assert Recorder.made[2].x.tolist() == [[3.0, 4.0]]


def test_the_seed_decides_all_and_nothing_outside_changes() -> None:
    seeds.set_random_seed(9)
    expected = [seeds.next_seed() for _ in range(2)]
    seeds.set_random_seed(9)
    evaluation.k_fold(Recorder, X, Y, k=2, seed=4)
    assert [seeds.next_seed() for _ in range(2)] == expected
    evaluation.k_fold(Recorder, X, Y, k=2, seed=4)
    first, second, third, fourth = (model.drawn for model in Recorder.made)
    assert (first, second) == (third, fourth) and first != second


def test_processes_of_their_own_give_the_same_results(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(pathlib.Path(__file__).parents[2]))  # the processes import `network` from this file
    x, y = X / 24, Y / 12
    alone = evaluation.k_fold(network, x, y, k=3, seed=2, epochs=2, batch_size=4)
    together = evaluation.k_fold(network, x, y, k=3, seed=2, epochs=2, batch_size=4, processes=2)
    assert alone == together
    assert len({fold["loss"] for fold in alone.folds}) == 3


def test_what_protocols_refuse() -> None:
    with pytest.raises(ArgumentError, match="k is an integer, at least 2; got 1"):
        evaluation.k_fold(Recorder, X, Y, k=1)
    with pytest.raises(DataError, match="12 samples cannot make 13 folds"):
        evaluation.k_fold(Recorder, X, Y, k=13)
    with pytest.raises(ShapeError, match="same number of samples; got 12, 11"):
        evaluation.k_fold(Recorder, X, Y[:11])
    with pytest.raises(ArgumentError, match="validation_split is the protocol's to choose"):
        evaluation.k_fold(Recorder, X, Y, validation_split=0.1)
    with pytest.raises(ArgumentError, match="share lies between 0 and 1; got 1"):
        evaluation.hold_out(Recorder, X, Y, share=1)
    with pytest.raises(ArgumentError, match="iterations is an integer, at least 1; got 0"):
        evaluation.iterated_k_fold(Recorder, X, Y, iterations=0)
    with pytest.raises(ArgumentError, match="processes is an integer, at least 1; got 0"):
        evaluation.k_fold(Recorder, X, Y, processes=0)
    with pytest.raises(ArgumentError, match="must be functions and classes of a module, not lambdas"):
        evaluation.k_fold(lambda: network(), X, Y, processes=2)
    assert Recorder.made == []


# ---- baselines


def test_what_is_no_number_or_no_model_is_refused_in_words() -> None:
    with pytest.raises(ShapeError, match="a row for each sample; got 5"):
        evaluation.k_fold(Recorder, 5, Y)
    with pytest.raises(ArgumentError, match="build is a function that makes a new compiled model; it gave None"):
        evaluation.k_fold(lambda: None, X, Y)
    assert len(evaluation.hold_out_indices(12, Fraction(1, 4))[1]) == 3  # type: ignore[arg-type]  # a number all the same
    with pytest.raises(ArgumentError, match="share lies between 0 and 1"):
        evaluation.hold_out(Recorder, X, Y, share="0.2")  # type: ignore[arg-type]  # a mistake
    with pytest.raises(DataError, match="standardized takes numbers"):
        evaluation.standardized([["a"]], [["b"]])
    for train, test in ((X, X[:, :1]), (Y, Y)):
        with pytest.raises(ShapeError, match=r"must be \(samples, ..., features\)"):
            evaluation.standardized(train, test)
    with pytest.raises(DataError, match="best_constant takes numbers"):
        evaluation.best_constant(["a"], [1.0])
    with pytest.raises(ArgumentError, match="delay is an integer"):
        evaluation.last_value(Y, 1.5)  # type: ignore[arg-type]  # a mistake


def test_dates_as_texts_have_an_order() -> None:
    with pytest.warns(evaluation.EvaluationWarning, match="1 of 2 training samples"):
        assert evaluation.check_times(["2020-01-01", "2021-06-01"], ["2021-01-01", "2022-01-01"]) == 1


def test_baselines() -> None:
    assert evaluation.majority_class([[0, 1], [0, 1], [1, 0]], [[0, 1], [1, 0]]) == 0.5
    assert evaluation.random_labels([0, 1, 2, 2]) == 1 / 16 + 1 / 16 + 1 / 4
    errors = evaluation.best_constant([0, 1, 5], [4])
    assert errors == {"mean_absolute_error": 3.0, "mean_squared_error": 4.0}
    assert evaluation.last_value([0, 1, 3, 6], 2) == 4.0
    assert evaluation.last_value([0, 1, 3, 6], 1, start=1, stop=2) == 2.0
    with pytest.raises(ArgumentError, match="delay is an integer of at least 1"):
        evaluation.last_value([1, 2], 0)
    with pytest.raises(ArgumentError, match="none from 0 on has one 5 later"):
        evaluation.last_value([1, 2], 5)
    with pytest.raises(DataError, match="no labels"):
        evaluation.random_labels([])


# ---- checks


def test_repeated_rows() -> None:
    with pytest.warns(evaluation.EvaluationWarning, match="1 of 2 test samples .* number 1"):
        assert evaluation.check_repeats(X[:4], np.array([[9.0, 9.0], X[2]])).tolist() == [1]
    with pytest.warns(evaluation.EvaluationWarning):
        evaluation.check_repeats(X[:4], X[2:3], y=([0, 1, 2, 3], [2]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not len(evaluation.check_repeats(X[:4], X[4:]))
        assert not len(evaluation.check_repeats(X[:4], X[2:3], y=([0, 1, 2, 3], [7])))  # another target: another sample
    texts = np.array([[1, 2], [3]], object)
    assert evaluation.rows_in_both(texts, texts[1:]).tolist() == [0]


def test_a_protocol_warns_of_copies() -> None:
    copies = np.concatenate([X[:3], X[:3]])
    with pytest.warns(evaluation.EvaluationWarning, match="3 of 3 test samples"):
        evaluation.k_fold(Recorder, copies, np.zeros(6), k=2)


def test_a_shuffled_future() -> None:
    with pytest.warns(evaluation.EvaluationWarning, match="2 of 4 training samples are not from before"):
        assert evaluation.check_times([1, 2, 5, 9], [5, 6, 7]) == 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (
            evaluation.check_times(np.array(["2009-01-01"], "datetime64"), np.array(["2010-01-01"], "datetime64")) == 0
        )


def test_statistics_of_test_data() -> None:
    raw = np.random.default_rng(0).normal(3, 2, (60, 4))
    train, test = raw[:40], raw[40:]
    both = (raw - raw.mean(0)) / raw.std(0)
    with pytest.warns(evaluation.EvaluationWarning, match="standardized over the test data too"):
        assert evaluation.check_statistics(both[:40], both[40:]) == ["standardized"]
    scaled = (raw - raw.min(0)) / (raw.max(0) - raw.min(0))
    order = np.argsort(scaled[:, 0])  # the largest of one feature lies in the test part
    with pytest.warns(evaluation.EvaluationWarning, match="scaled over the test data too"):
        assert evaluation.check_statistics(scaled[order][:40], scaled[order][40:]) == ["scaled"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert evaluation.check_statistics(*evaluation.standardized(train, test)) == []
        assert evaluation.check_statistics(train, test) == []
    with pytest.raises(ShapeError, match=r"got \(40, 4\) and \(20, 3\)"):
        evaluation.check_statistics(train, test[:, :3])


def test_all_checks_at_once() -> None:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        evaluation.check_split(X[[0, 1, 2, 8]], X[[2, 3]], [0, 1, 2, 8], [2, 3])
    assert [str(one.message).split(" ", 1)[1][:12] for one in said] == ["of 2 test sa", "of 4 trainin"]
