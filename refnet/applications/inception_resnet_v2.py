"""InceptionResNetV2: Inception's branches, added to what came in (Szegedy et al., 2016)."""

from typing import Any

from refnet import layers, ops
from refnet.applications import imagenet_utils
from refnet.applications.building import Request, Weights, usual_names
from refnet.applications.inception_v3 import chain, convolution, mixed_in_squares, reduced, stem
from refnet.graph import Tensor
from refnet.models import Model

PUBLISHED = Weights(
    usual_names("inception_resnet_v2"),
    ("e693bd0210a403b3192acc6073ad2e96", "d19885ff4a710c122648d3b5c3b684e4"),
    "inception_resnet_v2/",
)
# The branches of the three kinds of block: (filters, height, width) of their convolutions.
BRANCHES: dict[str, tuple[tuple[tuple[int, int, int], ...], ...]] = {
    "block35": (((32, 1, 1),), ((32, 1, 1), (32, 3, 3)), ((32, 1, 1), (48, 3, 3), (64, 3, 3))),
    "block17": (((192, 1, 1),), ((128, 1, 1), (160, 1, 7), (192, 7, 1))),
    "block8": (((192, 1, 1),), ((192, 1, 1), (224, 1, 3), (256, 3, 1))),
}


def InceptionResNetV2(
    include_top: bool = True,
    weights: Any = "imagenet",
    input_tensor: Any = None,
    input_shape: Any = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str = "inception_resnet_v2",
) -> Model:
    """The net InceptionResNetV2. 55,873,736 parameters, 54,336,736 without its top.

    Args:
        include_top ... name: as those of `InceptionV3`.
    Returns:
        A Model of images that went through `preprocess_input`.
    Raises:
        ArgumentError: an argument that does not fit.  MissingFileError: weights that are not there and cannot be fetched.
    Source: Szegedy, Ioffe, Vanhoucke, Alemi, "Inception-v4, Inception-ResNet and the Impact of Residual Connections on Learning";
        Keras 3 `applications.InceptionResNetV2`.

    >>> InceptionResNetV2(weights=None, include_top=False, input_shape=(28, 28, 3))
    Traceback (most recent call last):
        ...
    refnet.errors.ArgumentError: InceptionResNetV2: images are at least 75 x 75; got input_shape (28, 28, 3).
    """
    given = include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name
    request = Request("InceptionResNetV2", PUBLISHED, 299, 75, *given)
    with request.started():
        inputs = request.image()
        x = body(inputs)
        x = request.averaged_and_classified(x) if include_top else request.pooled(x)
        return request.model(inputs, x)


def body(x: Tensor) -> Any:
    """The features of images: a stem and a mixed block, then forty residual ones in three sizes."""
    x = mixed_in_squares(stem(x), 96, 64, "mixed_5b")
    for number in range(1, 11):
        x = residual(x, "block35", number, 0.17)
    x = reduced(x, "mixed_6a", ((384, 3, 3),), ((256, 1, 1), (256, 3, 3), (384, 3, 3)))
    for number in range(1, 21):
        x = residual(x, "block17", number, 0.1)
    first = (256, 1, 1)
    x = reduced(x, "mixed_7a", (first, (384, 3, 3)), (first, (288, 3, 3)), (first, (288, 3, 3), (320, 3, 3)))
    for number in range(1, 10):
        x = residual(x, "block8", number, 0.2)
    x = residual(x, "block8", 10, 1.0, active=False)
    return convolution(x, 1536, 1, 1, name="conv_7b")


def residual(x: Tensor, kind: str, number: int, scale: float, active: bool = True) -> Any:
    """What the branches of a kind of block find, as many channels as came in, scaled and added to that."""
    name = f"{kind}_{number}"
    mixed = layers.Concatenate(name=f"{name}_mixed")([chain(x, *steps) for steps in BRANCHES[kind]])
    found = layers.Conv2D(x.shape[-1], 1, padding="same", name=f"{name}_conv")(mixed)
    x = CustomScaleLayer(scale)([x, found])
    return layers.Activation("relu", name=f"{name}_ac")(x) if active else x


class CustomScaleLayer(layers.Layer):
    """One tensor and a part of another, under the name that Keras's files have for it.

        y = inputs[0] + scale * inputs[1]

    >>> CustomScaleLayer(0.5)([np.array([1.0, 2.0]), np.array([4.0, 8.0])])
    array([3., 6.], dtype=float32)
    """

    def __init__(self, scale: float, **more: Any):
        super().__init__(**more)
        self.scale = scale
        self.built = True

    def call(self, inputs: Any) -> Any:
        return ops.add(inputs[0], ops.multiply(inputs[1], self.scale))


def preprocess_input(x: Any, data_format: str | None = None) -> Any:
    """Pixels from -1 to 1: `imagenet_utils.preprocess_input` in mode "tf"."""
    return imagenet_utils.preprocess_input(x, data_format, "tf")


decode_predictions = imagenet_utils.decode_predictions
