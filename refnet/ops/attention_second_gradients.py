"""Attention's gradients once more, written with ops on whole arrays of logits: these are differentiated for second derivatives."""

from refnet import ops
from refnet.annotations import TensorLike
from refnet.ops.arguments import shape_of


def by_group(x: TensorLike, k: TensorLike) -> TensorLike:
    """(batch, places, heads, features) with the heads as (heads of the key, those that share one)."""
    batch, places, heads, features = ops.shape(x)
    shared = shape_of(k)[2]
    return ops.reshape(x, (batch, places, shared, heads // shared, features))


def logits_gradients(
    dy: TensorLike, q: TensorLike, k: TensorLike, v: TensorLike, bias: TensorLike, mask: TensorLike, height: TensorLike,
    shift: TensorLike, *, scale: float, is_causal: bool,
) -> tuple[TensorLike, TensorLike]:  # fmt: skip
    """The weights and the gradients of the logits, both (batch, head, query, key)."""
    batch, heads, queries = ops.shape(height)
    whole_shape = (batch, heads, queries, ops.shape(k)[1])
    logits = ops.reshape(ops.einsum("btkgh,bskh->bkgts", by_group(q, k), k), whole_shape)
    dp = ops.reshape(ops.einsum("btkgh,bskh->bkgts", by_group(dy, k), v), whole_shape)
    logits = ops.add(ops.multiply(logits, scale), bias)
    blind = ops.expand_dims(ops.isinf(height), 3)
    seen = ops.logical_and(ops.broadcast_to(mask, whole_shape), ops.logical_not(blind))
    if is_causal:
        place = ops.cumsum(ops.ones_like(logits, "int32"), 2)
        seen = ops.logical_and(seen, ops.less_equal(ops.cumsum(ops.ones_like(logits, "int32"), 3), place))
    safe = ops.where(seen, ops.subtract(logits, ops.where(blind, 0, ops.expand_dims(height, 3))), 0)
    p = ops.where(seen, ops.exp(safe), 0)
    dlogits = ops.where(seen, ops.multiply(p, ops.subtract(dp, ops.expand_dims(shift, 3))), 0)
    equal_share = ops.divide(ops.ones_like(p), ops.sum(ops.ones_like(p), -1, keepdims=True))
    return ops.where(blind, equal_share, p), dlogits


def grouped_logits(x: TensorLike, k: TensorLike) -> TensorLike:
    batch, heads, queries, keys = ops.shape(x)
    shared = shape_of(k)[2]
    return ops.reshape(x, (batch, shared, heads // shared, queries, keys))


def query_gradient_composite(
    dy: TensorLike, q: TensorLike, k: TensorLike, *rest: TensorLike, scale: float, is_causal: bool
) -> list[TensorLike]:
    _, dlogits = logits_gradients(dy, q, k, *rest, scale=scale, is_causal=is_causal)
    dq = ops.einsum("bkgts,bskh->btkgh", grouped_logits(dlogits, k), k)
    return [ops.multiply(ops.reshape(dq, ops.shape(q)), scale)]


def key_gradient_composite(
    dy: TensorLike, q: TensorLike, k: TensorLike, *rest: TensorLike, scale: float, is_causal: bool
) -> list[TensorLike]:
    p, dlogits = logits_gradients(dy, q, k, *rest, scale=scale, is_causal=is_causal)
    dk = ops.einsum("bkgts,btkgh->bskh", grouped_logits(dlogits, k), by_group(q, k))
    dv = ops.einsum("bkgts,btkgh->bskh", grouped_logits(p, k), by_group(dy, k))
    return [ops.multiply(dk, scale), dv]


def bias_gradient_composite(*given: TensorLike, scale: float, is_causal: bool) -> list[TensorLike]:
    return [logits_gradients(*given, scale=scale, is_causal=is_causal)[1]]


def query_and_bias_gradient_composite(*given: TensorLike, scale: float, is_causal: bool) -> list[TensorLike]:
    dq = query_gradient_composite(*given, scale=scale, is_causal=is_causal)
    return dq + bias_gradient_composite(*given, scale=scale, is_causal=is_causal)


def query_and_key_gradient_composite(*given: TensorLike, scale: float, is_causal: bool) -> list[TensorLike]:
    dq = query_gradient_composite(*given, scale=scale, is_causal=is_causal)
    return dq + key_gradient_composite(*given, scale=scale, is_causal=is_causal)
