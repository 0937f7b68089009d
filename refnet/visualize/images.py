"""Many images in one picture, and what was taken for what."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from refnet import dtypes
from refnet.annotations import Array
from refnet.errors import ArgumentError, DataError, ShapeError
from refnet.visualize.paper import new_figure, saved


def displayable(image: Any) -> Array:
    """An image as matplotlib shows it: (h, w) or (h, w, 3) in 0..1.

    Values of 0..255 are divided by 255; anything outside 0..1 otherwise is stretched to it.
    """
    pixels: Array = np.asarray(image)
    if pixels.ndim == 3 and pixels.shape[-1] == 1:
        pixels = pixels[..., 0]
    if pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[-1] not in (3, 4)):
        raise ShapeError(f"an image has shape (h, w), (h, w, 1) or (h, w, 3); got {np.asarray(image).shape}.")
    if pixels.dtype == np.uint8:
        return pixels / 255.0
    pixels = pixels.astype("float64")
    low, high = pixels.min(), pixels.max()
    if low >= 0 and 2 < high <= 255:
        return pixels / 255.0
    if low < 0 or high > 1:
        return (pixels - low) / max(high - low, 1e-12)
    return pixels


def image_grid(
    images: Any,
    titles: Sequence[str] | None = None,
    columns: int | None = None,
    title: str | None = None,
    size: float = 1.25,
    to_file: Any = None,
) -> Any:
    """Images side by side.

    Args:
        images: (n, h, w), (n, h, w, 1) or (n, h, w, 3), or a list; values of 0..1 or 0..255, others are stretched, image by image.
        titles: a line above each.
        columns: images in a row; as many as make the picture about twice as wide as high if None.
        size: inches for an image's width.
    Returns:
        The matplotlib Figure.
    Raises:
        ShapeError: no images, or something that is none.  ArgumentError: columns below 1.
    """
    shown = [displayable(image) for image in images]
    if not shown:
        raise ShapeError("image_grid: there are no images.")
    if columns is not None and columns < 1:
        raise ArgumentError(f"image_grid: columns is at least 1; got {columns!r}.")
    columns = columns or min(len(shown), max(1, round((2 * len(shown)) ** 0.5)))
    rows = -(-len(shown) // columns)
    height = size * max(image.shape[0] / image.shape[1] for image in shown) + (0.22 if titles else 0.05)
    figure = new_figure(max(columns * size, 3.0), rows * height + (0.45 if title else 0), title)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axis in grid.flat:
        axis.set_axis_off()
    for number, (axis, image) in enumerate(zip(grid.flat, shown)):
        axis.imshow(image, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        if titles is not None and number < len(titles):
            axis.set_title(titles[number], fontsize=9, pad=2)
    return saved(figure, to_file)


def confusion_matrix(
    y_true: Any,
    y_pred: Any,
    names: Sequence[str] | None = None,
    title: str | None = None,
    to_file: Any = None,
) -> Any:
    """How often each class was taken for which.

    Args:
        y_true: (n,) classes, or (n, classes) one-hot.
        y_pred: (n,) classes, or (n, classes) probabilities, of which the largest counts.
        names: of the classes.
    Returns:
        The matplotlib Figure: a row for each true class, shaded by its share, with the counts where there is room for them.
    Raises:
        ShapeError: unequal lengths.  ArgumentError: fewer names than classes.
        DataError: no samples; classes that are no whole numbers from 0 on.
    """
    truth, read = _classes("y_true", y_true), _classes("y_pred", y_pred)
    if truth.shape != read.shape:
        raise ShapeError(f"confusion_matrix: {len(truth)} true classes, but {len(read)} predictions.")
    classes = int(max(truth.max(), read.max())) + 1
    if names is not None and len(names) < classes:
        raise ArgumentError(f"confusion_matrix: there are classes up to {classes - 1}, but {len(names)} names.")
    classes = classes if names is None else len(names)
    counts = np.zeros((classes, classes), int)
    np.add.at(counts, (truth, read), 1)
    side = min(2.6 + 0.5 * classes, 11)
    figure = new_figure(side, side, title)
    axis = figure.subplots()
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    labels = list(names) if names is not None else [str(k) for k in range(classes)]
    small = 9 if classes <= 16 else 6
    axis.set_xticks(range(classes), labels, rotation=90 if max(map(len, labels)) > 3 else 0, fontsize=small)
    axis.set_yticks(range(classes), labels, fontsize=small)
    axis.set(xlabel="predicted", ylabel="true")
    if classes <= 16:
        for i, j in np.argwhere(counts):
            colour = "white" if shares[i, j] > 0.5 else "black"
            axis.text(j, i, str(counts[i, j]), ha="center", va="center", color=colour, fontsize=small)
    return saved(figure, to_file)


def _classes(word: str, y: Any) -> Array:
    values: Array = np.asarray(y)
    if not dtypes.of_numbers(values.dtype):
        raise DataError(
            f"confusion_matrix: {word} must hold class numbers; got dtype {values.dtype}. Of names, "
            "np.unique(names, return_inverse=True)[1] makes numbers."
        )
    if not values.size:
        raise DataError(f"confusion_matrix: {word} holds no samples.")
    if values.ndim == 2 and values.shape[1] > 1:
        return values.argmax(1)
    values = values.reshape(-1) if values.dtype.kind in "biu" else np.rint(values.reshape(-1))
    if not (np.isfinite(values) & (values >= 0)).all():
        raise DataError(f"confusion_matrix: class numbers begin with 0; {word} holds {values.min()}.")
    return values.astype(int)
