"""Connectionist temporal classification: labels without times, for outputs that have a distribution at every time step.

An alignment gives each time step a label or the blank; it spells the target if the target is left when repeated labels are
merged and blanks then removed. All sums over alignments run over the target with blanks around and between its labels,
`blank a blank b blank`: from one step to the next an alignment stays, moves on by one place, or skips a blank that does not
separate equal labels. Everything is kept as logarithms.
"""

from typing import Any

import numpy as np

from refnet import dtypes, ops
from refnet.annotations import Array, Number, Shape, Tasks, TensorLike
from refnet.definition import Form, Op, Spec, whole
from refnet.errors import ArgumentError, ShapeError, called_as
from refnet.gradients import Undifferentiable
from refnet.graph import Node
from refnet.ops.arguments import as_dtype, converted, dtype_of, flag, floating, integer, is_symbolic, shape_of
from refnet.scalars import INF, exp, log1p

# ---- the loss


def ctc_loss(
    target: TensorLike, output: TensorLike, target_length: TensorLike, output_length: TensorLike, mask_index: int = 0
) -> Array:
    """How unlikely the target is, with all its alignments together.

        y[n] = -ln(sum over alignments a of target n  of  product over t < output_length[n] of  p[n, t, a[t]])

    where p = softmax(output) over the classes. An alignment spells the target when equal neighbours are merged and the
    blanks then removed.

    Args:
        target: (batch, labels), class numbers; what lies beyond the target's length is not read.
        output: (batch, time, classes), logits.
        target_length: (batch,), how many labels of each row count; 0 is an empty target.
        output_length: (batch,), how many time steps of each row count.
        mask_index: the class of the blank.
    Returns:
        (batch,), the dtype of `output`, at least float32. inf where no alignment fits: more labels, and blanks between
        equal ones, than time steps; its gradient is then 0 (Keras on JAX gives a number near 100000, PyTorch inf and NaN).
    NaN: logits with NaN at a step that counts give NaN. Empty: no rows give no losses; no step and no label give 0.
    Raises:
        ShapeError: shapes that do not fit.  ArgumentError: a blank that is no class.
        DataError: a label that is no class, a length longer than its array.
    There is no second derivative.
    Source: Graves et al. 2006; Keras 3 `ops.ctc_loss`.

    >>> ctc_loss([[1]], np.zeros((1, 2, 2)), [1], [2])  # -, a and a, - and a, a: three of four alignments
    array([0.28768207])
    """
    logits, labels = floating("ctc_loss", output, "output"), converted("ctc_loss", target, "target")
    x = shape_of(logits)
    if len(x) != 3:
        raise ShapeError(f"ctc_loss needs an output of shape (batch, time, classes); got {x}.")
    if len(shape_of(labels)) != 2 or not agree(shape_of(labels)[0], x[0]):
        raise ShapeError(
            f"ctc_loss needs a target of shape (batch, labels), here ({x[0]}, ...); got {shape_of(labels)}."
        )
    labels, counts = as_dtype(labels, "int32"), lengths("ctc_loss", "target_length", target_length, x[0])
    steps = lengths("ctc_loss", "output_length", output_length, x[0])
    blank = checked_blank("ctc_loss", mask_index, x[2])
    logits = as_dtype(logits, dtypes.promote(dtype_of(logits), "float32"))
    places = ops.expand_dims(ops.arange(ops.shape(labels)[1], dtype="int32"), 0)
    labels = ops.where(ops.less(places, ops.expand_dims(counts, 1)), labels, blank)
    return ctc_loss_op(ops.log_softmax(logits), labels, counts, steps, blank=blank)


def agree(a: int | None, b: int | None) -> bool:
    return a is None or b is None or a == b


def lengths(op: str, name: str, x: TensorLike, batch: int | None) -> TensorLike:
    """(batch,), int32."""
    x = converted(op, x, name)
    if len(shape_of(x)) != 1 or not agree(shape_of(x)[0], batch):
        raise ShapeError(f"{op} needs {name} of shape (batch,), here ({batch},); got {shape_of(x)}.")
    return as_dtype(x, "int32")


def checked_blank(op: str, mask_index: Any, classes: int) -> int:
    """The number of the blank's class; the last one if None."""
    blank = classes - 1 if mask_index is None else integer("ctc_decode", mask_index, "mask_index")
    if not 0 <= blank < classes:
        raise ArgumentError(
            f"{op}: mask_index must be one of the {classes} classes, 0..{classes - 1}; got {mask_index}."
        )
    return blank


def label_at(target: Array, n: int, s: int, blank: int, classes: int) -> int:
    """The class at place s of the target with its blanks; the blank for a label that is no class, which is reported elsewhere."""
    if s % 2 == 0:
        return blank
    label = target[n, s // 2]
    return label if label >= 0 and label < classes else blank


def skips(target: Array, n: int, s: int, blank: int, classes: int) -> bool:
    """Whether an alignment may come to place s from s - 2: the blank between them need not be spoken."""
    if s < 2 or s % 2 == 0:
        return False
    return label_at(target, n, s, blank, classes) != label_at(target, n, s - 2, blank, classes)


def log_add(a: Number, b: Number) -> Number:
    """ln(e**a + e**b)"""
    if a == -INF:
        return b
    if b == -INF:
        return a
    if a > b:
        return a + log1p(exp(b - a))
    return b + log1p(exp(a - b))


def at_most(x: int, limit: int) -> int:
    """A length, kept within its array: longer ones are reported elsewhere."""
    return 0 if x < 0 else (limit if x > limit else x)


def forward_step(alpha: Array, log_probs: Array, target: Array, n: int, t: int, size: int, blank: int) -> None:
    """alpha[s]: the logarithm of all beginnings that stand at place s; from step t - 1 to step t, in place, the last first."""
    classes = log_probs.shape[2]
    for back in range(size):
        s = size - 1 - back
        total = alpha[s]
        if t == 0:
            total = 0 if s < 2 else -INF
        else:
            if s > 0:
                total = log_add(total, alpha[s - 1])
            if skips(target, n, s, blank, classes):
                total = log_add(total, alpha[s - 2])
        alpha[s] = total + log_probs[n, t, label_at(target, n, s, blank, classes)]


def whole_log_probability(alpha: Array, size: int, steps: int) -> Number:
    """All alignments: those that end on the last label, and those that end on the blank after it."""
    if steps == 0:
        return 0 if size == 1 else -INF
    return alpha[size - 1] if size == 1 else log_add(alpha[size - 1], alpha[size - 2])


def ctc_loss_loop(
    tasks: Tasks,
    log_probs: Array,
    target: Array,
    target_length: Array,
    output_length: Array,
    blank: int,
    loss: Array,
    alpha: Array,
) -> None:
    for (n,) in tasks:
        steps = at_most(output_length[n], log_probs.shape[1])
        size = 2 * at_most(target_length[n], target.shape[1]) + 1
        for t in range(steps):
            forward_step(alpha, log_probs, target, n, t, size, blank)
        loss[n] = -whole_log_probability(alpha, size, steps)


def ctc_loss_gradient_loop(
    tasks: Tasks,
    dloss: Array,
    log_probs: Array,
    target: Array,
    target_length: Array,
    output_length: Array,
    blank: int,
    dlog_probs: Array,
    alphas: Array,
    beta: Array,
    row: Array,
) -> None:
    # beta[s]: the logarithm of all endings after step t of alignments that stand at place s at step t. The share of the
    # alignments that go through s at step t is e**(alpha + beta - total): so much does the loss fall with the log-probability.
    classes = log_probs.shape[2]
    for (n,) in tasks:
        steps = at_most(output_length[n], log_probs.shape[1])
        size = 2 * at_most(target_length[n], target.shape[1]) + 1
        for t in range(steps):
            for s in range(size):
                alphas[t, s] = alphas[t - 1, s] if t > 0 else 0
            forward_step(alphas[t], log_probs, target, n, t, size, blank)
        total = whole_log_probability(alphas[steps - 1], size, steps) if steps > 0 else -INF
        for t in range(log_probs.shape[1]):
            for k in range(classes):
                dlog_probs[n, t, k] = 0
        for s in range(size):
            beta[s] = 0 if s >= size - 2 else -INF
        for back in range(steps if total != -INF else 0):
            t = steps - 1 - back
            for k in range(classes):
                row[k] = 0
            for s in range(size):
                row[label_at(target, n, s, blank, classes)] += exp(alphas[t, s] + beta[s] - total)
            for k in range(classes):
                dlog_probs[n, t, k] = -dloss[n] * row[k]
            for s in range(size):
                ending = beta[s] + log_probs[n, t, label_at(target, n, s, blank, classes)]
                if s + 1 < size:
                    ending = log_add(ending, beta[s + 1] + log_probs[n, t, label_at(target, n, s + 1, blank, classes)])
                if s + 2 < size and skips(target, n, s + 2, blank, classes):
                    ending = log_add(ending, beta[s + 2] + log_probs[n, t, label_at(target, n, s + 2, blank, classes)])
                beta[s] = ending


def ctc_loss_form(log_probs: Spec, target: Spec, target_length: Spec, output_length: Spec, *, blank: int) -> Form:
    batch, time, _ = log_probs.shape
    size = 2 * target.shape[1] + 1
    views = tuple(whole(s) for s in (log_probs, target, target_length, output_length))
    return Form(views, (blank,), (whole(Spec((batch,), "")),), (batch,), cost=20 * time * size, scratch=((size,),))


def ctc_loss_gradient_form(
    dloss: Spec, log_probs: Spec, target: Spec, target_length: Spec, output_length: Spec, *, blank: int
) -> Form:
    batch, time, classes = log_probs.shape
    size = 2 * target.shape[1] + 1
    views = tuple(whole(s) for s in (dloss, log_probs, target, target_length, output_length))
    scratch: tuple[Shape, ...] = ((time, size), (size,), (classes,))
    return Form(views, (blank,), (whole(log_probs),), (batch,), cost=50 * time * size, scratch=scratch)


def ctc_ranges(log_probs: Spec, target: Spec, first: int) -> dict[int, tuple[int, int]]:
    """Labels are classes, lengths fit their arrays."""
    _, time, classes = log_probs.shape
    return {first: (0, classes), first + 1: (0, target.shape[1] + 1), first + 2: (0, time + 1)}


def ctc_loss_gradient(node: Node, dloss: TensorLike) -> list[TensorLike]:
    return [ctc_loss_gradient_op(dloss, *node.inputs, **node.attributes), None, None, None]


ctc_loss_gradient_op = Op(
    "ctc_loss_gradient",
    lambda dloss, log_probs, *_, blank: Spec(tuple(log_probs.shape), log_probs.dtype),
    loop=ctc_loss_gradient_loop,
    form=ctc_loss_gradient_form,
    gradient=Undifferentiable("ctc_loss has no second derivative."),
)
ctc_loss_op = Op(
    "ctc_loss",
    lambda log_probs, *_, blank: Spec((log_probs.shape[0],), log_probs.dtype),
    loop=ctc_loss_loop,
    form=ctc_loss_form,
    gradient=ctc_loss_gradient,
    ranges=lambda log_probs, target, *_, blank: ctc_ranges(log_probs, target, 1),
)


# ---- reading labels off


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
