"""bfloat16 by a few instructions: how numbers are rounded to it and read from it, on a device of any kind.

Numba's own casts are calls into a library of NVIDIA's that is compiled and linked for every kernel that makes one, and such a kernel can
not be kept on disk: its launch ends in an error. Importing this file puts these casts in their place.
"""

from refnet_fast.cuda.target import simulated

if simulated():
    from refnet_fast.cuda.simulator import rounding

    as_bfloat16 = rounding("bfloat16")

else:
    from llvmlite import ir
    from numba.cuda import (
        bf16,  # noqa: F401  (declares Numba's casts: the last declaration is the one that counts)
        types,
    )
    from numba.cuda.extending import intrinsic, lower_cast

    HALF, WORD, LONG, SINGLE = ir.IntType(16), ir.IntType(32), ir.IntType(64), ir.FloatType()

    def nearest(builder, value):
        """A float32 rounded to nearest, ties to even: half a unit is added to its bits, which then lose their lower half."""
        word = builder.bitcast(value, WORD)
        upper = builder.lshr(word, ir.Constant(WORD, 16))
        odd = builder.and_(upper, ir.Constant(WORD, 1))
        carried = builder.add(word, builder.add(odd, ir.Constant(WORD, 0x7FFF)))
        rounded = builder.trunc(builder.lshr(carried, ir.Constant(WORD, 16)), HALF)
        return builder.select(builder.fcmp_unordered("uno", value, value), ir.Constant(HALF, 0x7FFF), rounded)

    def nearest_of_double(builder, value):
        """A float64 rounded once: on the way through float32, towards zero, what is cut off leaves its mark in the last bit, so that no
        tie is made."""
        short = builder.fptrunc(value, SINGLE)
        back = builder.fpext(short, value.type)
        beyond = builder.icmp_unsigned(">", size(builder, back), size(builder, value))
        word = builder.sub(builder.bitcast(short, WORD), builder.zext(beyond, WORD))
        marked = builder.or_(word, builder.zext(builder.fcmp_unordered("!=", back, value), WORD))
        return nearest(builder, builder.bitcast(marked, SINGLE))

    def size(builder, value):
        """The bits of a float64 without its sign: as integers they compare like the numbers."""
        return builder.and_(builder.bitcast(value, LONG), ir.Constant(LONG, 2**63 - 1))

    def widened(builder, value):
        """As float32, whose upper half it is."""
        return builder.bitcast(builder.shl(builder.zext(value, WORD), ir.Constant(WORD, 16)), SINGLE)

    @lower_cast(types.float32, types.bfloat16)
    def _from_float32(context, builder, source, target, value):
        return nearest(builder, value)

    def _from_number(context, builder, source, target, value):
        return nearest_of_double(builder, context.cast(builder, value, source, types.float64))

    for kind in (types.float64, types.float16, types.boolean, types.IntegerLiteral, *types.integer_domain):
        lower_cast(kind, types.bfloat16)(_from_number)

    @lower_cast(types.bfloat16, types.float32)
    def _to_float32(context, builder, source, target, value):
        return widened(builder, value)

    @intrinsic
    def as_bfloat16(typing, x):
        """A number rounded to bfloat16."""

        def build(context, builder, signature, arguments):
            return context.cast(builder, arguments[0], signature.args[0], types.bfloat16)

        return types.bfloat16(x), build
