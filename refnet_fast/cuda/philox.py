"""The generator's rounds in words of 32 bits, for every kernel that draws.

The definition keeps its numbers within int64, and makes a product of two words of four smaller ones. Here each is one instruction, which
gives 64 bits.
"""

import numpy as np

from refnet_fast.cuda.target import simulated

if simulated():

    def wide_product(x, y):
        return np.uint64(x) * np.uint64(y)

else:
    from llvmlite import ir
    from numba.cuda import types
    from numba.cuda.extending import intrinsic

    @intrinsic
    def wide_product(typing, x, y):
        """The 64 bits of the product of two words; written with integers of 64 bits it takes four instructions."""

        def build(context, builder, signature, arguments):
            word, long = ir.IntType(32), ir.IntType(64)
            text = ir.InlineAsm(ir.FunctionType(long, [word, word]), "mul.wide.u32 $0, $1, $2;", "=l,r,r")
            return builder.call(text, arguments)

        return types.uint64(types.uint32, types.uint32), build


def philox_in_words(c0, c1, c2, c3, k0, k1):
    """`refnet.philox.philox4x32`, the same four words."""
    a, b, c, d = np.uint32(c0), np.uint32(c1), np.uint32(c2), np.uint32(c3)
    key, lock, half = np.uint32(k0), np.uint32(k1), np.uint64(32)
    for _ in range(10):
        first, second = wide_product(np.uint32(0xD2511F53), a), wide_product(np.uint32(0xCD9E8D57), c)
        a, c = np.uint32(np.uint32(second >> half) ^ b ^ key), np.uint32(np.uint32(first >> half) ^ d ^ lock)
        b, d = np.uint32(second), np.uint32(first)
        key = np.uint32(np.uint64(key) + np.uint64(0x9E3779B9))
        lock = np.uint32(np.uint64(lock) + np.uint64(0xBB67AE85))
    return np.int64(a), np.int64(b), np.int64(c), np.int64(d)


def fraction_by_factor(word, bits):
    """`refnet.philox.fraction`, the same number: a power of two, found once for all words of a thread, divides none of them."""
    return (word >> (32 - bits)) * (1.0 / float(1 << bits))
