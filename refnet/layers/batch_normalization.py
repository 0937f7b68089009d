"""Batch normalization: by the batch's own mean and variance in training, by their moving averages at inference."""

from typing import Any

from refnet import initializers, ops
from refnet.errors import ArgumentError, ShapeError
from refnet.layers.checks import share
from refnet.layers.normalization import Scaled, axes_of, counted
from refnet.ops.loss import EPSILON
from refnet.ops.statistics import wide_enough


class BatchNormalization(Scaled):
    """Each channel brought to mean 0 and variance 1 over the batch and all places, then scaled.

        y[o, c, i] = (x[o, c, i] - mean[c]) / sqrt(variance[c] + epsilon) * gamma[c] + beta[c]

    In training mean and variance are the batch's own (the biased variance), and the moving ones follow them:

        moving = moving * momentum + own * (1 - momentum)

    At inference they are the moving ones; in training too while `trainable` is False.

    Args:
        axis: where the channels are.
        momentum: how much of the moving mean and variance is kept at each step.
        epsilon: keeps the root away from 0.
        center, scale: whether there are beta and gamma.
        beta_initializer, gamma_initializer, moving_mean_initializer, moving_variance_initializer: how the weights start.
        beta_regularizer, gamma_regularizer, beta_constraint, gamma_constraint: of beta and gamma.
        synchronized: across devices; there is one, so that it must be False.
    Raises:
        ShapeError: inputs without the axis, an open number of channels, or another one than it was built for.
    Source: Ioffe and Szegedy 2015; Chollet 7.3.1; see `ops.batch_normalization_training`.

    >>> BatchNormalization(epsilon=0.0)(np.array([[1.0], [3.0]]), training=True)
    array([[-1.],
           [ 1.]], dtype=float32)
    """

    supports_masking = True

    inference_when_frozen = True

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        moving_mean_initializer: Any = "zeros",
        moving_variance_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        synchronized: bool = False,
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
        self.axis = axes_of(self.name, axis)
        if isinstance(self.axis, list):
            raise ArgumentError(f"{self.name}: axis is one integer; got {axis!r}.")
        if synchronized:
            raise ArgumentError(f"{self.name}: synchronized=True needs several devices; there is one. Leave it out.")
        self.momentum = share(self.name, "momentum", momentum)
        self.moving_mean_initializer = initializers.get(moving_mean_initializer)
        self.moving_variance_initializer = initializers.get(moving_variance_initializer)

    def build(self, input_shape: Any) -> None:
        (axis,) = counted(self.name, self.axis, tuple(input_shape))
        self.features = (input_shape[axis],)
        self.make_scale(self.features)
        self.moving_mean = self.add_weight(
            self.features, self.moving_mean_initializer, trainable=False, name="moving_mean"
        )
        self.moving_variance = self.add_weight(
            self.features, self.moving_variance_initializer, trainable=False, name="moving_variance"
        )

    def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        """`mask`: True where an element takes part in mean and variance; one axis less than the inputs."""
        (axis,) = counted(self.name, self.axis, inputs.shape)
        self.check_features((inputs.shape[axis],), self.features, inputs.shape)
        given = (axis, self.beta, self.gamma, self.epsilon)
        if not training:
            return ops.batch_normalization(inputs, self.moving_mean, self.moving_variance, *given)
        if mask is None:
            y, mean, variance = ops.batch_normalization_training(inputs, *given)
        else:
            mean, variance = self.masked_moments(inputs, mask, axis)
            y = ops.batch_normalization(inputs, mean, variance, *given)
        self._follow(self.moving_mean, mean)
        self._follow(self.moving_variance, variance)
        return y

    def masked_moments(self, inputs: Any, mask: Any, axis: int) -> tuple[Any, Any]:
        """Mean and variance of each channel over the elements that the mask lets take part."""
        if len(mask.shape) != len(inputs.shape) - 1:
            raise ShapeError(
                f"{self.name}: a mask has one axis less than the inputs; got a mask of shape {tuple(mask.shape)} for inputs of "
                f"shape {tuple(inputs.shape)}."
            )
        axes, inputs = tuple(a for a in range(len(inputs.shape)) if a != axis), wide_enough(inputs)
        seen = ops.broadcast_to(ops.expand_dims(ops.cast(mask, "bool"), -1), ops.shape(inputs))
        count = ops.add(ops.sum(ops.cast(seen, inputs.dtype), axes), EPSILON)
        mean = ops.divide(ops.sum(ops.where(seen, inputs, 0.0), axes), count)
        distance = ops.where(seen, ops.subtract(inputs, ops.expand_dims(mean, axes)), 0.0)
        return mean, ops.divide(ops.sum(ops.square(distance), axes), count)

    def _follow(self, moving: Any, value: Any) -> None:
        kept = ops.multiply(moving, self.momentum)
        moving.assign(ops.add(kept, ops.multiply(value, 1 - self.momentum)))
