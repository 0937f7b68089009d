"""MobileNetV2: wide depthwise convolutions between narrow sums (Sandler et al., 2018)."""

import warnings
from typing import Any

from refnet import layers
from refnet.applications import imagenet_utils
from refnet.applications.building import Request, Weights, check_agreement, padding_to_halve, rounded_8
from refnet.applications.mobilenet import shown_side, square
from refnet.errors import ArgumentError, calls_below_the_user
from refnet.graph import Tensor
from refnet.models import Model

SIDES = (96, 128, 160, 192, 224)  # of the images that there are published weights for
WIDTHS = (0.35, 0.5, 0.75, 1.0, 1.3, 1.4)  # and of the nets
# how many blocks, filters, expansion, the first one's stride
STAGES = ((1, 16, 1, 1), (2, 24, 6, 2), (3, 32, 6, 2), (4, 64, 6, 2), (3, 96, 6, 1), (3, 160, 6, 2), (1, 320, 6, 1))


def MobileNetV2(
    input_shape: Any = None,
    alpha: float = 1.0,
    include_top: bool = True,
    weights: Any = "imagenet",
    input_tensor: Any = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str | None = None,
) -> Model:
    """The net MobileNetV2. 3,538,984 parameters, 2,257,984 without its top, if alpha is 1.

    Args:
        input_shape: of one image. With the top, a square of side 96, 128, 160, 192 or 224 unless weights is None, and of side 224
            if None; without, any of at least 32 x 32, and (None, None, 3), images of every size, if None.
        alpha: how wide the net is: so many times the paper's filters.
        include_top ... classifier_activation: as those of `MobileNet`.
        name: of the model; mobilenetv2_ALPHA_SIDE if None.
    Returns:
        A Model of images that went through `preprocess_input`.
    Raises:
        ArgumentError: an argument that does not fit.  MissingFileError: weights that are not there and cannot be fetched.
    Source: Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks"; Keras 3 `applications.MobileNetV2`.

    >>> MobileNetV2(weights=None, include_top=False, input_shape=(28, 28, 3))
    Traceback (most recent call last):
        ...
    refnet.errors.ArgumentError: MobileNetV2: images are at least 32 x 32; got input_shape (28, 28, 3).
    """
    check_agreement("MobileNetV2", input_tensor, input_shape)
    if input_shape is None and include_top and isinstance(input_tensor, Tensor):
        input_shape = input_tensor.shape[1:] if square(input_tensor.shape[1:], SIDES) else None
    side = square(input_shape, SIDES)
    published = files(alpha, side) if weights == "imagenet" else Weights(("", ""), (None, None), "")
    name = name or f"mobilenetv2_{alpha:0.2f}_{shown_side(input_shape, include_top, weights, SIDES)}"
    given = include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name
    request = Request("MobileNetV2", published, side or 224, 32, *given)
    with request.started():
        inputs = request.image()
        x = body(inputs, alpha)
        if include_top:
            return request.model(inputs, request.classified(layers.GlobalAveragePooling2D()(x)))
        return request.model(inputs, request.pooled(x))


def files(alpha: float, side: int | None) -> Weights:
    """The published files for nets of a width."""
    if alpha not in WIDTHS:
        raise ArgumentError(f"MobileNetV2: the weights 'imagenet' need an alpha of {WIDTHS}; got {alpha!r}.")
    if side is None:
        warnings.warn(
            f"MobileNetV2: images are not squares with a side in {SIDES}; the weights for 224 x 224 are used.",
            stacklevel=calls_below_the_user(),
        )
    stem = f"mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{float(alpha)}_{side or 224}"
    return Weights((f"{stem}.h5", f"{stem}_no_top.h5"), (None, None), "mobilenet_v2/")


def body(x: Tensor, alpha: float) -> Any:
    """The features of images: a convolution, seventeen blocks, a convolution; five strides of 2 in all."""
    x = layers.Conv2D(rounded_8(32 * alpha), 3, strides=2, padding="same", use_bias=False, name="Conv1")(x)
    x = limited(normalized(x, "bn_Conv1"), "Conv1_relu")
    number = 0
    for count, filters, expansion, stride in STAGES:
        for block in range(count):
            name = f"block_{number}" if number else "expanded_conv"
            x = inverted(x, rounded_8(int(filters * alpha)), expansion, stride if block == 0 else 1, name)
            number += 1
    # A narrow net has no narrower end.
    x = layers.Conv2D(rounded_8(1280 * max(alpha, 1)), 1, use_bias=False, name="Conv_1")(x)
    return limited(normalized(x, "Conv_1_bn"), "out_relu")


def inverted(x: Tensor, filters: int, expansion: int, stride: int, name: str) -> Any:
    """More channels, each convolved by itself, then fewer; added to what came in where shapes allow."""
    inner = x
    if expansion > 1:
        inner = pointwise(x, x.shape[-1] * expansion, f"{name}_expand")
        inner = limited(inner, f"{name}_expand_relu")
    if stride == 2:
        inner = layers.ZeroPadding2D(padding_to_halve(inner, 3), name=f"{name}_pad")(inner)
    padding = "valid" if stride == 2 else "same"
    inner = layers.DepthwiseConv2D(3, strides=stride, padding=padding, use_bias=False, name=f"{name}_depthwise")(inner)
    inner = limited(normalized(inner, f"{name}_depthwise_BN"), f"{name}_depthwise_relu")
    inner = pointwise(inner, filters, f"{name}_project")
    return layers.Add(name=f"{name}_add")([x, inner]) if stride == 1 and x.shape[-1] == filters else inner


def pointwise(x: Tensor, filters: int, name: str) -> Any:
    """Channels mixed, place by place, and normalized."""
    return normalized(layers.Conv2D(filters, 1, padding="same", use_bias=False, name=name)(x), f"{name}_BN")


def normalized(x: Tensor, name: str) -> Any:
    return layers.BatchNormalization(momentum=0.999, name=name)(x)


def limited(x: Tensor, name: str) -> Any:
    return layers.ReLU(6.0, name=name)(x)


def preprocess_input(x: Any, data_format: str | None = None) -> Any:
    """Pixels from -1 to 1: `imagenet_utils.preprocess_input` in mode "tf"."""
    return imagenet_utils.preprocess_input(x, data_format, "tf")


decode_predictions = imagenet_utils.decode_predictions
