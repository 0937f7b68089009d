"""Matrices and rows of numbers: diagonals, powers, products of another kind, distances."""

from refnet import ops
from refnet.annotations import Array, TensorLike
from refnet.errors import ArgumentError, ShapeError
from refnet.ops.arguments import (
    as_dtype,
    checked_axis,
    converted,
    dtype_of,
    flag,
    floating,
    integer,
    promoted,
    shape_of,
    together_as_floats,
)
from refnet.ops.reduction import widened_integers

# ---- diagonals


def two_axes(op: str, x: TensorLike, axis1: int, axis2: int) -> tuple[int, int]:
    rank = len(shape_of(x))
    if rank < 2:
        raise ShapeError(f"{op} needs an array with two axes or more; got shape {tuple(shape_of(x))}.")
    first, second = checked_axis(op, axis1, rank), checked_axis(op, axis2, rank)
    if first == second:
        raise ArgumentError(f"{op} needs two axes; got {axis1} and {axis2}.")
    return first, second


def diagonal(x: TensorLike, offset: int = 0, axis1: int = 0, axis2: int = 1) -> TensorLike:
    """The diagonals of matrices.

        y[n, i] = x[n, i + max(-offset, 0), i + max(offset, 0)]

    Args:
        x: an array or tensor of any dtype; the two axes have known lengths.
        offset: which diagonal; positive lies above the main one.
        axis1, axis2: rows and columns.
    Returns:
        x's dtype; the two axes replaced by one, the last.
    NaN: copied. Empty: a diagonal outside the matrix is empty.
    Raises:
        ShapeError: less than two axes, open ones.  ArgumentError: no such axes.
    Source: Keras 3 `ops.diagonal`.

    >>> diagonal([[1, 2], [3, 4]])
    array([1, 4])
    """
    x, k = converted("diagonal", x), integer("diagonal", offset, "offset")
    first, second = two_axes("diagonal", x, axis1, axis2)
    rows, columns = shape_of(x)[first], shape_of(x)[second]
    if rows is None or columns is None:
        raise ShapeError(f"diagonal: both axes must have known lengths; got shape {tuple(shape_of(x))}.")
    x = ops.moveaxis(x, (first, second), (-2, -1))
    row, column = (0, k) if k >= 0 else (-k, 0)
    length = max(min(rows - row, columns - column), 0)
    flat = ops.reshape(x, (*ops.shape(x)[:-2], rows * columns))
    start, step = (row * columns + column, columns + 1) if length else (0, 1)
    return ops.get_item(flat, (..., slice(start, start + (length - 1) * step + 1 if length else 0, step)))


def trace(x: TensorLike, offset: int = 0, axis1: int = 0, axis2: int = 1) -> TensorLike:
    """The sum of a diagonal. See `diagonal`.

    Args:
        x, offset, axis1, axis2: as in `diagonal`.
    Returns:
        x's dtype without the two axes; bool and integers below 32 bits give int32 (unsigned: uint32).
    NaN: on the diagonal gives NaN. Empty: 0.
    Raises: as `diagonal`.
    Source: Keras 3 `ops.trace`.

    >>> trace([[1, 2], [3, 4]])
    array(5)
    """
    x = converted("trace", x)
    two_axes("trace", x, axis1, axis2)
    return ops.sum(diagonal(widened_integers(x), offset, axis1, axis2), -1)


def diagflat(x: TensorLike, k: int = 0) -> TensorLike:
    """A matrix with all elements of x on a diagonal. See `diag`.

    Args:
        x: an array or tensor of any dtype.
        k: which diagonal; positive lies above the main one.
    Returns:
        x's dtype.
    NaN: copied. Empty: a matrix of |k| zeros a side.
    Source: Keras 3 `ops.diagflat`.

    >>> diagflat([[1], [2]])
    array([[1, 0],
           [0, 2]])
    """
    return ops.diag(ops.ravel(converted("diagflat", x)), integer("diagflat", k, "k"))


# ---- powers


def vander(x: TensorLike, N: int | None = None, increasing: bool = False) -> TensorLike:
    """The powers of numbers, a row for each.

        y[i, j] = x[i]**(N - 1 - j),  x[i]**j if increasing

    Args:
        x: an array or tensor with one axis.
        N: how many powers; the length of x if None.
        increasing: whether the powers go up.
    Returns:
        (the length of x, N), x's dtype.
    NaN: stays, but for the power 0, which is 1. Empty: an empty result.
    Raises:
        ShapeError: another number of axes, an open one without N.  ArgumentError: a negative N.
    Source: Keras 3 `ops.vander`.

    >>> vander([2, 3], 3)
    array([[4, 2, 1],
           [9, 3, 1]])
    """
    x = converted("vander", x)
    if len(shape_of(x)) != 1:
        raise ShapeError(f"vander takes an array with one axis; got shape {tuple(shape_of(x))}.")
    count = shape_of(x)[0] if N is None else integer("vander", N, "N")
    if count is None:
        raise ShapeError("vander: the axis of x is open; give N.")
    if count < 0 or count > 65536:
        raise ArgumentError(f"vander: N must lie in 0..65536; got {N!r}.")
    wide = as_dtype(x, "int32") if dtype_of(x) == "bool" else x
    if count == 0:
        return as_dtype(ops.get_item(ops.expand_dims(wide, 1), (slice(None), slice(0, 0))), dtype_of(x))
    column = ops.expand_dims(wide, 1)
    powers = ops.concatenate([ops.ones_like(column)] + [column] * (count - 1), 1)
    y = ops.cumprod(powers, 1, dtype_of(wide))
    return as_dtype(y if flag("vander", increasing, "increasing") else ops.flip(y, 1), dtype_of(x))


# ---- products


def cross(
    x1: TensorLike, x2: TensorLike, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None
) -> Array:
    """The cross product of vectors.

        y = (a1 b2 - a2 b1, a2 b0 - a0 b2, a0 b1 - a1 b0);  of two vectors of length 2 the last alone

    Args:
        x1, x2: arrays or tensors; the axes of the vectors have length 2 or 3, a missing third coordinate is 0; the others broadcast.
        axisa, axisb, axisc: the axes of the vectors in x1, x2 and the result.
        axis: all three at once.
    Returns:
        The promoted dtype; bool gives int32.
    NaN: spreads within its vector. Empty: an empty result.
    Raises:
        ShapeError: vectors of another length, shapes that do not broadcast.  ArgumentError: no such axis.
    Source: Keras 3 `ops.cross`.

    >>> cross([1, 0, 0], [0, 1, 0])
    array([0, 0, 1])
    """
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = promoted("cross", x1, x2)
    a, b = ((as_dtype(v, "int32") if dtype_of(v) == "bool" else v) for v in (a, b))
    (p, three), (q, also) = coordinates(a, axisa), coordinates(b, axisb)
    planar = not three and not also
    order = ((0, 1),) if planar else ((1, 2), (2, 0), (0, 1))
    y = [ops.subtract(ops.multiply(p[i], q[j]), ops.multiply(p[j], q[i])) for i, j in order]
    return y[0] if planar else ops.stack(y, axisc)


def coordinates(x: TensorLike, axis: int) -> tuple[list[TensorLike], bool]:
    """The three coordinates of vectors along an axis, and whether there are three."""
    place = checked_axis("cross", axis, len(shape_of(x)))
    length = shape_of(x)[place]
    if length not in (2, 3):
        raise ShapeError(f"cross takes vectors of length 2 or 3; got shape {tuple(shape_of(x))} and axis {axis}.")
    found = ops.unstack(x, length, place)
    return (found if length == 3 else [*found, ops.zeros_like(found[0])]), length == 3


def kron(x1: TensorLike, x2: TensorLike) -> Array:
    """Kronecker's product: a copy of x2 for every element of x1, times it.

        y[i P + p, j Q + q] = x1[i, j] * x2[p, q],  and so for any number of axes

    Args:
        x1, x2: arrays or tensors; the one with fewer axes gets new ones in front.
    Returns:
        The promoted dtype; each axis as long as the product of the two.
    NaN: spreads to its copies. Empty: an empty result.
    Source: Keras 3 `ops.kron`.

    >>> kron([1, 10], [1, 2, 3])
    array([ 1,  2,  3, 10, 20, 30])
    """
    a, b = promoted("kron", x1, x2)
    rank = max(len(shape_of(a)), len(shape_of(b)))
    a, b = (ops.expand_dims(v, tuple(range(rank - len(shape_of(v))))) if rank > len(shape_of(v)) else v for v in (a, b))
    dims = [ops.arranging.product([m, n]) for m, n in zip(ops.shape(a), ops.shape(b))]
    spread = ops.multiply(
        ops.expand_dims(a, tuple(range(1, 2 * rank, 2))), ops.expand_dims(b, tuple(range(0, 2 * rank, 2)))
    )
    return ops.reshape(spread, dims) if rank else spread


def correlate(x1: TensorLike, x2: TensorLike, mode: str = "valid") -> Array:
    """The products of one row with another that is moved along it.

        y[k] = sum over j of  x1[k + j - s] * x2[j],  0 outside x1

    "valid" keeps the places where the shorter row lies inside the longer one (s = 0), "same" as many as the longer row has, "full"
    all where the two meet.

    Args:
        x1, x2: arrays or tensors with one axis, of known lengths above 0.
        mode: "valid", "same" or "full".
    Returns:
        A floating dtype: the promoted one, of integers the default one. If x2 is the longer one, what the two exchanged give, reversed.
    NaN: spreads to the places that meet it. Empty: an error.
    Raises:
        ShapeError: another number of axes, nothing to multiply.  ArgumentError: another mode.
    Source: Keras 3 `ops.correlate`; NumPy.

    >>> correlate([1.0, 2.0, 3.0], [0.0, 1.0, 0.5])
    array([3.5], dtype=float32)
    """
    a, b = together_as_floats("correlate", x1, x2)
    shapes = tuple(shape_of(a)), tuple(shape_of(b))
    if not isinstance(mode, str) or mode not in ("valid", "same", "full"):
        raise ArgumentError(f"correlate: mode must be 'valid', 'same' or 'full'; got {mode!r}.")
    if any(len(s) != 1 or s[0] in (None, 0) for s in shapes):
        raise ShapeError(f"correlate takes two rows of known lengths above 0; got shapes {shapes[0]} and {shapes[1]}.")
    m, n = shapes[0][0], shapes[1][0]
    if n > m:
        return ops.flip(correlate(b, a, mode))
    before = {"valid": 0, "same": n // 2, "full": n - 1}[mode]
    after = {"valid": 0, "same": n - 1 - n // 2, "full": n - 1}[mode]
    row = ops.pad(a, ((before, after),))
    return ops.reshape(
        ops.conv(ops.reshape(row, (1, -1, 1)), ops.reshape(b, (n, 1, 1)), data_format="channels_last"), (-1,)
    )


def cdist(x: TensorLike, y: TensorLike) -> Array:
    """The distances between two sets of points.

        d[n, i, j] = sqrt(sum over k of  (x[n, i, k] - y[n, j, k])**2)

    Args:
        x, y: (..., points, coordinates) of one number of coordinates; the leading axes broadcast.
    Returns:
        (..., points of x, points of y), the promoted floating dtype. Where it is 0, the gradient is NaN.
    NaN: spreads to the distances of its point. Empty: no points give an empty result.
    Raises:
        ShapeError: less than two axes, other coordinates.
    Source: Keras 3 `ops.cdist`.

    >>> cdist([[0.0, 0.0]], [[3.0, 4.0], [0.0, 1.0]])
    array([[5., 1.]], dtype=float32)
    """
    a, b = together_as_floats("cdist", converted("cdist", x, "x"), converted("cdist", y, "y"))
    shapes = tuple(shape_of(a)), tuple(shape_of(b))
    ends = {s[-1] for s in shapes if len(s) and s[-1] is not None}
    if min(map(len, shapes)) < 2 or len(ends) > 1:
        raise ShapeError(
            f"cdist takes (..., points, coordinates), twice, with as many coordinates; got shapes {shapes[0]} and {shapes[1]}."
        )
    apart = ops.subtract(ops.expand_dims(a, -2), ops.expand_dims(b, -3))
    return ops.sqrt(ops.sum(ops.square(apart), -1))


def corrcoef(x: TensorLike) -> Array:
    """Pearson's correlation of every two rows.

        y[i, j] = c[i, j] / sqrt(c[i, i] c[j, j]),   c[i, j] = mean over r of  (x[i, r] - m[i]) (x[j, r] - m[j])

    Args:
        x: a row for each variable, or one row; bool and integers take the default floating dtype.
    Returns:
        (rows, rows), or a single 1; x's dtype, within -1..1.
    NaN: spreads within its row and column; a row of equal numbers gives NaN. Empty: NaN.
    Raises:
        ShapeError: more than two axes.
    Source: Keras 3 `ops.corrcoef`; NumPy.

    >>> corrcoef([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]])
    array([[ 1., -1.],
           [-1.,  1.]], dtype=float32)
    """
    given = floating("corrcoef", x)
    if len(shape_of(given)) > 2:
        raise ShapeError(f"corrcoef takes a matrix, or one row; got shape {tuple(shape_of(given))}.")
    rows = ops.statistics.wide_enough(given)
    rows = ops.reshape(rows, (1, -1)) if len(shape_of(rows)) < 2 else rows
    apart = ops.subtract(rows, ops.mean(rows, 1, keepdims=True))
    together = ops.matmul(apart, ops.transpose(apart))
    size = ops.sqrt(ops.sum(ops.square(apart), 1))
    y = ops.divide(ops.divide(together, ops.expand_dims(size, 1)), size)
    y = ops.clip(y, -1.0, 1.0)
    return as_dtype(y if len(shape_of(given)) == 2 else ops.squeeze(y), dtype_of(given))
