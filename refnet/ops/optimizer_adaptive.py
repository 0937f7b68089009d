"""More optimizer updates: adagrad, adadelta, ftrl, lion. See `refnet.ops.optimizer`."""

from typing import Any

from refnet.annotations import Number, TensorLike
from refnet.ops.arguments import number
from refnet.ops.optimizer import call_update, update
from refnet.scalars import divide, power, sqrt

# ---- adagrad, adadelta


def adagrad_update(
    variable: TensorLike,
    accumulator: TensorLike,
    gradient: TensorLike,
    learning_rate: TensorLike,
    epsilon: float = 1e-7,
) -> Any:
    """One step of Adagrad: the gradient divided by the root of all squares so far.

        a = accumulator + gradient**2
        new = variable - learning_rate * gradient / sqrt(a + epsilon)

    Args:
        variable: the weight, of any floating dtype.
        accumulator: the state, Keras starts it at 0.1.
        gradient: of the weight's shape.
        learning_rate: one number.
        epsilon: keeps the divisor from zero.
    Returns:
        The new weight and a.
    NaN: spreads. Empty: empty results.
    Raises:
        ShapeError: shapes that differ.
    Source: Keras 3 `optimizers.Adagrad`; Duchi et al. 2011.

    >>> adagrad_update([1.0], [0.0], [2.0], 0.5, epsilon=0.0)
    (array([0.5], dtype=float32), array([4.], dtype=float32))
    """
    return call_update(
        adagrad_update_op,
        variable,
        accumulator,
        gradient,
        learning_rate,
        epsilon=number("adagrad_update", epsilon, "epsilon"),
    )


def adagrad_update_scalar(
    variable: Number, accumulator: Number, gradient: Number, learning_rate: Number, epsilon: float
) -> tuple[Number, Number]:
    a = accumulator + gradient * gradient
    return variable - divide(learning_rate * gradient, sqrt(a + epsilon)), a


def adadelta_update(
    variable: TensorLike,
    squares: TensorLike,
    steps: TensorLike,
    gradient: TensorLike,
    learning_rate: TensorLike,
    rho: float = 0.95,
    epsilon: float = 1e-7,
) -> Any:
    """One step of Adadelta: steps as large as the last ones were, whatever the gradient's scale.

        v = rho * squares + (1 - rho) * gradient**2
        d = sqrt(steps + epsilon) * gradient / sqrt(v + epsilon)
        s = rho * steps + (1 - rho) * d**2
        new = variable - learning_rate * d

    Args:
        variable: the weight, of any floating dtype.
        squares, steps: the state: means of squared gradients and of squared steps, zeros at the start.
        gradient: of the weight's shape.
        learning_rate: one number; 1 in the paper.
        rho: how much of the means stays, 0..1.
        epsilon: keeps the divisor from zero, and starts the steps.
    Returns:
        The new weight, v and s.
    NaN: spreads. Empty: empty results.
    Raises:
        ShapeError: shapes that differ.
    Source: Keras 3 `optimizers.Adadelta`; Zeiler 2012.

    >>> adadelta_update([1.0], [0.0], [4.0], [2.0], 0.5, rho=0.75, epsilon=0.0)
    (array([-1.], dtype=float32), array([1.], dtype=float32), array([7.], dtype=float32))
    """
    return call_update(
        adadelta_update_op,
        variable,
        squares,
        steps,
        gradient,
        learning_rate,
        rho=number("adadelta_update", rho, "rho"),
        epsilon=number("adadelta_update", epsilon, "epsilon"),
    )


def adadelta_update_scalar(
    variable: Number,
    squares: Number,
    steps: Number,
    gradient: Number,
    learning_rate: Number,
    rho: float,
    epsilon: float,
) -> tuple[Number, Number, Number]:
    v = rho * squares + (1 - rho) * (gradient * gradient)
    d = divide(sqrt(steps + epsilon) * gradient, sqrt(v + epsilon))
    return variable - learning_rate * d, v, rho * steps + (1 - rho) * (d * d)


adagrad_update_op = update("adagrad_update", adagrad_update_scalar, 1, ("epsilon",))
adadelta_update_op = update("adadelta_update", adadelta_update_scalar, 2, ("rho", "epsilon"))


# ---- ftrl


def ftrl_update(
    variable: TensorLike,
    accumulator: TensorLike,
    linear: TensorLike,
    gradient: TensorLike,
    learning_rate: TensorLike,
    learning_rate_power: float = -0.5,
    l1_regularization_strength: float = 0.0,
    l2_regularization_strength: float = 0.0,
    l2_shrinkage_regularization_strength: float = 0.0,
    beta: float = 0.0,
) -> Any:
    """One step of "follow the regularized leader": weights that are not needed become exactly zero.

        a = accumulator + gradient**2,  p = -learning_rate_power,  lr = learning_rate
        z = linear + gradient + 2 * l2_shrinkage * variable - (a**p - accumulator**p) / lr * variable
        new = (min(max(z, -l1), l1) - z) / (a**p / lr + 2 * l2 + beta / lr)

    Args:
        variable: the weight, of any floating dtype.
        accumulator: state, Keras starts it at 0.1.
        linear: state, zeros at the start.
        gradient: of the weight's shape.
        learning_rate: one number.
        learning_rate_power: at most 0.
        l1_regularization_strength, l2_regularization_strength, l2_shrinkage_regularization_strength, beta: not below 0.
    Returns:
        The new weight, a and z.
    NaN: spreads. Empty: empty results.
    Raises:
        ShapeError: shapes that differ.
    Source: Keras 3 `optimizers.Ftrl`; McMahan et al. 2013.

    >>> ftrl_update([1.0], [1.0], [0.0], [0.0], 0.5, l1_regularization_strength=1.0)
    (array([0.], dtype=float32), array([1.], dtype=float32), array([0.], dtype=float32))
    """
    return call_update(
        ftrl_update_op,
        variable,
        accumulator,
        linear,
        gradient,
        learning_rate,
        learning_rate_power=number("ftrl_update", learning_rate_power, "learning_rate_power"),
        l1=number("ftrl_update", l1_regularization_strength, "l1_regularization_strength"),
        l2=number("ftrl_update", l2_regularization_strength, "l2_regularization_strength"),
        shrinkage=number("ftrl_update", l2_shrinkage_regularization_strength, "l2_shrinkage_regularization_strength"),
        beta=number("ftrl_update", beta, "beta"),
    )


def ftrl_update_scalar(
    variable: Number,
    accumulator: Number,
    linear: Number,
    gradient: Number,
    learning_rate: Number,
    learning_rate_power: float,
    l1: float,
    l2: float,
    shrinkage: float,
    beta: float,
) -> tuple[Number, Number, Number]:
    a = accumulator + gradient * gradient
    root = power(a, -learning_rate_power)
    sigma = divide(root - power(accumulator, -learning_rate_power), learning_rate)
    z = linear + (gradient + 2 * shrinkage * variable - sigma * variable)
    over = z - z  # 0, or NaN
    if z > l1:
        over = l1 - z
    if z < -l1:
        over = -l1 - z
    return divide(over, divide(root + beta, learning_rate) + 2 * l2), a, z


_strengths = ("learning_rate_power", "l1", "l2", "shrinkage", "beta")
ftrl_update_op = update("ftrl_update", ftrl_update_scalar, 2, _strengths)


# ---- lion


def lion_update(
    variable: TensorLike,
    momentum: TensorLike,
    gradient: TensorLike,
    learning_rate: TensorLike,
    beta_1: float = 0.9,
    beta_2: float = 0.99,
) -> Any:
    """One step of Lion: every weight moves by the learning rate, only the direction is learned.

        new = variable - learning_rate * sign(beta_1 * momentum + (1 - beta_1) * gradient)
        m = beta_2 * momentum + (1 - beta_2) * gradient

    Args:
        variable: the weight, of any floating dtype.
        momentum: the state, zeros at the start.
        gradient: of the weight's shape.
        learning_rate: one number.
        beta_1, beta_2: how much of the mean counts, and stays, 0..1.
    Returns:
        The new weight and m.
    NaN: spreads. Empty: empty results.
    Raises:
        ShapeError: shapes that differ.
    Source: Keras 3 `optimizers.Lion`; Chen et al. 2023.

    >>> lion_update([1.0], [0.0], [-2.0], 0.5, beta_2=0.5)
    (array([1.5], dtype=float32), array([-1.], dtype=float32))
    """
    return call_update(
        lion_update_op,
        variable,
        momentum,
        gradient,
        learning_rate,
        beta_1=number("lion_update", beta_1, "beta_1"),
        beta_2=number("lion_update", beta_2, "beta_2"),
    )


def lion_update_scalar(
    variable: Number, momentum: Number, gradient: Number, learning_rate: Number, beta_1: float, beta_2: float
) -> tuple[Number, Number]:
    direction = beta_1 * momentum + (1 - beta_1) * gradient
    step = direction * 0  # 0, or NaN
    if direction > 0:
        step = learning_rate
    if direction < 0:
        step = -learning_rate
    return variable - step, beta_2 * momentum + (1 - beta_2) * gradient


lion_update_op = update("lion_update", lion_update_scalar, 1, ("beta_1", "beta_2"))
