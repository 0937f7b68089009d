"""Layers: what models are made of. `base.py` says what a layer is."""

from refnet.layers.activation import ELU, LeakyReLU, PReLU, ReLU, Softmax
from refnet.layers.base import Layer
from refnet.layers.core import Activation, Dense, Dropout, Flatten, Input, InputLayer, Rescaling
from refnet.layers.embedding import Embedding
from refnet.layers.encoding import CategoryEncoding
from refnet.layers.feature_preprocessing import Discretization, Normalization
from refnet.layers.function import Identity, Lambda
from refnet.layers.hashing import HashedCrossing, Hashing
from refnet.layers.image_colors import RandomBrightness, RandomContrast, RandomGrayscale, RandomInvert
from refnet.layers.image_preprocessing import (
    CenterCrop,
    RandomCrop,
    RandomFlip,
    RandomRotation,
    RandomShear,
    RandomTranslation,
    RandomZoom,
    Resizing,
)
from refnet.layers.lookup import IntegerLookup, StringLookup
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
from refnet.layers.normalization import UnitNormalization
from refnet.layers.pooling import (
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
)
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
    UpSampling3D,
    ZeroPadding1D,
    ZeroPadding2D,
    ZeroPadding3D,
)
from refnet.layers.text_vectorization import TextVectorization
