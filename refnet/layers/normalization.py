"""Normalization."""

from typing import Any

from refnet import ops
from refnet.errors import ArgumentError
from refnet.layers.base import Layer


class UnitNormalization(Layer):
    """Each sample brought to length 1 along an axis.

        y = x / sqrt(sum over the axis of x^2)

    A sample of zeros stays.

    Args:
        axis: an axis, or several whose elements are taken together.
    """

    supports_masking = True

    def __init__(self, axis: Any = -1, **more: Any):
        super().__init__(**more)
        entries = axis if isinstance(axis, (list, tuple)) else [axis]
        if any(isinstance(a, bool) or not isinstance(a, int) for a in entries):
            raise ArgumentError(f"{self.name}: axis is an integer or a list of integers; got {axis!r}.")
        self.axis, self.built = axis, True

    def call(self, inputs: Any) -> Any:
        return unit(inputs, tuple(self.axis) if isinstance(self.axis, list) else self.axis)


def unit(x: Any, axis: Any) -> Any:
    """x divided by its Euclidean length along an axis; lengths below 1e-12 count as 1e-12."""
    squares = ops.sum(ops.square(x), axis, keepdims=True)
    return ops.multiply(x, ops.rsqrt(ops.maximum(squares, 1e-24)))
