"""Ensembles of what predicts."""

import numpy as np
import pytest

from refnet import dtypes
from refnet.ensemble import Ensemble, answers
from refnet.errors import ArgumentError, DataError, ShapeError
from refnet.testing.closeness import ELEMENTARY, close

Y = np.array([0, 1, 1, 0])
RIGHT = np.array([[0.9, 0.1], [0.2, 0.8], [0.1, 0.9], [0.7, 0.3]])


class Model:
    def __init__(self, given):
        self.given = given

    def predict(self, x):
        return self.given[: len(x)]


class Forest(Model):
    def predict_proba(self, x):
        return self.given[: len(x)]

    def predict(self, x):
        raise AssertionError("classes are no probabilities")


def test_answers_are_asked_where_they_are():
    for member in (Model(RIGHT), Forest(RIGHT), lambda x: RIGHT[: len(x)]):
        assert np.array_equal(answers(member, Y), RIGHT)


def test_the_mean_is_weighted():
    both = Ensemble([Model(RIGHT), Forest(1 - RIGHT)], weights=[3, 1])
    assert both.weights.tolist() == [0.75, 0.25]
    close(both.predict(Y), 0.75 * RIGHT + 0.25 * (1 - RIGHT), 4)
    np.testing.assert_array_equal(Ensemble([Model(RIGHT), Model(1 - RIGHT)]).predict(Y), 0.5)


def test_weights_go_to_who_is_right():
    together = Ensemble([Model(RIGHT), Model(1 - RIGHT), Model(np.full((4, 2), 0.5))])
    before = -np.mean(np.log(together.predict(Y)[range(4), Y]))
    loss, alone = together.fit_weights(Y, Y), -np.mean(np.log(RIGHT[range(4), Y]))
    close(together.weights.sum(), 1, 4)
    assert together.weights[0] > 0.999 and alone < before
    close(np.float64(loss), alone, 2 * (4 + ELEMENTARY))  # the least there is, and the first member's


def test_the_best_weights_of_two_estimates():
    """w a + (1 - w) b with a = y + e, b = y - 3 e is least wrong at w = 3/4, where the errors cancel."""
    y, e = np.array([1.0, 2.0, 3.0, 4.0]), np.array([0.1, -0.2, 0.3, -0.1])
    together = Ensemble([Model(y + e), Model(y - 3 * e)])
    assert together.fit_weights(y, y) < 1e-8  # the loss is (4 w - 3)**2 times the mean of e * e, 0.0375
    assert abs(together.weights[0] - 0.75) < np.sqrt(1e-8 / 0.0375) / 4
    close(together.weights.sum(), 1, 4)


def test_a_loss_of_ones_own_and_one_column_of_probabilities():
    errors = lambda y, p: float(np.mean((p[:, 1] > 0.5) != y))
    together = Ensemble([Model(1 - RIGHT), Model(RIGHT)])
    assert together.fit_weights(Y, Y, loss=errors) == 0
    single = Ensemble([Model(RIGHT[:, 1:]), Model(RIGHT[:, :1])])
    alone = -np.mean(np.log(RIGHT[range(4), Y]))
    close(np.float64(single.fit_weights(Y, Y[:, None])), alone, 2 * (4 + ELEMENTARY))


def test_members_may_answer_in_bfloat16():
    half = dtypes.as_numpy("bfloat16")
    y = Ensemble([lambda x: x.astype(half), lambda x: 3 * x]).predict(np.ones((2, 1)))
    np.testing.assert_array_equal(y, [[2.0], [2.0]])
    targets = np.array([[1.0], [3.0]], half)
    members = Ensemble([lambda x: x, lambda x: 5 - x])
    assert members.fit_weights(np.array([[1.0], [3.0]]), targets) == 0  # the first member answers exactly


def test_what_is_no_number_is_refused_in_words():
    with pytest.raises(ArgumentError, match="one number for each of the 1 members"):
        Ensemble([lambda x: x], weights="equal")
    for given in (np.array(["a", "b"]), 3.0):
        with pytest.raises(DataError, match="members give numbers, a row for each sample"):
            Ensemble([lambda x, given=given: given]).predict(1)
    logits = 10 * RIGHT
    members = Ensemble([lambda x: x, lambda x: 2 * x])
    for y in (Y, np.array(list("abca")), np.eye(4)):
        with pytest.raises(DataError, match="do not go with answers of shape"):
            members.fit_weights(logits, y)


def test_what_is_refused():
    with pytest.raises(ArgumentError, match="at least one member"):
        Ensemble([])
    for weights in ([1], [1, -1], [0, 0], [1, np.nan]):
        with pytest.raises(ArgumentError, match="one number for each of the 2 members"):
            Ensemble([Model(RIGHT), Model(RIGHT)], weights)
    with pytest.raises(ShapeError, match=r"differ in shape: \(4, 2\), \(4,\)"):
        Ensemble([Model(RIGHT), Model(Y)]).predict(Y)
    with pytest.raises(ArgumentError, match="have predict or predict_proba"):
        answers(3, Y)
    with pytest.raises(DataError, match="3 targets for 4 answers"):
        Ensemble([Model(RIGHT)]).fit_weights(Y, Y[:3])
    with pytest.raises(DataError, match="labels must lie in 0..1; got 0..2"):
        Ensemble([Model(RIGHT)]).fit_weights(Y, np.array([0, 1, 2, 0]))
