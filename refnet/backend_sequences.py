"""Functions of Keras 2's `backend` over steps: loops, products sample by sample, connectionist temporal classification."""

from collections.abc import Callable
from typing import Any

import numpy as np

from refnet import ops, settings
from refnet.annotations import TensorLike
from refnet.errors import ArgumentError, ShapeError
from refnet.layers.merging import batch_dot as product_over
from refnet.layers.merging import summed_axes
from refnet.ops.arguments import converted, dtype_of, shape_of
from refnet.structure import flatten, mapped, packed

BEFORE_2_3 = (
    "Until Keras 2.2.4, batch_dot of more than 3 axes paired all axes but the last two, as a matrix product does: "
    "write ops.einsum('bij,bikj->bik', x, y), or what the program means."
)


def batch_dot(x: Any, y: Any, axes: Any = None) -> Any:
    """Sample by sample, the sum of products over an axis of x and one of y.

    Args:
        x, y: (batch, ...) with two axes or more.
        axes: the axis of both, or a pair; None for the last of x and the last but one of y (its last, if it has two).
    Returns:
        (batch, the other axes of x, the other axes of y); (batch, 1) where there are none.
    Raises:
        ShapeError: the batch's axis, an axis that is not there, lengths that differ.  ArgumentError: other axes.

    >>> batch_dot(np.ones((2, 3, 4)), np.ones((2, 4, 5))).shape, batch_dot(np.ones((2, 4)), np.ones((2, 4)), 1).shape
    ((2, 3, 5), (2, 1))
    """
    x, y = converted("batch_dot", x, "x"), converted("batch_dot", y, "y")
    if axes is None:
        axes = (-1, -1 if len(shape_of(y)) == 2 else -2)
    both = (axes, axes) if isinstance(axes, (int, np.integer)) else tuple(axes)
    if len(both) != 2 or not all(isinstance(axis, (int, np.integer)) for axis in both):
        raise ArgumentError(f"batch_dot: axes is an integer or a pair of them; got {axes!r}.")
    try:
        return product_over(x, y, *summed_axes("batch_dot", [x, y], both))
    except ShapeError as error:
        if max(len(shape_of(x)), len(shape_of(y))) <= 3:
            raise
        raise ShapeError(f"{error}\n  {BEFORE_2_3}") from None


def repeat(x: Any, n: int) -> Any:
    """Each row n times: (batch, features) becomes (batch, n, features).

    >>> repeat([[1.0, 2.0]], 2)
    array([[[1., 2.],
            [1., 2.]]], dtype=float32)
    """
    if len(shape_of(converted("repeat", x, "x"))) != 2:
        raise ShapeError(f"repeat takes (batch, features); got {shape_of(x)}. repeat_elements repeats along any axis.")
    return ops.repeat(ops.expand_dims(x, 1), n, axis=1)


def repeat_elements(x: Any, rep: int, axis: int) -> Any:
    """Each element along an axis rep times, one after the other.

    >>> repeat_elements([1, 2], 2, 0)
    array([1, 1, 2, 2])
    """
    return ops.repeat(x, rep, axis=axis)


def temporal_padding(x: Any, padding: Any = (1, 1)) -> Any:
    """(batch, steps, features) with so many steps of zeros before and after."""
    before, after = padding
    return ops.pad(x, ((0, 0), (before, after), (0, 0)))


# ---- loops


def map_fn(fn: Callable[[Any], Any], elems: Any, name: str | None = None, dtype: Any = None) -> Any:
    """fn of each part along the first axis, stacked. `dtype` need not be given.

    >>> map_fn(lambda row: ops.sum(row), np.ones((2, 3), "float32"))
    array([3., 3.], dtype=float32)
    """
    return ops.map(fn, elems)


def foldl(fn: Callable[[Any, Any], Any], elems: Any, initializer: Any = None, name: str | None = None) -> Any:
    """fn(fn(fn(start, first), second), ...) over the parts along the first axis; without `initializer` the first is the start.

    >>> foldl(lambda total, x: ops.subtract(total, x), np.array([5.0, 1.0, 2.0], "float32"))
    array(2., dtype=float32)
    """
    start, rest = _part(elems, 0, slice(1, None)) if initializer is None else (initializer, elems)
    return ops.scan(lambda carry, x: (fn(carry, x), None), start, rest)[0]


def foldr(fn: Callable[[Any, Any], Any], elems: Any, initializer: Any = None, name: str | None = None) -> Any:
    """`foldl` from the last part to the first."""
    start, rest = _part(elems, -1, slice(-1)) if initializer is None else (initializer, elems)
    return ops.scan(lambda carry, x: (fn(carry, x), None), start, rest, reverse=True)[0]


def _part(elems: Any, one: int, others: slice) -> tuple[Any, Any]:
    """One part of arrays in any structure, and the others."""
    return mapped(lambda x: x[one], elems), mapped(lambda x: x[others], elems)


def rnn(
    step_function: Callable[[Any, Any], tuple[Any, Any]],
    inputs: Any,
    initial_states: Any,
    go_backwards: bool = False,
    mask: Any = None,
    constants: Any = None,
    unroll: bool = False,
    input_length: Any = None,
    time_major: bool = False,
    zero_output_for_mask: bool = False,
    return_all_outputs: bool = True,
) -> tuple[Any, Any, list[Any]]:
    """A function taken over the steps of a sequence, as `layers.RNN` takes a cell.

        output[t], states = step_function(x[t], states)      for t = 0, 1, ...

    Args:
        step_function: takes the inputs of a step, (batch, ...), and a list of states; gives an output and the next states.
        inputs: (batch, steps, ...), or (steps, batch, ...) if time_major.
        initial_states: a list of states, (batch, ...).
        go_backwards: whether to take the steps from the last to the first; the outputs stand in the order taken.
        mask: (batch, steps), False at steps that are left out: the states stay, and the output is the last one, or 0.
        constants: tensors that every step finds behind its states.
        unroll, input_length: accepted for Keras's sake; they change nothing.
        zero_output_for_mask: whether the output of a step that is left out is 0.
        return_all_outputs: whether the outputs of all steps are returned, or the last one alone, as one step.
    Returns:
        The last output, (batch, ...); all outputs, (batch, steps, ...); the list of last states.
    Raises:
        ShapeError: inputs without steps.
    Source: Keras 2 `backend.rnn`.

    >>> last, outputs, states = rnn(lambda x, s: (x + s[0], [x + s[0]]), np.ones((1, 3, 1)), [np.zeros((1, 1))])
    >>> outputs[:, :, 0], states[0]
    (array([[1., 2., 3.]]), array([[3.]]))
    """
    x = converted("rnn", inputs, "inputs")
    if len(shape_of(x)) < 3:
        raise ShapeError(f"rnn takes inputs of shape (batch, steps, ...); got {shape_of(x)}.")
    steps: list[TensorLike] = [x]
    if mask is not None:
        held = ops.cast(mask, "bool")
        steps.append(ops.squeeze(held, -1) if len(shape_of(held)) == 3 else held)
    if not time_major:
        steps = [ops.swapaxes(part, 0, 1) for part in steps]
    if go_backwards:
        steps = [ops.flip(part, 0) for part in steps]
    first, more = list(initial_states), list(constants or [])

    def step(carry: Any, part: Any) -> Any:
        states, before = carry
        output, after = step_function(part[0], [*states, *more])
        after = list(after)
        if mask is not None:
            after = [_where(part[1], new, old) for new, old in zip(after, states)]
            kept = [_where(part[1], new, old) for new, old in zip(flatten(output), before)]
            empty = [_where(part[1], new, ops.zeros_like(new)) for new in flatten(output)]
            output, before = packed(output, empty if zero_output_for_mask else kept), kept
        return (after, before), output

    before: list[Any] = []
    if mask is not None:  # what comes before the first output
        before = [ops.zeros_like(y) for y in flatten(step_function(steps[0][0], [*first, *more])[0])]
    (states, _), outputs = ops.scan(step, (first, before), steps)
    last = packed(outputs, [y[-1] for y in flatten(outputs)])
    whole = [y if return_all_outputs else y[-1:] for y in flatten(outputs)]
    return last, packed(outputs, [y if time_major else ops.swapaxes(y, 0, 1) for y in whole]), states


def _where(held: Any, new: Any, old: Any) -> Any:
    """Row by row one of two; held has one bool for each row."""
    return ops.where(ops.reshape(held, (-1, *(1,) * (len(shape_of(new)) - 1))), new, old)


# ---- connectionist temporal classification


def ctc_batch_cost(y_true: Any, y_pred: Any, input_length: Any, label_length: Any) -> Any:
    """`ops.ctc_loss` of probabilities, the last class being the blank.

    Args:
        y_true: (batch, labels), class numbers of any dtype.
        y_pred: (batch, steps, classes), probabilities.
        input_length, label_length: (batch, 1), how many steps and labels of each row count.
    Returns:
        (batch, 1).

    >>> ctc_batch_cost([[0]], np.full((1, 2, 2), 0.5, "float32"), [[2]], [[1]])
    array([[0.2876821]], dtype=float32)
    """
    target_length, output_length = (ops.squeeze(x, -1) for x in (label_length, input_length))
    blank = shape_of(converted("ctc_batch_cost", y_pred, "y_pred"))[-1] - 1
    loss = ops.ctc_loss(ops.cast(y_true, "int32"), _logits(y_pred), target_length, output_length, mask_index=blank)
    return ops.expand_dims(loss, 1)


def ctc_decode(
    y_pred: Any, input_length: Any, greedy: bool = True, beam_width: int = 100, top_paths: int = 1
) -> tuple[list[Any], Any]:
    """`ops.ctc_decode` of probabilities, the last class being the blank.

    Args:
        y_pred: (batch, steps, classes), probabilities.
        input_length: (batch,), how many steps of each row count.
        greedy: the largest class of each step; else a beam search, on arrays only.
        beam_width, top_paths: of the beam search, how many labellings are kept, and how many are returned.
    Returns:
        A list of labellings, (batch, steps), int64, -1 behind the last label; and the scores of `ops.ctc_decode`.

    >>> ctc_decode([[[0.9, 0.1], [0.9, 0.1], [0.1, 0.9], [0.6, 0.4]]], [4])[0]
    [array([[ 0,  0, -1, -1]])]
    """
    strategy = "greedy" if greedy else "beam_search"
    labels, scores = ops.ctc_decode(
        _logits(y_pred), input_length, strategy, beam_width, top_paths, merge_repeated=True, mask_index=None
    )
    return [ops.cast(labels[path], "int64") for path in range(1 if greedy else top_paths)], scores


def _logits(probabilities: Any) -> Any:
    x = converted("ctc", probabilities, "y_pred")
    return ops.log(ops.add(ops.cast(x, "float32") if dtype_of(x) != "float64" else x, settings.epsilon()))
