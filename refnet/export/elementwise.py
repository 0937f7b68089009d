"""Element by element: most of our ops are one ONNX operator."""

import math

from refnet import dtypes
from refnet.export.writer import Exported, Writer, writes

SAME = {
    "abs": "Abs", "arccos": "Acos", "arccosh": "Acosh", "arcsin": "Asin", "arcsinh": "Asinh", "arctan": "Atan",
    "arctanh": "Atanh", "bitwise_and": "BitwiseAnd", "bitwise_or": "BitwiseOr", "bitwise_xor": "BitwiseXor", "ceil": "Ceil",
    "cos": "Cos", "cosh": "Cosh", "divide": "Div", "equal": "Equal", "erf": "Erf", "exp": "Exp", "floor": "Floor",
    "greater": "Greater", "greater_equal": "GreaterOrEqual", "isnan": "IsNaN", "less": "Less", "less_equal": "LessOrEqual",
    "log": "Log", "logical_and": "And", "logical_not": "Not", "logical_or": "Or", "negative": "Neg", "power": "Pow",
    "relu": "Relu", "round": "Round", "sigmoid": "Sigmoid", "sign": "Sign", "sin": "Sin", "sinh": "Sinh",
    "softplus": "Softplus", "sqrt": "Sqrt", "subtract": "Sub", "tan": "Tan", "tanh": "Tanh", "where": "Where",
}  # fmt: skip
OF_BOOLS = {"add": ("Add", "Or"), "multiply": ("Mul", "And"), "maximum": ("Max", "Or"), "minimum": ("Min", "And")}


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


@writes("cast", "cast_to_bool", "cast_to_integer")
def cast(w: Writer, call: Exported) -> str:
    return w.cast(call.names[0], call.outputs[0].dtype)


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


@writes("isinf")
def isinf(w: Writer, call: Exported) -> str:
    return w.node("IsInf", call.names[0])


@writes("isfinite")
def isfinite(w: Writer, call: Exported) -> str:
    x = call.names[0]
    return w.node("Not", w.node("Or", w.node("IsNaN", x), w.node("IsInf", x)))


def one(w: Writer, call: Exported, value: float = 1.0) -> str:
    """A number in the dtype of what the call reads."""
    return w.constant(value, call.inputs[0].dtype)


@writes("expm1")
def expm1(w: Writer, call: Exported) -> str:
    # 2 sinh(x / 2) exp(x / 2) loses nothing near 0; ONNX has no operator of this name.
    half = w.node("Mul", call.names[0], one(w, call, 0.5))
    return w.node("Mul", w.node("Mul", w.node("Sinh", half), w.node("Exp", half)), one(w, call, 2.0))


@writes("log1p")
def log1p(w: Writer, call: Exported) -> str:
    return w.node("Log", w.node("Add", call.names[0], one(w, call)))


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
    return w.node("Add", w.node("Max", a, b), w.node("Log", w.node("Add", w.node("Exp", apart), one(w, call))))


@writes("integer_power")
def integer_power(w: Writer, call: Exported) -> str:
    return w.node("Pow", *call.names)


@writes("floor_divide", "mod")
def with_remainder(w: Writer, call: Exported) -> str:
    a, b = call.names
    remainder = call.op.name == "mod"
    if not dtypes.is_floating(call.inputs[0].dtype):
        rest = w.node("Mod", a, b)
        return rest if remainder else w.node("Div", w.node("Sub", a, rest), b)
    whole = w.node("Floor", w.node("Div", a, b))
    return w.node("Sub", a, w.node("Mul", whole, b)) if remainder else whole
