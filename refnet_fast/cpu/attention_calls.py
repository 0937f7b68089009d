"""Which calls the kernels of attention serve, how many tasks they have, and what one takes."""

from refnet_fast.cpu.attention_lanes import LANES
from refnet_fast.cpu.tile import strips
from refnet_fast.derive import itemsize

CHAIN = 4096  # additions in a row; longer sums are left to the definition, which adds in float64
ELEMENT_NS = 2.0  # of a logit in a block, products aside


def _short(call):
    """One floating dtype, and sums over keys and over queries that may be added one by one."""
    q, k = (call.form.inputs[i].shape for i in ((0, 1) if call.op.name == "dot_product_attention" else (1, 2)))
    return call.dtypes in ({"float32", "bool"}, {"float64", "bool"}) and k[1] <= CHAIN and q[1] * q[2] <= CHAIN * k[2]


def _blocks(call):
    outer, heads, places = call.form.domain[0], *_heads_and_places(call)
    return outer * heads * -(-places // LANES)


def _heads_and_places(call):
    """Of the queries; of the keys where these are a block's lanes."""
    _, second, third = call.form.domain[:3]  # (batch, head, query), or (batch, key, head), or (batch, head, query, key)
    if call.op.name == "dot_product_attention_key_gradient":
        return third, second
    return second, call.form.domain[3] if call.op.name == "dot_product_attention_bias_gradient" else third


def _block_ns(call):
    """Of one block: all logits in it, and the products that each takes part in."""
    size = itemsize(call.outputs[0].dtype)
    if call.op.name == "dot_product_attention":
        (_, queries, heads, features), (_, keys, _, _), (_, _, _, depth) = (x.shape for x in call.form.inputs[:3])
        steps, others = features + depth, keys
    else:
        (_, queries, heads, features), (_, keys, shared, _), (_, _, _, depth) = (x.shape for x in call.form.inputs[1:4])
        steps, others = {
            "dot_product_attention_query_gradient": (2 * features + depth, keys),
            "dot_product_attention_query_and_bias_gradient": (2 * features + depth, keys),
            "dot_product_attention_key_gradient": (2 * (features + depth), queries * heads // shared),
            "dot_product_attention_query_and_key_gradient": (3 * features + 2 * depth, queries * heads // shared),
            "dot_product_attention_bias_gradient": (features + depth, queries),
        }[call.op.name]
    return LANES * others * (steps * size * 0.005 + ELEMENT_NS)


def _with_strips(call, inputs, outputs):
    return [strips(itemsize(outputs[0].dtype)), *inputs, *call.form.attributes, *outputs]


def _heads(call):
    return call.form.domain[0] * call.form.domain[1]


def _head_ns(call):
    """Of all blocks of keys of one head."""
    return _block_ns(call) * -(-call.form.inputs[2].shape[1] // LANES)


CALLS = {"when": _short, "tasks": _blocks, "cost": _block_ns, "arguments": _with_strips}
HEADS = CALLS | {"tasks": _heads, "cost": _head_ns}
