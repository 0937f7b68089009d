"""Random numbers: `keras.random`'s functions over a generator without state.

A draw is a definition like any other. Its key is a seed and the place of the random node in its program; its counter is the
program's run. Eager draws are at place 0, run 0 (a SeedGenerator counts its draws as runs).
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from refnet import dtypes
from refnet.annotations import Array, Number, Shape, Tasks, TensorLike
from refnet.definition import Form, Op, Spec, View, size_of
from refnet.errors import ArgumentError, DtypeError, ShapeError
from refnet.graph import Tensor, call_with_shape, run_counter, trace
from refnet.ops.arguments import dimensions, dtype_of, entries, flag, floating, integer, number, shape_of
from refnet.ops.sampling import bernoulli, beta, binomial, categorical, gamma
from refnet.ops.shuffling import permutation, shuffle
from refnet.ops.shuffling import permutation_op as permutation_op
from refnet.philox import fraction, fraction53, inner_fraction, normal_quantile, random_words, whole_below
from refnet.seeds import SeedGenerator, checked_seed, next_seed, set_random_seed

__all__ = [
    "SeedGenerator",
    "bernoulli",
    "beta",
    "binomial",
    "categorical",
    "dropout",
    "dropout_mask",
    "gamma",
    "next_seed",
    "normal",
    "permutation",
    "randint",
    "set_random_seed",
    "shuffle",
    "truncated_normal",
    "uniform",
]


def draw(op: Op, shape: Any, seed: Any, symbolic: bool = False, **attributes: Any) -> TensorLike:
    """Calls a random op: in a graph a node, whose place and run the program fills in; else at once."""
    entries = (
        tuple(shape)
        if isinstance(shape, (tuple, list))
        else tuple(np.atleast_1d(shape))
        if isinstance(shape, np.ndarray)
        else (shape,)
    )
    counts = isinstance(seed, SeedGenerator)
    key = next_seed() if seed is None else seed.seed if counts else checked_seed(seed)
    if symbolic or trace.call is not None or any(isinstance(d, Tensor) for d in entries):
        return call_with_shape(op, (run_counter,), entries, seed=key, place=None, **attributes)
    run = seed.advance() if counts else 0
    return call_with_shape(op, (np.asarray(run, np.int64),), entries, seed=key, place=0, **attributes)


def drawing(name: str, loop: Callable[..., None], prepare: Callable[..., tuple[int, tuple[Number, ...]]]) -> Op:
    """A random op whose tasks are blocks of the generator.

    Args:
        prepare: `prepare(dtype, **parameters)` gives the number of elements a block and the loop's parameters.
    """

    def rule(run: Spec, *dims: Spec, shape: Shape, dtype: str, seed: int, place: int | None, **_: Any) -> Spec:
        if any(d is not None and d < 0 for d in shape):
            raise ShapeError(f"{name}: a shape has no negative entries; got {shape}.")
        return Spec(tuple(shape), dtype)

    def form(run: Spec, *, shape: Shape, dtype: str, seed: int, place: int, **parameters: Any) -> Form:
        count = size_of(shape)
        in_block, prepared = prepare(dtype, **parameters)
        domain = (-(-count // in_block),)
        return Form((View((1,)),), (seed, place, *prepared), (View((count,)),), domain, cost=100)

    return Op(name, rule, loop=loop, form=form, random=True, takes_shape=True)


# ---- uniform

BITS = {"bfloat16": 8, "float16": 11, "float32": 24, "float64": 53}  # of a significand: as many as a fraction can hold


def uniform(
    shape: Shape, minval: float = 0.0, maxval: float = 1.0, dtype: str | None = None, seed: Any = None
) -> TensorLike:
    """Numbers spread evenly over minval <= y < maxval.

        y[i] = minval + (maxval - minval) * k / 2**24,  k the highest 24 bits of word i of the generator

    float64 takes 53 bits of two words, float16 11 bits, bfloat16 8. Rounding to the dtype may give maxval unless it is 1 and
    minval is 0.

    Args:
        shape: the result's shape; entries may come from `ops.shape`.
        minval, maxval: numbers.
        dtype: a floating dtype; the default one if None.
        seed: an integer in 0..2**32-1, a SeedGenerator, or None for a new seed of the global stream.
    Returns:
        That shape and dtype. The same integer seed gives the same numbers.
    Empty: an empty result.
    Raises:
        DtypeError: no floating dtype.  ArgumentError: a bad seed.
    Source: Keras 3 `random.uniform`; Salmon et al. 2011.

    >>> uniform((3,), seed=1)
    array([0.89025915, 0.8946847 , 0.5857259 ], dtype=float32)
    """
    dtype = floating_dtype("uniform", dtype)
    return draw(
        random_uniform_op,
        shape,
        seed,
        dtype=dtype,
        minval=number("uniform", minval, "minval"),
        maxval=number("uniform", maxval, "maxval"),
    )


def floating_dtype(name: str, dtype: str | None) -> str:
    dtype = dtypes.standardize(dtype)
    if not dtypes.is_floating(dtype):
        raise DtypeError(f"{name} draws floating numbers; got dtype {dtype}. Whole numbers come from randint.")
    return dtype


def random_uniform_loop(
    tasks: Tasks, run: Array, seed: int, place: int, bits: int, minval: float, maxval: float, y: Array
) -> None:
    for (block,) in tasks:
        words = random_words(seed, place, int(run[0]), block)
        if bits == 53:
            for k in range(2):
                if 2 * block + k < y.shape[0]:
                    y[2 * block + k] = minval + (maxval - minval) * fraction53(words[2 * k], words[2 * k + 1])
        else:
            for k in range(4):
                if 4 * block + k < y.shape[0]:
                    y[4 * block + k] = minval + (maxval - minval) * fraction(words[k], bits)


random_uniform_op = drawing(
    "random_uniform",
    random_uniform_loop,
    lambda dtype, minval, maxval: (2 if dtype == "float64" else 4, (BITS[dtype], minval, maxval)),
)


# ---- normal


def normal(
    shape: Shape, mean: float = 0.0, stddev: float = 1.0, dtype: str | None = None, seed: Any = None
) -> TensorLike:
    """Numbers of the normal distribution.

        y[i] = mean + stddev * quantile((w_i + 1/2) / 2**32),  w_i word i of the generator

    float64 takes 52 bits of two words. The quantile is a rational approximation, in float64.

    Args:
        shape: the result's shape; entries may come from `ops.shape`.
        mean, stddev: numbers.
        dtype: a floating dtype; the default one if None.
        seed: an integer in 0..2**32-1, a SeedGenerator, or None for a new seed of the global stream.
    Returns:
        That shape and dtype, within 6.4 (float64: 8.3) stddev of the mean.
    Empty: an empty result.
    Raises:
        DtypeError: no floating dtype.  ArgumentError: a bad seed.
    Source: Keras 3 `random.normal`; Wichura 1988 (AS 241).

    >>> normal((3,), seed=1)
    array([1.2279077 , 1.2518334 , 0.21656406], dtype=float32)
    """
    dtype = floating_dtype("normal", dtype)
    return draw(
        random_normal_op,
        shape,
        seed,
        dtype=dtype,
        mean=number("normal", mean, "mean"),
        stddev=number("normal", stddev, "stddev"),
    )


def truncated_normal(
    shape: Shape, mean: float = 0.0, stddev: float = 1.0, dtype: str | None = None, seed: Any = None
) -> TensorLike:
    """Numbers of the normal distribution without what lies beyond two standard deviations.

        y[i] = mean + stddev * quantile(P(-2) + (P(2) - P(-2)) * u_i),  P the normal distribution function, u_i as in `normal`

    Args, Returns, Raises: as in `normal`; the result lies within 2 stddev of the mean, but for rounding.
    Source: Keras 3 `random.truncated_normal` (which draws again instead; the distribution is the same).

    >>> truncated_normal((3,), seed=1)
    array([1.1382995, 1.158777 , 0.2065655], dtype=float32)
    """
    dtype = floating_dtype("truncated_normal", dtype)
    return draw(
        random_truncated_normal_op,
        shape,
        seed,
        dtype=dtype,
        mean=number("truncated_normal", mean, "mean"),
        stddev=number("truncated_normal", stddev, "stddev"),
    )


def random_normal_loop(
    tasks: Tasks,
    run: Array,
    seed: int,
    place: int,
    in_block: int,
    mean: float,
    stddev: float,
    below: float,
    inside: float,
    y: Array,
) -> None:
    # `below` is the probability of what is cut off on the left, `inside` that of what is left.
    for (block,) in tasks:
        words = random_words(seed, place, int(run[0]), block)
        for k in range(in_block):
            if in_block * block + k < y.shape[0]:
                if in_block == 2:
                    u = inner_fraction(words[2 * k], words[2 * k + 1])
                else:
                    u = (words[k] + 0.5) / 4294967296.0
                y[in_block * block + k] = mean + stddev * normal_quantile(below + inside * u)


def _normal_parameters(below: float, inside: float) -> Callable[..., tuple[int, tuple[Number, ...]]]:
    def prepare(dtype: str, mean: float, stddev: float) -> tuple[int, tuple[Number, ...]]:
        in_block = 2 if dtype == "float64" else 4
        return in_block, (in_block, mean, stddev, below, inside)

    return prepare


random_normal_op = drawing("random_normal", random_normal_loop, _normal_parameters(0.0, 1.0))
random_truncated_normal_op = drawing(
    "random_truncated_normal", random_normal_loop, _normal_parameters(0.02275013194817921, 0.9544997361036416)
)


# ---- whole numbers


def randint(shape: Shape, minval: int, maxval: int, dtype: str = "int32", seed: Any = None) -> TensorLike:
    """Whole numbers, minval <= y < maxval, each equally likely.

        y[i] = minval + floor(w_i * (maxval - minval) / 2**64),  w_i 64 bits of the generator

    Args:
        shape: the result's shape; entries may come from `ops.shape`.
        minval, maxval: integers of the dtype (maxval may be one beyond), less than 2**63 apart.
        dtype: an integer dtype.
        seed: an integer in 0..2**32-1, a SeedGenerator, or None for a new seed of the global stream.
    Returns:
        That shape and dtype.
    Empty: an empty result.
    Raises:
        DtypeError: no integer dtype.  ArgumentError: no number between the bounds, or bounds outside the dtype; a bad seed.
    Source: Keras 3 `random.randint`; Lemire 2019.

    >>> randint((5,), 0, 10, seed=1)
    array([8, 5, 6, 4, 2], dtype=int32)
    """
    dtype = dtypes.standardize(dtype)
    if not dtypes.is_integer(dtype):
        raise DtypeError(f"randint draws whole numbers; got dtype {dtype}. Floating numbers come from uniform.")
    low, high, info = integer("randint", minval, "minval"), integer("randint", maxval, "maxval"), np.iinfo(dtype)
    if not low < high or not info.min <= low or high - 1 > min(info.max, 2**63 - 2) or high - low >= 2**63:
        raise ArgumentError(f"randint: minval must lie below maxval, both within {dtype}; got {minval} and {maxval}.")
    return draw(random_integers_op, shape, seed, dtype=dtype, minval=low, maxval=high)


def random_integers_loop(tasks: Tasks, run: Array, seed: int, place: int, minval: int, maxval: int, y: Array) -> None:
    for (block,) in tasks:
        words = random_words(seed, place, int(run[0]), block)
        for k in range(2):
            if 2 * block + k < y.shape[0]:
                y[2 * block + k] = minval + whole_below(maxval - minval, words[2 * k], words[2 * k + 1])


random_integers_op = drawing(
    "random_integers", random_integers_loop, lambda dtype, minval, maxval: (2, (minval, maxval))
)


# ---- dropout


def dropout(inputs: TensorLike, rate: float, noise_shape: Any = None, seed: Any = None) -> TensorLike:
    """The inputs with a random part set to zero and the rest scaled up, so that the mean stays.

        y[i] = x[i] * mask[i],  mask[i] = 1 / (1 - rate) with probability 1 - rate, else 0

    An element is dropped where a word of the generator is below rate * 2**32.

    Args:
        inputs: an array or tensor of a floating dtype.
        rate: 0..1, the part that is dropped.
        noise_shape: the mask's shape, broadcast against the inputs; None entries stand for the inputs' own extents.
        seed: an integer in 0..2**32-1, a SeedGenerator, or None for a new seed of the global stream.
    Returns:
        Shape and dtype of the inputs; the inputs themselves for rate 0.
    NaN: stays, and so does infinity as NaN, where dropped. Empty: an empty result.
    Raises:
        ArgumentError: a rate outside 0..1, a bad seed.  ShapeError: a noise_shape that does not broadcast.
    Source: Keras 3 `random.dropout`; Srivastava et al. 2014; Chollet 4.4.3.

    >>> dropout(np.ones(6), 0.5, seed=3)
    array([2., 0., 2., 2., 0., 2.])
    """
    from refnet.ops.elementwise import multiply

    x = floating("dropout", inputs, "inputs")
    rate = number("dropout", rate, "rate")
    if not 0 <= rate <= 1:
        raise ArgumentError(f"dropout: rate is the part that is dropped, in 0..1; got {rate!r}.")
    if rate == 0:
        return x
    return multiply(x, dropout_mask(_noise_shape(x, noise_shape), rate, dtype_of(x), seed, isinstance(x, Tensor)))


def _noise_shape(x: TensorLike, noise_shape: Any) -> tuple[Any, ...]:
    from refnet.ops.shapes import shape

    own = shape(x)
    if noise_shape is None:
        return own
    given = tuple(entries("dropout", noise_shape, "noise_shape"))
    if len(given) != len(own):
        raise ShapeError(f"dropout: noise_shape needs one entry for each of {len(own)} axes; got {given}.")
    dimensions("dropout", [d for d in given if d is not None])
    for wanted, extent in zip(given, shape_of(x)):
        if not isinstance(wanted, Tensor) and wanted not in (None, 1) and extent not in (None, wanted):
            raise ShapeError(
                f"dropout: noise_shape {given} does not broadcast to the shape {tuple(shape_of(x))} of the inputs."
            )
    return tuple(n if d is None else d for d, n in zip(given, own))


def dropout_mask(
    shape: Shape, rate: float, dtype: str | None = None, seed: Any = None, symbolic: bool = False
) -> TensorLike:
    """What `dropout` multiplies by: 1 / (1 - rate) where an element is kept, 0 where it is dropped.

    Args:
        shape: the result's shape; entries may come from `ops.shape`.
        rate: 0..1, the part that is 0.
        dtype: a floating dtype; the default one if None.
        seed: an integer in 0..2**32-1, a SeedGenerator, or None for a new seed of the global stream.
        symbolic: whether the draw belongs to a graph even outside a layer.
    Returns:
        That shape and dtype.
    Empty: an empty result.
    Raises:
        ArgumentError: a rate outside 0..1, a bad seed.

    >>> dropout_mask((6,), 0.5, seed=3)
    array([2., 0., 2., 2., 0., 2.], dtype=float32)
    """
    rate = number("dropout_mask", rate, "rate")
    if not 0 <= rate <= 1:
        raise ArgumentError(f"dropout_mask: rate is the part that is dropped, in 0..1; got {rate!r}.")
    return draw(
        dropout_mask_op,
        shape,
        seed,
        flag("dropout_mask", symbolic, "symbolic"),
        dtype=floating_dtype("dropout_mask", dtype),
        rate=rate,
    )


def dropout_mask_loop(tasks: Tasks, run: Array, seed: int, place: int, threshold: int, scale: float, y: Array) -> None:
    for (block,) in tasks:
        words = random_words(seed, place, int(run[0]), block)
        for k in range(4):
            if 4 * block + k < y.shape[0]:
                y[4 * block + k] = scale if words[k] >= threshold else 0.0


dropout_mask_op = drawing(
    "dropout_mask",
    dropout_mask_loop,
    lambda dtype, rate: (4, (round(rate * 2**32), 1 / (1 - rate) if rate < 1 else 0.0)),
)
