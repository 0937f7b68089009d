"""Calls of triangles, diagonals and grids."""

from typing import Any

import numpy as np

from refnet.errors import ArgumentError, ShapeError
from refnet.testing.draw import Draw
from refnet.testing.strategies import refuse, usage


@usage("tril", "triu")
def triangle_usages(draw: Draw) -> Any:
    return (draw.array(draw.shape(2, 3), draw.real()), draw.integer(-3, 3)), {}


@usage("diag")
def diag_usages(draw: Draw) -> Any:
    return (draw.array(draw.shape(1, 2), draw.real()), draw.integer(-3, 3)), {}


@usage("meshgrid")
def meshgrid_usages(draw: Draw) -> Any:
    lines = tuple(draw.array((draw.extent(),), draw.real()) for _ in range(draw.integer(1, 3)))
    return lines, {"indexing": draw.choice(("xy", "ij"))}


@usage("linspace")
def linspace_usages(draw: Draw) -> Any:
    ends = (draw.array((2, 3), "float32"), draw.array((3,), "float32"), draw.integer(0, 5))
    return ends, {"endpoint": draw.flag(), "axis": draw.integer(0, 2)}


refuse("tril", np.zeros(3), error=ShapeError, words="two axes")
refuse("diag", np.zeros((2, 2, 2)), error=ShapeError, words="one axis")
refuse("meshgrid", np.zeros((2, 2)), error=ShapeError, words="one axis")
refuse("meshgrid", np.zeros(2), indexing="yx", error=ArgumentError, words="indexing")
refuse("linspace", np.zeros(2), np.ones(2), -1, error=ArgumentError, words="num")
