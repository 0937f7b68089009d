"""Floats as integers of eight bits and a scale: what `quantize("int8")` makes of kernels, and its layers of their inputs."""

from typing import Any

from refnet import dtypes, ops
from refnet.annotations import Array, TensorLike
from refnet.errors import ArgumentError, DtypeError, did_you_mean, shown
from refnet.naming import snake_case
from refnet.old_names import serve
from refnet.ops.arguments import dtype_of

Range = tuple[float, float]
NO_MODE = "int4, float8, GPTQ and AWQ are not here: quantize the model in Keras, from its .keras file"


def abs_max_quantize(
    inputs: TensorLike,
    axis: Any,
    value_range: Range = (-127, 127),
    dtype: Any = "int8",
    epsilon: float = 1e-07,
    to_numpy: bool = False,
) -> tuple[Array, Array]:
    """Floats as integers, scaled so that the largest of them becomes the largest integer.

        scale = high / (max of |x| along axis + epsilon);      q = clip(round(x * scale), low, high)

    so that q / scale is near x.

    Args:
        inputs: x, an array or tensor, floating.
        axis: the axes that share a scale; one, or several.
        value_range: low and high.
        dtype: of q, an integer dtype.
        epsilon: keeps the scale of zeros finite.
        to_numpy: accepted, and changes nothing.
    Returns:
        (q, scale), the scale in the dtype of x, with axes of length 1 for those that share one.
    Ties: to the even integer. NaN: its scale is NaN, and its integers are 0.
    Raises:
        DtypeError: inputs that are not floating, a dtype that is not one of integers.  ArgumentError: low is not below high.
    Source: Keras 3 `quantizers.abs_max_quantize`.

    >>> q, scale = abs_max_quantize(np.array([[0.4, -1.0, 0.25]]), axis=-1)
    >>> q
    array([[  51, -127,   32]], dtype=int8)
    """
    if not dtypes.is_floating(dtype_of(inputs)):
        raise DtypeError(f"abs_max_quantize takes floats; got {dtype_of(inputs)}.")
    dtype = dtypes.standardize(dtype)
    if not dtype.startswith(("int", "uint")):
        raise DtypeError(f"abs_max_quantize: dtype is one of integers; got {dtype!r}.")
    low, high = checked_range("abs_max_quantize", value_range)
    axis = tuple(axis) if isinstance(axis, (tuple, list)) else axis
    largest = ops.max(ops.abs(inputs), axis, keepdims=True)
    scale = ops.cast(ops.divide(high, ops.add(largest, epsilon)), dtype_of(inputs))
    q = ops.clip(ops.round(ops.multiply(inputs, scale)), low, high)
    return ops.cast(q, dtype), scale


def checked_range(name: str, value: Any) -> Range:
    """Two numbers, the first below the second. Raises ArgumentError for others."""
    numbers = isinstance(value, (tuple, list)) and len(value) == 2 and all(isinstance(v, (int, float)) for v in value)
    if not numbers or not value[0] < value[1]:
        raise ArgumentError(f"{name}: value_range is a pair (low, high) with low below high; got {shown(value)}.")
    return value[0], value[1]


class Quantizer:
    """Base of quantizers: called on floats, one gives integers and their scale. A subclass overrides the call.

    Args:
        output_dtype: of the integers.
    Source: Keras 3 `quantizers.Quantizer`.
    """

    def __init__(self, output_dtype: str = "int8"):
        self.output_dtype = output_dtype

    def __call__(self, x: Any) -> Any:
        """This one gives what it is given."""
        return x

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs to make such a quantizer again."""
        raise NotImplementedError(f"{type(self).__name__} has no `get_config`: return the arguments of its __init__.")

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """A quantizer from what get_config gave."""
        return cls(**config)


class AbsMaxQuantizer(Quantizer):
    """`abs_max_quantize` with its arguments.

    Args:
        axis: the axes that share a scale, where a call does not say; the last one if None.
        value_range: the least and the largest integer.
        epsilon: keeps the scale of zeros finite.
        output_dtype: of the integers.
    Raises:
        ArgumentError: a range that int8 does not hold.
    Source: Keras 3 `quantizers.AbsMaxQuantizer`.

    >>> q, scale = AbsMaxQuantizer()(np.array([[0.6, -2.0]]))
    >>> q
    array([[  38, -127]], dtype=int8)
    """

    def __init__(
        self,
        axis: Any = None,
        value_range: Range = (-127, 127),
        epsilon: float = 1e-07,
        output_dtype: str = "int8",
    ):
        super().__init__(output_dtype)
        self.axis = None if axis is None else tuple(axis) if isinstance(axis, (tuple, list)) else (axis,)
        self.value_range, self.epsilon = checked_range("AbsMaxQuantizer", value_range), epsilon
        if output_dtype == "int8" and (self.value_range[0] < -128 or self.value_range[1] > 127):
            raise ArgumentError(f"AbsMaxQuantizer: int8 holds -128 to 127; got value_range={value_range!r}.")

    def __call__(self, x: Any, axis: Any = None, to_numpy: bool = False) -> Any:
        """(integers, scale) of floats.

        Args:
            axis: the axes that share a scale; those of the constructor if None.
            to_numpy: accepted, and changes nothing.
        """
        axis = self.axis if axis is None else axis
        return abs_max_quantize(x, -1 if axis is None else axis, self.value_range, self.output_dtype, self.epsilon)

    def get_config(self) -> dict[str, Any]:
        config = {"value_range": self.value_range, "epsilon": self.epsilon, "output_dtype": self.output_dtype}
        return config if self.axis is None else {**config, "axis": self.axis}


class QuantizationConfig:
    """Base of what `quantize` can be told beside the mode.

    Args:
        weight_quantizer: of kernels; None for the layer's own choice.
        activation_quantizer: of a layer's inputs; None: they stay floats.
    Source: Keras 3 `quantizers.QuantizationConfig`.
    """

    def __init__(self, weight_quantizer: Any = None, activation_quantizer: Any = None):
        self.weight_quantizer, self.activation_quantizer = get(weight_quantizer), get(activation_quantizer)

    @property
    def mode(self) -> str:
        """Which kind of integers it is for."""
        raise NotImplementedError(f"{type(self).__name__} has no `mode`: take Int8QuantizationConfig.")

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs to make such a config again."""
        return {
            "weight_quantizer": serialize(self.weight_quantizer),
            "activation_quantizer": serialize(self.activation_quantizer),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """A config from what get_config gave."""
        return cls(**config)


class Int8QuantizationConfig(QuantizationConfig):
    """How `quantize` makes integers of eight bits.

    Args:
        weight_quantizer: of kernels; None: an AbsMaxQuantizer, with a scale for each output.
        activation_quantizer: of a layer's inputs; "default": an AbsMaxQuantizer, with a scale for each sum. None: they stay floats.
    Raises:
        ArgumentError: a weight_quantizer of another dtype.
    Source: Keras 3 `quantizers.Int8QuantizationConfig`.

    >>> Int8QuantizationConfig(activation_quantizer=None).mode
    'int8'
    """

    def __init__(self, weight_quantizer: Any = None, activation_quantizer: Any = "default"):
        super().__init__(
            weight_quantizer, AbsMaxQuantizer() if activation_quantizer == "default" else activation_quantizer
        )
        if self.weight_quantizer is not None and self.weight_quantizer.output_dtype != "int8":
            raise ArgumentError(
                f"Int8QuantizationConfig: weight_quantizer gives int8; this one gives {self.weight_quantizer.output_dtype!r}."
            )

    @property
    def mode(self) -> str:
        return "int8"


known: dict[str, Any] = {
    kind.__name__: kind for kind in (Quantizer, AbsMaxQuantizer, QuantizationConfig, Int8QuantizationConfig)
}


def resolved(name: str, mode: Any, config: Any) -> Int8QuantizationConfig:
    """What `quantize(mode, config=config)` means.

    Args:
        name: of the layer or model, for errors.
    Raises:
        ArgumentError: neither of the two, two that contradict each other, or another kind than int8.
    """
    if isinstance(config, str):
        mode, config = config, None
    if mode is None and config is None:
        raise ArgumentError(f"{name}.quantize: say mode='int8', or give a config.")
    if mode not in (None, "int8"):
        raise ArgumentError(f"{name}.quantize: mode is 'int8'; got {mode!r}. {NO_MODE}.")
    if config is None:
        return Int8QuantizationConfig()
    if not isinstance(config, Int8QuantizationConfig):
        raise ArgumentError(f"{name}.quantize: config is an Int8QuantizationConfig; got {shown(config)}. {NO_MODE}.")
    return config


def get(identifier: Any) -> Any:
    """A quantizer from its name, class, config or itself; None from None.

    Raises:
        ArgumentError: an unknown name, or something else.

    >>> get("abs_max_quantizer").value_range
    (-127, 127)
    """
    if isinstance(identifier, dict):
        identifier = deserialize(identifier)
    if isinstance(identifier, str):
        names = {**known, **{snake_case(name): kind for name, kind in known.items()}}
        if identifier not in names:
            raise ArgumentError(f"unknown quantizer {identifier!r}.{did_you_mean(identifier, list(names))}")
        identifier = names[identifier]
    if isinstance(identifier, type):
        identifier = identifier()
    if identifier is not None and not callable(identifier):
        raise ArgumentError(f"a quantizer is a function, its name or config, or None; got {shown(identifier)}.")
    return identifier


def serialize(quantizer: Any) -> Any:
    """A quantizer's config, as files have it; None of None."""
    from refnet.saving.serialization import serialized

    return serialized(quantizer, keep=True)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The quantizer that a config describes.

    Args:
        custom_objects: {name: class} of yours.
    """
    from refnet.registration import custom_object_scope
    from refnet.saving.serialization import restored

    with custom_object_scope(custom_objects):
        return restored(config)


serve(__name__)
