"""Seeds: where draws get their keys from."""

import itertools
import os
import random as python_random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from refnet.annotations import Array
from refnet.errors import ArgumentError, UsageError
from refnet.graph import Variable, trace
from refnet.philox import WORD, random_words


class SeedGenerator:
    """A seed and a count of the draws made with it, so that each eager draw gives other numbers.

    Args:
        seed: an integer in 0..2**32-1; one from the global stream if None.
        name: of the state variable.

    >>> from refnet.random import uniform
    >>> generator = SeedGenerator(1)
    >>> bool((uniform((3,), seed=generator) == uniform((3,), seed=generator)).any())
    False
    """

    def __init__(self, seed: int | None = None, name: str | None = None):
        self.name = name or "seed_generator"
        self.seed = next_seed() if seed is None else checked_seed(seed)
        self.state = Variable(np.array([self.seed, 0]), dtype="int64", trainable=False, name=f"{self.name}_state")

    def advance(self) -> int:
        """The number of this draw."""
        run = int(self.state.value[1])
        self.state.set(np.array([self.seed, run + 1]))
        return run

    def next(self, ordered: bool = True) -> Array:
        """The seed and the number of the next draw, two integers; it is counted as if it had been made.

        Args:
            ordered: whether draws are counted one by one; else the numbers after this one are strewn, as Keras strews them.
        Raises:
            UsageError: inside a layer's call or a function that is traced, where the value would be the same in every run.
        Source: Keras 3 `SeedGenerator.next`.

        >>> generator = SeedGenerator(5)
        >>> generator.next(), generator.next()
        (array([5, 0]), array([5, 1]))
        """
        if trace.active:
            raise UsageError(
                f"{self.name}.next here would give the same numbers in every run: hand the generator itself to the draw, seed=generator."
            )
        value = self.state.numpy()
        self.state.set(value + [0, 1] if ordered else (value + 1) * 5387 % 933199)
        return value

    def get_config(self) -> dict[str, Any]:
        return {"seed": self.seed, "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "SeedGenerator":
        return cls(**config)


SEED_STREAM = WORD  # the place of the global stream of seeds; no program has so many random nodes


class _Global:
    seed: int | None = None
    drawn = itertools.count()


def set_random_seed(seed: int) -> None:
    """Starts the global stream of seeds, and with it every default seed, anew; Python's and NumPy's global generators too.

    Args:
        seed: an integer in 0..2**32-1.
    Source: Keras 3 `utils.set_random_seed`.
    """
    _Global.seed, _Global.drawn = checked_seed(seed), itertools.count()
    python_random.seed(seed)
    np.random.seed(seed)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Within it all default seeds follow from `seed`; afterwards the global stream, Python's and NumPy's generators go on as if
    nothing had been drawn.

    >>> set_random_seed(7)
    >>> with seeded(1):
    ...     inside = next_seed()
    >>> after = next_seed()
    >>> set_random_seed(7)
    >>> after == next_seed(), after == inside
    (True, False)
    """
    kept = _Global.seed, _Global.drawn, python_random.getstate(), np.random.get_state()
    set_random_seed(seed)
    try:
        yield
    finally:
        _Global.seed, _Global.drawn = kept[:2]
        python_random.setstate(kept[2])
        np.random.set_state(kept[3])


def next_seed() -> int:
    """The next seed of the global stream: for layers, initializers and draws that were given none.

    >>> set_random_seed(7)
    >>> a = next_seed(), next_seed()
    >>> set_random_seed(7)
    >>> a == (next_seed(), next_seed())
    True
    """
    if _Global.seed is None:
        _Global.seed = int.from_bytes(os.urandom(4), "little")
    return random_words(_Global.seed, SEED_STREAM, 0, next(_Global.drawn))[0]


def checked_seed(seed: Any) -> int:
    """The seed as an int. Raises ArgumentError unless it is an integer in 0..2**32-1."""
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed <= WORD:
        raise ArgumentError(f"a seed is an integer in 0..{WORD}, a SeedGenerator, or None; got {seed!r}.")
    return int(seed)
