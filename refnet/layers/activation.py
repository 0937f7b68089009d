"""Activation functions with arguments or weights, as layers."""

from typing import Any

import numpy as np

from refnet import constraints, initializers, ops, regularizers
from refnet.errors import ArgumentError, ShapeError
from refnet.layers.base import Layer
from refnet.layers.checks import behind_the_batch


def _at_least_zero(layer: str, word: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not value >= 0:
        raise ArgumentError(f"{layer}: {word} must be a number of at least 0; got {value!r}.")
    return float(value)


class ReLU(Layer):
    """x where it is large enough, else a slope below the threshold.

        y = max_value                          for x >= max_value
        y = x                                  for threshold <= x < max_value
        y = negative_slope * (x - threshold)   for x < threshold

    Args:
        max_value: where it is cut off; None for never.
        negative_slope: the slope below the threshold.
        threshold: where it begins.

    >>> ReLU(max_value=6.0)(np.array([1.0, 2.0, 8.0]))
    array([1., 2., 6.], dtype=float32)
    """

    supports_masking = True

    def __init__(self, max_value: Any = None, negative_slope: float = 0.0, threshold: float = 0.0, **more: Any):
        super().__init__(**more)
        self.max_value = None if max_value is None else _at_least_zero(self.name, "max_value", max_value)
        self.negative_slope = _at_least_zero(self.name, "negative_slope", negative_slope)
        self.threshold = _at_least_zero(self.name, "threshold", threshold)
        self.built = True

    def call(self, inputs: Any) -> Any:
        if self.threshold == 0 and self.max_value is None:
            return ops.relu(inputs) if self.negative_slope == 0 else ops.leaky_relu(inputs, self.negative_slope)
        below = ops.multiply(ops.subtract(inputs, self.threshold), self.negative_slope)
        y = ops.where(ops.less(inputs, self.threshold), below, inputs)
        return y if self.max_value is None else ops.minimum(y, self.max_value)


class ThresholdedReLU(Layer):
    """x where it is larger than theta, else 0.

    Keras 3 has `ReLU(threshold=)`, which differs at theta itself.

    Args:
        theta: not below 0.
    """

    supports_masking = True

    def __init__(self, theta: float = 1.0, **more: Any):
        super().__init__(**more)
        self.theta = _at_least_zero(self.name, "theta", theta)
        self.built = True

    def call(self, inputs: Any) -> Any:
        return ops.threshold(inputs, self.theta, 0.0)


class LeakyReLU(Layer):
    """x where it is positive, else negative_slope * x.

    Args:
        negative_slope: the slope below 0. `alpha` is its old name.

    >>> LeakyReLU(0.1)(np.array([-1.0, 2.0]))
    array([-0.1,  2. ], dtype=float32)
    """

    supports_masking = True

    def __init__(self, negative_slope: float = 0.3, *, alpha: float | None = None, **more: Any):
        super().__init__(**more)
        self.negative_slope = _at_least_zero(self.name, "negative_slope", negative_slope if alpha is None else alpha)
        self.built = True

    def call(self, inputs: Any) -> Any:
        return ops.leaky_relu(inputs, self.negative_slope)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.pop("alpha")
        return {**config, "negative_slope": self.negative_slope}


class ELU(Layer):
    """x where it is positive, else alpha * (exp(x) - 1).

    Args:
        alpha: a number.

    >>> ELU()(np.array([-1.0, 2.0]))
    array([-0.63212055,  2.        ], dtype=float32)
    """

    supports_masking = True

    def __init__(self, alpha: float = 1.0, **more: Any):
        super().__init__(**more)
        if isinstance(alpha, bool) or not isinstance(alpha, (int, float, np.number)):
            raise ArgumentError(f"{self.name}: alpha must be a number; got {alpha!r}.")
        self.alpha, self.built = float(alpha), True

    def call(self, inputs: Any) -> Any:
        return ops.elu(inputs, self.alpha)


class PReLU(Layer):
    """x where it is positive, else alpha * x, with an alpha that is learned.

    Args:
        alpha_initializer, alpha_regularizer, alpha_constraint: of the slopes, one for each element of a sample.
        shared_axes: axes, counted with the batch as 0, along which one slope serves all elements.

    >>> PReLU(alpha_initializer="ones")(np.array([[-1.0, 2.0]]))
    array([[-1.,  2.]], dtype=float32)
    """

    one_tensor = True

    supports_masking = True

    def __init__(
        self,
        alpha_initializer: Any = "zeros",
        alpha_regularizer: Any = None,
        alpha_constraint: Any = None,
        shared_axes: Any = None,
        **more: Any,
    ):
        super().__init__(**more)
        self.alpha_initializer = initializers.get(alpha_initializer)
        self.alpha_regularizer = regularizers.get(alpha_regularizer)
        self.alpha_constraint = constraints.get(alpha_constraint)
        axes = shared_axes if isinstance(shared_axes, (list, tuple)) or shared_axes is None else [shared_axes]
        self.shared_axes = None if axes is None else list(axes)

    def build(self, input_shape: Any) -> None:
        shape = list(input_shape[1:])
        for axis in self.shared_axes or ():
            if not 1 <= axis < len(input_shape):
                raise ShapeError(f"{self.name}: shared axis {axis} is no axis of a sample; got shape {input_shape}.")
            shape[axis - 1] = 1
        self.alpha = self.add_weight(
            tuple(shape),
            self.alpha_initializer,
            regularizer=self.alpha_regularizer,
            constraint=self.alpha_constraint,
            name="alpha",
        )

    def call(self, inputs: Any) -> Any:
        return ops.subtract(ops.relu(inputs), ops.multiply(self.alpha, ops.relu(ops.negative(inputs))))


class Softmax(Layer):
    """exp(x) / sum of exp(x).

    Args:
        axis: over which the sum runs, or several.

    >>> Softmax()(np.array([[0.0, 0.0]]))
    array([[0.5, 0.5]], dtype=float32)
    """

    supports_masking = True

    def __init__(self, axis: Any = -1, **more: Any):
        super().__init__(**more)
        self.axis, self.built = axis, True

    def samples_apart(self, rank: int | None) -> bool:
        return behind_the_batch(self.axis, rank)

    def call(self, inputs: Any, mask: Any = None) -> Any:
        """`mask`: True, or a number above 1/2, where an element takes part; the others are 0."""
        return masked_softmax(inputs, mask, self.axis)


def masked_softmax(inputs: Any, mask: Any, axis: Any) -> Any:
    """The softmax over an axis, or several, of what a mask lets take part; 0 elsewhere, also where nothing takes part, as in Keras."""
    if mask is None:
        return _softmax(inputs, axis)
    if mask.dtype != "bool":
        mask = ops.greater(mask, 0.5)
    y = _softmax(ops.where(mask, inputs, ops.full_like(inputs, far_below(inputs.dtype))), axis)
    return ops.where(mask, y, ops.zeros_like(y))


def far_below(dtype: str) -> float:
    """What stands for a number that takes no part in a softmax, as in Keras."""
    return -3e4 if dtype == "float16" else -1e9


def _softmax(x: Any, axis: Any) -> Any:
    if isinstance(axis, (list, tuple)) and len(axis) > 1:
        return ops.exp(ops.subtract(x, ops.logsumexp(x, tuple(axis), keepdims=True)))
    return ops.softmax(x, axis[0] if isinstance(axis, (list, tuple)) else axis)
