"""Joining and splitting: several arrays become one, and one becomes several."""

import sys
from typing import Any

import numpy as np

from refnet.annotations import Array, Shape, Tasks, TensorLike
from refnet.definition import Form, Op, Spec, View, size_of
from refnet.errors import ArgumentError, ShapeError
from refnet.graph import Node, Tensor
from refnet.ops.arguments import MOST_PARTS, checked_axis, converted, entries, integer, promoted, shape_of
from refnet.ops.shapes import expand_dims, reshape, shape
from refnet.ops.slicing import get_item


def concatenate(xs: Any, axis: int = 0) -> TensorLike:
    """Arrays one after the other along an axis.

        y[o, start_k + j, i] = x_k[o, j, i]   where start_k = n_0 + ... + n_(k-1)

    Args:
        xs: a list or tuple of arrays or tensors, at least one, equal in every axis but `axis`.
        axis: the axis along which they follow each other; negative counts from the last.
    Returns:
        The promoted dtype; the axis as long as all of theirs together.
    NaN: copied. Empty: empty parts add nothing.
    Raises:
        ArgumentError: no array, or an axis they do not have.  ShapeError: other axes differ.
    Source: Keras 3 `ops.concatenate`.

    >>> concatenate([[[1], [2]], [[3], [4]]], axis=1)
    array([[1, 3],
           [2, 4]])
    """
    xs = entries("concatenate", xs, "xs")
    if not len(xs):
        raise ArgumentError("concatenate needs at least one array; got an empty list.")
    parts = promoted("concatenate", *xs)
    return concatenate_op(*parts, axis=checked_axis("concatenate", axis, len(shape_of(parts[0]))))


def concatenate_rule(*xs: Spec, axis: int) -> Spec:
    shape = list(xs[0].shape)
    for x in xs[1:]:
        agree = len(x.shape) == len(shape) and all(
            i == axis or a == b or None in (a, b) for i, (a, b) in enumerate(zip(shape, x.shape))
        )
        if not agree:
            shapes = ", ".join(str(tuple(part.shape)) for part in xs)
            raise ShapeError(f"concatenate needs shapes that are equal in every axis but axis {axis}; got {shapes}.")
        shape = [b if a is None else a for a, b in zip(shape, x.shape)]
    lengths = [x.shape[axis] for x in xs]
    shape[axis] = None if None in lengths else sum(lengths)
    return Spec(tuple(shape), xs[0].dtype)


def concatenate_form(*xs: Spec, axis: int) -> Form:
    """(outer, length, inner) each; a task copies what one place of the axis holds, inner elements."""
    y = concatenate_rule(*xs, axis=axis)
    views = [_around(x.shape, axis) for x in (*xs, y)]
    return Form(tuple(views[:-1]), (), (views[-1],), views[-1].shape[:2], cost=views[-1].shape[2])


def _around(shape: Shape, axis: int) -> View:
    return View((size_of(shape[:axis]), shape[axis], size_of(shape[axis + 1 :])))


def concatenate_loop(tasks: Tasks, parts: tuple[Array, ...], y: Array) -> None:
    for o, place in tasks:
        k, j = 0, place
        while j >= parts[k].shape[1]:
            j -= parts[k].shape[1]
            k += 1
        for i in range(y.shape[2]):
            y[o, place, i] = parts[k][o, j, i]


def concatenate_gradient(node: Node, dy: Tensor) -> list[TensorLike]:
    """Each part gets its slice of dy."""
    axis, result = node.attributes["axis"], []
    start: int | None = 0
    for k, x in enumerate(node.inputs):
        length = x.shape[axis]
        if start is None or length is None:
            start = None
            result.append(part_op(dy, *node.inputs[: k + 1], axis=axis))
        else:
            result.append(_stretch(dy, axis, start, length))
            start += length
    return result


def _stretch(y: TensorLike, axis: int, start: int, length: int) -> TensorLike:
    return get_item(y, (*[slice(None)] * axis, slice(start, start + length)))


def part_expanded(y: TensorLike, *xs: TensorLike, axis: int) -> TensorLike:
    lengths = [shape_of(x)[axis] for x in xs]
    return _stretch(y, axis, sum(lengths[:-1]), lengths[-1])


def part_gradient(node: Node, d: Tensor) -> list[TensorLike]:
    """d goes back to where the part lay; before and after it there are zeros."""
    return [part_y_gradient_op(d, *node.inputs, axis=node.attributes["axis"]), *[None] * (len(node.inputs) - 1)]


def part_y_gradient_expanded(d: TensorLike, y: TensorLike, *xs: TensorLike, axis: int) -> TensorLike:
    from refnet.ops.slicing import slice_inputs_gradient

    start = sum(shape_of(x)[axis] for x in xs[:-1])
    starts = tuple(start if i == axis else 0 for i in range(len(shape_of(y))))
    return slice_inputs_gradient(d, y, starts, (1,) * len(starts))


# The part of y, a concatenation of xs and perhaps more, that came from the last of xs: for lengths that are not known yet.
part_op = Op(
    "concatenate_part",
    lambda y, *xs, axis: Spec(xs[-1].shape, y.dtype),
    expand=part_expanded,
    gradient=part_gradient,
    shape_only=range(1, sys.maxsize),
)
part_y_gradient_op = Op(
    "concatenate_part_y_gradient",
    lambda d, y, *xs, axis: Spec(y.shape, d.dtype),
    expand=part_y_gradient_expanded,
    gradient=lambda node, d: (
        [part_op(d, *node.inputs[2:], axis=node.attributes["axis"])] + [None] * (len(node.inputs) - 1)
    ),
    shape_only=range(1, sys.maxsize),
)

concatenate_op = Op(
    "concatenate",
    concatenate_rule,
    loop=concatenate_loop,
    form=concatenate_form,
    gradient=concatenate_gradient,
    variadic=True,
)


def stack(x: Any, axis: int = 0) -> TensorLike:
    """Arrays of one shape side by side along a new axis.

        y[k, i] = x_k[i]   for axis = 0

    Args:
        x: a list or tuple of arrays or tensors of one shape, at least one.
        axis: where the new axis stands in the result; negative counts from the last.
    Returns:
        The promoted dtype, rank grown by one.
    NaN: copied. Empty: empty parts give an empty result.
    Raises:
        ArgumentError: no array, or an axis outside the result.  ShapeError: shapes that differ.
    Source: Keras 3 `ops.stack`.

    >>> stack([[1, 2], [3, 4]], axis=-1)
    array([[1, 3],
           [2, 4]])
    """
    x = entries("stack", x, "x")
    if not len(x):
        raise ArgumentError("stack needs at least one array; got an empty list.")
    parts = promoted("stack", *x)
    first = shape_of(parts[0])
    for part in parts:
        same = len(shape_of(part)) == len(first) and all(
            a == b or None in (a, b) for a, b in zip(first, shape_of(part))
        )
        if not same:
            raise ShapeError(f"stack needs arrays of one shape; got {', '.join(str(shape_of(p)) for p in parts)}.")
    axis = checked_axis("stack", axis, len(first) + 1)
    return concatenate_op(*[expand_dims(part, axis) for part in parts], axis=axis)


# ---- one array becomes several


def split(x: TensorLike, indices_or_sections: Any, axis: int = 0) -> list[TensorLike]:
    """x cut into parts along an axis.

        y_k[i] = x[cut_k + i]   for i < cut_(k+1) - cut_k

    Args:
        x: an array or tensor of any dtype.
        indices_or_sections: the number of equal parts, or the list of places to cut at.
        axis: the axis to cut; negative counts from the last.
    Returns:
        A list of arrays or tensors of x's dtype.
    NaN: copied. Empty: parts may be empty.
    Raises:
        ShapeError: an axis that does not divide into that many equal parts.  ArgumentError: less than one part.
    Source: Keras 3 `ops.split`.

    >>> split([1, 2, 3, 4], 2)
    [array([1, 2]), array([3, 4])]
    >>> split([1, 2, 3, 4], [1, 3])
    [array([1]), array([2, 3]), array([4])]
    """
    x = converted("split", x)
    axis = checked_axis("split", axis, len(shape_of(x)))
    before = [slice(None)] * axis
    at_once = isinstance(indices_or_sections, np.ndarray) and not indices_or_sections.ndim
    if isinstance(indices_or_sections, (list, tuple, np.ndarray)) and not at_once:
        cuts = [0, *(integer("split", i, "indices_or_sections") for i in indices_or_sections), None]
        return [get_item(x, (*before, slice(low, high))) for low, high in zip(cuts, cuts[1:])]
    sections, length = integer("split", indices_or_sections, "indices_or_sections"), shape_of(x)[axis]
    if not 1 <= sections <= MOST_PARTS:
        raise ArgumentError(f"split makes 1 to {MOST_PARTS} parts; got {sections}.")
    if length is None:  # rows of equal parts: planning checks that the length divides
        dims = shape(x)
        parts = reshape(x, (*dims[:axis], sections, -1, *dims[axis + 1 :]))
        return [get_item(parts, (*before, k)) for k in range(sections)]
    if length % sections:
        raise ShapeError(
            f"split: axis {axis} of shape {tuple(shape_of(x))} does not divide into {sections} equal parts."
        )
    size = length // sections
    return [get_item(x, (*before, slice(k * size, (k + 1) * size))) for k in range(sections)]
