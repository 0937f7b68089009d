"""The numbers that a floating dtype has: which one is next."""

import functools
from typing import Any

import numpy as np

from refnet import dtypes, ops
from refnet.annotations import Array, Number, TensorLike
from refnet.ops.arguments import as_dtype, dtype_of, floating, promoted
from refnet.ops.elementwise import elementwise
from refnet.scalars import sqrt

# 31 times this, then its roots down to 2, reach from the least gap of float64 to the greatest; float32 has it too.
FAR = 2.0**64


def nextafter(x1: TensorLike, x2: TensorLike) -> Array:
    """The number of the dtype that comes next after x1 on the way to x2.

        y[i] = x1[i] + gap if x2[i] > x1[i], x1[i] - gap if x2[i] < x1[i], with broadcasting

    gap is the distance to the neighbour on that side: the largest power of two of which x1[i] is at least 1/eps times; half of it
    where x1[i] is itself a power of two and the step leads to 0; at least the smallest number above 0.

    Args:
        x1: where to start; an array, tensor or number. Integers and bools take the default floating dtype.
        x2: where to go, likewise; shapes that broadcast.
    Returns:
        The common shape, in the promoted dtype. x2 where both are equal (0.0 and -0.0 are). From an infinity the step leads to the
        largest finite number, and from that to infinity. An engine may take numbers below the smallest normal one as 0. The
        whole gradient goes to x1, or to x2 where both are equal.
    NaN: if either is NaN. Empty: an empty result.
    Raises:
        ShapeError: shapes that do not broadcast.
    Source: Keras 3 `ops.nextafter`; IEEE 754's nextUp and nextDown.

    >>> nextafter([1.0, 1.0], [2.0, 0.0])
    array([1.0000001 , 0.99999994], dtype=float32)
    """
    x1, x2 = promoted("nextafter", x1, x2)
    dtype = dtype_of(floating("nextafter", x1))
    return nextafter_op(as_dtype(x1, dtype), as_dtype(x2, dtype), **spacing(dtype))


def nextafter_scalar(x1: Number, x2: Number, smallest: Number, epsilon: Number, largest: Number) -> Number:
    if x1 != x1 or x2 != x2:
        return x1 + x2
    if x1 == x2:
        return x2
    size = x1 if x1 > 0 else -x1
    if size > largest:
        return largest if x1 > 0 else -largest
    gap = smallest
    power = FAR
    for k in range(37):
        if gap * power / epsilon <= size:
            gap = gap * power
        if k >= 30:
            power = sqrt(power)
    if gap > smallest and gap / epsilon == size and (x2 < x1) == (x1 > 0):
        gap = gap / 2
    y = x1 + gap if x2 > x1 else x1 - gap
    return y if y != 0 else x1 * 0  # a step to 0 keeps the sign it came from


nextafter_op = elementwise(
    "nextafter",
    nextafter_scalar,
    lambda dy, y, x1, x2, **_: ops.where(ops.equal(x1, x2), 0, dy),
    lambda dy, y, x1, x2, **_: ops.where(ops.equal(x1, x2), dy, 0),
    attributes=("smallest", "epsilon", "largest"),
)


@functools.cache
def spacing(dtype: str) -> dict[str, float]:
    """Of a floating dtype: the smallest number above 0, the gap above 1, the largest finite number."""
    if dtype == "bfloat16":
        import ml_dtypes

        known: Any = ml_dtypes.finfo(dtype)
    else:
        known = np.finfo(dtypes.as_numpy(dtype))
    return {
        "smallest": float(known.smallest_subnormal),
        "epsilon": float(known.eps),
        "largest": float(known.max),
    }
