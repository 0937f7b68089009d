"""Products with an epilogue, and products in TF32, become PTX: their sums stay in registers. No device is needed."""

import importlib.util

import pytest

import refnet_fast  # noqa: F401  (registers the engines)
from refnet import graph, ops
from refnet.definition import Op, View
from refnet.graph import Tensor
from refnet.program import Instruction
from refnet_fast.cuda import target

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("numba_cuda") is None or not target.toolkit(),
    reason="PTX not compiled: that takes numba-cuda and the CUDA toolkit's wheels, which are not installed (pip install 'refnet[cuda]')",
)


def finished(call, make):
    """The Launches of a product that finishes `make(its result, a bias)`."""
    from refnet_fast.cuda import calls, epilogue  # they import numba.cuda
    from refnet_fast.derive import Placed
    from refnet_fast.fuse import Operand, unit_shape
    from refnet_fast.kernels import KernelCall

    op, a = Op.named[call.op], call.attributes
    form, (result,) = op.form(*call.inputs, **a), op.specs(*call.inputs, **a)
    z, bias = Tensor(result.shape, result.dtype), Tensor(result.shape[-1:], result.dtype)
    with graph.trace.inside(collecting=True):
        y = make(z, bias)
    nodes = [Instruction(n.op, n.inputs, n.attributes, n.outputs, n) for n in graph.sorted_nodes([y])]
    joined, strides = unit_shape(y.shape, [bias.shape, y.shape])
    operands = {t: Operand(0, t.dtype, s) for t, s in zip((bias, y), strides)}
    finish = epilogue.Epilogue(nodes, [z], False, operands, joined)
    seen = KernelCall(op, form, call.inputs, (result,), a)
    inputs = [Placed(0, view, spec.dtype) for view, spec in zip(form.inputs, call.inputs)]
    outputs = [Placed(0, view, result.dtype) for view in form.outputs]
    room = lambda shape, dtype: Placed(0, View(tuple(shape)), dtype)
    return calls.launches(call)[0].launches(seen, inputs, outputs, room, finish)


@pytest.mark.parametrize(
    "name, dtype", [("matmul_tiled", "float32"), ("matmul_short", "float16"), ("matmul_short", "bfloat16")]
)
def test_an_epilogue_spills_nothing(name, dtype):
    """The largest tile, whose sums take half of the registers."""
    from refnet_fast.cuda import calls, ptx

    call = calls.LARGE[name]
    call = call._replace(inputs=tuple(calls.floats(*spec.shape, dtype=dtype) for spec in call.inputs))
    (launch,) = finished(call, lambda z, bias: ops.tanh(ops.add(z, bias)))
    text = launch.ptx((9, 0))
    used = ptx.usage(text, (9, 0))
    assert used["registers"] <= 128 and used["spills"] == 0 and ".local" not in text


def test_tf32_on_tensor_cores():
    from refnet_fast.cuda import calls, ptx

    found, (launch,) = calls.launches(calls.LARGE["matmul_tiled"], rounds=True)
    text = launch.ptx((8, 0))
    used = ptx.usage(text, (8, 0))
    assert found.name == "matmul_rounded" and used["registers"] <= 128 and used["spills"] == 0 and ".local" not in text
    assert "mma.sync.aligned.m16n8k8.row.col.f32.tf32" in text and "cvt.rna.tf32" in text
    (plain,) = calls.launches(calls.LARGE["matmul_tiled"])[1]
    assert "tf32" not in plain.ptx((8, 0))
