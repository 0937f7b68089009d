"""Calls of the further distributions."""

from typing import Any

import numpy as np

from refnet.errors import ArgumentError, ShapeError
from refnet.testing.draw import Draw
from refnet.testing.strategies import refuse, strategy


def from_parameters(draw: Draw, count: int) -> Any:
    shape, dtype = draw.shape(0, 2), draw.floating()
    parameters = [draw.array(shape, draw.choice(("float32", "float64")), low=0, high=3) for _ in range(count)]
    run = np.array(draw.choice((0, 1, 2**40 + 3)), "int64")
    return [run, *parameters], {"dtype": dtype, "seed": draw.choice((0, 2**32 - 1)), "place": draw.integer(0, 3)}


@strategy("random_gamma")
def gamma_calls(draw: Draw) -> Any:
    return from_parameters(draw, 1)


@strategy("random_beta")
def beta_calls(draw: Draw) -> Any:
    return from_parameters(draw, 2)


@strategy("random_binomial")
def binomial_calls(draw: Draw) -> Any:
    (run, probabilities), attributes = from_parameters(draw, 1)
    most = draw.choice((12, 100, 2**31))
    counts = draw.array(probabilities.shape, probabilities.dtype.name, low=-0.5, high=most)
    probabilities = (abs(probabilities) if draw.calm else probabilities) / 2
    return [run, counts, probabilities], attributes


@strategy("share_at")
def share_at_calls(draw: Draw) -> Any:
    batch, classes, samples = draw.extent(), draw.extent(1), draw.extent()
    dtype = draw.choice(("float32", "float64"))
    shares = draw.array((batch, classes), "int32", low=0, high=4) / 8
    return [shares.astype(dtype), draw.array((batch, samples), dtype, low=0, high=0.999)], {}


refuse("random.categorical", np.zeros(3), 2, error=ShapeError, words="batch, classes")
refuse("random.categorical", np.zeros((1, 3)), -2, error=ArgumentError, words="num_samples")
refuse("random.binomial", (2,), 5, np.zeros(3), error=ShapeError, words="binomial cannot")
