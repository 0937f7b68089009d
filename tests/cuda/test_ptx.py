"""Kernels become PTX; no device is needed, the toolkit's compiler is.

Every definition is compiled for the least architecture, tuned kernels for the next; REFNET_PROFILE=deep compiles definitions for both.
"""

import importlib.util
import os
import re

import numpy as np
import pytest

import refnet_fast  # noqa: F401  (registers the engines)
from refnet import graph, ops
from refnet.definition import Op, Spec
from refnet.engine import spec_of
from refnet.graph import Tensor
from refnet.program import Instruction
from refnet.testing.draw import Seeded
from refnet.testing.strategies import case, primitives
from refnet_fast.cuda import target

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("numba_cuda") is None or not target.toolkit(),
    reason="PTX not compiled: that takes numba-cuda and the CUDA toolkit's wheels, which are not installed (pip install 'refnet[cuda]')",
)
# What compiles for an architecture compiles for those after it: the least is enough but for the line that names it.
CAPABILITIES = [(8, 0), (9, 0)] if os.environ.get("REFNET_PROFILE") == "deep" else [(8, 0)]


def compiled(op, specs, attributes, capability):
    from refnet_fast.cuda.ptx import compile_ptx  # it imports numba.cuda

    return compile_ptx(op, specs, attributes, capability)


@pytest.mark.parametrize("name", primitives())
def test_every_primitive_compiles(name):
    call = case(name, Seeded((name, "ptx")))
    specs = [spec_of(np.asarray(a)) for a in call.arrays]
    for capability in CAPABILITIES:
        text = compiled(call.op, specs, call.attributes, capability)
        assert f".target sm_{capability[0]}{capability[1]}" in text and ".entry" in text
        assert ".extern .func" not in text  # a call into a library: a kernel with one can not be kept on disk


@pytest.mark.parametrize(
    "name", ["random_normal", "random_truncated_normal", "random_uniform", "matmul", "adam_update", "sum"]
)
def test_no_product_is_contracted(name):
    """With fused multiply-adds normal draws would differ from those of the other engines."""
    call = case(name, Seeded((name, "contraction"), calm=True))
    text = compiled(call.op, [spec_of(np.asarray(a)) for a in call.arrays], call.attributes, (9, 0))
    assert "fma" not in text and not re.search(r"(mul|add|sub)\.f64", text)  # without .rn the assembler may contract


def test_tiles_stay_in_registers():
    from refnet_fast.cuda.ptx import ptx_of_tuned  # it imports numba.cuda

    attributes = {"transpose1": True, "transpose2": False}
    specs = [Spec((784, 128), "float32"), Spec((784, 512), "float32")]
    text, _ = ptx_of_tuned(Op.named["matmul"], specs, attributes, (9, 0))
    assert (
        text.count("fma.rn.f32") % 16 == 0 < text.count("fma.rn.f32")
        and "ld.shared.v4.f32" in text
        and "cp.async" in text
        and ".local" not in text
    )
    (text,) = ptx_of_tuned(Op.named["softmax"], [Spec((8, 1000), "float32")], {"axis": 1}, (9, 0))
    assert ".shared" in text and "shfl" in text and "ex2.approx" in text and ".local" not in text


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "int8", "uint64", "bool"])
@pytest.mark.parametrize(
    "name, attributes", [("max", {"start": 0, "count": 1, "keepdims": False}), ("transpose", {"axes": (1, 0)})]
)
def test_other_dtypes(name, attributes, dtype):
    assert ".entry" in compiled(Op.named[name], [Spec((3, 4), dtype)], attributes, (9, 0))


def test_a_fused_unit_compiles():
    from refnet_fast.cuda.ptx import compile_ptx_of_unit  # it imports numba.cuda

    x, b = Tensor((3, 4)), Tensor((4,))
    with graph.trace.inside(collecting=True):
        y = ops.exp(ops.relu(ops.add(x, b)))
    nodes = [Instruction(n.op, n.inputs, n.attributes, n.outputs, n) for n in graph.sorted_nodes([y])]
    assert compile_ptx_of_unit(nodes, (9, 0)).count(".entry") == 1


@pytest.mark.parametrize("name", ["matmul_tiled", "matmul_short"])
def test_the_largest_tile_leaves_room_for_two_blocks(name):
    """65,536 registers of a multiprocessor, 256 threads of a block."""
    from refnet_fast.cuda import calls, ptx

    call = calls.LARGE[name]
    (text,) = ptx.ptx_of_tuned(Op.named[call.op], call.inputs, call.attributes, (9, 0))
    used = ptx.usage(text, (9, 0))
    assert used["registers"] <= 128 and used["spills"] == 0 and 2 * used["shared"] <= 160 * 1024
    word, multiple = ("mma.sync", 16) if name == "matmul_short" else ("fma.rn.f32", 64)
    assert ".local" not in text and text.count(word) % multiple == 0 < text.count(word)
    assert ("mma.sync" in text) == (name == "matmul_short")


@pytest.mark.parametrize(
    "name", ["slice_runs", "one_hot_runs", "max_pool2d_runs", "random_normal_runs", "dropout_mask_runs"]
)
def test_runs_are_moved_by_instructions_of_16_bytes(name):
    """Of bfloat16, whose elements the compiler would move four at a time; and no index is divided."""
    from refnet_fast.cuda import calls

    call = calls.USUAL[name]
    inputs = tuple(Spec(x.shape, "bfloat16") if x.dtype == "float32" else x for x in call.inputs)
    attributes = {k: "bfloat16" if k == "dtype" else v for k, v in call.attributes.items()}
    found, (launch,) = calls.launches(call._replace(inputs=inputs, attributes=attributes))
    text = launch.ptx((9, 0))
    assert found.name == name and "st.global.v4.u32" in text and not re.search(r"\b(div|rem)\.[su]\d\d", text)
    assert ("ld.global.v4.u32" in text) == (name in ("slice_runs", "max_pool2d_runs"))
    assert not [word for word in (".local", ".extern .func") if word in text]
    if name == "random_normal_runs":  # as the definition rounds: without .rn the assembler may contract
        assert "fma" not in text and not re.search(r"(mul|add|sub)\.f64", text)


def test_tuned_kernels_spill_nothing(capsys):
    """Every tuned kernel, for one architecture, as `python -m refnet_fast.cuda.ptx` prints it for all: each takes seconds."""
    from refnet_fast.cuda import kernels, ptx

    ptx.main([(9, 0)])
    lines = [line.split() for line in capsys.readouterr().out.splitlines()[1:]]
    families = kernels.tuned, kernels.rounding
    steps = {step.name for family in families for found in family.values() for k in found for step in k.steps}
    assert {(name, architecture) for name, architecture, *_ in lines} == {(name, "sm_90") for name in steps}
    for name, architecture, registers, spilled, stack, shared in lines:
        most = 168 if name.endswith("_rounded") else 128  # in TF32 the smaller tile has blocks of 128 threads
        assert 0 < int(registers) <= most and int(spilled) == int(stack) == 0, (name, architecture)
        assert int(shared) <= 48 * 1024, name  # more takes a launch attribute that nobody sets


def test_long_attention_of_wide_heads_spills_nothing():
    """More places than are added up in a row: the sums of a part take registers beside those of all."""
    from refnet_fast.cuda import calls, ptx

    call = calls.attention(1, 8192, 4, 128, 8192, 4, 128)["attention_blocks"]
    (text,) = ptx.ptx_of_tuned(Op.named[call.op], call.inputs, call.attributes, (9, 0))
    used = ptx.usage(text, (9, 0))
    assert used["registers"] <= 128 and used["spills"] == used["stack"] == 0
