"""Convolution of each channel by itself, alone and followed by a mixture of the channels."""

from typing import Any

from refnet.annotations import Array, TensorLike
from refnet.errors import ShapeError
from refnet.ops.arguments import shape_of
from refnet.ops.convolution import conv, conv_op, operands
from refnet.ops.shapes import reshape
from refnet.ops.windows import (
    channels_as_given,
    channels_last,
    checked_data_format,
    checked_padding,
    for_each_axis,
    spatial_rank,
)


def depthwise_conv(
    inputs: TensorLike,
    kernel: TensorLike,
    strides: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> Array:
    """The convolution of each channel by itself, with M filters of its own: `conv` with as many groups as channels.

        y[n, i, j, c*M + m] = sum over p, q of  x[n, i*s0 + p*d0 - top, j*s1 + q*d1 - left, c] * kernel[p, q, c, m]

    Args:
        inputs: (batch, ..., channels), or (batch, channels, ...) with "channels_first"; any dtype but bool.
        kernel: (..., channels, M).
        strides, padding, data_format, dilation_rate: as in `conv`; padding is "valid" or "same".
    Returns:
        (batch, ..., channels * M), or with the channels second; the promoted dtype.
    NaN, Empty: as in `conv`.
    Raises:
        ShapeError: ranks or channels that do not fit, no kernel element, a kernel larger than the image.
        ArgumentError: strides or dilation below 1, unknown padding or data format.  DtypeError: bool.
    Source: Chollet 7.3.1; Keras 3 `ops.depthwise_conv`.

    >>> depthwise_conv(np.ones((1, 2, 2, 2)), np.array([1.0, 10.0]).reshape(1, 1, 2, 1))[0, 0]
    array([[ 1., 10.],
           [ 1., 10.]])
    """
    return by_channel("depthwise_conv", inputs, kernel, strides, padding, data_format, dilation_rate)


def by_channel(
    op: str,
    inputs: TensorLike,
    kernel: TensorLike,
    strides: Any,
    padding: str,
    data_format: str | None,
    dilation_rate: Any,
) -> TensorLike:
    x, kernel = operands(op, inputs, kernel)
    rank = spatial_rank(op, x)
    geometry = {
        "strides": for_each_axis(op, "strides", strides, rank),
        "dilation": for_each_axis(op, "dilation_rate", dilation_rate, rank),
        "padding": checked_padding(op, padding),
    }
    data_format = checked_data_format(op, data_format)
    x = channels_last(x, data_format)
    channels, shape = shape_of(x)[-1], shape_of(kernel)
    if len(shape) != rank + 2 or None in shape or 0 in shape[:-1] or shape[-2] != channels:
        raise ShapeError(
            f"{op} needs a kernel of {rank + 2} known axes (spatial, channels, filters of each channel), none but the last "
            f"empty, with the inputs' {channels} channels; got shape {shape}."
        )
    kernel = reshape(kernel, (*shape[:-2], 1, channels * shape[-1]))
    return channels_as_given(conv_op(x, kernel, groups=channels, **geometry, caller=op), data_format)


def separable_conv(
    inputs: TensorLike,
    depthwise_kernel: TensorLike,
    pointwise_kernel: TensorLike,
    strides: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> Array:
    """`depthwise_conv`, then a convolution whose kernel is one element large, which mixes the channels.

        y[n, i, j, f] = sum over c of  depthwise[n, i, j, c] * pointwise_kernel[0, 0, c, f]

    Args:
        inputs: (batch, ..., channels), or (batch, channels, ...) with "channels_first"; any dtype but bool.
        depthwise_kernel: (..., channels, M).
        pointwise_kernel: (1, ..., channels * M, filters).
        strides, padding, data_format, dilation_rate: of the depthwise convolution.
    Returns:
        (batch, ..., filters), or with the filters second; the promoted dtype.
    NaN, Empty: as in `conv`.
    Raises:
        ShapeError: ranks or channels that do not fit, a pointwise kernel with more than one element along a spatial axis.
        ArgumentError: strides or dilation below 1, unknown padding or data format.  DtypeError: bool.
    Source: Chollet 7.3.1; Keras 3 `ops.separable_conv`.

    >>> separable_conv(np.ones((1, 2, 2, 2)), np.ones((2, 2, 2, 1)), np.ones((1, 1, 2, 1)))
    array([[[[8.]]]])
    """
    y = by_channel("separable_conv", inputs, depthwise_kernel, strides, padding, data_format, dilation_rate)
    channels = shape_of(channels_last(y, checked_data_format("separable_conv", data_format)))[-1]
    shape, rank = tuple(shape_of(pointwise_kernel)), len(shape_of(y)) - 2
    if shape[:-1] != (*(1,) * rank, channels) or len(shape) != rank + 2:
        raise ShapeError(
            f"separable_conv needs a pointwise kernel of shape {(*(1,) * rank, channels, 'filters')}, as the depthwise "
            f"convolution gives {channels} channels; got {shape}."
        )
    return conv(y, pointwise_kernel, data_format=data_format)
