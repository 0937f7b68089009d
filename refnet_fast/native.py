"""What generated kernel text may use besides definitions: addresses, arrays at addresses, bits, widening, calls and atomics, as
Numba intrinsics; and `njit` for what only compiled code calls."""

import functools

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.extending import intrinsic
from numba.np.arrayobj import make_array, populate_array

LARGEST = 2**62  # bytes; NumPy counts those of an array in 63 bits
# every kernel: (frame, lo, hi) -> how it ended
ABI = types.int64(types.CPointer(types.int64), types.int64, types.int64)
I64 = ir.IntType(64)


def njit(function=None, **options):
    """`numba.njit` for functions that compiled code alone calls: without the entries for callers in Python and in C.

    Making those entries takes a tenth of the compiler's time for a kernel, and a fifth of the memory that it keeps.
    """
    if function is None:
        return functools.partial(njit, **options)
    made = numba.njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, **options)(function)

    def refuse(*given, **named):
        raise TypeError(
            f"{function.__module__}.{function.__qualname__}: compiled code alone can call it, it has no entry for Python; "
            "call its `py_func`, or compile a caller of it with numba.njit."
        )

    made._compile_for_args = refuse  # what a call from Python comes to where no entry is known
    made._insert = lambda *entry: None  # an entry that is not there would be jumped to
    return made


def _array_at(context, builder, kind, address, shape, strides=None):
    """The value of an array of a Numba type that lies at an address; row-major if no strides (in bytes) are given."""
    item = context.get_abi_sizeof(context.get_data_type(kind.dtype))
    if strides is None:
        strides = [I64(item)]
        for extent in reversed(shape[1:]):
            strides.insert(0, builder.mul(strides[0], extent))
    array = make_array(kind)(context, builder)
    data = builder.inttoptr(address, context.get_data_type(kind.dtype).as_pointer())
    populate_array(array, data, list(shape), list(strides), I64(item), None)
    return array._getvalue()


@intrinsic(prefer_literal=True)
def framed_array(typing, frame, at, rank, strided, dtype):
    """The array that the words from frame[at] describe: its address, its shape, and where `strided` is true its byte strides.

    One call where `carray` of a tuple of words would be a dozen: type inference takes the longest of what a kernel's compiler does.
    """
    first, count, steps = at.literal_value, rank.literal_value, strided.literal_value
    kind = types.Array(dtype.dtype, count, "A" if steps else "C")

    def emit(c, b, s, a):
        word = lambda k: b.load(b.gep(a[0], [I64(first + k)]))
        shape = [word(1 + axis) for axis in range(count)]
        strides = [word(1 + count + axis) for axis in range(count)] if steps else None
        return _array_at(c, b, kind, word(0), shape, strides)

    return kind(frame, at, rank, strided, dtype), emit


@intrinsic
def row_at(typing, address, count, dtype):
    """`count` numbers that lie side by side from an address on."""
    kind = types.Array(dtype.dtype, 1, "C")
    emit = lambda c, b, s, a: _array_at(c, b, kind, a[0], [a[1]])
    return kind(types.int64, types.int64, dtype), emit


@intrinsic
def array_at(typing, address, shape, dtype):
    """The row-major array of a shape, a tuple, that starts at an address."""
    kind = types.Array(dtype.dtype, len(shape), "C")
    emit = lambda c, b, s, a: _array_at(c, b, kind, a[0], cgutils.unpack_tuple(b, a[1]))
    return kind(types.int64, types.UniTuple(types.int64, len(shape)), dtype), emit


@intrinsic
def as_float(typing, bits):
    """The float64 whose bits travel in a frame word."""
    return types.float64(types.int64), lambda c, b, s, a: b.bitcast(a[0], ir.DoubleType())


@intrinsic
def call(typing, address, frame, lo, hi):
    """Calls the kernel at `address` with the frame at `frame`; gives how it ended, as `outcomes.py` says."""

    def emit(c, b, s, a):
        kind = ir.FunctionType(I64, [I64.as_pointer(), I64, I64])
        return b.call(b.inttoptr(a[0], kind.as_pointer()), [b.inttoptr(a[1], I64.as_pointer()), a[2], a[3]])

    return types.int64(*[types.int64] * 4), emit


@intrinsic
def wide(typing, x):
    """A number as the definitions compute with it: float64, int64, uint64 or bool; anything else as it is.

    Without it float32 * float32 would be rounded to float32 before it meets a float64 total, and uint8 1 - 2 would be 2**64 - 1.
    """
    if isinstance(x, types.Float):
        to = types.float64
    elif isinstance(x, types.Integer):
        to = types.uint64 if x == types.uint64 else types.int64
    else:
        to = x

    def emit(c, b, s, a):
        if to != s.args[0]:
            return c.cast(b, a[0], s.args[0], to)
        if c.enable_nrt:
            c.nrt.incref(b, to, a[0])
        return a[0]

    return to(x), emit


@intrinsic
def atomic_add(typing, address, amount):
    """Adds to the int64 at an address; returns what was there before. Sequentially consistent."""

    def emit(c, b, s, a):
        return b.atomic_rmw("add", b.inttoptr(a[0], I64.as_pointer()), a[1], "seq_cst")

    return types.int64(types.int64, types.int64), emit


@intrinsic
def atomic_load(typing, address):
    """The int64 at an address, read once, in order with other atomics."""
    return types.int64(types.int64), lambda c, b, s, a: b.load_atomic(b.inttoptr(a[0], I64.as_pointer()), "seq_cst", 8)


@intrinsic
def atomic_store(typing, address, value):
    """Writes the int64 at an address, in order with other atomics."""

    def emit(c, b, s, a):
        b.store_atomic(a[1], b.inttoptr(a[0], I64.as_pointer()), "seq_cst", 8)
        return c.get_dummy_value()

    return types.void(types.int64, types.int64), emit


@intrinsic
def move_bytes(typing, target, source, count):
    """Copies bytes from one address to another; the two ranges must not meet."""

    def emit(c, b, s, a):
        byte = ir.IntType(8).as_pointer()
        cgutils.raw_memcpy(b, b.inttoptr(a[0], byte), b.inttoptr(a[1], byte), a[2], 1)
        return c.get_dummy_value()

    return types.void(*[types.int64] * 3), emit


@intrinsic
def yield_processor(typing):
    """Lets another thread of the machine run: the operating system's sched_yield."""

    def emit(c, b, s, a):
        function = cgutils.get_or_insert_function(b.module, ir.FunctionType(ir.IntType(32), []), "sched_yield")
        b.call(function, [])
        return c.get_dummy_value()

    return types.void(), emit


@njit(error_model="numpy")
def barrier(address, threads):
    """Waits until `threads` threads are here. The two words at `address` are a count and a generation."""
    generation = atomic_load(address + 8)
    if atomic_add(address, 1) == threads - 1:
        atomic_store(address, 0)
        atomic_add(address + 8, 1)
        return
    spins = 0
    while atomic_load(address + 8) == generation:
        spins += 1
        if spins > 4000:
            yield_processor()


class Separate(CompilerBase):
    """Compiles a function whose arrays never overlap: `njit(pipeline_class=Separate)`.

    A loop over several short rows then needs no checks of where they lie before it may run in vectors.
    """

    def __init__(self, *given):
        super().__init__(*given)
        self.state.flags.noalias = True

    def define_pipelines(self):
        return [DefaultPassBuilder.define_nopython_pipeline(self.state)]


def named(function, name):
    """The function under a name of its own, for functions that a factory makes.

    Numba calls a function's machine code by module, qualified name, argument types and a number that counts functions in a
    process. Kernels from the disk cache were numbered in other processes; two functions of one name could be taken for each other.
    """
    function.__name__ = function.__qualname__ = name
    return function


def address_of(array):
    return array.__array_interface__["data"][0]


def aligned_zeros(size):
    """A zeroed array of `size` bytes that starts on a cache line."""
    if size > LARGEST:
        raise MemoryError(f"{size} bytes are more than any memory holds.")
    room = np.zeros(size + 64, np.uint8)
    start = -address_of(room) % 64
    return room[start : start + size]
