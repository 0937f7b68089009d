"""A plane of codes, decoded."""

from statistics import NormalDist
from typing import Any

import numpy as np

from refnet.annotations import Array
from refnet.errors import ArgumentError, ShapeError
from refnet.visualize.images import displayable
from refnet.visualize.paper import new_figure, saved


def manifold_codes(n: int = 15, margin: float = 0.05) -> Array:
    """The n * n codes at equal steps of the probability of a normal plane.

    Args:
        margin: the probability left out at each side.
    Returns:
        (n * n, 2) float32, row by row.
    Source: Chollet 8.4.3.

    >>> manifold_codes(3, margin=0.5 - 0.3413447461)[:, 0].round(3)
    array([-1., -1., -1.,  0.,  0.,  0.,  1.,  1.,  1.], dtype=float32)
    """
    if n < 1 or not 0 < margin < 0.5:
        raise ArgumentError(f"manifold_codes: n is at least 1 and margin in (0, 0.5); got {n!r} and {margin!r}.")
    levels = [NormalDist().inv_cdf(p) for p in np.linspace(margin, 1 - margin, n)]
    rows, columns = np.meshgrid(levels, levels, indexing="ij")
    codes: Array = np.stack([rows, columns], -1).reshape(-1, 2).astype("float32")
    return codes


def latent_manifold(
    decoder: Any, n: int = 15, margin: float = 0.05, title: str | None = None, to_file: Any = None
) -> Any:
    """The images a decoder makes of codes all over the plane.

    Args:
        decoder: a model from (batch, 2) to images (batch, h, w, 1 or 3).
        n: images in a row and in a column.
        margin: the probability left out at each side.
    Returns:
        The matplotlib Figure.
    Raises:
        ShapeError: a decoder that gives something else than images.
    Source: Chollet 8.4.3, figure 8.14.
    """
    images = np.asarray(decoder.predict(manifold_codes(n, margin), batch_size=n, verbose=0))
    if images.ndim not in (3, 4):
        raise ShapeError(f"latent_manifold: the decoder must give images (batch, h, w, channels); got {images.shape}.")
    tiles = images.reshape(n, n, *images.shape[1:])
    whole = np.concatenate([np.concatenate(list(row), axis=1) for row in tiles], axis=0)
    figure = new_figure(8, 8.3 if title else 8, title)
    axis = figure.subplots()
    axis.set_axis_off()
    axis.imshow(displayable(whole), cmap="gray", interpolation="nearest")
    return saved(figure, to_file)
