"""Calls of matrix products."""

from typing import Any

import numpy as np

from refnet.errors import ShapeError
from refnet.testing.draw import Draw
from refnet.testing.strategies import refuse, strategy, usage


@strategy("matmul")
def matmul_calls(draw: Draw) -> Any:
    rows, inner, columns = (draw.extent() for _ in range(3))
    dtype = draw.choice((draw.floating(), draw.floating(), draw.real()))
    t1, t2 = draw.flag(), draw.flag()
    lead = draw.shape(0, 2, 1, 3)
    first, second = draw.choice(((lead, lead), (lead, ()), ((), lead), (lead, (1,) * len(lead))))
    a = (*first, *((inner, rows) if t1 else (rows, inner)))
    b = (*second, *((columns, inner) if t2 else (inner, columns)))
    return [draw.array(a, dtype), draw.array(b, dtype)], {"transpose1": t1, "transpose2": t2}


@usage("matmul")
def matmul_usages(draw: Draw) -> Any:
    rows, inner, columns = (draw.extent(1) for _ in range(3))
    dtype = draw.floating()
    a = draw.choice(((inner,), (rows, inner), (2, rows, inner)))
    b = draw.choice(((inner,), (inner, columns), (2, inner, columns)))
    return (draw.array(a, dtype), draw.array(b, dtype)), {}


refuse("matmul", np.zeros((2, 3)), np.zeros((2, 3)), error=ShapeError, words="matmul")
refuse("matmul", np.zeros(()), np.zeros((2, 3)), error=ShapeError, words="needs arrays with axes")
refuse("matmul", np.zeros((2, 2, 3)), np.zeros((3, 3, 2)), error=ShapeError, words="matmul")
