"""Where test cases come from: one interface, drawn from Hypothesis (which shrinks what fails) or from a seed.

Arrays are made by a seeded generator from a drawn seed and style, so a case is quick to make and small to shrink.
"""

import random
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np

from refnet import dtypes
from refnet.annotations import Array

T = TypeVar("T")

STYLES = ("normal", "whole", "wide", "extreme", "special")
LAYOUTS = ("row-major", "row-major", "reversed", "column-major", "every second")
SMALL = {"float16": 6e-8, "bfloat16": 9.2e-41, "float32": 1e-45, "float64": 5e-324}


class Draw(ABC):
    """A source of decisions.

    Args:
        calm: only ordinary, distinct values away from kinks and poles: for gradients.
        exotic: also the dtypes and broadcasts that a kernel cache pays for: for the deep profile.
        large: axes of up to 40 places instead of 5.
        special: values that are put into floating arrays, which are drawn wherever there is a choice, and not empty: one value into
            the first array, several into all.
    """

    def __init__(self, calm: bool = False, exotic: bool = False, large: bool = False, special: Sequence[float] = ()):
        self.calm, self.exotic, self.large, self.special = calm, exotic, large, special
        self.arrays = 0  # drawn so far: two arrays of one seed must differ
        self.forced = 0  # special values put in so far

    @abstractmethod
    def integer(self, low: int, high: int) -> int:
        """A whole number in low..high, both included."""

    def choice(self, options: Sequence[T]) -> T:
        if self.special:
            options = [x for x in options if isinstance(x, str) and dtypes.is_floating(x)] or options
        return options[self.integer(0, len(options) - 1)]

    def flag(self) -> bool:
        return bool(self.integer(0, 1))

    def floating(self) -> str:
        """A floating dtype."""
        if self.calm:
            return "float64"
        return self.choice(
            ("float32", "float64", "float16", "bfloat16") if self.exotic else ("float32", "float32", "float64")
        )

    def real(self) -> str:
        """A floating dtype, or an integer one."""
        if self.calm:
            return "float64"
        more: tuple[str, ...] = ("float16", "bfloat16", "int8", "uint8", "int64", "uint32") if self.exotic else ()
        return self.choice(("float32", "float32", "int32", *more))

    def anything(self) -> str:
        """Any dtype."""
        if self.special:
            return self.real()
        return self.choice((self.real(), self.real(), "bool")) if not self.calm else "float64"

    def index(self) -> str:
        """The dtype of indices."""
        return self.choice(("int32", "int64", "uint8")) if self.exotic else "int32"

    def extent(self, least: int = 0, longest: int = 5) -> int:
        """The length of an axis; seldom 0."""
        if self.calm:
            return self.integer(max(least, 1), 3)
        if self.large:
            return self.integer(8, 40)
        return self.integer(least if self.integer(0, 7) == 0 and not self.special else max(least, 1), longest)

    def shape(self, lowest: int = 0, highest: int = 3, least: int = 0, longest: int = 5) -> tuple[int, ...]:
        """A shape of rank lowest..highest with unequal extents."""
        return tuple(self.extent(least, longest) for _ in range(self.integer(lowest, highest)))

    def several(self, count: int, longest: int, least: int = 1) -> tuple[int, ...]:
        """That many whole numbers in least..longest, each by itself."""
        return tuple(self.integer(least, longest) for _ in range(count))

    def array(
        self,
        shape: Sequence[int],
        dtype: str,
        *,
        low: float | None = None,
        high: float | None = None,
        calm: tuple[float, float] = (-2, 2),
        refused: bool = False,
    ) -> Array:
        """An array of any values of a dtype (or within low..high), in any memory layout.

        Args:
            calm: the interval of values when the draw is calm.
            refused: whether values outside of low..high would be refused, so that no special ones are put in.
        """
        self.arrays += 1
        rng = np.random.default_rng((self.arrays, self.integer(0, 2**16)))
        size = int(np.prod(shape, dtype=int))
        if self.calm and dtypes.is_floating(dtype):
            low, high = calm
            grid = np.linspace(low, high, 3 * size + 1000)[1:-1] if size else np.zeros(0)
            # Between whole multiples of 2**-12, so never 0; where, depends on the array, so no two share a value.
            part = (self.arrays % 8 + 0.5) / 8
            inside = (np.floor(rng.choice(grid, size, replace=False) * 2**12) + part) / 2**12 if size else grid
            return inside.reshape(shape).astype(dtype)
        if low is not None and high is not None:
            values: Array = (
                rng.uniform(low, high, size)
                if dtypes.is_floating(dtype)
                else rng.integers(int(low), int(high) + 1, size)
            )
        elif dtypes.is_floating(dtype):
            values = self._floats(rng, size, dtype)
        else:
            values = self._whole(rng, size, dtype)
        if dtypes.is_floating(dtype) and not refused:
            self._put_special(values, rng)
        with np.errstate(all="ignore"):
            return self._laid_out(values.astype(dtypes.as_numpy(dtype)).reshape(shape))

    def _put_special(self, values: Array, rng: np.random.Generator) -> None:
        if len(self.special) > 1 or not self.forced:
            places = rng.permutation(values.size)[: len(self.special)]
            values[places] = rng.permutation(self.special)[: len(places)]
            self.forced += len(places)

    def _floats(self, rng: np.random.Generator, size: int, dtype: str) -> Array:
        style = "normal" if len(self.special) == 1 else "special" if self.special else self.choice(STYLES)
        values = rng.standard_normal(size)
        if style == "whole":
            return rng.integers(-3, 4, size).astype(float)
        largest = float(np.finfo(np.float32 if dtype == "bfloat16" else dtype).max) if dtype != "float16" else 65504.0
        smallest = SMALL[dtype]
        if style == "wide":
            return np.asarray(values * 2.0 ** rng.integers(-12, 12, size))
        if style == "extreme":
            exponents = rng.uniform(np.log2(smallest), np.log2(largest), size)
            return np.asarray(
                np.copysign(np.minimum(2.0 ** np.floor(exponents) * rng.uniform(1, 2, size), largest), values)
            )
        if style == "special":
            odd = rng.choice(
                [np.nan, np.nan, np.inf, -np.inf, 0.0, -0.0, smallest, -smallest, largest, -largest, 1.0], size
            )
            return np.asarray(np.where(rng.random(size) < 0.5, odd, values))
        return np.asarray(values)

    def _whole(self, rng: np.random.Generator, size: int, dtype: str) -> Array:
        if dtype == "bool":
            return rng.integers(0, 2, size)
        limits = np.iinfo(dtype)
        if self.integer(0, 3) == 0:
            return rng.integers(limits.min, limits.max, size, dtype=dtype, endpoint=True)
        return rng.integers(max(limits.min, -9), 10, size)

    def _laid_out(self, array: Array) -> Array:
        layout = self.choice(LAYOUTS)
        if array.ndim == 0 or layout == "row-major":
            return array
        if layout == "reversed":
            return np.ascontiguousarray(array[::-1])[::-1]
        if layout == "column-major":
            return np.asfortranarray(array)
        return np.repeat(array, 2, axis=-1)[..., ::2]


class Seeded(Draw):
    """Decisions from a seed: the same cases every time, without Hypothesis."""

    def __init__(
        self, seed: Any, calm: bool = False, exotic: bool = False, large: bool = False, special: Sequence[float] = ()
    ):
        super().__init__(calm, exotic, large, special)
        self.random = random.Random(str(seed))

    def integer(self, low: int, high: int) -> int:
        return self.random.randint(low, high)
