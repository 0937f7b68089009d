"""Pooling: one number for each window of a channel, or for the whole channel."""

from typing import Any

from refnet import ops
from refnet.layers.checks import sizes
from refnet.layers.spatial import Spatial
from refnet.ops.windows import checked_padding


class Pooling(Spatial):
    """Base of the layers that pool windows.

    Args:
        pool_size: how many places a window has along each axis of space; one integer, or one for each.
        strides: places from one window to the next; the pool size if None.
        padding: "valid" (windows inside the image) or "same" (ceil(size / stride) windows; places outside do not take part).
        data_format: "channels_last" or "channels_first"; `config.image_data_format()` if None.
        name: see Layer.
    Raises:
        ShapeError: another rank, a window larger than the image.
    Source: Chollet 5.1.2; see `ops.max_pool` and `ops.average_pool`.
    """

    def __init__(
        self,
        pool_size: Any,
        strides: Any = None,
        padding: str = "valid",
        data_format: str | None = None,
        name: str | None = None,
        **more: Any,
    ):
        super().__init__(data_format, name=name, **more)
        self.pool_size = sizes(self.name, "pool_size", pool_size, self.axes)
        self.strides = self.pool_size if strides is None else sizes(self.name, "strides", strides, self.axes)
        self.padding = checked_padding(self.name, padding)


class MaxPooling(Pooling):
    """Base of the layers that take the largest element of each window; arguments as in Pooling."""

    def __init__(
        self,
        pool_size: Any = 2,
        strides: Any = None,
        padding: str = "valid",
        data_format: str | None = None,
        name: str | None = None,
        **more: Any,
    ):
        super().__init__(pool_size, strides, padding, data_format, name, **more)

    def call(self, inputs: Any) -> Any:
        self.space(inputs)
        return ops.max_pool(inputs, self.pool_size, self.strides, self.padding, self.data_format)


class AveragePooling(Pooling):
    """Base of the layers that take the mean of each window; arguments as in Pooling."""

    def call(self, inputs: Any) -> Any:
        self.space(inputs)
        return ops.average_pool(inputs, self.pool_size, self.strides, self.padding, self.data_format)


class MaxPooling1D(MaxPooling):
    """The largest of each window of steps. Arguments as in `layers.pooling.Pooling`.

    >>> MaxPooling1D(2)(np.array([[[1.0], [5.0], [3.0], [4.0]]]))[0, :, 0]
    array([5., 4.], dtype=float32)
    """


class MaxPooling2D(MaxPooling):
    """The largest element of each window of an image. Arguments as in `layers.pooling.Pooling`.

    >>> MaxPooling2D((2, 2)).compute_output_shape((None, 11, 11, 64))
    (None, 5, 5, 64)
    """

    axes = 2


class MaxPooling3D(MaxPooling):
    """The largest element of each window of a volume. Arguments as in `layers.pooling.Pooling`.

    >>> MaxPooling3D(2, strides=1, padding="same").compute_output_shape((None, 4, 5, 6, 1))
    (None, 4, 5, 6, 1)
    """

    axes = 3


class AveragePooling1D(AveragePooling):
    """The mean of each window of steps. Arguments as in `layers.pooling.Pooling`.

    >>> AveragePooling1D(2)(np.array([[[1.0], [5.0], [3.0], [4.0]]]))[0, :, 0]
    array([3. , 3.5], dtype=float32)
    """


class AveragePooling2D(AveragePooling):
    """The mean of each window of an image. Arguments as in `layers.pooling.Pooling`.

    >>> AveragePooling2D(3, strides=2).compute_output_shape((None, 11, 11, 64))
    (None, 5, 5, 64)
    """

    axes = 2


class AveragePooling3D(AveragePooling):
    """The mean of each window of a volume. Arguments as in `layers.pooling.Pooling`.

    >>> AveragePooling3D((1, 2, 2)).compute_output_shape((None, 4, 6, 6, 1))
    (None, 4, 3, 3, 1)
    """

    axes = 3


MaxPool1D, MaxPool2D, MaxPool3D = MaxPooling1D, MaxPooling2D, MaxPooling3D
AvgPool1D, AvgPool2D, AvgPool3D = AveragePooling1D, AveragePooling2D, AveragePooling3D


class GlobalPooling(Spatial):
    """Base of the global pooling layers.

    Args:
        data_format: "channels_last" or "channels_first"; `config.image_data_format()` if None.
        keepdims: whether the axes of space stay, with length 1.
    """

    def __init__(self, data_format: Any = None, keepdims: bool = False, **more: Any):
        super().__init__(data_format, **more)
        self.keepdims = keepdims


class GlobalAveragePooling(GlobalPooling):
    """Base of the global means."""

    def call(self, inputs: Any) -> Any:
        return ops.mean(inputs, tuple(self.space(inputs)), keepdims=self.keepdims)


class GlobalMaxPooling(GlobalPooling):
    """Base of the global maxima."""

    def call(self, inputs: Any) -> Any:
        return ops.max(inputs, tuple(self.space(inputs)), keepdims=self.keepdims)


class GlobalAveragePooling1D(GlobalAveragePooling):
    """The mean over all steps: (batch, steps, channels) -> (batch, channels). Arguments as in `layers.pooling.GlobalPooling`.

    >>> GlobalAveragePooling1D()(np.array([[[1.0], [2.0], [6.0]]]))
    array([[3.]], dtype=float32)
    """

    def call(self, inputs: Any, mask: Any = None) -> Any:
        """`mask`: (batch, steps), True where a step takes part."""
        if mask is None:
            return super().call(inputs)
        (axis,) = self.space(inputs)
        seen = ops.expand_dims(ops.cast(mask, "bool"), 3 - axis)
        total = ops.sum(ops.where(seen, inputs, 0.0), axis, keepdims=self.keepdims)
        return ops.divide(total, ops.sum(ops.cast(seen, inputs.dtype), axis, keepdims=self.keepdims))

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return None


class GlobalAveragePooling2D(GlobalAveragePooling):
    """The mean of each channel of an image. Arguments as in `layers.pooling.GlobalPooling`.

    >>> GlobalAveragePooling2D().compute_output_shape((None, 7, 7, 64))
    (None, 64)
    """

    axes = 2


class GlobalAveragePooling3D(GlobalAveragePooling):
    """The mean of each channel of a volume. Arguments as in `layers.pooling.GlobalPooling`.

    >>> GlobalAveragePooling3D(keepdims=True).compute_output_shape((None, 4, 7, 7, 64))
    (None, 1, 1, 1, 64)
    """

    axes = 3


class GlobalMaxPooling1D(GlobalMaxPooling):
    """The largest of all steps: (batch, steps, channels) -> (batch, channels). Arguments as in `layers.pooling.GlobalPooling`.

    >>> GlobalMaxPooling1D()(np.array([[[1.0], [2.0], [6.0]]]))
    array([[6.]], dtype=float32)
    """


class GlobalMaxPooling2D(GlobalMaxPooling):
    """The largest element of each channel of an image. Arguments as in `layers.pooling.GlobalPooling`.

    >>> GlobalMaxPooling2D().compute_output_shape((None, 7, 7, 64))
    (None, 64)
    """

    axes = 2


class GlobalMaxPooling3D(GlobalMaxPooling):
    """The largest element of each channel of a volume. Arguments as in `layers.pooling.GlobalPooling`.

    >>> GlobalMaxPooling3D(keepdims=True).compute_output_shape((None, 4, 7, 7, 64))
    (None, 1, 1, 1, 64)
    """

    axes = 3


GlobalAvgPool1D, GlobalAvgPool2D, GlobalAvgPool3D = (
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalAveragePooling3D,
)
GlobalMaxPool1D, GlobalMaxPool2D, GlobalMaxPool3D = GlobalMaxPooling1D, GlobalMaxPooling2D, GlobalMaxPooling3D
