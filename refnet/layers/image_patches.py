"""Images with a patch taken out, or seen from elsewhere."""

from typing import Any

from refnet import ops, random
from refnet.errors import ArgumentError, ShapeError
from refnet.layers.checks import share
from refnet.layers.image_colors import ColorLayer


class RandomErasing(ColorLayer):
    """In training, fills a rectangle of some images with a value or with noise; at inference, nothing.

    The sides are sqrt(a) of the width and sqrt(b) of the height, a and b drawn from the scale; the place is drawn too.

    Args:
        factor: (lower, upper) within 0..1: how likely an image is chosen, itself drawn between them; f stands for (0, f).
        scale: (lower, upper) within 0..1; s stands for (0, s).
        fill_value: a number, or one for each of three channels; None for normally distributed noise, times the greatest value.
        value_range: (least, greatest) value of the images; what is filled in is kept there.
        seed, data_format: as in RandomFlip.
    Source: Zhong et al. 2017; Keras 3 `RandomErasing`.

    >>> RandomErasing(0.5, value_range=(0, 1))(np.full((1, 4, 4, 3), 0.5), training=True).shape
    (1, 4, 4, 3)
    """

    def __init__(
        self,
        factor: Any = 1.0,
        scale: Any = (0.02, 0.33),
        fill_value: Any = None,
        value_range: Any = (0, 255),
        seed: Any = None,
        data_format: str | None = None,
        **more: Any,
    ):
        super().__init__(value_range, seed, data_format, **more)
        self.factor, self.scale, self.fill_value = factor, scale, fill_value
        self.lower, self.upper = self.limits("factor", factor, 0, 1)
        self.smallest, self.largest = self.limits("scale", scale, 0, 1)
        several = isinstance(fill_value, (tuple, list))
        values = list(fill_value) if several else [] if fill_value is None else [fill_value]
        if (several and len(values) != 3) or not all(isinstance(v, (int, float)) for v in values):
            raise ArgumentError(f"{self.name}: fill_value is None, a number or three of them; got {fill_value!r}.")

    def changed(self, images: Any) -> Any:
        inside = self.in_box(images, *[self.side(images, axis) for axis in self.axes(images)])
        chosen = ops.less(self.drawn(images, 0.0, 1.0), self.drawn(images, self.lower, self.upper))
        return ops.where(ops.logical_and(inside, chosen), self.kept(self.filling(images)), images)

    def side(self, images: Any, axis: int) -> tuple[Any, Any]:
        """Where the patch begins and ends along an axis, (batch, 1) each."""
        length = ops.cast(ops.shape(images)[axis], self.compute_dtype)
        side = ops.multiply(ops.sqrt(self.uniform(images, self.smallest, self.largest)), length)
        start = ops.multiply(self.uniform(images, 0.0, 1.0), ops.subtract(length, side))
        return start, ops.add(start, side)

    def filling(self, images: Any) -> Any:
        """What stands in a patch."""
        if self.fill_value is None:
            noise = random.normal(ops.shape(images), 0.0, 1.0, self.compute_dtype, self.key)
            return ops.multiply(noise, self.value_range[1])
        values = ops.cast(ops.convert_to_tensor(self.fill_value), self.compute_dtype)
        if not isinstance(self.fill_value, (tuple, list)):
            return values
        place = 1 if self.data_format == "channels_first" else 3
        if images.shape[place] not in (None, 3):
            raise ShapeError(
                f"{self.name}: fill_value has three numbers, one for each channel; the images have {images.shape[place]} "
                f"channels, shape {tuple(images.shape)}. Give a single number."
            )
        return ops.reshape(values, (1, 3, 1, 1)) if place == 1 else values


class RandomPerspective(ColorLayer):
    """In training, shows some images from elsewhere: their corners are moved at random; at inference, nothing.

        corner' = corner * (1 + d),  d drawn from -scale / 2 .. scale / 2 for each coordinate; (0, 0) stays

    Args:
        factor: (lower, upper) within 0..1: how likely an image is chosen, itself drawn between them; f stands for (0, f).
        scale: how far corners move, 0 to 1.
        interpolation, fill_value: what is read between pixels and outside; see `ops.image.perspective_transform`.
        seed, data_format: as in RandomFlip.
    Source: Keras 3 `RandomPerspective`.

    >>> RandomPerspective(0.5)(np.full((1, 4, 4, 3), 0.5), training=True).shape
    (1, 4, 4, 3)
    """

    def __init__(
        self,
        factor: Any = 1.0,
        scale: float = 1.0,
        interpolation: str = "bilinear",
        fill_value: float = 0.0,
        seed: Any = None,
        data_format: str | None = None,
        **more: Any,
    ):
        super().__init__((0, 255), seed, data_format, **more)
        self.factor, self.interpolation, self.fill_value = factor, interpolation, fill_value
        self.lower, self.upper = self.limits("factor", factor, 0, 1)
        self.scale = share(self.name, "scale", scale)
        if interpolation not in ("nearest", "bilinear"):
            raise ArgumentError(f"{self.name}: interpolation is 'nearest' or 'bilinear'; got {interpolation!r}.")

    def changed(self, images: Any) -> Any:
        height, width = self.extents(images)
        corners = [[0.0, 0.0], [width - 1.0, 0.0], [0.0, height - 1.0], [width - 1.0, height - 1.0]]
        shape = (ops.shape(images)[0], 4, 2)
        moves = random.uniform(shape, -self.scale / 2, self.scale / 2, self.compute_dtype, self.key)
        start = ops.broadcast_to(ops.cast(ops.convert_to_tensor(corners), self.compute_dtype), shape)
        seen = ops.image.perspective_transform(
            images,
            start,
            ops.multiply(start, ops.add(moves, 1.0)),
            self.interpolation,
            self.fill_value,
            self.data_format,
        )
        chosen = ops.less(self.drawn(images, 0.0, 1.0), self.drawn(images, self.lower, self.upper))
        return ops.where(chosen, seen, images)
