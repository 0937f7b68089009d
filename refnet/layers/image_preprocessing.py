"""Images brought to a size, and moved at random: turned, shifted, zoomed, sheared, mirrored, cut."""

import math
from typing import Any

import numpy as np

from refnet import ops, random
from refnet.errors import ArgumentError, ShapeError, shown
from refnet.layers.base import Layer
from refnet.layers.checks import data_format_of, whole
from refnet.ops.resizing import checked_options

FILL_MODES = ("reflect", "wrap", "constant", "nearest")


class ImageLayer(Layer):
    """Base of layers of images: (height, width, channels), or a batch of them.

    Args:
        data_format: "channels_last" (None too) or "channels_first".
    """

    def __init__(self, data_format: str | None = None, **more: Any):
        super().__init__(**more)
        self.data_format, self.built = data_format_of(self.name, data_format), True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Tensors in: the call is added to the graph. Arrays in: computed at once; one image is a batch of one."""
        if args and isinstance(args[0], np.ndarray) and args[0].ndim == 3:
            return super().__call__(args[0][None], *args[1:], **kwargs)[0]
        return super().__call__(*args, **kwargs)

    def axes(self, images: Any) -> tuple[int, int]:
        """The axes of height and width. Raises ShapeError unless there are four axes."""
        if len(images.shape) != 4:
            raise ShapeError(f"{self.name} expects images (batch, height, width, channels), got shape {images.shape}.")
        return (1, 2) if self.data_format == "channels_last" else (2, 3)

    def extents(self, images: Any) -> tuple[int, int]:
        """Height and width. Raises ShapeError if they are not known."""
        height, width = (images.shape[axis] for axis in self.axes(images))
        if height is None or width is None:
            raise ShapeError(f"{self.name} needs to know height and width; got shape {images.shape}.")
        return int(height), int(width)


class Resizing(ImageLayer):
    """Images of another size.

    Args:
        height, width: of the result.
        interpolation: "nearest", "bilinear" or "bicubic".
        crop_to_aspect_ratio: whether what would be distorted is cut off first.
        pad_to_aspect_ratio: whether fill_value is put around what would be distorted first.
        fill_mode: "constant".
        fill_value: a number.
        antialias: must be False.
        data_format: "channels_last" (None too) or "channels_first".
    Returns:
        The images in the new size, in their dtype (floating ones in the layer's).

    >>> Resizing(32, 32)(np.zeros((2, 50, 40, 3))).shape
    (2, 32, 32, 3)
    """

    def __init__(
        self,
        height: int,
        width: int,
        interpolation: str = "bilinear",
        crop_to_aspect_ratio: bool = False,
        pad_to_aspect_ratio: bool = False,
        fill_mode: str = "constant",
        fill_value: float = 0.0,
        antialias: bool = False,
        data_format: str | None = None,
        **more: Any,
    ):
        super().__init__(data_format=data_format, **more)
        self.height, self.width = whole(self.name, "height", height, 1), whole(self.name, "width", width, 1)
        checked_options(interpolation, antialias, crop_to_aspect_ratio, pad_to_aspect_ratio, fill_mode)
        self.interpolation, self.fill_mode, self.fill_value = interpolation, fill_mode, fill_value
        self.crop_to_aspect_ratio, self.pad_to_aspect_ratio = crop_to_aspect_ratio, pad_to_aspect_ratio

    def call(self, inputs: Any) -> Any:
        self.extents(inputs)
        return ops.resize(
            inputs,
            (self.height, self.width),
            self.interpolation,
            crop_to_aspect_ratio=self.crop_to_aspect_ratio,
            pad_to_aspect_ratio=self.pad_to_aspect_ratio,
            fill_mode=self.fill_mode,
            fill_value=self.fill_value,
            data_format=self.data_format,
        )


class CenterCrop(ImageLayer):
    """The middle of images; where they are too small, the largest part of the right shape, resized.

    Args:
        height, width: of the result.
        data_format: "channels_last" (None too) or "channels_first".

    >>> CenterCrop(1, 2)(np.arange(9.0).reshape(3, 3, 1))[..., 0]
    array([[3., 4.]], dtype=float32)
    """

    def __init__(self, height: int, width: int, data_format: str | None = None, **more: Any):
        super().__init__(data_format=data_format, **more)
        self.height, self.width = whole(self.name, "height", height, 1), whole(self.name, "width", width, 1)

    def call(self, inputs: Any) -> Any:
        x = ops.cast(inputs, self.compute_dtype)
        height, width = self.extents(x)
        if height < self.height or width < self.width:
            size = (self.height, self.width)
            return ops.resize(x, size, crop_to_aspect_ratio=True, data_format=self.data_format)
        top, left = (height - self.height) // 2, (width - self.width) // 2
        return ops.image.crop_images(
            x, top, left, target_height=self.height, target_width=self.width, data_format=self.data_format
        )


# ---- random changes: in training; else the images as they are


class RandomImageLayer(ImageLayer):
    """Base of layers that change images at random in training, each image by itself, and leave them as they are at inference.

    A call on arrays that leaves `training` open is one in training, as in Keras.

    Args:
        seed: an integer, for draws that do not depend on the seed of the whole program.
        data_format: "channels_last" (None too) or "channels_first".
    """

    trains_by_default = True

    def __init__(self, seed: Any = None, data_format: str | None = None, **more: Any):
        super().__init__(data_format=data_format, **more)
        self.seed = seed
        self.key = random.next_seed() if seed is None else random.checked_seed(seed)

    def call(self, inputs: Any, training: Any = None) -> Any:
        x = ops.cast(inputs, self.compute_dtype)
        self.axes(x)
        return self.changed(x) if training else x

    def changed(self, images: Any) -> Any:
        """The changed images."""
        raise NotImplementedError(f"{type(self).__name__} has no `changed`")

    def uniform(self, images: Any, low: float, high: float) -> Any:
        """A number for each image, (batch, 1)."""
        return random.uniform((ops.shape(images)[0], 1), low, high, self.compute_dtype, self.key)

    def limits(self, word: str, given: Any, low: float, high: float) -> tuple[float, float]:
        """(lower, upper) from a pair, or from one number f: (-f, f), kept within low..high."""
        pair = isinstance(given, (tuple, list))
        numbers = list(given) if pair else [given]
        real = all(isinstance(v, (int, float, np.number)) and not isinstance(v, bool) for v in numbers)
        if not real or len(numbers) != (2 if pair else 1) or not all(low <= v <= high for v in numbers):
            raise ArgumentError(
                f"{self.name}: {word} is a number in {low}..{high}, or a pair (lower, upper) of them; got {shown(given)}."
            )
        if pair:
            return float(min(numbers)), float(max(numbers))
        size = abs(float(given))
        return max(-size, float(low)), size


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


class RandomFlip(RandomImageLayer):
    """In training, mirrors one image in two; at inference, nothing.

    Args:
        mode: "horizontal" (left and right), "vertical" or "horizontal_and_vertical" (both together).
        seed: an integer, for draws that do not depend on the seed of the whole program.
        data_format: "channels_last" (None too) or "channels_first".

    >>> RandomFlip("horizontal", seed=0)(np.arange(3.0).reshape(1, 1, 3, 1), training=True)[0, 0, :, 0]
    array([2., 1., 0.], dtype=float32)
    """

    def __init__(
        self, mode: str = "horizontal_and_vertical", seed: Any = None, data_format: str | None = None, **more: Any
    ):
        super().__init__(seed=seed, data_format=data_format, **more)
        if mode not in ("horizontal", "vertical", "horizontal_and_vertical"):
            raise ArgumentError(
                f"{self.name}: mode is 'horizontal', 'vertical' or 'horizontal_and_vertical'; got {mode!r}."
            )
        self.mode = mode

    def changed(self, images: Any) -> Any:
        rows, columns = self.axes(images)
        axes = [a for a, word in ((columns, "horizontal"), (rows, "vertical")) if word in self.mode]
        flips = ops.less_equal(ops.reshape(self.uniform(images, 0.0, 1.0), (-1, 1, 1, 1)), 0.5)
        return ops.where(flips, ops.flip(images, axes), images)


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


class RandomCrop(RandomImageLayer):
    """In training, a part of the images, at a random place that is the same for the batch; at inference their largest part of
    the right shape, resized.

    Images that are too small are resized in training too. (Keras 3.15 leaves images of another size as they are at inference,
    so that the layers behind would meet two sizes; what is done here is what it documents.)

    Args:
        height, width: of the result.
        seed, data_format: as in RandomFlip.

    >>> RandomCrop(2, 3)(np.full((1, 4, 4, 3), 0.5), training=True).shape
    (1, 2, 3, 3)
    """

    def __init__(
        self,
        height: int,
        width: int,
        seed: Any = None,
        data_format: str | None = None,
        name: str | None = None,
        **more: Any,
    ):
        super().__init__(seed=seed, data_format=data_format, name=name, **more)
        self.height, self.width = whole(self.name, "height", height, 1), whole(self.name, "width", width, 1)

    def call(self, inputs: Any, training: Any = None) -> Any:
        x = ops.cast(inputs, self.compute_dtype)
        height, width = self.extents(x)
        if (height, width) == (self.height, self.width):
            return x
        if not training or height < self.height or width < self.width:
            size = (self.height, self.width)
            return ops.resize(x, size, crop_to_aspect_ratio=True, data_format=self.data_format)
        for axis, given, kept in zip(self.axes(x), (height, width), (self.height, self.width)):
            start = random.randint((), 0, given - kept + 1, "int32", self.key)
            x = ops.take(x, ops.add(start, np.arange(kept, dtype="int32")), axis)
        return x
