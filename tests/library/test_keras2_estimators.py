"""Keras 2's estimators for scikit-learn, used as the tutorials of that time use them."""

from typing import Any

import numpy as np
import pytest
from refnet.wrappers.scikit_learn import KerasClassifier, KerasRegressor
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import refnet_fast
from refnet import utils
from refnet.engine import use_engine
from refnet.errors import ArgumentError
from refnet.layers import Dense
from refnet.models import Sequential

ROWS = np.array([[-2.0, 0.0], [0.0, 2.0], [2.0, 0.0]]).repeat(20, 0) + 0.1 * np.arange(60).reshape(60, 1) / 60
NAMES = np.array(["left", "up", "right"]).repeat(20)


@pytest.fixture(autouse=True)
def compiled() -> Any:
    assert refnet_fast
    with use_engine("cpu"):
        utils.set_random_seed(0)
        yield


def three(units: int = 8, loss: str = "categorical_crossentropy") -> Sequential:
    model = Sequential([Dense(units, input_dim=2, activation="relu"), Dense(3, activation="softmax")])
    model.compile(loss=loss, optimizer="adam", metrics=["accuracy"])
    return model


def two() -> Sequential:
    model = Sequential([Dense(1, input_dim=2, activation="sigmoid")])
    model.compile(loss="binary_crossentropy", optimizer="adam")
    return model


@pytest.mark.parametrize("loss", ["categorical_crossentropy", "sparse_categorical_crossentropy"])
def test_classes_by_name(loss: str) -> None:
    classifier = KerasClassifier(build_fn=three, loss=loss, epochs=60, batch_size=5, verbose=0)
    history = classifier.fit(ROWS, NAMES)
    assert len(history.history["loss"]) == 60 and classifier.classes_.tolist() == ["left", "right", "up"]
    assert (classifier.predict(ROWS) == NAMES).all() and classifier.score(ROWS, NAMES) == 1
    chances = classifier.predict_proba(ROWS)
    assert chances.shape == (60, 3) and classifier.model.count_params() == 2 * 8 + 8 + 8 * 3 + 3
    assert (classifier.classes_[chances.argmax(1)] == NAMES).all()


def test_one_hot_rows_in_a_cross_validation() -> None:
    classifier = KerasClassifier(build_fn=three, epochs=40, batch_size=5, verbose=0)
    hot = utils.to_categorical(np.arange(3).repeat(20), 3)
    scores = cross_val_score(classifier, ROWS, hot, cv=KFold(3, shuffle=True, random_state=0))
    assert scores.tolist() == [1, 1, 1]


def test_two_classes_have_two_probabilities() -> None:
    classifier = KerasClassifier(two, epochs=1, verbose=0)
    classifier.fit(ROWS, NAMES == "left")
    chances = classifier.predict_proba(ROWS)
    assert chances.shape == (60, 2) and np.array_equal(chances[:, 0], 1 - chances[:, 1])
    assert classifier.predict(ROWS).tolist() == (chances[:, 1] > 0.5).tolist()


def test_a_search_takes_the_arguments_of_build_fn_and_of_fit() -> None:
    search = GridSearchCV(
        KerasClassifier(three, verbose=0), {"units": [2, 8], "epochs": [0, 30], "batch_size": [5]}, cv=2
    )
    search.fit(ROWS, NAMES)
    assert search.best_params_["epochs"] == 30 and search.best_estimator_.model.layers[0].units in (2, 8)


def test_numbers_in_a_pipeline() -> None:
    def line() -> Sequential:
        model = Sequential([Dense(1, input_dim=2)])
        model.compile("sgd", "mean_squared_error")
        return model

    pipe = make_pipeline(StandardScaler(), KerasRegressor(line, epochs=40, batch_size=6, verbose=0))
    targets = ROWS[:, 0] - ROWS[:, 1]
    pipe.fit(ROWS, targets)
    given = pipe[0].transform(ROWS)
    assert pipe.predict(ROWS).shape == (60,) and pipe.score(ROWS, targets) == -pipe[1].model.evaluate(given, targets)
    assert pipe.score(ROWS, targets) > -0.1  # a line fits exactly; the targets' variance is 3.4


def test_several_numbers_for_each_sample() -> None:
    def plane() -> Sequential:
        model = Sequential([Dense(2, input_dim=2)])
        model.compile("sgd", "mean_squared_error")
        return model

    regressor = KerasRegressor(plane, epochs=1, verbose=0)
    regressor.fit(ROWS, ROWS)
    assert regressor.predict(ROWS).shape == ROWS.shape


class Own(KerasClassifier):
    def __call__(self, units: int = 4) -> Sequential:
        return three(units)


def test_a_subclass_may_build_for_itself() -> None:
    assert Own(units=3, verbose=0).fit(ROWS, NAMES).model.layers[0].units == 3


def test_mistakes() -> None:
    with pytest.raises(
        ArgumentError, match="KerasClassifier: neither build_fn nor fit, predict or evaluate takes 'epoch'"
    ):
        KerasClassifier(three, epoch=3)
    with pytest.raises(ArgumentError, match="KerasRegressor: give build_fn"):
        KerasRegressor(epochs=3)
    with pytest.raises(ArgumentError, match="KerasRegressor: build_fn must return a compiled model; got <Sequential"):
        KerasRegressor(lambda: Sequential([Dense(1, input_dim=2)])).fit(ROWS, ROWS[:, 0])


def test_refused_arguments_change_nothing() -> None:
    classifier = KerasClassifier(three, epochs=3)
    with pytest.raises(ArgumentError, match="takes 'epoch'"):
        classifier.set_params(epoch=4)
    assert classifier.set_params(units=2).get_params() == {"build_fn": three, "epochs": 3, "units": 2}
