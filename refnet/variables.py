"""Variables: values that last; where an engine keeps them, and the records of their assignments."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol, overload

import numpy as np
from numpy.typing import DTypeLike

from refnet import dtypes
from refnet.annotations import Array, Shape, TensorLike
from refnet.arrays import as_array, no_numbers
from refnet.errors import DtypeError, ShapeError
from refnet.tensors import Constant, Tensor, handed_out
from refnet.tracing import Guard, clock, trace


class Residence(Protocol):
    """Where an engine keeps variables: a device's memory."""

    def fetch(self, variable: "Variable") -> None:
        """Brings the host's memory up to date; the device keeps its hold."""

    def release(self, variable: "Variable") -> None:
        """Ends the hold; the device's value is forgotten."""


def _first_value(initializer: Any, shape: Any, dtype: DTypeLike | None, name: str) -> Array:
    """What a variable starts with: the value that is given, or what an initializer makes."""
    if isinstance(initializer, str) or callable(initializer):
        from refnet import initializers

        if shape is None:
            raise ShapeError(f"the variable {name} needs a shape for its initializer, {initializer!r}.")
        lengths = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
        with trace.inside(call=None, collecting=False):
            initializer = initializers.get(initializer)(lengths, dtype=dtypes.standardize(dtype))
    value = as_array(initializer, f"the value of {name}")
    if shape is not None and value.shape != (tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)):
        raise ShapeError(f"the value of {name} has shape {value.shape}; the shape given for it is {shape}.")
    return value


class Variable(Tensor):
    """A value that lasts: a weight, an optimizer's slot, a counter, a metric's total.

    The value lives in one block of host memory for good (programs hold its address), unless an engine has taken it to a
    device: then `residence` names the holder, and `value` asks it for a copy.

    Args:
        initializer: the first value; or an initializer or its name, with `shape`.
        shape: of the value, which a value that is given has itself.
        dtype: floatx for floats and the value's own for the rest, if None.
        trainable: whether training changes it.
        autocast: whether a layer with a mixed policy reads it cast to the dtype of the computation.
        aggregation, synchronization: how copies of it on several devices would be joined; there is one copy here.
        name: "variable" if None.
        regularizer: a function of the variable whose value is added to the loss.
        constraint: a function from the updated variable to the one that is kept.
    Attributes:
        path: its name after those of the layers in which it was made, outermost first: "encoder/hidden/kernel".
    Raises:
        ShapeError: a value of another shape; an initializer without a shape.
    Source: Keras 3 `Variable`.

    >>> count = Variable(np.zeros(2), name="count")
    >>> count.assign([1.0, 2.0]).value
    array([1., 2.], dtype=float32)
    >>> np.asarray(2 * count + 1)
    array([3., 5.], dtype=float32)
    """

    lasts = True
    moves = 0  # how often any variable's memory moved: programs that hold addresses look whether theirs are among them

    def __init__(
        self,
        initializer: Any,
        shape: Any = None,
        dtype: DTypeLike | None = None,
        trainable: bool = True,
        autocast: bool = True,
        aggregation: str | None = "none",
        synchronization: str | None = "auto",
        name: str | None = None,
        regularizer: Callable[[TensorLike], TensorLike] | None = None,
        constraint: Callable[[TensorLike], TensorLike] | None = None,
    ):
        name = name or "variable"
        value = _first_value(initializer, shape, dtype, name)
        if dtype is None:
            dtype = dtypes.floatx() if value.dtype.kind == "f" else value.dtype
        self.stored_dtype = dtypes.standardize(dtype)
        self.autocast, self.aggregation, self.synchronization = bool(autocast), aggregation, synchronization
        super().__init__(value.shape, self.stored_dtype, name=name)
        self.array: Array = np.array(value, dtypes.as_numpy(self.stored_dtype), order="C", copy=True)
        self.trainable, self.regularizer, self.constraint = trainable, regularizer, constraint
        self.path = trace.path_to(name)
        self.residence: Residence | None = None
        self.placed = False  # whether an engine has laid it beside others

    def __getstate__(self) -> dict[str, Any]:
        """For `copy.deepcopy` and `pickle`: the value as it is now, in memory of its own."""
        return {**vars(self), "array": self.numpy(), "residence": None, "placed": False}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update({"path": state["name"], **state})  # a pickle may be older than paths

    @property
    def dtype(self) -> str:
        """The dtype that it is read in: its own, or, where a layer with a mixed policy reads its weights, the layer's."""
        casts = trace.autocast is not None and self.autocast and dtypes.is_floating(self.stored_dtype)
        return trace.autocast or self.stored_dtype if casts else self.stored_dtype

    @dtype.setter
    def dtype(self, name: str) -> None:
        self.stored_dtype = name

    @property
    def value(self) -> Array:
        """The current value: an array that must not be written to. Use `assign`."""
        if self.residence is not None:
            self.residence.fetch(self)
        view = self.array.view()
        view.flags.writeable = False
        return view

    def numpy(self) -> Array:
        """A copy of the current value."""
        return np.array(self.value)

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> Array:
        """A copy of the current value; with copy=False the value itself, which must not be written to."""
        return handed_out(self.value, dtype, copy)

    def __repr__(self) -> str:
        with np.printoptions(threshold=6, edgeitems=1, precision=4):
            value = " ".join(str(self.value).split())
        return f"{super().__repr__()[:-1]} value={value}>"

    def __format__(self, form: str) -> str:
        """As `format` writes the number that a variable of one number holds; without a form, what `repr` shows."""
        if not form:
            return repr(self)
        if self.array.size != 1:
            raise TypeError(f"{self.name} has shape {self.shape}; only one number is written in the form {form!r}.")
        return format(self.value.item(), form)

    def __float__(self) -> float:
        return float(self.value)

    def __int__(self) -> int:
        return int(self.value)

    def place(self, array: Array) -> None:
        """Moves the value into `array`: an engine lays variables side by side."""
        self.come_home()
        array[...] = self.array
        self.array, self.placed = array, True
        Variable.moves += 1

    def come_home(self) -> None:
        """Ends a device's hold on the variable: from here on the host's memory has its value."""
        if self.residence is not None:
            self.residence.fetch(self)
            self.residence.release(self)
            self.residence = None
            Variable.moves += 1

    def set(self, value: TensorLike) -> None:
        """Writes a new value now, in place. Raises ShapeError if the shape differs."""
        value = as_array(value, f"the value of {self.name}")
        if value.shape != self.shape:
            raise ShapeError(f"{self.name} has shape {self.shape}; cannot be set to a value of shape {value.shape}.")
        if self.residence is not None:
            self.residence.release(self)
            self.residence = None
        self.array[...] = value

    @overload
    def assign(self, value: Tensor) -> "Assignment": ...

    @overload
    def assign(self, value: TensorLike) -> "Variable | Assignment": ...

    def assign(self, value: TensorLike) -> "Variable | Assignment":
        """Sets the variable: at once outside a layer's call; inside, when the program that contains the call has run.

        Args:
            value: an array, a number or a tensor of the variable's shape; outside, a tensor of variables alone is computed.
        Returns:
            The variable outside a call, else the record of the assignment.
        """
        if not trace.active:
            if isinstance(value, Tensor) and value._has_value():
                value = np.asarray(value)
            if not isinstance(value, Tensor):
                array = as_array(value, f"the value of {self.name}")
                if array.dtype == object:
                    with suppress(TypeError, ValueError):  # fractions, for example; what is no number is told below
                        array = array.astype(self.value.dtype)
                if not dtypes.of_numbers(array.dtype):
                    raise DtypeError(f"the value of {self.name} must hold numbers; got {no_numbers(value, array)}")
                self.set(self._spread(array))
                return self
        return self._record(value)

    def _spread(self, value: Array) -> Array:
        """A value repeated to the variable's shape, where it is a number or has axes of 1."""
        try:
            return np.broadcast_to(value, self.shape)
        except ValueError:
            raise self.unfit(value.shape) from None

    def unfit(self, shape: Shape) -> ShapeError:
        """What is raised for a value of a shape that cannot be assigned."""
        return ShapeError(f"{self.name} has shape {self.shape}; cannot be assigned a value of shape {tuple(shape)}.")

    def _record(self, value: TensorLike) -> "Assignment":
        from refnet import ops

        value = value if isinstance(value, Tensor) else Constant(value, self.stored_dtype)
        if value.dtype != self.stored_dtype:
            value = ops.cast(value, self.stored_dtype)
        if value.shape != self.shape:
            near = zip(reversed(value.shape), reversed(self.shape))
            if len(value.shape) > len(self.shape) or any(a not in (None, 1, b) for a, b in near):
                raise self.unfit(value.shape)
            if None not in value.shape:  # else its shape is looked at when it is known
                value = ops.broadcast_to(value, self.shape)
        record = Assignment(self, value, trace.guard, next(clock))
        trace.effect("assignments", record)
        return record

    def assign_add(self, value: TensorLike) -> "Variable | Assignment":
        """`assign(self + value)`."""
        done: Variable | Assignment = self.assign((self if self._symbolic(value) else self.value) + value)
        return done

    def assign_sub(self, value: TensorLike) -> "Variable | Assignment":
        """`assign(self - value)`."""
        done: Variable | Assignment = self.assign((self if self._symbolic(value) else self.value) - value)
        return done

    def _symbolic(self, value: TensorLike) -> bool:
        return isinstance(value, Tensor) or trace.active


class Assignment:
    """A record: when its program has run, `variable` takes `value`, if the guard's conditions hold in the program's mode."""

    def __init__(self, variable: Variable, value: Tensor, guard: Guard, number: int):
        self.variable, self.value, self.guard, self.number = variable, value, guard, number


def assignment(variable: Variable, value: Tensor) -> Assignment:
    """The record of an assignment, for a program: what `variable.assign` gives inside a call."""
    return variable._record(value)
