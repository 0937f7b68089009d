"""Endless batches of images, and those that are made from arrays."""

import pathlib
from collections.abc import Iterable
from collections.abc import Iterator as Iterates
from typing import TYPE_CHECKING, Any

import numpy as np

from refnet import dtypes, engine, random
from refnet.annotations import Array
from refnet.errors import ArgumentError, ShapeError
from refnet.utils.ahead import ahead
from refnet.utils.chained_datasets import checked_index
from refnet.utils.image_utils import array_to_img
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
            raise ArgumentError(
                f"{type(self).__name__}: batch_size must be an integer of at least 1; got {batch_size!r}."
            )
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
        arrays: dict[str, Array] = {name: None if a is None else np.asarray(a) for name, a in given.items()}
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
        kept: dict[str, Array] = {name: None if a is None else a[part] for name, a in arrays.items()}
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
