"""Cross-entropies: how many nats the prediction wastes. The fused forms take logits, so that nothing overflows or rounds to 0."""

from refnet import dtypes, ops, settings
from refnet.annotations import Array, Number, Tasks, TensorLike
from refnet.definition import Form, Op, Spec, whole
from refnet.errors import ShapeError
from refnet.graph import Node, Tensor
from refnet.ops.activation import sigmoid_op, softmax_gradient_op, softmax_op
from refnet.ops.arguments import as_dtype, checked_axis, converted, dtype_of, flag, floating, shape_of
from refnet.ops.elementwise import elementwise
from refnet.scalars import exp, log, log1p

# ---- two classes


def binary_crossentropy(target: TensorLike, output: TensorLike, from_logits: bool = False) -> Array:
    """The cross-entropy of yes-or-no predictions, element by element.

        y[i] = -(t[i] * ln(p[i]) + (1 - t[i]) * ln(1 - p[i])),   p = output clipped to epsilon .. 1 - epsilon

    with logits: y[i] = max(x[i], 0) - x[i] * t[i] + log1p(e**-|x[i]|),   p = sigmoid(x)

    A symbolic `output` that a sigmoid has just made is replaced by the sigmoid's input, and the second formula is used, as
    Keras does on TensorFlow; a saturated sigmoid then still learns.

    Args:
        target: t, probabilities or 0 and 1; the shape of `output`; cast to its dtype.
        output: p, or the logits x.
        from_logits: whether `output` holds logits.
    Returns:
        The shape and dtype of `output`; integers and bools take the default floating dtype.
    NaN: stays; an infinite logit gives NaN or inf. Empty: an empty result.
    Raises:
        ShapeError: unequal shapes.
    Source: Chollet 3.4.3; Keras 3 `ops.binary_crossentropy`.

    >>> binary_crossentropy([1.0, 0.0], [0.5, 0.25])
    array([0.6931472, 0.2876821], dtype=float32)
    >>> binary_crossentropy([1.0, 0.0], [0.0, 100.0], from_logits=True)
    array([  0.6931472, 100.       ], dtype=float32)
    """
    output = floating("binary_crossentropy", output, "output")
    target = as_dtype(converted("binary_crossentropy", target, "target"), dtype_of(output))
    same_shape("binary_crossentropy", target, output)
    if made_by(output, sigmoid_op):
        output, from_logits = output.node.inputs[0], True
    if flag("binary_crossentropy", from_logits, "from_logits"):
        return sigmoid_cross_entropy_op(output, target)
    p = ops.clip(output, settings.epsilon(), 1 - settings.epsilon())
    yes = ops.multiply(target, ops.log(p))
    no = ops.multiply(ops.subtract(1, target), ops.log(ops.subtract(1, p)))
    return ops.negative(ops.add(yes, no))


def sigmoid_cross_entropy_scalar(x: Number, t: Number) -> Number:
    return (x if x > 0 else 0) - x * t + log1p(exp(-x if x > 0 else x))


sigmoid_cross_entropy_op = elementwise(
    "sigmoid_cross_entropy",
    sigmoid_cross_entropy_scalar,
    lambda dy, y, x, t: ops.multiply(dy, ops.subtract(ops.sigmoid(x), t)),
    lambda dy, y, x, t: ops.negative(ops.multiply(dy, x)),
)


# ---- many classes


def categorical_crossentropy(
    target: TensorLike, output: TensorLike, from_logits: bool = False, axis: int = -1
) -> Array:
    """The cross-entropy of predictions over classes.

        y[n] = -sum over c of  t[n, c] * ln(p[n, c]),   p = output / (its sum over c), clipped to epsilon .. 1 - epsilon

    with logits: y[n] = sum over c of  t[n, c] * (ln(sum over k of e**x[n, k]) - x[n, c]),   p = softmax(x)

    A symbolic `output` that a softmax over `axis` has just made is replaced by the softmax's input, and the second formula is
    used, as Keras does on TensorFlow; a saturated softmax then still learns.

    Args:
        target: t, probabilities or one-hot rows; the shape of `output`; cast to its dtype.
        output: p, or the logits x.
        from_logits: whether `output` holds logits.
        axis: where the classes are.
    Returns:
        The shape of `output` without `axis`, its dtype; integers and bools take the default floating dtype.
    NaN: a row with NaN gives NaN, as does t = 0 beside a logit of -inf. Empty: no rows give no losses.
    Raises:
        ShapeError: unequal shapes, a single number, no classes.  ArgumentError: an axis that `output` does not have.
    Source: Chollet 3.5.3; Keras 3 `ops.categorical_crossentropy`.

    >>> categorical_crossentropy([[0.0, 1.0]], [[0.5, 0.5]])
    array([0.6931472], dtype=float32)
    >>> categorical_crossentropy([[0.0, 1.0]], [[1000.0, 0.0]], from_logits=True)
    array([1000.], dtype=float32)
    """
    name = "categorical_crossentropy"
    output = floating(name, output, "output")
    target = as_dtype(converted(name, target, "target"), dtype_of(output))
    same_shape(name, target, output)
    axis = class_axis(name, output, axis)
    if made_by(output, softmax_op, axis=axis):
        output, from_logits = output.node.inputs[0], True
    if not flag(name, from_logits, "from_logits"):
        return ops.negative(ops.sum(ops.multiply(target, log_probabilities(output, axis)), axis))
    rows, labels = as_rows(output, axis), as_rows(target, axis)
    return without_axis(softmax_cross_entropy_op(rows, labels)[0], output, axis)


def sparse_categorical_crossentropy(
    target: TensorLike, output: TensorLike, from_logits: bool = False, axis: int = -1
) -> Array:
    """The cross-entropy of predictions over classes, the true class given by its number.

        y[n] = -ln(p[n, t[n]]),   p = output / (its sum over c), clipped to epsilon .. 1 - epsilon

    with logits: y[n] = ln(sum over k of e**x[n, k]) - x[n, t[n]],   p = softmax(x)

    A symbolic `output` that a softmax over `axis` has just made is replaced by the softmax's input, and the second formula is
    used, as Keras does on TensorFlow; a saturated softmax then still learns.

    Args:
        target: t, class numbers from 0; the shape of `output` without `axis`, or with a last axis of 1 more.
        output: p, or the logits x.
        from_logits: whether `output` holds logits.
        axis: where the classes are.
    Returns:
        The shape of `output` without `axis`, its dtype; integers and bools take the default floating dtype.
    NaN: a row with NaN logits gives NaN. Empty: no rows give no losses.
    Raises:
        ShapeError: shapes that do not fit, a single number, no classes.  DataError: a target that is no class.
        ArgumentError: an axis that `output` does not have.
    Source: Chollet 3.5.6; Keras 3 `ops.sparse_categorical_crossentropy`, where a target that is no class counts 0.

    >>> sparse_categorical_crossentropy([1, 0], [[0.5, 0.5], [0.25, 0.75]])
    array([0.6931472, 1.3862944], dtype=float32)
    >>> sparse_categorical_crossentropy([1], [[1000.0, 0.0]], from_logits=True)
    array([1000.], dtype=float32)
    """
    name = "sparse_categorical_crossentropy"
    output, target = floating(name, output, "output"), converted(name, target, "target")
    axis = class_axis(name, output, axis)
    expected = tuple(d for a, d in enumerate(shape_of(output)) if a != axis)
    if len(shape_of(target)) == len(expected) + 1 and shape_of(target)[-1] == 1:
        target = ops.squeeze(target, -1)
    if not compatible(shape_of(target), expected):
        raise ShapeError(
            f"{name} needs one class number for each row of output; for output of shape {shape_of(output)} and axis {axis} "
            f"that is a target of shape {expected}, got {shape_of(target)}. One-hot rows go to categorical_crossentropy."
        )
    if not dtypes.is_integer(dtype_of(target)):
        target = ops.cast(target, "int32")
    if made_by(output, softmax_op, axis=axis):
        output, from_logits = output.node.inputs[0], True
    labels = target if len(shape_of(target)) == 1 else ops.reshape(target, (-1,))
    if flag(name, from_logits, "from_logits"):
        return without_axis(sparse_softmax_cross_entropy_op(as_rows(output, axis), labels)[0], output, axis)
    chosen = pick_class_op(as_rows(log_probabilities(output, axis), axis), labels)
    return without_axis(ops.negative(chosen), output, axis)


def log_probabilities(output: TensorLike, axis: int) -> TensorLike:
    """ln of the output, made to sum to one and clipped, as Keras does."""
    p = ops.divide(output, ops.sum(output, axis, keepdims=True))
    return ops.log(ops.clip(p, settings.epsilon(), 1 - settings.epsilon()))


# ---- what the functions above check and rearrange


def made_by(output: TensorLike, op: Op, **attributes: int) -> bool:
    """Whether a symbolic tensor is what this op, called in this way, has just made."""
    return (
        isinstance(output, Tensor)
        and output.node is not None
        and output.node.op is op
        and output.node.attributes == attributes
    )


def compatible(a: tuple[int | None, ...], b: tuple[int | None, ...]) -> bool:
    return len(a) == len(b) and not [1 for p, q in zip(a, b) if p is not None and q is not None and p != q]


def same_shape(name: str, target: TensorLike, output: TensorLike) -> None:
    if not compatible(shape_of(target), shape_of(output)):
        raise ShapeError(
            f"{name} needs target and output of one shape; got target {shape_of(target)} and output {shape_of(output)}."
        )


def class_axis(name: str, output: TensorLike, axis: int) -> int:
    """The axis of the classes, counted from the front."""
    rank = len(shape_of(output))
    if rank == 0:
        raise ShapeError(f"{name} needs an output with an axis of classes; got a single number.")
    return checked_axis(name, axis, rank)


def as_rows(x: TensorLike, axis: int) -> TensorLike:
    """x as (rows, classes)."""
    rank = len(shape_of(x))
    if axis != rank - 1:
        x = ops.transpose(x, [*(a for a in range(rank) if a != axis), axis])
    return x if rank == 2 else ops.reshape(x, (-1, ops.shape(x)[-1]))


def without_axis(rows: TensorLike, output: TensorLike, axis: int) -> TensorLike:
    """One value for each row, in the output's shape without the axis of classes."""
    if len(shape_of(output)) == 2:
        return rows
    return ops.reshape(rows, tuple(d for a, d in enumerate(ops.shape(output)) if a != axis))


# ---- rows of logits: one task for each row. The probabilities come along, because the gradient needs nothing else.


def rows_rule(name: str, logits: Spec, target: Spec) -> tuple[Spec, Spec]:
    if logits.shape[1] == 0:
        raise ShapeError(f"{name} needs at least one class; got logits of shape {tuple(logits.shape)}.")
    return Spec((logits.shape[0],), logits.dtype), Spec(tuple(logits.shape), logits.dtype)


def rows_form(logits: Spec, target: Spec) -> Form:
    loss = Spec((logits.shape[0],), logits.dtype)
    return Form((whole(logits), whole(target)), (), (whole(loss), whole(logits)), loss.shape, cost=4 * logits.shape[1])


def rows_gradient_form(dloss: Spec, p: Spec, target: Spec) -> Form:
    return Form((whole(dloss), whole(p), whole(target)), (), (whole(p),), (p.shape[0],), cost=p.shape[1])


def largest_of_row(x: Array, n: int) -> Number:
    best = x[n, 0]
    for c in range(x.shape[1]):
        if x[n, c] > best or x[n, c] != x[n, c]:
            best = x[n, c]
    return best


def softmax_cross_entropy_loop(tasks: Tasks, x: Array, t: Array, loss: Array, p: Array) -> None:
    for (n,) in tasks:
        best = largest_of_row(x, n)
        total = 0
        for c in range(x.shape[1]):
            total += exp(x[n, c] - best)
        waste = 0
        for c in range(x.shape[1]):
            waste += t[n, c] * (log(total) - (x[n, c] - best))
            p[n, c] = exp(x[n, c] - best) / total
        loss[n] = waste


def softmax_cross_entropy_gradient_loop(tasks: Tasks, dloss: Array, p: Array, t: Array, dx: Array) -> None:
    for (n,) in tasks:
        total = 0
        for c in range(p.shape[1]):
            total += t[n, c]
        for c in range(p.shape[1]):
            dx[n, c] = dloss[n] * (p[n, c] * total - t[n, c])


def column(x: TensorLike) -> TensorLike:
    return ops.expand_dims(x, 1)


def softmax_cross_entropy_gradient(node: Node, dloss: TensorLike, dp: TensorLike) -> list[TensorLike]:
    (x, t), p = node.inputs, node.outputs[1]
    dx, dt = None, None
    if dloss is not None:
        dx = softmax_cross_entropy_gradient_op(dloss, p, t)
        dt = ops.negative(ops.multiply(column(dloss), ops.log_softmax(x)))
    return [joined(dx, through_softmax(dp, p)), dt]


def through_softmax(dp: TensorLike, p: TensorLike) -> TensorLike:
    return None if dp is None else softmax_gradient_op(dp, p, axis=1)


def joined(a: TensorLike, b: TensorLike) -> TensorLike:
    """The sum of two gradients, either of which may be missing."""
    return b if a is None else a if b is None else ops.add(a, b)


def softmax_cross_entropy_gradient_gradient(node: Node, d: TensorLike) -> list[TensorLike]:
    dloss, p, t = node.inputs
    total = ops.sum(t, 1, keepdims=True)
    weighted = ops.multiply(d, column(dloss))
    dt = ops.subtract(ops.multiply(column(dloss), ops.sum(ops.multiply(d, p), 1, keepdims=True)), weighted)
    return [
        ops.sum(ops.multiply(d, ops.subtract(ops.multiply(p, total), t)), 1),
        ops.multiply(weighted, total),
        dt,
    ]


softmax_cross_entropy_gradient_op = Op(
    "softmax_cross_entropy_gradient",
    lambda dloss, p, t: Spec(tuple(p.shape), p.dtype),
    loop=softmax_cross_entropy_gradient_loop,
    form=rows_gradient_form,
    gradient=softmax_cross_entropy_gradient_gradient,
    axes="rows, rows classes, rows classes",
)
softmax_cross_entropy_op = Op(
    "softmax_cross_entropy",
    lambda logits, target: rows_rule("softmax_cross_entropy", logits, target),
    loop=softmax_cross_entropy_loop,
    form=rows_form,
    gradient=softmax_cross_entropy_gradient,
    axes="rows classes, rows classes",
)


# ---- the same with class numbers for targets


def sparse_softmax_cross_entropy_loop(tasks: Tasks, x: Array, labels: Array, loss: Array, p: Array) -> None:
    for (n,) in tasks:
        best = largest_of_row(x, n)
        total = 0
        for c in range(x.shape[1]):
            total += exp(x[n, c] - best)
        chosen = best  # stands for a label outside the classes, which is reported elsewhere: nothing outside x is read
        for c in range(x.shape[1]):
            p[n, c] = exp(x[n, c] - best) / total
            if c == labels[n]:
                chosen = x[n, c]
        loss[n] = log(total) - (chosen - best)


def sparse_softmax_cross_entropy_gradient_loop(tasks: Tasks, dloss: Array, p: Array, labels: Array, dx: Array) -> None:
    for (n,) in tasks:
        for c in range(p.shape[1]):
            dx[n, c] = dloss[n] * (p[n, c] - 1) if c == labels[n] else dloss[n] * p[n, c]


def sparse_softmax_cross_entropy_gradient(node: Node, dloss: TensorLike, dp: TensorLike) -> list[TensorLike]:
    labels, p = node.inputs[1], node.outputs[1]
    dx = None if dloss is None else sparse_softmax_cross_entropy_gradient_op(dloss, p, labels)
    return [joined(dx, through_softmax(dp, p)), None]


def sparse_softmax_cross_entropy_gradient_gradient(node: Node, d: TensorLike) -> list[TensorLike]:
    dloss, p, labels = node.inputs
    slope = ops.subtract(ops.sum(ops.multiply(d, p), 1), pick_class_op(d, labels))
    return [slope, ops.multiply(d, column(dloss)), None]


def classes_of(position: int, rows: Spec) -> dict[int, tuple[int, int]]:
    """Class numbers lie in 0..classes-1."""
    return {position: (0, rows.shape[1])}


sparse_softmax_cross_entropy_gradient_op = Op(
    "sparse_softmax_cross_entropy_gradient",
    lambda dloss, p, labels: Spec(tuple(p.shape), p.dtype),
    loop=sparse_softmax_cross_entropy_gradient_loop,
    form=rows_gradient_form,
    gradient=sparse_softmax_cross_entropy_gradient_gradient,
    axes="rows, rows classes, rows",
)
sparse_softmax_cross_entropy_op = Op(
    "sparse_softmax_cross_entropy",
    lambda logits, labels: rows_rule("sparse_softmax_cross_entropy", logits, labels),
    loop=sparse_softmax_cross_entropy_loop,
    form=rows_form,
    gradient=sparse_softmax_cross_entropy_gradient,
    ranges=lambda logits, labels: classes_of(1, logits),
    axes="rows classes, rows",
    spoken="sparse_categorical_crossentropy",
)


# ---- the element of each row that its class number names


def pick_class_loop(tasks: Tasks, x: Array, labels: Array, y: Array) -> None:
    for (n,) in tasks:
        y[n] = x[n, 0]  # stands for a label outside the classes, which is reported elsewhere
        for c in range(x.shape[1]):
            if c == labels[n]:
                y[n] = x[n, c]


def pick_class_gradient_loop(tasks: Tasks, dy: Array, x: Array, labels: Array, dx: Array) -> None:
    for n, c in tasks:
        dx[n, c] = dy[n] if c == labels[n] else 0


pick_class_gradient_op = Op(
    "pick_class_gradient",
    lambda dy, x, labels: Spec(tuple(x.shape), dy.dtype),
    loop=pick_class_gradient_loop,
    shape_only=(1,),
    gradient=lambda node, d: [pick_class_op(d, node.inputs[2]), None, None],
    axes="rows, rows classes, rows",
)
pick_class_op: Op = Op(
    "pick_class",
    lambda x, labels: Spec((x.shape[0],), x.dtype),
    loop=pick_class_loop,
    gradient=lambda node, dy: [pick_class_gradient_op(dy, *node.inputs), None],
    ranges=lambda x, labels: classes_of(1, x),
    axes="rows classes, rows",
    spoken="sparse_categorical_crossentropy",
)
