"""Tensors: values that do not exist yet, and constants, which a graph holds."""

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike

from refnet import dtypes
from refnet.annotations import Array, Shape, TensorLike
from refnet.arrays import as_array
from refnet.comparing import Compared, asked_by_refnet, written_as_operator
from refnet.errors import NoValueError, UsageError, without_tape
from refnet.tracing import trace

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
    lasts = False  # whether it has a value outside of a program, as constants and variables do
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
        if self._has_value_now():
            return bool(self.__array__())
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
            from refnet.evaluating import evaluated

            return handed_out(np.asarray(evaluated(self)), dtype, copy)
        raise NoValueError(
            f"a symbolic tensor (shape {self.shape}) has no values yet. In a layer, a loss, a metric or a step, compute with "
            "refnet.ops, not with NumPy or another package; elsewhere a model's predict, or K.function, computes it."
        )

    def _has_value_now(self) -> bool:
        """Whether the tensor has a value, and nothing is traced that would take it for a constant."""
        return not trace.active and self._has_value()

    def _has_value(self) -> bool:
        """Whether the tensor is a variable or a constant, or was computed from such alone, outside of any call."""
        from refnet.graph import sorted_nodes

        if self.node is None:
            return self.lasts
        if trace.active:
            return False
        read = [x for node in sorted_nodes([self]) for x in node.inputs if x.node is None]
        return all(x.lasts for x in read)

    def __dlpack__(self, *, copy: bool | None = None, **more: Any) -> Any:
        """The value, where it has one, for `from_dlpack` of another package: a copy, unless copy=False.

        A copy, because not every package respects memory that is to be read only.
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
        written = (*more.get("out", ()), more.get("where"), method == "at")  # a copy of a value is not written to
        if not any(x is True or isinstance(x, Tensor) for x in written) and all(
            x._has_value_now() for x in inputs if isinstance(x, Tensor)
        ):
            return getattr(ufunc, method)(*(np.asarray(x) if isinstance(x, Tensor) else x for x in inputs), **more)
        name = ufunc.__name__
        if name in OPERATORS and more.get("out", [None])[0] is inputs[0] and written_as_operator(1):
            return getattr(ops, OPERATORS[name])(*inputs)  # `array += tensor`: the name is a tensor's from here on
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

    lasts = True

    def __init__(self, value: TensorLike, dtype: DTypeLike | None = None):
        value = as_array(value)
        dtype = dtypes.standardize(dtype if dtype is not None else value.dtype)
        self.value = value.astype(dtypes.as_numpy(dtype))
        super().__init__(self.value.shape, dtype)


KerasTensor = Tensor  # Keras's name
