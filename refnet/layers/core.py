"""The layers every network is made of: Input, Dense, Activation, Dropout, Flatten, Rescaling."""

from typing import Any

import numpy as np

from refnet import activations, constraints, dtypes, initializers, ops, random, regularizers
from refnet.annotations import Shape
from refnet.errors import ArgumentError, ShapeError, shown
from refnet.graph import Tensor
from refnet.layers.base import Layer
from refnet.layers.checks import data_format_of
from refnet.layers.lora import Adapted
from refnet.layers.quantized import QuantizableProduct
from refnet.old_names import serve


class InputLayer(Layer):
    """Where data enter a model. `Input` makes one and returns its tensor.

    Args:
        shape: of one sample; None where a dimension is open.
        batch_size: the batch dimension, if it is fixed.
        dtype: floatx if None.
        sparse, ragged, optional: must be False; inputs are dense and always given.
        batch_shape: the whole shape, instead of shape and batch_size.
        input_tensor: the tensor at which the model begins, instead of a new one.

    >>> InputLayer((28, 28)).output.shape
    (None, 28, 28)
    """

    def __init__(
        self,
        shape: Any = None,
        batch_size: int | None = None,
        dtype: Any = None,
        sparse: bool | None = None,
        ragged: bool | None = None,
        batch_shape: Any = None,
        input_tensor: Tensor | None = None,
        optional: bool = False,
        name: str | None = None,
    ):
        if input_tensor is not None:
            dtype = input_tensor.dtype if dtype is None else dtype
            shape, batch_shape = None, input_tensor.shape
        super().__init__(name=name, dtype=dtypes.standardize(dtype))
        for word, value in (("sparse", sparse), ("ragged", ragged), ("optional", optional)):
            if value:
                raise ArgumentError(
                    f"{self.name}: {word}=True is not supported; an input is a dense array, always given."
                )
        if (shape is None) == (batch_shape is None):
            raise ArgumentError(f"{self.name}: give either `shape` (of one sample) or `batch_shape`.")
        whole = (batch_size, *_as_shape(self.name, shape)) if batch_shape is None else _as_shape(self.name, batch_shape)
        self.batch_shape: Shape = whole
        self.tensor = Tensor(whole, self.dtype, name=self.name) if input_tensor is None else input_tensor
        if input_tensor is None:
            self.tensor.origin = self
        self.built = True

    @property
    def output(self) -> Tensor:
        return self.tensor

    input = output

    def get_config(self) -> dict[str, Any]:
        return {"batch_shape": list(self.batch_shape), "dtype": self.dtype, "name": self.name}

    def call(self, *args: Any, **kwargs: Any) -> Any:
        raise ArgumentError(f"{self.name} is an InputLayer: it is where a graph begins, and cannot be called.")


def _as_shape(name: str, shape: Any) -> Shape:
    entries = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
    for d in entries:
        if d is not None and not (isinstance(d, (int, np.integer)) and not isinstance(d, bool) and d >= 0):
            raise ArgumentError(
                f"{name}: a shape is a tuple of integers, None where a dimension is open; got {shape!r}."
            )
    return tuple(None if d is None else int(d) for d in entries)


def Input(
    shape: Any = None,
    batch_size: int | None = None,
    dtype: Any = None,
    sparse: bool | None = None,
    ragged: bool | None = None,
    batch_shape: Any = None,
    name: str | None = None,
    tensor: Tensor | None = None,
    optional: bool = False,
) -> Tensor:
    """A tensor at which a model begins.

    Args:
        shape: of one sample; None where a dimension is open.
        batch_size: the batch dimension, if it is fixed.
        dtype: floatx if None.
        sparse, ragged, optional: must be False; inputs are dense and always given.
        batch_shape: the whole shape, instead of shape and batch_size.
        tensor: a tensor of another part of a graph, to be returned as the input.
    Raises:
        ArgumentError: sparse, ragged or optional; no shape.
    Source: Keras 3 `Input`.

    >>> Input((28, 28), name="image").shape
    (None, 28, 28)
    """
    return InputLayer(shape, batch_size, dtype, sparse, ragged, batch_shape, tensor, optional, name).tensor


class Dense(QuantizableProduct):
    """A product with a kernel, plus a bias, through an activation, on the last axis.

        y[..., f] = activation(sum over c of  x[..., c] * kernel[c, f]  +  bias[f])

    Args:
        units: the number of outputs f.
        activation: a name or a function; None for none.
        use_bias: whether there is a bias.
        kernel_initializer, bias_initializer: how the weights start.
        kernel_regularizer, bias_regularizer, activity_regularizer: what they add to the loss.
        kernel_constraint, bias_constraint: what the weights are brought back to after each update.
        lora_rank, lora_alpha: of an adapter that is trained in the kernel's place: see `enable_lora`.
        quantization_config: how the kernel is kept in integers, where the dtype is a QuantizedDTypePolicy: see `quantize`.
    Raises:
        ShapeError: inputs of rank 1, an open last axis, or another number of features than the kernel was built for.

    >>> Dense(2, kernel_initializer="ones")(np.array([[1.0, 2.0, 3.0]]))
    array([[6., 6.]], dtype=float32)
    """

    one_tensor = True

    supports_masking = True
    quantizes = True
    kernel: Any = Adapted()

    def __init__(
        self,
        units: int,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        quantization_config: Any = None,
        **more: Any,
    ):
        adapter = {"lora_rank": lora_rank, "lora_alpha": lora_alpha}
        super().__init__(quantization_config, activity_regularizer=activity_regularizer, **adapter, **more)
        if isinstance(units, bool) or not isinstance(units, (int, np.integer)) or units < 1:
            raise ArgumentError(f"{self.name}: units must be an integer of at least 1; got {units!r}.")
        self.units = int(units)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)

    def build(self, input_shape: Any) -> None:
        self._check(tuple(input_shape))
        shape = input_shape[-1], self.units
        self.kernel = self._make_kernel(shape, self.kernel_initializer, self.kernel_regularizer, self.kernel_constraint)
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                (self.units,),
                self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
                name="bias",
            )
        self._build_adapter()

    def _check(self, shape: Shape) -> None:
        if len(shape) < 2:
            raise ShapeError(f"{self.name} expects inputs of at least 2 axes (batch, features), got shape {shape}.")
        if not self.built:
            if shape[-1] is None:
                raise ShapeError(f"{self.name} needs to know its number of features (last axis); got shape {shape}.")
        elif shape[-1] not in (None, self._unadapted.shape[0]):
            raise ShapeError(
                f"{self.name} expects inputs with {self._unadapted.shape[0]} features (last axis), got shape {shape}. "
                f"Its kernel was built for {self._unadapted.shape[0]} in an earlier call; make a new layer for other inputs."
            )

    def call(self, inputs: Any) -> Any:
        self._check(inputs.shape)
        y = self._kernel_product(inputs)
        if self.bias is not None:
            y = ops.add(y, self.bias)
        return y if self.activation is activations.linear else self.activation(y)

    # of a kernel in integers

    def _times_kernel(self, x: Any, kernel: Any) -> Any:
        return ops.matmul(x, kernel)

    def _back_through_kernel(self, upstream: Any, kernel: Any) -> Any:
        return ops.matmul(upstream, ops.transpose(kernel))

    def _summed_axes(self) -> Any:
        return -1

    def _scale_of_results(self, scale: Any) -> Any:
        return scale

    def _axes_of_a_scale(self) -> Any:
        return (0,)

    def _scale_shape(self, shape: Shape) -> Any:
        return shape[1:]

    def _scale_as_kept(self, scale: Any) -> Any:
        return ops.squeeze(scale, 0)

    def _scale_for_kernel(self, scale: Any) -> Any:
        return ops.expand_dims(scale, 0)


class Activation(Layer):
    """An activation function as a layer.

    Args:
        activation: a name or a function.

    >>> Activation("relu")(np.array([-1.0, 2.0]))
    array([0., 2.], dtype=float32)
    """

    supports_masking = True

    def __init__(self, activation: Any, **more: Any):
        super().__init__(**more)
        self.activation = activations.get(activation)
        self.built = True

    def call(self, inputs: Any) -> Any:
        return self.activation(inputs)


def as_floats(layer: Layer, x: Any) -> Any:
    """x, or where it is of integers, x in the layer's compute dtype: as what multiplies it, or adds to it, in training."""
    return x if dtypes.is_floating(x.dtype) else ops.cast(x, layer.compute_dtype)


def each_its_own_noise(noise_shape: Any) -> bool:
    """Whether a shape of noise leaves the number of samples open."""
    return noise_shape is None or list(noise_shape)[:1] == [None]


class Dropout(Layer):
    """In training, sets elements to 0 at random and scales the others by 1 / (1 - rate); at inference, nothing.

    Args:
        rate: the share that is dropped, 0 <= rate <= 1.
        noise_shape: the shape of the mask, broadcast to the inputs; None entries (and None) mean the inputs' own.
        seed: an integer, for draws that do not depend on the seed of the whole program.

    >>> Dropout(0.5, seed=5)(np.ones(8), training=True)
    array([2., 0., 2., 2., 0., 0., 2., 0.], dtype=float32)
    >>> Dropout(0.5)(np.ones(3))
    array([1., 1., 1.], dtype=float32)
    """

    one_tensor = True

    supports_masking = True

    def __init__(self, rate: float, noise_shape: Any = None, seed: Any = None, **more: Any):
        super().__init__(**more)
        if isinstance(rate, bool) or not isinstance(rate, (int, float, np.number)) or not 0 <= rate <= 1:
            raise ArgumentError(f"{self.name}: rate must be a number from 0 to 1; got {rate!r}.")
        self.rate, self.noise_shape, self.seed = float(rate), noise_shape, seed
        self.key = random.next_seed() if seed is None else seed
        self.built = True

    def call(self, inputs: Any, training: Any = None) -> Any:
        x = as_floats(self, inputs)
        return random.dropout(x, self.rate, self.noise_shape, self.key) if training and self.rate else x

    def samples_apart(self, rank: int | None) -> bool:
        return each_its_own_noise(self.noise_shape)


class Flatten(Layer):
    """Each sample as one row of features.

        (batch, d1, d2, ...) -> (batch, d1 * d2 * ...)

    Args:
        data_format: "channels_last", or "channels_first" to move the second axis last before flattening.

    >>> Flatten()(np.zeros((2, 3, 4))).shape
    (2, 12)
    """

    one_tensor = True

    def __init__(self, data_format: str | None = None, **more: Any):
        super().__init__(**more)
        self.data_format = data_format_of(self.name, data_format)
        self.built = True

    def call(self, inputs: Any) -> Any:
        rank = len(inputs.shape)
        if rank < 1:
            raise ShapeError(f"{self.name} expects inputs with a batch axis, got shape {inputs.shape}.")
        if self.data_format == "channels_first" and rank > 2:
            inputs = ops.transpose(inputs, (0, *range(2, rank), 1))
        features = 1
        for d in inputs.shape[1:]:
            features = -1 if d is None or features == -1 else features * d
        if features == -1:
            return ops.reshape(inputs, (ops.shape(inputs)[0], -1))
        return ops.reshape(inputs, (-1 if inputs.shape[0] is None and features else inputs.shape[0], features))


class Rescaling(Layer):
    """A fixed linear map.

        y = x * scale + offset

    Args:
        scale, offset: numbers, or arrays that broadcast against the inputs.

    >>> Rescaling(1 / 255)(np.array([0.0, 51.0, 255.0]))
    array([0.        , 0.20000002, 1.        ], dtype=float32)
    """

    supports_masking = True

    def __init__(self, scale: Any, offset: Any = 0.0, **more: Any):
        super().__init__(**more)
        for word, value in (("scale", scale), ("offset", offset)):
            if not isinstance(value, Tensor) and np.asarray(value).dtype.kind not in "biuf":
                raise ArgumentError(f"{self.name}: {word} must be a number or an array of numbers; got {shown(value)}.")
        self.scale, self.offset = scale, offset
        self.built = True

    def call(self, inputs: Any) -> Any:
        x, dtype = ops.cast(inputs, self.compute_dtype), self.compute_dtype
        return ops.add(ops.multiply(x, ops.cast(self.scale, dtype)), ops.cast(self.offset, dtype))


serve(__name__)
