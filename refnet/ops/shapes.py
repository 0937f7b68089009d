"""Shape: the same elements, seen or stored in another arrangement."""

from collections.abc import Sequence
from typing import Any

from refnet.annotations import Array, Shape, Tasks, TensorLike
from refnet.definition import Form, Op, Spec, View, broadcast_strides, join_axes, row_major, size_of
from refnet.errors import ArgumentError, ShapeError
from refnet.graph import Tensor, call_with_shape
from refnet.ops.arguments import checked_axes, checked_axis, converted, entries, shape_of


def copy_loop(tasks: Tasks, x: Array, y: Array) -> None:
    # x is a view: its strides already say which element comes where.
    for task in tasks:
        y[task] = x[task]


def viewed(shape: Sequence[int], strides: Sequence[int], offset: int = 0) -> Form:
    """The form of an op that copies a strided view; neighbouring axes joined."""
    joined, (steps,) = join_axes(tuple(shape), [list(strides)])
    return Form((View(joined, tuple(steps), offset),), (), (View(joined),), joined)


# ---- dimensions: an int where it is known, else a node that planning replaces by the number


def shape(x: TensorLike) -> Shape:
    """The shape as a tuple: an int for each known dimension, a scalar tensor for each open one.

    Args:
        x: an array or tensor.
    Returns:
        A tuple with one entry per axis. Entries may go into any argument that takes a shape.
    Source: Keras 3 `ops.shape`.

    >>> shape([[1, 2, 3]])
    (1, 3)
    """
    x = converted("shape", x)
    if not isinstance(x, Tensor):
        return tuple(shape_of(x))
    return tuple(dimension_op(x, axis=i) if d is None else d for i, d in enumerate(x.shape))


def dimension_expanded(x: TensorLike, *, axis: int) -> Tensor:
    from refnet.graph import Constant

    return Constant(x.shape[axis], "int64")


dimension_op = Op("dimension", lambda x, *, axis: Spec((), "int64"), expand=dimension_expanded, shape_only=(0,))


def common_shape(a: TensorLike, b: TensorLike, lead: Shape) -> list[Any]:
    """`lead`, the broadcast of a's and b's leading axes, with open entries as dimension tensors."""
    result = []
    for i, d in enumerate(lead):
        back = len(lead) - i
        source = next((x for x in (a, b) if len(shape_of(x)) - 2 >= back and shape_of(x)[-2 - back] != 1), a)
        result.append(shape(source)[-2 - back] if d is None else d)
    return result


# ---- reshape


def reshape(x: TensorLike, newshape: Any) -> TensorLike:
    """The same elements in row-major order under another shape.

        y.flat[i] = x.flat[i]

    Args:
        x: an array or tensor of any dtype.
        newshape: the new shape; one entry may be -1 (what is left), entries may come from `ops.shape`.
    Returns:
        The new shape, x's dtype.
    NaN: copied. Empty: allowed if both shapes hold no element.
    Raises:
        ShapeError: another number of elements, or two entries of -1.
    Source: Keras 3 `ops.reshape`.

    >>> reshape([1, 2, 3, 4], (2, -1))
    array([[1, 2],
           [3, 4]])
    """
    x = converted("reshape", x)
    if not isinstance(newshape, (tuple, list)):
        newshape = (newshape,)
    return call_with_shape(reshape_op, (x,), newshape)


def reshape_rule(x: Spec, *dims: Spec, shape: Shape) -> Spec:
    unknown = [i for i, d in enumerate(shape) if d == -1]
    if len(unknown) > 1:
        raise ShapeError(f"reshape can work out one entry of -1, not {len(unknown)}; got {shape}.")
    known_in = None not in x.shape
    known_out = None not in shape
    if known_in and known_out:
        total, rest = size_of(x.shape), size_of(d for d in shape if d != -1)
        if unknown and rest > 0 and total % rest == 0:
            return Spec(tuple(total // rest if d == -1 else d for d in shape), x.dtype)
        if unknown or rest != total or any(d < 0 for d in shape):
            raise ShapeError(f"reshape cannot turn shape {tuple(x.shape)} ({total} elements) into {shape}.")
    return Spec(tuple(_left_over(x, dims, shape) if d == -1 else d for d in shape), x.dtype)


def _left_over(x: Spec, dims: tuple[TensorLike, ...], new: Shape) -> int | None:
    """What -1 stands for when new's open dimensions are the very ones of x (from `shape(x)`); else unknown."""
    made = [d.node for d in dims if getattr(d, "node", None) is not None]
    kept = sorted(n.attributes["axis"] for n in made if n.op is dimension_op and n.inputs[0] is x)
    if kept and kept == [axis for axis, d in enumerate(x.shape) if d is None] and len(kept) == new.count(None):
        known_old = size_of(d for d in x.shape if d is not None)
        known_new = size_of(d for d in new if d not in (None, -1))
        return known_old // known_new if known_new and known_old % known_new == 0 else None
    return None


def reshape_form(x: Spec, *, shape: Shape) -> Form:
    return viewed((size_of(x.shape),), (1,))


reshape_op = Op(
    "reshape",
    reshape_rule,
    loop=copy_loop,
    form=reshape_form,
    gradient=lambda node, dy: [reshape(dy, shape(node.inputs[0])), *[None] * (len(node.inputs) - 1)],
    takes_shape=True,
)


def ravel(x: TensorLike) -> TensorLike:
    """All elements in row-major order, along one axis.

    Args:
        x: an array or tensor of any dtype.
    Returns:
        One axis, x's dtype.
    Source: Keras 3 `ops.ravel`.

    >>> ravel([[1, 2], [3, 4]])
    array([1, 2, 3, 4])
    """
    x = converted("ravel", x)
    return reshape(x, (-1,)) if None in shape_of(x) else reshape(x, (size_of(shape_of(x)),))


def expand_dims(x: TensorLike, axis: Any) -> TensorLike:
    """x with axes of length 1 put in.

    Args:
        x: an array or tensor of any dtype.
        axis: where the new axis (or axes) stand in the result; negative counts from the last.
    Returns:
        x's elements and dtype, rank grown by the number of new axes.
    Raises:
        ArgumentError: an axis outside the result.
    Source: Keras 3 `ops.expand_dims`.

    >>> expand_dims([1, 2], 0)
    array([[1, 2]])
    """
    x = converted("expand_dims", x)
    many = axis if isinstance(axis, (tuple, list)) else (axis,)
    return expand_dims_op(x, axes=checked_axes("expand_dims", many, len(shape_of(x)) + len(many)))


def expand_dims_rule(x: Spec, *, axes: tuple[int, ...]) -> Spec:
    rest = iter(x.shape)
    return Spec(tuple(1 if i in axes else next(rest) for i in range(len(x.shape) + len(axes))), x.dtype)


expand_dims_op = Op(
    "expand_dims",
    expand_dims_rule,
    expand=lambda x, *, axes: reshape(x, expand_dims_rule(Spec(shape_of(x), ""), axes=axes).shape),
    gradient=lambda node, dy: [squeeze(dy, node.attributes["axes"])],
)


def squeeze(x: TensorLike, axis: Any = None) -> TensorLike:
    """x without axes of length 1.

    Args:
        x: an array or tensor of any dtype.
        axis: the axis (or axes) to drop; None for every axis known to have length 1.
    Returns:
        x's elements and dtype, rank shrunk.
    Raises:
        ArgumentError: an axis that x does not have.  ShapeError: an axis whose length is not 1.
    Source: Keras 3 `ops.squeeze`.

    >>> squeeze([[1, 2]])
    array([1, 2])
    """
    x = converted("squeeze", x)
    if axis is None:
        axes = tuple(i for i, d in enumerate(shape_of(x)) if d == 1)
    else:
        axes = checked_axes("squeeze", axis, len(shape_of(x)))
    return squeeze_op(x, axes=axes)


def squeeze_rule(x: Spec, *, axes: tuple[int, ...]) -> Spec:
    for axis in axes:
        if x.shape[axis] not in (1, None):
            raise ShapeError(
                f"squeeze can only drop axes of length 1; axis {axis} of shape {tuple(x.shape)} is longer."
            )
    return Spec(tuple(d for i, d in enumerate(x.shape) if i not in axes), x.dtype)


squeeze_op = Op(
    "squeeze",
    squeeze_rule,
    expand=lambda x, *, axes: reshape(x, squeeze_rule(Spec(shape_of(x), ""), axes=axes).shape),
    gradient=lambda node, dy: [expand_dims(dy, node.attributes["axes"])],
)


# ---- broadcast


def broadcast_to(x: TensorLike, shape: Any) -> TensorLike:
    """x repeated along axes of length 1 and along new leading axes, up to a shape.

        y[n, i, j] = x[i, 0]   for x of shape (rows, 1)

    Args:
        x: an array or tensor of any dtype.
        shape: the result's shape; entries may come from `ops.shape`.
    Returns:
        That shape, x's dtype.
    NaN: copied. Empty: allowed where x is empty or repeated 0 times.
    Raises:
        ShapeError: an axis of x that is neither 1 nor the wanted length.
    Source: Keras 3 `ops.broadcast_to`.

    >>> broadcast_to([1, 2], (2, 2))
    array([[1, 2],
           [1, 2]])
    """
    return call_with_shape(broadcast_to_op, (converted("broadcast_to", x),), shape)


def broadcast_to_rule(x: Spec, *dims: Spec, shape: Shape) -> Spec:
    extra = len(shape) - len(x.shape)
    fits = extra >= 0 and all(a in (1, b) or None in (a, b) for a, b in zip(x.shape, shape[extra:]))
    if not fits or any(d is not None and d < 0 for d in shape):
        raise ShapeError(
            f"broadcast_to cannot repeat shape {tuple(x.shape)} up to {shape}: its axes must be 1 or equal, from the last."
        )
    return Spec(shape, x.dtype)


broadcast_to_op = Op(
    "broadcast_to",
    broadcast_to_rule,
    loop=copy_loop,
    form=lambda x, *, shape: viewed(shape, broadcast_strides(tuple(x.shape), tuple(shape))),
    gradient=lambda node, dy: [_sum_like(dy, node.inputs[0]), *[None] * (len(node.inputs) - 1)],
    takes_shape=True,
)


def _sum_like(dy: TensorLike, x: TensorLike) -> TensorLike:
    from refnet.ops.elementwise import sum_like

    return sum_like(dy, x)


def broadcast_like(x: TensorLike, like: TensorLike) -> TensorLike:
    """x repeated up to the shape of `like`, which is read for its shape only."""
    return broadcast_like_op(x, like)


broadcast_like_op = Op(
    "broadcast_like",
    lambda x, like: Spec(like.shape, x.dtype),
    expand=lambda x, like: broadcast_to(x, shape_of(like)),
    shape_only=(1,),
    gradient=lambda node, dy: [_sum_like(dy, node.inputs[0]), None],
)


# ---- transpose


def transpose(x: TensorLike, axes: Any = None) -> TensorLike:
    """x with its axes in another order.

        y[i[axes[0]], i[axes[1]], ...] = x[i[0], i[1], ...]

    Args:
        x: an array or tensor of any dtype.
        axes: a permutation of x's axes; None reverses them.
    Returns:
        x's elements and dtype, axes reordered.
    NaN: copied. Empty: an empty result.
    Raises:
        ArgumentError: axes that are no permutation.
    Source: Keras 3 `ops.transpose`.

    >>> transpose([[1, 2], [3, 4]])
    array([[1, 3],
           [2, 4]])
    """
    x = converted("transpose", x)
    rank = len(shape_of(x))
    order = (
        tuple(range(rank))[::-1]
        if axes is None
        else tuple(checked_axis("transpose", a, rank) for a in entries("transpose", axes, "axes"))
    )
    if sorted(order) != list(range(rank)):
        raise ArgumentError(f"transpose: axes must name each of the {rank} axes once; got {tuple(axes)}.")
    return transpose_op(x, axes=order)


def transpose_form(x: Spec, *, axes: tuple[int, ...]) -> Form:
    strides = row_major(tuple(x.shape))
    return viewed([x.shape[a] for a in axes], [strides[a] for a in axes])


def transpose_rule(x: Spec, *, axes: tuple[int, ...]) -> Spec:
    if sorted(axes) != list(range(len(x.shape))):
        raise ArgumentError(
            f"transpose: the axes {axes} are not an order of those of shape {tuple(x.shape)}, each once."
        )
    return Spec(tuple(x.shape[a] for a in axes), x.dtype)


transpose_op = Op(
    "transpose",
    transpose_rule,
    loop=copy_loop,
    form=transpose_form,
    gradient=lambda node, dy: [transpose(dy, [node.attributes["axes"].index(a) for a in range(len(dy.shape))])],
)


def swapaxes(x: TensorLike, axis1: int, axis2: int) -> TensorLike:
    """x with two axes exchanged.

    Args:
        x: an array or tensor of any dtype.
        axis1, axis2: the axes; negative counts from the last.
    Returns:
        x's elements and dtype.
    Raises:
        ArgumentError: an axis that x does not have.
    Source: Keras 3 `ops.swapaxes`.

    >>> swapaxes([[1, 2], [3, 4]], 0, 1)
    array([[1, 3],
           [2, 4]])
    """
    x = converted("swapaxes", x)
    order = list(range(len(shape_of(x))))
    a, b = (checked_axis("swapaxes", axis, len(order)) for axis in (axis1, axis2))
    order[a], order[b] = b, a
    return transpose(x, order)


def moveaxis(x: TensorLike, source: Any, destination: Any) -> TensorLike:
    """x with some axes moved to other places; the rest keep their order.

    Args:
        x: an array or tensor of any dtype.
        source: the axis, or axes, to move.
        destination: where they stand in the result, in the order of `source`.
    Returns:
        x's elements and dtype.
    Raises:
        ArgumentError: an axis that x does not have or that is named twice, or not as many places as axes.
    Source: Keras 3 `ops.moveaxis`.

    >>> moveaxis([[[1, 2, 3]]], -1, 0).shape
    (3, 1, 1)
    """
    x = converted("moveaxis", x)
    rank = len(shape_of(x))
    given = [axis if isinstance(axis, (tuple, list)) else (axis,) for axis in (source, destination)]
    sources, places = ([checked_axis("moveaxis", a, rank) for a in axes] for axes in given)
    if len(sources) != len(places) or len(set(sources)) != len(sources) or len(set(places)) != len(places):
        raise ArgumentError(f"moveaxis needs as many places as axes, none twice; got {source} and {destination}.")
    order = [axis for axis in range(rank) if axis not in sources]
    for place, axis in sorted(zip(places, sources)):
        order.insert(place, axis)
    return transpose(x, order)
