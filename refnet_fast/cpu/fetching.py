"""Memory asked for before it is needed: rows that lie where the processor does not look ahead by itself."""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from refnet_fast.native import njit

LINE = 64  # bytes


@intrinsic
def prefetch(typing, address):
    """Asks for the cache line at an address to be brought into the second-level cache; any address will do."""

    def emit(context, builder, signature, arguments):
        byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
        read, second_level, data = number(0), number(2), number(1)
        builder.call(function, [builder.inttoptr(arguments[0], byte), read, second_level, data])
        return context.get_dummy_value()

    return types.void(types.int64), emit


@njit(error_model="numpy")
def fetch_row(x, n, t):
    """Asks for row x[n, t], if there is one, while there is other work."""
    if 0 <= t < x.shape[1]:
        row = x[n, t]
        at = row.ctypes.data
        for byte in range(0, row.size * row.itemsize, LINE):
            prefetch(at + byte)
