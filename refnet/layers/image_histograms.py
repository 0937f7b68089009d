"""Images whose values are spread out by how often they occur: over the whole image, or tile by tile."""

from typing import Any

import numpy as np

from refnet import ops
from refnet.annotations import Array
from refnet.errors import ArgumentError, ShapeError, shown
from refnet.layers.checks import whole
from refnet.layers.image_colors import ColorLayer

LEVELS = 256  # values that ContrastLimitedAdaptiveHistogramEqualization tells apart


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

    >>> Equalization()(np.array([[[0.0], [1.0], [1.0], [2.0]]]))[0, :, 0]
    array([  0., 170., 170., 255.], dtype=float32)
    """

    def __init__(self, value_range: Any = (0, 255), bins: int = 256, data_format: str | None = None, **more: Any):
        super().__init__(value_range, None, data_format, **more)
        self.bins = whole(self.name, "bins", bins, 2)

    def changed(self, images: Any) -> Any:
        axis = -1 if self.data_format == "channels_last" else 1
        channels = channels_of(self.name, images, axis)
        low, high = self.value_range
        scale, last = 255 / (high - low), self.bins - 1
        apart = ops.moveaxis(ops.add(ops.multiply(images, scale), -low * scale), axis, 0)
        x = ops.reshape(apart, (channels, -1))
        bin_of = ops.cast(ops.divide(ops.multiply(ops.cast(x, "float32"), float(last)), 255.0), "int32")
        counts = ops.bincount(ops.clip(bin_of, 0, last), minlength=self.bins)
        up_to = ops.cast(ops.cumsum(counts, 1), "int64")
        total = ops.get_item(up_to, (slice(None), slice(-1, None)))
        first = ops.min(ops.where(ops.greater(up_to, 0), up_to, total), 1, keepdims=True)
        rest = ops.maximum(ops.subtract(total, first), 1)
        table = ops.clip(ops.round(ops.divide(ops.multiply(ops.subtract(up_to, first), 255), rest)), 0, 255)
        places = ops.cast(ops.clip(ops.multiply(ops.divide(x, 255.0), float(last)), 0, last), "int32")
        spread = ops.cast(ops.take_along_axis(table, places, 1), self.compute_dtype)
        several = ops.greater(ops.count_nonzero(counts, 1), 1)
        y = ops.where(ops.expand_dims(several, 1), spread, x)
        y = ops.moveaxis(ops.reshape(y, ops.shape(apart)), 0, axis)
        return ops.add(ops.multiply(y, (high - low) / 255), low)


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

    >>> ContrastLimitedAdaptiveHistogramEqualization(clip_limit=0, tile_grid_size=(1, 1))(np.array([[[10.0], [20.0]]]))[0, :, 0]
    array([127.5, 255. ], dtype=float32)
    """

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
        height, width = self.extents(images)
        first = self.data_format == "channels_first"
        x = ops.transpose(images, (0, 2, 3, 1)) if first else images
        channels = channels_of(self.name, x, -1)
        low, high = self.value_range
        levels = ops.cast(ops.clip(ops.multiply(ops.subtract(x, low), 255 / (high - low)), 0, 255), "int32")
        (rows, columns), (tall, wide) = self.tile_grid_size, self._tile(height, width)
        tables = self._tables(levels, (rows, columns), (tall, wide), (height, width), channels)
        # Each tile's table once, with those at the border doubled: pixels outside of the outer middles have one neighbour twice.
        for axis, count in ((1, rows), (2, columns)):
            tables = ops.take(tables, np.array([0, *range(count), count - 1]), axis)
        down, across = neighbours(height, tall), neighbours(width, wide)
        step = channels * LEVELS
        flat = ops.reshape(tables, (-1, (rows + 2) * (columns + 2) * step))

        def read(row: Array, column: Array) -> Any:
            tile = (row[:, None] * (columns + 2) + column)[..., None] * step + np.arange(channels) * LEVELS
            places = ops.add(levels, tile.astype("int32"))
            found = ops.take_along_axis(flat, ops.reshape(places, (-1, height * width * channels)), 1)
            return ops.reshape(found, (-1, height, width, channels))

        (above, below, dy), (left, right, dx) = down, across
        share_x, share_y = dx[:, None], dy[:, None, None]
        top = mixed(read(above, left), read(above, right), share_x)
        bottom = mixed(read(below, left), read(below, right), share_x)
        y = ops.add(ops.multiply(mixed(top, bottom, share_y), (high - low) / 255), low)
        return ops.transpose(y, (0, 3, 1, 2)) if first else y

    def _tile(self, height: int, width: int) -> tuple[int, int]:
        """The height and width of a tile."""
        rows, columns = self.tile_grid_size
        return -(-height // rows), -(-width // columns)

    def _tables(
        self, levels: Any, grid: tuple[int, int], tile: tuple[int, int], extents: tuple[int, int], channels: int
    ) -> Any:
        """What each level becomes in each tile: (batch, rows, columns, channels, LEVELS)."""
        (rows, columns), (tall, wide), pixels = grid, tile, tile[0] * tile[1]
        more = [(0, rows * tall - extents[0]), (0, columns * wide - extents[1])]
        whole_tiles = ops.pad(levels, [(0, 0), *more, (0, 0)], mode="symmetric") if more != [(0, 0)] * 2 else levels
        tiles = ops.transpose(ops.reshape(whole_tiles, (-1, rows, tall, columns, wide, channels)), (0, 1, 3, 5, 2, 4))
        counts = ops.cast(ops.bincount(ops.reshape(tiles, (-1, pixels)), minlength=LEVELS), "float32")
        if self.clip_limit > 0:
            kept = ops.minimum(counts, self.clip_limit * pixels / LEVELS)
            cut = ops.sum(ops.subtract(counts, kept), -1, keepdims=True)
            counts = ops.add(kept, ops.divide(cut, float(LEVELS)))
        up_to = ops.cumsum(counts, -1)
        least = ops.min(up_to, -1, keepdims=True)
        rest = ops.subtract(float(pixels), least)
        shares = ops.divide(ops.multiply(ops.subtract(up_to, least), 255.0), ops.where(ops.equal(rest, 0), 1.0, rest))
        return ops.reshape(ops.clip(shares, 0, 255), (-1, rows, columns, channels, LEVELS))


def neighbours(extent: int, tile: int) -> tuple[Array, Array, Array]:
    """Of each pixel along an axis: the tiles whose middles lie before and behind it (0 is a second first one), and how far it is
    from the one to the other, 0 to 1."""
    place = (np.arange(extent, dtype=np.float32) - np.float32(tile / 2)) / np.float32(tile) + np.float32(1)
    before = np.floor(place)
    return before.astype(np.int64), before.astype(np.int64) + 1, place - before


def mixed(a: Any, b: Any, share: Array) -> Any:
    """a * (1 - share) + b * share."""
    return ops.add(ops.multiply(a, 1 - share), ops.multiply(b, share))


def channels_of(name: str, images: Any, axis: int) -> int:
    """The number of channels. Raises ShapeError if it is not known."""
    channels = images.shape[axis]
    if channels is None:
        raise ShapeError(f"{name} needs to know the number of channels; got shape {images.shape}.")
    return int(channels)
