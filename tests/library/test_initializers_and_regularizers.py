"""Initializers and regularizers by hand and by their statistics; activations by name. Against Keras: tests/peers."""

import math
from typing import Any

import numpy as np
import pytest

from refnet import activations, initializers, ops, random, regularizers
from refnet.errors import ArgumentError, ShapeError
from refnet.testing.closeness import ELEMENTARY, close
from refnet.testing.conformance import agree

SHAPE = (3, 3, 20, 60)  # fan_in 180, fan_out 540
DEVIATIONS = {
    "GlorotUniform": math.sqrt(2 / 720),
    "GlorotNormal": math.sqrt(2 / 720),
    "HeUniform": math.sqrt(2 / 180),
    "HeNormal": math.sqrt(2 / 180),
    "LecunUniform": math.sqrt(1 / 180),
    "LecunNormal": math.sqrt(1 / 180),
    "RandomNormal": 0.05,
    "RandomUniform": 0.05 / math.sqrt(3),
    "TruncatedNormal": 0.05 * initializers.TRUNCATED,
}

ROUNDINGS = 4 * 2.0**-24  # of a limit, of a number below it, and of their product


@pytest.mark.parametrize("name", DEVIATIONS)
def test_spread_of_the_random_ones(name: str) -> None:
    values, due = np.asarray(getattr(initializers, name)(seed=1)(SHAPE)), DEVIATIONS[name]
    error = due / math.sqrt(values.size)
    assert abs(values.mean()) < 5 * error and abs(values.std() - due) < 5 * error
    if "Uniform" in name:
        assert abs(values).max() <= due * math.sqrt(3) * (1 + ROUNDINGS)
    elif name != "RandomNormal":
        assert abs(values).max() <= 2 * due / initializers.TRUNCATED * (1 + ROUNDINGS)


def test_orthogonal_rows_or_columns() -> None:
    for shape in ((4, 6), (6, 4), (2, 3, 4)):
        matrix = np.asarray(initializers.Orthogonal(gain=2.0, seed=1)(shape)).reshape(-1, shape[-1])
        product = matrix @ matrix.T if matrix.shape[0] < matrix.shape[1] else matrix.T @ matrix
        close(product, 4 * np.eye(len(product)), 6 + 2, 4)  # up to six products of numbers rounded once


def test_constant_ones_and_what_is_given() -> None:
    assert initializers.Identity(2.0)((2, 3)).tolist() == [[2, 0, 0], [0, 2, 0]]
    assert initializers.Constant([1.0, 2.0])((3, 2)).tolist() == [[1, 2]] * 3
    given = initializers.get(np.array([1.0, 2.0]))
    assert given((2,), "float32").dtype == np.float32
    with pytest.raises(ShapeError, match=r"shape \(2,\) cannot be the start of a weight of shape \(3,\)"):
        given((3,))


def test_seeds_configs_and_clones() -> None:
    for name, kind in initializers.known.items():
        made = kind()
        again = initializers.deserialize(initializers.serialize(made))
        assert type(again) is kind and again.get_config() == made.get_config() == initializers.get(name).get_config()
    one = initializers.HeNormal(seed=3)
    assert np.array_equal(one((4, 4)), one.clone()((4, 4))) and np.array_equal(one((4, 4)), one((4, 4)))
    generator = initializers.RandomNormal(seed=random.SeedGenerator(1))
    assert not np.array_equal(generator((4,)), generator((4,)))
    with pytest.raises(ArgumentError, match="seed is an integer, a SeedGenerator or None; got 'a'"):
        initializers.RandomNormal(seed="a")
    with pytest.raises(ArgumentError, match="mode is one of"):
        initializers.VarianceScaling(mode="fan")


MATRIX = np.array([[3.0, 4.0], [1.0, 0.0]], "float32")


@pytest.mark.parametrize(
    "regularizer, due",
    [
        (regularizers.L1(0.5), 4.0),
        (regularizers.L2(0.5), 13.0),
        (regularizers.L1L2(0.5, 0.25), 10.5),
        (regularizers.OrthogonalRegularizer(0.5), 0.5 * 0.6),
        (regularizers.OrthogonalRegularizer(1.0, mode="columns"), 3 / math.sqrt(10)),
    ],
)
def test_penalties_by_hand(regularizer: Any, due: float) -> None:
    close(regularizer(MATRIX), due, 2 * (2 * ELEMENTARY + 8))
    again = regularizers.deserialize(regularizers.serialize(regularizer))
    assert again.get_config() == regularizer.get_config()


def test_regularizers_refuse() -> None:
    for make, words in (
        (lambda: regularizers.L2(-1.0), "l2 must be a number of at least 0; got -1.0"),
        (lambda: regularizers.L1(float("inf")), "l1 must be a number of at least 0; got inf"),
        (lambda: regularizers.OrthogonalRegularizer(mode="row"), "mode is 'rows' or 'columns'"),
        (lambda: regularizers.get("l3"), "unknown regularizer 'l3'"),
    ):
        with pytest.raises(ArgumentError, match=words):
            make()
    with pytest.raises(ShapeError, match="takes a matrix"):
        regularizers.OrthogonalRegularizer()(np.ones(3))


def test_activations_of_more_than_one_argument() -> None:
    x = np.array([-2.0, -0.5, 0.25, 0.5, 3.0])
    assert activations.relu(x, threshold=0.5).tolist() == [0, 0, 0, 0.5, 3]
    assert activations.relu(x, negative_slope=0.5, max_value=2.0).tolist() == [-1, -0.25, 0.25, 0.5, 2]
    agree(activations.gelu, np.array([v / 2 * (1 + math.erf(v / math.sqrt(2))) for v in x]), x)
    assert ops.sparse_plus(x).tolist() == [0, 0.0625, 0.390625, 0.5625, 3]
    assert ops.sparse_sigmoid(x).tolist() == [0, 0.25, 0.625, 0.75, 1]
    for name, function in activations.known.items():
        assert activations.get(name) is function is activations.deserialize(activations.serialize(function))
    assert activations.get(None) is activations.linear
