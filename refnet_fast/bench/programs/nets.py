"""A workload's network, built with Keras or with refnet: the same text does for both, which is the point of refnet."""

from typing import Any

from workloads import ENDS, LEARNING_RATE, Work


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
    parts = [layers.Input(work.shape, dtype=dtype), *(kinds[kind](*given) for kind, *given in hidden)]
    model = library.Sequential([*parts, layers.Dense(units, activation=ENDS[work.loss])])
    model.compile(library.optimizers.RMSprop(LEARNING_RATE), loss())
    return model
