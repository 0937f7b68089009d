"""Losses: how far predictions are from targets. Each is a function of one value per sample, and a class that reduces them."""

from collections.abc import Callable
from typing import Any

from refnet import dtypes, ops
from refnet.annotations import TensorLike
from refnet.errors import ArgumentError
from refnet.graph import Tensor
from refnet.naming import resolved, snake_case
from refnet.ops.arguments import converted, shape_of

REDUCTIONS = ("sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none", None)


def same_rank(a: TensorLike, b: TensorLike) -> tuple[TensorLike, TensorLike]:
    """Two arrays whose ranks differ by a last axis of 1, brought to one rank."""
    for _ in range(2):
        a, b = b, a  # twice: whichever has the extra axis comes first once
        shape_a, shape_b = shape_of(a), shape_of(b)
        if len(shape_a) == len(shape_b) + 1 and shape_a[-1] == 1:
            if len(shape_b) == 1:
                b = ops.expand_dims(b, -1)
            else:
                a = ops.squeeze(a, -1)
    return a, b


def _floats(y_true: TensorLike, y_pred: TensorLike) -> tuple[TensorLike, TensorLike]:
    y_pred = converted("loss", y_pred, "y_pred")
    dtype = y_pred.dtype if isinstance(y_pred, Tensor) else y_pred.dtype.name
    if not dtypes.is_floating(dtype):
        dtype = dtypes.floatx()
    return same_rank(ops.cast(converted("loss", y_true, "y_true"), dtype), ops.cast(y_pred, dtype))


# ---- functions: one value per sample


def mean_squared_error(y_true: TensorLike, y_pred: TensorLike) -> TensorLike:
    """mean over the last axis of (y_true - y_pred)^2."""
    y_true, y_pred = _floats(y_true, y_pred)
    return ops.mean(ops.square(ops.subtract(y_true, y_pred)), axis=-1)


def mean_absolute_error(y_true: TensorLike, y_pred: TensorLike) -> TensorLike:
    """mean over the last axis of |y_true - y_pred|."""
    y_true, y_pred = _floats(y_true, y_pred)
    return ops.mean(ops.abs(ops.subtract(y_true, y_pred)), axis=-1)


def binary_crossentropy(
    y_true: TensorLike,
    y_pred: TensorLike,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> TensorLike:
    """mean over an axis of -(t ln p + (1 - t) ln(1 - p)), t moved towards 0.5 by label_smoothing."""
    y_true, y_pred = _floats(y_true, y_pred)
    if label_smoothing:
        y_true = ops.add(ops.multiply(y_true, 1.0 - label_smoothing), 0.5 * label_smoothing)
    return ops.mean(ops.binary_crossentropy(y_true, y_pred, from_logits=from_logits), axis=axis)


def categorical_crossentropy(
    y_true: TensorLike,
    y_pred: TensorLike,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> TensorLike:
    """-sum over classes of t ln p, t moved towards 1 / classes by label_smoothing."""
    y_true, y_pred = _floats(y_true, y_pred)
    if label_smoothing:
        classes = shape_of(y_true)[axis]
        y_true = ops.add(ops.multiply(y_true, 1.0 - label_smoothing), label_smoothing / classes)
    return ops.categorical_crossentropy(y_true, y_pred, from_logits=from_logits, axis=axis)


def sparse_categorical_crossentropy(
    y_true: TensorLike, y_pred: TensorLike, from_logits: bool = False, axis: int = -1
) -> TensorLike:
    """-ln p of the class that y_true names."""
    return ops.sparse_categorical_crossentropy(
        ops.cast(converted("loss", y_true, "y_true"), "int32"), y_pred, from_logits=from_logits, axis=axis
    )


# ---- classes: reduced over the batch


class Loss:
    """Base of losses: a subclass writes `call(y_true, y_pred)`, one value per sample.

    Args:
        name: as progress and history show it.
        reduction: "sum_over_batch_size" (the mean over all values; "mean" is the same), "sum", "mean_with_sample_weight"
            (divided by the sum of the weights), or "none".
        dtype: of the computation; floatx if None.
    """

    def __init__(self, name: str | None = None, reduction: str | None = "sum_over_batch_size", dtype: Any = None):
        if reduction not in REDUCTIONS:
            raise ArgumentError(f"reduction is one of {', '.join(map(repr, REDUCTIONS))}; got {reduction!r}.")
        self.name = name or snake_case(type(self).__name__)
        self.reduction, self.dtype = reduction, dtypes.standardize(dtype)

    def call(self, y_true: TensorLike, y_pred: TensorLike) -> TensorLike:
        raise NotImplementedError(f"{type(self).__name__} has no `call`")

    def __call__(self, y_true: TensorLike, y_pred: TensorLike, sample_weight: TensorLike = None) -> TensorLike:
        values = ops.cast(self.call(y_true, y_pred), self.dtype)
        if isinstance(y_pred, Tensor):
            sample_weight = apply_mask(sample_weight, y_pred.mask, self.dtype, self.reduction)
        if sample_weight is not None:
            values, weight = same_rank(values, ops.cast(converted(self.name, sample_weight), self.dtype))
            values = ops.multiply(values, weight)
        if self.reduction in (None, "none") or len(shape_of(values)) == 0:
            return values
        if self.reduction == "sum":
            return ops.sum(values)
        if self.reduction == "mean_with_sample_weight" and sample_weight is not None:
            return ops.divide(ops.sum(values), ops.sum(weight))
        return ops.mean(values)

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "reduction": self.reduction, "dtype": self.dtype}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Loss":
        return cls(**config)


def apply_mask(sample_weight: TensorLike, mask: Tensor | None, dtype: str, reduction: str | None) -> TensorLike:
    """The sample weights with the mask of the predictions in them: 0 where it is False, None if there is neither.

    Where the reduction divides by the number of all values, those that count weigh so much more that it is a mean over them.
    """
    if mask is None:
        return sample_weight
    weight = ops.cast(mask, dtype)
    if reduction in ("mean", "sum_over_batch_size"):
        weight = ops.multiply(weight, ops.divide_no_nan(1.0, ops.mean(weight)))
    if sample_weight is None:
        return weight
    weight, sample_weight = same_rank(weight, ops.cast(converted("loss", sample_weight), dtype))
    return ops.multiply(weight, sample_weight)


class LossFunctionWrapper(Loss):
    """A function (y_true, y_pred) as a loss; further keywords go to the function."""

    def __init__(
        self,
        fn: Callable[..., Any],
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
        **arguments: Any,
    ):
        super().__init__(name or getattr(fn, "__name__", None), reduction, dtype)
        self.fn, self.arguments = fn, arguments

    def call(self, y_true: TensorLike, y_pred: TensorLike) -> TensorLike:
        return self.fn(y_true, y_pred, **self.arguments)

    def get_config(self) -> dict[str, Any]:
        wraps = {"fn": self.fn} if type(self) is LossFunctionWrapper else {}
        return {**super().get_config(), **wraps, **self.arguments}


class MeanSquaredError(LossFunctionWrapper):
    """mean of (y_true - y_pred)^2."""

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str = "mean_squared_error", dtype: Any = None
    ):
        super().__init__(mean_squared_error, reduction, name, dtype)


class MeanAbsoluteError(LossFunctionWrapper):
    """mean of |y_true - y_pred|."""

    def __init__(
        self, reduction: str | None = "sum_over_batch_size", name: str = "mean_absolute_error", dtype: Any = None
    ):
        super().__init__(mean_absolute_error, reduction, name, dtype)


class BinaryCrossentropy(LossFunctionWrapper):
    """The cross-entropy of yes-or-no predictions: see `binary_crossentropy`."""

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str = "binary_crossentropy",
        dtype: Any = None,
    ):
        _check_smoothing(label_smoothing)
        more = {"from_logits": from_logits, "label_smoothing": label_smoothing, "axis": axis}
        super().__init__(binary_crossentropy, reduction, name, dtype, **more)


class CategoricalCrossentropy(LossFunctionWrapper):
    """The cross-entropy of one-hot targets: see `categorical_crossentropy`."""

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str = "categorical_crossentropy",
        dtype: Any = None,
    ):
        _check_smoothing(label_smoothing)
        more = {"from_logits": from_logits, "label_smoothing": label_smoothing, "axis": axis}
        super().__init__(categorical_crossentropy, reduction, name, dtype, **more)


class SparseCategoricalCrossentropy(LossFunctionWrapper):
    """The cross-entropy of class numbers: see `sparse_categorical_crossentropy`."""

    def __init__(
        self,
        from_logits: bool = False,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str = "sparse_categorical_crossentropy",
        dtype: Any = None,
    ):
        super().__init__(sparse_categorical_crossentropy, reduction, name, dtype, from_logits=from_logits, axis=axis)


def _check_smoothing(value: float) -> None:
    if not 0 <= value <= 1:
        raise ArgumentError(f"label_smoothing lies in 0..1; got {value!r}.")


_CLASSES: dict[Callable[..., Any], type[Loss]] = {
    mean_squared_error: MeanSquaredError,
    mean_absolute_error: MeanAbsoluteError,
    binary_crossentropy: BinaryCrossentropy,
    categorical_crossentropy: CategoricalCrossentropy,
    sparse_categorical_crossentropy: SparseCategoricalCrossentropy,
}
known: dict[str, Any] = {f.__name__: f for f in _CLASSES} | {c.__name__: c for c in _CLASSES.values()}
known["LossFunctionWrapper"] = LossFunctionWrapper
known |= dict.fromkeys(("mse", "MSE"), mean_squared_error) | dict.fromkeys(("mae", "MAE"), mean_absolute_error)
known |= {"bce": binary_crossentropy, "BCE": binary_crossentropy, "cce": categorical_crossentropy}


def get(identifier: Any) -> Any:
    """A loss (an object or a function) by name, config or as itself; None stays None.

    Raises:
        ArgumentError: an unknown name, with the near ones.
    """
    return resolved("loss", identifier, known)


def as_loss(identifier: Any) -> Loss | None:
    """Whatever names a loss, as a Loss object."""
    found = get(identifier)
    if found is None or isinstance(found, Loss):
        return found
    if found in _CLASSES:
        return _CLASSES[found](name=identifier if isinstance(identifier, str) else found.__name__)
    return LossFunctionWrapper(found)
