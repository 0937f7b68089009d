"""Runs of neighbours: 16 bytes that a thread reads or writes by one instruction; and indices found without a division.

Every buffer of a plan begins on a multiple of 64 bytes (`refnet_fast.memory.LINE`), so an element whose number is a multiple of a run's
length may be the first of a run.
"""

import math

import numpy as np

from refnet import dtypes
from refnet.definition import View, size_of
from refnet_fast.cuda import bfloat16  # noqa: F401  (its casts; at the beginning of a line, where a kernel's key sees it)
from refnet_fast.cuda.target import simulated
from refnet_fast.cuda.text import inlined
from refnet_fast.cuda.tile import put
from refnet_fast.derive import Placed, itemsize

# ruff: noqa: F821 (a kernel's constants are filled in by `text_of`)

BYTES = 16  # of a run
WORDS = {1: "int8", 2: "int16", 4: "int32", 8: "int64"}  # by bytes: what is only copied is copied as such
THREADS = 4 if simulated() else 256


def run_of(dtype, *multiples):
    """How many neighbours make a run: 16 bytes of them, or as many fewer as divide all these numbers."""
    return math.gcd(BYTES // itemsize(dtype), *multiples)


def elements(call):
    return size_of(call.form.outputs[0].shape)


def in_words(call):
    """Some elements, so few that words number them."""
    return 0 < elements(call) < 2**31


def grid_of(run):
    """`grid(call)` of a kernel whose threads write a run each, as long as run(call)."""
    return lambda call: (-(-elements(call) // (run(call) * THREADS)),)


def flat_words(placed, size=None):
    """A Placed seen as a row of signed integers of the same length; of `size` of them, if it is a view of a larger array."""
    word = WORDS[itemsize(placed.dtype)]
    back = placed.view.offset if size is not None else 0
    start = placed.address - back * itemsize(placed.dtype)
    return Placed(start, View((placed.size if size is None else size,)), word)


def word_type(dtype):
    """The NumPy type of such an integer."""
    return dtypes.as_numpy(WORDS[itemsize(dtype)]).type


def bits_of(number, dtype):
    """A number, rounded to a dtype, as such an integer."""
    return int(np.asarray(number).astype(dtypes.as_numpy(dtype)).view(word_type(dtype)))


def divisor(number):
    """What `divided` takes of a number from 1 to 2**31: it, a factor and a shift.

    With 2**(s-1) < number <= 2**s the factor is 2**(31+s) / number, rounded up, which a word holds. It is too large by less than
    number / number, so n * factor is too large by less than n < 2**31, and n * factor / 2**(31+s) by less than 1 / number: the whole part
    is that of n / number.
    """
    number = max(1, int(number))
    shift = 31 + (number - 1).bit_length()
    return number, -(-(2**shift) // number), shift


@inlined
def write_run(y, at, held):
    """The run of a thread, of RUN elements, to its place; at the end what of it still is in the array."""
    if at + RUN <= y.size:
        store_run(y, at, held, RUN)
    else:
        put(y, at, y.size - at, held, 0, RUN)


if simulated():
    from refnet_fast.cuda.tile import flat

    def divided(n, by):
        return (n * by[1]) >> by[2]

    def load_run(array, at, held, count):
        held[:count] = flat(array, at, count)

    def store_run(array, at, held, count):
        flat(array, at, count)[:] = held[:count]

else:
    from llvmlite import ir
    from numba import cuda
    from numba.cuda import types
    from numba.cuda.extending import intrinsic

    from refnet_fast.cuda.tile import LONG, WORD, literal, pointer

    @intrinsic
    def product_of_words(typing, x, y):
        """The product of two numbers of 32 bits each, by one instruction."""

        def build(context, builder, signature, arguments):
            x, y = (builder.zext(builder.trunc(n, WORD), LONG) for n in arguments)
            return builder.mul(x, y)

        return types.int64(types.int64, types.int64), build

    @cuda.jit(device=True)
    def divided(n, by):
        """n // d for 0 <= n < 2**31, where by = divisor(d): one product and one shift."""
        return product_of_words(n, by[1]) >> by[2]

    def pieces(context, kind, count):
        """What a run of `count` elements of a dtype is moved in: ([first element], elements of each, the LLVM types: element, whole)."""
        element = context.data_model_manager[kind.dtype].get_data_type()
        size = context.get_abi_sizeof(element)
        each = min(count, max(1, BYTES // size))
        bits = 8 * size * each
        whole = ir.IntType(bits) if bits < 64 else ir.VectorType(WORD, bits // 32)
        return range(0, count, each), each, element, whole, size * each

    def apart(builder, whole):
        """A vector of words that the compiler does not take for one of shorter elements: it would move those by instructions of 8 bytes."""
        keep = ir.InlineAsm(ir.FunctionType(WORD, [WORD]), "mov.b32 $0, $1;", "=r,r")
        for n in range(whole.type.count):
            word = builder.call(keep, [builder.extract_element(whole, ir.Constant(WORD, n))])
            whole = builder.insert_element(whole, word, ir.Constant(WORD, n))
        return whole

    @intrinsic
    def load_run(typing, array, at, held, count):
        """held[0..count) becomes array[at], array[at + 1], ..., by one instruction for each 16 bytes."""
        if not literal(count):
            return None

        def build(context, builder, signature, arguments):
            array_, at_, held_, _ = arguments
            firsts, each, element, whole, size = pieces(context, array, count.literal_value)
            model = context.data_model_manager[array.dtype]
            for first in firsts:
                address = pointer(context, builder, array, array_, builder.add(at_, ir.Constant(LONG, first)))
                read = builder.load(builder.bitcast(address, whole.as_pointer()), align=size)
                read = apart(builder, read) if each > 4 else read
                several = builder.bitcast(read, ir.VectorType(element, each) if each > 1 else element)
                for n in range(each):
                    one = builder.extract_element(several, ir.Constant(WORD, n)) if each > 1 else several
                    value = context.cast(builder, model.from_data(builder, one), array.dtype, held.dtype)
                    builder.store(value, pointer(context, builder, held, held_, first + n))
            return context.get_dummy_value()

        return types.void(array, types.int64, held, count), build

    @intrinsic
    def store_run(typing, array, at, held, count):
        """array[at], array[at + 1], ... become held[0..count), rounded, by one instruction for each 16 bytes."""
        if not literal(count):
            return None

        def build(context, builder, signature, arguments):
            array_, at_, held_, _ = arguments
            firsts, each, element, whole, size = pieces(context, array, count.literal_value)
            model = context.data_model_manager[array.dtype]
            for first in firsts:
                several = ir.Constant(ir.VectorType(element, each), ir.Undefined)
                for n in range(each):
                    value = builder.load(pointer(context, builder, held, held_, first + n))
                    one = model.as_data(builder, context.cast(builder, value, held.dtype, array.dtype))
                    several = builder.insert_element(several, one, ir.Constant(WORD, n)) if each > 1 else one
                address = pointer(context, builder, array, array_, builder.add(at_, ir.Constant(LONG, first)))
                words = builder.bitcast(several, whole)
                words = apart(builder, words) if each > 4 else words
                builder.store(words, builder.bitcast(address, whole.as_pointer()), align=size)
            return context.get_dummy_value()

        return types.void(array, types.int64, held, count), build
