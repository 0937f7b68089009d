"""How public ops take what users give them: arrays, numbers and tensors, brought to one dtype and to checked axes."""

from typing import Any

import numpy as np

from refnet import dtypes
from refnet.annotations import Shape, TensorLike
from refnet.errors import ArgumentError, DtypeError
from refnet.graph import Constant, Tensor


def is_symbolic(*xs: TensorLike) -> bool:
    return any(isinstance(x, Tensor) for x in xs)


def dtype_of(x: TensorLike) -> str:
    """The dtype's name of an array or a tensor."""
    return x.dtype if isinstance(x, Tensor) else np.asarray(x).dtype.name


def shape_of(x: TensorLike) -> Shape:
    return x.shape if isinstance(x, Tensor) else np.shape(x)


def converted(op: str, x: TensorLike, name: str = "x") -> TensorLike:
    """x as a tensor or a NumPy array of numbers. Python floats take the default dtype, Python integers int32."""
    if isinstance(x, Tensor):
        return x
    if isinstance(x, bool):
        return np.asarray(x)
    if isinstance(x, (int, float)):
        return np.asarray(
            x, dtypes.floatx() if isinstance(x, float) else ("int32" if -(2**31) <= x < 2**31 else "int64")
        )
    if isinstance(x, (list, tuple)) and any(isinstance(part, Tensor) for part in x):
        from refnet import ops

        return ops.stack(list(x))
    array = np.asarray(x)
    if isinstance(x, (list, tuple)) and array.dtype == np.float64:
        array = array.astype(dtypes.as_numpy(dtypes.floatx()))
    if array.dtype.kind not in "biuf" and array.dtype.name != "bfloat16":
        raise DtypeError(f"{op}: {name} must hold numbers; got {type(x).__name__} of dtype {array.dtype}.")
    return array


def as_dtype(x: TensorLike, dtype: str) -> TensorLike:
    """x cast to a dtype; x itself if it has it."""
    from refnet import ops

    if dtype_of(x) == dtype:
        return x
    if isinstance(x, Constant):
        return Constant(x.value, dtype)
    if isinstance(x, Tensor):
        return ops.cast(x, dtype)
    return np.asarray(x).astype(dtypes.as_numpy(dtype))


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
    return [np.asarray(x, dtypes.as_numpy(dtype)) if w else as_dtype(x, dtype) for x, w in zip(given, weak)]


def floating(op: str, x: TensorLike, name: str = "x") -> TensorLike:
    """x as a floating array or tensor: integers and bools take the default floating dtype."""
    x = converted(op, x, name)
    return x if dtypes.is_floating(dtype_of(x)) else as_dtype(x, dtypes.floatx())


def checked_axis(op: str, axis: Any, rank: int) -> int:
    """An axis counted from the front. Raises ArgumentError if there is no such axis."""
    try:
        number = int(axis.__index__())
    except AttributeError:
        raise ArgumentError(f"{op}: axis must be an integer; got {axis!r}.") from None
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
