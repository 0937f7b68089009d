"""`KerasClassifier` and `KerasRegressor` of Keras 2's `wrappers.scikit_learn`. New programs take `refnet.wrappers`.

Needs scikit-learn (extra `examples`).
"""

import copy
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from refnet import losses
from refnet.annotations import Array
from refnet.errors import ArgumentError
from refnet.models import Model
from refnet.utils import to_categorical
from refnet.wrappers import BaseEstimator, ClassifierMixin, RegressorMixin, check_is_fitted


class _Wrapper(BaseEstimator):  # type: ignore[misc]  # scikit-learn is not annotated
    """What both share.

    Args:
        build_fn: a function that gives a compiled model; a subclass may have `__call__` instead.
        sk_params: arguments of build_fn, and of `fit` (epochs, batch_size, ...) and `predict`.
    Attributes:
        model: the fitted model.
    """

    model: Model

    def __init__(self, build_fn: Callable[..., Model] | None = None, **sk_params: Any):
        self._take(build_fn, sk_params)

    def _take(self, build_fn: Callable[..., Model] | None, sk_params: dict[str, Any]) -> None:
        """Keeps the arguments, if everything has a use."""
        known = {*_words(self._builder(build_fn)), *_words(Model.fit), *_words(Model.predict), *_words(Model.evaluate)}
        for name in sk_params:
            if name not in known:
                raise ArgumentError(
                    f"{type(self).__name__}: neither build_fn nor fit, predict or evaluate takes {name!r}."
                )

        self.build_fn, self.sk_params = build_fn, sk_params

    def _builder(self, build_fn: Callable[..., Model] | None) -> Callable[..., Model]:
        if build_fn is not None:
            return build_fn
        if not callable(self):
            raise ArgumentError(f"{type(self).__name__}: give build_fn, a function that returns a compiled model.")
        return self

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The arguments it was made with."""
        return {**self.sk_params, "build_fn": self.build_fn}

    def set_params(self, **params: Any) -> Any:
        """Changes some of them."""
        words = {**self.get_params(), **params}
        self._take(words.pop("build_fn"), words)
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model")

    def __sklearn_clone__(self) -> Any:
        return type(self)(**{name: copy.copy(value) for name, value in self.get_params().items()})

    def _given_to(self, function: Callable[..., Any], more: dict[str, Any] | None = None) -> dict[str, Any]:
        """Those of the arguments that a function takes, and more."""
        words = _words(function)
        return {**{name: value for name, value in self.sk_params.items() if name in words}, **(more or {})}

    def _fit(self, x: Any, y: Array, more: dict[str, Any]) -> Any:
        build = self._builder(self.build_fn)
        model = build(**self._given_to(build))
        if not isinstance(model, Model) or not model.compiled:
            raise ArgumentError(f"{type(self).__name__}: build_fn must return a compiled model; got {model!r}.")
        history = model.fit(x, self._targets(model, y), **self._given_to(Model.fit, more))
        self.model = model
        return history

    def _targets(self, model: Model, y: Array) -> Array:
        return y

    def _predicted(self, x: Any, more: dict[str, Any]) -> Array:
        check_is_fitted(self)
        return np.asarray(self.model.predict(x, **self._given_to(Model.predict, more)))


def _words(function: Callable[..., Any]) -> set[str]:
    """The names of a function's arguments."""
    return set(inspect.signature(function).parameters) - {"self"}


class KerasClassifier(ClassifierMixin, _Wrapper):  # type: ignore[misc]  # scikit-learn is not annotated
    """A model that tells classes apart, as scikit-learn's estimator.

    Args:
        build_fn: a function that gives a compiled model.
        sk_params: arguments of build_fn, `fit` and `predict`.
    Attributes:
        classes_: the labels.  model: the fitted model.
    Raises:
        ArgumentError: an argument that nothing takes; a build_fn that gives no compiled model.
    Source: Keras 2 `wrappers.scikit_learn.KerasClassifier`.

    >>> from refnet import layers, models
    >>> def network(units=2):
    ...     model = models.Sequential([layers.Dense(units, input_dim=1, activation="softmax")])
    ...     model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    ...     return model
    >>> classifier = KerasClassifier(network, units=2, epochs=1, verbose=0)
    >>> history = classifier.fit(np.array([[0.0], [1.0], [2.0]]), ["no", "yes", "yes"])
    >>> classifier.classes_.tolist(), classifier.predict_proba(np.zeros((4, 1))).shape
    (['no', 'yes'], (4, 2))
    """

    def fit(self, x: Any, y: Any, **kwargs: Any) -> Any:
        """Trains a new model on labels, or on one-hot rows; gives its History."""
        y = np.asarray(y)
        if y.ndim == 2 and y.shape[1] > 1:
            self.classes_, numbers = np.arange(y.shape[1]), y.argmax(axis=1)
        else:
            self.classes_, numbers = np.unique(y, return_inverse=True)
        return self._fit(x, np.ravel(numbers), kwargs)

    def _targets(self, model: Model, y: Array) -> Array:
        loss = None if isinstance(model.loss, (list, tuple, dict)) else losses.as_loss(model.loss)
        if getattr(loss, "fn", None) is losses.categorical_crossentropy:
            return np.asarray(to_categorical(y, len(self.classes_)))
        return y

    def predict(self, x: Any, **kwargs: Any) -> Array:
        """The class of each sample."""
        scores = self._predicted(x, kwargs)
        chosen = scores.argmax(axis=-1) if scores.shape[-1] > 1 else (scores[:, 0] > 0.5).astype(int)
        return np.asarray(self.classes_[chosen])

    def predict_proba(self, x: Any, **kwargs: Any) -> Array:
        """The probability of each class, (samples, classes)."""
        scores = self._predicted(x, kwargs)
        return scores if scores.shape[-1] > 1 else np.hstack([1 - scores, scores])

    def score(self, x: Any, y: Any, **kwargs: Any) -> float:
        """The share of samples whose class is right; y as in fit."""
        y = np.asarray(y)
        labels = self.classes_[y.argmax(axis=1)] if y.ndim == 2 and y.shape[1] > 1 else np.ravel(y)
        return float(np.mean(self.predict(x, **kwargs) == labels))


class KerasRegressor(RegressorMixin, _Wrapper):  # type: ignore[misc]  # scikit-learn is not annotated
    """A model that predicts numbers, as scikit-learn's estimator.

    Args:
        build_fn: a function that gives a compiled model.
        sk_params: arguments of build_fn, `fit` and `predict`.
    Attributes:
        model: the fitted model.
    Raises:
        ArgumentError: an argument that nothing takes; a build_fn that gives no compiled model.
    Source: Keras 2 `wrappers.scikit_learn.KerasRegressor`.
    """

    def fit(self, x: Any, y: Any, **kwargs: Any) -> Any:
        """Trains a new model; gives its History."""
        return self._fit(x, np.asarray(y), kwargs)

    def predict(self, x: Any, **kwargs: Any) -> Array:
        """The number, or the numbers, of each sample."""
        numbers = self._predicted(x, kwargs)
        return np.squeeze(numbers, -1) if numbers.shape[-1] == 1 else numbers

    def score(self, x: Any, y: Any, **kwargs: Any) -> float:
        """Minus the loss, so that more is better."""
        check_is_fitted(self)
        found = self.model.evaluate(x, np.asarray(y), **{"verbose": 0, **self._given_to(Model.evaluate, kwargs)})
        return -float(np.ravel(found)[0])
