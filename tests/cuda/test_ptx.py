"""Kernels become PTX; no device is needed, the toolkit's compiler is.

Every definition is compiled for the least architecture, tuned kernels for the next; REFNET_PROFILE=deep compiles definitions for both.
"""

import importlib.util
import math
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


# Which steps of tuned kernels work on float64 where all arrays are float32 or shorter, by why they do.
IN_FLOAT64 = {
    "what is not finite is computed once more, by the definition": """
        conv{}_tiled conv{}_short conv{}_rounded conv{}_inputs_gradient_tiled conv{}_inputs_gradient_short
        conv{}_inputs_gradient_rounded depthwise_windows depthwise_inputs_gradient_windows sum_of_parts
        sum_of_strips
    """,
    "activations are their definitions": """
        simple_rnn_rows simple_rnn_gradient_rows lstm_rows lstm_gradient_rows gru_rows gru_gradient_rows
    """,
    "totals, and what is made of them": """
        sum_of_columns sum_of_chunks sum_of_pieces sum_of_totals sum_of_rows sums_of_rows sums_of_pixels
        softmax_rows log_softmax_rows softmax_gradient_rows log_softmax_gradient_rows logsumexp_of_rows
        softmax_columns log_softmax_columns softmax_gradient_columns log_softmax_gradient_columns
        logsumexp_of_columns softmax_cross_entropy_rows softmax_cross_entropy_gradient_rows
        sparse_softmax_cross_entropy_rows sparse_softmax_cross_entropy_gradient_rows
        layer_normalization_rows layer_normalization_gradient_rows batch_normalization_training_channels
        moments_of_channels normalized_channels batch_normalization_training_gradient_channels
        gradients_of_channels gradients_through_channels
    """,
    "rows exchange what they found as float64, once a row": """
        max_of_rows argmax_of_rows
    """,
    "a variance and its epsilon, once a channel": """
        batch_normalization_lanes batch_normalization_rows
    """,
    "the sum of a row, the mean that a blind query gets, comparisons with infinity, the sign of a zero": """
        attention_blocks attention_query_gradient_blocks attention_key_gradient_blocks
        attention_value_gradient_blocks attention_bias_gradient_blocks
    """,
    "places between pixels, and weights": """
        sample_bilinear_elements sample_nearest_elements sample_bilinear_x_gradient_sorted
        sample_nearest_x_gradient_sorted resize_axis_elements resize_axis_gradient_elements mixed_pixels
        gathered_places
    """,
    "draws have the definition's bits": """
        random_uniform_runs random_normal_runs
    """,
}


def test_tuned_kernels_spill_nothing(capsys):
    """Every tuned kernel, for one architecture, as `python -m refnet_fast.cuda.ptx` prints it for all: each takes seconds."""
    from refnet_fast.cuda import kernels, ptx

    ptx.main(["--for", "sm_90"])
    lines = [line.split() for line in capsys.readouterr().out.splitlines()[1:]]
    families = kernels.tuned, kernels.rounding
    steps = {step.name for family in families for found in family.values() for k in found for step in k.steps}
    assert {(name, architecture) for name, architecture, *_ in lines} == {(name, "sm_90") for name in steps}
    expected = {name.format(f"{axes}d") for names in IN_FLOAT64.values() for name in names.split() for axes in (2, 3)}
    assert {line[0] for line in lines if int(line[6])} == expected
    for name, architecture, registers, spilled, stack, shared, _ in lines:
        most = 168 if name.endswith("_rounded") else 128  # in TF32 the smaller tile has blocks of 128 threads
        assert 0 < int(registers) <= most and int(spilled) == int(stack) == 0, (name, architecture)
        assert int(shared) <= 48 * 1024, name  # more takes a launch attribute that nobody sets


def test_a_name_that_no_kernel_has_is_told(capsys):
    from refnet_fast.cuda import ptx

    with pytest.raises(SystemExit):
        ptx.main(["kernel_of_nobody"])
    assert "no kernel has 'kernel_of_nobody' in its name" in capsys.readouterr().err


def test_long_attention_of_wide_heads_spills_nothing():
    """More places than are added up in a row: the sums of a part take registers beside those of all."""
    from refnet_fast.cuda import calls, ptx

    call = calls.attention(1, 8192, 4, 128, 8192, 4, 128)["attention_blocks"]
    (text,) = ptx.ptx_of_tuned(Op.named[call.op], call.inputs, call.attributes, (9, 0))
    used = ptx.usage(text, (9, 0))
    assert used["registers"] <= 128 and used["spills"] == used["stack"] == 0


# Elementwise ops that work on float64 though they read and write float32.
WIDE_OPS = {
    "NVIDIA's library, or refnet.scalars, has them for float64 alone": """
        arccos arccosh arcsin arcsinh arctan arctan2 arctanh bessel cbrt cosh erfc erfinv sinh tan power
        ftrl_update adam_rate adamax_rate nadam_rates
    """,
    "rests are the definition's": """
        floor_divide mod
    """,
    "bits of neighbours are found in float64": """
        nextafter
    """,
    "their results are not float32": """
        cast cast_to_integer
    """,
}


def test_elementwise_float32_is_computed_in_float32():
    """No element is widened. One number that is not float32, a Python float for example, would make all that follows float64."""
    from refnet_fast.cuda import ptx

    known = {name for names in WIDE_OPS.values() for name in names.split()}
    found = []
    for name in primitives():
        if Op.named[name].scalar is not None and name not in known:
            call = case(name, Seeded((name, "float32")))
            arrays = [np.asarray(a) for a in call.arrays]
            kinds = ["float32" if "float" in a.dtype.name else a.dtype.name for a in arrays]
            inputs = [Tensor((64, 32) if a.ndim else (), kind) for a, kind in zip(arrays, kinds)]
            if "float32" in {x.dtype for x in inputs}:
                with graph.trace.inside(collecting=True):
                    node = graph.Node(Op.named[name], inputs, call.attributes)
                found.append(Instruction(node.op, node.inputs, node.attributes, node.outputs, node))
    assert len(found) > 50
    for first in range(0, len(found), 10):
        nodes = found[first : first + 10]
        text = ptx.compile_ptx_of_unit(nodes, (9, 0))
        assert not re.search(r"cvt\.f64\.[fb]", text), [node.op.name for node in nodes]


@pytest.mark.parametrize("size", ["TINY", "USUAL", "LARGE"])
def test_a_device_takes_the_blocks_and_grids_of_all_launches(size):
    """Grids have 65,535 blocks along y and z. A kernel that says how large its blocks are has no larger ones. One that does not has 255
    registers a thread, of which a multiprocessor has 65,536: 256 threads."""
    from refnet_fast.cuda import calls

    for name, call in getattr(calls, size).items():
        for kind, rounds in (("float32", False), ("float32", True), ("float64", False)):
            inputs = tuple(Spec(x.shape, kind) if x.dtype == "float32" else x for x in call.inputs)
            for launch in calls.launches(call._replace(inputs=inputs), rounds)[1]:
                (bounds, *_) = [*map(int, re.findall(r"^BOUNDS = \((\d+),", launch.text, re.MULTILINE)), 256]
                assert math.prod(launch.block) <= bounds, (name, launch.step, kind)
                assert launch.grid[0] < 2**31 and max((0, *launch.grid[1:])) < 65536, (name, launch.step, kind)
