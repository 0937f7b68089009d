"""Images: cut, framed, taken apart into patches, and their colours; see `resizing` for other sizes, `warping` for other points."""

from typing import Any

import numpy as np

from refnet import dtypes, ops
from refnet.annotations import TensorLike
from refnet.errors import ArgumentError, DtypeError, ShapeError
from refnet.ops.arguments import as_dtype, converted, dtype_of, shape_of
from refnet.ops.filtering import gaussian_blur, psnr, sobel_edges, ssim
from refnet.ops.mapping import elastic_transform, map_coordinates, perspective_transform, scale_and_translate
from refnet.ops.resizing import channels_last, image_axes, resize
from refnet.ops.warping import affine_transform

__all__ = [
    "affine_transform",
    "crop_images",
    "elastic_transform",
    "extract_patches",
    "extract_patches_3d",
    "gaussian_blur",
    "hsv_to_rgb",
    "map_coordinates",
    "pad_images",
    "perspective_transform",
    "psnr",
    "resize",
    "rgb_to_grayscale",
    "rgb_to_hsv",
    "scale_and_translate",
    "sobel_edges",
    "ssim",
]

# ---- frames


def framed(op: str, extent: int | None, before: Any, after: Any, target: Any, sign: int) -> tuple[int, int]:
    """What goes before and after an axis: two of before, after and target are given. sign: 1 adds, -1 takes away."""
    given = [v for v in (before, after, target) if v is not None]
    whole = all(isinstance(v, (int, np.integer)) and not isinstance(v, bool) and v >= 0 for v in given)
    if len(given) != 2 or not whole:
        raise ArgumentError(
            f"{op}: for each of height and width give two of before, after and target, integers not below 0; "
            f"got {before!r}, {after!r} and {target!r}."
        )
    if target is not None:
        if extent is None:
            raise ShapeError(f"{op}: an axis of open length cannot be brought to {target}; give both sides instead.")
        rest = sign * (target - extent)
        before = rest - after if before is None else before
        after = rest - before if after is None else after
    if before < 0 or after < 0 or (sign < 0 and extent is not None and before + after > extent):
        raise ShapeError(f"{op}: {before} before and {after} after do not go with a length of {extent}.")
    return int(before), int(after)


def pad_images(
    images: TensorLike,
    top_padding: int | None = None,
    left_padding: int | None = None,
    bottom_padding: int | None = None,
    right_padding: int | None = None,
    target_height: int | None = None,
    target_width: int | None = None,
    data_format: str | None = None,
) -> TensorLike:
    """Images with a frame of zeros.

        y[i, j] = x[i - top, j - left] where that exists, else 0

    Args:
        images: one image or a batch, of any dtype.
        top_padding, bottom_padding, target_height: two of the three.
        left_padding, right_padding, target_width: two of the three.
        data_format: "channels_last" or "channels_first"; `config.image_data_format()` if None.
    Returns:
        The larger images, in their dtype.
    NaN: copied. Empty: an empty batch gives an empty result.
    Raises:
        ShapeError: another number of axes, a target that is too small.  ArgumentError: not two of three.
    Source: Keras 3 `ops.image.pad_images`.

    >>> pad_images(np.ones((1, 2, 1)), 0, 1, 0, target_width=4)[0, :, 0]
    array([0., 1., 1., 0.])
    """
    x = converted("pad_images", images, "images")
    height, width, _ = image_axes("pad_images", x, data_format)
    widths = [(0, 0)] * len(shape_of(x))
    widths[height] = framed("pad_images", shape_of(x)[height], top_padding, bottom_padding, target_height, 1)
    widths[width] = framed("pad_images", shape_of(x)[width], left_padding, right_padding, target_width, 1)
    return ops.pad(x, widths)


def crop_images(
    images: TensorLike,
    top_cropping: int | None = None,
    left_cropping: int | None = None,
    bottom_cropping: int | None = None,
    right_cropping: int | None = None,
    target_height: int | None = None,
    target_width: int | None = None,
    data_format: str | None = None,
) -> TensorLike:
    """Images without a part of their borders.

        y[i, j] = x[i + top, j + left]

    Args:
        images: one image or a batch, of any dtype.
        top_cropping, bottom_cropping, target_height: two of the three.
        left_cropping, right_cropping, target_width: two of the three.
        data_format: "channels_last" or "channels_first"; `config.image_data_format()` if None.
    Returns:
        The smaller images, in their dtype.
    NaN: copied. Empty: everything may be cut away.
    Raises:
        ShapeError: another number of axes, more than there is.  ArgumentError: not two of three.
    Source: Keras 3 `ops.image.crop_images`.

    >>> crop_images(np.arange(4).reshape(1, 4, 1), 0, 1, 0, target_width=2)[0, :, 0]
    array([1, 2])
    """
    x = converted("crop_images", images, "images")
    height, width, _ = image_axes("crop_images", x, data_format)
    key = [slice(None)] * len(shape_of(x))
    sides = (
        (height, top_cropping, bottom_cropping, target_height),
        (width, left_cropping, right_cropping, target_width),
    )
    for axis, before, after, target in sides:
        start, end = framed("crop_images", shape_of(x)[axis], before, after, target, -1)
        key[axis] = slice(start, -end if end else None)
    return ops.get_item(x, tuple(key))


# ---- patches


def extract_patches(
    images: TensorLike,
    size: Any,
    strides: Any = None,
    dilation_rate: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
) -> TensorLike:
    """The windows of images, each as one long pixel.

        y[n, i, j, (p * Q + q) * C + c] = x[n, i * s0 + p * d0 - top, j * s1 + q * d1 - left, c],  0 outside the image

    Args:
        images: one image or a batch, of known height and width; with a size of three numbers: volumes.
        size: P and Q, one integer or a pair (or three integers).
        strides: s0 and s1; the size if None.
        dilation_rate: d0 and d1.
        padding: "valid" (windows inside the image) or "same" (as many as strides fit, zeros around the image).
        data_format: "channels_last" or "channels_first"; `config.image_data_format()` if None.
    Returns:
        The images' dtype; windows in the place of pixels, P * Q * C channels.
    NaN: copied. Empty: an image smaller than a window gives an empty result.
    Raises:
        ShapeError: another number of axes, unknown height or width.  ArgumentError: numbers below 1, another padding.
    Source: Keras 3 `ops.image.extract_patches`.

    >>> extract_patches(np.arange(4).reshape(1, 4, 1), (1, 2))[0]
    array([[0, 1],
           [2, 3]])
    """
    x = converted("extract_patches", images, "images")
    spatial = 3 if isinstance(size, (tuple, list)) and len(size) == 3 else 2
    windows = numbers("size", size, spatial)
    if np.prod(windows, dtype=float) > 65536:
        raise ArgumentError(f"extract_patches: a patch may have 65536 places at most; got size {size!r}.")
    steps = windows if strides is None else numbers("strides", strides, spatial)
    spread = numbers("dilation_rate", dilation_rate, spatial)
    if not isinstance(padding, str) or padding not in ("valid", "same"):
        raise ArgumentError(f"extract_patches: padding must be 'valid' or 'same'; got {padding!r}.")
    rank = len(shape_of(x))
    if rank not in (spatial + 1, spatial + 2):
        raise ShapeError(
            f"extract_patches with a size of {spatial} numbers takes {spatial + 1} or {spatial + 2} axes; "
            f"got shape {tuple(shape_of(x))}."
        )
    last = channels_last("extract_patches", data_format)
    x = x if last else ops.moveaxis(x, -spatial - 1, -1)
    axes = range(rank - spatial - 1, rank - 1)
    counts = []
    for axis, k, s, d in zip(axes, windows, steps, spread):
        n, reach = shape_of(x)[axis], (k - 1) * d + 1
        if n is None:
            raise ShapeError(f"extract_patches: the images' size must be known; got shape {tuple(shape_of(x))}.")
        if padding == "same":
            missing = ops.maximum((-(-n // s) - 1) * s + reach - n, 0).item()
            widths = [(missing // 2, missing - missing // 2) if a == axis else (0, 0) for a in range(rank)]
            x, n = ops.pad(x, widths), n + missing
        counts.append((n - reach) // s + 1 if n >= reach else 0)
    parts = []
    for offsets in np.ndindex(*windows):
        key: list[Any] = [slice(None)] * rank
        for axis, o, s, d, count in zip(axes, offsets, steps, spread, counts):
            key[axis] = slice(o * d, o * d + (count - 1) * s + 1, s) if count else slice(0, 0)
        parts.append(ops.get_item(x, tuple(key)))
    y = ops.concatenate(parts, -1)
    return y if last else ops.moveaxis(y, -1, -spatial - 1)


def extract_patches_3d(
    volumes: TensorLike,
    size: Any,
    strides: Any = None,
    dilation_rate: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
) -> TensorLike:
    """The windows of volumes, each as one long voxel: `extract_patches` with a size of three numbers.

    Args:
        volumes: one volume (depth, height, width, channels) or a batch, of known size.
        size: one integer or three.
        strides, dilation_rate, padding, data_format: as in `extract_patches`.
    Returns:
        The volumes' dtype; windows in the place of voxels.
    NaN: copied. Empty: a volume smaller than a window gives an empty result.
    Raises: as `extract_patches`.
    Source: Keras 3 `ops.image.extract_patches_3d`.

    >>> extract_patches_3d(np.arange(4).reshape(1, 1, 4, 1), (1, 1, 2))[0, 0]
    array([[0, 1],
           [2, 3]])
    """
    return extract_patches(volumes, tuple(numbers("size", size, 3)), strides, dilation_rate, padding, data_format)


def numbers(name: str, value: Any, count: int) -> list[int]:
    """`count` integers above 0."""
    given = list(value) if isinstance(value, (tuple, list)) else [value] * count
    if len(given) != count or not all(isinstance(n, (int, np.integer)) and n >= 1 for n in given):
        raise ArgumentError(f"extract_patches: {name} must be {count} integers, at least 1; got {value!r}.")
    return [int(n) for n in given]


# ---- colours


def planes(op: str, images: TensorLike, data_format: str | None) -> tuple[list[TensorLike], int]:
    """The three channels of images, with their axis, and the axis."""
    axis = image_axes(op, images, data_format)[2]
    if shape_of(images)[axis] != 3:
        raise ShapeError(f"{op} takes images with three channels; got shape {tuple(shape_of(images))}.")
    return ops.split(images, 3, axis), axis


def rgb_to_grayscale(images: TensorLike, data_format: str | None = None) -> TensorLike:
    """Colours as brightness.

        y = 0.2989 * red + 0.5870 * green + 0.1140 * blue

    Args:
        images: one image or a batch with three channels, or with one, which is brightness already.
        data_format: "channels_last" or "channels_first"; `config.image_data_format()` if None.
    Returns:
        One channel, the images' dtype; integers are rounded towards zero.
    NaN: spreads within its pixel. Empty: an empty result.
    Raises:
        ShapeError: another number of axes or channels.
    Source: Keras 3 `ops.image.rgb_to_grayscale`; ITU-R BT.601.

    >>> rgb_to_grayscale(np.array([[[100, 0, 200]]], "uint8"))[0, 0]
    array([52], dtype=uint8)
    """
    x = converted("rgb_to_grayscale", images, "images")
    dtype = dtype_of(x)
    if shape_of(x)[image_axes("rgb_to_grayscale", x, data_format)[2]] == 1:
        return ops.copy(x)
    (red, green, blue), _ = planes("rgb_to_grayscale", x, data_format)
    wide = [as_dtype(c, dtype if dtypes.is_floating(dtype) else dtypes.floatx()) for c in (red, green, blue)]
    warm = ops.add(ops.multiply(wide[0], 0.2989), ops.multiply(wide[1], 0.5870))
    return as_dtype(ops.add(warm, ops.multiply(wide[2], 0.1140)), dtype)


def fractions(op: str, images: TensorLike) -> TensorLike:
    x = converted(op, images, "images")
    if not dtypes.is_floating(dtype_of(x)):
        raise DtypeError(f"{op} takes floating images, with values in 0..1; got {dtype_of(x)}. Divide by 255 first.")
    return x


def rgb_to_hsv(images: TensorLike, data_format: str | None = None) -> TensorLike:
    """Red, green and blue as hue, saturation and value.

        v = max(r, g, b),  d = v - min(r, g, b),  s = d / v
        h = ((g - b) / d mod 6) / 6 if v = r, (2 + (b - r) / d) / 6 if v = g, else (4 + (r - g) / d) / 6

    Args:
        images: one image or a batch with three floating channels in 0..1.
        data_format: "channels_last" or "channels_first"; `config.image_data_format()` if None.
    Returns:
        The images' shape and dtype; grey has hue 0, black saturation 0.
    Ties: red goes before green, green before blue. NaN: spreads within its pixel. Empty: an empty result.
    Raises:
        DtypeError: no floating dtype.  ShapeError: another number of axes or channels.
    Source: Keras 3 `ops.image.rgb_to_hsv`.

    >>> rgb_to_hsv(np.array([[[0.0, 0.5, 0.25]]]))[0, 0]
    array([0.41666667, 1.        , 0.5       ])
    """
    x = fractions("rgb_to_hsv", images)
    (red, green, blue), axis = planes("rgb_to_hsv", x, data_format)
    value = ops.maximum(ops.maximum(red, green), blue)
    span = ops.subtract(value, ops.minimum(ops.minimum(red, green), blue))
    grey, black = ops.equal(span, 0), ops.less_equal(value, 0)
    saturation = ops.where(black, 0.0, ops.divide(span, ops.where(black, 1.0, value)))
    sixth = ops.multiply(6, ops.where(grey, 1.0, span))
    from_green = ops.add(ops.divide(ops.subtract(blue, red), sixth), 1 / 3)
    from_blue = ops.add(ops.divide(ops.subtract(red, green), sixth), 2 / 3)
    from_red = ops.divide(ops.subtract(green, blue), sixth)
    hue = ops.where(ops.equal(value, red), from_red, ops.where(ops.equal(value, green), from_green, from_blue))
    hue = ops.where(grey, 0.0, ops.where(ops.less(hue, 0), ops.add(hue, 1), hue))
    return ops.concatenate([hue, saturation, value], axis)


def hsv_to_rgb(images: TensorLike, data_format: str | None = None) -> TensorLike:
    """Hue, saturation and value as red, green and blue: the reverse of `rgb_to_hsv`.

        d = 6 (h mod 1);  r = v (1 - s + s clip(|d - 3| - 1)),  g = v (1 - s + s clip(2 - |d - 2|)),
        b = v (1 - s + s clip(2 - |d - 4|)),  clip to 0..1

    Args:
        images: one image or a batch with three floating channels.
        data_format: "channels_last" or "channels_first"; `config.image_data_format()` if None.
    Returns:
        The images' shape and dtype.
    NaN: spreads within its pixel. Empty: an empty result.
    Raises:
        DtypeError: no floating dtype.  ShapeError: another number of axes or channels.
    Source: Keras 3 `ops.image.hsv_to_rgb`.

    >>> hsv_to_rgb(np.array([[[0.5, 1.0, 0.5]]]))[0, 0]
    array([0. , 0.5, 0.5])
    """
    x = fractions("hsv_to_rgb", images)
    (hue, saturation, value), axis = planes("hsv_to_rgb", x, data_format)
    turn = ops.multiply(ops.mod(hue, 1), 6)
    red = ops.clip(ops.subtract(ops.abs(ops.subtract(turn, 3)), 1), 0, 1)
    green = ops.clip(ops.subtract(2, ops.abs(ops.subtract(turn, 2))), 0, 1)
    blue = ops.clip(ops.subtract(2, ops.abs(ops.subtract(turn, 4))), 0, 1)
    rest = ops.subtract(1, saturation)
    mixed = [ops.multiply(value, ops.add(rest, ops.multiply(saturation, part))) for part in (red, green, blue)]
    return ops.concatenate(mixed, axis)
