"""bfloat16 on a device: its casts are instructions, of which the processor can run the same; no kernel calls a library for them."""

import importlib.util
import math

import numpy as np
import pytest
from numba import njit, types
from numba.extending import intrinsic

import refnet_fast  # noqa: F401  (registers the engines)
from refnet import dtypes, graph, ops
from refnet.definition import Spec
from refnet.engine import spec_of
from refnet.graph import Tensor
from refnet.program import Instruction
from refnet.testing.draw import Seeded
from refnet.testing.strategies import case
from refnet_fast.build import meaning_of
from refnet_fast.cuda import target

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("numba_cuda") is None or not target.toolkit(),
    reason="PTX not compiled: that takes numba-cuda and the CUDA toolkit's wheels, which are not installed (pip install 'refnet[cuda]')",
)


def rounding(kind, name):
    """A function of `refnet_fast.cuda.bfloat16` for the processor: from a number to the bits of a bfloat16."""

    @intrinsic
    def bits(typing, x):
        def build(context, builder, signature, arguments):
            from refnet_fast.cuda import bfloat16  # it imports numba.cuda

            return getattr(bfloat16, name)(builder, arguments[0])

        return types.uint16(kind), build

    return njit(lambda x: bits(x))


def nearest(x):
    """The bfloat16 that is nearest to a float, of two the one whose last bit is 0, by exact arithmetic."""
    if x == 0 or not math.isfinite(x):
        return x
    unit = 2.0 ** max(math.frexp(x)[1] - 8, -133)
    due = round(x / unit) * unit
    return math.copysign(math.inf if abs(due) >= 2.0**128 else due, x)


def numbers():
    """Halves between two neighbours, and what lies a little beside them; subnormal and huge ones; anything."""
    random = np.random.default_rng(5)
    near = 1 + np.arange(5) * 2.0**-8
    near = np.concatenate([near + d for d in (0, 2.0**-20, -(2.0**-20), 2.0**-40, -(2.0**-40), 2.0**-52, -(2.0**-52))])
    scaled = np.concatenate([near * 2.0**e for e in (-140, -134, -133, -127, -126, 0, 100, 127)])
    rest = [0.0, 2.0**-160, 2.0**-1074, 1e300, 2.0**128 - 2.0**119, 2.0**128 - 2.0**119 - 2.0**80, math.inf]
    drawn = random.standard_normal(500) * 2.0 ** random.integers(-150, 140, 500)
    both = np.concatenate([scaled, rest, drawn])
    return np.concatenate([both, -both])


@pytest.mark.parametrize("dtype, name", [("float64", "nearest_of_double"), ("float32", "nearest")])
def test_numbers_are_rounded_once_to_the_nearest(dtype, name):
    function = rounding(getattr(types, dtype), name)
    with np.errstate(over="ignore"):
        given = numbers().astype(dtype)
    got = np.array([function(x) for x in given], "uint16").view(dtypes.as_numpy("bfloat16")).astype("float64")
    due = np.array([nearest(float(x)) for x in given])
    np.testing.assert_array_equal(got, due)
    np.testing.assert_array_equal(np.signbit(got), np.signbit(due))
    assert np.isnan(np.array([function(given.dtype.type(math.nan))], "uint16").view(dtypes.as_numpy("bfloat16"))[0])


@pytest.mark.parametrize("name", ["sum", "spread", "ctc_loss_gradient", "multiply"])
def test_no_kernel_calls_a_library(name):
    """It would have to be linked, and numba-cuda refuses to keep such a kernel on disk, with an error, when it is launched."""
    from refnet_fast.cuda.ptx import compile_ptx  # it imports numba.cuda

    call = case(name, Seeded((name, "ptx")))
    specs = [spec_of(np.asarray(a)) for a in call.arrays]
    specs = [Spec(s.shape, "bfloat16") if dtypes.is_floating(s.dtype) else s for s in specs]
    text = compile_ptx(call.op, specs, call.attributes, (9, 0))
    assert ".extern .func" not in text and "st.global.u16" in text


@pytest.mark.parametrize(
    "name", ["softmax_rows", "logsumexp_of_rows", "max_pool2d_inputs_gradient_windows", "conv2d_short"]
)
def test_no_tuned_kernel_calls_a_library(name):
    from refnet_fast.cuda import calls

    call = calls.USUAL[name]
    inputs = tuple(Spec(s.shape, "bfloat16") if dtypes.is_floating(s.dtype) else s for s in call.inputs)
    found, launches = calls.launches(call._replace(inputs=inputs))
    assert found.name == name and not any(".extern .func" in launch.ptx((9, 0)) for launch in launches)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_a_fused_unit_calls_no_library_and_computes_in_float32(dtype):
    from refnet_fast.cuda import ptx

    x, b = Tensor((3, 4), dtype), Tensor((4,), dtype)
    with graph.trace.inside(collecting=True):
        y = ops.tanh(ops.relu(ops.add(x, b)))
    nodes = [Instruction(n.op, n.inputs, n.attributes, n.outputs, n) for n in graph.sorted_nodes([y])]
    text = ptx.compile_ptx_of_unit(nodes, (9, 0))
    assert not [word for word in (".extern .func", ".local", ".f64") if word in text]


@pytest.mark.parametrize("module", ["derive", "tile"])
def test_a_kernel_on_disk_is_not_found_after_the_casts_have_changed(module):
    """A kernel's key follows the imports that begin a line."""
    assert "# refnet_fast.cuda.bfloat16\n" in meaning_of(f"refnet_fast.cuda.{module}")
