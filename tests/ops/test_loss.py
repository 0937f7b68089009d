"""Cross-entropies, worked by hand."""

import numpy as np
import pytest

from refnet import ops
from refnet.engine import reference
from refnet.errors import DataError, ShapeError
from refnet.graph import Tensor
from refnet.program import Program
from refnet.testing import closeness as counted
from refnet.testing.closeness import ELEMENTARY


def close(result, expected):
    """Computed wide and stored as float32: an epsilon or a probability of float32 and its logarithm, then sums of two."""
    counted.close(result, expected, 4 + 2 * ELEMENTARY, dtype="float32")


def test_probabilities_are_clipped_and_made_to_sum_to_one():
    close(ops.binary_crossentropy([1.0], [0.0]), [-np.log(1e-7)])
    close(ops.categorical_crossentropy([[0.0, 1.0]], [[1.0, 0.0]]), [-np.log(1e-7)])
    close(ops.categorical_crossentropy([[0.0, 1.0]], [[2.0, 6.0]]), [-np.log(0.75)])
    close(ops.sparse_categorical_crossentropy([1], [[2.0, 6.0]]), [-np.log(0.75)])


def test_logits_do_not_saturate():
    close(ops.binary_crossentropy([0.0, 1.0], [1e4, -1e4], from_logits=True), [1e4, 1e4])
    close(ops.categorical_crossentropy([[1.0, 0.0]], [[0.0, 1e4]], from_logits=True), [1e4])
    close(ops.sparse_categorical_crossentropy([0], [[0.0, 1e4]], from_logits=True), [1e4])


def test_a_saturated_softmax_or_sigmoid_still_learns():
    x = Tensor((1, 2))
    for loss, expected in [
        (ops.sparse_categorical_crossentropy(np.array([0]), ops.softmax(x)), [[-1, 1]]),
        (ops.categorical_crossentropy(np.array([[1.0, 0.0]]), ops.softmax(x)), [[-1, 1]]),
        (ops.binary_crossentropy(np.array([[1.0, 0.0]]), ops.sigmoid(x)), [[-1, 1]]),
    ]:
        program = Program([x], ops.gradients(loss, x))
        np.testing.assert_array_equal(reference.prepare(program).run([[[-200.0, 200.0]]])[0], expected)


def test_classes_on_another_axis():
    logits = np.log(np.array([[[0.25, 0.5], [0.75, 0.5]]]))  # (1, classes, places)
    close(ops.sparse_categorical_crossentropy([[1, 0]], logits, True, axis=1), -np.log([[0.75, 0.5]]))
    close(ops.sparse_categorical_crossentropy([[1, 0]], np.exp(logits), axis=1), -np.log([[0.75, 0.5]]))


def test_labels_in_a_column_and_as_floats():
    close(
        ops.sparse_categorical_crossentropy(np.array([[1.0], [0.0]]), [[0.5, 0.5], [0.25, 0.75]]), -np.log([0.5, 0.25])
    )


@pytest.mark.parametrize("from_logits", [True, False])
def test_labels_outside_the_classes(from_logits):
    with pytest.raises(DataError, match=r"must lie in 0..1; the one at \[1\] is 2"):
        ops.sparse_categorical_crossentropy([0, 2], [[0.5, 0.5], [0.5, 0.5]], from_logits)


def test_shapes_that_do_not_fit():
    with pytest.raises(ShapeError, match="one shape"):
        ops.categorical_crossentropy([[1.0, 0.0]], [[1.0, 0.0, 0.0]])
    with pytest.raises(ShapeError, match="One-hot rows go to categorical_crossentropy"):
        ops.sparse_categorical_crossentropy([[1, 0]], [[0.5, 0.5]])
    with pytest.raises(ShapeError, match="at least one class"):
        ops.categorical_crossentropy(np.zeros((2, 0)), np.zeros((2, 0)), from_logits=True)


def test_no_rows():
    assert ops.sparse_categorical_crossentropy(np.zeros(0, "int32"), np.zeros((0, 3), "float32"), True).shape == (0,)
