"""How weights start. Random initializers draw from the shared generator, so they give the same bits on every engine.

An initializer's seed is fixed when it is made: calling it twice gives the same values, as in Keras 3.
"""

import math
from typing import Any

import numpy as np

from refnet import dtypes, random
from refnet.annotations import Array, Shape
from refnet.errors import ArgumentError, ShapeError
from refnet.initializers.constant import STFT as STFT
from refnet.initializers.constant import Constant as Constant
from refnet.initializers.constant import Identity as Identity
from refnet.initializers.constant import Initializer as Initializer
from refnet.initializers.constant import Ones as Ones
from refnet.initializers.constant import Zeros as Zeros
from refnet.naming import resolved, snake_case
from refnet.old_names import serve


class RandomInitializer(Initializer):
    """Base of the random ones: holds a seed.

    Args:
        seed: an integer or a SeedGenerator; one from the global stream if None.
    """

    def __init__(self, seed: Any = None):
        if isinstance(seed, dict):
            seed = random.SeedGenerator.from_config(seed["config"])
        if seed is not None and not isinstance(seed, (int, np.integer, random.SeedGenerator)):
            raise ArgumentError(f"{type(self).__name__}: seed is an integer, a SeedGenerator or None; got {seed!r}.")
        self.given = seed
        self.seed = random.next_seed() if seed is None else seed

    def get_config(self) -> dict[str, Any]:
        return {"seed": self.given}


class RandomNormal(RandomInitializer):
    """A normal distribution.

    >>> RandomNormal(seed=1)((2, 3)).shape
    (2, 3)
    """

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: Any = None):
        super().__init__(seed)
        self.mean, self.stddev = mean, stddev

    def __call__(self, shape: Shape, dtype: Any = None) -> Array:
        return random.normal(shape, self.mean, self.stddev, dtypes.standardize(dtype), self.seed)

    def get_config(self) -> dict[str, Any]:
        return {"mean": self.mean, "stddev": self.stddev, **super().get_config()}


class TruncatedNormal(RandomInitializer):
    """A normal distribution without what lies more than two standard deviations from the mean.

    >>> bool((abs(TruncatedNormal(seed=1)((50,))) <= 0.1).all())
    True
    """

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: Any = None):
        super().__init__(seed)
        self.mean, self.stddev = mean, stddev

    def __call__(self, shape: Shape, dtype: Any = None) -> Array:
        return random.truncated_normal(shape, self.mean, self.stddev, dtypes.standardize(dtype), self.seed)

    def get_config(self) -> dict[str, Any]:
        return {"mean": self.mean, "stddev": self.stddev, **super().get_config()}


class RandomUniform(RandomInitializer):
    """Evenly spread between two numbers.

    >>> bool((abs(RandomUniform(seed=1)((50,))) <= 0.05).all())
    True
    """

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: Any = None):
        super().__init__(seed)
        self.minval, self.maxval = minval, maxval

    def __call__(self, shape: Shape, dtype: Any = None) -> Array:
        return random.uniform(shape, self.minval, self.maxval, dtypes.standardize(dtype), self.seed)

    def get_config(self) -> dict[str, Any]:
        return {"minval": self.minval, "maxval": self.maxval, **super().get_config()}


TRUNCATED = 0.87962566103423978  # the standard deviation of a standard normal cut off at -2 and 2

MODES = ("fan_in", "fan_out", "fan_avg")
DISTRIBUTIONS = ("normal", "truncated_normal", "untruncated_normal", "uniform")


class VarianceScaling(RandomInitializer):
    """Random weights whose variance is `scale` divided by the number of inputs, of outputs, or their mean.

    Args:
        scale: above 0.
        mode: "fan_in", "fan_out" or "fan_avg".
        distribution: "truncated_normal" ("normal" means the same), "untruncated_normal" or "uniform".
        seed: see RandomInitializer.
        input_axes, output_axes: whose lengths multiplied are the numbers of inputs and of outputs; by the shape if None.
    Raises:
        ArgumentError: another mode or distribution, a scale that is not above 0.

    >>> abs(VarianceScaling(3.0, distribution="uniform", seed=1)((9, 50))).max() <= 1
    np.True_
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: Any = None,
        input_axes: Any = None,
        output_axes: Any = None,
    ):
        distribution = str(distribution).lower()
        if not scale > 0:
            raise ArgumentError(f"VarianceScaling: scale must be above 0; got {scale!r}.")
        for kind, value, known in (("mode", mode, MODES), ("distribution", distribution, DISTRIBUTIONS)):
            if value not in known:
                raise ArgumentError(f"VarianceScaling: {kind} is one of {', '.join(known)}; got {value!r}.")
        super().__init__(seed)
        self.scale, self.mode = scale, mode
        self.distribution = "truncated_normal" if distribution == "normal" else distribution
        self.input_axes, self.output_axes = input_axes, output_axes

    def __call__(self, shape: Shape, dtype: Any = None) -> Array:
        fan_in, fan_out = compute_fans(tuple(shape), self.input_axes, self.output_axes)
        fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        variance, dtype = self.scale / max(1.0, fan), dtypes.standardize(dtype)
        if self.distribution == "uniform":
            limit = math.sqrt(3 * variance)
            return random.uniform(shape, -limit, limit, dtype, self.seed)
        if self.distribution == "untruncated_normal":
            return random.normal(shape, 0.0, math.sqrt(variance), dtype, self.seed)
        return random.truncated_normal(shape, 0.0, math.sqrt(variance) / TRUNCATED, dtype, self.seed)

    def get_config(self) -> dict[str, Any]:
        own = {"scale": self.scale, "mode": self.mode, "distribution": self.distribution}
        return {**own, **super().get_config(), "input_axes": self.input_axes, "output_axes": self.output_axes}


def compute_fans(shape: Shape, input_axes: Any = None, output_axes: Any = None) -> tuple[int, int]:
    """How many inputs reach one output of a weight, and how many outputs one input reaches.

    >>> compute_fans((3, 3, 2, 8)), compute_fans((2, 3, 4), input_axes=[0], output_axes=[1, 2])
    ((18, 72), (2, 12))
    """
    if input_axes is not None and output_axes is not None:
        return math.prod(int(shape[a]) for a in input_axes), math.prod(int(shape[a]) for a in output_axes)
    if len(shape) < 2:
        size = int(shape[0]) if shape else 1
        return size, size
    field = math.prod(shape[:-2])
    return int(shape[-2] * field), int(shape[-1] * field)


class _Scaled(VarianceScaling):
    """A VarianceScaling with a name of its own."""

    parameters: tuple[float, str, str]

    def __init__(self, seed: Any = None, input_axes: Any = None, output_axes: Any = None):
        super().__init__(*self.parameters, seed=seed, input_axes=input_axes, output_axes=output_axes)

    def get_config(self) -> dict[str, Any]:
        return {"seed": self.given, "input_axes": self.input_axes, "output_axes": self.output_axes}


class GlorotUniform(_Scaled):
    """Uniform within sqrt(6 / (fan_in + fan_out)). Glorot and Bengio 2010.

    >>> bool((abs(GlorotUniform(seed=1)((2, 4))) <= 1).all())
    True
    """

    parameters = (1.0, "fan_avg", "uniform")


class GlorotNormal(_Scaled):
    """Truncated normal, variance 2 / (fan_in + fan_out). Glorot and Bengio 2010.

    >>> GlorotNormal(seed=1)((2, 4)).shape
    (2, 4)
    """

    parameters = (1.0, "fan_avg", "truncated_normal")


class HeUniform(_Scaled):
    """Uniform within sqrt(6 / fan_in). He et al. 2015.

    >>> bool((abs(HeUniform(seed=1)((6, 4))) <= 1).all())
    True
    """

    parameters = (2.0, "fan_in", "uniform")


class HeNormal(_Scaled):
    """Truncated normal, variance 2 / fan_in. He et al. 2015.

    >>> HeNormal(seed=1)((6, 4)).shape
    (6, 4)
    """

    parameters = (2.0, "fan_in", "truncated_normal")


class LecunUniform(_Scaled):
    """Uniform within sqrt(3 / fan_in). LeCun et al. 1998.

    >>> bool((abs(LecunUniform(seed=1)((3, 4))) <= 1).all())
    True
    """

    parameters = (1.0, "fan_in", "uniform")


class LecunNormal(_Scaled):
    """Truncated normal, variance 1 / fan_in. LeCun et al. 1998.

    >>> LecunNormal(seed=1)((3, 4)).shape
    (3, 4)
    """

    parameters = (1.0, "fan_in", "truncated_normal")


class Orthogonal(RandomInitializer):
    """Orthonormal rows or columns (all but the last axis taken as one), from the QR decomposition of normal draws.

    >>> q = Orthogonal(seed=1)((2, 2))
    >>> bool(abs(q @ q.T - [[1, 0], [0, 1]]).max() < 1e-6)
    True
    """

    def __init__(self, gain: float = 1.0, seed: Any = None):
        super().__init__(seed)
        self.gain = gain

    def __call__(self, shape: Shape, dtype: Any = None) -> Array:
        if len(shape) < 2:
            raise ShapeError(f"the orthogonal initializer needs at least two axes; got shape {tuple(shape)}.")
        rows, columns = math.prod(shape[:-1]), int(shape[-1])
        draws = random.normal((max(rows, columns), min(rows, columns)), dtype="float64", seed=self.seed)
        q, r = np.linalg.qr(np.asarray(draws))
        q = q * np.sign(np.diag(r))
        q = q.T if rows < columns else q
        return (self.gain * q.reshape(shape)).astype(dtypes.as_numpy(dtypes.standardize(dtype)))

    def get_config(self) -> dict[str, Any]:
        return {"gain": self.gain, **super().get_config()}


_CLASSES = (
    *(Zeros, Ones, Constant, Identity, RandomNormal, TruncatedNormal, RandomUniform, VarianceScaling, Orthogonal),
    STFT,
    *(GlorotUniform, GlorotNormal, HeUniform, HeNormal, LecunUniform, LecunNormal),
)
known: dict[str, Any] = {c.__name__: c for c in _CLASSES} | {snake_case(c.__name__): c for c in _CLASSES}
known |= {"zero": Zeros, "one": Ones, "normal": RandomNormal, "uniform": RandomUniform}
known |= {"IdentityInitializer": Identity, "OrthogonalInitializer": Orthogonal, "STFTInitializer": STFT}

# Keras's names in snake case
zeros, ones, constant, identity, orthogonal = Zeros, Ones, Constant, Identity, Orthogonal
random_normal, random_uniform, truncated_normal = RandomNormal, RandomUniform, TruncatedNormal
variance_scaling, glorot_uniform, glorot_normal = VarianceScaling, GlorotUniform, GlorotNormal
he_uniform, he_normal, lecun_uniform, lecun_normal = HeUniform, HeNormal, LecunUniform, LecunNormal
IdentityInitializer, OrthogonalInitializer, STFTInitializer, stft = Identity, Orthogonal, STFT, STFT


def get(identifier: Any) -> Any:
    """An initializer by name, config, as itself, as a function (shape, dtype), or as an array to start from.

    Raises:
        ArgumentError: an unknown name, with the near ones.
    """
    if isinstance(identifier, (np.ndarray, np.generic)):
        return _Given(np.array(identifier))
    return resolved("initializer", identifier, known)


class _Given(Initializer):
    """An array to start from, of the weight's shape."""

    def __init__(self, value: Array):
        self.value = value

    def __call__(self, shape: Shape, dtype: Any = None) -> Array:
        if tuple(shape) != self.value.shape:
            raise ShapeError(
                f"an array of shape {self.value.shape} cannot be the start of a weight of shape {tuple(shape)}."
            )
        return self.value.astype(dtypes.as_numpy(dtypes.standardize(dtype)))


def serialize(initializer: Initializer) -> Any:
    """An initializer as a config."""
    from refnet.saving.serialization import serialized

    return serialized(initializer)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """An initializer from what `serialize` gave.

    Args:
        config: the config.
        custom_objects: {name: class or function} of the user's.

    >>> deserialize(serialize(Constant(2.0)))((2,))
    array([2., 2.], dtype=float32)
    """
    from refnet.registration import custom_object_scope

    with custom_object_scope(custom_objects):
        return get(config)


serve(__name__)
