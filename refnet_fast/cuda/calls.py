"""Calls that the tuned kernels serve, in three sizes: to be simulated, to be compiled and to be timed."""

from typing import NamedTuple

import numpy as np

from refnet import dtypes, random  # noqa: F401  (declares the draws)
from refnet.definition import Op, Spec, View, size_of
from refnet.ops import shuffling  # noqa: F401  (declares the op permutation)
from refnet.ops.recurrent import SIGMOID, TANH
from refnet_fast.cuda import kernels
from refnet_fast.derive import Placed
from refnet_fast.kernels import KernelCall


class Call(NamedTuple):
    """A call of a primitive.

    Args:
        op: its name.
        inputs: Specs.
        attributes: complete.
        below: what its integers lie below, if it has any.
    """

    op: str
    inputs: tuple
    attributes: dict
    below: int = 0


def floats(*shape, dtype="float32"):
    return Spec(shape, dtype)


RUN = Spec((1,), "int64")  # the run of a program, which what draws is given


def calls(rows, features, pixels, channels, table, picked, product, convolved, apart, sequences, attended):
    """{name of a tuned kernel: Call}, with arrays of these sizes.

    Args:
        rows, features: of what is worked on row by row.
        pixels, channels: of images, each of 26 pixels.
        table, picked: rows of a table, and how many of them are picked; each has as many elements as there are channels.
        product: rows, columns and inner size of a matrix product.
        sequences: rows of a batch, time steps, units of a recurrent layer.
        convolved: images, height and width, channels, filters of a convolution, whose kernel is 3 x 3.
        apart: images, height and width, channels of a depthwise one.
        attended: batch, queries, heads and features of attention's queries; keys and heads of its keys; features of its values.
    """
    m, n, k = product
    a, b = floats(m, k, dtype="bfloat16"), floats(k, n, dtype="bfloat16")
    found = {
        "matmul_tiled": Call("matmul", (floats(k, m), floats(k, n)), {"transpose1": True, "transpose2": False}),
        "matmul_short": Call("matmul", (a, b), {"transpose1": False, "transpose2": False}),
    }
    found |= by_rows(rows, features) | of_images(pixels, channels) | moved(rows, features, channels, table, picked)
    found |= in_runs(rows, features, pixels, -(-channels // 4) * 4)
    found |= convolutions(*convolved, "tiled", "float32") | convolutions(*convolved, "short", "float16")
    return found | depthwise(*apart) | recurrent(*sequences) | attention(*attended)


def by_rows(rows, features):
    """{name: Call} of kernels that work on rows of a matrix: reductions, softmax and its losses, normalization."""
    whole, row, column, labels = floats(rows, features), floats(rows), floats(features), Spec((rows,), "int32")
    last, layer = {"start": 1, "count": 1, "keepdims": False}, {"count": 1, "epsilon": 1e-3}
    found = {
        "sum_of_rows": Call("sum", (whole,), last),
        "sum_of_pieces": Call("sum", (floats(1, max(rows * features, 16384)),), last),
        "max_of_rows": Call("max", (whole,), last),
        "argmax_of_rows": Call("argmax", (whole,), last),
        "logsumexp_of_rows": Call("logsumexp", (whole,), last),
        "softmax_rows": Call("softmax", (whole,), {"axis": 1}),
        "log_softmax_rows": Call("log_softmax", (whole,), {"axis": 1}),
        "softmax_gradient_rows": Call("softmax_gradient", (whole, whole), {"axis": 1}),
        "log_softmax_gradient_rows": Call("log_softmax_gradient", (whole, whole), {"axis": 1}),
        "layer_normalization_rows": Call("layer_normalization", (whole, column, column), layer),
        "layer_normalization_gradient_rows": Call(
            "layer_normalization_gradient", (whole, whole, row, row, column), layer
        ),
    }
    wide, high = floats(features, rows + 32), floats(2, features, rows)
    for name in ("max", "argmax", "logsumexp"):
        found[f"{name}_of_columns"] = Call(name, (wide,), {"start": 0, "count": 1, "keepdims": False})
    for name in ("softmax", "log_softmax"):
        found[f"{name}_columns"] = Call(name, (high,), {"axis": 1})
        found[f"{name}_gradient_columns"] = Call(f"{name}_gradient", (high, high), {"axis": 1})
    for name, target, extra in (
        ("softmax_cross_entropy", whole, 0),
        ("sparse_softmax_cross_entropy", labels, features),
    ):
        found[f"{name}_rows"] = Call(name, (whole, target), {}, extra)
        found[f"{name}_gradient_rows"] = Call(f"{name}_gradient", (row, whole, target), {}, extra)
    return found


def of_images(pixels, channels):
    """{name: Call} of kernels that work on channels, and of those that find new pixels between old ones."""
    images, channel, batch = floats(pixels, channels), floats(channels), {"axis": 1, "epsilon": 1e-3}
    image, half = floats(max(1, pixels // 26), 2, 13, channels), floats(max(1, pixels // 26), 1, 6, channels)
    found = {
        "sum_of_columns": Call("sum", (images,), {"start": 0, "count": 1, "keepdims": False}),
        "batch_normalization_training_channels": Call(
            "batch_normalization_training", (images, channel, channel), batch
        ),
        "batch_normalization_training_gradient_channels": Call(
            "batch_normalization_training_gradient", (images, images, channel, channel, channel), batch
        ),
        "resize_axis_elements": Call("resize_axis", (image,), {"axis": 2, "length": 21, "cubic": True}),
        "resize_axis_gradient_elements": Call(
            "resize_axis_gradient", (image,), {"axis": 2, "length": 9, "cubic": False}
        ),
    }
    points = floats(*image.shape[:3])
    for kind in ("bilinear", "nearest"):
        sampled = {"mode": 0, "fill": 0.5}
        found[f"sample_{kind}_elements"] = Call(f"sample_{kind}", (image, points, points), sampled)
        sampled = {"mode": 1, "height": 2, "width": 5}
        given = half, floats(*half.shape[:3]), floats(*half.shape[:3])
        found[f"sample_{kind}_x_gradient_sorted"] = Call(f"sample_{kind}_x_gradient", given, sampled)
    return found


def moved(rows, features, channels, table, picked):
    """{name: Call} of kernels that pick, join, turn and order elements."""
    whole, words, lane = floats(rows, features), Spec((picked,), "int32"), min(rows * features // 8, 8192)
    return {
        "take_rows": Call("take", (floats(table, channels), words), {"axis": 0}, table),
        "take_x_gradient_sorted": Call(
            "take_x_gradient", (floats(picked, channels), words), {"axis": 0, "length": table}, table
        ),
        "transpose_tiles": Call("transpose", (whole,), {"axes": (1, 0)}),
        "concatenate_elements": Call("concatenate", (whole, floats(3, features), whole), {"axis": 0}),
        "argsort_lanes": Call(
            "argsort", (floats(max(2, rows * features // 8 // lane), lane),), {"axis": 1, "descending": False}
        ),
        "permutation_in_rounds": Call(
            "permutation", (Spec((1,), "int64"),), {"shape": (picked // 4,), "dtype": "int64", "seed": 7, "place": 3}, 5
        ),
    }


def in_runs(rows, features, pixels, channels):
    """{name: Call} of kernels whose threads work on runs of neighbours; arguments as of `calls`, the channels a multiple of four."""
    many, whole, channel = max(1, pixels // 26), floats(rows, features), floats(channels)
    image, half, pooled = floats(many, 2, 13, channels), floats(many, 1, 6, channels), floats(many, 3, 7, channels)
    apart = {"pool": (2, 2), "strides": (2, 2), "padding": (0, 0)}
    over = {"pool": (2, 3), "strides": (1, 2), "padding": (1, 1)}
    drawn = {"shape": (rows * features,), "dtype": "float32", "seed": 7, "place": 3}
    labels, numbers = Spec((rows,), "int32"), Spec((rows, features), "int32")
    vectors = (channel,) * 4
    one_hot = {"num_classes": features, "axis": 1, "dtype": "float32"}
    # all bytes are counted
    most = {"start": (0, 0, 1, 8), "step": (1, 1, 1, 1), "extents": (many, 2, 12, channels - 8)}
    return {
        "max_pool2d_runs": Call("max_pool2d", (image,), {**over, "extents": (3, 7)}),
        "max_pool2d_inputs_gradient_runs": Call(
            "max_pool2d_inputs_gradient", (pooled, image), {**over, "extents": (2, 13)}
        ),
        "max_pool2d_inputs_gradient_windows": Call(
            "max_pool2d_inputs_gradient", (half, image), {**apart, "extents": (2, 13)}
        ),
        "average_pool2d_runs": Call("average_pool2d", (image,), {**over, "extents": (3, 7)}),
        "average_pool2d_inputs_gradient_runs": Call(
            "average_pool2d_inputs_gradient", (pooled,), {**over, "extents": (2, 13)}
        ),
        "batch_normalization_rows": Call(
            "batch_normalization", (floats(pixels, channels), *vectors), {"axis": 1, "epsilon": 1e-3}
        ),
        "batch_normalization_lanes": Call(
            "batch_normalization", (floats(many, channels, 24), *vectors), {"axis": 1, "epsilon": 1e-3}
        ),
        "slice_runs": Call("slice", (image,), most),
        "spread_runs": Call("spread", (image,), {"axis": 2, "start": 25, "step": -2, "length": 28, "value": 0.5}),
        "take_along_axis_runs": Call("take_along_axis", (whole, numbers), {"axis": 1}, features),
        "one_hot_runs": Call("one_hot", (labels,), one_hot, features),
        "random_uniform_runs": Call("random_uniform", (RUN,), {**drawn, "minval": -1.0, "maxval": 2.0}, 5),
        "random_normal_runs": Call("random_normal", (RUN,), {**drawn, "mean": 1.0, "stddev": 0.5}, 5),
        "dropout_mask_runs": Call("dropout_mask", (RUN,), {**drawn, "rate": 0.3}, 5),
    }


def convolutions(images, side, channels, filters, ending, dtype):
    """{name: Call} of convolutions, by 3 x 3 (x 3) windows that hang over the edges, and of their gradients.

    Volumes are one shorter than images along each axis, and as many fewer as they are deep.
    """
    found = {}
    for axes in (2, 3):
        attributes = {"groups": 1, "strides": (1,) * axes, "dilation": (1,) * axes, "padding": (1,) * axes}
        images_now = images if axes == 2 else max(1, images // side)
        spatial, window = (side + 2 - axes,) * axes, (3,) * axes
        x, y = (floats(images_now, *spatial, last, dtype=dtype) for last in (channels, filters))
        kernel, name = floats(*window, channels, filters, dtype=dtype), f"conv{axes}d"
        for suffix, inputs, extents in (
            ("", (x, kernel), spatial),
            ("_inputs_gradient", (y, kernel), spatial),
            ("_kernel_gradient", (x, y), window),
        ):
            found[f"{name}{suffix}_{ending}"] = Call(name + suffix, inputs, {**attributes, "extents": extents})
    return found


def depthwise(images, side, channels):
    """{name: Call} of convolutions of each channel by itself, and of their gradients."""
    attributes = {"groups": channels, "strides": (1, 1), "dilation": (1, 1), "padding": (1, 1)}
    x, kernel = floats(images, side, side, channels), floats(3, 3, 1, channels)
    return {
        f"depthwise{suffix}": Call(op, inputs, {**attributes, "extents": extents})
        for op, suffix, inputs, extents in (
            ("conv2d", "_windows", (x, kernel), (side, side)),
            ("conv2d_inputs_gradient", "_inputs_gradient_windows", (x, kernel), (side, side)),
            ("conv2d_kernel_gradient", "_kernel_gradient_taps", (x, x), (3, 3)),
        )
    }


def recurrent(batch, time, units):
    """{name: Call} of recurrent layers and their gradients, as a layer calls them that drops nothing and masks no step."""
    found, one = {}, floats(1, 1, 1)
    mask, state, kept = Spec((1, 1), "bool"), floats(batch, units), floats(batch, time, units)
    for name, gates, states in (("simple_rnn", 1, 1), ("lstm", 4, 2), ("gru", 3, 1)):
        columns = floats(batch, time, gates * units)
        kernel, bias = floats(units, gates * units), [floats(gates * units)] * (name == "gru")
        codes = {"activation": TANH} | ({"recurrent_activation": SIGMOID} if gates > 1 else {})
        codes |= {"reset_after": True} if name == "gru" else {}
        flows = {
            "simple_rnn": [kept, kept],
            "lstm": [kept, one, one, columns, kept],
            "gru": [kept, one, one, kept, columns, kept],
        }
        first = [state] if gates > 1 else []
        found[f"{name}_rows"] = Call(name, (columns, kernel, *bias, *[state] * states, mask, one), codes)
        found[f"{name}_gradient_rows"] = Call(f"{name}_gradient", (*flows[name], kernel, *first, mask, one), codes)
    return found


def attention(batch, queries, heads, features, keys, shared, depth):
    """{name: Call} of attention and its gradients; causal, so that a block meets keys that it sees, and such as it does not."""
    q, k, v = (
        floats(batch, queries, heads, features),
        floats(batch, keys, shared, features),
        floats(batch, keys, shared, depth),
    )
    given, attributes = (q, k, v, floats(), Spec((), "bool")), {"scale": features**-0.5, "is_causal": True}
    dy, row = floats(batch, queries, heads, depth), floats(batch, heads, queries)
    found = {"attention_blocks": Call("dot_product_attention", given, attributes)}
    for kind in ("query", "key", "bias"):
        op = f"dot_product_attention_{kind}_gradient"
        found[f"attention_{kind}_gradient_blocks"] = Call(op, (dy, *given, row, row), attributes)
    return found


TINY = calls(
    rows=9,
    features=45,
    pixels=53,
    channels=11,
    table=6,
    picked=251,
    product=(17, 7, 20),
    convolved=(1, 3, 2, 9),
    apart=(2, 9, 3),
    sequences=(3, 2, 3),
    attended=(1, 11, 2, 5, 13, 1, 9),
)
USUAL = calls(
    rows=128,
    features=1000,
    pixels=26000,
    channels=64,
    table=10000,
    picked=12800,
    product=(784, 512, 128),
    convolved=(64, 28, 64, 64),
    apart=(64, 28, 64),
    sequences=(128, 50, 64),
    attended=(32, 128, 8, 64, 128, 8, 64),
)
# 128 MB and more for most: far more than a device's cache holds
LARGE = calls(
    rows=32768,
    features=1024,
    pixels=1048576,
    channels=64,
    table=100000,
    picked=524288,
    product=(4096, 4096, 4096),
    convolved=(256, 56, 64, 64),
    apart=(256, 56, 64),
    sequences=(1024, 100, 128),
    attended=(8, 2048, 16, 64, 2048, 16, 64),
)


DRAWN = 2**20 + 7  # numbers that are drawn for an array; more of them begin again


def arrays(call, seed=0):
    """Drawn inputs of a call: normal numbers (variances are squares), integers below `below`."""
    rng = np.random.default_rng(seed)
    drawn = []
    for spec in call.inputs:
        kind, size = dtypes.as_numpy(spec.dtype), size_of(spec.shape)
        some = min(size, DRAWN)
        if dtypes.is_floating(spec.dtype):
            numbers = rng.standard_normal(some, "float32").astype(kind)
        elif spec.dtype == "bool":
            numbers = np.ones(some, bool)  # every step counts
        else:
            numbers = rng.integers(0, call.below, some, kind)
        drawn.append(np.resize(numbers, spec.shape))
    if call.op.endswith("normalization_gradient") or call.op.endswith("training_gradient"):
        drawn[3] = drawn[3] ** 2 + 1  # the variances
    if call.op == "batch_normalization":
        drawn[2] = drawn[2] ** 2 + 1
    if call.op == "adam_update":
        drawn[2] = drawn[2] ** 2  # the mean squares
    return drawn


def launches(call, rounds=False):
    """The tuned kernel that serves a call, None if there is none, and its Launches, with every array at no address.

    Args:
        rounds: as `kernels.find` takes it.
    """
    op, attributes = Op.named[call.op], call.attributes
    form, results = op.form(*call.inputs, **attributes), op.specs(*call.inputs, **attributes)
    seen = KernelCall(op, form, tuple(call.inputs), tuple(results), attributes)
    found = kernels.find(seen, rounds)
    if found is None:
        return None, []
    inputs = [Placed(0, view, spec.dtype) for view, spec in zip(form.inputs, call.inputs)]
    outputs = [Placed(0, view, spec.dtype) for view, spec in zip(form.outputs, results)]
    return found, found.launches(seen, inputs, outputs, lambda shape, dtype: Placed(0, View(tuple(shape)), dtype))
