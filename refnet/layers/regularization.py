"""Noise in training, and penalties on what passes through."""

import math
from typing import Any

from refnet import ops, random, regularizers
from refnet.errors import ArgumentError
from refnet.layers.base import Layer
from refnet.layers.checks import SPATIAL, check_rank, data_format_of, share
from refnet.layers.core import Dropout, as_floats, each_its_own_noise
from refnet.ops.activation import SELU_ALPHA, SELU_SCALE


class GaussianNoise(Layer):
    """In training, adds noise; at inference, nothing.

        y = x + normal(0, stddev)

    Args:
        stddev: the noise's standard deviation, 0 to 1.
        seed: an integer, for draws that do not depend on the seed of the whole program.

    >>> GaussianNoise(0.1)(np.array([1.0, 2.0]))
    array([1., 2.], dtype=float32)
    >>> GaussianNoise(0.1, seed=1)(np.zeros((2, 3)), training=True).shape
    (2, 3)
    """

    one_tensor = True

    supports_masking = True

    def __init__(self, stddev: float, seed: Any = None, **more: Any):
        super().__init__(**more)
        self.stddev, self.seed = share(self.name, "stddev", stddev), seed
        self.key = random.next_seed() if seed is None else seed
        self.built = True

    def call(self, inputs: Any, training: Any = None) -> Any:
        x = as_floats(self, inputs)
        if not training or self.stddev == 0:
            return x
        return ops.add(x, random.normal(ops.shape(inputs), 0.0, self.stddev, self.compute_dtype, self.key))


class GaussianDropout(Layer):
    """In training, multiplies by noise around 1; at inference, nothing.

        y = x * normal(1, sqrt(rate / (1 - rate)))

    Args:
        rate: what the rate of Dropout with the same spread would be, 0 to below 1.
        seed: as in GaussianNoise.

    >>> GaussianDropout(0.5)(np.array([1.0, 2.0]))
    array([1., 2.], dtype=float32)
    """

    one_tensor = True

    supports_masking = True

    def __init__(self, rate: float, seed: Any = None, **more: Any):
        super().__init__(**more)
        self.rate, self.seed = share(self.name, "rate", rate, one=False), seed
        self.key = random.next_seed() if seed is None else seed
        self.built = True

    def call(self, inputs: Any, training: Any = None) -> Any:
        x = as_floats(self, inputs)
        if not training or self.rate == 0:
            return x
        stddev = math.sqrt(self.rate / (1 - self.rate))
        return ops.multiply(x, random.normal(ops.shape(inputs), 1.0, stddev, self.compute_dtype, self.key))


class AlphaDropout(Layer):
    """In training, sets elements at random to the value that selu tends to, and keeps mean and variance; else nothing.

    Args:
        rate: the share that is dropped, 0 to below 1.
        noise_shape: the shape of the mask, broadcast to the inputs; None entries (and None) mean the inputs' own.
        seed: as in GaussianNoise.

    >>> AlphaDropout(0.5)(np.array([1.0, 2.0]))
    array([1., 2.], dtype=float32)
    """

    one_tensor = True

    supports_masking = True

    def __init__(self, rate: float, noise_shape: Any = None, seed: Any = None, **more: Any):
        super().__init__(**more)
        self.rate, self.noise_shape, self.seed = share(self.name, "rate", rate, one=False), noise_shape, seed
        self.key = random.next_seed() if seed is None else seed
        self.built = True

    def call(self, inputs: Any, training: Any = None) -> Any:
        x = as_floats(self, inputs)
        if not training or self.rate == 0:
            return x
        low = -SELU_ALPHA * SELU_SCALE  # the limit of selu at -infinity
        a = ((1 - self.rate) * (1 + self.rate * low**2)) ** -0.5
        own = ops.shape(x)
        shape = own if self.noise_shape is None else [n if d is None else d for d, n in zip(self.noise_shape, own)]
        drawn = random.uniform(tuple(shape), 0.0, 1.0, self.compute_dtype, self.key)
        kept = ops.where(ops.greater_equal(drawn, self.rate), x, low)
        return ops.add(ops.multiply(kept, a), -a * low * self.rate)

    def samples_apart(self, rank: int | None) -> bool:
        return each_its_own_noise(self.noise_shape)


class SpatialDropout(Dropout):
    """Base of layers that drop whole feature maps."""

    axes = 1

    def __init__(self, rate: float, data_format: Any = None, seed: Any = None, **more: Any):
        super().__init__(rate, seed=seed, **more)
        self.data_format = data_format_of(self.name, data_format)

    def call(self, inputs: Any, training: Any = None) -> Any:
        last = self.data_format == "channels_last"
        check_rank(self.name, inputs, self.axes + 2, SPATIAL[self.axes] if last else "batch, channels, space")
        x = as_floats(self, inputs)
        if not training or self.rate == 0:
            return x
        ones = (1,) * self.axes
        shape = (None, *ones, None) if last else (None, None, *ones)
        return random.dropout(x, self.rate, shape, self.key)

    def get_config(self) -> dict[str, Any]:
        """Without `trainable`, which Keras's layers of these names refuse; there is nothing to train."""
        config = super().get_config()
        config.pop("trainable")
        return config


class SpatialDropout1D(SpatialDropout):
    """Dropout of whole channels of (batch, steps, channels).

    Args:
        rate, seed: as in Dropout.

    >>> SpatialDropout1D(0.5, seed=0)(np.ones((1, 3, 4)), training=True)
    array([[[0., 2., 2., 2.],
            [0., 2., 2., 2.],
            [0., 2., 2., 2.]]], dtype=float32)
    """

    def __init__(self, rate: float, seed: Any = None, name: str | None = None, dtype: Any = None, **more: Any):
        super().__init__(rate, "channels_last", seed, name=name, dtype=dtype, **more)  # whatever images have


class SpatialDropout2D(SpatialDropout):
    """Dropout of whole channels of images.

    Args:
        rate, seed: as in Dropout.
        data_format: "channels_last" or "channels_first"; `config.image_data_format()` if None.

    >>> SpatialDropout2D(0.5)(np.ones((1, 4, 4, 2))).shape
    (1, 4, 4, 2)
    """

    axes = 2

    def __init__(
        self,
        rate: float,
        data_format: Any = None,
        seed: Any = None,
        name: str | None = None,
        dtype: Any = None,
        **more: Any,
    ):
        super().__init__(rate, data_format, seed, name=name, dtype=dtype, **more)


class SpatialDropout3D(SpatialDropout2D):
    """Dropout of whole channels of volumes; arguments as in SpatialDropout2D.

    >>> SpatialDropout3D(0.5)(np.ones((1, 2, 4, 4, 2))).shape
    (1, 2, 4, 4, 2)
    """

    axes = 3


class ActivityRegularization(Layer):
    """Nothing but a penalty on what passes through: (l1 * sum |x| + l2 * sum x^2) / batch, added to the loss.

    Args:
        l1, l2: its factors.

    >>> layer = ActivityRegularization(l1=0.1)
    >>> layer(np.array([[1.0, -2.0]]))
    array([[ 1., -2.]], dtype=float32)
    """

    supports_masking = True

    def __init__(self, l1: float = 0.0, l2: float = 0.0, **more: Any):
        if "activity_regularizer" in more:
            raise ArgumentError("ActivityRegularization: give l1 and l2; it has no argument 'activity_regularizer'.")
        super().__init__(activity_regularizer=regularizers.L1L2(l1, l2) if l1 or l2 else None, **more)
        self.l1, self.l2, self.built = l1, l2, True

    def call(self, inputs: Any) -> Any:
        return inputs

    def samples_apart(self, rank: int | None) -> bool:
        return False
