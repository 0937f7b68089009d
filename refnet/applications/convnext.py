"""ConvNeXtTiny, Small, Base, Large and XLarge: a ResNet made over after vision transformers (Liu et al., 2022)."""

from dataclasses import dataclass
from typing import Any

from refnet import layers, ops
from refnet.applications import imagenet_utils
from refnet.applications.building import Member, Request, Weights, function_of
from refnet.graph import Tensor
from refnet.initializers import Constant
from refnet.models import Model, Sequential

EPSILON = 1e-6  # of every normalization


@dataclass(frozen=True)
class ConvNeXt(Member):
    """One of these nets.

    Args:
        channels: of the first of four stages; each of the others has twice as many as the one before it.
        depths: how many blocks the stages have.
    """

    channels: int
    depths: tuple[int, int, int, int] = (3, 3, 27, 3)


def convnext(
    member: ConvNeXt,
    include_top: bool = True,
    include_preprocessing: bool = True,
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
        include_preprocessing: whether the net begins with the layer that scales the pixels of images of three colours.
        weights ... classifier_activation: as those of `ResNet50`. Without the top, features are normalized after they are pooled.
        name: of the model; the names of its layers begin with it.
    Returns:
        A Model of images whose pixels are from 0 to 255, and `preprocess_input` does nothing. Without that layer, of images that were
        brought to mean 0 and variance 1.
    Raises:
        ArgumentError: an argument that does not fit.  MissingFileError: weights that are not there and cannot be fetched.
    Source: Liu et al., "A ConvNet for the 2020s"; Keras 3 `applications.convnext`.

    >>> ConvNeXtTiny(weights=None, include_top=False, input_shape=(28, 28, 3))
    Traceback (most recent call last):
        ...
    refnet.errors.ArgumentError: ConvNeXtTiny: images are at least 32 x 32; got input_shape (28, 28, 3).
    """
    name = name or member.name
    given = include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name
    request = Request(member.net, member.published, 224, 32, *given)
    with request.started():
        inputs = x = request.image()
        if include_preprocessing and x.shape[-1] == 3:
            x = scaled(x, f"{name}_prestem_normalization")
        x = body(x, member, name)
        if not include_top:
            return request.model(inputs, layers.LayerNormalization(epsilon=EPSILON)(request.pooled(x)))
        x = layers.GlobalAveragePooling2D(name=f"{name}_head_gap")(x)
        x = layers.LayerNormalization(epsilon=EPSILON, name=f"{name}_head_layernorm")(x)
        return request.model(inputs, request.classified(x, f"{name}_head_dense"))


def scaled(x: Tensor, name: str) -> Any:
    """Pixels from 0 to 255 with mean 0 and variance 1 in each colour."""
    means = [255 * mean for mean in imagenet_utils.MEANS_RGB]
    variances = [(255 * deviation) ** 2 for deviation in imagenet_utils.DEVIATIONS_RGB]
    return layers.Normalization(mean=means, variance=variances, name=name)(x)


def body(x: Tensor, member: ConvNeXt, name: str) -> Any:
    """The features of images: four stages, each of which begins by making images smaller: by 4, then by 2."""
    for stage, depth in enumerate(member.depths):
        channels = member.channels * 2**stage
        x = (smaller(channels, stage - 1, name) if stage else stem(channels, name))(x)
        for number in range(depth):
            x = block(x, f"{name}_stage_{stage}_block_{number}")
    return x


def stem(channels: int, name: str) -> Sequential:
    """Squares of 4 x 4 pixels as vectors, normalized."""
    return Sequential(
        [
            layers.Conv2D(channels, 4, strides=4, name=f"{name}_stem_conv"),
            layers.LayerNormalization(epsilon=EPSILON, name=f"{name}_stem_layernorm"),
        ],
        name=f"{name}_stem",
    )


def smaller(channels: int, number: int, name: str) -> Sequential:
    """Squares of 2 x 2 vectors, normalized, as one."""
    return Sequential(
        [
            layers.LayerNormalization(epsilon=EPSILON, name=f"{name}_downsampling_layernorm_{number}"),
            layers.Conv2D(channels, 2, strides=2, name=f"{name}_downsampling_conv_{number}"),
        ],
        name=f"{name}_downsampling_block_{number}",
    )


def block(x: Tensor, name: str) -> Any:
    """Each channel convolved by itself, then two dense layers at every place; scaled, and added to what came in."""
    channels = x.shape[-1]
    inner = layers.Conv2D(channels, 7, padding="same", groups=channels, name=f"{name}_depthwise_conv")(x)
    inner = layers.LayerNormalization(epsilon=EPSILON, name=f"{name}_layernorm")(inner)
    inner = layers.Dense(4 * channels, name=f"{name}_pointwise_conv_1")(inner)
    inner = layers.Activation("gelu", name=f"{name}_gelu")(inner)
    inner = layers.Dense(channels, name=f"{name}_pointwise_conv_2")(inner)
    inner = LayerScale(1e-6, channels, name=f"{name}_layer_scale")(inner)
    # Where a block would be left out in training now and then: Keras's nets have the layer, and leave out none.
    return x + layers.Activation("linear", name=f"{name}_identity")(inner)


class LayerScale(layers.Layer):
    """Each channel times a learned number, which is small in the beginning.

        y[..., c] = x[..., c] * gamma[c]

    Args:
        init_values: the numbers' first value.
        projection_dim: how many channels there are.

    >>> LayerScale(0.5, 2)(np.array([[2.0, 4.0]]))
    array([[1., 2.]], dtype=float32)
    """

    def __init__(self, init_values: float, projection_dim: int, **more: Any):
        super().__init__(**more)
        self.init_values, self.projection_dim = init_values, projection_dim

    def build(self, input_shape: Any) -> None:
        self.gamma = self.add_weight((self.projection_dim,), Constant(self.init_values), name="gamma")
        self.built = True

    def call(self, inputs: Any) -> Any:
        return ops.multiply(inputs, self.gamma)


def published(name: str, with_top: str, without: str) -> Weights:
    """A net's files; the two hashes, of SHA-256."""
    return Weights((f"{name}.h5", f"{name}_notop.h5"), (with_top, without), "convnext/")


TINY = published(
    "convnext_tiny",
    "8ae6e78ce2933352b1ef4008e6dd2f17bc40771563877d156bc6426c7cf503ff",
    "d547c096cabd03329d7be5562c5e14798aa39ed24b474157cef5e85ab9e49ef1",
)
SMALL = published(
    "convnext_small",
    "ce1277d8f1ee5a0ef0e171469089c18f5233860ceaf9b168049cb9263fd7483c",
    "6fc8009faa2f00c1c1dfce59feea9b0745eb260a7dd11bee65c8e20843da6eab",
)
BASE = published(
    "convnext_base",
    "52cbb006d3dadd03f6e095a8ca1aca47aecdd75acb4bc74bce1f5c695d0086e6",
    "40a20c5548a5e9202f69735ecc06c990e6b7c9d2de39f0361e27baeb24cb7c45",
)
LARGE = published(
    "convnext_large",
    "070c5ed9ed289581e477741d3b34beffa920db8cf590899d6d2c67fba2a198a6",
    "96f02b6f0753d4f543261bc9d09bed650f24dd6bc02ddde3066135b63d23a1cd",
)
XLARGE = published(
    "convnext_xlarge",
    "c1f5ccab661354fc3a79a10fa99af82f0fbf10ec65cb894a3ae0815f17a889ee",
    "de3f8a54174130e0cecdc71583354753d557fcf1f4487331558e2a16ba0cfe05",
)

ConvNeXtTiny = function_of(
    convnext, ConvNeXt("ConvNeXtTiny", "convnext_tiny", (28_589_128, 27_820_128), TINY, 96, (3, 3, 9, 3))
)
ConvNeXtSmall = function_of(convnext, ConvNeXt("ConvNeXtSmall", "convnext_small", (50_223_688, 49_454_688), SMALL, 96))
ConvNeXtBase = function_of(convnext, ConvNeXt("ConvNeXtBase", "convnext_base", (88_591_464, 87_566_464), BASE, 128))
ConvNeXtLarge = function_of(
    convnext, ConvNeXt("ConvNeXtLarge", "convnext_large", (197_767_336, 196_230_336), LARGE, 192)
)
ConvNeXtXLarge = function_of(
    convnext, ConvNeXt("ConvNeXtXLarge", "convnext_xlarge", (350_196_968, 348_147_968), XLARGE, 256)
)

preprocess_input, decode_predictions = imagenet_utils.unchanged, imagenet_utils.decode_predictions
