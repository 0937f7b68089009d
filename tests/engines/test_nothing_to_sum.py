"""Calls without a term or an element: sums are 0 wherever they write, on memory that held other numbers, and what is empty is not touched."""

import numpy as np
import pytest

import refnet.ops.convolution3d  # noqa: F401  (declares ops that `conv` imports when it is first asked for volumes)
from refnet.engine import get_engine, spec_of
from refnet.testing.certificates import named
from refnet_fast.engine import single

CHANNELS = 40  # more than two vectors of float32, and no whole number of them
PLAIN = {"groups": 1, "strides": (1, 1), "dilation": (1, 1), "padding": (0, 0)}
CALLS = {
    "windows beyond the last layer": (
        "conv3d",
        ((1, 1, 2, 3, 4), (1, 1, 1, 4, CHANNELS)),
        {"groups": 1, "strides": (2, 1, 1), "dilation": (1, 1, 1), "padding": (0, 0, 0), "extents": (2, 2, 3)},
        np.s_[:, 1],
    ),
    "layers between strides": (
        "conv3d_inputs_gradient",
        ((1, 2, 3, 3, 2), (1, 1, 1, CHANNELS, 2)),
        {"groups": 1, "strides": (2, 1, 1), "dilation": (1, 1, 1), "padding": (0, 0, 0), "extents": (3, 3, 3)},
        np.s_[:, 1],
    ),
    "columns without rows": ("sum", ((0, CHANNELS),), {"start": 0, "count": 1, "keepdims": False}, ...),
    "rows without columns": ("sum", ((CHANNELS, 0),), {"start": 1, "count": 1, "keepdims": False}, ...),
    "factors without terms": ("matmul", ((3, 0), (0, CHANNELS)), {"transpose1": False, "transpose2": False}, ...),
    "no filters": ("conv2d_inputs_gradient", ((1, 2, 3, 0), (2, 2, CHANNELS, 0)), {**PLAIN, "extents": (3, 4)}, ...),
    "no filters, in windows of one pixel": (
        "conv2d_inputs_gradient",
        ((1, 3, 4, 0), (1, 1, CHANNELS, 0)),
        {**PLAIN, "extents": (3, 4)},
        ...,
    ),
}


@pytest.mark.parametrize("case", CALLS)
def test_sums_without_terms_are_zero(case: str) -> None:
    name, shapes, attributes, empty = CALLS[case]
    arrays = [np.ones(shape, "float32") for shape in shapes]
    op = named(name)
    running = get_engine("cpu").build(single(op, [spec_of(a) for a in arrays], attributes))
    running.memory.room[:] = 0x41  # 12.08 everywhere
    (got,) = running.run(arrays)
    (due,) = get_engine("reference").compute(op, arrays, attributes)
    assert not due[empty].any()
    np.testing.assert_array_equal(got, due)


@pytest.mark.parametrize("name", ["max_gradient", "min_gradient"])
@pytest.mark.parametrize("shapes", [((2,), (2, 0)), ((2, 3), (2, 0, 3))], ids=str)
def test_slopes_of_no_elements_are_written_nowhere(name, shapes) -> None:
    arrays, op = [np.full(shape, 5, "float32") for shape in shapes], named(name)
    attributes = {"start": 1, "count": 1, "keepdims": False}
    running = get_engine("cpu").build(single(op, [spec_of(a) for a in arrays], attributes))
    running.memory.room[:] = 0x41
    (dx,) = running.run(arrays)
    slopes = arrays[0].nbytes  # the only bytes that the call puts into the room
    assert dx.shape == shapes[1] and np.count_nonzero(running.memory.room.view("uint8") != 0x41) <= slopes
