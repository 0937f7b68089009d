"""Calls of statistics along axes."""

from math import inf
from typing import Any

import numpy as np

from refnet.errors import ArgumentError, ShapeError
from refnet.testing.draw import Draw
from refnet.testing.strategies import refuse, strategy, usage
from refnet.testing.strategies.reduction import neighbours


@strategy("logsumexp")
def logsumexp_calls(draw: Draw) -> Any:
    return neighbours(draw, draw.floating(), least=1)


@usage("moments")
def moments_usages(draw: Draw) -> Any:
    return (draw.array(draw.shape(1, 3, 1), draw.floating()), draw.choice((None, 0, [-1]))), {"keepdims": draw.flag()}


@usage("average")
def average_usages(draw: Draw) -> Any:
    shape, dtype = draw.shape(1, 3, 1), draw.floating()
    axis = draw.choice((None, 0, -1))
    weights = shape if axis is None or draw.flag() else (shape[axis],)
    return (draw.array(shape, dtype), axis, draw.array(weights, dtype)), {}


@usage("norm")
def norm_usages(draw: Draw) -> Any:
    shape = draw.shape(2, 3, 1, 4)
    vector = draw.flag()
    order = draw.choice((None, 0, 1, 2, 3, inf, -inf)) if vector else draw.choice((None, "fro", 1, -1, inf, -inf))
    axis = draw.choice((0, -1)) if vector else draw.choice(((0, 1), (-1, 0)))
    return (draw.array(shape, draw.floating()),), {"ord": order, "axis": axis, "keepdims": draw.flag()}


refuse("logsumexp", np.zeros((2, 0)), axis=1, error=ShapeError, words="of nothing is not defined")
refuse("moments", np.zeros((2, 3)), (0, 0), error=ArgumentError, words="twice")
refuse("average", np.zeros((2, 3)), 1, np.zeros(2), error=ShapeError, words="average needs weights")
refuse("average", np.zeros((2, 3)), None, np.zeros(3), error=ShapeError, words="average needs weights")
refuse("norm", np.zeros((2, 3, 4)), 1, error=ArgumentError, words="ord 1 is not defined")
refuse("norm", np.zeros((2, 3)), 2, error=ArgumentError, words="ord 2 is not defined")
refuse("norm", np.zeros((2, 3)), "fro", axis=1, error=ArgumentError, words="ord 'fro' is not defined")
refuse("norm", np.zeros((2, 3)), axis=2, error=ArgumentError, words="axis 2")
refuse("norm", np.zeros((2, 3)), [], axis=0, error=ArgumentError, words="ord must be a number")
