"""Tensors: values that do not exist yet, constants, and variables, which last; and the records of their assignments."""

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Protocol, overload

import numpy as np
from numpy.typing import DTypeLike

from refnet import dtypes
from refnet.annotations import Array, Shape, TensorLike
from refnet.arrays import as_array
from refnet.comparing import Compared, asked_by_refnet
from refnet.errors import NoValueError, ShapeError, UsageError, without_tape
from refnet.tracing import Guard, clock, trace

if TYPE_CHECKING:
    from refnet.graph import Node
    from refnet.layers.core import InputLayer

# What NumPy calls where an array stands before an operator and a tensor behind it, and the op that is meant.
OPERATORS = {
    **{"add": "add", "subtract": "subtract", "multiply": "multiply", "divide": "true_divide", "power": "power"},
    **{"floor_divide": "floor_divide", "remainder": "mod", "matmul": "matmul", "less": "less", "greater": "greater"},
    **{"less_equal": "less_equal", "greater_equal": "greater_equal"},
    **{"bitwise_and": "logical_and", "bitwise_or": "logical_or", "bitwise_xor": "logical_xor"},
}


def _operator(name: str, swapped: bool = False) -> Callable[["Tensor", TensorLike], TensorLike]:
    """The method that calls a function of refnet.ops with two operands."""

    def method(self: "Tensor", other: TensorLike) -> TensorLike:
        from refnet import ops

        function = getattr(ops, name)
        return function(other, self) if swapped else function(self, other)

    return method


class Tensor(Compared):
    """A value that does not exist yet: what an op will give, or (without a node) what a program will be fed.

    Args:
        shape: a tuple; None where a dimension is open.
        dtype: a dtype's name.
    """

    origin: "InputLayer | None" = None  # the InputLayer that made it, if one did
    mask: "Tensor | None" = None  # bool, True where a step holds something: for the layers that read this tensor
    known: Array | None = None  # its value, where ops are computed one by one: see `refnet.eager`

    def __init__(
        self, shape: Iterable[int | None], dtype: DTypeLike = "float32", node: "Node | None" = None, name: str = ""
    ):
        self.shape: Shape = tuple(shape)
        self.dtype, self.node, self.name = dtypes.standardize(dtype), node, name

    backward = _id = property(without_tape)  # what PyTorch's and TensorFlow's ways to gradients ask for

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def __repr__(self) -> str:
        label = f" {self.name!r}" if self.name else ""
        made = f" by {self.node.op.name}" if self.node else ""
        value = "" if self.known is None else f" value={self.known!r}"
        return f"<{type(self).__name__}{label} shape={self.shape} dtype={self.dtype}{made}{value}>"

    def __bool__(self) -> bool:
        if self.known is not None:
            return bool(self.known)
        if self.same is not None:
            return self.same
        raise NoValueError(
            f"a symbolic tensor (shape {self.shape}) has no truth value yet, so it cannot steer `if` or `while`. "
            "Use ops.where, ops.cond or a layer's `training` argument."
        )

    @property
    def _keras_mask(self) -> "Tensor | None":
        """The mask, under the name that Keras gives it."""
        return self.mask

    @property
    def _keras_shape(self) -> Shape:
        """The shape, under the name that Keras 2 gave it."""
        return self.shape

    def numpy(self) -> Array:
        """The value as an array, where it has one."""
        return self.__array__()

    def __float__(self) -> float:
        return float(self.__array__())

    def __int__(self) -> int:
        return int(self.__array__())

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> Array:
        if self.known is not None:
            return handed_out(self.known, dtype, copy)
        if self.node is not None and self._has_value():
            from refnet.metrics.base import evaluated

            return handed_out(np.asarray(evaluated(self)), dtype, copy)
        raise NoValueError(
            f"a symbolic tensor (shape {self.shape}) has no values yet. In a layer, a loss, a metric or a step, compute with "
            "refnet.ops, not with NumPy or another package; elsewhere a model's predict, or K.function, computes it."
        )

    def _has_value(self) -> bool:
        """Whether the tensor is a variable or a constant, or was computed from such alone, outside of any call."""
        from refnet.graph import sorted_nodes

        if self.node is None:
            return isinstance(self, (Variable, Constant))
        if trace.call is not None or trace.collecting:
            return False
        read = [x for node in sorted_nodes([self]) for x in node.inputs if x.node is None]
        return all(isinstance(x, (Variable, Constant)) for x in read)

    def __dlpack__(self, *, copy: bool | None = None, **more: Any) -> Any:
        """The value, where it has one, for `from_dlpack` of another package: a copy, unless copy=False.

        A copy, because not every package heeds that memory is to be read only.
        """
        return self.__array__(copy=copy is not False).__dlpack__(**more)

    def __dlpack_device__(self) -> tuple[int, int]:
        return 1, 0  # the host's memory

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **more: Any) -> Any:
        """`array + tensor` is an op; NumPy's functions are not, for they compute at once."""
        from refnet import ops

        if ufunc in (np.equal, np.not_equal):
            if not asked_by_refnet(1):
                return getattr(ops, ufunc.__name__)(*inputs)
            return ufunc is np.not_equal  # as __eq__: tensors are keys
        if method == "__call__" and not more and ufunc.__name__ in OPERATORS:
            return getattr(ops, OPERATORS[ufunc.__name__])(*inputs)
        name = ufunc.__name__
        use = f"Use ops.{name}." if hasattr(ops, name) else "Use refnet.ops."
        raise NoValueError(
            f"np.{name} computes with arrays; a symbolic tensor (shape {self.shape}) has no values yet. {use}"
        )

    def __len__(self) -> int:
        if not self.shape or self.shape[0] is None:
            raise NoValueError(
                f"a symbolic tensor of shape {self.shape} has no known length, which len() asks for. "
                "Use ops.shape(x)[0] for its length, ops.map or ops.scan for its parts."
            )
        return int(self.shape[0])

    def __iter__(self) -> Iterator[TensorLike]:
        if self.shape and self.shape[0] is None:
            raise NoValueError(
                f"a symbolic tensor of shape {self.shape} cannot be gone through by `for`, nor taken apart: its first axis is "
                "open. Use ops.map or ops.scan for its parts. (In a step of a model's own, data is x alone where no y was given.)"
            )
        return (self[i] for i in range(len(self)))

    def __neg__(self) -> TensorLike:
        from refnet import ops

        return ops.negative(self)

    def __abs__(self) -> TensorLike:
        from refnet import ops

        return ops.abs(self)

    def __invert__(self) -> TensorLike:
        from refnet import ops

        return ops.logical_not(self)

    def __getitem__(self, key: Any) -> TensorLike:
        from refnet import ops

        return ops.get_item(self, key)

    def __setitem__(self, key: Any, value: Any) -> None:
        raise UsageError(
            f"a tensor (shape {self.shape}) cannot be written to. Make a new one: ops.where(mask, value, x), "
            "ops.slice_update(x, start, values) or ops.scatter_update(x, indices, values); a variable takes it by assign."
        )

    __add__, __radd__ = _operator("add"), _operator("add", swapped=True)
    __sub__, __rsub__ = _operator("subtract"), _operator("subtract", swapped=True)
    __mul__, __rmul__ = _operator("multiply"), _operator("multiply", swapped=True)
    __truediv__, __rtruediv__ = _operator("true_divide"), _operator("true_divide", swapped=True)
    __floordiv__, __rfloordiv__ = _operator("floor_divide"), _operator("floor_divide", swapped=True)
    __mod__, __rmod__ = _operator("mod"), _operator("mod", swapped=True)
    __pow__, __rpow__ = _operator("power"), _operator("power", swapped=True)
    __matmul__, __rmatmul__ = _operator("matmul"), _operator("matmul", swapped=True)
    __and__, __rand__ = _operator("logical_and"), _operator("logical_and", swapped=True)  # of truth values, as in Keras
    __or__, __ror__ = _operator("logical_or"), _operator("logical_or", swapped=True)
    __xor__, __rxor__ = _operator("logical_xor"), _operator("logical_xor", swapped=True)
    __lt__ = _operator("less")
    __le__ = _operator("less_equal")
    __gt__ = _operator("greater")
    __ge__ = _operator("greater_equal")


def handed_out(value: Array, dtype: DTypeLike | None, copy: bool | None) -> Array:
    """What `__array__` gives: a copy of the caller's own, or, for copy=False, the value. Raises ValueError if that needs another dtype."""
    if copy is not False:
        return np.array(value, dtype)
    if dtype is not None and np.dtype(dtype) != value.dtype:
        raise ValueError(f"a value of dtype {value.dtype} cannot be given as {np.dtype(dtype)} without a copy")
    return value


class Constant(Tensor):
    """A value known when the graph is built."""

    def __init__(self, value: TensorLike, dtype: DTypeLike | None = None):
        value = as_array(value)
        dtype = dtypes.standardize(dtype if dtype is not None else value.dtype)
        self.value = value.astype(dtypes.as_numpy(dtype))
        super().__init__(self.value.shape, dtype)


KerasTensor = Tensor  # Keras's name


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
    Raises:
        ShapeError: a value of another shape; an initializer without a shape.
    Source: Keras 3 `Variable`.

    >>> count = Variable(np.zeros(2), name="count")
    >>> count.assign([1.0, 2.0]).value
    array([1., 2.], dtype=float32)
    >>> np.asarray(2 * count + 1)
    array([3., 5.], dtype=float32)
    """

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
        self.residence: Residence | None = None

    @property
    def dtype(self) -> str:
        """The dtype that it is read in: its own, or, where a layer with a mixed policy reads its weights, the layer's."""
        casts = trace.autocast is not None and self.autocast and dtypes.is_floating(self.stored_dtype)
        return trace.autocast or self.stored_dtype if casts else self.stored_dtype

    @dtype.setter
    def dtype(self, name: str) -> None:
        self.stored_dtype = name

    @property
    def path(self) -> str:
        """The layer's name and the variable's: the same as `name`, which in Keras 3 is the last part alone."""
        return self.name

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

    def __float__(self) -> float:
        return float(self.value)

    def __int__(self) -> int:
        return int(self.value)

    def place(self, array: Array) -> None:
        """Moves the value into `array`: an engine lays variables side by side."""
        self.come_home()
        array[...] = self.array
        self.array = array
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
        if trace.call is None and not trace.collecting:
            if isinstance(value, Tensor) and value._has_value():
                value = np.asarray(value)
            if not isinstance(value, Tensor):
                self.set(self._spread(as_array(value, f"the value of {self.name}")))
                return self
        return self._record(value)

    def _spread(self, value: Array) -> Array:
        """A value repeated to the variable's shape, where it is a number or has axes of 1."""
        try:
            return np.broadcast_to(value, self.shape)
        except ValueError:
            raise ShapeError(
                f"{self.name} has shape {self.shape}; cannot be assigned a value of shape {value.shape}."
            ) from None

    def _record(self, value: TensorLike) -> "Assignment":
        value = value if isinstance(value, Tensor) else Constant(value, self.stored_dtype)
        if value.dtype != self.stored_dtype:
            from refnet import ops

            value = ops.cast(value, self.stored_dtype)
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
        return isinstance(value, Tensor) or trace.call is not None or trace.collecting


class Assignment:
    """A record: when its program has run, `variable` takes `value`, if the guard's conditions hold in the program's mode."""

    def __init__(self, variable: Variable, value: Tensor, guard: Guard, number: int):
        self.variable, self.value, self.guard, self.number = variable, value, guard, number


def assignment(variable: Variable, value: Tensor) -> Assignment:
    """The record of an assignment, for a program: what `variable.assign` gives inside a call."""
    return variable._record(value)
