"""Model: a graph between inputs and outputs, or a subclass with a `call` of its own, that can be trained."""

import inspect
import json
from typing import Any

from refnet import dtypes, ops, registration, saving, settings
from refnet.annotations import Shape
from refnet.errors import ArgumentError, ShapeError, UsageError, shown
from refnet.graph import Mode, Tensor, trace
from refnet.keeping import Kept
from refnet.layers.added_losses import added_here
from refnet.layers.base import Layer
from refnet.layers.checks import must_be_initialized
from refnet.layers.masks import with_mask
from refnet.layers.weights import undone_on_error
from refnet.models.batches import Batches
from refnet.models.data import arranged
from refnet.models.functional import Graph, without_masks
from refnet.models.quantizing import Quantizing
from refnet.progress import tell
from refnet.saving import sharing
from refnet.saving.models import content_of, model_from_content
from refnet.saving.serialization import described, restored, serialized
from refnet.structure import flatten, mapped, packed


class Model(Quantizing):
    """Layers that are trained together.

    `Model(inputs, outputs)` takes what lies between tensors; a model can be called like a layer, which copies its graph. A subclass
    makes its layers in __init__ and writes `call(inputs)`.

    Args:
        inputs, outputs: tensors, or lists or dicts of them.
        name, trainable: see Layer.

    >>> from refnet.layers import Concatenate, Dense, Input
    >>> left, right = Input((3,)), Input((2,))
    >>> model = Model([left, right], Dense(1)(Concatenate()([left, right])))
    >>> model.predict([np.ones((5, 3)), np.ones((5, 2))], verbose=0).shape
    (5, 1)
    """

    def __init__(self, inputs: Any = None, outputs: Any = None, **more: Any):
        self.graph: Graph | None = None
        self._whole = inputs is not None
        super().__init__(**more)
        self._traced = Kept()  # of a subclass: its graph and outputs, by kind of inputs
        # Of a subclass: tensors like those of its first call, from which export traces it.
        self._seen_inputs: Any = None
        self._renewed: Graph | None = None  # the graph of layers that were changed after their calls
        self._listed: tuple[Graph, list[Layer]] | None = None  # the layers, with the graph whose they are
        if inputs is None and outputs is None:
            return
        for word, value in (("inputs", inputs), ("outputs", outputs)):
            if value is None or not all(isinstance(x, Tensor) for x in flatten(value)):
                raise ArgumentError(
                    f"{self.name}: {word} must be tensors, from Input and the layers called on it; got {shown(value)}."
                )
        self.set_graph(inputs, outputs)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "graph" and not isinstance(value, (Graph, type(None))):
            raise ArgumentError(
                f"{type(self).__name__}: `graph` is what lies between a model's inputs and outputs; give an attribute of your own "
                "another name."
            )
        super().__setattr__(name, value)

    def _kind(self) -> str:
        return "functional" if type(self) is Model and self._whole else type(self).__name__

    def set_graph(self, inputs: Any, outputs: Any) -> None:
        """Makes the model what lies between these tensors."""
        inputs, outputs = without_masks(inputs, outputs)
        self.graph, self._renewed = Graph(inputs, outputs), None
        self._inputs_structure, self._outputs_structure = inputs, outputs
        self.branches_on_training, self.built = False, True
        self._settled_path()
        self._forget_steps()
        self._compiled = None
        self._programs.clear()
        names = [layer.name for layer in self.layers]
        for name in names:
            if names.count(name) > 1:
                raise ArgumentError(f"{self.name}: {names.count(name)} layers are called {name!r}; names must differ.")

    # ---- calls

    def build(self, input_shape: Any) -> None:
        """Of a subclass: calls it on tensors of this shape, which builds its layers."""
        if not self.built:
            with undone_on_error(self._flatten_layers()):
                self.built = True
                self.compute_output_shape(input_shape)

    def _build_for(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if self.graph is None and type(self).build is Model.build:
            self.built = True  # the call that is about to be made builds the layers
        if self.graph is None and self._seen_inputs is None and args:
            others = flatten([list(args[1:]), list(kwargs.values())])
            if not any(isinstance(x, Tensor) for x in others):
                self._seen_inputs = mapped(_like, args[0])
        super()._build_for(args, kwargs)

    def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        """`mask`: those of the inputs, in their structure; None for those that the tensors carry."""
        if self.graph is None:
            raise UsageError(
                f"{self.name}: {type(self).__name__} has no `call`. Write `def call(self, inputs, training=None)`, or a step of its "
                "own (train_step, test_step, predict_step) for whatever is asked of it."
            )
        graph = self._current_graph()
        given = self._in_order(inputs)
        if len(given) != len(graph.inputs):
            raise ArgumentError(f"{self.name} has {len(graph.inputs)} inputs; called on {len(given)} tensors.")
        given = [_of_rank(x, slot) for x, slot in zip(given, graph.inputs)]
        for x, slot in zip(given, graph.inputs):
            if not _fits(x.shape, slot.shape):
                reader = self._reader_of(graph, slot)
                flat = len(slot.shape) == len(x.shape) + 1
                advice = " Inputs begin with the axis of the batch: one sample is x[None]." if flat else ""
                raise ShapeError(f"{reader} expects inputs of shape {slot.shape}, got shape {x.shape}.{advice}")
        given = [_of_kind(x, slot) for x, slot in zip(given, graph.inputs)]
        if mask is None:
            return packed(self._outputs_structure, graph.copy(given, training))
        masks = self._in_order(mask)
        return packed(self._outputs_structure, graph.called_again([with_mask(x, m) for x, m in zip(given, masks)]))

    def _pass_masks(self, inputs: Any, mask: Any, outputs: list[Tensor]) -> None:
        if self.graph is None:  # else the layers inside have given the outputs their masks
            super()._pass_masks(inputs, mask, outputs)

    def _in_order(self, inputs: Any) -> list[Tensor]:
        if isinstance(inputs, dict):
            names = self._input_names or []
            missing = [name for name in names if name not in inputs]
            if missing:
                raise ArgumentError(
                    f"{self.name} is called on a dict with the keys {list(inputs)}; its inputs are {names}: {missing} missing."
                )
            if not isinstance(self._inputs_structure, dict):
                return [inputs[name] for name in names]
            return flatten({key: inputs[key] for key in self._inputs_structure})
        return flatten(inputs)

    def add_loss(self, loss: Any, inputs: Any = None) -> None:
        """Inside `call` as Layer.add_loss; outside, a loss made from the tensors of this model."""
        if trace.call is not None:
            super().add_loss(loss)
            return
        self._extra_losses += [(value, ()) for value in flatten(loss)]
        self._forget_steps()

    @property
    def losses(self) -> list[Any]:
        """What layers and weights add to the loss.

        Where the model was called on arrays, the values that the last such call has added; in a step that is being traced, what the
        calls in it have added so far.
        """
        if trace.call is not None:
            return added_here(self)
        graph = self._built_graph
        added = self._losses_at_once
        if added is None:
            added = [] if graph is None else [loss for loss, guard in graph.losses if Mode(None).holds(guard)]
        penalties = [v.regularizer(v) for v in self.trainable_weights if v.regularizer is not None]
        return added + [loss for loss, _ in self._extra_losses] + penalties

    # ---- layers

    @property
    def layers(self) -> list[Layer]:
        """The layers called directly by this model, in Keras's order: by depth from the outputs, inputs first."""
        if self.graph is None:
            return Layer._held_layers(self)
        from refnet.models.config import Order

        if self._listed is None or self._listed[0] is not self.graph:
            self._listed = self.graph, [x for x in Order(self.graph).operations if isinstance(x, Layer)]
        return list(self._listed[1])

    def _held_layers(self) -> list[Layer]:
        if self.graph is None:
            return super()._held_layers()
        return list(dict.fromkeys([*self.layers, *Layer._held_layers(self)]))

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """A layer by name or by index.

        Raises:
            ArgumentError: no such layer, with the names there are.
        """
        if (name is None) == (index is None):
            raise ArgumentError(f"{self.name}.get_layer takes a name or an index.")
        layers = self.layers
        if index is not None:
            if not hasattr(index, "__index__") or not -len(layers) <= index < len(layers):
                raise ArgumentError(f"{self.name} has {len(layers)} layers; there is no layer {index!r}.")
            return layers[index]
        for layer in layers:
            if layer.name == name:
                return layer
        raise ArgumentError(f"{self.name} has no layer {name!r}. Its layers: {', '.join(x.name for x in layers)}.")

    def summary(
        self,
        line_length: int | None = None,
        positions: Any = None,
        print_fn: Any = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: Any = None,
    ) -> None:
        """Prints a table of the layers with their output shapes and numbers of parameters.

        Args:
            line_length: the table's least width; it is as wide as its texts if None.
            positions: where columns end, in parts of the width; as wide as the texts if None.
            print_fn: is given each line; it is printed if None (see `config.disable_interactive_logging`).
            expand_nested: whether the layers of models inside follow them.
            show_trainable: whether a column says if training changes a layer.
            layer_range: the names of the first and the last layer to show, or patterns that they begin with.
        Raises:
            ArgumentError: a layer_range that is no pair of names of the model's.
        Source: Keras 3 `Model.summary`.
        """
        from refnet.models.summary import summary_lines

        must_be_initialized(self)
        self._build_for_summary()
        for line in summary_lines(self, line_length, positions, expand_nested, show_trainable, layer_range):
            (print_fn or tell)(line)

    def _build_for_summary(self) -> None:
        """Makes what the table needs and can be made without data."""

    # ---- for training

    @property
    def _has_call(self) -> bool:
        return (
            self.graph is not None or type(self).call is not Model.call or type(self)._graph_for is not Model._graph_for
        )

    def _graph_for(self, batches: Batches) -> Graph:
        """The graph that computes the outputs; of a subclass, traced on inputs of these shapes."""
        if self.graph is not None:
            return self._current_graph()
        return self._trace(batches)[0]

    def output_structure(self, batches: Batches) -> Any:
        return self._outputs_structure if self.graph is not None else self._trace(batches)[1]

    def _trace(self, batches: Batches) -> tuple[Graph, Any]:
        inputs = batches.inputs
        kinds = [(a.shape[1:], "f" if a.dtype.kind == "f" else a.dtype.name) for a in inputs]
        key = (trace.learning_phase, *settings.chosen(), batches.arrangement[0], *kinds)
        made: tuple[Graph, Any] | None = self._traced.found(key)
        if made is None:
            slots = [
                Tensor((None, *a.shape[1:]), self.dtype if a.dtype.kind == "f" else a.dtype, name=f"input_{i}")
                for i, a in enumerate(inputs)
            ]
            with trace.inside(call=None, guard=(), training=None):
                outputs = self(arranged(batches.labels[0], slots))
            self._calls_made.pop()
            made = self._traced[key] = Graph(slots, flatten(outputs)), outputs
        return made

    # ---- configs

    def get_config(self) -> dict[str, Any]:
        if self.graph is None or not _taken_whole(type(self)):
            return super().get_config()
        from refnet.models.config import graph_config

        return sharing.described(lambda: graph_config(self))

    def get_build_config(self) -> dict[str, Any] | None:
        """Of a subclass: the shapes of the inputs that it was first called on."""
        if self.graph is not None or self._seen_inputs is None:
            return None
        return {"input_shape": mapped(lambda x: x.shape if isinstance(x, Tensor) else None, self._seen_inputs)}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
        """A new model from what get_config gave, with new weights; custom_objects has classes of yours by name."""
        with registration.custom_object_scope(custom_objects):
            if "input_layers" not in config:
                return super().from_config(config)
            from refnet.models.config import model_of

            with sharing.making(config):
                return model_of(config, cls)

    # ---- files

    def __reduce__(self) -> tuple[Any, ...]:
        """For `copy.deepcopy` and `pickle`: as the content of its `.keras` file. Raises ArgumentError as `save` does."""
        others = any(
            layer._beside_files() for layer in self._flatten_layers()
        )  # a file has an adapter's product in the kernel
        return model_from_content, (content_of(self), *([self.get_weights()] if others else []))

    def save(
        self,
        filepath: Any,
        overwrite: bool = True,
        zipped: bool | None = None,
        include_optimizer: bool = True,
        save_format: str | None = None,
    ) -> None:
        """Writes the model with its weights and its optimizer's state: see `refnet.saving.save_model`.

        Args:
            save_format: of Keras 2, "keras" or "h5" (also None); the file's name decides, as in Keras 3.
        """
        if save_format not in (None, "keras", "h5"):
            raise ArgumentError(
                f"{self.name}.save: save_format is 'keras' or 'h5', and the file's name ends so; got {save_format!r}. TensorFlow's format "
                "is not written: call save('name.keras'), or export('name.onnx', format='onnx')."
            )
        saving.save_model(self, filepath, overwrite, zipped, include_optimizer)

    def save_weights(self, filepath: Any, overwrite: bool = True) -> None:
        """Writes the weights: see `refnet.saving.save_weights`."""
        saving.save_weights(self, filepath, overwrite)

    def load_weights(self, filepath: Any, skip_mismatch: bool = False, by_name: bool = False) -> None:
        """Sets the weights from a file, all or none: see `refnet.saving.load_weights`."""
        saving.load_weights(self, filepath, skip_mismatch, by_name)

    def export(
        self,
        filepath: Any,
        format: str = "tf_saved_model",
        verbose: Any = None,
        input_signature: Any = None,
        **kwargs: Any,
    ) -> None:
        """Writes what the model computes, for other programs; format="onnx": see `refnet.export.export_onnx`."""
        from refnet.export import export_model

        export_model(self, filepath, format, verbose, input_signature, **kwargs)

    def to_json(self, **more: Any) -> str:
        """The model's configuration as JSON text, without weights; `more` goes to json.dumps."""
        return json.dumps(described(self), **more)

    def get_compile_config(self) -> dict[str, Any] | None:
        """What `compile` was told, as a config; None before."""
        if self._told is None:
            return None
        same = {"run_eagerly": self.run_eagerly, "steps_per_execution": 1, "jit_compile": "auto"}
        told: dict[str, Any] = serialized({"optimizer": self.optimizer, **self._told})
        return {**told, **same}

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compiles as a config says that get_compile_config gave."""
        words = ("optimizer", "loss", "loss_weights", "metrics", "weighted_metrics", "run_eagerly")
        self.compile(**{word: restored(config[word]) for word in words if word in config})


def _fits(given: Shape, wanted: Shape) -> bool:
    """Whether samples have the shape that is wanted, as far as it is known."""
    pairs = zip(given[1:], wanted[1:])
    return len(given) == len(wanted) and all(a is None or b is None or a == b for a, b in pairs)


def _of_rank(x: Tensor, slot: Tensor) -> Tensor:
    """A tensor as an input takes it: a last axis of 1 put in or dropped, as `fit` does it with arrays."""
    if len(x.shape) + 1 == len(slot.shape) and slot.shape[-1] == 1 and _fits((*x.shape, 1), slot.shape):
        return with_mask(ops.expand_dims(x, -1), x.mask)
    if len(x.shape) - 1 == len(slot.shape) and x.shape[-1] == 1 and _fits(x.shape[:-1], slot.shape):
        return with_mask(ops.squeeze(x, -1), x.mask)
    return x


def _like(x: Any) -> Any:
    """A tensor of x's dtype and shape, the batch open; what is no tensor stays."""
    return Tensor((None, *x.shape[1:]) if x.shape else (), x.dtype) if isinstance(x, Tensor) else x


def _of_kind(x: Tensor, slot: Tensor) -> Tensor:
    """x as a model's input takes it: numbers of a word, for example, that stand in floats become the integers it was built for."""
    if dtypes.is_floating(x.dtype) == dtypes.is_floating(slot.dtype):
        return x
    return with_mask(ops.cast(x, slot.dtype), x.mask)


def _taken_whole(kind: Any) -> bool:
    """Whether models of a class are made of their inputs and outputs, as `Model` itself, and of nothing else."""
    first = kind.__init__
    taken = [p.kind for p in inspect.signature(first).parameters.values()][1:]
    return first is Model.__init__ or taken == [inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD]
