"""Embedding: whole numbers as vectors."""

from typing import Any

from refnet import constraints, initializers, ops, regularizers
from refnet.layers.checks import whole
from refnet.layers.lora import Adaptable, Adapted


class Embedding(Adaptable):
    """The rows of a table, looked up by number.

        y[..., f] = embeddings[x[...], f]

    Args:
        input_dim: how many rows the table has; inputs lie in 0..input_dim - 1.
        output_dim: the length of a row.
        embeddings_initializer, embeddings_regularizer, embeddings_constraint: of the table.
        mask_zero: whether 0 means "no element": the outputs carry a mask that is False there.
        weights: the table to begin with, by itself or in a list.
        lora_rank, lora_alpha: of an adapter that is trained in the table's place: see `enable_lora`.
        input_length: of the first edition: the number of elements in a sample, for a Sequential that begins here.
    Raises:
        DataError: a number outside the table.

    >>> Embedding(10, 2, embeddings_initializer="ones")(np.array([[3, 7, 3]])).shape
    (1, 3, 2)
    """

    one_tensor = True

    first_dtype = "int32"
    _adapted = "embeddings"
    embeddings: Any = Adapted()

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None,
        embeddings_constraint: Any = None,
        mask_zero: bool = False,
        weights: Any = None,
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        *,
        input_length: Any = None,
        **more: Any,
    ):
        if input_length is not None:
            more.setdefault("input_shape", input_length)
        super().__init__(lora_rank=lora_rank, lora_alpha=lora_alpha, **more)
        self.input_dim = whole(self.name, "input_dim", input_dim, 1)
        self.output_dim = whole(self.name, "output_dim", output_dim, 1)
        self.embeddings_initializer = initializers.get(embeddings_initializer)
        self.embeddings_regularizer = regularizers.get(embeddings_regularizer)
        self.embeddings_constraint = constraints.get(embeddings_constraint)
        self.mask_zero = self.supports_masking = bool(mask_zero)
        if weights is not None:
            self.build(None)
            self.built = True
            given = weights if isinstance(weights, (list, tuple)) and len(weights) == 1 else [weights]
            self.set_weights([*given, *self.get_weights()[1:]])

    def build(self, input_shape: Any) -> None:
        self.embeddings = self.add_weight(
            (self.input_dim, self.output_dim),
            self.embeddings_initializer,
            regularizer=self.embeddings_regularizer,
            constraint=self.embeddings_constraint,
            name="embeddings",
        )
        self._build_adapter()

    def _add_adapter(self, rank: int, alpha: float, a_initializer: Any, b_initializer: Any) -> None:
        super()._add_adapter(rank, alpha, a_initializer, b_initializer)
        for variable in (self._unadapted, *self._adapter()):
            variable.autocast = False  # they are summed in their own dtype, as in Keras, and rows of the sum are cast

    def call(self, inputs: Any) -> Any:
        if inputs.dtype not in ("int32", "int64", "uint64"):
            inputs = ops.cast(inputs, "int64" if inputs.dtype == "uint32" else "int32")
        return ops.take(self.embeddings, inputs, axis=0)

    def index_advice(self, index: int) -> str:
        if index < 0:
            return " Word numbers begin with 0."
        return (
            f" Embedding(input_dim={self.input_dim}) has rows for 0..{self.input_dim - 1}: numbers up to {index} need "
            f"input_dim={index + 1}, or a smaller vocabulary."
        )

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return ops.not_equal(inputs, 0) if self.mask_zero else None

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        # A config holds no weights; the shape belongs to the Sequential.
        for word in ("weights", "input_length", "input_shape"):
            config.pop(word, None)
        return config
