"""The arguments of losses beside sums worked out by hand; numbers are chosen so that little or nothing rounds."""

from typing import Any

import numpy as np
import pytest

from refnet import losses
from refnet.errors import ShapeError
from refnet.testing.closeness import ELEMENTARY, close

LN2 = np.log(2.0)
FEW = 2 * (2 * ELEMENTARY + 12)  # two elementary functions and a handful of products on either side


def test_focal_losses_of_logits_and_of_balanced_classes() -> None:
    """A logit of 0 is a chance of one half, which taken for a probability would be no chance at all."""
    zeros = [[0.0, 0.0]]
    close(losses.binary_focal_crossentropy([[1.0, 0.0]], zeros, from_logits=True), [0.25 * LN2], FEW)
    for label, share in ((1.0, 0.125), (0.0, 0.875)):
        more = {"apply_class_balancing": True, "alpha": 0.125, "gamma": 1.0, "from_logits": True}
        close(losses.binary_focal_crossentropy([[label, label]], zeros, **more), [share * 0.5 * LN2], FEW)
    close(losses.categorical_focal_crossentropy([[0.0, 1.0]], zeros, 0.5, 1.0, True), [0.5 * 0.5 * LN2], FEW)


def test_labels_are_smoothed_towards_one_half_or_towards_all_classes() -> None:
    p = np.array([[0.25, 0.5]])
    due = (LN2 - 0.75 * np.log(0.25) - 0.25 * np.log(0.75)) / 2
    close(losses.binary_crossentropy([[1.0, 0.0]], p, label_smoothing=0.5), [due], FEW)
    # Two classes along the first axis, three columns: every column's targets add up to 1, however much they are smoothed.
    columns, halves = np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]), np.full((2, 3), 0.5)
    close(losses.categorical_crossentropy(columns, halves, label_smoothing=0.5, axis=0), [LN2] * 3, FEW)
    steep = np.array([[0.125, 0.875], [0.875, 0.125]])
    due = -(0.25 * np.log(0.875) + 0.75 * np.log(0.125))  # 1 becomes 3/4, 0 becomes 1/4
    close(losses.categorical_crossentropy([[1.0, 0.0], [0.0, 1.0]], steep, False, 0.5), [due] * 2, FEW)
    close(losses.categorical_focal_crossentropy([[1.0, 0.0]], steep[:1], 1.0, 0.0, False, 0.5), [due], FEW)


def test_an_ignored_class_and_a_mask_leave_out_together() -> None:
    p = np.array([[0.5, 0.5], [0.25, 0.75], [0.75, 0.25]])
    loss = losses.SparseCategoricalCrossentropy(ignore_class=-1)
    close(float(loss([0, -1, 1], p, mask=[True, True, False])), LN2, FEW)
    close(float(loss([0, -1, 1], p, mask=[False, True, True])), 2 * LN2, FEW)
    assert float(loss([0, -1, 1], p, mask=[False, True, False])) == 0
    alone = losses.sparse_categorical_crossentropy([0, -1, 1], p, ignore_class=-1)
    close(alone, [LN2, 0.0, 2 * LN2], FEW)


def test_class_numbers_may_have_an_axis_of_1_where_the_classes_are() -> None:
    p = np.full((1, 2, 3), 0.5)  # classes along axis 1
    for labels in ([[[0, 1, 1]]], [[0, 1, 1]]):
        close(losses.sparse_categorical_crossentropy(np.array(labels), p, axis=1), [[LN2] * 3], FEW)
    close(losses.sparse_categorical_crossentropy([[0.0], [1.0]], [[0.5, 0.5], [0.75, 0.25]]), [LN2, 2 * LN2], FEW)


def test_labels_of_a_circle_may_stand_in_a_column_and_its_mean_is_over_those_that_lose() -> None:
    """Embeddings 0 and 1 are one class at one place, and 2, at a right angle, is alone in its class: it has nothing to be drawn to."""
    at = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]], "float32")
    for labels in ([0, 0, 1], [[0], [0], [1]]):
        drawn, pushed = -(0.5 * 0.5), 0.5 * (1 - 0.5 - 1)  # gamma 1, margin 1/2: distances 0 and 1
        one = np.log1p(np.exp(drawn + pushed))
        got = losses.circle(np.array(labels), at, gamma=1.0, margin=0.5)
        close(got, [one, one, 0.0], FEW)
        close(float(losses.Circle(1.0, 0.5)(np.array(labels), at)), one, FEW)
    # Compared with itself an embedding has a partner: at distance 0, drawn by -1/4; the others are pushed by 2 * e**(-1/4).
    close(
        losses.circle([0, 0, 1], at, gamma=1.0, margin=0.5, remove_diagonal=False)[2], np.log1p(2 * np.exp(-0.5)), FEW
    )


def test_regions_that_are_not_there_match() -> None:
    """Without the epsilon below the fraction it would be 0 / 0."""
    nothing = np.zeros((2, 3))
    assert float(losses.dice(nothing, nothing)) == 1 == float(losses.tversky(nothing, nothing))
    region, found = [[1.0, 1.0, 1.0, 0.0]], [[1.0, 0.0, 0.0, 1.0]]  # 1 in both, 2 missed, 1 invented
    close(losses.tversky(region, found, alpha=0.5, beta=0.25), np.float32(1 - 1 / (1 + 0.5 * 2 + 0.25)), FEW, 1.0)
    close(losses.dice(region, found, axis=1), np.float32([1 - 2 / 5]), FEW, 1.0)


def test_numbers_that_have_no_logarithm_or_no_share() -> None:
    """What is below 1e-7 counts as 1e-7."""
    least = np.float32(1e-7)
    close(
        losses.mean_squared_logarithmic_error([[1.0]], [[-5.0]]), [LN2**2], 2 * (2 * ELEMENTARY + 4), LN2**2 + 2 * least
    )
    close(losses.mean_absolute_percentage_error([[0.0, -2.0]], [[1e-7, -1.0]]), [(1.0 + 0.5) / 2 * 100], 2 * 6)
    assert losses.huber([[0.0, 0.0]], [[0.5, 4.0]], delta=2.0).tolist() == [(0.125 + (2 * 4 - 2)) / 2]


def test_a_mask_of_a_loss_and_a_weight_of_a_sample_multiply() -> None:
    y_true, y_pred = np.zeros((4, 1), "float32"), np.array([[1.0], [2.0], [3.0], [4.0]], "float32")
    weight, mask = np.array([2.0, 1.0, 0.5, 8.0], "float32"), np.array([True, True, True, False])

    def loss(reduction: str) -> Any:
        return losses.MeanSquaredError(reduction=reduction)(y_true, y_pred, weight, mask)

    assert loss("none").tolist() == [2, 4, 4.5, 0] and loss("sum") == 10.5
    close(float(loss("sum_over_batch_size")), 10.5 / 3, 2 * 10)  # the mean over the three that count
    assert loss("mean_with_sample_weight") == 10.5 / 3.5


@pytest.mark.parametrize("shape", [(2,), (1, 2, 3)])
def test_label_sequences_are_rows(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"ctc needs y_true of shape \(batch, labels\); got"):
        losses.ctc(np.ones(shape, "int32"), np.zeros((2, 4, 3)))


def test_a_loss_of_ones_own_may_take_dicts_and_lists_of_arrays() -> None:
    """They reach `call` in the loss's dtype, put together as they were given."""
    seen: list[Any] = []

    class Apart(losses.Loss):
        def call(self, y_true: Any, y_pred: Any) -> Any:
            seen.extend([type(y_true), type(y_pred), y_true["a"].dtype, y_pred[0].dtype])
            return y_true["a"] - y_pred[0]

    loss = Apart(reduction="sum")
    assert float(loss({"a": np.array([3, 5])}, [np.array([1.0, 1.0])])) == 6
    assert seen == [dict, list, np.dtype("float32"), np.dtype("float32")]
    assert repr(loss) == "<Apart name=apart>"
    with pytest.raises(NotImplementedError, match="Loss has no `call`"):
        losses.Loss()([1.0], [1.0])


def test_what_has_one_axis_more_loses_it_where_the_other_has_several() -> None:
    pair = losses.same_rank(np.ones((2, 3, 1)), np.ones((2, 3)))
    assert [a.shape for a in pair] == [(2, 3), (2, 3)]
    assert [a.shape for a in losses.same_rank(np.ones((2, 1)), np.ones(2))] == [(2, 1), (2, 1)]
