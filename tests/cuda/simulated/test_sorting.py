"""The sorting network in the simulator: every dtype, ties, NaN, both directions, lanes along every axis, and such as shared memory
holds in parts of two and of eight elements."""

import numpy as np
import pytest

import refnet_fast  # noqa: F401  (registers the engines)
from refnet import dtypes, ops  # noqa: F401  (declares the ops)
from refnet.definition import Op
from refnet.engine import reference
from refnet_fast.cuda import sorting
from refnet_fast.cuda.engine import CudaEngine


@pytest.mark.parametrize("shared, merges", [(256, 0), (0, 3), (64, 1)])
@pytest.mark.parametrize(
    "dtype, axis, descending",
    [("float32", 0, False), ("bfloat16", 1, True), ("float64", 1, False), ("int8", 0, True), ("uint64", 1, False)],
)
def test_the_order_of_the_definition(dtype, axis, descending, shared, merges, monkeypatch):
    monkeypatch.setattr(sorting, "SHARED", shared)
    rng = np.random.default_rng(2)
    x = rng.integers(0, 5, (2, 11) if axis else (11, 2))
    x = (x - 2 if dtype != "uint64" else x * 2**62).astype(dtypes.as_numpy(dtype))
    if dtypes.is_floating(dtype):
        x.ravel()[[1, 8, 15]], x.ravel()[[2, 6]] = np.nan, [-0.0, -np.inf]
    op, engine, attributes = Op.named["argsort"], CudaEngine("cuda-sim"), {"axis": axis, "descending": descending}
    (y,), (due,) = (e.compute(op, [x], attributes) for e in (engine, reference))
    (running,) = engine.built.values()
    merges += shared == 64 and x.dtype.itemsize == 8
    assert [launch.step for launch in running.launches] == ["argsort_lanes", *["merged_parts"] * merges]
    np.testing.assert_array_equal(y, due)


def test_short_lanes_share_blocks():
    """Three of one block, four of another whose last has no lane; a lane of one element is nobody's."""
    x = np.random.default_rng(3).integers(0, 3, (7, 3)).astype("float32")
    op, engine, attributes = Op.named["argsort"], CudaEngine("cuda-sim"), {"axis": 1, "descending": False}
    (y,), (due,) = (e.compute(op, [x], attributes) for e in (engine, reference))
    (running,) = engine.built.values()
    (launch,) = running.launches
    assert launch.step == "argsort_lanes" and launch.grid == (4,) and launch.block == (2, 2)
    np.testing.assert_array_equal(y, due)
