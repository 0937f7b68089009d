"""Calls of slices and of their opposite."""

from typing import Any

import numpy as np

from refnet.errors import ArgumentError, ShapeError
from refnet.testing.draw import Draw
from refnet.testing.strategies import refuse, strategy, usage


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


@usage("slice")
def slice_usages(draw: Draw) -> Any:
    x = draw.array(draw.shape(1, 3, 1), draw.anything())
    start = tuple(draw.integer(0, n - 1) for n in x.shape)
    return (x, start, tuple(draw.integer(1, n - first) for n, first in zip(x.shape, start))), {}


@usage("pad")
def pad_usages(draw: Draw) -> Any:
    x = draw.array(draw.shape(1, 3, 1), draw.real())
    mode = draw.choice(("edge", "reflect", "symmetric"))
    most = 2 if mode == "edge" else min(x.shape) - (mode == "reflect")
    widths = [(draw.integer(0, most), draw.integer(0, most)) for _ in x.shape]
    return (x, widths), draw.choice(({}, {"mode": mode}, {"constant_values": 3}))


@usage("get_item")
def get_item_usages(draw: Draw) -> Any:
    """Index arrays of one shape beside slices and integers."""
    shape = draw.shape(2, 3, 1)
    common = draw.choice(((2,), (3, 1)))
    key: list[Any] = [np.asarray(draw.array(common, draw.index(), low=-shape[0], high=shape[0] - 1)).tolist()]
    for n in shape[1:]:
        step = draw.choice((1, -1))
        single = draw.integer(-n, n - 1)
        key.append(draw.choice((slice(None, None, step), single, np.full(common, single).tolist())))
    return (draw.array(shape, draw.real()), tuple(key)), {}


refuse("get_item", np.zeros((2, 3)), ([0, 1], [0, 1, 2]), error=ShapeError, words="cannot combine")
refuse("get_item", np.zeros((2, 3)), ([0, 1], 3), error=ArgumentError, words="index 3")
refuse("slice", np.zeros((2, 3)), (0, 2), (1, 2), error=ShapeError, words="leaves shape")
refuse("slice", np.zeros((2, 3)), (0, 0.5), (1, 2), error=ArgumentError, words="start_indices")
