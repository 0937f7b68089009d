"""Sums and means of values, and functions averaged over samples."""

from collections.abc import Callable
from typing import Any

import numpy as np

from refnet import ops
from refnet.annotations import TensorLike
from refnet.errors import told_by
from refnet.graph import Tensor
from refnet.losses import apply_mask, same_rank
from refnet.losses.base import show_arguments
from refnet.metrics.base import Metric, read
from refnet.naming import snake_case
from refnet.ops.arguments import as_dtype, converted, shape_of


def samplewise(
    values: TensorLike, sample_weight: TensorLike, dtype: str, reduce: Callable[..., TensorLike]
) -> tuple[TensorLike, TensorLike]:
    """One value per sample, times its weight; and the weights, one per sample."""
    values, weight = as_dtype(converted("metric", values), dtype), None
    if sample_weight is not None:
        values, weight = same_rank(values, as_dtype(converted("metric", sample_weight), dtype))
        rank = len(shape_of(weight))
        if len(shape_of(values)) > rank:
            values = reduce(values, axis=tuple(range(rank, len(shape_of(values)))))
        weight = ops.broadcast_to(weight, ops.shape(values))
        values = ops.multiply(values, weight)
        if rank > 1:
            weight = reduce(weight, axis=tuple(range(1, rank)))
    if len(shape_of(values)) > 1:
        values = reduce(values, axis=tuple(range(1, len(shape_of(values)))))
    return values, weight


class Sum(Metric):
    """The (weighted) sum of values.

    Args:
        name, dtype: see Metric.

    >>> metric = Sum()
    >>> metric([1.0, 3.0], sample_weight=[1.0, 0.5])
    array(2.5, dtype=float32)
    """

    def __init__(self, name: str | None = "sum", dtype: Any = None):
        super().__init__(dtype, name)
        self.total = self.add_variable((), name="total")

    def update_state(self, values: TensorLike, sample_weight: TensorLike = None) -> None:
        values, _ = samplewise(values, sample_weight, self.dtype, ops.sum)
        self.total.assign_add(ops.sum(values))

    def result(self) -> TensorLike:
        return read(self.total)


class Mean(Metric):
    """The (weighted) mean of values: a total and a count.

    Args:
        name, dtype: see Metric.

    >>> metric = Mean()
    >>> metric.update_state([1.0, 3.0])
    >>> metric([8.0])
    array(4., dtype=float32)
    """

    def __init__(self, name: str | None = "mean", dtype: Any = None):
        super().__init__(dtype, name)
        self.total, self.count = self.add_variable((), name="total"), self.add_variable((), name="count")

    def update_state(self, values: TensorLike, sample_weight: TensorLike = None) -> None:
        values, weight = samplewise(values, sample_weight, self.dtype, ops.mean)
        self.total.assign_add(ops.sum(values))
        if weight is not None:
            self.count.assign_add(ops.sum(weight))
        else:
            samples = ops.shape(values)[0] if len(shape_of(values)) else 1
            self.count.assign_add(ops.cast(samples, self.dtype))

    def result(self) -> TensorLike:
        total, count = read(self.total), read(self.count)
        if isinstance(total, Tensor):
            return ops.divide_no_nan(total, count)
        return np.divide(total, count, out=np.zeros_like(total), where=count != 0)


class MeanMetricWrapper(Mean):
    """The mean of a function (y_true, y_pred) that gives one value per sample.

    Args:
        fn: the function.
        name, dtype: see Metric; the function's name if None.
        arguments: further keywords, which go to the function.

    >>> from refnet import losses
    >>> metric = MeanMetricWrapper(losses.huber, delta=2.0)
    >>> metric([[0.0]], [[4.0]])
    array(6., dtype=float32)
    """

    def __init__(self, fn: Callable[..., Any], name: str | None = None, dtype: Any = None, **arguments: Any):
        super().__init__(name or str(getattr(fn, "__name__", "metric")), dtype)
        self.fn, self.arguments = fn, arguments
        show_arguments(self, arguments)

    def update_state(self, y_true: TensorLike, y_pred: TensorLike, sample_weight: TensorLike = None) -> None:  # type: ignore[override]  # what is averaged is computed from two arguments
        mask = y_pred.mask if isinstance(y_pred, Tensor) else None
        sample_weight = apply_mask(sample_weight, mask, self.dtype, "sum")
        with told_by(f"the metric {self.name}"):
            values = self.fn(y_true, y_pred, **self.arguments)
        super().update_state(values, sample_weight)

    def get_config(self) -> dict[str, Any]:
        from refnet.saving.serialization import function_config

        wraps = {"fn": function_config(self.fn)} if type(self) is MeanMetricWrapper else {}
        return {**super().get_config(), **wraps, **self.arguments}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Metric":
        """A new metric from what get_config gave; the function may be a config."""
        from refnet.saving.serialization import restored

        return cls(**restored(config))


class NamedMean(MeanMetricWrapper):
    """Base of the metrics that are the mean of a function and nothing else.

    Args:
        name, dtype: see Metric; the class's name if None.
    """

    function: Callable[..., Any]
    named: str | None = None

    def __init__(self, name: str | None = None, dtype: Any = None):
        super().__init__(type(self).function, name or self.named or snake_case(type(self).__name__), dtype)
