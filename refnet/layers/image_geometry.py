"""Images moved at random as a whole: turned, shifted, zoomed, sheared."""

import math
from typing import Any

import numpy as np

from refnet import ops
from refnet.errors import ArgumentError
from refnet.layers.image_preprocessing import RandomImageLayer

FILL_MODES = ("reflect", "wrap", "constant", "nearest")


class AffineImageLayer(RandomImageLayer):
    """Base of layers that read images at other points.

    Args:
        fill_mode: what lies outside an image: "reflect", "wrap", "constant" (fill_value) or "nearest".
        interpolation: "nearest" or "bilinear".
        fill_value: see fill_mode.
        seed, data_format: as in RandomFlip.
    """

    def __init__(
        self,
        fill_mode: str,
        interpolation: str,
        seed: Any = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **more: Any,
    ):
        super().__init__(seed=seed, data_format=data_format, **more)
        if fill_mode not in FILL_MODES:
            raise ArgumentError(f"{self.name}: fill_mode is one of {', '.join(FILL_MODES)}; got {fill_mode!r}.")
        if interpolation not in ("nearest", "bilinear"):
            raise ArgumentError(f"{self.name}: interpolation is 'nearest' or 'bilinear'; got {interpolation!r}.")
        self.fill_mode, self.interpolation, self.fill_value = fill_mode, interpolation, fill_value

    def changed(self, images: Any) -> Any:
        rows = self.transform(images, *self.extents(images))
        zero = ops.zeros_like(rows[0])
        transform = ops.concatenate([*(zero if row is None else row for row in rows), zero, zero], 1)
        return ops.image.affine_transform(
            images, transform, self.interpolation, self.fill_mode, self.fill_value, self.data_format
        )

    def transform(self, images: Any, height: int, width: int) -> list[Any]:
        """a0, a1, a2, b0, b1, b2 of `ops.image.affine_transform`, each (batch, 1); None stands for zeros."""
        raise NotImplementedError(f"{type(self).__name__} has no `transform`")


class RandomRotation(AffineImageLayer):
    """In training, turns each image by a random angle about its centre; at inference, nothing.

    Args:
        factor: (lower, upper), in full turns, positive counter-clockwise; f stands for (-f, f).
        fill_mode, interpolation, fill_value: what is read outside, and between pixels; see `ops.image.affine_transform`.
        seed, data_format: as in RandomFlip.

    >>> RandomRotation(0.1)(np.full((1, 4, 4, 3), 0.5), training=True).shape
    (1, 4, 4, 3)
    """

    def __init__(
        self,
        factor: Any,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: Any = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **more: Any,
    ):
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format, **more)
        self.factor = factor
        self.lower, self.upper = self.limits("factor", factor, -1, 1)

    def transform(self, images: Any, height: int, width: int) -> list[Any]:
        angle = self.uniform(images, 2 * math.pi * self.lower, 2 * math.pi * self.upper)
        cos, sin = ops.cos(angle), ops.sin(angle)
        x, y = (width - 1) / 2, (height - 1) / 2
        a2 = ops.subtract(x, ops.subtract(ops.multiply(x, cos), ops.multiply(y, sin)))
        b2 = ops.subtract(y, ops.add(ops.multiply(x, sin), ops.multiply(y, cos)))
        return [cos, ops.negative(sin), a2, sin, cos, b2]


class RandomTranslation(AffineImageLayer):
    """In training, shifts each image by a random part of its size; at inference, nothing.

    Args:
        height_factor, width_factor: (lower, upper), shares of height and width, positive down and to the right; f stands for
            (-f, f).
        fill_mode, interpolation, fill_value: what is read outside, and between pixels; see `ops.image.affine_transform`.
        seed, data_format: as in RandomFlip.

    >>> RandomTranslation(0.1, 0.1)(np.full((1, 4, 4, 3), 0.5), training=True).shape
    (1, 4, 4, 3)
    """

    def __init__(
        self,
        height_factor: Any,
        width_factor: Any,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: Any = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **more: Any,
    ):
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format, **more)
        self.height_factor, self.width_factor = height_factor, width_factor
        self.height_limits = self.limits("height_factor", height_factor, -1, 1)
        self.width_limits = self.limits("width_factor", width_factor, -1, 1)

    def transform(self, images: Any, height: int, width: int) -> list[Any]:
        down = ops.multiply(self.uniform(images, *self.height_limits), -float(height))
        right = ops.multiply(self.uniform(images, *self.width_limits), -float(width))
        one = ops.ones_like(down)
        return [one, None, right, None, one, down]


class RandomZoom(AffineImageLayer):
    """In training, zooms each image in or out about its centre; at inference, nothing.

    Args:
        height_factor: (lower, upper): the result shows 1 + f times the height, so positive zooms out; f stands for (-f, f).
        width_factor: the same for the width; None: as the height, so that nothing is distorted.
        fill_mode, interpolation, fill_value: what is read outside, and between pixels; see `ops.image.affine_transform`.
        seed, data_format: as in RandomFlip.

    >>> RandomZoom(0.2)(np.full((1, 4, 4, 3), 0.5), training=True).shape
    (1, 4, 4, 3)
    """

    def __init__(
        self,
        height_factor: Any,
        width_factor: Any = None,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: Any = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **more: Any,
    ):
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format, **more)
        self.height_factor, self.width_factor = height_factor, width_factor
        self.height_limits = self.limits("height_factor", height_factor, -1, 1)
        self.width_limits = None if width_factor is None else self.limits("width_factor", width_factor, -1, 1)
        if -1 in np.hstack([height_factor, 0 if width_factor is None else width_factor]):
            raise ArgumentError(f"{self.name}: a factor of -1 would show nothing; factors lie above -1.")

    def transform(self, images: Any, height: int, width: int) -> list[Any]:
        tall = self.uniform(images, 1 + self.height_limits[0], 1 + self.height_limits[1])
        wide = tall
        if self.width_limits is not None:
            wide = self.uniform(images, 1 + self.width_limits[0], 1 + self.width_limits[1])
        across = ops.multiply(ops.subtract(1, wide), (width - 1) / 2)
        down = ops.multiply(ops.subtract(1, tall), (height - 1) / 2)
        return [wide, None, across, None, tall, down]


class RandomShear(AffineImageLayer):
    """In training, slants each image at random; at inference, nothing.

        y[i, j] = x[i + v * j,  j + u * i],  u and v drawn from x_factor and y_factor, both with one random sign

    Args:
        x_factor, y_factor: (lower, upper) within -1..1; f, in 0..1, stands for (-f, f).
        interpolation, fill_mode, fill_value: what is read between pixels, and outside; see `ops.image.affine_transform`.
        data_format, seed: as in RandomFlip.

    >>> RandomShear(0.1, 0.1)(np.full((1, 4, 4, 3), 0.5), training=True).shape
    (1, 4, 4, 3)
    """

    def __init__(
        self,
        x_factor: Any = 0.0,
        y_factor: Any = 0.0,
        interpolation: str = "bilinear",
        fill_mode: str = "reflect",
        fill_value: float = 0.0,
        data_format: str | None = None,
        seed: Any = None,
        **more: Any,
    ):
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format, **more)
        self.x_factor, self.y_factor = x_factor, y_factor
        self.x_limits = self.shares("x_factor", x_factor)
        self.y_limits = self.shares("y_factor", y_factor)

    def shares(self, word: str, given: Any) -> tuple[float, float]:
        """(lower, upper) of a factor; one number, in 0..1, goes to either side."""
        if isinstance(given, (tuple, list)):
            return self.limits(word, given, -1, 1)  # negative ones too: Keras writes (-f, f) into files
        high = self.limits(word, given, 0, 1)[1]
        return -high, high

    def transform(self, images: Any, height: int, width: int) -> list[Any]:
        sign = ops.where(ops.greater(self.uniform(images, 0.0, 1.0), 0.5), -1.0, 1.0)
        u = ops.multiply(self.uniform(images, *self.x_limits), ops.cast(sign, self.compute_dtype))
        v = ops.multiply(self.uniform(images, *self.y_limits), ops.cast(sign, self.compute_dtype))
        one = ops.ones_like(u)
        return [one, u, None, v, one, None]
