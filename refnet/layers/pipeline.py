"""Layers one after the other, as one layer."""

from typing import Any

from refnet.errors import ArgumentError
from refnet.layers.base import Layer
from refnet.saving.serialization import restored, serialized


class Pipeline(Layer):
    """Calls layers one after the other; for preprocessing and augmentation. It is a layer, not a model.

    A call on arrays that leaves `training` open is one in training, as in Keras.

    Args:
        layers: a list of layers.
        name: see Layer.
    Raises:
        ArgumentError: something else than layers.
    Source: Keras 3 `Pipeline`.

    >>> import numpy as np
    >>> from refnet import layers
    >>> Pipeline([layers.Rescaling(2.0), layers.Rescaling(1.0, offset=1.0)])(np.ones((1, 1), "float32"))
    array([[3.]], dtype=float32)
    """

    trains_by_default = True
    supports_masking = True
    branches_on_training = False

    def __init__(self, layers: Any, name: str | None = None):
        super().__init__(name=name)
        if not isinstance(layers, (list, tuple)) or not all(isinstance(x, Layer) for x in layers):
            raise ArgumentError(f"{self.name} takes a list of layers; got {layers!r}.")
        self.held = list(layers)

    @property
    def layers(self) -> list[Layer]:
        """The layers, in their order."""
        return list(self.held)

    def call(self, inputs: Any, training: Any = None) -> Any:
        for layer in self.held:
            more = {"training": training} if training is not None and "training" in layer.call_parameters() else {}
            inputs = layer(inputs, **more)
        return inputs

    def get_config(self) -> dict[str, Any]:
        return {"layers": [serialized(layer, keep=True) for layer in self.held], "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Pipeline":
        if not isinstance(config.get("layers"), (list, tuple)):
            raise ArgumentError(f"Pipeline: the config has no list of layers; got {config!r}.")
        return cls([restored(entry) for entry in config["layers"]], config.get("name"))
