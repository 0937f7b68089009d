"""Depthwise convolutions in the simulator: strides, gaps, several filters for a channel, all floats; held to their certificates."""

import numpy as np
import pytest

import refnet_fast
from refnet import dtypes, ops  # noqa: F401  (declares the ops)
from refnet.definition import Op, size_of
from refnet.testing import hold
from refnet_fast.cuda import calls, kernels
from refnet_fast.cuda.calls import Call, floats
from refnet_fast.cuda.engine import CudaEngine

NAMES = {
    "conv2d": "depthwise_windows",
    "conv2d_inputs_gradient": "depthwise_inputs_gradient_windows",
    "conv2d_kernel_gradient": "depthwise_kernel_gradient_taps",
}


def family(strides, dilation, padding, image, window, channels, filters, dtype="float32"):
    """The Calls of a depthwise convolution and of its gradients: `filters` of them for each channel."""
    spans = [(n - 1) * d + 1 for n, d in zip(window, dilation)]
    extents = tuple((n + 2 * p - s) // step + 1 for n, p, s, step in zip(image, padding, spans, strides))
    x, y = floats(2, *image, channels, dtype=dtype), floats(2, *extents, channels * filters, dtype=dtype)
    kernel = floats(*window, 1, channels * filters, dtype=dtype)
    attributes = {"groups": channels, "strides": strides, "dilation": dilation, "padding": padding}
    inputs = {"conv2d": ((x, kernel), extents), "conv2d_inputs_gradient": ((y, kernel), image)}
    inputs["conv2d_kernel_gradient"] = ((x, y), window)
    return [Call(op, given, {**attributes, "extents": shape}) for op, (given, shape) in inputs.items()]


def computed(call, arrays):
    assert calls.launches(call)[0].name == NAMES[call.op]
    engine = CudaEngine("cuda-sim")
    return engine.compute(Op.named[call.op], arrays, call.attributes), engine


CASES = {
    "strides": family((2, 3), (1, 1), (1, 0), (7, 11), (3, 2), 3, 1),
    "gaps and two filters a channel": family((2, 1), (2, 3), (1, 2), (8, 10), (2, 3), 3, 2),
    "one row": family((1, 2), (1, 1), (0, 1), (1, 12), (1, 3), 5, 1, "bfloat16"),
    "three filters a channel": family((2, 2), (1, 1), (1, 1), (6, 6), (3, 3), 3, 3, "float16"),
    "float64, pixels that no window covers": family((3, 3), (1, 1), (0, 0), (7, 8), (2, 2), 2, 1, "float64"),
    "more padding than window": family((1, 1), (1, 1), (3, 3), (2, 3), (2, 2), 2, 1),
}


@pytest.mark.parametrize(
    "call", [c for cs in CASES.values() for c in cs], ids=[f"{n}, {c.op}" for n, cs in CASES.items() for c in cs]
)
def test_certified(call):
    arrays = calls.arrays(call)
    results, engine = computed(call, arrays)
    assert hold(Op.named[call.op], engine, arrays, call.attributes, results) <= 1
    np.testing.assert_array_equal(results[0], computed(call, arrays)[0][0])


@pytest.mark.parametrize("call", CASES["strides"], ids=lambda c: c.op)
def test_what_the_edge_hides_is_multiplied_with_nothing(call):
    """An infinite weight beside the image and NaN that no window reaches: 0 times either is not in any sum."""
    arrays = calls.arrays(call)
    if call.op == "conv2d_kernel_gradient":
        arrays[0][:, :, 10], arrays[1][:, 0, :, 0] = np.nan, np.inf
    else:
        arrays[1][0, :, 0, 1] = np.inf  # the taps of the first row of windows lie over the edge
    results, engine = computed(call, arrays)
    assert 0 < np.isfinite(results[0]).sum() < size_of(results[0].shape)
    assert hold(Op.named[call.op], engine, arrays, call.attributes, results) <= 1


def test_windows_too_large_for_a_block_are_left_to_others():
    kernels.load()
    attributes = {"groups": 64, "strides": (1, 1), "dilation": (1, 1), "padding": (0, 0), "extents": (8, 8)}
    found, _ = calls.launches(Call("conv2d", (floats(1, 38, 38, 64), floats(31, 31, 1, 64)), attributes))
    assert found is None or found.name not in NAMES.values()


def test_steps_of_a_depthwise_layer_hold_what_their_nodes_certify():
    from refnet import layers
    from refnet.models import Sequential
    from refnet.testing.whole import hold_step

    x, y = np.random.default_rng(2).standard_normal((2, 5, 6, 2)).astype("float32"), np.ones((2, 1), "float32")
    refnet_fast.utils.set_random_seed(1)
    parts = [layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2), layers.GlobalAveragePooling2D()]
    model = Sequential([layers.Input((5, 6, 2)), *parts, layers.Dense(1)])
    model.compile("sgd", "mean_squared_error")
    for _ in range(2):
        assert 0 < hold_step(model, x, y, "cuda-sim") <= 1
