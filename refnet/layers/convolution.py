"""Convolution layers: kernels laid on every window of the axes of space."""

from typing import Any

from refnet import activations, constraints, initializers, ops, regularizers
from refnet.annotations import Shape
from refnet.errors import ArgumentError, ShapeError
from refnet.layers.checks import sizes, whole
from refnet.layers.lora import Adaptable, Adapted
from refnet.layers.spatial import Spatial
from refnet.ops.windows import checked_padding, extents_of_windows


class Windowed(Spatial):
    """Base of layers that lay kernels on windows, add a bias and go through an activation.

    A subclass makes its kernels in `make_kernels` and applies them in `convolved`.
    """

    paddings: tuple[str, ...] = ("valid", "same")
    channels: int  # of the inputs, once it is built

    def __init__(
        self,
        kernel_size: Any,
        strides: Any,
        padding: str,
        dilation_rate: Any,
        activation: Any,
        use_bias: bool,
        bias_initializer: Any,
        bias_regularizer: Any,
        bias_constraint: Any,
        **more: Any,
    ):
        super().__init__(**more)
        self.kernel_size = sizes(self.name, "kernel_size", kernel_size, self.axes)
        self.strides = sizes(self.name, "strides", strides, self.axes)
        self.dilation_rate = sizes(self.name, "dilation_rate", dilation_rate, self.axes)
        self.padding = checked_padding(self.name, padding, self.paddings)
        self.activation, self.use_bias = activations.get(activation), use_bias
        self.bias_initializer = initializers.get(bias_initializer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.bias_constraint = constraints.get(bias_constraint)
        self.bias: Any = None
        self.built = False

    def make_kernels(self, channels: int) -> int:
        """Makes the kernels for inputs of so many channels; gives the number of channels of the outputs."""
        raise NotImplementedError(f"{type(self).__name__} has no `make_kernels`")

    def convolved(self, inputs: Any) -> Any:
        """The inputs with the kernels laid on them."""
        raise NotImplementedError(f"{type(self).__name__} has no `convolved`")

    def build(self, input_shape: Any) -> None:
        channels = self.checked(tuple(input_shape))
        filters = self.make_kernels(channels)
        self.channels = channels
        if self.use_bias:
            self.bias = self.add_weight(
                (filters,),
                self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
                name="bias",
            )

    def checked(self, shape: Shape) -> int:
        """The number of channels of inputs of this shape.

        Raises:
            ShapeError: rank, channels or extents that do not fit.
        """
        space, channels = self.space(shape), shape[self.channel_axis]
        if channels is None:
            raise ShapeError(
                f"{self.name} needs to know its number of channels (axis {self.channel_axis}); got shape {shape}."
            )
        if self.built and channels != self.channels:
            raise ShapeError(
                f"{self.name} expects inputs with {self.channels} channels (axis {self.channel_axis}), got shape {shape}. "
                f"Its kernel was built for {self.channels} in an earlier call; make a new layer for other inputs."
            )
        self.check_extents(tuple(shape[axis] for axis in space))
        return int(channels)

    def check_extents(self, extents: Shape) -> None:
        """Raises ShapeError where no window fits into the axes of space."""
        extents_of_windows(self.name, extents, self.kernel_size, self.strides, self.dilation_rate, self.padding)

    def call(self, inputs: Any) -> Any:
        self.checked(inputs.shape)
        y = self.convolved(inputs)
        if self.bias is not None:
            last = self.data_format == "channels_last"
            y = ops.add(y, self.bias if last else ops.expand_dims(self.bias, tuple(range(1, 1 + self.axes))))
        return y if self.activation is activations.linear else self.activation(y)


class Convolution(Windowed, Adaptable):
    """Base of the convolutions.

        y[n, i, j, f] = activation(sum over p, q, c of  x[n, i*s0 + p*d0 - top, j*s1 + q*d1 - left, c] * kernel[p, q, c, f]  +  bias[f])

    Args:
        filters: the number of outputs f at each place.
        kernel_size: how many elements a window has along each axis of space; one integer, or one for each.
        strides: places from one window to the next.
        padding: "valid" (windows inside the image), "same" (as many windows as places, at strides of 1) or, on one axis,
            "causal" (no window sees what comes after its place).
        data_format: "channels_last" or "channels_first"; `config.image_data_format()` if None.
        dilation_rate: places from one element of a window to the next.
        groups: channels and filters fall into that many groups; a filter sees only the channels of its group.
        activation: a name or a function; None for none.
        use_bias: whether there is a bias.
        kernel_initializer, bias_initializer: how the weights start.
        kernel_regularizer, bias_regularizer, activity_regularizer: what they add to the loss.
        kernel_constraint, bias_constraint: what the weights are brought back to after each update.
        lora_rank, lora_alpha: of an adapter that is trained in the kernel's place: see `enable_lora`.
    Raises:
        ShapeError: another rank, an open number of channels, or another one than the kernel was built for; windows larger than
            the image; channels or filters that do not fall into the groups.
    Source: Chollet 5.1.1; see `ops.conv`.
    """

    kernel: Any = Adapted()

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        groups: int = 1,
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
        self.filters, self.groups = whole(self.name, "filters", filters, 1), whole(self.name, "groups", groups, 1)
        if self.filters % self.groups:
            raise ArgumentError(f"{self.name}: groups must divide the {self.filters} filters; got {self.groups}.")
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        self._build_adapter()

    def make_kernels(self, channels: int) -> int:
        if channels % self.groups:
            raise ShapeError(
                f"{self.name} has {self.groups} groups, which must divide the number of channels; got {channels} channels."
            )
        self.kernel = self.add_weight(
            (*self.kernel_size, channels // self.groups, self.filters),
            self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
            name="kernel",
        )
        return self.filters

    def convolved(self, inputs: Any) -> Any:
        return self.convolution_op(inputs, self.kernel)

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        """The convolution itself, before bias and activation: what a subclass writes anew that changes the kernel first.

        Args:
            inputs: of the call.
            kernel: (*kernel_size, channels of a group, filters), the layer's weight.
        Source: Keras 3 `BaseConv.convolution_op`.
        """
        return ops.conv(inputs, kernel, self.strides, self.padding, self.data_format, self.dilation_rate)


class Conv1D(Convolution):
    """The convolution of sequences: (batch, steps, channels) -> (batch, windows, filters). Arguments as in `layers.convolution.Convolution`.

    >>> Conv1D(4, 3, padding="causal").compute_output_shape((None, 10, 2))
    (None, 10, 4)
    """

    paddings = ("valid", "same", "causal")


class Conv2D(Convolution):
    """The convolution of images: (batch, rows, columns, channels) -> (batch, rows, columns, filters). Arguments as in `layers.convolution.Convolution`.

    >>> Conv2D(4, (3, 3), strides=2).compute_output_shape((None, 28, 28, 1))
    (None, 13, 13, 4)
    """

    axes = 2


class Conv3D(Convolution):
    """The convolution of volumes: (batch, depth, rows, columns, channels) -> (..., filters). Arguments as in `layers.convolution.Convolution`.

    >>> Conv3D(4, 3, padding="same").compute_output_shape((None, 5, 6, 7, 1))
    (None, 5, 6, 7, 4)
    """

    axes = 3


Convolution1D, Convolution2D, Convolution3D = Conv1D, Conv2D, Conv3D
