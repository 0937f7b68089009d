"""Calls of slices and of their opposite."""

from typing import Any

from refnet.testing.draw import Draw
from refnet.testing.strategies import strategy


@strategy("slice")
def slice_calls(draw: Draw) -> Any:
    shape = draw.shape(1, 3, 1, 6)
    start, step, extents = [], [], []
    for n in shape:
        stride = draw.choice((1, 2, -1))
        first = draw.integer(0, n - 1)
        room = (n - 1 - first) // stride + 1 if stride > 0 else first // -stride + 1
        start.append(first)
        step.append(stride)
        extents.append(draw.integer(0 if draw.integer(0, 5) == 0 else 1, room))
    return [draw.array(shape, draw.anything())], {"start": tuple(start), "step": tuple(step), "extents": tuple(extents)}


@strategy("spread")
def spread_calls(draw: Draw) -> Any:
    shape = draw.shape(1, 3, 1)
    dtype = draw.real()
    axis = draw.integer(0, len(shape) - 1)
    step = draw.choice((1, 2, -1))
    reach = (shape[axis] - 1) * step
    before, after = draw.integer(0, 2), draw.integer(0, 2)
    start = before + max(0, -reach)
    return [draw.array(shape, dtype)], {
        "axis": axis,
        "start": start,
        "step": step,
        "length": before + abs(reach) + 1 + after,
        "value": draw.choice((0, 3)),
    }
