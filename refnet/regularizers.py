"""Penalties on weights and outputs, added to the loss."""

from typing import Any

from refnet import ops
from refnet.annotations import TensorLike
from refnet.errors import ArgumentError, ShapeError
from refnet.naming import resolved
from refnet.old_names import serve
from refnet.ops.arguments import dtype_of, shape_of


class Regularizer:
    """A function of a tensor whose value is added to the loss; a subclass writes `__call__` and `get_config`.

    >>> class Largest(Regularizer):
    ...     def __call__(self, x):
    ...         return ops.max(ops.abs(x))
    >>> Largest()([1.0, -2.0])
    array(2., dtype=float32)
    """

    def __call__(self, x: TensorLike) -> TensorLike:
        return 0.0

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Regularizer":
        """A new regularizer from what get_config gave."""
        return cls(**config)


def _factor(kind: str, name: str, value: Any) -> float:
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float))
        and not hasattr(value, "__float__")
        or not 0 <= value < float("inf")
    ):
        raise ArgumentError(f"{kind}: {name} must be a number of at least 0; got {value!r}.")
    return float(value)


class L1L2(Regularizer):
    """l1 * sum |x| + l2 * sum x^2.

    >>> L1L2(0.5, 0.5)([[1.0, -2.0]])
    array(4., dtype=float32)
    """

    def __init__(self, l1: float = 0.0, l2: float = 0.0):
        self.l1, self.l2 = _factor("L1L2", "l1", l1 or 0.0), _factor("L1L2", "l2", l2 or 0.0)

    def __call__(self, x: TensorLike) -> TensorLike:
        terms = []
        if self.l1:
            terms.append(ops.multiply(ops.sum(ops.abs(x)), self.l1))
        if self.l2:
            terms.append(ops.multiply(ops.sum(ops.square(x)), self.l2))
        if not terms:
            return 0.0
        return terms[0] if len(terms) == 1 else ops.add(*terms)

    def get_config(self) -> dict[str, Any]:
        return {"l1": self.l1, "l2": self.l2}


class L1(L1L2):
    """l1 * sum |x|.

    >>> L1(0.5)([[1.0, -2.0]])
    array(1.5, dtype=float32)
    """

    def __init__(self, l1: float = 0.01):
        super().__init__(l1=_factor("L1", "l1", 0.01 if l1 is None else l1))

    def get_config(self) -> dict[str, Any]:
        return {"l1": self.l1}


class L2(L1L2):
    """l2 * sum x^2.

    >>> L2(0.5)([[1.0, -2.0]])
    array(2.5, dtype=float32)
    """

    def __init__(self, l2: float = 0.01):
        super().__init__(l2=_factor("L2", "l2", 0.01 if l2 is None else l2))

    def get_config(self) -> dict[str, Any]:
        return {"l2": self.l2}


class OrthogonalRegularizer(Regularizer):
    """How far the rows (or columns) of a matrix are from being at right angles to each other.

        factor * the mean over pairs of |cosine of the angle between them|

    Args:
        factor: not below 0.
        mode: "rows" or "columns".
    Raises:
        ArgumentError: another mode.  ShapeError: what is no matrix.
    Source: Keras 3 `regularizers.OrthogonalRegularizer`.

    >>> import numpy as np
    >>> OrthogonalRegularizer(1.0)(np.array([[3.0, 4.0], [3.0, 4.0]], "float32"))
    array(1., dtype=float32)
    """

    def __init__(self, factor: float = 0.01, mode: str = "rows"):
        self.factor = _factor("OrthogonalRegularizer", "factor", factor)
        if mode not in ("rows", "columns"):
            raise ArgumentError(f"OrthogonalRegularizer: mode is 'rows' or 'columns'; got {mode!r}.")
        self.mode = mode

    def __call__(self, x: TensorLike) -> TensorLike:
        shape = shape_of(x)
        if len(shape) != 2:
            raise ShapeError(f"OrthogonalRegularizer takes a matrix; got shape {shape}.")
        rows = ops.normalize(x, axis=1) if self.mode == "rows" else ops.transpose(ops.normalize(x, axis=0))
        size = ops.shape(rows)[0]  # of an output's rows open until a batch comes
        places = ops.arange(size)
        others = ops.not_equal(ops.expand_dims(places, 1), places)
        cosines = ops.where(others, ops.abs(ops.matmul(rows, ops.transpose(rows))), 0.0)
        pairs = ops.maximum(ops.cast(size * (size - 1), dtype_of(x)), 1.0)  # each pair stands twice in the sum
        return ops.divide(ops.multiply(ops.sum(cosines), self.factor), pairs)

    def get_config(self) -> dict[str, Any]:
        return {"factor": self.factor, "mode": self.mode}


l1, l2, l1_l2, orthogonal_regularizer = L1, L2, L1L2, OrthogonalRegularizer


known: dict[str, Any] = {"l1": L1, "l2": L2, "l1_l2": L1L2, "L1": L1, "L2": L2, "L1L2": L1L2}
known |= {"l1l2": L1L2, "OrthogonalRegularizer": OrthogonalRegularizer, "orthogonal_regularizer": OrthogonalRegularizer}


def get(identifier: Any) -> Any:
    """A regularizer by name, config or as itself; None stays None.

    Raises:
        ArgumentError: an unknown name, with the near ones.
    """
    if isinstance(identifier, (int, float)) and not isinstance(identifier, bool):
        raise ArgumentError(
            f"regularizer: got the number {identifier!r}; say which one takes it, regularizers.L2({identifier!r})."
        )
    return resolved("regularizer", identifier, known)


def serialize(regularizer: Regularizer) -> Any:
    """A regularizer as a config."""
    from refnet.saving.serialization import serialized

    return serialized(regularizer)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """A regularizer from what `serialize` gave.

    Args:
        config: the config.
        custom_objects: {name: class or function} of the user's.

    >>> deserialize(serialize(L1(0.5))).get_config()
    {'l1': 0.5}
    """
    from refnet.registration import custom_object_scope

    with custom_object_scope(custom_objects):
        return get(config)


serve(__name__)
