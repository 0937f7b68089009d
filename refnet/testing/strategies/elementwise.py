"""Calls of elementwise ops: operands of one dtype whose shapes broadcast."""

from typing import Any

import numpy as np

from refnet.annotations import Array
from refnet.errors import DtypeError, ShapeError
from refnet.testing.draw import Draw
from refnet.testing.strategies import refuse, strategy, usage


def operands(draw: Draw, count: int, dtype: str, **limits: Any) -> list[Array]:
    """Arrays whose shapes broadcast to one: mostly equal ones, a row, a column; in exotic draws any axis may be 1 or missing."""
    full = draw.shape()
    shapes = [full]
    for _ in range(count - 1):
        if draw.exotic:
            kept = tuple(1 if draw.integer(0, 3) == 0 else d for d in full)
            shapes.append(kept if draw.integer(0, 3) else kept[draw.integer(0, len(full)) :])
        else:
            shapes.append(draw.choice((full, full, full[1:], (*full[:-1], 1) if full else ())))
    arrays = [draw.array(shape, dtype, **limits) for shape in shapes]
    return arrays[::-1] if draw.exotic and draw.flag() else arrays


@strategy("negative", "square", "abs", "sign", "identity", "stop_gradient")
def real_calls(draw: Draw) -> Any:
    return operands(draw, 1, draw.real()), {}


@strategy("add", "subtract", "multiply", "maximum", "minimum")
def binary_calls(draw: Draw) -> Any:
    return operands(draw, 2, draw.real()), {}


@usage("add", "subtract", "multiply", "maximum", "minimum")
def binary_usages(draw: Draw) -> Any:
    return tuple(operands(draw, 2, draw.floating())), {}


for _name in ("add", "subtract", "multiply", "maximum", "minimum", "divide", "power", "equal", "less", "logical_and"):
    refuse(_name, np.zeros((2, 3)), np.zeros((2, 4)), error=ShapeError, words=_name)
    refuse(_name, np.zeros(3), np.array(["a", "b", "c"]), error=DtypeError, words="must hold numbers")
