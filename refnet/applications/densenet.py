"""DenseNet121, DenseNet169 and DenseNet201: every layer sees what all before it have found (Huang et al., 2016)."""

from dataclasses import dataclass
from typing import Any

from refnet import layers
from refnet.applications import imagenet_utils
from refnet.applications.building import Member, Request, Weights, function_of, usual_names
from refnet.applications.resnet import normalized, relu
from refnet.graph import Tensor
from refnet.models import Model

GROWTH = 32  # channels that a layer adds


@dataclass(frozen=True)
class DenseNet(Member):
    """One of these nets.

    Args:
        depths: how many layers each of the four blocks has.
    """

    depths: tuple[int, int, int, int]


def densenet(
    member: DenseNet,
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
        A Model of images that went through `preprocess_input`.
    Raises:
        ArgumentError: an argument that does not fit.  MissingFileError: weights that are not there and cannot be fetched.
    Source: Huang, Liu, van der Maaten, Weinberger, "Densely Connected Convolutional Networks"; Keras 3 `applications.densenet`.

    >>> DenseNet121(weights=None, include_top=False, input_shape=(28, 28, 3))
    Traceback (most recent call last):
        ...
    refnet.errors.ArgumentError: DenseNet121: images are at least 32 x 32; got input_shape (28, 28, 3).
    """
    name = name or member.name
    given = include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name
    request = Request(member.net, member.published, 224, 32, *given)
    with request.started():
        inputs = request.image()
        return request.finished(inputs, body(inputs, member.depths))


def body(x: Tensor, depths: tuple[int, ...]) -> Any:
    """The features of images: a quarter of the size, then four dense blocks, with half of size and channels between them."""
    x = layers.ZeroPadding2D(3)(x)
    x = layers.Conv2D(64, 7, strides=2, use_bias=False, name="conv1_conv")(x)
    x = relu(normalized(x, "conv1_bn"), "conv1_relu")
    x = layers.ZeroPadding2D(1)(x)
    x = layers.MaxPooling2D(3, strides=2, name="pool1")(x)
    for number, depth in enumerate(depths, start=2):
        if number > 2:
            x = transition(x, f"pool{number - 1}")
        for layer in range(1, depth + 1):
            x = grown(x, f"conv{number}_block{layer}")
    return relu(normalized(x, "bn"), "relu")


def grown(x: Tensor, name: str) -> Any:
    """What came in, and a few channels made of it."""
    new = relu(normalized(x, f"{name}_0_bn"), f"{name}_0_relu")
    new = layers.Conv2D(4 * GROWTH, 1, use_bias=False, name=f"{name}_1_conv")(new)
    new = relu(normalized(new, f"{name}_1_bn"), f"{name}_1_relu")
    new = layers.Conv2D(GROWTH, 3, padding="same", use_bias=False, name=f"{name}_2_conv")(new)
    return layers.Concatenate(name=f"{name}_concat")([x, new])


def transition(x: Tensor, name: str) -> Any:
    """Half of the channels, then half of the size."""
    x = relu(normalized(x, f"{name}_bn"), f"{name}_relu")
    x = layers.Conv2D(x.shape[-1] // 2, 1, use_bias=False, name=f"{name}_conv")(x)
    return layers.AveragePooling2D(2, strides=2, name=f"{name}_pool")(x)


def published(name: str, with_top: str, without: str) -> Weights:
    """A net's files; the two hashes."""
    return Weights(usual_names(name), (with_top, without), "densenet/")


D121 = published("densenet121", "9d60b8095a5708f2dcce2bca79d332c7", "30ee3e1110167f948a6b9946edeeb738")
D169 = published("densenet169", "d699b8f76981ab1b30698df4c175e90b", "b8c4d4c20dd625c148057b9ff1c1176b")
D201 = published("densenet201", "1ceb130c1ea1b78c3bf6114dbdfd8807", "c13680b51ded0fb44dff2d8f86ac8bb1")

DenseNet121 = function_of(
    densenet, DenseNet("DenseNet121", "densenet121", (8_062_504, 7_037_504), D121, (6, 12, 24, 16))
)
DenseNet169 = function_of(
    densenet, DenseNet("DenseNet169", "densenet169", (14_307_880, 12_642_880), D169, (6, 12, 32, 32))
)
DenseNet201 = function_of(
    densenet, DenseNet("DenseNet201", "densenet201", (20_242_984, 18_321_984), D201, (6, 12, 48, 32))
)


def preprocess_input(x: Any, data_format: str | None = None) -> Any:
    """Pixels less each colour's mean, by its deviation: `imagenet_utils.preprocess_input` in mode "torch"."""
    return imagenet_utils.preprocess_input(x, data_format, "torch")


decode_predictions = imagenet_utils.decode_predictions
