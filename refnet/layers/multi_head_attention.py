"""Multi-head and grouped-query attention: attention between projections, several side by side."""

import string
from abc import abstractmethod
from typing import Any

from refnet import initializers, ops, regularizers
from refnet.annotations import Shape
from refnet.errors import ArgumentError, ShapeError
from refnet.layers.attention import causal, masked_softmax, window
from refnet.layers.base import Layer
from refnet.layers.checks import share, whole
from refnet.layers.core import Dropout
from refnet.layers.einsum_dense import EinsumDense
from refnet.layers.masks import with_mask
from refnet.layers.recurrent_cells import treatment


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
            early = causal(ops.shape(query)[1], ops.shape(value)[1])
            seen = early if seen is None else ops.logical_and(seen, early)
        shared = query.shape[-2] // key.shape[-2]
        if shared > 1:
            key, value = (ops.repeat(x, shared, axis=-2) for x in (key, value))
        logits = ops.einsum(product, key, ops.multiply(query, self.scale))
        mask = None if seen is None else raised(seen, rank, len(axes))
        weights = masked_softmax(logits, mask, tuple(range(rank - len(axes), rank)))
        dropped = self.dropout_layer(weights, training=training) if self.dropout else weights
        return ops.einsum(combined, dropped, value), weights

    def attended(
        self,
        query: Any,
        value: Any,
        key: Any,
        masks: tuple[Any, Any, Any, Any],
        return_attention_scores: bool,
        training: Any,
        use_causal_mask: bool,
    ) -> Any:
        """The whole call, once arguments and layers have their names."""
        query, value = with_mask(query, None), with_mask(value, None)
        key = value if key is None else with_mask(key, None)
        seen = self.seen_by(query, value, *masks)
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


class MultiHeadAttention(ProjectedAttention):
    """Attention between projections of query, key and value, `num_heads` of them side by side, whose results are projected once more.

        head[h] = softmax(Q[h] K[h]^T / sqrt(key_dim)) V[h],   Q[h] = query * kernel_q[h] + bias_q[h], and so on
        y       = sum over h of  head[h] * kernel_o[h]  +  bias_o

    Args:
        num_heads: how many heads.
        key_dim: the features of a head's query and key.  value_dim: of its value; key_dim if None.
        dropout: the share of the weights (after the softmax) that is dropped in training.
        use_bias: whether the projections have biases.
        output_shape: the features of the result, an integer or a tuple; the query's if None.
        attention_axes: the axes of steps over which attention runs, counted with the batch as 0; all if None.
        sliding_window: how far a query sees: keys less than so many places away; None for all.
        flash_attention: accepted; the fused op keeps no weights anyway.
        kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer, activity_regularizer, kernel_constraint,
            bias_constraint: of the projections, as in EinsumDense.
        use_gate: whether the heads are multiplied with a sigmoid of another projection of the query.
        seed: an integer, for the dropout.
    Source: Vaswani et al. 2017; Qiu et al. 2025 (the gate); Keras 3 `MultiHeadAttention`.

    >>> import numpy as np
    >>> x = np.ones((2, 5, 8), "float32")
    >>> y, weights = MultiHeadAttention(num_heads=2, key_dim=4)(x, x, return_attention_scores=True)
    >>> y.shape, weights.shape
    ((2, 5, 8), (2, 2, 5, 5))
    """

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: Any = None,
        dropout: float = 0.0,
        use_bias: bool = True,
        output_shape: Any = None,
        attention_axes: Any = None,
        sliding_window: Any = None,
        flash_attention: Any = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        use_gate: bool = False,
        seed: Any = None,
        **more: Any,
    ):
        kernel = kernel_initializer, kernel_regularizer, kernel_constraint
        bias = bias_initializer, bias_regularizer, bias_constraint
        flags = sliding_window, flash_attention
        super().__init__(dropout, use_bias, *flags, kernel, bias, activity_regularizer, use_gate, seed, **more)
        self.num_heads = whole(self.name, "num_heads", num_heads, 1)
        self.key_dim = whole(self.name, "key_dim", key_dim, 1)
        self.value_dim = self.key_dim if value_dim is None else whole(self.name, "value_dim", value_dim, 1)
        self.scale = self.key_dim**-0.5
        entries = output_shape if isinstance(output_shape, (list, tuple)) else [output_shape]
        given = output_shape is not None
        self.result_shape = tuple(whole(self.name, "output_shape", n, 1) for n in entries) if given else None
        axes = (attention_axes,) if isinstance(attention_axes, int) else attention_axes
        self.attention_axes = (
            None if axes is None else tuple(whole(self.name, "attention_axes", a, -1000) for a in axes)
        )

    def build(self, query_shape: Any, value_shape: Any, key_shape: Any = None) -> None:  # type: ignore[override]  # a shape for each input
        same_steps(self.name, value_shape, key_shape)
        rank = len(query_shape)
        if rank < 3 or len(value_shape) != rank:
            raise ShapeError(
                f"{self.name} needs a query and a value of as many axes, (batch, steps, features) at least; got shapes "
                f"{tuple(query_shape)} and {tuple(value_shape)}."
            )
        axes = self.attention_axes
        self.attention_axes = (
            tuple(range(1, rank - 1)) if axes is None else tuple(a if a >= 0 else rank + a for a in axes)
        )
        steps = "abcdefghijklmnop"[: rank - 1]
        into, heads = f"{steps}x,xyz->{steps}yz", (None,) * (rank - 2)
        self.query_dense = self.dense("query", into, (*heads, self.num_heads, self.key_dim), "yz")
        self.key_dense = self.dense("key", into, (*heads, self.num_heads, self.key_dim), "yz")
        if self.use_gate:
            self._gate_dense = self.dense("gate", into, (*heads, self.num_heads, self.value_dim), "yz", "sigmoid")
        self.value_dense = self.dense("value", into, (*heads, self.num_heads, self.value_dim), "yz")
        self.dropout_layer = Dropout(self.dropout, seed=self.seed, dtype=self.dtype_policy)
        shape: Shape = self.result_shape or (query_shape[-1],)
        last = "qrstuvw"[: len(shape)]
        self.output_dense = self.dense("attention_output", f"{steps}yz,yz{last}->{steps}{last}", (*heads, *shape), last)
        self._build_all(query_shape, value_shape, key_shape, (self.num_heads, self.value_dim))

    def projections(self) -> tuple[EinsumDense, EinsumDense, EinsumDense, EinsumDense]:
        return self.query_dense, self.key_dense, self.value_dense, self.output_dense

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
            query_mask, value_mask, key_mask: (batch, T) and (batch, S), False where a step holds nothing.
            attention_mask: (batch, T, S), or with an axis of heads in front of T; True where a query sees a key.
            return_attention_scores: whether to return the weights too, (batch, heads, T, S).
            use_causal_mask: whether a query sees only the keys up to its own place.
        """
        masks = query_mask, value_mask, key_mask, attention_mask
        return self.attended(query, value, key, masks, return_attention_scores, training, use_causal_mask)


class GroupQueryAttention(ProjectedAttention):
    """Attention as in MultiHeadAttention, but groups of neighbouring query heads share a head of key and value.

    Args:
        head_dim: the features of a head.
        num_query_heads: how many heads the query has.  num_key_value_heads: how many key and value have; it divides the former.
        dropout, use_bias, sliding_window, flash_attention, kernel_initializer, bias_initializer, kernel_regularizer,
            bias_regularizer, activity_regularizer, kernel_constraint, bias_constraint, use_gate, seed: as in
            MultiHeadAttention.
    `GroupedQueryAttention` is the same.
    Source: Ainslie et al. 2023; Keras 3 `GroupQueryAttention`.

    >>> import numpy as np
    >>> x = np.ones((2, 5, 8), "float32")
    >>> GroupQueryAttention(head_dim=4, num_query_heads=4, num_key_value_heads=2)(x, x).shape
    (2, 5, 8)
    """

    def __init__(
        self,
        head_dim: int,
        num_query_heads: int,
        num_key_value_heads: int,
        dropout: float = 0.0,
        use_bias: bool = True,
        sliding_window: Any = None,
        flash_attention: Any = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        use_gate: bool = False,
        seed: Any = None,
        **more: Any,
    ):
        kernel = kernel_initializer, kernel_regularizer, kernel_constraint
        bias = bias_initializer, bias_regularizer, bias_constraint
        flags, penalty = (sliding_window, flash_attention), activity_regularizer
        more["activity_regularizer"] = penalty  # of the result, and of each projection
        super().__init__(dropout, use_bias, *flags, kernel, bias, penalty, use_gate, seed, **more)
        self.head_dim = whole(self.name, "head_dim", head_dim, 1)
        self.num_query_heads = whole(self.name, "num_query_heads", num_query_heads, 1)
        self.num_key_value_heads = whole(self.name, "num_key_value_heads", num_key_value_heads, 1)
        if self.num_query_heads % self.num_key_value_heads:
            raise ArgumentError(
                f"{self.name}: num_query_heads must be a multiple of num_key_value_heads; got {num_query_heads} and "
                f"{num_key_value_heads}."
            )
        self.scale = self.head_dim**-0.5

    def _kind(self) -> str:
        return "GroupedQueryAttention"  # so Keras calls it by default, and in files of weights

    def build(self, query_shape: Any, value_shape: Any, key_shape: Any = None) -> None:  # type: ignore[override]  # a shape for each input
        same_steps(self.name, value_shape, key_shape)
        for shape in (query_shape, value_shape):
            if len(shape) != 3:
                raise ShapeError(f"{self.name} needs inputs of shape (batch, steps, features); got {tuple(shape)}.")
        heads, shared = (None, self.num_query_heads, self.head_dim), (None, self.num_key_value_heads, self.head_dim)
        self._query_dense = self.dense("query", "bqm,muh->bquh", heads, "uh")
        self._key_dense = self.dense("key", "bkm,mvh->bkvh", shared, "vh")
        if self.use_gate:
            self._gate_dense = self.dense("gate", "bqm,muh->bquh", heads, "uh", "sigmoid")
        self._value_dense = self.dense("value", "bkm,mvh->bkvh", shared, "vh")
        self.dropout_layer = Dropout(self.dropout, seed=self.seed, dtype=self.dtype_policy)
        self._output_dense = self.dense("attention_output", "bquh,uhm->bqm", (None, query_shape[-1]), "m")
        self._build_all(query_shape, value_shape, key_shape, (self.num_query_heads, self.head_dim))

    def projections(self) -> tuple[EinsumDense, EinsumDense, EinsumDense, EinsumDense]:
        return self._query_dense, self._key_dense, self._value_dense, self._output_dense

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
        """The results, (batch, T, features). Arguments as in MultiHeadAttention."""
        masks = query_mask, value_mask, key_mask, attention_mask
        return self.attended(query, value, key, masks, return_attention_scores, training, use_causal_mask)


GroupedQueryAttention = GroupQueryAttention  # as Keras's own code calls it
