"""MobileNet: depthwise convolutions, for small machines (Howard et al., 2017)."""

import warnings
from typing import Any

from refnet import layers
from refnet.applications import imagenet_utils
from refnet.applications.building import Request, Weights
from refnet.errors import ArgumentError, calls_below_the_user
from refnet.graph import Tensor
from refnet.models import Model

SIDES = (128, 160, 192, 224)  # of the images that there are published weights for
WIDTHS = {0.25: "2_5", 0.5: "5_0", 0.75: "7_5", 1.0: "1_0"}  # and of the nets, as the files call them
# filters, stride
BLOCKS = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1))


def MobileNet(
    input_shape: Any = None,
    alpha: float = 1.0,
    depth_multiplier: int = 1,
    dropout: float = 1e-3,
    include_top: bool = True,
    weights: Any = "imagenet",
    input_tensor: Any = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str | None = None,
) -> Model:
    """The net MobileNet. 4,253,864 parameters, 3,228,864 without its top, if alpha is 1.

    Args:
        input_shape: of one image. With the top, a square of side 128, 160, 192 or 224 unless weights is None, and of side 224 if
            None; without, any of at least 32 x 32, and (None, None, 3), images of every size, if None.
        alpha: how wide the net is: so many times the paper's filters.
        depth_multiplier: how many outputs a depthwise convolution has for each channel.
        dropout: the rate before the top.
        include_top: whether the layers are there that say which class an image is of.
        weights: "imagenet" for the published ones, None for random ones, or the path of a file with weights.
        input_tensor: the tensor at which the net begins, instead of an Input of its own.
        pooling: without the top, "avg" or "max" for one number per channel, None for (batch, height / 32, width / 32, filters).
        classes: how many the top tells apart; 1000 with "imagenet".
        classifier_activation: the top's; None for logits.
        name: of the model; mobilenet_ALPHA_SIDE if None.
    Returns:
        A Model of images that went through `preprocess_input`.
    Raises:
        ArgumentError: an argument that does not fit.  MissingFileError: weights that are not there and cannot be fetched.
    Source: Howard et al., "MobileNets: Efficient Convolutional Neural Networks for Mobile Vision Applications"; Keras 3
        `applications.MobileNet`.

    >>> MobileNet(weights=None, include_top=False, input_shape=(28, 28, 3))
    Traceback (most recent call last):
        ...
    refnet.errors.ArgumentError: MobileNet: images are at least 32 x 32; got input_shape (28, 28, 3).
    """
    side = square(input_shape, SIDES)
    published = files(alpha, depth_multiplier, side) if weights == "imagenet" else Weights(("", ""), (None, None), "")
    name = name or f"mobilenet_{alpha:0.2f}_{shown_side(input_shape, include_top, weights, SIDES)}"
    given = include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name
    request = Request("MobileNet", published, side or 224, 32, *given)
    with request.started():
        inputs = request.image()
        x = body(inputs, alpha, depth_multiplier)
        x = top(request, x, dropout) if include_top else request.pooled(x)
        return request.model(inputs, x)


def square(shape: Any, sides: tuple[int, ...]) -> int | None:
    """The side of images that there are published weights for; None for others, and for none."""
    rows = tuple(shape)[:2] if isinstance(shape, (tuple, list)) else ()
    return rows[0] if len(rows) == 2 and rows[0] == rows[1] and rows[0] in sides else None


def shown_side(shape: Any, include_top: bool, weights: Any, sides: tuple[int, ...]) -> Any:
    """The height of the images, as the model's name tells it."""
    if weights == "imagenet":
        return square(shape, sides) or 224
    if isinstance(shape, (tuple, list)) and shape:
        return shape[0]
    return 224 if include_top else None


def files(alpha: float, depth_multiplier: int, side: int | None) -> Weights:
    """The published files for nets of a width."""
    if depth_multiplier != 1:
        raise ArgumentError(f"MobileNet: the weights 'imagenet' need depth_multiplier=1; got {depth_multiplier!r}.")
    if alpha not in WIDTHS:
        raise ArgumentError(f"MobileNet: the weights 'imagenet' need an alpha of 0.25, 0.5, 0.75 or 1; got {alpha!r}.")
    if side is None:
        warnings.warn(
            f"MobileNet: images are not squares with a side in {SIDES}; the weights for 224 x 224 are used.",
            stacklevel=calls_below_the_user(),
        )
    stem = f"mobilenet_{WIDTHS[alpha]}_{side or 224}_tf"
    return Weights((f"{stem}.h5", f"{stem}_no_top.h5"), (None, None), "mobilenet/")


def body(x: Tensor, alpha: float, depth_multiplier: int) -> Any:
    """The features of images: a convolution, then thirteen depthwise blocks, five strides of 2 in all."""
    x = layers.Conv2D(int(32 * alpha), 3, strides=2, padding="same", use_bias=False, name="conv1")(x)
    x = normalized_and_limited(x, "conv1")
    for number, (filters, stride) in enumerate(BLOCKS, start=1):
        x = depthwise_block(x, int(filters * alpha), depth_multiplier, stride, number)
    return x


def depthwise_block(x: Tensor, filters: int, depth_multiplier: int, stride: int, number: int) -> Any:
    """A convolution of each channel by itself, then one that mixes the channels."""
    if stride > 1:
        x = layers.ZeroPadding2D(((0, 1), (0, 1)), name=f"conv_pad_{number}")(x)
    x = layers.DepthwiseConv2D(
        3,
        strides=stride,
        padding="same" if stride == 1 else "valid",
        depth_multiplier=depth_multiplier,
        use_bias=False,
        name=f"conv_dw_{number}",
    )(x)
    x = normalized_and_limited(x, f"conv_dw_{number}")
    x = layers.Conv2D(filters, 1, padding="same", use_bias=False, name=f"conv_pw_{number}")(x)
    return normalized_and_limited(x, f"conv_pw_{number}")


def normalized_and_limited(x: Tensor, name: str) -> Any:
    return layers.ReLU(6.0, name=f"{name}_relu")(layers.BatchNormalization(name=f"{name}_bn")(x))


def top(request: Request, x: Tensor, dropout: float) -> Any:
    """A vector of chances, by a convolution of the averages."""
    x = layers.GlobalAveragePooling2D(keepdims=True)(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    x = layers.Conv2D(request.classes, 1, padding="same", name="conv_preds")(x)
    x = layers.Reshape((request.classes,), name="reshape_2")(x)
    return layers.Activation(request.classifier_activation, name="predictions")(x)


def preprocess_input(x: Any, data_format: str | None = None) -> Any:
    """Pixels from -1 to 1: `imagenet_utils.preprocess_input` in mode "tf"."""
    return imagenet_utils.preprocess_input(x, data_format, "tf")


decode_predictions = imagenet_utils.decode_predictions
