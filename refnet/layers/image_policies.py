"""Several changes of images, drawn from all there are: RandAugment and AugMix."""

from typing import Any

from refnet import ops, random
from refnet.layers.checks import above_zero, whole
from refnet.layers.image_colors import ColorLayer, RandomBrightness, RandomContrast
from refnet.layers.image_filters import AutoContrast, RandomPosterization, RandomSharpness
from refnet.layers.image_geometry import RandomRotation, RandomShear, RandomTranslation
from refnet.layers.image_histograms import Equalization
from refnet.layers.image_hues import RandomColorDegeneration, Solarization
from refnet.ops.interpolation import mixed
from refnet.ops.sampling import dirichlet


class PolicyLayer(ColorLayer):
    """Base of layers that apply some of these: RandomShear, RandomTranslation, RandomRotation, RandomBrightness,
    RandomColorDegeneration, RandomContrast, RandomSharpness, RandomPosterization, Solarization, AutoContrast, Equalization.

    Each is computed, and one of the results taken: what is drawn is known only while the program runs.

    Args:
        factor: how strong they are, (lower, upper) within 0..1; f stands for (0, f).
        interpolation: between pixels, "nearest" or "bilinear".
        colours: whether brightness, colour degeneration, contrast and sharpness are among them.
        value_range, seed, data_format: as in RandomBrightness.
    """

    def _set(self, factor: Any, interpolation: str, colours: bool) -> None:
        self.lower, self.upper = self.limits("factor", factor, 0, 1)
        limits = (self.lower, self.upper)
        told: dict[str, Any] = {"seed": self.seed, "data_format": self.data_format, "dtype": self.dtype_policy}
        moved = {"interpolation": interpolation, **told}
        coloured = {"value_range": self.value_range, **told}
        fixed = {word: value for word, value in coloured.items() if word != "seed"}
        self.steps: list[Any] = [
            RandomShear(limits, limits, **moved),
            RandomTranslation(limits, limits, **moved),
            RandomRotation(limits, **moved),
        ]
        if colours:
            kinds = (RandomBrightness, RandomColorDegeneration, RandomContrast, RandomSharpness)
            self.steps += [kind(limits, **coloured) for kind in kinds]
        self.steps += [
            RandomPosterization(max(1, int(8 * self.upper)), **coloured),
            Solarization(limits, limits, **coloured),
            AutoContrast(**fixed),
            Equalization(**fixed),
        ]

    def one_of(self, images: Any, which: Any) -> Any:
        """The images changed by the step of that number; unchanged by one that there is not."""
        y = images
        for number, step in enumerate(self.steps):
            y = ops.where(ops.equal(which, number), step.changed(images), y)
        return y


class RandAugment(PolicyLayer):
    """In training, changes the images of a batch by some operations, drawn from eleven, one after the other; at inference, nothing.

    The operations are those of `PolicyLayer`, and the same for all images of a batch; how far each goes is drawn for each image.
    All eleven are computed for each one that is taken.

    Args:
        value_range: (least, greatest) value of the images.
        num_ops: how many operations.
        factor: how strong they are, (lower, upper) within 0..1; f stands for (0, f).
        interpolation: between pixels, "nearest" or "bilinear".
        seed, data_format: as in RandomFlip.
    Raises:
        ArgumentError: other arguments.  ShapeError: height, width or channels that are not known.
    Source: Cubuk et al. 2020; Keras 3 `RandAugment`.

    >>> RandAugment((0, 1), num_ops=1, seed=1)(np.full((1, 4, 4, 3), 0.5), training=True).shape
    (1, 4, 4, 3)
    """

    def __init__(
        self,
        value_range: Any = (0, 255),
        num_ops: int = 2,
        factor: Any = 0.5,
        interpolation: str = "bilinear",
        seed: Any = None,
        data_format: str | None = None,
        **more: Any,
    ):
        super().__init__(value_range, seed, data_format, **more)
        self.num_ops = whole(self.name, "num_ops", num_ops, 1)
        self.factor, self.interpolation = factor, interpolation
        self._set(factor, interpolation, colours=True)

    def changed(self, images: Any) -> Any:
        for _ in range(self.num_ops):
            images = self.one_of(images, random.randint((), 0, len(self.steps), "int32", self.key))
        return images


class AugMix(PolicyLayer):
    """In training, mixes images with what several chains of drawn operations make of them; at inference, nothing.

        y = clip(b x + (1 - b) * sum of w[c] chain_c(x)),  b drawn from beta(alpha, alpha), w from dirichlet(alpha)

    Each chain has chain_depth places; at each, one of the operations of `PolicyLayer` or none is drawn, for all images of a batch.
    All operations are computed at each place: num_chains * chain_depth * 11 changes of the batch.

    Args:
        value_range: (least, greatest) value of the images.
        num_chains: how many chains.  chain_depth: how many places a chain has.
        factor: how strong the operations are, (lower, upper) within 0..1; f stands for (0, f).
        alpha: above 0, of the distributions of b and w.
        all_ops: whether brightness, colour degeneration, contrast and sharpness are among them.
        interpolation: between pixels, "nearest" or "bilinear".
        seed, data_format: as in RandomFlip.
    Raises:
        ArgumentError: other arguments.  ShapeError: height, width or channels that are not known.
    Source: Hendrycks et al. 2020; Keras 3 `AugMix`.

    >>> AugMix((0, 1), num_chains=1, chain_depth=1, all_ops=False, seed=1)(np.full((1, 4, 4, 3), 0.5), training=True).shape
    (1, 4, 4, 3)
    """

    def __init__(
        self,
        value_range: Any = (0, 255),
        num_chains: int = 3,
        chain_depth: int = 3,
        factor: Any = 0.3,
        alpha: float = 1.0,
        all_ops: bool = True,
        interpolation: str = "bilinear",
        seed: Any = None,
        data_format: str | None = None,
        **more: Any,
    ):
        super().__init__(value_range, seed, data_format, **more)
        self.num_chains = whole(self.name, "num_chains", num_chains, 1)
        self.chain_depth = whole(self.name, "chain_depth", chain_depth, 1)
        self.alpha = above_zero(self.name, "alpha", alpha)
        self.factor, self.all_ops, self.interpolation = factor, bool(all_ops), interpolation
        self._set(factor, interpolation, colours=self.all_ops)

    def changed(self, images: Any) -> Any:
        weights = dirichlet(self.num_chains, self.alpha, self.compute_dtype, self.key)
        share = random.beta((), self.alpha, self.alpha, self.compute_dtype, self.key)
        chained: Any = 0.0
        for chain in range(self.num_chains):
            y = images
            for _ in range(self.chain_depth):
                y = self.one_of(y, random.randint((), 0, len(self.steps) + 1, "int32", self.key))
            chained = ops.add(chained, ops.multiply(y, ops.get_item(weights, chain)))
        return self.blended(images, chained, share)

    def blended(self, images: Any, chained: Any, share: Any) -> Any:
        """share of the images and the rest of what the chains made, within the range of values."""
        return self.kept(mixed(chained, images, share))
