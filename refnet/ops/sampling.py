"""More distributions for `refnet.random`: yes or no, classes, gamma, beta and binomial; exact in plain arithmetic, like `philox`."""

from typing import Any

import numpy as np

from refnet import dtypes, ops
from refnet.annotations import Array, Number, Tasks, TensorLike
from refnet.definition import Form, Op, Spec, View, size_of
from refnet.errors import ArgumentError, ShapeError, called_as
from refnet.graph import run_counter, trace
from refnet.ops.arguments import as_dtype, dtype_of, floating, integer, is_symbolic, number, shape_of
from refnet.philox import fraction53, inner_fraction, log_below_one, normal_quantile, random_words
from refnet.scalars import INF, NAN, sqrt, truncate
from refnet.seeds import SeedGenerator, checked_seed, next_seed

# ---- yes or no, classes


def bernoulli(shape: Any, probability: TensorLike = 0.5, dtype: str | None = None, seed: Any = None) -> TensorLike:
    """Ones with a probability, else zeros.

        y[i] = 1 if u[i] < probability[i] else 0,  u = uniform(shape, seed=seed)

    Args:
        shape: the result's shape; entries may come from `ops.shape`.
        probability: a number, array or tensor in 0..1 that broadcasts to the shape.
        dtype: the result's dtype; the default floating dtype if None.
        seed: an integer in 0..2**32-1, a SeedGenerator, or None for a new seed of the global stream.
    Returns:
        That shape and dtype. A probability of 0 gives zeros, of 1 ones; NaN gives zeros.
    Empty: an empty result.
    Raises:
        ShapeError: a probability that does not broadcast.  ArgumentError: a bad seed.

    >>> bernoulli((6,), 0.25, seed=3)
    array([0., 1., 0., 0., 0., 0.], dtype=float32)
    """
    from refnet.random import draw, random_uniform_op

    p = floating("bernoulli", probability, "probability")
    wide = "float64" if dtype_of(p) == "float64" else "float32"
    u = draw(random_uniform_op, shape, seed, is_symbolic(p), dtype=wide, minval=0.0, maxval=1.0)
    below = ops.less(u, as_dtype(p, wide))
    if len(shape_of(below)) != len(shape_of(u)):
        raise ShapeError(f"bernoulli: a probability of shape {shape_of(p)} does not broadcast to {shape_of(u)}.")
    return ops.cast(below, dtypes.standardize(dtype))


def categorical(logits: TensorLike, num_samples: int, dtype: str = "int32", seed: Any = None) -> TensorLike:
    """Classes, drawn by their scores.

        P(y[n, s] = c) = softmax(logits)[n, c]

    y[n, s] is the last class c with a probability above 0 that begins at or below u[n, s] * total, where class c begins at the
    sum of the probabilities before it and u = uniform((batch, num_samples), seed=seed).

    Args:
        logits: scores (batch, classes).
        num_samples: how many classes to draw for each row.
        dtype: an integer dtype.
        seed: an integer in 0..2**32-1, a SeedGenerator, or None for a new seed of the global stream.
    Returns:
        (batch, num_samples), that dtype.
    NaN: a row that softmax makes NaN gives class 0. Empty: an empty result.
    Raises:
        ShapeError: other axes, or no class.  ArgumentError: a negative number of samples, a bad seed.
    Source: Keras 3 `random.categorical`.

    >>> categorical([[0.0, 0.0], [100.0, -100.0]], 4, seed=1)
    array([[1, 1, 1, 1],
           [0, 0, 0, 0]], dtype=int32)
    """
    from refnet.random import draw, random_uniform_op

    scores = floating("categorical", logits, "logits")
    if len(shape_of(scores)) != 2 or shape_of(scores)[1] == 0:
        raise ShapeError(
            f"categorical takes scores (batch, classes), at least one class; got {tuple(shape_of(scores))}."
        )
    if isinstance(num_samples, bool) or not isinstance(num_samples, (int, np.integer)) or num_samples < 0:
        raise ArgumentError(f"categorical: num_samples must be an integer, not below 0; got {num_samples!r}.")
    wide = "float64" if dtype_of(scores) == "float64" else "float32"
    shares = ops.softmax(as_dtype(scores, wide))
    shape = (ops.shape(scores)[0], integer("categorical", num_samples, "num_samples"))
    u = draw(random_uniform_op, shape, seed, is_symbolic(scores), dtype=wide, minval=0.0, maxval=1.0)
    return ops.cast(share_at_op(shares, u), dtypes.standardize(dtype))


def share_at_loop(tasks: Tasks, shares: Array, u: Array, y: Array) -> None:
    for n, s in tasks:
        total = 0
        for c in range(shares.shape[1]):
            total += shares[n, c]
        before = 0
        picked = 0
        for c in range(shares.shape[1]):
            if shares[n, c] > 0 and before <= u[n, s] * total:
                picked = c
            before += shares[n, c]
        y[n, s] = picked


def share_at_form(shares: Spec, u: Spec) -> Form:
    view = View(tuple(u.shape))
    return Form((View(tuple(shares.shape)), view), (), (view,), view.shape, cost=3 * shares.shape[1])


# The class at place u, 0 <= u < 1, where each class has its share of the whole.
share_at_op = Op(
    "share_at",
    lambda shares, u: Spec(tuple(u.shape), "int32"),
    loop=share_at_loop,
    form=share_at_form,
    axes="rows classes, rows draws",
)


# ---- gamma, beta

ATTEMPTS = 63  # blocks of the generator that an element may use before one is kept for the last factor


def gamma(shape: Any, alpha: TensorLike, dtype: str | None = None, seed: Any = None) -> TensorLike:
    """Numbers of the gamma distribution with scale 1.

        density  x**(alpha - 1) * e**-x / Gamma(alpha)

    By rejection: x = d (1 + c z)**3 with z normal, d = alpha - 1/3, c = 1 / sqrt(9 d); for alpha below 1 that of alpha + 1 times
    u**(1 / alpha).

    Args:
        shape: the result's shape; entries may come from `ops.shape`.
        alpha: a number, array or tensor above 0 that broadcasts to the shape.
        dtype: a floating dtype; the default one if None.
        seed: an integer in 0..2**32-1, a SeedGenerator, or None for a new seed of the global stream.
    Returns:
        That shape and dtype.
    NaN: where alpha is not above 0, or infinite. Empty: an empty result.
    Raises:
        DtypeError: no floating dtype.  ShapeError: alpha does not broadcast.  ArgumentError: a bad seed.
    Source: Keras 3 `random.gamma`; Marsaglia and Tsang 2000.

    >>> gamma((3,), 2.0, seed=1)
    array([3.8075883, 1.937379 , 2.5467496], dtype=float32)
    """
    from refnet.random import floating_dtype

    name = floating_dtype("gamma", dtype)
    return drawn_by(random_gamma_op, "gamma", shape, seed, name, alpha)


def beta(shape: Any, alpha: TensorLike, beta: TensorLike, dtype: str | None = None, seed: Any = None) -> TensorLike:
    """Numbers of the beta distribution.

        y[i] = a / (a + b),  a drawn from gamma(alpha[i]), b from gamma(beta[i])

    Where both draws are below the smallest number, their logarithms are taken instead.

    Args:
        shape: the result's shape; entries may come from `ops.shape`.
        alpha, beta: numbers, arrays or tensors above 0 that broadcast to the shape.
        dtype: a floating dtype; the default one if None.
        seed: an integer in 0..2**32-1, a SeedGenerator, or None for a new seed of the global stream.
    Returns:
        That shape and dtype, in 0..1.
    NaN: where alpha or beta is not above 0, or infinite. Empty: an empty result.
    Raises:
        DtypeError: no floating dtype.  ShapeError: alpha or beta does not broadcast.  ArgumentError: a bad seed.
    Source: Keras 3 `random.beta`.

    >>> beta((3,), 2.0, 3.0, seed=1)
    array([0.5588654 , 0.22179013, 0.68357867], dtype=float32)
    """
    from refnet.random import floating_dtype

    name = floating_dtype("beta", dtype)
    return drawn_by(random_beta_op, "beta", shape, seed, name, alpha, beta)


def dirichlet(count: int, alpha: float, dtype: str | None = None, seed: Any = None) -> TensorLike:
    """The parts of a whole, drawn from the symmetric Dirichlet distribution.

        y[i] = g[i] / sum of g,  g[i] drawn from gamma(alpha)

    by the logarithms of g, since for small alpha all of g may lie below the smallest number: gamma(alpha) is gamma(alpha + 1)
    times u**(1 / alpha).

    Args:
        count: how many parts, at least 1.
        alpha: above 0: the smaller, the more of the whole is in one part.
        dtype: a floating dtype; the default one if None.
        seed: an integer in 0..2**32-1, a SeedGenerator (which counts two draws), or None for a new seed of the global stream.
    Returns:
        (count,), that dtype; they add up to 1 but for rounding. Computed in float64.
    Raises:
        DtypeError: no floating dtype.  ArgumentError: a count or an alpha that is not above 0, a bad seed.
    Source: Ferguson 1973; Devroye 1986, chapter XI.4.

    >>> float(ops.sum(dirichlet(3, 0.001, seed=1)))
    1.0
    """
    from refnet.random import floating_dtype, uniform

    name = floating_dtype("dirichlet", dtype)
    count, alpha = integer("dirichlet", count, "count"), float(number("dirichlet", alpha, "alpha"))
    if count < 1 or not 0 < alpha < INF:
        raise ArgumentError(f"dirichlet: count and alpha must lie above 0; got {count} and {alpha}.")
    key: Any = seed if isinstance(seed, SeedGenerator) else SeedGenerator(seed)
    larger = gamma((count,), np.asarray(alpha + 1), "float64", key)
    u = ops.subtract(1.0, uniform((count,), dtype="float64", seed=key))
    # An infinite logarithm, that of alphas below 1e-300, would leave no share to any.
    logs = ops.maximum(ops.add(ops.log(larger), ops.divide(ops.log(u), alpha)), -1e306)
    return ops.cast(ops.softmax(logs), name)


def drawn_by(op: Op, name: str, shape: Any, seed: Any, dtype: str, *parameters: TensorLike) -> TensorLike:
    """Calls a random op whose parameters, repeated up to the shape, say what each element is drawn from."""
    wide = [floating(name, p) for p in parameters]
    common = "float64" if "float64" in map(dtype_of, wide) else "float32"
    repeated = [ops.broadcast_to(as_dtype(p, common), shape) for p in wide]
    counts = isinstance(seed, SeedGenerator)
    key = next_seed() if seed is None else seed.seed if counts else checked_seed(seed)
    if is_symbolic(*repeated) or trace.call is not None:
        return op(run_counter, *repeated, dtype=dtype, seed=key, place=None)
    run = np.asarray(seed.advance() if counts else 0, np.int64)
    return op(run, *repeated, dtype=dtype, seed=key, place=0)


def parameters_rule(run: Spec, *parameters: Spec, dtype: str, seed: int, place: int | None) -> Spec:
    return Spec(tuple(parameters[0].shape), dtype)


def parameters_form(run: Spec, *parameters: Spec, dtype: str, seed: int, place: int) -> Form:
    view = View((size_of(parameters[0].shape),))
    return Form((View((1,)), *[view] * len(parameters)), (seed, place), (view,), view.shape, cost=300)


def random_gamma_loop(tasks: Tasks, run: Array, alpha: Array, seed: int, place: int, y: Array) -> None:
    for (i,) in tasks:
        y[i] = gamma_draw(alpha[i], seed, place, int(run[0]), i)


def random_beta_loop(tasks: Tasks, run: Array, alpha: Array, beta: Array, seed: int, place: int, y: Array) -> None:
    for (i,) in tasks:
        a = gamma_draw(alpha[i], seed, place, int(run[0]), 2 * i)
        b = gamma_draw(beta[i], seed, place, int(run[0]), 2 * i + 1)
        if a + b > 0:
            y[i] = a / (a + b)
        elif a + b == 0:
            log_a = gamma_log(alpha[i], seed, place, int(run[0]), 2 * i)
            log_b = gamma_log(beta[i], seed, place, int(run[0]), 2 * i + 1)
            y[i] = share_of_logs(log_a, log_b)
        else:
            y[i] = NAN


def share_of_logs(log_a: float, log_b: float) -> float:
    """a / (a + b)."""
    if log_a >= log_b:
        return 1.0 / (1.0 + exp_below_zero(log_b - log_a))
    ratio = exp_below_zero(log_a - log_b)
    return ratio / (1.0 + ratio)


def gamma_draw(alpha: float, seed: int, place: int, run: int, element: int) -> float:
    """One number, from the blocks of the generator that belong to the element."""
    if not 0 < alpha < INF:
        return NAN
    value = larger_gamma_draw(alpha, seed, place, run, element)
    if alpha < 1:
        value = value * exp_below_zero(last_exponent(alpha, seed, place, run, element))
    return value


def gamma_log(alpha: float, seed: int, place: int, run: int, element: int) -> Number:
    """The logarithm of what `gamma_draw` gives for 0 < alpha < 1, however small that is."""
    value = larger_gamma_draw(alpha, seed, place, run, element)
    return log_above_zero(value) + last_exponent(alpha, seed, place, run, element)


def last_exponent(alpha: float, seed: int, place: int, run: int, element: int) -> Number:
    """The logarithm of u**(1 / alpha), by which a draw of alpha + 1 becomes one of alpha."""
    words = random_words(seed, place, run, (ATTEMPTS + 1) * element + ATTEMPTS)
    exponent = log_below_one(inner_fraction(words[0], words[1])) / alpha
    return exponent if exponent > -1e306 else -1e306


def larger_gamma_draw(alpha: float, seed: int, place: int, run: int, element: int) -> float:
    """A number drawn from gamma(alpha), of alpha below 1 from gamma(alpha + 1)."""
    first = (ATTEMPTS + 1) * element
    d = (alpha if alpha >= 1 else alpha + 1.0) - 1.0 / 3.0
    c = 1.0 / (3.0 * sqrt(d))
    value = d  # one draw in 10**80 finds nothing better
    attempt = 0
    while attempt < ATTEMPTS:
        words = random_words(seed, place, run, first + attempt)
        z = normal_quantile(inner_fraction(words[0], words[1]))
        v = 1.0 + c * z
        attempt += 1
        if v > 0.0:
            v = v * v * v
            if log_below_one(inner_fraction(words[2], words[3])) < 0.5 * z * z + d * (1.0 - v + log_above_zero(v)):
                value = d * v
                attempt = ATTEMPTS
    return value


def log_above_zero(x: Number) -> Number:
    return log_below_one(x) if x <= 1.0 else -log_below_one(1.0 / x)


def exp_below_zero(x: float) -> float:
    """e**x for x <= 0 within 10**-12 of it: (e**(x / 1024))**1024, by the Taylor series and ten squarings."""
    if x < -745.0:
        return 0.0
    r = x / 1024.0
    total = 1.0
    for k in range(16):
        total = 1.0 + total * r / (16 - k)
    for _ in range(10):
        total = total * total
    return total


# ---- binomial

SINGLY = 15  # trials that are made one by one


@called_as("binomial", "broadcast_to")
def binomial(
    shape: Any, counts: TensorLike, probabilities: TensorLike, dtype: str | None = None, seed: Any = None
) -> TensorLike:
    """How many of a number of independent trials succeed.

        P(y[i] = k) = (n over k) p**k (1 - p)**(n - k),   n = counts[i],  p = probabilities[i]

    The trials are uniform numbers, and those below p succeed. Of many trials the middle one in order is drawn first, from a beta
    distribution: if it succeeds so do all before it, else so does none after it; half of the trials are left.

    Args:
        shape: the result's shape; entries may come from `ops.shape`.
        counts: numbers of trials in 0..2**31, whole (what is behind the point is cut off), that broadcast to the shape.
        probabilities: numbers in 0..1 that broadcast to the shape.
        dtype: a floating dtype; the default one if None.
        seed: an integer in 0..2**32-1, a SeedGenerator, or None for a new seed of the global stream.
    Returns:
        That shape and dtype: whole numbers in 0..n.
    NaN: where counts or probabilities are outside their range. Empty: an empty result.
    Raises:
        DtypeError: no floating dtype.  ShapeError: parameters that do not broadcast.  ArgumentError: a bad seed.
    Source: Keras 3 `random.binomial`; Knuth 3.4.1 (Ahrens and Dieter 1974).

    >>> binomial((4,), 10, 0.5, seed=1)
    array([5., 5., 5., 4.], dtype=float32)
    """
    from refnet.random import floating_dtype

    name = floating_dtype("binomial", dtype)
    return drawn_by(random_binomial_op, "binomial", shape, seed, name, counts, probabilities)


def random_binomial_loop(
    tasks: Tasks, run: Array, counts: Array, probabilities: Array, seed: int, place: int, y: Array
) -> None:
    for (i,) in tasks:
        if 0 <= counts[i] <= 2147483648.0 and 0 <= probabilities[i] <= 1:
            # Each element has a generator of its own, so that it may draw as often as it needs.
            words = random_words(seed, place, int(run[0]), i)
            y[i] = binomial_draw(truncate(counts[i]), probabilities[i], words[0], words[1])
        else:
            y[i] = NAN


def binomial_draw(n: int, p: float, key0: int, key1: int) -> int:
    """One number, from the generator with that key."""
    successes = 0
    draws = 0
    while n > SINGLY:
        middle = (n + 1) // 2
        a = gamma_draw(middle * 1.0, key0, key1, 0, draws)
        b = gamma_draw((n + 1 - middle) * 1.0, key0, key1, 0, draws + 1)
        draws += 2
        value = a / (a + b)
        if value < p:
            successes += middle
            n -= middle
            p = (p - value) / (1.0 - value)
        else:
            n = middle - 1
            p = p / value
    for trial in range(n):
        words = random_words(key0, key1, 1, trial)
        if fraction53(words[0], words[1]) < p:
            successes += 1
    return successes


random_gamma_op = Op("random_gamma", parameters_rule, loop=random_gamma_loop, form=parameters_form, random=True)
random_beta_op = Op("random_beta", parameters_rule, loop=random_beta_loop, form=parameters_form, random=True)
random_binomial_op = Op(
    "random_binomial", parameters_rule, loop=random_binomial_loop, form=parameters_form, random=True
)
