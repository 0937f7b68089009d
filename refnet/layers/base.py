"""What a layer is: weights, and a `call` that writes ops. Calling it marks the graph: which layer, its losses, its updates."""

import contextlib
import copy
import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from refnet import dtypes, mixed_precision
from refnet.arrays import as_array, is_array_like
from refnet.errors import (
    ArgumentError,
    RefnetError,
    did_you_mean,
    in_layer,
    in_users_code,
)
from refnet.graph import Call, Condition, Mode, Tensor, Variable, as_tensor, phase, trace
from refnet.keeping import Kept
from refnet.layers.added_losses import added_here
from refnet.layers.answers import Answering
from refnet.layers.checks import must_be_initialized, refuse_no_numbers, refuse_several
from refnet.layers.configs import Configured
from refnet.layers.constructor import check_arguments, first_shape
from refnet.layers.first_edition import OldAttributes
from refnet.layers.immediate import computed
from refnet.layers.input_spec import check_inputs
from refnet.layers.masks import mask_of, open_masks, pass_masks
from refnet.layers.returned import identity
from refnet.layers.shapes import shapes_in
from refnet.layers.signatures import default_of, first_of, parameters_of
from refnet.layers.stateless import Stateless
from refnet.layers.strays import warn_of_strays
from refnet.layers.weights import undone_on_error
from refnet.naming import snake_case, unique_name
from refnet.structure import flatten, mapped

NUMBERS = (int, float, np.number, np.bool_)


def _built(build: Callable[..., None]) -> Callable[..., None]:
    """A `build` after which the layer counts as built, whoever calls it; one that fails leaves no weights behind."""

    @functools.wraps(build)
    def built(self: "Layer", *args: Any, **kwargs: Any) -> None:
        with undone_on_error(self._flatten_layers()), trace.inside(path=self._settled_path()):
            build(self, *args, **kwargs)
            self.built = True
            if self._first_weights is not None and type(self).build is built:  # the outermost
                self.set_weights(self._first_weights)

    return built


class Layer(Configured, Stateless, Answering, OldAttributes):
    """Base of all layers.

    A subclass creates its weights in `build(input_shape)` with `add_weight`, and writes ops in `call(inputs)`. If `call` has
    an argument `training` and the caller leaves it open, `call` runs twice, with True and with False, and the program takes
    the way that is asked for; so a Python `if training:` is all that is needed. Losses (`add_loss`) and assignments
    (`variable.assign`) made in `call` belong to that call.

    Tensors may carry a mask (`tensor.mask`, bool, True where a step holds something). If `call` has an argument `mask` that the
    caller leaves open, it gets the masks of the inputs if they are the only tensors; among several arguments `<name>_mask` gets
    those of `name`. The outputs get what `compute_mask` gives, if the layer has `supports_masking`; else masks end here, with a
    warning. Arrays carry none: give `mask=`.

    Args:
        activity_regularizer: a function of the layer's output whose value, divided by the batch size, is added to the loss.
        trainable: whether training changes the weights; read when a model is compiled.
        dtype: of weights and computation, or a policy that tells them apart, "mixed_float16" for example (see
            `refnet.mixed_precision`); the global policy if None.
        autocast: whether floating inputs and weights are cast to the dtype of the computation.
        name: unique within a model; the class's name in snake case, numbered, if None.

    >>> class Scale(Layer):
    ...     def build(self, input_shape):
    ...         self.factor = self.add_weight(shape=(input_shape[-1],), initializer="ones")
    ...     def call(self, inputs):
    ...         return inputs * self.factor
    >>> Scale()(np.array([[2.0, 3.0]]))
    array([[2., 3.]], dtype=float32)
    """

    kinds: dict[str, type["Layer"]] = {}  # every subclass by name, the last of a name, for configs in memory
    built_in: dict[str, type["Layer"]] = {}  # refnet's own by name: a class of the user's does not take its place
    inference_when_frozen = False  # whether it behaves as in inference when not trainable, as BatchNormalization
    first_dtype: str | None = None  # of the Input that `input_shape=` stands for; floatx if None
    trains_by_default = False  # whether a call on arrays that leaves `training` open trains, as that of RandomFlip
    branches_on_training = True  # whether `call` looks at `training`, or only hands it on
    input_spec: Any = None  # an InputSpec, or a list of them, that a subclass may set
    one_tensor = False  # whether `call` takes one tensor: a list of them is a mistake
    takes_integers = False  # whether it can keep its kernel in integers: then it may have a QuantizedDTypePolicy
    supports_masking = False  # whether `compute_mask` says which of the outputs' steps hold something

    _arguments: tuple[tuple[Any, ...], dict[str, Any]]
    run_counter: Variable
    _first_weights: Any = None  # of Keras 2: what the weights are set to when they are made
    _knows_batch = False  # whether `call` reads the number of samples as a number, when it is called on arrays

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        Layer.kinds[cls.__name__] = cls
        if cls.__module__.startswith("refnet.") and not cls.__module__.startswith("refnet.applications."):
            Layer.built_in[cls.__name__] = cls  # a net's own layer has a name that many users give to theirs
        elif "call" in vars(cls):
            cls.one_tensor = False  # the user's `call` may take what ours does not
        if "build" in vars(cls) and not cls.__module__.startswith("refnet.models."):  # models know when they are built
            cls.build = _built(cls.build)  # type: ignore[method-assign]
        if "compute_mask" in vars(cls) and "supports_masking" not in vars(cls):
            cls.supports_masking = True

    def __new__(cls, *args: Any, **kwargs: Any) -> "Layer":
        check_arguments(cls, args, kwargs)
        layer = super().__new__(cls)
        layer._arguments = (args, kwargs)
        return layer

    def __getnewargs_ex__(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return self._arguments

    def __getstate__(self) -> dict[str, Any]:
        """For `copy.deepcopy` and `pickle`: all that the layer holds, but the graphs it is in and the programs made of it."""
        return {**vars(self), "_calls_made": [], "_losses_at_once": None, "_programs": Kept()}

    def __copy__(self) -> "Layer":
        """A layer with weights of its own: two layers that fill one list of weights would be none."""
        return copy.deepcopy(self)

    def __init__(
        self,
        *,
        activity_regularizer: Any = None,
        trainable: bool = True,
        dtype: Any = None,
        autocast: bool = True,
        name: str | None = None,
        **more: Any,
    ):
        from refnet import regularizers

        self._first_shape, self._first_batch = first_shape(more)
        self._first_weights = more.pop("weights", None)
        if more:
            word = next(iter(more))
            known = ["activity_regularizer", "trainable", "dtype", "autocast", "name", "input_shape"]
            known += list(inspect.signature(type(self).__init__).parameters)[1:]
            raise ArgumentError(f"{type(self).__name__} has no argument {word!r}.{did_you_mean(word, known)}")
        if name is not None and not isinstance(name, str):
            raise ArgumentError(f"{type(self).__name__}: name must be a string; got {name!r}.")
        self.name = name or unique_name(snake_case(self._kind()))
        self.dtype_policy, self.autocast = mixed_precision.get(dtype), autocast
        if self.quantization_mode is not None and not self.takes_integers:
            raise ArgumentError(
                f"{self.name}: dtype={self.dtype_policy.name!r} is for Dense, EinsumDense and Embedding; {type(self).__name__} has no kernel in "
                "integers."
            )
        self.activity_regularizer = regularizers.get(activity_regularizer)
        self.built = False
        self._calls_made: list[Call] = []
        self._losses_at_once: list[Any] | None = None
        self._trainable = bool(trainable)
        self._own: list[Variable] = []
        self._programs = Kept()

    def _kind(self) -> str:
        return type(self).__name__

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name} built={self.built}>"

    # ---- what a subclass writes

    def build(self, input_shape: Any) -> None:
        """Creates the weights. Called once, before the first call.

        Args:
            input_shape: the inputs' shape, in the inputs' own structure; None where a dimension is open.
        """
        self._settled_path()
        self.built = True

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """The layer's outputs, written with ops."""
        raise NotImplementedError(
            f"{type(self).__name__} has no `call`. Write `def call(self, inputs)`, with ops of refnet.ops."
        )

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """The masks of the outputs, in their order. A layer that overrides this has `supports_masking`.

        Args:
            inputs: the first argument of the call.
            previous_mask: its masks, or what was given as `mask`.
        """
        return previous_mask

    def samples_apart(self, rank: int | None) -> bool:
        """Whether what becomes of a sample depends on it alone, and a call changes nothing: then steps may be taken for samples.

        Args:
            rank: of the inputs; None if that is not known.
        """
        return True

    def add_loss(self, loss: Any, inputs: Any = None) -> None:
        """Adds a tensor (or several), summed, to the loss of every model that holds this call. `inputs` is not read."""
        for value in flatten(loss):
            if value is None:
                raise ArgumentError(f"{self.name}.add_loss takes a tensor or a number; got None.")
            trace.effect("losses", (as_tensor(value), trace.guard))

    @property
    def losses(self) -> list[Any]:
        """What the layer's calls and its trained weights' regularizers add to the loss.

        Where it was called on arrays, the values that the last such call has added; in a step that is being traced, what was added there.
        """
        if trace.call is not None:
            return added_here(self)
        added = self._losses_at_once
        if added is None:
            added = [loss for call in self._calls_made for loss, guard in call.losses if Mode(None).holds(guard)]
        return added + [v.regularizer(v) for v in self.trainable_weights if v.regularizer is not None]

    # ---- calling

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Tensors in: the call is added to the graph. Arrays in: computed at once, by the current engine.

        On arrays `call` runs once for each kind of arguments, as a function does under `jit`; see there for what counts as another.
        """
        must_be_initialized(self)
        args, kwargs = _read(self, args, kwargs)
        leaves = flatten([list(args), kwargs])
        if not trace.active and not any(isinstance(x, Tensor) for x in leaves):
            refuse_no_numbers(self.name, leaves)
            if not any(isinstance(x, (np.ndarray, np.generic)) for x in leaves):
                raise ArgumentError(
                    f"{self.name} is called on a tensor or an array of numbers; got {', '.join(map(repr, args)) or 'nothing'}."
                )
            return computed(self, args, kwargs)
        args = tuple(mapped(self._taken, a) for a in args)
        kwargs = {key: mapped(self._taken, a) for key, a in kwargs.items()}
        self._build_for(args, kwargs)
        if self.input_spec is not None and args:
            check_inputs(self, args[0])
        return self._in_graph(args, kwargs)

    def _taken(self, x: Any) -> Any:
        """An argument as `call` gets it: arrays become tensors, floating tensors take the layer's dtype, if it is floating."""
        casts = self.autocast and dtypes.is_floating(self.compute_dtype)
        if isinstance(x, (np.ndarray, np.generic)):
            x = as_tensor(x, self.compute_dtype if x.dtype.kind == "f" and casts else None)
        if isinstance(x, Tensor) and casts and dtypes.is_floating(x.dtype) and x.dtype != self.compute_dtype:
            from refnet import ops

            mask, x = x.mask, ops.cast(x, self.compute_dtype)
            x.mask = mask
        return x

    def _build_for(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """`build` with the first argument's shape, with those of several arguments where it takes `<name>_shape`s, or with nothing."""
        if self.built:
            return
        method = getattr(self.build, "__func__", None)
        names = parameters_of(self.build) if method is None else parameters_of(method)[1:]
        given = {**dict(zip(self.call_parameters(), args)), **kwargs}
        shapes = {name: shapes_in(given.get(name.removesuffix("_shape"))) for name in names}
        with trace.inside(call=None, guard=(), training=None, autocast=None):
            if len(names) > 1 and all(name.endswith("_shape") for name in names):
                self.build(**shapes)
            elif names:
                self.build(shapes_in(args[0]) if args else None)
            else:
                self.build()  # type: ignore[call-arg]  # one that a subclass wrote without arguments
        self.built = True

    def index_advice(self, index: int) -> str:
        """What to do about an index that an op of this layer's found outside of its range; empty, or a sentence after a space."""
        return ""

    def call_parameters(self) -> tuple[str, ...]:
        """The names of what `call` takes."""
        function = getattr(self.call, "__func__", None)
        return parameters_of(self.call) if function is None else parameters_of(function)[1:]

    def _pass_masks(self, inputs: Any, mask: Any, outputs: list[Tensor]) -> None:
        pass_masks(self, inputs, mask, outputs)

    def _in_graph(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """`call` on tensors, one way or both ways of `training`; a record of the call holds what it was given and what came of it."""
        record = Call(self, args[0] if args else None, {"args": args[1:], **kwargs}, trace.call)
        record.masks = [m for m in map(mask_of, flatten([list(args), kwargs])) if m is not None]
        kwargs = {**kwargs, **open_masks(self, args, kwargs)}
        takes = "training" in self.call_parameters()
        branches = takes and self.branches_on_training
        rest = {key: a for key, a in kwargs.items() if key != "training"}
        training = _training_in(self, kwargs.get("training"), branches)
        may_be_frozen = training and self.inference_when_frozen
        here = trace.inside(call=record, training=training, autocast=self._reading(), path=self._settled_path())
        with here, self._named_in_errors():
            if branches and (training is None or may_be_frozen):
                outputs = self._both_ways(training, args, rest)
            else:
                outputs = self.call(*args, **rest, **({"training": training} if takes else {}))
            if any(y is None for y in flatten(outputs)):
                raise ArgumentError(
                    f"{self.name}: `call` of {type(self).__name__} returned {outputs!r}; it has to return its outputs."
                )
            outputs = mapped(as_tensor, outputs)
            outputs = mapped(lambda y: y if y.node is not None and y.node.call is record else identity(y), outputs)
            if self.activity_regularizer is not None:
                self._penalise(flatten(outputs))
            self._pass_masks(record.inputs, kwargs.get("mask"), flatten(outputs))
        record.outputs = outputs
        if record.parent is None:
            self._calls_made.append(record)
            warn_of_strays(self, record)
        return outputs

    def _reading(self) -> str | None:
        """The dtype in which the call reads floating weights; None for their own."""
        compute = self.compute_dtype
        if not self.autocast or not dtypes.is_floating(compute):
            return None
        return compute if trace.autocast is not None or compute != self.dtype else None

    @contextlib.contextmanager
    def _named_in_errors(self) -> Iterator[None]:
        try:
            yield
        except RefnetError as error:
            in_layer(error, self.name)
            raise
        except Exception as error:
            in_users_code(error, f"in the call of {self.name} ({type(self).__name__})")
            raise

    def _default_training(self) -> bool:
        """What `training` is where nobody says it: what the class says, or the default of `call`."""
        return self.trains_by_default or default_of(type(self).call, "training") is True

    def _both_ways(self, training: bool | None, args: tuple[Any, ...], rest: dict[str, Any]) -> Any:
        """`call` with training=True and with False, joined: the program takes one of them."""
        owner = self if self.inference_when_frozen else None
        condition, ways = Condition(training, owner, self._default_training()), []
        for branch in (True, False):
            with trace.inside(training=branch, guard=(*trace.guard, (condition, branch))):
                ways.append(mapped(as_tensor, self.call(*args, **rest, training=branch)))
        return mapped(lambda a, b: _joined(a, b, condition), *ways)

    def _penalise(self, outputs: list[Tensor]) -> None:
        from refnet import ops

        for y in outputs:
            self.add_loss(ops.divide(self.activity_regularizer(y), ops.cast(ops.shape(y)[0], y.dtype)))


def _read(layer: Layer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of a call with the inputs in the first place, a list of numbers as an array, other packages' arrays as NumPy's."""
    first = None if args else first_of(type(layer).call)
    if first in kwargs:  # given by its name: the inputs all the same
        args, kwargs = (kwargs[first],), {word: value for word, value in kwargs.items() if word != first}
    if args and isinstance(args[0], (list, tuple)) and all(isinstance(x, NUMBERS) for x in flatten(args[0])):
        args = (np.asarray(args[0], dtypes.floatx()), *args[1:])
    if layer.one_tensor and args:
        refuse_several(layer.name, args[0])
    return mapped(_as_numpys, args), mapped(_as_numpys, kwargs)


def _as_numpys(x: Any) -> Any:
    """An argument of a call; an array of another package as NumPy's."""
    return as_array(x) if not isinstance(x, (Tensor, np.generic)) and is_array_like(x) else x


def _training_in(layer: Layer, given: Any, branches: bool) -> bool | None:
    """What `training` is in a call: as given, else as in the call around, else the learning phase; None where that is left open.

    Args:
        branches: whether `call` looks at it; where ops are computed one by one it has to be settled then.
    """
    training = trace.training if given is None else bool(given)
    training = trace.learning_phase if training is None else training
    if training is None and branches and trace.eager is not None:
        return layer._default_training()
    return training


def _joined(a: Tensor, b: Tensor, condition: Condition) -> Tensor:
    if a is b:
        return a
    y: Tensor = phase(a, b, condition=condition)
    y.mask = a.mask if a.mask is b.mask else None
    return y
