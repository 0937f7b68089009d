"""MobileNetV3Small and MobileNetV3Large: MobileNetV2 with gates, found by search (Howard et al., 2019)."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from refnet import layers
from refnet.applications import imagenet_utils
from refnet.applications.building import (
    Member,
    Request,
    Weights,
    check_agreement,
    function_of,
    padding_to_halve,
    rounded_8,
)
from refnet.errors import ArgumentError, calls_below_the_user
from refnet.graph import Tensor
from refnet.models import Model

RELU, HARD_SWISH = "relu", "hard_swish"
Active: TypeAlias = Callable[[Tensor], Any]
Block: TypeAlias = tuple[float, int, int, int, bool, str]
# expansion, filters, window, stride, whether there is a gate, activation
SMALL: tuple[Block, ...] = (
    (1, 16, 3, 2, True, RELU),
    (72 / 16, 24, 3, 2, False, RELU),
    (88 / 24, 24, 3, 1, False, RELU),
    (4, 40, 5, 2, True, HARD_SWISH),
    (6, 40, 5, 1, True, HARD_SWISH),
    (6, 40, 5, 1, True, HARD_SWISH),
    (3, 48, 5, 1, True, HARD_SWISH),
    (3, 48, 5, 1, True, HARD_SWISH),
    (6, 96, 5, 2, True, HARD_SWISH),
    (6, 96, 5, 1, True, HARD_SWISH),
    (6, 96, 5, 1, True, HARD_SWISH),
)
LARGE: tuple[Block, ...] = (
    (1, 16, 3, 1, False, RELU),
    (4, 24, 3, 2, False, RELU),
    (3, 24, 3, 1, False, RELU),
    (3, 40, 5, 2, True, RELU),
    (3, 40, 5, 1, True, RELU),
    (3, 40, 5, 1, True, RELU),
    (6, 80, 3, 2, False, HARD_SWISH),
    (2.5, 80, 3, 1, False, HARD_SWISH),
    (2.3, 80, 3, 1, False, HARD_SWISH),
    (2.3, 80, 3, 1, False, HARD_SWISH),
    (6, 112, 3, 1, True, HARD_SWISH),
    (6, 112, 3, 1, True, HARD_SWISH),
    (6, 160, 5, 2, True, HARD_SWISH),
    (6, 160, 5, 1, True, HARD_SWISH),
    (6, 160, 5, 1, True, HARD_SWISH),
)
# {(a part of the files' names, whether minimalistic, alpha): hashes}, of the published weights
HASHES = {
    ("small", False, 0.75): ("cb65d4e5be93758266aa0a7f2c6708b7", "ebdb5cc8e0b497cd13a7c275d475c819"),
    ("small", False, 1.0): ("8768d4c2e7dee89b9d02b2d03d65d862", "d3e8ec802a04aa4fc771ee12a9a9b836"),
    ("small", True, 1.0): ("99cd97fb2fcdad2bf028eb838de69e37", "cde8136e733e811080d9fcd8a252f7e4"),
    ("large", False, 0.75): ("765b44a33ad4005b3ac83185abf1d0eb", "40af19a13ebea4e2ee0c676887f69a2e"),
    ("large", False, 1.0): ("59e551e166be033d707958cf9e29a6a7", "07fb09a5933dd0c8eaafa16978110389"),
    ("large", True, 1.0): ("675e7b876c45c57e9e63e6d90a36599c", "ec5221f64a2f6d1ef965a614bdae7973"),
}


@dataclass(frozen=True)
class MobileNetV3(Member):
    """One of these nets.

    Args:
        kind: "small" or "large".
        blocks: its table.
        last: the filters before the top.
    """

    kind: str
    blocks: tuple[Block, ...]
    last: int


def mobilenet_v3(
    member: MobileNetV3,
    input_shape: Any = None,
    alpha: float = 1.0,
    minimalistic: bool = False,
    include_top: bool = True,
    weights: Any = "imagenet",
    input_tensor: Any = None,
    classes: int = 1000,
    pooling: str | None = None,
    dropout_rate: float = 0.2,
    classifier_activation: Any = "softmax",
    include_preprocessing: bool = True,
    name: str | None = None,
) -> Model:
    """The nets of this file.

    Args:
        input_shape: of one image, any of at least 32 x 32; (None, None, 3), images of every size, if None. With the top, too.
        alpha: how wide the net is: so many times the paper's filters. The parameters above are for 1.
        minimalistic: whether there are only windows of 3 x 3, relu and no gates.
        include_top ... pooling: as those of `MobileNet`.
        dropout_rate: the rate before the top; 0 for none.
        classifier_activation: the top's; None for logits.
        include_preprocessing: whether the net begins with the layer that scales pixels.
        name: of the model.
    Returns:
        A Model of images whose pixels are from 0 to 255, and `preprocess_input` does nothing; from -1 to 1 without that layer.
    Raises:
        ArgumentError: an argument that does not fit.  MissingFileError: weights that are not there and cannot be fetched.
    Source: Howard et al., "Searching for MobileNetV3"; Keras 3 `applications.MobileNetV3Small`.

    >>> MobileNetV3Small(weights=None, include_top=False, input_shape=(28, 28, 3))
    Traceback (most recent call last):
        ...
    refnet.errors.ArgumentError: MobileNetV3Small: images are at least 32 x 32; got input_shape (28, 28, 3).
    """
    check_agreement(member.net, input_tensor, input_shape)
    if input_shape is None and isinstance(input_tensor, Tensor):
        input_shape = input_tensor.shape[1:]
    published = files(member, alpha, minimalistic, input_shape) if weights == "imagenet" else member.published
    name = name or member.name
    given = include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name
    request = Request(member.net, published, None, 32, *given)
    with request.started():
        inputs = x = request.image()
        if include_preprocessing:
            x = layers.Rescaling(1 / 127.5, offset=-1.0)(x)
        x = body(x, member, alpha, minimalistic)
        if not include_top:
            return request.finished(inputs, x)
        last = rounded_8(member.last * alpha) if alpha > 1 else member.last
        return request.model(inputs, top(request, x, last, dropout_rate, active(HARD_SWISH, minimalistic)))


def files(member: MobileNetV3, alpha: float, minimalistic: bool, shape: Any) -> Weights:
    """The published files for nets of a width."""
    key = (member.kind, bool(minimalistic), alpha)
    if key not in HASHES:
        raise ArgumentError(
            f"{member.net}: the weights 'imagenet' need an alpha of {'1' if minimalistic else '0.75 or 1'}; got {alpha!r}."
        )
    if not isinstance(shape, (tuple, list)) or tuple(shape)[:2] != (224, 224):
        warnings.warn(
            f"{member.net}: images are not 224 x 224, as those that the weights were trained on.",
            stacklevel=calls_below_the_user(),
        )
    stem = f"weights_mobilenet_v3_{member.kind}{'_minimalistic' if minimalistic else ''}_224_{float(alpha)}_float"
    return Weights((f"{stem}.h5", f"{stem}_no_top_v2.h5"), HASHES[key], "mobilenet_v3/")


def active(kind: str, minimalistic: bool) -> Active:
    """The activation of a kind, which is relu everywhere in a minimalistic net."""
    swish = kind == HARD_SWISH and not minimalistic
    return lambda x: (layers.Activation("hard_swish") if swish else layers.ReLU())(x)


def body(x: Tensor, member: MobileNetV3, alpha: float, minimalistic: bool) -> Any:
    """The features of images: a convolution, the blocks of the table, a convolution; five strides of 2 in all."""
    swish = active(HARD_SWISH, minimalistic)
    x = layers.Conv2D(16, 3, strides=2, padding="same", use_bias=False, name="conv")(x)
    x = swish(normalized(x, "conv_bn"))
    for number, block in enumerate(member.blocks):
        name = f"expanded_conv_{number}" if number else "expanded_conv"
        x = inverted(x, block, alpha, minimalistic, name)
    return swish(pointwise(x, rounded_8(6 * x.shape[-1]), "conv_1"))


def inverted(x: Tensor, block: Block, alpha: float, minimalistic: bool, name: str) -> Any:
    """More channels, each convolved by itself and perhaps weighed by a gate, then fewer; added to what came in where shapes allow."""
    expansion, filters, size, stride, gate, kind = block
    size, gate = (3, False) if minimalistic else (size, gate)
    filters, activate = rounded_8(filters * alpha), active(kind, minimalistic)
    inner = x
    if expansion > 1:
        inner = activate(pointwise(x, rounded_8(expansion * x.shape[-1]), f"{name}_expand"))
    if stride == 2:
        inner = layers.ZeroPadding2D(padding_to_halve(inner, size), name=f"{name}_depthwise_pad")(inner)
    padding = "valid" if stride == 2 else "same"
    inner = layers.DepthwiseConv2D(size, stride, padding, use_bias=False, name=f"{name}_depthwise")(inner)
    inner = activate(normalized(inner, f"{name}_depthwise_bn"))
    if gate:
        inner = gated(inner, f"{name}_squeeze_excite")
    inner = pointwise(inner, filters, f"{name}_project")
    return layers.Add(name=f"{name}_add")([x, inner]) if stride == 1 and x.shape[-1] == filters else inner


def gated(x: Tensor, name: str) -> Any:
    """Each channel times a number from 0 to 1 that all channels' averages tell."""
    channels = x.shape[-1]
    gate = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_avg_pool")(x)
    gate = layers.Conv2D(rounded_8(channels / 4), 1, padding="same", name=f"{name}_conv")(gate)
    gate = layers.ReLU(name=f"{name}_relu")(gate)
    gate = layers.Conv2D(channels, 1, padding="same", name=f"{name}_conv_1")(gate)
    gate = layers.ReLU(6.0)(gate + 3.0) * (1 / 6)
    return layers.Multiply(name=f"{name}_mul")([x, gate])


def pointwise(x: Tensor, filters: int, name: str) -> Any:
    """Channels mixed, place by place, and normalized."""
    return normalized(layers.Conv2D(filters, 1, padding="same", use_bias=False, name=name)(x), f"{name}_bn")


def normalized(x: Tensor, name: str) -> Any:
    return layers.BatchNormalization(momentum=0.999, name=name)(x)


def top(request: Request, x: Tensor, last: int, dropout: float, activate: Active) -> Any:
    """A vector of chances, by convolutions of the averages."""
    x = layers.GlobalAveragePooling2D(keepdims=True)(x)
    x = activate(layers.Conv2D(last, 1, padding="same", name="conv_2")(x))
    if dropout > 0:
        x = layers.Dropout(dropout)(x)
    x = layers.Flatten()(layers.Conv2D(request.classes, 1, padding="same", name="logits")(x))
    return layers.Activation(request.classifier_activation, name="predictions")(x)


NONE = Weights(("", ""), (None, None), "")  # which files these are depends on alpha and minimalistic

MobileNetV3Small = function_of(
    mobilenet_v3, MobileNetV3("MobileNetV3Small", "MobileNetV3Small", (2_554_968, 939_120), NONE, "small", SMALL, 1024)
)
MobileNetV3Large = function_of(
    mobilenet_v3,
    MobileNetV3("MobileNetV3Large", "MobileNetV3Large", (5_507_432, 2_996_352), NONE, "large", LARGE, 1280),
)

preprocess_input, decode_predictions = imagenet_utils.unchanged, imagenet_utils.decode_predictions
