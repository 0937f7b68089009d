"""What multi-head and grouped-query attention have in common: projections, masks, and the attention between them."""

import string
from abc import abstractmethod
from typing import Any

from refnet import initializers, ops, regularizers
from refnet.errors import ArgumentError, ShapeError
from refnet.layers.activation import masked_softmax
from refnet.layers.attention import causal, window
from refnet.layers.base import Layer
from refnet.layers.checks import behind_the_batch, share, whole
from refnet.layers.core import Dropout
from refnet.layers.einsum_dense import EinsumDense
from refnet.layers.masks import with_mask
from refnet.layers.recurrent_cell import treatment


class ProjectedAttention(Layer):
    """Base of the two layers: their dense layers' arguments, their masks, and what lies between the projections."""

    supports_masking = True
    branches_on_training = False  # the dropout inside does
    attention_axes: tuple[int, ...] | None = (1,)
    scale: float
    dropout_layer: Dropout

    def __init__(
        self,
        dropout: float,
        use_bias: bool,
        sliding_window: Any,
        flash_attention: Any,
        kernel: tuple[Any, Any, Any],
        bias: tuple[Any, Any, Any],
        penalty: Any,
        use_gate: bool,
        seed: Any,
        **more: Any,
    ):
        super().__init__(**more)
        self.dropout, self.seed = share(self.name, "dropout", dropout), seed
        self.use_bias, self.use_gate = bool(use_bias), bool(use_gate)
        if sliding_window is not None:
            sliding_window = whole(self.name, "sliding_window", sliding_window, 1)
        self.sliding_window = sliding_window
        if flash_attention and self.dropout:
            raise ArgumentError(f"{self.name}: flash_attention=True keeps no weights to drop; give dropout=0.")
        self.flash_attention = flash_attention
        self.kernel_initializer, self.kernel_regularizer, self.kernel_constraint = treatment(kernel)
        self.bias_initializer, self.bias_regularizer, self.bias_constraint = treatment(bias)
        self.penalty = regularizers.get(penalty)

    def dense(self, name: str, equation: str, shape: Any, bias_axes: str, activation: Any = None) -> EinsumDense:
        """A projection. Each has initializers of its own, so that no two start alike."""
        return EinsumDense(
            equation,
            output_shape=shape,
            activation=activation,
            bias_axes=bias_axes if self.use_bias else None,
            kernel_initializer=fresh(self.kernel_initializer),
            bias_initializer=fresh(self.bias_initializer),
            kernel_regularizer=self.kernel_regularizer,
            bias_regularizer=self.bias_regularizer,
            kernel_constraint=self.kernel_constraint,
            bias_constraint=self.bias_constraint,
            activity_regularizer=self.penalty,
            dtype=self.dtype_policy,
            name=name,
        )

    def _build_all(self, query: Any, value: Any, key: Any, heads: tuple[int, int]) -> None:
        """Builds the projections for inputs of these shapes, whose results have heads of these extents."""
        into, by, of, out = self.projections()
        shapes = {into: query, by: value if key is None else key, of: value, out: (*query[:-1], *heads)}
        if self.use_gate:
            shapes[self._gate_dense] = query
        for layer, shape in shapes.items():
            layer.build(tuple(shape))
            layer.built = True

    def seen_by(
        self, query: Any, value: Any, query_mask: Any, value_mask: Any, key_mask: Any, attention_mask: Any
    ) -> Any:
        """Which query sees which key, (batch, T, S), by all masks but the causal one; None for all."""
        parts = []
        if query_mask is not None:
            parts.append(ops.expand_dims(ops.cast(query_mask, "bool"), -1))
        parts += [ops.expand_dims(ops.cast(m, "bool"), -2) for m in (value_mask, key_mask) if m is not None]
        if self.sliding_window is not None:
            parts.append(window(ops.shape(query)[1], ops.shape(value)[1], self.sliding_window))
        if attention_mask is not None:
            parts.insert(0, ops.cast(attention_mask, "bool"))
        seen = None
        for part in parts:
            seen = part if seen is None else ops.logical_and(seen, part)
        return seen

    def samples_apart(self, rank: int | None) -> bool:
        return behind_the_batch(self.attention_axes or (), rank)

    def attend(self, query: Any, key: Any, value: Any, seen: Any, is_causal: bool, training: Any, scores: bool) -> Any:
        """The heads' averages, and the weights if they are asked for.

        Args:
            query, key, value: (batch, steps, heads, features); with several attention axes more axes of steps.
            seen: bool, (batch, T, S), or with a dimension for the heads; None for all.
        """
        if self.flash_attention and scores:
            raise ArgumentError(
                f"{self.name}: flash_attention=True keeps no weights, so return_attention_scores cannot give any."
            )
        axes = self.attention_axes or ()
        if not (scores or self.dropout or len(query.shape) != 4):
            mask = None if seen is None else raised(seen, 4, 1)
            y = ops.dot_product_attention(query, key, value, mask=mask, scale=self.scale, is_causal=is_causal)
            return y, None
        product, combined, rank = equations(len(query.shape), axes)
        if is_causal:
            seen = with_early(seen, query, value)
        shared = query.shape[-2] // key.shape[-2]
        if shared > 1:
            key, value = (ops.repeat(x, shared, axis=-2) for x in (key, value))
        logits = ops.einsum(product, key, ops.multiply(query, self.scale))
        mask = None if seen is None else raised(seen, rank, len(axes))
        weights = masked_softmax(logits, mask, tuple(range(rank - len(axes), rank)))
        dropped = self.dropout_layer(weights, training=training) if self.dropout else weights
        return ops.einsum(combined, dropped, value), weights

    def call(
        self,
        query: Any,
        value: Any,
        key: Any = None,
        query_mask: Any = None,
        value_mask: Any = None,
        key_mask: Any = None,
        attention_mask: Any = None,
        return_attention_scores: bool = False,
        training: Any = None,
        use_causal_mask: bool = False,
    ) -> Any:
        """The results, (batch, T, features).

        Args:
            query: (batch, T, features).  value, key: (batch, S, features); the key is the value if it is left out.
            query_mask, value_mask, key_mask: (batch, T) and (batch, S), False where a step holds nothing. MultiHeadAttention of
                Keras 3.15 passes over a query_mask that is given, and reads the one that the query carries.
            attention_mask: (batch, T, S), or with an axis of heads in front of T; True where a query sees a key. One that sees
                none gets 0 where weights are kept (dropout, return_attention_scores, several axes), else a mean, as in Keras.
            return_attention_scores: whether to return the weights too, (batch, heads, T, S).
            use_causal_mask: whether a query sees only the keys up to its own place.
        """
        query, value = with_mask(query, None), with_mask(value, None)
        key = value if key is None else with_mask(key, None)
        seen = self.seen_by(query, value, query_mask, value_mask, key_mask, attention_mask)
        gate = self._gate_dense(query) if self.use_gate else None
        into, by, of, out = self.projections()
        y, weights = self.attend(
            into(query), by(key), of(value), seen, bool(use_causal_mask), training, bool(return_attention_scores)
        )
        y = out(y if gate is None else ops.multiply(y, gate))
        return (y, weights) if return_attention_scores else y

    @abstractmethod
    def projections(self) -> tuple[EinsumDense, EinsumDense, EinsumDense, EinsumDense]:
        """The dense layers of query, key, value and result."""

    _gate_dense: EinsumDense


def fresh(initializer: Any) -> Any:
    """Another initializer of the same kind, with a seed of its own unless one was given."""
    own = isinstance(initializer, initializers.Initializer)
    return type(initializer).from_config(initializer.get_config()) if own else initializer


def with_early(seen: Any, query: Any, value: Any) -> Any:
    """Which query sees which key, and of these only what comes up to its own place."""
    early = causal(ops.shape(query)[1], ops.shape(value)[1])
    return early if seen is None else ops.logical_and(seen, early)


def raised(mask: Any, rank: int, axes: int) -> Any:
    """A mask (batch, T..., S...) with axes of length 1 for the heads, until it has as many axes as the scores."""
    for _ in range(rank - len(mask.shape)):
        mask = ops.expand_dims(mask, -2 * axes - 1)
    return mask


def equations(rank: int, axes: tuple[int, ...]) -> tuple[str, str, int]:
    """For ops.einsum: keys with queries to scores, scores with values to averages; and the scores' number of axes.

    All have the axes of a batch, of steps, of heads and of features; attention runs over `axes`, the other steps stay apart.
    """
    letters = string.ascii_letters
    target = letters[:rank]
    batch = [k for k in range(rank - 1) if k not in axes]
    source = list(target)
    following = rank
    for k in axes:
        source[k] = letters[following]
        following += 1
    scores = "".join([*(target[k] for k in batch), *(target[k] for k in axes), *(source[k] for k in axes)])
    value = source[:-1] + [letters[following]]
    averages = [*target[:-1], letters[following]]
    return f"{''.join(source)},{target}->{scores}", f"{scores},{''.join(value)}->{''.join(averages)}", len(scores)


def same_steps(layer: str, value: Any, key: Any) -> None:
    """Raises ShapeError unless value and key have the same steps; ArgumentError without a value."""
    if value is None:
        raise ArgumentError(
            f"{layer} is called on a query and a value: layer(query, value); the same tensor for self-attention."
        )
    if key is not None and tuple(value[1:-1]) != tuple(key[1:-1]):
        raise ShapeError(
            f"{layer} needs a value and a key of the same steps; got shapes {tuple(value)} and {tuple(key)}."
        )
