"""What a layer keeps: its weights, those of the layers inside it, and whether training changes them."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from refnet import dtypes, mixed_precision
from refnet.annotations import Array
from refnet.arrays import values_for
from refnet.errors import ArgumentError, FileError, ShapeError
from refnet.graph import Tensor, Variable, trace
from refnet.layers.replaceable import Replaceable
from refnet.old_names import name_first
from refnet.registration import take_room
from refnet.structure import flatten

NO_WEIGHTS = ("_own", "_arguments", "run_counter", "states")  # attributes whose variables are counters and states


@contextmanager
def undone_on_error(things: Iterable[Any]) -> Iterator[None]:
    """Where the block raises, these objects have the attributes that they had, and in lists and dicts what was in them."""
    before = [(x, {name: v.copy() if type(v) in (list, dict) else v for name, v in vars(x).items()}) for x in things]
    try:
        yield
    except BaseException:
        for x, attributes in before:
            vars(x).clear()
            vars(x).update(attributes)
        raise


class Weighted:
    """The part of a layer that has to do with weights."""

    name: str
    built: bool
    dtype_policy: mixed_precision.DTypePolicy
    _trainable: bool
    _own: list[Variable]
    _layer_path: str | None = None
    # Attributes in which no layers inside this one are looked for.
    _no_layers = frozenset({"_calls_made", "_own", "_programs", "_arguments"})

    def __setattr__(self, name: str, value: Any) -> None:
        """Variables that a subclass puts into attributes, by themselves or in lists, tuples and dicts, are weights of the layer."""
        if name not in NO_WEIGHTS and isinstance(value, (Variable, list, tuple, dict)):
            found = [x for x in flatten(value) if isinstance(x, Variable)]
            if found and "_own" not in vars(self):
                raise ArgumentError(
                    f"{type(self).__name__}: call super().__init__() before making weights in __init__."
                )
            if found:
                self._own += [x for x in found if x not in self._own]
        elif (
            isinstance(value, Tensor) and not isinstance(value, Variable) and isinstance(vars(self).get(name), Variable)
        ):
            raise ArgumentError(
                f"{type(self).__name__}: {name} is a weight, and {name} = ... would put a tensor in its place, which no step keeps. "
                f"Use self.{name}.assign(...) or self.{name}.assign_add(...)."
            )
        super().__setattr__(name, value)

    @property
    def dtype(self) -> str:
        """The dtype of the weights."""
        return self.dtype_policy.variable_dtype

    variable_dtype = dtype

    @property
    def compute_dtype(self) -> str:
        """The dtype that floating inputs and weights are cast to before anything is computed."""
        return self.dtype_policy.compute_dtype

    @property
    def quantization_mode(self) -> str | None:
        """In which integers the layer keeps its kernel ("int8"); None if it keeps floats."""
        return self.dtype_policy.quantization_mode

    @Replaceable
    def path(self) -> str | None:
        """The names of the layers in which this one was first built or called, outermost first, and its own; None before."""
        return self._layer_path

    def _settled_path(self) -> str:
        """The path, which is settled by the first call of this."""
        if self._layer_path is None:
            self._layer_path = trace.path_to(self.name)
        return self._layer_path

    @name_first("name", "shape", "dtype", "initializer", "regularizer", "trainable", "constraint")
    def add_weight(
        self,
        shape: Any = None,
        initializer: Any = None,
        dtype: Any = None,
        trainable: bool = True,
        autocast: bool = True,
        regularizer: Any = None,
        constraint: Any = None,
        aggregation: str | None = "none",
        overwrite_with_gradient: bool = False,
        name: str | None = None,
    ) -> Variable:
        """A new variable of the layer.

        Args:
            shape: its shape; () if None.
            initializer: a name, an initializer or a function (shape, dtype) -> array; glorot_uniform if None (zeros for
                dtypes that are not floating).
            autocast: whether a layer with a mixed policy reads it cast to the dtype of the computation.
            regularizer: a function of the variable whose value is added to the loss.
            constraint: a name, or a function from the updated variable to the one that is kept.
            aggregation: how copies of it on several devices would be joined; there is one copy here.
            overwrite_with_gradient: must be False: what float8 training in Keras has it for is not here.
        Raises:
            ArgumentError: overwrite_with_gradient; inside `call`.
            ShapeError: a dimension that is not known yet.
        """
        from refnet import constraints, engine, initializers, regularizers

        if trace.call is not None and trace.call.layer is self:
            raise ArgumentError(
                f"{self.name}.add_weight in `call` would make a weight at every call: make weights in __init__ or in build."
            )
        if overwrite_with_gradient:
            raise ArgumentError(
                f"{self.name}.add_weight: overwrite_with_gradient is for float8 training, which is not here; assign in `call`."
            )
        shape = () if shape is None else shape if isinstance(shape, (tuple, list)) else (shape,)
        a_weight = "a weight" if name is None else f"the weight {name}"
        if any(d is None for d in shape):
            raise ShapeError(
                f"{self.name}: {a_weight} would have shape {tuple(shape)}; every dimension of a weight must be "
                "known. Give Input the dimensions that weights depend on."
            )
        shape = tuple(int(d) for d in shape)
        dtype = self.dtype if dtype is None else dtypes.standardize(dtype)
        penalty, constraint = regularizers.get(regularizer), constraints.get(constraint)
        if initializer is None:
            initializer = "glorot_uniform" if dtypes.is_floating(dtype) else "zeros"
        if take_room(f"{self.name}/{name or 'variable'}", math.prod(shape)):
            value = np.zeros(shape, dtypes.as_numpy(dtype))  # a file's values take its place
        else:
            with engine.eager_on_current():
                value = np.asarray(initializers.get(initializer)(shape, dtype=dtype))
        if value.shape != shape:
            raise ShapeError(
                f"{self.name}: the initializer of {a_weight} gave shape {value.shape}; {shape} was asked for."
            )
        variable = Variable(
            value,
            dtype=dtype,
            trainable=trainable,
            autocast=autocast,
            aggregation=aggregation,
            name=f"{self.name}/{name or 'variable'}",
            regularizer=penalty,
            constraint=constraint,
        )
        variable.path = f"{self._layer_path or trace.path_to(self.name)}/{name or 'variable'}"
        self._own.append(variable)
        return variable

    def add_variable(
        self,
        shape: Any,
        initializer: Any,
        dtype: Any = None,
        trainable: bool = True,
        autocast: bool = True,
        regularizer: Any = None,
        constraint: Any = None,
        name: str | None = None,
    ) -> Variable:
        """`add_weight`, under the name and with the order of arguments that Keras has beside it."""
        made: Variable = self.add_weight(
            shape, initializer, dtype, trainable, autocast, regularizer, constraint, name=name
        )
        return made

    def _held_layers(self) -> list[Any]:
        """The layers held in attributes, directly or in lists, tuples and dicts."""
        held = [x for name, value in vars(self).items() if name not in self._no_layers for x in flatten(value)]
        return list(dict.fromkeys(x for x in held if isinstance(x, Weighted) and x is not self))

    def _flatten_layers(self) -> list[Any]:
        """This layer and every layer inside it, each once, outer before inner."""
        order: dict[Any, None] = {}
        todo: list[Any] = [self]
        while todo:
            layer = todo.pop()
            if layer not in order:
                order[layer] = None
                todo += reversed(layer._held_layers())
        return list(order)

    @property
    def _own_weights(self) -> list[Variable]:
        """This layer's variables without those of layers inside it; trainable ones first."""
        return [v for v in self._own if v.trainable] + [v for v in self._own if not v.trainable]

    def _in_files(self) -> list[tuple[Variable, Any]]:
        """The variables that a file has, in its order, each with what is written for it."""
        return [(v, v) for v in self._own_weights]

    def _beside_files(self) -> Sequence[tuple[Variable, Array]]:
        """Variables that a file has not, with the values that they take when one is read."""
        return []

    def save_own_variables(self, store: dict[str, Any]) -> None:
        """Puts what a file is to have of this layer's own state into `store`: its variables, numbered. For layers of yours to extend.

        Args:
            store: takes arrays of numbers and variables, by name.
        Source: Keras 3 `Layer.save_own_variables`.
        """
        store.update((str(i), value) for i, (_, value) in enumerate(self._in_files()))

    def load_own_variables(self, store: Mapping[str, Array]) -> None:
        """Takes from a file what `save_own_variables` put there. For layers of yours to extend.

        Args:
            store: the arrays by name.
        Raises:
            FileError: it has not just this layer's variables.
        Source: Keras 3 `Layer.load_own_variables`.
        """
        variables = [variable for variable, _ in self._in_files()]
        needed = {str(i): variable for i, variable in enumerate(variables)}
        if set(store) != set(needed):
            raise FileError(
                f"{self.name} has {len(variables)} variables of its own, and the file has {sorted(store)}. A layer that adds to "
                "them in save_own_variables takes them out in load_own_variables."
            )
        for name, variable in needed.items():
            if store[name].shape != variable.shape:
                raise FileError(f"{variable.name} has shape {variable.shape}; the file has shape {store[name].shape}.")
        for variable, value in [*((variable, store[name]) for name, variable in needed.items()), *self._beside_files()]:
            variable.set(value)

    def save_assets(self, inner_path: str) -> None:
        """Writes files that belong to this layer into a folder; a `.keras` file then holds them. For layers of yours to override.

        Args:
            inner_path: the folder, which is empty.
        Source: Keras 3 `Layer.save_assets`.
        """

    def load_assets(self, inner_path: str) -> None:
        """Reads the files that `save_assets` wrote. For layers of yours to override.

        Args:
            inner_path: the folder that has them.
        Source: Keras 3 `Layer.load_assets`.
        """

    @property
    def weights(self) -> list[Variable]:
        """All variables, of inner layers too, in the order of get_weights."""
        return list(dict.fromkeys(v for layer in self._flatten_layers() for v in layer._own_weights))

    variables = weights

    @property
    def trainable_weights(self) -> list[Variable]:
        """The variables that training would change if the model were compiled now."""
        layers = [layer for layer in self._flatten_layers() if layer.trainable]
        return list(dict.fromkeys(v for layer in layers for v in layer._own_weights if v.trainable))

    trainable_variables = trainable_weights

    @property
    def non_trainable_weights(self) -> list[Variable]:
        """The other variables."""
        trained = set(self.trainable_weights)
        return [v for v in self.weights if v not in trained]

    non_trainable_variables = non_trainable_weights

    @property
    def trainable(self) -> bool:
        """Whether training changes the weights. Setting it sets the layers inside too; `compile` reads it."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        for layer in self._flatten_layers():
            layer._trainable = bool(value)

    def count_params(self) -> int:
        """The number of elements of all weights."""
        if not self.built:
            raise ArgumentError(
                f"{self.name} has no weights yet: it is built by its first call, or by build(input_shape)."
            )
        return sum(int(np.prod(v.shape)) for v in self.weights)

    def get_weights(self) -> list[Array]:
        """Copies of the weights' values."""
        return [v.numpy() for v in self.weights]

    def set_weights(self, weights: Iterable[Any]) -> None:
        """Sets all weights, in the order of get_weights.

        Raises:
            ArgumentError: another number of arrays.  ShapeError: an array of another shape. Nothing is set then.
        """
        own, hint = (
            self.weights,
            "" if self.built else " It is not built yet: call it once, or build(input_shape), first.",
        )
        values = values_for(own, weights, f"{self.name}.set_weights", "get_weights", hint)
        for variable, value in zip(own, values):
            variable.set(value)
