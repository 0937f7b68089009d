"""Random changes of images: how each is drawn, and how a batch is changed."""

import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from refnet import dtypes, random
from refnet.annotations import Array
from refnet.errors import ArgumentError, ShapeError
from refnet.preprocessing.changes import (
    FILL_MODES,
    Affine,
    Parameters,
    apply_brightness_shift,
    apply_channel_shift,
    between,
    matrix_of,
    one_of,
    pair,
    shift_of,
    uniforms,
)
from refnet.preprocessing.file_iterators import DataFrameIterator, DirectoryIterator
from refnet.preprocessing.iterators import NumpyArrayIterator
from refnet.settings import image_data_format

SMALL = 1e-6  # added to standard deviations


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
        data_format: "channels_last" or "channels_first"; `config.image_data_format()` if None.
        validation_split: the share of images that subset="validation" has.
        interpolation_order: 0 (nearest pixel) or 1 (bilinear).
        dtype: of the batches; floatx if None.

    The height is shifted by height_shift_range, as in the book's Keras 2.0.8; the legacy class in Keras 3 exchanges the two ranges.
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
        for word, value, axes in (
            ("rotation_range", rotation_range, 0),
            ("shear_range", shear_range, 0),
            ("channel_shift_range", channel_shift_range, 0),
            ("rescale", rescale or 0, 0),
            ("width_shift_range", width_shift_range, 1),
            ("height_shift_range", height_shift_range, 1),
        ):
            if np.asarray(value).dtype.kind not in "biuf" or np.ndim(value) > axes:
                what = "a number, or a list of them" if axes else "a number"
                raise ArgumentError(f"ImageDataGenerator: {word} is {what}; got {value!r}.")
        self.rotation_range, self.shear_range = rotation_range, shear_range
        self.width_shift_range, self.height_shift_range = width_shift_range, height_shift_range
        self.brightness_range = None if brightness_range is None else pair("brightness_range", brightness_range)
        number = isinstance(zoom_range, (int, float, np.number))
        self.zoom_range = (1 - zoom_range, 1 + zoom_range) if number else pair("zoom_range", zoom_range)
        self.channel_shift_range, self.cval = channel_shift_range, cval
        self.fill_mode = one_of("fill_mode", fill_mode, FILL_MODES)
        self.horizontal_flip, self.vertical_flip = horizontal_flip, vertical_flip
        self.rescale, self.preprocessing_function = rescale, preprocessing_function
        self.data_format = one_of(
            "data_format", data_format or image_data_format(), ("channels_last", "channels_first")
        )
        self.channel_axis, self.row_axis, self.col_axis = (
            (3, 1, 2) if self.data_format == "channels_last" else (1, 2, 3)
        )
        if not 0 <= validation_split < 1:
            raise ArgumentError(
                f"ImageDataGenerator: validation_split is at least 0 and below 1; got {validation_split!r}."
            )
        self._validation_split = validation_split
        self.interpolation_order = one_of("interpolation_order", interpolation_order, (0, 1))
        self.dtype = dtypes.as_numpy(dtypes.standardize(dtype))
        self.mean: Array = None
        self.std: Array = None
        self.zca_whitening_matrix: Array = None
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
        how = (target_size, color_mode, classes, class_mode, batch_size, shuffle, seed, None)
        saving = (save_to_dir, save_prefix, save_format)
        more: Any = (follow_links, subset, interpolation, keep_aspect_ratio)
        return DirectoryIterator(directory, self, *how, *saving, *more)

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
        more: dict[str, Any] = {
            "subset": subset,
            "interpolation": interpolation,
            "validate_filenames": validate_filenames,
        }
        saving: Any = (save_to_dir, save_prefix, save_format)
        return DataFrameIterator(dataframe, directory, self, x_col, y_col, weight_col, *how, *saving, **more)

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
                f"ImageDataGenerator: {word} is asked for, but nothing was learned: call fit(images) first.",
                stacklevel=3,
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
