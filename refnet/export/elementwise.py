"""Element by element: most of our ops are one ONNX operator."""

import math

import numpy as np

from refnet import dtypes
from refnet.annotations import Array
from refnet.export.writer import Exported, Writer, value_of, writes

SAME = {
    "abs": "Abs", "arccos": "Acos", "arccosh": "Acosh", "arcsin": "Asin", "arcsinh": "Asinh", "arctan": "Atan",
    "arctanh": "Atanh", "ceil": "Ceil", "cos": "Cos", "cosh": "Cosh", "divide": "Div", "equal": "Equal", "erf": "Erf", "exp": "Exp", "floor": "Floor",
    "greater": "Greater", "greater_equal": "GreaterOrEqual", "less": "Less", "less_equal": "LessOrEqual",
    "log": "Log", "logical_and": "And", "logical_not": "Not", "logical_or": "Or", "negative": "Neg", "power": "Pow",
    "relu": "Relu", "round": "Round", "sigmoid": "Sigmoid", "sign": "Sign", "sin": "Sin", "sinh": "Sinh",
    "softplus": "Softplus", "sqrt": "Sqrt", "subtract": "Sub", "tan": "Tan", "tanh": "Tanh", "where": "Where",
}  # fmt: skip
OF_BOOLS = {
    "add": ("Add", "Or"), "multiply": ("Mul", "And"), "maximum": ("Max", "Or"), "minimum": ("Min", "And"),
    "bitwise_and": ("BitwiseAnd", "And"), "bitwise_or": ("BitwiseOr", "Or"), "bitwise_xor": ("BitwiseXor", "Xor"),
}  # fmt: skip


def same(op: str, kind: str) -> None:
    writes(op)(lambda w, call: w.node(kind, *call.names))


for _op, _kind in SAME.items():
    same(_op, _kind)


def of_bools(op: str, numbers: str, bools: str) -> None:
    writes(op)(lambda w, call: w.node(bools if call.inputs[0].dtype == "bool" else numbers, *call.names))


for _op, (_numbers, _bools) in OF_BOOLS.items():
    of_bools(_op, _numbers, _bools)


@writes("identity", "stop_gradient", "returned")
def unchanged(w: Writer, call: Exported) -> str:
    return call.names[0]


@writes("with_gradient")
def first(w: Writer, call: Exported) -> str:
    return call.names[0]


@writes("cast", "cast_to_bool")
def cast(w: Writer, call: Exported) -> str:
    return w.cast(call.names[0], call.outputs[0].dtype)


@writes("cast_to_integer")
def cast_to_integer(w: Writer, call: Exported) -> str:
    """Float to integer: NaN gives 0 and what lies outside the nearest end, which ONNX's Cast leaves open."""
    x, dtype, result = call.names[0], call.inputs[0].dtype, call.outputs[0].dtype
    if dtype not in ("float32", "float64"):
        x, dtype = w.cast(x, "float32"), "float32"
    ends, wide = np.iinfo(result), "int64" if np.iinfo(result).max >= 2**31 - 1 else "int32"
    largest = np.asarray(ends.max, dtype)
    fits = int(largest) <= ends.max
    top = largest if fits else np.nextafter(largest, np.asarray(0, dtype))
    x = w.node("Where", w.node("IsNaN", x), w.constant(0, dtype), x)
    inside = w.node("Min", w.node("Max", x, w.constant(ends.min, dtype)), w.constant(top))
    y = w.cast(inside, wide)
    if not fits:  # the largest integer lies between two floats
        y = w.node("Where", w.node("GreaterOrEqual", x, w.constant(largest)), w.constant(ends.max, wide), y)
    return y if result == wide else w.cast(y, result)


@writes("square")
def square(w: Writer, call: Exported) -> str:
    return w.node("Mul", call.names[0], call.names[0])


@writes("clip")
def clip(w: Writer, call: Exported) -> str:
    x, low, high = call.names
    return w.node("Min", w.node("Max", x, low), high)


@writes("not_equal")
def not_equal(w: Writer, call: Exported) -> str:
    return w.node("Not", w.node("Equal", *call.names))


@writes("isnan", "isinf", "isfinite")
def special(w: Writer, call: Exported) -> str:
    x, name = call.names[0], call.op.name
    if not dtypes.is_floating(call.inputs[0].dtype):
        return w.node("Expand", w.constant(name == "isfinite"), w.node("Shape", x))
    if name == "isfinite":
        return w.node("Not", w.node("Or", w.node("IsNaN", x), w.node("IsInf", x)))
    return w.node("IsNaN" if name == "isnan" else "IsInf", x)


def one(w: Writer, call: Exported, value: float = 1.0) -> str:
    """A number in the dtype of what the call reads."""
    return w.constant(value, call.inputs[0].dtype)


@writes("expm1")
def expm1(w: Writer, call: Exported) -> str:
    """Near 0, (u - 1) x / log(u) with u = exp(x): what rounding u loses, it loses twice, and the quotient does not see it.

    Source: W. Kahan, as in Higham, Accuracy and Stability of Numerical Algorithms, 1.14.1. ONNX has no operator of this name.
    """
    x = call.names[0]
    u = w.node("Exp", x)
    plain = w.node("Sub", u, one(w, call))
    return near_zero(w, call, x, u, plain, w.node("Div", w.node("Mul", plain, x), w.node("Log", u)))


@writes("log1p")
def log1p(w: Writer, call: Exported) -> str:
    return log_of_one_and(w, call, call.names[0])


def log_of_one_and(w: Writer, call: Exported, x: str) -> str:
    """log(1 + x), near 0 as log(u) x / (u - 1) with u = 1 + x. Source: as in `expm1`."""
    u = w.node("Add", x, one(w, call))
    plain = w.node("Log", u)
    return near_zero(w, call, x, u, plain, w.node("Div", w.node("Mul", plain, x), w.node("Sub", u, one(w, call))))


def near_zero(w: Writer, call: Exported, x: str, u: str, plain: str, quotient: str) -> str:
    """The plain result, but near 0 the quotient, and x where u is 1."""
    near = w.node("Less", w.node("Abs", x), one(w, call, 0.5))
    y = w.node("Where", near, quotient, plain)
    return w.node("Where", w.node("Equal", u, one(w, call)), x, y)


def logarithm(op: str, base: float) -> None:
    def rule(w: Writer, call: Exported) -> str:
        return w.node("Div", w.node("Log", call.names[0]), one(w, call, math.log(base)))

    writes(op)(rule)


logarithm("log2", 2.0)
logarithm("log10", 10.0)


@writes("cbrt")
def cbrt(w: Writer, call: Exported) -> str:
    x = call.names[0]
    return w.node("Mul", w.node("Sign", x), w.node("Pow", w.node("Abs", x), one(w, call, 1 / 3)))


@writes("trunc")
def trunc(w: Writer, call: Exported) -> str:
    x = call.names[0]
    return w.node("Mul", w.node("Sign", x), w.node("Floor", w.node("Abs", x)))


@writes("erfc")
def erfc(w: Writer, call: Exported) -> str:
    return w.node("Sub", one(w, call), w.node("Erf", call.names[0]))


@writes("logaddexp")
def logaddexp(w: Writer, call: Exported) -> str:
    a, b = call.names
    apart = w.node("Neg", w.node("Abs", w.node("Sub", a, b)))
    apart = w.node("Where", w.node("Equal", a, b), one(w, call, 0.0), apart)  # inf - inf is not asked
    return w.node("Add", w.node("Max", a, b), log_of_one_and(w, call, w.node("Exp", apart)))


@writes("integer_power")
def integer_power(w: Writer, call: Exported) -> str:
    return w.node("Pow", *call.names)


@writes("mod")
def mod(w: Writer, call: Exported) -> str:
    a, b = call.names
    if not dtypes.is_floating(call.inputs[0].dtype):
        return w.node("Mod", a, without_zero(w, call)[0])
    rest, turned = remainder(w, a, b, one(w, call, 0.0))
    return w.node("Where", turned, w.node("Add", rest, b), rest)


@writes("floor_divide")
def floor_divide(w: Writer, call: Exported) -> str:
    a, b = call.names
    dtype = call.inputs[0].dtype
    zero = one(w, call, 0.0)
    if not dtypes.is_floating(dtype):
        divisor, is_zero = without_zero(w, call)
        whole = w.node("Div", w.node("Sub", a, w.node("Mod", a, divisor)), divisor)
        return whole if is_zero is None else w.node("Where", is_zero, zero, whole)
    plain = w.node("Div", a, b)
    if dtype != "float64":  # where a less its remainder is exact
        a, b = w.cast(a, "float64"), w.cast(b, "float64")
    rest, turned = remainder(w, a, b, w.constant(0.0, "float64"))
    whole = w.node("Round", w.node("Div", w.node("Sub", a, rest), b))
    whole = w.node("Where", turned, w.node("Sub", whole, w.constant(1.0, "float64")), whole)
    whole = whole if dtype == "float64" else w.cast(whole, dtype)
    return w.node("Where", w.node("Equal", call.names[1], zero), plain, whole)


def remainder(w: Writer, a: str, b: str, zero: str) -> tuple[str, str]:
    """What a division that rounds towards zero leaves, exact; and where it has not the divisor's sign."""
    rest = w.node("Mod", a, b, fmod=1)
    differ = w.node("Xor", w.node("Less", rest, zero), w.node("Less", b, zero))
    return rest, w.node("And", differ, w.node("Not", w.node("Equal", rest, zero)))


def without_zero(w: Writer, call: Exported) -> tuple[str, str | None]:
    """An integer divisor with 1 for 0, which ends a run of ONNX Runtime's; and where it was 0, None if nowhere."""
    b: str = call.names[1]
    known: Array | None = value_of(call.inputs[1])
    if known is not None and np.all(known):
        return b, None
    is_zero = w.node("Equal", b, one(w, call, 0))
    return w.node("Where", is_zero, one(w, call, 1), b), is_zero
