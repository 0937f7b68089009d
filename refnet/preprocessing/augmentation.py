"""Random changes of images: how each is drawn, and how a batch is changed."""

import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from refnet import dtypes, engine, ops, random
from refnet.annotations import Array
from refnet.errors import ArgumentError, ShapeError, shown
from refnet.layers.base import Layer
from refnet.preprocessing.iterators import DataFrameIterator, DirectoryIterator, NumpyArrayIterator
from refnet.utils.image_utils import array_to_img, img_to_array, pillow

FILL_MODES = ("constant", "nearest", "reflect", "wrap")
SMALL = 1e-6  # added to standard deviations
Parameters = dict[str, Any]


class ImageDataGenerator:
    """Makes batches of images from files or arrays, changed at random, without an end.

    Args:
        featurewise_center, featurewise_std_normalization: whether the mean of each channel over the data that `fit` saw is taken
            away, and what is left divided by their standard deviation.
        samplewise_center, samplewise_std_normalization: the same, for each image by itself.
        zca_whitening, zca_epsilon: whether pixels are decorrelated, as learned by `fit`; what is added to its singular values.
        rotation_range: images are turned by -range to range degrees.
        width_shift_range, height_shift_range: a share of the size (below 1), a number of pixels, or a list to choose from.
        brightness_range: (low, high): brightness is multiplied by a number between them (by Pillow).
        shear_range: degrees.
        zoom_range: (low, high), or z for (1 - z, 1 + z): images show so many times what they did.
        channel_shift_range: what is added to all of an image's values at most, within the range they have.
        fill_mode: what lies outside an image: "nearest", "constant" (cval), "reflect" or "wrap"; see `ops.affine_transform`.
        cval: see fill_mode.
        horizontal_flip, vertical_flip: whether one image in two is mirrored.
        rescale: a factor of all values, after the changes.
        preprocessing_function: a function of one image, after the changes.
        data_format: "channels_last" (None too) or "channels_first".
        validation_split: the share of images that subset="validation" has.
        interpolation_order: 0 (nearest pixel) or 1 (bilinear).
        dtype: of the batches; floatx if None.

    All draws come from `refnet.random`: a seed gives the same batches on every engine and every machine.
    Source: Keras 2 `preprocessing.image.ImageDataGenerator`; Chollet 5.2.5.

    >>> generator = ImageDataGenerator(rescale=1 / 255, horizontal_flip=True)
    >>> x, y = next(generator.flow(np.full((4, 8, 8, 3), 255), np.arange(4), batch_size=2, seed=1))
    >>> x.shape, float(x.max()), y.shape
    ((2, 8, 8, 3), 1.0, (2,))
    """

    def __init__(
        self,
        featurewise_center: bool = False,
        samplewise_center: bool = False,
        featurewise_std_normalization: bool = False,
        samplewise_std_normalization: bool = False,
        zca_whitening: bool = False,
        zca_epsilon: float = 1e-6,
        rotation_range: float = 0,
        width_shift_range: Any = 0.0,
        height_shift_range: Any = 0.0,
        brightness_range: Any = None,
        shear_range: float = 0.0,
        zoom_range: Any = 0.0,
        channel_shift_range: float = 0.0,
        fill_mode: str = "nearest",
        cval: float = 0.0,
        horizontal_flip: bool = False,
        vertical_flip: bool = False,
        rescale: float | None = None,
        preprocessing_function: Callable[[Array], Array] | None = None,
        data_format: str | None = None,
        validation_split: float = 0.0,
        interpolation_order: int = 1,
        dtype: Any = None,
    ):
        self.featurewise_center = featurewise_center or featurewise_std_normalization or zca_whitening
        self.featurewise_std_normalization = featurewise_std_normalization and not zca_whitening
        self.samplewise_center = samplewise_center or samplewise_std_normalization
        self.samplewise_std_normalization = samplewise_std_normalization
        self.zca_whitening, self.zca_epsilon = zca_whitening, zca_epsilon
        self.rotation_range, self.shear_range = rotation_range, shear_range
        self.width_shift_range, self.height_shift_range = width_shift_range, height_shift_range
        self.brightness_range = None if brightness_range is None else pair("brightness_range", brightness_range)
        number = isinstance(zoom_range, (int, float, np.number))
        self.zoom_range = (1 - zoom_range, 1 + zoom_range) if number else pair("zoom_range", zoom_range)
        self.channel_shift_range, self.cval = channel_shift_range, cval
        self.fill_mode = one_of("fill_mode", fill_mode, FILL_MODES)
        self.horizontal_flip, self.vertical_flip = horizontal_flip, vertical_flip
        self.rescale, self.preprocessing_function = rescale, preprocessing_function
        self.data_format = one_of("data_format", data_format or "channels_last", ("channels_last", "channels_first"))
        self.channel_axis, self.row_axis, self.col_axis = (3, 1, 2) if self.data_format == "channels_last" else (1, 2, 3)
        if not 0 <= validation_split < 1:
            raise ArgumentError(
                f"ImageDataGenerator: validation_split is at least 0 and below 1; got {validation_split!r}."
            )
        self._validation_split = validation_split
        self.interpolation_order = one_of("interpolation_order", interpolation_order, (0, 1))
        self.dtype = dtypes.as_numpy(dtypes.standardize(dtype))
        self.mean: Array | None = None
        self.std: Array | None = None
        self.zca_whitening_matrix: Array | None = None
        self._affine = Affine(interpolation_order, fill_mode, cval)

    # ---- batches

    def flow(
        self,
        x: Any,
        y: Any = None,
        batch_size: int = 32,
        shuffle: bool = True,
        sample_weight: Any = None,
        seed: int | None = None,
        save_to_dir: Any = None,
        save_prefix: str = "",
        save_format: str = "png",
        ignore_class_split: bool = False,
        subset: str | None = None,
    ) -> NumpyArrayIterator:
        """Batches of images of an array; see `NumpyArrayIterator`."""
        saving = (save_to_dir, save_prefix, save_format)
        return NumpyArrayIterator(
            x, y, self, batch_size, shuffle, sample_weight, seed, None, *saving, subset, ignore_class_split
        )

    def flow_from_directory(
        self,
        directory: Any,
        target_size: Any = (256, 256),
        color_mode: str = "rgb",
        classes: Any = None,
        class_mode: str | None = "categorical",
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int | None = None,
        save_to_dir: Any = None,
        save_prefix: str = "",
        save_format: str = "png",
        follow_links: bool = False,
        subset: str | None = None,
        interpolation: str = "nearest",
        keep_aspect_ratio: bool = False,
    ) -> DirectoryIterator:
        """Batches of image files, a folder for each class; see `DirectoryIterator`."""
        saving = (save_to_dir, save_prefix, save_format)
        reading = (follow_links, subset, interpolation, keep_aspect_ratio)
        how = (target_size, color_mode, classes, class_mode, batch_size, shuffle, seed, None)
        return DirectoryIterator(directory, self, *how, *saving, *reading)

    def flow_from_dataframe(
        self,
        dataframe: Any,
        directory: Any = None,
        x_col: str = "filename",
        y_col: Any = "class",
        weight_col: str | None = None,
        target_size: Any = (256, 256),
        color_mode: str = "rgb",
        classes: Any = None,
        class_mode: str | None = "categorical",
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int | None = None,
        save_to_dir: Any = None,
        save_prefix: str = "",
        save_format: str = "png",
        subset: str | None = None,
        interpolation: str = "nearest",
        validate_filenames: bool = True,
    ) -> DataFrameIterator:
        """Batches of image files that a table names; see `DataFrameIterator`."""
        how = (target_size, color_mode, classes, class_mode, batch_size, shuffle, seed, None)
        saving = (save_to_dir, save_prefix, save_format)
        reading = (subset, interpolation, False, None, validate_filenames)
        return DataFrameIterator(dataframe, directory, self, x_col, y_col, weight_col, *how, *saving, *reading)

    # ---- changes

    def get_random_transform(self, img_shape: Any, seed: int | None = None) -> Parameters:
        """The drawn parameters of one image's changes.

        Args:
            img_shape: of the image, without a batch axis.
            seed: of the draws; the next one of the global stream if None.
        Returns:
            theta, tx, ty, shear, zx, zy, flip_horizontal, flip_vertical, channel_shift_intensity and brightness.
        """
        return self.parameters_of(img_shape, uniforms(random.next_seed() if seed is None else seed, 0, 1)[0])

    def parameters_of(self, img_shape: Any, u: Array) -> Parameters:
        """The parameters that UNIFORMS numbers between 0 and 1 stand for."""
        zooms = [between(self.zoom_range[0], self.zoom_range[1], v) for v in u[6:8]]
        return {
            "theta": between(-self.rotation_range, self.rotation_range, u[0]),
            "tx": shift_of(self.height_shift_range, img_shape[self.row_axis - 1], u[1], u[2]),
            "ty": shift_of(self.width_shift_range, img_shape[self.col_axis - 1], u[3], u[4]),
            "shear": between(-self.shear_range, self.shear_range, u[5]),
            "zx": zooms[0],
            "zy": zooms[1],
            "flip_horizontal": bool(self.horizontal_flip and u[8] < 0.5),
            "flip_vertical": bool(self.vertical_flip and u[9] < 0.5),
            "channel_shift_intensity": between(-self.channel_shift_range, self.channel_shift_range, u[10])
            if self.channel_shift_range
            else None,
            "brightness": None if self.brightness_range is None else between(*self.brightness_range, u[11]),
        }

    def apply_transform(self, x: Array, transform_parameters: Parameters) -> Array:
        """One image, changed as the parameters say; those that are missing change nothing."""
        if x.ndim != 3:
            raise ShapeError(f"ImageDataGenerator.apply_transform takes one image of three axes; got shape {x.shape}.")
        return self.apply_transforms(np.asarray(x)[None], [transform_parameters])[0]

    def apply_transforms(self, batch: Array, parameters: Sequence[Parameters]) -> Array:
        """A batch of images, each changed by its own parameters: all that is affine in one call of the op."""
        last = self.data_format == "channels_last"
        rows, columns = batch.shape[self.row_axis], batch.shape[self.col_axis]
        matrices = [matrix_of(p, rows, columns) for p in parameters]
        if any(not np.array_equal(matrix, np.eye(3)) for matrix in matrices):
            batch = self._affine.applied(batch, matrices, last)
        changed = []
        for x, p in zip(batch, parameters):
            if p.get("channel_shift_intensity") is not None:
                x = apply_channel_shift(x, p["channel_shift_intensity"], self.channel_axis - 1)
            if p.get("flip_horizontal", False):
                x = np.flip(x, self.col_axis - 1)
            if p.get("flip_vertical", False):
                x = np.flip(x, self.row_axis - 1)
            if p.get("brightness") is not None:
                x = x if last else x.transpose(1, 2, 0)
                x = apply_brightness_shift(x, p["brightness"], False)
                x = x if last else x.transpose(2, 0, 1)
            changed.append(x)
        return np.stack(changed)

    def random_transform(self, x: Array, seed: int | None = None) -> Array:
        """One image, changed at random."""
        return self.apply_transform(x, self.get_random_transform(x.shape, seed))

    def changed(self, batch: Array, seed: int, number: int) -> Array:
        """Batch `number` of an iterator: changed at random, then standardized."""
        drawn = uniforms(seed, number, len(batch))
        batch = self.apply_transforms(batch, [self.parameters_of(batch.shape[1:], u) for u in drawn])
        return np.stack([self.standardize(x) for x in batch])

    def standardize(self, x: Array) -> Array:
        """One image through preprocessing_function, rescale, and the normalizations."""
        if self.preprocessing_function is not None:
            x = self.preprocessing_function(x)
        if self.rescale:
            x = x * self.rescale
        if self.samplewise_center:
            x = x - x.mean()
        if self.samplewise_std_normalization:
            x = x / (x.std() + SMALL)
        if self.featurewise_center and self._fitted(self.mean, "featurewise_center"):
            x = x - self.mean
        if self.featurewise_std_normalization and self._fitted(self.std, "featurewise_std_normalization"):
            x = x / (self.std + SMALL)
        if self.zca_whitening and self._fitted(self.zca_whitening_matrix, "zca_whitening"):
            x = (x.reshape(-1, math.prod(x.shape[-3:])) @ self.zca_whitening_matrix).reshape(x.shape)
        return np.asarray(x, self.dtype)

    def _fitted(self, learned: Any, word: str) -> bool:
        if learned is None:
            warnings.warn(
                f"ImageDataGenerator: {word} is asked for, but nothing was learned: call fit(images) first.", stacklevel=3
            )
        return learned is not None

    def fit(self, x: Any, augment: bool = False, rounds: int = 1, seed: int | None = None) -> None:
        """Learns what featurewise_center, featurewise_std_normalization and zca_whitening need.

        Args:
            x: images, like those that will come.
            augment: whether they are changed at random first, `rounds` times each.
            seed: of these changes.
        Raises:
            ShapeError: no batch of images.
        """
        x = np.array(x, self.dtype)
        if x.ndim != 4:
            raise ShapeError(f"ImageDataGenerator.fit takes images, four axes; got shape {x.shape}.")
        x = x * self.rescale if self.rescale else x
        if augment:
            key = random.next_seed() if seed is None else seed
            drawn = [uniforms(key, round, len(x)) for round in range(rounds)]
            rows = [[self.parameters_of(x.shape[1:], u) for u in numbers] for numbers in drawn]
            x = np.concatenate([self.apply_transforms(x, parameters) for parameters in rows])
        axes, shape = (0, self.row_axis, self.col_axis), [1, 1, 1]
        shape[self.channel_axis - 1] = x.shape[self.channel_axis]
        if self.featurewise_center:
            self.mean = x.mean(axes, dtype=np.float64).astype(self.dtype).reshape(shape)
            x = x - self.mean
        if self.featurewise_std_normalization:
            self.std = x.std(axes, dtype=np.float64).astype(self.dtype).reshape(shape)
            x = x / (self.std + SMALL)
        if self.zca_whitening:
            u, s, _ = np.linalg.svd(x.reshape(len(x), -1).T, full_matrices=False)
            self.zca_whitening_matrix = (u * (np.sqrt(len(x)) / (s + self.zca_epsilon))) @ u.T


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


def _random_affine(x: Array, names: Sequence[str], ranges: Sequence[tuple[float, float]], seed: Any, more: Any) -> Array:
    drawn = uniforms(random.next_seed() if seed is None else seed, 0, 1)[0]
    parameters = {name: between(low, high, u) for name, (low, high), u in zip(names, ranges, drawn)}
    if "interpolation_order" in more:
        more["order"] = more.pop("interpolation_order")
    return apply_affine_transform(x, **parameters, **{**AXES, **more})


def random_rotation(x: Array, rg: float, seed: int | None = None, **more: Any) -> Array:
    """An image turned by -rg to rg degrees; `more` as in `apply_affine_transform`."""
    return _random_affine(x, ["theta"], [(-rg, rg)], seed, more)


def random_shift(x: Array, wrg: float, hrg: float, seed: int | None = None, **more: Any) -> Array:
    """An image shifted by at most the share wrg of its width and hrg of its height; `more` as in `apply_affine_transform`."""
    high = hrg * x.shape[more.get("row_axis", 1)]
    wide = wrg * x.shape[more.get("col_axis", 2)]
    return _random_affine(x, ["tx", "ty"], [(-high, high), (-wide, wide)], seed, more)


def random_shear(x: Array, intensity: float, seed: int | None = None, **more: Any) -> Array:
    """An image sheared by at most `intensity` degrees; `more` as in `apply_affine_transform`."""
    return _random_affine(x, ["shear"], [(-intensity, intensity)], seed, more)


def random_zoom(x: Array, zoom_range: Any, seed: int | None = None, **more: Any) -> Array:
    """An image zoomed by factors between the two of zoom_range; `more` as in `apply_affine_transform`."""
    low, high = pair("zoom_range", zoom_range)
    return _random_affine(x, ["zx", "zy"], [(low, high)] * 2, seed, more)


# ---- colours


def apply_channel_shift(x: Array, intensity: float, channel_axis: int = 0) -> Array:
    """An image with a number added to all values, kept between the least and the greatest it had."""
    return np.asarray(np.clip(x + np.asarray(intensity, x.dtype), x.min(), x.max()))


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
    image = array_to_img(x, scale=outside or scale)
    y = img_to_array(ImageEnhance.Brightness(image).enhance(brightness))
    return np.asarray(y / 255 * (high - low) + low) if outside and not scale else y


def random_brightness(x: Array, brightness_range: Any, scale: bool = True, seed: int | None = None) -> Array:
    """`apply_brightness_shift` by a factor between the two of brightness_range."""
    u = uniforms(random.next_seed() if seed is None else seed, 0, 1)[0, 0]
    return apply_brightness_shift(x, between(*pair("brightness_range", brightness_range), u), scale)


# ---- arguments


def pair(word: str, value: Any) -> tuple[float, float]:
    numbers = isinstance(value, (tuple, list, np.ndarray)) and all(isinstance(v, (int, float, np.number)) for v in value)
    if not numbers or len(value) != 2:
        raise ArgumentError(f"{word} is a pair of numbers (low, high); got {shown(value)}.")
    return float(value[0]), float(value[1])


def one_of(word: str, value: Any, known: Sequence[Any]) -> Any:
    if value not in known:
        raise ArgumentError(f"{word} is one of {', '.join(map(repr, known))}; got {value!r}.")
    return value
