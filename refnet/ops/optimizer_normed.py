"""Optimizer updates that look at a weight as a whole: Lamb, Adafactor, Muon; and the one without a schedule.

They are written with other ops. See `refnet.ops.optimizer`.
"""

from collections.abc import Sequence
from typing import Any

from refnet import ops
from refnet.annotations import TensorLike
from refnet.errors import ArgumentError, ShapeError
from refnet.ops.arguments import as_dtype, converted, dtype_of, entries, flag, floating, integer, number, shape_of
from refnet.ops.optimizer_adam import adamax_rate

MOST_STEPS = 1000  # of Muon's polynomial, which converges in a few: each is a part of the graph


def _in_dtype_of(name: str, variable: TensorLike, *others: TensorLike) -> list[TensorLike]:
    """The variable and the others, all in the variable's dtype."""
    x = floating(name, variable, "variable")
    return [x, *(as_dtype(converted(name, other), dtype_of(x)) for other in others)]


def _approached(mean: TensorLike, value: TensorLike, kept: float) -> TensorLike:
    """mean + (1 - kept) * (value - mean)"""
    return ops.add(mean, ops.multiply(ops.subtract(value, mean), 1 - kept))


def _root_mean_square(x: TensorLike) -> TensorLike:
    return ops.sqrt(ops.mean(ops.square(x)))


def lamb_update(
    variable: TensorLike,
    momentum: TensorLike,
    velocity: TensorLike,
    gradient: TensorLike,
    learning_rate: TensorLike,
    step: TensorLike,
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    epsilon: float = 1e-7,
) -> Any:
    """One step of Lamb: Adam's direction, as long as the weight is.

        m = momentum + (1 - beta_1) * (gradient - momentum)
        v = velocity + (1 - beta_2) * (gradient**2 - velocity)
        d = (m / (1 - beta_1**step)) / (sqrt(v / (1 - beta_2**step)) + epsilon)
        new = variable - learning_rate * |variable| / |d| * d               (1 for the quotient where a norm is 0)

    Args:
        variable: the weight, of any floating dtype.
        momentum, velocity: the state, zeros at the start.
        gradient: of the weight's shape.
        learning_rate: one number.
        step: 1 at the first update.
        beta_1, beta_2: how much of the means stays, 0..1.
        epsilon: keeps the divisor from zero.
    Returns:
        The new weight, m and v.
    NaN: spreads. Empty: empty results.
    Source: You et al. 2020; Keras 3 `optimizers.Lamb`.

    >>> lamb_update([3.0, 4.0], [0.0, 0.0], [0.0, 0.0], [1.0, 0.0], 0.5, 1, epsilon=0.5)[0]
    array([0.5, 4. ], dtype=float32)
    """
    name = "lamb_update"
    beta_1, beta_2 = number(name, beta_1, "beta_1"), number(name, beta_2, "beta_2")
    x, m, v, g, rate = _in_dtype_of(name, variable, momentum, velocity, gradient, learning_rate)
    m, v = _approached(m, g, beta_1), _approached(v, ops.square(g), beta_2)
    one = as_dtype(converted(name, 1.0), dtype_of(x))
    mean = ops.multiply(m, adamax_rate(one, step, beta_1))
    square = ops.multiply(v, adamax_rate(one, step, beta_2))
    direction = ops.divide(mean, ops.add(ops.sqrt(square), epsilon))
    lengths = [ops.sqrt(ops.sum(ops.square(y))) for y in (x, direction)]
    both = ops.logical_and(ops.greater(lengths[0], 0), ops.greater(lengths[1], 0))
    ratio = ops.where(both, ops.divide_no_nan(*lengths), 1.0)
    return ops.subtract(x, ops.multiply(ops.multiply(ratio, rate), direction)), m, v


def adafactor_update(
    variable: TensorLike,
    rows: TensorLike,
    columns: TensorLike,
    velocity: TensorLike,
    gradient: TensorLike,
    learning_rate: TensorLike,
    step: TensorLike,
    beta_2_decay: float = -0.8,
    epsilon_1: float = 1e-30,
    epsilon_2: float = 1e-3,
    clip_threshold: float = 1.0,
) -> Any:
    """One step of Adafactor: of the squares of a matrix the means of rows and columns are kept.

        b = 1 - step**beta_2_decay,  q = gradient**2 + epsilon_1
        r = b * rows + (1 - b) * mean of q over the last axis
        c = b * columns + (1 - b) * mean of q over the last axis but one
        v = r / (mean of r) * c,  or b * velocity + (1 - b) * q for a weight with fewer than two axes
        u = gradient / sqrt(v)
        new = variable - max(epsilon_2, rms(variable)) * min(learning_rate, 1 / sqrt(step)) * u / max(1, rms(u) / clip_threshold)

    Args:
        variable: the weight, of any floating dtype.
        rows, columns: the state of a matrix, zeros at the start: the weight's shape without its last, and without its last but
            one axis; of other weights they stay as they are.
        velocity: state, zeros at the start; of a matrix it is only given back.
        gradient: of the weight's shape.
        learning_rate: one number.
        step: 1 at the first update.
        beta_2_decay, epsilon_1, epsilon_2, clip_threshold: see above; rms is the root of the mean square.
    Returns:
        The new weight, r, c and v.
    NaN: spreads. Empty: empty results.
    Source: Shazeer and Stern 2018; Keras 3 `optimizers.Adafactor`.

    >>> adafactor_update([2.0], 0.0, 0.0, [0.0], [4.0], 0.25, 1)[0]
    array([1.5], dtype=float32)
    """
    x, r, c, v, g, rate, t = _in_dtype_of(
        "adafactor_update", variable, rows, columns, velocity, gradient, learning_rate, step
    )
    rest = ops.power(t, number("adafactor_update", beta_2_decay, "beta_2_decay"))
    kept, square = ops.subtract(1.0, rest), ops.add(ops.square(g), epsilon_1)

    def mean(before: TensorLike, value: TensorLike) -> TensorLike:
        return ops.add(ops.multiply(before, kept), ops.multiply(value, rest))

    if len(shape_of(x)) >= 2:
        r, c = mean(r, ops.mean(square, axis=-1)), mean(c, ops.mean(square, axis=-2))
        share = ops.divide(r, ops.mean(r, axis=-1, keepdims=True))
        v = ops.multiply(ops.expand_dims(share, -1), ops.expand_dims(c, -2))
    else:
        v = mean(v, square)
    u = ops.divide(g, ops.sqrt(v))
    u = ops.divide(u, ops.maximum(ops.divide(_root_mean_square(u), clip_threshold), 1.0))
    size = ops.multiply(ops.maximum(_root_mean_square(x), epsilon_2), ops.minimum(rate, ops.divide(1.0, ops.sqrt(t))))
    return ops.subtract(x, ops.multiply(size, u)), r, c, v


def muon_update(
    variable: TensorLike,
    momentum: TensorLike,
    gradient: TensorLike,
    learning_rate: TensorLike,
    beta: float = 0.95,
    nesterov: bool = True,
    steps: int = 5,
    rms_rate: float | None = 0.2,
    polynomial: Sequence[float] = (3.4445, -4.7750, 2.0315),
) -> Any:
    """One step of Muon: a momentum whose singular values are brought near 1.

        m = beta * momentum + gradient
        g = gradient + beta * m with nesterov, else m
        x = g / (|g| + 1e-7), then `steps` times  x = a * x + (b * x x' + c * (x x')(x x')) x
        new = variable - learning_rate * x * rms_rate * sqrt(max(rows, columns))

    Args:
        variable: a matrix, of any floating dtype.
        momentum: the state, zeros at the start.
        gradient: of the weight's shape.
        learning_rate: one number.
        beta: how much of the momentum stays, 0..1.
        nesterov: whether to look one step ahead.
        steps: how often the polynomial is applied.
        rms_rate: None for no factor in the last line.
        polynomial: a, b and c.
    Returns:
        The new weight and m.
    NaN: spreads. Empty: empty results.
    Raises:
        ShapeError: a weight that is no matrix.  ArgumentError: steps outside 0..1000, a polynomial of other than three numbers.
    Source: Jordan et al. 2024; Keras 3 `optimizers.Muon`.

    >>> muon_update([[1.0]], [[0.0]], [[2.0]], 0.5, nesterov=False, steps=0, rms_rate=None)
    (array([[0.5]], dtype=float32), array([[2.]], dtype=float32))
    """
    name = "muon_update"
    factors = [number(name, part, "polynomial") for part in entries(name, polynomial, "polynomial")]
    if len(factors) != 3:
        raise ArgumentError(f"{name}: polynomial must be three numbers; got {len(factors)}.")
    if not 0 <= (steps := integer(name, steps, "steps")) <= MOST_STEPS:
        raise ArgumentError(f"{name}: steps must be 0..{MOST_STEPS}; got {steps}.")
    x, m, g, rate = _in_dtype_of(name, variable, momentum, gradient, learning_rate)
    if len(shape_of(x)) != 2:
        raise ShapeError(f"{name} takes a matrix; got a weight of shape {shape_of(x)}.")
    m = ops.add(ops.multiply(m, beta), g)
    rows, columns = shape_of(x)
    y = ops.add(g, ops.multiply(m, beta)) if flag(name, nesterov, "nesterov") else m
    y = orthogonal(ops.transpose(y) if rows > columns else y, factors, steps)
    y = ops.transpose(y) if rows > columns else y
    factor = 1.0 if rms_rate is None else number(name, rms_rate, "rms_rate") * float(max(rows, columns)) ** 0.5
    return ops.subtract(x, ops.multiply(ops.multiply(y, rate), factor)), m


def orthogonal(y: TensorLike, factors: Sequence[float], steps: int) -> TensorLike:
    """A matrix whose singular values come near 1, by Newton and Schulz's iteration."""
    a, b, c = factors
    y = ops.divide(y, ops.add(ops.sqrt(ops.sum(ops.square(y))), 1e-7))
    for _ in range(steps):
        square = ops.matmul(y, ops.transpose(y))
        mixed = ops.add(ops.multiply(square, b), ops.multiply(ops.matmul(square, square), c))
        y = ops.add(ops.multiply(y, a), ops.matmul(mixed, y))
    return y


def schedule_free_adamw_update(
    variable: TensorLike,
    iterate: TensorLike,
    velocity: TensorLike,
    gradient: TensorLike,
    learning_rate: TensorLike,
    step: TensorLike,
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    epsilon: float = 1e-8,
    warmup_steps: int = 0,
) -> Any:
    """One step of schedule-free AdamW: Adam's step for an iterate z, whose average x needs no falling learning rate.

        The weight y lies between them:  y = (1 - beta_1) * z + beta_1 * x.
        v = velocity + (1 - beta_2) * (gradient**2 - velocity)
        z' = z - r * gradient / (sqrt(v / (1 - beta_2**step)) + epsilon),   r = learning_rate * min(step / warmup_steps, 1)
        x' = (1 - 1 / step) * x + z' / step,   new = (1 - beta_1) * z' + beta_1 * x'

    Args:
        variable: the weight y, of any floating dtype.
        iterate: the state z, the weight itself at the start.
        velocity: state, zeros at the start.
        gradient: of the weight's shape, taken at y.
        learning_rate: one number.
        step: 1 at the first update.
        beta_1: above 0, at most 1.  beta_2: how much of the mean square stays, 0..1.
        epsilon: keeps the divisor from zero.
        warmup_steps: 0 for none.
    Returns:
        The new weight, z' and v.
    NaN: spreads. Empty: empty results.
    Source: Defazio et al. 2024; Keras 3 `optimizers.ScheduleFreeAdamW`.

    >>> schedule_free_adamw_update([1.0], [1.0], [0.0], [2.0], 0.5, 1, epsilon=0.0)[0]
    array([0.5], dtype=float32)
    """
    name = "schedule_free_adamw_update"
    beta_1, beta_2 = number(name, beta_1, "beta_1"), number(name, beta_2, "beta_2")
    y, z, v, g, rate, t = _in_dtype_of(name, variable, iterate, velocity, gradient, learning_rate, step)
    if (most := number(name, warmup_steps, "warmup_steps")) > 0:
        rate = ops.multiply(rate, ops.minimum(ops.divide(t, most), 1.0))
    v = _approached(v, ops.square(g), beta_2)
    one = as_dtype(converted(name, 1.0), dtype_of(y))
    divisor = ops.add(ops.sqrt(ops.multiply(v, adamax_rate(one, step, beta_2))), epsilon)
    new_z = ops.subtract(z, ops.divide(ops.multiply(rate, g), divisor))
    x = ops.divide(ops.subtract(y, ops.multiply(z, 1 - beta_1)), beta_1)
    share = ops.divide(1.0, t)
    x = ops.add(ops.multiply(x, ops.subtract(1.0, share)), ops.multiply(new_z, share))
    return ops.add(ops.multiply(new_z, 1 - beta_1), ops.multiply(x, beta_1)), new_z, v
