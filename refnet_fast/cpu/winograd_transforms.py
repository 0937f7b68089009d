"""Minimal filtering: two or four results of a few taps from fewer products than the sum has, and its transforms in two dimensions.

In one dimension, results y of taps g over places d are

    y = A^T [(G g) * (B^T d)]        element by element,

with matrices for each number of taps. Three taps have those of Winograd's F(2, 3): 4 products for two results where the sum has 6. Two
taps have Karatsuba's: 3 where there are 4. Four taps or more are cut into the even and the odd ones, and so are places and results.
The even results are (even taps on even places) + (odd taps on odd places), the odd ones (even on odd) + (odd on even, a place further):
the same sum as that of two taps, of sequences where there were numbers. Karatsuba's three products become filterings of two results
each. So 5 taps have 4 + 4 + 3 = 11 products for four results, where the sum has 20, and 5x5 taps 121 where there are 400.

The numbers of the matrices are powers of 2 and 0: transforms of whole numbers are multiples of 1/4.
"""

import functools
from typing import NamedTuple

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from refnet_fast.build import build_all
from refnet_fast.cpu.tile import lanes
from refnet_fast.native import I64

MOST = 7  # taps on a side, and 2 at least
OF_DATA, OF_TAPS, OF_RESULTS, OF_SLOPES, OF_KERNEL = range(5)  # B^T, G, A^T, A, G^T
LAST = OF_RESULTS, OF_KERNEL


class Filtering(NamedTuple):
    """Matrices for a number of taps, each as the factors that are applied one after the other."""

    data: tuple  # B^T
    taps: tuple  # G
    results: tuple  # A^T

    @property
    def shape(self):
        """(taps, results, products)"""
        return len(self.taps[0][0]), len(self.results[-1]), len(self.taps[-1])

    def factors(self, which):
        """Those of a transform, the first one first."""
        transposed = lambda factors: tuple(tuple(zip(*matrix)) for matrix in reversed(factors))
        return (*self, transposed(self.results), transposed(self.taps))[which]


TWO = Filtering(
    (((1, -1, 0), (0, 1, 0), (0, -1, 1)),),
    (((1, 0), (1, 1), (0, 1)),),
    (((1, 1, 0), (0, 1, 1)),),
)
THREE = Filtering(
    (((1, 0, -1, 0), (0, 1, 1, 0), (0, -1, 1, 0), (0, 1, 0, -1)),),
    (((1, 0, 0), (0.5, 0.5, 0.5), (0.5, -0.5, 0.5), (0, 0, 1)),),
    (((1, 1, 1, 0), (0, 1, -1, -1)),),
)


def diagonal(*blocks):
    """The matrix that has these on its diagonal."""
    width, before, rows = sum(len(block[0]) for block in blocks), 0, []
    for block in blocks:
        rows += [(*(0,) * before, *row, *(0,) * (width - before - len(row))) for row in block]
        before += len(block[0])
    return tuple(rows)


def sums(width, *rows):
    """A matrix from the numbers in each row by their columns."""
    return tuple(tuple(row.get(column, 0) for column in range(width)) for row in rows)


def side_by_side(first, second):
    """Two results of the taps of two filterings, one's behind the other's."""
    ((data,), (taps,), (results,)), ((more_data,), (more_taps,), (more_results,)) = first, second
    apart = len(taps[0])
    width = apart + len(more_data[0])
    rows = [(*row, *(0,) * (width - len(row))) for row in data] + [(*(0,) * apart, *row) for row in more_data]
    joined = tuple((*row, *more) for row, more in zip(results, more_results))
    return Filtering((tuple(rows),), (diagonal(taps, more_taps),), (joined,))


def alternating(even, odd):
    """Four results of taps that alternate between those of two filterings of two results."""
    ((data,), (taps,), (results,)), ((odd_data,), (odd_taps,), (odd_results,)) = even, odd
    evens, odds = range(len(taps[0])), range(len(odd_taps[0]))
    count = len(evens) + len(odds)
    places = [{2 * k: 1, 2 * k + 1: -1} for k in range(len(evens) + 1)]
    places += [{2 * k + 1: 1} for k in range(len(evens) + 1)]
    places += [{2 * k + 1: -1, 2 * k + 2: 1} for k in range(len(odds) + 1)]
    given = [{2 * k: 1} for k in evens] + [{2 * k: 1, 2 * k + 1: 1} for k in evens] + [{2 * k + 1: 1} for k in odds]
    made = {0: 1, 2: 1}, {2: 1, 4: 1}, {1: 1, 3: 1}, {3: 1, 5: 1}
    return Filtering(
        (sums(count + 3, *places), diagonal(data, data, odd_data)),
        (sums(count, *given), diagonal(taps, taps, odd_taps)),
        (diagonal(results, results, odd_results), sums(6, *made)),
    )


@functools.cache
def filtering(taps):
    """The filtering of so many taps, from 2 to MOST."""
    if taps <= 3:
        return (TWO, THREE)[taps - 2]
    of_two = TWO, THREE, side_by_side(TWO, TWO)
    return alternating(of_two[(taps + 1) // 2 - 2], of_two[taps // 2 - 2])


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


def applied(builder, factors, vectors):
    """Matrices, one after the other, times a column of vectors."""
    for matrix in factors:
        vectors = [combined(builder, row, vectors) for row in matrix]
    return vectors


def on_both_sides(builder, left, right, grid):
    """left * grid * right^T, of vectors."""
    columns = [applied(builder, left, column) for column in zip(*grid)]
    return [applied(builder, right, half) for half in zip(*columns)]


@intrinsic(prefer_literal=True)
def transform(typing, size, down, across, which, count, source, s_row, s_column, target, t_row, t_column):
    """target = matrix * source * matrix^T for `count` channels, a whole number of vectors; gives whether a number is not finite.

    size (bytes of an element), down and across (the kernel's taps) and which (a transform) are literals; source and target are
    addresses, the rest are elements.
    """
    literals = size, down, across, which

    def emit(context, builder, signature, args):
        bytes_, rows, columns, kind = (part.literal_value for part in literals)
        left, right = filtering(rows).factors(kind), filtering(columns).factors(kind)
        vector = ir.VectorType(ir.FloatType() if bytes_ == 4 else ir.DoubleType(), lanes(bytes_))
        number = lambda value: ir.Constant(I64, value)
        count, source, s_row, s_column, target, t_row, t_column = args[4:]

        def place(base, lane, i, row, j, column):
            steps = builder.add(builder.mul(number(i), row), builder.mul(number(j), column))
            offset = builder.mul(builder.add(lane, steps), number(bytes_))
            return builder.inttoptr(builder.add(base, offset), vector.as_pointer())

        name, zero = f"llvm.fma.v{vector.count}f{8 * bytes_}", ir.Constant(vector, [0.0] * vector.count)
        fma = cgutils.get_or_insert_function(builder.module, ir.FunctionType(vector, [vector] * 3), name)
        odd = cgutils.alloca_once_value(builder, zero)
        with cgutils.for_range(builder, builder.udiv(count, number(vector.count))) as loop:
            lane = builder.mul(loop.index, number(vector.count))
            at = lambda i, j: place(source, lane, i, s_row, j, s_column)
            extents = len(left[0][0]), len(right[0][0])
            grid = [[builder.load(at(i, j), align=bytes_) for j in range(extents[1])] for i in range(extents[0])]
            for i, row in enumerate(on_both_sides(builder, left, right, grid)):
                for j, result in enumerate(row):
                    builder.store(result, place(target, lane, i, t_row, j, t_column), align=bytes_)
                    if kind in LAST:
                        builder.store(builder.call(fma, [result, zero, builder.load(odd)]), odd)  # 0, or nan
        seen = builder.load(odd)
        bits = builder.bitcast(builder.fcmp_unordered("uno", seen, seen), ir.IntType(vector.count))
        return builder.zext(builder.icmp_unsigned("!=", bits, ir.Constant(bits.type, 0)), I64)

    return types.int64(*literals, *[types.int64] * 7), emit


TEXT = """from numba import cfunc, types
from refnet_fast.cpu.winograd_transforms import transform


@cfunc(types.int64(*[types.int64] * 8), cache=True)
def kernel(which, count, source, s_row, s_column, target, t_row, t_column):
"""
TEXT += "".join(
    f"    if which == {which}:\n"
    f"        return transform({{size}}, {{down}}, {{across}}, {which}, count, source, s_row, s_column, target, t_row, t_column)\n"
    for which in (OF_DATA, OF_TAPS, OF_RESULTS, OF_SLOPES, OF_KERNEL)
)
TEXT += "    return 0\n"


def transforms(size, down, across):
    """The address of the transforms for elements of `size` bytes and kernels of (down, across) taps."""
    text = TEXT.format(size=size, down=down, across=across)
    return build_all([text])[text]


@intrinsic
def transformed(typing, address, which, count, source, s_row, s_column, target, t_row, t_column):
    """Calls the function of transforms at an address."""

    def emit(context, builder, signature, args):
        kind = ir.FunctionType(I64, [I64] * 8)
        return builder.call(builder.inttoptr(args[0], kind.as_pointer()), args[1:])

    return types.int64(*[types.int64] * 9), emit
