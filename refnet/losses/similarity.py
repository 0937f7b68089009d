"""Losses of regions, embeddings and sequences: Dice, Tversky, circle, CTC."""

from typing import Any

import numpy as np

from refnet import dtypes, ops, settings
from refnet.annotations import TensorLike
from refnet.errors import ShapeError
from refnet.losses.base import CLASS_NUMBERS, LossFunctionWrapper, NamedLoss, floats
from refnet.ops.arguments import as_dtype, converted, dtype_of, floating, shape_of


def dice(y_true: TensorLike, y_pred: TensorLike, axis: Any = None) -> TensorLike:
    """1 - 2 * sum(y_true * y_pred) / (sum(y_true) + sum(y_pred) + epsilon): how little two regions overlap.

    Args:
        y_true, y_pred: of one shape; 0 outside the region, 1 inside.
        axis: the axes that are summed over; all if None.
    Returns:
        The shape without these axes.
    Raises:
        ShapeError: not as many targets as predictions.  DtypeError: what holds no numbers.
    Source: Sudre et al. 2017; Keras 3 `losses.dice`.

    >>> dice([[1.0, 1.0, 0.0]], [[0.0, 1.0, 1.0]])
    array(0.5, dtype=float32)
    """
    y_true, y_pred = floats("dice", y_true, y_pred, alike=False)
    both = ops.sum(ops.multiply(y_true, y_pred), axis=axis)
    each = ops.add(ops.add(ops.sum(y_true, axis=axis), ops.sum(y_pred, axis=axis)), settings.epsilon())
    return ops.subtract(1.0, ops.divide(ops.multiply(both, 2.0), each))


def tversky(
    y_true: TensorLike, y_pred: TensorLike, alpha: float = 0.5, beta: float = 0.5, axis: Any = None
) -> TensorLike:
    """1 - both / (both + alpha * missed + beta * invented + epsilon), sums over the region: dice with two weights.

        both = sum of y_true * y_pred,  missed = sum of y_true * (1 - y_pred),  invented = sum of y_pred * (1 - y_true)

    Args:
        y_true, y_pred, axis: as in dice.
        alpha, beta: what a missed and an invented element cost.
    Returns:
        The shape without these axes.
    Raises:
        ShapeError: not as many targets as predictions.  DtypeError: what holds no numbers.
    Source: Salehi et al. 2017; Keras 3 `losses.tversky`.

    >>> tversky([[1.0, 1.0, 0.0]], [[0.0, 1.0, 1.0]], alpha=1.0, beta=0.0)
    array(0.5, dtype=float32)
    """
    y_true, y_pred = floats("tversky", y_true, y_pred, alike=False)
    both = ops.sum(ops.multiply(y_true, y_pred), axis=axis)
    missed = ops.sum(ops.multiply(ops.subtract(1.0, y_pred), y_true), axis=axis)
    invented = ops.sum(ops.multiply(y_pred, ops.subtract(1.0, y_true)), axis=axis)
    whole = ops.add(ops.add(both, ops.multiply(missed, alpha)), ops.multiply(invented, beta))
    return ops.subtract(1.0, ops.divide(both, ops.add(whole, settings.epsilon())))


def circle(
    y_true: TensorLike,
    y_pred: TensorLike,
    ref_labels: TensorLike = None,
    ref_embeddings: TensorLike = None,
    remove_diagonal: bool = True,
    gamma: float = 80.0,
    margin: float = 0.4,
) -> TensorLike:
    """Embeddings of one class are drawn together, those of different classes pushed apart.

        d[i, j] = max(1 - y_pred[i] . ref[j], 0)
        softplus(ln(sum over j of the class of i of  e**(-gamma * (margin + d) * (margin - d)))
               + ln(sum over the other j of  e**(gamma * max(1 + margin - d, 0) * (1 - margin - d))))

    Args:
        y_true: (batch,) or (batch, 1), class numbers.
        y_pred: (batch, size), embeddings of length 1.
        ref_labels, ref_embeddings: what they are compared with; the batch itself if None.
        remove_diagonal: whether an embedding is not compared with itself; only without ref_embeddings, or for as many.
        gamma: the steepness.  margin: how far classes shall be apart.
    Returns:
        (batch,).
    Raises:
        ShapeError: not one class number for each embedding.
    Source: Sun et al. 2020; Keras 3 `losses.circle`.

    >>> circle([0, 0, 1], [[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]).shape
    (3,)
    """
    y_pred = floating("circle", y_pred, "y_pred")
    labels = _flat_labels(y_true)
    others = y_pred if ref_embeddings is None else floating("circle", ref_embeddings, "ref_embeddings")
    other_labels = labels if ref_labels is None else _flat_labels(ref_labels)
    distance = ops.maximum(ops.subtract(1.0, ops.matmul(y_pred, ops.transpose(others))), 0.0)
    same = ops.equal(ops.expand_dims(labels, 1), ops.expand_dims(other_labels, 0))
    different = ops.logical_not(same)
    if remove_diagonal:
        rows = ops.cumsum(ops.ones_like(labels))
        columns = ops.cumsum(ops.ones_like(other_labels))
        same = ops.logical_and(same, ops.not_equal(ops.expand_dims(rows, 1), ops.expand_dims(columns, 0)))
    near = ops.multiply(ops.multiply(ops.add(distance, margin), ops.subtract(margin, distance)), -gamma)
    reach = ops.maximum(ops.subtract(1 + margin, distance), 0.0)
    far = ops.multiply(ops.multiply(reach, ops.subtract(1 - margin, distance)), gamma)
    # The least number stands for -inf: a row without a partner has the loss 0, and the gradient 0 instead of NaN.
    least = float(np.finfo(dtypes.as_numpy(dtype_of(y_pred))).min) / 4
    drawn = ops.logsumexp(ops.where(same, near, least), axis=1)
    pushed = ops.logsumexp(ops.where(different, far, least), axis=1)
    return ops.softplus(ops.add(drawn, pushed))


def _flat_labels(labels: TensorLike) -> TensorLike:
    labels = as_dtype(converted("circle", labels, "y_true"), "int32")
    if len(shape_of(labels)) == 2 and shape_of(labels)[1] == 1:
        labels = ops.squeeze(labels, 1)
    if len(shape_of(labels)) != 1:
        raise ShapeError(f"circle needs one class number for each embedding; got labels of shape {shape_of(labels)}.")
    return labels


def ctc(y_true: TensorLike, y_pred: TensorLike) -> TensorLike:
    """How unlikely a sequence of labels is, with all its alignments together: see `ops.ctc_loss`.

    Args:
        y_true: (batch, labels), class numbers from 1; 0 fills up shorter rows.
        y_pred: (batch, time, classes), logits; class 0 is the blank.
    Returns:
        (batch,).
    Raises:
        ShapeError: other ranks.  DataError: a label that is no class.
    Source: Graves et al. 2006; Keras 3 `losses.ctc`.

    >>> ctc([[1]], [[[0.0, 0.0], [0.0, 0.0]]])  # the alignments 1-, -1 and 11, of four
    array([0.2876821], dtype=float32)
    """
    y_true, y_pred = converted("ctc", y_true, "y_true"), floating("ctc", y_pred, "y_pred")
    if len(shape_of(y_true)) != 2:
        raise ShapeError(f"ctc needs y_true of shape (batch, labels); got {shape_of(y_true)}.")
    if len(shape_of(y_pred)) != 3:
        raise ShapeError(f"ctc needs y_pred of shape (batch, time, classes); got {shape_of(y_pred)}.")
    labels = as_dtype(y_true, "int32")
    counts = ops.sum(as_dtype(ops.not_equal(labels, 0), "int32"), axis=-1)
    batch, steps, _ = ops.shape(y_pred)
    return ops.ctc_loss(labels, y_pred, counts, ops.broadcast_to(as_dtype(steps, "int32"), (batch,)), mask_index=0)


class Dice(LossFunctionWrapper):
    """How little two regions overlap: see `dice`.

    Args:
        reduction, name, dtype: see Loss.
        axis: the axes that are summed over; all if None.

    >>> Dice()([[1.0, 1.0]], [[0.0, 1.0]])
    array(0.3333333, dtype=float32)
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "dice",
        axis: Any = None,
        dtype: Any = None,
    ):
        super().__init__(dice, reduction, name, dtype, axis=axis)


class Tversky(LossFunctionWrapper):
    """Dice with a weight for what is missed and one for what is invented: see `tversky`.

    Args:
        alpha, beta: what a missed and an invented element cost.
        reduction, name, dtype: see Loss.
        axis: the axes that are summed over; all if None.

    >>> Tversky(alpha=1.0, beta=0.0)([[1.0, 1.0]], [[0.0, 1.0]])
    array(0.5, dtype=float32)
    """

    def __init__(
        self,
        alpha: float = 0.5,
        beta: float = 0.5,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "tversky",
        axis: Any = None,
        dtype: Any = None,
    ):
        super().__init__(tversky, reduction, name, dtype, alpha=alpha, beta=beta, axis=axis)


class Circle(LossFunctionWrapper):
    """Classes as circles in the space of embeddings: see `circle`. The mean is over the samples whose loss is not 0.

    Args:
        gamma, margin, remove_diagonal: see `circle`.
        reduction, name, dtype: see Loss.

    >>> Circle(gamma=1.0)([0, 0, 1], [[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]).shape
    ()
    """

    def __init__(
        self,
        gamma: float = 80.0,
        margin: float = 0.4,
        remove_diagonal: bool = True,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "circle",
        dtype: Any = None,
    ):
        more = {"gamma": gamma, "margin": margin, "remove_diagonal": remove_diagonal}
        super().__init__(circle, reduction, name, dtype, **more)

    def mask(self, y_true: TensorLike, y_pred: TensorLike, values: TensorLike) -> TensorLike:
        return ops.greater(values, 0.0)


class CTC(NamedLoss):
    """The loss of label sequences without alignment: see `ctc`.

    >>> CTC()([[1]], [[[0.0, 0.0], [0.0, 0.0]]])
    array(0.2876821, dtype=float32)
    """

    function = staticmethod(ctc)


CLASS_NUMBERS.update((circle, ctc))
