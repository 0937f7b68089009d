"""Xception: separable convolutions with residuals (Chollet, 2016)."""

from typing import Any

from refnet import layers
from refnet.applications import imagenet_utils
from refnet.applications.building import Request, Weights, usual_names
from refnet.graph import Tensor
from refnet.models import Model

PUBLISHED = Weights(
    usual_names("xception"),
    ("0a58e3b7378bc2990ea3b43d5981f1f6", "b0042744bf5b25fce3cb969f33bebb97"),
    "xception/",
)


def Xception(
    include_top: bool = True,
    weights: Any = "imagenet",
    input_tensor: Any = None,
    input_shape: Any = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str = "xception",
) -> Model:
    """The net Xception. 22,910,480 parameters, 20,861,480 without its top.

    Args:
        include_top: whether the layers are there that say which class an image is of.
        weights: "imagenet" for the published ones, None for random ones, or the path of a file with weights.
        input_tensor: the tensor at which the net begins, instead of an Input of its own.
        input_shape: of one image. With the top, (299, 299, 3) unless weights is None; without, any of at least
            71 x 71, and (None, None, 3), images of every size, if None.
        pooling: without the top, "avg" or "max" for one number per channel, None for (batch, new height, new width, 2048).
        classes: how many the top tells apart; 1000 with "imagenet".
        classifier_activation: the top's; None for logits.
        name: of the model.
    Returns:
        A Model of images that went through `preprocess_input`.
    Raises:
        ArgumentError: an argument that does not fit.  MissingFileError: weights that are not there and cannot be fetched.
    Source: Chollet, "Xception: Deep Learning with Depthwise Separable Convolutions"; Keras 3 `applications.Xception`.

    >>> Xception(weights=None, include_top=False, input_shape=(28, 28, 3))
    Traceback (most recent call last):
        ...
    refnet.errors.ArgumentError: Xception: images are at least 71 x 71; got input_shape (28, 28, 3).
    """
    given = include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name
    request = Request("Xception", PUBLISHED, 299, 71, *given)
    with request.started():
        inputs = request.image()
        x = body(inputs)
        x = request.averaged_and_classified(x) if include_top else request.pooled(x)
        return request.model(inputs, x)


def body(x: Tensor) -> Any:
    """The features of images: an entry that makes them small, eight equal blocks, an exit that makes them deep."""
    x = layers.Conv2D(32, 3, strides=2, use_bias=False, name="block1_conv1")(x)
    x = relu(layers.BatchNormalization(name="block1_conv1_bn")(x), "block1_conv1_act")
    x = layers.Conv2D(64, 3, use_bias=False, name="block1_conv2")(x)
    x = relu(layers.BatchNormalization(name="block1_conv2_bn")(x), "block1_conv2_act")
    x = halved(x, 128, 128, "block2", begins_with_relu=False)
    x = halved(x, 256, 256, "block3")
    x = halved(x, 728, 728, "block4")
    for number in range(5, 13):
        x = middle(x, f"block{number}")
    x = halved(x, 728, 1024, "block13")
    x = relu(separable(x, 1536, "block14_sepconv1"), "block14_sepconv1_act")
    return relu(separable(x, 2048, "block14_sepconv2"), "block14_sepconv2_act")


def halved(x: Tensor, first: int, second: int, name: str, begins_with_relu: bool = True) -> Any:
    """Two separable convolutions and half of the size, added to what came in.

    Args:
        first, second: the filters of the two.
    """
    residual = layers.Conv2D(second, 1, strides=2, padding="same", use_bias=False)(x)
    residual = layers.BatchNormalization()(residual)
    if begins_with_relu:
        x = relu(x, f"{name}_sepconv1_act")
    x = relu(separable(x, first, f"{name}_sepconv1"), f"{name}_sepconv2_act")
    x = separable(x, second, f"{name}_sepconv2")
    x = layers.MaxPooling2D(3, strides=2, padding="same", name=f"{name}_pool")(x)
    return layers.add([x, residual])


def middle(x: Tensor, name: str) -> Any:
    """Three separable convolutions, added to what came in."""
    residual = x
    for number in (1, 2, 3):
        x = separable(relu(x, f"{name}_sepconv{number}_act"), 728, f"{name}_sepconv{number}")
    return layers.add([x, residual])


def separable(x: Tensor, filters: int, name: str) -> Any:
    """A separable convolution, normalized."""
    x = layers.SeparableConv2D(filters, 3, padding="same", use_bias=False, name=name)(x)
    return layers.BatchNormalization(name=f"{name}_bn")(x)


def relu(x: Tensor, name: str) -> Any:
    return layers.Activation("relu", name=name)(x)


def preprocess_input(x: Any, data_format: str | None = None) -> Any:
    """Pixels from -1 to 1: `imagenet_utils.preprocess_input` in mode "tf"."""
    return imagenet_utils.preprocess_input(x, data_format, "tf")


decode_predictions = imagenet_utils.decode_predictions
