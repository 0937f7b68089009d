"""ConvLSTM: a long short-term memory whose products are convolutions, over sequences of images."""

from typing import Any

from refnet import activations, ops, random
from refnet.errors import ArgumentError, ShapeError
from refnet.graph import Tensor
from refnet.layers.checks import SPATIAL, data_format_of, sizes, whole
from refnet.layers.first_states import batch_of
from refnet.layers.recurrent import steps_taken
from refnet.layers.recurrent_cell import RecurrentCell
from refnet.layers.recurrent_cells import forgetful, lstm_step
from refnet.layers.recurrent_layers import OneCell, of_cell


class ConvLSTMCell(RecurrentCell):
    """A time step of ConvLSTM. Its arguments are those of the layers; `rank` is the number of axes of space."""

    gates = 4
    activation_arguments = ()  # ops.scan takes any

    def __init__(
        self,
        rank: int,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: Any = None,
        dilation_rate: Any = 1,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        unit_forget_bias: bool = True,
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: Any = None,
        **more: Any,
    ):
        kernel = kernel_initializer, kernel_regularizer, kernel_constraint
        recurrent = recurrent_initializer, recurrent_regularizer, recurrent_constraint
        bias = bias_initializer, bias_regularizer, bias_constraint
        super().__init__(filters, use_bias, kernel, recurrent, bias, dropout, recurrent_dropout, seed, **more)
        self.rank, self.filters = whole(self.name, "rank", rank, 1), whole(self.name, "filters", filters, 1)
        self.kernel_size = sizes(self.name, "kernel_size", kernel_size, rank)
        self.strides = sizes(self.name, "strides", strides, rank)
        self.dilation_rate = sizes(self.name, "dilation_rate", dilation_rate, rank)
        self.padding, self.data_format = str(padding).lower(), data_format_of(self.name, data_format)
        if self.padding not in ("valid", "same"):
            raise ArgumentError(f"{self.name}: padding is 'valid' or 'same'; got {padding!r}.")
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ArgumentError(f"{self.name}: strides and dilation_rate cannot both be above 1.")
        self.activation, self.recurrent_activation = activations.get(activation), activations.get(recurrent_activation)
        self.unit_forget_bias = bool(unit_forget_bias)
        self.state_size = [self.filters, self.filters]
        self.channels = -1 if self.data_format == "channels_last" else 1

    def build(self, input_shape: Any) -> None:
        if len(input_shape) != self.rank + 2 or input_shape[self.channels] is None:
            raise ShapeError(
                f"{self.name} expects images of {self.rank} axes with a known number of channels; got shape {input_shape}."
            )
        self.image_shape = tuple(input_shape)
        columns = 4 * self.filters
        self.kernel = self._weight("kernel", (*self.kernel_size, input_shape[self.channels], columns))
        self.recurrent_kernel = self._weight(
            "recurrent_kernel", (*self.kernel_size, self.filters, columns), "recurrent"
        )
        self.bias = self._weight("bias", (columns,), initializer=self.first_bias()) if self.use_bias else None

    def first_bias(self) -> Any:
        return forgetful(self.bias_initializer, self.filters) if self.unit_forget_bias else self.bias_initializer

    def get_initial_state(self, batch_size: Any = None) -> list[Any]:
        """Zeros of the shape that the convolution of the inputs gives. Raises ArgumentError before it is known."""
        if not self.built:
            raise ArgumentError(
                f"{self.name} does not know the shape of its states yet: it is built by its first call, or by build(input_shape)."
            )
        known = self.convolved(Tensor((None, *self.image_shape[1:]), self.compute_dtype), self.kernel).shape
        shape = [batch_of(batch_size), *known[1:]]
        shape[self.channels] = self.filters
        return [ops.zeros(tuple(shape), self.compute_dtype) for _ in range(2)]

    def convolved(self, images: Any, kernel: Any) -> Any:
        """The convolution of the inputs."""
        return ops.conv(images, kernel, self.strides, self.padding, self.data_format, self.dilation_rate)

    def dropout_masks(self, inputs: Any, training: Any) -> tuple[Any, Any]:
        """Factors on the images and on the state, one for each gate."""
        state = self.convolved(inputs, self.kernel) if training and 0 < self.recurrent_dropout < 1 else None

        def drawn(rate: float, like: Any, channels: Any) -> Any:
            if not training or not 0 < rate < 1:
                return None
            shape = list(ops.shape(like))
            shape[self.channels] = channels
            return random.dropout_mask((4, *shape), rate, self.compute_dtype, self.key, symbolic=True)

        return drawn(self.dropout, inputs, inputs.shape[self.channels]), drawn(
            self.recurrent_dropout, state, self.filters
        )

    def step(self, inputs: Any, states: list[Any], dropout: Any, recurrent_dropout: Any) -> tuple[Any, list[Any]]:
        return self.recur(self.project(inputs, dropout), states, recurrent_dropout)

    def project(self, images: Any, dropout: Any) -> Any:
        """What the inputs give to the four gates, with the bias, on the axis of channels."""
        if dropout is None:
            x = self.convolved(images, self.kernel)
        else:
            kernels = ops.split(self.kernel, 4, axis=-1)
            masked = [ops.multiply(images, dropout[g]) for g in range(4)]
            x = ops.concatenate([self.convolved(image, k) for image, k in zip(masked, kernels)], self.channels)
        if self.bias is None:
            return x
        inner = () if self.data_format == "channels_last" else (1,) * self.rank
        return ops.add(x, ops.reshape(self.bias, (4 * self.filters, *inner)))

    def recur(self, x: Any, states: list[Any], dropout: Any) -> tuple[Any, list[Any]]:
        """A step from what its inputs give to the gates."""

        def back(h: Any, kernel: Any) -> Any:
            return ops.conv(h, kernel, 1, "same", self.data_format)

        h, c = states
        if dropout is None:
            z = ops.split(ops.add(x, back(h, self.recurrent_kernel)), 4, axis=self.channels)
        else:
            kernels = ops.split(self.recurrent_kernel, 4, axis=-1)
            parts = ops.split(x, 4, axis=self.channels)
            z = [ops.add(parts[g], back(ops.multiply(h, dropout[g]), kernels[g])) for g in range(4)]
        return lstm_step(self, z, c)

    def sequence(
        self, inputs: Any, states: Any, mask: Any, go_backwards: bool, training: Any
    ) -> tuple[Any, Any, list[Any]]:
        """The convolutions of the inputs of all steps are one; the others follow step by step."""
        if go_backwards:
            inputs, mask = ops.flip(inputs, 1), None if mask is None else ops.flip(mask, 1)
        batch, time, *image = ops.shape(inputs)
        dropout, recurrent_dropout = self.dropout_masks(inputs[:, 0], training)
        if dropout is not None:  # the same mask for every step of a sample
            rest = ops.shape(dropout)[2:]
            dropout = ops.broadcast_to(ops.expand_dims(dropout, 2), (4, batch, time, *rest))
            dropout = ops.reshape(dropout, (4, -1, *rest))
        x = self.project(ops.reshape(inputs, (-1, *image)), dropout)
        x = ops.reshape(x, (batch, time, *ops.shape(x)[1:]))
        states = self.get_initial_state(batch) if states is None else states
        return steps_taken(
            lambda part, held: self.recur(part, held, recurrent_dropout), x, states, mask, ops.zeros_like(states[0])
        )


class ConvLSTM(OneCell):
    """Base of the layers."""

    rank: int  # how many axes of space there are

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: Any = None,
        dilation_rate: Any = 1,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        unit_forget_bias: bool = True,
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: Any = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        **more: Any,
    ):
        super().__init__(ConvLSTMCell, {**locals(), "rank": self.rank})

    def build(self, input_shape: Any) -> None:
        shape = (
            tuple(input_shape[0]) if input_shape and isinstance(input_shape[0], (tuple, list)) else tuple(input_shape)
        )
        if len(shape) != self.rank + 3:
            raise ShapeError(
                f"{self.name} expects inputs of {self.rank + 3} axes (batch, time, {SPATIAL[self.rank][7:]}), got shape {shape}."
            )
        super().build(input_shape)


for _word in ("filters", "kernel_size", "strides", "padding", "data_format", "dilation_rate"):
    setattr(ConvLSTM, _word, of_cell(_word))


class ConvLSTM1D(ConvLSTM):
    """A convolutional LSTM over sequences of rows, (batch, time, steps, channels). Arguments as in ConvLSTM2D.

    >>> ConvLSTM1D(4, 3).compute_output_shape((None, 5, 8, 2))
    (None, 6, 4)
    """

    rank = 1


class ConvLSTM2D(ConvLSTM):
    """A convolutional LSTM over sequences of images, (batch, time, rows, columns, channels).

        i, f, g, o = the four quarters of  conv(x[t], kernel) + bias + conv(h, recurrent_kernel), through their activations
        c' = f * c + i * g,   h' = o * activation(c')

    Args:
        filters: the channels of the state h, which is also the output, and of the memory c.
        kernel_size: of both convolutions.
        strides, padding, dilation_rate: of the convolution of the inputs; the state's has 1, "same", 1.
        data_format: "channels_last" or "channels_first"; `config.image_data_format()` if None: (batch, time, channels, rows, columns).
        the others: as in LSTM.
    Source: Shi et al. 2015 (without what the gates see of the memory).

    >>> import numpy as np
    >>> ConvLSTM2D(4, 3, padding="same")(np.ones((2, 3, 5, 6, 1), "float32")).shape
    (2, 5, 6, 4)
    """

    rank = 2


class ConvLSTM3D(ConvLSTM):
    """A convolutional LSTM over sequences of volumes, (batch, time, depth, rows, columns, channels). Arguments as in ConvLSTM2D.

    >>> ConvLSTM3D(4, 3, return_sequences=True).compute_output_shape((None, 5, 8, 8, 8, 2))
    (None, 5, 6, 6, 6, 4)
    """

    rank = 3
