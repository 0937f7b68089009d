"""Losses of probabilities: cross-entropies and their focal forms."""

from typing import Any

from refnet import dtypes, ops, settings
from refnet.annotations import TensorLike
from refnet.errors import ArgumentError
from refnet.losses.base import CLASS_NUMBERS, LossFunctionWrapper, floats
from refnet.ops.arguments import as_dtype, converted, dtype_of, floating, shape_of


def binary_crossentropy(
    y_true: TensorLike,
    y_pred: TensorLike,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> TensorLike:
    """mean over an axis of -(t ln p + (1 - t) ln(1 - p)), t moved towards 0.5 by label_smoothing.

    Args:
        y_true, y_pred: labels and probabilities of one shape; probabilities are kept epsilon away from 0 and 1.
        from_logits: whether y_pred holds logits.
        label_smoothing: 0..1.
        axis: over which the mean is taken.
    Returns:
        The shape of y_pred without the axis.
    Raises:
        ShapeError: shapes that do not fit element by element.  DtypeError: what holds no numbers.
    Source: Chollet 3.4.3; Keras 3 `losses.binary_crossentropy`.

    >>> binary_crossentropy([[1.0, 0.0]], [[0.5, 0.5]])
    array([0.6931472], dtype=float32)
    """
    y_true, y_pred = floats("binary_crossentropy", y_true, y_pred)
    return ops.mean(ops.binary_crossentropy(_binary_smoothed(y_true, label_smoothing), y_pred, from_logits), axis=axis)


def binary_focal_crossentropy(
    y_true: TensorLike,
    y_pred: TensorLike,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> TensorLike:
    """binary_crossentropy in which what is already right counts little.

        mean over an axis of  (1 - q)^gamma * crossentropy,   q = t * p + (1 - t) * (1 - p)

    Args:
        y_true, y_pred, from_logits, label_smoothing, axis: as in binary_crossentropy.
        apply_class_balancing: whether class 1 is weighted by alpha and class 0 by 1 - alpha.
        alpha: the weight of class 1.
        gamma: how little; 0 gives binary_crossentropy.
    Returns:
        The shape of y_pred without the axis.
    Raises:
        ShapeError: shapes that do not fit element by element.  DtypeError: what holds no numbers.
    Source: Lin et al. 2017; Keras 3 `losses.binary_focal_crossentropy`.

    >>> binary_focal_crossentropy([[1.0, 0.0]], [[0.5, 0.5]])
    array([0.1732868], dtype=float32)
    """
    y_true, y_pred = floats("binary_focal_crossentropy", y_true, y_pred)
    y_true = _binary_smoothed(y_true, label_smoothing)
    p = ops.sigmoid(y_pred) if from_logits else y_pred
    crossentropy = ops.binary_crossentropy(y_true, p)
    no = ops.subtract(1.0, y_true)
    right = ops.add(ops.multiply(y_true, p), ops.multiply(no, ops.subtract(1.0, p)))
    value = ops.multiply(ops.power(ops.subtract(1.0, right), gamma), crossentropy)
    if apply_class_balancing:
        value = ops.multiply(ops.add(ops.multiply(y_true, alpha), ops.multiply(no, 1.0 - alpha)), value)
    return ops.mean(value, axis=axis)


def categorical_crossentropy(
    y_true: TensorLike,
    y_pred: TensorLike,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> TensorLike:
    """-sum over classes of t ln p, t moved towards 1 / classes by label_smoothing.

    Args:
        y_true, y_pred: one-hot rows and probabilities of one shape; probabilities are made to sum to 1.
        from_logits: whether y_pred holds logits.
        label_smoothing: 0..1.
        axis: of the classes.
    Returns:
        The shape of y_pred without the axis.
    Raises:
        ShapeError: shapes that do not fit element by element.  DtypeError: what holds no numbers.
    Source: Chollet 3.5.3; Keras 3 `losses.categorical_crossentropy`.

    >>> categorical_crossentropy([[0.0, 1.0]], [[0.5, 0.5]])
    array([0.6931472], dtype=float32)
    """
    y_true, y_pred = floats("categorical_crossentropy", y_true, y_pred)
    y_true = _smoothed(y_true, label_smoothing, axis)
    return ops.categorical_crossentropy(y_true, y_pred, from_logits=from_logits, axis=axis)


def categorical_focal_crossentropy(
    y_true: TensorLike,
    y_pred: TensorLike,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> TensorLike:
    """-sum over classes of alpha * (1 - p)^gamma * t ln p: categorical_crossentropy in which what is already right counts little.

    Args:
        y_true, y_pred, from_logits, label_smoothing, axis: as in categorical_crossentropy.
        alpha: a factor, or one for each class.
        gamma: how little.
    Returns:
        The shape of y_pred without the axis.
    Raises:
        ShapeError: shapes that do not fit element by element.  DtypeError: what holds no numbers.
    Source: Lin et al. 2017; Keras 3 `losses.categorical_focal_crossentropy`.

    >>> categorical_focal_crossentropy([[0.0, 1.0]], [[0.5, 0.5]], alpha=1.0)
    array([0.1732868], dtype=float32)
    """
    y_true, y_pred = floats("categorical_focal_crossentropy", y_true, y_pred)
    y_true = _smoothed(y_true, label_smoothing, axis)
    p = ops.softmax(y_pred, axis=axis) if from_logits else y_pred
    p = ops.clip(ops.divide(p, ops.sum(p, axis=axis, keepdims=True)), settings.epsilon(), 1.0 - settings.epsilon())
    factor = ops.multiply(ops.power(ops.subtract(1.0, p), gamma), as_dtype(converted("alpha", alpha), dtype_of(p)))
    return ops.negative(ops.sum(ops.multiply(factor, ops.multiply(y_true, ops.log(p))), axis=axis))


def sparse_categorical_crossentropy(
    y_true: TensorLike,
    y_pred: TensorLike,
    from_logits: bool = False,
    ignore_class: int | None = None,
    axis: int = -1,
) -> TensorLike:
    """-ln p of the class that y_true names.

    Args:
        y_true: class numbers, of the shape of y_pred without the axis, or with 1 there.
        y_pred: probabilities, which are made to sum to 1.
        from_logits: whether y_pred holds logits.
        ignore_class: a number in y_true that is no class: the value there is 0.
        axis: of the classes.
    Returns:
        The shape of y_pred without the axis.
    Raises:
        ShapeError: not one class number for each row of y_pred.  DataError: a number that is no class.
    Source: Chollet 3.5.6; Keras 3 `losses.sparse_categorical_crossentropy`.

    >>> sparse_categorical_crossentropy([1, -1], [[0.5, 0.5], [0.25, 0.75]], ignore_class=-1)
    array([0.6931472, 0.       ], dtype=float32)
    """
    y_true = class_numbers(y_true, y_pred, axis)
    if ignore_class is None:
        return ops.sparse_categorical_crossentropy(y_true, y_pred, from_logits=from_logits, axis=axis)
    valid = ops.not_equal(y_true, ignore_class)
    values = ops.sparse_categorical_crossentropy(ops.where(valid, y_true, 0), y_pred, from_logits, axis=axis)
    return ops.where(valid, values, 0.0)


def categorical_generalized_cross_entropy(y_true: TensorLike, y_pred: TensorLike, q: float = 0.5) -> TensorLike:
    """(1 - p^q) / q, p the probability of the class that y_true names: a cross-entropy that forgives wrong labels.

    Args:
        y_true: class numbers, of the shape of y_pred without its last axis, or with 1 there.
        y_pred: probabilities.
        q: between 0 (cross-entropy) and 1 (absolute error).
    Returns:
        The shape of y_pred without its last axis.
    Raises:
        ShapeError: not one class number for each row of y_pred.
    Source: Zhang and Sabuncu 2018; Keras 3 `losses.categorical_generalized_cross_entropy`.

    >>> categorical_generalized_cross_entropy([1], [[0.75, 0.25]], q=0.5)
    array([1.], dtype=float32)
    """
    y_pred = floating("categorical_generalized_cross_entropy", y_pred, "y_pred")
    labels = class_numbers(y_true, y_pred, -1)
    chosen = ops.one_hot(labels, shape_of(y_pred)[-1], dtype=dtype_of(y_pred))
    p = ops.sum(ops.multiply(y_pred, chosen), axis=-1)
    return ops.divide(ops.subtract(1.0, ops.power(p, q)), q)


def _binary_smoothed(y_true: TensorLike, label_smoothing: float) -> TensorLike:
    return ops.add(ops.multiply(y_true, 1 - label_smoothing), 0.5 * label_smoothing) if label_smoothing else y_true


def _smoothed(y_true: TensorLike, label_smoothing: float, axis: int) -> TensorLike:
    if not label_smoothing:
        return y_true
    return ops.add(ops.multiply(y_true, 1.0 - label_smoothing), label_smoothing / shape_of(y_true)[axis])


def class_numbers(y_true: TensorLike, y_pred: TensorLike, axis: int) -> TensorLike:
    """Class numbers as int32, without an axis of 1 where y_pred has its classes."""
    y_true = converted("loss", y_true, "y_true")
    if not dtypes.is_integer(dtype_of(y_true)):
        y_true = as_dtype(y_true, "int32")
    shape = shape_of(y_true)
    if len(shape) == len(shape_of(y_pred)) and shape[axis] == 1:
        y_true = ops.squeeze(y_true, axis)
    return y_true


def _check_smoothing(value: float) -> None:
    if not 0 <= value <= 1:
        raise ArgumentError(f"label_smoothing lies in 0..1; got {value!r}.")


# ---- classes


class BinaryCrossentropy(LossFunctionWrapper):
    """The cross-entropy of yes-or-no predictions: see `binary_crossentropy`.

    Args:
        from_logits, label_smoothing, axis: see there.
        reduction, name, dtype: see Loss.

    >>> BinaryCrossentropy()([[0.0, 1.0]], [[0.5, 0.5]])
    array(0.6931472, dtype=float32)
    """

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "binary_crossentropy",
        dtype: Any = None,
    ):
        _check_smoothing(label_smoothing)
        more = {"from_logits": from_logits, "label_smoothing": label_smoothing, "axis": axis}
        super().__init__(binary_crossentropy, reduction, name, dtype, **more)


class BinaryFocalCrossentropy(LossFunctionWrapper):
    """A cross-entropy in which easy samples count little: see `binary_focal_crossentropy`.

    Args:
        apply_class_balancing, alpha, gamma, from_logits, label_smoothing, axis: see there.
        reduction, name, dtype: see Loss.

    >>> BinaryFocalCrossentropy()([[0.0, 1.0]], [[0.5, 0.5]])
    array(0.1732868, dtype=float32)
    """

    def __init__(
        self,
        apply_class_balancing: bool = False,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "binary_focal_crossentropy",
        dtype: Any = None,
    ):
        _check_smoothing(label_smoothing)
        more = {"from_logits": from_logits, "label_smoothing": label_smoothing, "axis": axis}
        more |= {"apply_class_balancing": apply_class_balancing, "alpha": alpha, "gamma": gamma}
        super().__init__(binary_focal_crossentropy, reduction, name, dtype, **more)


class CategoricalCrossentropy(LossFunctionWrapper):
    """The cross-entropy of one-hot targets: see `categorical_crossentropy`.

    Args:
        from_logits, label_smoothing, axis: see there.
        reduction, name, dtype: see Loss.

    >>> CategoricalCrossentropy(from_logits=True)([[0.0, 1.0]], [[0.0, 0.0]])
    array(0.6931472, dtype=float32)
    """

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "categorical_crossentropy",
        dtype: Any = None,
    ):
        _check_smoothing(label_smoothing)
        more = {"from_logits": from_logits, "label_smoothing": label_smoothing, "axis": axis}
        super().__init__(categorical_crossentropy, reduction, name, dtype, **more)


class CategoricalFocalCrossentropy(LossFunctionWrapper):
    """A cross-entropy in which easy samples count little: see `categorical_focal_crossentropy`.

    Args:
        alpha, gamma, from_logits, label_smoothing, axis: see there.
        reduction, name, dtype: see Loss.

    >>> CategoricalFocalCrossentropy(alpha=1.0)([[0.0, 1.0]], [[0.5, 0.5]])
    array(0.1732868, dtype=float32)
    """

    def __init__(
        self,
        alpha: Any = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "categorical_focal_crossentropy",
        dtype: Any = None,
    ):
        _check_smoothing(label_smoothing)
        more = {"from_logits": from_logits, "label_smoothing": label_smoothing, "axis": axis}
        super().__init__(categorical_focal_crossentropy, reduction, name, dtype, alpha=alpha, gamma=gamma, **more)


class SparseCategoricalCrossentropy(LossFunctionWrapper):
    """The cross-entropy of class numbers: see `sparse_categorical_crossentropy`. The mean leaves out the ignored class.

    Args:
        from_logits, ignore_class, axis: see there.
        reduction, name, dtype: see Loss.

    >>> SparseCategoricalCrossentropy(ignore_class=-1)([1, -1], [[0.5, 0.5], [0.25, 0.75]])
    array(0.6931472, dtype=float32)
    """

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = "sum_over_batch_size",
        axis: int = -1,
        name: str | None = "sparse_categorical_crossentropy",
        dtype: Any = None,
    ):
        more = {"from_logits": from_logits, "ignore_class": ignore_class, "axis": axis}
        super().__init__(sparse_categorical_crossentropy, reduction, name, dtype, **more)

    def mask(self, y_true: TensorLike, y_pred: TensorLike, values: TensorLike) -> TensorLike:
        if self.arguments["ignore_class"] is None:
            return None
        return ops.not_equal(class_numbers(y_true, y_pred, self.arguments["axis"]), self.arguments["ignore_class"])


class CategoricalGeneralizedCrossEntropy(LossFunctionWrapper):
    """A cross-entropy that forgives wrong labels: see `categorical_generalized_cross_entropy`.

    Args:
        q: between 0 and 1.
        reduction, name, dtype: see Loss.
    Raises:
        ArgumentError: another q.

    >>> CategoricalGeneralizedCrossEntropy(q=0.5)([1], [[0.75, 0.25]])
    array(1., dtype=float32)
    """

    def __init__(
        self,
        q: float = 0.5,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "categorical_generalized_cross_entropy",
        dtype: Any = None,
    ):
        if not 0 < q < 1:
            raise ArgumentError(f"{name}: q lies between 0 and 1; got {q!r}.")
        super().__init__(categorical_generalized_cross_entropy, reduction, name, dtype, q=q)


CLASS_NUMBERS.update((sparse_categorical_crossentropy, categorical_generalized_cross_entropy))
