"""Images changed in their colours at random."""

from typing import Any

import numpy as np

from refnet import ops
from refnet.errors import ArgumentError, shown
from refnet.layers.image_preprocessing import RandomImageLayer


class ColorLayer(RandomImageLayer):
    """Base of layers that change colours.

    Args:
        value_range: (least, greatest) value of the images; results are kept there.
        seed, data_format: as in RandomFlip.
    """

    def __init__(self, value_range: Any = (0, 255), seed: Any = None, data_format: str | None = None, **more: Any):
        super().__init__(seed=seed, data_format=data_format, **more)
        given = value_range.tolist() if isinstance(value_range, np.ndarray) else value_range
        pair = isinstance(given, (tuple, list)) and len(given) == 2
        if not pair or not all(isinstance(v, (int, float, np.number)) for v in given):
            raise ArgumentError(
                f"{self.name}: value_range is a pair of numbers (least, greatest); got {shown(value_range)}."
            )
        self.value_range = sorted(float(v) for v in given)
        if not self.value_range[0] < self.value_range[1]:
            raise ArgumentError(
                f"{self.name}: value_range is (least, greatest), two different numbers; got {shown(value_range)}."
            )

    def drawn(self, images: Any, low: float, high: float) -> Any:
        """A number for each image, (batch, 1, 1, 1)."""
        return ops.reshape(self.uniform(images, low, high), (-1, 1, 1, 1))

    def kept(self, images: Any) -> Any:
        """Values within the range."""
        return ops.clip(images, *self.value_range)


class RandomBrightness(ColorLayer):
    """In training, adds a random number to all of an image's values; at inference, nothing.

        y = clip(x + d * (greatest - least)),  d drawn from the factor

    Args:
        factor: (lower, upper) within -1..1; f stands for (-f, f).
        value_range: (least, greatest) value of the images.
        seed: as in RandomFlip.

    >>> RandomBrightness(0.2, value_range=(0, 1))(np.full((1, 4, 4, 3), 0.5), training=True).shape
    (1, 4, 4, 3)
    """

    def __init__(self, factor: Any, value_range: Any = (0, 255), seed: Any = None, **more: Any):
        super().__init__(value_range, seed, **more)
        self.factor = factor
        self.lower, self.upper = self.limits("factor", factor, -1, 1)

    def changed(self, images: Any) -> Any:
        span = self.value_range[1] - self.value_range[0]
        return self.kept(ops.add(images, self.drawn(images, self.lower * span, self.upper * span)))


class RandomContrast(ColorLayer):
    """In training, moves each channel's values away from their mean, or towards it; at inference, nothing.

        y = clip((x - m) * c + m),  m the mean of image and channel, c drawn from 1 - lower .. 1 + upper

    Args:
        factor: (lower, upper) within 0..1; f stands for (0, f), as in Keras 3.15: contrast is only raised.
        value_range: (least, greatest) value of the images.
        seed: as in RandomFlip.

    >>> RandomContrast(0.2, value_range=(0, 1))(np.full((1, 4, 4, 3), 0.5), training=True).shape
    (1, 4, 4, 3)
    """

    def __init__(self, factor: Any, value_range: Any = (0, 255), seed: Any = None, **more: Any):
        super().__init__(value_range, seed, **more)
        self.factor = factor
        self.lower, self.upper = self.limits("factor", factor, 0, 1)

    def changed(self, images: Any) -> Any:
        mean = ops.mean(images, self.axes(images), keepdims=True)
        contrast = self.drawn(images, 1 - self.lower, 1 + self.upper)
        return self.kept(ops.add(ops.multiply(ops.subtract(images, mean), contrast), mean))


class RandomGrayscale(ColorLayer):
    """In training, takes the colours from some images; at inference, nothing.

    Args:
        factor: the share of images, 0 to 1.
        data_format, seed: as in RandomFlip.

    >>> RandomGrayscale(1.0)(np.array([[[[1.0, 0.0, 0.0]]]]), training=True)
    array([[[[0.2989, 0.2989, 0.2989]]]], dtype=float32)
    """

    def __init__(self, factor: float = 0.5, data_format: str | None = None, seed: Any = None, **more: Any):
        super().__init__((0, 255), seed, data_format, **more)
        self.factor = self.limits("factor", factor, 0, 1)[1]

    def changed(self, images: Any) -> Any:
        grey = ops.image.rgb_to_grayscale(images, self.data_format)
        return ops.where(
            ops.less(self.drawn(images, 0.0, 1.0), self.factor), ops.broadcast_to(grey, ops.shape(images)), images
        )


class RandomInvert(ColorLayer):
    """In training, turns some images into their negatives, greatest - x; at inference, nothing.

    Args:
        factor: (lower, upper) within 0..1: how likely an image is chosen, itself drawn between them; f stands for (0, f).
        value_range: (least, greatest) value of the images.
        seed, data_format: as in RandomFlip.

    >>> RandomInvert((1.0, 1.0), value_range=(0, 1))(np.full((1, 2, 2, 1), 0.25), training=True)[0, :, :, 0]
    array([[0.75, 0.75],
           [0.75, 0.75]], dtype=float32)
    """

    def __init__(
        self,
        factor: Any = 1.0,
        value_range: Any = (0, 255),
        seed: Any = None,
        data_format: str | None = None,
        **more: Any,
    ):
        super().__init__(value_range, seed, data_format, **more)
        self.factor = factor
        self.lower, self.upper = self.limits("factor", factor, 0, 1)

    def changed(self, images: Any) -> Any:
        chosen = ops.less(self.drawn(images, 0.0, 1.0), self.drawn(images, self.lower, self.upper))
        return ops.where(chosen, ops.subtract(self.value_range[1], images), images)
