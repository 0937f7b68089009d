"""Calls of linear equations and factors. Matrices are well conditioned: others have bounds that say nothing."""

from typing import Any

import numpy as np

from refnet.annotations import Array
from refnet.errors import ArgumentError, ShapeError
from refnet.testing.draw import Draw
from refnet.testing.strategies import refuse, strategy, usage


def sound(draw: Draw, lead: tuple[int, ...], n: int, dtype: str) -> Array:
    """Square matrices whose diagonals outweigh the rest."""
    x = draw.array((*lead, n, n), "float64", low=-0.5, high=0.5, calm=(-0.5, 0.5))
    return (np.asarray(x) + 2 * np.eye(n)).astype(dtype)


def real(draw: Draw) -> str:
    return "float64" if draw.calm else draw.choice(("float32", "float32", "float64"))


@strategy("triangular")
def triangular_calls(draw: Draw) -> Any:
    dtype, n, lead = real(draw), draw.extent(1, 4), (draw.extent(),)
    b = draw.array((*lead, n, draw.extent(1, 3)), dtype, low=-3, high=3, calm=(-2, 2))
    return [sound(draw, lead, n, dtype), b], {"lower": draw.flag()}


@strategy("cholesky")
def cholesky_calls(draw: Draw) -> Any:
    return [sound(draw, (draw.extent(),), draw.extent(1, 4), real(draw))], {}


@strategy("lu")
def lu_calls(draw: Draw) -> Any:
    dtype, lead, n = real(draw), (draw.extent(),), draw.extent(1, 3)
    x = sound(draw, lead, n, dtype)
    if draw.calm or draw.flag():
        return [np.flip(x, -2).copy()], {}
    return [np.concatenate([x, x[:, :1] * 0.25], draw.choice((-1, -2)) if n == 1 else -2)], {}


@strategy("qr")
def qr_calls(draw: Draw) -> Any:
    dtype, lead, n = real(draw), (draw.extent(1, 2),), draw.extent(1, 3)
    more = draw.integer(0, 1)
    x = draw.array((*lead, n + more, n), "float64", low=-0.5, high=0.5, calm=(-0.5, 0.5)) + 2 * np.eye(n + more, n)
    if not draw.calm:  # magnitudes whose squares are out of range
        x = x * 2.0 ** draw.choice((0, 0, -80, 80) if dtype == "float32" else (0, 0, -600, 600))
    if draw.calm or draw.flag():
        return [x.astype(dtype)], {"columns": n}
    return [np.swapaxes(x, -1, -2).astype(dtype)], {"columns": n}


@usage("solve", "lstsq")
def solve_usages(draw: Draw) -> Any:
    dtype, n = real(draw), draw.extent(1, 3)
    b = draw.array((2, n, 2) if draw.flag() else (2, n), dtype, low=-3, high=3, calm=(-2, 2))
    return (sound(draw, (2,), n, dtype), b), {}


@usage("det")
def det_usages(draw: Draw) -> Any:
    return (sound(draw, (2,), draw.extent(1, 3), real(draw)),), {}


M = np.zeros((2, 3))
for name in ("cholesky", "cholesky_inverse", "det", "slogdet", "logdet", "inv"):
    refuse(name, M, error=ShapeError, words=f"{name} takes square matrices")
refuse("lu_factor", np.zeros(3), error=ShapeError, words="takes matrices")
refuse("solve", np.eye(2), np.zeros(3), error=ShapeError, words="2 rows")
refuse("solve_triangular", M, np.zeros(2), error=ShapeError, words="square matrices")
refuse("qr", M, "full", error=ArgumentError, words="mode")
refuse("lstsq", np.eye(2), np.zeros(2), 1e-3, error=ArgumentError, words="rcond")
