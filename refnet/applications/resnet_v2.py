"""ResNet50V2, ResNet101V2 and ResNet152V2: residual blocks that normalize first, so that sums go through untouched (He et al., 2016)."""

from typing import Any

from refnet import layers
from refnet.applications import imagenet_utils
from refnet.applications.building import Request, function_of
from refnet.applications.resnet import FILTERS, ResNet, normalized, published, relu
from refnet.graph import Tensor
from refnet.models import Model


def resnet_v2(
    member: ResNet,
    include_top: bool = True,
    weights: Any = "imagenet",
    input_tensor: Any = None,
    input_shape: Any = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str | None = None,
) -> Model:
    """The nets of this file.

    Args:
        include_top ... name: as those of `ResNet50`.
    Returns:
        A Model of images that went through `preprocess_input`, which is not that of `ResNet50`.
    Raises:
        ArgumentError: an argument that does not fit.  MissingFileError: weights that are not there and cannot be fetched.
    Source: He, Zhang, Ren, Sun, "Identity Mappings in Deep Residual Networks"; Keras 3 `applications.resnet_v2`.

    >>> ResNet50V2(weights=None, include_top=False, input_shape=(28, 28, 3))
    Traceback (most recent call last):
        ...
    refnet.errors.ArgumentError: ResNet50V2: images are at least 32 x 32; got input_shape (28, 28, 3).
    """
    name = name or member.name
    given = include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name
    request = Request(member.net, member.published, 224, 32, *given)
    with request.started():
        inputs = request.image()
        return request.finished(inputs, body(inputs, member.blocks))


def body(x: Tensor, blocks: tuple[int, ...]) -> Any:
    """The features of images: a quarter of the size, then four stacks, of which the first three halve it in their last block."""
    x = layers.ZeroPadding2D(3, name="conv1_pad")(x)
    x = layers.Conv2D(64, 7, strides=2, name="conv1_conv")(x)
    x = layers.ZeroPadding2D(1, name="pool1_pad")(x)
    x = layers.MaxPooling2D(3, strides=2, name="pool1_pool")(x)
    for number, (filters, count) in enumerate(zip(FILTERS, blocks), start=2):
        for block in range(1, count + 1):
            stride = 2 if number < 5 and block == count else 1
            x = residual(x, filters, stride, projected=block == 1, name=f"conv{number}_block{block}")
    return relu(normalized(x, "post_bn"), "post_relu")


def residual(x: Tensor, filters: int, stride: int, projected: bool, name: str) -> Any:
    """A bottleneck of three convolutions, added to what came in.

    Args:
        projected: whether what came in goes through a convolution first, because its channels change.
    """
    ready = relu(normalized(x, f"{name}_preact_bn"), f"{name}_preact_relu")
    shortcut = x
    if projected:
        shortcut = layers.Conv2D(4 * filters, 1, strides=stride, name=f"{name}_0_conv")(ready)
    elif stride > 1:
        shortcut = layers.MaxPooling2D(1, strides=stride)(x)
    x = layers.Conv2D(filters, 1, use_bias=False, name=f"{name}_1_conv")(ready)
    x = relu(normalized(x, f"{name}_1_bn"), f"{name}_1_relu")
    x = layers.ZeroPadding2D(1, name=f"{name}_2_pad")(x)
    x = layers.Conv2D(filters, 3, strides=stride, use_bias=False, name=f"{name}_2_conv")(x)
    x = relu(normalized(x, f"{name}_2_bn"), f"{name}_2_relu")
    x = layers.Conv2D(4 * filters, 1, name=f"{name}_3_conv")(x)
    return layers.Add(name=f"{name}_out")([shortcut, x])


V50 = published("resnet50v2", "3ef43a0b657b3be2300d5770ece849e0", "fac2f116257151a9d068a22e544a4917")
V101 = published("resnet101v2", "6343647c601c52e1368623803854d971", "c0ed64b8031c3730f411d2eb4eea35b5")
V152 = published("resnet152v2", "a49b44d1979771252814e80f8ec446f9", "ed17cf2e0169df9d443503ef94b23b33")

ResNet50V2 = function_of(resnet_v2, ResNet("ResNet50V2", "resnet50v2", (25_613_800, 23_564_800), V50, (3, 4, 6, 3)))
ResNet101V2 = function_of(
    resnet_v2, ResNet("ResNet101V2", "resnet101v2", (44_675_560, 42_626_560), V101, (3, 4, 23, 3))
)
ResNet152V2 = function_of(
    resnet_v2, ResNet("ResNet152V2", "resnet152v2", (60_380_648, 58_331_648), V152, (3, 8, 36, 3))
)


def preprocess_input(x: Any, data_format: str | None = None) -> Any:
    """Pixels from -1 to 1: `imagenet_utils.preprocess_input` in mode "tf"."""
    return imagenet_utils.preprocess_input(x, data_format, "tf")


decode_predictions = imagenet_utils.decode_predictions
