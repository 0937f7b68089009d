"""Random order, for `refnet.random`."""

from typing import Any

from refnet.annotations import Array, Shape, Tasks, TensorLike
from refnet.definition import Form, Op, Spec, View
from refnet.errors import ShapeError
from refnet.graph import Tensor
from refnet.ops.arguments import checked_axis, converted, flag, shape_of
from refnet.philox import random_words, whole_below


def shuffle(x: TensorLike, axis: int = 0, seed: Any = None) -> TensorLike:
    """The slices of x along an axis in random order.

        y[o, j, i] = x[o, order[j], i],  order = permutation(n, seed)

    Args:
        x: an array or tensor of any dtype.
        axis: the axis to reorder.
        seed: an integer in 0..2**32-1, a SeedGenerator, or None for a new seed of the global stream.
    Returns:
        Shape and dtype of x.
    NaN: moved like any element. Empty: an empty result.
    Raises:
        ArgumentError: no such axis, a bad seed.
    Source: Keras 3 `random.shuffle`.

    >>> shuffle([10, 20, 30, 40, 50], seed=1)
    array([20, 10, 40, 30, 50])
    """
    from refnet.ops.indexing import take
    from refnet.ops.shapes import shape

    x = converted("shuffle", x)
    axis = checked_axis("shuffle", axis, len(shape_of(x)))
    return take(x, permutation(shape(x)[axis], seed, isinstance(x, Tensor)), axis)


def permutation(n: Any, seed: Any = None, symbolic: bool = False) -> TensorLike:
    """The numbers 0..n-1 in random order, each order equally likely.

        y = 0..n-1;  for i = n-1 down to 1: exchange y[i] and y[j], j drawn from 0..i

    Args:
        n: how many; may come from `ops.shape`.
        seed: an integer in 0..2**32-1, a SeedGenerator, or None for a new seed of the global stream.
        symbolic: whether to draw in the graph, though n is known.
    Returns:
        (n,), int64.
    Raises:
        ArgumentError: a bad seed.  ShapeError: n below 0.
    Source: Fisher and Yates; Knuth 3.4.2, algorithm P.

    >>> permutation(5, seed=1)
    array([1, 0, 3, 2, 4])
    """
    from refnet.random import draw

    return draw(permutation_op, (n,), seed, flag("permutation", symbolic, "symbolic"), dtype="int64")


def permutation_loop(tasks: Tasks, run: Array, seed: int, place: int, y: Array) -> None:
    # One task: every exchange depends on those before it. Draw t uses half of block t // 2.
    n = y.shape[0]
    for _ in tasks:
        for i in range(n):
            y[i] = i
        words = random_words(seed, place, int(run[0]), 0)
        for t in range(n - 1):
            if t % 2 == 0:
                words = random_words(seed, place, int(run[0]), t // 2)
            i = n - 1 - t
            j = whole_below(i + 1, words[2 * (t % 2)], words[2 * (t % 2) + 1])
            kept = y[i]
            y[i] = y[j]
            y[j] = kept


def permutation_form(run: Spec, *, shape: Shape, dtype: str, seed: int, place: int) -> Form:
    return Form((View((1,)),), (seed, place), (View(tuple(shape)),), (1,), cost=60 * shape[0])


def permutation_rule(run: Spec, *dims: Spec, shape: Shape, dtype: str, seed: int, place: int | None) -> Spec:
    if len(shape) != 1:
        raise ShapeError(f"permutation: its result has one axis; got the shape {shape}.")
    if shape[0] is not None and shape[0] < 0:
        raise ShapeError(f"permutation: the number of elements is not below 0; got {shape[0]}.")
    return Spec(tuple(shape), dtype)


permutation_op = Op(
    "permutation", permutation_rule, loop=permutation_loop, form=permutation_form, random=True, takes_shape=True
)
