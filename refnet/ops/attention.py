"""Attention: each query gets an average of the values, weighted by how well their keys fit it."""

from refnet.annotations import Array, Tasks, TensorLike
from refnet.definition import Form, Op, Spec, whole
from refnet.errors import ArgumentError, DtypeError, ShapeError
from refnet.ops.arguments import as_dtype, converted, dtype_of, flag, floating, number, promoted, shape_of
from refnet.ops.attention_gradients import attention_gradient
from refnet.ops.attention_logits import attention_rule, check_shapes, logit, logits_view, visible
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


dot_product_attention_op = Op(
    "dot_product_attention",
    attention_rule,
    loop=dot_product_attention_loop,
    form=attention_form,
    gradient=attention_gradient,
)
