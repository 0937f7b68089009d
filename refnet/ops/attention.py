"""Attention: each query gets an average of the values, weighted by how well their keys fit it."""

from refnet import ops
from refnet.annotations import Array, Number, Tasks, TensorLike
from refnet.definition import Form, Op, Spec, SpecLike, View, broadcast_strides, whole
from refnet.errors import ArgumentError, DtypeError, ShapeError
from refnet.gradients import differentiated
from refnet.graph import Node
from refnet.ops.arguments import as_dtype, converted, dtype_of, flag, floating, number, promoted, shape_of
from refnet.ops.attention_slopes import (
    bias_gradient_composite,
    key_gradient_composite,
    query_and_bias_gradient_composite,
    query_and_key_gradient_composite,
    query_gradient_composite,
)
from refnet.ops.elementwise import sum_like
from refnet.ops.statistics import wide_enough
from refnet.scalars import divide, exp, larger, log, lowest


def dot_product_attention(
    query: TensorLike,
    key: TensorLike,
    value: TensorLike,
    bias: TensorLike = None,
    mask: TensorLike = None,
    scale: float | None = None,
    is_causal: bool = False,
    flash_attention: bool | None = None,
    attn_logits_soft_cap: float | None = None,
) -> Array:
    """Values averaged with the softmax of how well keys fit queries, per head.

        logit[b, n, t, s] = scale * (sum over h of  query[b, t, n, h] * key[b, s, k, h]) + bias[b, n, t, s],   k = n // (N / K)
        weight[b, n, t]   = softmax of the logits of row b, n, t over those s that the row may see; 0 for the others
        y[b, t, n, h]     = sum over s of  weight[b, n, t, s] * value[b, s, k, h]

    A row sees s where the mask is True and, if causal, s <= t. A row that sees nothing averages all values equally, as in Keras,
    and sends no gradient to query, key and bias.

    Args:
        query: (B, T, N, H): batch, places, heads, features; integers and bools take the default floating dtype.
        key: (B, S, K, H); N must be a multiple of K: neighbouring heads of the query share a head of key and value.
        value: (B, S, K, V).
        bias: is added to the logits; broadcasts to (B, N, T, S). None for 0.
        mask: bool; True takes part; broadcasts to (B, N, T, S). None for all.
        scale: of the products; 1 / sqrt(H) if None.
        is_causal: whether a place may only see itself and those before it.
        flash_attention: accepted, and changes nothing: the logits are never stored anyway.
        attn_logits_soft_cap: must be None (Keras has it on TPUs only).
    Returns:
        (B, T, N, V) in the promoted dtype of query, key and value. float16 and bfloat16 are computed in float32.
    NaN: in a row's logits or in a value the row sees gives NaN; what is masked is not read. Empty: with no keys an error.
    Raises:
        ShapeError: other ranks, shapes that do not fit each other, no keys.  DtypeError: a mask that is not bool.
        ArgumentError: a soft cap.
    Source: Vaswani et al. 2017; Ainslie et al. 2023 (shared heads); Keras 3 `ops.dot_product_attention`.

    >>> x, value = [[[[0.0]], [[0.0]]]], [[[[2.0]], [[4.0]]]]
    >>> dot_product_attention(x, x, value).ravel()
    array([3., 3.], dtype=float32)
    >>> dot_product_attention(x, x, value, is_causal=True).ravel()
    array([2., 3.], dtype=float32)
    """
    name = "dot_product_attention"
    if attn_logits_soft_cap is not None:
        raise ArgumentError(f"{name}: attn_logits_soft_cap must be None; got {attn_logits_soft_cap}.")
    given = [floating(name, x, n) for x, n in ((query, "query"), (key, "key"), (value, "value"))]
    query, key, value = promoted(name, *given)
    dtype = dtype_of(query)
    query, key, value = (wide_enough(x) for x in (query, key, value))
    check_shapes(query, key, value)
    bias = 0.0 if bias is None else bias
    bias = as_dtype(converted(name, bias, "bias"), dtype_of(query))
    mask = converted(name, True if mask is None else mask, "mask")
    if dtype_of(mask) != "bool":
        raise DtypeError(f"{name}: mask must be bool, True where a key takes part; got {dtype_of(mask)}.")
    features = shape_of(query)[3]
    if scale is None:
        if features is None:
            raise ShapeError(f"{name} needs to know the features of a head, to scale by; query has {shape_of(query)}.")
        scale = max(features, 1) ** -0.5
    y, _ = dot_product_attention_op(
        query,
        key,
        value,
        bias,
        mask,
        scale=number("dot_product_attention", scale, "scale"),
        is_causal=flag("dot_product_attention", is_causal, "is_causal"),
    )
    return as_dtype(y, dtype)


def check_shapes(query: SpecLike, key: SpecLike, value: SpecLike) -> None:
    """Raises ShapeError unless query (B, T, N, H), key (B, S, K, H) and value (B, S, K, V) fit each other."""
    shapes = [tuple(shape_of(x)) for x in (query, key, value)]
    text = f"got query {shapes[0]}, key {shapes[1]} and value {shapes[2]}."
    if any(len(shape) != 4 for shape in shapes):
        raise ShapeError(f"dot_product_attention needs arrays of (batch, places, heads, features); {text}")

    def differ(*extents: int | None) -> bool:
        return len({d for d in extents if d is not None}) > 1

    (b1, _, heads, h1), (b2, s2, k2, h2), (b3, s3, k3, _) = shapes
    if differ(b1, b2, b3) or differ(h1, h2) or differ(s2, s3) or differ(k2, k3):
        raise ShapeError(
            f"dot_product_attention needs query (B, T, N, H), key (B, S, K, H) and value (B, S, K, V) with equal B, S, K and "
            f"H; {text}"
        )
    if None not in (heads, k2) and (k2 == 0 or heads % k2):
        raise ShapeError(f"dot_product_attention needs query heads that are a multiple of the key's; {text}")
    if s2 == 0:
        raise ShapeError(f"dot_product_attention over no keys is not defined; {text}")


def attention_rule(
    q: Spec, k: Spec, v: Spec, bias: Spec, mask: Spec, *, scale: float, is_causal: bool
) -> tuple[Spec, Spec]:
    check_shapes(q, k, v)
    logits = (q.shape[0], q.shape[2], q.shape[1], k.shape[1])
    for argument, x in (("bias", bias), ("mask", mask)):
        fits = [a is None or b is None or a in (1, b) for a, b in zip(x.shape[::-1], logits[::-1])]
        if len(x.shape) > 4 or not all(fits):
            raise ShapeError(
                f"dot_product_attention needs a {argument} that broadcasts to (batch, heads, queries, keys), here {logits}; "
                f"got {tuple(x.shape)}."
            )
    return Spec((*q.shape[:3], v.shape[3]), q.dtype), Spec(logits[:3], q.dtype)


# The definitions see bias and mask as (batch, head, query, key), repeated where they are smaller.


def logits_view(x: SpecLike, q: SpecLike, k: SpecLike) -> View:
    logits = (q.shape[0], q.shape[2], q.shape[1], k.shape[1])
    return View(logits, tuple(broadcast_strides(tuple(x.shape), logits)))


def visible(mask: Array, causal: bool, b: int, n: int, t: int, s: int) -> bool:
    """Whether query t may see key s."""
    return mask[b, n, t, s] and (s <= t or not causal)


def logit(q: Array, k: Array, bias: Array, scale: float, b: int, n: int, t: int, s: int) -> Number:
    head = n // (q.shape[2] // k.shape[2])
    total = 0
    for h in range(q.shape[3]):
        total += q[b, t, n, h] * k[b, s, head, h]
    return total * scale + bias[b, n, t, s]


def dot_product_attention_loop(
    tasks: Tasks,
    q: Array,
    k: Array,
    v: Array,
    bias: Array,
    mask: Array,
    scale: float,
    causal: bool,
    y: Array,
    height: Array,
    weights: Array,
) -> None:
    # height[b, n, t] is the logarithm of the sum of the row's exponentials: weight = exp(logit - height). -inf: it sees nothing.
    for b, n, t in tasks:
        best = lowest(q)
        seen = 0
        for s in range(k.shape[1]):
            if visible(mask, causal, b, n, t, s):
                weights[s] = logit(q, k, bias, scale, b, n, t, s)
                best = larger(best, weights[s])
                seen += 1
        total = 0
        for s in range(k.shape[1]):
            if seen == 0:
                weights[s] = 1
            elif visible(mask, causal, b, n, t, s):
                weights[s] = exp(weights[s] - best)
            else:
                weights[s] = 0
            total += weights[s]
        head = n // (q.shape[2] // k.shape[2])
        for h in range(v.shape[3]):
            result = 0
            for s in range(k.shape[1]):
                if seen == 0 or visible(mask, causal, b, n, t, s):
                    result += weights[s] * v[b, s, head, h]
            y[b, t, n, h] = divide(result, total)
        height[b, n, t] = lowest(q) if seen == 0 else best + log(total)


def attention_form(q: Spec, k: Spec, v: Spec, bias: Spec, mask: Spec, *, scale: float, is_causal: bool) -> Form:
    """One task for each batch, head and query."""
    y, height = attention_rule(q, k, v, bias, mask, scale=scale, is_causal=is_causal)
    inputs = whole(q), whole(k), whole(v), logits_view(bias, q, k), logits_view(mask, q, k)
    cost = k.shape[1] * (q.shape[3] + v.shape[3] + 20)
    outputs = whole(y), whole(height)
    return Form(inputs, (scale, is_causal), outputs, tuple(height.shape), cost, scratch=((k.shape[1],),))


# ---- gradients. With p the weights:  dp[s] = sum over h of  dy[h] * v[s, h],  dlogit[s] = p[s] * (dp[s] - shift),
# shift = sum over s of  p[s] * dp[s]  = sum over h of  dy[h] * y[h]


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
    # A key asks every query that shares its head.
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
dot_product_attention_op = Op(
    "dot_product_attention",
    attention_rule,
    loop=dot_product_attention_loop,
    form=attention_form,
    gradient=attention_gradient,
)
