"""What attention and its gradients share: the shapes that fit each other, who sees whom, and the logit of a query and a key."""

from refnet.annotations import Array, Number
from refnet.definition import Spec, SpecLike, View, broadcast_strides
from refnet.errors import ShapeError
from refnet.ops.arguments import shape_of


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
