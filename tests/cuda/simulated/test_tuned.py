"""Tuned kernels in the simulator, on shapes that leave partial tiles, held to certificates on sampled tasks."""

import numpy as np
import pytest

import refnet_fast  # noqa: F401  (registers the engines)
from refnet import ops  # noqa: F401  (declares the ops)
from refnet.definition import Op
from refnet.engine import get_engine
from refnet.testing import hold
from refnet_fast.cuda import calls, kernels
from refnet_fast.cuda.calls import LARGE, TINY, USUAL
from refnet_fast.cuda.engine import CudaEngine

generator = np.random.default_rng(4)


def computed(op, arrays, attributes, all_outputs=False):
    """The results of a call, which must have run on a tuned kernel."""
    engine = CudaEngine("cuda-sim")
    results = engine.compute(op, arrays, attributes)
    (running,) = engine._eager.values()
    assert all(launch.step for launch in running.launches if launch.what != "check")
    return results if all_outputs else results[0]


@pytest.mark.parametrize("name", [name for name in TINY if name != "matmul_tiled"])
def test_certified(name):
    """Every kernel, on a call that leaves blocks, rows and chunks incomplete; the same bits twice."""
    call = TINY[name]
    found, _ = calls.launches(call)
    assert found.name == name
    op, arrays = Op.named[call.op], calls.arrays(call)
    results = computed(op, arrays, call.attributes, all_outputs=True)
    sampled = None
    if name == "sum_of_pieces":
        sampled = [(0, 0)]
    assert hold(op, get_engine("cuda-sim"), arrays, call.attributes, results, sampled) <= 1
    for y, again in zip(results, computed(op, arrays, call.attributes, all_outputs=True)):
        np.testing.assert_array_equal(y, again)


def test_every_kernel_has_a_call():
    kernels.load()
    assert {k.name for found in kernels.tuned.values() for k in found} == set(TINY) == set(USUAL) == set(LARGE)


@pytest.mark.parametrize("transpose1, transpose2", [(False, False), (True, False), (False, True)])
def test_matmul_by_tiles(transpose1, transpose2):
    rows, inner, columns = 33, 18, 130
    a = generator.standard_normal((inner, rows) if transpose1 else (rows, inner)).astype("float32")
    b = generator.standard_normal((columns, inner) if transpose2 else (inner, columns)).astype("float32")
    attributes = {"transpose1": transpose1, "transpose2": transpose2}
    op, engine = Op.named["matmul"], get_engine("cuda-sim")
    y = computed(op, [a, b], attributes)
    tasks = [(0, i, j) for i in (0, 1, 16, 32) for j in (0, 15, 63, 64, 129)]
    assert 0 < hold(op, engine, [a, b], attributes, [y], tasks) <= 1
    expected = (a.T if transpose1 else a).astype(float) @ (b.T if transpose2 else b)
    np.testing.assert_allclose(y, expected, rtol=0, atol=1e-4)  # no element is left out; the certificate says how exact


def test_softmax_of_long_rows():
    x = generator.standard_normal((4, 131)).astype("float32")
    x[1, 130], x[2, 7], x[3, :] = np.nan, np.inf, -np.inf
    op, attributes = Op.named["softmax"], {"axis": 1}
    y = computed(op, [x], attributes)
    assert np.isnan(y[1:]).all()
    assert hold(op, get_engine("cuda-sim"), [x[:1]], attributes, [y[:1]]) <= 1


def test_sum_of_long_rows():
    x = generator.standard_normal((3, 5, 29)).astype("float32")
    op, attributes = Op.named["sum"], {"start": 1, "count": 2, "keepdims": False}
    y = computed(op, [x], attributes)
    assert hold(op, get_engine("cuda-sim"), [x], attributes, [y]) <= 1
    np.testing.assert_array_equal(y, computed(op, [x], attributes))
    x[1, 0, 28], x[2, 4, 28] = np.nan, np.inf
    y = computed(op, [x], attributes)
    assert np.isfinite(y[0]) and np.isnan(y[1]) and np.isposinf(y[2])
