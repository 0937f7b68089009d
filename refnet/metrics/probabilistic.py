"""Losses watched as metrics: cross-entropies, divergences, hinges."""

from typing import Any

from refnet import losses, ops
from refnet.annotations import TensorLike
from refnet.losses.base import apply_mask
from refnet.losses.probabilistic import class_numbers
from refnet.metrics.reduction import MeanMetricWrapper, NamedMean


class KLDivergence(NamedMean):
    """The mean of `losses.kl_divergence`.

    >>> KLDivergence()([[0.5, 0.5]], [[0.5, 0.5]])
    array(0., dtype=float32)
    """

    function = staticmethod(losses.kl_divergence)


class Poisson(NamedMean):
    """The mean of `losses.poisson`.

    >>> Poisson()([[0.0, 0.0]], [[1.0, 2.0]])
    array(1.5, dtype=float32)
    """

    function = staticmethod(losses.poisson)


class Hinge(NamedMean):
    """The mean of `losses.hinge`.

    >>> Hinge()([[1.0, -1.0]], [[0.5, 2.0]])
    array(1.75, dtype=float32)
    """

    function = staticmethod(losses.hinge)


class SquaredHinge(NamedMean):
    """The mean of `losses.squared_hinge`.

    >>> SquaredHinge()([[1.0, -1.0]], [[0.5, 2.0]])
    array(4.625, dtype=float32)
    """

    function = staticmethod(losses.squared_hinge)


class CategoricalHinge(NamedMean):
    """The mean of `losses.categorical_hinge`.

    >>> CategoricalHinge()([[0.0, 1.0]], [[0.75, 0.25]])
    array(1.5, dtype=float32)
    """

    function = staticmethod(losses.categorical_hinge)


class BinaryCrossentropy(MeanMetricWrapper):
    """The mean of `losses.binary_crossentropy`.

    Args:
        name, dtype: see Metric.
        from_logits, label_smoothing: see the loss.

    >>> BinaryCrossentropy()([[0.0, 1.0]], [[0.5, 0.5]])
    array(0.6931472, dtype=float32)
    """

    def __init__(
        self,
        name: str | None = "binary_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
    ):
        more = {"from_logits": from_logits, "label_smoothing": label_smoothing}
        super().__init__(losses.binary_crossentropy, name, dtype, **more)


class CategoricalCrossentropy(MeanMetricWrapper):
    """The mean of `losses.categorical_crossentropy`.

    Args:
        name, dtype: see Metric.
        from_logits, label_smoothing, axis: see the loss.

    >>> CategoricalCrossentropy()([[0.0, 1.0]], [[0.5, 0.5]])
    array(0.6931472, dtype=float32)
    """

    def __init__(
        self,
        name: str | None = "categorical_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
    ):
        more = {"from_logits": from_logits, "label_smoothing": label_smoothing, "axis": axis}
        super().__init__(losses.categorical_crossentropy, name, dtype, **more)


class SparseCategoricalCrossentropy(MeanMetricWrapper):
    """The mean of `losses.sparse_categorical_crossentropy`. As in Keras, an ignored class counts as 0, with sample weights not at all.

    Args:
        name, dtype: see Metric.
        from_logits, ignore_class, axis: see the loss.

    >>> SparseCategoricalCrossentropy()([1], [[0.5, 0.5]])
    array(0.6931472, dtype=float32)
    """

    def __init__(
        self,
        name: str | None = "sparse_categorical_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        ignore_class: int | None = None,
        axis: int = -1,
    ):
        more = {"from_logits": from_logits, "ignore_class": ignore_class, "axis": axis}
        super().__init__(losses.sparse_categorical_crossentropy, name, dtype, **more)

    def update_state(self, y_true: TensorLike, y_pred: TensorLike, sample_weight: TensorLike = None) -> None:  # type: ignore[override]  # as its base's
        ignored = self.arguments["ignore_class"]
        if ignored is not None and sample_weight is not None:
            kept = ops.not_equal(class_numbers(y_true, y_pred, self.arguments["axis"]), ignored)
            sample_weight = apply_mask(sample_weight, kept, self.dtype, "sum")
        super().update_state(y_true, y_pred, sample_weight)
