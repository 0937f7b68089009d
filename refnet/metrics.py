"""Metrics: what is watched during training. A metric's state is variables, updated within the step's program."""

from collections.abc import Callable
from typing import Any

import numpy as np

from refnet import dtypes, initializers, losses, ops
from refnet.annotations import Array, TensorLike
from refnet.graph import Assignment, Call, Tensor, Variable, trace
from refnet.losses import same_rank
from refnet.naming import resolved, snake_case
from refnet.ops.arguments import converted, dtype_of, shape_of


class Metric:
    """Base of metrics.

    A subclass makes its state in __init__ with `add_variable`, changes it in `update_state(y_true, y_pred, sample_weight)` by
    assigning, and gives the value in `result()`, written with ops. `update_state` becomes part of the training step.

    Args:
        dtype: of the state; floatx if None.
        name: as history shows it.
    """

    def __init__(self, dtype: Any = None, name: str | None = None):
        self.name = name or snake_case(type(self).__name__)
        self.dtype = dtypes.standardize(dtype)
        self.variables: list[Variable] = []

    def add_variable(
        self, shape: Any, initializer: Any = "zeros", dtype: Any = None, name: str | None = None
    ) -> Variable:
        """A new state variable."""
        dtype = self.dtype if dtype is None else dtypes.standardize(dtype)
        value = np.asarray(initializers.get(initializer)(tuple(shape), dtype=dtype))
        self.variables.append(Variable(value, dtype, trainable=False, name=f"{self.name}/{name or 'variable'}"))
        return self.variables[-1]

    add_weight = add_variable

    def update_state(self, *args: Any, **kwargs: Any) -> None:
        """Takes one batch into the state."""
        raise NotImplementedError(f"{type(self).__name__} has no update_state")

    def result(self) -> TensorLike:
        """The value so far."""
        raise NotImplementedError(f"{type(self).__name__} has no result")

    def reset_state(self) -> None:
        """The state of the beginning: zeros."""
        for variable in self.variables:
            variable.set(np.zeros(variable.shape, variable.array.dtype))

    def updates(self, *args: Any, **kwargs: Any) -> list[Assignment]:
        """The assignments that update_state makes on symbolic tensors, for a step's program."""
        record = Call(self, None, {}, None)
        with trace.inside(call=record, guard=(), training=None):
            self.update_state(*args, **kwargs)
        return record.assignments

    def __call__(self, *args: Any, **kwargs: Any) -> TensorLike:
        """Updates with arrays, at once, and gives the result."""
        self.update_state(*args, **kwargs)
        return self.result()

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "dtype": self.dtype}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Metric":
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


def samplewise(
    values: TensorLike, sample_weight: TensorLike, dtype: str, reduce: Callable[..., TensorLike]
) -> tuple[TensorLike, TensorLike]:
    """One value per sample, times its weight; and the weights, one per sample."""
    values, weight = ops.cast(converted("metric", values), dtype), None
    if sample_weight is not None:
        values, weight = same_rank(values, ops.cast(converted("metric", sample_weight), dtype))
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
    """The (weighted) sum of values."""

    def __init__(self, name: str = "sum", dtype: Any = None):
        super().__init__(dtype, name)
        self.total = self.add_variable((), name="total")

    def update_state(self, values: TensorLike, sample_weight: TensorLike = None) -> None:
        values, _ = samplewise(values, sample_weight, self.dtype, ops.sum)
        self.total.assign_add(ops.sum(values))

    def result(self) -> TensorLike:
        return _read(self.total)


class Mean(Metric):
    """The (weighted) mean of values: a total and a count."""

    def __init__(self, name: str = "mean", dtype: Any = None):
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
        total, count = _read(self.total), _read(self.count)
        if isinstance(total, Tensor):
            return ops.divide(total, ops.maximum(count, np.finfo(np.float32).tiny))
        return np.divide(total, count, out=np.zeros_like(total), where=count != 0)


def _read(variable: Variable) -> TensorLike:
    """A state variable: the tensor while a graph is being built, else its value."""
    return variable if trace.call is not None or trace.collecting else variable.numpy()


class MeanMetricWrapper(Mean):
    """The mean of a function (y_true, y_pred) that gives one value per sample."""

    def __init__(self, fn: Callable[..., Any], name: str | None = None, dtype: Any = None, **arguments: Any):
        super().__init__(name or str(getattr(fn, "__name__", "metric")), dtype)
        self.fn, self.arguments = fn, arguments

    def update_state(self, y_true: TensorLike, y_pred: TensorLike, sample_weight: TensorLike = None) -> None:  # type: ignore[override]  # what is averaged is computed from two arguments
        mask = y_pred.mask if isinstance(y_pred, Tensor) else None
        sample_weight = losses.apply_mask(sample_weight, mask, self.dtype, "sum")
        super().update_state(self.fn(y_true, y_pred, **self.arguments), sample_weight)

    def get_config(self) -> dict[str, Any]:
        wraps = {"fn": self.fn} if type(self) is MeanMetricWrapper else {}
        return {**super().get_config(), **wraps, **self.arguments}


# ---- functions: one value per sample


def binary_accuracy(y_true: TensorLike, y_pred: TensorLike, threshold: float = 0.5) -> TensorLike:
    """1 where y_pred > threshold agrees with y_true, else 0."""
    y_true, y_pred = same_rank(converted("binary_accuracy", y_true), converted("binary_accuracy", y_pred))
    read = ops.cast(ops.greater(y_pred, threshold), dtype_of(y_true))
    return ops.cast(ops.equal(y_true, read), dtypes.floatx())


def categorical_accuracy(y_true: TensorLike, y_pred: TensorLike) -> TensorLike:
    """1 where the largest entries of y_true and y_pred stand at the same place, else 0."""
    wanted, got = ops.argmax(y_true, axis=-1), ops.argmax(y_pred, axis=-1)
    return ops.cast(ops.equal(wanted, got), dtypes.floatx())


def sparse_categorical_accuracy(y_true: TensorLike, y_pred: TensorLike) -> TensorLike:
    """1 where y_pred is largest at the place that y_true names, else 0."""
    y_true = converted("sparse_categorical_accuracy", y_true)
    if len(shape_of(y_true)) == len(shape_of(y_pred)) and shape_of(y_true)[-1] == 1:
        y_true = ops.squeeze(y_true, -1)
    got = ops.argmax(y_pred, axis=-1)
    return ops.cast(ops.equal(ops.cast(y_true, dtype_of(got)), got), dtypes.floatx())


def accuracy(y_true: TensorLike, y_pred: TensorLike) -> TensorLike:
    """1 where y_pred equals y_true, else 0."""
    y_pred = converted("accuracy", y_pred)
    y_true, y_pred = same_rank(ops.cast(y_true, dtype_of(y_pred)), y_pred)
    return ops.cast(ops.equal(y_true, y_pred), dtypes.floatx())


# ---- classes


class Accuracy(MeanMetricWrapper):
    """How often predictions equal targets."""

    def __init__(self, name: str = "accuracy", dtype: Any = None):
        super().__init__(accuracy, name, dtype)


class BinaryAccuracy(MeanMetricWrapper):
    """How often predictions fall on the right side of the threshold."""

    def __init__(self, name: str = "binary_accuracy", dtype: Any = None, threshold: float = 0.5):
        super().__init__(binary_accuracy, name, dtype, threshold=threshold)


class CategoricalAccuracy(MeanMetricWrapper):
    """How often the largest prediction is the class of a one-hot target."""

    def __init__(self, name: str = "categorical_accuracy", dtype: Any = None):
        super().__init__(categorical_accuracy, name, dtype)


class SparseCategoricalAccuracy(MeanMetricWrapper):
    """How often the largest prediction is the class that the target names."""

    def __init__(self, name: str = "sparse_categorical_accuracy", dtype: Any = None):
        super().__init__(sparse_categorical_accuracy, name, dtype)


class MeanSquaredError(MeanMetricWrapper):
    """The mean of (y_true - y_pred)^2."""

    def __init__(self, name: str = "mean_squared_error", dtype: Any = None):
        super().__init__(losses.mean_squared_error, name, dtype)


class MeanAbsoluteError(MeanMetricWrapper):
    """The mean of |y_true - y_pred|."""

    def __init__(self, name: str = "mean_absolute_error", dtype: Any = None):
        super().__init__(losses.mean_absolute_error, name, dtype)


class BinaryCrossentropy(MeanMetricWrapper):
    """The mean of `losses.binary_crossentropy`."""

    def __init__(
        self,
        name: str = "binary_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
    ):
        more = {"from_logits": from_logits, "label_smoothing": label_smoothing}
        super().__init__(losses.binary_crossentropy, name, dtype, **more)


class CategoricalCrossentropy(MeanMetricWrapper):
    """The mean of `losses.categorical_crossentropy`."""

    def __init__(
        self,
        name: str = "categorical_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
    ):
        more = {"from_logits": from_logits, "label_smoothing": label_smoothing, "axis": axis}
        super().__init__(losses.categorical_crossentropy, name, dtype, **more)


class SparseCategoricalCrossentropy(MeanMetricWrapper):
    """The mean of `losses.sparse_categorical_crossentropy`."""

    def __init__(
        self,
        name: str = "sparse_categorical_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        axis: int = -1,
    ):
        super().__init__(losses.sparse_categorical_crossentropy, name, dtype, from_logits=from_logits, axis=axis)


mean_squared_error, mean_absolute_error = losses.mean_squared_error, losses.mean_absolute_error
binary_crossentropy, categorical_crossentropy = losses.binary_crossentropy, losses.categorical_crossentropy
sparse_categorical_crossentropy = losses.sparse_categorical_crossentropy

_CLASSES: tuple[type[Metric], ...] = (
    *(Accuracy, BinaryAccuracy, CategoricalAccuracy, SparseCategoricalAccuracy, Mean, Sum, MeanMetricWrapper),
    *(MeanSquaredError, MeanAbsoluteError, BinaryCrossentropy, CategoricalCrossentropy, SparseCategoricalCrossentropy),
)
known: dict[str, Any] = {c.__name__: c for c in _CLASSES} | {snake_case(c.__name__): c for c in _CLASSES}
known |= {"mse": MeanSquaredError, "MSE": MeanSquaredError, "mae": MeanAbsoluteError, "MAE": MeanAbsoluteError}
known |= {"bce": BinaryCrossentropy, "BCE": BinaryCrossentropy, "acc": Accuracy}


def get(identifier: Any) -> Any:
    """A metric (an object or a function) by name, config or as itself.

    Raises:
        ArgumentError: an unknown name, with the near ones.
    """
    return resolved("metric", identifier, known)


def as_metric(identifier: Any, target_shape: Array, output_shape: Array) -> Metric:
    """Whatever names a metric, as a Metric object; "accuracy" is the one that fits the shapes."""
    if identifier in ("accuracy", "acc"):
        fitting: Metric = _fitting_accuracy(target_shape, output_shape)(name=identifier)
        return fitting
    found = get(identifier)
    name = getattr(found, "name", None) or getattr(found, "__name__", type(found).__name__)
    metric = found if isinstance(found, Metric) else MeanMetricWrapper(found, name=name)
    if isinstance(identifier, str):
        metric.name = identifier
    return metric


def _fitting_accuracy(target_shape: Array, output_shape: Array) -> type[Any]:
    if output_shape[-1] == 1:
        return BinaryAccuracy
    sparse = len(target_shape) < len(output_shape) or target_shape[-1] == 1
    return SparseCategoricalAccuracy if sparse else CategoricalAccuracy
