"""The tensor cores' instructions for 16-bit floats and for TF32, each with a plain form for the simulator that moves the same words.

All 32 threads of a warp take part in each. Fragments are as in PTX's `mma.m16n8k16`: with g = lane // 4 and t = lane % 4 a thread has, two
neighbours a word, rows g and g + 8 of a at columns 2t and 2t + 8; column g of b at rows 2t and 2t + 8; and of the float32 result
rows g and g + 8 at columns 2t and 2t + 1. Of TF32, float32 rounded to 11 significant bits, they are `mma.m16n8k8`'s: of a rows g and
g + 8 at column t, then at t + 4; column g of b at rows t and t + 4.
"""

import threading

import numpy as np

from refnet import dtypes
from refnet_fast.cuda import tile
from refnet_fast.cuda.target import simulated

if simulated():

    def exchanged(value):
        """The values of the 32 threads of this warp, by lane."""
        thread = threading.current_thread()
        values = thread._manager.__dict__.setdefault("exchanged", {})
        values[thread.thread_id] = value
        thread.syncthreads()
        start = thread.thread_id // 32 * 32
        result = [values[start + lane] for lane in range(32)]
        thread.syncthreads()
        return result, thread.thread_id % 32

    def copy_run(shared, to, array, at, run):
        shared[to : to + run] = tile.flat(array, at, run).view(np.uint16) if at >= 0 else 0

    def load_matrices(words, first, shared, at, turned):
        starts, lane = exchanged(at)
        g, t = lane // 4, lane % 4
        for number in range(4):
            matrix = np.array([shared[start : start + 8] for start in starts[8 * number : 8 * number + 8]])
            two = (matrix.T if turned else matrix)[g, 2 * t : 2 * t + 2]
            words[first + number] = np.ascontiguousarray(two).view(np.uint32)[0]

    def multiply_add_matrices(total, at, xs, x, ys, y, brain):
        given, lane = exchanged((xs[x : x + 4].copy(), ys[y : y + 2].copy()))
        kind = dtypes.as_numpy("bfloat16" if brain else "float16")
        a, b = np.empty((16, 16)), np.empty((16, 8))
        for other, (left, right) in enumerate(given):
            g, t = other // 4, 2 * (other % 4)
            left, right = left.view(kind).astype(float), right.view(kind).astype(float)
            for n, (i, k) in enumerate(((g, t), (g + 8, t), (g, t + 8), (g + 8, t + 8))):
                a[i, k : k + 2] = left[2 * n : 2 * n + 2]
            b[t : t + 2, g], b[t + 8 : t + 10, g] = right[:2], right[2:]
        g, t = lane // 4, 2 * (lane % 4)
        rows, columns = [g, g, g + 8, g + 8], [t, t + 1, t, t + 1]
        total[at : at + 4] += (a[rows] * b[:, columns].T).sum(1)

    def load_rounded(words, to, shared, at):
        word = np.array(shared[at], np.float32).view(np.uint32)
        finite = word & 0x7F800000 != 0x7F800000
        words[to] = (word + 0x1000 & 0xFFFFE000) if finite else word

    def multiply_add_rounded(total, at, xs, x, ys, y):
        given, lane = exchanged((xs[x : x + 4].copy(), ys[y : y + 2].copy()))
        a, b = np.empty((16, 8)), np.empty((8, 8))
        for other, (left, right) in enumerate(given):
            g, t = other // 4, other % 4
            a[[g, g + 8, g, g + 8], [t, t, t + 4, t + 4]] = left.view(np.float32)
            b[[t, t + 4], g] = right.view(np.float32)
        g, t = lane // 4, 2 * (lane % 4)
        rows, columns = [g, g, g + 8, g + 8], [t, t + 1, t, t + 1]
        total[at : at + 4] += (a[rows] * b[:, columns].T).sum(1)

else:
    from llvmlite import ir
    from numba.cuda import types
    from numba.cuda.extending import intrinsic

    from refnet_fast.cuda.tile import LONG, WORD, in_shared, instruction, literal, pointer

    HALF = ir.IntType(16)

    @intrinsic
    def copy_run(typing, shared, to, array, at, run):
        """shared[to], ... become the words array[at], ..., 8 of them before the `wait` for the group that is open, or 1 at once; 0 where
        at is below zero. Eight must begin where 16 bytes do."""
        if not literal(run):
            return None

        def build(context, builder, signature, arguments):
            shared_, to_, array_, at_, _ = arguments
            none = builder.icmp_signed("<", at_, ir.Constant(LONG, 0))
            source = pointer(context, builder, array, array_, builder.select(none, ir.Constant(LONG, 0), at_))
            target = pointer(context, builder, shared, shared_, to_)
            if run.literal_value == 1:
                word = builder.load(builder.bitcast(source, HALF.as_pointer()))
                builder.store(builder.select(none, ir.Constant(HALF, 0), word), target)
                return context.get_dummy_value()
            read = builder.select(none, ir.Constant(WORD, 0), ir.Constant(WORD, 16))
            operands = [in_shared(builder, target), builder.ptrtoint(source, LONG), read]
            instruction(builder, "cp.async.cg.shared.global [$0], [$1], 16, $2;", "r,l,r", operands)
            return context.get_dummy_value()

        return types.void(shared, types.int64, array, types.int64, run), build

    @intrinsic
    def load_matrices(typing, words, first, shared, at, turned):
        """words[first : first + 4] become this thread's words of four matrices of 8 x 8, turned if asked.

        Args:
            at: where a row of a matrix begins: row lane % 8 of matrix lane // 8. All must begin where 16 bytes do.
        """
        if not (literal(first) and isinstance(turned, types.BooleanLiteral)):
            return None

        def build(context, builder, signature, arguments):
            address = in_shared(builder, pointer(context, builder, shared, arguments[2], arguments[3]))
            trans = ".trans" if turned.literal_value else ""
            text = f"ldmatrix.sync.aligned.m8n8.x4{trans}.shared.b16 {{$0, $1, $2, $3}}, [$4];"
            four = instruction(builder, text, "=r,=r,=r,=r,r", [address], ir.LiteralStructType([WORD] * 4))
            for n in range(4):
                place = pointer(context, builder, words, arguments[0], first.literal_value + n)
                builder.store(builder.extract_value(four, n), place)
            return context.get_dummy_value()

        return types.void(words, first, shared, types.int64, turned), build

    @intrinsic
    def multiply_add_matrices(typing, total, at, xs, x, ys, y, brain):
        """total[at : at + 4], this thread's part of 16 x 8 sums, plus the product of 16 x 16 (from xs[x]) by 16 x 8 (from ys[y]) floats.

        Args:
            brain: whether these are bfloat16, else float16. The sums are float32.
        """
        if not (literal(at, x, y) and isinstance(brain, types.BooleanLiteral)):
            return None

        def build(context, builder, signature, arguments):
            total_, _, xs_, _, ys_, *_ = arguments
            sums = [pointer(context, builder, total, total_, at.literal_value + n) for n in range(4)]
            operands = [builder.load(pointer(context, builder, xs, xs_, x.literal_value + n)) for n in range(4)]
            operands += [builder.load(pointer(context, builder, ys, ys_, y.literal_value + n)) for n in range(2)]
            operands += [builder.load(place) for place in sums]
            kind = "bf16" if brain.literal_value else "f16"
            text = (
                f"mma.sync.aligned.m16n8k16.row.col.f32.{kind}.{kind}.f32 "
                "{$0, $1, $2, $3}, {$4, $5, $6, $7}, {$8, $9}, {$10, $11, $12, $13};"
            )
            result = ir.LiteralStructType([ir.FloatType()] * 4)
            four = instruction(builder, text, "=f,=f,=f,=f,r,r,r,r,r,r,f,f,f,f", operands, result)
            for n, place in enumerate(sums):
                builder.store(builder.extract_value(four, n), place)
            return context.get_dummy_value()

        return types.void(total, at, xs, x, ys, y, brain), build

    @intrinsic
    def load_rounded(typing, words, to, shared, at):
        """words[to] becomes shared[at], a float32, rounded to TF32: to nearest, ties away from zero."""
        if not literal(to):
            return None

        def build(context, builder, signature, arguments):
            value = builder.load(pointer(context, builder, shared, arguments[2], arguments[3]))
            word = instruction(builder, "cvt.rna.tf32.f32 $0, $1;", "=r,f", [value], WORD)
            builder.store(word, pointer(context, builder, words, arguments[0], to.literal_value))
            return context.get_dummy_value()

        return types.void(words, to, shared, types.int64), build

    @intrinsic
    def multiply_add_rounded(typing, total, at, xs, x, ys, y):
        """total[at : at + 4], this thread's part of 16 x 8 sums, plus the product of 16 x 8 (from xs[x]) by 8 x 8 (from ys[y]) TF32s."""
        if not literal(at, x, y):
            return None

        def build(context, builder, signature, arguments):
            total_, _, xs_, _, ys_, _ = arguments
            sums = [pointer(context, builder, total, total_, at.literal_value + n) for n in range(4)]
            operands = [builder.load(pointer(context, builder, xs, xs_, x.literal_value + n)) for n in range(4)]
            operands += [builder.load(pointer(context, builder, ys, ys_, y.literal_value + n)) for n in range(2)]
            operands += [builder.load(place) for place in sums]
            text = (
                "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 "
                "{$0, $1, $2, $3}, {$4, $5, $6, $7}, {$8, $9}, {$10, $11, $12, $13};"
            )
            result = ir.LiteralStructType([ir.FloatType()] * 4)
            four = instruction(builder, text, "=f,=f,=f,=f,r,r,r,r,r,r,f,f,f,f", operands, result)
            for n, place in enumerate(sums):
                builder.store(builder.extract_value(four, n), place)
            return context.get_dummy_value()

        return types.void(total, at, xs, x, ys, y), build
