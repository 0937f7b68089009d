"""Images changed in hue, saturation and brightness at random, and turned into partial negatives."""

from typing import Any

from refnet import ops, settings
from refnet.layers.image_colors import ColorLayer


class RandomHue(ColorLayer):
    """In training, turns the hues of each image by a random angle; at inference, nothing.

    Args:
        factor: (lower, upper) within 0..1, in half turns, in either direction; f stands for (0, f).
        value_range: (least, greatest) value of the images.
        data_format, seed: as in RandomFlip.

    >>> RandomHue(0.2, value_range=(0, 1))(np.full((1, 4, 4, 3), 0.5), training=True).shape
    (1, 4, 4, 3)
    """

    def __init__(
        self, factor: Any, value_range: Any = (0, 255), data_format: str | None = None, seed: Any = None, **more: Any
    ):
        super().__init__(value_range, seed, data_format, **more)
        self.factor = factor
        self.lower, self.upper = self.limits("factor", factor, 0, 1)

    def changed(self, images: Any) -> Any:
        turn = ops.multiply(self.drawn(images, self.lower, self.upper), 0.5)
        turn = ops.where(ops.greater(self.drawn(images, 0.0, 1.0), 0.5), ops.negative(turn), turn)
        low, high = self.value_range
        hue, saturation, value, axis = parts(ops.divide(ops.subtract(images, low), high - low), self.data_format)
        turned = ops.concatenate([ops.mod(ops.add(hue, turn), 1.0), saturation, value], axis)
        rgb = ops.image.hsv_to_rgb(turned, self.data_format)
        return ops.add(ops.multiply(ops.clip(rgb, 0, 1), high - low), low)


class RandomSaturation(ColorLayer):
    """In training, multiplies the saturation of each image by a random factor; at inference, nothing.

        s' = clip(s * f / (1 - f)),  f drawn from the factor: 0 takes the colours away, 1/2 leaves them, 1 makes them full

    Args:
        factor: (lower, upper) within -1..1; f stands for (-f, f), as in Keras: negative ones take the colours away too.
        value_range: (least, greatest) value that saturations are kept in, as in Keras: give (0, 1) for images in 0..1.
        data_format, seed: as in RandomFlip.

    >>> RandomSaturation(0.5, value_range=(0, 1))(np.full((1, 4, 4, 3), 0.5), training=True).shape
    (1, 4, 4, 3)
    """

    def __init__(
        self, factor: Any, value_range: Any = (0, 255), data_format: str | None = None, seed: Any = None, **more: Any
    ):
        super().__init__(value_range, seed, data_format, **more)
        self.factor = factor
        self.lower, self.upper = self.limits("factor", factor, -1, 1)

    def changed(self, images: Any) -> Any:
        f = self.drawn(images, self.lower, self.upper)
        hue, saturation, value, axis = parts(images, self.data_format)
        scaled = self.kept(ops.multiply(saturation, ops.divide(f, ops.subtract(1 + settings.epsilon(), f))))
        return ops.image.hsv_to_rgb(ops.concatenate([hue, scaled, value], axis), self.data_format)


def parts(images: Any, data_format: str) -> tuple[Any, Any, Any, int]:
    """Hue, saturation and value of colours, each with its axis, and the axis."""
    axis = 3 if data_format == "channels_last" else 1
    hue, saturation, value = ops.split(ops.image.rgb_to_hsv(images, data_format), 3, axis)
    return hue, saturation, value, axis


class RandomColorDegeneration(ColorLayer):
    """In training, moves the colours of each image towards grey by a random part; at inference, nothing.

        y = clip(x + f * (grey - x)),  f drawn from the factor

    Args:
        factor: (lower, upper) within -1..1; f stands for (-f, f).
        value_range: (least, greatest) value of the images.
        data_format, seed: as in RandomFlip.

    >>> RandomColorDegeneration(0.5, value_range=(0, 1))(np.full((1, 4, 4, 3), 0.5), training=True).shape
    (1, 4, 4, 3)
    """

    def __init__(
        self, factor: Any, value_range: Any = (0, 255), data_format: str | None = None, seed: Any = None, **more: Any
    ):
        super().__init__(value_range, seed, data_format, **more)
        self.factor = factor
        self.lower, self.upper = self.limits("factor", factor, -1, 1)

    def changed(self, images: Any) -> Any:
        grey = ops.image.rgb_to_grayscale(images, self.data_format)
        part = self.drawn(images, self.lower, self.upper)
        return self.kept(ops.add(images, ops.multiply(part, ops.subtract(grey, images))))


class Solarization(ColorLayer):
    """In training, turns the bright values of each image into their negatives; at inference, nothing.

        z = clip(x + a, 0, 255);  y = z if z < t, else 255 - z,  with x brought to 0..255 before, and y back after

    Args:
        addition_factor: (lower, upper) within 0..1: a is drawn from lower .. 255 * upper; f stands for (0, f).
        threshold_factor: the same for t.
        value_range: (least, greatest) value of the images.
        seed: as in RandomFlip.

    >>> Solarization(0.0, 0.0, value_range=(0, 1))(np.full((1, 1, 1, 1), 0.9), training=True)
    array([[[[0.1]]]], dtype=float32)
    """

    def __init__(
        self,
        addition_factor: Any = 0.0,
        threshold_factor: Any = 0.0,
        value_range: Any = (0, 255),
        seed: Any = None,
        **more: Any,
    ):
        super().__init__(value_range, seed, **more)
        self.addition_factor, self.threshold_factor = addition_factor, threshold_factor
        self.additions = self.limits("addition_factor", addition_factor, 0, 1)
        self.thresholds = self.limits("threshold_factor", threshold_factor, 0, 1)

    def changed(self, images: Any) -> Any:
        low, high = self.value_range
        scale = 255 / (high - low)
        addition = self.drawn(images, self.additions[0], 255 * self.additions[1])
        threshold = self.drawn(images, self.thresholds[0], 255 * self.thresholds[1])
        bright = ops.clip(ops.add(ops.multiply(ops.subtract(images, low), scale), addition), 0, 255)
        mixed = ops.where(ops.less(bright, threshold), bright, ops.subtract(255, bright))
        return ops.add(ops.divide(mixed, scale), low)
