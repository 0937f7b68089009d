"""Adaptive pooling layers: the windows are made to fit a wanted number of results."""

from typing import Any

from refnet import ops
from refnet.layers.checks import sizes
from refnet.layers.spatial import Spatial


class AdaptivePooling(Spatial):
    """Base of the adaptive pooling layers.

    Args:
        output_size: how many results there are along each axis of space; one integer, or one for each.
        data_format: "channels_last" or "channels_first"; `config.image_data_format()` if None.
    Raises:
        ShapeError: another rank, an image without an element.
    Source: Keras 3 `AdaptiveAveragePooling2D`; see `ops.adaptive_average_pool` and `ops.adaptive_max_pool`.
    """

    def __init__(self, output_size: Any, data_format: str | None = None, **more: Any):
        super().__init__(data_format, **more)
        self.output_size = sizes(self.name, "output_size", output_size, self.axes)


class AdaptiveAveragePooling(AdaptivePooling):
    """Base of the adaptive means; arguments as in AdaptivePooling."""

    def call(self, inputs: Any) -> Any:
        self.space(inputs)
        return ops.adaptive_average_pool(inputs, self.output_size, self.data_format)


class AdaptiveMaxPooling(AdaptivePooling):
    """Base of the adaptive maxima; arguments as in AdaptivePooling."""

    def call(self, inputs: Any) -> Any:
        self.space(inputs)
        return ops.adaptive_max_pool(inputs, self.output_size, self.data_format)


class AdaptiveAveragePooling1D(AdaptiveAveragePooling):
    """The means of `output_size` windows that cover all steps. Arguments as in `layers.adaptive.AdaptivePooling`.

    >>> AdaptiveAveragePooling1D(2)(np.array([[[1.0], [2.0], [6.0]]]))[0, :, 0]
    array([1.5, 4. ], dtype=float32)
    """


class AdaptiveAveragePooling2D(AdaptiveAveragePooling):
    """The means of windows that cover an image. Arguments as in `layers.adaptive.AdaptivePooling`.

    >>> AdaptiveAveragePooling2D((2, 3)).compute_output_shape((None, None, None, 4))
    (None, 2, 3, 4)
    """

    axes = 2


class AdaptiveAveragePooling3D(AdaptiveAveragePooling):
    """The means of windows that cover a volume. Arguments as in `layers.adaptive.AdaptivePooling`.

    >>> AdaptiveAveragePooling3D(2).compute_output_shape((None, 4, 5, 6, 1))
    (None, 2, 2, 2, 1)
    """

    axes = 3


class AdaptiveMaxPooling1D(AdaptiveMaxPooling):
    """The largest of each of `output_size` windows that cover all steps. Arguments as in `layers.adaptive.AdaptivePooling`.

    >>> AdaptiveMaxPooling1D(2)(np.array([[[1.0], [2.0], [6.0]]]))[0, :, 0]
    array([2., 6.], dtype=float32)
    """


class AdaptiveMaxPooling2D(AdaptiveMaxPooling):
    """The largest of each of the windows that cover an image. Arguments as in `layers.adaptive.AdaptivePooling`.

    >>> AdaptiveMaxPooling2D(2).compute_output_shape((None, 7, 9, 4))
    (None, 2, 2, 4)
    """

    axes = 2


class AdaptiveMaxPooling3D(AdaptiveMaxPooling):
    """The largest of each of the windows that cover a volume. Arguments as in `layers.adaptive.AdaptivePooling`.

    >>> AdaptiveMaxPooling3D((1, 2, 3)).compute_output_shape((None, 4, 5, 6, 1))
    (None, 1, 2, 3, 1)
    """

    axes = 3
