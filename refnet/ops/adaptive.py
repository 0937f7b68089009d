"""Adaptive pooling: the windows are made to fit a wanted number of results, axis by axis."""

from collections.abc import Callable
from typing import Any

from refnet.annotations import Array, Shape, Tasks, TensorLike
from refnet.definition import Form, Op, Spec, View, size_of
from refnet.errors import ShapeError
from refnet.graph import Node, Tensor
from refnet.ops.arguments import converted, floating, shape_of
from refnet.ops.indexing import take_along_axis
from refnet.ops.windows import (
    channels_as_given,
    channels_last,
    checked_data_format,
    for_each_axis,
    spatial_rank,
)


def adaptive_average_pool(inputs: TensorLike, output_size: Any, data_format: str | None = None) -> Array:
    """The mean of each of P by Q windows that together cover the image, over 1, 2 or 3 spatial axes.

        y[n, i, j, c] = mean over  floor(i*H / P) <= row < ceil((i+1)*H / P),  floor(j*W / Q) <= col < ceil((j+1)*W / Q)
                        of  x[n, row, col, c]

    Windows overlap where P does not divide H. The means are taken along the last spatial axis first.

    Args:
        inputs: (batch, ..., channels), or (batch, channels, ...) with "channels_first"; integers and bools take the default
            floating dtype.
        output_size: P and Q, at least 1; one integer, or one for each spatial axis. They may be larger than H and W.
        data_format: "channels_last" or "channels_first"; `config.image_data_format()` if None.
    Returns:
        (batch, P, Q, channels), or with the channels second; the dtype of `inputs`.
    NaN: a window that holds one gives NaN. Empty: an empty batch gives an empty result.
    Raises:
        ShapeError: rank, or an image without an element.  ArgumentError: an output size below 1, an unknown data format.
    Source: Keras 3 `ops.adaptive_average_pool`; PyTorch's AdaptiveAvgPool2d.

    >>> adaptive_average_pool(np.array([1.0, 2.0, 6.0]).reshape(1, 3, 1), 2)[0, :, 0]
    array([1.5, 4. ])
    """
    x = floating("adaptive_average_pool", inputs)
    return along_each_axis("adaptive_average_pool", x, output_size, data_format, mean_along)


def adaptive_max_pool(inputs: TensorLike, output_size: Any, data_format: str | None = None) -> Array:
    """The largest element of each of P by Q windows that together cover the image, over 1, 2 or 3 spatial axes.

        y[n, i, j, c] = max over  floor(i*H / P) <= row < ceil((i+1)*H / P),  floor(j*W / Q) <= col < ceil((j+1)*W / Q)
                        of  x[n, row, col, c]

    Windows overlap where P does not divide H.

    Args:
        inputs: (batch, ..., channels), or (batch, channels, ...) with "channels_first"; any dtype.
        output_size: P and Q, at least 1; one integer, or one for each spatial axis. They may be larger than H and W.
        data_format: "channels_last" or "channels_first"; `config.image_data_format()` if None.
    Returns:
        (batch, P, Q, channels), or with the channels second; the dtype of `inputs`.
    Ties: the gradient goes to the first largest element, in row-major order.
    NaN: a window that holds one gives NaN, and the first gets the gradient. Empty: an empty batch gives an empty result.
    Raises:
        ShapeError: rank, or an image without an element.  ArgumentError: an output size below 1, an unknown data format.
    Source: Keras 3 `ops.adaptive_max_pool`; PyTorch's AdaptiveMaxPool2d.

    >>> adaptive_max_pool(np.array([5.0, 2.0, 6.0]).reshape(1, 3, 1), 2)[0, :, 0]
    array([5., 6.])
    """
    x = converted("adaptive_max_pool", inputs)
    return along_each_axis("adaptive_max_pool", x, output_size, data_format, largest_along)


def along_each_axis(
    op: str, x: TensorLike, output_size: Any, data_format: str | None, pool: Callable[..., TensorLike]
) -> TensorLike:
    """The last spatial axis first: then the first of equals, axis by axis, is the first in row-major order."""
    rank = spatial_rank(op, x)
    sizes, data_format = for_each_axis(op, "output_size", output_size, rank), checked_data_format(op, data_format)
    y = channels_last(x, data_format)
    if 0 in shape_of(y)[1:-1]:
        raise ShapeError(f"{op} needs an element along each spatial axis; got inputs of shape {shape_of(x)}.")
    for axis in range(rank, 0, -1):
        y = pool(y, axis, sizes[axis - 1])
    return channels_as_given(y, data_format)


def largest_along(x: TensorLike, axis: int, length: int) -> TensorLike:
    return take_along_axis(x, adaptive_argmax_op(x, axis=axis, length=length), axis)


def mean_along(x: TensorLike, axis: int, length: int) -> TensorLike:
    return adaptive_mean_op(x, axis=axis, length=length)


# ---- the definitions, over the middle one of three axes


def start_of(k: int, extent: int, count: int) -> int:
    """The first place of window k, of `count` windows over an axis of that extent."""
    return k * extent // count


def end_of(k: int, extent: int, count: int) -> int:
    """The place after the last of window k."""
    return ((k + 1) * extent + count - 1) // count


def adaptive_argmax_loop(tasks: Tasks, x: Array, y: Array) -> None:
    for o, k, i in tasks:
        best = start_of(k, x.shape[1], y.shape[1])
        for r in range(best, end_of(k, x.shape[1], y.shape[1])):
            if x[o, r, i] > x[o, best, i] or (x[o, r, i] != x[o, r, i] and x[o, best, i] == x[o, best, i]):
                best = r
        y[o, k, i] = best


def adaptive_mean_loop(tasks: Tasks, x: Array, y: Array) -> None:
    for o, k, i in tasks:
        start, end = start_of(k, x.shape[1], y.shape[1]), end_of(k, x.shape[1], y.shape[1])
        total = 0
        for r in range(start, end):
            total += x[o, r, i]
        y[o, k, i] = total / (end - start)


def adaptive_mean_gradient_loop(tasks: Tasks, dy: Array, dx: Array) -> None:
    # Gathers: each element takes its share of the windows that it lies in.
    for o, r, i in tasks:
        total = 0
        for k in range(dy.shape[1]):
            start, end = start_of(k, dx.shape[1], dy.shape[1]), end_of(k, dx.shape[1], dy.shape[1])
            if start <= r < end:
                total += dy[o, k, i] / (end - start)
        dx[o, r, i] = total


def along_rule(dtype: str | None = None) -> Callable[..., Spec]:
    def rule(x: Spec, *, axis: int, length: int) -> Spec:
        return Spec((*x.shape[:axis], length, *x.shape[axis + 1 :]), dtype or x.dtype)

    return rule


def along_form(x: Spec, *, axis: int, length: int) -> Form:
    """(outer, the axis, inner); one task for each element of the result."""
    outer, inner = size_of(x.shape[:axis]), size_of(x.shape[axis + 1 :])
    y = View((outer, length, inner))
    return Form((View((outer, x.shape[axis], inner)),), (), (y,), y.shape, cost=1 + x.shape[axis] / max(length, 1))


def mean_gradient(dy: TensorLike, like: TensorLike, *, axis: int, length: int) -> TensorLike:
    """The gradient of the means; `like`, the array that they were taken of, is read for its shape only."""
    extent = shape_of(like)[axis]
    if extent is None:
        return adaptive_mean_like_gradient_op(dy, like, axis=axis, length=length)
    return adaptive_mean_gradient_op(dy, axis=axis, length=extent)


def adaptive_mean_gradient_gradient(node: Node, d: Tensor) -> list[TensorLike]:
    axis = node.attributes["axis"]
    return [adaptive_mean_op(d, axis=axis, length=_known(node.inputs[0].shape, axis))]


def _known(shape: Shape, axis: int) -> int:
    return int(shape[axis])


adaptive_argmax_op: Op = Op("adaptive_argmax", along_rule("int32"), loop=adaptive_argmax_loop, form=along_form)
adaptive_mean_op: Op = Op(
    "adaptive_mean",
    along_rule(),
    loop=adaptive_mean_loop,
    form=along_form,
    gradient=lambda node, dy: [mean_gradient(dy, node.inputs[0], **node.attributes)],
)
adaptive_mean_gradient_op: Op = Op(
    "adaptive_mean_gradient",
    along_rule(),
    loop=adaptive_mean_gradient_loop,
    form=along_form,
    gradient=adaptive_mean_gradient_gradient,
)
adaptive_mean_like_gradient_op: Op = Op(
    "adaptive_mean_gradient_like",
    lambda dy, like, *, axis, length: Spec(tuple(like.shape), dy.dtype),
    expand=mean_gradient,
    gradient=lambda node, d: [adaptive_mean_op(d, **node.attributes), None],
    shape_only=(1,),
)
