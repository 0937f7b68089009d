"""Batch normalization: by the batch's own mean and variance in training, by their moving averages at inference."""

from typing import Any

from refnet import initializers, ops, settings
from refnet.annotations import Array, Shape
from refnet.errors import ArgumentError, ShapeError
from refnet.layers.checks import share
from refnet.layers.normalization import Scaled, at_least_zero, axes_of, counted
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
        renorm: whether the batch's statistics are corrected in training by slower ones (Ioffe 2017):

                y = ((x - mean) / sqrt(variance + epsilon) * r + d) * gamma + beta
                r = stddev / renorm_stddev,  d = (mean - renorm_mean) / renorm_stddev,  stddev = sqrt(variance + epsilon)

            r and d count as constants. The moving variance then follows the square of a moving stddev.
        renorm_clipping: {"rmin": , "rmax": , "dmax": }: r is kept in rmin..rmax, d in -dmax..dmax; what is missing is no limit.
        renorm_momentum: the momentum of renorm_mean and renorm_stddev.
        synchronized: across devices; there is one, so that it must be False.
    Raises:
        ShapeError: inputs without the axis, an open number of channels, or another one than it was built for.
    Source: Ioffe and Szegedy 2015; Ioffe 2017; Chollet 7.3.1; see `ops.batch_normalization_training`.

    >>> BatchNormalization(epsilon=0.0)(np.array([[1.0], [3.0]]), training=True)
    array([[-1.],
           [ 1.]], dtype=float32)
    """

    inference_when_frozen = True
    supports_masking = True

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
        renorm: bool = False,
        renorm_clipping: Any = None,
        renorm_momentum: float = 0.99,
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
        self.renorm, self.renorm_momentum = bool(renorm), share(self.name, "renorm_momentum", renorm_momentum)
        self.renorm_clipping = self._limits(renorm_clipping)
        self.moving_mean_initializer = initializers.get(moving_mean_initializer)
        self.moving_variance_initializer = initializers.get(moving_variance_initializer)

    def _limits(self, given: Any) -> dict[str, float]:
        """renorm_clipping, checked."""
        if given is not None and (not isinstance(given, dict) or set(given) - {"rmin", "rmax", "dmax"}):
            raise ArgumentError(f"{self.name}: renorm_clipping is a dict with rmin, rmax and dmax; got {given!r}.")
        limits = {
            k: at_least_zero(self.name, f"renorm_clipping[{k!r}]", v) for k, v in (given or {}).items() if v is not None
        }
        if limits.get("rmin", 0.0) > limits.get("rmax", float("inf")):
            raise ArgumentError(f"{self.name}: renorm_clipping: rmin must not be above rmax; got {given!r}.")
        return limits

    def build(self, input_shape: Any) -> None:
        (axis,) = counted(self.name, self.axis, tuple(input_shape))
        self.features = (input_shape[axis],)
        self.make_scale(self.features)
        self.moving_mean = self.add_weight(
            self.features, self.moving_mean_initializer, trainable=False, autocast=False, name="moving_mean"
        )
        self.moving_variance = self.add_weight(
            self.features, self.moving_variance_initializer, trainable=False, autocast=False, name="moving_variance"
        )
        if self.renorm:
            self.moving_stddev = self.add_weight(
                self.features, self._stddev_initializer, trainable=False, autocast=False, name="moving_stddev"
            )
            self.renorm_mean = self.add_weight(
                self.features, self.moving_mean_initializer, trainable=False, autocast=False, name="renorm_mean"
            )
            self.renorm_stddev = self.add_weight(
                self.features, self._stddev_initializer, trainable=False, autocast=False, name="renorm_stddev"
            )

    def _stddev_initializer(self, shape: Shape, dtype: Any = None) -> Array:
        return ops.sqrt(self.moving_variance_initializer(shape, dtype=dtype))

    def samples_apart(self, rank: int | None) -> bool:
        return False

    def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        """`mask`: True where an element takes part in mean and variance; one axis less than the inputs."""
        (axis,) = counted(self.name, self.axis, inputs.shape)
        self.check_features((inputs.shape[axis],), self.features, inputs.shape)
        given = (axis, self.beta, self.gamma, self.epsilon)
        inputs = wide_enough(inputs)
        if not training:
            y = ops.batch_normalization(inputs, self.moving_mean, self.moving_variance, *given)
            return ops.cast(y, self.compute_dtype)
        if mask is None and not self.renorm:
            y, mean, variance = ops.batch_normalization_training(inputs, *given)
        else:
            mean, variance = self.moments(inputs, mask, axis)
            offset, scale = self.renormed(mean, variance) if self.renorm else (self.beta, self.gamma)
            y = ops.batch_normalization(inputs, mean, variance, axis, offset, scale, self.epsilon)
        self._follow(self.moving_mean, mean, self.momentum)
        if self.renorm:
            self._follow_renormed(mean, variance)
        else:
            self._follow(self.moving_variance, variance, self.momentum)
        return ops.cast(y, self.compute_dtype)

    def moments(self, inputs: Any, mask: Any, axis: int) -> tuple[Any, Any]:
        """Mean and variance of each channel, over the elements that the mask lets take part if there is one."""
        axes = tuple(a for a in range(len(inputs.shape)) if a != axis)
        if mask is None:
            return ops.moments(inputs, axes)
        if len(mask.shape) != len(inputs.shape) - 1:
            raise ShapeError(
                f"{self.name}: a mask has one axis less than the inputs; got a mask of shape {tuple(mask.shape)} for inputs of "
                f"shape {tuple(inputs.shape)}."
            )
        seen = ops.broadcast_to(ops.expand_dims(ops.cast(mask, "bool"), -1), ops.shape(inputs))
        count = ops.add(ops.sum(ops.cast(seen, inputs.dtype), axes), settings.epsilon())
        mean = ops.divide(ops.sum(ops.where(seen, inputs, 0.0), axes), count)
        distance = ops.where(seen, ops.subtract(inputs, ops.expand_dims(mean, axes)), 0.0)
        return mean, ops.divide(ops.sum(ops.square(distance), axes), count)

    def renormed(self, mean: Any, variance: Any) -> tuple[Any, Any]:
        """The offset and the scale that correct the batch's statistics and then do as beta and gamma."""
        stddev = ops.sqrt(ops.add(variance, self.epsilon))
        slow = ops.maximum(self.renorm_stddev, self.epsilon**0.5)  # not close to 0 early in training
        r, d = ops.divide(stddev, slow), ops.divide(ops.subtract(mean, self.renorm_mean), slow)
        limits = self.renorm_clipping
        r = ops.maximum(r, limits["rmin"]) if "rmin" in limits else r
        r = ops.minimum(r, limits["rmax"]) if "rmax" in limits else r
        d = ops.clip(d, -limits["dmax"], limits["dmax"]) if "dmax" in limits else d
        r, d = ops.stop_gradient(r), ops.stop_gradient(d)
        if self.gamma is not None:
            r, d = ops.multiply(r, self.gamma), ops.multiply(d, self.gamma)
        return d if self.beta is None else ops.add(d, self.beta), r

    def _follow_renormed(self, mean: Any, variance: Any) -> None:
        stddev = ops.sqrt(ops.add(variance, self.epsilon))
        self._follow(self.renorm_mean, mean, self.renorm_momentum)
        self._follow(self.renorm_stddev, stddev, self.renorm_momentum)
        moved = self._follow(self.moving_stddev, stddev, self.momentum)
        self.moving_variance.assign(ops.relu(ops.subtract(ops.square(moved), self.epsilon)))

    def _follow(self, moving: Any, value: Any, momentum: float) -> Any:
        """Assigns the moving value's next one; gives it."""
        moved = ops.add(ops.multiply(moving, momentum), ops.multiply(value, 1 - momentum))
        moving.assign(moved)
        return moved
