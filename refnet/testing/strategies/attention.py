"""Calls of attention: grouped heads, causal or not, bias and mask that broadcast, rows that see nothing."""

from typing import Any

import numpy as np

from refnet.annotations import Array
from refnet.errors import ArgumentError, DtypeError, ShapeError
from refnet.testing.draw import Draw
from refnet.testing.strategies import refuse, strategy, usage

Extents = tuple[int, int, int, int, int, int, int]


def extents(draw: Draw) -> Extents:
    """batch, queries, keys, heads of the key, heads that share one, features, features of the values."""
    batch, queries, keys, shared, group, h, w = (draw.integer(1, 2) for _ in range(7))
    batch = 0 if draw.exotic and draw.integer(0, 7) == 0 else batch
    return batch, queries + 1, keys + 1, shared, group, h, w


def operands(draw: Draw, sizes: Extents, dtype: str) -> list[Array]:
    """query, key, value, bias, mask. In float64 bias and mask are whole: each mixture of dtype and layout is a kernel to compile."""
    b, t, s, shared, group, h, w = sizes
    heads = shared * group
    small = draw.choice(((b, 1, 1, s), (1, heads, 1, s), ()))
    logits = (b, heads, t, s) if dtype == "float64" and not draw.calm else small
    mask = draw.array(logits, "bool") if draw.flag() else np.ones(logits, bool)
    shapes = (b, t, heads, h), (b, s, shared, h), (b, s, shared, w)
    return [*(draw.array(shape, dtype) for shape in shapes), draw.array(logits, dtype), mask]


def attributes(draw: Draw) -> dict[str, Any]:
    return {"scale": draw.choice((0.5, 0.3, 1.0)), "is_causal": draw.flag()}


@strategy("dot_product_attention")
def attention_calls(draw: Draw) -> Any:
    return operands(draw, extents(draw), draw.floating()), attributes(draw)


@strategy(
    "dot_product_attention_query_gradient",
    "dot_product_attention_key_gradient",
    "dot_product_attention_bias_gradient",
    "dot_product_attention_query_and_bias_gradient",
    "dot_product_attention_query_and_key_gradient",
)
def attention_gradient_calls(draw: Draw) -> Any:
    sizes, dtype = extents(draw), draw.floating()
    b, t, _, shared, group, _, w = sizes
    dy = draw.array((b, t, shared * group, w), dtype)
    height, shift = (draw.array((b, shared * group, t), dtype) for _ in range(2))
    if height.size and draw.flag():
        height = height.copy()
        height[0, 0, 0] = -np.inf
    return [dy, *operands(draw, sizes, dtype), height, shift], attributes(draw)


@usage("dot_product_attention")
def attention_usages(draw: Draw) -> Any:
    arrays = operands(draw, extents(draw), draw.floating())
    return tuple(arrays[: draw.integer(3, 5)]), {"is_causal": draw.flag()}


_q, _k = np.zeros((2, 3, 4, 5), "float32"), np.zeros((2, 6, 2, 5), "float32")
refuse("dot_product_attention", _q[0], _k, _k, error=ShapeError, words="(batch, places, heads, features)")
refuse("dot_product_attention", _q, _k[:1], _k, error=ShapeError, words="with equal B, S, K")
refuse("dot_product_attention", _q, _k, _k[:, 1:], error=ShapeError, words="with equal B, S, K")
refuse("dot_product_attention", _q[..., 1:], _k, _k, error=ShapeError, words="with equal B, S, K")
refuse("dot_product_attention", _q[:, :, 1:], _k, _k, error=ShapeError, words="multiple of the key's")
refuse("dot_product_attention", _q, _k[:, :0], _k[:, :0], error=ShapeError, words="over no keys")
refuse("dot_product_attention", _q, _k, _k, np.zeros((3, 5)), error=ShapeError, words="a bias that broadcasts")
refuse(
    "dot_product_attention", _q, _k, _k, None, np.ones((6, 3), bool), error=ShapeError, words="a mask that broadcasts"
)
refuse("dot_product_attention", _q, _k, _k, None, np.ones((3, 6)), error=DtypeError, words="mask must be bool")
refuse("dot_product_attention", _q, _k, _k, attn_logits_soft_cap=2.0, error=ArgumentError, words="attn_logits_soft_cap")
