"""A workload's network, built with Keras or with refnet: the same text does for both, which is the point of refnet."""

from typing import Any

from workloads import ENDS, LEARNING_RATE, Work


def positions_of(library: Any) -> type:
    """A layer that adds a learned vector to each place of a sequence."""

    class Positions(library.layers.Layer):
        def build(self, shape):
            self.vectors = self.add_weight(shape=shape[1:], initializer="uniform", name="vectors")

        def call(self, x):
            return x + self.vectors

    return Positions


def encoder(layers: Any, x: Any, heads: int, units: int) -> Any:
    """A Transformer's encoder block, which normalizes what it feeds to its layers."""
    features = x.shape[-1]
    normal = layers.LayerNormalization()(x)
    x = x + layers.MultiHeadAttention(heads, features // heads)(normal, normal)
    normal = layers.LayerNormalization()(x)
    return x + layers.Dense(features)(layers.Dense(units, activation="relu")(normal))


def residual(layers: Any, x: Any, filters: int, stride: int) -> Any:
    """Two 3x3 convolutions beside their input."""

    def normalized(x, size, stride):
        x = layers.Conv2D(filters, size, strides=stride, padding="same", use_bias=False)(x)
        return layers.BatchNormalization()(x)

    y = layers.Activation("relu")(normalized(x, 3, stride))
    beside = x if x.shape[-1] == filters and stride == 1 else normalized(x, 1, stride)
    return layers.Activation("relu")(layers.Add()([beside, normalized(y, 3, 1)]))


def built(work: Work, library: Any) -> Any:
    """The compiled model.

    Args:
        library: the module keras or refnet_fast.
    """
    layers, losses = library.layers, library.losses
    kinds = {
        "dense": lambda units, activation: layers.Dense(units, activation=activation),
        "conv2d": lambda filters, size, activation: layers.Conv2D(filters, size, activation=activation),
        "conv1d": lambda filters, size, activation: layers.Conv1D(filters, size, activation=activation),
        "separable_conv2d": lambda filters, size: layers.SeparableConv2D(filters, size, padding="same"),
        "batch_normalization": layers.BatchNormalization,
        "activation": layers.Activation,
        "max_pool2d": layers.MaxPooling2D,
        "max_pool1d": layers.MaxPooling1D,
        "flatten": layers.Flatten,
        "global_average_pool2d": layers.GlobalAveragePooling2D,
        "global_max_pool1d": layers.GlobalMaxPooling1D,
        "embedding": layers.Embedding,
        "lstm": layers.LSTM,
        "bidirectional_lstm": lambda units: layers.Bidirectional(layers.LSTM(units)),
        "gru": lambda units, dropout, recurrent: layers.GRU(units, dropout=dropout, recurrent_dropout=recurrent),
        "positions": positions_of(library),
        "global_average_pool1d": layers.GlobalAveragePooling1D,
        "encoder": lambda *given: lambda x: encoder(layers, x, *given),
        "residual": lambda *given: lambda x: residual(layers, x, *given),
    }
    loss = {
        "squared error": losses.MeanSquaredError,
        "absolute error": losses.MeanAbsoluteError,
        "softmax cross-entropy": losses.SparseCategoricalCrossentropy,
        "sigmoid cross-entropy": losses.BinaryCrossentropy,
    }[work.loss]
    library.utils.set_random_seed(0)
    dtype = "int32" if work.input == "words" else "float32"
    *hidden, (_, units, _) = work.layers
    inputs = x = layers.Input(work.shape, dtype=dtype)
    for kind, *given in hidden:
        x = kinds[kind](*given)(x)
    model = library.Model(inputs, layers.Dense(units, activation=ENDS[work.loss])(x))
    model.compile(library.optimizers.RMSprop(LEARNING_RATE), loss())
    return model
