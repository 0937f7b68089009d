"""Tapers: windows that let a piece of a signal begin and end softly; and pieces of images."""

from collections.abc import Callable
from typing import Any

import numpy as np

from refnet import dtypes, ops
from refnet.annotations import Array, TensorLike
from refnet.errors import ArgumentError, ShapeError, in_memory
from refnet.ops.arguments import converted, integer, number, shape_of
from refnet.ops.filling import zeros
from refnet.ops.windows import for_each_axis


def taper(op: str, x: Any, shape: Callable[[Array], Array]) -> Array:
    """A window of x places: `shape` of their positions, from -1 to 1, in the default floating dtype."""
    count = integer(op, x, "x")
    if count > 2**28:
        raise ArgumentError(f"{op}: a window may have 2**28 places at most; got {count}.")
    if count < 1:
        return np.zeros(0, dtypes.as_numpy(dtypes.floatx()))
    with in_memory(op):
        return np.asarray(shape(places_of(count))).astype(dtypes.as_numpy(dtypes.floatx()))


def places_of(count: int) -> Array:
    """The positions of so many places, from -1 to 1; 0 of a single one."""
    return np.arange(1 - count, count, 2) / (count - 1) if count > 1 else np.zeros(1)


# What the windows are at the position t.


def bartlett_shape(t: Array) -> Array:
    return 1 - np.abs(t)


def hanning_shape(t: Array) -> Array:
    return 0.5 + 0.5 * np.cos(np.pi * t)


def hamming_shape(t: Array) -> Array:
    return 0.54 + 0.46 * np.cos(np.pi * t)


def blackman_shape(t: Array) -> Array:
    return 0.42 + 0.5 * np.cos(np.pi * t) + 0.08 * np.cos(2 * np.pi * t)


# Those that have a name, as SciPy calls them.
NAMED: dict[str, Callable[[Array], Array]] = {
    "hann": hanning_shape,
    "hamming": hamming_shape,
    "blackman": blackman_shape,
    "bartlett": bartlett_shape,
    "boxcar": np.ones_like,
}


def named_window(owner: str, name: str, count: int, periodic: bool) -> Array:
    """The window of a name, float64; further names are SciPy's.

    Args:
        owner: who asks, for errors.
        count: how many places, at least 1; a single one is 1.
        periodic: whether it is one period of a function, instead of symmetric.
    Raises:
        ArgumentError: a name that nobody knows, or that needs more than itself.
    """
    if name in NAMED:
        return NAMED[name](places_of(count + periodic))[:count] if count > 1 else np.ones(1)
    try:
        from scipy.signal import get_window
    except ImportError:
        raise ArgumentError(
            f"{owner}: window is {', '.join(map(repr, NAMED))}, an array or None; got {name!r}. Where SciPy is installed its "
            "names are known too."
        ) from None
    try:
        return np.asarray(get_window(name, count, periodic), "float64")
    except ValueError as error:
        raise ArgumentError(f"{owner}: SciPy has no window {name!r} that a name alone says: {error}") from None


def bartlett(x: TensorLike) -> Array:
    """A window that rises and falls in a straight line.

        y[n] = 1 - |t|,   t = 2 n / (x - 1) - 1

    Args:
        x: how many places.
    Returns:
        (x,), the default floating dtype. Empty: below 1; a single place is 1.
    Raises:
        ArgumentError: no whole number.
    Source: Keras 3 `ops.bartlett`.

    >>> bartlett(5)
    array([0. , 0.5, 1. , 0.5, 0. ], dtype=float32)
    """
    return taper("bartlett", x, bartlett_shape)


def hanning(x: TensorLike) -> Array:
    """A window in the shape of a raised cosine.

        y[n] = 1/2 + 1/2 cos(pi t),   t = 2 n / (x - 1) - 1

    Args:
        x: how many places.
    Returns:
        (x,), the default floating dtype. Empty: below 1; a single place is 1.
    Raises:
        ArgumentError: no whole number.
    Source: Keras 3 `ops.hanning`.

    >>> hanning(5)
    array([0. , 0.5, 1. , 0.5, 0. ], dtype=float32)
    """
    return taper("hanning", x, hanning_shape)


def hamming(x: TensorLike) -> Array:
    """A raised cosine that does not begin at 0.

        y[n] = 0.54 + 0.46 cos(pi t),   t = 2 n / (x - 1) - 1

    Args:
        x: how many places.
    Returns:
        (x,), the default floating dtype. Empty: below 1; a single place is 1.
    Raises:
        ArgumentError: no whole number.
    Source: Keras 3 `ops.hamming`.

    >>> hamming(3)
    array([0.08, 1.  , 0.08], dtype=float32)
    """
    return taper("hamming", x, hamming_shape)


def blackman(x: TensorLike) -> Array:
    """A window of three cosines.

        y[n] = 0.42 + 0.5 cos(pi t) + 0.08 cos(2 pi t),   t = 2 n / (x - 1) - 1

    Args:
        x: how many places.
    Returns:
        (x,), the default floating dtype. Empty: below 1; a single place is 1.
    Raises:
        ArgumentError: no whole number.
    Source: Keras 3 `ops.blackman`.

    >>> np.abs(blackman(5)).round(2)
    array([0.  , 0.34, 1.  , 0.34, 0.  ], dtype=float32)
    """
    return taper("blackman", x, blackman_shape)


def kaiser(x: TensorLike, beta: float) -> Array:
    """Kaiser's window.

        y[n] = i0(beta sqrt(1 - t**2)) / i0(beta),   t = 2 n / (x - 1) - 1

    Args:
        x: how many places.
        beta: how steep it is, at most 700; 0 for a window of ones.
    Returns:
        (x,), the default floating dtype. Empty: below 1; a single place is 1.
    Raises:
        ArgumentError: no whole number, a beta that is none or too large.
    Source: Keras 3 `ops.kaiser`; Kaiser 1974.

    >>> kaiser(3, 2.0)
    array([0.43867627, 1.        , 0.43867627], dtype=float32)
    """
    steep = number("kaiser", beta, "beta")
    if not abs(steep) <= 700:
        raise ArgumentError(f"kaiser: beta must lie in -700..700; got {beta!r}.")
    whole = ops.i0(np.asarray(steep))
    return taper("kaiser", x, lambda t: ops.i0(steep * np.sqrt(1 - t * t)) / whole)


# ---- pieces of images


def laid(op: str, kernel_size: Any, dilation: Any, padding: Any, stride: Any) -> list[tuple[int, ...]]:
    """Kernel size, dilation, padding and stride, each a pair."""
    given = (("kernel_size", kernel_size, 1), ("dilation", dilation, 1), ("padding", padding, 0), ("stride", stride, 1))
    found = [for_each_axis(op, name, value, 2, least) for name, value, least in given]
    if found[0][0] * found[0][1] > 65536:
        raise ArgumentError(f"{op}: a window may have 65536 places at most; got {kernel_size!r}.")
    return found


def counts_of(op: str, extents: Any, kernel: Any, dilation: Any, padding: Any, stride: Any) -> list[int]:
    """How many windows there are along each axis; at least one."""
    found = [
        (n + 2 * p - (k - 1) * d - 1) // s + 1 for n, k, d, p, s in zip(extents, kernel, dilation, padding, stride)
    ]
    if min(found) < 1:
        raise ShapeError(f"{op}: a window of {tuple(kernel)} does not fit into {tuple(extents)} places.")
    return found


def unfold(x: TensorLike, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> TensorLike:
    """The windows of images, each as a column.

        y[n, (c P + p) Q + q, i L + j] = x[n, c, i s0 + p d0 - p0, j s1 + q d1 - p1],  0 outside the image, L windows in a row

    Args:
        x: (batch, channels, height, width) of known size.
        kernel_size: P and Q, one integer or a pair.
        dilation: d0 and d1.
        padding: p0 and p1, places added on every side.
        stride: s0 and s1.
    Returns:
        (batch, channels * P * Q, windows), x's dtype.
    NaN: copied. Empty: an empty batch gives an empty result.
    Raises:
        ShapeError: another number of axes, an open one, a window that does not fit.  ArgumentError: numbers that are too small.
    Source: Keras 3 `ops.unfold`.

    >>> unfold(np.arange(4).reshape(1, 1, 2, 2), (1, 2))[0]
    array([[0, 2],
           [1, 3]])
    """
    x = converted("unfold", x)
    kernel, spread, border, step = laid("unfold", kernel_size, dilation, padding, stride)
    if len(shape_of(x)) != 4 or None in shape_of(x)[1:]:
        raise ShapeError(
            f"unfold takes (batch, channels, height, width) of known size; got shape {tuple(shape_of(x))}."
        )
    counts = counts_of("unfold", shape_of(x)[2:], kernel, spread, border, step)
    x = ops.pad(x, ((0, 0), (0, 0), (border[0],) * 2, (border[1],) * 2)) if any(border) else x
    pieces = [ops.get_item(x, (..., *window(at, spread, step, counts))) for at in np.ndindex(*kernel)]
    shape = (ops.shape(x)[0], shape_of(x)[1] * len(pieces), counts[0] * counts[1])
    return ops.reshape(ops.stack(pieces, 2), shape)


def window(at: Any, spread: Any, step: Any, counts: Any) -> list[slice]:
    """The places that one element of the window meets."""
    return [slice(o * d, o * d + (m - 1) * s + 1, s) for o, d, s, m in zip(at, spread, step, counts)]


def fold(
    x: TensorLike, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
) -> TensorLike:
    """Columns added up where their windows lie in an image: the adjoint of `unfold`.

        y[n, c, r, s] = sum over all places of unfold that read (r, s) of  x there

    Args:
        x: (batch, channels * P * Q, windows) of known size.
        output_size: height and width of the image.
        kernel_size, dilation, padding, stride: as in `unfold`.
    Returns:
        (batch, channels, height, width), x's dtype; 0 where no window lies. Integers wrap around.
    NaN: spreads to its place. Empty: an empty batch gives an empty result.
    Raises:
        ShapeError: another number of axes, an open one, columns that do not fit.  ArgumentError: numbers that are too small.
    Source: Keras 3 `ops.fold`.

    >>> fold(np.array([[[1.0, 2.0], [3.0, 4.0]]]), (1, 3), (1, 2))[0, 0]
    array([[1., 5., 4.]])
    """
    x = converted("fold", x)
    kernel, spread, border, step = laid("fold", kernel_size, dilation, padding, stride)
    size = for_each_axis("fold", "output_size", output_size, 2)
    counts = counts_of("fold", size, kernel, spread, border, step)
    given = tuple(shape_of(x))
    places = kernel[0] * kernel[1]
    if len(given) != 3 or None in given[1:] or given[1] % places or given[2] != counts[0] * counts[1]:
        raise ShapeError(
            f"fold takes (batch, channels * {places}, {counts[0] * counts[1]}) for an image of {size}; got shape {given}."
        )
    channels, count = given[1] // places, ops.shape(x)[0]
    pieces = ops.reshape(x, (count, channels, *kernel, *counts))
    whole = [n + 2 * p for n, p in zip(size, border)]
    like = zeros((count, channels, *whole), ops.arguments.dtype_of(x))
    total: TensorLike = like
    for at in np.ndindex(*kernel):
        start = (0, 0, at[0] * spread[0], at[1] * spread[1])
        piece = ops.get_item(pieces, (slice(None), slice(None), *at))
        total = ops.add(total, ops.slice_inputs_gradient(piece, like, start, (1, 1, *step)))
    inside = [slice(p, p + n) for n, p in zip(size, border)]
    return ops.get_item(total, (..., *inside)) if any(border) else total


def extract_sequences(x: TensorLike, sequence_length: int, sequence_stride: int) -> TensorLike:
    """The pieces of signals, each so long, one beginning so far after the other.

        y[n, k, j] = x[n, k * sequence_stride + j]

    Args:
        x: signals along the last axis, of known length.
        sequence_length: how long a piece is.
        sequence_stride: how far the next one begins.
    Returns:
        (..., pieces, sequence_length), x's dtype.
    NaN: copied. Empty: a signal shorter than a piece gives none.
    Raises:
        ShapeError: no axis, an open one.  ArgumentError: numbers below 1.
    Source: Keras 3 `ops.extract_sequences`.

    >>> extract_sequences([1, 2, 3, 4, 5], 3, 2)
    array([[1, 2, 3],
           [3, 4, 5]])
    """
    x = converted("extract_sequences", x)
    length, step = pieces_of("extract_sequences", sequence_length, sequence_stride)
    if not len(shape_of(x)) or shape_of(x)[-1] is None:
        raise ShapeError(f"extract_sequences takes signals of known length; got shape {tuple(shape_of(x))}.")
    count = max((shape_of(x)[-1] - length) // step + 1, 0)
    return ops.take(x, piece_places("extract_sequences", count, length, step), -1)


def piece_places(op: str, count: int, length: int, step: int) -> Array:
    """Where the elements of each piece stand, (count, length)."""
    with in_memory(op):
        return np.arange(count)[:, None] * step + np.arange(length)


def pieces_of(op: str, length: Any, step: Any) -> tuple[int, int]:
    """The length of a piece and the way to the next. Raises ArgumentError below 1."""
    found = integer(op, length, "sequence_length"), integer(op, step, "sequence_stride")
    if not all(1 <= n < 2**31 for n in found):
        raise ArgumentError(
            f"{op}: sequence_length and sequence_stride must be at least 1; got {length!r} and {step!r}."
        )
    return found
