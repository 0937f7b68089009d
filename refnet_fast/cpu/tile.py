"""The register tile: a small block of a matrix product kept in vector registers, written as LLVM vectors.

One step of a tile of R rows by V vectors loads V vectors of b, broadcasts R numbers of a, and does R * V multiply-adds. The
accumulators, a step's vectors of b and one broadcast must fit the registers: R * V + V + 1 <= 31 with AVX-512, 15 with AVX2.
"""

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

I64, I32 = ir.IntType(64), ir.IntType(32)

_features = llvm.get_host_cpu_features()
WIDE_VECTORS = bool(_features.get("avx512f"))
VECTOR_BYTES = 64 if WIDE_VECTORS else 32
TALL, WIDE = (6, 4) if WIDE_VECTORS else (6, 2)  # rows and vectors of the tile for wide results
NARROW_ROWS = 16 if WIDE_VECTORS else 12  # rows of the one-vector tile for the right edge and narrow results


def lanes(bytes_of_element):
    """Elements in a vector."""
    return VECTOR_BYTES // bytes_of_element


def _splat(builder, scalar, count):
    kind = ir.VectorType(scalar.type, count)
    one = builder.insert_element(ir.Constant(kind, ir.Undefined), scalar, ir.Constant(I32, 0))
    zeros = ir.Constant(ir.VectorType(I32, count), [0] * count)
    return builder.shuffle_vector(one, ir.Constant(kind, ir.Undefined), zeros)


@intrinsic(prefer_literal=True)
def tile(typing, size, rows, vectors, steps, a, a_row, a_step, b, b_row, c, c_row, columns, add):
    """c[rows, vectors] = sum over steps of a * b, or with `add` c += that sum; only `columns` of its columns exist.

    size (bytes of an element: 4 or 8), rows and vectors are literals. a, b and c are addresses; strides count elements.
    """
    width, mr, nv = size.literal_value, rows.literal_value, vectors.literal_value
    element = ir.FloatType() if width == 4 else ir.DoubleType()
    count, letter = lanes(width), "f32" if width == 4 else "f64"
    vector = ir.VectorType(element, count)
    bits = ir.VectorType(ir.IntType(1), count)

    def declare(builder, name, result, arguments):
        return cgutils.get_or_insert_function(builder.module, ir.FunctionType(result, arguments), name)

    def emit(context, builder, signature, args):
        steps, a, a_row, a_step, b, b_row, c, c_row, columns, add = args[3:]
        suffix = f"v{count}{letter}"
        fma = declare(builder, f"llvm.fma.{suffix}", vector, [vector] * 3)
        load = declare(
            builder, f"llvm.masked.load.{suffix}.p0{suffix}", vector, [vector.as_pointer(), I32, bits, vector]
        )
        store = declare(
            builder, f"llvm.masked.store.{suffix}.p0{suffix}", ir.VoidType(), [vector, vector.as_pointer(), I32, bits]
        )
        number = lambda value: ir.Constant(I64, value)
        aligned, zero = ir.Constant(I32, width), ir.Constant(vector, [0.0] * count)
        at = lambda base, offset, kind: builder.inttoptr(
            builder.add(base, builder.mul(offset, number(width))), kind.as_pointer()
        )
        left = builder.trunc(builder.sub(columns, number(count * (nv - 1))), I32)
        exists = builder.icmp_signed(
            "<", ir.Constant(ir.VectorType(I32, count), list(range(count))), _splat(builder, left, count)
        )
        masks = [ir.Constant(bits, [1] * count)] * (nv - 1) + [exists]
        total = [[cgutils.alloca_once_value(builder, zero) for _ in range(nv)] for _ in range(mr)]
        place = lambda i, v: at(c, builder.add(builder.mul(number(i), c_row), number(count * v)), vector)
        with cgutils.for_range(builder, steps) as loop:
            row = builder.mul(loop.index, b_row)
            right = [
                builder.call(load, [at(b, builder.add(row, number(count * v)), vector), aligned, masks[v], zero])
                for v in range(nv)
            ]
            for i in range(mr):
                place_a = builder.add(builder.mul(number(i), a_row), builder.mul(loop.index, a_step))
                value = _splat(builder, builder.load(at(a, place_a, element)), count)
                for v in range(nv):
                    builder.store(builder.call(fma, [value, right[v], builder.load(total[i][v])]), total[i][v])
        with builder.if_then(builder.icmp_signed("!=", add, number(0))):
            for i in range(mr):
                for v in range(nv):
                    before = builder.call(load, [place(i, v), aligned, masks[v], zero])
                    builder.store(builder.fadd(before, builder.load(total[i][v])), total[i][v])
        for i in range(mr):
            for v in range(nv):
                builder.call(store, [builder.load(total[i][v]), place(i, v), aligned, masks[v]])
        return context.get_dummy_value()

    return types.void(size, rows, vectors, *[types.int64] * 10), emit
