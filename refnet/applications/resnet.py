"""ResNet50: blocks whose result is added to what came in (He, Zhang, Ren and Sun, 2015)."""

from typing import Any

from refnet import layers
from refnet.applications import imagenet_utils
from refnet.applications.building import Request, Weights, usual_names
from refnet.graph import Tensor
from refnet.models import Model

PUBLISHED = Weights(
    usual_names("resnet50"),
    ("2cb95161c43110f7111970584f804107", "4d473c1dd8becc155b73f8504c6f6626"),
    "resnet/",
)
STACKS = (64, 3), (128, 4), (256, 6), (512, 3)  # filters, blocks


def ResNet50(
    include_top: bool = True,
    weights: Any = "imagenet",
    input_tensor: Any = None,
    input_shape: Any = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str = "resnet50",
) -> Model:
    """The net ResNet50. 25,636,712 parameters, 23,587,712 without its top.

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
    Source: He, Zhang, Ren, Sun, "Deep Residual Learning for Image Recognition"; Keras 3 `applications.ResNet50`.

    >>> ResNet50(weights=None, include_top=False, input_shape=(28, 28, 3))
    Traceback (most recent call last):
        ...
    refnet.errors.ArgumentError: ResNet50: images are at least 32 x 32; got input_shape (28, 28, 3).
    """
    given = include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name
    request = Request("ResNet50", PUBLISHED, 224, 32, *given)
    with request.started():
        inputs = request.image()
        x = body(inputs)
        x = request.averaged_and_classified(x) if include_top else request.pooled(x, avg="avg_pool", max="max_pool")
        return request.model(inputs, x)


def body(x: Tensor) -> Any:
    """The features of images: a quarter of the size, then four stacks, three of which halve it."""
    x = layers.ZeroPadding2D(3, name="conv1_pad")(x)
    x = relu(normalized(layers.Conv2D(64, 7, strides=2, name="conv1_conv")(x), "conv1_bn"), "conv1_relu")
    x = layers.ZeroPadding2D(1, name="pool1_pad")(x)
    x = layers.MaxPooling2D(3, strides=2, name="pool1_pool")(x)
    for number, (filters, blocks) in enumerate(STACKS, start=2):
        for block in range(1, blocks + 1):
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


def preprocess_input(x: Any, data_format: str | None = None) -> Any:
    """Blue, green and red, 0 to 255, less each colour's mean: `imagenet_utils.preprocess_input` in mode "caffe"."""
    return imagenet_utils.preprocess_input(x, data_format, "caffe")


decode_predictions = imagenet_utils.decode_predictions
