"""Inside a convolutional network: what its channels answer, what they look for, where a decision comes from."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from refnet import backend, ops, random
from refnet.annotations import Array
from refnet.errors import ArgumentError, ShapeError
from refnet.visualize.images import displayable
from refnet.visualize.paper import colour_map, new_figure, saved


def _layer(model: Any, layer: Any) -> Any:
    """The layer, given itself or its name; its output must be of images."""
    found = model.get_layer(layer) if isinstance(layer, str) else layer
    if len(found.output.shape) != 4:
        raise ShapeError(
            f"layer {found.name} gives {found.output.shape}: no images (batch, h, w, channels). "
            f"Those of {model.name} that do: {', '.join(one.name for one in image_layers(model))}."
        )
    return found


def image_layers(model: Any) -> list[Any]:
    """The layers whose outputs are images (batch, h, w, channels), in order."""
    given = set(model.inputs)
    return [
        one
        for one in model.layers
        if hasattr(one.output, "shape") and len(one.output.shape) == 4 and one.output not in given
    ]


def _batch(image: Any) -> Array:
    """One image as a batch of one."""
    pixels: Array = np.asarray(image, "float32")
    if pixels.ndim == 3:
        pixels = pixels[None]
    if pixels.ndim != 4 or len(pixels) != 1:
        raise ShapeError(f"give one image, (h, w, channels) or (1, h, w, channels); got {pixels.shape}.")
    return pixels


def tiled(channels: Array, columns: int) -> Array:
    """Channels (h, w, n) in rows of `columns`, each centred and scaled to 0..1, with NaN between them.

    Channels that are the same everywhere are 0. Small ones are drawn larger, so that the lines between them stay thin.
    """
    height, width, count = channels.shape
    larger = -(-24 // min(height, width))
    height, width = height * larger, width * larger
    rows = -(-count // columns)
    gap = max(1, min(height, width) // 14)
    whole = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap), np.nan)
    for number in range(count):
        top, left = number // columns * (height + gap), number % columns * (width + gap)
        one = channels[..., number].astype("float64").repeat(larger, 0).repeat(larger, 1)
        spread = one.std()
        tile = np.clip((one - one.mean()) / spread / 4 + 0.5, 0, 1) if spread > 1e-9 else np.zeros_like(one)
        whole[top : top + height, left : left + width] = tile
    return whole


def activation_grids(
    model: Any,
    image: Any,
    layers: Sequence[Any] | None = None,
    columns: int = 16,
    title: str | None = None,
    to_file: Any = None,
) -> Any:
    """What every channel of some layers answers to an image.

    Args:
        model: a built Sequential or a functional model of one input.
        image: (h, w, channels), preprocessed as in training.
        layers: names of layers that give images, or the layers; the convolutions and poolings in order if None.
        columns: channels in a row.
    Returns:
        The matplotlib Figure: a panel for each layer, each channel centred and scaled by itself.
    Raises:
        ShapeError: something else than one image; a layer whose output is none.
    Source: Chollet 5.4.1.
    """
    chosen = [_layer(model, one) for one in layers] if layers else image_layers(model)
    if not chosen:
        raise ArgumentError(f"activation_grids: no layer of {model.name} gives images.")
    function = backend.function([model.input], [one.output for one in chosen])
    answers = function([_batch(image)])
    panels = [tiled(answer[0], min(columns, answer.shape[-1])) for answer in answers]
    heights = [10 * panel.shape[0] / panel.shape[1] for panel in panels]
    figure = new_figure(10, sum(heights) + 0.35 * len(panels) + (0.4 if title else 0), title)
    grid = figure.subplots(len(panels), 1, squeeze=False, height_ratios=heights)
    for axis, panel, layer, answer in zip(grid[:, 0], panels, chosen, answers):
        axis.imshow(panel, cmap="viridis", vmin=0, vmax=1, interpolation="nearest", aspect="equal")
        axis.set_title(
            f"{layer.name}: {answer.shape[1]} x {answer.shape[2]} x {answer.shape[3]}", loc="left", fontsize=10
        )
        axis.set_axis_off()
    return saved(figure, to_file)


def gradient_ascent(model: Any, loss: Any, start: Any, steps: int = 40, rate: float = 1.0) -> Array:
    """Images changed so that a loss of the model's tensors grows.

    Args:
        model: a model of one input.
        loss: a tensor that depends on its input; its sum over the batch is made larger.
        start: (batch, h, w, channels), where to start.
        steps: how often; each goes `rate` times the gradient over its root mean square, image by image.
    Returns:
        The images, not clipped.
    Source: Chollet 5.4.2.
    """
    gradient = backend.gradients(loss, model.input)[0]
    if gradient is None:
        raise ArgumentError(f"gradient_ascent: the loss does not depend on the input of {model.name}.")
    axes = tuple(range(1, len(gradient.shape)))
    size = ops.sqrt(ops.mean(ops.square(gradient), axis=axes, keepdims=True))
    step = backend.function([model.input], [gradient / (size + 1e-5)])
    images: Array = np.array(start, "float32")
    for _ in range(steps):
        images += np.float32(rate) * step([images])[0]
    return images


def filter_patterns(
    model: Any,
    layer: Any,
    filters: Sequence[int] | int = 64,
    steps: int = 40,
    rate: float = 1.0,
    image_size: tuple[int, int] | None = None,
    seed: int = 0,
    title: str | None = None,
    to_file: Any = None,
) -> Any:
    """The image that each filter of a layer answers to most: gradient ascent from grey noise.

    Args:
        model: a built Sequential or a functional model of one input, which takes images of values about 0..1.
        layer: the layer or its name.
        filters: which filters, or how many of the first.
        steps, rate: of the ascent; the book has 40 steps of 1 for values 0..255, and noise of 20 about 128.
        image_size: height and width where the model leaves them open; the model's own if None.
        seed: of the noise.
    Returns:
        The matplotlib Figure; each pattern is centred and scaled by itself.
    Raises:
        ShapeError: a layer whose output is no image.  ArgumentError: no such filter; an image size that is needed.
    Source: Chollet 5.4.2, figure 5.30.
    """
    found = _layer(model, layer)
    count = found.output.shape[-1]
    chosen = list(range(min(filters, count))) if isinstance(filters, int) else list(filters)
    if not chosen or any(not 0 <= one < count for one in chosen):
        raise ArgumentError(f"filter_patterns: {found.name} has the filters 0..{count - 1}; asked for {chosen}.")
    _, height, width, channels = model.input.shape
    height, width = image_size or (height, width)
    if height is None or width is None:
        raise ArgumentError(f"filter_patterns: {model.name} takes images of any size; give image_size=(height, width).")
    noise = random.uniform((1, height, width, channels), 0.42, 0.58, seed=seed)
    start = np.repeat(np.asarray(noise), len(chosen), axis=0)
    answers = ops.mean(found.output, axis=(1, 2))
    weights = np.eye(count, dtype="float32")[chosen]
    images = gradient_ascent(model, answers * weights, start, steps, rate / 255)
    columns = min(8, len(chosen))
    rows = -(-len(chosen) // columns)
    figure = new_figure(1.2 * columns, 1.2 * rows + (0.45 if title else 0), title)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axis in grid.flat:
        axis.set_axis_off()
    for axis, image in zip(grid.flat, images):
        axis.imshow(displayable(deprocessed(image)), cmap="gray", interpolation="nearest")
    return saved(figure, to_file)


def deprocessed(image: Array) -> Array:
    """A pattern as an image: centred at a half, a standard deviation of 0.15, cut to 0..1. Chollet 5.4.2 has 0.1.

    >>> deprocessed(np.array([[[0.0], [2.0]]]))[0, :, 0].round(2)
    array([0.35, 0.65])
    """
    centred = (image - image.mean()) / (image.std() + 1e-5)
    clipped: Array = np.clip(centred * 0.15 + 0.5, 0, 1)
    return clipped


def heatmap(model: Any, image: Any, layer: Any, class_index: int | None = None) -> Array:
    """Where in an image the evidence for a class lies: Grad-CAM.

    The channels of the layer's output are summed, each weighted by the mean gradient of the class's score with respect to it;
    what speaks against the class is cut off.

    Args:
        model: a built Sequential or a functional model of one input, whose output is (batch, classes).
        image: (h, w, channels), preprocessed as in training.
        layer: the last convolution, or its name.
        class_index: which output; the largest if None. Of a single sigmoid output, 0 means "for class 0", 1 "for class 1".
    Returns:
        (height, width) of the layer, in 0..1; all 0 where nothing speaks for the class.
    Raises:
        ShapeError: something else than one image; a layer whose output is none.  ArgumentError: no such class.
    Source: R. Selvaraju et al., Grad-CAM, 2017; Chollet 5.4.3.
    """
    found, pixels = _layer(model, layer), _batch(image)
    classes = model.output.shape[-1]
    if class_index is None:
        scores = np.asarray(model.predict(pixels, verbose=0))[0]
        class_index = int(scores.argmax()) if classes > 1 else int(scores[0] > 0.5)
    if not hasattr(class_index, "__index__") or not 0 <= class_index < max(classes, 2):
        raise ArgumentError(f"heatmap: {model.name} has {classes} outputs; there is no class {class_index!r}.")
    if classes == 1:
        score = model.output[:, 0] if class_index == 1 else -model.output[:, 0]
    else:
        score = model.output[:, class_index]
    gradient = backend.gradients(score, found.output)[0]
    importance = ops.mean(gradient, axis=(1, 2), keepdims=True)
    evidence = ops.relu(ops.sum(found.output * importance, axis=-1))
    seen: Array = backend.function([model.input], [evidence])([pixels])[0][0]
    return seen / seen.max() if seen.max() > 0 else seen


def overlay(image: Any, heat: Any, strength: float = 0.45) -> Array:
    """An image with a heat map laid over it.

    Args:
        image: (h, w, channels), values of 0..1 or 0..255.
        heat: (rows, columns) in 0..1, from `heatmap`; brought to the image's size.
        strength: how much of the result is heat.
    Returns:
        (h, w, 3) in 0..1.

    >>> overlay(np.ones((4, 4, 3)), np.zeros((2, 2)), strength=0.0).min()
    np.float64(1.0)
    """
    pixels = displayable(_batch(image)[0])
    if pixels.ndim == 2:
        pixels = np.stack([pixels] * 3, -1)
    seen = np.asarray(heat, "float32")[None, :, :, None]
    large = np.asarray(ops.image.resize(seen, pixels.shape[:2], interpolation="bilinear", data_format="channels_last"))[
        0, :, :, 0
    ]
    mixed: Array = pixels * (1 - strength) + colour_map("jet")(large)[..., :3] * strength
    return mixed


def grad_cam(
    model: Any,
    image: Any,
    layer: Any,
    class_index: int | None = None,
    strength: float = 0.45,
    title: str | None = None,
    to_file: Any = None,
) -> Any:
    """An image, and beside it the same image with the evidence for a class laid over it.

    Args:
        strength: how much of the overlay is heat.
        The rest: see `heatmap`.
    Returns:
        The matplotlib Figure.
    Source: Chollet 5.4.3, figure 5.36.
    """
    both = overlay(image, heatmap(model, image, layer, class_index), strength)
    height = 4 * both.shape[0] / both.shape[1]
    figure = new_figure(8, height + (0.6 if title else 0.3), title)
    for axis, pixels, text in zip(figure.subplots(1, 2), (displayable(_batch(image)[0]), both), ("image", "evidence")):
        axis.imshow(pixels, cmap="gray", interpolation="nearest")
        axis.set_title(text, fontsize=10)
        axis.set_axis_off()
    return saved(figure, to_file)
