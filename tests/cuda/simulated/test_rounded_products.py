"""Products in TF32, for those who ask: held to a certificate that knows how what they read was rounded; never there by default."""

import numpy as np
import pytest

import refnet_fast
from refnet import graph, ops
from refnet.definition import Op
from refnet.graph import Tensor
from refnet.program import Program
from refnet.testing import hold
from refnet_fast.cuda import calls, kernels, rounded_product, short_product, target
from refnet_fast.cuda.engine import CudaEngine

NAMES = ["matmul"] + [f"conv{axes}d{end}" for axes in (2, 3) for end in ("", "_inputs_gradient", "_kernel_gradient")]
PLAIN = {"transpose1": False, "transpose2": False}


def rounding_engine():
    engine = CudaEngine("cuda-sim")
    engine.rounds = True
    return engine


@pytest.mark.parametrize("name", NAMES)
def test_certified(name):
    """Inside the certificate of TF32; outside that of float32."""
    call, engine = calls.TINY[f"{name}_tiled"], rounding_engine()
    op, arrays = Op.named[name], calls.arrays(call)
    results = engine.compute(op, arrays, call.attributes)
    (running,) = engine.built.values()
    assert running.launches[0].step == f"{name}_rounded"
    assert 0 < hold(op, engine, arrays, call.attributes, results) <= 1
    with pytest.raises(AssertionError):
        hold(op, CudaEngine("cuda-sim"), arrays, call.attributes, results)


@pytest.mark.parametrize("transpose1, transpose2", [(False, False), (True, True)])
def test_two_warps_of_several_blocks(transpose1, transpose2, monkeypatch):
    monkeypatch.setattr(rounded_product, "SIMULATED", short_product.WarpTile(2, 1, 2, 2, 16, 2))
    generator = np.random.default_rng(3)
    a, b = generator.standard_normal((37, 21)).astype("float32"), generator.standard_normal((21, 19)).astype("float32")
    arrays = [a.T.copy() if transpose1 else a, b.T.copy() if transpose2 else b]
    attributes, engine = {"transpose1": transpose1, "transpose2": transpose2}, rounding_engine()
    (y,) = engine.compute(Op.named["matmul"], arrays, attributes)
    assert 0 < hold(Op.named["matmul"], engine, arrays, attributes, [y]) <= 1


def test_what_is_cut_off_instead_of_rounded_is_refused():
    """Each factor lies just below the next TF32: cut off, the product is almost two bounds away."""
    x = np.array([[1 + 2.0**-10 - 2.0**-23]], "float32")
    engine, op = rounding_engine(), Op.named["matmul"]
    (y,) = engine.compute(op, [x, x], PLAIN)
    assert y[0, 0] == np.float32((1 + 2.0**-10) ** 2)
    assert hold(op, engine, [x, x], PLAIN, [y]) <= 1
    with pytest.raises(AssertionError):
        hold(op, engine, [x, x], PLAIN, [np.ones((1, 1), "float32")])


def test_special_values():
    values = np.array([[np.inf, 1, 0], [np.nan, 1, 0], [-np.inf, 0, 0], [2.0**-140, 3.4e38, -0.0]], "float32")
    engine, op, ones = rounding_engine(), Op.named["matmul"], np.ones((3, 2), "float32")
    results = engine.compute(op, [values, ones], PLAIN)
    assert hold(op, engine, [values, ones], PLAIN, results) <= 1
    assert np.isposinf(results[0][0]).all() and np.isnan(results[0][1]).all() and np.isneginf(results[0][2]).all()


def test_it_finishes_bias_and_activation():
    x, k, b = Tensor((5, 9)), Tensor((9, 4)), Tensor((4,))
    with graph.trace.inside(collecting=True):
        y = ops.relu(ops.add(ops.matmul(x, k), b))
    generator = np.random.default_rng(4)
    feeds = [generator.standard_normal(t.shape).astype("float32") for t in (x, k, b)]
    executable = rounding_engine().prepare(Program([x, k, b], [y]))
    (got,) = executable.run(feeds)
    running = executable.at([a.shape for a in feeds])
    assert {launch.what for launch in running.launches} == {"matmul add relu"}
    assert running.launches[0].step == "matmul_rounded"
    # Certificates of whole programs know float32 only: both factors of a term are off by 2**-11 of themselves at most, and 9 terms
    # and a bias take 9 + 1 roundings of float32, of each product and of each sum. relu moves no two numbers apart.
    wide = [feed.astype(float) for feed in feeds]
    terms, bias = abs(wide[0]) @ abs(wide[1]), abs(wide[2])
    off = (1 + 2.0**-11) ** 2 * (1 + 2.0**-24) ** 10 - 1
    room = off * terms + ((1 + 2.0**-24) ** 10 - 1) * bias
    assert (abs(got - np.maximum(wide[0] @ wide[1] + wide[2], 0)) <= room).all()


def test_other_dtypes_are_left_as_they_are():
    for dtype, step in (("float64", "matmul_tiled"), ("bfloat16", "matmul_short")):
        engine, specs = rounding_engine(), (calls.floats(3, 4, dtype=dtype), calls.floats(4, 2, dtype=dtype))
        found, _ = calls.launches(calls.Call("matmul", specs, PLAIN), rounds=True)
        assert found.name == step and engine.rounding_of(Op.named["add"]) == 0


def test_never_by_default(monkeypatch):
    kernels.load()
    assert set(kernels.rounding) == set(NAMES)
    for name in NAMES:
        assert calls.launches(calls.TINY[f"{name}_tiled"])[0].name == f"{name}_tiled"
    monkeypatch.setattr(target, "check", lambda name, number=0: None)
    assert not CudaEngine("cuda").rounds and not CudaEngine("cuda", 1).rounds and not CudaEngine("cuda-sim").rounds
    engine = refnet_fast.get_engine("cuda-tf32:1")
    assert engine.rounds and engine.name == "cuda-tf32:1" and engine.rounding_of(Op.named["matmul"]) == 2.0**-11


def test_tiles_divide_evenly_among_threads():
    for tile in (rounded_product.LARGE, rounded_product.MIDDLE, rounded_product.SIMULATED):
        assert tile.rows * tile.depth % tile.threads == tile.columns * tile.depth % tile.threads == tile.depth % 8 == 0
