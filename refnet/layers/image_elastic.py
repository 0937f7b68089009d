"""Images printed on cloth that is drawn out of shape: RandomElasticTransform."""

from typing import Any

import numpy as np

from refnet import ops, random
from refnet.errors import ArgumentError
from refnet.layers.image_colors import ColorLayer
from refnet.ops.arguments import number
from refnet.ops.mapping import checked_mode, read_at
from refnet.ops.warping import checked_fill

STRENGTH, FOLDS = 0.1, 0.05  # of a scale of 1: how far pixels move and how wide folds are, as shares of the image


class RandomElasticTransform(ColorLayer):
    """In training, draws some images out of shape as if they were printed on cloth; at inference, nothing.

        y = clip(x at (i + a v, j + a u)),   u, v = normal numbers of deviation s, blurred by a bell of deviation s

    with a = 0.1 c max(height, width), s = 0.05 c min(height, width) and c drawn from the scale, once for the batch. (The bell's window
    has room for the largest c, where Keras's has for the drawn one: 3 deviations on each side.)

    Args:
        factor: (lower, upper) within 0..1: how likely an image is chosen, itself drawn between them; f stands for (0, f).
        scale: (lower, upper) within 0..1; s stands for (0, s).
        interpolation: between pixels, "nearest" or "bilinear".
        fill_mode, fill_value: what is read outside; see `ops.image.affine_transform`.
        value_range: (least, greatest) value of the images; results are kept there.
        seed, data_format: as in RandomFlip.
    Raises:
        ArgumentError: other arguments.  ShapeError: height and width that are not known.
    Source: Simard, Steinkraus and Platt 2003; Keras 3 `RandomElasticTransform`.

    >>> RandomElasticTransform(value_range=(0, 1), seed=1)(np.full((1, 4, 4, 3), 0.5), training=True).max()
    np.float32(0.5)
    """

    def __init__(
        self,
        factor: Any = 1.0,
        scale: Any = 1.0,
        interpolation: str = "bilinear",
        fill_mode: str = "reflect",
        fill_value: float = 0.0,
        value_range: Any = (0, 255),
        seed: Any = None,
        data_format: str | None = None,
        **more: Any,
    ):
        super().__init__(value_range, seed, data_format, **more)
        self.factor, self.scale = factor, scale
        self.lower, self.upper = self.limits("factor", factor, 0, 1)
        self.least_scale, self.largest_scale = self.limits("scale", scale, 0, 1)
        if interpolation not in ("nearest", "bilinear"):
            raise ArgumentError(f"{self.name}: interpolation is 'nearest' or 'bilinear'; got {interpolation!r}.")
        self.interpolation, self.fill_mode = interpolation, fill_mode
        self.mode = checked_mode(self.name, fill_mode)
        self.fill_value = number(self.name, fill_value, "fill_value")

    def changed(self, images: Any) -> Any:
        if self.upper == 0 or self.largest_scale == 0:
            return images
        scale = random.uniform((), self.least_scale, self.largest_scale, self.compute_dtype, self.key)
        height, width = self.extents(images)
        shape = (ops.shape(images)[0], height, width, 2)
        moved = self.drawn_out(images, scale, random.normal(shape, dtype=self.compute_dtype, seed=self.key))
        chosen = ops.less(self.drawn(images, 0.0, 1.0), self.drawn(images, self.lower, self.upper))
        return self.kept(ops.where(chosen, moved, images))

    def drawn_out(self, images: Any, scale: Any, noise: Any) -> Any:
        """The images drawn out of shape by a scale and normal numbers (batch, height, width, 2) for columns and rows."""
        height, width = self.extents(images)
        first = self.data_format == "channels_first"
        x = ops.transpose(images, (0, 2, 3, 1)) if first else images
        deviation = ops.add(ops.multiply(scale, FOLDS * min(height, width)), 1e-6)
        window = int(6 * FOLDS * min(height, width) * self.largest_scale) | 1
        smooth = ops.image.gaussian_blur(
            ops.multiply(noise, deviation), (window, window), ops.stack([deviation, deviation]), "channels_last"
        )
        moves = ops.multiply(smooth, ops.multiply(scale, STRENGTH * max(height, width)))
        columns = ops.add(ops.get_item(moves, (..., 0)), np.arange(width, dtype="float32"))
        rows = ops.add(ops.get_item(moves, (..., 1)), np.arange(height, dtype="float32")[:, None])
        fill = checked_fill(self.fill_value, self.compute_dtype)
        y = read_at(x, rows, columns, self.interpolation, self.mode, fill)
        return ops.transpose(y, (0, 3, 1, 2)) if first else y
