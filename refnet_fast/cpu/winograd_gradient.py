"""The gradient of a 3x3 kernel by Winograd's algorithm, G^T [(A dy) * (B^T d)], as `winograd.py` says: the products of the tiles of all
images are added up before they are transformed back."""

import numpy as np

from refnet_fast.cpu.rows import add_row, fill_row
from refnet_fast.cpu.tile import lanes, multiply, strip_for
from refnet_fast.cpu.windows import element_size, taking
from refnet_fast.cpu.winograd import OF_DATA, OF_KERNEL, OF_SLOPES, at_a_line, tile_of, tiles_at_hand, transformed
from refnet_fast.native import njit
from refnet_fast.outcomes import cleared_scratch, scratch

BLOCKS = 512  # of tiles at hand, whose sums are added one after the other


@njit(error_model="numpy")
def gather_tiles(tiling, x, dy, image, channels, filters, result, padding, first, count, lo, hi, v, w, plane, edge):
    """Transforms `count` tiles of all images from number `first` on: channels lo..hi of x to v, all filters of dy to w."""
    size, (height, width), (rows, columns) = tiling[0], image, result
    down, across, some = (rows + 1) // 2, (columns + 1) // 2, hi - lo
    for t in range(count):
        row, j = (first + t) // across, (first + t) % across
        n, i = row // down, 2 * (row % down)
        seen, of = x + size * n * height * width * channels, dy + size * n * rows * columns * filters
        at, step, apart = tile_of(size, 4, seen, image, channels, i - padding[0], 2 * j - padding[1], edge)
        transformed(tiling[7], OF_DATA, some, at + size * lo, step, apart, v + size * t * some, 4 * plane[0], plane[0])
        at, step, apart = tile_of(size, 2, of, result, filters, i, 2 * j, edge)
        transformed(tiling[7], OF_SLOPES, filters, at, step, apart, w + size * t * filters, 4 * plane[1], plane[1])


@njit(error_model="numpy")
def add_tiles(tiling, count, channels, filters, v, w, plane, m):
    """m += v^T w, for each of the 16 elements of a tile: (channels, filters)."""
    size = tiling[0]
    for element in range(16):
        f = 0
        while f < filters:
            strip, panel = strip_for(tiling, filters - f)
            a, b = v + size * element * plane[0], w + size * (element * plane[1] + f)
            to = m + size * (element * channels * filters + f)
            multiply(strip, channels, 1, count, a, 1, channels, 0, b, filters, 0, to, filters, panel, 1)
            f += panel


@njit(error_model="numpy")
def sum_of_tap(tiling, x, dy, matrix, batch, image, window, result, padding, tap, c, some):
    """A tap of the gradient as it is defined, for `some` channels from c on: image by image."""
    size, (height, width, channels), (rows, columns), filters = tiling[0], image, result, window[2]
    p, q = tap // 3, tap % 3
    i0, i1 = taking(padding[0] - p, height, 1, rows)
    j0, j1 = taking(padding[1] - q, width, 1, columns)
    for n in range(batch):
        f = 0
        while f < filters:
            strip, panel = strip_for(tiling, filters - f)
            a = x + size * (((n * height + i0 + p - padding[0]) * width + j0 + q - padding[1]) * channels + c)
            b = dy + size * (((n * rows + i0) * columns + j0) * filters + f)
            to = matrix[tap * channels + c, f:].ctypes.data
            multiply(
                strip, some, i1 - i0, j1 - j0, a, 1, channels, width * channels, b, filters, columns * filters, to,
                filters, panel, n,
            )  # fmt: skip
            f += panel


@njit(error_model="numpy")
def kernel_of_tiles(tiling, x, dy, matrix, batch, image, window, result, padding, lo, hi):
    """Vectors lo..hi of channels, all taps and filters, of a kernel's gradient, (tap, channel) by filters: the products of the tiles
    of all images are added up before they are transformed back. Some tiles at a time stay in the second-level cache."""
    size, lane, (height, width, channels), filters = tiling[0], tiling[1], image, window[2]
    first_channel, some = lane * lo, lane * (hi - lo)
    tiles = batch * ((result[0] + 1) // 2) * ((result[1] + 1) // 2)
    at_once = tiles_at_hand(size, channels, filters, tiles)
    plane = at_once * some + 16, at_once * filters + 16  # planes do not start at the same places of the cache
    total, part = cleared_scratch((16, some, filters), matrix.dtype), cleared_scratch((16, some, filters), matrix.dtype)
    v_room, w_room = scratch(size * 16 * plane[0] + 64, np.uint8), scratch(size * 16 * plane[1] + 64, np.uint8)
    edge_room = scratch(size * 16 * max(channels, filters) + 64, np.uint8)
    v, w, edge = at_a_line(v_room), at_a_line(w_room), at_a_line(edge_room)
    for first in range(0, tiles, at_once):
        count = min(at_once, tiles - first)
        gather_tiles(
            tiling, x, dy, (height, width), channels, filters, result, padding, first, count, first_channel,
            first_channel + some, v, w, plane, edge,
        )  # fmt: skip
        add_tiles(tiling, count, some, filters, v, w, plane, part.ctypes.data)
        if first // at_once % BLOCKS == BLOCKS - 1 or first + count == tiles:
            add_row(part.ravel(), total.ravel())
            fill_row(part.ravel(), 0)
    v_room[0] = w_room[0] = edge_room[0] = 0  # they live until here
    for group in range(lo, hi):
        odd = 0
        for c in range(lane * group, lane * (group + 1)):
            source, to = total[0, c - first_channel].ctypes.data, matrix[c].ctypes.data
            odd |= transformed(
                tiling[7], OF_KERNEL, filters, source, 4 * some * filters, some * filters, to, 3 * channels * filters,
                channels * filters,
            )  # fmt: skip
        for tap in range(9 if odd else 0):
            sum_of_tap(tiling, x, dy, matrix, batch, image, window, result, padding, tap, lane * group, lane)


# ---- what a call is to the planner


def channel_vectors(call):
    """A task is a vector of channels."""
    return call.inputs[0].shape[-1] // lanes(element_size(call))


def channel_vector_ns(call):
    """What the tiles of dy cost is spent by each thread."""
    batch, rows, columns, filters = call.inputs[1].shape
    size = element_size(call)
    return batch * ((rows + 1) // 2) * ((columns + 1) // 2) * 16 * lanes(size) * filters * size * 0.006
