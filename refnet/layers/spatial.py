"""What layers over the axes of space share."""

from typing import Any

from refnet.layers.base import Layer
from refnet.layers.checks import SPATIAL, check_rank, data_format_of


class Spatial(Layer):
    """Base of what treats the axes of space alike: `axes` of them, after or before the channels.

    Args:
        data_format: "channels_last" or "channels_first"; `config.image_data_format()` if None.
    """

    one_tensor = True

    axes = 1

    def __init__(self, data_format: Any = None, **more: Any):
        super().__init__(**more)
        self.data_format = data_format_of(self.name, data_format)
        self.built = True

    def space(self, inputs: Any) -> range:
        """The numbers of the axes of space of a tensor, or of a shape."""
        last = self.data_format == "channels_last"
        check_rank(self.name, inputs, self.axes + 2, SPATIAL[self.axes] if last else "batch, channels, space")
        return range(1, 1 + self.axes) if last else range(2, 2 + self.axes)

    @property
    def channel_axis(self) -> int:
        return self.axes + 1 if self.data_format == "channels_last" else 1
