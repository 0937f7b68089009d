"""Calls of concatenate: any number of parts."""

from typing import Any

import numpy as np

from refnet.errors import ArgumentError, ShapeError
from refnet.testing.draw import Draw
from refnet.testing.strategies import refuse, strategy, usage


@strategy("concatenate")
def concatenate_calls(draw: Draw) -> Any:
    shape = draw.shape(1, 3)
    axis = draw.integer(0, len(shape) - 1)
    dtype = draw.anything()
    lengths = [draw.extent() for _ in range(draw.choice((1, 2, 3)))]
    return [draw.array((*shape[:axis], n, *shape[axis + 1 :]), dtype) for n in lengths], {"axis": axis}


refuse("concatenate", [np.zeros((2, 3)), np.zeros((3, 3))], axis=1, error=ShapeError, words="concatenate")
refuse("concatenate", [np.zeros((2, 3))], axis=2, error=ArgumentError, words="axis 2")


@usage("stack")
def stack_usages(draw: Draw) -> Any:
    shape, dtype = draw.shape(0, 2), draw.anything()
    parts = [draw.array(shape, dtype) for _ in range(draw.integer(1, 3))]
    return (parts,), {"axis": draw.integer(-1 - len(shape), len(shape))}


@usage("split")
def split_usages(draw: Draw) -> Any:
    shape = (draw.extent(), 6)
    return (draw.array(shape, draw.anything()), draw.choice((1, 2, 3, [1, 4]))), {"axis": draw.choice((1, -1))}


@usage("concatenate")
def concatenate_usages(draw: Draw) -> Any:
    (*parts,), keywords = concatenate_calls(draw)
    return (parts,), keywords
