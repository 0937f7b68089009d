"""The gradient of a kernel by Winograd's algorithm, G^T [(A dy) * (B^T d)], as `winograd.py` says: the products of the tiles of all
images are added up before they are transformed back."""

import math

import numpy as np

from refnet_fast.cpu.rows import add_row, fill_row
from refnet_fast.cpu.tile import lanes, multiply, strip_for
from refnet_fast.cpu.windows import element_size, taking
from refnet_fast.cpu.winograd import (
    at_a_line,
    kernel_extents,
    products_of,
    shapes_of,
    tiles_at_hand,
    tiles_of_image,
    transformed_tiles,
)
from refnet_fast.cpu.winograd_transforms import OF_DATA, OF_KERNEL, OF_SLOPES, transformed
from refnet_fast.native import njit
from refnet_fast.outcomes import cleared_scratch, scratch

BLOCKS = 512  # of tiles at hand, whose sums are added one after the other
SUMS = 2**24  # bytes of sums of products, of some channels and all filters, that are worked on at a time


@njit(error_model="numpy")
def add_tiles(tiling, count, at_once, channels, filters, v, w, plane, m):
    """m += v^T w, for each element of a tile.

    In w and m, a panel of filters follows the other, so that what one product reads and writes lies side by side: w has (element,
    panel, `at_once` tiles, filters of a panel), m has (element, panel, channels, filters of a panel).
    """
    size, (_, _, _, (down, across)) = tiling[0], shapes_of(tiling)
    for element in range(down * across):
        f = 0
        while f < filters:
            strip, panel = strip_for(tiling, filters - f)
            a, b = v + size * element * plane[0], w + size * (element * plane[1] + f * at_once)
            to = m + size * (element * filters + f) * channels
            multiply(strip, channels, 1, count, a, 1, channels, 0, b, panel, 0, to, panel, panel, 1)
            f += panel


@njit(error_model="numpy")
def sum_of_tap(tiling, x, dy, matrix, batch, image, window, result, padding, tap, c, some):
    """A tap of the gradient as it is defined, for `some` channels from c on: image by image."""
    size, (height, width, channels), (rows, columns), filters = tiling[0], image, result, window[2]
    p, q = tap // window[1], tap % window[1]
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
def kernel_of_channels(tiling, x, dy, matrix, batch, image, window, result, padding, lo, hi, at_once):
    """As `kernel_of_tiles`, for so few channels that all sums of products stay in the third-level cache, and `at_once` tiles at a time."""
    size, lane, (height, width, channels), (p_count, q_count, filters) = tiling[0], tiling[1], image, window
    _, (high, broad), side, (n_down, n_across) = shapes_of(tiling)
    elements, first_channel, some = n_down * n_across, lane * lo, lane * (hi - lo)
    across = (result[0] + high - 1) // high, (result[1] + broad - 1) // broad
    tiles = batch * across[0] * across[1]
    plane = at_once * some + 16, at_once * filters + 16  # planes do not start at the same places of the cache
    total, alone = cleared_scratch((elements, some, filters), matrix.dtype), tiles <= BLOCKS * at_once
    part = total if alone else cleared_scratch(total.shape, matrix.dtype)
    v_room = scratch(size * elements * plane[0] + 64, np.uint8)
    w_room = scratch(size * elements * plane[1] + 64, np.uint8)
    edge_room = scratch(size * side[0] * side[1] * max(channels, filters) + 64, np.uint8)
    v, w, edge = at_a_line(v_room), at_a_line(w_room), at_a_line(edge_room)
    for first in range(0, tiles, at_once):
        count = min(at_once, tiles - first)
        transformed_tiles(
            tiling, OF_DATA, side, x, (height, width), channels, first_channel, first_channel + some, across, padding,
            first, count, v, plane[0], edge,
        )  # fmt: skip
        f = 0
        while f < filters:
            _, panel = strip_for(tiling, filters - f)
            transformed_tiles(
                tiling, OF_SLOPES, (high, broad), dy, result, filters, f, f + panel, across, (0, 0), first, count,
                w + size * f * at_once, plane[1], edge,
            )  # fmt: skip
            f += panel
        add_tiles(tiling, count, at_once, some, filters, v, w, plane, part.ctypes.data)
        if not alone and (first // at_once % BLOCKS == BLOCKS - 1 or first + count == tiles):
            add_row(part.ravel(), total.ravel())
            fill_row(part.ravel(), 0)
    v_room[0] = w_room[0] = edge_room[0] = 0  # they live until here
    for group in range(lo, hi):
        odd, f = 0, 0
        while f < filters:
            _, panel = strip_for(tiling, filters - f)
            for c in range(lane * group, lane * (group + 1)):
                source = total.ctypes.data + size * (f * some + (c - first_channel) * panel)
                odd |= transformed(
                    tiling[7], OF_KERNEL, panel, source, n_across * some * filters, some * filters,
                    matrix[c, f:].ctypes.data, q_count * channels * filters, channels * filters,
                )  # fmt: skip
            f += panel
        for tap in range(p_count * q_count if odd else 0):
            sum_of_tap(tiling, x, dy, matrix, batch, image, window, result, padding, tap, lane * group, lane)


@njit(error_model="numpy")
def kernel_of_tiles(tiling, x, dy, matrix, batch, image, window, result, padding, lo, hi):
    """Vectors lo..hi of channels, all taps and filters, of a kernel's gradient, (tap, channel) by filters: the products of the tiles
    of all images are added up before they are transformed back."""
    (size, lane), filters, (_, (high, broad), _, (down, across)) = tiling[:2], window[2], shapes_of(tiling)
    tiles = batch * ((result[0] + high - 1) // high) * ((result[1] + broad - 1) // broad)
    at_once = tiles_at_hand(size * down * across, image[2], filters, tiles)
    arrays = 1 if tiles <= BLOCKS * at_once else 2
    block = max(1, SUMS // (arrays * size * down * across * lane * filters))
    for group in range(lo, hi, block):
        end = min(group + block, hi)
        kernel_of_channels(tiling, x, dy, matrix, batch, image, window, result, padding, group, end, at_once)


# ---- what a call is to the planner


def channel_vectors(call):
    """A task is a vector of channels."""
    return call.inputs[0].shape[-1] // lanes(element_size(call))


def channel_vector_ns(call):
    """What the tiles of dy cost is spent by each thread."""
    (batch, _, _, filters), size = call.inputs[1].shape, element_size(call)
    tiles = batch * math.prod(tiles_of_image(call))
    return tiles * products_of(kernel_extents(call)) * lanes(size) * filters * size * 0.006
