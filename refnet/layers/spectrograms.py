"""Signals as pictures of their frequencies over time."""

import math
import warnings
from typing import Any

import numpy as np

from refnet import dtypes, engine, initializers, ops, settings
from refnet.annotations import Array
from refnet.arrays import as_array
from refnet.errors import ArgumentError, DtypeError, ShapeError
from refnet.graph import Tensor
from refnet.initializers.constant import checked_scaling
from refnet.layers.base import Layer
from refnet.layers.checks import above_zero, whole
from refnet.layers.spatial import Spatial
from refnet.ops.arguments import flag
from refnet.ops.windows import checked_padding

MODES = ("log", "magnitude", "psd", "real", "imag", "angle", "stft")


class STFTSpectrogram(Spatial):
    """The frequencies of signals, piece by piece, by convolutions whose kernels can be trained.

        re[n, i, c, f] + i im[n, i, c, f] = sum over t of  x[n, i * step + t - before, c] w[t] e**(-2 pi i t f / F) / s

    See `initializers.STFT` for the window w and the scale s.

    Args:
        mode: what becomes of the two parts: "magnitude" m = sqrt(max(re**2 + im**2, epsilon)), "log" ln(max(m, epsilon)), "psd"
            re**2 + im**2, doubled but for the first and the last frequency, "real", "imag", "angle" arctan2(im, re), or "stft", the real
            parts before the imaginary ones. epsilon is `config.epsilon()`.
        frame_length: places in a piece.
        frame_step: places from one piece to the next, at most frame_length; half of that if None.
        fft_length: F, at least frame_length; the next power of two if None. There are F // 2 + 1 frequencies.
            (The formula's F is even, as in Keras: the next smaller number of an odd one.)
        window: a name, an array or None, see `initializers.STFT`.
        periodic, scaling: see there.
        padding: "valid" (pieces inside the signal) or "same" (ceil(steps / frame_step) pieces).
        expand_dims: whether channels have an axis of their own behind the frequencies, as images have.
        data_format: "channels_last" or "channels_first"; `config.image_data_format()` if None.
    Inputs:
        (batch, steps, channels), or (batch, channels, steps) with channels first; float16, float32 or float64.
    Returns:
        (batch, pieces, channels * frequencies), with expand_dims (batch, pieces, frequencies, channels); with channels first
        (batch, channels * frequencies, pieces), with expand_dims (batch, channels, pieces, frequencies).
    Raises:
        ArgumentError: another mode, scaling, padding, window or data format, lengths that do not fit.  ShapeError: rank.
        DtypeError: another dtype, whole numbers among them.
    Source: Keras 3 `layers.STFTSpectrogram`.

    >>> layer = STFTSpectrogram("magnitude", 4, 2, window=None, scaling=None, trainable=False)
    >>> layer(np.array([[[1.0], [0.0], [-1.0], [0.0], [1.0], [0.0]]], "float32")).round(2)
    array([[[0., 2., 0.],
            [0., 2., 0.]]], dtype=float32)
    """

    real_kernel: Any = None
    imag_kernel: Any = None

    def __init__(
        self,
        mode: str = "log",
        frame_length: int = 256,
        frame_step: int | None = None,
        fft_length: int | None = None,
        window: Any = "hann",
        periodic: bool = False,
        scaling: str | None = "density",
        padding: str = "valid",
        expand_dims: bool = False,
        data_format: str | None = None,
        **more: Any,
    ):
        super().__init__(data_format=data_format, **more)
        self.built = False
        if mode not in MODES:
            raise ArgumentError(f"{self.name}: mode is one of {', '.join(MODES)}; got {mode!r}.")
        self.mode, self.frame_length = mode, whole(self.name, "frame_length", frame_length, 1)
        self.frame_step, self.fft_length = frame_step, fft_length
        self._step = max(frame_length // 2, 1) if frame_step is None else whole(self.name, "frame_step", frame_step, 1)
        if self._step > frame_length:
            raise ArgumentError(
                f"{self.name}: frame_step must not be greater than frame_length = {frame_length}; got {frame_step}."
            )
        least = max(frame_length, 2)  # of one frequency alone there is no transform
        self._period = 2 ** math.ceil(math.log2(least))
        if fft_length is not None:
            self._period = whole(self.name, "fft_length", fft_length, least)
            if fft_length & (fft_length - 1):
                warnings.warn(
                    f"{self.name}: fft_length should be a power of two; got {fft_length}.", UserWarning, stacklevel=2
                )
        self.window, self.periodic = window, flag(self.name, periodic, "periodic")
        self.scaling = checked_scaling(self.name, scaling)
        self.padding = checked_padding(self.name, padding, ("valid", "same"))
        self.expand_dims = flag(self.name, expand_dims, "expand_dims")
        self._kernel_initializer("real")

    def _kernel_initializer(self, side: str) -> Any:
        return initializers.STFT(side, self.window, self.scaling, self.periodic)

    def build(self, input_shape: Any) -> None:
        self.space(input_shape)
        shape = (self.frame_length, 1, self._period // 2 + 1)
        if self.mode != "imag":
            self.real_kernel = self.add_weight(shape, self._kernel_initializer("real"), name="real_kernel")
        if self.mode != "real":
            self.imag_kernel = self.add_weight(shape, self._kernel_initializer("imag"), name="imag_kernel")

    def call(self, inputs: Any) -> Any:
        self.space(inputs)
        if inputs.dtype not in ("float16", "float32", "float64"):
            raise DtypeError(
                f"{self.name} takes float16, float32 or float64; got {inputs.dtype}. Cast the signals with ops.cast."
            )
        parts = [self._pieces(inputs, kernel) for kernel in (self.real_kernel, self.imag_kernel) if kernel is not None]
        if self.mode in ("real", "imag", "stft"):
            return self._laid_out(ops.concatenate(parts, -1))
        real, imag = parts
        if self.mode == "angle":
            return self._laid_out(ops.arctan2(imag, real))
        power = ops.add(ops.square(real), ops.square(imag))
        if self.mode == "psd":
            inner = ops.pad(ops.get_item(power, (..., slice(1, -1))), ((0, 0), (0, 0), (0, 0), (1, 1)))
            return self._laid_out(ops.add(power, inner))
        magnitude = self._laid_out(ops.sqrt(ops.maximum(power, settings.epsilon())))
        return magnitude if self.mode == "magnitude" else ops.log(ops.maximum(magnitude, settings.epsilon()))

    def _pieces(self, inputs: Any, kernel: Any) -> Any:
        """(batch, channels, pieces, frequencies): the signals are rows of images, on each of which the same kernel is laid."""
        rows = ops.transpose(inputs, (0, 2, 1)) if self.data_format == "channels_last" else inputs
        kernel = ops.expand_dims(ops.cast(kernel, inputs.dtype), 0)
        return ops.conv(ops.expand_dims(rows, -1), kernel, (1, self._step), self.padding, "channels_last")

    def _laid_out(self, y: Any) -> Any:
        """From (batch, channels, pieces, frequencies) to what is returned."""
        batch, channels, pieces, frequencies = ops.shape(y)
        if self.expand_dims:
            return ops.transpose(y, (0, 2, 3, 1)) if self.data_format == "channels_last" else y
        if self.data_format == "channels_last":
            return ops.reshape(ops.transpose(y, (0, 2, 1, 3)), (batch, pieces, channels * frequencies))
        return ops.reshape(ops.transpose(y, (0, 1, 3, 2)), (batch, channels * frequencies, pieces))


class MelSpectrogram(Layer):
    """The power of signals in bands of the mel scale, over time: what ears tell apart.

        y[n, b, p] = 10 log10(max(s, min_power)) - 10 log10(max(|ref_power|, min_power)),
        s = sum over f of  |stft(x)[n, p, f]|**mag_exp  m[f, b]

    m is `linear_to_mel_weight_matrix`. What lies more than top_db below the greatest of all results, those of the other signals of the
    batch among them, is raised to there.

    Args:
        fft_length: places of a transform.
        sequence_stride: places from one piece to the next.
        sequence_length: places of the window, at most fft_length; fft_length if None.
        window: "hann", "hamming", an array of sequence_length places, or None.
        sampling_rate: places in a second.
        num_mel_bins: the number of bands.
        min_freq, max_freq: where the first band begins and the last one ends, in hertz; half of sampling_rate if None.
        power_to_db: whether the result is in decibels; else it is s.
        top_db: decibels from the greatest result to the least one.
        mag_exp: 1 for magnitudes, 2 for powers.
        min_power: the least power that a logarithm is taken of.
        ref_power: the power of 0 decibels.
    Inputs:
        (batch, steps), or one signal (steps,), of known length above fft_length // 2.
    Returns:
        (batch, num_mel_bins, pieces), of one signal (num_mel_bins, pieces), pieces = steps // sequence_stride + 1 where fft_length is even. It is computed
        in float32, or float64 where that is the layer's dtype.
    Raises:
        ArgumentError: lengths that do not fit, another window.  ShapeError: signals that are too short, of open length, of another rank.
    Source: Keras 3 `layers.MelSpectrogram`.

    >>> layer = MelSpectrogram(fft_length=16, sequence_stride=8, sampling_rate=100, num_mel_bins=4)
    >>> layer(np.ones((2, 32), "float32")).shape
    (2, 4, 5)
    """

    one_tensor = True

    def __init__(
        self,
        fft_length: int = 2048,
        sequence_stride: int = 512,
        sequence_length: int | None = None,
        window: Any = "hann",
        sampling_rate: int = 16000,
        num_mel_bins: int = 128,
        min_freq: float = 20.0,
        max_freq: float | None = None,
        power_to_db: bool = True,
        top_db: float = 80.0,
        mag_exp: float = 2.0,
        min_power: float = 1e-10,
        ref_power: float = 1.0,
        **more: Any,
    ):
        super().__init__(**more)
        self.fft_length = whole(self.name, "fft_length", fft_length, 2)
        self.sequence_stride = whole(self.name, "sequence_stride", sequence_stride, 1)
        self.sequence_length = whole(self.name, "sequence_length", sequence_length or fft_length, 1)
        if self.sequence_length > self.fft_length:
            raise ArgumentError(
                f"{self.name}: fft_length must be at least sequence_length; got {fft_length} and {sequence_length}."
            )
        self.window, self.sampling_rate = window, above_zero(self.name, "sampling_rate", sampling_rate)
        self.num_mel_bins = whole(self.name, "num_mel_bins", num_mel_bins, 1)
        self.min_freq, self.max_freq = min_freq, max_freq or int(sampling_rate / 2)
        self.power_to_db, self.top_db, self.mag_exp = flag(self.name, power_to_db, "power_to_db"), top_db, mag_exp
        self.min_power, self.ref_power, self.built = min_power, ref_power, True

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "sequence_length": self.sequence_length, "max_freq": self.max_freq}

    def samples_apart(self, rank: int | None) -> bool:
        return not self.power_to_db  # the greatest of the batch decides

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Tensors in: the call is added to the graph. Arrays in: computed at once; one signal is a batch of one."""
        if not args and "inputs" in kwargs:
            return self(kwargs["inputs"], **{name: value for name, value in kwargs.items() if name != "inputs"})
        signals = as_array(args[0], f"{self.name}: inputs") if args and not isinstance(args[0], Tensor) else None
        if signals is None or signals.ndim != 1:
            return super().__call__(*args, **kwargs)
        return super().__call__(signals[None], *args[1:], **kwargs)[0]

    def call(self, inputs: Any) -> Any:
        if len(inputs.shape) not in (1, 2):
            raise ShapeError(
                f"{self.name} expects signals (batch, steps) or (steps,), got shape {tuple(inputs.shape)}."
            )
        wide = "float64" if self.compute_dtype == "float64" else "float32"
        length, step = self.sequence_length, self.sequence_stride
        real, imag = ops.stft(ops.cast(inputs, wide), length, step, self.fft_length, self.window)
        power = ops.add(ops.square(real), ops.square(imag))
        if self.mag_exp != 2:
            power = ops.power(power, self.mag_exp / 2)  # (re**2 + im**2)**(e/2) is |re + i im|**e
        matrix = self.linear_to_mel_weight_matrix(
            self.num_mel_bins, self.fft_length // 2 + 1, self.sampling_rate, self.min_freq, self.max_freq, wide
        )
        bands = ops.matmul(power, matrix)
        bands = self._decibels(bands) if self.power_to_db else bands
        return ops.cast(ops.swapaxes(bands, -1, -2), self.compute_dtype)

    def _decibels(self, power: Any) -> Any:
        reference = ops.abs(ops.convert_to_tensor(self.ref_power, power.dtype))
        level, zero = (ops.multiply(10.0, ops.log10(ops.maximum(x, self.min_power))) for x in (power, reference))
        level = ops.subtract(level, zero)
        return ops.maximum(level, ops.subtract(ops.max(level), self.top_db))

    def linear_to_mel_weight_matrix(
        self,
        num_mel_bins: int = 20,
        num_spectrogram_bins: int = 129,
        sampling_rate: float = 8000,
        lower_edge_hertz: float = 125.0,
        upper_edge_hertz: float = 3800.0,
        dtype: str = "float32",
    ) -> Array:
        """How much each frequency counts in each band: triangles on the mel scale, which rise to 1 and fall to their neighbours' middles.

            m[f, b] = max(0, min((mel(f) - e[b]) / (e[b + 1] - e[b]), (e[b + 2] - mel(f)) / (e[b + 2] - e[b + 1]))),  m[0, b] = 0,
            mel(h) = 1127 ln(1 + h / 700),  e evenly spaced on it

        Args:
            num_mel_bins: the number of bands.
            num_spectrogram_bins: the number of frequencies, evenly spaced from 0 to half of sampling_rate.
            sampling_rate: places in a second.
            lower_edge_hertz, upper_edge_hertz: where the first band begins and the last one ends.
            dtype: of the result; it is computed in float64.
        Returns:
            (num_spectrogram_bins, num_mel_bins).
        Source: Keras 3 `MelSpectrogram.linear_to_mel_weight_matrix`.
        """
        with engine.eager_on_current():
            hertz = _spaced([0.0, sampling_rate / 2], num_spectrogram_bins)
            places = ops.expand_dims(_mel(hertz[1:]), 1)
            edges = _spaced(_mel(np.asarray([lower_edge_hertz, upper_edge_hertz], "float64")), num_mel_bins + 2)
            low, middle, high = edges[:-2], edges[1:-1], edges[2:]
            rising = ops.divide(ops.subtract(places, low), ops.subtract(middle, low))
            falling = ops.divide(ops.subtract(high, places), ops.subtract(high, middle))
            triangles = ops.maximum(0.0, ops.minimum(rising, falling))
            return ops.cast(ops.pad(triangles, ((1, 0), (0, 0))), dtypes.standardize(dtype))


def _spaced(ends: Any, count: int) -> Any:
    """So many numbers from the first to the second, float64."""
    ends = np.asarray(ends, "float64")
    return ops.linspace(ends[:1], ends[1:], count, dtype="float64")[:, 0]


def _mel(hertz: Any) -> Any:
    return ops.multiply(1127.0, ops.log(ops.add(1.0, ops.divide(hertz, 700.0))))
