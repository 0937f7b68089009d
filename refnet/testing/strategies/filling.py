"""Calls that make arrays from nothing."""

from typing import Any

from refnet.testing.draw import Draw
from refnet.testing.strategies import strategy


@strategy("arange")
def arange_calls(draw: Draw) -> Any:
    return [], {"shape": (draw.extent(),), "start": draw.integer(-3, 3), "dtype": draw.choice(("int32", "int64"))}
