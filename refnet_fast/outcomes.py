"""How a call of compiled code ended, in a number: Numba prints an exception that leaves a C function, and goes on as if nothing were.

    0        as it should
    below 0  there was no memory for scratch, of so many KB
    above 0  any other exception; the number is the address of what Numba notes down about it

Every function that is called by address returns it: a kernel to the machine, which stops the program (`vm.py`), a helper to the
kernel, in which it is raised again. Scratch memory of kernels comes from `scratch` and `cleared_scratch`, which are `np.empty` and
`np.zeros` but that they say how much was asked for.
"""

import ctypes
import pickle

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.callconv import Status
from numba.core.imputils import impl_ret_new_ref
from numba.core.typing.npydecl import parse_dtype
from numba.extending import intrinsic
from numba.np.arrayobj import get_itemsize, make_array, populate_array

I32, I64 = ir.IntType(32), ir.IntType(64)
# Numba's own code of how a function ended has 32 bits: 0 is well, 1 an exception; here n is n - 1 KB.
MOST_KB = 2**31 - 2


def _no_memory(context, builder):
    """The address of what Numba notes down about a MemoryError."""
    return context.get_python_api(builder).serialize_object((MemoryError, ("there is no memory for scratch",), None))


def _end(context, builder, code, note):
    """Ends the function that is being compiled by an exception."""
    status = Status(code=code, is_ok=None, is_none=None, is_error=None, is_stop_iteration=None, is_python_exc=None,
                    is_user_exc=None, excinfoptr=note)  # fmt: skip
    context.call_conv.return_status_propagate(builder, status)


@intrinsic
def outcome_of(typing, function, arguments):
    """Calls a compiled function, which gives nothing, with a tuple of arguments, and tells how it ended."""
    called = function.get_call_type(typing, tuple(arguments), {})

    def emit(context, builder, signature, args):
        compiled = function.dispatcher.overloads[called.args]
        context.add_linking_libs([compiled.library])
        given = zip(cgutils.unpack_tuple(builder, args[1]), arguments, called.args)
        values = [context.cast(builder, value, *kinds) for value, *kinds in given]
        status, _ = context.call_internal_no_propagate(builder, compiled.fndesc, called, values)
        code, one = builder.sext(status.code, I64), ir.Constant(I64, 1)
        note = builder.ptrtoint(status.excinfoptr, I64)
        ended = builder.select(builder.icmp_signed(">", code, one), builder.sub(one, code), note)
        return builder.select(status.is_error, ended, ir.Constant(I64, 0))

    return types.int64(function, arguments), emit


def raise_again(context, builder, outcome):
    """Code of an intrinsic: what a function called by address ended with ends the function in which it was called."""
    zero, one = ir.Constant(I64, 0), ir.Constant(I64, 1)
    with cgutils.if_unlikely(builder, builder.icmp_signed("!=", outcome, zero)):
        short, none = builder.icmp_signed("<", outcome, zero), _no_memory(context, builder)
        code = builder.trunc(builder.select(short, builder.sub(one, outcome), one), I32)
        _end(context, builder, code, builder.select(short, none, builder.inttoptr(outcome, none.type)))


def _array_in_scratch(shape, dtype, clear):
    """The signature of an intrinsic that gives an array, and its code."""
    extents = shape if isinstance(shape, types.BaseTuple) else types.UniTuple(shape, 1)
    array = types.Array(parse_dtype(dtype), len(extents), "C")

    def emit(context, builder, signature, args):
        given = cgutils.unpack_tuple(builder, args[0]) if extents is shape else [args[0]]
        lengths = [context.cast(builder, n, kind, types.intp) for n, kind in zip(given, extents)]
        itemsize = context.get_constant(types.intp, get_itemsize(context, array))
        size, steps, overflow = itemsize, [], ir.Constant(ir.IntType(1), 0)
        for n in reversed(lengths):
            steps.insert(0, size)
            product = builder.smul_with_overflow(size, n)
            size = builder.extract_value(product, 0)
            overflow = builder.or_(overflow, builder.extract_value(product, 1))
        size = builder.select(overflow, ir.Constant(I64, 2**62), size)  # which no memory holds
        alignment = context.get_preferred_array_alignment(array.dtype)
        memory = context.nrt.meminfo_alloc_aligned_unchecked(builder, size, alignment)
        with cgutils.if_unlikely(builder, cgutils.is_null(builder, memory)):
            kb = builder.add(builder.lshr(size, ir.Constant(I64, 10)), ir.Constant(I64, 1))
            most = ir.Constant(I64, MOST_KB)
            kb = builder.select(builder.icmp_unsigned(">", kb, most), most, kb)
            code = builder.trunc(builder.add(kb, ir.Constant(I64, 1)), I32)
            _end(context, builder, code, _no_memory(context, builder))
        data = context.nrt.meminfo_data(builder, memory)
        if clear:
            cgutils.memset(builder, data, size, 0)
        made = make_array(array)(context, builder)
        populate_array(
            made,
            data=builder.bitcast(data, context.get_data_type(array.dtype).as_pointer()),
            shape=cgutils.pack_array(builder, lengths, ty=context.get_value_type(types.intp)),
            strides=cgutils.pack_array(builder, steps, ty=context.get_value_type(types.intp)),
            itemsize=itemsize,
            meminfo=memory,
        )
        return impl_ret_new_ref(context, builder, array, made._getvalue())

    return array(shape, dtype), emit


@intrinsic
def scratch(typing, shape, dtype):
    """`np.empty(shape, dtype)` in a kernel; where there is no memory for it, the kernel's outcome says how much was asked for."""
    return _array_in_scratch(shape, dtype, False)


@intrinsic
def cleared_scratch(typing, shape, dtype):
    """`np.zeros(shape, dtype)` in a kernel, as above."""
    return _array_in_scratch(shape, dtype, True)


class Note(ctypes.Structure):
    """What Numba notes down about an exception (`numba.core.callconv`): its class, arguments and place, pickled; and whether there are
    arguments that were known only when it was raised."""

    _fields_ = [
        ("pickled", ctypes.c_void_p),
        ("size", ctypes.c_int32),
        ("more", ctypes.c_void_p * 2),
        ("late_arguments", ctypes.c_int32),
    ]


def exception_in(outcome):
    """The exception of an outcome above 0: its class, and in words its class, arguments, and the line that raised it."""
    note = Note.from_address(outcome)
    kind, arguments, place = pickle.loads(ctypes.string_at(note.pickled, note.size))
    where = "" if place is None else f" in {place[0]}, {place[1]}:{place[2]}"
    known = "..." if note.late_arguments else ", ".join(map(repr, arguments or ()))
    return kind, f"{kind.__name__}({known}){where}"
