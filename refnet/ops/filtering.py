"""Images blurred, their edges, and how alike two of them are: convolutions of each channel by itself."""

from typing import Any

import numpy as np

from refnet import dtypes, ops
from refnet.annotations import TensorLike
from refnet.errors import ArgumentError, ShapeError, called_as
from refnet.ops.arguments import as_dtype, converted, dtype_of, is_symbolic, number, promoted, shape_of
from refnet.ops.resizing import image_axes, rounded
from refnet.ops.statistics import wide_enough
from refnet.ops.windows import for_each_axis


def as_batch(op: str, images: TensorLike, data_format: str | None) -> TensorLike:
    """One image or many as a batch with channels last."""
    axes = image_axes(op, images, data_format)
    batch = images if len(shape_of(images)) == 4 else ops.expand_dims(images, 0)
    return ops.moveaxis(batch, 1, -1) if axes[2] < axes[0] else batch


def as_given(y: TensorLike, op: str, images: TensorLike, data_format: str | None) -> TensorLike:
    """A batch (channels after height and width) in the layout of the images that were given."""
    axes = image_axes(op, images, data_format)
    y = ops.moveaxis(y, 3, 1) if axes[2] < axes[0] else y
    return y if len(shape_of(images)) == 4 else ops.squeeze(y, 0)


def each_channel(x: TensorLike, kernel: TensorLike, padding: str) -> TensorLike:
    """Every channel of a batch correlated with the same kernel (height, width)."""
    count = shape_of(x)[-1]
    return ops.depthwise_conv(
        x, ops.tile(ops.expand_dims(kernel, (2, 3)), (1, 1, count, 1)), 1, padding, "channels_last"
    )


def bell(size: int, sigma: TensorLike, dtype: str) -> TensorLike:
    """`size` places of the normal density around their middle, brought to sum 1."""
    places = (np.arange(size) - (size - 1) / 2).astype(dtypes.as_numpy(dtype))
    weights = ops.exp(ops.multiply(ops.square(ops.divide(places, sigma)), -0.5))
    return ops.divide(weights, ops.sum(weights))


def stored_as(y: TensorLike, dtype: str) -> TensorLike:
    """y in the dtype of the images that were given; integers rounded, halves to even, and kept in range."""
    return as_dtype(y if dtype_of(y) == dtype else rounded(y, dtype), dtype)


def known_channels(op: str, x: TensorLike) -> None:
    if shape_of(x)[-1] is None:
        raise ShapeError(f"{op}: the number of channels must be known; got shape {tuple(shape_of(x))}.")


# ---- blur and edges


def gaussian_blur(
    images: TensorLike, kernel_size: Any = (3, 3), sigma: Any = (1.0, 1.0), data_format: str | None = None
) -> TensorLike:
    """Images smoothed by a bell-shaped window.

        y[i, j] = sum over p < P, q < Q of  u[p] v[q] x[i + p - (P - 1) // 2, j + q - (Q - 1) // 2],  0 outside the image

    v[q] = e**-((q - (Q - 1) / 2)**2 / (2 s0**2)), and so u with P and s1; both divided by their sums.

    Args:
        images: one image or a batch, of any dtype but bool.
        kernel_size: (Q, P), the width first, as Keras's computation has it (its documentation says the height).
        sigma: (s0, s1), numbers above 0 or a tensor of two.
        data_format: "channels_last" or "channels_first"; `config.image_data_format()` if None.
    Returns:
        The images' shape and dtype; integers are rounded, halves to even, and kept in range. 16 bits are computed in float32.
    NaN: spreads to where its window reaches. Empty: an empty batch gives an empty result.
    Raises:
        ShapeError: another number of axes.  ArgumentError: windows below 1, deviations that are not above 0.
    Source: Keras 3 `ops.image.gaussian_blur`.

    >>> gaussian_blur(np.array([[[0.0], [1.0], [0.0]]]), (3, 1))[0, :, 0].round(3)
    array([0.274, 0.452, 0.274])
    """
    name = "gaussian_blur"
    x = converted(name, images, "images")
    if dtype_of(x) == "bool":
        raise ArgumentError(f"{name}: bools cannot be blurred; cast the images to a floating dtype.")
    columns, rows = for_each_axis(name, "kernel_size", kernel_size, 2)
    batch = as_batch(name, x, data_format)
    known_channels(name, batch)
    wide = wide_enough(batch)
    if is_symbolic(sigma):
        if tuple(shape_of(sigma)) != (2,):
            raise ShapeError(f"{name}: sigma must hold two numbers; got shape {tuple(shape_of(sigma))}.")
        deviations = [as_dtype(ops.get_item(sigma, k), dtype_of(wide)) for k in (0, 1)]
    else:
        several = isinstance(sigma, (tuple, list)) or (isinstance(sigma, np.ndarray) and sigma.ndim == 1)
        given = list(sigma) if several else [sigma] * 2
        parts = [number(name, s, "sigma") for s in given]
        if len(parts) != 2 or not all(0 < s < np.inf for s in parts):
            raise ArgumentError(f"{name}: sigma must be two numbers above 0; got {sigma!r}.")
        deviations = [np.asarray(s, dtype_of(wide)) for s in parts]
    y = each_channel(wide, ops.expand_dims(bell(rows, deviations[1], dtype_of(wide)), 1), "same")
    y = each_channel(y, ops.expand_dims(bell(columns, deviations[0], dtype_of(wide)), 0), "same")
    return as_given(stored_as(y, dtype_of(x)), name, x, data_format)


SOBEL = np.array([[-1, -2, -1], [0, 0, 0], [1, 2, 1]])


def sobel_edges(images: TensorLike, data_format: str | None = None) -> TensorLike:
    """How much images change downwards and to the right, smoothed across.

        y[n, i, j, c, 0] = sum over p, q < 3 of  k[p, q] x[n, i + p - 1, j + q - 1, c],  0 outside the image
        y[n, i, j, c, 1] the same with k[q, p],   k = [-1 -2 -1; 0 0 0; 1 2 1]

    Args:
        images: one image or a batch, of any dtype but bool.
        data_format: "channels_last" or "channels_first"; `config.image_data_format()` if None.
    Returns:
        The images' dtype; a last axis of length 2, the change downwards first.
    NaN: spreads to the places around. Empty: an empty batch gives an empty result.
    Raises:
        ShapeError: another number of axes.
    Source: Keras 3 `ops.image.sobel_edges`, as its PyTorch and JAX engines have it (others continue the image at its border).

    >>> x = np.zeros((3, 4, 1))
    >>> x[:, 2:] = 1
    >>> sobel_edges(x)[1, :, 0, 1]
    array([ 0.,  4.,  4., -4.])
    """
    name = "sobel_edges"
    x = converted(name, images, "images")
    if dtype_of(x) == "bool":
        raise ArgumentError(f"{name}: bools have no edges; cast the images first.")
    batch = as_batch(name, x, data_format)
    known_channels(name, batch)
    kernel = SOBEL.astype(dtypes.as_numpy(dtype_of(x)))
    return as_given(ops.stack([each_channel(batch, k, "same") for k in (kernel, kernel.T)], -1), name, x, data_format)


# ---- likeness


def psnr(x1: TensorLike, x2: TensorLike, max_val: float) -> TensorLike:
    """The peak signal-to-noise ratio, in decibels: how small the mean squared difference is beside the largest value.

        y = 20 log10(max_val) - 10 log10(mean((x1 - x2)**2))

    Args:
        x1, x2: arrays or tensors of one shape; bool and integers take the default floating dtype.
        max_val: the largest value that there may be, a number above 0.
    Returns:
        One number of the promoted floating dtype; inf where the two are equal.
    NaN: any NaN gives NaN. Empty: NaN.
    Raises:
        ShapeError: two shapes.  ArgumentError: a max_val that is not above 0.
    Source: Keras 3 `ops.psnr`.

    >>> psnr([0.0, 0.5], [0.1, 0.5], 1.0)
    array(23.0103, dtype=float32)
    """
    a, b = pair("psnr", x1, x2)
    top = number("psnr", max_val, "max_val")
    if not 0 < top < np.inf:
        raise ArgumentError(f"psnr: max_val must be above 0; got {max_val!r}.")
    error = ops.mean(ops.square(ops.subtract(a, b)))
    return ops.subtract(20 * float(np.log10(top)), ops.multiply(ops.log10(error), 10))


def pair(op: str, x1: TensorLike, x2: TensorLike) -> list[TensorLike]:
    """Two arrays of one shape, in their common floating dtype. Raises ShapeError for others."""
    a, b = promoted(op, converted(op, x1, "x1"), converted(op, x2, "x2"))
    shapes = tuple(shape_of(a)), tuple(shape_of(b))
    if len(shapes[0]) != len(shapes[1]) or any(p != q for p, q in zip(*shapes) if None not in (p, q)):
        raise ShapeError(f"{op} compares arrays of one shape; got {shapes[0]} and {shapes[1]}.")
    dtype = dtype_of(a) if dtypes.is_floating(dtype_of(a)) else dtypes.floatx()
    return [as_dtype(v, dtype) for v in (a, b)]


@called_as("ssim", "depthwise_conv")
def ssim(
    image1: TensorLike,
    image2: TensorLike,
    max_val: float = 1.0,
    filter_size: int = 11,
    filter_sigma: float = 1.5,
    k1: float = 0.01,
    k2: float = 0.03,
    data_format: str | None = None,
) -> TensorLike:
    """The structural similarity of two images: brightness, contrast and structure compared window by window.

        s = (2 m1 m2 + c1) (2 v12 + c2) / ((m1**2 + m2**2 + c1) (v1 + v2 + c2)),   c1 = (k1 max_val)**2,  c2 = (k2 max_val)**2

    m, v and v12 are means, variances and covariance in bell-shaped windows that lie inside the image; s is averaged over windows
    and channels.

    Args:
        image1, image2: two images, or two batches, of one shape.
        max_val: the largest value that a pixel may have.
        filter_size: the window's height and width.
        filter_sigma: the bell's deviation, above 0.
        k1, k2: what keeps the quotient from 0 / 0.
        data_format: "channels_last" or "channels_first"; `config.image_data_format()` if None.
    Returns:
        One number for each pair, at most 1; image1's dtype, of whole numbers the default floating one.
    NaN: a NaN gives NaN for its pair. Empty: an empty batch gives an empty result.
    Raises:
        ShapeError: two shapes, another number of axes, images smaller than the window.  ArgumentError: numbers below those above.
    Source: Keras 3 `ops.image.ssim`; Wang, Bovik, Sheikh and Simoncelli 2004.

    >>> x = np.linspace(0, 1, 16).reshape(4, 4, 1)
    >>> ssim(x, x, filter_size=3)
    array(1.)
    >>> float(ssim(x, 1 - x, filter_size=3).round(3))
    -0.845
    """
    name = "ssim"
    a, b = pair(name, image1, image2)
    dtype = dtype_of(a)
    size = for_each_axis(name, "filter_size", filter_size, 1)[0]
    sigma, top = number(name, filter_sigma, "filter_sigma"), number(name, max_val, "max_val")
    if not 0 < sigma < np.inf:
        raise ArgumentError(f"{name}: filter_sigma must be above 0; got {filter_sigma!r}.")
    p, q = (wide_enough(as_batch(name, v, data_format)) for v in (a, b))
    known_channels(name, p)
    line = bell(size, np.asarray(sigma, dtype_of(p)), dtype_of(p))

    def mean(x: TensorLike) -> TensorLike:
        return each_channel(each_channel(x, ops.expand_dims(line, 1), "valid"), ops.expand_dims(line, 0), "valid")

    edges = [number(name, k, which) * top for k, which in ((k1, "k1"), (k2, "k2"))]
    c1, c2 = (edge * edge for edge in edges)
    m1, m2 = mean(p), mean(q)
    m11, m22, m12 = ops.square(m1), ops.square(m2), ops.multiply(m1, m2)
    v1, v2 = ops.subtract(mean(ops.square(p)), m11), ops.subtract(mean(ops.square(q)), m22)
    v12 = ops.subtract(mean(ops.multiply(p, q)), m12)
    above = ops.multiply(ops.add(ops.multiply(m12, 2), c1), ops.add(ops.multiply(v12, 2), c2))
    below = ops.multiply(ops.add(ops.add(m11, m22), c1), ops.add(ops.add(v1, v2), c2))
    y = ops.mean(ops.divide(above, below), (1, 2, 3))
    return as_dtype(y if len(shape_of(a)) == 4 else ops.squeeze(y, 0), dtype)
