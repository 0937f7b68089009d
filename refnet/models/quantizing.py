"""The kernels of a model's layers in eight bits."""

import re
import warnings
from typing import Any

from refnet import quantizers
from refnet.errors import ArgumentError, shown
from refnet.layers.quantized import Quantizable
from refnet.models.with_graph import WithGraph


class Quantizing(WithGraph):
    """The part of a model that has its layers quantized."""

    def quantize(self, mode: Any = None, config: Any = None, filters: Any = None, *, type_check: bool = True) -> None:
        """Makes the kernels of the layers inside integers of eight bits, of those layers that can keep them. There is no way back.

        These are Dense, EinsumDense and Embedding, also inside other layers, as MultiHeadAttention has them. A warning names other
        layers with weights. The model need not be compiled again. What it predicts is near what it predicted. Files have the integers
        alone. In memory the model's first graph holds the floats as well; a model that is read from a file does not.

        Args:
            mode: "int8".
            config: a quantizers.Int8QuantizationConfig, instead of the mode or beside it.
            filters: which layers: a pattern that is searched in their names, a list of such, or a function of a layer.
            type_check: False: subclasses of these layers too, whose `call` has to be that of their base.
        Raises:
            ArgumentError: a model that is not built, a layer that is quantized already, another mode.
            DtypeError: a layer that computes in float16. Nothing is changed then.
        Source: Keras 3 `Model.quantize`.

        >>> from refnet import Sequential, layers
        >>> model = Sequential([layers.Input((3,)), layers.Dense(2), layers.Dense(1)])
        >>> model.quantize("int8")
        >>> [layer.kernel.dtype for layer in model.layers]
        ['int8', 'int8']
        """
        config = quantizers.resolved(self.name, mode, config)
        self._check_filters(filters)
        if not self.built:
            raise ArgumentError(f"{self.name}.quantize: it is not built yet: call it once, or build(input_shape).")
        inner = [x for x in self._flatten_layers() if x is not self and len(x._flatten_layers()) == 1]
        wanted = [layer for layer in inner if layer.weights and _named(layer, filters)]
        able = [layer for layer in wanted if isinstance(layer, Quantizable) and layer.takes_integers]
        able = [layer for layer in able if layer.normalized_by is None]
        chosen = [layer for layer in able if layer.quantizes or not type_check]
        found = [layer.integers_with(config, type_check) for layer in chosen]
        for layer, (value, scale) in zip(chosen, found):
            layer.take_integers(config, value, scale)
        rest = [layer.name for layer in wanted if layer not in chosen]
        if rest:
            warnings.warn(f"{self.name}.quantize: of {', '.join(rest)} the weights stay as they are.", stacklevel=2)

    def _check_filters(self, filters: Any) -> None:
        if filters is None or callable(filters):
            return
        try:
            patterns = [filters] if isinstance(filters, str) else list(filters)
            for pattern in patterns:
                re.compile(pattern)
        except (TypeError, re.error) as error:
            raise ArgumentError(
                f"{self.name}.quantize: filters is a pattern of layers' names, a list of patterns, or a function of a layer; got "
                f"{shown(filters)}: {error}."
            ) from None


def _named(layer: Any, filters: Any) -> bool:
    if callable(filters):
        return bool(filters(layer))
    patterns = [filters] if isinstance(filters, str) else filters
    return patterns is None or any(re.search(pattern, layer.name) for pattern in patterns)
