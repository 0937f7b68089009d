"""Images brought to a size, mirrored and cut; what all layers that change images at random have in common."""

from typing import Any

import numpy as np

from refnet import ops, random
from refnet.errors import ArgumentError, ShapeError, shown
from refnet.layers.base import Layer
from refnet.layers.checks import data_format_of, whole
from refnet.ops.arguments import flag
from refnet.ops.resizing import checked_options


class ImageLayer(Layer):
    """Base of layers of images: (height, width, channels), or a batch of them.

    Args:
        data_format: "channels_last" or "channels_first"; `config.image_data_format()` if None.
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
        interpolation: "nearest", "bilinear", "bicubic", "lanczos3" or "lanczos5".
        crop_to_aspect_ratio: whether what would be distorted is cut off first.
        pad_to_aspect_ratio: whether fill_value is put around what would be distorted first.
        fill_mode: "constant".
        fill_value: a number.
        antialias: whether smaller images average over what they leave out.
        data_format: "channels_last" or "channels_first"; `config.image_data_format()` if None.
    Returns:
        The images in the new size, in their dtype (floating ones in the layer's).

    >>> Resizing(32, 32)(np.zeros((2, 50, 40, 3))).shape
    (2, 32, 32, 3)
    """

    one_tensor = True

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
        checked_options(interpolation, crop_to_aspect_ratio, pad_to_aspect_ratio, fill_mode)
        self.interpolation, self.fill_mode, self.fill_value = interpolation, fill_mode, fill_value
        self.antialias = flag(self.name, antialias, "antialias")
        self.crop_to_aspect_ratio, self.pad_to_aspect_ratio = crop_to_aspect_ratio, pad_to_aspect_ratio

    def call(self, inputs: Any) -> Any:
        self.axes(inputs)
        return ops.resize(
            inputs,
            (self.height, self.width),
            self.interpolation,
            self.antialias,
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
        data_format: "channels_last" or "channels_first"; `config.image_data_format()` if None.

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
        data_format: "channels_last" or "channels_first"; `config.image_data_format()` if None.
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

    def in_box(self, images: Any, rows: tuple[Any, Any], columns: tuple[Any, Any]) -> Any:
        """Whether a pixel lies within the box of its image, laid out as the images are, with one channel.

        Args:
            rows, columns: where the box begins and ends, in pixels, a number for each image.
        """
        inside: Any = True
        for axis, limits in zip(self.axes(images), (rows, columns)):
            # in float32: 16-bit floats do not hold the numbers of all pixels
            places = ops.cast(ops.arange(ops.shape(images)[axis]), "float32")
            places = ops.reshape(places, [-1 if a == axis else 1 for a in range(4)])
            start, end = (ops.cast(ops.reshape(limit, (-1, 1, 1, 1)), "float32") for limit in limits)
            inside = ops.logical_and(inside, ops.logical_and(ops.greater_equal(places, start), ops.less(places, end)))
        return inside

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


class RandomFlip(RandomImageLayer):
    """In training, mirrors one image in two; at inference, nothing.

    Args:
        mode: "horizontal" (left and right), "vertical" or "horizontal_and_vertical" (both together).
        seed: an integer, for draws that do not depend on the seed of the whole program.
        data_format: "channels_last" or "channels_first"; `config.image_data_format()` if None.

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
