"""Calls of the random ops: the run, and what makes up the key."""

from typing import Any

import numpy as np

from refnet.errors import ArgumentError
from refnet.testing.draw import Draw
from refnet.testing.strategies import refuse, strategy


def drawn(draw: Draw, shape: tuple[int, ...], dtype: str, **parameters: Any) -> Any:
    run = np.array(draw.choice((0, 1, 2**31, 2**40 + 3)), "int64")
    seed = draw.choice((0, 1, 1337, 2**32 - 1))
    return [run], {"shape": shape, "dtype": dtype, "seed": seed, "place": draw.integer(0, 3), **parameters}


@strategy("random_uniform")
def uniform_calls(draw: Draw) -> Any:
    low, high = draw.choice(((0.0, 1.0), (-0.3, 0.7)))
    return drawn(draw, draw.shape(0, 3), draw.floating(), minval=low, maxval=high)


@strategy("random_normal", "random_truncated_normal")
def normal_calls(draw: Draw) -> Any:
    mean, stddev = draw.choice(((0.0, 1.0), (2.5, 0.1)))
    return drawn(draw, draw.shape(0, 3), draw.floating(), mean=mean, stddev=stddev)


@strategy("random_integers")
def randint_calls(draw: Draw) -> Any:
    low, high = draw.choice(((0, 10), (-5, 100000), (-(2**31), 2**31 - 1)))
    return drawn(draw, draw.shape(0, 3), draw.choice(("int32", "int64")), minval=low, maxval=high)


@strategy("dropout_mask")
def dropout_mask_calls(draw: Draw) -> Any:
    return drawn(draw, draw.shape(0, 3), draw.floating(), rate=draw.choice((0.0, 0.5, 0.9)))


@strategy("permutation")
def permutation_calls(draw: Draw) -> Any:
    return drawn(draw, (draw.extent(0, 20),), "int32")


refuse("random.dropout", np.zeros(3), 1.5, error=ArgumentError, words="rate")
refuse("random.randint", (2,), 3, 3, error=ArgumentError, words="maxval")
