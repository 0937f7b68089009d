"""Calls of the fused losses: a row of scores for each sample."""

from typing import Any

import numpy as np

from refnet.annotations import Array
from refnet.errors import ShapeError
from refnet.testing.draw import Draw
from refnet.testing.strategies import refuse, strategy, usage
from refnet.testing.strategies.elementwise import operands


def rows(draw: Draw) -> tuple[int, int, str]:
    return draw.extent(), draw.extent(1), draw.floating()


def targets(draw: Draw, n: int, classes: int, dtype: str) -> Array:
    """Class probabilities, often one-hot; any values at times."""
    if draw.calm or draw.flag():
        return draw.array((n, classes), dtype, calm=(0, 1))
    return np.eye(classes, dtype=np.float64)[draw.array((n,), "int32", low=0, high=classes - 1)].astype(
        draw.array((), dtype).dtype
    )


def labels(draw: Draw, n: int, classes: int) -> Array:
    return draw.array((n,), draw.index(), low=0, high=classes - 1)


@strategy("sigmoid_cross_entropy")
def sigmoid_cross_entropy_calls(draw: Draw) -> Any:
    return operands(draw, 2, draw.floating()), {}


@strategy("softmax_cross_entropy")
def softmax_cross_entropy_calls(draw: Draw) -> Any:
    n, classes, dtype = rows(draw)
    return [draw.array((n, classes), dtype), targets(draw, n, classes, dtype)], {}


@strategy("softmax_cross_entropy_gradient")
def softmax_cross_entropy_gradient_calls(draw: Draw) -> Any:
    n, classes, dtype = rows(draw)
    return [draw.array((n,), dtype), draw.array((n, classes), dtype, calm=(0, 1)), targets(draw, n, classes, dtype)], {}


@strategy("sparse_softmax_cross_entropy")
def sparse_softmax_cross_entropy_calls(draw: Draw) -> Any:
    n, classes, dtype = rows(draw)
    return [draw.array((n, classes), dtype), labels(draw, n, classes)], {}


@strategy("sparse_softmax_cross_entropy_gradient")
def sparse_softmax_cross_entropy_gradient_calls(draw: Draw) -> Any:
    n, classes, dtype = rows(draw)
    return [draw.array((n,), dtype), draw.array((n, classes), dtype, calm=(0, 1)), labels(draw, n, classes)], {}


@strategy("pick_class")
def pick_class_calls(draw: Draw) -> Any:
    n, classes, dtype = rows(draw)
    return [draw.array((n, classes), dtype), labels(draw, n, classes)], {}


@strategy("pick_class_gradient")
def pick_class_gradient_calls(draw: Draw) -> Any:
    n, classes, dtype = rows(draw)
    return [draw.array((n,), dtype), draw.array((n, classes), dtype), labels(draw, n, classes)], {}


@usage("binary_crossentropy")
def binary_crossentropy_usages(draw: Draw) -> Any:
    shape, dtype, logits = draw.shape(1, 2), draw.floating(), draw.flag()
    limits: dict[str, Any] = {} if logits else {"low": 0, "high": 1}
    target = draw.array(shape, dtype, low=0, high=1, calm=(0, 1))
    return (target, draw.array(shape, dtype, calm=(0.1, 0.9), **limits)), {"from_logits": logits}


def scores(draw: Draw, n: int, classes: int, dtype: str) -> tuple[Array, dict[str, Any]]:
    """Scores or probabilities of classes, and what a loss is told of them."""
    logits = draw.flag()
    limits: dict[str, Any] = {} if logits else {"low": 0, "high": 1}
    return draw.array((n, classes), dtype, calm=(0.1, 0.9), **limits), {"from_logits": logits}


@usage("categorical_crossentropy")
def categorical_crossentropy_usages(draw: Draw) -> Any:
    n, classes, dtype = rows(draw)
    output, keywords = scores(draw, n, classes, dtype)
    return (targets(draw, n, classes, dtype), output), keywords


@usage("sparse_categorical_crossentropy")
def sparse_categorical_crossentropy_usages(draw: Draw) -> Any:
    n, classes, dtype = rows(draw)
    output, keywords = scores(draw, n, classes, dtype)
    return (labels(draw, n, classes), output), keywords


for _name in ("categorical_crossentropy", "binary_crossentropy"):
    refuse(_name, np.zeros((2, 3)), np.zeros((2, 4)), error=ShapeError, words=_name)
