"""Models as scikit-learn's estimators: its own checks, searches and pipelines."""

import pickle
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import refnet_fast
from refnet import metrics, optimizers, utils
from refnet.engine import use_engine
from refnet.errors import ArgumentError
from refnet.layers import Dense, Input
from refnet.models import Sequential
from refnet.wrappers import SKLearnClassifier, SKLearnRegressor, SKLearnTransformer


@pytest.fixture(autouse=True)
def compiled() -> Any:
    """The checks make some hundreds of models: on the reference they would take minutes."""
    assert refnet_fast
    with use_engine("cpu"):
        yield


class Network:
    """A function that makes a model; it prints without an address, as ids of tests that several processes collect must."""

    def __call__(self, X: Any, y: Any, loss: str = "mse", units: int = 8, activation: str | None = None) -> Sequential:
        return made(X, y, loss, units, activation)

    def __repr__(self) -> str:
        return "network"

    def __deepcopy__(self, memo: Any) -> "Network":
        return self


network = Network()


def made(X: Any, y: Any, loss: str, units: int, activation: str | None) -> Sequential:
    utils.set_random_seed(1)  # the checks fit twice and want the same
    width = y.shape[1] if y.ndim > 1 else 1
    model = Sequential([Input(X.shape[1:]), Dense(units, activation="relu"), Dense(width, activation=activation)])
    model.compile("rmsprop", loss)
    return model


CLASSIFIER = {"loss": "categorical_crossentropy", "activation": "softmax"}
ESTIMATORS = [
    SKLearnClassifier(network, model_kwargs=CLASSIFIER, fit_kwargs={"epochs": 5}),
    SKLearnRegressor(network),
    SKLearnTransformer(network),
]


@parametrize_with_checks(ESTIMATORS)
def test_scikit_learns_own_checks(estimator: Any, check: Any) -> None:
    check(estimator)


DIGITS, NUMBERS = load_digits(return_X_y=True)
DIGITS, NUMBERS = DIGITS[:400], NUMBERS[:400]


def test_a_search_over_a_pipeline_on_the_digits() -> None:
    wrapped = SKLearnClassifier(network, model_kwargs=CLASSIFIER, fit_kwargs={"epochs": 25, "batch_size": 32})
    pipeline = make_pipeline(StandardScaler(), wrapped)
    grid = {"sklearnclassifier__model_kwargs": [{**CLASSIFIER, "units": units} for units in (2, 32)]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(DIGITS, NUMBERS)
    assert search.best_params_["sklearnclassifier__model_kwargs"]["units"] == 32 and search.best_score_ > 0.8
    assert search.best_estimator_.score(DIGITS, NUMBERS) > 0.9
    again = pickle.loads(pickle.dumps(search.best_estimator_))
    assert np.array_equal(again.predict(DIGITS), search.predict(DIGITS))


@pytest.mark.parametrize(
    "loss, units, activation",
    [
        ("categorical_crossentropy", 2, "softmax"),
        ("sparse_categorical_crossentropy", 2, "softmax"),
        ("binary_crossentropy", 1, "sigmoid"),
    ],
)
def test_two_classes_in_every_form(loss: str, units: int, activation: str) -> None:
    """A compiled model is wrapped itself; the targets take the form of its loss. Labels are words."""
    model = Sequential([Input((64,)), Dense(units, activation=activation)])
    model.compile(optimizers.Adam(0.01), loss, metrics=["accuracy", *[metrics.AUC()] * (units == 1)])
    before = [w.copy() for w in model.get_weights()]
    chosen = NUMBERS < 2
    x, y = DIGITS[chosen] / 16, np.where(NUMBERS[chosen] == 1, "one", "none")
    wrapped = SKLearnClassifier(model, fit_kwargs={"epochs": 30, "batch_size": 8}).fit(x, y)
    assert wrapped.score(x, y) > 0.95 and list(wrapped.classes_) == ["none", "one"]
    assert np.array_equal(wrapped.decision_function(x) > 0, wrapped.predict(x) == "one")
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights()))  # a copy was trained
    assert len(wrapped.history_["loss"]) == 30 and "accuracy" in wrapped.history_


def test_regressor_and_transformer() -> None:
    x = np.random.default_rng(0).standard_normal((80, 3))
    y = x @ np.array([1.0, -2.0, 0.5])
    regressor = SKLearnRegressor(network, fit_kwargs={"epochs": 60, "batch_size": 8}, model_kwargs={"units": 32})
    assert cross_val_score(regressor, x, y, cv=2).min() > 0.8
    assert regressor.fit(x, np.stack([y, -y], 1)).predict(x).shape == (80, 2)
    features = SKLearnTransformer(network, fit_kwargs={"epochs": 1}).fit(x)
    assert features.transform(x).shape == (80, 3)  # without targets it learns to give x back
    warm = SKLearnRegressor(network, warm_start=True).fit(x, y)
    first = warm.model_
    assert warm.fit(x, y).model_ is first and SKLearnRegressor(network).fit(x, y).fit(x, y).model_ is not first


def test_refusals() -> None:
    loose = Sequential([Input((3,)), Dense(1)])
    with pytest.raises(ArgumentError, match="must be compiled before it is wrapped"):
        SKLearnRegressor(loose).fit(np.ones((4, 3)), np.ones(4))
    with pytest.raises(ArgumentError, match="a function that gives one; got None"):
        SKLearnRegressor(lambda X, y: None).fit(np.ones((4, 3)), np.ones(4))
    with pytest.raises(ValueError, match="Unknown label type: continuous"):
        SKLearnClassifier(network).fit(np.ones((4, 3)), [0.5, 0.25, 0.125, 0.75])
