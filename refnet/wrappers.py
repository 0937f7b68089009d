"""Models as scikit-learn's estimators: for pipelines, cross-validation and searches.

Source: Keras 3 `keras.wrappers`. Needs scikit-learn (extra `examples`).
"""

import copy
from typing import Any

import numpy as np

from refnet import losses
from refnet.annotations import Array
from refnet.errors import ArgumentError, MissingPackageError
from refnet.metrics import Metric
from refnet.models import Model, clone_model
from refnet.old_names import serve
from refnet.structure import mapped

try:
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, TransformerMixin
    from sklearn.utils.multiclass import type_of_target
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError as error:
    raise MissingPackageError(
        "refnet.wrappers needs scikit-learn, 1.6 or later: pip install 'refnet[examples]', or pip install scikit-learn."
    ) from error


class _Estimator(BaseEstimator):  # type: ignore[misc]  # scikit-learn is not annotated
    """What the three estimators share.

    Args:
        model: a compiled model, of which each fit takes a fresh copy with new weights; or a function (X, y, **model_kwargs)
            that makes one.
        warm_start: whether another fit goes on with the weights of the one before.
        model_kwargs: further arguments of the function.
        fit_kwargs: arguments of `Model.fit`: epochs, batch_size, callbacks ...
    Attributes:
        model_: the fitted model.  history_: {name: a value for each epoch}.
    """

    def __init__(
        self,
        model: Any,
        warm_start: bool = False,
        model_kwargs: dict[str, Any] | None = None,
        fit_kwargs: dict[str, Any] | None = None,
    ):
        self.model, self.warm_start, self.model_kwargs, self.fit_kwargs = model, warm_start, model_kwargs, fit_kwargs

    def __sklearn_clone__(self) -> Any:
        words = {name: copy.copy(value) for name, value in self.get_params(deep=False).items() if name != "model"}
        return type(self)(model=self.model, **words)

    def _model_for(self, X: Array, y: Array) -> Model:
        if self.warm_start and hasattr(self, "model_"):
            return self.model_
        if isinstance(self.model, Model):
            return _fresh(self.model)
        made = self.model(X=X, y=y, **(self.model_kwargs or {}))
        if not isinstance(made, Model) or not made.compiled:
            raise ArgumentError(
                f"{type(self).__name__}: model must be a compiled model, or a function that gives one; got {made!r}."
            )
        return made

    def _fit(self, X: Array, y: Array, more: dict[str, Any]) -> Any:
        model = self._model_for(X, y)
        words = {"verbose": 0, **(self.fit_kwargs or {}), **more}
        self.history_ = dict(model.fit(X, self._fed(model, y), **words).history)
        self.model_ = model
        return self

    def _fed(self, model: Model, y: Array) -> Array:
        """The targets as the model's loss takes them."""
        return y

    def _raw(self, X: Any) -> Array:
        check_is_fitted(self)
        return np.asarray(self.model_.predict(validate_data(self, X, reset=False), verbose=0))


def _fresh(model: Model) -> Model:
    """A copy of a compiled model with new weights, a new optimizer and new metrics."""
    if not model.compiled:
        raise ArgumentError(f"{model.name} must be compiled before it is wrapped: call model.compile(optimizer, loss).")
    made: Model = clone_model(model)
    told = model._told or {}

    def renewed(part: Any) -> Any:
        return type(part).from_config(part.get_config()) if isinstance(part, Metric) else part

    optimizer = type(model.optimizer).from_config(model.optimizer.get_config())
    made.compile(optimizer, **{word: mapped(renewed, value) for word, value in told.items()})
    return made


class SKLearnClassifier(ClassifierMixin, _Estimator):  # type: ignore[misc]  # scikit-learn is not annotated
    """A model that tells classes apart.

    The function that makes the model is given one-hot rows as y; a model with a loss of class numbers, or with one output for
    two classes, is trained on those.

    Args:
        model, warm_start, model_kwargs, fit_kwargs: see the attributes' list of `SKLearnRegressor`.
    Attributes:
        classes_: the labels.  model_, history_: the fitted model, and what its fit returned.
    Raises:
        ArgumentError: a model that is not compiled.  ValueError: targets that are no classes.
    Source: Keras 3 `wrappers.SKLearnClassifier`.

    >>> from refnet import layers, models
    >>> def network(X, y):
    ...     model = models.Sequential([layers.Input(X.shape[1:]), layers.Dense(y.shape[1], activation="softmax")])
    ...     model.compile("adam", "categorical_crossentropy")
    ...     return model
    >>> SKLearnClassifier(network).fit([[0.0], [1.0], [2.0]], ["no", "yes", "yes"]).classes_.tolist()
    ['no', 'yes']
    """

    def fit(self, X: Any, y: Any, **more: Any) -> Any:
        """Trains a new model; `more` goes to Model.fit."""
        X, y = validate_data(self, X, y)
        kind = type_of_target(y, raise_unknown=True)
        if kind not in ("binary", "multiclass"):
            raise ValueError(f"Unknown label type: {kind}. Classes are needed, one for each sample.")
        self.classes_, numbers = np.unique(y, return_inverse=True)
        if len(self.classes_) == 1:
            raise ValueError("Classifier can't train when only one class is present.")
        return self._fit(X, np.eye(len(self.classes_), dtype="float32")[np.ravel(numbers)], more)

    def _fed(self, model: Model, y: Array) -> Array:
        loss = losses.as_loss(model.loss) if not isinstance(model.loss, (list, tuple, dict)) else None
        if losses.is_among(getattr(loss, "fn", None), losses.CLASS_NUMBERS):
            return y.argmax(axis=1)
        return y[:, 1:] if y.shape[1] == 2 and model.output_shape[-1] == 1 else y

    def predict(self, X: Any) -> Array:
        """The class of each sample."""
        scores = self._raw(X)
        chosen = (scores[:, 0] > 0.5).astype(int) if scores.shape[1] == 1 else scores.argmax(axis=1)
        return np.asarray(self.classes_[chosen])

    def decision_function(self, X: Any) -> Array:
        """The model's outputs, one for each class; of two classes how much higher the second is than the first."""
        scores = self._raw(X)
        if scores.shape[1] == 1:
            return scores[:, 0] - np.float32(0.5)
        return scores[:, 1] - scores[:, 0] if scores.shape[1] == 2 else scores

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True
        return tags


class SKLearnRegressor(RegressorMixin, _Estimator):  # type: ignore[misc]  # scikit-learn is not annotated
    """A model that predicts numbers.

    Args:
        model: a compiled model, of which each fit takes a fresh copy with new weights; or a function (X, y, **model_kwargs)
            that makes one. y has two axes then.
        warm_start: whether another fit goes on with the weights of the one before.
        model_kwargs: further arguments of the function.
        fit_kwargs: arguments of `Model.fit`: epochs, batch_size, callbacks ...
    Attributes:
        model_, history_: the fitted model, and what its fit returned.
    Raises:
        ArgumentError: a model that is not compiled.
    Source: Keras 3 `wrappers.SKLearnRegressor`.
    """

    def fit(self, X: Any, y: Any, **more: Any) -> Any:
        """Trains a new model; `more` goes to Model.fit."""
        X, y = validate_data(self, X, y, multi_output=True, y_numeric=True)
        self.flat_ = np.ndim(y) == 1
        return self._fit(X, np.reshape(y, (len(y), -1)), more)

    def predict(self, X: Any) -> Array:
        """The numbers for each sample, in the form of the targets; float64, as scikit-learn has it."""
        values = self._raw(X).astype(np.float64)
        return values[:, 0] if self.flat_ and values.ndim == 2 and values.shape[1] == 1 else values

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.regressor_tags.poor_score = True
        tags.target_tags.multi_output = True
        return tags


class SKLearnTransformer(TransformerMixin, _Estimator):  # type: ignore[misc]  # scikit-learn is not annotated
    """A model whose outputs are features for what follows in a pipeline.

    Args:
        model, warm_start, model_kwargs, fit_kwargs: see SKLearnRegressor.
    Attributes:
        model_, history_: the fitted model, and what its fit returned.
    Source: Keras 3 `wrappers.SKLearnTransformer`.
    """

    def fit(self, X: Any, y: Any = None, **more: Any) -> Any:
        """Trains a new model; without y it learns to give X back. `more` goes to Model.fit."""
        if y is None:
            X = validate_data(self, X)
            return self._fit(X, X, more)
        X, y = validate_data(self, X, y, multi_output=True)
        type_of_target(y, raise_unknown=True)
        return self._fit(X, np.reshape(y, (len(y), -1)), more)

    def transform(self, X: Any) -> Array:
        """The model's outputs."""
        return self._raw(X)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags


serve(__name__)
