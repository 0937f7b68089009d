"""Optimizer updates: what one step of a rule makes of a weight and of the state it keeps beside it.

The formulas, and the place of epsilon in them, are Keras 3's. An update gives the new weight, then the new state. The learning
rate (for Adam: `adam_rate`) is an input, so that a schedule needs no new program; what stays the same over a training is an
attribute. Updates have no gradient.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from refnet.annotations import Number, TensorLike
from refnet.definition import Op, Spec
from refnet.errors import ShapeError
from refnet.ops.arguments import as_dtype, converted, dtype_of, flag, floating, number
from refnet.scalars import divide, power, sqrt


def update(name: str, scalar: Callable[..., Any], states: int, attributes: tuple[str, ...], rates: int = 1) -> Op:
    """An update op: inputs variable, states, gradient, so many rates (the learning rate); outputs variable, states."""

    def rule(variable: Spec, *others: Spec, **_: Number) -> tuple[Spec, ...]:
        shape = tuple(variable.shape)
        for x in others[:-rates]:
            if len(x.shape) != len(shape) or any(d not in (None, n) for d, n in zip(x.shape, shape)):
                raise ShapeError(
                    f"{name}: the variable has shape {shape}; state and gradient must have it too, got {tuple(x.shape)}."
                )
        for x in others[-rates:]:
            if len(x.shape):
                raise ShapeError(f"{name}: the learning rate must be one number; got shape {tuple(x.shape)}.")
        return (Spec(shape, variable.dtype),) * (1 + states)

    return Op(name, rule, scalar=scalar, attributes=attributes)


def call_update(op: Op, variable: TensorLike, *others: TensorLike, **attributes: Number) -> Any:
    """Calls an update op with everything in the variable's dtype."""
    x = floating(op.name, variable, "variable")
    dtype = dtype_of(x)
    numbers = [np.asarray(other) if isinstance(other, (int, float)) else converted(op.name, other) for other in others]
    return op(x, *[as_dtype(number, dtype) for number in numbers], **attributes)


# ---- stochastic gradient descent


def sgd_update(variable: TensorLike, gradient: TensorLike, learning_rate: TensorLike) -> TensorLike:
    """One step of gradient descent.

        new = variable - learning_rate * gradient

    Args:
        variable: the weight, of any floating dtype.
        gradient: of the weight's shape.
        learning_rate: one number.
    Returns:
        The new weight; shape and dtype of the old one.
    NaN: spreads. Empty: an empty result.
    Raises:
        ShapeError: a gradient of another shape.
    Source: Keras 3 `optimizers.SGD`; Chollet 2.4.3.

    >>> sgd_update([1.0, 2.0], [4.0, -4.0], 0.25)
    array([0., 3.], dtype=float32)
    """
    return call_update(sgd_update_op, variable, gradient, learning_rate)


def sgd_update_scalar(variable: Number, gradient: Number, learning_rate: Number) -> Number:
    return variable - learning_rate * gradient


def sgd_momentum_update(
    variable: TensorLike,
    velocity: TensorLike,
    gradient: TensorLike,
    learning_rate: TensorLike,
    momentum: float,
    nesterov: bool = False,
) -> Any:
    """One step of gradient descent with momentum.

        v = momentum * velocity - learning_rate * gradient
        new = variable + v                                              without nesterov
        new = variable + momentum * v - learning_rate * gradient        with nesterov

    Args:
        variable: the weight, of any floating dtype.
        velocity: the state, zeros at the start.
        gradient: of the weight's shape.
        learning_rate: one number.
        momentum: how much of the velocity stays, 0..1.
        nesterov: whether to look one step ahead.
    Returns:
        The new weight and v.
    NaN: spreads. Empty: empty results.
    Raises:
        ShapeError: shapes that differ.
    Source: Keras 3 `optimizers.SGD`; Sutskever et al. 2013.

    >>> sgd_momentum_update([1.0], [0.5], [1.0], 0.25, momentum=0.5)
    (array([1.], dtype=float32), array([0.], dtype=float32))
    """
    return call_update(
        sgd_momentum_update_op,
        variable,
        velocity,
        gradient,
        learning_rate,
        momentum=number("sgd_momentum_update", momentum, "momentum"),
        nesterov=flag("sgd_momentum_update", nesterov, "nesterov"),
    )


def sgd_momentum_update_scalar(
    variable: Number, velocity: Number, gradient: Number, learning_rate: Number, momentum: float, nesterov: bool
) -> tuple[Number, Number]:
    step = learning_rate * gradient
    v = momentum * velocity - step
    if nesterov:
        return variable + momentum * v - step, v
    return variable + v, v


sgd_update_op = update("sgd_update", sgd_update_scalar, 0, ())
sgd_momentum_update_op = update("sgd_momentum_update", sgd_momentum_update_scalar, 1, ("momentum", "nesterov"))


# ---- RMSprop


def rmsprop_update(
    variable: TensorLike,
    velocity: TensorLike,
    gradient: TensorLike,
    learning_rate: TensorLike,
    rho: float = 0.9,
    epsilon: float = 1e-7,
    momentum: float = 0.0,
    momentums: TensorLike = None,
    average: TensorLike = None,
) -> Any:
    """One step of RMSprop: the gradient divided by a running root mean square.

        v = rho * velocity + (1 - rho) * gradient**2
        a = rho * average + (1 - rho) * gradient
        d = learning_rate * gradient / sqrt(v + epsilon)                plain
        d = learning_rate * gradient / sqrt(v - a**2 + epsilon)         centered: with `average`
        m = momentum * momentums + d                                    with `momentums`; then m stands for d below
        new = variable - d

    Args:
        variable: the weight, of any floating dtype.
        velocity: state: the mean of squares, zeros at the start.
        gradient: of the weight's shape.
        learning_rate: one number.
        rho: how much of the means stays, 0..1.
        epsilon: keeps the divisor from zero.
        momentum: how much of `momentums` stays.
        momentums: state of the form with momentum, zeros at the start; None for the form without.
        average: state of the centered form: the mean of gradients, zeros at the start; None for the plain form.
    Returns:
        The new weight, v, then m and a where their states were given.
    NaN: spreads; centered, where v - a**2 + epsilon is below 0 by rounding. Empty: empty results.
    Raises:
        ShapeError: shapes that differ.
    Source: Keras 3 `optimizers.RMSprop`; Tieleman and Hinton 2012.

    >>> rmsprop_update([1.0], [0.0], [2.0], 0.5, rho=0.75, epsilon=0.0)
    (array([0.], dtype=float32), array([1.], dtype=float32))
    """
    means = {"rho": number("rmsprop_update", rho, "rho"), "epsilon": number("rmsprop_update", epsilon, "epsilon")}
    state = [velocity] + [x for x in (momentums, average) if x is not None]
    if momentums is None:
        op = rmsprop_update_op if average is None else rmsprop_centered_update_op
        return call_update(op, variable, *state, gradient, learning_rate, **means)
    op = rmsprop_momentum_update_op if average is None else rmsprop_centered_momentum_update_op
    return call_update(
        op, variable, *state, gradient, learning_rate, **means, momentum=number("rmsprop_update", momentum, "momentum")
    )


def rmsprop_update_scalar(
    variable: Number, velocity: Number, gradient: Number, learning_rate: Number, rho: float, epsilon: float
) -> tuple[Number, Number]:
    v = rho * velocity + (1 - rho) * (gradient * gradient)
    return variable - divide(learning_rate * gradient, sqrt(v + epsilon)), v


def rmsprop_momentum_update_scalar(
    variable: Number,
    velocity: Number,
    momentums: Number,
    gradient: Number,
    learning_rate: Number,
    rho: float,
    epsilon: float,
    momentum: float,
) -> tuple[Number, Number, Number]:
    v = rho * velocity + (1 - rho) * (gradient * gradient)
    m = momentum * momentums + divide(learning_rate * gradient, sqrt(v + epsilon))
    return variable - m, v, m


def rmsprop_centered_update_scalar(
    variable: Number,
    velocity: Number,
    average: Number,
    gradient: Number,
    learning_rate: Number,
    rho: float,
    epsilon: float,
) -> tuple[Number, Number, Number]:
    v = rho * velocity + (1 - rho) * (gradient * gradient)
    a = rho * average + (1 - rho) * gradient
    return variable - divide(learning_rate * gradient, sqrt(v - a * a + epsilon)), v, a


def rmsprop_centered_momentum_update_scalar(
    variable: Number,
    velocity: Number,
    momentums: Number,
    average: Number,
    gradient: Number,
    learning_rate: Number,
    rho: float,
    epsilon: float,
    momentum: float,
) -> tuple[Number, Number, Number, Number]:
    v = rho * velocity + (1 - rho) * (gradient * gradient)
    a = rho * average + (1 - rho) * gradient
    m = momentum * momentums + divide(learning_rate * gradient, sqrt(v - a * a + epsilon))
    return variable - m, v, m, a


_means = ("rho", "epsilon")
rmsprop_update_op = update("rmsprop_update", rmsprop_update_scalar, 1, _means)
rmsprop_momentum_update_op = update("rmsprop_momentum_update", rmsprop_momentum_update_scalar, 2, (*_means, "momentum"))
rmsprop_centered_update_op = update("rmsprop_centered_update", rmsprop_centered_update_scalar, 2, _means)
rmsprop_centered_momentum_update_op = update(
    "rmsprop_centered_momentum_update", rmsprop_centered_momentum_update_scalar, 3, (*_means, "momentum")
)


# ---- Adam


def adam_rate(learning_rate: TensorLike, step: TensorLike, beta_1: float = 0.9, beta_2: float = 0.999) -> TensorLike:
    """Adam's learning rate at a step: it makes up for the means' start at zero.

        y = learning_rate * sqrt(1 - beta_2**step) / (1 - beta_1**step)

    Args:
        learning_rate: one number, of any floating dtype.
        step: 1 at the first update; an integer or a tensor of one.
        beta_1, beta_2: as in `adam_update`.
    Returns:
        One number, the dtype of `learning_rate`. Computed wide (Keras computes the powers in the weight's dtype).
    NaN: at step 0.
    Source: Keras 3 `optimizers.Adam`; Kingma and Ba 2015, the remark before section 2.1.

    >>> adam_rate(0.5, 1, beta_1=0.5, beta_2=0.75)
    array(0.5, dtype=float32)
    """
    rate = floating("adam_rate", learning_rate, "learning_rate")
    step = as_dtype(converted("adam_rate", step, "step"), dtype_of(rate))
    return adam_rate_op(
        rate, step, beta_1=number("adam_rate", beta_1, "beta_1"), beta_2=number("adam_rate", beta_2, "beta_2")
    )


def adam_rate_scalar(learning_rate: Number, step: Number, beta_1: float, beta_2: float) -> Number:
    return learning_rate * divide(sqrt(1 - power(beta_2, step)), 1 - power(beta_1, step))


def adam_rate_rule(learning_rate: Spec, step: Spec, *, beta_1: float, beta_2: float) -> Spec:
    if len(learning_rate.shape) or len(step.shape):
        raise ShapeError(
            f"adam_rate takes two numbers; got shapes {tuple(learning_rate.shape)} and {tuple(step.shape)}."
        )
    return Spec((), learning_rate.dtype)


def adam_update(
    variable: TensorLike,
    momentum: TensorLike,
    velocity: TensorLike,
    gradient: TensorLike,
    alpha: TensorLike,
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    epsilon: float = 1e-7,
    velocity_hat: TensorLike = None,
) -> Any:
    """One step of Adam: a running mean of the gradient divided by a running root mean square.

        m = momentum + (1 - beta_1) * (gradient - momentum)
        v = velocity + (1 - beta_2) * (gradient**2 - velocity)
        new = variable - alpha * m / (sqrt(v) + epsilon)
        AMSGrad: h = max(velocity_hat, v) takes the place of v in the last line

    Args:
        variable: the weight, of any floating dtype.
        momentum, velocity: the state, zeros at the start.
        gradient: of the weight's shape.
        alpha: `adam_rate(learning_rate, step, beta_1, beta_2)`.
        beta_1, beta_2: how much of the means stays, 0..1.
        epsilon: keeps the divisor from zero.
        velocity_hat: AMSGrad's further state, zeros at the start; None for plain Adam.
    Returns:
        The new weight, m, v, and h where velocity_hat was given.
    NaN: spreads. Empty: empty results.
    Raises:
        ShapeError: shapes that differ.
    Source: Keras 3 `optimizers.Adam`; Kingma and Ba 2015; AMSGrad: Reddi et al. 2018.

    >>> adam_update([1.0], [0.0], [0.0], [2.0], 0.5, beta_1=0.5, beta_2=0.75, epsilon=0.0)
    (array([0.5], dtype=float32), array([1.], dtype=float32), array([1.], dtype=float32))
    """
    means = {
        "beta_1": number("adam_update", beta_1, "beta_1"),
        "beta_2": number("adam_update", beta_2, "beta_2"),
        "epsilon": number("adam_update", epsilon, "epsilon"),
    }
    if velocity_hat is None:
        return call_update(adam_update_op, variable, momentum, velocity, gradient, alpha, **means)
    return call_update(adam_amsgrad_update_op, variable, momentum, velocity, velocity_hat, gradient, alpha, **means)


def adam_update_scalar(
    variable: Number,
    momentum: Number,
    velocity: Number,
    gradient: Number,
    alpha: Number,
    beta_1: float,
    beta_2: float,
    epsilon: float,
) -> tuple[Number, Number, Number]:
    m = momentum + (1 - beta_1) * (gradient - momentum)
    v = velocity + (1 - beta_2) * (gradient * gradient - velocity)
    return variable - divide(alpha * m, sqrt(v) + epsilon), m, v


def adam_amsgrad_update_scalar(
    variable: Number,
    momentum: Number,
    velocity: Number,
    velocity_hat: Number,
    gradient: Number,
    alpha: Number,
    beta_1: float,
    beta_2: float,
    epsilon: float,
) -> tuple[Number, Number, Number, Number]:
    m = momentum + (1 - beta_1) * (gradient - momentum)
    v = velocity + (1 - beta_2) * (gradient * gradient - velocity)
    h = velocity_hat
    if v > h or v != v:
        h = v
    return variable - divide(alpha * m, sqrt(h) + epsilon), m, v, h


adam_rate_op = Op("adam_rate", adam_rate_rule, scalar=adam_rate_scalar, attributes=("beta_1", "beta_2"))
adam_update_op = update("adam_update", adam_update_scalar, 2, ("beta_1", "beta_2", "epsilon"))
adam_amsgrad_update_op = update("adam_amsgrad_update", adam_amsgrad_update_scalar, 3, ("beta_1", "beta_2", "epsilon"))
