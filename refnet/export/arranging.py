"""Shapes: the same elements arranged, picked, joined, padded."""

from typing import Any

import numpy as np

from refnet import dtypes
from refnet.errors import ArgumentError
from refnet.export.writer import FAR, Exported, Writer, known, writes


@writes("dimension")
def dimension(w: Writer, call: Exported) -> str:
    return w.node("Gather", w.node("Shape", call.names[0]), w.constant(call.attributes["axis"], "int64"))


@writes("reshape")
def reshape(w: Writer, call: Exported) -> str:
    shape = call.attributes["shape"]
    if shape.count(None) == 1 and -1 not in shape and 0 not in shape:
        target = w.ints(*[-1 if d is None else d for d in shape])
    else:
        target = w.shape(call)
    return w.node("Reshape", call.names[0], target, **({"allowzero": 1} if 0 in shape else {}))


@writes("broadcast_to")
def broadcast_to(w: Writer, call: Exported) -> str:
    return w.node("Expand", call.names[0], w.shape(call))


@writes("broadcast_like")
def broadcast_like(w: Writer, call: Exported) -> str:
    return w.node("Expand", call.names[0], w.node("Shape", call.names[1]))


@writes("expand_dims")
def expand_dims(w: Writer, call: Exported) -> str:
    return w.unsqueeze(call.names[0], *call.attributes["axes"])


@writes("squeeze")
def squeeze(w: Writer, call: Exported) -> str:
    axes = call.attributes["axes"]
    return w.node("Squeeze", call.names[0], w.ints(*axes)) if axes else call.names[0]


@writes("transpose")
def transpose(w: Writer, call: Exported) -> str:
    return w.transpose(call.names[0], call.attributes["axes"])


@writes("concatenate")
def concatenate(w: Writer, call: Exported) -> str:
    return w.node("Concat", *call.names, axis=call.attributes["axis"])


def cut(w: Writer, x: str, ranges: list[tuple[int, int, int, int]]) -> str:
    """A part of x: (axis, start, stop, step) of each axis that is cut."""
    if not ranges:
        return x
    axes, starts, stops, steps = zip(*ranges)
    return w.node("Slice", x, w.ints(*starts), w.ints(*stops), w.ints(*axes), w.ints(*steps))


@writes("get_item")
def get_item(w: Writer, call: Exported) -> str:
    ranges = []
    for axis, (start, stop, step) in enumerate(call.attributes["ranges"]):
        if step == 0:
            ranges.append((axis, start, start + 1 if start != -1 else FAR, 1))
        elif (start, stop, step) != (None, None, 1):
            first = (0 if step > 0 else FAR) if start is None else start
            ranges.append((axis, first, (FAR if step > 0 else -FAR) if stop is None else stop, step))
    return cut(w, call.names[0], ranges)


@writes("slice")
def block(w: Writer, call: Exported) -> str:
    a, ranges = call.attributes, []
    for axis, (start, step, extent) in enumerate(zip(a["start"], a["step"], a["extents"])):
        stop = start + extent * step
        ranges.append((axis, start, stop if stop >= 0 else -FAR, step))
    return cut(w, call.names[0], ranges)


def padded(w: Writer, x: str, widths: Any, value: Any, dtype: str) -> str:
    before, after = zip(*widths)
    return w.node("Pad", x, w.ints(*before, *after), w.constant(value, dtype))


@writes("pad")
def pad(w: Writer, call: Exported) -> str:
    return padded(w, call.names[0], call.attributes["widths"], call.attributes["value"], call.inputs[0].dtype)


@writes("spread")
def spread(w: Writer, call: Exported) -> str:
    a, shape = call.attributes, call.inputs[0].shape
    before, after = a["start"], a["length"] - a["start"] - known(shape, a["axis"], "padding")
    if a["step"] != 1 or before < 0 or after < 0:
        raise ArgumentError("its elements are spread with gaps between them")
    widths = [(before, after) if axis == a["axis"] else (0, 0) for axis in range(len(shape))]
    return padded(w, call.names[0], widths, a["value"], call.inputs[0].dtype)


@writes("take")
def take(w: Writer, call: Exported) -> str:
    x, indices = call.names
    if call.inputs[1].dtype not in ("int32", "int64"):
        indices = w.cast(indices, "int64")
    return w.node("Gather", x, indices, axis=call.attributes["axis"])


@writes("take_along_axis")
def take_along_axis(w: Writer, call: Exported) -> str:
    return w.node("GatherElements", call.names[0], w.cast(call.names[1], "int64"), axis=call.attributes["axis"])


@writes("arange")
def arange(w: Writer, call: Exported) -> str:
    if not dtypes.is_integer(call.outputs[0].dtype):
        raise ArgumentError("a range of floats")
    start = w.constant(call.attributes["start"], "int64")
    length = w.node("Squeeze", w.shape(call), w.ints(0))
    row = w.node("Range", start, w.node("Add", start, length), w.constant(1, "int64"))
    return w.cast(row, call.outputs[0].dtype)


@writes("one_hot")
def one_hot(w: Writer, call: Exported) -> str:
    classes, axis, rank = call.attributes["num_classes"], call.attributes["axis"], len(call.outputs[0].shape)
    row = [classes if i == axis % rank else 1 for i in range(rank)]
    numbers = w.constant(np.arange(classes, dtype=np.int64).reshape(row))
    x = w.unsqueeze(w.cast(call.names[0], "int64"), axis % rank)
    return w.cast(w.node("Equal", x, numbers), call.outputs[0].dtype)


@writes("bincount", "bincount_integers")
def bincount(w: Writer, call: Exported) -> str:
    """Each number's amount is added at its place in a row of zeros."""
    amounts, numbers = call.names
    rows = w.node("Gather", w.node("Shape", numbers), w.ints(0))
    shape = w.node("Concat", rows, w.ints(call.attributes["length"]), axis=0)
    zeros = w.node("Expand", w.constant(0, call.outputs[0].dtype), shape)
    return w.node("ScatterElements", zeros, w.cast(numbers, "int64"), amounts, axis=1, reduction="add")


@writes("resize_axis", "enlarge_axis", "adaptive_mean")
def along_an_axis(w: Writer, call: Exported) -> str:
    """A linear map along one axis: its matrix is what the op makes of the unit vectors."""
    axis, shape = call.attributes["axis"], call.inputs[0].shape
    units = np.eye(known(shape, axis, "resizing"))
    matrix = np.asarray(call.op(units, **{**call.attributes, "axis": 1}))
    order = [*[a for a in range(len(shape)) if a != axis], axis]
    y = w.node("MatMul", w.transpose(call.names[0], order), w.constant(matrix, call.inputs[0].dtype))
    return w.transpose(y, [order.index(a) for a in range(len(shape))])


@writes("adaptive_argmax")
def adaptive_argmax(w: Writer, call: Exported) -> str:
    from refnet.ops.adaptive import end_of, start_of

    axis, length = call.attributes["axis"], call.attributes["length"]
    extent = known(call.inputs[0].shape, axis, "adaptive pooling")
    parts = []
    for k in range(length):
        start, end = start_of(k, extent, length), end_of(k, extent, length)
        best = w.node("ArgMax", cut(w, call.names[0], [(axis, start, end, 1)]), axis=axis, keepdims=1)
        parts.append(w.node("Add", best, w.constant(start, "int64")))
    return w.cast(w.node("Concat", *parts, axis=axis), "int32")


@writes("cumsum")
def cumsum(w: Writer, call: Exported) -> str:
    axis = w.constant(call.attributes["axis"], "int64")
    return w.node("CumSum", call.names[0], axis, reverse=int(call.attributes.get("reverse", False)))


@writes("searchsorted")
def searchsorted(w: Writer, call: Exported) -> str:
    """How many elements of the sorted row stand before x."""
    row, x = call.names
    kind = "LessOrEqual" if call.attributes["right"] else "Less"
    before = w.cast(w.node(kind, row, w.unsqueeze(x, len(call.inputs[1].shape))), "int32")
    return w.cast(w.node("ReduceSum", before, w.ints(-1), keepdims=0), call.outputs[0].dtype)


@writes("argsort")
def argsort(w: Writer, call: Exported) -> str:
    axis, x = call.attributes["axis"], call.names[0]
    length = w.node("Gather", w.node("Shape", x), w.ints(axis))
    _, places = w.several("TopK", 2, x, length, axis=axis, largest=int(call.attributes["descending"]))
    return w.cast(places, call.outputs[0].dtype)
