"""Numbers made ready for a network by what their data have shown: Normalization and Discretization."""

import math
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from refnet import dtypes, ops, settings
from refnet.annotations import Array
from refnet.arrays import as_array
from refnet.errors import ArgumentError, DtypeError, ShapeError, shown
from refnet.layers.base import Layer
from refnet.layers.checks import behind_the_batch
from refnet.layers.encoding import encoded, no_sparse, output_mode_of
from refnet.utils.py_dataset import PyDataset


def batches_of(layer: str, data: Any, steps: int | None = None) -> Iterator[Array]:
    """The batches that `adapt` sees: of an array itself, of a data set or any iterable its batches' inputs; empty ones teach nothing.

    Raises:
        ArgumentError: nothing to learn from.  DtypeError: what are no numbers.
    """
    if isinstance(data, np.ndarray) or hasattr(data, "__array__"):
        found: Iterable[Any] = [data]
    elif isinstance(data, PyDataset):
        found = (data[i] for i in range(len(data)))
    elif isinstance(data, Iterable) and not isinstance(data, (str, bytes, dict)):
        plain = isinstance(data, (list, tuple)) and len(data) > 0 and np.ndim(data[0]) == 0
        found = [np.asarray(data)] if plain else data
    else:
        raise ArgumentError(f"{layer}.adapt takes an array, a data set or batches; got {shown(data)}.")
    count, seen = 0, False
    for batch in found:
        if steps is not None and count >= steps:
            break
        count += 1
        array = as_array(batch[0] if isinstance(batch, tuple) else batch, f"{layer}.adapt: a batch")
        if not dtypes.of_numbers(array.dtype):
            raise DtypeError(f"{layer}.adapt: data must hold numbers; got an array of dtype {array.dtype}.")
        if array.size:
            seen = True
            yield array
    if not count:
        raise ArgumentError(f"{layer}.adapt: there are no batches to learn from.")
    if not seen:
        raise ArgumentError(f"{layer}.adapt: the data hold no numbers to learn from; all batches are empty.")


class Normalization(Layer):
    """Features brought to mean 0 and variance 1.

        y = (x - mean) / max(sqrt(variance), epsilon);   with invert:  y = x * max(sqrt(variance), epsilon) + mean

    Args:
        axis: the axis or axes each of whose places has a mean of its own; None: one mean for all.
        mean, variance: given together; else `adapt` learns them.
        invert: whether the way back is meant.

    >>> layer = Normalization(axis=-1)
    >>> layer.adapt(np.array([[0.0, 7.0], [2.0, 9.0]]))
    >>> layer(np.array([[0.0, 9.0]]))
    array([[-1.,  1.]], dtype=float32)
    """

    one_tensor = True

    def __init__(self, axis: Any = -1, mean: Any = None, variance: Any = None, invert: bool = False, **more: Any):
        super().__init__(**more)
        axes = () if axis is None else tuple(axis) if isinstance(axis, (tuple, list)) else (axis,)
        if any(isinstance(a, bool) or not isinstance(a, (int, np.integer)) for a in axes):
            raise ArgumentError(f"{self.name}: axis is an integer, several of them, or None; got {axis!r}.")
        if (mean is None) != (variance is None):
            raise ArgumentError(
                f"{self.name}: give mean and variance together; got mean={mean!r}, variance={variance!r}."
            )
        if np.shape(mean) != np.shape(variance):
            raise ShapeError(f"{self.name}: mean has shape {np.shape(mean)}, variance {np.shape(variance)}.")
        if np.ndim(mean) > len(axes):
            raise ShapeError(f"{self.name}: mean has shape {np.shape(mean)}, but only the axes {axes} have means.")
        self.axis, self.invert = axes, invert
        self.input_mean, self.input_variance = mean, variance

    def build(self, input_shape: Any) -> None:
        shape = tuple(input_shape)
        rank = len(shape)
        if any(not -rank <= a < rank for a in self.axis):
            raise ShapeError(f"{self.name}: the axes {self.axis} are not all axes of inputs of shape {shape}.")
        self.kept = sorted(a % rank for a in self.axis)
        if np.ndim(self.input_mean) == 0 and self.input_mean is not None:
            self.kept = []  # one mean for all
        if any(shape[a] is None for a in self.kept):
            raise ShapeError(f"{self.name}: the axes {self.axis} need a known length; got shape {shape}.")
        self.broadcast = tuple(shape[a] if a in self.kept else 1 for a in range(rank))
        own = tuple(shape[a] for a in self.kept)
        if self.input_mean is None:
            self.adapt_mean = self.add_weight(own, "zeros", trainable=False, name="mean")
            self.adapt_variance = self.add_weight(own, "ones", trainable=False, name="variance")
            self.count = self.add_weight((), "zeros", dtype="int32", trainable=False, name="count")
        else:
            try:
                self.given = [np.broadcast_to(np.asarray(v, dtypes.as_numpy(self.dtype)), own) for v in self._given()]
            except ValueError:
                raise ShapeError(
                    f"{self.name}: mean has shape {np.shape(self.input_mean)}; the axes {self.axis} of inputs of shape {shape} "
                    f"need {own}."
                ) from None
        self.built = True

    def _given(self) -> tuple[Any, Any]:
        return self.input_mean, self.input_variance

    @property
    def mean(self) -> Any:
        """What is subtracted, with the inputs' number of axes; once the layer has been adapted or built."""
        return self._learned(0)

    @property
    def variance(self) -> Any:
        """The square of what is divided by; see `mean`."""
        return self._learned(1)

    def _learned(self, which: int) -> Any:
        if not self.built:
            raise AttributeError(f"{self.name} has no mean and variance yet: call adapt(data) first, or give them.")
        learned = (self.adapt_mean, self.adapt_variance) if self.input_mean is None else self.given
        return ops.reshape(learned[which], self.broadcast)

    def adapt(self, data: Any) -> None:
        """Learns mean and variance, and forgets what was learned before.

        Args:
            data: an array, a PyDataset, or an iterable of batches; of (x, y) batches the x count.
        Raises:
            ArgumentError: mean and variance were given; no data.  ShapeError: batches that do not fit.
        """
        if self.input_mean is not None:
            raise ArgumentError(f"{self.name}.adapt: mean and variance were given when the layer was made.")
        mean: Any = 0.0
        variance: Any = 0.0
        total = 0
        for batch in batches_of(self.name, data):
            if not self.built:
                self.build((None, *batch.shape[1:]) if 0 not in [a % batch.ndim for a in self.axis] else batch.shape)
            if len(batch.shape) != len(self.broadcast) or any(batch.shape[a] != self.broadcast[a] for a in self.kept):
                raise ShapeError(
                    f"{self.name}.adapt: it was built for {self.broadcast}; got data of shape {batch.shape}."
                )
            reduced = tuple(a for a in range(batch.ndim) if a not in self.kept)
            x = batch.astype(np.float64)
            count = math.prod(batch.shape[a] for a in reduced)
            total += count
            share, own = count / total, x.mean(reduced)
            moved = mean * (1 - share) + own * share
            variance = (variance + (mean - moved) ** 2) * (1 - share) + (x.var(reduced) + (own - moved) ** 2) * share
            mean = moved
        self.adapt_mean.set(np.asarray(mean, dtypes.as_numpy(self.dtype)))
        self.adapt_variance.set(np.asarray(variance, dtypes.as_numpy(self.dtype)))

    def samples_apart(self, rank: int | None) -> bool:
        return behind_the_batch(self.axis, rank)

    def call(self, inputs: Any) -> Any:
        if len(inputs.shape) != len(self.broadcast):
            raise ShapeError(
                f"{self.name} was built for inputs of {len(self.broadcast)} axes, got shape {inputs.shape}."
            )
        x = ops.cast(inputs, self.compute_dtype)
        mean = ops.cast(self.mean, self.compute_dtype)
        deviation = ops.cast(ops.maximum(ops.sqrt(self.variance), settings.epsilon()), self.compute_dtype)
        if self.invert:
            return ops.add(mean, ops.multiply(x, deviation))
        return ops.divide(ops.subtract(x, mean), deviation)

    def get_config(self) -> dict[str, Any]:
        own = {"axis": list(self.axis) if self.axis else None, "invert": self.invert}
        given = {"mean": self.input_mean, "variance": self.input_variance}
        plain = {word: None if v is None else np.asarray(v).tolist() for word, v in given.items()}
        return {**own, **plain, "name": self.name, "trainable": self.trainable, "dtype": self.dtype_policy.name}


class Discretization(Layer):
    """Numbers replaced by the number of the bin they lie in.

        y = the number of boundaries that are not above x

    Args:
        bin_boundaries: increasing numbers: n of them make n + 1 bins.
        num_bins: instead, how many bins `adapt` makes, about equally full.
        epsilon: how finely `adapt` looks: it keeps about 1 / epsilon numbers of the data.
        output_mode: "int", or rows as in CategoryEncoding: "one_hot", "multi_hot", "count".
        sparse: must be False.

    >>> Discretization([0.0, 1.0, 2.0])(np.array([[-1.5, 1.0, 3.4, 0.5]]))
    array([[0, 2, 3, 1]], dtype=int32)
    """

    def __init__(
        self,
        bin_boundaries: Any = None,
        num_bins: int | None = None,
        epsilon: float = 0.01,
        output_mode: str = "int",
        sparse: bool = False,
        dtype: Any = None,
        name: str | None = None,
        **more: Any,
    ):
        super().__init__(dtype=dtype, name=name, **more)
        no_sparse(self.name, sparse)
        if (bin_boundaries is None) == (num_bins is None):
            raise ArgumentError(f"{self.name}: give bin_boundaries, or num_bins and call adapt.")
        if num_bins is not None and (isinstance(num_bins, bool) or int(num_bins) != num_bins or num_bins < 1):
            raise ArgumentError(f"{self.name}: num_bins must be an integer of at least 1; got {num_bins!r}.")
        self.bin_boundaries: list[float] | None = None
        if bin_boundaries is not None:
            self.bin_boundaries = self.checked(bin_boundaries)
        self.num_bins, self.epsilon, self.sparse = num_bins, epsilon, sparse
        self.output_mode, self.built = output_mode_of(self.name, output_mode), True

    def checked(self, boundaries: Any) -> list[float]:
        numbers = np.asarray(boundaries)
        if numbers.ndim != 1 or numbers.dtype.kind not in "iuf" or (np.diff(numbers) < 0).any():
            raise ArgumentError(f"{self.name}: bin_boundaries is a list of increasing numbers; got {boundaries!r}.")
        return [float(v) for v in numbers]

    def adapt(self, data: Any, steps: int | None = None) -> None:
        """Learns the boundaries of num_bins bins, and forgets what was learned before.

        Args:
            data: an array, a PyDataset, or an iterable of batches.
            steps: how many batches are seen; None: all.
        Raises:
            ArgumentError: the boundaries were given; no data.
        Source: Keras 3 `layers.Discretization` (quantiles of a summary that is merged batch by batch).
        """
        if self.num_bins is None:
            raise ArgumentError(f"{self.name}.adapt: bin_boundaries were given; give num_bins instead to learn them.")
        summary = np.zeros((2, 0), np.float32)
        for batch in batches_of(self.name, data, steps):
            both = np.concatenate([summarized(batch.astype(np.float32), self.epsilon), summary], 1)
            summary = compressed(both[:, np.argsort(both[0])], self.epsilon)
        boundaries = compressed(summary, 1.0 / self.num_bins)[0, :-1]
        self.bin_boundaries = [float(v) for v in boundaries]
        self._programs.clear()  # they hold the old boundaries

    def call(self, inputs: Any) -> Any:
        if self.bin_boundaries is None:
            raise ArgumentError(f"{self.name} has no boundaries yet: call adapt(data) first, or give bin_boundaries.")
        dtype = self.dtype if dtypes.is_floating(self.dtype) else dtypes.floatx()  # boundaries lie between integers too
        numbers = ops.digitize(inputs, np.asarray(self.bin_boundaries, dtypes.as_numpy(dtype)))
        dtype = "int32" if self.output_mode == "int" else self.compute_dtype
        return encoded(numbers, self.output_mode, len(self.bin_boundaries) + 1, dtype)

    def get_config(self) -> dict[str, Any]:
        names = ("bin_boundaries", "num_bins", "epsilon", "output_mode", "sparse", "name", "dtype")
        return {name: getattr(self, name) for name in names}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Discretization":
        """A new layer from what get_config gave, with the boundaries that were learned."""
        learned = config.get("bin_boundaries")
        if learned is None or config.get("num_bins") is None:
            return super().from_config(config)  # type: ignore[no-any-return]
        layer = super().from_config({**config, "bin_boundaries": None})
        layer.bin_boundaries = layer.checked(learned)
        return layer  # type: ignore[no-any-return]


def summarized(values: Array, epsilon: float) -> Array:
    """About 1 / epsilon of the values, evenly spread over their ranks, each with the number it stands for."""
    ordered = np.sort(values.reshape(-1))
    step = max(ordered.size * epsilon, 1)
    boundaries = ordered[int(step - 1) :: int(step)]
    return np.stack([boundaries, np.ones_like(boundaries) * step])


def compressed(summary: Array, epsilon: float) -> Array:
    """A summary with about 1 / epsilon values."""
    if summary.shape[1] * epsilon < 1:
        return summary
    shares = epsilon + np.arange(0.0, 1.0, epsilon)
    totals = summary[1].cumsum()
    places = totals / totals[-1]
    values, weights = np.interp(shares, places, summary[0]), np.interp(shares, places, totals)
    return np.stack([values, np.diff(weights, prepend=0)]).astype(np.float32)
