"""Dot-product attention, written out: products, mask, softmax, products."""

import numpy as np

from refnet import dtypes
from refnet.export.writer import Exported, Writer, known, value_of, writes


@writes("dot_product_attention")
def dot_product_attention(w: Writer, call: Exported) -> tuple[str, None]:
    query, key, value, bias, mask = call.inputs
    heads, groups = known(query.shape, 2, "attention"), known(key.shape, 2, "attention")
    q = w.transpose(call.names[0], (0, 2, 1, 3))
    k = shared(w, w.transpose(call.names[1], (0, 2, 3, 1)), heads, groups)
    v = shared(w, w.transpose(call.names[2], (0, 2, 1, 3)), heads, groups)
    logits = w.node("Mul", w.node("MatMul", q, k), w.constant(call.attributes["scale"], query.dtype))
    zero, every = value_of(bias), value_of(mask)
    if zero is None or np.asarray(zero, float).any():
        logits = w.node("Add", logits, call.names[3])
    visible = None if every is not None and every.all() else call.names[4]
    if call.attributes["is_causal"]:
        before = causal(w, call)
        visible = before if visible is None else w.node("And", visible, before)
    if visible is not None:
        # With the least number everywhere, a row that sees nothing takes all values equally.
        least = np.finfo(dtypes.as_numpy(query.dtype)).min
        logits = w.node("Where", visible, logits, w.constant(least, query.dtype))
    y = w.node("MatMul", w.node("Softmax", logits, axis=-1), v)
    return w.transpose(y, (0, 2, 1, 3)), None


def shared(w: Writer, x: str, heads: int, groups: int) -> str:
    """(batch, groups, ...) with each group repeated for the neighbouring heads that share it."""
    if heads == groups:
        return x
    return w.node("Gather", x, w.constant(np.arange(heads) // (heads // groups), "int64"), axis=1)


def causal(w: Writer, call: Exported) -> str:
    """(queries, keys), true where a key is not after the query."""
    places = []
    for name in call.names[:2]:
        count = w.node("Gather", w.node("Shape", name), w.constant(1, "int64"))
        places.append(w.node("Range", w.constant(0, "int64"), count, w.constant(1, "int64")))
    return w.node("LessOrEqual", w.unsqueeze(places[1], 0), w.unsqueeze(places[0], 1))
