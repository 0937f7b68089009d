"""Images of a batch mixed with each other, and their labels with them: MixUp and CutMix."""

from typing import Any

from refnet import ops, random
from refnet.errors import ArgumentError, ShapeError
from refnet.layers.checks import above_zero
from refnet.layers.image_preprocessing import RandomImageLayer
from refnet.ops.arguments import converted, shape_of
from refnet.ops.interpolation import mixed


class MixingLayer(RandomImageLayer):
    """Base of layers that mix each image with another of its batch.

    The call takes images, or a dict with "images", "labels" (batch, classes) and "segmentation_masks", of which the latter two may
    be missing; it gives the same. Masks have the images' layout, (batch, height, width, channels) or, with data_format
    "channels_first", (batch, channels, height, width), with as many channels as they need. What else the dict has stays as it is.
    """

    def __call__(self, *args: Any, **more: Any) -> Any:
        # Here, since a call within a graph does not know the batch.
        given = args[0] if args else more.get("inputs")
        if isinstance(given, dict) and "images" in given and "segmentation_masks" in given:
            self._must_cover(
                *(shape_of(converted(self.name, given[word], word)) for word in ("images", "segmentation_masks"))
            )
        return super().__call__(*args, **more)

    def samples_apart(self, rank: int | None) -> bool:
        return False

    def call(self, inputs: Any, training: Any = None) -> Any:
        given = dict(inputs) if isinstance(inputs, dict) else {"images": inputs}
        if "images" not in given or "bounding_boxes" in given:
            raise ArgumentError(
                f"{self.name} takes images, or a dict with 'images', 'labels' and 'segmentation_masks'; got {sorted(given)}."
            )
        known = [word for word in ("images", "labels", "segmentation_masks") if word in given]
        given.update({word: ops.cast(given[word], self.compute_dtype) for word in known})
        self.axes(given["images"])
        if "labels" in given and len(given["labels"].shape) != 2:
            raise ShapeError(
                f"{self.name} mixes labels (batch, classes), ones and zeros; got shape {given['labels'].shape}. See ops.one_hot."
            )
        if training:
            order = random.permutation(ops.shape(given["images"])[0], self.key, symbolic=True)
            given.update(self.mixed({word: given[word] for word in known}, order))
        return given if isinstance(inputs, dict) else given["images"]

    def _must_cover(self, images: tuple[Any, ...], masks: tuple[Any, ...]) -> None:
        """Raises ShapeError unless masks have the images' batch, height and width, at the same axes."""
        channels = 3 if self.data_format == "channels_last" else 1
        needed = tuple("any" if axis == channels else extent for axis, extent in enumerate(images))
        alike = len(masks) == len(needed) and all(
            n == "any" or m == n or m is None or n is None for m, n in zip(masks, needed)
        )
        if not alike:
            told = ", ".join(map(str, needed))
            raise ShapeError(
                f"{self.name}: segmentation_masks need the batch, height and width of the images, laid out alike "
                f"({self.data_format}): ({told}); got shape {tuple(masks)}. np.moveaxis brings channels to another axis."
            )

    def mixed(self, given: dict[str, Any], order: Any) -> dict[str, Any]:
        """Each part with another sample's in it, in this order."""
        raise NotImplementedError(f"{type(self).__name__} has no `mixed`")

    def blended(self, x: Any, order: Any, share: Any) -> Any:
        """share * x + (1 - share) * x in the other order; one share for each sample."""
        share = ops.reshape(share, (-1, *[1] * (len(x.shape) - 1)))
        return mixed(ops.take(x, order, 0), x, share)


class MixUp(MixingLayer):
    """In training, adds to each image another of its batch, and to its label that one's; at inference, nothing.

        y = w x + (1 - w) x',  w drawn from beta(alpha, alpha) for each image, x' another image

    Takes images, or a dict with "images", "labels" (batch, classes) and "segmentation_masks", which are laid out like the images.

    Args:
        alpha: above 0: the smaller, the more of one of the two.
        data_format, seed: as in RandomFlip.
    Raises:
        ArgumentError: alpha that is no number above 0; a dict without images, or with bounding boxes.
        ShapeError: labels that are no rows; masks of another batch, height or width than the images.
    Source: Zhang et al. 2018; Keras 3 `MixUp`.

    >>> MixUp(seed=0)({"images": np.ones((2, 3, 3, 1)), "labels": np.eye(2)}, training=True)["labels"].sum(1)
    array([1., 1.], dtype=float32)
    """

    def __init__(self, alpha: float = 0.2, data_format: str | None = None, seed: Any = None, **more: Any):
        super().__init__(seed=seed, data_format=data_format, **more)
        self.alpha = above_zero(self.name, "alpha", alpha)

    def mixed(self, given: dict[str, Any], order: Any) -> dict[str, Any]:
        share = random.beta((ops.shape(given["images"])[0],), self.alpha, self.alpha, self.compute_dtype, self.key)
        return {word: self.blended(x, order, share) for word, x in given.items()}


class CutMix(MixingLayer):
    """In training, puts a box of another image of the batch into each image, and mixes their labels by its area; at inference,
    nothing.

        box: sqrt(1 - w) times as high and wide as the image, at a random place, w drawn from beta(a, a), a from the factor

    Takes images, or a dict with "images", "labels" (batch, classes) and "segmentation_masks", which are laid out like the images.

    Args:
        factor: (lower, upper) within 0..1; f stands for (0, f).
        seed, data_format: as in RandomFlip.
    Raises:
        ArgumentError: another factor; a dict without images, or with bounding boxes.
        ShapeError: labels that are no rows; masks of another batch, height or width than the images; height and width that are
            not known.
    Source: Yun et al. 2019; Keras 3 `CutMix`.

    >>> CutMix(seed=0)({"images": np.ones((2, 3, 3, 1)), "labels": np.eye(2)}, training=True)["labels"].sum(1)
    array([1., 1.], dtype=float32)
    """

    def __init__(self, factor: Any = 1.0, seed: Any = None, data_format: str | None = None, **more: Any):
        super().__init__(seed=seed, data_format=data_format, **more)
        self.factor = factor
        self.lower, self.upper = self.limits("factor", factor, 0, 1)

    def mixed(self, given: dict[str, Any], order: Any) -> dict[str, Any]:
        images = given["images"]
        height, width = self.extents(images)
        a = ops.add(random.uniform((), self.lower, self.upper, self.compute_dtype, self.key), 1e-6)
        part = ops.sqrt(ops.subtract(1.0, random.beta((ops.shape(images)[0],), a, a, self.compute_dtype, self.key)))
        part = ops.reshape(part, (-1, 1))
        return self.cut(given, order, self.side(images, height, part), self.side(images, width, part))

    def side(self, images: Any, extent: int, part: Any) -> tuple[Any, Any]:
        """Where the box begins and ends along an axis, (batch, 1) each."""
        length = ops.multiply(part, float(extent))
        start = ops.multiply(self.uniform(images, 0.0, 1.0), ops.subtract(float(extent), length))
        return start, ops.add(start, length)

    def cut(self, given: dict[str, Any], order: Any, rows: tuple[Any, Any], columns: tuple[Any, Any]) -> dict[str, Any]:
        """Each part with that box of another sample in it."""
        inside = self.in_box(given["images"], rows, columns)
        area = ops.multiply(ops.subtract(rows[1], rows[0]), ops.subtract(columns[1], columns[0]))
        height, width = self.extents(given["images"])
        share = ops.subtract(1.0, ops.divide(area, float(width * height)))
        return {
            word: self.blended(x, order, share) if word == "labels" else ops.where(inside, ops.take(x, order, 0), x)
            for word, x in given.items()
        }
