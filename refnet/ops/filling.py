"""Filling: arrays whose elements follow from a shape alone."""

from typing import Any

import numpy as np

from refnet import dtypes
from refnet.annotations import Array, Shape, Tasks, TensorLike
from refnet.definition import MOST, Form, Op, Spec, View
from refnet.errors import ArgumentError, ShapeError, in_memory
from refnet.graph import Constant, Node, Tensor, call_with_shape
from refnet.ops.arguments import as_dtype, converted, dimensions, dtype_of, integer, number, shape_of
from refnet.ops.shapes import broadcast_like, broadcast_to
from refnet.scalars import INF


def full(shape: Shape | int, fill_value: TensorLike, dtype: str | None = None) -> TensorLike:
    """An array that holds one value everywhere.

        y[i] = fill_value

    Args:
        shape: the result's shape; entries may come from `ops.shape`.
        fill_value: a number, or an array that broadcasts to `shape`.
        dtype: the result's dtype; the default floating dtype if None.
    Returns:
        An array of that shape; a tensor where an entry of the shape or the value is one.
    Raises:
        ShapeError: a value that does not broadcast.
    Source: Keras 3 `ops.full`.

    >>> full((2, 3), 7, dtype="int32")
    array([[7, 7, 7],
           [7, 7, 7]], dtype=int32)
    """
    dtype = dtypes.standardize(dtype)
    entries = dimensions("full", shape)
    if isinstance(fill_value, Tensor):
        return broadcast_to(as_dtype(fill_value, dtype), entries)
    value = np.asarray(as_dtype(converted("full", fill_value, "fill_value"), dtype))
    if any(isinstance(d, Tensor) for d in entries):
        return broadcast_to(Constant(value, dtype), entries)
    with in_memory("full"):
        return np.array(broadcast_to(value, entries))


def zeros(shape: Shape | int, dtype: str | None = None) -> TensorLike:
    """An array of zeros (see `full`).

    Args:
        shape: the result's shape; entries may come from `ops.shape`.
        dtype: the result's dtype; the default floating dtype if None.
    Returns:
        An array of that shape; a tensor where an entry of the shape is one.
    Empty: an empty result.
    Raises:
        ArgumentError: no shape.
    Source: Keras 3 `ops.zeros`.

    >>> zeros(2)
    array([0., 0.], dtype=float32)
    """
    return full(shape, 0, dtype)


def ones(shape: Shape | int, dtype: str | None = None) -> TensorLike:
    """An array of ones (see `full`).

    Args:
        shape: the result's shape; entries may come from `ops.shape`.
        dtype: the result's dtype; the default floating dtype if None.
    Returns:
        An array of that shape; a tensor where an entry of the shape is one.
    Empty: an empty result.
    Raises:
        ArgumentError: no shape.
    Source: Keras 3 `ops.ones`.

    >>> ones((1, 2))
    array([[1., 1.]], dtype=float32)
    """
    return full(shape, 1, dtype)


def full_like(x: TensorLike, fill_value: TensorLike, dtype: str | None = None) -> TensorLike:
    """One value everywhere, in the shape of x.

        y[i] = fill_value

    Args:
        x: an array or tensor; read for its shape and dtype only.
        fill_value: a number, or an array that broadcasts to x's shape.
        dtype: the result's dtype; x's if None.
    Returns:
        x's shape.
    Source: Keras 3 `ops.full_like`.

    >>> full_like([[1, 2]], 5)
    array([[5, 5]])
    """
    x = converted("full_like", x)
    dtype = dtype_of(x) if dtype is None else dtypes.standardize(dtype)
    if isinstance(x, Tensor) and not isinstance(fill_value, Tensor):
        return broadcast_like(Constant(as_dtype(converted("full_like", fill_value, "fill_value"), dtype)), x)
    return full(shape_of(x), fill_value, dtype)


def zeros_like(x: TensorLike, dtype: str | None = None) -> TensorLike:
    """Zeros in the shape and dtype of x (see `full_like`).

    Args:
        x: an array or tensor; read for its shape and dtype only.
        dtype: the result's dtype; x's if None.
    Returns:
        x's shape.
    NaN: has no influence. Empty: an empty result.
    Source: Keras 3 `ops.zeros_like`.

    >>> zeros_like([1.5, 2.5])
    array([0., 0.], dtype=float32)
    """
    return full_like(x, 0, dtype)


def ones_like(x: TensorLike, dtype: str | None = None) -> TensorLike:
    """Ones in the shape and dtype of x (see `full_like`).

    Args:
        x: an array or tensor; read for its shape and dtype only.
        dtype: the result's dtype; x's if None.
    Returns:
        x's shape.
    NaN: has no influence. Empty: an empty result.
    Source: Keras 3 `ops.ones_like`.

    >>> ones_like([[3, 4]])
    array([[1, 1]])
    """
    return full_like(x, 1, dtype)


def eye(N: Any, M: Any = None, k: int = 0, dtype: str | None = None) -> Any:
    """A matrix with ones on one diagonal.

        y[i, j] = 1 if j - i == k else 0

    Args:
        N: rows; in a graph also a dimension from ops.shape.
        M: columns, likewise; N if None.
        k: which diagonal; 0 is the main one, positive lies above it.
        dtype: the result's dtype; the default floating dtype if None.
    Returns:
        (N, M).
    Source: Keras 3 `ops.eye`.

    >>> eye(2, 3, k=1)
    array([[0., 1., 0.],
           [0., 0., 1.]], dtype=float32)
    """
    if isinstance(N, Tensor) or isinstance(M, Tensor):
        from refnet import ops

        steps = ops.subtract(arange(N if M is None else M), ops.expand_dims(arange(N), 1))
        return ops.cast(ops.equal(steps, integer("eye", k, "k")), dtypes.standardize(dtype))
    rows, columns = dimensions("eye", (N, N if M is None else M))
    name, place = dtypes.standardize(dtype), integer("eye", k, "k")
    with in_memory("eye"):
        place = max(-rows, min(place, columns))  # further away there is nothing either
        return np.eye(rows, columns, k=place, dtype=dtypes.as_numpy(name))


def identity(n: int, dtype: str | None = None) -> Array:
    """The square matrix with ones on the main diagonal. See `eye`.

    Args:
        n: rows and columns.
        dtype: the result's dtype; the default floating dtype if None.
    Returns:
        (n, n).
    Raises:
        ArgumentError: n is no integer, or negative.
    Source: Keras 3 `ops.identity`.

    >>> identity(2)
    array([[1., 0.],
           [0., 1.]], dtype=float32)
    """
    (rows,) = dimensions("identity", (n,))
    return eye(rows, dtype=dtype)


# ---- arange


def arange(start: TensorLike, stop: TensorLike = None, step: TensorLike = None, dtype: str | None = None) -> TensorLike:
    """Evenly spaced numbers.

        y[i] = start + i * step   for i < ceil((stop - start) / step)

    Args:
        start: the first number; with one argument, `stop` (and the start is 0).
        stop: where to end, itself excluded; may come from `ops.shape` (then start is an integer and step is 1).
        step: the spacing, not 0; 1 if None.
        dtype: the result's dtype; int32 for integers, the default floating dtype for floats.
    Returns:
        One axis. Empty where stop is not ahead of start.
    Raises:
        ArgumentError: a step of 0, or other symbolic arguments.
    Source: Keras 3 `ops.arange`.

    >>> arange(1, 6, 2)
    array([1, 3, 5], dtype=int32)
    """
    start, stop, step = (0, start, step) if stop is None else (start, stop, step)
    step = 1 if step is None else step
    if isinstance(stop, Tensor):
        return _arange_to_dimension(start, stop, step, dtype)
    if isinstance(start, Tensor) or isinstance(step, Tensor):
        raise ArgumentError("arange: only `stop` may be symbolic, as in arange(ops.shape(x)[0]).")
    start, stop, step = (ends(name, v) for name, v in (("start", start), ("stop", stop), ("step", step)))
    if step == 0:
        raise ArgumentError("arange: step must not be 0.")
    if dtype is None:
        dtype = dtypes.promote(*(dtype_of(converted("arange", v)) for v in (start, stop, step)))
    if (stop - start) / step > MOST:
        raise ShapeError(f"arange: {start} to {stop} by {step} are more numbers than any memory holds.")
    with in_memory("arange"), np.errstate(all="ignore"):
        return np.arange(start, stop, step).astype(dtypes.as_numpy(dtypes.standardize(dtype)))


def ends(name: str, value: Any) -> Any:
    """A finite number, as an integer if it is one."""
    if isinstance(value, (int, np.integer)):
        if not -(2**63) <= value < 2**63:
            raise ArgumentError(f"arange: {name} {value} does not fit int64.")
        return value
    result = number("arange", value, name)
    if not -INF < result < INF:
        raise ArgumentError(f"arange: {name} must be finite; got {value!r}.")
    return value.item() if isinstance(value, np.ndarray) else value


def _arange_to_dimension(start: TensorLike, stop: TensorLike, step: TensorLike, dtype: str | None) -> TensorLike:
    if isinstance(start, Tensor) or integer("arange", start, "start") != start or step != 1:
        raise ArgumentError(
            f"arange: up to a symbolic stop, start must be an integer and step 1; got {start!r} and {step!r}."
        )
    length = stop - int(start) if start else stop
    return call_with_shape(arange_op, (), (length,), start=int(start), dtype=dtypes.standardize(dtype or "int32"))


def arange_loop(tasks: Tasks, start: int, y: Array) -> None:
    for (i,) in tasks:
        y[i] = start + i


def arange_rule(*dims: Spec, shape: Shape, start: int, dtype: str) -> Spec:
    if len(shape) != 1:
        raise ArgumentError(f"arange makes one axis; got {shape}.")
    return Spec(tuple(d if d is None else max(d, 0) for d in shape), dtype)


def arange_form(*, shape: Shape, start: int, dtype: str) -> Form:
    count = max(shape[0], 0)
    return Form((), (start,), (View((count,)),), (count,))


def arange_gradient(node: Node, dy: Tensor) -> list[None]:
    return [None] * len(node.inputs)


arange_op = Op("arange", arange_rule, loop=arange_loop, form=arange_form, gradient=arange_gradient, takes_shape=True)
