"""Hinge losses: what lies on the right side of the margin costs nothing."""

from refnet import ops
from refnet.annotations import TensorLike
from refnet.losses.base import NamedLoss, floats


def _signs(y_true: TensorLike) -> TensorLike:
    """Labels -1 and 1, also where they came as 0 and 1."""
    binary = ops.all(ops.logical_or(ops.equal(y_true, 0), ops.equal(y_true, 1)))
    return ops.where(binary, ops.subtract(ops.multiply(y_true, 2.0), 1.0), y_true)


def _shortfall(name: str, y_true: TensorLike, y_pred: TensorLike) -> TensorLike:
    y_true, y_pred = floats(name, y_true, y_pred)
    return ops.maximum(ops.subtract(1.0, ops.multiply(_signs(y_true), y_pred)), 0.0)


def hinge(y_true: TensorLike, y_pred: TensorLike) -> TensorLike:
    """mean over the last axis of max(1 - y_true * y_pred, 0).

    Args:
        y_true: labels -1 and 1; if all of them are 0 or 1, they are taken as -1 and 1.
        y_pred: scores of that shape.
    Returns:
        The shape of y_pred without its last axis, its dtype.
    Raises:
        ShapeError: shapes that do not fit element by element.  DtypeError: what holds no numbers.
    Source: Keras 3 `losses.hinge`.

    >>> hinge([[1.0, -1.0]], [[0.5, 2.0]])
    array([1.75], dtype=float32)
    """
    return ops.mean(_shortfall("hinge", y_true, y_pred), axis=-1)


def squared_hinge(y_true: TensorLike, y_pred: TensorLike) -> TensorLike:
    """mean over the last axis of max(1 - y_true * y_pred, 0)^2. Arguments and result as of hinge.

    >>> squared_hinge([[1.0, -1.0]], [[0.5, 2.0]])
    array([4.625], dtype=float32)
    """
    return ops.mean(ops.square(_shortfall("squared_hinge", y_true, y_pred)), axis=-1)


def categorical_hinge(y_true: TensorLike, y_pred: TensorLike) -> TensorLike:
    """max(neg - pos + 1, 0): pos the score of the true class, neg the best of the others.

    Args:
        y_true: one-hot rows.
        y_pred: scores of that shape.
    Returns:
        The shape of y_pred without its last axis, its dtype.
    Raises:
        ShapeError: shapes that do not fit element by element.  DtypeError: what holds no numbers.
    Source: Keras 3 `losses.categorical_hinge`.

    >>> categorical_hinge([[0.0, 1.0, 0.0]], [[1.0, 1.5, 0.25]])
    array([0.5], dtype=float32)
    """
    y_true, y_pred = floats("categorical_hinge", y_true, y_pred)
    positive = ops.sum(ops.multiply(y_true, y_pred), axis=-1)
    negative = ops.max(ops.multiply(ops.subtract(1.0, y_true), y_pred), axis=-1)
    return ops.maximum(ops.add(ops.subtract(negative, positive), 1.0), 0.0)


class Hinge(NamedLoss):
    """How far scores fall short of the margin: see `hinge`.

    >>> Hinge()([[1.0, -1.0]], [[0.5, 2.0]])
    array(1.75, dtype=float32)
    """

    function = staticmethod(hinge)


class SquaredHinge(NamedLoss):
    """The square of the shortfall: see `squared_hinge`.

    >>> SquaredHinge()([[1.0, -1.0]], [[0.5, 2.0]])
    array(4.625, dtype=float32)
    """

    function = staticmethod(squared_hinge)


class CategoricalHinge(NamedLoss):
    """How far the true class is from leading by 1: see `categorical_hinge`.

    >>> CategoricalHinge()([[0.0, 1.0]], [[0.75, 0.25]])
    array(1.5, dtype=float32)
    """

    function = staticmethod(categorical_hinge)
