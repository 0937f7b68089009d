"""Bounds that are counted: for results beside a formula that a test writes out, or beside another library.

A certificate (`refnet.testing.hold`) follows from an op's own loop, and is to be preferred. Where two computations are compared of
which one is not ours, the bound is that of any textbook: what k roundings do to terms whose sizes add up to s is at most

    gamma(k) * s,    gamma(k) = k u / (1 - k u),    u = 2**-24 for float32, 2**-53 for float64

whatever the order of the sum. A test says k and, where terms cancel, s; it never says how near is near enough.
"""

from typing import Any

import numpy as np

from refnet.testing.certificates import STORAGE

# An elementary function, anybody's: within 3 units in the last place, each of which is two roundings.
ELEMENTARY = 6


def close(got: Any, due: Any, roundings: Any, size: Any = None, dtype: str | None = None) -> None:
    """Asserts that two results differ by no more than their roundings can make.

    Args:
        got: a result; its dtype says what a rounding is. A Python float counts as float32: what models tell is computed so.
        due: what must come, in any dtype.
        roundings: how many both results have on the way from the inputs: one for each operation, n for a sum of n terms (or a
            product of matrices with n of them), ELEMENTARY for exp, log, tanh and the like. Those of both results are counted.
        size: the sum of the sizes of the terms, that is the result with all signs made plus; of any shape that broadcasts. What
            `due` is if None, for results in which nothing cancels.
        dtype: what both are computed in, where `got` is of another dtype.
    Raises:
        AssertionError: shapes differ, an element is not finite where the other is, or two are further apart; names the worst one.

    >>> close(np.float32(0.1) + np.float32(0.2), 0.3, roundings=3)
    """
    x, y = np.asarray(got), np.asarray(due)
    assert x.shape == y.shape or not y.shape, f"shape {x.shape}; {y.shape} is due."
    storage = STORAGE[dtype or (x.dtype.name if isinstance(got, (np.ndarray, np.generic)) else "float32")]
    u, least = float(storage.u), float(storage.eta)
    x, y = x.astype("float64"), np.broadcast_to(y, x.shape).astype("float64")
    finite = np.isfinite(y)
    np.testing.assert_array_equal(np.where(finite, 0, y), np.where(finite, 0, x))
    scale = np.broadcast_to(np.abs(y if size is None else np.asarray(size, "float64")), x.shape)
    apart = np.where(finite, np.abs(x - np.where(finite, y, 0)), 0)
    with np.errstate(all="ignore"):
        room = roundings * u / (1 - roundings * u) * scale + roundings * least
        over = np.where(apart == 0, 0, apart / room)
    if not (over <= 1).all():  # NaN is no bound's
        place = tuple(int(i) for i in np.unravel_index(int(np.argmax(over)), x.shape))
        raise AssertionError(
            f"{list(place)} is {float(x[place])!r}; {float(y[place])!r} is due. That is {float(over[place]):.4g} times what "
            f"{roundings} roundings of {float(scale[place])!r} can make."
        )
