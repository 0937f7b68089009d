"""Transposed convolution layers: from what a convolution gives to what it was given, in shape."""

from typing import Any

from refnet import constraints, initializers, ops, regularizers
from refnet.annotations import Shape
from refnet.errors import ArgumentError
from refnet.layers.checks import whole
from refnet.layers.convolution import Windowed


class TransposedConvolution(Windowed):
    """Base of the transposed convolutions: each element lays the kernel, times its value, on the output.

    Args:
        filters: the number of outputs at each place.
        kernel_size: how many places an element reaches along each axis of space; one integer, or one for each.
        strides: how many times longer the outputs are: places from one element's kernel to the next one's.
        padding: "valid" (all that the kernels reach) or "same" (size * stride places).
        output_padding: places added at the end of each axis, fewer than the stride; None for the extents above.
        data_format: "channels_last" or "channels_first"; `config.image_data_format()` if None.
        dilation_rate: places from one element of a kernel to the next.
        activation: a name or a function; None for none.
        use_bias: whether there is a bias.
        kernel_initializer, bias_initializer: how the weights start; the kernel has shape (..., filters, channels).
        kernel_regularizer, bias_regularizer, activity_regularizer: what they add to the loss.
        kernel_constraint, bias_constraint: what the weights are brought back to after each update.
    Raises:
        ShapeError: another rank, an open number of channels, or another one than the kernel was built for.
    Source: Dumoulin and Visin 2016, section 4; see `ops.conv_transpose`.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        output_padding: Any = None,
        data_format: str | None = None,
        dilation_rate: Any = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
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
        self.output_padding = self._output_padding(output_padding)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)

    def _output_padding(self, value: Any) -> tuple[int, ...] | None:
        if value is None:
            return None
        entries = tuple(value) if isinstance(value, (tuple, list)) else (value,) * self.axes
        if len(entries) != self.axes:
            raise ArgumentError(
                f"{self.name}: output_padding is an integer or has an entry for each of {self.axes} axes; got {value!r}."
            )
        result = tuple(whole(self.name, "output_padding", entry, 0) for entry in entries)
        if any(more >= step for more, step in zip(result, self.strides)):
            raise ArgumentError(
                f"{self.name}: output_padding must be below the strides {self.strides} on each axis; got {value!r}."
            )
        return result

    def make_kernels(self, channels: int) -> int:
        self.kernel = self.add_weight(
            (*self.kernel_size, self.filters, channels),
            self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
            name="kernel",
        )
        return self.filters

    def check_extents(self, extents: Shape) -> None:
        """Any extents do."""

    def convolved(self, inputs: Any) -> Any:
        return ops.conv_transpose(
            inputs,
            self.kernel,
            self.strides,
            self.padding,
            self.output_padding,
            self.data_format,
            self.dilation_rate,
        )


class Conv1DTranspose(TransposedConvolution):
    """The transposed convolution of sequences. Arguments as in `layers.transposed.TransposedConvolution`.

    >>> Conv1DTranspose(4, 3, strides=2).compute_output_shape((None, 5, 2))
    (None, 11, 4)
    """


class Conv2DTranspose(TransposedConvolution):
    """The transposed convolution of images. Arguments as in `layers.transposed.TransposedConvolution`.

    >>> Conv2DTranspose(32, 3, strides=2, padding="same").compute_output_shape((None, 14, 14, 64))
    (None, 28, 28, 32)
    """

    axes = 2


class Conv3DTranspose(TransposedConvolution):
    """The transposed convolution of volumes. Arguments as in `layers.transposed.TransposedConvolution`, but data_format before output_padding.

    >>> Conv3DTranspose(4, 2, strides=2).compute_output_shape((None, 3, 4, 5, 1))
    (None, 6, 8, 10, 4)
    """

    axes = 3

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        output_padding: Any = None,
        dilation_rate: Any = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **more: Any,
    ):
        super().__init__(
            filters,
            kernel_size,
            strides,
            padding,
            output_padding,
            data_format,
            dilation_rate,
            activation,
            use_bias,
            kernel_initializer,
            bias_initializer,
            kernel_regularizer,
            bias_regularizer,
            activity_regularizer,
            kernel_constraint,
            bias_constraint,
            **more,
        )


Convolution1DTranspose, Convolution2DTranspose = Conv1DTranspose, Conv2DTranspose
Convolution3DTranspose = Conv3DTranspose
