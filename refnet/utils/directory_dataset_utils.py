"""Data sets of the files in folders, a folder for each class."""

import os
import pathlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from refnet import dtypes, engine, ops, random
from refnet.annotations import Array
from refnet.errors import ArgumentError, FileError, MissingFileError, did_you_mean, shown
from refnet.ops.resizing import LANCZOS, METHODS
from refnet.paths import as_path
from refnet.progress import tell
from refnet.utils.ahead import ahead
from refnet.utils.chained_datasets import Chainable, checked_index, drawn_order
from refnet.utils.image_utils import CHANNELS, channels_last, checked_size, img_to_array, load_img

IMAGE_FORMATS = (".bmp", ".gif", ".jpeg", ".jpg", ".png")
LABEL_MODES = ("int", "categorical", "binary", None)


class FileDataset(Chainable):
    """Files with their labels, read when they are asked for; fit's passes are read ahead by a thread.

    Args:
        paths: of the files.
        labels: an array with a row for each, or None.
        class_names: of the classes.
        read: a function of a path that gives the sample.
        join: a function of a list of samples that gives the batch.
        batch_size: files in a batch; None: single samples.
        generator: a SeedGenerator of the epochs' orders; None: the files' own order.
    """

    def __init__(
        self,
        paths: Sequence[str],
        labels: Array | None,
        class_names: Sequence[str] | None,
        read: Callable[[str], Any],
        join: Callable[[list[Any]], Any],
        batch_size: int | None,
        generator: random.SeedGenerator | None,
    ):
        super().__init__()
        self.file_paths, self.labels, self.class_names = list(paths), labels, class_names
        self.read, self.join, self.batch_size, self.generator = read, join, batch_size, generator
        self.on_epoch_end()

    def on_epoch_end(self) -> None:
        """Draws the order of the next epoch."""
        count = len(self.file_paths)
        self.order = np.arange(count) if self.generator is None else drawn_order(count, self.generator)

    def __len__(self) -> int:
        return len(self.file_paths) if self.batch_size is None else -(-len(self.file_paths) // self.batch_size)

    def __getitem__(self, index: int) -> Any:
        return self._batch(checked_index(index, len(self)), self.order)

    def iterate(self, numbers: Iterable[int]) -> Iterator[Any]:
        order = self.order  # of this pass: the thread may still be at it when the next is drawn
        return ahead((self._batch(int(i), order) for i in numbers), self.max_queue_size)

    def _batch(self, index: int, order: Array) -> Any:
        if self.batch_size is None:
            row = order[index]
            x = self.read(self.file_paths[row])
            return x if self.labels is None else (x, self.labels[row])
        rows = order[index * self.batch_size : (index + 1) * self.batch_size]
        x = self.join([self.read(self.file_paths[row]) for row in rows])
        return x if self.labels is None else (x, self.labels[rows])


def image_dataset_from_directory(
    directory: Any,
    labels: Any = "inferred",
    label_mode: str | None = "int",
    class_names: Any = None,
    color_mode: str = "rgb",
    batch_size: int | None = 32,
    image_size: Any = (256, 256),
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    interpolation: str = "bilinear",
    follow_links: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    data_format: str | None = None,
    format: str = "tf",
    verbose: bool = True,
) -> Any:
    """The images in folders, a folder for each class, as a data set.

    Args:
        directory: the folder with a folder for each class.
        labels: "inferred" from the folders, None, or a list with a class number for each file, the files being sorted.
        label_mode: "int" class numbers, "categorical" one-hot rows, "binary" 0.0 and 1.0 in a column, None.
        class_names: the folders that are used, in order; all, sorted, if None.
        color_mode: "rgb", "rgba" or "grayscale".
        batch_size: images in a batch; None: single images.
        image_size: (height, width) that images are brought to.
        shuffle: whether each epoch has its own order; it also decides which files validation_split takes.
        seed: of that.
        validation_split: the share of the files that "validation" has, at the end.
        subset: "training", "validation" or "both" (a list of the two).
        interpolation: "nearest", "bilinear", "bicubic", "lanczos3" or "lanczos5".
        follow_links: whether links to folders are followed.
        crop_to_aspect_ratio, pad_to_aspect_ratio: whether what would be distorted is cut off before images are resized, or
            they keep their proportions and are filled up with zeros afterwards.
        data_format: "channels_last" or "channels_first"; `config.image_data_format()` if None.
        format: of Keras; the result is a PyDataset.
        verbose: whether the number of files is printed.
    Returns:
        A PyDataset of (images, float32 in 0..255, labels), or of images; `class_names` (of a list of labels the numbers as
        strings, None without labels) and `file_paths` are its attributes.
    Raises:
        MissingFileError: no folder, no images.  ArgumentError.
    Source: Keras 3 `utils.image_dataset_from_directory`.
    """
    name = "image_dataset_from_directory"
    if color_mode not in CHANNELS:
        raise ArgumentError(f"{name}: color_mode is one of {', '.join(CHANNELS)}; got {color_mode!r}.")
    size = checked_size(name, image_size)
    if interpolation not in METHODS + LANCZOS:
        raise ArgumentError(f"{name}: interpolation is one of {', '.join(METHODS + LANCZOS)}; got {interpolation!r}.")
    if crop_to_aspect_ratio and pad_to_aspect_ratio:
        raise ArgumentError(f"{name}: give crop_to_aspect_ratio or pad_to_aspect_ratio, not both.")
    last = channels_last(name, data_format)

    def fitted(x: Array) -> Any:
        if not pad_to_aspect_ratio:
            return ops.resize(
                x, size, interpolation, crop_to_aspect_ratio=crop_to_aspect_ratio, data_format="channels_last"
            )
        inner, (top, left) = _inside(x.shape[:2], size)
        small = ops.resize(x, inner, interpolation, data_format="channels_last")
        return ops.pad_images(
            small, top, left, target_height=size[0], target_width=size[1], data_format="channels_last"
        )

    def read(path: str) -> Array:
        x = img_to_array(load_img(path, color_mode), "channels_last", "float32")
        with engine.eager_on_current():
            x = np.asarray(fitted(x))
        return x if last else np.ascontiguousarray(x.transpose(2, 0, 1))

    files = Files(name, directory, labels, label_mode, class_names, IMAGE_FORMATS, follow_links, verbose)
    return files.datasets(read, np.stack, batch_size, shuffle, seed, validation_split, subset)


def _inside(image: tuple[int, ...], size: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int]]:
    """The largest size of the image's proportions within another size, and what lies before it, as TensorFlow's resize_with_pad has them."""
    ratio = max(np.float32(image[1]) / np.float32(size[1]), np.float32(image[0]) / np.float32(size[0]))
    height, width = (np.float32(extent) / ratio for extent in image)
    before = [max(0, int(np.floor((np.float32(s) - extent) / 2))) for s, extent in zip(size, (height, width))]
    return (int(height), int(width)), (before[0], before[1])


def text_dataset_from_directory(
    directory: Any,
    labels: Any = "inferred",
    label_mode: str | None = "int",
    class_names: Any = None,
    batch_size: int | None = 32,
    max_length: int | None = None,
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    follow_links: bool = False,
    format: str = "tf",
    verbose: bool = True,
) -> Any:
    """The texts (.txt, UTF-8) in folders, a folder for each class, as a data set.

    Args:
        max_length: texts are cut after so many characters; None: they are not.
        The rest: see `image_dataset_from_directory`.
    Returns:
        A PyDataset of (object array of str, labels), or of texts; for `layers.TextVectorization` and the like.
    Source: Keras 3 `utils.text_dataset_from_directory`.
    """

    def read(path: str) -> str:
        try:
            return pathlib.Path(path).read_text(encoding="utf-8")[:max_length]
        except UnicodeDecodeError as error:
            raise FileError(f"text_dataset_from_directory: {path} is no text in UTF-8 ({error}).") from error

    name = "text_dataset_from_directory"
    files = Files(name, directory, labels, label_mode, class_names, (".txt",), follow_links, verbose)
    return files.datasets(read, as_objects, batch_size, shuffle, seed, validation_split, subset)


def as_objects(texts: list[Any]) -> Array:
    """An object array of strings."""
    result = np.empty(len(texts), object)
    result[:] = texts
    return result


class Files:
    """The files in folders and their labels; arguments as in `image_dataset_from_directory`, name and formats for messages."""

    def __init__(
        self,
        name: str,
        directory: Any,
        labels: Any,
        label_mode: str | None,
        class_names: Any,
        formats: tuple[str, ...],
        follow_links: bool,
        verbose: bool,
    ):
        self.name, self.directory, self.formats = name, as_path(name, directory), formats
        if not self.directory.is_dir():
            raise MissingFileError(f"{name}: there is no folder {directory}.")
        if label_mode not in LABEL_MODES:
            raise ArgumentError(f"{name}: label_mode is 'int', 'categorical', 'binary' or None; got {label_mode!r}.")
        inferred = isinstance(labels, str) and labels == "inferred"
        if not inferred and labels is not None and not isinstance(labels, (list, tuple, np.ndarray)):
            raise ArgumentError(f"{name}: labels is 'inferred', None or a list of class numbers; got {shown(labels)}.")
        if class_names is not None and not inferred:
            raise ArgumentError(f"{name}: class_names goes with labels='inferred'.")
        self.label_mode = None if labels is None else label_mode
        folders = sorted(x.name for x in self.directory.iterdir() if x.is_dir() and not x.name.startswith("."))
        if inferred and not folders:
            raise MissingFileError(
                f"{name}: {directory} has no folders in it; there must be one for each class. labels=None takes the files as they are."
            )
        names = [] if not inferred else folders if class_names is None else list(class_names)
        for word in names:
            if word not in folders:
                raise ArgumentError(f"{name}: {directory} has no folder {word!r}.{did_you_mean(word, folders)}")
        roots = [self.directory / word for word in names] if inferred else [self.directory]
        found = [self.below(root, follow_links) for root in roots]
        self.paths = [path for paths in found for path in paths]
        if not self.paths:
            raise MissingFileError(f"{name}: {directory} holds no files that end in {', '.join(formats)}.")
        numbers = np.repeat(np.arange(len(found)), [len(paths) for paths in found]) if inferred else labels
        if not inferred and labels is not None:
            names = [str(number) for number in sorted(set(np.asarray(numbers).reshape(-1).tolist()))]
        self.class_names: list[str] | None = None if labels is None else names
        self.numbers = None if self.label_mode is None else self.checked(np.asarray(numbers))
        count = len(names)
        self.count = count
        if self.label_mode == "binary" and count != 2:
            raise ArgumentError(f"{name}: label_mode 'binary' is for two classes; there are {count}.")
        if verbose:
            tell(f"Found {len(self.paths)} files" + (f" belonging to {count} classes." if count else "."))

    def below(self, root: pathlib.Path, follow_links: bool) -> list[str]:
        """The files in a folder and the folders in it, sorted."""
        found = []
        for folder, _, names in sorted(os.walk(root, followlinks=follow_links)):
            found += [os.path.join(folder, x) for x in sorted(names) if x.lower().endswith(self.formats)]
        return found

    def checked(self, numbers: Array) -> Array:
        if numbers.shape != (len(self.paths),) or numbers.dtype.kind not in "iu":
            raise ArgumentError(
                f"{self.name}: labels has a class number for each of {len(self.paths)} files; got shape {numbers.shape}, "
                f"dtype {numbers.dtype}."
            )
        return numbers

    def encoded(self, rows: Array) -> Array | None:
        """The labels of some files, as label_mode says."""
        if self.numbers is None:
            return None
        numbers = self.numbers[rows]
        if self.label_mode == "int":
            return numbers.astype("int32")
        if self.label_mode == "binary":
            return numbers.astype("float32")[:, None]
        one_hot = np.zeros((len(rows), max(self.count, int(numbers.max(initial=0)) + 1)), dtypes.floatx())
        one_hot[np.arange(len(rows)), numbers] = 1
        return one_hot

    def datasets(
        self,
        read: Callable[[str], Any],
        join: Callable[[list[Any]], Any],
        batch_size: int | None,
        shuffle: bool,
        seed: int | None,
        validation_split: float | None,
        subset: str | None,
    ) -> Any:
        """The data set, or the part of it, or a list of both parts."""
        if subset not in (None, "training", "validation", "both"):
            raise ArgumentError(f"{self.name}: subset is 'training', 'validation', 'both' or None; got {subset!r}.")
        if (subset is None) != (not validation_split):
            raise ArgumentError(f"{self.name}: subset and validation_split go together.")
        if validation_split and not 0 < validation_split < 1:
            raise ArgumentError(f"{self.name}: validation_split lies between 0 and 1; got {validation_split!r}.")
        if validation_split and shuffle and seed is None:
            raise ArgumentError(
                f"{self.name}: give a seed: with another order each time, training and validation would overlap."
            )
        if batch_size is not None and (not isinstance(batch_size, (int, np.integer)) or batch_size < 1):
            raise ArgumentError(f"{self.name}: batch_size is an integer of at least 1, or None; got {batch_size!r}.")
        count = len(self.paths)
        key = random.next_seed() if seed is None else seed
        order = drawn_order(count, key) if shuffle else np.arange(count)
        at = count - int((validation_split or 0) * count)
        parts = {None: order, "training": order[:at], "validation": order[at:]}

        def made(part: str | None) -> FileDataset:
            rows = parts[part]
            if not len(rows):
                raise ArgumentError(f"{self.name}: {validation_split} of {count} files leaves none for {part}.")
            generator = random.SeedGenerator(key) if shuffle and part != "validation" else None
            paths = [self.paths[row] for row in rows]
            return FileDataset(paths, self.encoded(rows), self.class_names, read, join, batch_size, generator)

        return [made("training"), made("validation")] if subset == "both" else made(subset)
