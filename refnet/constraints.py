"""Constraints: what a weight is brought back to after each update."""

from typing import Any

import numpy as np

from refnet import ops, settings
from refnet.annotations import TensorLike
from refnet.errors import ArgumentError
from refnet.naming import resolved, snake_case


class Constraint:
    """A function from an updated weight to the one that is kept; a subclass writes `__call__` and `get_config`.

    Source: Keras 3 `constraints.Constraint`.

    >>> class Rounded(Constraint):
    ...     def __call__(self, w):
    ...         return ops.round(w)
    >>> Rounded()(np.array([0.4, 0.6]))
    array([0., 1.])
    """

    def __call__(self, w: TensorLike) -> TensorLike:
        return w

    def get_config(self) -> dict[str, Any]:
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Constraint":
        return cls(**config)


def _number(kind: str, word: str, value: Any) -> float:
    """A number of at least 0."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not value >= 0:
        raise ArgumentError(f"{kind}: {word} must be a number of at least 0; got {value!r}.")
    return value if isinstance(value, int) else float(value)


def _axes(kind: str, axis: Any) -> Any:
    """An axis, or several in a list."""
    entries = axis if isinstance(axis, (list, tuple)) else [axis]
    if axis is not None and any(isinstance(a, bool) or not isinstance(a, (int, np.integer)) for a in entries):
        raise ArgumentError(f"{kind}: axis is an integer or a list of integers; got {axis!r}.")
    return list(axis) if isinstance(axis, (list, tuple)) else axis


def _norms(w: TensorLike, axis: Any) -> TensorLike:
    """The Euclidean length of w along axes, which stay with length 1."""
    axis = tuple(axis) if isinstance(axis, list) else axis
    return ops.sqrt(ops.sum(ops.square(w), axis, keepdims=True))


class MaxNorm(Constraint):
    """Weights whose norm is larger are scaled down to it.

        w * min(norm, max_value) / (norm + epsilon),   norm = sqrt(sum over the axis of  w^2)

    Args:
        max_value: the largest norm.
        axis: along which a norm is taken, or several: 0 for each unit's weights of a Dense kernel, [0, 1, 2] for each filter
            of a Conv2D kernel.
    Source: Srebro and Shraibman 2005; Keras 3 `constraints.MaxNorm`.

    >>> MaxNorm(1)(np.array([[3.0, 0.3], [4.0, 0.4]])).round(3)
    array([[0.6, 0.3],
           [0.8, 0.4]])
    """

    def __init__(self, max_value: float = 2, axis: Any = 0):
        self.max_value, self.axis = _number("MaxNorm", "max_value", max_value), _axes("MaxNorm", axis)

    def __call__(self, w: TensorLike) -> TensorLike:
        norms = _norms(w, self.axis)
        return ops.multiply(w, ops.divide(ops.minimum(norms, self.max_value), ops.add(norms, settings.epsilon())))

    def get_config(self) -> dict[str, Any]:
        return {"max_value": self.max_value, "axis": self.axis}


class NonNeg(Constraint):
    """Negative weights become 0.

    Source: Keras 3 `constraints.NonNeg`.

    >>> NonNeg()(np.array([-1.0, 2.0]))
    array([0., 2.])
    """

    def __call__(self, w: TensorLike) -> TensorLike:
        return ops.maximum(w, 0)


class UnitNorm(Constraint):
    """Weights are scaled to norm 1.

        w / (norm + epsilon),   norm = sqrt(sum over the axis of  w^2)

    Args:
        axis: as in MaxNorm.
    Source: Keras 3 `constraints.UnitNorm`.

    >>> UnitNorm()(np.array([[3.0], [4.0]])).round(3)
    array([[0.6],
           [0.8]])
    """

    def __init__(self, axis: Any = 0):
        self.axis = _axes("UnitNorm", axis)

    def __call__(self, w: TensorLike) -> TensorLike:
        return ops.divide(w, ops.add(_norms(w, self.axis), settings.epsilon()))

    def get_config(self) -> dict[str, Any]:
        return {"axis": self.axis}


class MinMaxNorm(Constraint):
    """Weights are scaled, or moved by a share of the way, to a norm between two bounds.

        w * (rate * min(max(norm, min_value), max_value) + (1 - rate) * norm) / (norm + epsilon)

    Args:
        min_value, max_value: the bounds.
        rate: the share of the way that a step goes, 0 to 1.
        axis: as in MaxNorm.
    Source: Keras 3 `constraints.MinMaxNorm`.

    >>> MinMaxNorm(min_value=2.0, max_value=2.5, rate=0.5)(np.array([[0.6, 3.0], [0.8, 4.0]])).round(3)
    array([[0.9 , 2.25],
           [1.2 , 3.  ]])
    """

    def __init__(self, min_value: float = 0.0, max_value: float = 1.0, rate: float = 1.0, axis: Any = 0):
        self.min_value = _number("MinMaxNorm", "min_value", min_value)
        self.max_value = _number("MinMaxNorm", "max_value", max_value)
        self.rate, self.axis = _number("MinMaxNorm", "rate", rate), _axes("MinMaxNorm", axis)
        if self.rate > 1:
            raise ArgumentError(f"MinMaxNorm: rate must be a number from 0 to 1; got {rate!r}.")
        if self.min_value > self.max_value:
            raise ArgumentError(
                f"MinMaxNorm: min_value must not be above max_value; got {min_value!r} and {max_value!r}."
            )

    def __call__(self, w: TensorLike) -> TensorLike:
        norms = _norms(w, self.axis)
        bounded = ops.multiply(ops.clip(norms, self.min_value, self.max_value), self.rate)
        wanted = ops.add(bounded, ops.multiply(norms, 1 - self.rate))
        return ops.multiply(w, ops.divide(wanted, ops.add(norms, settings.epsilon())))

    def get_config(self) -> dict[str, Any]:
        return {"min_value": self.min_value, "max_value": self.max_value, "rate": self.rate, "axis": self.axis}


max_norm, non_neg, unit_norm, min_max_norm = MaxNorm, NonNeg, UnitNorm, MinMaxNorm
maxnorm, nonneg, unitnorm = MaxNorm, NonNeg, UnitNorm  # as Keras 1 spelled them

_CLASSES = (Constraint, MaxNorm, NonNeg, UnitNorm, MinMaxNorm)
known: dict[str, Any] = {c.__name__: c for c in _CLASSES} | {snake_case(c.__name__): c for c in _CLASSES}


def get(identifier: Any) -> Any:
    """A constraint by name, config, as a class or as itself (a function too); None stays None.

    Raises:
        ArgumentError: an unknown name, with the near ones; what is no function.

    >>> get("max_norm").max_value
    2
    """
    constraint = resolved("constraint", identifier, known)
    if constraint is not None and not callable(constraint):
        raise ArgumentError(f"constraint: give a name, an object or a function; got {identifier!r}.")
    return constraint


def serialize(constraint: Any) -> Any:
    """A constraint's config, from which `deserialize` makes it again.

    >>> serialize(UnitNorm(axis=1))["config"]
    {'axis': 1}
    """
    from refnet.saving.serialization import serialized

    return serialized(constraint)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The constraint that a config (or a name) describes.

    Args:
        config: what `serialize` gave, or Keras's.
        custom_objects: {name: class or function}.
    Raises:
        ArgumentError: an unknown name.  FileError: a config that names an unknown class.

    >>> deserialize(serialize(UnitNorm(axis=1))).axis
    1
    """
    from refnet.registration import custom_object_scope

    with custom_object_scope(custom_objects):
        return get(config)
