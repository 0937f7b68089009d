"""Convolution layers that look at each channel by itself; the separable ones mix the channels afterwards."""

from typing import Any

from refnet import constraints, initializers, ops, regularizers
from refnet.layers.checks import whole
from refnet.layers.convolution import Windowed


class DepthwiseConvolution(Windowed):
    """Base of the depthwise convolutions: each channel has filters of its own.

        y[n, i, j, c*M + m] = activation(sum over p, q of  x[n, i*s0 + p*d0 - top, j*s1 + q*d1 - left, c] * kernel[p, q, c, m]  +  bias[c*M + m])

    Args:
        kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias: as in Convolution; padding is "valid"
            or "same".
        depth_multiplier: M, the number of filters of each channel.
        depthwise_initializer, depthwise_regularizer, depthwise_constraint: of the kernel (..., channels, M).
        bias_initializer, bias_regularizer, bias_constraint, activity_regularizer: as in Convolution.
    Raises:
        ShapeError: another rank, an open number of channels, or another one than the kernel was built for; windows larger than
            the image.
    Source: Chollet 7.3.1; see `ops.depthwise_conv`.
    """

    def __init__(
        self,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        depth_multiplier: int = 1,
        data_format: str | None = None,
        dilation_rate: Any = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        bias_constraint: Any = None,
        **more: Any,
    ):
        super().__init__(
            kernel_size,
            strides,
            padding,
            dilation_rate,
            activation,
            use_bias,
            bias_initializer,
            bias_regularizer,
            bias_constraint,
            data_format=data_format,
            activity_regularizer=activity_regularizer,
            **more,
        )
        self.depth_multiplier = whole(self.name, "depth_multiplier", depth_multiplier, 1)
        self.depthwise_initializer = initializers.get(depthwise_initializer)
        self.depthwise_regularizer = regularizers.get(depthwise_regularizer)
        self.depthwise_constraint = constraints.get(depthwise_constraint)

    def make_kernels(self, channels: int) -> int:
        self.kernel = self.add_weight(
            (*self.kernel_size, channels, self.depth_multiplier),
            self.depthwise_initializer,
            regularizer=self.depthwise_regularizer,
            constraint=self.depthwise_constraint,
            name="kernel",
        )
        return channels * self.depth_multiplier

    def convolved(self, inputs: Any) -> Any:
        return ops.depthwise_conv(inputs, self.kernel, self.strides, self.padding, self.data_format, self.dilation_rate)


class DepthwiseConv1D(DepthwiseConvolution):
    """The depthwise convolution of sequences. Arguments as in `layers.depthwise.DepthwiseConvolution`.

    >>> DepthwiseConv1D(3, depth_multiplier=2).compute_output_shape((None, 10, 4))
    (None, 8, 8)
    """


class DepthwiseConv2D(DepthwiseConvolution):
    """The depthwise convolution of images. Arguments as in `layers.depthwise.DepthwiseConvolution`.

    >>> DepthwiseConv2D(3, padding="same").compute_output_shape((None, 8, 8, 4))
    (None, 8, 8, 4)
    """

    axes = 2


class SeparableConvolution(Windowed):
    """Base of the separable convolutions: a depthwise one, then a mixture of its channels at each place.

        y[n, i, j, f] = activation(sum over c of  depthwise[n, i, j, c] * pointwise_kernel[0, 0, c, f]  +  bias[f])

    Args:
        filters: the number of outputs f at each place.
        kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias: as in Convolution; padding is "valid"
            or "same".
        depth_multiplier: how many filters the depthwise part has for each channel.
        depthwise_initializer, depthwise_regularizer, depthwise_constraint: of the kernel (..., channels, depth_multiplier).
        pointwise_initializer, pointwise_regularizer, pointwise_constraint: of the kernel that mixes.
        bias_initializer, bias_regularizer, bias_constraint, activity_regularizer: as in Convolution.
    Raises:
        ShapeError: as for DepthwiseConvolution.
    Source: Chollet 7.3.1; see `ops.separable_conv`.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        depth_multiplier: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        pointwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        pointwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        pointwise_constraint: Any = None,
        bias_constraint: Any = None,
        **more: Any,
    ):
        super().__init__(
            kernel_size,
            strides,
            padding,
            dilation_rate,
            activation,
            use_bias,
            bias_initializer,
            bias_regularizer,
            bias_constraint,
            data_format=data_format,
            activity_regularizer=activity_regularizer,
            **more,
        )
        self.filters = whole(self.name, "filters", filters, 1)
        self.depth_multiplier = whole(self.name, "depth_multiplier", depth_multiplier, 1)
        self.depthwise_initializer = initializers.get(depthwise_initializer)
        self.pointwise_initializer = initializers.get(pointwise_initializer)
        self.depthwise_regularizer = regularizers.get(depthwise_regularizer)
        self.pointwise_regularizer = regularizers.get(pointwise_regularizer)
        self.depthwise_constraint = constraints.get(depthwise_constraint)
        self.pointwise_constraint = constraints.get(pointwise_constraint)

    def make_kernels(self, channels: int) -> int:
        self.depthwise_kernel = self.add_weight(
            (*self.kernel_size, channels, self.depth_multiplier),
            self.depthwise_initializer,
            regularizer=self.depthwise_regularizer,
            constraint=self.depthwise_constraint,
            name="depthwise_kernel",
        )
        self.pointwise_kernel = self.add_weight(
            (*(1,) * self.axes, channels * self.depth_multiplier, self.filters),
            self.pointwise_initializer,
            regularizer=self.pointwise_regularizer,
            constraint=self.pointwise_constraint,
            name="pointwise_kernel",
        )
        return self.filters

    def convolved(self, inputs: Any) -> Any:
        return ops.separable_conv(
            inputs,
            self.depthwise_kernel,
            self.pointwise_kernel,
            self.strides,
            self.padding,
            self.data_format,
            self.dilation_rate,
        )


class SeparableConv1D(SeparableConvolution):
    """The separable convolution of sequences. Arguments as in `layers.depthwise.SeparableConvolution`.

    >>> SeparableConv1D(6, 3).compute_output_shape((None, 10, 4))
    (None, 8, 6)
    """


class SeparableConv2D(SeparableConvolution):
    """The separable convolution of images. Arguments as in `layers.depthwise.SeparableConvolution`.

    >>> SeparableConv2D(6, 3, padding="same").compute_output_shape((None, 8, 8, 4))
    (None, 8, 8, 6)
    """

    axes = 2


SeparableConvolution1D, SeparableConvolution2D = SeparableConv1D, SeparableConv2D
