"""The register tile: a small block of a matrix product kept in vector registers, written as LLVM vectors.

One step of a tile of R rows by V vectors loads V vectors of b, broadcasts R numbers of a, and does R * V multiply-adds. The
accumulators, a step's vectors of b and one broadcast must fit the registers: R * V + V + 1 <= 31 with AVX-512, 15 with AVX2.
"""

import functools
from typing import NamedTuple

import llvmlite.binding as llvm
import numba
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from refnet_fast.build import build_all
from refnet_fast.native import njit

I64, I32 = ir.IntType(64), ir.IntType(32)


def processor_has(feature):
    """Whether code is made for a processor with a feature: the host's, unless NUMBA_CPU_FEATURES names others."""
    named = numba.config.CPU_FEATURES
    return bool(llvm.get_host_cpu_features().get(feature)) if named is None else f"+{feature}" in named.split(",")


WIDE_VECTORS = processor_has("avx512f")
VECTOR_BYTES = 64 if WIDE_VECTORS else 32
TALL, WIDE = (6, 4) if WIDE_VECTORS else (6, 2)  # rows and vectors of the tile for wide results
NARROW_ROWS = 16 if WIDE_VECTORS else 12  # rows of the one-vector tile for the right edge and narrow results
# Rows and vectors of the tiles, and whether they multiply lane by lane: few columns, more, a panel, lane by lane.
KINDS = ((NARROW_ROWS, 1, 0), (12 if WIDE_VECTORS else 6, 2, 0), (TALL, WIDE, 0), (NARROW_ROWS // 2, 1, 1))


def lanes(bytes_of_element):
    """Elements in a vector."""
    return VECTOR_BYTES // bytes_of_element


def _splat(builder, scalar, count):
    kind = ir.VectorType(scalar.type, count)
    one = builder.insert_element(ir.Constant(kind, ir.Undefined), scalar, ir.Constant(I32, 0))
    zeros = ir.Constant(ir.VectorType(I32, count), [0] * count)
    return builder.shuffle_vector(one, ir.Constant(kind, ir.Undefined), zeros)


class Strips(NamedTuple):
    """What a kernel that multiplies is given: bytes of an element, elements of a vector, and the addresses of compiled strips for
    few columns, for more, for a whole panel, and for products lane by lane."""

    size: int
    lanes: int
    narrow: int
    half: int
    wide: int
    lanewise: int


@functools.cache
def strips(size):
    """The strips for elements of `size` bytes; compiled once, and called by address by all kernels that multiply."""
    texts = [TEXT.format(size=size, tall=tall, vectors=vectors, lanewise=lanewise) for tall, vectors, lanewise in KINDS]
    addresses = build_all(texts)
    return Strips(size, lanes(size), *(addresses[text] for text in texts))


TEXT = """from numba import cfunc, types
from refnet_fast.cpu.tile import strip


@cfunc(types.void(*[types.int64] * 14), cache=True)
def kernel(rows, runs, steps, a, a_row, a_step, a_run, b, b_row, b_run, c, c_row, columns, add):
    strip({size}, {tall}, {vectors}, {lanewise}, rows, runs, steps, a, a_row, a_step, a_run, b, b_row, b_run, c, c_row, columns, add)
"""


@intrinsic
def multiply(typing, address, rows, runs, steps, a, a_row, a_step, a_run, b, b_row, b_run, c, c_row, columns, add):
    """Calls the strip at an address: c = sum over runs and steps of a * b, or with `add` c += that sum.

    `rows` of c, of which `columns` exist, one vector, two or a panel at most. a, b and c are addresses; strides count elements.
    The steps of a sum may lie in several runs, which begin a_run and b_run elements apart.
    """

    def emit(context, builder, signature, args):
        kind = ir.FunctionType(ir.VoidType(), [I64] * 14)
        builder.call(builder.inttoptr(args[0], kind.as_pointer()), args[1:])
        return context.get_dummy_value()

    return types.void(*[types.int64] * 15), emit


@njit(error_model="numpy")
def strip_for(strips, columns):
    """The address of the strip that serves so many columns or the first of them, and how many it takes."""
    vector = strips[1]
    if columns > (WIDE - 1) * vector:
        return strips[4], min(columns, WIDE * vector)
    if columns > vector:
        return strips[3], min(columns, 2 * vector)
    return strips[2], columns


@intrinsic(prefer_literal=True)
def strip(
    typing,
    size,
    tall,
    vectors,
    lanewise,
    rows,
    runs,
    steps,
    a,
    a_row,
    a_step,
    a_run,
    b,
    b_row,
    b_run,
    c,
    c_row,
    columns,
    add,
):
    """What `multiply` calls: any number of rows, in tiles of nearly equal height, `tall` at most.

    size (bytes of an element: 4 or 8), tall, vectors and lanewise are literals. c stays in registers for all runs of a sum. With
    lanewise, a is read like b, a vector at a time, and lanes meet lanes: c[rows, lane] = sum of a[lane] * b[lane].
    """
    literals = size, tall, vectors, lanewise

    def emit(context, builder, signature, args):
        function = strip_function(builder.module, *(part.literal_value for part in literals))
        builder.call(function, args[4:])
        return context.get_dummy_value()

    return types.void(*literals, *[types.int64] * 14), emit


def strip_function(module, size, tall, vectors, lanewise):
    """The function of a kind of strip, and in it a function for each height of tile."""
    name = f"strip_{size}_{tall}_{vectors}_{lanewise}"
    function = cgutils.get_or_insert_function(module, ir.FunctionType(ir.VoidType(), [I64] * 14), name)
    if not function.is_declaration:
        return function
    tiles = [tile_function(module, (size, height, vectors, lanewise)) for height in range(1, tall + 1)]
    builder = internal(function)
    rows, runs, steps, a, a_row, a_step, a_run, b, b_row, b_run, c, c_row, columns, add = function.args
    number = lambda value: ir.Constant(I64, value)
    done = cgutils.alloca_once_value(builder, number(0))
    next_tile, ended = function.append_basic_block("next_tile"), function.append_basic_block("ended")
    height_of = [function.append_basic_block(f"height_{height}") for height in range(1, tall + 1)]
    some = function.append_basic_block("some")
    builder.branch(next_tile)
    builder.position_at_end(next_tile)
    i = builder.load(done)
    left = builder.sub(rows, i)
    builder.cbranch(builder.icmp_signed(">", left, number(0)), some, ended)
    builder.position_at_end(some)
    count = builder.udiv(builder.add(left, number(tall - 1)), number(tall))
    height = builder.udiv(builder.add(left, builder.sub(count, number(1))), count)
    offset = lambda base, stride: builder.add(base, builder.mul(number(size), builder.mul(i, stride)))
    a_i, c_i = offset(a, a_row), offset(c, c_row)
    choice = builder.switch(height, ended)
    for n, (tile, place) in enumerate(zip(tiles, height_of), start=1):
        choice.add_case(number(n), place)
        builder.position_at_end(place)
        builder.call(tile, [runs, steps, a_i, a_row, a_step, a_run, b, b_row, b_run, c_i, c_row, columns, add])
        builder.store(builder.add(i, number(n)), done)
        builder.branch(next_tile)
    builder.position_at_end(ended)
    builder.ret_void()
    return function


def tile_function(module, kind):
    """One tile, as a function."""
    shape = ir.FunctionType(ir.VoidType(), [I64] * 13)
    function = cgutils.get_or_insert_function(module, shape, "tile_{}_{}_{}_{}".format(*kind))
    if function.is_declaration:
        builder = internal(function)
        runs, steps, a, a_row, a_step, a_run, b, b_row, b_run, c, c_row, columns, add = function.args
        block(builder, kind, runs, steps, (a, a_row, a_step, a_run), (b, b_row, b_run), (c, c_row), columns, add)
        builder.ret_void()
    return function


def internal(function):
    """The builder of a function that stays in its module, and is not inlined."""
    function.linkage = "internal"
    function.attributes.add("noinline")
    return ir.IRBuilder(function.append_basic_block())


def block(builder, kind, runs, steps, left, right, result, columns, add):
    """The code of a tile."""
    width, mr, nv, lanewise = kind
    (a, a_row, a_step, a_run), (b, b_row, b_run), (c, c_row) = left, right, result
    element = ir.FloatType() if width == 4 else ir.DoubleType()
    count, letter = lanes(width), "f32" if width == 4 else "f64"
    vector = ir.VectorType(element, count)
    bits = ir.VectorType(ir.IntType(1), count)
    suffix = f"v{count}{letter}"

    def declare(name, result, arguments):
        return cgutils.get_or_insert_function(builder.module, ir.FunctionType(result, arguments), name)

    fma = declare(f"llvm.fma.{suffix}", vector, [vector] * 3)
    load = declare(f"llvm.masked.load.{suffix}.p0{suffix}", vector, [vector.as_pointer(), I32, bits, vector])
    store = declare(f"llvm.masked.store.{suffix}.p0{suffix}", ir.VoidType(), [vector, vector.as_pointer(), I32, bits])
    number = lambda value: ir.Constant(I64, value)
    aligned, zero = ir.Constant(I32, width), ir.Constant(vector, [0.0] * count)
    at = lambda base, offset, kind: builder.inttoptr(
        builder.add(base, builder.mul(offset, number(width))), kind.as_pointer()
    )
    existing = builder.trunc(builder.sub(columns, number(count * (nv - 1))), I32)
    exists = builder.icmp_signed(
        "<", ir.Constant(ir.VectorType(I32, count), list(range(count))), _splat(builder, existing, count)
    )
    masks = [ir.Constant(bits, [1] * count)] * (nv - 1) + [exists]
    total = [[cgutils.alloca_once_value(builder, zero) for _ in range(nv)] for _ in range(mr)]
    place = lambda i, v: at(c, builder.add(builder.mul(number(i), c_row), number(count * v)), vector)
    with cgutils.for_range(builder, runs) as outer:
        a0 = builder.mul(outer.index, a_run)
        b0 = builder.mul(outer.index, b_run)
        with cgutils.for_range(builder, steps) as loop:
            row = builder.add(b0, builder.mul(loop.index, b_row))
            values = [
                builder.call(load, [at(b, builder.add(row, number(count * v)), vector), aligned, masks[v], zero])
                for v in range(nv)
            ]
            step = builder.add(a0, builder.mul(loop.index, a_step))
            for i in range(mr):
                place_a = builder.add(builder.mul(number(i), a_row), step)
                value = None if lanewise else _splat(builder, builder.load(at(a, place_a, element)), count)
                for v in range(nv):
                    if lanewise:
                        lane = builder.add(place_a, number(count * v))
                        value = builder.call(load, [at(a, lane, vector), aligned, masks[v], zero])
                    builder.store(builder.call(fma, [value, values[v], builder.load(total[i][v])]), total[i][v])
    with builder.if_then(builder.icmp_signed("!=", add, number(0))):
        for i in range(mr):
            for v in range(nv):
                before = builder.call(load, [place(i, v), aligned, masks[v], zero])
                builder.store(builder.fadd(before, builder.load(total[i][v])), total[i][v])
    for i in range(mr):
        for v in range(nv):
            builder.call(store, [builder.load(total[i][v]), place(i, v), aligned, masks[v]])
