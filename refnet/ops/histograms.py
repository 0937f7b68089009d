"""Values of images spread out by how often they occur: over all of a batch, or tile by tile."""

from collections.abc import Sequence

import numpy as np

from refnet import ops
from refnet.annotations import Array, TensorLike
from refnet.ops.arguments import shape_of
from refnet.ops.interpolation import mixed

LEVELS = 256  # values that `equalized_by_tiles` tells apart


def equalized(images: TensorLike, value_range: Sequence[float], bins: int, axis: int, dtype: str) -> TensorLike:
    """Images in which every part of the range of values has about as many pixels.

        y = round(255 * (c(x) - c(l)) / (c(255) - c(l))),  c(v) the number of pixels up to v, l the smallest value

    with values brought to 0..255 before and back after. Each channel by itself, all images of a batch together.

    Args:
        images: (batch, height, width, channels), or with the channels at another axis; their number must be known. A floating dtype.
        value_range: (least, greatest) value, two different numbers.
        bins: how many values are told apart, at least 2.
        axis: that of the channels.
        dtype: in which the new values are given.
    Returns:
        The images' shape. A channel of one value stays as it is.
    Empty: an empty result.
    Source: Keras 3 `layers.Equalization`.

    >>> equalized(np.array([[[[0.0], [1.0], [1.0], [2.0]]]], "float32"), (0, 255), 256, -1, "float32")[0, 0, :, 0]
    array([  0., 170., 170., 255.], dtype=float32)
    """
    channels = shape_of(images)[axis]
    low, high = value_range
    scale, last = 255 / (high - low), bins - 1
    apart = ops.moveaxis(ops.add(ops.multiply(images, scale), -low * scale), axis, 0)
    x = ops.reshape(apart, (channels, -1))
    bin_of = ops.cast(ops.divide(ops.multiply(ops.cast(x, "float32"), float(last)), 255.0), "int32")
    counts = ops.bincount(ops.clip(bin_of, 0, last), minlength=bins)
    up_to = ops.cast(ops.cumsum(counts, 1), "int64")
    total = ops.get_item(up_to, (slice(None), slice(-1, None)))
    first = ops.min(ops.where(ops.greater(up_to, 0), up_to, total), 1, keepdims=True)
    rest = ops.maximum(ops.subtract(total, first), 1)
    table = ops.clip(ops.round(ops.divide(ops.multiply(ops.subtract(up_to, first), 255), rest)), 0, 255)
    places = ops.cast(ops.clip(ops.multiply(ops.divide(x, 255.0), float(last)), 0, last), "int32")
    spread = ops.cast(ops.take_along_axis(table, places, 1), dtype)
    several = ops.greater(ops.count_nonzero(counts, 1), 1)
    y = ops.where(ops.expand_dims(several, 1), spread, x)
    y = ops.moveaxis(ops.reshape(y, ops.shape(apart)), 0, axis)
    return ops.add(ops.multiply(y, (high - low) / 255), low)


def equalized_by_tiles(
    x: TensorLike, value_range: Sequence[float], clip_limit: float, grid: Sequence[int]
) -> TensorLike:
    """Images whose values are spread out in each tile by itself; between the tiles' middles their results are mixed.

        y = 255 * (c(x) - c(0)) / (pixels - c(0)),  c(v) the number of pixels of the tile up to v

    with values brought to 0..255 before and back after. In c no value counts more often than clip_limit times the average; what is
    cut off is spread over all values.

    Args:
        x: images (batch, height, width, channels) in float32; all but the batch must be known.
        value_range: (least, greatest) value, two different numbers.
        clip_limit: how often a value may occur, as a multiple of the average; 0 or less: as often as it does.
        grid: how many tiles an image has, (rows, columns). Where they do not fit, the image is mirrored at its end.
    Returns:
        The images' shape, in float32; no gradient reaches them.
    Empty: an empty batch gives an empty result.
    Source: Zuiderveld 1994; Keras 3 `layers.ContrastLimitedAdaptiveHistogramEqualization`.

    >>> equalized_by_tiles(np.array([[[[10.0], [20.0]]]], "float32"), (0, 255), 0, (1, 1))[0, 0, :, 0]
    array([127.5, 255. ], dtype=float32)
    """
    _, height, width, channels = shape_of(x)
    low, high = value_range
    levels = ops.cast(ops.clip(ops.multiply(ops.subtract(x, low), 255 / (high - low)), 0, 255), "int32")
    rows, columns = grid
    tall, wide = -(-height // rows), -(-width // columns)
    tables = level_tables(levels, clip_limit, grid, (tall, wide))
    # Each tile's table once, with those at the border doubled: pixels outside of the outer middles have one neighbour twice.
    for axis, count in ((1, rows), (2, columns)):
        tables = ops.take(tables, np.array([0, *range(count), count - 1]), axis)
    down, across = neighbours(height, tall), neighbours(width, wide)
    step = channels * LEVELS
    flat = ops.reshape(tables, (-1, (rows + 2) * (columns + 2) * step))

    def read(row: Array, column: Array) -> TensorLike:
        tile = (row[:, None] * (columns + 2) + column)[..., None] * step + np.arange(channels) * LEVELS
        places = ops.add(levels, tile.astype("int32"))
        found = ops.take_along_axis(flat, ops.reshape(places, (-1, height * width * channels)), 1)
        return ops.reshape(found, (-1, height, width, channels))

    (above, below, dy), (left, right, dx) = down, across
    share_x, share_y = dx[:, None], dy[:, None, None]
    top = mixed(read(above, left), read(above, right), share_x)
    bottom = mixed(read(below, left), read(below, right), share_x)
    return ops.add(ops.multiply(mixed(top, bottom, share_y), (high - low) / 255), low)


def level_tables(levels: TensorLike, clip_limit: float, grid: Sequence[int], tile: Sequence[int]) -> TensorLike:
    """What each level becomes in each tile: (batch, rows, columns, channels, LEVELS).

    Args:
        levels: (batch, height, width, channels), integers from 0 to LEVELS - 1.
        tile: height and width of a tile.
    """
    (rows, columns), (tall, wide), pixels = grid, tile, tile[0] * tile[1]
    _, height, width, channels = shape_of(levels)
    more = [(0, rows * tall - height), (0, columns * wide - width)]
    whole_tiles = ops.pad(levels, [(0, 0), *more, (0, 0)], mode="symmetric") if more != [(0, 0)] * 2 else levels
    tiles = ops.transpose(ops.reshape(whole_tiles, (-1, rows, tall, columns, wide, channels)), (0, 1, 3, 5, 2, 4))
    counts = ops.cast(ops.bincount(ops.reshape(tiles, (-1, pixels)), minlength=LEVELS), "float32")
    if clip_limit > 0:
        kept = ops.minimum(counts, clip_limit * pixels / LEVELS)
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
