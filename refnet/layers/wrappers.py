"""Layers around a layer: both ways through a sequence, and the same for every step."""

from typing import Any

from refnet import ops
from refnet.errors import ArgumentError, ShapeError
from refnet.layers.base import Layer
from refnet.old_names import serve
from refnet.structure import flatten, mapped

MERGES = ("concat", "sum", "mul", "ave", None)


class Wrapper(Layer):
    """Base of layers around a layer.

    Args:
        layer: the inner one.

    >>> Wrapper(Layer(name="inner")).layer.name
    'inner'
    """

    def __init__(self, layer: Any, **more: Any):
        super().__init__(**more)
        if not isinstance(layer, Layer):
            raise ArgumentError(f"{self.name} wraps a layer; got {layer!r}.")
        self.layer = layer


class Bidirectional(Layer):
    """A recurrent layer from the first step to the last, and another of its kind from the last to the first.

    Args:
        layer: an RNN (SimpleRNN, LSTM, GRU, ...), or a layer with their attributes. Copies of it are made.
        merge_mode: what becomes of the two outputs: "concat" (along the last axis), "sum", "mul", "ave", or None: both, forward first.
        weights: to begin with, those of the forward layer first.
        backward_layer: the layer for the way back, if it is not to be a copy.
    Returns:
        The outputs; with return_state of the layer, followed by the states of the forward layer, then those of the other. Of a
        sequence of outputs, both stand in the order of time.
    Source: Schuster and Paliwal 1997; Chollet 6.3.

    >>> import numpy as np
    >>> from refnet.layers import LSTM
    >>> Bidirectional(LSTM(4))(np.ones((2, 5, 3), "float32")).shape
    (2, 8)
    """

    supports_masking = True

    def __init__(
        self, layer: Any, merge_mode: Any = "concat", weights: Any = None, backward_layer: Any = None, **more: Any
    ):
        super().__init__(**more)
        for word, value in (("layer", layer), ("backward_layer", backward_layer)):
            if not isinstance(value, Layer) and (word == "layer" or value is not None):
                raise ArgumentError(f"{self.name}: {word} must be a layer; got {value!r}.")
        if merge_mode not in MERGES:
            raise ArgumentError(
                f"{self.name}: merge_mode is one of {', '.join(map(repr, MERGES))}; got {merge_mode!r}."
            )
        if not hasattr(layer, "go_backwards"):
            raise ArgumentError(
                f"{self.name} needs a recurrent layer, which can go backwards; got {layer!r}. Other layers see all steps anyway."
            )
        self.merge_mode = merge_mode
        self.forward_layer = copied(layer, "forward")
        given = backward_layer is not None
        self.backward_layer = (
            backward_layer if given else copied(layer, "backward", go_backwards=not layer.go_backwards)
        )
        self._check()
        for one in (self.forward_layer, self.backward_layer):
            if hasattr(one, "zero_output_for_mask"):
                one.zero_output_for_mask = one.return_sequences
        self.first_weights = list(weights) if weights else None
        self.branches_on_training = False
        self.return_sequences, self.return_state = layer.return_sequences, layer.return_state
        self.stateful = layer.stateful

    def _check(self) -> None:
        forward, backward = self.forward_layer, self.backward_layer
        if forward.go_backwards == backward.go_backwards:
            raise ArgumentError(
                f"{self.name}: the two layers must go different ways; go_backwards is {forward.go_backwards} in both. "
                f"Give the backward layer go_backwards={not forward.go_backwards}."
            )
        for word in ("stateful", "return_sequences", "return_state"):
            if getattr(forward, word) != getattr(backward, word):
                raise ArgumentError(
                    f"{self.name}: {word} must be the same in both layers; it is {getattr(forward, word)} in the forward one."
                )

    def build(self, input_shape: Any) -> None:
        for layer in (self.forward_layer, self.backward_layer):
            if not layer.built:
                layer.build(input_shape)
                layer.built = True
        if self.first_weights is not None:
            half = len(self.first_weights) // 2
            self.forward_layer.set_weights(self.first_weights[:half])
            self.backward_layer.set_weights(self.first_weights[half:])

    @property
    def states(self) -> Any:
        """The kept states of a stateful layer, the forward layer's first."""
        return [*(self.forward_layer.states or []), *(self.backward_layer.states or [])] or None

    def reset_state(self) -> None:
        """Of a stateful layer: the next batch begins with zeros."""
        self.forward_layer.reset_state()
        self.backward_layer.reset_state()

    def reset_states(self) -> None:
        """`reset_state()`."""
        self.reset_state()

    def call(self, sequences: Any, initial_state: Any = None, mask: Any = None, training: Any = None) -> Any:
        """Both ways.

        Args:
            sequences: (batch, time, ...); or a list of them and of the initial states.
            initial_state: the states of the forward layer, then those of the other, in one list.
            mask: (batch, time), False where a step is left out.
        """
        if isinstance(sequences, (list, tuple)):
            sequences, *given = sequences
            initial_state = given or initial_state
        mask = flatten(mask)[0]
        halves: list[Any] = [None, None]
        if initial_state is not None:
            half = len(initial_state) // 2
            halves = [list(initial_state[:half]), list(initial_state[half:])]
        both = [
            layer(sequences, initial_state=state, mask=mask, training=training)
            for layer, state in zip((self.forward_layer, self.backward_layer), halves)
        ]
        states: list[Any] = []
        if self.return_state:
            states = [*both[0][1:], *both[1][1:]]
            both = [outputs[0] for outputs in both]
        late = 0 if self.forward_layer.go_backwards else 1
        if self.return_sequences:
            both[late] = ops.flip(both[late], 1)
        output = self._merged(*both)
        if not self.return_state:
            return output
        return (*(output if isinstance(output, tuple) else (output,)), *states)

    def _merged(self, forward: Any, backward: Any) -> Any:
        if self.merge_mode == "concat":
            return ops.concatenate([forward, backward], axis=-1)
        if self.merge_mode == "mul":
            return ops.multiply(forward, backward)
        if self.merge_mode is None:
            return forward, backward
        total = ops.add(forward, backward)
        return ops.divide(total, 2.0) if self.merge_mode == "ave" else total

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        output = flatten(mask)[0] if self.return_sequences else None
        outputs = [output, output] if self.merge_mode is None else [output]
        states = [None] * (2 * len(flatten(getattr(self.forward_layer, "state_size", [])))) if self.return_state else []
        return [*outputs, *states]

    def get_config(self) -> dict[str, Any]:
        from refnet.saving.serialization import serialized

        config = super().get_config()
        del config["weights"]
        layers = {"layer": self.forward_layer, "backward_layer": self.backward_layer}
        return {**config, **{word: serialized(layer, keep=True) for word, layer in layers.items()}}


def copied(layer: Any, way: str, **changes: Any) -> Any:
    """A new layer of the same arguments, named after the way it goes."""
    name = layer.name.removeprefix(f"{way}_")
    return type(layer).from_config({**layer.get_config(), **changes, "name": f"{way}_{name}"})


# ---- the same layer for every step


class TimeDistributed(Wrapper):
    """A layer applied to every step of a sequence, with the same weights.

        y[n, t] = layer(x[n, t])

    Layers of refnet's that treat the samples of a batch apart take all steps at once, as one larger batch. Every other layer
    (your own, BatchNormalization, Softmax(axis=0), what has an activity regularizer or is stateful) is called once for each step;
    where the number of steps is open, as `ops.map` calls it: it may not draw, assign variables or add losses then.

    Args:
        layer: of one step.
    Raises:
        ShapeError: inputs of fewer than 3 axes.  ArgumentError: a layer that draws, assigns or adds losses along an open axis.
    Source: Keras 3 `TimeDistributed`.

    >>> import numpy as np
    >>> from refnet.layers import Dense
    >>> TimeDistributed(Dense(4))(np.ones((2, 5, 3), "float32")).shape
    (2, 5, 4)
    """

    supports_masking = True
    branches_on_training = False

    def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        """`mask`: (batch, time, ...), of which each step goes to a layer that takes a mask."""
        if len(inputs.shape) < 3:
            raise ShapeError(
                f"{self.name} expects inputs of shape (batch, time, ...), at least 3 axes; got {inputs.shape}."
            )
        if mask is not None and (len(mask.shape) < 2 or not _fit(mask.shape[:2], inputs.shape[:2])):
            raise ShapeError(
                f"{self.name}: the mask begins with the axes (batch, time) of the inputs; it has shape {mask.shape}, the inputs "
                f"{inputs.shape}."
            )
        takes = self.layer.call_parameters()
        more = {"training": training} if "training" in takes else {}
        masked = mask is not None and "mask" in takes and len(mask.shape) > 2
        if apart(self.layer, len(inputs.shape) - 1):
            batch, time = ops.shape(inputs)[:2]
            if masked:
                more["mask"] = ops.reshape(mask, (-1, *ops.shape(mask)[2:]))
            y = self.layer(_merged_axes(inputs), **more)
            return mapped(lambda part: ops.reshape(part, (batch, time, *ops.shape(part)[1:])), y)
        if inputs.shape[1] is None:
            return self._over_open_time(inputs, mask if masked else None, more)
        steps = []
        for t in range(inputs.shape[1]):  # no scan: a step may assign variables and add losses
            own = {**more, "mask": mask[:, t]} if masked else more
            steps.append(self.layer(inputs[:, t], **own))
        return mapped(lambda *parts: ops.stack(list(parts), axis=1), *steps)

    def _over_open_time(self, inputs: Any, mask: Any, more: dict[str, Any]) -> Any:
        def once(parts: Any) -> Any:
            return self.layer(parts[0], **more, **({} if mask is None else {"mask": parts[1]}))

        outputs = ops.map(once, [ops.swapaxes(x, 0, 1) for x in (inputs, mask) if x is not None])
        return mapped(lambda y: ops.swapaxes(y, 0, 1), outputs)


def _fit(a: Any, b: Any) -> bool:
    return all(x is None or y is None or x == y for x, y in zip(a, b))


def _merged_axes(x: Any) -> Any:
    """(batch, time, ...) as (batch * time, ...)."""
    batch, time, *rest = ops.shape(x)
    known = x.shape[0] is not None and x.shape[1] is not None
    return ops.reshape(x, (batch * time if known or None in x.shape[2:] else -1, *rest))


def apart(layer: Layer, rank: int) -> bool:
    """Whether a layer, with inputs of this rank, treats the samples of a batch apart, as far as is known: then steps may be samples."""
    from refnet.models.model import Model

    for inner in layer._flatten_layers():
        own = type(inner).__module__.startswith("refnet.")
        if not own or inner.activity_regularizer is not None:
            return False
        if not inner.samples_apart(rank if inner is layer else None):
            return False
        if getattr(inner, "stateful", False):
            return False
        if (
            isinstance(inner, Model)
            and inner.graph is not None
            and len(inner.graph.outer_events()) > len(inner.graph.outer_calls())
        ):
            return False
    return True


serve(__name__)
