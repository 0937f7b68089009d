"""Normalization of each sample by itself: over its features, in groups of channels, by the root mean square, by its length."""

from typing import Any

import numpy as np

from refnet import constraints, initializers, ops, regularizers
from refnet.annotations import Shape
from refnet.errors import ArgumentError, ShapeError
from refnet.layers.base import Layer
from refnet.layers.checks import behind_the_batch
from refnet.old_names import serve


def axes_of(layer: str, axis: Any) -> Any:
    """An axis, or a list of several."""
    entries = axis if isinstance(axis, (list, tuple)) else [axis]
    if not entries or any(isinstance(a, bool) or not isinstance(a, (int, np.integer)) for a in entries):
        raise ArgumentError(f"{layer}: axis is an integer or a list of integers; got {axis!r}.")
    return [int(a) for a in axis] if isinstance(axis, (list, tuple)) else int(axis)


def counted(layer: str, axis: Any, shape: Shape) -> list[int]:
    """Axes counted from the front, in order. Raises ShapeError where the shape does not have them, or has them open."""
    rank = len(shape)
    entries = axis if isinstance(axis, list) else [axis]
    if any(not -rank <= a < rank for a in entries) or len({a % rank for a in entries}) < len(entries):
        raise ShapeError(f"{layer} normalizes over axis {axis}, got inputs of shape {tuple(shape)}.")
    axes = sorted(a % rank for a in entries)
    if any(shape[a] is None for a in axes):
        raise ShapeError(f"{layer} needs to know the length of axis {axis}; got inputs of shape {tuple(shape)}.")
    return axes


def at_least_zero(layer: str, word: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not value >= 0:
        raise ArgumentError(f"{layer}: {word} must be a number of at least 0; got {value!r}.")
    return float(value)


class Scaled(Layer):
    """Base of the normalizations that end in a scale gamma and an offset beta, both learned.

    Args:
        epsilon: keeps what is divided by away from 0.
        center, scale: whether there are beta and gamma.
        beta_initializer, gamma_initializer: how they start.
        beta_regularizer, gamma_regularizer: what they add to the loss.
        beta_constraint, gamma_constraint: what they are brought back to after each update.
    """

    one_tensor = True

    def __init__(
        self,
        epsilon: float,
        center: bool,
        scale: bool,
        beta_initializer: Any,
        gamma_initializer: Any,
        beta_regularizer: Any,
        gamma_regularizer: Any,
        beta_constraint: Any,
        gamma_constraint: Any,
        **more: Any,
    ):
        super().__init__(**more)
        self.epsilon = at_least_zero(self.name, "epsilon", epsilon)
        self.center, self.scale = bool(center), bool(scale)
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)
        self.beta_constraint = constraints.get(beta_constraint)
        self.gamma_constraint = constraints.get(gamma_constraint)
        self.gamma: Any = None
        self.beta: Any = None

    def make_scale(self, shape: Shape) -> None:
        """Makes gamma and beta, as far as they are wanted."""
        if self.scale:
            self.gamma = self.add_weight(
                shape,
                self.gamma_initializer,
                autocast=False,
                regularizer=self.gamma_regularizer,
                constraint=self.gamma_constraint,
                name="gamma",
            )
        if self.center:
            self.beta = self.add_weight(
                shape,
                self.beta_initializer,
                autocast=False,
                regularizer=self.beta_regularizer,
                constraint=self.beta_constraint,
                name="beta",
            )

    def check_features(self, features: Shape, wanted: Shape, shape: Shape) -> None:
        """Raises ShapeError for inputs of other features than the weights were built for."""
        if features != wanted:
            raise ShapeError(
                f"{self.name} was built for features of shape {wanted}, got inputs of shape {tuple(shape)}: make a new layer "
                "for other inputs."
            )


class LayerNormalization(Scaled):
    """Each sample (each row) brought to mean 0 and variance 1 over its features, then scaled.

        y[n, f] = (x[n, f] - mean[n]) / sqrt(variance[n] + epsilon) * gamma[f] + beta[f]

    Args:
        axis: the axis of the features, or several, which together are a row.
        epsilon: keeps the root away from 0.
        center, scale: whether there are beta and gamma, one number for each feature.
        beta_initializer, gamma_initializer, beta_regularizer, gamma_regularizer, beta_constraint, gamma_constraint: of these.
    Raises:
        ShapeError: inputs without the axis, or with another number of features than the weights were built for.
    Source: Ba et al. 2016; see `ops.layer_normalization`.

    >>> LayerNormalization(epsilon=0.0)(np.array([[1.0, 3.0], [8.0, 4.0]]))
    array([[-1.,  1.],
           [ 1., -1.]], dtype=float32)
    """

    supports_masking = True

    def __init__(
        self,
        axis: Any = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        **more: Any,
    ):
        super().__init__(
            epsilon,
            center,
            scale,
            beta_initializer,
            gamma_initializer,
            beta_regularizer,
            gamma_regularizer,
            beta_constraint,
            gamma_constraint,
            **more,
        )
        self.axis, self.autocast = axes_of(self.name, axis), False  # normalized as it comes, then cast

    def build(self, input_shape: Any) -> None:
        self.features = tuple(input_shape[a] for a in counted(self.name, self.axis, tuple(input_shape)))
        self.make_scale(self.features)

    def samples_apart(self, rank: int | None) -> bool:
        return behind_the_batch(self.axis, rank)

    def call(self, inputs: Any) -> Any:
        axes = counted(self.name, self.axis, inputs.shape)
        self.check_features(tuple(inputs.shape[a] for a in axes), self.features, inputs.shape)
        return ops.cast(ops.layer_normalization(inputs, self.gamma, self.beta, axes, self.epsilon), self.compute_dtype)


class GroupNormalization(Scaled):
    """Each sample's channels normalized in groups, each over its channels and all places, then scaled.

    Args:
        groups: how many groups of neighbouring channels; -1 for one for each channel (instance normalization).
        axis: where the channels are; not the first axis.
        epsilon: keeps the root away from 0.
        center, scale: whether there are beta and gamma, one number for each channel.
        beta_initializer, gamma_initializer, beta_regularizer, gamma_regularizer, beta_constraint, gamma_constraint: of these.
    Raises:
        ShapeError: channels that do not divide into the groups, an open number of them, or another one than it was built for.
    Source: Wu and He 2018; see `ops.group_normalization`.

    >>> GroupNormalization(2, epsilon=0.0)(np.array([[1.0, 3.0, 5.0, 9.0]]))
    array([[-1.,  1., -1.,  1.]], dtype=float32)
    """

    supports_masking = True

    def __init__(
        self,
        groups: int = 32,
        axis: int = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        **more: Any,
    ):
        super().__init__(
            epsilon,
            center,
            scale,
            beta_initializer,
            gamma_initializer,
            beta_regularizer,
            gamma_regularizer,
            beta_constraint,
            gamma_constraint,
            **more,
        )
        if isinstance(groups, bool) or not isinstance(groups, (int, np.integer)) or (groups < 1 and groups != -1):
            raise ArgumentError(
                f"{self.name}: groups must be an integer of at least 1, or -1 for one group for each channel; got {groups!r}."
            )
        self.groups, self.axis, self.autocast = int(groups), axes_of(self.name, axis), False
        if isinstance(self.axis, list) or self.axis == 0:
            raise ArgumentError(f"{self.name}: axis is one integer, and not 0, where the samples are; got {axis!r}.")

    def build(self, input_shape: Any) -> None:
        shape = tuple(input_shape)
        (axis,) = counted(self.name, self.axis, shape)
        if self.groups != -1 and shape[axis] % self.groups:
            raise ShapeError(
                f"{self.name} has {self.groups} groups, which must divide the number of channels (axis {self.axis}); got "
                f"inputs of shape {shape}."
            )
        self.features = (shape[axis],)
        self.make_scale(self.features)

    def samples_apart(self, rank: int | None) -> bool:
        return behind_the_batch(self.axis, rank)

    def call(self, inputs: Any) -> Any:
        (axis,) = counted(self.name, self.axis, inputs.shape)
        self.check_features((inputs.shape[axis],), self.features, inputs.shape)
        y = ops.group_normalization(inputs, self.groups, self.gamma, self.beta, axis, self.epsilon)
        return ops.cast(y, self.compute_dtype)


class RMSNormalization(Layer):
    """Each sample divided by the root mean square of its features, then scaled.

        y[n, f] = x[n, f] / sqrt((sum over k of  x[n, k]^2) / F + epsilon) * scale[f]

    Args:
        axis: the axis of the features, or several, which together are a row.
        epsilon: keeps the root away from 0.
    Raises:
        ShapeError: inputs without the axis, or with another number of features than the scale was built for.
    Source: Zhang and Sennrich 2019; see `ops.rms_normalization`.

    >>> RMSNormalization(epsilon=0.0)(np.array([[3.0, 4.0, 0.0, 0.0]]))
    array([[1.2, 1.6, 0. , 0. ]], dtype=float32)
    """

    one_tensor = True

    def __init__(self, axis: Any = -1, epsilon: float = 1e-6, **more: Any):
        super().__init__(**more)
        self.axis, self.epsilon = axes_of(self.name, axis), at_least_zero(self.name, "epsilon", epsilon)

    def build(self, input_shape: Any) -> None:
        self.features = tuple(input_shape[a] for a in counted(self.name, self.axis, tuple(input_shape)))
        self.scale = self.add_weight(self.features, "ones", name="scale")

    def samples_apart(self, rank: int | None) -> bool:
        return behind_the_batch(self.axis, rank)

    def call(self, inputs: Any) -> Any:
        axes = counted(self.name, self.axis, inputs.shape)
        if tuple(inputs.shape[a] for a in axes) != self.features:
            raise ShapeError(
                f"{self.name} was built for features of shape {self.features}, got inputs of shape {tuple(inputs.shape)}: make "
                "a new layer for other inputs."
            )
        between = tuple(a - axes[0] for a in range(axes[0], len(inputs.shape)) if a not in axes)
        scale = ops.expand_dims(self.scale, between) if between else self.scale
        return ops.rms_normalization(inputs, scale, axes, self.epsilon)


LEAST_LENGTH = 1e-12  # Keras's


class UnitNormalization(Layer):
    """Each sample brought to length 1 along an axis.

        y = x / sqrt(sum over the axis of x^2)

    A length below 1e-12 counts as 1e-12, so a sample of zeros stays.

    Args:
        axis: an axis, or several whose elements are taken together.

    >>> UnitNormalization()(np.array([[3.0, 4.0]]))
    array([[0.6, 0.8]], dtype=float32)
    """

    supports_masking = True

    def __init__(self, axis: Any = -1, **more: Any):
        super().__init__(**more)
        self.axis, self.built = axes_of(self.name, axis), True

    def samples_apart(self, rank: int | None) -> bool:
        return behind_the_batch(self.axis, rank)

    def call(self, inputs: Any) -> Any:
        return ops.normalize(inputs, self.axis, epsilon=LEAST_LENGTH)


serve(__name__)
