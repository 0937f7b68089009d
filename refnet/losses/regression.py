"""Losses of numbers: how far predictions are from targets."""

import math
from typing import Any

from refnet import ops, settings
from refnet.annotations import TensorLike
from refnet.losses.base import LossFunctionWrapper, NamedLoss, floats


def mean_squared_error(y_true: TensorLike, y_pred: TensorLike) -> TensorLike:
    """mean over the last axis of (y_true - y_pred)^2.

    Args:
        y_true, y_pred: targets and predictions of one shape, or one with a last axis of 1 more.
    Returns:
        The shape of y_pred without its last axis, its dtype.
    Raises:
        ShapeError: shapes that do not fit element by element.  DtypeError: what holds no numbers.

    >>> mean_squared_error([[0.0, 1.0]], [[1.0, 3.0]])
    array([2.5], dtype=float32)
    """
    y_true, y_pred = floats("mean_squared_error", y_true, y_pred)
    return ops.mean(ops.square(ops.subtract(y_true, y_pred)), axis=-1)


def mean_absolute_error(y_true: TensorLike, y_pred: TensorLike) -> TensorLike:
    """mean over the last axis of |y_true - y_pred|. Arguments and result as of mean_squared_error.

    >>> mean_absolute_error([[0.0, 1.0]], [[1.0, 3.0]])
    array([1.5], dtype=float32)
    """
    y_true, y_pred = floats("mean_absolute_error", y_true, y_pred)
    return ops.mean(ops.abs(ops.subtract(y_true, y_pred)), axis=-1)


def mean_absolute_percentage_error(y_true: TensorLike, y_pred: TensorLike) -> TensorLike:
    """100 * mean over the last axis of |y_true - y_pred| / max(|y_true|, epsilon). Arguments and result as of mean_squared_error.

    >>> mean_absolute_percentage_error([[2.0, 4.0]], [[1.0, 4.0]])
    array([25.], dtype=float32)
    """
    y_true, y_pred = floats("mean_absolute_percentage_error", y_true, y_pred)
    share = ops.divide(ops.subtract(y_true, y_pred), ops.maximum(ops.abs(y_true), settings.epsilon()))
    return ops.multiply(ops.mean(ops.abs(share), axis=-1), 100.0)


def mean_squared_logarithmic_error(y_true: TensorLike, y_pred: TensorLike) -> TensorLike:
    """mean over the last axis of (ln(y_true + 1) - ln(y_pred + 1))^2; what is below epsilon counts as epsilon.

    Arguments and result as of mean_squared_error.

    >>> mean_squared_logarithmic_error([[0.0, 1.0]], [[0.0, 3.0]])
    array([0.2402265], dtype=float32)
    """
    y_true, y_pred = floats("mean_squared_logarithmic_error", y_true, y_pred)
    logs = [ops.log(ops.add(ops.maximum(y, settings.epsilon()), 1.0)) for y in (y_pred, y_true)]
    return ops.mean(ops.square(ops.subtract(*logs)), axis=-1)


def cosine_similarity(y_true: TensorLike, y_pred: TensorLike, axis: int = -1) -> TensorLike:
    """-sum of y_true / |y_true| * y_pred / |y_pred|: -1 where they point the same way, 1 where they point opposite ways.

    Args:
        y_true, y_pred: vectors of one shape; those of length 0 give 0.
        axis: along which the vectors lie.
    Returns:
        The shape of y_pred without the axis.
    Raises:
        ShapeError: shapes that do not fit element by element.  DtypeError: what holds no numbers.

    >>> cosine_similarity([[3.0, 4.0]], [[6.0, 8.0]])
    array([-1.], dtype=float32)
    """
    y_true, y_pred = floats("cosine_similarity", y_true, y_pred)
    product = ops.multiply(ops.normalize(y_true, axis=axis), ops.normalize(y_pred, axis=axis))
    return ops.negative(ops.sum(product, axis=axis))


def huber(y_true: TensorLike, y_pred: TensorLike, delta: float = 1.0) -> TensorLike:
    """Squared for small errors, linear for large ones, so that outliers count less.

        mean over the last axis of  e^2 / 2 if |e| <= delta else delta * |e| - delta^2 / 2,   e = y_pred - y_true

    Args:
        y_true, y_pred: as in mean_squared_error.
        delta: where the line begins.
    Returns:
        As mean_squared_error.
    Raises:
        ShapeError: shapes that do not fit element by element.  DtypeError: what holds no numbers.
    Source: Huber 1964.

    >>> huber([[0.0, 0.0]], [[1.0, 3.0]])
    array([1.5], dtype=float32)
    """
    y_true, y_pred = floats("huber", y_true, y_pred)
    error = ops.subtract(y_pred, y_true)
    size = ops.abs(error)
    line = ops.subtract(ops.multiply(size, delta), 0.5 * delta * delta)
    near = ops.multiply(ops.square(error), 0.5)
    return ops.mean(ops.where(ops.less_equal(size, delta), near, line), axis=-1)


def log_cosh(y_true: TensorLike, y_pred: TensorLike) -> TensorLike:
    """mean over the last axis of ln(cosh(y_pred - y_true)): e^2 / 2 near 0, |e| - ln 2 far away.

    Arguments and result as of mean_squared_error.

    >>> log_cosh([[0.0]], [[100.0]])
    array([99.306854], dtype=float32)
    """
    y_true, y_pred = floats("log_cosh", y_true, y_pred)
    error = ops.subtract(y_pred, y_true)
    value = ops.subtract(ops.add(error, ops.softplus(ops.multiply(error, -2.0))), math.log(2.0))
    return ops.mean(value, axis=-1)


class MeanSquaredError(NamedLoss):
    """mean of (y_true - y_pred)^2: see `mean_squared_error`.

    >>> MeanSquaredError(reduction="sum")([[0.0, 1.0], [1.0, 1.0]], [[1.0, 3.0], [1.0, 1.0]])
    array(2.5, dtype=float32)
    """

    function = staticmethod(mean_squared_error)


class MeanAbsoluteError(NamedLoss):
    """mean of |y_true - y_pred|: see `mean_absolute_error`.

    >>> MeanAbsoluteError()([[0.0, 1.0]], [[1.0, 3.0]])
    array(1.5, dtype=float32)
    """

    function = staticmethod(mean_absolute_error)


class MeanAbsolutePercentageError(NamedLoss):
    """The mean error in percent of the target: see `mean_absolute_percentage_error`.

    >>> MeanAbsolutePercentageError()([[2.0, 4.0]], [[1.0, 4.0]])
    array(25., dtype=float32)
    """

    function = staticmethod(mean_absolute_percentage_error)


class MeanSquaredLogarithmicError(NamedLoss):
    """The squared error of logarithms: see `mean_squared_logarithmic_error`.

    >>> MeanSquaredLogarithmicError()([[1.0]], [[1.0]])
    array(0., dtype=float32)
    """

    function = staticmethod(mean_squared_logarithmic_error)


class LogCosh(NamedLoss):
    """The logarithm of the hyperbolic cosine of the error: see `log_cosh`.

    >>> LogCosh()([[0.0]], [[100.0]])
    array(99.306854, dtype=float32)
    """

    function = staticmethod(log_cosh)


class CosineSimilarity(LossFunctionWrapper):
    """Minus the cosine of the angle between target and prediction: see `cosine_similarity`.

    Args:
        axis: along which the vectors lie.
        reduction, name, dtype: see Loss.

    >>> CosineSimilarity()([[1.0, 0.0]], [[2.0, 0.0]])
    array(-1., dtype=float32)
    """

    def __init__(
        self,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "cosine_similarity",
        dtype: Any = None,
    ):
        super().__init__(cosine_similarity, reduction, name, dtype, axis=axis)


class Huber(LossFunctionWrapper):
    """Squared for small errors, linear for large ones: see `huber`.

    Args:
        delta: where the line begins.
        reduction, name, dtype: see Loss.

    >>> Huber(delta=2.0)([[0.0]], [[4.0]])
    array(6., dtype=float32)
    """

    def __init__(
        self,
        delta: float = 1.0,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "huber_loss",
        dtype: Any = None,
    ):
        super().__init__(huber, reduction, name, dtype, delta=delta)
