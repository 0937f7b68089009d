"""How public ops take what users give them: arrays, numbers and tensors, brought to one dtype and to checked axes."""

import math
from typing import Any

import numpy as np

from refnet import dtypes
from refnet.annotations import Array, Shape, TensorLike
from refnet.arrays import as_array
from refnet.definition import MOST
from refnet.errors import ArgumentError, DtypeError, ShapeError, in_memory, shown
from refnet.graph import Constant, Tensor

MOST_PARTS = 65536  # arrays that one array is taken apart into: each is a part of the graph


def is_symbolic(*xs: TensorLike) -> bool:
    return any(isinstance(x, Tensor) for x in xs)


def dtype_of(x: TensorLike) -> str:
    """The dtype's name of an array or a tensor."""
    return x.dtype if isinstance(x, Tensor) else dtypes.name_of(np.asarray(x).dtype)


def shape_of(x: TensorLike) -> Shape:
    return x.shape if isinstance(x, Tensor) else np.shape(x)


def converted(op: str, x: TensorLike, name: str = "x") -> TensorLike:
    """x as a tensor or a NumPy array of numbers. Python floats take the default dtype, a Python integer int32, a list of them int64."""
    if isinstance(x, Tensor) or (type(x) is np.ndarray and x.dtype.kind in "biuf"):
        return x
    if isinstance(x, bool):
        return np.asarray(x)
    if isinstance(x, float):
        return np.asarray(x, dtypes.as_numpy(dtypes.floatx()))
    if isinstance(x, int):
        return as_integer(op, x, "int32" if -(2**31) <= x < 2**31 else "int64")
    if isinstance(x, (list, tuple)) and any(isinstance(part, Tensor) for part in x):
        from refnet import ops

        return ops.stack(list(x))
    try:
        array = as_array(x, f"{op}: {name}")
    except DtypeError:
        raise
    except (ValueError, TypeError, OverflowError):
        raise DtypeError(f"{op}: {name} must hold numbers, in rows of equal length; got {shown(x)}.") from None
    if isinstance(x, (list, tuple)) and array.dtype == np.float64:
        with np.errstate(over="ignore"):
            array = array.astype(dtypes.as_numpy(dtypes.floatx()))
    if array.dtype.kind not in "biuf" and array.dtype.name != "bfloat16":
        raise DtypeError(f"{op}: {name} must hold numbers; got {type(x).__name__} of dtype {array.dtype}.")
    return array


def as_dtype(x: TensorLike, dtype: str) -> TensorLike:
    """x cast to a dtype; x itself if it has it."""
    if dtype_of(x) == dtype:
        return x
    if isinstance(x, Constant):
        return Constant(x.value, dtype)
    if isinstance(x, Tensor):
        from refnet import ops

        return ops.cast(x, dtype)
    with in_memory("a conversion"), np.errstate(all="ignore"):
        return np.asarray(x).astype(dtypes.as_numpy(dtype))


def as_integer(op: str, x: int, dtype: str) -> Array:
    """A Python integer as an array. Raises ArgumentError where it does not fit."""
    try:
        return np.asarray(x, dtypes.as_numpy(dtype))
    except OverflowError:
        raise ArgumentError(f"{op}: {x} does not fit {dtype}.") from None


def promoted(op: str, *xs: TensorLike) -> list[TensorLike]:
    """The operands in their common dtype. Python numbers adapt to the arrays they meet, as in Keras."""
    weak = [isinstance(x, (bool, int, float)) for x in xs]
    given = [x if w else converted(op, x, f"x{i + 1}") for i, (x, w) in enumerate(zip(xs, weak))]
    strong = [dtype_of(x) for x, w in zip(given, weak) if not w]
    if not strong:
        given = [converted(op, x) for x in given]
        dtype = dtypes.promote(*map(dtype_of, given))
        return [as_dtype(x, dtype) for x in given]
    dtype = dtypes.promote(*strong)
    for x, w in zip(given, weak):
        if w and isinstance(x, float) and not dtypes.is_floating(dtype):
            dtype = dtypes.floatx()
        elif w and dtype == "bool" and not isinstance(x, bool):
            dtype = "int32"
    return [weakly(op, x, dtype) if w else as_dtype(x, dtype) for x, w in zip(given, weak)]


def together_as_floats(op: str, *xs: TensorLike) -> list[TensorLike]:
    """The operands in their common floating dtype: integers and bools take the default one.

    A Python number need not fit the integers that it meets: uint8 divided by 300 is no error.
    """
    given = promoted(op, *[_as_float(op, x) if isinstance(x, int) else x for x in xs])
    dtype = dtype_of(given[0]) if dtypes.is_floating(dtype_of(given[0])) else dtypes.floatx()
    return [as_dtype(x, dtype) for x in given]


def _as_float(op: str, number: int) -> float:
    try:
        return float(number)
    except OverflowError:
        raise ArgumentError(f"{op}: a number of {number.bit_length()} bits is larger than any float.") from None


def compared(op: str, x1: TensorLike, x2: TensorLike) -> list[TensorLike]:
    """The operands of a comparison in their common dtype.

    A Python integer beyond the integers that it meets is above, or below, all of them, as an infinity is.
    """
    x1, x2 = (x if isinstance(x, (bool, int, float)) else converted(op, x, f"x{i + 1}") for i, x in enumerate((x1, x2)))
    return promoted(op, infinite_beyond(x1, x2), infinite_beyond(x2, x1))


def infinite_beyond(x: TensorLike, other: TensorLike) -> TensorLike:
    """x, or an infinity where it is a Python integer that the dtype of the other's integers does not hold."""
    if isinstance(x, bool) or not isinstance(x, int) or isinstance(other, (bool, int, float)):
        return x
    dtype = "int32" if dtype_of(other) == "bool" else dtype_of(other)
    if dtypes.is_floating(dtype):
        return x
    ends = np.iinfo(dtype)
    return x if ends.min <= x <= ends.max else np.float32(np.inf if x > 0 else -np.inf)


def weakly(op: str, x: Any, dtype: str) -> Array:
    """A Python number in the dtype of the arrays that it meets."""
    return as_integer(op, x, dtype) if isinstance(x, int) else np.asarray(x, dtypes.as_numpy(dtype))


def floating(op: str, x: TensorLike, name: str = "x") -> TensorLike:
    """x as a floating array or tensor: integers and bools take the default floating dtype."""
    x = converted(op, x, name)
    return x if dtypes.is_floating(dtype_of(x)) else as_dtype(x, dtypes.floatx())


def checked_axis(op: str, axis: Any, rank: int) -> int:
    """An axis counted from the front. Raises ArgumentError if there is no such axis."""
    try:
        number = int(axis.__index__())
    except (AttributeError, TypeError):
        raise ArgumentError(f"{op}: axis must be an integer; got {axis!r}.") from None
    if rank == 0:
        raise ArgumentError(f"{op}: there is no axis {axis}: a single number has no axes.")
    if not -rank <= number < rank:
        raise ArgumentError(f"{op}: axis {axis} is outside an array with {rank} axes; use {-rank}..{rank - 1}.")
    return number % rank


def checked_axes(op: str, axis: Any, rank: int) -> tuple[int, ...]:
    """Axes counted from the front, sorted; None means all. Raises ArgumentError on repeats and strangers."""
    if axis is None:
        return tuple(range(rank))
    given = [checked_axis(op, a, rank) for a in (axis if isinstance(axis, (tuple, list)) else (axis,))]
    if len(set(given)) != len(given):
        raise ArgumentError(f"{op}: axis {axis} names an axis twice.")
    return tuple(sorted(given))


# ---- arguments that are no arrays


def number(op: str, value: Any, name: str) -> float:
    """A single real number as a float. Raises ArgumentError for anything else."""
    single = isinstance(value, (int, float, np.number, np.bool_)) or (isinstance(value, np.ndarray) and value.ndim == 0)
    try:
        if single:
            return float(value)
    except (TypeError, ValueError, OverflowError):
        pass
    raise ArgumentError(f"{op}: {name} must be a number; got {shown(value)}.")


def integer(op: str, value: Any, name: str) -> int:
    """A single whole number as an int; 2.0 is one. Raises ArgumentError for anything else."""
    if isinstance(value, (int, np.integer)):
        return int(value)
    result = number(op, value, name)
    if result != result or result in (float("inf"), -float("inf")) or result != int(result):
        raise ArgumentError(f"{op}: {name} must be a whole number; got {value!r}.")
    return int(result)


def flag(op: str, value: Any, name: str) -> bool:
    """A yes or no. Raises ArgumentError for an array of several."""
    if isinstance(value, (np.ndarray, Tensor)) and value.shape != ():
        raise ArgumentError(f"{op}: {name} must be True or False; got {shown(value)}.")
    return bool(value)


def entries(op: str, value: Any, name: str) -> list[Any]:
    """The parts of a list, a tuple or an array. Raises ArgumentError for anything else."""
    if isinstance(value, (list, tuple)) or (isinstance(value, np.ndarray) and value.ndim):
        return list(value)
    raise ArgumentError(f"{op}: {name} must be a list or a tuple; got {shown(value)}.")


def dimensions(op: str, shape: Any) -> tuple[Any, ...]:
    """A shape as a tuple of integers, not below 0, and tensors. Raises ArgumentError for anything else."""
    given = (shape,) if isinstance(shape, (int, np.integer, Tensor)) else entries(op, shape, "shape")
    for d in given:
        if not isinstance(d, Tensor) and (isinstance(d, bool) or not isinstance(d, (int, np.integer)) or d < 0):
            hint = " For an open dimension use ops.shape(x)[i]." if d is None else ""
            raise ArgumentError(f"{op}: a shape is made of integers, not below 0; got {shape!r}.{hint}")
    known = [d if isinstance(d, Tensor) else int(d) for d in given]
    if math.prod(d or 1 for d in known if isinstance(d, int)) > MOST:
        raise ShapeError(f"{op}: an array of shape {tuple(known)} is larger than any memory.")
    return tuple(known)
