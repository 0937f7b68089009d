"""ReversibleEmbedding: whole numbers as vectors, and vectors as scores of the numbers."""

from typing import Any

from refnet import dtypes, ops
from refnet.errors import ArgumentError, shown
from refnet.layers.embedding import Embedding


class ReversibleEmbedding(Embedding):
    """The rows of a table, looked up by number; called with reverse=True, the products of vectors with all rows.

        y[..., f] = embeddings[x[...], f];      with reverse:  y[..., v] = sum over f of  x[..., f] * embeddings[v, f]

    Args:
        input_dim: how many rows the table has.
        output_dim: the length of a row.
        tie_weights: whether both ways use one table; if False, the way back has a matrix (output_dim, input_dim) of its own.
        embeddings_initializer, embeddings_regularizer, embeddings_constraint: of the table.
        mask_zero: whether 0 means "no element", as in Embedding.
        reverse_dtype: what the way back is computed in; the layer's compute dtype if None.
        logit_soft_cap: c: the way back gives c * tanh(y / c), which stays within -c..c; None: y.
    The call takes `reverse`: False (look up) or True.
    Raises:
        ArgumentError: a logit_soft_cap that is no number above 0.  DataError: a number outside the table.
    Source: Press and Wolf 2017; Keras 3 `ReversibleEmbedding`.

    >>> layer = ReversibleEmbedding(10, 2, embeddings_initializer="ones")
    >>> hidden = layer(np.array([[3, 7, 3]]))
    >>> layer(hidden, reverse=True).shape
    (1, 3, 10)
    """

    takes_integers = False

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        tie_weights: bool = True,
        embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None,
        embeddings_constraint: Any = None,
        mask_zero: bool = False,
        reverse_dtype: Any = None,
        logit_soft_cap: float | None = None,
        **more: Any,
    ):
        self.tie_weights = bool(tie_weights)
        super().__init__(
            input_dim,
            output_dim,
            embeddings_initializer,
            embeddings_regularizer,
            embeddings_constraint,
            mask_zero,
            **more,
        )
        self.reverse_dtype = None if reverse_dtype is None else dtypes.standardize(reverse_dtype)
        number = isinstance(logit_soft_cap, (int, float)) and not isinstance(logit_soft_cap, bool)
        if logit_soft_cap is not None and not (number and logit_soft_cap > 0):
            raise ArgumentError(
                f"{self.name}: logit_soft_cap is a number above 0, or None; got {shown(logit_soft_cap)}."
            )
        self.logit_soft_cap = logit_soft_cap

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        if not self.tie_weights:
            shape = (self.output_dim, self.input_dim)
            self.reverse_embeddings = self.add_weight(shape, self.embeddings_initializer, name="reverse_embeddings")

    def call(self, inputs: Any, reverse: bool = False) -> Any:
        if not reverse:
            found = super().call(inputs)
            if self.mask_zero:
                found.mask = ops.not_equal(inputs, 0)
            return found
        kernel = ops.transpose(self.embeddings) if self.tie_weights else self.reverse_embeddings
        if self.reverse_dtype is not None:
            inputs, kernel = ops.cast(inputs, self.reverse_dtype), ops.cast(kernel, self.reverse_dtype)
        logits = ops.matmul(inputs, kernel)
        if self.logit_soft_cap is None:
            return logits
        return ops.multiply(ops.tanh(ops.divide(logits, self.logit_soft_cap)), self.logit_soft_cap)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return None  # `call` gives what it looks up its mask
