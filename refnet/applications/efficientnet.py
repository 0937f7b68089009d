"""EfficientNetB0 to EfficientNetB7: one net, made deeper, wider and for larger images together (Tan and Le, 2019)."""

import math
from dataclasses import dataclass
from typing import Any

from refnet import layers
from refnet.applications import imagenet_utils
from refnet.applications.building import Member, Request, Weights, function_of, padding_to_halve, rounded_8
from refnet.graph import Tensor
from refnet.models import Model

# the first of its blocks: window, how many, filters, expansion, stride
STAGES = (
    (3, 1, 16, 1, 1),
    (3, 2, 24, 6, 2),
    (5, 2, 40, 6, 2),
    (3, 3, 80, 6, 2),
    (5, 3, 112, 6, 1),
    (5, 4, 192, 6, 2),
    (3, 1, 320, 6, 1),
)
MOST_DROPPED = 0.2  # how often the last block is left out in training
# how the authors drew random weights
CONVOLUTIONS = {
    "class_name": "VarianceScaling",
    "config": {"scale": 2.0, "mode": "fan_out", "distribution": "truncated_normal"},
}
CLASSES = {
    "class_name": "VarianceScaling",
    "config": {"scale": 1 / 3, "mode": "fan_out", "distribution": "uniform"},
}


@dataclass(frozen=True)
class EfficientNet(Member):
    """One of these nets.

    Args:
        width, depth: how many times the filters and the blocks of STAGES it has.
        side: of its images, with the top.
        dropout: the rate before the top.
    """

    width: float
    depth: float
    side: int
    dropout: float


def efficientnet(
    member: EfficientNet,
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
        include_top ... name: as those of `ResNet50`, but for the side of images with the top, which is 224, 240, 260, 300, 380, 456,
            528 and 600 from B0 to B7.
    Returns:
        A Model of images whose pixels are from 0 to 255: `preprocess_input` does nothing.
    Raises:
        ArgumentError: an argument that does not fit.  MissingFileError: weights that are not there and cannot be fetched.
    Source: Tan, Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks"; Keras 3 `applications.efficientnet`.

    >>> EfficientNetB0(weights=None, include_top=False, input_shape=(28, 28, 3))
    Traceback (most recent call last):
        ...
    refnet.errors.ArgumentError: EfficientNetB0: images are at least 32 x 32; got input_shape (28, 28, 3).
    """
    name = name or member.name
    given = include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name
    request = Request(member.net, member.published, member.side, 32, *given)
    with request.started():
        inputs = x = request.image()
        x = layers.Normalization()(layers.Rescaling(1 / 255)(x))
        if weights == "imagenet":
            # The published normalization divides by the root of each colour's deviation, this by that root again: Keras has it too.
            x = layers.Rescaling([1 / math.sqrt(deviation) for deviation in imagenet_utils.DEVIATIONS_RGB])(x)
        return with_top(request, inputs, body(x, member.width, member.depth), member.dropout)


def with_top(request: Request, inputs: Tensor, x: Tensor, dropout: float) -> Model:
    """The model, with dropout before the top, if that is asked for."""
    if not request.include_top:
        return request.finished(inputs, x)
    x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
    x = layers.Dropout(dropout, name="top_dropout")(x)
    return request.model(inputs, request.classified(x, kernel_initializer=CLASSES))


def body(x: Tensor, width: float, depth: float) -> Any:
    """The features of images: a convolution, blocks that halve the size four times, a convolution."""
    x = layers.ZeroPadding2D(padding_to_halve(x, 3), name="stem_conv_pad")(x)
    x = convolution(x, rounded_8(32 * width), 3, "stem_", strides=2, padding="valid")
    counts = [math.ceil(depth * repeats) for _, repeats, *_ in STAGES]
    done = 0
    for number, (count, (size, _, filters, expansion, stride)) in enumerate(zip(counts, STAGES), start=1):
        for block in range(count):
            name = f"block{number}{chr(ord('a') + block)}_"
            rate = MOST_DROPPED * done / sum(counts)
            x = inverted(x, rounded_8(filters * width), size, expansion, stride if block == 0 else 1, rate, name)
            done += 1
    return convolution(x, rounded_8(1280 * width), 1, "top_")


def inverted(x: Tensor, filters: int, size: int, expansion: int, stride: int, rate: float, name: str) -> Any:
    """More channels, each convolved by itself and weighed by a gate, then fewer; added to what came in where shapes allow.

    Args:
        size: of the window.
        expansion: how many times the channels there are in between.
        rate: how often it is left out in training, where it is added.
    """
    came = x.shape[-1]
    inner = x if expansion == 1 else convolution(x, came * expansion, 1, f"{name}expand_")
    if stride == 2:
        inner = layers.ZeroPadding2D(padding_to_halve(inner, size), name=f"{name}dwconv_pad")(inner)
    inner = depthwise(inner, size, stride, "valid" if stride == 2 else "same", f"{name}dwconv")
    inner = gated(normalized(inner, name), came // 4, name)
    inner = convolution(inner, filters, 1, f"{name}project_", active=False)
    return added(inner, x, rate, name) if stride == 1 and came == filters else inner


def convolution(
    x: Tensor, filters: int, size: int, name: str, strides: int = 1, padding: str = "same", **more: Any
) -> Any:
    """A convolution without a bias, normalized; `more` is for `normalized`."""
    given: dict[str, Any] = {"use_bias": False, "kernel_initializer": CONVOLUTIONS, "name": f"{name}conv"}
    return normalized(layers.Conv2D(filters, size, strides=strides, padding=padding, **given)(x), name, **more)


def depthwise(x: Tensor, size: int, strides: int, padding: str, name: str) -> Any:
    """A convolution of each channel by itself."""
    given: dict[str, Any] = {"use_bias": False, "depthwise_initializer": CONVOLUTIONS, "name": name}
    return layers.DepthwiseConv2D(size, strides=strides, padding=padding, **given)(x)


def normalized(x: Tensor, name: str, momentum: float = 0.99, active: bool = True) -> Any:
    """Normalized, and through swish if it is to be active."""
    x = layers.BatchNormalization(momentum=momentum, name=f"{name}bn")(x)
    return layers.Activation("swish", name=f"{name}activation")(x) if active else x


def gated(x: Tensor, narrow: int, name: str) -> Any:
    """Each channel times a number from 0 to 1 that all channels' averages tell, through `narrow` channels."""
    given: dict[str, Any] = {"padding": "same", "kernel_initializer": CONVOLUTIONS}
    gate = layers.GlobalAveragePooling2D(name=f"{name}se_squeeze")(x)
    gate = layers.Reshape((1, 1, x.shape[-1]), name=f"{name}se_reshape")(gate)
    gate = layers.Conv2D(max(1, narrow), 1, activation="swish", name=f"{name}se_reduce", **given)(gate)
    gate = layers.Conv2D(x.shape[-1], 1, activation="sigmoid", name=f"{name}se_expand", **given)(gate)
    return layers.multiply([x, gate], name=f"{name}se_excite")


def added(x: Tensor, shortcut: Tensor, rate: float, name: str) -> Any:
    """A block's result and what came into it; in training the result is left out for some of the images."""
    if rate > 0:
        x = layers.Dropout(rate, noise_shape=(None, 1, 1, 1), name=f"{name}drop")(x)
    return layers.add([x, shortcut], name=f"{name}add")


def published(name: str, with_top: str, without: str) -> Weights:
    """A net's files; the two hashes."""
    return Weights((f"{name}.h5", f"{name}_notop.h5"), (with_top, without), "", bucket="keras-applications/")


FILES = (
    published("efficientnetb0", "902e53a9f72be733fc0bcb005b3ebbac", "50bc09e76180e00e4465e1a485ddc09d"),
    published("efficientnetb1", "1d254153d4ab51201f1646940f018540", "74c4e6b3e1f6a1eea24c589628592432"),
    published("efficientnetb2", "b15cce36ff4dcbd00b6dd88e7857a6ad", "111f8e2ac8aa800a7a99e3239f7bfb39"),
    published("efficientnetb3", "ffd1fdc53d0ce67064dc6a9c7960ede0", "af6d107764bb5b1abb91932881670226"),
    published("efficientnetb4", "18c95ad55216b8f92d7e70b3a046e2fc", "ebc24e6d6c33eaebbd558eafbeedf1ba"),
    published("efficientnetb5", "ace28f2a6363774853a83a0b21b9421a", "38879255a25d3c92d5e44e04ae6cec6f"),
    published("efficientnetb6", "165f6e37dce68623721b423839de8be5", "9ecce42647a20130c1f39a5d4cb75743"),
    published("efficientnetb7", "8c03f828fec3ef71311cd463b6759d99", "cbcfe4450ddf6f3ad90b1b398090fe4a"),
)


def member(number: int, parameters: tuple[int, int], *facts: Any) -> EfficientNet:
    """The net of a number."""
    return EfficientNet(f"EfficientNetB{number}", f"efficientnetb{number}", parameters, FILES[number], *facts)


EfficientNetB0 = function_of(efficientnet, member(0, (5_330_571, 4_049_571), 1.0, 1.0, 224, 0.2))
EfficientNetB1 = function_of(efficientnet, member(1, (7_856_239, 6_575_239), 1.0, 1.1, 240, 0.2))
EfficientNetB2 = function_of(efficientnet, member(2, (9_177_569, 7_768_569), 1.1, 1.2, 260, 0.3))
EfficientNetB3 = function_of(efficientnet, member(3, (12_320_535, 10_783_535), 1.2, 1.4, 300, 0.3))
EfficientNetB4 = function_of(efficientnet, member(4, (19_466_823, 17_673_823), 1.4, 1.8, 380, 0.4))
EfficientNetB5 = function_of(efficientnet, member(5, (30_562_527, 28_513_527), 1.6, 2.2, 456, 0.4))
EfficientNetB6 = function_of(efficientnet, member(6, (43_265_143, 40_960_143), 1.8, 2.6, 528, 0.5))
EfficientNetB7 = function_of(efficientnet, member(7, (66_658_687, 64_097_687), 2.0, 3.1, 600, 0.5))

preprocess_input, decode_predictions = imagenet_utils.unchanged, imagenet_utils.decode_predictions
