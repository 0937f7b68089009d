"""Calls that keep gradients small."""

from typing import Any

import numpy as np

from refnet.errors import ArgumentError
from refnet.testing.draw import Draw
from refnet.testing.strategies import refuse, usage


@usage("clip_by_value", "clip_by_norm")
def clip_usages(draw: Draw) -> Any:
    return (draw.array(draw.shape(), draw.floating()), draw.choice((0.5, 3.0))), {}


@usage("clip_by_global_norm")
def clip_by_global_norm_usages(draw: Draw) -> Any:
    dtype = draw.floating()
    return ([draw.array(draw.shape(), dtype) for _ in range(draw.integer(1, 3))], 1.5), {}


refuse("clip_by_norm", np.zeros(3), -1.0, error=ArgumentError, words="above 0")
refuse("clip_by_norm", np.zeros(3), 1.0, axes=1, error=ArgumentError, words="axis")
refuse("clip_by_global_norm", [np.zeros(3)], 0.0, error=ArgumentError, words="above 0")
