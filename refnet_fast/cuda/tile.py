"""The register tile of products, and copies to shared memory that nobody waits for.

Each function is an instruction or two of the device, written as LLVM's or as inline PTX, and has a plain form with the same
meaning for the simulator. Arrays are seen flat here: an index counts elements from an array's first one, whatever its axes.
"""

import numpy as np
from numba import cuda

from refnet_fast.cuda import bfloat16  # noqa: F401  (its casts; at the beginning of a line, where a kernel's key sees it)
from refnet_fast.cuda.target import simulated
from refnet_fast.cuda.text import inlined

NOWHERE = -(2**62)  # an index that stays below zero, whatever lies on top of it


@inlined
def indices_of(at, y):
    """The three indices of element number `at` of an array of three axes."""
    line = quotient(at, y.shape[2])
    first = quotient(line, y.shape[1])
    return first, line - first * y.shape[1], at - line * y.shape[2]


def places(table, slot, number, last, axes, extents, steps, shifts, lead):
    """Where a row, or a term, of an image's matrix begins.

    The number counts (outer, axes of the image, last), the last fastest. table[slot] becomes the elements that outer and last
    make, then the coordinate on each axis.
    """
    rest = quotient(number, last)
    at = number - rest * last
    for back in range(axes):
        axis = axes - 1 - back
        above = quotient(rest, extents[axis])
        table[slot, 1 + axis] = (rest - above * extents[axis]) * steps[axis] + shifts[axis]
        rest = above
    table[slot, 0] = at + rest * lead


def fill(table, slot, first, count, bound, thread, threads, axes, extents, of, at, beside):
    """Where the rows, or the terms, from `first` on begin, `count` of them; NOWHERE from `bound` on. Threads share the work.

    Args:
        of: last, steps, shifts and lead as `places` takes them; elements of the other factor from one `last` to the next, and from
            number to number: table[..., 4] says where the term begins there.
        at, beside: elements that are added to both.
    """
    for n in range(thread, count, threads):
        if first + n < bound:
            places(table, slot + n, first + n, of[0], axes, extents, of[1], of[2], of[3])
            above = quotient(first + n, of[0])
            table[slot + n, 0] += at
            table[slot + n, 4] = beside + above * of[4] + (first + n - above * of[0]) * of[5]
        else:
            table[slot + n, 0] = NOWHERE
            table[slot + n, 4] = NOWHERE


def element(origin, i, term, k, axes, extents, strides, strided, pixel):
    """The index of an image's element that row i and term k mean together; below zero where there is none.

    Args:
        strided: whether the sum of the coordinates must be a multiple of the strides, and is to be divided by them.
        pixel: elements from one place of the image to the next.
    """
    at, place, inside = origin[i, 0] + term[k, 0], 0, True
    for axis in range(axes):
        coordinate = origin[i, 1 + axis] + term[k, 1 + axis]
        inside = inside and coordinate >= 0
        if strided:
            above = quotient(coordinate, strides[axis])
            inside = inside and above * strides[axis] == coordinate
            coordinate = above
        inside = inside and coordinate < extents[axis]
        place = place * extents[axis] + coordinate
    return at + place * pixel if inside else NOWHERE


if simulated():
    from numpy.lib.stride_tricks import as_strided

    def flat(array, at, count=1):
        """Elements of an array from an index on."""
        array = getattr(getattr(array, "_item", array), "_ary", array)
        return as_strided(array, (at + count,), (array.itemsize,))[at:]

    def quotient(x, y):
        return x // y

    def afresh(number):
        return number

    def copy(shared, to, array, at):
        shared[to] = flat(array, at)[0] if at >= 0 else 0

    def read(array, at):
        value = flat(array, at)[0]
        return value if value.itemsize > 2 else np.float32(value)

    def commit():
        pass

    def wait(pending):
        pass

    def clear(total, count):
        total[:count] = 0

    def multiply_add(total, left, at, apart, right, beside, along, down, across):
        for p in range(4 * down):
            for q in range(4 * across):
                x, y = left[at + p // 4 * apart + p % 4], right[beside + q // 4 * along + q % 4]
                total[p * 4 * across + q] += x * y

    def put(array, at, count, total, first, width):
        flat(array, at, count)[:] = total[first : first + count]

    def put_one(array, at, value):
        flat(array, at)[0] = value

    def finite(total, count):
        return bool(np.isfinite(total[:count]).all())

else:
    from llvmlite import ir
    from numba.cuda import types
    from numba.cuda.extending import intrinsic
    from numba.cuda.np.arrayobj import store_item

    WORD, LONG = ir.IntType(32), ir.IntType(64)

    def literal(*kinds):
        """Whether these are numbers known to the compiler. Numba asks for a signature without them first, then with them."""
        return all(isinstance(kind, types.IntegerLiteral) for kind in kinds)

    def pointer(context, builder, kind, array, at):
        """The address of an element."""
        data = context.make_array(kind)(context, builder, array).data
        return builder.gep(data, [at if hasattr(at, "type") else ir.Constant(LONG, at)])

    def instruction(builder, text, constraints="", operands=(), result=None):
        """Inline PTX that must stay where it is, between the loads and stores around it."""
        signature = ir.FunctionType(result or ir.VoidType(), [x.type for x in operands])
        constraints = f"{constraints},~{{memory}}" if constraints else "~{memory}"
        return builder.call(ir.InlineAsm(signature, text, constraints, side_effect=True), operands)

    def in_shared(builder, address):
        """A generic address of shared memory as the 32-bit address that instructions of shared memory take."""
        kind = ir.PointerType(address.type.pointee, addrspace=3)
        return builder.ptrtoint(builder.addrspacecast(address, kind), WORD)

    @intrinsic
    def quotient(typing, x, y):
        """x // y of numbers from 0 to 2**31 - 1: the device divides words several times faster than int64."""

        def build(context, builder, signature, arguments):
            x, y = (builder.trunc(n, WORD) for n in arguments)
            return builder.zext(builder.udiv(x, y), LONG)

        return types.int64(types.int64, types.int64), build

    @intrinsic
    def afresh(typing, number):
        """An int64 as it is; what follows from it is computed where it stands, and takes no registers in the loops around."""

        def build(context, builder, signature, arguments):
            return instruction(builder, "mov.b64 $0, $1;", "=l,l", arguments, LONG)

        return types.int64(types.int64), build

    @intrinsic
    def copy(typing, shared, to, array, at):
        """shared[to] becomes array[at], or 0 where at is below zero, before the `wait` for the group that is open.

        A 16-bit float becomes one of float32, at once: the instruction copies words.
        """

        def build(context, builder, signature, arguments):
            shared, to, array, at = arguments
            size = context.get_abi_sizeof(context.get_data_type(signature.args[2].dtype))
            none = builder.icmp_signed("<", at, ir.Constant(LONG, 0))
            source = pointer(context, builder, signature.args[2], array, builder.select(none, ir.Constant(LONG, 0), at))
            target = pointer(context, builder, signature.args[0], shared, to)
            if size < 4:
                value = context.cast(builder, builder.load(source), signature.args[2].dtype, types.float32)
                builder.store(builder.select(none, ir.Constant(ir.FloatType(), 0), value), target)
                return context.get_dummy_value()
            target = in_shared(builder, target)
            read = builder.select(none, ir.Constant(WORD, 0), ir.Constant(WORD, size))
            operands = [target, builder.ptrtoint(source, LONG), read]
            instruction(builder, f"cp.async.ca.shared.global [$0], [$1], {size}, $2;", "r,l,r", operands)
            return context.get_dummy_value()

        return types.void(shared, types.int64, array, types.int64), build

    @intrinsic
    def read(typing, array, at):
        """array[at], of a 16-bit float as float32."""
        wide = types.float32 if array.dtype in (types.float16, types.bfloat16) else array.dtype

        def build(context, builder, signature, arguments):
            value = builder.load(pointer(context, builder, array, *arguments))
            return context.cast(builder, value, array.dtype, wide)

        return wide(array, types.int64), build

    @intrinsic
    def commit(typing):
        """Closes the group of this thread's copies since the last one."""

        def build(context, builder, signature, arguments):
            instruction(builder, "cp.async.commit_group;")
            return context.get_dummy_value()

        return types.void(), build

    @intrinsic
    def wait(typing, pending):
        """Waits until no more than `pending` groups of this thread's copies, the youngest, are under way."""
        if not literal(pending):
            return None

        def build(context, builder, signature, arguments):
            instruction(builder, f"cp.async.wait_group {pending.literal_value};")
            return context.get_dummy_value()

        return types.void(pending), build

    @intrinsic
    def clear(typing, total, count):
        """Zeros in the first `count` elements of an array in registers."""
        if not literal(count):
            return None

        def build(context, builder, signature, arguments):
            for n in range(count.literal_value):
                place = pointer(context, builder, total, arguments[0], n)
                builder.store(ir.Constant(place.type.pointee, 0), place)
            return context.get_dummy_value()

        return types.void(total, count), build

    def quad(context, builder, kind, array, at):
        """Four neighbours, from an index that is a multiple of four."""
        address = pointer(context, builder, kind, array, at)
        four = ir.VectorType(address.type.pointee, 4)
        loaded = builder.load(builder.bitcast(address, four.as_pointer()), align=16)
        return [builder.extract_element(loaded, ir.Constant(WORD, n)) for n in range(4)]

    @intrinsic
    def multiply_add(typing, total, left, at, apart, right, beside, along, down, across):
        """total, (4 * down, 4 * across) in registers, plus the products of a column of left and a row of right.

        Args:
            at, beside: the first elements; the next four down lie `apart` elements behind, the next four across `along`.
        """
        if not literal(apart, along, down, across):
            return None

        def build(context, builder, signature, arguments):
            total_, left_, at_, _, right_, beside_, *_ = arguments

            def fours(kind, array, first, step, count):
                starts = (builder.add(first, ir.Constant(LONG, n * step.literal_value)) for n in range(count))
                return [x for start in starts for x in quad(context, builder, kind, array, start)]

            xs = fours(left, left_, at_, apart, down.literal_value)
            ys = fours(right, right_, beside_, along, across.literal_value)
            for p, x in enumerate(xs):
                for q, y in enumerate(ys):
                    place = pointer(context, builder, total, total_, p * len(ys) + q)
                    builder.store(builder.fma(x, y, builder.load(place)), place)
            return context.get_dummy_value()

        signature = types.void(total, left, types.int64, apart, right, types.int64, along, down, across)
        return signature, build

    def store(context, builder, array, place, value, kind):
        """Rounds a value to an array's dtype and stores it."""
        store_item(context, builder, array, context.cast(builder, value, kind, array.dtype), place)

    @intrinsic
    def put_one(typing, array, at, value):
        """array[at] becomes a value of float32 or float64, rounded."""

        def build(context, builder, signature, arguments):
            place = pointer(context, builder, array, arguments[0], arguments[1])
            store(context, builder, array, place, arguments[2], value)
            return context.get_dummy_value()

        return types.void(array, types.int64, value), build

    @intrinsic
    def put(typing, array, at, count, total, first, width):
        """array[at], array[at + 1], ... become the elements of total from `first` on: `count` of them, at most `width`."""
        if not literal(first, width):
            return None

        def build(context, builder, signature, arguments):
            array_, at_, count_, total_, *_ = arguments
            for n in range(width.literal_value):
                value = builder.load(pointer(context, builder, total, total_, first.literal_value + n))
                with builder.if_then(builder.icmp_signed(">", count_, ir.Constant(LONG, n))):
                    place = pointer(context, builder, array, array_, builder.add(at_, ir.Constant(LONG, n)))
                    store(context, builder, array, place, value, total.dtype)
            return context.get_dummy_value()

        return types.void(array, types.int64, types.int64, total, first, width), build

    @intrinsic
    def finite(typing, total, count):
        """Whether the first `count` elements of an array in registers are neither NaN nor infinite."""
        if not literal(count):
            return None

        def build(context, builder, signature, arguments):
            result = ir.Constant(ir.IntType(1), 1)
            for n in range(count.literal_value):
                value = builder.load(pointer(context, builder, total, arguments[0], n))
                zero = ir.Constant(value.type, 0)
                result = builder.and_(result, builder.fcmp_ordered("==", builder.fsub(value, value), zero))
            return result

        return types.boolean(total, count), build

    places = cuda.jit(device=True)(places)
    fill, element = (cuda.jit(device=True)(f) for f in (fill, element))
