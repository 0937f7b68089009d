"""Reductions and products: many elements become one."""

from refnet.errors import ArgumentError
from refnet.export.writer import Exported, Writer, writes


def reduction(op: str, kind: str) -> None:
    def rule(w: Writer, call: Exported) -> str:
        start, count = call.attributes["start"], call.attributes["count"]
        if count == 0:
            return call.names[0]
        axes = w.ints(*range(start, start + count))
        return w.node(kind, call.names[0], axes, keepdims=int(call.attributes["keepdims"]))

    writes(op)(rule)


REDUCTIONS = {
    "sum": "ReduceSum",
    "max": "ReduceMax",
    "min": "ReduceMin",
    "prod": "ReduceProd",
    "logsumexp": "ReduceLogSumExp",
}
for _op, _kind in REDUCTIONS.items():
    reduction(_op, _kind)


@writes("any", "all")
def truth(w: Writer, call: Exported) -> str:
    start, count = call.attributes["start"], call.attributes["count"]
    if count == 0:
        return call.names[0]
    kind = "ReduceMax" if call.op.name == "any" else "ReduceMin"
    axes = w.ints(*range(start, start + count))
    found = w.node(kind, w.cast(call.names[0], "int32"), axes, keepdims=int(call.attributes["keepdims"]))
    return w.cast(found, "bool")


@writes("argmax", "argmin")
def place(w: Writer, call: Exported) -> str:
    a, x, rank = call.attributes, call.names[0], len(call.inputs[0].shape)
    kind = "ArgMax" if call.op.name == "argmax" else "ArgMin"
    if a["count"] == 1:
        return w.cast(w.node(kind, x, axis=a["start"], keepdims=int(a["keepdims"])), "int32")
    if a["count"] != rank or a["keepdims"]:
        raise ArgumentError("the place among several axes, but not all")
    flat = w.node("Reshape", x, w.ints(-1))
    return w.cast(w.node(kind, flat, axis=0, keepdims=0), "int32")


@writes("matmul")
def matmul(w: Writer, call: Exported) -> str:
    sides = []
    for name, x, turned in zip(call.names, call.inputs, (call.attributes["transpose1"], call.attributes["transpose2"])):
        rank = len(x.shape)
        sides.append(w.transpose(name, (*range(rank - 2), rank - 1, rank - 2)) if turned else name)
    return w.node("MatMul", *sides)
