"""EfficientNetV2B0 to B3, S, M and L: EfficientNets whose first stages convolve channels together, which is faster (Tan and Le, 2021)."""

import math
from dataclasses import dataclass
from typing import Any

from refnet import layers
from refnet.applications import imagenet_utils
from refnet.applications.building import Member, Request, Weights, function_of, nearest_8
from refnet.applications.efficientnet import MOST_DROPPED, added, convolution, depthwise, gated, normalized, with_top
from refnet.graph import Tensor
from refnet.models import Model

MOMENTUM = 0.9  # of the moving statistics
# kind of block, how many, filters, expansion, the first one's stride
FUSED, DEPTHWISE = "fused", "depthwise"
STAGES_B = (
    (FUSED, 1, 16, 1, 1),
    (FUSED, 2, 32, 4, 2),
    (FUSED, 2, 48, 4, 2),
    (DEPTHWISE, 3, 96, 4, 2),
    (DEPTHWISE, 5, 112, 6, 1),
    (DEPTHWISE, 8, 192, 6, 2),
)
STAGES_S = (
    (FUSED, 2, 24, 1, 1),
    (FUSED, 4, 48, 4, 2),
    (FUSED, 4, 64, 4, 2),
    (DEPTHWISE, 6, 128, 4, 2),
    (DEPTHWISE, 9, 160, 6, 1),
    (DEPTHWISE, 15, 256, 6, 2),
)
STAGES_M = (
    (FUSED, 3, 24, 1, 1),
    (FUSED, 5, 48, 4, 2),
    (FUSED, 5, 80, 4, 2),
    (DEPTHWISE, 7, 160, 4, 2),
    (DEPTHWISE, 14, 176, 6, 1),
    (DEPTHWISE, 18, 304, 6, 2),
    (DEPTHWISE, 5, 512, 6, 1),
)
STAGES_L = (
    (FUSED, 4, 32, 1, 1),
    (FUSED, 7, 64, 4, 2),
    (FUSED, 7, 96, 4, 2),
    (DEPTHWISE, 10, 192, 4, 2),
    (DEPTHWISE, 19, 224, 6, 1),
    (DEPTHWISE, 25, 384, 6, 2),
    (DEPTHWISE, 7, 640, 6, 1),
)


@dataclass(frozen=True)
class EfficientNetV2(Member):
    """One of these nets.

    Args:
        side: of its images, with the top.
        stem: the filters of the first convolution.
        stages: its table.
        width, depth: how many times the filters and the blocks of the table it has.
    """

    side: int
    stem: int
    stages: tuple[tuple[str, int, int, int, int], ...]
    width: float = 1.0
    depth: float = 1.0


def efficientnet_v2(
    member: EfficientNetV2,
    include_top: bool = True,
    weights: Any = "imagenet",
    input_tensor: Any = None,
    input_shape: Any = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    include_preprocessing: bool = True,
    name: str | None = None,
) -> Model:
    """The nets of this file.

    Args:
        include_top ... classifier_activation: as those of `ResNet50`, but for the side of images with the top, which is 224, 240, 260
            and 300 from B0 to B3, 384 of S, 480 of M and L.
        include_preprocessing: whether the net begins with the layers that scale pixels.
        name: of the model.
    Returns:
        A Model of images whose pixels are from 0 to 255, and `preprocess_input` does nothing. Without those layers, of images from -1
        to 1 (S, M, L), or that were brought to mean 0 and variance 1 (B0 to B3).
    Raises:
        ArgumentError: an argument that does not fit.  MissingFileError: weights that are not there and cannot be fetched.
    Source: Tan, Le, "EfficientNetV2: Smaller Models and Faster Training"; Keras 3 `applications.efficientnet_v2`.

    >>> EfficientNetV2B0(weights=None, include_top=False, input_shape=(28, 28, 3))
    Traceback (most recent call last):
        ...
    refnet.errors.ArgumentError: EfficientNetV2B0: images are at least 32 x 32; got input_shape (28, 28, 3).
    """
    name = name or member.name
    given = include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name
    request = Request(member.net, member.published, member.side, 32, *given)
    with request.started():
        inputs = x = request.image()
        if include_preprocessing:
            x = scaled(x, by_colour=member.stages is STAGES_B and x.shape[-1] == 3)
        return with_top(request, inputs, body(x, member), dropout=0.2)


def scaled(x: Tensor, by_colour: bool) -> Any:
    """Pixels as the nets were trained on them: each colour with mean 0 and variance 1, or all from -1 to 1."""
    if not by_colour:
        return layers.Rescaling(1 / 128, offset=-1)(x)
    x = layers.Rescaling(1 / 255)(x)
    variances = [deviation**2 for deviation in imagenet_utils.DEVIATIONS_RGB]
    return layers.Normalization(mean=imagenet_utils.MEANS_RGB, variance=variances)(x)


def body(x: Tensor, member: EfficientNetV2) -> Any:
    """The features of images: a convolution, blocks that halve the size four times, a convolution."""
    x = convolution(x, nearest_8(member.stem * member.width), 3, "stem_", strides=2, momentum=MOMENTUM)
    blocks = sum(count for _, count, *_ in member.stages)  # of the table, also where the net has more of them
    done = 0
    for number, (kind, count, filters, expansion, stride) in enumerate(member.stages, start=1):
        for block in range(math.ceil(member.depth * count)):
            name = f"block{number}{chr(ord('a') + block)}_"
            make = fused if kind == FUSED else inverted
            stride = stride if block == 0 else 1
            came, wanted = x, nearest_8(filters * member.width)
            x = make(came, wanted, expansion, stride, name)
            if stride == 1 and came.shape[-1] == wanted:
                x = added(x, came, MOST_DROPPED * done / blocks, name)
            done += 1
    return convolution(x, nearest_8(1280 * member.width), 1, "top_", momentum=MOMENTUM)


def fused(x: Tensor, filters: int, expansion: int, stride: int, name: str) -> Any:
    """More channels by a 3 x 3 convolution, then fewer; or that convolution alone, where they are not to be more."""
    if expansion == 1:
        return convolution(x, filters, 3, f"{name}project_", strides=stride, momentum=MOMENTUM)
    x = convolution(x, x.shape[-1] * expansion, 3, f"{name}expand_", strides=stride, momentum=MOMENTUM)
    return convolution(x, filters, 1, f"{name}project_", momentum=MOMENTUM, active=False)


def inverted(x: Tensor, filters: int, expansion: int, stride: int, name: str) -> Any:
    """More channels, each convolved by itself and weighed by a gate, then fewer."""
    narrow = x.shape[-1] // 4
    x = convolution(x, x.shape[-1] * expansion, 1, f"{name}expand_", momentum=MOMENTUM)
    x = normalized(depthwise(x, 3, stride, "same", f"{name}dwconv2"), name, MOMENTUM)
    return convolution(gated(x, narrow, name), filters, 1, f"{name}project_", momentum=MOMENTUM, active=False)


def published(name: str, with_top: str, without: str) -> Weights:
    """A net's files; the two hashes."""
    return Weights((f"{name}.h5", f"{name}_notop.h5"), (with_top, without), "efficientnet_v2/")


FILES = {
    "b0": published("efficientnetv2-b0", "21ecbf6da12460d5c40bb2f29ceb2188", "893217f2bb855e2983157299931e43ff"),
    "b1": published("efficientnetv2-b1", "069f0534ff22adf035c89e2d9547a9dc", "0e80663031ca32d657f9caa404b6ec37"),
    "b2": published("efficientnetv2-b2", "424e49f28180edbde1e94797771950a7", "1dfe2e7a5d45b6632553a8961ea609eb"),
    "b3": published("efficientnetv2-b3", "1f1fc43bd98a6e4fd8fdfd551e02c7a0", "f6abf7b5849ac99a89b50dd3fd532856"),
    "s": published("efficientnetv2-s", "e1d88a8495beba45748fedd0cecbe016", "af0682fb74e8c54910f2d4393339c070"),
    "m": published("efficientnetv2-m", "a3bf6aa3276309f4fc6a34aa114c95cd", "1b8dc055df72dde80d614482840fe342"),
    "l": published("efficientnetv2-l", "27e6d408b53c7ebc868fefa357689935", "b0b66b5c863aef5b46e8608fe1711615"),
}


def member(letters: str, parameters: tuple[int, int], *facts: Any) -> EfficientNetV2:
    """The net of a letter."""
    net, name = f"EfficientNetV2{letters.upper()}", f"efficientnetv2-{letters}"
    return EfficientNetV2(net, name, parameters, FILES[letters], *facts)


EfficientNetV2B0 = function_of(efficientnet_v2, member("b0", (7_200_312, 5_919_312), 224, 32, STAGES_B))
EfficientNetV2B1 = function_of(efficientnet_v2, member("b1", (8_212_124, 6_931_124), 240, 32, STAGES_B, 1.0, 1.1))
EfficientNetV2B2 = function_of(efficientnet_v2, member("b2", (10_178_374, 8_769_374), 260, 32, STAGES_B, 1.1, 1.2))
EfficientNetV2B3 = function_of(efficientnet_v2, member("b3", (14_467_622, 12_930_622), 300, 32, STAGES_B, 1.2, 1.4))
EfficientNetV2S = function_of(efficientnet_v2, member("s", (21_612_360, 20_331_360), 384, 24, STAGES_S))
EfficientNetV2M = function_of(efficientnet_v2, member("m", (54_431_388, 53_150_388), 480, 24, STAGES_M))
EfficientNetV2L = function_of(efficientnet_v2, member("l", (119_027_848, 117_746_848), 480, 32, STAGES_L))

preprocess_input, decode_predictions = imagenet_utils.unchanged, imagenet_utils.decode_predictions
