"""Multi-head and grouped-query attention: attention between projections, several side by side."""

import inspect
from typing import Any

from refnet.annotations import Shape
from refnet.errors import ArgumentError, ShapeError
from refnet.layers.activation import masked_softmax
from refnet.layers.checks import whole
from refnet.layers.core import Dropout
from refnet.layers.einsum_dense import EinsumDense
from refnet.layers.projected_attention import ProjectedAttention, equations, raised, same_steps, with_early
from refnet.layers.replaceable import Replaceable


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
        axes, self._heads_rank = self.attention_axes, rank + 1
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

    # ---- for subclasses with an attention of their own, under Keras's names

    def attend(self, query: Any, key: Any, value: Any, seen: Any, is_causal: bool, training: Any, scores: bool) -> Any:
        own = type(self)._compute_attention
        if own is MultiHeadAttention._compute_attention:
            return super().attend(query, key, value, seen, is_causal, training, scores)
        if is_causal:
            seen = with_early(seen, query, value)
        taken = inspect.signature(own).parameters
        more = {"return_attention_scores": scores} if "return_attention_scores" in taken else {}
        return self._compute_attention(query, key, value, seen, training, **more)

    def _compute_attention(
        self,
        query: Any,
        key: Any,
        value: Any,
        attention_mask: Any = None,
        training: Any = None,
        return_attention_scores: bool = False,
    ) -> Any:
        """The heads' averages, (batch, T, heads, value_dim), and the weights, (batch, heads, T, S). A subclass may write another.

        Args:
            query, key, value: projected, (batch, steps, heads, features).
            attention_mask: all masks together, (batch, T, S); None if there is none.
        Source: Keras 3 `MultiHeadAttention._compute_attention`.
        """
        return super().attend(query, key, value, attention_mask, False, training, return_attention_scores)

    def _masked_softmax(self, attention_scores: Any, attention_mask: Any = None) -> Any:
        """The weights of scores (batch, heads, T..., S...)."""
        axes, rank = len(self.attention_axes or ()), len(attention_scores.shape)
        mask = None if attention_mask is None else raised(attention_mask, rank, axes)
        return masked_softmax(attention_scores, mask, tuple(range(rank - axes, rank)))

    @Replaceable
    def _dot_product_equation(self) -> str:
        return equations(self._heads_rank, self.attention_axes or ())[0]

    @Replaceable
    def _combine_equation(self) -> str:
        return equations(self._heads_rank, self.attention_axes or ())[1]

    _num_heads = Replaceable(lambda self: self.num_heads)
    _key_dim = Replaceable(lambda self: self.key_dim)
    _value_dim = Replaceable(lambda self: self.value_dim)
    _inverse_sqrt_key_dim = Replaceable(lambda self: self.scale)
    _dropout = Replaceable(lambda self: self.dropout)
    _dropout_layer = Replaceable(lambda self: self.dropout_layer)


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


GroupedQueryAttention = GroupQueryAttention  # as Keras's own code calls it
