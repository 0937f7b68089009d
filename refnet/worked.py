"""Calls that are small enough to be followed by hand: what `explain` and `read` work out for the definitions of the reading path."""

from typing import Any, NamedTuple

import numpy as np

from refnet.annotations import Array


class Call(NamedTuple):
    """A call of a public function, and the index of the element that is worked out."""

    at: tuple[int, ...]
    arguments: tuple[Any, ...]
    keywords: dict[str, Any]


def call(at: tuple[int, ...], *arguments: Any, **keywords: Any) -> Call:
    return Call(at, arguments, keywords)


def table(*rows: Any) -> Array:
    return np.array(rows, "float64")


def image(*rows: Any) -> Array:
    """One image of one channel."""
    return table(*rows)[None, :, :, None]


def series(*steps: float) -> Array:
    """One sequence of one feature."""
    return table(*steps)[None, :, None]


def heads(*places: float) -> Array:
    """What attention reads: one sample, so many places, one head of one feature."""
    return table(*places)[None, :, None, None]


ROWS = table([1, 2], [3, 4])

CALLS = {
    "relu": call((0, 1), table([-1, 2], [0.5, -3])),
    "add": call((1, 0), ROWS, table(10, 20)),
    "broadcast_to": call((1, 2), table([1], [2]), (2, 3)),
    "dot": call((0, 1), ROWS, table([5, 6], [7, 8])),
    "transpose": call((2, 0), table([1, 2, 3], [4, 5, 6])),
    "concatenate": call((1, 2), [table([1], [2]), table([3, 4], [5, 6])], axis=1),
    "sgd_update": call((1,), table(1, 2), table(4, -4), 0.25),
    "sgd_momentum_update": call((0,), table(1), table(0.5), table(2), 0.25, momentum=0.5),
    "max": call((1,), table([1, 5, 2], [7, 3, 7]), axis=1),
    "sigmoid": call((1,), table(0, 2)),
    "binary_crossentropy": call((1,), table(1, 0), table(0.75, 0.25)),
    "rmsprop_update": call((0,), table(1), table(0.25), table(2), 0.5, rho=0.75),
    "softmax": call((0, 1), table([1, 2, 3])),
    "categorical_crossentropy": call((0,), table([0, 1, 0]), table([0.25, 0.5, 0.25])),
    "mean": call((0,), ROWS, axis=0),
    "dropout": call((2,), table(1, 2, 3, 4), 0.5, seed=3),
    "conv": call(
        (0, 1, 0, 0), image([0, 1, 2], [3, 4, 5], [6, 7, 8]), np.array([[1.0, 2.0], [0.0, -1.0]])[:, :, None, None]
    ),
    "max_pool": call((0, 1, 0, 0), image([0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 1, 1], [2, 3, 1, 1]), 2),
    "conv_transpose": call((0, 2, 0), series(1, 2), table(1, 10, 100)[:, None, None], 2),
    "one_hot": call((0, 2), np.array([2, 0]), 3),
    "take": call((0, 1), table([1, 2], [3, 4], [5, 6]), np.array([2, 0]), axis=0),
    "simple_rnn": call((0, 1, 0), series(1, 2), table([0.5]), table([0.25])),
    "lstm": call(
        (0, 0, 0), series(1), table([1, 2, 3, 4]), table([1, 1, 1, 1]), initial_state=[table([0.5]), table([0.25])]
    ),
    "gru": call((0, 0, 0), series(1), table([1, 2, 3]), table([1, 1, 1]), initial_state=table([0.5])),
    "batch_normalization": call((0, 0), table([1], [3]), table(2), table(4), -1, offset=table(10), scale=table(5)),
    "depthwise_conv": call((0, 0, 0, 1), np.arange(8.0).reshape(1, 2, 2, 2), np.arange(8.0).reshape(2, 2, 2, 1)),
    "layer_normalization": call((0, 1), table([1, 3]), table(1, 2), table(0, 10)),
    "dot_product_attention": call((0, 0, 0, 0), heads(1), heads(2, 3), heads(10, 20)),
}
