"""Intersection over union: how well regions of classes match."""

from typing import Any

from refnet import ops, settings
from refnet.annotations import TensorLike
from refnet.errors import ArgumentError
from refnet.metrics.base import Metric
from refnet.ops.arguments import as_dtype, converted, shape_of


class IoU(Metric):
    """intersection / union of what is and what was predicted to be a class, averaged over classes that occur.

    A matrix counts how often class i was taken for class j.

    Args:
        num_classes: how many classes there are; other numbers are left out.
        target_class_ids: the classes that are averaged.
        name: see Metric.
        dtype: of the counts; int32 if None. Fractional sample weights need a floating one.
        ignore_class: a number in the targets that is left out.
        sparse_y_true, sparse_y_pred: whether targets and predictions are class numbers; else the largest along `axis` is.
        axis: of the classes.
    Raises:
        ArgumentError: a target class outside the classes.
    Source: Everingham et al. 2010; Keras 3 `metrics.IoU`.

    >>> IoU(2, [0])([0, 0, 1, 1], [0, 1, 0, 1])
    array(0.3333333, dtype=float32)
    """

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Any,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ):
        super().__init__("int32" if dtype in (None, "int") else dtype, name)
        self.target_class_ids = [int(i) for i in target_class_ids]
        for number in self.target_class_ids:
            if not 0 <= number < num_classes:
                raise ArgumentError(f"{self.name}: class {number} is outside the {num_classes} classes.")
        self.num_classes, self.ignore_class, self.axis = num_classes, ignore_class, axis
        self.sparse_y_true, self.sparse_y_pred = sparse_y_true, sparse_y_pred
        self.total_cm = self.add_variable((num_classes, num_classes), name="total_confusion_matrix")

    def update_state(self, y_true: TensorLike, y_pred: TensorLike, sample_weight: TensorLike = None) -> None:
        wanted, said = converted(self.name, y_true, "y_true"), converted(self.name, y_pred, "y_pred")
        wanted = wanted if self.sparse_y_true else ops.argmax(wanted, axis=self.axis)
        said = said if self.sparse_y_pred else ops.argmax(said, axis=self.axis)
        wanted, said = (ops.reshape(as_dtype(y, "int32"), (-1,)) for y in (wanted, said))
        weight = as_dtype(converted(self.name, 1 if sample_weight is None else sample_weight), self.dtype)
        if len(shape_of(weight)) > 1:
            weight = ops.reshape(weight, (-1,))
        inside = ops.logical_and(self._is_class(wanted), self._is_class(said))
        if self.ignore_class is not None:
            inside = ops.logical_and(inside, ops.not_equal(wanted, self.ignore_class))
        weight = ops.where(inside, ops.broadcast_to(weight, ops.shape(wanted)), 0)
        cell = ops.where(inside, ops.add(ops.multiply(wanted, self.num_classes), said), 0)
        counts = ops.segment_sum(as_dtype(weight, self.dtype), cell, self.num_classes * self.num_classes)
        self.total_cm.assign_add(ops.reshape(counts, (self.num_classes, self.num_classes)))

    def _is_class(self, numbers: TensorLike) -> TensorLike:
        return ops.logical_and(ops.greater_equal(numbers, 0), ops.less(numbers, self.num_classes))

    def result(self) -> TensorLike:
        matrix = self.total_cm
        both = ops.diag(matrix)
        either = ops.subtract(ops.add(ops.sum(matrix, axis=0), ops.sum(matrix, axis=1)), both)
        ids = ops.convert_to_tensor(self.target_class_ids, "int32")
        both, either = (ops.cast(ops.take(x, ids, axis=0), "float32") for x in (both, either))
        occurs = ops.greater(either, 1e-9)
        values = ops.where(occurs, ops.divide(both, ops.add(either, settings.epsilon())), 0.0)
        return ops.divide(ops.sum(values), ops.add(ops.sum(ops.cast(occurs, "float32")), settings.epsilon()))

    def get_config(self) -> dict[str, Any]:
        own = {
            "num_classes": self.num_classes,
            "target_class_ids": self.target_class_ids,
            "ignore_class": self.ignore_class,
            "sparse_y_true": self.sparse_y_true,
            "sparse_y_pred": self.sparse_y_pred,
            "axis": self.axis,
        }
        return {**super().get_config(), **own}

    def _config_without(self, *names: str) -> dict[str, Any]:
        return {key: value for key, value in IoU.get_config(self).items() if key not in names}


class BinaryIoU(IoU):
    """IoU of two classes, of probabilities of class 1.

    Args:
        target_class_ids: the classes that are averaged.
        threshold: from which on a prediction says 1.
        name, dtype: see IoU.

    >>> BinaryIoU(threshold=0.3)([0, 1, 0, 1], [0.1, 0.2, 0.4, 0.7])
    array(0.33333334, dtype=float32)
    """

    def __init__(
        self, target_class_ids: Any = (0, 1), threshold: float = 0.5, name: str | None = None, dtype: Any = None
    ):
        super().__init__(2, target_class_ids, name, dtype)
        self.threshold = threshold

    def update_state(self, y_true: TensorLike, y_pred: TensorLike, sample_weight: TensorLike = None) -> None:
        said = as_dtype(converted(self.name, y_pred, "y_pred"), "float32")
        super().update_state(y_true, ops.cast(ops.greater_equal(said, self.threshold), "int32"), sample_weight)

    def get_config(self) -> dict[str, Any]:
        left = ("num_classes", "ignore_class", "sparse_y_true", "sparse_y_pred", "axis")
        return {**self._config_without(*left), "threshold": self.threshold}


class MeanIoU(IoU):
    """IoU averaged over all classes.

    Args:
        num_classes, name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis: see IoU.

    >>> MeanIoU(2)([0, 0, 1, 1], [0, 1, 0, 1])
    array(0.33333334, dtype=float32)
    """

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ):
        super().__init__(num_classes, range(num_classes), name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis)

    def get_config(self) -> dict[str, Any]:
        return self._config_without("target_class_ids")


class OneHotIoU(IoU):
    """IoU of one-hot targets and of scores of classes.

    Args:
        num_classes, target_class_ids, name, dtype, ignore_class, sparse_y_pred, axis: see IoU.

    >>> OneHotIoU(2, [1])([[1, 0], [0, 1]], [[0.75, 0.25], [0.25, 0.75]]).round(4)
    np.float32(1.0)
    """

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Any,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ):
        super().__init__(num_classes, target_class_ids, name, dtype, ignore_class, False, sparse_y_pred, axis)

    def get_config(self) -> dict[str, Any]:
        return self._config_without("sparse_y_true")


class OneHotMeanIoU(MeanIoU):
    """IoU of one-hot targets and of scores of classes, averaged over all classes.

    Args:
        num_classes, name, dtype, ignore_class, sparse_y_pred, axis: see IoU.

    >>> OneHotMeanIoU(2)([[1, 0], [0, 1]], [[0.75, 0.25], [0.75, 0.25]]).round(4)
    np.float32(0.25)
    """

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ):
        super().__init__(num_classes, name, dtype, ignore_class, False, sparse_y_pred, axis)

    def get_config(self) -> dict[str, Any]:
        return self._config_without("sparse_y_true", "target_class_ids")
