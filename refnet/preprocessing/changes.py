"""The changes themselves: images turned, shifted, sheared, zoomed, brightened; by given amounts and by drawn ones."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from refnet import engine, ops, random
from refnet.annotations import Array
from refnet.errors import ArgumentError, shown
from refnet.layers.base import Layer
from refnet.utils.image_utils import array_to_img, img_to_array, pillow

FILL_MODES = ("constant", "nearest", "reflect", "wrap")
Parameters = dict[str, Any]

# ---- draws

UNIFORMS = 12  # numbers drawn for an image: see `parameters_of`


def uniforms(seed: int, run: int, count: int) -> Array:
    """(count, UNIFORMS) numbers between 0 and 1: a function of the seed and the run, whatever was drawn before."""
    key = random.checked_seed(seed)
    attributes = {"dtype": "float64", "seed": key, "place": 0, "minval": 0.0, "maxval": 1.0}
    with engine.eager_on_current():
        return np.asarray(random.random_uniform_op(np.asarray(run, np.int64), shape=(count, UNIFORMS), **attributes))


def between(low: float, high: float, u: float) -> float:
    return float(low + (high - low) * u)


def shift_of(given: Any, extent: int, u: float, sign: float) -> float:
    """How many pixels an axis is shifted: drawn from a share, from a number of pixels, or from a list with either sign."""
    if np.ndim(given):
        choices = np.asarray(given)
        pixels = float(choices[min(int(u * len(choices)), len(choices) - 1)]) * (1 if sign < 0.5 else -1)
    elif isinstance(given, (int, np.integer)):
        pixels = float(int(u * given)) * (1 if sign < 0.5 else -1)  # Keras chooses from range(given)
    else:
        pixels = between(-given, given, u)
    return pixels * extent if np.size(given) and np.max(given) < 1 else pixels


# ---- affine changes


def matrix_of(p: Parameters, rows: int, columns: int) -> Array:
    """The 3x3 matrix from (row, column, 1) of the result to the point that is read."""
    theta, shear = math.radians(p.get("theta", 0)), math.radians(p.get("shear", 0))
    turn = np.array([[math.cos(theta), -math.sin(theta), 0], [math.sin(theta), math.cos(theta), 0], [0, 0, 1]])
    shift = np.array([[1, 0, p.get("tx", 0)], [0, 1, p.get("ty", 0)], [0, 0, 1]])
    slant = np.array([[1, -math.sin(shear), 0], [0, math.cos(shear), 0], [0, 0, 1]])
    matrix = turn @ shift @ slant @ np.diag([p.get("zx", 1), p.get("zy", 1), 1])
    if np.array_equal(matrix, np.eye(3)):
        return matrix
    centre = np.array([[1, 0, rows / 2 - 0.5], [0, 1, columns / 2 - 0.5], [0, 0, 1]])
    back = np.array([[1, 0, 0.5 - rows / 2], [0, 1, 0.5 - columns / 2], [0, 0, 1]])
    return centre @ matrix @ back


class Affine(Layer):
    """`ops.affine_transform` as a layer: a program that is planned once for all batches of a kind."""

    def __init__(self, order: int, fill_mode: str, cval: float):
        super().__init__(autocast=False)
        self.order, self.fill_mode, self.cval, self.built = order, fill_mode, float(cval), True

    def call(self, images: Any, transform: Any, data_format: str = "channels_last") -> Any:
        interpolation = "bilinear" if self.order else "nearest"
        return ops.affine_transform(images, transform, interpolation, self.fill_mode, self.cval, data_format)

    def applied(self, batch: Array, matrices: Sequence[Array], last: bool) -> Array:
        """Images read through matrices (see `matrix_of`). Points are worked out in float64: none jumps to the next pixel."""
        m = np.stack(matrices)
        zeros = np.zeros(len(m))
        rows = [m[:, 1, 1], m[:, 1, 0], m[:, 1, 2], m[:, 0, 1], m[:, 0, 0], m[:, 0, 2], zeros, zeros]
        return np.asarray(self(batch, np.stack(rows, 1), "channels_last" if last else "channels_first"))


def apply_affine_transform(
    x: Array,
    theta: float = 0,
    tx: float = 0,
    ty: float = 0,
    shear: float = 0,
    zx: float = 1,
    zy: float = 1,
    row_axis: int = 1,
    col_axis: int = 2,
    channel_axis: int = 0,
    fill_mode: str = "nearest",
    cval: float = 0.0,
    order: int = 1,
) -> Array:
    """One image, turned (degrees), shifted (pixels), sheared (degrees) and zoomed about its centre.

    Args:
        x: an image of three axes; row_axis, col_axis and channel_axis say which is which.
        tx, zx: along rows; ty, zy: along columns.
        fill_mode, cval, order: see `ImageDataGenerator`.
    Source: Keras 2 `preprocessing.image.apply_affine_transform`.
    """
    if sorted((row_axis, col_axis, channel_axis)) != [0, 1, 2] or np.ndim(x) != 3:
        raise ArgumentError(
            "apply_affine_transform takes an image of three axes, and row_axis, col_axis and channel_axis 0, 1 and 2 in some "
            f"order; got shape {np.shape(x)} and {row_axis}, {col_axis}, {channel_axis}."
        )
    image = np.transpose(x, (row_axis, col_axis, channel_axis))
    parameters = {"theta": theta, "tx": tx, "ty": ty, "shear": shear, "zx": zx, "zy": zy}
    matrix = matrix_of(parameters, image.shape[0], image.shape[1])
    affine = Affine(one_of("order", order, (0, 1)), one_of("fill_mode", fill_mode, FILL_MODES), cval)
    y = affine.applied(np.ascontiguousarray(image)[None], [matrix], True)[0]
    return np.transpose(y, np.argsort((row_axis, col_axis, channel_axis)))


AXES = {"row_axis": 1, "col_axis": 2, "channel_axis": 0, "fill_mode": "nearest", "cval": 0.0, "order": 1}


def _random_affine(
    x: Array, names: Sequence[str], ranges: Sequence[tuple[float, float]], seed: Any, more: Any
) -> Array:
    drawn = uniforms(random.next_seed() if seed is None else seed, 0, 1)[0]
    parameters = {name: between(low, high, u) for name, (low, high), u in zip(names, ranges, drawn)}
    if "interpolation_order" in more:
        more["order"] = more.pop("interpolation_order")
    how: dict[str, Any] = {**parameters, **AXES, **more}
    return apply_affine_transform(x, **how)


def random_rotation(x: Array, rg: float, seed: int | None = None, **more: Any) -> Array:
    """An image turned by -rg to rg degrees; `more` as in `apply_affine_transform`."""
    return _random_affine(x, ["theta"], [(-rg, rg)], seed, more)


def random_shift(x: Array, wrg: float, hrg: float, seed: int | None = None, **more: Any) -> Array:
    """An image shifted by at most the share wrg of its width and hrg of its height; `more` as in `apply_affine_transform`."""
    high = hrg * np.shape(x)[more.get("row_axis", 1)]
    wide = wrg * np.shape(x)[more.get("col_axis", 2)]
    return _random_affine(x, ["tx", "ty"], [(-high, high), (-wide, wide)], seed, more)


def random_shear(x: Array, intensity: float, seed: int | None = None, **more: Any) -> Array:
    """An image sheared by at most `intensity` degrees; `more` as in `apply_affine_transform`."""
    return _random_affine(x, ["shear"], [(-intensity, intensity)], seed, more)


def random_zoom(x: Array, zoom_range: Any, seed: int | None = None, **more: Any) -> Array:
    """An image zoomed by factors between the two of zoom_range; `more` as in `apply_affine_transform`."""
    low, high = pair("zoom_range", zoom_range)
    return _random_affine(x, ["zx", "zy"], [(low, high)] * 2, seed, more)


# ---- colours


def apply_channel_shift(x: Any, intensity: float, channel_axis: int = 0) -> Array:
    """An image with a number added to all values, kept between the least and the greatest it had.

    Returns:
        The image's floating dtype; of whole numbers float64, as NumPy adds.
    """
    x = np.asarray(x)
    # a whole number takes no part of another one, and unsigned ones begin anew beyond their end
    wide = x if np.issubdtype(x.dtype, np.floating) else x.astype(np.float64)
    return np.asarray(np.clip(wide + np.asarray(intensity, wide.dtype), wide.min(), wide.max()))


def random_channel_shift(x: Array, intensity_range: float, channel_axis: int = 0, seed: int | None = None) -> Array:
    """`apply_channel_shift` by -intensity_range to intensity_range."""
    u = uniforms(random.next_seed() if seed is None else seed, 0, 1)[0, 0]
    return apply_channel_shift(x, between(-intensity_range, intensity_range, u), channel_axis)


def apply_brightness_shift(x: Array, brightness: float, scale: bool = True) -> Array:
    """An image (height, width, channels) made so many times as bright, by Pillow: in whole steps of 0..255.

    Args:
        scale: whether its values are spread over 0..255 first; those that do not lie there are in any case, and brought back if
            scale is False.
    """
    pillow()
    from PIL import ImageEnhance

    low, high = x.min(), x.max()
    outside = bool(low < 0 or high > 255)
    image = array_to_img(x, "channels_last", scale=outside or scale)
    y = img_to_array(ImageEnhance.Brightness(image).enhance(brightness), "channels_last")
    return np.asarray(y / 255 * (high - low) + low) if outside and not scale else y


def random_brightness(x: Array, brightness_range: Any, scale: bool = True, seed: int | None = None) -> Array:
    """`apply_brightness_shift` by a factor between the two of brightness_range."""
    u = uniforms(random.next_seed() if seed is None else seed, 0, 1)[0, 0]
    return apply_brightness_shift(x, between(*pair("brightness_range", brightness_range), u), scale)


# ---- arguments


def pair(word: str, value: Any) -> tuple[float, float]:
    given = value.tolist() if isinstance(value, np.ndarray) else value
    numbers = isinstance(given, (tuple, list)) and all(isinstance(v, (int, float, np.number)) for v in given)
    if not numbers or len(given) != 2:
        raise ArgumentError(f"{word} is a pair of numbers (low, high); got {shown(value)}.")
    return float(given[0]), float(given[1])


def one_of(word: str, value: Any, known: Sequence[Any]) -> Any:
    if value not in known:
        raise ArgumentError(f"{word} is one of {', '.join(map(repr, known))}; got {value!r}.")
    return value
