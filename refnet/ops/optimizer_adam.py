"""Optimizer updates of Adam's family: adamw, adamax, nadam. See `refnet.ops.optimizer`."""

from typing import Any

from refnet import ops
from refnet.annotations import Number, TensorLike
from refnet.definition import Op, Spec
from refnet.errors import ArgumentError, ShapeError
from refnet.ops.arguments import as_dtype, converted, dtype_of, entries, floating, number
from refnet.ops.optimizer import adam_update, call_update, update
from refnet.scalars import divide, power, sqrt


def adamw_update(
    variable: TensorLike,
    momentum: TensorLike,
    velocity: TensorLike,
    gradient: TensorLike,
    alpha: TensorLike,
    learning_rate: TensorLike,
    weight_decay: float = 0.004,
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    epsilon: float = 1e-7,
    velocity_hat: TensorLike = None,
) -> Any:
    """One step of AdamW: the weight shrinks by itself, then Adam's step.

        w = variable - learning_rate * weight_decay * variable
        new, ... = adam_update(w, ...)

    Args:
        learning_rate: one number.
        weight_decay: how much of the weight goes, at a learning rate of 1.
        variable, momentum, velocity, gradient, alpha, beta_1, beta_2, epsilon, velocity_hat: as in `adam_update`.
    Returns:
        The new weight, m, v, and h where velocity_hat was given.
    NaN: spreads. Empty: empty results.
    Raises:
        ShapeError: shapes that differ.
    Source: Keras 3 `optimizers.AdamW`; Loshchilov and Hutter 2019.

    >>> adamw_update([1.0], [0.0], [0.0], [0.0], 0.5, 0.5, weight_decay=0.5, epsilon=1.0)[0]
    array([0.75], dtype=float32)
    """
    x = floating("adamw_update", variable, "variable")
    decay = ops.multiply(as_dtype(converted("adamw_update", learning_rate, "learning_rate"), dtype_of(x)), weight_decay)
    shrunk = ops.subtract(x, ops.multiply(decay, x))
    return adam_update(shrunk, momentum, velocity, gradient, alpha, beta_1, beta_2, epsilon, velocity_hat)


def rates_rule(count: int) -> Any:
    """The rule of an op that makes numbers of numbers."""

    def rule(*given: Spec, **_: Number) -> Any:
        for x in given:
            if len(x.shape):
                raise ShapeError(f"learning rates and steps must be single numbers; got shape {tuple(x.shape)}.")
        return Spec((), given[0].dtype) if count == 1 else (Spec((), given[0].dtype),) * count

    return rule


def call_rates(op: Op, learning_rate: TensorLike, *others: TensorLike, **attributes: float) -> Any:
    """Calls an op of rates_rule with everything in the learning rate's dtype."""
    rate = floating(op.name, learning_rate, "learning_rate")
    return op(rate, *[as_dtype(converted(op.name, x), dtype_of(rate)) for x in others], **attributes)


def adamax_rate(learning_rate: TensorLike, step: TensorLike, beta_1: float = 0.9) -> TensorLike:
    """Adamax's learning rate at a step: it makes up for the mean's start at zero.

        y = learning_rate / (1 - beta_1**step)

    Args:
        learning_rate: one number, of any floating dtype.
        step: 1 at the first update; an integer or a tensor of one.
        beta_1: as in `adamax_update`.
    Returns:
        One number, the dtype of `learning_rate`.
    NaN: inf or NaN at step 0.
    Source: Keras 3 `optimizers.Adamax`.

    >>> adamax_rate(0.5, 1, beta_1=0.5)
    array(1., dtype=float32)
    """
    return call_rates(adamax_rate_op, learning_rate, step, beta_1=number("adamax_rate", beta_1, "beta_1"))


def adamax_rate_scalar(learning_rate: Number, step: Number, beta_1: float) -> Number:
    return divide(learning_rate, 1 - power(beta_1, step))


def adamax_update(
    variable: TensorLike,
    momentum: TensorLike,
    norm: TensorLike,
    gradient: TensorLike,
    alpha: TensorLike,
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    epsilon: float = 1e-7,
) -> Any:
    """One step of Adamax: Adam with the largest gradient, slowly forgotten, in the place of the root mean square.

        m = momentum + (1 - beta_1) * (gradient - momentum)
        u = max(beta_2 * norm, |gradient|)
        new = variable - alpha * m / (u + epsilon)

    Args:
        variable: the weight, of any floating dtype.
        momentum, norm: the state, zeros at the start.
        gradient: of the weight's shape.
        alpha: `adamax_rate(learning_rate, step, beta_1)`.
        beta_1, beta_2: how much of the state stays, 0..1.
        epsilon: keeps the divisor from zero.
    Returns:
        The new weight, m and u.
    NaN: spreads. Empty: empty results.
    Raises:
        ShapeError: shapes that differ.
    Source: Keras 3 `optimizers.Adamax`; Kingma and Ba 2015, section 7.1.

    >>> adamax_update([1.0], [0.0], [0.0], [2.0], 0.5, beta_1=0.5, beta_2=0.75, epsilon=0.0)
    (array([0.75], dtype=float32), array([1.], dtype=float32), array([2.], dtype=float32))
    """
    means = {
        "beta_1": number("adamax_update", beta_1, "beta_1"),
        "beta_2": number("adamax_update", beta_2, "beta_2"),
        "epsilon": number("adamax_update", epsilon, "epsilon"),
    }
    return call_update(adamax_update_op, variable, momentum, norm, gradient, alpha, **means)


def adamax_update_scalar(
    variable: Number,
    momentum: Number,
    norm: Number,
    gradient: Number,
    alpha: Number,
    beta_1: float,
    beta_2: float,
    epsilon: float,
) -> tuple[Number, Number, Number]:
    m = momentum + (1 - beta_1) * (gradient - momentum)
    size = -gradient if gradient < 0 else gradient
    u = beta_2 * norm
    if size > u or size != size:
        u = size
    return variable - divide(alpha * m, u + epsilon), m, u


adamax_rate_op = Op("adamax_rate", rates_rule(1), scalar=adamax_rate_scalar, attributes=("beta_1",))
adamax_update_op = update("adamax_update", adamax_update_scalar, 2, ("beta_1", "beta_2", "epsilon"))


def nadam_rates(
    learning_rate: TensorLike, step: TensorLike, product: TensorLike, beta_1: float = 0.9, beta_2: float = 0.999
) -> Any:
    """Nadam's rates at a step: of the mean, of the gradient, of the squares; and the product of its momenta so far.

        u_t = beta_1 * (1 - 0.96**t / 2),  p = product * u_step
        y_0 = learning_rate * u_(step+1) / (1 - p * u_(step+1))
        y_1 = learning_rate * (1 - u_step) / (1 - p)
        y_2 = 1 / (1 - beta_2**step)
        y_3 = p

    Args:
        learning_rate: one number, of any floating dtype.
        step: 1 at the first update.
        product: 1 at the first update, then y_3 of the one before.
        beta_1, beta_2: as in `nadam_update`.
    Returns:
        Four numbers, the dtype of `learning_rate`.
    NaN: spreads.
    Source: Keras 3 `optimizers.Nadam`.

    >>> [float(y) for y in nadam_rates(1.0, 1, 1.0, beta_1=0.0, beta_2=0.5)]
    [0.0, 1.0, 2.0, 0.0]
    """
    return call_rates(
        nadam_rates_op,
        learning_rate,
        step,
        product,
        beta_1=number("nadam_rates", beta_1, "beta_1"),
        beta_2=number("nadam_rates", beta_2, "beta_2"),
    )


def nadam_rates_scalar(
    learning_rate: Number, step: Number, product: Number, beta_1: float, beta_2: float
) -> tuple[Number, Number, Number, Number]:
    now = beta_1 * (1 - 0.5 * power(0.96, step))
    then = beta_1 * (1 - 0.5 * power(0.96, step + 1))
    p = product * now
    of_mean = divide(learning_rate * then, 1 - p * then)
    return of_mean, divide(learning_rate * (1 - now), 1 - p), divide(1, 1 - power(beta_2, step)), p


def nadam_update(
    variable: TensorLike,
    momentum: TensorLike,
    velocity: TensorLike,
    gradient: TensorLike,
    rates: Any,
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    epsilon: float = 1e-7,
) -> Any:
    """One step of Nadam: Adam that looks one step ahead.

        m = momentum + (1 - beta_1) * (gradient - momentum)
        v = velocity + (1 - beta_2) * (gradient**2 - velocity)
        new = variable - (rates[0] * m + rates[1] * gradient) / (sqrt(v * rates[2]) + epsilon)

    Args:
        variable: the weight, of any floating dtype.
        momentum, velocity: the state, zeros at the start.
        gradient: of the weight's shape.
        rates: the first three of `nadam_rates(learning_rate, step, product, beta_1, beta_2)`.
        beta_1, beta_2: how much of the means stays, 0..1.
        epsilon: keeps the divisor from zero.
    Returns:
        The new weight, m and v.
    NaN: spreads. Empty: empty results.
    Raises:
        ShapeError: shapes that differ.
    Source: Keras 3 `optimizers.Nadam`; Dozat 2016.

    >>> nadam_update([1.0], [0.0], [0.0], [2.0], (0.25, 0.25, 4.0), beta_1=0.5, beta_2=0.75, epsilon=0.0)[0]
    array([0.625], dtype=float32)
    """
    means = {
        "beta_1": number("nadam_update", beta_1, "beta_1"),
        "beta_2": number("nadam_update", beta_2, "beta_2"),
        "epsilon": number("nadam_update", epsilon, "epsilon"),
    }
    return call_update(nadam_update_op, variable, momentum, velocity, gradient, *three_rates(rates), **means)


def three_rates(rates: Any) -> list[TensorLike]:
    """The rates of a step: numbers, as `nadam_rates` gives them first."""
    given = entries("nadam_update", rates, "rates")
    if len(given) < 3:
        raise ArgumentError(f"nadam_update: rates must be the three that nadam_rates gives first; got {len(given)}.")
    return given[:3]


def nadam_update_scalar(
    variable: Number,
    momentum: Number,
    velocity: Number,
    gradient: Number,
    of_mean: Number,
    of_gradient: Number,
    of_squares: Number,
    beta_1: float,
    beta_2: float,
    epsilon: float,
) -> tuple[Number, Number, Number]:
    m = momentum + (1 - beta_1) * (gradient - momentum)
    v = velocity + (1 - beta_2) * (gradient * gradient - velocity)
    step = of_mean * m + of_gradient * gradient
    return variable - divide(step, sqrt(v * of_squares) + epsilon), m, v


nadam_rates_op = Op("nadam_rates", rates_rule(4), scalar=nadam_rates_scalar, attributes=("beta_1", "beta_2"))
nadam_update_op = update("nadam_update", nadam_update_scalar, 2, ("beta_1", "beta_2", "epsilon"), rates=3)
