"""Calls that put arrays together, take them apart and turn them."""

from typing import Any

import numpy as np

from refnet.errors import ArgumentError, DataError, ShapeError
from refnet.testing.draw import Draw
from refnet.testing.strategies import refuse, usage


@usage("rearrange")
def rearrange_usages(draw: Draw) -> Any:
    x = draw.array((draw.extent(), 4, 6), draw.real())
    return (x, draw.choice(("b (h k) w -> (b k) w h", "b (k h) w -> k b (w h)"))), {"k": 2}


X = np.zeros((2, 3))
refuse("append", X, np.zeros(3), 0, error=ShapeError, words="append needs shapes")
refuse("hstack", [], error=ArgumentError, words="at least one")
refuse("array_split", X, 0, error=ArgumentError, words="pieces")
refuse("vsplit", np.zeros(3), 1, error=ShapeError, words="2 axes")
refuse("dsplit", X, 1, error=ShapeError, words="3 axes")
refuse("fliplr", np.zeros(3), error=ShapeError, words="two axes")
refuse("flipud", np.zeros(()), error=ShapeError, words="an axis")
refuse("rot90", X, axes=(0, 0), error=ArgumentError, words="twice")
refuse("depth_to_space", np.zeros((1, 2, 2, 3)), 2, error=ShapeError, words="3 channels")
refuse("space_to_depth", np.zeros((1, 2, 3, 3)), 2, error=ShapeError, words="2 x 3 pixels")
refuse("rearrange", X, "a b", error=ArgumentError, words="reads like")
refuse("rearrange", X, "a b -> a", error=ArgumentError, words="same names")
refuse("rearrange", X, "(a c) b -> a b c", error=ArgumentError, words="length of a or of c")
refuse("rearrange", X, "(a c) b -> a b c", c=4, error=ShapeError, words="length 2")
refuse("rearrange", X, "a b c -> c b a", error=ShapeError, words="3 axes")
refuse("unravel_index", [6], (2, 3), error=DataError, words="-6..5")
refuse("hsplit", np.zeros((2, 3)), 2, error=ShapeError, words="hsplit: axis 1")
refuse("vstack", [np.zeros((2, 3)), np.zeros((2, 4))], error=ShapeError, words="vstack needs shapes")
