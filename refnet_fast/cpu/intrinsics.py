"""Single machine operations that Numba has no name for, or no name that vectorises. Each serves float32 and float64.

| here | machine | why not the ordinary spelling |
|---|---|---|
| `bits(x)`, `from_bits(b)` | a register read as another type | NumPy's `view` works on arrays only |
| `rint(x)` | round to the nearest whole number, ties to even | `math.floor` goes through int64 and does not vectorise |
| `round_down(x)` | round towards minus infinity (C's floor) | the same |
| `square_root(x)` | the hardware's square root, correctly rounded, NaN below 0 | `math.sqrt` of the interpreter raises |
| `copysign(x, y)` | the size of x with the sign of y | one instruction on any width |
| `maximum(x, y)`, `minimum(x, y)` | IEEE 754-2019 maximum and minimum | `max` does not vectorise and may drop a NaN |
| `select(condition, x, y)` | x or y, both computed | `x if condition else y` becomes a branch once an arm is costly |
| `polynomial(x, coefficients)` | Horner's rule over a constant tuple, lowest power first | a loop over a tuple goes through memory |
| `turn_four(source, step, target, apart)` | 4 x 4 float64 from rows to columns, by addresses | the compiler moves them one by one |

They work inside compiled functions only. Nothing here branches, so a loop over any of them but the last can be vectorised.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

_INTEGER_OF = {types.float32: types.int32, types.float64: types.int64}
_FLOAT_OF = {types.int32: types.float32, types.int64: types.float64}


def _bitcast(context, builder, signature, arguments):
    return builder.bitcast(arguments[0], context.get_value_type(signature.return_type))


@intrinsic
def bits(typing_context, x):
    """The bits of a float as the signed integer of the same width."""
    return (_INTEGER_OF[x](x), _bitcast) if x in _INTEGER_OF else None


@intrinsic
def from_bits(typing_context, b):
    """The float whose bits are the int32 or int64 b: the inverse of `bits`."""
    return (_FLOAT_OF[b](b), _bitcast) if b in _FLOAT_OF else None


def _llvm_call(name, *operands):
    """Signature and code of the LLVM intrinsic `name` on floats of one type; None for other operands."""
    kind = operands[0]
    if kind not in _INTEGER_OF or any(operand != kind for operand in operands):
        return None

    def code(context, builder, signature, arguments):
        element = context.get_value_type(signature.return_type)
        called = ir.FunctionType(element, [element] * len(arguments))
        full_name = f"llvm.{name}.f{kind.bitwidth}"
        return builder.call(cgutils.get_or_insert_function(builder.module, called, full_name), arguments)

    return kind(*operands), code


@intrinsic
def rint(typing_context, x):
    """The nearest whole number as a float, ties to even."""
    return _llvm_call("rint", x)


@intrinsic
def round_down(typing_context, x):
    """The largest whole number not above x, as a float; infinities, NaN and -0 stay."""
    return _llvm_call("floor", x)


@intrinsic
def square_root(typing_context, x):
    """The square root, correctly rounded; NaN below 0, -0 at -0."""
    return _llvm_call("sqrt", x)


@intrinsic
def copysign(typing_context, x, y):
    """The absolute value of x with the sign of y."""
    return _llvm_call("copysign", x, y)


@intrinsic
def maximum(typing_context, x, y):
    """The larger; NaN if either is NaN; +0 is larger than -0."""
    return _llvm_call("maximum", x, y)


@intrinsic
def minimum(typing_context, x, y):
    """The smaller; NaN if either is NaN; -0 is smaller than +0."""
    return _llvm_call("minimum", x, y)


@intrinsic
def select(typing_context, condition, x, y):
    """x where the condition holds, else y, without a branch."""
    if condition != types.boolean or x not in _INTEGER_OF or y != x:
        return None

    def code(context, builder, signature, arguments):
        return builder.select(*arguments)

    return x(condition, x, y), code


@intrinsic
def polynomial(typing_context, x, coefficients):
    """c[0] + c[1] x + c[2] x**2 + ..., by Horner's rule, where the processor has it with fused multiply-adds."""
    if x not in _INTEGER_OF or not isinstance(coefficients, types.UniTuple) or coefficients.dtype != x:
        return None

    def code(context, builder, signature, arguments):
        point, table = arguments
        terms = cgutils.unpack_tuple(builder, table)
        total = terms[-1]
        for term in reversed(terms[:-1]):
            product = builder.fmul(total, point, flags=("contract",))
            total = builder.fadd(product, term, flags=("contract",))
        return total

    return x(x, coefficients), code


@intrinsic
def turn_four(typing_context, source, step, target, apart):
    """Four rows of four float64, `step` bytes apart, written as columns of four rows that are `apart` bytes from each other."""
    vector, word = ir.VectorType(ir.DoubleType(), 4), ir.IntType(64)

    def code(context, builder, signature, arguments):
        source, step, target, apart = arguments
        row = lambda start, by, k: builder.inttoptr(builder.add(start, builder.mul(by, word(k))), vector.as_pointer())
        mixed = lambda x, y, *places: builder.shuffle_vector(
            x, y, ir.Constant(ir.VectorType(ir.IntType(32), 4), places)
        )
        a, b, c, d = (builder.load(row(source, step, k), align=8) for k in range(4))
        pairs = [(mixed(a, b, k, 4 + k, 2 + k, 6 + k), mixed(c, d, k, 4 + k, 2 + k, 6 + k)) for k in range(2)]
        for k in range(4):
            upper, lower = pairs[k % 2]
            first = k // 2 * 2
            turned = mixed(upper, lower, first, first + 1, first + 4, first + 5)
            builder.store(turned, row(target, apart, k), align=8)
        return context.get_dummy_value()

    return types.void(*[types.int64] * 4), code
