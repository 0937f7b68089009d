"""Endless batches of images: from arrays, from folders, from tables of file names."""

import os
import pathlib
import warnings
from collections.abc import Iterable, Iterator as Iterates
from typing import TYPE_CHECKING, Any

import numpy as np

from refnet import dtypes, engine, random
from refnet.annotations import Array
from refnet.errors import ArgumentError, MissingFileError, ShapeError, did_you_mean
from refnet.utils.ahead import ahead
from refnet.utils.dataset_utils import checked_index
from refnet.utils.image_utils import CHANNELS, array_to_img, checked_size, img_to_array, load_img
from refnet.utils.py_dataset import PyDataset

if TYPE_CHECKING:
    from refnet.preprocessing.augmentation import ImageDataGenerator

FORMATS = ("png", "jpg", "jpeg", "bmp", "ppm", "tif", "tiff")


class Iterator(PyDataset):
    """Base of endless batches. A batch is a function of the seed and its number, so threads and restarts change nothing.

    `next(it)` gives batch after batch, pass after pass; `it[i]` batch i of the current pass; fit and evaluate take passes, whose
    batches a thread makes ahead.

    Args:
        n: the number of samples.
        batch_size: samples in a batch; the last batch of a pass may have fewer.
        shuffle: whether each pass has its own order.
        seed: of the orders and of all changes; the next one of the global stream if None.
    """

    white_list_formats = FORMATS

    def __init__(self, n: int, batch_size: int, shuffle: bool, seed: int | None, **more: Any):
        super().__init__(**more)
        if isinstance(batch_size, bool) or not isinstance(batch_size, (int, np.integer)) or batch_size < 1:
            raise ArgumentError(f"{type(self).__name__}: batch_size must be an integer of at least 1; got {batch_size!r}.")
        self.n, self.batch_size, self.shuffle, self.seed = n, int(batch_size), shuffle, seed
        self.key = random.next_seed() if seed is None else random.checked_seed(seed)
        self.passes = 0
        self.reset()

    def __len__(self) -> int:
        return -(-self.n // self.batch_size)

    def __iter__(self) -> "Iterator":
        return self

    def __next__(self) -> Any:
        if self.n == 0:
            raise StopIteration
        number = self.total_batches_seen
        self.total_batches_seen += 1
        return self.batch(number)

    def __getitem__(self, index: int) -> Any:
        return self.batch(self.passes * len(self) + checked_index(index, len(self)))

    def reset(self) -> None:
        """`next` starts again with the first batch."""
        self.total_batches_seen = 0

    @property
    def batch_index(self) -> int:
        """The place of the next batch in its pass."""
        return self.total_batches_seen % max(len(self), 1)

    def on_epoch_end(self) -> None:
        """`it[i]` goes on to the next pass."""
        self.passes += 1

    def iterate(self, numbers: Iterable[int]) -> Iterates[Any]:
        """The batches of a new pass, made ahead by a thread."""
        first = self.passes * len(self)
        self.passes += 1
        return ahead((self.batch(first + int(i)) for i in numbers), self.max_queue_size)

    def batch(self, number: int) -> Any:
        """Batch `number`, counted on through all passes."""
        which, place = divmod(number, len(self))
        rows = self.order(which)[place * self.batch_size : (place + 1) * self.batch_size]
        return self.made(rows, number)

    def order(self, which: int) -> Array:
        """The order of the samples in a pass."""
        if not self.shuffle:
            return np.arange(self.n)
        attributes = {"dtype": "int64", "seed": self.key, "place": 1}  # place 0 is the changes'
        with engine.eager_on_current():
            return np.asarray(random.permutation_op(np.asarray(which, np.int64), shape=(self.n,), **attributes))

    def made(self, rows: Array, number: int) -> Any:
        """The batch of these samples; `number` says which draws are its own."""
        raise NotImplementedError(f"{type(self).__name__} has no `made`")

    # ---- pictures of what is made

    save_to_dir: Any = None
    save_prefix = ""
    save_format = "png"
    data_format = "channels_last"

    def save(self, images: Array, rows: Array, number: int) -> None:
        """Writes the images of a batch into save_to_dir, if it is given."""
        if self.save_to_dir is not None:
            for x, row in zip(images, rows):
                name = f"{self.save_prefix}_{row}_{number}.{self.save_format}"
                array_to_img(x, self.data_format).save(pathlib.Path(self.save_to_dir) / name)


def subset_of(name: str, subset: str | None, share: float) -> tuple[float, float]:
    """From which share to which of the samples a subset goes. Raises ArgumentError for an unknown one."""
    if subset not in (None, "training", "validation"):
        raise ArgumentError(f"{name}: subset is 'training', 'validation' or None; got {subset!r}.")
    if subset is not None and not share:
        raise ArgumentError(f"{name}: subset={subset!r} needs an ImageDataGenerator with a validation_split.")
    return (0.0, 1.0) if subset is None else (0.0, share) if subset == "validation" else (share, 1.0)


class NumpyArrayIterator(Iterator):
    """Batches of images of an array: `ImageDataGenerator.flow`.

    Args:
        x: images (n, height, width, channels); or [images, other arrays], which come along unchanged.
        y: a row for each image, or None.
        image_data_generator: makes the changes.
        sample_weight: a weight for each image, or None.
        save_to_dir, save_prefix, save_format: where, under which names and as what the batches' images are written.
        subset: "training" or "validation": the part that validation_split leaves or takes, from the front.
        ignore_class_split: whether the two parts may have different classes.
        batch_size, shuffle, seed: see `Iterator`.
    """

    def __init__(
        self,
        x: Any,
        y: Any,
        image_data_generator: "ImageDataGenerator",
        batch_size: int = 32,
        shuffle: bool = False,
        sample_weight: Any = None,
        seed: int | None = None,
        data_format: str | None = None,
        save_to_dir: Any = None,
        save_prefix: str = "",
        save_format: str = "png",
        subset: str | None = None,
        ignore_class_split: bool = False,
        dtype: Any = None,
    ):
        self.generator = image_data_generator
        self.data_format = data_format or image_data_generator.data_format
        self.dtype = image_data_generator.dtype if dtype is None else dtypes.as_numpy(dtypes.standardize(dtype))
        x, others = (x[0], x[1] if isinstance(x[1], list) else [x[1]]) if isinstance(x, (tuple, list)) else (x, [])
        given = {"x": x, "y": y, "sample_weight": sample_weight, **{f"x[1][{i}]": a for i, a in enumerate(others)}}
        arrays = {name: None if a is None else np.asarray(a) for name, a in given.items()}
        for name, a in arrays.items():
            if a is not None and len(a) != len(arrays["x"]):
                raise ShapeError(f"flow: x has {len(arrays['x'])} images, {name} has {len(a)} rows.")
        if arrays["x"].ndim != 4:
            raise ShapeError(f"flow takes images, four axes; got shape {arrays['x'].shape}.")
        start, stop = subset_of("flow", subset, image_data_generator._validation_split)
        count = len(arrays["x"])
        part = slice(int(start * count), int(stop * count))
        if subset is not None and y is not None and not ignore_class_split:
            at = int(image_data_generator._validation_split * count)
            if not np.array_equal(np.unique(arrays["y"][:at]), np.unique(arrays["y"][at:])):
                raise ArgumentError(
                    "flow: training and validation would have different classes. Shuffle x and y together first, or give "
                    "ignore_class_split=True."
                )
        kept = {name: None if a is None else a[part] for name, a in arrays.items()}
        self.x = np.asarray(kept.pop("x"), self.dtype)
        self.y, self.sample_weight = kept.pop("y"), kept.pop("sample_weight")
        self.x_misc = list(kept.values())
        self.save_to_dir, self.save_prefix, self.save_format = save_to_dir, save_prefix, save_format
        super().__init__(len(self.x), batch_size, shuffle, seed)

    def made(self, rows: Array, number: int) -> Any:
        images = self.generator.changed(self.x[rows], self.key, number)
        self.save(images, rows, number)
        x = images if not self.x_misc else [images, *(a[rows] for a in self.x_misc)]
        rest = [a[rows] for a in (self.y, self.sample_weight) if a is not None]
        return (x, *rest) if self.y is not None else x


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
        self.directory = pathlib.Path(directory)
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
        print(f"Found {self.samples} images belonging to {self.num_classes} classes.", flush=True)
        super().__init__(self.samples, batch_size, shuffle, seed)


def image_files(folder: pathlib.Path, follow_links: bool) -> list[str]:
    """The image files in a folder and the folders in it, sorted, relative to it."""
    found = []
    for root, _, names in sorted(os.walk(folder, followlinks=follow_links)):
        found += [
            os.path.relpath(os.path.join(root, name), folder) for name in sorted(names) if name.lower().endswith(FORMATS)
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
        kept = [i for i, path in enumerate(paths) if not validate_filenames or is_image(path)]
        if len(kept) < len(paths):
            warnings.warn(
                f"flow_from_dataframe: {len(paths) - len(kept)} names of {x_col!r} are no image files and are left out.",
                stacklevel=3,
            )
        labelled = class_mode in ("categorical", "binary", "sparse")
        labels = [as_labels(value) for value in column(dataframe, y_col)] if labelled else []
        if labelled:
            used = list(dict.fromkeys(classes)) if classes else sorted({x for i in kept for x in labels[i]})
            if class_mode == "binary" and len(used) != 2:
                raise ArgumentError(f"flow_from_dataframe: class_mode 'binary' is for two classes; there are {len(used)}.")
            self.class_indices = {name: i for i, name in enumerate(used)}
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
        print(f"Found {self.samples} {word} image filenames{of}.", flush=True)
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


def column(dataframe: Any, name: str) -> list[Any]:
    """A table's column as a list. Raises ArgumentError if there is none."""
    try:
        return list(dataframe[name])
    except (KeyError, TypeError):
        known = [str(word) for word in getattr(dataframe, "columns", dataframe)]
        raise ArgumentError(f"flow_from_dataframe: the table has no column {name!r}.{did_you_mean(name, known)}") from None


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
