"""What a model's last activation and its loss say of each other, and a loss without gradient: warnings when training begins."""

import warnings
from collections.abc import Callable
from typing import Any

from refnet import losses
from refnet.activations import linear, relu
from refnet.errors import calls_below_the_user
from refnet.graph import Tensor, Variable
from refnet.layers.base import Layer
from refnet.layers.convolution import Windowed
from refnet.layers.core import Dense

FITTING: dict[Any, str] = {
    losses.binary_crossentropy: "sigmoid",
    losses.categorical_crossentropy: "softmax",
    losses.sparse_categorical_crossentropy: "softmax",
}


def warn_of_outputs(losses_of_outputs: list[Any], outputs: list[Tensor], names: list[str]) -> None:
    """One warning for each output that can hardly be what its loss takes.

    Args:
        losses_of_outputs: a Loss, or None, for each output.
        outputs: the model's, as they were computed (`steps.seen_through`).
        names: of the outputs.
    """
    for loss, output, name in zip(losses_of_outputs, outputs, names):
        if loss is not None:
            _warn_of_output(loss, output, name)


def _warn_of_output(loss: Any, output: Tensor, name: str) -> None:
    node = output.node
    if node is None:
        return
    if (
        node.op.name == "softmax"
        and output.shape[-1:] == (1,)
        and node.attributes.get("axis") in (-1, len(output.shape) - 1)
    ):
        _warn(
            f"{name} ends in a softmax of one class, which is 1 whatever comes. Use activation='sigmoid' for yes and no."
        )
        return
    if not isinstance(loss, losses.LossFunctionWrapper) or not losses.is_among(loss.fn, FITTING):
        return
    if loss.arguments.get("from_logits"):
        if node.op.name in ("sigmoid", "softmax"):
            _warn(
                f"{name} ends in a {node.op.name}, and {loss.name} has from_logits=True, which applies one again. Leave out one of them."
            )
        return
    layer = None if node.call is None else node.call.layer
    ours = type(layer).__module__.startswith("refnet.")  # another's `call` may do more than the activation says
    if ours and isinstance(layer, (Dense, Windowed)) and layer.activation in (linear, relu):
        _warn(
            f"{loss.name} takes probabilities; {name} ends in {layer.name} with activation={layer.activation.__name__!r}. "
            f"Use activation={FITTING[loss.fn]!r} there, or a loss with from_logits=True."
        )


def warn_of_no_gradient(variables: list[Variable], gradients: list[Any]) -> None:
    """One warning where there are weights to train and the loss has no gradient with respect to any."""
    if variables and all(gradient is None for gradient in gradients):
        _warn(
            "the loss has no gradient with respect to any weight, so nothing will be learned. Comparisons, argmax, rounding and casts to "
            "integers have none; nor has a loss that does not depend on the model's outputs."
        )


def warn_of_thawed(layers: dict[Layer, bool], elsewhere: Callable[[], set[Layer]]) -> None:
    """One warning for layers that are trainable now and were not at compile.

    Args:
        layers: the model's, and whether each was trainable at compile.
        elsewhere: gives those that are trained by another model's steps: that these leave them alone is meant.
    """
    now = [x for x, on in layers.items() if x.trainable and not on and any(w.trainable for w in x._own_weights)]
    if now:
        trained = elsewhere()
        now = [layer for layer in now if layer not in trained]
    if now:
        thawed = [layer.name for layer in now]
        named = ", ".join(thawed[:3]) + (f" and {len(thawed) - 3} more layers" if len(thawed) > 3 else "")
        warnings.warn(
            f"fit: not trained, because not trainable when compile was called: {named}. Call compile again after changing `trainable`.",
            stacklevel=calls_below_the_user(),
        )


def _warn(text: str) -> None:
    warnings.warn(f"training: {text}", stacklevel=calls_below_the_user())
