"""Functions of Keras 2's `backend` for images: convolutions, poolings, padding, sizes, biases, batch normalization."""

from typing import Any

from refnet import ops
from refnet.errors import ArgumentError, ShapeError
from refnet.ops.arguments import converted, shape_of
from refnet.ops.normalization import normalized_by
from refnet.ops.resizing import channels_last, enlarge


def conv1d(
    x: Any, kernel: Any, strides: Any = 1, padding: str = "valid", data_format: Any = None, dilation_rate: Any = 1
) -> Any:
    """`ops.conv` along one axis; "causal" padding is before the first step alone."""
    if padding == "causal":
        before = dilation_rate * (shape_of(kernel)[0] - 1)
        steps = 1 if channels_last("conv1d", data_format) else 2
        x = ops.pad(x, [(before, 0) if axis == steps else (0, 0) for axis in range(3)])
        padding = "valid"
    return ops.conv(x, kernel, strides, padding, data_format, dilation_rate)


def conv2d(
    x: Any, kernel: Any, strides: Any = (1, 1), padding: str = "valid", data_format: Any = None, dilation_rate: Any = 1
) -> Any:
    """`ops.conv` of images.

    >>> import numpy as np
    >>> conv2d(np.ones((1, 4, 4, 1)), np.ones((3, 3, 1, 2))).shape
    (1, 2, 2, 2)
    """
    return ops.conv(x, kernel, strides, padding, data_format, dilation_rate)


def conv3d(
    x: Any, kernel: Any, strides: Any = 1, padding: str = "valid", data_format: Any = None, dilation_rate: Any = 1
) -> Any:
    """`ops.conv` of volumes."""
    return ops.conv(x, kernel, strides, padding, data_format, dilation_rate)


def conv2d_transpose(
    x: Any,
    kernel: Any,
    output_shape: Any,
    strides: Any = (1, 1),
    padding: str = "valid",
    data_format: Any = None,
    dilation_rate: Any = 1,
) -> Any:
    """`ops.conv_transpose` of images. Of the sizes that convolve to x's, `output_shape` can only name the one it gives.

    Raises:
        ShapeError: another output shape.
    """
    y = ops.conv_transpose(x, kernel, strides, padding, None, data_format, dilation_rate)
    asked = [d if isinstance(d, int) else None for d in output_shape]
    if any(None not in (a, b) and a != b for a, b in zip(asked, shape_of(y))):
        raise ShapeError(f"conv2d_transpose gives shape {shape_of(y)} here; got output_shape {tuple(output_shape)}.")
    return y


def depthwise_conv2d(
    x: Any,
    depthwise_kernel: Any,
    strides: Any = (1, 1),
    padding: str = "valid",
    data_format: Any = None,
    dilation_rate: Any = 1,
) -> Any:
    """`ops.depthwise_conv` of images."""
    return ops.depthwise_conv(x, depthwise_kernel, strides, padding, data_format, dilation_rate)


def separable_conv2d(
    x: Any,
    depthwise_kernel: Any,
    pointwise_kernel: Any,
    strides: Any = (1, 1),
    padding: str = "valid",
    data_format: Any = None,
    dilation_rate: Any = 1,
) -> Any:
    """`ops.separable_conv` of images."""
    return ops.separable_conv(x, depthwise_kernel, pointwise_kernel, strides, padding, data_format, dilation_rate)


def pool2d(
    x: Any,
    pool_size: Any,
    strides: Any = (1, 1),
    padding: str = "valid",
    data_format: Any = None,
    pool_mode: str = "max",
) -> Any:
    """`ops.max_pool` of images, or `ops.average_pool` where pool_mode is "avg".

    >>> import numpy as np
    >>> pool2d(np.arange(4.0).reshape(1, 2, 2, 1), (2, 2), pool_mode="avg")[0, 0]
    array([[1.5]])
    """
    if pool_mode not in ("max", "avg"):
        raise ArgumentError(f"pool_mode is 'max' or 'avg'; got {pool_mode!r}.")
    pool = ops.max_pool if pool_mode == "max" else ops.average_pool
    return pool(x, pool_size, strides, padding, data_format)


def pool3d(
    x: Any, pool_size: Any, strides: Any = 1, padding: str = "valid", data_format: Any = None, pool_mode: str = "max"
) -> Any:
    """`pool2d` of volumes."""
    return pool2d(x, pool_size, strides, padding, data_format, pool_mode)


def resize_images(
    x: Any, height_factor: int, width_factor: int, data_format: Any = None, interpolation: str = "nearest"
) -> Any:
    """Images a whole number of times higher and wider, as by `layers.UpSampling2D`.

    >>> resize_images([[[[1.0], [2.0]]]], 1, 2, "channels_last")[0, 0, :, 0]
    array([1., 1., 2., 2.], dtype=float32)
    """
    return enlarge(x, (height_factor, width_factor), interpolation, data_format)


def resize_volumes(x: Any, depth_factor: int, height_factor: int, width_factor: int, data_format: Any = None) -> Any:
    """Each element of space so many times along its axes."""
    first = 1 if channels_last("resize_volumes", data_format) else 2
    for axis, factor in enumerate((depth_factor, height_factor, width_factor), first):
        x = ops.repeat(x, factor, axis=axis)
    return x


def spatial_2d_padding(x: Any, padding: Any = ((1, 1), (1, 1)), data_format: Any = None) -> Any:
    """Images with zeros around: ((above, below), (left, right)).

    >>> import numpy as np
    >>> spatial_2d_padding(np.ones((1, 2, 2, 1)), ((0, 1), (2, 0))).shape
    (1, 3, 4, 1)
    """
    ends = [tuple(pair) for pair in padding]
    outer = [(0, 0), *ends, (0, 0)] if channels_last("spatial_padding", data_format) else [(0, 0), (0, 0), *ends]
    return ops.pad(x, outer)


def spatial_3d_padding(x: Any, padding: Any = ((1, 1), (1, 1), (1, 1)), data_format: Any = None) -> Any:
    """Volumes with zeros around."""
    return spatial_2d_padding(x, padding, data_format)


def bias_add(x: Any, bias: Any, data_format: Any = None) -> Any:
    """x plus a bias: one number for each channel, or one for each element of a sample, in the order of channels last.

    With channels first such a bias is read in its own order into (channels, ...), not transposed, as in Keras 2.

    Raises:
        ShapeError: another number of axes.

    >>> bias_add([[1.0, 2.0]], [10.0, 20.0])
    array([[11., 22.]], dtype=float32)
    """
    x, bias = converted("bias_add", x, "x"), converted("bias_add", bias, "bias")
    rank, own = len(shape_of(x)), len(shape_of(bias))
    if own not in (1, rank - 1):
        raise ShapeError(f"bias_add: the bias has 1 axis or {rank - 1}; got shape {shape_of(bias)}.")
    if not channels_last("bias_add", data_format) and rank > 2:
        *places, channels = ops.shape(bias)
        bias = ops.reshape(bias, (channels, *(places or (1,) * (rank - 2))))
    return ops.add(x, bias)


def batch_normalization(
    x: Any, mean: Any, var: Any, beta: Any, gamma: Any, axis: int = -1, epsilon: float = 1e-3
) -> Any:
    """`ops.batch_normalization`; where the mean has as many axes as x, it is spread over x as it is.

    >>> batch_normalization([[1.0, 2.0]], [0.0, 2.0], [4.0, 1.0], None, [6.0, 1.0], epsilon=0.0)
    array([[3., 0.]], dtype=float32)
    """
    mean = converted("batch_normalization", mean, "mean")
    if len(shape_of(mean)) == 1:
        return ops.batch_normalization(x, mean, var, axis, beta, gamma, epsilon)
    return normalized_by(x, mean, var, beta, gamma, epsilon)


def normalize_batch_in_training(
    x: Any, gamma: Any, beta: Any, reduction_axes: Any, epsilon: float = 1e-3
) -> tuple[Any, Any, Any]:
    """`ops.batch_normalization_training`: x normalized by its own mean and variance over all axes but one, and those two.

    Raises:
        ArgumentError: axes that leave more than one.
    """
    rank = len(shape_of(converted("normalize_batch_in_training", x, "x")))
    left = sorted(set(range(rank)) - {axis % rank for axis in reduction_axes})
    if len(left) != 1:
        raise ArgumentError(
            f"normalize_batch_in_training takes mean and variance over all axes but one; got {list(reduction_axes)} of {rank}."
            " For others write batch_normalization(x, mean(x, axes, True), var(x, axes, True), beta, gamma)."
        )
    y, mean, variance = ops.batch_normalization_training(x, left[0], beta, gamma, epsilon)
    return y, mean, variance
