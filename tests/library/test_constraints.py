"""Constraints: by hand, in training, by name, and their errors."""

from typing import Any

import numpy as np
import pytest

from refnet import constraints, initializers, ops
from refnet.errors import ArgumentError, FileError
from refnet.layers import Dense, Embedding, Flatten, Input, PReLU
from refnet.models import Sequential
from refnet.testing.closeness import ELEMENTARY, close
from refnet.testing.conformance import agree

W = np.array([[3.0, 0.3, 0.0, -6.0], [4.0, 0.4, 0.0, 8.0]])  # columns of norm 5, 0.5, 0 and 10
EPSILON = 1e-7  # is added to norms that divide


@pytest.mark.parametrize(
    ("constraint", "norms"),
    [
        (constraints.MaxNorm(2), [2, 0.5, 0, 2]),
        (constraints.UnitNorm(), [1, 1, 1, 1]),
        (constraints.MinMaxNorm(1.0, 6.0), [5, 1, 1, 6]),
        (constraints.MinMaxNorm(1.0, 6.0, rate=0.5), [5, 0.75, 0.5, 8]),
    ],
)
def test_norms_of_columns(constraint: Any, norms: list[float]) -> None:
    due = W * norms / (np.array([5, 0.5, 0, 10]) + EPSILON)
    agree(constraint, due, W)
    turned = type(constraint)(**{**constraint.get_config(), "axis": 1})
    agree(turned, due.T, W.T.copy())


def test_norms_over_several_axes_and_over_all() -> None:
    kernel = np.full((2, 2, 1, 3), 2.0)
    agree(constraints.MaxNorm(1, axis=[0, 1, 2]), kernel / (4 + EPSILON), kernel)
    agree(constraints.UnitNorm(axis=None), W / (np.sqrt((W**2).sum()) + EPSILON), W)


def test_non_negative_and_the_base() -> None:
    assert np.array_equal(constraints.NonNeg()(W), np.maximum(W, 0))
    assert constraints.Constraint()(W) is W


def test_by_name_by_config_by_class_and_by_function() -> None:
    for name, kind in (("max_norm", constraints.MaxNorm), ("NonNeg", constraints.NonNeg)):
        assert type(constraints.get(name)) is kind and type(constraints.get(kind)) is kind
    again = constraints.deserialize(constraints.serialize(constraints.MinMaxNorm(0.5, 2, 0.25, [0, 1])))
    assert again.get_config() == {"min_value": 0.5, "max_value": 2, "rate": 0.25, "axis": [0, 1]}
    assert constraints.get(None) is None and constraints.get(ops.relu) is ops.relu
    assert constraints.maxnorm is constraints.max_norm is constraints.MaxNorm
    assert constraints.unit_norm(1).axis == 1 and constraints.non_neg is constraints.NonNeg

    class Halved(constraints.Constraint):
        def __call__(self, w: Any) -> Any:
            return ops.multiply(w, 0.5)

    assert type(constraints.deserialize(constraints.serialize(Halved()), {"Halved": Halved})) is Halved
    with pytest.raises(FileError, match="names a class 'Halved', which is not known"):
        constraints.deserialize(constraints.serialize(Halved()))


def test_wrong_arguments() -> None:
    with pytest.raises(ArgumentError, match=r"unknown constraint 'max_nrm'. Did you mean 'max_norm'"):
        Dense(2, kernel_constraint="max_nrm")
    with pytest.raises(ArgumentError, match="constraint: give a name, an object or a function; got 3"):
        Dense(2, bias_constraint=3)
    with pytest.raises(ArgumentError, match="MaxNorm: max_value must be a number of at least 0; got -1"):
        constraints.MaxNorm(-1)
    with pytest.raises(ArgumentError, match=r"UnitNorm: axis is an integer or a list of integers; got \(0, '1'\)"):
        constraints.UnitNorm((0, "1"))
    with pytest.raises(ArgumentError, match="MinMaxNorm: rate must be a number from 0 to 1; got 2"):
        constraints.MinMaxNorm(rate=2)
    with pytest.raises(ArgumentError, match="min_value must not be above max_value; got 3 and 1.0"):
        constraints.MinMaxNorm(min_value=3)


def test_weights_are_constrained_right_after_each_update() -> None:
    start = initializers.Constant([[0.5], [-0.5]])
    model = Sequential(
        [Input((2,)), Dense(1, kernel_initializer=start, kernel_constraint="non_neg", bias_constraint=ops.relu)]
    )
    model.compile("sgd", "mse")
    assert np.array_equal(model.layers[0].get_weights()[0], [[0.5], [-0.5]])  # not before the first update
    model.train_on_batch(np.ones((1, 2), "float32"), np.array([[1.0]]))  # the gradient is -2 everywhere
    kernel, bias = model.layers[0].get_weights()
    close(kernel, [[0.52], [0.0]], 6, 1)
    close(bias, [0.02], 6, 1)


def test_embedding_and_prelu_are_constrained_and_come_back_from_their_configs() -> None:
    table = Embedding(4, 2, "ones", embeddings_constraint=constraints.UnitNorm(axis=1))
    model = Sequential([Input((3,), dtype="int32"), table, Flatten(), PReLU(alpha_constraint="max_norm"), Dense(1)])
    model.compile("sgd", "mse")
    model.train_on_batch(np.array([[0, 1, 1]]), np.array([[1.0]]))
    # EPSILON is two roundings of these norms
    close(np.linalg.norm(table.get_weights()[0], axis=1), np.ones(4), 2 + 2 * (2 + ELEMENTARY))
    again = Sequential.from_config(model.get_config())
    assert again.layers[0].embeddings_constraint.axis == 1
    assert type(again.layers[2].alpha.constraint) is constraints.MaxNorm
