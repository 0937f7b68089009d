"""What a metric is: variables, an update written with ops, and a result. The update is part of the step's program.

Called on arrays, a metric works at once: what `update_state` assigns and what `result` returns is computed when they end, though
they are written with variables, which are symbolic.
"""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from refnet import dtypes, engine, initializers
from refnet.annotations import Array, TensorLike
from refnet.errors import ArgumentError
from refnet.evaluating import evaluated
from refnet.graph import Assignment, Call, Mode, Variable, trace
from refnet.naming import snake_case
from refnet.old_names import name_first
from refnet.program import Program


def _at_once(method: Callable[..., Any]) -> Callable[..., Any]:
    """An update_state that commits its assignments at its end, unless it belongs to a program or to another update."""

    @functools.wraps(method)
    def update_state(self: "Metric", *args: Any, **kwargs: Any) -> None:
        if trace.active:
            method(self, *args, **kwargs)
            return
        record = Call(self, None, {}, None)
        with trace.inside(call=record, guard=(), training=None), engine.eager_on_current():
            method(self, *args, **kwargs)
        if record.assignments:
            engine.reference.prepare(Program([], [], record.assignments, Mode(False))).run([])

    return update_state


def _as_value(method: Callable[..., Any]) -> Callable[..., Any]:
    """A result that is an array, or a dict of them, unless a graph is being built."""

    @functools.wraps(method)
    def result(self: "Metric") -> Any:
        value = method(self)
        return value if trace.active else evaluated(value)

    return result


class Metric:
    """Base of metrics.

    A subclass makes its state in __init__ with `add_variable`, changes it in `update_state(y_true, y_pred, sample_weight)` by
    assigning, and gives the value in `result()`, written with ops. `update_state` becomes part of the training step; alone it
    takes arrays and works at once.

    Args:
        dtype: of the state; floatx if None.
        name: as history shows it; the class's in snake case if None.
    Source: Keras 3 `metrics.Metric`.

    >>> class Largest(Metric):
    ...     def __init__(self, name="largest"):
    ...         super().__init__(name=name)
    ...         self.value = self.add_variable((), name="value")
    ...     def update_state(self, y_true, y_pred, sample_weight=None):
    ...         self.value.assign(ops.maximum(self.value, ops.max(y_pred)))
    ...     def result(self):
    ...         return self.value
    >>> from refnet import ops
    >>> metric = Largest()
    >>> metric.update_state([0.0], [3.0])
    >>> metric([0.0], [2.0])
    array(3., dtype=float32)
    """

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        if "update_state" in vars(cls):
            cls.update_state = _at_once(cls.update_state)  # type: ignore[method-assign]
        if "result" in vars(cls):
            cls.result = _as_value(cls.result)  # type: ignore[method-assign]

    def __init__(self, dtype: Any = None, name: str | None = None):
        self._variables: list[Variable] = []
        self._metrics: list[Metric] = []
        self.name = name or snake_case(type(self).__name__)
        self.dtype = dtypes.standardize(dtype)

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, (Variable, Metric)):
            held: list[Any] | None = vars(self).get("_variables" if isinstance(value, Variable) else "_metrics")
            if held is None:
                raise ArgumentError(f"{type(self).__name__}: call super().__init__() before making state in __init__.")
            if value not in held:
                held.append(value)
        super().__setattr__(name, value)

    @property
    def variables(self) -> list[Variable]:
        """The state: what add_variable made, and the state of metrics held as attributes."""
        return list(dict.fromkeys([*self._variables, *(v for metric in self._metrics for v in metric.variables)]))

    def add_variable(
        self,
        shape: Any,
        initializer: Any = "zeros",
        dtype: Any = None,
        aggregation: str = "sum",
        name: str | None = None,
    ) -> Variable:
        """A new state variable.

        Args:
            shape: a tuple of integers.
            initializer: see `initializers.get`; reset_state sets zeros, unless it is overridden.
            dtype: the metric's if None.
            aggregation: of Keras; not used.
            name: of the variable.
        """
        if "_variables" not in vars(self):
            raise ArgumentError(f"{type(self).__name__}: call super().__init__() before making state in __init__.")
        dtype = self.dtype if dtype is None else dtypes.standardize(dtype)
        with trace.inside(call=None, collecting=False):
            value = np.asarray(initializers.get(initializer or "zeros")(tuple(shape), dtype=dtype))
        self._variables.append(Variable(value, dtype=dtype, trainable=False, name=f"{self.name}/{name or 'variable'}"))
        return self._variables[-1]

    @name_first("name", "shape")
    def add_weight(
        self, shape: Any = (), initializer: Any = None, dtype: Any = None, name: str | None = None
    ) -> Variable:
        """`add_variable`, with a number as the default shape."""
        return self.add_variable(shape, initializer, dtype, name=name)

    def update_state(self, *args: Any, **kwargs: Any) -> None:
        """Takes one batch into the state."""
        raise NotImplementedError(f"{type(self).__name__} has no update_state")

    def result(self) -> TensorLike:
        """The value so far; or a dict of values."""
        raise NotImplementedError(f"{type(self).__name__} has no result")

    def reset_state(self) -> None:
        """The state of the beginning: zeros."""
        for variable in self.variables:
            variable.set(np.zeros(variable.shape, variable.array.dtype))

    def updates(self, *args: Any, **kwargs: Any) -> list[Assignment]:
        """The assignments that update_state makes on symbolic tensors, for a step's program."""
        record = Call(self, None, {}, None)
        with trace.inside(call=record, guard=(), training=None):
            self.update_state(*args, **kwargs)
        return record.assignments

    def __call__(self, *args: Any, **kwargs: Any) -> TensorLike:
        """Updates with arrays, at once, and gives the result."""
        self.update_state(*args, **kwargs)
        return self.result()

    def _pure(self, function: Any) -> Any:
        from refnet.stateless import Pure

        held = vars(self).setdefault("_programs", {})
        key = (function, *self.variables)
        if key not in held:
            held[key] = Pure(self, lambda *args, **more: function(self, *args, **more), self.variables)
        return held[key]

    def stateless_update_state(self, metric_variables: Any, *args: Any, **kwargs: Any) -> list[Any]:
        """The state after a batch, from the state before; the metric's own stays as it is.

        Args:
            metric_variables: values, in the order of `variables`.
            args, kwargs: those of update_state.
        Source: Keras 3 `Metric.stateless_update_state`.
        """
        _, values = self._pure(type(self).update_state)(metric_variables, *args, **kwargs)
        new: list[Any] = values
        return new

    def stateless_result(self, metric_variables: Any) -> Any:
        """The metric's value in a state.

        Args:
            metric_variables: values, in the order of `variables`.
        Source: Keras 3 `Metric.stateless_result`.
        """
        return self._pure(type(self).result)(metric_variables)[0]

    def stateless_reset_state(self) -> list[Array]:
        """The state of the beginning. Source: Keras 3 `Metric.stateless_reset_state`."""
        before = [v.numpy() for v in self.variables]
        self.reset_state()
        start = [v.numpy() for v in self.variables]
        for variable, value in zip(self.variables, before):
            variable.set(value)
        return start

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"name": self.name, "dtype": self.dtype}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Metric":
        """A new metric from what get_config gave."""
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


def read(variable: Variable) -> Array:
    """A state variable: itself while a graph is being built, else its value; for results that are asked for often."""
    return variable if trace.active else variable.numpy()
