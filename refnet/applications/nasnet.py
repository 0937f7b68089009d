"""NASNetMobile and NASNetLarge: two kinds of cell, found by search, stacked (Zoph et al., 2017)."""

from dataclasses import dataclass
from typing import Any

from refnet import layers
from refnet.applications import imagenet_utils
from refnet.applications.building import Member, Request, Weights, function_of, padding_to_halve
from refnet.errors import ArgumentError
from refnet.graph import Tensor
from refnet.models import Model


@dataclass(frozen=True)
class NASNet(Member):
    """One of these nets.

    Args:
        side: of its images, with the top.
        stem: the filters of the first convolution.
        filters: of a cell in the first of three stacks; the others have twice and four times as many.
        cells: normal ones in each stack.
        skips: whether a stack's first cell sees, beside the reduction, what stood two cells before it instead of one.
    """

    side: int
    stem: int
    filters: int
    cells: int
    skips: bool


def nasnet(
    member: NASNet,
    input_shape: Any = None,
    include_top: bool = True,
    weights: Any = "imagenet",
    input_tensor: Any = None,
    pooling: str | None = None,
    classes: int = 1000,
    classifier_activation: Any = "softmax",
    name: str | None = None,
) -> Model:
    """The nets of this file.

    Args:
        input_shape: of one image, of at least 32 x 32, with both sides known; if None, (224, 224, 3) of NASNetMobile, (331, 331, 3) of
            NASNetLarge, which "imagenet" with the top asks for.
        include_top ... name: as those of `ResNet50`.
    Returns:
        A Model of images that went through `preprocess_input`.
    Raises:
        ArgumentError: an argument that does not fit; images of open size, because the cells' paddings depend on it.
        MissingFileError: weights that are not there and cannot be fetched.
    Source: Zoph, Vasudevan, Shlens, Le, "Learning Transferable Architectures for Scalable Image Recognition"; Keras 3
        `applications.nasnet`.

    >>> NASNetMobile(weights=None, include_top=False, input_shape=(28, 28, 3))
    Traceback (most recent call last):
        ...
    refnet.errors.ArgumentError: NASNetMobile: images are at least 32 x 32; got input_shape (28, 28, 3).
    """
    shape = (member.side, member.side, 3) if input_shape is None else input_shape
    name = name or member.name
    given = include_top, weights, input_tensor, shape, pooling, classes, classifier_activation, name
    request = Request(member.net, member.published, member.side, 32, *given)
    sides = request.shape[:2] if input_tensor is None else input_tensor.shape[1:3]
    if None in sides:
        raise ArgumentError(
            f"{member.net}: the height and width of images must be known; got {tuple(sides)}. Give input_shape, as (224, 224, 3)."
        )
    with request.started():
        inputs = request.image()
        x = body(inputs, member)
        x = layers.Activation("relu")(x)  # after the others without a name, which are counted
        x = request.classified(layers.GlobalAveragePooling2D()(x)) if include_top else request.pooled(x)
        return request.model(inputs, x)


def body(x: Tensor, member: NASNet) -> Any:
    """The features of images: a convolution, two reductions, then three stacks of normal cells with a reduction between them.

    Every cell sees the results of the two before it: `before` and `x`.
    """
    filters, cells = member.filters, member.cells
    x = layers.Conv2D(member.stem, 3, strides=2, use_bias=False, kernel_initializer="he_normal", name="stem_conv1")(x)
    x = normalized(x, "stem_bn1")
    x, before = reduction_cell(x, x, filters // 4, "stem_1"), x
    x, before = reduction_cell(x, before, filters // 2, "stem_2"), x
    for stack in range(3):
        if stack:
            reduced = reduction_cell(x, before, filters * 2**stack, f"reduce_{stack * cells}")
            x, before = reduced, before if member.skips else x
        for cell in range(cells):
            number = stack * cells + cell + (1 if stack else 0)
            x, before = normal_cell(x, before, filters * 2**stack, str(number)), x
    return x


def normal_cell(x: Tensor, before: Tensor, filters: int, name: str) -> Any:
    """Five sums side by side, of the same size."""

    def own(word: str) -> str:
        return f"normal_{word}_{name}"

    before = adjusted(before, x, filters, name)
    x = squeezed(x, filters, own("conv_1"), own("bn_1"))
    sums = [
        [separable(x, filters, 5, own("left1")), separable(before, filters, 3, own("right1"))],
        [separable(before, filters, 5, own("left2")), separable(before, filters, 3, own("right2"))],
        [averaged(x, own("left3")), before],
        [averaged(before, own("left4")), averaged(before, own("right4"))],
        [separable(x, filters, 3, own("left5")), x],
    ]
    found = [layers.add(pair, name=own(f"add_{number}")) for number, pair in enumerate(sums, start=1)]
    return layers.concatenate([before, *found], name=own("concat"))


def reduction_cell(x: Tensor, before: Tensor, filters: int, name: str) -> Any:
    """Sums side by side, of half of the size."""

    def own(word: str) -> str:
        return f"reduction_{word}_{name}"

    before = adjusted(before, x, filters, name)
    x = squeezed(x, filters, own("conv_1"), own("bn_1"))
    wide = layers.ZeroPadding2D(padding_to_halve(x, 3), name=own("pad_1"))(x)
    pair = [halving(x, filters, 5, own("left1")), halving(before, filters, 7, own("right1"))]
    first = layers.add(pair, name=own("add_1"))
    largest = layers.MaxPooling2D(3, strides=2, name=own("left2"))(wide)
    second = layers.add([largest, halving(before, filters, 7, own("right2"))], name=own("add_2"))
    means = layers.AveragePooling2D(3, strides=2, name=own("left3"))(wide)
    third = layers.add([means, halving(before, filters, 5, own("right3"))], name=own("add3"))
    fourth = layers.add([second, averaged(first, own("left4"))])
    again = separable(first, filters, 3, own("left4"))
    largest = layers.MaxPooling2D(3, strides=2, name=own("right5"))(wide)
    fifth = layers.add([again, largest], name=own("add4"))
    return layers.concatenate([second, third, fourth, fifth], name=own("concat"))


def adjusted(before: Tensor, x: Tensor, filters: int, name: str) -> Any:
    """The result of the cell before the last, with the size of the last one's and the cell's number of channels."""
    if before is x:  # there is none yet
        return x
    if before.shape[2] != x.shape[2]:
        return halved_without_a_window(before, filters, name)
    if before.shape[-1] == filters:
        return before
    return squeezed(before, filters, f"adjust_conv_projection_{name}", f"adjust_bn_{name}")


def halved_without_a_window(x: Tensor, filters: int, name: str) -> Any:
    """Half of the size: every second place, and those one further along both axes, half of the channels each."""
    x = layers.Activation("relu", name=f"adjust_relu_1_{name}")(x)
    further = layers.Cropping2D(((1, 0), (1, 0)))(layers.ZeroPadding2D(((0, 1), (0, 1)))(x))
    halves = []
    for number, part in enumerate((x, further), start=1):
        part = layers.AveragePooling2D(1, strides=2, name=f"adjust_avg_pool_{number}_{name}")(part)
        halves.append(pointwise(part, filters // 2, f"adjust_conv_{number}_{name}"))
    return normalized(layers.concatenate(halves), f"adjust_bn_{name}")


def squeezed(x: Tensor, filters: int, name: str, normal: str) -> Any:
    """Channels mixed, place by place, and normalized, after relu."""
    return normalized(pointwise(layers.Activation("relu")(x), filters, name), normal)


def pointwise(x: Tensor, filters: int, name: str) -> Any:
    return layers.Conv2D(filters, 1, padding="same", use_bias=False, kernel_initializer="he_normal", name=name)(x)


def averaged(x: Tensor, name: str) -> Any:
    return layers.AveragePooling2D(3, strides=1, padding="same", name=name)(x)


def separable(x: Tensor, filters: int, size: int, name: str) -> Any:
    """Two separable convolutions, each after relu, normalized."""
    return second_separable(convolved(layers.Activation("relu")(x), filters, size, 1, f"1_{name}"), filters, size, name)


def halving(x: Tensor, filters: int, size: int, name: str) -> Any:
    """The same with half of the size."""
    x = layers.Activation("relu")(x)
    x = layers.ZeroPadding2D(padding_to_halve(x, size), name=f"separable_conv_1_pad_{name}")(x)
    return second_separable(convolved(x, filters, size, 2, f"1_{name}"), filters, size, name)


def second_separable(x: Tensor, filters: int, size: int, name: str) -> Any:
    x = normalized(x, f"separable_conv_1_bn_{name}")
    x = convolved(layers.Activation("relu")(x), filters, size, 1, f"2_{name}")
    return normalized(x, f"separable_conv_2_bn_{name}")


def convolved(x: Tensor, filters: int, size: int, stride: int, name: str) -> Any:
    padding = "same" if stride == 1 else "valid"
    return layers.SeparableConv2D(filters, size, stride, padding, use_bias=False, name=f"separable_conv_{name}")(x)


def normalized(x: Tensor, name: str) -> Any:
    return layers.BatchNormalization(momentum=0.9997, name=name)(x)


def published(kind: str, with_top: str, without: str) -> Weights:
    """A net's files, which are called otherwise where they are offered; the two hashes."""
    offered = f"NASNet-{kind}.h5", f"NASNet-{kind}-no-top.h5"
    return Weights((f"nasnet_{kind}.h5", f"nasnet_{kind}_no_top.h5"), (with_top, without), "nasnet/", offered=offered)


MOBILE = published("mobile", "020fb642bf7360b370c678b08e0adf61", "1ed92395b5b598bdda52abe5c0dbfd63")
LARGE = published("large", "11577c9a518f0070763c2b964a382f17", "d81d89dc07e6e56530c4e77faddd61b5")

NASNetMobile = function_of(
    nasnet, NASNet("NASNetMobile", "nasnet_mobile", (5_326_716, 4_269_716), MOBILE, 224, 32, 44, 4, skips=False)
)
NASNetLarge = function_of(
    nasnet, NASNet("NASNetLarge", "nasnet_large", (88_949_818, 84_916_818), LARGE, 331, 96, 168, 6, skips=True)
)


def preprocess_input(x: Any, data_format: str | None = None) -> Any:
    """Pixels from -1 to 1: `imagenet_utils.preprocess_input` in mode "tf"."""
    return imagenet_utils.preprocess_input(x, data_format, "tf")


decode_predictions = imagenet_utils.decode_predictions
