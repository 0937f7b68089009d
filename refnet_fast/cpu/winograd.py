"""Convolution by Winograd's minimal filtering: 16 multiplications for four results of a 3x3 kernel, where the sum has 36, and 121 for 16
results of a 5x5 kernel, where it has 400.

The matrices of one dimension are those of `winograd_transforms.py`; in two dimensions they stand on both sides. All channels and filters share
the transforms: what is left between them is a matrix product for each of the 16 or 121 elements, tiles by channels times channels by
filters, on the register tile. The two gradients are the same sum of threefold products, solved for another factor: the image's is the
convolution with the kernel turned around, the kernel's is G^T [(A dy) * (B^T d)] (`winograd_gradient.py`).

The numbers of the matrices are powers of 2, and whole numbers become multiples of 1/4: they do not round while 4 times the sum of
the terms' absolute values, as `winograd_bound.py` takes it, is below 2**24 (in float64 2**53). Others round otherwise than in the
sum as it is defined: what is near a large number may be off by units of that, also where the kernel's tap on it is 0;
`winograd_bound.py` says how far. A result that is not finite is computed as defined, with all that share its row.
"""

import functools
import math

import numpy as np

from refnet_fast.build import build_all
from refnet_fast.cpu.tile import WIDE, lanes, multiply, strip_for
from refnet_fast.cpu.windows import call_by_address, clear_rows, convolve, convolving, element_size
from refnet_fast.cpu.winograd_transforms import MOST, OF_DATA, OF_RESULTS, OF_TAPS, filtering, transformed, transforms
from refnet_fast.native import move_bytes, njit
from refnet_fast.outcomes import cleared_scratch, scratch

AT_HAND = 384 * 1024  # bytes of transformed tiles, which stay in the second-level cache
STEPS = 512  # additions in a row
LEAST = 32  # channels, and filters
MANY = 64  # pixels of an image of the result; of one, so that it has the same bits alone and among others
PAIRS = 24576  # of channels and filters, for each product of a tile, to one of these pixels at most: every thread transforms all taps
ROOM = 2**25  # bytes that a thread takes, at most
OF_TAPS_ROOM = 2**24  # and of these of transformed taps, which stay in the third-level cache
OF_KERNEL_PIXELS = 1024  # of all images, for the gradient of a kernel
TILES = 48  # at hand at least: for each a product reads all taps


CONVOLUTION = """from numba import cfunc, types
from refnet_fast.cpu.winograd import convolve_tiles_here
from refnet_fast.outcomes import outcome_of


@cfunc(types.int64(*[types.int64] * 28), cache=True)
def kernel(
    size, lanes, narrow, half, wide, lanewise, convolving, transforms, here, p_count, q_count, high, broad, down, across, x, k, y,
    height, width, channels, filters, rows, columns, top, left, lo, hi
):
    tiling = (
        size, lanes, narrow, half, wide, lanewise, convolving, transforms, here, p_count, q_count, high, broad, down, across
    )
    given = (tiling, x, k, y, (height, width), channels, filters, (rows, columns), (top, left), lo, hi)
    return outcome_of(convolve_tiles_here, given)
"""


@functools.cache
def tiling(size, taps):
    """What kernels are given: what `convolve` is, for elements of `size` bytes; the addresses of the transforms for a kernel of (down,
    across) taps and of `convolve_tiles_here`; then these taps, the results of a tile, and its products, each down and across."""
    shapes = zip(*(filtering(n).shape for n in taps))
    addresses = transforms(size, *taps), build_all([CONVOLUTION])[CONVOLUTION]
    return (*convolving(size), *addresses, *(n for pair in shapes for n in pair))


# ---- a convolution


@njit(error_model="numpy")
def shapes_of(tiling):
    """(down, across) of the kernel's taps, the results of a tile, its places in the image, and its products."""
    (p_count, q_count), (high, broad) = tiling[9:11], tiling[11:13]
    return (p_count, q_count), (high, broad), (high + p_count - 1, broad + q_count - 1), tiling[13:15]


@njit(error_model="numpy")
def at_a_line(room):
    """The first address in `room`, of bytes, at which a cache line starts."""
    return (room.ctypes.data + 63) // 64 * 64


@njit(error_model="numpy")
def tiles_at_hand(size, channels, filters, tiles):
    """How many of so many tiles, whose elements take `size` bytes for a channel, are worked on at a time."""
    return max(1, min(max(TILES, AT_HAND // (size * (channels + filters))), tiles))


@njit(error_model="numpy")
def filters_at_hand(size, lane, channels, filters):
    """How many filters' taps, whose elements take `size` bytes for a channel, are transformed at a time: all, or some panels."""
    panel = WIDE * lane
    return min(filters, max(1, OF_TAPS_ROOM // (size * channels * panel)) * panel)


@njit(error_model="numpy")
def transformed_taps(tiling, k, channels, filters, first, some, target):
    """The taps of `some` filters from number `first` on, transformed: (element, panels of filters, channels, filters of a panel)."""
    size, f, ((_, across), _, _, (_, products)) = tiling[0], 0, shapes_of(tiling)
    row, plane = channels * filters, channels * some
    while f < some:
        _, panel = strip_for(tiling, some - f)
        for c in range(channels):
            source, to = k + size * (c * filters + first + f), target + size * (f * channels + c * panel)
            transformed(tiling[7], OF_TAPS, panel, source, across * row, row, to, products * plane, plane)
        f += panel


@njit(error_model="numpy")
def tile_of(size, side, x, image, channels, row, column, room):
    """Address, and elements from row to row and from column to column, of side[0] x side[1] places from there on: where some lie
    outside of the image, those of a copy in `room` with zeros."""
    (height, width), (high, broad) = image, side
    if row >= 0 and row + high <= height and column >= 0 and column + broad <= width:
        return x + size * (row * width + column) * channels, width * channels, channels
    first, end = max(0, -column), max(0, min(broad, width - column))
    for i in range(high):
        to = room + size * broad * i * channels
        clear_rows(size, room, broad * channels, i, i + 1)
        if 0 <= row + i < height and first < end:
            source = x + size * ((row + i) * width + column + first) * channels
            move_bytes(to + size * first * channels, source, size * (end - first) * channels)
    return room, broad * channels, channels


@njit(error_model="numpy")
def transformed_tiles(tiling, which, side, x, image, channels, lo, hi, across, padding, first, count, v, plane, edge):
    """Channels lo..hi of `count` tiles of all images from number `first` on, transformed: (element, tile, channel).

    Args:
        side: places of a tile, down and across; neighbours lie as far apart as a tile has results.
        across: (down, across) tiles of an image.
        plane: elements from one of v's elements of a tile to the next.
        edge: room for a tile.
    """
    size, some, (_, (high, broad), _, (_, products)) = tiling[0], hi - lo, shapes_of(tiling)
    for t in range(count):
        row, j = (first + t) // across[1], (first + t) % across[1]
        n, i = row // across[0], row % across[0]
        seen = x + size * n * image[0] * image[1] * channels
        at, step, apart = tile_of(
            size, side, seen, image, channels, high * i - padding[0], broad * j - padding[1], edge
        )
        to = v + size * t * some
        transformed(tiling[7], which, some, at + size * lo, step, apart, to, products * plane, plane)


@njit(error_model="numpy")
def results_of_tiles(tiling, m, plane, y, filters, lo, hi, result, first, count, top, odd, edge):
    """Filters lo..hi of y from `count` tiles from number `first` on; odd: of rows of tiles from number `top` on, whether a number is
    not finite."""
    size, some, (_, (high, broad), _, (_, products)) = tiling[0], hi - lo, shapes_of(tiling)
    rows, columns = result
    down, across = (rows + high - 1) // high, (columns + broad - 1) // broad
    for t in range(count):
        row, j = (first + t) // across, (first + t) % across
        n, i = row // down, high * (row % down)
        to = y + size * (((n * rows + i) * columns + broad * j) * filters + lo)
        tall, wide = min(high, rows - i), min(broad, columns - broad * j)
        whole = tall == high and wide == broad
        target, step, apart = (to, columns * filters, filters) if whole else (edge, broad * some, some)
        source = m + size * t * some
        odd[row - top] |= (
            transformed(tiling[7], OF_RESULTS, some, source, products * plane, plane, target, step, apart) != 0
        )
        for spot in range(0 if whole else tall * wide):
            p, q = spot // wide, spot % wide
            source = edge + size * (broad * p + q) * some
            move_bytes(to + size * (p * columns + q) * filters, source, size * some)


@njit(error_model="numpy")
def convolve_tiles_here(tiling, x, k, y, image, channels, filters, result, padding, lo, hi):
    """Rows lo..hi of tiles, each of 2 or 4 rows of results, of a convolution without strides.

    Some tiles at a time are transformed, multiplied and transformed back while they are in the second-level cache; of a large kernel
    some filters after the others, whose transformed taps stay in the third-level cache.

    Args:
        tiling: what the function of that name gives.
        x, k, y: addresses: of the images, of the kernel (rows, columns, channels, filters), of the results.
        image, result: (height, width) of an image, (rows, columns) of its results.
    """
    size, (height, width), (rows, columns) = tiling[0], image, result
    (p_count, q_count), (high, broad), side, (n_down, n_across) = shapes_of(tiling)
    down, across, elements = (rows + high - 1) // high, (columns + broad - 1) // broad, n_down * n_across
    block = filters_at_hand(size * elements, tiling[1], channels, filters)
    at_once = tiles_at_hand(size * elements, channels, block, (hi - lo) * across)
    # planes do not start at the same places of the cache
    v_plane, m_plane = at_once * channels + 16, at_once * block + 16
    taps_room = scratch(size * elements * channels * block + 64, np.uint8)
    v_room = scratch(size * elements * v_plane + 64, np.uint8)
    m_room = scratch(size * elements * m_plane + 64, np.uint8)
    edge_room = scratch(size * side[0] * side[1] * max(channels, block) + 64, np.uint8)
    odd = cleared_scratch(hi - lo, np.bool_)
    taps, v, m, edge = at_a_line(taps_room), at_a_line(v_room), at_a_line(m_room), at_a_line(edge_room)
    for f in range(0, filters, block):
        some = min(block, filters - f)
        transformed_taps(tiling, k, channels, filters, f, some, taps)
        for first in range(lo * across, hi * across, at_once):
            count = min(at_once, hi * across - first)
            transformed_tiles(
                tiling, OF_DATA, side, x, image, channels, 0, channels, (down, across), padding, first, count, v, v_plane,
                edge,
            )  # fmt: skip
            multiply_planes(tiling, count, channels, some, v, v_plane, taps, m, m_plane)
            results_of_tiles(tiling, m, m_plane, y, filters, f, f + some, result, first, count, lo, odd, edge)
    for row in range(lo, hi):
        if odd[row - lo]:
            n, i = row // down, high * (row % down)
            start, end = n * rows + i, n * rows + min(i + high, rows)
            places = (rows * columns * filters, columns * filters, filters)
            convolve(
                tiling, x, k, y, (height, width, channels), (p_count, q_count, filters), result, places, (1, 1), (1, 1),
                padding, False, 0, start, end,
            )  # fmt: skip
    taps_room[0] = v_room[0] = m_room[0] = edge_room[0] = 0  # they live until here


@njit(error_model="numpy")
def convolve_tiles(tiling, x, k, y, image, channels, filters, result, padding, lo, hi):
    """`convolve_tiles_here` by its address."""
    call_by_address(tiling[8], tiling + (x, k, y) + image + (channels, filters) + result + padding + (lo, hi))


@njit(error_model="numpy")
def multiply_planes(tiling, count, channels, filters, v, v_plane, taps, m, m_plane):
    """m = v * taps, for each element of a tile."""
    size, (_, _, _, (down, across)) = tiling[0], shapes_of(tiling)
    for element in range(down * across):
        f = 0
        while f < filters:
            strip, panel = strip_for(tiling, filters - f)
            to = m + size * (element * m_plane + f)
            for c in range(0, channels, STEPS):
                a = v + size * (element * v_plane + c)
                b = taps + size * ((element * filters + f) * channels + c * panel)
                steps = min(STEPS, channels - c)
                multiply(strip, count, 1, steps, a, channels, 1, 0, b, panel, 0, to, filters, panel, c)
            f += panel


# ---- what a call is to the planner


def products_of(taps):
    """The products of a tile of a kernel of (down, across) taps."""
    return math.prod(filtering(n).shape[2] for n in taps)


def room(size, down, across, channels, filters):
    """Bytes at most of a thread's taps, as they are, turned around, and transformed, and of its tiles."""
    count, side = products_of((down, across)), math.prod(sum(filtering(n).shape[:2]) - 1 for n in (down, across))
    some = filters_at_hand.py_func(size * count, lanes(size), channels, filters)
    tiles = size * (count * TILES + side) * (channels + some) + AT_HAND
    return size * channels * (down * across * filters + count * some) + tiles


def parts(call):
    """The shapes of images, kernel and results of a convolution; of a gradient, which is one of them, those of what it is the gradient
    of."""
    first, second, made = call.inputs[0].shape, call.inputs[1].shape, call.outputs[0].shape
    if "kernel" in call.op.name:
        return first, made, second
    return (made, second, first) if "inputs" in call.op.name else (first, second, made)


def tiles_of_image(call):
    """How many tiles lie one below the other in an image of the results, or of the inputs' gradient, and how many side by side."""
    _, kernel, result = parts(call)
    made = result if "kernel" in call.op.name else call.outputs[0].shape
    return tuple(-(-n // filtering(taps).shape[1]) for n, taps in zip(made[1:3], kernel))


def terms(extent, taps, count, before):
    """How many taps lie inside of an image's rows or columns, `extent`, in all of `count` windows."""
    return sum(max(0, min(taps, extent + before - i) - max(0, before - i)) for i in range(count))


def fewer(call):
    """Whether tiles of an image take fewer multiplications than the sum, which multiplies no padding; the transform of the taps, which
    each thread makes, counts as four tiles."""
    image, kernel, result = parts(call)
    sums = math.prod(map(terms, image[1:3], kernel, result[1:3], call.attributes["padding"]))
    return sums >= products_of(kernel[:2]) * (math.prod(tiles_of_image(call)) + 4)


def in_tiles(call):
    """Whether a call is a convolution without strides, or a gradient of one, of 2 to MOST taps on a side, that has enough of
    everything, and whole vectors."""
    size, (_, kernel, result) = element_size(call), parts(call)
    lane, sides, pairs = lanes(size), kernel[:2], kernel[2] * kernel[3]
    if call.attributes["strides"] != (1, 1) or call.attributes["dilation"] != (1, 1):
        return False
    if not all(2 <= n <= MOST for n in sides) or not all(n % lane == 0 and n >= LEAST for n in kernel[2:]):
        return False
    if "kernel" in call.op.name:
        enough = math.prod(result[:3]) >= OF_KERNEL_PIXELS
    else:
        pixels = math.prod(call.outputs[0].shape[1:3])
        enough = pixels >= MANY and products_of(sides) * pairs <= PAIRS * pixels
    return enough and fewer(call) and room(size, *sides, call.inputs[0].shape[-1], call.outputs[0].shape[-1]) <= ROOM


def tile_rows(call):
    """A task is a row of tiles."""
    return call.outputs[0].shape[0] * tiles_of_image(call)[0]


def tile_row_ns(call):
    channels, filters, size = call.inputs[0].shape[-1], call.outputs[0].shape[-1], element_size(call)
    return tiles_of_image(call)[1] * products_of(kernel_extents(call)) * channels * (filters + 30) * size * 0.005


def kernel_extents(call):
    """(down, across) taps of a convolution, or of a gradient of one."""
    return tuple(parts(call)[1][:2])


def tiles_of(given):
    """What `given` (forward, backward or to_kernel of windows.py) makes of a call, with what `tiling` gives in front."""
    return lambda call, inputs, outputs: [
        tiling(element_size(call), kernel_extents(call)),
        *given(call, inputs, outputs)[1:],
    ]
