"""Pooling: the largest, or the mean, of each window.

The definitions are those of images. One spatial axis is an image of height 1; three are pooled by rows and columns first, then
along the first axis, which finds the same winners, ties included.
"""

from collections.abc import Callable
from typing import Any

from refnet.annotations import Array, Shape, Tasks, TensorLike
from refnet.definition import Form, Op, Spec, size_of, whole
from refnet.errors import ArgumentError
from refnet.graph import Node, Tensor
from refnet.ops.arguments import converted, floating, shape_of
from refnet.ops.shapes import reshape
from refnet.ops.windows import (
    channels_as_given,
    channels_last,
    checked_data_format,
    checked_padding,
    extents_of_windows,
    for_each_axis,
    places_before,
    spatial_rank,
)

Integers = tuple[int, ...]


def max_pool(
    inputs: TensorLike, pool_size: Any, strides: Any = None, padding: str = "valid", data_format: str | None = None
) -> Array:
    """The largest element of each window, over 1, 2 or 3 spatial axes.

        y[n, i, j, c] = max over p < P, q < Q of  x[n, i*s0 + p - top, j*s1 + q - left, c]

    Elements outside the image do not take part.

    Args:
        inputs: (batch, ..., channels), or (batch, channels, ...) with "channels_first"; any dtype.
        pool_size: P and Q, at least 1; one integer, or one for each spatial axis.
        strides: s0 and s1: places from one window to the next; the pool size if None.
        padding: "valid" (windows inside the image) or "same" (ceil(size / stride) windows; an odd place goes to the end).
        data_format: "channels_last" or "channels_first"; `config.image_data_format()` if None.
    Returns:
        (batch, ..., channels), or with the channels second; the dtype of `inputs`.
    Ties: the gradient goes to the first largest element, in row-major order.
    NaN: a window that holds one gives NaN, and the first gets the gradient. Empty: an empty batch gives an empty result.
    Raises:
        ShapeError: rank, or a window larger than the image.
        ArgumentError: pool size or strides below 1, unknown padding or data format.
    Source: Chollet 5.1.2; Keras 3 `ops.max_pool`.

    >>> max_pool(np.arange(16.0).reshape(1, 4, 4, 1), 2)[0, :, :, 0]
    array([[ 5.,  7.],
           [13., 15.]])
    """
    return pooled("max_pool", max_pool_op, converted("max_pool", inputs), pool_size, strides, padding, data_format)


def average_pool(
    inputs: TensorLike, pool_size: Any, strides: Any = None, padding: str = "valid", data_format: str | None = None
) -> Array:
    """The mean of each window, over 1, 2 or 3 spatial axes.

        y[n, i, j, c] = (sum over p < P, q < Q of  x[n, i*s0 + p - top, j*s1 + q - left, c]) / number of terms

    Elements outside the image are no terms: they do not count.

    Args:
        inputs: (batch, ..., channels), or (batch, channels, ...) with "channels_first"; integers and bools take the default
            floating dtype.
        pool_size: P and Q, at least 1; one integer, or one for each spatial axis.
        strides: s0 and s1: places from one window to the next; the pool size if None.
        padding: "valid" (windows inside the image) or "same" (ceil(size / stride) windows; an odd place goes to the end).
        data_format: "channels_last" or "channels_first"; `config.image_data_format()` if None.
    Returns:
        (batch, ..., channels), or with the channels second; the dtype of `inputs`.
    NaN: a window that holds one gives NaN. Empty: an empty batch gives an empty result.
    Raises:
        ShapeError: rank, or a window larger than the image.
        ArgumentError: pool size or strides below 1, unknown padding or data format.
    Source: Keras 3 `ops.average_pool`.

    >>> average_pool(np.arange(9.0).reshape(1, 3, 3, 1), 2, padding="same")[0, :, :, 0]
    array([[2. , 3.5],
           [6.5, 8. ]])
    """
    x = floating("average_pool", inputs)
    return pooled("average_pool", average_pool_op, x, pool_size, strides, padding, data_format)


def pooled(
    name: str, op: Op, x: TensorLike, pool_size: Any, strides: Any, padding: str, data_format: str | None
) -> TensorLike:
    rank = spatial_rank(name, x)
    pool = for_each_axis(name, "pool_size", pool_size, rank)
    steps = pool if strides is None else for_each_axis(name, "strides", strides, rank)
    padding, data_format = checked_padding(name, padding), checked_data_format(name, data_format)
    y = op(channels_last(x, data_format), pool=pool, strides=steps, padding=padding)
    return channels_as_given(y, data_format)


# ---- at open shapes: ops that choose padding and extents when the program is planned


def extents_rule(name: str) -> Callable[..., Spec]:
    """One place for each window; the image is the last input (for x alone, or for what is picked as x's winners are)."""

    def rule(*inputs: Spec, pool: Integers, strides: Integers, padding: str) -> Spec:
        x = inputs[-1]
        extents = extents_of_windows(name, x.shape[1:-1], pool, strides, (1,) * len(pool), padding)
        return Spec((x.shape[0], *extents, x.shape[-1]), inputs[0].dtype)

    return rule


def image_rule(dy: Spec, x: Spec, **_: Any) -> Spec:
    return Spec(tuple(x.shape), dy.dtype)


class Plane:
    """One pooling of images: the shapes and attributes that bring some of a call's spatial axes to the primitives' two.

    image, result: the shape of the array, and of one place for each window, as the primitives take them.
    geometry: their attributes but for the extents.
    """

    def __init__(self, image: Shape, pool: Integers, strides: Integers, padding: str):
        extents = [n if n == 0 else _count(n, size, step, padding) for n, size, step in zip(image[1:], pool, strides)]
        self.image, self.result = image, (image[0], *extents, image[-1])
        before = tuple(places_before(n, size, step, padding) for n, size, step in zip(image[1:], pool, strides))
        self.geometry = {"pool": pool, "strides": strides, "padding": before}

    def down(self, op: Op, *arrays: TensorLike) -> TensorLike:
        """An op from images to windows."""
        return op(*[reshape(v, self.image) for v in arrays], extents=self.result[1:-1], **self.geometry)

    def up(self, op: Op, dy: TensorLike, *image: TensorLike) -> TensorLike:
        """An op from windows to images."""
        arrays = [reshape(dy, self.result), *[reshape(v, self.image) for v in image]]
        return op(*arrays, extents=self.image[1:-1], **self.geometry)


def _count(extent: int, size: int, step: int, padding: str) -> int:
    return int(extents_of_windows("pool", (extent,), (size,), (step,), (1,), padding)[0])


def planes(x: Shape, pool: Integers, strides: Integers, padding: str) -> list[Plane]:
    """The poolings of images, one after the other, that pool an array of shape x."""
    n, *extents, channels = x
    if len(pool) == 1:
        return [Plane((n, 1, extents[0], channels), (1, *pool), (1, *strides), padding)]
    if len(pool) == 2:
        return [Plane(tuple(x), pool, strides, padding)]
    rows = Plane((n * extents[0], *extents[1:], channels), pool[1:], strides[1:], padding)
    lane = size_of(rows.result[1:-1])
    return [rows, Plane((n, extents[0], lane, channels), (pool[0], 1), (strides[0], 1), padding)]


def max_pool_expanded(x: TensorLike, **a: Any) -> TensorLike:
    y, result = x, extents_rule("max_pool")(Spec(shape_of(x), ""), **a).shape
    for plane in planes(shape_of(x), **a):
        y = plane.down(max_pool2d_op, y)
    return reshape(y, result)


def max_pool_gradient_expanded(dy: TensorLike, x: TensorLike, **a: Any) -> TensorLike:
    steps, images = planes(shape_of(x), **a), [x]
    for plane in steps[:-1]:
        images.append(plane.down(max_pool2d_op, images[-1]))
    for plane, image in zip(steps[::-1], images[::-1]):
        dy = plane.up(max_pool2d_inputs_gradient_op, dy, image)
    return reshape(dy, shape_of(x))


def max_pool_picked_expanded(d: TensorLike, x: TensorLike, **a: Any) -> TensorLike:
    y, image, result = d, x, extents_rule("max_pool")(Spec(shape_of(x), ""), **a).shape
    for plane in planes(shape_of(x), **a):
        y, image = plane.down(max_pool2d_picked_op, y, image), plane.down(max_pool2d_op, image)
    return reshape(y, result)


def average_pool_expanded(x: TensorLike, **a: Any) -> TensorLike:
    y, result = x, extents_rule("average_pool")(Spec(shape_of(x), ""), **a).shape
    for plane in planes(shape_of(x), **a):
        y = plane.down(average_pool2d_op, y)
    return reshape(y, result)


def average_pool_gradient_expanded(dy: TensorLike, x: TensorLike, **a: Any) -> TensorLike:
    for plane in planes(shape_of(x), **a)[::-1]:
        dy = plane.up(average_pool2d_inputs_gradient_op, dy)
    return reshape(dy, shape_of(x))


max_pool_op: Op = Op(
    "max_pool",
    extents_rule("max_pool"),
    expand=max_pool_expanded,
    gradient=lambda node, dy: [max_pool_gradient_op(dy, node.inputs[0], **node.attributes)],
)
max_pool_gradient_op: Op = Op(
    "max_pool_inputs_gradient",
    image_rule,
    expand=max_pool_gradient_expanded,
    gradient=lambda node, d: [max_pool_picked_op(d, node.inputs[1], **node.attributes), None],
)
max_pool_picked_op: Op = Op(
    "max_pool_picked",
    extents_rule("max_pool"),
    expand=max_pool_picked_expanded,
    gradient=lambda node, dy: [max_pool_gradient_op(dy, node.inputs[1], **node.attributes), None],
)
average_pool_op: Op = Op(
    "average_pool",
    extents_rule("average_pool"),
    expand=average_pool_expanded,
    gradient=lambda node, dy: [average_pool_gradient_op(dy, node.inputs[0], **node.attributes)],
)
average_pool_gradient_op: Op = Op(
    "average_pool_inputs_gradient",
    image_rule,
    expand=average_pool_gradient_expanded,
    gradient=lambda node, d: [average_pool_op(d, **node.attributes), None],
    shape_only=(1,),
)


# ---- the definitions. `padding` is the number of places before the first row and column of the image.


def winner(x: Array, n: int, i: int, j: int, c: int, pool: Integers, strides: Integers, padding: Integers) -> int:
    """Where the first largest element of window (i, j) stands, as row * width + column. The first NaN wins."""
    best = -1
    for p in range(pool[0]):
        for q in range(pool[1]):
            row = i * strides[0] + p - padding[0]
            col = j * strides[1] + q - padding[1]
            if 0 <= row < x.shape[1] and 0 <= col < x.shape[2]:
                if best < 0:
                    best = row * x.shape[2] + col
                else:
                    value, largest = x[n, row, col, c], x[n, best // x.shape[2], best % x.shape[2], c]
                    if value > largest or (value != value and largest == largest):
                        best = row * x.shape[2] + col
    return best


def max_pool2d_loop(tasks: Tasks, x: Array, pool: Integers, strides: Integers, padding: Integers, y: Array) -> None:
    for n, i, j, c in tasks:
        best = winner(x, n, i, j, c, pool, strides, padding)
        y[n, i, j, c] = x[n, best // x.shape[2], best % x.shape[2], c]


def max_pool2d_picked_loop(
    tasks: Tasks, d: Array, x: Array, pool: Integers, strides: Integers, padding: Integers, y: Array
) -> None:
    for n, i, j, c in tasks:
        best = winner(x, n, i, j, c, pool, strides, padding)
        y[n, i, j, c] = d[n, best // x.shape[2], best % x.shape[2], c]


def max_pool2d_inputs_gradient_loop(
    tasks: Tasks, dy: Array, x: Array, pool: Integers, strides: Integers, padding: Integers, dx: Array
) -> None:
    # Gathers: each element asks the windows that it lies in whether it won there.
    for n, row, col, c in tasks:
        total = 0
        for p in range(pool[0]):
            for q in range(pool[1]):
                i = (row + padding[0] - p) // strides[0]
                j = (col + padding[1] - q) // strides[1]
                met = i * strides[0] + p == row + padding[0] and j * strides[1] + q == col + padding[1]
                met = met and 0 <= i < dy.shape[1] and 0 <= j < dy.shape[2]
                if met and winner(x, n, i, j, c, pool, strides, padding) == row * x.shape[2] + col:
                    total += dy[n, i, j, c]
        dx[n, row, col, c] = total


def average_pool2d_loop(tasks: Tasks, x: Array, pool: Integers, strides: Integers, padding: Integers, y: Array) -> None:
    for n, i, j, c in tasks:
        total = 0
        count = 0
        for p in range(pool[0]):
            for q in range(pool[1]):
                row = i * strides[0] + p - padding[0]
                col = j * strides[1] + q - padding[1]
                if 0 <= row < x.shape[1] and 0 <= col < x.shape[2]:
                    total += x[n, row, col, c]
                    count += 1
        y[n, i, j, c] = total / count


def average_pool2d_inputs_gradient_loop(
    tasks: Tasks, dy: Array, pool: Integers, strides: Integers, padding: Integers, dx: Array
) -> None:
    # Gathers: each element takes its share of the windows that it lies in.
    for n, row, col, c in tasks:
        total = 0
        for p in range(pool[0]):
            for q in range(pool[1]):
                i = (row + padding[0] - p) // strides[0]
                j = (col + padding[1] - q) // strides[1]
                met = i * strides[0] + p == row + padding[0] and j * strides[1] + q == col + padding[1]
                if met and 0 <= i < dy.shape[1] and 0 <= j < dy.shape[2]:
                    rows = terms(i * strides[0] - padding[0], pool[0], dx.shape[1])
                    columns = terms(j * strides[1] - padding[1], pool[1], dx.shape[2])
                    total += dy[n, i, j, c] / (rows * columns)
        dx[n, row, col, c] = total


def terms(start: int, size: int, extent: int) -> int:
    """How many of the places start, start + 1 ... of a window lie inside 0..extent-1."""
    count = 0
    for place in range(start, start + size):
        if 0 <= place < extent:
            count += 1
    return count


def pool2d_rule(x: Spec, *_: Spec, **attributes: Integers) -> Spec:
    for name, pair in attributes.items():
        if len(pair) != 2:
            raise ArgumentError(f"pooling in two directions takes two {name}; got {pair}.")
    extents = attributes["extents"]
    return Spec((x.shape[0], *extents, x.shape[-1]), x.dtype)


def pool2d_form(*inputs: Spec, extents: Integers, pool: Integers, strides: Integers, padding: Integers) -> Form:
    y = pool2d_rule(*inputs, extents=extents)
    views = tuple(whole(x) for x in inputs)
    return Form(views, (pool, strides, padding), (whole(y),), tuple(y.shape), cost=2 * pool[0] * pool[1])


def largest2d_rule(*inputs: Spec, extents: Integers, pool: Integers, strides: Integers, padding: Integers) -> Spec:
    """As pool2d_rule, for windows that each must hold an element of the image: the largest of none stands nowhere."""
    y = pool2d_rule(*inputs, extents=extents, pool=pool, strides=strides, padding=padding)
    image = inputs[-1].shape[1:-1]
    for extent, count, size, step, before in zip(image, extents, pool, strides, padding, strict=True):
        starts = (-before, (count - 1) * step - before) if count else ()
        if extent is not None and not all(start < extent and start + size > max(start, 0) for start in starts):
            raise ArgumentError(
                f"max_pool2d: {count} windows of {size}, {step} apart and the first at {-before}, do not each hold one of "
                f"{extent} places; refnet.ops.max_pool chooses windows that do."
            )
    return y


IMAGE = "images height width channels"
WINDOWS = "images down across channels"


def pool2d(
    name: str,
    axes: str,
    loop: Callable[..., None],
    gradient: Callable[..., list[TensorLike]],
    rule: Callable[..., Spec] = pool2d_rule,
) -> Op:
    """A primitive whose result has the first input's batch, channels and dtype, and the spatial axes `extents`."""
    return Op(name, rule, loop=loop, form=pool2d_form, gradient=gradient, axes=axes)


def shared(node: Node, extents: Shape) -> dict[str, Any]:
    return {**node.attributes, "extents": tuple(extents[1:-1])}


def max_pool2d_gradient(node: Node, dy: Tensor) -> list[TensorLike]:
    (x,) = node.inputs
    return [max_pool2d_inputs_gradient_op(dy, x, **shared(node, x.shape))]


def max_pool2d_picked_gradient(node: Node, dy: Tensor) -> list[TensorLike]:
    _, x = node.inputs
    return [max_pool2d_inputs_gradient_op(dy, x, **shared(node, x.shape)), None]


max_pool2d_op: Op = pool2d("max_pool2d", IMAGE, max_pool2d_loop, max_pool2d_gradient, largest2d_rule)
# What stands in d where the windows of x have their largest element: the gradient of max_pool2d_inputs_gradient.
max_pool2d_picked_op: Op = pool2d(
    "max_pool2d_picked", f"{IMAGE}, {IMAGE}", max_pool2d_picked_loop, max_pool2d_picked_gradient, largest2d_rule
)
max_pool2d_inputs_gradient_op: Op = pool2d(
    "max_pool2d_inputs_gradient",
    f"{WINDOWS}, {IMAGE}",
    max_pool2d_inputs_gradient_loop,
    lambda node, d: [max_pool2d_picked_op(d, node.inputs[1], **shared(node, node.inputs[0].shape)), None],
)
average_pool2d_op: Op = pool2d(
    "average_pool2d",
    IMAGE,
    average_pool2d_loop,
    lambda node, dy: [average_pool2d_inputs_gradient_op(dy, **shared(node, node.inputs[0].shape))],
)
average_pool2d_inputs_gradient_op: Op = pool2d(
    "average_pool2d_inputs_gradient",
    WINDOWS,
    average_pool2d_inputs_gradient_loop,
    lambda node, d: [average_pool2d_op(d, **shared(node, node.inputs[0].shape))],
)
