"""Products summed over any axes, named by letters: einsum, and what is written with it."""

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from refnet import ops
from refnet.annotations import Array, TensorLike
from refnet.errors import ArgumentError, ShapeError
from refnet.ops.arguments import checked_axis, promoted, shape_of
from refnet.ops.contraction import matmul_op, summable
from refnet.ops.reduction import reduce, sum_op

# a name for each axis of an operand: a letter, or a number for an axis within an ellipsis
Labels = tuple[Hashable, ...]

# ---- by letters


def einsum(subscripts: str, *operands: TensorLike, optimize: Any = None) -> Array:
    """Products of elements summed over axes: Einstein's convention.

        einsum("ij,jk->ik", a, b)[i, k] = sum over j of  a[i, j] * b[j, k]

    The letters before the arrow name the axes of each operand, those after it the axes of the result; what is missing there is
    summed over. A letter twice in one operand takes its diagonal. "..." stands for any number of axes, which broadcast.
    Without an arrow the result has the axes of "...", then the letters that occur once, in alphabetical order.

    Args:
        subscripts: letters, commas, at most one "->" and one "..." for each operand and the result; spaces count for nothing.
        operands: arrays or tensors, one for each part before the arrow; more than two are multiplied from left to right.
        optimize: accepted, and changes nothing.
    Returns:
        The named axes, in the promoted dtype; int8 alone gives int32. Axes of one name must be equal, or 1; one whose length
        is open is taken to be as long as its namesakes.
    NaN: wherever it takes part; so 0 * inf. Empty: a sum over nothing is 0.
    Raises:
        ArgumentError: subscripts that make no sense, or that do not fit the operands.  ShapeError: unequal axes of one name.
    Source: Einstein 1916; Keras 3 `ops.einsum`.

    >>> einsum("ij,jk->ik", [[1.0, 2.0]], [[3.0], [4.0]])
    array([[11.]], dtype=float32)
    >>> einsum("ii", [[1.0, 2.0], [3.0, 4.0]])
    array(5., dtype=float32)
    """
    if not operands:
        raise ArgumentError(f"einsum needs at least one operand; got only subscripts {subscripts!r}.")
    given = list(summable(*promoted("einsum", *operands)))
    terms, out = parsed(subscripts, [len(shape_of(x)) for x in given])
    check_extents(subscripts, given, terms)
    x, labels = given[0], terms[0]
    for number, (other, other_labels) in enumerate(zip(given[1:], terms[1:]), start=2):
        needed = set(out).union(*terms[number:])
        kept = tuple(dict.fromkeys(k for k in (*labels, *other_labels) if k in needed))
        result = out if number == len(given) else kept
        x, labels = product(x, labels, other, other_labels, result), result
    return single(x, labels, out)


def parsed(subscripts: str, ranks: Sequence[int]) -> tuple[list[Labels], Labels]:
    """The labels of each operand and of the result. Raises ArgumentError, quoting the subscripts."""

    def refuse(why: str) -> ArgumentError:
        return ArgumentError(f"einsum: {why}; got {subscripts!r} for operands with {', '.join(map(str, ranks))} axes.")

    if not isinstance(subscripts, str):
        raise refuse("subscripts must be a text such as 'ij,jk->ik'")
    text = subscripts.replace(" ", "")
    left, arrow, right = text.partition("->")
    if "->" in right:
        raise refuse("subscripts have at most one '->'")
    parts = left.split(",")
    if len(parts) != len(ranks):
        raise refuse(f"subscripts name {len(parts)} operands, and {len(ranks)} are given")
    for part in (*parts, right):
        letters = part.replace("...", "", 1)
        if letters and not (letters.isascii() and letters.isalpha()):
            raise refuse(f"axes are named by letters and one '...', not by {part!r}")
    extra = [rank - len(part.replace("...", "")) for part, rank in zip(parts, ranks)]
    for part, more in zip(parts, extra):
        if more < 0 or (more > 0 and "..." not in part):
            raise refuse(f"{part!r} does not name as many axes as its operand has")
    terms = [labels_of(part, more) for part, more in zip(parts, extra)]
    dots = max((more for part, more in zip(parts, extra) if "..." in part), default=0)
    if not arrow:
        letters = left.replace(",", "").replace(".", "")
        once = "".join(sorted(k for k in letters if letters.count(k) == 1))
        return terms, labels_of("..." + once, dots)
    if dots and "..." not in right:
        raise refuse("the result needs '...' where an operand has it")
    out = labels_of(right, dots)
    if len(set(out)) != len(out):
        raise refuse(f"the result {right!r} names an axis twice")
    strangers = [k for k in out if not any(k in labels for labels in terms)]
    if strangers:
        raise refuse(f"the result names {strangers[0]!r}, which no operand has")
    return terms, out


def labels_of(part: str, dots: int) -> Labels:
    """One label for each axis; those within the ellipsis are numbered from its end, so that they broadcast."""
    before, _, after = part.partition("...")
    return (*before, *range(-dots, 0), *after) if "..." in part else tuple(part)


def check_extents(subscripts: str, xs: Sequence[TensorLike], terms: Sequence[Labels]) -> None:
    """Raises ShapeError unless axes of one name are equal, or 1, and equal within one operand."""
    known: dict[Hashable, int] = {}
    for x, labels in zip(xs, terms):
        own: dict[Hashable, int] = {}
        for label, extent in zip(labels, shape_of(x)):
            if extent is None:
                continue
            differs = own.setdefault(label, extent) != extent
            if extent != 1:
                differs = differs or known.setdefault(label, extent) != extent
            if differs:
                shapes = " and ".join(str(tuple(shape_of(x))) for x in xs)
                name = f"axis {label!r}" if isinstance(label, str) else "an axis within '...'"
                raise ShapeError(
                    f"einsum {subscripts!r} needs {name} to be equal wherever it stands; got shapes {shapes}."
                )


# ---- by labels


def single(x: TensorLike, labels: Labels, out: Labels) -> TensorLike:
    """One operand: diagonals of repeated labels, sums over those that `out` lacks, the rest in its order."""
    while len(set(labels)) < len(labels):
        x, labels = diagonal(x, labels)
    summed = [axis for axis, label in enumerate(labels) if label not in out]
    if summed:
        x = reduce(sum_op, "einsum", x, tuple(summed), False)
        labels = tuple(label for label in labels if label in out)
    return ordered(x, labels, out)


def ordered(x: TensorLike, labels: Sequence[Hashable], out: Sequence[Hashable]) -> TensorLike:
    """x with its axes in the order of `out`."""
    return x if tuple(labels) == tuple(out) else ops.transpose(x, [labels.index(label) for label in out])


def diagonal(x: TensorLike, labels: Labels) -> tuple[TensorLike, Labels]:
    """The elements whose places along the first two axes of one label are equal; that axis stands last."""
    label = next(k for k in labels if labels.count(k) > 1)
    first = labels.index(label)
    second = labels.index(label, first + 1)
    rest = [axis for axis in range(len(labels)) if axis not in (first, second)]
    extent = shape_of(x)[first] if shape_of(x)[first] is not None else shape_of(x)[second]
    if extent is None:
        raise ShapeError(
            f"einsum needs to know the length of a diagonal; axis {label!r} of shape {shape_of(x)} is open."
        )
    moved = ops.transpose(x, [*rest, first, second])
    flat = ops.reshape(moved, (*ops.shape(moved)[:-2], extent * extent))
    return ops.get_item(flat, (..., slice(None, None, extent + 1))), (*(labels[axis] for axis in rest), label)


def product(a: TensorLike, labels_a: Labels, b: TensorLike, labels_b: Labels, out: Labels) -> TensorLike:
    """Two operands: a matrix product over the labels that `out` lacks, for every label that both and `out` have."""
    a, labels_a = stretchable(a, labels_a, b, labels_b)
    b, labels_b = stretchable(b, labels_b, a, labels_a)
    own_a = tuple(k for k in dict.fromkeys(labels_a) if k in labels_b or k in out)
    own_b = tuple(k for k in dict.fromkeys(labels_b) if k in labels_a or k in out)
    a, b = single(a, labels_a, own_a), single(b, labels_b, own_b)
    shared = [k for k in own_a if k in own_b]
    batch, inner = [k for k in shared if k in out], [k for k in shared if k not in out]
    left, right = [k for k in own_a if k not in own_b], [k for k in own_b if k not in own_a]
    a, b = ordered(a, own_a, [*batch, *left, *inner]), ordered(b, own_b, [*batch, *inner, *right])
    cut, lead, columns = len(batch), ops.shape(a)[: len(batch)], ops.shape(b)[len(shared) :]
    rows, depth = ops.shape(a)[cut : cut + len(left)], ops.shape(a)[cut + len(left) :]
    if inner:
        a = ops.reshape(a, (*lead, size_over(rows), size_over(depth)))
        b = ops.reshape(b, (*lead, size_over(depth), size_over(columns)))
        y = ops.reshape(matmul_op(a, b, transpose1=False, transpose2=False), (*lead, *rows, *columns))
    else:
        y = ops.multiply(
            ops.expand_dims(a, tuple(range(-len(right), 0))) if right else a,
            ops.reshape(b, (*lead, *[1] * len(left), *columns)),
        )
    return ordered(y, [*batch, *left, *right], out)


def stretchable(x: TensorLike, labels: Labels, other: TensorLike, other_labels: Labels) -> tuple[TensorLike, Labels]:
    """x without the axes of length 1 that the other operand has longer: they broadcast."""
    longer = {k for k, extent in zip(other_labels, shape_of(other)) if extent != 1}
    drop = tuple(axis for axis, k in enumerate(labels) if shape_of(x)[axis] == 1 and k in longer)
    if not drop:
        return x, labels
    return ops.squeeze(x, drop), tuple(k for axis, k in enumerate(labels) if axis not in drop)


def size_over(dims: Sequence[Any]) -> Any:
    """The product of dimensions, some of which may be tensors."""
    total: Any = 1
    for d in dims:
        total = d if isinstance(total, int) and total == 1 else total * d
    return total


# ---- named products


def dot(x1: TensorLike, x2: TensorLike) -> Array:
    """The product over the last axis of x1 and the last but one of x2 (the only one of a vector).

        y[i, j, k, m] = sum over r of  x1[i, j, r] * x2[k, r, m]

    Args:
        x1, x2: arrays, tensors or numbers of any dtype; with a number it is their plain product.
    Returns:
        The other axes of x1, then those of x2, in the promoted dtype; int8 alone gives int32.
    NaN: wherever it takes part; so 0 * inf. Empty: a sum over nothing is 0.
    Raises:
        ShapeError: unequal axes.
    Source: Keras 3 `ops.dot`.

    >>> dot([1.0, 2.0], [3.0, 4.0])
    array(11., dtype=float32)
    """
    x1, x2 = summable(*promoted("dot", x1, x2))
    if not shape_of(x1) or not shape_of(x2):
        return ops.multiply(x1, x2)
    return over("dot", x1, [-1], x2, [-2 if len(shape_of(x2)) > 1 else 0])


def tensordot(x1: TensorLike, x2: TensorLike, axes: Any = 2) -> Array:
    """The product summed over pairs of axes.

        y[i, m] = sum over j, k of  x1[i, j, k] * x2[j, k, m]   for axes = 2

    Args:
        x1, x2: arrays or tensors of any dtype.
        axes: how many: the last of x1 with the first of x2; or a pair of axes, or of lists of axes, of x1 and of x2.
    Returns:
        The other axes of x1, then those of x2, in the promoted dtype; int8 alone gives int32.
    NaN: wherever it takes part; so 0 * inf. Empty: a sum over nothing is 0.
    Raises:
        ArgumentError: axes that an operand does not have, or twice, or not as many of each.  ShapeError: unequal axes.
    Source: Keras 3 `ops.tensordot`.

    >>> tensordot([[1.0, 2.0]], [[3.0, 4.0]], axes=[[1], [1]])
    array([[11.]], dtype=float32)
    """
    x1, x2 = summable(*promoted("tensordot", x1, x2))
    axes = _plain(axes)
    if isinstance(axes, int):
        ranks = len(shape_of(x1)), len(shape_of(x2))
        if not 0 <= axes <= min(ranks):
            raise ArgumentError(
                f"tensordot: axes must lie in 0..{min(ranks)} for operands with {ranks} axes; got {axes}."
            )
        return over("tensordot", x1, list(range(ranks[0] - axes, ranks[0])), x2, list(range(axes)))
    if not isinstance(axes, (tuple, list)) or len(axes) != 2:
        raise ArgumentError(f"tensordot: axes must be a number or a pair, for x1 and for x2; got {axes!r}.")
    first, second = (list(a) if isinstance(a, (tuple, list)) else [a] for a in map(_plain, axes))
    return over("tensordot", x1, first, x2, second)


def _plain(axes: Any) -> Any:
    """Axes as Python's integers and lists, where they came in arrays."""
    return axes.tolist() if isinstance(axes, (np.ndarray, np.generic)) else axes


def over(name: str, x1: TensorLike, axes1: list[int], x2: TensorLike, axes2: list[int]) -> TensorLike:
    """The product summed over pairs of axes."""
    first = [checked_axis(name, a, len(shape_of(x1))) for a in axes1]
    second = [checked_axis(name, a, len(shape_of(x2))) for a in axes2]
    if len(first) != len(second) or len(set(first)) != len(first) or len(set(second)) != len(second):
        raise ArgumentError(f"{name} needs as many axes of x1 as of x2, none twice; got {axes1} and {axes2}.")
    for a, b in zip(first, second):
        extents = shape_of(x1)[a], shape_of(x2)[b]
        if None not in extents and extents[0] != extents[1]:
            raise ShapeError(
                f"{name} sums over axis {a} of x1 and axis {b} of x2, which must be equal; got shapes {shape_of(x1)} and "
                f"{shape_of(x2)}."
            )
    labels1 = tuple(("x1", a) for a in range(len(shape_of(x1))))
    labels2 = tuple(labels1[first[second.index(b)]] if b in second else ("x2", b) for b in range(len(shape_of(x2))))
    out = tuple(k for k in (*labels1, *labels2) if (k in labels1) != (k in labels2))
    return product(x1, labels1, x2, labels2, out)


def inner(x1: TensorLike, x2: TensorLike) -> Array:
    """The product summed over the last axis of both.

        y[i, j] = sum over r of  x1[i, r] * x2[j, r]

    Args:
        x1, x2: arrays, tensors or numbers of any dtype; with a number it is their plain product.
    Returns:
        The other axes of x1, then those of x2, in the promoted dtype; int8 alone gives int32.
    NaN: wherever it takes part; so 0 * inf. Empty: a sum over nothing is 0.
    Raises:
        ShapeError: unequal last axes.
    Source: Keras 3 `ops.inner`.

    >>> inner([[1.0, 2.0], [0.0, 1.0]], [3.0, 4.0])
    array([11.,  4.], dtype=float32)
    """
    x1, x2 = summable(*promoted("inner", x1, x2))
    if not shape_of(x1) or not shape_of(x2):
        return ops.multiply(x1, x2)
    return over("inner", x1, [-1], x2, [-1])


def outer(x1: TensorLike, x2: TensorLike) -> Array:
    """Every element of x1 times every element of x2.

        y[i, j] = x1.ravel()[i] * x2.ravel()[j]

    Args:
        x1, x2: arrays, tensors or numbers of any dtype.
    Returns:
        (size of x1, size of x2) in the promoted dtype.
    NaN: wherever it takes part; so 0 * inf. Empty: an empty result.
    Source: Keras 3 `ops.outer`.

    >>> outer([1, 2], [3, 4])
    array([[3, 4],
           [6, 8]])
    """
    x1, x2 = promoted("outer", x1, x2)
    return ops.multiply(ops.expand_dims(ops.ravel(x1), 1), ops.ravel(x2))


def vdot(x1: TensorLike, x2: TensorLike) -> Array:
    """The product of corresponding elements, summed over all of them.

        y = sum over i of  x1.ravel()[i] * x2.ravel()[i]

    Args:
        x1, x2: arrays, tensors or numbers of any dtype, with as many elements.
    Returns:
        A single number in the promoted dtype; int8 alone gives int32.
    NaN: wherever it takes part; so 0 * inf. Empty: 0.
    Raises:
        ShapeError: not as many elements.
    Source: Keras 3 `ops.vdot`.

    >>> vdot([[1.0, 2.0]], [[3.0], [4.0]])
    array(11., dtype=float32)
    """
    x1, x2 = summable(*(ops.ravel(x) for x in promoted("vdot", x1, x2)))
    return over("vdot", x1, [0], x2, [0])
