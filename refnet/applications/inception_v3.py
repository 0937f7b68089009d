"""InceptionV3: convolutions of several sizes side by side (Szegedy et al., 2015)."""

from typing import Any

from refnet import layers
from refnet.applications import imagenet_utils
from refnet.applications.building import Request, Weights, usual_names
from refnet.graph import Tensor
from refnet.models import Model

PUBLISHED = Weights(
    usual_names("inception_v3"),
    ("9a0d58056eeedaa3f26cb7ebd46da564", "bcbd6486424b2319ff4ef7d526e38f63"),
    "inception_v3/",
)


def InceptionV3(
    include_top: bool = True,
    weights: Any = "imagenet",
    input_tensor: Any = None,
    input_shape: Any = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str = "inception_v3",
) -> Model:
    """The net InceptionV3. 23,851,784 parameters, 21,802,784 without its top.

    Args:
        include_top: whether the layers are there that say which class an image is of.
        weights: "imagenet" for the published ones, None for random ones, or the path of a file with weights.
        input_tensor: the tensor at which the net begins, instead of an Input of its own.
        input_shape: of one image. With the top, (299, 299, 3) unless weights is None; without, any of at least
            75 x 75, and (None, None, 3), images of every size, if None.
        pooling: without the top, "avg" or "max" for one number per channel, None for (batch, new height, new width, 2048).
        classes: how many the top tells apart; 1000 with "imagenet".
        classifier_activation: the top's; None for logits.
        name: of the model.
    Returns:
        A Model of images that went through `preprocess_input`.
    Raises:
        ArgumentError: an argument that does not fit.  MissingFileError: weights that are not there and cannot be fetched.
    Source: Szegedy et al., "Rethinking the Inception Architecture for Computer Vision"; Keras 3 `applications.InceptionV3`.

    >>> InceptionV3(weights=None, include_top=False, input_shape=(28, 28, 3))
    Traceback (most recent call last):
        ...
    refnet.errors.ArgumentError: InceptionV3: images are at least 75 x 75; got input_shape (28, 28, 3).
    """
    given = include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name
    request = Request("InceptionV3", PUBLISHED, 299, 75, *given)
    with request.started():
        inputs = request.image()
        x = body(inputs)
        x = request.averaged_and_classified(x) if include_top else request.pooled(x)
        return request.model(inputs, x)


def body(x: Tensor) -> Any:
    """The features of images: a stem, then eleven mixed blocks in three sizes."""
    x = stem(x)
    for number, pooled in enumerate((32, 64, 64)):
        x = mixed_in_squares(x, 64, pooled, f"mixed{number}")
    x = reduced(x, "mixed3", ((384, 3, 3),), ((64, 1, 1), (96, 3, 3), (96, 3, 3)))
    for number, inner in enumerate((128, 160, 160, 192), start=4):
        x = mixed_in_lines(x, inner, f"mixed{number}")
    lines = (192, 1, 1), (192, 1, 7), (192, 7, 1), (192, 3, 3)
    x = reduced(x, "mixed8", ((192, 1, 1), (320, 3, 3)), lines)
    for number in range(2):
        x = mixed_wide(x, number)
    return x


def stem(x: Tensor) -> Any:
    """An eighth of the size, by convolutions one after the other."""
    x = convolution(x, 32, 3, 3, strides=2, padding="valid")
    x = convolution(x, 32, 3, 3, padding="valid")
    x = convolution(x, 64, 3, 3)
    x = layers.MaxPooling2D(3, strides=2)(x)
    x = convolution(x, 80, 1, 1, padding="valid")
    x = convolution(x, 192, 3, 3, padding="valid")
    return layers.MaxPooling2D(3, strides=2)(x)


def convolution(
    x: Tensor, filters: int, height: int, width: int, strides: int = 1, padding: str = "same", name: str | None = None
) -> Any:
    """A convolution, normalized, through relu."""
    normal, active = (None, None) if name is None else (f"{name}_bn", f"{name}_ac")
    x = layers.Conv2D(filters, (height, width), strides=strides, padding=padding, use_bias=False, name=name)(x)
    return layers.Activation("relu", name=active)(layers.BatchNormalization(scale=False, name=normal)(x))


def chain(x: Tensor, *steps: tuple[int, int, int]) -> Any:
    """Convolutions one after the other: (filters, height, width) of each."""
    for filters, height, width in steps:
        x = convolution(x, filters, height, width)
    return x


def averaged(x: Tensor, filters: int) -> Any:
    """The branch that averages."""
    return convolution(layers.AveragePooling2D(3, strides=1, padding="same")(x), filters, 1, 1)


def mixed_in_squares(x: Tensor, single: int, pooled: int, name: str) -> Any:
    """Squares of 1, of 5, and of 3 twice, side by side.

    Args:
        single, pooled: the filters of the square of 1, and of the branch that averages.
    """
    branches = [
        chain(x, (single, 1, 1)),
        chain(x, (48, 1, 1), (64, 5, 5)),
        chain(x, (64, 1, 1), (96, 3, 3), (96, 3, 3)),
        averaged(x, pooled),
    ]
    return layers.concatenate(branches, name=name)


def reduced(x: Tensor, name: str, *branches: tuple[tuple[int, int, int], ...]) -> Any:
    """Half of the size: chains whose last convolution halves it, and the largest of each window, side by side."""
    halves = []
    for *before, last in branches:
        halves.append(convolution(chain(x, *before), *last, strides=2, padding="valid"))
    return layers.concatenate([*halves, layers.MaxPooling2D(3, strides=2)(x)], name=name)


def mixed_in_lines(x: Tensor, inner: int, name: str) -> Any:
    """Squares of 7 as a row and a column of 7, once and twice."""
    branches = [
        chain(x, (192, 1, 1)),
        chain(x, (inner, 1, 1), (inner, 1, 7), (192, 7, 1)),
        chain(x, (inner, 1, 1), (inner, 7, 1), (inner, 1, 7), (inner, 7, 1), (192, 1, 7)),
        averaged(x, 192),
    ]
    return layers.concatenate(branches, name=name)


def mixed_wide(x: Tensor, number: int) -> Any:
    """Rows and columns of 3 side by side, after one square or two."""
    narrow = chain(x, (320, 1, 1))
    once = row_and_column(chain(x, (384, 1, 1)), f"mixed9_{number}")
    twice = row_and_column(chain(x, (448, 1, 1), (384, 3, 3)))
    return layers.concatenate([narrow, once, twice, averaged(x, 192)], name=f"mixed{9 + number}")


def row_and_column(x: Tensor, name: str | None = None) -> Any:
    return layers.concatenate([convolution(x, 384, 1, 3), convolution(x, 384, 3, 1)], name=name)


def preprocess_input(x: Any, data_format: str | None = None) -> Any:
    """Pixels from -1 to 1: `imagenet_utils.preprocess_input` in mode "tf"."""
    return imagenet_utils.preprocess_input(x, data_format, "tf")


decode_predictions = imagenet_utils.decode_predictions
