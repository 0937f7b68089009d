"""Differences of neighbours, the span of numbers, and the area under a line of points."""

from typing import Any

from refnet import ops
from refnet.annotations import Array, TensorLike
from refnet.errors import ArgumentError, ShapeError
from refnet.ops.arguments import as_dtype, checked_axis, converted, dtype_of, floating, integer, shape_of


def diff(a: TensorLike, n: int = 1, axis: int = -1) -> TensorLike:
    """The differences of neighbours along an axis.

        y[o, r, i] = a[o, r + 1, i] - a[o, r, i],  n times over

    Args:
        a: an array or tensor; of bools, whether neighbours differ.
        n: how many times.
        axis: along which axis.
    Returns:
        a's dtype; the axis shorter by n.
    NaN: spreads to its two differences. Empty: an axis of n or fewer places gives none.
    Raises:
        ShapeError: no axis.  ArgumentError: a negative n, no such axis.
    Source: Keras 3 `ops.diff`.

    >>> diff([1, 4, 9, 16], 2)
    array([2, 2])
    """
    x, times = converted("diff", a, "a"), integer("diff", n, "n")
    if not len(shape_of(x)):
        raise ShapeError("diff needs an array with an axis; got a single number.")
    if times < 0 or times > 1000:
        raise ArgumentError(f"diff: n must lie in 0..1000; got {n!r}.")
    axis = checked_axis("diff", axis, len(shape_of(x)))
    lead = (slice(None),) * axis
    for _ in range(times):
        change = ops.not_equal if dtype_of(x) == "bool" else ops.subtract
        x = change(ops.get_item(x, (*lead, slice(1, None))), ops.get_item(x, (*lead, slice(None, -1))))
    return x


def ptp(x: TensorLike, axis: Any = None, keepdims: bool = False) -> Array:
    """The largest less the smallest element along axes.

    Args:
        x: an array or tensor of any dtype but bool.
        axis: one axis, several, or None for all.
        keepdims: whether reduced axes stay, with length 1.
    Returns:
        x's dtype. Integers wrap around.
    Ties: as in `max` and `min`. NaN: any NaN gives NaN. Empty: an error.
    Raises:
        ShapeError: no element.  ArgumentError: an axis that x does not have, bools.
    Source: Keras 3 `ops.ptp`.

    >>> ptp([[1, 5], [7, 2]], axis=1)
    array([4, 5])
    """
    x = converted("ptp", x)
    if dtype_of(x) == "bool":
        raise ArgumentError("ptp: bools have no difference; cast them first.")
    return ops.subtract(ops.max(x, axis, keepdims), ops.min(x, axis, keepdims))


def trapezoid(y: TensorLike, x: TensorLike = None, dx: TensorLike = 1.0, axis: int = -1) -> Array:
    """The area under a line of points, by trapezoids.

        a[o, i] = sum over r of  (x[r + 1] - x[r]) (y[o, r, i] + y[o, r + 1, i]) / 2

    Args:
        y: heights; bool and integers take the default floating dtype.
        x: where they stand: in y's shape, or one for each place along the axis; None for dx apart.
        dx: the distance of neighbours, a number.
        axis: along which axis.
    Returns:
        y's floating dtype, without the axis.
    NaN: any NaN gives NaN. Empty: 0.
    Raises:
        ShapeError: no axis, places that do not fit.  ArgumentError: no such axis.
    Source: Keras 3 `ops.trapezoid`.

    >>> trapezoid([1.0, 2.0, 4.0])
    array(4.5, dtype=float32)
    """
    heights = floating("trapezoid", y, "y")
    rank = len(shape_of(heights))
    if not rank:
        raise ShapeError("trapezoid needs an array with an axis; got a single number.")
    axis, dtype = checked_axis("trapezoid", axis, rank), dtype_of(heights)
    lead = (slice(None),) * axis
    sides = [ops.get_item(heights, (*lead, part)) for part in (slice(1, None), slice(None, -1))]
    if x is None:
        width: TensorLike = as_dtype(floating("trapezoid", dx, "dx"), dtype)
    else:
        places = as_dtype(floating("trapezoid", x), dtype)
        if len(shape_of(places)) == 1:
            if (
                None not in (shape_of(places)[0], shape_of(heights)[axis])
                and shape_of(places)[0] != shape_of(heights)[axis]
            ):
                raise ShapeError(
                    f"trapezoid: x must hold one place for each of {shape_of(heights)[axis]} heights; got {shape_of(places)[0]}."
                )
            places = ops.expand_dims(places, tuple(range(1, rank - axis)))
            width = diff(places, 1, 0)
        else:
            width = diff(places, 1, axis)
    return ops.sum(ops.multiply(width, ops.multiply(ops.add(*sides), 0.5)), axis)
