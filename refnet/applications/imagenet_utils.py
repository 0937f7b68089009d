"""Images as nets trained on ImageNet expect them, and their answers in words."""

import json
from typing import Any

import numpy as np

from refnet import backend, dtypes
from refnet.applications.files import published
from refnet.errors import ArgumentError, DataError, ShapeError, did_you_mean
from refnet.graph import Tensor

CLASSES = "imagenet_class_index.json", "https://storage.googleapis.com/download.tensorflow.org/data/"
CLASSES_MD5 = "c2c37ea517e94d9795004a39431a14cb"
MEANS_BGR = [103.939, 116.779, 123.68]  # of ImageNet's pixels, 0..255
MEANS_RGB, DEVIATIONS_RGB = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]  # of its pixels, 0..1


def preprocess_input(x: Any, data_format: str | None = None, mode: str = "caffe") -> Any:
    """Pixels from 0 to 255, as a net was trained on them.

        caffe:  blue, green, red instead of red, green, blue; less each colour's mean over ImageNet
        tf:     x / 127.5 - 1
        torch:  (x / 255 - each colour's mean) / its standard deviation

    Args:
        x: (height, width, 3) or (batch, height, width, 3), an array or a symbolic tensor. Integers become floatx.
        data_format: "channels_first" if the colours are the axis before height; the backend's if None.
        mode: "caffe", "tf" or "torch".
    Returns:
        The same shape. Unlike Keras's, it never writes into `x`.
    Raises:
        ArgumentError: mode, data_format.  ShapeError: rank, or other than three colours.
    Source: Keras 3 `applications.imagenet_utils.preprocess_input`.

    >>> preprocess_input(np.full((1, 1, 3), 255), mode="tf")
    array([[[1., 1., 1.]]], dtype=float32)
    >>> preprocess_input(np.array([[[123.68, 116.779, 104.939]]]))
    array([[[1., 0., 0.]]])
    """
    if mode not in ("caffe", "tf", "torch"):
        raise ArgumentError(f"preprocess_input: unknown mode {mode!r}." + did_you_mean(mode, ("caffe", "tf", "torch")))
    form = backend.image_data_format() if data_format is None else data_format
    if form not in ("channels_last", "channels_first"):
        raise ArgumentError(
            f"preprocess_input: data_format is 'channels_last' or 'channels_first'; got {data_format!r}."
        )
    x = floating(x)
    axis = -1 if form == "channels_last" else -3
    if mode != "tf" and (len(x.shape) not in (3, 4) or x.shape[axis] != 3):
        raise ShapeError(f"preprocess_input needs images of 3 or 4 axes with three colours ({form}); got {x.shape}.")

    def per_colour(values: list[float]) -> Any:
        return np.reshape(np.asarray(values, dtypes.as_numpy(x.dtype)), (3,) if axis == -1 else (3, 1, 1))

    if mode == "tf":
        return x / 127.5 - 1.0
    if mode == "torch":
        return (x / 255.0 - per_colour(MEANS_RGB)) / per_colour(DEVIATIONS_RGB)
    return (x[..., ::-1] if axis == -1 else x[..., ::-1, :, :]) - per_colour(MEANS_BGR)


def unchanged(x: Any, data_format: str | None = None) -> Any:
    """The pixels as they are, from 0 to 255: the `preprocess_input` of nets that begin with layers which scale them."""
    return x


def floating(x: Any) -> Any:
    """An array or tensor of floats; integers become floatx."""
    if isinstance(x, Tensor):
        return x if dtypes.is_floating(x.dtype) else backend.cast(x, dtypes.floatx())
    x = np.asarray(x)
    return x if np.issubdtype(x.dtype, np.floating) else x.astype(dtypes.floatx())


def decode_predictions(preds: Any, top: int = 5) -> list[list[tuple[str, str, Any]]]:
    """The likeliest classes of ImageNet, in words.

    Args:
        preds: (batch, 1000) chances, as a net with its top gives them.
        top: how many for each image.
    Returns:
        For each image a list of (WordNet's number, name, chance), the likeliest first.
    Raises:
        ShapeError: another shape.  MissingFileError: the names of the classes are not here and cannot be fetched.
    Source: Keras 3 `applications.imagenet_utils.decode_predictions`.

    >>> decode_predictions(np.zeros((2, 10)))
    Traceback (most recent call last):
        ...
    refnet.errors.ShapeError: decode_predictions needs predictions of shape (batch, 1000); got (2, 10).
    """
    chances = np.asarray(preds)
    if chances.ndim != 2 or chances.shape[1] != 1000:
        raise ShapeError(f"decode_predictions needs predictions of shape (batch, 1000); got {chances.shape}.")
    name, folder = CLASSES
    path = published(name, folder + name, CLASSES_MD5)
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:  # no text, or no JSON
        index = None
    if not isinstance(index, dict) or set(index) != {str(i) for i in range(1000)}:
        raise DataError(
            f"{path} does not name the classes 0..999: it is another file. Delete it to have it fetched again."
        )
    best = np.argsort(-chances, axis=1, kind="stable")[:, : max(top, 0)]
    return [[(*index[str(i)], row[i]) for i in order] for row, order in zip(chances, best)]
