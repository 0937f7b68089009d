"""Convolution and pooling. ONNX has the channels second, so each is written between two transposes; neighbours cancel."""

from typing import Any

from refnet.annotations import Shape
from refnet.errors import ArgumentError
from refnet.export.arranging import padded
from refnet.export.writer import Exported, Writer, known, writes
from refnet.ops.windows import places_before, reach


def places_around(extents: Shape, spans: list[int], strides: Any, padding: Any, results: Any = None) -> dict[str, Any]:
    """The attributes that say how a window is padded.

    Args:
        extents: the spatial axes; None where open.
        spans: places under the window.
        padding: a name, or the places before each axis.
        results: how many windows there are along each axis, where padding is given as places.
    """
    if padding == "same" and any(n is None and s > 1 for n, s in zip(extents, strides)):
        return {"auto_pad": "SAME_UPPER"}
    before, after = [], []
    for axis, (n, span, stride) in enumerate(zip(extents, spans, strides)):
        if not isinstance(padding, str):
            first, count = padding[axis], results[axis]
            last = (count - 1) * stride + span - known(extents, axis, "padding") - first
        elif n is None:
            first = {"valid": 0, "causal": span - 1, "same": (span - 1) // 2}[padding]
            last = span - 1 - first if padding == "same" else 0
        else:
            first = places_before(n, span, stride, padding)
            last = 0 if padding == "valid" else (-(-n // stride) - 1) * stride + span - n - first
        before.append(first)
        after.append(max(last, 0))
    return {"pads": [*before, *after]}


@writes("conv", "conv2d", "conv3d")
def convolution(w: Writer, call: Exported) -> str:
    a, x, kernel = call.attributes, call.inputs[0], call.inputs[1]
    rank = len(x.shape)
    sizes = [int(n) for n in kernel.shape[:-2]]
    spans = [reach(size, step) for size, step in zip(sizes, a["dilation"])]
    around = places_around(x.shape[1:-1], spans, a["strides"], a["padding"], a.get("extents"))
    if "auto_pad" in around and any(step > 1 for step in a["dilation"]):
        raise ArgumentError("padding 'same' with strides and dilation over an axis of open length")
    weights = w.transpose(call.names[1], (rank - 1, rank - 2, *range(rank - 2)))
    y = w.node(
        "Conv", w.channels_first(call.names[0], rank), weights, kernel_shape=sizes, strides=list(a["strides"]),
        dilations=list(a["dilation"]), group=a["groups"], **around,
    )  # fmt: skip
    return w.channels_last(y, rank)


@writes("conv_inputs_gradient", "conv2d_inputs_gradient", "conv3d_inputs_gradient")
def transposed(w: Writer, call: Exported) -> str:
    """The transposed convolution: all places that a kernel element falls on, cut at the start and cut or filled at the end."""
    a, x, kernel = call.attributes, call.inputs[0], call.inputs[1]
    rank = len(x.shape)
    if isinstance(a["padding"], str):
        raise ArgumentError("a gradient")
    before, after, more = list(a["padding"]), [], []
    for axis, (size, stride, step) in enumerate(zip(kernel.shape[:-2], a["strides"], a["dilation"])):
        tail = (
            a["tails"][axis] if a.get("tails") else a["extents"][axis] - (known(x.shape, axis + 1, "it") - 1) * stride
        )
        left = reach(int(size), step) - before[axis] - tail
        after.append(max(left, 0))
        more.append(max(-left, 0))
    weights = w.transpose(call.names[1], (rank - 1, rank - 2, *range(rank - 2)))
    y = w.node(
        "ConvTranspose", w.channels_first(call.names[0], rank), weights, strides=list(a["strides"]),
        dilations=list(a["dilation"]), group=a["groups"], pads=[*before, *after],
    )  # fmt: skip
    if any(more):
        y = padded(w, y, [(0, 0), (0, 0), *[(0, n) for n in more]], 0, x.dtype)
    return w.channels_last(y, rank)


def pooling(op: str, kind: str, **more: Any) -> None:
    def rule(w: Writer, call: Exported) -> str:
        a, rank = call.attributes, len(call.inputs[0].shape)
        around = places_around(
            call.inputs[0].shape[1:-1], list(a["pool"]), a["strides"], a["padding"], a.get("extents")
        )
        y = w.node(
            kind, w.channels_first(call.names[0], rank), kernel_shape=list(a["pool"]), strides=list(a["strides"]),
            **around, **more,
        )  # fmt: skip
        return w.channels_last(y, rank)

    writes(op)(rule)


for _op in ("max_pool", "max_pool2d"):
    pooling(_op, "MaxPool")
for _op in ("average_pool", "average_pool2d"):
    pooling(_op, "AveragePool", count_include_pad=0)
