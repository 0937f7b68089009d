"""Images sharpened, blurred, stretched in contrast, and drawn with fewer values."""

from typing import Any

import numpy as np

from refnet import ops, random
from refnet.errors import ArgumentError
from refnet.layers.image_colors import ColorLayer, RandomBrightness, RandomContrast
from refnet.layers.image_hues import RandomHue, RandomSaturation

AROUND, MIDDLE = 1 / 13, 5 / 13  # of the window that RandomSharpness smooths with


class AutoContrast(ColorLayer):
    """Stretches each channel of each image over the whole range of values, in training and at inference.

        y = (x - l) * (greatest - least) / (h - l) + least,  l and h the channel's smallest and largest value

    A channel of one value stays as it is.

    Args:
        value_range: (least, greatest) value of the images.
    Source: Keras 3 `AutoContrast`, which takes the axes 1 and 2 for height and width, whatever the data format.

    >>> AutoContrast((0, 1))(np.array([[[0.25], [0.5]]], "float32"))[0, :, 0]
    array([0., 1.], dtype=float32)
    """

    branches_on_training = False

    def __init__(self, value_range: Any = (0, 255), **more: Any):
        super().__init__(value_range, **more)

    def call(self, inputs: Any, training: Any = None) -> Any:
        return self.changed(ops.cast(inputs, self.compute_dtype))

    def changed(self, images: Any) -> Any:
        self.axes(images)
        (least, greatest), axes = self.value_range, (1, 2)
        low, high = ops.min(images, axes, keepdims=True), ops.max(images, axes, keepdims=True)
        span = ops.subtract(high, low)
        flat = ops.equal(span, 0)
        part = ops.divide(ops.subtract(images, low), ops.where(flat, 1.0, span))
        return ops.where(flat, images, self.kept(ops.add(ops.multiply(part, greatest - least), least)))


class RandomPosterization(ColorLayer):
    """In training, keeps only some bits of each value, after bringing values to 0..255; at inference, nothing.

        y = floor(x / p) * p,  p = 2**(8 - bits)

    Args:
        factor: the number of bits, 1 to 8: (lower, upper), of which the upper is not drawn unless they are equal; f stands for (1, f).
        value_range: (least, greatest) value of the images.
        data_format, seed: as in RandomFlip.
    Source: Keras 3 `RandomPosterization`.

    >>> RandomPosterization((1, 1))(np.array([[[0.0], [127.0], [200.0]]], "float32"))[0, :, 0]
    array([  0.,   0., 128.], dtype=float32)
    """

    def __init__(
        self, factor: Any, value_range: Any = (0, 255), data_format: str | None = None, seed: Any = None, **more: Any
    ):
        super().__init__(value_range, seed, data_format, **more)
        self.factor = factor
        self.lower, self.upper = self.limits("factor", factor, 1, 8)
        if self.lower % 1 or self.upper % 1:
            raise ArgumentError(
                f"{self.name}: factor is a number of bits, an integer, or a pair of them; got {factor!r}."
            )

    def changed(self, images: Any) -> Any:
        least, greatest = self.value_range
        fixed = self.lower == self.upper
        bits = self.lower if fixed else ops.floor(self.drawn(images, self.lower, self.upper))
        step = ops.power(2.0, ops.cast(ops.subtract(8.0, bits), self.compute_dtype))
        whole = ops.floor(ops.multiply(ops.subtract(images, least), 255 / (greatest - least)))
        fewer = ops.multiply(ops.floor(ops.divide(whole, step)), step)
        return ops.add(ops.multiply(fewer, (greatest - least) / 255), least)


class RandomSharpness(ColorLayer):
    """In training, moves each image away from its smoothed self, or towards it; at inference, nothing.

        y = clip(x + (1 - 2 f) * (s - x)),  s = (5 x + the 8 around it) / 13, 0 outside the image, f drawn from the factor

    Args:
        factor: (lower, upper) within 0..1: 0 smooths, 1/2 leaves as it is, 1 sharpens; f stands for (0, f).
        value_range: (least, greatest) value of the images.
        data_format, seed: as in RandomFlip.
    Source: Keras 3 `RandomSharpness`.

    >>> RandomSharpness(0.5, value_range=(0, 1))(np.full((1, 4, 4, 3), 0.5), training=True).shape
    (1, 4, 4, 3)
    """

    def __init__(
        self, factor: Any, value_range: Any = (0, 255), data_format: str | None = None, seed: Any = None, **more: Any
    ):
        super().__init__(value_range, seed, data_format, **more)
        self.factor = factor
        self.lower, self.upper = self.limits("factor", factor, 0, 1)

    def changed(self, images: Any) -> Any:
        channels = images.shape[-1 if self.data_format == "channels_last" else 1]
        window = np.full((3, 3, channels, 1), AROUND, self.compute_dtype)
        window[1, 1] = MIDDLE
        smooth = ops.depthwise_conv(images, window, 1, "same", self.data_format)
        part = ops.subtract(1.0, ops.multiply(self.drawn(images, self.lower, self.upper), 2.0))
        return self.kept(ops.add(images, ops.multiply(part, ops.subtract(smooth, images))))


class RandomGaussianBlur(ColorLayer):
    """In training, blurs some images by a bell-shaped window; at inference, nothing.

    Args:
        factor: (lower, upper) within 0..1: how likely an image is chosen, itself drawn between them; f stands for (0, f).
        kernel_size: of the window, an odd integer or a pair of them.
        sigma: (lower, upper) within 0..1: the window's deviations, drawn once for the batch; s stands for (0, s).
        value_range: (least, greatest) value of the images.
        data_format, seed: as in RandomFlip.
    Source: Keras 3 `RandomGaussianBlur`; see `ops.image.gaussian_blur`.

    >>> RandomGaussianBlur(0.5, value_range=(0, 1))(np.full((1, 4, 4, 3), 0.5), training=True).shape
    (1, 4, 4, 3)
    """

    def __init__(
        self,
        factor: Any = 1.0,
        kernel_size: Any = 3,
        sigma: Any = 1.0,
        value_range: Any = (0, 255),
        data_format: str | None = None,
        seed: Any = None,
        **more: Any,
    ):
        super().__init__(value_range, seed, data_format, **more)
        self.factor, self.kernel_size, self.sigma = factor, kernel_size, sigma
        self.lower, self.upper = self.limits("factor", factor, 0, 1)
        self.least_sigma, self.largest_sigma = self.limits("sigma", sigma, 0, 1)
        sizes = tuple(kernel_size) if isinstance(kernel_size, (tuple, list)) else (kernel_size, kernel_size)
        if len(sizes) != 2 or not all(isinstance(n, int) and n > 0 and n % 2 for n in sizes):
            raise ArgumentError(f"{self.name}: kernel_size is an odd integer, or a pair of them; got {kernel_size!r}.")
        self.sizes = sizes

    def changed(self, images: Any) -> Any:
        drawn = random.uniform((2,), self.least_sigma, self.largest_sigma, self.compute_dtype, self.key)
        blurred = ops.image.gaussian_blur(images, self.sizes, ops.add(drawn, 1e-6), self.data_format)
        chosen = ops.less(self.drawn(images, 0.0, 1.0), self.drawn(images, self.lower, self.upper))
        return self.kept(ops.where(chosen, blurred, images))


class RandomColorJitter(ColorLayer):
    """In training, RandomBrightness, RandomContrast, RandomSaturation and RandomHue one after the other; at inference, nothing.

    Args:
        value_range: (least, greatest) value of the images.
        brightness_factor, contrast_factor, saturation_factor, hue_factor: of these layers; None leaves one out.
        seed, data_format: as in RandomFlip.
    Source: Keras 3 `RandomColorJitter`.

    >>> RandomColorJitter(value_range=(0, 1), brightness_factor=0.2)(np.full((1, 4, 4, 3), 0.5), training=True).shape
    (1, 4, 4, 3)
    """

    def __init__(
        self,
        value_range: Any = (0, 255),
        brightness_factor: Any = None,
        contrast_factor: Any = None,
        saturation_factor: Any = None,
        hue_factor: Any = None,
        seed: Any = None,
        data_format: str | None = None,
        **more: Any,
    ):
        super().__init__(value_range, seed, data_format, **more)
        self.brightness_factor, self.contrast_factor = brightness_factor, contrast_factor
        self.saturation_factor, self.hue_factor = saturation_factor, hue_factor
        told: dict[str, Any] = {
            "value_range": value_range,
            "seed": seed,
            "data_format": data_format,
            "dtype": self.dtype_policy,
        }
        pairs: list[tuple[Any, Any]] = [(RandomBrightness, brightness_factor), (RandomContrast, contrast_factor)]
        pairs += [(RandomSaturation, saturation_factor), (RandomHue, hue_factor)]
        self.steps = [kind(factor, **told) for kind, factor in pairs if factor is not None]

    def changed(self, images: Any) -> Any:
        for step in self.steps:
            images = step.changed(images)
        return images
