"""The plain recurrent net over whole sequences: each state is an activation of the input and the state before."""

from typing import Any

from refnet.annotations import Array, Tasks, TensorLike
from refnet.definition import Form, Op, Spec, whole
from refnet.graph import Node
from refnet.ops.arguments import flag, shape_of
from refnet.ops.recurrent import (
    activate,
    activation_code,
    checked_arguments,
    expect,
    flowing,
    gate_masks,
    initial,
    once_only,
    project,
    recurrence,
    recurrence_back,
    recurrent_dropout_gradient,
    recurrent_kernel_gradient,
    repeated,
    states_before,
    steps_mask,
    through,
)


def simple_rnn(
    inputs: TensorLike,
    kernel: TensorLike,
    recurrent_kernel: TensorLike,
    bias: TensorLike = None,
    initial_state: TensorLike = None,
    mask: TensorLike = None,
    *,
    activation: Any = "tanh",
    go_backwards: bool = False,
    dropout_mask: TensorLike = None,
    recurrent_dropout_mask: TensorLike = None,
) -> tuple[Array, Array]:
    """Each step's state is an activation of the step's input and of the state before.

        h[n, t, u] = activation(sum over f of x[n, t, f] * kernel[f, u] + bias[u]
                                + sum over j of h[n, t-1, j] * recurrent_kernel[j, u])

    Where mask[n, t] is false the state stays as it was, and so does the output.

    Args:
        inputs: x, (batch, time, features), at least one time step; integers take the default floating dtype.
        kernel: (features, units).
        recurrent_kernel: (units, units).
        bias: (units,), or None for zeros.
        initial_state: h[:, -1], (batch, units), or None for zeros.
        mask: (batch, time), which steps count; None for all.
        activation: a name of `refnet.ops.recurrent.ACTIVATIONS`, or the function of that name; None for linear.
        go_backwards: whether to take the steps from the last to the first; the outputs stand in the order of the steps.
        dropout_mask: (batch, features), factors on the inputs of every step.
        recurrent_dropout_mask: (batch, units), factors on the state before each step.
    Returns:
        The states after each step, (batch, time, units), and the last of them, (batch, units), in the promoted dtype.
    NaN: an input with NaN makes the row NaN from there on, unless its step is masked. Empty: no rows give no rows.
    Raises:
        ShapeError: shapes that do not fit, no time step.  ArgumentError: another activation.
    There is no second derivative: `ops.scan` has it.
    Source: Chollet 6.2.1; Elman 1990; Keras 3 `SimpleRNN` (its output at masked steps before the first step that counts is,
    as on JAX, the initial state).

    >>> outputs, last = simple_rnn([[[1.0], [2.0]]], [[1.0]], [[10.0]], activation="linear")
    >>> outputs
    array([[[ 1.],
            [12.]]], dtype=float32)
    """
    op, code = "simple_rnn", activation_code("simple_rnn", "activation", activation)
    go_backwards = flag("simple_rnn", go_backwards, "go_backwards")
    x, kernel, recurrent_kernel, bias, h0, dropout, recurrent_dropout = checked_arguments(
        op, 1, inputs, kernel, recurrent_kernel, bias, initial_state, dropout_mask, recurrent_dropout_mask
    )
    units = shape_of(recurrent_kernel)[0]
    if bias is not None:
        expect(op, "bias", bias, (units,), "(units,)")
    h = simple_rnn_op(
        project(op, 1, x, kernel, bias, dropout, go_backwards),
        recurrent_kernel,
        initial(op, "initial_state", h0, x, units),
        steps_mask(op, mask, x, go_backwards),
        gate_masks(op, recurrent_dropout, x, 1, units),
        activation=code,
    )
    return h, h[:, -1]


def simple_rnn_rule(projected: Spec, recurrent_kernel: Spec, h0: Spec, mask: Spec, dropout: Spec, **_: int) -> Spec:
    return Spec(tuple(projected.shape), projected.dtype)


def simple_rnn_form(
    projected: Spec, recurrent_kernel: Spec, h0: Spec, mask: Spec, dropout: Spec, *, activation: int
) -> Form:
    batch, time, units = projected.shape
    views = (
        whole(projected),
        whole(recurrent_kernel),
        whole(h0),
        repeated(mask, (batch, time)),
        repeated(dropout, (1, batch, units)),
    )
    scratch = ((units,), (units,))
    return Form(views, (activation,), (whole(projected),), (batch,), cost=time * units * units, scratch=scratch)


def simple_rnn_loop(
    tasks: Tasks,
    projected: Array,
    kernel: Array,
    h0: Array,
    mask: Array,
    dropout: Array,
    activation: int,
    h: Array,
    hidden: Array,
    fresh: Array,
) -> None:
    units = kernel.shape[0]
    for (n,) in tasks:
        for u in range(units):
            hidden[u] = h0[n, u]
        for t in range(projected.shape[1]):
            for u in range(units):
                fresh[u] = hidden[u]
                if mask[n, t]:
                    z = projected[n, t, u] + recurrence(hidden, dropout, kernel, 0, n, u)
                    fresh[u] = activate(z, activation)
            for u in range(units):
                hidden[u] = fresh[u]
                h[n, t, u] = fresh[u]


def simple_rnn_gradient_rule(
    dh: Spec, h: Spec, recurrent_kernel: Spec, mask: Spec, dropout: Spec, **_: int
) -> tuple[Spec, Spec]:
    return Spec(tuple(h.shape), h.dtype), Spec((h.shape[0], h.shape[2]), h.dtype)


def simple_rnn_gradient_form(
    dh: Spec, h: Spec, recurrent_kernel: Spec, mask: Spec, dropout: Spec, *, activation: int
) -> Form:
    batch, time, units = h.shape
    views = (
        repeated(dh, (batch, time, units)),
        whole(h),
        whole(recurrent_kernel),
        repeated(mask, (batch, time)),
        repeated(dropout, (1, batch, units)),
    )
    outputs = tuple(whole(s) for s in simple_rnn_gradient_rule(dh, h, recurrent_kernel, mask, dropout))
    scratch = ((units,), (units,))
    return Form(views, (activation,), outputs, (batch,), cost=time * units * units, scratch=scratch)


def simple_rnn_gradient_loop(
    tasks: Tasks,
    dh: Array,
    h: Array,
    kernel: Array,
    mask: Array,
    dropout: Array,
    activation: int,
    dprojected: Array,
    dh0: Array,
    dhidden: Array,
    row: Array,
) -> None:
    units = kernel.shape[0]
    for (n,) in tasks:
        for u in range(units):
            dhidden[u] = 0
        for back in range(h.shape[1]):
            t = h.shape[1] - 1 - back
            for u in range(units):
                dhidden[u] += dh[n, t, u]
                row[u] = 0
                if mask[n, t]:
                    row[u] = through(dhidden[u], h[n, t, u], activation)
                    dhidden[u] = 0
                dprojected[n, t, u] = row[u]
            if mask[n, t]:  # the slopes of a masked step are 0, but 0 times an infinite weight is not
                for j in range(units):
                    dhidden[j] += dropout[0, n, j] * recurrence_back(row, kernel, 0, j)
        for u in range(units):
            dh0[n, u] = dhidden[u]


def simple_rnn_gradient(node: Node, dh: TensorLike) -> list[TensorLike]:
    projected, kernel, h0, mask, dropout = node.inputs
    h = node.outputs[0]
    dz, dh0 = simple_rnn_gradient_op(flowing(dh, h), h, kernel, mask, dropout, **node.attributes)
    before = [states_before(h, h0)]
    dkernel = recurrent_kernel_gradient(before, dz, dropout)
    return [dz, dkernel, dh0, None, recurrent_dropout_gradient(before, dz, kernel, dropout)]


simple_rnn_gradient_op = Op(
    "simple_rnn_gradient",
    simple_rnn_gradient_rule,
    loop=simple_rnn_gradient_loop,
    form=simple_rnn_gradient_form,
    axes="?, batch time units, units units, ?, ?",
    gradient=once_only("simple_rnn"),
)
simple_rnn_op = Op(
    "simple_rnn",
    simple_rnn_rule,
    loop=simple_rnn_loop,
    form=simple_rnn_form,
    axes="batch time units, units units, batch units, ?, ?",
    gradient=simple_rnn_gradient,
)
