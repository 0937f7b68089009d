"""Every primitive in the simulator gives the reference's bits: the kernel's text, its indices, strides and stores are right.

But what tuned kernels serve, and elementwise floats of 32 and 16 bits, which are computed in float32: these are held to their certificates.
"""

from types import SimpleNamespace

import numpy as np
import pytest
from numba.core import types
from numba.core.registry import cpu_target

import refnet_fast  # noqa: F401  (registers the engines)
from refnet.definition import Op
from refnet.engine import reference
from refnet.philox import fraction, philox4x32
from refnet.testing import hold
from refnet.testing.draw import Seeded
from refnet.testing.strategies import case, primitives
from refnet_fast.cuda import casting, joining, runs, target
from refnet_fast.cuda.engine import CudaEngine
from refnet_fast.cuda.philox import fraction_by_factor, philox_in_words
from refnet_fast.cuda.simulator import shared_array

SHORT = {"float32", "float16", "bfloat16", "bool"}


@pytest.mark.parametrize("name", primitives())
def test_the_bits_of_the_reference(name):
    for seed in range(3):
        call = case(name, Seeded((name, seed), exotic=True))
        arrays = [np.asarray(a) for a in call.arrays]
        expected = reference.compute(call.op, arrays, call.attributes)
        engine = CudaEngine("cuda-sim")
        got = engine.compute(call.op, arrays, call.attributes)
        short = call.op.scalar is not None and {a.dtype.name for a in (*arrays, *expected)} <= SHORT
        if short or any(launch.step for running in engine.built.values() for launch in running.launches):
            assert hold(call.op, engine, arrays, call.attributes, got) <= 1
            continue
        for y, due in zip(got, expected, strict=True):
            assert y.dtype == due.dtype and y.shape == due.shape
            wide = (lambda a: a.astype("float64")) if due.dtype.name == "bfloat16" else (lambda a: a)
            np.testing.assert_array_equal(wide(y), wide(due))
            if due.dtype.kind == "f":
                np.testing.assert_array_equal(np.signbit(y) | np.isnan(y), np.signbit(due) | np.isnan(due))


def test_a_block_has_one_shared_array_for_a_line():
    """However many of its threads look before one has made it."""

    class Late(dict):
        def get(self, key, default=None):
            return default  # what a thread sees that looks a moment too early

    block = SimpleNamespace(_allocations=Late())
    one, same = (shared_array(block, 3, np.float32) for _ in range(2))
    other = shared_array(block, 3, np.float32)
    assert one is same and other is not one


def test_the_generator_in_words_of_32_bits():
    """All ones and zeros carry farthest; the rest is drawn."""
    rng = np.random.default_rng(0)
    words = np.concatenate([rng.integers(0, 2, (20, 6)) * (2**32 - 1), rng.integers(0, 2**32, (200, 6))])
    with np.errstate(all="ignore"):  # as in a kernel
        for six in words.tolist():
            assert philox_in_words(*six) == philox4x32(*six)
            assert all(fraction_by_factor(six[0], bits) == fraction(six[0], bits) for bits in (8, 11, 24))


def test_division_by_a_factor_and_a_shift():
    """At both sides of every multiple, where it could be one off, up to the largest of both numbers."""
    rng = np.random.default_rng(0)
    for d in [1, 2, 3, 2**16 + 1, 2**30, 2**31 - 1, 2**31, *rng.integers(1, 2**31, 500).tolist()]:
        by, last = runs.divisor(d), (2**31 - 1) // d * d
        assert by[1] < 2**32  # a word
        for n in {0, 1, d - 1, d, d + 1, last - 1, last, 2**31 - 1}:
            if 0 <= n < 2**31:
                assert runs.divided(n, by) == n // d


def test_arguments_of_a_launch_fit_into_what_any_driver_takes():
    context = cpu_target.target_context

    def taken(*ranks):
        arrays = [types.Array(types.float32, rank, "C") for rank in ranks]
        return sum(context.get_abi_sizeof(context.get_data_type(array)) for array in arrays)

    assert taken(*[3] * (joining.MOST + 1)) <= target.ARGUMENTS < taken(*[3] * (joining.MOST + 2))
    assert taken(*[1] * (2 * casting.MOST)) + 64 * 8 <= target.ARGUMENTS  # and 64 numbers


@pytest.mark.parametrize("axis", [0, 1])
def test_a_concatenation_of_more_parts_than_a_launch_takes(axis, monkeypatch):
    """Two at a time; the last by itself, one of them empty."""
    monkeypatch.setattr(joining, "MOST", 2)
    lengths = [3, 1, 0, 0, 2, 4, 5]
    parts = [np.full((n, 3) if axis == 0 else (2, n), 10 * k, "float32") for k, n in enumerate(lengths)]
    parts = [part + np.arange(part.size, dtype="float32").reshape(part.shape) / 100 for part in parts]
    engine = CudaEngine("cuda-sim")
    (y,) = engine.compute(Op.named["concatenate"], parts, {"axis": axis})
    np.testing.assert_array_equal(y, np.concatenate(parts, axis))
    (running,) = engine.built.values()
    assert len(running.launches) == 4
