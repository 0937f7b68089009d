"""Ensembles: several models answer, and their answers are averaged, each with its weight.

    ensemble = Ensemble([network, forest, trees])
    ensemble.fit_weights(x_validation, y_validation)
    ensemble.predict(x_test)

Source: Chollet 7.3.3.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from refnet import dtypes
from refnet.annotations import Array
from refnet.errors import ArgumentError, DataError, MissingPackageError, ShapeError

TINY = 1e-7


def answers(member: Any, x: Any) -> Array:
    """A member's answers: (samples,) or (samples, outputs) float64.

    `predict_proba` is asked where there is one (of scikit-learn's classifiers, say, whose `predict` gives classes), else `predict`,
    else the member is a function.
    """
    ask: Any = getattr(member, "predict_proba", None) or getattr(member, "predict", None) or member
    if not callable(ask):
        raise ArgumentError(f"an ensemble's members have predict or predict_proba, or are functions; got {member!r}.")
    given: Array = np.asarray(ask(x))
    if not dtypes.of_numbers(given.dtype) or not given.ndim:
        raise DataError(
            f"an ensemble's members give numbers, a row for each sample; {member!r} gave shape {given.shape}, dtype {given.dtype}. "
            "A classifier that gives names of classes needs predict_proba."
        )
    return given.astype("float64")


class Ensemble:
    """A weighted mean of what its members predict.

    Args:
        members: models of any library that have `predict_proba` or `predict`, or functions of the inputs. All give the same shape.
        weights: one for each member, not negative; they are divided by their sum. Equal if None.
    Raises:
        ArgumentError: no members; weights that are none.

    >>> mean = Ensemble([lambda x: x, lambda x: 3 * x], weights=[3, 1])
    >>> mean.predict(np.array([[2.0]]))
    array([[3.]])
    """

    def __init__(self, members: Sequence[Any], weights: Any = None):
        self.members = list(members)
        if not self.members:
            raise ArgumentError("an ensemble needs at least one member.")
        self.weights = self._checked(np.ones(len(self.members)) if weights is None else weights)

    def _checked(self, weights: Any) -> Array:
        given: Array = np.asarray(weights)
        numbers = dtypes.of_numbers(given.dtype) and given.shape == (len(self.members),)
        if not numbers or not np.isfinite(given).all() or (given < 0).any() or given.sum() == 0:
            raise ArgumentError(
                f"weights: one number for each of the {len(self.members)} members, not negative and not all 0; got {weights!r}."
            )
        shares: Array = given.astype("float64")
        return shares / shares.sum()

    def answers(self, x: Any) -> Array:
        """What each member predicts: (members, samples, ...)."""
        given = [answers(member, x) for member in self.members]
        if len({one.shape for one in given}) > 1:
            raise ShapeError(
                f"the members' answers differ in shape: {', '.join(str(one.shape) for one in given)}. "
                "Wrap a member in a function that brings its answers into the shape of the others."
            )
        return np.stack(given)

    def predict(self, x: Any) -> Array:
        """The weighted mean of the members' answers."""
        mean: Array = np.tensordot(self.weights, self.answers(x), 1)
        return mean

    def fit_weights(self, x: Any, y: Any, loss: Callable[[Array, Array], float] | None = None) -> float:
        """Chooses the weights for which the loss is least, by the simplex search of Nelder and Mead.

        Take samples that no member was trained on, and others still to measure the ensemble.

        Args:
            x, y: inputs and targets.
            loss: of (y, predictions), a number to make small. If None, the cross-entropy of probabilities for integer targets, else
                the mean squared error.
        Returns:
            The loss reached, never above that of the weights before nor of any member alone.
        Raises:
            MissingPackageError: no SciPy.  DataError: targets that do not fit the answers.
        Source: J. A. Nelder, R. Mead, A simplex method for function minimization, 1965; Chollet 7.3.3.
        """
        try:
            from scipy.optimize import minimize
        except ImportError:
            raise MissingPackageError(
                "fit_weights searches with SciPy, which is not installed: pip install 'refnet[ensemble]'"
            ) from None
        given, truth = self.answers(x), np.asarray(y)
        measure = loss or _loss_for(truth, given)

        def of(weights: Array) -> float:
            return float(measure(truth, np.tensordot(weights / weights.sum(), given, 1)))

        alone = list(np.eye(len(self.members)))
        starts = [self.weights, np.full(len(self.members), 1 / len(self.members)), *alone]
        best = min(starts, key=of)
        if len(self.members) > 1:
            options = {"xatol": 1e-4, "fatol": 1e-9, "maxiter": 400 * len(self.members)}
            for start in starts[:2]:
                found = minimize(lambda w: of(np.abs(w) + TINY), start, method="Nelder-Mead", options=options)
                best = min(best, np.abs(found.x) + TINY, key=of)
        self.weights = self._checked(best)
        return of(self.weights)


def _loss_for(truth: Array, given: Array) -> Callable[[Array, Array], float]:
    """The loss that fits the targets."""
    if len(truth) != given.shape[1]:
        raise DataError(f"fit_weights: {len(truth)} targets for {given.shape[1]} answers.")
    whole = truth.dtype.kind in "biu" and (truth.ndim == 1 or truth.shape[1:] == (1,))
    inside = given.min() >= 0 and given.max() <= 1
    if whole and inside:
        return _crossentropy
    if not dtypes.of_numbers(truth.dtype) or truth.size != given[0].size:
        raise DataError(
            f"fit_weights: targets of shape {truth.shape}, dtype {truth.dtype}, do not go with answers of shape {given[0].shape}. "
            "Class numbers go with probabilities, in 0..1; other targets have a number for each answer. Or give a loss."
        )
    return lambda y, p: float(np.mean((y.reshape(p.shape) - p) ** 2))


def _crossentropy(labels: Array, chances: Array) -> float:
    """The mean of -log of what the right class was given; one column of chances is that of class 1."""
    labels = labels.reshape(-1).astype(int)
    if chances.ndim == 1 or chances.shape[1] == 1:
        ones = chances.reshape(-1)
        chances = np.stack([1 - ones, ones], 1)
    if labels.min() < 0 or labels.max() >= chances.shape[1]:
        raise DataError(
            f"fit_weights: labels must lie in 0..{chances.shape[1] - 1}; got {labels.min()}..{labels.max()}."
        )
    return float(-np.mean(np.log(np.maximum(chances[np.arange(len(labels)), labels], TINY))))
