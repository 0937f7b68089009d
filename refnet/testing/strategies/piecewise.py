"""Calls of activations made of straight lines."""

from typing import Any

import numpy as np

from refnet.errors import DtypeError
from refnet.testing.draw import Draw
from refnet.testing.strategies import refuse, usage
from refnet.testing.strategies.elementwise import operands


@usage("hard_silu", "hard_tanh", "sparse_plus", "sparse_sigmoid")
def hard_usages(draw: Draw) -> Any:
    return tuple(operands(draw, 1, draw.floating())), {}


@usage("hard_shrink", "soft_shrink")
def shrink_usages(draw: Draw) -> Any:
    return tuple(operands(draw, 1, draw.floating())), {"threshold": draw.choice((0.5, 0.0, 1.0))}


@usage("threshold")
def threshold_usages(draw: Draw) -> Any:
    return (*operands(draw, 1, draw.floating()), draw.choice((0.0, 1.0)), draw.choice((0.0, -2.5))), {}


for _name in ("hard_silu", "hard_tanh", "hard_shrink", "soft_shrink", "sparse_plus", "sparse_sigmoid"):
    refuse(_name, np.array(["a"]), error=DtypeError, words="must hold numbers")
