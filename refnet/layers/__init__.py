"""Layers: what models are made of. `base.py` says what a layer is."""

from typing import Any

from refnet.errors import ArgumentError
from refnet.layers.activation import ELU, LeakyReLU, PReLU, ReLU, Softmax
from refnet.layers.adaptive import (
    AdaptiveAveragePooling1D,
    AdaptiveAveragePooling2D,
    AdaptiveAveragePooling3D,
    AdaptiveMaxPooling1D,
    AdaptiveMaxPooling2D,
    AdaptiveMaxPooling3D,
)
from refnet.layers.attention import AdditiveAttention, Attention
from refnet.layers.base import Layer
from refnet.layers.batch_normalization import BatchNormalization
from refnet.layers.convolution import Conv1D, Conv2D, Conv3D, Convolution1D, Convolution2D, Convolution3D
from refnet.layers.convolutional_recurrent import ConvLSTM1D, ConvLSTM2D, ConvLSTM3D
from refnet.layers.core import Activation, Dense, Dropout, Flatten, Input, InputLayer, Rescaling
from refnet.layers.depthwise import (
    DepthwiseConv1D,
    DepthwiseConv2D,
    SeparableConv1D,
    SeparableConv2D,
    SeparableConvolution1D,
    SeparableConvolution2D,
)
from refnet.layers.einsum_dense import EinsumDense
from refnet.layers.embedding import Embedding
from refnet.layers.encoding import CategoryEncoding
from refnet.layers.feature_preprocessing import Discretization, Normalization
from refnet.layers.function import Identity, Lambda
from refnet.layers.hashing import HashedCrossing, Hashing
from refnet.layers.image_colors import RandomBrightness, RandomContrast, RandomGrayscale, RandomInvert
from refnet.layers.image_elastic import RandomElasticTransform
from refnet.layers.image_filters import (
    AutoContrast,
    RandomColorJitter,
    RandomGaussianBlur,
    RandomPosterization,
    RandomSharpness,
)
from refnet.layers.image_geometry import RandomRotation, RandomShear, RandomTranslation, RandomZoom
from refnet.layers.image_histograms import ContrastLimitedAdaptiveHistogramEqualization, Equalization
from refnet.layers.image_hues import RandomColorDegeneration, RandomHue, RandomSaturation, Solarization
from refnet.layers.image_mixing import CutMix, MixUp
from refnet.layers.image_patches import RandomErasing, RandomPerspective
from refnet.layers.image_policies import AugMix, RandAugment
from refnet.layers.image_preprocessing import CenterCrop, RandomCrop, RandomFlip, Resizing
from refnet.layers.input_spec import InputSpec
from refnet.layers.lookup import IntegerLookup, StringLookup
from refnet.layers.masking import Masking
from refnet.layers.merging import (
    Add,
    Average,
    Concatenate,
    Dot,
    Maximum,
    Minimum,
    Multiply,
    Subtract,
    add,
    average,
    concatenate,
    dot,
    maximum,
    minimum,
    multiply,
    subtract,
)
from refnet.layers.multi_head_attention import GroupedQueryAttention, GroupQueryAttention, MultiHeadAttention
from refnet.layers.normalization import GroupNormalization, LayerNormalization, RMSNormalization, UnitNormalization
from refnet.layers.pipeline import Pipeline
from refnet.layers.pooling import (
    AveragePooling1D,
    AveragePooling2D,
    AveragePooling3D,
    AvgPool1D,
    AvgPool2D,
    AvgPool3D,
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalAveragePooling3D,
    GlobalAvgPool1D,
    GlobalAvgPool2D,
    GlobalAvgPool3D,
    GlobalMaxPool1D,
    GlobalMaxPool2D,
    GlobalMaxPool3D,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    GlobalMaxPooling3D,
    MaxPool1D,
    MaxPool2D,
    MaxPool3D,
    MaxPooling1D,
    MaxPooling2D,
    MaxPooling3D,
)
from refnet.layers.recurrent import RNN
from refnet.layers.recurrent_cells import GRUCell, LSTMCell, SimpleRNNCell
from refnet.layers.recurrent_layers import GRU, LSTM, SimpleRNN
from refnet.layers.regularization import (
    ActivityRegularization,
    AlphaDropout,
    GaussianDropout,
    GaussianNoise,
    SpatialDropout1D,
    SpatialDropout2D,
    SpatialDropout3D,
)
from refnet.layers.reshaping import (
    Cropping1D,
    Cropping2D,
    Cropping3D,
    Permute,
    RepeatVector,
    Reshape,
    UpSampling1D,
    UpSampling2D,
    UpSampling3D,
    ZeroPadding1D,
    ZeroPadding2D,
    ZeroPadding3D,
)
from refnet.layers.reversible_embedding import ReversibleEmbedding
from refnet.layers.spectral import SpectralNormalization
from refnet.layers.spectrograms import MelSpectrogram, STFTSpectrogram
from refnet.layers.stacked_cells import StackedRNNCells
from refnet.layers.text_vectorization import TextVectorization
from refnet.layers.transposed import (
    Conv1DTranspose,
    Conv2DTranspose,
    Conv3DTranspose,
    Convolution1DTranspose,
    Convolution2DTranspose,
    Convolution3DTranspose,
)
from refnet.layers.wrappers import Bidirectional, TimeDistributed, Wrapper
from refnet.old_names import serve


def serialize(layer: Any) -> Any:
    """A layer as a config: {"module", "class_name", "config", "registered_name"}.

    >>> serialize(Dense(2, name="last"))["class_name"]
    'Dense'
    """
    from refnet.saving.serialization import serialized

    return serialized(layer)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """A new layer from what `serialize` gave.

    Args:
        config: the config.
        custom_objects: {name: class} of the user's.
    Raises:
        ArgumentError: a config that describes something else.

    >>> deserialize(serialize(Dense(2, name="last"))).units
    2
    """
    from refnet.registration import custom_object_scope
    from refnet.saving.serialization import restored

    with custom_object_scope(custom_objects):
        made = restored(config)
    if not isinstance(made, Layer):
        raise ArgumentError(f"layers.deserialize takes what layers.serialize gave; got {config!r}.")
    return made


serve(__name__)
