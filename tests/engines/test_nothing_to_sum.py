"""Convolutions whose sums have no terms give 0 wherever they write, on memory that held other numbers."""

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
