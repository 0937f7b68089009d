"""Base of the layers that take strings: they compute at once, outside of models, as a step of a data pipeline."""

from typing import Any

import numpy as np

from refnet.annotations import Array
from refnet.errors import ArgumentError, DtypeError, shown
from refnet.graph import Tensor, trace
from refnet.layers.base import Layer
from refnet.structure import flatten


class PipelineLayer(Layer):
    """A layer that reads strings, or looks things up in a table. It is called on arrays or lists, never inside of a model.

    Apply it to the data before they go into the model:

        numbers = layer(texts)
        model.fit(numbers, y)
    """

    def __init__(self, **more: Any):
        super().__init__(**more)
        self.built = True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The result for arrays or lists, at once.

        Raises:
            ArgumentError: a symbolic tensor: the layer was put into a model.
        """
        if any(isinstance(x, Tensor) for x in flatten([list(args), kwargs])) or trace.call is not None:
            raise ArgumentError(
                f"{self.name} is a {type(self).__name__}: it works on strings or tables, which a model's program has none of, so it "
                f"cannot stand inside a model. Apply it to the data first:  x = layer(x);  model.fit(x, y)."
            )
        return self.call(*args, **kwargs)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Not known beforehand: the layer is no part of a model."""
        raise ArgumentError(f"{self.name} is a {type(self).__name__}: call it on data and look at the result's shape.")

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """A layer from its config or Keras's, where `vocabulary_size` says again how long the vocabulary is."""
        return super().from_config({key: value for key, value in config.items() if key != "vocabulary_size"})

    def texts(self, inputs: Any, encoding: str = "utf-8") -> Array:
        """Strings as an object array of str; bytes are decoded."""
        x = np.asarray(inputs, object) if isinstance(inputs, (list, tuple)) else np.asarray(inputs)
        if x.dtype.kind not in "UST" and x.dtype != object:
            raise DtypeError(f"{self.name} takes strings; got {shown(inputs)} of dtype {x.dtype}.")
        result = np.empty(x.shape, object)
        for index in np.ndindex(*x.shape):
            value = x[index]
            if not isinstance(value, (str, bytes)):
                raise DtypeError(f"{self.name} takes strings; element {list(index)} is {value!r}.")
            result[index] = value.decode(encoding) if isinstance(value, bytes) else str(value)
        return result
