"""Structures of shapes: what `build` of a layer with several inputs is given, and what files keep of it."""

from collections.abc import Callable
from typing import Any

import numpy as np

from refnet.annotations import Shape
from refnet.graph import Tensor
from refnet.structure import mapped


def as_shapes(structure: Any) -> Any:
    """A structure of shapes as JSON gives it back, with each shape a tuple.

    >>> as_shapes({"query": [None, 3], "value": [[None, 4], [None, 5]]})
    {'query': (None, 3), 'value': [(None, 4), (None, 5)]}
    """
    return map_shapes(lambda shape: shape, structure)


def shapes_in(structure: Any) -> Any:
    """A structure with the shape of each tensor in it, and None for everything else."""
    return mapped(lambda x: x.shape if isinstance(x, Tensor) else None, structure)


def map_shapes(function: Callable[[Shape], Any], shape: Any) -> Any:
    """A structure of shapes, each replaced. A shape is a tuple or list of ints and None."""
    if isinstance(shape, dict):
        return {key: map_shapes(function, part) for key, part in shape.items()}
    if all(d is None or isinstance(d, (int, np.integer)) for d in shape):
        return function(tuple(shape))
    return [map_shapes(function, part) for part in shape]
