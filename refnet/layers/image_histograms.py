"""Images whose values are spread out by how often they occur: over the whole image, or tile by tile."""

from typing import Any

from refnet import ops
from refnet.errors import ArgumentError, ShapeError, shown
from refnet.layers.checks import whole
from refnet.layers.image_colors import ColorLayer
from refnet.ops.histograms import equalized, equalized_by_tiles


class Equalization(ColorLayer):
    """In training, gives every part of the range of values the same number of pixels; at inference, nothing.

        y = round(255 * (c(x) - c(l)) / (c(255) - c(l))),  c(v) the number of pixels up to v, l the smallest value

    with values brought to 0..255 before and back after. Each channel by itself, but all images of a batch together, as in Keras. A
    channel of one value stays as it is.

    Args:
        value_range: (least, greatest) value of the images.
        bins: how many values are told apart.
        data_format: as in RandomFlip.
    Source: Keras 3 `Equalization`.

    >>> import numpy as np
    >>> Equalization()(np.array([[[0.0], [1.0], [1.0], [2.0]]]))[0, :, 0]
    array([  0., 170., 170., 255.], dtype=float32)
    """

    def __init__(self, value_range: Any = (0, 255), bins: int = 256, data_format: str | None = None, **more: Any):
        super().__init__(value_range, None, data_format, **more)
        self.bins = whole(self.name, "bins", bins, 2)

    def changed(self, images: Any) -> Any:
        axis = -1 if self.data_format == "channels_last" else 1
        channels_of(self.name, images, axis)
        return equalized(images, self.value_range, self.bins, axis, self.compute_dtype)


class ContrastLimitedAdaptiveHistogramEqualization(ColorLayer):
    """Spreads out the values of each tile of each image, in training and at inference; between the tiles' middles their results are
    mixed, so that no edges show.

    Values are brought to 0..255. In each tile c(v), the number of pixels up to v, is counted with no value more often than
    clip_limit times the average; what is cut off is spread over all values. Then y = 255 * (c(x) - c(0)) / (pixels - c(0)).

    Args:
        value_range: (least, greatest) value of the images.
        clip_limit: how often a value may occur, as a multiple of the average; 0 or less: as often as it does.
        tile_grid_size: how many tiles an image has, (rows, columns). Where they do not fit, the image is mirrored at its end.
        data_format: as in RandomFlip.
    Returns:
        The images' shape and dtype.
    Raises:
        ArgumentError: other arguments.  ShapeError: height, width or channels that are not known.
    Source: Zuiderveld 1994; Keras 3 `ContrastLimitedAdaptiveHistogramEqualization`.

    >>> import numpy as np
    >>> ContrastLimitedAdaptiveHistogramEqualization(clip_limit=0, tile_grid_size=(1, 1))(np.array([[[10.0], [20.0]]]))[0, :, 0]
    array([127.5, 255. ], dtype=float32)
    """

    one_tensor = True

    branches_on_training = False

    def __init__(
        self,
        value_range: Any = (0, 255),
        clip_limit: float = 4.0,
        tile_grid_size: Any = (8, 8),
        data_format: str | None = None,
        **more: Any,
    ):
        super().__init__(value_range, None, data_format, **more)
        if isinstance(clip_limit, bool) or not isinstance(clip_limit, (int, float)):
            raise ArgumentError(f"{self.name}: clip_limit is a number; got {shown(clip_limit)}.")
        if not isinstance(tile_grid_size, (tuple, list)) or len(tile_grid_size) != 2:
            raise ArgumentError(f"{self.name}: tile_grid_size is a pair (rows, columns); got {shown(tile_grid_size)}.")
        self.clip_limit = clip_limit
        self.tile_grid_size = [whole(self.name, "tile_grid_size", n, 1) for n in tile_grid_size]

    def call(self, inputs: Any, training: Any = None) -> Any:
        self.axes(inputs)
        return ops.cast(self.changed(ops.cast(inputs, "float32")), inputs.dtype)

    def changed(self, images: Any) -> Any:
        self.extents(images)
        first = self.data_format == "channels_first"
        x = ops.transpose(images, (0, 2, 3, 1)) if first else images
        channels_of(self.name, x, -1)
        y = equalized_by_tiles(x, self.value_range, self.clip_limit, self.tile_grid_size)
        return ops.transpose(y, (0, 3, 1, 2)) if first else y


def channels_of(name: str, images: Any, axis: int) -> int:
    """The number of channels. Raises ShapeError if it is not known."""
    channels = images.shape[axis]
    if channels is None:
        raise ShapeError(f"{name} needs to know the number of channels; got shape {images.shape}.")
    return int(channels)
