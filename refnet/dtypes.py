"""The dtypes refnet knows, by name, and how two of them combine: Keras 3's rules."""

import functools
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from refnet.errors import DtypeError

BOOLEAN = ("bool",)
UNSIGNED = ("uint8", "uint16", "uint32", "uint64")
SIGNED = ("int8", "int16", "int32", "int64")
FLOATING = ("bfloat16", "float16", "float32", "float64")
ALL = BOOLEAN + UNSIGNED + SIGNED + FLOATING

_floatx = "float32"


def floatx() -> str:
    """The dtype of weights and of Python floats: 'float32' unless `set_floatx` changed it."""
    return _floatx


def set_floatx(value: DTypeLike | None) -> None:
    """Sets the default floating dtype: 'float16', 'bfloat16', 'float32' or 'float64'."""
    global _floatx
    name = standardize(value)
    if name not in FLOATING:
        raise DtypeError(f"set_floatx expects one of {', '.join(FLOATING)}; got {value!r}.")
    _floatx = name


def standardize(dtype: DTypeLike | None) -> str:
    """The name of a dtype given as a name, a NumPy dtype, a Python type or None (the default floating dtype)."""
    if dtype is None:
        return _floatx
    if dtype is float:
        return _floatx
    if dtype is int or (isinstance(dtype, str) and dtype == "int"):
        return "int32"
    if dtype is bool:
        return "bool"
    try:
        name = dtype if isinstance(dtype, str) else np.dtype(dtype).name
    except (TypeError, ValueError):
        name = repr(dtype)
    if name.startswith("str"):
        raise DtypeError(
            "unknown dtype string: a model's program computes with numbers alone. Make numbers of strings before it: "
            "x = layers.TextVectorization(...)(texts), or StringLookup, Hashing, FeatureSpace; then Input(shape, dtype='int64')."
        )
    if name not in ALL:
        raise DtypeError(f"unknown dtype {name}; refnet knows {', '.join(ALL)}.")
    return name


@functools.cache
def as_numpy(name: str) -> np.dtype[Any]:
    """The NumPy dtype of that name; bfloat16 comes from ml_dtypes."""
    if name == "bfloat16":
        import ml_dtypes

        half: np.dtype[Any] = np.dtype(ml_dtypes.bfloat16)
        return half
    return np.dtype(name)


@functools.cache  # NumPy puts a dtype's name together whenever it is asked for
def name_of(dtype: np.dtype[Any]) -> str:
    """The name of a NumPy dtype."""
    return dtype.name


def of_numbers(dtype: np.dtype[Any]) -> bool:
    """Whether arrays of a NumPy dtype hold numbers as refnet takes them, bools among them; to NumPy bfloat16 is none."""
    return dtype.kind in "biuf" or name_of(dtype) == "bfloat16"


def is_floating(name: str) -> bool:
    return name in FLOATING


def is_integer(name: str) -> bool:
    return name in SIGNED or name in UNSIGNED


def bits(name: str) -> int:
    return as_numpy(name).itemsize * 8


def wide(name: str) -> str:
    """The dtype that a definition computes in: float64, int64 or uint64, or bool."""
    if name in FLOATING:
        return "float64"
    if name == "uint64":
        return "uint64"
    return "bool" if name == "bool" else "int64"


def promote(*names: str) -> str:
    """The dtype that values of these dtypes combine to, as in Keras 3.

    Floating beats integer beats bool; the wider of two of a kind wins; float16 with bfloat16 gives float32; a signed and
    an unsigned integer give the next wider signed one; uint64 with a signed integer gives the default floating dtype.
    """
    result = names[0]
    for name in names[1:]:
        result = _promote_two(result, name)
    return result


def _promote_two(a: str, b: str) -> str:
    if a == b:
        return a
    if a in FLOATING and b in FLOATING:
        if bits(a) == bits(b):
            return "float32"
        return a if bits(a) > bits(b) else b
    if a in FLOATING or b in FLOATING:
        return a if a in FLOATING else b
    if "bool" in (a, b):
        return b if a == "bool" else a
    if (a in SIGNED) == (b in SIGNED):
        return a if bits(a) > bits(b) else b
    signed, unsigned = (a, b) if a in SIGNED else (b, a)
    if bits(signed) > bits(unsigned):
        return signed
    return {8: "int16", 16: "int32", 32: "int64", 64: _floatx}[bits(unsigned)]
