"""Embedding: whole numbers as vectors."""

from typing import Any

from refnet import constraints, initializers, ops, regularizers
from refnet.annotations import Shape
from refnet.layers.checks import whole
from refnet.layers.lora import Adapted
from refnet.layers.quantized import Quantizable


class Embedding(Quantizable):
    """The rows of a table, looked up by number.

        y[..., f] = embeddings[x[...], f]

    Args:
        input_dim: how many rows the table has; inputs lie in 0..input_dim - 1.
        output_dim: the length of a row.
        embeddings_initializer, embeddings_regularizer, embeddings_constraint: of the table.
        mask_zero: whether 0 means "no element": the outputs carry a mask that is False there.
        weights: the table to begin with, by itself or in a list.
        lora_rank, lora_alpha: of an adapter that is trained in the table's place: see `enable_lora`.
        quantization_config: how the table is kept in integers, where the dtype is a QuantizedDTypePolicy: see `quantize`.
        input_length: of the first edition: the number of elements in a sample, for a Sequential that begins here.
    Raises:
        DataError: a number outside the table.

    >>> Embedding(10, 2, embeddings_initializer="ones")(np.array([[3, 7, 3]])).shape
    (1, 3, 2)
    """

    one_tensor = True

    first_dtype = "int32"
    quantizes = True
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
        quantization_config: Any = None,
        *,
        input_length: Any = None,
        **more: Any,
    ):
        if input_length is not None:
            more.setdefault("input_shape", input_length)
        super().__init__(quantization_config, lora_rank=lora_rank, lora_alpha=lora_alpha, **more)
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
        self.embeddings = self._make_kernel(
            (self.input_dim, self.output_dim),
            self.embeddings_initializer,
            self.embeddings_regularizer,
            self.embeddings_constraint,
        )
        self._build_adapter()

    def _add_adapter(self, rank: int, alpha: float, a_initializer: Any, b_initializer: Any) -> None:
        super()._add_adapter(rank, alpha, a_initializer, b_initializer)
        for variable in (self._unadapted, *self._adapter_weights()):
            variable.autocast = False  # they are summed in their own dtype, as in Keras, and rows of the sum are cast

    def call(self, inputs: Any) -> Any:
        if inputs.dtype not in ("int32", "int64", "uint64"):
            inputs = ops.cast(inputs, "int64" if inputs.dtype == "uint32" else "int32")
        return (
            ops.take(self.embeddings, inputs, axis=0)
            if self.quantization_mode is None
            else self._rows_of_integers(inputs)
        )

    # of a table in integers

    def _rows_of_integers(self, numbers: Any) -> Any:
        """The rows as floats: only those are made, not the whole table's."""
        rows = ops.cast(ops.take(self._unadapted, numbers, axis=0), self.compute_dtype)
        rows = ops.divide(rows, self._scale_for_kernel(ops.take(self._own_scale, numbers, axis=0)))
        if self.lora_enabled:
            a, b = self._adapter_weights()
            added = ops.matmul(ops.take(a, numbers, axis=0), b)
            rows = ops.add(rows, ops.multiply(added, self._adapter_factor))
        return ops.cast(rows, self.compute_dtype)

    def _axes_of_a_scale(self) -> Any:
        return (1,)

    def _scale_shape(self, shape: Shape) -> Any:
        return shape[:1]

    def _scale_as_kept(self, scale: Any) -> Any:
        return ops.squeeze(scale, -1)

    def _scale_for_kernel(self, scale: Any) -> Any:
        return ops.expand_dims(scale, -1)

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
