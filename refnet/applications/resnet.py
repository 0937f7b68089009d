"""ResNet50, ResNet101 and ResNet152: blocks whose result is added to what came in (He, Zhang, Ren and Sun, 2015)."""

from dataclasses import dataclass
from typing import Any

from refnet import layers
from refnet.applications import imagenet_utils
from refnet.applications.building import Member, Request, Weights, function_of, usual_names
from refnet.graph import Tensor
from refnet.models import Model

FILTERS = (64, 128, 256, 512)  # of the four stacks


@dataclass(frozen=True)
class ResNet(Member):
    """One of these nets.

    Args:
        blocks: how many each of the four stacks has.
    """

    blocks: tuple[int, int, int, int]


def resnet(
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
        include_top: whether the layers are there that say which class an image is of.
        weights: "imagenet" for the published ones, None for random ones, or the path of a file with weights.
        input_tensor: the tensor at which the net begins, instead of an Input of its own.
        input_shape: of one image. With the top, (224, 224, 3) unless weights is None; without, any of at least
            32 x 32, and (None, None, 3), images of every size, if None.
        pooling: without the top, "avg" or "max" for one number per channel, None for (batch, height / 32, width / 32, 2048).
        classes: how many the top tells apart; 1000 with "imagenet".
        classifier_activation: the top's; None for logits.
        name: of the model.
    Returns:
        A Model of images that went through `preprocess_input`.
    Raises:
        ArgumentError: an argument that does not fit.  MissingFileError: weights that are not there and cannot be fetched.
    Source: He, Zhang, Ren, Sun, "Deep Residual Learning for Image Recognition"; Keras 3 `applications.resnet`.

    >>> ResNet50(weights=None, include_top=False, input_shape=(28, 28, 3))
    Traceback (most recent call last):
        ...
    refnet.errors.ArgumentError: ResNet50: images are at least 32 x 32; got input_shape (28, 28, 3).
    """
    name = name or member.name
    given = include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name
    request = Request(member.net, member.published, 224, 32, *given)
    with request.started():
        inputs = request.image()
        return request.finished(inputs, body(inputs, member.blocks))


def body(x: Tensor, blocks: tuple[int, ...]) -> Any:
    """The features of images: a quarter of the size, then four stacks, three of which halve it."""
    x = layers.ZeroPadding2D(3, name="conv1_pad")(x)
    x = relu(normalized(layers.Conv2D(64, 7, strides=2, name="conv1_conv")(x), "conv1_bn"), "conv1_relu")
    x = layers.ZeroPadding2D(1, name="pool1_pad")(x)
    x = layers.MaxPooling2D(3, strides=2, name="pool1_pool")(x)
    for number, (filters, count) in enumerate(zip(FILTERS, blocks), start=2):
        for block in range(1, count + 1):
            stride = 2 if number > 2 and block == 1 else 1
            x = residual(x, filters, stride, projected=block == 1, name=f"conv{number}_block{block}")
    return x


def residual(x: Tensor, filters: int, stride: int, projected: bool, name: str) -> Any:
    """A bottleneck of three convolutions, added to what came in.

    Args:
        projected: whether what came in goes through a convolution first, because its shape changes.
    """
    shortcut = x
    if projected:
        shortcut = layers.Conv2D(4 * filters, 1, strides=stride, name=f"{name}_0_conv")(x)
        shortcut = normalized(shortcut, f"{name}_0_bn")
    x = layers.Conv2D(filters, 1, strides=stride, name=f"{name}_1_conv")(x)
    x = relu(normalized(x, f"{name}_1_bn"), f"{name}_1_relu")
    x = layers.Conv2D(filters, 3, padding="same", name=f"{name}_2_conv")(x)
    x = relu(normalized(x, f"{name}_2_bn"), f"{name}_2_relu")
    x = normalized(layers.Conv2D(4 * filters, 1, name=f"{name}_3_conv")(x), f"{name}_3_bn")
    return relu(layers.Add(name=f"{name}_add")([shortcut, x]), f"{name}_out")


def normalized(x: Tensor, name: str) -> Any:
    return layers.BatchNormalization(epsilon=1.001e-5, name=name)(x)


def relu(x: Tensor, name: str) -> Any:
    return layers.Activation("relu", name=name)(x)


def published(name: str, with_top: str, without: str) -> Weights:
    """A net's files; the two hashes."""
    return Weights(usual_names(name), (with_top, without), "resnet/")


RESNET50 = published("resnet50", "2cb95161c43110f7111970584f804107", "4d473c1dd8becc155b73f8504c6f6626")
RESNET101 = published("resnet101", "f1aeb4b969a6efcfb50fad2f0c20cfc5", "88cf7a10940856eca736dc7b7e228a21")
RESNET152 = published("resnet152", "100835be76be38e30d865e96f2aaae62", "ee4c566cf9a93f14d82f913c2dc6dd0c")

ResNet50 = function_of(resnet, ResNet("ResNet50", "resnet50", (25_636_712, 23_587_712), RESNET50, (3, 4, 6, 3)))
ResNet101 = function_of(resnet, ResNet("ResNet101", "resnet101", (44_707_176, 42_658_176), RESNET101, (3, 4, 23, 3)))
ResNet152 = function_of(resnet, ResNet("ResNet152", "resnet152", (60_419_944, 58_370_944), RESNET152, (3, 8, 36, 3)))


def preprocess_input(x: Any, data_format: str | None = None) -> Any:
    """Blue, green and red, 0 to 255, less each colour's mean: `imagenet_utils.preprocess_input` in mode "caffe"."""
    return imagenet_utils.preprocess_input(x, data_format, "caffe")


decode_predictions = imagenet_utils.decode_predictions
