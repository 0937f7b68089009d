"""Calls of Fourier's transforms."""

from typing import Any

import numpy as np

from refnet.errors import ArgumentError, DtypeError, ShapeError
from refnet.testing.draw import Draw
from refnet.testing.strategies import refuse, strategy, usage


@strategy("dft")
def dft_calls(draw: Draw) -> Any:
    dtype, shape = draw.floating(), (draw.extent(), draw.extent(1))
    count = draw.integer(1, shape[-1])
    return [draw.array(shape, dtype), draw.array(shape, dtype)], {"sign": draw.choice((-1, 1)), "count": count}


@usage("irfft")
def irfft_usages(draw: Draw) -> Any:
    dtype, shape = draw.floating(), (draw.extent(), draw.integer(2, 4))
    pair = (draw.array(shape, dtype), draw.array(shape, dtype))
    return (pair, draw.choice((None, 3, 8))), {}


@usage("stft")
def stft_usages(draw: Draw) -> Any:
    dtype = draw.choice(("float32", "float64")) if not draw.calm else "float64"
    x = draw.array((draw.extent(), draw.integer(6, 9)), dtype)
    return (x, draw.integer(2, 4), draw.integer(1, 3), 4), {"center": draw.flag()}


PAIR = (np.zeros((2, 3)), np.zeros((2, 3)))
refuse("fft", np.zeros(3), error=ArgumentError, words="a pair of arrays")
refuse("fft", (np.zeros(3), np.zeros(2)), error=ShapeError, words="one shape")
refuse("fft", (np.zeros((2, 0)), np.zeros((2, 0))), error=ShapeError, words="above 0")
refuse("fft2", (np.zeros(3), np.zeros(3)), error=ShapeError, words="2 last axes")
refuse("rfft", np.zeros(3), 0, error=ArgumentError, words="at least 1")
refuse("irfft", (np.zeros(1), np.zeros(1)), error=ArgumentError, words="at least 1")
refuse("stft", np.zeros(9), 4, 2, 3, error=ArgumentError, words="at least sequence_length")
refuse("stft", np.zeros(9, int), 4, 2, 4, error=DtypeError, words="float32 or float64")
refuse("stft", np.zeros(2), 4, 2, 4, error=ShapeError, words="longer than 2")
refuse("stft", np.zeros(9), 4, 2, 4, "box", error=ArgumentError, words="window")
refuse("istft", PAIR, 4, 2, 4, window=np.ones(3), error=ShapeError, words="sequence_length = 4")
