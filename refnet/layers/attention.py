"""Attention over sequences: each query gets an average of the values, weighted by how well their keys fit it."""

from typing import Any

import numpy as np

from refnet import ops, random
from refnet.errors import ArgumentError, ShapeError
from refnet.layers.activation import far_below
from refnet.layers.base import Layer
from refnet.layers.checks import share


class Attention(Layer):
    """Dot-product attention between two sequences, without kernels.

        scores[n, t, s] = sum over f of  query[n, t, f] * key[n, s, f]
        y[n, t]         = sum over s of  softmax(scores[n, t])[s] * value[n, s]

    Called on a list: query (batch, T, dim), value (batch, S, dim), and key (batch, S, dim), which is the value if it is left out.
    One of them may be a single sample for the whole batch.

    Args:
        use_scale: whether the scores are multiplied with a number that is learned.
        score_mode: "dot", or "concat": scores = weight * sum over f of tanh(query[f] + key[f]), with a weight that is learned.
        dropout: the share of the weights (after the softmax) that is dropped in training.
        seed: an integer, for draws that do not depend on the seed of the whole program.
    Source: Luong et al. 2015; Keras 3 `Attention`.

    >>> import numpy as np
    >>> query, value = np.ones((1, 1, 2), "float32"), np.array([[[2.0, 0.0], [4.0, -2.0]]], "float32")
    >>> Attention()([query, value])
    array([[[ 3., -1.]]], dtype=float32)
    """

    supports_masking = True

    def __init__(
        self, use_scale: bool = False, score_mode: str = "dot", dropout: float = 0.0, seed: Any = None, **more: Any
    ):
        super().__init__(**more)
        if score_mode not in ("dot", "concat"):
            raise ArgumentError(f"{self.name}: score_mode is 'dot' or 'concat'; got {score_mode!r}.")
        self.use_scale, self.score_mode = bool(use_scale), score_mode
        self.dropout, self.seed = share(self.name, "dropout", dropout), seed
        self.key = random.next_seed() if seed is None else seed
        self.branches_on_training = self.dropout > 0

    def build(self, input_shape: Any) -> None:
        self.three(input_shape)
        self.scale = self.add_weight((), "ones", name="scale") if self.use_scale else None
        concat = self.score_mode == "concat"
        self.concat_score_weight = self.add_weight((), "ones", name="concat_score_weight") if concat else None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Tensors in: the call is added to the graph. Arrays in: computed at once; a single sample among them stands for each one."""
        if args:
            args = (in_one_batch(args[0]), *args[1:])
        elif "inputs" in kwargs:
            kwargs = {**kwargs, "inputs": in_one_batch(kwargs["inputs"])}
        return super().__call__(*args, **kwargs)

    def three(self, inputs: Any) -> list[Any]:
        """Query, value and key of a list of two or three."""
        if not isinstance(inputs, (list, tuple)) or len(inputs) not in (2, 3):
            raise ArgumentError(
                f"{self.name} is called on a list [query, value] or [query, value, key]; got {inputs!r}."
            )
        return [*inputs, inputs[1]][:3]

    def masks_for(self, mask: Any) -> tuple[Any, Any]:
        """The masks of query and value."""
        if mask is None:
            return None, None
        if not isinstance(mask, (list, tuple)) or len(mask) not in (2, 3):
            raise ArgumentError(f"{self.name} takes a list of masks [of the query, of the value]; got {mask!r}.")
        return mask[0], mask[1]

    def call(
        self,
        inputs: Any,
        mask: Any = None,
        training: Any = None,
        return_attention_scores: bool = False,
        use_causal_mask: bool = False,
    ) -> Any:
        """The averages, (batch, T, dim).

        Args:
            inputs: [query, value] or [query, value, key].
            mask: [of the query, of the value], (batch, T) and (batch, S), or None: the result is 0 where the first is False;
                what the second leaves out takes no part.
            return_attention_scores: whether to return the weights too, (batch, T, S).
            use_causal_mask: whether a query sees only the values up to its own place.
        """
        query, value, key = self.three(inputs)
        for what, x in (("query", query), ("value", value), ("key", key)):
            if len(x.shape) != 3:
                raise ShapeError(f"{self.name} needs a {what} of shape (batch, steps, features); got {x.shape}.")
        query_mask, value_mask = self.masks_for(mask)
        seen = None if value_mask is None else ops.expand_dims(ops.cast(value_mask, "bool"), 1)
        batches = {x.shape[0] for x in (query, value, key)}
        apart = (
            1 in batches and len(batches) > 1
        )  # the products of the scores repeat a single sample, which the op does not
        if not apart and self.fused(training, return_attention_scores):
            y, weights = self._fused(query, key, value, seen, use_causal_mask), None
        else:
            if use_causal_mask:
                early = causal(ops.shape(query)[1], ops.shape(key)[1])
                seen = early if seen is None else ops.logical_and(seen, early)
            weights = self._dropped(weights_of(self.scores(query, key), seen), training)
            y = ops.matmul(weights, value)
        if query_mask is not None:
            y = ops.where(ops.expand_dims(ops.cast(query_mask, "bool"), -1), y, ops.zeros_like(y))
        return (y, weights) if return_attention_scores else y

    def fused(self, training: Any, return_attention_scores: bool) -> bool:
        """Whether one op does all of it: it has products for scores, and keeps no weights."""
        return not (return_attention_scores or (training and self.dropout) or self.score_mode != "dot")

    def _fused(self, query: Any, key: Any, value: Any, seen: Any, is_causal: bool) -> Any:
        if self.scale is not None:
            query = ops.multiply(query, self.scale)
        q, k, v = (ops.expand_dims(x, 2) for x in (query, key, value))
        mask = None if seen is None else ops.expand_dims(seen, 1)
        return ops.squeeze(ops.dot_product_attention(q, k, v, mask=mask, scale=1.0, is_causal=is_causal), 2)

    def _dropped(self, weights: Any, training: Any) -> Any:
        return random.dropout(weights, self.dropout, None, self.key) if training and self.dropout else weights

    def scores(self, query: Any, key: Any) -> Any:
        """How well keys fit queries: (batch, T, S)."""
        if self.score_mode == "dot":
            y = ops.matmul(query, ops.swapaxes(key, 1, 2))
            return y if self.scale is None else ops.multiply(y, self.scale)
        both = ops.add(ops.expand_dims(query, 2), ops.expand_dims(key, 1))
        both = both if self.scale is None else ops.multiply(both, self.scale)
        return ops.multiply(ops.sum(ops.tanh(both), axis=-1), self.concat_score_weight)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return self.masks_for(mask)[0]


class AdditiveAttention(Attention):
    """Additive attention between two sequences.

        scores[n, t, s] = sum over f of  scale[f] * tanh(query[n, t, f] + key[n, s, f])

    The rest is as in Attention.

    Args:
        use_scale: whether there is a scale, which is learned; else 1.
        dropout, seed: as in Attention.
    Source: Bahdanau et al. 2015; Keras 3 `AdditiveAttention`.

    >>> import numpy as np
    >>> AdditiveAttention()([np.ones((1, 4, 2), "float32"), np.ones((1, 3, 2), "float32")]).shape
    (1, 4, 2)
    """

    def __init__(self, use_scale: bool = True, dropout: float = 0.0, **more: Any):
        super().__init__(use_scale, dropout=dropout, **more)

    def build(self, input_shape: Any) -> None:
        features = self.three(input_shape)[0][-1]
        self.scale = self.add_weight((features,), "glorot_uniform", name="scale") if self.use_scale else None

    def fused(self, training: Any, return_attention_scores: bool) -> bool:
        return False

    def scores(self, query: Any, key: Any) -> Any:
        both = ops.tanh(ops.add(ops.expand_dims(query, 2), ops.expand_dims(key, 1)))
        return ops.sum(both if self.scale is None else ops.multiply(both, self.scale), axis=-1)


def in_one_batch(inputs: Any) -> Any:
    """A list of arrays of which some are a single sample, repeated to the batch of the others; all else as it is."""
    if not isinstance(inputs, (list, tuple)) or not all(isinstance(x, np.ndarray) and x.ndim for x in inputs):
        return inputs
    count = max((len(x) for x in inputs if len(x) != 1), default=1)
    return [np.broadcast_to(x, (count, *x.shape[1:])) if len(x) == 1 else x for x in inputs]


# ---- masks on scores


def causal(queries: Any, keys: Any) -> Any:
    """(1, queries, keys), True where the key stands no later than the query."""
    ones = ops.ones((1, queries, keys), "int32")
    return ops.greater_equal(ops.cumsum(ones, 1), ops.cumsum(ones, 2))


def window(queries: Any, keys: Any, width: int) -> Any:
    """(1, queries, keys), True where the key stands less than `width` places from the query."""
    ones = ops.ones((1, queries, keys), "int32")
    return ops.less(ops.abs(ops.subtract(ops.cumsum(ones, 1), ops.cumsum(ones, 2))), width)


def weights_of(scores: Any, mask: Any) -> Any:
    """The softmax of the scores where the mask is True. As in Keras the others are far below: a row that sees nothing sees all."""
    if mask is not None:
        scores = ops.where(mask, scores, ops.full_like(scores, far_below(scores.dtype)))
    return ops.softmax(scores)
