"""What is measured. Imported by each program from its own folder, so that no peer loads refnet.

A network is told as a list of layers, each a kind and its numbers; every program builds it with its own library:

    ("dense", units, activation)          ("conv2d", filters, size, activation)   ("conv1d", filters, size, activation)
    ("separable_conv2d", filters, size)   ("batch_normalization",)                ("activation", name)
    ("max_pool2d", size)                  ("max_pool1d", size)                    ("flatten",)
    ("global_average_pool2d",)            ("global_max_pool1d",)                  ("embedding", words, units)
    ("lstm", units)                       ("bidirectional_lstm", units)           ("gru", units, dropout, recurrent dropout)
    ("positions",)                        ("encoder", heads, units)               ("global_average_pool1d",)
    ("residual", filters, stride)

Convolutions are "valid", separable ones and those of a residual block "same"; a recurrent layer gives its last output. "positions" adds a
learned vector to each place of a sequence. An encoder is a Transformer's: x + attention(normalized x), then x + dense(relu of dense units
of normalized x). A residual block is two 3x3 convolutions, normalized, beside its input, which a 1x1 convolution brings into their shape
where they change it.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Work(NamedTuple):
    """A network, and an epoch of it.

    Attributes:
        shape: of one sample.
        layers: as told above; the last one's activation is left to the program, which knows its loss.
        loss: 'squared error', 'absolute error', 'softmax cross-entropy' (integer labels) or 'sigmoid cross-entropy'.
        input: 'normal', 'words' (integers below the embedding's number), 'one-hot' (of the last axis) or 'multi-hot' (some 120 ones
            in a sample, as many as a review has different words).
    """

    name: str
    shape: tuple[int, ...]
    layers: tuple[tuple, ...]
    batch: int
    steps: int
    loss: str
    input: str = "normal"

    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """Random samples, the same for every program."""
        random = np.random.default_rng(1)
        count = self.batch * self.steps
        if self.input == "words":
            x = random.integers(0, self.layers[0][1], (count, *self.shape)).astype(np.int32)
        elif self.input == "one-hot":
            x = np.eye(self.shape[-1], dtype=np.float32)[random.integers(0, self.shape[-1], (count, *self.shape[:-1]))]
        elif self.input == "multi-hot":
            x = np.zeros((count, *self.shape), np.float32)
            np.put_along_axis(x, random.integers(0, self.shape[-1], (count, 120)), 1, axis=-1)
        else:
            x = random.standard_normal((count, *self.shape), dtype=np.float32)
        units = self.layers[-1][1]
        if self.loss in ("squared error", "absolute error"):
            return x, random.standard_normal((count, units), dtype=np.float32)
        if self.loss == "sigmoid cross-entropy":
            return x, random.integers(0, 2, (count, units)).astype(np.float32)
        return x, random.integers(0, units, count).astype(np.int32)


def perceptron(*sizes: int) -> tuple[tuple, ...]:
    return tuple(("dense", size, "relu") for size in sizes)


def convolutions(*filters: int) -> tuple[tuple, ...]:
    """3x3 convolutions with a 2x2 pooling after each."""
    return tuple(layer for n in filters for layer in (("conv2d", n, 3, "relu"), ("max_pool2d", 2)))


def separable(*filters: int) -> tuple[tuple, ...]:
    """Separable convolutions, each normalized, rectified and pooled."""
    return tuple(
        layer
        for n in filters
        for layer in (("separable_conv2d", n, 3), ("batch_normalization",), ("activation", "relu"), ("max_pool2d", 2))
    )


ENDS = {
    "squared error": None,
    "absolute error": None,
    "softmax cross-entropy": "softmax",
    "sigmoid cross-entropy": "sigmoid",
}
ONE = (("dense", 1, None),)
TEN = (("dense", 10, None),)
IMDB = ("embedding", 10000, 32)

WORKS = {
    work.name: work
    for work in (
        Work("Boston 13-64-64-1 batch 1", (13,), (*perceptron(64, 64), *ONE), 1, 1000, "squared error"),
        Work("MNIST 784-512-10 batch 128", (784,), (*perceptron(512), *TEN), 128, 60, "softmax cross-entropy"),
        Work("IMDB 10000-16-16-1 batch 512", (10000,), (*perceptron(16, 16), *ONE), 512, 10, "sigmoid cross-entropy"),
        Work(
            "IMDB 10000-16-16-1 index lists batch 512",
            (10000,),
            (*perceptron(16, 16), *ONE),
            512,
            10,
            "sigmoid cross-entropy",
            "multi-hot",
        ),
        Work(
            "MNIST convnet 32-64-64 batch 64",
            (28, 28, 1),
            (*convolutions(32, 64), ("conv2d", 64, 3, "relu"), ("flatten",), *perceptron(64), *TEN),
            64,
            20,
            "softmax cross-entropy",
        ),
        Work(
            "cats and dogs convnet batch 20",
            (150, 150, 3),
            (*convolutions(32, 64, 128, 128), ("flatten",), *perceptron(512), *ONE),
            20,
            3,
            "sigmoid cross-entropy",
        ),
        Work("IMDB LSTM(32) batch 128", (500,), (IMDB, ("lstm", 32), *ONE), 128, 4, "sigmoid cross-entropy", "words"),
        Work(
            "IMDB bidirectional LSTM(32) batch 128",
            (500,),
            (IMDB, ("bidirectional_lstm", 32), *ONE),
            128,
            4,
            "sigmoid cross-entropy",
            "words",
        ),
        Work(
            "IMDB Conv1D batch 128",
            (500,),
            (
                ("embedding", 10000, 128),
                ("conv1d", 32, 7, "relu"),
                ("max_pool1d", 5),
                ("conv1d", 32, 7, "relu"),
                ("global_max_pool1d",),
                *ONE,
            ),
            128,
            4,
            "sigmoid cross-entropy",
            "words",
        ),
        Work("Jena GRU(32) dropout batch 128", (240, 14), (("gru", 32, 0.2, 0.2), *ONE), 128, 8, "absolute error"),
        Work(
            "text LSTM(128) batch 128",
            (60, 58),
            (("lstm", 128), ("dense", 58, None)),
            128,
            8,
            "softmax cross-entropy",
            "one-hot",
        ),
        Work(
            "separable 64x64 batch 32",
            (64, 64, 3),
            (*separable(32, 64, 128), ("global_average_pool2d",), *TEN),
            32,
            6,
            "softmax cross-entropy",
        ),
        Work(
            "IMDB Transformer 200 words batch 64",
            (200,),
            (("embedding", 10000, 64), ("positions",), ("encoder", 4, 128), ("global_average_pool1d",), *ONE),
            64,
            6,
            "sigmoid cross-entropy",
            "words",
        ),
        Work(
            "residual net 32x32 batch 32",
            (32, 32, 3),
            (
                ("residual", 32, 1),
                ("residual", 64, 2),
                ("residual", 128, 2),
                ("global_average_pool2d",),
                *TEN,
            ),
            32,
            6,
            "softmax cross-entropy",
        ),
    )
}
LEARNING_RATE = 1e-3


# ---- workloads that grow


class Ladder(NamedTuple):
    """A workload of which one size is doubled from rung to rung.

    Attributes:
        first: the size on the first rung.
        make: (shape, layers, batch, loss, input) of a size.
    """

    name: str
    first: int
    make: Callable[[int], tuple]

    def rung(self, number: int) -> Work:
        """The workload of rung 0, 1, 2 ...: epochs of fewer steps the larger they are."""
        shape, layers, batch, loss, *kind = self.make(self.first << number)
        return Work(f"{self.name}@{number}", shape, layers, batch, max(2, 64 >> number), loss, *kind)


def _image(extent: int, batch: int, filters: int) -> tuple:
    layers = (*convolutions(filters, 2 * filters), ("conv2d", 2 * filters, 3, "relu"), ("global_average_pool2d",), *TEN)
    return (extent, extent, 3), layers, batch, "softmax cross-entropy"


def _sequence(length: int, batch: int, *layers: tuple) -> tuple:
    return (length,), (IMDB, *layers, *ONE), batch, "sigmoid cross-entropy", "words"


def _table(features: int, batch: int, *sizes: int) -> tuple:
    return (features,), (*perceptron(*sizes), *TEN), batch, "softmax cross-entropy"


CONV1D = (("conv1d", 32, 7, "relu"), ("max_pool1d", 5), ("conv1d", 32, 7, "relu"), ("global_max_pool1d",))
LADDERS = {
    ladder.name: ladder
    for ladder in (
        Ladder("dense 784-512-10, batch", 16, lambda n: _table(784, n, 512)),
        Ladder("dense, batch 128, width", 64, lambda n: _table(n, 128, n, n)),
        Ladder("convnet 32x32, batch", 4, lambda n: _image(32, n, 32)),
        Ladder("convnet 32x32, width", 8, lambda n: _image(32, 32, n)),
        Ladder("convnet batch 16, image size", 32, lambda n: _image(n, 16, 32)),
        Ladder(
            "separable batch 16, image size",
            16,
            lambda n: ((n, n, 3), (*separable(32, 64), ("global_average_pool2d",), *TEN), 16, "softmax cross-entropy"),
        ),
        Ladder("LSTM(32) batch 64, length", 16, lambda n: _sequence(n, 64, ("lstm", 32))),
        Ladder("LSTM(32) length 64, batch", 16, lambda n: _sequence(64, n, ("lstm", 32))),
        Ladder("LSTM length 64 batch 64, width", 16, lambda n: _sequence(64, 64, ("lstm", n))),
        Ladder("GRU(32) batch 64, length", 16, lambda n: _sequence(n, 64, ("gru", 32, 0.0, 0.0))),
        Ladder("Conv1D batch 32, length", 64, lambda n: _sequence(n, 32, *CONV1D)),
    )
}


def found(name: str) -> Work:
    """The workload of that name; `ladder@3` is the third rung after a ladder's first."""
    ladder, at, number = name.partition("@")
    return LADDERS[ladder].rung(int(number)) if at else WORKS[name]
