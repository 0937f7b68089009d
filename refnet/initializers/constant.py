"""How weights start that are not drawn: one value, the identity, the waves of a Fourier transform."""

import math
from typing import Any

import numpy as np

from refnet import dtypes, ops
from refnet.annotations import Array, Shape
from refnet.errors import ArgumentError, ShapeError, shown
from refnet.ops.tapers import named_window


class Initializer:
    """A function (shape, dtype) -> array; a subclass writes `__call__`.

    >>> class Twos(Initializer):
    ...     def __call__(self, shape, dtype=None):
    ...         return ops.full(shape, 2.0)
    >>> Twos()((2,))
    array([2., 2.], dtype=float32)
    """

    def __call__(self, shape: Shape, dtype: Any = None) -> Array:
        raise NotImplementedError(f"{type(self).__name__} has no __call__")

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Initializer":
        """A new initializer from what get_config gave."""
        return cls(**config)

    def clone(self) -> "Initializer":
        """A new one with the same arguments."""
        return type(self).from_config(self.get_config())


class Zeros(Initializer):
    """All 0.

    >>> Zeros()((2,))
    array([0., 0.], dtype=float32)
    """

    def __call__(self, shape: Shape, dtype: Any = None) -> Array:
        return ops.zeros(shape, dtypes.standardize(dtype))


class Ones(Initializer):
    """All 1.

    >>> Ones()((2,))
    array([1., 1.], dtype=float32)
    """

    def __call__(self, shape: Shape, dtype: Any = None) -> Array:
        return ops.ones(shape, dtypes.standardize(dtype))


class Constant(Initializer):
    """One value everywhere, or an array that broadcasts to the shape.

    >>> Constant([1.0, 2.0])((2, 2))
    array([[1., 2.],
           [1., 2.]], dtype=float32)
    """

    def __init__(self, value: Any = 0.0):
        self.value = value

    def __call__(self, shape: Shape, dtype: Any = None) -> Array:
        return ops.full(shape, self.value, dtypes.standardize(dtype))

    def get_config(self) -> dict[str, Any]:
        return {"value": self.value}


class Identity(Initializer):
    """`gain` on the diagonal of a matrix, 0 elsewhere.

    >>> Identity(2.0)((2, 2))
    array([[2., 0.],
           [0., 2.]], dtype=float32)
    """

    def __init__(self, gain: float = 1.0):
        self.gain = gain

    def __call__(self, shape: Shape, dtype: Any = None) -> Array:
        if len(shape) != 2:
            raise ShapeError(f"the identity initializer makes matrices; got shape {tuple(shape)}.")
        return ops.multiply(ops.eye(*shape, dtype=dtypes.standardize(dtype)), self.gain)

    def get_config(self) -> dict[str, Any]:
        return {"gain": self.gain}


SIDES = ("real", "imag")
SCALINGS = ("density", "spectrum", None)


def checked_scaling(owner: str, scaling: Any) -> Any:
    """Raises ArgumentError for another scaling than "density", "spectrum" and None."""
    if scaling is not None and scaling not in SCALINGS:
        raise ArgumentError(f"{owner}: scaling is 'density', 'spectrum' or None; got {shown(scaling)}.")
    return scaling


class STFT(Initializer):
    """The kernel of a convolution that gives the frequencies of a signal, piece by piece: their real or their imaginary parts.

        k[t, 0, f] = w[t] cos(2 pi t f / F) / s  for "real",  -w[t] sin(2 pi t f / F) / s  for "imag",   F = 2 (frequencies - 1)

    w is the window, and s its length sqrt(sum of w**2) for "density", the sum of |w| for "spectrum", 1 for None; without a window both are 1.

    Args:
        side: "real" or "imag".
        window: a name ("hann", "hamming", "blackman", "bartlett", "boxcar"; where SciPy is installed those of `scipy.signal.get_window`
            too), an array with a number for each place of a piece, or None.
        scaling: "density", "spectrum" or None.
        periodic: whether the window of a name is one period of a function, instead of symmetric.
    Raises:
        ArgumentError: another side, scaling or name.  ShapeError: in a call, a shape that is not (places, 1, at least 2 frequencies),
            a window of another length.
    Source: Keras 3 `initializers.STFT`, which computes the angles in the weights' dtype: for long pieces of float32 it loses digits.

    >>> STFT("real", window=None)((4, 1, 3))[:, 0].round(6)
    array([[ 1.,  1.,  1.],
           [ 1.,  0., -1.],
           [ 1., -1.,  1.],
           [ 1., -0., -1.]], dtype=float32)
    """

    def __init__(
        self, side: str = "real", window: Any = "hann", scaling: str | None = "density", periodic: bool = False
    ):
        if side not in SIDES:
            raise ArgumentError(f"STFT: side is 'real' or 'imag'; got {shown(side)}.")
        if isinstance(window, str):
            named_window("STFT", window, 1, False)
        self.side, self.window, self.periodic = side, window, periodic
        self.scaling = checked_scaling("STFT", scaling)

    def __call__(self, shape: Shape, dtype: Any = None) -> Array:
        shape = tuple(shape)
        if len(shape) != 3 or shape[1] != 1 or shape[2] < 2:
            raise ShapeError(
                f"the STFT initializer makes kernels (places, 1, at least 2 frequencies); got shape {shape}."
            )
        count, _, frequencies = shape
        period = 2 * (frequencies - 1)
        turns = (
            np.arange(count)[:, None] * np.arange(frequencies) % period
        )  # whole numbers: the angles stay small and exact
        angles = turns * (2 * math.pi / period)
        kernel = (np.cos(angles) if self.side == "real" else -np.sin(angles)) * self._scaled_window(count)[:, None]
        return kernel[:, None].astype(dtypes.as_numpy(dtypes.standardize(dtype)))

    def _scaled_window(self, count: int) -> Array:
        if self.window is None:
            return np.ones(count)
        if isinstance(self.window, str):
            window = named_window("STFT", self.window, count, self.periodic)
        else:
            window = np.asarray(self.window, "float64")
        if window.shape != (count,):
            raise ShapeError(
                f"STFT: the window must have a number for each of {count} places; got shape {window.shape}."
            )
        if self.scaling is None:
            return window
        return window / (np.sqrt(np.square(window).sum()) if self.scaling == "density" else np.abs(window).sum())

    def get_config(self) -> dict[str, Any]:
        return {"side": self.side, "window": self.window, "periodic": self.periodic, "scaling": self.scaling}
