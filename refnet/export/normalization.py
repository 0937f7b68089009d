"""Normalization and softmax."""

from refnet.export.writer import Exported, Writer, writes


@writes("batch_normalization")
def batch_normalization(w: Writer, call: Exported) -> str:
    x = call.names[0]
    axis, rank = call.attributes["axis"], len(call.inputs[0].shape)
    order = [a for a in range(rank) if a != axis]
    order.insert(min(1, rank - 1), axis)
    if rank == 1:
        return w.node("Squeeze", _normalized(w, call, w.unsqueeze(x, 0)), w.ints(0))
    y = _normalized(w, call, w.transpose(x, order))
    return w.transpose(y, [order.index(a) for a in range(rank)])


def _normalized(w: Writer, call: Exported, x: str) -> str:
    _, mean, variance, offset, scale = call.names
    return w.node("BatchNormalization", x, scale, offset, mean, variance, epsilon=float(call.attributes["epsilon"]))


@writes("layer_normalization")
def layer_normalization(w: Writer, call: Exported) -> tuple[str, None, None]:
    a = call.attributes
    return w.node("LayerNormalization", *call.names, axis=-a["count"], epsilon=float(a["epsilon"])), None, None


@writes("softmax")
def softmax(w: Writer, call: Exported) -> str:
    return w.node("Softmax", call.names[0], axis=call.attributes["axis"])


@writes("log_softmax")
def log_softmax(w: Writer, call: Exported) -> str:
    return w.node("LogSoftmax", call.names[0], axis=call.attributes["axis"])
