"""The gradients of attention. With p the weights of a query and dp[s] = sum over h of  dy[h] * v[s, h]:

dlogit[s] = p[s] * (dp[s] - shift),   shift = sum over s of  p[s] * dp[s]  = sum over h of  dy[h] * y[h]
"""

from refnet import ops
from refnet.annotations import Array, Number, Tasks, TensorLike
from refnet.definition import Form, Op, Spec, View, whole
from refnet.gradients import differentiated
from refnet.graph import Node
from refnet.ops.attention_logits import attention_rule, logit, logits_view, visible
from refnet.ops.attention_second_gradients import (
    bias_gradient_composite,
    key_gradient_composite,
    query_and_bias_gradient_composite,
    query_and_key_gradient_composite,
    query_gradient_composite,
)
from refnet.ops.elementwise import sum_like
from refnet.scalars import divide, exp, lowest


def learns(mask: Array, height: Array, causal: bool, b: int, n: int, t: int, s: int) -> bool:
    """Whether query t sees key s, and is not one that sees nothing."""
    return visible(mask, causal, b, n, t, s) and height[b, n, t] != lowest(height)


def weight(q: Array, k: Array, bias: Array, height: Array, scale: float, b: int, n: int, t: int, s: int) -> Number:
    return exp(logit(q, k, bias, scale, b, n, t, s) - height[b, n, t])


def excess(dy: Array, v: Array, shift: Array, head: int, b: int, n: int, t: int, s: int) -> Number:
    """dp[s] - shift."""
    total = 0
    for h in range(v.shape[3]):
        total += dy[b, t, n, h] * v[b, s, head, h]
    return total - shift[b, n, t]


def attention_query_gradient_loop(
    tasks: Tasks, dy: Array, q: Array, k: Array, v: Array, bias: Array, mask: Array, height: Array, shift: Array,
    scale: float, causal: bool, dq: Array, dlogits: Array,
) -> None:  # fmt: skip
    for b, n, t in tasks:
        slopes_of_logits(dlogits, dy, q, k, v, bias, mask, height, shift, scale, causal, b, n, t)
        slopes_of_query(dq, dlogits, k, mask, height, scale, causal, b, n, t)


def attention_query_and_bias_gradient_loop(
    tasks: Tasks, dy: Array, q: Array, k: Array, v: Array, bias: Array, mask: Array, height: Array, shift: Array,
    scale: float, causal: bool, dq: Array, dbias: Array, dlogits: Array,
) -> None:  # fmt: skip
    for b, n, t in tasks:
        slopes_of_logits(dlogits, dy, q, k, v, bias, mask, height, shift, scale, causal, b, n, t)
        slopes_of_query(dq, dlogits, k, mask, height, scale, causal, b, n, t)
        for s in range(k.shape[1]):
            dbias[b, n, t, s] = dlogits[s]


def slopes_of_logits(
    dlogits: Array, dy: Array, q: Array, k: Array, v: Array, bias: Array, mask: Array, height: Array, shift: Array,
    scale: float, causal: bool, b: int, n: int, t: int,
) -> None:  # fmt: skip
    head = n // (q.shape[2] // k.shape[2])
    for s in range(k.shape[1]):
        dlogits[s] = 0
        if learns(mask, height, causal, b, n, t, s):
            p = weight(q, k, bias, height, scale, b, n, t, s)
            dlogits[s] = p * excess(dy, v, shift, head, b, n, t, s)


def slopes_of_query(
    dq: Array, dlogits: Array, k: Array, mask: Array, height: Array, scale: float, causal: bool, b: int, n: int, t: int
) -> None:
    head = n // (dq.shape[2] // k.shape[2])
    for h in range(dq.shape[3]):
        total = 0
        for s in range(k.shape[1]):
            if learns(mask, height, causal, b, n, t, s):
                total += dlogits[s] * k[b, s, head, h]
        dq[b, t, n, h] = total * scale


def attention_key_gradient_loop(
    tasks: Tasks, dy: Array, q: Array, k: Array, v: Array, bias: Array, mask: Array, height: Array, shift: Array,
    scale: float, causal: bool, dk: Array, dv: Array, sum_k: Array, sum_v: Array,
) -> None:  # fmt: skip
    for b, s, head in tasks:
        slopes_of_key(dk, dv, dy, q, k, v, bias, mask, height, shift, scale, causal, sum_k, sum_v, b, s, head)


def slopes_of_key(
    dk: Array, dv: Array, dy: Array, q: Array, k: Array, v: Array, bias: Array, mask: Array, height: Array, shift: Array,
    scale: float, causal: bool, sum_k: Array, sum_v: Array, b: int, s: int, head: int,
) -> None:  # fmt: skip
    """A key asks every query that shares its head."""
    group = q.shape[2] // k.shape[2]
    for h in range(k.shape[3]):
        sum_k[h] = 0
    for h in range(v.shape[3]):
        sum_v[h] = 0
    for n in range(head * group, (head + 1) * group):
        for t in range(q.shape[1]):
            if learns(mask, height, causal, b, n, t, s):
                p = weight(q, k, bias, height, scale, b, n, t, s)
                dlogit = p * excess(dy, v, shift, head, b, n, t, s)
                for h in range(k.shape[3]):
                    sum_k[h] += dlogit * q[b, t, n, h]
                for h in range(v.shape[3]):
                    sum_v[h] += p * dy[b, t, n, h]
            elif height[b, n, t] == lowest(height):  # it took an equal share of all
                for h in range(v.shape[3]):
                    sum_v[h] += divide(dy[b, t, n, h], k.shape[1])
    for h in range(k.shape[3]):
        dk[b, s, head, h] = sum_k[h] * scale
    for h in range(v.shape[3]):
        dv[b, s, head, h] = sum_v[h]


def attention_query_and_key_gradient_loop(
    tasks: Tasks, dy: Array, q: Array, k: Array, v: Array, bias: Array, mask: Array, height: Array, shift: Array,
    scale: float, causal: bool, dq: Array, dk: Array, dv: Array, dlogits: Array, sum_k: Array, sum_v: Array,
) -> None:  # fmt: skip
    # A task is one head of the keys, with all queries that share it.
    group = q.shape[2] // k.shape[2]
    for b, head in tasks:
        for n in range(head * group, (head + 1) * group):
            for t in range(q.shape[1]):
                slopes_of_logits(dlogits, dy, q, k, v, bias, mask, height, shift, scale, causal, b, n, t)
                slopes_of_query(dq, dlogits, k, mask, height, scale, causal, b, n, t)
        for s in range(k.shape[1]):
            slopes_of_key(dk, dv, dy, q, k, v, bias, mask, height, shift, scale, causal, sum_k, sum_v, b, s, head)


def attention_bias_gradient_loop(
    tasks: Tasks, dy: Array, q: Array, k: Array, v: Array, bias: Array, mask: Array, height: Array, shift: Array,
    scale: float, causal: bool, dbias: Array,
) -> None:  # fmt: skip
    for b, n, t, s in tasks:
        dbias[b, n, t, s] = 0
        if learns(mask, height, causal, b, n, t, s):
            head = n // (q.shape[2] // k.shape[2])
            p = weight(q, k, bias, height, scale, b, n, t, s)
            dbias[b, n, t, s] = p * excess(dy, v, shift, head, b, n, t, s)


def back_views(
    dy: Spec, q: Spec, k: Spec, v: Spec, bias: Spec, mask: Spec, height: Spec, shift: Spec
) -> tuple[View, ...]:
    repeated = logits_view(bias, q, k), logits_view(mask, q, k)
    return whole(dy), whole(q), whole(k), whole(v), *repeated, whole(height), whole(shift)


def query_gradient_rule(*specs: Spec, scale: float, is_causal: bool) -> Spec:
    attention_rule(*specs[1:6], scale=scale, is_causal=is_causal)
    return Spec(tuple(specs[1].shape), specs[1].dtype)


def key_gradient_rule(*specs: Spec, scale: float, is_causal: bool) -> tuple[Spec, Spec]:
    attention_rule(*specs[1:6], scale=scale, is_causal=is_causal)
    return Spec(tuple(specs[2].shape), specs[2].dtype), Spec(tuple(specs[3].shape), specs[3].dtype)


def bias_gradient_rule(*specs: Spec, scale: float, is_causal: bool) -> Spec:
    attention_rule(*specs[1:6], scale=scale, is_causal=is_causal)
    return Spec((*specs[6].shape, specs[2].shape[1]), specs[1].dtype)


def query_and_bias_gradient_rule(*specs: Spec, scale: float, is_causal: bool) -> tuple[Spec, Spec]:
    dq = query_gradient_rule(*specs, scale=scale, is_causal=is_causal)
    return dq, bias_gradient_rule(*specs, scale=scale, is_causal=is_causal)


def query_gradient_form(*specs: Spec, scale: float, is_causal: bool) -> Form:
    _, q, k, v = specs[:4]
    cost = k.shape[1] * (2 * q.shape[3] + v.shape[3] + 20)
    domain, scratch = tuple(specs[6].shape), ((k.shape[1],),)
    return Form(back_views(*specs), (scale, is_causal), (whole(q),), domain, cost, scratch)


def key_gradient_form(*specs: Spec, scale: float, is_causal: bool) -> Form:
    _, q, k, v = specs[:4]
    cost = q.shape[1] * q.shape[2] // k.shape[2] * (2 * k.shape[3] + 2 * v.shape[3] + 20)
    scratch = ((k.shape[3],), (v.shape[3],))
    return Form(back_views(*specs), (scale, is_causal), (whole(k), whole(v)), tuple(k.shape[:3]), cost, scratch)


def bias_gradient_form(*specs: Spec, scale: float, is_causal: bool) -> Form:
    _, q, k, v = specs[:4]
    logits = View((*specs[6].shape, k.shape[1]))
    return Form(back_views(*specs), (scale, is_causal), (logits,), logits.shape, q.shape[3] + v.shape[3] + 20)


def query_and_bias_gradient_form(*specs: Spec, scale: float, is_causal: bool) -> Form:
    form = query_gradient_form(*specs, scale=scale, is_causal=is_causal)
    logits = View((*specs[6].shape, specs[2].shape[1]))
    return form._replace(outputs=(*form.outputs, logits))


def query_and_key_gradient_rule(*specs: Spec, scale: float, is_causal: bool) -> tuple[Spec, Spec, Spec]:
    dq = query_gradient_rule(*specs, scale=scale, is_causal=is_causal)
    return dq, *key_gradient_rule(*specs, scale=scale, is_causal=is_causal)


def query_and_key_gradient_form(*specs: Spec, scale: float, is_causal: bool) -> Form:
    query = query_gradient_form(*specs, scale=scale, is_causal=is_causal)
    keys = key_gradient_form(*specs, scale=scale, is_causal=is_causal)
    batch, places, heads = keys.domain
    cost = places * keys.cost + specs[1].shape[1] * specs[1].shape[2] // heads * query.cost
    scratch = query.scratch + keys.scratch
    return keys._replace(outputs=query.outputs + keys.outputs, domain=(batch, heads), cost=cost, scratch=scratch)


def attention_gradient(node: Node, dy: TensorLike, dheight: TensorLike) -> list[TensorLike]:
    (q, k, v, bias, mask), (y, height) = node.inputs, node.outputs
    dy = ops.zeros_like(y) if dy is None else dy
    shift = ops.transpose(ops.sum(ops.multiply(dy, y), -1), (0, 2, 1))
    if dheight is not None:
        shift = ops.subtract(shift, dheight)
    given = dy, q, k, v, bias, mask, height, shift
    dk, dv = attention_key_gradient_op(*given, **node.attributes)
    dbias = sum_like(attention_bias_gradient_op(*given, **node.attributes), bias)
    return [attention_query_gradient_op(*given, **node.attributes), dk, dv, dbias, None]


BACK = (
    "batch queries heads depth, batch queries heads features, batch keys shared features, batch keys shared depth, ?, ?, "
    "batch heads queries, batch heads queries"
)
attention_query_gradient_op = Op(
    "dot_product_attention_query_gradient",
    query_gradient_rule,
    axes=BACK,
    loop=attention_query_gradient_loop,
    form=query_gradient_form,
    gradient=lambda node, *ds: differentiated(query_gradient_composite, node, ds),
)
attention_key_gradient_op = Op(
    "dot_product_attention_key_gradient",
    key_gradient_rule,
    axes=BACK,
    loop=attention_key_gradient_loop,
    form=key_gradient_form,
    gradient=lambda node, *ds: differentiated(key_gradient_composite, node, ds),
)
attention_bias_gradient_op = Op(
    "dot_product_attention_bias_gradient",
    bias_gradient_rule,
    axes=BACK,
    loop=attention_bias_gradient_loop,
    form=bias_gradient_form,
    gradient=lambda node, *ds: differentiated(bias_gradient_composite, node, ds),
)
# Two at once, where a planner finds both asked for: they are made of the same slopes of logits.
attention_query_and_bias_gradient_op = Op(
    "dot_product_attention_query_and_bias_gradient",
    query_and_bias_gradient_rule,
    axes=BACK,
    loop=attention_query_and_bias_gradient_loop,
    form=query_and_bias_gradient_form,
    gradient=lambda node, *ds: differentiated(query_and_bias_gradient_composite, node, ds),
)
attention_query_and_key_gradient_op = Op(
    "dot_product_attention_query_and_key_gradient",
    query_and_key_gradient_rule,
    axes=BACK,
    loop=attention_query_and_key_gradient_loop,
    form=query_and_key_gradient_form,
    gradient=lambda node, *ds: differentiated(query_and_key_gradient_composite, node, ds),
)
