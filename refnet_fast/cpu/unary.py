"""Conversions between float64 and the 16-bit floats, which the processor only stores: a definition computes them wide anyway."""

from refnet.definition import View, size_of
from refnet_fast.cpu.intrinsics import bits, from_bits, rint
from refnet_fast.derive import Placed
from refnet_fast.kernels import kernel
from refnet_fast.native import njit


@njit(error_model="numpy")
def power_of_two(exponent):
    """2**exponent as a float64, for exponents of normal numbers."""
    return from_bits((exponent + 1023) << 52)


@njit(error_model="numpy")
def narrowed(x, digits, lowest):
    """The 16-bit pattern nearest to x, ties to even: `digits` bits of fraction, least normal exponent `lowest`."""
    pattern = bits(x)
    sign = (pattern >> 48) & 0x8000
    size = from_bits(pattern & 0x7FFFFFFFFFFFFFFF)
    above = 0x7FFF >> digits << digits  # the pattern of infinity
    if size != size:
        return sign | above | (1 << (digits - 1))
    exponent = (bits(size) >> 52) - 1023
    if exponent > -lowest + 1:
        return sign | above
    if exponent < lowest:  # a subnormal result, or the least normal one
        return sign | int(rint(size * power_of_two(digits - lowest)))
    # A fraction that is rounded up to 2 carries into the exponent, and from the largest number into infinity.
    return sign | (((exponent - lowest) << digits) + int(rint(size * power_of_two(digits - exponent))))


@njit(error_model="numpy")
def widened(pattern, digits, lowest):
    """The number that a 16-bit pattern stands for."""
    pattern = int(pattern)
    fraction, exponent = pattern & ((1 << digits) - 1), (pattern & 0x7FFF) >> digits
    if exponent == 0:
        size = fraction * power_of_two(lowest - digits)
    elif exponent == 0x7FFF >> digits:
        size = from_bits(0x7FF << 52) if fraction == 0 else from_bits(0x7FF8 << 48)
    else:
        size = ((1 << digits) + fraction) * power_of_two(exponent - 1 + lowest - digits)
    return -size if pattern & 0x8000 else size


FORMATS = {"float16": (10, -14), "bfloat16": (7, -126)}  # bits of fraction, exponent of the least normal number


def _narrowing(call):
    return call.inputs[0].dtype == "float64" and call.outputs[0].dtype in FORMATS


def _widening(call):
    return call.inputs[0].dtype in FORMATS and call.outputs[0].dtype == "float64"


def _patterns(call, inputs, outputs):
    """The arrays flat, the 16-bit ones as patterns, then the format."""
    short = inputs[0] if call.inputs[0].dtype in FORMATS else outputs[0]
    arrays = [
        Placed(a.address, View((size_of(call.outputs[0].shape),)), "uint16" if a is short else a.dtype)
        for a in (*inputs, *outputs)
    ]
    return [*arrays, *FORMATS[short.dtype]]


FLAT = {
    "tasks": lambda call: size_of(call.outputs[0].shape),
    "cost": lambda call: 4.0,
    "quantum": 32,
    "arguments": _patterns,
}


@kernel("cast", when=_narrowing, **FLAT)
def cast_narrow(x, y, digits, lowest, lo, hi):
    """Elements lo..hi, by integer arithmetic on the float64's bits."""
    for i in range(lo, hi):
        y[i] = narrowed(x[i], digits, lowest)


@kernel("cast", when=_widening, **FLAT)
def cast_wide(x, y, digits, lowest, lo, hi):
    """Elements lo..hi; every 16-bit float is a float64."""
    for i in range(lo, hi):
        y[i] = widened(x[i], digits, lowest)
