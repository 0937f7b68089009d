"""Connectionist temporal classification: labels without times, for outputs that have a distribution at every time step.

An alignment gives each time step a label or the blank; it spells the target if the target is left when repeated labels are
merged and blanks then removed. All sums over alignments run over the target with blanks around and between its labels,
`blank a blank b blank`: from one step to the next an alignment stays, moves on by one place, or skips a blank that does not
separate equal labels. Everything is kept as logarithms.
"""

from typing import Any

from refnet import dtypes, ops
from refnet.annotations import Array, Number, Shape, Tasks, TensorLike
from refnet.definition import Form, Op, Spec, whole
from refnet.errors import ArgumentError, ShapeError
from refnet.gradients import Undifferentiable
from refnet.graph import Node
from refnet.ops.arguments import as_dtype, converted, dtype_of, floating, integer, shape_of
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


def ctc_loss_rule(log_probs: Spec, *_: Spec, blank: int) -> Spec:
    if log_probs.shape[2] is not None:
        checked_blank("ctc_loss", blank, log_probs.shape[2])
    return Spec((log_probs.shape[0],), log_probs.dtype)


def ctc_loss_gradient_rule(dloss: Spec, log_probs: Spec, *_: Spec, blank: int) -> Spec:
    if log_probs.shape[2] is not None:
        checked_blank("ctc_loss", blank, log_probs.shape[2])
    return Spec(tuple(log_probs.shape), log_probs.dtype)


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
    ctc_loss_gradient_rule,
    loop=ctc_loss_gradient_loop,
    form=ctc_loss_gradient_form,
    gradient=Undifferentiable("ctc_loss has no second derivative."),
    axes="batch, batch time classes, batch labels, batch, batch",
)
ctc_loss_op = Op(
    "ctc_loss",
    ctc_loss_rule,
    loop=ctc_loss_loop,
    form=ctc_loss_form,
    gradient=ctc_loss_gradient,
    ranges=lambda log_probs, target, *_, blank: ctc_ranges(log_probs, target, 1),
    axes="batch time classes, batch labels, batch, batch",
)
