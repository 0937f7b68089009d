"""Reading labels off distributions over time: the likeliest class of each step, or a search among whole labellings.

`refnet.ops.ctc` says what an alignment is, and how blanks and repeated labels are read.
"""

import numpy as np

from refnet import dtypes, ops
from refnet.annotations import Array, Number, Tasks, TensorLike
from refnet.definition import Form, Op, Spec, whole
from refnet.errors import ArgumentError, ShapeError, called_as
from refnet.ops.arguments import as_dtype, dtype_of, flag, floating, is_symbolic, shape_of
from refnet.ops.ctc import at_most, checked_blank, lengths, log_add
from refnet.scalars import INF


@called_as("ctc_decode", "ctc_greedy_decode", "ctc_beam_search_decode")
def ctc_decode(
    inputs: TensorLike,
    sequence_lengths: TensorLike,
    strategy: str = "greedy",
    beam_width: int = 100,
    top_paths: int = 1,
    merge_repeated: bool = True,
    mask_index: int | None = 0,
) -> tuple[Array, Array]:
    """The labels that distributions over time most likely spell.

    Greedy: the largest class of each time step; equal neighbours are merged, then blanks removed. Beam search: after each
    step the `beam_width` likeliest labellings of what was seen so far are kept, each with all its kept alignments together.

    Args:
        inputs: (batch, time, classes), logits.
        sequence_lengths: (batch,), how many time steps of each row count.
        strategy: "greedy" or "beam_search".
        beam_width, top_paths: of the beam search, how many labellings are kept, and how many are returned.
        merge_repeated: whether greedy merges equal neighbours; the beam search always does.
        mask_index: the class of the blank; None for the last.
    Returns:
        The labels, int32, (1, batch, time) or (top_paths, batch, time), -1 after the last, and the scores: greedy,
        (batch, 1), minus the sum of the largest inputs; beam search, (batch, top_paths), the logarithms of the probabilities,
        -inf with no labels where there are fewer labellings. float16 and bfloat16 are computed, and scored, in float32.
    Ties: the first of equal classes; of equally likely labellings the one with the smaller class where they differ.
    NaN: counts as the largest (greedy). Empty: no rows give no rows.
    Raises:
        ShapeError: shapes that do not fit.  DataError: a length longer than the time axis.
        ArgumentError: another strategy, a width below 1, more paths than the beam is wide, a blank that is no class; a
        symbolic tensor with beam search, which exists on arrays only.
    There is no gradient.
    Source: Graves et al. 2006; Graves and Jaitly 2014; Keras 3 `ops.ctc_decode`.

    >>> logits = np.log([[[0.1, 0.9], [0.2, 0.8], [0.7, 0.3], [0.4, 0.6]]])
    >>> ctc_decode(logits, [4])[0]  # a a - a
    array([[[ 1,  1, -1, -1]]], dtype=int32)
    """
    x = floating("ctc_decode", inputs, "inputs")
    if len(shape_of(x)) != 3 or shape_of(x)[2] == 0:
        raise ShapeError(f"ctc_decode needs inputs of shape (batch, time, classes); got {shape_of(x)}.")
    x = as_dtype(x, dtypes.promote(dtype_of(x), "float32"))
    steps = lengths("ctc_decode", "sequence_lengths", sequence_lengths, shape_of(x)[0])
    blank = checked_blank("ctc_decode", mask_index, shape_of(x)[2])
    if strategy == "greedy":
        labels, scores = ctc_greedy_decode_op(
            x, steps, blank=blank, merge_repeated=flag("ctc_decode", merge_repeated, "merge_repeated")
        )
        return ops.expand_dims(labels, 0), scores
    if strategy != "beam_search":
        raise ArgumentError(f"ctc_decode: strategy must be 'greedy' or 'beam_search'; got {strategy!r}.")
    if not 1 <= top_paths <= beam_width:
        raise ArgumentError(
            f"ctc_decode: 1 <= top_paths <= beam_width is needed; got top_paths {top_paths} and beam_width {beam_width}."
        )
    if is_symbolic(x, steps):
        raise ArgumentError("ctc_decode with beam search works on arrays only: call it on what a model predicts.")
    return beam_search(x, steps, beam_width, top_paths, blank)


def ctc_greedy_decode_loop(
    tasks: Tasks, x: Array, length: Array, blank: int, merge_repeated: bool, labels: Array, scores: Array
) -> None:
    for (n,) in tasks:
        place, previous, total = 0, -1, 0
        for t in range(x.shape[1]):
            labels[n, t] = -1
        for t in range(at_most(length[n], x.shape[1])):
            best = 0
            for k in range(x.shape[2]):
                if x[n, t, k] > x[n, t, best] or (x[n, t, k] != x[n, t, k] and x[n, t, best] == x[n, t, best]):
                    best = k
            total += x[n, t, best]
            if best != blank and not (merge_repeated and best == previous):
                labels[n, place] = best
                place += 1
            previous = best
        scores[n, 0] = -total


def ctc_greedy_decode_rule(x: Spec, length: Spec, *, blank: int, merge_repeated: bool) -> tuple[Spec, Spec]:
    return Spec((x.shape[0], x.shape[1]), "int32"), Spec((x.shape[0], 1), x.dtype)


def ctc_greedy_decode_form(x: Spec, length: Spec, *, blank: int, merge_repeated: bool) -> Form:
    outputs = ctc_greedy_decode_rule(x, length, blank=blank, merge_repeated=merge_repeated)
    cost = x.shape[1] * x.shape[2]
    return Form(
        (whole(x), whole(length)), (blank, merge_repeated), tuple(map(whole, outputs)), (x.shape[0],), cost=cost
    )


ctc_greedy_decode_op = Op(
    "ctc_greedy_decode",
    ctc_greedy_decode_rule,
    loop=ctc_greedy_decode_loop,
    form=ctc_greedy_decode_form,
    ranges=lambda x, length, *, blank, merge_repeated: {1: (0, x.shape[1] + 1)},
    axes="batch time classes, batch",
)


# ---- beam search, on arrays


def beam_search(x: Array, steps: Array, beam_width: int, top_paths: int, blank: int) -> tuple[Array, Array]:
    """The likeliest labellings of every row."""
    from refnet.program import check_range

    batch, time, classes = x.shape
    check_range("ctc_decode", steps, 0, time + 1)
    log_probs = np.asarray(ops.log_softmax(x)).astype("float64")
    labels, scores = np.full((top_paths, batch, time), -1, "int32"), np.full((batch, top_paths), -INF, x.dtype)
    for n in range(batch):
        beam: dict[tuple[int, ...], tuple[Number, Number]] = {(): (0.0, -INF)}
        for t in range(int(steps[n])):
            beam = likeliest(extended(beam, log_probs[n, t], blank), beam_width, classes)
        for k, (path, ends) in enumerate(likeliest(beam, top_paths, classes).items()):
            labels[k, n, : len(path)], scores[n, k] = path, log_add(*ends)
    return labels, scores


def extended(
    beam: dict[tuple[int, ...], tuple[Number, Number]], log_probs: Array, blank: int
) -> dict[tuple[int, ...], tuple[Number, Number]]:
    """Every labelling with one more time step. A labelling has two log-probabilities: that of its alignments that end in the
    blank, and that of those that end in its last label."""
    result: dict[tuple[int, ...], tuple[Number, Number]] = {}

    def reach(path: tuple[int, ...], blank_end: Number, label_end: Number) -> None:
        before = result.get(path, (-INF, -INF))
        result[path] = log_add(before[0], blank_end), log_add(before[1], label_end)

    for path, (blank_end, label_end) in beam.items():
        both = log_add(blank_end, label_end)
        for k, p in enumerate(log_probs):
            if k == blank:
                reach(path, both + p, -INF)
            elif path and k == path[-1]:  # the label goes on, or a blank has made room for it to come again
                reach(path, -INF, label_end + p)
                reach((*path, k), -INF, blank_end + p)
            else:
                reach((*path, k), -INF, both + p)
    return result


def likeliest(
    beam: dict[tuple[int, ...], tuple[Number, Number]], count: int, classes: int
) -> dict[tuple[int, ...], tuple[Number, Number]]:
    """The likeliest labellings, the best first; those that cannot be are left out."""
    possible = [(path, ends) for path, ends in beam.items() if log_add(*ends) != -INF]
    possible.sort(key=lambda entry: (-log_add(*entry[1]), (*entry[0], classes)))
    return dict(possible[:count])
