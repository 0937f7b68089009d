"""Endless batches of images read from files: from folders, from tables of file names."""

import os
import pathlib
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from refnet import dtypes
from refnet.annotations import Array
from refnet.errors import ArgumentError, MissingFileError, did_you_mean
from refnet.paths import as_path
from refnet.preprocessing.iterators import FORMATS, Iterator, subset_of
from refnet.progress import tell
from refnet.utils.image_utils import CHANNELS, checked_size, img_to_array, load_img

if TYPE_CHECKING:
    from refnet.preprocessing.augmentation import ImageDataGenerator


class FileIterator(Iterator):
    """Base of batches read from files.

    Args:
        image_data_generator: makes the changes.
        target_size: (height, width) that images are brought to.
        color_mode: "rgb", "rgba" or "grayscale".
        class_mode: what the targets are: "categorical" one-hot rows, "binary" or "sparse" class numbers, "input" the images
            themselves, None nothing.
        saving: save_to_dir, save_prefix, save_format, as in `NumpyArrayIterator`.
        interpolation, keep_aspect_ratio: as in `utils.load_img`.
        dtype: of the batches; that of the generator if None.
    """

    class_modes: tuple[str | None, ...] = ("categorical", "binary", "sparse", "input", None)
    filepaths: list[str]
    classes: Any
    class_indices: dict[str, int]
    sample_weight: Any = None

    def _set(
        self,
        image_data_generator: "ImageDataGenerator",
        target_size: Any,
        color_mode: str,
        class_mode: str | None,
        data_format: str | None,
        saving: tuple[Any, str, str],
        interpolation: str,
        keep_aspect_ratio: bool,
        dtype: Any,
    ) -> None:
        name = type(self).__name__
        self.generator = image_data_generator
        self.data_format = data_format or image_data_generator.data_format
        self.dtype = image_data_generator.dtype if dtype is None else dtypes.as_numpy(dtypes.standardize(dtype))
        self.target_size = checked_size(name, target_size)
        if color_mode not in CHANNELS:
            raise ArgumentError(f"{name}: color_mode is one of {', '.join(CHANNELS)}; got {color_mode!r}.")
        if class_mode not in self.class_modes:
            known = [word for word in self.class_modes if word is not None]
            raise ArgumentError(f"{name}: class_mode {class_mode!r} is unknown.{did_you_mean(class_mode, known)}")
        self.color_mode, self.class_mode = color_mode, class_mode
        channels = (CHANNELS[color_mode],)
        last = self.data_format == "channels_last"
        self.image_shape = self.target_size + channels if last else channels + self.target_size
        self.save_to_dir, self.save_prefix, self.save_format = saving
        self.interpolation, self.keep_aspect_ratio = interpolation, keep_aspect_ratio

    def made(self, rows: Array, number: int) -> Any:
        images = np.stack([self.image(row) for row in rows])
        images = self.generator.changed(images, self.key, number).astype(self.dtype, copy=False)
        self.save(images, rows, number)
        if self.class_mode is None:
            return images
        targets = self.targets(rows, images)
        return (images, targets) if self.sample_weight is None else (images, targets, self.sample_weight[rows])

    def image(self, row: int) -> Array:
        """One image, as it is in its file."""
        image = load_img(
            self.filepaths[row], self.color_mode, self.target_size, self.interpolation, self.keep_aspect_ratio
        )
        return img_to_array(image, self.data_format, self.dtype.name)

    def targets(self, rows: Array, images: Array) -> Any:
        """What class_mode says."""
        if self.class_mode == "input":
            return images.copy()
        if self.class_mode in ("binary", "sparse"):
            return np.asarray([self.classes[row] for row in rows], self.dtype)
        targets = np.zeros((len(rows), len(self.class_indices)), self.dtype)
        for target, row in zip(targets, rows):
            target[self.classes[row]] = 1
        return targets

    @property
    def samples(self) -> int:
        """The number of images."""
        return len(self.filepaths)

    @property
    def labels(self) -> Any:
        """The images' class numbers."""
        return self.classes


class DirectoryIterator(FileIterator):
    """Batches of the images in folders, a folder for each class: `ImageDataGenerator.flow_from_directory`.

    Prints how many there are. `filenames`, `classes` and `class_indices` {folder: class} say what they are.

    Args:
        directory: the folder with a folder for each class; their names, sorted, are the classes 0, 1, ...
        classes: the names of the folders that are used, in order; all if None.
        follow_links: whether links to folders are followed.
        subset: "training" or "validation": the part of each class that validation_split leaves or takes, from the front.
        batch_size, shuffle, seed: see `Iterator`; the rest: see `FileIterator`.
    Raises:
        MissingFileError: no such folder.  ArgumentError.
    """

    def __init__(
        self,
        directory: Any,
        image_data_generator: "ImageDataGenerator",
        target_size: Any = (256, 256),
        color_mode: str = "rgb",
        classes: Any = None,
        class_mode: str | None = "categorical",
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int | None = None,
        data_format: str | None = None,
        save_to_dir: Any = None,
        save_prefix: str = "",
        save_format: str = "png",
        follow_links: bool = False,
        subset: str | None = None,
        interpolation: str = "nearest",
        keep_aspect_ratio: bool = False,
        dtype: Any = None,
    ):
        saving = (save_to_dir, save_prefix, save_format)
        how = (target_size, color_mode, class_mode, data_format, saving, interpolation, keep_aspect_ratio, dtype)
        self._set(image_data_generator, *how)
        self.directory = as_path("flow_from_directory", directory)
        if not self.directory.is_dir():
            raise MissingFileError(f"flow_from_directory: there is no folder {directory}.")
        folders = sorted(entry.name for entry in self.directory.iterdir() if entry.is_dir())
        names = list(classes) if classes else folders
        for name in names:
            if name not in folders:
                raise ArgumentError(
                    f"flow_from_directory: {directory} has no folder {name!r}.{did_you_mean(name, folders)}"
                )
        self.class_indices, self.num_classes = {name: i for i, name in enumerate(names)}, len(names)
        start, stop = subset_of("flow_from_directory", subset, image_data_generator._validation_split)
        self.filenames: list[str] = []
        numbers: list[int] = []
        for name in names:
            found = image_files(self.directory / name, follow_links)
            part = found[int(start * len(found)) : int(stop * len(found))]
            self.filenames += [os.path.join(name, path) for path in part]
            numbers += [self.class_indices[name]] * len(part)
        self.classes = np.array(numbers, np.int32)
        self.filepaths = [str(self.directory / name) for name in self.filenames]
        if class_mode == "binary" and self.num_classes != 2:
            raise ArgumentError(
                f"flow_from_directory: class_mode 'binary' is for two classes; {directory} has {self.num_classes}."
            )
        if not names:
            raise MissingFileError(
                f"flow_from_directory: {directory} has no folders in it; there must be one for each class, with its images."
            )
        tell(f"Found {self.samples} images belonging to {self.num_classes} classes.")
        if not self.filenames:
            warnings.warn(
                f"flow_from_directory: there is no image in the folders of {directory} ({', '.join(names)}).",
                stacklevel=3,
            )
        super().__init__(self.samples, batch_size, shuffle, seed)


def image_files(folder: pathlib.Path, follow_links: bool) -> list[str]:
    """The image files in a folder and the folders in it, sorted, relative to it."""
    found = []
    for root, _, names in sorted(os.walk(folder, followlinks=follow_links)):
        found += [
            os.path.relpath(os.path.join(root, name), folder)
            for name in sorted(names)
            if name.lower().endswith(FORMATS)
        ]
    return found


class DataFrameIterator(FileIterator):
    """Batches of the images that a table names: `ImageDataGenerator.flow_from_dataframe`.

    Args:
        dataframe: a pandas DataFrame, or anything whose columns `dataframe[name]` can be listed.
        directory: the folder that file names are relative to; None: they are whole paths.
        x_col: the column of file names.
        y_col: the column of classes (strings; in "categorical" mode lists of them too) or of targets; a list of columns for
            class_mode="multi_output".
        weight_col: the column of sample weights, or None.
        classes: the classes in use, in order; all, sorted, if None.
        class_mode: also "raw" (the column's values) and "multi_output" (a list of them).
        subset: "training" or "validation": the part that validation_split leaves or takes, from the front.
        validate_filenames: whether names of files that are not there, or no images, are left out.
        batch_size, shuffle, seed: see `Iterator`; the rest: see `FileIterator`.
    """

    class_modes = ("categorical", "binary", "sparse", "input", "raw", "multi_output", None)

    def __init__(
        self,
        dataframe: Any,
        directory: Any,
        image_data_generator: "ImageDataGenerator",
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
        data_format: str | None = None,
        save_to_dir: Any = None,
        save_prefix: str = "",
        save_format: str = "png",
        subset: str | None = None,
        interpolation: str = "nearest",
        keep_aspect_ratio: bool = False,
        dtype: Any = None,
        validate_filenames: bool = True,
    ):
        saving = (save_to_dir, save_prefix, save_format)
        how = (target_size, color_mode, class_mode, data_format, saving, interpolation, keep_aspect_ratio, dtype)
        self._set(image_data_generator, *how)
        self.directory = pathlib.Path(directory or "")
        names = column(dataframe, x_col)
        paths = [str(self.directory / str(name)) for name in names]
        kept = _image_rows(paths, x_col) if validate_filenames else list(range(len(paths)))
        labelled = class_mode in ("categorical", "binary", "sparse")
        labels = [as_labels(value) for value in column(dataframe, y_col)] if labelled else []
        if labelled:
            self.class_indices = _class_numbers(classes, class_mode, [labels[i] for i in kept])
            kept = [i for i in kept if any(label in self.class_indices for label in labels[i])]
        start, stop = subset_of("flow_from_dataframe", subset, image_data_generator._validation_split)
        kept = kept[int(start * len(kept)) : int(stop * len(kept))]
        self.filenames, self.filepaths = [str(names[i]) for i in kept], [paths[i] for i in kept]
        if labelled:
            numbers = [[self.class_indices[x] for x in labels[i] if x in self.class_indices] for i in kept]
            self.classes = numbers if class_mode == "categorical" else np.array([n[0] for n in numbers], np.int32)
        columns = list(y_col) if isinstance(y_col, (list, tuple)) else [y_col]
        raw = class_mode in ("raw", "multi_output")
        self.values = [np.array([column(dataframe, name)[i] for i in kept]) for name in columns] if raw else []
        self.sample_weight = None if weight_col is None else np.array([column(dataframe, weight_col)[i] for i in kept])
        of = f" belonging to {len(self.class_indices)} classes" if labelled else ""
        word = "validated" if validate_filenames else "non-validated"
        tell(f"Found {self.samples} {word} image filenames{of}.")
        super().__init__(self.samples, batch_size, shuffle, seed)

    def targets(self, rows: Array, images: Array) -> Any:
        if self.class_mode == "raw":
            return self.values[0][rows] if len(self.values) == 1 else np.stack([v[rows] for v in self.values], 1)
        if self.class_mode == "multi_output":
            return [values[rows] for values in self.values]
        return super().targets(rows, images)

    @property
    def labels(self) -> Any:
        """The images' class numbers, or what class_mode "raw" or "multi_output" gives."""
        return self.classes if not self.values else self.values


def _image_rows(paths: Sequence[str], x_col: str) -> list[int]:
    """The rows whose paths are image files, with a warning if others are left out."""
    rows = [i for i, path in enumerate(paths) if is_image(path)]
    if len(rows) < len(paths):
        warnings.warn(
            f"flow_from_dataframe: {len(paths) - len(rows)} names of {x_col!r} are no image files and are left out.",
            stacklevel=4,
        )
    return rows


def _class_numbers(classes: Any, class_mode: str | None, labels: Sequence[Sequence[Any]]) -> dict[Any, int]:
    """A number for each class: those that are given, in their order, or all that there are, sorted."""
    used = list(dict.fromkeys(classes)) if classes else sorted({label for row in labels for label in row})
    if class_mode == "binary" and len(used) != 2:
        raise ArgumentError(f"flow_from_dataframe: class_mode 'binary' is for two classes; there are {len(used)}.")
    return {name: i for i, name in enumerate(used)}


def column(dataframe: Any, name: str) -> list[Any]:
    """A table's column as a list. Raises ArgumentError if there is none."""
    try:
        return list(dataframe[name])
    except (KeyError, TypeError):
        known = [str(word) for word in getattr(dataframe, "columns", dataframe)]
        raise ArgumentError(
            f"flow_from_dataframe: the table has no column {name!r}.{did_you_mean(name, known)}"
        ) from None


def as_labels(value: Any) -> list[str]:
    """A row's classes. Raises ArgumentError for what is no name."""
    labels = list(value) if isinstance(value, (list, tuple)) else [value]
    for label in labels:
        if not isinstance(label, str):
            raise ArgumentError(
                f"flow_from_dataframe: classes are strings; got {label!r}. Turn the column into strings, or use class_mode='raw'."
            )
    return labels


def is_image(path: str) -> bool:
    return path.lower().endswith(FORMATS) and os.path.isfile(path)
