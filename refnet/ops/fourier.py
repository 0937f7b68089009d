"""Fourier's transforms. Complex numbers are pairs of arrays: (real parts, imaginary parts)."""

from typing import Any

import numpy as np

from refnet import dtypes, ops
from refnet.annotations import Array, Tasks, TensorLike
from refnet.definition import Form, Op, Spec, View, size_of
from refnet.errors import ArgumentError, DtypeError, ShapeError
from refnet.graph import Node, Tensor
from refnet.ops.arguments import as_dtype, converted, dtype_of, flag, floating, integer, promoted, shape_of
from refnet.ops.tapers import piece_places, pieces_of
from refnet.scalars import cos, sin

TURN = 6.283185307179586  # 2 pi

# ---- the sum itself


def dft_loop(tasks: Tasks, re: Array, im: Array, sign: int, y_re: Array, y_im: Array, c: Array, s: Array) -> None:
    for (o,) in tasks:
        n = re.shape[1]
        for j in range(n):
            c[j] = cos(TURN * j / n)
            s[j] = sign * sin(TURN * j / n)
        for k in range(y_re.shape[1]):
            total_re, total_im = 0, 0
            for j in range(n):
                turn = (j * k) % n
                total_re += re[o, j] * c[turn] - im[o, j] * s[turn]
                total_im += re[o, j] * s[turn] + im[o, j] * c[turn]
            y_re[o, k] = total_re
            y_im[o, k] = total_im


def dft_rule(re: Spec, im: Spec, *, sign: int, count: int) -> tuple[Spec, Spec]:
    y = Spec((*re.shape[:-1], count), re.dtype)
    return y, y


def dft_form(re: Spec, im: Spec, *, sign: int, count: int) -> Form:
    """A task is a whole signal: it makes the table of cosines and sines once."""
    lanes, n = size_of(re.shape[:-1]), re.shape[-1]
    given, result = View((lanes, n)), View((lanes, count))
    return Form((given, given), (sign,), (result, result), (lanes,), cost=4 * n * count + 40 * n, scratch=((n,), (n,)))


def dft_gradient(node: Node, d_re: Tensor | None, d_im: Tensor | None) -> list[TensorLike]:
    """The transform the other way round, without its last frequencies."""
    re, count = node.inputs[0], node.attributes["count"]
    parts = [ops.zeros_like(y) if d is None else d for d, y in zip((d_re, d_im), node.outputs)]
    missing = ((0, 0),) * (len(re.shape) - 1) + ((0, re.shape[-1] - count),)
    parts = [ops.pad(d, missing) for d in parts] if count < re.shape[-1] else parts
    return list(dft_op(*parts, sign=-node.attributes["sign"], count=re.shape[-1]))


# y[o, k] = sum over j of  x[o, j] e**(sign 2 pi i j k / n),  for k < count
dft_op: Op = Op("dft", dft_rule, loop=dft_loop, form=dft_form, gradient=dft_gradient)


def complex_pair(op: str, x: Any, least: int = 1) -> tuple[TensorLike, TensorLike]:
    """Real and imaginary parts, of one shape and floating dtype, the last `least` axes known."""
    if not isinstance(x, (tuple, list)) or len(x) != 2:
        raise ArgumentError(f"{op} takes a pair of arrays, (real parts, imaginary parts); got {type(x).__name__}.")
    re, im = promoted(op, floating(op, x[0], "x[0]"), floating(op, x[1], "x[1]"))
    shapes = tuple(shape_of(re)), tuple(shape_of(im))
    if len(shapes[0]) != len(shapes[1]) or any(a != b and None not in (a, b) for a, b in zip(*shapes)):
        raise ShapeError(f"{op}: real and imaginary parts must have one shape; got {shapes[0]} and {shapes[1]}.")
    known_ends(op, re, least)
    return re, im


def known_ends(op: str, x: TensorLike, least: int = 1) -> None:
    """Raises ShapeError unless the last axes have known lengths above 0."""
    ends = shape_of(x)[-least:]
    if len(ends) < least or any(n in (None, 0) for n in ends):
        wanted = "a last axis" if least == 1 else f"{least} last axes"
        raise ShapeError(f"{op} needs {wanted} of known length above 0; got shape {tuple(shape_of(x))}.")


def transformed(re: TensorLike, im: TensorLike, sign: int, count: int | None = None) -> tuple[TensorLike, TensorLike]:
    """The sum along the last axis; 16 bits are computed in float32."""
    dtype = dtype_of(re)
    wide = [as_dtype(x, dtype if dtype == "float64" else "float32") for x in (re, im)]
    y = dft_op(*wide, sign=sign, count=shape_of(re)[-1] if count is None else count)
    return as_dtype(y[0], dtype), as_dtype(y[1], dtype)


# ---- transforms of whole arrays


def fft(x: Any) -> tuple[Array, Array]:
    """The discrete Fourier transform along the last axis.

        y[o, k] = sum over j of  x[o, j] e**(-2 pi i j k / n)

    Args:
        x: (real parts, imaginary parts), two arrays or tensors of one shape; the last axis has a known length above 0.
    Returns:
        (real parts, imaginary parts) of that shape, in the promoted floating dtype. As it stands the sum takes n**2 products
        for each signal; an engine may have a shorter way. 16 bits are computed in float32.
    NaN: spreads to its whole signal. Empty: no signals give an empty result.
    Raises:
        ArgumentError: no pair.  ShapeError: two shapes, an open or empty last axis.
    Source: Keras 3 `ops.fft`.

    >>> re, im = fft((np.array([0.0, 1.0, 0.0, 0.0]), np.zeros(4)))
    >>> np.abs(re.round(9)), im.round(9)
    (array([1., 0., 1., 0.]), array([ 0., -1., -0.,  1.]))
    """
    return transformed(*complex_pair("fft", x), -1)


def fft2(x: Any) -> tuple[Array, Array]:
    """The discrete Fourier transform along the last two axes: `fft` along both.

    Args:
        x: (real parts, imaginary parts), two arrays or tensors of one shape; the last two axes have known lengths above 0.
    Returns:
        As `fft`.
    NaN: spreads to its whole image. Empty: no images give an empty result.
    Raises: as `fft`.
    Source: Keras 3 `ops.fft2`.

    >>> re, im = fft2((np.ones((2, 2)), np.zeros((2, 2))))
    >>> np.abs(re.round(9))
    array([[4., 0.],
           [0., 0.]])
    """
    return along_both(*complex_pair("fft2", x, 2), -1)


def along_both(re: TensorLike, im: TensorLike, sign: int) -> tuple[TensorLike, TensorLike]:
    rows = transformed(re, im, sign)
    both = transformed(ops.swapaxes(rows[0], -1, -2), ops.swapaxes(rows[1], -1, -2), sign)
    return ops.swapaxes(both[0], -1, -2), ops.swapaxes(both[1], -1, -2)


def ifft2(x: Any) -> tuple[Array, Array]:
    """The reverse of `fft2`.

        y[o, p, q] = (sum over j, k of  x[o, j, k] e**(2 pi i (j p / m + k q / n))) / (m n)

    Args:
        x: (real parts, imaginary parts), as in `fft2`.
    Returns:
        As `fft2`.
    NaN: spreads to its whole image. Empty: no images give an empty result.
    Raises: as `fft2`.
    Source: Keras 3 `ops.ifft2`.

    >>> re, im = ifft2((np.array([[4.0, 0.0], [0.0, 0.0]]), np.zeros((2, 2))))
    >>> np.abs(re.round(9))
    array([[1., 1.],
           [1., 1.]])
    """
    re, im = complex_pair("ifft2", x, 2)
    count = float(shape_of(re)[-1] * shape_of(re)[-2])
    y = along_both(re, im, 1)
    return ops.divide(y[0], count), ops.divide(y[1], count)


def length_of(op: str, fft_length: Any, otherwise: int) -> int:
    """A transform's length, above 0."""
    count = otherwise if fft_length is None else integer(op, fft_length, "fft_length")
    if not 1 <= count < 2**31:
        raise ArgumentError(
            f"{op}: fft_length must be at least 1; got {count if fft_length is None else fft_length!r}."
        )
    return count


def of_length(x: TensorLike, count: int) -> TensorLike:
    """x with its last axis cut off, or continued by zeros."""
    have = shape_of(x)[-1]
    if have > count:
        return ops.get_item(x, (..., slice(0, count)))
    return ops.pad(x, ((0, 0),) * (len(shape_of(x)) - 1) + ((0, count - have),)) if have < count else x


def rfft(x: TensorLike, fft_length: int | None = None) -> tuple[Array, Array]:
    """The frequencies 0..n // 2 of real signals: the others mirror them.

        y[o, k] = sum over j < n of  x[o, j] e**(-2 pi i j k / n),  k = 0..n // 2

    Args:
        x: signals along the last axis, of known length above 0; bool and integers take the default floating dtype.
        fft_length: n, to which signals are cut or continued by zeros; their length if None.
    Returns:
        (real parts, imaginary parts), x's dtype; the last axis of length n // 2 + 1.
    NaN: spreads to its whole signal. Empty: no signals give an empty result.
    Raises:
        ShapeError: an open or empty last axis.  ArgumentError: a length below 1.
    Source: Keras 3 `ops.rfft`.

    >>> re, im = rfft([0.0, 1.0, 2.0, 3.0])
    >>> np.abs(re), im.round(5)
    (array([6., 2., 2.], dtype=float32), array([ 0.,  2., -0.], dtype=float32))
    """
    x = floating("rfft", x)
    known_ends("rfft", x)
    n = length_of("rfft", fft_length, shape_of(x)[-1])
    x = of_length(x, n)
    return transformed(x, ops.zeros_like(x), -1, n // 2 + 1)


def irfft(x: Any, fft_length: int | None = None) -> Array:
    """Real signals from their frequencies: the reverse of `rfft`.

        y[o, j] = (sum over k <= n // 2 of  w[k] (re[o, k] cos(2 pi j k / n) - im[o, k] sin(2 pi j k / n))) / n

    w is 1 for k = 0 and k = n / 2, else 2: each frequency stands for its mirror image too.

    Args:
        x: (real parts, imaginary parts), two arrays or tensors of one shape; the last axis has a known length above 0.
        fft_length: n; 2 (m - 1) for m frequencies if None. Frequencies are cut or continued by zeros.
    Returns:
        Signals of length n, in the promoted floating dtype.
    NaN: spreads to its whole signal. Empty: no signals give an empty result.
    Raises:
        ArgumentError: no pair, a length below 1.  ShapeError: two shapes, an open or empty last axis.
    Source: Keras 3 `ops.irfft`.

    >>> irfft(rfft([0.0, 1.0, 2.0, 3.0])).round(5)
    array([0., 1., 2., 3.], dtype=float32)
    """
    re, im = complex_pair("irfft", x)
    n = length_of("irfft", fft_length, 2 * (shape_of(re)[-1] - 1))
    weights = np.full(n // 2 + 1, 2.0)
    weights[0] = 1
    if n % 2 == 0:
        weights[-1] = 1
    weights = (weights / n).astype(dtypes.as_numpy(dtype_of(re)))
    re, im = (of_length(ops.multiply(of_length(v, n // 2 + 1), weights), n) for v in (re, im))
    return transformed(re, im, 1)[0]


# ---- pieces of signals


def window_of(op: str, window: Any, length: int, count: int, dtype: str) -> TensorLike | None:
    """A window of `length` places, in the middle of `count`; None for none."""
    if window is None:
        return None
    if isinstance(window, str):
        if window not in ("hann", "hamming"):
            raise ArgumentError(f"{op}: window must be 'hann', 'hamming', an array or None; got {window!r}.")
        base = 0.5 if window == "hann" else 0.54
        window = base - (1 - base) * np.cos(2 * np.pi * np.arange(length) / length)
    taper = as_dtype(converted(op, window, "window"), dtype)
    if tuple(shape_of(taper)) != (length,):
        raise ShapeError(
            f"{op}: window must have sequence_length = {length} places; got shape {tuple(shape_of(taper))}."
        )
    before = (count - length) // 2
    return ops.pad(taper, ((before, count - length - before),))


def cut_of(op: str, sequence_length: Any, sequence_stride: Any, fft_length: Any) -> tuple[int, int, int]:
    length, step = pieces_of(op, sequence_length, sequence_stride)
    count = length_of(op, fft_length, length)
    if count < length:
        raise ArgumentError(f"{op}: fft_length must be at least sequence_length; got {count} and {length}.")
    return length, step, count


def stft(
    x: TensorLike,
    sequence_length: int,
    sequence_stride: int,
    fft_length: int,
    window: Any = "hann",
    center: bool = True,
) -> tuple[Array, Array]:
    """The frequencies of signals, piece by piece.

        y[o, p] = rfft(w * x[o, p s .. p s + n - 1]),   s = sequence_stride,  n = fft_length

    w is the window, in the middle of n places. With `center` the signal is first continued on both sides by n // 2 places of its
    mirror image.

    Args:
        x: signals along the last axis, of known length; float32 or float64.
        sequence_length: the window's length.
        sequence_stride: how far the next piece begins.
        fft_length: n, at least sequence_length.
        window: "hann", "hamming" (periodic ones), an array of sequence_length places, or None for ones.
        center: whether pieces have their middles, not their beginnings, at multiples of the stride.
    Returns:
        (real parts, imaginary parts): (..., pieces, n // 2 + 1), x's dtype.
    NaN: spreads to its pieces. Empty: no signals give an empty result.
    Raises:
        DtypeError: another dtype.  ShapeError: signals shorter than a piece, another window.  ArgumentError: anything else above.
    Source: Keras 3 `ops.stft`.

    >>> re, im = stft(np.ones(8, "float32"), 4, 2, 4, center=False)
    >>> re[0].round(5)
    array([ 2., -1.,  0.], dtype=float32)
    """
    x = converted("stft", x)
    if dtype_of(x) not in ("float32", "float64"):
        raise DtypeError(f"stft takes float32 or float64; got {dtype_of(x)}. Cast it with ops.cast.")
    length, step, count = cut_of("stft", sequence_length, sequence_stride, fft_length)
    known_ends("stft", x)
    taper = window_of("stft", window, length, count, dtype_of(x))
    if flag("stft", center, "center"):
        if shape_of(x)[-1] <= count // 2:
            raise ShapeError(
                f"stft: with center=True signals must be longer than {count // 2} places; got {shape_of(x)[-1]}."
            )
        x = ops.pad(x, ((0, 0),) * (len(shape_of(x)) - 1) + ((count // 2, count // 2),), "reflect")
    if shape_of(x)[-1] < count:
        raise ShapeError(f"stft: signals must have at least fft_length = {count} places; got {shape_of(x)[-1]}.")
    pieces = ops.extract_sequences(x, count, step)
    return rfft(pieces if taper is None else ops.multiply(pieces, taper), count)


def istft(
    x: Any,
    sequence_length: int,
    sequence_stride: int,
    fft_length: int,
    length: int | None = None,
    window: Any = "hann",
    center: bool = True,
) -> Array:
    """Signals from the frequencies of their pieces: the reverse of `stft`.

        y[o, t] = (sum over p of  w[t - p s] z[o, p, t - p s]) / (sum over p of  w[t - p s]**2),   z = irfft(x, n)

    Places that no window reaches (a sum of squares up to 1e-10) are divided by 1; without a window nothing is divided.

    Args:
        x: (real parts, imaginary parts): (..., pieces, n // 2 + 1), both of known length.
        sequence_length, sequence_stride, fft_length, window, center: as in `stft`.
        length: of the result; as long as the pieces reach if None.
    Returns:
        Signals in the promoted floating dtype, without the n // 2 places on either side that `center` added.
    NaN: spreads to its pieces. Empty: no signals give an empty result.
    Raises:
        ShapeError: less than two axes, open ones, another window.  ArgumentError: anything else above.
    Source: Keras 3 `ops.istft`; Griffin and Lim 1984.

    >>> x = np.arange(8.0)
    >>> istft(stft(x, 4, 2, 4), 4, 2, 4).round(9)
    array([0., 1., 2., 3., 4., 5., 6., 7.])
    """
    re, im = complex_pair("istft", x, 2)
    size, step, count = cut_of("istft", sequence_length, sequence_stride, fft_length)
    taper = window_of("istft", window, size, count, dtype_of(re))
    pieces = irfft((re, im), count)
    pieces = pieces if taper is None else ops.multiply(pieces, taper)
    number = shape_of(re)[-2]
    reach = count + step * (number - 1)
    places = piece_places("istft", number, count, step)
    lead = ops.shape(pieces)[:-2]
    y = ops.take_x_gradient(pieces, places, ops.zeros((*lead, reach), dtype_of(re)), len(lead))
    if taper is not None:
        squares = ops.broadcast_to(ops.square(taper), (number, count))
        weight = ops.take_x_gradient(squares, places, np.zeros(reach), 0)
        y = ops.divide(y, ops.where(ops.greater(weight, 1e-10), weight, 1.0))
    start = count // 2 if flag("istft", center, "center") else 0
    if length is None:
        end = reach - start
    else:
        end = start + integer("istft", length, "length")
        if end < start:
            raise ArgumentError(f"istft: length must not be below 0; got {length!r}.")
    return ops.get_item(y, (..., slice(start, max(end, start))))
