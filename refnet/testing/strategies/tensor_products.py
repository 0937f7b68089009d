"""Calls of products over named axes: all are written with transpose, reshape, sums and matrix products."""

from typing import Any

import numpy as np

from refnet.errors import ArgumentError, ShapeError
from refnet.testing.draw import Draw
from refnet.testing.strategies import refuse, usage

SUBSCRIPTS = (
    "ij,jk->ik", "ij,kj", "bij,bjk->bik", "bthd,bshd->bhts", "ij,j->ij", "i,j->ji", "ij->", "ii->i", "iij,j->i", "ij,jk,k->i",
    "ij,ij->", "j,ij->j",
)  # fmt: skip


@usage("einsum")
def einsum_usages(draw: Draw) -> Any:
    subscripts = draw.choice(SUBSCRIPTS)
    parts = subscripts.split("->")[0].split(",")
    extents = {letter: draw.extent(1, 3) for letter in sorted(set("".join(parts)))}
    dtype = draw.floating()
    return (subscripts, *(draw.array([extents[k] for k in part], dtype) for part in parts)), {}


@usage("dot", "inner")
def dot_usages(draw: Draw) -> Any:
    extent, dtype = draw.extent(1, 3), draw.floating()
    return (draw.array((*draw.shape(0, 2, 1, 3), extent), dtype), draw.array((extent,), dtype)), {}


@usage("tensordot")
def tensordot_usages(draw: Draw) -> Any:
    rows, middle, columns = (draw.shape(1, 1, 1, 3) for _ in range(3))
    dtype, count = draw.floating(), draw.integer(0, 1)
    first = draw.array(rows + middle, dtype)
    return (first, draw.array(middle + columns, dtype)), {"axes": draw.choice((count, [[-1], [0]]))}


@usage("outer", "vdot")
def outer_usages(draw: Draw) -> Any:
    shape, dtype = draw.shape(0, 2), draw.floating()
    return (draw.array(shape, dtype), draw.array(shape, dtype)), {}


_m = np.zeros((2, 3), "float32")
refuse("einsum", "ij,jk->ik->", _m, _m, error=ArgumentError, words="at most one '->'")
refuse("einsum", "ij,jk->ik", _m, error=ArgumentError, words="name 2 operands, and 1 are given")
refuse("einsum", "ij", error=ArgumentError, words="at least one operand")
refuse("einsum", "i1", _m, error=ArgumentError, words="named by letters")
refuse("einsum", "ijk", _m, error=ArgumentError, words="does not name as many axes")
refuse("einsum", "i", _m, error=ArgumentError, words="does not name as many axes")
refuse("einsum", "ij->ii", _m, error=ArgumentError, words="names an axis twice")
refuse("einsum", "ij->ik", _m, error=ArgumentError, words="which no operand has")
refuse("einsum", "...j->j", _m, error=ArgumentError, words="needs '...'")
refuse("einsum", "ij,jk->ik", _m, _m, error=ShapeError, words="axis 'j' to be equal")
refuse("einsum", "ii", _m, error=ShapeError, words="axis 'i' to be equal")
refuse("dot", _m, _m, error=ShapeError, words="axis 1 of x1 and axis 0 of x2")
refuse("inner", _m, np.zeros(2), error=ShapeError, words="must be equal")
refuse("vdot", _m, np.zeros(5), error=ShapeError, words="must be equal")
refuse("tensordot", _m, _m, 1, error=ShapeError, words="must be equal")
refuse("tensordot", _m, _m, 3, error=ArgumentError, words="axes must lie in 0..2")
refuse("tensordot", _m, _m, [[0], [0], [1]], error=ArgumentError, words="a number or a pair")
refuse("tensordot", _m, _m, [[0, 1], [0]], error=ArgumentError, words="as many axes")
refuse("tensordot", _m, _m, [[0], [2]], error=ArgumentError, words="axis 2")
