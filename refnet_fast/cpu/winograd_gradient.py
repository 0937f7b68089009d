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
def sum_of_tap(tiling, x, dy, matrix, batch, image, window, result, padding, tap, c, f):
    """A tap of the gradient as it is defined, for a vector of channels from c on and one of filters from f on: image by image."""
    (size, lane), (height, width, channels), (rows, columns), filters = tiling[:2], image, result, window[2]
    p, q = tap // window[1], tap % window[1]
    i0, i1 = taking(padding[0] - p, height, 1, rows)
    j0, j1 = taking(padding[1] - q, width, 1, columns)
    strip, _ = strip_for(tiling, lane)
    for n in range(batch):
        a = x + size * (((n * height + i0 + p - padding[0]) * width + j0 + q - padding[1]) * channels + c)
        b = dy + size * (((n * rows + i0) * columns + j0) * filters + f)
        to = matrix[tap * channels + c, f:].ctypes.data
        multiply(
            strip, lane, i1 - i0, j1 - j0, a, 1, channels, width * channels, b, filters, columns * filters, to, filters,
            lane, n,
        )  # fmt: skip


@njit(error_model="numpy")
def add_all_tiles(tiling, x, dy, total, batch, image, window, result, padding, c, f, at_once):
    """total += the products of the tiles of all images, for its (element of a tile, channel from c on, filter from f on); `at_once`
    tiles at a time."""
    size, (height, width, channels), filters = tiling[0], image, window[2]
    (elements, some, those), (_, (high, broad), side, _) = total.shape, shapes_of(tiling)
    across = (result[0] + high - 1) // high, (result[1] + broad - 1) // broad
    tiles = batch * across[0] * across[1]
    alone = tiles <= BLOCKS * at_once
    part = total if alone else cleared_scratch(total.shape, total.dtype)
    plane = at_once * some + 16, at_once * those + 16  # planes do not start at the same places of the cache
    v_room = scratch(size * elements * plane[0] + 64, np.uint8)
    w_room = scratch(size * elements * plane[1] + 64, np.uint8)
    edge_room = scratch(size * side[0] * side[1] * max(channels, filters) + 64, np.uint8)
    v, w, edge = at_a_line(v_room), at_a_line(w_room), at_a_line(edge_room)
    for first in range(0, tiles, at_once):
        count = min(at_once, tiles - first)
        transformed_tiles(
            tiling, OF_DATA, side, x, (height, width), channels, c, c + some, across, padding, first, count, v, plane[0],
            edge,
        )  # fmt: skip
        g = 0
        while g < those:
            _, panel = strip_for(tiling, those - g)
            transformed_tiles(
                tiling, OF_SLOPES, (high, broad), dy, result, filters, f + g, f + g + panel, across, (0, 0), first, count,
                w + size * g * at_once, plane[1], edge,
            )  # fmt: skip
            g += panel
        add_tiles(tiling, count, at_once, some, those, v, w, plane, part.ctypes.data)
        if not alone and (first // at_once % BLOCKS == BLOCKS - 1 or first + count == tiles):
            add_row(part.ravel(), total.ravel())
            fill_row(part.ravel(), 0)
    v_room[0] = w_room[0] = edge_room[0] = 0  # they live until here


@njit(error_model="numpy")
def kernel_of_some(tiling, x, dy, matrix, batch, image, window, result, padding, c, some, f, those, at_once):
    """`some` channels from c on and `those` filters from f on: so few that all sums of products stay in the third-level cache.

    Each vector of channels and of filters by itself becomes what is defined, where a number is not finite: a result does not
    depend on its neighbours.
    """
    (size, lane), (_, _, channels), (p_count, q_count, filters) = tiling[:2], image, window
    n_down, n_across = shapes_of(tiling)[3]
    total = cleared_scratch((n_down * n_across, some, those), matrix.dtype)
    add_all_tiles(tiling, x, dy, total, batch, image, window, result, padding, c, f, at_once)
    g = 0
    while g < those:
        _, panel = strip_for(tiling, those - g)
        for pair in range(some // lane * (panel // lane)):
            group, inner = lane * (pair // (panel // lane)), lane * (pair % (panel // lane))
            odd = 0
            for channel in range(group, group + lane):
                source = total.ctypes.data + size * (g * some + channel * panel + inner)
                odd |= transformed(
                    tiling[7], OF_KERNEL, lane, source, n_across * some * those, some * those,
                    matrix[c + channel, f + g + inner:].ctypes.data, q_count * channels * filters, channels * filters,
                )  # fmt: skip
            for tap in range(p_count * q_count if odd else 0):
                sum_of_tap(tiling, x, dy, matrix, batch, image, window, result, padding, tap, c + group, f + g + inner)
        g += panel


@njit(error_model="numpy")
def kernel_of_tiles(tiling, x, dy, matrix, batch, image, window, result, padding, lo, hi):
    """Tasks lo..hi of a kernel's gradient, (tap, channel) by filters, each a vector of channels by one of filters: the products of
    the tiles of all images are added up before they are transformed back.

    Tiles are transformed once for all tasks of a share that are worked on together: all filters of some channels, or some
    filters of a vector of channels.
    """
    (size, lane), filters, (_, (high, broad), _, (down, across)) = tiling[:2], window[2], shapes_of(tiling)
    tiles = batch * ((result[0] + high - 1) // high) * ((result[1] + broad - 1) // broad)
    at_once = tiles_at_hand(size * down * across, image[2], filters, tiles)
    arrays = 1 if tiles <= BLOCKS * at_once else 2
    block = max(1, SUMS // (arrays * size * down * across * lane * filters))
    vectors = filters // lane
    while lo < hi:
        group, f = lo // vectors, lo % vectors
        some, those = 1, min(hi - lo, vectors - f)
        if those == vectors:
            some = min((hi - lo) // vectors, block)
        kernel_of_some(
            tiling, x, dy, matrix, batch, image, window, result, padding, lane * group, lane * some, lane * f, lane * those,
            at_once,
        )  # fmt: skip
        lo += some * those


# ---- what a call is to the planner


def pairs_of_vectors(call):
    """A task is a vector of channels by a vector of filters."""
    lane = lanes(element_size(call))
    return (call.inputs[0].shape[-1] // lane) * (call.inputs[1].shape[-1] // lane)


def pair_ns(call):
    """What the tiles cost is spent by each thread."""
    batch, size = call.inputs[1].shape[0], element_size(call)
    tiles = batch * math.prod(tiles_of_image(call))
    return tiles * products_of(kernel_extents(call)) * lanes(size) ** 2 * size * 0.006
