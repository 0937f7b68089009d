"""Layers that take several inputs to one, and the same as functions."""

from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np

from refnet import ops
from refnet.definition import broadcast_shapes
from refnet.errors import ArgumentError, ShapeError
from refnet.layers.base import Layer
from refnet.layers.checks import behind_the_batch
from refnet.layers.masks import mask_of, spread
from refnet.layers.normalization import LEAST_LENGTH


class Merge(Layer):
    """Base of layers called on a list of tensors. A subclass writes `merge`.

    Inputs of fewer axes get axes of length 1 behind the batch axis. A step of the result holds something where a step of any
    input does, if all of them carry masks.
    """

    def call(self, inputs: Any) -> Any:
        inputs = self.several(inputs)
        rank = max(len(x.shape) for x in inputs)
        alike = []
        for x in inputs:
            for _ in range(rank - len(x.shape)):
                x = ops.expand_dims(x, 1)
            alike.append(x)
        shape = alike[0].shape
        for x in alike[1:]:
            shape = broadcast_shapes(self.name, shape, x.shape)
        return self.merge(alike)

    def several(self, inputs: Any) -> list[Any]:
        """The inputs as a list. Raises unless they are one, with the same batch."""
        if not isinstance(inputs, (list, tuple)) or not inputs:
            raise ArgumentError(f"{self.name} is called on a list of tensors; got {inputs!r}.")
        batches = {x.shape[0] for x in inputs if len(x.shape)} - {None}
        if len(batches) > 1:
            shapes = ", ".join(str(x.shape) for x in inputs)
            raise ShapeError(f"{self.name} needs inputs with the same number of samples; got shapes {shapes}.")
        return list(inputs)

    def merge(self, inputs: list[Any]) -> Any:
        """The result, from inputs of one rank."""
        raise NotImplementedError(f"{type(self).__name__} has no `merge`")

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        masks = self.masks_for(inputs, mask)
        return None if any(m is None for m in masks) else reduce(ops.logical_or, masks)

    def masks_for(self, inputs: Any, mask: Any) -> list[Any]:
        """A mask, or None, for each input. Raises unless there are as many."""
        masks = [None] * len(inputs) if mask is None else mask
        if not isinstance(masks, (list, tuple)) or len(masks) != len(inputs):
            raise ArgumentError(f"{self.name} takes a list of {len(inputs)} masks, one for each input; got {mask!r}.")
        return list(masks)


def _spread_mask(x: Any) -> Any:
    """The mask that an input carries, with axes of length 1 behind its own; None if it carries none."""
    mask = mask_of(x)
    return None if mask is None else spread(mask, x)


def _among_held(function: Callable[[Any, Any], Any], inputs: list[Any]) -> Any:
    """The inputs folded, where an input's mask leaves a step out without it; where all do, one of them."""
    result, held = inputs[0], _spread_mask(inputs[0])
    for x in inputs[1:]:
        mask = _spread_mask(x)
        x = x if mask is None else ops.where(mask, x, result)
        result = function(result if held is None else ops.where(held, result, x), x)
        held = None if mask is None or held is None else ops.logical_or(held, mask)
    return result


class Add(Merge):
    """The sum of the inputs.

    >>> Add()([np.array([[1.0, 2.0]]), np.array([[10.0, 20.0]])])
    array([[11., 22.]], dtype=float32)
    """

    def merge(self, inputs: list[Any]) -> Any:
        return reduce(ops.add, inputs)


class Subtract(Merge):
    """The first input minus the second.

    >>> Subtract()([np.array([[1.0, 2.0]]), np.array([[10.0, 20.0]])])
    array([[ -9., -18.]], dtype=float32)
    """

    def merge(self, inputs: list[Any]) -> Any:
        if len(inputs) != 2:
            raise ArgumentError(f"{self.name} is called on exactly 2 tensors; got {len(inputs)}.")
        return ops.subtract(*inputs)


class Multiply(Merge):
    """The product of the inputs, element by element. A step that an input's mask leaves out counts as 1 there.

    Where all inputs leave a step out, the result is 0.

    >>> Multiply()([np.array([[1.0, 2.0]]), np.array([[10.0, 20.0]])])
    array([[10., 40.]], dtype=float32)
    """

    def merge(self, inputs: list[Any]) -> Any:
        held = [_spread_mask(x) for x in inputs]
        product = reduce(ops.multiply, [x if m is None else ops.where(m, x, 1) for x, m in zip(inputs, held)])
        return product if any(m is None for m in held) else ops.where(reduce(ops.logical_or, held), product, 0)


class Average(Merge):
    """The mean of the inputs.

    >>> Average()([np.array([[1.0, 2.0]]), np.array([[10.0, 20.0]])])
    array([[ 5.5, 11. ]], dtype=float32)
    """

    def merge(self, inputs: list[Any]) -> Any:
        return ops.divide(reduce(ops.add, inputs), len(inputs))


class Maximum(Merge):
    """The largest of the inputs, element by element, among those whose masks do not leave the step out.

    >>> Maximum()([np.array([[1.0, 20.0]]), np.array([[10.0, 2.0]])])
    array([[10., 20.]], dtype=float32)
    """

    def merge(self, inputs: list[Any]) -> Any:
        return _among_held(ops.maximum, inputs)


class Minimum(Merge):
    """The smallest of the inputs, element by element, among those whose masks do not leave the step out.

    >>> Minimum()([np.array([[1.0, 20.0]]), np.array([[10.0, 2.0]])])
    array([[1., 2.]], dtype=float32)
    """

    def merge(self, inputs: list[Any]) -> Any:
        return _among_held(ops.minimum, inputs)


class Concatenate(Merge):
    """The inputs one after the other.

    Args:
        axis: along which.
    Raises:
        ShapeError: the other axes differ.

    >>> Concatenate()([np.array([[1.0, 2.0]]), np.array([[3.0]])])
    array([[1., 2., 3.]], dtype=float32)
    """

    def __init__(self, axis: int = -1, **more: Any):
        super().__init__(**more)
        if isinstance(axis, bool) or not isinstance(axis, int):
            raise ArgumentError(f"{self.name}: axis must be an integer; got {axis!r}.")
        self.axis = axis

    def samples_apart(self, rank: int | None) -> bool:
        return behind_the_batch(self.axis, rank)

    def call(self, inputs: Any) -> Any:
        if not isinstance(inputs, (list, tuple)) or not inputs:
            raise ArgumentError(f"{self.name} is called on a list of tensors; got {inputs!r}.")
        shapes = [x.shape for x in inputs]
        rank = len(shapes[0])
        for shape in shapes[1:]:
            differ = len(shape) != rank or any(
                None not in (a, b) and a != b and i != self.axis % rank
                for i, (a, b) in enumerate(zip(shapes[0], shape))
            )
            if differ:
                listed = ", ".join(map(str, shapes))
                raise ShapeError(f"{self.name} needs equal shapes but for axis {self.axis}; got {listed}.")
        return ops.concatenate(list(inputs), self.axis)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """True where any element of a step comes from an input whose mask is True there, or that has none."""
        masks = self.masks_for(inputs, mask)
        if all(m is None for m in masks):
            return None
        whole = []
        for x, m in zip(inputs, masks):
            if m is not None and len(m.shape) < len(x.shape):
                m = ops.logical_or(ops.expand_dims(m, -1), ops.zeros_like(x, dtype="bool"))
            whole.append(ops.ones_like(x, dtype="bool") if m is None else m)
        return ops.any(ops.concatenate(whole, self.axis), axis=-1)


class Dot(Merge):
    """The product of two inputs, summed over an axis of each, sample by sample.

        y[n, i, j] = sum over k of  x1[n, i, k] * x2[n, j, k]     for axes = (2, 2)

    Args:
        axes: the axis of both, or one of each. The batch axis cannot be summed over.
        normalize: whether the inputs are first brought to length 1 along the axes: the result is the cosine.
    Raises:
        ShapeError: the axes have different lengths.

    >>> Dot(axes=1)([np.array([[1.0, 2.0]]), np.array([[10.0, 20.0]])])
    array([[50.]], dtype=float32)
    """

    def __init__(self, axes: Any, normalize: bool = False, **more: Any):
        super().__init__(**more)
        if isinstance(axes, (list, tuple)) and len(axes) != 2:
            raise ArgumentError(f"{self.name}: axes is an integer or a pair of them; got {axes!r}.")
        both = axes if isinstance(axes, (list, tuple)) else (axes, axes)
        if any(isinstance(axis, bool) or not isinstance(axis, (int, np.integer)) for axis in both):
            raise ArgumentError(f"{self.name}: axes is an integer or a pair of them; got {axes!r}.")
        self.axes, self.normalize = axes, normalize
        self.pair = (int(both[0]), int(both[1]))

    def call(self, inputs: Any) -> Any:
        inputs = self.several(inputs)
        if len(inputs) != 2:
            raise ArgumentError(f"{self.name} is called on exactly 2 tensors; got {len(inputs)}.")
        axes = summed_axes(self.name, inputs, self.pair)
        if self.normalize:
            inputs = [ops.normalize(x, axis, epsilon=LEAST_LENGTH) for x, axis in zip(inputs, axes)]
        return batch_dot(*inputs, *axes)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return None


def summed_axes(name: str, inputs: Any, pair: tuple[int, int]) -> list[int]:
    """The axes of a pair of inputs that are summed over, counted from the front.

    Raises:
        ShapeError: an axis that is not one of a sample's; different lengths.
    """
    axes, shapes = [], [tuple(x.shape) for x in inputs]
    for shape, axis in zip(shapes, pair):
        rank = len(shape)
        if rank < 2 or not -rank <= axis < rank or axis % rank == 0:
            raise ShapeError(f"{name} sums over axis {axis} of a sample; got inputs of shape {shape}.")
        axes.append(axis % rank)
    a, b = (shape[axis] for shape, axis in zip(shapes, axes))
    if None not in (a, b) and a != b:
        raise ShapeError(
            f"{name}: axis {axes[0]} of {shapes[0]} and axis {axes[1]} of {shapes[1]} differ: {a} and {b}."
        )
    return axes


def batch_dot(x: Any, y: Any, axis_x: int, axis_y: int) -> Any:
    """Sample by sample the sum of products over an axis of each; (batch, 1) where no other axis is left."""
    x, y = ops.moveaxis(x, axis_x, -1), ops.moveaxis(y, axis_y, 1)
    batch, *rows, inner = ops.shape(x)
    columns = ops.shape(y)[2:]
    a = ops.reshape(x, (batch, -1 if rows else 1, inner))
    b = ops.reshape(y, (*ops.shape(y)[:2], -1 if columns else 1))
    return ops.reshape(ops.matmul(a, b), (batch, *rows, *columns) if rows or columns else (batch, 1))


# ---- as functions


def add(inputs: Any, **more: Any) -> Any:
    """`Add(**more)(inputs)`."""
    return Add(**more)(inputs)


def subtract(inputs: Any, **more: Any) -> Any:
    """`Subtract(**more)(inputs)`."""
    return Subtract(**more)(inputs)


def multiply(inputs: Any, **more: Any) -> Any:
    """`Multiply(**more)(inputs)`."""
    return Multiply(**more)(inputs)


def average(inputs: Any, **more: Any) -> Any:
    """`Average(**more)(inputs)`."""
    return Average(**more)(inputs)


def maximum(inputs: Any, **more: Any) -> Any:
    """`Maximum(**more)(inputs)`."""
    return Maximum(**more)(inputs)


def minimum(inputs: Any, **more: Any) -> Any:
    """`Minimum(**more)(inputs)`."""
    return Minimum(**more)(inputs)


def concatenate(inputs: Any, axis: int = -1, **more: Any) -> Any:
    """`Concatenate(axis, **more)(inputs)`."""
    return Concatenate(axis, **more)(inputs)


def dot(inputs: Any, axes: Any = -1, **more: Any) -> Any:
    """`Dot(axes, **more)(inputs)`."""
    return Dot(axes, **more)(inputs)
