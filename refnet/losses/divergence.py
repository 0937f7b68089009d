"""Losses of distributions: what it costs to take one for another, and of counts."""

from refnet import ops, settings
from refnet.annotations import TensorLike
from refnet.losses.base import NamedLoss, floats


def kl_divergence(y_true: TensorLike, y_pred: TensorLike) -> TensorLike:
    """sum over the last axis of t ln(t / p), both clipped to epsilon .. 1: what it costs to take p for t.

    Args:
        y_true, y_pred: probabilities of one shape.
    Returns:
        The shape of y_pred without its last axis.
    Raises:
        ShapeError: shapes that do not fit element by element.  DtypeError: what holds no numbers.
    Source: Kullback and Leibler 1951; Keras 3 `losses.kl_divergence`.

    >>> kl_divergence([[0.5, 0.5]], [[0.25, 0.75]])
    array([0.14384106], dtype=float32)
    """
    y_true, y_pred = (ops.clip(y, settings.epsilon(), 1.0) for y in floats("kl_divergence", y_true, y_pred))
    return ops.sum(ops.multiply(y_true, ops.log(ops.divide(y_true, y_pred))), axis=-1)


def poisson(y_true: TensorLike, y_pred: TensorLike) -> TensorLike:
    """mean over the last axis of p - t ln(p + epsilon): the loss of counts.

    Args:
        y_true: counts.
        y_pred: expected counts, above 0, of that shape.
    Returns:
        The shape of y_pred without its last axis.
    Raises:
        ShapeError: shapes that do not fit element by element.  DtypeError: what holds no numbers.
    Source: Keras 3 `losses.poisson`.

    >>> poisson([[0.0, 0.0]], [[1.0, 2.0]])
    array([1.5], dtype=float32)
    """
    y_true, y_pred = floats("poisson", y_true, y_pred)
    return ops.mean(ops.subtract(y_pred, ops.multiply(y_true, ops.log(ops.add(y_pred, settings.epsilon())))), axis=-1)


class KLDivergence(NamedLoss):
    """What it costs to take one distribution for another: see `kl_divergence`.

    >>> KLDivergence()([[0.5, 0.5]], [[0.5, 0.5]])
    array(0., dtype=float32)
    """

    function = staticmethod(kl_divergence)


class Poisson(NamedLoss):
    """The loss of counts: see `poisson`.

    >>> Poisson()([[0.0, 0.0]], [[1.0, 2.0]])
    array(1.5, dtype=float32)
    """

    function = staticmethod(poisson)
