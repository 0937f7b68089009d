"""The long short-term memory over whole sequences: a cell that gates write, keep and read."""

from typing import Any

from refnet.annotations import Array, Tasks, TensorLike
from refnet.definition import Form, Op, Spec, whole
from refnet.errors import ArgumentError
from refnet.graph import Node
from refnet.ops.arguments import entries, flag, shape_of
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


def lstm(
    inputs: TensorLike,
    kernel: TensorLike,
    recurrent_kernel: TensorLike,
    bias: TensorLike = None,
    initial_state: Any = None,
    mask: TensorLike = None,
    *,
    activation: Any = "tanh",
    recurrent_activation: Any = "sigmoid",
    go_backwards: bool = False,
    dropout_mask: TensorLike = None,
    recurrent_dropout_mask: TensorLike = None,
) -> tuple[Array, Array, Array]:
    """Long short-term memory: gates decide what a cell takes in (i), keeps (f) and shows (o).

        z[n, t, k] = sum over f of x[n, t, f] * kernel[f, k] + bias[k] + sum over j of h[n, t-1, j] * recurrent_kernel[j, k]
        i, f, g, o = the four quarters of z[n, t], i, f and o through recurrent_activation, g through activation
        c[n, t, u] = f[u] * c[n, t-1, u] + i[u] * g[u]
        h[n, t, u] = o[u] * activation(c[n, t, u])

    Where mask[n, t] is false h and c stay as they were, and so does the output.

    Args:
        inputs: x, (batch, time, features), at least one time step; integers take the default floating dtype.
        kernel: (features, 4 * units), columns in the order i, f, g (Keras: c), o.
        recurrent_kernel: (units, 4 * units).
        bias: (4 * units,), or None for zeros.
        initial_state: a pair h, c before the first step, (batch, units) each, or None for zeros.
        mask: (batch, time), which steps count; None for all.
        activation, recurrent_activation: names of `refnet.ops.recurrent.ACTIVATIONS`, or the functions; None for linear.
        go_backwards: whether to take the steps from the last to the first; the outputs stand in the order of the steps.
        dropout_mask: (batch, features), or (4, batch, features) with one for each gate: factors on the inputs of every step.
        recurrent_dropout_mask: (batch, units), or (4, batch, units): factors on the state h that goes into z.
    Returns:
        h after each step, (batch, time, units), the last h and the last c, (batch, units), in the promoted dtype.
    NaN: an input with NaN makes the row NaN from there on, unless its step is masked. Empty: no rows give no rows.
    Raises:
        ShapeError: shapes that do not fit, no time step.  ArgumentError: another activation, not two states.
    There is no second derivative: `ops.scan` has it.
    Source: Chollet 6.2.2; Hochreiter and Schmidhuber 1997; Keras 3 `LSTM` (its output at masked steps before the first step
    that counts is, as on JAX, the initial state).

    >>> outputs, h, c = lstm([[[0.0], [0.0]]], np.zeros((1, 4)), np.zeros((1, 4)), [0.0, 0.0, 1.0, 0.0], activation="linear")
    >>> outputs  # half of it comes in, half of it is kept, half of it is shown
    array([[[0.25 ],
            [0.375]]])
    """
    op = "lstm"
    codes = {
        "activation": activation_code(op, "activation", activation),
        "recurrent_activation": activation_code(op, "recurrent_activation", recurrent_activation),
    }
    if initial_state is not None and len(entries("lstm", initial_state, "initial_state")) != 2:
        raise ArgumentError(f"lstm needs two initial states, h and c; got {len(initial_state)}.")
    h0, c0 = (None, None) if initial_state is None else initial_state
    go_backwards = flag("lstm", go_backwards, "go_backwards")
    x, kernel, recurrent_kernel, bias, h0, c0, dropout, recurrent_dropout = checked_arguments(
        op, 4, inputs, kernel, recurrent_kernel, bias, h0, c0, dropout_mask, recurrent_dropout_mask
    )
    units = shape_of(recurrent_kernel)[0]
    if bias is not None:
        expect(op, "bias", bias, (4 * units,), "(4 * units,)")
    h, c, _ = lstm_op(
        project(op, 4, x, kernel, bias, dropout, go_backwards),
        recurrent_kernel,
        initial(op, "initial_state[0]", h0, x, units),
        initial(op, "initial_state[1]", c0, x, units),
        steps_mask(op, mask, x, go_backwards),
        gate_masks(op, recurrent_dropout, x, 4, units),
        **codes,
    )
    return h, h[:, -1], c[:, -1]


def lstm_rule(
    projected: Spec, recurrent_kernel: Spec, h0: Spec, c0: Spec, mask: Spec, dropout: Spec, **_: int
) -> tuple[Spec, Spec, Spec]:
    """h and c after each step, and the gates, 0 where a step is masked."""
    batch, time, columns = projected.shape
    state = Spec((batch, time, columns // 4), projected.dtype)
    return state, state, Spec((batch, time, columns), projected.dtype)


def lstm_form(
    projected: Spec,
    recurrent_kernel: Spec,
    h0: Spec,
    c0: Spec,
    mask: Spec,
    dropout: Spec,
    *,
    activation: int,
    recurrent_activation: int,
) -> Form:
    batch, time, columns = projected.shape
    units = columns // 4
    views = (
        whole(projected),
        whole(recurrent_kernel),
        whole(h0),
        whole(c0),
        repeated(mask, (batch, time)),
        repeated(dropout, (4, batch, units)),
    )
    outputs = tuple(whole(s) for s in lstm_rule(projected, recurrent_kernel, h0, c0, mask, dropout))
    codes, scratch = (activation, recurrent_activation), ((units,), (units,), (units,))
    return Form(views, codes, outputs, (batch,), cost=time * units * columns, scratch=scratch)


def lstm_loop(
    tasks: Tasks,
    projected: Array,
    kernel: Array,
    h0: Array,
    c0: Array,
    mask: Array,
    dropout: Array,
    activation: int,
    recurrent_activation: int,
    h: Array,
    c: Array,
    gates: Array,
    hidden: Array,
    cell: Array,
    fresh: Array,
) -> None:
    units = kernel.shape[0]
    for (n,) in tasks:
        for u in range(units):
            hidden[u] = h0[n, u]
            cell[u] = c0[n, u]
        for t in range(projected.shape[1]):
            for k in range(4 * units):
                gates[n, t, k] = 0
            for u in range(units):
                fresh[u] = hidden[u]
                if mask[n, t]:
                    i = activate(
                        projected[n, t, u] + recurrence(hidden, dropout, kernel, 0, n, u), recurrent_activation
                    )
                    f = projected[n, t, units + u] + recurrence(hidden, dropout, kernel, 1, n, u)
                    f = activate(f, recurrent_activation)
                    g = projected[n, t, 2 * units + u] + recurrence(hidden, dropout, kernel, 2, n, u)
                    g = activate(g, activation)
                    o = projected[n, t, 3 * units + u] + recurrence(hidden, dropout, kernel, 3, n, u)
                    o = activate(o, recurrent_activation)
                    gates[n, t, u] = i
                    gates[n, t, units + u] = f
                    gates[n, t, 2 * units + u] = g
                    gates[n, t, 3 * units + u] = o
                    cell[u] = f * cell[u] + i * g
                    fresh[u] = o * activate(cell[u], activation)
            for u in range(units):
                hidden[u] = fresh[u]
                h[n, t, u] = fresh[u]
                c[n, t, u] = cell[u]


def lstm_gradient_rule(
    dh: Spec,
    dc: Spec,
    dgates: Spec,
    gates: Spec,
    c: Spec,
    recurrent_kernel: Spec,
    c0: Spec,
    mask: Spec,
    dropout: Spec,
    **_: int,
) -> tuple[Spec, Spec, Spec]:
    """The slopes of the preactivations of each step, of the first h and of the first c."""
    state = Spec((c.shape[0], c.shape[2]), c.dtype)
    return Spec(tuple(gates.shape), gates.dtype), state, state


def lstm_gradient_form(
    dh: Spec,
    dc: Spec,
    dgates: Spec,
    gates: Spec,
    c: Spec,
    recurrent_kernel: Spec,
    c0: Spec,
    mask: Spec,
    dropout: Spec,
    *,
    activation: int,
    recurrent_activation: int,
) -> Form:
    batch, time, units = c.shape
    views = (
        repeated(dh, (batch, time, units)),
        repeated(dc, (batch, time, units)),
        repeated(dgates, (batch, time, 4 * units)),
        whole(gates),
        whole(c),
        whole(recurrent_kernel),
        whole(c0),
        repeated(mask, (batch, time)),
        repeated(dropout, (4, batch, units)),
    )
    outputs = lstm_gradient_rule(dh, dc, dgates, gates, c, recurrent_kernel, c0, mask, dropout)
    return Form(
        views,
        (activation, recurrent_activation),
        tuple(map(whole, outputs)),
        (batch,),
        cost=4 * time * units * units,
        scratch=((units,), (units,), (4 * units,)),
    )


def lstm_gradient_loop(
    tasks: Tasks,
    dh: Array,
    dc: Array,
    dgates: Array,
    gates: Array,
    c: Array,
    kernel: Array,
    c0: Array,
    mask: Array,
    dropout: Array,
    activation: int,
    recurrent_activation: int,
    dprojected: Array,
    dh0: Array,
    dc0: Array,
    dhidden: Array,
    dcell: Array,
    row: Array,
) -> None:
    # From the last step to the first: dhidden and dcell are what flows into the step's h and c, row what leaves through z.
    units = kernel.shape[0]
    for (n,) in tasks:
        for u in range(units):
            dhidden[u] = 0
            dcell[u] = 0
        for back in range(c.shape[1]):
            t = c.shape[1] - 1 - back
            for u in range(units):
                i = gates[n, t, u]
                f = gates[n, t, units + u]
                g = gates[n, t, 2 * units + u]
                o = gates[n, t, 3 * units + u]
                dhidden[u] += dh[n, t, u]
                dcell[u] += dc[n, t, u]
                for gate in range(4):
                    row[gate * units + u] = 0
                if mask[n, t]:
                    before = c[n, t - 1, u] if t > 0 else c0[n, u]
                    shown = activate(c[n, t, u], activation)
                    inside = dcell[u] + through(dhidden[u] * o, shown, activation)
                    row[u] = through(dgates[n, t, u] + inside * g, i, recurrent_activation)
                    df = dgates[n, t, units + u] + inside * before
                    row[units + u] = through(df, f, recurrent_activation)
                    row[2 * units + u] = through(dgates[n, t, 2 * units + u] + inside * i, g, activation)
                    do = dgates[n, t, 3 * units + u] + dhidden[u] * shown
                    row[3 * units + u] = through(do, o, recurrent_activation)
                    dcell[u] = inside * f
                    dhidden[u] = 0
            for k in range(4 * units):
                dprojected[n, t, k] = row[k]
            if mask[n, t]:  # the slopes of a masked step are 0, but 0 times an infinite weight is not
                for j in range(units):
                    for gate in range(4):
                        dhidden[j] += dropout[gate, n, j] * recurrence_back(row, kernel, gate, j)
        for u in range(units):
            dh0[n, u] = dhidden[u]
            dc0[n, u] = dcell[u]


def lstm_gradient(node: Node, dh: TensorLike, dc: TensorLike, dgates: TensorLike) -> list[TensorLike]:
    projected, kernel, h0, c0, mask, dropout = node.inputs
    h, c, gates = node.outputs
    flows = [flowing(d, h) for d in (dh, dc, dgates)]
    dz, dh0, dc0 = lstm_gradient_op(*flows, gates, c, kernel, c0, mask, dropout, **node.attributes)
    before = [states_before(h, h0)] * 4
    dkernel = recurrent_kernel_gradient(before, dz, dropout)
    return [dz, dkernel, dh0, dc0, None, recurrent_dropout_gradient(before, dz, kernel, dropout)]


lstm_gradient_op = Op(
    "lstm_gradient",
    lstm_gradient_rule,
    loop=lstm_gradient_loop,
    form=lstm_gradient_form,
    axes="?, ?, ?, batch time 4units, batch time units, units 4units, batch units, ?, ?",
    gradient=once_only("lstm"),
)
lstm_op = Op(
    "lstm",
    lstm_rule,
    loop=lstm_loop,
    form=lstm_form,
    gradient=lstm_gradient,
    axes="batch time 4units, units 4units, batch units, batch units, ?, ?",
)
