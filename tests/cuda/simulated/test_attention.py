"""Attention's kernels in the simulator: masks that hide infinities, queries that see nothing, sums made in parts."""

import numpy as np
import pytest

import refnet_fast  # noqa: F401  (registers the engines)
from refnet import ops  # noqa: F401  (declares the ops)
from refnet.definition import Op
from refnet.engine import get_engine
from refnet.testing import hold
from refnet_fast.cuda import attention_tiles, calls
from refnet_fast.cuda.engine import CudaEngine

KINDS = ("", "_query_gradient", "_key_gradient", "_bias_gradient")


def drawn(kind, dtype):
    """Two heads of the query share one of the key; 11 queries and 13 keys are two blocks each. Key 3 and queries 2 and 9 hold infinities
    and NaN; nobody sees the key, and those queries see nothing."""
    rng = np.random.default_rng(3)
    normal = lambda *shape: rng.standard_normal(shape).astype(dtype)
    q, k, v, bias = normal(1, 11, 2, 5), normal(1, 13, 1, 5), normal(1, 13, 1, 9), normal(2, 1, 13)
    mask = rng.random((2, 11, 13)) < 0.7
    mask[:, :, 3], mask[:, [2, 9]] = False, False
    k[0, 3], q[0, 9] = np.inf, np.nan
    arrays, attributes = [q, k, v, bias, mask], {"scale": 0.4, "is_causal": True}
    if kind:
        _, height = Op.named["dot_product_attention"](*arrays, **attributes)
        assert np.isneginf(height).sum() >= 4
        v[0, 3] = np.nan
        return [normal(1, 11, 2, 9), *arrays, height, normal(1, 2, 11)], attributes
    return arrays, attributes


@pytest.mark.parametrize(
    "dtype, kind", [*(("float32", kind) for kind in KINDS), ("float64", ""), ("float64", KINDS[2])]
)
def test_what_is_masked_is_not_met(dtype, kind, monkeypatch):
    # the sums over 13 keys, and over 22 queries, are made in parts
    monkeypatch.setattr(attention_tiles, "SIMULATED_CHAIN", 12)
    arrays, attributes = drawn(kind, dtype)
    op, engine = Op.named["dot_product_attention" + kind], CudaEngine("cuda-sim")
    results = engine.compute(op, arrays, attributes)
    (running,) = engine.built.values()
    assert all(launch.step for launch in running.launches)
    assert all(np.isfinite(y[~np.isneginf(y)]).all() for y in results)
    assert 0 < hold(op, get_engine("cuda-sim"), arrays, attributes, results) <= 1


@pytest.mark.parametrize("chain", [12, 4096])
def test_a_block_that_adds_up_twice_as_many_features_as_it_has_places(chain, monkeypatch):
    """As on a device for heads of more than 64 features; long sums then take their features one half after the other."""
    monkeypatch.setattr(attention_tiles, "SIMULATED_CHAIN", chain)
    monkeypatch.setattr(attention_tiles.Cut, "wide", property(lambda cut: 2 * cut.side))
    arrays, attributes = drawn("", "float32")
    op, engine = Op.named["dot_product_attention"], CudaEngine("cuda-sim")
    results = engine.compute(op, arrays, attributes)
    (running,) = engine.built.values()
    assert [launch.grid for launch in running.launches] == [(4, 1)]
    assert 0 < hold(op, get_engine("cuda-sim"), arrays, attributes, results) <= 1


def test_a_row_of_logits_that_are_all_minus_infinity():
    """Nothing to weigh by gives NaN, but only if no later key has a larger logit: here the first block of keys has none."""
    call = calls.TINY["attention_blocks"]
    arrays, attributes = calls.arrays(call), {**call.attributes, "is_causal": False}
    bias = np.zeros((11, 13), "float32")
    bias[4, :9], bias[5] = -np.inf, -np.inf
    arrays[3] = bias
    y, height = results = CudaEngine("cuda-sim").compute(Op.named[call.op], arrays, attributes)
    assert np.isnan(y[0]).all(axis=(1, 2)).tolist() == [t == 5 for t in range(11)] and np.isnan(height[0, :, 5]).all()
    assert 0 < hold(Op.named[call.op], get_engine("cuda-sim"), arrays, attributes, results) <= 1
