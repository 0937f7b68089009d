"""The gated recurrent unit over whole sequences: the new state is a mixture of the old one and a candidate."""

from typing import Any

from refnet import ops
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


def gru(
    inputs: TensorLike,
    kernel: TensorLike,
    recurrent_kernel: TensorLike,
    bias: TensorLike = None,
    initial_state: TensorLike = None,
    mask: TensorLike = None,
    *,
    activation: Any = "tanh",
    recurrent_activation: Any = "sigmoid",
    reset_after: bool = True,
    go_backwards: bool = False,
    dropout_mask: TensorLike = None,
    recurrent_dropout_mask: TensorLike = None,
) -> tuple[Array, Array]:
    """Gated recurrent unit: a gate z keeps the old state or lets a candidate in; a gate r lets the candidate see the old state.

        x' = x[n, t] * kernel + bias[0],   three thirds x'_z, x'_r, x'_g; recurrent_kernel's thirds R_z, R_r, R_g likewise
        z = recurrent_activation(x'_z + h[n, t-1] * R_z + b_z),   r = recurrent_activation(x'_r + h[n, t-1] * R_r + b_r)
        g = activation(x'_g + r * (h[n, t-1] * R_g + b_g))        with reset_after, b = bias[1]
        g = activation(x'_g + (r * h[n, t-1]) * R_g)              without, b = 0
        h[n, t, u] = z[u] * h[n, t-1, u] + (1 - z[u]) * g[u]

    Where mask[n, t] is false the state stays as it was, and so does the output.

    Args:
        inputs: x, (batch, time, features), at least one time step; integers take the default floating dtype.
        kernel: (features, 3 * units), columns in the order z, r, g (Keras: h).
        recurrent_kernel: (units, 3 * units).
        bias: (2, 3 * units) with reset_after, (3 * units,) without, or None for zeros.
        initial_state: h before the first step, (batch, units), or None for zeros.
        mask: (batch, time), which steps count; None for all.
        activation, recurrent_activation: names of `refnet.ops.recurrent.ACTIVATIONS`, or the functions; None for linear.
        reset_after: whether r acts after the product with the recurrent kernel (as on GPUs) or before it (as first published).
        go_backwards: whether to take the steps from the last to the first; the outputs stand in the order of the steps.
        dropout_mask: (batch, features), or (3, batch, features) with one for each gate: factors on the inputs of every step.
        recurrent_dropout_mask: (batch, units), or (3, batch, units): factors on the state that meets the recurrent kernel.
    Returns:
        h after each step, (batch, time, units), and the last h, (batch, units), in the promoted dtype.
    NaN: an input with NaN makes the row NaN from there on, unless its step is masked. Empty: no rows give no rows.
    Raises:
        ShapeError: shapes that do not fit, no time step.  ArgumentError: another activation.
    There is no second derivative: `ops.scan` has it.
    Source: Chollet 6.2.2; Cho et al. 2014; Keras 3 `GRU` (its output at masked steps before the first step that counts is, as
    on JAX, the initial state).

    >>> outputs, h = gru([[[4.0], [8.0]]], [[0.0, 0.0, 1.0]], np.zeros((1, 3)), activation="linear")
    >>> outputs  # half of the input, then half of that and half of the next
    array([[[2.],
            [5.]]])
    """
    op = "gru"
    codes = {
        "activation": activation_code(op, "activation", activation),
        "recurrent_activation": activation_code(op, "recurrent_activation", recurrent_activation),
        "reset_after": flag("gru", reset_after, "reset_after"),
    }
    go_backwards = flag("gru", go_backwards, "go_backwards")
    x, kernel, recurrent_kernel, bias, h0, dropout, recurrent_dropout = checked_arguments(
        op, 3, inputs, kernel, recurrent_kernel, bias, initial_state, dropout_mask, recurrent_dropout_mask
    )
    units = shape_of(recurrent_kernel)[0]
    recurrent_bias = ops.zeros_like(recurrent_kernel[0])
    if bias is not None and reset_after:
        expect(op, "bias", bias, (2, 3 * units), "(2, 3 * units) with reset_after")
        bias, recurrent_bias = bias[0], bias[1]
    elif bias is not None:
        expect(op, "bias", bias, (3 * units,), "(3 * units,) without reset_after")
    h, _, _ = gru_op(
        project(op, 3, x, kernel, bias, dropout, go_backwards),
        recurrent_kernel,
        recurrent_bias,
        initial(op, "initial_state", h0, x, units),
        steps_mask(op, mask, x, go_backwards),
        gate_masks(op, recurrent_dropout, x, 3, units),
        **codes,
    )
    return h, h[:, -1]


def gru_rule(
    projected: Spec, recurrent_kernel: Spec, recurrent_bias: Spec, h0: Spec, mask: Spec, dropout: Spec, **_: int
) -> tuple[Spec, Spec, Spec]:
    """h after each step; the gates and the candidate's product with the recurrent kernel, 0 where a step is masked."""
    batch, time, columns = projected.shape
    state = Spec((batch, time, columns // 3), projected.dtype)
    return state, Spec((batch, time, columns), projected.dtype), state


def gru_form(
    projected: Spec,
    recurrent_kernel: Spec,
    recurrent_bias: Spec,
    h0: Spec,
    mask: Spec,
    dropout: Spec,
    *,
    activation: int,
    recurrent_activation: int,
    reset_after: bool,
) -> Form:
    batch, time, columns = projected.shape
    units = columns // 3
    views = (
        whole(projected),
        whole(recurrent_kernel),
        whole(recurrent_bias),
        whole(h0),
        repeated(mask, (batch, time)),
        repeated(dropout, (3, batch, units)),
    )
    outputs = gru_rule(projected, recurrent_kernel, recurrent_bias, h0, mask, dropout)
    return Form(
        views,
        (activation, recurrent_activation, reset_after),
        tuple(map(whole, outputs)),
        (batch,),
        cost=time * units * columns,
        scratch=((units,),) * 4,
    )


def gru_loop(
    tasks: Tasks,
    projected: Array,
    kernel: Array,
    bias: Array,
    h0: Array,
    mask: Array,
    dropout: Array,
    activation: int,
    recurrent_activation: int,
    reset_after: bool,
    h: Array,
    gates: Array,
    inner: Array,
    hidden: Array,
    update: Array,
    reset: Array,
    seen: Array,
) -> None:
    units = kernel.shape[0]
    for (n,) in tasks:
        for u in range(units):
            hidden[u] = h0[n, u]
        for t in range(projected.shape[1]):
            for u in range(units):
                z = projected[n, t, u] + recurrence(hidden, dropout, kernel, 0, n, u)
                r = projected[n, t, units + u] + recurrence(hidden, dropout, kernel, 1, n, u)
                if reset_after:
                    z += bias[u]
                    r += bias[units + u]
                update[u] = activate(z, recurrent_activation)
                reset[u] = activate(r, recurrent_activation)
            for u in range(units):
                seen[u] = hidden[u] if reset_after else reset[u] * hidden[u]
            for u in range(units):
                part = recurrence(seen, dropout, kernel, 2, n, u)
                if reset_after:
                    part += bias[2 * units + u]
                g = activate(projected[n, t, 2 * units + u] + (reset[u] * part if reset_after else part), activation)
                counts = mask[n, t]
                if counts:
                    hidden[u] = update[u] * hidden[u] + (1 - update[u]) * g
                gates[n, t, u] = update[u] if counts else 0
                gates[n, t, units + u] = reset[u] if counts else 0
                gates[n, t, 2 * units + u] = g if counts else 0
                inner[n, t, u] = part if counts else 0
                h[n, t, u] = hidden[u]


def gru_gradient_rule(
    dh: Spec,
    dgates: Spec,
    dinner: Spec,
    h: Spec,
    gates: Spec,
    inner: Spec,
    recurrent_kernel: Spec,
    h0: Spec,
    mask: Spec,
    dropout: Spec,
    **_: int,
) -> tuple[Spec, Spec, Spec]:
    """The slopes of each step's projected inputs, of its products with the recurrent kernel, and of the first h."""
    columns = Spec(tuple(gates.shape), gates.dtype)
    return columns, columns, Spec((h.shape[0], h.shape[2]), h.dtype)


def gru_gradient_form(
    dh: Spec,
    dgates: Spec,
    dinner: Spec,
    h: Spec,
    gates: Spec,
    inner: Spec,
    recurrent_kernel: Spec,
    h0: Spec,
    mask: Spec,
    dropout: Spec,
    *,
    activation: int,
    recurrent_activation: int,
    reset_after: bool,
) -> Form:
    batch, time, units = h.shape
    views = (
        repeated(dh, (batch, time, units)),
        repeated(dgates, (batch, time, 3 * units)),
        repeated(dinner, (batch, time, units)),
        whole(h),
        whole(gates),
        whole(inner),
        whole(recurrent_kernel),
        whole(h0),
        repeated(mask, (batch, time)),
        repeated(dropout, (3, batch, units)),
    )
    outputs = gru_gradient_rule(dh, dgates, dinner, h, gates, inner, recurrent_kernel, h0, mask, dropout)
    return Form(
        views,
        (activation, recurrent_activation, reset_after),
        tuple(map(whole, outputs)),
        (batch,),
        cost=3 * time * units * units,
        scratch=((units,), (3 * units,), (3 * units,)),
    )


def gru_gradient_loop(
    tasks: Tasks,
    dh: Array,
    dgates: Array,
    dinner: Array,
    h: Array,
    gates: Array,
    inner: Array,
    kernel: Array,
    h0: Array,
    mask: Array,
    dropout: Array,
    activation: int,
    recurrent_activation: int,
    reset_after: bool,
    dprojected: Array,
    drecurrent: Array,
    dh0: Array,
    dhidden: Array,
    outer: Array,
    row: Array,
) -> None:
    # From the last step to the first: dhidden is what flows into the step's h and then into the h before it; outer holds the
    # slopes of the projected inputs, row those of the products with the recurrent kernel.
    units = kernel.shape[0]
    for (n,) in tasks:
        for u in range(units):
            dhidden[u] = 0
        for back in range(h.shape[1]):
            t = h.shape[1] - 1 - back
            for u in range(units):
                dhidden[u] += dh[n, t, u]
            for k in range(3 * units):
                outer[k] = 0
                row[k] = 0
            if mask[n, t]:
                for u in range(units):
                    before = h[n, t - 1, u] if t > 0 else h0[n, u]
                    z = gates[n, t, u]
                    r = gates[n, t, units + u]
                    g = gates[n, t, 2 * units + u]
                    dz = dgates[n, t, u] + dhidden[u] * (before - g)
                    dg = dgates[n, t, 2 * units + u] + dhidden[u] * (1 - z)
                    dhidden[u] = dhidden[u] * z
                    outer[u] = through(dz, z, recurrent_activation)
                    outer[2 * units + u] = through(dg, g, activation)
                    row[u] = outer[u]
                    row[2 * units + u] = dinner[n, t, u] + outer[2 * units + u] * (r if reset_after else 1)
                for j in range(units):
                    before = h[n, t - 1, j] if t > 0 else h0[n, j]
                    r = gates[n, t, units + j]
                    dr = dgates[n, t, units + j]
                    into = dropout[2, n, j] * recurrence_back(row, kernel, 2, j)
                    if reset_after:
                        dr += outer[2 * units + j] * inner[n, t, j]
                        dhidden[j] += into
                    else:
                        dr += into * before
                        dhidden[j] += into * r
                    outer[units + j] = through(dr, r, recurrent_activation)
                    row[units + j] = outer[units + j]
                for j in range(units):
                    for gate in range(2):
                        dhidden[j] += dropout[gate, n, j] * recurrence_back(row, kernel, gate, j)
            for k in range(3 * units):
                dprojected[n, t, k] = outer[k]
                drecurrent[n, t, k] = row[k]
        for u in range(units):
            dh0[n, u] = dhidden[u]


def gru_gradient(node: Node, dh: TensorLike, dgates: TensorLike, dinner: TensorLike) -> list[TensorLike]:
    projected, kernel, bias, h0, mask, dropout = node.inputs
    h, gates, inner = node.outputs
    flows = [flowing(d, h) for d in (dh, dgates, dinner)]
    dx, dz, dh0 = gru_gradient_op(*flows, h, gates, inner, kernel, h0, mask, dropout, **node.attributes)
    units = shape_of(h)[2]
    before = [states_before(h, h0)] * 3
    if not node.attributes["reset_after"]:
        before[2] = ops.multiply(gates[:, :, units : 2 * units], before[0])
    dkernel = recurrent_kernel_gradient(before, dz, dropout)
    dbias = ops.sum(dz, (0, 1)) if node.attributes["reset_after"] else None
    return [dx, dkernel, dbias, dh0, None, recurrent_dropout_gradient(before, dz, kernel, dropout)]


gru_gradient_op = Op(
    "gru_gradient",
    gru_gradient_rule,
    loop=gru_gradient_loop,
    form=gru_gradient_form,
    axes="?, ?, ?, batch time units, batch time 3units, batch time units, units 3units, batch units, ?, ?",
    gradient=once_only("gru"),
)
gru_op = Op(
    "gru",
    gru_rule,
    loop=gru_loop,
    form=gru_form,
    gradient=gru_gradient,
    axes="batch time 3units, units 3units, 3units, batch units, ?, ?",
)
