"""Convolution by Winograd's minimal filtering, F(2x2, 3x3): 16 multiplications for four results of a 3x3 kernel, where the sum has 36.

In one dimension, two results y of three taps g over four places d are

    y = A^T [(G g) * (B^T d)]        element by element, with the matrices below,

and in two dimensions each matrix stands on both sides. All channels and filters share the transforms: what is left between them is a
matrix product for each of the 16 elements, tiles by channels times channels by filters, on the register tile. The two gradients are
the same sum of threefold products, solved for another factor: the image's is the convolution with the kernel turned around, the
kernel's is G^T [(A dy) * (B^T d)] (`winograd_gradient.py`).

The numbers of the matrices are powers of 2, and whole numbers become multiples of 1/4: they do not round while 4 times the sum of
the terms' absolute values, as `winograd_bound.py` takes it, is below 2**24 (in float64 2**53). Others round otherwise than in the
sum as it is defined: what is near a large number may be off by units of that, also where the kernel's tap on it is 0;
`winograd_bound.py` says how far. A result that is not finite is computed as defined, with all that share its row.
"""

import functools

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from refnet_fast.build import build_all
from refnet_fast.cpu.tile import lanes, multiply, strip_for
from refnet_fast.cpu.windows import call_by_address, clear_rows, convolve, convolving, element_size
from refnet_fast.native import I64, move_bytes, njit
from refnet_fast.outcomes import cleared_scratch, scratch

DATA = ((1, 0, -1, 0), (0, 1, 1, 0), (0, -1, 1, 0), (0, 1, 0, -1))  # B^T
TAPS = ((1, 0, 0), (0.5, 0.5, 0.5), (0.5, -0.5, 0.5), (0, 0, 1))  # G
RESULTS = ((1, 1, 1, 0), (0, 1, -1, -1))  # A^T
MATRICES = (DATA, TAPS, RESULTS, tuple(zip(*RESULTS)), tuple(zip(*TAPS)))
OF_DATA, OF_TAPS, OF_RESULTS, OF_SLOPES, OF_KERNEL = range(5)
LAST = OF_RESULTS, OF_KERNEL

AT_HAND = 384 * 1024  # bytes of transformed tiles, which stay in the second-level cache
STEPS = 512  # additions in a row
LEAST = 32  # channels, and filters
MANY = 64  # pixels of an image of the result; of one, so that it has the same bits alone and among others
PAIRS = 1536  # of channels and filters for each of these pixels, at most: every thread transforms all taps
# Bytes that a thread takes, at most. The kernel's gradient, whose pairs are few, takes less.
ROOM = 2**25
OF_KERNEL_PAIRS = 2**15  # of a kernel's gradient, at most, whose products stay in near caches; and pixels of all images
OF_KERNEL_PIXELS = 1024
TILES = 48  # at hand at least: for each a product reads all taps


# ---- the transforms, of vectors of channels or filters


def combined(builder, coefficients, vectors):
    """The sum of coefficients times vectors."""
    total = None
    for number, vector in zip(coefficients, vectors):
        if number == 0:
            continue
        if abs(number) != 1:
            vector = builder.fmul(vector, ir.Constant(vector.type, [float(abs(number))] * vector.type.count))
        if total is None:
            total = vector if number > 0 else builder.fneg(vector)
        else:
            total = builder.fadd(total, vector) if number > 0 else builder.fsub(total, vector)
    return total


def on_both_sides(builder, matrix, grid):
    """matrix * grid * matrix^T, of vectors."""
    columns = [[combined(builder, row, column) for row in matrix] for column in zip(*grid)]
    return [[combined(builder, row, half) for row in matrix] for half in zip(*columns)]


@intrinsic(prefer_literal=True)
def transform(typing, size, which, count, source, s_row, s_column, target, t_row, t_column):
    """target = matrix * source * matrix^T for `count` channels, a whole number of vectors; gives whether a number is not finite.

    size (bytes of an element) and which (of MATRICES) are literals; source and target are addresses, the rest are elements.
    """
    literals = size, which

    def emit(context, builder, signature, args):
        bytes_, matrix = literals[0].literal_value, MATRICES[literals[1].literal_value]
        vector = ir.VectorType(ir.FloatType() if bytes_ == 4 else ir.DoubleType(), lanes(bytes_))
        number = lambda value: ir.Constant(I64, value)
        count, source, s_row, s_column, target, t_row, t_column = args[2:]

        def place(base, lane, i, row, j, column):
            steps = builder.add(builder.mul(number(i), row), builder.mul(number(j), column))
            offset = builder.mul(builder.add(lane, steps), number(bytes_))
            return builder.inttoptr(builder.add(base, offset), vector.as_pointer())

        name, zero = f"llvm.fma.v{vector.count}f{8 * bytes_}", ir.Constant(vector, [0.0] * vector.count)
        fma = cgutils.get_or_insert_function(builder.module, ir.FunctionType(vector, [vector] * 3), name)
        odd = cgutils.alloca_once_value(builder, zero)
        with cgutils.for_range(builder, builder.udiv(count, number(vector.count))) as loop:
            lane, side = builder.mul(loop.index, number(vector.count)), range(len(matrix[0]))
            at = lambda i, j: place(source, lane, i, s_row, j, s_column)
            grid = [[builder.load(at(i, j), align=bytes_) for j in side] for i in side]
            for i, row in enumerate(on_both_sides(builder, matrix, grid)):
                for j, result in enumerate(row):
                    builder.store(result, place(target, lane, i, t_row, j, t_column), align=bytes_)
                    if literals[1].literal_value in LAST:
                        builder.store(builder.call(fma, [result, zero, builder.load(odd)]), odd)  # 0, or nan
        seen = builder.load(odd)
        bits = builder.bitcast(builder.fcmp_unordered("uno", seen, seen), ir.IntType(vector.count))
        return builder.zext(builder.icmp_unsigned("!=", bits, ir.Constant(bits.type, 0)), I64)

    return types.int64(*literals, *[types.int64] * 7), emit


TEXT = """from numba import cfunc, types
from refnet_fast.cpu.winograd import transform


@cfunc(types.int64(*[types.int64] * 8), cache=True)
def kernel(which, count, source, s_row, s_column, target, t_row, t_column):
"""
TEXT += "".join(
    f"    if which == {which}:\n"
    f"        return transform({{size}}, {which}, count, source, s_row, s_column, target, t_row, t_column)\n"
    for which in range(len(MATRICES))
)
TEXT += "    return 0\n"


@intrinsic
def transformed(typing, address, which, count, source, s_row, s_column, target, t_row, t_column):
    """Calls the function of transforms at an address."""

    def emit(context, builder, signature, args):
        kind = ir.FunctionType(I64, [I64] * 8)
        return builder.call(builder.inttoptr(args[0], kind.as_pointer()), args[1:])

    return types.int64(*[types.int64] * 9), emit


CONVOLUTION = """from numba import cfunc, types
from refnet_fast.cpu.winograd import convolve_tiles_here
from refnet_fast.outcomes import outcome_of


@cfunc(types.int64(*[types.int64] * 21), cache=True)
def kernel(
    size, lanes, narrow, half, wide, lanewise, convolving, transforms, x, k, y, height, width, channels, filters, rows, columns, top,
    left, lo, hi
):
    tiling = (size, lanes, narrow, half, wide, lanewise, convolving, transforms)
    given = (tiling, x, k, y, (height, width), channels, filters, (rows, columns), (top, left), lo, hi)
    return outcome_of(convolve_tiles_here, given)
"""


@functools.cache
def tiling(size):
    """What kernels are given: what `convolve` is, for elements of `size` bytes, the address of the transforms, and that of
    `convolve_tiles_here`. All are compiled once."""
    texts = [TEXT.format(size=size), CONVOLUTION]
    addresses = build_all(texts)
    return (*convolving(size), *(addresses[text] for text in texts))


# ---- a convolution


@njit(error_model="numpy")
def at_a_line(room):
    """The first address in `room`, of bytes, at which a cache line starts."""
    return (room.ctypes.data + 63) // 64 * 64


@njit(error_model="numpy")
def tiles_at_hand(size, channels, filters, tiles):
    """How many of so many tiles are worked on at a time."""
    return max(1, min(max(TILES, AT_HAND // (16 * size * (channels + filters))), tiles))


@njit(error_model="numpy")
def transformed_taps(tiling, k, channels, filters, target):
    """The kernel's taps, transformed: (16, panels of filters, channels, filters of a panel)."""
    size, f = tiling[0], 0
    while f < filters:
        _, panel = strip_for(tiling, filters - f)
        for c in range(channels):
            source, to = k + size * (c * filters + f), target + size * (f * channels + c * panel)
            row, plane = channels * filters, channels * filters
            transformed(tiling[7], OF_TAPS, panel, source, 3 * row, row, to, 4 * plane, plane)
        f += panel


@njit(error_model="numpy")
def tile_of(size, side, x, image, channels, row, column, room):
    """Address, and elements from row to row and from column to column, of side x side places from there on: where some lie outside
    of the image, those of a copy in `room` with zeros."""
    height, width = image
    if row >= 0 and row + side <= height and column >= 0 and column + side <= width:
        return x + size * (row * width + column) * channels, width * channels, channels
    first, end = max(0, -column), max(0, min(side, width - column))
    for i in range(side):
        to = room + size * side * i * channels
        clear_rows(size, room, side * channels, i, i + 1)
        if 0 <= row + i < height and first < end:
            source = x + size * ((row + i) * width + column + first) * channels
            move_bytes(to + size * first * channels, source, size * (end - first) * channels)
    return room, side * channels, channels


@njit(error_model="numpy")
def convolve_tiles_here(tiling, x, k, y, image, channels, filters, result, padding, lo, hi):
    """Rows lo..hi of tiles, two rows of results each, of a 3x3 convolution without strides.

    Some tiles at a time are transformed, multiplied and transformed back while they are in the second-level cache.

    Args:
        tiling: what the function of that name gives.
        x, k, y: addresses: of the images, of the kernel (3, 3, channels, filters), of the results.
        image, result: (height, width) of an image, (rows, columns) of its results.
    """
    size, (height, width), (rows, columns) = tiling[0], image, result
    down, across = (rows + 1) // 2, (columns + 1) // 2
    at_once = tiles_at_hand(size, channels, filters, (hi - lo) * across)
    # planes do not start at the same places of the cache
    v_plane, m_plane = at_once * channels + 16, at_once * filters + 16
    taps_room = scratch(size * 16 * channels * filters + 64, np.uint8)
    v_room, m_room = scratch(size * 16 * v_plane + 64, np.uint8), scratch(size * 16 * m_plane + 64, np.uint8)
    edge_room, odd = scratch(size * 16 * max(channels, filters) + 64, np.uint8), cleared_scratch(hi - lo, np.bool_)
    taps, v, m, edge = at_a_line(taps_room), at_a_line(v_room), at_a_line(m_room), at_a_line(edge_room)
    transformed_taps(tiling, k, channels, filters, taps)
    for first in range(lo * across, hi * across, at_once):
        count = min(at_once, hi * across - first)
        for t in range(count):
            row, j = (first + t) // across, (first + t) % across
            seen = x + size * (row // down) * height * width * channels
            at, step, apart = tile_of(
                size, 4, seen, image, channels, 2 * (row % down) - padding[0], 2 * j - padding[1], edge
            )
            transformed(tiling[7], OF_DATA, channels, at, step, apart, v + size * t * channels, 4 * v_plane, v_plane)
        multiply_planes(tiling, count, channels, filters, v, v_plane, taps, m, m_plane)
        for t in range(count):
            row, j = (first + t) // across, (first + t) % across
            n, i = row // down, 2 * (row % down)
            to = y + size * ((n * rows + i) * columns + 2 * j) * filters
            some, many = min(2, rows - i), min(2, columns - 2 * j)
            whole = some * many == 4
            target, step = (to, columns * filters) if whole else (edge, 2 * filters)
            source = m + size * t * filters
            odd[row - lo] |= (
                transformed(tiling[7], OF_RESULTS, filters, source, 4 * m_plane, m_plane, target, step, filters) != 0
            )
            for part in range(0 if whole else some):
                move_bytes(
                    to + size * part * columns * filters, edge + size * 2 * part * filters, size * many * filters
                )
    for row in range(lo, hi):
        if odd[row - lo]:
            n, i = row // down, 2 * (row % down)
            start, end = n * rows + i, n * rows + min(i + 2, rows)
            places = (rows * columns * filters, columns * filters, filters)
            convolve(
                tiling, x, k, y, (height, width, channels), (3, 3, filters), result, places, (1, 1), (1, 1), padding,
                False, 0, start, end,
            )  # fmt: skip
    taps_room[0] = v_room[0] = m_room[0] = edge_room[0] = 0  # they live until here


@njit(error_model="numpy")
def convolve_tiles(tiling, x, k, y, image, channels, filters, result, padding, lo, hi):
    """`convolve_tiles_here` by its address."""
    call_by_address(tiling[8], tiling[:8] + (x, k, y) + image + (channels, filters) + result + padding + (lo, hi))


@njit(error_model="numpy")
def multiply_planes(tiling, count, channels, filters, v, v_plane, taps, m, m_plane):
    """m = v * taps, for each of the 16 elements of a tile."""
    size = tiling[0]
    for element in range(16):
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


def room(size, channels, filters):
    """Bytes at most of a thread's taps, as they are, turned around, and transformed, and of its tiles."""
    return size * ((9 + 16) * channels * filters + (16 * TILES + 64) * (channels + filters)) + AT_HAND


def in_tiles(call):
    """Whether a call is a 3x3 convolution without strides, or a gradient of one, that has enough of everything, and whole vectors."""
    a, lane, of_kernel = call.attributes, lanes(element_size(call)), "kernel" in call.op.name
    taps, (batch, rows, columns, _) = call.inputs[1].shape, call.outputs[0].shape
    if of_kernel:
        (batch, rows, columns, _), taps = taps, call.outputs[0].shape
    if a["strides"] != (1, 1) or a["dilation"] != (1, 1) or taps[:2] != (3, 3):
        return False
    if room(element_size(call), *taps[2:]) > ROOM:
        return False
    pixels, pairs = rows * columns, taps[2] * taps[3]
    enough = pixels >= MANY and pairs <= PAIRS * pixels
    if of_kernel:
        enough = batch * pixels >= OF_KERNEL_PIXELS and pairs <= OF_KERNEL_PAIRS
    return enough and all(n % lane == 0 and n >= LEAST for n in taps[2:])


def tile_rows(call):
    """A task is a row of tiles."""
    batch, rows, _, _ = call.outputs[0].shape
    return batch * ((rows + 1) // 2)


def tile_row_ns(call):
    shape, channels = call.outputs[0].shape, call.inputs[0].shape[-1]
    return (shape[2] + 1) // 2 * 16 * channels * (shape[3] + 30) * element_size(call) * 0.005


def tiles_of(given):
    """What `given` (forward, backward or to_kernel of windows.py) makes of a call, with what `tiling` gives in front."""
    return lambda call, inputs, outputs: [tiling(element_size(call)), *given(call, inputs, outputs)[1:]]
