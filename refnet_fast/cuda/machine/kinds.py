"""The types that PTX's instructions name, as NumPy's: registers hold bits, and each instruction says what it takes them for."""

import numpy as np

from refnet_fast.cuda.machine.errors import MachineError

BITS = {8: np.dtype(np.uint8), 16: np.dtype(np.uint16), 32: np.dtype(np.uint32), 64: np.dtype(np.uint64)}
KINDS = {"pred": np.dtype(bool), "f16": np.dtype(np.float16), "f32": np.dtype(np.float32), "f64": np.dtype(np.float64)}
for width, bits in BITS.items():
    KINDS |= {f"u{width}": bits, f"b{width}": bits, f"s{width}": np.dtype(f"i{width // 8}")}
# Two neighbours in a word, and 16-bit numbers that NumPy does not have: their bits.
KINDS |= {"f16x2": BITS[32], "bf16x2": BITS[32], "bf16": BITS[16], "tf32": BITS[32]}


def kind_of(word):
    """The dtype of a type's name.

    Raises:
        MachineError: the machine has none of that name.
    """
    if word not in KINDS:
        raise MachineError(f"the type {word!r} is not understood.")
    return KINDS[word]


def bits_of(values, width):
    """Values as the bits of a register of so many bits: wider ones are filled with the sign of a signed integer, else with zeros."""
    dtype = values.dtype
    if dtype.kind == "b":
        return values
    size = 8 * dtype.itemsize
    if size > width:
        raise MachineError(f"{size} bits do not fit a register of {width}.")
    if size == width:
        return values.view(BITS[width])
    if dtype.kind == "i":
        return values.astype(f"i{width // 8}").view(BITS[width])
    return values.view(BITS[size]).astype(BITS[width])
