"""Pooling over everything: one number for each channel."""

from typing import Any

from refnet import ops
from refnet.layers.reshaping import Spatial


class GlobalPooling(Spatial):
    """Base of the global pooling layers.

    Args:
        data_format: "channels_last" (None too) or "channels_first".
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
    """The mean over all steps: (batch, steps, channels) -> (batch, channels). Arguments as in GlobalPooling."""

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
    """The mean of each channel of an image. Arguments as in GlobalPooling."""

    axes = 2


class GlobalAveragePooling3D(GlobalAveragePooling):
    """The mean of each channel of a volume. Arguments as in GlobalPooling."""

    axes = 3


class GlobalMaxPooling1D(GlobalMaxPooling):
    """The largest of all steps: (batch, steps, channels) -> (batch, channels). Arguments as in GlobalPooling."""


class GlobalMaxPooling2D(GlobalMaxPooling):
    """The largest element of each channel of an image. Arguments as in GlobalPooling."""

    axes = 2


class GlobalMaxPooling3D(GlobalMaxPooling):
    """The largest element of each channel of a volume. Arguments as in GlobalPooling."""

    axes = 3


GlobalAvgPool1D, GlobalAvgPool2D, GlobalAvgPool3D = (
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalAveragePooling3D,
)
GlobalMaxPool1D, GlobalMaxPool2D, GlobalMaxPool3D = GlobalMaxPooling1D, GlobalMaxPooling2D, GlobalMaxPooling3D
